"""How many frames and pages files have, against Pillow and tifffile, which wrote them, and against broken files."""

import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from imgsim_ops.images import frame_count as counting
from imgsim_ops.images.formats import HEAD_SIZE, picture_format
from imgsim_ops.images.frame_count import frame_count
from tests.support.pictures_made import black_png, flat_jpeg, frames_made, many_frames_gif, png_chunk
from tests.support.tries import tries

COUNTS = [1, 2, 7, 33]


def count_of(content):
    return frame_count(io.BytesIO(content), picture_format(content[:HEAD_SIZE]) or "")


def saved(images, kind, **options):
    file = io.BytesIO()
    images[0].save(file, kind, save_all=True, append_images=images[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GIF", {}),
        ("GIF", {"optimize": True, "comment": b"words" * 100, "loop": 3}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True, "exif": b"Exif\0\0odd"}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("MPO", {}),
    ],
)
def test_what_pillow_wrote(kind, options, count):
    content = saved(frames_made(count), kind, **options)
    with Image.open(io.BytesIO(content)) as image:
        assert getattr(image, "n_frames", 1) == count
    assert count_of(content) == count


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_pages_that_tifffile_wrote(order, big, count):
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=order, bigtiff=big) as writer:
        for page in range(count):
            writer.write(np.full((5 + page, 9), page, np.uint8), metadata=None)
    assert count_of(file.getvalue()) == count


def test_an_animation_whose_picture_is_none_of_its_frames():
    images = frames_made(4)
    content = saved(images, "PNG", default_image=True)
    assert count_of(content) == 4
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 4


def test_plain_pictures():
    bitmap = io.BytesIO()
    frames_made(1)[0].save(bitmap, "BMP")
    for content in (black_png(4, 3), flat_jpeg(16, 16), bitmap.getvalue()):
        assert count_of(content) == 1
    if features.check("avif"):
        assert count_of(saved(frames_made(1), "AVIF")) == 1
        assert count_of(saved(frames_made(3), "AVIF")) == 3
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(frames_made(1)[0]).save(file)
    assert count_of(file.getvalue()) == 1


def test_what_is_no_picture():
    assert count_of(b"") is count_of(b"words") is count_of(b"GIF89a") is count_of(b"II*\0") is None


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
@given(data=st.data())
@settings(max_examples=tries(60, 10), deadline=None)
def test_broken_files_are_counted_or_not_and_end(kind, data):
    content = bytearray(saved(frames_made(3), kind))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    found = frame_count(io.BytesIO(content), "JPEG" if kind == "MPO" else kind)
    assert found is None or found >= 1


def test_directories_in_a_circle():
    """A TIFF whose second directory leads back to the first."""
    content = bytearray(saved(frames_made(2), "TIFF"))
    first = struct.unpack_from("<I", content, 4)[0]
    at = first + 2 + 12 * struct.unpack_from("<H", content, first)[0]
    second = struct.unpack_from("<I", content, at)[0]
    at = second + 2 + 12 * struct.unpack_from("<H", content, second)[0]
    struct.pack_into("<I", content, at, first)
    assert count_of(bytes(content)) == 2


def test_a_directory_beyond_the_end():
    content = bytearray(saved(frames_made(2), "TIFF"))
    first = struct.unpack_from("<I", content, 4)[0]
    at = first + 2 + 12 * struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, at, 1 << 31)
    assert count_of(bytes(content)) is None


def test_a_hundred_thousand_frames():
    assert count_of(many_frames_gif(100_000)) == 100_000


def test_what_would_take_too_long_is_not_counted(monkeypatch):
    monkeypatch.setattr(counting, "_MOST_PIECES", 50)
    assert count_of(many_frames_gif(10)) == 10
    assert count_of(many_frames_gif(20)) is None
    chunks = png_chunk(b"acTL", bytes(8)) + 60 * png_chunk(b"tEXt", b"")
    content = black_png(4, 3)
    assert count_of(content[:33] + chunks + content[33:]) is None
