"""How often attacks guess the same, and the truth (ye2022 Table 3)."""

from itertools import combinations
from typing import Annotated

import pandas as pd

from miatlas.exhibits.alphas import verdicts
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import common
from miatlas.leakage.intervals import clopper_pearson
from miatlas.options import between

READS = ("scores",)
TRUTH = "ground truth"


def tabulate(
    evidence: Evidence,
    *,
    level: Annotated[float, between(0.0, 1.0)] = 0.3,
    heading: str = "Agreement",
):
    """Return the numbers and the table shown: a square, above its diagonal members of the targets,
    below it non-members.

    An attack guesses "member" where alpha ≤ `level`, the false-positive rate it tolerates. Every
    cell is about the same pairs of target and example: those that all the attacks judged. Columns
    of the numbers: kind, first, second, same (guesses), examples, rate, low, high.

    `heading`: the title of the first column.
    """
    found = verdicts(evidence)
    guesses = {label: alpha <= level for label, alpha in found.alphas.items()}
    names = {TRUTH: TRUTH, **evidence.names}
    guesses = {TRUTH: found.member, **guesses}
    numbers = []
    for kind, mask in (("members", found.member), ("non-members", ~found.member)):
        for first, second in combinations(guesses, 2):
            same, n = int((guesses[first] == guesses[second])[mask].sum()), int(mask.sum())
            row = {"kind": kind, "first": first, "second": second, "same": same, "examples": n}
            rate = same / n if n else float("nan")
            low, high = clopper_pearson(same, n) if n else (float("nan"), float("nan"))
            numbers.append({**row, "rate": rate, "low": low, "high": high})
    numbers = pd.DataFrame(numbers)
    shown = _square(numbers, names, heading)
    shown.attrs["notes"] = _notes(numbers, found, level)
    return numbers, shown


def _square(numbers, names, heading):
    shown = pd.DataFrame(common.NONE, index=list(names), columns=list(names))
    for row in numbers.itertuples():
        upper = row.kind == "members"
        place = (row.first, row.second) if upper else (row.second, row.first)
        shown.loc[place] = f"{row.rate:.3f}" if row.examples else common.NONE
    shown = shown.rename(index=names, columns=names)
    return shown.rename_axis(heading).reset_index()


def _notes(numbers, found, level):
    count, targets = numbers.groupby("kind")["examples"].first(), len(set(found.target.tolist()))
    reach = max((numbers["high"] - numbers["rate"]).max(), (numbers["rate"] - numbers["low"]).max())
    of = f"{targets} targets" if targets > 1 else "one target"
    return [
        f"Above the diagonal: {count['members']:,} members; below: {count['non-members']:,}"
        f" non-members; of {of}. A guess is 'member' where alpha is at most {level:g}.",
        f"95 % intervals (Clopper-Pearson, in the CSV file) reach at most {reach:.3f} to a side.",
    ]
