"""Waiting for the disk."""

import errno
import os
import stat

import pytest

from imgsim_ops.files.syncing import sync_file, sync_folder


@pytest.fixture
def synced(monkeypatch):
    """The status of all that was synced."""
    found, whole = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (found.append(os.fstat(descriptor)), whole(descriptor)))
    return found


def test_a_file(tmp_path, synced):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    sync_file(path)
    assert [status.st_ino for status in synced] == [path.stat().st_ino]
    assert path.read_bytes() == b"abc"
    with pytest.raises(FileNotFoundError):
        sync_file(tmp_path / "missing")


def test_a_disk_that_fails_under_a_file(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="no"):
        sync_file(tmp_path / "a")


@pytest.mark.skipif(os.name != "posix", reason="Windows opens no folders")
class TestFolders:
    @pytest.mark.parametrize("kind", [os.fspath, lambda path: path])
    def test_its_names_are_synced(self, tmp_path, synced, kind):
        sync_folder(kind(tmp_path))
        assert [stat.S_ISDIR(status.st_mode) for status in synced] == [True]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP])
    @pytest.mark.parametrize("call", ["open", "fsync"])
    def test_file_systems_that_cannot(self, tmp_path, monkeypatch, call, number):
        asked = []

        def refuse(*arguments):
            asked.append(arguments)
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, call, refuse)
        sync_folder(tmp_path)
        assert len(asked) == 1

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
    def test_a_disk_that_fails(self, tmp_path, monkeypatch, number):
        def refuse(descriptor):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        descriptors = len(os.listdir("/dev/fd"))
        with pytest.raises(OSError, match=os.strerror(number)):
            sync_folder(tmp_path)
        assert len(os.listdir("/dev/fd")) == descriptors

    def test_what_is_no_folder(self, tmp_path):
        (tmp_path / "a").touch()
        with pytest.raises(NotADirectoryError):
            sync_folder(tmp_path / "a")
        with pytest.raises(FileNotFoundError):
            sync_folder(tmp_path / "missing")


def test_a_system_that_cannot_open_folders(tmp_path, monkeypatch, synced):
    monkeypatch.setattr(os, "name", "nt")
    sync_folder("no folder at all")
    assert synced == []
