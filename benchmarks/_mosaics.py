"""Pictures of any size from the small photographs that scikit-image brings along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imgsim_ops.images.decode import decode


def mosaic(photograph: Path, size: tuple[int, int], offset: int = 0) -> Image.Image:
    """A photograph repeated, every other tile mirrored so that no seam shows: each pixel keeps its real detail.

    Args:
        photograph: The file.
        size: Width and height of the mosaic, in pixels.
        offset: How many pixels of the first tile are left out at the left and at the top.
    """
    tile = decode(photograph)
    columns, rows = (_to_and_fro(length, there, offset) for length, there in zip(size, tile.shape[1::-1], strict=True))
    return Image.fromarray(tile[rows][:, columns])


def _to_and_fro(length: int, there: int, offset: int) -> np.ndarray:
    """Indices 0 to `there` - 1 and back again, from `offset` on."""
    steps = np.arange(offset, offset + length) % (2 * there)
    return np.minimum(steps, 2 * there - 1 - steps)
