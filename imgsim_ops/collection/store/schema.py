"""The database of a collection: its tables, the facts that they are about, and what SQLite's errors mean here."""

from __future__ import annotations

import errno
import operator
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import RECIPES, Recipe
from imgsim_ops.recipes.whitening import Whitening

FORMAT = 4
#: Of collections that have pages as pictures of their own, which imgsim did not know before.
WITH_PAGES = 5
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
  checksum INTEGER NOT NULL,
  frames INTEGER
);
CREATE TABLE files (
  path BLOB PRIMARY KEY,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  row INTEGER,
  code TEXT,
  message TEXT,
  changed INTEGER,
  inode INTEGER,
  mount INTEGER,
  sha256 BLOB,
  readers INTEGER
) WITHOUT ROWID;
CREATE INDEX files_of_row ON files (row);
"""

# What tables have had from format 3 on, and `readers` from 4 on.
_NEW_COLUMNS = {
    "files": {"changed": "INTEGER", "inode": "INTEGER", "mount": "INTEGER", "sha256": "BLOB", "readers": "INTEGER"},
    "contents": {"frames": "INTEGER"},
}

_NUMBERS = ("fitted_on", "rows", "raw_width", "width", "raw_number", "vectors_number")

# SQLite's words, and what they mean here.
_SYSTEM_ERRORS = {"is full": errno.ENOSPC, "disk I/O": errno.EIO, "readonly": errno.EACCES, "unable to": errno.EACCES}


@dataclass(frozen=True)
class Facts:
    """What holds for a collection as a whole; the rows of the table of this name.

    Attributes:
        fingerprint: What made the raw vectors; says nothing of a recipe.
        weights: Where the weights came from, as given when the collection was made.
        recipe: What makes the searched vectors of the raw ones.
        whitening: What the recipe was fitted to, or None.
        fitted_on: How many contents that was.
        rows: How many contents have vectors.
        raw_width: Values of a raw vector.
        width: Values of a searched vector.
        raw_number: Of the file of raw vectors that counts.
        vectors_number: Of the file of searched vectors that counts.
        pages: Frames and pages are pictures of their own, see ``files.pages``.
    """

    fingerprint: Fingerprint
    weights: str | None
    recipe: Recipe
    whitening: Whitening | None
    fitted_on: int
    rows: int
    raw_width: int
    width: int
    raw_number: int
    vectors_number: int
    pages: bool = False

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Facts:
        """Those of which a database holds these values.

        Raises:
            KeyError: One is missing, or there is no such recipe.
            TypeError: One is not of its type.
            ImgsimError: One is not of its form.
        """
        facts = cls(
            Fingerprint.parse(values["fingerprint"]),
            values["weights"],
            RECIPES[values["recipe"]],
            None if values["whitening"] is None else Whitening.from_bytes(values["whitening"]),
            *(values[name] for name in _NUMBERS),
        )
        facts = replace(facts, pages=bool(values.get("pages")))
        for name in _NUMBERS:
            operator.index(values[name])  # raises TypeError for what is no number
        return facts


def searched_width(recipe: Recipe, whitening: Whitening | None, raw_width: int) -> int:
    """Values of a vector that a recipe makes."""
    return recipe.vectors(np.zeros((1, raw_width), np.float16), whitening).shape[1]


def checksum_of(facts: Sequence[object], frames: int | None, raw: np.ndarray) -> int:
    """Of all that is kept of a content: what the database says, and the raw vector.

    Args:
        facts: SHA-256, width, height, format and perceptual hash.
        frames: How many there are; None, which says nothing, also of what formats before 3 have kept.
        raw: The vector.
    """
    said = (*facts,) if frames is None else (*facts, frames)
    return zlib.crc32(np.ascontiguousarray(raw), zlib.crc32(repr(said).encode()))


def create_database(
    folder: Path, fingerprint: Fingerprint, recipe: Recipe, raw_width: int, weights: str | None
) -> None:
    """Makes that of an empty collection.

    Raises:
        sqlite3.Error: See `database_errors`.
    """
    facts = {
        "fingerprint": str(fingerprint),
        "recipe": recipe.name,
        "whitening": None,
        "fitted_on": 0,
        "weights": weights,
        "rows": 0,
        "raw_width": raw_width,
        "width": searched_width(recipe, None, raw_width),
        "raw_number": 1,
        "vectors_number": 1,
    }
    with closing(_connected(folder, "rwc")) as connection:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT};")
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        connection.execute("COMMIT")


def open_database(folder: Path, *, write: bool = True) -> sqlite3.Connection:
    """Connects to that of a collection; one of an older format is upgraded, or read as it is where that must be.

    Raises:
        ImgsimError: It has a format of which nothing is known.
        sqlite3.Error: See `database_errors`.
    """
    connection = _connected(folder, "rw")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if 1 <= found < FORMAT:
            try:
                _upgrade(connection)
            except sqlite3.OperationalError as error:
                if write or "readonly" not in str(error):
                    raise
                _show_as_upgraded(connection)
        elif found not in (FORMAT, WITH_PAGES):
            newer = "; a newer imgsim made it" if found > WITH_PAGES else ""
            raise ImgsimError(
                f"collection: format must be {FORMAT} or {WITH_PAGES} (got {found} in {printable(folder)}{newer})"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    """From format 1, in which a recipe had another name, 2 and 3, which have fewer columns.

    Twice does no harm: another process may do it too.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE facts SET value = 'crops' WHERE name = 'recipe' AND value = 'views'")
        for table, columns in _NEW_COLUMNS.items():
            for column in _missing(connection, table):
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {columns[column]}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # where SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _show_as_upgraded(connection: sqlite3.Connection) -> None:
    """The same for this connection alone: a disk or a folder that cannot be written can still be read."""
    for table in _NEW_COLUMNS:
        shown = ", ".join(("*", *(f"NULL AS {column}" for column in _missing(connection, table))))
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {shown} FROM main.{table}")
    value = "CASE WHEN name = 'recipe' AND value = 'views' THEN 'crops' ELSE value END AS value"
    connection.execute(f"CREATE TEMP VIEW facts AS SELECT name, {value} FROM main.facts")


def _missing(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns that a table of an older format lacks."""
    there = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
    return [column for column in _NEW_COLUMNS[table] if column not in there]


def _connected(folder: Path, mode: str) -> sqlite3.Connection:
    # Begins and commits are said aloud. A reader waits so long for a writer's commit to end.
    return sqlite3.connect(f"{(folder / DATABASE).as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=60)


@contextmanager
def database_errors(folder: Path) -> Iterator[None]:
    """SQLite's errors about the database of a collection, as errors of the system or of imgsim."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        for words, number in _SYSTEM_ERRORS.items():
            if words in text:
                raise OSError(number, os.strerror(number), os.fspath(folder / DATABASE)) from error
        rule = "not be in use for a minute" if "locked" in text else "be sound"
        raise ImgsimError(f"collection: {DATABASE} must {rule} (got {text} in {printable(folder)})") from error
