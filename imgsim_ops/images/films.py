"""How long a film is, by its header: that of a Live Photo lasts some seconds."""

from __future__ import annotations

import os

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import open_regular, size_of
from imgsim_ops.images.boxes import find_box


def seconds_of(path: str | os.PathLike[str]) -> float | None:
    """How long a film lasts, of QuickTime or MP4 (ISO/IEC 14496-12, 8.2.2).

    Args:
        path: Any file.

    Returns:
        Seconds; None where the file cannot be read, or has no header that says so.
    """
    try:
        with open_regular(path) as file:
            movie = find_box(file, (b"moov",), 0, size_of(file))
            header = movie and find_box(file, (b"mvhd",), *movie[1:])
            if not header:
                return None
            file.seek(header[1])
            content = file.read(32)
    except (ImageError, OSError):
        return None
    long = content[:1] == b"\1"
    scale_at, wide = (20, 8) if long else (12, 4)
    scale = int.from_bytes(content[scale_at : scale_at + 4], "big")
    duration = int.from_bytes(content[scale_at + 4 : scale_at + 4 + wide], "big")
    return duration / scale if scale else None
