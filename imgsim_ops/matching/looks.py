"""A picture as pairs are judged by it: pixels at a size that shows a changed digit, and what its file is besides."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.pages import split_page
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.facts import FileFacts, file_facts
from imgsim_ops.images.formats import format_of
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.pillow import upright_alpha
from imgsim_ops.images.thumbnails import shrunk
from imgsim_ops.matching.features import opencv

#: The longer side of what is looked at, in pixels. At 512 a changed digit of an invoice is too small to be seen.
SIDE = 1280

# Values of a blank page that was compressed differ by so much.
_ONE_COLOUR = 2

#: x, y, width and height, in pixels.
Box = tuple[int, int, int, int]

# Width, height, of the pixels likewise, whether there is alpha, what lies behind it, length of the facts.
_HEAD = struct.Struct("<IIIIBB2xI")


@dataclass(frozen=True, eq=False)
class Look:
    """A picture as pairs are judged by it.

    Attributes:
        width: Of the picture, upright, in pixels.
        height: Likewise.
        pixels: uint8 RGB (h, w, 3), on `backdrop` where it is transparent; the longer side has at most `SIDE` pixels.
        alpha: uint8 (h, w), 255 where nothing shines through; None for a picture without transparency.
        facts: What its file is besides.
        backdrop: See ``images.strips.Strips``.
    """

    width: int
    height: int
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    facts: FileFacts = FileFacts()
    backdrop: int = 255

    @cached_property
    def to_full(self) -> np.ndarray:
        """The matrix from pixels of the look, whose 0 is the edge, to those of the picture: float64 (3, 3)."""
        h, w = self.pixels.shape[:2]
        return np.diag([self.width / w, self.height / h, 1.0])

    @property
    def shrunk(self) -> float:
        """Pixels of the picture along a side for one that is looked at: 1 where all are."""
        return max(self.width, self.height) / max(self.pixels.shape[:2])

    @property
    def is_empty(self) -> bool:
        """Whether it shows nothing: one colour, as far as compressing it left that, or transparency throughout."""
        if self.alpha is not None and not self.alpha.any():
            return True
        return int((self.pixels.max((0, 1)) - self.pixels.min((0, 1))).max()) <= _ONE_COLOUR

    @cached_property
    def on_black(self) -> np.ndarray:
        """`pixels`, on black where they are transparent."""
        if self.alpha is None or not self.backdrop:
            return self.pixels
        return self.pixels - np.minimum(self.pixels, 255 - self.alpha[..., np.newaxis])

    def halved(self, times: int, *, colour: bool = False, on_black: bool = False) -> np.ndarray:
        """The pixels at a half, a quarter, ... of the size: each the mean of what it covers.

        Args:
            times: How often; 0 are the pixels as they are.
            colour: In RGB (h, w, 3), in place of grey (h, w).
            on_black: What is transparent is seen on black, in place of white.
        """
        key = times, colour, on_black and self.alpha is not None
        found = self._levels.get(key)
        if found is None:
            cv2 = opencv()
            if times:
                last = self.halved(times - 1, colour=colour, on_black=on_black)
                size = max(1, round(last.shape[1] / 2)), max(1, round(last.shape[0] / 2))
                found = cv2.resize(last, size, interpolation=cv2.INTER_AREA)
            else:
                found = self.on_black if on_black else self.pixels
                found = found if colour else cv2.cvtColor(found, cv2.COLOR_RGB2GRAY)
            self._levels[key] = found  # another thread may have made the same
        return found

    @cached_property
    def _levels(self) -> dict[tuple[int, bool, bool], np.ndarray]:
        return {}

    def reduced(self, side: int) -> np.ndarray:
        """The pixels in grey with a longer side of so many pixels at most, uint8 (h, w)."""
        cv2 = opencv()
        height, width = self.pixels.shape[:2]
        factor = min(1.0, side / max(height, width))
        # By area in one step it takes ten times as long.
        pixels = self.halved(int(np.log2(1 / factor)))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def to_bytes(self) -> bytes:
        """For a pipe."""
        facts = json.dumps(self.facts.as_json()).encode()
        h, w = self.pixels.shape[:2]
        head = _HEAD.pack(self.width, self.height, w, h, self.alpha is not None, self.backdrop, len(facts))
        alpha = b"" if self.alpha is None else self.alpha.tobytes()
        return b"".join((head, facts, np.ascontiguousarray(self.pixels), alpha))

    @classmethod
    def from_bytes(cls, content: bytes) -> Look:
        """What `to_bytes` wrote."""
        width, height, w, h, has_alpha, backdrop, length = _HEAD.unpack_from(content)
        start = _HEAD.size + length
        facts = FileFacts(**json.loads(content[_HEAD.size : start]))
        pixels = np.frombuffer(content, np.uint8, 3 * w * h, start).reshape(h, w, 3)
        alpha = np.frombuffer(content, np.uint8, w * h, start + pixels.size).reshape(h, w) if has_alpha else None
        return cls(width, height, pixels, alpha, facts, backdrop)

    @classmethod
    def of(cls, pixels: np.ndarray, facts: FileFacts = FileFacts(lossless=True)) -> Look:
        """The look of an array of pixels, uint8 RGB (H, W, 3)."""
        height, width = pixels.shape[:2]
        small = Image.fromarray(pixels)
        small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        return cls(width, height, np.asarray(small), None, facts)


def look(path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once) -> bytes:
    """Looks at a file; a task for ``images.readers``.

    Args:
        path: The file; see ``images.decode.decode`` for what is read and how.
        read: How.
        admit: See ``images.decode.decoded``.

    Returns:
        `Look.to_bytes`.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with decoded(path, max_pixels=read.max_pixels, min_side=None if read.exact else SIDE, admit=admit) as picture:
        small = shrunk(picture, SIDE, Image.Resampling.BOX)
    pixels, alpha = np.asarray(small), None
    name, page = split_page(path)
    with open_regular(name) as file:
        kind = format_of(file, name) or ""
        facts = file_facts(file, kind, page)
        if facts.transparent:
            file.seek(0)
            channel = upright_alpha(file, kind, page or 1)
            alpha = None if channel is None else np.asarray(channel.resize(small.size, Image.Resampling.BOX))
    return Look(picture.width, picture.height, pixels, alpha, facts, picture.backdrop).to_bytes()
