"""Which trash a file belongs in, by the specification of freedesktop.org."""

import os
import stat
from datetime import datetime

import pytest

from imgsim_ops.cleanup import trash
from imgsim_ops.cleanup.trash import Trash, trash_for

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="freedesktop.org's")


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A folder that passes for the top of a file system of its own; the home trash is on another."""
    home, top = tmp_path / "home", tmp_path / "disk"
    (top / "photos").mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setattr(trash, "_device_of", lambda path: -1)
    monkeypatch.setattr(os.path, "ismount", lambda path: os.fspath(path) == str(top))
    return top


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert trash_for(str(tmp_path / "a.jpg")) == Trash(str(tmp_path / "data" / "Trash"), None)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trash_for(str(tmp_path / "a.jpg")).folder == str(tmp_path / ".local/share/Trash")


def test_other_disks(disk, tmp_path):
    file, user = str(disk / "photos" / "a b.jpg"), os.getuid()
    own = Trash(str(disk / f".Trash-{user}"), str(disk))
    assert trash_for(file) == own
    assert "Path=photos/a%20b.jpg\nDeletionDate=2001-02-03T04:05:06\n" in own.info_text(
        file, datetime(2001, 2, 3, 4, 5, 6)
    )
    own.make()
    assert stat.S_IMODE(os.stat(own.folder).st_mode) == 0o700
    shared = disk / ".Trash"
    shared.mkdir()
    assert trash_for(file) == own  # without the sticky bit everybody could delete everybody's
    shared.chmod(0o1777)
    assert trash_for(file) == Trash(str(shared / str(user)), str(disk))
    shared.rename(disk / "elsewhere")
    shared.symlink_to(disk / "elsewhere")
    assert trash_for(file) == own  # and no links


def test_a_disk_that_has_no_place_for_a_trash(disk, tmp_path):
    (disk / f".Trash-{os.getuid()}").symlink_to(tmp_path)
    assert trash_for(str(disk / "photos" / "a.jpg")).folder == str(tmp_path / "home" / "Trash")
