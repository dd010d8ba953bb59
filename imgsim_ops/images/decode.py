"""From a file to upright RGB pixels, or to the reason why not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import open_regular, picture_error, size_of
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images.formats import ASIDE, HEAD_SIZE, canvas_size, format_of, picture_format
from imgsim_ops.images.jpeg import TruncatedJpegError, decode_jpeg
from imgsim_ops.images.jxl import jxl_header
from imgsim_ops.images.memory import MAX_PIXELS, Admit, TooManyPixelsError, admit_at_once
from imgsim_ops.images.pillow import UnsupportedPixelsError, decode_with_pillow
from imgsim_ops.images.raw import decode_raw
from imgsim_ops.images.strips import Strips

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np

#: Goes up whenever a file that was no picture may be one now: collections try again what an older one has refused.
READERS = 1


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> np.ndarray:
    """Reads a picture as it is meant to be seen.

    JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF where Pillow has it and HEIC where pillow-heif is installed, told by content
    and never by name; of an animated or multi-page file the first frame. The EXIF orientation is applied. Transparency
    is composited on white: ``round((a * value + (255 - a) * 255) / 255)``. 16-bit grey v becomes ``round(v / 257)``,
    12-bit TIFF ``round(v * 255 / 4095)``; of 16-bit colour Pillow keeps the upper byte. CMYK and YCCK become RGB
    without a profile, with Adobe's inversion undone; embedded profiles are left alone. Greyscale and palette become
    RGB.

    A program that sets Pillow's global ``LOAD_TRUNCATED_IMAGES`` gets truncated files of other formats than JPEG as
    pictures here too.

    Args:
        path: The file; links are followed. Or its `Content`.
        max_pixels: A picture whose header promises more than this is refused before it is decoded; likewise one whose
            decoder would hold over 3.2 bytes for each of them: at the default limit PNG and BMP from 90 megapixels on,
            HEIC from 40, AVIF from 30, WebP from 22.
        min_side: A JPEG may be decoded to a half, a quarter or an eighth of its size as long as its shorter side keeps
            this many pixels. None: all.

    Returns:
        uint8 (H, W, 3), RGB, C-contiguous.

    Raises:
        ImageError: the file is not a whole, sound, regular picture; `ImageError.code` is one of
            `Reason`'s codes.
    """
    with decoded(path, max_pixels=max_pixels, min_side=min_side) as picture:
        return picture.whole()


@contextmanager
def decoded(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    min_side: int | None = None,
    admit: Admit = admit_at_once,
) -> Iterator[Strips]:
    """`decode` for who needs no more than a strip of the picture at a time.

    Args:
        path: As in `decode`.
        max_pixels: As in `decode`.
        min_side: As in `decode`.
        admit: Called with the bytes that the decoder will hold at the most, before it takes them.

    Yields:
        The picture, which can be gone through inside the context.

    Raises:
        ImageError: As in `decode`, before anything is yielded.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        yield _decoded(path, file, max_pixels, min_side, admit, stack)


def _decoded(
    path: str | os.PathLike[str],
    file: BinaryIO,
    max_pixels: int,
    min_side: int | None,
    admit: Admit,
    stack: ExitStack,
) -> Strips:
    with picture_errors(path, file):
        kind = format_of(file, path)
        if kind is None or kind in ASIDE:
            raise picture_error(Reason.NOT_A_PICTURE, path, kind or "")
        head = file.read(HEAD_SIZE)
        file.seek(0)
        if kind == "RAW":
            return decode_raw(file, max_pixels, min_side, admit, stack)
        if kind == "JPEG":
            picture = decode_jpeg(file, size_of(file), max_pixels, min_side, admit, stack)
            if picture is not None:
                return picture
            file.seek(0)
        header = jxl_header(file) if kind == "JXL" else None
        canvas = canvas_size(head, kind) if header is None else (header.width, header.height)
        return decode_with_pillow(file, kind, canvas, max_pixels, admit, stack)


@contextmanager
def picture_errors(path: str | os.PathLike[str], file: BinaryIO) -> Iterator[None]:
    """Whatever decoders raise, as the reason why an open picture cannot be read.

    Raises:
        ImageError: Anything else was raised inside.
    """
    try:
        yield
    except ImageError:
        raise
    except TooManyPixelsError as error:
        raise picture_error(Reason.TOO_LARGE, path, str(error)) from error
    except UnsupportedPixelsError as error:
        raise picture_error(Reason.UNSUPPORTED, path, str(error)) from error
    except TruncatedJpegError as error:
        raise picture_error(Reason.TRUNCATED, path, str(error)) from error
    except MemoryError as error:
        raise picture_error(Reason.OUT_OF_MEMORY, path) from error
    except Exception as error:  # decoders promise no set of types for bytes that somebody broke
        raise picture_error(_blame(error, file), path, str(error)) from error


def _blame(error: Exception, file: BinaryIO) -> Reason:
    """Tells a failing disk and a file that ends early from bad content."""
    # EINVAL and EOVERFLOW come of a seek to where no file reaches, as a broken header may ask.
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL, errno.EOVERFLOW):
        return Reason.UNREADABLE
    if "truncated" in str(error).lower():
        return Reason.TRUNCATED
    file.seek(0)
    head = file.read(HEAD_SIZE)
    kind = picture_format(head)
    promised = 0  # how many bytes the header says there are at least
    if kind == "WEBP":
        promised = 8 + int.from_bytes(head[4:8], "little")
    elif kind == "TIFF":  # the offset of its directory, which many writers put at the end
        order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
        promised = int.from_bytes(head[8:16] if head[2:4] in (b"+\0", b"\0+") else head[4:8], order) + 2
    return Reason.TRUNCATED if promised > size_of(file) else Reason.DAMAGED
