"""``imgsim methods``: what it prints and writes, and how it ends."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.evaluation.methods import compare
from imgsim_ops.evaluation.result_files import read_results


@pytest.fixture
def classes(tmp_path):
    """Three classes of four pictures, each of a colour with noise."""
    random = np.random.default_rng(0)
    for number, name in enumerate(("red", "green", "blue")):
        folder = tmp_path / "classes" / name
        folder.mkdir(parents=True)
        for place in range(4):
            pixels = random.integers(0, 40, (20, 30, 3))
            pixels[..., number] += 200
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{place}.png")
    return tmp_path / "classes"


def test_digits(imgsim):
    result = imgsim("methods", "--methods", "pixels")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    (row,) = (line for line in result.stdout.splitlines() if line.split()[:1] == ["pixels"])
    accuracy = float(row.split()[1])
    assert 95 < accuracy <= 100  # the shapes of two digits hardly overlap
    assert "Data: digits: 1,797 pictures of 10 classes" in result.stdout
    assert "By chance: 3.0 % accuracy" in result.stdout


def test_files_and_page(imgsim, classes, tmp_path):
    page = tmp_path / "page.html"
    arguments = ["--data", f"folder:{classes}", "--unseen", "red,blue", "--k", 2, "--methods", "pixels,classical"]
    result = imgsim("methods", *arguments, "-o", tmp_path / "out", "--html", page)
    assert result.exit_code == 0, result.output
    assert "<title>Methods on folder:" in page.read_text()
    assert f"{page}\n" in result.stdout
    found = read_results(tmp_path / "out" / "methods.json")
    assert [row["method"] for row in found.tables[0].rows] == ["classical", "pixels"]
    assert [row["accuracy_percent"] for row in found.tables[0].rows] == [100, 100]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "methods-accuracy.svg",
        "methods.csv",
        "methods.json",
        "methods.md",
    ]


def test_json(imgsim, classes):
    result = imgsim("methods", "--data", f"folder:{classes}", "--k", 1, "--methods", "pixels", "--json")
    document = json.loads(result.stdout)
    assert document["kind"] == "methods"
    assert document["skipped"] == []
    assert document["interrupted"] is False
    assert document["tables"][0]["rows"][0]["queries"] == 8


def test_skipped_files(imgsim, classes):
    (classes / "red" / "9.jpg").write_text("words")
    (classes / "loose.png").write_bytes((classes / "red" / "0.png").read_bytes())
    arguments = ["methods", "--data", f"folder:{classes}", "--k", 2, "--methods", "pixels"]
    result = imgsim(*arguments)
    assert result.exit_code == 3, result.output
    assert "Skipped 2 files: 1 no_class, 1 not_a_picture" in result.stdout
    document = json.loads(imgsim(*arguments, "--json").stdout)
    assert [file["code"] for file in document["skipped"]] == ["no_class", "not_a_picture"]
    assert document["facts"]["Skipped files"] == "2"


def test_what_cannot_run(imgsim, classes, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    result = imgsim("methods", "--data", f"folder:{classes}", "--k", 2, "--methods", "classical,pixels")
    assert result.exit_code == 3, result.output
    assert "-: not run" in result.stdout
    assert "\nclassical: classical: OpenCV and scikit-image must be installed (got " in result.stdout
    assert "For classical: run pip install 'imgsim-ops[tables]'\n" in result.stdout
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("pixels "))
    assert row.split()[1:3] == ["100.0", "100.0"]


def test_ctrl_c_keeps_what_is_done(imgsim, classes, tmp_path, monkeypatch):
    judge, judged = compare.judge, []

    def second_is_stopped(method, *arguments, **options):
        if judged:
            raise KeyboardInterrupt
        judged.append(method)
        return judge(method, *arguments, **options)

    monkeypatch.setattr(compare, "judge", second_is_stopped)
    arguments = ["--data", f"folder:{classes}", "--k", 2, "--methods", "pixels,classical", "-o", tmp_path / "out"]
    result = imgsim("methods", *arguments)
    assert result.exit_code == 130
    assert result.stderr == "imgsim: stopped\n"
    assert "pixels: methods: Ctrl-C came before it was judged" in result.stdout
    classical, pixels = read_results(tmp_path / "out" / "methods.json").tables[0].rows
    assert classical["accuracy_percent"] == 100
    assert pixels["accuracy_percent"] == "stopped"


def test_mistakes(failure, classes):
    data = ["--data", f"folder:{classes}"]
    assert "(got 'digit'); did you mean digits?" in failure("methods", "--data", "digit")
    assert "(got 'pixel'); did you mean pixels?" in failure("methods", "--methods", "pixel")
    assert "more than k = 4 pictures (got 4 of " in failure("methods", *data, "--k", 4, "--methods", "pixels")
    assert "(got 'rad'); did you mean red?" in failure("methods", *data, "--unseen", "rad,blue")
    assert "from 2 to 3, which" in failure("methods", *data, "--unseen", 4)
    assert "(got 'tpu')" in failure("methods", *data, "--device", "tpu")
    assert "cifar100 must lie there whole" in failure("methods", "--data", "cifar100", "--root", classes)


def test_options_of_the_comparison_do_not_stand_before_another_command(failure, classes):
    line = failure("methods", "--k", 3, "train", "triplet")
    assert line == "imgsim: methods: options of methods train stand after its name (got --k before it)"


def test_outputs_that_cannot_be_written(failure, classes, tmp_path):
    arguments = ["methods", "--data", f"folder:{classes}", "--html", tmp_path / "nowhere" / "x.html"]
    assert "methods: the folder must be there and writable (got " in failure(*arguments)


def test_without_matplotlib(imgsim, failure, classes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["methods", "--data", f"folder:{classes}", "--k", 1, "--methods", "pixels"]
    assert imgsim(*arguments).exit_code == 0
    assert "run pip install matplotlib" in failure(*arguments, "-o", tmp_path / "out")
