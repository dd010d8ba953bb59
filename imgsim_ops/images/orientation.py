"""The EXIF orientation, and pictures brought upright a strip at a time, so that no second copy of them is needed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

#: What turning a picture as each value of the EXIF tag Orientation says (CIPA DC-008) does to a direction: the rows of
#: the matrix that takes (right, down) in the stored picture to the same in the turned one.
LINEAR = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}
#: Those that make a mirror image.
MIRRORED = tuple(number for number, ((a, b), (c, d)) in LINEAR.items() if a * d < b * c)
#: Which one takes each back.
INVERSE = {
    number: next(other for other, matrix in LINEAR.items() if matrix == tuple(zip(*rows, strict=True)))
    for number, rows in LINEAR.items()
}
#: How one picture must be turned to lie like another, in words. Only of the quarter turns it matters which of the two
#: is turned: all others take themselves back.
ORIENTATION_WORDS = {
    1: "",
    2: "mirrored",
    3: "turned by 180°",
    4: "mirrored, turned by 180°",
    5: "mirrored, turned left by 90°",
    6: "turned right by 90° to fit",
    7: "mirrored, turned right by 90°",
    8: "turned left by 90° to fit",
}

_ORIENTATION = 0x0112
# Pillow's name for each.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = {transpose for number, transpose in _UPRIGHT.items() if LINEAR[number][0][0] == 0}
# Those whose upright rows from the top are stored rows from the bottom, or stored columns from the right.
_FROM_THE_END = {transpose for number, transpose in _UPRIGHT.items() if sum(LINEAR[number][1]) < 0}
_STRIP_BYTES = 1 << 20

Box = tuple[int, int, int, int]


def orientations_asked(flips: bool, rotations: bool) -> tuple[int, ...]:
    """EXIF's numbers of a picture as it is and mirrored, turned by quarters of a circle, or both: all eight."""
    if flips and rotations:
        return tuple(range(1, 9))
    return (1, 2) if flips else (1, 3, 6, 8) if rotations else (1,)


def upright_transpose(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture upright, by its EXIF orientation; None where it stands already."""
    try:
        value = image.getexif().get(_ORIENTATION)
        return _UPRIGHT.get(value) if isinstance(value, int) else None
    except (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        # Broken EXIF must not lose the picture: its pixels are sound, and it is shown as it is stored.
        return None


def upright_size(width: int, height: int, transpose: Image.Transpose | None) -> tuple[int, int]:
    """Height and width of a stored picture once it stands upright."""
    return (width, height) if transpose in _ON_ITS_SIDE else (height, width)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """An array of pixels, (H, W) or (H, W, channels), as a viewer turns a file with this EXIF orientation, 1 to 8."""
    (across, other), down = LINEAR[orientation]
    if not across:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: sum(down), :: across + other])


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
