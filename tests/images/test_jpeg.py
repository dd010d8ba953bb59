"""JPEG through libjpeg-turbo: Pillow's bits of whole pictures, the right size and near pixels of scaled ones."""

import io
import os
import tracemalloc

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.errors import ImageError
from imgsim_ops.images import decode as decode_module
from imgsim_ops.images import jpeg
from imgsim_ops.images.decode import decode, decoded
from imgsim_ops.images.jpeg import fraction
from imgsim_ops.images.memory import MAX_PIXELS
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels
from tests.support.pictures_made import flat_jpeg

# What undoes each orientation, as test_decode.py does it to stored pixels.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}


def photograph(width, height, grain=12):
    """Slopes, waves, an edge and grain, so that every coefficient of a block has work to do."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([127 + 100 * np.sin(x / 30 + y / 50), 255 * y / max(height, 2), 200 - 150 * (x > width / 3)], -1)
    pixels += np.random.default_rng(0).normal(0, grain, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8)


def by_pillow(pixels, **options):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", **{"quality": 85, **options})
    return data.getvalue()


def grey(pixels, **options):
    return by_pillow(np.ascontiguousarray(pixels[..., 0]), **options)


def by_turbo(subsampling):
    return lambda pixels: simplejpeg.encode_jpeg(pixels, 85, "RGB", subsampling)


def adobe_rgb(pixels):
    """Red, green and blue stored as they are, which only Adobe's marker tells: transform 0."""
    data = bytearray(by_pillow(pixels, keep_rgb=True))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    assert bytes(data[frame + 10 : frame + 19 : 3]) == b"RGB"  # Pillow's components are named after the colours
    data[frame + 10 : frame + 19 : 3] = data[scan + 5 : scan + 11 : 2] = b"\1\2\3"
    return bytes(data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0\0" + data[2:])


WAYS = {
    "4:4:4": lambda p: by_pillow(p, subsampling=0),
    "4:2:2": lambda p: by_pillow(p, subsampling=1),
    "4:2:0": lambda p: by_pillow(p, subsampling=2),
    "4:4:0": by_turbo("440"),
    "4:1:1": by_turbo("411"),
    "grey": grey,
    "progressive": lambda p: by_pillow(p, progressive=True),
    "progressive grey": lambda p: grey(p, progressive=True),
    "optimised": lambda p: by_pillow(p, optimize=True, subsampling=0),
    "restart markers": lambda p: by_pillow(p, restart_marker_blocks=3),
    "restart markers by rows": lambda p: by_pillow(p, restart_marker_rows=1, progressive=True),
    "RGB by its names": lambda p: by_pillow(p, keep_rgb=True),
    "RGB by Adobe's marker": adobe_rgb,
    "quality 100": lambda p: by_pillow(p, quality=100, subsampling=1),
    "quality 5": lambda p: by_pillow(p, quality=5),
}


@pytest.fixture
def no_pillow(monkeypatch):
    """Fails where Pillow would have to decode."""

    def refuse(*arguments):
        raise AssertionError("left to Pillow")

    monkeypatch.setattr(decode_module, "decode_with_pillow", refuse)


def write(path, data):
    path.write_bytes(data)
    return path


def pillows(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def refusal(path, **options):
    with pytest.raises(ImageError) as caught:
        decode(path, **options)
    return caught.value.code


# Whole


@pytest.mark.parametrize("size", [(1, 1), (7, 50), (33, 17), (8, 8000), (200, 150)])
@pytest.mark.parametrize("way", WAYS)
def test_bits_are_pillows(tmp_path, no_pillow, way, size):
    data = WAYS[way](photograph(*size))
    np.testing.assert_array_equal(decode(write(tmp_path / "picture", data)), pillows(data))


def test_colours_of_an_adobe_rgb_file(tmp_path):
    # That both decoders take the marker's word: read as YCbCr these pixels would look altogether different.
    pixels = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    found = decode(write(tmp_path / "picture", adobe_rgb(pixels))).astype(int)
    assert np.abs(found - pixels).max() <= 2  # quality 85 rounds a flat block's mean by less


@pytest.mark.parametrize("min_side", [None, 16])
def test_four_colours_are_whole(tmp_path, min_side):
    inks = Image.merge("CMYK", [Image.new("L", (64, 64), value) for value in (250, 20, 120, 40)])
    inks.save(tmp_path / "picture", "JPEG", quality=95)
    expected = [round((255 - ink) * (255 - 40) / 255) for ink in (250, 20, 120)]
    pixels = decode(tmp_path / "picture", min_side=min_side).astype(int)
    assert pixels.shape == (64, 64, 3)
    assert np.abs(pixels - expected).max() <= 3  # JPEG's rounding, and one of the conversion
    with Image.open(tmp_path / "picture") as image:
        np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))


# Scaled


def test_fraction_at_its_edges():
    assert fraction(10**6, 10**6, None) == 1
    sides = {767: 1, 768: 2, 1535: 2, 1536: 4, 6143: 4, 6144: 8, 10**6: 8}  # at an eighth 768 pixels remain
    for side, by in sides.items():
        assert fraction(side, 10**7, 384) == fraction(10**7, side, 384) == fraction(side, side, 384) == by
    assert [fraction(side, side, 1) for side in (1, 2, 3, 4, 15, 16)] == [1, 2, 2, 4, 4, 8]


@pytest.mark.parametrize(
    "way", ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "grey", "progressive", "RGB by its names", "restart markers"]
)
def test_sizes_are_rounded_up(tmp_path, no_pillow, way):
    for by, times in ((2, 1), (4, 1), (8, 2)):
        for width, height in ((64, 64), (65, 71), (67, 64), (70, 66), (71, 130), (127, 69)):
            path = write(tmp_path / "picture", WAYS[way](photograph(width, height)))
            min_side = 64 // (by * times)
            assert fraction(width, height, min_side) == by
            assert decode(path, min_side=min_side).shape == (-(-height // by), -(-width // by), 3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 64), st.sampled_from(["4:4:4", "4:2:0", "grey"]))
def test_sizes_are_rounded_up_whatever_they_are(tmp_path_factory, width, height, min_side, way):
    path = write(tmp_path_factory.getbasetemp() / "scaled", WAYS[way](photograph(width, height)))
    by = fraction(width, height, min_side)
    assert decode(path, min_side=min_side).shape == (-(-height // by), -(-width // by), 3)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("by", "min_side"), [(1, None), (2, 16), (4, 8), (8, 2)])
def test_orientation_of_scaled_pictures(tmp_path, no_pillow, orientation, by, min_side):
    tags = Image.Exif()
    stored = photograph(53, 37)
    as_stored = decode(write(tmp_path / "stored", by_pillow(stored)), min_side=min_side)
    tags[0x0112] = orientation
    upright = decode(write(tmp_path / "picture", by_pillow(stored, exif=tags)), min_side=min_side)
    assert as_stored.shape == (-(-37 // by), -(-53 // by), 3)
    np.testing.assert_array_equal(upright, UPRIGHT[orientation](as_stored))
    assert upright.flags.c_contiguous


@pytest.mark.parametrize("broken", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0\xff" * 9])
def test_broken_exif_of_scaled_pictures(tmp_path, no_pillow, broken):
    path = write(tmp_path / "picture", by_pillow(photograph(160, 120), exif=broken))
    assert decode(path, min_side=30).shape == (30, 40, 3)


def means(pixels, by):
    height, width = (side // by * by for side in pixels.shape[:2])
    return pixels[:height, :width].reshape(height // by, by, width // by, by, 3).mean((1, 3))


@pytest.mark.parametrize("way", ["4:4:4", "4:2:0", "grey", "progressive"])
@pytest.mark.parametrize(("by", "min_side"), [(2, 100), (4, 60), (8, 15)])
def test_scaled_pixels_are_means_of_whole_ones(tmp_path, no_pillow, way, by, min_side):
    path = write(tmp_path / "picture", WAYS[way](photograph(320, 240)))
    whole, scaled = decode(path), decode(path, min_side=min_side)
    assert scaled.shape == (240 // by, 320 // by, 3)
    difference = np.abs(scaled - means(whole, by))
    # At an eighth a pixel is its block's mean: half a level of rounding each of Y, Cb and Cr, which the blue channel
    # takes 1.8 times. In between the decoder leaves out the higher frequencies, which a mean folds in: a little of the
    # grain of 12 levels. Half of this is measured; a shift by one pixel is 6 levels on average and 22 at the quantile.
    assert difference.mean() < 1.2
    assert np.quantile(difference, 0.99) < 6


def test_an_eighth_of_grey_is_the_mean_of_each_block(tmp_path, no_pillow):
    path = write(tmp_path / "picture", grey(photograph(320, 240, grain=5) // 2 + 64))  # far from 0 and 255: no clipping
    difference = np.abs(decode(path, min_side=15) - means(decode(path), 8))
    # The mean of 64 values that were each rounded, against one rounding: half a level, and a little.
    assert difference.max() < 0.75


@pytest.mark.parametrize(("size", "by"), [((1536, 1544), 4), ((800, 768), 2), ((6144, 6160), 8)])
def test_what_the_model_sees_is_nearly_the_same(tmp_path, size, by):
    tile = photograph(size[0] // by, size[1] // by)
    path = write(tmp_path / "picture", by_pillow(np.tile(tile, (by, by, 1)), quality=90))
    exact, scaled = (load_pixels(path, ReadOptions(exact=exact)).astype(int) for exact in (True, False))
    assert fraction(*size, 384) == by
    assert not np.array_equal(exact, scaled)
    # Both shrink to the same 256 pixels, one by two filters. Grain is averaged away by either; along hard edges of
    # up to 255 levels the two filters' widths differ by a fraction of a pixel.
    assert np.abs(exact - scaled).mean() < 1.5
    assert np.abs(exact - scaled).max() < 40


@pytest.mark.parametrize("size", [(1537, 1537), (3073, 3100), (3100, 3073), (1549, 2065)])
def test_sides_that_are_no_multiple_of_the_fraction(tmp_path, size):
    # 3073 pixels become 769, of which the last holds one column of four; stretched to the full width it moves what
    # is beside it by 0.7 of the whole picture's 12 pixels, and int(256 * long / short) may come out one less.
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    pixels = np.stack([(x // 64 + y // 64) % 2 * 160 + 40] * 3, -1).astype(np.uint8)
    path = write(tmp_path / "picture", by_pillow(pixels, quality=95))
    exact, scaled = (load_pixels(path, ReadOptions(exact=exact)).astype(int) for exact in (True, False))
    # As above. Of sizes that are multiples the same pattern differs by 8 levels at the most.
    assert np.abs(exact - scaled).max() < 20


def test_exact_and_small_pictures_are_the_same_either_way(tmp_path):
    path = write(tmp_path / "picture", by_pillow(photograph(767, 900)))
    np.testing.assert_array_equal(load_pixels(path), load_pixels(path, ReadOptions(exact=True)))


# Broken


@pytest.mark.parametrize("min_side", [None, 30])
@pytest.mark.parametrize("way", ["4:2:0", "progressive", "grey", "restart markers"])
def test_truncated_anywhere(tmp_path, way, min_side):
    data = WAYS[way](photograph(120, 90))
    begin = data.index(b"\xff\xda") + 14  # behind the header of the first scan
    path = tmp_path / "picture"
    for end in (*np.linspace(begin, len(data) - 3, 15, dtype=int), len(data) - 2, len(data) - 1):
        assert refusal(write(path, data[:end]), min_side=min_side) == "truncated", end
    assert decode(write(path, data), min_side=min_side).size > 0


@pytest.mark.parametrize("min_side", [None, 30])
def test_words_that_are_no_code(tmp_path, min_side):
    data = by_pillow(photograph(120, 90), optimize=True)
    # All ones is no Huffman code. Pillow lets it pass, with whatever pixels come of it.
    begin = (data.index(b"\xff\xda") + len(data)) // 2
    data = data[:begin] + b"\xff\0" * 10 + data[begin + 20 :]
    assert pillows(data).shape == (90, 120, 3)
    with pytest.raises(ImageError, match="bad Huffman code") as caught:
        decode(write(tmp_path / "picture", data), min_side=min_side)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("min_side", [None, 30])
@pytest.mark.parametrize("tail", [b"\0", b"garbage" * 1000, b"\xff", b"\xff\xd8\xff\xe0", b"\xff\xd9"])
def test_what_stands_behind_the_picture_does_not_matter(tmp_path, tail, min_side):
    data = by_pillow(photograph(120, 90))
    alone = decode(write(tmp_path / "picture", data), min_side=min_side)
    np.testing.assert_array_equal(decode(write(tmp_path / "picture", data + tail), min_side=min_side), alone)
    # A film behind its first picture, as phones store it: another file.
    second = by_pillow(photograph(20, 20))
    np.testing.assert_array_equal(decode(write(tmp_path / "picture", data + second), min_side=min_side), alone)


@pytest.mark.parametrize("min_side", [None, 30])
def test_bytes_that_belong_to_nothing(tmp_path, min_side):
    data = by_pillow(photograph(120, 90))
    tables = data.index(b"\xff\xdb")
    odd = data[:tables] + b"\0\0\0" + data[tables:]  # libjpeg and Pillow skip them, with a warning
    pixels = decode(write(tmp_path / "picture", odd), min_side=min_side)
    if min_side is None:
        np.testing.assert_array_equal(pixels, pillows(data))
    assert pixels.shape in ((90, 120, 3), (45, 60, 3), (30, 40, 3))


def test_large_files_are_not_read_into_memory(tmp_path):
    data = by_pillow(photograph(120, 90))
    path = write(tmp_path / "picture", data)
    os.truncate(path, jpeg._LARGEST_FILE + 1)  # a hole, which takes no room on the disk
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(decode(path), pillows(data))
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


# Limits


def with_size(data, width, height):
    """The same file whose header promises another size."""
    frame = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    return data[: frame + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[frame + 9 :]


@pytest.mark.parametrize("min_side", [None, 384])
@pytest.mark.parametrize("size", [(65500, 65500), (12000, 9334), (65535, 1710)])
@pytest.mark.parametrize("way", ["4:2:0", "progressive", "grey"])
def test_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch, way, size, min_side):
    assert size[0] * size[1] > MAX_PIXELS
    path = write(tmp_path / "picture", with_size(WAYS[way](photograph(64, 64)), *size))
    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)  # whose call would be a TypeError, so `damaged`
    tracemalloc.start()
    try:
        assert refusal(path, min_side=min_side) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


class Seen(Exception):
    pass


def held(path, **options):
    """The bytes that `decode` announces for a picture, before it decodes."""
    announced = []

    def admit(count):
        announced.append(count)
        raise Seen

    with pytest.raises(ImageError), decoded(path, admit=admit, **options):
        pass
    (count,) = announced
    return count


def test_memory_is_announced(tmp_path):
    def announced(data, **options):
        return held(write(tmp_path / "picture", data), **options) - len(data)

    pixels = photograph(160, 120)
    whole = 160 * 120
    assert announced(WAYS["4:2:0"](pixels)) == 3 * whole
    assert announced(WAYS["4:2:0"](pixels), min_side=30) == 3 * whole // 16
    assert announced(grey(pixels)) == 3 * whole
    # Of a progressive one the coefficients too, two bytes each, however small it will be.
    assert announced(by_pillow(pixels, progressive=True, subsampling=0)) == (3 + 6) * whole
    assert announced(by_pillow(pixels, progressive=True, subsampling=2)) == (3 + 3) * whole
    assert announced(by_pillow(pixels, progressive=True, subsampling=2), min_side=30) == 3 * whole + 3 * whole // 16
    assert announced(grey(pixels, progressive=True)) == (3 + 2) * whole


def test_limit_of_progressive_pictures_follows_their_coefficients(tmp_path):
    # 6 bytes a pixel, where 3.2 of the limit's are allowed: twice as many pixels as it holds are needed, less a bit.
    path = write(tmp_path / "picture", by_pillow(photograph(160, 120), progressive=True, subsampling=2))
    limit = -(-160 * 120 * 6 * 10 // 32)
    assert decode(path, max_pixels=limit + 1).shape == (120, 160, 3)
    assert refusal(path, max_pixels=limit - 1) == "too_large"
    assert decode(path, max_pixels=limit - 1, min_side=30).shape == (30, 40, 3)


def test_scan_by_scan(tmp_path, no_pillow):
    data = flat_jpeg(160, 120, scan_by_scan=True)
    pixels = decode(write(tmp_path / "picture", data))
    np.testing.assert_array_equal(pixels, np.full((120, 160, 3), 128, np.uint8))
    np.testing.assert_array_equal(pixels, pillows(data))


def test_memory_of_scan_by_scan(tmp_path):
    # libjpeg keeps all coefficients of these too: 648 MB of 108 megapixels besides the pixels.
    data = flat_jpeg(160, 120, scan_by_scan=True)
    assert held(write(tmp_path / "picture", data)) - len(data) == (3 + 6) * 160 * 120


def test_strips_of_a_scaled_picture_are_the_picture(tmp_path):
    path = write(tmp_path / "picture", by_pillow(photograph(320, 240)))
    with decoded(path, min_side=60) as picture:
        crop = kernels.resize_crop_strips(picture.height, picture.width, picture.strips, scale=picture.scale)
    np.testing.assert_array_equal(crop, kernels.resize_crop(decode(path, min_side=60)))
