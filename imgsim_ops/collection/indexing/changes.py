"""What has changed in files and folders since they were indexed, without opening one."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from imgsim_ops.collection.indexing.drives import Mounts, counted, on_missing_drives
from imgsim_ops.collection.indexing.hashing import FoundFile
from imgsim_ops.collection.indexing.same_folders import SameFolders
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.errors import ImageError
from imgsim_ops.files.identity import change_and_inode, changed_this_tick, size_and_time
from imgsim_ops.files.names import printable
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.images.formats import READERS, can_read, format_of
from imgsim_ops.images.scan import excluder, scan_names

# A file changed within so many nanoseconds before it was read may change again without another size or time.
_SAME_TICK = 2_000_000_000
# And the other time, which nobody sets and only the kernel's clock tells, within so many seconds.
_TICK_SECONDS = 0.02

# What is wrong with these files lies in their bytes, so they need not be read again while they are the same.
LASTING = {Reason.EMPTY.code, Reason.NOT_A_PICTURE.code, Reason.TRUNCATED.code, Reason.DAMAGED.code}


@dataclass(frozen=True)
class Changes:
    """What a look at files and folders found.

    Attributes:
        files: How many files there are.
        unchanged: How many of them are known by size, both times and inode.
        changed: Those that must be looked into.
        gone: Those that were in one of the folders before and are not there now, by path.
        skipped: Those that cannot be looked at, or are known to be no pictures.
        hidden: How many known files are in each folder that could not be looked into, or whose drive is not there.
        same: Folders whose files are known by another path of the folder, with that path; they are taken once.
    """

    files: int
    unchanged: int
    changed: list[FoundFile]
    gone: set[bytes]
    skipped: list[SkippedFile]
    hidden: dict[str, int]
    same: dict[str, str]


def look_for_changes(
    known: Mapping[bytes, FileRecord],
    own: Path,
    paths: Sequence[str | os.PathLike[str]],
    exclude: Iterable[str],
    *,
    rehash: bool = False,
) -> Changes:
    """Compares files and folders with what is known of them.

    Args:
        known: By path, as of ``Store.files``.
        own: The collection's folder, which may lie among the pictures.
        paths: As of ``images.scan.scan``.
        exclude: As of ``images.scan.scan``. What was indexed before and is excluded now is gone.
        rehash: All files must be looked into, whatever is known of them.

    Raises:
        ImageError: As ``images.scan.scan``.
    """
    changed: list[FoundFile] = []
    skipped: list[SkippedFile] = []
    unchanged = 0
    seen: set[bytes] = set()
    unreadable: list[bytes] = []
    exclude = list(exclude)
    roots = {os.path.abspath(path): os.fspath(path) for path in paths if os.path.isdir(path)}
    mine = os.fsencode(own) + b"/"
    folders: dict[str, str] = {}  # to look at a name costs less than to make it absolute
    inside = tuple(os.fsencode(root).rstrip(b"/") + b"/" for root in roots)
    mounts, same_folders, same = Mounts(), SameFolders(known), dict[str, str]()
    for given in scan_names(paths, exclude, skipped):
        folder, name = os.path.split(given)
        if folder not in folders:
            folders[folder] = os.path.abspath(folder)
        path = os.path.join(folders[folder], name)
        key = os.fsencode(path)
        if key in seen or key.startswith(mine):
            continue
        if key not in known and (other := same_folders.other_path(folders[folder])) is not None:
            twin = os.fsencode(os.path.join(other, name))
            if twin in seen or (twin in known and not twin.startswith(inside)):  # and so it stays there
                same[folders[folder]] = other
                continue
        seen.add(key)
        looked = time.time_ns()
        try:
            status = os.stat(path)
            before = None if rehash else known.get(key)
            if before is not None and is_unchanged(before, status):
                unchanged += 1
                if before.code is not None:
                    skipped.append(SkippedFile(path, before.code, before.message))
                continue
            if changed_this_tick(status):  # by the next one its time tells whether it changes again
                time.sleep(_TICK_SECONDS)
                status = os.stat(path)
        except (OSError, ValueError):
            skipped.append(_why_not(path))
            unreadable.append(key)  # it may be a folder, behind a link to a disk that is not there today
            continue
        if stat.S_ISDIR(status.st_mode):
            unreadable.append(key)
        size, modified = size_and_time(status)
        # A clock that was wrong says nothing of when the file was written, so that it is hashed again each time.
        settled = looked - modified > _SAME_TICK and not changed_this_tick(status)
        mount = mounts.root_of(folders[folder])
        changed.append(FoundFile(path, size, modified, settled, *change_and_inode(status), mount))
    closed = tuple(folder + b"/" for folder in unreadable)
    gone = {key for key in known if key not in seen and key.startswith(inside) and not key.startswith(closed)}
    away = _away(gone, known, seen, roots, excluder(exclude), mounts)
    skipped += [_not_there(os.fsdecode(root)) for root in sorted(set(away.values()))]
    hidden = counted(unreadable, known) + Counter(away.values())
    by_name = {os.fsdecode(folder): number for folder, number in sorted(hidden.items())}
    return Changes(len(seen), unchanged, changed, gone - away.keys(), skipped, by_name, same)


def _away(
    gone: set[bytes],
    known: Mapping[bytes, FileRecord],
    seen: set[bytes],
    roots: Mapping[str, str],
    left_out: Callable[[str], bool],
    mounts: Mounts,
) -> dict[bytes, bytes]:
    """Those that are not found but were on a drive that is not there, with its folder; not what was not looked for."""
    return on_missing_drives({key for key in gone if not _is_excluded(key, roots, left_out)}, known, seen, mounts)


def _is_excluded(key: bytes, roots: Mapping[str, str], left_out: Callable[[str], bool]) -> bool:
    """Whether a file was not looked for, by the folders that were given, by their absolute names."""
    path = os.fsdecode(key)
    for root, given in roots.items():
        if path.startswith(os.path.join(root, "")):
            names = accumulate(Path(os.path.relpath(path, root)).parts, os.path.join, initial=str(Path(given)))
            return any(map(left_out, names))
    return False


def is_unchanged(before: FileRecord, status: os.stat_result) -> bool:
    """Whether a file is what is known of it, by its status; of a format that is not read, whether it still is not."""
    same = before.settled and (before.size, before.modified) == size_and_time(status)
    same = same and (before.changed, before.inode) == change_and_inode(status)
    lasting = before.code in LASTING and is_up_to_date(before)
    return same and (before.row is not None or lasting or _is_still_unread(before))


def is_up_to_date(before: FileRecord) -> bool:
    """Whether what is known of a file that is no picture was said by readers no older than these."""
    return (before.readers or 0) >= READERS


def _is_still_unread(before: FileRecord) -> bool:
    """Whether a file of a format that was not read cannot be read now either: an extra may have been installed."""
    if before.code != Reason.UNSUPPORTED.code:
        return False
    try:
        with open_regular(os.fsdecode(before.path)) as file:
            return not can_read(format_of(file, os.fsdecode(before.path)) or "")
    except (ImageError, OSError):
        return False


def _not_there(folder: str) -> SkippedFile:
    """Why nothing of a folder was looked at, on which a drive was mounted."""
    rule = "the drive that was mounted here must be there to be looked at; what is known of it stays"
    return SkippedFile(folder, Reason.UNREADABLE.code, f"index: {rule} (got {printable(folder)})")


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
