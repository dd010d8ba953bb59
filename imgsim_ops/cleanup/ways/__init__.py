"""What can be done to a file that goes: one class for each way, by the journal's word for it."""

from __future__ import annotations

from imgsim_ops.cleanup.journal import Action, Way
from imgsim_ops.cleanup.ways.base import CleanupWay, Deed
from imgsim_ops.cleanup.ways.deleting import Deleting
from imgsim_ops.cleanup.ways.linking import Linking
from imgsim_ops.cleanup.ways.moving import Moving
from imgsim_ops.cleanup.ways.trashing import Trashing
from imgsim_ops.cleanup.ways.writing import Writing

WAYS: dict[Way, CleanupWay] = {
    Way.MOVE: Moving(),
    Way.HARDLINK: Linking(),
    Way.TRASH: Trashing(),
    Way.DELETE: Deleting(),
}

WRITING = Writing()


def deed_of(way: Way, action: Action) -> Deed:
    """What a line of a journal is about, in which files that go have this done to them."""
    return WAYS[way] if action.merged_from is None else WRITING
