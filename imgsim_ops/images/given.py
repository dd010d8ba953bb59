"""What programs hand over as a picture: files, bytes, arrays, tensors, images of Pillow."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.opening import Content
from imgsim_ops.images.decode import decode
from imgsim_ops.images.memory import MAX_PIXELS
from imgsim_ops.images.pillow import shown

#: A path; a file's bytes, or an open binary file; an image of Pillow; an array (H, W), (H, W, 1), (H, W, 3) or
#: (H, W, 4) of uint8; a tensor of PyTorch (H, W), (1, H, W), (3, H, W) or (4, H, W) of uint8.
Given = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray | Any

_TAKEN = (
    "a picture must be a path, bytes, an open binary file, an image of Pillow, an array (H, W, 3), (H, W, 4) or "
    "(H, W), or a tensor (C, H, W)"
)
# Values may be beyond the ends by what resizing rounds.
_ROUNDED = 1e-3


def given(picture: Given) -> str | os.PathLike[str] | np.ndarray:
    """A picture as all else takes it: what is read as a file stays one, so that all that it tells is told.

    Args:
        picture: See `Given`. An open file is read from where it is to its end, and left open.

    Returns:
        A path or its `Content`; or uint8 RGB (H, W, 3), C-contiguous, as `pixels` makes it.

    Raises:
        ImgsimError: It is none of that.
    """
    if isinstance(picture, str | os.PathLike):
        return picture
    if isinstance(picture, bytes | bytearray | memoryview):
        return Content(bytes(picture))
    if callable(read := getattr(picture, "read", None)):
        data = read()
        if not isinstance(data, bytes):
            raise ImgsimError(f"picture: an open file must be opened in binary mode (got {type(data).__name__})")
        return Content(data)
    return pixels(picture)


def is_single(pictures: object) -> bool:
    """Whether what should be many pictures is one."""
    if isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        return True
    dimensions = getattr(pictures, "ndim", None)
    return dimensions is not None and dimensions < 4 if hasattr(pictures, "__array__") else hasattr(pictures, "read")


def pixels(
    picture: Given, *, largest: float | None = None, bgr: bool = False, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """A picture's pixels as they are meant to be seen.

    Args:
        picture: See `Given`; and arrays and tensors of other types where `largest` is given.
        largest: What white is in an array or a tensor, 1 or 255 or 65535; None: it is of uint8, and white is 255.
        bgr: The channels of an array or a tensor are in the order of OpenCV: blue, green, red.
        max_pixels: See ``images.decode.decode``.

    Returns:
        uint8 RGB (H, W, 3), C-contiguous; on white where it is transparent; v of another type becomes
        ``round(v * 255 / largest)``.

    Raises:
        ImageError: A file cannot be read as a picture.
        ImgsimError: It is no picture, or values are not between 0 and `largest`.
    """
    if isinstance(picture, Image.Image):
        _refuse(largest, bgr, "an image of Pillow")
        return shown(picture)
    array = _array(picture)
    if array is None:
        file = given(picture)
        assert not isinstance(file, np.ndarray)
        _refuse(largest, bgr, "a file")
        return decode(file, max_pixels=max_pixels)
    shape = list(array.shape)
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in shape:
        raise ImgsimError(f"picture: {_TAKEN} (got {array.dtype} {shape})")
    array = _as_bytes(array, largest)
    if array.shape[2] == 1:
        return np.repeat(array, 3, 2)
    colours = array[..., 2::-1] if bgr else array[..., :3]
    if array.shape[2] == 4:
        return shown(Image.fromarray(np.ascontiguousarray(np.concatenate([colours, array[..., 3:]], 2))))
    return np.ascontiguousarray(colours)


def _array(picture: Any) -> np.ndarray | None:
    """An array, or a tensor's as one, channels last; None for what is neither."""
    if isinstance(picture, np.ndarray):
        return picture
    kind = type(picture)
    if any(base.__module__ == "torch" and base.__name__ == "Tensor" for base in kind.__mro__):
        array = picture.detach().cpu().numpy()
        return np.moveaxis(array, 0, 2) if array.ndim == 3 else array
    is_file = isinstance(picture, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(picture, "read")
    if is_file:
        return None
    if hasattr(picture, "__array__"):
        return np.asarray(picture)
    raise ImgsimError(f"picture: {_TAKEN} (got {kind.__name__})")


def _as_bytes(array: np.ndarray, largest: float | None) -> np.ndarray:
    if largest is None:
        if array.dtype == np.uint8:
            return array
        got = f"{array.dtype} {list(array.shape)}"
        raise ImgsimError(
            f"picture: values must be uint8, or pixels(picture, largest=1.0) must say what white is (got {got})"
        )
    if not largest > 0 or not np.isfinite(largest):
        raise ImgsimError(f"picture: what white is must be above 0 (got {largest:g})")
    if array.dtype == np.bool_ or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ImgsimError(f"picture: values must be real numbers (got {array.dtype})")
    low, high = float(array.min()), float(array.max())
    if not (-_ROUNDED * largest <= low and high <= (1 + _ROUNDED) * largest):  # not a number is neither
        raise ImgsimError(f"picture: values must be from 0 to {largest:g} (got {low:g} to {high:g})")
    scaled = np.rint(array.astype(np.float64) * (255 / largest))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _refuse(largest: float | None, bgr: bool, what: str) -> None:
    if largest is not None or bgr:
        raise ImgsimError(f"picture: largest and bgr are for arrays and tensors (got {what})")
