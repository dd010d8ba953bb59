"""Files that ``torch.save`` writes, as NumPy arrays, without PyTorch: tensors and nothing else.

Two formats: a ZIP archive (since PyTorch 1.6), and pickles with the values behind them. A file cannot run or call
anything: its pickle is not given to Python's unpickler but interpreted here, by the opcodes that tensors need in the
protocol 2, the one that ``torch.load`` reads too with ``weights_only=True``. Values stay mapped in the file; no more is
ever allocated than a small multiple of its size.
"""

from __future__ import annotations

import mmap
import os
import pickletools
import struct
import zipfile
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np

#: What `read_tensors` raises for a file that is damaged, foreign or hostile.
BROKEN = (
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    struct.error,
    zipfile.BadZipFile,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MOST_DIMENSIONS = 8
# bfloat16 has no type in NumPy: the upper halves of float32.
_BFLOAT16 = "bfloat16"
_STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"


@dataclass(frozen=True)
class _Name:
    """What a pickle names: a string, never the thing."""

    text: str


@dataclass(frozen=True)
class _Storage:
    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: str | os.PathLike[str]) -> object:
    """What ``torch.save`` wrote: dictionaries, lists and tuples of numbers, strings and tensors.

    Args:
        path: A file.

    Returns:
        The same with arrays for the tensors, read-only, in the file's byte order, mapped from the file; bfloat16 as
        float32.

    Raises:
        ValueError and the others of `BROKEN`: It is none, is damaged, or holds anything else.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[:2] == b"PK":
            with zipfile.ZipFile(file) as archive:
                found, storages, order = _archive(data, archive)
        else:
            found, storages, order = _pickles(data)
    if sum(end - start for start, end in storages.values()) > len(data):
        raise ValueError("storages overlap")
    values: dict[_Storage, np.ndarray] = {}
    return _resolved(found, lambda tensor: _array(tensor, data, storages, order, values))


Places = dict[str, tuple[int, int]]


def _archive(data: mmap.mmap, archive: zipfile.ZipFile) -> tuple[object, Places, str]:
    members = {}
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError("an entry is compressed")
        signature, name, extra = struct.unpack_from("<4s22xHH", data, info.header_offset)
        start = info.header_offset + 30 + name + extra
        if signature != b"PK\x03\x04" or start + info.file_size > len(data):
            raise ValueError("an entry lies outside the file")
        members[info.filename.partition("/")[2]] = start, start + info.file_size
    start, end = members["data.pkl"]
    order = "little"
    if "byteorder" in members:
        order = data[slice(*members["byteorder"])].decode("ascii")
    data.seek(start)
    found = _load(data, {})
    if data.tell() > end:
        raise ValueError("the pickle is longer than its entry")
    places = {name.removeprefix("data/"): place for name, place in members.items() if name.startswith("data/")}
    return found, places, {"little": "<", "big": ">"}[order]


def _pickles(data: mmap.mmap) -> tuple[object, Places, str]:
    if _load(data, {}) != _MAGIC or _load(data, {}) != _PROTOCOL:
        raise ValueError("not written by torch.save")
    system: Any = _load(data, {})
    order = "<" if system["little_endian"] else ">"
    storages: dict[str, _Storage] = {}
    found = _load(data, storages)
    places: Places = {}
    keys: Any = _load(data, {})
    for key in keys:
        kind = storages[_expect(key, str)].kind
        (count,) = struct.unpack(order + "q", data.read(8))
        start = data.tell()
        end = start + count * _width(kind)
        if count < 0 or end > len(data) or key in places:
            raise ValueError("a storage lies outside the file")
        places[key] = start, end
        data.seek(end)
    return found, places, order


def _width(kind: str) -> int:
    return 2 if kind == _BFLOAT16 else np.dtype(kind).itemsize


def _array(
    tensor: _Tensor, data: mmap.mmap, places: Places, order: str, values: dict[_Storage, np.ndarray]
) -> np.ndarray:
    storage = tensor.storage
    if storage not in values:
        start, end = places[storage.key]
        if storage.count * _width(storage.kind) > end - start:
            raise ValueError("a storage is shorter than it says")
        if storage.kind == _BFLOAT16:
            halves = np.frombuffer(data, order + "u2", storage.count, start).astype(np.uint32)
            values[storage] = (halves << 16).view(np.float32)
        else:
            values[storage] = np.frombuffer(data, order + storage.kind, storage.count, start)
    flat = values[storage]
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape:
        return np.empty(tensor.shape, flat.dtype)
    if last >= len(flat):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * flat.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)


def _resolved(found: object, array: Any) -> object:
    if isinstance(found, _Tensor):
        return array(found)
    if isinstance(found, dict):
        return {key: array(value) if isinstance(value, _Tensor) else value for key, value in found.items()}
    return found


def _load(data: mmap.mmap, storages: dict[str, _Storage]) -> object:
    """Interprets the pickle at the file's position, which is behind it afterwards.

    Args:
        data: The file.
        storages: Takes up the storages that the pickle refers to.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, argument, _ in pickletools.genops(cast(IO[bytes], data)):
        name, given = opcode.name, argument
        if name == "PROTO":
            pass
        elif name == "STOP":
            (found,) = stack
            return found
        elif name == "MARK":
            marks.append(len(stack))
        elif name in _PLAIN:
            stack.append(given)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[given] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[given])
        elif name == "GLOBAL":
            stack.append(_Name(given))
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(items[::-1]))
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            _expect(stack[-1], list).extend(_kept(item) for item in items)
        elif name in ("SETITEM", "SETITEMS"):
            items = since_mark() if name == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
            target = _expect(stack[-1], dict)
            for key, value in zip(items[::2], items[1::2], strict=True):
                # Nested tuples would be hashed for ever.
                target[_expect(key, (str, int))] = _kept(value)
        elif name == "BINPERSID":
            storage = _storage(stack.pop())
            # Two sizes of one storage could each be converted, again and again.
            if storages.setdefault(storage.key, storage) != storage:
                raise ValueError("a storage has two forms")
            stack.append(storage)
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_made(_expect(function, _Name).text, _expect(arguments, tuple)))
        elif name == "BUILD":  # a state dict's attribute: its modules' version numbers, which these values do not need
            stack.pop()
            _expect(stack[-1], dict)
        else:
            raise ValueError(f"no tensor needs {name}")
    raise ValueError("the pickle has no end")


_PLAIN = ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_CONSTANTS: dict[str, Any] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _made(function: str, arguments: tuple[Any, ...]) -> object:
    if function == _DICT and not arguments:
        return {}
    if function == _PARAMETER:
        return _expect(arguments[0], _Tensor)
    if function != _TENSOR:
        raise ValueError(f"tensors do not need {function[:80]!r}")
    storage, offset, shape, strides = arguments[:4]
    shape, strides = _expect(shape, tuple), _expect(strides, tuple)
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("a tensor has too many dimensions")
    if any(_expect(number, int) < 0 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor has a negative size")
    return _Tensor(_expect(storage, _Storage), offset, shape, strides)


def _storage(identity: object) -> _Storage:
    word, kind, key, _, count, *view = _expect(identity, tuple)
    if word != "storage" or _expect(count, int) < 0 or any(part is not None for part in view):
        raise ValueError("a storage is of an unknown form")
    module, _, name = _expect(kind, _Name).text.partition(" ")
    if module != "torch":
        raise ValueError("a storage is of an unknown form")
    return _Storage(_STORAGES[name], _expect(key, str), count)


def _kept(value: object) -> object:
    if isinstance(value, (_Name, _Storage)):
        raise ValueError("something else than tensors")
    return value


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} stands in the wrong place")
    return value
