"""EXIF's eight orientations: as arrays, as matrices and in words, all checked against NumPy's own turning."""

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.images.orientation import (
    INVERSE,
    LINEAR,
    MIRRORED,
    ORIENTATION_WORDS,
    turned,
    upright_strips,
    upright_transpose,
)

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
#: The steps that the words name.
STEPS = {
    "mirrored": np.fliplr,
    "turned by 180°": lambda pixels: np.rot90(pixels, 2),
    "turned left by 90°": np.rot90,
    "turned right by 90°": lambda pixels: np.rot90(pixels, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_words_say_what_turning_does(orientation):
    expected = PIXELS
    for step in ORIENTATION_WORDS[orientation].removesuffix(" to fit").split(", "):
        expected = STEPS[step](expected) if step else expected
    np.testing.assert_array_equal(turned(PIXELS, orientation), expected)


def test_no_two_orientations_have_the_same_words():
    assert sorted(ORIENTATION_WORDS) == list(range(1, 9))
    assert len(set(ORIENTATION_WORDS.values())) == 8
    assert "right" in ORIENTATION_WORDS[6]
    assert "left" in ORIENTATION_WORDS[8]


def test_words_say_which_picture_is_turned_where_it_matters():
    own = {number for number in range(1, 9) if np.array_equal(turned(turned(PIXELS, number), number), PIXELS)}
    assert {number for number, words in ORIENTATION_WORDS.items() if "to fit" not in words} == own


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tables(orientation):
    shown = turned(PIXELS, orientation)
    np.testing.assert_array_equal(turned(shown, INVERSE[orientation]), PIXELS)
    # A quarter turn or a half turn or none makes it the picture again, unless it is a mirror image.
    turns = [np.array_equal(np.rot90(PIXELS, quarters), shown) for quarters in range(4)]
    assert (orientation in MIRRORED) == (not any(turns))
    matrix = np.array(LINEAR[orientation])
    for row, column in np.ndindex(2, 3):
        # Twice the place from the centre: whole numbers.
        x, y = matrix @ (2 * column - 2, 2 * row - 1)
        height, width = shown.shape[:2]
        place = (y + height - 1) // 2, (x + width - 1) // 2
        np.testing.assert_array_equal(shown[place], PIXELS[row, column])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_strips_are_turned_as_arrays_are(monkeypatch, orientation):
    monkeypatch.setattr("imgsim_ops.images.orientation._STRIP_BYTES", 1)  # a row at a time
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    strips = list(upright_strips(3, 2, upright_transpose(image), image.crop))
    assert len(strips) == len(turned(PIXELS, orientation))
    np.testing.assert_array_equal(np.concatenate(strips), turned(PIXELS, orientation))
