"""Local features of a collection's pictures, described when they are first asked for and kept."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.identity import has_size_and_time
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.matching.features import Features

if TYPE_CHECKING:
    from imgsim_ops.collection.findings import Picture
    from imgsim_ops.collection.store.store import Store

DATABASE = "features.sqlite"

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS features (sha256 BLOB, mirrored INTEGER, content BLOB, PRIMARY KEY (sha256, mirrored))"
)
# What was described is kept by then; the next run describes the rest.
_COMMIT_SECONDS = 5.0
# Pictures whose features are held in memory, at up to 72 kB each: those of the pairs that are verified at the time.
_HELD = 1000
_TASK = "imgsim_ops.matching.features:local_features"
# EXIF's numbers of pictures as they are and of mirror images. SIFT itself finds turned ones.
_UPRIGHT, _MIRRORED = 1, 2


class FeatureSource:
    """The local features of one collection, used as a context.

    They are kept in a file of their own, which may be deleted at any time: SQLite lets any number of processes add to
    it. Where it cannot be written, or is damaged, what is described is kept for this run only.
    """

    def __init__(self, store: Store, read: ReadOptions = ReadOptions()) -> None:
        """Opens what is there.

        Args:
            store: The collection, which need not be open for writing.
            read: How pictures are read.
        """
        self._store = store
        self._read_options = read
        self._held: OrderedDict[tuple[int, bool], Features | None] = OrderedDict()
        self._connection = _opened(store.path / DATABASE)

    def __enter__(self) -> FeatureSource:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(sqlite3.Error):
            self._connection.commit()
        self._connection.close()

    def describe(
        self, wanted: Iterable[tuple[int, bool]], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Sees to it that features are there; pictures that cannot be read any more, or have changed, get none.

        Args:
            wanted: Rows of the store, each with whether its mirror image is meant.
            progress: Called with the number of pictures done, and of all that must be described.
        """
        missing = [(key, pictures) for key in sorted(set(wanted)) if (pictures := self._missing(key))]
        done, committed = 0, time.monotonic()
        for mirrored in (False, True):
            some = [(row, pictures) for (row, turned), pictures in missing if turned == mirrored]
            if not some:
                continue
            options = {"orientation": _MIRRORED if mirrored else _UPRIGHT}
            processes = min(self._read_options.processes, len(some))
            with IsolatedReaders(_TASK, self._read_options, options, processes) as readers:
                names = (pictures[0].path for _, pictures in some)
                answers = readers.in_order(names, ahead=4 * processes)
                for (_, pictures), (_, answer) in zip(some, answers, strict=True):
                    # Equal files stand in for one that is gone.
                    for other in pictures[1:]:
                        if not isinstance(answer, SkippedFile):
                            break
                        answer = readers.read(other.path).result()
                    self._keep(pictures[0], mirrored, answer)
                    done += 1
                    progress(done, len(missing))
                    if time.monotonic() - committed > _COMMIT_SECONDS:
                        self._commit()
                        committed = time.monotonic()
        self._commit()

    def get(self, row: int, mirrored: bool = False) -> Features | None:
        """The features of a row that was described; None where it could not be."""
        key = (row, mirrored)
        if key not in self._held:
            self._held[key] = self._read(row, mirrored)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def _commit(self) -> None:
        with _disk_errors(self._store.path):
            self._connection.commit()

    def _read(self, row: int, mirrored: bool) -> Features | None:
        pictures = self._store.pictures_of(row)
        query = "SELECT content FROM features WHERE sha256 = ? AND mirrored = ?"
        found = pictures and self._connection.execute(query, (pictures[0].sha256, mirrored)).fetchone()
        if not found:
            return None
        try:
            return Features.from_bytes(found[0])
        except ImgsimError:  # another version wrote it
            return None

    def _missing(self, key: tuple[int, bool]) -> list[Picture]:
        """The files, still as they were, of a row without features."""
        if self.get(*key) is not None:
            return []
        del self._held[key]  # of which there may be more to say soon
        return [picture for picture in self._store.pictures_of(key[0]) if _is_unchanged(picture)]

    def _keep(self, picture: Picture, mirrored: bool, answer: bytes | SkippedFile) -> None:
        if isinstance(answer, SkippedFile) or not _is_unchanged(picture):
            return
        with _disk_errors(self._store.path):
            values = (picture.sha256, mirrored, answer)
            self._connection.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", values)


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
        gone = [
            (found,) for (found,) in connection.execute("SELECT DISTINCT sha256 FROM features") if found not in kept
        ]
        connection.executemany("DELETE FROM features WHERE sha256 = ?", gone)
        connection.commit()
        connection.execute("VACUUM")


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=60)
        connection.execute(_SCHEMA)
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
    connection = sqlite3.connect("")  # a file without a name, which goes with the connection
    connection.execute(_SCHEMA)
    return connection


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(errno.ENOSPC, str(error), os.fspath(folder / DATABASE)) from error


def _is_unchanged(picture: Picture) -> bool:
    return has_size_and_time(picture.path, picture.size, picture.modified)
