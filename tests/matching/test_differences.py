import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from imgsim_ops.matching import frames
from imgsim_ops.matching.differences import BLOCK, agreement, compared, equally_sharp, lost, tone_curves
from imgsim_ops.matching.looks import Look

# Fewer blocks than this are no place that differs, see `relations`.
DIFFERING = 3
NAMES = ("chelsea", "coffee", "coins", "motorcycle_left", "rocket")


def looks_of(*images):
    return [Look.of(np.asarray(image.convert("RGB"))) for image in images]


def laid(one, other, side=512):
    """Two images of one size over each other."""
    return frames.frame(*looks_of(one, other), np.eye(3), side)


def in_colour(one, other):
    looks = looks_of(one, other)
    return frames.coloured(frames.frame(*looks, np.eye(3), 512), *looks)


def looked(one, other):
    found = laid(one, other)
    return compared(found, agreement(found, BLOCK), in_colour(one, other))


def recompressed(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def noisy(image, deviation):
    noise = np.random.default_rng(0).normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


CLEAN_COPIES = {
    "nothing": lambda image: image,
    "jpeg 80": lambda image: recompressed(image, 80),
    "jpeg 30": lambda image: recompressed(image, 30),
    "noise": lambda image: noisy(image, 8),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "gamma": lambda image: image.point(lambda level: round(255 * (level / 255) ** 0.7)),
    "grey": lambda image: image.convert("L"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "colourful": lambda image: ImageEnhance.Color(image).enhance(1.5),
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2)).resize(image.size),
}


@pytest.mark.parametrize("kind", CLEAN_COPIES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs_in_a_copy(photographs, name, kind):
    image = photographs[name]
    for found in (looked(image, CLEAN_COPIES[kind](image)), looked(CLEAN_COPIES[kind](image), image)):
        assert found.largest < DIFFERING
        assert all(place.blocks < 5 for place in found.hue)  # fewer are no place where colours differ, see `relations`
        assert found.agreement > 0.7


def test_equal_pixels_agree_in_everything(photographs):
    for name in NAMES:
        found = looked(photographs[name], photographs[name])
        assert (found.agreement, found.clusters, found.uncorrelated, found.blur, found.hue) == (1, (), (), (0, 0), ())
        assert found.structured <= found.blocks
        assert found.chroma[0] == found.chroma[1]


def test_noise_is_no_difference():
    random = np.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).resize((400, 300), Image.Resampling.BICUBIC)
    one = noisy(smooth, 10)
    noise = np.random.default_rng(1).normal(0, 10, (300, 400, 3))
    other = Image.fromarray(np.clip(np.asarray(smooth) + noise, 0, 255).astype(np.uint8))
    found = looked(one, other)
    assert found.largest < DIFFERING
    assert found.agreement > 0.9


# --- something differs -----------------------------------------------------------------------------------------------


def erased(image, box):
    """What is in a box is painted over with what is around it, as tools that remove things do."""
    pixels = np.asarray(image).copy()
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return Image.fromarray(cv2.inpaint(pixels, mask, 3, cv2.INPAINT_TELEA))


def written(image, box):
    copy = image.copy()
    ImageDraw.Draw(copy).text(box[:2], "SOLD 1234", (255, 255, 255), font_size=box[3] - box[1], stroke_width=2,
                              stroke_fill=(0, 0, 0))  # fmt: skip
    return copy


def pasted(image, box):
    copy = image.copy()
    copy.paste(image.crop((0, 0, box[2] - box[0], box[3] - box[1])).transpose(Image.Transpose.ROTATE_180), box[:2])
    return copy


# Where there is something to be erased.
PLACES = {
    "chelsea": (190, 90, 250, 150), "coffee": (180, 120, 260, 190), "coins": (310, 20, 370, 90),
    "motorcycle_left": (200, 150, 280, 220), "rocket": (210, 60, 270, 150),
}  # fmt: skip


@pytest.mark.parametrize("change", [erased, written, pasted])
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("quality", [None, 60])
def test_what_was_changed_is_found_where_it_is(photographs, name, change, quality):
    image, box = photographs[name], PLACES[name]
    other = change(image, box)
    if change is written:  # the letters reach further to the right
        box = (box[0], box[1], box[0] + 6 * (box[3] - box[1]), box[3] + 8)
    if quality is not None:
        other = recompressed(other, quality)
    for found in (looked(image, other), looked(other, image)):
        assert found.largest >= DIFFERING
        for place in found.clusters:
            if place.blocks < DIFFERING:
                continue
            x, y, width, height = place.box
            # Blocks overlap by half, so that what is at their rim lies in others too.
            assert x >= box[0] - BLOCK
            assert y >= box[1] - BLOCK
            assert x + width <= box[2] + BLOCK
            assert y + height <= box[3] + BLOCK


def page_with(side=0, level=0, bar=False):
    """Rows of letters, and a square between them where none are, or on top of a bar."""
    page = Image.new("RGB", (512, 384), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for row in range(8):
        draw.text((20, 8 + 48 * row), "The quick brown fox jumps over the lazy dog", (0, 0, 0), font_size=18)
    if side:
        draw.rectangle((450, 142 - side, 449 + side, 141), (level,) * 3)
    if bar:
        draw.rectangle((420, 142, 500, 170), (0, 0, 0))
    return page


# Where nothing else differs, what is stark counts with its rim: of 3 x 3 pixels there are 9, of 2 x 2 only 4.
@pytest.mark.parametrize(("bar", "least"), [(False, 3), (True, 3)])
@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 7])
def test_a_few_pixels_that_differ_clearly_are_a_difference(side, bar, least):
    plain, other = page_with(bar=bar), page_with(side, bar=bar)
    for found in (looked(plain, other), looked(other, plain)):
        assert len(found.clusters) == (side >= least)
        for cluster in found.clusters:
            x, y, width, height = cluster.box
            assert 450 - BLOCK <= x < x + width <= 450 + side + BLOCK
            assert 142 - side - BLOCK <= y < y + height <= 142 + BLOCK


@pytest.mark.parametrize("bar", [False, True])
def test_a_few_pixels_that_differ_little_are_none(bar):
    plain, other = page_with(bar=bar), page_with(7, 240, bar)
    assert looked(plain, other).clusters == looked(other, plain).clusters == ()


@pytest.mark.parametrize("quality", [None, 75])
def test_a_stroke_of_a_letter_is_a_difference(quality):
    def number(text):
        page = page_with()
        ImageDraw.Draw(page).text((300, 120), text, (0, 0, 0), font_size=32)
        return page if quality is None else recompressed(page, quality)

    assert looked(number("4713"), number("4713")).largest == 0
    assert looked(number("4713"), number("4718")).largest >= DIFFERING
    assert looked(number("4718"), number("4713")).largest >= DIFFERING


def test_two_places_are_two(photographs):
    image = photographs["chelsea"]
    other = pasted(pasted(image, (40, 40, 90, 90)), (320, 200, 370, 250))
    places = [place for place in looked(image, other).clusters if place.blocks >= DIFFERING]
    assert len(places) == 2
    assert [place.blocks for place in places] == sorted((place.blocks for place in places), reverse=True)
    assert {place.box[0] > 200 for place in places} == {False, True}


def test_another_picture_in_the_same_frame_correlates_nowhere_and_is_rich(photographs):
    page = Image.new("RGB", (480, 480), (40, 60, 90))
    ImageDraw.Draw(page).text((20, 10), "What we saw today, by us", (255, 255, 255), font_size=30)
    one, other = page.copy(), page.copy()
    one.paste(photographs["coffee"].resize((400, 300)), (40, 100))
    other.paste(photographs["motorcycle_left"].resize((400, 300)), (40, 100))
    found = looked(one, other)
    place = found.uncorrelated[0]
    assert place.blocks > 0.2 * found.blocks
    assert place.rich > 0.5


def test_agreement_of_what_has_nothing_in_common(photographs):
    found = laid(photographs["coffee"].resize((400, 300)), photographs["rocket"].resize((400, 300)))
    share, count = agreement(found, BLOCK)
    assert share < 0.3
    assert count > 100
    flat = Image.new("RGB", (400, 300), (9, 9, 9))
    assert agreement(laid(flat, flat), BLOCK) == (0, 0)
    assert compared(laid(flat, flat), (0.0, 0)).clusters == ()


# --- tone and sharpness ----------------------------------------------------------------------------------------------

CURVES = {
    "nothing": lambda level: level,
    "gamma": lambda level: 255 * (level / 255) ** 0.6,
    "darker": lambda level: level * 0.4 + 10,
    "steps": lambda level: level // 32 * 32,
}


@pytest.mark.parametrize("name", CURVES)
def test_the_tone_curve_is_the_one_that_was_applied(photographs, name):
    x = np.asarray(photographs["chelsea"].convert("L"))
    applied = np.rint(CURVES[name](np.arange(256.0))).astype(np.uint8)
    valid = np.full(x.shape, 255, np.uint8)
    curve, back = tone_curves(x, applied[x], valid)
    np.testing.assert_array_equal(back, tone_curves(applied[x], x, valid)[0])
    assert (np.diff(curve) >= 0).all()
    known = np.bincount(x.ravel(), minlength=256) > 30
    np.testing.assert_array_equal(curve[known], applied[known])
    noise = np.random.default_rng(0).normal(0, 6, x.shape)
    curve, _ = tone_curves(x, np.clip(applied[x] + noise, 0, 255).astype(np.uint8), valid)
    known = np.bincount(x.ravel(), minlength=256) > 500
    assert (np.diff(curve) >= 0).all()
    # The median of 500 values whose noise has a deviation of 6, and the half that is cut off by uint8.
    np.testing.assert_allclose(curve[known], applied[known], atol=2.5)


def test_without_pixels_no_tone_changes():
    x = np.zeros((16, 16), np.uint8)
    for curve in tone_curves(x, x, np.zeros_like(x)):
        np.testing.assert_array_equal(curve, np.arange(256))


@pytest.mark.parametrize("blur", [0.8, 1.2, 2.6])
@pytest.mark.parametrize("name", NAMES)
def test_the_sharper_one_is_blurred_as_much_as_the_other_was(photographs, name, blur):
    sharp = np.asarray(photographs[name].convert("L")).astype(np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), blur)
    valid = np.full(sharp.shape, 255, np.uint8)
    x, y, found = equally_sharp(sharp, soft, valid)
    assert found == (blur, 0.0)
    assert y is soft
    np.testing.assert_allclose(x, soft, atol=1e-3)
    x, y, found = equally_sharp(soft, sharp, valid)
    assert found == (0.0, blur)
    assert x is soft


def test_equally_sharp_pictures_are_not_blurred(photographs):
    sharp = np.asarray(photographs["coffee"].convert("L")).astype(np.float32)
    assert equally_sharp(sharp, sharp.copy(), np.full(sharp.shape, 255, np.uint8))[2] == (0.0, 0.0)


# --- lost tones ------------------------------------------------------------------------------------------------------


def made_highlights():
    """A wall of stones, whose upper half is bright."""
    random = np.random.default_rng(0)
    stones = np.asarray(Image.fromarray(random.integers(0, 60, (38, 50), np.uint8)).resize((400, 304)))
    base = np.where(np.arange(304)[:, np.newaxis] < 152, 180, 60)
    return Image.fromarray(np.repeat((base + stones)[..., np.newaxis], 3, 2).astype(np.uint8))


@pytest.mark.parametrize("grey", [False, True])
def test_highlights_and_shadows_are_lost_in_one_only(grey):
    image = made_highlights()
    brighter = ImageEnhance.Brightness(image).enhance(1.5)
    darker = image.point(lambda level: max(0, level - 125))
    for other in (brighter, darker):
        found = lost(in_colour(image, other), (0.0, 0.0), grey=grey)
        assert found[0] < 0.001
        assert found[1] > 0.2
        assert lost(in_colour(other, image), (0.0, 0.0), grey=grey) == found[::-1]
    assert lost(in_colour(image, image), (0.0, 0.0), grey=grey) == (0, 0)


def test_nothing_is_lost_by_compression_or_where_both_are_white(photographs):
    for name in NAMES:
        image = photographs[name]
        assert max(lost(in_colour(image, recompressed(image, 40)), (0.0, 0.0))) < 0.003
    white = Image.new("RGB", (300, 200), (255, 255, 255))
    assert lost(in_colour(white, white), (0.0, 0.0)) == (0, 0)


# --- colours ---------------------------------------------------------------------------------------------------------


def recoloured(image, box):
    """Red and blue change places inside a box, which leaves what is there as it is in grey, nearly."""
    copy = image.copy()
    copy.paste(Image.merge("RGB", image.crop(box).split()[::-1]), box[:2])
    return copy


def test_a_hue_that_was_turned_in_one_place_is_found_there(photographs):
    image = photographs["coffee"]
    box = (200, 100, 300, 200)
    found = looked(image, recoloured(image, box))
    assert found.hue[0].blocks >= 5
    x, y, width, height = found.hue[0].box
    assert x >= box[0] - BLOCK
    assert y >= box[1] - BLOCK
    assert x + width <= box[2] + BLOCK
    assert y + height <= box[3] + BLOCK
    back = looked(recoloured(image, box), image)
    assert back.hue[0].box == found.hue[0].box


def on_grey(colour):
    """A thing of one colour, in light and shade, on grey."""
    shade = np.linspace(0.5, 1, 200)[:, np.newaxis, np.newaxis]
    pixels = np.full((300, 400, 3), 150.0)
    pixels[50:250, 120:280] = np.array(colour) * shade
    pixels += np.random.default_rng(1).normal(0, 2, (300, 400, 1)).round()
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ((40, 60, 190), (40, 120, 190), True),  # blue, teal
        ((200, 60, 60), (200, 50, 130), True),  # red, pink
        ((40, 60, 190), (60, 75, 170), False),  # paler
        ((40, 60, 190), (30, 45, 140), False),  # darker
    ],
)
def test_where_greys_stay_grey_a_thing_has_its_colour(one, other, differs):
    found = looked(on_grey(one), on_grey(other))
    assert bool(found.hue) is differs
    if differs:
        assert found.hue[0].blocks > 100
    # Another light turns the greys too, and is no other colour.
    warm = np.asarray(on_grey(one)) * (1.1, 1.0, 0.85)
    assert not looked(on_grey(one), Image.fromarray(warm.clip(0, 255).astype(np.uint8))).hue


def test_chroma_of_what_is_grey(photographs):
    grey, colour = looked(photographs["coffee"].convert("L"), photographs["coffee"]).chroma
    assert grey < 0.5
    assert colour > 5
    # A tint of all of it is no colour.
    levels = np.asarray(photographs["coffee"].convert("L"))[..., np.newaxis]
    sepia = Image.fromarray((levels * (1, 0.8, 0.6)).astype(np.uint8))
    assert looked(sepia, photographs["coffee"]).chroma[0] < 0.5
    assert compared(laid(photographs["coffee"], photographs["coffee"]), (1.0, 9)).chroma == (0, 0)
