"""What a collection knows of one file."""

from __future__ import annotations

from typing import NamedTuple


class FileRecord(NamedTuple):
    """What is known of one file; a tuple, of which there may be a million at once.

    Attributes:
        path: As the system has it, in bytes.
        size: In bytes.
        modified: Time of the last change, in nanoseconds.
        settled: Whether what is known tells if it has changed; not where it was written just before it was read, as
            another change in the same tick of the clock would look the same.
        row: Of its content; None for a file that is no picture.
        code: Why it is none, a code of ``files.reasons.Reason``.
        message: The line that says more.
        changed: As of ``files.identity.change_and_inode``, likewise the next one. None: it was indexed before that was
            taken down, and has to be hashed once to be known.
        inode: Which file it was.
        mount: How many bytes of `path` lead to the root of the file system that it was on, by which a drive that is not
            there is told from a folder that was emptied; None where that is not known.
        sha256: Of a file that is no picture: with the same bytes it will be none again. None where they were not read.
        readers: The ``images.formats.READERS`` that said so; None before that was taken down.
    """

    path: bytes
    size: int
    modified: int
    settled: bool
    row: int | None
    code: str | None = None
    message: str | None = None
    changed: int | None = None
    inode: int | None = None
    mount: int | None = None
    sha256: bytes | None = None
    readers: int | None = None
