"""What an audit found, in the few numbers that a decision rests on.

Everything is read from the results of `leakage.metrics.evaluate`. Where thresholds could be
transferred from other models, rates are those that an attacker has; else the best in hindsight,
which is said.
"""

from dataclasses import dataclass

from miatlas.leakage.thresholds import precision, precision_limits

LEVELS = (0.001, 0.01, 0.1)
FALSE_POSITIVES = 10  # that a level must allow among the others' non-members, to be worth a look


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval; None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Finding:
    """What one attack achieved at an FPR `level`, mean over the targets.

    transferred: whether an attacker has the threshold; else it is the best in hindsight.
    tpr: share of the members that are named; fpr: share of the non-members, as realised.
    precision: by prior of membership, "0.01", "0.1", "0.5"; None where nobody is accused. auc,
    balanced_accuracy: beside.
    true_positives, members, false_positives, nonmembers: summed over the targets.
    """

    label: str
    shown: str
    level: float
    transferred: bool
    tpr: Rate
    fpr: Rate
    precision: dict[str, Rate | None]
    auc: Rate
    balanced_accuracy: Rate
    true_positives: int
    members: int
    false_positives: int
    nonmembers: int


def level_for(result: dict) -> float:
    """Return the least of LEVELS that lets FALSE_POSITIVES of the threshold's non-members pass.

    The largest level where none does.
    """
    fine = [level for level in LEVELS if level * rests_on(result) >= FALSE_POSITIVES]
    return fine[0] if fine else LEVELS[-1]


def rests_on(result: dict) -> int:
    """Return how many non-members a threshold rests on: the others', in hindsight its own."""
    others = result["thresholds_from"]
    return others["nonmembers"] if others else result["targets"][0]["nonmembers"]


def finding(result: dict, shown: str, level: float) -> Finding:
    """Return what a result of `evaluate` says at a level; intervals speak of this population."""
    transferred = result["not_transferred"] is None
    targets, mean = result["targets"], result["mean"]
    rows = [at_level(t["transferred"]["rates"] if transferred else t["tpr_at_fpr"], level)
            for t in targets]  # fmt: skip
    over = at_level(mean["transferred"]["rates"] if transferred else mean["tpr_at_fpr"], level)
    single = len(targets) == 1
    alone = single and not transferred
    tpr = _rate(rows[0], "tpr") if alone else _over(over["tpr"])
    fpr = Rate(rows[0]["realised_fpr"]) if alone else _over(over["realised_fpr"])
    return Finding(
        label=result["label"], shown=shown, level=level, transferred=transferred,
        tpr=tpr, fpr=fpr,
        precision=worth(tpr, fpr),
        auc=Rate(**targets[0]["auc"]) if single else _over(mean["auc"]),
        balanced_accuracy=Rate(targets[0]["balanced_accuracy"]) if single
        else _over(mean["balanced_accuracy"]),
        true_positives=sum(row["true_positives"] for row in rows),
        members=sum(t["members"] for t in targets),
        false_positives=sum(row["false_positives"] for row in rows),
        nonmembers=sum(t["nonmembers"] for t in targets),
    )  # fmt: skip


def worth(tpr: Rate, fpr: Rate) -> dict[str, Rate | None]:
    """Return the precision by prior, with the interval that those of both rates give."""
    found = precision(tpr.value, fpr.value)
    if tpr.low is None or fpr.low is None:
        return {prior: None if share is None else Rate(share) for prior, share in found.items()}
    limits = precision_limits(tpr.value, (tpr.low, tpr.high), fpr.value, (fpr.low, fpr.high))
    return {p: None if share is None else Rate(share, *limits[p]) for p, share in found.items()}


def excess(found: Finding) -> float:
    """Return TPR - FPR as realised: what is named beyond guessing.

    A threshold that lets more false accusations pass on the target than it should is not the
    better for it.
    """
    return found.tpr.value - found.fpr.value


def strongest(findings: list[Finding]) -> Finding:
    """Return the finding that names most beyond guessing; of equals the one with the larger AUC.

    One in hindsight is the strongest only where no other threshold was transferred.
    """
    return max(findings, key=lambda found: (found.transferred, excess(found), found.auc.value))


def at_level(rows: list[dict], level: float) -> dict:
    """Return the row of a level."""
    return next(row for row in rows if abs(row["level"] - level) <= 1e-9 * level)


def _rate(row, key):
    """Return a single target's rate: its interval is the target's own."""
    return Rate(row[key], row["low"], row["high"])


def _over(spread):
    """Return a mean over targets, with the interval for this population where there is one."""
    limits = spread.get("this_population") or {}
    return Rate(spread["mean"], limits.get("low"), limits.get("high"))
