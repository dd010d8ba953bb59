"""``imgsim apply`` and ``imgsim undo``."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from imgsim_ops.cleanup.journal import Journal
from tests.support.trees import xmp_of

KEPT = b"kept"


@pytest.fixture
def decisions(tmp_path, monkeypatch):
    """Three copies of a picture of which one is kept, and the file that says so."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "photos"
    folder.mkdir()
    files = []
    for name in ("kept.jpg", "[red]a.jpg", os.fsdecode(b"b\xff\n.jpg")):
        (folder / name).write_bytes(KEPT)
        files.append({"path": str(folder / name), "sha256": hashlib.sha256(KEPT).hexdigest()})
    document = {"imgsim": "decisions", "version": 1, "groups": [{"keep": files[:1], "remove": files[1:]}]}
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps(document))
    return path


def left(decisions):
    return len(os.listdir(decisions.parent / "photos"))


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr("imgsim_ops.cli.apply._on_terminal", lambda: True)


def test_dry_run_then_for_good(imgsim, decisions):
    result = imgsim("apply", decisions, "--trash")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "2 files would be moved to the trash" in result.stdout
    assert "Nothing was touched" in result.stdout
    assert left(decisions) == 3
    result = imgsim("apply", decisions, "--trash", "--yes")
    assert (result.exit_code, left(decisions)) == (0, 1)
    journal = decisions.with_name("decisions.journal.jsonl")
    assert f"Journal: {journal}" in result.stdout
    assert "2 done before" in imgsim("apply", decisions, "--trash", "--yes").stdout
    result = imgsim("undo", journal)
    assert (result.exit_code, left(decisions)) == (0, 3)
    assert "2 files are back" in result.stdout
    assert "0 files are back, 2 were before" in imgsim("undo", journal).stdout


def test_what_lies_beside_goes_along_or_is_left(imgsim, decisions):
    film = decisions.parent / "photos" / "[red]a.mov"
    film.write_bytes(b"film")
    result = imgsim("apply", decisions, "--trash")
    assert "3 files would be moved to the trash, 1 of them beside pictures" in result.stdout
    assert "2 files would be moved" in imgsim("apply", decisions, "--trash", "--leave-sidecars").stdout
    document = json.loads(imgsim("apply", decisions, "--trash", "--yes", "--json").stdout)
    assert [file.get("sidecar_of") for file in document["files"]] == [None, str(film.with_suffix(".jpg")), None]
    assert not film.exists()
    assert "3 files are back" in imgsim("undo", document["journal"]).stdout
    assert film.read_bytes() == b"film"


def test_metadata_is_merged(imgsim, decisions):
    beside = decisions.parent / "photos" / "[red]a.xmp"
    beside.write_bytes(xmp_of("cat", rating=4))
    written = decisions.parent / "photos" / "kept.jpg.xmp"
    result = imgsim("apply", decisions, "--trash", "--merge-metadata")
    assert "1 sidecar of kept pictures would be written: keywords, rating" in result.stdout
    assert not written.exists()
    document = json.loads(imgsim("apply", decisions, "--trash", "--merge-metadata", "--yes", "--json").stdout)
    assert document["merged"] == [
        {"path": str(written), "picture": str(beside.with_suffix(".jpg")), "topics": ["rating", "keywords"]}
    ]
    assert written.exists()
    assert "4 files are back" in imgsim("undo", document["journal"]).stdout
    assert not written.exists()
    result = imgsim("apply", decisions, "--hardlink", "--merge-metadata")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_names_are_shown_on_one_line_and_not_as_markup(imgsim, decisions, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    result = imgsim("apply", decisions, "--hardlink")
    assert "[red]a.jpg" in result.stdout
    assert "b\\xff\\n.jpg" in result.stdout


def test_json(imgsim, decisions):
    result = imgsim("apply", decisions, "--move-to", decisions.parent / "gone", "--yes", "--json")
    assert result.exit_code == 0
    assert result.stdout.isascii()
    document = json.loads(result.stdout)
    listed = json.loads(decisions.read_text())["groups"][0]
    assert [file["path"] for file in document["files"]] == [file["path"] for file in listed["remove"]]
    assert {file["kept"] for file in document["files"]} == {listed["keep"][0]["path"]}
    assert all(os.path.exists(file["to"]) for file in document["files"])
    assert (document["way"], document["dry_run"], document["bytes"]) == ("move", False, 2 * len(KEPT))
    assert (document["done_before"], document["interrupted"], document["skipped"]) == (0, False, [])
    back = json.loads(imgsim("undo", document["journal"], "--json").stdout)
    assert sorted(back["restored"]) == sorted(file["path"] for file in document["files"])
    assert back["skipped"] == []


def test_skipped_files(imgsim, decisions):
    (decisions.parent / "photos" / "[red]a.jpg").write_bytes(b"edited")
    result = imgsim("apply", decisions, "--move-to", decisions.parent / "gone", "--yes")
    assert (result.exit_code, left(decisions)) == (3, 2)
    assert "Skipped 1 file: 1 changed" in result.stdout
    (decisions.parent / "photos" / "kept.jpg").unlink()
    result = imgsim("apply", decisions, "--hardlink", "--json")
    assert result.exit_code == 3
    assert [file["code"] for file in json.loads(result.stdout)["skipped"]] == ["changed", "missing"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "one of --move-to, --hardlink, --trash, --delete must be given (got none)"),
        (["--trash", "--delete"], "(got --trash and --delete)"),
        (["--delete", "--yes"], "must be confirmed on a terminal, or by --no-undo (got no terminal)"),
        (["--move-to", "decisions.json"], "must be moved to a folder"),
        (["--trash", "--yes", "--journal", "missing/j"], "--journal names another"),
    ],
)
def test_mistakes(failure, decisions, monkeypatch, options, words):
    monkeypatch.chdir(decisions.parent)
    assert words in failure("apply", decisions, *options)
    assert left(decisions) == 3


def test_files_that_are_not_what_they_should_be(failure, decisions):
    decisions.write_text("words")
    assert "the file must be JSON (got" in failure("apply", decisions, "--trash")
    assert "(got" in failure("apply", decisions.with_name("missing.json"), "--trash")
    assert "must be one that imgsim apply or undo wrote" in failure("undo", decisions)
    assert "(got" in failure("undo", decisions.with_name("missing.jsonl"))


def test_deleting_wants_the_number_of_files(imgsim, decisions, terminal, monkeypatch):
    answers = iter(["yes", "2"])
    monkeypatch.setattr("typer.prompt", lambda *words, **options: next(answers))
    result = imgsim("apply", decisions, "--delete", "--yes")
    assert (result.exit_code, left(decisions)) == (2, 3)
    assert "must be typed, and nothing was touched (got 'yes')" in result.stderr
    result = imgsim("apply", decisions, "--delete", "--yes", "--json")
    assert (result.exit_code, left(decisions)) == (0, 1)
    assert "2 files will be deleted for good" in result.stderr
    result = imgsim("undo", json.loads(result.stdout)["journal"])
    assert result.exit_code == 3
    assert "Skipped 2 files: 2 deleted" in result.stdout


def test_deleting_without_a_terminal(imgsim, decisions):
    assert imgsim("apply", decisions, "--delete").exit_code == 0  # a dry run asks nothing
    assert left(decisions) == 3
    assert imgsim("apply", decisions, "--delete", "--yes", "--no-undo").exit_code == 0
    assert left(decisions) == 1


def test_ctrl_c(imgsim, decisions, monkeypatch):
    """The file in hand is finished, and the journal has it."""
    code = f"""
import signal, sys
from imgsim_ops.cleanup.journal import Journal
from tests.support.trees import xmp_of
intend = Journal.intend
def interrupted(self, action):
    signal.raise_signal(signal.SIGINT)
    return intend(self, action)
Journal.intend = interrupted
sys.argv = ["imgsim", "apply", {str(decisions)!r}, "--trash", "--yes"]
signal.signal(signal.SIGINT, signal.default_int_handler)
from imgsim_ops.cli import main
main()
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (130, "imgsim: stopped\n")
    assert "Stopped after 1 of 2 files" in result.stdout
    assert left(decisions) == 2
    with Journal.open(decisions.with_name("decisions.journal.jsonl")) as journal:
        assert [entry.state.value for entry in journal.entries] == ["done"]
    assert "1 done before" in imgsim("apply", decisions, "--trash", "--yes").stdout
    assert left(decisions) == 1
