"""When two pictures are held to be copies of each other: the measured constants, and one number that ranks all pairs.

What is said of figures here was measured by benchmarks/quality.py. A pair goes through three stages. Perceptual hashes
a few bits apart settle it. Otherwise the nearest by vector are looked at again: many local features that one transform
explains settle it too. What is left open is decided by its score alone, flat drawings without keypoints among them:
that local features find nothing in common is no reason to doubt a high score.
"""

from __future__ import annotations

import numpy as np

from imgsim_ops.matching.alignment import Match

#: Pairs at most so many bits of 256 apart are copies. Of 1.9 million pairs of 1957 pictures, most of them drawings, the
#: hundred that were looked at within 31 bits were the same drawing in another colour or with something added or left
#: out; the first two that show other things lie 34 bits apart.
PERCEPTUAL_BITS = 24
#: So many of the nearest by vector are verified for each picture.
CANDIDATES = 3
#: Matched local features that one transform must explain. Of 10,000 pairs of unlike pictures that are near by vector 12
#: have as many, 11 of them copies of two photographs of one fireman.
LEAST_INLIERS = 10
#: And the share of the smaller picture that they are spread over: a logo that two pictures have in common gives
#: many, close together.
LEAST_SPREAD = 0.02

# An inlier counts as much as this of the score, up to so many.
_WORTH = 0.04
_MOST_COUNTED = 60
# By recipe, the score below which no pair is a copy by its vector alone, whatever the collection's own distribution
# says, as a small one says little: first without whitening, then with it. Of what all stages accept among 676 originals
# and the copies of 156 of them, 99.6 % and more are copies then, and 97 % of the copies are found with `views`.
_FLOORS = {"mean": (0.999, 0.999), "gem": (0.83, 0.83), "whitened": (0.83, 0.68), "views": (0.85, 0.74)}


def is_copy(match: Match) -> bool:
    """Whether local features settle that one picture is a copy of the other."""
    return match.inliers >= LEAST_INLIERS and match.spread >= LEAST_SPREAD


def vector_threshold(recipe: str, whitened: bool, unlike: float = -1.0) -> float:
    """The score from which on a pair that nothing else settled is a copy.

    Args:
        recipe: A name in ``recipes.RECIPES``.
        whitened: Whether its vectors are whitened.
        unlike: What ``distribution.unlike_threshold`` says of the collection.
    """
    return max(unlike, _FLOORS[recipe][whitened])


def confidence(
    score: np.ndarray | float,
    *,
    distance: np.ndarray | int | None = None,
    inliers: np.ndarray | int = 0,
    spread: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Ranks pairs of all stages together, from 0 to 1; arguments broadcast.

    Args:
        score: Cosine of the vectors.
        distance: Bits in which the perceptual hashes differ, for pairs that these settle. None for all others.
        inliers: Of the `Match`, where there is one.
        spread: Likewise.

    Returns:
        Equal bytes and hashes give 1, other hashes within `PERCEPTUAL_BITS` above 0.9, all other pairs less: 0.9 times
        what score and inliers are of the most that they can be.
    """
    if distance is not None:
        return 1 - 0.1 * np.asarray(distance) / (PERCEPTUAL_BITS + 1)
    counted = np.where(np.asarray(spread) >= LEAST_SPREAD, np.minimum(inliers, _MOST_COUNTED), 0)
    return 0.9 * (np.clip(score, 0, 1) + _WORTH * counted) / (1 + _WORTH * _MOST_COUNTED)
