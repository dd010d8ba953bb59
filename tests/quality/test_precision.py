from itertools import pairwise, permutations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from imgsim_ops.quality.precision import area_under_curve, micro_average_precision, precision_of_copies
from tests.support.operator_cases import examples


def average_precision(ranked):
    """Of relevances, best first."""
    return sum(sum(ranked[: i + 1]) / (i + 1) for i, hit in enumerate(ranked) if hit) / sum(ranked)


def slow(scores, relevant):
    """The least of all rankings that the scores allow."""
    pairs = list(zip(scores, relevant, strict=True))
    orders = (o for o in permutations(pairs) if all(a[0] >= b[0] for a, b in pairwise(o)))
    return min(average_precision([hit for _, hit in order]) for order in orders)


@examples(150)
@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.25, 1.0]), st.booleans()), min_size=1, max_size=6))
def test_equals_the_readable_version(pairs):
    scores, relevant = (np.array(column) for column in zip(*pairs, strict=True))
    if relevant.any():
        # A handful of float64 additions and divisions.
        assert micro_average_precision(scores, relevant) == pytest.approx(slow(scores, relevant), rel=1e-14)


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([0.5], [1], 1),
        ([3, 2, 1], [1, 1, 0], 1),
        ([3, 2, 1], [0, 0, 1], 1 / 3),
        ([1, 2, 3], [1, 0, 1], (1 / 1 + 2 / 3) / 2),
        # Of one score: the wrong ones first.
        ([1, 1], [1, 0], 1 / 2),
        ([1, 1], [0, 1], 1 / 2),
        ([1, 1, 1, 1], [1, 0, 1, 0], (1 / 3 + 2 / 4) / 2),
        ([2, 1, 1, 0], [1, 1, 0, 1], (1 / 1 + 2 / 3 + 3 / 4) / 3),
        # One list for all queries: each row is right for itself, together they are not.
        ([[0.9, 0.8], [0.3, 0.2]], [[1, 0], [1, 0]], (1 / 1 + 2 / 3) / 2),
    ],
)
def test_by_hand(scores, relevant, expected):
    found = micro_average_precision(np.array(scores, np.float32), np.array(relevant, bool))
    assert isinstance(found, float)
    assert found == pytest.approx(expected, rel=1e-14)  # as above


def test_copies_are_looked_for_among_originals_and_others():
    axes = np.eye(3, dtype=np.float32)
    originals, others = axes[:2], axes[2:]
    near = 0.9 * axes + 0.1  # the nearest to each axis is its own
    assert precision_of_copies(originals, near[[0, 0, 1, 1]], others) == 1
    # One of the four pairs that score alike at the top is wrong, and counts first; the last copy's own is at the end.
    found = precision_of_copies(originals, near[[0, 0, 1, 2]], others)
    assert found == pytest.approx((1 / 2 + 2 / 3 + 3 / 4 + 4 / 12) / 4, rel=1e-14)  # as above


@examples(100)
@given(*[st.lists(st.sampled_from([-1.0, 0.0, 0.25, 1.0]), min_size=1, max_size=6)] * 2)
def test_area_under_curve_is_how_often_a_positive_scores_higher(positives, negatives):
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives]
    # Sums of halves, and one division.
    found = area_under_curve(np.array(positives), np.array(negatives))
    assert found == pytest.approx(sum(wins) / len(wins), rel=1e-14)
