"""``imgsim embed``: most of it with an engine that takes no time, the rest with random weights."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.embedding import embedder, vectors
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.models.spec import ModelSpec
from tests.support.pictures_made import slow_jpeg
from tests.support.processes import children, needs_proc, wait_until
from tests.support.stub_engine import StubEngine

RANDOM = ["--weights", "random:0"]


@pytest.fixture
def engine(monkeypatch):
    """Stands in for the model's; keeps what was asked for."""
    engine = StubEngine()

    def create(name, spec, threads, announce):
        engine.asked = (name, spec, threads)
        return engine

    monkeypatch.setattr(embedder, "create_engine", create)
    return engine


@pytest.fixture
def out(tmp_path):
    return tmp_path / "vectors.npz"


def read(path):
    with np.load(path) as file:
        return [os.path.basename(name) for name in file["paths"]], file["vectors"], str(file["fingerprint"])


# What it writes and prints


def test_table(imgsim, engine, photos, out):
    result = imgsim("embed", photos, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.startswith("2 pictures in ")
    assert f"5 values each: {out}, 0.0 MB\n" in result.stdout
    assert "stub-000000000000-fp32-p2" in result.stdout
    names, found, fingerprint = read(out)
    assert names == ["a.png", "b.jpg"]
    pixels = np.stack([load_pixels(photos / name) for name in names])
    np.testing.assert_array_equal(found, engine.embed(pixels))
    assert fingerprint == "stub-000000000000-fp32-p2"


def test_json(imgsim, engine, photos, out):
    result = imgsim("embed", photos, "--out", out, "--json", "--exact")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document.pop("seconds") > 0
    assert document.pop("pictures_per_second") > 0
    assert document == {
        "out": str(out),
        "files": 2,
        "pictures": 2,
        "dimension": 5,
        "fingerprint": "stub-000000000000-fp32-p1",
        "interrupted": False,
        "skipped": [],
    }


def test_the_default_file(imgsim, engine, photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert imgsim("embed", "photos").exit_code == 0
    with np.load("vectors.npz") as file:
        assert file["paths"].tolist() == ["photos/a.png", "photos/b.jpg"]  # as they were given


def test_parquet(imgsim, engine, photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "vectors.parquet"
    assert imgsim("embed", photos, "-o", out).exit_code == 0
    table = parquet.read_table(out)
    assert table.column("path").to_pylist() == [str(photos / "a.png"), str(photos / "b.jpg")]
    assert len(table.column("vector")[0]) == 5


def test_options_reach_the_model(imgsim, engine, photos, out):
    imgsim("embed", photos, "-o", out)
    name, spec, threads = engine.asked
    assert name == "onnx"
    assert spec.name == "resnet18"
    assert (spec.precision, spec.weights, threads) == ("auto", None, 1)
    imgsim("embed", photos, "-o", out, "--backbone", "nonsense", "--precision", "int8", "--weights", "w", "-t", 3)
    _, spec, threads = engine.asked
    assert (spec.name, spec.precision, spec.weights) == ("nonsense", "int8", "w")
    assert threads == 1  # of each batch; --threads says how many of them there are at once


def test_limits(imgsim, engine, photos, out):
    def codes(*arguments):
        document = json.loads(imgsim("embed", photos, "-o", out, "--json", *arguments).stdout)
        return [file["code"] for file in document["skipped"]]

    assert codes() == []
    # 100 x 80 pixels; PNG takes 4 bytes of each, of which a pixel of the limit grants 3.2.
    assert codes("--max-megapixels", 0.0079) == ["too_large", "too_large"]
    assert codes("--max-megapixels", 0.0081) == ["too_large"]
    assert codes("--max-megapixels", 0.011) == []
    assert codes("--max-megapixels", 0) == ["too_large", "too_large"]


def test_time_limit(imgsim, engine, photos, out):
    (photos / "slow.jpg").write_bytes(slow_jpeg(4000))  # takes 2.6 s here
    result = imgsim("embed", photos, "-o", out, "--time-limit", 0.8, "--json")
    assert result.exit_code == 3
    assert [file["code"] for file in json.loads(result.stdout)["skipped"]] == ["timed_out"]
    assert read(out)[0] == ["a.png", "b.jpg"]


def test_exclude(imgsim, engine, photos, out):
    (photos / "thumbs").mkdir()
    (photos / "a.png").rename(photos / "thumbs" / "a.png")
    for pattern, expected in (("thumbs", ["b.jpg"]), ("*.jpg", ["a.png"]), (f"{photos}/thumbs/", ["b.jpg"])):
        assert imgsim("embed", photos, "-o", out, "--exclude", pattern).exit_code == 0
        assert read(out)[0] == expected
    (photos / "c.gif").write_text("words")
    assert imgsim("embed", photos, "-o", out, "--exclude", "*.gif", "--exclude", "b.*").exit_code == 0
    assert read(out)[0] == ["a.png"]


def test_vectors_are_those_of_the_embedder(imgsim, photos, out):
    """With a real model: through to the end, and a second time."""
    for _ in range(2):
        assert imgsim("embed", photos, photos / "a.png", "-o", out, *RANDOM, "--threads", 2).exit_code == 0
        names, found, fingerprint = read(out)
        assert names == ["a.png", "b.jpg"]
        ours = Embedder(ModelSpec(weights="random:0"))
        np.testing.assert_array_equal(found, ours.embed([photos / name for name in names]))
        assert fingerprint == str(ours.fingerprint)


# Counting only


def test_dry_run(imgsim, engine, photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (photos / "c.jpg").write_text("words")
    (photos / "d.jpg").touch()
    Image.new("RGB", (9, 9)).save(photos / "e.PNG")
    result = imgsim("embed", photos, "--dry-run", "-o", tmp_path / "missing" / "x.npz")
    assert result.exit_code == 0, result.output
    size = sum(path.stat().st_size for path in photos.iterdir())
    lines = result.stdout.splitlines()
    assert lines == [
        f"5 files, {size / 1e6:,.1f} MB. Pictures: 2 PNG, 1 JPEG",
        "Cannot be read: 1 empty, 1 not_a_picture",
    ]
    document = json.loads(imgsim("embed", photos, "--dry-run", "--json").stdout)
    assert document == {
        "files": 5,
        "pictures": 3,
        "bytes": size,
        "formats": {"PNG": 2, "JPEG": 1},
        "others": {"empty": 1, "not_a_picture": 1},
    }
    result = imgsim("embed", photos, "--dry-run", "--json", "--exclude", "[cd].jpg")
    assert json.loads(result.stdout)["others"] == {}
    assert os.listdir(tmp_path) == ["photos"]
    assert not hasattr(engine, "asked")


# Files that cannot be read


def bomb(path):
    Image.new("RGB", (9, 9)).save(path, "BMP")
    content = bytearray(path.read_bytes())
    content[18:26] = (60000).to_bytes(4, "little") * 2
    path.write_bytes(content)


def cut(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(path, "JPEG")
    os.truncate(path, path.stat().st_size * 9 // 10)


def flipped(path):
    Image.new("RGB", (90, 90), (1, 2, 3)).save(path, "PNG")
    content = bytearray(path.read_bytes())
    content[60] ^= 1  # the checksum of the chunk tells
    path.write_bytes(content)


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


# How to make files of each reason that a folder can hold; "unreadable" is not for the superuser, who may read anything.
BROKEN = {
    "broken_link": lambda path: path.symlink_to("nowhere"),
    "special": os.mkfifo,
    "empty": Path.touch,
    "not_a_picture": lambda path: path.write_text("words"),
    "truncated": cut,
    "damaged": flipped,
    "unsupported": lambda path: Image.new("F", (9, 9)).save(path, "TIFF"),
    "too_large": bomb,
}


@pytest.mark.parametrize("threads", [1, 3])
def test_broken_files_of_every_kind_change_nothing_for_the_others(imgsim, engine, tmp_path, out, threads, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's whole path must be short
    folder = Path("p")
    folder.mkdir()
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (30 + 40 * number, 77, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02}5.png")
    assert imgsim("embed", "p", "-o", out, "--threads", threads).exit_code == 0
    clean = read(out)
    expected = []
    for number in range(12):
        for place, (code, make) in enumerate(BROKEN.items()):
            name = f"{number:02}{place if place < 5 else place + 1} {code}.jpg"
            make(folder / name)
            expected.append(name)
    listening(folder / "99 special.jpg")
    expected.append("99 special.jpg")
    result = imgsim("embed", "p", "-o", out, "--threads", threads, "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["files"], document["pictures"]) == (12 + len(expected), 12)
    assert [os.path.basename(file["path"]) for file in document["skipped"]] == expected
    assert all(file["code"] == file["path"][5:-4].strip() for file in document["skipped"])
    found = read(out)
    assert found[0] == clean[0]
    np.testing.assert_array_equal(found[1], clean[1])
    table = imgsim("embed", "p", "-o", out, "--threads", threads)
    assert table.exit_code == 3
    assert "Skipped 97 files: 12 broken_link, 12 damaged, 12 empty, 12 not_a_picture, 13 special" in table.stdout
    assert "77 of them not in the table (see --json)" in table.stdout


def test_only_broken_files(imgsim, engine, tmp_path, out):
    (tmp_path / "a.jpg").touch()
    result = imgsim("embed", tmp_path, "-o", out)
    assert result.exit_code == 3
    assert "0 pictures" in result.stdout
    assert read(out)[1].shape == (0, 5)


def test_names_that_are_not_utf8(imgsim, engine, photos, out):
    name = os.fsdecode(b"\xff\n.png")
    (photos / "a.png").rename(photos / name)
    (photos / os.fsdecode(b"\xfe\n.png")).touch()
    result = imgsim("embed", photos, "-o", out, "--json")
    assert result.stdout.isascii()
    assert os.path.basename(json.loads(result.stdout)["skipped"][0]["path"]) == os.fsdecode(b"\xfe\n.png")
    assert read(out)[0] == ["b.jpg", name]
    assert "\\xfe\\n.png" in imgsim("embed", photos, "-o", out).stdout


# Mistakes


def test_what_cannot_be_written_is_told_before_the_model_is_loaded(failure, engine, photos, tmp_path):
    (tmp_path / "folder.npz").mkdir()
    for name, words in (
        ("x.csv", "must end in .npz or .parquet"),
        ("x", "must end in .npz or .parquet"),
        ("missing/x.npz", "must be writable"),
        ("folder.npz", "must be writable"),
    ):
        message = failure("embed", photos, "-o", tmp_path / name)
        assert words in message
        assert f"(got {tmp_path / name})" in message
    assert not hasattr(engine, "asked")


def test_mistakes(failure, engine, photos, tmp_path, out):
    assert "must be a picture" in failure("embed", tmp_path / "photos", "--exclude", "*", "-o", out)
    assert "(got" in failure("embed", photos / "missing.jpg", "-o", out)
    assert "missing" in failure("embed", photos, photos / "missing*", "-o", out)
    assert "PATHS" in failure("embed")
    for option, value in (
        ("--threads", -1),
        ("--max-megapixels", -1),
        ("--max-megapixels", "many"),
        ("--time-limit", 0),
        ("--time-limit", "long"),
    ):
        assert option in failure("embed", photos, "-o", out, option, value)
    assert not hasattr(engine, "asked")
    assert not out.exists()


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_limit_that_is_no_number_of_pixels(failure, engine, photos, out, value):
    assert "--max-megapixels" in failure("embed", photos, "-o", out, "--max-megapixels", value)


def test_limit_that_no_memory_has(imgsim, engine, photos, out):
    assert imgsim("embed", photos, "-o", out, "--max-megapixels", 1e13).exit_code == 0


def test_unknown_weights(failure, photos, out):
    assert "nonsense" in failure("embed", photos, "-o", out, "--backbone", "nonsense")
    assert "missing.pth" in failure("embed", photos, "-o", out, "--weights", photos / "missing.pth")
    assert not out.exists()


def test_full_disk(failure, engine, photos, out, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(vectors._Npz, "add", full)
    assert failure("embed", photos, "-o", out) == f"imgsim: No space left on device (got {out})"
    assert os.listdir(out.parent) == ["photos"]


# Ctrl-C


@pytest.fixture(scope="module")
def long_work(tmp_path_factory):
    """A folder of 600 pictures that take 20 ms each, and the model in the cache."""
    folder = tmp_path_factory.mktemp("many")
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "000.png")
    for number in range(1, 600):
        os.link(folder / "000.png", folder / f"{number:03}.png")
    Embedder(ModelSpec(weights="random:0"))
    return folder


def bytes_read(processes):
    total = 0
    for process in processes:
        with open(f"/proc/{process}/io") as file:
            total += int(file.readline().split()[1])
    return total


def stopped(long_work, folder, whom, impatient=False):
    """Runs ``imgsim embed --json`` with Ctrl-C in the middle, or with one after the other until it ends.

    Returns:
        Exit code, stdout, stderr, and the seconds from the first Ctrl-C to the end.
    """
    arguments = ["embed", str(long_work), "-o", "vectors.npz", *RANDOM, "--threads", "2", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "imgsim_ops.cli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, as a shell makes it
        # A shell's background jobs ignore SIGINT, and so would what they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        readers = wait_until(lambda: len(found := children(process.pid)) == 2 and found)
        # Sixty pictures of 3 MB: of those some have been through the model, with twenty read ahead and four in a batch.
        wait_until(lambda: bytes_read(readers) > 60 * 3_000_000)
        begin = time.monotonic()
        kill = os.killpg if whom == "group" else os.kill  # the group is what a terminal's Ctrl-C goes to
        kill(process.pid, signal.SIGINT)
        while impatient and process.poll() is None:
            time.sleep(0.005)
            kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - begin
    wait_until(lambda: not any(os.path.exists(f"/proc/{reader}") for reader in readers), seconds=3)
    return process.returncode, out, err, took


@needs_proc
@pytest.mark.parametrize("whom", ["process", "group"])
def test_ctrl_c(long_work, tmp_path, whom):
    code, out, err, took = stopped(long_work, tmp_path, whom)
    assert (code, err) == (130, b"imgsim: stopped\n")
    # A second is promised, most of which is Python's own end; the rest is for a busy machine.
    assert took < 3
    assert os.listdir(tmp_path) == ["vectors.partial.npz"]
    document = json.loads(out)
    names, found, fingerprint = read(tmp_path / "vectors.partial.npz")
    assert names == [f"{number:03}.png" for number in range(len(names))]
    assert 0 < len(names) < 600
    assert document["interrupted"]
    assert (document["pictures"], document["files"]) == (len(names), 600)
    assert document["out"] == "vectors.partial.npz"
    assert document["fingerprint"] == fingerprint
    assert (found == found[0]).all()  # they are one picture under many names


@needs_proc
def test_ctrl_c_by_the_impatient(long_work, tmp_path):
    code, _, err, took = stopped(long_work, tmp_path, "process", impatient=True)
    assert (code, err) == (130, b"imgsim: stopped\n")
    assert took < 3
    # They may lose what is done, but get no half of it.
    assert os.listdir(tmp_path) in ([], ["vectors.partial.npz"])
