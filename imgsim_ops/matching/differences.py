"""What differs between two pictures that lie over each other, once sharpness, tone and colour are evened out.

A copy may be blurred, brighter, grey, full of blocks and noise: none of that is something else to see. So the sharper
picture is blurred to the other's sharpness, one curve maps the tones of one to the other's, one affine map the colours,
and what remains counts only where it lies outside of what a pixel's neighbours show, in both directions, and where
enough of it lies together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
# Fewer blocks say nothing.
_LEAST_BLOCKS = 4
# Structured blocks that correlate so agree.
_AGREEING = 0.6
# Blocks that correlate so do not differ, whatever their pixels say.
_ALIKE = 0.75
# A pixel differs by so many levels at full contrast, and so many times the median difference.
_LEVELS = 12.0
_TIMES_MEDIAN = 3.0
_CLEARLY = 40.0
# Whatever its neighbours show, a pixel differs clearly by so many levels, where that is so many times what one pixel in
# a thousand exceeds. (Half `tune`: six pixels of a block of a copy reach 3.5 times, of a changed digit 25 times.)
_STARKLY = 80.0
_TIMES_RARE = 5.0
_RARE = 0.001
# A block differs where more of its pixels do; where it does not correlate at all, a few are enough.
_SHARE = 1 / 8
_FEW = 3 / 256
# So many that differ clearly are a stroke of a letter: a 3 that became an 8.
_FEW_CLEAR = 5 / 256
#: An agreement from which on nothing is looked at twice, as long as no pixel differs.
CLEAN = 0.985
# Levels so near to one are that one.
_NEAR_LEVEL = 6
# Steps of blur, standard deviation in pixels.
_BLURS = (0.5, 0.8, 1.2, 1.8, 2.6, 3.8, 5.5, 8.0)
# Pixels of a band of rows; and from how many rows on bands are enough.
_BAND, _MANY_ROWS = 64, 600


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
        blur: How much the one, and the other, was blurred to be as sharp as the other one, in pixels of the frame.
        chroma: Mean colourfulness of the one, and of the other, in levels.
        hue: Places where the colours differ.
    """

    blocks: int
    structured: int
    agreement: float
    clusters: tuple[Cluster, ...]
    uncorrelated: tuple[Cluster, ...]
    blur: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[Cluster, ...] = ()

    def reversed(self) -> Comparison:
        """The same seen from the other picture."""
        return replace(self, blur=self.blur[::-1], chroma=self.chroma[::-1])

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
    inside = _sums(valid, block) > 252
    return correlation, np.sqrt(var_x), np.sqrt(var_y), inside


def _sums(plane: np.ndarray, block: int) -> np.ndarray:
    """Means of blocks that overlap by half."""
    cv2 = opencv()
    step = block // 2
    rows, columns = plane.shape[0] // step, plane.shape[1] // step
    whole = np.ascontiguousarray(plane[: rows * step, : columns * step])
    quarters = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    return (quarters[:-1, :-1] + quarters[1:, :-1] + quarters[:-1, 1:] + quarters[1:, 1:]) / 4


def agreement(found: Frame, block: int) -> tuple[float, int]:
    """Share of the structured blocks that correlate, and how many are structured: a first look that costs little."""
    cv2 = opencv()
    x, y = (cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.8) for grey in (found.a, found.b))
    correlation, std_x, std_y, inside = correlations(x, y, found.valid, block)
    scale_x, scale_y = _contrast(found.a, found.valid), _contrast(found.b, found.valid)
    structured = inside & (np.maximum(std_x / scale_x, std_y / scale_y) > _STRUCTURE)
    count = int(structured.sum())
    return (float((correlation[structured] > _AGREEING).mean()) if count >= _LEAST_BLOCKS else 0.0), count


def _contrast(plane: np.ndarray, valid: np.ndarray) -> float:
    # Of a quarter of the pixels, which say the same.
    some, inside = (np.ascontiguousarray(pixels[::2, ::2]) for pixels in (plane, valid))
    _, deviation = opencv().meanStdDev(some, mask=inside)
    return float(np.clip(deviation[0, 0] / _FULL_CONTRAST, 0.15, 1.0))


def compared(found: Frame, known: tuple[float, int], coloured: Frame | None = None) -> Comparison:
    """Looks for what differs.

    Args:
        found: Both pictures.
        known: What `agreement` said, of this size or another one.
        coloured: The same in RGB, see `frames.coloured`; None: colours are not looked at.
    """
    cv2 = opencv()
    valid = found.valid
    x8, y8 = found.a, found.b
    scale_x, scale_y = _contrast(x8, valid), _contrast(y8, valid)
    inside = _sums(valid, BLOCK) > 252
    hue, chroma = ((), (0.0, 0.0)) if coloured is None else _colours(coloured, inside)
    flagged, strong = _differing_shares(x8, y8, valid, scale_x, scale_y)
    if known[0] >= CLEAN and not ((flagged > _SHARE) | (strong > _FEW)).any():
        return Comparison(int(inside.sum()), known[1], known[0], (), (), (0.0, 0.0), chroma, hue)
    x, y, blur = equally_sharp(x8.astype(np.float32), y8.astype(np.float32), valid)
    # Noise correlates with nothing, and is finer than what is looked for.
    smooth_x, smooth_y = (cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in (x, y))
    correlation, std_x, std_y, inside = correlations(smooth_x, smooth_y, valid, BLOCK)
    structured = inside & (np.maximum(std_x / scale_x, std_y / scale_y) > _STRUCTURE)
    both = (np.minimum(std_x / scale_x, std_y / scale_y) > _STRUCTURE) & inside
    count = int(structured.sum())
    agreeing = structured & (correlation > _AGREEING)
    x8, y8 = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (x, y))
    flagged, strong = _differing_shares(x8, y8, valid, scale_x, scale_y)
    poorly = inside & (correlation < _ALIKE)
    # Where nothing correlates, a few pixels are enough; without any, highlights are lost, which is no difference.
    differing = ((flagged > _SHARE) & poorly) | ((flagged > _FEW) & structured & ~agreeing) | (strong > _FEW_CLEAR)
    return Comparison(
        int(inside.sum()), count, float(agreeing.sum() / count) if count else 0.0, _clusters(differing, both),
        _clusters(structured & ~agreeing, both), blur, chroma, hue,
    )  # fmt: skip


def _differing_shares(
    x: np.ndarray, y: np.ndarray, valid: np.ndarray, scale_x: float, scale_y: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each block the share of pixels that neither picture explains, and of those of which that is clear."""
    cv2 = opencv()
    there, back = tone_curves(x, y, valid)
    (of_y, clear_y), (of_x, clear_x) = (
        _unexplained(x, y, valid, there, scale_y),
        _unexplained(y, x, valid, back, scale_x),
    )
    return _sums(cv2.min(of_x, of_y), BLOCK) / 255, _sums(cv2.min(clear_x, clear_y), BLOCK) / 255


def equally_sharp(
    x: np.ndarray, y: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Blurs the sharper one in steps, as long as both become more alike."""
    cv2 = opencv()

    def fine(plane: np.ndarray, inside: np.ndarray) -> float:
        detail = plane - cv2.GaussianBlur(plane, (0, 0), 1.0)
        _, deviation = cv2.meanStdDev(detail, mask=inside)
        _, whole = cv2.meanStdDev(plane, mask=inside)
        return float(deviation[0, 0] / (whole[0, 0] + 1e-3))

    # How much is told by some of the rows, which takes a third of the time.
    some_x, some_y, some = (_some_rows(plane) for plane in (x, y, valid))
    sharper = fine(some_x, some) >= fine(some_y, some)
    sharp, soft = (some_x, some_y) if sharper else (some_y, some_x)
    inside = (some > 0).astype(np.float32)
    target = _band(soft) * inside
    best, sigma = _correlation(_band(sharp) * inside, target), 0.0
    for blur in _BLURS:
        alike = _correlation(_band(cv2.GaussianBlur(sharp, (0, 0), blur)) * inside, target)
        if alike <= best + 1e-4:
            break
        best, sigma = alike, blur
    if sigma and sharper:
        x = cv2.GaussianBlur(x, (0, 0), sigma)
    elif sigma:
        y = cv2.GaussianBlur(y, (0, 0), sigma)
    return x, y, (sigma, 0.0) if sharper else (0.0, sigma)


def _some_rows(plane: np.ndarray) -> np.ndarray:
    """All of a small plane; of a large one bands of rows from all over it."""
    if len(plane) < _MANY_ROWS:
        return plane
    bands = len(plane) // (3 * _BAND)
    return np.concatenate([plane[3 * _BAND * band : (3 * band + 1) * _BAND] for band in range(bands)])


def _band(plane: np.ndarray) -> np.ndarray:
    return plane - opencv().blur(plane, (15, 15))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.ravel(), y.ravel()
    return float(x @ y / (np.sqrt(float(x @ x) * float(y @ y)) + 1e-6))


def tone_curves(x: np.ndarray, y: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rising curves by which levels of x become levels of y, and back: medians, float32 (256,)."""
    joint = opencv().calcHist([x, y], [0, 1], valid, [256, 256], [0, 256, 0, 256])
    return _curve(joint), _curve(joint.T)


def toned(pixels: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Grey pixels, uint8 (h, w), with their tones changed by a curve."""
    return opencv().LUT(pixels, np.clip(np.rint(curve), 0, 255).astype(np.uint8))


def _curve(joint: np.ndarray) -> np.ndarray:
    sums = np.cumsum(joint, axis=1)
    totals = sums[:, -1]
    known = np.flatnonzero(totals >= max(4.0, 1e-4 * totals.sum()))
    if not len(known):
        return np.arange(256, dtype=np.float32)
    medians = (sums[known] < totals[known, np.newaxis] / 2).sum(1).astype(np.float32)
    rising = (np.maximum.accumulate(medians) + np.minimum.accumulate(medians[::-1])[::-1]) / 2
    return np.interp(np.arange(256), known, rising).astype(np.float32)


def _unexplained(
    x: np.ndarray, y: np.ndarray, valid: np.ndarray, curve: np.ndarray, contrast: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of y, uint8 0 or 255, whose neighbourhood does not have what x and the tone curve say; and clearly so."""
    cv2 = opencv()
    said = toned(x, curve)
    around = np.ones((3, 3), np.uint8)
    above, below = cv2.subtract(said, cv2.dilate(y, around)), cv2.subtract(cv2.erode(y, around), said)
    apart = cv2.max(above, below)
    plain = cv2.absdiff(said, y)
    # Of every other row: that says as much.
    sums = np.cumsum(cv2.calcHist([plain[::2]], [0], valid[::2], [256], [0, 256]).ravel())
    median, rare = (float(np.searchsorted(sums, share * sums[-1])) for share in (0.5, 1 - _RARE))
    least = max(_LEVELS, min(_TIMES_MEDIAN * median, _CLEARLY)) * contrast
    over, clearly = (cv2.threshold(apart, limit, 255, cv2.THRESH_BINARY)[1] for limit in (least, _CLEARLY * contrast))
    # A 3 and a 4 of ten pixels are explained by their neighbours: what no other edge comes near to is enough there.
    stark = cv2.threshold(plain, max(_STARKLY * contrast, _TIMES_RARE * rare), 255, cv2.THRESH_BINARY)[1]
    return cv2.bitwise_and(over, valid), cv2.bitwise_and(cv2.max(clearly, stark), valid)


def _clusters(differing: np.ndarray, rich: np.ndarray) -> tuple[Cluster, ...]:
    number, labels, boxes, _ = opencv().connectedComponentsWithStats(differing.astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, number):
        left, top, width, height, blocks = (int(value) for value in boxes[label])
        box = (left * _STEP, top * _STEP, (width + 1) * _STEP, (height + 1) * _STEP)
        found.append(Cluster(blocks, box, float(rich[labels == label].mean())))
    return tuple(sorted(found, key=lambda cluster: -cluster.blocks))


def evenness(found: Frame, place: Cluster) -> float:
    """Share of a place that has one level, in whichever picture that is larger: writing has a ground, pictures none."""
    x, y, width, height = place.box
    most = 0.0
    for pixels in (found.a, found.b):
        part = pixels[y : y + height, x : x + width]
        levels = np.bincount(part.ravel(), minlength=256)
        near = np.convolve(levels, np.ones(2 * _NEAR_LEVEL + 1), "same")
        most = max(most, float(near.max()) / part.size)
    return most


def lost(found: Frame, blur: tuple[float, float], *, grey: bool = False) -> tuple[float, float]:
    """Shares of the common part in which this picture is flat at the end of its scale, and the other one is not.

    Args:
        found: Both pictures in RGB at half the size, see `frames.coloured`.
        blur: How much each must be blurred to be as sharp as the other, in pixels of the whole size.
        grey: One of them is in grey: channels say nothing.
    """
    cv2 = opencv()
    around = np.ones((5, 5), np.uint8)
    planes = [cv2.cvtColor(plane, cv2.COLOR_RGB2GRAY) if grey else plane for plane in (found.a, found.b)]
    # What a blurred edge spills into white is not lost there.
    even = [cv2.GaussianBlur(p, (0, 0), s / 2) if s else p for p, s in zip(planes, blur, strict=True)]
    ranges = [cv2.subtract(cv2.dilate(pixels, around), cv2.erode(pixels, around)) for pixels in even]
    # Nor is noise that was added there.
    smooth = [cv2.GaussianBlur(pixels, (0, 0), 1.2) for pixels in even]
    lives = [cv2.subtract(cv2.dilate(pixels, around), cv2.erode(pixels, around)) for pixels in smooth]
    total = max(1, cv2.countNonZero(found.valid))
    shares = []
    for pixels, flat, lively in ((even[0], ranges[0], lives[1]), (even[1], ranges[1], lives[0])):
        at_end = cv2.bitwise_and(cv2.LUT(pixels, _AT_END), cv2.threshold(flat, 3, 255, cv2.THRESH_BINARY_INV)[1])
        at_end = cv2.bitwise_and(at_end, cv2.threshold(lively, _LIVELY, 255, cv2.THRESH_BINARY)[1])
        # A margin beside an edge is where compression and interpolation spill; what is lost is wider.
        wide = cv2.morphologyEx(cv2.bitwise_and(_any_channel(at_end), found.valid), cv2.MORPH_OPEN, around)
        shares.append(cv2.countNonZero(wide) / total)
    return shares[0], shares[1]


# Levels by which neighbours differ where something is shown, beyond noise and compression.
_LIVELY = 11
# Levels from which on a channel is at the end of its scale.
_AT_END = np.where((np.arange(256) <= 6) | (np.arange(256) >= 249), 255, 0).astype(np.uint8)


def _any_channel(mask: np.ndarray) -> np.ndarray:
    cv2 = opencv()
    if mask.ndim == 2:
        return mask
    one, two, three = cv2.split(mask)
    return cv2.max(cv2.max(one, two), three)


# --- colours ---------------------------------------------------------------------------------------------------------

# Blocks whose colour is off by so many levels once one map has been fitted to all.
_HUE_LEVELS = 22.0
_ROUNDS = 4
# Colourful, in levels; and the cosine of 55 degrees, by which hues turn in no copy that was measured.
_COLOURFUL = 24.0
_MOST_TURN = 0.57
# Where greys stay grey, no light and no filter has changed: then of 22 degrees. (Half `tune`: copies turn by 5 degrees,
# single blocks of palettes by more; things in another colour by 28 at least.)
_MOST_TURN_BY_GREYS = 0.93
_NEUTRAL = 10.0
_GREYS = 0.05
_GREYS_KEPT = 0.8


def _colours(found: Frame, inside: np.ndarray) -> tuple[tuple[Cluster, ...], tuple[float, float]]:
    """Where colours differ, in pixels of the whole size, and how colourful each is; of both at half the size."""
    one, other = (_of_blocks(pixels, inside.shape)[inside] for pixels in (found.a, found.b))
    chroma = [_colourfulness(c) for c in (one, other)]
    if len(one) < 16 or max(chroma) < 0.5:
        return (), (chroma[0], chroma[1])
    off = np.minimum(_off_colour(one, other), _off_colour(other, one))
    differs = np.zeros(inside.shape, bool)
    differs[inside] = (off > _HUE_LEVELS) | _turned_hue(one, other)
    if differs.any():
        # Where a channel is at its end, colours turn without anything else being shown.
        cv2 = opencv()
        clipped = cv2.max(*(_any_channel(cv2.LUT(pixels, _AT_END)) for pixels in (found.a, found.b)))
        differs &= _of_blocks(clipped, inside.shape) < 255 * _SHARE
    return _clusters(differs, np.ones_like(differs)), (chroma[0], chroma[1])


def _colourfulness(colours: np.ndarray) -> float:
    """Mean distance of RGB colours (N, 3) from greys, in levels, beyond one tint of them all."""
    if not len(colours):
        return 0.0
    grey = colours.mean(1)
    terms = np.stack([grey, np.ones_like(grey)], 1)
    tint, *_ = np.linalg.lstsq(terms, colours, rcond=None)
    return float(np.abs(colours - terms @ tint).mean())


def _of_blocks(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Means of as many blocks as the whole size has."""
    step = _STEP // 2
    lacking = [(0, max(0, (number + 1) * step - side)) for number, side in zip(shape, plane.shape, strict=False)]
    if any(after for _, after in lacking):  # an odd number of pixels was halved
        plane = np.pad(plane, [*lacking, *[(0, 0)] * (plane.ndim - 2)], mode="edge")
    return _sums(plane, BLOCK // 2)[: shape[0], : shape[1]]


def _turned_hue(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Blocks that are colourful in both, in colours that no copy turns into each other, bool (N,)."""
    planes = [np.stack([c[:, 0] - c[:, 1], c[:, 2] - (c[:, 0] + c[:, 1]) / 2], 1) for c in (one, other)]
    lengths = [np.linalg.norm(plane, axis=1) for plane in planes]
    cosine = (planes[0] * planes[1]).sum(1) / np.maximum(lengths[0] * lengths[1], 1e-6)
    greyest, least_grey = np.minimum(*lengths) < _NEUTRAL, np.maximum(*lengths) < _NEUTRAL
    kept = least_grey.sum() > max(_GREYS * len(one), _GREYS_KEPT * greyest.sum())
    return (np.minimum(*lengths) > _COLOURFUL) & (cosine < (_MOST_TURN_BY_GREYS if kept else _MOST_TURN))


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
