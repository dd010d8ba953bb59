"""Opening a file that may be anything."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from imgsim_ops.errors import ImageError
from imgsim_ops.files.reasons import Reason

_LARGE_READ = 1 << 20

# Opening a FIFO for reading blocks until somebody writes, and opening some devices acts on them. `stat`
# tells them apart first; O_NONBLOCK covers the moment between that look and the opening. Windows knows
# only O_BINARY of these.
_OPEN_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY", "O_NOINHERIT"):
    _OPEN_FLAGS |= getattr(os, _name, 0)


class Content(os.PathLike[str]):
    """The bytes of a file that is on no disk, which stands wherever a path to read does.

    Attributes:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        """Of all bytes of a file."""
        self.data = data

    def __fspath__(self) -> str:
        """What messages call it; it leads nowhere."""
        return f"<{len(self.data)} bytes>"


def picture_error(reason: Reason, path: str | os.PathLike[str], detail: str = "") -> ImageError:
    """Returns the error for a file that cannot be read; `detail` adds to the reason's sentence."""
    return ImageError(reason.code, reason.message("decode", path, detail))


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a regular, non-empty file for reading, and nothing else: no pipe, socket, device or folder.

    Args:
        path: The file; links are followed. Or its `Content`.

    Yields:
        The open file, at its beginning.

    Raises:
        ImageError: with the code ``missing``, ``broken_link``, ``unreadable``, ``folder``, ``special`` or
            ``empty``.
    """
    if isinstance(path, Content):
        if not path.data:
            raise picture_error(Reason.EMPTY, path)
        yield io.BytesIO(path.data)
        return
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


def size_of(file: BinaryIO) -> int:
    """The bytes of an open file, which is left where it is."""
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size


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
