"""Signals: what a cohort's models answer to the queries."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch

from miatlas.running.store import SLICE
from miatlas.signals.answers import slices
from miatlas.signals.probes.confidence import phi as phi_of
from miatlas.training import augmentation


def together(engine: str, stacked: bool, device: torch.device) -> bool:
    """Say whether models that are trained as a stack are asked as one, too.

    On a CPU they are not, if the recipe leaves it open (`engine: auto`). Stacking spares calls, and
    questions come in such batches that calls cost little: 64 models of the demo's CNN answer nine
    queries of 1,797 examples in 11.7 s of CPU time as a stack, in 5.6 s one after the other, its
    MLPs one query in 0.11 and 0.08 s.
    """
    return stacked and (engine != "auto" or device.type != "cpu")


def extract(
    group, x, labels, queries: dict, stacked: bool,
    progress: Callable[[int], None] = lambda _: None, once: np.ndarray | None = None,
) -> Iterator[tuple[slice, Callable[[], dict]]]:  # fmt: skip
    """Yield slices of N examples, and what returns the K models' answers about those s examples.

    x: (N, ...) float32 on the models' device; labels: (N,) int64 array. `queries`: count, mirror,
    shift, logits, temperature. The answers are phi (K, s, Q) float32 and logits (K, s, C) float32
    of the untouched query (or (K, s, Q, C) of all). Models answer in evaluation mode (methods §1),
    all as one if `stacked`. `progress` is told of every few examples that are done.

    Of the examples `once` (N,) bool, those of role test, the answers to the untouched query stand
    for those to all others, which are not asked where nobody else is in a slice.

    A GPU may still be at work on a slice when it is yielded: the next can be queued before the
    answers are waited for, and meanwhile those of the last be written (`store.fill_by_slices`).
    """
    specs = augmentation.queries(
        queries["count"], tuple(x.shape[1:]), mirror=queries["mirror"], shift=queries["shift"]
    )
    group = group.compiled(x, SLICE, len(specs))
    alone = not stacked or group.apart(x.device)
    parts = [group.part(slice(k, k + 1)) for k in range(group.models)] if alone else [group]
    once = np.zeros(len(x), bool) if once is None else once
    y, alike = (torch.as_tensor(array, device=x.device) for array in (labels, once))
    for where in slices(len(x), SLICE):
        of_slice = (x[where], y[where], once[where])
        answers = _answers(parts, *of_slice, specs, queries, progress)
        if len(specs) > 1 and once[where].any():
            answers = {name: _repeated(array, alike[where]) for name, array in answers.items()}
        if queries["logits"] != "all":
            answers["logits"] = answers["logits"][:, :, 0]
        yield where, _fetched(answers)


def finite(answers: Iterable, cohort: str, models: range) -> Iterator[tuple[slice, Callable]]:
    """Yield what `extract` yields; answers are looked at once they have come from the device.

    Raises ValueError for one that is not finite, naming the cohort and, of `models`, which.
    """
    for where, arrays in answers:
        yield where, partial(_finite, arrays, cohort, models)


def _finite(arrays, cohort, models):
    found = arrays()
    for name, array in found.items():
        if not np.isfinite(array).all():
            k = np.argwhere(~np.isfinite(array))[0][0]
            raise ValueError(
                f"cohort {cohort}: model {models[k]} probably diverged: its answers are not finite"
                f" ({name})"
            )
    return found


def _answers(parts, x, y, once, specs, queries, progress):
    """Return phi (K, s, Q) and logits (K, s, 1, C) or (K, s, Q, C), on the device.

    Where all are to be asked `once`, what stands behind the first query means nothing. Batches keep
    their size in a slice with others in it: networks are compiled for it.
    """
    kept = len(specs) if queries["logits"] == "all" else 1
    models, classes = sum(part.models for part in parts), parts[0].answer(x[:1]).shape[-1]
    phi = x.new_empty(models, len(x), len(specs))
    logits = x.new_empty(models, len(x), kept, classes)
    for where in parts[0].slices(len(x), x):
        for q, spec in enumerate(specs[:1] if once[where].all() else specs):
            moved = augmentation.query(x[where], spec)
            answer = torch.cat([part.answer(moved) for part in parts]).float()
            answer /= queries["temperature"]
            phi[:, where, q] = phi_of(answer.double(), y[where]).float()
            if q < kept:
                logits[:, where, q] = answer
        progress(len(x[where]))
    return {"phi": phi, "logits": logits}


def _repeated(answers, once):
    """Return answers (K, s, Q, ...) in which some examples' first (s,) stands for the others."""
    chosen = once.view(-1, *[1] * (answers.dim() - 2))
    return torch.where(chosen, answers[:, :, :1], answers)


def _fetched(tensors: dict) -> Callable[[], dict]:
    """Begin to copy tensors to the CPU; return what waits for that and returns them as arrays.

    torch copies those of a GPU to pinned memory, for which nobody waits, as long as their type
    stays.
    """
    copies = {name: tensor.to("cpu", non_blocking=True) for name, tensor in tensors.items()}
    copied = None
    if any(tensor.is_cuda for tensor in tensors.values()):
        copied = torch.cuda.Event()
        copied.record()

    def arrays():
        if copied is not None:
            copied.synchronize()
        return {name: copy.numpy() for name, copy in copies.items()}

    return arrays
