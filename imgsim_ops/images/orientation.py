"""The EXIF orientation, and pictures brought upright a strip at a time, so that no second copy of them is needed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageFile

_ORIENTATION = 0x0112
# What undoes each value of the EXIF tag Orientation (CIPA DC-008, "Orientation"); 1 needs nothing.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
# Those whose upright rows from the top are stored rows from the bottom, or stored columns from the right.
_FROM_THE_END = (
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
_STRIP_BYTES = 1 << 20

Box = tuple[int, int, int, int]


def orientations_asked(flips: bool, rotations: bool) -> tuple[int, ...]:
    """EXIF's numbers of a picture as it is and mirrored, turned by quarters of a circle, or both: all eight."""
    if flips and rotations:
        return tuple(range(1, 9))
    return (1, 2) if flips else (1, 3, 6, 8) if rotations else (1,)


def upright_transpose(image: ImageFile.ImageFile) -> Image.Transpose | None:
    """What brings a picture upright, by its EXIF orientation; None where it stands already."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    except (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        # Broken EXIF must not lose the picture: its pixels are sound, and it is shown as it is stored.
        return None


def upright_size(width: int, height: int, transpose: Image.Transpose | None) -> tuple[int, int]:
    """Height and width of a stored picture once it stands upright."""
    return (width, height) if transpose in _ON_ITS_SIDE else (height, width)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """An array of pixels, (H, W) or (H, W, channels), as a viewer turns a file with this EXIF orientation, 1 to 8."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)  # the numbers from 5 on are a transposition, followed by one of the first four
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    rows = -1 if orientation in (3, 4) else 1
    columns = -1 if orientation in (2, 3) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def upright_strips(
    width: int, height: int, transpose: Image.Transpose | None, piece: Callable[[Box], Image.Image]
) -> Iterator[np.ndarray]:
    """The upright picture from top to bottom.

    Pillow hands pixels over as bytes in small pieces that it joins, and NumPy copies them. For a whole 12-megapixel
    picture that takes as long as decoding it; strips of a size that stays in the cache take a third of that.

    Args:
        width: Of the stored picture, in pixels.
        height: Likewise.
        transpose: What brings it upright.
        piece: Cuts a box (left, top, right, bottom) out of the stored picture, as RGB.

    Yields:
        uint8 (h, upright width, 3), C-contiguous.
    """
    rows, columns = upright_size(width, height, transpose)
    step = max(1, _STRIP_BYTES // (3 * columns))
    for first in range(0, rows, step):
        last = min(first + step, rows)
        start, stop = (rows - last, rows - first) if transpose in _FROM_THE_END else (first, last)
        box = (start, 0, stop, height) if transpose in _ON_ITS_SIDE else (0, start, width, stop)
        strip = piece(box) if transpose is None else piece(box).transpose(transpose)
        yield np.frombuffer(strip.tobytes(), np.uint8).reshape(last - first, columns, 3)
