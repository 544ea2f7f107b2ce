"""What an attack reads, by its source."""

from pathlib import Path

from miatlas.options import constant, inputs

LIBRARY = Path(__file__).parent


def reads(attack: str) -> set[str]:
    """Return what an attack may read: what its `score` takes, and what its lessons carry."""
    source = LIBRARY / "attacks" / f"{attack}.py"
    return {*inputs(source, "score"), *constant(source, "LESSONS", ())}
