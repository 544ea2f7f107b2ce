"""What defences keep from an attack, and what they cost in accuracy."""

import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common, epsilon
from miatlas.exhibits.tables.accuracy import NOTE
from miatlas.exhibits.verdicts import mean
from miatlas.leakage.levels import Level

READS = ("metrics", "scale", "canaries")


def tabulate(
    evidence: Evidence,
    *,
    levels: list[Level] = [0.001, 0.01],
    heading: str = "Defence",
    audit_names: dict = {},
):
    """Return the numbers and the table shown, a row for each audit, attack, and canaries alone.

    TPR at thresholds transferred from other targets, as an attacker has them, and AUC; accuracy is
    that of the released weights, whatever of their answers is given out. Shadow models of an audit
    have its defence, too, unless it names others. `heading`: of the audits' column. Columns of the
    numbers: audit, label, cohort, test_accuracy, tpr_at_<level>, auc, each with its interval, and
    claimed (ε).

    `levels`: FPRs, of those evaluated, at which the TPR is shown. `audit_names`: audit -> the name
    shown.
    """
    numbers, shown = [], []
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        cohort, claim = result["target_cohort"], result.get("claimed")
        accuracy = test_accuracy(evidence, cohort)
        row = {"audit": audit, "label": label, "cohort": cohort}
        row |= common.values("test_accuracy", accuracy) if accuracy else {}
        cells = {heading: audit_names.get(audit, audit), "Attack": evidence.names[label]}
        cells["Test accuracy"] = common.rate(accuracy) if accuracy else common.NONE
        for level in levels:
            tpr = estimate(result, "tpr", level, threshold=common.TRANSFERRED)
            row |= common.values(f"tpr_at_{level:g}", tpr, fpr=True)
            cells[common.heading(level)] = common.transferred_rate(tpr)
        auc = estimate(result, "auc")
        numbers.append(row | common.values("auc", auc) | {"claimed": claim and claim["epsilon"]})
        shown.append(cells | {"AUC": common.number(auc), "Claimed ε": epsilon.said(claim)})
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [
        f"Accuracy: {NOTE[0].lower()}{NOTE[1:]}",
        *common.notes(evidence.metrics, "mean", []),
        "TPR: at a threshold taken from other models, as an attacker has it, with the FPR it"
        " attains.",
    ]
    return pd.DataFrame(numbers), shown


def test_accuracy(evidence: Evidence, cohort: str):
    """Return the mean test accuracy of a cohort's models; None where it is not known."""
    each = [x for x in evidence.scale.get(cohort, {}).get("test_accuracy", []) if x == x]
    return mean(each) if each else None
