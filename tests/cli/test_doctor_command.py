"""``imgsim doctor``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import imgsim_ops
from imgsim_ops import doctor
from imgsim_ops.models import locations


def facts():
    return {(fact.section, fact.name): fact for fact in doctor.diagnose()}


def test_json(imgsim):
    document = json.loads(imgsim("doctor", "--json").stdout)
    assert document["versions"]["imgsim"] == imgsim_ops.__version__
    assert document["versions"]["torch"]
    assert document["processor"]["threads"] >= 1
    assert document["processor"]["instruction_set_in_use"] in document["built"]["instruction_sets"]
    assert Path(document["built"]["operators_for_NumPy"]).is_file()
    assert Path(document["built"]["operators_for_PyTorch"]).is_file()
    assert Path(document["built"]["operators_for_ONNX_Runtime"]).is_file()
    assert all(line["advice"].isprintable() for line in document["advice"])
    assert {line["section"] for line in document["advice"]} <= set(document)


def test_text_says_what_to_do_about_each_missing_thing(imgsim):
    out = imgsim("doctor").stdout
    for fact in doctor.diagnose():
        assert fact.name in out
        if fact.advice is not None:
            assert f"{fact.name}: {fact.advice}" in out


def test_missing_things_have_advice(monkeypatch, tmp_path):
    monkeypatch.setattr(imgsim_ops, "__file__", str(tmp_path / "imgsim_ops" / "__init__.py"))
    monkeypatch.setattr(doctor, "_version", lambda distribution: None)
    monkeypatch.setattr(doctor, "_build_info", lambda: None)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(doctor.locations, "hub_path", lambda: tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    monkeypatch.delenv(locations.ENVIRONMENT_VARIABLE, raising=False)
    for (section, name), fact in facts().items():
        missing = fact.value is None or fact.value is False
        assert missing == (fact.advice is not None), (section, name)


def test_package_that_was_not_built(tmp_path):
    package = Path(imgsim_ops.__file__).parent
    shutil.copytree(package, tmp_path / "imgsim_ops", ignore=shutil.ignore_patterns("lib", "__pycache__"))
    # The entry keeps an installed copy's libraries from being found in the place of those that are not here.
    code = "import sys; sys.modules['imgsim_ops.lib'] = None; from imgsim_ops.cli import main; main()"
    command = [sys.executable, "-c", code]
    run = subprocess.run([*command, "doctor"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "operators for NumPy: run pip install -e ." in run.stdout
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
