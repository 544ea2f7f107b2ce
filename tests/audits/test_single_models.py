"""The model that speaks alone, as for Long's outliers: of no training set drawn with a target's."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from miatlas.attacks import long
from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.designs.base import Draws
from miatlas.running.store import write_h5
from miatlas.signals.answers import Signals
from miatlas.study import reading, study_files
from miatlas.study.audit_jobs import compared_settings

CONFIG = Path(__file__).parents[2] / "config"
N, TARGETS = 40_000, 4
OPTIONS = {"outliers": 0.5, "smoothing": "linear"}
DRAWN_TOGETHER = {  # a design, its models, and its group; those of carlini2022 have 8 and 16
    "half of 2": ("half", 8, {"group": 2}), "half of 4": ("half", 8, {"group": 4}),
    "half of 8": ("half", 16, {"group": 8}), "half of 16": ("half", 32, {"group": 16}),
    "half of 8, then 4": ("half", 12, {"group": [8, 4]}),
    "canaries of 8": ("canaries", 16, {"group": 8}),
    "balanced of 8": ("balanced", 16, {"group": 8, "size": N // 2}),
}  # fmt: skip
drawn_together = pytest.mark.parametrize(
    ("design", "models", "keys"), DRAWN_TOGETHER.values(), ids=DRAWN_TOGETHER
)


def write(folder, member):
    """Write answers of noise, and distances that tell a model's own members from all others."""
    rng, labels = np.random.default_rng(1), np.arange(N) % 4
    phi = rng.normal(size=(*member.shape, 1)).astype(np.float32)
    write_h5(folder / "one.h5", {"member": member, "labels": labels, "phi": phi}, {})
    distances = (~member + rng.random(member.shape) / 4).astype(np.float32)
    write_h5(folder / "distances.h5", {"distances": distances}, {})
    return Signals([folder / "one.h5"], [folder / "distances.h5"])


def farthest_from_half(audit, member):
    """Return how far the targets' AUC lies from that of noise, in its deviations, at most."""
    far = []
    for found, own in zip(scoring.score(long, OPTIONS, audit, 512), member, strict=False):
        members, others = found[own], found[~own]
        auc = mannwhitneyu(members, others).statistic / len(members) / len(others)
        far.append((auc - 0.5) * np.sqrt(12 * len(members) * len(others) / (N + 1)))
    return np.abs(far).max()


@drawn_together
def test_long_asks_no_model_that_was_drawn_with_the_target(
    tmp_path, monkeypatch, design, models, keys
):
    draw = import_module(f"miatlas.designs.{design}").draw
    member = draw(np.arange(N), range(models), Draws(0, "c", "p"), **keys).member
    signals = write(tmp_path, member)
    group = {"group": keys.get("group"), "targets": TARGETS, "seed": 0}
    audit = audits.audit(signals, signals, design=design, **group)
    for target in range(TARGETS):
        agrees = (member[target] == member[audit.single_row(target)]).mean()
        assert abs(agrees - 0.5) < 5 / np.sqrt(4 * N)
    assert farthest_from_half(audit, member) < 4.5

    # and what it is for: any other model of the target's group tells its members
    monkeypatch.setattr(audits, "drawn_with", lambda design, group, model: {model})
    assert farthest_from_half(audit, member) > 6


def asking_one_model():
    """Yield each audit of the studies in config/ in which Long's attack asks the targets' kin."""
    for name, config in study_files.all_merged(CONFIG).items():
        if not any("long" in str(entry) for entry in (config.get("attacks") or {}).items()):
            continue
        study = reading.read(config)
        for audit, entry in study["audits"].items():
            attacks = {study["attacks"][label]["attack"] for label in entry["attacks"]}
            if "long" in attacks and entry["target"] == entry["shadow"]:
                yield name, audit, study


def test_in_no_study_does_long_ask_a_model_of_a_targets_group():
    groups = set()
    for name, label, study in asking_one_model():
        entry, settings = study["audits"][label], compared_settings(study, label)
        cohort = study["cohorts"][entry["target"]]
        signals = SimpleNamespace(shape=(cohort["models"], N), paths=["signals"])
        keys = {key: settings[key] for key in ("design", "seed", "group")}
        one = audits.Audit(signals, signals, np.arange(entry["targets"]), **keys)
        size = cohort["design"]["group"]
        groups.add(size)
        for target in one.targets:
            first = target - target % size
            row = one.single_row(target)
            assert not first <= row < first + size, (name, label, target)
            assert 0 <= row < cohort["models"]
    assert groups == {8, 16}


def test_where_all_models_are_one_group_nobody_is_asked():
    signals = SimpleNamespace(shape=(8, N), paths=["one.h5"])
    one = audits.Audit(signals, signals, np.arange(2), design="half", seed=0, group=8)
    with pytest.raises(ValueError, match=r"\Aone.h5: no model was drawn independently of target 0"):
        one.single_row(0)
