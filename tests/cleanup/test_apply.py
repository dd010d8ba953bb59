"""Carrying out decisions: what is done, and what is refused because a picture could be lost."""

import errno
import json
import os
import socket
import unicodedata
from dataclasses import replace
from urllib.parse import unquote

import pytest

from imgsim_ops.cleanup import apply, journal
from imgsim_ops.cleanup.apply import apply_decisions
from imgsim_ops.cleanup.decisions import read_decisions
from imgsim_ops.cleanup.journal import Journal, State, Way, read_journal
from imgsim_ops.cleanup.undo import undo
from imgsim_ops.errors import ImgsimError
from tests.support.devices import OnDevice, mount
from tests.support.trees import KEPT, put, snapshot, write

WAYS = list(Way)


@pytest.fixture
def kept(tmp_path):
    return put(tmp_path / "photos" / "kept.jpg", KEPT)


@pytest.fixture
def copy(tmp_path):
    return put(tmp_path / "photos" / "copy.jpg", KEPT, 10**18 + 7, 0o604)


@pytest.fixture
def carry_out(tmp_path):
    def run(way, *groups, dry_run=False, journal=None):
        decisions = write(tmp_path / "decisions.json", *groups)
        folder = tmp_path / "gone" if way is Way.MOVE else None
        return apply_decisions(
            read_decisions(decisions), way, decisions, folder=folder, journal=journal, dry_run=dry_run
        )

    return run


def codes(report):
    return [file.code for file in report.skipped]


@pytest.mark.parametrize("way", WAYS)
def test_a_dry_run_touches_nothing(tmp_path, carry_out, kept, copy, way):
    group = ([(kept, KEPT)], [(copy, KEPT)])
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, group, dry_run=True)
    assert [step.path for step in report.steps] == [copy]
    assert (report.size, report.journal) == (len(KEPT), None)
    assert report.freed == (len(KEPT) if way in (Way.HARDLINK, Way.DELETE) else 0)
    assert snapshot(tmp_path / "photos") == before
    assert sorted(os.listdir(tmp_path)) == ["decisions.json", "photos"]


@pytest.mark.parametrize("way", WAYS)
def test_there_and_back(tmp_path, carry_out, kept, copy, way):
    group = ([(kept, KEPT)], [(copy, KEPT)])
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, group)
    assert (codes(report), len(report.steps)) == ([], 1)
    assert os.path.exists(copy) == (way is Way.HARDLINK)
    if way is Way.HARDLINK:
        assert os.path.samefile(kept, copy)
    again = carry_out(way, group)
    assert (again.steps, again.before, codes(again), again.journal) == ([], 1, [], report.journal)
    back = undo(report.journal)
    if way is Way.DELETE:
        assert (back.restored, codes(back)) == ([], ["deleted"])
        return
    assert (back.restored, codes(back)) == ([copy], [])
    assert snapshot(tmp_path / "photos") == before
    assert not os.path.samefile(kept, copy)
    assert not (tmp_path / "gone").exists()
    again = undo(report.journal)
    assert (again.restored, again.before, codes(again)) == ([], 1, [])
    # What was undone is no part of what is done: it begins anew, with a journal of its own.
    report = carry_out(way, group)
    assert len(report.steps) == 1
    assert report.journal.name == "decisions.journal-2.jsonl"
    assert codes(undo(report.journal)) == []
    assert snapshot(tmp_path / "photos") == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["with space", "new\nline.jpg", "\udcff\udc80.jpg", "ü%20.jpg", "x" * 251 + ".jpg", "-rf"]
)
def test_odd_names(tmp_path, carry_out, kept, trash, way, name):
    path = put(tmp_path / "photos" / "sub folder" / name, KEPT)
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, ([(kept, KEPT)], [(path, KEPT)]))
    assert codes(report) == []
    if way is Way.TRASH:
        (info,) = os.listdir(trash / "info")
        assert os.path.exists(trash / "files" / info.removesuffix(".trashinfo"))
        _, line, _ = (trash / "info" / info).read_text().splitlines()
        assert unquote(line.removeprefix("Path="), errors="surrogateescape") == path
    assert report.journal.read_bytes().isascii()
    assert codes(undo(report.journal)) == (["deleted"] if way is Way.DELETE else [])
    if way is not Way.DELETE:
        assert snapshot(tmp_path / "photos") == before
        assert snapshot(trash) == {}


@pytest.mark.parametrize("way", WAYS)
def test_what_changed_since_is_left(tmp_path, carry_out, kept, copy, way):
    put(copy, b"edited")
    link = tmp_path / "photos" / "link.jpg"
    link.symlink_to(kept)
    folder = tmp_path / "photos" / "folder.jpg"
    folder.mkdir()
    pipe = tmp_path / "photos" / "pipe.jpg"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(tmp_path / "photos")  # the name of a socket may have some 100 bytes
        server.bind("socket.jpg")
        os.chdir(place)
    gone = tmp_path / "photos" / "gone.jpg"
    below = tmp_path / "photos" / "kept.jpg" / "below.jpg"
    empty = put(tmp_path / "photos" / "empty.jpg", b"")
    paths = [copy, link, folder, pipe, tmp_path / "photos" / "socket.jpg", gone, below, empty]
    listing = sorted(os.listdir(tmp_path / "photos"))
    report = carry_out(way, ([(kept, KEPT)], [(path, KEPT) for path in paths]))
    assert codes(report) == ["changed", "link", "folder", "special", "special", "missing", "missing", "empty"]
    assert all("\n" not in file.message and "(got " in file.message for file in report.skipped)
    assert (report.steps, report.journal) == ([], None)
    assert sorted(os.listdir(tmp_path / "photos")) == listing


@pytest.mark.parametrize("way", WAYS)
def test_a_group_is_never_emptied(tmp_path, carry_out, copy, way):
    """Whatever the kept path is, as long as it is no picture of its own with its bytes."""
    photos = tmp_path / "photos"
    kept = photos / "kept.jpg"
    expected = "no_kept_copy"

    def still_there(expected=expected):
        report = carry_out(way, ([(kept, KEPT)], [(copy, KEPT)]))
        assert codes(report) == [expected]
        with open(copy, "rb") as file:
            assert file.read() == KEPT
        return True

    assert still_there()  # missing
    put(kept, b"edited")
    assert still_there()
    kept.unlink()
    kept.mkdir()
    assert still_there()
    kept.rmdir()
    kept.symlink_to(copy)
    assert still_there("kept_too")
    kept.unlink()
    elsewhere = put(tmp_path / "elsewhere.jpg", KEPT)
    kept.symlink_to(elsewhere)  # what it leads to is nobody's to keep
    assert still_there()
    kept.unlink()
    kept = tmp_path / "way" / "copy.jpg"
    kept.parent.symlink_to(photos)
    assert still_there("kept_too")  # the same file through a linked folder


def test_a_kept_path_of_another_group_counts_too(tmp_path, carry_out, kept, copy):
    (tmp_path / "way").symlink_to(tmp_path / "photos")
    other = put(tmp_path / "photos" / "other.jpg", b"other")
    report = carry_out(
        Way.DELETE,
        ([(kept, KEPT)], [(copy, KEPT)]),
        ([(other, b"other")], [(tmp_path / "way" / "kept.jpg", KEPT)]),
    )
    assert codes(report) == ["kept_too"]
    assert os.path.exists(kept)


@pytest.mark.parametrize("way", WAYS)
def test_hard_links_to_a_kept_file(tmp_path, carry_out, kept, way):
    """A second name may go: the first one has all the bytes."""
    second = tmp_path / "photos" / "second.jpg"
    os.link(kept, second)
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, ([(kept, KEPT)], [(second, KEPT)]))
    assert codes(report) == []
    assert report.freed == 0
    assert snapshot(tmp_path / "photos")[kept] == before[kept]
    if way is Way.HARDLINK:
        assert (report.steps, report.before) == ([], 1)
    elif way is not Way.DELETE:
        assert codes(undo(report.journal)) == []
        assert snapshot(tmp_path / "photos") == before


@pytest.mark.parametrize("way", WAYS)
def test_one_file_through_two_mounts(tmp_path, carry_out, kept, monkeypatch, way):
    """Whose devices have two numbers: who removes it by one path has lost it by both."""
    (tmp_path / "mount").symlink_to(tmp_path / "photos")
    mounted = tmp_path / "mount" / "kept.jpg"
    mount(monkeypatch, tmp_path / "mount")
    holds = apply.holds

    def through_mount(path, sha256):
        found = holds(path, sha256)
        return replace(found, status=OnDevice(found.status)) if path == str(mounted) else found

    monkeypatch.setattr(apply, "holds", through_mount)
    assert codes(carry_out(way, ([(mounted, KEPT)], [(kept, KEPT)]))) == ["kept_too"]
    monkeypatch.setattr(apply._Run, "_check_not_kept", lambda self, found: None)
    assert codes(carry_out(way, ([(mounted, KEPT)], [(kept, KEPT)]))) == ["no_kept_copy"]
    assert os.path.exists(kept)


def test_a_dry_run_says_what_the_names_of_one_file_free(tmp_path, carry_out, kept, copy):
    second = tmp_path / "photos" / "second.jpg"
    os.link(copy, second)
    group = ([(kept, KEPT)], [(copy, KEPT), (second, KEPT)])
    dry, done = (carry_out(Way.DELETE, group, dry_run=dry_run) for dry_run in (True, False))
    assert dry.freed == done.freed == len(KEPT)
    assert [step.frees for step in dry.steps] == [step.frees for step in done.steps] == [False, True]


def test_hard_link_in_one_folder_under_names_that_some_systems_hold_equal(tmp_path, carry_out):
    names = ["Ä.jpg", unicodedata.normalize("NFD", "ä.JPG")]
    paths = [put(tmp_path / "photos" / names[0], KEPT), str(tmp_path / "photos" / names[1])]
    os.link(*paths)
    report = carry_out(Way.DELETE, ([(paths[0], KEPT)], [(paths[1], KEPT)]))
    assert codes(report) == ["kept_too"]


def test_several_kept_ones(tmp_path, carry_out, kept, copy):
    gone = tmp_path / "photos" / "gone.jpg"
    report = carry_out(Way.MOVE, ([(gone, KEPT), (kept, KEPT)], [(copy, KEPT)]))
    assert report.steps[0].kept == kept


def test_hardlink_needs_equal_bytes(tmp_path, carry_out, kept):
    near = put(tmp_path / "photos" / "near.jpg", b"near")
    report = carry_out(Way.HARDLINK, ([(kept, KEPT)], [(near, b"near")]))
    assert codes(report) == ["not_equal"]


def test_moved_files_keep_their_folders_and_overwrite_nothing(tmp_path, carry_out, kept):
    photos, gone = tmp_path / "photos", tmp_path / "gone"
    paths = [put(photos / place, KEPT) for place in ("2020/a.jpg", "2021/a.jpg", "2021/x/a.jpg", "a.jpg")]
    mine = put(gone / "a.jpg", b"mine")
    put(gone / "2020" / "a (2).jpg", b"mine")
    report = carry_out(Way.MOVE, ([(kept, KEPT)], [(path, KEPT) for path in paths]))
    targets = [os.path.relpath(step.to, gone) for step in report.steps]
    assert targets == ["2020/a.jpg", "2021/a.jpg", "2021/x/a.jpg", "a (2).jpg"]
    assert snapshot(gone)[mine][0] == b"mine"
    assert codes(undo(report.journal)) == []
    assert sorted(os.listdir(gone)) == ["2020", "a.jpg"]


def test_a_dry_run_gives_each_file_a_name_of_its_own(tmp_path, carry_out, kept):
    paths = [put(tmp_path / "photos" / place / "a.jpg", KEPT) for place in ("x", "y")]
    report = carry_out(Way.TRASH, ([(kept, KEPT)], [(path, KEPT) for path in paths]), dry_run=True)
    assert [os.path.basename(step.to) for step in report.steps] == ["a.jpg", "a (2).jpg"]


def test_moving_to_where_the_files_are(tmp_path, carry_out, kept, copy):
    (tmp_path / "gone").symlink_to(tmp_path / "photos")
    assert codes(carry_out(Way.MOVE, ([(kept, KEPT)], [(copy, KEPT)]))) == ["same_folder"]


def test_a_name_that_is_taken_meanwhile(tmp_path, carry_out, kept, copy, monkeypatch):
    intend = Journal.intend

    def late(self, action):
        if "(2)" not in action.to:
            put(action.to, b"somebody else's")
        return intend(self, action)

    monkeypatch.setattr(Journal, "intend", late)
    report = carry_out(Way.MOVE, ([(kept, KEPT)], [(copy, KEPT)]))
    assert os.path.basename(report.steps[0].to) == "copy (2).jpg"
    assert codes(undo(report.journal)) == []
    assert snapshot(tmp_path / "gone")[str(tmp_path / "gone" / "copy.jpg")][0] == b"somebody else's"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("changed", ["copy", "kept"])
def test_a_change_between_the_hash_and_the_act(tmp_path, carry_out, kept, copy, monkeypatch, way, changed):
    intend = Journal.intend

    def late(self, action):
        put(copy if changed == "copy" else kept, b"edited")
        return intend(self, action)

    monkeypatch.setattr(Journal, "intend", late)
    report = carry_out(way, ([(kept, KEPT)], [(copy, KEPT)]))
    assert codes(report) == ["changed" if changed == "copy" else "no_kept_copy"]
    assert os.path.exists(copy)
    assert codes(undo(report.journal)) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_refuses(tmp_path, carry_out, kept, copy, monkeypatch, way):
    """One file is refused, with one line, and the others are done."""
    second = put(tmp_path / "photos" / "second.jpg", KEPT)
    call = "replace" if way is Way.HARDLINK else "unlink"
    whole = getattr(os, call)

    def refuses(*paths):
        if paths[-1] == copy:
            raise OSError(errno.EACCES, "Permission denied", copy)
        return whole(*paths)

    monkeypatch.setattr(os, call, refuses)
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, ([(kept, KEPT)], [(copy, KEPT), (second, KEPT)]))
    assert codes(report) == ["refused"]
    assert "Permission denied" in report.skipped[0].message
    assert [step.path for step in report.steps] == [second]
    monkeypatch.undo()
    if way is not Way.DELETE:
        assert codes(undo(report.journal)) == []
        assert snapshot(tmp_path / "photos") == before


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk_under_the_journal(tmp_path, carry_out, kept, copy, monkeypatch, way):
    second = put(tmp_path / "photos" / "second.jpg", KEPT)
    whole = os.write
    room = 2200

    def short(descriptor, content):
        nonlocal room
        if room < len(content):
            whole(descriptor, content[: len(content) // 2])  # a full disk may take a part
            return len(content) // 2
        room -= len(content)
        return whole(descriptor, content)

    monkeypatch.setattr(os, "write", short)
    before = snapshot(tmp_path / "photos")
    many = [put(tmp_path / "photos" / f"{number}.jpg", KEPT) for number in range(6)]
    before = snapshot(tmp_path / "photos")
    report = carry_out(way, ([(kept, KEPT)], [(path, KEPT) for path in (copy, second, *many)]))
    assert set(codes(report)) == {"no_journal"}
    assert 0 < len(report.steps) < 8
    monkeypatch.undo()
    found = read_journal(report.journal)  # without half a line in it
    assert (found.header.way, len(found.entries)) == (way, len(report.steps))
    if way is not Way.DELETE:
        assert codes(undo(report.journal)) == []
        assert snapshot(tmp_path / "photos") == before


def test_journals_never_overwrite(tmp_path, carry_out, kept, copy):
    mine = tmp_path / "decisions.journal.jsonl"
    mine.write_text("notes of mine")
    group = ([(kept, KEPT)], [(copy, KEPT)])
    with pytest.raises(ImgsimError, match="the journal must be new"):
        carry_out(Way.MOVE, group, journal=mine)
    report = carry_out(Way.MOVE, group)
    assert report.journal.name == "decisions.journal-2.jsonl"
    assert mine.read_text() == "notes of mine"
    with pytest.raises(ImgsimError, match="the journal must be new"):
        carry_out(Way.TRASH, group, journal=report.journal)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_journal_is_read_once(tmp_path, carry_out, kept, copy, monkeypatch, dry_run):
    group = ([(kept, KEPT)], [(copy, KEPT)])
    made = carry_out(Way.MOVE, group)
    read = []

    def counted(path):
        read.append(path)
        return read_journal(path)

    for module in (apply, journal):
        monkeypatch.setattr(module, "read_journal", counted)
    assert carry_out(Way.MOVE, group, dry_run=dry_run).before == 1
    assert read == [made.journal]


def test_a_journal_that_somebody_wrote_to_since_is_read_again(carry_out, kept, copy):
    place = carry_out(Way.MOVE, ([(kept, KEPT)], [(copy, KEPT)])).journal
    known = read_journal(place)
    with Journal.open(place, known) as same:
        assert same.entries is known.entries
    assert undo(place).restored == [copy]
    with Journal.open(place, known) as changed:
        assert [entry.state for entry in known.entries] == [State.DONE]
        assert [entry.state for entry in changed.entries] == [State.UNDONE]


def test_a_journal_with_nowhere_to_be(tmp_path, carry_out, kept, copy):
    with pytest.raises(ImgsimError, match="--journal names another"):
        carry_out(Way.DELETE, ([(kept, KEPT)], [(copy, KEPT)]), journal=tmp_path / "missing" / "j")
    assert os.path.exists(copy)


def test_a_journal_in_use(tmp_path, carry_out, kept, copy):
    pytest.importorskip("fcntl")
    group = ([(kept, KEPT)], [(copy, KEPT)])
    report = carry_out(Way.MOVE, group)
    with Journal.open(report.journal):
        with pytest.raises(ImgsimError, match="one process at a time"):
            undo(report.journal)
        with pytest.raises(ImgsimError, match="one process at a time"):
            carry_out(Way.MOVE, group)


def test_ctrl_c_finishes_the_file_in_hand(tmp_path, carry_out, kept, monkeypatch):
    import signal

    paths = [put(tmp_path / "photos" / f"{number}.jpg", KEPT) for number in range(5)]
    intend = Journal.intend

    def interrupted(self, action):
        if action.path == paths[2]:
            signal.raise_signal(signal.SIGINT)
        return intend(self, action)

    monkeypatch.setattr(Journal, "intend", interrupted)
    group = ([(kept, KEPT)], [(path, KEPT) for path in paths])
    report = carry_out(Way.TRASH, group)
    assert (report.interrupted, [step.path for step in report.steps]) == (True, paths[:3])
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    report = carry_out(Way.TRASH, group)
    assert (report.interrupted, report.before, len(report.steps)) == (False, 3, 2)


class TestUndo:
    @pytest.mark.parametrize("way", [Way.MOVE, Way.TRASH])
    @pytest.mark.parametrize("there", [b"new", b"", KEPT])
    def test_nothing_is_overwritten(self, tmp_path, carry_out, kept, copy, way, there):
        report = carry_out(way, ([(kept, KEPT)], [(copy, KEPT)]))
        put(copy, there)
        for _ in range(2):
            assert codes(undo(report.journal)) == ["taken"]
            assert snapshot(tmp_path / "photos")[copy][0] == there
            assert os.path.exists(report.steps[0].to)
        os.unlink(copy)
        assert undo(report.journal).restored == [copy]

    def test_a_linked_file_that_was_edited(self, tmp_path, carry_out, kept, copy):
        report = carry_out(Way.HARDLINK, ([(kept, KEPT)], [(copy, KEPT)]))
        with open(copy, "ab") as file:
            file.write(b"more")
        assert codes(undo(report.journal)) == ["changed"]

    def test_a_linked_file_that_is_gone(self, tmp_path, carry_out, kept, copy):
        before = snapshot(tmp_path / "photos")
        report = carry_out(Way.HARDLINK, ([(kept, KEPT)], [(copy, KEPT)]))
        os.unlink(copy)
        assert codes(undo(report.journal)) == []
        assert snapshot(tmp_path / "photos") == before

    @pytest.mark.parametrize("way", [Way.MOVE, Way.TRASH])
    def test_what_went_missing_or_was_edited_there(self, tmp_path, carry_out, kept, copy, way):
        second = put(tmp_path / "photos" / "second.jpg", KEPT)
        report = carry_out(way, ([(kept, KEPT)], [(copy, KEPT), (second, KEPT)]))
        os.unlink(report.steps[0].to)
        put(report.steps[1].to, b"edited")
        assert codes(undo(report.journal)) == ["changed", "missing"]
        assert set(snapshot(tmp_path / "photos")) == {kept}

    def test_folders_that_are_gone_are_made_again(self, tmp_path, carry_out, kept):
        path = put(tmp_path / "photos" / "sub" / "a.jpg", KEPT)
        report = carry_out(Way.MOVE, ([(kept, KEPT)], [(path, KEPT)]))
        os.rmdir(os.path.dirname(path))
        assert undo(report.journal).restored == [path]

    def test_already_back_by_hand(self, tmp_path, carry_out, kept, copy, trash):
        before = snapshot(tmp_path / "photos")
        report = carry_out(Way.TRASH, ([(kept, KEPT)], [(copy, KEPT)]))
        os.rename(report.steps[0].to, copy)
        assert codes(undo(report.journal)) == []
        assert snapshot(tmp_path / "photos") == before
        assert snapshot(trash) == {}

    def test_half_a_line_at_the_end_is_cut_off(self, tmp_path, carry_out, kept, copy):
        report = carry_out(Way.MOVE, ([(kept, KEPT)], [(copy, KEPT)]))
        with open(report.journal, "ab") as file:
            file.write(b'{"intend": 1, "path": "/x')
        assert undo(report.journal).restored == [copy]
        lines = report.journal.read_bytes().splitlines()
        assert [json.loads(line) for line in lines][-1] == {"undone": 0}

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "line 1"),
            (b"words\n", "line 1"),
            (b'{"imgsim": "decisions", "version": 1}\n', "line 1"),
            (b'{"imgsim": "journal", "version": 9}\n', "the version must be 1 (got 9)"),
            (b'{"imgsim": "journal", "version": 1, "way": "burn"}\n', "line 1"),
        ],
    )
    def test_files_that_are_no_journals(self, tmp_path, content, words):
        path = tmp_path / "j"
        path.write_bytes(content)
        with pytest.raises(ImgsimError) as caught:
            undo(path)
        assert words in str(caught.value)
        assert path.read_bytes() == content

    @pytest.mark.parametrize(
        "line", [b"{}", b"[]", b"words", b'{"done": 7}', b'{"done": -1}', b'{"burnt": 0}', b'{"intend": 5}']
    )
    def test_lines_that_are_none(self, tmp_path, carry_out, kept, copy, line):
        report = carry_out(Way.MOVE, ([(kept, KEPT)], [(copy, KEPT)]))
        with open(report.journal, "ab") as file:
            file.write(line + b"\n")
        with pytest.raises(ImgsimError, match="every line must"):
            undo(report.journal)
