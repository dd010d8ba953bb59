"""The hash that tells whether two files have the same bytes."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

_CHUNK = 1 << 20


def digest_of(file: BinaryIO) -> bytes:
    """The SHA-256 of what is left to read of an open file, in little memory.

    Raises:
        OSError: The disk fails.
    """
    digest = hashlib.sha256(usedforsecurity=False)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()
