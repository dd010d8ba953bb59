"""What decoding a picture holds in memory, known from its header, and the limit on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

#: The bomb limit: above the 108 megapixels of today's largest phone cameras.
MAX_PIXELS = 112_000_000
#: Of more threads, each with a process that decodes, no machine has use. imgsim_app has the same limit.
MOST_THREADS = 1024

# The limit on what a decoder holds, in bytes a pixel of `max_pixels`: 358 MB at the default, which with the model and
# what readers hold themselves stays below 600 MB. It lets every baseline JPEG through, PNG up to 90 megapixels, and the
# hungrier decoders up to their share.
_LIMIT_PER_PIXEL = 3.2

# Measured peaks, rounded up, with Pillow 13, libwebp, libavif and libheif. Pillow keeps colours in 4 bytes; libwebp's
# animation decoder (Pillow has no other) three canvases and a copy.
_BYTES_PER_PIXEL = {
    **{"PNG": 4, "BMP": 4, "GIF": 5, "JPEG": 4, "TIFF": 4, "WEBP": 16, "AVIF": 12, "HEIF": 9, "JXL": 16},
    **{"JPEG2000": 20, "PNM": 8, "TGA": 5, "PCX": 5, "DDS": 8, "PSD": 5, "ICO": 12, "ICNS": 12},
}

#: Says whether a decoder may take so many bytes now, by waiting until it may; returns what ends with them.
Admit = Callable[[int], AbstractContextManager]


class TooManyPixelsError(Exception):
    """The header promises more pixels than the limit, or than fit into its memory; the message gives the size."""


def admit_at_once(held: int) -> AbstractContextManager:
    """The `Admit` of a program that reads one picture at a time."""
    return nullcontext()


def held_by_pillow(kind: str, width: int, height: int) -> int:
    """Bytes that Pillow and its libraries hold at the most for a picture of this format and size."""
    return width * height * _BYTES_PER_PIXEL[kind]


def most_held(max_pixels: int) -> int:
    """Bytes that a decoder may hold where `max_pixels` is the limit."""
    return int(_LIMIT_PER_PIXEL * max_pixels)


def check_size(width: int, height: int, held: int, max_pixels: int) -> None:
    """Checks a picture's header before its decoder allocates anything.

    Args:
        width: In pixels.
        height: In pixels.
        held: Bytes that the decoder would hold at the most.
        max_pixels: The limit; see also `most_held`.

    Raises:
        TooManyPixelsError: One of the two is above its limit.
    """
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width} x {height}, limit {max_pixels} pixels")
    if held > most_held(max_pixels):
        megabytes = f"{held / 1e6:.0f} MB to decode, limit {most_held(max_pixels) / 1e6:.0f} MB"
        raise TooManyPixelsError(f"{width} x {height}, {megabytes} at {max_pixels} pixels")
