import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from imgsim_ops import ops
from tests.support.children import python
from tests.support.operator_cases import (
    FLOATS,
    LAYOUTS,
    assert_same_bits,
    examples,
    laid_out,
    opcheck,
    reference,
    seeds,
    shapes,
    tensor,
)

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.repeat_interleave.default
DTYPES = (*FLOATS, torch.uint8, torch.bool, torch.int16, torch.int64, torch.complex64, torch.complex128)


@examples(150)
@given(st.data(), shapes(min_dims=1, limit=5000), st.sampled_from(DTYPES), st.sampled_from(LAYOUTS), seeds())
def test_equals_the_reference(data, shape, dtype, layout, seed):
    x = laid_out((tensor(shape, torch.float32, seed=seed) * 100).to(dtype), layout)
    repeats = data.draw(st.sampled_from([0, 1, 2, 3, 8, 17]))
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    assert_same_bits(ops.repeat_interleave(x, repeats, dim), reference.repeat_interleave(x, repeats, dim))


def test_meaning():
    x = torch.tensor([[1, 2], [3, 4]])
    assert ops.repeat_interleave(x, 2).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert ops.repeat_interleave(x, 2, 0).tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert ops.repeat_interleave(x, 0, 0).shape == (0, 2)


def test_nan_keeps_its_payload():
    bits = torch.tensor([0x7FC00001, 0x7F800001, -1], dtype=torch.int32)
    out = ops.repeat_interleave(bits.view(torch.float32), 2)
    assert torch.equal(out.view(torch.int32), bits.repeat_interleave(2))


def test_views_that_change_values():
    z = torch.tensor([1 + 2j, 3 - 1j])
    assert ops.repeat_interleave(z.conj(), 2).tolist() == [1 - 2j, 1 - 2j, 3 + 1j, 3 + 1j]
    assert ops.repeat_interleave(z.conj().imag, 2).tolist() == [-2, -2, 1, 1]


def test_the_input_stays_and_the_output_is_new():
    x = torch.arange(5.0)
    out = ops.repeat_interleave(x, 1)
    out.fill_(7)
    assert x.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (2, 0)])
@pytest.mark.parametrize("repeats", [0, 1, 3])
@pytest.mark.parametrize("dim", [0, -1])
def test_opcheck(shape, repeats, dim):
    opcheck(OP, (tensor(shape).requires_grad_(), repeats, dim))
    opcheck(OP, (laid_out(tensor(shape), "transposed"), repeats, dim))


@pytest.mark.parametrize("layout", LAYOUTS[:5])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_gradients(layout, dim, repeats):
    x = laid_out(tensor((2, 3, 4), torch.float64), layout).detach().requires_grad_()
    torch.autograd.gradcheck(ops.repeat_interleave, (x, repeats, dim))
    torch.autograd.gradgradcheck(ops.repeat_interleave, (x, repeats, dim))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0,)])
def test_gradient_of_nothing(shape):
    x = torch.zeros(shape, requires_grad=True)
    ops.repeat_interleave(x, 3).sum().backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_gradient_equals_the_reference(dtype):
    x = tensor((5, 7, 3), torch.float32, seed=1).to(dtype)
    weight = tensor((5, 28, 3), torch.float32, seed=2).to(dtype)
    grads = []
    for module in (ops, reference):
        leaf = x.clone().requires_grad_()
        grads += torch.autograd.grad((module.repeat_interleave(leaf, 4, 1) * weight).sum().abs(), leaf)
    # Sums of four numbers in either order.
    torch.testing.assert_close(grads[0], grads[1], rtol=4e-7, atol=4e-7)


def test_the_product_of_huge_numbers_does_not_crash():
    # 4 elements x 2**62 is 2**64, which 64 bits hold as 0. A crash would end the whole run, hence a child.
    code = """
import torch
from imgsim_ops import ops
try:
    ops.repeat_interleave(torch.zeros(4), 2**62)
except (ValueError, RuntimeError) as error:
    print(error)
"""
    child = python(code)
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith("repeat_interleave: ")
