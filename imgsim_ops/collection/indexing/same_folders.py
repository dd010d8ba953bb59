"""Folders that are in a collection already, by another path: through a link, or through a second mount."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from imgsim_ops.files.identity import may_be_one


class SameFolders:
    """Folders by what they are; those of a collection are looked at when the first one is asked for that it has not."""

    def __init__(self, known: Iterable[bytes]) -> None:
        """Takes the files of the collection."""
        self._known = known
        self._by_inode: dict[int, list[tuple[os.stat_result, str]]] | None = None
        self._answers: dict[str, str | None] = {}

    def other_path(self, folder: str) -> str | None:
        """Another path of a folder, by which it was known or asked for before; None where this is the first."""
        if folder not in self._answers:
            if self._by_inode is None:
                self._by_inode = defaultdict(list)
                for path in sorted({os.path.dirname(path) for path in self._known}):
                    self._other(os.fsdecode(path))
            self._answers[folder] = self._other(folder)
        return self._answers[folder]

    def _other(self, folder: str) -> str | None:
        """The same of one that may be new, which is known from now on."""
        assert self._by_inode is not None
        try:
            status = os.stat(folder)
        except (OSError, ValueError):
            return None
        there = self._by_inode[status.st_ino]
        found = next((path for other, path in there if may_be_one(other, status) and path != folder), None)
        if found is None:
            there.append((status, folder))
        return found
