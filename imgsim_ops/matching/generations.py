"""Which of two pictures was saved first, by what lossy compression did to the other.

Who compresses the first of two anew, as the second was, gets the second, nearly to the bit, if that is how it was made.
Where that does not tell, as something else was done to a picture too, there are marks.

A picture that was compressed strongly and then saved anew, with little loss, has all the marks of the strong
compression; one that was compressed strongly last has marks that the other lacks. So what differs is compared with what
compressing would change.
"""

from __future__ import annotations

import io
from enum import IntEnum

import numpy as np
from PIL import Image

from imgsim_ops.matching.differences import tone_curves, toned
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame

# The first two rows of the example table for brightness of the JPEG standard (ITU-T T.81, annex K).
_STANDARD = np.array([16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55])
_QUALITIES = np.arange(1, 101)[:, np.newaxis]
_SCALES = np.where(_QUALITIES < 50, 5000 / _QUALITIES, 200 - 2 * _QUALITIES)
# Of these values at the qualities 1 to 100.
_SUMS = np.clip((_STANDARD * _SCALES + 50) // 100, 1, 255).sum(1)
# Shares of what compressing changes. With less, both have the marks of the stronger compression; where the other is
# lossless, only if it was decoded from that one, as what was compressed before hardly changes again. With much more,
# something else was done to one of them.
_INHERITED, _DECODED = 0.58, 0.2
_MORE = 1.5
_OFF_GRID = 4
# Compressing anew leaves less than this share of what differed: a fiftieth where nothing else was done, everything
# where the JPEG was there first. Where tones were changed before, they are never evened out exactly: half (0.4 to 0.84
# in the half `tune`, 1 and more the other way round).
_SURELY_MADE, _MADE, _MADE_TONED = 0.25, 0.5, 0.75
_LEAST_CHANGE = 0.4  # levels; deviations below that are of rounding
# What was made from the JPEG, and saved with less loss, comes back to it too; but it differs by less of what
# compressing changes than this.
_MUCH_CHANGED, _MUCH_CHANGED_TONED = 0.4, 0.5
# How what compressing a part of a picture as WebP changes correlates with what differs, and what share of it it is.
# (Half `tune`: of files that were made so all but 2 of 100; the other way round 15, most of which `made_from` tells.)
_ALIKE, _AS_MUCH = 0.3, (0.84, 1.1)
# So much of what differs must evening out the tones take away to be worth it.
_TONED = 0.75
# Levels to both ends of the scale at which a pixel says nothing of tones; pixels that tell them; and that many blocks.
_ENDS = 4
_TELLING = 500
_LEAST_BLOCKS = 12
_EVERY = 3  # of the pixels that tell them are enough


def quality_of(quantisation: int) -> int:
    """The quality, 1 to 100, at which the standard's table has this sum of its first 16 values."""
    return 1 + int(np.abs(_SUMS - quantisation).argmin())


class Made(IntEnum):
    """Whether one picture was made from another."""

    NO = 0
    LIKELY = 1
    SURELY = 2


def made_from(pixels: np.ndarray, jpeg: np.ndarray, quality: int) -> Made:
    """Whether a JPEG was made by compressing other pixels, perhaps after their tones were changed.

    Args:
        pixels: uint8 RGB (h, w, 3), the others, where the JPEG shows the same; whole blocks of eight.
        jpeg: Likewise, the JPEG.
        quality: Of the JPEG.
    """
    cv2 = opencv()
    before, after = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (pixels, jpeg))
    apart = _deviation(before, after)
    if apart <= _LEAST_CHANGE:
        return Made.NO
    left = _deviation(_compressed(before, quality), after)
    if left < _SURELY_MADE * apart:
        return Made.SURELY
    if left < _MADE * apart:
        return Made.LIKELY if apart > _MUCH_CHANGED * _change(before, quality) else Made.NO
    telling = _telling(pixels, jpeg)
    blocks = cv2.erode(telling, np.ones((8, 8), np.uint8), anchor=(0, 0), borderValue=0)[::8, ::8] > 0
    if cv2.countNonZero(telling) < _TELLING or blocks.sum() < _LEAST_BLOCKS:
        return Made.NO
    evened = _as_toned(pixels, after, telling > 0)
    apart = _deviation(evened, after, blocks)
    if not _LEAST_CHANGE < apart < _TONED * _deviation(before, after, blocks):
        return Made.NO
    left = _deviation(_compressed(evened, quality), after, blocks)
    return Made(int(left < _MADE_TONED * apart and apart > _MUCH_CHANGED_TONED * _change(evened, quality, blocks)))


def made_from_as_webp(pixels: np.ndarray, webp: np.ndarray, quality: int) -> Made:
    """Whether a WebP file was made by compressing other pixels, perhaps after their tones were changed.

    Surely, if all of them come out the same, as libwebp does the same each time. A part of them never does, as its
    blocks depend on all that is beside them, nor do those that another encoder compressed; but what compressing changes
    is like what differs, and as much.

    Args:
        pixels: uint8 RGB (h, w, 3): all of the others, or a part, from a multiple of 16 pixels on.
        webp: Likewise, of the file.
        quality: Of the file.
    """
    cv2 = opencv()
    apart = _deviation(pixels, webp)
    if apart <= _LEAST_CHANGE:
        return Made.NO
    again = _compressed_as_webp(pixels, quality)
    if _deviation(again, webp) < _SURELY_MADE * apart:
        return Made.SURELY
    before, after, changed = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (pixels, webp, again))
    if _is_change(before, after, changed):
        return Made.LIKELY
    telling = _telling(pixels, webp)
    if cv2.countNonZero(telling) < _TELLING:
        return Made.NO
    evened = _as_toned(pixels, after, telling > 0)
    if _deviation(evened, after) > _TONED * _deviation(before, after):
        return Made.NO
    changed = cv2.cvtColor(_compressed_as_webp(cv2.merge([evened] * 3), quality), cv2.COLOR_RGB2GRAY)
    return Made.LIKELY if _is_change(evened, after, changed, telling > 0) else Made.NO


def _telling(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pixels that tell how tones were changed, uint8 0 or 255 (h, w): no channel of either picture is at an end."""
    return opencv().bitwise_and(*(opencv().inRange(rgb, (_ENDS,) * 3, (255 - _ENDS,) * 3) for rgb in (x, y)))


def _is_change(before: np.ndarray, after: np.ndarray, changed: np.ndarray, where: np.ndarray | None = None) -> bool:
    """Whether what differs between greys is what compressing changes, uint8 (h, w); perhaps only in some places."""
    inside = np.ones(before.shape, bool) if where is None else where
    before, after, changed = (grey[inside].astype(np.float32) for grey in (before, after, changed))
    differs, changes = after - before, changed - before
    much = float(differs.std()), float(changes.std())
    if min(much) <= _LEAST_CHANGE or not _AS_MUCH[0] < much[1] / much[0] < _AS_MUCH[1]:
        return False
    alike = (float(differs @ changes) / differs.size - float(differs.mean() * changes.mean())) / (much[0] * much[1])
    return alike > _ALIKE


def _compressed_as_webp(rgb: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _as_toned(pixels: np.ndarray, like: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Pixels in RGB as greys whose brightness, contrast and balance are those of other greys, uint8 (h, w)."""
    flat = pixels.reshape(-1, 3)
    told = np.flatnonzero(where)[::_EVERY]
    terms = np.concatenate([flat[told], np.full((len(told), 1), 255)], 1).astype(np.float64)
    weighted, target = terms, like.ravel()[told].astype(np.float64)
    for _ in range(2):  # the second time those that are far off, as they were changed otherwise, count for less
        solution = np.linalg.solve(weighted.T @ terms + 1e-3 * np.eye(4), weighted.T @ target)
        off = np.abs(terms @ solution - target)
        weighted = terms / np.maximum(off, max(1.0, float(np.median(off))))[:, np.newaxis]
    matrix = np.array([[*solution[:3], 255 * solution[3]]])
    return opencv().transform(pixels, matrix).reshape(pixels.shape[:2])


def _change(grey: np.ndarray, quality: int, blocks: np.ndarray | None = None) -> float:
    """By how much compressing changes greys, in levels, off the grid of blocks they may have been compressed in."""
    changed = grey.copy()
    off = np.ascontiguousarray(grey[_OFF_GRID:, _OFF_GRID:])
    changed[_OFF_GRID:, _OFF_GRID:] = _compressed(off, quality)
    return _deviation(changed, grey, blocks)


def _compressed(grey: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _deviation(x: np.ndarray, y: np.ndarray, blocks: np.ndarray | None = None) -> float:
    """Of two greys from each other, in levels; perhaps only in some blocks of eight, bool."""
    if blocks is None:
        return float(opencv().norm(x, y, opencv().NORM_L2) / np.sqrt(x.size))
    rows, columns = blocks.shape
    squares = opencv().absdiff(x, y).astype(np.float32) ** 2
    return float(np.sqrt(squares.reshape(rows, 8, columns, 8).mean((1, 3))[blocks].mean()))


def first_saved(found: Frame, quality: int, of_first: bool, *, lossless: bool, noisier: bool) -> int:
    """Which of two pictures was saved first.

    Args:
        found: Both pictures, pixels on pixels.
        quality: Of the JPEG that was compressed more strongly.
        of_first: It is the first of the two.
        lossless: The other one keeps every pixel that it was given.
        noisier: The other one has more noise: where much differs, that was added to it, unless it is lossless.

    Returns:
        1 for the first, -1 for the second, 0 where nothing is left to look at.
    """
    strong, light = (found.a, found.b) if of_first else (found.b, found.a)
    curve, _ = tone_curves(strong, light, found.valid)
    inside = found.valid > 0
    differs = toned(strong, curve).astype(np.float32) - light
    # Not on the grid of blocks that the picture may have been compressed in before: that would change next to nothing.
    light_there = np.ascontiguousarray(light[_OFF_GRID:, _OFF_GRID:])
    inside_there = inside[_OFF_GRID:, _OFF_GRID:]
    if not inside_there.any():
        return 0
    changed = _compressed(light_there, quality).astype(np.float32) - light_there
    gain = float(np.clip(np.diff(curve)[20:235].mean(), 0.5, 3.0))
    expected = float(np.sqrt((changed[inside_there] ** 2).mean())) * gain + 0.3
    share = float(np.sqrt((differs[inside] ** 2).mean())) / expected
    sign = 1 if of_first else -1
    if share < (_DECODED if lossless else _INHERITED) or (share > _MORE and noisier and not lossless):
        return sign
    return -sign
