"""kill -9 at any moment of apply and of undo loses nothing, and undo gives back the very tree."""

import os
import random
import subprocess
import sys
import time

import pytest

from imgsim_ops.cleanup.apply import apply_decisions
from imgsim_ops.cleanup.decisions import DecidedGroup, read_decisions, write_decisions
from imgsim_ops.cleanup.journal import Way
from imgsim_ops.cleanup.undo import undo
from tests.support import ROOT
from tests.support.trees import hashes, many, snapshot

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
SUPPORT = ROOT / "tests" / "support"


@pytest.mark.parametrize(
    ("way", "links", "groups"),
    [
        ("move", "links", 2),
        ("move", "EXDEV", 1),  # between two file systems
        ("move", "EPERM", 1),  # no hard links
        ("trash", "links", 1),
        ("trash", "EXDEV", 1),
        ("hardlink", "links", 2),
        ("delete", "links", 1),
    ],
)
def test_killed_before_every_call(tmp_path, way, links, groups):
    killed_before_every_call(tmp_path, way, links, groups)


def killed_before_every_call(tmp_path, way, links, groups, sidecars=""):
    command = [sys.executable, SUPPORT / "every_call.py", tmp_path, way, links, str(groups), sidecars]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 20  # kills: what is not killed proves nothing


@pytest.mark.parametrize(
    ("way", "links"), [("move", "links"), ("move", "EXDEV"), ("move", "EPERM"), ("trash", "links"), ("delete", "links")]
)
def test_killed_between_a_picture_and_its_sidecars(tmp_path, way, links):
    killed_before_every_call(tmp_path, way, links, 1, "sidecars")


@pytest.mark.parametrize(
    ("way", "links", "groups"),
    [("move", "links", 2), ("move", "EPERM", 2), ("trash", "links", 1), ("delete", "links", 2)],
)
def test_killed_while_metadata_is_merged(tmp_path, monkeypatch, way, links, groups):
    monkeypatch.setenv("PATH", "")  # no exiftool, which is a process of its own
    killed_before_every_call(tmp_path, way, links, groups, "merge")


@pytest.mark.parametrize("way", ["move", "hardlink", "trash", "delete"])
def test_killed_at_random_moments(tmp_path, monkeypatch, way):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "gone"))
    tree, gone = tmp_path / "photos", tmp_path / "gone"
    groups = many(tree, 60)
    if way == "hardlink":
        groups = [DecidedGroup(group.keep, group.remove[:2]) for group in groups]
    decisions, journal = tmp_path / "decisions.json", tmp_path / "decisions.journal.jsonl"
    write_decisions(decisions, groups)
    before, bytes_before = snapshot(tree), hashes(tree)
    kept = [file for group in groups for file in group.keep]
    random_moments = random.Random(way)

    def run_and_kill(what):
        """Kills a process once the journal has grown by some bytes; returns whether it was in time."""
        size = journal.stat().st_size if journal.exists() else 0
        size += random_moments.randrange(1, 20_000 if what == "apply" else 3_000)  # of some 100,000 and 20,000
        command = [sys.executable, SUPPORT / "killed.py", what, tmp_path, way, "links"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            while process.poll() is None and (not journal.exists() or journal.stat().st_size < size):
                time.sleep(0.0005)
            time.sleep(random_moments.random() / 1000)  # not only right after a line was written
            process.kill()
            process.wait()
            found = snapshot(tree)
            assert all(found[file.path] == before[file.path] for file in kept)
            lost = bytes_before - hashes(tree, gone)
            assert way == "delete" or not lost
            assert lost <= bytes_before - {file.sha256 for file in kept}
            return process.returncode == -9

    assert sum(run_and_kill("apply") for _ in range(8)) >= 3
    if way != "delete":
        assert sum(run_and_kill("undo") for _ in range(8)) >= 3
        assert undo(journal).skipped == []
        assert snapshot(tree) == before
        assert snapshot(gone) == {}
        return
    report = apply_decisions(read_decisions(decisions), Way.DELETE, decisions, dry_run=False)
    assert (report.skipped, len(report.steps) + report.before) == ([], 180)
    assert set(snapshot(tree)) == {file.path for file in kept}
