"""carlini2022's exhibits over cohorts: targets by shadow models of others, leakage by accuracy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy import stats

from miatlas.exhibits import guesses
from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.figures import cohort_scatter, common, mismatch, mismatch_roc
from miatlas.leakage import metrics, paired

GAPS = {("a", "a"): 3.0, ("a", "b"): 2.0, ("a", "c"): 1.0, ("b", "a"): 1.5, ("b", "b"): 2.5,
        ("b", "c"): 0.5}  # fmt: skip
LEVEL = 0.1


def evidence_of(gaps=GAPS, targets=4, examples=400):
    """Evidence of audits: scores of one target cohort share their noise and their members."""
    results, curves, scores = [], [], {}
    for target, shadow in gaps:
        draws = np.random.default_rng(ord(target))
        member = draws.random((targets, examples)) < 0.5
        noise = draws.normal(size=member.shape)
        own = np.random.default_rng([ord(target), ord(shadow)]).normal(size=member.shape)
        found = noise + 0.5 * own + gaps[target, shadow] * member
        arrays = {"scores": found, "member": member, "evaluated": np.ones_like(member),
                  "targets": np.arange(targets)}  # fmt: skip
        place = {"audit": f"{target}_by_{shadow}", "label": "lira"}
        about = {"target_cohort": target, "shadow_cohort": shadow, "references": None}
        results.append({**metrics.evaluate(**arrays), **place, **about})
        curves.append(metrics.roc_table(**arrays).assign(**place))
        scores[place["audit"], "lira"] = arrays
    accuracy = {"a": ([0.9, 0.92], [0.6, 0.64]), "b": ([0.7, 0.72], [0.65, 0.63]),
                "c": ([1.0, 1.0], [0.5, 0.5])}  # fmt: skip
    scale = {
        name: {"train_accuracy": train, "test_accuracy": test, "architecture": f"net_{name}"}
        for name, (train, test) in accuracy.items()
    }
    return Evidence({"lira": "LiRA"}, results, pd.concat(curves), scores=scores, scale=scale)


@pytest.fixture(scope="module")
def evidence():
    return evidence_of()


@pytest.fixture(scope="module")
def found(evidence):
    return guesses.costs(evidence, LEVEL)


def tpr_of_targets(evidence, audit):
    entries = evidence.result(audit, "lira")["targets"]
    return np.array(
        [next(r["tpr"] for r in e["tpr_at_fpr"] if r["level"] == LEVEL) for e in entries]
    )


def test_a_cell_is_the_mean_of_its_targets(evidence, found):
    cells = found[found["kind"] == guesses.CELL]
    assert len(cells) == len(GAPS)
    for row in cells.itertuples():
        tpr = estimate(evidence.result(row.audit, "lira"), "tpr", LEVEL)
        assert (row.tpr, row.tpr_low, row.tpr_high) == (tpr.value, tpr.low, tpr.high)


def test_a_wrong_guess_is_compared_with_the_right_one_on_the_same_targets(evidence, found):
    for row in found[found["kind"] == guesses.CELL].itertuples():
        own, right = (
            tpr_of_targets(evidence, f"{row.target}_by_{s}") for s in (row.shadow, row.target)
        )
        assert row.difference == pytest.approx((own - right).mean(), abs=1e-12)
    right = found[(found["target"] == found["shadow"]) & (found["target"] != "")]
    assert (right[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)


def test_the_mean_of_wrong_guesses_and_that_of_all_targets(evidence, found):
    means = {}
    for target, others in (("a", "bc"), ("b", "ac")):
        wrong = np.mean([tpr_of_targets(evidence, f"{target}_by_{s}") for s in others], axis=0)
        means[target] = wrong - tpr_of_targets(evidence, f"{target}_by_{target}")
        row = found[(found["kind"] == guesses.WRONG) & (found["target"] == target)].iloc[0]
        assert row["tpr"] == pytest.approx(wrong.mean())
        assert row["difference"] == pytest.approx(means[target].mean())
        assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
    whole = found[found["kind"] == guesses.ALL].iloc[0]
    each = np.concatenate(list(means.values()))
    assert whole["difference"] == pytest.approx(each.mean())
    rates = {
        (t, s): paired.tprs(**evidence.scores[f"{t}_by_{s}", "lira"], level=LEVEL) for t, s in GAPS
    }
    parts = [
        np.concatenate([
            (getattr(rates[t, s], part) + getattr(rates[t, u], part)) / 2
            - getattr(rates[t, t], part)
            for t, s, u in (("a", "b", "c"), ("b", "a", "c"))
        ])
        for part in paired.Rates._fields
    ]  # fmt: skip
    assert parts[0] == pytest.approx(each)
    expected = paired.interval(paired.Rates(*parts))
    assert whole["difference_high"] == pytest.approx(expected[2])


def test_without_a_right_guess_there_is_nothing_to_compare_with():
    found = guesses.costs(evidence_of({("a", "b"): 1.0, ("a", "c"): 2.0}), LEVEL)
    assert found["difference"].isna().all()
    assert found["kind"].tolist() == [guesses.CELL] * 2 + [guesses.WRONG]
    figure, _ = mismatch.draw(evidence_of({("a", "b"): 1.0}), level=LEVEL)
    assert len(figure.axes) == 2


def test_a_cell_shows_one_number(evidence):
    double = Evidence(
        {"lira": "LiRA", "loss": "LOSS"},
        [*evidence.metrics, evidence.metrics[0] | {"label": "loss"}],
    )
    with pytest.raises(ValueError, match="a_by_a/lira and a_by_a/loss both judge a by a"):
        guesses.by_cohorts(double)


def test_cohorts_on_both_sides_stand_in_the_same_order():
    pairs = [("b", "c"), ("b", "a"), ("b", "b"), ("a", "a")]
    assert guesses.sides(pairs) == (["b", "a"], ["b", "a", "c"])


def test_the_matrix_has_its_numbers_where_its_names_say(evidence):
    figure, data = mismatch.draw(evidence, level=LEVEL, cohort_names={"a": "Alpha"})
    matrix, beside = figure.axes
    rows, columns = (
        [label.get_text() for label in axis.get_ticklabels()]
        for axis in (matrix.yaxis, matrix.xaxis)
    )
    assert (rows, columns) == (["Alpha", "b", "all"], ["Alpha", "b", "c"])
    written = {text.get_position(): text.get_text() for text in matrix.texts}
    image = matrix.images[0].get_array()
    for row in data[data["kind"] == guesses.CELL].itertuples():
        place = ("abc".index(row.shadow), "ab".index(row.target))
        assert image[place[::-1]] == pytest.approx(100 * row.tpr)
        assert written[place].startswith(f"{100 * row.tpr:.1f}\n[{100 * row.tpr_low:.1f}")
    frames = {tuple(np.round(patch.get_xy()).astype(int)) for patch in matrix.patches}
    assert frames == {(0, 0), (1, 1)}
    all_of_them = data[data["kind"] == guesses.ALL].iloc[0]
    drawn = [tuple(line.get_xydata()[0]) for line in beside.lines if line.get_marker() == "o"]
    assert (pytest.approx(100 * all_of_them["difference"]), 2) in drawn
    assert len(drawn) == 3


def test_a_panel_is_a_target_and_a_curve_a_guess(evidence):
    figure, data = mismatch_roc.draw(evidence, floor=0.01, cohort_names={"a": "Alpha"})
    assert [axes.get_title() for axes in figure.axes] == ["target: Alpha", "target: b"]
    colours = []
    for axes, target in zip(figure.axes, "ab", strict=True):
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines) == {"Alpha", "b", "c", "chance"}
        widths = {name: line.get_linewidth() for name, line in lines.items() if name != "chance"}
        right = {"a": "Alpha"}.get(target, target)
        assert max(widths, key=widths.get) == right
        assert list(widths.values()).count(mismatch_roc.WIDE) == 1
        colours.append({name: to_hex(line.get_color()) for name, line in lines.items()})
    assert colours[0] == colours[1]
    own = data[(data["target"] == "b") & (data["shadow"] == "c")]
    curve = evidence.curve("b_by_c", "lira")
    assert own["tpr"].to_numpy() == pytest.approx(common.tpr_at(curve, own["fpr"].to_numpy()))


@pytest.mark.parametrize(("against", "at"), [("accuracy_gap", 0.29), ("test_accuracy", 0.62)])
def test_a_point_is_a_cohort_at_its_accuracy_and_leakage(evidence, against, at):
    alike = evidence_of({("a", "a"): 3.0, ("b", "b"): 1.0, ("c", "c"): 2.0})
    figure, data = cohort_scatter.draw(
        alike, against=against, level=LEVEL, families={"first": ["a", "b"]}, cohort_names={"c": "C"}
    )
    assert data["x"][0] == pytest.approx(at)
    assert data["name"].tolist() == ["a", "b", "C"]
    assert data["family"].tolist() == ["first", "first", "net_c"]
    for row in data.itertuples():
        tpr = estimate(alike.result(row.audit, "lira"), "tpr", LEVEL, "pooled")
        assert (row.tpr, row.tpr_low, row.tpr_high) == (tpr.value, tpr.low, tpr.high)
    axes = figure.axes[0]
    points = [line for line in axes.lines if line.get_label() == "first"]
    assert points[0].get_xdata().tolist() == (100 * data["x"][:2]).tolist()
    assert "3 cohorts" in axes.get_title()


def test_a_cohort_without_accuracies_is_named(evidence):
    alone = Evidence(evidence.names, evidence.metrics[:1], evidence.curves)
    with pytest.raises(ValueError, match="audit a_by_a, cohort a: no accuracies"):
        cohort_scatter.draw(alone, level=LEVEL)


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlation_is_spearmans(seed):
    draws = np.random.default_rng(seed)
    x, y = draws.normal(size=12), draws.integers(0, 6, 12)
    assert cohort_scatter.rank_correlation(x, y) == pytest.approx(tuple(stats.spearmanr(x, y)))


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 1.0, 1.0]])
def test_too_few_ranks_say_nothing(values):
    assert np.isnan(cohort_scatter.rank_correlation(values, np.arange(len(values)))).all()


def test_shadow_cohorts_of_their_own_stand_where_those_do_whose_training_they_share(evidence):
    """The same numbers, names and frames as where targets and shadow models are one cohort."""
    apart = [one | {"shadow_cohort": f"{one['shadow_cohort']}_2"} for one in evidence.metrics]
    alike = {f"{name}_2": name for name in "abc"}
    found = guesses.costs(replace(evidence, metrics=apart), LEVEL, alike)
    pd.testing.assert_frame_equal(found, guesses.costs(evidence, LEVEL))
    figure, data = mismatch.draw(replace(evidence, metrics=apart), level=LEVEL, trained_as=alike)
    assert len(figure.axes[0].patches) == 2  # the right guesses, framed
    assert set(data["shadow"]) <= {"a", "b", "c", ""}
