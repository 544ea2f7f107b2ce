"""What tests share."""

import pytest
import torch


@pytest.fixture(scope="module")
def one_thread():
    """Compute on one thread while a module's tests run: small tensors are no faster on more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
