"""Exhibits of uncertainty and limits: the numbers they plot, tiny inputs, identical bytes."""

import io
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from miatlas.bounds import disclosures, factors
from miatlas.bounds.limits import Divergences, all_bounds, tpr_limit
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import (
    bound_scatter,
    disclosed,
    gap_by_models,
    measured_factors,
    roc_limits,
    uncertainty_cohorts,
    uncertainty_theory,
)
from miatlas.exhibits.measured_factors import by_kl
from miatlas.exhibits.tables import asked_again, factor_trends, uncertainty
from miatlas.leakage import metrics, privacy
from miatlas.options import declared
from miatlas.study.checking import checked

ROOT = Path(__file__).parents[2]
LABELS = {"cv": "lira_cv", "tlc": "lira_tlc", "ds": "lira_ds"}


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.style.context(ROOT / "config" / "miatlas.mplstyle"):
        yield


def bounds_of(examples, gap, seed=0):
    """A table of bounds as the workflow writes it, of examples whose laws are some way apart."""
    draws = np.random.default_rng(seed)
    table = pd.DataFrame({
        "example": np.arange(examples), "label": draws.integers(10, size=examples),
        "models_in": 16, "models_out": 16, "converged": True,
        "aleatoric": draws.uniform(0, 0.9, examples),
        "calibration": draws.uniform(0, gap, examples),
        "epistemic": draws.uniform(0, 1, examples), "epistemic_in": draws.uniform(0, 1, examples),
        "threshold": 0.2, "ece_in": 0.01, "ece_out": 0.05,
    })  # fmt: skip
    for scale, name in zip((1.0, 0.5, 0.2), disclosed.NAMES, strict=True):
        kl = scale * gap * draws.gamma(2.0, 0.5, (2, examples))
        affinity = np.exp(-kl.min(axis=0) / 4)
        law = Divergences(*kl, affinity)
        parts = {f"{name}_{key}": column for key, column in law._asdict().items()}
        bound = all_bounds(law).min(axis=0)
        achieved = np.clip(0.5 * bound + draws.normal(0, 0.2, examples), -1, 1)
        parts |= {
            f"{name}_bound": bound, f"{name}_bound_name": "Hellinger",
            f"{name}_optimum": 0.8 * bound, f"{name}_error": 0.0, f"{name}_achieved": achieved,
            f"{name}_low": achieved - 0.2, f"{name}_high": achieved + 0.2,
            f"{name}_mean_low": achieved.mean() - 0.03, f"{name}_mean_high": achieved.mean() + 0.03,
        }  # fmt: skip
        if name != "ds":
            parts[f"{name}_floor"] = 0.1 * scale
        table = table.assign(**parts)
    return table


def evidence_of(gaps, examples=300, targets=3, attacks=("lira_cv", "lira_tlc", "lira_ds")):
    """Evidence of cohorts {name: gap}, each with an audit of its own name."""
    results, curves, filed = [], [], {}
    for seed, (cohort, gap) in enumerate(gaps.items()):
        for place, label in enumerate(attacks):
            draws = np.random.default_rng([seed, place])
            member = draws.permuted(np.tile(np.arange(examples) % 2 == 0, (targets, 1)), axis=1)
            scores = draws.normal(size=member.shape) + gap / (place + 1) * member
            game = (scores, member, np.ones_like(member), np.arange(targets))
            own = {"audit": f"{cohort}_audit", "label": label}
            facts = {"target_cohort": cohort, "shadow_cohort": cohort, "options": {}}
            results.append({**metrics.evaluate(*game), **own, **facts})
            curves.append(metrics.roc_table(*game).assign(**own))
            parts = zip(("scores", "member", "evaluated", "targets"), game, strict=True)
            filed[own["audit"], label] = dict(parts)
    bounds = {c: bounds_of(examples, gap, seed) for seed, (c, gap) in enumerate(gaps.items())}
    names = {label: label.upper() for label in attacks}
    return Evidence(
        names, results, pd.concat(curves, ignore_index=True), bounds=bounds, scores=filed
    )


def svg(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


FAMILIES = [
    {"name": "noise", "levels": {"two": 0.5, "one": 0.1}, "factor": "aleatoric"},
    {"name": "kind", "levels": {"one": "plain", "two": "decayed"}},
]


def test_theory_is_the_limits_of_the_factors():
    figure, data = uncertainty_theory.draw(None, points=5, draws=500)
    assert [axes.get_xlabel()[:10] for axes in figure.axes] == [
        "relative c", "aleatoric ", "epistemic ",
    ]  # fmt: skip
    assert len(data) == 3 * 3 * 5
    for row in data[data["disclosure"] == "cv"].itertuples():
        point = {"aleatoric": 0.3, "calibration": 0.2, "epistemic": 0.2, row.factor: row.value}
        laws = [np.atleast_2d(alpha) for alpha in factors.laws(10, **point)]
        limit = disclosures.confidence_vector(*laws)
        assert row.optimum == pytest.approx(limit.advantage[0], abs=1e-9)
        assert row.bound == pytest.approx(limit.bound[0])
    assert (data["bound"] >= data["optimum"] - 1e-9).all()
    sampled = data[(data["disclosure"] == "ds") & (data["optimum"] > 0.05)]
    assert (sampled["error"] > 0).all()


def test_theory_stays_where_the_map_is_one():
    for point in ({}, {"calibration": 0.5, "aleatoric": 0.6}, {"classes": 2, "aleatoric": 0.4}):
        _, data = uncertainty_theory.draw(None, points=3, draws=50, **point)
        a = data["value"].where(data["factor"] == "aleatoric", point.get("aleatoric", 0.3))
        delta = data["value"].where(data["factor"] == "calibration", point.get("calibration", 0.2))
        assert (a > delta / (1 + delta)).all()


def test_a_coverage_moves_the_threshold_along_the_curve():
    _, fixed = uncertainty_theory.draw(None, points=4, draws=400)
    _, moving = uncertainty_theory.draw(None, points=4, draws=400, coverage=0.9)
    others = fixed["disclosure"] != "ds"
    pd.testing.assert_frame_equal(fixed[others], moving[others])
    changed = fixed.loc[~others, "optimum"] - moving.loc[~others, "optimum"]
    assert changed.abs().max() > 0.05


def test_the_gap_closes_and_the_claims_come_down():
    _, data = gap_by_models.draw(None, models=[2, 32], examples=600, classes=4, epistemic=0.1)
    for name, rows in data.groupby("disclosure"):
        few, many = (rows[rows["models"] == count].iloc[0] for count in (2, 32))
        assert many["low"] <= many["optimum"]
        assert few["achieved"] < many["achieved"]
        assert many["low"] <= many["achieved"] <= many["high"]
        if name != "ds":
            assert few["claimed"] > many["claimed"] > many["optimum"] - 0.02
    laws = [np.atleast_2d(alpha) for alpha in factors.laws(4, 0.3, 0.2, 0.1)]
    best = disclosures.confidence_vector(*laws).advantage[0]
    assert data.set_index("disclosure").loc["cv", "optimum"].iloc[0] == pytest.approx(best)


def test_cohorts_are_at_their_levels_with_their_means():
    evidence = evidence_of({"one": 1.0, "two": 0.3})
    figure, data = uncertainty_cohorts.draw(evidence, families=FAMILIES)
    assert len(data) == 2 * 2 * 3
    noise = data[data["family"] == "noise"]
    assert noise["x"].tolist() == [0.1] * 3 + [0.5] * 3  # in order, whatever the study's
    assert data[data["family"] == "kind"]["x"].tolist() == [0] * 3 + [1] * 3
    for row in data.itertuples():
        table = evidence.bounds[row.cohort]
        assert row.bound == pytest.approx(table[f"{row.disclosure}_bound"].mean())
        mean = table[f"{row.disclosure}_achieved"].mean()  # at log-ratio 0, not the largest
        expected = (mean, mean - 0.03, mean + 0.03)
        assert (row.achieved, row.low, row.high) == pytest.approx(expected)
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    mean = evidence.bounds["one"]["aleatoric"].mean()
    assert labels[0] == f"0.1\n$A$ {mean:.2g}"
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["plain", "decayed"]


def test_the_mean_calibration_error_is_that_of_the_means():
    table = pd.DataFrame({"aleatoric": [0.2, 0.999], "calibration": [0.1, 500.0], "epistemic": 0.5})
    means = [(0.8 * 1.1 + 0.001 * 501) / 2, 0.801 / 2]
    assert disclosed.factors_of(table)["calibration"] == pytest.approx(means[0] / means[1] - 1)


def test_attacks_are_known_by_name_or_by_option():
    known = disclosed.disclosures_of(["lira_cv", "lira_tlc_8", "mine", "loss"], {"ds": "mine"})
    assert known == {"lira_cv": "cv", "lira_tlc_8": "tlc", "mine": "ds"}
    for wrong, word in (({"xy": "mine"}, "'xy'"), ({"cv": ["no"]}, "'no'")):
        with pytest.raises(ValueError, match=word):
            disclosed.disclosures_of(["mine"], wrong)


def test_families_that_cannot_be_drawn_are_refused():
    evidence = evidence_of({"one": 1.0})
    for family, word in (
        ({"name": "x"}, "families"),
        ({"name": "x", "levels": {"one": 1}, "factor": "size"}, "size"),
        ({"name": "x", "levels": {"three": 1}}, "three"),
        ({"name": "x", "levels": {"one": 1}, "colour": "red"}, "colour"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            uncertainty_cohorts.draw(evidence, families=[family])


def test_a_cohort_has_one_result_of_each_disclosure():
    twice = evidence_of({"one": 1.0}, attacks=("lira_cv", "lira_cv_8"))
    with pytest.raises(ValueError, match="two results of cv"):
        uncertainty.tabulate(twice)


def untold(evidence, cohort, examples):
    """Take away the decision set's limits of some examples, as where draws cannot tell."""
    keys = ("optimum", "bound", "kl_in_out", "kl_out_in", "affinity")
    evidence.bounds[cohort].loc[examples, [f"ds_{key}" for key in keys]] = np.nan
    return evidence


def said(figure):
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_what_draws_cannot_tell_is_shown_as_such():
    few = untold(evidence_of({"one": 1.0, "two": 0.3}), "two", slice(0, 5))  # 6 of 300
    many = untold(evidence_of({"one": 1.0, "two": 0.3}), "two", slice(0, 199))
    for evidence, known in ((few, True), (many, False)):
        numbers, shown = uncertainty.tabulate(evidence)
        notes = " ".join(shown.attrs["notes"])
        assert f"DS bound draws cannot tell: two {2 if known else 66.67} %" in notes
        assert (shown["DS bound"][1] == "not estimated") == (not known)
        assert shown["DS bound"][0] != "not estimated"
        assert np.isnan(numbers["ds_bound"][1]) == (not known)
        figure, data = uncertainty_cohorts.draw(evidence, families=FAMILIES)
        own = data[(data["cohort"] == "two") & (data["disclosure"] == "ds")]
        assert own["bound"].isna().all() == (not known)
        assert ("DS: limit not estimated" in said(figure)) == (not known)
        figure, data = roc_limits.draw(evidence)
        assert ("DS: limit not estimated" in said(figure)) == (not known)
        figure, data = bound_scatter.draw(evidence)
        assert len(data) == 2 * 3 * 300 - (6 if known else 200)
        assert f"not estimated: {6 if known else 200} of 300" in said(figure)


def test_means_of_estimates_are_cut_where_they_cannot_be():
    evidence = evidence_of({"one": 1.0})
    for key, value in (("optimum", -0.01), ("kl_in_out", -0.02), ("affinity", 1.01)):
        evidence.bounds["one"][f"ds_{key}"] = value
    law, largest = disclosed.pooled(evidence.bounds["one"], "ds")
    assert (law.kl_in_out, law.affinity, largest) == (0, 1, 0)


def test_scatter_plots_every_example_once():
    evidence = evidence_of({"one": 1.0, "two": 0.3}, examples=120)
    evidence.bounds["one"].loc[:9, "cv_achieved"] = np.nan
    figure, data = bound_scatter.draw(evidence)
    assert len(data) == 2 * 3 * 120 - 10
    own = data[(data["cohort"] == "two") & (data["disclosure"] == "tlc")]
    assert own["x"].tolist() == evidence.bounds["two"]["tlc_bound"].tolist()
    panels = [axes for axes in figure.axes if axes.collections]
    cells = [
        c for axes in panels for c in axes.collections
        if c.get_array() is not None and len(c.get_offsets()) > 1
    ]  # fmt: skip
    counted = sum(int(c.get_array().sum()) for c in cells if c.get_array().max() >= 1)
    assert counted >= len(data)
    x, mean, error = bound_scatter._means(own, 4)
    parts = np.array_split(own.sort_values("x")["achieved"].to_numpy(), 4)
    assert mean == pytest.approx([part.mean() for part in parts])
    assert error == pytest.approx([stats.sem(part) for part in parts])
    assert (np.diff(x) > 0).all()
    _, other = bound_scatter.draw(evidence, against="optimum")
    assert other["x"].to_numpy() == pytest.approx(0.8 * data["x"].to_numpy())


def test_limits_are_those_of_the_mean_divergences():
    evidence = evidence_of({"one": 1.0, "two": 0.3})
    figure, data = roc_limits.draw(evidence, epsilons=[1.0], delta=0.01)
    assert len(figure.axes) == 2
    assert said(figure).count("fewer than\n10 false\npositives") == 2  # one a panel
    assert "false\npositives" not in said(roc_limits.draw(evidence, scale="linear")[0])
    limit = data[(data["kind"] == "limit") & (data["disclosure"] == "tlc")]
    limit = limit[limit["audit"] == "two_audit"]
    table = evidence.bounds["two"]
    law = Divergences(
        table["tlc_kl_in_out"].mean(), table["tlc_kl_out_in"].mean(), table["tlc_affinity"].mean()
    )
    expected = tpr_limit(limit["fpr"].to_numpy(), law, table["tlc_optimum"].mean())
    assert limit["tpr"].to_numpy() == pytest.approx(expected)
    assert (np.diff(limit["tpr"]) >= -1e-12).all()
    private = data[data["kind"] == "private"]
    assert private["tpr"].to_numpy() == pytest.approx(
        privacy.tpr_limit(private["fpr"].to_numpy(), 1.0, 0.01)
    )
    curve = data[(data["kind"] == "curve") & (data["label"] == "lira_cv")]
    pooled = evidence.curve("one_audit", "lira_cv")
    last = curve[curve["audit"] == "one_audit"].iloc[-1]
    assert (last["fpr"], last["tpr"]) == (1, 1)
    assert set(curve["tpr"]) <= set(pooled["tpr"]) | set(
        evidence.curve("two_audit", "lira_cv")["tpr"]
    )


def test_limits_need_an_attack_on_a_disclosure_and_bounds():
    evidence = evidence_of({"one": 1.0}, attacks=("loss",))
    with pytest.raises(ValueError, match="option `disclosures`"):
        roc_limits.draw(evidence)
    figure, _ = roc_limits.draw(evidence, disclosures={"tlc": "loss"}, scale="linear")
    assert figure.axes[0].get_xscale() == "linear"
    evidence.bounds.clear()
    with pytest.raises(ValueError, match="no bounds of the cohort 'one'"):
        roc_limits.draw(evidence, disclosures={"tlc": "loss"})


def test_infinite_divergences_leave_the_other_limits():
    evidence = evidence_of({"one": 1.0})
    evidence.bounds["one"].loc[0, ["ds_kl_in_out", "ds_kl_out_in"]] = np.inf
    _, data = roc_limits.draw(evidence)
    limit = data[(data["kind"] == "limit") & (data["disclosure"] == "ds")]
    assert np.isfinite(limit["tpr"]).all()
    assert limit["tpr"].min() < 0.5


def test_table_has_a_row_for_each_cohort():
    evidence = evidence_of({"one": 1.0, "two": 0.3}, attacks=("lira_cv",))
    numbers, shown = uncertainty.tabulate(evidence, cohort_names={"one": "First"})
    assert shown["Cohort"].tolist() == ["First", "two"]
    assert shown["TLC ε ≥"].tolist() == ["–", "–"]
    table = evidence.bounds["two"]
    row = numbers.set_index("cohort").loc["two"]
    assert row["aleatoric"] == pytest.approx(table["aleatoric"].mean())
    assert row["ds_bound"] == pytest.approx(table["ds_bound"].mean())
    assert row["ece_out"] == 0.05
    largest = [t["advantage"] for t in evidence.result("two_audit", "lira_cv")["targets"]]
    assert row["cv_achieved"] == pytest.approx(table["cv_achieved"].mean())
    assert abs(row["cv_achieved"] - np.mean(largest)) > 0.005  # not the maximum over thresholds
    low, high = row["cv_achieved_low"], row["cv_achieved_high"]
    assert shown["CV achieved"][1] == f"{row['cv_achieved']:.3f} [{low:.3f}, {high:.3f}]"
    assert shown["CV bound (noise)"][1] == f"{table['cv_bound'].mean():.3f} (0.100)"
    assert any("95 %" in note for note in shown.attrs["notes"])


def test_epsilon_is_that_of_the_calls_at_log_ratio_0():
    """45 of 50 members and 2 of 50 others are called, twice; who was not evaluated does not count.

    Thresholds that part the two better are not looked at.
    """
    evidence = evidence_of({"one": 1.0}, examples=103, targets=2, attacks=("lira_tlc",))
    member = np.tile(np.arange(103) < 50, (2, 1))
    called = (np.arange(103) < 45) | (np.arange(103) >= 98)  # of the last five three do not count
    scores = np.where(called, 1.0, np.where(member, 0.0, -2.0))  # all members above all others
    evidence.scores["one_audit", "lira_tlc"] = {
        "scores": scores, "member": member, "targets": np.arange(2),
        "evaluated": np.tile(np.arange(103) < 100, (2, 1)),
    }  # fmt: skip
    numbers, shown = uncertainty.tabulate(evidence)
    low = stats.binomtest(90, 100).proportion_ci(method="exact").low
    high = stats.binomtest(4, 100).proportion_ci(method="exact").high
    assert numbers["tlc_epsilon"][0] == pytest.approx(np.log(low / high))
    assert shown["TLC ε ≥"].tolist() == [f"{np.log(low / high):.2f}"]
    assert shown["CV ε ≥"].tolist() == ["–"]
    assert any("Clopper-Pearson" in note for note in shown.attrs["notes"])


def test_what_is_odd_about_the_numbers_is_said_below_the_table():
    evidence = evidence_of({"one": 1.0, "two": 0.3})
    _, shown = uncertainty.tabulate(evidence)
    said = " ".join(shown.attrs["notes"])
    assert "converge" not in said
    assert "coverage" not in said
    evidence.bounds["two"].loc[:2, "converged"] = False
    evidence.result("one_audit", "lira_ds")["options"]["threshold"] = "adaptive"
    numbers, shown = uncertainty.tabulate(evidence, cohort_names={"two": "Second"})
    assert numbers["unconverged"].tolist() == [0.0, pytest.approx(0.01)]
    said = " ".join(shown.attrs["notes"])
    assert "did not converge: Second 1 %." in said
    assert "each model's own" in said


def test_models_asked_again_are_compared_target_by_target_and_example_by_example():
    evidence = evidence_of({"one": 1.0, "two": 0.3}, attacks=("lira_cv", "lira_tlc"))
    numbers, shown = asked_again.tabulate(
        evidence, pair=["one", "two"], cohort_names={"one": "T = 1"}
    )
    assert numbers["disclosure"].tolist() == ["cv", "tlc"]  # DS has not been attacked
    row = numbers.iloc[1]
    each = [evidence.bounds[name]["tlc_achieved"] for name in ("one", "two")]
    test = stats.ttest_rel(each[1], each[0]).confidence_interval()
    assert row["achieved_difference"] == pytest.approx(np.mean(each[1]) - np.mean(each[0]))
    assert (row["achieved_low"], row["achieved_high"]) == pytest.approx((test.low, test.high))
    columns = [evidence.bounds[name]["tlc_optimum"] for name in ("one", "two")]
    test = stats.ttest_rel(columns[1], columns[0]).confidence_interval()
    assert row["largest_first"] == pytest.approx(columns[0].mean())
    assert (row["largest_low"], row["largest_high"]) == pytest.approx((test.low, test.high))
    assert "T = 1" in " ".join(shown.columns)


def test_no_limit_of_a_difference_is_beyond_what_is_possible():
    evidence = evidence_of({"one": 1.0, "two": 0.3}, attacks=("lira_tlc",))
    for name, achieved in (("one", [-1.0, 1.0, -1.0]), ("two", [1.0, 0.7, 1.0])):
        evidence.bounds[name] = evidence.bounds[name].head(3).assign(tlc_achieved=achieved)
        kind = evidence.result(f"{name}_audit", "lira_tlc")
        areas = {"one": (0.0, 0.6), "two": (1.0, 1.0)}[name]
        kind["targets"] = [kind["targets"][i] | {"auc": area} for i, area in enumerate(areas)]
    found = {}
    for quantity in ("advantage", "auc"):
        numbers, shown = asked_again.tabulate(evidence, pair=["one", "two"], quantity=quantity)
        found[quantity] = numbers.iloc[0]
    assert found["advantage"]["achieved_high"] == 2.0  # from -1 to 1
    assert found["auc"]["achieved_high"] == 1.0
    assert found["auc"]["achieved_low"] == -1.0
    for name in ("one", "two"):  # a single target: no interval, and none is shown
        del evidence.result(f"{name}_audit", "lira_tlc")["targets"][1:]
    numbers, shown = asked_again.tabulate(evidence, pair=["one", "two"], quantity="auc")
    assert np.isnan(numbers["achieved_low"][0])
    assert shown["difference (AUC)"][0] == "+1.000"


def test_models_that_are_not_the_same_are_not_compared():
    evidence = evidence_of({"one": 1.0, "two": 0.3})
    for pair, word in ((["one"], "two cohorts"), (["one", "three"], "no bounds")):
        with pytest.raises(ValueError, match=word):
            asked_again.tabulate(evidence, pair=pair)
    evidence.bounds["two"]["example"] += 1
    with pytest.raises(ValueError, match="same examples"):
        asked_again.tabulate(evidence, pair=["one", "two"])
    evidence.result("two_audit", "lira_cv")["targets"].pop()
    with pytest.raises(ValueError, match="same targets"):
        asked_again.tabulate(evidence, pair=["one", "two"])


def cohorts_at(places, noise=0.0):
    """Evidence of cohorts {name: (A, Δ, E)} whose advantage is Δ / 2 - A / 4 - E / 4, and noise."""
    evidence = evidence_of(dict.fromkeys(places, 1.0), examples=40, targets=1, attacks=("lira_cv",))
    for seed, (cohort, (aleatoric, calibration, epistemic)) in enumerate(places.items()):
        table = evidence.bounds[cohort]
        true = 0.5 + calibration / 2 - aleatoric / 4 - epistemic / 4
        true += noise * np.random.default_rng(seed).normal()
        for name in disclosed.NAMES:
            table[f"{name}_achieved"], table[f"{name}_bound"] = true, true + 0.1
            table[f"{name}_mean_low"], table[f"{name}_mean_high"] = true - 0.02, true + 0.02
        evidence.bounds[cohort] = table.assign(
            aleatoric=aleatoric, calibration=calibration, epistemic=epistemic
        )
    return evidence


PLACES = {
    "a": (0.3, 0.2, 0.2), "b": (0.3, 0.4, 0.2), "c": (0.3, 0.3, 0.2), "d": (0.5, 0.2, 0.2),
    "e": (0.4, 0.2, 0.2), "f": (0.3, 0.2, 0.5), "g": (0.3, 0.2, 0.4), "h": (0.3, 0.5, 0.2),
    "i": (0.3, 0.1, 0.2),
}  # fmt: skip
FACTORS = {
    "epistemic": ["a", "f", "g"],
    "aleatoric": ["a", "d", "e"],
    "calibration": ["a", "b", "c", "h", "i"],
}


def test_cohorts_stand_at_what_was_measured_of_them():
    evidence = cohorts_at(PLACES)
    figure, data = measured_factors.draw(evidence, factors=FACTORS)
    own = data[(data["factor"] == "calibration") & (data["disclosure"] == "tlc")]
    assert own["cohort"].tolist() == ["i", "a", "c", "b", "h"]
    assert own["x"].to_numpy() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert len(data) == 3 * 3 * 3 + 2 * 3
    for row in own.itertuples():
        table = evidence.bounds[row.cohort]
        kl = np.maximum(table[["tlc_kl_in_out", "tlc_kl_out_in"]].min(axis=1), 0)
        slow = [min(np.sqrt(k / 2), np.sqrt(1 - np.exp(-k)), 1) for k in kl]
        assert row.kl_bound == pytest.approx(np.mean(slow))
        assert row.bound == pytest.approx(table["tlc_bound"].mean())
        assert (row.achieved, row.low) == pytest.approx((row.bound - 0.1, row.bound - 0.12))
    panels = figure.axes
    assert [axes.get_ylabel() for axes in panels[::3]] == [f"{n}: advantage" for n in
                                                           ("CV", "TLC", "DS")]  # fmt: skip
    line = panels[3].lines[2]  # the row of TLC, the column of Δ: bound, by KL, achieved
    assert line.get_xdata() == pytest.approx(own["x"].to_numpy())
    assert line.get_ydata() == pytest.approx(own["achieved"].to_numpy())


def test_the_bound_by_kl_divergence_alone_is_never_below_the_tightest():
    table = bounds_of(500, 2.0)
    for name in disclosed.NAMES:
        assert (by_kl(table, name) >= table[f"{name}_bound"] - 1e-12).all()


def test_trends_are_tested_in_the_direction_of_the_paper():
    numbers, shown = factor_trends.tabulate(cohorts_at(PLACES), factors=FACTORS)
    row = numbers[(numbers["factor"] == "calibration") & (numbers["disclosure"] == "cv")].iloc[0]
    assert row["achieved_tau"] == pytest.approx(1.0)
    assert (row["cohorts"], row["below"]) == (5, 5)
    assert row["achieved_p"] == pytest.approx(1 / 120)  # one of the orders of five
    assert row["achieved_verdict"] == "appears"
    few = numbers[(numbers["factor"] == "aleatoric") & (numbers["disclosure"] == "cv")].iloc[0]
    assert few["achieved_tau"] == pytest.approx(-1.0)
    assert few["achieved_p"] == pytest.approx(1 / 6)
    assert few["achieved_verdict"] == "not told"
    sentences = shown.attrs["notes"]
    assert sentences[0].startswith("By the paper the advantage rises with Δ: this appears for CV")
    assert sentences[1].startswith("By the paper the advantage falls with A: no trend can be told")


def test_a_trend_the_other_way_and_bounds_that_are_exceeded_are_said():
    places = {name: (0.3, delta, 0.2) for name, delta in zip("abcde", (0.1, 0.2, 0.3, 0.4, 0.5),
                                                             strict=True)}  # fmt: skip
    evidence = cohorts_at(places)
    for name, table in evidence.bounds.items():  # what was measured of them is turned round
        table["calibration"] = 0.6 - places[name][1]
    evidence.bounds["a"]["cv_bound"] = 0.0
    evidence.bounds["b"]["cv_bound"] = evidence.bounds["b"]["cv_mean_low"] + 1e-6  # within error
    numbers, shown = factor_trends.tabulate(evidence, factors={"calibration": list(places)})
    assert numbers["achieved_verdict"].tolist() == ["the other way"] * 3
    assert numbers["below"].tolist() == [4, 5, 5]
    assert shown["Below the bound"].tolist() == ["4 of 5", "5 of 5", "5 of 5"]
    assert "it goes the other way for CV" in shown.attrs["notes"][0]


def test_slopes_with_the_others_held_are_those_of_least_squares():
    """With noise against another's regression: SciPy's, once the other factors are taken out."""
    draws = np.random.default_rng(3)
    places = {f"c{k}": tuple(draws.uniform(0.1, 0.5, 3)) for k in range(12)}
    evidence = cohorts_at(places, noise=0.02)
    numbers, _ = factor_trends.tabulate(evidence, factors={"calibration": list(places)})
    x = np.array(list(places.values()))
    y = np.array([evidence.bounds[c]["cv_achieved"].mean() for c in places])
    others = np.column_stack([np.ones(12), x[:, 0], x[:, 2]])
    rest = [v - others @ np.linalg.lstsq(others, v)[0] for v in (x[:, 1], y)]
    alone = stats.linregress(*rest)
    t = alone.slope / (alone.stderr * np.sqrt(10 / 8))  # eight degrees of freedom, not ten
    assert numbers["held_slope"][0] == pytest.approx(alone.slope)
    assert numbers["held_t"][0] == pytest.approx(t)
    assert numbers["held_p"][0] == pytest.approx(stats.t.sf(t, 8))


def test_five_cohorts_are_too_few_to_hold_the_others():
    five = dict(list(PLACES.items())[:5])
    numbers, shown = factor_trends.tabulate(cohorts_at(five), factors={"aleatoric": list(five)})
    assert numbers["held_t"].isna().all()
    assert shown["Achieved, others held"].tolist() == ["–"] * 3


def test_trends_by_lot_are_seldom_called_so():
    draws = np.random.default_rng(0)
    calls = 0
    for _ in range(400):
        own = pd.DataFrame({"x": draws.normal(size=5), "achieved": draws.normal(size=5)})
        calls += factor_trends.trend(own, "epistemic", "achieved")["achieved_verdict"] == "appears"
    assert calls <= 30  # 5 of 120 orders: 16.7 expected


@pytest.mark.parametrize(
    ("given", "word"),
    [({"size": ["a"]}, "size"), ({}, "no cohort"), ({"aleatoric": ["z"]}, "z")],
)
def test_unknown_factors_are_refused(given, word):
    with pytest.raises(ValueError, match=word):
        measured_factors.draw(cohorts_at(PLACES), factors=given)


TINY = {
    "theory": lambda: uncertainty_theory.draw(None, points=2, draws=20),
    "gap": lambda: gap_by_models.draw(None, models=[1, 2], examples=6, classes=3),
    "cohorts": lambda: uncertainty_cohorts.draw(
        evidence_of({"one": 0.5}, 6, 1), families=[{"name": "x", "levels": {"one": 3}}], floor=False
    ),
    "two": lambda: uncertainty_cohorts.draw(
        evidence_of({"one": 1.0, "two": 0.3}), families=FAMILIES
    ),
    "measured": lambda: measured_factors.draw(
        evidence_of({"one": 0.5}, 6, 1), factors={"aleatoric": ["one"]}
    ),
    "scatter": lambda: bound_scatter.draw(evidence_of({"one": 0.5}, 5, 1)),
    "limits": lambda: roc_limits.draw(evidence_of({"one": 0.5}, 5, 1)),
}


@pytest.mark.parametrize("case", TINY)
def test_tiny_inputs_render_and_two_drawings_are_the_same_bytes(case):
    (first, data), (second, again) = TINY[case](), TINY[case]()
    assert not data.empty
    pd.testing.assert_frame_equal(data, again)
    drawn = svg(first)
    assert drawn == svg(second)
    assert b"<text" in drawn


def test_a_scatter_without_a_single_achieved_advantage_renders():
    evidence = evidence_of({"one": 0.5}, 5, 1)
    for name in disclosed.NAMES:
        evidence.bounds["one"][f"{name}_achieved"] = np.nan
    figure, data = bound_scatter.draw(evidence)
    assert data.empty
    assert svg(figure)


def test_options_are_declared():
    for module in (
        uncertainty_theory,
        uncertainty_cohorts,
        bound_scatter,
        measured_factors,
        roc_limits,
        gap_by_models,
    ):
        options = declared(Path(module.__file__), "draw")
        needed = {"families": [], "factors": {}}
        given = {key: value for key, value in needed.items() if key in options}
        assert checked(given, options, "here").keys() == options.keys()
    options = declared(Path(uncertainty.__file__), "tabulate")
    assert checked({}, options, "here").keys() == options.keys()
    for wrong in ({"points": 0}, {"threshold": 2.0}, {"x": 1}):
        with pytest.raises(ValueError, match="here"):
            checked(wrong, declared(Path(uncertainty_theory.__file__), "draw"), "here")
