"""Names of one file in a group: what is proposed of them, and what that frees."""

import os

import pytest

from imgsim_ops.collection import one_file
from imgsim_ops.collection.duplicates import Rules
from imgsim_ops.collection.equal import equal_groups, pictures_of
from imgsim_ops.collection.findings import Evidence, Group, Member
from imgsim_ops.collection.one_file import with_names
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.scan import scan_names
from tests.support.devices import mount
from tests.support.findings_made import described, write_picture

IDENTICAL = Evidence("content", 1.0, "identical")
COPY = Evidence("vector", 0.9, "copy")


def group(kept, *others, stay=()):
    """A group in which all go, for the one kept, but those that are said to stay."""
    members = [Member(described(kept), None)]
    members += [Member(described(path), COPY, path not in stay) for path in others]
    return Group(with_names(members))


def read(paths):
    pictures, skipped = pictures_of(map(str, paths), ReadOptions(), lambda *said: None)
    assert skipped == []
    return pictures


def going(found):
    return [os.path.basename(member.picture.path) for member in found.members if member.remove]


def same_file(found):
    return [member.same_file for member in found.members]


@pytest.fixture
def kept(tmp_path):
    write_picture(tmp_path / "kept.png", 1)
    return tmp_path / "kept.png"


@pytest.fixture
def copy(tmp_path):
    (tmp_path / "copies").mkdir()
    write_picture(tmp_path / "copies" / "copy.png", 2)
    return tmp_path / "copies" / "copy.png"


def linked(path, name):
    os.link(path, path.parent / name)
    return path.parent / name


def test_files_of_their_own(kept, copy):
    found = group(kept, copy)
    assert (going(found), same_file(found)) == (["copy.png"], [None, None])
    assert found.bytes_of_copies == copy.stat().st_size
    assert found.members[1].words == "a copy"


def test_a_hard_link_to_the_one_kept_is_no_copy(kept, copy):
    found = group(kept, linked(kept, "second.png"), copy)
    assert (going(found), same_file(found)) == (["copy.png"], [None, 0, None])
    assert found.bytes_of_copies == copy.stat().st_size
    assert found.members[1].words == "another name of this file"


def test_all_names_of_a_copy_go_and_free_its_bytes_once(kept, copy):
    found = group(kept, copy, linked(copy, "second.png"), linked(copy, "third.png"))
    assert (going(found), same_file(found)) == (["copy.png", "second.png", "third.png"], [None, None, 1, 1])
    assert [member.frees for member in found.members[1:]] == [False, False, True]
    assert found.bytes_of_copies == copy.stat().st_size
    assert found.members[2].words == "a copy, another name of a file above"


def test_a_name_elsewhere_keeps_the_bytes(kept, copy, tmp_path):
    linked(copy, "elsewhere")
    found = group(kept, copy)
    assert (going(found), found.bytes_of_copies) == (["copy.png"], 0)


def test_where_one_name_stays_the_others_do(kept, copy):
    second = linked(copy, "second.png")
    assert going(group(kept, copy, second, stay=[second])) == []


@pytest.mark.parametrize("what", ["kept", "copy"])
def test_a_folder_that_two_paths_lead_to(kept, copy, tmp_path, what):
    """One entry of one folder, as through a second mount: who removes it by one path has lost it by both."""
    (tmp_path / "mount").symlink_to(kept.parent if what == "kept" else copy.parent)
    if what == "kept":
        found = group(kept, tmp_path / "mount" / "kept.png")
        assert (going(found), same_file(found), found.bytes_of_copies) == ([], [None, 0], 0)
    else:
        found = group(kept, copy, tmp_path / "mount" / "copy.png")
        assert (going(found), same_file(found)) == (["copy.png"], [None, None, 1])
        assert found.bytes_of_copies == copy.stat().st_size


def test_hard_links_in_a_folder_that_two_paths_lead_to(kept, copy, tmp_path):
    second = linked(copy, "second.png")
    (tmp_path / "mount").symlink_to(copy.parent)
    mounted = [tmp_path / "mount" / path.name for path in (copy, second)]
    found = group(kept, copy, mounted[0], second, mounted[1])
    assert [member.remove for member in found.members] == [False, True, False, True, False]
    assert found.bytes_of_copies == copy.stat().st_size


def test_two_mounts_with_two_numbers(kept, tmp_path, monkeypatch):
    (tmp_path / "mount").symlink_to(kept.parent)
    mount(monkeypatch, tmp_path / "mount")
    assert os.stat(kept).st_dev != os.stat(tmp_path / "mount" / "kept.png").st_dev
    found = group(kept, tmp_path / "mount" / "kept.png")
    assert (going(found), same_file(found)) == ([], [None, 0])


def test_links_neither_go_nor_stay_in_anothers_place(kept, copy, tmp_path):
    link = tmp_path / "link.png"
    link.symlink_to(copy)
    assert going(group(kept, copy, link)) == []  # the link would lead nowhere
    away = tmp_path / "away"
    away.mkdir()
    write_picture(away / "outside.png", 3)
    (tmp_path / "out.png").symlink_to(away / "outside.png")
    assert going(group(kept, tmp_path / "out.png")) == []
    assert going(group(tmp_path / "out.png", copy)) == []


def test_file_systems_without_inodes(kept, copy, monkeypatch):
    monkeypatch.setattr(one_file, "_status", lambda path: os.stat_result((0o100644, 0, 5, 1, 0, 0, 9, 0, 0, 0)))
    found = group(kept, copy)
    assert (going(found), same_file(found)) == (["copy.png"], [None, None])


def test_files_that_are_gone(kept, copy):
    found = Group([Member(described(kept), None), Member(described(copy), COPY, remove=True)])
    os.unlink(copy)
    os.unlink(kept)
    assert with_names(found.members) == found.members


def test_nothing_of_a_reference_goes_by_another_path(kept, tmp_path):
    folder = tmp_path / "reference"
    folder.mkdir()
    write_picture(folder / "same.png", 1)
    (tmp_path / "mount").symlink_to(folder)
    paths = [kept, folder / "same.png", tmp_path / "mount" / "same.png"]
    pictures = read(paths)
    rules = Rules(reference=(str(folder),), prefer=(str(tmp_path / "mount"),))
    (found,) = equal_groups(pictures, ReadOptions(), rules, lambda *said: None)
    assert going(found) == ["kept.png"]


@pytest.mark.parametrize("links", [1, 3])
def test_equal_files(tmp_path, links):
    write_picture(tmp_path / "a.png", 1)
    for number in range(links):
        os.link(tmp_path / "a.png", tmp_path / f"link {number}.png")
    (tmp_path / "0 link.png").symlink_to("a.png")
    write_picture(tmp_path / "b.png", 1)
    os.utime(tmp_path / "a.png", (1, 1))
    (found,) = equal_groups(read(scan_names([tmp_path])), ReadOptions(), Rules(), lambda *said: None)
    assert os.path.basename(found.members[0].picture.path) == "a.png"  # the oldest, and no link
    assert going(found) == ["b.png"]
    assert found.bytes_of_copies == os.path.getsize(tmp_path / "b.png")
