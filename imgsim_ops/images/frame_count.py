"""How many frames or pages a file has, by what its structure says; no pixels are decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from PIL import Image, JpegImagePlugin, MpoImagePlugin

from imgsim_ops.files.opening import size_of
from imgsim_ops.images.jxl import jxl_header
from imgsim_ops.images.pillow import BROKEN, quiet_pillow, reader_of

if TYPE_CHECKING:
    from typing import BinaryIO

# So many pieces of a file are gone through, which takes some seconds: a GIF of a gigabyte has as many.
_MOST_PIECES = 1 << 22
# Of a multi-picture JPEG, entries that only show the first one smaller (CIPA DC-007, 5.2.3.3.1).
_PREVIEWS = ("Large Thumbnail (VGA Equivalent)", "Large Thumbnail (Full HD Equivalent)")
_MP_ENTRIES = 0xB002
_DDS_CAPABILITIES_AT, _DDS_FACES = 112, 0x200 | 0x200000  # cube maps, volumes


def frame_count(file: BinaryIO, kind: str) -> int | None:
    """Counts the frames of an animation, the pages of a TIFF, the pictures of a multi-picture JPEG.

    Smaller versions count where the format calls them pages of their own: those of a pyramid in a TIFF do, the previews
    of a multi-picture JPEG do not.

    Args:
        file: The file, whose position is moved.
        kind: What ``formats.picture_format`` says.

    Returns:
        1 for a picture like most; None where the file does not say, as of icons, layers and raw files, or is broken.
    """
    count = _COUNTS.get(kind)
    if count is None:
        return None
    file.seek(0)
    try:
        return count(file) or None
    except BROKEN:
        return None


def further_pictures(image: Image.Image) -> int:
    """The pictures of an opened multi-picture JPEG besides the first one and what only shows that smaller."""
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, ())
    return sum(entry["Attribute"]["MPType"] not in _PREVIEWS for entry in entries[1:])


def _one(file: BinaryIO) -> int:
    return 1


def _of_jpeg(file: BinaryIO) -> int:
    with quiet_pillow:
        if "mp" not in JpegImagePlugin.JpegImageFile(file).info:  # 20 microseconds: it reads the header only
            return 1
        file.seek(0)
        return 1 + further_pictures(MpoImagePlugin.MpoImageFile(file))


def _of_others(kind: str) -> Callable[[BinaryIO], int]:
    """By what their libraries say when they open the file."""

    def count(file: BinaryIO) -> int:
        with quiet_pillow, reader_of(kind)(file) as image:
            return getattr(image, "n_frames", 1)

    return count


def _of_png(file: BinaryIO) -> int:
    """The frames of an animation, and the picture for those who show none where it is none of them."""
    file.seek(8)
    promised, controls, first_is_frame, pieces = 0, 0, False, 0
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"acTL":
            (promised,) = struct.unpack(">I", file.read(4))
            length -= 4
        elif name == b"IDAT":
            if not promised:
                return 1
            first_is_frame = first_is_frame or controls > 0
        elif name == b"fcTL":
            controls += 1
        elif name == b"IEND":
            break
        pieces = _counted(pieces)
        file.seek(length + 4, 1)
    if controls != promised:
        raise ValueError("an animation that is cut")
    return controls + (not first_is_frame)


def _of_webp(file: BinaryIO) -> int:
    file.seek(12)
    frames = pieces = 0
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name in (b"VP8 ", b"VP8L"):
            return 1
        frames += name == b"ANMF"
        pieces = _counted(pieces)
        file.seek(length + length % 2, 1)
    return frames


def _of_gif(file: BinaryIO) -> int:
    head = file.read(13)
    file.seek(_palette(head[10]), 1)
    frames = pieces = 0
    while (kind := file.read(1)) in (b"!", b","):
        if kind == b",":
            frames += 1
            file.seek(_palette(file.read(9)[8]) + 1, 1)  # and the bits of its codes
        else:
            file.seek(1, 1)
        while length := file.read(1):
            pieces = _counted(pieces)
            if length == b"\0":
                break
            file.seek(length[0], 1)
    if kind != b";":
        raise ValueError("an animation that is cut")
    return frames


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _of_tiff(file: BinaryIO) -> int:
    """Directories that follow each other, until they end or lead back to one."""
    head, size = file.read(16), size_of(file)
    order: Literal["<", ">"] = "<" if head[:2] == b"II" else ">"
    large = head[2:4] in (b"+\0", b"\0+")
    count_of, offset_of = (struct.Struct(order + code) for code in (("Q", "Q") if large else ("H", "I")))
    (place,) = offset_of.unpack_from(head, 8 if large else 4)
    seen: set[int] = set()
    while place and place not in seen:
        if place >= size or len(seen) == _MOST_PIECES:
            raise ValueError("directories that lead nowhere, or are too many")
        seen.add(place)
        file.seek(place)
        (entries,) = count_of.unpack(file.read(count_of.size))
        file.seek(entries * (20 if large else 12), 1)
        (place,) = offset_of.unpack(file.read(offset_of.size))
    return len(seen)


def _counted(pieces: int) -> int:
    if pieces == _MOST_PIECES:
        raise ValueError("too many pieces")
    return pieces + 1


def _of_jxl(file: BinaryIO) -> int:
    header = jxl_header(file)
    return 0 if header is None or header.animated else 1  # how many there are only its decoder knows


def _of_pnm(file: BinaryIO) -> int:
    """Another picture may stand behind the first one; then nothing is said of how many there are."""
    with quiet_pillow, reader_of("PNM")(file) as image:
        codec, _, offset, args = image.tile[0]
        if codec == "ppm_plain":  # of which text may hold one only
            return 1
        width, height = image.size
        wide = image.mode == "I" or (isinstance(args, tuple) and args[1] > 255)
        row = -(-width // 8) if image.mode == "1" else width * len(image.getbands()) * (1 + wide)
    file.seek(offset + row * height)
    return 0 if file.read(1) == b"P" else 1


def _of_dds(file: BinaryIO) -> int:
    file.seek(_DDS_CAPABILITIES_AT)
    return 0 if int.from_bytes(file.read(4), "little") & _DDS_FACES else 1


def _of_psd(file: BinaryIO) -> int:
    with quiet_pillow, reader_of("PSD")(file) as image:
        return 0 if image.layers else 1  # type: ignore[attr-defined]


_COUNTS: dict[str, Callable[[BinaryIO], int]] = {
    "JPEG": _of_jpeg,
    "PNG": _of_png,
    "WEBP": _of_webp,
    "GIF": _of_gif,
    "BMP": _one,
    "TIFF": _of_tiff,
    "AVIF": _of_others("AVIF"),
    "HEIF": _of_others("HEIF"),
    "JXL": _of_jxl,
    "JPEG2000": _one,
    "PNM": _of_pnm,
    "TGA": _one,
    "PCX": _one,
    "DDS": _of_dds,
    "PSD": _of_psd,
}
