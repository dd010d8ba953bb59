"""A decoded picture, handed on in strips, so that the whole of it need not be there as an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass
class Strips:
    """A picture from top to bottom.

    Attributes:
        height: Of the whole picture, in pixels.
        width: Likewise.
        strips: uint8 (h, w, 3) RGB, C-contiguous; w and the sum of all h are width and height divided by `scale`,
            rounded up. Can be gone through once.
        backdrop: What lies behind transparent places: 255, white, or 0, black, where nothing would be seen on white.
        scale: 1, or how many pixels of the picture lie along each side of one here.
    """

    height: int
    width: int
    strips: Iterator[np.ndarray]
    scale: int = 1
    backdrop: int = 255

    def whole(self) -> np.ndarray:
        """The picture as one array of its own, uint8 (height, width, 3) divided by `scale`, rounded up."""
        height, width = -(-self.height // self.scale), -(-self.width // self.scale)
        first = next(self.strips)
        if len(first) == height and first.flags.writeable:
            return first
        pixels = np.empty((height, width, 3), np.uint8)
        pixels[: len(first)] = first
        top = len(first)
        for strip in self.strips:
            pixels[top : top + len(strip)] = strip
            top += len(strip)
        return pixels
