"""Pairs of target and example that several attacks have scored, whatever audits these are of.

Of one target cohort: membership scores, scores calibrated by a reference model, and so on, side by
side for the same pairs.
"""

from typing import NamedTuple

import numpy as np

from miatlas.exhibits.evidence import Evidence


class Judged(NamedTuple):
    """Scores of each label on n pairs of target and example, by target, then by example."""

    scores: dict[str, np.ndarray]  # by label, (n,) each
    member: np.ndarray  # (n,) bool: the target trained on the example
    target: np.ndarray  # (n,)
    example: np.ndarray  # (n,)


def judged(evidence: Evidence, labels, audits=None) -> Judged:
    """Return what the attacks of these labels say about the pairs that all of them scored.

    `audits`: look in these only. Raises ValueError for a label that none or several of the audits
    ran, for audits of different targets, and where no pair was scored by all.
    """
    runs = {label: _run(evidence.scores, label, audits) for label in labels}
    first = next(iter(runs))
    targets = sorted(set.intersection(*(set(run["targets"].tolist()) for run in runs.values())))
    rows = {label: np.searchsorted(run["targets"], targets) for label, run in runs.items()}
    member = runs[first]["member"][rows[first]]
    both = np.logical_and.reduce([run["evaluated"][rows[k]] for k, run in runs.items()])
    for label, run in runs.items():
        if not np.array_equal(run["member"][rows[label]][both], member[both]):
            raise ValueError(f"{label} attacks other targets than {first}")
    if not both.any():
        raise ValueError(f"no example was scored by all of {', '.join(runs)}")
    row, example = np.nonzero(both)
    scores = {label: run["scores"][rows[label]][both] for label, run in runs.items()}
    return Judged(scores, member[both], np.array(targets)[row], example)


def _run(scores, label, audits):
    found = {
        audit: run
        for (audit, other), run in scores.items()
        if other == label and (audits is None or audit in audits)
    }
    if len(found) != 1:
        raise ValueError(f"{label} must be of one audit, but it is of: {', '.join(found) or '-'}")
    return next(iter(found.values()))


def by_target_cohort(evidence: Evidence) -> dict[str, list[tuple[str, str]]]:
    """Return the (audit, label) pairs of each target cohort, in the order of the names shown.

    Raises ValueError for a label that two audits of one target cohort have run.
    """
    groups: dict[str, dict] = {}
    for audit, label in evidence.pairs():
        own = groups.setdefault(evidence.result(audit, label)["target_cohort"], {})
        if label in own:
            raise ValueError(f"{label}: {own[label]} and {audit} have both run it on their targets")
        own[label] = audit
    return {
        cohort: [(own[label], label) for label in evidence.names if label in own]
        for cohort, own in groups.items()
    }
