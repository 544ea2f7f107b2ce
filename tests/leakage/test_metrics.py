"""Metrics of whole audits: several targets, tables, vulnerability of examples."""

import json
import subprocess
import sys
from pathlib import Path

import measure_leakage
import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from miatlas.leakage import metrics, vulnerability
from miatlas.running.store import write_h5


@pytest.fixture
def audit():
    generator = np.random.default_rng(9)
    member = generator.random((4, 300)) < 0.5
    evaluated = generator.random((4, 300)) < 0.8
    scores = generator.normal(size=(4, 300)) + member
    scores[~evaluated] = np.nan  # never looked at
    return scores, member, evaluated, np.array([3, 5, 8, 13])


def test_evaluate_keeps_targets_apart_and_pools_them(audit):
    scores, member, evaluated, _ = audit
    result = json.loads(json.dumps(metrics.evaluate(*audit), allow_nan=False))
    assert [entry["target"] for entry in result["targets"]] == [3, 5, 8, 13]
    areas = [roc_auc_score(m[e], s[e]) for s, m, e in zip(scores, member, evaluated, strict=True)]
    assert [entry["auc"]["value"] for entry in result["targets"]] == pytest.approx(areas)
    assert result["mean"]["auc"]["mean"] == pytest.approx(np.mean(areas))
    assert result["mean"]["auc"]["std"] == pytest.approx(np.std(areas, ddof=1))
    pooled = result["pooled"]
    assert pooled["target"] == "pooled"
    assert pooled["auc"]["value"] == pytest.approx(
        roc_auc_score(member[evaluated], scores[evaluated])
    )
    assert pooled["members"] == (member & evaluated).sum()
    at = [entry["tpr_at_fpr"][-1] for entry in result["targets"]]
    assert result["mean"]["tpr_at_fpr"][-1]["level"] == 0.1
    assert result["mean"]["tpr_at_fpr"][-1]["tpr"]["mean"] == pytest.approx(
        np.mean([level["tpr"] for level in at])
    )


def test_one_target_has_no_spread(audit):
    result = metrics.evaluate(*(array[:1] for array in audit))
    assert result["mean"]["auc"]["std"] is None
    assert result["pooled"] == {**result["targets"][0], "target": "pooled"}


def test_what_cannot_be_evaluated_is_refused_by_name(audit):
    scores, member, evaluated, targets = audit
    broken = scores.copy()
    broken[2, np.flatnonzero(evaluated[2])[0]] = np.nan
    with pytest.raises(ValueError, match=r"target 8: 1 of \d+ scores are NaN"):
        metrics.evaluate(broken, member, evaluated, targets)
    with pytest.raises(ValueError, match=r"target 5: .*no non-members"):
        metrics.evaluate(scores, member | (targets == 5)[:, None], evaluated, targets)
    with pytest.raises(ValueError, match=r"target 3: .*no members"):
        metrics.evaluate(scores, member & (targets != 3)[:, None], evaluated, targets)
    with pytest.raises(ValueError, match="shapes do not fit"):
        metrics.evaluate(scores, member[:, :-1], evaluated, targets)
    with pytest.raises(ValueError, match="no targets"):
        metrics.evaluate(scores[:0], member[:0], evaluated[:0], targets[:0])


def test_roc_table_of_a_small_audit_holds_every_turn(audit):
    scores, member, evaluated, targets = audit
    table = metrics.roc_table(*audit)
    assert list(table) == ["target", "false_positives", "true_positives", "fpr", "tpr"]
    assert list(table["target"].unique()) == ["3", "5", "8", "13", "pooled"]
    for row, target in enumerate(targets):
        part = table[table["target"] == str(target)]
        chosen = evaluated[row]
        fpr, tpr, _ = roc_curve(member[row][chosen], scores[row][chosen], drop_intermediate=False)
        assert part[["fpr", "tpr"]].iloc[0].tolist() == [0, 0]
        assert part[["fpr", "tpr"]].iloc[-1].tolist() == [1, 1]
        area = np.trapezoid(part["tpr"], part["fpr"])
        assert area == pytest.approx(np.trapezoid(tpr, fpr))  # nothing but straight points dropped
        steps = part[["false_positives", "true_positives"]].diff().to_numpy()[1:]
        assert (steps[:-1, 0] * steps[1:, 1] != steps[1:, 0] * steps[:-1, 1]).all()


def test_precision_and_recall_agree_with_scikit_learn(audit):
    scores, member, evaluated, _ = audit
    table = metrics.precision_recall_table(*audit)
    part = table[table["target"] == "5"]
    chosen = evaluated[1]
    precision, recall, _ = precision_recall_curve(member[1][chosen], scores[1][chosen])
    expected = set(zip(recall.round(12), precision.round(12), strict=True))
    found = set(zip(part["recall"].round(12), part["precision"].round(12), strict=True))
    assert found == {point for point in expected if point != (0.0, 1.0)} | (found & {(0.0, 1.0)})
    assert part["recall"].iloc[-1] == 1
    assert part["precision"].iloc[-1] == pytest.approx(member[1][chosen].mean())


def test_per_example_vulnerability_is_the_area_over_targets():
    generator = np.random.default_rng(5)
    member, evaluated = generator.random((9, 40)) < 0.5, generator.random((9, 40)) < 0.7
    scores = generator.normal(size=(9, 40)).round(1)
    member[:, 0] = True
    found = vulnerability.per_example(scores, member, evaluated)
    for i in range(40):
        m, s = member[evaluated[:, i], i], scores[evaluated[:, i], i]
        if m.any() and not m.all():
            assert found[i] == pytest.approx(roc_auc_score(m, s))
        else:
            assert np.isnan(found[i])
    assert np.isnan(found[0])


def test_privacy_score_is_the_distance_in_deviations():
    generator = np.random.default_rng(5)
    member = generator.random((12, 30)) < 0.5
    member[:, 0], member[0, 0] = False, True  # one IN model: no deviation
    phi = generator.normal(size=(12, 30)).astype(np.float32)
    found = vulnerability.privacy_score(phi, member)
    for i in range(1, 30):
        a, b = phi[member[:, i], i].astype(float), phi[~member[:, i], i].astype(float)
        expected = abs(a.mean() - b.mean()) / (a.std(ddof=1) + b.std(ddof=1))
        assert found[i] == pytest.approx(expected)
    assert np.isnan(found[0])
    planted = np.where(np.arange(4000)[:, None] % 2, 3.0, 0.0) + generator.normal(size=(4000, 1))
    assert vulnerability.privacy_score(planted, np.arange(4000)[:, None] % 2 == 1) == pytest.approx(
        1.5, 0.05
    )


def test_intervals_are_left_out_where_they_do_not_cover():
    """Fewer than ten false positives are allowed: no t over targets of what they decide."""
    generator = np.random.default_rng(2)
    member = np.tile(np.arange(1200) < 200, (3, 1))  # 1,000 non-members
    scores = generator.normal(size=(3, 1200)) + member
    result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(3), (0.009, 0.01))
    few, enough = result["mean"]["tpr_at_fpr"]
    assert (few["allowed"], enough["allowed"]) == (9, 10)
    assert few["tpr"]["these_examples"] is None
    assert enough["tpr"]["these_examples"] is not None
    for found in (few, enough):  # which knows of the bias
        assert found["tpr"]["this_population"] is not None
    best = result["mean"]["balanced_accuracy"]
    assert best["these_examples"] is None  # on noise it would not hold a half
    levels = (0.0045, 0.005)  # of the 2,000 non-members of the two others
    result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(3), levels)
    few, enough = result["mean"]["transferred"]["rates"]
    assert few["tpr"]["this_population"] is few["tpr"]["these_examples"] is None
    assert enough["tpr"]["this_population"] is not None
    assert few["realised_fpr"]["this_population"] is not None


@pytest.mark.parametrize("preset", [None, "tf_privacy_2021"])
def test_with_the_public_scripts_preset_a_tpr_is_that_of_the_last_point_below_the_level(
    tmp_path, preset
):
    """Of 1,000 non-members, as the script reads it: at most 9 false positives at 1 %, not 10."""
    generator = np.random.default_rng(2)
    member = np.tile(np.arange(2000) < 1000, (2, 1))
    scores = generator.normal(size=member.shape) + 2 * member
    arrays = {"scores": scores, "member": member, "evaluated": np.ones_like(member),
              "targets": np.arange(2)}  # fmt: skip
    settings = {"attack": "lira_online", "options": {"preset": preset}, "references": None}
    settings |= {"design": "half", "leave_one_out": False}
    settings |= {f"{side}_cohort": "a" for side in ("target", "shadow", "reference")}
    write_h5(tmp_path / "s.h5", arrays, {"settings": settings, "models": 4, "at_chance": []})
    paths = {"metrics": str(tmp_path / "m.json"), "curves": str(tmp_path / "c.csv")}
    measure_leakage.main(
        scores=tmp_path / "s.h5", **paths, settings={"audit": "a", "label": "lira", "delta": 1e-5}
    )
    result = json.loads((tmp_path / "m.json").read_text())
    games = [*zip(member, scores, result["targets"], strict=True)]
    games.append((member.ravel(), scores.ravel(), result["pooled"]))
    for inside, values, entry in games:
        fpr, tpr, _ = roc_curve(inside, values, drop_intermediate=False)
        read = {round(row["level"], 9): row["tpr"] for row in entry["tpr_at_fpr"]}
        for level in (0.001, 0.01, 0.1):
            allowed = fpr < level - 1e-12 if preset else fpr <= level + 1e-12
            assert read[level] == pytest.approx(tpr[allowed][-1])


LARGE = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
from miatlas.leakage.metrics import evaluate
generator = np.random.default_rng(0)
member = generator.random((10, 50_000)) < 0.5
scores = generator.normal(size=member.shape) + member
start = time.process_time()
evaluate(scores, member, np.ones_like(member), np.arange(10))
status = open("/proc/self/status").read()  # resource's peak would be the parent's on Linux
peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**10
print(time.process_time() - start, peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_ten_targets_of_50_000_examples_take_seconds_and_little_memory():
    scripts = str(Path(metrics.__file__).parents[2])
    command = [sys.executable, "-c", LARGE, scripts]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, mebibytes = map(float, said.split())
    assert seconds < 10
    assert mebibytes < 500


@pytest.mark.parametrize("kind", [0, 1])
def test_areas_of_few_members_or_nonmembers_have_no_interval_for_these_examples(kind):
    """Of one target alone 49: with 15, t over targets holds the mean in 90 of 100 cases."""
    generator = np.random.default_rng(3)
    for fewest, printed in ((50, True), (49, False)):
        few = np.arange(400) < np.array([[90], [fewest], [200]])
        member = few if kind else ~few
        scores = generator.normal(size=(3, 400)) + member
        found = metrics.evaluate(scores, member, np.ones_like(member), np.arange(3), (0.1,))
        area = found["mean"]["auc"]
        assert (area["these_examples"] is not None) == printed
        assert area["this_population"] is not None
