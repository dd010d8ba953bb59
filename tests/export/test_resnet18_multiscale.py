"""The script export/resnet18_multiscale.py and ``imgsim export``: one command under two names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from typer.testing import CliRunner

from imgsim_ops.cli.app import app
from imgsim_ops.export import recipes
from imgsim_ops.model_files import cache as files
from tests.support import exported_models as cases

RECIPE = Path(__file__).parents[2] / "export" / "resnet18_multiscale.py"
WEIGHTS = cases.WEIGHTS["resnet18"]

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


def facts(extractor):
    return {
        "fingerprint": str(extractor.fingerprint),
        "backbone": "resnet18",
        "weights": extractor.fingerprint.weights,
        "precision": "fp32",
        "preprocessing_version": 1,
        "dimension": 512,
        "channels": [64, 128, 256, 512],
        "resize": 256,
        "crop": 224,
    }


def run(*arguments, cwd=None):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def imgsim(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], prog_name="imgsim")


@pytest.fixture(scope="module")
def extractor():
    return cases.extractor("resnet18")


@pytest.fixture
def calls(monkeypatch):
    """Saves the seconds of another export; what it would have been asked for."""
    asked = []

    def export_backbone(backbone, weights, precision, photographs, announce):
        asked.append((backbone, weights, precision, photographs))
        return cases.exported(backbone, precision)

    monkeypatch.setattr(recipes, "export_backbone", export_backbone)
    return asked


@pytest.fixture(scope="module")
def torchscript(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.pt"
    # Warnings are errors: whoever exports sees none of TorchScript's.
    result = run("-W", "error", RECIPE, "--out", path, "--weights", WEIGHTS)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "resnet18-" in result.stdout
    assert os.listdir(path.parent) == [path.name]
    return path


def test_torchscript_in_a_fresh_process(torchscript, extractor, tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = [(count, 224, 224, 3) for count in (1, 2, 7)]
    batches = [torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator) for shape in shapes]
    torch.save(batches, tmp_path / "pixels.pt")
    result = run("-c", LOADER, torchscript, tmp_path / "pixels.pt", tmp_path / "answers.pt")
    assert result.returncode == 0, result.stderr
    for pixels, answer in zip(batches, torch.load(tmp_path / "answers.pt", weights_only=True), strict=True):
        for ours, expected in zip(answer, [extractor(pixels), *extractor.with_layers(pixels)[1]], strict=True):
            # Another process may have another number of threads, hence sums in another order.
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    assert json.loads(result.stdout) == facts(extractor)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """What the script wrote without options but the weights, and the end of its process."""
    folder = tmp_path_factory.mktemp("script")
    # Warnings are errors here too: PyTorch's exporter has some, all about its own dependencies.
    result = run("-W", "error", RECIPE, "--weights", WEIGHTS, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder, result


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    result = imgsim("--out", folder / "resnet18_multiscale.onnx", "--weights", WEIGHTS, "--json")
    assert result.exit_code == 0, result.output
    return folder, result


NAMES = ["resnet18_multiscale.onnx", "resnet18_multiscale.plain.onnx"]


def test_two_files_and_no_other(script, command):
    for folder in (script[0], command[0]):
        assert sorted(os.listdir(folder)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_script_and_the_command_write_the_same_bytes(script, command, name):
    assert (script[0] / name).read_bytes() == (command[0] / name).read_bytes()


def test_what_the_files_are(command):
    """All else about them is tested as models, in test_onnx_files.py."""
    with_bodies, plain = (onnx.load(command[0] / name) for name in NAMES)
    assert [body.name for body in with_bodies.functions] == ["MultiscalePool"]
    assert not plain.functions
    for made in (with_bodies, plain):
        onnx.checker.check_model(made, full_check=True)
        assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["pixels", "embedding"]


def test_what_is_printed(script, extractor):
    result = script[1]
    assert result.stderr == "imgsim: Exporting resnet18\n"
    first, second, last = result.stdout.splitlines()
    assert (first.split()[0], second.split()[0]) == tuple(NAMES)
    assert last == f"{extractor.fingerprint}, 512 values"


def test_json(command, extractor):
    folder, result = command
    assert json.loads(result.stdout) == {"files": [str(folder / name) for name in NAMES], **facts(extractor)}


@pytest.mark.parametrize(
    ("option", "outputs"),
    [("--pair", ["similarity"]), ("--layers", ["embedding", *(f"layer{i}" for i in range(1, 5))])],
)
def test_other_recipes(option, outputs, tmp_path, calls):
    result = imgsim("--out", tmp_path / "m.onnx", "--weights", WEIGHTS, option)
    assert result.exit_code == 0, result.output
    assert calls == [("resnet18", WEIGHTS, "fp32", None)]
    for name in ("m.onnx", "m.plain.onnx"):
        assert [value.name for value in onnx.load(tmp_path / name).graph.output] == outputs


@pytest.mark.parametrize("as_json", [False, True])
def test_int8(as_json, tmp_path, calls):
    folder = Path(cases.quick_photographs()[0]).parent
    result = imgsim(
        *("--out", tmp_path / "m.onnx", "--backbone", "efficientnet_lite0", "--precision", "int8"),
        *("--photographs", folder / "co*.png", "--photographs", folder / "moon.png"),
        *(["--json"] if as_json else []),
    )
    assert result.exit_code == 0, result.output
    ((backbone, weights, precision, photographs),) = calls
    assert (backbone, weights, precision) == ("efficientnet_lite0", None, "int8")
    names = [Path(path).name for path in photographs]
    assert names == ["coffee.png", "coins.png", "color.png", "moon.png"]
    made = cases.exported("efficientnet_lite0", "int8")
    if as_json:
        written = [str(tmp_path / "m.onnx"), str(tmp_path / "m.plain.onnx")]
        assert json.loads(result.stdout) == {"files": written, **made.facts.as_json()}
    else:
        gate = made.facts.gate
        verdict = "as good as" if gate["holds"] else "not as good as"
        assert result.stdout.splitlines()[-1] == (
            f"{verdict} fp32: mean cosine to it {gate['mean_cosine']:.4f}, finding copies "
            f"{gate['int8_micro_ap']:.4f} against {gate['fp32_micro_ap']:.4f} micro-AP, on {gate['pictures']} pictures"
        )
    (text,) = (entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props if entry.key == "gate")
    assert json.loads(text) == made.facts.gate


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("m.txt", [], "export: the file must end in .onnx or .pt (got '{out}')"),
        ("m", [], "export: the file must end in .onnx or .pt (got '{out}')"),
        ("none/m.onnx", [], "export: the folder must exist (got '{folder}/none')"),
        ("none/m.pt", [], "export: the folder must exist (got '{folder}/none')"),
        ("m.onnx", ["--pair", "--layers"], "export: a pair model gives a similarity and no layers"),
        ("m.pt", ["--pair"], "export: a .pt file is an fp32 model of single pictures"),
        ("m.pt", ["--precision", "int8"], "export: a .pt file is an fp32 model of single pictures"),
        ("m.onnx", ["--precision", "int4"], "export: precision must be fp32 or int8 (got 'int4')"),
        ("m.onnx", ["--backbone", "resnet19"], "backbone: must be one of resnet18, efficientnet_lite0"),
        ("m.onnx", ["--weights", "none.pth"], "weights: no such file"),
        ("m.pt", ["--weights", "none.pth"], "weights: no such file"),
        ("m.onnx", ["--precision", "int8", "--photographs", "{photograph}"], "export: int8 needs at least two"),
        ("m.onnx", ["--no-such-option"], "No such option"),
    ],
)
def test_mistakes(out, options, message, tmp_path):
    """One line, exit code 2, nothing written."""
    photograph = cases.quick_photographs()[0]
    (tmp_path / "folder").mkdir()
    out = tmp_path / "folder" / out
    options = [option.format(photograph=photograph) for option in options]
    # An option given twice counts as given last.
    result = imgsim("--out", out, "--weights", WEIGHTS, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("imgsim: Exporting ")]
    assert line.startswith("imgsim: " + message.format(out=out, folder=tmp_path / "folder"))
    assert os.listdir(tmp_path / "folder") == []


@pytest.mark.parametrize("name", ["m.onnx", "m.pt"])
@pytest.mark.usefixtures("calls")
def test_a_place_that_cannot_be_written(name, tmp_path):
    """A folder of that name is one for everybody, root included."""
    (tmp_path / name).mkdir()
    result = imgsim("--out", tmp_path / name, "--weights", WEIGHTS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("imgsim: export: the file must be writable (got ")
    assert str(tmp_path / name) in result.stderr
    assert os.listdir(tmp_path) == [name]
    assert os.listdir(tmp_path / name) == []


@pytest.mark.usefixtures("calls")
def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    result = imgsim("--out", tmp_path / "m.onnx", "--weights", WEIGHTS)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert os.listdir(tmp_path) == []


def test_the_script_ends_with_the_commands_exit_code(tmp_path):
    result = run("-W", "error", RECIPE, "--out", tmp_path / "m.txt")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"imgsim: export: the file must end in .onnx or .pt (got {str(tmp_path / 'm.txt')!r})\n"
    assert os.listdir(tmp_path) == []
