"""Two pictures that are larger than their looks, looked at in full where most is to be seen."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import numpy as np

from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.matching import frames
from imgsim_ops.matching.looks import SIDE, Box, Look

#: Hands out a box of a picture as it is, uint8 RGB (height, width, 3); None where it cannot be read any more.
Pieces = Callable[[Box], np.ndarray | None]

# Pixels each way of the coarser picture.
_SIDE = 400
# Boxes begin at multiples of this, so that blocks of compression do.
_GRID = 64
# Places are told by multiples of this, so that one piece of a picture serves many pairs.
_APART = 256

_HEAD = struct.Struct("<I")  # the width of a piece


def piece(
    path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, box: Box, admit: Admit = admit_at_once
) -> bytes:
    """A box of a file's picture; a task for ``images.readers``.

    Args:
        path: The file; see ``images.decode.decode`` for what is read and how.
        read: How.
        box: x, y, width and height in pixels, inside the picture.
        admit: See ``images.decode.decoded``.

    Returns:
        For `piece_from_bytes`: fewer pixels where the picture ends before.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    left, top, width, height = box
    rows, below = [], 0
    with decoded(path, max_pixels=read.max_pixels, admit=admit) as picture:
        width = max(0, min(width, picture.width - left))
        for strip in picture.strips:
            inside = strip[max(0, top - below) : max(0, top + height - below), left : left + width]
            rows.append(inside.tobytes())
            below += len(strip)
            if below >= top + height:
                break
    return b"".join((_HEAD.pack(width), *rows))


def piece_from_bytes(content: bytes) -> np.ndarray:
    """What `piece` read: uint8 RGB (h, w, 3)."""
    (width,) = _HEAD.unpack_from(content)
    return np.frombuffer(content, np.uint8, offset=_HEAD.size).reshape(-1, max(1, width), 3)


def pieces_of(picture: str | os.PathLike[str] | np.ndarray, read: ReadOptions = ReadOptions()) -> Pieces:
    """Pieces of a file, read here, or of an array, uint8 RGB (H, W, 3)."""

    def pieces(box: Box) -> np.ndarray:
        left, top, width, height = box
        if isinstance(picture, np.ndarray):
            return np.ascontiguousarray(picture[top : top + height, left : left + width])
        return piece_from_bytes(piece(picture, read, box=box))

    return pieces


def closer(
    a: Look, b: Look, transform: np.ndarray, point: np.ndarray, pieces: tuple[Pieces, Pieces]
) -> tuple[Look, Look, np.ndarray] | None:
    """Pieces of both pictures in full, as looks of pictures of their own.

    Args:
        a: The one.
        b: The other.
        transform: From pixels of the one to those of the other, float64 (3, 3).
        point: Near which, in pixels of the other, (2,).
        pieces: Of the one and of the other.

    Returns:
        Both, and the transform between their pixels; None where one cannot be read.
    """
    back = np.linalg.inv(transform)
    point = np.minimum(np.rint(point / _APART) * _APART, (b.width, b.height))
    finer = frames.density(back, point)  # pixels of the one for one of the other
    sides = (_SIDE * max(1.0, finer), _SIDE * max(1.0, 1 / finer))
    places = (frames.mapped(back, point[np.newaxis])[0], point)
    cut = []
    for look, place, side, cut_out in zip((a, b), places, sides, pieces, strict=True):
        box = _around(look, place, min(SIDE, round(side)))
        pixels = cut_out(box) if look.shrunk > 1 else pieces_of(look.pixels)(box)
        if pixels is None:
            return None
        x, y, width, height = box
        alpha = None if look.alpha is None else np.full((height, width), 255, np.uint8)
        shift = np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
        cut.append((Look(width, height, pixels, alpha, look.facts), shift))
    (one, here), (other, there) = cut
    return one, other, frames.normalised(np.linalg.inv(there) @ transform @ here)


def _around(look: Look, point: np.ndarray, side: int) -> Box:
    size = np.array([look.width, look.height])
    extent = np.minimum(size, side)
    first = np.clip(np.rint((point - extent / 2) / _GRID) * _GRID, 0, (size - extent) // _GRID * _GRID).astype(int)
    return int(first[0]), int(first[1]), int(extent[0]), int(extent[1])
