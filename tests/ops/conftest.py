import os
import warnings

import pytest
import torch

from imgsim_ops import ops  # noqa: F401  (registers the operators that are replaced below)

EMULATED = os.environ.get("IMGSIM_EMULATED_CUDA")
if EMULATED:
    # From here on operators on CPU tensors are the CUDA kernels, emulated: see tests/emulated_cuda.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*Overriding a previously registered kernel", category=UserWarning)
        torch.ops.load_library(EMULATED)


DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]


@pytest.fixture(scope="module", params=DEVICES)
def device(request):
    """Each device that the operators run on."""
    return request.param


@pytest.fixture(scope="module")
def each_device(device):
    """Runs a module's tests on each device: it is where tensors are made, unless a test says where."""
    if device == "cpu":
        yield
        return
    torch.set_default_device(device)
    yield
    torch.set_default_device(None)


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of tiny calls: on a busy machine each would wait for a second thread to get its turn.

    That more threads answer the same is tested where the work is large enough to be cut (test_same_bits.py).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def three_threads():
    """More than one, and more than many machines have."""
    torch.set_num_threads(3)
