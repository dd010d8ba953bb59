import numpy as np
import pytest

from imgsim_ops.matching import rules
from imgsim_ops.matching.alignment import Match
from imgsim_ops.matching.rules import confidence, is_copy, vector_threshold
from imgsim_ops.recipes.recipes import RECIPES


@pytest.mark.parametrize(
    ("inliers", "spread", "copy"),
    [
        (0, 0.0, False),
        (rules.LEAST_INLIERS - 1, 1.0, False),
        (rules.LEAST_INLIERS, 1.0, True),
        (rules.LEAST_INLIERS, rules.LEAST_SPREAD, True),
        (500, rules.LEAST_SPREAD / 2, False),
    ],
)
def test_what_local_features_settle(inliers, spread, copy):
    assert is_copy(Match(inliers, (1, 0, 0, 0, 1, 0), inliers, spread)) is copy


def test_hashes_settle_more_than_they_can_be_looked_up_by():
    assert 0 <= rules.PERCEPTUAL_BITS <= 31  # the most that pairs_within finds


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_threshold_is_the_collections_own_above_a_floor(recipe, whitened):
    floor = vector_threshold(recipe, whitened)
    assert 0 < floor < 1
    assert vector_threshold(recipe, whitened, unlike=-1.0) == vector_threshold(recipe, whitened, unlike=0.1) == floor
    assert vector_threshold(recipe, whitened, unlike=0.9999) == 0.9999


def test_confidence_ranks_stage_by_stage():
    ranked = [
        confidence(1.0, distance=0),
        confidence(0.2, distance=1),
        confidence(1.0, distance=rules.PERCEPTUAL_BITS),
        confidence(1.0, inliers=400),
        confidence(0.9, inliers=400),
        confidence(0.9, inliers=40),
        confidence(0.9, inliers=9),
        confidence(0.9),
        confidence(0.5),
        confidence(0.0),
    ]
    assert ranked == sorted(ranked, reverse=True)
    assert len(set(map(float, ranked))) == len(ranked)
    assert ranked[0] == 1
    assert ranked[-1] == 0


def test_confidence_is_between_0_and_1_and_broadcasts():
    scores = np.linspace(-1, 1.001, 9)
    for found in (confidence(scores), confidence(scores[:, np.newaxis], inliers=np.array([0, 5, 1000]), spread=0.5)):
        assert (found >= 0).all()
        assert (found <= 0.9).all()
    assert confidence(scores).shape == (9,)
    assert confidence(scores[:, np.newaxis], inliers=np.array([0, 5, 1000])).shape == (9, 3)


def test_crowded_inliers_do_not_count():
    assert confidence(0.4, inliers=50, spread=rules.LEAST_SPREAD / 2) == confidence(0.4)
