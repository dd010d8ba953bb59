"""What lies beside a picture and is of the same shot goes with it, and comes back with it."""

import json
import os
import shutil

import pytest

from imgsim_ops.cleanup import apply
from imgsim_ops.cleanup.apply import SidecarOptions, apply_decisions
from imgsim_ops.cleanup.decisions import read_decisions
from imgsim_ops.cleanup.journal import Journal, Way, read_journal
from imgsim_ops.cleanup.undo import undo
from imgsim_ops.report.schemas import schema
from tests.support.trees import KEPT, put, snapshot, write

GONE_AWAY = [Way.MOVE, Way.TRASH, Way.DELETE]


@pytest.fixture
def photos(tmp_path):
    return tmp_path / "photos"


@pytest.fixture
def kept(photos):
    return put(photos / "kept" / "IMG_1.JPG", KEPT)


@pytest.fixture
def carry_out(tmp_path, kept):
    def run(way, *paths, dry_run=False, **options):
        decisions = write(tmp_path / "decisions.json", ([(kept, KEPT)], [(path, KEPT) for path in paths]))
        return apply_decisions(
            read_decisions(decisions),
            way,
            decisions,
            folder=tmp_path / "gone" if way is Way.MOVE else None,
            sidecars=SidecarOptions(**options),
            dry_run=dry_run,
        )

    return run


def shot(folder, name="IMG_1.JPG", *others):
    """A picture that goes and what lies beside it; returns its path."""
    for other in others:
        put(folder / other, b"beside " + os.fsencode(other), 10**18 + len(other), 0o604)
    return put(folder / name, KEPT)


def left(folder):
    return sorted(os.listdir(folder))


def codes(report):
    return {os.path.basename(file.path): file.code for file in report.skipped}


@pytest.mark.parametrize("way", GONE_AWAY)
@pytest.mark.parametrize(
    "names",
    [
        ("IMG_1.xmp", "IMG_1.JPG.xmp", "IMG_1_01.JPG.xmp"),
        ("IMG_1.AAE", "IMG_O1.aae"),
        ("IMG_1.JPG.json", "IMG_1.json", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.JPG.supple.json"),
        ("IMG_1.MOV", "IMG_1.MOV.json", "img_1.Xmp"),
        ("IMG_1.JPG.pp3", "IMG_1.JPG.dop"),
    ],
)
def test_there_and_back(photos, carry_out, way, names):
    path = shot(photos / "a", "IMG_1.JPG", *names)
    before = snapshot(photos)
    planned = carry_out(way, path, dry_run=True)
    assert snapshot(photos) == before
    report = carry_out(way, path)
    assert [step.path for step in planned.steps] == [step.path for step in report.steps]
    assert [step.path for step in report.steps] == [path, *(str(photos / "a" / name) for name in sorted(names))]
    assert [step.sidecar_of for step in report.steps] == [None, *[path] * len(names)]
    assert (codes(report), left(photos / "a")) == ({}, [])
    again = carry_out(way, path)
    assert (again.steps, again.before) == ([], 1)
    back = undo(report.journal)
    if way is Way.DELETE:
        assert {file.code for file in back.skipped} == {"deleted"}
        return
    assert (codes(back), sorted(back.restored)) == ({}, sorted(step.path for step in report.steps))
    assert snapshot(photos) == before


def test_the_journal_says_whose_they_are(photos, carry_out):
    jsonschema = pytest.importorskip("jsonschema")
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")
    journal = carry_out(Way.MOVE, path).journal
    picture, film = [entry.action for entry in read_journal(journal).entries]
    assert (picture.sidecar_of, film.sidecar_of) == (None, path)
    for line in journal.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema("journal"))


@pytest.mark.parametrize("way", GONE_AWAY)
def test_they_are_left_if_asked_for(photos, carry_out, way):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV", "IMG_1.xmp")
    report = carry_out(way, path, leave=True)
    assert ([step.path for step in report.steps], left(photos / "a")) == ([path], ["IMG_1.MOV", "IMG_1.xmp"])


def test_a_linked_picture_keeps_what_lies_beside_it(photos, carry_out):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV", "IMG_1.xmp")
    report = carry_out(Way.HARDLINK, path)
    assert [step.path for step in report.steps] == [path]
    assert left(photos / "a") == ["IMG_1.JPG", "IMG_1.MOV", "IMG_1.xmp"]


@pytest.mark.parametrize("way", GONE_AWAY)
@pytest.mark.parametrize("owner", ["IMG_1.CR2", "IMG_1.png", "img_1.dng", "IMG_1.psd"])
def test_what_belongs_to_another_file_too_stays(photos, carry_out, way, owner):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.xmp", "IMG_1.JPG.xmp", owner)
    report = carry_out(way, path)
    assert codes(report) == {}
    assert left(photos / "a") == sorted(["IMG_1.xmp", owner])  # but not what has its whole name


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_belongs_to_two_that_go_goes_with_the_last(photos, carry_out, dry_run):
    first = shot(photos / "a", "IMG_1.JPG", "IMG_1.xmp")
    second = shot(photos / "a", "IMG_1.png")
    report = carry_out(Way.MOVE, first, second, dry_run=dry_run)
    assert [(step.path, step.sidecar_of) for step in report.steps] == [
        (first, None),
        (second, None),
        (str(photos / "a" / "IMG_1.xmp"), second),
    ]


def test_others_are_not_touched(photos, carry_out):
    others = [
        "IMG_10.xmp", "IMG_1 (2).xmp", "IMG_1.txt", "IMG_2.JPG.xmp", "IMG_1(1).json", "IMG_2.MOV", "xmp", "IMG_1b.aae",
    ]  # fmt: skip
    path = shot(photos / "a", "IMG_1.JPG", *others)
    (photos / "a" / "IMG_1").mkdir()  # owns nothing
    assert len(carry_out(Way.MOVE, path).steps) == 1
    assert left(photos / "a") == sorted([*others, "IMG_1"])


def test_names_that_differ_in_case_belong_to_the_very_one_first(photos, carry_out):
    if os.path.exists(photos.parent.as_posix().upper()):
        pytest.skip("case does not matter here")
    path = shot(photos / "a", "img_1.jpg", "IMG_1.jpg", "img_1.xmp", "IMG_1.xmp", "Img_1.aae")
    carry_out(Way.MOVE, path)
    assert left(photos / "a") == ["IMG_1.jpg", "IMG_1.xmp", "Img_1.aae"]


def test_a_long_film_is_none_of_a_picture(photos, carry_out):
    """By its header: `moov` with `mvhd`, of 600 parts a second; 3 seconds, and an hour."""

    def film(seconds):
        header = bytes(12) + (600).to_bytes(4, "big") + (600 * seconds).to_bytes(4, "big") + bytes(80)
        movie = (len(header) + 8).to_bytes(4, "big") + b"mvhd" + header
        return b"\0\0\0\x0cftypqt  " + b"\0\0\0\x0amdat.." + (len(movie) + 8).to_bytes(4, "big") + b"moov" + movie

    paths = [shot(photos / "a", f"{seconds}.jpg", f"{seconds}.xmp") for seconds in (3, 3600)]
    for seconds in (3, 3600):
        put(photos / "a" / f"{seconds}.mov", film(seconds))
    carry_out(Way.DELETE, *paths)
    assert left(photos / "a") == ["3600.mov", "3600.xmp"]  # which may be about the film


def test_names_stay_together_where_they_go(tmp_path, photos, carry_out):
    first = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV", "IMG_1.JPG.xmp", "IMG_O1.AAE")
    gone = tmp_path / "gone"
    put(gone / "IMG_1.MOV", b"of another picture")
    put(gone / "IMG_O1.AAE", b"likewise")
    carry_out(Way.MOVE, first)
    together = ["IMG_1 (2).JPG", "IMG_1 (2).JPG.xmp", "IMG_1 (2).MOV"]
    assert left(gone) == [*together, "IMG_1.MOV", "IMG_O1 (2).AAE", "IMG_O1.AAE"]


@pytest.mark.parametrize("way", GONE_AWAY)
def test_what_cannot_go_stays_and_is_named(photos, carry_out, way):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")
    put(photos / "a" / "IMG_1.aae", b"")
    (photos / "a" / "IMG_1.xmp").symlink_to(photos / "elsewhere.xmp")
    (photos / "a" / "IMG_1.json").mkdir()
    report = carry_out(way, path)
    assert codes(report) == {"IMG_1.aae": "empty", "IMG_1.xmp": "link"}
    assert left(photos / "a") == ["IMG_1.aae", "IMG_1.json", "IMG_1.xmp"]
    if way is not Way.DELETE:
        assert codes(undo(report.journal)) == {}
        assert left(photos / "a") == ["IMG_1.JPG", "IMG_1.MOV", "IMG_1.aae", "IMG_1.json", "IMG_1.xmp"]


def test_a_picture_that_stays_keeps_what_lies_beside_it(photos, carry_out):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")
    put(path, b"edited since")
    assert codes(carry_out(Way.TRASH, path)) == {"IMG_1.JPG": "changed"}
    assert left(photos / "a") == ["IMG_1.JPG", "IMG_1.MOV"]


def test_what_a_full_disk_kept_from_going_goes_the_next_time(photos, carry_out, monkeypatch):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")
    before = snapshot(photos)
    intend = Journal.intend

    def full(self, action):
        if action.sidecar_of:
            raise OSError(28, "No space left on device")
        return intend(self, action)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "intend", full)
        assert codes(carry_out(Way.MOVE, path)) == {"IMG_1.MOV": "no_journal"}
    report = carry_out(Way.MOVE, path)
    assert ([step.sidecar_of for step in report.steps], report.before, left(photos / "a")) == ([path], 1, [])
    assert codes(undo(report.journal)) == {}
    assert snapshot(photos) == before


def test_nothing_goes_along_when_the_kept_picture_has_gone_meanwhile(photos, kept, carry_out, monkeypatch):
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")
    carry_out(Way.MOVE, path, leave=True)
    shutil.move(kept, photos / "other.jpg")
    assert codes(carry_out(Way.MOVE, path)) == {"IMG_1.MOV": "no_kept_copy"}
    assert left(photos / "a") == ["IMG_1.MOV"]


def test_a_folder_that_cannot_be_listed(photos, carry_out, monkeypatch):
    """Nobody knows what lies beside: the picture stays too. (Tests may run as root, whom no permission stops.)"""
    path = shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV")

    def refuses(self, picture):
        raise PermissionError(13, "Permission denied", os.path.dirname(picture))

    monkeypatch.setattr(apply.Sidecars, "of", refuses)
    assert codes(carry_out(Way.MOVE, path)) == {"IMG_1.JPG": "refused"}
    assert left(photos / "a") == ["IMG_1.JPG", "IMG_1.MOV"]


def test_slashes_in_decisions(photos, carry_out):
    shot(photos / "a", "IMG_1.JPG", "IMG_1.MOV", "IMG_1.xmp")
    carry_out(Way.MOVE, f"{photos}//a//IMG_1.JPG")
    assert left(photos / "a") == []
