"""File systems that a test cannot mount: statuses that say another device than files really are on."""

import os
from pathlib import Path


class OnDevice:
    """A status as of another device."""

    def __init__(self, status, device=-7):
        self._status = status
        self.st_dev = device

    def __getattr__(self, name):
        return getattr(self._status, name)


def mount(monkeypatch, folder):
    """From now on what is in a folder, and the folder itself, is on a device of its own; returns a list to clear."""
    folder, mounted, whole = Path(folder), [folder], os.stat

    def stat(path, **options):
        status = whole(path, **options)
        on_it = mounted and isinstance(path, str | os.PathLike) and (folder in (Path(path), *Path(path).parents))
        return OnDevice(status) if on_it else status

    monkeypatch.setattr(os, "stat", stat)
    return mounted
