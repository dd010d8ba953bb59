"""onnxruntime-node runs both files, with no library of ours. IMGSIM_NODE_MODULES says where npm has put it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.exported_models import KINDS, WEIGHTS, assert_as_promised, inputs

MODULES = os.environ.get("IMGSIM_NODE_MODULES", "")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here"),
    pytest.mark.skipif(
        not (Path(MODULES) / "onnxruntime-node").is_dir() or not MODULES,
        reason=f"IMGSIM_NODE_MODULES must name a folder with onnxruntime-node in it (got {MODULES!r})",
    ),
]


def run(model, kind, count, folder):
    """The outputs of a model, from a process of their own."""
    arguments = []
    for name, pixels in inputs(kind, count).items():
        pixels.tofile(folder / name)
        arguments.append(f"{name}={folder / name}")
    script = Path(__file__).with_name("run.mjs")
    command = ["node", script, os.path.abspath(MODULES), model, folder / "answer", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    outputs, values = json.loads(result.stdout), np.fromfile(folder / "answer", np.float32)
    assert {kind for kind, _ in outputs.values()} == {"float32"}
    shapes = [shape for _, shape in outputs.values()]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    assert values.size == ends[-1]
    return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes, strict=True)]


@pytest.mark.parametrize("backbone", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plain", [False, True])
def test_fp32(saved, tmp_path, backbone, kind, plain):
    for count in (1, 2, 7):
        assert_as_promised(run(saved(backbone, kind, plain=plain), kind, count, tmp_path), backbone, kind, count)


@pytest.mark.parametrize("plain", [False, True])
def test_int8(saved, same_direction, tmp_path, plain):
    path = saved("efficientnet_lite0", precision="int8", plain=plain)
    same_direction(run(path, "embedding", 7, tmp_path)[0])
