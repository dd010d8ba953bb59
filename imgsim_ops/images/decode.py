"""From a file to upright RGB pixels, or to the reason why not."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from PIL.Image import DecompressionBombError

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import open_regular, picture_error, size_of
from imgsim_ops.files.pages import split_page
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images.formats import ASIDE, HEAD_SIZE, PAGED, canvas_size, format_of, picture_format
from imgsim_ops.images.jpeg import TruncatedJpegError, decode_jpeg, require_end
from imgsim_ops.images.jxl import jxl_header
from imgsim_ops.images.memory import MAX_PIXELS, Admit, TooManyPixelsError, admit_at_once
from imgsim_ops.images.pillow import UnsupportedPixelsError, decode_with_pillow
from imgsim_ops.images.raw import decode_raw
from imgsim_ops.images.strips import Strips

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> np.ndarray:
    """Reads a picture as it is meant to be seen.

    JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF where Pillow has it and HEIC where pillow-heif is installed, told by content
    and never by name; of an animated or multi-page file the first frame. The EXIF orientation is applied. Transparency
    is composited on white: ``round((a * value + (255 - a) * 255) / 255)``. Greys of more than 8 bits
    are scaled by the white that the file names or its values need (docs/formats.md); of 16-bit colour Pillow keeps the
    upper byte. CMYK and YCCK become RGB
    without a profile, with Adobe's inversion undone; embedded profiles are left alone. Greyscale and palette become
    RGB.

    A program that sets Pillow's global ``LOAD_TRUNCATED_IMAGES`` gets truncated files of other formats than JPEG as
    pictures here too.

    Args:
        path: The file; links are followed. Or its `Content`, or a page of it, see ``files.pages``.
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
        name, page = split_page(path)
        file = stack.enter_context(open_regular(name))
        if page is None:
            yield _decoded(path, file, max_pixels, min_side, admit, stack)
        else:
            yield _decoded_page(path, name, file, page, max_pixels, admit, stack)


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
        picture = decode_with_pillow(file, kind, canvas, max_pixels, admit, stack)
        if kind == "JPEG":
            require_end(file)
        return picture


def _decoded_page(
    path: str | os.PathLike[str],
    name: str | os.PathLike[str],
    file: BinaryIO,
    page: int,
    max_pixels: int,
    admit: Admit,
    stack: ExitStack,
) -> Strips:
    """A page of the file of this name, as what messages call by the path."""
    with picture_errors(path, file):
        kind = format_of(file, name) or ""
        if kind not in PAGED:
            raise picture_error(Reason.NOT_A_PICTURE, path, f"{kind or 'what it is'} has no pages that are looked at")
        canvas = canvas_size(file.read(HEAD_SIZE), kind)
        file.seek(0)
        return decode_with_pillow(file, kind, canvas, max_pixels, admit, stack, page)


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
    except (TooManyPixelsError, DecompressionBombError) as error:
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
    ended = isinstance(error.__cause__ or error, EOFError | IndexError | struct.error) and not file.read(1)
    file.seek(0)
    head = file.read(HEAD_SIZE)
    kind = picture_format(head)
    if kind == "GIF" and ended:  # Pillow looks for the next block without asking whether there is one
        file.seek(-1, os.SEEK_END)
        return Reason.DAMAGED if file.read(1) == b";" else Reason.TRUNCATED
    promised = 0  # how many bytes the header says there are at least
    if kind == "WEBP":
        promised = 8 + int.from_bytes(head[4:8], "little")
    elif kind == "TIFF":  # the offset of its directory, which many writers put at the end
        order: Literal["little", "big"] = "little" if head[:1] == b"I" else "big"
        promised = int.from_bytes(head[8:16] if head[2:4] in (b"+\0", b"\0+") else head[4:8], order) + 2
    return Reason.TRUNCATED if promised > size_of(file) else Reason.DAMAGED
