"""``imgsim doctor``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import imgsim_ops
from imgsim_ops import doctor
from imgsim_ops.engines import onnx as onnx_engine
from imgsim_ops.kernels import build_info
from imgsim_ops.model_files.cache import cache_folder
from imgsim_ops.models import locations


def facts(**other):
    return {(fact.section, fact.name): fact for fact in doctor.diagnose(doctor.Installation(**other))}


def without(missing, ask, answer=None):
    """What would be answered if one thing were missing."""
    return lambda name: answer if name == missing else ask(name)


def test_json(imgsim):
    document = json.loads(imgsim("doctor", "--json").stdout)
    assert document["versions"]["imgsim"] == imgsim_ops.__version__
    for distribution in ("torch", "onnxruntime", "onnx", "onnxscript"):
        assert document["versions"][distribution]
    assert document["processor"]["threads"] >= 1
    assert document["processor"]["int8_instructions"] is build_info()["int8_instructions"]
    assert document["processor"]["instruction_set_in_use"] in document["built"]["instruction_sets"]
    assert Path(document["built"]["operators_for_NumPy"]).is_file()
    assert Path(document["built"]["operators_for_PyTorch"]).is_file()
    assert Path(document["built"]["operators_for_ONNX_Runtime"]).is_file()
    assert document["engines"]["onnx"] is document["engines"]["torch"] is document["engines"]["torchscript"] is True
    assert document["engines"]["onnx_runs_on"][-1] == "CPU"
    assert document["model_files"]["folder"] == str(cache_folder())
    assert all(line["advice"].isprintable() for line in document["advice"])
    assert {line["section"] for line in document["advice"]} <= set(document)


def test_text_says_what_to_do_about_each_missing_thing(imgsim):
    out = imgsim("doctor").stdout
    for fact in doctor.diagnose():
        assert fact.name in out
        if fact.advice is not None:
            assert f"{fact.name}: {fact.advice}" in out


def test_missing_things_have_advice(monkeypatch, tmp_path):
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(locations.ENVIRONMENT_VARIABLE, raising=False)
    nothing = facts(
        version=lambda distribution: None,
        importable=lambda module: False,
        built_file=lambda name: None,
        build_info=lambda: None,
        weights=lambda backbone: None,
        checkout=tmp_path,
        python=tmp_path / "python",
    )
    for (section, name), fact in nothing.items():
        missing = fact.value is None or fact.value is False
        assert missing == (fact.advice is not None), (section, name)
    assert sum(fact.advice is not None for fact in nothing.values()) > 20


def test_package_that_was_not_built(tmp_path):
    package = Path(imgsim_ops.__file__).parent
    shutil.copytree(package, tmp_path / "imgsim_ops", ignore=shutil.ignore_patterns("lib", "__pycache__"))
    # The entry keeps an installed copy's libraries from being found in the place of those that are not here.
    code = "import sys; sys.modules['imgsim_ops.lib'] = None; from imgsim_ops.cli import main; main()"
    command = [sys.executable, "-c", code]
    run = subprocess.run([*command, "doctor"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "operators for NumPy: run pip install -e ." in run.stdout
    assert "onnx: run pip install -e ." in run.stdout
    assert run.stderr == ""
    run = subprocess.run([*command, "stats", "."], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "imgsim doctor" in run.stderr


def test_given_weights(monkeypatch, tmp_path):
    monkeypatch.setenv(locations.ENVIRONMENT_VARIABLE, str(tmp_path / "weights.pth"))
    assert "names no file" in facts()["weights", "resnet18"].advice
    (tmp_path / "weights.pth").touch()
    assert facts()["weights", "resnet18"].advice is None


def test_weights_are_where_torch_hub_keeps_them(monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    expected = Path(torch.hub.get_dir()) / "checkpoints"
    assert locations.hub_path().parent == expected
    monkeypatch.delitem(sys.modules, "torch")
    assert locations.hub_path().parent == expected
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert locations.hub_path().parent == tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize(
    ("installed", "value", "advice"),
    [
        ({"onnxruntime": "1.2"}, "1.2 (onnxruntime)", None),
        ({"onnxruntime-gpu": "1.3"}, "1.3 (onnxruntime-gpu)", None),
        ({}, None, "run pip install onnxruntime"),
        (
            {"onnxruntime": "1.2", "onnxruntime-gpu": "1.3"},
            "1.2 (onnxruntime) and 1.3 (onnxruntime-gpu)",
            "run pip uninstall onnxruntime onnxruntime-gpu, then pip install one of them",
        ),
    ],
)
def test_onnxruntime(installed, value, advice):
    fact = facts(version=installed.get)["versions", "onnxruntime"]
    assert fact.value == value
    assert fact.needed
    if advice is None:
        assert fact.advice is None
    else:
        assert fact.advice.endswith(advice)


@pytest.mark.parametrize("package", ["torch", "onnxruntime"])
def test_engines_need_their_package(package):
    found = facts(importable=without(package, doctor.Installation.importable, False))
    for engine in ("onnx", "torch", "torchscript"):
        fact = found["engines", engine]
        assert fact.value is (package != ("onnxruntime" if engine == "onnx" else "torch"))
        assert fact.advice == (None if fact.value else f"run pip install {package}")


@pytest.mark.parametrize("library", ["imgsim_torch", "imgsim_ort"])
def test_engines_need_our_operators(library):
    found = facts(built_file=without(library, doctor.Installation.built_file))
    for engine in ("onnx", "torch", "torchscript"):
        fact = found["engines", engine]
        assert fact.value is (library != ("imgsim_ort" if engine == "onnx" else "imgsim_torch"))
        assert fact.value or "pip install -e ." in fact.advice


def test_a_gpu_is_told():
    assert facts()["engines", "onnx runs on"].value == [
        name.removesuffix("ExecutionProvider") for name in onnx_engine.providers()
    ]
    gpu = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert facts(providers=lambda: gpu)["engines", "onnx runs on"].value == ["CUDA", "CPU"]


def test_an_onnxruntime_that_does_not_import(monkeypatch):
    monkeypatch.setitem(sys.modules, "imgsim_ops.engines.onnx", None)
    assert ("engines", "onnx runs on") not in facts()


def test_model_files(imgsim, monkeypatch, tmp_path):
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    fact = facts()["model files", "models"]
    assert fact.value is None
    assert "the first imgsim compare builds one" in fact.advice
    assert not fact.needed
    assert facts()["model files", "folder"].advice is None
    assert not (tmp_path / "cache").exists()

    (tmp_path / "cache").mkdir()
    names = [f"resnet18-{digit * 12}-fp32-p1-{digit * 12}" for digit in "21"]
    for name in names:
        (tmp_path / "cache" / f"{name}.onnx").write_bytes(bytes(100_000))
        (tmp_path / "cache" / f"{name}.weights").write_bytes(bytes(1_500_000))
    (tmp_path / "cache" / "resnet18.json").touch()
    (tmp_path / "cache" / f"{names[0]}.weights").unlink()
    fact = facts()["model files", "models"]
    assert fact.value == [f"{names[1]} (1.6 MB)", f"{names[0]} (0.1 MB)"]
    assert fact.advice is None
    lines = imgsim("doctor").stdout.splitlines()
    for name in names:  # each on a line of its own
        (line,) = (line for line in lines if name in line)
        assert line.count("MB") == 1


def test_a_model_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        monkeypatch.setenv("IMGSIM_CACHE", str(folder))
        fact = facts()["model files", "folder"]
        assert fact.value == str(folder)
        assert "set IMGSIM_CACHE" in fact.advice
