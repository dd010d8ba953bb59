"""Telling a picture's format by its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

#: How many bytes of a file's beginning `picture_format` and `canvas_size` want to see.
HEAD_SIZE = 32

# Of pictures coded with HEVC, still and in sequence (ISO/IEC 23008-12, annex B). mif1 and msf1, which name only the
# container, are left out: files of those that we could read name one of these, or AVIF's, too.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")


def picture_format(head: bytes) -> str | None:
    """Tells a picture's format by its first bytes.

    Args:
        head: The first `HEAD_SIZE` bytes of a file, fewer where it is shorter.

    Returns:
        ``JPEG``, ``PNG``, ``WEBP``, ``GIF``, ``BMP``, ``TIFF``, ``AVIF`` or ``HEIF``; None for anything else.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    # Two letters are a weak signature: ask also for one of the header lengths that BMP has had (12 to 124).
    if head.startswith(b"BM") and len(head) >= 18 and 12 <= int.from_bytes(head[14:18], "little") <= 124:
        return "BMP"
    return _boxed_format(head)


def format_of(file: BinaryIO) -> str | None:
    """`picture_format` of an open file at its beginning, where it is left."""
    kind = picture_format(file.read(HEAD_SIZE))
    file.seek(0)
    return kind


def _boxed_format(head: bytes) -> str | None:
    """AVIF and HEIF begin with a box that lists brands: the main one at 8, compatible ones from 16 on."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "AVIF"
    return "HEIF" if any(brand in _HEIF_BRANDS for brand in brands) else None


def canvas_size(head: bytes, kind: str) -> tuple[int, int] | None:
    """Reads width and height from the header of GIF and WebP, whose decoders allocate the canvas at once.

    Args:
        head: The first `HEAD_SIZE` bytes of the file.
        kind: What `picture_format` said.

    Returns:
        Width and height in pixels for ``GIF`` and ``WEBP``; None for the others and for a header cut short.
    """

    def little(start: int, stop: int) -> int:
        return int.from_bytes(head[start:stop], "little")

    if kind == "GIF" and len(head) >= 10:
        return little(6, 8), little(8, 10)
    if kind == "WEBP" and len(head) >= 30:
        if head[12:16] == b"VP8X":
            return little(24, 27) + 1, little(27, 30) + 1
        if head[12:16] == b"VP8L":
            return (little(21, 25) & 0x3FFF) + 1, (little(21, 25) >> 14 & 0x3FFF) + 1
        return little(26, 28) & 0x3FFF, little(28, 30) & 0x3FFF
    return None
