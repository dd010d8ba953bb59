"""Whatever lies in a folder gets a reason code; nothing blocks, crashes or is passed off as a picture."""

import os
import socket
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.errors import ImageError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images.decode import MAX_PIXELS, decode
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.images.readers import IsolatedReaders
from tests.support.processes import little_memory

KINDS = {
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "PNG": {},
    "WEBP": {},
    "lossless WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "LZW TIFF": {"compression": "tiff_lzw"},
    "big TIFF": {"big_tiff": True},
}


def reason(path, **options):
    with pytest.raises(ImageError) as caught:
        decode(path, **options)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith("decode: ")
    return caught.value.code


def save(path, kind, size=(90, 70)):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, kind.split()[-1], **KINDS[kind])
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", [10, 50, 90, 99])
def test_truncated(tmp_path, kind, percent):
    path = tmp_path / "picture"
    whole = save(path, kind)
    path.write_bytes(whole[: len(whole) * percent // 100])
    assert reason(path) == "truncated"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_behind_the_signature(tmp_path, kind):
    path = tmp_path / "picture"
    path.write_bytes(save(path, kind)[:12])
    assert reason(path) in ("truncated", "damaged", "not_a_picture")


def test_damaged(tmp_path):
    path = tmp_path / "picture"
    whole = bytearray(save(path, "PNG"))
    whole[len(whole) // 2] ^= 1  # the checksum of the chunk tells
    path.write_bytes(whole)
    assert reason(path) == "damaged"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"These are words.\n", "not_a_picture"),
        (b"BMW is not the beginning of a picture.\n", "not_a_picture"),
        (b"\xff", "not_a_picture"),
        (b"%PDF-1.7\n", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
    ],
)
def test_content_that_is_no_picture(tmp_path, content, code):
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    assert reason(path) == code


def test_things_that_are_no_files(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "missing.jpg")
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "text").write_text("words")
    assert reason(tmp_path / "folder.jpg") == "folder"
    assert reason(tmp_path / "fifo.jpg") == "special"  # without a writer: opening it would wait for ever
    assert reason("/dev/null") == "special"
    assert reason(tmp_path / "nowhere.jpg") == "broken_link"
    assert reason(tmp_path / "a.jpg") == "broken_link"
    assert reason(tmp_path / "missing.jpg") == "missing"
    assert reason(tmp_path / "text" / "a.jpg") == "missing"
    assert reason(tmp_path / ("long" * 100)) == "missing"
    assert reason("a\0b") == "missing"


def test_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's whole path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        assert reason("socket.jpg") == "special"


def test_pipe_that_takes_the_files_place_after_the_look(tmp_path, monkeypatch):
    path = tmp_path / "picture"
    path.write_bytes(b"x")
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *args, **options: regular)
    assert reason(path) == "special"


def test_unreadable(tmp_path):
    path = tmp_path / "picture"
    save(path, "PNG")
    path.chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0)
    superuser = os.geteuid() == 0  # who may read everything
    if superuser:
        os.seteuid(65534)
    try:
        assert reason(path) == "unreadable"
        assert reason(closed / "picture") == "unreadable"
    finally:
        if superuser:
            os.seteuid(0)
        closed.chmod(0o700)


@pytest.mark.parametrize(
    "name", ["new\nline.png", "-dash.png", os.fsdecode(b"\xff\xfe.png"), "späße 図.png", "\x1b[31m.png"]
)
def test_names(tmp_path, name):
    path = tmp_path / name
    save(path, "PNG")
    assert decode(path).shape == (70, 90, 3)
    path.write_bytes(b"")
    assert reason(path) == "empty"


def test_printable():
    assert printable("späße 図.jpg") == "späße 図.jpg"
    assert printable("a\nb\x1b\\" + os.fsdecode(b"\xff")) == "a\\nb\\x1b\\\\xff"


def png(width, height):
    """A PNG that promises a size and has nothing of it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes([0, 0, 0]) + b"\x2c" + bytes(9)


def bmp(width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


@pytest.mark.parametrize("bomb", [png, webp, gif, bmp])
@pytest.mark.parametrize("size", [(60000, 60000), (11586, 11586)])
def test_bomb_is_refused_before_any_allocation(tmp_path, bomb, size):
    path = tmp_path / "picture"
    path.write_bytes(bomb(*size))
    with little_memory():
        assert reason(path) == "too_large"


@pytest.mark.parametrize(("hungry", "side"), [(png, 9500), (bmp, 9500), (gif, 8500), (webp, 4750)])
def test_what_would_take_too_much_memory_is_refused_before_any_allocation(tmp_path, hungry, side):
    assert side * side < MAX_PIXELS
    path = tmp_path / "picture"
    path.write_bytes(hungry(side, side))
    with little_memory():
        assert reason(path) == "too_large"


@pytest.mark.parametrize("promised", [1 << 30, (1 << 31) - 1])
def test_a_chunk_longer_than_its_file_is_the_same_for_readers(tmp_path, promised):
    path = tmp_path / "picture"
    content = bytearray(save(path, "PNG"))
    length = content.index(b"IDAT") - 4
    content[length : length + 4] = promised.to_bytes(4, "big")
    path.write_bytes(content)
    try:
        alone = load_pixels(path).tobytes()
    except ImageError as error:
        alone = error.code
    with IsolatedReaders("imgsim_ops.images.preprocess:load_pixels", ReadOptions(1)) as readers:
        answer = readers.read(path).result()
    assert getattr(answer, "code", answer) == alone


def test_offset_before_the_file(tmp_path):
    path = tmp_path / "picture"
    content = bytearray(save(path, "TIFF"))
    offset = content.index(struct.pack("<HHI", 273, 4, 1))  # StripOffsets, one, unsigned
    content[offset : offset + 12] = struct.pack("<HHIi", 273, 9, 1, -8)  # signed
    path.write_bytes(content)
    assert reason(path) == "damaged"


def test_limit_is_above_108_megapixels_and_can_be_set(tmp_path):
    assert MAX_PIXELS > 12000 * 9000
    path = tmp_path / "picture"
    save(path, "JPEG")
    assert reason(path, max_pixels=90 * 70 - 1) == "too_large"
    assert decode(path, max_pixels=90 * 70).shape == (70, 90, 3)


def test_no_warning_between_pillows_limit_and_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90 * 70 // 2 + 1)
    for kind in KINDS:
        path = tmp_path / "picture"
        save(path, kind)
        assert decode(path).shape == (70, 90, 3)


def test_codes_are_documented_and_unique():
    codes = [member.code for member in Reason]
    assert len(set(codes)) == len(codes)
    assert all(member.sentence.isprintable() and not member.sentence.endswith(".") for member in Reason)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return [save(folder / "picture", kind, size=(24, 18)) for kind in KINDS], folder / "mutated"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_files_give_pixels_or_a_reason(samples, data):
    contents, path = samples
    content = bytearray(data.draw(st.sampled_from(contents)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        pixels = decode(path, max_pixels=1 << 20)
    except ImageError as error:
        outcome = error.code
    else:
        outcome = (pixels.dtype, pixels.shape[2])
    assert outcome in {(np.dtype(np.uint8), 3), *(member.code for member in Reason)}
