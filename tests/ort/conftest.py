import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """For the same reason as in tests/ops."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
