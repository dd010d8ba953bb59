"""Frames and pages as pictures of their own: what a collection takes, keeps, drops and says of them."""

import json
import os

import jsonschema
import numpy as np
import pytest
from PIL import Image

from imgsim_ops.cleanup.decisions import parse_decisions, proposed
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.findings import picture_as_json
from imgsim_ops.collection.indexing import indexing
from imgsim_ops.collection.store.schema import DATABASE, WITH_PAGES
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.pages import page_name
from imgsim_ops.report.schemas import schema
from tests.support.photographs import write_photographs


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Photographs of one size."""
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), longer=300)
    return [Image.open(path).convert("RGB").resize((300, 200)) for path in sorted(folder.iterdir())]


def saved(path, images, *, hours=0, **options):
    images = [image.copy() for image in images]
    several = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
    images[0].save(path, **several, **options)
    os.utime(path, ns=((1_600_000_000 + 3600 * hours) * 10**9,) * 2)
    return os.fspath(path)


def names(collection):
    return sorted(os.path.basename(picture.path) for picture in collection.pictures())


def pages_of(name, count):
    return [name, *(page_name(name, page) for page in range(2, count + 1))]


@pytest.mark.parametrize("name", ["scan.tif", "film.gif", "film.png", "film.webp"])
def test_each_frame_is_a_picture(collection, photos, images, name):
    saved(photos / name, images[:4])
    saved(photos / "one.jpg", images[4:5])
    assert collection.add([photos]).embedded == 2
    report = collection.add([photos], pages=True)  # of what is known already, too
    assert (report.files, report.embedded, report.skipped) == (5, 3, [])
    assert names(collection) == sorted([*pages_of(name, 4), "one.jpg"])
    assert collection.store.counts()["pages"] == 3
    again = collection.add([photos])  # the collection keeps to it
    assert (again.embedded, again.known, again.dropped) == (0, 0, 0)
    assert list(collection.store.problems()) == list(collection.problems_of_files()) == []


def test_a_page_is_found_by_what_it_shows(collection, photos, images):
    saved(photos / "scan.tif", images[:4])
    collection.add([photos], pages=True)
    query = saved(photos.parent / "query.png", [images[2].resize((150, 100))])
    hit = collection.search(query, k=1)[0]
    assert hit.picture.path == page_name(str(photos / "scan.tif"), 3)
    assert (hit.picture.file, hit.picture.page) == (str(photos / "scan.tif"), 3)
    document = picture_as_json(hit.picture)
    assert (document["path"], document["page"]) == (str(photos / "scan.tif"), 3)


def test_pages_of_equal_files_are_looked_at_once(collection, photos, images):
    saved(photos / "a.tif", images[:3])
    saved(photos / "b.tif", images[:3])
    assert collection.add([photos], pages=True).embedded == 3
    assert names(collection) == pages_of("a.tif", 3) + pages_of("b.tif", 3)


def test_a_file_with_fewer_pages_drops_the_others(collection, photos, images):
    saved(photos / "scan.tif", images[:5])
    collection.add([photos], pages=True)
    saved(photos / "scan.tif", images[:3], hours=1)
    report = collection.add([photos])
    assert names(collection) == pages_of("scan.tif", 3)
    assert report.dropped == 2
    (photos / "scan.tif").unlink()
    saved(photos / "other.tif", images[:1])
    collection.add([photos])
    assert names(collection) == ["other.tif"]


def test_a_moved_file_takes_its_pages_along_undecoded(collection, photos, images):
    saved(photos / "scan.tif", images[:3])
    collection.add([photos], pages=True)
    os.rename(photos / "scan.tif", photos / "moved.tif")
    assert collection.add([photos]).embedded == 0
    assert names(collection) == pages_of("moved.tif", 3)


def test_pages_are_let_go_when_they_are_no_longer_wanted(collection, photos, images):
    saved(photos / "scan.tif", images[:3])
    collection.add([photos], pages=True)
    collection.add([photos], pages=False)
    assert names(collection) == ["scan.tif"]
    assert collection.add([photos]).embedded == 0
    assert names(collection) == ["scan.tif"]


def test_of_very_many_pages_the_first_are_taken_and_it_is_said(collection, photos, images, monkeypatch):
    monkeypatch.setattr(indexing, "MOST_PAGES", 3)
    saved(photos / "scan.tif", images[:5])
    for _ in range(2):  # said each time
        report = collection.add([photos], pages=True)
        assert [(file.code, os.path.basename(file.path)) for file in report.skipped] == [("too_many_pages", "scan.tif")]
        assert names(collection) == pages_of("scan.tif", 3)


def test_a_page_that_is_broken_is_named_and_the_others_are_read(collection, photos, images):
    path = saved(photos / "scan.tif", images[:3], compression="tiff_deflate")
    with Image.open(path) as image:
        image.seek(1)
        offset = image.tag_v2[273][0]
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(100))
    report = collection.add([photos], pages=True)
    assert [os.path.basename(file.path) for file in report.skipped] == [page_name("scan.tif", 2)]
    assert names(collection) == ["scan.tif", page_name("scan.tif", 3)]
    again = collection.add([photos])
    assert [file.message for file in again.skipped] == [file.message for file in report.skipped]
    assert again.embedded == 0


def test_a_file_that_has_the_name_of_a_page_is_a_file(collection, photos, images):
    saved(photos / "scan.tif", images[:3])
    saved(photos / page_name("scan.tif", 2), images[4:5], format="PNG")
    collection.add([photos], pages=True)
    assert names(collection) == pages_of("scan.tif", 3)
    found = {os.path.basename(picture.path): picture.format for picture in collection.pictures()}
    assert found[page_name("scan.tif", 2)] == "PNG"


def test_what_was_interrupted_is_gone_on_with(collection, photos, images, monkeypatch):
    saved(photos / "scan.tif", images[:4])
    collection.add([photos])
    take, taken = indexing._Run._add, []

    def interrupted(run, found, what):
        take(run, found, what)
        taken.append(found)
        if len(taken) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(indexing._Run, "_add", interrupted)
    assert collection.add([photos], pages=True).interrupted
    assert len(names(collection)) == 3
    monkeypatch.setattr(indexing._Run, "_add", take)
    assert collection.add([photos]).embedded == 1
    assert names(collection) == pages_of("scan.tif", 4)


def test_older_versions_refuse_a_collection_with_pages(collection, photos, images):
    def version():
        return int.from_bytes((collection.path / DATABASE).read_bytes()[60:64], "big")

    saved(photos / "scan.tif", images[:2])
    collection.add([photos])
    assert version() == WITH_PAGES - 1
    collection.add([photos], pages=True)
    assert version() == WITH_PAGES
    with Collection.open(collection.path) as again:
        assert again.store.pages


# --- what may go -----------------------------------------------------------------------------------------------------


@pytest.fixture
def groups(collection, photos, images):
    """Of a scan, a copy of one of its pages, and an equal copy of all of it."""
    saved(photos / "scan.tif", images[:3], compression="tiff_deflate")
    saved(photos / "copy.tif", images[:3], compression="tiff_deflate", hours=1)
    saved(photos / "page.jpg", images[1:2], quality=85, hours=2)
    saved(photos / "mail.jpg", [images[1].resize((150, 100))], quality=60, hours=3)
    collection.add([photos], pages=True)
    with collection.duplicates() as found:
        return list(found)


def test_no_page_goes_and_nothing_goes_for_a_page(groups):
    members = [member for group in groups for member in group.members]
    gone = {os.path.basename(member.picture.path) for member in members if member.remove}
    assert gone == {"copy.tif"}
    together = [{os.path.basename(member.picture.path) for member in group.members} for group in groups]
    assert any({page_name("scan.tif", 2), "page.jpg", "mail.jpg"} <= some for some in together)


def test_a_copy_goes_for_a_file_where_a_page_shows_the_same(collection, photos, images):
    saved(photos / "scan.tif", images[:2], compression="tiff_deflate", hours=9)
    saved(photos / "page.png", images[1:2])
    saved(photos / "equal.png", images[1:2], hours=1)
    collection.add([photos], pages=True)
    with collection.duplicates() as found:
        decided = proposed(list(found))
    paths = [os.path.basename(file.path) for group in decided for file in (*group.keep, *group.remove)]
    assert sorted(paths) == ["equal.png", "page.png"]


def test_documents_name_the_file_and_the_page(groups):
    from imgsim_ops.report.documents import _group_as_json

    described = schema("duplicates")
    member = {"$ref": "#/$defs/member", "$defs": described["$defs"]}
    shown = [found for group in groups for found in _group_as_json(group)["members"]]
    for found in shown:
        jsonschema.validate(found, member)
    assert {found.get("page") for found in shown} == {None, 2, 3}
    assert not any("#page=" in found["path"] for found in shown)


def test_decisions_about_pages_are_refused_in_a_line(tmp_path):
    file = {"path": "/nowhere/scan.tif", "sha256": "0" * 64}
    page = {**file, "path": page_name(file["path"], 2)}
    for keep, remove in ((file, page), (page, file)):
        document = {"imgsim": "decisions", "version": 1, "groups": [{"keep": [keep], "remove": [remove]}]}
        with pytest.raises(ImgsimError, match=r"which loses no page \(got /nowhere/scan.tif#page=2\)"):
            parse_decisions(json.dumps(document).encode(), "decisions.json")


def test_a_page_that_has_changed_is_named(collection, photos, images):
    path = saved(photos / "scan.tif", images[:3])
    collection.add([photos], pages=True)
    with open(path, "ab") as file:
        file.write(b"\0")
    changed = {os.path.basename(found.path) for found in collection.problems_of_files()}
    assert changed == set(pages_of("scan.tif", 3))
    os.remove(path)
    assert {found.code for found in collection.problems_of_files()} == {"missing"}


def test_vectors_of_pages_are_those_of_the_pages_alone(collection, photos, images):
    saved(photos / "scan.tif", images[:3])
    for i, image in enumerate(images[:3], 1):
        saved(photos / f"{i}.png", [image])
    collection.add([photos], pages=True)
    raw = collection.store.raw()
    rows = {os.path.basename(picture.path): row for row, picture in collection.store.pictures()}
    for page in (1, 2, 3):
        name = "scan.tif" if page == 1 else page_name("scan.tif", page)
        np.testing.assert_array_equal(raw[rows[name]], raw[rows[f"{page}.png"]])
