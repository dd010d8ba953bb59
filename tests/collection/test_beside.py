"""A picture beside which lies what the kept one lacks is not proposed to go."""

import json
import os

import jsonschema
import pytest
from PIL import Image

from imgsim_ops.collection.beside import Beside
from imgsim_ops.collection.duplicates import Rules
from imgsim_ops.collection.find import find_duplicates
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.report.documents import duplicates_as_json
from imgsim_ops.report.schemas import schema

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" {}>{}</rdf:Description></rdf:RDF></x:xmpmeta>"""
WORK = 'xmp:MetadataDate="2020-01-01" xmpMM:DocumentID="1" xmp:Rating="0"'


def keywords(*words):
    return f"<dc:subject><rdf:Bag>{''.join(f'<rdf:li>{word}</rdf:li>' for word in words)}</rdf:Bag></dc:subject>"


@pytest.fixture
def lacking(tmp_path):
    """What a picture `a/p.jpg` with some files beside it has that `b/p.jpg` has not."""

    def of(own, others=None):
        for folder, files in (("a", own), ("b", others or {})):
            (tmp_path / folder).mkdir()
            for name, content in {"p.jpg": "", **files}.items():
                (tmp_path / folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return Beside().lacking(str(tmp_path / "a" / "p.jpg"), str(tmp_path / "b" / "p.jpg"))

    return of


@pytest.mark.parametrize(
    ("name", "kind"),
    [("p.mov", "film"), ("P.MP4", "film"), ("p.AAE", "edits"), ("p.jpg.pp3", "edits"), ("p.nef", "raw")],
)
def test_files_as_wholes(lacking, name, kind):
    assert lacking({name: b"some"}) == (kind,)


@pytest.mark.parametrize("name", ["p.mov", "p.AAE", "p.xmp", "p.jpg.json", "p.jpg.pp3"])
def test_equal_files_lack_nothing(lacking, name):
    assert lacking({name: b"some"}, {name.upper(): b"some"}) == ()


@pytest.mark.parametrize(("name", "kind"), [("p.mov", "film"), ("p.aae", "edits"), ("p.json", "unreadable")])
def test_other_files_do(lacking, name, kind):
    assert lacking({name: b"some"}, {name: b"more"}) == (kind,)


def test_a_raw_file_beside_both_is_of_each(lacking):
    assert lacking({"p.cr2": b"raw"}, {"p.cr2": b"raw"}) == ("raw",)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        ((WORK, ""), None, ()),
        (('xmp:Rating="4"', ""), None, ("rating",)),
        (('xmp:Rating="4"', ""), (WORK, "<xmp:Rating>4</xmp:Rating>"), ()),
        (('xmp:Rating="4"', ""), ('xmp:Rating="5"', ""), ("rating",)),
        (("", keywords("cat", "dog")), ("", keywords("dog", "cow", "cat")), ()),
        (("", keywords("cat", "dog")), ("", keywords("dog", "cow")), ("keywords",)),
        (('crs:Exposure2012="+0.50"', ""), (WORK, ""), ("edits",)),
        (('exif:GPSLatitude="1,2N" exif:DateTimeOriginal="2020"', ""), None, ("date", "place")),
        (('dc:source="x"', ""), None, ("metadata",)),
        (("", '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A</rdf:li></rdf:Alt></dc:title>'), None, ("metadata",)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("names", [("p.xmp", "p.jpg.xmp"), ("p.jpg.xmp", "p.xmp")])
def test_what_xmp_says(lacking, names, own, others, expected):
    kept = None if others is None else {names[1]: XMP.format(*others)}
    assert lacking({names[0]: XMP.format(*own)}, kept) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"no xml",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        XMP.format("", "").replace("<x:xmpmeta", "<!DOCTYPE x><x:xmpmeta").encode("utf-16"),
        b'<?xml version="1.0" encoding="nowhere"?>' + XMP.format("", "").encode(),
    ],
)
def test_what_cannot_be_read_may_be_anything(lacking, content):
    assert lacking({"p.xmp": content}) == ("unreadable",)


def test_links_are_not_followed(lacking, tmp_path):
    (tmp_path / "e.xmp").write_text(XMP.format("", ""))
    assert lacking({}) == ()
    (tmp_path / "a" / "p.xmp").symlink_to(tmp_path / "e.xmp")
    paths = [str(tmp_path / folder / "p.jpg") for folder in "ab"]
    assert Beside().lacking(*paths) == ("unreadable",)


def test_takeout(lacking):
    said = {"title": "p.jpg", "photoTakenTime": {"timestamp": "1"}, "geoData": {"latitude": 1.5}, "url": "one"}
    kept = {**said, "url": "another", "imageViews": "7", "people": [{"name": "A"}]}
    assert lacking({"p.jpg.json": json.dumps(said)}, {"p.jpg.supplemental-metadata.json": json.dumps(kept)}) == ()


@pytest.mark.parametrize("kept", [None, '{"label": 1}', "broken", '{"photoTakenTime": {}, "description": "a"}'])
def test_other_json(lacking, kept):
    said = '{"photoTakenTime": {}, "description": "b"}'
    assert lacking({"p.json": said}, None if kept is None else {"p.json": kept}) == ("metadata",)


def test_one_sidecar_of_both(tmp_path):
    for name in ("p.jpg", "p.png", "p.xmp"):
        (tmp_path / name).write_bytes(b"some")
    assert Beside().lacking(str(tmp_path / "p.jpg"), str(tmp_path / "p.png")) == ()


def test_folders_that_are_gone_or_cannot_be_listed(tmp_path, monkeypatch):
    path = str(tmp_path / "gone" / "p.jpg")
    assert Beside().lacking(path, path) == ()

    def refuses(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuses)
    assert Beside().lacking(path, path) == ("unreadable",)


# --- groups ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def album(tmp_path):
    """The same picture in four folders, a older than b, and so on."""
    for age, folder in enumerate("abcd"):
        (tmp_path / folder).mkdir()
        Image.linear_gradient("L").save(tmp_path / folder / "p.png")
        os.utime(tmp_path / folder / "p.png", ns=(10**18, 10**18 + age * 10**9))
    return tmp_path


def group_of(album, **rules):
    found = find_duplicates(album, rules=Rules(equal_only=True, **rules), read=ReadOptions(1))
    made_by = {"fingerprint": "none", "recipe": "none"}  # nothing made any vectors
    jsonschema.validate({**duplicates_as_json(found), **made_by}, schema("duplicates"))
    (group,) = found
    return {
        os.path.basename(os.path.dirname(member.picture.path)): (member.remove, member.kept, member.stays_for)
        for member in group.members
    }


def test_of_equal_pictures_the_one_with_more_beside_it_is_kept(album):
    (album / "c" / "p.mov").write_bytes(b"film")
    assert group_of(album) == {
        "c": (False, 0, ()), "a": (True, 0, ()), "b": (True, 0, ()), "d": (True, 0, ())
    }  # fmt: skip


def test_what_the_kept_one_lacks_stays(album):
    (album / "a" / "p.mov").write_bytes(b"film")
    (album / "b" / "p.png.xmp").write_text(XMP.format('xmp:Rating="3"', ""))
    (album / "c" / "p.xmp").write_text(XMP.format(f"{WORK.replace('0', '3')}", ""))
    assert group_of(album) == {
        "a": (False, 0, ()),
        "b": (False, 0, ("rating",)),
        "c": (True, 1, ()),  # for its twin that stays
        "d": (True, 0, ()),
    }


def test_a_preferred_folder_is_kept_all_the_same(album):
    (album / "c" / "p.cr2").write_bytes(b"raw")
    found = group_of(album, prefer=(str(album / "b"),))
    assert found == {"b": (False, 0, ()), "a": (True, 0, ()), "c": (False, 0, ("raw",)), "d": (True, 0, ())}


def test_people_are_told(album):
    (album / "a" / "p.mov").write_bytes(b"film")
    (album / "b" / "p.nef").write_bytes(b"raw")
    (album / "b" / "p.aae").write_bytes(b"edits")
    (album / "c" / "p.mov").write_bytes(b"another")
    (group,) = find_duplicates(album, rules=Rules(equal_only=True), read=ReadOptions(1))
    assert [member.words for member in group.members] == [
        "the picture",
        "equal bytes; stays for the film beside it",
        "equal bytes; stays for the film beside it",
        "equal bytes",
    ]
