"""Decoding with Pillow: every promised format, exact."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# Image.open would add Pillow's global bomb limit, whose warning starts below the pictures that imgsim
# promises to read, and would try formats that the content has already ruled out.
_READERS = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}

# What undoes each value of the EXIF tag Orientation (CIPA DC-008, "Orientation"); 1 needs nothing.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_STRIP_BYTES = 1 << 20
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0


class UnsupportedPixelsError(Exception):
    """The pixels have no agreed look as 8-bit RGB; the message names their kind."""


class TooManyPixelsError(Exception):
    """The header promises more pixels than the limit; the message gives the size."""


class _QuietPillow:
    """A context that ignores the warnings of Pillow's own modules, in any number of threads at once.

    Pillow warns of every odd tag. Where the user's program turns warnings into errors that would lose a
    sound picture; elsewhere it would write into the progress bar. `warnings.catch_warnings` saves and
    restores a list that all threads share, so two that overlap can leave a filter behind: here the first
    one in adds one filter, which touches Pillow only, and the last one out takes exactly that one away.
    """

    def __init__(self):
        self._lock = Lock()
        self._depth = 0
        self._filter = None

    def __enter__(self):
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]

    def __exit__(self, *exception):
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._filter in warnings.filters:
                warnings.filters.remove(self._filter)


_quiet_pillow = _QuietPillow()


def decode_with_pillow(file: BinaryIO, kind: str, max_pixels: int) -> np.ndarray:
    """Decodes an open picture to upright RGB.

    Args:
        file: The file, at its beginning.
        kind: One of the formats that `opening.picture_format` tells.
        max_pixels: A picture whose header promises more is refused before its pixels are decoded.

    Returns:
        uint8 (H, W, 3), RGB, C-contiguous, as `decode.decode` describes it.

    Raises:
        TooManyPixelsError: see `max_pixels`.
        UnsupportedPixelsError: 32-bit and floating-point greys, and pixels that Pillow cannot turn to RGB.
        Exception: whatever Pillow raises for content that it refuses; it promises no set of types.
    """
    with _quiet_pillow, _READERS[kind](file) as image:
        if image.width * image.height > max_pixels:
            raise TooManyPixelsError(f"{image.width} x {image.height}")
        image.load()
        orientation = _orientation(image)  # PNG may carry its EXIF behind the pixels: only now is it known
        rgb = _to_rgb(image)
        if orientation in _UPRIGHT:
            rgb = rgb.transpose(_UPRIGHT[orientation])
        return _to_array(rgb)


def _to_array(rgb: Image.Image) -> np.ndarray:
    # Pillow hands pixels over as bytes in small pieces that it joins, and NumPy copies them. For a whole
    # 12-megapixel picture that takes as long as decoding it; strips of a size that stays in the cache
    # take a third of that.
    width, height = rgb.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_BYTES // (3 * width))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = rgb.crop((0, top, width, bottom)).tobytes()
        pixels[top:bottom] = np.frombuffer(strip, np.uint8).reshape(bottom - top, width, 3)
    return pixels


@contextmanager
def reused_memory(threads: int) -> Iterator[None]:
    """While it lasts Pillow keeps up to 64 MiB a thread for the next picture instead of returning it.

    Fresh memory costs a page fault each 4 KiB, which for a folder of 12-megapixel pictures is a third of
    all work, and threads wait for each other there.

    Args:
        threads: How many threads decode.
    """
    blocks = Image.core.get_blocks_max()  # of 16 MiB; a 12-megapixel picture takes three
    Image.core.set_blocks_max(max(blocks, 4 * threads))
    try:
        yield
    finally:
        Image.core.set_blocks_max(blocks)


def _orientation(image: ImageFile.ImageFile) -> int | None:
    try:
        return image.getexif().get(_ORIENTATION)
    except (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        # Broken EXIF must not lose the picture: its pixels are sound, and it is shown as it is stored.
        return None


def _to_rgb(image: ImageFile.ImageFile) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _sixteen_bit_to_rgb(image)
    if image.mode in ("I", "F"):
        raise UnsupportedPixelsError(f"{image.mode} pixels have no agreed white; save it with 8 or 16 bits")
    try:
        if "A" in image.getbands() or image.mode == "PA" or "transparency" in image.info:
            return _on_white(image.convert("RGBA"))
        return image if image.mode == "RGB" else image.convert("RGB")
    except (ImportError, ValueError) as error:
        raise UnsupportedPixelsError(f"{image.mode} pixels: {error}") from error


def _on_white(rgba: Image.Image) -> Image.Image:
    # Per channel: round((alpha * value + (255 - alpha) * 255) / 255), exactly.
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _sixteen_bit_to_rgb(image: ImageFile.ImageFile) -> Image.Image:
    # Pillow's own convert clips at 255, which turns nearly every 16-bit picture white.
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0]
    largest = (1 << bits) - 1
    values = np.arange(1 << 16)
    look = ((values * 255 + largest // 2) // largest).clip(max=255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:  # Pillow inverts 8-bit pictures only
        look = 255 - look
    stored = np.asarray(image)
    grey = look[stored]
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[stored == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
