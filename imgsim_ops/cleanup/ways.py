"""The four things that can be done to a file, each with what finishes it after a crash and what takes it back.

Each action has these parts, which all look at the files and believe nothing else:

`perform` does it. `settle` brings one that a crash cut short to an end, done or not done at all. `take_back` does the
opposite of one that is done, and can itself be cut short and called again.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from imgsim_ops.cleanup.files import (
    Found,
    copy_to_part,
    holds,
    look,
    move_to_new,
    one_name,
    part_beside,
    same_file,
    sync_folder,
)
from imgsim_ops.cleanup.journal import Action, Way
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import Reason


def perform(way: Way, action: Action, found: Found, kept: Found) -> None:
    """Does to a file what was taken down.

    Args:
        way: What.
        action: The journal's line.
        found: The file that goes, as it was when its hash was taken.
        kept: The picture that stays, likewise.

    Raises:
        Refusal: One of the two has changed since.
        FileExistsError: The place where the file goes has been taken meanwhile. Nothing has changed.
        OSError: The disk or its permissions refuse.
    """
    if not found.unchanged():
        raise refusal(CleanupReason.CHANGED, found.path)
    if not kept.unchanged():
        raise refusal(CleanupReason.NO_KEPT_COPY, found.path, f"changed {printable(kept.path)}")
    if way is Way.DELETE:
        os.unlink(action.path)
        sync_folder(os.path.dirname(action.path))
    elif way is Way.HARDLINK:
        _link(action, found, kept)
    elif way is Way.TRASH:
        _write_info(action)
        try:
            move_to_new(action.path, action.to, action.part, action.sha256)
        except (OSError, Refusal):
            _remove_file(action.info)
            raise
    else:
        move_to_new(action.path, action.to, action.part, action.sha256)


def _write_info(action: Action) -> None:
    descriptor = os.open(action.info, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(action.info_text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(action.info)
        raise


def _link(action: Action, found: Found, kept: Found) -> None:
    os.link(action.kept, action.part)
    try:
        # The path could have come to mean another file between the look at it and the link.
        if not same_file(os.lstat(action.part), kept.status) or not found.unchanged():
            raise refusal(CleanupReason.CHANGED, action.path)
        os.replace(action.part, action.path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(action.part)
    sync_folder(os.path.dirname(action.path))


def settle(way: Way, action: Action) -> bool:
    """Brings an action that was cut short to an end.

    What lies at its place with its bytes is left there, and what was made elsewhere is removed; else it is done.

    Returns:
        Whether it is done.

    Raises:
        Refusal: The bytes are at neither of the two places.
        OSError: The disk or its permissions refuse.
    """
    if way is Way.HARDLINK:
        return _settle_link(action)
    at_source = holds(action.path, action.sha256)
    if way is Way.DELETE:
        return at_source is None
    at_target = holds(action.to, action.sha256)
    if at_source is None:
        if at_target is None:
            raise _missing(action.to)
        _remove_file(action.part)
        return True
    if at_target is not None:
        if one_name(action.path, action.to) and same_file(at_source.status, at_target.status):
            return True
        os.unlink(action.to)
    else:
        _remove_empty(action.to)
    _remove_file(action.part)
    _remove_info(action)
    return False


def _settle_link(action: Action) -> bool:
    at_path = holds(action.path, action.sha256)
    if at_path is not None or holds(action.kept, action.sha256):  # then the part is not the last of its kind
        _remove_file(action.part)
    return at_path is None or at_path.status.st_ino != action.inode


def take_back(way: Way, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
    """Puts a file back as it was, and never over something else.

    Args:
        way: What was done to it.
        action: The journal's line.
        part: What the last attempt, which was cut short, called its copy; None where this is the first.
        intend: Takes down that it is tried now, with the name of the copy; called before anything is changed.

    Raises:
        Refusal: It cannot be.
        OSError: The disk or its permissions refuse.
    """
    if way is Way.DELETE:
        raise refusal(CleanupReason.DELETED, action.path)
    if way is Way.HARDLINK:
        _unlink(action, part, intend)
    else:
        _move_back(action, part, intend)


def _move_back(action: Action, part: str | None, intend: Callable[[str], None]) -> None:
    resumed = part is not None
    back = holds(action.path, action.sha256)
    there = holds(action.to, action.sha256)
    if resumed and (back or there):
        _remove_file(part)
    if back:
        if there and not (resumed and _two_names(back, there)):
            raise refusal(CleanupReason.TAKEN, action.path)
        intend(part or part_beside(action.path))
        if there:
            os.unlink(action.to)
        _restore_metadata(action, action.path)
    else:
        if resumed:
            _remove_empty(action.path)
        if os.path.lexists(action.path):
            raise refusal(CleanupReason.TAKEN, action.path)
        if there is None:
            raise refusal(CleanupReason.CHANGED, action.to) if os.path.lexists(action.to) else _missing(action.to)
        part = part_beside(action.path)
        intend(part)
        os.makedirs(os.path.dirname(action.path), exist_ok=True)
        _restore_metadata(action, action.to)  # before the move, so that what is back is whole
        try:
            move_to_new(action.to, action.path, part, action.sha256)
        except FileExistsError as error:
            raise refusal(CleanupReason.TAKEN, action.path) from error
        _restore_metadata(action, action.path)  # a file system between may have rounded its time
    _remove_info(action)


def _two_names(a: Found, b: Found) -> bool:
    return not (same_file(a.status, b.status) and one_name(a.path, b.path))


def _unlink(action: Action, part: str | None, intend: Callable[[str], None]) -> None:
    """The opposite of `_link`: the path gets a file of its own again, copied from the link, else from the kept file."""
    if os.path.lexists(action.path):
        try:
            source = look(action.path)
        except Refusal as error:
            raise refusal(CleanupReason.TAKEN, action.path) from error
        if source.sha256 != action.sha256:
            raise refusal(CleanupReason.CHANGED, action.path)
        linked = source.status.st_nlink > 1 and source.status.st_ino == action.kept_inode
    else:
        source, linked = look(action.kept), True
        if source.sha256 != action.sha256:
            raise refusal(CleanupReason.CHANGED, action.kept)
    if part is not None:
        _remove_file(part)
    part = part_beside(action.path)
    intend(part)
    if linked:
        os.makedirs(os.path.dirname(action.path), exist_ok=True)
        copy_to_part(source.path, part, action.sha256)
        try:
            _restore_metadata(action, part)
            if source.path == action.path:
                if not source.unchanged():
                    raise refusal(CleanupReason.CHANGED, action.path)
                os.replace(part, action.path)
            else:
                move_to_new(part, action.path, part_beside(action.path), action.sha256)
        except FileExistsError as error:
            raise refusal(CleanupReason.TAKEN, action.path) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
        sync_folder(os.path.dirname(action.path))
    else:
        _restore_metadata(action, action.path)


def _restore_metadata(action: Action, path: str) -> None:
    status = os.lstat(path)
    with contextlib.suppress(PermissionError):  # somebody else's file: its name and bytes matter more
        if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (action.owner, action.group):
            os.chown(path, action.owner, action.group)
    with contextlib.suppress(PermissionError):
        if stat.S_IMODE(os.lstat(path).st_mode) != action.mode:
            os.chmod(path, action.mode)
        if status.st_mtime_ns != action.modified:
            os.utime(path, ns=(status.st_atime_ns, action.modified))


def _remove_file(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _remove_empty(path: str) -> None:
    """Removes the empty file that held a name free when a crash came."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        os.unlink(path)


def _remove_info(action: Action) -> None:
    """Removes the trash's information file, unless it has come to be about another file."""
    if action.info is None or os.path.lexists(action.to):
        return
    try:
        with open(action.info, encoding="ascii", errors="replace") as file:
            text = file.read(len(action.info_text) + 1)
    except FileNotFoundError:
        return
    if action.info_text.startswith(text):  # a crash may have cut it short
        os.unlink(action.info)


def _missing(path: str) -> Refusal:
    return Refusal(Reason.MISSING.code, f"cleanup: {Reason.MISSING.sentence} (got {printable(path)})")
