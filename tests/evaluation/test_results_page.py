"""The page of results, as text and in a real browser."""

import base64
import math
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.results import Plot, Results, Table
from imgsim_ops.evaluation.results_page import write_page
from imgsim_ops.files.names import printable
from tests.support.browser import new_page, press, settle
from tests.support.page_parts import NASTY, ODD_NAMES, Elements, assert_closed
from tests.support.results_made import COLUMNS, ROWS, SVG, made_results


def written(folder, *results, **options):
    path = Path(folder) / "results.html"
    write_page(path, results, **options)
    return path


def texts(elements, *tags):
    return [text for tag, _, text in elements.found if tag in tags]


def test_everything_is_there(tmp_path):
    methods = made_results("methods", "Methods", facts={"data": "digits"})
    text = written(tmp_path, made_results(tables=2), methods).read_text("utf-8")
    assert_closed(text)
    elements = Elements(text)
    assert texts(elements, "title", "h1", "h2", "h3") == [
        "Results", "Results", "Models", "Table 1", "Table 2", "Methods", "Table 1",
    ]  # fmt: skip
    assert len(elements.named("tr")) == 3 * (1 + len(ROWS))
    for attributes, _ in elements.named("img"):
        assert attributes["alt"] == "Separation against time"
        assert base64.b64decode(attributes["src"].removeprefix("data:image/svg+xml;base64,")).decode() == SVG
    assert texts(elements, "dt", "dd") == ["threads", "2", "data", "digits"]
    ids = [attributes["id"] for _, attributes, _ in elements.found if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] for attributes, _ in elements.named("a")]
    assert links == ["#result-1", "#table-1-1", "#table-1-2", "#result-2"]
    assert {link[1:] for link in links} <= set(ids)


def test_what_is_alone_needs_no_contents(tmp_path):
    elements = Elements(written(tmp_path, made_results()).read_text("utf-8"))
    assert texts(elements, "title", "h1", "h2") == ["Models", "Models", "Table 1"]
    assert not elements.named("nav")


def test_numbers_words_and_gaps(tmp_path):
    rows = [*ROWS, {"model": "nan", "dimension": 10**400, "embed_ms": math.nan}]
    text = written(tmp_path, made_results(rows=rows)).read_text("utf-8")
    assert '<td class="number" data-value="9.4375">9.44</td>' in text
    assert '<td class="number" data-value="25088">25,088</td>' in text
    assert '<td class="why"><span>no weights</span></td>' in text
    assert '<td class="why"><span>nan</span></td>' in text
    assert '<td class="number"></td>' in text
    assert "<td><span>Old</span></td>" in text
    assert re.findall('<th scope="col"([^>]*)>', text) == ["", *[' class="number"'] * 3, ""]


def test_little_is_enough(tmp_path):
    elements = Elements(written(tmp_path, Results("zoo", "", {}, [Table("", [], [])])).read_text("utf-8"))
    assert not {"h2", "dl", "img", "nav"} & {tag for tag, _, _ in elements.found}


def test_no_results_are_refused(tmp_path):
    with pytest.raises(ImgsimError, match=r"report: there must be results to show \(got none\)"):
        written(tmp_path)
    assert os.listdir(tmp_path) == []


def named(name):
    rows = [{"model": name, "embed_ms": 1.5}, {"model": "b", "dimension": name, "embed_ms": name, "note": name}]
    columns = [column.__class__(column.key, name, column.digits) for column in COLUMNS]
    tables = [Table(name or "a", columns, rows), Table(name or "a", COLUMNS, rows)]
    return Results("zoo", name, {name: name}, tables, [Plot("p", name, name)])


@settings(max_examples=60, deadline=None)
@given(ODD_NAMES, st.sampled_from(NASTY))
def test_names_change_nothing_but_their_own_text(name, nasty):
    with tempfile.TemporaryDirectory() as folder:
        plain, odd = (
            written(folder, named(text), title=text).read_text("utf-8") for text in ("x" * 70, nasty + "x" * 70 + name)
        )
    shown = printable(nasty + "x" * 70 + name)
    assert re.search("(?s)<style>.*</style>|<script>.*</script>", odd)[0] in plain
    elements = Elements(odd)
    assert [(tag, sorted(a)) for tag, a, _ in elements.found] == [(t, sorted(a)) for t, a, _ in Elements(plain).found]
    assert {text.strip() for text in texts(elements, "title", "h1", "h2", "dd", "dt", "a")} == {shown.strip()}
    assert elements.named("img")[0][0]["alt"] == shown


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def address(tmp_path):
    nasty = "<img src=x onerror=alert(1)>"
    rows = [*ROWS, {"model": nasty, "embed_ms": 20.25, "note": "'\"&lt;"}]
    wide = Table("wide", COLUMNS * 4, rows)
    return written(tmp_path, made_results(rows=rows, title=nasty), Results("methods", "M", {}, [wide])).as_uri()


@pytest.fixture
def page(page, address):
    page.goto(address)
    return page


def column(page, number, table="table"):
    cells = f"[...document.querySelector('{table}').tBodies[0].rows].map((row) => row.cells[{number}].textContent)"
    return page.evaluate(cells)


def order(page):
    return page.evaluate("[...document.querySelector('table').tHead.rows[0].cells].map((th) => th.ariaSort)")


def test_a_click_sorts(page):
    written_order = column(page, 0)
    page.click("th:nth-child(3) button")
    assert column(page, 2) == ["3.06", "9.44", "20.25", "101.50", ""]
    assert order(page) == [None, None, "ascending", None, None]
    page.click("th:nth-child(3) button")
    assert column(page, 2) == ["101.50", "20.25", "9.44", "3.06", ""]
    assert order(page) == [None, None, "descending", None, None]
    page.click("th:nth-child(4) button")  # words come after numbers, and gaps last
    assert column(page, 3) == ["91.0", "98.3", "no weights", "", ""]
    assert order(page) == [None, None, None, "ascending", None]
    page.click("th:nth-child(4) button")
    assert column(page, 3) == ["98.3", "91.0", "no weights", "", ""]
    page.click("th:nth-child(4) button")
    assert column(page, 0) == written_order
    assert order(page) == [None] * 5


def test_keys_sort(page):
    page.evaluate("document.querySelector('th button').focus()")
    press(page, "Enter")
    assert column(page, 0) == ["<img src=x onerror=alert(1)>", "alexnet", "resnet18", "swin_t", "vgg16"]
    assert page.evaluate("document.activeElement.textContent") == "model"
    press(page, " ")
    assert order(page)[0] == "descending"


def test_words_filter(page):
    found = "document.getElementById('found').textContent"
    assert page.evaluate(found) == "10 rows"
    page.keyboard.type("/NET 9")
    assert page.evaluate("document.activeElement.value") == "NET 9"
    shown = "[...document.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility()).length"
    assert (page.evaluate(shown), page.evaluate(found)) == (4, "4 of 10 rows")  # alexnet has 9,216, resnet18 9.44
    nothing = "[...document.querySelectorAll('.nothing')].filter((line) => line.checkVisibility()).length"
    assert page.evaluate(nothing) == 0
    page.keyboard.type(" oLD")
    assert (page.evaluate(shown), page.evaluate(found)) == (2, "2 of 10 rows")
    page.keyboard.type("zz")
    assert (page.evaluate(shown), page.evaluate(found), page.evaluate(nothing)) == (0, "0 of 10 rows", 2)


def test_names_are_text_and_plots_are_pictures(page):
    assert page.evaluate("document.querySelector('h2').textContent") == "<img src=x onerror=alert(1)>"
    assert page.evaluate("[...document.images].map((image) => [image.alt, image.naturalWidth])") == [
        ["Separation against time", 20]
    ]


@pytest.mark.parametrize("width", [390, 1200])
def test_what_is_wide_scrolls_in_its_own_box(browser, address, width):
    with new_page(browser, viewport={"width": width, "height": 800}, is_mobile=width < 500) as page:
        page.goto(address)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.evaluate(
            "[...document.querySelectorAll('.box')].map((box) =>"
            " [box.classList.contains('fits'), box.tabIndex, box.scrollWidth > box.clientWidth])"
        )
        assert boxes == [[width > 500, -1 if width > 500 else 0, width < 500], [False, 0, True]]
        # Headings stay in sight: below the bar, or at the top of the box that scrolls.
        page.evaluate("document.querySelector('.box:not(.fits)').scrollTo(300, 60)")
        place = page.evaluate(
            "(() => { const box = document.querySelector('.box:not(.fits)'), b = box.getBoundingClientRect();"
            " const h = box.querySelector('th').getBoundingClientRect(); return [h.x - b.x, h.y - b.y]; })()"
        )
        assert place == [1, 1]  # the box's border


def test_without_scripts_all_is_there(browser, address):
    with new_page(browser, java_script_enabled=False) as page:
        page.goto(address)
        assert page.evaluate("document.querySelectorAll('tbody tr').length") == 10
        assert page.evaluate("document.querySelectorAll('input, button').length") == 0
        headings = page.evaluate("document.querySelector('thead').innerText.split(/\\s+/).slice(0, 2)")
        assert headings == ["model", "dimension"]


def test_print_is_dark_on_white_with_headings_that_repeat(page):
    page.emulate_media(media="print", color_scheme="dark")
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    assert page.evaluate(colours) == ["rgb(34, 33, 31)", "rgb(255, 255, 255)"]
    assert page.evaluate("document.querySelector('th').innerText") == "model"
    # Browsers print buttons of a heading on the first page only.
    assert not page.evaluate("[...document.querySelectorAll('button, input')].some((e) => e.checkVisibility())")
    page.emulate_media(media="screen", color_scheme="dark")
    assert page.evaluate(colours) == ["rgb(232, 230, 227)", "rgb(23, 24, 26)"]
