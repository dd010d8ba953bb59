"""Decoding with Pillow: every promised format, whole."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from imgsim_ops.images.memory import Admit, check_size, held_by_pillow
from imgsim_ops.images.orientation import Box, upright_size, upright_strips, upright_transpose
from imgsim_ops.images.strips import Strips

# Image.open would add Pillow's global bomb limit, whose warning starts below the pictures that imgsim
# promises to read, and would try formats that the content has already ruled out.
_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
# What to install where a reader is not there.
_HOW_TO_READ = {"AVIF": "Pillow 11.3 or newer with AVIF", "HEIF": "pip install 'imgsim-ops[heic]'"}

_TIFF_BITS_PER_SAMPLE = 258
_TIFF_ROWS_PER_STRIP = 278
_TIFF_TILE_SIZE = (322, 323)
_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0
_TIFF_PLANES, _TIFF_SEPARATE = 284, 2
_CHANNELS = ("R", "G", "B", "A")


class UnsupportedPixelsError(Exception):
    """The pixels have no agreed look as 8-bit RGB, or nothing here reads them; the message says which."""


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


quiet_pillow = _QuietPillow()


def decode_with_pillow(
    file: BinaryIO, kind: str, canvas: tuple[int, int] | None, max_pixels: int, admit: Admit, stack: ExitStack
) -> Strips:
    """Decodes an open picture to upright RGB.

    Args:
        file: The file, at its beginning.
        kind: One of the formats that `opening.picture_format` tells.
        canvas: Width and height of formats whose decoders allocate them when they open the file.
        max_pixels: A picture whose header promises more, or would take more memory to decode than
            `memory.check_size` allows for so many, is refused before its pixels are decoded.
        admit: See `memory.Admit`.
        stack: Takes what lasts as long as the strips are needed.

    Returns:
        The picture as `decode.decode` describes it; only a strip at a time is turned to RGB.

    Raises:
        TooManyPixelsError: see `max_pixels`.
        UnsupportedPixelsError: 32-bit and floating-point greys, pixels that Pillow cannot turn to RGB, and formats
            whose reader is not installed.
        Exception: whatever Pillow raises for content that it refuses; it promises no set of types.
    """

    def let_in(width: int, height: int, more: int = 0) -> None:
        held = held_by_pillow(kind, width, height) + more
        check_size(width, height, held, max_pixels)
        stack.enter_context(admit(held))

    if canvas is not None:
        let_in(*canvas)
    with quiet_pillow:
        image = reader(kind)(file)
        stack.callback(image.close)
        if image.size != canvas:  # also where a GIF's first frame is larger than its canvas, which then grows
            let_in(*image.size, _held_besides(image))
        _load(image)
        look = _look(image)
        look(image.crop((0, 0, 1, 1)))  # so that what cannot be shown says so here
        transpose = upright_transpose(image)  # PNG may carry its EXIF behind the pixels: only now is it known

    def piece(box: Box) -> Image.Image:
        with quiet_pillow:
            return look(image.crop(box))

    return Strips(*upright_size(*image.size, transpose), upright_strips(*image.size, transpose, piece))


def reader(kind: str) -> type[ImageFile.ImageFile]:
    """The class of Pillow, or of a plugin, that reads a format; `UnsupportedPixelsError` where it is not installed."""
    module, name = _READERS[kind]
    try:
        plugin = importlib.import_module(module)
    except ImportError:
        plugin = None
    if not getattr(plugin, "SUPPORTED", plugin is not None):  # Pillow's own may be there without their library
        raise UnsupportedPixelsError(f"{kind} needs {_HOW_TO_READ.get(kind, module)}")
    return getattr(plugin, name)


def _held_besides(image: ImageFile.ImageFile) -> int:
    """Bytes that a decoder holds besides the picture, where the header tells."""
    if image.info.get("progressive"):  # the coefficients of a JPEG, of up to four colours, until its end
        return 8 * image.width * image.height
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # libtiff decodes a strip or a tile at a time
        tile = [image.tag_v2.get(tag) for tag in _TIFF_TILE_SIZE]
        if all(tile):
            return 4 * tile[0] * tile[1]
        return 4 * image.width * min(image.tag_v2.get(_TIFF_ROWS_PER_STRIP, image.height), image.height)
    return 0


def _load(image: Image.Image) -> None:
    """Decodes an image, which brings a TIFF upright and finds the EXIF that PNG has behind its pixels."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _mend_planes(image)
    image.load()
    # A BMP has four bytes for a pixel for the sake of speed: where the fourth are all 0, they mean nothing.
    if image.format == "BMP" and image.mode == "RGBA" and image.getextrema()[-1] == (0, 0):
        image.putalpha(255)


def _mend_planes(image: TiffImagePlugin.TiffImageFile) -> None:
    """Pillow, up to 13 at least, reads the planes of an uncompressed TIFF with 16 bits as if they had 8."""
    tags = image.tag_v2
    if tags.get(_TIFF_PLANES) != _TIFF_SEPARATE or tags.get(_TIFF_BITS_PER_SAMPLE, (8,))[0] != 16:
        return
    order = "L" if tags.prefix == b"II" else "B"
    for index, tile in enumerate(image.tile):
        codec, extents, offset, args = tile
        if codec == "raw" and isinstance(args, tuple) and args[:1] and args[0] in _CHANNELS:
            make: Any = getattr(type(tile), "_make", tuple)  # Pillow 10 has plain tuples
            image.tile[index] = make((codec, extents, offset, (f"{args[0]};16{order}", *args[1:])))


def _look(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How a piece of the picture becomes RGB."""
    if image.mode.startswith("I;16"):
        return _sixteen_bit_look(image)
    if image.mode in ("I", "F"):
        raise UnsupportedPixelsError(f"{image.mode} pixels have no agreed white; save it with 8 or 16 bits")
    return _eight_bit_look


def _eight_bit_look(piece: Image.Image) -> Image.Image:
    try:
        if "A" in piece.getbands() or piece.mode == "PA" or "transparency" in piece.info:
            return _on_white(piece.convert("RGBA"))
        return piece if piece.mode == "RGB" else piece.convert("RGB")
    except (ImportError, ValueError) as error:
        raise UnsupportedPixelsError(f"{piece.mode} pixels: {error}") from error


def shown(image: Image.Image) -> np.ndarray:
    """The pixels of an image of Pillow, upright and on white: uint8 RGB (H, W, 3).

    Raises:
        UnsupportedPixelsError: See `decode_with_pillow`.
    """
    with quiet_pillow:
        _load(image)
        transpose = upright_transpose(image)
        pixels = _look(image)(image)
    return np.array(pixels if transpose is None else pixels.transpose(transpose))


def upright_alpha(file: BinaryIO) -> Image.Image | None:
    """The alpha channel of a sound picture, upright; None where nothing shines through."""
    with Image.open(file) as image:
        _load(image)
        transpose = upright_transpose(image)
        channel = image.convert("RGBA").getchannel("A")
    if channel.getextrema() == (255, 255):
        return None
    return channel if transpose is None else channel.transpose(transpose)


def _on_white(rgba: Image.Image) -> Image.Image:
    # Per channel: round((alpha * value + (255 - alpha) * 255) / 255), exactly.
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _sixteen_bit_look(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    # Pillow's own convert clips at 255, which turns nearly every 16-bit picture white.
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0]
    largest = (1 << bits) - 1
    values = np.arange(1 << 16)
    shown = ((values * 255 + largest // 2) // largest).clip(max=255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:  # Pillow inverts 8-bit pictures only
        shown = 255 - shown
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        shown[transparent] = 255
    return lambda piece: Image.fromarray(shown[np.asarray(piece)]).convert("RGB")
