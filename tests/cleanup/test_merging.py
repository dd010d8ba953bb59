"""What only a picture that goes says is written beside the kept one, and taken back."""

import io
import json
import os
import shutil
from fractions import Fraction

import pytest
from PIL import ExifTags, Image

from imgsim_ops.cleanup.apply import SidecarOptions, apply_decisions
from imgsim_ops.cleanup.decisions import read_decisions
from imgsim_ops.cleanup.journal import Journal, Way
from imgsim_ops.cleanup.undo import undo
from imgsim_ops.collection.beside import Beside
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images import xmp
from imgsim_ops.report.schemas import schema
from tests.support.trees import put, snapshot, write, xmp_of

PATH = os.environ.get("PATH", "")
NAMES = {
    "rating": "xmp:Rating", "keywords": "dc:subject", "date": "exif:DateTimeOriginal", "latitude": "exif:GPSLatitude",
    "longitude": "exif:GPSLongitude",
}  # fmt: skip


@pytest.fixture(autouse=True, params=["library", "exiftool"])
def writer(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if request.param == "library":
        monkeypatch.setenv("PATH", "")
    elif shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")


def picture(*, exif=None, packet=None, kind="JPEG", shade=7):
    """A picture's bytes."""
    file = io.BytesIO()
    options = {} if packet is None else {"xmp": packet}
    Image.new("RGB", (16, 16), (shade, 0, 0)).save(file, kind, exif=exif or Image.Exif(), **options)
    return file.getvalue()


def exif_of(*, rating=None, words=None, date=None, zone=None, gps=None):
    exif = Image.Exif()
    if rating is not None:
        exif[0x4746] = rating
    if words is not None:
        exif[0x9C9E] = words.encode("utf-16-le") + b"\0\0"
    if date is not None:
        shot = exif.get_ifd(ExifTags.IFD.Exif)
        shot[ExifTags.Base.DateTimeOriginal] = date
        if zone is not None:
            shot[ExifTags.Base.OffsetTimeOriginal] = zone
    if gps is not None:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    return exif


GPS = {1: "S", 2: (33, 51, Fraction(3540, 100)), 3: "E", 4: (151, 12, 40)}
SAID = {"rating": "4", "keywords": frozenset({"cat", "ü & <b>"}), "date": "2020-01-02T03:04:05+02:00"}
FULL = exif_of(rating=4, words="cat;ü & <b>", date="2020:01:02 03:04:05", zone="+02:00", gps=GPS)


@pytest.fixture
def merged(tmp_path):
    """Carries out that one picture goes for another, with what lies beside them; returns the report."""

    def run(going, kept, beside=(), *, way=Way.MOVE, dry_run=False, name="kept.jpg"):
        photos = tmp_path / "photos"
        paths = [put(photos / "a" / name, kept), put(photos / "b" / "gone.jpg", going)]
        for other, content in dict(beside).items():
            put(photos / other, content, mode=0o604)
        decisions = write(tmp_path / "decisions.json", ([(paths[0], kept)], [(paths[1], going)]))
        run.before = snapshot(photos)
        run.again = lambda dry_run=False: apply_decisions(
            read_decisions(decisions),
            way,
            decisions,
            folder=tmp_path / "gone" if way is Way.MOVE else None,
            sidecars=SidecarOptions(merge=True),
            dry_run=dry_run,
        )
        return run.again(dry_run)

    return run


def said(path):
    """What a sidecar says, by the short names here."""
    found = xmp.properties(path.read_bytes())
    return {short: found[xmp.tag(name)] for short, name in NAMES.items() if xmp.tag(name) in found}


def codes(report):
    return {os.path.basename(file.path): file.code for file in report.skipped}


@pytest.mark.parametrize("way", [Way.MOVE, Way.TRASH])
def test_there_and_back(tmp_path, merged, way):
    photos = tmp_path / "photos"
    planned = merged(picture(exif=FULL), picture(), way=way, dry_run=True)
    assert snapshot(photos) == merged.before
    report = merged.again()
    assert codes(report) == {}
    assert planned.merged == report.merged
    (note,) = report.merged
    assert (note.path, note.topics) == (str(photos / "a" / "kept.jpg.xmp"), ("rating", "keywords", "date", "place"))
    found = said(photos / "a" / "kept.jpg.xmp")
    degrees, minutes = found.pop("latitude")[:-1].split(",")
    assert int(degrees) + float(minutes) / 60 == pytest.approx(33 + 51 / 60 + 35.4 / 3600, abs=1e-7)
    degrees, minutes = found["longitude"][:-1].split(",")
    assert int(degrees) + float(minutes) / 60 == pytest.approx(151 + 12 / 60 + 40 / 3600, abs=1e-7)
    assert found.pop("longitude").endswith("E")
    assert found == SAID
    jsonschema = pytest.importorskip("jsonschema")
    for line in report.journal.read_text().splitlines():
        jsonschema.validate(json.loads(line), schema("journal"))
    assert codes(undo(report.journal)) == {}
    assert snapshot(photos) == merged.before


def test_the_kept_picture_is_never_changed(tmp_path, merged):
    merged(picture(exif=FULL), picture())
    path = str(tmp_path / "photos" / "a" / "kept.jpg")
    assert snapshot(tmp_path / "photos")[path] == merged.before[path]


def test_what_the_kept_one_says_stays(tmp_path, merged):
    kept = exif_of(rating=2, words="dog", date="2019:01:01 00:00:00")
    report = merged(picture(exif=FULL), picture(exif=kept))
    assert report.merged[0].topics == ("keywords", "place")
    found = said(tmp_path / "photos" / "a" / "kept.jpg.xmp")
    assert found["keywords"] == SAID["keywords"]  # its own are in the picture
    assert found.keys() == {"keywords", "latitude", "longitude"}


def test_nothing_is_written_where_nothing_is_new(tmp_path, merged):
    report = merged(picture(exif=FULL), picture(exif=FULL, shade=99))
    assert (report.merged, codes(report)) == ([], {})
    assert os.listdir(tmp_path / "photos" / "a") == ["kept.jpg"]


@pytest.mark.parametrize("name", ["kept.jpg.xmp", "kept.xmp"])
def test_a_sidecar_that_is_there_is_added_to(tmp_path, merged, name):
    own = xmp_of("dog", "cat").replace(
        b"<dc:subject", b'<my:own xmlns:my="urn:mine">kept &amp; safe</my:own><dc:subject'
    )
    photos = tmp_path / "photos"
    report = merged(picture(exif=FULL), picture(), {f"a/{name}": own})
    assert codes(report) == {}
    assert said(photos / "a" / name)["keywords"] == {"dog", "cat", "ü & <b>"}
    assert b"<my:own" in (photos / "a" / name).read_bytes()
    assert xmp.properties((photos / "a" / name).read_bytes())["{urn:mine}own"] == "kept & safe"
    assert sorted(os.listdir(photos / "a")) == sorted(["kept.jpg", name])
    assert codes(undo(report.journal)) == {}
    assert snapshot(photos) == merged.before  # its bytes, time and permissions


def test_a_sidecar_of_another_file_too_is_not_written_to(tmp_path, merged):
    photos = tmp_path / "photos"
    merged(picture(exif=FULL), picture(), {"a/kept.xmp": xmp_of("dog"), "a/kept.cr2": b"raw"})
    assert (photos / "a" / "kept.xmp").read_bytes() == xmp_of("dog")
    assert said(photos / "a" / "kept.jpg.xmp").keys() >= {"rating", "keywords"}


def test_what_is_in_xmp_counts_before_exif(tmp_path, merged):
    packet = xmp_of("in the picture", rating=3)
    beside = {"b/gone.xmp": xmp_of("beside it", rating=5)}
    merged(picture(exif=exif_of(rating=1, words="by Windows"), packet=packet), picture(), beside)
    found = said(tmp_path / "photos" / "a" / "kept.jpg.xmp")
    assert (found["rating"], found["keywords"]) == ("5", {"in the picture", "beside it"})  # XMP's keywords are newer


def test_what_was_merged_is_no_reason_to_stay(tmp_path, merged):
    beside = {"b/gone.xmp": xmp_of("cat", rating=5)}
    photos = tmp_path / "photos"
    paths = str(photos / "b" / "gone.jpg"), str(photos / "a" / "kept.jpg")
    merged(picture(), picture(shade=9), beside, dry_run=True)
    assert Beside().lacking(*paths) == ("keywords", "rating")
    report = merged.again()
    undo(report.journal)
    assert Beside().lacking(*paths) == ("keywords", "rating")
    report = merged.again()
    for step in report.steps:
        shutil.move(step.to, step.path)
    assert Beside().lacking(*paths) == ()


def test_two_that_go_are_merged_into_one(tmp_path):
    photos = tmp_path / "photos"
    kept = put(photos / "kept.jpg", picture())
    going = [(put(photos / f"{word}.jpg", content), content) for word, content in (
        ("cat", picture(exif=exif_of(words="cat"))), ("dog", picture(exif=exif_of(words="dog", rating=5))),
    )]  # fmt: skip
    decisions = write(tmp_path / "d.json", ([(kept, picture())], going))
    before = snapshot(photos)

    def run(dry_run):
        options = SidecarOptions(merge=True)
        return apply_decisions(read_decisions(decisions), Way.TRASH, decisions, sidecars=options, dry_run=dry_run)

    planned, report = run(True), run(False)
    assert planned.merged == report.merged
    assert [note.topics for note in report.merged] == [("keywords",), ("rating", "keywords")]
    assert said(photos / "kept.jpg.xmp") == {"keywords": {"cat", "dog"}, "rating": "5"}
    assert codes(undo(report.journal)) == {}
    assert snapshot(photos) == before


@pytest.mark.parametrize("content", [b"no xml", b"<!DOCTYPE x><x/>", b""])
@pytest.mark.parametrize("whose", ["a/kept.jpg.xmp", "b/gone.jpg.xmp"])
def test_a_picture_stays_whose_metadata_cannot_be_saved(tmp_path, merged, whose, content):
    report = merged(picture(exif=FULL), picture(), {whose: content})
    assert codes(report) == {"gone.jpg": "not_merged" if content else "empty"}
    assert snapshot(tmp_path / "photos") == merged.before


def test_a_folder_in_the_way(tmp_path, merged):
    (tmp_path / "photos" / "a" / "kept.jpg.xmp").mkdir(parents=True)
    assert list(codes(merged(picture(exif=FULL), picture()))) == ["gone.jpg"]
    assert snapshot(tmp_path / "photos") == merged.before


def test_a_disk_that_is_full(tmp_path, merged, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "intend", lambda self, action: (_ for _ in ()).throw(OSError(28, "No space left")))
        assert codes(merged(picture(exif=FULL), picture())) == {"gone.jpg": "no_journal"}
    assert snapshot(tmp_path / "photos") == merged.before


def test_a_sidecar_that_somebody_wrote_to_since(tmp_path, merged):
    report = merged(picture(exif=FULL), picture())
    put(tmp_path / "photos" / "a" / "kept.jpg.xmp", xmp_of("mine"))
    assert codes(undo(report.journal)) == {"kept.jpg.xmp": "changed"}
    assert (tmp_path / "photos" / "b" / "gone.jpg").exists()
    assert (tmp_path / "photos" / "a" / "kept.jpg.xmp").read_bytes() == xmp_of("mine")


def test_what_was_merged_stays_while_the_picture_is_not_back(tmp_path, merged):
    report = merged(picture(exif=FULL), picture(), way=Way.DELETE)
    assert codes(undo(report.journal)) == {"gone.jpg": "deleted", "kept.jpg.xmp": "needed"}
    assert said(tmp_path / "photos" / "a" / "kept.jpg.xmp")["rating"] == "4"


def test_links_stay_where_they_are(merged):
    with pytest.raises(
        ImgsimError, match=r"apply: metadata is merged when pictures leave their place \(got hardlink\)"
    ):
        merged(picture(), picture(), way=Way.HARDLINK)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_formats(tmp_path, merged, kind):
    merged(picture(exif=FULL, kind=kind), picture(kind=kind))
    found = said(tmp_path / "photos" / "a" / "kept.jpg.xmp")
    assert (found["rating"], found["keywords"]) == (SAID["rating"], SAID["keywords"])
    assert kind == "TIFF" or found["date"] == SAID["date"]  # Pillow writes no further tables into those
