"""Pixels of more than 8 bits as they are stored, of what Pillow shows with 8."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageFile, TiffImagePlugin

from imgsim_ops.images.orientation import upright_transpose
from imgsim_ops.images.pillow import UnsupportedPixelsError, quiet_pillow, strips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_BITS, _PHOTOMETRIC, _PLANES = 258, 262, 284
_BLACK_IS_ZERO, _CONTIGUOUS = 1, 1
# How Pillow is told to unpack 16 bits a channel, of which it keeps the upper byte; and how it takes the lower one for
# the upper. Where alpha is multiplied in, it computes with 8 bits, planes it unpacks in a way of its own, and a fourth
# channel without a meaning it leaves out.
_CODES = ("RGB", "RGBA")
_NATIVE = sys.byteorder[0].upper()
_LOWER = {f"{code};16{order}": f"{code};16{'B' if order == 'L' else 'L'}" for code in _CODES for order in "LB"} | {
    f"{code};16N": f"{code};16{'B' if _NATIVE == 'L' else 'L'}" for code in _CODES
}
_ROWS_OF_BYTES = 1 << 20


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether an image that Pillow has opened, and not decoded, has more than 8 bits a channel: a PNG or a page."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(_BITS, (1,))) > 8
    return image.format == "PNG" and ";16" in str(_code(image))


def depth_hash(image: ImageFile.ImageFile, again: ImageFile.ImageFile) -> bytes:
    """The SHA-256 of deep pixels with all their bits, whatever order the bytes of a number were in.

    Args:
        image: Opened by Pillow, and not decoded.
        again: The same picture, opened once more.

    Raises:
        UnsupportedPixelsError: Pillow does not hand all bits on.
        Exception: What it raises for content that it refuses.
    """
    tags: Any = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(_BITS, (16,))
    code = _code(image)
    if "transparency" in image.info:  # a colour, of which Pillow compares the upper bytes
        raise UnsupportedPixelsError("a transparent colour of 16 bits")
    if not image.mode.startswith("I;16"):
        if code not in _LOWER or set(bits) != {16} or tags.get(_PLANES, _CONTIGUOUS) != _CONTIGUOUS:
            raise UnsupportedPixelsError(f"{image.mode} pixels of {max(bits)} bits")
        _take_lower_bytes(again)
    strips_of(image)  # decodes it
    digest = hashlib.sha256(f"{bits[0]} {image.mode[0]} {image.size} {upright_transpose(image)}".encode())
    if image.mode.startswith("I;16"):
        digest.update(str(tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)).encode())
        for rows in _rows(image):
            digest.update(rows.astype("<u2"))
        return digest.digest()
    with quiet_pillow:
        again.load()
    channels = "RGB" if image.mode == "RGBA" and _is_opaque(image) and _is_opaque(again) else image.mode
    for upper, lower in zip(_rows(image), _rows(again), strict=True):
        both = np.stack([lower, upper], -1)[..., : len(channels), :]
        digest.update(np.ascontiguousarray(both))
    return digest.digest()


def _is_opaque(image: Image.Image) -> bool:
    return image.getchannel("A").getextrema() == (255, 255)


def _code(image: ImageFile.ImageFile) -> str | None:
    """How all of an image is unpacked; None where that is not one way."""
    found = {tile[3] if isinstance(tile[3], str) else tile[3][0] if tile[3] else None for tile in image.tile}
    return found.pop() if len(found) == 1 else None


def _take_lower_bytes(image: ImageFile.ImageFile) -> None:
    for index, tile in enumerate(image.tile):
        codec, extents, offset, args = tile
        lower = _LOWER[args] if isinstance(args, str) else (_LOWER[args[0]], *args[1:])
        make: Any = getattr(type(tile), "_make", tuple)  # Pillow 10 has plain tuples
        image.tile[index] = make((codec, extents, offset, lower))


def _rows(image: Image.Image) -> Iterator[np.ndarray]:
    step = max(1, _ROWS_OF_BYTES // (8 * image.width))
    for top in range(0, image.height, step):
        yield np.asarray(image.crop((0, top, image.width, min(top + step, image.height))))
