"""Files made byte by byte, for sizes and lies that no program writes, and that take no memory to make."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def exif(orientation):
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)


def flat_jpeg(width, height, orientation=1, scan_by_scan=False):
    """A grey sequential JPEG of three colours: 4:2:0 in one scan, or 4:4:4 in one after the other.

    Two bits a block: no difference to the last block's mean, and the end of the block.
    """
    sampling = b"\x11" if scan_by_scan else b"\x22"
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    one_code = b"\1" + bytes(15) + b"\0"  # of one bit, for the symbol 0
    parts = [
        b"\xff\xd8",
        segment(0xE1, b"Exif\0\0" + exif(orientation)),
        segment(0xDB, b"\0" + b"\1" * 64),
        segment(0xC0, b"\x08" + size + b"\3\1" + sampling + b"\0\2\x11\0\3\x11\0"),
        segment(0xC4, b"\0" + one_code),
        segment(0xC4, b"\x10" + one_code),
    ]
    if scan_by_scan:
        blocks = -(-width // 8) * -(-height // 8)
        for component in (1, 2, 3):
            parts += [segment(0xDA, bytes([1, component, 0, 0, 63, 0])), bytes(-(-blocks // 4))]
    else:
        blocks = 6 * -(-width // 16) * -(-height // 16)
        parts += [segment(0xDA, b"\3\1\0\2\0\3\0\0\x3f\0"), bytes(-(-blocks // 4))]
    return b"".join(parts) + b"\xff\xd9"


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def black_png(width, height, orientation=1):
    deflate = zlib.compressobj(1)
    rows = deflate.compress(b"")
    for _ in range(height):
        rows += deflate.compress(bytes(1 + 3 * width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"eXIf", exif(orientation)), (b"IDAT", rows + deflate.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def tiled_tiff(width, height, tile):
    """A black RGB picture in one deflated tile, however much larger than the picture that is."""
    content = zlib.compress(bytes(3 * tile * tile), 9)
    count = 10
    bits = 8 + 2 + 12 * count + 4
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, bits),
        (259, 3, 1, 8),  # deflate
        (262, 3, 1, 2),  # RGB
        (277, 3, 1, 3),
        (322, 4, 1, tile),
        (323, 4, 1, tile),
        (324, 4, 1, bits + 6),
        (325, 4, 1, len(content)),
    ]
    assert len(tags) == count
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, count) + directory + bytes(4) + struct.pack("<HHH", 8, 8, 8) + content


def slow_jpeg(side):
    """A grey progressive JPEG of some 40 kB that says nothing in 883 scans, each of which goes through all blocks.

    They are as they should be: every coefficient bit by bit, from the highest on.
    """
    blocks = (-(-side // 8)) ** 2
    size = side.to_bytes(2, "big") * 2
    code_of_one_bit = b"\1" + bytes(15)
    parts = [
        b"\xff\xd8",
        segment(0xDB, b"\0" + b"\1" * 64),
        segment(0xC2, b"\x08" + size + b"\1\1\x11\0"),
        segment(0xC4, b"\0" + code_of_one_bit + b"\0"),  # no difference to the last mean
        segment(0xC4, b"\x10" + code_of_one_bit + b"\xe0"),  # 16384 blocks that are at their end, and what 14 bits say
        segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8)),
    ]
    ends = bytes(-(-15 * -(-blocks // 16384) // 8))
    for coefficient in range(1, 64):
        for bit in range(13, -1, -1):
            higher = bit + 1 if bit < 13 else 0
            parts.append(segment(0xDA, bytes([1, 1, 0, coefficient, coefficient, higher << 4 | bit])) + ends)
    return b"".join(parts) + b"\xff\xd9"


def psd(pixels, *, mode=3, bits=8, layers=b"", merged=True):
    height, width, channels = pixels.shape
    version = b"\0\0\0\1" + bytes([merged]) + bytes(21)
    resources = b"8BIM" + struct.pack(">H", 1057) + b"\0\0" + struct.pack(">I", len(version)) + version
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", channels, height, width, bits, mode)
    parts = b"".join(struct.pack(">I", len(part)) + part for part in (b"", resources, layers))
    return head + parts + b"\0\0" + np.moveaxis(pixels, 2, 0).tobytes()


def dng(values, orientation=1):
    """A raw file of a sensor behind red, green and blue."""
    matrix = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    numbers = [
        (50706, 1, 4, (1, 4, 0, 0)),
        (50708, 2, 0, "a camera"),
        (33421, 3, 2, (2, 2)),
        (33422, 1, 4, (0, 1, 1, 2)),
        (50721, 10, 9, matrix),
        (50717, 3, 1, 4095),
        (274, 3, 1, orientation),
    ]
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric=32803, extratags=numbers, metadata=None)
    return file.getvalue()


def frames_made(count, size=(24, 18), seed=0):
    """Frames that differ from each other all over, in few colours, so that any format keeps them."""
    random = np.random.default_rng(seed)
    values = random.choice(
        np.array([0, 51, 102, 153, 204, 255], np.uint8), (count, -(-size[1] // 6), -(-size[0] // 6), 3)
    )
    return [Image.fromarray(one.repeat(6, 0).repeat(6, 1)[: size[1], : size[0]]) for one in values]


def many_frames_gif(count):
    """A GIF of 1 x 1 pixels and some 2 MB for 100,000 frames."""
    frame = b"!\xf9\x04\0\1\0\0\0" + b",\0\0\0\0\1\0\1\0\0" + b"\2\2\x44\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0" + b"\0\0\0\xff\xff\xff" + count * frame + b";"
