"""Which of two pictures was saved first, by what lossy compression did to the other.

Who compresses the first of two anew, as the second was, gets the second, nearly to the bit, if that is how it was made.
Where that does not tell, as something else was done to a picture too, there are marks.


A picture that was compressed strongly and then saved anew, with little loss, has all the marks of the strong
compression; one that was compressed strongly last has marks that the other lacks. So what differs is compared with what
compressing would change.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from imgsim_ops.matching.differences import tone_curves, toned
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame

# The first two rows of the example table for brightness of the JPEG standard (ITU-T T.81, annex K).
_STANDARD = np.array([16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55])
# Shares of what compressing changes. With less, both have the marks of the stronger compression; where the other is
# lossless, only if it was decoded from that one, as what was compressed before hardly changes again. With much more,
# something else was done to one of them.
_INHERITED, _DECODED = 0.58, 0.2
_MORE = 1.5
_OFF_GRID = 4
# Compressing anew leaves less than this share of what differed. It is a fiftieth where nothing else was done, and
# everything where the JPEG was there first; deviations below that are of rounding.
_MADE = 0.5
_LEAST_CHANGE = 0.4


def quality_of(quantisation: int) -> int:
    """The quality, 1 to 100, at which the standard's table has this sum of its first 16 values."""
    sums = [
        int(np.clip((_STANDARD * (5000 / q if q < 50 else 200 - 2 * q) + 50) // 100, 1, 255).sum())
        for q in range(1, 101)
    ]
    return 1 + int(np.abs(np.array(sums) - quantisation).argmin())


def is_made_from(pixels: np.ndarray, jpeg: np.ndarray, quality: int) -> bool:
    """Whether a JPEG was made by compressing other pixels, perhaps after their tones were changed.

    Args:
        pixels: uint8 (h, w), the others in grey, where the JPEG shows the same.
        jpeg: uint8 (h, w), the JPEG in grey, from a corner of its blocks on.
        quality: Of the JPEG.
    """
    curve, _ = tone_curves(pixels, jpeg, np.full(pixels.shape, 255, np.uint8))
    for before in (pixels, toned(pixels, curve)):
        apart = _deviation(before, jpeg)
        if apart > _LEAST_CHANGE and _deviation(_compressed(before, quality), jpeg) < _MADE * apart:
            return True
    return False


def _compressed(grey: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _deviation(x: np.ndarray, y: np.ndarray) -> float:
    return float(opencv().norm(x, y, opencv().NORM_L2) / np.sqrt(x.size))


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
