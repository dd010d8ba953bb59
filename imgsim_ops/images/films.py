"""How long a film is, by its header: that of a Live Photo lasts some seconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import open_regular, size_of

if TYPE_CHECKING:
    from typing import BinaryIO

# Of a file without any sense in it, so many boxes are looked at.
_MOST_BOXES = 1000


def seconds_of(path: str | os.PathLike[str]) -> float | None:
    """How long a film lasts, of QuickTime or MP4 (ISO/IEC 14496-12, 8.2.2).

    Args:
        path: Any file.

    Returns:
        Seconds; None where the file cannot be read, or has no header that says so.
    """
    try:
        with open_regular(path) as file:
            movie = _box(file, b"moov", 0, size_of(file))
            header = movie and _box(file, b"mvhd", *movie)
            if not header:
                return None
            file.seek(header[0])
            content = file.read(32)
    except (ImageError, OSError):
        return None
    long = content[:1] == b"\1"
    scale_at, wide = (20, 8) if long else (12, 4)
    scale = int.from_bytes(content[scale_at : scale_at + 4], "big")
    duration = int.from_bytes(content[scale_at + 4 : scale_at + 4 + wide], "big")
    return duration / scale if scale else None


def _box(file: BinaryIO, kind: bytes, start: int, stop: int) -> tuple[int, int] | None:
    """From where to where the content of a box reaches, looked for among those between two places."""
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = file.read(16)
        if start >= stop or len(head) < 8:
            return None
        size, begins = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, begins = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = stop - start
        if size < begins:
            return None
        if head[4:8] == kind:
            return start + begins, min(start + size, stop)
        start += size
    return None
