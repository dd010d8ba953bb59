import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from imgsim_ops.models.extractor import build_extractor

RECIPE = Path(__file__).parents[2] / "export" / "resnet18_multiscale.py"
WEIGHTS = "random:7"

# What a program that knows nothing of our Python modules does with the file.
LOADER = """
import json, sys, warnings
import torch
# TorchScript's own warning that it is deprecated.
warnings.simplefilter("ignore", FutureWarning)
import imgsim_ops.ops
assert "imgsim_ops.models.extractor" not in sys.modules
extra = {"imgsim.json": ""}
model = torch.jit.load(sys.argv[1], _extra_files=extra)
batches = torch.load(sys.argv[2], weights_only=True)
torch.save([[model(pixels), *model.with_layers(pixels)[1]] for pixels in batches], sys.argv[3])
print(json.dumps(json.loads(extra["imgsim.json"])))
"""


def run(*arguments):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.pt"
    # Warnings are errors: whoever exports sees none of TorchScript's.
    result = run("-W", "error", RECIPE, "--out", path, "--weights", WEIGHTS)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "resnet18-" in result.stdout
    return path


def test_fresh_process(exported, tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = [(count, 224, 224, 3) for count in (1, 2, 7)]
    batches = [torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator) for shape in shapes]
    torch.save(batches, tmp_path / "pixels.pt")
    result = run("-c", LOADER, exported, tmp_path / "pixels.pt", tmp_path / "answers.pt")
    assert result.returncode == 0, result.stderr
    extractor = build_extractor("resnet18", WEIGHTS)
    for pixels, answer in zip(batches, torch.load(tmp_path / "answers.pt", weights_only=True), strict=True):
        for ours, expected in zip(answer, [extractor(pixels), *extractor.with_layers(pixels)[1]], strict=True):
            # Another process may have another number of threads, hence sums in another order.
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    assert json.loads(result.stdout) == {
        "fingerprint": str(extractor.fingerprint),
        "backbone": "resnet18",
        "dimension": 512,
        "channels": [64, 128, 256, 512],
        "resize": 256,
        "crop": 224,
        "preprocessing_version": 1,
    }


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("recipe", RECIPE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weights_that_are_missing(recipe, tmp_path, capsys):
    assert recipe.main(["--out", str(tmp_path / "model.pt"), "--weights", str(tmp_path / "none.pth")]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("weights: no such file")
    assert errors.count("\n") == 1
    assert not (tmp_path / "model.pt").exists()


def test_path_that_cannot_be_written(recipe, tmp_path, capsys):
    assert recipe.main(["--out", str(tmp_path / "none" / "model.pt"), "--weights", WEIGHTS]) == 2
    assert capsys.readouterr().err.startswith("export: the file must be writable (got ")
