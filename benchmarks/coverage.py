"""Coverage: how often the intervals that are printed hold the truth, on simulated audits.

Each interval is tried as its name claims. *This population*: examples and models are drawn anew,
and the truth is that of the law of the scores. *These examples*: the examples are kept and models
are drawn anew; the truth is the mean over many of them. Run by `make coverage`: it writes
coverage.json here, and docs/coverage.md from it.
"""

import argparse
import json
import time
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
from coverage_page import render
from measuring import HERE, REPOSITORY, circumstances
from simulated import Lira, Normals

from miatlas.leakage import thresholds
from miatlas.leakage.metrics import evaluate
from miatlas.leakage.overlap import jaccard, share
from miatlas.leakage.thresholds import precision, precision_limits

LEVELS = (0.001, 0.01)
# Examples, and audits drawn. Of 1,900, a level of 0.1 % allows nearly one false positive.
TRIALS = {300: 1000, 1000: 600, 1900: 400, 5000: 300, 20_000: 100}
TARGETS = (3, 10)
LAWS = [Normals(0.0, spread=0.0), Normals(1.0), Normals(2.0), Normals(3.0), Lira()]
LAWS += [Normals(3.0, members=0.05), Normals(1.0, members=0.95)]
MORE = {(LAWS[5], 20_000): 400}  # the one with some quantities printed, for these examples
KEPT = 10  # sets of examples, each kept for that share of the trials
ONE, MEAN, POOLED, EXAMPLES = "one target", "mean of targets", "pooled targets", "these examples"
ALIKE = "two attacks"
PRIOR = "0.1"  # of membership: at another, precision and interval are rescaled alike


def measure(laws=LAWS, trials=TRIALS, targets=TARGETS) -> list[dict]:
    """Return a row for each law, size, number of targets, quantity and interval."""
    rows = []
    for law in laws:
        for size, least in trials.items():
            draws = max(least, MORE.get((law, size), 0))
            start, rng = time.perf_counter(), np.random.default_rng([LAWS.index(law), size])
            found = examples_drawn(law, size, draws, targets, rng)
            found |= examples_kept(law, size, draws, targets, rng)
            found |= two_attacks(law, size, draws, targets, rng)
            rows += [{"law": law.name, "examples": size, **row} for row in _rows(found)]
            print(f"{law.name}, {size}: {time.perf_counter() - start:.0f} s", flush=True)
    return rows


def examples_drawn(law, size, draws, targets, rng) -> dict:
    """Return for (targets, quantity, interval) the trials of what speaks of the population."""
    found = defaultdict(list)
    for _ in range(draws):
        scores, member, shifts = law.audit(law.examples(size, rng), max(targets), rng)
        for count in targets:
            result = _evaluated(scores[:count], member[:count])
            if count == max(targets):
                for shift, entry in zip(shifts, result["targets"], strict=True):
                    for name, truth, interval in of_target(law, shift, entry):
                        found[1, name, ONE].append((truth, interval))
            for name, truth, interval in (*of_mean(law, result), *worth_of_mean(law, result)):
                found[count, name, MEAN].append((truth, interval))
            for name, truth, interval in of_pooled(law, result["pooled"]):
                found[count, name, POOLED].append((truth, interval))
    return found


def of_target(law, shift, entry):
    """Yield the quantity, the truth and the interval of all that is printed of one target."""
    yield "AUC", law.auc(shift), entry["auc"]
    accuracy = (1.0 + law.best(shift)) / 2.0
    yield "balanced accuracy, hindsight", accuracy, entry["balanced_accuracy_interval"]
    for one in entry["tpr_at_fpr"]:
        yield _named("TPR, hindsight", one), law.tpr_at(shift, one["level"]), one
    for one in entry["transferred"]["rates"]:
        tpr, fpr = law.tpr(shift, _at(one)), law.fpr(_at(one))
        yield _named("TPR, transferred", one), tpr, one
        alone = {"low": one["fpr_low"], "high": one["fpr_high"]}
        yield _named("FPR, transferred", one), fpr, alone
        worth = _worth(one["tpr"], one, one["realised_fpr"], alone)
        yield _named("precision, transferred", one), precision(tpr, fpr)[PRIOR], worth
    best = entry["transferred"]["best"]
    accuracy = 0.5 + 0.5 * (law.tpr(shift, _at(best)) - law.fpr(_at(best)))
    yield "balanced accuracy, transferred", accuracy, best["balanced_accuracy"]


def of_mean(law, result):
    """Yield the same of the means over targets, for the population."""
    for name, entry, at in means(result):
        if at is None:
            truth = _of_law(law, name)
        else:
            tpr, fpr = law.tpr(law.drawn, at[:, None]).mean(), law.fpr(at).mean()
            truth = {"TPR": tpr, "FPR": fpr, "bal": 0.5 + 0.5 * (tpr - fpr)}[name[:3]]
        yield name, truth, entry["this_population"]


def worth_of_mean(law, result):
    """Yield the same of the precision that the mean rates have."""
    every = [row["transferred"] for row in result["targets"]]
    for index, one in enumerate(result["mean"]["transferred"]["rates"]):
        at = np.array([_at(entry["rates"][index]) for entry in every])
        tpr, fpr = law.tpr(law.drawn, at[:, None]).mean(), law.fpr(at).mean()
        (found, hits), (accused, alarms) = (
            (one[key]["mean"], one[key]["this_population"]) for key in ("tpr", "realised_fpr")
        )
        printed = hits and alarms and _worth(found, hits, accused, alarms)
        yield _named("precision, transferred", one), precision(tpr, fpr)[PRIOR], printed


def _worth(tpr, of_tpr, fpr, of_fpr):
    """Return the interval of the precision, from the rates and theirs; None if nobody is."""
    if not tpr + fpr:
        return None
    limits = [(one["low"], one["high"]) for one in (of_tpr, of_fpr)]
    low, high = precision_limits(tpr, limits[0], fpr, limits[1])[PRIOR]
    return {"low": low, "high": high}


def of_pooled(law, entry):
    """Yield the same of all targets under one threshold."""
    yield "AUC", _of_law(law, "AUC"), entry["auc"]
    interval = entry["balanced_accuracy_interval"]
    yield "balanced accuracy, hindsight", (1.0 + _pooled_best(law)) / 2.0, interval
    for one in entry["tpr_at_fpr"]:
        name = _named("TPR, hindsight", one)
        yield name, _of_law(law, name), one


def examples_kept(law, size, draws, targets, rng) -> dict:
    """Return for (targets, quantity, interval) the trials of what speaks of these examples.

    What is transferred speaks of these examples at the thresholds it has; its truth is the share of
    all models' scores on these examples that are above them.
    """
    found = defaultdict(list)
    for _ in range(KEPT):
        own, several, pool = law.examples(size, rng), defaultdict(list), []
        for _ in range(draws // KEPT):
            scores, member, _ = law.audit(own, max(targets), rng)
            pool.append((scores[member], scores[~member]))
            for count in targets:
                result = _evaluated(scores[:count], member[:count])
                for name, entry, at in means(result):
                    several[count, name, EXAMPLES].append((entry, at))
        law_of_both = [np.sort(np.concatenate(side)) for side in zip(*pool, strict=True)]
        for (count, name, interval), trials in several.items():
            mean = float(np.mean([entry["mean"] for entry, _ in trials]))
            for entry, at in trials:
                truth = mean if at is None else _at_thresholds(name, law_of_both, at)
                found[count, name, interval].append((truth, entry["these_examples"]))
    return found


def two_attacks(law, size, draws, targets, rng) -> dict:
    """Return the trials of what two attacks name alike, at the thresholds transferred to each."""
    found = defaultdict(list)
    for _ in range(draws):
        scores, member, shifts = law.pair(law.examples(size, rng), max(targets), rng)
        every = np.ones_like(member)
        of_both = [thresholds.of_others(x, member, every, LEVELS) for x in scores]
        for count in (1, *targets):
            for index, level in enumerate(LEVELS):
                at = np.array([[one["levels"][index] for one in each] for each in of_both])
                named = (scores >= at[..., None]) & member
                both, either = law.named(*at[:, :count], shifts[:1] if count == 1 else None)
                what = {"level": level}
                for name, truth, interval in (
                    ("Jaccard index", both / either, jaccard(*named[:, :count])),
                    ("named by either", either, share(named.any(axis=0)[:count], member[:count])),
                    ("named by both", both, share(named.all(axis=0)[:count], member[:count])),
                ):
                    printed = None if interval["low"] is None else interval
                    found[count, _named(name, what), ALIKE].append((truth, printed))
    return found


def _at_thresholds(name, law_of_both, at):
    """Return the mean rate, or balanced accuracy, of sorted scores at thresholds (T,)."""
    tpr, fpr = ((1.0 - np.searchsorted(side, at) / len(side)).mean() for side in law_of_both)
    return {"TPR": tpr, "FPR": fpr, "bal": 0.5 + 0.5 * (tpr - fpr)}[name[:3]]


def means(result):
    """Yield the quantity, the entry, and the thresholds (T,) where they are given, of every mean
    over targets that has intervals."""
    mean, every = result["mean"], [row["transferred"] for row in result["targets"]]
    yield "AUC", mean["auc"], None
    yield "balanced accuracy, hindsight", mean["balanced_accuracy"], None
    for one in mean["tpr_at_fpr"]:
        yield _named("TPR, hindsight", one), one["tpr"], None
    if not mean["transferred"]:
        return
    for index, one in enumerate(mean["transferred"]["rates"]):
        at = np.array([_at(entry["rates"][index]) for entry in every])
        yield _named("TPR, transferred", one), one["tpr"], at
        yield _named("FPR, transferred", one), one["realised_fpr"], at
    at = np.array([_at(entry["best"]) for entry in every])
    best = mean["transferred"]["best"]
    yield "balanced accuracy, transferred", best["balanced_accuracy"], at


def _at(entry):
    """Return the threshold: None, in JSON, is one that nothing reaches."""
    return np.inf if entry["threshold"] is None else entry["threshold"]


def _evaluated(scores, member):
    return evaluate(scores, member, np.ones_like(member), np.arange(len(scores)), LEVELS)


def _named(quantity, entry):
    return f"{quantity}, {100 * entry['level']:g} %"


@cache
def _of_law(law, name):
    """Return the mean over models of a quantity of the law that no threshold is needed for."""
    if name == "AUC":
        return float(np.mean(law.auc(law.drawn)))
    if name == "balanced accuracy, hindsight":
        return float(np.mean((1.0 + law.best(law.drawn)) / 2.0))
    level = next(level for level in LEVELS if name.endswith(f", {100 * level:g} %"))
    return float(np.mean(law.tpr_at(law.drawn, level)))


@cache
def _pooled_best(law):
    """Return the largest difference of the rates at one threshold for all models."""
    if isinstance(law, Lira):
        return law.best(0.0)
    at = np.linspace(-2.0, 5.0, 1401)
    return float((law.tpr(law.drawn, at[:, None]).mean(axis=1) - law.fpr(at)).max())


def _rows(found):
    for (count, quantity, interval), trials in found.items():
        printed = [(truth, one) for truth, one in trials if one is not None]
        row = {"targets": count, "quantity": quantity, "interval": interval}
        row |= {"trials": len(trials), "printed": len(printed)}
        if printed:
            low, high = (np.array([one[key] for _, one in printed]) for key in ("low", "high"))
            truth = np.array([truth for truth, _ in printed])
            covered = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
            row |= {"covered": int(covered.sum()), "above": int((truth < low).sum())}
            row["width"] = round(float((high - low).mean()), 6)
        yield row


def main():
    """Measure, and write coverage.json and docs/coverage.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--output", type=Path, help="folder to write both files to")
    options = parser.parse_args()
    around, start = circumstances(), time.process_time()
    rows = measure(trials={300: 20}) if options.quick else measure()
    result = {**around, "seconds": round(time.process_time() - start), "rows": rows}
    if options.output or not options.quick:
        write(result, options.output or HERE, options.output or REPOSITORY / "docs")


def write(result, data: Path, page: Path):
    """Write the data, a row a line, and the page."""
    columns = list(dict.fromkeys(key for row in result["rows"] for key in row))
    lists = [[row.get(key) for key in columns] for row in result["rows"]]
    rows = ",\n".join(json.dumps(each, separators=(",", ":")) for each in lists)
    head = json.dumps({"columns": columns, **result, "rows": []}, ensure_ascii=False)
    (data / "coverage.json").write_text(head.removesuffix("[]}") + f"[\n{rows}\n]}}\n")
    (page / "coverage.md").write_text(render(result))


if __name__ == "__main__":
    main()
