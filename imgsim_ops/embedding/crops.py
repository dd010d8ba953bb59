"""From a file to all that a collection wants to know of it, in one decoding."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.pages import split_page
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.formats import format_of
from imgsim_ops.images.frame_count import frame_count
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.orientation import turned
from imgsim_ops.images.preprocess import CROP, RESIZE, min_side
from imgsim_ops.images.strips import Strips
from imgsim_ops.matching.hashes import BYTES, SIDE, perceptual_hash

_HEAD = struct.Struct(f"<III8s{BYTES}s")
# Of a larger picture only every other, third... row and column go into the squashed crops, so that it need not be in
# memory as a whole; what remains is still shrunk four times over by an antialiasing filter.
_ENOUGH = 4 * CROP

#: A picture whose longer side has no more pixels than this has one crop. Its centre would be a second forward pass, the
#: dearest step by far of so small a file, for hardly other pixels: both crops only enlarge it.
SMALL = 64


@dataclass(frozen=True)
class Crops:
    """A picture as a collection sees it.

    Attributes:
        width: In pixels, upright.
        height: Likewise.
        format: As `picture_format` names it.
        perceptual: The perceptual hash, uint8 (32,).
        pixels: uint8 RGB (2, 224, 224, 3): the centre, as `load_pixels` makes it, and the whole squashed into a square.
            Of a small picture, see `SMALL`, only the latter: (1, 224, 224, 3).
        frames: How many frames or pages the file has, see `frame_count`; None where that is not known.
    """

    width: int
    height: int
    format: str
    perceptual: np.ndarray
    pixels: np.ndarray
    frames: int | None = None

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads."""
        head = _HEAD.pack(self.width, self.height, self.frames or 0, self.format.encode(), self.perceptual.tobytes())
        return b"".join((head, np.ascontiguousarray(self.pixels)))

    @classmethod
    def from_bytes(cls, content: bytes) -> Crops:
        """Reads what `to_bytes` wrote."""
        width, height, frames, kind, perceptual = _HEAD.unpack_from(content)
        pixels = np.frombuffer(content, np.uint8, offset=_HEAD.size).reshape(-1, CROP, CROP, 3)
        hashed = np.frombuffer(perceptual, np.uint8)
        return cls(width, height, kind.rstrip(b"\0").decode(), hashed, pixels, frames or None)


def load_crops(
    path: str | os.PathLike[str],
    read: ReadOptions = ReadOptions(),
    *,
    orientations: Sequence[int] = (1,),
    admit: Admit = admit_at_once,
) -> bytes:
    """Reads a picture; a task for ``images.readers``.

    Args:
        path: The file.
        read: How.
        orientations: EXIF's numbers of how the picture is turned before it is looked at.
        admit: As in `load_pixels`.

    Returns:
        What ``Crops.from_bytes`` reads, for each of the orientations, all of one length.

    Raises:
        ImageError: As `load_pixels`.
    """
    name, page = split_page(path)
    with open_regular(name) as file:
        kind = format_of(file, name) or ""  # for none `decoded` has the error
        frames = frame_count(file, kind) if page is None else 1
    with decoded(path, max_pixels=read.max_pixels, min_side=min_side(read.exact), admit=admit) as picture:
        height, width = picture.height, picture.width
        if max(height, width) <= SMALL:
            pixels, crops = picture.whole(), []
        else:
            kept: list[np.ndarray] = []
            strips = _keeping(picture, kept)
            crops = [kernels.resize_crop_strips(height, width, strips, RESIZE, CROP, scale=picture.scale)]
            pixels = np.concatenate(kept)
    whole = Image.fromarray(pixels)
    if pixels.shape[0] == pixels.shape[1]:  # nothing to squash: the same bits in a quarter of the time
        crops.append(kernels.resize_crop(pixels, CROP, CROP))
    else:
        crops.append(np.asarray(whole.resize((CROP, CROP), Image.Resampling.BILINEAR)))
    small = np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    seen = Crops(width, height, kind, perceptual_hash(small), np.stack(crops), frames)
    return b"".join(_turned(seen, small, orientation).to_bytes() for orientation in orientations)


def _turned(crops: Crops, small: np.ndarray, orientation: int) -> Crops:
    """What is seen of the turned picture; `small` is what is hashed."""
    if orientation == 1:
        return crops
    width, height = (crops.height, crops.width) if orientation > 4 else (crops.width, crops.height)
    pixels = np.stack([turned(crop, orientation) for crop in crops.pixels])
    return Crops(width, height, crops.format, perceptual_hash(turned(small, orientation)), pixels, crops.frames)


def _keeping(picture: Strips, kept: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The strips, of which as much is kept as is needed."""
    # Each side has a step of its own, or a panorama would be kept whole.
    down, right = (max(1, side // picture.scale // _ENOUGH) for side in (picture.height, picture.width))
    top = 0
    for strip in picture.strips:
        part = strip[-top % down :: down, ::right]
        # A strip may be a buffer that the next one is decoded into.
        kept.append(part.copy())
        top += len(strip)
        yield strip
