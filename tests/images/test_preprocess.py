"""``resize_crop`` gives Pillow's bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.images.preprocess import CROP, PREPROCESSING_VERSION, RESIZE, load_pixels

SIZES = [  # height, width
    *[(1, 1), (1, 2), (2, 1), (3, 3), (33, 17), (17, 33), (7, 300), (300, 7), (97, 31)],
    *[(256, 256), (255, 255), (257, 257), (256, 300), (300, 256), (224, 224), (100, 223), (223, 225)],
    *[(375, 500), (500, 375), (481, 321), (1000, 999), (2048, 64)],
]


def with_pillow(pixels, resize=RESIZE, crop=CROP, axis_by_axis=True):
    """Preprocessing version 1 as its definition reads, by Pillow.

    The definition is columns before rows, which every Pillow did until 12. From 13 on, one call makes
    rows first where a tall picture shrinks (Pillow's pull request 9549), which moves the rounding between
    the passes. A call for each axis gives the same bits in every version.
    """
    height, width = pixels.shape[:2]
    longer = int(resize * max(height, width) / min(height, width))
    size = (resize, longer) if width <= height else (longer, resize)
    left, top = round((size[0] - crop) / 2), round((size[1] - crop) / 2)
    picture = Image.fromarray(pixels)
    if axis_by_axis:
        picture = picture.resize((size[0], height), Image.Resampling.BILINEAR)
    resized = picture.resize(size, Image.Resampling.BILINEAR)
    return np.array(resized.crop((left, top, left + crop, top + crop)))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_bits_are_pillows(height, width):
    pixels = noise(height, width)
    np.testing.assert_array_equal(kernels.resize_crop(pixels), with_pillow(pixels))
    hard = (pixels > 127).astype(np.uint8) * 255
    np.testing.assert_array_equal(kernels.resize_crop(hard), with_pillow(hard))


@pytest.mark.parametrize(
    ("height", "width"), [(375, 500), (500, 375), (640, 480), (1080, 1920), (600, 600), (300, 100)]
)
def test_one_call_of_pillow_gives_the_same_bits_for_photographs(height, width):
    pixels = noise(height, width)
    np.testing.assert_array_equal(kernels.resize_crop(pixels), with_pillow(pixels, axis_by_axis=False))


def test_one_call_of_pillow_is_close_for_tall_pictures():
    pixels = noise(2000, 400)
    difference = kernels.resize_crop(pixels).astype(int) - with_pillow(pixels, axis_by_axis=False)
    # Either order rounds twice, by half a level each, so that two results can be a level or so apart.
    assert np.abs(difference).max() <= 2


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_bits_are_pillows_at_any_size(height, width, seed):
    height = max(height, width // 30)  # Pillow makes the whole picture, which at extreme sizes is gigabytes
    width = max(width, height // 30)
    pixels = noise(height, width, seed)
    np.testing.assert_array_equal(kernels.resize_crop(pixels), with_pillow(pixels))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 300), st.integers(1, 300))
def test_bits_are_pillows_for_other_targets(height, width, resize, crop):
    crop = min(crop, resize)
    pixels = noise(height, width)
    np.testing.assert_array_equal(kernels.resize_crop(pixels, resize, crop), with_pillow(pixels, resize, crop))


@pytest.mark.parametrize("long", [5000, 30000])
def test_extreme_sizes(long):
    # All columns are alike after the first pass, or all rows: one is enough, where the whole would take
    # gigabytes.
    pixels = noise(1, long)
    longer = RESIZE * long
    wide = Image.fromarray(pixels).resize((longer, 1), Image.Resampling.BILINEAR)
    left = round((longer - CROP) / 2)
    expected = np.broadcast_to(np.array(wide.crop((left, 0, left + CROP, 1))), (CROP, CROP, 3))
    np.testing.assert_array_equal(kernels.resize_crop(pixels), expected)
    tall = kernels.resize_crop(np.ascontiguousarray(pixels.transpose(1, 0, 2)))
    column = Image.fromarray(pixels.transpose(1, 0, 2).copy()).resize((1, longer), Image.Resampling.BILINEAR)
    expected = np.broadcast_to(np.array(column.crop((0, left, 1, left + CROP))), (CROP, CROP, 3))
    np.testing.assert_array_equal(tall, expected)


def test_rows_may_be_apart():
    pixels = noise(400, 500)
    np.testing.assert_array_equal(kernels.resize_crop(pixels[50:, 100:]), with_pillow(pixels[50:, 100:].copy()))
    np.testing.assert_array_equal(kernels.resize_crop(pixels[::-1, ::2]), with_pillow(pixels[::-1, ::2].copy()))


def cut(pixels, rows):
    """Strips of so many rows each, the last one of the rest."""
    for count in rows:
        yield pixels[:count]
        pixels = pixels[count:]
    yield pixels


@pytest.mark.parametrize(("height", "width"), [*SIZES, (1, 5000), (5000, 1)])
@pytest.mark.parametrize("rows", [1, 2, 7, 100, 5000])
def test_strips_give_the_same_bits(height, width, rows):
    pixels = noise(height, width)
    strips = cut(pixels, [rows] * (height // rows))
    np.testing.assert_array_equal(kernels.resize_crop_strips(height, width, strips), kernels.resize_crop(pixels))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.lists(st.integers(0, 200), max_size=12))
def test_strips_of_any_heights_give_the_same_bits(height, width, rows):
    pixels = noise(height, width)  # where the rows have been used up, empty strips follow
    np.testing.assert_array_equal(
        kernels.resize_crop_strips(height, width, cut(pixels, rows)), kernels.resize_crop(pixels)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 300), st.integers(1, 300), st.integers(1, 90))
def test_strips_give_the_same_bits_for_other_targets(height, width, resize, crop, rows):
    crop = min(crop, resize)
    pixels = noise(height, width)
    strips = cut(pixels, [rows] * (height // rows))
    found = kernels.resize_crop_strips(height, width, strips, resize, crop)
    np.testing.assert_array_equal(found, kernels.resize_crop(pixels, resize, crop))


def test_strips_may_be_read_only_views_with_gaps():
    pixels = noise(300, 400)
    pixels.setflags(write=False)
    expected = kernels.resize_crop(pixels[:, ::2])
    np.testing.assert_array_equal(kernels.resize_crop_strips(300, 200, cut(pixels[:, ::2], [150])), expected)
    expected = kernels.resize_crop(pixels[::-1])
    np.testing.assert_array_equal(kernels.resize_crop_strips(300, 400, cut(pixels[::-1], [100, 1])), expected)


def with_pillows_boxes(small, height, width, scale):
    """What `resize_crop_strips` makes of a shrunk picture, by Pillow: its boxes end in float32, so no thirds."""
    longer = int(RESIZE * max(height, width) / min(height, width))
    size = (RESIZE, longer) if width <= height else (longer, RESIZE)
    left, top = (round((side - CROP) / 2) for side in size)
    rows = small.shape[0]
    picture = Image.fromarray(small)
    picture = picture.resize((size[0], rows), Image.Resampling.BILINEAR, box=(0, 0, width / scale, rows))
    picture = picture.resize(size, Image.Resampling.BILINEAR, box=(0, 0, size[0], height / scale))
    return np.array(picture.crop((left, top, left + CROP, top + CROP)))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.sampled_from([1, 2, 4, 8]), st.integers(1, 300))
def test_strips_of_shrunk_pictures(height, width, scale, rows):
    height, width = max(height, width // 10), max(width, height // 10)  # Pillow makes all of the longer side
    small = noise(-(-height // scale), -(-width // scale))
    strips = cut(small, [rows] * (len(small) // rows))
    found = kernels.resize_crop_strips(height, width, strips, scale=scale)
    np.testing.assert_array_equal(found, with_pillows_boxes(small, height, width, scale))


@pytest.mark.parametrize("scale", [0, -1, -8])
def test_scales_out_of_range(scale):
    with pytest.raises(ValueError, match=rf"resize_crop: scale must be positive \(got {scale}\)"):
        kernels.resize_crop_strips(300, 400, [], scale=scale)


def test_strips_of_shrunk_pictures_have_sizes_rounded_up():
    kernels.resize_crop_strips(301, 401, [noise(76, 101)], scale=4)
    for rows, columns in ((75, 101), (76, 100), (77, 101), (76, 102), (301, 401)):
        with pytest.raises(ValueError, match="resize_crop: strips must"):
            kernels.resize_crop_strips(301, 401, [noise(rows, columns)], scale=4)


@pytest.mark.parametrize("missing", [25, 150, 300])  # of which the crop reaches some
def test_rows_that_are_missing(missing):
    pixels = noise(300, 400)
    with pytest.raises(ValueError, match=rf"resize_crop: strips must make up the picture \(got {300 - missing} rows\)"):
        kernels.resize_crop_strips(300, 400, [pixels[missing:]])


@pytest.mark.parametrize("rows", [299, 200, 301, 500])
def test_rows_that_are_missing_where_the_crop_does_not_reach(rows):
    # The crop needs the rows from 93 to 206 or so.
    with pytest.raises(ValueError, match="resize_crop: strips must make up the picture"):
        kernels.resize_crop_strips(300, 100, [noise(rows, 100)])


@pytest.mark.parametrize("shape", [(300, 399, 3), (300, 401, 3), (300, 400, 4), (300, 400), (300, 400, 3, 1), (400,)])
def test_strips_of_other_shapes(shape):
    with pytest.raises(ValueError, match="resize_crop: strips must have the picture's width and 3 channels"):
        kernels.resize_crop_strips(300, 400, [np.zeros(shape, np.uint8)])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8])
def test_strips_of_another_dtype(dtype):
    with pytest.raises(ValueError, match="resize_crop: strips must be uint8"):
        kernels.resize_crop_strips(300, 400, [np.zeros((300, 400, 3), dtype)])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((0, 400), r"a picture must have pixels \(got 0 x 400\)"),
        ((300, 0), r"a picture must have pixels \(got 300 x 0\)"),
        ((-1, 400), r"a picture must have pixels"),
        ((300, 400, 10, 11), "1 <= crop <= resize"),
        ((300, 400, 10, 0), "1 <= crop"),
        ((300, 400, 65537, 224), "resize <= 65536"),
    ],
)
def test_strips_of_sizes_out_of_range(sizes, words):
    with pytest.raises(ValueError, match=f"resize_crop: .*{words}"):
        kernels.resize_crop_strips(*sizes[:2], [], *sizes[2:])


def test_errors_of_whoever_makes_strips_pass_through():
    def broken():
        yield noise(100, 400)
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        kernels.resize_crop_strips(300, 400, broken())


def test_load_pixels(tmp_path):
    path = tmp_path / "picture"
    pixels = noise(300, 451)
    Image.fromarray(pixels).save(path, "PNG")
    loaded = load_pixels(path)
    assert loaded.shape == (224, 224, 3)
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, with_pillow(pixels))
    assert PREPROCESSING_VERSION == 1
