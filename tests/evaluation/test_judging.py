"""How methods are judged, held against the rule written down once more."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.judging import Judgement, VectorMethod, accuracy_by_chance, check_classes, judge
from imgsim_ops.evaluation.labelled import LabelledPictures


class FirstPixels(VectorMethod):
    """A picture's own first pixel is its vector."""

    made_by = "first pixel"
    dimension = 3

    def embed(self, pictures):
        return np.stack([picture[0, 0] for picture in pictures]).astype(np.float32)


def made(colours, labels):
    pictures = np.asarray(colours, np.uint8).reshape(-1, 1, 1, 3)
    return LabelledPictures("made", pictures, np.asarray(labels, np.int64), tuple("abcdefg"))


@given(st.data())
def test_equals_the_rule(data):
    k = data.draw(st.integers(1, 3))
    counts = data.draw(st.lists(st.integers(k + 1, k + 4), min_size=2, max_size=4))
    labels = data.draw(st.permutations([label for label, count in enumerate(counts) for _ in range(count)]))
    # Whole numbers up to 3: equal vectors, zero vectors and ties among them.
    colours = data.draw(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=len(labels), max_size=len(labels)))
    judged = judge(FirstPixels(), made(colours, labels), k)
    vectors = np.asarray(colours, np.float32)
    scores = FirstPixels().nearest  # the order of ties is the kernel's: by the lower number
    found = scores(vectors, np.arange(len(labels)), k, lambda *_: None)
    for row, chosen in enumerate(found):
        assert row not in chosen
        assert len(set(chosen)) == k
        similarity = [cosine(vectors[row], other) for other in vectors]
        worst = min(similarity[other] for other in chosen)
        left = [similarity[other] for other in range(len(labels)) if other != row and other not in chosen]
        # float32's rounding of equal cosines: 1e-6 is some ten of its steps.
        assert max(left, default=-1) <= worst + 1e-6
    right = np.asarray(labels)[found] == np.asarray(labels)[:, np.newaxis]
    assert judged.accuracy == right.all(1).mean()
    assert judged.precision == right.mean()
    assert judged.pictures == judged.queries == len(labels)


def cosine(x, y):
    return float(x @ y) / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-8)


def test_all_of_the_nearest_must_be_right():
    # Along a quarter circle: a a b b b b. The first a has both a and b among its two nearest.
    angles = np.array([0, 10, 30, 60, 70, 80]) * math.pi / 180
    colours = np.stack([255 * np.cos(angles), 255 * np.sin(angles), 0 * angles], 1).round()
    one = judge(FirstPixels(), made(colours, [0, 0, 1, 1, 1, 1]), 1)
    # The third picture, a b, is nearer to the second a than to the next b.
    assert (one.accuracy, one.precision) == (5 / 6, 5 / 6)
    with pytest.raises(ImgsimError, match=r"an unseen class must have more than k = 2 pictures \(got 2 of 'a'\)"):
        judge(FirstPixels(), made(colours, [0, 0, 1, 1, 1, 1]), 2)
    three = judge(FirstPixels(), made(colours[[0, 1, 1, 1, 3, 4, 5, 5]], [0, 0, 0, 0, 1, 1, 1, 1]), 3)
    assert (three.accuracy, three.precision) == (1, 1)


def test_equal_pictures_of_the_query_do_not_make_it_its_own_neighbour():
    judged = judge(FirstPixels(), made([[9, 9, 9]] * 6, [0, 1] * 3), 2)
    # All are equally near; ties go by the lower number: 0 and 1 for most, and they are of both classes.
    assert judged.accuracy == 0
    assert judge(FirstPixels(), made([[0, 0, 0]] * 6, [0] * 6), 5).accuracy == 1


def test_some_queries_among_all_pictures():
    random = np.random.default_rng(0)
    data = made(random.integers(0, 256, (40, 3)), np.arange(40) % 2)
    every = judge(FirstPixels(), data, 1, most_queries=40)
    assert every.queries == 40
    some = [judge(FirstPixels(), data, 1, most_queries=9, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert {one.queries for one in some} == {9}
    assert {one.pictures for one in some} == {40}
    assert some[0].precision == some[1].precision
    assert len({one.precision for one in some}) > 1
    with pytest.raises(ImgsimError, match=r"there must be 1 query or more \(got 0\)"):
        judge(FirstPixels(), data, 1, most_queries=0)


def test_progress_and_many_batches():
    calls = []
    random = np.random.default_rng(0)
    data = made(random.integers(0, 256, (130, 3)), np.arange(130) % 2)
    judge(FirstPixels(), data, 1, progress=lambda *call: calls.append(call))
    described = [("describing", done, 130) for done in (64, 128, 130)]
    assert calls == [*described, ("searching", 130, 130)]


def test_k_that_is_none():
    with pytest.raises(ImgsimError, match=r"methods: k must be 1 or more \(got 0\)"):
        check_classes(made([[0, 0, 0]], [0]), 0)


def test_rates():
    judged = Judgement(1, 1, pictures=100, queries=10, describe_seconds=2, search_seconds=1)
    assert judged.described_per_second == 50
    assert judged.searched_per_second == 10
    # 20 ms to describe a picture and 100 ms to search it; 1e-9 is far above float64's rounding.
    assert judged.pictures_per_second == pytest.approx(1 / 0.12, rel=1e-9)


@given(st.lists(st.integers(0, 2), min_size=4, max_size=8), st.integers(1, 3))
def test_chance_counts_all_ways(labels, k):
    expected = []
    for row in range(len(labels)):
        ways = list(combinations([other for other in range(len(labels)) if other != row], k))
        expected.append(sum(all(labels[other] == labels[row] for other in way) for way in ways) / len(ways))
    # Sums and products of some ten fractions in float64.
    assert accuracy_by_chance(np.asarray(labels), k) == pytest.approx(np.mean(expected), abs=1e-12)
