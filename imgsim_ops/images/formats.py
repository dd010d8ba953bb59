"""Telling what a file is: by its content, and where that has no signature by what its name claims."""

from __future__ import annotations

import os
import re
import struct
from collections import deque
from importlib.util import find_spec
from typing import TYPE_CHECKING

from imgsim_ops.files.opening import size_of

if TYPE_CHECKING:
    from typing import BinaryIO

#: How many bytes of a file's beginning `picture_format` and `canvas_size` want to see.
HEAD_SIZE = 128

#: The formats that can be read, some of them with an extra, each with the ends of names that claim it.
READ = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JXL": (".jxl",),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    "PNM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "ICO": (".ico",),
    "ICNS": (".icns",),
    "PCX": (".pcx",),
    "DDS": (".dds",),
    "PSD": (".psd",),
    "RAW": (
        *(
            ".3fr",
            ".arw",
            ".cr2",
            ".cr3",
            ".crw",
            ".dcr",
            ".dng",
            ".erf",
            ".fff",
            ".gpr",
            ".iiq",
            ".k25",
            ".kdc",
            ".mef",
        ),
        *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        ".x3f",
    ),
}
#: Pictures that nothing here reads, so that they are named and not passed over.
UNREAD = {
    "PSB": (".psb",),
    "XCF": (".xcf",),
    "KRITA": (".kra", ".ora"),
    "EXR": (".exr",),
    "HDR": (".hdr", ".rgbe"),
    "PFM": (".pfm",),
    "PAM": (".pam",),
    "JPEGXR": (".jxr", ".wdp", ".hdp"),
    "JPEGLS": (".jls",),
    "DJVU": (".djvu", ".djv"),
    "FITS": (".fits",),
    "DICOM": (".dcm", ".dicom"),
    "QOI": (".qoi",),
    "FLIF": (".flif",),
    "BPG": (".bpg",),
    "CUR": (".cur", ".ani"),
    "SGI": (".sgi",),
    "SUN": (".ras",),
    "PICT": (".pict", ".pct"),
    "XBM": (".xbm", ".xpm"),
    "MNG": (".mng", ".jng"),
    "EPS": (".eps",),
    "WMF": (".wmf", ".emf"),
    "KTX": (".ktx", ".ktx2"),
    "OTHER": (".wbmp", ".dcx", ".fpx", ".afphoto", ".procreate", ".pdn"),
}
#: What holds pictures or draws them and is none itself: it is counted, and nobody expects it to be read.
ASIDE = {
    "video": (
        *(".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".3gp", ".3g2", ".mpg", ".mpeg", ".wmv"),
        *(".flv", ".ogv", ".insv"),
    ),
    "svg": (".svg", ".svgz"),
    "pdf": (".pdf", ".ai"),
}

# Ends of names that other programs gave to other things: templates of Visio, settings, headers of ENVI and of Analyze.
_SHARED = (".icb", ".vda", ".vst", ".hdr")

#: Formats whose frames and pages are pictures of their own where that is asked for.
PAGED = ("TIFF", "GIF", "PNG", "WEBP", "AVIF", "HEIF")
#: Goes up whenever a file that was no picture may be one now: collections try again what an older one has refused.
READERS = 1

# Formats for which another package must be installed.
_EXTRAS = {"HEIF": "pillow_heif", "JXL": "pillow_jxl", "RAW": "rawpy"}

_KIND_OF_SUFFIX = {
    suffix: kind for kinds in (READ, UNREAD, ASIDE) for kind, suffixes in kinds.items() for suffix in suffixes
}

# What files of a format begin with.
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II\x2a\0\x10\0\0\0CR", "RAW"),  # Canon's CR2
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"icns", "ICNS"),
    (b"DDS \x7c\0\0\0", "DDS"),
    (b"8BPS\0\1", "PSD"),
    (b"8BPS\0\2", "PSB"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),  # Olympus
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\0", "RAW"),  # Panasonic
    (b"FOVb", "RAW"),
    (b"\0MRM", "RAW"),
    (b"II\x1a\0\0\0HEAPCCDR", "RAW"),
    (b"gimp xcf ", "XCF"),
    (b"\x76\x2f\x31\x01", "EXR"),
    (b"#?RADIANCE", "HDR"),
    (b"#?RGBE", "HDR"),
    (b"II\xbc\x01", "JPEGXR"),
    (b"AT&TFORM", "DJVU"),
    (b"SIMPLE  =", "FITS"),
    (b"qoif", "QOI"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"\x8bJNG\r\n\x1a\n", "MNG"),
    (b"\xabKTX ", "KTX"),
    (b"%PDF-", "pdf"),
    (b"\x1aE\xdf\xa3", "video"),  # Matroska and WebM
)
# Two numbers after the magic one, perhaps behind a comment: text may begin with P1, too.
_PNM = re.compile(rb"P[1-6](?:\s+\d+\s+\d+[\s#]|\s+#)")
_SVG = re.compile(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg)*<svg[\s>]", re.DOTALL)
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"

# Of pictures coded with HEVC, still and in sequence (ISO/IEC 23008-12, annex B). mif1 and msf1, which name only the
# container, are left out: files of those that we could read name one of these, or AVIF's, too.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")

# Raw files that are TIFF by their first bytes: tags, and values of them (TIFF/EP, ISO 12234-2, and Adobe's DNG 1.7).
_SUB_IFDS, _PHOTOMETRIC, _DNG_VERSION = 330, 262, 50706
_OF_A_SENSOR = (32803, 34892)  # CFA, LinearRaw
_MOST_DIRECTORIES, _MOST_ENTRIES = 16, 512


def can_read(kind: str) -> bool:
    """Whether a format is read here, with what is installed."""
    needed = _EXTRAS.get(kind)
    return kind in READ and (needed is None or find_spec(needed) is not None)


def claimed_format(path: str | os.PathLike[str]) -> str | None:
    """What a file's name claims it to be: a key of `READ`, `UNREAD` or `ASIDE`, or None."""
    return _KIND_OF_SUFFIX.get(os.path.splitext(os.fspath(path))[1].lower())


def is_surely_meant(path: str | os.PathLike[str]) -> bool:
    """Whether the format that a file's name claims is the only thing that files of such names are."""
    return claimed_format(path) is not None and os.path.splitext(os.fspath(path))[1].lower() not in _SHARED


def picture_format(head: bytes) -> str | None:
    """Tells a picture's format by its first bytes.

    Args:
        head: The first `HEAD_SIZE` bytes of a file, fewer where it is shorter.

    Returns:
        A key of `READ`, `UNREAD` or `ASIDE`; None for anything else. A raw file may be called ``TIFF``, which it is
        too: `format_of` knows.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF"):
        return {b"WEBP": "WEBP", b"AVI ": "video"}.get(head[8:12])
    # Two letters are a weak signature: ask also for one of the header lengths that BMP has had (12 to 124).
    if head.startswith(b"BM") and len(head) >= 18 and 12 <= int.from_bytes(head[14:18], "little") <= 124:
        return "BMP"
    if _PNM.match(head):
        return "PNM"
    if _is_pcx(head):
        return "PCX"
    if _is_icon(head):
        return "ICO" if head[2] == 1 else "CUR"
    if _SVG.match(head):
        return "svg"
    return _boxed_format(head)


def format_of(file: BinaryIO, path: str | os.PathLike[str] = "") -> str | None:
    """Tells an open file's format by its content.

    Args:
        file: At its beginning, where it is left.
        path: Its name, which is asked only where formats have no signature or share one.

    Returns:
        As `picture_format`; of a file that it does not know, what `claimed_format` says where nothing here could tell
        and `is_surely_meant`.
    """
    head = file.read(HEAD_SIZE)
    kind, claimed = picture_format(head), claimed_format(path)
    if kind == "TIFF" and (claimed == "RAW" or _is_raw(file, head)):
        kind = "RAW"
    elif kind is None and _is_targa(file, head, claimed == "TGA"):
        kind = "TGA"
    elif kind is None and is_surely_meant(path) and (claimed in UNREAD or claimed == "RAW" or claimed in ASIDE):
        kind = claimed
    file.seek(0)
    return kind


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


def _boxed_format(head: bytes) -> str | None:
    """AVIF, HEIF, Canon's CR3 and films begin with a box of brands: the main one at 8, compatible ones from 16 on."""
    if head[4:8] != b"ftyp" or len(head) < 12:
        return "video" if head[4:8] in (b"moov", b"wide", b"skip", b"mdat") else None  # QuickTime's without brands
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(len(head), size), 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "AVIF"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return "HEIF"
    if head[8:12] == b"crx ":
        return "RAW"
    return None if brands[0] in (b"mif1", b"msf1", b"M4A ", b"M4B ") else "video"


def _is_pcx(head: bytes) -> bool:
    versions, run_length, bits, planes = (0, 2, 3, 4, 5), 1, (1, 2, 4, 8), (1, 2, 3, 4)
    return (
        len(head) == HEAD_SIZE
        and head[0] == 10
        and head[1] in versions
        and head[2] == run_length
        and head[3] in bits
        and head[64] == 0
        and head[65] in planes
    )


def _is_icon(head: bytes) -> bool:
    """An icon or a mouse pointer: it begins with how many there are, and where the first one is lies behind that."""
    if len(head) < 22 or head[:2] != b"\0\0" or head[2] not in (1, 2) or head[3] or head[9]:
        return False
    number, size, offset = struct.unpack("<4xH8xII", head[:22])
    return number > 0 and size > 0 and offset >= 6 + 16 * number


def _is_targa(file: BinaryIO, head: bytes, claimed: bool) -> bool:
    size = size_of(file)
    if size > len(_TGA_FOOTER) and head[1:2] in (b"\0", b"\1"):
        file.seek(size - len(_TGA_FOOTER))
        if file.read(len(_TGA_FOOTER)) == _TGA_FOOTER:
            return True
    if not claimed or len(head) < 18:  # files of its first version have no signature at all
        return False
    mapped, kind, width, height, depth = head[1], head[2], head[12:14], head[14:16], head[16]
    return (
        mapped in (0, 1)
        and kind in (1, 2, 3, 9, 10, 11)
        and (mapped == 1 or kind not in (1, 9))
        and any(width)
        and any(height)
        and depth in (8, 15, 16, 24, 32)
    )


def _is_raw(file: BinaryIO, head: bytes) -> bool:
    """Whether any picture in a TIFF is what a sensor saw: DNG, NEF, ARW and their like."""
    order = "<" if head[:1] == b"I" else ">"
    if head[2:4] in (b"+\0", b"\0+"):  # BigTIFF, which no camera writes
        return False
    pending, seen = deque([struct.unpack(f"{order}I", head[4:8])[0]] if len(head) >= 8 else []), set[int]()
    while pending and len(seen) < _MOST_DIRECTORIES:
        place = pending.popleft()
        if place == 0 or place in seen:
            continue
        seen.add(place)
        entries, following = _directory(file, place, order)
        for tag, kind, number, value in entries:
            if tag == _DNG_VERSION:
                return True
            if tag == _PHOTOMETRIC and _short(value, order) in _OF_A_SENSOR:
                return True
            if tag == _SUB_IFDS and kind in (4, 13):
                pending.extend(_places(file, number, value, order))
        pending.append(following)
    return False


def _directory(file: BinaryIO, place: int, order: str) -> tuple[list[tuple[int, int, int, bytes]], int]:
    """The entries of a TIFF's directory (tag, type, number of values, value or place), and where the next one is."""
    file.seek(place)
    start = file.read(2)
    number = struct.unpack(f"{order}H", start)[0] if len(start) == 2 else 0
    if not 0 < number <= _MOST_ENTRIES:
        return [], 0
    content = file.read(12 * number + 4)
    entries = [
        struct.unpack_from(f"{order}HHI4s", content, first) for first in range(0, len(content) - len(content) % 12, 12)
    ][:number]
    whole = len(content) == 12 * number + 4
    return entries, struct.unpack(f"{order}I", content[-4:])[0] if whole else 0


def _short(value: bytes, order: str) -> int:
    return struct.unpack(f"{order}H", value[:2])[0]


def _places(file: BinaryIO, number: int, value: bytes, order: str) -> tuple[int, ...]:
    """The offsets that an entry holds, or leads to where there are several."""
    if number == 1:
        return struct.unpack(f"{order}I", value)
    file.seek(struct.unpack(f"{order}I", value)[0])
    content = file.read(4 * min(number, _MOST_DIRECTORIES))
    return struct.unpack(f"{order}{len(content) // 4}I", content[: len(content) // 4 * 4])
