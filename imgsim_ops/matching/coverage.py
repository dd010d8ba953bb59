"""What a picture shows beyond what another one covers of it, and whether the covered part was cut out or put there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.looks import Look

# The picture is looked at in this size, in blocks of so many pixels a side.
_SIDE = 384
_BLOCK = 8
# Deviation of a block that shows something, in levels, and the share of a block that must lie beyond.
_STRUCTURE = 4.0
_BEYOND = 0.9
# Along a rim, pixels to both sides are this far apart.
_APART = 3
_SAMPLES = 64
# Covered to this share, nothing lies beyond.
_ALL = 0.995
# A rim breaks where the step across it is so many times the steps beside it, and so many levels more.
_TIMES = 2.0
_LEVELS = 5.0
# Share of such a rim at which something ends; drawings that are cut out closely touch the rim here and there.
_ENDS = 0.4
# Deviation along a rim, in levels, of what is as flat as a page.
_FLAT = 2.0


@dataclass(frozen=True)
class Beyond:
    """What lies beyond the covered part of a picture.

    Attributes:
        covered: Share of the picture that is covered, 0 to 1.
        shown: Share of the picture that lies beyond and shows something: no flat border.
        breaks: Share of the rim, where there is something beyond, at which lines do not go on: a frame around the
            picture, in place of more of it.
    """

    covered: float
    shown: float
    breaks: float


def beyond(look: Look, polygon: np.ndarray) -> Beyond:
    """What lies beyond a polygon.

    Args:
        look: The picture.
        polygon: What is covered, float64 (N, 2), convex, in pixels of the picture.
    """
    cv2 = opencv()
    width, height = look.width, look.height
    x, y = polygon[:, 0], polygon[:, 1]
    area = 0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / (width * height)
    if area > _ALL:
        return Beyond(min(area, 1.0), 0.0, 0.0)
    factor = _SIDE / max(height, width)
    size = [max(_BLOCK, round(value * factor)) for value in (width, height)]
    grey = cv2.resize(look.reduced(_SIDE), size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    corners = polygon * (np.array(size) / (width, height))
    inside = np.zeros(grey.shape, np.uint8)
    # A pixel more, as alignments are never exact.
    cv2.fillConvexPoly(inside, np.rint(corners * 16 - 8).astype(np.int32), 1, shift=4)
    covered = float(inside.mean())
    outside = 1 - cv2.dilate(inside, np.ones((5, 5), np.uint8))
    if not outside.any():
        return Beyond(covered, 0.0, 0.0)
    mean, square, share = (
        cv2.blur(plane, (_BLOCK, _BLOCK), borderType=cv2.BORDER_REFLECT)[:: _BLOCK // 2, :: _BLOCK // 2]
        for plane in (grey, grey * grey, outside.astype(np.float32))
    )
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    shown = (share > _BEYOND) & (deviation > _STRUCTURE)
    return Beyond(covered, float(shown.mean()), _breaks(grey, corners))


def _breaks(grey: np.ndarray, corners: np.ndarray) -> float:
    """Share of the rim inside the picture at which the picture does not go on."""
    height, width = grey.shape
    centre = corners.mean(0)
    broken = whole = 0.0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = np.linalg.norm(end - start)
        if length < 4:
            continue
        points = start + (end - start) * ((np.arange(_SAMPLES) + 0.5) / _SAMPLES)[:, np.newaxis]
        normal = np.array([(end - start)[1], -(end - start)[0]]) / length
        if normal @ (points.mean(0) - centre) < 0:
            normal = -normal
        steps = [points + normal * distance for distance in (-2.5 * _APART, -_APART, _APART, 2.5 * _APART)]
        far = steps[-1]
        there = (far >= 1).all(1) & (far[:, 0] < width - 1) & (far[:, 1] < height - 1) & (steps[0] >= 1).all(1)
        there &= (steps[0][:, 0] < width - 1) & (steps[0][:, 1] < height - 1)
        if there.sum() < 8:
            continue
        values = [_at(grey, step[there]) for step in steps]
        across = np.abs(values[2] - values[1]).mean()
        beside = max(np.abs(values[1] - values[0]).mean(), np.abs(values[3] - values[2]).mean())
        inner, outer = float(values[1].std()), float(values[2].std())
        # Where pictures were cut out, what lies just outside is not as flat as a page.
        ends = float((np.abs(values[2] - values[1]) > _LEVELS).mean())
        framed = outer < _FLAT and inner > _TIMES * _FLAT and ends > _ENDS
        if framed or across > _TIMES * beside + _LEVELS:
            broken += length * there.mean()
        elif max(inner, outer) < _FLAT:
            continue  # nothing is there that might go on
        whole += length * there.mean()
    return float(broken / whole) if whole else 0.0


def _at(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = (np.ascontiguousarray(points[:, axis : axis + 1] - 0.5, np.float32) for axis in range(2))
    return opencv().remap(grey, x, y, opencv().INTER_LINEAR).ravel()
