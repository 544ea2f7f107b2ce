"""Probes: what models are asked beyond the queries, one module a probe."""
