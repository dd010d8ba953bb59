"""What the header of a JPEG XL file says, as its decoder gives all or nothing (ISO/IEC 18181-1 and -2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgsim_ops.files.opening import size_of
from imgsim_ops.images.boxes import find_box

if TYPE_CHECKING:
    from typing import BinaryIO

_HEADER = 64
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


class JxlHeader(NamedTuple):
    """The header of a JPEG XL.

    Attributes:
        width: In pixels, as stored.
        height: Likewise.
        animated: It has frames.
        deep: More than 8 bits a channel.
    """

    width: int
    height: int
    animated: bool
    deep: bool


def jxl_header(file: BinaryIO) -> JxlHeader | None:
    """Reads it from a file at its beginning, where it is left; None where it is cut short or cannot be read."""
    try:
        return _header(_Bits(_codestream(file)))
    except IndexError:
        return None
    finally:
        file.seek(0)


def _codestream(file: BinaryIO) -> bytes:
    """The first bytes of the codestream, which lies in a file as it is or in one of its boxes."""
    head = file.read(2)
    if head == b"\xff\x0a":
        return file.read(_HEADER)
    box = find_box(file, (b"jxlc", b"jxlp"), 0, size_of(file))
    if box is None:
        return b""
    kind, start, _ = box
    file.seek(start + 4 * (kind == b"jxlp"))  # behind the number of a part
    return file.read(2 + _HEADER)[2:]


class _Bits:
    """Bits, the lowest of each byte first; those behind the end raise IndexError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def take(self, count: int) -> int:
        value = 0
        for bit in range(count):
            value |= (self._content[self._place >> 3] >> (self._place & 7) & 1) << bit
            self._place += 1
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """A number of one of four kinds: what is added to so many bits."""
        least, bits = ways[self.take(2)]
        return least + self.take(bits)


def _header(bits: _Bits) -> JxlHeader:
    width, height = _size(bits)
    if bits.take(1):  # all else is as usual
        return JxlHeader(width, height, False, False)
    if bits.take(1):
        bits.take(3)  # orientation, which the decoder applies
        if bits.take(1):
            _size(bits)  # that it is meant to be shown at
        # Behind a preview, whose header is of another kind, and behind an animation's nothing is known.
        if bits.take(1) or bits.take(1):
            return JxlHeader(width, height, True, True)
    real = bits.take(1)
    depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6)) if real else bits.choice((8, 0), (10, 0), (12, 0), (1, 6))
    return JxlHeader(width, height, False, bool(real) or depth > 8)


def _size(bits: _Bits) -> tuple[int, int]:
    by_eight = bits.take(1)
    height = _side(bits, by_eight)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return _side(bits, by_eight), height


def _side(bits: _Bits, by_eight: int) -> int:
    return 8 * (1 + bits.take(5)) if by_eight else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))
