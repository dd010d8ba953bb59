"""Opening a file that may be anything, and telling a picture's type by its content."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from imgsim_ops.errors import ImageError
from imgsim_ops.images.names import printable
from imgsim_ops.images.reasons import Reason

_LARGE_READ = 1 << 20

#: How many bytes of a file's beginning `picture_format` and `canvas_size` want to see.
HEAD_SIZE = 32

# Of pictures coded with HEVC, still and in sequence (ISO/IEC 23008-12, annex B). mif1 and msf1, which name only the
# container, are left out: files of those that we could read name one of these, or AVIF's, too.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")

# Opening a FIFO for reading blocks until somebody writes, and opening some devices acts on them. `stat`
# tells them apart first; O_NONBLOCK covers the moment between that look and the opening. Windows knows
# only O_BINARY of these.
_OPEN_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY", "O_NOINHERIT"):
    _OPEN_FLAGS |= getattr(os, _name, 0)


def picture_error(reason: Reason, path: str | os.PathLike[str], detail: str = "") -> ImageError:
    """Returns the error for a file that cannot be read; `detail` adds to the reason's sentence."""
    detail = f": {printable(detail)}" if detail else ""
    return ImageError(reason.code, f"decode: {reason.sentence} (got {printable(path)}{detail})")


def picture_format(head: bytes) -> str | None:
    """Tells a picture's format by its first bytes.

    Args:
        head: The first `HEAD_SIZE` bytes of a file, fewer where it is shorter.

    Returns:
        ``JPEG``, ``PNG``, ``WEBP``, ``GIF``, ``BMP``, ``TIFF``, ``AVIF`` or ``HEIF``; None for anything else.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    # Two letters are a weak signature: ask also for one of the header lengths that BMP has had (12 to 124).
    if head.startswith(b"BM") and len(head) >= 18 and 12 <= int.from_bytes(head[14:18], "little") <= 124:
        return "BMP"
    return _boxed_format(head)


def _boxed_format(head: bytes) -> str | None:
    """AVIF and HEIF begin with a box that lists brands: the main one at 8, compatible ones from 16 on."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "AVIF"
    return "HEIF" if any(brand in _HEIF_BRANDS for brand in brands) else None


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


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a regular, non-empty file for reading, and nothing else: no pipe, socket, device or folder.

    Args:
        path: The file; links are followed.

    Yields:
        The open file, at its beginning.

    Raises:
        ImageError: with the code ``missing``, ``broken_link``, ``unreadable``, ``folder``, ``special`` or
            ``empty``.
    """
    try:
        _require_regular(os.stat(path), path)
        descriptor = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise _opening_error(error, path) from error
    with _File(io.FileIO(descriptor)) as file:
        _require_regular(os.fstat(descriptor), path)
        yield file


class _File(io.BufferedReader):
    def read(self, size: int | None = -1) -> bytes:
        # Python takes memory for all that is asked for, however little there is: broken headers ask for gigabytes.
        if size is not None and size > _LARGE_READ:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def _require_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise picture_error(Reason.FOLDER if os.access(path, os.R_OK | os.X_OK) else Reason.UNREADABLE, path)
    if not stat.S_ISREG(status.st_mode):
        raise picture_error(Reason.SPECIAL, path)
    if status.st_size == 0:
        raise picture_error(Reason.EMPTY, path)


def _opening_error(error: OSError | ValueError, path: str | os.PathLike[str]) -> ImageError:
    if isinstance(error, ValueError):  # a name with a NUL character names no file
        return picture_error(Reason.MISSING, path)
    if error.errno == errno.ELOOP:
        return picture_error(Reason.BROKEN_LINK, path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return picture_error(Reason.BROKEN_LINK if os.path.islink(path) else Reason.MISSING, path)
    if error.errno == errno.ENXIO:  # a socket, or a pipe that took the file's place
        return picture_error(Reason.SPECIAL, path)
    return picture_error(Reason.UNREADABLE, path, error.strerror or "")
