"""Writing the report on copies: the page of `pages` around the pictures and groups.

These are blocks of data, which the browser keeps as text and turns into elements only for what is near the visible part
of the page. All that comes from files, names above all, is JSON in ASCII with ``<`` and ``>`` escaped, and reaches the
page as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from imgsim_ops.collection.findings import (
    Group,
    Leak,
    Member,
    Picture,
    evidence_as_json,
    names_as_json,
    picture_as_json,
)
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.files.writing import temporary_beside
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import ORIENTATION_WORDS
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.images.thumbnails import MEDIA_TYPE, SIDE
from imgsim_ops.report.pages import page_around

#: From so many pictures on further groups are left out: the file then has some 150 MB, and browsers open it in seconds.
MOST_PICTURES = 10_000

_MOST_SKIPPED = 1000  # files that could not be read, listed in the page; the others are only counted


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        path: The file.
        groups: How many groups there were, or leaks.
        shown: How many of them are in the file: the first ones.
        pictures: How many pictures those have.
        unreadable: How many of those could not be read any more and have a reason in place of a picture.
    """

    path: Path
    groups: int
    shown: int
    pictures: int
    unreadable: int


@dataclass(frozen=True)
class PageOptions:
    """How the page is made.

    Attributes:
        title: What it is called.
        side: Longer side of the embedded pictures, in pixels.
        most_pictures: From so many pictures on further groups are counted but left out, and the page says so.
        read: How the pictures are read.

    Raises:
        ImgsimError: `side` or `most_pictures` is not positive.
    """

    title: str
    side: int = SIDE
    most_pictures: int = MOST_PICTURES
    read: ReadOptions = ReadOptions()

    def __post_init__(self) -> None:
        for name in ("side", "most_pictures"):
            if getattr(self, name) < 1:
                raise ImgsimError(f"report: {name} must be 1 or more (got {getattr(self, name)})")


def write_groups(
    path: str | os.PathLike[str],
    groups: Iterable[Group],
    options: PageOptions,
    facts: Mapping[str, str],
    skipped: Iterable[SkippedFile] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Writes groups of duplicates as one HTML file in which to decide what is removed.

    The page begins with what is proposed: of each group the best copy is kept, members with `remove` go, and the rest
    is open. It remembers decisions and exports them as the file that ``imgsim apply`` reads. It never lets all
    pictures of a group be removed.

    The file appears whole or not at all, is written as the groups come, and memory does not grow with their number,
    apart from a hundred bytes for each distinct picture.

    Args:
        path: The file to write; one of the same name is replaced.
        groups: Consumed lazily.
        options: How.
        facts: How the groups were found, as names and values. Read after the last group, so that it may tell what is
            known only then.
        skipped: Files that could not be read; likewise read at the end.
        progress: Called in this thread with the number of groups done, after each.

    Returns:
        What was written.

    Raises:
        OSError: The disk is full, or another reason why the file cannot be written.
    """
    return _write(path, "groups", groups, options, facts, skipped, progress)


def write_leaks(
    path: str | os.PathLike[str],
    leaks: Iterable[Leak],
    options: PageOptions,
    facts: Mapping[str, str],
    skipped: Iterable[SkippedFile] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Writes leaks as one HTML file: each picture of the test set beside the one of the training set that it copies.

    Decisions are about the pictures of the test set alone; those of the training set are always kept.

    Args:
        path: The file to write; one of the same name is replaced.
        leaks: Consumed lazily.
        options: How.
        facts: How the leaks were found, as names and values. Read after the last leak.
        skipped: Files that could not be read; likewise read at the end.
        progress: Called in this thread with the number of leaks done, after each.

    Returns:
        What was written.

    Raises:
        OSError: The disk is full, or another reason why the file cannot be written.
    """
    pairs = (Group((Member(leak.source, None), Member(leak.picture, leak.evidence)), best=0) for leak in leaks)
    return _write(path, "leaks", pairs, options, facts, skipped, progress)


def _write(
    path: str | os.PathLike[str],
    kind: str,
    groups: Iterable[Group],
    options: PageOptions,
    facts: Mapping[str, str],
    skipped: Iterable[SkippedFile],
    progress: Callable[[int], None] | None,
) -> Report:
    path = Path(path)
    with temporary_beside(path) as temporary, open(temporary, "xb") as file:
        head, tail = page_around("groups", options.title, kind=kind)
        file.write(head)
        task = "imgsim_ops.images.thumbnails:thumbnail"
        with IsolatedReaders(task, options.read, {"side": options.side}) as readers:
            body = _Body(file, readers, options.most_pictures, ahead=4 * options.read.processes)
            for group in groups:
                body.add(group)
                if progress is not None:
                    progress(body.groups)
            body.finish()
        body.conclude(kind, facts, skipped)
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())
        file.close()  # Windows renames no open file
        os.replace(temporary, path)
    return Report(path, body.groups, body.shown, body.pictures, body.unreadable)


class _Body:
    """The blocks of data, written in order while the pictures of later groups are being read."""

    def __init__(self, file: BinaryIO, readers: IsolatedReaders, most_pictures: int, ahead: int):
        self.groups = self.shown = self.pictures = self.unreadable = 0
        self._file = file
        self._readers = readers
        self._most_pictures = most_pictures
        self._ahead = ahead
        self._queue: deque[tuple[Group, int]] = deque()
        self._asked: dict[bytes, Future] = {}  # by content
        self._numbers: dict[bytes, int] = {}  # of the pictures that are in the file, by content
        self._members: list[dict[str, Any]] = []
        self._digest = hashlib.sha256()

    def add(self, group: Group) -> None:
        self.groups += 1
        if self.pictures >= self._most_pictures:
            return
        self.shown += 1
        self.pictures += len(group.members)
        for place, member in enumerate(group.members):
            self._ask(member.picture)
            self._queue.append((group, place))
            if len(self._queue) > self._ahead:
                self._write_member(*self._queue.popleft())

    def finish(self) -> None:
        while self._queue:
            self._write_member(*self._queue.popleft())

    def conclude(self, kind: str, facts: Mapping[str, str], skipped: Iterable[SkippedFile]) -> None:
        """Writes what is known only at the end."""
        files, count = [], 0
        for count, file in enumerate(skipped, 1):
            if count <= _MOST_SKIPPED:
                files.append({"path": printable(file.path), "code": file.code})
        report = {
            "kind": kind,
            "groups": self.groups,
            "facts": [[_line(name), _line(value)] for name, value in facts.items()],
            "skipped": {"count": count, "files": files},
            "turned": ORIENTATION_WORDS,
            "digest": self._digest.hexdigest(),
        }
        self._block('type="application/json" id="report"', _json(report))

    def _ask(self, picture: Picture) -> None:
        """Equal content is read once."""
        if picture.sha256 not in self._numbers and picture.sha256 not in self._asked:
            self._asked[picture.sha256] = self._readers.read(picture.path)

    def _write_member(self, group: Group, place: int) -> None:
        member = group.members[place]
        # The page's own script tells pictures apart by their paths.
        shown = {**picture_as_json(member.picture), "path": member.picture.path}
        name = printable(member.picture.path)
        if name != member.picture.path:
            shown["printable"] = name
        if member.evidence is not None:
            shown["evidence"] = evidence_as_json(member.evidence)
        shown["relation"] = member.relation
        shown["remove"] = member.remove
        if member.remove:
            shown["kept"] = member.kept
        if member.stays_for:
            shown["stays"] = member.why_stays
        shown |= names_as_json(member)
        number = self._number(member.picture)
        if isinstance(number, SkippedFile):
            self.unreadable += 1
            shown["unreadable"] = number.code
        else:
            shown["thumbnail"] = number
        self._members.append(shown)
        if place == len(group.members) - 1:
            self._digest.update(_json([[member["path"], member["sha256"]] for member in self._members]))
            self._block('type="application/json" class="group"', _json({"best": group.best, "members": self._members}))
            self._members = []

    def _number(self, picture: Picture) -> int | SkippedFile:
        """The number of the block that has the small picture, which is written now unless it is there already."""
        if picture.sha256 in self._numbers:
            return self._numbers[picture.sha256]
        # Where another file of this content could not be read, this one still may.
        asked = self._asked.pop(picture.sha256, None) or self._readers.read(picture.path)
        answer = asked.result()
        if isinstance(answer, SkippedFile):
            return answer
        number = self._numbers[picture.sha256] = len(self._numbers)
        self._block(
            f'type="text/plain" id="t{number}"', b"data:%s;base64," % MEDIA_TYPE.encode() + base64.b64encode(answer)
        )
        return number

    def _block(self, attributes: str, content: bytes) -> None:
        """A script of a type that no browser runs: text that is kept and not shown."""
        self._file.write(b"<script %s>%s</script>\n" % (attributes.encode(), content))


def _json(document: Any) -> bytes:
    """JSON that may stand inside a script: ASCII, and nothing in it that could end the script or begin a comment."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode("ascii")


def _line(text: str) -> str:
    return printable(str(text))
