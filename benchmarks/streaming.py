"""Streaming: peak memory of scoring from 10,000 to 1,000,000 examples; RMIA sorted, not in pairs.

Signals are drawn slice by slice into an HDF5 file, as large as they may be; the workflow's script
scores them, within a bound on what it holds of them.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from measuring import REPOSITORY, child, comparison, in_turn, report

sys.path.insert(0, str(REPOSITORY / "scripts"))

SEED = 2022
STREAMED = {"models": 32, "classes": 4, "held_out": 2000}
SIZES = (10_000, 100_000, 1_000_000)
WITHIN_MB = 16  # 2,000 to 5,000 examples at a time, so that every size is several slices
PAIRED = [{"examples": 10_000, "models": 64}, {"examples": 50_000, "models": 64}]
QUICK_SIZES, QUICK_PAIRED = (500, 3000), [{"examples": 300, "models": 8}]
ATTACKS = {
    "LiRA online": {"attack": "lira_online"},
    "LiRA online, global variance": {"attack": "lira_online", "variance": "global"},
    "RMIA, z held out": {"attack": "rmia"},
    "attack R": {"attack": "attack_r"},
    "RMIA, z the whole population": {"attack": "rmia", "population": "all"},
    "attack S": {"attack": "attack_s"},
}
SLICE = 20_000  # examples written at a time
PAIRS = 2**24  # compared at a time


def measure(quick: bool) -> list[dict]:
    """Return the growth of each attack's memory with the examples, and both forms of RMIA."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = QUICK_SIZES if quick else SIZES
        shape = STREAMED | ({"models": 8, "held_out": 100} if quick else {})
        for examples in sizes:
            child("streaming.py", "prepare", folder=folder, examples=examples, **shape)
        entries = [_growth(folder, title, sizes, shape["models"]) for title in ATTACKS]
        for shape in QUICK_PAIRED if quick else PAIRED:
            entries.append(_pairs(folder, 1 if quick else 3, **shape))
    return entries


def _growth(folder, title, sizes, models):
    """Return one attack's peak memory and time by the number of examples."""
    side = {"folder": folder, "within_mb": WITHIN_MB, "given": ATTACKS[title]}
    runs = {}
    for examples in sizes:
        run = child("streaming.py", "script", examples=examples, **side)
        runs[str(examples)] = {key: round(run[key], 3) for key in ("seconds", "peak_mib")}
        print(f"  {title}, {examples:,} examples: {runs[str(examples)]}", flush=True)
        runs[str(examples)]["signals_mib"] = round(run["signals_mib"])
    return {"title": f"{title}, {models} models", "within_mb": WITHIN_MB, "sizes": runs}


def _pairs(folder, repetitions, examples, models):
    """Return the comparison of RMIA with the whole population as z, sorted and in pairs."""
    file = {"folder": folder, "examples": examples}
    child("streaming.py", "prepare", models=models, classes=10, held_out=0, **file)
    given = ATTACKS["RMIA, z the whole population"]
    sides = {
        name: partial(child, "streaming.py", "attack", name=name, given=given, **file)
        for name in ("LR(z) sorted", "all pairs")
    }
    runs = in_turn(sides, repetitions)
    agreement = {"of": "scores, example by example"}
    agreement |= child("streaming.py", "compare", folder=folder)
    title = f"RMIA, z the whole population, {models} models × {examples:,} examples, 1 target"
    return comparison(title, runs, "comparing_seconds", agreement)


def prepare(folder: str, examples: int, models: int, classes: int, held_out: int) -> dict:
    """Write signals of Gaussian logits, members surer; the first `held_out` are nobody's."""
    import h5py
    import numpy as np

    from miatlas.signals.statistics import logit_scaled_confidence

    rng, half = np.random.default_rng(SEED), np.arange(models) < models // 2
    kinds = {"member": bool, "labels": np.uint8, "role": np.uint8}
    shapes = {"member": (models, examples), "labels": (examples,), "role": (examples,)}
    with h5py.File(_path(folder, examples), "w") as file:
        for name, kind in kinds.items():
            file.create_dataset(name, shape=shapes[name], dtype=kind)
        for name, last in {"phi": 1, "logits": classes}.items():
            shape, chunk = (models, examples, last), (models, min(2048, examples), last)
            file.create_dataset(name, shape=shape, dtype=np.float32, chunks=chunk)
        for start in range(0, examples, SLICE):
            where = slice(start, min(start + SLICE, examples))
            n = where.stop - where.start
            role = (np.arange(where.start, where.stop) < held_out).astype(np.uint8)
            member = rng.permuted(np.tile(half, (n, 1)), axis=1).T & (role == 0)
            labels = rng.integers(classes, size=n).astype(np.uint8)
            own = np.arange(classes) == labels[:, None]
            hard = rng.normal(size=(n, classes), scale=2).astype(np.float32)
            logits = rng.standard_normal((models, n, classes), dtype=np.float32) + hard
            logits += own * (2 + 2 * member[..., None])
            phi = logit_scaled_confidence(logits, labels)[..., None]
            file["labels"][where], file["role"][where] = labels, role
            for name, array in {"member": member, "phi": phi, "logits": logits}.items():
                file[name][:, where] = array
    return {}


def script(folder: str, examples: int, given: dict, within_mb: int) -> dict:
    """Run the workflow's own script on one target."""
    import score_attack

    from miatlas.study import entries

    answers = {side: [] for side in ("reference", "target_probes", "shadow_probes")}
    answers |= {side: [_path(folder, examples)] for side in ("target", "shadow")}
    settings = {
        "target_cohort": "drawn", "shadow_cohort": "drawn", "design": "half", "targets": 1,
        "seed": SEED, "references": None, "per_target": {}, "leave_one_out": False, "group": None,
        "attack": given["attack"], "label": given["attack"],
        "options": entries.attack(given, "attacks.streamed")["options"],
    }  # fmt: skip
    start = time.perf_counter()
    scores = f"{folder}/scores.h5"
    score_attack.main(answers=answers, scores=scores, settings=settings, memory_mb=within_mb)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "signals_mib": _size(folder, examples)}


def attack(folder: str, examples: int, given: dict, name: str) -> dict:
    """Score one target in memory with RMIA, as it is or in pairs.

    `comparing_seconds` are those of its `score` alone, without reading the signals.
    """
    from importlib import import_module

    import numpy as np

    from miatlas.audits import audit as audits
    from miatlas.audits import scoring
    from miatlas.signals.answers import Signals
    from miatlas.study import entries

    module = import_module(f"miatlas.attacks.{given['attack']}")
    options = entries.attack(given, "attacks.streamed")["options"]
    signals = Signals([_path(folder, examples)])
    start = time.perf_counter()
    audit = audits.audit(signals, signals, design="half", targets=1, seed=SEED)
    module = all_pairs(module) if name == "all pairs" else module
    compare = Timed(module.score)
    timed = SimpleNamespace(ATTACK=module.ATTACK, score=compare, fit=module.fit)
    scores = scoring.score(timed, options, audit, 1024)[0]
    seconds = time.perf_counter() - start
    np.save(f"{folder}/{name}.npy", scores)
    return {"seconds": seconds, "comparing_seconds": compare.seconds}


class Timed:
    """A function that adds up the time it takes."""

    def __init__(self, function):
        self.function, self.seconds = function, 0.0

    def __call__(self, **arguments):
        start = time.perf_counter()
        result = self.function(**arguments)
        self.seconds += time.perf_counter() - start
        return result


def all_pairs(rmia) -> SimpleNamespace:
    """Return RMIA as its definition has it: every x is compared with every z but itself."""
    import numpy as np

    def score(*, fitted, examples, gamma, **_):
        z = np.flatnonzero(~np.isnan(fitted["ratio"]))
        ratio = fitted["ratio"][z]
        own, dominated = np.searchsorted(z, examples), []
        for some in np.array_split(own, 1 + len(own) * len(z) // PAIRS):
            counts = (ratio[some, None] / ratio >= gamma) & (some[:, None] != np.arange(len(z)))
            dominated.append(counts.sum(axis=1))
        return np.concatenate(dominated) / (len(z) - 1)

    return SimpleNamespace(ATTACK=rmia.ATTACK, score=score, fit=rmia.fit)


def compare(folder: str) -> dict:
    """Return the largest difference of the two forms' scores, and the largest score."""
    import numpy as np

    ours, other = (np.load(f"{folder}/{name}.npy") for name in ("LR(z) sorted", "all pairs"))
    return {
        "largest_difference": float(np.abs(ours - other).max()),
        "largest_score": float(np.abs(other).max()),
    }


def _path(folder, examples):
    return f"{folder}/signals.{examples}.h5"


def _size(folder, examples):
    return Path(_path(folder, examples)).stat().st_size / 2**20


if __name__ == "__main__":
    report({"prepare": prepare, "script": script, "attack": attack, "compare": compare})
