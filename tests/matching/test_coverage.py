import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from imgsim_ops.matching.choice import BREAKS, SHOWN
from imgsim_ops.matching.coverage import Beyond, beyond
from imgsim_ops.matching.frames import corners
from imgsim_ops.matching.looks import Look
from tests.support.tries import tries

NAMES = ("chelsea", "coffee", "coins", "motorcycle_left", "rocket")


def box(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def seen(image, polygon):
    return beyond(Look.of(np.asarray(image.convert("RGB"))), polygon)


@pytest.mark.parametrize("name", NAMES)
def test_beyond_a_crop_the_picture_goes_on(photographs, name):
    image = photographs[name]
    width, height = image.size
    found = seen(image, box(0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height))
    assert found.covered == pytest.approx(0.36, abs=0.02)  # a pixel of 384 along each side
    assert found.shown > SHOWN
    assert found.breaks < BREAKS


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (40, 90, 200)])
@pytest.mark.parametrize("name", NAMES)
def test_a_border_shows_nothing_and_ends_the_picture(photographs, name, colour):
    image = photographs[name]
    framed = ImageOps.expand(image, 40, colour)
    found = seen(framed, box(40, 40, 40 + image.width, 40 + image.height))
    assert found.covered == pytest.approx(image.width * image.height / (framed.width * framed.height), abs=0.02)
    assert found.shown == 0
    if name != "rocket" or colour != (0, 0, 0):  # whose sky is black, so that a black border goes on
        assert found.breaks > BREAKS


def on_a_page(image):
    """With bars and text above and below."""
    page = Image.new("RGB", (image.width + 60, image.height + 200), (235, 235, 235))
    page.paste(image, (30, 100))
    draw = ImageDraw.Draw(page)
    for line in range(3):
        draw.text((30, 10 + 26 * line), "What is written here is no part of it", (10, 10, 10), font_size=22)
        draw.text((30, image.height + 110 + 26 * line), "nor is this, 1234 likes", (10, 10, 90), font_size=22)
    return page


@pytest.mark.parametrize("name", NAMES)
def test_a_page_around_a_picture_shows_something_and_breaks(photographs, name):
    image = photographs[name]
    found = seen(on_a_page(image), box(30, 100, 30 + image.width, 100 + image.height))
    assert found.shown > SHOWN
    assert found.breaks > BREAKS


def test_a_drawing_on_white_in_a_white_page_was_put_there():
    """Beside most of its rim nothing is on either side; where something is, it ends at the rim."""
    drawing = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(drawing).rectangle((60, 40, 300, 160), fill=(200, 30, 30))
    page = Image.new("RGB", (360, 360), "white")
    page.paste(drawing, (30, 60))
    ImageDraw.Draw(page).text((30, 290), "written below it", (0, 0, 0), font_size=30)
    found = seen(page, box(30, 60, 330, 260))
    assert found.shown > SHOWN
    assert found.breaks > BREAKS
    # Of a sheet of drawings one is cut out: nothing crosses its rim, so that nothing is known.
    sheet = Image.new("RGB", (600, 200), "white")
    for left in (60, 360):
        ImageDraw.Draw(sheet).ellipse((left, 60, left + 100, 140), fill=(200, 30, 30))
    found = seen(sheet, box(30, 30, 250, 170))
    assert found.shown > SHOWN
    assert found.breaks == 0


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 33), (400, 300), (1280, 3), (2, 1280)])
def test_all_of_it_is_covered(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    look = Look.of(pixels)
    assert beyond(look, corners(*size)) == Beyond(1.0, 0.0, 0.0)
    # A polygon that turns the other way round, and one that is a little less, as alignments are never exact.
    assert beyond(look, corners(*size)[::-1]) == Beyond(1.0, 0.0, 0.0)
    assert beyond(look, corners(*size) * 0.999).shown == 0


def test_a_flat_margin_beside_a_crop_shows_nothing():
    pixels = np.full((300, 400, 3), 220, np.uint8)
    found = beyond(Look.of(pixels), box(100, 100, 300, 200))
    assert (found.shown, found.breaks) == (0, 0)
    assert found.covered == pytest.approx(1 / 6, abs=0.02)


SIDES = st.sampled_from([1, 7, 17, 33, 200])


@settings(deadline=None, max_examples=tries(100))
@given(SIDES, SIDES, st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 9))
def test_shares_are_shares_and_do_not_grow_with_what_is_covered(width, height, ends, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    left, right = sorted((ends[0] * width, ends[1] * width))
    top, bottom = sorted((ends[2] * height, ends[3] * height))
    look = Look.of(pixels)
    small, large = (beyond(look, box(*start, right, bottom)) for start in ((left, top), (0, 0)))
    for found in (small, large):
        assert 0 <= found.covered <= 1
        assert 0 <= found.shown <= 1
        assert 0 <= found.breaks <= 1
    assert large.shown <= small.shown
    assert large.covered >= small.covered - 0.02  # areas by their corners against pixels
