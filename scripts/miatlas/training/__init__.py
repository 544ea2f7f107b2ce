"""Training many models together; one module an architecture below."""
