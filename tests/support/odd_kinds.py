"""The kinds of odd files that docs/formats.md lists, each with what it shows where it is read."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.app_binary import PNG_SIGNATURE, png, png_chunk, png_chunks
from tests.support.odd_files import _SIGNED, EXIF_PREFIX, XMP_PREFIX, _segment, flat_code, jpeg_of, lossless_code

SIZE = (23, 17)
RGB = (np.indices((17, 23, 3)).sum(0) * 5 + np.arange(3) * 40).astype(np.uint8)


def saved(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def by_pillow(content):
    """What Pillow shows of a file, as it is stored."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def turned_right(pixels):
    return np.ascontiguousarray(np.rot90(pixels, -1))


def exif_saying(value, magic=42):
    return struct.pack("<2sHIHHHIHHI", b"II", magic, 8, 1, 0x0112, 3, 1, value, 0, 0)


def xmp_saying(value):
    return f'<rdf:Description tiff:Orientation="{value}"/>'.encode()


def jpeg_with(content, *segments):
    return content[:2] + b"".join(segments) + content[2:]


def spoilt(parts, place):
    """A PNG of chunks of which one has a wrong check sum."""
    chunks = [png_chunk(*part) for part in parts]
    chunks[place] = chunks[place][:-1] + bytes([chunks[place][-1] ^ 1])
    return PNG_SIGNATURE + b"".join(chunks)


def of_jpeg():
    rng = np.random.default_rng(0)
    image = Image.fromarray(RGB)
    plain = saved(image, "JPEG", quality=95)
    shown = by_pillow(plain)
    inks = saved(Image.fromarray(np.dstack([RGB, RGB[..., :1]]), "RGBA").convert("RGB").convert("CMYK"), "JPEG")
    ycck = jpeg_with(inks, _segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 2)))
    grey = jpeg_of(3, SIZE, lossless_code(RGB[..., :1]))
    coded = jpeg_of(9, SIZE, rng.integers(0, 255, 99, np.uint8).tobytes())
    exif, xmp = _segment(0xE1, EXIF_PREFIX + exif_saying(6)), _segment(0xE1, XMP_PREFIX + xmp_saying(6))
    broken = bytearray(plain)
    place = plain.rindex(b"\xff\xda") + 40
    broken[place : place + 40] = b"\xff\0" * 20  # of ones alone no code is made
    progressive = saved(image, "JPEG", progressive=True)
    yield "JPEG, progressive", progressive, by_pillow(progressive)
    yield "JPEG, by arithmetic coding", coded, by_pillow(coded)
    yield "JPEG, without loss", grey, np.repeat(RGB[..., :1], 3, -1)
    yield "JPEG, CMYK", inks, by_pillow(inks)
    yield "JPEG, YCCK", ycck, by_pillow(ycck)
    twelve = jpeg_of(1, SIZE, flat_code(rng, SIZE, [(1, 1)], 12), precision=12)
    yield "JPEG, 12 bits a sample", twelve, None
    two = [(1, 1)] * 2
    yield "JPEG, two colours", jpeg_of(0, SIZE, flat_code(rng, SIZE, two), sampling=two), None
    yield "JPEG, bytes between its segments or behind its end", plain[:20] + b"odd" + plain[20:] + b"odd", shown
    yield "JPEG, cut short, or without its end marker", plain[:-2], None
    yield "JPEG, with codes that stand for nothing", bytes(broken), None
    yield "Orientation by EXIF", jpeg_with(plain, exif), turned_right(shown)
    yield "Orientation by XMP alone", jpeg_with(plain, xmp), turned_right(shown)
    both = jpeg_with(plain, _segment(0xE1, XMP_PREFIX + xmp_saying(3)), exif)
    yield "Orientation by both, which differ", both, turned_right(shown)
    no_exif = jpeg_with(plain, _segment(0xE1, EXIF_PREFIX + exif_saying(6, magic=7)))
    yield "Orientation by EXIF that is broken", no_exif, shown


def of_png():
    parts = png_chunks(RGB, 2, 8)
    text, gamma = (b"tEXt", b"Title\0odd"), (b"gAMA", b"\0")
    palette = (b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    indices = RGB[..., :1].astype(int) % 4
    listed = np.array([[10, 20, 30], [40, 50, 60], [0, 0, 0], [0, 0, 0]], np.uint8)[indices[..., 0]]
    with_palette = png_chunks(indices, 3, 2, palette)
    key = (b"tRNS", RGB[0, 0].astype(">u2").tobytes())
    stream = zlib.decompress(parts[1][1])

    def with_stream(compressed):
        return PNG_SIGNATURE + b"".join(png_chunk(*part) for part in (parts[0], (b"IDAT", compressed), parts[2]))

    def without(*names):
        return PNG_SIGNATURE + b"".join(png_chunk(*part) for part in with_palette if part[0] not in names)

    yield (
        "PNG, a wrong check sum in a text, a profile or what else is no part of the picture",
        spoilt(png_chunks(RGB, 2, 8, text), 1),
        RGB,
    )
    yield "PNG, such a chunk that makes no sense", png(RGB, 2, 8, gamma), RGB
    yield "PNG, a wrong check sum in the transparency", spoilt(png_chunks(RGB, 2, 8, key), 1), RGB
    yield "PNG, a wrong check sum in header or palette", spoilt(with_palette, 1), None
    yield (
        "PNG, a wrong check sum of the compressed pixels",
        with_stream(zlib.compress(stream)[:-1] + bytes([zlib.compress(stream)[-1] ^ 1])),
        None,
    )
    yield "PNG, indices past the palette", png(indices, 3, 2, palette), listed
    yield "PNG, without its palette", without(b"PLTE"), None
    yield "PNG, without its header", without(b"IHDR"), None
    yield "PNG, without its end chunk", without(b"IEND"), listed
    yield "PNG, without pixels", without(b"IDAT"), None
    yield "PNG, with fewer rows than it promises", with_stream(zlib.compress(stream[: len(stream) // 2])), None
    yield "PNG, of no width", png(RGB, 2, 8, promised=(17, 0)), None
    yield "PNG, of 20000 x 20000 pixels", png(RGB, 2, 8, promised=(20000, 20000)), None
    yield (
        "PNG, EXIF behind the pixels",
        PNG_SIGNATURE + b"".join(png_chunk(*part) for part in (*parts[:2], (b"eXIf", exif_saying(6)), parts[2])),
        turned_right(RGB),
    )
    said = (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp_saying(6)))
    yield "PNG, orientation by XMP alone", png(RGB, 2, 8, said), turned_right(RGB)
    moving = saved(Image.fromarray(RGB), "PNG", save_all=True, append_images=[Image.fromarray(255 - RGB)])
    yield "PNG, animated", moving, RGB
    frame = moving.index(b"fcTL") + 4
    yield "PNG, whose animation is broken", moving[:frame] + b"\xff" + moving[frame + 1 :], None


def of_others():
    colours = Image.fromarray(RGB).quantize(32)
    shown = np.asarray(colours.convert("RGB"))
    still = saved(colours, "GIF")
    large = still[:6] + struct.pack("<HH", 3, 3) + still[10:]
    frame = still.index(b"\x2c" + bytes(4))
    yield "GIF, whose frame is larger than its canvas", large, shown
    yield "GIF, without a frame", still[:frame] + b";", None
    yield "GIF, cut short", still[: len(still) // 2], None
    moving = saved(
        Image.fromarray(RGB), "WEBP", save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True
    )
    yield "WebP, animated", moving, RGB
    alone = saved(Image.fromarray(RGB), "WEBP", lossless=True, xmp=xmp_saying(6))
    yield "WebP, orientation by XMP alone", alone, turned_right(RGB)
    yield "WebP, cut short", moving[:-9], None
    yield "Words", _SIGNED[".txt"], None
    yield "Films, SVG, PDF", _SIGNED[".svg"], None


#: By the first column of the table: the bytes, and the pixels, uint8 (H, W, 3); None where it is refused.
KINDS = {name: (content, shown) for make in (of_jpeg, of_png, of_others) for name, content, shown in make()}


def listed():
    """What docs/formats.md says of each kind: ``read``, or the code of the reason why not."""
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
    table = page.partition("\n| file | said of it |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {kind: said.strip("`") for kind, said, *_ in rows}
