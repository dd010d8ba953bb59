"""What every way of cleaning up has, and what most of them share."""

from __future__ import annotations

import contextlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup
from imgsim_ops.cleanup.files import Found
from imgsim_ops.cleanup.journal import Action, Journal
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, refusal
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable


class Deed(ABC):
    """What a journal's line is about: what finishes it after a crash and what takes it back.

    `complete` brings one that a crash cut short to an end, done or not done at all. `take_back` does the opposite of
    one that is done, and can itself be cut short and called again. Both look at the files and believe nothing else.
    """

    @abstractmethod
    def complete(self, action: Action) -> bool:
        """Brings an action that was cut short to an end.

        What lies at its place with its bytes is left there, and what was made elsewhere is removed; else it is done.

        Returns:
            Whether it is done.

        Raises:
            Refusal: The bytes are at neither of the two places.
            OSError: The disk or its permissions refuse.
        """

    @abstractmethod
    def take_back(self, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
        """Puts a file back as it was, and never over something else.

        Args:
            action: The journal's line.
            part: What the last attempt, which was cut short, called its copy; None where this is the first.
            intend: Takes down that it is tried now, with the name of the copy; called before anything is changed.

        Raises:
            Refusal: It cannot be.
            OSError: The disk or its permissions refuse.
        """


class CleanupWay(Deed):
    """One thing that can be done to a file that goes: `perform` does it.

    Attributes:
        done: What has become of a file, in a word or some.
        frees: Whether a file's bytes are free once it is done, unless the file has further names.
        needs_folder: Whether files go to a folder that somebody must choose.
        can_be_undone: Whether `take_back` ever does anything.
        leaves_a_path: Whether there is a file at the picture's path afterwards, so that its sidecars stay beside it.
    """

    done: ClassVar[str]
    frees: ClassVar[bool] = False
    needs_folder: ClassVar[bool] = False
    can_be_undone: ClassVar[bool] = True
    leaves_a_path: ClassVar[bool] = False

    # --- before anything is done ---

    def target(self, folder: Path | None) -> str | None:
        """Checks that it can be done here, into this folder; returns the folder as journals have it.

        Raises:
            ImgsimError: It cannot.
        """
        if (folder is not None) != self.needs_folder:
            raise ImgsimError(f"apply: a folder must be given to move files, and only then (got {folder})")
        return None

    def candidates(self, group: DecidedGroup, found: Found) -> Sequence[DecidedFile]:
        """Which of the pictures that a group keeps can stay in a file's place.

        Raises:
            Refusal: None can.
        """
        return group.keep

    def objection(self, found: Found, kept: Found) -> CleanupReason | None:
        """What speaks against a kept picture that is there in a file's place; None where nothing does."""
        return None

    def is_done(self, found: Found, kept: Found) -> bool:
        """Whether the file is already what it would become."""
        return False

    @abstractmethod
    def actions(self, found: Found, kept: Found, places: Places) -> Iterator[Action]:
        """What may be done to a file: where it needs a name, one for each name that is free, without end.

        Raises:
            Refusal: Nothing may.
            OSError: The disk or its permissions refuse.
        """

    def make_folders(self, action: Action, journal: Journal) -> None:
        """Makes the folders that an action needs; those that `undo` must remove are in the journal before.

        Raises:
            Refusal: The journal cannot take one down.
            OSError: The disk or its permissions refuse.
        """

    # --- done ---

    def perform(self, action: Action, found: Found, kept: Found) -> None:
        """Does to a file what was taken down.

        Args:
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
        self._act(action, found, kept)

    @abstractmethod
    def _act(self, action: Action, found: Found, kept: Found) -> None:
        """The same, of two files that are as they were a moment ago."""


def action_on(found: Found, kept: Found, **places: Any) -> Action:
    """What is to be done to a file, by what was found.

    Args:
        found: The file that goes.
        kept: The picture that stays in its place.
        places: The rest of the action: where the file goes, and what it is called until it is whole there.
    """
    status = found.status
    return Action(
        path=found.path,
        sha256=found.sha256,
        size=status.st_size,
        modified=status.st_mtime_ns,
        mode=stat.S_IMODE(status.st_mode),
        inode=status.st_ino,
        owner=status.st_uid,
        group=status.st_gid,
        kept=kept.path,
        kept_inode=kept.status.st_ino,
        **places,
    )


def restore_metadata(action: Action, path: str) -> None:
    """Gives a file the owner, permissions and time that the action's file had."""
    status = os.lstat(path)
    with contextlib.suppress(PermissionError):  # somebody else's file: its name and bytes matter more
        if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (action.owner, action.group):
            os.chown(path, action.owner, action.group)
    with contextlib.suppress(PermissionError):
        if stat.S_IMODE(os.lstat(path).st_mode) != action.mode:
            os.chmod(path, action.mode)
        if status.st_mtime_ns != action.modified:
            os.utime(path, ns=(status.st_atime_ns, action.modified))


def remove_empty(path: str) -> None:
    """Removes the empty file that held a name free when a crash came."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        os.unlink(path)


def remove_file(path: str) -> None:
    """Removes a file that may be gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
