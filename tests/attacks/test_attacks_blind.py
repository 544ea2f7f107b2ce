"""No attack knows a target's membership: all of them, on files, in every design that allows them.

What can tell is who is compared with whom, and how often: so the designs are drawn as studies draw
them, the models' answers are noise or hold a planted signal, and the scores are the workflow's own.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from miatlas import options
from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.audits.perturbed import Perturbed
from miatlas.designs.base import Draws, Membership
from miatlas.designs.leave_one_out import models_for_each_target
from miatlas.running.store import read_h5, write_h5
from miatlas.signals.answers import Signals
from miatlas.signals.probes.distances import nearest
from miatlas.signals.statistics import logit_scaled_confidence
from miatlas.study import attack_list as registry
from miatlas.study import demands
from miatlas.study.checking import checked

CLASSES, HELD_OUT, TARGETS = 4, 60, 3
NOISY, DEVIATIONS = ("noise", "noisy_labels"), [0.1, 0.3, 1.0]
QUICK = {  # options that make a test of an attack quicker, or its effect larger
    "shokri": {"classifier": "linear"}, "salem": {"classifier": "linear"}, "ldc": {"epochs": 5},
    "long": {"outliers": 0.8},
}  # fmt: skip
ON_LABELS = {f"{name} on labels": name for name in ("attack_s", "attack_p", "attack_r")}


@dataclass
class World:
    """An audit's cohorts: their entries in a study, what their models trained on, audit keys."""

    pool: int
    entries: dict  # by side
    drawn: dict  # Membership of the pool's examples, by side
    same: bool = False
    keys: dict = field(default_factory=dict)


def entry(models, **design):
    return {
        "design": design, "models": models, "teacher": None, "held_out": 0.1,
        "queries": {"count": 2}, "probes": {noisy: {"deviations": DEVIATIONS} for noisy in NOISY},
    }  # fmt: skip


def draw(name, pool, models, cohort, *more, **keys):
    draws = Draws(0, cohort, "p")
    design = import_module(f"miatlas.designs.{name}")
    return design.draw(np.arange(pool), range(models), draws, *more, **keys)


def shared(name, **keys):
    """Sixteen models of a design, all of them targets' references, and a third cohort."""
    drawn = draw(name, 600, 16, "a", **keys)
    third = draw("iid", 600, 2, "c", size=300)
    entries = {"target": entry(16, name=name, **keys), "reference": entry(2, name="iid", size=300)}
    entries["shadow"] = entries["target"]
    return World(600, entries, {"target": drawn, "shadow": drawn, "reference": third}, same=True)


def distilled():
    """Eight students of each target."""
    world, k = shared("half", group=16), 8
    world.entries["shadow"] = entry(k * TARGETS, name="half", group=k)
    world.entries["shadow"]["teacher"] = {"cohort": "a", "students": k}
    world.drawn["shadow"] = draw("half", 600, k * TARGETS, "b", group=k)
    world.same, world.keys = False, {"per_target": {"shadow": k}}
    return world


def leave_one_out():
    """Each target retrained four times without each of 60 members, and four times as it was."""
    world, design = shared("half", group=16), {"of": "a", "examples": 120, "seeds": 4}
    world.pool, world.drawn = 160, {"target": draw("half", 160, 16, "a", group=16)}
    world.drawn["reference"] = draw("iid", 160, 2, "c", size=80)
    k = models_for_each_target(120, 4)
    world.entries["shadow"] = entry(k * TARGETS, name="leave_one_out", **design)
    targets = world.drawn["target"]
    world.drawn["shadow"] = draw("leave_one_out", 160, k * TARGETS, "b", targets, **design)
    world.same, world.keys = False, {"per_target": {"shadow": k}, "leave_one_out": True}
    return world


def six_way():
    """A partition for each target, with four shadow and four reference models."""
    keys = {"per_target": 4, "fractions": [0.25, 0.25, 0.15, 0.15, 0.2]}
    world = World(1200, {}, {}, keys={"per_target": {"shadow": 4, "reference": 4}})
    for side in ("target", "shadow", "reference"):
        own = {**keys, "side": side} | ({"per_target": 1} if side == "target" else {})
        models = TARGETS * own["per_target"]
        world.entries[side] = entry(models, name="six_way", **own)
        world.drawn[side] = draw("six_way", 1200, models, side, **own)
    return world


def disjoint():
    """Shadow models of the other half of the pool."""
    sides, world = {"target": TARGETS, "shadow": 8}, shared("half", group=16)
    for side, models in sides.items():
        keys = {"target_share": 0.5, "size": None, "side": side}
        world.entries[side] = entry(models, name="disjoint", **keys)
        world.drawn[side] = draw("disjoint", 600, models, side, **keys)
    world.same = False
    return world


WORLDS = {
    "half": cache(lambda: shared("half", group=4)), "paired": cache(lambda: shared("paired")),
    "distilled": cache(distilled), "leave_one_out": cache(leave_one_out),
    "six_way": cache(six_way), "disjoint": cache(disjoint),
}  # fmt: skip


def module(name):
    return import_module(f"miatlas.attacks.{ON_LABELS.get(name, name)}")


def chosen(name):
    given = {"statistic": "label"} if name in ON_LABELS else QUICK.get(name, {})
    return checked(given, options.declared(Path(module(name).__file__), "score"), name)


def possible(world):
    """Return the attacks that a study may run on these cohorts."""
    asked = {
        name: {"attack": ON_LABELS.get(name, name), "references": None, "options": chosen(name)}
        for name in NAMES
    }
    return [n for n in NAMES if not demands.complaint(asked[n], world.entries, world.same)]


NAMES = [*registry.attacks(), *ON_LABELS]
CASES = [(design, name) for design, world in WORLDS.items() for name in possible(world())]
every_case = pytest.mark.parametrize(("design", "name"), CASES)


def write(folder, side, world, signal, seed):
    """Write signals and probes of noise, and `signal` where a model was trained; held-out last."""
    drawn, rng = world.drawn[side], np.random.default_rng([seed, *side.encode()])
    total = world.pool + HELD_OUT
    role = (np.arange(total) >= world.pool).astype(np.uint8)
    member, evaluated = (np.pad(m, ((0, 0), (0, HELD_OUT))) for m in drawn[:2])
    labels = np.arange(total) % CLASSES
    hard = np.random.default_rng(seed).normal(size=(total, 1, CLASSES))  # to all cohorts alike
    own = np.eye(CLASSES)[labels][:, None]
    logits = rng.normal(size=(*member.shape, 2, CLASSES), scale=0.7).astype(np.float32)
    logits += hard + 2 * own + signal * member[:, :, None, None] * own
    phi = logit_scaled_confidence(logits, labels[:, None]).astype(np.float32)
    arrays = {
        "member": member, "evaluated": evaluated, "labels": labels, "role": role, "phi": phi,
        "logits": logits[:, :, 0], "zlib_bytes": 50 + np.arange(total) % 7,
    }  # fmt: skip
    write_h5(folder / f"{side}.h5", arrays, {})
    often = 1 / (1 + np.exp(-rng.normal(size=(2, *member.shape, 3)) - signal * member[..., None]))
    loss = np.log1p(np.exp(-phi[..., :1]))
    # Features of a model's own members lie apart, also where its answers tell nothing.
    features = rng.normal(size=(*member.shape, 6)) + 4 * ~member[..., None]
    distances = np.stack([nearest(torch.from_numpy(one)).numpy() for one in features])
    regressed = hard[:, 0, :1] + np.zeros((len(member), 1, 1))  # of no model's training set
    probes = {
        "normal_regression": np.concatenate([regressed, np.ones_like(regressed)], -1),
        "noise": np.round(often[0] * 20) / 20, "noisy_labels": np.round(often[1] * 20) / 20,
        "distances": distances,
        "gradients": loss * np.exp(rng.normal(size=(*member.shape, 3)) / 2),
        "tokens": rng.normal(size=(*member.shape, 8, 3)) ** 2 + signal * member[..., None, None],
    }  # fmt: skip
    if side in ("target", "shadow"):
        moved = phi[..., 1:] + 0.5 + np.arange(TARGETS)[:, None, None, None]  # (T, M, N, 1)
        write_h5(folder / f"moved_{side}.h5", {"moved": moved}, {})
    for name, array in probes.items():
        write_h5(folder / f"{side}_{name}.h5", {name: array.astype(np.float32)}, {})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a function that gives the folder of a design's files, written once."""

    @cache
    def folder(design, signal):
        path = tmp_path_factory.mktemp(design)
        for side in ("target", "reference") if WORLDS[design]().same else demands.SIDES:
            write(path, side, WORLDS[design](), signal, seed=3)
        return path

    return folder


def scores(name, design, folder, target=None):
    """Return the scores (T, N) of an attack; `target`: another file of the target's cohort."""
    world, cohorts = WORLDS[design](), {}
    for side in ("target", "reference") if world.same else demands.SIDES:
        file = (target if side == "target" else None) or folder / f"{side}.h5"
        cohorts[side] = Signals([file], sorted(folder.glob(f"{side}_*.h5")))
    cohorts.setdefault("shadow", cohorts["target"])
    design = world.entries["target"]["design"]
    keys = {"design": design["name"], "group": design.get("group"), "targets": TARGETS, "seed": 0}
    audit = audits.audit(
        cohorts["target"], cohorts["shadow"], reference=cohorts["reference"],
        perturbed=perturbed(folder, world.same), **keys | world.keys,
    )  # fmt: skip
    return scoring.score(module(name), chosen(name), audit, 64)


def perturbed(folder, same):
    """Return what the models answer at points of each target's own."""
    file = folder / "perturbed.h5"
    if not file.exists():
        own, every = (
            read_h5(folder / f"moved_{side}.h5")["moved"]
            for side in ("target", "target" if same else "shadow")
        )
        write_h5(file, {"target": own[range(TARGETS), range(TARGETS)], "refs": every}, {})
    return Perturbed(file)


def test_every_attack_is_tried_and_designs_of_its_own_where_it_needs_them():
    assert {name for _, name in CASES} == set(NAMES)
    assert ("distilled", "attack_d") in CASES
    assert ("leave_one_out", "attack_l") in CASES
    assert {"ldc", "shokri", "merlin"} <= {name for design, name in CASES if design == "six_way"}


@every_case
def test_scores_stay_when_the_targets_membership_is_permuted(folders, tmp_path, design, name):
    folder = folders(design, 2.0)
    arrays = read_h5(folder / "target.h5")
    asked = np.flatnonzero(arrays["evaluated"][1])
    before = arrays["member"][1, asked]
    arrays["member"][1, asked] = np.random.default_rng(3).permutation(before)
    assert (arrays["member"][1, asked] != before).mean() > 0.3
    write_h5(tmp_path / "target.h5", arrays, {})
    lied = scores(name, design, folder, tmp_path / "target.h5")[1]
    assert np.isfinite(lied).sum() > 100
    np.testing.assert_array_equal(lied, scores(name, design, folder)[1])


def areas(found, drawn: Membership):
    """Return each target's AUC, and the deviation of one of noise: sqrt((n + 1) / (12 n0 n1))."""
    result = []
    for row, member in zip(found, drawn.member, strict=False):
        row = row[: len(member)]
        one, other = row[member & np.isfinite(row)], row[~member & np.isfinite(row)]
        auc = mannwhitneyu(one, other).statistic / len(one) / len(other)
        result.append((auc, np.sqrt((len(one) + len(other) + 1) / 12 / len(one) / len(other))))
    return np.transpose(result)


@every_case
def test_noise_reveals_nothing_and_a_signal_something(folders, design, name):
    drawn = WORLDS[design]().drawn["target"]
    found, deviation = areas(scores(name, design, folders(design, 0.0)), drawn)
    assert abs(found - 0.5).max() < 4.5 * deviation.max()
    assert abs(found.mean() - 0.5) < 4 * deviation.max() / np.sqrt(TARGETS)
    found, _ = areas(scores(name, design, folders(design, 4.0)), drawn)
    assert found.mean() > 0.6
