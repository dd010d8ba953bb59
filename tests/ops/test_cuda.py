"""The CUDA registrations against the CPU ones; skipped where there is no GPU."""

import pytest
import torch

from imgsim_ops import ops

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 17, 33)])
@pytest.mark.parametrize("repeats", [0, 1, 5])
@pytest.mark.parametrize("dim", [0, -1])
def test_repeat_interleave_equals_the_cpu(dtype, shape, repeats, dim):
    x = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    for layout in (x, x.transpose(0, -1)):
        ours = ops.repeat_interleave(layout.cuda(), repeats, dim)
        assert ours.is_cuda
        assert torch.equal(ours.cpu(), ops.repeat_interleave(layout, repeats, dim))


def test_repeat_interleave_passes_opcheck():
    x = torch.randn(3, 4, device="cuda", requires_grad=True)
    torch.library.opcheck(torch.ops.imgsim.repeat_interleave.default, (x, 3, 1))
