"""Icons: files with one picture in several sizes, of which the largest is the picture."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from PIL import IcnsImagePlugin, IcoImagePlugin, Image, Jpeg2KImagePlugin, PngImagePlugin

from imgsim_ops.images.formats import HEAD_SIZE, picture_format

if TYPE_CHECKING:
    from typing import BinaryIO

_HEADER = struct.Struct("<HHH")
_ENTRY = struct.Struct("<BBBBHHII")


class _Entry(NamedTuple):
    width: int
    height: int
    colours: int
    reserved: int
    planes: int
    bits: int
    size: int
    offset: int

    @property
    def worth(self) -> tuple[int, int]:
        """Its pixels, where 0 stands for 256 or more to a side, and its depth."""
        return (self.width or 256) * (self.height or 256), self.bits


def largest_of_ico(file: BinaryIO, let_in: Callable[[int, int], None]) -> Image.Image:
    """The largest picture of a Windows icon, of those the one with most colours.

    Args:
        file: At its beginning.
        let_in: Called with width and height before pixels are decoded.

    Returns:
        The picture, decoded only where it is no PNG.

    Raises:
        ValueError: The file is cut short.
        Exception: Whatever Pillow raises.
    """
    _, _, number = _HEADER.unpack(file.read(_HEADER.size))
    entries = [_Entry(*_ENTRY.unpack(file.read(_ENTRY.size))) for _ in range(number)]
    entry = max(entries, key=lambda entry: entry.worth)
    file.seek(entry.offset)
    content = file.read(entry.size)
    if len(content) < entry.size:
        raise ValueError("truncated icon")
    if picture_format(content[:HEAD_SIZE]) == "PNG":
        return PngImagePlugin.PngImageFile(io.BytesIO(content))
    width, height = struct.unpack_from("<ii", content, 4)
    let_in(abs(width), abs(height))
    alone = _HEADER.pack(0, 1, 1) + _ENTRY.pack(*entry._replace(offset=_HEADER.size + _ENTRY.size))
    return IcoImagePlugin.IcoImageFile(io.BytesIO(alone + content))


def largest_of_icns(file: BinaryIO, let_in: Callable[[int, int], None]) -> Image.Image:
    """The largest picture of a macOS icon; arguments and errors as of `largest_of_ico`.

    Returns:
        The picture, decoded only where it is neither PNG nor JPEG 2000.
    """
    icons = IcnsImagePlugin.IcnsFile(file)
    best = icons.bestsize()
    for name, _ in icons.SIZES[best]:
        start, length = icons.dct.get(name, (0, 0))
        file.seek(start)
        content = file.read(length)
        if len(content) < length:
            raise ValueError("truncated icon")
        if picture_format(content[:HEAD_SIZE]) == "PNG":
            return PngImagePlugin.PngImageFile(io.BytesIO(content))
        if picture_format(content[:HEAD_SIZE]) == "JPEG2000":
            return Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(content))
    let_in(best[0], best[1])
    return icons.getimage(best)
