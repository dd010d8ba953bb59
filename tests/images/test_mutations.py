"""Thousands of broken pictures of every format: pixels or a reason for each, and nothing for their neighbours."""

import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image, features

from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP, load_pixels
from imgsim_ops.images.readers import IsolatedReaders
from tests.support.pictures_made import dng, psd
from tests.support.tries import tries

MUTATIONS = tries(2000)
SOUND_EVERY = 25
CODES = {reason.code for reason in Reason}
KINDS = {
    "JPEG": {"quality": 80},
    "progressive JPEG": {"quality": 80, "progressive": True},
    "PNG": {},
    "WEBP": {"quality": 80},
    "lossless WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "LZW TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 70, "speed": 10},
    "HEIF": {"quality": 70},
    "JXL": {"quality": 70},
    "JPEG2000": {},
    "lossy JPEG2000": {"irreversible": True, "quality_mode": "dB", "quality_layers": [40]},
    "PPM": {},
    "TGA": {},
    "run-length TGA": {"compression": "tga_rle"},
    "ICO": {"sizes": [(16, 16), (48, 32)]},
    "bitmap ICO": {"sizes": [(16, 16), (48, 32)], "bitmap_format": "bmp"},
    "ICNS": {},
    "PCX": {},
    "DDS": {},
    "DXT5 DDS": {"pixel_format": "DXT5"},
    "PSD": {},
    "DNG": {},
}
MADE = {"PSD": psd, "DNG": lambda pixels: dng(pixels[..., 1].astype(np.uint16) * 16)}
_EXTRAS = {"JXL": "pillow_jxl", "DNG": "rawpy"}
_WITH_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "JXL")


def scene():
    """60 x 40 pixels of what photographs are made of: slopes, an edge, a disc and grain."""
    y, x = np.mgrid[0:40, 0:60]
    pixels = np.stack([x * 4, y * 6, 255 - x * 2 - y * 2], -1)
    pixels[25:, :, 1] //= 2
    pixels[(y - 15) ** 2 + (x - 40) ** 2 < 80] = (240, 220, 60)
    pixels += np.random.default_rng(0).integers(-8, 9, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    if request.param == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    if request.param == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if request.param in _EXTRAS:
        pytest.importorskip(_EXTRAS[request.param])
    return request.param


@pytest.fixture(scope="module")
def readers():
    # A time limit that a sound picture of 60 x 40 is far from; a memory limit that a broken header soon exceeds.
    read = ReadOptions(2, max_pixels=1 << 22, time_limit=10.0)
    with IsolatedReaders("imgsim_ops.images.preprocess:load_pixels", read) as readers:
        yield readers


def flip_bits(content, generator):
    for _ in range(generator.randint(1, 8)):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)


def set_bytes(content, generator):
    for _ in range(generator.randint(1, 8)):
        content[generator.randrange(len(content))] = generator.choice([0, 1, 127, 128, 255, generator.randrange(256)])


def break_the_header(content, generator):
    """Where sizes, offsets and tables are."""
    for _ in range(generator.randint(1, 3)):
        content[generator.randrange(min(len(content), 200))] = generator.randrange(256)


def truncate(content, generator):
    del content[generator.randrange(1, len(content)) :]


def delete(content, generator):
    begin = generator.randrange(len(content))
    del content[begin : begin + generator.randint(1, 64)]
    content[:1] = content[:1] or b"\0"


def insert(content, generator):
    begin = generator.randrange(len(content) + 1)
    content[begin:begin] = generator.randbytes(generator.randint(1, 64))


def repeat(content, generator):
    begin = generator.randrange(len(content))
    content[begin:begin] = content[begin : begin + generator.randint(1, 64)]


def swap(content, generator):
    length = generator.randint(1, len(content) // 4)
    first = generator.randrange(len(content) - 2 * length)
    second = generator.randrange(first + length, len(content) - length)
    content[first : first + length], content[second : second + length] = (
        content[second : second + length],
        content[first : first + length],
    )


WAYS = [flip_bits, set_bytes, break_the_header, truncate, delete, insert, repeat, swap]


def mutated(content, seed):
    generator = random.Random(seed)
    content = bytearray(content)
    generator.choice(WAYS)(content, generator)
    return content


def test_every_mutation_is_answered(tmp_path, kind, readers):
    sound = tmp_path / "sound"
    if kind in MADE:
        sound.write_bytes(MADE[kind](np.asarray(scene())))
    else:
        options = dict(KINDS[kind])
        if kind.split()[-1] in _WITH_EXIF:  # to break it, too
            exif = Image.Exif()
            exif[0x0112] = 6
            options["exif"] = exif.tobytes()
        scene().save(sound, kind.split()[-1], **options)
    whole, expected = sound.read_bytes(), load_pixels(sound).tobytes()

    def paths():
        for number in range(MUTATIONS):
            path = tmp_path / str(number)
            path.write_bytes(mutated(whole, f"{kind} {number}"))
            yield path
            if number % SOUND_EVERY == 0:
                yield sound

    outcomes = Counter()
    for path, answer in readers.in_order(paths(), ahead=16):
        if path == str(sound):
            assert answer == expected
            continue
        if isinstance(answer, SkippedFile):
            assert answer.code in CODES
            assert answer.message.isprintable()
            outcomes[answer.code] += 1
            if answer.code in ("crashed", "timed_out"):
                print(f"{kind}: mutation {path.rpartition('/')[2]}: {answer.message}")
        else:
            assert len(answer) == CROP * CROP * 3
            outcomes["same pixels" if answer == expected else "pixels"] += 1
    assert outcomes.total() == MUTATIONS
    assert outcomes["pixels"] > 0  # or all that this tests is the look at the first bytes
    assert outcomes.total() - outcomes["same pixels"] - outcomes["pixels"] > 0
    print(f"{kind}: {dict(outcomes.most_common())}")  # with -s: what became of them
