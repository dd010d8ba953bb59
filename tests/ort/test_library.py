"""The library in ONNX Runtime: what it exports, which versions it takes, sessions and threads, shapes."""

import ctypes
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import imgsim_ops
from imgsim_ops import libraries, ops
from tests.support.operator_cases import tensor
from tests.support.ort_models import assert_same, feed, model, options, run, session

MAPS = [(np.float32, ["batch", c, None, None]) for c in (64, 128, 256, 512)]


class ApiBase(ctypes.Structure):
    """OrtApiBase."""

    _fields_ = [
        ("GetApi", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)),
        ("GetVersionString", ctypes.CFUNCTYPE(ctypes.c_void_p)),
    ]


def _runtime() -> ctypes.CDLL:
    folder = Path(onnxruntime.__file__).parent / "capi"
    found = [*folder.glob("libonnxruntime.*"), *folder.glob("onnxruntime_pybind11_state*")]
    libraries = [path for path in found if ".so" in path.name or path.suffix in (".dylib", ".pyd", ".dll")]
    for path in libraries:
        library = ctypes.CDLL(str(path))
        if hasattr(library, "OrtGetApiBase"):
            return library
    pytest.skip(f"no library of ONNX Runtime shows OrtGetApiBase (looked at {[path.name for path in libraries]})")


def _register(base: ApiBase) -> int | None:
    library = ctypes.CDLL(str(imgsim_ops.ort_library_path()))
    library.RegisterCustomOps.restype = ctypes.c_void_p
    return library.RegisterCustomOps(ctypes.c_void_p(), ctypes.byref(base))


def test_the_table_is_where_we_think():
    library = _runtime()
    library.OrtGetApiBase.restype = ctypes.POINTER(ApiBase)
    base = library.OrtGetApiBase().contents
    assert ctypes.string_at(base.GetVersionString()).decode() == onnxruntime.__version__
    table = ctypes.cast(base.GetApi(17), ctypes.POINTER(ctypes.c_void_p))
    build_info = ctypes.CFUNCTYPE(ctypes.c_char_p)(table[254])()
    assert b"ORT Build Info" in build_info


VERSION = ctypes.create_string_buffer(b"1.16.3")


def _runtime_without_17(oldest: int) -> ApiBase:
    get_api = ApiBase._fields_[0][1](lambda version: oldest if version < 17 else 0)
    return ApiBase(get_api, ApiBase._fields_[1][1](lambda: ctypes.addressof(VERSION)))


def test_an_older_runtime_is_refused():
    said = []

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
    def create_status(code, message):
        said.append((code, message))
        return 77

    table = (ctypes.c_void_p * 1)(ctypes.cast(create_status, ctypes.c_void_p))
    assert _register(_runtime_without_17(ctypes.addressof(table))) == 77
    assert said == [(2, b"imgsim: ONNX Runtime must be 1.17 or newer (got 1.16.3)")]


def test_a_runtime_without_any_table_does_no_harm():
    assert _register(_runtime_without_17(0)) is None


def test_exports_one_function():
    if shutil.which("nm") is None:
        pytest.skip("there is no nm here")
    external = ["-gU"] if sys.platform == "darwin" else ["-D", "--defined-only"]
    listing = subprocess.run(
        ["nm", *external, imgsim_ops.ort_library_path()], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1].lstrip("_") for line in listing.stdout.splitlines()] == ["RegisterCustomOps"]


def test_library_that_was_not_built(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "LIBRARY_DIR", tmp_path)
    with pytest.raises(ImportError, match="not built; run `pip install -e"):
        imgsim_ops.ort_library_path()


def test_the_path_needs_no_torch():
    code = "import sys, imgsim_ops; imgsim_ops.ort_library_path(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def _maps(seed: int) -> list[torch.Tensor]:
    return [tensor((2, c, 3584 // c, 3584 // c), seed=seed + c) for c in (64, 128, 256, 512)]


def test_the_native_node_runs(tmp_path):
    chosen = options()
    chosen.enable_profiling = True
    chosen.profile_file_prefix = str(tmp_path / "profile")
    runs = onnxruntime.InferenceSession(
        model("MultiscalePool", MAPS, width=512), chosen, providers=["CPUExecutionProvider"]
    )
    runs.run(None, feed([m.numpy() for m in _maps(0)]))
    events = json.loads(Path(runs.end_profiling()).read_text())
    names = {event["args"]["op_name"] for event in events if "op_name" in event.get("args", {})}
    assert names == {"MultiscalePool"}


def test_two_sessions_and_eight_threads():
    pooled = session("MultiscalePool", MAPS, threads=2, width=512)
    ranked = session("CosineTopk", [(np.float32, [None, None])] * 2, threads=2, k=20)
    inputs = [_maps(seed) for seed in range(4)]
    expected = [ops.multiscale_pool(maps, 512) for maps in inputs]
    gallery = tensor((3001, 65), values="mixed")
    best = ops.cosine_topk(gallery[:50], gallery, 20)
    failures = []

    def work(turn: int) -> None:
        try:
            for i in range(8):
                at = (turn + i) % len(inputs)
                assert_same(pooled.run(None, feed([m.numpy() for m in inputs[at]])), expected[at])
                assert_same(ranked.run(None, feed([gallery[:50].numpy(), gallery.numpy()])), best)
        except AssertionError as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(turn,)) for turn in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def test_registered_in_many_sessions():
    """From many threads at once, each dropped before the next, one alive to the end."""
    x = tensor((7, 33))
    kept = session("ReduceMean", [(np.float32, [None, None])], axes=[0])
    answers = []

    def work() -> None:
        answers.extend(run("ReduceMean", x.numpy(), axes=[0])[0] for _ in range(10))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    answers += kept.run(None, feed([x.numpy()]))
    assert len(answers) == 41
    for answer in answers:
        assert_same([answer], ops.reduce_mean(x, [0]))


F = np.float32


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "shape"),
    [
        ("MultiscalePool", [["N", 2, 5, 5]] * 4, {"width": 8}, ["N", 8]),
        ("MultiscalePool", [[3, 2, 5, 5]] * 4, {"width": 8}, [3, 8]),
        ("MultiscalePool", [["N", 2, None, None]] * 4, {"width": 8}, None),
        ("RepeatInterleave", [["N", 4]], {"repeats": 3}, ["N", 12]),
        ("RepeatInterleave", [["N", 4, "M"]], {"repeats": 0, "axis": 1}, ["N", 0, "M"]),
        ("RepeatInterleave", [["N", 4]], {"repeats": 3, "axis": 0}, None),
        ("RepeatInterleave", [[2, 4]], {"repeats": 3, "axis": 5}, None),
        ("ReduceMean", [["N", 4, "M"]], {"axes": [-1]}, ["N", 4]),
        ("ReduceMean", [["N", 4, "M"]], {"axes": [0, 1], "keepdims": 1}, [1, 1, "M"]),
        ("ReduceMean", [["N", 4, "M"]], {}, []),
        ("CosineSimilarity", [["N", 4], [1, 4]], {}, ["N"]),
        ("CosineSimilarity", [["N", 1, "D"], ["M", "D"]], {}, ["N", "M"]),
        ("CosineSimilarity", [["N", 4], ["N", 4]], {"axis": 0}, [4]),
        ("CosineSimilarity", [["N", 4], [7, 4]], {}, [7]),
        ("CosineSimilarity", [["N", 4], ["M", 4]], {}, None),
    ],
)
def test_shapes_are_told_before_the_first_run(op, inputs, attributes, shape):
    made = session(op, [(F, own) for own in inputs], **attributes)
    # Without a shape the Python interface says [].
    assert made.get_outputs()[0].shape == (shape or [])


def test_an_unknown_rank_is_no_scalar():
    made = session("ReduceMean", [(F, None)], axes=[1])
    assert_same(made.run(None, feed([np.ones((2, 3), F)])), ops.reduce_mean(torch.ones(2, 3), [1]))
    made = session("CosineSimilarity", [(F, None), (F, [3])])
    assert made.run(None, feed([np.ones((2, 3), F), np.ones(3, F)]))[0].shape == (2,)
