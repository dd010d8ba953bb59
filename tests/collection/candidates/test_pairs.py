"""Candidates against brute force in NumPy, and the score from which on pairs are looked at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.collection.candidates.pairs import (
    Pairs,
    Pictures,
    candidate_threshold,
    hash_links,
    hash_pairs_between,
    likeness,
    nearest_pairs,
    scores_of,
)
from imgsim_ops.errors import ImgsimError
from imgsim_ops.matching import rules
from imgsim_ops.matching.options import MatchOptions
from tests.support.tries import tries

COUNTS = st.sampled_from([0, 1, 7, 17, 33])


def made_pictures(count, crops=2, width=8, seed=0, dead=()):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count * crops, width))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    alive = np.ones(count, bool)
    alive[[row for row in dead if row < count]] = False
    # Few different bytes, so that there are hashes that are near each other.
    hashes = np.repeat(random.integers(1, 4, (count, 4), np.uint8), 8, axis=1)
    return Pictures(hashes, vectors, crops, alive)


def all_scores(a, b):
    x, y = (p.vectors.astype(np.float64).reshape(len(p), p.crops, p.vectors.shape[1]) for p in (a, b))
    x, y = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (x, y))
    return np.einsum("ivd,jwd->ijvw", x, y).max((2, 3), initial=-1)


def as_dict(pairs):
    keys = list(zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True))
    assert keys == sorted(set(keys))
    return dict(zip(keys, pairs.scores.tolist(), strict=True))


def apart(x, y):
    return int(np.unpackbits(x ^ y).sum())


@settings(max_examples=tries(200), deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([1, 2]), st.integers(1, 5), st.integers(0, 9))
def test_nearest_pairs_are_those_of_brute_force(asked, count, crops, k, seed):
    queries, gallery = made_pictures(asked, crops, seed=seed + 10), made_pictures(count, crops, seed=seed)
    rows = 3 * np.arange(asked)
    pairs = nearest_pairs(queries.vectors, rows, gallery, k, 6)
    assert pairs.orientation == 6
    scores = all_scores(queries, gallery)
    expected = {(3 * i, int(j)): scores[i, j] for i in range(asked) for j in np.argsort(-scores[i], kind="stable")[:k]}
    assert as_dict(pairs) == pytest.approx(expected, abs=1e-6)  # float32 against float64


def test_nearest_pairs_pass_over_contents_without_files():
    gallery = made_pictures(9, dead=[0, 1, 2])
    queries = gallery.vectors[:2].copy()
    pairs = nearest_pairs(queries, np.array([7]), gallery, 3)
    assert len(pairs) == 3
    assert not set(pairs.cols.tolist()) & {0, 1, 2}


def test_nearest_pairs_where_no_content_has_a_file():
    gallery = made_pictures(7, dead=range(7))
    assert len(nearest_pairs(gallery.vectors, np.arange(7), gallery, 3)) == 0


@settings(max_examples=tries(200), deadline=None)
@given(COUNTS, st.integers(0, 9))
def test_hash_links_are_the_near_pairs_of_brute_force_the_closest_first(count, seed):
    pictures = made_pictures(count, seed=seed, dead=[3])
    expected = {
        (i, j): apart(pictures.hashes[i], pictures.hashes[j])
        for i in range(count)
        for j in range(i + 1, count)
        if apart(pictures.hashes[i], pictures.hashes[j]) <= rules.PERCEPTUAL_BITS and pictures.alive[[i, j]].all()
    }
    links = hash_links(pictures)
    assert links.dtype == np.int64
    assert links.shape == (len(expected), 2)
    found = [tuple(link) for link in links.tolist()]
    assert found == sorted(expected, key=lambda pair: (expected[pair], pair))


def test_hash_links_of_a_crowd_reach_everyone_that_has_a_file():
    pictures = made_pictures(400, dead=range(0, 400, 7))
    pictures.hashes[:] = pictures.hashes[1]
    links = hash_links(pictures)
    assert len(links) == pictures.alive.sum() - 1
    assert set(links.ravel().tolist()) == set(np.flatnonzero(pictures.alive).tolist())


@pytest.mark.parametrize("count", [0, 1, 33])
def test_flat_pictures_are_linked_to_nothing(count):
    pictures = made_pictures(count)
    pictures.hashes[:] = 0
    assert hash_links(pictures).shape == (0, 2)
    assert len(hash_pairs_between(pictures, pictures)) == 0


@settings(max_examples=tries(200), deadline=None)
@given(COUNTS, COUNTS, st.integers(0, 9))
def test_hash_pairs_between_are_those_of_brute_force(count, other, seed):
    a, b = made_pictures(count, seed=seed, dead=[3]), made_pictures(other, seed=seed + 50, dead=[1])
    expected = {
        (i, j)
        for i in range(count)
        for j in range(other)
        if apart(a.hashes[i], b.hashes[j]) <= rules.PERCEPTUAL_BITS and a.alive[i] and b.alive[j]
    }
    found = as_dict(hash_pairs_between(a, b))
    assert found == pytest.approx({pair: all_scores(a, b)[pair] for pair in expected}, abs=1e-6)


def test_scores_of_more_pairs_than_are_gathered_at_once():
    a, b = made_pictures(90, 1), made_pictures(70, 2, seed=1)
    rows, cols = (grid.ravel() for grid in np.meshgrid(np.arange(90), np.arange(70), indexing="ij"))
    np.testing.assert_allclose(scores_of(rows, cols, a, b), all_scores(a, b).ravel(), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 33, 1100])
def test_the_likeness_of_each_to_all_together(count):
    pictures = made_pictures(count)
    rows = np.random.default_rng(0).permutation(count)[: max(1, count - 3)]
    each = pictures.vectors.astype(np.float64).reshape(count, -1)[rows]
    each /= np.linalg.norm(each, axis=1, keepdims=True)
    np.testing.assert_allclose(likeness(rows, pictures), (each @ each.T).sum(1), atol=1e-3)


def test_some_of_some_pairs():
    pairs = Pairs(np.arange(5), np.arange(5) + 5, np.linspace(0, 1, 5, dtype=np.float32), 8)
    some = pairs[np.array([True, False, True, False, False])]
    assert (some.rows.tolist(), some.cols.tolist(), some.orientation, len(some)) == ([0, 2], [5, 7], 8, 2)


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_a_threshold_that_is_given_is_taken():
    assert candidate_threshold(made_pictures(33), MatchOptions(0.8)) == 0.8
    assert candidate_threshold(made_pictures(0), MatchOptions(-1.0)) == -1.0


@pytest.mark.parametrize("count", [0, 1, 2, 7, 17, 33])
def test_of_few_pictures_all_pairs_are_looked_at(count):
    assert candidate_threshold(made_pictures(count), MatchOptions()) == -1


def test_fewer_false_positives_need_a_higher_threshold():
    pictures = made_pictures(400, width=32)
    found = [candidate_threshold(pictures, MatchOptions(false_positives=rate)) for rate in (0.5, 1e-2, 1e-4, 1e-6)]
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_by_default_each_picture_has_so_many_others_above_it_by_chance():
    pictures = made_pictures(400, width=32)
    least = candidate_threshold(pictures, MatchOptions())
    scores = all_scores(pictures, pictures)
    np.fill_diagonal(scores, -1)
    # By a fit to the highest scores.
    assert (scores >= least).sum(1).mean() == pytest.approx(rules.CANDIDATES, rel=0.3)


def test_copies_do_not_raise_it_where_one_of_each_is_asked_about():
    pictures = made_pictures(200, width=32)
    vectors = np.repeat(pictures.vectors.reshape(200, 2, 32), 20, 0).reshape(-1, 32)
    copied = Pictures(np.repeat(pictures.hashes, 20, 0), vectors, 2, np.ones(4000, bool))
    rows = np.arange(0, 4000, 20)
    assert candidate_threshold(copied, MatchOptions(), rows) == candidate_threshold(pictures, MatchOptions())


@pytest.mark.parametrize(
    ("threshold", "rate", "message"),
    [
        (1.5, None, "threshold must be between -1 and 1"),
        (float("nan"), None, "threshold must be between -1 and 1"),
        (None, 0.0, "rate of false positives must be between 0 and 1"),
        (None, 1.0, "rate of false positives must be between 0 and 1"),
        (0.9, 0.1, "one of a threshold and a rate of false positives"),
    ],
)
def test_errors(threshold, rate, message):
    with pytest.raises(ImgsimError, match=message):
        MatchOptions(threshold, rate)
