"""Files that must be looked into, and the SHA-256 by which their content is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from imgsim_ops.ahead import in_order
from imgsim_ops.errors import ImageError
from imgsim_ops.files.hashing import digest_of
from imgsim_ops.files.identity import change_and_inode, size_and_time
from imgsim_ops.files.names import printable
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.pages import page_digest, page_name, split_page
from imgsim_ops.files.reasons import Reason, SkippedFile


def sha256_of(path: str | os.PathLike[str]) -> bytes:
    """The SHA-256 of a regular file's bytes; of a page of one, what it is known by: see ``files.pages``.

    Raises:
        ImageError: It is missing, no regular file, or cannot be read.
    """
    name, page = split_page(path)
    with open_regular(name) as file:
        try:
            digest = digest_of(file)
            return digest if page is None else page_digest(digest, page)
        except OSError as error:  # the disk fails
            message = f"index: {Reason.UNREADABLE.sentence} (got {printable(path)}: {error.strerror})"
            raise ImageError(Reason.UNREADABLE.code, message) from error


@dataclass(slots=True)
class FoundFile:
    """A file, or a page of one, that must be looked into, with what the file was before that, as in `FileRecord`."""

    path: str
    size: int
    modified: int
    settled: bool
    changed: int
    inode: int
    mount: int | None = None
    sha256: bytes = field(default=b"", repr=False, compare=False)  # once it is known

    def is_as_found(self) -> bool:
        """Whether it is still what was hashed."""
        try:
            status = os.stat(split_page(self.path)[0])
            if size_and_time(status) != (self.size, self.modified):
                return False
            untouched = self.settled and change_and_inode(status) == (self.changed, self.inode)
            return untouched or sha256_of(self.path) == self.sha256
        except (OSError, ValueError, ImageError):
            return False

    def page(self, page: int) -> FoundFile:
        """One of its pages, once its own hash is known."""
        return replace(self, path=page_name(self.path, page), sha256=page_digest(self.sha256, page))


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
    return in_order(lambda found: pool.submit(_known_or_hashed, found), files, most)


def _known_or_hashed(found: Named) -> bytes | SkippedFile:
    """That of a page follows from its file's."""
    known = found.sha256 if isinstance(found, FoundFile) else b""
    return known or _hash(found.path)


def _hash(path: str) -> bytes | SkippedFile:
    try:
        return sha256_of(path)
    except ImageError as error:
        return SkippedFile(path, error.code, str(error))
