"""A released model's members in one file of arrays, and its non-members in another."""

from pathlib import Path

import numpy as np


def joined(arrays: list[dict[str, np.ndarray]], paths: list[Path]) -> dict[str, np.ndarray]:
    """Return the arrays of a file, or of a file of members and one of non-members as one.

    Raises ValueError, naming the second file, if its arrays or their shapes are others.
    """
    if len(arrays) == 1:
        return arrays[0]
    (first, second), path = arrays, paths[1]
    if "member" in first or "member" in second:
        raise ValueError(f"{path}: of two files the first is the members': leave the array member")
    if odd := sorted(set(first) ^ set(second)):
        raise ValueError(f"{path}: its arrays differ from those of {paths[0]}: {odd[0]!r}")
    for name in first:
        one, other = (np.asarray(each[name]) for each in arrays)
        if one.shape[1:] != other.shape[1:] or one.dtype.kind != other.dtype.kind:
            raise ValueError(
                f"{path}: {name} is {other.dtype} {other.shape}, in {paths[0]} it is"
                f" {one.dtype} {one.shape}"
            )
    if "class_names" in first and list(first["class_names"]) != list(second["class_names"]):
        raise ValueError(f"{path}: class_names differ from those of {paths[0]}")
    result = {n: np.concatenate([first[n], second[n]]) for n in first if n != "class_names"}
    member = np.arange(len(result["labels"])) < len(first["labels"])
    return {**result, **{n: first[n] for n in first if n not in result}, "member": member}
