"""Bounds: Dirichlet laws of 50,000 examples × 10 classes, IN and OUT among 64 models.

Both sides read the same logits, held in memory, and fit the same two laws to each example by
maximum likelihood. The loop is Minka's own Newton method (2000, "Estimating a Dirichlet
distribution") as one would first write it with numpy and scipy.special, example by example.
"""

import sys
import tempfile
import time
from functools import partial

from measuring import REPOSITORY, child, comparison, in_turn, report

sys.path.insert(0, str(REPOSITORY / "scripts"))

SIZE = {"models": 64, "examples": 50_000, "classes": 10}
QUICK = {"models": 8, "examples": 300, "classes": 10}
SEED = 2402
SLICE = 4096  # examples whose logits are held in float64 at once


def measure(quick: bool) -> list[dict]:
    """Return the one comparison."""
    size, repetitions = (QUICK, 1) if quick else (SIZE, 3)
    with tempfile.TemporaryDirectory() as folder:
        child("bounds.py", "prepare", folder=folder, **size)
        sides = {
            "all at once": partial(child, "bounds.py", "together", folder=folder),
            "loop over examples": partial(child, "bounds.py", "loop", folder=folder),
        }
        runs = in_turn(sides, repetitions)
        agreement = {"of": "log parameters, example by example"}
        agreement |= child("bounds.py", "compare", folder=folder)
    what = " × ".join(f"{count:,} {name}" for name, count in size.items())
    return [comparison(f"Dirichlet laws, IN and OUT, {what}", runs, "seconds", agreement)]


def prepare(folder: str, models: int, examples: int, classes: int) -> dict:
    """Write logits of models that are surer of what they trained on, and who trained on what."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    half = np.arange(models) < models // 2
    member = rng.permuted(np.tile(half, (examples, 1)), axis=1).T
    labels = rng.integers(classes, size=examples)
    own = np.arange(classes) == labels[:, None]
    logits = rng.normal(size=(models, examples, classes)).astype(np.float32)
    logits += rng.normal(0, 1, (examples, classes)) + own * rng.normal(3, 2, (examples, 1))
    logits += own * member[..., None]
    np.savez(f"{folder}/cohort.npz", member=member, logits=logits.astype(np.float32))
    return {}


def read(folder: str):
    """Return logits (M, N, C) and membership (M, N)."""
    import numpy as np

    with np.load(f"{folder}/cohort.npz") as file:
        return file["logits"], file["member"]


def together(folder: str) -> dict:
    """Fit all examples of a slice at once."""
    import numpy as np

    from miatlas.bounds.dirichlet import fit, log_confidences, summarise

    logits, member = read(folder)
    start, parts = time.perf_counter(), []
    for first in range(0, member.shape[1], SLICE):
        where = slice(first, first + SLICE)
        log_p = log_confidences(logits[:, where])
        masks = (member[:, where], ~member[:, where])
        parts.append([fit(summarise(log_p, mask)).alpha for mask in masks])
    alpha = np.concatenate(parts, axis=1)
    return _result(folder, "together", alpha, start)


def loop(folder: str) -> dict:
    """Fit one example after the other."""
    import numpy as np
    from scipy.special import log_softmax

    logits, member = read(folder)
    start = time.perf_counter()
    alpha = np.empty((2, *logits.shape[1:]))
    for i in range(member.shape[1]):
        log_p = log_softmax(logits[:, i].astype(np.float64), axis=1)
        for kind, mask in enumerate((member[:, i], ~member[:, i])):
            alpha[kind, i] = one(log_p[mask])
    return _result(folder, "loop", alpha, start)


def one(log_p):
    """Return the parameters fitted to vectors (k, C), by Newton's method in each parameter."""
    import numpy as np
    from scipy.special import digamma, polygamma

    g, mean = log_p.mean(axis=0), np.exp(log_p).mean(axis=0)
    alpha = mean * (len(g) - 1) / (2 * (mean * (np.log(mean) - g)).sum())
    for _ in range(100):
        total = alpha.sum()
        slope, q = digamma(total) - digamma(alpha) + g, -polygamma(1, alpha)
        b = (slope / q).sum() / (1 / polygamma(1, total) + (1 / q).sum())
        moved = alpha - (slope - b) / q
        moved = np.where(moved > 0, moved, alpha / 2)
        if np.abs(moved - alpha).max() < 1e-10 * total:
            return moved
        alpha = moved
    return alpha


def _result(folder, side, alpha, start):
    import numpy as np

    seconds = time.perf_counter() - start
    np.save(f"{folder}/{side}.npy", alpha)
    return {"seconds": seconds}


def compare(folder: str) -> dict:
    """Return the largest difference of the two sides' ln α, and the largest ln α."""
    import numpy as np

    ours, other = (np.log(np.load(f"{folder}/{side}.npy")) for side in ("together", "loop"))
    return {
        "largest_difference": float(np.abs(ours - other).max()),
        "largest_log": float(np.abs(other).max()),
    }


if __name__ == "__main__":
    report({"prepare": prepare, "together": together, "loop": loop, "compare": compare})
