import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imgsim_ops.errors import ImageError
from imgsim_ops.images.facts import FileFacts
from imgsim_ops.images.orientation import turned
from imgsim_ops.matching.looks import SIDE, Look, look
from tests.support.tries import tries


def looked(image, path, **options):
    image.save(path, **options)
    return Look.from_bytes(look(path))


def made_pixels(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(deadline=None, max_examples=tries(100))
@given(
    st.sampled_from([1, 2, 7, 17, 33]),
    st.sampled_from([1, 2, 7, 17, 33]),
    st.booleans(),
    st.builds(
        FileFacts, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 6), st.integers(0, 4080), st.booleans()
    ),
)
def test_to_bytes_and_back(width, height, has_alpha, facts):
    pixels = made_pixels(width, height)
    before = Look(3 * width, 5 * height, pixels, pixels[..., 0] if has_alpha else None, facts)
    after = Look.from_bytes(before.to_bytes())
    assert (after.width, after.height, after.facts) == (3 * width, 5 * height, facts)
    np.testing.assert_array_equal(after.pixels, pixels)
    if has_alpha:
        np.testing.assert_array_equal(after.alpha, pixels[..., 0])
    else:
        assert after.alpha is None
    assert after.to_bytes() == before.to_bytes()
    np.testing.assert_allclose(after.to_full, np.diag([3, 5, 1]))


def test_pixels_that_do_not_lie_beside_each_other_travel_too():
    pixels = made_pixels(20, 10)[:, ::-1]
    np.testing.assert_array_equal(Look.from_bytes(Look(20, 10, pixels).to_bytes()).pixels, pixels)


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_small_picture_is_looked_at_pixel_by_pixel(tmp_path):
    pixels = made_pixels(61, 43)
    found = looked(Image.fromarray(pixels), tmp_path / "a.png")
    assert (found.width, found.height, found.alpha) == (61, 43, None)
    assert found.facts == FileFacts(lossless=True)
    np.testing.assert_array_equal(found.pixels, pixels)


def test_what_is_transparent_is_on_white_and_can_be_put_on_black(tmp_path):
    pixels = made_pixels(48, 32)
    alpha = np.repeat(np.linspace(0, 255, 48).astype(np.uint8)[np.newaxis], 32, 0)
    found = looked(Image.fromarray(np.dstack([pixels, alpha])), tmp_path / "a.png")
    np.testing.assert_array_equal(found.alpha, alpha)
    shares = alpha[..., np.newaxis] / 255
    # Rounded once on white, and once more when it is taken back.
    np.testing.assert_allclose(found.pixels, pixels * shares + 255 * (1 - shares), atol=1)
    np.testing.assert_allclose(found.on_black, pixels * shares, atol=1)
    assert found.halved(1, on_black=True).mean() < found.halved(1).mean()


def test_an_alpha_channel_through_which_nothing_shines_is_none(tmp_path):
    opaque = Image.fromarray(made_pixels(9, 5)).convert("RGBA")
    found = looked(opaque, tmp_path / "a.png")
    assert found.alpha is None
    assert found.on_black is found.pixels
    assert found.halved(1, on_black=True) is found.halved(1)


@pytest.mark.parametrize("size", [(SIDE, 40), (SIDE + 1, 40), (4000, 3000), (300, 4001), (1, 5000), (9000, 2)])
def test_larger_pictures_are_made_smaller(tmp_path, size):
    gradient = Image.linear_gradient("L").resize(size).convert("RGB")
    found = looked(gradient, tmp_path / "a.png", compress_level=1)
    longer = max(size)
    assert (found.width, found.height) == size
    expected = [max(1, round(side * min(1, SIDE / longer))) for side in size]
    assert list(found.pixels.shape[1::-1]) == expected
    assert max(found.pixels.shape) <= SIDE
    # Each is the mean of what it covers: of a gradient, in both steps rounded.
    reference = gradient.resize(expected, Image.Resampling.BOX)
    assert np.abs(found.pixels.astype(int) - np.asarray(reference)).max() <= 2


def test_a_large_transparent_picture_has_alpha_of_the_size_of_its_pixels(tmp_path):
    image = Image.linear_gradient("L").resize((2600, 1700))
    found = looked(Image.merge("RGBA", [image] * 4), tmp_path / "a.png", compress_level=1)
    assert found.alpha.shape == found.pixels.shape[:2]
    assert max(found.alpha.shape) == SIDE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_looked_at_upright(tmp_path, orientation):
    pixels = np.dstack([made_pixels(30, 20), made_pixels(30, 20, 1)[..., 0]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = looked(Image.fromarray(pixels), tmp_path / "a.png", exif=exif)
    upright = turned(pixels, orientation)
    assert (found.height, found.width) == upright.shape[:2]
    np.testing.assert_array_equal(found.alpha, upright[..., 3])
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(ImageOps.exif_transpose(image).getchannel("A"), found.alpha)
    opaque = upright[..., 3] == 255
    np.testing.assert_array_equal(found.pixels[opaque], upright[opaque][:, :3])


def test_facts_of_a_file_come_with_it(tmp_path):
    image = Image.fromarray(made_pixels(30, 20))
    found = looked(image, tmp_path / "a.jpg", quality=30)
    assert found.facts.quantisation > 100
    assert not found.facts.lossless
    found = looked(image, tmp_path / "a.gif", save_all=True, append_images=[ImageOps.invert(image)])
    assert found.facts.further


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ImageError):
        look(tmp_path / "a.jpg")
    with pytest.raises(ImageError):
        look(tmp_path / "missing.jpg")


# --- arrays and sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (61, 43), (SIDE, SIDE), (SIDE + 1, 7), (2 * SIDE, SIDE)])
def test_an_array_is_looked_at_like_a_file(tmp_path, size):
    pixels = np.asarray(Image.linear_gradient("L").resize(size).convert("RGB"))
    of_array = Look.of(pixels)
    of_file = looked(Image.fromarray(pixels), tmp_path / "a.png")
    assert (of_array.width, of_array.height) == size
    assert of_array.pixels.shape == of_file.pixels.shape
    assert np.abs(of_array.pixels.astype(int) - of_file.pixels).max() <= 1  # rounding
    assert of_array.facts == of_file.facts


def test_halves_are_means_of_what_they_cover():
    pixels = made_pixels(64, 32)
    found = Look(64, 32, pixels)
    assert found.halved(0, colour=True) is pixels
    half = pixels.reshape(16, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(found.halved(1, colour=True) - half).max() <= 0.5
    assert np.abs(found.halved(1) - half @ (0.299, 0.587, 0.114)).max() <= 1.5  # rounded in grey, and then once more
    assert found.halved(3, colour=True).shape == (4, 8, 3)
    assert found.halved(3).shape == (4, 8)
    for colour in (False, True):
        assert found.halved(3, colour=colour) is found.halved(3, colour=colour)  # made once
    assert found.halved(12).shape == (1, 1)


@pytest.mark.parametrize("side", [1, 7, 33, 64, 100])
def test_reduced_to_a_side(side):
    pixels = made_pixels(64, 32)
    found = Look(64, 32, pixels)
    width = min(side, 64)
    assert found.reduced(side).shape == (max(1, round(width / 2)), width)
    assert abs(found.reduced(side).mean() - (pixels @ (0.299, 0.587, 0.114)).mean()) < 3
