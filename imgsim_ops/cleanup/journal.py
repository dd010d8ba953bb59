"""The journal of a cleanup: what is about to be done to each file, taken down before it is done."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.identity import identity
from imgsim_ops.files.names import printable
from imgsim_ops.files.syncing import sync_folder

VERSION = 1


class Way(Enum):
    """What is done to the pictures that go."""

    MOVE = "move"
    HARDLINK = "hardlink"
    TRASH = "trash"
    DELETE = "delete"


class State(Enum):
    """How far an action has come, by the journal's last word on it."""

    INTENDED = "intended"
    FAILED = "failed"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class Header:
    """What a journal is about.

    Attributes:
        way: What is done to the files.
        decisions: Hash of the file of decisions.
        folder: Where files are moved, absolute; None for other ways.
        created: Local time with its zone, ISO 8601.
    """

    way: Way
    decisions: str
    folder: str | None
    created: str


@dataclass(frozen=True)
class Action:
    """What is to be done to one file, and what it takes to do the opposite.

    Attributes:
        path: The file that goes.
        sha256: Of its bytes.
        size: Bytes.
        modified: Time of its last change, in nanoseconds since 1970.
        mode: Its permissions.
        inode: Its number in its file system.
        owner: User id.
        group: Group id.
        kept: The picture that stays in its place.
        kept_inode: Its number.
        to: Where the file goes; None where it is deleted or linked.
        part: A name that a copy or a link has until it is whole; None where the file is deleted.
        info: The trash's information file; None for other ways.
        info_text: What that file says.
        own: It goes by a person's own choice, which was not proposed; None where it was.
        sidecar_of: The picture that it goes with; None of a picture.
        merged_from: The picture whose metadata is written into the file, which is the kept one's sidecar; None of what
            goes. Then `sha256` and `size` are those of what is written, all else is as it was before.
        merged_sha256: Of that picture.
        former: The file's bytes before, in base 64; None where there was no file.
    """

    path: str
    sha256: str
    size: int
    modified: int
    mode: int
    inode: int
    owner: int
    group: int
    kept: str
    kept_inode: int
    to: str | None = None
    part: str | None = None
    info: str | None = None
    info_text: str | None = None
    own: bool | None = None
    sidecar_of: str | None = None
    merged_from: str | None = None
    merged_sha256: str | None = None
    former: str | None = None


@dataclass
class Entry:
    """An action and what became of it.

    Attributes:
        number: The action's, from 0.
        action: The action.
        state: How far it has come.
        undo_part: The name that the last attempt to undo it may have left behind.
    """

    number: int
    action: Action
    state: State = State.INTENDED
    undo_part: str | None = None


@dataclass
class Content:
    """What a journal says.

    Attributes:
        header: What it is about.
        entries: All actions, in their order.
        folders: Folders that were made, in their order.
        size: Bytes up to the end of its last whole line.
        read_from: The identity of the file when it was read; None of one that is new.
    """

    header: Header
    entries: list[Entry] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    size: int = 0
    read_from: tuple[int, ...] | None = None


class Journal:
    """A journal open for more lines. One process at a time may have it open.

    A line is on the disk before the methods `intend`, `made_folder` and `undoing` return; what only says that something
    is done may be lost with the power, for a look at the files tells as much.

    Attributes:
        path: The file.
        header: What it is about.
        entries: All actions, in their order.
        folders: Folders that were made, in their order.
    """

    def __init__(self, path: Path, descriptor: int, content: Content):
        self.path = path
        self.header = content.header
        self.entries = content.entries
        self.folders = content.folders
        self._descriptor = descriptor
        self._size = content.size

    @classmethod
    def create(cls, path: Path, header: Header) -> Journal:
        """Begins a journal in a new file.

        Raises:
            ImgsimError: The file cannot be made.
            FileExistsError: There is one.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise
        except OSError as error:
            raise _cannot_write(path, error) from error
        journal = cls(path, descriptor, Content(header))
        try:
            _lock(descriptor, path)
            line = {"imgsim": "journal", "version": VERSION, **dataclasses.asdict(header), "way": header.way.value}
            journal._write(line, sync=True)
            sync_folder(os.path.dirname(os.path.abspath(path)))
        except (OSError, ImgsimError) as error:
            journal.close()
            os.unlink(path)
            raise _cannot_write(path, error) if isinstance(error, OSError) else error from error
        return journal

    @classmethod
    def open(cls, path: Path, known: Content | None = None) -> Journal:
        """Goes on with a journal; a last line that a crash cut short is cut off.

        Args:
            path: The file.
            known: What `read_journal` found in it, which holds unless somebody has written to it since.

        Raises:
            ImgsimError: It is none, cannot be written, or another process has it open.
            OSError: It cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except (FileNotFoundError, IsADirectoryError):
            raise
        except OSError as error:
            raise _cannot_write(path, error) from error
        try:
            _lock(descriptor, path)
            if known is not None and known.read_from == identity(os.fstat(descriptor)):
                content = known
            else:
                content = read_journal(path)
            os.ftruncate(descriptor, content.size)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, content)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file and lets others have it."""
        os.close(self._descriptor)

    def intend(self, action: Action) -> Entry:
        """Takes down an action that is about to be done.

        Raises:
            OSError: The disk refuses; then nothing may be done.
        """
        entry = Entry(len(self.entries), action)
        known = {name: value for name, value in dataclasses.asdict(action).items() if value is not None}
        self._write({"intend": entry.number, **known}, sync=True)
        self.entries.append(entry)
        return entry

    def made_folder(self, path: str) -> None:
        """Takes down a folder that is about to be made.

        Raises:
            OSError: The disk refuses.
        """
        self._write({"folder": path}, sync=True)
        self.folders.append(path)

    def undoing(self, entry: Entry, part: str) -> None:
        """Takes down that an action is about to be undone, and the name that a copy has until it is whole.

        Raises:
            OSError: The disk refuses.
        """
        self._write({"undoing": entry.number, "part": part}, sync=True)
        entry.state, entry.undo_part = State.UNDOING, part

    def note(self, entry: Entry, state: State) -> None:
        """Takes down that an action is done, has failed or is undone.

        Raises:
            OSError: The disk refuses; a look at the files will tell as much.
        """
        self._write({state.value: entry.number}, sync=False)
        entry.state = state

    def _write(self, line: dict[str, Any], sync: bool) -> None:
        content = (json.dumps(line) + "\n").encode()
        try:
            if os.write(self._descriptor, content) < len(content):
                raise OSError(28, "No space left on device", os.fspath(self.path))
            if sync:
                os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)  # half a line must not have another behind it
            raise
        self._size += len(content)


def read_journal(path: str | os.PathLike[str]) -> Content:
    """Reads a journal without opening it for writing.

    Raises:
        ImgsimError: It is none.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        read_from = identity(os.fstat(file.fileno()))
        found = _parse(file.read(), Path(path))
    found.read_from = read_from
    return found


def journal_names(decisions: Path) -> Iterator[Path]:
    """Yields the names that journals have beside a file of decisions, without end."""
    stem = decisions.name.removesuffix(".json")
    yield decisions.with_name(f"{stem}.journal.jsonl")
    number = 2
    while True:
        yield decisions.with_name(f"{stem}.journal-{number}.jsonl")
        number += 1


def _parse(content: bytes, path: Path) -> Content:
    size = content.rfind(b"\n") + 1
    lines = content[:size].splitlines()
    number = 1
    try:
        found = Content(_header(json.loads(lines[0]) if lines else None), size=size)
        for line in lines[1:]:
            number += 1
            _take(found, json.loads(line))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        if isinstance(error, ImgsimError):
            raise
        rule = "every line must be one that imgsim apply or undo wrote"
        raise ImgsimError(f"journal: {rule} (got {printable(path)}, line {number})") from error
    return found


def _header(line: Any) -> Header:
    if line["imgsim"] != "journal":
        raise ValueError
    if line["version"] != VERSION:
        raise ImgsimError(f"journal: the version must be {VERSION} (got {line['version']})")
    return Header(Way(line["way"]), line["decisions"], line["folder"], line["created"])


def _take(found: Content, line: dict[str, Any]) -> None:
    if not isinstance(line, dict):
        raise ValueError
    if "intend" in line:
        if line.pop("intend") != len(found.entries):
            raise ValueError
        found.entries.append(Entry(len(found.entries), Action(**line)))
    elif "folder" in line:
        found.folders.append(line["folder"])
    else:
        ((state, number),) = ((key, value) for key, value in line.items() if key != "part")
        if type(number) is not int or number < 0:
            raise ValueError
        entry = found.entries[number]
        entry.state = State(state)
        if entry.state is State.UNDOING:
            entry.undo_part = line["part"]


def _cannot_write(path: Path, error: OSError) -> ImgsimError:
    got = f"{printable(path)}: {error.strerror}"
    return ImgsimError(f"journal: there must be a place to write it, and --journal names another (got {got})")


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ImgsimError(f"journal: one process at a time may use it (got {printable(path)}, in use)") from error
