"""Scoring: attacks streamed from HDF5, against vectorised NumPy over arrays held in memory.

Both sides score one target, with the same references; reading is timed apart. The alternative is
each formula as one would write it with whole arrays: no slices, no bound on memory. Then ten
targets, that share the passes over the signals, against a pass or two for each.
"""

import sys
import tempfile
import time
from functools import partial
from importlib import import_module

from measuring import REPOSITORY, child, comparison, in_turn, peak_mib, report

sys.path.insert(0, str(REPOSITORY / "scripts"))

SIZES = [  # and the rounds
    ({"models": 64, "examples": 50_000, "queries": 2}, 3),
    ({"models": 256, "examples": 60_000, "queries": 18}, 2),
]
QUICK = [({"models": 8, "examples": 500, "queries": 2}, 1)]
MANY, QUICK_MANY = {"models": 64, "examples": 40_000, "queries": 18}, QUICK[0][0]
TARGETS, MANY_NAMES = 10, ("LiRA online, global variance", "LiRA online, per-example variance")
ATTACKS = {
    "LiRA online, global variance": {"attack": "lira_online", "variance": "global"},
    "LiRA online, per-example variance": {"attack": "lira_online", "variance": "per_example"},
    "RMIA, z the whole population": {"attack": "rmia", "population": "all", "temperature": 1.0},
}
SEED = 2022
MEMORY_MB = 64  # a sixteenth of the workflow's default: all sizes are several slices


def measure(quick: bool) -> list[dict]:
    """Return the comparison of every attack at every size."""
    entries = []
    for size, rounds in QUICK if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            child("scoring.py", "prepare", folder=folder, **size)
            for name in ATTACKS:
                side = {"folder": folder, "name": name}
                sides = {
                    f"streamed, within {MEMORY_MB} MiB": partial(
                        child, "scoring.py", "streamed", **side
                    ),
                    "NumPy, in memory": partial(child, "scoring.py", "in_memory", **side),
                }
                runs = in_turn(sides, rounds)
                agreement = {"of": "scores, example by example"}
                agreement |= child("scoring.py", "compare", **side)
                what = " × ".join(f"{count:,} {kind}" for kind, count in size.items())
                title = f"{name}, {what}, 1 target"
                entries.append(comparison(title, runs, "seconds", agreement))
    return [*entries, *_many(quick)]


def _many(quick):
    """Return the comparison of targets that share each pass with targets that do not."""
    size, entries = QUICK_MANY if quick else MANY, []
    with tempfile.TemporaryDirectory() as folder:
        child("scoring.py", "prepare", folder=folder, **size)
        for name in MANY_NAMES:
            kinds = {"all targets in a pass": "together", "passes for each target": "one_by_one"}
            side = {"folder": folder, "name": name, "targets": 2 if quick else TARGETS}
            sides = {k: partial(child, "scoring.py", v, **side) for k, v in kinds.items()}
            runs = in_turn(sides, 1 if quick else 2)
            agreement = {"of": "scores, example by example"}
            both = list(kinds.values())
            agreement |= child("scoring.py", "compare", folder=folder, sides=both)
            what = " × ".join(f"{count:,} {kind}" for kind, count in size.items())
            title = f"{name}, {what}, {side['targets']} targets, reading included"
            entries.append(comparison(title, runs, "whole_seconds", agreement))
    return entries


def prepare(folder: str, models: int, examples: int, queries: int) -> dict:
    """Write signals of Gaussian statistics: IN models surer than OUT ones, by example."""
    import numpy as np

    from miatlas.running.store import SLICE, new_h5
    from miatlas.signals.answers import slices

    rng = np.random.default_rng(SEED)
    with new_h5(f"{folder}/signals.h5", {}) as file:
        file["labels"] = rng.integers(10, size=examples)
        member = file.create_dataset("member", (models, examples), bool)
        chunk = (models, min(SLICE, examples), queries)  # as the workflow writes them
        shape = (models, examples, queries)
        phi = file.create_dataset("phi", shape, np.float32, chunks=chunk)
        for where in slices(examples, SLICE):
            n = where.stop - where.start
            half = np.tile(np.arange(models) < models // 2, (n, 1))
            trained = rng.permuted(half, axis=1).T  # each example IN half of them
            centre, gap = rng.normal(2, 2, (2, n))
            noise = rng.standard_normal((models, n, queries), np.float32)
            member[:, where] = trained
            phi[:, where] = noise + (centre + np.abs(gap) * trained)[..., None]
    return {}


def streamed(folder: str, name: str) -> dict:
    """Score as the workflow does, slice by slice from the file."""
    return _scored(folder, name, "streamed", [range(1)])


def together(folder: str, name: str, targets: int) -> dict:
    """Score many targets as the workflow does: they share each pass over the file."""
    return _scored(folder, name, "together", [range(targets)])


def one_by_one(folder: str, name: str, targets: int) -> dict:
    """Score many targets one after the other, each with passes of its own."""
    return _scored(folder, name, "one_by_one", [[target] for target in range(targets)])


def _scored(folder, name, side, groups):
    """Score groups of targets, each group in the same passes over the file."""
    import numpy as np

    from miatlas.audits import audit as audits
    from miatlas.audits import scoring
    from miatlas.audits.attack import load
    from miatlas.running.allocator import keep_freed_memory
    from miatlas.study import entries

    keep_freed_memory()
    entry, attack = entries.attack(ATTACKS[name], "attacks.it"), load(ATTACKS[name]["attack"])
    import_module("scipy.special")  # before the clock starts
    signals, start_mib = timed_signals(folder), peak_mib()
    start, scores = time.perf_counter(), []
    for group in groups:
        audit = audits.audit(signals, signals, design="half", targets=max(group) + 1, seed=SEED)
        audit.targets = np.array(group)
        scores.append(scoring.score(attack, entry["options"], audit, MEMORY_MB))
    seconds = time.perf_counter() - start
    scores = np.squeeze(np.concatenate(scores))
    whole = {"whole_seconds": seconds}
    seconds -= signals.seconds
    return whole | _result(folder, side, scores, seconds, signals.seconds, start_mib)


def in_memory(folder: str, name: str) -> dict:
    """Score the first model with NumPy, all signals in memory."""
    import_module("scipy.stats")  # before the clock starts
    from miatlas.running.allocator import keep_freed_memory
    from miatlas.running.store import read_h5

    keep_freed_memory()
    options, start_mib, start = ATTACKS[name], peak_mib(), time.perf_counter()
    phi, member = read_h5(f"{folder}/signals.h5", ["phi", "member"]).values()
    reading, start = time.perf_counter() - start, time.perf_counter()
    scores = rmia(phi, member) if options["attack"] == "rmia" else lira(phi, member, **options)
    seconds = time.perf_counter() - start
    return _result(folder, "in_memory", scores, seconds, reading, start_mib)


def lira(phi, member, variance, **_):  # (M, N, Q), (M, N) -> (N,)
    """Score the first model by the likelihood ratio of two Gaussians per example and query."""
    import numpy as np
    from scipy.stats import norm

    log_density = {}
    for kind, rows in references(member).items():
        refs = np.take_along_axis(phi, rows[:, :, None], 0).astype(np.float64)  # (k, N, Q)
        mu = refs.mean(0)
        if variance == "global":
            s = np.sqrt(((refs - mu) ** 2).sum((0, 1)) / ((len(refs) - 1) * refs.shape[1]))
        else:
            s = refs.std(0, ddof=1)
        log_density[kind] = norm.logpdf(phi[0].astype(np.float64), mu, s)
    return (log_density["in"] - log_density["out"]).sum(1)


def rmia(phi, member, gamma=2.0):  # (M, N, Q), (M, N) -> (N,)
    """Score the first model by the share of the others that an example dominates."""
    import numpy as np
    from scipy.special import expit

    confidence = expit(phi[:, :, 0].astype(np.float64))
    mean = {kind: np.take_along_axis(confidence, rows, 0).mean(0)
            for kind, rows in references(member).items()}  # fmt: skip
    ratio = confidence[0] / ((mean["in"] + mean["out"]) / 2)
    dominated = np.searchsorted(np.sort(ratio), ratio / gamma, side="right")
    return (dominated - (ratio <= ratio / gamma)) / (len(ratio) - 1)


def references(member) -> dict:  # (M, N) -> (k, N) each
    """Choose as many IN and OUT models for every example, by the workflow's priorities."""
    import numpy as np

    from miatlas.audits.references import priorities

    order = priorities(np.arange(1, len(member)), 0, member.shape[1], SEED)
    chosen = {}
    for kind, mask in (("in", member[1:]), ("out", ~member[1:])):
        k = mask.sum(0).min()
        masked = np.where(mask, order, np.iinfo(np.uint64).max)
        chosen[kind] = 1 + np.argpartition(masked, k - 1, axis=0)[:k]
    return chosen


def timed_signals(folder: str):
    """Return the signals file, opened by a reader that adds up the time it reads."""
    from miatlas.signals.answers import Signals

    class Timed(Signals):
        seconds = 0.0

        def read(self, *arguments):
            start = time.perf_counter()
            result = super().read(*arguments)
            self.seconds += time.perf_counter() - start
            return result

    return Timed([f"{folder}/signals.h5"])


def _result(folder, side, scores, seconds, reading, start_mib):
    import numpy as np

    np.save(f"{folder}/{side}.npy", scores)
    return {"seconds": seconds, "reading_seconds": reading, "start_mib": start_mib}


def compare(folder: str, sides=("streamed", "in_memory"), **_) -> dict:
    """Return the largest difference of the two sides' scores, and the largest score."""
    import numpy as np

    ours, other = (np.load(f"{folder}/{side}.npy") for side in sides)
    return {
        "largest_difference": float(np.abs(ours - other).max()),
        "largest_score": float(np.abs(other).max()),
    }


if __name__ == "__main__":
    sides = {
        "streamed": streamed, "in_memory": in_memory,
        "together": together, "one_by_one": one_by_one,
    }  # fmt: skip
    report({"prepare": prepare, "compare": compare, **sides})
