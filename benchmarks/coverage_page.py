"""The page that shows the coverage: docs/coverage.md, rendered from coverage.json."""

import json
from itertools import groupby

from scipy.special import betaincinv

NOMINAL, LEAST, CAUTIOUS = 0.95, 0.93, 0.98
HEAD = """# Coverage of the intervals

Written by `make coverage` from `benchmarks/coverage.json`; not to be edited. How often the
intervals of nominal 95 % that the workflow prints hold the truth, on simulated audits whose truth
is known: normal scores of members zero, one, two and three deviations above those of non-members,
half of the variance the example's own; and LiRA with the other 19 of 20 simulated models as shadow
models. Of two attacks the second is correlated with the first, or is Watson's beside LiRA. {sizes}
examples, half of them members, or as few or many as said; 1, 3 and 10 targets.

*This population*: examples and models are drawn anew. *These examples*: the examples are kept,
models are drawn anew; a transferred rate is that at the thresholds it has. A simulation of few
audits errs itself: a line *covers* where its trials together hold the truth in at least 93 % and no
size or law holds it in significantly less (99.9 % Clopper-Pearson limit below 93 %); *cautious*
where they hold it in more than 98 %. Trials of single targets come from audits of ten targets.

The precision is that of a prior of 10 %, of the transferred rates; it is a function of their ratio
alone, so that its interval holds the truth as often at any other prior.

The Jaccard index is the share of the members named by either of two attacks that both name, at the
thresholds transferred to each; of one target, it speaks of that model and other examples.

What is not printed, by rule: a share of fewer than ten pairs of target and member; the AUC for
*these examples*, where a target has fewer than 50 members or non-members; over targets,
the TPR in hindsight for *these examples*, where fewer than ten false positives are allowed; the
transferred TPR, where the other targets allow fewer than ten; and the balanced accuracy in
hindsight for *these examples*, which on noise would not hold 50 %. Lines count the trials in which
an interval was printed.
"""


def verdict(rows: list[dict]) -> str:
    """Return covers, cautious or "does not cover" of the rows (cells) of one line."""
    rows = [row for row in rows if row["printed"]]
    share = covered(rows)
    if share < LEAST or any(highest(row) < LEAST for row in rows):
        return "does not cover"
    return "cautious" if share > CAUTIOUS else "covers"


def covered(rows: list[dict]) -> float:
    """Return the share of printed intervals that held the truth."""
    return sum(row["covered"] for row in rows) / sum(row["printed"] for row in rows)


def highest(row: dict) -> float:
    """Return the upper Clopper-Pearson limit of a cell, at 99.9 %.

    Single targets come ten to an audit and are not independent: an audit counts once.
    """
    trials = row["printed"] / 10 if row["targets"] == 1 else row["printed"]
    hits = trials * row["covered"] / row["printed"]
    return float(betaincinv(hits + 1, trials - hits, 0.999)) if hits < trials else 1.0


def read(file) -> dict:
    """Return the data of coverage.json, its rows as dicts of what they have."""
    result = json.loads(file.read_text())
    columns = result.pop("columns")
    pairs = [zip(columns, row, strict=True) for row in result["rows"]]
    return {**result, "rows": [{k: v for k, v in row if v is not None} for row in pairs]}


def lines(rows: list[dict]):
    """Yield (interval, quantity, targets), and the cells of that line that are printed."""
    key = lambda row: (row["interval"], row["quantity"], row["targets"])  # noqa: E731
    for place, cells in groupby(sorted(rows, key=key), key):
        cells = [row for row in cells if row["printed"]]
        if cells:
            yield place, cells


def render(result: dict) -> str:
    """Return the page in Markdown."""
    sizes = sorted({row["examples"] for row in result["rows"]})
    words = ", ".join(f"{size:,}" for size in sizes)
    parts, last = [HEAD.format(sizes=words)], None
    for (interval, quantity, targets), cells in lines(result["rows"]):
        if interval != last:
            speaks = "" if interval == "these examples" else "this population, "
            parts.append(
                f"\n## {(speaks + interval).capitalize()}\n\n| quantity | targets | trials |"
                " coverage | lowest | there | |\n|---|--:|--:|--:|--:|---|---|\n"
            )
            last = interval
        worst = min(cells, key=lambda row: row["covered"] / row["printed"])
        share = 100 * worst["covered"] / worst["printed"]
        parts.append(
            f"| {quantity} | {targets} | {sum(row['printed'] for row in cells):,} |"
            f" {100 * covered(cells):.1f} % | {share:.1f} % of {worst['printed']} |"
            f" {worst['law']}, {worst['examples']:,} examples | {verdict(cells)} |\n"
        )
    minutes = result["seconds"] / 60
    parts.append(f"\n{minutes:.0f} minutes of one core, {result['date']}.\n")
    return "".join(parts)
