"""What stands below a ledger: how many values agree, and how many would differ by chance."""

from collections import Counter

import pandas as pd

from miatlas.exhibits.verdicts import AGREES, DIFFERS, TWO_SIDED, VERDICTS

SPREAD = "Behind ±: the spread that the paper prints, read as the deviation over its runs."
RULE = (
    "Differs: further apart than two means of so many runs are in 95 of 100 cases, than the"
    " measured interval reaches, and than the rounding of the published value; the deviation over"
    " runs is the printed and the measured one, pooled, or the one there is. Wide intervals agree"
    " easily."
)
ALONE = (
    "One-sided: the paper gives neither a spread nor its number of runs, so that only the measured"
    " interval counts, or it is one model that was measured; how many of these differ by chance is"
    " not known."
)
BY_CHANCE = 0.05


def lines(numbers: pd.DataFrame, marks: int) -> list[str]:
    """Return what stands below the ledger; `marks`: how many lines it leaves out."""
    readings = dict(list(numbers.groupby("reading", sort=False))) if len(numbers) else {}
    first = readings.pop("", numbers)
    notes = [f"{len(first)} published values; {_tally(first, '{verdict}: {count}', '; ')}."]
    for table, own in first.groupby("table", sort=False) if len(first) else ():
        notes.append(f"Table {table}: {_tally(own, '{verdict} {count}', ', ')}.")
    for reading, own in readings.items():
        notes.append(f"Read as {reading}: {_tally(own, '{verdict} {count}', ', ')}.")
    notes += [f"{marks} marks of what an attack uses are not among them."] if marks else []
    spreads = len(numbers) and numbers["spread"].notna().any()
    return [*notes, *_of_chance(numbers), RULE] + ([SPREAD] if spreads else [])


def _of_chance(numbers):
    """Say how many values would be called different by chance, were all of them replicated."""
    if not len(numbers):
        return []
    known, differ = known_on_both_sides(numbers)
    found = f"{differ} differ" if differ != 1 else "1 differs"
    notes = [
        f"Of {known} values with chance known on both sides {found}; if all were exact"
        f" replications, up to {BY_CHANCE * known:.1f} would, by chance."
    ]
    return notes + ([ALONE] if len(_decided(numbers)) > known else [])


def known_on_both_sides(numbers: pd.DataFrame) -> tuple[int, int]:
    """Return how many values agree or differ with chance known on both sides; how many differ."""
    known = _decided(numbers)
    known = known[known["chance"] == TWO_SIDED]
    return len(known), int((known["verdict"] == DIFFERS).sum())


def _decided(numbers):
    return numbers[numbers["verdict"].isin([AGREES, DIFFERS])]


def _tally(numbers, words, between):
    """Return how many values have each of the verdicts, in words."""
    counts = Counter(numbers["verdict"]) if len(numbers) else Counter()
    return between.join(words.format(verdict=v, count=counts[v]) for v in VERDICTS)
