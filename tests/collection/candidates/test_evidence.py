import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.collection.candidates.evidence import IDENTICAL, evidence_of
from imgsim_ops.collection.candidates.judging import Judged
from imgsim_ops.collection.findings import Picture
from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching import rules
from imgsim_ops.matching.relations import Judgement, Relation
from tests.support.tries import tries

PICTURE = Picture("/a", 1, 1, bytes(32), 400, 300, "PNG")


def shown(matrix=None, *, inliers=None, score=0.5, distance=None, relation=Relation.COPY, **judgement):
    transform = None if matrix is None else tuple(float(value) for value in np.ravel(matrix))
    return evidence_of(Judged(Judgement(relation, transform, **judgement), inliers), PICTURE, score, distance)


@pytest.mark.parametrize(
    ("inliers", "distance", "stage"),
    [
        (None, None, "vector"),
        (None, rules.PERCEPTUAL_BITS, "perceptual"),
        (None, rules.PERCEPTUAL_BITS + 1, "vector"),
        (9, None, "local"),
        (0, rules.PERCEPTUAL_BITS + 1, "local"),
        (9, 0, "perceptual"),
    ],
)
def test_what_led_to_looking(inliers, distance, stage):
    found = shown(inliers=inliers, distance=distance)
    assert found.stage == stage
    assert found.inliers == inliers
    assert found.distance == (distance if stage == "perceptual" else None)


def test_what_was_judged_is_handed_on():
    boxes = (((1, 2, 3, 4), (5, 6, 7, 8)),)
    found = shown(
        relation=Relation.EDITED, overlap=(0.123456, 1.0), differences=boxes, lacks=(("more", "detail"), ("colour",))
    )
    assert (found.relation, found.overlap, found.differences) == ("edited", (0.1235, 1.0), boxes)
    assert found.lacks == ("more", "detail")
    assert (found.transform, found.homography, found.orientation) == (None, None, 1)
    assert isinstance(found.relation, str)


def test_a_score_is_never_above_one():
    assert shown(score=np.float32(1.0000001)).score == 1
    assert IDENTICAL.score == 1
    assert IDENTICAL.relation == "identical"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_turn_of_a_transform_is_its_orientation(orientation):
    noise = np.random.default_rng(orientation).normal(0, 0.1, (2, 2))
    linear = 0.7 * np.array(LINEAR[orientation]) + noise
    matrix = np.vstack([np.hstack([linear, [[5.0], [-9.0]]]), (0, 0, 1)])
    found = shown(matrix)
    assert found.orientation == orientation
    assert found.homography is None
    np.testing.assert_allclose(found.transform, matrix[:2].ravel(), atol=1e-9)


SMALL = st.floats(-0.2, 0.2)


@settings(max_examples=tries(300), deadline=None)
@given(SMALL, SMALL, st.floats(-50, 50), st.floats(-5e-4, 5e-4), st.floats(-5e-4, 5e-4), st.sampled_from([1, -3.0]))
def test_in_the_middle_the_affine_transform_is_the_homography(a, b, x, u, v, times):
    matrix = np.array([[1 + a, b, x], [-b, 1 + a / 2, -x], [u, v, 1]])
    found = shown(times * matrix)
    affine = np.reshape(found.transform, (2, 3))

    def exact(point):
        there = matrix @ (*point, 1)
        return there[:2] / there[2]

    def near(point):
        return affine @ (*point, 1)

    middle = np.array([200.0, 150.0])
    np.testing.assert_allclose(near(middle), exact(middle), atol=1e-6)
    for step in np.eye(2) * 1e-2:
        np.testing.assert_allclose(near(middle + step) - near(middle), exact(middle + step) - exact(middle), atol=1e-6)
    bent = max(np.abs(near(corner) - exact(corner)).max() for corner in [(0, 0), (400, 0), (400, 300), (0, 300)])
    if abs(bent - 1) > 1e-6:
        assert (found.homography is not None) == (bent > 1)
