"""Whether a file is still the one that was looked at.

Two questions, and neither answers the other. An index that is asked days later knows a size and a time, which a copy of
the whole tree keeps: `has_size_and_time`. Who has just read a file and is about to act on it wants that very file, and
nobody to have touched it: `is_untouched`.
"""

from __future__ import annotations

import os

_MOST = 2**63 - 1


def has_size_and_time(path: str | os.PathLike[str], size: int, modified: int) -> bool:
    """Whether a path leads to something of this size and time of last change.

    Args:
        path: Any; links are followed.
        size: Bytes.
        modified: Nanoseconds since 1970. A change within one tick of the file system's clock leaves it as it is.
    """
    try:
        return size_and_time(os.stat(path)) == (size, modified)
    except (OSError, ValueError):  # a name with a NUL character names no file
        return False


def size_and_time(status: os.stat_result) -> tuple[int, int]:
    """Bytes, and the time of the last change in nanoseconds since 1970, as a database can hold it: 1678 to 2262."""
    return status.st_size, min(max(status.st_mtime_ns, -_MOST), _MOST)


def is_untouched(path: str | os.PathLike[str], status: os.stat_result) -> bool:
    """Whether a path still leads to the same file, and nobody has written to it.

    Args:
        path: Any; links are not followed.
        status: Of the file, when it was looked at.
    """
    try:
        return identity(os.lstat(path)) == identity(status)
    except OSError:
        return False


def identity(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written to: device, inode, size and both times."""
    return (status.st_dev, status.st_ino, *size_and_time(status), status.st_ctime_ns)


def same_file(a: os.stat_result, b: os.stat_result) -> bool:
    """Whether two statuses are of one file, whatever has become of it in between."""
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
