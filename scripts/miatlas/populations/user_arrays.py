"""What the users' own files share: from named arrays to a population, whatever holds them.

Arrays: x, labels (N,), optional test (N,), class_names (C,), and member (N,), which says on whom a
released model was trained. x is uint8 images (N, C, H, W) or (N, H, W), float images (kept as
float32), or features (N, d) of any numeric type (float32).
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from miatlas.populations.base import Population

NEEDED, OPTIONAL = ("x", "labels"), ("test", "class_names", "member")
Layout = Literal["NCHW", "NHWC"] | None
CHANNELS = (1, 2, 3, 4)  # grey, with alpha or not, colours, with alpha or not
INSTEAD = {  # of objects and text, which pandas gives for mixed columns
    "x": "save x.astype('float32')", "test": "save test.astype(bool)",
    "member": "save member.astype(bool)",
    "labels": "class_names, labels = np.unique(labels, return_inverse=True) numbers them",
    "class_names": "save class_names.astype(str)",
}  # fmt: skip


def check_names(names: Iterable[str], path: Path) -> None:
    """Refuse a file without the arrays that are needed, or with others than those that may be."""
    names = list(names)
    missing = [name for name in NEEDED if name not in names]
    unknown = sorted(set(names) - {*NEEDED, *OPTIONAL})
    if missing or unknown:
        complaint = f"no array {missing[0]!r}" if missing else f"unknown array {unknown[0]!r}"
        raise ValueError(f"{path}: {complaint}; it holds {', '.join(names) or 'none'}, and may"
                         f" hold {', '.join([*NEEDED, *OPTIONAL])}")  # fmt: skip


def check_room(path: Path, name: str, size: int) -> None:
    """Refuse an array of more bytes than this machine has memory: it is read whole."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise ValueError(
            f"{path}: {name} takes {size / 2**30:,.1f} GiB, and this machine has"
            f" {memory / 2**30:,.1f} GiB of memory"
        )


def objects(path: Path, name: str) -> ValueError:
    """Return what is said of an array of Python objects or of text where there should be none."""
    return ValueError(
        f"{path}: {name} is an array of Python objects or text, as pandas makes them:"
        f" {INSTEAD[name]}"
    )


def population(
    arrays: Mapping[str, np.ndarray],
    path: Path,
    layout: Layout,
    scale: float | None,
    classes: int | None = None,
) -> Population:
    """Return the arrays of the file `path` as a population; ValueError, naming it, if they do not.

    `scale` is the pixel value that means 1.0; None: 255 for uint8 images, else 1. `classes`: how
    many there are, where labels need not have them all.
    """
    x = _examples(np.asarray(arrays["x"]), path, layout)
    labels = _integers(np.asarray(arrays["labels"]), path)
    test = _mask(arrays.get("test", np.zeros(len(x), bool)), "test", path)
    member = _mask(arrays["member"], "member", path) if "member" in arrays else None
    names = _names(arrays["class_names"], path) if "class_names" in arrays else None
    if classes and names and len(names) != classes:
        raise ValueError(f"{path}: class_names has {len(names)} names, but classes: {classes}")
    if classes and labels.max(initial=0) >= classes:
        raise ValueError(f"{path}: has the label {labels.max()}, but classes: {classes}")
    if not (names or classes):
        _check_numbered(labels, path)
    found = Population(
        x=x,
        labels=labels,
        test=test,
        member=member,
        class_names=names or [str(c) for c in range(classes or labels.max(initial=0) + 1)],
        source=f"file {path.name}",
        scale=scale or (255.0 if x.dtype == np.uint8 else 1.0),
    )
    if (labels == labels[0]).all():
        raise ValueError(f"{path}: labels are all {labels[0]}: a classifier needs two classes")
    if found.test.all():
        raise ValueError(f"{path}: test is true for every example: none is left to train on")
    return found


def _mask(array, name: str, path: Path) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "buif" or not np.isin(array, [0, 1]).all():
        raise ValueError(f"{path}: {name} is to hold true or false")
    return array.astype(bool)


def _examples(x: np.ndarray, path: Path, layout: Layout) -> np.ndarray:
    if x.dtype.kind in "OSU":
        raise objects(path, "x")
    if x.dtype.kind not in "buif" or x.ndim not in (2, 3, 4):
        raise ValueError(
            f"{path}: x is {x.dtype} {x.shape}: neither images nor features, which are"
            " (N, C, H, W) or (N, H, W), and (N, d)"
        )
    x = x if x.ndim == 2 else _images(x, path, layout)
    with np.errstate(over="ignore"):  # what overflows is reported as not finite
        x = x if x.ndim == 4 and x.dtype == np.uint8 else x.astype(np.float32)
    return np.ascontiguousarray(x)


def _images(x, path, layout):
    """Return images (N, C, H, W); what has its channels last has to say so."""
    if x.dtype.kind != "f" and x.dtype != np.uint8:
        raise ValueError(f"{path}: x has images of {x.dtype}, which are to be uint8 or float")
    if x.ndim == 4:
        _check_layout(x.shape, path, layout)
    images = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2) if layout == "NHWC" else x
    if 1 in images.shape[2:]:
        raise ValueError(
            f"{path}: x of shape {x.shape} has an axis too many: images have more than one pixel a"
            " side, features are (N, d)"
        )
    return images


def _check_layout(shape, path, layout):
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if layout == "NHWC" and first and not last:
        raise ValueError(
            f"{path}: x of shape {shape} has its channels first, but layout is NHWC: leave it out"
        )
    if layout is None and not first and (last or shape[2] != shape[3]):
        raise ValueError(
            f"{path}: x of shape {shape} seems to have its channels last: set layout: NHWC,"
            f" or layout: NCHW if there are {shape[1]} channels"
        )


def _integers(labels: np.ndarray, path: Path) -> np.ndarray:
    if labels.dtype.kind in "OSU":
        raise objects(path, "labels")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        way = "take labels.argmax(1) of indicators, labels.reshape(-1) of one column"
        if labels.ndim == 1:
            absent = np.flatnonzero(~np.isfinite(labels)) if labels.dtype.kind == "f" else ()
            way = "save labels.astype(int)"
            if len(absent):
                way = f"it is {labels[absent[0]]} for example {absent[0]}"
        kind = f"{labels.dtype} {labels.shape}"
        raise ValueError(f"{path}: labels is {kind}, not integers (N,): {way}")
    return labels.astype(np.int64)


def _check_numbered(labels, path):
    """Refuse labels that skip classes, or that hardly two examples share, if no names tell why."""
    known = np.unique(labels)
    if len(known) and (known[0] != 0 or known[-1] != len(known) - 1):
        raise ValueError(
            f"{path}: labels are {known[0]} to {known[-1]}, but {len(known)} classes have examples:"
            f" number them 0 to {len(known) - 1} (np.unique(labels, return_inverse=True)[1]), or"
            " say how many there are (classes: of the population), or name all in class_names"
        )
    if 2 * len(known) > len(labels) > 2:
        raise ValueError(
            f"{path}: labels are of {len(known)} classes, for {len(labels)} examples: are they"
            " numbers of examples, or values? Classes have several examples each (class_names"
            " names them if it is so)"
        )


def _names(names, path):
    if np.ndim(names) != 1:
        raise ValueError(f"{path}: class_names is {np.shape(names)}, expected a name a class (C,)")
    return [n.decode(errors="replace") if isinstance(n, bytes) else str(n) for n in names]
