"""Files of tensors read without PyTorch, against PyTorch's reader; hostile, cut and changed ones."""

import collections
import pickle
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.states import digest_of_values, state_of_file
from imgsim_ops.models.tensor_files import BROKEN, read_tensors
from imgsim_ops.models.weights import load_backbone, weights_digest
from tests.support.tries import tries

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
)
formats = pytest.mark.parametrize("archive", [True, False], ids=["archive", "legacy"])


def values():
    base = torch.arange(60).reshape(3, 4, 5)
    made = {str(dtype): base.to(dtype) for dtype in DTYPES}
    return {
        **made,
        "transposed": base.float().permute(2, 0, 1),
        "shared": made["torch.float32"][1:, ::2],
        "expanded": torch.ones(1).expand(4, 3),
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


def saved(path, content, archive):
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    return path


@formats
def test_as_pytorch_reads_it(tmp_path, archive):
    path = saved(tmp_path / "values.pth", values(), archive)
    found = read_tensors(path)
    for key, value in torch.load(path, weights_only=True).items():
        expected = (value.float() if value.dtype == torch.bfloat16 else value).detach().numpy()
        assert found[key].dtype == expected.dtype
        assert np.array_equal(found[key], expected)
        assert found[key].shape == expected.shape


@formats
def test_state_dict_of_modules(tmp_path, archive):
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).state_dict()
    found = read_tensors(saved(tmp_path / "state.pth", state, archive))
    assert list(found) == list(state)
    assert all(np.array_equal(found[key], state[key].numpy()) for key in state)


def test_big_endian_archive(tmp_path):
    """The archive of such a machine: its values' bytes the other way round, and the word for it."""
    given, path = saved(tmp_path / "little.pth", {"x": torch.arange(5.0)}, True), tmp_path / "big.pth"
    with zipfile.ZipFile(given) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith("/byteorder"):
                content = b"big"
            if "/data/" in info.filename:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            target.writestr(info.filename, content)
    assert np.array_equal(read_tensors(path)["x"], np.arange(5))


@pytest.mark.parametrize("name", PLANS)
@formats
def test_backbones_digest_is_that_of_the_module(tmp_path, name, archive):
    """So is the plan's list of values, which is all that a digest covers; and halves become float32."""
    backbone = load_backbone(name, "random:3")
    state = state_of_file(name, saved(tmp_path / "state.pth", backbone.state_dict(), archive))
    assert digest_of_values(state) == weights_digest(backbone)
    halves = {key: value.half() for key, value in backbone.state_dict().items()}
    assert {value.dtype for value in state_of_file(name, saved(tmp_path / "h.pth", halves, archive)).values()} == {
        np.dtype(np.float32)
    }


class _Calls:
    """Unpickled by Python, this runs what it names."""

    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


HOSTILE = {
    "a call": _Calls(pytest.fail, "a file was run"),
    "eval": _Calls(eval, "1 / 0"),
    "a filled dictionary": collections.OrderedDict(a=_Calls(print, "x")),
    "a class": torch.nn.Linear,
    "a module": torch.nn.Linear(2, 2),
    "bytes": b"x",
    "a set": {1},
    "a type of numbers": torch.float32,
    "a sparse tensor": torch.eye(3).to_sparse(),
    "complex": torch.ones(2, dtype=torch.complex64),
    "a tuple as a key": {(1, 2): torch.ones(1)},
}


@formats
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_anything_else_is_refused(tmp_path, archive, content):
    path = saved(tmp_path / "hostile.pth", {"x": torch.ones(2), "y": content}, archive)
    with pytest.raises(BROKEN):
        read_tensors(path)


def legacy(path, *, shape=(2,), strides=(1,), offset=0, count=2, written=2, data=bytes(8)):
    """A legacy file by hand, which may lie about its tensor."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if thing is torch.FloatStorage:
                return None
            return ("storage", torch.FloatStorage, "0", "cpu", count, None) if isinstance(thing, _Place) else None

    made = _Calls(torch._utils._rebuild_tensor_v2, _Place(), offset, shape, strides, False, collections.OrderedDict())
    with open(path, "wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(head, file, 2)
        Pickler(file, 2).dump({"x": made})
        pickle.dump(["0"], file, 2)
        file.write(written.to_bytes(8, "little", signed=True) + data)
    return path


class _Place:
    pass


def test_a_file_by_hand_that_tells_the_truth(tmp_path):
    data = np.array([3, 4], np.float32).tobytes()
    assert read_tensors(legacy(tmp_path / "true.pth", data=data))["x"].tolist() == [3, 4]


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": (3,)},
        {"strides": (2,)},
        {"offset": 1},
        {"offset": -1},
        {"strides": (-1,)},
        {"shape": (-1,)},
        {"shape": (2, 2)},
        {"shape": (1,) * 9, "strides": (1,) * 9},
        {"shape": (2**62, 2**62), "strides": (0, 0)},
        {"shape": (2**70,), "strides": (0,)},
        {"count": 3},
        {"count": -1},
        {"count": 2**62},
        {"count": 2**62, "written": 2**62},
        {"written": -1},
        {"written": 3},
        {"data": bytes(7)},
        {"shape": ("2",)},
        {"offset": None},
    ],
    ids=str,
)
def test_lies_about_sizes(tmp_path, lie):
    with pytest.raises(BROKEN):
        read_tensors(legacy(tmp_path / "lie.pth", **lie))


@formats
def test_cut_files(tmp_path, archive):
    whole = saved(tmp_path / "whole.pth", values(), archive).read_bytes()
    path = tmp_path / "cut.pth"
    for end in (*range(0, len(whole) - 1, 37), len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(BROKEN):
            read_tensors(path)


@formats
@settings(max_examples=tries(300), deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_are_told_or_read(tmp_path_factory, archive, changes):
    folder = tmp_path_factory.mktemp("changed")
    content = bytearray(saved(folder / "whole.pth", values(), archive).read_bytes())
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path = folder / "changed.pth"
    path.write_bytes(content)
    try:
        found = read_tensors(path)
    except BROKEN:
        return
    arrays = [value for value in found.values() if isinstance(value, np.ndarray)] if isinstance(found, dict) else []
    for value in arrays:
        if value.size < 10**6:  # views with a stride of 0 may be larger, and cost nothing
            value.copy()
