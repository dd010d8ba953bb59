"""Candidates against brute force in NumPy; thresholds, evidence and what becomes of transforms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.collection.candidates import cascade
from imgsim_ops.collection.candidates.cascade import Pairs, Pictures, Thresholds
from imgsim_ops.collection.findings import Evidence
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.orientation import turned
from imgsim_ops.matching import rules
from imgsim_ops.matching.alignment import Match
from imgsim_ops.matching.options import MatchOptions

COUNTS = st.sampled_from([0, 1, 7, 17, 33])


def made_pictures(count, views=2, width=8, seed=0, dead=()):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count * views, width))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    alive = np.ones(count, bool)
    alive[[row for row in dead if row < count]] = False
    # Few different bytes, so that there are hashes that are near each other.
    hashes = np.repeat(random.integers(1, 4, (count, 4), np.uint8), 8, axis=1)
    return Pictures(hashes, vectors, views, alive, np.zeros(count, bool), "views", False)


def all_scores(a, b):
    x, y = (p.vectors.astype(np.float64).reshape(len(p), p.views, p.vectors.shape[1]) for p in (a, b))
    x, y = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (x, y))
    return np.einsum("ivd,jwd->ijvw", x, y).max((2, 3), initial=-1)


def as_dict(pairs):
    keys = list(zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True))
    assert keys == sorted(set(keys))
    return dict(zip(keys, pairs.scores.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.sampled_from([1, 2]), st.integers(0, 9), st.floats(-0.5, 0.9))
def test_near_pairs_are_those_of_brute_force(count, views, seed, least):
    pictures = made_pictures(count, views, seed=seed, dead=[2, 5])
    scores = all_scores(pictures, pictures)
    expected = {
        (i, j): scores[i, j]
        for i in range(count)
        for j in range(i + 1, count)
        if scores[i, j] >= least and pictures.alive[[i, j]].all()
    }
    found = as_dict(cascade.near_pairs(pictures, least))
    assert found == pytest.approx(expected, abs=1e-6)  # float32 against float64


@settings(max_examples=40, deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([1, 2]), st.integers(1, 5), st.integers(0, 9))
def test_nearest_pairs_are_those_of_brute_force(asked, count, views, k, seed):
    queries, gallery = made_pictures(asked, views, seed=seed + 10), made_pictures(count, views, seed=seed)
    rows = 3 * np.arange(asked)
    pairs = cascade.nearest_pairs(queries.vectors, rows, gallery, k, 6)
    assert pairs.orientation == 6
    scores = all_scores(queries, gallery)
    expected = {(3 * i, int(j)): scores[i, j] for i in range(asked) for j in np.argsort(-scores[i], kind="stable")[:k]}
    assert as_dict(pairs) == pytest.approx(expected, abs=1e-6)


def test_nearest_pairs_pass_over_contents_without_files():
    gallery = made_pictures(9, dead=[0, 1, 2])
    queries = gallery.vectors[:2].copy()
    pairs = cascade.nearest_pairs(queries, np.array([7]), gallery, 3)
    assert len(pairs) == 3
    assert not set(pairs.cols.tolist()) & {0, 1, 2}


@settings(max_examples=40, deadline=None)
@given(COUNTS, COUNTS, st.integers(0, 9))
def test_hash_pairs_are_those_of_brute_force(count, other, seed):
    a, b = made_pictures(count, seed=seed, dead=[3]), made_pictures(other, seed=seed + 50, dead=[1])

    def apart(x, y):
        return np.unpackbits(x ^ y).sum()

    inside = {
        (i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if apart(a.hashes[i], a.hashes[j]) <= rules.PERCEPTUAL_BITS and a.alive[[i, j]].all()
    }
    between = {
        (i, j)
        for i in range(count)
        for j in range(other)
        if apart(a.hashes[i], b.hashes[j]) <= rules.PERCEPTUAL_BITS and a.alive[i] and b.alive[j]
    }
    found = as_dict(cascade.hash_pairs(a))
    assert set(found) == inside
    assert found == pytest.approx({pair: all_scores(a, a)[pair] for pair in inside}, abs=1e-6)
    assert set(as_dict(cascade.hash_pairs_between(a, b))) == between


def test_what_is_worth_verifying_is_among_the_best_of_either():
    rows, cols = np.triu_indices(6, 1)
    scores = np.random.default_rng(0).permutation(len(rows)).astype(np.float32)
    chosen = cascade.worth_verifying(Pairs(rows, cols, scores))
    for place, (i, j) in enumerate(zip(rows, cols, strict=True)):
        best = [
            place in sorted(np.flatnonzero((rows == one) | (cols == one)), key=lambda p: -scores[p])[: rules.CANDIDATES]
            for one in (i, j)
        ]
        assert chosen[place] == any(best)


def test_settling():
    hashes = np.full((5, 32), 255, np.uint8)
    others = hashes.copy()
    others[1] = 0  # flat: nothing is said by it
    hashes[1] = 0
    others[2:] = 0x0F
    scores = np.array([0.1, 0.1, 0.95, 0.6, 0.2], np.float32)
    pairs = Pairs(np.arange(5), np.arange(5) + 5, scores, 8)
    found, left_open = cascade.settle(pairs, hashes, others, Thresholds(alone=0.9, candidate=0.5))
    assert [evidence and (evidence.stage, evidence.distance) for evidence in found] == [
        ("perceptual", 0),
        None,
        ("vector", 128),
        None,
        None,
    ]
    assert found[0].orientation == 8
    assert left_open.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("flat", ["one", "other", "both"])
def test_pictures_without_structure_are_no_copies_by_their_vectors(flat):
    hashes, others = np.full((2, 1, 32), 255, np.uint8)
    if flat != "other":
        hashes = np.zeros_like(hashes)
    if flat != "one":
        others = np.zeros_like(others)
    pairs = Pairs(np.array([0]), np.array([1]), np.array([1.0], np.float32))
    found, left_open = cascade.settle(pairs, hashes, others, Thresholds(0.9, 0.5))
    assert (found, left_open.tolist()) == ([None], [True])


def test_a_score_is_never_above_one():
    pairs = Pairs(np.array([0]), np.array([1]), np.array([1.0000001], np.float32))
    found, _ = cascade.settle(pairs, *np.ones((2, 1, 32), np.uint8), Thresholds(0.9, 0.5))
    assert found[0].score == 1


# --- transforms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_turn_of_a_transform_is_its_orientation(orientation):
    """What `turned` does to the places of pixels, as a transform."""
    height, width = 30, 50
    marks = {}
    for name, (x, y) in {"o": (0, 0), "x": (20, 0), "y": (0, 10)}.items():
        pixels = np.zeros((height, width), np.uint8)
        pixels[y, x] = 1
        ((row, column),) = np.argwhere(turned(pixels, orientation))
        marks[name] = np.array([column, row])
    along_x, along_y = (marks["x"] - marks["o"]) / 20, (marks["y"] - marks["o"]) / 10
    noise = np.random.default_rng(orientation).normal(0, 0.1, 4)
    a, d, b, e = np.array([*along_x, *along_y]) * 0.7 + noise
    assert cascade._orientation((a, b, 5.0, d, e, -9.0)) == orientation


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_reversed_evidence_leads_back(orientation):
    transform = (0.5, -0.2, 30.0, 0.3, 0.8, -4.0)
    back = cascade.reversed_evidence(Evidence("local", 0.7, 9, 44, transform, orientation))
    assert back.orientation == {6: 8, 8: 6}.get(orientation, orientation)
    assert (back.stage, back.score, back.distance, back.inliers) == ("local", 0.7, 9, 44)
    one, other = (np.array([*values, 0, 0, 1]).reshape(3, 3) for values in (transform, back.transform))
    np.testing.assert_allclose(one @ other, np.eye(3), atol=1e-12)
    assert cascade.reversed_evidence(Evidence("vector", 0.7)) == Evidence("vector", 0.7)


def test_the_transform_of_a_mirror_image_starts_from_the_picture_itself():
    match = Match(inliers=500, transform=(2.0, 0.0, 10.0, 0.0, 2.0, 5.0), matches=500, spread=0.9)
    evidence = cascade._local(0.5, match, 100)
    a, b, c, d, e, f = evidence.transform
    x, y = 30.0, 7.0
    assert (a * x + b * y + c, d * x + e * y + f) == (2 * (100 - x) + 10, 2 * y + 5)
    assert evidence.orientation == 2


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_a_threshold_that_is_given_is_taken():
    assert cascade.choose_thresholds(made_pictures(33), MatchOptions(0.8)).alone == 0.8
    assert cascade.choose_thresholds(made_pictures(0), MatchOptions(0.8)) == Thresholds(0.8, -1.0)


def test_fewer_false_positives_need_a_higher_threshold(monkeypatch):
    monkeypatch.setattr(rules, "vector_threshold", lambda recipe, whitened, unlike: unlike)
    pictures = made_pictures(400, width=32)
    found = [
        cascade.choose_thresholds(pictures, MatchOptions(false_positives=rate)).alone for rate in (1e-2, 1e-4, 1e-6)
    ]
    assert found[0] < found[1] < found[2]
    default = cascade.choose_thresholds(pictures, MatchOptions())
    assert default.alone == found[2]
    assert default.candidate < found[1]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 49])
def test_few_unlike_pictures_are_no_copies(count):
    pictures = made_pictures(count, width=64)
    thresholds = cascade.choose_thresholds(pictures, MatchOptions())
    scores = all_scores(pictures, pictures)[np.triu_indices(count, 1)]
    assert (scores < thresholds.alone).all()


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
