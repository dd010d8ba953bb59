"""What the header of an AVIF or HEIC says of its depth, and of what lies beside its picture (ISO/IEC 23008-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgsim_ops.files.opening import size_of
from imgsim_ops.images.boxes import find_box

if TYPE_CHECKING:
    from typing import BinaryIO

# Of a property so much is read, and of the list of items.
_PROPERTY, _ITEMS = 64, 1 << 16
_VERSION = 4  # of boxes that have one, and their flags
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_GAIN_MAP = b"tmap"  # ISO 21496-1


class HeifHeader(NamedTuple):
    """The header of an AVIF or HEIC.

    Attributes:
        deep: More than 8 bits a channel.
        more: Something lies beside the picture that a JPEG of it lacks: a map of depth, or of what bright screens show.
    """

    deep: bool
    more: bool


def heif_header(file: BinaryIO) -> HeifHeader | None:
    """Reads it.

    Args:
        file: Its position is moved.

    Returns:
        None where it does not say how deep the picture is, as of films without a picture before them.
    """
    meta = find_box(file, (b"meta",), 0, size_of(file))
    if meta is None:
        return None
    start, stop = meta[1] + _VERSION, meta[2]
    depths, more = [], False
    properties = find_box(file, (b"iprp",), start, stop)
    container = properties and find_box(file, (b"ipco",), *properties[1:])
    place, last = container[1:] if container else (0, 0)
    while found := find_box(file, (b"av1C", b"hvcC", b"pixi", b"auxC"), place, last):
        kind, begins, place = found
        file.seek(begins)
        content = file.read(min(_PROPERTY, place - begins))
        if kind == b"auxC":
            more = more or content[_VERSION:].split(b"\0")[0] not in _ALPHA
        else:
            depths += _depths(kind, content)
    if items := find_box(file, (b"iinf",), start, stop):
        file.seek(items[1])
        more = more or _GAIN_MAP in file.read(min(_ITEMS, items[2] - items[1]))
    return HeifHeader(max(depths) > 8, more) if depths else None


def _depths(kind: bytes, content: bytes) -> list[int]:
    """Bits a channel by a property: how AV1 or HEVC is to be decoded, or what comes out."""
    if kind == b"av1C":  # high_bitdepth and twelve_bit, "AV1 Codec ISO Media File Format Binding", 2.3.3
        return [8 + 2 * (flags >> 6 & 1) + 2 * (flags >> 5 & 1) for flags in content[2:3]]
    if kind == b"hvcC":  # ISO/IEC 14496-15, 8.3.3.1
        return [8 + (byte & 7) for byte in content[17:19]]
    return list(content[_VERSION + 1 :])
