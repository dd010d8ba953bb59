"""The page in a real browser: keys, decisions, export and import."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imgsim_ops.collection.findings import Evidence, Group, Leak, Member
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import ORIENTATION_WORDS
from imgsim_ops.report.html import PageOptions, write_groups, write_leaks
from tests.support.browser import press, settle
from tests.support.findings_made import described, made_groups, write_picture


@pytest.fixture
def groups(page, tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/<img src=x onerror=alert(1)>\xff.png")
    os.rename(write_picture(tmp_path / "a.png", 99).path, name)
    odd, other = described(name), write_picture(tmp_path / "b.png", 98)
    groups = [*made_groups(tmp_path), Group((Member(odd, None), Member(other, Evidence("vector", 0.5))), best=1)]
    write_groups(tmp_path / "report.html", groups, PageOptions("A <b>title</b>", read=ReadOptions(1)), {"a": "<i>"})
    page.goto((tmp_path / "report.html").as_uri())
    return groups


def named(*members):
    return [{"path": member.picture.path, "sha256": member.picture.sha256.hex()} for member in members]


def exported(page):
    """The file that the page hands out."""
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "decisions.json"
    return Path(download.value.path())


def message(page):
    return page.evaluate("document.getElementById('message').textContent")


def counts(page):
    return page.evaluate("document.getElementById('counts').textContent")


def test_decisions_by_keys_go_out_and_come_back(page, groups, tmp_path):
    press(page, "j", "ArrowRight", "x")  # the second picture of the first group
    press(page, "j", "b")  # the best of the second, not the rest
    assert counts(page).startswith("3 to remove")
    file = exported(page)
    first, second, *_ = groups
    assert json.loads(file.read_bytes()) == {
        "imgsim": "decisions",
        "version": 1,
        "groups": [
            {"keep": named(first.members[0]), "remove": named(first.members[1])},
            {"keep": named(second.members[0]), "remove": named(*second.members[1:])},
        ],
    }
    page.goto((tmp_path / "report.html").as_uri())  # remembered
    assert counts(page).startswith("3 to remove")
    page.click("#none")
    assert counts(page).startswith("0 to remove")
    page.set_input_files("#file", file)
    expect(page.locator("#message")).to_have_text("Imported decisions about 2 groups.")
    assert counts(page).startswith("3 to remove")


def test_bytes_of_names_survive_the_browser(page, groups):
    press(page, "k", "j", "j", "j")
    press(page, "b")
    content = exported(page).read_bytes()
    assert b"\\udcff.png" in content
    (group,) = json.loads(content)["groups"]
    odd, best = groups[-1].members
    assert group == {"keep": named(best), "remove": named(odd)}
    assert os.path.exists(group["remove"][0]["path"])


def test_a_group_is_never_emptied(page, groups):
    press(page, "j", "x")
    assert message(page).startswith("Not done")
    press(page, "ArrowRight", "x", "ArrowRight", "x", "ArrowLeft", "ArrowLeft", "y")
    assert message(page).startswith("Not done")
    press(page, "x")
    assert message(page).startswith("Not done: all pictures of the group would be removed")
    assert counts(page).startswith("2 to remove")
    press(page, "ArrowRight", "y", "ArrowLeft", "x")
    assert counts(page).startswith("2 to remove")


def test_names_are_text(page, groups):
    assert page.evaluate("document.querySelector('h1').textContent") == "A <b>title</b>"
    page.evaluate("document.querySelectorAll('.group')[3].scrollIntoView()")
    settle(page)
    names = page.evaluate("[...document.querySelectorAll('.card .name')].map((e) => e.textContent)")
    assert "<img src=x onerror=alert(1)>\\xff.png" in names
    assert page.evaluate("document.querySelectorAll('img:not([src^=\"data:image/webp\"]), b, i').length") == 0
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")


def test_each_orientation_has_its_words(page, tmp_path):
    pictures = [write_picture(tmp_path / f"{number}.png", number) for number in range(9)]
    others = [Member(pictures[number], Evidence("vector", 0.9, orientation=number)) for number in range(1, 9)]
    group = Group((Member(pictures[0], None), *others), best=0)
    write_groups(tmp_path / "report.html", [group], PageOptions("", read=ReadOptions(1)), {})
    page.goto((tmp_path / "report.html").as_uri())
    settle(page)
    reasons = page.evaluate("[...document.querySelectorAll('.card .why p')].map((e) => e.textContent)")
    expected = [f"vector alone · score 0.900 · {ORIENTATION_WORDS[number]}" for number in range(2, 9)]
    assert [reason for reason in reasons if reason.startswith("vector")] == ["vector alone · score 0.900", *expected]


def test_comparing(page, groups):
    press(page, "j", "ArrowRight", "ArrowRight", "Enter")
    settle(page)
    assert page.evaluate("document.getElementById('compare').open")
    assert page.evaluate("document.querySelectorAll('#stage-area image').length") == 2
    press(page, "2")
    matrix = page.evaluate("document.querySelector('.top image').getAttribute('transform')")
    assert matrix == "matrix(2 0 0 2 0 0)"
    press(page, "4", "x", "Escape")
    assert not page.evaluate("document.getElementById('compare').open")
    assert counts(page).startswith("1 to remove")


def test_filters_bound_what_all_groups_means(page, groups):
    page.evaluate("stage.value = 'content'; stage.dispatchEvent(new Event('input', { bubbles: true }))")
    assert page.evaluate("document.querySelectorAll('.group').length") == 3
    page.click("#all")
    assert counts(page).startswith("3 to remove")  # the equal ones, not those found by features


def test_training_pictures_stay(page, tmp_path):
    source, copy = write_picture(tmp_path / "train.png"), write_picture(tmp_path / "test.png", 1)
    write_leaks(
        tmp_path / "report.html",
        [Leak(copy, source, Evidence("vector", 0.93))],
        PageOptions("", read=ReadOptions(1)),
        {},
    )
    page.goto((tmp_path / "report.html").as_uri())
    press(page, "j", "x")
    assert message(page) == "Pictures of the training set are always kept here."
    press(page, "ArrowRight", "x")
    assert counts(page).startswith("1 to remove")
