"""Odd files of every format, from a seed: what cameras, editors, slips and failing disks leave behind."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from tests.support.app_binary import PNG_SIGNATURE, png_chunk, png_chunks

EXIF_PREFIX = b"Exif\0\0"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


def _size(rng):
    return tuple(int(side) for side in rng.integers(1, 70, 2))


def picture(rng, mode="RGB"):
    """A picture in which every orientation and most slips show: smooth, with edges, nowhere symmetric."""
    width, height = _size(rng)
    y, x = np.mgrid[:height, :width]
    wave = [128 + 100 * np.sin(x / rng.uniform(2, 20) + y / rng.uniform(5, 30) + rng.uniform(0, 6)) for _ in range(4)]
    pixels = np.stack(wave, -1).astype(np.uint8)
    pixels[: height // 3, : width // 2] = rng.integers(0, 256, 4)
    if rng.random() < 0.1:
        pixels[..., :3] = 255  # white on nothing
    image = Image.fromarray(pixels)
    return image if mode == "RGBA" else Image.fromarray(pixels[..., :3]).convert(mode)


def exif(rng):
    """A directory with an orientation, or an odd one: of another type or byte order, of two, broken or cut short."""
    order = str(rng.choice(["<", ">"]))
    kind, number = int(rng.choice([3, 3, 3, 3, 3, 4, 1, 9])), int(rng.choice([1, 1, 1, 1, 0, 2]))
    value = int(rng.choice([*range(1, 9), *range(1, 9), 0, 9, 300]))
    held = struct.pack(f"{order}{ {1: 'B', 3: 'H'}.get(kind, 'I') }", value & (0xFF if kind == 1 else 0xFFFF))
    entry = struct.pack(f"{order}HHI", 0x0112, kind, number) + held.ljust(4, b"\0")
    entries = [struct.pack(f"{order}HHII", 0x0100, 4, 1, 5), entry, struct.pack(f"{order}HHII", 0x8769, 4, 1, 8)]
    entries = entries[int(rng.integers(0, 2)) : int(rng.integers(1, 4))]
    offset = int(rng.choice([8, 8, 8, 12]))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", int(rng.choice([42, 42, 42, 42, 7])), offset)
    block = head.ljust(offset, b"\0") + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return block[: int(rng.integers(0, len(block)))] if rng.random() < 0.15 else block


def xmp(rng):
    value = int(rng.integers(0, 10))
    said = [f'tiff:Orientation="{value}"', f"tiff:Orientation='{value}'", 'dc:format="x"'][
        int(rng.choice([0, 0, 0, 1, 2]))
    ]
    if rng.random() < 0.3:
        inner = f"<rdf:Description><tiff:Orientation>{value}</tiff:Orientation></rdf:Description>"
    else:
        inner = f"<rdf:Description {said}/>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>{inner}</rdf:RDF></x:xmpmeta>'.encode()


# --- JPEG

LOSSLESS, ARITHMETIC = 3, (9, 10)  # kinds of frames


def _segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


class _Bits:
    def __init__(self):
        self.bits = []

    def add(self, value, size):
        self.bits += [value >> i & 1 for i in range(size - 1, -1, -1)]

    def signed(self, value, code_size=5):
        """A difference as T.81 writes it: how many bits it has, then those."""
        size = abs(value).bit_length()
        self.add(size, code_size)
        if size < 16:
            self.add(value if value >= 0 else value + (1 << size) - 1, size)

    def bytes(self):
        padded = self.bits + [1] * (-len(self.bits) % 8)
        return np.packbits(np.array(padded, np.uint8)).tobytes().replace(b"\xff", b"\xff\0")


def jpeg_of(frame, size, entropy, *, sampling=((1, 1),), ids=(1, 2, 3, 4), precision=8, predictor=1):
    """A JPEG around its code: of flat blocks (`flat_code`), or of samples without loss (`lossless_code`)."""
    width, height = size
    ids = ids[: len(sampling)]
    parts = b"".join(bytes([i, across << 4 | down, 0]) for i, (across, down) in zip(ids, sampling, strict=True))
    way = bytes([predictor, 0, 0]) if frame == LOSSLESS else bytes([0, 63, 0])
    segments = [
        _segment(0xDB, b"\0" + bytes([8] * 64)),
        _segment(0xC0 + frame, struct.pack(">BHHB", precision, height, width, len(sampling)) + parts),
        _segment(0xC4, b"\0" + bytes([0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))),
        _segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0"),
        _segment(0xDA, bytes([len(ids)]) + b"".join(bytes([i, 0]) for i in ids) + way),
    ]
    return b"\xff\xd8" + b"".join(segments) + entropy + b"\xff\xd9"


def lossless_code(samples, precision=8, predictor=1):
    """Samples (H, W, colours) as T.81, annex H, codes them: what each is more than was to be expected."""
    height, width, colours = samples.shape
    samples = samples.astype(int)
    bits = _Bits()
    for y in range(height):
        for x in range(width):
            for c in range(colours):
                left = samples[y, x - 1, c] if x else 0
                above = samples[y - 1, x, c] if y else 0
                corner = samples[y - 1, x - 1, c] if x and y else 0
                guesses = (left, above, corner, left + above - corner, left + (above - corner >> 1))
                guesses += (above + (left - corner >> 1), left + above >> 1)
                first = 1 << precision - 1
                guess = (left if x else first) if y == 0 else above if x == 0 else guesses[predictor - 1]
                bits.signed(int(samples[y, x, c]) - int(guess))
    return bits.bytes()


def flat_code(rng, size, sampling, precision=8):
    """Blocks of one value each, of all colours in one scan."""
    width, height = size
    across, down = max(a for a, _ in sampling), max(d for _, d in sampling)
    blocks = [a * d for a, d in sampling] * (-(-width // (8 * across)) * -(-height // (8 * down)))
    if len(sampling) == 1:
        blocks = [-(-width // 8) * -(-height // 8)]
    bits, last = _Bits(), [0] * len(sampling)
    for i, number in enumerate(blocks):
        for _ in range(number):
            value = int(rng.integers(-60, 60)) << precision - 8
            bits.signed(value - last[i % len(sampling)])
            bits.add(0, 1)  # no other coefficients
            last[i % len(sampling)] = value
    return bits.bytes()


def _plain_jpeg(rng, frame, precision=8):
    """A JPEG of the kinds that Pillow does not write."""
    size = _size(rng)
    ids = (1, 2, 3, 4) if rng.random() < 0.8 else tuple(b"RGBK")
    if frame == LOSSLESS:
        shape = (size[1], size[0], int(rng.choice([1, 3])))
        samples = rng.integers(0, 6, shape) + 10 * np.arange(shape[2]) + np.arange(size[0])[:, None]
        predictor = int(rng.integers(1, 8))
        code = lossless_code(samples % (1 << precision), precision, predictor)
        sampling = [(1, 1)] * shape[2]
        return jpeg_of(frame, size, code, sampling=sampling, ids=ids, precision=precision, predictor=predictor)
    sampling = [(1, 1)] * int(rng.choice([1, 3, 4]))
    if len(sampling) == 3:
        odd = [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (1, 4), (3, 1), (2, 4)]
        sampling[0] = odd[int(rng.integers(0, len(odd)))]
        if rng.random() < 0.2 and sampling[0][1] % 2 == 0:
            sampling[1] = (1, 2)
    if frame in ARITHMETIC:  # whatever is read as arithmetic code has some meaning
        code = rng.integers(0, 255, 200, np.uint8).tobytes()
    else:
        code = flat_code(rng, size, sampling, precision)
    return jpeg_of(frame, size, code, sampling=sampling, ids=ids, precision=precision)


def _jpeg_segments(content):
    """The segments up to the scan, and the rest."""
    at, found = 2, []
    while content[at + 1] != 0xDA:
        size = 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        found.append(content[at : at + size])
        at += size
    return found, content[at:]


def _dressed(rng, content):
    """A JPEG with other segments before its pixels."""
    segments, rest = _jpeg_segments(content)
    roll = rng.random
    if roll() < 0.15:
        segments = [s for s in segments if s[1] != 0xE0]  # no JFIF
    added = []
    if roll() < 0.35:
        added += [_segment(0xE1, EXIF_PREFIX * int(rng.choice([1, 1, 1, 2])) + exif(rng))] * int(
            rng.choice([1, 1, 1, 2])
        )
    if roll() < 0.35:
        added.append(_segment(0xE1, XMP_PREFIX + xmp(rng)))
    if roll() < 0.2:
        added.append(_segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, int(rng.integers(0, 4)))))
    if roll() < 0.15:
        added.append(_segment(0xE2, b"ICC_PROFILE\0\1\1" + rng.bytes(30)))
    if roll() < 0.1:
        added.append(_segment(0xFE, rng.bytes(20)))
    if roll() < 0.05:
        added.append(b"\xff\xff\xff" + _segment(0xFE, b"padded")[1:])
    if roll() < 0.05:
        added.append(rng.integers(0, 255, 9, np.uint8).tobytes())  # of no segment
    if roll() < 0.04:
        added.append(_segment(0xED, b"Photoshop 3.0\0" + rng.bytes(12)))
    if roll() < 0.04:
        added.append(_segment(0xE2, b"MPF\0" + rng.bytes(20)))
    rng.shuffle(added)
    place = int(rng.choice([0, 1, len(segments)]))
    return b"\xff\xd8" + b"".join(segments[:place] + added + segments[place:]) + rest


def jpeg(rng):
    kind = rng.choice(
        ["pillow"] * 12 + ["extended", "sampled", "sampled", "lossless", "lossless", "arithmetic", "twelve"]
    )
    if kind != "pillow":
        frame = {"extended": 1, "sampled": 0, "lossless": 3, "twelve": 1}.get(kind, int(rng.choice([9, 10])))
        return _dressed(
            rng,
            _plain_jpeg(rng, frame, 12 if kind == "twelve" else int(rng.choice([8, 8, 8, 12])) if frame == 3 else 8),
        )
    out = io.BytesIO()
    mode = str(rng.choice(["RGB", "RGB", "RGB", "L", "CMYK"]))
    how = {
        "quality": int(rng.integers(1, 100)),
        "progressive": bool(rng.random() < 0.3),
        "optimize": bool(rng.random() < 0.2),
    }
    if mode == "RGB":
        how["subsampling"] = int(rng.integers(0, 3))
        if rng.random() < 0.1:
            how |= {"keep_rgb": True, "subsampling": 0}
    if rng.random() < 0.2:
        how["restart_marker_blocks"] = int(rng.integers(1, 5))
    picture(rng, mode).save(out, "JPEG", **how)
    return _dressed(rng, out.getvalue())


# --- PNG


def _png_plain(rng):
    """Chunks of a PNG of any colour type and depth."""
    colour, depth = [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 1),
        (3, 2),
        (3, 4),
        (3, 8),
        (4, 8),
        (4, 16),
        (6, 8),
        (6, 16),
    ][int(rng.integers(0, 15))]
    width, height = _size(rng)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    image = np.asarray(picture(rng, "RGBA").resize((width, height)))[..., :channels].astype(int)
    samples = image << depth - 8 if depth == 16 else image >> 8 - depth
    if depth == 16 and rng.random() < 0.5:
        samples = (image << 2) + 1 if rng.random() < 0.5 else samples | image
    before = []
    if colour == 3:
        entries = 1 << depth if rng.random() < 0.6 else int(rng.integers(1, (1 << depth) + 1))
        before.append((b"PLTE", rng.bytes(3 * entries)))
    if colour in (0, 2, 3) and rng.random() < 0.3:
        key = samples[0, 0].astype(">u2").tobytes()
        before.append((b"tRNS", rng.bytes(int(rng.integers(1, 1 + (1 << depth)))) if colour == 3 else key))
    return png_chunks(samples, colour, depth, *before, interlaced=bool(rng.random() < 0.3))


def _text_chunk(rng):
    return [
        (b"tEXt", b"Comment\0odd"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"odd")),
        (b"zTXt", b"Comment\0\0" + b"no stream"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(rng)),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(rng))),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(rng)),
        (b"gAMA", struct.pack(">I", int(rng.integers(1, 300000)))),
        (b"gAMA", b"\0"),
        (b"sRGB", b"\0"),
        (b"sRGB", b""),
        (b"iCCP", b"profile\0\0" + zlib.compress(b"none")),
        (b"iCCP", b"profile\0\1" + zlib.compress(b"none")),
        (b"pHYs", struct.pack(">IIB", 1, 2, 1)),
        (b"pHYs", b"\0"),
        (b"cHRM", bytes(32)),
        (b"bKGD", b"\0\1"),
        (b"tIME", bytes(7)),
        (b"eXIf", exif(rng)),
        (b"eXIf", exif(rng)),
        (b"eXIf", EXIF_PREFIX + exif(rng)),
        (b"prVt", b"private"),
        (b"ABCD", b"critical and unknown"),
        (b"acTL", struct.pack(">II", int(rng.integers(0, 3)), 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)),
        (b"cICP", bytes([9, 16, 0, 1])),
        (b"sBIT", b"\5\5\5"),
        (
            b"tEXt",
            b"Raw profile type exif\0" + b"\nexif\n      40\n" + (EXIF_PREFIX + exif(rng)).hex().encode() + b"\n",
        ),
        (b"tRNS", rng.bytes(int(rng.integers(0, 8)))),
        (b"PLTE", rng.bytes(3 * int(rng.integers(1, 9)))),
    ][int(rng.integers(0, 29))]


def png(rng):
    chunks = [(name, body) for name, body in _png_plain(rng)]
    roll = rng.random
    for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3]))):
        chunks.insert(int(rng.integers(1, len(chunks) + (roll() < 0.1))), _text_chunk(rng))
    if roll() < 0.3:  # several IDATs
        parts = []
        for name, body in chunks:
            cut = int(rng.integers(0, len(body) + 1))
            parts += [(name, body[:cut]), (name, body[cut:])] if name == b"IDAT" else [(name, body)]
        chunks = parts
    slip = int(rng.integers(0, 22))
    place = int(rng.integers(0, len(chunks)))
    if slip == 0:
        chunks.pop(place)
    elif slip == 1:
        chunks.insert(place, chunks[place])
    elif slip == 2:
        chunks = [c for c in chunks if c[0] != b"PLTE"]
    elif slip == 3:
        chunks = [c for c in chunks if c[0] != b"IEND"]
    elif slip == 4:
        rng.shuffle(chunks)
    elif slip == 5:
        header = bytearray(chunks[0][1])
        at = int(rng.integers(0, len(header)))
        header[at] = int(rng.choice([0, 1, 2, 3, 5, 255]))
        chunks[0] = (chunks[0][0], bytes(header))
    elif slip == 6:
        width, height = [(0, 5), (5, 0), (20000, 20000), (1 << 31, 1), (9000, 11000), (3, 50)][int(rng.integers(0, 6))]
        chunks[0] = (b"IHDR", struct.pack(">II", width, height) + chunks[0][1][8:])
    elif slip == 7:  # the stream inside
        found = [i for i, c in enumerate(chunks) if c[0] == b"IDAT"]
        if found:
            i = found[int(rng.integers(0, len(found)))]
            body = chunks[i][1]
            chunks[i] = (
                b"IDAT",
                [body[:-3], body + b"behind", body[: len(body) // 2], b"\x78\x9c\x03\0", body[2:]][
                    int(rng.integers(0, 5))
                ],
            )
    parts = [png_chunk(*chunk) for chunk in chunks]
    if slip in (8, 9, 10):  # a wrong check sum
        parts[place] = parts[place][:-1] + bytes([parts[place][-1] ^ 1]) if place < len(parts) else b""
    elif slip == 11:
        length = int(rng.choice([0, 1, 1 << 31, (1 << 32) - 1, 70000]))
        parts[place] = struct.pack(">I", length) + parts[place][4:]
    return PNG_SIGNATURE + b"".join(parts)


def apng(rng):
    out = io.BytesIO()
    frames = [picture(rng) for _ in range(int(rng.integers(1, 4)))]
    frames = [frame.resize(frames[0].size) for frame in frames]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], default_image=bool(rng.random() < 0.5))
    return out.getvalue()


def pillow_png(rng):
    out = io.BytesIO()
    image = picture(rng, str(rng.choice(["RGB", "RGBA", "L", "LA", "P", "1"])) if rng.random() < 0.8 else "RGBA")
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "odd")
    image.save(out, "PNG", pnginfo=info, exif=EXIF_PREFIX + exif(rng) if rng.random() < 0.3 else b"")
    return out.getvalue()


# --- GIF and WebP


def gif(rng):
    out = io.BytesIO()
    frames = [picture(rng).quantize(int(rng.integers(2, 256))) for _ in range(int(rng.choice([1, 1, 1, 2, 3])))]
    how = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
    if rng.random() < 0.4:
        how["transparency"] = int(rng.integers(0, 16))
    if rng.random() < 0.3:
        how["comment"] = b"odd"
    frames[0].save(out, "GIF", interlace=int(rng.integers(0, 2)), disposal=int(rng.integers(0, 4)), **how)
    content = bytearray(out.getvalue())
    slip = int(rng.integers(0, 14))
    if slip < 6:  # of the screen: width, height, flags, background, aspect
        at = int(rng.choice([6, 8, 10, 11, 12]))
        content[at] = int(rng.choice([1, 3, content[at] ^ 0x80, content[at] + 1 & 0xFF, 40, 255]))
    elif slip < 10:  # of the frame: where it lies, how large it is, flags
        at = content.find(b"\x2c")
        at += int(rng.choice([1, 3, 5, 7, 9, 10]))
        content[at] = int(rng.choice([0, 2, content[at] ^ 0x40, content[at] ^ 0x80, 30, 12, 9]))
    return bytes(content)


def _riff(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp(rng):
    out = io.BytesIO()
    mode = str(rng.choice(["RGB", "RGBA"]))
    how = {
        "lossless": bool(rng.random() < 0.5),
        "quality": int(rng.integers(1, 100)),
        "exact": bool(rng.random() < 0.5),
    }
    if rng.random() < 0.2:
        frames = [picture(rng, mode) for _ in range(3)]
        frames = [frame.resize(frames[0].size) for frame in frames]
        frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], **how)
        return out.getvalue()
    picture(rng, mode).save(out, "WEBP", **how)
    content = out.getvalue()
    if rng.random() < 0.5:
        chunks = content[12:]
        if chunks[:4] != b"VP8X":
            width, height = Image.open(io.BytesIO(content)).size
            flags = 0x10 if mode == "RGBA" and rng.random() < 0.7 else 0
            sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
            chunks = _riff(b"VP8X", bytes([flags | 0x0C, 0, 0, 0]) + sides) + chunks
        if rng.random() < 0.5:
            chunks += _riff(b"EXIF", EXIF_PREFIX * int(rng.integers(0, 2)) + exif(rng))
        if rng.random() < 0.5:
            chunks += _riff(b"XMP ", xmp(rng))
        content = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
    if rng.random() < 0.06:
        content = content[:4] + struct.pack("<I", int(rng.choice([0, 12, len(content) + 50]))) + content[8:]
    return content


# --- formats that only Python reads, and what is none

_OTHERS = {
    "BMP": ".bmp",
    "TIFF": ".tif",
    "PPM": ".ppm",
    "TGA": ".tga",
    "PCX": ".pcx",
    "DDS": ".dds",
    "ICO": ".ico",
    "ICNS": ".icns",
    "JPEG2000": ".jp2",
    "AVIF": ".avif",
    "SGI": ".sgi",
    "PDF": ".pdf",
    "EPS": ".eps",
}
_SIGNED = {
    ".heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    ".jxl": b"\xff\x0a" + bytes(20),
    ".psd": b"8BPS\0\1" + bytes(30),
    ".psb": b"8BPS\0\2" + bytes(30),
    ".cr2": b"II\x2a\0\x10\0\0\0CR\2\0" + bytes(30),
    ".cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ".raf": b"FUJIFILMCCD-RAW " + bytes(30),
    ".xcf": b"gimp xcf v011\0" + bytes(30),
    ".exr": b"\x76\x2f\x31\x01" + bytes(30),
    ".hdr": b"#?RADIANCE\n" + bytes(30),
    ".qoi": b"qoif" + bytes(30),
    ".mng": b"\x8aMNG\r\n\x1a\n" + bytes(30),
    ".cur": b"\0\0\2\0\1\0\x10\x10\0\0\0\0\0\0\x30\0\0\0\x16\0\0\0" + bytes(48),
    ".mp4": b"\0\0\0\x18ftypisom\0\0\0\1isommp42",
    ".mov": b"\0\0\0\x08moov" + bytes(20),
    ".avi": b"RIFF\x20\0\0\0AVI LIST" + bytes(20),
    ".mkv": b"\x1aE\xdf\xa3" + bytes(20),
    ".svg": b'<?xml version="1.0"?>\n<!-- odd -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    ".txt": b"no picture at all",
    ".pbm": b"P1\n2 2\n0 1 1 0\n",
    ".pgm": b"P5 # a comment\n2 2\n255\nabcd",
    ".dng": b"II*\0\x08\0\0\0" + bytes(30),
    ".dcm": bytes(128) + b"DICM",
    ".fits": b"SIMPLE  =                    T" + bytes(80),
    ".ktx": b"\xabKTX 11\xbb\r\n\x1a\n" + bytes(30),
    ".wdp": b"II\xbc\x01" + bytes(30),
    ".xpm": b"/* XPM */",
    ".m4a": b"\0\0\0\x18ftypM4A \0\0\0\1isommp42",
}


def other(rng):
    if rng.random() < 0.5:
        suffix = str(rng.choice(list(_SIGNED)))
        return _SIGNED[suffix], suffix
    kind = str(rng.choice(list(_OTHERS)))
    out = io.BytesIO()
    image = picture(rng)
    (image.resize((32, 32)) if kind in ("ICO", "ICNS") else image).save(out, kind)
    return out.getvalue(), _OTHERS[kind]


def _worn(rng, content):
    """What copying, disks and other programs do to a file."""
    wear = int(rng.integers(0, 24))
    if wear == 0:
        return content[: int(rng.integers(0, len(content)))]
    if wear == 1:
        return content[: -int(rng.integers(1, 13))]
    if wear == 2:
        return content + rng.bytes(int(rng.integers(1, 99)))
    if wear == 3:
        return content + content
    if wear == 4:
        spoilt = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            spoilt[int(rng.integers(0, len(spoilt)))] = int(rng.integers(0, 256))
        return bytes(spoilt)
    if wear == 5 and len(content) > 40:
        cut = int(rng.integers(20, len(content)))
        return content[:cut] + bytes(len(content) - cut)  # a download that was given room first
    return content


def odd_file(seed):
    """The name and the bytes of an odd file; the same for the same number."""
    rng = np.random.default_rng(seed)
    kind = str(
        rng.choice(["jpeg"] * 8 + ["png"] * 8 + ["pillow_png", "apng"] + ["gif"] * 3 + ["webp"] * 4 + ["other"] * 3)
    )
    if kind == "other":
        content, suffix = other(rng)
    else:
        content = {"jpeg": jpeg, "png": png, "pillow_png": pillow_png, "apng": apng, "gif": gif, "webp": webp}[kind](
            rng
        )
        suffix = {"jpeg": ".jpg", "pillow_png": ".png", "apng": ".png"}.get(kind, f".{kind}")
    if rng.random() < 0.04:
        suffix = str(rng.choice([".jpg", ".png", ".dat", ".tga", ".dng", ".xbm", ".heic", ".mov", ""]))
    return f"{seed:05d}_{kind}{suffix}", _worn(rng, content)
