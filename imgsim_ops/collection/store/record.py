"""What a collection knows of one file."""

from __future__ import annotations

from typing import NamedTuple


class FileRecord(NamedTuple):
    """What is known of one file; a tuple, of which there may be a million at once.

    Attributes:
        path: As the system has it, in bytes.
        size: In bytes.
        modified: Time of the last change, in nanoseconds.
        settled: Whether size and time tell if it has changed; not where it was written just before it was read, as
            another change in the same tick of the clock would look the same.
        row: Of its content; None for a file that is no picture.
        code: Why it is none, a code of ``files.reasons.Reason``.
        message: The line that says more.
    """

    path: bytes
    size: int
    modified: int
    settled: bool
    row: int | None
    code: str | None = None
    message: str | None = None
