"""Frames and pages as pictures of their own, against what Pillow shows of them."""

import io

import numpy as np
import pytest
from PIL import Image, features

from imgsim_ops.errors import ImageError
from imgsim_ops.files.pages import page_name
from imgsim_ops.images.decode import decode
from imgsim_ops.images.facts import file_facts
from imgsim_ops.images.pixel_hash import pixel_hash
from imgsim_ops.images.thumbnails import thumbnail
from imgsim_ops.matching.looks import Look, look

SAVED = {
    "TIFF": {"compression": "tiff_deflate"},
    "GIF": {},
    "PNG": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 90, "speed": 10},
}


@pytest.fixture(params=sorted(SAVED))
def kind(request):
    if request.param == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    return request.param


def photograph(height, width, seed):
    """Smooth colours, others for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def frames(count, size=(96, 64)):
    return [Image.fromarray(photograph(size[1], size[0], seed)) for seed in range(count)]


def saved(path, images, kind, **options):
    images[0].save(path, kind, save_all=True, append_images=images[1:], **SAVED[kind], **options)
    return str(path)


def shown(path, number):
    """What Pillow shows of a frame, on white."""
    with Image.open(path) as image:
        image.seek(number)
        rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return np.asarray(white.convert("RGB"))


@pytest.mark.parametrize("count", [2, 3, 7])
def test_each_is_what_pillow_shows(tmp_path, kind, count):
    path = saved(tmp_path / "frames", frames(count), kind)
    for page in range(1, count + 1):
        np.testing.assert_array_equal(decode(page_name(path, page)), shown(path, page - 1))
    np.testing.assert_array_equal(decode(path), decode(page_name(path, 1)))


def test_what_is_not_there_is_refused(tmp_path, kind):
    path = saved(tmp_path / "frames", frames(2), kind)
    with pytest.raises(ImageError, match="#page=3"):
        decode(page_name(path, 3))
    Image.new("RGB", (8, 8)).save(tmp_path / "one.jpg")
    with pytest.raises(ImageError, match="no pages that are looked at"):
        decode(page_name(str(tmp_path / "one.jpg"), 2))
    with pytest.raises(ImageError) as error:
        decode(page_name(str(tmp_path / "missing.tif"), 2))
    assert error.value.code == "missing"


def test_pages_of_tiff_have_sizes_and_orientations_of_their_own(tmp_path):
    turns = None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180
    images = [Image.fromarray(photograph(*size, i)) for i, size in enumerate([(40, 60), (64, 32), (16, 90)])]
    for image, orientation in zip(images, (1, 6, 3), strict=True):
        image.encoderinfo = {"tiffinfo": {274: orientation}}
    path = saved(tmp_path / "scans.tif", images, "TIFF")
    for page, (image, turn) in enumerate(zip(images, turns, strict=True), 1):
        upright = image if turn is None else image.transpose(turn)
        np.testing.assert_array_equal(decode(page_name(path, page)), np.asarray(upright))


def test_everything_looks_at_that_page(tmp_path, kind):
    images = frames(3)
    path = saved(tmp_path / "frames", images, kind)
    page = page_name(path, 3)
    alone = tmp_path / "alone.png"
    Image.fromarray(decode(page)).save(alone)
    assert thumbnail(page) == thumbnail(str(alone))
    seen, expected = (Look.from_bytes(look(which)) for which in (page, alone))
    np.testing.assert_array_equal(seen.pixels, expected.pixels)
    assert (seen.facts.further, seen.facts.frames) == (False, 1)
    assert seen.alpha is None
    if kind != "AVIF":
        assert pixel_hash(page) == pixel_hash(str(alone))
        assert pixel_hash(page) in (pixel_hash(path)[i : i + 64] for i in range(0, 192, 64))


def test_deep_pages_are_compared_with_all_their_bits(tmp_path):
    values = (np.arange(48 * 32) % 255 * 257).astype(np.uint16).reshape(32, 48)  # one more shows the same
    for name, lowest in (("one", 0), ("other", 1)):
        pages = [Image.fromarray(values), Image.fromarray(values + lowest)]
        pages[0].save(tmp_path / f"{name}.tif", save_all=True, append_images=pages[1:])
    one, other = (pixel_hash(page_name(str(tmp_path / f"{name}.tif"), 2)) for name in ("one", "other"))
    assert one[:32] == other[:32]
    assert one[32:] != other[32:]
    assert one == pixel_hash(page_name(str(tmp_path / "other.tif"), 1))


def test_facts_of_a_page_that_is_not_there():
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF")
    file.seek(0)
    facts = file_facts(file, "TIFF", 2)
    assert facts.further
    assert facts.frames is None
