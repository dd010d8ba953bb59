"""Whether a file is still the one that was looked at: as an index asks, and as one who is about to act."""

import os

import pytest

from imgsim_ops.files.identity import (
    change_and_inode,
    changed_this_tick,
    has_size_and_time,
    identity,
    is_untouched,
    may_be_one,
    one_name,
    same_file,
    size_and_time,
)
from tests.support.devices import OnDevice

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
    """Size and time cannot tell; the time of the last change of the status can, which nobody puts back."""
    status = os.lstat(file)
    while os.lstat(file).st_ctime_ns == status.st_ctime_ns:  # a tick of the file system's clock
        written(file, b"abd")
    assert has_size_and_time(file, 3, TIME)
    assert not is_untouched(file, status)
    assert change_and_inode(os.lstat(file)) != change_and_inode(status)
    assert change_and_inode(os.lstat(file))[1] == change_and_inode(status)[1]


def test_once_a_tick_is_over_no_change_gets_its_time(file):
    for content in (b"abd", b"abe", b"abf") * 5:
        written(file, content)
        while changed_this_tick(os.lstat(file)):
            pass
        before = change_and_inode(os.lstat(file))
        written(file, content[::-1])
        assert change_and_inode(os.lstat(file)) != before


def test_what_other_systems_say_fits_into_a_database():
    """An inode of 128 bits, a time before 1678, and one that is far ahead and no tick of this clock."""

    class Odd:
        st_ino, st_ctime_ns, st_mtime_ns = 2**128 - 1, -(2**70), 0

    assert change_and_inode(Odd) == (-(2**63 - 1), 2**63 - 1)
    assert not changed_this_tick(Odd)
    Odd.st_ctime_ns = 2**70
    assert change_and_inode(Odd)[0] == 2**63 - 1
    assert not changed_this_tick(Odd)


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


def test_a_card_gives_out_numbers_anew_each_time_that_it_is_put_in():
    def on_card(inode, modified, changed):
        class Status:
            st_ino, st_mtime_ns, st_ctime_ns = inode, modified, changed

        return Status

    assert change_and_inode(on_card(17, TIME, TIME)) == change_and_inode(on_card(23, TIME, TIME))
    assert change_and_inode(on_card(17, TIME, TIME)) != change_and_inode(on_card(17, TIME, TIME + 1))
    assert change_and_inode(on_card(17, TIME, TIME + 1)) != change_and_inode(on_card(23, TIME, TIME + 1))


def test_one_file_by_two_mounts(file, tmp_path):
    """A server's numbers of files come with each mount, its device's number does not."""
    status = os.stat(file)
    assert may_be_one(status, OnDevice(status))
    assert not same_file(status, OnDevice(status))
    other = os.stat(written(tmp_path / "b"))
    assert not may_be_one(status, other)
    assert not may_be_one(status, OnDevice(other))
    nothing = os.stat_result((0o100644, 0, 1, 1, 0, 0, 3, 0, 0, 0))  # where files have no numbers
    assert not may_be_one(nothing, OnDevice(nothing))


def test_entries_of_folders(file, tmp_path):
    (tmp_path / "folder").symlink_to(tmp_path)
    assert one_name(file, tmp_path / "folder" / "a")
    os.link(file, tmp_path / "b")
    assert one_name(file, tmp_path / "folder" / "a")
    assert not one_name(file, tmp_path / "folder" / "b")
