"""Decoding JPEG with libjpeg-turbo: whole with Pillow's bits in half the time, or at a fraction of its size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, JpegImagePlugin

from imgsim_ops.files.opening import size_of
from imgsim_ops.images.memory import Admit, check_size
from imgsim_ops.images.orientation import Box, upright_size, upright_strips, upright_transpose
from imgsim_ops.images.pillow import opened, quiet_pillow
from imgsim_ops.images.strips import Strips

# A file larger than this (a film behind the picture, perhaps) is left to Pillow, which reads it piece by piece.
_LARGEST_FILE = 1 << 28
# Fractions that libjpeg-turbo has fast loops for. At an eighth it sees only the mean of each block of 8 x 8, which
# costs the vectors more: there twice as many pixels must remain.
_FRACTIONS = ((8, 2), (4, 1), (2, 1))
# Warnings of libjpeg after which pixels are missing or wrong. Of its others (bytes that belong to nothing, odd but
# harmless parameters) Pillow takes no notice either.
_CUT_SHORT = "Premature end of JPEG file"
_BROKEN = ("bad Huffman code", "premature end of data segment", "Inconsistent progression")
# What it says where a grey without loss is to become RGB.
_NO_CONVERSION = "color conversion"


class TruncatedJpegError(Exception):
    """The file ends before its picture does."""


def fraction(width: int, height: int, min_side: int | None) -> int:
    """The largest of 1, 2, 4 and 8 by which a JPEG may be divided so that enough of it remains.

    Args:
        width: Of the whole picture, in pixels.
        height: Likewise.
        min_side: How many pixels the shorter side keeps at least, twice as many where it is divided by 8; None: all.
    """
    if min_side is None:
        return 1
    return next((by for by, times in _FRACTIONS if min(width, height) >= by * times * min_side), 1)


def decode_jpeg(
    file: BinaryIO, size: int, max_pixels: int, min_side: int | None, admit: Admit, stack: ExitStack
) -> Strips | None:
    """Decodes an open JPEG to RGB, upright.

    Args:
        file: The file, at its beginning.
        size: Of the file, in bytes.
        max_pixels: A picture whose header promises more is refused before its pixels are decoded.
        min_side: See `fraction`.
        admit: See `memory.Admit`.
        stack: Takes what lasts as long as the strips are needed.

    Returns:
        The picture; or None where Pillow must have a look: for files over 256 MiB and whatever libjpeg-turbo does not
        take.

    Raises:
        TooManyPixelsError: see `max_pixels`.
        TruncatedJpegError: The file ends early.
        Exception: Whatever Pillow raises for a header that it refuses, and ValueError for broken content.
    """
    if size > _LARGEST_FILE:
        return None
    content = io.BytesIO(file.read())
    with quiet_pillow:
        image = _opened(content)  # 20 microseconds: it reads the header only
        in_first_scan = _colours_of_first_scan(content)
        transpose = upright_transpose(image)
    width, height = image.size
    by = 1 if image.mode == "CMYK" else fraction(width, height, min_side)
    held = _held(image, by, in_first_scan < len(image.layer))
    check_size(width, height, held, max_pixels)
    stack.enter_context(admit(held + size))
    colours = "CMYK" if image.mode == "CMYK" else "RGB"
    try:
        try:
            pixels = _pixels(content, colours, width, height, by)
        except ValueError as error:
            if image.mode != "L" or _NO_CONVERSION not in str(error):
                raise
            by, pixels = 1, _pixels(content, "GRAY", width, height, 1).repeat(3, axis=-1)
    except ValueError as error:
        if _CUT_SHORT in str(error):
            raise TruncatedJpegError(str(error)) from error
        if any(words in str(error) for words in _BROKEN):
            raise
        return None
    return Strips(*upright_size(width, height, transpose), _upright(pixels, transpose), by)


def _pixels(content: io.BytesIO, colours: str, width: int, height: int, by: int) -> np.ndarray:
    return simplejpeg.decode_jpeg(
        content.getbuffer(),
        colours,
        fastdct=False,
        fastupsample=False,
        min_width=-(-width // by) if by > 1 else 0,
        min_height=-(-height // by) if by > 1 else 0,
    )


def _opened(content: io.BytesIO) -> JpegImagePlugin.JpegImageFile:
    try:
        image: Any = opened(content, "JPEG")
    except SyntaxError as error:
        if content.read(1):
            raise
        raise TruncatedJpegError(str(error)) from error  # it has looked for a header up to the end
    if not image.tile:
        raise TruncatedJpegError("there are no pixels")
    return image


def require_end(file: BinaryIO) -> None:
    """Checks that a JPEG, if it is no larger than others here, has its last marker: Pillow does not miss it.

    Raises:
        TruncatedJpegError: It has not.
    """
    if size_of(file) > _LARGEST_FILE:
        return
    file.seek(0)
    content = file.read()
    if content.rfind(b"\xff\xd9") < content.find(b"\xff\xda"):
        raise TruncatedJpegError("there is no end marker")


def _colours_of_first_scan(content: io.BytesIO) -> int:
    """How many there are in the scan behind whose header Pillow has stopped; 0 where it stopped elsewhere."""
    data, end = content.getbuffer(), content.tell()
    for colours in range(1, 5):
        length = 6 + 2 * colours
        begin = end - length - 2
        if begin >= 0 and bytes(data[begin : begin + 5]) == b"\xff\xda" + bytes([0, length, colours]):
            return colours
    return 0


def _held(image: JpegImagePlugin.JpegImageFile, by: int, many_scans: bool) -> int:
    pixels = image.width * image.height
    # Where a block comes in several scans all coefficients, two bytes each, are kept until the end.
    layers = [(across, down) for _, across, down, _ in image.layer]
    across, down = max(a for a, _ in layers), max(d for _, d in layers)
    samples = sum(a * d for a, d in layers) / (across * down)
    coefficients = 2 * samples * pixels if many_scans or image.info.get("progressive") else 0
    return int(coefficients + (4 if image.mode == "CMYK" else 3) * pixels / by**2)


def _upright(pixels: np.ndarray, transpose: Image.Transpose | None) -> Iterator[np.ndarray]:
    height, width, channels = pixels.shape
    if transpose is None and channels == 3:
        return iter([pixels])

    def piece(box: Box) -> Image.Image:
        left, top, right, bottom = box
        part = pixels[top:bottom, left:right]
        if channels == 3:
            return Image.fromarray(part)
        # Inverted, as all who write CMYK do what Adobe does.
        return Image.frombytes("CMYK", (right - left, bottom - top), part.tobytes(), "raw", "CMYK;I").convert("RGB")

    return upright_strips(width, height, transpose, piece)
