"""Carrying out decisions: each file is looked at again before it is touched, and no group is ever emptied."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup, Decisions
from imgsim_ops.cleanup.files import Found, holds, look
from imgsim_ops.cleanup.journal import (
    Action,
    Content,
    Entry,
    Header,
    Journal,
    State,
    Way,
    journal_names,
    read_journal,
)
from imgsim_ops.cleanup.places import Places
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal, refused
from imgsim_ops.cleanup.ways import WAYS
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.identity import may_be_one, one_name
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile


@dataclass(frozen=True)
class Step:
    """What was done to a file, or would be.

    Attributes:
        path: The file.
        size: Bytes.
        kept: The picture that stays in its place.
        to: Where the file went; None where it is deleted or linked. In a dry run the name may still come out otherwise.
        frees: Whether its bytes become free: not where it is moved, or has further names.
    """

    path: str
    size: int
    kept: str
    to: str | None
    frees: bool


@dataclass
class ApplyReport:
    """What came of decisions.

    Attributes:
        way: What is done to files.
        dry_run: Nothing was done.
        steps: In the order of the decisions.
        before: How many files had it done to them before.
        skipped: Files that are as they were, with the code of a `CleanupReason` or a ``Reason``.
        journal: What `undo` takes; None where nothing was done.
        interrupted: Ctrl-C came; the file in hand was finished.
    """

    way: Way
    dry_run: bool
    steps: list[Step] = field(default_factory=list)
    before: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    journal: Path | None = None
    interrupted: bool = False

    @property
    def size(self) -> int:
        """Bytes of the files of all steps."""
        return sum(step.size for step in self.steps)

    @property
    def freed(self) -> int:
        """Bytes that become free: those of files that are deleted or linked, and had no other name."""
        return sum(step.size for step in self.steps if step.frees)


def apply_decisions(
    decisions: Decisions,
    way: Way,
    beside: Path,
    *,
    folder: Path | None = None,
    journal: Path | None = None,
    dry_run: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> ApplyReport:
    """Does what was decided to each file that may go, one after the other.

    Right before a file is touched, its bytes and those of a kept picture of its group are hashed again. It is skipped
    when they have changed, and when no kept picture is left: another entry of a folder, no symbolic link, with the
    bytes that were looked at. Each action is in the journal before it is done. Decisions of which a part was carried
    out in the same way go on with the journal that they have.

    Args:
        decisions: What was decided.
        way: What is done.
        beside: The file of decisions, or any other name: journals lie beside it.
        folder: Where files are moved: with the folders below the one that is common to all files that go. Only for
            ``Way.MOVE``.
        journal: A place for the journal in particular.
        dry_run: Only look, and say what would be done.
        progress: Called with the number of files looked at.

    Returns:
        What was done, or would be.

    Raises:
        ImgsimError: The journal cannot be written, or belongs to something else; the folder is none.
    """
    target = WAYS[way].target(folder)
    header = Header(way, decisions.sha256, target, datetime.now().astimezone().isoformat(timespec="seconds"))
    place, known = _journal_place(beside, journal, header)
    run = _Run(decisions, header, dry_run)
    if dry_run:
        run.learn(known.entries if known else [])
        run.over_all(None, progress)
        return run.report
    with DeferredInterrupt() as interrupt:
        with Journal.open(place, known) if known else Journal.create(place, header) as book:
            run.interrupt = interrupt
            run.resume(book)
            run.over_all(book, progress)
        run.report.journal = place if book.entries else None
        if known is None and not book.entries:
            place.unlink()
    return run.report


def _journal_place(beside: Path, given: Path | None, header: Header) -> tuple[Path, Content | None]:
    """Where the journal is to be, and what it says if it is there."""
    for path in [given] if given else journal_names(beside):
        path = Path(os.path.abspath(path))
        if not os.path.lexists(path):
            return path, None
        known = _to_go_on(path, header)
        if known is not None:
            return path, known
    got = f"{printable(given)}, which is there"
    raise ImgsimError(f"apply: the journal must be new, or one of these decisions carried out in this way (got {got})")


def _to_go_on(path: Path, header: Header) -> Content | None:
    """A journal of the same decisions, carried out in the same way, of which nothing was undone; None of all else."""
    try:
        found = read_journal(path)
    except (ImgsimError, OSError):  # something else lies there
        return None
    ours = (found.header.way, found.header.decisions, found.header.folder)
    undone = any(entry.state in (State.UNDOING, State.UNDONE) for entry in found.entries)
    return found if ours == (header.way, header.decisions, header.folder) and not undone else None


class _Run:
    """One going through all decisions."""

    def __init__(self, decisions: Decisions, header: Header, dry_run: bool):
        self.report = ApplyReport(header.way, dry_run)
        self.interrupt: DeferredInterrupt | None = None
        self._decisions = decisions
        self._way = WAYS[header.way]
        self._places = Places(decisions, header.folder, dry_run)
        self._done: set[str] = set()
        self._kept: dict[int, list[str]] = defaultdict(list)  # by inode, which two mounts have in common
        self._gone: Counter[tuple[int, int]] = Counter()  # names of files that would be gone by now
        for group in decisions.groups:
            for file in group.keep:
                try:
                    status = os.stat(file.path)
                except OSError:  # when its group comes, this will be said
                    continue
                self._kept[status.st_ino].append(file.path)

    def learn(self, entries: Sequence[Entry]) -> None:
        """Takes in what has been done before."""
        self._done = {entry.action.path for entry in entries if entry.state is State.DONE}

    def resume(self, journal: Journal) -> None:
        """Brings what a crash cut short to an end, and learns what has been done."""
        for entry in journal.entries:
            if entry.state is State.INTENDED:
                try:
                    done = self._way.complete(entry.action)
                except (OSError, Refusal):  # what is wrong with the file is said in its turn; undo looks again
                    continue
                journal.note(entry, State.DONE if done else State.FAILED)
        self.learn(journal.entries)

    def over_all(self, journal: Journal | None, progress: Callable[[int], None]) -> None:
        """Goes through all files that go, until Ctrl-C."""
        files = ((group, file) for group in self._decisions.groups for file in group.remove)
        for number, (group, file) in enumerate(files, 1):
            if self.interrupt is not None and self.interrupt.pending:
                self.report.interrupted = True
                return
            try:
                with refused(CleanupReason.REFUSED, file.path):
                    self._one(group, file, journal)
            except Refusal as error:
                self.report.skipped.append(SkippedFile(file.path, error.code, str(error)))
            progress(number)

    def _one(self, group: DecidedGroup, file: DecidedFile, journal: Journal | None) -> None:
        if file.path in self._done and not os.path.lexists(file.path):
            self.report.before += 1
            return
        found = look(file.path)
        if found.sha256 != file.sha256:
            raise refusal(CleanupReason.CHANGED, file.path)
        self._check_not_kept(found)
        kept = self._kept_copy(group, found)
        if self._way.is_done(found, kept):
            self.report.before += 1
            return
        for action in self._way.actions(found, kept, self._places):
            action = replace(action, own=file.own or None)
            frees = self._way.frees and self._is_last_name(found)
            step = Step(file.path, found.status.st_size, kept.path, action.to, frees)
            if journal is not None and not self._carry_out(action, found, kept, journal):
                continue
            self.report.steps.append(step)
            return

    def _is_last_name(self, found: Found) -> bool:
        """Whether the file has no other name once this one is gone, and in a dry run those before it."""
        file = found.status.st_dev, found.status.st_ino
        gone_before = self._gone[file]
        self._gone[file] += self.report.dry_run
        return found.status.st_nlink - gone_before == 1

    def _check_not_kept(self, found: Found) -> None:
        for path in self._kept[found.status.st_ino]:
            try:
                is_it = may_be_one(os.stat(path), found.status)
            except OSError:  # gone since
                continue
            if is_it and (os.path.islink(path) or one_name(found.path, path)):
                raise refusal(CleanupReason.KEPT_TOO, found.path, f"kept as {printable(path)}")

    def _kept_copy(self, group: DecidedGroup, found: Found) -> Found:
        """A kept picture that is there now and stays there when the file goes."""
        objection = CleanupReason.NO_KEPT_COPY
        for file in self._way.candidates(group, found):
            kept = holds(file.path, file.sha256)
            if kept is None or (may_be_one(kept.status, found.status) and one_name(found.path, kept.path)):
                continue
            against = self._way.objection(found, kept)
            if against is None:
                return kept
            objection = against
        raise refusal(objection, found.path)

    def _carry_out(self, action: Action, found: Found, kept: Found, journal: Journal) -> bool:
        """Does it, with a line before and one after; False where the name has been taken meanwhile."""
        self._way.make_folders(action, journal)
        with refused(CleanupReason.NO_JOURNAL, action.path):
            entry = journal.intend(action)
        try:
            self._way.perform(action, found, kept)
        except FileExistsError:
            _note(journal, entry, State.FAILED)
            return False
        except Refusal:
            _note(journal, entry, State.FAILED)
            raise
        except OSError:
            done = self._way.complete(action)
            _note(journal, entry, State.DONE if done else State.FAILED)
            if not done:
                raise
            return True
        _note(journal, entry, State.DONE)
        return True


def _note(journal: Journal, entry: Entry, state: State) -> None:
    try:
        journal.note(entry, state)
    except OSError:  # the disk is full: the next intention will say so, and what was done to this file can be seen
        entry.state = state
