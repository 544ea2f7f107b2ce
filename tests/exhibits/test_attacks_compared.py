"""Table I: its marks against the published ones, its numbers against the metrics."""

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from miatlas.audits.attack import Attack, load, reads
from miatlas.exhibits.attack_uses import NAMES, uses
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import attacks_compared
from miatlas.leakage import metrics
from miatlas.options import declared
from miatlas.study.checking import checked

ROOT = Path(__file__).parents[2]
ATTACKS = ROOT / "scripts" / "miatlas" / "attacks"


@dataclass(frozen=True)
class Scaled(Evidence):
    """Evidence with what is known of the cohorts."""

    scale: dict = field(default_factory=dict)


def used(name, **given):
    options = checked(given, declared(ATTACKS / f"{name}.py", "score"), name)
    return uses(load(name).ATTACK, options)


def printed_marks():
    """Yield each attack of carlini2022 Table I with the marks printed there."""
    path = ROOT / "config" / "published" / "carlini2022.csv"
    values = pd.read_csv(path, dtype=str, keep_default_na=False)
    marks = values[values["quantity"] == "uses"]
    for attack, own in marks.groupby("attack", sort=False):
        ticked = set(own.loc[own["value"] == "1", "column"])
        assert set(own["column"]) == set(NAMES)
        yield attack, tuple(name for name in NAMES if name in ticked)


@pytest.mark.parametrize(("attack", "marks"), [*printed_marks()])
def test_marks_are_the_published_ones(attack, marks):
    """But of MERLIN's: its deviation is tuned on shadow models here (methods §3)."""
    if attack == "merlin":
        marks = ("shadow models", *marks)
    assert used(attack) == marks


@pytest.mark.parametrize(
    ("name", "options", "marks"),
    [
        ("attack_s", {}, NAMES[::2]),  # refs are read by `fit` alone
        ("attack_p", {}, ()),
        ("class_threshold", {}, NAMES[::2]),
        ("hinge", {}, ()),  # labels, but nothing fitted for each of them
        ("logit", {"queries": 18}, ("multiple queries",)),
        ("lira_online", {"queries": 1}, ("shadow models", "class hardness", "example hardness")),
        ("salem", {}, ("shadow models",)),
    ],
)
def test_marks_of_others(name, options, marks):
    assert used(name, **options) == marks


def test_marks_follow_what_options_need():
    read = [reads("target_phi"), reads("refs_phi", form="refs")]
    attack = Attack("It", "nobody", 2026, "this test", score=read, hardness="example")
    assert uses(attack, {"form": "plain"}) == ()
    assert "example hardness" in uses(attack, {"form": "refs"})


def evidence_of(runs, queries=None, targets=3):
    """Evidence of {(audit, label): (attack, options)}."""
    results = []
    for seed, ((audit, label), (attack, options)) in enumerate(runs.items()):
        draws = np.random.default_rng(seed)
        member = draws.permuted(np.tile(np.arange(200) % 2 == 0, (targets, 1)), axis=1)
        scores = draws.normal(size=member.shape) + 2 * member
        result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))
        place = {"audit": audit, "label": label, "attack": attack, "target_cohort": audit}
        results.append({**result, **place, "options": options})
    scale = {audit: {"queries": queries} for audit, _ in runs} if queries else {}
    return Scaled({label: label.upper() for _, label in runs}, results, scale=scale)


LIRA = {"queries": None, "statistic": "logit", "variance": "global", "preset": None}
LOSS = ("loss", {"queries": 1})
RUNS = {("a", "loss"): LOSS, ("b", "loss"): LOSS, ("b", "lira"): ("lira_online", LIRA)}


def test_a_row_for_each_attack_a_column_for_each_audit():
    evidence = evidence_of(RUNS)
    numbers, shown = attacks_compared.tabulate(evidence, levels=[0.1], audit_names={"b": "B"})
    headings = ["TPR @ 10 % FPR, a", "TPR @ 10 % FPR, B"]
    headings += ["Balanced accuracy, a", "Balanced accuracy, B"]
    pairs = [name for heading in headings for name in (heading, f"{heading}, transferred")]
    assert shown.columns.tolist() == ["Attack", *NAMES, *pairs]
    assert shown["Attack"].tolist() == ["LOSS", "LIRA"]
    assert shown.loc[0, list(NAMES)].tolist() == ["○"] * 4
    assert shown.loc[1, list(NAMES)].tolist() == ["●"] * 4
    assert shown.loc[1, headings[0]] == shown.loc[1, headings[2]] == "–"
    assert "●" in shown.attrs["notes"][0]
    assert len(numbers) == 3
    for audit, label in RUNS:
        row = numbers[(numbers["audit"] == audit) & (numbers["label"] == label)].iloc[0]
        mean = evidence.result(audit, label)["mean"]
        assert row["balanced_accuracy"] == pytest.approx(mean["balanced_accuracy"]["mean"])
        best = mean["transferred"]["best"]["balanced_accuracy"]["mean"]
        assert row["balanced_accuracy_transferred"] == pytest.approx(best)
        tpr = next(entry["tpr"]["mean"] for entry in mean["tpr_at_fpr"] if entry["level"] == 0.1)
        assert row["tpr_at_0.1"] == pytest.approx(tpr)
        assert row["shadow models"] == (label == "lira")


def test_all_queries_of_a_cohort_that_answers_one_are_one():
    shown = attacks_compared.tabulate(evidence_of(RUNS, queries=1), levels=[0.1])[1]
    assert shown["multiple queries"].tolist() == ["○", "○"]
    shown = attacks_compared.tabulate(evidence_of(RUNS, queries=18), levels=[0.1])[1]
    assert shown["multiple queries"].tolist() == ["○", "●"]


@pytest.mark.parametrize("targets", [1, 2])
def test_small_tables(targets):
    evidence = evidence_of({("a", "loss"): LOSS}, targets=targets)
    for auc, levels in product((False, True), ([], [0.00001, 0.001])):
        _, shown = attacks_compared.tabulate(evidence, levels=levels, auc=auc)
        assert len(shown) == 1
        assert shown.shape[1] == 1 + 4 + (len(levels) + 1) * targets + auc  # two: transferred, too
        assert any(note.startswith("†") for note in shown.attrs["notes"]) == bool(levels)
