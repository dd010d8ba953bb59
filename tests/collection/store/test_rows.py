"""Files of rows: what is behind the last one does not count, and a failure costs nothing that does."""

import errno
import os

import numpy as np
import pytest

from imgsim_ops.collection.store.rows import append_rows, blocks_of, mapped_rows, write_rows
from imgsim_ops.errors import ImgsimError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "raw-1.f16"


def rows(count, width=3, first=0):
    return (np.arange(count * width).reshape(count, width) + first).astype(np.float16)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_appended_rows_are_there(path, count):
    append_rows(path, rows(count), 0)
    append_rows(path, rows(2, first=100), count)
    assert np.array_equal(mapped_rows(path, count + 2, 3), np.concatenate([rows(count), rows(2, first=100)]))
    assert path.stat().st_size == (count + 2) * 6


def test_what_never_counted_is_cut_off(path):
    append_rows(path, rows(9), 0)
    with open(path, "ab") as file:
        file.write(b"half a row")
    append_rows(path, rows(1, first=50), 4)
    assert path.stat().st_size == 5 * 6
    assert np.array_equal(mapped_rows(path, 5, 3), np.concatenate([rows(4), rows(1, first=50)]))


def test_rows_that_are_missing_are_not_made_up(path):
    append_rows(path, rows(4), 0)
    with pytest.raises(ImgsimError, match=r"raw-1\.f16 must have 5 rows \(got 4\)"):
        append_rows(path, rows(1), 5)
    assert path.stat().st_size == 4 * 6
    path.unlink()
    with pytest.raises(FileNotFoundError):
        append_rows(path, rows(1), 5)
    assert not path.exists()


def test_a_mapping_stays_as_it_was(path):
    append_rows(path, rows(4), 0)
    before = mapped_rows(path, 4, 3)
    append_rows(path, rows(5, first=7), 4)
    path.unlink()
    assert np.array_equal(before, rows(4))
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 0


def test_mapping(path):
    assert mapped_rows(path, 0, 3).shape == (0, 3)  # whether there is a file or not
    with pytest.raises(ImgsimError, match=r"must have 2 rows \(got 0\)"):
        mapped_rows(path, 2, 3)
    append_rows(path, rows(2), 0)
    assert mapped_rows(path, 1, 3).tolist() == [[0, 1, 2]]
    with pytest.raises(ImgsimError, match=r"must have 3 rows \(got 2\)"):
        mapped_rows(path, 3, 3)


@pytest.mark.parametrize("count", [0, 1, 4096, 4097])
def test_blocks(path, count):
    whole = rows(count, 2)
    write_rows(path, (block for block in blocks_of(whole)))
    assert path.stat().st_size == count * 4
    assert np.array_equal(mapped_rows(path, count, 2), whole)


def test_a_disk_that_takes_a_part(path, monkeypatch):
    append_rows(path, rows(3), 0)

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left") as failure:
            append_rows(path, rows(5), 3)
    assert failure.value.filename == str(path)  # writing to an open file does not say where
    assert np.array_equal(mapped_rows(path, 3, 3), rows(3))
    append_rows(path, rows(1, first=60), 3)
    assert np.array_equal(mapped_rows(path, 4, 3), np.concatenate([rows(3), rows(1, first=60)]))
