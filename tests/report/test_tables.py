import csv
import os
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from imgsim_ops.collection.findings import Evidence, Group, Leak
from imgsim_ops.errors import ImgsimError
from imgsim_ops.report import tables
from tests.support.findings_made import made_groups, write_picture


def test_csv(tmp_path):
    groups = list(made_groups(tmp_path, 2, proposed=True))
    tables.write_csv(tmp_path / "t.csv", groups)
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["group"] for row in rows] == ["1", "1", "1", "2", "2", "2"]
    assert [row["path"] for row in rows] == [member.picture.path for group in groups for member in group.members]
    assert [row["role"] for row in rows[:3]] == ["kept", "member", "member"]
    assert [row["best"] for row in rows[:3]] == ["yes", "", ""]
    assert [row["relation"] for row in rows[:3]] == ["", "identical", "edited"]
    assert [row["remove"] for row in rows[:3]] == ["", "yes", ""]
    first, content, local = rows[:3]
    assert (first["stage"], first["score"], first["distance"]) == ("", "", "")
    assert (content["stage"], content["score"], content["distance"], content["inliers"]) == (
        "content",
        "1.000000",
        "",
        "",
    )
    assert (local["stage"], local["distance"], local["inliers"], local["orientation"]) == ("local", "40", "25", "1")
    assert (local["width"], local["height"], local["format"]) == ("20", "15", "PNG")
    assert local["sha256"] == groups[0].members[2].picture.sha256.hex()


def test_why_something_stays(tmp_path):
    (group,) = made_groups(tmp_path, 1)
    members = [group.members[0], replace(group.members[1], stays_for=("film", "rating"))]
    tables.write_csv(tmp_path / "t.csv", [Group(members)])
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        assert [row["stays_for"] for row in csv.DictReader(file)] == ["", "film rating"]


def test_odd_names_keep_their_bytes(tmp_path):
    name = os.fsencode(tmp_path) + b'/"a", \xff\xe9.png'
    picture = write_picture(name)
    picture = type(picture)(os.fsdecode(name), *list(vars(picture).values())[1:])
    leak = Leak(picture, picture, Evidence("content", 1.0, "identical"))
    tables.write_paths(tmp_path / "list", [picture])
    assert (tmp_path / "list").read_bytes() == name + b"\n"
    tables.write_junit(tmp_path / "t.xml", [picture], [leak])
    case = ElementTree.parse(tmp_path / "t.xml").getroot().find("testsuite/testcase")
    assert case.get("name").startswith('"a", ')
    for odd in ("/a\nb", "/a\rb", "\n"):
        broken = type(picture)(odd, *list(vars(picture).values())[1:])
        with pytest.raises(ImgsimError, match="no name in it may hold a line break"):
            tables.write_paths(tmp_path / "list", [picture, broken])
        assert (tmp_path / "list").read_bytes() == name + b"\n"
        tables.write_paths(tmp_path / "null", [picture, broken], null=True)
        assert (tmp_path / "null").read_bytes() == name + b"\0" + odd.encode() + b"\0"


def test_junit(tmp_path):
    pictures = [write_picture(tmp_path / f"{n}.png", n) for n in range(4)]
    source = write_picture(tmp_path / "<source>&.png", 9)
    leaks = [Leak(pictures[2], source, Evidence("local", 0.7, "part", None, 31, (1, 0, 0, 0, 1, 0), orientation=6))]
    tables.write_junit(tmp_path / "t.xml", pictures, leaks)
    suite = ElementTree.parse(tmp_path / "t.xml").getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["0.png", "1.png", "2.png", "3.png"]
    assert [len(case) for case in cases] == [0, 0, 1, 0]
    (failure,) = cases[2]
    assert failure.get("type") == "part"
    assert failure.get("message") == f"a part of it, turned right by 90° to fit: {source.path}"


UPRIGHT, TWICE, HALF = (1, 0, 5, 0, 1, 0), (2, 0, 5, 0, 2, 0), (-0.5, 0, 5, 0, -0.5, 0)
BOX = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence("content", 1.0, "identical"), "equal bytes"),
        (Evidence("perceptual", 0.98, "same_pixels", 3), "equal pixels"),
        (Evidence("perceptual", 0.98, "copy", 3, transform=UPRIGHT), "a copy"),
        (Evidence("vector", 0.98765, "copy", orientation=2), "a copy, mirrored"),
        (Evidence("local", 0.5, "copy", inliers=12, transform=TWICE), "a copy, smaller"),
        (
            Evidence("local", 0.5, "part", inliers=12, transform=HALF, orientation=3),
            "a part of it, turned by 180°, larger",
        ),
        (Evidence("local", 0.5, "edited", transform=UPRIGHT), "edited"),
        (Evidence("local", 0.5, "edited", differences=((BOX, BOX),)), "edited, 1 place differs"),
        (Evidence("local", 0.5, "edited", differences=((BOX, BOX),) * 3), "edited, 3 places differ"),
        (Evidence("vector", 0.98765, "look_alike"), "looks alike, similarity 0.99"),
    ],
)
def test_words(evidence, words):
    assert evidence.words == words
