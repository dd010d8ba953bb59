"""Cameras' raw files, by LibRaw: what their own preview shows, or the picture developed."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image

from imgsim_ops.files.opening import size_of
from imgsim_ops.images.jpeg import decode_jpeg
from imgsim_ops.images.memory import Admit, check_size
from imgsim_ops.images.orientation import turned
from imgsim_ops.images.pillow import UnsupportedPixelsError
from imgsim_ops.images.strips import Strips

if TYPE_CHECKING:
    from typing import BinaryIO

# A preview with a longer side of fewer pixels than what pairs are judged by is too small to stand for the picture.
_LEAST_PREVIEW = 1280
# LibRaw keeps the sensor's values, four colours of 16 bits for each of its pixels, and the result.
_BYTES_PER_PIXEL = 13
# How LibRaw says that a picture is to be turned, as EXIF's numbers.
_TURNED = {3: 3, 5: 8, 6: 6}


def decode_raw(file: BinaryIO, max_pixels: int, min_side: int | None, admit: Admit, stack: ExitStack) -> Strips:
    """Decodes an open raw file to upright RGB.

    The largest preview that the camera has put into it is taken where its longer side has 1280 pixels or more, else the
    sensor's values are developed with the white balance of the camera, at half their size where they are large.

    Args:
        file: The file, at its beginning.
        max_pixels: See ``pillow.decode_with_pillow``, likewise the others.
        min_side: See ``jpeg.fraction``.
        admit: See `memory.Admit`.
        stack: Takes what lasts as long as the strips are needed.

    Raises:
        UnsupportedPixelsError: rawpy is not installed, or LibRaw does not know the camera.
        TooManyPixelsError: See `max_pixels`.
        Exception: Whatever LibRaw raises for broken content.
    """
    try:
        import rawpy
    except ImportError as error:
        raise UnsupportedPixelsError("a camera's raw file needs pip install 'imgsim-ops[raw]'") from error
    content = io.BytesIO(file.read())
    raw = rawpy.RawPy()
    stack.callback(raw.close)
    try:
        raw.open_buffer(content)
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedPixelsError("a raw file of a kind that LibRaw does not know") from error
    preview = _preview(rawpy, raw)
    if preview is not None:
        picture = decode_jpeg(io.BytesIO(preview), len(preview), max_pixels, min_side, admit, stack)
        if picture is not None:
            return picture if _says_how_it_lies(preview) else _upright(picture, _TURNED.get(raw.sizes.flip, 1))
    width, height = raw.sizes.width, raw.sizes.height
    held = _BYTES_PER_PIXEL * width * height
    check_size(width, height, held, max_pixels)
    stack.enter_context(admit(held + size_of(file)))
    half = min_side is not None and min(width, height) >= 2 * min_side
    pixels = raw.postprocess(use_camera_wb=True, half_size=half)
    height, width, colours = np.atleast_3d(pixels).shape
    if colours not in (1, 3):
        raise UnsupportedPixelsError(f"a raw file of {colours} colours")
    pixels = np.ascontiguousarray(np.broadcast_to(np.atleast_3d(pixels), (height, width, 3)))
    return Strips(height * (1 + half), width * (1 + half), iter([pixels]), 1 + half)


def _preview(rawpy: Any, raw: Any) -> bytes | None:
    """The largest preview, a JPEG; None where it is too small to stand for the picture, or none."""
    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumb.format != rawpy.ThumbFormat.JPEG:
        return None
    with Image.open(io.BytesIO(thumb.data)) as image:
        return thumb.data if max(image.size) >= _LEAST_PREVIEW else None


def _says_how_it_lies(preview: bytes) -> bool:
    with Image.open(io.BytesIO(preview)) as image:
        return ExifTags.Base.Orientation in image.getexif()


def _upright(picture: Strips, orientation: int) -> Strips:
    if orientation == 1:
        return picture
    pixels = turned(picture.whole(), orientation)
    on_its_side = orientation > 4
    height, width = (picture.width, picture.height) if on_its_side else (picture.height, picture.width)
    return Strips(height, width, iter([pixels]), picture.scale)
