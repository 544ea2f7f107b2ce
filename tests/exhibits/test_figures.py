"""Figures: the numbers they plot, their axes, tiny inputs, identical bytes."""

import io
from itertools import pairwise
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from miatlas.exhibits.evidence import Evidence, estimate, references_used
from miatlas.exhibits.figures import (
    common,
    distributions,
    histograms,
    roc,
    roc_by_references,
    roc_linear_log,
    tpr_by_references,
)
from miatlas.leakage import metrics, vulnerability
from miatlas.options import declared
from miatlas.study.checking import checked

ROOT = Path(__file__).parents[2]
STYLE = ROOT / "config" / "miatlas.mplstyle"
LIRA = {"attack": "lira_online", "options": {"variance": "per_example"}}


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.style.context(STYLE):
        yield


def scores_of(shape, gap, seed):
    """Scores (T, N) of members `gap` deviations above the others, and who is a member."""
    draws = np.random.default_rng(seed)
    member = draws.permuted(np.tile(np.arange(shape[1]) % 2 == 0, (shape[0], 1)), axis=1)
    return draws.normal(size=shape) + gap * member, member


def evidence_of(runs, shape=(4, 300), names=None):
    """Evidence of runs {(audit, label): (gap, extra keys)}, and their scores and members."""
    results, curves, raw = [], [], {}
    for seed, ((audit, label), (gap, extra)) in enumerate(runs.items()):
        scores, member = scores_of(shape, gap, seed)
        game = (scores, member, np.ones(shape, bool), np.arange(shape[0]))
        place = {"audit": audit, "label": label}
        sizes = {"models": 64, "examples": shape[1], "references": None}
        cohorts = {"target_cohort": f"digits_{audit}", "shadow_cohort": f"digits_{audit}"}
        about = {"attack": label, "options": {}, **sizes, **cohorts}
        results.append({**metrics.evaluate(*game), **place, **about, **extra})
        curves.append(metrics.roc_table(*game).assign(**place))
        raw[audit, label] = scores, member
    names = names or {label: label.upper() for _, label in runs}
    return Evidence(names, results, pd.concat(curves, ignore_index=True)), raw


def signals_of(models, examples, seed=0):
    """Evidence of a cohort: every example IN half of the models, phi normal around its means."""
    draws = np.random.default_rng(seed)
    member = draws.permuted(np.arange(models)[:, None] % 2 == np.zeros(examples, int), axis=0)
    centre, gap = draws.normal(3, 2, examples), draws.gamma(2, 0.5, examples)
    phi = centre + gap * member + draws.normal(size=member.shape)
    role = np.zeros(examples, np.uint8)
    facts = {"labels": np.arange(examples) % 10, "class_names": list("abcdefghij"), "role": role}
    return Evidence({}, signals={"phi": phi.astype(np.float32), "member": member, **facts})


def slow_tpr(scores, member, fpr):
    """Return the best TPR of all thresholds whose FPR is at most `fpr`, one after the other."""
    best, allowed = 0, fpr * (~member).sum() + 1e-6
    for threshold in np.unique(scores):
        positive = scores >= threshold
        if (positive & ~member).sum() <= allowed:
            best = max(best, (positive & member).sum())
    return best / member.sum()


def svg(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def test_curve_is_pooled_and_band_is_range_over_targets():
    evidence, raw = evidence_of({("mlp", "loss"): (1.0, {})}, shape=(3, 120))
    scores, member = raw["mlp", "loss"]
    _, data = roc.draw(evidence)
    for row in data.iloc[:: len(data) // 25].itertuples():
        assert row.tpr == pytest.approx(slow_tpr(scores.ravel(), member.ravel(), row.fpr))
        each = [slow_tpr(*one, row.fpr) for one in zip(scores, member, strict=True)]
        if row.fpr >= 1 / 60:
            assert (row.low, row.high) == pytest.approx((min(each), max(each)))
        else:
            assert np.isnan(row.low)
            assert np.isnan(row.high)
    assert data["low"].notna().any()


def test_band_of_one_deviation():
    evidence, raw = evidence_of({("mlp", "loss"): (0.5, {})}, shape=(3, 120))
    _, data = roc.draw(evidence, band="deviation")
    row = data[data["fpr"] >= 0.2].iloc[0]
    each = [slow_tpr(*one, row["fpr"]) for one in zip(*raw["mlp", "loss"], strict=True)]
    middle, spread = np.mean(each), np.std(each, ddof=1)
    assert row["low"] == pytest.approx(middle - spread)
    assert row["high"] == pytest.approx(middle + spread)


@pytest.mark.parametrize("examples", [20, 300])
def test_axes_are_cut_at_one_false_positive_of_the_pool(examples):
    evidence, _ = evidence_of({("mlp", "loss"): (1.0, {})}, shape=(4, examples))
    figure, data = roc.draw(evidence)
    resolution = 1 / (4 * examples / 2)
    assert data["fpr"].min() == pytest.approx(resolution)
    assert figure.axes[0].get_xlim() == pytest.approx((resolution, 1))
    assert figure.axes[0].get_ylim() == pytest.approx((resolution, 1))


def test_floor_cuts_where_the_data_resolve_more():
    evidence, _ = evidence_of({("mlp", "loss"): (1.0, {})})
    figure, data = roc.draw(evidence, floor=0.05)
    assert figure.axes[0].get_xlim()[0] == pytest.approx(0.05)
    assert data["fpr"].min() == pytest.approx(0.05)


def test_chance_line_and_legend():
    evidence, _ = evidence_of({("mlp", "loss"): (1.0, {}), ("cnn", "loss"): (0.0, {})})
    figure, _ = roc.draw(evidence, audit_names={"mlp": "MLP"})
    axes = figure.axes[0]
    chance = next(line for line in axes.lines if line.get_label() == "chance")
    assert np.array_equal(chance.get_xdata(), chance.get_ydata())
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    auc = evidence.result("mlp", "loss")["pooled"]["auc"]["value"]
    assert shown[0] == f"MLP (AUC {auc:.3f})"
    assert shown[1].startswith("cnn ")
    assert len({(line.get_color(), str(line.get_linestyle())) for line in axes.lines}) == 3


def test_names_say_what_differs():
    runs = {("mlp", "loss"): (1.0, {}), ("mlp", "logit"): (1.0, {}), ("cnn", "loss"): (1.0, {})}
    evidence, _ = evidence_of(runs)
    shown = [one.name for one in common.series(evidence, {})]
    assert shown == ["LOSS, mlp", "LOGIT, mlp", "LOSS, cnn"]
    with pytest.raises(ValueError, match="'vgg'"):
        common.series(evidence, {"vgg": "VGG"})


def test_linear_panel_begins_at_the_origin():
    evidence, raw = evidence_of({("mlp", "loss"): (1.0, {})})
    figure, data = roc_linear_log.draw(evidence)
    scores, member = (array.ravel() for array in raw["mlp", "loss"])
    assert data["fpr"].iloc[:2].tolist() == [0, 0]
    assert data["tpr"].iloc[1] == pytest.approx(slow_tpr(scores, member, 0.0))
    linear, logarithmic = figure.axes
    assert (linear.get_xscale(), logarithmic.get_xscale()) == ("linear", "log")
    assert linear.get_xlim() == (0, 1)


def sweep_of(counts=(4, 16, None), shape=(4, 300)):
    runs = {}
    for variance, gain in (("per_example", 0.3), ("global", 0.4)):
        for step, count in enumerate(counts, start=1):
            options = {"options": {"variance": variance}, "references": count}
            extra = {**LIRA, **options}
            runs["mlp", f"{variance}_{count}"] = (gain * step, extra)
    return evidence_of(runs, shape)


def test_tpr_by_references_is_the_mean_with_both_its_intervals():
    evidence, raw = sweep_of()
    _, data = tpr_by_references.draw(evidence, measures=[0.1])
    assert data["references"].tolist() == [4, 16, 62] * 2
    for row in data.itertuples():
        each = [slow_tpr(*one, 0.1) for one in zip(*raw["mlp", row.label], strict=True)]
        low, high = stats.t.interval(0.95, 3, np.mean(each), stats.sem(each))
        expected = (np.mean(each), max(low, 0), min(high, 1))
        assert (row.value, row.examples_low, row.examples_high) == pytest.approx(expected)
        [entry] = [
            entry
            for entry in evidence.result(row.audit, row.label)["mean"]["tpr_at_fpr"]
            if entry["level"] == 0.1
        ]
        assert {"low": row.low, "high": row.high} == entry["tpr"]["this_population"]
    assert not data["below_resolution"].any()


def test_tpr_by_references_pooled_has_the_interval_of_the_pooled_metrics():
    evidence, raw = sweep_of()
    figure, data = tpr_by_references.draw(evidence, measures=[0.01], over="pooled")
    row = data.iloc[0]
    scores, member = (array.ravel() for array in raw["mlp", row["label"]])
    value = slow_tpr(scores, member, 0.01)
    pooled = evidence.result(row["audit"], row["label"])["pooled"]["tpr_at_fpr"]
    [entry] = [entry for entry in pooled if entry["level"] == 0.01]
    assert row["value"] == pytest.approx(value)
    assert (row["low"], row["high"]) == (entry["low"], entry["high"])
    assert row["low"] < row["value"] < row["high"]
    top = figure.axes[0].get_ylim()[1]
    assert top > 100 * data["high"].max()


def named_sweep():
    """Two attacks shown under one name each, one of them without variances."""
    runs = {}
    for step, count in enumerate((1, 4, 16), start=1):
        extra = {"attack": "watson", "references": count}
        runs["mlp", f"watson_{count}"] = (0.2 * step, extra)
        if count > 1:
            runs["mlp", f"lira_{count}"] = (0.4 * step, {**LIRA, "references": count})
    runs["mlp", "lira"] = (1.8, LIRA)
    names = {label: label.partition("_")[0].title() for _, label in runs}
    return evidence_of(runs, names=names)


def test_attacks_shown_under_one_name_are_one_line_in_every_panel():
    evidence, raw = named_sweep()
    figure, data = tpr_by_references.draw(evidence, measures=[0.1, "auc"], over="pooled")
    for measure, axes in zip((0.1, "auc"), figure.axes, strict=True):
        own = data[data["measure"] == measure]
        assert own["series"].tolist() == ["Watson"] * 3 + ["Lira"] * 3
        assert own["references"].tolist() == [1, 4, 16, 4, 16, 62]
        drawn = [line for line in axes.lines if line.get_label() in ("Watson", "Lira")]
        assert [list(100 * part["value"]) for _, part in own.groupby("series", sort=False)] == [
            list(line.get_ydata()) for line in drawn
        ]
    for row in data.itertuples():
        scores, member = (array.ravel() for array in raw["mlp", row.label])
        expected = slow_tpr(scores, member, 0.1) if row.measure == 0.1 else (
            stats.mannwhitneyu(scores[member], scores[~member]).statistic / member.sum() ** 2
        )  # fmt: skip
        assert row.value == pytest.approx(expected)
        assert row.low < row.value < row.high


def test_numbers_below_the_axis_do_not_lie_upon_each_other():
    runs = {
        ("mlp", f"w{count}"): (1.0, {"attack": "watson", "references": count})
        for count in (1, 4, 31, 32, 62)
    }
    evidence, _ = evidence_of(runs, names={label: "W" for _, label in runs} | {"w62": "V"})
    figure, data = tpr_by_references.draw(evidence, measures=[0.1])
    figure.savefig(io.BytesIO(), format="png")
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels] == ["1", "4", "32", "62"]
    boxes = [label.get_window_extent() for label in labels]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    assert 31 in data["references"].tolist()


def test_an_attack_without_variances_says_how_many_references():
    evidence, _ = evidence_of(
        {("mlp", "a"): (1.0, {"attack": "watson"}), ("mlp", "b"): (1.0, LIRA)},
        names={"a": "One", "b": "One"},
    )
    with pytest.raises(ValueError, match="a: say its number of references"):
        tpr_by_references.draw(evidence)


def test_points_below_the_resolution_are_open():
    evidence, _ = sweep_of()
    figure, data = tpr_by_references.draw(evidence, measures=[0.001])
    assert data["below_resolution"].all()
    markers = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert sum(len(line.get_xdata()) for line in markers) == len(data)


def test_roc_by_references_has_a_panel_for_each_variance():
    evidence, raw = sweep_of()
    figure, data = roc_by_references.draw(evidence)
    assert [axes.get_title() for axes in figure.axes] == ["per-example variance", "global variance"]
    chosen = data[(data["series"] == "global variance") & (data["references"] == 16)]
    scores, member = (array.ravel() for array in raw["mlp", "global_16"])
    row = chosen[chosen["fpr"] >= 0.1].iloc[0]
    assert row["tpr"] == pytest.approx(slow_tpr(scores, member, row["fpr"]))


def test_sweep_refuses_what_it_cannot_place():
    evidence, _ = evidence_of({("mlp", "loss"): (1.0, {})})
    with pytest.raises(ValueError, match="'variance'"):
        tpr_by_references.draw(evidence)
    twice, _ = evidence_of({("mlp", "a"): (1.0, LIRA), ("mlp", "b"): (1.0, LIRA)})
    with pytest.raises(ValueError, match="a and b"):
        roc_by_references.draw(twice)


def test_level_that_was_not_evaluated_is_refused():
    evidence, _ = sweep_of()
    with pytest.raises(ValueError, match=r"0\.002.*1e-05"):
        tpr_by_references.draw(evidence, measures=[0.002])


@pytest.mark.parametrize(
    ("models", "same", "used"), [(64, True, 62), (5, True, 4), (64, False, 64), (4, True, 2)]
)
def test_references_used(models, same, used):
    shadow = "a" if same else "b"
    cohorts = {"target_cohort": "a", "shadow_cohort": shadow}
    assert references_used({"references": None, "models": models, **cohorts}) == used
    assert references_used({"references": 8, "models": models, **cohorts}) == 8


def test_interval_of_equal_values_is_that_of_a_single_target():
    result = evidence_of({("mlp", "loss"): (-9.0, {})})[0].metrics[0]
    read = estimate(result, "tpr", 0.01)
    own = [one for row in result["targets"] for one in row["tpr_at_fpr"] if one["level"] == 0.01]
    assert (read.value, read.low) == (0, 0)
    assert read.high == max(one["high"] for one in own) > 0


def test_four_examples_follow_the_rule():
    evidence = signals_of(32, 400)
    _, data = histograms.draw(evidence, share=0.25, extreme=0.1)
    phi, member = evidence.signals["phi"].astype(float), evidence.signals["member"]
    loss = np.log1p(np.exp(-phi))
    mean_in = np.array([loss[member[:, i], i].mean() for i in range(400)])
    mean_out = np.array([loss[~member[:, i], i].mean() for i in range(400)])
    ranks = stats.rankdata(mean_out)
    groups = {"inlier": ranks <= 100, "outlier": ranks > 300}
    assert data["example"].nunique() == 4
    for (column, row), panel in data.groupby(["column", "row"]):
        example = panel["example"].iloc[0]
        below = (mean_in[groups[column]] < mean_in[example]).sum()
        assert groups[column][example]
        assert below == (10 if row == "easy to fit" else 89)


def test_histograms_count_every_model_once():
    evidence = signals_of(32, 400)
    for statistic in ("loss", "logit"):
        _, data = histograms.draw(evidence, statistic=statistic)
        assert (data.groupby(["example", "kind"])["models"].sum() == 16).all()
    phi = evidence.signals["phi"]
    one = data[(data["kind"] == "OUT") & (data["models"] > 0)].iloc[0]
    values = phi[~evidence.signals["member"][:, one["example"]], one["example"]]
    assert ((values >= one["left"]) & (values < one["right"])).sum() == one["models"]


def test_only_the_pool_is_shown():
    evidence = signals_of(16, 60)
    evidence.signals["role"][:50] = 1
    _, data = histograms.draw(evidence)
    assert data["example"].min() >= 50
    evidence.signals["role"][:] = 2
    with pytest.raises(ValueError, match="pool"):
        histograms.draw(evidence)


def test_distribution_of_the_example_at_the_quantile():
    evidence = signals_of(64, 200)
    _, data = distributions.draw(evidence, quantile=1.0)
    score = vulnerability.privacy_score(evidence.signals["phi"], evidence.signals["member"])
    example = int(np.argmax(score))
    phi = evidence.signals["phi"][:, example].astype(float)
    values = phi[evidence.signals["member"][:, example]]
    panel = data[(data["statistic"] == "logit") & (data["kind"] == "IN")]
    middle = (panel["left"] + panel["right"]) / 2
    expected = stats.norm(values.mean(), values.std(ddof=1)).pdf(middle)
    assert panel["gaussian"].to_numpy() == pytest.approx(expected)
    assert data.loc[data["statistic"] != "logit", "gaussian"].isna().all()
    area = (data["density"] * (data["right"] - data["left"])).groupby(
        [data["statistic"], data["kind"]]
    )
    assert area.sum().to_numpy() == pytest.approx(np.ones(6))


def test_pooled_logits_are_normal_where_phi_is():
    _, data = distributions.draw(signals_of(64, 500), examples="pooled")
    error = (data["density"] - data["gaussian"]).abs().groupby(data["statistic"]).max()
    assert error["logit"] < 0.03
    assert error["loss"] > 0.1
    assert error["confidence"] > 0.1


TINY = {
    "roc": lambda: roc.draw(evidence_of({("mlp", "loss"): (1.0, {})}, (1, 6))[0]),
    "two": lambda: roc_linear_log.draw(evidence_of({("mlp", "loss"): (0.0, {})}, (1, 5))[0]),
    "nines": lambda: roc.draw(evidence_of({("m", c): (1.0, {}) for c in "abcdefghi"}, (1, 40))[0]),
    "panels": lambda: tpr_by_references.draw(named_sweep()[0], measures=[0.01, "auc"]),
    "tpr": lambda: tpr_by_references.draw(sweep_of((2,), (1, 40))[0]),
    "sweep": lambda: roc_by_references.draw(sweep_of((2,), (1, 40))[0]),
    "histograms": lambda: histograms.draw(signals_of(2, 5)),
    "one": lambda: distributions.draw(signals_of(4, 5)),
    "pooled": lambda: distributions.draw(signals_of(4, 40), examples="pooled"),
}


@pytest.mark.parametrize("case", TINY)
def test_tiny_inputs_render_and_two_drawings_are_the_same_bytes(case):
    (first, data), (second, again) = TINY[case](), TINY[case]()
    assert not data.empty
    pd.testing.assert_frame_equal(data, again)
    drawn = svg(first)
    assert drawn == svg(second)
    assert b"<text" in drawn  # letters stay letters


def test_constant_signals_render():
    evidence = signals_of(4, 8)
    evidence.signals["phi"][:] = 40.0
    evidence.signals["class_names"] = None
    assert svg(histograms.draw(evidence)[0])
    assert svg(distributions.draw(evidence)[0])


def test_options_are_declared():
    figures = ROOT / "scripts" / "miatlas" / "exhibits" / "figures"
    for module in (roc, roc_linear_log, tpr_by_references, roc_by_references, histograms):
        options = declared(Path(module.__file__), "draw")
        assert checked({}, options, "here").keys() == options.keys()
    for name, wrong in (("roc", {"band": "sd"}), ("histograms", {"share": 0.7}), ("roc", {"x": 1})):
        with pytest.raises(ValueError, match="here"):
            checked(wrong, declared(figures / f"{name}.py", "draw"), "here")


@pytest.mark.parametrize("module", [roc, roc_linear_log, roc_by_references])
def test_few_false_positives_are_shaded_up_to_the_tenth(module):
    evidence = (
        sweep_of()[0]
        if module is roc_by_references
        else evidence_of({("mlp", "loss"): (0.5, {})})[0]
    )
    figure, _ = module.draw(evidence)
    axes = figure.axes[-1]
    pooled = [evidence.curve(*pair)["false_positives"].iloc[-1] for pair in evidence.pairs()]
    [shade] = [patch for patch in axes.patches if patch.get_facecolor()[:3] == (0.93,) * 3]
    assert shade.get_x() == axes.get_xlim()[0]
    assert shade.get_x() + shade.get_width() == pytest.approx(10 / min(pooled))
