"""Random augmentations for training, and the deterministic augmented queries.

Both are whole-pixel moves of images (..., C, H, W): mirror left-right first, then shift by (dy, dx)
with reflect padding, so that output pixel (i, j) is pixel (i + dy, j + dx) of the padded image. The
edge itself is not repeated. Random draws and their application are separate, so that each of K
models draws from a generator of its own and one call moves the images of all.
"""

import math
from itertools import product
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from miatlas.options import between, nonnegative, positive

ALTERNATING = "alternating_mirror_shift"
KINDS = (
    "none", "mirror", "shift", "mirror_shift", "mirror_shift_cutout", "crop_rotation", ALTERNATING
)  # fmt: skip


def augment(x: Tensor, kind: str, generator: torch.Generator, **options) -> Tensor:
    """Draw for every example of x (n, C, H, W) and apply at once."""
    return apply(x, draw(kind, len(x), x.shape[1:], generator, **options))


def draw(
    kind: str,
    n: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    shift: Annotated[int, nonnegative] = 4,
    cutout: Annotated[int, positive] = 16,
    rotation: Annotated[float, between(0, 180)] = 15.0,
) -> dict[str, Tensor]:
    """Return the draws for n examples of `shape`: tensors (n, ...) by name; `none` draws nothing.

    - `mirror`: mirror bool (n,), with probability 1/2.
    - `shift`: shift int (n, 2), dy and dx uniform in [-shift, shift]; the same as padding by
      `shift` pixels and cropping at random. For images that have no mirror image, like digits.
    - `mirror_shift`: both (carlini2022 §VI-E).
    - `mirror_shift_cutout`: also box int (n, 4), rows [top, bottom) and columns [left, right) of a
      square of side `cutout`, centred on any pixel and cut at the border (DeVries & Taylor 2017,
      whose 16 for CIFAR-10 is the default).
    - `crop_rotation`: shift as above, and angle float (n,) in radians, uniform in [-rotation,
      rotation] degrees (shi2024 §4.5, which gives no sizes).
    - `alternating_mirror_shift`: shift as above. Mirrored is an example in every other of its
      passes (Jordan 2024), the first of them drawn: see `alternating`, which knows the passes.

    `rotation`: the largest angle of `crop_rotation`, in degrees.
    """
    if kind not in KINDS:
        raise ValueError(f"augmentation {kind!r} does not exist; there is: {', '.join(KINDS)}")
    if kind == "none":
        return {}
    height, width = _image_size(shape, f"augmentation {kind}")
    draws = {}
    if kind.startswith("mirror"):
        draws["mirror"] = torch.rand(n, generator=generator) < 0.5
    if kind != "mirror":
        _check_shift(shift, height, width, f"augmentation {kind}")
        draws["shift"] = torch.randint(-shift, shift + 1, (n, 2), generator=generator)
    if kind == "mirror_shift_cutout":
        top = torch.randint(height, (n,), generator=generator) - cutout // 2
        left = torch.randint(width, (n,), generator=generator) - cutout // 2
        draws["box"] = torch.stack([top, top + cutout, left, left + cutout], dim=1)
    if kind == "crop_rotation":
        uniform = torch.rand(n, generator=generator) * 2 - 1
        draws["angle"] = uniform * math.radians(rotation)
    return draws


def alternating(first: Tensor, examples: Tensor, passes: Tensor) -> Tensor:
    """Return which examples are mirrored: in their even passes those that `first` says.

    first (K, N) bool, the population's examples as K models begin with them; examples (K, n) are
    indices into it, passes (K, n) how often a model has seen each before.
    """
    return first.gather(1, examples) ^ (passes % 2 == 1)


def concatenate(draws: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Join the draws of several models, all of one kind, in their order."""
    return {name: torch.cat([each[name] for each in draws]) for name in draws[0]}


def apply(x: Tensor, draws: dict[str, Tensor]) -> Tensor:
    """Return the images x (n, C, H, W), moved as drawn; x itself where nothing was drawn.

    Cut-out squares are set to 0, and what a rotation brings in from outside is 0: x is expected
    after normalisation, where 0 is the mean. Rotations need floating-point images.
    """
    if not draws:
        return x
    draws = {name: values.to(x.device) for name, values in draws.items()}
    if "angle" in draws:
        return _rotate(x, draws["angle"], draws["shift"])
    x = _move(x, draws.get("mirror"), draws.get("shift"))
    return _cut(x, draws["box"]) if "box" in draws else x


def queries(
    count: int,
    shape: tuple[int, ...],
    *,
    mirror: bool = True,
    shift: Annotated[int, positive] = 4,
) -> list[tuple[bool, int, int]]:
    """Return `count` queries (mirror, dy, dx): methods §1, carlini2022 §VI-C and Table III.

    Query 0 is the untouched example. With mirroring there are 1, 2, 18 (3x3 shifts by -shift, 0 or
    shift) or 2(2 shift + 1)^2 queries (every shift up to `shift`: 162 for 4); without, 1, 9 or
    (2 shift + 1)^2. Each set is a prefix of the larger ones. The paper does not say which shifts
    its 18 queries are; `shift: 1` makes them the nearest neighbours instead.

    Raises ValueError for any other count, for a shift that the image cannot reflect, and for more
    than one query of an example that is not an image.
    """
    if count == 1:
        return [(False, 0, 0)]
    height, width = _image_size(shape, f"queries: a count of {count}")
    _check_shift(shift, height, width, "queries")
    moves = sorted(product(range(-shift, shift + 1), repeat=2), key=lambda move: _ring(move, shift))
    specs = [(flip, dy, dx) for dy, dx in moves for flip in ((False, True) if mirror else (False,))]
    flips = 1 + mirror
    allowed = sorted({1, flips, 9 * flips, len(specs)})
    if count not in allowed:
        raise ValueError(
            f"queries: count {count} is not one of {', '.join(map(str, allowed))} "
            f"(mirror: {str(mirror).lower()}, shift: {shift})"
        )
    return specs[:count]


def query(x: Tensor, spec: tuple[bool, int, int]) -> Tensor:
    """Return the images x (..., H, W) moved by one query; x itself (of any shape) by query 0."""
    mirror, dy, dx = spec
    if not (mirror or dy or dx):
        return x
    height, width = x.shape[-2:]
    rows = _reflect(torch.arange(height, device=x.device) + dy, height)
    columns = _reflect(torch.arange(width, device=x.device) + dx, width)
    columns = width - 1 - columns if mirror else columns
    return _gather(x.reshape(1, -1, height, width), rows[None], columns[None]).reshape(x.shape)


def _move(x, mirror, shift):
    n, _, height, width = x.shape
    rows = torch.arange(height, device=x.device).expand(n, -1)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    if shift is not None:
        rows = _reflect(rows + shift[:, :1], height)
        columns = _reflect(columns + shift[:, 1:], width)
    if mirror is not None:
        columns = torch.where(mirror[:, None], width - 1 - columns, columns)
    return _gather(x, rows, columns)


def _gather(x, rows, columns):
    """Fetch every pixel of images (n, C, H, W) from its row (n, H) and column (n, W)."""
    # One gather over flat positions is several times faster than rows first, then columns.
    places = rows[:, :, None] * x.shape[-1] + columns[:, None, :]
    flat = x.flatten(2)
    return flat.gather(2, places.flatten(1)[:, None].expand(flat.shape)).reshape(x.shape)


def _cut(x, box):
    top, bottom, left, right = box.T[:, :, None]
    rows = torch.arange(x.shape[2], device=x.device)
    columns = torch.arange(x.shape[3], device=x.device)
    inside_rows = (rows >= top) & (rows < bottom)
    inside_columns = (columns >= left) & (columns < right)
    return x.masked_fill((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)


def _rotate(x, angle, shift):
    """Rotate about the centre and shift in one bilinear sampling; zeros outside.

    An output pixel at (u, v) from the centre (right, down) comes from R(angle) (u, v) + (dx, dy).
    The sampler counts in half widths and half heights, hence the ratios.
    """
    height, width = x.shape[2:]
    cos, sin, shift = angle.cos().to(x.dtype), angle.sin().to(x.dtype), shift.to(x.dtype)
    first = torch.stack([cos, -sin * height / width, 2 * shift[:, 1] / width], dim=1)
    second = torch.stack([sin * width / height, cos, 2 * shift[:, 0] / height], dim=1)
    grid = affine_grid(torch.stack([first, second], dim=1), list(x.shape), align_corners=False)
    return grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _reflect(index, size):
    """Fold positions from -(size - 1) to 2 (size - 1) back into 0 ... size - 1."""
    index = index.abs()
    return (size - 1) - ((size - 1) - index).abs()


def _ring(move, shift):
    """0 for no shift, 1 for the rest of the 3x3 grid, 2 for all others."""
    dy, dx = move
    return 0 if dy == dx == 0 else 1 if {abs(dy), abs(dx)} <= {0, shift} else 2


def _image_size(shape, what):
    if len(shape) != 3:
        raise ValueError(f"{what} needs images (C, H, W), not examples of shape {tuple(shape)}")
    return shape[1:]


def _check_shift(shift, height, width, what):
    if shift >= min(height, width):
        raise ValueError(
            f"{what}: a shift of {shift} pixels cannot be reflected in a {height}x{width} image"
        )
