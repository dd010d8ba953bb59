"""Taking back what a journal says was done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from imgsim_ops.cleanup.journal import Entry, Journal, State, Way
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refused
from imgsim_ops.cleanup.ways import deed_of
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.reasons import SkippedFile


@dataclass
class UndoReport:
    """What was put back.

    Attributes:
        way: What had been done to the files.
        restored: Paths that are as they were.
        before: How many had been put back before.
        skipped: Files that could not be, with the code of a `CleanupReason` or a ``Reason``.
        interrupted: Ctrl-C came; the file in hand was finished.
    """

    way: Way
    restored: list[str] = field(default_factory=list)
    before: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    interrupted: bool = False


def undo(
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> UndoReport:
    """Puts back every file of a journal: its name, its bytes (by their hash), its time and its permissions.

    Nothing is overwritten: where something else has taken a file's place, the file stays where it is and is listed. The
    last thing done is taken back first. Folders that were made are removed when they are empty. It can be called again
    after a crash, and for files that could not be put back.

    Args:
        path: The journal.
        progress: Called with the number of actions looked at.

    Raises:
        ImgsimError: It is no journal, cannot be written, or is in use.
        OSError: It cannot be read.
    """
    with DeferredInterrupt() as interrupt, Journal.open(Path(path)) as journal:
        report = UndoReport(journal.header.way)
        for number, entry in enumerate(reversed(journal.entries), 1):
            if interrupt.pending:
                report.interrupted = True
                return report
            file = entry.action.path
            try:
                with refused(CleanupReason.REFUSED, file):
                    _one(journal, entry, report)
            except Refusal as error:
                report.skipped.append(SkippedFile(file, error.code, str(error)))
            progress(number)
        for folder in reversed(journal.folders):
            with contextlib.suppress(OSError):  # something is in it, or it is gone
                os.rmdir(folder)
    return report


def _one(journal: Journal, entry: Entry, report: UndoReport) -> None:
    action = entry.action
    way = deed_of(journal.header.way, action)
    if entry.state is State.INTENDED:
        journal.note(entry, State.DONE if way.complete(action) else State.FAILED)
    if entry.state is State.UNDONE:
        report.before += 1
    if entry.state not in (State.DONE, State.UNDOING):
        return
    part = entry.undo_part if entry.state is State.UNDOING else None
    try:
        way.take_back(action, part, lambda name: journal.undoing(entry, name))
    except (OSError, Refusal):
        if entry.state is State.UNDOING and part is None:  # it has failed, which is not to be cut short
            with contextlib.suppress(OSError):
                journal.note(entry, State.DONE)
        raise
    journal.note(entry, State.UNDONE)
    report.restored.append(action.path)
