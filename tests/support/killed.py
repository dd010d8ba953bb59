"""A process of its own that is killed in the middle: before the n-th call that changes the disk, or by its parent."""

import errno
import os
import sys
from pathlib import Path

sys.path.append(os.fspath(Path(__file__).resolve().parents[2]))
from imgsim_ops.cleanup.apply import SidecarOptions, apply_decisions
from imgsim_ops.cleanup.decisions import read_decisions
from imgsim_ops.cleanup.journal import Way
from imgsim_ops.cleanup.undo import undo
from tests.support.killing import ended, forked, kill_before


def no_links(kind):
    """Lets hard links fail with an error number, as on file systems without them or between two."""
    whole = os.link

    def link(source, target):
        # A copy that is whole gets its name by a link in the folder where both are.
        if os.path.dirname(source) == os.path.dirname(target) and kind == "EXDEV":
            return whole(source, target)
        raise OSError(getattr(errno, kind), "no link")

    os.link = link


def run(what, place, way, links):
    place = Path(place)
    if links != "links":
        no_links(links)
    if what == "undo":
        report = undo(place / "decisions.journal.jsonl")
    else:
        decisions = place / "decisions.json"
        folder = place / "gone" if way == "move" else None
        options = SidecarOptions(merge=(place / "merge").exists())
        report = apply_decisions(
            read_decisions(decisions), Way(way), decisions, folder=folder, sidecars=options, dry_run=False
        )
    for file in report.skipped:
        if file.code not in ("deleted", "needed"):
            print(file.code, file.message, file=sys.stderr)
    return 3 if report.skipped else 0


def child(what, place, way, links, number=None):
    """Runs it in a fork that dies at a call; returns None when it was killed, else its exit code."""

    def work():
        if number is not None:
            kill_before(number)
        return run(what, place, way, links)

    return ended(forked(work))


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
