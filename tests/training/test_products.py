"""Products of K models' matrices, by NumPy on one thread of a CPU and by torch elsewhere."""

import warnings

import pytest
import torch
from torch.func import functional_call

from miatlas.training.products import product

pytestmark = pytest.mark.usefixtures("one_thread")


def matrices(dtype):
    generator = torch.Generator().manual_seed(0)
    sizes = (3, 6, 40), (3, 5, 40), (3, 5)
    return [torch.randn(*size, generator=generator).to(dtype) for size in sizes]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", ["as they are", "transposed", "shared"])
@pytest.mark.parametrize("biased", [True, False])
def test_products_are_those_of_a_linear_layer(dtype, layout, biased):
    x, weight, bias = matrices(dtype)
    if layout == "transposed":
        x, weight = x.mT.contiguous().mT, weight.mT.contiguous().mT
    if layout == "shared":
        x = x[:1].expand(3, -1, -1)
    expected = []
    for k in range(3):
        layer = torch.nn.Linear(40, 5, bias=biased, dtype=dtype)
        state = {"weight": weight[k]} | ({"bias": bias[k]} if biased else {})
        expected.append(functional_call(layer, state, (x[k],)).detach())
    result = product(x, weight, bias if biased else None)
    torch.testing.assert_close(result, torch.stack(expected))
    assert result.is_contiguous()
    assert result.dtype == dtype


def test_products_elsewhere_are_torchs_own(monkeypatch):
    monkeypatch.delattr("numpy.matmul")
    x, weight, bias = (tensor.to("meta") for tensor in matrices(torch.float32))
    assert product(x, weight, bias).shape == product(x, weight).shape == (3, 6, 5)


def test_on_more_threads_products_are_torchs_own(monkeypatch):
    x, weight, bias = matrices(torch.float32)
    by_numpy = product(x, weight, bias)
    monkeypatch.delattr("numpy.matmul")
    torch.set_num_threads(2)
    try:
        torch.testing.assert_close(product(x, weight, bias), by_numpy)
    finally:
        torch.set_num_threads(1)


def test_a_product_remembers_nothing_and_leaves_its_factors():
    x, weight, bias = (tensor.requires_grad_() for tensor in matrices(torch.float32))
    before = [tensor.detach().clone() for tensor in (x, weight, bias)]
    assert not product(x, weight, bias).requires_grad
    for now, then in zip((x, weight, bias), before, strict=True):
        assert torch.equal(now, then)


def test_numbers_that_are_not_finite_are_no_warnings_of_numpys():
    x, weight, _ = matrices(torch.float32)
    x[0, 0, 0], x[1, 0, 0], x[2, 0, 0] = torch.inf, torch.nan, 3e38
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = product(x, weight * 100)
    assert not result[:, 0].isfinite().any()
    assert result[:, 1:].isfinite().all()
