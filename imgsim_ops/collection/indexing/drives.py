"""Drives that are not there: what was on them is not gone, and nobody can tell what has become of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping

from imgsim_ops.collection.store.record import FileRecord


class Mounts:
    """Where the file systems begin that folders are on, each folder looked at once."""

    def __init__(self) -> None:
        self._roots: dict[str, int | None] = {}
        self._devices: dict[str, int | None] = {}

    def root_of(self, folder: str) -> int | None:
        """How many bytes of an absolute path lead to the root of its file system; None where it cannot be told."""
        if folder not in self._roots:
            above = os.path.dirname(folder)
            if self._device(folder) is None:
                self._roots[folder] = None
            elif above == folder or self._device(above) != self._device(folder):
                self._roots[folder] = len(os.fsencode(folder))
            else:
                self._roots[folder] = self.root_of(above)
        return self._roots[folder]

    def is_root(self, folder: str) -> bool:
        """Whether a file system begins here; not a second mount of the one that is around it."""
        return self._device(folder) is not None and self.root_of(folder) == len(os.fsencode(folder))

    def _device(self, folder: str) -> int | None:
        if folder not in self._devices:
            try:
                self._devices[folder] = os.stat(folder).st_dev
            except (OSError, ValueError):
                self._devices[folder] = None
        return self._devices[folder]


def on_missing_drives(
    gone: Collection[bytes], known: Mapping[bytes, FileRecord], seen: Collection[bytes], mounts: Mounts
) -> dict[bytes, bytes]:
    """Which of the files that are not found were on a drive that is not there.

    Where nothing is mounted any more and none of the files is, that were on it, they are on a drive that was not put in
    today. The folder may be there all the same, and be empty.

    Args:
        gone: The files that are not found.
        known: All that is known of files.
        seen: The files that are there.
        mounts: Takes part in what is looked at.

    Returns:
        The files, each with the folder at which its drive was.
    """
    roots: dict[bytes, bool] = {}
    found = {}
    for path in gone:
        mount = known[path].mount
        if mount is None:
            continue
        root = path[:mount]
        if root not in roots:
            below = root.rstrip(b"/") + b"/"
            roots[root] = not mounts.is_root(os.fsdecode(root)) and not any(
                path.startswith(below) and path in known for path in seen
            )
        if roots[root]:
            found[path] = root
    return found


def counted(folders: Collection[bytes], known: Mapping[bytes, FileRecord]) -> Counter[bytes]:
    """How many known files are in each of some folders, without those in which there are none."""
    found: Counter[bytes] = Counter()
    for folder in folders:
        below = folder + b"/"
        found[folder] += sum(path.startswith(below) for path in known)
    return +found
