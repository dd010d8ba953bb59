"""Right pixels from every kind of file that is promised."""

import io
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.errors import ImageError
from imgsim_ops.images.decode import decode

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
