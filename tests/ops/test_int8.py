"""int8 vectors in the NumPy binding: scores to the bit, and what quantising costs."""

import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from imgsim_ops import kernels
from tests.support.children import succeed
from tests.support.int8_made import VALUES, check_pairs, check_topk, codes, quantized
from tests.support.operator_cases import DIMS, NUMPY_FLOATS, examples, seeds

ISAS = kernels.build_info()["isas_usable"]


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set(isa):
    dims = (*DIMS, 15, 17, 130, 1030)
    code = f"from tests.support.int8_made import check_everything; print(check_everything({dims}))"
    assert int(succeed(code, IMGSIM_ISA=isa)) == 13 * len(VALUES)


@examples(150)
@given(
    st.sampled_from((0, 1, 4, 5, 17, 33, 257)),
    st.sampled_from((0, 1, 7, 31, 32, 33, 97, 129, 300)),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(VALUES),
    seeds(),
)
def test_ranks_every_score(count, rows, dim, values, seed):
    queries, gallery = codes(count, dim, "uniform", seed), codes(rows, dim, values, seed + 1)
    for k in {0, min(1, rows), min(10, rows), rows}:
        check_topk(queries, gallery, k)


@examples(100)
@given(
    st.sampled_from((0, 1, 7, 31, 33, 97, 129, 260)),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(VALUES),
    st.sampled_from((-1.0, 0.0, 0.3, 0.99, 1.0, 1.1)),
    seeds(),
)
def test_finds_every_pair(rows, dim, values, threshold, seed):
    check_pairs(codes(rows, dim, values, seed), threshold)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dim", [32_768, 65_535, 65_536, 65_537, 200_003])
def test_long_vectors_do_not_overflow(isa, dim):
    # Sums up to 200,003 x 2^14, beyond 32 bits; 32,768 is the longest that is screened.
    code = f"""
import numpy as np
from imgsim_ops import kernels
from tests.support.int8_made import check_topk
lowest = np.full((7, {dim}), -128, np.int8)
assert (kernels.cosine_similarity(lowest, lowest) == 1).all()
lowest[1::2] = 127
check_topk(lowest, lowest, 7)
check_topk(lowest[:2], lowest, 7)
assert len(kernels.cosine_pairs(lowest, 0.9)[0]) == 4 * 3 // 2 + 3
"""
    succeed(code, IMGSIM_ISA=isa)


def test_meaning():
    gallery = np.array([[0, 2], [1, 1], [3, 0], [0, 0], [-5, 0]], np.int8)
    scores, indices = kernels.cosine_topk(np.array([[1, 0]], np.int8), gallery, 5)
    assert indices.tolist() == [[2, 1, 0, 3, 4]]
    assert scores[0].tolist() == [1, np.float32(0.5**0.5), 0, 0, -1]
    assert kernels.cosine_similarity(gallery[0], gallery[0], eps=100.0) == np.float32(0.04)


def test_axes_and_layouts():
    x = codes(6, 35, "uniform", 0)
    expected = kernels.cosine_similarity(x[:, None], x)
    np.testing.assert_array_equal(kernels.cosine_similarity(x.T[:, :, None], x.T[:, None].copy("F"), axis=0), expected)
    np.testing.assert_array_equal(kernels.cosine_similarity(x[:, None, ::-1], x[:, ::-1]), expected)


@examples(150)
@given(
    st.sampled_from((0, 1, 7, 33, 150)),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(NUMPY_FLOATS),
    st.sampled_from((1e-320, 1e-300, 1e-42, 1e-7, 1.0, 6e4, 1e38, 1e307)),
    seeds(),
)
def test_quantize_rows_is_the_definition(rows, dim, dtype, scale, seed):
    rng = np.random.default_rng(seed)
    vectors = np.clip(rng.standard_normal((rows, dim)), -1.5, 1.5) * (rng.random((rows, 1)) < 0.8)
    vectors = (vectors * min(scale, float(np.finfo(dtype).max) / 2)).astype(dtype)
    result = kernels.quantize_rows(vectors)
    assert result.dtype == np.int8
    np.testing.assert_array_equal(result, quantized(vectors))
    np.testing.assert_array_equal(kernels.quantize_rows(vectors[::-1, ::-1]), result[::-1, ::-1])


@pytest.mark.parametrize("isa", ISAS)
def test_quantize_rows_under_every_instruction_set(isa):
    code = """
import numpy as np
from imgsim_ops import kernels
from tests.support.int8_made import quantized
x = np.random.default_rng(0).standard_normal((3001, 97))
for dtype in (np.float32, np.float64, np.float16):
    np.testing.assert_array_equal(kernels.quantize_rows(x.astype(dtype)), quantized(x.astype(dtype)))
"""
    succeed(code, IMGSIM_ISA=isa)


def test_quantize_rows_meaning():
    vectors = np.array([[1, -2, 4], [0, 0, 0], [-0.1, 0.1, 0.05]], np.float32)
    assert kernels.quantize_rows(vectors).tolist() == [[32, -64, 127], [0, 0, 0], [-127, 127, 64]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", NUMPY_FLOATS)
@pytest.mark.parametrize("place", [0, 40, 96])
def test_quantize_rows_refuses_what_has_no_code(bad, dtype, place):
    vectors = np.ones((3000, 97), dtype)
    vectors[[1234, 2000, 2999], place] = bad
    with pytest.raises(
        ValueError, match=r"^quantize_rows: vectors must be finite \(got NaN or infinity in row 1234\)$"
    ):
        kernels.quantize_rows(vectors)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: kernels.quantize_rows(x[0]),
            "quantize_rows: vectors must be a matrix (got shape [4])",
        ),
        (
            lambda x: kernels.quantize_rows(x.astype(np.int8)),
            "quantize_rows: dtype must be float32, float64 or float16 (got int8)",
        ),
        (
            lambda x: kernels.cosine_similarity(x, x.astype(np.int8)),
            "cosine_similarity: arrays must have one dtype (got float32 and int8)",
        ),
        (
            lambda x: kernels.cosine_topk(x.astype(np.int16), x.astype(np.int16), 1),
            "cosine_topk: dtype must be float32, float64, float16 or int8 (got int16)",
        ),
        (
            lambda x: kernels.channel_stats(x.astype(np.int8).reshape(1, 3, 2, 2)),
            "channel_stats: dtype must be uint8, float32, float64 or float16 (got int8)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(np.ones((3, 4), np.float32))


@pytest.mark.parametrize("kind", ["normal", "embedding", "heavy"])
def test_what_quantising_costs(kind):
    """The docstring's figures, of which the first is for normal numbers, and its bound, for any."""
    rng = np.random.default_rng(0)
    if kind == "embedding":  # positive, with a common direction, as pooled activations are
        x = np.maximum(rng.random(512) + 0.3 * rng.standard_normal((1500, 40)) @ rng.standard_normal((40, 512)) / 6, 0)
    else:
        x = rng.standard_normal((1500, 512)) if kind == "normal" else rng.lognormal(0, 1, (1500, 512))
    x = np.concatenate([x, x[:100] + 0.05 * rng.standard_normal((100, 512))]).astype(np.float32)
    c = kernels.quantize_rows(x)
    difference = kernels.cosine_similarity(c[:, None], c) - kernels.cosine_similarity(x[:, None], x)
    angle = np.arcsin(np.abs(x).max(1) / (254 * np.sqrt(np.square(x).mean(1))))
    # Rounding to float32 adds half a unit in the last place to each score.
    assert (np.abs(difference) <= angle[:, None] + angle + 1e-7).all()
    if kind != "heavy":
        assert difference.std() < 0.0005
        assert np.abs(difference).max() < 0.003
