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
    assert_same_bits,
    check_topk,
    examples,
    laid_out,
    opcheck,
    reference,
    seeds,
    tensor,
)

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.cosine_topk.default
# Up to 4 queries are scored directly, a panel has 256; gallery rows are screened 32 at a time, in blocks of 128.
QUERIES = (0, 1, 4, 5, 17, 33, 257)
ROWS = (*SIZES, 127, 129, 300)


@examples(300)
@given(
    st.data(),
    st.sampled_from(QUERIES),
    st.sampled_from(ROWS),
    st.sampled_from((0, *DIMS)),
    st.sampled_from(FLOATS),
    st.sampled_from(VALUES),
    st.sampled_from(LAYOUTS),
    seeds(),
)
def test_ranks_every_score(data, count, rows, dim, dtype, values, layout, seed):
    gallery = tensor((rows, dim), dtype, values, seed)
    own = data.draw(st.booleans())  # queries from the gallery score 1 with themselves and their duplicates
    queries = gallery[torch.arange(count) % rows] if own and rows else tensor((count, dim), dtype, "mixed", seed + 1)
    queries, gallery = laid_out(queries, data.draw(st.sampled_from(LAYOUTS))), laid_out(gallery, layout)
    for k in {0, min(1, rows), min(10, rows), rows}:
        check_topk(queries, gallery, k)


@examples(100)
@given(
    st.sampled_from([1, 5, 17]),
    st.sampled_from([1, 16, 33, 97]),
    st.sampled_from(DIMS),
    st.sampled_from(FLOATS),
    st.sampled_from(VALUES),
    seeds(),
)
def test_equals_the_reference(count, rows, dim, dtype, values, seed):
    queries, gallery = tensor((count, dim), dtype, "mixed", seed), tensor((rows, dim), dtype, values, seed + 1)
    k = (rows + 1) // 2
    scores, indices = ops.cosine_topk(queries, gallery, k)
    expected, _ = reference.cosine_topk(queries, gallery, k)
    # Sorting does not enlarge differences of rounding; where scores are that close, ours may name the other row, whose
    # score by the reference must then be as good.
    assert_rounded(scores, expected, terms=8 + dim)
    everything, order = reference.cosine_topk(queries, gallery, rows)
    by_row = torch.empty_like(everything).scatter(1, order, everything)
    assert_rounded(by_row.gather(1, indices), expected, terms=8 + dim)
    assert all(len(set(row.tolist())) == k for row in indices)


def test_meaning():
    gallery = torch.tensor([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    scores, indices = ops.cosine_topk(torch.tensor([[1.0, 0.0]]), gallery, 5)
    assert indices.tolist() == [[2, 4, 1, 0, 3]]  # 1, 1, 0.71, and two zeros in order
    assert scores[0, [0, 1, 3, 4]].tolist() == [1, 1, 0, 0]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dim", [2, 40])
@pytest.mark.parametrize("count", [1, 6])
def test_ties_go_to_the_lower_index(dim, count):
    # Every score is exactly 1, or 0 of either sign; 1,000 rows are several blocks for several threads.
    gallery = torch.eye(dim)[torch.arange(1000) % dim] * torch.tensor([1.0, 2.0, 0.5, 4.0]).repeat(250)[:, None]
    gallery[gallery == 0] = -0.0
    queries = torch.eye(dim)[:1].expand(count, dim)
    scores, indices = ops.cosine_topk(queries, gallery, 1000)
    ones = list(range(0, 1000, dim))
    rest = [i for i in range(1000) if i % dim]
    assert indices.tolist() == [ones + rest] * count
    assert scores.tolist() == [[1.0] * len(ones) + [0.0] * len(rest)] * count


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dim", [3, 40])
@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_ranks_last(dim, count, bad):
    gallery = tensor((300, dim), seed=1)
    gallery[::2, dim - 1] = bad
    queries = tensor((count, dim), seed=2)
    for k in (1, 150, 151, 300):
        scores, indices = ops.cosine_topk(queries, gallery, k)
        assert scores[:, 150:].isnan().all()
        assert not scores[:, :150].isnan().any()
        assert (indices[:, :150] % 2 == 1).all()
        assert indices[:, 150:].tolist() == [list(range(0, 300, 2))[: k - 150]] * count if k > 150 else True


@pytest.mark.usefixtures("three_threads")
def test_a_nan_query_takes_the_first_rows():
    queries = torch.full((6, 40), torch.nan)
    scores, indices = ops.cosine_topk(queries, tensor((300, 40)), 7)
    assert scores.isnan().all()
    assert indices.tolist() == [list(range(7))] * 6


@pytest.mark.parametrize("length", [1e-3, 1e-4, 0.5e-4, 1e-5])
def test_short_vectors_are_closer_than_their_angle(length):
    # Where all scores are negative and the divisor is eps, the shortest are the best, whatever their angle.
    gallery = tensor((300, 64), torch.float64, seed=1).abs() + 1
    gallery /= gallery.norm(dim=1, keepdim=True)
    gallery[200:] *= length
    check_topk(-gallery[:6] * length, gallery, 250)


@pytest.mark.usefixtures("three_threads")
def test_the_largest_gallery_of_the_tests():
    # Many blocks for each thread, the thresholds high: what search does.
    gallery = tensor((20_000, 128), values="clustered", seed=1)
    queries = gallery[::400] + 0.01 * tensor((50, 128), seed=2)
    check_topk(queries, gallery, 10)


@pytest.mark.parametrize(
    ("count", "rows", "dim", "k", "values"),
    [
        (4, 2048, 64, 40, "zeros"),  # the most queries that a GPU scans for
        (300, 300, 8, 5, "mixed"),  # several blocks of queries
        (140, 400, 16, 400, "zeros"),  # no row is left out, so more at once than a block's queue holds
        (6, 2500, 4, 2000, "mixed"),  # lists longer than the parts they are from
        (1, 4097, 3, 4096, "nan"),  # the longest lists
        (3, 9000, 5, 5000, "mixed"),  # sorted instead
        (2, 4500, 8, 4500, "duplicates"),
    ],
)
def test_where_a_gpu_takes_another_way(count, rows, dim, k, values):
    check_topk(tensor((count, dim), values="mixed", seed=1), tensor((rows, dim), values=values, seed=2), k)


def test_longer_than_screening_allows():
    gallery = tensor((40, 32_769), seed=1)
    check_topk(gallery[:6], gallery, 5)
    check_topk(gallery[:6, :32_768], gallery[:, :32_768], 5)


def test_scores_are_those_of_cosine_similarity_also_in_half_precision():
    for dtype in (torch.float16, torch.bfloat16):
        queries, gallery = tensor((6, 64), dtype, seed=1), tensor((50, 64), dtype, seed=2)
        scores, indices = ops.cosine_topk(queries, gallery, 50)
        halves = ops.cosine_similarity(queries[:, None], gallery[None])
        # float32 scores, rounded, are half-precision scores, but for ties between two roundings.
        assert_rounded(scores.to(dtype), halves.gather(1, indices))
        assert_same_bits(scores, all_scores(queries, gallery).gather(1, indices))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("count", "rows", "dim", "k"), [(3, 7, 5, 2), (6, 40, 33, 40), (0, 4, 3, 1), (2, 0, 3, 0)])
def test_opcheck(dtype, count, rows, dim, k):
    gallery = laid_out(tensor((rows, dim), dtype, seed=2), "transposed")
    opcheck(OP, (tensor((count, dim), dtype, seed=1), gallery, k))
