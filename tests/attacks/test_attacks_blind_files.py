"""What is made for a target before it is attacked knows nothing of its members: AMIA's, QMIA's.

By the scripts that make it, of networks that nobody trained, in designs as studies draw them.
"""

from functools import cache

import numpy as np
import perturb_examples
import pytest
import torch
import train_regressors
from fits import run
from test_attacks_blind import CASES, CLASSES, HELD_OUT, TARGETS, WORLDS, areas

from miatlas.attacks import amia, e_amia
from miatlas.audits import audit as audits
from miatlas.audits.comparisons import Comparisons
from miatlas.running.store import read_h5, write_h5, write_weights
from miatlas.signals.answers import Signals
from miatlas.signals.statistics import logit_scaled_confidence
from miatlas.training import ensemble
from miatlas.training.architectures import mlp

DESIGNS = [design for design, name in CASES if name == "amia"]  # in which they may run
MLP = {"name": "mlp", "widths": [8]}
RECIPE = {
    "optimizer": {"name": "adam", "lr": 3e-3}, "schedule": {"name": "cosine"},
    "augmentation": {"name": "none"}, "label_smoothing": 0.0, "gradient_clip": None, "ema": None,
    "early_stopping": 2, "precision": "float32", "mixup": None, "engine": "auto",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a function that gives the folder of a design: population, roles, weights, signals."""

    @cache
    def folder(design):
        path, world = tmp_path_factory.mktemp(design), WORLDS[design]()
        total = world.pool + HELD_OUT
        draws, role = np.random.default_rng(5), (np.arange(total) >= world.pool).astype(np.uint8)
        x, labels = draws.normal(size=(total, 5)).astype(np.float32), np.arange(total) % CLASSES
        arrays = {"x": x, "labels": labels, "mean": np.zeros(5), "deviation": np.ones(5)}
        write_h5(path / "population.h5", arrays, {"scale": 1.0, "classes": CLASSES})
        write_h5(path / "roles.h5", {"role": role}, {})
        for number, side in enumerate(["target"] if world.same else ["target", "shadow"]):
            member, evaluated = (np.pad(m, ((0, 0), (0, HELD_OUT))) for m in world.drawn[side][:2])
            seeds = [1000 * number + k for k in range(len(member))]
            group = ensemble.build(lambda: mlp.build((5,), CLASSES, widths=[8]), seeds, "cpu")
            weights = {name: w.detach().numpy() for name, w in group.weights().items()}
            write_weights(path / f"{side}.safetensors", weights, {})
            with torch.no_grad():
                logits = group.answer(torch.from_numpy(x)).numpy()
            phi = logit_scaled_confidence(logits, labels)[..., None].astype(np.float32)
            known = {"member": member, "evaluated": evaluated, "labels": labels, "role": role}
            write_h5(path / f"{side}.h5", known | {"phi": phi}, {})
        return path

    return folder


def keys(design):
    """Return how an audit of the design compares models."""
    world = WORLDS[design]()
    drawn = world.entries["target"]["design"]
    own = {"design": drawn["name"], "group": drawn.get("group"), "targets": TARGETS, "seed": 0}
    made = {"references": None, "per_target": {}, "leave_one_out": False}
    return made | own | world.keys


def points(design, folder, signals, out):
    """Return what `perturb_examples` writes, where the targets' signals are these."""
    sides = ["shadow"] if WORLDS[design]().same else ["target", "shadow"]
    files = dict(zip(("target", "shadow"), [signals, folder / "shadow.h5"], strict=True))
    answers = {side: [str(files[side])] for side in sides}
    weights = {side: [str(folder / f"{side}.safetensors")] for side in sides}
    if WORLDS[design]().same:
        answers = {"shadow": [str(signals)]}
        weights = {"shadow": [str(folder / "target.safetensors")]}
    given = {"target": [], **answers}, {"target": [], **weights}
    models = {"architecture": MLP, "engine": "auto"}
    settings = keys(design) | {"audit": "a", "target": models, "shadow": models,
                               "perturbation": {"radius": 0.5, "steps": 3}}  # fmt: skip
    perturb_examples.main(
        population=str(folder / "population.h5"), answers=given[0], weights=given[1],
        perturbed=str(out), settings=settings,
    )  # fmt: skip
    return read_h5(out, ["target", "refs"])


def lied(folder, out):
    """Write the targets' signals with the second's membership permuted; return the file."""
    arrays = read_h5(folder / "target.h5")
    asked = np.flatnonzero(arrays["evaluated"][1])
    arrays["member"][1, asked] = np.random.default_rng(3).permutation(arrays["member"][1, asked])
    write_h5(out, arrays, {})
    return out


@pytest.mark.parametrize("design", DESIGNS)
def test_a_targets_points_stay_when_its_membership_is_permuted(folders, tmp_path, design):
    folder = folders(design)
    honest = points(design, folder, folder / "target.h5", tmp_path / "honest.h5")
    found = points(design, folder, lied(folder, tmp_path / "lied.h5"), tmp_path / "found.h5")
    for name in ("target", "refs"):
        np.testing.assert_array_equal(found[name][1], honest[name][1])
        assert np.isfinite(found[name][1]).sum() > 100
    if WORLDS[design]().same:  # the others are compared with it, and know what it is said to be
        assert (found["refs"][2] != honest["refs"][2]).any()


@pytest.mark.parametrize("design", DESIGNS)
def test_points_by_untrained_models_reveal_nothing(folders, tmp_path, design):
    world, folder = WORLDS[design](), folders(design)
    found = points(design, folder, folder / "target.h5", tmp_path / "found.h5")
    of_target = Signals([folder / "target.h5"])
    of_shadow = of_target if world.same else Signals([folder / "shadow.h5"])
    audit = audits.audit(of_target, of_shadow, **keys(design))
    compared, where = Comparisons(audit, needs_in=True), slice(0, world.pool + HELD_OUT)
    scores = {amia: [], e_amia: []}
    for target in range(TARGETS):
        asked, rows = audit.evaluated(target, where), compared.rows(target)
        refs_in, refs_out = compared.balanced(target, asked, where)
        given = {"refs_in": refs_in, "refs_out": refs_out,
                 "target_perturbed": found["target"][target, asked],
                 "refs_perturbed": found["refs"][target][rows][:, asked]}  # fmt: skip
        for attack, kept in scores.items():
            row = np.full(where.stop, np.nan)
            row[asked] = run(attack, given)
            kept.append(row)
    for kept in scores.values():
        area, deviation = areas(np.array(kept), world.drawn["target"])
        assert abs(area - 0.5).max() < 4.5 * deviation.max()


@pytest.mark.parametrize("law", ["normal", "quantile"])
def test_a_targets_regressor_stays_when_its_membership_is_permuted(folders, tmp_path, law):
    folder, found = folders("half"), []
    recipe = RECIPE | {"architecture": MLP, "epochs": 2, "batch_size": 16}
    settings = {"recipe": recipe, "law": law, "audit": "a", "seed": 0, "cohort": "c", "targets": 2}
    for signals in (folder / "target.h5", lied(folder, tmp_path / "lied.h5")):
        train_regressors.main(
            population=str(folder / "population.h5"), roles=str(folder / "roles.h5"),
            signals=[str(signals)], regression=str(tmp_path / "r.h5"), settings=settings,
        )  # fmt: skip
        found.append(next(iter(read_h5(tmp_path / "r.h5").values())))
    np.testing.assert_array_equal(*found)
