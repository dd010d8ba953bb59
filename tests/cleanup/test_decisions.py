"""Files of decisions: what is written is read, and what breaks a rule is told in one line."""

import json
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsim_ops.cleanup.decisions import (
    DecidedFile,
    DecidedGroup,
    decisions_as_json,
    parse_decisions,
    proposed,
    read_decisions,
    write_decisions,
)
from imgsim_ops.collection.findings import Evidence, Group, Member, Picture
from imgsim_ops.errors import ImgsimError

HASH = "0123456789abcdef" * 4


def a_file(path="/a.jpg", sha256=HASH, **more):
    return {"path": path, "sha256": sha256, **more}


def document(*groups, **more):
    listed = [{"keep": keep, "remove": remove} for keep, remove in groups]
    return {"imgsim": "decisions", "version": 1, "groups": listed, **more}


def parse(value):
    return parse_decisions(json.dumps(value).encode(), "decisions.json")


# Names of any bytes but / and NUL, as they look in Python.
names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda b: not set(b) & {0, ord("/")} and b not in (b".", b".."))
    .map(os.fsdecode)
)
hashes = st.text(string.hexdigits[:16], min_size=64, max_size=64)


@given(st.lists(st.tuples(names, hashes), unique_by=lambda pair: os.path.normcase(pair[0]), max_size=20), st.randoms())
def test_what_is_written_is_read(tmp_path_factory, files, random):
    decided = [DecidedFile(f"/photos/{name}", sha256) for name, sha256 in files]
    groups = []
    while decided:
        size = random.randint(1, len(decided))
        part, decided = decided[:size], decided[size:]
        keep = random.randint(1, size)
        groups.append(DecidedGroup(tuple(part[:keep]), tuple(part[keep:])))
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_decisions(path, groups)
    assert path.read_bytes().isascii()
    assert read_decisions(path).groups == tuple(groups)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["whole", "groups", "version", "imgsim", "group", "keep", "remove", "file", "path", "sha256"]),
    anything,
)
def test_no_nonsense_gets_through(where, value):
    good = document(([a_file()], [a_file("/b.jpg")]))
    spoiled = {
        "whole": value,
        "group": {**good, "groups": [value]},
        "keep": document((value, [])),
        "remove": document(([a_file()], value)),
        "file": document(([value], [])),
        "path": document(([a_file(value)], [])),
        "sha256": document(([a_file(sha256=value)], [])),
    }.get(where, {**good, where: value})
    if spoiled in (good, document(([a_file()], []))) or (value == [] and where in ("groups", "remove")):
        return
    if where == "version" and value == 1 and type(value) is int:
        return
    with pytest.raises(ImgsimError, match=r"decisions: .* \(got .*\)") as caught:
        parse(spoiled)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=50))
def test_bytes_that_are_no_decisions(content):
    with pytest.raises(ImgsimError, match="must"):
        parse_decisions(content, "decisions.json")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (document(version=2), "the version must be 1 (got 2)"),
        (document(version=True), "the version must be 1 (got true)"),
        ({**document(), "imgsim": "journal"}, '"imgsim": "decisions"'),
        (document(([], [a_file()])), "a group must keep a picture (got none in group 1)"),
        (document(([], [])), "a group must keep a picture (got none in group 1)"),
        (document(([a_file("a.jpg")], [])), 'a path must be absolute (got "a.jpg")'),
        (document(([a_file("/a\0.jpg")], [])), "one that a file can have"),
        (document(([a_file("/a/")], [])), "one that a file can have"),
        (document(([a_file("/a/..")], [])), "one that a file can have"),
        (document(([a_file("/\ud800")], [])), "one that a file can have"),
        (document(([a_file(sha256=HASH[:-1])], [])), "64 hexadecimal digits"),
        (document(([a_file(sha256=HASH + "\n")], [])), "64 hexadecimal digits"),
        (document(([a_file()], [a_file()])), "both kept and removed (got /a.jpg)"),
        (document(([a_file()], [a_file("//x/.././a.jpg")])), "both kept and removed"),
        (document(([a_file()], []), ([a_file("/b")], [a_file()])), "both kept and removed"),
        (document(([a_file("/x")], [a_file()]), ([a_file("/b")], [a_file()])), "in one group only (got /a.jpg)"),
        (document(([a_file()], [a_file("/b"), a_file("/b", "0" * 64)])), "one sha256 (got /b)"),
    ],
)
def test_rules(value, words):
    with pytest.raises(ImgsimError) as caught:
        parse(value)
    assert words in str(caught.value)


def test_a_key_twice_is_an_error():
    with pytest.raises(ImgsimError, match="a key twice: keep"):
        parse_decisions(b'{"imgsim": "decisions", "version": 1, "groups": [{"keep": [], "keep": []}]}', "x")


def test_a_path_twice_in_a_group_counts_once():
    decisions = parse(document(([a_file()], [a_file("/b"), a_file("/./b", HASH.upper())])))
    assert decisions.groups[0].remove == (DecidedFile("/b", HASH),)


def test_further_keys_are_passed_over():
    value = document(([a_file(score=1)], []), made="by hand")
    assert decisions_as_json(parse(value).groups) == document(([a_file()], []))


def test_groups_that_break_a_rule_are_not_written(tmp_path):
    with pytest.raises(ImgsimError):
        write_decisions(tmp_path / "d.json", [DecidedGroup((), (DecidedFile("/a", HASH),))])
    assert os.listdir(tmp_path) == []


def member(name, relation=None, remove=False, kept=0):
    picture = Picture(f"/{name}", 1, 0, bytes.fromhex(HASH), 1, 1, "PNG")
    return Member(picture, None if relation is None else Evidence("vector", 0.9, relation), remove, kept)


def test_what_goes_is_proposed_with_what_stays_in_its_place(tmp_path):
    groups = [
        Group((member("a"), member("b", "copy", True), member("c", "edited"))),
        Group((member("d"), member("e", "part"), member("f", "look_alike"))),
        Group((member("g"), member("h", "edited"), member("i", "identical", True, 1), member("j", "copy", True))),
    ]
    found = [([file.path for file in group.keep], [file.path for file in group.remove]) for group in proposed(groups)]
    # What differs is neither kept nor removed: nobody decided about it. Where nothing goes, nothing was decided.
    assert found == [(["/a"], ["/b"]), (["/g", "/h"], ["/i", "/j"])]
    assert all(file.sha256 == HASH for group in proposed(groups) for file in (*group.keep, *group.remove))
    write_decisions(tmp_path / "d.json", proposed(groups))
    assert read_decisions(tmp_path / "d.json").groups == tuple(proposed(groups))
