"""What no attack can exceed: divergences of Dirichlet laws and what they allow (zhu2025)."""
