"""The engine that runs exported files: one answer for any batch and any threads, which files it takes, and quiet."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from imgsim_ops.engines import onnx as module
from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.engines.torchscript import save
from imgsim_ops.errors import ImgsimError
from imgsim_ops.export.int8 import int8_network
from imgsim_ops.export.model import embedding_model
from imgsim_ops.model_files.cache import model_file
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.models.weights import load_backbone, values_of

WEIGHTS = "random:3"
PIXELS = np.random.default_rng(0).integers(0, 256, (17, 224, 224, 3), np.uint8)
FP32, INT8, LITE0 = "resnet18 fp32", "efficientnet_lite0 int8", "efficientnet_lite0 fp32"


@pytest.fixture(scope="module")
def small():
    """A file of resnet18 with its weights apart, from the cache."""
    return model_file(ModelSpec("resnet18", WEIGHTS, "fp32"), announce=lambda line: None).path


@pytest.fixture(scope="module")
def models(small):
    lite0 = build_extractor("efficientnet_lite0")
    # Ranges from noise: what counts here is that the arithmetic is that of integers.
    values = values_of(load_backbone("efficientnet_lite0"))
    network = int8_network(PLANS["efficientnet_lite0"], values, PIXELS[:2])
    int8 = embedding_model(network, lite0.facts(), layers=True)
    return {
        FP32: small,
        INT8: int8.SerializeToString(),
        LITE0: model_file(ModelSpec("efficientnet_lite0", precision="fp32"), announce=lambda line: None).path,
    }


@pytest.fixture(scope="module")
def engine(small):
    return OnnxEngine(small)


def everything(engine, pixels):
    vectors, layers = engine.embed_with_layers(pixels)
    return np.concatenate([vectors, *layers], axis=1)


# One answer


@pytest.mark.parametrize("name", [FP32, INT8, LITE0])
def test_the_same_bits_for_any_batch_and_any_threads(models, name):
    expected = everything(OnnxEngine(models[name], 1), PIXELS)
    assert len(np.unique(expected, axis=0)) == 17
    for threads in (1, 2, 3):
        engine = OnnxEngine(models[name], threads)
        for size in (1, 2, 3, 7, 17):
            found = everything(engine, PIXELS[17 - size :])
            assert np.array_equal(found, expected[17 - size :]), (threads, size)


@pytest.mark.parametrize("name", [FP32, LITE0])
@pytest.mark.parametrize("other", ["torch", "torchscript"])
def test_engines_agree(models, name, other):
    ours = OnnxEngine(models[name])
    theirs = create_engine(other, ModelSpec(name.split()[0], WEIGHTS if name == FP32 else None))
    assert theirs.fingerprint == ours.fingerprint
    pixels = np.concatenate([PIXELS[:2], np.zeros_like(PIXELS[:1]), np.full_like(PIXELS[:1], 255)])
    vectors, layers = ours.embed_with_layers(pixels)
    expected_vectors, expected_layers = theirs.embed_with_layers(pixels)
    for found, expected in zip([vectors, *layers], [expected_vectors, *expected_layers], strict=True):
        # Sums of float32 in another order, over 20 or 50 layers; as in tests/models/test_extractor.py.
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
        x, y = found.astype(float), expected.astype(float)
        cosines = (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))
        assert cosines.min() > 0.9999  # what the project promises between engines


def test_many_python_threads_share_an_engine(engine):
    expected = everything(engine, PIXELS)
    begin = threading.Barrier(8)

    def work(turn):
        begin.wait()
        for at in range(turn, turn + 4):
            pictures = np.arange(at, at + 1 + turn % 3) % 17
            if not np.array_equal(everything(engine, PIXELS[pictures]), expected[pictures]):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_no_pictures(engine):
    vectors, layers = engine.embed_with_layers(PIXELS[:0])
    assert [array.shape for array in (vectors, *layers)] == [(0, 512), (0, 64), (0, 128), (0, 256), (0, 512)]
    assert {array.dtype for array in (vectors, *layers)} == {np.dtype(np.float32)}
    assert engine.embed(PIXELS[:0]).shape == (0, 512)


def test_without_layers(engine, small):
    whole = onnx.load(small)
    del whole.graph.output[1:]
    plain = OnnxEngine(whole.SerializeToString())
    assert np.array_equal(plain.embed(PIXELS[:2]), engine.embed(PIXELS[:2]))
    assert plain.embed(PIXELS[:0]).shape == (0, 512)
    for pixels in (PIXELS[:2], PIXELS[:0]):
        vectors, layers = plain.embed_with_layers(pixels)
        assert (vectors.shape, layers) == ((len(pixels), 512), [])


# Files


def with_facts(small, **changes):
    """The model with other metadata; None takes one away."""
    changed = onnx.load(small)
    facts = {item.key: item.value for item in changed.metadata_props} | changes
    del changed.metadata_props[:]
    helper.set_model_props(changed, {key: value for key, value in facts.items() if value is not None})
    return changed.SerializeToString()


def foreign(small):
    """A model that runs, but that another program wrote."""
    pixels = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N"])
    answer = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [pixels], [answer])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()


NOT_OURS = r"model: must be a file that imgsim export wrote \(got '.*model\.onnx'\)"
FILES = {
    "nonsense": (lambda small: b"nonsense", NOT_OURS),
    "empty": (lambda small: b"", NOT_OURS),
    "noise": (lambda small: np.random.default_rng(0).bytes(4000), NOT_OURS),
    "truncated": (lambda small: small.read_bytes()[:-100], NOT_OURS),
    "another program's": (foreign, NOT_OURS),
    "without metadata": (lambda small: with_facts(small, fingerprint=None), NOT_OURS),
    "without its weights": (lambda small: small.read_bytes(), NOT_OURS),
    "another preprocessing": (
        lambda small: with_facts(small, preprocessing_version="99"),
        r"model: must be exported for preprocessing version 1 \(got version 99 in '.*model\.onnx'\)",
    ),
    "a fingerprint that is none": (lambda small: with_facts(small, fingerprint="words"), "fingerprint: must be"),
    "a number for a fingerprint": (lambda small: with_facts(small, fingerprint="7"), "model: must be a file"),
    "words for a number": (lambda small: with_facts(small, dimension="many"), "model: must be a file"),
    "a number for a list": (lambda small: with_facts(small, channels="7"), "model: must be a file"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_model(small, tmp_path, capfd, kind):
    content, words = FILES[kind]
    path = tmp_path / "model.onnx"
    path.write_bytes(content(small))
    refused(path, words, capfd)


def refused(path, words, capfd):
    capfd.readouterr()
    with pytest.raises(ImgsimError, match=words) as caught:
        OnnxEngine(path)
    assert "\n" not in str(caught.value)
    # At the descriptors: ONNX Runtime's own log does not go through Python.
    assert capfd.readouterr() == ("", "")


def test_weights_cut_short(small, tmp_path, capfd):
    (tmp_path / "model.onnx").write_bytes(small.read_bytes())
    weights = small.with_suffix(".weights")
    (tmp_path / weights.name).write_bytes(weights.read_bytes()[:100_000])
    refused(tmp_path / "model.onnx", NOT_OURS, capfd)


def test_a_torchscript_file(tmp_path, capfd):
    save(build_extractor("resnet18", WEIGHTS), tmp_path / "model.onnx")
    refused(tmp_path / "model.onnx", NOT_OURS, capfd)


def test_no_file(tmp_path, capfd):
    refused(tmp_path / "none.onnx", r"model: no such file \(got '.*none.onnx'\)", capfd)
    refused(tmp_path, "model: no such file", capfd)
    with pytest.raises(ImgsimError, match=r"model: must be a file that imgsim export wrote \(got 'bytes'\)"):
        OnnxEngine(b"nonsense")
    assert capfd.readouterr() == ("", "")


def test_create_engine_takes_a_file(small, engine):
    made = create_engine("onnx", ModelSpec(model=small), 1)
    assert np.array_equal(made.embed(PIXELS[:1]), engine.embed(PIXELS[:1]))
    assert made.fingerprint == engine.fingerprint


def test_create_engine_takes_a_precision(monkeypatch, small):
    asked = []

    def found(spec, announce):
        asked.append((spec.name, spec.weights, spec.precision))
        return model_file(ModelSpec("resnet18", WEIGHTS, "fp32"))

    monkeypatch.setattr("imgsim_ops.model_files.engine.model_file", found)
    create_engine()
    create_engine("onnx", ModelSpec("efficientnet_lite0", "w.pth", "int8"))
    assert asked == [("resnet18", None, "auto"), ("efficientnet_lite0", "w.pth", "int8")]
    with pytest.raises(ImgsimError, match=r"engine: precision must be one of auto, fp32, int8 \(got 'fp16'\)"):
        create_engine("onnx", ModelSpec(precision="fp16"))
    for name in ("torch", "torchscript"):
        with pytest.raises(ImgsimError, match=rf"engine: int8 needs the engine onnx \(got {name}\)"):
            create_engine(name, ModelSpec(weights=WEIGHTS, precision="int8"))


# Quiet

RUN = """
import sys
import numpy as np
{before}
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.models.weights import load_backbone, values_of
engine = create_engine("onnx", ModelSpec(weights="random:3", precision="fp32"), {threads})
vectors = engine.embed(np.zeros((2, 224, 224, 3), np.uint8))
assert vectors.shape == (2, 512) and np.isfinite(vectors).all()
"""
# Where a mark of a GPU is there, but no driver: a container, or Windows' Linux with another maker's GPU.
MARKED = """
from imgsim_ops.engines import onnx
onnx._GPU_MARKS = {{sys.platform: (sys.executable,)}}
"""


@pytest.mark.parametrize("threads", [0, 3])
def test_a_run_prints_nothing(small, threads):
    run = python(RUN.format(before="", threads=threads))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("first", ["", "import torch"])
@pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs onnxruntime-gpu"
)
def test_a_gpu_that_does_not_work_prints_nothing(small, first):
    run = python(RUN.format(before=MARKED.format() + first, threads=0))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)


# Threads


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux shows them")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_engine_has_the_threads_it_was_given(small, engine, threads):
    # `engine` has made the threads that ONNX Runtime makes once for a process.
    before = len(os.listdir("/proc/self/task"))
    made = OnnxEngine(small, threads)
    made.embed(PIXELS[:2])
    assert len(os.listdir("/proc/self/task")) - before == threads - 1  # the caller works too


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux shows them")
def test_all_threads_are_those_this_process_may_use(small, engine, monkeypatch):
    monkeypatch.setattr(module.kernels, "build_info", lambda: {"threads": 5})
    before = len(os.listdir("/proc/self/task"))
    made = OnnxEngine(small, 0)
    assert len(os.listdir("/proc/self/task")) - before == 4
    del made


# GPU

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Pretends which providers ONNX Runtime has, and whether a GPU shows itself."""

    def pretend(providers, gpu):
        mark = tmp_path / "gpu"
        if gpu:
            mark.touch()
        monkeypatch.setattr(module, "_GPU_MARKS", {sys.platform: (str(tmp_path / "none"), str(mark))})
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: preloaded.append(True))
        return preloaded

    preloaded = []
    return pretend


@pytest.mark.parametrize(
    ("providers", "gpu", "expected"),
    [
        ([CPU], False, [CPU]),
        ([CPU], True, [CPU]),
        (["TensorrtExecutionProvider", CUDA, CPU], False, [CPU]),
        (["TensorrtExecutionProvider", CUDA, CPU], True, [CUDA, CPU]),
    ],
)
def test_providers(machine, providers, gpu, expected):
    machine(providers, gpu)
    assert module.providers() == expected


def test_a_system_without_marks_has_no_gpu(machine, monkeypatch):
    machine([CUDA, CPU], True)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert module.providers() == [CPU]


class Options(onnxruntime.SessionOptions):
    def register_custom_ops_library(self, path):
        registered.append(path)
        super().register_custom_ops_library(path)


class Session(onnxruntime.InferenceSession):
    """Runs on the CPU, and says that it runs on what was asked for."""

    def __init__(self, model, options, providers):
        self.asked = providers
        super().__init__(model, options, providers=[CPU])

    def get_providers(self):
        return self.asked


registered = []


@pytest.mark.parametrize("gpu", [False, True])
def test_our_operators_run_on_the_cpu_and_the_bodies_on_a_gpu(machine, monkeypatch, small, engine, gpu):
    registered.clear()
    preloaded = machine([CUDA, CPU], gpu)
    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    made = OnnxEngine(small)
    assert made._session.asked == ([CUDA, CPU] if gpu else [CPU])
    assert preloaded == ([True] if gpu else [])
    assert registered == ([] if gpu else [str(module.ort_library_path())])
    found, expected = everything(made, PIXELS[:2]), everything(engine, PIXELS[:2])
    # The bodies' means are summed in another order.
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("gpu", "precision", "asked"),
    [
        (False, "auto", "auto"),
        (False, "fp32", "fp32"),
        (True, "auto", "fp32"),  # a GPU has no use for QDQ nodes
        (True, "int8", "int8"),
    ],
)
def test_auto_on_a_gpu_is_fp32(machine, monkeypatch, small, gpu, precision, asked):
    machine([CUDA, CPU], gpu)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    found = []

    def record(spec, announce):
        found.append(spec.precision)
        return model_file(ModelSpec("resnet18", WEIGHTS, "fp32"))

    monkeypatch.setattr("imgsim_ops.model_files.engine.model_file", record)
    create_engine("onnx", ModelSpec(precision=precision))
    assert found == [asked]
