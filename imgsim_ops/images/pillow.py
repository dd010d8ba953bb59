"""Decoding with Pillow: every promised format, whole."""

from __future__ import annotations

import importlib
import struct
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, PsdImagePlugin, TgaImagePlugin, TiffImagePlugin

from imgsim_ops.images.icons import largest_of_icns, largest_of_ico
from imgsim_ops.images.memory import Admit, check_size, held_by_pillow
from imgsim_ops.images.orientation import Box, upright_size, upright_strips, upright_transpose
from imgsim_ops.images.png import PngPicture
from imgsim_ops.images.strips import Strips

# Image.open would add Pillow's global bomb limit, whose warning starts below the pictures that imgsim
# promises to read, and would try formats that the content has already ruled out.
_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "JXL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "PNM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "TGA": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "PCX": ("PIL.PcxImagePlugin", "PcxImageFile"),
    "DDS": ("PIL.DdsImagePlugin", "DdsImageFile"),
    "PSD": ("PIL.PsdImagePlugin", "PsdImageFile"),
}
_ICONS = {"ICO": largest_of_ico, "ICNS": largest_of_icns}
#: Frames that are laid over each other are held as often as a decoder of animations does: see `memory.held_by_pillow`.
ANIMATED = ("GIF", "PNG", "WEBP")
# What to install where a reader is not there.
_HOW_TO_READ = {
    "AVIF": "Pillow 11.3 or newer with AVIF",
    "HEIF": "pip install 'imgsim-ops[heic]'",
    "JXL": "pip install 'imgsim-ops[jxl]'",
}

_TIFF_BITS_PER_SAMPLE = 258
_TIFF_ROWS_PER_STRIP = 278
_TIFF_TILE_SIZE = (322, 323)
_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0
_TIFF_PLANES, _TIFF_SEPARATE = 284, 2
_TIFF_WHITE_LEVEL = 50717
_CHANNELS = ("R", "G", "B", "A")
_PSD_VERSION_INFO = 1057
_PSD_MODES = (0, 1, 2, 3, 4, 8)  # bitmap, grey, palette, RGB, CMYK, duotone; not multichannel, not Lab
_TGA_DESCRIPTOR_AT, _TGA_ALPHA_BITS = 17, 0x0F
# The largest values of 16-bit greys that use fewer bits, as cameras and scanners write them.
_USED = tuple((1 << bits) - 1 for bits in (8, 10, 12, 14, 16))
_FOUR_BYTES = ("BMP", "ICO", "TGA", "DDS")
# On white, a picture of nothing darker than this shows nothing.
_NEARLY_WHITE = 250
_STRIP_ROWS = 256


class UnsupportedPixelsError(Exception):
    """The pixels have no agreed look as 8-bit RGB, or nothing here reads them; the message says which."""


#: What Pillow raises for a header that is broken, or that it does not know.
BROKEN = (
    ArithmeticError,
    Image.DecompressionBombError,
    LookupError,
    OSError,
    RuntimeError,  # by libavif
    SyntaxError,
    TypeError,
    UnsupportedPixelsError,
    ValueError,
    struct.error,
)


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
    file: BinaryIO,
    kind: str,
    canvas: tuple[int, int] | None,
    max_pixels: int,
    admit: Admit,
    stack: ExitStack,
    page: int = 1,
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
        page: Of a format of ``formats.PAGED`` which frame or page, from 1 on.

    Returns:
        The picture as `decode.decode` describes it; only a strip at a time is turned to RGB.

    Raises:
        TooManyPixelsError: see `max_pixels`.
        UnsupportedPixelsError: 32-bit and floating-point greys, pixels that Pillow cannot turn to RGB, and formats
            whose reader is not installed.
        Exception: whatever Pillow raises for content that it refuses; it promises no set of types.
    """

    def let_in(width: int, height: int, more: int = 0) -> None:
        held = held_by_pillow("WEBP" if page > 1 and kind in ANIMATED else kind, width, height) + more
        check_size(width, height, held, max_pixels)
        stack.enter_context(admit(held))

    if canvas is not None:
        let_in(*canvas)
    with quiet_pillow:
        image = opened(file, kind, let_in)
        stack.callback(image.close)
        if image.size != canvas:  # also where a GIF's first frame is larger than its canvas, which then grows
            let_in(*image.size, held_besides(image))
        if page > 1:
            before = image.size
            if not goes_to(image, page - 1):
                raise ValueError("there is no such page")
            if image.size != before:
                let_in(*image.size, held_besides(image))
        return strips_of(image)


def goes_to(image: Image.Image, number: int) -> bool:
    """Goes to a frame, from 0 on; returns whether there is one."""
    try:
        with quiet_pillow:
            image.seek(number)
    except EOFError:
        return False
    return True


def strips_of(image: Image.Image) -> Strips:
    """What an opened image shows, of a file with frames the one that it is at, upright and as RGB, once decoded.

    Raises:
        UnsupportedPixelsError: See `decode_with_pillow`.
        Exception: Likewise.
    """
    with quiet_pillow:
        _load(image)
        look, backdrop = _look(image)
        transpose = _transpose(image)  # PNG may carry its EXIF behind the pixels: only now is it known

    def piece(box: Box) -> Image.Image:
        with quiet_pillow:
            return look(image.crop(box))

    strips = upright_strips(*image.size, transpose, piece)
    return Strips(*upright_size(*image.size, transpose), strips, backdrop=backdrop)


def _transpose(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture upright; nothing of a JPEG XL, but where it is a JPEG: its decoder has done it."""
    turned = image.format == "JXL" and not getattr(image, "jpeg", None)
    return None if turned else upright_transpose(image)


def opened(file: BinaryIO, kind: str, let_in: Callable[[int, int], None] = lambda width, height: None) -> Image.Image:
    """A picture of which the header is read.

    Args:
        file: At its beginning.
        kind: See `decode_with_pillow`.
        let_in: Called with width and height where pixels are decoded at once.

    Raises:
        UnsupportedPixelsError: See `decode_with_pillow`.
        Exception: Whatever Pillow raises.
    """
    if kind in _ICONS:
        return _ICONS[kind](file, let_in)
    if kind == "PSD":
        _require_known_psd(file)
    try:
        image = reader_of(kind)(file)
    except SyntaxError as error:
        # Pixel mode, data organization, photometric mode of TIFF; bits and layers of JPEG
        if (kind, str(error).partition(" ")[0]) in (("TIFF", "unknown"), ("JPEG", "cannot")):
            raise UnsupportedPixelsError(f"{error} of {kind}") from error
        raise
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        _require_composite(image)
    return image


def _require_known_psd(file: BinaryIO) -> None:
    head = file.read(26)
    file.seek(0)
    if len(head) == 26:
        bits, mode = struct.unpack(">HH", head[22:])
        if bits not in (1, 8) or mode not in _PSD_MODES:
            raise UnsupportedPixelsError(f"PSD of {bits} bits, mode {mode}")


def _require_composite(image: PsdImagePlugin.PsdImageFile) -> None:
    """PSD holds layers, and a picture of all of them only where the program that wrote it was asked for that."""
    if any(number == _PSD_VERSION_INFO and data[4:5] == b"\0" for number, _, data in image.resources):
        raise UnsupportedPixelsError("PSD without a picture of all its layers")


def reader_of(kind: str) -> Callable[[BinaryIO], ImageFile.ImageFile]:
    """What opens a format.

    Raises:
        UnsupportedPixelsError: It is not installed, or nothing here reads it.
    """
    if kind == "PNG":
        return PngPicture
    if kind not in _READERS:
        raise UnsupportedPixelsError(f"{kind} is not read here")
    module, name = _READERS[kind]
    try:
        plugin = importlib.import_module(module)
    except ImportError:
        plugin = None
    if not getattr(plugin, "SUPPORTED", plugin is not None):  # Pillow's own may be there without their library
        raise UnsupportedPixelsError(f"{kind} needs {_HOW_TO_READ.get(kind, module)}")
    return getattr(plugin, name)


def held_besides(image: Image.Image) -> int:
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
    spare = isinstance(image, TgaImagePlugin.TgaImageFile) and _has_spare_alpha(image)
    image.load()
    if image.mode != "RGBA":
        return
    # Of PSD what is transparent lies on white already, or the channel is a saved selection. The others have four bytes
    # for a pixel for the sake of speed: where the fourth are all 0, they mean nothing.
    if spare or image.format == "PSD" or (image.format in _FOUR_BYTES and image.getextrema()[-1] == (0, 0)):
        image.putalpha(255)


def _has_spare_alpha(image: TgaImagePlugin.TgaImageFile) -> bool:
    image.fp.seek(_TGA_DESCRIPTOR_AT)
    return not image.fp.read(1)[0] & _TGA_ALPHA_BITS


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


def _look(image: Image.Image) -> tuple[Callable[[Image.Image], Image.Image], int]:
    """How a piece of the picture becomes RGB, and what lies behind it."""
    # Pillow reads 16-bit PNM as I, and brings it to 65535 whatever its own white is.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _sixteen_bit_look(image), 255
    if image.mode in ("I", "F"):
        raise UnsupportedPixelsError(f"{image.mode} pixels have no agreed white; save it with 8 or 16 bits")
    _eight_bit_look(image.crop((0, 0, 1, 1)), 255)  # so that what cannot be shown says so here
    backdrop = _backdrop(image)
    return lambda piece: _eight_bit_look(piece, backdrop), backdrop


def _eight_bit_look(piece: Image.Image, backdrop: int) -> Image.Image:
    try:
        if is_transparent(piece):
            return _on(piece.convert("RGBA"), backdrop)
        return piece if piece.mode == "RGB" else piece.convert("RGB")
    except (ImportError, ValueError) as error:
        raise UnsupportedPixelsError(f"{piece.mode} pixels: {error}") from error


def is_transparent(image: Image.Image) -> bool:
    """Whether some of an image is see-through, or may be."""
    return "A" in image.getbands() or image.mode == "PA" or "transparency" in image.info


def _backdrop(image: Image.Image) -> int:
    """What a picture is laid on: white, 255, or black, 0, where on white nothing would be left of what it shows."""
    if not is_transparent(image):
        return 255
    least, most = 255.0, 0.0
    for top in range(0, image.height, _STRIP_ROWS):
        rgba = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height))).convert("RGBA")
        colours: Any = _on(rgba, 255).getextrema()
        if min(low for low, _ in colours) < _NEARLY_WHITE:
            return 255
        extrema: Any = rgba.getchannel("A").getextrema()
        low, high = extrema
        least, most = min(least, low), max(most, high)
    return 0 if least < 255 and most > 0 else 255


def shown(image: Image.Image) -> np.ndarray:
    """The pixels of an image of Pillow, upright and on white: uint8 RGB (H, W, 3).

    Raises:
        UnsupportedPixelsError: See `decode_with_pillow`.
    """
    with quiet_pillow:
        _load(image)
        transpose = _transpose(image)
        look, _ = _look(image)
        pixels = look(image)
    return np.array(pixels if transpose is None else pixels.transpose(transpose))


def upright_alpha(file: BinaryIO, kind: str, page: int = 1) -> Image.Image | None:
    """The alpha channel of a sound picture, upright; None where nothing shines through."""
    with opened(file, kind) as image:
        goes_to(image, page - 1)
        return alpha_of(image)


def alpha_of(image: Image.Image) -> Image.Image | None:
    """The alpha channel of an opened image, or of the frame that it is at; see `upright_alpha`."""
    with quiet_pillow:
        _load(image)
        transpose = _transpose(image)
        channel = image.convert("RGBA").getchannel("A")
    if channel.getextrema() == (255, 255):
        return None
    return channel if transpose is None else channel.transpose(transpose)


def _on(rgba: Image.Image, backdrop: int) -> Image.Image:
    # Per channel: round((alpha * value + (255 - alpha) * backdrop) / 255), exactly.
    plain = Image.new("RGB", rgba.size, (backdrop,) * 3)
    plain.paste(rgba, mask=rgba.getchannel("A"))
    return plain


def _sixteen_bit_look(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    # Pillow's own convert clips at 255, which turns nearly every 16-bit picture white.
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0]
    largest = (1 << bits) - 1
    if bits == 16 and image.mode != "I":
        used = int(np.asarray(image).max(initial=0))
        white = tags.get(_TIFF_WHITE_LEVEL) or next(level for level in _USED if used <= level)
        largest = int(max(white)) if isinstance(white, tuple) else int(white)
    values = np.arange(1 << 16)
    shown = ((values * 255 + largest // 2) // largest).clip(max=255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:  # Pillow inverts 8-bit pictures only
        shown = 255 - shown
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        shown[transparent] = 255
    return lambda piece: Image.fromarray(shown[np.asarray(piece)]).convert("RGB")
