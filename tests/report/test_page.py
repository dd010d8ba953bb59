"""The page in a real browser: keys, decisions, export and import."""

import json
import os

import pytest

from imgsim_ops.collection.findings import Evidence, Group, Leak, Member
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.report.html import PageOptions, write_groups, write_leaks
from tests.support.browser import find_chromium
from tests.support.findings_made import described, made_groups, write_picture

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs Chromium, as chromium or google-chrome")


@pytest.fixture
def page(browser, tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/<img src=x onerror=alert(1)>\xff.png")
    os.rename(write_picture(tmp_path / "a.png", 99).path, name)
    odd, other = described(name), write_picture(tmp_path / "b.png", 98)
    groups = [*made_groups(tmp_path), Group((Member(odd, None), Member(other, Evidence("vector", 0.5))), best=1)]
    write_groups(tmp_path / "report.html", groups, PageOptions("A <b>title</b>", read=ReadOptions(1)), {"a": "<i>"})
    browser.open(tmp_path / "report.html")
    for file in browser.downloads.iterdir():
        file.unlink()
    yield groups
    browser.assert_at_peace()


def named(*members):
    return [{"path": member.picture.path, "sha256": member.picture.sha256} for member in members]


def message(browser):
    return browser.run("document.getElementById('message').textContent")


def counts(browser):
    return browser.run("document.getElementById('counts').textContent")


def test_decisions_by_keys_go_out_and_come_back(browser, page, tmp_path):
    browser.press("j", "ArrowRight", "x")  # the second picture of the first group
    browser.press("j", "b")  # the best of the second, not the rest
    assert counts(browser).startswith("3 to remove")
    browser.click("#export")
    content = json.loads(browser.downloaded("decisions.json"))
    first, second, *_ = page
    assert content == {
        "imgsim": "decisions",
        "version": 1,
        "groups": [
            {"keep": named(first.members[0]), "remove": named(first.members[1])},
            {"keep": named(second.members[0]), "remove": named(*second.members[1:])},
        ],
    }
    browser.open(tmp_path / "report.html")  # remembered
    assert counts(browser).startswith("3 to remove")
    browser.click("#none")
    assert counts(browser).startswith("0 to remove")
    browser.choose("#file", browser.downloads / "decisions.json")
    browser.run("new Promise((done) => setTimeout(done, 100))")
    assert message(browser) == "Imported decisions about 2 groups."
    assert counts(browser).startswith("3 to remove")


def test_bytes_of_names_survive_the_browser(browser, page):
    browser.press("k", "j", "j", "j")
    browser.press("b")
    browser.click("#export")
    content = browser.downloaded("decisions.json")
    assert b"\\udcff.png" in content
    (group,) = json.loads(content)["groups"]
    odd, best = page[-1].members
    assert group == {"keep": named(best), "remove": named(odd)}
    assert os.path.exists(group["remove"][0]["path"])


def test_a_group_is_never_emptied(browser, page):
    browser.press("j", "x")
    assert message(browser).startswith("Not done")
    browser.press("ArrowRight", "x", "ArrowRight", "x", "ArrowLeft", "ArrowLeft", "y")
    assert message(browser).startswith("Not done")
    browser.press("x")
    assert message(browser).startswith("Not done: all pictures of the group would be removed")
    assert counts(browser).startswith("2 to remove")
    browser.press("ArrowRight", "y", "ArrowLeft", "x")
    assert counts(browser).startswith("2 to remove")


def test_names_are_text(browser, page):
    assert browser.run("document.querySelector('h1').textContent") == "A <b>title</b>"
    browser.run("document.querySelectorAll('.group')[3].scrollIntoView()")
    browser.settle()
    names = browser.run("[...document.querySelectorAll('.card .name')].map((e) => e.textContent)")
    assert "<img src=x onerror=alert(1)>\\xff.png" in names
    assert browser.run("document.querySelectorAll('img:not([src^=\"data:image/webp\"]), b, i').length") == 0
    assert browser.run("[...document.images].every((image) => image.naturalWidth > 0)")


def test_comparing(browser, page):
    browser.press("j", "ArrowRight", "ArrowRight", "Enter")
    browser.settle()
    assert browser.run("document.getElementById('compare').open")
    assert browser.run("document.querySelectorAll('#stage-area image').length") == 2
    browser.press("2")
    matrix = browser.run("document.querySelector('.top image').getAttribute('transform')")
    assert matrix == "matrix(2 0 0 2 0 0)"
    browser.press("4", "x", "Escape")
    assert not browser.run("document.getElementById('compare').open")
    assert counts(browser).startswith("1 to remove")


def test_filters_bound_what_all_groups_means(browser, page):
    browser.run("stage.value = 'content'; stage.dispatchEvent(new Event('input', { bubbles: true }))")
    assert browser.run("document.querySelectorAll('.group').length") == 3
    browser.click("#all")
    assert counts(browser).startswith("3 to remove")  # the equal ones, not those found by features


def test_training_pictures_stay(browser, tmp_path):
    source, copy = write_picture(tmp_path / "train.png"), write_picture(tmp_path / "test.png", 1)
    write_leaks(
        tmp_path / "report.html",
        [Leak(copy, source, Evidence("vector", 0.93))],
        PageOptions("", read=ReadOptions(1)),
        {},
    )
    browser.open(tmp_path / "report.html")
    browser.press("j", "x")
    assert message(browser) == "Pictures of the training set are always kept here."
    browser.press("ArrowRight", "x")
    assert counts(browser).startswith("1 to remove")
