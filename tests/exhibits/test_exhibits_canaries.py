"""Canaries in exhibits: rows of their own in tables, and how exposed they are."""

import numpy as np
import pytest

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.figures import privacy_scores
from miatlas.exhibits.gathering import gather
from miatlas.exhibits.tables import ablation, attacks_compared, auc_by_cohort, by_models, summary
from miatlas.leakage import metrics
from miatlas.running.files import write_json


def result(label, seed, canaries=True):
    draws = np.random.default_rng(seed)
    member, canary = draws.random((3, 300)) < 0.5, np.arange(300) % 3 == 0
    scores = draws.normal(size=member.shape) + member * (1 + 2 * canary)
    said = {"audit": "a", "label": label, "attack": "loss", "options": {"queries": 1}}
    said |= {"target_cohort": "c", "shadow_cohort": "c", "references": None, "models": 3}
    every, targets = np.ones_like(member), np.arange(3)
    alone = {"canaries": metrics.evaluate(scores, member, every & canary, targets)}
    return said | metrics.evaluate(scores, member, every, targets) | (alone if canaries else {})


@pytest.fixture
def evidence():
    names = {"loss": "LOSS", "other": "Other", "unused": "None"}
    return Evidence(names, [result("loss", 0), result("other", 1, canaries=False)])


def test_what_was_measured_on_canaries_is_a_result_beside(evidence):
    both = evidence.beside_canaries()
    assert list(both.names.values()) == ["LOSS", "LOSS, on canaries", "Other", "None"]
    assert both.pairs() == [("a", "loss"), ("a", "loss, on canaries"), ("a", "other")]
    own = both.result("a", "loss, on canaries")
    assert own["mean"] == evidence.result("a", "loss")["canaries"]["mean"]
    assert own["target_cohort"] == "c"
    assert evidence.pairs() == [("a", "loss"), ("a", "other")]


@pytest.mark.parametrize("table", [summary, attacks_compared, ablation])
def test_canaries_have_rows_of_their_own(tmp_path, table):
    write_json(tmp_path / "m.json", result("loss", 0))
    settings = {"attacks": [["loss", "LOSS"]], "reads": table.READS}
    numbers, shown = table.tabulate(gather(settings, {"metrics": [tmp_path / "m.json"]}))
    assert shown.iloc[:, 0].tolist() == ["LOSS", "LOSS, on canaries"]
    column = next(c for c in numbers if c.startswith("tpr") and c.split("_")[-1] not in ("low",))
    assert numbers[column][1] > numbers[column][0]


def test_canaries_have_a_row_below_that_of_their_number_of_models(tmp_path):
    runs = {"few": result("few", 0), "many": result("many", 1), "none": result("none", 2, False)}
    paths = [tmp_path / f"{label}.json" for label in runs]
    for path, run in zip(paths, runs.values(), strict=True):
        write_json(path, run)
    settings = {"attacks": [[label, label] for label in runs], "reads": by_models.READS}
    counts = {"few": 2, "many": 16, "none": 8}
    numbers, shown = by_models.tabulate(gather(settings, {"metrics": paths}), models=counts)
    rows = ["2", "2, on canaries", "8", "16", "16, on canaries"]
    assert shown["Auxiliary models"].tolist() == rows
    for label, count in (("few", 2), ("many", 16)):
        own = numbers[numbers["label"] == f"{label}, on canaries"].iloc[0]
        assert own["models"] == count
        assert own["auc"] == estimate(runs[label] | runs[label]["canaries"], "auc").value
        assert own["auc"] > numbers.loc[numbers["label"] == label, "auc"].iloc[0]


def test_canaries_have_a_column_where_attacks_have_columns(evidence):
    assert "canaries" in auc_by_cohort.READS
    _, shown = auc_by_cohort.tabulate(evidence.beside_canaries())
    assert "LOSS, on canaries" in shown


def signals(gap, models=40, examples=120, role=None, seed=0):
    """Examples whose IN and OUT models are `gap` (N,) deviations apart."""
    draws = np.random.default_rng(seed)
    member = draws.random((models, examples)).argsort(0) < models // 2
    phi = draws.normal(size=member.shape) + member * gap
    canary = np.arange(examples) < examples // 4
    role = np.zeros(examples, np.uint8) if role is None else role
    return {"phi": phi, "member": member, "canary": canary, "role": role}


def test_a_kind_s_scores_are_those_of_its_canaries():
    canary = np.arange(120) < 30
    role = np.where(np.arange(120) >= 100, 1, 0)
    cohorts = {"wrong": signals(6.0 * canary), "far": signals(2.0 * canary, role=role, seed=1)}
    _, data = privacy_scores.draw(
        Evidence({}, beside=cohorts), kinds={"wrong": "mislabelled"}, bins=20
    )
    kinds = data.drop_duplicates("kind").set_index("kind")
    assert kinds["examples"].to_dict() == {
        "ordinary examples": 90 + 70,
        "mislabelled": 30,
        "far": 30,
    }
    assert kinds.loc["mislabelled", "mean"] == pytest.approx(3, abs=0.3)
    assert kinds.loc["far", "mean"] == pytest.approx(1, abs=0.2)
    assert kinds.loc["ordinary examples", "median"] < 0.25
    for _, own in data.groupby("kind"):
        assert (own["density"] * (own["right"] - own["left"])).sum() == pytest.approx(1)
    one = cohorts["wrong"]
    for i in (0, 7):
        inside, outside = (
            one["phi"][mask, i] for mask in (one["member"][:, i], ~one["member"][:, i])
        )
        wanted = abs(inside.mean() - outside.mean()) / (inside.std(ddof=1) + outside.std(ddof=1))
        assert privacy_scores._scores(one)[i] == pytest.approx(wanted)


def test_a_cohort_without_canaries_has_no_place_there():
    ordinary = signals(np.zeros(120)) | {"canary": np.zeros(120, bool)}
    with pytest.raises(ValueError, match="the cohort plain has no canaries"):
        privacy_scores.draw(Evidence({}, beside={"plain": ordinary}))


def test_examples_that_nobody_left_out_are_not_scored():
    everyone = signals(np.zeros(120))
    everyone["member"] = np.ones_like(everyone["member"])
    with pytest.raises(ValueError, match="two models that trained on it"):
        privacy_scores.draw(Evidence({}, beside={"a": everyone}))
