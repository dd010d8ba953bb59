"""A decoded picture, handed on in strips, so that the whole of it need not be there as an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass
class Strips:
    """A picture from top to bottom.

    Attributes:
        height: In pixels.
        width: In pixels.
        strips: uint8 (h, width, 3) RGB, C-contiguous; their h add up to `height`. Can be gone through once.
    """

    height: int
    width: int
    strips: Iterator[np.ndarray]

    def whole(self) -> np.ndarray:
        """The picture as one array of its own, uint8 (height, width, 3)."""
        first = next(self.strips)
        if len(first) == self.height and first.flags.writeable:
            return first
        pixels = np.empty((self.height, self.width, 3), np.uint8)
        pixels[: len(first)] = first
        top = len(first)
        for strip in self.strips:
            pixels[top : top + len(strip)] = strip
            top += len(strip)
        return pixels
