"""Whether a file is still the one that was looked at: as an index asks, and as one who is about to act."""

import os

import pytest

from imgsim_ops.files.identity import has_size_and_time, identity, is_untouched, same_file, size_and_time

TIME = 1_500_000_000_123_456_789


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "a")


def written(path, content=b"abc", modified=TIME):
    path.write_bytes(content)
    os.utime(path, ns=(modified, modified))
    return path


def test_nothing_happened(file):
    status = os.lstat(file)
    assert has_size_and_time(file, 3, TIME)
    assert is_untouched(file, status)
    assert is_untouched(os.fspath(file), status)


@pytest.mark.parametrize("modified", [0, -1, -2_000_000_000 * 10**9, 2**63 - 1, 2**63, 15_000_000_000 * 10**9])
def test_times_that_no_clock_should_have(file, modified):
    """Before 1970, and after 2262, where nanoseconds no longer fit into the integers of a database."""
    os.utime(file, ns=(modified, modified))
    if os.stat(file).st_mtime_ns != modified:
        pytest.skip("the file system keeps no such time")
    size, kept = size_and_time(os.stat(file))
    assert size == 3
    assert kept == min(modified, 2**63 - 1)
    assert has_size_and_time(file, 3, kept)


@pytest.mark.parametrize(("content", "modified"), [(b"abcd", TIME), (b"abd", TIME + 1), (b"", TIME)])
def test_written_to(file, content, modified):
    status = os.lstat(file)
    written(file, content, modified)
    assert not has_size_and_time(file, 3, TIME)
    assert not is_untouched(file, status)


def test_written_to_with_its_time_put_back(file):
    """An index cannot tell; the time of the last change of the status can, which nobody puts back."""
    status = os.lstat(file)
    while os.lstat(file).st_ctime_ns == status.st_ctime_ns:  # a tick of the file system's clock
        written(file, b"abd")
    assert has_size_and_time(file, 3, TIME)
    assert not is_untouched(file, status)


def test_replaced_by_a_copy(file, tmp_path):
    status = os.lstat(file)
    os.replace(written(tmp_path / "b"), file)
    assert has_size_and_time(file, 3, TIME)
    assert not is_untouched(file, status)
    assert not same_file(os.lstat(file), status)


def test_links_are_followed_by_an_index_alone(file, tmp_path):
    status = os.lstat(file)
    moved = file.rename(tmp_path / "moved")
    file.symlink_to(moved)
    assert has_size_and_time(file, 3, TIME)
    assert not is_untouched(file, status)


def test_other_names_of_the_file(file, tmp_path):
    os.link(file, tmp_path / "b")
    status = os.lstat(file)
    assert same_file(os.lstat(tmp_path / "b"), status)
    assert is_untouched(tmp_path / "b", status)
    assert identity(os.lstat(tmp_path / "b")) == identity(status)


def test_gone(file):
    status = os.lstat(file)
    file.unlink()
    for name in (file, file / "below", os.fspath(file) + "x" * 300):
        assert not has_size_and_time(name, 3, TIME)
        assert not is_untouched(name, status)
    assert not has_size_and_time("a name with a zero\0", 3, TIME)
