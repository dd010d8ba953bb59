"""Two pictures laid over each other: one grid of pixels, that of the coarser one, over what both show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.looks import Look

#: Overlaps smaller than this, on their longer side, are enlarged: blocks need pixels.
LEAST_SIDE = 192
# Pixels at the rim of the overlap that are left out, as interpolation mixes them with what lies beyond.
_RIM = 2
_POINTS = 300
_LEAST_POINTS = 12
# Windows of the optical flow, and how far a point of it may lie from the fitted transform, in pixels.
_WINDOW = 21
_TOLERANCE = 1.0
# Pieces that are smaller say nothing of compression.
_LEAST_PIECE = 48
# Pixels of a look for one of the grid below which linear interpolation blurs.
_ENLARGED = 0.95
# How far a transform may turn or stretch, and lie beside, as a share of the longer side, what lays all over all.
_NEARLY = 0.1
_NEAR_WHOLE = 0.005


@dataclass(frozen=True, eq=False)
class Frame:
    """What two pictures both show, on one grid.

    Attributes:
        a: Of the one, in grey, uint8 (h, w), or in RGB (h, w, 3), see `coloured`.
        b: Likewise, of the other.
        valid: uint8 (h, w), 255 where both are there, 0 elsewhere.
        to_a: float64 (3, 3), from pixels of the grid, 0 being the edge, to those of the one picture.
        to_b: Likewise.
    """

    a: np.ndarray
    b: np.ndarray
    valid: np.ndarray
    to_a: np.ndarray
    to_b: np.ndarray

    @property
    def transform(self) -> np.ndarray:
        """From pixels of the one picture to those of the other, float64 (3, 3)."""
        return normalised(self.to_b @ np.linalg.inv(self.to_a))


def normalised(matrix: np.ndarray) -> np.ndarray:
    """The same homography with a 1 in its last place."""
    return matrix / matrix[2, 2]


def mapped(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) by a homography, float64."""
    points = np.asarray(points, np.float64)
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    return homogeneous[:, :2] / homogeneous[:, 2:]


def corners(width: float, height: float) -> np.ndarray:
    """Of a rectangle, (4, 2)."""
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def jacobian(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The linear map that a homography is around a point (2,), float64 (2, 2)."""
    there = mapped(matrix, point[np.newaxis])[0]
    return (matrix[:2, :2] - np.outer(there, matrix[2, :2])) / (matrix[2, :2] @ point + matrix[2, 2])


def density(matrix: np.ndarray, point: np.ndarray) -> float:
    """How many pixels along a side one pixel at a point becomes by a homography."""
    return float(np.sqrt(abs(np.linalg.det(jacobian(matrix, point)))))


def whole_to_whole(a: Look, b: Look, orientation: int = 1) -> np.ndarray:
    """The transform that lays all of the one picture, turned, over all of the other, float64 (3, 3)."""
    unit = np.eye(3)
    unit[:2, :2] = LINEAR[orientation]
    unit[:2, 2] = -np.minimum(unit[:2, :2], 0).sum(1)
    return np.diag([b.width, b.height, 1.0]) @ unit @ np.diag([1 / a.width, 1 / a.height, 1.0])


def near_whole(a: Look, b: Look, transform: np.ndarray) -> np.ndarray | None:
    """The transform that lays all of the one over all of the other, if a given one, (3, 3), is all but that."""
    linear = jacobian(transform, np.array([a.width, a.height]) / 2)
    linear = linear / np.sqrt(abs(np.linalg.det(linear)))
    for orientation, unit in LINEAR.items():
        if np.abs(linear - unit).max() < _NEARLY:
            whole = whole_to_whole(a, b, orientation)
            ends = corners(a.width, a.height)
            beside = np.abs(mapped(transform, ends) - mapped(whole, ends)).max()
            return whole if beside <= _NEAR_WHOLE * max(b.width, b.height) else None
    return None


def overlap(transform: np.ndarray, a: tuple[int, int], b: tuple[int, int]) -> np.ndarray | None:
    """What two pictures both show, as a polygon (N, 2) in pixels of the first; None where it is nothing.

    Args:
        transform: From the first to the second, float64 (3, 3).
        a: Width and height of the first.
        b: Of the second.
    """
    here, there = corners(*a), corners(*b)
    depth = here @ transform[2, :2] + transform[2, 2]
    if (depth <= 1e-6).any():  # the horizon runs through the picture
        return None
    back = mapped(np.linalg.inv(transform), there)
    if not np.isfinite(back).all():
        return None
    area, polygon = opencv().intersectConvexConvex(here.astype(np.float32), _hull(back))
    return None if area <= 1 or polygon is None else polygon.reshape(-1, 2).astype(np.float64)


def _hull(points: np.ndarray) -> np.ndarray:
    return opencv().convexHull(points.astype(np.float32)).reshape(-1, 2)


def frame(
    a: Look,
    b: Look,
    transform: np.ndarray,
    side: int,
    *,
    on_black: bool = False,
    finer: bool = False,
    window: np.ndarray | None = None,
) -> Frame | None:
    """Lays two pictures over each other.

    Args:
        a: The one.
        b: The other.
        transform: From pixels of the one picture to those of the other, float64 (3, 3).
        side: The longer side of the grid, at most.
        on_black: What is transparent is seen on black, in place of white.
        finer: The grid is that of the finer picture, in place of the coarser one's.
        window: Only what lies around this point (2,) of the one picture: `side` pixels of the grid each way at most.

    Returns:
        The frame; None where the pictures do not overlap.
    """
    between = np.linalg.inv(b.to_full) @ transform @ a.to_full
    size_a, size_b = a.pixels.shape[1::-1], b.pixels.shape[1::-1]
    polygon = overlap(between, size_a, size_b)
    if polygon is None:
        return None
    middle = polygon.mean(0) if window is None else mapped(np.linalg.inv(a.to_full), window[np.newaxis])[0]
    if (density(between, middle) >= 1) != finer:
        laid = _laid(a, b, between, polygon, side, None if window is None else middle, on_black)
        if laid is None:
            return None
        first, second, valid, to_first, to_second = laid
        return Frame(first, second, valid, a.to_full @ to_first, b.to_full @ to_second)
    point = None if window is None else mapped(between, middle[np.newaxis])[0]
    laid = _laid(b, a, np.linalg.inv(between), mapped(between, polygon), side, point, on_black)
    if laid is None:
        return None
    second, first, valid, to_second, to_first = laid
    return Frame(first, second, valid, a.to_full @ to_first, b.to_full @ to_second)


_Laid = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _laid(
    base: Look, other: Look, between: np.ndarray, polygon: np.ndarray, side: int, point: np.ndarray | None, black: bool
) -> _Laid | None:
    """One picture's part under a polygon, and the other warped onto it; all in pixels of the looks."""
    cv2 = opencv()
    limits = np.array(base.pixels.shape[1::-1])
    low = np.clip(np.floor(polygon.min(0) + 1e-3).astype(int), 0, limits - 1)
    high = np.clip(np.ceil(polygon.max(0) - 1e-3).astype(int), low + 1, limits)
    if point is not None:
        low = np.maximum(low, np.floor(point - side / 2).astype(int))
        high = np.minimum(high, low + side)
        if (high - low < 8).any():
            return None
    span = high - low
    factor = min(1.0, side / span.max())
    if span.max() < LEAST_SIDE:
        factor = LEAST_SIDE / span.max()
    width, height = (max(1, round(value * factor)) for value in span)
    if min(width, height) < 8:
        return None
    to_base = np.array([[span[0] / width, 0, low[0]], [0, span[1] / height, low[1]], [0, 0, 1.0]])
    part = _part(base, to_base, (width, height), on_black=black)
    to_other = between @ to_base
    warped = _part(other, to_other, (width, height), on_black=black)
    inside = mapped(np.linalg.inv(to_base), polygon)
    valid = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(valid, np.rint(inside * 16 - 8).astype(np.int32), 255, shift=4)
    valid = cv2.erode(valid, np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8), borderValue=0)
    return part, warped, valid, to_base, to_other


_Pieces = tuple[np.ndarray, np.ndarray]


def on_pixels(a: Look, b: Look, transform: np.ndarray, point: np.ndarray, side: int, block: int) -> _Pieces | None:
    """Pieces of two pictures that lie pixel on pixel, on the grid of blocks of the second.

    Args:
        a: The one, as large as its picture.
        b: The other, likewise.
        transform: From pixels of the one to those of the other, float64 (3, 3): no more than whole pixels beside it,
            turned by quarters or mirrored.
        point: Around which the pieces are taken, in pixels of the one.
        side: Their sides in pixels, at most.
        block: Side of a block.

    Returns:
        Of the one and of the other, uint8 RGB (h, w, 3) each; None where they have too little in common.
    """
    ends = np.rint(mapped(transform, corners(a.width, a.height)))
    low = np.ceil(np.maximum(ends.min(0), 0) / block).astype(int) * block
    high = np.floor(np.minimum(ends.max(0), (b.width, b.height)) / block).astype(int) * block
    middle = mapped(transform, point[np.newaxis])[0]
    first = np.clip((middle - side / 2) // block * block, low, np.maximum(low, high - side)).astype(int)
    last = np.minimum(first + side, high)
    width, height = (int(value) for value in last - first)
    if min(width, height) < _LEAST_PIECE:
        return None
    shift = np.array([[1, 0, first[0]], [0, 1, first[1]], [0, 0, 1.0]])
    here = _part(a, np.linalg.inv(transform) @ shift, (width, height), colour=True)
    return here, np.ascontiguousarray(b.pixels[first[1] : last[1], first[0] : last[0]])


def coloured(found: Frame, a: Look, b: Look) -> Frame:
    """The same in RGB and half the size: what colours say does not need more, and costs three times as much."""
    height, width = found.valid.shape
    size = max(8, width // 2), max(8, height // 2)
    larger = np.diag([width / size[0], height / size[1], 1.0])
    to_a, to_b = found.to_a @ larger, found.to_b @ larger
    here, there = (
        _part(look, np.linalg.inv(look.to_full) @ to_picture, size, colour=True)
        for look, to_picture in ((a, to_a), (b, to_b))
    )
    valid = opencv().resize(found.valid, size, interpolation=opencv().INTER_NEAREST)
    return Frame(here, there, valid, to_a, to_b)


def without(found: Frame, places: Sequence[tuple[int, int, int, int]], of: Frame) -> Frame:
    """The frame without some boxes (x, y, width, height) in pixels of another frame of the same two pictures."""
    if not places:
        return found
    cv2 = opencv()
    between = np.linalg.inv(found.to_a) @ of.to_a
    valid = found.valid.copy()
    for x, y, width, height in places:
        around = mapped(between, corners(width, height) + np.array([x, y]))
        cv2.fillConvexPoly(valid, np.rint(around * 16 - 8).astype(np.int32), 0, shift=4)
    return replace(found, valid=valid)


def _part(
    look: Look, to_pixels: np.ndarray, size: tuple[int, int], *, colour: bool = False, on_black: bool = False
) -> np.ndarray:
    """A look on another grid; where it is much finer, from its pixels halved so often.

    Args:
        look: The look.
        to_pixels: From pixels of the grid to those of the look, float64 (3, 3), 0 being the edge.
        size: Width and height of the grid.
        colour: See `Look.halved`.
        on_black: See `frame`.
    """
    cv2 = opencv()
    finer = density(to_pixels, np.array(size) / 2)
    level = max(0, int(np.floor(np.log2(max(finer, 1e-6)) + 0.42)))  # linear interpolation blurs up to 1.5 pixels
    pixels = look.halved(level, colour=colour, on_black=on_black)
    if level:
        height, width = look.pixels.shape[:2]
        to_pixels = np.diag([pixels.shape[1] / width, pixels.shape[0] / height, 1.0]) @ to_pixels
        finer = density(to_pixels, np.array(size) / 2)
    straight = abs(to_pixels[0, 1]) + abs(to_pixels[1, 0]) + np.abs(to_pixels[2, :2]).sum() < 1e-9
    if straight and not 0.98 < finer < 1.02:
        box = _whole_box(to_pixels, size, pixels)
        if box is not None:
            left, top, right, bottom = box
            interpolation = cv2.INTER_AREA if finer > 1 else cv2.INTER_CUBIC
            return cv2.resize(np.ascontiguousarray(pixels[top:bottom, left:right]), size, interpolation=interpolation)
    centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    matrix = np.linalg.inv(centre) @ to_pixels @ centre
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if finer > _ENLARGED else cv2.INTER_CUBIC)
    if np.abs(matrix[2, :2]).max() < 1e-9 * abs(matrix[2, 2]):
        matrix = matrix[:2] / matrix[2, 2]
        return cv2.warpAffine(pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpPerspective(pixels, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _whole_box(to_pixels: np.ndarray, size: tuple[int, int], pixels: np.ndarray) -> tuple[int, int, int, int] | None:
    """The box of whole pixels that becomes the grid, where there is one: reducing it by area is exact then."""
    ends = mapped(to_pixels, np.array([(0, 0), size]))
    box = np.rint(ends)
    if np.abs(ends - box).max() > 0.02 or (box[1] <= box[0]).any():
        return None
    if (box[0] < 0).any() or (box[1] > pixels.shape[1::-1]).any():
        return None
    (left, top), (right, bottom) = box.astype(int)
    return int(left), int(top), int(right), int(bottom)


def drift(found: Frame) -> np.ndarray | None:
    """By how much the second picture lies beside the first: a homography from the grid to the grid.

    Corners of the one are followed into the other by optical flow (Lucas and Kanade 1981, in pyramids), on greys whose
    brightness and contrast were evened out.

    Returns:
        float64 (3, 3): what lies at x in the first lies at its image in the second; None where too few points agree.
    """
    cv2 = opencv()
    here, there = _evened(found.a), _evened(found.b)
    points = cv2.goodFeaturesToTrack(here, _POINTS, 0.01, 6, mask=found.valid)
    if points is None or len(points) < _LEAST_POINTS:
        return None
    moved, known, _ = cv2.calcOpticalFlowPyrLK(
        here,
        there,
        points,
        None,
        winSize=(_WINDOW, _WINDOW),
        maxLevel=2,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.02),
    )
    good = known.ravel() == 1
    if good.sum() < _LEAST_POINTS:
        return None
    here_points, there_points = (p.reshape(-1, 2)[good].astype(np.float64) + 0.5 for p in (points, moved))
    cv2.setRNGSeed(1)
    affine, inside = cv2.estimateAffine2D(
        here_points, there_points, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=500, confidence=0.99
    )
    best = None if affine is None else np.vstack([affine, (0, 0, 1)])
    agreeing = 0 if inside is None else int(inside.sum())
    if agreeing < 0.97 * len(here_points) and len(here_points) >= 2 * _LEAST_POINTS:
        matrix, inside = cv2.findHomography(here_points, there_points, cv2.RANSAC, _TOLERANCE, maxIters=500)
        if matrix is not None and inside.sum() > 1.05 * agreeing + 3:
            best, agreeing = matrix, int(inside.sum())
    return best if best is not None and agreeing >= _LEAST_POINTS else None


def _evened(grey: np.ndarray) -> np.ndarray:
    """Grey with local mean and contrast taken out, uint8."""
    cv2 = opencv()
    values = grey.astype(np.float32)
    size = max(grey.shape) // 16 | 1
    mean = cv2.blur(values, (size, size))
    values -= mean
    spread = np.sqrt(cv2.blur(values * values, (size, size)) + 16)
    return np.clip(values / spread * 40 + 128, 0, 255).astype(np.uint8)


def moved(found: Frame, a: Look, b: Look, by: np.ndarray, side: int, *, on_black: bool = False) -> Frame | None:
    """The frame anew after the second picture was found to lie beside the first, see `drift`."""
    return frame(a, b, normalised(found.to_b @ by @ np.linalg.inv(found.to_a)), side, on_black=on_black)
