"""Carrying out decisions: each file is looked at again before it is touched, and no group is ever emptied."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from imgsim_ops.cleanup.ways import WAYS, WRITING, deed_of
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.identity import may_be_one, one_name
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.sidecars import Sidecars

if TYPE_CHECKING:
    from imgsim_ops.cleanup.merging import Merging


@dataclass(frozen=True)
class Step:
    """What was done to a file, or would be.

    Attributes:
        path: The file.
        size: Bytes.
        kept: The picture that stays in its place.
        to: Where the file went; None where it is deleted or linked. In a dry run the name may still come out otherwise.
        frees: Whether its bytes become free: not where it is moved, or has further names.
        sidecar_of: The picture that it goes with; None of a picture.
    """

    path: str
    size: int
    kept: str
    to: str | None
    frees: bool
    sidecar_of: str | None = None


@dataclass(frozen=True)
class SidecarOptions:
    """What becomes of the files beside the pictures that go.

    Attributes:
        leave: They stay where they are.
        merge: What only a picture that goes says (rating, keywords, date, place) is written into the kept one's sidecar
            before.
    """

    leave: bool = False
    merge: bool = False


@dataclass(frozen=True)
class Merged:
    """What was written into a sidecar of a kept picture, or would be.

    Attributes:
        path: The sidecar.
        picture: The picture that it comes from.
        topics: ``rating``, ``keywords``, ``date``, ``place``.
    """

    path: str
    picture: str
    topics: tuple[str, ...]


@dataclass
class ApplyReport:
    """What came of decisions.

    Attributes:
        way: What is done to files.
        dry_run: Nothing was done.
        steps: In the order of the decisions.
        before: How many pictures had it done to them before.
        skipped: Files that are as they were, with the code of a `CleanupReason` or a ``Reason``.
        journal: What `undo` takes; None where nothing was done.
        interrupted: Ctrl-C came; the file in hand was finished.
        looked_at: How many pictures had their turn.
        merged: What was written into sidecars of kept pictures.
    """

    way: Way
    dry_run: bool
    steps: list[Step] = field(default_factory=list)
    before: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)
    journal: Path | None = None
    interrupted: bool = False
    looked_at: int = 0
    merged: list[Merged] = field(default_factory=list)

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
    sidecars: SidecarOptions = SidecarOptions(),
    dry_run: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> ApplyReport:
    """Does what was decided to each file that may go, one after the other.

    Right before a file is touched, its bytes and those of a kept picture of its group are hashed again. It is skipped
    when they have changed, and when no kept picture is left: another entry of a folder, no symbolic link, with the
    bytes that were looked at. Each action is in the journal before it is done. Decisions of which a part was carried
    out in the same way go on with the journal that they have.

    Sidecars go after their picture, in the same way, unless they belong to another file that stays: see
    `imgsim_ops.images.sidecars`. One that cannot go stays, and is listed as skipped.

    Args:
        decisions: What was decided.
        way: What is done.
        beside: The file of decisions, or any other name: journals lie beside it.
        folder: Where files are moved: with the folders below the one that is common to all files that go. Only for
            ``Way.MOVE``.
        journal: A place for the journal in particular.
        sidecars: What becomes of the files beside pictures.
        dry_run: Only look, and say what would be done.
        progress: Called with the number of files looked at.

    Returns:
        What was done, or would be.

    Raises:
        ImgsimError: The journal cannot be written, or belongs to something else; the folder is none.
    """
    target = WAYS[way].target(folder)
    if sidecars.merge and WAYS[way].leaves_a_path:
        raise ImgsimError(f"apply: metadata is merged when pictures leave their place (got {way.value})")
    header = Header(way, decisions.sha256, target, datetime.now().astimezone().isoformat(timespec="seconds"))
    place, known = _journal_place(beside, journal, header)
    run = _Run(decisions, header, sidecars, dry_run)
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

    def __init__(self, decisions: Decisions, header: Header, sidecars: SidecarOptions, dry_run: bool):
        self.report = ApplyReport(header.way, dry_run)
        self.interrupt: DeferredInterrupt | None = None
        self._decisions = decisions
        self._way = WAYS[header.way]
        self._places = Places(decisions, header.folder, dry_run)
        self._done: dict[str, Action] = {}
        self._gone: set[str] = set()
        self._leave = sidecars.leave or self._way.leaves_a_path
        self._sidecars = Sidecars(file.path for group in decisions.groups for file in group.remove)
        self._merging = _merging(self._sidecars) if sidecars.merge else None
        self._kept: dict[int, list[str]] = defaultdict(list)  # by inode, which two mounts have in common
        self._names_gone: Counter[tuple[int, int]] = Counter()  # of files, in a dry run
        for group in decisions.groups:
            for file in group.keep:
                try:
                    status = os.stat(file.path)
                except OSError:  # when its group comes, this will be said
                    continue
                self._kept[status.st_ino].append(file.path)

    def learn(self, entries: Sequence[Entry]) -> None:
        """Takes in what has been done before."""
        actions = (entry.action for entry in entries if entry.state is State.DONE)
        self._done = {action.path: action for action in actions if action.merged_from is None}

    def resume(self, journal: Journal) -> None:
        """Brings what a crash cut short to an end, and learns what has been done."""
        for entry in journal.entries:
            if entry.state is State.INTENDED:
                try:
                    done = deed_of(journal.header.way, entry.action).complete(entry.action)
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
            self.report.looked_at = number
            progress(number)

    def _one(self, group: DecidedGroup, file: DecidedFile, journal: Journal | None) -> None:
        sidecars = self._sidecars_of(file.path)
        action = self._done.get(file.path)
        if action is not None and not os.path.lexists(file.path):
            self.report.before += 1
        else:
            found = look(file.path)
            if found.sha256 != file.sha256:
                raise refusal(CleanupReason.CHANGED, file.path)
            self._check_not_kept(found)
            kept = self._kept_copy(group, found)
            if self._way.is_done(found, kept):
                self.report.before += 1
                return
            if self._merging is not None:
                self._merge(self._merging, found, kept, journal)
            action = self._do(found, kept, journal, sidecars, own=file.own or None)
        self._gone.add(os.path.join(*os.path.split(file.path)))
        if sidecars:
            self._take_along(group, action, sidecars, journal)

    def _sidecars_of(self, path: str) -> list[str]:
        """The sidecars that are there and go when a picture goes."""
        if self._leave:
            return []
        path = os.path.join(*os.path.split(path))  # the owners' spelling
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # the picture is not there either
            there = [sidecar.path for sidecar in self._sidecars.of(path) if os.path.lexists(sidecar.path)]
            going = {path, *there, *self._gone}
            return [
                sidecar
                for sidecar in there
                if not any(os.path.lexists(owner) for owner in set(self._sidecars.owners(sidecar)) - going)
            ]
        return []

    def _take_along(self, group: DecidedGroup, picture: Action, sidecars: list[str], journal: Journal | None) -> None:
        """Does to sidecars what was done to their picture, while a picture is kept."""
        if picture.to is not None and self._way.needs_folder:
            self._places.keep_together(picture.path, picture.to, sidecars)
        held = (holds(file.path, file.sha256) for file in group.keep)
        kept = next((file for file in held if file is not None), None)
        for path in sidecars:
            try:
                with refused(CleanupReason.REFUSED, path):
                    if kept is None:
                        raise refusal(CleanupReason.NO_KEPT_COPY, path)
                    found = look(path)
                    self._check_not_kept(found)
                    self._do(found, kept, journal, own=picture.own, sidecar_of=picture.path)
            except Refusal as error:
                self.report.skipped.append(SkippedFile(path, error.code, str(error)))

    def _do(
        self, found: Found, kept: Found, journal: Journal | None, sidecars: Sequence[str] = (), **facts: Any
    ) -> Action:
        """Does it to a file, under the first name that is free, for its sidecars too."""
        for action in self._way.actions(found, kept, self._places):
            if self._way.needs_folder and not self._places.keep_together(found.path, action.to, sidecars):
                continue
            action = replace(action, **facts)
            frees = self._way.frees and self._is_last_name(found)
            step = Step(found.path, found.status.st_size, kept.path, action.to, frees, action.sidecar_of)
            if journal is not None and not self._carry_out(action, found, kept, journal):
                continue
            self.report.steps.append(step)
            return action
        raise AssertionError("names have an end")

    def _merge(self, merging: Merging, found: Found, kept: Found, journal: Journal | None) -> None:
        """Writes what only the picture that goes says beside the kept one."""
        merge = merging.plan(found.path, kept.path)
        if merge is None:
            return
        action = WRITING.action(merge.former, merge.before, merge.content, found, kept)
        if journal is None:
            merging.pretend(action.path, merge.content)
        else:
            with refused(CleanupReason.NO_JOURNAL, action.path):
                entry = journal.intend(action)
            try:
                WRITING.perform(action, merge.content, merge.former)
            except (OSError, Refusal) as error:
                done = WRITING.complete(action)
                _note(journal, entry, State.DONE if done else State.FAILED)
                if not done:
                    raise refusal(CleanupReason.NOT_MERGED, found.path, str(error)) from error
            _note(journal, entry, State.DONE)
        self.report.merged.append(Merged(action.path, found.path, merge.topics))

    def _is_last_name(self, found: Found) -> bool:
        """Whether the file has no other name once this one is gone, and in a dry run those before it."""
        file = found.status.st_dev, found.status.st_ino
        gone_before = self._names_gone[file]
        self._names_gone[file] += self.report.dry_run
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


def _merging(sidecars: Sidecars) -> Merging:
    from imgsim_ops.cleanup.merging import Merging  # and with it Pillow, which no other cleaning up needs

    return Merging(sidecars)


def _note(journal: Journal, entry: Entry, state: State) -> None:
    try:
        journal.note(entry, state)
    except OSError:  # the disk is full: the next intention will say so, and what was done to this file can be seen
        entry.state = state
