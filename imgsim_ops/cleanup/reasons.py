"""The list of reasons why a file is left as it is, beside those of `imgsim_ops.files.reasons`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.reasons import CodedReason


class CleanupReason(CodedReason):
    """Why a file is left as it is."""

    LINK = "link", "a symbolic link has no bytes of its own, and is neither removed nor counted as a copy"
    CHANGED = "changed", "the file must still have the bytes that were decided about"
    NO_KEPT_COPY = "no_kept_copy", "a picture that the group keeps must still be there, with its bytes"
    KEPT_TOO = "kept_too", "the file must not be one that is kept, under another spelling of its path or through a link"
    NOT_EQUAL = "not_equal", "a hard link needs a kept picture with equal bytes"
    OTHER_DISK = "other_disk", "a hard link needs a kept picture on the same file system"
    SAME_FOLDER = "same_folder", "the file must not lie already where it is to be moved"
    NOT_MERGED = "not_merged", "what only this file says must be written beside the kept picture first, as asked for"
    NEEDED = "needed", "what was written beside a kept picture stays until the picture that it came from is back"
    REFUSED = "refused", "the disk or its permissions must allow it"
    NO_JOURNAL = "no_journal", "nothing is touched that the journal cannot take down first"
    TAKEN = "taken", "the place the file came from must be free"
    DELETED = "deleted", "the file was deleted, which nothing brings back"


class Refusal(ImgsimError):
    """A file is left as it is.

    Attributes:
        code: The code of a `CleanupReason`, or of an ``imgsim_ops.files.reasons.Reason``.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def refusal(reason: CodedReason, path: str, detail: str = "") -> Refusal:
    """Returns the error for a file that is left as it is; `detail` adds to what is said about the file."""
    return Refusal(reason.code, reason.message("cleanup", path, detail))


@contextmanager
def refused(reason: CodedReason, path: str) -> Iterator[None]:
    """A context in which what the system refuses is a reason to leave a file as it is.

    Raises:
        Refusal: For an OSError.
    """
    try:
        yield
    except OSError as error:
        raise refusal(reason, path, error.strerror or str(error)) from error
