"""What has changed in files and folders since they were indexed, without opening one."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsim_ops.collection.indexing.hashing import FoundFile
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.errors import ImageError
from imgsim_ops.files.identity import size_and_time
from imgsim_ops.files.names import printable
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.images.scan import scan_names

# A file changed within so many nanoseconds before it was read may change again without another size or time.
_SAME_TICK = 2_000_000_000

# What is wrong with these files lies in their bytes, so they need not be read again while they are the same.
_LASTING = {Reason.EMPTY.code, Reason.NOT_A_PICTURE.code, Reason.TRUNCATED.code, Reason.DAMAGED.code}


@dataclass(frozen=True)
class Changes:
    """What a look at files and folders found.

    Attributes:
        files: How many files there are.
        unchanged: How many of them are known by size and time.
        changed: Those that must be looked into.
        gone: Those that were in one of the folders before and are not there now, by path.
        skipped: Those that cannot be looked at, or are known to be no pictures.
    """

    files: int
    unchanged: int
    changed: list[FoundFile]
    gone: set[bytes]
    skipped: list[SkippedFile]


def look_for_changes(
    known: Mapping[bytes, FileRecord], own: Path, paths: Sequence[str | os.PathLike[str]], exclude: Iterable[str]
) -> Changes:
    """Compares files and folders with what is known of them.

    Args:
        known: By path, as of ``Store.files``.
        own: The collection's folder, which may lie among the pictures.
        paths: As of ``images.scan.scan``.
        exclude: As of ``images.scan.scan``. What was indexed before and is excluded now is gone.

    Raises:
        ImageError: As ``images.scan.scan``.
    """
    changed: list[FoundFile] = []
    skipped: list[SkippedFile] = []
    unchanged = 0
    seen: set[bytes] = set()
    unreadable: list[bytes] = []
    roots = [os.fsencode(os.path.abspath(path)) for path in paths if os.path.isdir(path)]
    mine = os.fsencode(own) + b"/"
    folders: dict[str, str] = {}  # to look at a name costs less than to make it absolute
    for given in scan_names(paths, exclude, skipped):
        folder, name = os.path.split(given)
        if folder not in folders:
            folders[folder] = os.path.abspath(folder)
        path = os.path.join(folders[folder], name)
        key = os.fsencode(path)
        if key in seen or key.startswith(mine):
            continue
        seen.add(key)
        looked = time.time_ns()
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            skipped.append(_why_not(path))
            unreadable.append(key)  # it may be a folder, behind a link to a disk that is not there today
            continue
        before = known.get(key)
        if before is None or not _is_unchanged(before, status):
            if stat.S_ISDIR(status.st_mode):
                unreadable.append(key)
            size, modified = size_and_time(status)
            # A clock that was wrong says nothing of when the file was written, so that it is hashed again each time.
            changed.append(FoundFile(path, size, modified, settled=looked - modified > _SAME_TICK))
            continue
        unchanged += 1
        if before.code is not None:
            skipped.append(SkippedFile(path, before.code, before.message))
    inside = tuple(root.rstrip(b"/") + b"/" for root in roots)
    hidden = tuple(folder + b"/" for folder in unreadable)
    gone = {key for key in known if key not in seen and key.startswith(inside) and not key.startswith(hidden)}
    return Changes(len(seen), unchanged, changed, gone, skipped)


def _is_unchanged(before: FileRecord, status: os.stat_result) -> bool:
    same = before.settled and (before.size, before.modified) == size_and_time(status)
    return same and (before.row is not None or before.code in _LASTING)


def _why_not(path: str) -> SkippedFile:
    """Why a name that was found cannot even be looked at."""
    try:
        with open_regular(path):
            return refused(Reason.CHANGED, path)
    except ImageError as error:
        return SkippedFile(path, error.code, str(error))


def refused(reason: Reason, path: str) -> SkippedFile:
    """A file that indexing itself refuses."""
    return SkippedFile(path, reason.code, f"index: {reason.sentence} (got {printable(path)})")
