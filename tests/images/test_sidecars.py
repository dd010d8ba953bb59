"""Which files beside a picture are of the same shot, by their names. What is done with them: `tests/cleanup`."""

import os

import pytest

from imgsim_ops.images.films import seconds_of
from imgsim_ops.images.sidecars import Sidecars


@pytest.fixture
def sidecars(tmp_path):
    """The names of the sidecars of a file, in a folder of some names."""

    def of(name, *others, gone=False):
        for other in others if gone else (name, *others):
            (tmp_path / other).write_bytes(b"some")
        found = Sidecars([str(tmp_path / name)] if gone else []).of(str(tmp_path / name))
        return [os.path.basename(sidecar.path) for sidecar in found]

    return of


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize(
    ("name", "sidecar"),
    [
        ("a.jpg", "a.xmp"),
        ("a.jpg", "A.JPG.XMP"),
        ("a.jpg", "a_01.jpg.xmp"),
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1.HEIC", "IMG_O1.AAE"),
        ("IMG_1.HEIC", "IMG_E1.AAE"),
        ("a.jpg", "a.jpg.json"),
        ("a.jpg", "a.jpg..json"),
        ("a(2).jpg", "a.jpg(2).json"),
        ("a(2).jpg", "a.jpg.supplemental-metadata(2).json"),
        ("a(2).jpg", "a(2).jpg.json"),
        ("a-edited.jpg", "a.jpg.supplemental-metadata.json"),
        ("ä.jpg", "a\u0308.xmp"),
        ("none", "none.xmp"),
        ("a.b.jpg", "a.b.xmp"),
    ],
)
def test_names(sidecars, name, sidecar, gone):
    assert sidecars(name, sidecar, gone=gone) == [sidecar]


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("a.jpg", ["a_01.jpg", "a_01.jpg.xmp"]),  # of the other one
        ("IMG_1.JPG", ["IMG_E1.JPG", "IMG_E1.AAE"]),
        ("a.jpg", ["a.jpg(2).json", "a(2).jpg"]),
        ("a.jpg", ["a.jpg.mov", "a.pp3", "a.txt", "b.xmp", "a.jpg.something.json", "a"]),
        ("a.xmp", ["a.json"]),
    ],
)
def test_those_of_others(sidecars, name, others):
    assert sidecars(name, *others) == []


def test_owners_and_raw_files(tmp_path):
    for name in ("a.jpg", "A.Nef", "a.xmp", "a.mov", "a.mov.xmp", "b.jpg"):
        (tmp_path / name).write_bytes(b"some")
    sidecars = Sidecars()

    def names(paths):
        return [os.path.basename(path) for path in paths]

    assert names(sidecars.owners(str(tmp_path / "a.xmp"))) == ["A.Nef", "a.jpg"]
    assert names(sidecars.owners(str(tmp_path / "a.mov.xmp"))) == ["a.mov"]
    assert sidecars.raw_of(str(tmp_path / "a.jpg")) == str(tmp_path / "A.Nef")
    assert sidecars.raw_of(str(tmp_path / "A.Nef")) is None
    assert sidecars.raw_of(str(tmp_path / "b.jpg")) is None


def box(kind, content, wide=False):
    if wide:
        return b"\0\0\0\1" + kind + (len(content) + 16).to_bytes(8, "big") + content
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def header(seconds, long=False):
    if long:
        return box(b"mvhd", b"\1" + bytes(19) + (90000).to_bytes(4, "big") + (90000 * seconds).to_bytes(8, "big"))
    return box(b"mvhd", bytes(12) + (1000).to_bytes(4, "big") + (1000 * seconds).to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (box(b"ftyp", b"qt  ") + box(b"moov", header(3)), 3),
        (box(b"mdat", b"..", wide=True) + box(b"moov", box(b"udta", b"") + header(7200, long=True), wide=True), 7200),
        (bytes(4) + b"moov" + header(4), 4),  # to the end of the file
        (box(b"moov", box(b"trak", b"")), None),
        (box(b"moov", box(b"mvhd", bytes(20))), None),  # no parts of a second
        (box(b"moov", box(b"mvhd", b"")), None),
        (b"no film", None),
        (b"\0\0\0\3moov", None),
        (b"", None),
    ],
)
def test_how_long_a_film_is(tmp_path, content, seconds):
    (tmp_path / "a.mov").write_bytes(content)
    assert seconds_of(tmp_path / "a.mov") == seconds


def test_of_no_film_it_is_not_known(tmp_path):
    assert seconds_of(tmp_path / "none.mov") is None
