"""Looks and local features of a collection's pictures, read when they are first asked for."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.identity import has_size_and_time
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.matching.features import Features, described
from imgsim_ops.matching.looks import Look

if TYPE_CHECKING:
    from imgsim_ops.collection.findings import Picture
    from imgsim_ops.collection.store.store import Store

DATABASE = "features.sqlite"

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS features (sha256 BLOB, mirrored INTEGER, content BLOB, PRIMARY KEY (sha256, mirrored))",
    "CREATE TABLE IF NOT EXISTS judgements "
    "(a BLOB, b BLOB, asked INTEGER, version INTEGER, content TEXT, PRIMARY KEY (a, b, asked))",
)
# Bytes of looks that are held: of the largest, some forty.
_HELD_BYTES = 160 << 20
# Pictures whose features are held, at up to 72 kB each.
_HELD_FEATURES = 1000
# Small looks that are held, at up to 60 kB each.
_HELD_SMALL = 1000
_UNCOMMITTED = 500
_TASK = "imgsim_ops.matching.looks:look"


class Looking:
    """How pairs of one collection's pictures are looked at, used as a context; any thread may ask.

    Local features and judgements are kept in a file of their own, which may be deleted at any time: SQLite lets any
    number of processes add to it. Where it cannot be written, or is damaged, what is learnt is kept for this run only.
    """

    def __init__(self, store: Store, read: ReadOptions = ReadOptions()) -> None:
        """Opens what is there; readers start with the first look.

        Args:
            store: The collection, which need not be open for writing.
            read: How pictures are read.
        """
        self._store = store
        self.read_options = read
        self._readers: IsolatedReaders | None = None
        self._lock = threading.RLock()
        self._looks: OrderedDict[int, Future | Look | None] = OrderedDict()
        self._bytes = 0
        self._features: OrderedDict[int, Features] = OrderedDict()
        self._small: OrderedDict[int, Look] = OrderedDict()
        self._files: dict[int, list[Picture]] = {}
        self._connection = _opened(store.path / DATABASE)
        self._changes = 0

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._readers is not None:
            self._readers.__exit__(*exception)
        with self._lock:
            with suppress(sqlite3.Error):
                self._connection.commit()
            self._connection.close()

    def files(self, row: int) -> list[Picture]:
        """The files of a row; for the first time in the thread that opened the collection."""
        with self._lock:
            if row not in self._files:
                self._files[row] = self._store.pictures_of(row)
            return self._files[row]

    def shared_rows(self) -> list[int]:
        """The rows of contents that several files have."""
        return list(self._store.shared_rows())

    def expect(self, row: int) -> None:
        """Has a picture read, as it will be looked at soon."""
        with self._lock:
            if row in self._looks:
                self._looks.move_to_end(row)
                return
            pictures = [picture for picture in self.files(row) if _is_unchanged(picture)]
            if not pictures:
                self._looks[row] = None
                return
            if self._readers is None:
                self._readers = IsolatedReaders(_TASK, self.read_options)
                self._readers.__enter__()
            self._looks[row] = self._readers.read(pictures[0].path)

    def look(self, row: int) -> Look | None:
        """The look of a row; None where no file of it can be read any more, or all have changed."""
        self.expect(row)
        with self._lock:
            found = self._looks.get(row)
        if isinstance(found, Future):
            answer = found.result()
            if isinstance(answer, SkippedFile):
                answer = self._another(row)
            found = None if isinstance(answer, SkippedFile) else Look.from_bytes(answer)
            with self._lock:
                self._looks[row] = found
                if found is not None:
                    self._small[row] = found.small()
                    if len(self._small) > _HELD_SMALL:
                        self._small.popitem(last=False)
                self._bytes += 0 if found is None else found.pixels.nbytes
                self._let_go()
        return found

    def small(self, row: int) -> Look | None:
        """The small look of a row, of which many more are held."""
        with self._lock:
            found = self._small.get(row)
        if found is not None:
            return found
        look = self.look(row)
        if look is None:
            return None
        with self._lock:
            return self._small.setdefault(row, look.small())

    def is_described(self, row: int) -> bool:
        """Whether its features and its small look are at hand, so that it need not be read for them."""
        with self._lock:
            return row in self._small and row in self._features

    def _another(self, row: int) -> bytes | SkippedFile:
        """Equal files stand in for one that is gone."""
        assert self._readers is not None
        answer: bytes | SkippedFile = SkippedFile("", "", "")
        for picture in self.files(row)[1:]:
            if _is_unchanged(picture):
                answer = self._readers.read(picture.path).result()
                if not isinstance(answer, SkippedFile):
                    break
        return answer

    def _let_go(self) -> None:
        for row in list(self._looks):
            if self._bytes <= _HELD_BYTES:
                return
            found = self._looks[row]
            if isinstance(found, Look):
                self._bytes -= found.pixels.nbytes
                del self._looks[row]

    def features(self, row: int) -> Features | None:
        """The local features of a row; None where it cannot be read."""
        with self._lock:
            if row in self._features:
                self._features.move_to_end(row)
                return self._features[row]
            found = self._kept(row)
        if found is None:
            look = self.look(row)
            if look is None:
                return None
            found = described(look.pixels, look.width, look.height)
            self._keep("INSERT OR REPLACE INTO features VALUES (?, 0, ?)", (self._content(row), found.to_bytes()))
        with self._lock:
            self._features[row] = found
            if len(self._features) > _HELD_FEATURES:
                self._features.popitem(last=False)
        return found

    def _content(self, row: int) -> bytes:
        return self.files(row)[0].sha256

    def _kept(self, row: int) -> Features | None:
        pictures = self.files(row)
        query = "SELECT content FROM features WHERE sha256 = ? AND mirrored = 0"
        found = self._one(query, (pictures[0].sha256,)) if pictures else None
        if not found:
            return None
        try:
            return Features.from_bytes(found[0])
        except ImgsimError:  # another version wrote it
            return None

    def judged(self, a: bytes, b: bytes, asked: int, version: int) -> str | None:
        """What was judged of two contents before by rules of this version."""
        query = "SELECT content FROM judgements WHERE a = ? AND b = ? AND asked = ? AND version = ?"
        found = self._one(query, (a, b, asked, version))
        return found[0] if found else None

    def _one(self, query: str, values: tuple) -> tuple | None:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchone()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # damaged: what is in it can be found again
                self._forget()
                return None

    def _forget(self) -> None:
        self._connection.close()
        self._connection = _temporary()

    def keep_judged(self, a: bytes, b: bytes, asked: int, version: int, content: str) -> None:
        """Keeps what was judged of two contents."""
        self._keep("INSERT OR REPLACE INTO judgements VALUES (?, ?, ?, ?, ?)", (a, b, asked, version, content))

    def _keep(self, statement: str, values: tuple) -> None:
        with self._lock, _disk_errors(self._store.path):
            try:
                self._connection.execute(statement, values)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # damaged
                self._forget()
                self._connection.execute(statement, values)
            self._changes += 1
            if self._changes % _UNCOMMITTED == 0:
                self._connection.commit()

    def commit(self) -> None:
        """Lets other processes see what was learnt.

        Raises:
            OSError: The disk is full.
        """
        with self._lock, _disk_errors(self._store.path):
            self._connection.commit()


def forget_features(store: Store) -> None:
    """Gives back the room of pictures that are no longer in the collection.

    Raises:
        OSError: The disk is full or refuses.
    """
    path = store.path / DATABASE
    if not path.exists():
        return
    kept = {picture.sha256 for _, picture in store.pictures()}
    with _disk_errors(store.path), closing(_opened(path)) as connection:
        for table, column in (("features", "sha256"), ("judgements", "a"), ("judgements", "b")):
            found = connection.execute(f"SELECT DISTINCT {column} FROM {table}")
            gone = [(content,) for (content,) in found if content not in kept]
            connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)
        connection.commit()
        connection.execute("VACUUM")


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("SELECT sha256, mirrored FROM features LIMIT 1").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
        return connection
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # it cannot be written
            return _temporary()
        os.unlink(path)  # no database, or damaged: all of it can be described again
        return _opened(path)


def _temporary() -> sqlite3.Connection:
    # A file without a name, which goes with the connection.
    connection = sqlite3.connect("", check_same_thread=False)
    for statement in _SCHEMA:
        connection.execute(statement)
    return connection


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(errno.ENOSPC, str(error), os.fspath(folder / DATABASE)) from error


def _is_unchanged(picture: Picture) -> bool:
    return has_size_and_time(picture.path, picture.size, picture.modified)
