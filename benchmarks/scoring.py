"""Scoring: LiRA online on 64 models × 50,000 examples × 2 queries, against a loop over examples.

Both sides read the same HDF5 file, attack the same target and use the same references; the time
that reading takes is measured apart. The loop is the formula as one would first write it, with
numpy and scipy.stats, one example after the other; it picks the references itself.
"""

import sys
import tempfile
import time
from functools import partial

from measuring import REPOSITORY, child, comparison, in_turn, report

sys.path.insert(0, str(REPOSITORY / "scripts"))

SIZE = {"models": 64, "examples": 50_000, "queries": 2}
QUICK = {"models": 8, "examples": 500, "queries": 2}
SEED = 2022
MEMORY_MB = 1024  # the workflow's default
LOW_MEMORY_MB = 64  # so that 50,000 examples are several slices


def measure(quick: bool) -> list[dict]:
    """Return the comparisons: both kinds of variance, and a bound that makes slices."""
    size, repetitions, entries = (QUICK, 1, []) if quick else (SIZE, 3, [])
    cases = [("global", MEMORY_MB), ("per_example", MEMORY_MB), ("per_example", LOW_MEMORY_MB)]
    with tempfile.TemporaryDirectory() as folder:
        child("scoring.py", "prepare", folder=folder, **size)
        for variance, memory_mb in cases:
            side = {"folder": folder, "variance": variance}
            sides = {
                f"vectorised, within {memory_mb} MiB": partial(
                    child, "scoring.py", "attack", memory_mb=memory_mb, **side
                ),
                "loop over examples": partial(child, "scoring.py", "loop", **side),
            }
            runs = in_turn(sides, repetitions)
            agreement = {"of": "scores, example by example"}
            agreement |= child("scoring.py", "compare", **side)
            entries.append(comparison(_title(variance, size), runs, "seconds", agreement))
    return entries


def _title(variance, size):
    what = " × ".join(f"{count:,} {name}" for name, count in size.items())
    return f"LiRA online, {variance.replace('_', '-')} variance, {what}, 1 target"


def prepare(folder: str, models: int, examples: int, queries: int) -> dict:
    """Write signals of Gaussian statistics: IN models surer than OUT ones, by example."""
    import numpy as np

    from miatlas.store import write_h5

    rng = np.random.default_rng(SEED)
    half = np.arange(models) < models // 2
    member = rng.permuted(np.tile(half, (examples, 1)), axis=1).T  # each example IN half of them
    centre, gap = rng.normal(2, 2, (2, examples))
    noise = rng.normal(size=(models, examples, queries))
    phi = (noise + (centre + np.abs(gap) * member)[..., None]).astype(np.float32)
    labels = rng.integers(10, size=examples)
    chunks = {"phi": (models, min(2048, examples), queries)}  # as the workflow writes them
    write_h5(f"{folder}/signals.h5", {"member": member, "labels": labels, "phi": phi}, {}, chunks)
    return {}


def attack(folder: str, variance: str, memory_mb: int) -> dict:
    """Score as the workflow does, streaming from the file."""
    from miatlas import audits, entries, scoring
    from miatlas.attacks import lira_online

    entry = entries.attack({"attack": "lira_online", "variance": variance}, "attacks.lira")
    signals = timed_signals(folder)
    start = time.perf_counter()
    audit = audits.audit(signals, signals, design="half", targets=1, seed=SEED)
    scores = scoring.score(lira_online, entry["options"], audit, memory_mb)[0]
    return _result(folder, "attack", variance, scores, start, signals)


def loop(folder: str, variance: str) -> dict:
    """Score one example after the other."""
    import numpy as np
    from scipy.stats import norm

    from miatlas.references import priorities

    signals, target = timed_signals(folder), 0
    start = time.perf_counter()
    phi = signals.read("phi", slice(0, signals.shape[1])).astype(np.float64)
    others = [m for m in range(signals.shape[0]) if m != target]
    member = signals.member[others]
    refs = phi[others]
    order = priorities(np.array(others), 0, signals.shape[1], SEED)
    k_in, k_out = member.sum(0).min(), (~member).sum(0).min()
    chosen = []
    for i in range(signals.shape[1]):
        inside, outside = np.flatnonzero(member[:, i]), np.flatnonzero(~member[:, i])
        inside = inside[np.argsort(order[inside, i])][:k_in]
        outside = outside[np.argsort(order[outside, i])][:k_out]
        chosen.append((refs[inside, i], refs[outside, i]))  # (k, Q) each
    if variance == "global":
        pooled = []
        for kind, k in enumerate((k_in, k_out)):
            squares = [((c[kind] - c[kind].mean(0)) ** 2).sum(0) for c in chosen]
            pooled.append(np.sqrt(np.sum(squares, 0) / (len(chosen) * (k - 1))))
    scores = np.empty(signals.shape[1])
    for i, (ins, outs) in enumerate(chosen):
        s_in, s_out = pooled if variance == "global" else (ins.std(0, ddof=1), outs.std(0, ddof=1))
        log_in = norm.logpdf(phi[target, i], ins.mean(0), s_in)
        log_out = norm.logpdf(phi[target, i], outs.mean(0), s_out)
        scores[i] = (log_in - log_out).sum()
    return _result(folder, "loop", variance, scores, start, signals)


def timed_signals(folder: str):
    """Return the signals file, opened by a reader that adds up the time it reads."""
    from miatlas.answered import Signals

    class Timed(Signals):
        seconds = 0.0

        def read(self, *arguments):
            start = time.perf_counter()
            result = super().read(*arguments)
            self.seconds += time.perf_counter() - start
            return result

    return Timed([f"{folder}/signals.h5"])


def _result(folder, side, variance, scores, start, signals):
    import numpy as np

    total = time.perf_counter() - start
    np.save(f"{folder}/{side}.{variance}.npy", scores)
    return {"seconds": total - signals.seconds, "reading_seconds": signals.seconds}


def compare(folder: str, variance: str) -> dict:
    """Return the largest difference of the two sides' scores, and the largest score."""
    import numpy as np

    ours, other = (np.load(f"{folder}/{side}.{variance}.npy") for side in ("attack", "loop"))
    return {
        "largest_difference": float(np.abs(ours - other).max()),
        "largest_score": float(np.abs(other).max()),
    }


if __name__ == "__main__":
    report({"prepare": prepare, "attack": attack, "loop": loop, "compare": compare})
