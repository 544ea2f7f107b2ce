"""Signals of models that answer probabilities, and no logits: phi and logits are made of them.

Whoever rounds a probability to 1 has no logit: probabilities are clipped to [1e-6, 1 - 1e-6] first.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from miatlas.running import numpy_archives
from miatlas.running.store import SLICE
from miatlas.signals.answers import slices

SMALLEST = 1e-6
SUM = 1e-3  # by which the probabilities of an example may miss 1
KEYS = ["model", "example", "label", "member"]  # columns of a table, before those of the classes


def signals(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return phi (M, N, 1) and logits (M, N, C), float32, of probabilities (M, N, C).

    phi is the logit of the clipped probability of the label (N,), logits the logarithms of all
    clipped ones: where nothing is clipped, phi is what these logits say it is.
    """
    clipped = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    own = np.take_along_axis(clipped, labels[None, :, None], 2)[..., 0]
    return {
        "phi": (np.log(own) - np.log1p(-own))[..., None].astype(np.float32),
        "logits": np.log(clipped).astype(np.float32),
    }


def extract(
    group, x, labels: np.ndarray, progress: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[slice, Callable[[], dict]]]:
    """Yield slices of N examples, and what returns K estimators' signals of them.

    As `queries.extract`, for one query of the untouched examples x (N, ...), a tensor.
    """
    for where in slices(len(x), SLICE):
        answers = signals(group.probabilities(x[where].cpu().numpy()), labels[where])
        yield where, lambda answers=answers: answers
        progress(len(labels[where]))


def is_table(path) -> bool:
    """Say whether a file of answers is one of probabilities, by its name."""
    return Path(path).suffix in (".csv", ".npz")


def read(path) -> dict[str, np.ndarray]:
    """Return the signals of a file of probabilities: member, labels, role, phi, logits.

    npz: probabilities (M, N, C), labels (N,), member (M, N), optional role (N,).
    csv: a row a model and example, with the columns model, example, label, member, and then the
    probability of each class, in their order. Raises ValueError, naming the file and the model or
    the column, for what contradicts itself.
    """
    path = Path(path)
    arrays = _of_csv(path) if path.suffix == ".csv" else _of_npz(path)
    p, labels, member = arrays["probabilities"], arrays["labels"], arrays["member"]
    _check(path, p, labels, member)
    role = arrays.get("role", np.zeros(len(labels), np.uint8))
    return {"member": member.astype(bool), "labels": labels.astype(np.int64), "role": role,
            **signals(p.astype(np.float64), labels)}  # fmt: skip


def outline(path) -> dict:
    """Return what a file of probabilities tells before it is read: `models`, and `held_out`.

    models: how many, unless a csv's rows tell; held_out: 0 where there are no roles. Raises
    ValueError, naming the file, for arrays or columns that are missing or do not fit.
    """
    path = Path(path)
    if path.suffix == ".csv":
        _check_columns(path, _head(path))
        return {"held_out": 0}
    arrays = _headers(path)
    roles = {} if "role" in arrays else {"held_out": 0}
    return {"models": arrays["probabilities"].shape[0]} | roles


def _head(path):
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(filter(None, csv.reader(file)), [])
    except (csv.Error, OSError) as error:
        raise ValueError(f"{path}: not a readable table: {error}") from None


def _of_npz(path):
    _headers(path)
    return numpy_archives.arrays(path)


def _headers(path):
    found = numpy_archives.headers(path)
    missing = [name for name in ("probabilities", "labels", "member") if name not in found]
    if missing:
        there = ", ".join(found) or "nothing"
        raise ValueError(f"{path}: has no {missing[0]!r}; it holds {there}")
    for name, header in found.items():
        if header.dtype.hasobject:
            raise ValueError(f"{path}: {name} is an array of Python objects: save it as numbers")
    _check_shapes(path, **{name: found[name] for name in ("probabilities", "labels", "member")})
    return found


def _check_columns(path, columns):
    missing = [name for name in KEYS if name not in columns]
    if missing:
        raise ValueError(f"{path}: has no column {missing[0]!r}; it has {', '.join(columns)}")


def _of_csv(path):
    from miatlas.populations import columns  # pandas: not what every job should wait for

    table = columns.read(path, [])
    _check_columns(path, list(table))
    table = table.sort_values(["model", "example"], kind="stable")
    models, examples = (table[key].unique() for key in ("model", "example"))
    shape = (len(models), len(examples))
    whole = len(table) == shape[0] * shape[1] and not table.duplicated(["model", "example"]).any()
    if not whole:
        raise ValueError(
            f"{path}: {len(table)} rows are not one for each of {shape[0]} models and each of"
            f" {shape[1]} examples"
        )
    labels = table["label"].to_numpy().reshape(shape)
    if (labels != labels[0]).any():
        raise ValueError(f"{path}: an example has different labels in different rows")
    classes = [name for name in table if name not in KEYS]
    if any(table[name].dtype.kind not in "fiu" for name in classes):
        raise ValueError(f"{path}: a column after {', '.join(KEYS)} holds no probabilities")
    return {
        "labels": labels[0],
        "member": table["member"].to_numpy().reshape(shape),
        "probabilities": table[classes].to_numpy(np.float64).reshape(*shape, len(classes)),
    }


def _check_shapes(path, probabilities, labels, member):
    """Refuse arrays, or headers of them, that do not fit together."""
    p = probabilities
    if len(p.shape) != 3 or p.dtype.kind != "f" or p.shape[2] < 2:
        raise ValueError(
            f"{path}: probabilities are {p.dtype} {p.shape}, expected floats (models, examples,"
            " classes) of at least two classes"
        )
    if labels.shape != p.shape[1:2] or member.shape != p.shape[:2]:
        raise ValueError(
            f"{path}: labels {labels.shape} and member {member.shape} do not fit"
            f" probabilities {p.shape}"
        )


def _check(path, p, labels, member):
    _check_shapes(path, p, labels, member)
    if labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < p.shape[2]:
        raise ValueError(f"{path}: labels are to be 0 to {p.shape[2] - 1}, integers")
    if not np.isin(member, (0, 1)).all():
        raise ValueError(f"{path}: member is to be 0 or 1")
    wrong = ~((p >= 0) & (p <= 1)).all(2) | (np.abs(p.sum(2) - 1) > SUM)
    if wrong.any():
        model, example = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path}: of model {model} about example {example} are no probabilities:"
            f" {p[model, example][:5].tolist()}, sum {p[model, example].sum():.4g}"
        )
