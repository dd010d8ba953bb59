import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from imgsim_ops.images.facts import file_facts
from imgsim_ops.matching import frames
from imgsim_ops.matching.generations import Made, first_saved, made_from, made_from_as_webp, quality_of
from imgsim_ops.matching.looks import Look
from tests.support.tries import tries

NAMES = ("coffee", "motorcycle_left", "retina", "rocket")
# In which compression leaves the most.
LIVELY = ("coins", "gravel", "page")


def as_jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file


def recompressed(image, quality):
    return Image.open(as_jpeg(image, quality)).convert("RGB")


def with_noise(image):
    noise = np.random.default_rng(0).normal(0, 25, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def told(one, other, quality, of_first, *, lossless=False, noisier=False):
    looks = (Look.of(np.asarray(image)) for image in (one, other))
    found = frames.frame(*looks, np.eye(3), 512)
    return first_saved(found, quality, of_first, lossless=lossless, noisier=noisier)


@pytest.mark.parametrize("quality", range(1, 101, 3))
def test_the_quality_of_a_table_is_the_one_it_was_made_by(quality):
    file = as_jpeg(Image.new("RGB", (8, 8)), quality)
    file.seek(0)
    found = quality_of(file_facts(file, "JPEG").quantisation)
    assert abs(found - quality) <= 1 if quality > 5 else found <= 6  # values end at 255 there


def test_qualities_are_in_range():
    assert quality_of(0) == quality_of(16) == 99  # whose table is that of 100
    assert quality_of(16 * 255) == 1
    found = [quality_of(total) for total in range(16, 4081, 8)]
    assert found == sorted(found, reverse=True)


def test_where_nothing_may_be_looked_at_nothing_is_said(photographs):
    """All of it lies where the two differ."""
    looks = [Look.of(np.asarray(photographs["coffee"]))] * 2
    found = frames.frame(*looks, np.eye(3), 512)
    found = frames.without(found, [(0, 0, 512, 512)], found)
    assert not found.valid.any()
    assert first_saved(found, 50, True, lossless=False, noisier=False) == 0


@pytest.mark.parametrize("quality", [30, 50])
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_what_has_the_marks_of_the_stronger_compression_was_made_from_it(photographs, name, quality):
    strong = recompressed(photographs[name], quality)
    anew = recompressed(strong, 95)
    assert told(strong, anew, quality, True) == 1
    assert told(anew, strong, quality, False) == -1


@pytest.mark.parametrize("name", LIVELY)
def test_so_it_is_where_the_copy_was_compressed_nearly_as_much(photographs, name):
    strong = recompressed(photographs[name], 50)
    assert told(strong, recompressed(strong, 90), 50, True) == 1


# Three pixels off the grid they were once compressed in, compressing them changes twice, and ten times, as much.
BEFORE = pytest.mark.xfail(
    strict=True, reason="was compressed before: compressed again, it changes as little as a copy"
)


@pytest.mark.parametrize(
    ("name", "quality"),
    [
        pytest.param(name, quality, marks=[BEFORE] if (name, quality) == ("page", 75) else [])
        for name in (*NAMES, *LIVELY)
        for quality in (30, 50, 75)
    ],
)
def test_what_lacks_them_was_there_before(photographs, name, quality):
    light = recompressed(photographs[name], 95)
    strong = recompressed(light, quality)
    assert told(light, strong, quality, False) == 1
    assert told(strong, light, quality, True) == -1


@pytest.mark.parametrize("quality", [30, 50, 75, 85])
def test_so_it_is_where_compressing_it_again_changes_less(photographs, quality):
    """A picture that was compressed before, so that less is changed by doing it again."""
    light = recompressed(photographs["chelsea"], 95)
    assert told(light, recompressed(light, quality), quality, False) == 1


@pytest.mark.parametrize("quality", [30, 50, 75, 85])
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_what_is_without_loss_and_has_the_same_pixels_was_decoded(photographs, name, quality):
    strong = recompressed(photographs[name], quality)
    assert told(strong, strong, quality, True, lossless=True) == 1
    assert told(strong, strong, quality, False, lossless=True) == -1


@pytest.mark.parametrize(
    ("name", "quality"),
    [
        pytest.param(name, quality, marks=[BEFORE] if (name, quality) == ("coins", 85) else [])
        for name in (*NAMES, *LIVELY)
        for quality in (30, 50, 75, 85)
    ],
)
def test_what_is_without_loss_and_lacks_them_was_there_before(photographs, name, quality):
    image = photographs[name]
    strong = recompressed(image, quality)
    assert told(image, strong, quality, False, lossless=True) == 1
    assert told(strong, image, quality, True, lossless=True) == -1


@pytest.mark.parametrize("name", NAMES)
def test_noise_that_was_added_differs_more_than_compression_does(photographs, name):
    image = photographs[name]
    strong = recompressed(image, 75)
    noisy = with_noise(strong)
    assert told(strong, noisy, 75, True, noisier=True) == 1
    assert told(noisy, strong, 75, False, noisier=True) == -1
    # Of what is lossless it is not believed: a stronger compression took away what looks like noise.
    assert told(strong, noisy, 75, True, lossless=True, noisier=True) == -1
    # To the compressed one, before that: the other has less.
    assert told(recompressed(with_noise(image), 75), image, 75, True, lossless=True) == -1


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_brightness_does_not_hide_it(photographs, name):
    strong = recompressed(photographs[name], 40)
    anew = recompressed(ImageEnhance.Brightness(strong).enhance(0.8), 95)
    assert told(strong, anew, 40, True) == 1


@settings(deadline=None, max_examples=tries(20))
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 100), st.booleans(), st.booleans(), st.sampled_from([0, 1, 5, 60, 255])
)
def test_whichever_comes_first_the_same_one_is_named(seed, quality, lossless, noisier, deviation):
    random = np.random.default_rng(seed)
    one, other = (np.clip(random.normal(120, deviation, (48, 64, 3)), 0, 255).astype(np.uint8) for _ in range(2))
    found = told(one, other, quality, True, lossless=lossless, noisier=noisier)
    assert found in (1, -1)
    assert told(other, one, quality, False, lossless=lossless, noisier=noisier) == -found


# --- compressing anew ------------------------------------------------------------------------------------------------


def as_webp(image, quality):
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality)
    return Image.open(file).convert("RGB")


SOURCES = {
    "without loss": lambda image: image,
    "WebP": lambda image: as_webp(image, 75),
    "strong WebP": lambda image: as_webp(image, 40),
}


def window(image):
    left, top = ((side // 2 - 128) // 8 * 8 if side > 256 else 0 for side in image.size)
    piece = np.asarray(image)[top:, left:][:256, :256]
    return np.ascontiguousarray(piece[: len(piece) // 8 * 8])


@pytest.mark.parametrize("quality", [50, 75, 92])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_a_jpeg_is_known_by_the_pixels_that_it_was_made_from(photographs, name, source, quality):
    first = SOURCES[source](photographs[name])
    made = made_from(window(first), window(recompressed(first, quality)), quality)
    assert made is Made.SURELY or (made and name == "coffee")  # whose reds end at the end of the scale


CHANGES = {
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "another white": lambda image: Image.fromarray((np.asarray(image) * (0.98, 0.92, 0.8)).astype(np.uint8)),
}


@pytest.mark.parametrize("quality", [50, 75])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["coffee", "gravel", "motorcycle_left"])
def test_so_is_one_whose_tones_were_changed_before(photographs, name, change, source, quality):
    first = SOURCES[source](photographs[name])
    last = recompressed(CHANGES[change](first), quality)
    assert made_from(window(first), window(last), quality)


@pytest.mark.parametrize("quality", [75, 92])
@pytest.mark.parametrize("webp", [40, 75])
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_a_jpeg_is_not_made_from_what_was_made_from_it(photographs, name, webp, quality):
    first = recompressed(photographs[name], quality)
    assert not made_from(window(as_webp(first, webp)), window(first), quality)


@pytest.mark.parametrize("quality", [60, 75, 85])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_nor_from_what_was_changed_and_saved_with_less_loss(photographs, name, change, quality):
    """Compressed anew it comes back to the first one, whose levels it has kept."""
    first = recompressed(photographs[name], quality)
    later = recompressed(CHANGES[change](first), 95)
    assert not made_from(window(later), window(first), quality)


@pytest.mark.parametrize("name", NAMES)
def test_equal_pixels_and_other_pictures_were_not_made_from_each_other(photographs, name):
    first = window(recompressed(photographs[name], 80))
    assert not made_from(first, first, 80)
    other = np.ascontiguousarray(first[::-1, ::-1])
    assert not made_from(other, first, 80)
    assert not made_from_as_webp(first, first, 80)
    assert not made_from_as_webp(other, first, 80)


def test_where_all_is_white_or_black_tones_say_nothing():
    random = np.random.default_rng(0)
    one, other = (np.where(random.random((64, 64, 3)) < 0.5, 0, 255).astype(np.uint8) for _ in range(2))
    assert not made_from(one, other, 80)


@pytest.mark.parametrize("quality", [50, 75, 80, 90])
@pytest.mark.parametrize("name", NAMES)
def test_a_webp_file_is_known_by_the_pixels_that_it_was_made_from(photographs, name, quality):
    first = recompressed(photographs[name], 85)
    last = as_webp(first, quality)
    assert made_from_as_webp(np.asarray(first), np.asarray(last), quality) is Made.SURELY
    assert not made_from_as_webp(np.asarray(last), np.asarray(as_webp(last, 75)), 75) - Made.SURELY
    assert not made_from_as_webp(np.asarray(as_webp(last, 75)), np.asarray(last), quality)


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_so_is_a_part_of_it(photographs, name, quality):
    """Which never comes out the same, as its blocks depend on all that is beside them."""
    first = recompressed(photographs[name], 85)
    last = as_webp(first, quality)
    top, left = (max(0, side // 32 * 16 - 96) for side in first.size[::-1])
    parts = [np.ascontiguousarray(np.asarray(image)[top:, left:][:192, :192]) for image in (first, last)]
    assert made_from_as_webp(*parts, quality) is Made.LIKELY
    # What the JPEG was made from comes out as it: that is surer.
    later = np.ascontiguousarray(np.asarray(recompressed(last, 75))[top:, left:][:192, :192])
    assert made_from_as_webp(later, parts[1], quality) is not Made.SURELY


@pytest.mark.parametrize("factor", [0.85, 1.2])
@pytest.mark.parametrize("quality", [60, 80])
@pytest.mark.parametrize("name", NAMES)
def test_so_is_one_whose_brightness_was_changed_before(photographs, name, quality, factor):
    first = recompressed(photographs[name], 88)
    last = as_webp(ImageEnhance.Brightness(first).enhance(factor), quality)
    assert made_from_as_webp(np.asarray(first), np.asarray(last), quality) is Made.LIKELY


@pytest.mark.parametrize("name", NAMES)
def test_a_webp_file_is_not_made_from_a_blurred_copy_of_it(photographs, name):
    last = as_webp(photographs[name], 80)
    first = recompressed(last.filter(ImageFilter.GaussianBlur(1)), 85)
    assert not made_from_as_webp(np.asarray(first), np.asarray(last), 80)


@pytest.mark.parametrize("method", [0, 6])
@pytest.mark.parametrize("name", [*NAMES, *LIVELY])
def test_so_is_one_that_was_compressed_with_other_settings(photographs, name, method):
    first = recompressed(photographs[name], 85)
    file = io.BytesIO()
    first.save(file, "WEBP", quality=75, method=method)
    assert made_from_as_webp(np.asarray(first), np.asarray(Image.open(file).convert("RGB")), 75)
