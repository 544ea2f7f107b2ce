"""Augmentations against loops over single images with NumPy and SciPy, and exact small cases."""

from importlib.util import find_spec
from itertools import product
from math import cos, pi, sin
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from miatlas.options import declared
from miatlas.study.checking import checked
from miatlas.training.augmentation import KINDS, apply, augment, concatenate, draw, queries, query

SHAPES = [(3, 32, 32), (1, 8, 8), (2, 9, 12)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, shape, seed=0, dtype=torch.float32):
    return torch.randn(n, *shape, generator=generator(seed), dtype=dtype)


def moved(image, mirror, dy, dx):
    """One image (C, H, W): flip, pad by reflection, crop."""
    image = image[:, :, ::-1] if mirror else image
    _, height, width = image.shape
    pad = max(abs(dy), abs(dx))
    padded = np.pad(image, [(0, 0), (pad, pad), (pad, pad)], mode="reflect")
    return padded[:, pad + dy : pad + dy + height, pad + dx : pad + dx + width]


def rotated(image, angle, dy, dx):
    """One image (C, H, W): SciPy's affine transform about the centre, bilinear, zeros outside."""
    centre = (np.array(image.shape[1:]) - 1) / 2
    matrix = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])  # rows, columns
    offset = centre + np.array([dy, dx]) - matrix @ centre
    transform = {"matrix": matrix, "offset": offset, "order": 1, "mode": "grid-constant"}
    return np.stack([ndimage.affine_transform(channel, **transform) for channel in image])


def one_by_one(x, draws):
    """The slow version of `apply`."""
    n = len(x)
    mirror = draws.get("mirror", torch.zeros(n, dtype=torch.bool)).tolist()
    shift = draws.get("shift", torch.zeros(n, 2, dtype=torch.int64)).tolist()
    out = []
    for i, image in enumerate(x.numpy()):
        if "angle" in draws:
            out.append(rotated(image.astype(float), draws["angle"][i].item(), *shift[i]))
            continue
        image = moved(image, mirror[i], *shift[i]).copy()
        if "box" in draws:
            top, bottom, left, right = draws["box"][i].tolist()
            image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0
        out.append(image)
    return np.stack(out)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("none", "crop_rotation")])
def test_moves_are_exactly_the_slow_ones(kind, shape):
    x = images(40, shape)
    draws = draw(kind, 40, shape, generator(1), shift=min(shape[1:]) // 2, cutout=5)
    np.testing.assert_array_equal(apply(x, draws).numpy(), one_by_one(x, draws))


@pytest.mark.parametrize("shape", SHAPES)
def test_rotation_is_the_slow_one(shape):
    x = images(20, shape, dtype=torch.float64)
    draws = draw("crop_rotation", 20, shape, generator(2), shift=3, rotation=40.0)
    np.testing.assert_allclose(apply(x, draws).numpy(), one_by_one(x, draws), atol=1e-5)
    np.testing.assert_allclose(apply(x.float(), draws).numpy(), one_by_one(x, draws), atol=1e-4)


def test_a_quarter_turn_and_no_turn():
    x = images(2, (2, 6, 6))
    draws = {"angle": torch.tensor([pi / 2, 0.0]), "shift": torch.tensor([[0, 0], [2, -1]])}
    turned, shifted = apply(x, draws)
    torch.testing.assert_close(turned, torch.rot90(x[0], 1, (1, 2)), rtol=0, atol=1e-5)
    expected = torch.zeros(2, 6, 6)
    expected[:, :4, 1:] = x[1][:, 2:, :5]
    torch.testing.assert_close(shifted, expected, rtol=0, atol=1e-5)


def test_pixels_of_a_small_image():
    x = torch.arange(1, 10).reshape(1, 1, 3, 3)
    as_list = lambda spec: query(x, spec)[0, 0].tolist()  # noqa: E731
    assert as_list((False, 0, 0)) == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert as_list((True, 0, 0)) == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert as_list((False, 1, 0)) == [[4, 5, 6], [7, 8, 9], [4, 5, 6]]
    assert as_list((False, 0, -1)) == [[2, 1, 2], [5, 4, 5], [8, 7, 8]]
    assert as_list((False, 0, -2)) == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert as_list((True, -1, 1)) == [[5, 4, 5], [2, 1, 2], [5, 4, 5]]


def test_no_augmentation_is_the_same_tensor():
    x = images(3, (1, 8, 8))
    assert augment(x, "none", generator()) is x
    assert draw("none", 3, (30,), generator()) == {}


def test_only_moves_keep_the_type_and_leave_the_input_alone():
    x = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8, generator=generator())
    before = x.clone()
    y = augment(x, "mirror_shift_cutout", generator(1), shift=2, cutout=3)
    assert y.dtype == torch.uint8
    assert torch.equal(x, before)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_draws_do_not_depend_on_how_many_models_are_stacked(kind):
    shape, options = (2, 8, 8), {"shift": 2, "cutout": 3}
    x = images(30, shape).reshape(3, 10, *shape)
    draws = [draw(kind, 10, shape, generator(seed), **options) for seed in (7, 8, 9)]
    together = apply(x.flatten(0, 1), concatenate(draws)).reshape(x.shape)
    for k, seed in enumerate((7, 8, 9)):
        alone = augment(x[k], kind, generator(seed), **options)
        torch.testing.assert_close(together[k], alone, rtol=0, atol=1e-6)
        again = draw(kind, 10, shape, generator(seed), **options)
        assert all(torch.equal(again[name], draws[k][name]) for name in again)
    assert not torch.equal(together[0], together[1])


def test_draws_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    for kind in KINDS:
        draw(kind, 5, (1, 8, 8), generator(), shift=1)
    assert torch.equal(state, torch.get_rng_state())


def uniform(values, possible):
    """The p-value of the chi-square test that the values are uniform on `possible`."""
    counts = [sum(value == each for value in values) for each in possible]
    assert sum(counts) == len(values), "a value outside the range"
    return stats.chisquare(counts).pvalue


def test_draws_are_uniform():
    n = 5000
    draws = draw("mirror_shift_cutout", n, (3, 10, 7), generator(3), shift=2, cutout=5)
    shifts = list(map(tuple, draws["shift"].tolist()))
    assert uniform(shifts, list(product(range(-2, 3), repeat=2))) > 1e-3
    assert uniform(draws["mirror"].tolist(), [False, True]) > 1e-3
    top, bottom, left, right = draws["box"].T
    assert (bottom - top == 5).all()
    assert (right - left == 5).all()
    centres = list(zip((top + 2).tolist(), (left + 2).tolist(), strict=True))
    assert uniform(centres, list(product(range(10), range(7)))) > 1e-3
    both = list(zip(draws["mirror"].tolist(), shifts, strict=True))
    assert uniform(both, list(product([False, True], set(shifts)))) > 1e-3
    angles = draw("crop_rotation", n, (3, 10, 7), generator(4), shift=2)["angle"].numpy()
    assert stats.kstest(angles, stats.uniform(-pi / 12, pi / 6).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mirrors", 2, (3, 8, 8)), "'mirrors'.*mirror_shift"),
        (("mirror", 2, (30,)), r"mirror.*\(30,\)"),
        (("mirror_shift", 2, (1, 4, 9)), "4 pixels.*4x9"),
    ],
)
def test_what_cannot_be_drawn(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(*arguments, generator())


@pytest.mark.parametrize(
    ("count", "options"),
    [(1, {}), (2, {}), (18, {}), (162, {}), (18, {"shift": 1}), (50, {"shift": 2}),
     (9, {"mirror": False}), (81, {"mirror": False}), (9, {"mirror": False, "shift": 1})],
)  # fmt: skip
def test_queries(count, options):
    specs = queries(count, (3, 32, 32), **options)
    assert specs[0] == (False, 0, 0)
    assert len(specs) == len(set(specs)) == count
    assert any(mirror for mirror, _, _ in specs) == (options.get("mirror", True) and count > 1)
    reach = 0 if count <= 2 else options.get("shift", 4)
    assert {dy for _, dy, _ in specs} >= {-reach, 0, reach}
    assert max(abs(d) for _, dy, dx in specs for d in (dy, dx)) == reach
    # Closed under mirroring and under change of sign: no direction is preferred.
    assert {(m, -dy, dx) for m, dy, dx in specs} == set(specs)
    assert {(m, dx, dy) for m, dy, dx in specs} == set(specs)


def test_smaller_sets_are_prefixes():
    for options, counts in (({}, (1, 2, 18, 162)), ({"mirror": False}, (1, 9, 81))):
        largest = queries(counts[-1], (3, 32, 32), **options)
        for count in counts:
            assert queries(count, (3, 32, 32), **options) == largest[:count]


@pytest.mark.parametrize("spec", queries(162, (3, 32, 32))[::7])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_query_is_the_slow_move(spec, shape):
    x = images(3, shape)
    slow = np.stack([moved(image, *spec) for image in x.numpy()])
    np.testing.assert_array_equal(query(x, spec).numpy(), slow)
    np.testing.assert_array_equal(query(x[0], spec).numpy(), slow[0])


def test_a_query_is_what_training_applies():
    x = images(1, (3, 8, 8))
    for mirror, dy, dx in queries(18, (3, 8, 8), shift=3):
        draws = {"mirror": torch.tensor([mirror]), "shift": torch.tensor([[dy, dx]])}
        assert torch.equal(query(x, (mirror, dy, dx)), apply(x, draws))


def test_queries_of_feature_vectors():
    assert queries(1, (30,)) == [(False, 0, 0)]
    x = images(4, (30,))
    assert query(x, (False, 0, 0)) is x
    with pytest.raises(ValueError, match=r"count of 2.*\(30,\)"):
        queries(2, (30,))


@pytest.mark.parametrize(
    ("count", "shape", "options", "message"),
    [
        (3, (3, 32, 32), {}, "count 3 is not one of 1, 2, 18, 162"),
        (2, (3, 32, 32), {"mirror": False}, "count 2 is not one of 1, 9, 81"),
        (0, (3, 32, 32), {}, "count 0"),
        (18, (1, 8, 8), {"shift": 8}, "8 pixels.*8x8"),
    ],
)
def test_impossible_queries(count, shape, options, message):
    with pytest.raises(ValueError, match=message):
        queries(count, shape, **options)


def test_declared_defaults_pass_their_own_checks():
    source = Path(find_spec("miatlas.training.augmentation").origin)
    assert checked({}, declared(source, "draw"), "draw") == {
        "shift": 4, "cutout": 16, "rotation": 15.0,
    }  # fmt: skip
    assert checked({}, declared(source, "queries"), "queries") == {
        "mirror": True,
        "shift": 4,
    }
