"""What a collection keeps of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Description:
    """What a collection keeps of a picture.

    Attributes:
        width: In pixels, upright.
        height: Likewise.
        format: As ``images.formats.picture_format`` names it.
        perceptual: The perceptual hash, uint8 (32,).
        raw: The raw vector, float16 (raw_width,), see ``imgsim_ops.recipes.recipes``.
        frames: How many frames or pages the file has, see ``images.frame_count``; None where that is not known.
    """

    width: int
    height: int
    format: str
    perceptual: np.ndarray
    raw: np.ndarray
    frames: int | None = None
