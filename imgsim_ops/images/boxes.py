"""Boxes, of which films, HEIF, JPEG 2000 and JPEG XL are made (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

# Of a file without any sense in it, so many boxes are looked at.
_MOST_BOXES = 1000


def find_box(file: BinaryIO, kinds: Container[bytes], start: int, stop: int) -> tuple[bytes, int, int] | None:
    """Looks for a box among those between two places.

    Args:
        file: Its position is moved.
        kinds: Names of boxes, four bytes each.
        start: Where the first one begins.
        stop: Where the last one ends.

    Returns:
        The name of the first one of these kinds, and from where to where its content reaches; None where there is none.
    """
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
        if head[4:8] in kinds:
            return head[4:8], start + begins, min(start + size, stop)
        start += size
    return None
