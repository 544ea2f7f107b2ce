"""What several attacks of ye2022 say about the same targets and examples.

Their scores are -alpha: the false-positive rate at which the loss of the example on the target
becomes suspicious. At a tolerated rate `level` an attack guesses "member" where alpha ≤ level.
"""

from typing import NamedTuple

import numpy as np

from miatlas.exhibits.evidence import Evidence


class Verdicts(NamedTuple):
    """Alphas of every attack on n pairs of target and example, all judged by all the attacks."""

    alphas: dict[str, np.ndarray]  # by label, (n,) each
    member: np.ndarray  # (n,) bool: the target trained on the example
    target: np.ndarray  # (n,)
    example: np.ndarray  # (n,)


def verdicts(evidence: Evidence) -> Verdicts:
    """Return the alphas of the evidence's attacks, in the order of its names.

    The attacks may come from several audits of one target cohort. Raises ValueError for a label
    that none or several of them ran, for scores that are no alphas, for audits of different
    targets, and where nothing was judged by all the attacks.
    """
    runs = {label: _run(evidence.scores, label) for label in evidence.names}
    first = next(iter(runs.values()))
    targets = sorted(set.intersection(*(set(run["targets"].tolist()) for run in runs.values())))
    rows = {k: np.searchsorted(run["targets"], targets) for k, run in runs.items()}
    judged = np.logical_and.reduce([run["evaluated"][rows[k]] for k, run in runs.items()])
    member = first["member"][rows[next(iter(runs))]]
    for label, run in runs.items():
        if not np.array_equal(run["member"][rows[label]], member):
            raise ValueError(f"{label} attacks other targets than {next(iter(runs))}")
    if not judged.any():
        raise ValueError(f"no example was judged by all of {', '.join(runs)}")
    row, example = np.nonzero(judged)
    alphas = {k: -run["scores"][rows[k]][judged] for k, run in runs.items()}
    return Verdicts(alphas, member[judged], np.array(targets)[row], example)


def _run(scores, label):
    found = [(audit, run) for (audit, other), run in scores.items() if other == label]
    if len(found) != 1:
        where = ", ".join(audit for audit, _ in found) or "no audit"
        raise ValueError(f"{label} must be of one audit, but it is of: {where}")
    run = found[0][1]
    values = run["scores"][run["evaluated"]]
    if not ((values >= -1) & (values <= 0)).all():
        raise ValueError(f"{label}: its scores are not -alpha, between -1 and 0")
    return run
