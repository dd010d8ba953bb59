"""A picture as pairs are sorted out by it, before they are judged: its local features and a few pixels."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.thumbnails import shrunk
from imgsim_ops.matching.features import SIDE, Features, described, opencv
from imgsim_ops.matching.looks import Look

#: The longer side of the few pixels.
SMALL_SIDE = 144

_HEAD = struct.Struct("<II")  # width and height of the few pixels


@dataclass(frozen=True, eq=False)
class Described:
    """A picture as pairs are sorted out by it.

    Attributes:
        features: Its local features.
        grey: uint8 (h, w), all of it in few pixels, on white where it is transparent.
    """

    features: Features
    grey: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, width: int, height: int) -> Described:
        """Describes a picture.

        Args:
            pixels: uint8 RGB (h, w, 3), the picture at a size of its own.
            width: Of the picture, in pixels.
            height: Likewise.
        """
        return cls(described(pixels, width, height), Look(width, height, pixels).reduced(SMALL_SIDE))

    def small(self) -> Look:
        """The few pixels: enough to see that two pictures do not lie over each other as they are."""
        pixels = opencv().cvtColor(self.grey, opencv().COLOR_GRAY2RGB)
        return Look(self.features.width, self.features.height, pixels)

    def to_bytes(self) -> bytes:
        """For a file or a pipe: some 60 kB."""
        height, width = self.grey.shape
        return _HEAD.pack(width, height) + self.grey.tobytes() + self.features.to_bytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Described:
        """What `to_bytes` wrote.

        Raises:
            ImgsimError: It was not written by this version, or is damaged.
        """
        width, height = _HEAD.unpack_from(content) if len(content) >= _HEAD.size else (0, 0)
        start = _HEAD.size + width * height
        if not (0 < width <= SMALL_SIDE and 0 < height <= SMALL_SIDE and start <= len(content)):
            raise ImgsimError(f"description: must begin with a size of at most {SMALL_SIDE} (got {width} x {height})")
        grey = np.frombuffer(content, np.uint8, width * height, _HEAD.size).reshape(height, width)
        return cls(Features.from_bytes(content[start:]), grey)


def describe(path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once) -> bytes:
    """Describes a file; a task for ``images.readers``.

    Args:
        path: The file; see ``images.decode.decode`` for what is read and how.
        read: How.
        admit: See ``images.decode.decoded``.

    Returns:
        `Described.to_bytes`.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with decoded(path, max_pixels=read.max_pixels, min_side=None if read.exact else SIDE, admit=admit) as picture:
        small, width, height = shrunk(picture, SIDE, Image.Resampling.BOX), picture.width, picture.height
    return Described.of(np.asarray(small), width, height).to_bytes()
