"""Membership inference, step by step: pure functions on arrays and tensors, without Snakemake."""
