"""imgsim_app and the Python package say the same of each file: the same pixels, or the same reason."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from imgsim_ops.errors import ImageError
from imgsim_ops.images.formats import _HEIF_BRANDS, _SIGNATURES, ASIDE, READ, UNREAD, format_of
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.images.scan import scan
from tests.support.app_binary import run_json
from tests.support.odd_files import odd_file
from tests.support.odd_kinds import KINDS, listed
from tests.support.tries import tries

READ_BY_THE_APP = ("JPEG", "PNG", "WEBP", "GIF")
# A command line has room for so many paths; every batch is one process.
BATCH = 500


def said_by_the_app(paths, pixel_model):
    """By path: sums over blocks of 8 x 8 of the model's pixels, exact in float32; or the reason code."""
    answers, messages = {}, {}
    for first in range(0, len(paths), BATCH):
        batch = paths[first : first + BATCH]
        report = run_json("--model", pixel_model, "--embed", *batch, code=None)
        answers |= {Path(picture["path"]): np.array(picture["embedding"]) for picture in report["pictures"]}
        answers |= {Path(skipped["path"]): skipped["code"] for skipped in report["skipped"]}
        messages |= {Path(skipped["path"]): skipped["message"] for skipped in report["skipped"]}
    return answers, messages


def said_by_python(path):
    try:
        pixels = load_pixels(path)
    except ImageError as error:
        return error.code
    return pixels.astype(int).reshape(28, 8, 28, 8, 3).sum((1, 3)).reshape(-1)


def kind_of(path):
    with open(path, "rb") as file:
        return format_of(file, path)


def differences(paths, pixel_model):
    """Files of which the programs say different things, and how often each thing is said of the others."""
    answers, messages = said_by_the_app(paths, pixel_model)
    assert answers.keys() == set(paths)
    differing, said = [], Counter()
    for path in paths:
        expected, found, kind = said_by_python(path), answers[path], kind_of(path)
        if kind is not None and kind not in ASIDE and kind not in READ_BY_THE_APP:
            # What only Python reads, if it is sound.
            same = np.array_equal(found, "unsupported") and f": {kind})" in messages[path]
            same &= not np.array_equal(expected, "not_a_picture")
        else:
            same = np.array_equal(found, expected)
        if not same:
            differing.append((path.name, expected, found, messages.get(path)))
        said[found if isinstance(found, str) else "read"] += 1
    return differing, said


def test_odd_files(tmp_path, pixel_model):
    paths = []
    for seed in range(tries(2000)):
        name, content = odd_file(seed)
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    differing, said = differences(paths, pixel_model)
    assert differing == []
    # Odd as they are, most are read, and each reason is met.
    assert said["read"] > len(paths) / 2
    assert min(said[code] for code in ("truncated", "damaged", "unsupported", "not_a_picture", "too_large")) > 0, said


def test_the_list_in_the_documents(tmp_path, pixel_model):
    paths = {tmp_path / f"{i}.bin": kind for i, kind in enumerate(KINDS)}
    for path, kind in paths.items():
        path.write_bytes(KINDS[kind][0])
    differing, _ = differences(list(paths), pixel_model)
    assert differing == []
    answers, _ = said_by_the_app(list(paths), pixel_model)
    found = {paths[path]: answer if isinstance(answer, str) else "read" for path, answer in answers.items()}
    assert found == listed()


def test_threads_do_not_mix_up_what_decoders_remark(tmp_path):
    """libjpeg says of broken data what it says to stderr, which all threads share."""
    for i in range(60):
        kind = ("JPEG, with codes that stand for nothing", "JPEG, bytes between its segments or behind its end")[
            i % 3 > 0
        ]
        (tmp_path / f"{i}.jpg").write_bytes(KINDS[kind][0])
    for threads in (1, 8):
        report = run_json("--stats", tmp_path, "--repeat", "0", "--threads", str(threads), code=3)
        assert [Path(skipped["path"]).stem for skipped in report["skipped"]] == sorted(map(str, range(0, 60, 3)))
        assert {skipped["code"] for skipped in report["skipped"]} == {"damaged"}


def test_signatures_tell_the_same(tmp_path, pixel_model):
    brands = [*_HEIF_BRANDS, b"avif", b"avis", b"crx ", b"mif1", b"msf1", b"M4A ", b"M4B ", b"qt  "]
    beginnings = [signature for signature, _ in _SIGNATURES]
    beginnings += [b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0isom" + brand for brand in brands]
    beginnings += [b"\0\0\0\x18ftypmif1\0\0\0\0isom" + brand for brand in brands]
    beginnings += [b"\0\0\0\x08" + name for name in (b"moov", b"wide", b"skip", b"mdat", b"free")]
    beginnings += [b"BM" + bytes(12) + bytes([size]) for size in (11, 12, 40, 124, 125)]
    beginnings += [b"P%d 3 4 " % kind for kind in range(9)] + [b"P6\n#", b"P6 3"]
    beginnings += [b"<svg>", b" <!--\n--><svg ", b"<svgs", b"<?xml?><svg\t", b"RIFF....AVI ", b"RIFF....WAVE"]
    beginnings += [bytes([10, version, 1, 8]) + bytes(61) + b"\3" for version in range(7)]
    beginnings += [bytes([0, 0, kind, 0, 1, 0, *[0] * 8, 1, 0, 0, 0, 22, 0]) for kind in range(4)]
    paths = [tmp_path / f"{i}.bin" for i in range(len(beginnings))]
    for path, beginning in zip(paths, beginnings, strict=True):
        path.write_bytes(beginning + bytes(200))
    paths.append(tmp_path / "targa.bin")
    paths[-1].write_bytes(bytes(200) + b"TRUEVISION-XFILE.\0")
    differing, said = differences(paths, pixel_model)
    assert differing == []
    assert said["unsupported"] > 40


@pytest.mark.parametrize("content", [b"no picture at all", b"\0" * 200, b"\xff\xd8\xff"])
def test_names_claim_the_same(tmp_path, pixel_model, content):
    """A file of every name that claims something counts in both, or in neither, for the same reason."""
    suffixes = [suffix for kinds in (READ, UNREAD, ASIDE) for names in kinds.values() for suffix in names]
    for suffix in [*suffixes, ".txt", "", ".JPG", ".tar.gz"]:
        (tmp_path / f"name{suffix}").write_bytes(content)
    (tmp_path / "..odd.jpg").write_bytes(content)  # hidden
    report = run_json("--stats", tmp_path, "--repeat", "0", code=3)
    assert [Path(skipped["path"]) for skipped in report["skipped"]] == list(scan([tmp_path]))
    differing, _ = differences(list(tmp_path.iterdir()), pixel_model)
    assert differing == []
