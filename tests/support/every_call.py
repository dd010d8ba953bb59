"""Kills apply and undo before every single call that changes the disk, and looks at what is left each time.

A program of its own, because it forks: a process with threads must not.
"""

import itertools
import os
import shutil
import sys
from base64 import b64encode
from pathlib import Path

sys.path.append(os.fspath(Path(__file__).resolve().parents[2]))
from imgsim_ops.cleanup.decisions import DecidedGroup, write_decisions
from tests.support.killed import child
from tests.support.trees import hashes, many, put, sha256, snapshot, xmp_of

# A kill leaves what the kernel was told; only the loss of power asks for more, and this test loses none.
os.fsync = lambda descriptor: None


def main(place, way, links, count, sidecars=""):
    place = Path(place)
    tree, gone = place / "photos", place / "gone"
    os.environ["XDG_DATA_HOME"] = str(place / "gone")
    groups = many(tree, int(count), copies=0 if sidecars else 1, sidecars=bool(sidecars))
    if way == "hardlink":  # the small copies have no kept file with their bytes
        groups = [DecidedGroup(group.keep, group.remove[:1]) for group in groups]
    write_decisions(place / "decisions.json", groups)
    saved = place / "saved"
    kept = {file.path for group in groups for file in group.keep}
    if sidecars == "merge":
        (place / "merge").touch()
    # One of the kept ones has a sidecar, which is written to; its bytes are in the journal then.
    written = put(f"{min(kept)}.xmp", xmp_of("of the kept one")) if sidecars == "merge" else None
    before, bytes_before = snapshot(tree), hashes(tree)
    decided = {file.path for group in groups for file in (*group.keep, *group.remove)}
    beside = [path for path in before if sidecars and path not in {*decided, written}]
    removed_only = {file.sha256 for group in groups for file in group.remove}
    removed_only |= {sha256(before[path][0]) for path in beside}
    removed_only -= {file.sha256 for group in groups for file in group.keep}

    def check(when):
        found = snapshot(tree)
        for path in kept:
            assert found[path] == before[path], f"{when}: the kept file {path} is {found.get(path)}"
        lost = bytes_before - hashes(tree, gone)
        if written and found[written] != before[written]:
            assert b64encode(before[written][0]) in (place / "decisions.journal.jsonl").read_bytes(), when
            lost -= {sha256(before[written][0])}
        assert lost <= (removed_only if way == "delete" else set()), f"{when}: lost {lost}"

    def fresh():
        for folder in (tree, gone):
            shutil.rmtree(folder, ignore_errors=True)
        for journal in place.glob("*.jsonl"):
            journal.unlink()
        shutil.copytree(saved, tree)

    def undone(when):
        code = child("undo", place, way, links)
        if way == "delete":
            assert code in (0, 3), f"{when}: undo ended with {code}"
            check(when)
            return
        assert code == 0, f"{when}: undo ended with {code}"
        assert snapshot(tree) == before, f"{when}: undo left {difference(before, snapshot(tree))}"
        assert not snapshot(gone), f"{when}: undo left {snapshot(gone)}"

    shutil.copytree(tree, saved)
    kills = 0
    # Killed at each call, apply is either undone at once, or goes on and is undone then.
    for number, goes_on in ((number, goes_on) for number in itertools.count() for goes_on in (False, True)):
        fresh()
        code = child("apply", place, way, links, number)
        when = f"{way} {links}, killed at call {number}"
        check(when)
        if code is not None:
            assert code == 0, f"{when}: ended with {code}"
            break
        kills += 1
        journal = place / "decisions.journal.jsonl"
        if not journal.exists() or not journal.stat().st_size:
            continue
        if goes_on:
            assert child("apply", place, way, links) == 0, f"{when}: going on"
            check(when)
            left = [file.path for group in groups for file in group.remove if os.path.exists(file.path)]
            left += [path for path in beside if os.path.exists(path)]
            assert way == "hardlink" or not left, f"{when}: going on left {left}"
        undone(when)
    # Undo is killed at each of its calls, and finishes the next time.
    for number in itertools.count() if way != "delete" else ():
        fresh()
        assert child("apply", place, way, links) == 0
        code = child("undo", place, way, links, number)
        when = f"{way} {links}, undo killed at call {number}"
        check(when)
        undone(when)
        if code is not None:
            break
        kills += 1
    print(kills)


def difference(a, b):
    return {path: (a.get(path), b.get(path)) for path in {*a, *b} if a.get(path) != b.get(path)}


if __name__ == "__main__":
    main(*sys.argv[1:])
