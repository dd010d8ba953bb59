"""Where files may go in one run, and under which names."""

from __future__ import annotations

import os
from functools import cached_property

from imgsim_ops.cleanup.decisions import Decisions


class Places:
    """The places that files may go to."""

    def __init__(self, decisions: Decisions, folder: str | None, dry_run: bool):
        """Remembers what the run is about.

        Args:
            decisions: All that goes.
            folder: Where files are moved, if they are.
            dry_run: Nothing is done, so that names which have been given away stay free on the disk.
        """
        self._decisions = decisions
        self._folder = folder
        self._promised: set[str] | None = set() if dry_run else None

    def target(self, path: str) -> str:
        """Where in the folder a file belongs: as far below it as it is below the folder common to all that go."""
        path = os.path.normpath(path)
        below = os.path.relpath(path, self._root) if self._root else os.path.basename(path)
        return os.path.join(self._folder, below)

    def is_free(self, path: str) -> bool:
        """Whether nothing has this name; in a dry run it is given away by that."""
        if os.path.lexists(path):
            return False
        if self._promised is not None:
            if path in self._promised:
                return False
            self._promised.add(path)
        return True

    @cached_property
    def _root(self) -> str:
        """The lowest folder that all files that go are in; empty where there is none."""
        groups = self._decisions.groups
        folders = {os.path.dirname(os.path.normpath(file.path)) for group in groups for file in group.remove}
        try:
            return os.path.commonpath(folders)
        except ValueError:  # none, or on different drives
            return ""
