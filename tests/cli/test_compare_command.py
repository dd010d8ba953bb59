"""``imgsim compare``, with random weights: what it prints, not what it finds."""

import json

import pytest

from imgsim_ops.embedding import embedder
from imgsim_ops.embedding.similarity import word_for
from imgsim_ops.engines.onnx import CPU_ONLY, providers
from imgsim_ops.errors import ImgsimError
from imgsim_ops.kernels import build_info
from imgsim_ops.model_files.cache import model_file
from imgsim_ops.models.spec import ModelSpec


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


def test_the_default_is_onnx_in_the_best_precision(imgsim, photos, monkeypatch):
    asked = []

    def record(name, spec, *options):
        asked.append((name, spec.precision))
        raise ImgsimError("enough: seen")

    monkeypatch.setattr(embedder, "create_engine", record)
    pair = [photos / "a.png", photos / "b.jpg"]
    assert imgsim("compare", *pair).exit_code == 2
    assert imgsim("compare", *pair, "--engine", "torch", "--precision", "fp32").exit_code == 2
    assert imgsim("compare", *pair, "--precision", "int8").exit_code == 2
    assert asked == [("onnx", "auto"), ("torch", "fp32"), ("onnx", "int8")]


def test_engines_say_the_same(imgsim, photos):
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0", "--json"]
    documents = {
        engine: json.loads(imgsim(*arguments, "--engine", engine).stdout) for engine in ("onnx", "torch", "torchscript")
    }
    assert documents["onnx"] == json.loads(imgsim(*arguments).stdout)
    assert "-fp32-p" in documents["onnx"]["fingerprint"]  # random weights are never quantised by themselves
    for document in documents.values():
        assert document["fingerprint"] == documents["onnx"]["fingerprint"]
        # Vectors may differ by 1e-5 of their length, as in tests/models/test_extractor.py, and cosines by no more.
        assert document["score"] == pytest.approx(documents["onnx"]["score"], abs=1e-5)
        assert document["layers"] == pytest.approx(documents["onnx"]["layers"], abs=1e-5)


def test_precisions_of_real_weights(imgsim, photos):
    """With the weights of a package, through to the end; auto as this processor and the gate have it."""
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--backbone", "efficientnet_lite0", "--json"]
    documents = {
        precision: json.loads(imgsim(*arguments, "--precision", precision).stdout)
        for precision in ("fp32", "int8", "auto")
    }
    assert "-fp32-p" in documents["fp32"]["fingerprint"]
    assert "-int8" in documents["int8"]["fingerprint"]
    gate = model_file(ModelSpec("efficientnet_lite0", precision="int8")).facts["gate"]
    int8 = gate["holds"] and build_info()["int8_instructions"] and providers() == CPU_ONLY
    assert documents["auto"] == documents["int8" if int8 else "fp32"]
    assert documents["auto"]["word"]
    # At the gate's mean cosine of 0.985 either vector may turn by 10 degrees; the sine of 20 is 0.34.
    assert documents["int8"]["score"] == pytest.approx(documents["fp32"]["score"], abs=0.35)
    assert documents["int8"]["score"] != documents["fp32"]["score"]


def test_first_use_is_told_on_stderr(imgsim, photos, monkeypatch, tmp_path):
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0", "--json"]
    first, second = imgsim(*arguments), imgsim(*arguments)
    assert "Preparing resnet18 in fp32 for this machine, once" in first.stderr
    assert second.stderr == ""
    assert json.loads(first.stdout) == json.loads(second.stdout)


def test_a_cache_that_cannot_be_written(failure, photos, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("/proc/none", tmp_path / "file" / "below"):
        monkeypatch.setenv("IMGSIM_CACHE", str(folder))
        message = failure("compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0")
        assert "IMGSIM_CACHE" in message
        assert str(folder) in message


def test_engines_and_precisions_that_do_not_fit(failure, photos):
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0"]
    assert "(got 'nonsense')" in failure(*arguments, "--engine", "nonsense")
    assert "one of auto, fp32, int8 (got 'nonsense')" in failure(*arguments, "--precision", "nonsense")
    for engine in ("torch", "torchscript"):
        message = failure(*arguments, "--precision", "int8", "--engine", engine)
        assert message == f"imgsim: engine: int8 needs the engine onnx (got {engine})"


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
