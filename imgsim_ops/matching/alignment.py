"""Whether one affine transform explains enough of two pictures' local features.

Two pictures that show like things share some features by chance; only a copy shares many that all lie where one
transform puts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgsim_ops.matching.features import DESCRIPTOR_LENGTH, Features, opencv

# A match must be that much nearer than the next best one, as the ratio of distances (Lowe 2004, section 7.1).
_RATIO = 0.85
# How far from its place an inlier may lie, in pixels of what was described.
_TOLERANCE = 5.0
# What the matched keypoints themselves say of angle and scale must agree with the transform.
_MOST_TURN = 30.0
_MOST_RESIZE = 1.6
# Of the transform, in pixels of what was described. Wider sides are stretched where pictures are squashed to squares.
_MOST_SCALE = 8.0
_MOST_STRETCH = 2.5
# Keypoints nearer than this are one: SIFT gives a place several angles and scales.
_ONE_PLACE = 2.0
_ROUNDS = 2000


@dataclass(frozen=True)
class Match:
    """What one transform explains of two pictures' local features.

    Attributes:
        inliers: Matched keypoints at different places that the transform brings together.
        transform: (a, b, c, d, e, f): the point (x, y) of the first picture lies at (a x + b y + c, d x + e y + f) of
            the second, in pixels; None where no plausible one was found.
        matches: Matched keypoints before a transform was looked for.
        spread: Share of the smaller picture's area, 0 to 1, in the hull of its inliers.
    """

    inliers: int = 0
    transform: tuple[float, ...] | None = None
    matches: int = 0
    spread: float = 0.0


def verify(a: Features, b: Features) -> Match:
    """Looks for one affine transform that brings many local features of two pictures together.

    The same two pictures get the same answer each time. Costs about 4 ms for 500 keypoints each.

    Args:
        a: The first picture. A mirror image must have been turned back when it was described.
        b: The second.
    """
    first, second = _matched(a.descriptors, b.descriptors)
    if len(first) < 4:
        return Match(matches=len(first))
    # Tolerances hold for what was described, so that is what is measured in.
    here, there = a.places[first] / _units(a), b.places[second] / _units(b)
    affine = _fitted(here, there)
    if affine is None:
        return Match(matches=len(first))
    inside = _distinct(here, there, _agreeing(affine, here, there))
    if len(inside) < 3:
        return Match(matches=len(first))
    turned = affine[:, :2] * (b.scale / a.scale)
    shift = affine[:, 2] * b.scale
    transform = tuple(float(value) for row in zip(turned, shift, strict=True) for value in (*row[0], row[1]))
    spread = max(_covered(here[inside], a), _covered(there[inside], b))
    return Match(len(inside), transform, len(first), spread)


def _units(features: Features) -> np.ndarray:
    return np.array([features.scale, features.scale, 1.0, features.scale], np.float32)


def _matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are each other's nearest, and clearly so seen from the first."""
    none = np.empty(0, np.intp)
    if len(a) < 2 or len(b) < 2:
        return none, none
    products = (a.astype(np.float32) @ b.astype(np.float32).T) / DESCRIPTOR_LENGTH**2
    nearest = products.argmax(axis=1)
    rows = np.arange(len(a))
    best = products[rows, nearest]
    back = products.argmax(axis=0)[nearest] == rows
    products[rows, nearest] = -1
    second = products.max(axis=1)
    # Squared distances of unit vectors are 2 - 2 times the product. Rounding may put the product above 1.
    clear = np.maximum(1 - best, 0) < _RATIO**2 * np.maximum(1 - second, 0)
    chosen = np.flatnonzero(back & clear)
    return chosen, nearest[chosen]


def _fitted(here: np.ndarray, there: np.ndarray) -> np.ndarray | None:
    """The plausible affine transform (2, 3) that most matches agree on, fitted to all of them."""
    cv2 = opencv()
    points = [np.ascontiguousarray(places[:, :2]) for places in (here, there)]
    # A similarity needs two good matches where an affine transform needs three, so it is found among more bad ones.
    for estimate in (cv2.estimateAffine2D, cv2.estimateAffinePartial2D):
        cv2.setRNGSeed(1)
        affine, _ = estimate(
            *points,
            method=cv2.RANSAC,
            ransacReprojThreshold=_TOLERANCE,
            maxIters=_ROUNDS,
            confidence=0.999,
            refineIters=10,
        )
        if affine is not None and _plausible(affine):
            return affine
    return None


def _plausible(affine: np.ndarray) -> bool:
    """Neither collapsed nor mirrored, nor of a scale or stretch that no copy has."""
    if not np.isfinite(affine).all() or np.linalg.det(affine[:, :2]) <= 0:
        return False
    large, small = np.linalg.svd(affine[:, :2], compute_uv=False)
    return small > 1 / _MOST_SCALE and large < _MOST_SCALE and large < _MOST_STRETCH * small


def _agreeing(affine: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Positions of the matches that lie where the transform puts them, turned and resized as it says."""
    linear = affine[:, :2]
    missed = np.linalg.norm(here[:, :2] @ linear.T + affine[:, 2] - there[:, :2], axis=1)
    angle = np.deg2rad(here[:, 2])
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ linear.T
    turn = np.rad2deg(np.arctan2(direction[:, 1], direction[:, 0])) - there[:, 2]
    turn = np.abs((turn + 180) % 360 - 180)
    resize = there[:, 3] / np.maximum(here[:, 3], 1e-6) / np.sqrt(np.linalg.det(linear))
    good = (missed <= _TOLERANCE) & (turn <= _MOST_TURN) & (np.abs(np.log(resize)) <= np.log(_MOST_RESIZE))
    return np.flatnonzero(good)


def _distinct(here: np.ndarray, there: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Of these matches the first at each place, in both pictures."""
    close = np.zeros((len(inside), len(inside)), bool)
    for x, y in (here[inside, :2].T, there[inside, :2].T):
        close |= (np.abs(x[:, np.newaxis] - x) < _ONE_PLACE) & (np.abs(y[:, np.newaxis] - y) < _ONE_PLACE)
    taken = np.zeros(len(inside), bool)
    kept = []
    for place in range(len(inside)):
        if not taken[place]:
            kept.append(place)
            taken |= close[place]
    return inside[kept]


def _covered(points: np.ndarray, features: Features) -> float:
    """Share of the picture in the hull of these points."""
    hull = opencv().convexHull(np.ascontiguousarray(points[:, :2]))
    return min(1.0, opencv().contourArea(hull) * features.scale**2 / (features.width * features.height))
