"""The front door: what a user writes, checked, completed, and cut into jobs."""
