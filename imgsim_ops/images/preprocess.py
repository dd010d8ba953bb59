"""From a file to the pixels that an extractor takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgsim_ops import kernels
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions

if TYPE_CHECKING:
    import numpy as np

#: The preprocessings that a vector's fingerprint may name. Each changes whenever the same file could give other pixels.
#: Of whole pictures, which is what model files are made for:
PREPROCESSING_VERSION = 1
#: The same, of JPEGs decoded to a half, a quarter or an eighth of their size where enough of them remains:
SCALED_PREPROCESSING_VERSION = 2

#: The shorter side after resizing, and the side of the square cut from its centre, in pixels.
RESIZE = 256
CROP = 224


def preprocessing_version(exact: bool) -> int:
    """The version that a fingerprint names for vectors of files read by `load_pixels`."""
    return PREPROCESSING_VERSION if exact else SCALED_PREPROCESSING_VERSION


def min_side(exact: bool) -> int | None:
    """How much of a JPEG must remain for `load_pixels`, in pixels of the shorter side; None: all.

    The last resizing then still shrinks it by half as much again, so that its antialiasing, not the JPEG's blocks of
    8 x 8, decides what is seen. benchmarks/scaled_jpeg.py measures what it costs the vectors.
    """
    return None if exact else RESIZE * 3 // 2


def load_pixels(
    path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once
) -> np.ndarray:
    """Reads a picture and brings it to the size that the extractors take.

    The shorter side becomes 256 pixels, the longer ``int(256 * long / short)`` (torchvision's
    ``Resize``), by Pillow's antialiased bilinear filter, columns before rows; then the centre 224 x 224
    are cut out (torchvision's ``CenterCrop``). The bits are Pillow's, except that Pillow from 13 on takes
    rows first where a tall picture shrinks. Only the crop is computed, so that 1 x 5000 pixels cost no
    more than others.

    Args:
        path: The file; see `decode` for what is read and how.
        read: How. Where it is exact every pixel is decoded, also of a large JPEG whose shorter side would keep 384
            pixels at a half or a quarter of its size, or 768 at an eighth, which is several times slower.
        admit: See `decoded`.

    Returns:
        uint8 (224, 224, 3), RGB.

    Raises:
        ImageError: see `decode`.
    """
    with decoded(path, max_pixels=read.max_pixels, min_side=min_side(read.exact), admit=admit) as picture:
        size = (picture.height, picture.width)
        return kernels.resize_crop_strips(*size, picture.strips, RESIZE, CROP, scale=picture.scale)
