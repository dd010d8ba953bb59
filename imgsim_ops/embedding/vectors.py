"""Files of vectors: what ``imgsim embed`` writes, for NumPy (``.npz``) and for data frames and databases (Parquet)."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.files.writing import check_writable, temporary_beside

if TYPE_CHECKING:
    from imgsim_ops.embedding.embedder import Embedder
    from imgsim_ops.recipes.fingerprint import Fingerprint

_ROWS = 4096  # of a Parquet row group, and of the pieces that paths are written in


@dataclass(frozen=True)
class EmbedReport:
    """What `embed_files` did.

    Attributes:
        out: The file of vectors.
        files: How many files were looked at.
        pictures: How many vectors were written.
        skipped: The files that have none, in the order given.
        interrupted: Ctrl-C came before the last file; `out` has the vectors up to then and is named accordingly.
        seconds: Wall time, the model's loading not counted.
    """

    out: Path
    files: int
    pictures: int
    skipped: list[SkippedFile] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def pictures_per_second(self) -> float:
        """Vectors written per second of wall time."""
        return self.pictures / self.seconds if self.seconds > 0 else 0.0


def embed_files(
    embedder: Embedder,
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> EmbedReport:
    """Writes the vectors of files into one file, in order.

    ``.npz`` holds ``vectors`` float32 (N, dimension), ``paths`` (N,) as text, and ``fingerprint``. ``.parquet`` has the
    columns ``path`` (text; bytes that are not UTF-8 are escaped), ``path_bytes`` (as the system has them) and
    ``vector`` (a list of fixed length), and the fingerprint as ``imgsim.fingerprint`` in its metadata. Vectors go to
    the disk as they come, so that memory is bounded; the file appears whole or not at all. On Ctrl-C the vectors so far
    are kept as ``NAME.partial.npz``.

    Args:
        embedder: What makes the vectors.
        paths: Files; consumed lazily. One that cannot be read is noted in the report and left out.
        out: The file to write; one of the same name is replaced.
        progress: Called in this thread with the number of files done, after each.

    Raises:
        ImgsimError: See `check_out`.
        OSError: The disk is full, or another reason why the file cannot be written.
    """
    out = Path(out)
    check_out(out)
    start = time.perf_counter()
    skipped: list[SkippedFile] = []
    done = 0
    interrupted = False
    make = _FORMATS[out.suffix]
    with DeferredInterrupt() as interrupt, make(out, embedder.dimension, embedder.fingerprint) as file:
        try:
            with closing(embedder.stream(paths)) as stream:
                while True:
                    with interrupt.welcome():
                        path, vector = next(stream, (None, None))
                    if path is None:
                        break
                    done += 1
                    if isinstance(vector, SkippedFile):
                        skipped.append(vector)
                    else:
                        file.add(path, vector)
                    if progress is not None:
                        progress(done)
        except KeyboardInterrupt:
            interrupted = True
            out = out.with_suffix(f".partial{out.suffix}")
        file.finish(out)
    return EmbedReport(
        out, done, done - len(skipped), skipped, interrupted=interrupted, seconds=time.perf_counter() - start
    )


def check_out(out: Path) -> None:
    """Checks whether vectors can be written into a file of this name, before hours of work are spent on them.

    Raises:
        ImgsimError: Its ending is neither ``.npz`` nor ``.parquet``, Parquet needs a package that is not there, or the
            folder is not there or not writable.
    """
    if out.suffix not in _FORMATS:
        raise ImgsimError(f"embed: the file must end in {' or '.join(_FORMATS)} (got {printable(out)})")
    if out.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise ImgsimError("embed: Parquet needs pip install 'imgsim-ops[parquet]' (got no pyarrow)") from error
    check_writable("embed", out)


class _VectorFile(Protocol):
    def add(self, path: str, vector: np.ndarray) -> None: ...

    def finish(self, out: Path) -> None: ...


@contextmanager
def _npz(out: Path, dimension: int, fingerprint: Fingerprint) -> Iterator[_VectorFile]:
    # In this order, so that a disk that is full when the rows are closed is told of with the name of the file.
    with temporary_beside(out) as temporary, tempfile.TemporaryFile(dir=out.parent) as rows:
        yield _Npz(rows, dimension, fingerprint, temporary)


class _Npz:
    """The number of rows stands in front of them, so they are kept aside until it is known."""

    def __init__(self, rows: IO[bytes], dimension: int, fingerprint: Fingerprint, temporary: Path):
        self._rows, self._dimension, self._fingerprint, self._temporary = rows, dimension, fingerprint, temporary
        self._paths: list[str] = []

    def add(self, path: str, vector: np.ndarray) -> None:
        self._rows.write(np.ascontiguousarray(vector, "<f4"))
        self._paths.append(path)

    def finish(self, out: Path) -> None:
        count = len(self._paths)
        text = np.dtype(f"<U{max(map(len, self._paths), default=1)}")
        self._rows.seek(0)
        with zipfile.ZipFile(self._temporary, "w", allowZip64=True) as archive:
            with _member(archive, "vectors", np.dtype("<f4"), (count, self._dimension)) as member:
                shutil.copyfileobj(self._rows, member, 1 << 20)
            with _member(archive, "paths", text, (count,)) as member:
                for first in range(0, count, _ROWS):
                    member.write(np.array(self._paths[first : first + _ROWS], text))
            with _member(archive, "fingerprint", np.dtype(f"<U{len(str(self._fingerprint))}"), ()) as member:
                member.write(np.array(str(self._fingerprint)))
        os.replace(self._temporary, out)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: Sequence[int]) -> Iterator:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_2_0(member, header)
        yield member


@contextmanager
def _parquet(out: Path, dimension: int, fingerprint: Fingerprint) -> Iterator[_VectorFile]:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [
            ("path", pyarrow.string()),
            ("path_bytes", pyarrow.binary()),
            ("vector", pyarrow.list_(pyarrow.float32(), dimension)),
        ],
        {"imgsim.fingerprint": str(fingerprint)},
    )
    with (
        temporary_beside(out) as temporary,
        open(temporary, "xb") as sink,  # because Parquet's own opening takes no names that are not UTF-8
        parquet.ParquetWriter(sink, schema) as writer,
    ):
        yield _Parquet(writer, schema, sink)


class _Parquet:
    def __init__(self, writer, schema, sink: BinaryIO):
        self._writer, self._schema, self._sink = writer, schema, sink
        self._paths: list[str] = []
        self._vectors: list[np.ndarray] = []

    def add(self, path: str, vector: np.ndarray) -> None:
        self._paths.append(path)
        self._vectors.append(vector)
        if len(self._paths) == _ROWS:
            self._write()

    def finish(self, out: Path) -> None:
        if self._paths:
            self._write()
        self._writer.close()
        self._sink.close()
        os.replace(self._sink.name, out)

    def _write(self) -> None:
        import pyarrow

        values = pyarrow.array(np.concatenate(self._vectors))
        columns = [
            pyarrow.array([printable(path) for path in self._paths]),
            pyarrow.array([os.fsencode(path) for path in self._paths]),
            pyarrow.FixedSizeListArray.from_arrays(values, type=self._schema.field("vector").type),
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=self._schema))
        self._paths, self._vectors = [], []


_FORMATS = {".npz": _npz, ".parquet": _parquet}
