"""What a file is besides its pixels: frames, depth, transparency, and where it may come from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, TiffImagePlugin

from imgsim_ops.images.frame_count import frame_count
from imgsim_ops.images.heif import heif_header
from imgsim_ops.images.jxl import jxl_header
from imgsim_ops.images.pillow import BROKEN, goes_to, is_transparent, opened, quiet_pillow
from imgsim_ops.images.webp import webp_quality

if TYPE_CHECKING:
    from typing import BinaryIO

_CAMERA_TAGS = (ExifTags.Base.Make, ExifTags.Base.Model)
_SHOT_TAGS = (ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.ISOSpeedRatings)
_SUB_IFDS = 330
_BITS = 258
_PNG_DEPTH_AT = 24
_HEAD_SIZE = 1 << 12  # behind the colour profile of most JPEG 2000
# The markers before the sizes in JPEG 2000, and where the depths of its components are behind that, three bytes each
# (ISO/IEC 15444-1, A.5.1).
_JPEG2000_SIZE, _JPEG2000_DEPTHS_AT = b"\xff\x4f\xff\x51", 42
_LOSSLESS = ("PNG", "TIFF", "BMP", "GIF", "PNM", "TGA", "PCX", "PSD", "ICO")


@dataclass(frozen=True)
class FileFacts:
    """What a file is besides its pixels.

    Attributes:
        further: It has more than the one picture that is looked at, or may: frames, pages, a raw file's sensor data.
        deep: More than 8 bits a channel.
        transparent: Some of it is see-through, or may be.
        camera: How many of six facts about a camera and an exposure its EXIF tells.
        quantisation: Sum of the first two rows of a JPEG's quantisation table for brightness; 0 for
            what is not a JPEG.
        webp_quality: Of a WebP with loss, see `webp.webp_quality`; 0 for what is none.
        palette: It has at most 256 colours by its format.
        lossless: Its format keeps every pixel that it was given.
        frames: How many frames or pages it has, see `frame_count`; None where that is not known.
    """

    further: bool = False
    deep: bool = False
    transparent: bool = False
    camera: int = 0
    quantisation: int = 0
    webp_quality: int = 0
    palette: bool = False
    lossless: bool = False
    frames: int | None = 1

    def as_json(self) -> dict[str, Any]:
        """For a document."""
        return asdict(self)


def file_facts(file: BinaryIO, kind: str, page: int | None = None) -> FileFacts:
    """Reads them from the header of a sound picture.

    Args:
        file: The file, whose position is moved.
        kind: What ``formats.picture_format`` says.
        page: Of a page alone, from 1 on; None of the file.

    Returns:
        What can be told. Where a header cannot be read, `further` is true, as nothing is known then.
    """
    if kind == "RAW":
        return FileFacts(further=True, deep=True, frames=None)
    header = jxl_header(file) if kind == "JXL" else heif_header(file) if kind in ("AVIF", "HEIF") else None
    file.seek(0)
    head = file.read(_HEAD_SIZE)
    frames = frame_count(file, kind) if page is None else 1
    file.seek(0)
    try:
        with quiet_pillow, opened(file, kind) as image:
            if page is not None and not goes_to(image, page - 1):
                return FileFacts(further=True, frames=None)
            return FileFacts(
                further=frames != 1 or has_more_beneath(image) or getattr(header, "more", False),
                deep=_is_deep(image, kind, head) if header is None else header.deep,
                transparent=is_transparent(image),
                camera=_camera(image),
                quantisation=_quantisation(image),
                webp_quality=webp_quality(file) if kind == "WEBP" and page is None else 0,
                palette=image.mode in ("P", "1", "PA"),
                lossless=kind in _LOSSLESS or (kind == "WEBP" and _is_lossless_webp(file)),
                frames=frames,
            )
    except BROKEN:  # the pixels may be sound all the same
        return FileFacts(further=True, frames=None)


def has_more_beneath(image: Image.Image) -> bool:
    """Whether there are pictures beneath a page of a TIFF, as raw files of cameras have."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and _SUB_IFDS in image.tag_v2


def _is_deep(image: Any, kind: str, head: bytes) -> bool:
    if kind == "PNG":
        return head[_PNG_DEPTH_AT] > 8
    if kind == "PNM":
        args = image.tile[0][3]
        return image.mode == "I" or (isinstance(args, tuple) and args[1] > 255)
    if kind == "JPEG2000":
        start = head.find(_JPEG2000_SIZE)
        number = start + _JPEG2000_DEPTHS_AT - 2
        depths = head[number + 2 : number + 2 + 3 * int.from_bytes(head[number : number + 2], "big") : 3]
        return start < 0 or not depths or any((depth & 0x7F) >= 8 for depth in depths)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(_BITS, (1,))) > 8
    return image.mode.startswith(("I", "F")) or kind in ("AVIF", "HEIF")


def _camera(image: Image.Image) -> int:
    exif = image.getexif()
    shot = exif.get_ifd(ExifTags.IFD.Exif)
    return (
        sum(bool(exif.get(tag)) for tag in _CAMERA_TAGS)
        + sum(bool(shot.get(tag)) for tag in _SHOT_TAGS)
        + bool(exif.get_ifd(ExifTags.IFD.GPSInfo))
    )


def _quantisation(image: Image.Image) -> int:
    tables = getattr(image, "quantization", None)
    return int(sum(tables[0][:16])) if tables else 0


def _is_lossless_webp(file: BinaryIO) -> bool:
    file.seek(0)
    return b"VP8L" in file.read(64)
