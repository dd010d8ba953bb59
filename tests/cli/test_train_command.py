"""``imgsim methods train``."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.evaluation import labelled as data
from imgsim_ops.evaluation.labelled import LabelledPictures
from imgsim_ops.evaluation.training import trainer, training

QUICK = ("--epochs", 2, "--size", 14, "--dimension", 4, "--batch", 32)


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """Digits of noise, 8 of each of 5 classes."""
    draw = np.random.default_rng(0)
    pictures = draw.integers(0, 256, (40, 8, 8, 3), np.uint8)
    made = LabelledPictures("digits", pictures, np.repeat(np.arange(5), 8), tuple("01234"))
    monkeypatch.setattr(data, "_digits", lambda: made)


@pytest.fixture
def no_export(monkeypatch):
    """The export takes seconds."""

    class Nothing:
        @staticmethod
        def SerializeToString():
            return b""

    monkeypatch.setattr(training, "encoder_model", lambda *_: Nothing)


def test_train_and_go_on(imgsim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = imgsim("methods", "train", "triplet", "--unseen", "3,1", *QUICK)
    assert result.exit_code == 0, result.output
    assert "runs/triplet: epoch" in result.stdout
    assert "of 2 is kept" in result.stdout
    lines = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    settings = json.loads(Path("runs/triplet/settings.json").read_text())
    assert settings["classes"] == {"0": 8, "2": 8, "4": 8}
    engine = OnnxEngine("runs/triplet/encoder.onnx", 1)
    assert engine.embed(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 4)

    longer = ("--unseen", "3,1", *QUICK, "--epochs", 3)
    result = imgsim("methods", "train", "triplet", *longer, "--resume", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document.pop("history")[2]["epoch"] == 3
    assert document.pop("best_epoch") in (1, 2, 3)
    assert document.pop("fingerprint") == str(OnnxEngine("runs/triplet/encoder.onnx", 1).fingerprint)
    assert document == {
        "kind": "triplet",
        "folder": "runs/triplet",
        "model": "runs/triplet/encoder.onnx",
        "classes": ["0", "2", "4"],
        "pictures": 24,
        "epochs": 3,
        "ended": "epochs",
        "interrupted": False,
        "skipped": [],
    }


def test_ctrl_c(imgsim, tmp_path, monkeypatch, no_export):
    step = trainer.Trainer._take_step

    def interrupted(work, rows):
        os.kill(os.getpid(), signal.SIGINT)
        return step(work, rows)

    run = ("methods", "train", "contrastive", "-o", tmp_path / "run", *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_take_step", interrupted)
        result = imgsim(*run)
        assert result.exit_code == 130
        assert "Stopped after 1 epoch: what is done is kept; --resume goes on with it" in result.stdout
        result = imgsim(*run, "--resume", "--epochs", 3, "--json")
        assert result.exit_code == 130
        document = json.loads(result.stdout)
        assert (document["interrupted"], document["ended"], document["model"]) == (True, "interrupted", None)
    result = imgsim(*run, "--resume")
    assert result.exit_code == 0
    assert "of 2 is kept" in result.stdout


def test_skipped_files(imgsim, tmp_path, no_export):
    draw = np.random.default_rng(0)
    for name in "abcd":
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            noise = draw.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / "pictures" / name / f"{number}.png")
    (tmp_path / "pictures" / "a" / "bad.png").write_bytes(b"words")
    run = ("--data", f"folder:{tmp_path / 'pictures'}", "-o", tmp_path / "run", "--unseen", "c,d", *QUICK)
    result = imgsim("methods", "train", "autoencoder", *run)
    assert result.exit_code == 3, result.output
    assert "Skipped 1 file: 1 not_a_picture" in result.stdout
    assert "bad.png" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train",), "KIND"),
        (("train", "triplets"), "must be one of triplet, contrastive, autoencoder (got 'triplets'); did you mean"),
        (("train", "triplet", "--data", "digit"), "did you mean digits?"),
        (("train", "triplet", "--unseen", "4"), "two classes or more (got 1 in digits)"),
        (("train", "triplet", "--unseen", "9"), "the number of unseen classes must be from 2 to 5"),
        (("train", "triplet", "--size", "30"), "the size must be one of"),
        (("train", "triplet", "--network", "vgg"), "small, resnet18 (got 'vgg')"),
        (("train", "triplet", "--epochs", "0"), "--epochs"),
        (("train", "triplet", "--batch", "8"), "32 pictures or more (got 8)"),
        (("train", "triplet", "--rate", "inf"), "above 0 (got inf)"),
        (("train", "triplet", "--device", "gpu"), "cpu, cuda or cuda:N (got 'gpu')"),
        (("--k", "3", "train", "triplet"), "--k"),
    ],
)
def test_mistakes(failure, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in failure("methods", *arguments)
    assert not list(tmp_path.glob("runs/*/*.json"))


def test_missing_packages(failure, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    line = failure("methods", "train", "triplet", "-o", tmp_path / "run")
    assert "pytorch-metric-learning must be installed (got none); run pip install 'imgsim-ops[tables]'" in line
