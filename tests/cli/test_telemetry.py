"""No command tells anybody anything: no host is asked for, and nothing is left in another program's folders."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path):
    """Of a user with an empty home and no model files, who has not said anything about telemetry."""
    (tmp_path / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    return {**kept, "HOME": str(tmp_path / "home"), "IMGSIM_CACHE": str(tmp_path / "cache")}


def traced(tmp_path, environment, *command):
    """Runs a command; the families of the sockets that it and its children asked for, None where nothing can tell."""
    strace, log = shutil.which("strace"), tmp_path / "calls"
    tracing = [strace, "-f", "-qq", "-e", "trace=socket,connect", "-o", log] if strace else []
    ran = subprocess.run([*tracing, sys.executable, *command], env=environment, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return set(re.findall(r"\bAF_\w+", log.read_text())) if strace else None


def check(tmp_path, families):
    home = tmp_path / "home"
    assert [path for path in home.rglob("*") if path.is_file()] == []
    if families is None:
        pytest.skip("strace, which would tell of connections, is not installed; no file was left")
    assert not families & {"AF_INET", "AF_INET6"}


@pytest.mark.parametrize("arguments", [("compare", "a.png", "b.jpg"), ("dups", "."), ("embed", ".", "-o", "{}/v.npz")])
def test_commands(photos, tmp_path, environment, arguments):
    paths = [os.path.join(photos, text) if text[-1] in "g." else text.format(tmp_path) for text in arguments[1:]]
    command = ["-m", "imgsim_ops.cli", arguments[0], *paths, "--weights", "random:0"]
    check(tmp_path, traced(tmp_path, environment, *command))


def test_the_program_without_imgsim(photos, tmp_path, environment, imgsim):
    model = tmp_path / "model.onnx"
    assert imgsim("export", "--out", model, "--weights", "random:0").exit_code == 0
    check(tmp_path, traced(tmp_path, environment, ROOT / "docs/run_anywhere.py", model, photos / "a.png"))
