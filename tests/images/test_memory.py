"""What a picture takes in memory: known before it is taken, bounded, and a strip at a time where that is enough."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, features

from imgsim_ops import kernels
from imgsim_ops.errors import ImageError
from imgsim_ops.images.decode import decode, decoded
from imgsim_ops.images.memory import MAX_PIXELS, TooManyPixelsError, check_size, most_held
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.images.readers import IsolatedReaders
from tests.support import ROOT
from tests.support.pictures_made import black_png, flat_jpeg, tiled_tiff
from tests.support.processes import little_memory, needs_proc

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def refusal(path, **options):
    with pytest.raises(ImageError) as caught:
        decode(path, **options)
    return caught.value.code


def save(path, kind, pixels=PICTURE, **options):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(pixels).save(path, kind, **options)
    return path


# Limits


def test_check_size_at_its_edges():
    check_size(10, 10, most_held(100), 100)
    with pytest.raises(TooManyPixelsError, match="10 x 10, limit 99 pixels"):
        check_size(10, 10, 0, 99)
    with pytest.raises(TooManyPixelsError, match="10 x 10, 321 MB to decode, limit 320 MB at 100000000 pixels"):
        check_size(10, 10, 321_000_000, 100_000_000)


# From how many megapixels on each format is refused at the default limit, as `decode` documents it.
MEGAPIXELS = {"PNG": 89.6, "BMP": 89.6, "GIF": 71.68, "HEIF": 39.8, "AVIF": 29.8, "WEBP": 22.4}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=needs_avif if kind == "AVIF" else ()) for kind in MEGAPIXELS]
)
def test_limit_of_each_format(tmp_path, kind):
    path = save(tmp_path / "picture", kind)
    limit = 60 * 40 * MAX_PIXELS / 1e6 / MEGAPIXELS[kind]
    assert decode(path, max_pixels=int(limit * 1.01)).shape == (40, 60, 3)
    assert refusal(path, max_pixels=int(limit * 0.99)) == "too_large"


def test_limit_of_tiff_counts_its_strips(tmp_path):
    # libtiff unpacks a strip beside Pillow's picture: here the whole of it, twice four bytes a pixel, or little.
    whole = save(tmp_path / "whole", "TIFF", compression="tiff_lzw", tiffinfo={278: 40})
    strips = save(tmp_path / "strips", "TIFF", compression="tiff_lzw", tiffinfo={278: 2})
    assert refusal(whole, max_pixels=int(2400 * 2.45)) == "too_large"
    assert decode(whole, max_pixels=int(2400 * 2.55)).shape == (40, 60, 3)
    assert decode(strips, max_pixels=int(2400 * 1.35)).shape == (40, 60, 3)


def test_gif_whose_frame_is_larger_than_its_canvas(tmp_path):
    path = save(tmp_path / "picture", "GIF")
    content = bytearray(path.read_bytes())
    content[6:10] = b"\x05\0\x05\0"
    path.write_bytes(content)
    assert decode(path).shape == (40, 60, 3)  # as Pillow and browsers show it
    assert refusal(path, max_pixels=100) == "too_large"


def test_gif_of_a_small_canvas_is_refused_before_any_allocation(tmp_path):
    path = tmp_path / "picture"
    # 12000 x 12000 pixels in a frame: between our limit and the one from which on Pillow refuses by itself.
    frame = b"\x2c" + bytes(4) + (12000).to_bytes(2, "little") * 2 + b"\0\2\0"
    path.write_bytes(b"GIF89a\1\0\1\0\0\0\0" + frame + b";")
    with little_memory():
        assert refusal(path) == "too_large"


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_whose_canvas_lies(tmp_path, lossless):
    rgba = np.dstack([PICTURE, PICTURE[..., 0]])
    path = save(tmp_path / "picture", "WEBP", rgba, lossless=lossless, exif=Image.Exif())
    content = bytearray(path.read_bytes())
    if content[12:16] == b"VP8L":  # in front of which we put a header of the extended format
        content[12:12] = b"VP8X\x0a\0\0\0\x10\0\0\0" + bytes(6)
        content[4:8] = (len(content) - 8).to_bytes(4, "little")
    assert content[12:16] == b"VP8X"
    for width, height in ((5, 5), (60, 39), (59, 40), (61, 40)):
        content[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        path.write_bytes(content)
        assert refusal(path) == "damaged"
    content[24:30] = (60 - 1).to_bytes(3, "little") + (40 - 1).to_bytes(3, "little")
    path.write_bytes(content)
    assert decode(path).shape == (40, 60, 3)


def box_says(path, width, height):
    """The same AVIF or HEIC whose box says another size than what is coded in it."""
    content = bytearray(path.read_bytes())
    size = content.index(b"ispe") + 8
    content[size : size + 8] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    path.write_bytes(content)


def test_heif_whose_box_lies(tmp_path):
    for size in ((8, 8), (59, 40), (600, 400)):
        path = save(tmp_path / "picture", "HEIF")
        box_says(path, *size)
        assert refusal(path) == "damaged"
        assert refusal(path, max_pixels=1000) in ("damaged", "too_large")


@needs_avif
@pytest.mark.xfail(strict=True, reason="libavif decodes what is coded, however large, and then scales it to the box")
def test_avif_whose_box_lies(tmp_path):
    path = save(tmp_path / "picture", "AVIF")
    box_says(path, 8, 8)
    assert refusal(path, max_pixels=1000) in ("damaged", "too_large")


def test_tiff_whose_tile_is_larger_than_its_picture(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(tiled_tiff(60, 40, 64))
    assert (decode(path) == 0).all()
    path.write_bytes(tiled_tiff(60, 40, 1024))  # which is unpacked whole: 3 MB
    assert refusal(path, max_pixels=100_000) == "too_large"


# Shapes that strain what is per row, per column or per strip


@pytest.mark.parametrize(
    "kind",
    [
        "JPEG",
        "PNG",
        "WEBP",
        "GIF",
        "BMP",
        "TIFF",
        "LZW TIFF",
        pytest.param("AVIF", marks=needs_avif),
    ],  # no HEIF: its encoder takes no such sizes
)
@pytest.mark.parametrize("size", [(30_000, 20), (1, 5000), (5000, 1)])
def test_long_pictures(tmp_path, kind, size):
    if kind == "WEBP" and max(size) > 16383:
        size = (16383, 20)  # the format's largest
    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    options = {"WEBP": {"lossless": True}, "LZW TIFF": {"compression": "tiff_lzw"}, "AVIF": {"speed": 10}}.get(kind, {})
    path = save(tmp_path / "picture", kind.split()[-1], pixels, **options)
    found = decode(path)
    assert found.shape == pixels.shape
    if kind in ("PNG", "WEBP", "BMP", "TIFF", "LZW TIFF"):
        np.testing.assert_array_equal(found, pixels)
    np.testing.assert_array_equal(load_pixels(path), kernels.resize_crop(found))


# Measured, in a process of its own. Its first number is what it holds before: Python, NumPy and Pillow.
MEASURE = """
import sys
sys.path.insert(0, {tests!r})
from tests.support.processes import peak_memory
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels
before = peak_memory()
pixels = load_pixels(sys.argv[1], ReadOptions(exact=sys.argv[2] == "exact"))
print(before, peak_memory(), pixels.min(), pixels.max())
"""
MEGABYTE = 1e6


def measured(path, how):
    """Memory before and at its peak, in bytes, and the least and largest value of the pixels."""
    code = MEASURE.format(tests=str(ROOT))
    result = subprocess.run([sys.executable, "-c", code, path, how], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return map(int, result.stdout.split())


def phone_picture(tmp_path, orientation=1, size=(12000, 9000)):
    path = tmp_path / "picture.jpg"
    path.write_bytes(flat_jpeg(*size, orientation))
    return path


@needs_proc
def test_108_megapixels_scaled(tmp_path):
    before, peak, least, largest = measured(phone_picture(tmp_path), "scaled")
    assert (least, largest) == (128, 128)
    # An eighth of it is 1500 x 1125 pixels, 5 MB; the rest is room for buffers.
    assert peak - before < 40 * MEGABYTE


@needs_proc
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_108_megapixels_exactly(tmp_path, orientation):
    _, peak, least, largest = measured(phone_picture(tmp_path, orientation), "exact")
    assert (least, largest) == (128, 128)
    # The pixels are 324 MB. 600 MB is what all of `Embedder.stream` promises.
    assert peak < 600 * MEGABYTE


@pytest.mark.parametrize("size", [(12000, 9000), (8000, 6000)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_pictures_of_phones_in_readers(tmp_path, size, orientation):
    """Readers have a limit of memory: what it is meant for must fit."""
    path = phone_picture(tmp_path, orientation, size)
    for task, exact in (
        ("imgsim_ops.images.preprocess:load_pixels", True),
        ("imgsim_ops.images.preprocess:load_pixels", False),
        ("imgsim_ops.images.statistics:packed_moments", False),
    ):
        with IsolatedReaders(task, ReadOptions(1, exact=exact)) as readers:
            assert isinstance(readers.read(path).result(), bytes), (task, exact)


@needs_proc
def test_png_is_turned_to_rgb_a_strip_at_a_time(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(black_png(6000, 5000))
    before, peak, least, largest = measured(path, "scaled")
    assert (least, largest) == (0, 0)
    # Pillow's four bytes a pixel are 120 MB. As a whole the array of 90 MB and Pillow's bytes would come on top.
    assert peak - before < 150 * MEGABYTE


def test_png_at_its_limit_that_does_not_stand_upright(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(black_png(9400, 9500, orientation=6))
    with IsolatedReaders("imgsim_ops.images.preprocess:load_pixels", ReadOptions(1)) as readers:
        answer = readers.read(path).result()
    # Either there is room for it, or its header tells that there is none.
    assert answer == bytes(224 * 224 * 3) or answer.code == "too_large"


def test_strips_make_up_the_picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 700, 3), dtype=np.uint8)
    path = save(tmp_path / "picture", "PNG", pixels)
    with decoded(path) as picture:
        strips = list(picture.strips)
    assert len(strips) > 2
    assert sum(map(len, strips)) == picture.height
    assert all(strip.nbytes <= 1 << 20 for strip in strips)
    np.testing.assert_array_equal(np.concatenate(strips), pixels)
