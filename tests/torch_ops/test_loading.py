"""A second copy of a library with operators: a line on stderr, and the first one's answers stay."""

import os
import shutil
import subprocess
import sys

import pytest

from imgsim_ops.libraries import find_library

TWICE = """
import sys, torch
for path in sys.argv[1:]:
    torch.ops.load_library(path)
print(torch.ops.imgsim.reduce_mean(torch.ones(2, 3), [1]).tolist())
"""
IMPORTED_AFTER = """
import sys, torch
torch.ops.load_library(sys.argv[1])
import imgsim_ops.ops
"""


def library(name):
    """The shared library of a CMake target."""
    path = find_library(name)
    if path is None:
        pytest.skip(f"{name} is not built")
    return path


def copied(path, folder):
    return shutil.copy(path, folder)


def run(code, *paths):
    return subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=False)


def refusal(path):
    return f"imgsim: the operators must be loaded from one file (got {path} too, which registers nothing)\n"


def test_a_copy(tmp_path):
    path = library("imgsim_torch")
    other, renamed = copied(path, tmp_path), copied(path, tmp_path / "renamed.so")
    ran = run(TWICE, path, other, path, renamed)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[1.0, 1.0]\n"
    assert ran.stderr == refusal(other) + refusal(renamed)


def test_a_copy_with_kernels_for_cuda(tmp_path):
    import torch

    paths = [library("imgsim_torch"), library("imgsim_torch_cuda")]
    if torch.version.cuda is None:
        pytest.skip("this torch has no CUDA")
    others = [copied(path, tmp_path) for path in paths]
    ran = run(TWICE, *paths, *others)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[1.0, 1.0]\n"
    assert ran.stderr == "".join(map(refusal, others))  # and no warning that kernels were replaced


def test_the_package_after_a_copy(tmp_path):
    path = library("imgsim_torch")
    ran = run(IMPORTED_AFTER, copied(path, tmp_path))
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert last == f"ImportError: imgsim_ops: the operators must be loaded from one file (got others before {path})"


@pytest.mark.skipif(not hasattr(os, "RTLD_NOLOAD"), reason="the loader does not tell what is loaded")
def test_the_package_after_its_own_library():
    ran = run(IMPORTED_AFTER, library("imgsim_torch"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
