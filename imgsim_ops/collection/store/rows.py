"""Files of vectors: adjacent float16 rows and nothing else, grown at the end, mapped for reading.

How many rows count, and how wide they are, is the database's to say: what stands behind the last of them was left by a
process that died before it could commit, and the next append overwrites it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.syncing import sync_folder

_TYPE = np.dtype("<f2")
#: Rows that are read or computed together where all are gone through; some tens of megabytes.
BLOCK = 4096


def append_rows(path: Path, rows: np.ndarray, at: int) -> None:
    """Writes rows behind the first `at` ones and waits until the disk has them.

    Args:
        path: The file; made where it is missing.
        rows: (N, width) array.
        at: Rows that stand there already, all of the same width. What is behind them is cut off.

    Raises:
        ImgsimError: There are fewer than `at`.
        OSError: The disk is full or refuses. The first `at` rows stay as they are.
    """
    rows = np.ascontiguousarray(rows, _TYPE)
    start = at * rows.shape[1] * _TYPE.itemsize
    flags = os.O_RDWR | (0 if at else os.O_CREAT)
    with _named_errors(path), open(os.open(path, flags, 0o666), "r+b", buffering=0) as file:
        _require_rows(path, os.fstat(file.fileno()).st_size, at, rows.shape[1])
        file.truncate(start)
        file.seek(start)
        content = memoryview(rows).cast("B") if rows.size else b""
        while content:  # a nearly full disk takes a part, and says why at the next try
            content = content[file.write(content) :]
        os.fsync(file.fileno())
        if not at:
            sync_folder(path.parent)


def write_rows(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Writes a new file of rows, block by block, and waits until the disk has it under its name.

    Raises:
        OSError: The disk is full or refuses.
    """
    with _named_errors(path), open(path, "wb") as file:
        for rows in blocks:
            file.write(np.ascontiguousarray(rows, _TYPE))
        file.flush()
        os.fsync(file.fileno())
        sync_folder(path.parent)


def mapped_rows(path: Path, count: int, width: int) -> np.ndarray:
    """The first `count` rows, float16 (count, width), read from the disk as they are used.

    Raises:
        ImgsimError: The file is missing or has fewer.
    """
    if not count:
        return np.empty((0, width), _TYPE)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = 0
    _require_rows(path, size, count, width)
    return np.memmap(path, _TYPE, "r", shape=(count, width))


def _require_rows(path: Path, size: int, count: int, width: int) -> None:
    if size < count * width * _TYPE.itemsize:
        found = size // (width * _TYPE.itemsize)
        raise ImgsimError(f"collection: {printable(path)} must have {count} rows (got {found})")


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Writing to an open file fails without saying to which."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def blocks_of(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of an array of rows, in order."""
    for first in range(0, len(rows), BLOCK):
        yield rows[first : first + BLOCK]
