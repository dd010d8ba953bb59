"""One kernel, several bindings: a difference between PyTorch's and NumPy's is a bug."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from imgsim_ops import kernels, ops
from tests.support.children import succeed
from tests.support.operator_cases import (
    DIMS,
    EPSILONS,
    NUMPY_FLOATS,
    VALUES,
    assert_same_bits,
    examples,
    operands,
    seeds,
    tensor,
)

TYPES = {np.float32: torch.float32, np.float64: torch.float64, np.float16: torch.float16, np.uint8: torch.uint8}
LAYOUTS = ("contiguous", "transposed", "reversed", "rows reversed", "sliced", "unaligned", "read-only")


def placed(array: np.ndarray, layout: str) -> np.ndarray:
    """The same values in another place in memory."""
    if array.ndim == 0:
        return array
    if layout == "transposed":
        return np.asfortranarray(array)
    if layout == "reversed":
        return array[..., ::-1].copy()[..., ::-1]
    if layout == "rows reversed":
        return array[::-1].copy()[::-1]
    if layout == "sliced":
        base = np.full((*array.shape[:-1], 2 * array.shape[-1]), 77, array.dtype)
        base[..., ::2] = array
        return base[..., ::2]
    if layout == "unaligned":
        base = np.zeros(array.nbytes + 1, np.uint8)
        view = base[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    if layout == "read-only":
        array = array.copy()
        array.setflags(write=False)
    return array


def _agree(ours, theirs) -> None:
    ours, theirs = (x if isinstance(x, tuple) else (x,) for x in (ours, theirs))
    for array, expected in zip(ours, theirs, strict=True):
        assert_same_bits(torch.from_numpy(array), expected)


@examples(200)
@given(st.data(), st.sampled_from(NUMPY_FLOATS), st.sampled_from(EPSILONS), st.sampled_from(LAYOUTS))
def test_cosine_similarity(data, dtype, eps, layout):
    x1, x2, dim = data.draw(operands(TYPES[dtype]))
    arrays = placed(x1.numpy(), layout), placed(x2.numpy(), data.draw(st.sampled_from(LAYOUTS)))
    _agree(kernels.cosine_similarity(*arrays, dim, eps), ops.cosine_similarity(x1, x2, dim, eps))


def test_cosine_similarity_of_nothing_and_one():
    # By the rule of broadcasting, an axis of 1 repeats 0 times.
    expected = ops.cosine_similarity(torch.zeros(2, 0), torch.zeros(2, 1))
    assert expected.tolist() == [0, 0]
    _agree(kernels.cosine_similarity(np.zeros((2, 0), np.float32), np.zeros((2, 1), np.float32)), expected)


@examples(60)
@given(
    st.sampled_from([0, 1, 5, 33]),
    st.sampled_from([0, 1, 32, 130]),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(NUMPY_FLOATS),
    st.sampled_from(VALUES),
    st.sampled_from(LAYOUTS),
    seeds(),
)
def test_cosine_topk_and_pairs(count, rows, dim, dtype, values, layout, seed):
    queries, gallery = (
        tensor((count, dim), TYPES[dtype], "mixed", seed),
        tensor((rows, dim), TYPES[dtype], values, seed),
    )
    array = placed(gallery.numpy(), layout)
    for k in {0, min(3, rows), rows}:
        _agree(kernels.cosine_topk(placed(queries.numpy(), layout), array, k), ops.cosine_topk(queries, gallery, k))
    for threshold in (-2.0, 0.5, 1.0):
        _agree(kernels.cosine_pairs(array, threshold), ops.cosine_pairs(gallery, threshold))


@examples(60)
@given(
    st.tuples(*[st.sampled_from([1, 2, 3, 17, 33])] * 4),
    st.sampled_from((np.uint8, *NUMPY_FLOATS)),
    st.sampled_from(LAYOUTS),
    st.permutations([0, 1, 2, 3]),
    seeds(),
)
def test_channel_stats(shape, dtype, layout, order, seed):
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
    array = placed(array, layout).transpose(order)
    expected = ops.channel_stats(torch.from_numpy(array.copy()))
    _agree(kernels.channel_stats(array), expected)
    last = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    _agree(
        kernels.channel_stats(last[:, :, ::-1, ::-1]),
        ops.channel_stats(torch.from_numpy(last[:, :, ::-1, ::-1].copy())),
    )


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda a: kernels.cosine_similarity(a, a[::-1]), (6, 5)),
        (lambda a: kernels.cosine_topk(a, a, 3), (6, 5)),
        (lambda a: kernels.cosine_pairs(a, 0.1), (6, 5)),
        (kernels.channel_stats, (1, 3, 4, 5)),
        (lambda a: kernels.channel_moments(a).mean, (4, 5, 3)),
    ],
    ids=["cosine_similarity", "cosine_topk", "cosine_pairs", "channel_stats", "channel_moments"],
)
def test_bytes_in_the_other_order(call, shape):
    """Answered right or refused: as they lie they are other numbers."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    try:
        answer = call(x.astype(x.dtype.newbyteorder()))
    except ValueError as error:
        refusal = str(error)
    else:
        np.testing.assert_equal(answer, call(x))
        return
    assert "dtype must be" in refusal


def test_the_numpy_binding_needs_no_torch():
    succeed("import sys, imgsim_ops.kernels; assert 'torch' not in sys.modules")


def test_a_mapped_gallery_is_read_in_place(tmp_path):
    x = tensor((500, 64), seed=1).numpy()
    x.tofile(tmp_path / "vectors")
    mapped = np.memmap(tmp_path / "vectors", np.float32, "r", shape=x.shape)
    _agree(kernels.cosine_topk(x[:5], mapped, 3), ops.cosine_topk(torch.from_numpy(x[:5]), torch.from_numpy(x), 3))
