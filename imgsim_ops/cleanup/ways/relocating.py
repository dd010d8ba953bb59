"""What moving and the trash have in common: the file lies elsewhere afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable

from imgsim_ops.cleanup.files import Found, holds, move_to_new, part_beside
from imgsim_ops.cleanup.journal import Action
from imgsim_ops.cleanup.reasons import CleanupReason, refusal
from imgsim_ops.cleanup.ways.base import CleanupWay, remove_empty, remove_file, restore_metadata
from imgsim_ops.files.identity import one_name, same_file
from imgsim_ops.files.reasons import Reason


class Relocating(CleanupWay):
    """The file gets another name, in another folder, that nothing has."""

    def _act(self, action: Action, found: Found, kept: Found) -> None:
        move_to_new(action.path, action.to, action.part, action.sha256)

    def complete(self, action: Action) -> bool:
        """Decides by where the bytes are whole: both places mean that it was not done."""
        at_source = holds(action.path, action.sha256)
        at_target = holds(action.to, action.sha256)
        if at_source is None:
            if at_target is None:
                raise refusal(Reason.MISSING, action.to)
            remove_file(action.part)
            return True
        if at_target is not None:
            if not _two_names(at_source, at_target):
                return True
            os.unlink(action.to)
        else:
            remove_empty(action.to)
        remove_file(action.part)
        self._clear(action)
        return False

    def take_back(self, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
        """Moves the file back, unless somebody has done so by hand."""
        resumed = part is not None
        back = holds(action.path, action.sha256)
        there = holds(action.to, action.sha256)
        if resumed and (back or there):
            remove_file(part)
        if back:
            if there and not (resumed and _two_names(back, there)):
                raise refusal(CleanupReason.TAKEN, action.path)
            intend(part or part_beside(action.path))
            if there:
                os.unlink(action.to)
            restore_metadata(action, action.path)
        else:
            if resumed:
                remove_empty(action.path)
            if os.path.lexists(action.path):
                raise refusal(CleanupReason.TAKEN, action.path)
            if there is None:
                reason = CleanupReason.CHANGED if os.path.lexists(action.to) else Reason.MISSING
                raise refusal(reason, action.to)
            part = part_beside(action.path)
            intend(part)
            os.makedirs(os.path.dirname(action.path), exist_ok=True)
            restore_metadata(action, action.to)  # before the move, so that what is back is whole
            try:
                move_to_new(action.to, action.path, part, action.sha256)
            except FileExistsError as error:
                raise refusal(CleanupReason.TAKEN, action.path) from error
            restore_metadata(action, action.path)  # a file system between may have rounded its time
        self._clear(action)

    def _clear(self, action: Action) -> None:
        """Removes what was written about a file that is not there, or not there any more."""


def _two_names(a: Found, b: Found) -> bool:
    return not (same_file(a.status, b.status) and one_name(a.path, b.path))
