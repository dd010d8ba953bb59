"""Two pictures beside and over each other in a real browser: what is outlined, and where."""

import numpy as np
import pytest

from imgsim_ops.collection.findings import Evidence, Group, Member
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.report.html import PageOptions, write_groups
from tests.support.browser import press, settle
from tests.support.findings_made import write_picture

#: Turned by 90 degrees and twice as large: the member's (x, y) lies at (80 - 2 y, 2 x) of the picture kept.
TURNED = (0.0, -2.0, 80.0, 2.0, 0.0, 0.0)
HERE, THERE = (3, 5, 10, 8), (54, 6, 16, 20)
SIDES = "#stage-area .panel:nth-child({})"


@pytest.fixture
def compared(page, tmp_path):
    def open_page(transform, size=(30, 40), **more):
        kept = Member(write_picture(tmp_path / "kept.png", 1, (80, 60)), None)
        evidence = Evidence("local", 0.9, "edited", None, 25, transform, differences=((HERE, THERE),), **more)
        other = Member(write_picture(tmp_path / "other.png", 2, size), evidence)
        write_groups(tmp_path / "report.html", [Group((kept, other), 0)], PageOptions("", read=ReadOptions(1)), {})
        page.goto((tmp_path / "report.html").as_uri())
        press(page, "j", "ArrowRight", "Enter")
        settle(page)
        return page

    return open_page


def corners(page, selector):
    """The corners of a polygon in the view's own units."""
    text = page.get_attribute(selector, "points")
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


def box(x, y, width, height):
    return {(x, y), (x + width, y), (x + width, y + height), (x, y + height)}


def on_screen(page, selector):
    found = page.evaluate("(s) => document.querySelector(s).getBoundingClientRect().toJSON()", selector)
    return np.array([found[name] for name in ("left", "top", "right", "bottom")])


def test_places_that_differ_are_outlined_side_by_side(page, compared):
    compared(TURNED)
    assert set(corners(page, f"{SIDES.format(1)} .differs")) == box(*HERE)
    assert set(corners(page, f"{SIDES.format(2)} .differs")) == box(*THERE)
    for side, (x, y, width, height), size in ((1, HERE, (30, 40)), (2, THERE, (80, 60))):
        left, top, right, bottom = on_screen(page, f"{SIDES.format(side)} image")
        scale = np.array([right - left, bottom - top] * 2) / (size * 2)
        expected = [left, top, left, top] + scale * [x, y, x + width, y + height]
        # Half the outline's width, which Chromium counts as the polygon's.
        np.testing.assert_allclose(on_screen(page, f"{SIDES.format(side)} .differs"), expected, atol=1.5)
    page.click("#outline")
    assert not page.locator(".differs").first.is_visible()
    assert "1 place differs" in page.text_content("#evidence")


@pytest.mark.parametrize("mode", ["2", "3", "4", "5"])
def test_over_each_other_they_go_through_the_transform(page, compared, mode):
    compared(TURNED)
    press(page, mode)
    assert page.locator(".pile .differs").count() == 1
    assert set(corners(page, ".pile .differs")) == {(80 - 2 * y, 2 * x) for x, y in box(*HERE)} == box(*THERE)
    assert page.locator(".pile .differs").is_visible()


def test_where_no_transform_is_known_pictures_are_laid_on_as_wholes(page, compared):
    compared(None, size=(40, 30))
    assert set(corners(page, f"{SIDES.format(1)} .differs")) == box(*HERE)
    assert page.locator("#stage-area .own, #stage-area .other").count() == 0
    press(page, "2")
    assert set(corners(page, ".pile .differs")) == box(*(2 * value for value in HERE))
    assert page.text_content("#evidence").endswith("no transform is known")


def test_overlay_is_half_transparent(page, compared):
    compared(TURNED)
    opacity = "getComputedStyle(document.querySelector('.top')).opacity"
    page.click('[data-mode="overlay"]')
    assert page.evaluate(opacity) == "0.5"
    page.locator("#slider").fill("20")
    assert page.evaluate(opacity) == "0.2"
    press(page, "2")
    assert page.evaluate(opacity) == "1"


def test_what_they_have_in_common_is_told(page, compared):
    compared(TURNED, overlap=(1.0, 0.43))
    assert "shared: 100% of it, 43% of the best copy" in page.text_content("#evidence")
    assert page.locator("#sides .relation").all_text_contents() == ["edited"]
