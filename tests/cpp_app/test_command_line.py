"""The command line: errors in one line, exit codes, names of any bytes, models that are refused."""

import os
import subprocess
import warnings

import numpy as np
import pytest
import torch

from imgsim_ops import __version__
from imgsim_ops.engines import torchscript
from imgsim_ops.models import extractor
from imgsim_ops.models.extractor import build_extractor
from tests.support.app_binary import APP, WEIGHTS, one_line, run, run_json


@pytest.mark.parametrize("which", [0, 1])
def test_a_bad_file_ends_a_comparison(bad_files, pictures, model, which):
    folder, _ = bad_files
    pair = [pictures / "coffee.png", pictures / "coffee.png"]
    pair[which] = folder / "coffee.png"
    text, errors = run("--model", model, *pair, code=2)
    assert text == ""
    one_line(errors, "decode: the file must be whole", str(pair[which]))


def test_a_bad_file_is_skipped_by_embed(bad_files, pictures, model):
    folder, _ = bad_files
    report = run_json("--model", model, "--embed", folder / "text.jpg", pictures / "coffee.png", code=3)
    assert [picture["path"] for picture in report["pictures"]] == [str(pictures / "coffee.png")]
    assert [skipped["code"] for skipped in report["skipped"]] == ["not_a_picture"]
    text, _ = run("--model", model, "--embed", pictures / "coffee.png")
    values = [float(line) for line in text.splitlines()[1:]]
    np.testing.assert_allclose(values, report["pictures"][0]["embedding"], rtol=1e-6)  # float32, two runs


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.jpg", b'quote"back\\slash\n.jpg', b"\x1b[31m.jpg", "gr\u00fc\u00df \U0001f600.jpg".encode()]
)
def test_any_name_gives_valid_json_and_one_line(tmp_path, name):
    (tmp_path / os.fsdecode(name)).write_text("no picture")
    report = run_json("--stats", tmp_path, "--repeat", "0", code=3)
    assert [skipped["path"] for skipped in report["skipped"]] == [str(tmp_path / os.fsdecode(name))]
    _, errors = run("--stats", tmp_path, "--repeat", "0", code=3)
    one_line(errors, "not_a_picture")
    assert errors[:-1].isprintable()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], ["unknown option", "--nonsense"]),
        (["-x"], ["unknown option", "-x"]),
        (["--json=1"], ["unknown option", "--json=1"]),
        ([], ["two pictures", "got 0"]),
        (["a.jpg"], ["two pictures", "got 1"]),
        (["a.jpg", "b.jpg"], ["--model"]),
        (["--model"], ["must have a value"]),
        (["--stats"], ["--stats needs"]),
        (["--stats", "--embed", "a"], ["exclude each other"]),
        (["--stats", ".", "--threads", "0"], ["--threads", "got 0"]),
        (["--stats", ".", "--threads", "two"], ["--threads", "got two"]),
        (["--stats", ".", "--threads=2x"], ["--threads", "got 2x"]),
        (["--stats", ".", "--repeat", "-1"], ["--repeat", "got -1"]),
        (["--model", "m.pt", "a", "b", "--repeat", "0"], ["--repeat", "got 0"]),
        (["--stats", "no/such/folder"], ["a path must exist", "no/such/folder"]),
        (["--model", "m.pt", "no/such.jpg", "b.jpg"], ["there must be a file", "no/such.jpg"]),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, words):
    text, errors = run(*arguments, code=2)
    assert text == ""
    one_line(errors, *words)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    one_line(run("--stats", tmp_path, code=2)[1], "there must be a picture", str(tmp_path))


def test_double_dash_ends_the_options(tmp_path, pictures):
    (tmp_path / "-odd.jpg").write_bytes((pictures / "astronaut.jpg").read_bytes())
    done = subprocess.run([APP, "--stats", "--repeat=0", "--", "-odd.jpg"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_help_and_version():
    text, _ = run("--help")
    for word in ("--model", "--stats", "--embed", "--threads", "--repeat", "--json", "Examples:", "Exit codes:"):
        assert word in text
    version, _ = run("--version")
    assert version.startswith(f"imgsim_app {__version__}, built against PyTorch {torch.__version__.split('+')[0]}")


def test_a_model_that_is_none(tmp_path, pictures):
    pair = [pictures / "coffee.png"] * 2
    one_line(run("--model", tmp_path / "gone.pt", *pair, code=2)[1], "model: no such file", "gone.pt")
    one_line(
        run("--model", pair[0], *pair, code=2)[1], "model: must be a .pt file that imgsim export wrote", str(pair[0])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation
        torch.jit.script(torch.nn.ReLU()).save(tmp_path / "relu.pt")
    errors = run("--model", tmp_path / "relu.pt", *pair, code=2)[1]
    one_line(errors, "model: must be a .pt file that imgsim export wrote", "relu.pt")


def test_a_model_for_another_preprocessing(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(extractor, "PREPROCESSING_VERSION", 2)
    torchscript.save(build_extractor("resnet18", WEIGHTS), tmp_path / "later.pt")
    pair = [pictures / "coffee.png"] * 2
    errors = run("--model", tmp_path / "later.pt", *pair, code=2)[1]
    one_line(errors, "preprocessing version 1", "got version 2", "later.pt")


def test_a_missing_image_library(pictures):
    environment = {"IMGSIM_TORCHVISION_IMAGE": "/no/such/image.so"}
    errors = run("--stats", pictures, code=2, environment=environment)[1]
    one_line(errors, "image library", "IMGSIM_TORCHVISION_IMAGE", "/no/such/image.so")


NUMBERS = ["0", "-1", "1000000000", "99999999999999999999", "nonsense", "", "1.5", " 1", "+1", "0x10", "nan"]
TASKS = [["--stats"], ["--model", "MODEL", "--embed"], ["--model", "MODEL"]]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("option", ["--threads", "--repeat"])
@pytest.mark.parametrize("task", TASKS, ids=["stats", "embed", "compare"])
def test_every_number_is_served_or_refused_in_one_line(pictures, pixel_model, task, option, number):
    asked = [pixel_model if word == "MODEL" else word for word in task]
    served = task == ["--stats"] and (option, number) == ("--repeat", "0")
    text, errors = run(*asked, *[pictures / "coffee.png"] * 2, f"{option}={number}", code=0 if served else 2)
    if served:
        assert text.startswith("1 picture")
    else:
        assert text == ""
        one_line(errors, f"imgsim_app: {option}" if "--embed" not in task else "imgsim_app: --", "(got ")
        assert f"(got {number or repr('')})" in errors


@pytest.mark.parametrize("value", ["0", "-1", "1000000000", "nonsense", "AVX2", " ", "a\nb", "/", "/dev/null"])
@pytest.mark.parametrize("name", ["IMGSIM_ISA", "IMGSIM_TORCHVISION_IMAGE"])
@pytest.mark.parametrize("task", TASKS, ids=["stats", "embed", "compare"])
def test_a_variable_without_sense_is_a_mistake_of_the_user(pictures, pixel_model, task, name, value):
    asked = [pixel_model if word == "MODEL" else word for word in task]
    text, errors = run(*asked, *[pictures / "coffee.png"] * 2, code=2, environment={name: value})
    assert text == ""
    one_line(errors, name)
    assert "should not have happened" not in errors


@pytest.mark.parametrize("name", ["IMGSIM_ISA", "IMGSIM_TORCHVISION_IMAGE"])
def test_a_variable_without_a_value_says_nothing(pictures, name):
    run("--stats", pictures / "coffee.png", "--repeat=0", environment={name: ""})
    run("--help", environment={name: "nonsense"})
