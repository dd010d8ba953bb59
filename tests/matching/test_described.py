import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import turned
from imgsim_ops.matching.described import SMALL_SIDE, Described, describe
from imgsim_ops.matching.features import SIDE
from imgsim_ops.matching.features import described as features_of
from tests.support.tries import tries

SIZES = [(1, 1), (7, 5), (17, 33), (400, 300)]
GREY = (0.299, 0.587, 0.114)


def made_pixels(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def made(width, height):
    return Described.of(made_pixels(width, height), width, height)


def of_image(image, size):
    return Described.of(np.asarray(image), *size)


def described_file(image, path, read=ReadOptions(), **options):
    image.save(path, **options)
    return Described.from_bytes(describe(path, read))


def check_same(one, other):
    np.testing.assert_array_equal(one.grey, other.grey)
    assert one.features.to_bytes() == other.features.to_bytes()


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_to_bytes_and_back(size):
    before = made(*size)
    content = before.to_bytes()
    after = Described.from_bytes(content)
    check_same(after, before)
    assert after.to_bytes() == content
    assert len(content) == 8 + before.grey.size + len(before.features.to_bytes())


def test_a_description_has_features_and_few_pixels(picture):
    found = of_image(picture, (400, 300))
    assert len(found.features) > 100
    assert found.grey.std() > 10
    assert len(found.to_bytes()) < 90_000
    assert found.to_bytes() == of_image(picture, (400, 300)).to_bytes()  # the same bits each time


def check_one_line(content):
    with pytest.raises(ImgsimError, match=r"^(description|local features): must |^local features: ") as caught:
        Described.from_bytes(content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("size", SIZES)
def test_bytes_that_are_cut(size):
    content = made(*size).to_bytes()
    ends = {*range(len(content) - 200, len(content)), *range(0, len(content), max(1, len(content) // 500)), *range(40)}
    for end in ends:
        if 0 <= end < len(content):
            check_one_line(content[:end])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("head", [(0, 1), (1, 0), (SMALL_SIDE + 1, 1), (1, SMALL_SIDE + 1), (2**32 - 1, 2**32 - 1)])
def test_a_size_that_none_can_have(size, head):
    content = made(*size).to_bytes()
    with pytest.raises(ImgsimError, match=f"must begin with a size of at most {SMALL_SIDE} .got {head[0]} x {head[1]}"):
        Described.from_bytes(struct.pack("<II", *head) + content[8:])
    check_one_line(struct.pack("<II", *head) + content[8:])


@pytest.mark.parametrize("size", SIZES)
def test_a_size_that_is_not_its_own(size):
    found = made(*size)
    height, width = found.grey.shape
    for head in ((width + 1, height), (width, height + 1), (width, SMALL_SIDE + 1 - height)):
        check_one_line(struct.pack("<II", *head) + found.to_bytes()[8:])


def test_bytes_too_many_or_of_something_else():
    content = made(17, 33).to_bytes()
    for wrong in (content + b"x", b"x" + content, b"no description\n" * 100, made(17, 33).features.to_bytes()):
        check_one_line(wrong)


@settings(deadline=None, max_examples=tries(300))
@given(st.data())
def test_damaged_bytes_are_read_or_refused(data):
    content = bytearray(made(*data.draw(st.sampled_from(SIZES[:3]))).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Described.from_bytes(bytes(content))
    except ImgsimError:
        check_one_line(bytes(content))
        return
    assert found.to_bytes() == content
    assert found.small().pixels.shape == (*found.grey.shape, 3)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 33), (61, 43), (SIDE, 200), (200, SIDE)])
def test_a_file_is_described_by_its_pixels(tmp_path, size):
    pixels = made_pixels(*size)
    check_same(described_file(Image.fromarray(pixels), tmp_path / "a.png"), Described.of(pixels, *size))


def test_a_file_of_a_photograph_is_described_by_its_pixels(tmp_path, picture):
    small = picture.resize((300, 225))
    check_same(described_file(small, tmp_path / "a.png"), of_image(small, (300, 225)))


@pytest.mark.parametrize("size", [(SIDE + 1, 7), (400, 300), (2 * SIDE - 1, 200), (1, 500), (600, 2)])
def test_larger_pictures_are_described_at_a_smaller_size(tmp_path, picture, size):
    image = picture.resize(size)
    small = [max(1, round(side * SIDE / max(size))) for side in size]
    expected = of_image(image.resize(small, Image.Resampling.BOX), size)
    check_same(described_file(image, tmp_path / "a.png"), expected)
    assert (expected.features.width, expected.features.height, expected.features.side) == (*size, SIDE)


@pytest.mark.parametrize("size", [(1100, 900), (2000, 1500), (1999, 1201)])
def test_large_pictures_are_reduced_by_means_before(tmp_path, picture, size):
    image = picture.resize(size)
    factor = max(size) // (2 * SIDE)
    assert max(size) % (2 * SIDE)  # which makes pixels at the edges means of fewer
    small = [round(side * SIDE / max(size)) for side in size]
    box = (0, 0, size[0] / factor, size[1] / factor)
    expected = image.reduce(factor).resize(small, Image.Resampling.BOX, box=box)
    check_same(described_file(image, tmp_path / "a.png", compress_level=1), of_image(expected, size))


def test_large_jpegs_are_read_at_a_smaller_size_unless_all_pixels_are_asked_for(tmp_path, picture):
    image = picture.resize((2560, 1920))
    quick = described_file(image, tmp_path / "a.jpg", quality=95)
    exact = described_file(image, tmp_path / "a.jpg", ReadOptions(exact=True), quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        pixels = opened.convert("RGB")
    expected = pixels.reduce(4).resize((SIDE, 240), Image.Resampling.BOX)
    check_same(exact, of_image(expected, (2560, 1920)))
    assert (quick.features.width, quick.features.height) == (2560, 1920)
    assert quick.to_bytes() != exact.to_bytes()
    assert np.abs(quick.grey.astype(int) - exact.grey).max() <= 8
    apart = np.abs(quick.features.places[:, np.newaxis, :2] - exact.features.places[:, :2]).max(2)
    assert (apart.min(1) < 8).mean() > 0.9  # a pixel of what is described


@pytest.mark.parametrize("size", [(100, 70), (400, 300), (1000, 770)])
def test_places_are_those_of_the_picture(tmp_path, picture, size):
    features = described_file(picture.resize(size), tmp_path / "a.png").features
    assert (features.width, features.height) == size
    assert len(features) > 50
    assert 0.8 < features.places[:, 0].max() / size[0] <= 1
    assert 0.8 < features.places[:, 1].max() / size[1] <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_described_upright(tmp_path, orientation):
    pixels = made_pixels(60, 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = described_file(Image.fromarray(pixels), tmp_path / "a.png", exif=exif)
    upright = turned(pixels, orientation)
    check_same(found, Described.of(upright, upright.shape[1], upright.shape[0]))


def test_what_is_transparent_lies_on_white(tmp_path):
    pixels = made_pixels(48, 32)
    alpha = np.repeat(np.linspace(0, 255, 48).astype(np.uint8)[np.newaxis], 32, 0)
    found = described_file(Image.fromarray(np.dstack([pixels, alpha])), tmp_path / "a.png")
    shares = alpha[..., np.newaxis] / 255
    # Rounded once on white, and once more in grey.
    np.testing.assert_allclose(found.grey, (pixels * shares + 255 * (1 - shares)) @ GREY, atol=1.5)
    on_white = np.where(alpha[..., np.newaxis] < 128, 255, pixels).astype(np.uint8)
    cut_out = np.dstack([pixels, np.where(alpha < 128, 0, 255).astype(np.uint8)])
    check_same(described_file(Image.fromarray(cut_out), tmp_path / "b.png"), Described.of(on_white, 48, 32))


@pytest.mark.parametrize("read", [ReadOptions(), ReadOptions(exact=True)])
def test_files_that_are_no_pictures(tmp_path, read):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ImageError):
        describe(tmp_path / "a.jpg", read)
    with pytest.raises(ImageError):
        describe(tmp_path / "missing.jpg", read)


def test_a_picture_of_too_many_pixels_is_refused(tmp_path):
    Image.new("RGB", (1000, 800)).save(tmp_path / "a.png")
    assert describe(tmp_path / "a.png")
    with pytest.raises(ImageError, match="limit 799999 pixels"):
        describe(tmp_path / "a.png", ReadOptions(max_pixels=799_999))


# --- few pixels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    [
        *SIZES,
        (SMALL_SIDE, 50),
        (SMALL_SIDE + 1, 50),
        (50, SMALL_SIDE + 1),
        (2000, 1500),
        (300, 4001),
        (1, 5000),
        (900, 2),
    ],
)
def test_the_small_picture_is_all_of_it_in_few_pixels(tmp_path, size):
    gradient = Image.linear_gradient("L").resize(size).convert("RGB")
    found = described_file(gradient, tmp_path / "a.png", compress_level=1)
    expected = [max(1, round(side * min(1, SMALL_SIDE / max(size)))) for side in size]
    assert max(found.grey.shape) <= SMALL_SIDE
    # What is reduced to `SIDE` before is rounded to whole pixels twice.
    np.testing.assert_allclose(found.grey.shape[::-1], expected, atol=1 if max(size) > SIDE else 0)
    small = found.small()
    assert (small.width, small.height, small.alpha) == (*size, None)
    assert small.pixels.shape == (*found.grey.shape, 3)
    for channel in np.moveaxis(small.pixels, 2, 0):
        np.testing.assert_array_equal(channel, found.grey)
    reference = gradient.convert("L").resize(found.grey.shape[::-1], Image.Resampling.BOX)
    assert np.abs(found.grey.astype(int) - np.asarray(reference)).max() <= 3


def test_the_small_picture_of_colours_is_their_grey():
    pixels = made_pixels(61, 43)
    found = Described.of(pixels, 61, 43)
    np.testing.assert_allclose(found.grey, pixels @ GREY, atol=0.6)
    assert found.features.to_bytes() == features_of(pixels, 61, 43).to_bytes()


def test_a_small_picture_can_be_made_of_what_was_read_again(picture):
    before = of_image(picture, (4000, 3000))
    after = Described.from_bytes(before.to_bytes()).small()
    assert (after.width, after.height) == (4000, 3000)
    np.testing.assert_array_equal(after.pixels, before.small().pixels)
    np.testing.assert_array_equal(after.reduced(36), before.small().reduced(36))
