"""Exhibits of shi2024 §5 and ye2022 §4.6, §5: sizes, overfitting, guesses, vulnerable models."""

from dataclasses import replace
from inspect import Parameter, signature

import numpy as np
import pytest
from scipy import stats

from miatlas.audits.attack import load
from miatlas.exhibits import guesses
from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.figures import auxiliary_sizes
from miatlas.exhibits.tables import auc_by_guess, dependence, overfitting, vulnerable_models
from miatlas.leakage import metrics

SIZES = {"small": 500, "middle": 1000, "large": 2000}


def evidence_of(gaps, targets=4, examples=400, seed=0, **about):
    """A result an audit: scores of members lie `gap` above those of others, a gap a target."""
    results = []
    for number, (audit, gap) in enumerate(gaps.items()):
        draws = np.random.default_rng([seed, number])
        member = draws.random((targets, examples)) < 0.5
        gap = np.broadcast_to(gap, targets)
        scores = draws.normal(size=member.shape) + gap[:, None] * member
        found = metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))
        sides = {"target_cohort": audit, "shadow_cohort": audit, "reference_cohort": audit}
        place = {"audit": audit, "label": "ldc", "attack": "ldc", "options": {}}
        results.append({**found, **place, **sides, **about.get(audit, {})})
    scale = {
        name: {"training_examples": size, "train_accuracy": [0.9, 0.8], "test_accuracy": [0.6, 0.7]}
        for name, size in SIZES.items()
    }
    return Evidence({"ldc": "LDC-MIA"}, results, scale=scale)


def test_overfitting_has_a_row_a_size_fewest_first_with_gap_auc_and_tpr():
    evidence = evidence_of({"large": 0.5, "small": 2.0, "middle": 1.0})
    numbers, shown = overfitting.tabulate(evidence, levels=[0.1])
    assert numbers["training_examples"].tolist() == [500, 1000, 2000]
    assert numbers["accuracy_gap"].tolist() == pytest.approx([0.2] * 3)  # mean of 0.3 and 0.1
    for row in numbers.itertuples():
        result = evidence.result(row.audit, row.label)
        assert row.auc == pytest.approx(np.mean([t["auc"]["value"] for t in result["targets"]]))
    tprs = [estimate(evidence.result(a, "ldc"), "tpr", 0.1).value for a in numbers["audit"]]
    assert numbers["tpr_at_0.1"].tolist() == tprs
    assert shown.columns[:2].tolist() == ["Training examples", "Train - test accuracy"]


def test_sizes_stand_at_what_the_side_that_varies_trains_on():
    evidence = evidence_of(
        {"small": 0.5, "middle": 1.0, "large": 1.5},
        small={"reference_cohort": "large"}, large={"reference_cohort": "small"},
    )  # fmt: skip
    panels = {"shadow": ["small", "middle"], "reference": ["large", "middle"]}
    figure, data = auxiliary_sizes.draw(evidence, panels=panels, level=0.1)
    found = {side: own["training_examples"].tolist() for side, own in data.groupby("side")}
    assert found == {"shadow": [500, 1000], "reference": [500, 1000]}
    assert data[data["side"] == "reference"]["audit"].tolist() == ["large", "middle"]
    assert [axes.get_xlabel().split()[-2] for axes in figure.axes] == list(panels)
    for axes, side in zip(figure.axes, panels, strict=True):
        (line,) = (line for line in axes.lines if len(line.get_xdata()) == 2)
        drawn = data[data["side"] == side]
        assert line.get_ydata() == pytest.approx(100 * drawn["value"].to_numpy())


@pytest.mark.parametrize(
    ("panels", "said"),
    [({"both": ["small"]}, "'both' is not one of"), ({"shadow": ["smal"]}, "'smal' is no audit")],
)
def test_sizes_refuse_what_is_not_there(panels, said):
    with pytest.raises(ValueError, match=said):
        auxiliary_sizes.draw(evidence_of({"small": 1.0}), panels=panels, level=0.1)


CELLS = {"a_by_a": 2.0, "a_by_b": 1.0, "b_by_a": 0.5, "b_by_b": 1.5}


def of_guesses():
    sides = {
        name: {"target_cohort": name[0], "shadow_cohort": f"{name[-1]}_shadow"} for name in CELLS
    }
    return evidence_of(CELLS, **sides)


def test_shadow_cohorts_of_their_own_are_guesses_of_the_cohort_whose_training_they_share():
    alike = {"a_shadow": "a", "b_shadow": "b"}
    evidence = of_guesses()
    assert {shadow for _, shadow in guesses.by_cohorts(evidence)} == {"a_shadow", "b_shadow"}
    found = guesses.by_cohorts(evidence, alike)
    assert list(found) == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    numbers, shown = auc_by_guess.tabulate(evidence, trained_as=alike, cohort_names={"b": "B"})
    assert shown.columns.tolist() == ["Target", "a", "B"]
    for row in numbers.itertuples():
        assert row.audit == f"{row.target}_by_{row.shadow}"
        assert row.auc == estimate(evidence.result(row.audit, "ldc"), "auc").value
    assert shown.loc[1, "B"].startswith(f"{numbers['auc'].iloc[3]:.3f} [")


def test_targets_alike_are_called_different_about_as_often_as_p_says():
    p = [
        vulnerable_models.tabulate(evidence_of({"small": 1.0}, targets=6, examples=200, seed=seed))
        for seed in range(200)
    ]
    p = np.array([numbers["p"].iloc[0] for numbers, _ in p])
    assert stats.binomtest(int((p < 0.05).sum()), len(p), 0.05).pvalue > 0.01
    assert stats.binomtest(int((p < 0.5).sum()), len(p), 0.5).pvalue > 0.01


def test_a_more_vulnerable_target_is_found_and_named():
    evidence = evidence_of({"small": [0.5, 0.5, 2.0, 0.5]})
    numbers, shown = vulnerable_models.tabulate(evidence)
    aucs = [target["auc"]["value"] for target in evidence.metrics[0]["targets"]]
    row = numbers.iloc[0]
    assert (row["highest_target"], row["highest"], row["lowest"]) == (2, max(aucs), min(aucs))
    assert row["std"] == pytest.approx(np.std(aucs, ddof=1))
    assert row["p"] < 1e-6
    assert shown.loc[0, "Highest AUC"].endswith("(2)")


def test_audits_are_named_where_several_have_run_an_attack():
    one, both = evidence_of({"small": 1.0}), evidence_of({"small": 1.0, "large": 0.5})
    _, shown = vulnerable_models.tabulate(one)
    assert shown.columns[0] == "Attack"
    numbers, shown = vulnerable_models.tabulate(both, audit_names={"large": "Many"})
    assert shown[["Audit", "Attack"]].to_numpy().tolist() == [
        ["small", "LDC-MIA"], ["Many", "LDC-MIA"],
    ]  # fmt: skip
    assert numbers["audit"].tolist() == ["small", "large"]
    apart = replace(both, names={"ldc": "LDC-MIA", "loss": "LOSS"})
    apart.metrics[1]["label"] = "loss"  # each attack in an audit of its own
    _, shown = vulnerable_models.tabulate(apart)
    assert shown["Attack"].tolist() == ["LDC-MIA", "LOSS"]
    assert "Audit" not in shown


def test_homogeneity_against_the_sum_written_out():
    values, errors = [0.6, 0.7, 0.65], [0.02, 0.01, 0.04]
    weights = [1 / e**2 for e in errors]
    mean = np.average(values, weights=weights)
    q = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True))
    found = vulnerable_models.homogeneity([*values, 1.0], [*errors, 0.0])  # one without an error
    assert found == pytest.approx((q, stats.chi2.sf(q, 2)))
    assert np.isnan(vulnerable_models.homogeneity([0.5, 1.0], [0.1, 0.0])).all()


def test_a_single_target_is_no_comparison():
    with pytest.raises(ValueError, match="each audit has one"):
        vulnerable_models.tabulate(evidence_of({"small": 1.0}, targets=1))


PAPER = {  # ye2022 Table 1, and L with it
    "attack_s": ("label",), "attack_p": ("model",), "attack_r": ("label", "example"),
    "attack_d": ("model", "label", "example"), "attack_l": ("model", "label", "example"),
    "loss": (), "lira_online": ("label", "example"), "class_threshold": ("label",),
}  # fmt: skip


def defaults(name):
    """The options of an attack that a study leaves out."""
    module = load(name)
    parts = [getattr(module, part) for part in ("score", "fit") if hasattr(module, part)]
    each = [p for part in parts for p in signature(part).parameters.values()]
    return {p.name: p.default for p in each if p.kind is Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", PAPER)
def test_thresholds_depend_on_what_the_paper_says(name):
    assert dependence.depends_on(load(name).ATTACK, defaults(name)) == PAPER[name]


def test_the_table_of_thresholds_is_written_as_in_the_paper():
    results = [
        {"audit": "a", "label": name[-1], "attack": name, "options": defaults(name)}
        for name in ("attack_p", "attack_d", "attack_r")
    ]
    numbers, shown = dependence.tabulate(Evidence({"p": "P", "r": "R", "d": "D"}, results))
    assert shown["Attack"].tolist() == ["P", "R", "D"]
    assert shown["Threshold"].tolist() == ["c(θ)", "c(x, y)", "c(θ, x, y)"]
    assert numbers.loc[1].tolist() == ["r", False, True, True]
