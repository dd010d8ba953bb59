"""Deleting files, which nothing brings back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from imgsim_ops.cleanup.files import Found, holds
from imgsim_ops.cleanup.journal import Action
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, refusal
from imgsim_ops.cleanup.ways.base import CleanupWay, action_on
from imgsim_ops.files.syncing import sync_folder


class Deleting(CleanupWay):
    """The file's name is removed, and its bytes with the last of its names."""

    done = "deleted"
    frees = True
    can_be_undone = False

    def actions(self, found: Found, kept: Found, places: Places) -> Iterator[Action]:
        """The one thing that can be done."""
        yield action_on(found, kept)

    def _act(self, action: Action, found: Found, kept: Found) -> None:
        os.unlink(action.path)
        sync_folder(os.path.dirname(action.path))

    def complete(self, action: Action) -> bool:
        """Looks whether the file is gone."""
        return holds(action.path, action.sha256) is None

    def take_back(self, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
        """Refuses."""
        raise refusal(CleanupReason.DELETED, action.path)
