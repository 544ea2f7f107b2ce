"""Which reference models speak about which example: the same number for every example.

In a `half` cohort each example is IN exactly M/2 models. Take the target away and M/2 - 1 IN models
are left for its members, M/2 for the others: whatever depends on that count knows the membership.
So every example gets the same k_in IN and k_out OUT references, chosen by a priority that is a
function of the seed, the model and the example, and of nothing else: not of the target, not of
the slice of examples in which it is asked for. (Of the model alone for `in_order`.)

Streaming over slices of examples: `counts` per slice, the minimum over slices, `allowed`, then
`select` per slice. `balanced` is all of it for one piece.
"""

import numpy as np

from miatlas.running.seeds import rng


def balanced(
    member_refs: np.ndarray,
    references: int | None,
    seed: int,
    models: np.ndarray | None = None,
    needs_in: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Return refs_in, refs_out bool (R, N): k_in IN and k_out OUT references of every example.

    member_refs (R, N) without the target's row; models (R,) the references' indices in their
    cohort (default 0..R-1), so that one model has one priority whoever the target is. `references`
    and `needs_in` as in `allowed`, whose ValueErrors are this function's.
    """
    k_in, k_out = allowed(*counts(member_refs, ~member_refs), references, needs_in)
    models = np.arange(len(member_refs)) if models is None else models
    priority = priorities(models, 0, member_refs.shape[1], seed)
    return select(member_refs, ~member_refs, k_in, k_out, priority)


def counts(ins: np.ndarray, outs: np.ndarray) -> tuple[int, int]:  # (R, N), (R, N)
    """Return the smallest number of IN references over the examples, and that of OUT ones."""
    return int(ins.sum(axis=0).min()), int(outs.sum(axis=0).min())


def allowed(
    fewest_in: int, fewest_out: int, references: int | None = None, needs_in: bool = True
) -> tuple[int, int]:
    """Return k_in, k_out given what every example has; `references` caps their sum.

    `references` is half IN, half OUT; all OUT for an attack that needs no IN references. None: as
    many of either kind as every example has. Raises ValueError, naming the numbers, if there are
    too few.
    """
    if references is None:
        k_in, k_out = fewest_in, fewest_out
    elif needs_in:
        if references < 2 or references % 2:
            raise ValueError(f"{references} references cannot be split into half IN and half OUT")
        k_in = k_out = references // 2
    else:
        k_in, k_out = 0, references
    if k_in > fewest_in or k_out > fewest_out:
        raise ValueError(
            f"{references} references were asked for ({k_in} IN and {k_out} OUT), but there are"
            f" examples with only {fewest_in} IN or {fewest_out} OUT references"
        )
    if k_out == 0 or (needs_in and k_in == 0):
        raise ValueError(
            f"there are examples with {fewest_in} IN and {fewest_out} OUT references:"
            " too few to compare the target with"
        )
    return k_in, k_out


def select(
    ins: np.ndarray, outs: np.ndarray, k_in: int, k_out: int, priority: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return refs_in, refs_out (R, n): the k_in IN and k_out OUT references of lowest priority.

    ins, outs (R, n) bool: which models trained on which examples, and which certainly did not.
    Fewer references are always a subset of more. Raises ValueError if an example has too few.
    """
    return _lowest(ins, k_in, priority, "IN"), _lowest(outs, k_out, priority, "OUT")


def priorities(models: np.ndarray, first: int, stop: int, seed: int) -> np.ndarray:
    """Return the priority of each model for the examples first..stop-1: uint64 (R, stop - first).

    A counter-based stream: entry (m, i) is a hash of (seed, m, i) and the same in every slice. The
    hash is SplitMix64's finaliser, applied to the model and then to the example (Steele, Lea and
    Flood 2014, "Fast splittable pseudorandom number generators").
    """
    key = rng(seed, "references").integers(2**64, dtype=np.uint64)
    rows = _mixed(key + np.asarray(models, dtype=np.uint64) * GOLDEN)[:, None]
    return _mixed(rows + np.arange(first, stop, dtype=np.uint64) * GOLDEN)


def in_order(models: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Return priorities by which the first models of a cohort are chosen: uint64 (R, stop - first).

    As the public LiRA script of 2021 does, which cuts each example's list to the smallest count.
    """
    return np.repeat(np.asarray(models, dtype=np.uint64)[:, None], stop - first, axis=1)


GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _lowest(mask: np.ndarray, k: int, priority: np.ndarray, kind: str) -> np.ndarray:
    """Keep the k True entries of each column that have the lowest priority."""
    available = mask.sum(axis=0)
    if available.size and available.min() < k:
        where = int(available.argmin())
        raise ValueError(
            f"example {where} of this slice has {available[where]} {kind} references,"
            f" not the {k} that every example must have"
        )
    if k == 0:
        return np.zeros_like(mask)
    more = np.flatnonzero(available > k)
    marked, lowest = mask.take(more, axis=1), priority.take(more, axis=1)
    lowest[~marked] = np.uint64(2**64 - 1)
    chosen = mask.copy()
    chosen[:, more] = marked & (lowest <= np.partition(lowest, k - 1, axis=0)[k - 1])
    return chosen
