"""Whether a file is still the one that was looked at.

Two questions, and neither answers the other. An index that is asked days later knows a size and a time, which a copy of
the whole tree keeps: `has_size_and_time`. Both can be put back after a change; what tells then is `change_and_inode`,
though they differ for a restored backup too, so that who finds another has to look at the bytes. Who has just read a
file and is about to act on it wants that very file, and nobody to have touched it: `is_untouched`.

And whether two paths lead to one file: `same_file`, and `may_be_one` where it matters that they surely do not.
"""

from __future__ import annotations

import os
import time
import unicodedata

_MOST = 2**63 - 1
# Longer than a tick of any kernel's clock, a hundredth of a second, by which file systems tell the time of a change.
_TICK = 20_000_000


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
    return status.st_size, _bounded(status.st_mtime_ns)


def change_and_inode(status: os.stat_result) -> tuple[int, int]:
    """What a change leaves behind whose size and time were put back, as a database can hold it.

    Returns:
        The time of the last change of bytes or status, in nanoseconds since 1970, which nobody puts back; on Windows,
        where there is none, that of creation. And the inode: another one means another file of this name, or a server
        that gives out numbers anew. It is 0 where the two times are equal: then nobody has set one, or the file system
        has but one, as FAT and exFAT, whose numbers are new each time that a card or a drive is put in.
    """
    inode = 0 if status.st_ctime_ns == status.st_mtime_ns else status.st_ino & _MOST
    return _bounded(status.st_ctime_ns), inode


def changed_this_tick(status: os.stat_result) -> bool:
    """Whether a file was changed so short a time ago that another change may get the very same time."""
    clock = getattr(time, "CLOCK_REALTIME_COARSE", None)  # what Linux stamps files with; never behind a later stamp
    now = time.time_ns() if clock is None else time.clock_gettime_ns(clock)
    return 0 <= status.st_ctime_ns - now < _TICK


def _bounded(moment: int) -> int:
    return min(max(moment, -_MOST), _MOST)


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


def may_be_one(a: os.stat_result, b: os.stat_result) -> bool:
    """Whether two statuses, taken at about one time, may be of one file or folder, if only through two mounts.

    Two mounts of one server may have two device numbers; then inode, size and both times are equal, to the nanosecond.
    """
    return same_file(a, b) or (a.st_ino != 0 and identity(a)[1:] == identity(b)[1:])


def one_name(a: str, b: str) -> bool:
    """Whether two paths of the same file are the same entry of the same folder, so that removing one removes both.

    Args:
        a: A path of a file, no link.
        b: A path of the same file, no link: see `may_be_one`.

    Returns:
        False only when the file surely has two names, that is, for hard links.
    """
    if os.lstat(a).st_nlink == 1:
        return True
    if not may_be_one(*(os.stat(os.path.dirname(path) or ".") for path in (a, b))):
        return False
    # Some file systems hold names to be equal that differ in case, or in how accents are composed.
    names = {unicodedata.normalize("NFKC", os.path.basename(path)).casefold() for path in (a, b)}
    return len(names) == 1
