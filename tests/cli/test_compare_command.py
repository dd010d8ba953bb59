"""``imgsim compare``, with random weights: what it prints, not what it finds."""

import json

import pytest

from imgsim_ops.cli.compare import word_for


def test_score(imgsim, photos):
    result = imgsim("compare", photos / "a.png", photos / "a.png", "--weights", "random:0")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1.0000")


def test_layers(imgsim, photos):
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0"]
    table = imgsim(*arguments, "--layers").stdout
    document = json.loads(imgsim(*arguments, "--json").stdout)
    assert list(document["layers"]) == ["texture", "pattern", "parts", "subject"]
    for name, value in document["layers"].items():
        assert name in table
        assert f"{value:.4f}" in table
    assert f"{document['score']:.4f}" in table
    assert document["fingerprint"].startswith("resnet18-")
    assert document["word"] is None  # random weights say nothing about pictures


def test_options_reach_the_model(imgsim, photos):
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0", "--json"]
    lite = json.loads(imgsim(*arguments, "--backbone", "efficientnet_lite0", "--threads", 1).stdout)
    assert lite["fingerprint"].startswith("efficientnet_lite0-")


def test_mistakes(failure, photos):
    a = photos / "a.png"
    (photos / "text.jpg").write_text("words")
    assert "whatever the name says" in failure("compare", a, photos / "text.jpg")
    assert "missing.jpg" in failure("compare", photos / "missing.jpg", a)
    assert "this is a folder" in failure("compare", a, photos)
    assert "nonsense" in failure("compare", a, a, "--backbone", "nonsense")
    assert "nonsense" in failure("compare", a, a, "--engine", "nonsense", "--weights", "random:0")
    assert "missing.pth" in failure("compare", a, a, "--weights", photos / "missing.pth")


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (1.0, "the same picture"),
        (0.97, "a copy, or nearly"),
        (0.8, "much alike"),
        (0.3, "different"),
        (-1, "different"),
    ],
)
def test_words(score, word):
    assert word_for("efficientnet_lite0", score) == word
    assert word_for("resnet18", score) is None  # not measured on real weights yet
