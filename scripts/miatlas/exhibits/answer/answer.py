"""The answer of a study: what each audit found, as plain data; the page and the check read it."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from miatlas.exhibits.answer import words
from miatlas.exhibits.answer.findings import (
    FALSE_POSITIVES,
    Finding,
    excess,
    finding,
    level_for,
    rests_on,
    strongest,
)
from miatlas.exhibits.answer.tolerance import judge
from miatlas.exhibits.named import members

MOST_RECORDS = 25


def of_audit(name: str, results: list[dict], shown: dict[str, str], tolerance: dict | None) -> dict:
    """Return what an audit found.

    results: of its attacks, as `leakage.metrics.evaluate` returns them; shown: label -> name.
    Raises ValueError without any result.
    """
    if not results:
        raise ValueError(f"audit {name} has no results")
    transferred = [result for result in results if result["not_transferred"] is None]
    level = tolerance["level"] if tolerance else level_for((transferred or results)[0])
    found = sorted(
        (finding(result, shown[result["label"]], level) for result in results),
        key=lambda one: (not one.transferred, -excess(one)),
    )
    best, targets = strongest(found), results[0]["targets"]
    others = rests_on(next(result for result in results if result["label"] == best.label))
    verdict = judge(best, tolerance, others) if tolerance else None
    return {
        "audit": name,
        "targets": len(targets),
        "members": round(float(np.mean([t["members"] for t in targets]))),
        "nonmembers": round(float(np.mean([t["nonmembers"] for t in targets]))),
        "level": level,
        "sentence": words.sentence(best),
        "how": words.how(best),
        "guessing": words.against_guessing(best),
        "priors": words.priors(best),
        "strongest": best.label,
        "attacks": [row(one, bool(transferred)) for one in found],
        "note": words.note(found),
        "findings": [asdict(one) for one in found],
        "few": FALSE_POSITIVES / targets[0]["nonmembers"],
        "verdict": asdict(verdict) if verdict else None,
    }


def row(found: Finding, transferred: bool) -> dict[str, str]:
    """Return an attack's row; it says so where that alone is in hindsight, others `transferred`."""
    return {
        "attack": found.shown + " (in hindsight)" * (transferred and not found.transferred),
        "tpr": words.percent(found.tpr),
        "fpr": words.percent(found.fpr),
        "auc": words.decimal(found.auc),
        "balanced accuracy": words.percent(found.balanced_accuracy),
    }


def exposed(runs: dict[str, dict], thresholds: dict[str, list[float]], labels) -> pd.DataFrame:
    """Return the members that most attacks name, a row a record, the most exposed first.

    runs: by label, scores, member, evaluated (T, N) as filed. thresholds: by label, the one
    transferred to each target, None where nobody is named. Columns: example, class, named (the
    number of pairs of attack and target that name it), of (those that attacked it as a member),
    attacks (how many attacks name it under one target at least).
    """
    named = of = attacks = 0
    for label, run in runs.items():
        found = members(run, thresholds[label])
        named = named + found.sum(axis=0)
        attacks = attacks + found.any(axis=0)
        of = of + (run["member"] & run["evaluated"]).sum(axis=0)
    table = pd.DataFrame(
        {"example": np.arange(len(named)), "class": labels, "named": named, "of": of}
    ).assign(attacks=attacks)
    share = table["named"] / table["of"].clip(lower=1)
    order = np.lexsort((table["example"], -table["named"], -share))
    return table.iloc[order][table["named"].iloc[order] > 0].reset_index(drop=True)
