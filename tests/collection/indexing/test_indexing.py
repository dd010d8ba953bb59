"""Bringing a collection up to date: what is opened, what is decoded, what is dropped, and what a failure costs."""

import errno
import os
import shutil
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

from imgsim_ops.collection.indexing import changes, fitting, hashing, indexing
from imgsim_ops.collection.indexing.hashing import sha256_of
from imgsim_ops.collection.indexing.indexing import index_files
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files import opening
from imgsim_ops.files.identity import change_and_inode
from imgsim_ops.images import scan
from imgsim_ops.images.formats import READERS
from imgsim_ops.recipes.recipes import RECIPES
from tests.support.devices import mount
from tests.support.stub_embedder import SIGNATURE, StubEmbedder, contents_of, description_of, picture, put, wrong


@pytest.fixture
def opened(monkeypatch):
    """The pictures' files that were opened."""
    names, whole = [], opening.open_regular

    def open_regular(path):
        names.append(os.fspath(path))
        return whole(path)

    for module in (changes, hashing, scan):
        monkeypatch.setattr(module, "open_regular", open_regular)
    return names


def numbers(report):
    return report.files, report.unchanged, report.known, report.embedded, report.dropped, len(report.skipped)


def paths(store):
    return {found.path for _, found in store.pictures()}


def healthy(store):
    return list(store.problems()) == wrong(store) == []


# What is read


def test_new_files_are_embedded_and_unchanged_ones_not_even_opened(store, index, photos, embedder, opened):
    made = [picture(photos / folder / f"{i}.png", i) for i, folder in enumerate(["", "a", "a", "b/c", "b"] * 4)]
    assert numbers(index()) == (20, 0, 0, 20, 0, 0)
    assert sorted(embedder.decoded) == sorted(made)
    assert paths(store) == set(made)
    assert healthy(store)
    before = contents_of(store)
    opened.clear()
    assert numbers(index()) == (20, 20, 0, 0, 0, 0)
    assert opened == embedder.decoded == []
    assert contents_of(store) == before


def test_nothing_is_loaded_for_nothing_new(store, photos, index):
    picture(photos / "a.png", 1)
    index()

    def load():
        raise AssertionError

    picture(photos / "copy.png", 1)
    assert numbers(index_files(store, load, [photos])) == (2, 1, 1, 0, 0, 0)


def test_a_touched_file_is_hashed_but_not_decoded(index, photos, embedder, opened):
    path = picture(photos / "a.png", 1)
    index()
    os.utime(path, (1_600_000_000, 1_600_000_000))
    opened.clear()
    assert numbers(index()) == (1, 0, 1, 0, 0, 0)
    assert (opened, embedder.decoded) == ([path], [])
    assert numbers(index()) == (1, 1, 0, 0, 0, 0)


def test_a_file_written_just_now_is_hashed_once_more(index, photos, embedder, opened):
    path = put(photos / "a.png", SIGNATURE, time.time())  # it could change again in the same tick of the clock
    index()
    os.utime(path, (time.time(), os.stat(path).st_mtime))
    opened.clear()
    assert numbers(index()) == (1, 0, 1, 0, 0, 0)
    assert (opened, embedder.decoded) == ([path], [])


@pytest.mark.parametrize("seconds", [15_000_000_000, 9_300_000_000, 0, -1, -2_000_000_000])
def test_times_that_no_clock_should_have(index, photos, embedder, seconds):
    """Of the year 2446, where a database holds no such number, and before 1970."""
    path = picture(photos / "a.png", 1)
    os.utime(path, (seconds, seconds))
    if os.stat(path).st_mtime != seconds:
        pytest.skip("the file system keeps no such time")
    index()
    assert embedder.decoded == [path]
    index()
    assert embedder.decoded == []


def test_moved_renamed_and_copied_files_keep_their_vector(store, index, photos, embedder):
    made = [picture(photos / f"{i}.png", i) for i in range(6)]
    index()
    rows = {os.path.basename(found.path): row for row, found in store.pictures()}
    (photos / "deep" / "er").mkdir(parents=True)
    os.rename(made[0], photos / "deep" / "er" / "0.png")
    os.rename(made[1], photos / "another name.jpg")
    shutil.copyfile(made[2], photos / "copy.png")
    os.link(made[3], photos / "link.png")
    os.symlink(made[4], photos / "symlink.png")
    assert numbers(index()) == (9, 3, 6, 0, 2, 0)  # a new name changes the status of the file that gets it
    assert embedder.decoded == []
    found = {os.path.relpath(found.path, photos): row for row, found in store.pictures()}
    assert found["deep/er/0.png"] == rows["0.png"]
    assert found["another name.jpg"] == rows["1.png"]
    assert found["copy.png"] == found["2.png"] == rows["2.png"]
    assert found["link.png"] == rows["3.png"]
    assert found["symlink.png"] == rows["4.png"]
    assert store.counts()["contents"] == 6
    assert healthy(store)


def test_a_folder_is_moved(store, index, photos, embedder):
    for i in range(5):
        picture(photos / "old" / f"{i}.png", i)
    index()
    before = store.vectors().copy()
    os.rename(photos / "old", photos / "new")
    assert numbers(index()) == (5, 0, 5, 0, 5, 0)
    assert embedder.decoded == []
    assert np.array_equal(store.vectors(), before)


def test_removed_files_are_dropped_and_may_come_back(store, index, photos, embedder, tmp_path):
    made = [picture(photos / f"{i}.png", i) for i in range(3)]
    index()
    os.rename(made[1], tmp_path / "away")
    assert numbers(index()) == (2, 2, 0, 0, 1, 0)
    assert paths(store) == {made[0], made[2]}
    assert store.counts()["orphans"] == 1
    os.rename(tmp_path / "away", made[1])
    assert numbers(index()) == (3, 2, 1, 0, 0, 0)
    assert embedder.decoded == []
    assert store.counts()["orphans"] == 0


def test_other_folders_are_left_alone(store, index, photos, tmp_path):
    other = picture(tmp_path / "other" / "a.png", 1)
    beside = picture(tmp_path / "photos 2" / "b.png", 2)
    mine = picture(photos / "c.png", 3)
    index(photos, tmp_path / "other", beside)
    os.unlink(other)
    os.unlink(mine)
    os.unlink(beside)
    assert index().dropped == 1
    assert paths(store) == {other, beside}
    with pytest.raises(ImageError, match="a path must exist"):
        index(beside)
    assert index(tmp_path).dropped == 2
    assert paths(store) == set()


def test_an_empty_folder(store, index, photos):
    assert numbers(index()) == (0, 0, 0, 0, 0, 0)
    made = picture(photos / "a.png", 1)
    index()
    os.unlink(made)
    assert numbers(index()) == (0, 0, 0, 0, 1, 0)


def test_what_is_excluded_is_dropped(store, index, photos, embedder):
    kept, out = picture(photos / "a.png", 1), picture(photos / "raw" / "b.png", 2)
    index()
    assert index(exclude=["raw"]).dropped == 1
    assert paths(store) == {kept}
    index()
    assert paths(store) == {kept, out}
    assert embedder.decoded == []


def test_a_changed_file_is_embedded_anew(store, index, photos, embedder):
    path = picture(photos / "a.png", 1)
    other = picture(photos / "b.png", 2)
    index()
    put(path, SIGNATURE + b"another picture", 1_600_000_000)
    assert numbers(index()) == (2, 1, 0, 1, 0, 0)
    assert embedder.decoded == [path]
    assert paths(store) == {path, other}
    assert healthy(store)


def test_equal_bytes_are_decoded_once(store, index, photos, embedder):
    for i in range(30):
        picture(photos / f"{i:02}.png", i % 3)
    assert numbers(index()) == (30, 0, 27, 3, 0, 0)
    assert len(embedder.decoded) == 3
    assert store.counts() == {"pictures": 30, "contents": 3, "orphans": 0, "unreadable": 0, "pages": 0}
    assert healthy(store)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_any_size_of_commits(store, index, photos, monkeypatch, size):
    monkeypatch.setattr(indexing, "_COMMIT_CONTENTS", size)
    monkeypatch.setattr(indexing, "_COMMIT_FILES", size)
    made = {picture(photos / f"{i:02}.png", i // 2 % 7) for i in range(40)}
    assert numbers(index()) == (40, 0, 33, 7, 0, 0)
    assert paths(store) == made
    assert healthy(store)


def test_what_is_known_is_committed_on_the_way(store, index, photos, monkeypatch):
    for i in range(20):
        picture(photos / f"{i:02}.png", i)
    index()
    for i in range(20):
        os.utime(photos / f"{i:02}.png", (1_600_000_000, 1_600_000_000))
    commits = []
    monkeypatch.setattr(indexing, "_COMMIT_FILES", 5)
    monkeypatch.setattr(store, "commit", lambda *what, whole=store.commit: (commits.append(len(what[1])), whole(*what)))
    seen = []
    index(progress=lambda done, total: seen.append((done, total)))
    assert commits == [5, 5, 5, 5]
    assert seen == [(i, 20) for i in range(1, 21)]


# What cannot be read


def test_what_is_no_picture_is_remembered(store, index, photos, embedder, opened):
    made = picture(photos / "a.png", 1)
    words = put(photos / "b.png", b"words")
    empty = put(photos / "c.png", b"")
    found = index()
    assert numbers(found) == (3, 0, 0, 1, 0, 2)
    assert [(file.path, file.code) for file in found.skipped] == [(words, "not_a_picture"), (empty, "empty")]
    assert store.counts()["unreadable"] == 2
    opened.clear()
    again = index()
    assert (opened, embedder.decoded) == ([], [])
    assert numbers(again) == (3, 3, 0, 0, 0, 2)
    assert again.skipped == found.skipped
    put(words, SIGNATURE + b"now it is one", 1_600_000_000)
    assert numbers(index()) == (3, 2, 0, 1, 0, 1)
    assert paths(store) == {made, words}


def test_reasons_that_may_pass_are_tried_again(index, photos, embedder, monkeypatch):
    path = photos / "a.png"
    path.symlink_to(photos / "not there yet")
    assert [file.code for file in index().skipped] == ["broken_link"]
    put(photos / "not there yet", SIGNATURE)
    assert index().embedded == 1
    assert embedder.decoded == [str(path)]


def test_copies_of_what_is_no_picture_are_named_each(index, photos):
    made = [put(photos / f"{i}.png", b"words") for i in range(3)]
    found = index().skipped
    assert [file.path for file in found] == made
    assert all(file.path in file.message for file in found)


@pytest.mark.parametrize("how", ["unreadable", "dangling", "refuses"])
def test_a_folder_that_cannot_be_read_now_loses_nothing(store, index, photos, monkeypatch, tmp_path, how):
    """The superuser can read all folders, so that the calls are made to fail."""
    kept = picture(photos / "a.png", 1)
    hidden = [picture(tmp_path / "disk" / f"{i}.png", i) for i in range(2, 5)]
    (photos / "disk").symlink_to(tmp_path / "disk")
    beside = picture(photos / "disks" / "b.png", 9)
    hidden = {str(photos / "disk" / os.path.basename(path)) for path in hidden}
    index()
    assert paths(store) == {kept, beside, *hidden}
    os.unlink(beside)
    with monkeypatch.context() as patch:
        name = str(photos / "disk")
        if how == "dangling":
            os.rename(tmp_path / "disk", tmp_path / "unplugged")
        elif how == "unreadable":
            patch.setattr(os, "scandir", refusing(os.scandir, name))
            patch.setattr(os, "access", lambda path, mode: False)
        else:
            patch.setattr(os, "stat", refusing(os.stat, name))
        report = index()
        assert [file.path for file in report.skipped] == [name]
        assert report.skipped[0].code in ("unreadable", "broken_link")
        assert report.dropped == 1
        assert paths(store) == {kept, *hidden}
    if how == "dangling":
        os.rename(tmp_path / "unplugged", tmp_path / "disk")
    assert index().skipped == []
    assert (paths(store), store.counts()["unreadable"]) == ({kept, *hidden}, 0)


def refusing(function, name):
    def call(path, *arguments, **options):
        if path == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return function(path, *arguments, **options)

    return call


def test_names_that_are_not_utf_8(store, index, photos, embedder):
    name = os.path.join(os.fsencode(photos), b"caf\xe9 \n.png")
    made = picture(os.fsdecode(name), 1)
    assert numbers(index()) == (1, 0, 0, 1, 0, 0)
    assert paths(store) == {made}
    assert os.fsencode(made) == name
    assert numbers(index()) == (1, 1, 0, 0, 0, 0)
    os.unlink(name)
    assert index().dropped == 1


def test_links_that_lead_round(store, index, photos):
    made = picture(photos / "a" / "a.png", 1)
    (photos / "a" / "up").symlink_to(photos)
    (photos / "a" / "self.png").symlink_to("self.png")
    found = index()
    assert [file.code for file in found.skipped] == ["broken_link"]
    assert paths(store) == {made}


def test_relative_paths_and_paths_within_each_other(store, index, photos, monkeypatch):
    made = picture(photos / "a" / "a.png", 1)
    monkeypatch.chdir(photos)
    assert numbers(index(".", "a", "a/../a", "a/a.png")) == (1, 0, 0, 1, 0, 0)
    assert numbers(index(photos)) == (1, 1, 0, 0, 0, 0)
    assert paths(store) == {made}


# What changes meanwhile


def test_a_file_vanishes_between_the_look_and_the_reading(store, index, photos, embedder, monkeypatch):
    kept, gone = picture(photos / "a.png", 1), picture(photos / "b.png", 2)
    monkeypatch.setattr(
        hashing, "_hash", lambda path, whole=hashing._hash: (vanish(path == gone, gone), whole(path))[1]
    )
    found = index()
    assert [(file.path, file.code) for file in found.skipped] == [(gone, "missing")]
    assert paths(store) == {kept}
    assert index().dropped == 1
    assert store.files().keys() == {os.fsencode(kept)}


def vanish(now, path):
    if now:
        os.unlink(path)


def test_a_file_vanishes_between_hashing_and_decoding(store, index, photos, embedder):
    """And its twins, which were to have its vector, are read instead."""
    made = [picture(photos / f"{i}.png", 1) for i in range(4)]
    embedder.before = lambda path: vanish(path in made[:2], path)
    found = index()
    assert [(file.path, file.code) for file in found.skipped] == [(path, "missing") for path in made[:2]]
    assert embedder.decoded == made[:3]
    assert paths(store) == set(made[2:])
    assert numbers(found) == (4, 0, 1, 1, 0, 2)
    assert healthy(store)


@pytest.mark.parametrize("same_size_and_time", [False, True])
def test_a_file_changes_between_hashing_and_decoding(store, index, photos, embedder, same_size_and_time):
    now = time.time()
    first, twin = (put(photos / name, SIGNATURE + b"before", now) for name in ("a.png", "b.png"))
    index_time = os.stat(first).st_mtime_ns

    def change(path):
        if path == first and len(embedder.decoded) == 1:
            put(path, SIGNATURE + (b"behind" if same_size_and_time else b"longer than before"))
            os.utime(path, ns=(index_time, index_time + (0 if same_size_and_time else 1)))

    embedder.before = change
    found = index()
    assert [(file.path, file.code) for file in found.skipped] == [(first, "changed")]
    assert paths(store) == {twin}
    assert healthy(store)
    assert index().skipped == []
    assert paths(store) == {first, twin}
    assert healthy(store)


def test_ctrl_c_keeps_what_is_done_and_drops_nothing(store, index, photos, embedder, monkeypatch):
    monkeypatch.setattr(indexing, "_COMMIT_CONTENTS", 4)
    gone = picture(photos / "00.png", 99)
    index()
    os.unlink(gone)
    made = [picture(photos / f"{i:02}.png", i) for i in range(1, 40)]

    def stop(path):
        if len(embedder.decoded) == 20:
            os.kill(os.getpid(), signal.SIGINT)

    embedder.before = stop
    found = index()
    assert found.interrupted
    assert (found.embedded, found.dropped) == (19, 0)
    assert paths(store) == {gone, *made[:19]}
    assert list(store.problems()) == []
    embedder.before = lambda path: None
    found = index()
    assert not found.interrupted
    assert (found.embedded, found.dropped) == (20, 1)
    assert len(embedder.decoded) == 20
    assert paths(store) == set(made)


@pytest.mark.parametrize("moment", ["look", "load", "hash", "commit", "refit"])
def test_ctrl_c_at_other_moments(store, index, photos, embedder, monkeypatch, moment):
    monkeypatch.setattr(fitting, "FIT_FROM", 10)
    for i in range(20):
        picture(photos / f"{i:02}.png", i)

    def stopping(function):
        def call(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return function(*arguments)

        return call

    with monkeypatch.context() as patch:
        where = {
            "look": (changes, "scan_names"),
            "hash": (indexing, "hashed_ahead"),
            "commit": (store, "commit"),
            "refit": (store, "change_recipe"),
        }
        if moment == "load":
            report = index_files(store, stopping(lambda: embedder), [photos])
        else:
            patch.setattr(*where[moment], stopping(getattr(*where[moment])))
            report = index()
    assert report.interrupted
    assert healthy(store)
    assert store.counts()["pictures"] == (20 if moment in ("commit", "refit") else 0)
    report = index()
    assert (report.interrupted, store.counts()["pictures"], store.fitted_on) == (False, 20, 20)
    assert healthy(store)


def test_not_in_the_main_thread(store, index, photos):
    picture(photos / "a.png", 1)
    reports = []
    store.database.connection.close()
    store.database.connection = sqlite3.connect(
        store.path / "index.sqlite", isolation_level=None, check_same_thread=False
    )  # SQLite's objects belong to a thread, unless they are told
    thread = threading.Thread(target=lambda: reports.append(index()))
    thread.start()
    thread.join()
    assert reports[0].embedded == 1


# What is changed and made to look as before


def put_back(path, content):
    """Writes to a file, and gives it the time that it had."""
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (os.stat(path).st_size, os.stat(path).st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("repeat", range(20))  # within the same tick of the clock, often
def test_a_change_in_place_with_size_and_time_put_back(store, index, photos, embedder, repeat):
    path = put(photos / "a.png", SIGNATURE + b"before")
    index()
    put_back(path, SIGNATURE + b"behind")
    assert numbers(index()) == (1, 0, 0, 1, 0, 0)
    assert embedder.decoded == [path]
    assert healthy(store)
    assert numbers(index()) == (1, 1, 0, 0, 0, 0)


def test_a_restored_backup_is_hashed_and_not_decoded(store, index, photos, embedder, tmp_path):
    for i in range(6):
        picture(photos / f"{i}.png", i)
    index()
    shutil.copytree(photos, tmp_path / "backup")  # with times
    shutil.rmtree(photos)
    os.rename(tmp_path / "backup", photos)
    assert numbers(index()) == (6, 0, 6, 0, 0, 0)
    assert embedder.decoded == []
    assert numbers(index()) == (6, 6, 0, 0, 0, 0)
    assert healthy(store)


def test_a_change_of_status_alone_is_hashed_and_not_decoded(index, photos, embedder, opened):
    path = picture(photos / "a.png", 1)
    index()
    os.chmod(path, 0o600)
    opened.clear()
    assert numbers(index()) == (1, 0, 1, 0, 0, 0)
    assert (opened, embedder.decoded) == ([path], [])
    assert numbers(index()) == (1, 1, 0, 0, 0, 0)


def test_what_was_no_picture_is_none_with_the_same_bytes(index, photos, embedder, opened):
    path = put(photos / "a.png", b"words")
    before = index().skipped
    assert embedder.decoded == [path]
    os.chmod(path, 0o600)
    opened.clear()
    assert index().skipped == before
    assert (opened.count(path), embedder.decoded) == (1, [])
    assert index(rehash=True).skipped == before
    assert embedder.decoded == [path]  # a newer version may know better
    put(path, b"sdrow")
    assert [file.code for file in index().skipped] == ["not_a_picture"]
    assert embedder.decoded == [path]


@pytest.mark.parametrize("touched", [False, True])
def test_newer_readers_try_again_once_what_was_no_picture(index, photos, embedder, monkeypatch, touched):
    path = put(photos / "a.png", b"words")
    good = picture(photos / "b.png", 1)
    before = index().skipped
    assert sorted(embedder.decoded) == [path, good]
    for newer in (READERS + 1, READERS + 2):
        for module in (changes, indexing):
            monkeypatch.setattr(module, "READERS", newer)
        for decoded in ([path], []):
            if touched:  # so that it is hashed and known by its bytes
                os.chmod(path, 0o600)
            assert index().skipped == before
            assert embedder.decoded == decoded


def test_rehash_finds_what_no_time_tells(store, index, photos, embedder, monkeypatch, opened):
    """As on file systems with one time for all, and where a disk fails."""
    monkeypatch.setattr(changes, "change_and_inode", lambda status: (1, 1))
    made = [picture(photos / f"{i}.png", i) for i in range(3)] + [put(photos / "x.png", SIGNATURE + b"before")]
    index()
    put_back(made[3], SIGNATURE + b"behind")
    assert numbers(index()) == (4, 4, 0, 0, 0, 0)
    opened.clear()
    assert numbers(index(rehash=True)) == (4, 0, 3, 1, 0, 0)
    assert set(opened) == set(made)
    assert embedder.decoded == [made[3]]
    assert healthy(store)


def test_what_an_older_version_indexed_is_hashed_once(store, index, photos, embedder):
    """A change that it did not see is seen then."""
    made = [picture(photos / f"{i}.png", i) for i in range(3)] + [put(photos / "x.png", SIGNATURE + b"before")]
    index()
    put_back(made[3], SIGNATURE + b"behind")
    store.database.connection.execute("UPDATE files SET changed = NULL, inode = NULL, mount = NULL")
    assert numbers(index()) == (4, 0, 3, 1, 0, 0)
    assert embedder.decoded == [made[3]]
    assert numbers(index()) == (4, 4, 0, 0, 0, 0)


# Drives that are not there


@pytest.fixture
def drive(photos, monkeypatch):
    """A folder at which a drive is mounted, as long as there is something in this list."""
    return mount(monkeypatch, photos / "disk")


@pytest.mark.parametrize("left", ["an empty folder", "nothing"])
def test_a_drive_that_is_not_there_loses_nothing(store, index, photos, embedder, drive, tmp_path, left):
    kept, gone = picture(photos / "a.png", 1), picture(photos / "b.png", 2)
    away = {picture(photos / "disk" / "deep" / f"{i}.png", i) for i in range(3, 6)}
    assert index().hidden == {}
    os.unlink(gone)
    drive.clear()
    os.rename(photos / "disk", tmp_path / "disk")
    if left == "an empty folder":
        (photos / "disk").mkdir()
    report = index()
    assert numbers(report) == (1, 1, 0, 0, 1, 1)
    assert report.hidden == {str(photos / "disk"): 3}
    assert [(file.path, file.code) for file in report.skipped] == [(str(photos / "disk"), "unreadable")]
    assert paths(store) == {kept, *away}
    if left == "an empty folder":
        (photos / "disk").rmdir()
    os.rename(tmp_path / "disk", photos / "disk")
    drive.append("again")
    report = index()
    assert (report.hidden, report.skipped, embedder.decoded) == ({}, [], [])
    assert paths(store) == {kept, *away}


@pytest.mark.parametrize("pattern", ["disk", "*/disk/deep"])
def test_what_was_on_a_drive_that_is_not_there_can_be_excluded(store, index, photos, drive, monkeypatch, pattern):
    kept = picture(photos / "a.png", 1)
    picture(photos / "disk" / "deep" / "b.png", 2)
    index()
    drive.clear()
    shutil.rmtree(photos / "disk")
    monkeypatch.chdir(photos.parent)
    assert index("photos").dropped == 0
    assert numbers(index("photos", exclude=[pattern])) == (1, 1, 0, 0, 1, 0)
    assert paths(store) == {kept}


@pytest.mark.parametrize("how", ["the drive is there", "the folder has come to another drive"])
def test_files_that_are_gone_from_a_drive_are_dropped(store, index, photos, drive, how):
    made = [picture(photos / "disk" / f"{i}.png", i) for i in range(3)]
    index()
    for path in made[1:] if how != "the drive is there" else made:
        os.unlink(path)
    if how != "the drive is there":
        drive.clear()
    report = index()
    assert report.hidden == {}
    assert report.dropped == (2 if how != "the drive is there" else 3)


def test_how_much_is_in_a_folder_that_cannot_be_read(index, photos, tmp_path):
    for i in range(3):
        picture(tmp_path / "disk" / f"{i}.png", i)
    (photos / "disk").symlink_to(tmp_path / "disk")
    (photos / "new").symlink_to(tmp_path / "nowhere")
    index()
    os.rename(tmp_path / "disk", tmp_path / "unplugged")
    assert index().hidden == {str(photos / "disk"): 3}


# Folders by two paths


@pytest.mark.parametrize("device", [None, -7])
def test_a_folder_that_is_in_it_by_another_path_is_taken_once(store, index, photos, tmp_path, monkeypatch, device):
    """As a folder mounted twice, perhaps under another number."""
    made = {picture(photos / folder / f"{i}.png", i) for i, folder in enumerate(["", "a", "a"])}
    second = tmp_path / "mounted again"
    second.symlink_to(photos)
    if device is not None:
        mount(monkeypatch, second)
    index()
    report = index(second)
    assert numbers(report) == (0, 0, 0, 0, 0, 0)
    assert report.same == {str(second): str(photos), str(second / "a"): str(photos / "a")}
    assert paths(store) == made
    new = picture(second / "a" / "new.png", 9)
    assert numbers(index(second)) == (1, 0, 0, 1, 0, 0)
    assert paths(store) == {*made, new}
    assert index().same == {str(photos / "a"): str(second / "a")}
    assert paths(store) == {*made, new}


def test_two_mounts_in_one_run(store, index, photos, tmp_path, monkeypatch):
    made = {picture(photos / f"{i}.png", i) for i in range(3)}
    (tmp_path / "again").symlink_to(photos)
    mount(monkeypatch, tmp_path / "again")  # under another number, so that both are searched
    report = index(photos, tmp_path / "again")
    assert (numbers(report), report.same) == ((3, 0, 0, 3, 0, 0), {str(tmp_path / "again"): str(photos)})
    assert paths(store) == made


def test_a_folder_whose_first_path_is_gone_is_taken_by_the_other(store, index, photos, tmp_path, embedder):
    for i in range(3):
        picture(tmp_path / "real" / f"{i}.png", i)
    (tmp_path / "first").symlink_to(tmp_path / "real")
    (tmp_path / "second").symlink_to(tmp_path / "real")
    index(tmp_path / "first")
    (tmp_path / "first").unlink()
    assert numbers(index(tmp_path / "second")) == (3, 0, 3, 0, 0, 0)


def test_a_link_that_comes_before_the_folder_loses_nothing(store, index, photos):
    made = {picture(photos / "real" / f"{i}.png", i) for i in range(3)}
    index()
    (photos / "a link").symlink_to("real")  # and is entered first from now on
    assert numbers(index()) == (3, 0, 3, 0, 3, 0)
    assert len(paths(store)) == 3
    assert index(exclude=["a link"]).dropped == 3
    assert paths(store) == made


# What fails


def test_another_embedder_is_refused(store, index, photos):
    picture(photos / "a.png", 1)
    index()
    before = contents_of(store)
    picture(photos / "b.png", 2)
    other = StubEmbedder("stub-000000000001-fp32-p2")
    with pytest.raises(ImgsimError, match="vectors must be made by stub-000000000000"):
        index_files(store, lambda: other, [photos])
    assert (contents_of(store), other.decoded) == (before, [])


def test_the_embedders_own_error_keeps_what_was_committed(store, index, photos, embedder, monkeypatch):
    monkeypatch.setattr(indexing, "_COMMIT_CONTENTS", 4)
    for i in range(10):
        picture(photos / f"{i}.png", i)

    def fail(path):
        if len(embedder.decoded) == 8:
            raise ZeroDivisionError

    embedder.before = fail
    with pytest.raises(ZeroDivisionError):
        index()
    assert store.counts()["pictures"] == 4
    embedder.before = lambda path: None
    assert index().embedded == 6
    assert healthy(store)


def test_a_full_disk_loses_nothing_and_the_next_run_goes_on(store, index, photos, embedder, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(indexing, "_COMMIT_CONTENTS", 16)
    made = {picture(photos / f"{i:03}.png", i) for i in range(400)}
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # or the system would end the process
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    pictures = 0
    try:
        # No file may grow beyond: first the database cannot, then one of the files of vectors.
        for limit in (20_000, 8_000, 60_000, 19_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
            with pytest.raises(OSError, match=r"(too large|error|full|No space).*c\.imgsim"):
                index()
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert healthy(store)
            assert store.counts()["pictures"] >= pictures
            pictures = store.counts()["pictures"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert 0 < pictures < 400
    assert index().embedded == 400 - pictures
    assert paths(store) == made
    assert healthy(store)


# Whitening


def test_the_recipe_is_fitted_when_the_collection_is_large_enough_and_when_it_has_doubled(
    store, index, photos, monkeypatch
):
    monkeypatch.setattr(fitting, "FIT_FROM", 30)
    fitted = []
    for count in (29, 30, 59, 60, 61):
        for i in range(count):
            picture(photos / f"{i}.png", i)
        index()
        fitted.append(store.fitted_on)
        assert np.array_equal(store.vectors(), store.recipe.vectors(store.raw(), store.whitening))
        assert list(store.problems()) == []
    assert fitted == [0, 30, 30, 60, 60]


def test_a_recipe_that_does_not_whiten_is_never_fitted(tmp_path, photos, embedder, monkeypatch):
    monkeypatch.setattr(fitting, "FIT_FROM", 2)
    for i in range(5):
        picture(photos / f"{i}.png", i)
    with Store.create(tmp_path / "gem", embedder.fingerprint, RECIPES["gem"], embedder.raw_width) as store:
        index_files(store, lambda: embedder, [photos])
        assert (store.fitted_on, store.whitening) == (0, None)
        assert list(store.problems()) == []


def test_a_hash(tmp_path):
    path = put(tmp_path / "a", b"abc")
    assert sha256_of(path).hex().startswith("ba7816bf")
    assert description_of(b"abc").perceptual.tobytes() == sha256_of(path)
    with pytest.raises(ImageError):
        sha256_of(tmp_path)


def test_a_file_that_is_not_read_is_not_hashed_again_until_it_can_be(store, tmp_path, photos, monkeypatch):
    path = photos / "a.xcf"
    path.write_bytes(b"gimp xcf v011" + bytes(100))
    os.utime(path, ns=(0, 0))
    status = path.stat()
    known = FileRecord(
        os.fsencode(path), status.st_size, 0, True, None, "unsupported", "XCF", *change_and_inode(status)
    )
    for readable in (False, True):
        monkeypatch.setattr(changes, "can_read", lambda kind, readable=readable: readable)
        found = changes.look_for_changes({known.path: known}, tmp_path / "collection", [photos], ())
        assert [file.path for file in found.changed] == [str(path)] * readable
        assert found.unchanged == (not readable)
        assert [file.code for file in found.skipped] == ["unsupported"] * (not readable)
