"""Reading a collection: what its database and its files of vectors hold, as of one moment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from imgsim_ops.collection.findings import Picture
from imgsim_ops.collection.store.database import Database
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.rows import BLOCK, mapped_rows
from imgsim_ops.collection.store.schema import DATABASE
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.matching.hashes import BYTES
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import Recipe
from imgsim_ops.recipes.whitening import Whitening

_PICTURES = """SELECT files.row, path, size, modified, contents.sha256, width, height, format, frames, changed, inode
FROM files JOIN contents ON contents.row = files.row"""

_IS_PAGE = "instr(path, CAST('#page=' AS BLOB))"


class Reader:
    """What can be asked of an open collection.

    Where another process writes meanwhile, the answers are about the rows that there were when it was opened.

    Attributes:
        database: For `writing` and `checking`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._mapped: tuple[Path, np.ndarray] | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self.database.folder

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the raw vectors; says nothing of a recipe."""
        return self.database.facts.fingerprint

    @property
    def weights(self) -> str | None:
        """Where the weights came from, as given when the collection was made."""
        return self.database.facts.weights

    @property
    def recipe(self) -> Recipe:
        """What makes the searched vectors of the raw ones."""
        return self.database.facts.recipe

    @property
    def whitening(self) -> Whitening | None:
        """What the recipe was fitted to, or None."""
        return self.database.facts.whitening

    @property
    def fitted_on(self) -> int:
        """How many contents that was."""
        return self.database.facts.fitted_on

    @property
    def pages(self) -> bool:
        """Whether frames and pages are pictures of their own."""
        return self.database.facts.pages

    @property
    def rows(self) -> int:
        """How many contents have vectors."""
        return self.database.facts.rows

    @property
    def raw_width(self) -> int:
        """Values of a raw vector."""
        return self.database.facts.raw_width

    @property
    def width(self) -> int:
        """Values of a searched vector."""
        return self.database.facts.width

    @property
    def crops(self) -> int:
        """Rows in `vectors` for each content."""
        return self.recipe.crops

    @property
    def vectors_file(self) -> Path:
        """Where the searched vectors are. In a file of one name rows are only ever added; others get another name."""
        return self.database.vectors_file

    def raw(self) -> np.ndarray:
        """The raw vectors, float16 (rows, raw_width), mapped."""
        try:
            return mapped_rows(self.database.raw_file, self.rows, self.raw_width)
        except ImgsimError:
            with self.database.reading():  # which has the better words for an older numbering
                raise

    def vectors(self) -> np.ndarray:
        """The searched vectors, float16 (rows * crops, width), mapped; those of one content lie beside each other.

        Where another process has changed the recipe since, they are by the new one, as `recipe`, `whitening` and
        `width` say after this call.

        As long as they are the same the same mapping is given away: the first look at each page of a new one costs.
        """
        while True:
            file, shape = self.vectors_file, (self.rows * self.crops, self.width)
            if self._mapped is not None and (self._mapped[0], self._mapped[1].shape) == (file, shape):
                return self._mapped[1]
            try:
                self._mapped = file, mapped_rows(file, *shape)
            except ImgsimError:
                before = self.database.facts
                with self.database.reading():
                    self.database.read_facts()
                # As all else that was asked for has so many rows.
                self.database.facts = replace(self.database.facts, rows=before.rows)
                if self.database.facts.vectors_number == before.vectors_number:
                    raise

    def hashes(self) -> np.ndarray:
        """The perceptual hashes, uint8 (rows, 32)."""
        with self.database.reading() as connection:
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
        with self.database.reading() as connection:
            query = "SELECT row, max(width, height) FROM contents WHERE row < ?"
            for row, side in connection.execute(query, (self.rows,)):
                found[row] = side
        return found

    def live(self) -> np.ndarray:
        """Which rows belong to a file, bool (rows,)."""
        found = np.zeros(self.rows, bool)
        with self.database.reading() as connection:
            query = "SELECT DISTINCT row FROM files WHERE row < ?"
            found[[row for (row,) in connection.execute(query, (self.rows,))]] = True
        return found

    def pictures_of(self, row: int) -> list[Picture]:
        """The files with the content of a row, sorted by path; none where all are gone."""
        return self.pictures_of_rows([row])[row]

    def pictures_of_rows(self, rows: Iterable[int]) -> dict[int, list[Picture]]:
        """`pictures_of`, of several rows."""
        query = f"{_PICTURES} WHERE files.row = ? ORDER BY path"
        with self.database.reading() as connection:
            return {row: [_picture(values) for _, *values in connection.execute(query, (row,))] for row in rows}

    def formats(self) -> dict[str, tuple[int, int]]:
        """How many pictures (files) there are of each format, and their bytes; the most first."""
        query = f"""SELECT format, count(*), sum(CASE WHEN {_IS_PAGE} THEN 0 ELSE size END)
            FROM files JOIN contents ON contents.row = files.row
            GROUP BY format ORDER BY count(*) DESC, format"""
        with self.database.reading() as connection:
            return {kind: (number, size) for kind, number, size in connection.execute(query)}

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """All pictures by row, then path, each with its row."""
        query = f"{_PICTURES} WHERE files.row >= ? AND files.row < ? ORDER BY files.row, path"
        for first in range(0, self.rows, BLOCK):  # a writer must not wait until somebody has seen all
            with self.database.reading() as connection:
                found = connection.execute(query, (first, min(first + BLOCK, self.rows))).fetchall()
            for row, *values in found:
                yield row, _picture(values)

    def files(self) -> dict[bytes, FileRecord]:
        """All files by path, pictures or not."""
        with self.database.reading() as connection:
            found = connection.execute(f"SELECT {', '.join(FileRecord._fields)} FROM files")
            return {values[0]: FileRecord._make(values) for values in found}

    def with_pages(self) -> dict[int, tuple[str, int, bytes]]:
        """The rows of contents with several frames or pages: their formats, how many that are, and their hashes."""
        with self.database.reading() as connection:
            found = connection.execute("SELECT row, format, frames, sha256 FROM contents WHERE frames > 1")
            return {row: (kind, frames, sha256) for row, kind, frames, sha256 in found}

    def row_of(self, sha256: bytes) -> int | None:
        """The row of a content."""
        with self.database.reading() as connection:
            found = connection.execute("SELECT row FROM contents WHERE sha256 = ?", (sha256,)).fetchone()
            return found[0] if found else None

    def shared_rows(self) -> list[int]:
        """The rows whose content several files have."""
        query = "SELECT row FROM files WHERE row < ? GROUP BY row HAVING count(*) > 1 ORDER BY row"
        with self.database.reading() as connection:
            return [row for (row,) in connection.execute(query, (self.rows,))]

    def rows_shared_with(self, other: Reader) -> Iterator[tuple[int, int]]:
        """The rows of contents that another collection has too, with its rows; only those that files have in both."""
        here, there = self.live(), other.live()
        with self.database.reading() as connection:
            contents = connection.execute("SELECT row, sha256 FROM contents WHERE row < ?", (self.rows,)).fetchall()
        for row, sha256 in contents:
            found = other.row_of(sha256) if here[row] else None
            if found is not None and found < len(there) and there[found]:
                yield row, found

    def counts(self) -> dict[str, int]:
        """Numbers of `pictures`, of them `pages`, `contents`, `orphans` (without files) and `unreadable` files."""
        # Every row of a file is one of a content, or `problems` says so; asking for each of them takes seconds.
        orphans = "SELECT (SELECT count(*) FROM contents) - (SELECT count(DISTINCT row) FROM files)"
        queries = {
            "pictures": "SELECT count(*) FROM files WHERE row IS NOT NULL",
            "contents": "SELECT count(*) FROM contents",
            "orphans": orphans,
            "unreadable": "SELECT count(*) FROM files WHERE row IS NULL",
            "pages": f"SELECT count(*) FROM files WHERE row IS NOT NULL AND {_IS_PAGE}",
        }
        with self.database.reading() as connection:
            return {name: connection.execute(query).fetchone()[0] for name, query in queries.items()}


def _picture(values: Sequence) -> Picture:
    path, *facts = values
    return Picture(os.fsdecode(path), *facts)
