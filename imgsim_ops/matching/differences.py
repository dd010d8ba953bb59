"""What differs between two pictures that lie over each other, once sharpness, tone and colour are evened out.

A copy may be blurred, brighter, grey, full of blocks and noise: none of that is something else to see. So the sharper
picture is blurred to the other's sharpness, one curve maps the tones of one to the other's, one affine map the colours,
and what remains counts only where it lies outside of what a pixel's neighbours show, in both directions, and where
enough of it lies together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame

#: Side of a block, in pixels of the frame; blocks overlap by half.
BLOCK = 16
_STEP = BLOCK // 2

# A block is structured from this deviation on, in levels of a picture of full contrast.
_STRUCTURE = 6.0
# Full contrast: the deviation of all pixels.
_FULL_CONTRAST = 50.0
# Structured blocks that correlate so agree.
_AGREEING = 0.6
# Blocks that correlate so do not differ, whatever their pixels say.
_ALIKE = 0.75
# A pixel differs by so many levels at full contrast, and so many times the median difference.
_LEVELS = 12.0
_TIMES_MEDIAN = 3.0
# A block differs where more of its pixels do.
_SHARE = 1 / 8
# Steps of blur, standard deviation in pixels.
_BLURS = (0.5, 0.8, 1.2, 1.8, 2.6, 3.8, 5.5, 8.0)


@dataclass(frozen=True, eq=False)
class Cluster:
    """Differing blocks that lie together.

    Attributes:
        blocks: How many.
        box: x, y, width and height in pixels of the frame.
        rich: Share of its blocks that are structured in both pictures: another picture, in place of writing over one.
    """

    blocks: int
    box: tuple[int, int, int, int]
    rich: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """What two pictures that lie over each other have in common.

    Attributes:
        blocks: Blocks inside the overlap.
        structured: How many of them show something, in either picture.
        agreement: Share of the structured ones that correlate, 0 to 1; 0 where there are none.
        clusters: Places that differ, the largest first.
        uncorrelated: Places that are structured and do not correlate, the largest first: another picture in a frame.
        unexplained: Share of the structured blocks of the one, and of the other, that the other picture's tones do not
            explain: where highlights are lost in a brightened copy, say.
        blur: How much the one, and the other, was blurred to be as sharp as the other one, in pixels of the frame.
        chroma: Mean colourfulness of the one, and of the other, in levels.
        hue: Places where the colours differ.
    """

    blocks: int
    structured: int
    agreement: float
    clusters: tuple[Cluster, ...]
    uncorrelated: tuple[Cluster, ...]
    unexplained: tuple[float, float]
    blur: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[Cluster, ...] = ()

    @property
    def largest(self) -> int:
        """Blocks of the largest place that differs."""
        return self.clusters[0].blocks if self.clusters else 0


def correlations(x: np.ndarray, y: np.ndarray, valid: np.ndarray, block: int) -> tuple[np.ndarray, ...]:
    """Of blocks that overlap by half: correlation, both deviations, and whether they lie inside; (rows, columns) each.

    Args:
        x: float32 (h, w).
        y: Likewise.
        valid: uint8 (h, w), 255 inside.
        block: Side in pixels.
    """
    sums = [_sums(plane, block) for plane in (x, y, x * x, y * y, x * y)]
    mean_x, mean_y, xx, yy, xy = sums
    var_x, var_y = np.maximum(xx - mean_x * mean_x, 0), np.maximum(yy - mean_y * mean_y, 0)
    correlation = (xy - mean_x * mean_y) / np.sqrt(var_x * var_y + 1e-3)
    inside = _sums((valid > 0).astype(np.float32), block) > 0.99
    return correlation, np.sqrt(var_x), np.sqrt(var_y), inside


def _sums(plane: np.ndarray, block: int) -> np.ndarray:
    """Means of blocks that overlap by half."""
    cv2 = opencv()
    step = block // 2
    rows, columns = plane.shape[0] // step, plane.shape[1] // step
    quarters = cv2.resize(
        np.ascontiguousarray(plane[: rows * step, : columns * step]), (columns, rows), interpolation=cv2.INTER_AREA
    )
    return (quarters[:-1, :-1] + quarters[1:, :-1] + quarters[:-1, 1:] + quarters[1:, 1:]) / 4


def agreement(found: Frame, block: int) -> float:
    """Share of the structured blocks that correlate: a first look that costs little."""
    x, y = (opencv().GaussianBlur(grey.astype(np.float32), (0, 0), 0.8) for grey in found.greys)
    correlation, std_x, std_y, inside = correlations(x, y, found.valid, block)
    scale_x, scale_y = _contrast(x, found.valid), _contrast(y, found.valid)
    structured = inside & (np.maximum(std_x / scale_x, std_y / scale_y) > _STRUCTURE)
    return float((correlation[structured] > _AGREEING).mean()) if structured.sum() >= 4 else 0.0


def _contrast(plane: np.ndarray, valid: np.ndarray) -> float:
    _, deviation = opencv().meanStdDev(plane, mask=valid)
    return float(np.clip(deviation[0, 0] / _FULL_CONTRAST, 0.15, 1.0))


def compared(found: Frame, known: float | None = None) -> Comparison:
    """Looks for what differs.

    Args:
        found: Both pictures.
        known: The agreement, where another size has said it: then, as long as nothing differs, no more is looked at.
    """
    cv2 = opencv()
    valid = found.valid
    x8, y8 = found.greys
    scale_x, scale_y = _contrast(x8, valid), _contrast(y8, valid)
    if known is not None:
        flagged, _ = _differing_shares(x8, y8, valid, scale_x, scale_y)
        if not (flagged > _SHARE).any():
            inside = int((_sums((valid > 0).astype(np.float32), BLOCK) > 0.99).sum())
            return Comparison(inside, inside, known, (), (), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    x, y, blur = equally_sharp(x8.astype(np.float32), y8.astype(np.float32), valid)
    # Noise correlates with nothing, and is finer than what is looked for.
    correlation, std_x, std_y, inside = correlations(*(cv2.GaussianBlur(p, (0, 0), 1.0) for p in (x, y)), valid, BLOCK)
    structured = inside & (np.maximum(std_x / scale_x, std_y / scale_y) > _STRUCTURE)
    both = (np.minimum(std_x / scale_x, std_y / scale_y) > _STRUCTURE) & inside
    count = int(structured.sum())
    agreeing = structured & (correlation > _AGREEING)
    x8, y8 = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (x, y))
    flagged, sides = _differing_shares(x8, y8, valid, scale_x, scale_y)
    poorly = inside & (correlation < _ALIKE)
    clusters = _clusters((flagged > _SHARE) & poorly, both)
    unexplained = [float((structured & (share > _SHARE) & poorly).sum() / max(1, count)) for share in sides]
    hue, chroma = _colours(found)
    return Comparison(
        int(inside.sum()), count, float(agreeing.sum() / count) if count else 0.0, clusters,
        _clusters(structured & ~agreeing, both), (unexplained[0], unexplained[1]), blur, chroma, hue,
    )  # fmt: skip


def _differing_shares(
    x: np.ndarray, y: np.ndarray, valid: np.ndarray, scale_x: float, scale_y: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Of each block the share of pixels that neither picture explains, and of those of x, and of y, alone."""
    of_y, of_x = _unexplained(x, y, valid, scale_y), _unexplained(y, x, valid, scale_x)
    both, *sides = (_sums(plane.astype(np.float32), BLOCK) for plane in (opencv().min(of_x, of_y), of_x, of_y))
    return both, sides


def equally_sharp(x: np.ndarray, y: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Blurs the sharper one in steps, as long as both become more alike."""
    cv2 = opencv()

    def fine(plane: np.ndarray) -> float:
        detail = plane - cv2.GaussianBlur(plane, (0, 0), 1.0)
        _, deviation = cv2.meanStdDev(detail, mask=valid)
        _, whole = cv2.meanStdDev(plane, mask=valid)
        return float(deviation[0, 0] / (whole[0, 0] + 1e-3))

    sharper = fine(x) >= fine(y)
    sharp, soft = (x, y) if sharper else (y, x)
    target = _band(soft)
    best, kept, sigma = _correlation(_band(sharp), target, valid), sharp, 0.0
    for blur in _BLURS:
        blurred = cv2.GaussianBlur(sharp, (0, 0), blur)
        alike = _correlation(_band(blurred), target, valid)
        if alike <= best + 1e-4:
            break
        best, kept, sigma = alike, blurred, blur
    return (kept, y, (sigma, 0.0)) if sharper else (x, kept, (0.0, sigma))


def _band(plane: np.ndarray) -> np.ndarray:
    return plane - opencv().blur(plane, (15, 15))


def _correlation(x: np.ndarray, y: np.ndarray, valid: np.ndarray) -> float:
    inside = (valid > 0).astype(np.float32)
    x, y = x * inside, y * inside
    return float((x * y).sum() / (np.sqrt(float((x * x).sum()) * float((y * y).sum())) + 1e-6))


def tone_curve(x: np.ndarray, y: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The rising curve by which levels of x become levels of y: medians, float32 (256,)."""
    joint = opencv().calcHist([x, y], [0, 1], valid, [256, 256], [0, 256, 0, 256])
    sums = np.cumsum(joint, axis=1)
    totals = sums[:, -1]
    known = np.flatnonzero(totals >= max(4.0, 1e-4 * totals.sum()))
    if not len(known):
        return np.arange(256, dtype=np.float32)
    medians = (sums[known] < totals[known, np.newaxis] / 2).sum(1).astype(np.float32)
    rising = (np.maximum.accumulate(medians) + np.minimum.accumulate(medians[::-1])[::-1]) / 2
    return np.interp(np.arange(256), known, rising).astype(np.float32)


def _unexplained(x: np.ndarray, y: np.ndarray, valid: np.ndarray, contrast: float) -> np.ndarray:
    """Pixels of y, uint8 0 or 1, whose neighbourhood does not have what x and the tone curve say."""
    cv2 = opencv()
    said = cv2.LUT(x, np.clip(np.rint(tone_curve(x, y, valid)), 0, 255).astype(np.uint8))
    around = np.ones((3, 3), np.uint8)
    above, below = cv2.subtract(said, cv2.dilate(y, around)), cv2.subtract(cv2.erode(y, around), said)
    apart = cv2.max(above, below)
    plain = cv2.absdiff(said, y)
    histogram = cv2.calcHist([plain], [0], valid, [256], [0, 256]).ravel()
    median = float(np.searchsorted(np.cumsum(histogram), histogram.sum() / 2))
    least = max(_LEVELS * contrast, _TIMES_MEDIAN * median * contrast)
    _, over = cv2.threshold(apart, least, 1, cv2.THRESH_BINARY)
    return cv2.bitwise_and(over, valid)


def _clusters(differing: np.ndarray, rich: np.ndarray) -> tuple[Cluster, ...]:
    number, labels, boxes, _ = opencv().connectedComponentsWithStats(differing.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, number):
        left, top, width, height, blocks = (int(value) for value in boxes[label])
        box = (left * _STEP, top * _STEP, (width + 1) * _STEP, (height + 1) * _STEP)
        found.append(Cluster(blocks, box, float(rich[labels == label].mean())))
    return tuple(sorted(found, key=lambda cluster: -cluster.blocks))


def lost(found: Frame, blur: tuple[float, float]) -> tuple[float, float]:
    """Shares of the common part in which the one, and the other, is flat at the end of its scale, the other picture not.

    Args:
        found: Both pictures.
        blur: How much each must be blurred to be as sharp as the other.
    """
    cv2 = opencv()
    around = np.ones((5, 5), np.uint8)
    # What a blurred edge spills into white is not lost there.
    even = [cv2.GaussianBlur(p, (0, 0), sigma) if sigma else p for p, sigma in zip(found.greys, blur, strict=True)]
    ranges = [cv2.subtract(cv2.dilate(grey, around), cv2.erode(grey, around)) for grey in even]
    inside = found.valid > 0
    shares = []
    for (grey, flat), lively in zip(zip(even, ranges, strict=True), ranges[::-1], strict=True):
        at_end = ((grey <= 6) | (grey >= 249)) & (flat <= 3) & (lively >= 12) & inside
        shares.append(float(at_end.sum() / max(1, inside.sum())))
    return shares[0], shares[1]


# --- colours ---------------------------------------------------------------------------------------------------------

# Blocks whose colour is off by so many levels once one map has been fitted to all.
_HUE_LEVELS = 22.0
_ROUNDS = 4


def _colours(found: Frame) -> tuple[tuple[Cluster, ...], tuple[float, float]]:
    """Where colours differ, and how colourful each is."""
    planes = [np.stack([_sums(plane, BLOCK) for plane in np.moveaxis(pixels.astype(np.float32), 2, 0)], -1) for pixels in (found.a, found.b)]
    inside = _sums((found.valid > 0).astype(np.float32), BLOCK) > 0.99
    one, other = (plane[inside] for plane in planes)
    chroma = [float(np.abs(c - c.mean(1, keepdims=True)).mean()) if len(c) else 0.0 for c in (one, other)]
    if len(one) < 16 or max(chroma) < 0.5:
        return (), (chroma[0], chroma[1])
    off = np.minimum(_off_colour(one, other), _off_colour(other, one))
    differs = np.zeros(inside.shape, bool)
    differs[inside] = off > _HUE_LEVELS
    if differs.any():
        # Where a channel is at its end, colours turn without anything else being shown.
        clipped = np.maximum(_clipped(found.a), _clipped(found.b))
        differs &= _sums(clipped.astype(np.float32), BLOCK) < _SHARE
    return _clusters(differs, np.ones_like(differs)), (chroma[0], chroma[1])


def _clipped(pixels: np.ndarray) -> np.ndarray:
    return ((pixels < 6) | (pixels > 249)).any(2)


def _off_colour(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far the chroma of blocks is from where one affine map of colours puts it, levels (N,)."""
    terms = np.concatenate([one, np.full((len(one), 1), 100)], 1).astype(np.float64)
    target = other - other.mean(1, keepdims=True)
    weights = np.ones(len(one))
    for _ in range(_ROUNDS):
        weighted = terms * weights[:, np.newaxis]
        normal = weighted.T @ terms + np.eye(4)
        solution = np.linalg.solve(normal, weighted.T @ target)
        apart = np.abs(terms @ solution - target).max(1)
        weights = 1 / np.maximum(apart, 2.0)
    return apart
