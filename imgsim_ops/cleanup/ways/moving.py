"""Moving files to a folder, with the folders that they are in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from imgsim_ops.cleanup.files import Found, names_like, part_beside
from imgsim_ops.cleanup.journal import Action, Journal
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, refusal, refused
from imgsim_ops.cleanup.ways.base import action_on
from imgsim_ops.cleanup.ways.relocating import Relocating
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable


class Moving(Relocating):
    """The file goes to a folder that somebody chose, below it where it was below the one common to all that go."""

    done = "moved"
    needs_folder = True

    def target(self, folder: Path | None) -> str | None:
        """Checks that the folder is none of another kind, and follows links to it."""
        super().target(folder)
        real = os.path.realpath(folder)
        if os.path.exists(real) and not os.path.isdir(real):
            raise ImgsimError(f"apply: files must be moved to a folder (got {printable(real)})")
        return real

    def actions(self, found: Found, kept: Found, places: Places) -> Iterator[Action]:
        """One for each free name in the folder that the file belongs in."""
        folder, wanted = os.path.split(places.target(found.path))
        if os.path.isdir(folder) and os.path.samefile(folder, os.path.dirname(found.path)):
            raise refusal(CleanupReason.SAME_FOLDER, found.path)
        for name in names_like(wanted):
            to = os.path.join(folder, name)
            if places.is_free(to):
                yield action_on(found, kept, to=to, part=part_beside(to))

    def make_folders(self, action: Action, journal: Journal) -> None:
        """Makes the folders above the place where the file goes."""
        missing = []
        folder = os.path.dirname(action.to)
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for folder in reversed(missing):
            with refused(CleanupReason.NO_JOURNAL, action.path):
                journal.made_folder(folder)
            os.mkdir(folder)
