"""Local features of two pictures, and whether one affine transform explains enough of them.

SIFT keypoints (Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints") with RootSIFT descriptors
(Arandjelovic and Zisserman 2012, "Three things everyone should know to improve object retrieval"). Two pictures that
show like things share some of them by chance; only a copy shares many that all lie where one transform puts them.

Needs OpenCV (``opencv-python-headless``), which is imported when it is used.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import turned

if TYPE_CHECKING:
    from imgsim_ops.images.strips import Strips

#: The longer side of what is described, in pixels. Smaller pictures are enlarged: a thumbnail has too few keypoints.
SIDE = 512
#: Keypoints kept, the strongest.
MOST_KEYPOINTS = 500

_MAGIC = b"imgsim-sift\x01"
_HEAD = struct.Struct("<12sIIII")  # magic, width, height, of what was described its longer side, number of keypoints
_WIDTH = 128
# x, y, angle in degrees, diameter; all but the angle in pixels.
_PLACE = 4
# RootSIFT vectors have unit length; so long are they as bytes. Hardly a value is above a half.
_LENGTH = 512.0
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


@dataclass(frozen=True, eq=False)
class Features:
    """The local features of a picture.

    Attributes:
        width: Of the picture, upright and turned as it was asked for, in pixels.
        height: Likewise.
        side: Longer side of what was described, in pixels.
        places: float32 (N, 4): x and y in pixels of the picture, angle in degrees, diameter in pixels of the picture.
        descriptors: uint8 (N, 128), RootSIFT times 512.
    """

    width: int
    height: int
    side: int
    places: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def to_bytes(self) -> bytes:
        """For a cache or a pipe: 28 bytes, and 144 for each keypoint."""
        head = _HEAD.pack(_MAGIC, self.width, self.height, self.side, len(self))
        return head + self.places.astype("<f4").tobytes() + self.descriptors.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Features:
        """What `to_bytes` wrote.

        Raises:
            ImgsimError: It was not written by this version, or is damaged.
        """
        if len(content) < _HEAD.size or not bytes(content).startswith(_MAGIC):
            raise ImgsimError(f"local features: must begin with {_MAGIC!r} (got {bytes(content[: len(_MAGIC)])!r})")
        _, width, height, side, number = _HEAD.unpack_from(content)
        expected = _HEAD.size + number * (4 * _PLACE + _WIDTH)
        if len(content) != expected:
            raise ImgsimError(f"local features: {number} keypoints take {expected} bytes (got {len(content)})")
        places = np.frombuffer(content, "<f4", number * _PLACE, _HEAD.size).reshape(number, _PLACE)
        descriptors = np.frombuffer(content, np.uint8, offset=_HEAD.size + places.nbytes).reshape(number, _WIDTH)
        if min(side, width, height) < 1 or not np.isfinite(places).all():
            raise ImgsimError(f"local features: sizes and places must be numbers (got {width} x {height} at {side})")
        return cls(width, height, side, places, descriptors)

    @property
    def scale(self) -> float:
        """Pixels of the picture along one of what was described."""
        return max(self.width, self.height) / self.side


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
    transform: tuple[float, float, float, float, float, float] | None = None
    matches: int = 0
    spread: float = 0.0


def describe(
    path: str | os.PathLike[str],
    read: ReadOptions = ReadOptions(),
    *,
    orientation: int = 1,
    admit: Admit = admit_at_once,
) -> bytes:
    """The local features of a file, packed; a task for ``images.isolated``.

    Args:
        path: The file; see ``images.decode.decode`` for what is read and how.
        read: How.
        orientation: EXIF's number, 1 to 8: how the upright picture is turned before it is described.
        admit: See ``images.decode.decoded``.

    Returns:
        `Features.to_bytes`.

    Raises:
        ImageError: See ``images.decode.decode``.
        ImgsimError: There is no such orientation, or no OpenCV.
    """
    if orientation not in range(1, 9):
        raise ImgsimError(f"local features: orientation must be 1 to 8 (got {orientation})")
    _cv2()
    with decoded(path, max_pixels=read.max_pixels, min_side=None if read.exact else SIDE, admit=admit) as picture:
        return _described(_reduced(picture), picture.width, picture.height, orientation).to_bytes()


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


# --- describing ------------------------------------------------------------------------------------------------------


def _cv2() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise ImgsimError("local features: OpenCV is needed (got none); pip install opencv-python-headless") from error
    return cv2


def _reduced(picture: Strips) -> np.ndarray:
    """The picture in grey, uint8, at a size from twice `SIDE` down where it is larger; no more than a strip is held."""
    cv2 = _cv2()
    height, width = -(-picture.height // picture.scale), -(-picture.width // picture.scale)
    by = max(1, max(height, width) // (2 * SIDE))
    # Of a picture narrower than a block something must remain.
    across, down = min(by, width), min(by, height)
    kept, left = [], np.empty((0, width), np.uint8)
    for strip in picture.strips:
        grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
        left = np.concatenate([left, grey]) if len(left) else grey
        rows = len(left) // down
        if rows:
            # What is left over at the right and at the bottom is less than a pixel of the result.
            block = np.ascontiguousarray(left[: rows * down, : width // across * across])
            size = (width // across, rows)
            kept.append(cv2.resize(block, size, interpolation=cv2.INTER_AREA) if by > 1 else block)
            left = left[rows * down :]
    return np.concatenate(kept)


def _described(grey: np.ndarray, width: int, height: int, orientation: int) -> Features:
    cv2 = _cv2()
    grey = turned(grey, orientation)
    if orientation > 4:
        width, height = height, width
    # A side of one pixel would have no keypoints at any size, and OpenCV cannot shrink it to nothing.
    size = [max(1, round(side * SIDE / max(width, height))) for side in (width, height)]
    smaller = max(grey.shape) > SIDE
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    keypoints, values = cv2.SIFT_create(MOST_KEYPOINTS, contrastThreshold=0.02).detectAndCompute(grey, None)
    # Ties at the last one kept are kept too.
    keypoints, values = keypoints[:MOST_KEYPOINTS], None if values is None else values[:MOST_KEYPOINTS]
    if not keypoints:
        return Features(width, height, SIDE, np.empty((0, _PLACE), np.float32), np.empty((0, _WIDTH), np.uint8))
    across, down = width / size[0], height / size[1]
    # OpenCV counts from the centre of the first pixel; here 0 is its edge.
    rows = [((k.pt[0] + 0.5) * across, (k.pt[1] + 0.5) * down, k.angle, k.size * across) for k in keypoints]
    sums = np.maximum(values.sum(axis=1, keepdims=True), 1e-12)
    descriptors = np.minimum(np.rint(np.sqrt(values / sums) * _LENGTH), 255).astype(np.uint8)
    return Features(width, height, SIDE, np.array(rows, np.float32), descriptors)


# --- comparing -------------------------------------------------------------------------------------------------------


def _units(features: Features) -> np.ndarray:
    return np.array([features.scale, features.scale, 1.0, features.scale], np.float32)


def _matched(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are each other's nearest, and clearly so seen from the first."""
    none = np.empty(0, np.intp)
    if len(a) < 2 or len(b) < 2:
        return none, none
    products = (a.astype(np.float32) @ b.astype(np.float32).T) / _LENGTH**2
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
    cv2 = _cv2()
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
    kept: list[int] = []
    for match in inside:
        new = all(
            not kept or (np.abs(points[kept, :2] - points[match, :2]).max(axis=1) >= _ONE_PLACE).all()
            for points in (here, there)
        )
        if new:
            kept.append(int(match))
    return np.array(kept, np.intp)


def _covered(points: np.ndarray, features: Features) -> float:
    """Share of the picture in the hull of these points."""
    hull = _cv2().convexHull(np.ascontiguousarray(points[:, :2]))
    return min(1.0, _cv2().contourArea(hull) * features.scale**2 / (features.width * features.height))
