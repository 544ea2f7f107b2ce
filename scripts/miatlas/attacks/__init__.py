"""Membership inference attacks, one module an attack."""
