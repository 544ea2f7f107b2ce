"""The ε that is claimed beside the ε that attacks refute (Nasr 2021, Steinke 2023)."""

import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import common

READS = ("metrics", "canaries")
WAYS = {"rates": "rates", "gaussian": "Gaussian privacy", "one_run": "one run"}
NOTE = (
    "Refuted: a training algorithm that had (ε, δ)-privacy with a smaller ε would show such scores"
    " in at most 5 of 100 cases; each column by itself. Rates: by the targets' rates at thresholds"
    " of other targets, answers being independent. Gaussian privacy: the same, if privacy is that"
    " of a Gaussian mechanism. One run: by right guesses about examples, each in or out by a coin,"
    " of the target of which most is refuted."
)


def tabulate(evidence: Evidence, *, heading: str = "Audit", audit_names: dict = {}):
    """Return the numbers and the table shown, a row for each audit and attack.

    Each δ is the audit's own, at which refuted ε are said; a claim has a δ of its own. A dash where
    something is not told, or nothing is claimed. Columns of the numbers: audit, label, claimed,
    claimed_delta, delta, and of each of WAYS epsilon; `heading`: of the audits' column.

    `audit_names`: audit -> the name shown.
    """
    numbers, shown = [], []
    for audit, label in evidence.pairs():
        result, name = evidence.result(audit, label), evidence.names[label]
        claim, found = result.get("claimed"), result["epsilon"]
        refuted = {way: found[way] and found[way]["epsilon"] for way in WAYS}
        place = {"audit": audit, "label": label}
        claims = {"claimed": claim and claim["epsilon"], "claimed_delta": claim and claim["delta"]}
        numbers.append({**place, **claims, "delta": found["delta"], **refuted})
        cells = {heading: audit_names.get(audit, audit), "Attack": name, "Claimed ε": said(claim)}
        cells |= {f"Refuted ε, {WAYS[way]}": number(value) for way, value in refuted.items()}
        shown.append(cells | {"δ": f"{found['delta']:g}"})
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [NOTE]
    return pd.DataFrame(numbers), shown


def said(claim: dict | None) -> str:
    """Return a claimed ε with its δ; "∞" for one without a bound."""
    if not claim:
        return common.NONE
    epsilon = "∞" if claim["epsilon"] is None else f"{claim['epsilon']:.2f}"
    return f"{epsilon} (δ = {claim['delta']:g})"


def number(epsilon: float | None) -> str:
    """Return a refuted ε."""
    return common.NONE if epsilon is None else f"{epsilon:.2f}"
