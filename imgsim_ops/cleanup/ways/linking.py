"""Letting equal files share one copy on the disk, by hard links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup
from imgsim_ops.cleanup.files import Found, copy_to_part, holds, look, move_to_new, part_beside
from imgsim_ops.cleanup.journal import Action
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal
from imgsim_ops.cleanup.ways.base import CleanupWay, action_on, remove_file, restore_metadata
from imgsim_ops.files.identity import same_file
from imgsim_ops.files.syncing import sync_folder


class Linking(CleanupWay):
    """The file's path stays and comes to mean the kept file: bytes equal, on the same file system."""

    done = "linked"
    frees = True
    leaves_a_path = True

    def candidates(self, group: DecidedGroup, found: Found) -> Sequence[DecidedFile]:
        """Those with equal bytes."""
        equal = [file for file in group.keep if file.sha256 == found.sha256]
        if not equal:
            raise refusal(CleanupReason.NOT_EQUAL, found.path)
        return equal

    def objection(self, found: Found, kept: Found) -> CleanupReason | None:
        """No link leads from one file system to another."""
        return CleanupReason.OTHER_DISK if kept.status.st_dev != found.status.st_dev else None

    def is_done(self, found: Found, kept: Found) -> bool:
        """Whether the two paths mean one file already."""
        return same_file(found.status, kept.status)

    def actions(self, found: Found, kept: Found, places: Places) -> Iterator[Action]:
        """A link under a name of its own, which then takes the file's."""
        yield action_on(found, kept, part=part_beside(found.path))

    def _act(self, action: Action, found: Found, kept: Found) -> None:
        os.link(action.kept, action.part)
        try:
            # The path could have come to mean another file between the look at it and the link.
            if not same_file(os.lstat(action.part), kept.status) or not found.unchanged():
                raise refusal(CleanupReason.CHANGED, action.path)
            os.replace(action.part, action.path)
        finally:
            remove_file(action.part)
        sync_folder(os.path.dirname(action.path))

    def complete(self, action: Action) -> bool:
        """Removes the link under its own name, and looks which file the path means."""
        at_path = holds(action.path, action.sha256)
        if at_path is not None or holds(action.kept, action.sha256):  # then the part is not the last of its kind
            remove_file(action.part)
        return at_path is None or at_path.status.st_ino != action.inode

    def take_back(self, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
        """Gives the path a file of its own again, copied from the link, else from the kept file."""
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
            remove_file(part)
        part = part_beside(action.path)
        intend(part)
        if linked:
            os.makedirs(os.path.dirname(action.path), exist_ok=True)
            _give_own_file(action, source, part)
        else:
            restore_metadata(action, action.path)


def _give_own_file(action: Action, source: Found, part: str) -> None:
    copy_to_part(source.path, part, action.sha256)
    try:
        restore_metadata(action, part)
        if source.path == action.path:
            if not source.unchanged():
                raise refusal(CleanupReason.CHANGED, action.path)
            os.replace(part, action.path)
        else:
            move_to_new(part, action.path, part_beside(action.path), action.sha256)
    except FileExistsError as error:
        raise refusal(CleanupReason.TAKEN, action.path) from error
    finally:
        remove_file(part)
    sync_folder(os.path.dirname(action.path))
