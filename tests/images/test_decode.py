"""Right pixels from every kind of file that is promised."""

import io
import struct
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, features

from imgsim_ops import kernels
from imgsim_ops.errors import ImageError
from imgsim_ops.images.decode import decode, decoded
from imgsim_ops.images.formats import picture_format
from imgsim_ops.images.given import pixels
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.matching.looks import Look, look

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
ORIENTATIONS = range(1, 9)


def photograph(height=40, width=60):
    """Smooth colours, all corners different: lossy formats keep them to a few grey levels."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // (width - 1), y * 255 // (height - 1), 255 - (x + y) * 255 // (width + height - 2)]
    return np.stack(channels, -1).astype(np.uint8)


def as_stored(upright, orientation):
    """The pixels that a camera stores for this orientation: the inverse of what the reader does."""
    stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: p.transpose(1, 0, 2)[::-1],
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: p[::-1].transpose(1, 0, 2),
    }
    return np.ascontiguousarray(stored[orientation](upright))


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation(tmp_path, kind, orientation):
    upright = photograph()
    path = tmp_path / "picture"
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    Image.fromarray(as_stored(upright, orientation)).save(path, kind, exif=exif(orientation), **options)
    pixels = decode(path)
    assert pixels.shape == upright.shape
    # JPEG at quality 95 keeps this gradient to a few levels; a wrong orientation is off by up to 255.
    assert np.abs(pixels.astype(int) - upright).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0",
        # A string where the orientation should be a number, and a number that is no orientation.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x03\0\0\0abc\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x2a\0\0\0\0\0\0\0",
        b"Exif\0\0\xff" * 9,
    ],
)
def test_broken_exif_does_not_lose_the_picture(tmp_path, kind, broken):
    path = tmp_path / "picture"
    Image.fromarray(photograph()).save(path, kind, exif=broken)
    assert decode(path).shape == (40, 60, 3)


def test_type_is_told_by_content(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.fromarray(photograph()).save(path, "PNG")
    np.testing.assert_array_equal(decode(path), photograph())
    assert decode(str(path)).dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (33, 17)])
def test_every_format_at_awkward_sizes(tmp_path, kind, size):
    path = tmp_path / "picture"
    grey = np.full((*size, 3), 77, np.uint8)
    Image.fromarray(grey).save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode(path), grey)


@pytest.mark.parametrize("size", [(700, 900), (3, 400_000), (400_000, 3)])
def test_large_pictures(tmp_path, size):
    path = tmp_path / "picture"
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "TIFF")
    np.testing.assert_array_equal(decode(path), pixels)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame(tmp_path, kind):
    path = tmp_path / "picture"
    frames = [Image.new("RGB", (20, 10), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decode(path), np.full((10, 20, 3), (255, 0, 0), np.uint8))


def composited(values, alpha):
    """The documented rounding, with integers."""
    wide = values.astype(np.int64) * alpha[..., None] + (255 - alpha[..., None].astype(np.int64)) * 255
    return ((2 * wide + 255) // 510).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_on_white(tmp_path, kind):
    path = tmp_path / "picture"
    values, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    values = np.stack([values, values[::-1], values.T], -1)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    Image.fromarray(np.dstack([values, alpha])).save(path, kind, **options)
    np.testing.assert_array_equal(decode(path), composited(values, alpha))


def test_grey_with_alpha(tmp_path):
    path = tmp_path / "picture"
    grey, alpha = (Image.frombytes("L", (3, 1), bytes(band)) for band in ([10, 10, 10], [255, 0, 128]))
    Image.merge("LA", (grey, alpha)).save(path, "PNG")
    assert decode(path).tolist() == [[[10] * 3, [255] * 3, [132] * 3]]


@pytest.mark.parametrize(("kind", "transparency"), [("PNG", 1), ("GIF", 1), ("PNG", bytes([255, 0, 128]))])
def test_palette_with_transparency(tmp_path, kind, transparency):
    path = tmp_path / "picture"
    picture = Image.new("P", (3, 1))
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.putdata([0, 1, 2])
    picture.save(path, kind, transparency=transparency)
    blue = [0, 0, 200] if transparency == 1 else [127, 127, 227]
    assert decode(path).tolist() == [[[200, 0, 0], [255, 255, 255], blue]]


@pytest.mark.parametrize(
    ("mode", "value", "key"), [("L", 90, 90), ("RGB", (1, 2, 3), (1, 2, 3)), ("1", 0, 0), ("I;16", 300, 300)]
)
def test_transparent_colour_becomes_white(tmp_path, mode, value, key):
    path = tmp_path / "picture"
    Image.new(mode, (2, 2), value).save(path, "PNG", transparency=key)
    assert (decode(path) == 255).all()


def test_palette_grey_and_bilevel(tmp_path):
    path = tmp_path / "picture"
    picture = Image.fromarray(photograph())
    for mode in ("P", "L", "1"):
        picture.convert(mode).save(path, "PNG")
        np.testing.assert_array_equal(decode(path), np.array(picture.convert(mode).convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(tmp_path, kind):
    path = tmp_path / "picture"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, kind)  # magenta and yellow ink make red
    # JPEG rounds; TIFF does not.
    assert np.abs(decode(path).astype(int) - [255, 0, 0]).max() <= (2 if kind == "JPEG" else 0)


def adobe_jpeg(transform, ink):
    """A four-channel JPEG as Adobe writes it: inverted ink, and a marker that names the transform."""
    data = io.BytesIO()
    Image.new("CMYK", (16, 16), tuple(ink)).save(data, "JPEG", quality=100)
    data = data.getvalue()
    marker = data.index(b"\xff\xee") + 4
    assert data[marker : marker + 5] == b"Adobe"
    return data[: marker + 11] + bytes([transform]) + data[marker + 12 :]


def test_adobe_inversion_is_undone(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(adobe_jpeg(0, (0, 255, 255, 0)))
    assert np.abs(decode(path).astype(int) - [255, 0, 0]).max() <= 2  # JPEG's rounding


def test_ycck(tmp_path):
    # Read as YCCK, the stored (255, 0, 0, 255) are Y = 255, Cb = Cr = 0. By BT.601 that is R = 76, G =
    # 255 (clipped) and B = 28, which libjpeg gives as C = 179, M = 0, Y = 227. Adobe stores ink inverted:
    # C = 76, M = 255, Y = 28 and no black, hence red 179, green 0, blue 227.
    path = tmp_path / "picture"
    path.write_bytes(adobe_jpeg(2, (0, 255, 255, 0)))
    assert np.abs(decode(path).astype(int) - [179, 0, 227]).max() <= 2  # JPEG's rounding


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
def test_sixteen_bit_grey_is_scaled(tmp_path, kind, mode):
    path = tmp_path / "picture"
    values = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    stored = values.astype(">u2" if mode == "I;16B" else "<u2")
    Image.frombytes(mode, (256, 256), stored.tobytes()).save(path, kind)
    expected = ((values.astype(np.int64) + 128) // 257).astype(np.uint8)  # round(v / 257); 257 is odd: no ties
    np.testing.assert_array_equal(decode(path), np.repeat(expected[..., None], 3, -1))


def test_sixteen_bit_grey_whose_zero_is_white(tmp_path):
    path = tmp_path / "picture"
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(path, "TIFF", tiffinfo={262: 0})
    assert decode(path)[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_an_agreed_white_are_refused(tmp_path, mode):
    path = tmp_path / "picture"
    Image.new(mode, (8, 8), 3).save(path, "TIFF")
    with pytest.raises(ImageError, match="no agreed white") as caught:
        decode(path)
    assert caught.value.code == "unsupported"


@pytest.fixture
def heif():
    """Saves a picture as HEIC does; the tests that use it are skipped without pillow-heif."""
    pytest.importorskip("pillow_heif").register_heif_opener()

    def save(path, pixels, exif=None):
        picture = Image.fromarray(pixels)
        if exif is not None:
            picture.info["exif"] = exif
        picture.save(path, "HEIF", quality=90)
        return path.read_bytes()

    return save


def test_heif(tmp_path, heif):
    path = tmp_path / "picture"
    pixels = photograph(60, 80)
    heif(path, pixels)
    # Lossy, with half the colour resolution: the gradient keeps to a few levels, except in the corners' colours.
    assert np.abs(decode(path).astype(int) - pixels).mean() < 3


@needs_avif
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_avif(tmp_path, orientation):
    upright = photograph()
    path = tmp_path / "picture"
    picture = Image.fromarray(as_stored(upright, orientation))
    picture.save(path, "AVIF", exif=exif(orientation), quality=95, subsampling="4:4:4", speed=10)
    pixels = decode(path)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= 8  # lossy; a wrong orientation is off by up to 255


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_heif(tmp_path, heif, orientation):
    upright = photograph(60, 80)
    path = tmp_path / "picture"
    # In this format the container says how to turn a picture; its EXIF is a copy of that, and counts for nothing.
    content = heif(path, as_stored(upright, orientation), exif=exif(orientation).tobytes())
    assert (b"irot" in content or b"imir" in content) == (orientation != 1)
    pixels = decode(path)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 3  # lossy; a wrong orientation is off by tens on average


@needs_avif
def test_alpha_of_avif_is_composited_on_white(tmp_path):
    path = tmp_path / "picture"
    alpha = np.linspace(0, 255, 60).astype(np.uint8)[None].repeat(40, 0)
    Image.fromarray(np.dstack([photograph(), alpha])).save(path, "AVIF", quality=90, speed=10)
    rgba = np.array(Image.open(path))
    assert rgba.shape == (40, 60, 4)
    np.testing.assert_array_equal(decode(path), composited(rgba[..., :3], rgba[..., 3]))


def test_alpha_of_heif_is_composited_on_white(tmp_path, heif):
    path = tmp_path / "picture"
    alpha = np.linspace(0, 255, 80).astype(np.uint8)[None].repeat(60, 0)
    heif(path, np.dstack([photograph(60, 80), alpha]))
    rgba = np.asarray(pytest.importorskip("pillow_heif").open_heif(path).to_pillow())
    assert rgba.shape == (60, 80, 4)
    np.testing.assert_array_equal(decode(path), composited(rgba[..., :3], rgba[..., 3]))


@needs_avif
def test_first_frame_of_avif(tmp_path):
    path = tmp_path / "picture"
    frames = [Image.new("RGB", (64, 48), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(path, "AVIF", save_all=True, append_images=frames[1:], quality=95, speed=10)
    assert np.abs(decode(path).astype(int) - (255, 0, 0)).max() <= 4  # lossy; blue would be off by 255


def test_first_picture_of_heif(tmp_path):
    module = pytest.importorskip("pillow_heif")
    path = tmp_path / "picture"
    file = module.from_pillow(Image.new("RGB", (64, 64), (255, 0, 0)))
    file.add_from_pillow(Image.new("RGB", (64, 64), (0, 0, 255)))
    file.save(path, quality=95)
    assert np.abs(decode(path).astype(int) - (255, 0, 0)).max() <= 4  # lossy; blue would be off by 255


def boxed(main, *others, length=None):
    """The beginning of a file of boxes, with its brands."""
    brands = b"".join(others)
    return (16 + len(brands) if length is None else length).to_bytes(4, "big") + b"ftyp" + main + bytes(4) + brands


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        *((boxed(brand), "HEIF") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")),
        (boxed(b"avif"), "AVIF"),
        (boxed(b"avis"), "AVIF"),
        (boxed(b"mif1", b"mif1", b"heic"), "HEIF"),
        (boxed(b"mif1", b"miaf", b"avif"), "AVIF"),
        (boxed(b"msf1", b"hevc"), "HEIF"),
        (boxed(b"mif1", b"miaf"), None),  # only the container's name
        (boxed(b"isom", b"mp42"), "video"),
        (boxed(b"mif1", b"heic", length=16), None),  # behind the box's end
        (boxed(b"isom") + b"heic", "video"),
        (b"\0\0\0\x18ftyp", None),
        (b"\0\0\0\x18moov" + b"heic" * 4, "video"),
    ],
)
def test_brands(head, expected):
    assert picture_format(head[:32]) == expected


def test_main_brand_is_not_all(tmp_path, heif):
    path = tmp_path / "picture"
    content = heif(path, photograph(60, 80))
    whole = decode(path)
    assert content[8:12] == b"heic"
    path.write_bytes(content[:8] + b"mif1" + content[12:])
    np.testing.assert_array_equal(decode(path), whole)


@pytest.mark.parametrize(
    ("brand", "module", "words"),
    [
        (b"heic", "pillow_heif", "HEIF needs pip install 'imgsim-ops[heic]'"),
        (b"avif", "PIL.AvifImagePlugin", "AVIF needs Pillow 11.3 or newer with AVIF"),
    ],
)
def test_formats_that_are_not_installed(tmp_path, monkeypatch, brand, module, words):
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "picture"
    path.write_bytes(boxed(brand) + bytes(100))
    with pytest.raises(ImageError) as caught:
        decode(path)
    assert caught.value.code == "unsupported"
    assert words in str(caught.value)


def test_pillow_that_was_built_without_avif(tmp_path, monkeypatch):
    plugin = pytest.importorskip("PIL.AvifImagePlugin")
    monkeypatch.setattr(plugin, "SUPPORTED", False)  # as the module sets it when its library is missing
    path = tmp_path / "picture"
    path.write_bytes(boxed(b"avif") + bytes(100))
    with pytest.raises(ImageError) as caught:
        decode(path)
    assert caught.value.code == "unsupported"


STRIPED = {
    "RGB PNG": ("PNG", "RGB", {}),
    "RGBA PNG": ("PNG", "RGBA", {}),
    "grey PNG": ("PNG", "L", {}),
    "grey and alpha PNG": ("PNG", "LA", {}),
    "palette PNG": ("PNG", "P", {}),
    "palette PNG with transparency": ("PNG", "P", {"transparency": bytes(range(256))}),
    "palette GIF with transparency": ("GIF", "P", {"transparency": 7}),
    "bilevel PNG": ("PNG", "1", {}),
    "CMYK TIFF": ("TIFF", "CMYK", {}),
    "LAB TIFF": ("TIFF", "LAB", {}),
    "YCbCr TIFF": ("TIFF", "YCbCr", {"compression": "raw"}),
    "WebP with alpha": ("WEBP", "RGBA", {"lossless": True, "exact": True}),
}


@pytest.mark.parametrize("orientation", [1, 4, 6])
@pytest.mark.parametrize("name", STRIPED)
def test_pictures_of_several_strips(tmp_path, name, orientation):
    """What is turned to RGB in pieces is what Pillow makes of the whole."""
    kind, mode, options = STRIPED[name]
    path = tmp_path / "picture"
    noise = np.random.default_rng(0).integers(0, 256, (900, 700, 4), dtype=np.uint8)
    if mode in ("RGBA", "CMYK"):
        picture = Image.frombytes(mode, (700, 900), noise.tobytes())
    elif mode == "P":
        picture = Image.frombytes("P", (700, 900), noise[..., 0].tobytes())
        picture.putpalette(noise[0, :256, :3].tobytes())
    elif mode == "LAB":
        picture = Image.frombytes("LAB", (700, 900), noise[..., :3].tobytes())
    else:
        picture = Image.fromarray(noise[..., :3]).convert(mode)
    if kind != "GIF":  # which has none
        options = {**options, "exif": exif(orientation)}
    picture.save(path, kind, **options)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.load()
        clear = "A" in image.mode or "transparency" in image.info
        if clear and mode != "LAB":
            whole = np.array(image.convert("RGBA"))
            whole = composited(whole[..., :3], whole[..., 3])
        else:
            try:
                whole = np.array(image.convert("RGB"))
            except ValueError:  # Pillow has no way from LAB to RGB
                with pytest.raises(ImageError, match="LAB pixels") as caught:
                    decode(path)
                assert caught.value.code == "unsupported"
                return
    if kind in ("PNG", "WEBP"):  # of TIFF, Pillow brings the pixels upright itself
        whole = {1: whole, 4: whole[::-1], 6: whole[::-1].transpose(1, 0, 2)}[orientation]
    with decoded(path) as found:
        strips = list(found.strips)
    assert len(strips) > 1
    np.testing.assert_array_equal(np.concatenate(strips), whole)
    np.testing.assert_array_equal(decode(path), whole)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_orientation_of_several_strips(tmp_path, kind, orientation):
    upright = np.random.default_rng(0).integers(0, 256, (900, 700, 3), dtype=np.uint8)
    path = tmp_path / "picture"
    picture = Image.fromarray(as_stored(upright, orientation))
    if kind == "JPEG":  # the same file but for its EXIF says what is stored
        picture.save(path, kind)
        stored = decode(path)
        upright = {
            **{1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]},
            **{5: stored.transpose(1, 0, 2), 6: stored[::-1].transpose(1, 0, 2)},
            **{7: stored[::-1, ::-1].transpose(1, 0, 2), 8: stored.transpose(1, 0, 2)[::-1]},
        }[orientation]
    picture.save(path, kind, exif=exif(orientation))
    np.testing.assert_array_equal(decode(path), upright)
    np.testing.assert_array_equal(load_pixels(path), kernels.resize_crop(upright))


def test_sixteen_bit_grey_of_several_strips(tmp_path):
    path = tmp_path / "picture"
    values = np.random.default_rng(0).integers(0, 1 << 16, (700, 900), dtype=np.uint16)
    Image.fromarray(values).save(path, "PNG", exif=exif(6))
    expected = ((values.astype(np.int64) + 128) // 257).astype(np.uint8)  # round(v / 257), as above
    np.testing.assert_array_equal(decode(path), np.repeat(expected[::-1].T[..., None], 3, -1))


def test_the_array_is_the_callers(tmp_path):
    path = tmp_path / "picture"
    Image.fromarray(photograph()).save(path, "PNG")
    pixels = decode(path)
    pixels[:] = 0
    assert pixels.flags.c_contiguous
    assert pixels.flags.owndata


def test_many_threads_leave_no_warning_filter_behind(tmp_path):
    path = tmp_path / "picture"
    Image.fromarray(photograph()).save(path, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0")
    before = list(warnings.filters)
    problems = []

    def read():
        try:
            for _ in range(20):
                decode(path)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert warnings.filters == before


@pytest.mark.parametrize(("alpha", "shown"), [((0, 0), (200, 200)), ((255, 255), (200, 200)), ((0, 255), (255, 200))])
@pytest.mark.parametrize("header", [108, 124])
def test_a_bmp_whose_alpha_is_0_throughout_has_none(tmp_path, header, alpha, shown):
    """Windows and Photoshop show it so, and many programs leave these bytes 0."""
    stored = np.full((3, 2, 4), 200, np.uint8)
    stored[..., 3] = alpha
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", header, 2, 3, 1, 32, 3, stored.nbytes, 0, 0, 0, 0) + masks
    head = head.ljust(header, b"\0")
    path = tmp_path / "a.bmp"
    first = struct.pack("<2sIHHI", b"BM", 14 + header + stored.nbytes, 0, 0, 14 + header)
    path.write_bytes(first + head + stored.tobytes())
    expected = np.repeat(np.repeat(np.array(shown, np.uint8)[np.newaxis, :, np.newaxis], 3, 0), 3, 2)
    np.testing.assert_array_equal(decode(path), expected)
    np.testing.assert_array_equal(pixels(Image.open(path)), expected)
    found = Look.from_bytes(look(path))
    assert (found.alpha is None) == (alpha != (0, 255))


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_transparency_is_turned_as_the_pixels_are(tmp_path, kind, orientation):
    upright = np.full((20, 30, 4), 90, np.uint8)
    upright[..., 3] = 0
    upright[:10, :15, 3] = 255
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / "a"
    Image.fromarray(np.ascontiguousarray(as_stored(upright, orientation))).save(path, kind, exif=exif)
    found = Look.from_bytes(look(path))
    np.testing.assert_array_equal(found.alpha, upright[..., 3])
    np.testing.assert_array_equal(found.pixels[..., 0] == 90, upright[..., 3] == 255)
