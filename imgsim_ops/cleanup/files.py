"""Looking at files without being fooled, and moving them without ever overwriting one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal
from imgsim_ops.errors import ImageError
from imgsim_ops.files.hashing import digest_of
from imgsim_ops.files.identity import identity, is_untouched
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import Reason
from imgsim_ops.files.syncing import sync_folder

_CHUNK = 1 << 20
# What file systems without hard links answer (FAT and exFAT: EPERM), what a kernel answers that protects other users'
# files from being linked (EPERM), and a file that has as many names as it can have.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True)
class Found:
    """A regular file as it was while its bytes were read.

    Attributes:
        path: Where.
        status: Of the file, links not followed.
        sha256: Of its bytes.
    """

    path: str
    status: os.stat_result
    sha256: str

    def unchanged(self) -> bool:
        """Whether the path still leads to the same file, and nobody has written to it."""
        return is_untouched(self.path, self.status)


def look(path: str) -> Found:
    """Reads a file's bytes, once, for their hash.

    Raises:
        Refusal: There is no such file, it is a link, a folder, a pipe, empty, cannot be read, or changes meanwhile.
    """
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            raise refusal(CleanupReason.LINK, path)
        with open_regular(path) as file:
            digest = digest_of(file).hex()
            after = os.fstat(file.fileno())
    except ImageError as error:
        raise Refusal(error.code, str(error).replace("decode:", "cleanup:", 1)) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise refusal(Reason.MISSING, path) from error
    except OSError as error:
        raise refusal(Reason.UNREADABLE, path, error.strerror or str(error)) from error
    if identity(after) != identity(status):
        raise refusal(CleanupReason.CHANGED, path)
    return Found(path, after, digest)


def holds(path: str, sha256: str) -> Found | None:
    """The file of a path if it has these bytes, else None, whatever is there."""
    try:
        found = look(path)
    except Refusal:
        return None
    return found if found.sha256 == sha256 else None


def names_like(name: str, most: int = 255) -> Iterator[str]:
    """Yields a name and its likes, ``a.jpg``, ``a (2).jpg``, ``a (3).jpg``, without end.

    Args:
        name: A file's name.
        most: Bytes that a name may have: what is longer loses the end of its stem.
    """
    stem, ending = os.path.splitext(name)
    number, mark = 1, ""
    while True:
        room = max(1, most - len(os.fsencode(mark + ending)))
        yield os.fsdecode(os.fsencode(stem)[:room]) + mark + ending
        number += 1
        mark = f" ({number})"


def part_beside(path: str) -> str:
    """A new name in the folder of `path`, for a file that is not whole yet."""
    return os.path.join(os.path.dirname(path), f".imgsim-{secrets.token_hex(8)}")


def move_to_new(source: str, target: str, part: str, sha256: str) -> None:
    """Moves a file to a name that nothing has.

    At every moment the bytes are whole under at least one of the two names. What a kill can leave is: both names, on
    one file or on two equal ones; `target` as an empty file, where the file system knows no hard links; and a part.

    Args:
        source: A regular file.
        target: Its new path; the folder must exist.
        part: A new name in the folder of `target`, for a copy that is not whole yet: needed across file systems.
        sha256: Of the file; a copy that has another is not taken.

    Raises:
        FileExistsError: There is something at `target`. Nothing has changed.
        Refusal: The file does not have these bytes. Nothing has changed.
        OSError: The disk or its permissions refuse. Nothing has changed.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _move_by_copy(source, target, part, sha256)
        elif error.errno in _NO_LINKS:
            _rename_to_new(source, target)
        else:
            raise
    else:
        _let_go(source, target)


def _rename_to_new(source: str, target: str) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0), 0o600))
    try:
        os.replace(source, target)
    except OSError:
        os.unlink(target)
        raise
    sync_folder(os.path.dirname(target))
    sync_folder(os.path.dirname(source))


def _move_by_copy(source: str, target: str, part: str, sha256: str) -> None:
    before = os.lstat(source)
    copy_to_part(source, part, sha256)
    try:
        try:
            os.link(part, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_to_new(part, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    if identity(os.lstat(source)) != identity(before):  # where it is gone, the copy is the last one and stays
        os.unlink(target)
        raise refusal(CleanupReason.CHANGED, source)
    _let_go(source, target)


def _let_go(source: str, target: str) -> None:
    sync_folder(os.path.dirname(target))
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise
    sync_folder(os.path.dirname(source))


def copy_to_part(source: str, part: str, sha256: str) -> None:
    """Copies a file's bytes, times, permissions and, where allowed, owner; synced, and read again to be sure.

    Raises:
        Refusal: The source, or what the disk gives back of the copy, does not have the hash.
        OSError: The disk or its permissions refuse.
    """
    try:
        with open_regular(source) as file, open(part, "xb") as out:
            shutil.copyfileobj(file, out, _CHUNK)
            out.flush()
            os.fsync(out.fileno())
            status = os.fstat(file.fileno())
            if hasattr(os, "posix_fadvise"):  # or the hash would be that of the memory, not of the disk
                os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with open(part, "rb") as copy:
            if digest_of(copy).hex() != sha256:
                raise refusal(CleanupReason.CHANGED, source)
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(part, status.st_uid, status.st_gid)
        shutil.copystat(source, part)
    except ImageError as error:
        raise Refusal(error.code, str(error)) from error
    except (OSError, Refusal):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
