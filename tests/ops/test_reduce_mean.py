import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from imgsim_ops import ops
from tests.support.operator_cases import (
    FLOATS,
    LAYOUTS,
    assert_rounded,
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

OP = torch.ops.imgsim.reduce_mean.default
PLAIN_VALUES = ("normal", "negative", "huge", "tiny", "zeros", "nan", "inf", "onehot")


def _dims(ndim: int):
    """Any dimensions, each named once, from either end, in any order; none, too."""
    return st.lists(st.integers(0, max(0, ndim - 1)), unique=True, max_size=ndim).flatmap(
        lambda dims: st.tuples(*[st.sampled_from([d, d - max(1, ndim)]) for d in dims]).map(list)
    )


@examples(250)
@given(
    st.data(),
    shapes(),
    st.sampled_from(FLOATS),
    st.sampled_from(PLAIN_VALUES),
    st.sampled_from(LAYOUTS),
    st.booleans(),
    seeds(),
)
def test_equals_the_reference(data, shape, dtype, values, layout, keepdim, seed):
    x = laid_out(tensor(shape, dtype, values, seed), layout)
    dim = data.draw(_dims(x.ndim))
    expected = reference.reduce_mean(x, dim, keepdim)
    finite = x.double().nan_to_num(0, 0, 0).abs()
    assert_rounded(
        ops.reduce_mean(x, dim, keepdim), expected, terms=x.numel(), magnitude=float(finite.max()) if x.numel() else 0
    )


def test_meaning():
    x = torch.arange(24.0).reshape(2, 3, 4)
    assert ops.reduce_mean(x, [-1]).tolist() == [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]]
    assert ops.reduce_mean(x, [0, 2]).tolist() == [7.5, 11.5, 15.5]
    assert ops.reduce_mean(x, [], keepdim=True).tolist() == [[[11.5]]]
    assert ops.reduce_mean(x[1, 0, 2], []).item() == 14
    assert ops.reduce_mean(x[1, 0, 2], [-1], keepdim=True).shape == ()


def test_of_nothing_is_nan():
    assert ops.reduce_mean(torch.zeros(0), []).isnan().all()
    assert ops.reduce_mean(torch.zeros(3, 0, 2), [1]).isnan().all()
    assert ops.reduce_mean(torch.zeros(3, 0, 2), [0]).shape == (0, 2)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dtype", FLOATS)
def test_beyond_one_piece(dtype):
    # Sums are cut into pieces of 16,384 (reduce.cpp); 3 whole ones and a tail, along rows and along columns.
    x = tensor((2, 3 * 16384 + 5, 3), dtype, seed=4)
    for dim in ([0, 1, 2], [1], [1, 2], [0, 1]):
        assert_rounded(ops.reduce_mean(x, dim), reference.reduce_mean(x, dim), terms=x.numel())


@pytest.mark.usefixtures("three_threads")
def test_beyond_the_columns_of_one_task():
    # 2,048 of them (reduce.cpp). Where a column is one number over and over, its mean is that number.
    row = torch.arange(2053, dtype=torch.float32) % 1000
    for rows in (5, 16384 + 3):
        assert torch.equal(ops.reduce_mean(row.half().expand(rows, -1), [0]), row.half())
    wide = tensor((2, 21, 4101), seed=5)
    assert_rounded(ops.reduce_mean(wide, [1]), reference.reduce_mean(wide, [1]), terms=21)


@pytest.mark.usefixtures("three_threads")
def test_the_error_does_not_grow_with_the_length():
    # A running float32 sum of these is 2 % off, a running float16 sum stops at 2048.
    x = torch.full((1 << 24,), 0.1)
    assert ops.reduce_mean(x, []).item() == x[0].item()
    assert ops.reduce_mean(torch.ones(5000, dtype=torch.float16), [0]).item() == 1


def test_half_precision_is_rounded_once():
    # Every half-precision number is its own mean.
    bits = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16)
    for dtype in (torch.float16, torch.bfloat16):
        every = bits.view(dtype)
        assert_same_bits(ops.reduce_mean(every[None], [0]), every)
    # Means half-way between 1 and the next float16, and 2**-24 * 2**-16 to each side of half-way: those are lost in a
    # float, which would leave a tie and round all three the same way.
    count = 1 << 16
    x = torch.ones(3, count, dtype=torch.float16)
    x[:, : count // 2] += 2.0**-10
    x[1, -2:] = torch.tensor([2.0**-24, 2 - 2.0**-10])
    x[2, -1] = 1 + 2.0**-10
    exact = x.double().mean(1).cpu().numpy()
    assert ops.reduce_mean(x, [1]).tolist() == exact.astype(np.float16).tolist()


def test_sums_beyond_the_types_range():
    # The sum overflows float16 and float32, the mean does not.
    assert ops.reduce_mean(torch.full((100,), 65504, dtype=torch.float16), [0]).item() == 65504
    assert ops.reduce_mean(torch.full((100,), 3e38), [0]).item() == torch.tensor(3e38).item()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 3), (2, 0)])
@pytest.mark.parametrize("dim", [[], [-1]])
@pytest.mark.parametrize("keepdim", [False, True])
def test_opcheck(shape, dim, keepdim):
    opcheck(OP, (tensor(shape).requires_grad_(), dim, keepdim), gives_nan=0 in (shape[-1:] if dim else shape))
    if len(shape) == 3:
        opcheck(OP, (laid_out(tensor(shape), "transposed"), [0, -1], keepdim))


@pytest.mark.parametrize("layout", LAYOUTS[:5])
@pytest.mark.parametrize("dim", [[], [0], [1, -1], [0, 2]])
@pytest.mark.parametrize("keepdim", [False, True])
def test_gradients(layout, dim, keepdim):
    x = laid_out(tensor((2, 3, 4), torch.float64), layout).detach().requires_grad_()
    torch.autograd.gradcheck(ops.reduce_mean, (x, dim, keepdim))
    torch.autograd.gradgradcheck(lambda t: ops.reduce_mean(t, dim, keepdim).square(), (x,))


def test_gradient_of_a_scalar_and_of_nothing():
    x = torch.tensor(3.0, requires_grad=True)
    ops.reduce_mean(x, []).backward()
    assert x.grad.item() == 1
    x = torch.zeros(0, 3, requires_grad=True)
    ops.reduce_mean(x, [1]).sum().backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradient_equals_the_reference(dtype):
    x = tensor((5, 7, 3), dtype, seed=1)
    weight = tensor((7,), dtype, seed=2)
    grads = []
    for module in (ops, reference):
        leaf = x.clone().requires_grad_()
        grads += torch.autograd.grad((module.reduce_mean(leaf, [0, 2]) * weight).sum(), leaf)
    assert_rounded(grads[0], grads[1])
