"""Who trains on what: one module a design, and the roles of examples."""
