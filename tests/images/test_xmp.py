"""What XMP says, and what pictures say of themselves in its words."""

import io

import pytest
from PIL import ExifTags, Image

from imgsim_ops.images import metadata, xmp
from tests.support.trees import xmp_of

RDF = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="urn:a">{}</rdf:RDF>'


def parsed(text):
    found = xmp.properties(RDF.format(f'<rdf:Description rdf:about="">{text}</rdf:Description>').encode())
    return {name.removeprefix("{urn:a}"): value for name, value in found.items()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<a:p> text\n</a:p>", "text"),
        ("<a:p/>", ""),
        ('<a:p rdf:resource="urn:x"/>', "urn:x"),
        ("<a:p><rdf:Bag><rdf:li>y</rdf:li><rdf:li>x</rdf:li></rdf:Bag></a:p>", frozenset("xy")),
        ("<a:p><rdf:Seq><rdf:li>y</rdf:li><rdf:li>x</rdf:li></rdf:Seq></a:p>", ("y", "x")),
        ('<a:p><rdf:Alt><rdf:li xml:lang="de">y</rdf:li></rdf:Alt></a:p>', frozenset({("de", "y")})),
        ('<a:p rdf:parseType="Resource"><a:q>1</a:q></a:p>', frozenset({("{urn:a}q", "1")})),
        ('<a:p a:q="1"/>', frozenset({("{urn:a}q", "1")})),
        ("<a:p><rdf:Description><a:q>1</a:q></rdf:Description></a:p>", frozenset({("{urn:a}q", "1")})),
    ],
)
def test_values(text, value):
    assert parsed(text) == {"p": value}


def test_attributes_and_several_descriptions():
    text = '<rdf:Description a:p="1"/><rdf:Description><a:q>2</a:q></rdf:Description>'
    assert xmp.properties(RDF.format(text).encode()) == {"{urn:a}p": "1", "{urn:a}q": "2"}


@pytest.mark.parametrize("content", [b"", b"<a/>", b"<", b"\0\1", b"<!DOCTYPE a><a/>"])
def test_what_is_none(content):
    with pytest.raises(ValueError):  # noqa: PT011  (what the parser says of it)
        xmp.properties(content)


def test_a_line_of_entities_is_not_unfolded():
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(ValueError, match="a document type"):
        xmp.properties(f'<!DOCTYPE x [<!ENTITY e0 "0">{lines}]><x>&e11;</x>'.encode())


@pytest.mark.parametrize("before", [None, xmp_of("dog", rating=0), xmp_of("dog").decode().encode("utf-16")])
def test_more_can_be_said(before):
    added = {xmp.tag("xmp:Rating"): "5", xmp.tag("dc:subject"): frozenset({"<cat>", "ü"})}
    found = xmp.properties(xmp.with_properties(before, added))
    own = {"dog"} if before else set()
    assert found == {xmp.tag("xmp:Rating"): "5", xmp.tag("dc:subject"): {"<cat>", "ü"} | own}


def test_prefixes_stay():
    before = RDF.format('<rdf:Description a:p="1" xmlns:ns1="urn:b" ns1:q="2"/>').encode()
    content = xmp.with_properties(before, {xmp.tag("xmp:Rating"): "5"})
    assert b'a:p="1"' in content
    assert xmp.properties(content) == {"{urn:a}p": "1", "{urn:b}q": "2", xmp.tag("xmp:Rating"): "5"}


def picture(tmp_path, exif):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_dates_that_are_none(tmp_path, date):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = date
    assert metadata.embedded(picture(tmp_path, exif)) == {}


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {1: "N", 2: (1, 2, 3)},
        {1: "N", 2: (1, 2, 3), 3: "E"},
        {1: "N", 2: (91, 0, 0), 3: "E", 4: (1, 2, 3)},
        {1: "X", 2: (1, 0, 0), 3: "E", 4: (1, 2, 3)},
        {1: "N", 2: (1, 2), 3: "E", 4: (1, 2, 3)},
    ],
)
def test_places_that_are_none(tmp_path, gps):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    assert metadata.embedded(picture(tmp_path, exif)) == {}


@pytest.mark.parametrize("rating", [0, 6, 99, "good"])
def test_ratings_that_are_none(tmp_path, rating):
    exif = Image.Exif()
    exif[0x4746] = rating
    assert metadata.embedded(picture(tmp_path, exif)) == {}


def test_minutes_do_not_come_to_sixty(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (1, 59, 59.99999999), 3: "W", 4: (0, 0, 0)})
    found = metadata.embedded(picture(tmp_path, exif))
    assert (found[xmp.tag("exif:GPSLatitude")], found[xmp.tag("exif:GPSLongitude")]) == ("2,0.000000N", "0,0.000000W")


@pytest.mark.parametrize("content", [b"", b"notes", b"\xff\xd8\xff broken", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert metadata.embedded(tmp_path / "a.jpg") == {}
    assert metadata.embedded(tmp_path / "none.jpg") == {}


def test_heic(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x4746] = 4
    file = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 64))).save(file, exif=exif.tobytes(), quality=50)
    (tmp_path / "a.heic").write_bytes(file.getvalue())
    assert metadata.embedded(tmp_path / "a.heic") == {xmp.tag("xmp:Rating"): "4"}
