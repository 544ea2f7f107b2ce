"""What the users' own files share: from named arrays to a population, whatever holds them.

Arrays: x, labels (N,), optional test (N,) and class_names (C,). x is uint8 images (N, C, H, W) or
(N, H, W), float images (kept as float32), or features (N, d) of any numeric type (float32).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from miatlas.populations.base import Population

NEEDED, OPTIONAL = ("x", "labels"), ("test", "class_names")


def population(
    arrays: Mapping[str, np.ndarray], path: Path, layout: str, scale: float | None
) -> Population:
    """Return the arrays of the file `path` as a population; ValueError, naming it, if they do not.

    `scale` is the pixel value that means 1.0; None: 255 for uint8 images, else 1.
    """
    missing = [name for name in NEEDED if name not in arrays]
    unknown = sorted(set(arrays) - {*NEEDED, *OPTIONAL})
    if missing or unknown:
        complaint = f"no array {missing[0]!r}" if missing else f"unknown array {unknown[0]!r}"
        raise ValueError(f"{path}: {complaint}; it holds {', '.join(arrays)}, and may hold "
                         f"{', '.join([*NEEDED, *OPTIONAL])}")  # fmt: skip
    x = _examples(np.asarray(arrays["x"]), path, layout)
    labels = _integers(np.asarray(arrays["labels"]), path)
    test = np.asarray(arrays.get("test", np.zeros(len(x), bool)))
    if not np.isin(test, [0, 1]).all():
        raise ValueError(f"{path}: test is to hold true or false")
    names = arrays.get("class_names", range(max(labels, default=0) + 1))
    return Population(
        x=x,
        labels=labels,
        test=test.astype(bool),
        class_names=[str(name) for name in names],
        source=f"file {path.name}",
        scale=scale or (255.0 if x.dtype == np.uint8 else 1.0),
    )


def _examples(x: np.ndarray, path: Path, layout: str) -> np.ndarray:
    if x.dtype.kind not in "buif" or x.ndim not in (2, 3, 4):
        raise ValueError(f"{path}: x is {x.dtype} {x.shape}: neither images nor features")
    if x.ndim > 2 and x.dtype.kind != "f" and x.dtype != np.uint8:
        raise ValueError(f"{path}: x has images of {x.dtype}, which are to be uint8 or float")
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and layout == "NHWC":
        x = x.transpose(0, 3, 1, 2)
    elif x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3):
        raise ValueError(f"{path}: x of shape {x.shape} has its channels last: set layout: NHWC")
    with np.errstate(over="ignore"):  # what overflows is reported as not finite
        x = x if x.ndim == 4 and x.dtype == np.uint8 else x.astype(np.float32)
    return np.ascontiguousarray(x)


def _integers(labels: np.ndarray, path: Path) -> np.ndarray:
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{path}: labels is {labels.dtype} {labels.shape}, not integers (N,)")
    return labels.astype(np.int64)
