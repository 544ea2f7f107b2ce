"""The ledger: verdicts on hand-made cases, what stands for what, nothing dropped or hidden."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_study_files import STUDIES as FILES
from test_study_files import merged

from miatlas.exhibits import published
from miatlas.exhibits.evidence import Estimate, Evidence, estimate
from miatlas.exhibits.published import COLUMNS, Printed
from miatlas.exhibits.tables import ledger
from miatlas.exhibits.verdicts import (
    AGREES,
    CHOSEN,
    DIFFERS,
    HIGHER,
    LOWER,
    NOT_COMPARABLE,
    NOT_MEASURED,
    ONE_SIDED,
    TWO_SIDED,
    UNDECIDED,
    UNKNOWN,
    WITHIN,
    differences,
    mean,
    verdict,
)
from miatlas.leakage import metrics
from miatlas.options import declared
from miatlas.study import reading
from miatlas.study.checking import checked

NAN = math.nan


def judged(printed, estimate, reasons=(), chosen=False):
    return verdict(printed, estimate, list(reasons), chosen)


# 8.4 % as printed, against measured intervals: [8.35 %, 8.45 %) is what may have been rounded.
@pytest.mark.parametrize(
    ("low", "value", "high", "agrees"),
    [
        (0.080, 0.082, 0.0834, False),  # ends just below 8.35 %
        (0.080, 0.082, 0.0836, True),
        (0.0844, 0.09, 0.10, True),  # begins just below 8.45 %
        (0.0846, 0.09, 0.10, False),
        (0.0, 0.5, 1.0, True),
    ],
)
def test_of_a_paper_that_says_nothing_of_its_chance_the_measured_interval_decides(
    low, value, high, agrees
):
    found = judged(Printed(0.084, 0.0005), Estimate(value, low, high, n=10))
    assert found[0] == (AGREES if agrees else DIFFERS)
    assert found[2] == ONE_SIDED


@pytest.mark.parametrize("runs", [0, 1, 10])
@pytest.mark.parametrize("value", [0.0836, 0.0834, 0.2])
def test_where_neither_side_has_an_interval_it_is_undecided(value, runs):
    found = judged(Printed(0.084, 0.0005, runs=runs), Estimate(value, NAN, NAN, n=1))
    direction = WITHIN if value == 0.0836 else HIGHER if value > 0.084 else LOWER
    assert found == (UNDECIDED, direction, UNKNOWN)


@pytest.mark.parametrize("runs", [0, 1, 10])
def test_one_model_knows_nothing_of_how_models_vary(runs):
    """Its interval is of the examples: it may agree, but cannot differ."""
    one = Estimate(0.2, 0.1, 0.3, n=1)
    assert judged(Printed(0.25, 0.005, runs=runs), one) == (AGREES, WITHIN, ONE_SIDED)
    assert judged(Printed(0.35, 0.005, runs=runs), one) == (UNDECIDED, LOWER, ONE_SIDED)
    assert judged(Printed(0.35, 0.005, 0.01, runs=10), one)[0] == DIFFERS


RUNS = [0.80, 0.82, 0.79, 0.81, 0.83]


def limit(printed, estimate):
    """How far above the estimate a published value may lie, by bisection."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        moved = replace(printed, value=estimate.value + middle)
        low, high = (middle, high) if judged(moved, estimate)[0] == AGREES else (low, middle)
    return low


@pytest.mark.parametrize("runs", [1, 3, 5, 10, 1000])
def test_the_measured_deviation_stands_for_the_published_one(runs):
    reach = stats.t.ppf(0.975, 4) * np.std(RUNS, ddof=1) * np.sqrt(1 / 5 + 1 / runs)
    printed = Printed(0.8, 0.0005, runs=runs)
    assert limit(printed, mean(RUNS)) == pytest.approx(reach + 0.0005, abs=1e-8)
    assert judged(printed, mean(RUNS))[2] == TWO_SIDED


@pytest.mark.parametrize(("runs", "spread"), [(2, 0.02), (10, 0.017), (3, 0.004)])
def test_two_deviations_are_pooled(runs, spread):
    printed = Printed(0.8, 0.0005, spread, runs)
    reach = limit(printed, mean(RUNS)) - 0.0005
    own = np.mean(RUNS), np.std(RUNS, ddof=1), len(RUNS)
    test = stats.ttest_ind_from_stats(*own, own[0] + reach, spread, runs, equal_var=True)
    assert test.pvalue == pytest.approx(0.05, abs=1e-6)


def test_one_model_is_compared_by_the_published_deviation():
    printed, one = Printed(0.8, 0.0005, 0.01, 10), mean([0.8])
    reach = stats.t.ppf(0.975, 9) * 0.01 * np.sqrt(1 + 1 / 10)
    assert limit(printed, one) == pytest.approx(reach + 0.0005, abs=1e-8)
    assert judged(printed, one)[2] == TWO_SIDED


def test_a_spread_of_nobody_knows_how_many_runs_is_that_of_a_single_one():
    several, one = mean(RUNS), mean([0.8])
    for spread in (0.01, 0.1):  # smaller and larger than that of the runs
        reach = stats.t.ppf(0.975, 4) * max(spread, np.std(RUNS, ddof=1)) * np.sqrt(1 / 5 + 1)
        found = limit(Printed(0.8, 0.0005, spread), several)
        assert found == pytest.approx(reach + 0.0005, abs=1e-8)
    reach = limit(Printed(0.8, 0.0005, 0.01), one) - 0.0005
    assert reach == pytest.approx(stats.norm.ppf(0.975) * 0.01 * np.sqrt(2), abs=1e-8)


def test_a_value_in_the_measured_interval_never_differs():
    wide = replace(mean(RUNS), low=0.5, high=0.9)
    for value, expected in ((0.51, AGREES), (0.89, AGREES), (0.49, DIFFERS), (0.91, DIFFERS)):
        assert judged(Printed(value, 0.0005, runs=5), wide)[0] == expected


def test_deviations_of_zero_leave_the_rounding():
    same = mean([0.9363, 0.9363])
    assert judged(Printed(0.936, 0.0005, 0.0, 10), same)[0] == AGREES
    assert judged(Printed(0.936, 0.00005, 0.0, 10), same)[0] == DIFFERS


def test_a_reason_never_turns_into_agreement_and_never_hides_the_direction():
    printed, near, far = Printed(0.5, 0.05), Estimate(0.52, 0.4, 0.6), Estimate(0.7, 0.6, 0.8)
    assert judged(printed, near)[:2] == (AGREES, WITHIN)
    assert judged(printed, near, ["smaller"])[:2] == (NOT_COMPARABLE, WITHIN)
    assert judged(printed, far)[:2] == (DIFFERS, HIGHER)
    assert judged(printed, far, ["smaller"])[:2] == (NOT_COMPARABLE, HIGHER)
    assert judged(printed, Estimate(0.2, 0.1, 0.3))[:2] == (DIFFERS, LOWER)


@pytest.mark.parametrize("reasons", [[], ["smaller"]])
def test_what_hyperparameters_were_chosen_to_meet_is_no_agreement(reasons):
    near, far = Estimate(0.52, 0.4, 0.6), Estimate(0.7, 0.6, 0.8)
    assert judged(Printed(0.5, 0.05), near, reasons, True)[:2] == (CHOSEN, WITHIN)
    assert judged(Printed(0.5, 0.05), far, reasons, True)[:2] == (CHOSEN, HIGHER)


def published_of(values, digits, spread, runs=True):
    """What a paper prints of its runs: their mean, rounded, and perhaps their deviation."""
    deviation = float(np.std(values, ddof=1)) if spread else NAN
    value = round(float(np.mean(values)), digits)
    return Printed(value, 0.5 * 10.0**-digits, deviation, len(values) if runs else 0)


def share_called_different(pairs):
    verdicts = [judged(printed, estimate)[0] for printed, estimate in pairs]
    return np.mean([found == DIFFERS for found in verdicts])


REPLICATIONS = [(5, 5), (10, 10), (1, 10), (10, 1), (10, 3), (3, 10)]


@pytest.mark.parametrize(("measured", "published"), REPLICATIONS)
@pytest.mark.parametrize("spread", [False, True])
def test_exact_replications_are_called_different_in_at_most_6_of_100_cases(
    measured, published, spread
):
    """Runs of one law on both sides; a paper that prints four digits, with or without a spread."""
    draws, spread = np.random.default_rng(7), spread and published > 1
    values = draws.normal(0.7, 0.01, (3000, measured + published))
    share = share_called_different(
        (published_of(row[measured:], 4, spread), mean(row[:measured])) for row in values
    )
    assert share <= 0.06
    decidable = measured > 1 or spread
    assert share >= 0.01 if decidable else share == 0  # it is not that nothing ever differs
    moved = share_called_different(
        (published_of(row[measured:] + 0.2, 4, spread), mean(row[:measured])) for row in values[:99]
    )
    assert moved > 0.9 if decidable else moved == 0


def audit_of(draws, targets, hardness):
    """Metrics of so many targets, each trained on another half of the same examples."""
    half = np.arange(len(hardness)) % 2 == 0
    member = draws.permuted(np.tile(half, (targets, 1)), axis=1)
    scores = draws.normal(size=member.shape) + hardness + member
    return metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))


@pytest.mark.slow
@pytest.mark.parametrize(("measured", "published"), [(5, 5), (10, 10), (1, 10)])
def test_replications_of_audits_are_called_different_in_at_most_6_of_100_cases(measured, published):
    """AUCs and skewed rates at 1 % FPR, through the metrics: other models on the same examples."""
    draws, pairs = np.random.default_rng(3), {"auc": [], "tpr": []}
    for _ in range(200):
        hardness = draws.normal(size=300)  # what the models share
        ours, theirs = (audit_of(draws, n, hardness) for n in (measured, published))
        for quantity, level in (("auc", None), ("tpr", 0.01)):
            printed = estimate(theirs, quantity, level).value
            printed = Printed(round(printed, 3), 0.0005, runs=published)
            pairs[quantity].append((printed, estimate(ours, quantity, level)))
    for quantity, own in pairs.items():
        differ = round(share_called_different(own) * len(own))
        assert stats.binomtest(differ, len(own), 0.06, "greater").pvalue > 0.05, quantity


LINE = dict.fromkeys(COLUMNS, "") | {
    "paper": "paper", "table": "1", "row": "a", "column": "b", "value": "0.700", "unit": "1",
    "quantity": "auc", "attack": "loss", "dataset": "cifar10", "architecture": "cnn",
    "population": "60000", "training_examples": "25000", "models": "256",
}  # fmt: skip
SAME = {"source": "cifar10", "architecture": "cnn", "training_examples": 25000, "population": 60000}


def test_only_what_is_known_on_both_sides_is_compared():
    plain = Estimate(0.7, 0.6, 0.8)
    assert differences(LINE, SAME, 254, plain) == []
    assert differences(LINE, {}, 254, plain) == []
    assert differences(LINE | {"models": ""}, SAME, 4, plain) == []
    assert differences(LINE, SAME | {"architecture": "cnn_wide"}, 254, plain) == []
    other = {"source": "digits", "architecture": "mlp", "training_examples": 5000}
    other |= {"population": 12000}
    assert differences(LINE, other, 31, plain) == [
        "digits instead of cifar10",
        "mlp instead of cnn",
        "5,000 training examples instead of 25,000",
        "12,000 examples in the population instead of 60,000",
        "31 auxiliary models instead of 256",
    ]
    few = LINE | {"models": "30"}
    assert differences(few, SAME, 254, plain) == ["254 auxiliary models instead of 30"]
    assert differences(few, SAME, 1, plain) == ["1 auxiliary model instead of 30"]


@pytest.mark.parametrize(
    ("column", "what"),
    [("models", "auxiliary models"), ("training_examples", "training examples"),
     ("population", "examples in the population")],
)  # fmt: skip
def test_any_size_within_a_printed_range_is_the_papers(column, what):
    """A tenth around each end is alike, as it is around a single number."""
    plain, below = Estimate(0.7, 0.6, 0.8), Estimate(0.0, 0.0, 0.1, 0.0, below_resolution=True)
    for used, alike in {899: 0, 900: 1, 1000: 1, 1400: 1, 2000: 1, 2200: 1, 2201: 0}.items():
        models, scale = (used, SAME) if column == "models" else (256, SAME | {column: used})
        found = differences(LINE | {column: "1000–2000"}, scale, models, plain)
        assert found == ([] if alike else [f"{used:,} {what} instead of 1,000–2,000"])
        if column == "training_examples":  # where these are alike, the paper's FPR is as coarse
            found = differences(LINE | {column: "1000–2000"}, scale, models, below)
            assert len(found) == (0 if alike else 2)
    single = LINE | {"models": "1–2"}
    assert [bool(differences(single, SAME, n, plain)) for n in (1, 2, 3)] == [False, False, True]


def test_times_are_never_comparable():
    line = LINE | {"quantity": "training_minutes", "unit": "minutes"}
    assert differences(line, SAME, 256, Estimate(0.7, NAN, NAN)) == ["another machine"]


def test_below_the_resolution_is_a_reason_where_the_paper_resolved_more():
    flagged = Estimate(0.0, 0.0, 0.1, 0.0, True)
    assert differences(LINE, SAME, 256, flagged) == []
    smaller = differences(LINE, SAME | {"training_examples": 500}, 256, flagged)
    assert smaller[-1].startswith("too few non-members")
    unknown = LINE | {"training_examples": ""}
    assert len(differences(unknown, SAME, 256, flagged)) == 1


def evidence_of(lines, gaps, scale=None, targets=5, examples=400, **extra):
    """Evidence with a result for each {(audit, label): gap} and these published lines."""
    results = []
    for seed, ((audit, label), gap) in enumerate(gaps.items()):
        draws = np.random.default_rng(seed)
        member = draws.permuted(np.tile(np.arange(examples) % 2 == 0, (targets, 1)), axis=1)
        scores = draws.normal(size=member.shape) + gap * member
        result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))
        place = {"audit": audit, "label": label, "attack": label, "options": {}}
        cohorts = {"target_cohort": audit, "shadow_cohort": audit, "references": None, "models": 64}
        results.append({**result, **place, **cohorts, **extra})
    table = pd.DataFrame([LINE | line for line in lines], columns=COLUMNS)
    names = {label: label for _, label in gaps}
    return Evidence(names, results, published=table, scale=scale or {})


def of(numbers, **place):
    found = numbers
    for key, value in place.items():
        found = found[found[key] == value]
    assert len(found) == 1
    return found.iloc[0]


def test_the_measured_value_and_its_interval_are_shown():
    right = round(stats.norm.cdf(1.5 / np.sqrt(2)), 3)  # the AUC of two normals 1.5 apart
    lines = [{"row": "a", "value": str(right)}, {"row": "b", "value": "0.500"}]
    lines = [{**line, "models": "64"} for line in lines]
    evidence = evidence_of(lines, {("mlp", "loss"): 1.5}, {"mlp": SAME | {"models": 64}})
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    aucs = [target["auc"]["value"] for target in evidence.metrics[0]["targets"]]
    low, high = evidence.metrics[0]["mean"]["auc"]["this_population"].values()
    right, wrong = of(numbers, row="a"), of(numbers, row="b")
    for record in (right, wrong):
        assert record["measured"] == pytest.approx(np.mean(aucs))
        assert (record["low"], record["high"]) == pytest.approx((low, high))
    assert (right["verdict"], right["direction"]) == (AGREES, WITHIN)
    assert (wrong["verdict"], wrong["direction"]) == (DIFFERS, HIGHER)
    assert wrong["difference"] == pytest.approx(np.mean(aucs) - 0.5)
    verdicts = ["agrees: within the intervals (one-sided)", "differs: higher (one-sided)"]
    assert shown["Verdict"].tolist() == verdicts
    assert shown["Published"].tolist() == [str(lines[0]["value"]), "0.500"]
    scale = "5 targets, 64 models, 63 auxiliary models, 25,000 training examples, "
    scale += "population of 60,000, cnn"
    assert shown["Scale"][0] == scale


def test_a_published_epsilon_stands_beside_the_claimed_one():
    line = {"quantity": "epsilon", "attack": "", "models": ""}
    lines = [line | {"row": "bounded", "value": "10"}, line | {"row": "not", "value": "inf"}]
    claims = {"bounded": 9.016, "not": None}
    runs = [
        evidence_of(lines, {(audit, "loss"): 0.1}, claimed={"epsilon": epsilon, "delta": 1e-5})
        for audit, epsilon in claims.items()
    ]
    evidence = replace(runs[0], metrics=[run.metrics[0] for run in runs])
    rows = [{"audit": "{row}"}, {"row": "bounded", "reason": "δ is not given"}]
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=rows)
    assert shown["Measured"].tolist() == ["9.02", "inf"]
    assert of(numbers, row="bounded")["measured"] == 9.016
    assert of(numbers, row="bounded")["verdict"] == NOT_COMPARABLE
    assert of(numbers, row="bounded")["direction"] == LOWER
    assert tuple(of(numbers, row="not")[["verdict", "direction"]]) == (UNDECIDED, WITHIN)
    plain = evidence_of(lines, {("bounded", "loss"): 0.1, ("not", "loss"): 0.1})
    numbers, _ = ledger.tabulate(plain, published="paper", rows=[{"audit": "{row}"}])
    assert set(numbers["reason"]) == {"no privacy is claimed of the targets"}


def test_rates_are_in_percent_as_the_paper_prints_them():
    line = {"quantity": "tpr", "fpr": "0.1", "value": "8.4", "unit": "%", "models": ""}
    evidence = evidence_of([line], {("mlp", "loss"): 1.5}, {"mlp": SAME})
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    tprs = [
        row["tpr"]
        for target in evidence.metrics[0]["targets"]
        for row in target["tpr_at_fpr"]
        if row["level"] == 0.1
    ]
    record = numbers.iloc[0]
    assert record["published"] == pytest.approx(8.4)
    assert record["measured"] == pytest.approx(100 * np.mean(tprs))
    assert record["difference"] == pytest.approx(100 * np.mean(tprs) - 8.4)
    assert shown["Published"][0] == "8.4 %"
    assert shown["Measured"][0].startswith(f"{100 * np.mean(tprs):.1f} % [")


def test_scale_makes_values_incomparable_but_shows_them():
    evidence = evidence_of([{}], {("mlp", "loss"): 1.5}, {"mlp": SAME | {"epochs": 4}})
    rules = [{"audit": "mlp", "reason": "no augmentation"}]
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["verdict"][0] == NOT_COMPARABLE
    assert shown["Verdict"][0] == "not comparable at this scale: higher"
    assert shown["Why"][0] == "63 auxiliary models instead of 256; no augmentation"
    assert shown["Measured"][0] != "–"
    assert "4 epochs" in shown["Scale"][0]


def test_runs_of_the_paper_make_verdicts_two_sided_and_counted():
    """Of 5 runs against 5, 20 values: one would differ by chance."""
    common = {"models": "64", "targets": "5"}
    lines = [{**common, "row": f"a{k}", "value": "0.856"} for k in range(19)]
    lines += [{**common, "row": "far", "value": "0.500"}]
    lines += [{**common, "row": "alone", "value": "0.500", "targets": ""}]
    evidence = evidence_of(lines, {("mlp", "loss"): 1.5}, {"mlp": SAME | {"models": 64}})
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    far, alone = of(numbers, row="far"), of(numbers, row="alone")
    assert (far["verdict"], far["chance"], far["runs_published"]) == (DIFFERS, TWO_SIDED, 5)
    assert (alone["verdict"], alone["chance"]) == (DIFFERS, ONE_SIDED)
    assert alone["runs_published"] is pd.NA
    assert set(numbers["runs_measured"]) == {5}
    assert shown["Verdict"].tolist()[-2:] == ["differs: higher", "differs: higher (one-sided)"]
    notes = " ".join(shown.attrs["notes"])
    assert "Of 20 values with chance known on both sides 1 differs; if all were exact" in notes
    assert "replications, up to 1.0 would, by chance." in notes
    assert "One-sided: " in notes
    numbers, shown = ledger.tabulate(
        replace(evidence, published=evidence.published[:20]), published="paper",
        rows=[{"audit": "mlp"}],
    )  # fmt: skip
    assert "One-sided: " not in " ".join(shown.attrs["notes"])


def test_a_single_target_beside_ten_is_undecided_where_it_does_not_agree():
    lines = [{"models": "64", "value": "0.500", "targets": "10"}]
    evidence = evidence_of(lines, {("mlp", "loss"): 1.5}, {"mlp": SAME | {"models": 64}}, targets=1)
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    assert (numbers["verdict"][0], numbers["direction"][0]) == (UNDECIDED, HIGHER)
    assert shown["Verdict"][0] == "undecided: higher"
    assert "Of 0 values with chance known on both sides 0 differ" in " ".join(shown.attrs["notes"])


def test_values_that_were_chosen_to_be_met_are_left_out_of_the_counts():
    scale = {"mlp": SAME | {"train_accuracy": [0.95, 0.97], "test_accuracy": [0.5, 0.51]}}
    common = {"unit": "%", "attack": "", "models": "", "value": "96", "targets": "5"}
    lines = [{**common, "quantity": f"{kind}_accuracy", "row": kind} for kind in ("train", "test")]
    evidence = evidence_of(lines, {("mlp", "loss"): 0.0}, scale)
    rules = [{"audit": "mlp"}, {"quantity": "train_accuracy", "chosen": True}]
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["verdict"].tolist() == [CHOSEN, DIFFERS]
    assert shown["Verdict"][0] == "chosen to be met: within the intervals"
    notes = " ".join(shown.attrs["notes"])
    assert "agrees: 0; differs: 1; undecided: 0; chosen to be met: 1;" in notes
    assert "Of 1 values" in notes
    rules.append({"quantity": "train_accuracy", "audit": "cnn", "reading": "code", "chosen": False})
    evidence = replace(
        evidence, metrics=[*evidence.metrics, evidence.metrics[0] | {"audit": "cnn"}]
    )
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["verdict"].tolist() == [CHOSEN, AGREES, DIFFERS]
    with pytest.raises(ValueError, match="rows: chosen 'epochs' is not of this exhibit"):
        ledger.tabulate(evidence, published="paper", rows=[{"row": "test", "chosen": "epochs"}])


@pytest.mark.parametrize("over", ["mean", "pooled"])
def test_recalls_are_read_where_the_precision_is_reached(over):
    line = {"quantity": "recall", "precision": "0.8", "value": "50.0", "unit": "%", "models": ""}
    evidence = evidence_of([line], {("mlp", "loss"): 1.5}, {"mlp": SAME})
    draws = np.random.default_rng(1)
    member = draws.random((3, 200)) < 0.5
    scores = np.round(draws.normal(size=member.shape) + 1.5 * member, 1)  # with ties
    evaluated = draws.random(member.shape) < 0.9
    run = {"scores": np.where(evaluated, scores, NAN), "member": member, "evaluated": evaluated}
    evidence = replace(evidence, scores={("mlp", "loss"): run | {"targets": np.arange(3)}})
    rules = [{"audit": "mlp", "over": over}]
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)

    def recall(scores, member):
        called = [scores >= threshold for threshold in np.unique(scores)]
        return max((c & member).sum() / member.sum() for c in called if member[c].mean() >= 0.8)

    whole = recall(scores[evaluated], member[evaluated])
    own = [recall(s[e], m[e]) for s, m, e in zip(scores, member, evaluated, strict=True)]
    expected = {"mean": np.mean(own), "pooled": whole}[over]
    assert numbers["measured"][0] == pytest.approx(100 * expected)
    assert numbers["chance"][0] == ONE_SIDED
    rules = [{"audit": "mlp"}]
    numbers, _ = ledger.tabulate(replace(evidence, scores={}), published="paper", rows=rules)
    assert numbers["reason"][0] == "there are no scores of mlp/loss"


def test_pooled_where_a_rule_says_so():
    evidence = evidence_of([{}], {("mlp", "loss"): 1.5}, {"mlp": SAME})
    rules = [{"audit": "mlp", "over": "pooled"}]
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["measured"][0] == evidence.metrics[0]["pooled"]["auc"]["value"]


def test_nothing_is_dropped():
    lines = [
        {"row": "unmapped", "dataset": "mnist"},
        {"row": "no such attack", "attack": "watson"},
        {"row": "no such level", "quantity": "tpr", "fpr": "0.05"},
        {"row": "cost", "quantity": "training_minutes", "unit": "minutes", "value": "19"},
        {"row": "accuracy", "quantity": "test_accuracy", "attack": ""},
        {"row": "unavailable", "dataset": "purchase100"},
        {"row": "privacy", "quantity": "epsilon", "value": "10"},
        {"row": "mark", "quantity": "uses", "unit": "mark", "value": "1"},
        {"row": "other table", "table": "2"},
    ]
    evidence = evidence_of(lines, {("mlp", "loss"): 1.5})
    evidence = replace(evidence, costs=pd.DataFrame(columns=["audit", "label", "stage"]))
    rules = [
        {"dataset": "cifar10", "audit": "mlp"},
        {"dataset": "purchase100", "reason": "the data set is not distributed"},
        {"row": "no such attack", "reason": "too dear"},
    ]
    numbers, shown = ledger.tabulate(evidence, published="paper", tables=["1"], rows=rules)
    assert set(numbers["row"]) == {*(line["row"] for line in lines[:6]), "privacy"}  # but the mark
    assert set(numbers["verdict"]) == {NOT_MEASURED}
    assert numbers["measured"].isna().all()
    why = dict(zip(numbers["row"], numbers["reason"], strict=True))
    assert why["unmapped"] == "no audit of this study stands for it"
    assert why["no such attack"] == "there is no result of mlp/watson; too dear"
    assert "0.05" in why["no such level"]
    assert why["cost"] == "there are no costs of mlp/loss"
    assert why["privacy"] == "no privacy is claimed of the targets"
    assert why["accuracy"] == "no accuracies are recorded"
    assert why["unavailable"] == "the data set is not distributed"
    assert (shown["Measured"] == "–").all()
    note = "7 published values; agrees: 0; differs: 0; undecided: 0; chosen to be met: 0;"
    note += " not comparable at this scale: 0;"
    assert shown.attrs["notes"][0] == f"{note} not measured: 7."
    assert shown.attrs["notes"][2] == "1 marks of what an attack uses are not among them."


def test_verdicts_are_counted_for_each_table():
    lines = [
        {"table": "1", "value": "0.500", "models": "64"},
        {"table": "2", "value": "0.500"},
        {"table": "1", "row": "c", "quantity": "epsilon"},
    ]
    evidence = evidence_of(lines, {("mlp", "loss"): 1.5}, {"mlp": SAME | {"models": 64}})
    _, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    assert shown.attrs["notes"][1:3] == [
        "Table 1: agrees 0, differs 1, undecided 0, chosen to be met 0,"
        " not comparable at this scale 0, not measured 1.",
        "Table 2: agrees 0, differs 0, undecided 0, chosen to be met 0,"
        " not comparable at this scale 1, not measured 0.",
    ]


def alphas_of(labels, targets=(2, 5), examples=90):
    """Files of scores -alpha of several audits of one target cohort; the last judges few pairs."""
    draws, scores = np.random.default_rng(4), {}
    member = draws.random((max(targets), examples)) < 0.5
    for audit, count, own in zip(("mlp", "students"), targets[::-1], labels, strict=True):
        for label in own:
            values = np.where(member[:count], 0.7, 1.0) * draws.random((count, examples))
            evaluated = draws.random((count, examples)) < (0.6 if audit == "students" else 1)
            run = {"member": member[:count], "evaluated": evaluated, "targets": np.arange(count)}
            scores[audit, label] = run | {"scores": np.where(evaluated, -values, NAN)}
    return scores


def test_agreements_are_counted_on_the_pairs_that_all_attacks_on_the_targets_judged():
    scores = alphas_of([["attack_s", "attack_r"], ["attack_l"]])
    common = {"fpr": "0.3", "models": "", "quantity": "agreement_train"}
    pairs = ["ground_truth+attack_l", "attack_s+attack_l", "attack_r+attack_s", "attack_d+attack_s"]
    lines = [{**common, "row": pair, "attack": pair, "value": "0.5"} for pair in pairs]
    lines += [{**line, "column": "test", "quantity": "agreement_test"} for line in lines]
    gaps = dict.fromkeys([*scores, ("elsewhere", "attack_s")], 1.0)
    other = {("elsewhere", "attack_s"): scores["mlp", "attack_s"]}
    evidence = evidence_of(lines, gaps, {"mlp": SAME})
    for result in evidence.metrics:
        result["target_cohort"] = "cnn" if result["audit"] == "elsewhere" else "mlp"
        result["targets"] = result["targets"][: 2 if result["audit"] == "students" else 5]
    evidence = replace(evidence, scores={**other, **scores})
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    judged = np.logical_and.reduce([run["evaluated"][:2] for run in scores.values()])
    member = scores["mlp", "attack_s"]["member"][:2]
    guesses = {label: -run["scores"][:2] <= 0.3 for (_, label), run in scores.items()}
    guesses["ground_truth"] = member
    for row in numbers.itertuples():
        if "attack_d" in row.label:
            assert (row.verdict, row.reason) == (
                NOT_MEASURED,
                f"there is no result of mlp/{row.label}",
            )
            continue
        first, second = (guesses[label] for label in row.label.split("+"))
        kind = judged & (member if row.quantity == "agreement_train" else ~member)
        same, n = (first == second)[kind].sum(), kind.sum()
        exact = stats.binomtest(int(same), int(n)).proportion_ci(method="exact")
        assert row.measured == pytest.approx(same / n)
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high), abs=1e-6)
        assert row.targets == 2
    assert shown["By"][0] == "mlp, ground_truth+attack_l"


def test_costs_are_those_of_the_models_that_one_target_takes():
    stages = {"target training": 60.0, "shadow training": 600.0, "queries": 30.0, "scoring": 50.0}
    models = {"target training": 5, "shadow training": 10, "queries": 15, "scoring": 0}
    costs = [
        {"audit": "mlp", "label": "watson", "stage": stage, "models": models[stage],
         "seconds": seconds, "max_rss_mb": 1.0}
        for stage, seconds in stages.items()
    ]  # fmt: skip
    common = {"attack": "watson", "models": "2"}
    lines = [
        {**common, "quantity": "training_minutes", "unit": "minutes", "value": "19"},
        {**common, "quantity": "inference_seconds", "unit": "seconds", "value": "16"},
        {**common, "quantity": "inference_seconds", "unit": "seconds", "models": "", "value": "38"},
    ]
    facts = {"shadow_cohort": "shadow", "references": 2}
    evidence = evidence_of(lines, {("mlp", "watson"): 1.5}, {"mlp": SAME}, **facts)
    evidence = replace(evidence, costs=pd.DataFrame(costs))
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    inference = [3 * 30 / 15 + 50 / 5, 30 / 15 + 50 / 5]  # of 2 models and the target; of it alone
    assert numbers["measured"].tolist() == pytest.approx([2 * 60 / 60, *inference])
    assert set(numbers["verdict"]) == {NOT_COMPARABLE}
    assert numbers["direction"].tolist() == [LOWER, WITHIN, LOWER]
    assert shown["Measured"].tolist() == ["2.0 minutes", "16.0 seconds", "12.0 seconds"]
    assert shown["Why"][0] == "another machine"


def test_accuracies_are_those_of_the_target_cohort():
    train, test = [0.95, 0.97, 0.96], [0.52, 0.50, 0.54]
    scale = {"mlp": SAME | {"train_accuracy": train, "test_accuracy": test}}
    common = {"unit": "%", "attack": "", "models": ""}
    lines = [
        {**common, "row": "train", "quantity": "train_accuracy", "value": "96.2"},
        {**common, "row": "test", "quantity": "test_accuracy", "value": "70.00"},
        {**common, "row": "gap", "quantity": "accuracy_gap", "value": "44.00"},
    ]
    lines[0] |= {"spread": "0.031", "spread_unit": "1"}
    evidence = evidence_of(lines, {("mlp", "loss"): 0.0}, scale)
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    assert of(numbers, row="train")["measured"] == pytest.approx(96)
    assert of(numbers, row="train")["verdict"] == AGREES
    assert shown["Published"][0] == "96.2 % ± 3.1"
    assert (of(numbers, row="test")["verdict"], shown["By"][1]) == (DIFFERS, "mlp")
    assert of(numbers, row="gap")["measured"] == pytest.approx(100 * (0.43 + 0.47 + 0.42) / 3)
    assert any("±" in note for note in shown.attrs["notes"])


SIX_WAY = {"shadow_cohort": "shadow", "models": 5, "reference_cohort": "third"}
PARTS = {"shadow": {"per_target": 1}, "third": {"models": 10, "per_target": 2}}


@pytest.mark.parametrize(
    ("facts", "scale", "count"),
    [
        ({}, {}, 63),  # the target's own cohort
        ({"references": 8}, {}, 8),
        ({"shadow_cohort": "shadow"}, {}, 64),
        ({"shadow_cohort": "students"}, {"students": {"per_target": 16}}, 16),
        (SIX_WAY | {"attack": "ldc"}, PARTS, 1 + 2),
        (SIX_WAY | {"attack": "ldc", "references": 1}, PARTS, 1 + 1),
        (SIX_WAY | {"attack": "salem"}, PARTS, 1),  # reads no third cohort
    ],
)
def test_auxiliary_models_are_counted_per_target(facts, scale, count):
    evidence = evidence_of([{}], {("mlp", "loss"): 1.5}, scale, **facts)
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=[{"audit": "mlp"}])
    assert numbers["auxiliary_models"][0] == count


def test_audits_and_labels_that_are_not_there_are_refused():
    evidence = evidence_of([{}], {("mlp", "loss"): 1.5})
    for rule in ({"audit": "cnn"}, {"audit": "mlp", "label": "lira"}, {"over": "median"}):
        key = next(key for key in ("label", "over", "audit") if key in rule)
        with pytest.raises(ValueError, match=f"{key} '{rule[key]}' is not of this exhibit"):
            ledger.tabulate(evidence, published="paper", rows=[rule])
    rules = [{"audit": "{dataset}", "label": "{attack}_{models}"}]
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["reason"][0] == "there is no result of cifar10/loss_256"


def test_a_rule_can_take_back_the_audit_of_one_before():
    evidence = evidence_of([{}], {("mlp", "loss"): 1.5})
    rules = [{"audit": "mlp"}, {"audit": "", "reason": "no such models"}]
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)
    assert list(numbers["verdict"]) == ["not measured"]
    assert list(numbers["reason"]) == ["no such models"]


def test_both_readings_of_a_paper_are_shown_and_counted_apart():
    evidence = evidence_of([{}], {("mlp", "loss"): 0.74, ("cnn", "loss"): 1.5})
    rules = [{"audit": "mlp"}, {"audit": "cnn", "reading": "the released code"}]
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["reading"].tolist() == shown["Reading"].tolist() == ["", "the released code"]
    assert numbers["measured"].tolist() == pytest.approx([0.7, 0.856], abs=0.03)
    assert numbers["verdict"].tolist() == [NOT_COMPARABLE] * 2  # other data
    assert numbers["direction"].tolist() == [WITHIN, HIGHER]
    assert shown.attrs["notes"][0].startswith("1 published values; ")
    nothing = "agrees 0, differs 0, undecided 0, chosen to be met 0"
    assert f"Read as the released code: {nothing}, {NOT_COMPARABLE} 1" in " ".join(
        shown.attrs["notes"]
    )
    for rows in (rules[:1], [*rules[:1], {**rules[1], "audit": "{dataset}_{architecture}"}]):
        numbers, shown = ledger.tabulate(evidence, published="paper", rows=rows)
        assert len(numbers) == 1
        assert "Reading" not in shown


def test_every_reading_of_a_number_of_models_is_the_papers():
    """One line, an attack with two models and with one: both are compared, each for itself."""
    evidence = evidence_of([{"models": "1–2"}], {("mlp", "loss"): 0.74, ("mlp", "alone"): 1.5})
    counts = {"loss": 2, "alone": 1}
    results = [x | {"attack": "loss", "references": counts[x["label"]]} for x in evidence.metrics]
    evidence = replace(evidence, metrics=results)
    rules = [{"audit": "mlp"}, {"attack": "loss", "label": "alone", "reading": "one model"}]
    numbers, _ = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["reading"].tolist() == ["", "one model"]
    assert numbers["auxiliary_models"].tolist() == [2, 1]
    assert numbers["verdict"].tolist() == [AGREES, DIFFERS]
    for published_models, reasons in (("2", ["", "1 auxiliary model instead of 2"]),
                                      ("3–4", ["2 auxiliary models instead of 3–4",
                                               "1 auxiliary model instead of 3–4"])):  # fmt: skip
        table = evidence.published.assign(models=published_models)
        numbers, _ = ledger.tabulate(
            replace(evidence, published=table), published="paper", rows=rules
        )
        assert numbers["reason"].tolist() == reasons


def test_options_are_declared():
    options = declared(Path(ledger.__file__), "tabulate")
    assert checked({"published": "ye2022"}, options, "here")["over"] == "mean"
    with pytest.raises(ValueError, match="'published' is required"):
        checked({}, options, "here")
    with pytest.raises(ValueError, match="tables"):
        checked({"published": "ye2022", "tables": [2]}, options, "here")
    assert ledger.READS == ("metrics", "published", "scale", "scores", "costs")


FOLDER = Path(__file__).parents[2] / "config" / "published"
STUDIES = {
    "ye2022": ({"dataset": ["mnist", "cifar100"], "audit": "{dataset}_{training_examples}"}, 99),
    "carlini2022": ({"dataset": ["cifar10", "cifar100"], "audit": "{dataset}"}, 186 - 36),
    "shi2024": ({"table": ["3", "4"], "audit": "{dataset}_{architecture}"}, 313),
}


@pytest.mark.parametrize("paper", STUDIES)
def test_whole_papers(paper):
    """A line for every published value that is no mark, whatever was measured."""
    rule, count = STUDIES[paper]
    evidence = evidence_of([], {("cifar100", "lira_online"): 1.0, ("mnist_2500", "attack_r"): 0.1})
    table = pd.read_csv(FOLDER / f"{paper}.csv", dtype=str, keep_default_na=False)
    full = Evidence(evidence.names, evidence.metrics, published=table)
    numbers, shown = ledger.tabulate(full, published=paper, rows=[rule])
    assert len(numbers) == len(shown) == count
    measured = numbers[numbers["verdict"] != NOT_MEASURED]
    assert len(measured) == {"ye2022": 1, "carlini2022": 4, "shi2024": 0}[paper]


FIGURES_ALONE = tuple(f"carlini2022_{name}" for name in ("fast", "mismatch", "disjoint"))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(tuple(STUDIES))])
def test_the_ledgers_of_a_study_list_every_value_with_an_audit_or_a_reason(name):
    read = reading.read(merged(name))
    ledgers = {n: entry for n, entry in read["exhibits"].items() if entry["table"] == "ledger"}
    assert ledgers or name.startswith(FIGURES_ALONE)
    for exhibit, entry in ledgers.items():
        paper, options = entry["options"]["published"], entry["options"]
        table = pd.read_csv(FOLDER / f"{paper}.csv", dtype=str, keep_default_na=False)
        lines = published.select(table, paper, options["tables"])
        assert exhibit != f"{paper}_ledger" or len(lines) == len(table)
        for line, place in published.by_reading(lines, options["rows"], entry["audits"]):
            stands = place.get("audit") in entry["audits"] or place.get("reason")
            assert stands or line["quantity"] == "uses", line
