import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin, features

from imgsim_ops.images.facts import FileFacts, file_facts
from imgsim_ops.images.formats import HEAD_SIZE, picture_format
from imgsim_ops.images.heif import heif_header
from tests.support.pictures_made import black_png, flat_jpeg, png_chunk
from tests.support.tries import tries


def facts_of(content):
    file = io.BytesIO(content)
    return file_facts(file, picture_format(content[:HEAD_SIZE]) or "")


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def image():
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
    return small.resize((64, 48), Image.Resampling.BICUBIC)


KEPT = FileFacts(lossless=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_plain_picture_is_nothing_besides(image, kind):
    assert facts_of(saved(image, kind)) == KEPT


def test_facts_travel_as_json():
    facts = FileFacts(True, True, True, 6, 77, 80, True, True, 5)
    assert FileFacts(**facts.as_json()) == facts


# --- frames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_more_frames_or_pages_than_one(image, kind, options, count):
    others = [image.point(lambda level, by=by: (level + 9 * by) % 256) for by in range(1, count)]
    content = saved(image, kind, save_all=True, append_images=others, **options)
    assert facts_of(content).further is (count > 1)
    assert facts_of(content).frames == count


def test_a_tiff_with_pictures_beneath_its_page(image):
    """As raw files of cameras have: a preview as the page, and the sensor's data in a directory beneath."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    assert not facts_of(saved(image, "TIFF", tiffinfo=tags)).further
    tags[330] = 8
    tags.tagtype[330] = 4
    assert facts_of(saved(image, "TIFF", tiffinfo=tags)).further


def mpo(image, kind):
    """Two JPEGs in one file, the second of this kind of CIPA DC-007."""
    content = saved(image, "MPO", save_all=True, append_images=[image.resize((32, 24))])
    # The second of two entries of 16 bytes; what Pillow writes there is 0: undefined.
    place = content.index(b"MPF\0")
    order = "<" if content[place + 4 : place + 6] == b"II" else ">"
    count = struct.unpack_from(order + "H", content, place + 12)[0]
    for entry in range(count):
        tag, _, _, offset = struct.unpack_from(order + "HHII", content, place + 14 + 12 * entry)
        if tag == 0xB002:
            at = place + 4 + offset + 16
            return content[:at] + struct.pack(order + "I", kind) + content[at + 4 :]
    raise AssertionError


@pytest.mark.parametrize(
    ("kind", "further"), [(0x010001, False), (0x010002, False), (0x020001, True), (0x020002, True), (0, True)]
)
def test_a_smaller_showing_of_the_first_picture_is_no_other_one(image, kind, further):
    assert facts_of(mpo(image, kind)).further is further


# --- depth -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits(kind):
    grey = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20)
    assert facts_of(saved(grey, kind)).deep
    assert not facts_of(saved(grey.convert("L"), kind)).deep


def test_sixteen_bits_in_colour():
    """Pillow opens such a PNG as 8 bits a channel, and does not write it."""
    content = black_png(4, 3)
    header = struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0)
    start = 8
    deep = content[:start] + png_chunk(b"IHDR", header) + content[start + 25 :]
    assert facts_of(deep).deep
    assert not facts_of(content).deep


def test_floats_are_deep():
    assert facts_of(saved(Image.new("F", (8, 8), 0.5), "TIFF")).deep


@pytest.fixture(params=["AVIF", "HEIF"])
def of_boxes(request, image):
    """Saves the picture as AVIF or HEIC; the tests that use it are skipped where there is no encoder."""
    if request.param == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("Pillow has no AVIF")

    def save(alpha=None, **options):
        stored = image.copy()
        if alpha is not None:
            stored.putalpha(alpha)
        return saved(stored, request.param, quality=70, **options)

    return save


def test_avif_and_heic_of_eight_bits_are_not_deep(of_boxes):
    assert facts_of(of_boxes()) == FileFacts()
    assert facts_of(of_boxes(alpha=99)) == FileFacts(transparent=True)


def with_byte(content, box, place, change):
    """A file with one byte of a box's content changed."""
    at = content.index(box) + 4 + place
    return content[:at] + bytes([change(content[at])]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("box", "place", "change"),
    [
        (b"av1C", 2, lambda byte: byte | 0x40),
        (b"av1C", 2, lambda byte: byte | 0x60),
        (b"hvcC", 17, lambda byte: byte | 2),
        (b"hvcC", 18, lambda byte: byte | 4),
        (b"pixi", 5, lambda byte: 10),
    ],
)
def test_avif_and_heic_of_more_bits_are_deep(of_boxes, box, place, change):
    content = of_boxes()
    if box not in content:
        pytest.skip("a box of the other format")
    assert heif_header(io.BytesIO(with_byte(content, box, place, change))).deep


def test_of_a_broken_avif_nothing_is_known(of_boxes):
    content = of_boxes()
    if b"av1C" not in content:
        pytest.skip("libheif opens it")
    broken = facts_of(with_byte(content, b"av1C", 2, lambda byte: byte | 0x60))
    assert broken.further
    assert broken.frames is None


def test_heic_that_was_made_of_ten_bits_is_deep(image):
    module = pytest.importorskip("pillow_heif")
    pixels = np.asarray(image).astype(np.uint16) << 2
    file = io.BytesIO()
    module.from_bytes(mode="RGB;16", size=image.size, data=pixels.tobytes()).save(file, quality=80)
    assert facts_of(file.getvalue()).deep


def test_avif_whose_header_does_not_say_may_be_deep(of_boxes):
    hidden = of_boxes()
    for box in (b"av1C", b"hvcC", b"pixi"):
        hidden = hidden.replace(box, b"free")
    assert heif_header(io.BytesIO(hidden)) is None
    assert heif_header(io.BytesIO(hidden.replace(b"meta", b"free"))) is None


def test_what_lies_beside_a_picture_is_more_unless_it_is_its_alpha(of_boxes):
    """A map of depth, and of what screens show that are brighter."""
    see_through = of_boxes(alpha=99)
    assert not facts_of(see_through).further
    map_of_depth = see_through.replace(b"auxiliary:alpha", b"auxiliary:depth").replace(b"auxid:1", b"auxid:2")
    assert heif_header(io.BytesIO(map_of_depth)).more
    with_exif = of_boxes(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    at = with_exif.index(b"iinf")
    assert not heif_header(io.BytesIO(with_exif)).more
    assert heif_header(io.BytesIO(with_exif[:at] + with_exif[at:].replace(b"Exif", b"tmap", 1))).more


@settings(max_examples=tries(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_boxes_without_sense_end(of_boxes, data):
    content = bytearray(of_boxes(alpha=99))
    for at in data.draw(st.lists(st.integers(0, min(500, len(content) - 1)), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    header = heif_header(io.BytesIO(bytes(content)))
    assert header is None or isinstance(header.deep, bool)


def test_a_picture_of_a_phone_has_no_further_frames(image, monkeypatch):
    Image.init()  # so that nothing registers itself in the list that is put away again
    monkeypatch.setattr(Image, "ID", [kind for kind in Image.ID if kind != "HEIF"])
    file = io.BytesIO()
    pytest.importorskip("pillow_heif").from_pillow(image).save(file)
    assert not facts_of(file.getvalue()).further


# --- colours and transparency ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {}), ("TIFF", {})])
def test_an_alpha_channel(image, kind, options):
    clear = image.copy()
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    assert facts_of(saved(clear, kind, **options)).transparent
    assert not facts_of(saved(image, kind, **options)).transparent


def test_a_see_through_entry_of_a_palette(image):
    flat = image.quantize(16)
    for kind in ("PNG", "GIF"):
        assert facts_of(saved(flat, kind, transparency=3)) == FileFacts(transparent=True, palette=True, lossless=True)
        assert facts_of(saved(flat, kind)) == FileFacts(palette=True, lossless=True)


def test_a_see_through_colour(image):
    assert facts_of(saved(image, "PNG", transparency=(1, 2, 3))).transparent
    assert facts_of(saved(image.convert("L"), "PNG", transparency=7)).transparent


def test_palettes(image):
    assert facts_of(saved(image.convert("1"), "PNG")).palette
    assert facts_of(saved(image, "GIF")).palette
    assert not facts_of(saved(image.convert("L"), "PNG")).palette


# --- what compression says -------------------------------------------------------------------------------------------


def test_quantisation_falls_with_quality(image):
    sums = [facts_of(saved(image, "JPEG", quality=quality)).quantisation for quality in range(1, 101, 3)]
    assert sums == sorted(sums, reverse=True)
    assert len(set(sums)) > 30
    assert sums[-1] == 16  # all ones
    assert all(facts_of(saved(image, kind)).quantisation == 0 for kind in ("PNG", "GIF", "TIFF", "WEBP", "BMP"))


def test_what_keeps_every_pixel(image):
    assert facts_of(saved(image, "WEBP", lossless=True)).lossless
    assert not facts_of(saved(image, "WEBP", quality=90)).lossless
    assert not facts_of(saved(image, "JPEG", quality=100)).lossless
    clear = image.copy()
    clear.putalpha(100)
    assert facts_of(saved(clear, "WEBP", lossless=True)).lossless
    assert not facts_of(saved(clear, "WEBP", quality=50)).lossless


# --- cameras ---------------------------------------------------------------------------------------------------------


def camera_exif(which):
    exif = Image.Exif()
    if which >= 1:
        exif[ExifTags.Base.Make] = "Maker"
    if which >= 2:
        exif[ExifTags.Base.Model] = "Model 7"
    shot = exif.get_ifd(ExifTags.IFD.Exif)
    if which >= 3:
        shot[ExifTags.Base.ExposureTime] = 1 / 125
    if which >= 4:
        shot[ExifTags.Base.FNumber] = 2.8
    if which >= 5:
        shot[ExifTags.Base.ISOSpeedRatings] = 200
    if which >= 6:
        exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    return exif


@pytest.mark.parametrize("which", range(7))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_facts_about_a_camera_are_counted(image, kind, which):
    assert facts_of(saved(image, kind, exif=camera_exif(which))).camera == which


def test_exif_that_tells_no_camera(image):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = ""
    assert facts_of(saved(image, "JPEG", exif=exif)).camera == 0


def broken(content, at, value):
    place = content.index(b"Exif\0\0") + 6 + at
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"XX"), (0, bytes(8)), (4, b"\xff\xff\xff\x7f"), (8, b"\xff\xff"), (10, b"\x0f\x01\xff\xff\xff\xff\xff\xff")],
)
def test_broken_exif(image, at, value):
    """Nothing is known then, or nothing about the camera; in no case something that is not so."""
    content = broken(saved(image, "JPEG", quality=80, exif=camera_exif(6)), at, value)
    facts = facts_of(content)
    assert facts.further or facts.quantisation > 16
    assert 0 <= facts.camera <= 6


def test_broken_exif_is_not_warned_of(image):
    facts_of(broken(saved(image, "JPEG", exif=camera_exif(6)), 8, b"\xff\xff"))


def test_exif_that_is_cut(image):
    content = saved(image, "JPEG", exif=camera_exif(6))
    for length in range(20, len(content), 29):
        assert isinstance(facts_of(content[:length]), FileFacts)


def test_no_picture_at_all():
    assert facts_of(b"") == facts_of(b"nothing that is a picture") == FileFacts(further=True, frames=None)


def test_a_picture_that_is_larger_than_pillow_likes():
    assert facts_of(flat_jpeg(14000, 14000)).quantisation == 16


@pytest.mark.xfail(strict=True, reason="Pillow looks for EXIF behind the pixels, and so decodes all of a PNG")
def test_no_pixels_are_decoded(image, monkeypatch):
    content = saved(image, "PNG")
    loaded = []
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: loaded.append(self))
    facts_of(content)
    assert loaded == []
