"""Names of frames and pages of a file, ``scan.tif#page=2``, where they are pictures of their own."""

from __future__ import annotations

import hashlib
import os
import re

#: The first page goes by the name of its file; others count from 2, as people do.
SECOND = 2
_NAME = re.compile(r"(.+)#page=([1-9][0-9]{0,8})", re.DOTALL)


def page_name(path: str, page: int) -> str:
    """What a page of a file is called."""
    return f"{path}#page={page}"


def split_page(path: str | os.PathLike[str]) -> tuple[str | os.PathLike[str], int | None]:
    """The file of a picture, and which of its pages that is.

    Args:
        path: Of a file, or what `page_name` calls a page of one. A file that is there by that very name is a file.

    Returns:
        The path as it is and None for a file; else its path and the page, from 1 on.
    """
    match = _NAME.fullmatch(os.fspath(path))
    if match is None or os.path.lexists(path):
        return path, None
    return match[1], int(match[2])


def page_digest(sha256: bytes, page: int) -> bytes:
    """What a page is known by: 32 bytes, equal where the files have equal bytes.

    Args:
        sha256: Of the file's bytes.
        page: Which of its pages.
    """
    return hashlib.sha256(sha256 + b"#page=%d" % page, usedforsecurity=False).digest()
