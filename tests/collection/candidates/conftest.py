import hashlib
import os

import pytest

from imgsim_ops.collection.findings import Picture
from tests.support.photographs import write_photographs


class FakeStore:
    """Files by row, in place of a `Store`."""

    def __init__(self, path):
        self.path = path
        self.rows = []

    def add(self, *paths):
        """A row of files that are equal, or once were; its number."""
        found = []
        for path in paths:
            status = os.stat(path)
            sha256 = hashlib.sha256(path.read_bytes()).digest()
            found.append(Picture(os.fspath(path), status.st_size, status.st_mtime_ns, sha256, 10, 10, "PNG"))
        self.rows.append(found)
        return len(self.rows) - 1

    def pictures_of(self, row):
        return list(self.rows[row])

    def shared_rows(self):
        return [row for row, pictures in enumerate(self.rows) if len(pictures) > 1]

    def pictures(self):
        return ((row, picture) for row, pictures in enumerate(self.rows) for picture in pictures)


@pytest.fixture
def fake_store(tmp_path):
    folder = tmp_path / "c.imgsim"
    folder.mkdir()
    return FakeStore(folder)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A folder of small photographs that no test changes."""
    return write_photographs(tmp_path_factory.mktemp("photographs"), longer=300)
