"""Where the desktop's trash is, by the specification of freedesktop.org, version 1.0.

https://specifications.freedesktop.org/trash-spec/1.0/
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from imgsim_ops.errors import ImgsimError

_ENDING = ".trashinfo"
#: Bytes that a name in the trash may have: its information file's name is longer by an ending.
LONGEST_NAME = 255 - len(_ENDING)


@dataclass(frozen=True)
class Trash:
    """A trash folder.

    Attributes:
        folder: It, with ``files`` and ``info`` in it.
        top: What paths in it are relative to; None in the home trash, where they are absolute.
    """

    folder: str
    top: str | None

    def file(self, name: str) -> str:
        """Where a file of this name lies in the trash."""
        return os.path.join(self.folder, "files", name)

    def info(self, name: str) -> str:
        """The file that says where the file of this name came from."""
        return os.path.join(self.folder, "info", name + _ENDING)

    def info_text(self, path: str, now: datetime) -> str:
        """What the information file says of a file at `path` that goes now."""
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        named = real if self.top is None else os.path.relpath(real, self.top)
        date = now.strftime("%Y-%m-%dT%H:%M:%S")
        return f"[Trash Info]\nPath={quote(os.fsencode(named))}\nDeletionDate={date}\n"

    def make(self) -> None:
        """Makes the folders, for this user only.

        Raises:
            OSError: They cannot be made.
        """
        os.makedirs(os.path.dirname(self.folder), 0o700, exist_ok=True)
        for folder in (self.folder, self.file(""), self.info("x")[: -len("x" + _ENDING)]):
            os.makedirs(folder, 0o700, exist_ok=True)


def trash_for(path: str) -> Trash:
    """The trash that a file belongs in: that of the user's home, or the one at the top of the file's own file system.

    Where neither ``.Trash`` nor ``.Trash-UID`` can be used there, it is the home trash, and the file is copied.
    """
    home = _home_trash()
    folder = os.path.realpath(os.path.dirname(path))
    device = os.stat(folder).st_dev
    if device == _device_of(home):
        return Trash(str(home), None)
    top = folder
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    user = os.getuid()
    shared = os.path.join(top, ".Trash")
    if _is_folder(shared, sticky=True):
        own = os.path.join(shared, str(user))
        if _can_be_made(own):
            return Trash(own, top)
    own = os.path.join(top, f".Trash-{user}")
    if _can_be_made(own):
        return Trash(own, top)
    return Trash(str(home), None)


def _home_trash() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")  # a relative one is to be passed over, says the XDG base directory spec
    try:
        return (Path(data) if os.path.isabs(data) else Path.home() / ".local/share") / "Trash"
    except RuntimeError as error:
        raise ImgsimError("trash: must be of a user with a home, else --move-to DIR (got none)") from error


def _device_of(path: Path) -> int:
    """The file system that a path is on, or will be once it is made."""
    return next(os.stat(folder).st_dev for folder in (path, *path.parents) if folder.exists())


def _is_folder(path: str, sticky: bool = False) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and (not sticky or bool(mode & stat.S_ISVTX))


def _can_be_made(path: str) -> bool:
    if os.path.lexists(path):
        return _is_folder(path) and os.access(path, os.W_OK | os.X_OK)
    return os.access(os.path.dirname(path), os.W_OK | os.X_OK)
