import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from imgsim_ops import ops
from tests.support.operator_cases import (
    DIMS,
    FLOATS,
    LAYOUTS,
    SIZES,
    VALUES,
    all_scores,
    assert_rounded,
    check_pairs,
    examples,
    laid_out,
    opcheck,
    reference,
    seeds,
    tensor,
)
from tests.support.screening import check_everything, thresholds_at_scores

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.cosine_pairs.default
THRESHOLDS = (-math.inf, -2.0, -1.0, -0.5, -0.01, 0.0, 0.5, 0.9, 1.0, 1.0000001, 2.0, math.inf)


@examples(250)
@given(
    st.sampled_from((*SIZES[:-1], 127, 129, 260)),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(FLOATS),
    st.sampled_from(VALUES),
    st.sampled_from(LAYOUTS),
    seeds(),
)
def test_finds_every_pair(rows, dim, dtype, values, layout, seed):
    vectors = laid_out(tensor((rows, dim), dtype, values, seed), layout)
    check_pairs(vectors, *THRESHOLDS, *thresholds_at_scores(vectors, 3))


def test_screening_leaves_nothing_out():
    assert check_everything() > 100_000


@examples(80)
@given(
    st.sampled_from([2, 16, 33, 97]), st.sampled_from(DIMS), st.sampled_from(FLOATS), st.sampled_from(VALUES), seeds()
)
def test_equals_the_reference(rows, dim, dtype, values, seed):
    vectors = tensor((rows, dim), dtype, values, seed)
    # Every pair that has a score; a score that the rounding could carry over a threshold is no matter here.
    ours, theirs = ops.cosine_pairs(vectors, -2.0), reference.cosine_pairs(vectors, -2.0)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    assert_rounded(ours[2], theirs[2], terms=8 + dim)


def test_meaning():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 0.0], [0.0, 3.0]])
    rows, cols, scores = ops.cosine_pairs(vectors, 0.5)
    assert list(zip(rows.tolist(), cols.tolist(), scores.tolist(), strict=True)) == [(0, 2, 1.0), (1, 4, 1.0)]
    assert len(ops.cosine_pairs(vectors, 0.0)[0]) == 10  # a zero vector scores 0


@pytest.mark.parametrize("dim", [3, 40])
def test_a_threshold_is_reached_by_equality(dim):
    vectors = torch.eye(dim)[torch.arange(300) % dim]
    same = sum(1 for i in range(300) for j in range(i + 1, 300) if i % dim == j % dim)
    assert check_pairs(vectors, 1.0) == same
    assert check_pairs(vectors, 1.0000001) == 0
    assert check_pairs(vectors, 0.0) == 300 * 299 // 2
    assert check_pairs(vectors, 1e-300) == same
    assert check_pairs(vectors, -1e-300) == 300 * 299 // 2


@pytest.mark.parametrize("length", [1e-3, 1e-4, 0.5e-4, 1e-5])
def test_short_vectors_score_higher_than_their_angle(length):
    # Below a product of norms of 1e-8 the divisor is eps: scores shrink towards 0, negative ones upwards.
    vectors = tensor((40, 64), torch.float64, seed=1)
    vectors[20:] = -vectors[:20] + 0.3 * vectors[20:]
    vectors *= length / vectors.norm(dim=1, keepdim=True)
    scores = min(1, length**2 / 1e-8) * all_scores(vectors / length, vectors / length)[:20, 20:].diagonal()
    assert check_pairs(vectors, *[score - 1e-6 for score in scores.tolist()]) > 20 * 500


@pytest.mark.parametrize("dim", [3, 40])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_is_in_no_pair(dim, bad):
    vectors = tensor((140, dim), seed=1)
    vectors[[0, 70, 139], dim - 1] = bad
    rows, cols, scores = ops.cosine_pairs(vectors, -math.inf)
    assert len(rows) == 137 * 136 // 2
    assert not {0, 70, 139} & {*rows.tolist(), *cols.tolist()}
    assert not scores.isnan().any()


@pytest.mark.usefixtures("three_threads")
def test_the_largest_matrix_of_the_tests():
    vectors = tensor((3000, 128), values="clustered", seed=1)
    assert 0 < check_pairs(vectors, 0.9999) < 3000 * 2999 // 2


def test_longer_than_screening_allows():
    vectors = tensor((40, 32_769), seed=1)
    check_pairs(vectors, 0.0)
    check_pairs(vectors[:, :32_768], 0.0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("rows", "dim", "threshold"), [(7, 5, 0.0), (40, 33, 0.1), (4, 3, 2.0), (1, 3, 0.0), (0, 3, 0.0)]
)
def test_opcheck(dtype, rows, dim, threshold):
    opcheck(OP, (laid_out(tensor((rows, dim), dtype, seed=2), "transposed"), threshold))
