"""What can be done to a file that goes: one class for each way, by the journal's word for it."""

from __future__ import annotations

from imgsim_ops.cleanup.journal import Way
from imgsim_ops.cleanup.ways.base import CleanupWay
from imgsim_ops.cleanup.ways.deleting import Deleting
from imgsim_ops.cleanup.ways.linking import Linking
from imgsim_ops.cleanup.ways.moving import Moving
from imgsim_ops.cleanup.ways.trashing import Trashing

WAYS: dict[Way, CleanupWay] = {
    Way.MOVE: Moving(),
    Way.HARDLINK: Linking(),
    Way.TRASH: Trashing(),
    Way.DELETE: Deleting(),
}
