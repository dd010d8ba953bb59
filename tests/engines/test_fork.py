"""A child made by fork has its parent's sessions of ONNX Runtime, and none of their threads."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from imgsim_ops.model_files.cache import model_file
from imgsim_ops.models.spec import ModelSpec

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

PARENT = """
import multiprocessing, os, sys
import numpy as np
from imgsim_ops.engines.onnx import OnnxEngine

engine = OnnxEngine(sys.argv[1], threads=3)
many = engine.many_at_once()
pixels = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), np.uint8)
before = engine.embed(pixels)
assert np.array_equal(many.embed(pixels), before)

def same():
    return np.array_equal(engine.embed(pixels), before) and np.array_equal(many.embed(pixels), before)

def child(work):
    sys.stdout.flush()
    process = os.fork()
    if not process:
        work()
        sys.exit(7)  # the usual end of Python, which takes all objects down
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7
"""
# A hang is what is tested: the slowest of these takes seconds.
LIMIT = 120


@pytest.fixture(scope="module")
def model():
    return model_file(ModelSpec("resnet18", "random:3", "fp32"), announce=lambda line: None).path


def run(model, code):
    command = [sys.executable, "-c", PARENT + code, str(model)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the child that hangs too
            raise
    return process.returncode, out, errors


@pytest.mark.parametrize(
    "code",
    [
        "child(lambda: None)",
        "child(lambda: globals().pop('engine'))",
        "child(lambda: print('same', same()))",
        "child(lambda: child(lambda: print('same', same())))",
        "print('same', multiprocessing.get_context('fork').Pool(1).apply(same))",
    ],
)
def test_a_child_ends_and_may_embed(model, code):
    ended, out, errors = run(model, f"{code}\nprint('parent', same())")
    assert ended == 0, errors
    assert out.split("\n") == [*(["same True"] if "same" in code else []), "parent True", ""]


def test_a_model_that_has_been_replaced(model, tmp_path):
    other = model_file(ModelSpec("resnet18", "random:4", "fp32"), announce=lambda line: None).path
    for path in (model, other):
        shutil.copy(path.with_suffix(".weights"), tmp_path)
    file = tmp_path / "model.onnx"
    shutil.copy(model, file)
    code, _, errors = run(file, f"import shutil; shutil.copy({str(other)!r}, sys.argv[1])\nchild(same)")
    assert code != 0
    assert "engine: the model file must stay as it is (got " in errors
