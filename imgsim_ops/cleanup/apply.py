"""Carrying out decisions: each file is looked at again before it is touched, and no group is ever emptied."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup, Decisions
from imgsim_ops.cleanup.files import Found, holds, look, names_like, one_name, part_beside, same_file
from imgsim_ops.cleanup.journal import Action, Entry, Header, Journal, State, Way, journal_names, read_journal
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal
from imgsim_ops.cleanup.trash import LONGEST_NAME, trash_for
from imgsim_ops.cleanup.ways import perform, settle
from imgsim_ops.errors import ImgsimError
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
        frees: Whether its bytes are free once it is deleted or linked: not where it has further names.
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
        return sum(step.size for step in self.steps if step.frees and self.way in (Way.DELETE, Way.HARDLINK))


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
    if (folder is not None) != (way is Way.MOVE):
        raise ImgsimError(f"apply: a folder must be given to move files, and only then (got {folder})")
    if way is Way.TRASH and not hasattr(os, "getuid"):
        raise ImgsimError("apply: the trash must be that of freedesktop.org; moving files does as well (got Windows)")
    if folder is not None:
        folder = Path(os.path.realpath(folder))
        if folder.exists() and not folder.is_dir():
            raise ImgsimError(f"apply: files must be moved to a folder (got {printable(folder)})")
    created = datetime.now().astimezone().isoformat(timespec="seconds")
    header = Header(way, decisions.sha256, folder and os.fspath(folder), created)
    place = _journal_place(beside, journal, header)
    run = _Run(decisions, way, folder, dry_run)
    if dry_run:
        run.remember(place)
        run.over_all(None, progress)
        return run.report
    new = not os.path.lexists(place)
    with DeferredInterrupt() as interrupt:
        with Journal.create(place, header) if new else Journal.open(place) as book:
            run.interrupt = interrupt
            run.resume(book)
            run.over_all(book, progress)
        run.report.journal = place if book.entries else None
        if new and not book.entries:
            place.unlink()
    return run.report


def _journal_place(beside: Path, given: Path | None, header: Header) -> Path:
    for path in [given] if given else journal_names(beside):
        path = Path(os.path.abspath(path))
        if not os.path.lexists(path) or _goes_on(path, header):
            return path
    got = f"{printable(given)}, which is there"
    raise ImgsimError(f"apply: the journal must be new, or one of these decisions carried out in this way (got {got})")


def _goes_on(path: Path, header: Header) -> bool:
    """Whether a file is a journal of the same decisions, carried out in the same way, of which nothing was undone."""
    try:
        found, entries = read_journal(path)
    except (ImgsimError, OSError):  # something else lies there
        return False
    same = (found.way, found.decisions, found.folder) == (header.way, header.decisions, header.folder)
    return same and not any(entry.state in (State.UNDOING, State.UNDONE) for entry in entries)


class _Run:
    """One going through all decisions."""

    def __init__(self, decisions: Decisions, way: Way, folder: Path | None, dry_run: bool):
        self.report = ApplyReport(way, dry_run)
        self.interrupt: DeferredInterrupt | None = None
        self._decisions = decisions
        self._way = way
        self._folder = folder
        self._root = _common_folder(decisions) if way is Way.MOVE else ""
        self._done: set[str] = set()
        self._promised: set[str] = set()  # names that a dry run has given away
        self._kept: dict[tuple[int, int], list[str]] = defaultdict(list)
        for group in decisions.groups:
            for file in group.keep:
                try:
                    status = os.stat(file.path)
                except OSError:  # when its group comes, this will be said
                    continue
                self._kept[status.st_dev, status.st_ino].append(file.path)

    def remember(self, place: Path) -> None:
        """Learns from a journal, if there is one, what has been done."""
        if os.path.lexists(place):
            self._learn(read_journal(place)[1])

    def resume(self, journal: Journal) -> None:
        """Brings what a crash cut short to an end, and learns what has been done."""
        for entry in journal.entries:
            if entry.state is State.INTENDED:
                try:
                    done = settle(journal.header.way, entry.action)
                except (OSError, Refusal):  # what is wrong with the file is said in its turn; undo looks again
                    continue
                journal.note(entry, State.DONE if done else State.FAILED)
        self._learn(journal.entries)

    def _learn(self, entries: list[Entry]) -> None:
        self._done = {entry.action.path for entry in entries if entry.state is State.DONE}

    def over_all(self, journal: Journal | None, progress: Callable[[int], None]) -> None:
        """Goes through all files that go, until Ctrl-C."""
        files = ((group, file) for group in self._decisions.groups for file in group.remove)
        for number, (group, file) in enumerate(files, 1):
            if self.interrupt is not None and self.interrupt.pending:
                self.report.interrupted = True
                return
            try:
                self._one(group, file, journal)
            except Refusal as error:
                self.report.skipped.append(SkippedFile(file.path, error.code, str(error)))
            except OSError as error:
                error = refusal(CleanupReason.REFUSED, file.path, error.strerror or str(error))
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
        if self._way is Way.HARDLINK and same_file(found.status, kept.status):
            self.report.before += 1
            return
        for action in self._actions(found, kept):
            step = Step(file.path, found.status.st_size, kept.path, action.to, found.status.st_nlink == 1)
            if journal is not None and not self._carry_out(action, found, kept, journal):
                continue
            self.report.steps.append(step)
            return

    def _check_not_kept(self, found: Found) -> None:
        for path in self._kept[found.status.st_dev, found.status.st_ino]:
            if os.path.islink(path) or one_name(found.path, path):
                raise refusal(CleanupReason.KEPT_TOO, found.path, f"kept as {printable(path)}")

    def _kept_copy(self, group: DecidedGroup, found: Found) -> Found:
        """A kept picture that is there now and stays there when the file goes."""
        candidates = list(group.keep)
        if self._way is Way.HARDLINK:
            candidates = [file for file in candidates if file.sha256 == found.sha256]
            if not candidates:
                raise refusal(CleanupReason.NOT_EQUAL, found.path)
        elsewhere = False
        for file in candidates:
            kept = holds(file.path, file.sha256)
            if kept is None or (same_file(kept.status, found.status) and one_name(found.path, kept.path)):
                continue
            if self._way is Way.HARDLINK and kept.status.st_dev != found.status.st_dev:
                elsewhere = True
                continue
            return kept
        raise refusal(CleanupReason.OTHER_DISK if elsewhere else CleanupReason.NO_KEPT_COPY, found.path)

    def _actions(self, found: Found, kept: Found) -> Iterator[Action]:
        """What may be done to a file: where it needs a name, one for each name that is free."""
        status = found.status
        common = {
            "path": found.path,
            "sha256": found.sha256,
            "size": status.st_size,
            "modified": status.st_mtime_ns,
            "mode": status.st_mode & 0o7777,
            "inode": status.st_ino,
            "owner": status.st_uid,
            "group": status.st_gid,
            "kept": kept.path,
            "kept_inode": kept.status.st_ino,
        }
        if self._way is Way.DELETE:
            yield Action(**common)
        elif self._way is Way.HARDLINK:
            yield Action(**common, part=part_beside(found.path))
        elif self._way is Way.TRASH:
            trash = trash_for(found.path)
            text = trash.info_text(found.path, datetime.now())
            for name in names_like(os.path.basename(found.path), LONGEST_NAME):
                to, info = trash.file(name), trash.info(name)
                if self._is_free(to) and not os.path.lexists(info):
                    yield Action(**common, to=to, part=part_beside(to), info=info, info_text=text)
        else:
            target = self._target(found.path)
            folder = os.path.dirname(target)
            if os.path.isdir(folder) and os.path.samefile(folder, os.path.dirname(found.path)):
                raise refusal(CleanupReason.SAME_FOLDER, found.path)
            for name in names_like(os.path.basename(target)):
                to = os.path.join(folder, name)
                if self._is_free(to):
                    yield Action(**common, to=to, part=part_beside(to))

    def _target(self, path: str) -> str:
        path = os.path.normpath(path)
        return os.path.join(self._folder, os.path.relpath(path, self._root) if self._root else os.path.basename(path))

    def _is_free(self, path: str) -> bool:
        if os.path.lexists(path) or path in self._promised:
            return False
        if self.report.dry_run:
            self._promised.add(path)
        return True

    def _carry_out(self, action: Action, found: Found, kept: Found, journal: Journal) -> bool:
        """Does it, with a line before and one after; False where the name has been taken meanwhile."""
        self._make_folders(action, found, journal)
        try:
            entry = journal.intend(action)
        except OSError as error:
            raise refusal(CleanupReason.NO_JOURNAL, action.path, error.strerror or str(error)) from error
        try:
            perform(self._way, action, found, kept)
        except FileExistsError:
            _note(journal, entry, State.FAILED)
            return False
        except Refusal:
            _note(journal, entry, State.FAILED)
            raise
        except OSError:
            done = settle(self._way, action)
            _note(journal, entry, State.DONE if done else State.FAILED)
            if not done:
                raise
            return True
        _note(journal, entry, State.DONE)
        return True

    def _make_folders(self, action: Action, found: Found, journal: Journal) -> None:
        if self._way is Way.TRASH:
            trash_for(found.path).make()
        elif self._way is Way.MOVE:
            missing = []
            folder = os.path.dirname(action.to)
            while not os.path.isdir(folder):
                missing.append(folder)
                folder = os.path.dirname(folder)
            for folder in reversed(missing):
                try:
                    journal.made_folder(folder)
                except OSError as error:
                    raise refusal(CleanupReason.NO_JOURNAL, action.path, error.strerror or str(error)) from error
                os.mkdir(folder)


def _note(journal: Journal, entry: Entry, state: State) -> None:
    try:
        journal.note(entry, state)
    except OSError:  # the disk is full: the next intention will say so, and what was done to this file can be seen
        entry.state = state


def _common_folder(decisions: Decisions) -> str:
    """The lowest folder that all files that go are in; empty where there is none."""
    folders = {os.path.dirname(os.path.normpath(file.path)) for group in decisions.groups for file in group.remove}
    try:
        return os.path.commonpath(folders)
    except ValueError:  # none, or on different drives
        return ""
