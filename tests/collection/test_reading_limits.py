"""``--max-megapixels`` and ``--time-limit`` reach every reader: indexing, second look, turned pictures, the page."""

import os
import shutil

import pytest
from PIL import Image

import imgsim_ops
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.find import find_duplicates, find_leaks
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.report.html import PageOptions, write_groups, write_leaks
from tests.support.encoder_made import write_encoder
from tests.support.photographs import mirrored, piece, write_copy, write_photographs
from tests.support.pictures_made import slow_jpeg
from tests.support.processes import needs_proc
from tests.support.stub_engine import Blocks

pytestmark = needs_proc
MATCH = MatchOptions()
#: Of 400 x 267 pixels and more of the photographs, and the time that a small picture needs many times over.
SMALL, SHORT = ReadOptions(2, max_pixels=20_000), ReadOptions(1, time_limit=0.25)
#: Its decoder is at work for over half a second.
SLOW = slow_jpeg(2000)


def embedder(read):
    return Embedder(engine=Blocks(), read=read)


@pytest.fixture
def photos(tmp_path):
    return write_photographs(tmp_path / "photos")


@pytest.fixture
def indexed(tmp_path):
    """Indexes a folder without limits; returns the collection, opened with some."""
    opened = []

    def index(folder, read):
        path = tmp_path / f"{folder.name}.imgsim"
        with Collection.create(path, recipe="gem", embedder=embedder(ReadOptions(2))) as collection:
            assert not collection.add([folder]).skipped
        opened.append(Collection.open(path, embedder=embedder(read)))
        assert opened[-1].read == read
        return opened[-1]

    yield index
    for collection in opened:
        collection.close()


def names(groups):
    return [sorted(os.path.basename(member.picture.path) for member in group.members) for group in groups]


def slow_twins(folder):
    """Two pictures without structure, of equal pixels and other bytes, whose decoder takes a while."""
    folder.mkdir()
    for name, comment in (("a.jpg", b""), ("b.jpg", b"\xff\xfe\x00\x04of")):
        (folder / name).write_bytes(SLOW[:2] + comment + SLOW[2:])
    return folder


def test_indexing(photos):
    with Collection.create(photos.parent / "c.imgsim", embedder=embedder(SMALL)) as collection:
        report = collection.add([photos])
    assert {file.code for file in report.skipped} == {"too_large"}
    assert len(report.skipped) == report.files > 0


def test_the_second_look_by_size(photos, indexed):
    write_copy(photos, "motorcycle_left", piece)
    found = find_duplicates(indexed(photos, ReadOptions(2)), MATCH)
    assert names(found) == [["motorcycle_left-piece.png", "motorcycle_left.png"]]
    assert found.provenance.unreadable == 0
    assert found.provenance.judged > 0


def test_the_second_look_by_size_refuses(photos, indexed):
    write_copy(photos, "motorcycle_left", piece)
    found = find_duplicates(indexed(photos, SMALL), MATCH)
    assert len(found) == 0
    assert found.provenance.unreadable > 0


def test_the_second_look_by_time(tmp_path, indexed):
    found = find_duplicates(indexed(slow_twins(tmp_path / "slow"), SHORT), MATCH)
    assert (len(found), found.provenance.unreadable) == (0, 1)


def test_turned_pictures_by_size(photos, indexed):
    write_copy(photos, "chelsea", mirrored, ".jpg")
    flips = MatchOptions(flips=True)
    assert names(find_duplicates(indexed(photos, ReadOptions(2)), flips)) == [["chelsea-mirrored.jpg", "chelsea.png"]]


def test_turned_pictures_by_size_are_refused(photos, indexed):
    write_copy(photos, "chelsea", mirrored, ".jpg")
    assert len(find_duplicates(indexed(photos, SMALL), MatchOptions(flips=True))) == 0


def test_turned_pictures_by_time(tmp_path, indexed):
    collection = indexed(slow_twins(tmp_path / "slow"), SHORT)
    seen, turned = [], list(collection.embedder().describe_turned([tmp_path / "slow" / "a.jpg"], [2]))
    assert [answer.code for _, answer in turned] == ["timed_out"]
    with collection.duplicates(MatchOptions(verify=False, flips=True), progress=lambda *s: seen.append(s)) as all_:
        assert list(all_) == []
    assert ("Turning", 2, 2) in seen


def test_the_test_set_of_leaks(tmp_path, photos, indexed):
    test = tmp_path / "test"
    test.mkdir()
    shutil.move(write_copy(photos, "motorcycle_left", piece), test / "piece.png")
    train = indexed(photos, ReadOptions(2))
    leaks = find_leaks(train, indexed(test, SMALL), MATCH)
    assert len(leaks) == 0
    assert leaks.provenance.unreadable > 0


@pytest.mark.parametrize(("read", "code"), [(SMALL, "too_large"), (SHORT, "timed_out")])
def test_thumbnails(tmp_path, indexed, read, code):
    folder = slow_twins(tmp_path / "slow")
    shutil.copy(folder / "a.jpg", folder / "c.jpg")
    groups = find_duplicates(indexed(folder, ReadOptions(2)), MATCH)
    assert names(groups) == [["a.jpg", "b.jpg", "c.jpg"]]
    page = tmp_path / "page.html"
    assert write_groups(page, groups, PageOptions("", read=read), {}).unreadable == 3
    assert page.read_text().count(f'"unreadable":"{code}"') == 3


def test_thumbnails_of_leaks(tmp_path, photos, indexed):
    test = tmp_path / "test"
    test.mkdir()
    shutil.copy(photos / "coffee.png", test / "a.png")
    leaks = find_leaks(indexed(photos, ReadOptions(2)), indexed(test, ReadOptions(2)), MATCH)
    assert [os.path.basename(leak.source.path) for leak in leaks] == ["coffee.png"]
    page = tmp_path / "page.html"
    assert write_leaks(page, leaks, PageOptions("", read=SMALL), {}).unreadable == 2


@pytest.mark.parametrize("option", [["--max-megapixels", "0.02"], ["--time-limit", "0.25"]])
def test_the_command_line_hands_them_on(tmp_path, monkeypatch, option):
    """Known files are not read again by indexing: what refuses them then are the second look and the page."""
    from typer.testing import CliRunner

    from imgsim_ops.cli.app import app

    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    folder = slow_twins(tmp_path / "slow")
    shutil.copy(folder / "a.jpg", folder / "c.jpg")
    for path in folder.iterdir():
        os.utime(path, (10**9, 10**9))  # long enough ago that the time tells of any change
    page = tmp_path / "page.html"
    model = write_encoder(tmp_path / "encoder", shift=127)
    arguments = ["dups", str(folder), "--html", str(page), "--threshold", "0.99", "--threads", "1"]
    arguments += ["--backbone", str(model)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert '"unreadable":"' not in page.read_text()
    for file in (tmp_path / "cache").rglob("features.sqlite"):
        file.unlink()
    result = CliRunner().invoke(app, [*arguments, *option])
    assert result.exit_code == 0, result.output
    code = "too_large" if option[0] == "--max-megapixels" else "timed_out"
    assert page.read_text().count(f'"unreadable":"{code}"') == 2
    assert '["Pairs that could not be","' in page.read_text()


def test_numbers_out_of_range():
    for wrong in ({"threads": -1}, {"max_pixels": -1}, {"time_limit": 0}, {"time_limit": float("nan")}):
        with pytest.raises(imgsim_ops.ImgsimError, match=rf"read: {next(iter(wrong))} must be .* \(got "):
            ReadOptions(**wrong)


def test_a_small_picture_passes_all_limits(tmp_path, indexed):
    folder = tmp_path / "small"
    folder.mkdir()
    Image.linear_gradient("L").resize((100, 90)).save(folder / "a.png")
    shutil.copy(folder / "a.png", folder / "b.png")
    groups = find_duplicates(indexed(folder, SMALL), MATCH)
    assert names(groups) == [["a.png", "b.png"]]
    assert write_groups(tmp_path / "page.html", groups, PageOptions("", read=SMALL), {}).unreadable == 0
