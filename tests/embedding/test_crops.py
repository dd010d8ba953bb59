"""What a collection sees of a picture, against Pillow on the whole of it."""

import io

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.embedding.crops import SMALL, Crops, load_crops
from imgsim_ops.errors import ImageError
from imgsim_ops.images.decode import decode
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP, load_pixels
from imgsim_ops.matching.hashes import SIDE, distances, perceptual_hash
from tests.support.pictures_made import exif

KINDS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]


def photograph(height, width, seed=0):
    """Soft shapes and a little noise, as photographs have: what is one colour for pixels on end."""
    random = np.random.default_rng(seed)
    shapes = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    pixels = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray((pixels + random.integers(-6, 7, pixels.shape)).clip(0, 255).astype(np.uint8))


def saved(path, image, kind="PNG", **options):
    image.save(path, kind, **options)
    return path


def crops(path, orientations=(1,), **read):
    return Crops.from_bytes(load_crops(path, ReadOptions(**read), orientations=orientations))


def squashed(pixels, side=CROP):
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def apart(a, b):
    return np.abs(a.astype(int) - b)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width"), [(65, 65), (100, 300), (500, 375), (1, 3000), (3000, 1), (65, 2)])
def test_two_views(tmp_path, kind, height, width):
    path = saved(tmp_path / "p", photograph(height, width), kind)
    found, whole = crops(path), decode(path)
    assert (found.height, found.width, found.format) == (height, width, kind)
    assert found.pixels.shape == (2, CROP, CROP, 3)
    np.testing.assert_array_equal(found.pixels[0], load_pixels(path))
    if max(height, width) < 2 * 4 * CROP:  # nothing is left out
        np.testing.assert_array_equal(found.pixels[1], squashed(whole))
        np.testing.assert_array_equal(found.perceptual, perceptual_hash(squashed(whole, SIDE)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 32), (64, 64), (20, 64), (64, 1)])
def test_small_pictures_have_one_view(tmp_path, kind, height, width):
    assert max(height, width) <= SMALL
    path = saved(tmp_path / "p", photograph(height, width), kind)
    found, whole = crops(path), decode(path)
    assert (found.height, found.width, found.format) == (height, width, kind)
    assert found.pixels.shape == (1, CROP, CROP, 3)
    np.testing.assert_array_equal(found.pixels[0], squashed(whole))
    np.testing.assert_array_equal(found.perceptual, perceptual_hash(squashed(whole, SIDE)))


@pytest.mark.parametrize("kind", ["BMP", "JPEG"])
@pytest.mark.parametrize(("height", "width"), [(1800, 1800), (901, 2701), (150, 9000), (9000, 300)])
@pytest.mark.parametrize("exact", [False, True])
def test_large_pictures_are_close_to_the_whole_of_them(tmp_path, kind, height, width, exact):
    path = saved(tmp_path / "p", photograph(height, width), kind, **({"quality": 95} if kind == "JPEG" else {}))
    found, whole = crops(path, exact=exact), decode(path)
    assert (found.height, found.width) == (height, width)
    np.testing.assert_array_equal(found.pixels[0], load_pixels(path, ReadOptions(exact=exact)))
    difference = apart(found.pixels[1], squashed(whole))
    # A pixel is the mean of at least 4 x 4 of those that are left, so that noise of +-6 moves it by 6 / sqrt(3) / 4 at
    # one standard deviation; to that comes half a step of the picture, whose shapes rise by some levels in a pixel.
    assert difference.mean() < 1.5
    assert difference.max() < 16
    # Bits whose frequency lies near the median tip over: many here, as soft shapes have few frequencies of their own.
    # Unlike pictures differ in 128.
    assert distances(found.perceptual, perceptual_hash(squashed(whole, SIDE))) <= 40


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("height", "width"), [(40, 60), (100, 300), (300, 1900)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_upright(tmp_path, orientation, height, width, kind):
    image = photograph(height, width)
    found = crops(saved(tmp_path / "turned", image, kind, exif=b"Exif\0\0" + exif(orientation)))
    turned = orientation > 4
    assert (found.height, found.width) == ((width, height) if turned else (height, width))
    way = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    whole = np.asarray(decode(saved(tmp_path / "plain", image, kind)))
    whole = whole if way is None else np.asarray(Image.fromarray(whole).transpose(way))
    # Of large ones other rows and columns are left out when they are turned.
    assert apart(found.pixels[-1], squashed(whole)).mean() < 1.5


def test_transparent_pictures_lie_on_white(tmp_path):
    for side in (30, 300):
        image = photograph(side, side).convert("RGBA")
        image.putalpha(0)
        image.paste((10, 20, 30, 255), (0, 0, side, side // 2))
        found = crops(saved(tmp_path / "p", image))
        for crop in found.pixels:
            assert crop[0, 0].tolist() == [10, 20, 30]
            assert crop[-1, -1].tolist() == [255, 255, 255]


def test_sixteen_bits_are_scaled(tmp_path):
    for side in (30, 300):
        grey = np.linspace(0, 65535, side).astype(np.uint16)
        found = crops(saved(tmp_path / "p", Image.fromarray(np.tile(grey, (side, 1)))))
        # At the border half a pixel of the picture, 255 / 30 / 2 levels, and the rounding.
        assert apart(found.pixels[-1, 100, :, 0], np.linspace(0, 255, CROP)).max() <= 5


def test_the_hash_hardly_changes_with_the_size(tmp_path):
    hashes = [
        crops(saved(tmp_path / "p", photograph(2000, 1500).resize(size))).perceptual
        for size in [(1500, 2000), (300, 400), (48, 64)]
    ]
    assert distances(np.array(hashes[1:]), hashes[0]).max() <= 24


def test_flat_pictures_have_no_hash(tmp_path):
    for side in (20, 200):
        assert not crops(saved(tmp_path / "p", Image.new("RGB", (side, side), (7, 99, 200)))).perceptual.any()


def test_bytes_there_and_back(tmp_path):
    for side in (20, 200):
        content = load_crops(saved(tmp_path / "p", photograph(side, side), "WEBP"))
        assert Crops.from_bytes(content).to_bytes() == content


def test_what_is_no_picture(tmp_path):
    buffer = io.BytesIO()
    photograph(50, 50).save(buffer, "PNG")
    for name, content, code in [
        ("empty", b"", "empty"),
        ("words", b"words", "not_a_picture"),
        ("cut", buffer.getvalue()[:200], "truncated"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError) as failure:
            load_crops(tmp_path / name)
        assert failure.value.code == code
    with pytest.raises(ImageError) as failure:
        load_crops(saved(tmp_path / "p", photograph(50, 50)), ReadOptions(max_pixels=2499))
    assert failure.value.code == "too_large"


def test_frames_are_counted(tmp_path):
    images = [photograph(90, 60, seed) for seed in range(3)]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:])
    assert crops(tmp_path / "a.tif").frames == 3
    assert crops(saved(tmp_path / "b", images[0])).frames == 1
    content = bytearray((tmp_path / "a.tif").read_bytes())
    first = int.from_bytes(content[4:8], "little")
    at = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    content[at : at + 4] = (1 << 31).to_bytes(4, "little")  # where the second page should be
    (tmp_path / "c.tif").write_bytes(content)
    assert crops(tmp_path / "c.tif").frames is None
