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
from miatlas.exhibits.evidence import Estimate, Evidence
from miatlas.exhibits.published import COLUMNS, Printed
from miatlas.exhibits.tables import ledger
from miatlas.exhibits.verdicts import (
    AGREES,
    DIFFERS,
    HIGHER,
    LOWER,
    NOT_COMPARABLE,
    NOT_MEASURED,
    WITHIN,
    agree,
    differences,
    mean,
    verdict,
)
from miatlas.leakage import metrics
from miatlas.options import declared
from miatlas.study import reading
from miatlas.study.checking import checked

NAN = math.nan


# 8.4 % as printed, against measured intervals: [8.35 %, 8.45 %) is what may have been rounded.
@pytest.mark.parametrize(
    ("low", "value", "high", "agrees"),
    [
        (0.080, 0.082, 0.0834, False),  # ends just below 8.35 %
        (0.080, 0.082, 0.0836, True),
        (0.0844, 0.09, 0.10, True),  # begins just below 8.45 %
        (0.0846, 0.09, 0.10, False),
        (0.0, 0.5, 1.0, True),
        (NAN, 0.0836, NAN, True),
        (NAN, 0.0834, NAN, False),
    ],
)
def test_without_a_spread_the_rounding_decides(low, value, high, agrees):
    assert agree(Printed(0.084, 0.0005), Estimate(value, low, high)) is agrees


@pytest.mark.parametrize(
    ("low", "value", "high", "agrees"),
    [
        (0.780, 0.790, 0.795, False),  # 0.790 is below 0.809 - 0.017 = 0.792
        (0.780, 0.793, 0.795, True),
        (0.780, 0.790, 0.8095, True),  # the published value is in the measured interval
        (0.827, 0.830, 0.833, False),
        (NAN, 0.8259, NAN, True),
        (NAN, 0.8261, NAN, False),
    ],
)
def test_a_spread_is_an_interval_around_the_published_value(low, value, high, agrees):
    assert agree(Printed(0.809, 0.0005, 0.017), Estimate(value, low, high)) is agrees


def test_a_spread_of_zero_is_not_narrower_than_the_rounding():
    assert agree(Printed(0.936, 0.0005, 0.0), Estimate(0.9363, NAN, NAN))


def test_a_reason_never_turns_into_agreement_and_never_hides_the_direction():
    printed, near, far = Printed(0.5, 0.05), Estimate(0.52, NAN, NAN), Estimate(0.7, 0.6, 0.8)
    assert verdict(printed, near, []) == (AGREES, WITHIN)
    assert verdict(printed, near, ["smaller"]) == (NOT_COMPARABLE, WITHIN)
    assert verdict(printed, far, []) == (DIFFERS, HIGHER)
    assert verdict(printed, far, ["smaller"]) == (NOT_COMPARABLE, HIGHER)
    assert verdict(printed, Estimate(0.2, 0.1, 0.3), []) == (DIFFERS, LOWER)


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


def test_mean_has_students_interval():
    accuracies = [0.91, 0.93, 0.95, 0.90]
    found, se = mean(accuracies), stats.sem(accuracies)
    low, high = stats.t.interval(0.95, 3, np.mean(accuracies), se)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert math.isnan(mean([0.9]).low)


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
    assert shown["Verdict"].tolist() == ["agrees: within the intervals", "differs: higher"]
    assert shown["Published"].tolist() == [str(lines[0]["value"]), "0.500"]
    scale = "5 targets, 64 models, 63 auxiliary models, 25,000 training examples, "
    scale += "population of 60,000, cnn"
    assert shown["Scale"][0] == scale


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
    assert why["privacy"] == "epsilon is not what an audit measures"
    assert why["accuracy"] == "no accuracies are recorded"
    assert why["unavailable"] == "the data set is not distributed"
    assert (shown["Measured"] == "–").all()
    note = "7 published values; agrees: 0; differs: 0; not comparable at this scale: 0;"
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
        "Table 1: agrees 0, differs 1, not comparable at this scale 0, not measured 1.",
        "Table 2: agrees 0, differs 0, not comparable at this scale 1, not measured 0.",
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


def test_both_readings_of_a_paper_are_shown_and_counted_apart():
    evidence = evidence_of([{}], {("mlp", "loss"): 0.74, ("cnn", "loss"): 1.5})
    rules = [{"audit": "mlp"}, {"audit": "cnn", "reading": "the released code"}]
    numbers, shown = ledger.tabulate(evidence, published="paper", rows=rules)
    assert numbers["reading"].tolist() == shown["Reading"].tolist() == ["", "the released code"]
    assert numbers["measured"].tolist() == pytest.approx([0.7, 0.856], abs=0.03)
    assert numbers["verdict"].tolist() == [NOT_COMPARABLE] * 2  # other data
    assert numbers["direction"].tolist() == [WITHIN, HIGHER]
    assert shown.attrs["notes"][0].startswith("1 published values; ")
    assert f"Read as the released code: agrees 0, differs 0, {NOT_COMPARABLE} 1" in " ".join(
        shown.attrs["notes"]
    )
    for rows in (rules[:1], [*rules[:1], {**rules[1], "audit": "{dataset}_{architecture}"}]):
        numbers, shown = ledger.tabulate(evidence, published="paper", rows=rows)
        assert len(numbers) == 1
        assert "Reading" not in shown


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
    "ye2022": ({"dataset": ["mnist", "cifar100"], "audit": "{dataset}_{training_examples}"}, 96),
    "carlini2022": ({"dataset": ["cifar10", "cifar100"], "audit": "{dataset}"}, 172 - 36),
    "shi2024": ({"table": ["3", "4"], "audit": "{dataset}_{architecture}"}, 310),
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


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(tuple(STUDIES))])
def test_the_ledgers_of_a_study_list_every_value_with_an_audit_or_a_reason(name):
    read = reading.read(merged(name))
    ledgers = {n: entry for n, entry in read["exhibits"].items() if entry["table"] == "ledger"}
    assert ledgers or name == "carlini2022_fast"
    for exhibit, entry in ledgers.items():
        paper, options = entry["options"]["published"], entry["options"]
        table = pd.read_csv(FOLDER / f"{paper}.csv", dtype=str, keep_default_na=False)
        lines = published.select(table, paper, options["tables"])
        assert exhibit != f"{paper}_ledger" or len(lines) == len(table)
        for line, place in published.by_reading(lines, options["rows"], entry["audits"]):
            stands = place.get("audit") in entry["audits"] or place.get("reason")
            assert stands or line["quantity"] == "uses", line
