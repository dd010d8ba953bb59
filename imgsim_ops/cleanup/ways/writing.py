"""Writing into the sidecar of a kept picture, which the picture itself is never changed for."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Callable

from imgsim_ops.cleanup.files import Found, holds, move_to_new, part_beside
from imgsim_ops.cleanup.journal import Action
from imgsim_ops.cleanup.reasons import CleanupReason, refusal
from imgsim_ops.cleanup.ways.base import Deed, remove_empty, remove_file, restore_metadata
from imgsim_ops.files.syncing import sync_folder


class Writing(Deed):
    """A sidecar is made, or other bytes take the place of its own, which the journal has."""

    def action(self, former: Found | None, before: bytes | None, content: bytes, going: Found, kept: Found) -> Action:
        """What is to be written.

        Args:
            former: The sidecar as it is; None where there is none.
            before: Its bytes.
            content: What it is to hold.
            going: The picture that what is new comes from.
            kept: The picture that it is about.
        """
        path = former.path if former is not None else kept.path + ".xmp"
        status = kept.status if former is None else former.status
        return Action(
            path=path,
            sha256=_sha256(content),
            size=len(content),
            modified=status.st_mtime_ns,
            mode=stat.S_IMODE(status.st_mode),
            inode=0 if former is None else status.st_ino,
            owner=status.st_uid,
            group=status.st_gid,
            kept=kept.path,
            kept_inode=kept.status.st_ino,
            part=part_beside(path),
            merged_from=going.path,
            merged_sha256=going.sha256,
            former=None if before is None else base64.b64encode(before).decode(),
        )

    def perform(self, action: Action, content: bytes, former: Found | None) -> None:
        """Writes what was taken down.

        Raises:
            Refusal: The sidecar has changed since.
            FileExistsError: There is one now. Nothing has changed.
            OSError: The disk or its permissions refuse. Nothing has changed.
        """
        try:
            _write(action.part, content, action.mode)
            if former is None:
                move_to_new(action.part, action.path, part_beside(action.path), action.sha256)
            elif former.unchanged():
                os.replace(action.part, action.path)
            else:
                raise refusal(CleanupReason.CHANGED, action.path)
        finally:
            remove_file(action.part)
        sync_folder(os.path.dirname(action.path))

    def complete(self, action: Action) -> bool:
        """Looks whether the sidecar has what was to be written."""
        done = holds(action.path, action.sha256) is not None
        if not done and action.former is None:
            remove_empty(action.path)
        remove_file(action.part)
        return done

    def take_back(self, action: Action, part: str | None, intend: Callable[[str], None]) -> None:
        """Removes the sidecar, or gives it the bytes that it had, once the picture that they came from is back."""
        if holds(action.merged_from, action.merged_sha256) is None:
            raise refusal(CleanupReason.NEEDED, action.path)
        if part is not None:
            remove_file(part)
        before = None if action.former is None else base64.b64decode(action.former)
        back = not os.path.lexists(action.path) if before is None else holds(action.path, _sha256(before)) is not None
        if not back and holds(action.path, action.sha256) is None:
            raise refusal(CleanupReason.CHANGED, action.path)
        part = part_beside(action.path)
        intend(part)
        if before is None:
            remove_file(action.path)
        elif not back:
            try:
                _write(part, before, action.mode)
                os.replace(part, action.path)
            finally:
                remove_file(part)
        if before is not None:
            restore_metadata(action, action.path)
        sync_folder(os.path.dirname(action.path))


def _write(part: str, content: bytes, mode: int) -> None:
    """Writes a new file, synced."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(part, mode)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content, usedforsecurity=False).hexdigest()
