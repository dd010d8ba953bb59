"""``imgsim stats``."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.images.decode import decode


def test_table(imgsim, photos):
    result = imgsim("stats", photos)
    assert result.exit_code == 0
    assert result.stderr == ""
    pixels = np.concatenate([decode(path).reshape(-1, 3) for path in sorted(photos.iterdir())])
    for value in pixels.mean(0):
        assert f"{value:.2f}" in result.stdout
        assert f"{value / 255:.4f}" in result.stdout
    assert "2 pictures" in result.stdout


def test_json(imgsim, photos):
    result = imgsim("stats", photos, "--json", "--threads", 2)
    document = json.loads(result.stdout)
    pixels = np.concatenate([decode(path).reshape(-1, 3) for path in sorted(photos.iterdir())]) / 255
    for channel, name in enumerate(("red", "green", "blue")):
        found = document["channels"][name]
        assert found["mean"] == pytest.approx(pixels[:, channel].mean(), rel=1e-12)  # float64's rounding
        assert found["std"] == pytest.approx(pixels[:, channel].std(), rel=1e-12)
        assert found["mean_255"] == pytest.approx(255 * found["mean"])
    assert (document["pictures"], document["pixels"], document["threads"]) == (2, len(pixels), 2)
    assert document["skipped"] == []


def test_bad_files_are_listed(imgsim, photos):
    (photos / "text.jpg").write_text("words")
    (photos / "empty.png").touch()
    (photos / os.fsdecode(b"\xff.jpg")).write_bytes(b"words")
    os.mkfifo(photos / "fifo.jpg")
    result = imgsim("stats", photos)
    assert result.exit_code == 3
    assert "Skipped 4 files: 1 empty, 2 not_a_picture, 1 special" in result.stdout
    result = imgsim("stats", photos, "--json")
    assert result.exit_code == 3
    assert result.stdout.isascii()
    skipped = {os.path.basename(file["path"]): file for file in json.loads(result.stdout)["skipped"]}
    assert {name: file["code"] for name, file in skipped.items()} == {
        "text.jpg": "not_a_picture",
        "empty.png": "empty",
        os.fsdecode(b"\xff.jpg"): "not_a_picture",
        "fifo.jpg": "special",
    }
    assert "got" in skipped["empty.png"]["message"]


def test_many_bad_files_do_not_flood_the_terminal(imgsim, photos):
    for number in range(50):
        (photos / f"{number}.jpg").touch()
    result = imgsim("stats", photos)
    assert "30 of them not in the table" in result.stdout
    assert len(json.loads(imgsim("stats", photos, "--json").stdout)["skipped"]) == 50


def test_exclude(imgsim, failure, photos):
    (photos / "thumbs").mkdir()
    for name in ("text.jpg", "thumbs/text.jpg"):
        (photos / name).write_text("words")
    clean = json.loads(imgsim("stats", photos, "--json", "--exclude", "text.jpg").stdout)
    assert (clean["pictures"], clean["skipped"]) == (2, [])
    result = imgsim("stats", photos, "--json", "--exclude", "thumbs/", "--exclude", "*.png")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["pictures"] == 1
    assert [os.path.basename(file["path"]) for file in document["skipped"]] == ["text.jpg"]
    assert "must be a picture" in failure("stats", photos, "--exclude", "*.*")


def test_only_bad_files(imgsim, tmp_path):
    (tmp_path / "a.jpg").touch()
    assert imgsim("stats", tmp_path).exit_code == 3
    assert json.loads(imgsim("stats", tmp_path, "--json").stdout)["channels"] is None


def test_nothing_to_read(failure, tmp_path):
    assert "must" in failure("stats", tmp_path)
    assert "(got" in failure("stats", tmp_path / "missing.jpg")
    assert "(got" in failure("stats", tmp_path / "*.jpg")


def test_markup_in_names_is_no_markup(imgsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "[red]a.jpg").touch()
    assert "[red]a.jpg" in imgsim("stats", ".").stdout


def test_ctrl_c(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "000.png")
    for number in range(1, 600):
        os.link(tmp_path / "000.png", tmp_path / f"{number:03}.png")
    command = [sys.executable, "-m", "imgsim_ops.cli", "stats", str(tmp_path), "--threads", "1"]
    # A shell's background jobs ignore SIGINT, and so would what they start.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        command, **pipes, preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    ) as process:
        time.sleep(1.5)  # by then it reads pictures; 600 of them take several seconds
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, err) == (b"", b"imgsim: stopped\n")
    assert time.monotonic() - begin < 10  # far less on a quiet machine: the picture begun is finished
