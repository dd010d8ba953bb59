"""PNG as browsers take it: what is wrong besides the picture does not lose the picture, and no colour is made up."""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PALETTE = 3
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_LARGEST_SIDE = (1 << 31) - 1
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PIECE = 1 << 20


class PngPicture(PngImagePlugin.PngImageFile):
    """Pillow's PNG over what shows in a file.

    Pillow refuses a picture for a text whose check sum is wrong, shows one without its palette in greys and one whose
    pixels end early in black. As libpng, and by it browsers do: what is no part of the picture (`_Chunks`) and is
    broken or in a wrong place is passed over, and a picture that lacks a part of itself is none. imgsim_app has the
    same rules (cpp_app/images/png.cpp).

    Args:
        file: At its beginning.

    Raises:
        SyntaxError: It is broken.
        OSError: It ends early; the message begins with "truncated".
    """

    def __init__(self, file: BinaryIO):
        self._chunks = _Chunks(file)
        super().__init__(self._chunks.readable())

    def load(self) -> Any:
        """Decodes, and checks where a part of the picture may never have been written how many bytes there are.

        Raises:
            OSError: Too few.
        """
        first = bool(self.tile) and self.tell() == 0
        pixels = super().load()
        if first and self.im.crop((0, max(0, self.height - 2), *self.size)).getbbox(True) is None:
            self._chunks.require_all_rows()
        return pixels


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


class _Chunks:
    """The chunks of a PNG: which make the picture, and whether others must be left out of what Pillow sees."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._kept: list[tuple[bytes, int, int]] = []  # name, and from where to where it reaches, check sum counted
        self._names = Counter[bytes]()  # of those
        self._key = b""  # the chunk of the transparent colour, as Pillow compares it
        self._odd = False
        self._pixels_over = self._animated = False
        self._judge = PngImagePlugin.PngStream(io.BytesIO())
        file.seek(0, io.SEEK_END)
        self._size = file.tell()
        self._walk()

    def readable(self) -> BinaryIO:
        """The file, or a copy of what shows in it, where Pillow would stumble over the rest."""
        self._file.seek(0)
        if not self._odd:
            return self._file
        parts = [_SIGNATURE]
        for name, start, stop in self._kept:
            self._file.seek(start)
            chunk = self._file.read(stop - start)
            if name == b"IDAT":  # the last one may be cut short
                chunk = _chunk(name, chunk[8 : 8 + int.from_bytes(chunk[:4], "big")])
            parts.append(self._key if name == b"tRNS" and self._key else chunk)
        return io.BytesIO(b"".join(parts))

    def require_all_rows(self) -> None:
        """Checks that the pixels do not end before the picture does.

        Raises:
            OSError: They do.
        """
        passes = _ADAM7 if self._interlaced else ((0, 0, 1, 1),)
        sides = [(-(-(self._width - x) // dx), -(-(self._height - y) // dy)) for x, y, dx, dy in passes]
        missing = sum(rows * (1 + -(-columns * self._bits // 8)) for columns, rows in sides if columns > 0)
        stream = zlib.decompressobj()
        for name, start, _ in self._kept:
            if name != b"IDAT":
                continue
            self._file.seek(start)
            length, _ = struct.unpack(">I4s", self._file.read(8))
            pending = self._file.read(length)
            while pending and missing > 0:
                try:
                    missing -= len(stream.decompress(pending, min(missing, _PIECE)))
                except zlib.error:  # Pillow, which has met it too, says so
                    return
                pending = stream.unconsumed_tail
        if missing > 0:
            raise OSError("truncated: rows are missing")

    def _walk(self) -> None:
        at = len(_SIGNATURE)
        while at + 8 <= self._size:
            self._file.seek(at)
            length, name = struct.unpack(">I4s", self._file.read(8))
            stop = at + 12 + length
            if not name.isalpha():
                self._odd = True
                break
            pixels = name == b"IDAT"
            body = b"" if pixels else self._file.read(length + 4)
            if at == len(_SIGNATURE):
                self._read_header(name, body, length)
            whole = stop <= self._size
            sound = whole and (pixels or zlib.crc32(name + body[:-4]) == int.from_bytes(body[-4:], "big"))
            self._pixels_over |= bool(self._names[b"IDAT"]) and not pixels
            if self._is_kept(name, body[:-4], sound):
                self._kept.append((name, at, min(stop, self._size)))
                self._names[name] += 1
            else:
                self._odd = True
            if name == b"IEND":
                break
            at = stop
        self._odd |= not self._names[b"IEND"]
        if not self._kept:
            raise OSError("truncated: there is no header chunk")
        if self._palette and not self._names[b"PLTE"]:
            raise SyntaxError("there is no palette")
        if not self._names[b"IDAT"]:
            raise OSError("truncated: there are no pixels")

    def _read_header(self, name: bytes, body: bytes, length: int) -> None:
        if name != b"IHDR":
            raise SyntaxError("the header chunk must come first")
        if len(body) < length + 4:
            raise OSError("truncated: the header chunk is not whole")
        if length != 13 or zlib.crc32(name + body[:-4]) != int.from_bytes(body[-4:], "big"):
            raise SyntaxError("the header chunk is broken")
        self._width, self._height, depth, colour, *ways = struct.unpack(">IIBBBBB", body[:13])
        sides_can_be = 0 < self._width <= _LARGEST_SIDE and 0 < self._height <= _LARGEST_SIDE
        if not sides_can_be or depth not in _DEPTHS.get(colour, ()) or ways not in ([0, 0, 0], [0, 0, 1]):
            raise SyntaxError("the header chunk promises a picture that cannot be")
        self._colour, self._depth, self._bits = colour, depth, depth * _CHANNELS[colour]
        self._palette, self._interlaced = colour == _PALETTE, ways[2] == 1

    def _is_kept(self, name: bytes, body: bytes, sound: bool) -> bool:
        """Whether a chunk is shown to Pillow.

        Raises:
            SyntaxError: A part of the picture is broken.
        """
        behind = bool(self._names[b"IDAT"])
        if name == b"IHDR":
            if self._kept:
                raise SyntaxError("there are two header chunks")
            return True
        if name == b"PLTE":
            if behind or not self._palette:
                return False
            if not sound or len(body) % 3 or not 0 < len(body) <= 768:
                raise SyntaxError("the palette is broken")
            return True
        if name == b"IDAT":
            return not self._pixels_over
        if name == b"IEND":
            return sound
        if name == b"tRNS":
            least = {0: 2, 2: 6}.get(self._colour, 0)
            kept = sound and not behind and least <= len(body) <= 256
            if kept and least:
                self._set_key(body[:least])
            return kept
        if name in _ANIMATION:
            return self._is_animation(name, body, sound, behind)
        return sound and not self._refused(name, body)

    def _set_key(self, body: bytes) -> None:
        """Pillow compares the transparent colour with samples that it has brought to 8 bits; a grey of 16 it leaves."""
        values = struct.unpack(f">{len(body) // 2}H", body)
        if self._depth == 16:
            values = tuple(value >> 8 for value in values) if self._colour else values
        else:
            most = (1 << self._depth) - 1
            values = tuple((value & most) * (255 // most if 1 < self._depth < 8 else 1) for value in values)
        shown = struct.pack(f">{len(values)}H", *values)
        self._key = _chunk(b"tRNS", shown)
        self._odd |= shown != body

    def _is_animation(self, name: bytes, body: bytes, sound: bool, behind: bool) -> bool:
        """An animation may not be taken for a still picture because a part of it is broken."""
        if behind:
            return self._animated and name != b"acTL"
        covers = name != b"fcTL" or body[4:20] == struct.pack(">IIII", self._width, self._height, 0, 0)
        refused = name == b"fdAT" or (name == b"fcTL" and self._names[name]) or self._refused(name, body)
        if not sound or not covers or refused:
            raise SyntaxError("the animation is broken")
        self._animated |= name == b"acTL"
        return True

    def _refused(self, name: bytes, body: bytes) -> bool:
        """Whether Pillow raises anything for a chunk that it knows."""
        self._judge.fp = io.BytesIO(body)
        self._judge.im_size = (self._width, self._height)
        try:
            self._judge.call(name, 0, len(body))
        except AttributeError:  # it does not know it
            return False
        except (ValueError, SyntaxError, LookupError, OSError, struct.error, Image.DecompressionBombError):
            return True
        return False
