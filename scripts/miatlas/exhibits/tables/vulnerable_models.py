"""Whether some target models are more vulnerable than others to each attack (ye2022 §5, item 2)."""

import math

import pandas as pd
from scipy.special import chdtrc, ndtri

from miatlas.exhibits.evidence import CONFIDENCE, Estimate, Evidence
from miatlas.exhibits.tables import common

READS = ("metrics",)
NOTES = [
    "AUC of each target on its own, with DeLong's 95 % interval for other examples of the kind; the"
    " number of the target in parentheses.",
    "p: chance of so large a spread if all targets had one AUC (Cochran's Q by DeLong's errors,"
    " which takes the targets' examples for drawn independently).",
]


def tabulate(evidence: Evidence, *, audit_names: dict = {}):
    """Return the numbers and the table shown, a row for each audit and attack with several targets.

    `audit_names`: audit -> the name shown, where several have run an attack. Columns of the
    numbers: audit, label, targets, auc (mean), std over the targets, error (the mean standard error
    of one), lowest and highest with their targets, q and p (`homogeneity`).
    """
    rows = [_row(evidence, *pair, audit_names) for pair in evidence.pairs()]
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError("vulnerable_models compares targets, and each audit has one")
    shown = pd.DataFrame([cells for _, cells in rows])
    shown.attrs["notes"] = NOTES
    return pd.DataFrame([numbers for numbers, _ in rows]), shown


def homogeneity(values: list[float], errors: list[float]) -> tuple[float, float]:
    """Return Cochran's Q of values with known standard errors, and its p-value: all are one number.

    Values without an error (all examples told apart) say nothing and are left out.
    """
    known = [(value, 1 / error**2) for value, error in zip(values, errors, strict=True) if error]
    if len(known) < 2:
        return math.nan, math.nan
    total = sum(weight for _, weight in known)
    mean = sum(value * weight for value, weight in known) / total
    q = sum(weight * (value - mean) ** 2 for value, weight in known)
    return q, float(chdtrc(len(known) - 1, q))


def _row(evidence, audit, label, audit_names):
    targets = evidence.result(audit, label)["targets"]
    if len(targets) < 2:
        return None
    each = [target["auc"] for target in targets]
    auc = pd.Series([one["value"] for one in each])
    wide = 2 * ndtri((1 + CONFIDENCE) / 2)
    errors = [(one["high"] - one["low"]) / wide for one in each]
    q, p = homogeneity(auc.tolist(), errors)
    ends = {"lowest": int(auc.argmin()), "highest": int(auc.argmax())}
    row = {"audit": audit, "label": label, "targets": len(targets), "auc": auc.mean()}
    row |= {"std": auc.std(ddof=1), "error": sum(errors) / len(errors)}
    row |= {name: auc[index] for name, index in ends.items()}
    row |= {f"{name}_target": targets[index]["target"] for name, index in ends.items()}
    cells = common.of_audit(evidence, audit, audit_names) | {"Attack": evidence.names[label]}
    cells |= {"Targets": len(targets), "Mean": f"{auc.mean():.3f}"}
    for name, index in ends.items():
        found = Estimate(**each[index])
        cells[f"{name.capitalize()} AUC"] = f"{common.number(found)} ({targets[index]['target']})"
    cells |= {"Deviation": f"{row['std']:.4f}", "Error of one": f"{row['error']:.4f}"}
    return row | {"q": q, "p": p}, cells | {"p": "–" if math.isnan(p) else f"{p:.2g}"}
