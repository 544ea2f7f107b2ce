"""Which members attacks name: those whose score reaches the threshold taken from other models."""

import numpy as np

from miatlas.exhibits.answer.findings import at_level
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.scored_pairs import judged


def thresholds(result: dict, level: float) -> list[float | None]:
    """Return the threshold transferred to each target; None where nobody is named.

    result: as `leakage.metrics.evaluate` returns it. Raises ValueError where there are none.
    """
    if result["not_transferred"]:
        raise ValueError(f"{result['label']}: {result['not_transferred']}")
    rows = [at_level(target["transferred"]["rates"], level) for target in result["targets"]]
    return [row["threshold"] for row in rows]


def members(run: dict, at: list[float | None]) -> np.ndarray:
    """Return which members of each target are named, (T, N) bool.

    run: scores, member, evaluated (T, N) as filed; at: the threshold of each target.
    """
    lowest = np.array([np.inf if t is None else t for t in at])[:, None]
    with np.errstate(invalid="ignore"):
        return run["member"] & run["evaluated"] & (run["scores"] >= lowest)


def by_attack(evidence: Evidence, level: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return label -> which members each attack names at an FPR, and who is a member: (T, N) each.

    Targets and examples are those that all the attacks have scored, each attack in one audit,
    examples in ascending order. Raises ValueError as `judged` and `thresholds` do.
    """
    pairs = judged(evidence, evidence.names)
    targets, row = np.unique(pairs.target, return_inverse=True)
    examples, column = np.unique(pairs.example, return_inverse=True)

    def spread(values, empty):
        full = np.full((len(targets), len(examples)), empty)
        full[row, column] = values
        return full

    own = {"member": spread(pairs.member, False), "evaluated": spread(True, False)}
    named = {}
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        by_target = dict(
            zip([t["target"] for t in result["targets"]], thresholds(result, level), strict=True)
        )
        run = {**own, "scores": spread(pairs.scores[label], np.nan)}
        named[label] = members(run, [by_target[int(target)] for target in targets])
    return named, own["member"] & own["evaluated"]
