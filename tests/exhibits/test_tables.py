"""Tables: their numbers against slow ones, what the cells say, how rows are grouped."""

import re
from pathlib import Path

import describe_run
import make_table
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from miatlas.exhibits.evidence import Estimate, Evidence, percent
from miatlas.exhibits.pages import page
from miatlas.exhibits.tables import ablation, common, summary
from miatlas.leakage import metrics
from miatlas.options import declared
from miatlas.running import files
from miatlas.study.checking import checked


def evidence_of(runs, targets=5, examples=400):
    """Evidence of runs {(audit, label): gap}, and its scores and members."""
    results, raw = [], {}
    for seed, ((audit, label), gap) in enumerate(runs.items()):
        draws = np.random.default_rng(seed)
        member = draws.permuted(np.tile(np.arange(examples) % 2 == 0, (targets, 1)), axis=1)
        scores = draws.normal(size=member.shape) + gap * member
        result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))
        results.append({**result, "audit": audit, "label": label, "attack": label, "options": {}})
        raw[audit, label] = scores, member
    return Evidence({label: label.upper() for _, label in runs}, results), raw


def slow_tpr(scores, member, fpr):
    """Return the best TPR of all thresholds whose FPR is at most `fpr`, one after the other."""
    false = np.array([(scores[~member] >= s).mean() for s in scores])
    true = np.array([(scores[member] >= s).mean() for s in scores])
    return true[false <= fpr].max(initial=0.0)


RUNS = {("mlp", "loss"): 0.2, ("mlp", "lira"): 1.5, ("cnn", "loss"): 0.1, ("cnn", "lira"): 1.0}


def test_summary_is_the_mean_with_its_interval():
    evidence, raw = evidence_of(RUNS)
    numbers, _ = summary.tabulate(evidence, levels=[0.1])
    for row in numbers.itertuples():
        games = list(zip(*raw[row.audit, row.label], strict=True))
        tprs = [slow_tpr(*game, 0.1) for game in games]
        aucs = [stats.mannwhitneyu(s[m], s[~m]).statistic / 200**2 for s, m in games]
        record = numbers.loc[row.Index]
        for prefix, each in (("tpr_at_0.1", tprs), ("auc", aucs)):
            low, high = stats.t.interval(0.95, 4, np.mean(each), stats.sem(each))
            assert record[prefix] == pytest.approx(np.mean(each))
            assert record[f"{prefix}_examples_low"] == pytest.approx(max(low, 0))
            assert record[f"{prefix}_examples_high"] == pytest.approx(min(high, 1))
        mean = evidence.result(row.audit, row.label)["mean"]["auc"]["this_population"]
        assert {"low": record["auc_low"], "high": record["auc_high"]} == mean


def test_summary_rows_stand_under_their_audit():
    evidence, _ = evidence_of(RUNS)
    numbers, shown = summary.tabulate(evidence, audit_names={"mlp": "MLP"})
    assert shown["Attack"].tolist() == ["MLP", "LOSS", "LIRA", "cnn", "LOSS", "LIRA"]
    assert (shown.iloc[0, 1:] == "").all()
    assert len(numbers) == 4
    headings = ["TPR @ 0.1 % FPR", "TPR @ 1 % FPR", "Balanced accuracy"]
    pairs = [name for heading in headings for name in (heading, f"{heading}, transferred")]
    assert shown.columns.tolist() == ["Attack", *pairs, "AUC"]


@pytest.mark.parametrize(
    ("fpr", "shown"),
    [(0.00012, "0.012 %"), (0.0104, "1 %"), (0.0114, "1.1 %"), (0.376, "38 %"), (0.998, "100 %")],
)
def test_the_fpr_attained_has_two_digits_and_no_exponent(fpr, shown):
    assert (
        common.transferred_rate(Estimate(0.5, 0.4, 0.6, fpr)) == f"50.0 % [40.0, 60.0] at {shown}"
    )


def test_what_is_transferred_stands_beside_what_hindsight_finds():
    evidence, _ = evidence_of({("mlp", "lira"): 1.5})
    numbers, shown = summary.tabulate(evidence, levels=[0.1])
    mean = evidence.metrics[0]["mean"]["transferred"]
    [one] = [entry for entry in mean["rates"] if entry["level"] == 0.1]
    row, interval = numbers.iloc[0], one["tpr"]["this_population"]
    assert row["tpr_at_0.1_transferred"] == one["tpr"]["mean"] != row["tpr_at_0.1"]
    assert row["tpr_at_0.1_transferred_realised_fpr"] == one["realised_fpr"]["mean"]
    assert row["tpr_at_0.1_transferred_low"] == interval["low"]
    assert row["balanced_accuracy_transferred"] == mean["best"]["balanced_accuracy"]["mean"]
    cell = shown["TPR @ 10 % FPR, transferred"][0]
    assert cell.startswith(f"{100 * one['tpr']['mean']:.1f} % [")
    assert cell.endswith(f"] at {100 * one['realised_fpr']['mean']:.2g} %")
    assert any(note.startswith("Transferred:") for note in shown.attrs["notes"])
    one_target, _ = evidence_of({("mlp", "lira"): 1.5}, targets=1)
    numbers, shown = summary.tabulate(one_target, levels=[0.1])
    assert not [name for name in shown.columns if "transferred" in name]
    assert np.isnan(numbers["tpr_at_0.1_transferred"][0])
    assert any("at least two" in note for note in shown.attrs["notes"])


def test_few_false_positives_are_marked():
    evidence, _ = evidence_of({("mlp", "lira"): 1.5})  # 200 non-members
    _, shown = summary.tabulate(evidence, levels=[0.01, 0.1])
    assert shown["TPR @ 1 % FPR"][0].endswith("‡")
    assert "‡" not in shown["TPR @ 10 % FPR"][0]
    assert any(note.startswith("‡") for note in shown.attrs["notes"])


def test_one_audit_needs_no_heading():
    evidence, _ = evidence_of({("mlp", "loss"): 0.2})
    assert summary.tabulate(evidence)[1]["Attack"].tolist() == ["LOSS"]


def test_unresolved_levels_are_flagged_and_explained():
    evidence, raw = evidence_of({("mlp", "lira"): 1.5})
    numbers, shown = summary.tabulate(evidence, levels=[0.001, 0.01])
    assert shown["TPR @ 0.1 % FPR"][0].endswith("†")
    assert "†" not in shown["TPR @ 1 % FPR"][0]
    assert any(note.startswith("†") for note in shown.attrs["notes"])
    assert numbers["tpr_at_0.001_realised_fpr"][0] == 0
    alone = [slow_tpr(*game, 0.0) for game in zip(*raw["mlp", "lira"], strict=True)]
    assert numbers["tpr_at_0.001"][0] == pytest.approx(np.mean(alone))
    pooled, shown = summary.tabulate(evidence, levels=[0.001], over="pooled")
    assert "†" not in shown["TPR @ 0.1 % FPR"][0]
    assert not any(note.startswith("†") for note in shown.attrs["notes"])
    scores, member = (array.ravel() for array in raw["mlp", "lira"])
    assert pooled["tpr_at_0.001"][0] == pytest.approx(slow_tpr(scores, member, 0.001))


def test_single_target_has_the_intervals_of_the_metrics():
    evidence, raw = evidence_of({("mlp", "lira"): 1.5}, targets=1)
    numbers, shown = summary.tabulate(evidence, levels=[0.1])
    target = evidence.metrics[0]["targets"][0]
    [own] = [one for one in target["tpr_at_fpr"] if one["level"] == 0.1]
    assert own["tpr"] == pytest.approx(slow_tpr(*(a[0] for a in raw["mlp", "lira"]), 0.1))
    found = (numbers["tpr_at_0.1_low"][0], numbers["tpr_at_0.1_high"][0])
    assert found == (own["low"], own["high"])
    limits = target["balanced_accuracy_interval"]
    found = (numbers["balanced_accuracy_low"][0], numbers["balanced_accuracy_high"][0])
    assert found == (limits["low"], limits["high"])
    assert shown.attrs["notes"][0].startswith("One target")


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.084, 0.079, 0.0891), "8.4 % [7.9, 8.9]"),
        (Estimate(0.0016, 0.0, 0.0034, 0.0, True), "0.16 % [0.00, 0.34] †"),
        (Estimate(0.5, float("nan"), float("nan")), "50.0 %"),
        (Estimate(0.0095, 0.0, 0.02), "0.9 % [0.0, 2.0]"),
    ],
)
def test_cells(estimate, text):
    assert common.rate(estimate) == text


def test_numbers_and_percentages():
    assert common.number(Estimate(0.6184, 0.6, 0.65)) == "0.618 [0.600, 0.650]"
    assert [percent(x) for x in (1e-5, 0.001, 0.1)] == ["0.001 %", "0.1 %", "10 %"]


STEPS = [
    {"attack": "loss", "name": "LOSS attack", "group": "Global"},
    {"attack": "lira", "name": "+ Gaussians"},
    {"attack": "loss", "group": "Again"},
]


def test_ablation_repeats_and_groups_rows():
    evidence, raw = evidence_of(RUNS)
    numbers, shown = ablation.tabulate(evidence, rows=STEPS, levels=[0.01, 0.1])
    first = ["Global", "LOSS attack", "+ Gaussians", "Again", "LOSS"]
    assert shown["Attack approach"].tolist() == first
    assert shown.columns[1:].tolist() == [
        f"TPR @ {level} % FPR, {audit}{threshold}"
        for audit in ("mlp", "cnn")
        for level in (1, 10)
        for threshold in ("", ", transferred")
    ]
    assert [note for note in shown.attrs["notes"] if note.startswith("Transferred:")]
    assert numbers["group"].tolist() == ["Global"] * 8 + ["Again"] * 4
    row = numbers[(numbers["name"] == "+ Gaussians") & (numbers["audit"] == "cnn")].iloc[1]
    each = [slow_tpr(*game, row["fpr"]) for game in zip(*raw["cnn", "lira"], strict=True)]
    assert row["tpr"] == pytest.approx(np.mean(each))
    transferred = evidence.result("cnn", "lira")["mean"]["transferred"]["rates"]
    [entry] = [one for one in transferred if one["level"] == row["fpr"]]
    assert row["tpr_transferred"] == entry["tpr"]["mean"]
    assert row["tpr_transferred_realised_fpr"] == entry["realised_fpr"]["mean"]


def test_ablation_shows_a_dash_where_an_audit_has_no_result():
    evidence, _ = evidence_of({("mlp", "loss"): 0.2, ("mlp", "lira"): 1.0, ("cnn", "loss"): 0.1})
    numbers, shown = ablation.tabulate(evidence, heading="Queries")
    assert shown["Queries"].tolist() == ["LOSS", "LIRA"]
    missing = ["TPR @ 0.1 % FPR, cnn", "TPR @ 0.1 % FPR, cnn, transferred"]
    assert shown.loc[1, missing].tolist() == ["–", "–"]
    assert len(numbers) == 3


def test_audits_share_columns_where_each_attack_is_of_one_of_them():
    evidence, _ = evidence_of({("few", "loss"): 0.2, ("many", "lira"): 1.0})
    numbers, shown = ablation.tabulate(evidence, levels=[0.01], columns="level")
    assert shown.columns[1:].tolist() == ["TPR @ 1 % FPR", "TPR @ 1 % FPR, transferred"]
    assert numbers["audit"].tolist() == ["few", "many"]
    assert [cell.split(" %")[0] for cell in shown["TPR @ 1 % FPR"]] == [
        common.rate(Estimate(tpr, np.nan, np.nan)).split(" %")[0] for tpr in numbers["tpr"]
    ]
    several, _ = evidence_of({("few", "loss"): 0.2, ("many", "loss"): 1.0})
    with pytest.raises(ValueError, match="several have run loss"):
        ablation.tabulate(several, columns="level")


def test_ablation_refuses_unknown_rows():
    evidence, _ = evidence_of({("mlp", "loss"): 0.2})
    with pytest.raises(ValueError, match="'watson' is not of this exhibit: loss"):
        ablation.tabulate(evidence, rows=[{"attack": "watson"}])
    with pytest.raises(ValueError, match="unknown key 'title'"):
        ablation.tabulate(evidence, rows=[{"attack": "loss", "title": "x"}])


def test_levels_that_were_not_evaluated_are_refused():
    evidence, _ = evidence_of({("mlp", "loss"): 0.2})
    with pytest.raises(ValueError, match=r"0\.05"):
        summary.tabulate(evidence, levels=[0.05])


def test_tiny_tables():
    evidence, _ = evidence_of({("mlp", "loss"): 0.2}, targets=1, examples=5)
    for module in (summary, ablation):
        numbers, shown = module.tabulate(evidence)
        assert len(numbers) == len(shown) == 1
        assert isinstance(shown, pd.DataFrame)


def test_options_are_declared():
    for module in (summary, ablation):
        options = declared(Path(module.__file__), "tabulate")
        assert checked({}, options, "here").keys() == options.keys()
        with pytest.raises(ValueError, match="levels"):
            checked({"levels": "0.1"}, options, "here")
    with pytest.raises(ValueError, match="rows"):
        checked({"rows": [1]}, declared(Path(ablation.__file__), "tabulate"), "here")


def test_a_page_has_a_paragraph_of_what_there_is_to_say(tmp_path, monkeypatch):
    evidence, _ = evidence_of({("mlp", "loss"): 0.2})
    monkeypatch.setattr(make_table, "gather", lambda *_: evidence)
    paths = {kind: tmp_path / f"t.{kind}" for kind in ("html", "md", "csv")}
    for caption in ("What is seen.", ""):
        settings = {"table": "summary", "title": "T", "caption": caption, "options": {}}
        make_table.main(**paths, settings=settings)
        said = re.findall("<p>(.*)</p>", paths["html"].read_text())
        notes = " ".join(common.NOTES[key] for key in ("mean", "†", "‡", "transferred"))
        assert said == [f"{caption} {notes}".strip()]
    assert "<p>" not in page("T", {"": pd.DataFrame()})


def test_accuracies_of_a_run_are_written_as_tables_write_them(tmp_path):
    history = tmp_path / "one" / "models" / "0.history.csv"
    files.write_csv(
        history, pd.DataFrame({"train_accuracy": [0.5, 0.999], "test_accuracy": [np.nan, 0.666]})
    )
    table = describe_run.cohorts({"cohorts": {"one": {"what": "two models"}}}, [history])
    assert table.iloc[0].tolist() == ["one", "two models", "99.9 %", "66.6 %"]
