"""The page in a real browser: keys, decisions, export and import."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imgsim_ops.collection.findings import Evidence, Group, Leak, Member
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import ORIENTATION_WORDS
from imgsim_ops.report.html import PageOptions, write_groups, write_leaks
from tests.support.browser import new_page, press, settle
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


RELATIONS = {
    "identical": "equal bytes",
    "same_pixels": "equal pixels",
    "copy": "copy",
    "part": "part of it",
    "edited": "edited",
    "look_alike": "looks alike",
}
GO = ("identical", "same_pixels", "copy", "part")


@pytest.fixture
def judged(page, tmp_path):
    """Two groups with a member of each relation; the first four are proposed to go."""
    groups = []
    for number in range(2):
        base = 10 * number
        members = [
            Member(
                write_picture(tmp_path / f"{number} {relation}.png", base + place),
                Evidence("vector", 1 - place / 100, relation),
                relation in GO,
            )
            for place, relation in enumerate(RELATIONS, 1)
        ]
        groups.append(Group((Member(write_picture(tmp_path / f"{number} best.png", base), None), *members), best=0))
    write_groups(tmp_path / "report.html", groups, PageOptions("", read=ReadOptions(1)), {})
    page.goto((tmp_path / "report.html").as_uri())
    settle(page)
    return groups


def named(*members):
    return [{"path": member.picture.path, "sha256": member.picture.sha256.hex()} for member in members]


def chosen(*members):
    """The same of what goes by a person's own choice."""
    return [{**file, "own": True} for file in named(*members)]


def exported(page):
    """The file that the page hands out."""
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "decisions.json"
    return Path(download.value.path())


def message(page):
    return page.evaluate("document.getElementById('message').textContent")


def choose(page, name, value):
    page.locator(f"#{name}").select_option(value)
    settle(page)


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
            {"keep": named(first.members[0]), "remove": chosen(first.members[1])},
            {"keep": named(second.members[0]), "remove": chosen(*second.members[1:])},
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
    assert group == {"keep": named(best), "remove": chosen(odd)}
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


def test_why_something_stays(page, tmp_path):
    one, other = (write_picture(tmp_path / f"{number}.png", 7) for number in range(2))
    twin = Member(other, Evidence("content", 1.0, "identical"), stays_for=("film", "rating"))
    write_groups(tmp_path / "report.html", [Group((Member(one, None), twin))], PageOptions("", read=ReadOptions(1)), {})
    page.goto((tmp_path / "report.html").as_uri())
    settle(page)
    words = page.evaluate("[...document.querySelectorAll('.card .why p')].map((e) => e.textContent)")
    assert words == ["stays for the film and the rating beside it"]


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
    choose(page, "stage", "content")
    assert page.evaluate("document.querySelectorAll('.group').length") == 3
    assert page.text_content("#all") == "Accept all proposals in 3 groups, where the filter means them"
    page.click("#all")
    assert message(page) == "Nothing to change."  # nothing is proposed for these


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


def test_at_first_all_is_as_proposed(page, judged):
    assert counts(page).startswith("8 to remove")
    assert counts(page).endswith("2 kept · 4 undecided")
    freed = sum(member.picture.size for group in judged for member in group.members[1:5])
    assert "14 pictures · 8 proposed to go" in page.text_content("#summary")
    document = json.loads(exported(page).read_bytes())
    assert document["groups"] == [
        {"keep": named(group.members[0]), "remove": named(*group.members[1:5])} for group in judged
    ]
    assert f"{freed / 1000:.1f} kB freed" in counts(page)


def test_a_person_may_choose_against_the_proposal_and_go_back(page, judged):
    press(page, "j", "ArrowRight", "y", "ArrowRight", "u", "j", "b")
    assert counts(page).startswith("8 to remove")  # two fewer of the one group, two more of the other
    press(page, "k", "o")
    assert counts(page).startswith("12 to remove")
    press(page, "ArrowRight", "y", "ArrowLeft", "x")  # another one in place of the best
    page.click("#all")
    assert counts(page).startswith("12 to remove")  # the best is kept again; what nothing is proposed for stays
    assert page.evaluate("document.querySelector('.card').classList.contains('keep')")
    page.click("#none")
    assert counts(page).startswith("8 to remove")
    assert counts(page).endswith("2 kept · 4 undecided")
    page.click("#message button")
    assert counts(page).startswith("12 to remove")


def test_choices_are_remembered_apart_from_the_proposal(page, judged, tmp_path):
    press(page, "j", "ArrowRight", "u")
    page.reload()
    assert counts(page).startswith("7 to remove")
    other = [
        Group((group.members[0], *(Member(m.picture, m.evidence) for m in group.members[1:])), 0) for group in judged
    ]
    write_groups(tmp_path / "report.html", other, PageOptions("", read=ReadOptions(1)), {})
    page.reload()
    assert counts(page).startswith("0 to remove")  # the proposal is another one now, and it is seen


def test_each_relation_has_its_words(page, judged):
    badges = page.locator(".group").first.locator(".card .relation").all_text_contents()
    assert badges == list(RELATIONS.values())
    colours = page.evaluate(
        "[...document.querySelectorAll('.group:first-child .relation')].map((e) => getComputedStyle(e).color)"
    )
    assert colours[0] == colours[1] == colours[2] != colours[3] == colours[4] != colours[5]


def test_frames_and_pages_are_told(page, tmp_path):
    first = write_picture(tmp_path / "a.png")
    members = [
        Member(replace(first, frames=frames, format=kind), Evidence("content", 1.0, "identical") if place else None)
        for place, (frames, kind) in enumerate([(12, "WEBP"), (3, "TIFF"), (2, "JPEG"), (1, "PNG"), (None, "PNG")])
    ]
    write_groups(tmp_path / "report.html", [Group(members)], PageOptions("", read=ReadOptions(1)), {})
    page.goto((tmp_path / "report.html").as_uri())
    settle(page)
    cards = page.locator(".card").all_text_contents()
    told = [re.findall("[0-9]+\N{NO-BREAK SPACE}(?:frame|page|picture)s?", text) for text in cards]
    assert told == [
        ["12\N{NO-BREAK SPACE}frames"],
        ["3\N{NO-BREAK SPACE}pages"],
        ["2\N{NO-BREAK SPACE}pictures"],
        [],
        [],
    ]


def test_the_filter_by_relation_bounds_what_is_accepted(page, judged):
    assert page.locator("#relation option").all_text_contents() == ["any relation", *RELATIONS.values()]
    page.click("#none")
    for _ in range(2):
        press(page, "j", *["ArrowRight", "u"] * 4)
    assert counts(page).startswith("0 to remove")
    choose(page, "relation", "copy")
    aside = page.locator(".group").first.locator(".card.aside .relation").all_text_contents()
    assert aside == [words for words in RELATIONS.values() if words != "copy"]
    page.click("#all")
    assert message(page).startswith("2 more pictures to remove.")
    choose(page, "relation", "edited")
    page.click("#all")
    assert message(page) == "Nothing to change."  # it is not proposed to go
    choose(page, "relation", "")
    page.click("#all")
    assert counts(page).startswith("8 to remove")


def test_a_leak_has_its_relation(page, tmp_path):
    source, copy = write_picture(tmp_path / "train.png"), write_picture(tmp_path / "test.png", 1)
    leaks = [Leak(copy, source, Evidence("vector", 0.93, "edited"))]
    write_leaks(tmp_path / "report.html", leaks, PageOptions("", read=ReadOptions(1)), {})
    page.goto((tmp_path / "report.html").as_uri())
    settle(page)
    assert page.locator(".card .badges").all_inner_texts() == ["Training", "Test\nedited"]
    assert counts(page).startswith("0 to remove")
    page.click("#all")
    assert counts(page).startswith("1 to remove")


@pytest.mark.parametrize(
    "element",
    [
        "<script>window.ran = 1</script>",
        "<script src='data:text/javascript,window.ran = 1'></script>",
        "<script type=module>window.ran = 1</script>",
        "<script type=module src='data:text/javascript,window.ran = 1'></script>",
        "<img src=x onerror='window.ran = 1'>",
    ],
)
def test_a_mistake_in_escaping_would_run_nothing(browser, tmp_path, element):
    path = tmp_path / "report.html"
    write_groups(path, made_groups(tmp_path, 1), PageOptions("", read=ReadOptions(1)), {})
    text = path.read_text().replace("<main ", f"{element}<main ", 1)
    with new_page(browser, told_nothing=False) as page:
        path.write_text(text.replace("Content-Security-Policy", "none", 1))
        page.goto(path.as_uri())
        page.wait_for_function("window.ran")
        path.write_text(text)
        page.reload()
        assert page.evaluate("window.ran") is None
        assert counts(page).startswith("0 to remove")  # the page's own modules run


def test_modules_need_no_network(browser, groups, tmp_path):
    with new_page(browser, offline=True) as page:
        page.goto((tmp_path / "report.html").as_uri())
        assert counts(page).startswith("0 to remove")
