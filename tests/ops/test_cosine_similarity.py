import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from imgsim_ops import ops
from tests.support.operator_cases import (
    EPSILONS,
    FLOATS,
    LAYOUTS,
    VALUES,
    assert_rounded,
    assert_same_bits,
    examples,
    laid_out,
    opcheck,
    operands,
    reference,
    seeds,
    tensor,
)

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.cosine_similarity.default


@examples(400)
@given(st.data(), st.sampled_from(FLOATS), st.sampled_from(EPSILONS))
def test_equals_the_reference(data, dtype, eps):
    x1, x2, dim = data.draw(operands(dtype))
    expected = reference.cosine_similarity(x1, x2, dim, eps)
    length = torch.broadcast_shapes(x1.shape, x2.shape)[dim]
    assert_rounded(ops.cosine_similarity(x1, x2, dim, eps), expected, terms=8 + length)


def test_meaning():
    x = torch.tensor([[3.0, 4.0], [0.0, 2.0], [-3.0, -4.0]])
    assert ops.cosine_similarity(x, torch.tensor([3.0, 4.0])).tolist() == pytest.approx([1, 0.8, -1], abs=1e-7)
    assert ops.cosine_similarity(x, x[:1], 0).shape == (2,)
    assert ops.cosine_similarity(torch.tensor(2.0), torch.tensor([2.0, 0.0])).item() == pytest.approx(2**-0.5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("eps", [1e-8, 0.0])
@pytest.mark.parametrize("length", [0, 1, 33])
def test_a_zero_vector_scores_zero(dtype, eps, length):
    zero, one = torch.zeros(2, length, dtype=dtype), torch.ones(2, length, dtype=dtype)
    assert ops.cosine_similarity(zero, one, -1, eps).tolist() == [0, 0]
    assert ops.cosine_similarity(one, zero, -1, eps).tolist() == [0, 0]
    assert ops.cosine_similarity(zero, zero, -1, eps).tolist() == [0, 0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("other", [1.0, 0.0, math.inf])
def test_nan_and_infinity_give_nan(bad, other):
    x, y = torch.ones(1, 17), torch.full((3, 17), other)
    x[0, 16] = bad
    assert ops.cosine_similarity(x, y).isnan().all()
    assert ops.cosine_similarity(y, x).isnan().all()


def test_the_product_of_the_norms_neither_overflows_nor_underflows():
    for dtype, scale in ((torch.float32, 1e38), (torch.float64, 1e150), (torch.float16, 6e4), (torch.bfloat16, 1e38)):
        x = torch.tensor([[scale, scale]], dtype=dtype)
        assert ops.cosine_similarity(x, x).item() == 1
    x = torch.tensor([[1e-100, 1e-100]], dtype=torch.float64)
    assert ops.cosine_similarity(x, x, -1, 0.0).item() == pytest.approx(1, abs=1e-15)


@examples(60)
@given(st.sampled_from(FLOATS), st.sampled_from(VALUES), st.sampled_from([1, 16, 33, 513]), seeds())
def test_a_pair_has_one_score(dtype, values, length, seed):
    # Swapped, and whether the one vector or the other is broadcast: the same bits.
    x, y = tensor((9, length), dtype, values, seed), tensor((7, length), dtype, "mixed", seed + 1)
    scores = ops.cosine_similarity(x[:, None], y[None])
    assert_same_bits(ops.cosine_similarity(y[None], x[:, None]), scores)
    assert_same_bits(ops.cosine_similarity(y[:, None], x[None]).T, scores)
    assert_same_bits(ops.cosine_similarity(x[3], y[2]), scores[3, 2])
    assert_same_bits(ops.cosine_similarity(x.T.contiguous()[:, :, None], y.T.contiguous()[:, None], 0), scores)


def test_no_result_and_no_vectors():
    assert ops.cosine_similarity(torch.zeros(0, 5), torch.zeros(5)).shape == (0,)
    assert ops.cosine_similarity(torch.zeros(3, 0), torch.zeros(3, 1)).tolist() == [0, 0, 0]
    assert ops.cosine_similarity(torch.zeros(3, 1, 0), torch.zeros(4, 0), 1).shape == (3, 0)


@pytest.mark.parametrize(
    ("shape1", "shape2", "dim"),
    [
        ((3, 5), (3, 5), -1),
        ((3, 1, 5), (4, 5), 2),
        ((4, 1), (2, 4, 3), 1),
        ((), (4,), 0),
        ((0, 5), (5,), -1),
        ((3, 0), (3, 0), 1),
    ],
)
def test_opcheck(shape1, shape2, dim):
    x1, x2 = tensor(shape1, seed=1), tensor(shape2, seed=2)
    opcheck(OP, (laid_out(x1, "transposed"), laid_out(x2, "sliced"), dim, 1e-8))
    # Where a vector has no elements or is a broadcast scalar too; clones because a leaf is asked for.
    opcheck(OP, (x1.clone().requires_grad_(), x2.clone().requires_grad_(), dim, 1e-8))


@pytest.mark.parametrize("layout", LAYOUTS[:5])
@pytest.mark.parametrize(
    ("shape1", "shape2", "dim"),
    [
        ((3, 5), (3, 5), -1),
        ((3, 5), (3, 5), 0),
        ((2, 1, 4), (3, 4), -1),
        ((2, 3, 1), (3, 4), 2),  # broadcast along the vectors
        ((4, 1), (2, 4, 3), 1),
        ((), (4,), 0),
    ],
)
@pytest.mark.parametrize("eps", [1e-8, 1e3])  # 1e3 takes the place of every product of norms
def test_gradients(layout, shape1, shape2, dim, eps):
    pair = [laid_out(tensor(s, torch.float64, seed=i), layout) for i, s in enumerate((shape1, shape2))]
    pair = [x.detach().requires_grad_() for x in pair]
    torch.autograd.gradcheck(ops.cosine_similarity, (*pair, dim, eps))
    torch.autograd.gradgradcheck(ops.cosine_similarity, (*pair, dim, eps))


def test_gradient_where_only_some_are_clamped():
    # Norms of about 3 and 0.003, and eps between their products.
    x = (tensor((4, 9), torch.float64, seed=1) * torch.tensor([[1.0], [1e-3], [1.0], [1e-3]])).requires_grad_()
    y = tensor((4, 9), torch.float64, seed=2).requires_grad_()
    torch.autograd.gradcheck(lambda a, b: ops.cosine_similarity(a, b, -1, 1.0), (x, y), eps=1e-7)
    torch.autograd.gradgradcheck(lambda a, b: ops.cosine_similarity(a, b, -1, 1.0), (x, y), eps=1e-7)


def test_gradient_at_a_zero_vector():
    # The score there is x.y / eps, so the gradient is y / eps for x and nothing for y.
    x, y = torch.zeros(1, 3, requires_grad=True), torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    ops.cosine_similarity(x, y, -1, 0.5).backward()
    assert x.grad.tolist() == [[2, 4, 6]]
    assert y.grad.tolist() == [[0, 0, 0]]


def _gradients(module, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    leaves = x.clone().requires_grad_(), y.clone().requires_grad_()
    return torch.autograd.grad(module.cosine_similarity(*leaves).sum(), leaves)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("values", ["normal", "negative", "clustered", "outlier", "onehot"])
def test_gradient_equals_the_reference(dtype, values):
    x, y = tensor((6, 1, 33), dtype, values, 1), tensor((4, 33), dtype, values, 2)
    for ours, theirs in zip(_gradients(ops, x, y), _gradients(reference, x, y), strict=True):
        # Each of up to six summed terms is a difference of two numbers of at most 1 / |x|, a few roundings each.
        scale = float((1 / x.double().norm(dim=-1)).max() + (1 / y.double().norm(dim=-1)).max())
        tolerance = 6 * 8 * torch.finfo(dtype).eps * scale
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float16, 50), (torch.float32, 1e30), (torch.bfloat16, 1e30)])
def test_gradient_of_long_vectors(dtype, scale):
    # |x| |y|, or even |x|^2, is out of the type's range; the score is not, and neither is its gradient, about 1 / |x|.
    x, y = ((scale * tensor((4, 64), seed=seed)).to(dtype) for seed in (1, 2))
    for ours, theirs in zip(_gradients(ops, x, y), _gradients(reference, x, y), strict=True):
        assert theirs.abs().max() > 0
        tolerance = 8 * torch.finfo(dtype).eps * float(theirs.double().abs().max())
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=0, atol=tolerance)
