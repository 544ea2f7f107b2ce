"""Exhibits of defences: their price, what they keep, the ε that is claimed and that is refuted."""

import measure_leakage
import numpy as np
import pandas as pd
import pytest

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, defences, roc
from miatlas.exhibits.tables import defences as of_defences
from miatlas.exhibits.tables import epsilon as of_epsilon
from miatlas.leakage import epsilon, metrics
from miatlas.leakage.privacy import tpr_limit

GAPS = {("none", "lira"): 3.0, ("none", "loss"): 1.0, ("dp", "lira"): 0.1, ("dp", "loss"): 0.2}
CLAIMS = {"dp": {"epsilon": 2.0, "delta": 1e-5}, "none": None}


def result(audit, label, gap, seed, canaries=False):
    draws = np.random.default_rng(seed)
    member = draws.random((4, 1000)) < 0.5
    scores = draws.normal(size=member.shape) + gap * member
    arrays = (scores, member, np.ones_like(member), np.arange(4))
    measured = metrics.evaluate(*arrays) | {"epsilon": epsilon.refuted(*arrays, 1e-5, True)}
    said = {"audit": audit, "label": label, "attack": label, "options": {}, "references": None,
            "target_cohort": audit, "shadow_cohort": audit, "claimed": CLAIMS[audit]}  # fmt: skip
    return said | measured | ({"canaries": measured} if canaries else {}), arrays


@pytest.fixture(scope="module")
def evidence():
    return evidence_of()


def evidence_of():
    found = [result(*key, gap, seed, canaries=key == ("none", "lira"))
             for seed, (key, gap) in enumerate(GAPS.items())]  # fmt: skip
    curves = [
        metrics.roc_table(*arrays).assign(audit=r["audit"], label=r["label"]) for r, arrays in found
    ]
    scale = {"none": {"test_accuracy": [0.9, 0.92, 0.94]}, "dp": {"test_accuracy": [0.7, 0.72]}}
    names = {"lira": "LiRA", "loss": "LOSS"}
    return Evidence(names, [r for r, _ in found], pd.concat(curves), scale=scale)


def test_a_defence_has_its_accuracy_beside_transferred_rates(evidence):
    numbers, shown = of_defences.tabulate(evidence, levels=[0.01], audit_names={"dp": "DP-SGD"})
    assert shown["Defence"].tolist() == ["none", "none", "DP-SGD", "DP-SGD"]
    assert numbers["test_accuracy"].tolist() == pytest.approx([0.92, 0.92, 0.71, 0.71])
    for row in numbers.itertuples():
        mean = evidence.result(row.audit, row.label)["mean"]
        [rate] = [r for r in mean["transferred"]["rates"] if r["level"] == 0.01]
        assert numbers["tpr_at_0.01"][row.Index] == rate["tpr"]["mean"]
        assert row.auc == mean["auc"]["mean"]
    assert shown["Claimed ε"].tolist() == ["–", "–", "2.00 (δ = 1e-05)", "2.00 (δ = 1e-05)"]


def test_canaries_have_a_row_among_defences(evidence):
    _, shown = of_defences.tabulate(evidence.beside_canaries())
    assert shown["Attack"].tolist() == ["LiRA", "LiRA, on canaries", "LOSS", "LiRA", "LOSS"]


@pytest.mark.parametrize("threshold", ["transferred", "hindsight"])
def test_a_point_is_the_strongest_attack_of_an_audit(evidence, threshold):
    figure, data = defences.draw(
        evidence, levels=[0.01, 0.1], threshold=threshold, audit_names={"none": "No defence"}
    )
    assert data["name"].tolist() == ["No defence", "dp"] * 2
    for row in data.itertuples():
        mean = {label: evidence.result(row.audit, label)["mean"] for label in ("lira", "loss")}
        rows = {
            label: one["transferred"]["rates"] if threshold == "transferred" else one["tpr_at_fpr"]
            for label, one in mean.items()
        }
        each = {
            label: next(r["tpr"]["mean"] for r in own if r["level"] == row.fpr)
            for label, own in rows.items()
        }
        assert row.tpr == max(each.values()) == each[row.label]
    assert len(figure.axes) == 2
    drawn = figure.axes[0].get_legend_handles_labels()[1]
    assert drawn == ["No defence", "dp", "chance"]


def test_a_point_may_be_of_canaries(evidence):
    _, data = defences.draw(evidence.beside_canaries(), levels=[0.01], canaries=True)
    assert data["label"].tolist() == ["lira, on canaries"]
    with pytest.raises(ValueError, match="no result on canaries"):
        defences.draw(evidence, canaries=True)


def test_a_claimed_epsilon_stands_beside_what_is_refuted(evidence):
    numbers, shown = of_epsilon.tabulate(evidence)
    for row in numbers.itertuples():
        found = evidence.result(row.audit, row.label)["epsilon"]
        assert (row.rates, row.gaussian, row.one_run) == tuple(
            found[way]["epsilon"] for way in ("rates", "gaussian", "one_run")
        )
    assert numbers["claimed"].tolist()[2:] == [2.0, 2.0]
    assert shown["Claimed ε"][0] == "–"
    assert numbers["one_run"][0] > 2 > numbers["one_run"][2]


def test_what_is_not_told_is_a_dash(evidence):
    one, _ = result("none", "lira", 1.0, 9)
    one |= {"claimed": {"epsilon": None, "delta": 1e-5}}
    one["epsilon"] = one["epsilon"] | {"one_run": None}
    _, shown = of_epsilon.tabulate(Evidence({"lira": "LiRA"}, [one]))
    assert shown["Claimed ε"].tolist() == ["∞ (δ = 1e-05)"]
    assert shown["Refuted ε, one run"].tolist() == ["–"]


def test_what_privacy_allows_is_a_curve_among_those_of_private_targets(evidence):
    figure, data = roc.draw(evidence, floor=1e-3)
    limit = data[data["label"] == ""]
    assert limit["tpr"].to_numpy() == pytest.approx(tpr_limit(limit["fpr"].to_numpy(), 2.0, 1e-5))
    assert set(limit["name"]) == {"(2, 1e-05)-DP allows, dp"}
    assert "(2, 1e-05)-DP allows, dp" in figure.axes[0].get_legend_handles_labels()[1]
    alone = Evidence(evidence.names, evidence.metrics[:2], evidence.curves)
    assert "" not in set(roc.draw(alone)[1]["label"])


def test_the_claim_is_the_largest_of_the_targets_by_their_histories(tmp_path):
    rows = [(m, e, None) for m in range(6) for e in (1, 2)]
    table = pd.DataFrame(rows, columns=["model", "epoch", "epsilon"])
    last = table["epoch"] == 2
    table.loc[last, "epsilon"] = [1.0, 3.0, 2.0, 9.0, 8.0, 7.0]
    table.loc[last, "delta"] = 1e-5
    files = [tmp_path / "0.csv", tmp_path / "1.csv"]
    for path, own in zip(files, (table["model"] < 3, table["model"] >= 3), strict=True):
        table[own].to_csv(path, index=False)
    found = measure_leakage.claimed(files, np.arange(3))
    assert found == {"epsilon": 3.0, "delta": 1e-5}
    table["epsilon"] = table["epsilon"].replace(3.0, np.inf)
    table.to_csv(files[0], index=False)
    assert measure_leakage.claimed(files[:1], np.arange(3))["epsilon"] is None
    assert measure_leakage.claimed([], np.arange(3)) is None


def test_pictures_are_not_wider_than_a_page(evidence):
    assert defences.draw(evidence)[0].get_figwidth() <= common.PAGE + 0.3
