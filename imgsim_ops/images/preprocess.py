"""From a file to the pixels that an extractor takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgsim_ops import kernels
from imgsim_ops.images.decode import MAX_PIXELS, decode

if TYPE_CHECKING:
    import numpy as np

#: Part of every vector's fingerprint; changes whenever the same file could give other pixels.
PREPROCESSING_VERSION = 1

#: The shorter side after resizing, and the side of the square cut from its centre, in pixels.
RESIZE = 256
CROP = 224


def load_pixels(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads a picture and brings it to the size that the extractors take.

    The shorter side becomes 256 pixels, the longer ``int(256 * long / short)`` (torchvision's
    ``Resize``), by Pillow's antialiased bilinear filter, columns before rows; then the centre 224 x 224
    are cut out (torchvision's ``CenterCrop``). The bits are Pillow's, except that Pillow from 13 on takes
    rows first where a tall picture shrinks. Only the crop is computed, so that 1 x 5000 pixels cost no
    more than others.

    Args:
        path: The file; see `decode` for what is read and how.
        max_pixels: The bomb limit, see `decode`.

    Returns:
        uint8 (224, 224, 3), RGB.

    Raises:
        ImageError: see `decode`.
    """
    return kernels.resize_crop(decode(path, max_pixels=max_pixels), RESIZE, CROP)
