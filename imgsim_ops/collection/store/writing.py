"""Changing a collection: what counts is on the disk before the transaction that makes it count."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.store.reading import Reader
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.rows import append_rows, blocks_of, write_rows
from imgsim_ops.collection.store.schema import WITH_PAGES, checksum_of, database_errors, searched_width
from imgsim_ops.recipes.recipes import Recipe
from imgsim_ops.recipes.whitening import Whitening

if TYPE_CHECKING:
    from imgsim_ops.embedding.description import Description


class Writer:
    """Changes a collection, for the one process that may; all of a change or, if anything fails, nothing."""

    def __init__(self, reader: Reader) -> None:
        """Deletes what a process that died has left half done."""
        self._reader = reader
        self._database = reader.database
        self._sweep()

    def commit(
        self,
        contents: Sequence[tuple[bytes, Description]],
        files: Iterable[FileRecord],
        dropped: Iterable[bytes],
    ) -> None:
        """See ``Store.commit``."""
        raw = np.array([description.raw for _, description in contents], "<f2").reshape(-1, self._reader.raw_width)
        with self._transaction() as connection:
            known = self._database.facts
            if len(raw):
                append_rows(self._database.raw_file, raw, known.rows)
                vectors = known.recipe.vectors(raw, known.whitening)
                append_rows(self._database.vectors_file, vectors, known.rows * known.recipe.crops)
            facts = [((s, d.width, d.height, d.format, d.perceptual.tobytes()), d.frames) for s, d in contents]
            connection.executemany(
                "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (known.rows + i, *of_one, checksum_of(of_one, frames, raw[i]), frames)
                    for i, (of_one, frames) in enumerate(facts)
                ),
            )
            values = ", ".join("?" * len(FileRecord._fields))
            connection.executemany(f"INSERT OR REPLACE INTO files VALUES ({values})", files)
            connection.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in dropped))
            self._set_facts(rows=known.rows + len(raw))

    def change_recipe(self, recipe: Recipe, whitening: Whitening | None, fitted_on: int) -> None:
        """See ``Store.change_recipe``."""
        with self._replacing():
            number = self._database.facts.vectors_number + 1
            vectors = (recipe.vectors(block, whitening) for block in blocks_of(self._reader.raw()))
            write_rows(self._database.numbered("vectors", number), vectors)
            with self._transaction():
                self._set_facts(
                    recipe=recipe.name,
                    whitening=None if whitening is None else whitening.to_bytes(),
                    fitted_on=fitted_on,
                    width=searched_width(recipe, whitening, self._reader.raw_width),
                    vectors_number=number,
                )

    def take_pages(self, pages: bool) -> None:
        """See ``Store.take_pages``."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('pages', ?)", (int(pages),))
            if pages:
                connection.execute(f"PRAGMA user_version = {WITH_PAGES}")

    def compact(self) -> int:
        """See ``Store.compact``."""
        kept = np.flatnonzero(self._reader.live())
        gone = self._reader.rows - len(kept)
        if gone:
            with self._replacing():
                self._keep(kept)
        with database_errors(self._database.folder):
            self._database.connection.execute("VACUUM")
        return gone

    def _keep(self, kept: np.ndarray) -> None:
        """Leaves out all rows but some, which move up."""
        raw, vectors = self._reader.raw(), self._reader.vectors()
        vectors = vectors.reshape(len(raw), self._reader.crops * self._reader.width)
        facts = self._database.facts
        raw_number, vectors_number = facts.raw_number + 1, facts.vectors_number + 1
        write_rows(self._database.numbered("raw", raw_number), (raw[rows] for rows in blocks_of(kept)))
        write_rows(self._database.numbered("vectors", vectors_number), (vectors[rows] for rows in blocks_of(kept)))
        # Rising numbers that never rise above what they were meet no row that is still to move.
        moved = [(new, int(old)) for new, old in enumerate(kept) if new != old]
        with self._transaction() as connection:
            connection.execute("DELETE FROM contents WHERE row NOT IN (SELECT row FROM files WHERE row IS NOT NULL)")
            connection.executemany("UPDATE contents SET row = ? WHERE row = ?", moved)
            connection.executemany("UPDATE files SET row = ? WHERE row = ?", moved)
            self._set_facts(rows=len(kept), raw_number=raw_number, vectors_number=vectors_number)

    def _set_facts(self, **facts: object) -> None:
        """Inside a transaction, after which they are read anew."""
        values = ((value, name) for name, value in facts.items())
        self._database.connection.executemany("UPDATE facts SET value = ? WHERE name = ?", values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._database.connection
        with database_errors(self._database.folder):
            try:
                connection.execute("BEGIN IMMEDIATE")
                # Ctrl-C may have come just behind the last commit: what counts must never be overwritten.
                self._database.read_facts()
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # where SQLite has rolled back by itself, or committed
                    connection.execute("ROLLBACK")
                raise
        self._database.read_facts()

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        """A context in which files of vectors get a new number: at the end those that do not count are gone."""
        try:
            yield
        finally:
            self._sweep()

    def _sweep(self) -> None:
        """Deletes files of vectors that no longer count, or never did. Who has one mapped keeps it."""
        self._database.read_facts()  # or Ctrl-C behind a commit would take away what counts from then on
        kept = {self._database.raw_file, self._database.vectors_file}
        for kind in ("raw", "vectors"):
            for file in self._database.folder.glob(f"{kind}-*.f16"):
                if file not in kept:
                    with suppress(OSError):  # on Windows while somebody has it mapped; the next sweep takes it
                        file.unlink()
