"""Moving files to the desktop's trash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from imgsim_ops.cleanup.files import Found, names_like, part_beside
from imgsim_ops.cleanup.journal import Action, Journal
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import Refusal
from imgsim_ops.cleanup.trash import LONGEST_NAME, trash_for
from imgsim_ops.cleanup.ways.base import action_on, remove_file
from imgsim_ops.cleanup.ways.relocating import Relocating
from imgsim_ops.errors import ImgsimError


class Trashing(Relocating):
    """The file goes to the trash, beside a file of information about it by which desktops put it back."""

    done = "moved to the trash"

    def target(self, folder: Path | None) -> str | None:
        """Checks that there can be such a trash."""
        super().target(folder)
        if not hasattr(os, "getuid"):
            raise ImgsimError(
                "apply: the trash must be that of freedesktop.org; moving files does as well (got Windows)"
            )
        return None

    def actions(self, found: Found, kept: Found, places: Places) -> Iterator[Action]:
        """One for each name that is free for the file and for its information."""
        trash = trash_for(found.path)
        text = trash.info_text(found.path, datetime.now())
        for name in names_like(os.path.basename(found.path), LONGEST_NAME):
            to, info = trash.file(name), trash.info(name)
            if places.is_free(to) and not os.path.lexists(info):
                yield action_on(found, kept, to=to, part=part_beside(to), info=info, info_text=text)

    def make_folders(self, action: Action, journal: Journal) -> None:
        """Makes the trash, which stays when all of it is undone."""
        trash_for(action.path).make()

    def _act(self, action: Action, found: Found, kept: Found) -> None:
        _write_info(action)
        try:
            super()._act(action, found, kept)
        except (OSError, Refusal):
            remove_file(action.info)
            raise

    def _clear(self, action: Action) -> None:
        """Removes the information file, unless it has come to be about another file."""
        if action.info is None or os.path.lexists(action.to):
            return
        try:
            with open(action.info, encoding="ascii", errors="replace") as file:
                text = file.read(len(action.info_text) + 1)
        except FileNotFoundError:
            return
        if action.info_text.startswith(text):  # a crash may have cut it short
            os.unlink(action.info)


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
