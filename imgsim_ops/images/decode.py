"""From a file to upright RGB pixels, or to the reason why not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImageError
from imgsim_ops.images.opening import HEAD_SIZE, canvas_size, open_regular, picture_error, picture_format
from imgsim_ops.images.pillow import TooManyPixelsError, UnsupportedPixelsError, decode_with_pillow
from imgsim_ops.images.reasons import Reason

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np

#: The bomb limit: 128 Mi pixels, above the 108 megapixels of today's largest phone cameras. A picture at
#: the limit takes 0.5 GB inside the decoder and 0.4 GB as the array.
MAX_PIXELS = 1 << 27


def decode(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads a picture as it is meant to be seen.

    JPEG, PNG, WebP, GIF, BMP and TIFF, told by content and never by name; of an animated or multi-page
    file the first frame. The EXIF orientation is applied. Transparency is composited on white:
    ``round((a * value + (255 - a) * 255) / 255)``. 16-bit grey v becomes ``round(v / 257)``, 12-bit TIFF
    ``round(v * 255 / 4095)``; of 16-bit colour Pillow keeps the upper byte. CMYK and YCCK become RGB without
    a profile, with Adobe's inversion undone; embedded profiles are left alone. Greyscale and palette become
    RGB.

    A program that sets Pillow's global ``LOAD_TRUNCATED_IMAGES`` gets truncated files as pictures here too.

    Args:
        path: The file; links are followed.
        max_pixels: A picture whose header promises more than this is refused before it is decoded.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        ImageError: the file is not a whole, sound, regular picture; `ImageError.code` is one of
            `Reason`'s codes.
    """
    with open_regular(path) as file:
        head, kind = b"", None
        try:
            head = file.read(HEAD_SIZE)
            kind = picture_format(head)
            if kind is None:
                raise picture_error(Reason.NOT_A_PICTURE, path)
            canvas = canvas_size(head, kind)
            if canvas and canvas[0] * canvas[1] > max_pixels:
                raise TooManyPixelsError(f"{canvas[0]} x {canvas[1]}")
            file.seek(0)
            return decode_with_pillow(file, kind, max_pixels)
        except ImageError:
            raise
        except TooManyPixelsError as error:
            raise picture_error(Reason.TOO_LARGE, path, f"{error}, limit {max_pixels} pixels") from error
        except UnsupportedPixelsError as error:
            raise picture_error(Reason.UNSUPPORTED, path, str(error)) from error
        except MemoryError as error:
            raise picture_error(Reason.OUT_OF_MEMORY, path) from error
        except Exception as error:  # decoders promise no set of types for bytes that somebody broke
            raise picture_error(_blame(error, file, head, kind), path, str(error)) from error


def _blame(error: Exception, file: BinaryIO, head: bytes, kind: str | None) -> Reason:
    """Tells a failing disk and a file that ends early from bad content."""
    if isinstance(error, OSError) and error.errno is not None:
        return Reason.UNREADABLE
    if "truncated" in str(error).lower():
        return Reason.TRUNCATED
    promised = 0  # how many bytes the header says there are at least
    if kind == "WEBP":
        promised = 8 + int.from_bytes(head[4:8], "little")
    elif kind == "TIFF":  # the offset of its directory, which many writers put at the end
        order = "little" if head[:1] == b"I" else "big"
        promised = int.from_bytes(head[8:16] if head[2:4] in (b"+\0", b"\0+") else head[4:8], order) + 2
    return Reason.TRUNCATED if promised > os.fstat(file.fileno()).st_size else Reason.DAMAGED
