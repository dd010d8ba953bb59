"""Files that must be looked into, and the SHA-256 by which their content is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from imgsim_ops.ahead import in_order
from imgsim_ops.errors import ImageError
from imgsim_ops.files.hashing import digest_of
from imgsim_ops.files.identity import change_and_inode, size_and_time
from imgsim_ops.files.names import printable
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import Reason, SkippedFile


def sha256_of(path: str | os.PathLike[str]) -> bytes:
    """The SHA-256 of a regular file's bytes.

    Raises:
        ImageError: It is missing, no regular file, or cannot be read.
    """
    with open_regular(path) as file:
        try:
            return digest_of(file)
        except OSError as error:  # the disk fails
            message = f"index: {Reason.UNREADABLE.sentence} (got {printable(path)}: {error.strerror})"
            raise ImageError(Reason.UNREADABLE.code, message) from error


@dataclass(slots=True)
class FoundFile:
    """A file that must be looked into, with what it was before that, as in `FileRecord`."""

    path: str
    size: int
    modified: int
    settled: bool
    changed: int
    inode: int
    mount: int | None = None
    sha256: bytes = field(init=False, repr=False, compare=False)  # once it is known

    def is_as_found(self) -> bool:
        """Whether it is still what was hashed."""
        try:
            status = os.stat(self.path)
            if size_and_time(status) != (self.size, self.modified):
                return False
            untouched = self.settled and change_and_inode(status) == (self.changed, self.inode)
            return untouched or sha256_of(self.path) == self.sha256
        except (OSError, ValueError, ImageError):
            return False


class Named(Protocol):
    """What has a path."""

    @property
    def path(self) -> str:
        """Where."""


File = TypeVar("File", bound=Named)


def hashed_ahead(
    pool: ThreadPoolExecutor, files: Iterable[File], most: int
) -> Iterator[tuple[File, bytes | SkippedFile]]:
    """Files with their hashes, in order, with few of them begun before the one that is waited for."""
    return in_order(lambda found: pool.submit(_hash, found.path), files, most)


def _hash(path: str) -> bytes | SkippedFile:
    try:
        return sha256_of(path)
    except ImageError as error:
        return SkippedFile(path, error.code, str(error))
