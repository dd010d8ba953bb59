"""Which of two pictures was saved first, by what lossy compression did to the other.

A picture that was compressed strongly and then saved anew, with little loss, has all the marks of the strong
compression; one that was compressed strongly last has marks that the other lacks. So what differs is compared with what
compressing would change.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from imgsim_ops.matching.differences import tone_curves
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


def quality_of(quantisation: int) -> int:
    """The quality, 1 to 100, at which the standard's table has this sum of its first 16 values."""
    sums = [
        int(np.clip((_STANDARD * (5000 / q if q < 50 else 200 - 2 * q) + 50) // 100, 1, 255).sum())
        for q in range(1, 101)
    ]
    return 1 + int(np.abs(np.array(sums) - quantisation).argmin())


def first_saved(found: Frame, quality: int, of_first: bool, *, lossless: bool, noisier: bool) -> int:
    """Which of two pictures was saved first.

    Args:
        found: Both pictures, pixels on pixels.
        quality: Of the JPEG that was compressed more strongly.
        of_first: It is the first of the two.
        lossless: The other one keeps every pixel that it was given.
        noisier: The other one has more noise: where much differs, that was added to it, unless it is lossless.

    Returns:
        1 for the first, -1 for the second.
    """
    strong, light = (found.a, found.b) if of_first else (found.b, found.a)
    curve, _ = tone_curves(strong, light, found.valid)
    inside = found.valid > 0
    differs = opencv().LUT(strong, np.clip(np.rint(curve), 0, 255).astype(np.uint8)).astype(np.float32) - light
    # Not on the grid of blocks that the picture may have been compressed in before: that would change next to nothing.
    light_there = np.ascontiguousarray(light[_OFF_GRID:, _OFF_GRID:])
    inside_there = inside[_OFF_GRID:, _OFF_GRID:]
    file = io.BytesIO()
    Image.fromarray(light_there).save(file, "JPEG", quality=quality)
    changed = np.asarray(Image.open(file)).astype(np.float32) - light_there
    gain = float(np.clip(np.diff(curve)[20:235].mean(), 0.5, 3.0))
    expected = float(np.sqrt((changed[inside_there] ** 2).mean())) * gain + 0.3
    share = float(np.sqrt((differs[inside] ** 2).mean())) / expected
    sign = 1 if of_first else -1
    if share < (_DECODED if lossless else _INHERITED) or (share > _MORE and noisier and not lossless):
        return sign
    return -sign
