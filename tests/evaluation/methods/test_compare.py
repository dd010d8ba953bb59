"""All methods one after the other: what becomes of those that cannot run, and what none of them may see."""

import json
import re
import sys

import numpy as np
import pytest

from imgsim_ops.embedding import embedder
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.labelled import LabelledPictures, split_classes
from imgsim_ops.evaluation.machine import Place
from imgsim_ops.evaluation.methods import clip, embedding
from imgsim_ops.evaluation.methods.compare import METHODS, ComparisonOptions, check_methods, compare
from imgsim_ops.evaluation.methods.tables import results
from imgsim_ops.evaluation.training.training import Training
from tests.support.stub_engine import StubEngine
from tests.support.tiny_clip import write_config


@pytest.fixture(scope="module")
def parts():
    """Five classes of noise around a colour of their own, two of them unseen."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 6)
    colours = random.integers(50, 200, (5, 1, 1, 3))
    pictures = [np.clip(colours[label] + random.normal(0, 9, (8, 8, 3)), 0, 255).astype(np.uint8) for label in labels]
    return split_classes(
        LabelledPictures("made", pictures, labels, ("ant", "bee", "cat", "dog", "eel")), ["bee", "eel"]
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return {"clip_model": write_config(tmp_path_factory.mktemp("clip")), "clip_weights": "random:0"}


def run(names, parts, **settings):
    return list(compare(names, *parts, ComparisonOptions(k=3, **settings)))


def test_names_of_methods():
    assert check_methods([]) == list(METHODS)
    assert check_methods(["clip", "triplet", "clip"]) == ["triplet", "clip"]
    with pytest.raises(ImgsimError, match=r"methods: must be one of .* \(got 'triplett'\); did you mean triplet\?"):
        check_methods(["triplett"])


def test_devices(monkeypatch):
    Place("cpu").check()
    for device in ("gpu", "cuda:", "cuda:x", "cpu:0"):
        with pytest.raises(ImgsimError, match=rf"--device must be cpu, cuda or cuda:N \(got '{device}'\)"):
            Place(device).check()
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    Place("cuda:0").check()
    with pytest.raises(ImgsimError, match=r"--device must be a GPU that PyTorch sees \(got cuda:1, of 1\)"):
        Place("cuda:1").check()


def test_every_kind_of_method_is_judged(parts, tiny):
    names = ["classical", "clip", "clip-text", "pixels"]
    calls = []
    outcomes = list(compare(names, *parts, ComparisonOptions(k=3, **tiny), stages=lambda *call: calls.append(call)))
    assert [outcome.method for outcome in outcomes] == names
    assert all(outcome.judgement.queries == 12 for outcome in outcomes)
    assert [outcome.dimension for outcome in outcomes] == [None, 16, 32, 3072]
    assert [outcome.distance for outcome in outcomes] == ["1 - mean of three similarities", *["cosine"] * 3]
    random = "random weights: these numbers say nothing about CLIP"
    assert [outcome.note for outcome in outcomes] == ["", random, random, ""]
    stages = list(dict.fromkeys(what for what, _, _ in calls))
    assert stages == [f"{name}: {what}" for name in names for what in ("loading", "describing", "searching")]


def test_only_what_compares_pairs_searches_some_of_the_pictures(parts):
    classical, pixels = run(["classical", "pixels"], parts, queries=5)
    assert (classical.judgement.queries, classical.judgement.pictures) == (5, 12)
    assert pixels.judgement.queries == 12


def test_names_of_unseen_classes_stay_unknown(parts, tiny, monkeypatch):
    told = []

    class Spy(clip.ClipImageText):
        def __init__(self, model, seen):
            told.append(seen)
            super().__init__(model, seen)

    monkeypatch.setattr(clip, "ClipImageText", Spy)
    run(["clip-text"], parts, **tiny)
    assert told == [("ant", "cat", "dog")]


def test_a_method_that_cannot_run_says_why_and_the_next_goes_on(parts, monkeypatch):
    calls = []

    def refuse(model, weights, device):
        calls.append((model, weights, device))
        raise WeightsError("clip weights: x could not be downloaded (got no network); name a file of them")

    monkeypatch.setattr(clip, "load_clip", refuse)
    monkeypatch.setitem(sys.modules, "cv2", None)
    classical, first, second, pixels = run(["classical", "clip", "clip-text", "pixels"], parts)
    assert classical.missing == "not run"
    assert classical.note.startswith("classical: OpenCV and scikit-image must be installed (got ")
    assert classical.advice == "run pip install 'imgsim-ops[tables]'"
    for outcome in (first, second):
        assert outcome.judgement is None
        assert outcome.missing == "no weights"
        assert outcome.note == "clip weights: x could not be downloaded (got no network)"
        assert outcome.advice == "name a file of them"
    assert calls == [(clip.MODEL, clip.WEIGHTS, "cpu")]  # no one waits twice for a network that is not there
    assert pixels.judgement is not None


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
def test_too_little_memory(parts, monkeypatch, error):
    def fail(self, pictures):
        raise error

    monkeypatch.setattr(embedding.Pixels, "embed", fail)
    (outcome,) = run(["pixels"], parts)
    assert (outcome.judgement, outcome.missing) == (None, "no memory")
    assert outcome.note == "methods: there must be memory for pixels (got too little)"


def test_mistakes_of_ours_are_not_hidden(parts, monkeypatch):
    def fail(self, pictures):
        raise RuntimeError("a bug")

    monkeypatch.setattr(embedding.Pixels, "embed", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run(["pixels"], parts)


def test_our_own_embedding(parts, monkeypatch):
    monkeypatch.setattr(embedder, "create_engine", lambda *_, **__: StubEngine())
    monkeypatch.setenv("IMGSIM_WEIGHTS", "random:0")
    first, second = run(["imgsim:resnet18", "imgsim:efficientnet_lite0"], parts)
    assert first.made_by == second.made_by == "stub-000000000000-fp32-p2"
    assert (first.dimension, first.judgement.accuracy) == (5, 1)  # the engine sees the classes' colours
    assert first.note == "random weights: these numbers say nothing about resnet18"
    assert second.note == ""


def test_what_must_be_trained_is_trained_once(parts, tmp_path):
    calls, lines = [], []
    settings = ComparisonOptions(k=3, runs=tmp_path, epochs=1)
    arguments = {"stages": lambda *call: calls.append(call), "announce": lines.append}
    (first,) = compare(["autoencoder"], *parts, settings, **arguments)
    assert first.made_by.startswith("autoencoder-")
    assert first.judgement.queries == 12
    assert lines == [f"Training autoencoder, once: {tmp_path}/autoencoder"]
    assert ("autoencoder: training", 1, 1) in calls
    trained_on = json.loads((tmp_path / "autoencoder" / "settings.json").read_bytes())
    assert trained_on["classes"] == {"ant": 6, "cat": 6, "dog": 6}
    (again,) = compare(["autoencoder"], *parts, settings, **arguments)
    assert again.made_by == first.made_by
    assert again.judgement.accuracy == first.judgement.accuracy
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"data": "made", "classes": {"ant": 6, "bee": 6}},
            r"must know no unseen class \(got .*/triplet, trained on bee\)",
        ),
        ({"data": "digits", "classes": {"0": 6}}, r"must be trained on made \(got .*/triplet, trained on digits\)"),
        ({"data": "made"}, r"must say what it was trained on \(got .*/triplet, which does not\)"),
        (None, r"must say what it was trained on \(got .*/triplet, which does not\)"),
    ],
)
def test_runs_that_may_not_be_used(parts, tmp_path, settings, expected):
    (tmp_path / "triplet").mkdir()
    (tmp_path / "triplet" / "encoder.onnx").write_bytes(b"a model")
    if settings is not None:
        (tmp_path / "triplet" / "settings.json").write_text(json.dumps({"kind": "triplet", **settings}))
    (outcome,) = run(["triplet"], parts, runs=tmp_path)
    assert (outcome.judgement, outcome.missing) == (None, "not run")
    assert re.fullmatch(rf"methods: a run {expected}", outcome.note)


def test_ctrl_c_while_training(parts, tmp_path, monkeypatch):
    asked = []

    def stopped(kind, data, folder, settings, **options):
        asked.append((kind, data.present, settings.seed, settings.epochs, options["place"].device, options["resume"]))
        return Training(kind, folder, [], 0, "interrupted")

    monkeypatch.setattr("imgsim_ops.evaluation.training.training.train", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(["contrastive"], parts, runs=tmp_path, seed=4, epochs=7)
    assert asked == [("contrastive", ("ant", "cat", "dog"), 4, 7, "cpu", True)]


def test_classes_in_both_parts_or_too_small(parts):
    seen, unseen = parts
    with pytest.raises(ImgsimError, match=r"no unseen class may be among the seen ones \(got bee, eel\)"):
        run(["pixels"], (unseen, unseen))
    with pytest.raises(ImgsimError, match=r"more than k = 3 pictures \(got 2 of 'eel'\)"):
        run(["pixels"], (seen, unseen.take(range(8))))


def test_results(parts, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    settings = ComparisonOptions(k=3, **tiny)
    outcomes = list(compare(["classical", "clip", "pixels"], *parts, settings))
    found = results(outcomes, *parts, settings)
    assert found.title == "Methods on made, 2 unseen classes"
    classical, model, pixels = found.tables[0].rows
    assert classical["accuracy_percent"] == "not run"
    assert "precision_percent" not in classical
    assert model["note"].startswith("random weights")
    assert pixels["accuracy_percent"] == 100 * outcomes[2].judgement.accuracy
    assert found.facts["Unseen classes"] == "bee, eel (12 pictures)"
    assert found.facts["Seen classes"].startswith("3 (18 pictures)")
    # Of 11 others 5 are of the same class: 5/11 * 4/10 * 3/9.
    assert found.facts["By chance"] == "6.1 % accuracy"
    (plot,) = found.plots
    assert plot.svg == results(outcomes, *parts, settings).plots[0].svg
    for text in ("clip", "(random weights)", "pixels"):
        assert f"<!-- {text} -->" in plot.svg
    assert "<!-- classical -->" not in plot.svg
    assert results([], *parts, settings, plotted=False).plots == []
    assert results(outcomes[:1], *parts, settings).plots[0].svg.endswith("</svg>\n")  # without any point
