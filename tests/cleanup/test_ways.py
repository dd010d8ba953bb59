"""What each way of cleaning up is, whatever it is done to."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from imgsim_ops.cleanup.decisions import DecidedGroup, Decisions
from imgsim_ops.cleanup.files import Found, look
from imgsim_ops.cleanup.journal import Way
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal
from imgsim_ops.cleanup.ways import WAYS
from imgsim_ops.errors import ImgsimError
from tests.support.trees import KEPT, decided, put


def test_every_word_of_the_journal_has_its_class():
    assert list(WAYS) == list(Way)
    assert len({type(way) for way in WAYS.values()}) == len(Way)


@pytest.mark.parametrize(
    ("way", "done", "frees", "needs_folder", "can_be_undone"),
    [
        (Way.MOVE, "moved", False, True, True),
        (Way.HARDLINK, "linked", True, False, True),
        (Way.TRASH, "moved to the trash", False, False, True),
        (Way.DELETE, "deleted", True, False, False),
    ],
)
def test_facts(way, done, frees, needs_folder, can_be_undone):
    way = WAYS[way]
    assert (way.done, way.frees, way.needs_folder, way.can_be_undone) == (done, frees, needs_folder, can_be_undone)


@pytest.mark.parametrize("way", Way)
def test_a_folder_to_move_to_and_only_then(tmp_path, way):
    given = None if way is Way.MOVE else Path("gone")
    with pytest.raises(ImgsimError, match=rf"a folder must be given to move files, and only then \(got {given}\)"):
        WAYS[way].target(given)
    assert WAYS[way].target(tmp_path if way is Way.MOVE else None) == (str(tmp_path) if way is Way.MOVE else None)


def test_links_to_the_folder_are_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert WAYS[Way.MOVE].target(tmp_path / "link") == str(tmp_path / "there")
    (tmp_path / "there").touch()
    with pytest.raises(ImgsimError, match="files must be moved to a folder"):
        WAYS[Way.MOVE].target(tmp_path / "link")


def test_a_system_without_such_a_trash(monkeypatch):
    monkeypatch.delattr(os, "getuid", raising=False)
    with pytest.raises(ImgsimError, match="the trash must be that of freedesktop"):
        WAYS[Way.TRASH].target(None)


def found_on(device, path="/a.jpg"):
    return Found(path, SimpleNamespace(st_dev=device, st_ino=7), "")


def test_only_links_care_for_the_file_system_and_the_bytes():
    kept = decided("/kept.jpg", b"other")
    group = DecidedGroup((kept,), ())
    for way, its in WAYS.items():
        assert its.objection(found_on(1), found_on(1)) is None
        if way is Way.HARDLINK:
            assert its.objection(found_on(1), found_on(2)) is CleanupReason.OTHER_DISK
            with pytest.raises(Refusal, match="with equal bytes"):
                its.candidates(group, found_on(1))
        else:
            assert its.objection(found_on(1), found_on(2)) is None
            assert list(its.candidates(group, found_on(1))) == [kept]
        assert its.is_done(found_on(1), found_on(1)) == (way is Way.HARDLINK)


def going(*paths):
    group = DecidedGroup((decided("/kept.jpg", KEPT),), tuple(decided(path, KEPT) for path in paths))
    return Decisions((group,), "")


@pytest.mark.parametrize("way", Way)
def test_actions_name_what_they_need(tmp_path, monkeypatch, way):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = put(tmp_path / "photos" / "a.jpg", KEPT)
    found, kept = look(path), look(put(tmp_path / "photos" / "kept.jpg", KEPT))
    places = Places(going(path), str(tmp_path / "gone") if way is Way.MOVE else None, dry_run=False)
    action = next(WAYS[way].actions(found, kept, places))
    assert (action.path, action.sha256, action.size, action.kept) == (path, found.sha256, len(KEPT), kept.path)
    assert (action.mode, action.modified, action.inode) == (0o640, found.status.st_mtime_ns, found.status.st_ino)
    assert (action.to is not None) == (way in (Way.MOVE, Way.TRASH))
    assert (action.part is not None) == (way is not Way.DELETE)
    assert (action.info is not None) == (action.info_text is not None) == (way is Way.TRASH)


class TestPlaces:
    def test_as_far_below_the_folder_as_below_the_common_one(self):
        places = Places(going("/photos/x/a.jpg", "/photos/y/b.jpg"), "/gone", dry_run=False)
        assert places.target("/photos/x/a.jpg") == "/gone/x/a.jpg"
        assert places.target("/photos/../photos//y/b.jpg") == "/gone/y/b.jpg"
        assert Places(going("/photos/x/a.jpg"), "/gone", dry_run=False).target("/photos/x/a.jpg") == "/gone/a.jpg"

    def test_a_name_that_a_dry_run_gave_away_is_taken(self, tmp_path):
        path, taken = str(tmp_path / "a.jpg"), put(tmp_path / "b.jpg", KEPT)
        for dry_run in (False, True):
            places = Places(going(), None, dry_run)
            assert not places.is_free(taken)
            assert places.is_free(path)
            assert places.is_free(path) != dry_run
