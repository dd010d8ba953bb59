"""Reasons why a file is passed over, and the list of those for which it cannot be read as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from imgsim_ops.files.names import printable


class CodedReason(Enum):
    """A list of reason codes, each with the sentence that explains it.

    Errors, lists of skipped files and ``--json`` carry the code. Codes are part of the interface: new ones may be
    added, none changes its meaning.

    Attributes:
        code: For programs.
        sentence: For people: the rule that the file breaks.
    """

    def __init__(self, code: str, sentence: str):
        self.code = code
        self.sentence = sentence

    @classmethod
    def sentences(cls) -> dict[str, str]:
        """All codes with their sentences."""
        return {reason.code: reason.sentence for reason in cls}

    def message(self, command: str, path: str | os.PathLike[str], detail: str = "") -> str:
        """One line about a file, which begins with who passes it over; `detail` adds to what is said about the file."""
        detail = f": {printable(detail)}" if detail else ""
        return f"{command}: {self.sentence} (got {printable(path)}{detail})"


class Reason(CodedReason):
    """Why a file cannot be read as a picture."""

    MISSING = "missing", "there must be a file of this name"
    BROKEN_LINK = "broken_link", "a link must lead to a file, not nowhere or round in a circle"
    UNREADABLE = "unreadable", "the file must be readable: its permissions or its disk refuse"
    FOLDER = "folder", "a picture is a file, and this is a folder"
    SPECIAL = "special", "a picture is a regular file, not a pipe, a socket or a device"
    EMPTY = "empty", "the file must not have zero bytes"
    NOT_A_PICTURE = (
        "not_a_picture",
        "the content must be of a format that pictures have (docs/formats.md), whatever the name says",
    )
    TRUNCATED = "truncated", "the file must be whole, and this one ends early"
    DAMAGED = "damaged", "the content must be sound, and the decoder refuses it"
    UNSUPPORTED = "unsupported", "the format and its pixels must be of a kind that is read here"
    TOO_LARGE = "too_large", "the picture must not have more pixels than the limit"
    TOO_MANY_PAGES = "too_many_pages", "a file must not have more than 1,000 frames or pages for all to be looked at"
    OUT_OF_MEMORY = "out_of_memory", "there must be enough memory to decode the picture"
    CRASHED = "crashed", "the decoder must survive the picture, and its process died twice"
    CHANGED = "changed", "the file must stay as it is while it is read; the next run sees to it"
    TIMED_OUT = "timed_out", "the decoder must finish within the time limit"


class Aside(CodedReason):
    """What shows or holds pictures and is none itself: nobody expects it to be read, and it is counted."""

    VIDEO = "video", "a picture is one, and a film is many"
    SVG = "svg", "a picture has pixels, and SVG is a drawing's recipe"
    PDF = "pdf", "a picture is no document, and pages of PDF are not looked at"


@dataclass(frozen=True)
class SkippedFile:
    """A file that could not be read, or that is none to be read.

    Attributes:
        path: The file, as it was given.
        code: The code of a `Reason`, or of `Aside`.
        message: One line that says more.
    """

    path: str
    code: str
    message: str

    @property
    def detail(self) -> str:
        """What the message says of this file beyond the sentence of its code; empty where that is nothing."""
        _, _, rest = self.message.partition(f"(got {printable(self.path)}: ")
        return rest.removesuffix(")")

    @property
    def is_aside(self) -> bool:
        """Whether nobody expects it to be read."""
        return self.code in Aside.sentences()


def unread(skipped: Iterable[SkippedFile]) -> list[SkippedFile]:
    """Those that should have been read."""
    return [file for file in skipped if not file.is_aside]
