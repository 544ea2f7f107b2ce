"""A data set of one's own in the form of torchvision's: a sequence of (image, label).

Images are of PIL, arrays (H, W) or (H, W, C) of uint8, tensors (C, H, W), or vectors; labels are
integers. `classes`, its names of them, is taken if it has it, and so is `member` (N,).
"""

import numpy as np

from miatlas.populations.base import Population


def population(pairs, source: str) -> Population:
    """Return the pairs as a population; `source` is named where they are none.

    Raises ValueError, naming the example, for one that is no such pair or of another shape.
    """
    if not len(pairs):
        raise ValueError(f"{source}: its data set is empty")
    first = _example(pairs, 0, source)[0]
    x, labels = np.empty((len(pairs), *first.shape), first.dtype), []
    for row in range(len(pairs)):
        image, label = _example(pairs, row, source)
        if image.shape != first.shape or image.dtype != first.dtype:
            raise ValueError(
                f"{source}: example {row} is {image.dtype} {image.shape}, the first"
                f" {first.dtype} {first.shape}: resize them to one size (transforms)"
            )
        x[row] = image
        labels.append(label)
    names = getattr(pairs, "classes", None) or range(max(labels) + 1)
    member = getattr(pairs, "member", None)
    return Population(
        x=x,
        labels=np.array(labels, np.int64),
        test=np.zeros(len(x), bool),
        class_names=[str(name) for name in names],
        source=source,
        scale=255.0 if x.dtype == np.uint8 else 1.0,
        member=None if member is None else np.asarray(member, bool),
    )


def _example(pairs, row, source) -> tuple[np.ndarray, int]:
    """Return an image as (C, H, W), or a vector, and its label."""
    try:
        image, label = pairs[row]
        return _channels_first(image), int(label)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: example {row} is no (image, label): {error}") from None


def _channels_first(image) -> np.ndarray:
    """Return what PIL and arrays have last first; tensors have it first."""
    array = np.asarray(image)
    array = array if array.dtype == np.uint8 and array.ndim > 1 else array.astype(np.float32)
    if array.ndim == 2:
        return array[None]
    is_tensor = hasattr(image, "detach")
    return array if is_tensor or array.ndim != 3 else array.transpose(2, 0, 1)
