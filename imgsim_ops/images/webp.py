"""How a WebP file was compressed, by its header."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

_CHUNK = struct.Struct("<4sI")
_MOST_CHUNKS = 64
# Bytes of a key frame before what is coded arithmetically, and so many of those as hold what is read here.
_TAG, _HEADER = 10, 120
# libwebp's default strength of spatial noise shaping gives the first segment an exponent that is nearly this.
_EXPONENT = 1.445


def webp_quality(file: BinaryIO) -> int:
    """The quality, 1 to 100, that libwebp would have to be given to compress as a WebP file was.

    Args:
        file: The file, whose position is moved.

    Returns:
        The quality; 0 where the file keeps every pixel that it was given, or cannot be read.
    """
    file.seek(12)
    for _ in range(_MOST_CHUNKS):
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            break
        name, size = _CHUNK.unpack(head)
        if name == b"VP8 ":
            frame = file.read(_TAG + _HEADER)
            return _quality(_first_index(frame[_TAG:])) if len(frame) > _TAG + 1 else 0
        if name == b"VP8L":
            break
        file.seek(size + size % 2, 1)
    return 0


def _index(quality: int) -> int:
    """The index of the quantiser (0 to 127) that libwebp 1 takes for a quality."""
    linear = quality / 150 if quality < 75 else quality / 50 - 1
    return int(127 * (1 - linear ** (_EXPONENT / 3)))


_INDICES = [_index(quality) for quality in range(1, 101)]


def _quality(index: int) -> int:
    """The highest quality with an index."""
    return max(1, sum(of_quality >= index for of_quality in _INDICES))


def _first_index(coded: bytes) -> int:
    """The index of the quantiser of a key frame's first segment, see RFC 6386, section 9."""
    bits = _Bits(coded)
    bits.number(2)  # space of colours, clamping
    if bits.number(1):  # segments
        has_map, has_values = bits.number(1), bits.number(1)
        if has_values:
            bits.number(1)
            for width in (7, 7, 7, 7, 6, 6, 6, 6):
                bits.optional(width)
        if has_map:
            for _ in range(3):
                if bits.number(1):
                    bits.number(8)
    bits.number(1 + 6 + 3)  # filter: kind, strength, sharpness
    if bits.number(1) and bits.number(1):
        for _ in range(8):
            bits.optional(6)
    bits.number(2)  # partitions
    return bits.number(7)


class _Bits:
    """Bits coded arithmetically, each as likely 0 as 1, see RFC 6386, section 7."""

    def __init__(self, coded: bytes) -> None:
        self._coded = iter(coded + bytes(_HEADER))
        self._value = next(self._coded) << 8 | next(self._coded)
        self._range = 255
        self._shifted = 0

    def number(self, width: int) -> int:
        """Of so many bits, the first being the highest."""
        number = 0
        for _ in range(width):
            number = 2 * number + self._bit()
        return number

    def optional(self, width: int) -> None:
        """A number with a sign, or nothing."""
        if self.number(1):
            self.number(width + 1)

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = self._value >= split << 8
        self._value -= (split << 8) * bit
        self._range = self._range - split if bit else split
        while self._range < 128:
            self._value, self._range, self._shifted = self._value << 1, self._range << 1, self._shifted + 1
            if self._shifted == 8:
                self._value, self._shifted = self._value | next(self._coded), 0
        return int(bit)
