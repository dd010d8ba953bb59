"""Where files may go in one run, and under which names."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
        self._names: dict[str, str] = {}

    def target(self, path: str) -> str:
        """Where in the folder a file belongs: as far below it as it is below the folder common to all that go."""
        path = os.path.normpath(path)
        below = os.path.relpath(path, self._root) if self._root else os.path.basename(path)
        return os.path.join(self._folder, os.path.dirname(below), self._names.get(path, os.path.basename(below)))

    def keep_together(self, picture: str, to: str, sidecars: Sequence[str]) -> bool:
        """Lets the sidecars of a picture have the name that it gets.

        Args:
            picture: The picture.
            to: Where it goes, or has gone.
            sidecars: Those that go with it.

        Returns:
            Whether these names are free: else they would come to lie beside another picture there.
        """
        old, new = os.path.basename(picture), os.path.basename(to)
        free = True
        for sidecar in map(os.path.normpath, sidecars):
            name = _renamed(os.path.basename(sidecar), old, new)
            if name is not None:
                self._names[sidecar] = name
                target = self.target(sidecar)
                free = free and not os.path.lexists(target) and target not in (self._promised or ())
        return free

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


def _renamed(sidecar: str, old: str, new: str) -> str | None:
    """A sidecar's name when its picture is renamed, if it begins with its name, with or without the ending."""
    for begins, instead in ((old, new), (os.path.splitext(old)[0], os.path.splitext(new)[0])):
        if sidecar.lower().startswith(begins.lower()):
            return instead + sidecar[len(begins) :]
    return None
