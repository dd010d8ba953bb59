"""The open database of a collection, with the facts as they were last read, and the files of vectors that they name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgsim_ops.collection.store.schema import DATABASE, Facts, database_errors
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable


class Database:
    """What reading and writing share.

    Attributes:
        folder: The collection.
        connection: To its database; belongs to a thread, as all of SQLite's.
        facts: As they were last read. Who reads goes on with the rows that it knows while another process adds some.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.connection = connection
        self.read_facts()

    @property
    def raw_file(self) -> Path:
        """Where the raw vectors are."""
        return self.numbered("raw", self.facts.raw_number)

    @property
    def vectors_file(self) -> Path:
        """Where the searched vectors are."""
        return self.numbered("vectors", self.facts.vectors_number)

    def numbered(self, kind: str, number: int) -> Path:
        """Where the vectors of a kind, ``raw`` or ``vectors``, are or will be by the number of their file."""
        return self.folder / f"{kind}-{number}.f16"

    def read_facts(self) -> None:
        """Reads them anew.

        Raises:
            ImgsimError: They mean nothing.
        """
        with database_errors(self.folder):
            values = dict(self.connection.execute("SELECT name, value FROM facts"))
        try:
            self.facts = Facts.parse(values)
        except (KeyError, TypeError, ImgsimError) as error:
            raise ImgsimError(
                f"collection: {DATABASE} must be sound (got {error} in {printable(self.folder)})"
            ) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot whose row numbers are the ones that the facts are about.

        Raises:
            ImgsimError: Another process has given the rows other numbers, or the database is damaged.
        """
        with database_errors(self.folder):
            inside = self.connection.in_transaction
            try:
                if not inside:
                    self.connection.execute("BEGIN")
                query = "SELECT value FROM facts WHERE name = 'raw_number'"
                (number,) = self.connection.execute(query).fetchone()
                if number != self.facts.raw_number:
                    raise ImgsimError(
                        f"collection: must be opened anew after imgsim compact (got {printable(self.folder)})"
                    )
                yield self.connection
            finally:
                if not inside and self.connection.in_transaction:
                    self.connection.execute("COMMIT")
