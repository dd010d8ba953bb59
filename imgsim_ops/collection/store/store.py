"""A collection on disk: a folder with a database of what there is, and files of vectors.

::

    photos.imgsim/
      index.sqlite       which files there are, what is in them, which row is whose, and the facts below
      raw-1.f16          all that the model says of each content, so that a recipe can change without decoding
      vectors-1.f16      what is searched: the recipe's vectors, made from the raw ones
      writer.lock        held by the one process that may write

Files with the same bytes share a row. Rows are only ever added. They are on the disk before the transaction that makes
them count, so a process that dies at any moment leaves a whole collection without its last batch. A file of vectors
that must change as a whole gets a new number, and the database says which number counts.
"""

from __future__ import annotations

import errno
import operator
import os
import secrets
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgsim_ops.collection.findings import Picture
from imgsim_ops.collection.store.lock import WriterLock
from imgsim_ops.collection.store.rows import BLOCK, append_rows, blocks_of, mapped_rows, sync_folder, write_rows
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.matching.hashes import BYTES
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import RECIPES, Recipe
from imgsim_ops.recipes.whitening import Whitening

if TYPE_CHECKING:
    from imgsim_ops.embedding.description import Description

FORMAT = 1
DATABASE = "index.sqlite"

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE contents (
  row INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  format TEXT NOT NULL,
  perceptual BLOB NOT NULL,
  checksum INTEGER NOT NULL
);
CREATE TABLE files (
  path BLOB PRIMARY KEY,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  row INTEGER,
  code TEXT,
  message TEXT
) WITHOUT ROWID;
CREATE INDEX files_of_row ON files (row);
"""


class FileRecord(NamedTuple):
    """What is known of one file; a tuple, of which there may be a million at once.

    Attributes:
        path: As the system has it, in bytes.
        size: In bytes.
        modified: Time of the last change, in nanoseconds.
        settled: Whether size and time tell if it has changed; not where it was written just before it was read, as
            another change in the same tick of the clock would look the same.
        row: Of its content; None for a file that is no picture.
        code: Why it is none, a code of ``files.reasons.Reason``.
        message: The line that says more.
    """

    path: bytes
    size: int
    modified: int
    settled: bool
    row: int | None
    code: str | None = None
    message: str | None = None


class Store:
    """An open collection, used as a context; see the module.

    Attributes:
        path: The folder.
        fingerprint: What made the raw vectors; says nothing of a recipe.
        weights: Where the weights came from, as given when the collection was made.
        recipe: What makes the searched vectors of the raw ones.
        whitening: What the recipe was fitted to, or None.
        fitted_on: How many contents that was.
        rows: How many contents have vectors.
        raw_width: Values of a raw vector.
        width: Values of a searched vector.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriterLock | None) -> None:
        """For `create` and `open`."""
        self.path = path
        self._connection = connection
        self._lock = lock
        self._mapped: tuple[Path, np.ndarray] | None = None
        self._read_facts()
        if lock is not None:
            self._sweep()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        fingerprint: Fingerprint,
        recipe: Recipe,
        raw_width: int,
        weights: str | None = None,
    ) -> Store:
        """Makes an empty collection and opens it for writing.

        Raises:
            ImgsimError: Something of that name is there already.
            OSError: The place cannot be written.
        """
        path = Path(os.path.abspath(path))
        taken = ImgsimError(f"collection: there must be nothing of this name yet (got {printable(path)})")
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir() or any(path.iterdir())):
            raise taken
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        unfinished.mkdir(parents=True)
        try:
            facts = {
                "fingerprint": str(fingerprint),
                "recipe": recipe.name,
                "whitening": None,
                "fitted_on": 0,
                "weights": weights,
                "rows": 0,
                "raw_width": raw_width,
                "width": _width(recipe, None, raw_width),
                "raw_number": 1,
                "vectors_number": 1,
            }
            with _database_errors(path), closing(_connect(unfinished / DATABASE, "rwc")) as connection:
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT};")
                connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
                connection.execute("COMMIT")
            try:
                os.replace(unfinished, path)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # another process was quicker
                    raise taken from error
                raise
            sync_folder(path.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return cls.open(path, write=True)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        write: bool = False,
        wait: bool = False,
        announce: Callable[[str], None] = lambda line: None,
    ) -> Store:
        """Opens a collection.

        Args:
            path: The folder.
            write: For `commit` and the other methods that change something: one process at a time. Without, nothing is
                written, and any number of processes may read, also while another writes.
            wait: As in `WriterLock`.
            announce: Likewise.

        Raises:
            ImgsimError: It is no collection, or one by a newer version, or damaged, or another process writes to it.
            OSError: It cannot be read, or not be written.
        """
        path = Path(os.path.abspath(path))
        if not (path / DATABASE).is_file():
            raise ImgsimError(f"collection: must be a folder that imgsim index made (got {printable(path)})")
        lock = WriterLock(path, wait, announce) if write else None
        connection = None
        try:
            with _database_errors(path):
                connection = _connect(path / DATABASE, "rw")
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found != FORMAT:
                    newer = "; a newer imgsim made it" if found > FORMAT else ""
                    raise ImgsimError(f"collection: format must be {FORMAT} (got {found} in {printable(path)}{newer})")
                if not write:
                    connection.execute("PRAGMA query_only = 1")
                return cls(path, connection, lock)
        except BaseException:
            if connection is not None:
                connection.close()
            if lock is not None:
                lock.release()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes it; arrays that it gave away stay readable."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # --- reading -----------------------------------------------------------------------------------------------------

    @property
    def views(self) -> int:
        """Rows in `vectors` for each content."""
        return self.recipe.views

    @property
    def vectors_file(self) -> Path:
        """Where the searched vectors are. In a file of one name rows are only ever added; others get another name."""
        return self._vectors_file(self._vectors_number)

    def raw(self) -> np.ndarray:
        """The raw vectors, float16 (rows, raw_width), mapped."""
        try:
            return mapped_rows(self._raw_file(self._raw_number), self.rows, self.raw_width)
        except ImgsimError:
            with self._reading():  # which has the better words for an older numbering
                raise

    def vectors(self) -> np.ndarray:
        """The searched vectors, float16 (rows * views, width), mapped; those of one content lie beside each other.

        Where another process has changed the recipe since, they are by the new one, as `recipe`, `whitening` and
        `width` say after this call.

        As long as they are the same the same mapping is given away: the first look at each page of a new one costs.
        """
        while True:
            file, shape = self.vectors_file, (self.rows * self.views, self.width)
            if self._mapped is not None and (self._mapped[0], self._mapped[1].shape) == (file, shape):
                return self._mapped[1]
            try:
                self._mapped = file, mapped_rows(file, *shape)
            except ImgsimError:
                number, rows = self._vectors_number, self.rows
                with self._reading():
                    self._read_facts()
                self.rows = rows  # as all else that was asked for has so many
                if self._vectors_number == number:
                    raise

    def hashes(self) -> np.ndarray:
        """The perceptual hashes, uint8 (rows, 32)."""
        with self._reading() as connection:
            found = connection.execute("SELECT perceptual FROM contents WHERE row < ? ORDER BY row", (self.rows,))
            content = b"".join(value for (value,) in found)
        if len(content) != self.rows * BYTES:
            raise ImgsimError(
                f"collection: {DATABASE} must have {self.rows} perceptual hashes (got {len(content) // BYTES} in "
                f"{printable(self.path)})"
            )
        return np.frombuffer(content, np.uint8).reshape(self.rows, BYTES)

    def check_made_by(self, fingerprint: Fingerprint) -> None:
        """Makes sure that vectors with a fingerprint may be compared with those here.

        Raises:
            ImgsimError: They may not.
        """
        if fingerprint != self.fingerprint:
            raise ImgsimError(
                f"collection: vectors must be made by {self.fingerprint} (got {fingerprint}); "
                "another backbone, weights or precision needs a collection of its own"
            )

    def longer_sides(self) -> np.ndarray:
        """The longer side of each content in pixels, int32 (rows,); 0 for a row that no content has any more."""
        found = np.zeros(self.rows, np.int32)
        with self._reading() as connection:
            query = "SELECT row, max(width, height) FROM contents WHERE row < ?"
            for row, side in connection.execute(query, (self.rows,)):
                found[row] = side
        return found

    def live(self) -> np.ndarray:
        """Which rows belong to a file, bool (rows,)."""
        found = np.zeros(self.rows, bool)
        with self._reading() as connection:
            query = "SELECT DISTINCT row FROM files WHERE row < ?"
            found[[row for (row,) in connection.execute(query, (self.rows,))]] = True
        return found

    def pictures_of(self, row: int) -> list[Picture]:
        """The files with the content of a row, sorted by path; none where all are gone."""
        return self.pictures_of_rows([row])[row]

    def pictures_of_rows(self, rows: Iterable[int]) -> dict[int, list[Picture]]:
        """`pictures_of`, of several rows."""
        query = f"{_PICTURES} WHERE files.row = ? ORDER BY path"
        with self._reading() as connection:
            return {row: [_picture(values) for _, *values in connection.execute(query, (row,))] for row in rows}

    def formats(self) -> dict[str, tuple[int, int]]:
        """How many pictures (files) there are of each format, and their bytes; the most first."""
        query = """SELECT format, count(*), sum(size) FROM files JOIN contents ON contents.row = files.row
            GROUP BY format ORDER BY count(*) DESC, format"""
        with self._reading() as connection:
            return {kind: (number, size) for kind, number, size in connection.execute(query)}

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """All pictures by row, then path, each with its row."""
        query = f"{_PICTURES} WHERE files.row >= ? AND files.row < ? ORDER BY files.row, path"
        for first in range(0, self.rows, BLOCK):  # a writer must not wait until somebody has seen all
            with self._reading() as connection:
                found = connection.execute(query, (first, min(first + BLOCK, self.rows))).fetchall()
            for row, *values in found:
                yield row, _picture(values)

    def files(self) -> dict[bytes, FileRecord]:
        """All files by path, pictures or not."""
        with self._reading() as connection:
            found = connection.execute("SELECT path, size, modified, settled, row, code, message FROM files")
            return {values[0]: FileRecord._make(values) for values in found}

    def row_of(self, sha256: bytes) -> int | None:
        """The row of a content."""
        with self._reading() as connection:
            found = connection.execute("SELECT row FROM contents WHERE sha256 = ?", (sha256,)).fetchone()
            return found[0] if found else None

    def shared_rows(self) -> list[int]:
        """The rows whose content several files have."""
        query = "SELECT row FROM files WHERE row < ? GROUP BY row HAVING count(*) > 1 ORDER BY row"
        with self._reading() as connection:
            return [row for (row,) in connection.execute(query, (self.rows,))]

    def rows_shared_with(self, other: Store) -> Iterator[tuple[int, int]]:
        """The rows of contents that another collection has too, with its rows; only those that files have in both."""
        here, there = self.live(), other.live()
        with self._reading() as connection:
            contents = connection.execute("SELECT row, sha256 FROM contents WHERE row < ?", (self.rows,)).fetchall()
        for row, sha256 in contents:
            found = other.row_of(sha256) if here[row] else None
            if found is not None and found < len(there) and there[found]:
                yield row, found

    def counts(self) -> dict[str, int]:
        """Numbers of `pictures` (files), `contents`, `orphans` (contents without files) and `unreadable` files."""
        # Every row of a file is one of a content, or `problems` says so; asking for each of them takes seconds.
        orphans = "SELECT (SELECT count(*) FROM contents) - (SELECT count(DISTINCT row) FROM files)"
        queries = {
            "pictures": "SELECT count(*) FROM files WHERE row IS NOT NULL",
            "contents": "SELECT count(*) FROM contents",
            "orphans": orphans,
            "unreadable": "SELECT count(*) FROM files WHERE row IS NULL",
        }
        with self._reading() as connection:
            return {name: connection.execute(query).fetchone()[0] for name, query in queries.items()}

    def problems(self) -> Iterator[str]:
        """Goes through all there is; yields a line for each thing that is not as it was written."""
        try:
            with _database_errors(self.path):
                lines = self._connection.execute("PRAGMA integrity_check").fetchall()
            yield from (f"{DATABASE}: {line}" for (line,) in lines if line != "ok")
            with self._reading() as connection:
                (contents,) = connection.execute("SELECT count(*) FROM contents WHERE row < ?", (self.rows,)).fetchone()
                (lost,) = connection.execute(
                    "SELECT count(*) FROM files WHERE row IS NOT NULL AND row NOT IN (SELECT row FROM contents)"
                ).fetchone()
            if contents != self.rows:
                yield f"{DATABASE}: every row must have a content (got {contents} contents and {self.rows} rows)"
            if lost:
                yield f"{DATABASE}: every picture must have a content (got {lost} without)"
            raw, vectors = self.raw(), self.vectors()
            for first in range(0, self.rows, BLOCK):
                yield from self._problems_of(first, raw[first : first + BLOCK], vectors)
        except ImgsimError as error:
            yield str(error)

    def _problems_of(self, first: int, raw: np.ndarray, vectors: np.ndarray) -> Iterator[str]:
        """Those of a block of rows."""
        stop = first + len(raw)
        bad = np.zeros(len(raw), bool)
        with self._reading() as connection:
            query = "SELECT row, sha256, width, height, format, perceptual, checksum FROM contents"
            found = connection.execute(f"{query} WHERE row >= ? AND row < ?", (first, stop)).fetchall()
        for row, *facts, checksum in found:
            bad[row - first] = _checksum(facts, raw[row - first]) != checksum
        for row in np.flatnonzero(bad):
            name = self._raw_file(self._raw_number).name
            yield f"row {first + row}: {name}, and what {DATABASE} says of it, must be as they were written"
        expected = self.recipe.vectors(raw, self.whitening).astype(np.float32)
        searched = vectors[first * self.views : stop * self.views].astype(np.float32)
        # Other numbers of rows at a time may round the last bit of float16 another way: 1/1024 of at most 1.
        wrong = ~(np.abs(expected - searched) <= 2e-3).all(1)
        for row in np.unique(np.flatnonzero(wrong) // self.views):
            if not bad[row]:
                name = self._vectors_file(self._vectors_number).name
                yield f"row {first + row}: {name} must follow from the raw vector"

    # --- writing -----------------------------------------------------------------------------------------------------

    def require_writing(self) -> None:
        """Makes sure that it is open for writing.

        Raises:
            ImgsimError: It is open for reading.
        """
        if self._lock is None:
            raise ImgsimError(f"collection: must be open for writing (got {printable(self.path)} open for reading)")

    def commit(
        self,
        contents: Sequence[tuple[bytes, Description]] = (),
        files: Iterable[FileRecord] = (),
        dropped: Iterable[bytes] = (),
    ) -> None:
        """Adds contents and files and drops others: all of it or, if anything fails, nothing.

        Args:
            contents: New ones, each by the SHA-256 of its bytes; they get the rows from `rows` on.
            files: Take the place of what was known of these paths.
            dropped: Paths to forget. Their contents keep their rows until `compact`, in case they come back.

        Raises:
            OSError: The disk is full or refuses.
        """
        raw = np.array([description.raw for _, description in contents], "<f2").reshape(-1, self.raw_width)
        with self._transaction() as connection:
            if len(raw):
                append_rows(self._raw_file(self._raw_number), raw, self.rows)
                vectors = self.recipe.vectors(raw, self.whitening)
                append_rows(self._vectors_file(self._vectors_number), vectors, self.rows * self.views)
            facts = [(s, d.width, d.height, d.format, d.perceptual.tobytes()) for s, d in contents]
            connection.executemany(
                "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((self.rows + i, *of_one, _checksum(of_one, raw[i])) for i, of_one in enumerate(facts)),
            )
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", files)
            connection.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in dropped))
            self._set_facts(rows=self.rows + len(raw))

    def change_recipe(self, recipe: Recipe, whitening: Whitening | None = None, fitted_on: int = 0) -> None:
        """Makes the searched vectors anew by another recipe or whitening, from the raw ones.

        Raises:
            OSError: The disk is full or refuses. The collection is as before.
        """
        with self._replacing():
            number = self._vectors_number + 1
            vectors = (recipe.vectors(block, whitening) for block in blocks_of(self.raw()))
            write_rows(self._vectors_file(number), vectors)
            with self._transaction():
                self._set_facts(
                    recipe=recipe.name,
                    whitening=None if whitening is None else whitening.to_bytes(),
                    fitted_on=fitted_on,
                    width=_width(recipe, whitening, self.raw_width),
                    vectors_number=number,
                )

    def compact(self) -> int:
        """Gives back the room of contents whose files are all gone; returns how many there were.

        Raises:
            OSError: The disk is full or refuses. The collection is whole: as before, or with the database's own free
                room still in it.
        """
        self.require_writing()
        kept = np.flatnonzero(self.live())
        gone = self.rows - len(kept)
        if gone:
            with self._replacing():
                self._keep(kept)
        with _database_errors(self.path):
            self._connection.execute("VACUUM")
        return gone

    def _keep(self, kept: np.ndarray) -> None:
        """Leaves out all rows but some, which move up."""
        raw, vectors = self.raw(), self.vectors().reshape(self.rows, self.views * self.width)
        raw_number, vectors_number = self._raw_number + 1, self._vectors_number + 1
        write_rows(self._raw_file(raw_number), (raw[rows] for rows in blocks_of(kept)))
        write_rows(self._vectors_file(vectors_number), (vectors[rows] for rows in blocks_of(kept)))
        # Rising numbers that never rise above what they were meet no row that is still to move.
        moved = [(new, int(old)) for new, old in enumerate(kept) if new != old]
        with self._transaction() as connection:
            connection.execute("DELETE FROM contents WHERE row NOT IN (SELECT row FROM files WHERE row IS NOT NULL)")
            connection.executemany("UPDATE contents SET row = ? WHERE row = ?", moved)
            connection.executemany("UPDATE files SET row = ? WHERE row = ?", moved)
            self._set_facts(rows=len(kept), raw_number=raw_number, vectors_number=vectors_number)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _raw_file(self, number: int) -> Path:
        return self.path / f"raw-{number}.f16"

    def _vectors_file(self, number: int) -> Path:
        return self.path / f"vectors-{number}.f16"

    def _read_facts(self) -> None:
        with _database_errors(self.path):
            facts = dict(self._connection.execute("SELECT name, value FROM facts"))
        try:
            self.fingerprint = Fingerprint.parse(facts["fingerprint"])
            self.weights = facts["weights"]
            self.recipe = RECIPES[facts["recipe"]]
            self.whitening = None if facts["whitening"] is None else Whitening.from_bytes(facts["whitening"])
            self.fitted_on, self.rows = facts["fitted_on"], facts["rows"]
            self.raw_width, self.width = facts["raw_width"], facts["width"]
            self._raw_number, self._vectors_number = facts["raw_number"], facts["vectors_number"]
            for name in ("fitted_on", "rows", "raw_width", "width", "raw_number", "vectors_number"):
                operator.index(facts[name])  # raises TypeError for what is no number
        except (KeyError, TypeError, ImgsimError) as error:
            raise ImgsimError(
                f"collection: {DATABASE} must be sound (got {error} in {printable(self.path)})"
            ) from error

    def _set_facts(self, **facts: object) -> None:
        """Inside a transaction, after which `_read_facts` runs."""
        self._connection.executemany("UPDATE facts SET value = ? WHERE name = ?", ((v, n) for n, v in facts.items()))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.require_writing()
        with _database_errors(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                # Ctrl-C may have come just behind the last commit: what counts must never be overwritten.
                self._read_facts()
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # where SQLite has rolled back by itself, or committed
                    self._connection.execute("ROLLBACK")
                raise
        self._read_facts()

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        """A context in which files of vectors get a new number: at the end those that do not count are gone."""
        self.require_writing()
        try:
            yield
        finally:
            self._sweep()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot whose row numbers are the ones that this object knows."""
        with _database_errors(self.path):
            inside = self._connection.in_transaction
            try:
                if not inside:
                    self._connection.execute("BEGIN")
                query = "SELECT value FROM facts WHERE name = 'raw_number'"
                (number,) = self._connection.execute(query).fetchone()
                if number != self._raw_number:
                    raise ImgsimError(
                        f"collection: must be opened anew after imgsim compact (got {printable(self.path)})"
                    )
                yield self._connection
            finally:
                if not inside and self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def _sweep(self) -> None:
        """Deletes files of vectors that no longer count, or never did. Who has one mapped keeps it."""
        self._read_facts()  # or Ctrl-C behind a commit would take away what counts from then on
        kept = {self._raw_file(self._raw_number), self._vectors_file(self._vectors_number)}
        for pattern in ("raw-*.f16", "vectors-*.f16"):
            for file in self.path.glob(pattern):
                if file not in kept:
                    with suppress(OSError):  # on Windows while somebody has it mapped; the next sweep takes it
                        file.unlink()


_PICTURES = """SELECT files.row, path, size, modified, sha256, width, height, format
FROM files JOIN contents ON contents.row = files.row"""


def _picture(values: Sequence) -> Picture:
    path, size, modified, sha256, width, height, kind = values
    return Picture(os.fsdecode(path), size, modified, sha256.hex(), width, height, kind)


def _width(recipe: Recipe, whitening: Whitening | None, raw_width: int) -> int:
    return recipe.vectors(np.zeros((1, raw_width), np.float16), whitening).shape[1]


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Begins and commits are said aloud. A reader waits so long for a writer's commit to end.
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=60)


def _checksum(facts: Sequence, raw: np.ndarray) -> int:
    """Of all that is kept of a content: what the database says, and the raw vector."""
    return zlib.crc32(np.ascontiguousarray(raw), zlib.crc32(repr(tuple(facts)).encode()))


# SQLite's words, and what they mean here.
_SYSTEM_ERRORS = {"is full": errno.ENOSPC, "disk I/O": errno.EIO, "readonly": errno.EACCES, "unable to": errno.EACCES}


@contextmanager
def _database_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        for words, number in _SYSTEM_ERRORS.items():
            if words in text:
                raise OSError(number, os.strerror(number), os.fspath(folder / DATABASE)) from error
        rule = "not be in use for a minute" if "locked" in text else "be sound"
        raise ImgsimError(f"collection: {DATABASE} must {rule} (got {text} in {printable(folder)})") from error
