"""What is to be said wherever an audit's leakage is shown."""

import json
from pathlib import Path

from miatlas.running.store import attributes


def remarks(files: dict[str, list]) -> list[str]:
    """Return a sentence for each audit some targets of which have learned nothing.

    files: what an exhibit reads, by kind; its metrics and scores say it of their targets.
    """
    found = {}
    for path in map(Path, files.get("metrics", [])):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["audit"]] = result.get("at_chance", [])
    for path in map(Path, files.get("scores", [])):
        found[path.parent.name] = json.loads(attributes(path).get("at_chance", "[]"))
    return [_remark(audit, targets) for audit, targets in found.items() if targets]


def _remark(audit, targets):
    who = f"target {targets[0]} labels its" if len(targets) == 1 else (
        f"targets {', '.join(map(str, targets))} label their"
    )  # fmt: skip
    return (
        f"Audit {audit}: {who} own training examples no better than chance; what they leak says"
        " nothing of models that learn."
    )
