"""The roles of examples: models may train on the pool, and on nothing else."""

POOL, HELD_OUT, TEST = 0, 1, 2
ROLES = {"pool": POOL, "held_out": HELD_OUT, "test": TEST}
