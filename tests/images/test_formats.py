"""Formats beside the common ones: read truly, named where they are not read, passed over where they are no pictures."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import Content
from imgsim_ops.images.decode import decode
from imgsim_ops.images.facts import file_facts
from imgsim_ops.images.formats import ASIDE, READ, UNREAD, claimed_format, format_of
from imgsim_ops.images.jxl import jxl_header
from imgsim_ops.images.scan import scan_names
from tests.support.pictures_made import dng, png_chunk, psd

SIZES = [(1, 1), (7, 1), (1, 17), (33, 17)]

#: Ends of names that pictures share with other things.
SHARED = (".icb", ".vda", ".vst", ".hdr")


def noise(width=33, height=17, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def saved(pixels, kind, **how):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, kind, **how)
    return file.getvalue()


def pnm(magic, largest, values):
    height, width = values.shape[:2]
    head = f"{magic}\n# by hand\n{width} {height}\n{largest}\n".encode()
    if magic in ("P2", "P3"):
        return head + " ".join(map(str, values.ravel())).encode()
    return head + values.astype(">u2" if largest > 255 else np.uint8).tobytes()


def ico(*pictures):
    """An icon of files of PNG, or of bitmaps with bits a pixel, width and height."""
    start, entries, contents = 6 + 16 * len(pictures), b"", b""
    for content, bits, width, height in pictures:
        entries += struct.pack("<BBBBHHII", width % 256, height % 256, 0, 0, 1, bits, len(content), start)
        start += len(content)
        contents += content
    return struct.pack("<HHH", 0, 1, len(pictures)) + entries + contents


def bitmap(bgra):
    """Of an icon: four bytes a pixel from the bottom up, then a mask of one bit a pixel."""
    height, width = bgra.shape[:2]
    head = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)
    return head + bgra[::-1].tobytes() + bytes(-(-width // 32) * 4 * height)


WRITERS = {
    "JPEG2000": lambda pixels: saved(pixels, "JPEG2000"),
    "PNM": lambda pixels: saved(pixels, "PPM"),
    "PNM, as text": lambda pixels: pnm("P3", 255, pixels),
    "TGA": lambda pixels: saved(pixels, "TGA"),
    "TGA, run lengths": lambda pixels: saved(pixels, "TGA", compression="tga_rle"),
    "PCX": lambda pixels: saved(pixels, "PCX"),
    "DDS": lambda pixels: saved(pixels, "DDS"),
    "PSD": psd,
    "ICO": lambda pixels: ico((saved(pixels, "PNG"), 32, pixels.shape[1], pixels.shape[0])),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WRITERS)
def test_pixels_that_are_kept_are_read(name, size):
    pixels = noise(*size)
    content = WRITERS[name](pixels)
    assert format_of(io.BytesIO(content)) == name.partition(",")[0]
    np.testing.assert_array_equal(decode(Content(content)), pixels)
    assert not file_facts(io.BytesIO(content), name.partition(",")[0]).deep


@pytest.mark.parametrize("size", SIZES)
def test_jpeg_xl(size):
    pytest.importorskip("pillow_jxl")
    content = saved(noise(*size), "JXL", lossless=True)
    header = jxl_header(io.BytesIO(content))
    assert header == (*size, False, False)
    np.testing.assert_array_equal(decode(Content(content)), noise(*size))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_within_jpeg_xl_lies_as_it_did(tmp_path, orientation):
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture.jpg"
    Image.fromarray(noise()).save(path, exif=exif)
    again = io.BytesIO()
    with Image.open(path) as image:
        image.save(again, "JXL", lossless_jpeg=True)
    np.testing.assert_array_equal(decode(Content(again.getvalue())), decode(path))


def test_jpeg_xl_that_promises_too_much_is_refused_before_it_is_decoded():
    pytest.importorskip("pillow_jxl")
    content = saved(np.zeros((3000, 4000, 3), np.uint8), "JXL", lossless=True)
    with pytest.raises(ImageError, match="4000 x 3000"):
        decode(Content(content), max_pixels=1_000_000)


@pytest.mark.parametrize("cut", range(0, 24, 3))
def test_a_jpeg_xl_header_cut_short(cut):
    assert jxl_header(io.BytesIO(b"\xff\x0a" + bytes(cut)[: cut // 3])) is None or cut >= 9


@pytest.mark.parametrize("largest", [1, 15, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", ["P2", "P5", "P3", "P6"])
def test_pnm_is_as_bright_as_its_largest_value_says(magic, largest):
    channels = 1 if magic in ("P2", "P5") else 3
    values = np.random.default_rng(0).integers(0, largest + 1, (17, 33, channels))
    content = pnm(magic, largest, values)
    expected = np.rint(values * (255 / largest))
    # A half may go either way, and Pillow takes 16 bits on the way of greys.
    np.testing.assert_allclose(decode(Content(content)), np.broadcast_to(expected, (17, 33, 3)), atol=1)
    assert file_facts(io.BytesIO(content), "PNM").deep is (largest > 255)


@pytest.mark.parametrize(("magic", "channels"), [("P4", 1), ("P5", 1), ("P6", 3)])
def test_a_second_picture_behind_the_first_is_one_more(magic, channels):
    one = saved(noise(channels=channels) // 128 * 255, "PPM")
    if magic == "P4":
        file = io.BytesIO()
        Image.fromarray(noise(channels=1)[..., 0]).convert("1").save(file, "PPM")
        one = file.getvalue()
    assert one.startswith(magic.encode())
    assert not file_facts(io.BytesIO(one), "PNM").further
    assert file_facts(io.BytesIO(one + one), "PNM").further


def test_what_photoshop_keeps_of_transparency_lies_on_white_already():
    pixels = np.concatenate([noise(), np.zeros((17, 33, 1), np.uint8)], 2)
    np.testing.assert_array_equal(decode(Content(psd(pixels))), pixels[..., :3])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (psd(noise(), bits=16), "PSD of 16 bits"),
        (psd(noise(), mode=9), "PSD of 8 bits, mode 9"),
        (psd(noise(), merged=False), "without a picture of all its layers"),
        (b"8BPS\0\2" + bytes(100), "PSB is not read here"),
        (b"\x76\x2f\x31\x01" + bytes(100), "EXR is not read here"),
        (b"gimp xcf v011" + bytes(100), "XCF is not read here"),
        (b"FUJIFILMCCD-RAW" + bytes(200), "raw"),
    ],
)
def test_what_is_not_read_says_so(content, words):
    with pytest.raises(ImageError, match=words) as caught:
        decode(Content(content))
    assert caught.value.code == "unsupported"


def test_an_icon_shows_its_largest_picture_in_most_colours():
    small, large = noise(16, 16), noise(48, 48, seed=1)
    few = np.zeros((48, 48, 3), np.uint8)
    content = ico((saved(small, "PNG"), 32, 16, 16), (saved(few, "PNG"), 4, 48, 48), (saved(large, "PNG"), 32, 48, 48))
    np.testing.assert_array_equal(decode(Content(content)), large)
    assert file_facts(io.BytesIO(content), "ICO").further  # the small one may be drawn otherwise


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_bitmaps_in_icons(alpha):
    pixels = noise(16, 16)
    content = ico((bitmap(np.dstack([pixels[..., ::-1], np.full((16, 16), alpha, np.uint8)])), 32, 16, 16))
    seen = alpha or 255  # as of a BMP, where it is 0 throughout it means nothing
    expected = np.rint((pixels.astype(int) * seen + 255.0 * (255 - seen)) / 255)
    np.testing.assert_array_equal(decode(Content(content)), expected)


def test_an_icon_that_hides_a_bomb(tmp_path):
    content = ico((saved(np.zeros((3000, 4000, 3), np.uint8), "PNG"), 32, 16, 16))
    with pytest.raises(ImageError, match="4000 x 3000"):
        decode(Content(content), max_pixels=1_000_000)


def test_apples_icons():
    pixels = noise(64, 64)
    png = saved(pixels, "PNG")
    content = b"icns" + struct.pack(">I", 16 + len(png)) + b"icp6" + struct.pack(">I", 8 + len(png)) + png
    np.testing.assert_array_equal(decode(Content(content)), pixels)


@pytest.mark.parametrize(("descriptor", "alpha", "seen"), [(0, 77, 255), (8, 77, 77), (8, 0, 255)])
def test_the_fourth_byte_of_a_targa(descriptor, alpha, seen):
    pixels = noise()
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 33, 17, 32, 0x20 | descriptor)
    content = head + np.dstack([pixels[..., ::-1], np.full((17, 33), alpha, np.uint8)]).tobytes()
    content += bytes(8) + b"TRUEVISION-XFILE.\0"
    expected = np.rint((pixels.astype(int) * seen + 255.0 * (255 - seen)) / 255)
    np.testing.assert_array_equal(decode(Content(content)), expected)


def test_a_targa_of_the_first_version_is_told_by_its_name(tmp_path):
    content = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 33, 17, 24, 0x20) + noise()[..., ::-1].tobytes()
    for name, found in (("picture.tga", "TGA"), ("notes.dat", None)):
        assert format_of(io.BytesIO(content), name) == found
    (tmp_path / "picture.tga").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / "picture.tga"), noise())


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_raw_file_is_developed(orientation):
    pytest.importorskip("rawpy")
    values = np.full((96, 128), 300, np.uint16)
    values[:, 64:] = 3000  # dark on the left, bright on the right
    content = dng(values, orientation=orientation)
    assert format_of(io.BytesIO(content)) == "RAW"
    shown = decode(Content(content)).astype(int)
    assert shown.shape == ((96, 128, 3) if orientation == 1 else (128, 96, 3))
    dark, bright = (shown[:, :50], shown[:, 78:]) if orientation == 1 else (shown[:50], shown[78:])
    assert dark.mean() + 50 < bright.mean()
    facts = file_facts(io.BytesIO(content), "RAW")
    assert facts.further
    assert facts.deep


def test_a_raw_file_needs_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    with pytest.raises(ImageError, match=r"imgsim-ops\[raw\]") as caught:
        decode(Content(dng(np.full((96, 128), 300, np.uint16))))
    assert caught.value.code == "unsupported"


def test_a_tiff_is_no_raw_file():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(noise(), photometric="rgb", subifds=1)
        writer.write(noise(), photometric="rgb")
    file.seek(0)
    assert format_of(file) == "TIFF"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"P1 20 things to do before\n", None),
        (b"P6\n4 4\n255\n", "PNM"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "RAW"),
        (b"II\x2a\0\x10\0\0\0CR\2\0", "RAW"),
        (b"\0\0\1\xb3" + bytes(60), None),  # MPEG, which begins nearly as an icon does
        (b"\n\5\1\10" + bytes(60), None),  # cut short
        (b"<?xml version='1.0'?>\n<svg xmlns=''>", "svg"),
        (b"<?xml version='1.0'?>\n<rss>", None),
        (b"%PDF-1.7", "pdf"),
        (b"\0\0\0\x20ftypqt  ", "video"),
        (b"", None),
    ],
)
def test_signatures(head, kind):
    assert format_of(io.BytesIO(head)) == kind


def test_names_claim_one_format_each():
    suffixes = [suffix for kinds in (READ, UNREAD, ASIDE) for suffixes in kinds.values() for suffix in suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert claimed_format("A.B/IMG.NEF") == "RAW"
    assert claimed_format("A.NEF/notes") is None


@pytest.mark.parametrize("suffix", [*SHARED, *(suffix.upper() for suffix in SHARED)])
def test_names_that_other_things_have_say_nothing_alone(tmp_path, suffix):
    """Templates of Visio (OLE, or XML in an archive), a header of ENVI, one of Analyze, and nothing at all."""
    others = (b"\xd0\xcf\x11\xe0" + bytes(600), b"PK\3\4" + bytes(60), b"ENVI\nsamples = 4\n", bytes(348), b"")
    for number, content in enumerate(others):
        (tmp_path / f"{number}{suffix}").write_bytes(content)
        assert format_of(io.BytesIO(content), f"{number}{suffix}") is None
    (tmp_path / f"nowhere{suffix}").symlink_to("missing")
    targa = bytes((0, 0, 2, *bytes(9), 2, 0, 2, 0, 24, 0)) + bytes(12)  # of the first version, without a signature
    content, kind = (b"#?RADIANCE\n", "HDR") if suffix.lower() == ".hdr" else (targa, "TGA")
    (tmp_path / f"picture{suffix}").write_bytes(content)
    (tmp_path / f"other picture{suffix}").write_bytes(saved(noise(), "PNG"))
    assert format_of(io.BytesIO(content), f"picture{suffix}") == kind
    found = {name.rpartition("/")[2] for name in scan_names([tmp_path])}
    assert found == {f"{name}{suffix}" for name in ("picture", "other picture", "nowhere")}


def test_nothing_vanishes_from_a_folder(tmp_path):
    for kinds in (READ, UNREAD, ASIDE):
        for suffixes in kinds.values():
            for suffix in suffixes:
                (tmp_path / f"file{suffix}").write_bytes(b"something else")
    for name in ("notes.txt", "picture.jpg.xmp", "readme"):
        (tmp_path / name).write_bytes(b"something else")
    (tmp_path / "film without an end").write_bytes(b"\0\0\0\x18ftypisom" + bytes(50))
    (tmp_path / "picture.mov").write_bytes(saved(noise(), "PNG"))
    aside = []
    found = {name.rpartition("/")[2] for name in scan_names([tmp_path], aside=aside)}
    films = {file.path.rpartition("/")[2] for file in aside}
    named = {f"file{s}" for kinds in (READ, UNREAD) for many in kinds.values() for s in many}
    assert found == (named | {"picture.mov"}) - {f"file{s}" for s in SHARED}
    assert films == {f"file{s}" for many in ASIDE.values() for s in many} | {"film without an end"}
    assert all(file.is_aside and file.message.isprintable() for file in aside)


# --- what lies behind transparent places, and what white is ---


@pytest.mark.parametrize("value", [255, 252])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_white_icon_is_seen_on_black(kind, value):
    alpha = np.zeros((17, 33, 1), np.uint8)
    alpha[4:9, 5:20] = 255
    alpha[9, 5:20] = 100
    content = saved(np.concatenate([np.full((17, 33, 3), value, np.uint8), alpha], 2), kind, lossless=True)
    expected = np.rint(value * (alpha / 255.0))
    np.testing.assert_array_equal(decode(Content(content)), np.repeat(expected, 3, 2))


@pytest.mark.parametrize(
    ("value", "alpha"), [(255, 0), (0, 0), (255, 255), (200, 128)], ids=["nothing", "nothing", "a page", "grey"]
)
def test_other_pictures_lie_on_white(value, alpha):
    pixels = np.full((17, 33, 4), value, np.uint8)
    pixels[..., 3] = alpha
    expected = np.rint((value * alpha + 255.0 * (255 - alpha)) / 255)
    np.testing.assert_array_equal(decode(Content(saved(pixels, "PNG"))), np.full((17, 33, 3), expected))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_greys_that_use_fewer_bits_than_they_have(kind, bits):
    largest = (1 << bits) - 1
    values = np.random.default_rng(0).integers(0, largest + 1, (17, 33)).astype(np.uint16)
    values[0, 0] = largest
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    expected = np.repeat(np.rint(values * (255 / largest))[..., np.newaxis], 3, 2)
    np.testing.assert_allclose(decode(Content(file.getvalue())), expected, atol=1)  # halves


def test_the_white_that_a_camera_tells():
    file = io.BytesIO()
    values = np.arange(0, 2000, 10, np.uint16).reshape(10, 20)
    tifffile.imwrite(file, values, photometric="minisblack", extratags=[(50717, 3, 1, 2500)], metadata=None)
    expected = np.repeat(np.rint(values * (255 / 2500))[..., np.newaxis], 3, 2)
    np.testing.assert_allclose(decode(Content(file.getvalue())), expected, atol=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, np.uint32, np.int16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiffs_without_an_agreed_white_are_unsupported(dtype, channels):
    file = io.BytesIO()
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(file, np.ones((17, 33, channels), dtype).squeeze(), photometric=photometric, metadata=None)
    with pytest.raises(ImageError) as caught:
        decode(Content(file.getvalue()))
    assert caught.value.code == "unsupported"


def png(samples, colour, depth, palette=b""):
    """Written by hand, so that every kind of PNG is."""
    height = len(samples)
    bits = np.unpackbits(samples.reshape(height, -1, 1).astype(">u2").view(np.uint8), axis=2)
    rows = np.packbits(bits[:, :, 16 - depth :].reshape(height, -1), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", samples.shape[1], height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks if chunk[1] or chunk[0] == b"IEND")


PNG_KINDS = [
    *((0, depth, 1) for depth in (1, 2, 4, 8, 16)),
    *((3, depth, 1) for depth in (1, 2, 4, 8)),
    *((colour, depth, channels) for colour, channels in ((2, 3), (4, 2), (6, 4)) for depth in (8, 16)),
]


@pytest.mark.parametrize(("colour", "depth", "channels"), PNG_KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_every_kind_of_png_against_opencv(colour, depth, channels, size):
    width, height = size
    random = np.random.default_rng(0)
    samples = random.integers(0, 1 << depth, (height, width, channels))
    if channels == 1:
        samples.flat[0] = (1 << depth) - 1  # so that 16 bits are used
    palette = random.integers(0, 256, 3 << depth, dtype=np.uint8).tobytes() if colour == 3 else b""
    content = png(samples, colour, depth, palette)
    flags = cv2.IMREAD_UNCHANGED if channels in (2, 4) else cv2.IMREAD_COLOR
    other = cv2.imdecode(np.frombuffer(content, np.uint8), flags).astype(float)
    if other.max() > 255:
        other /= 257
    if channels in (2, 4):
        other = other[..., :3] * (other[..., 3:] / 255) + 255 - other[..., 3:]
    # Of 16 bits some take the nearest of 8, some the upper ones.
    np.testing.assert_allclose(decode(Content(content)), other[..., ::-1], atol=2 if depth == 16 else 1)


def test_profiles_change_no_pixels():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(decode(Content(saved(noise(), "PNG", icc_profile=profile))), noise())
