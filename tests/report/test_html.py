import base64
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.collection.findings import Evidence, Group, Leak, Member
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.report import html
from imgsim_ops.report.html import PageOptions, write_groups, write_leaks
from tests.support.findings_made import described, made_groups, write_picture
from tests.support.page_parts import NASTY, ODD_NAMES, Elements, assert_closed

FACTS = {"threshold": "0.9"}


class Page:
    def __init__(self, path):
        self.text = path.read_bytes().decode("utf-8")
        self.elements = Elements(self.text)
        scripts = self.elements.named("script")
        self.groups = [json.loads(text) for attributes, text in scripts if attributes.get("class") == "group"]
        self.pictures = [text for attributes, text in scripts if attributes.get("id", "")[:1] == "t"]
        (self.report,) = [json.loads(text) for attributes, text in scripts if attributes.get("id") == "report"]


def write(path, groups, title="Duplicates", facts=FACTS, skipped=(), progress=None, **options):
    report = write_groups(path, groups, PageOptions(title, read=ReadOptions(1), **options), facts, skipped, progress)
    return report, Page(path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "report.html"


def test_every_group_and_member_is_there(tmp_path, out, nothing_left):
    groups = list(made_groups(tmp_path, proposed=True))
    seen = []
    report, page = write(out, iter(groups), progress=seen.append)
    assert (report.groups, report.shown, report.pictures, report.unreadable) == (3, 3, 9, 0)
    assert seen == [1, 2, 3]
    assert [[member["path"] for member in group["members"]] for group in page.groups] == [
        [member.picture.path for member in group.members] for group in groups
    ]
    for shown, group in zip(page.groups, groups, strict=True):
        assert shown["best"] == group.best
        assert "evidence" not in shown["members"][0]
        for entry, member in zip(shown["members"][1:], group.members[1:], strict=True):
            assert entry["sha256"] == member.picture.sha256.hex()
            assert entry["evidence"]["stage"] == member.evidence.stage
            assert entry["evidence"]["score"] == member.evidence.score
            assert entry["evidence"]["relation"] == entry["relation"] == member.relation
            assert entry["remove"] == member.remove
    evidence = page.groups[0]["members"][2]["evidence"]
    assert evidence["transform"] == [2, 0, 0, 0, 2, 0]
    assert evidence["differences"] == [{"here": [3, 4, 5, 6], "there": [6, 8, 10, 12]}]
    assert (evidence["overlap"], evidence["lacks"]) == ([1, 1], ["detail"])
    assert page.report["facts"] == [["threshold", "0.9"]]


def test_pictures_are_embedded_once_for_each_content(tmp_path, out):
    _, page = write(out, made_groups(tmp_path), side=16)
    assert len(page.pictures) == 6  # of nine files three are equal to another
    for group in page.groups:
        first, copy, _ = group["members"]
        assert first["thumbnail"] == copy["thumbnail"]
    for text in page.pictures:
        kind, _, content = text.partition(",")
        assert kind == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(content, validate=True))) as image:
            image.load()
            assert image.size == (16, 12)


def test_nothing_is_fetched_and_only_its_own_script_runs(tmp_path, out):
    _, page = write(out, made_groups(tmp_path, 1))
    assert_closed(page.text)
    assert not any("src" in attributes for _, attributes, _ in page.elements.found)


@settings(max_examples=60, deadline=None)
@given(ODD_NAMES, st.sampled_from(NASTY))
def test_names_change_nothing_but_their_own_text(name, nasty):
    with tempfile.TemporaryDirectory() as folder:
        picture = described(write_picture(Path(folder) / "plain.png").path)
        plain = Page(_written(folder, picture, "/x"))
        odd = Page(_written(folder, picture, nasty + name))
    assert [(tag, sorted(a)) for tag, a, _ in odd.elements.found] == [
        (t, sorted(a)) for t, a, _ in plain.elements.found
    ]
    (group,) = odd.groups
    member = group["members"][1]
    assert member["path"] == nasty + name
    shown = member.get("printable", member["path"])
    assert shown.isprintable()
    assert odd.report["facts"][0][1].isprintable()


def _written(folder, picture, name):
    """A page whose second picture, a copy of the first, has a name that need not exist."""
    member = Member(picture.__class__(**{**vars(picture), "path": name}), Evidence("content", 1.0, "identical"))
    path = Path(folder) / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "IsolatedReaders", _Readers)
        write_groups(
            path, [Group((Member(picture, None), member), 0)], PageOptions(name, read=ReadOptions(1)), {name: name},
            [SkippedFile(name, "missing", name)],
        )  # fmt: skip
    return path


class _Readers:
    """Answers at once, so that many pages can be written; what a process says is tested elsewhere."""

    def __init__(self, *options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def read(self, path):
        from concurrent.futures import Future

        future = Future()
        future.set_result(b"a picture")
        return future


def test_bytes_of_names_survive(tmp_path, out):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    picture = write_picture(tmp_path / "a.png")
    os.rename(picture.path, path)
    _, page = write(out, [Group((Member(described(os.fsdecode(path)), None),), 0)])
    (member,) = page.groups[0]["members"]
    assert os.fsencode(member["path"]) == path
    assert member["printable"].endswith("caf\\xe9.png")
    assert "thumbnail" in member


def test_what_cannot_be_read_has_a_reason(tmp_path, out):
    gone = write_picture(tmp_path / "gone.png", 1)
    twin = write_picture(tmp_path / "twin.png", 1)
    lost = write_picture(tmp_path / "lost.png", 2)
    os.unlink(gone.path)
    os.unlink(lost.path)
    group = Group(
        (
            Member(gone, None),
            Member(twin, Evidence("content", 1.0, "identical")),
            Member(lost, Evidence("vector", 0.9)),
        ),
        0,
    )
    report, page = write(out, [group])
    first, second, third = page.groups[0]["members"]
    assert first["unreadable"] == third["unreadable"] == "missing"
    assert "thumbnail" in second  # the same content, from the file that is still there
    assert report.unreadable == 2


def test_groups_beyond_the_limit_are_counted(tmp_path, out):
    report, page = write(out, made_groups(tmp_path, 5), most_pictures=4)
    assert (report.groups, report.shown, report.pictures) == (5, 2, 6)
    assert len(page.groups) == 2
    assert page.report["groups"] == 5


def test_the_same_groups_have_the_same_key_and_others_another(tmp_path, out):
    groups = list(made_groups(tmp_path, 2))
    keys = [write(out, some, title=title)[1].report["digest"] for some, title in (
        (groups, "a"), (groups, "b"), (groups[:1], "a"), (groups[::-1], "a"),
    )]  # fmt: skip
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_facts_and_skipped_files_are_read_at_the_end(tmp_path, out):
    facts, skipped = {}, []

    def groups():
        yield from made_groups(tmp_path, 1)
        facts["pairs"] = "12"
        skipped.append(SkippedFile("/a/b.jpg", "truncated", "..."))

    _, page = write(out, groups(), facts=facts, skipped=skipped)
    assert page.report["facts"] == [["pairs", "12"]]
    assert page.report["skipped"] == {"count": 1, "files": [{"path": "/a/b.jpg", "code": "truncated"}]}


def test_leaks_pair_a_test_picture_with_its_source(tmp_path, out):
    source, copy = write_picture(tmp_path / "train.png"), write_picture(tmp_path / "test.png", 1)
    write_leaks(out, [Leak(copy, source, Evidence("vector", 0.93))], PageOptions("Leaks", read=ReadOptions(1)), FACTS)
    page = Page(out)
    assert page.report["kind"] == "leaks"
    assert [member["path"] for member in page.groups[0]["members"]] == [source.path, copy.path]
    assert page.groups[0]["best"] == 0


def test_relations_and_proposals_are_handed_on(tmp_path, out):
    first, second = write_picture(tmp_path / "a.png"), write_picture(tmp_path / "b.png", 1)
    judged = Member(second, Evidence("local", 0.8, "part"), remove=True)
    _, page = write(out, [Group((Member(first, None), judged), 0)])
    assert [(m["relation"], m["remove"]) for m in page.groups[0]["members"]] == [(None, False), ("part", True)]


def test_a_failure_leaves_the_file_before(tmp_path, out, nothing_left):
    out.write_text("before")

    def groups():
        yield from made_groups(tmp_path, 1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write(out, groups())
    assert out.read_text() == "before"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"side": 0}, r"report: side must be 1 or more \(got 0\)"),
        ({"most_pictures": 0}, r"report: most_pictures must be 1 or more \(got 0\)"),
    ],
)
def test_options_out_of_range(out, option, message):
    with pytest.raises(ImgsimError, match=message):
        write(out, [], **option)


def test_readers_are_asked_for_few_pictures_at_a_time(tmp_path, out, monkeypatch):
    """Memory is bounded: what was read and not written is never more than the readers need to be kept busy."""
    asked = []
    monkeypatch.setattr(IsolatedReaders, "read", lambda self, path: asked.append(path) or _Readers().read(path))
    picture = write_picture(tmp_path / "a.png")
    waiting = []

    def groups():
        for number in range(200):
            other = picture.__class__(**{**vars(picture), "sha256": number.to_bytes(32, "big")})
            waiting.append(len(asked) - out_pictures())
            yield Group((Member(other, None),), 0)

    def out_pictures():
        (temporary,) = tmp_path.glob(".report.html.*")
        return max(0, temporary.read_bytes().count(b'id="t') - 1)

    write_groups(out, groups(), PageOptions("", read=ReadOptions(1)), {})
    assert len(asked) == 200
    # The file's buffer holds back some blocks of a hundred bytes, 8 kB at the most.
    assert max(waiting) < 120
