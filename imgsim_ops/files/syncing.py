"""Waiting until the disk has what was written, so that it outlasts a loss of power."""

from __future__ import annotations

import errno
import os

# What a folder answers that cannot be synced by itself; the order of its changes is then the file system's affair.
_NO_SYNC = {errno.EINVAL, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF}


def sync_file(path: str | os.PathLike[str]) -> None:
    """Waits until the disk has a file that others have written.

    Raises:
        OSError: It is missing, must not be written, or the disk refuses.
    """
    with open(path, "rb+") as file:  # Windows syncs nothing that is open for reading only
        os.fsync(file.fileno())


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Waits until the disk has the names in a folder, where the system can; Windows cannot open folders.

    Raises:
        OSError: It is missing or no folder, or the disk fails.
    """
    if os.name != "posix":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
