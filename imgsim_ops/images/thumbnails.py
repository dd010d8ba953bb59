"""Small pictures of pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions

if TYPE_CHECKING:
    from imgsim_ops.images.strips import Strips

#: The longer side of pages' pictures, in pixels.
SIDE = 320
#: What `thumbnail` returns.
MEDIA_TYPE = "image/webp"

_QUALITY = 78
# The encoder's effort, of 6: from here on files hardly shrink, and the time doubles.
_EFFORT = 2
_BLOCK_BYTES = 1 << 20


def thumbnail(path: str, read: ReadOptions = ReadOptions(), *, side: int = SIDE, admit: Admit = admit_at_once) -> bytes:
    """A picture made small, upright, on white where it is transparent: a task of `images.readers`.

    Args:
        path: The file.
        read: How.
        side: The longer side, in pixels; smaller pictures keep their size.
        admit: See ``images.decode.decoded``.

    Returns:
        A WebP file.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with decoded(path, max_pixels=read.max_pixels, min_side=side, admit=admit) as picture:
        small = shrunk(picture, side, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=_QUALITY, method=_EFFORT)
    return file.getvalue()


def shrunk(picture: Strips, side: int, resample: Image.Resampling) -> Image.Image:
    """A picture made small.

    Args:
        picture: It is gone through.
        side: The longer side, in pixels; smaller pictures keep their size.
        resample: The filter of the last step.
    """
    width, height, longer = picture.width, picture.height, max(picture.width, picture.height)
    # To twice the size by plain means, which costs little and lets no large picture be held whole.
    factor = max(1, longer // picture.scale // (2 * side))
    small = Image.fromarray(np.concatenate(list(reduced(picture, factor))))
    if longer <= side:
        return small
    shrink = picture.scale * factor
    size = max(1, round(width * side / longer)), max(1, round(height * side / longer))
    return small.resize(size, resample, box=(0, 0, width / shrink, height / shrink))


def reduced(picture: Strips, factor: int) -> Iterator[np.ndarray]:
    """The picture from top to bottom, each pixel the mean of `factor` x `factor`, of fewer at the right and bottom."""
    left_over = np.empty((0, 0, 3), np.uint8)
    for strip in picture.strips:
        step = max(1, _BLOCK_BYTES // (3 * strip.shape[1]))
        for top in range(0, len(strip), step):
            block = strip[top : top + step]
            rows = np.concatenate([left_over, block]) if len(left_over) else block
            whole = len(rows) - len(rows) % factor
            if whole:
                yield np.asarray(Image.fromarray(rows[:whole]).reduce(factor))
            left_over = rows[whole:].copy()
    if len(left_over):
        yield np.asarray(Image.fromarray(left_over).reduce(factor))
