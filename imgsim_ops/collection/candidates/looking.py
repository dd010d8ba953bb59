"""Looks and descriptions of a collection's pictures, read when they are first asked for."""

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

import numpy as np

from imgsim_ops.collection.indexing.hashing import sha256_of
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.identity import change_and_inode, size_and_time
from imgsim_ops.files.pages import split_page
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.matching.closer import piece_from_bytes
from imgsim_ops.matching.described import Described
from imgsim_ops.matching.looks import Box, Look

if TYPE_CHECKING:
    from imgsim_ops.collection.findings import Picture
    from imgsim_ops.collection.store.store import Store

DATABASE = "features.sqlite"

_SCHEMA = (
    "DROP TABLE IF EXISTS features",  # which earlier versions had
    "CREATE TABLE IF NOT EXISTS described (sha256 BLOB PRIMARY KEY, content BLOB)",
    "CREATE TABLE IF NOT EXISTS judgements "
    "(a BLOB, b BLOB, asked INTEGER, version INTEGER, content TEXT, PRIMARY KEY (a, b, asked))",
)
# Bytes of the pixels of looks that are held: of the largest, some thirty. What is made of them takes as much again.
_HELD_BYTES = 120 << 20
# Pictures whose descriptions are held, at up to 90 kB each.
_HELD_DESCRIBED = 1000
_UNCOMMITTED = 500
_LOOK = "imgsim_ops.matching.looks:look"
_DESCRIBE = "imgsim_ops.matching.described:describe"
_PIECE = "imgsim_ops.matching.closer:piece"
# Pieces that are held, in bytes, and of what their boxes are made up: one piece serves many pairs, as places that are
# asked for lie beside each other, and all of a picture must be decoded for it.
_HELD_PIECES = 96 << 20
_PIECE_CELL = 512


class Looking:
    """How pairs of one collection's pictures are looked at, used as a context; any thread may ask.

    Descriptions and judgements are kept in a file of their own, which may be deleted at any time: SQLite lets any
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
        self._readers: dict[str, IsolatedReaders] = {}
        self._lock = threading.RLock()
        self._looks: OrderedDict[int, Future | Look | None] = OrderedDict()
        self._bytes = self._small_bytes = 0
        self._described: OrderedDict[int, Future | Described | None] = OrderedDict()
        self._pieces: OrderedDict[tuple[int, Box], Future | None] = OrderedDict()
        self._files: dict[int, list[Picture]] = {}
        self._hashed: dict[str, tuple[int, int]] = {}
        self._connection = _opened(store.path / DATABASE)
        self._changes = 0

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *exception: object) -> None:
        for readers in self._readers.values():
            readers.__exit__(*exception)
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

    def expect(self, row: int) -> Future | Look | None:
        """Has a picture read, as it will be looked at soon; what there is of it by now."""
        with self._lock:
            if row in self._looks:
                self._looks.move_to_end(row)
            else:
                self._looks[row] = self._asked(_LOOK, row)
            return self._looks[row]

    def look(self, row: int) -> Look | None:
        """The look of a row; None where no file of it can be read any more, or all have changed."""
        found = self.expect(row)
        if isinstance(found, Future):
            answer = self._answer(_LOOK, row, found)
            found = None if answer is None else Look.from_bytes(answer)
            with self._lock:
                there = self._looks.get(row)
                if isinstance(there, Look):  # another thread was quicker
                    return there
                self._looks[row] = found
                if found is not None:
                    self._count(found, 1)
                self._let_go()
        return found

    def expect_described(self, row: int) -> Future | Described | None:
        """Has a picture described, as that will be asked for soon; what there is of it by now."""
        with self._lock:
            if row in self._described:
                self._described.move_to_end(row)
            else:
                self._described[row] = self._kept(row) or self._asked(_DESCRIBE, row)
                if len(self._described) > _HELD_DESCRIBED:
                    self._described.popitem(last=False)
            return self._described[row]

    def described(self, row: int) -> Described | None:
        """The description of a row; None where it cannot be read."""
        found = self.expect_described(row)
        if isinstance(found, Future):
            answer = self._answer(_DESCRIBE, row, found)
            found = None if answer is None else Described.from_bytes(answer)
            with self._lock:
                self._described[row] = found
            if answer is not None:
                self._keep("INSERT OR REPLACE INTO described VALUES (?, ?)", (self.files(row)[0].sha256, answer))
        return found

    def piece(self, row: int, box: Box) -> np.ndarray | None:
        """A box of a picture in full size, uint8 RGB (height, width, 3); None where it cannot be read."""
        left, top, width, height = box
        with self._lock:
            held = next((key for key in self._pieces if key[0] == row and _is_inside(box, key[1])), None)
            if held is None:
                held = row, _in_cells(box)
                self._pieces[held] = self._asked(_PIECE, row, box=held[1])
                while len(self._pieces) > 1 and sum(3 * w * h for _, (_, _, w, h) in self._pieces) > _HELD_PIECES:
                    self._pieces.popitem(last=False)
            asked = self._pieces[held]
            self._pieces.move_to_end(held)
        answer = None if asked is None else self._answer(_PIECE, row, asked, box=held[1])
        if answer is None:
            return None
        x, y = left - held[1][0], top - held[1][1]
        found = piece_from_bytes(answer)[y : y + height, x : x + width]
        return np.ascontiguousarray(found) if found.shape[:2] == (height, width) else None

    def _asked(self, task: str, row: int, **options: object) -> Future | None:
        """Has a file of a row read; None where there is none."""
        picture = next(filter(self._is_unchanged, self.files(row)), None)
        if picture is None:
            return None
        if task not in self._readers:
            self._readers[task] = IsolatedReaders(task, self.read_options)
            self._readers[task].__enter__()
        return self._readers[task].read(picture.path, **options)

    def _answer(self, task: str, row: int, asked: Future, **options: object) -> bytes | None:
        """What was read; equal files stand in for one that is gone."""
        answer = asked.result()
        for picture in self.files(row)[1:]:
            if not isinstance(answer, SkippedFile):
                break
            if self._is_unchanged(picture):
                answer = self._readers[task].read(picture.path, **options).result()
        return None if isinstance(answer, SkippedFile) else answer

    def _is_unchanged(self, picture: Picture) -> bool:
        """Whether a file has the bytes by whose hash is kept what is learnt of it."""
        try:
            status = os.stat(split_page(picture.path)[0])
            if size_and_time(status) != (picture.size, picture.modified):
                return False
            found = change_and_inode(status)
            before = (picture.changed, picture.inode), self._hashed.get(picture.path)
            if picture.changed is not None and found not in before:
                if sha256_of(picture.path) != picture.sha256:
                    return False
                self._hashed[picture.path] = found
        except (OSError, ValueError, ImageError):
            return False
        return True

    def _let_go(self) -> None:
        if self._bytes <= _HELD_BYTES:  # with each look of a collection of tiny pictures, of which thousands are held
            return
        # To read a large picture again takes twenty times as long: it stays before others that have their share.
        for only_small in (True, False):
            for row in list(self._looks):
                if self._bytes <= _HELD_BYTES or (only_small and self._small_bytes <= _HELD_BYTES // 4):
                    break
                found = self._looks[row]
                if isinstance(found, Look) and (found.shrunk == 1 or not only_small):
                    self._count(found, -1)
                    del self._looks[row]

    def _count(self, look: Look, sign: int) -> None:
        self._bytes += sign * look.pixels.nbytes
        self._small_bytes += sign * look.pixels.nbytes * (look.shrunk == 1)

    def _kept(self, row: int) -> Described | None:
        pictures = self.files(row)
        query = "SELECT content FROM described WHERE sha256 = ?"
        found = self._one(query, (pictures[0].sha256,)) if pictures else None
        if not found:
            return None
        try:
            return Described.from_bytes(found[0])
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
        for table, column in (("described", "sha256"), ("judgements", "a"), ("judgements", "b")):
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
        connection.execute("SELECT sha256 FROM described LIMIT 1").fetchone()
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


def _in_cells(box: Box) -> Box:
    left, top, width, height = box
    x, y = (place // _PIECE_CELL * _PIECE_CELL for place in (left, top))
    right, bottom = (-(-end // _PIECE_CELL) * _PIECE_CELL for end in (left + width, top + height))
    return x, y, right - x, bottom - y


def _is_inside(box: Box, other: Box) -> bool:
    (left, top, width, height), (x, y, wide, high) = box, other
    return x <= left and y <= top and left + width <= x + wide and top + height <= y + high
