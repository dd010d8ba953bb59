"""A collection on disk: a folder with a database of what there is, and files of vectors.

::

    photos.imgsim/
      index.sqlite       which files there are, what is in them, which row is whose, and the `schema.Facts`
      raw-1.f16          all that the model says of each content, so that a recipe can change without decoding
      vectors-1.f16      what is searched: the recipe's vectors, made from the raw ones
      writer.lock        held by the one process that may write

Files with the same bytes share a row. Rows are only ever added. They are on the disk before the transaction that makes
them count, so a process that dies at any moment leaves a whole collection without its last batch. A file of vectors
that must change as a whole gets a new number, and the database says which number counts.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim_ops.collection.store.checking import problems_of
from imgsim_ops.collection.store.database import Database
from imgsim_ops.collection.store.lock import WriterLock
from imgsim_ops.collection.store.reading import Reader
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.schema import DATABASE, create_database, database_errors, open_database
from imgsim_ops.collection.store.writing import Writer
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.syncing import sync_folder
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import Recipe
from imgsim_ops.recipes.whitening import Whitening

if TYPE_CHECKING:
    from imgsim_ops.embedding.description import Description


class Store(Reader):
    """An open collection, used as a context; see the module. What can be asked of it is in `Reader`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriterLock | None) -> None:
        """For `create` and `open`."""
        super().__init__(Database(path, connection))
        self._lock = lock
        self._writer = None if lock is None else Writer(self)

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
        try:
            unfinished.mkdir(parents=True)
        except OSError as error:
            if error.filename == os.fspath(unfinished):  # which nobody has asked for
                error.filename = os.fspath(path)
            raise
        try:
            with database_errors(path):
                create_database(unfinished, fingerprint, recipe, raw_width, weights)
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
            with database_errors(path):
                connection = open_database(path, write=write)
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
        self.database.connection.close()
        if self._lock is not None:
            self._lock.release()
        self._lock = self._writer = None

    def problems(self) -> Iterator[str]:
        """Goes through all there is; yields a line for each thing that is not as it was written."""
        return problems_of(self)

    def require_writing(self) -> None:
        """Makes sure that it is open for writing.

        Raises:
            ImgsimError: It is open for reading.
        """
        self._writing()

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
        self._writing().commit(contents, files, dropped)

    def change_recipe(self, recipe: Recipe, whitening: Whitening | None = None, fitted_on: int = 0) -> None:
        """Makes the searched vectors anew by another recipe or whitening, from the raw ones.

        Raises:
            OSError: The disk is full or refuses. The collection is as before.
        """
        self._writing().change_recipe(recipe, whitening, fitted_on)

    def take_pages(self, pages: bool) -> None:
        """Says whether frames and pages are to be pictures of their own; the next indexing sees to it.

        Raises:
            OSError: The disk is full or refuses.
        """
        self._writing().take_pages(pages)

    def compact(self) -> int:
        """Gives back the room of contents whose files are all gone; returns how many there were.

        Raises:
            OSError: The disk is full or refuses. The collection is whole: as before, or with the database's own free
                room still in it.
        """
        return self._writing().compact()

    def _writing(self) -> Writer:
        if self._writer is None:
            raise ImgsimError(f"collection: must be open for writing (got {printable(self.path)} open for reading)")
        return self._writer
