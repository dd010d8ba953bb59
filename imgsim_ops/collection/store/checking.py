"""Going through all that a collection holds, for what is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imgsim_ops.collection.store.reading import Reader
from imgsim_ops.collection.store.rows import BLOCK
from imgsim_ops.collection.store.schema import DATABASE, checksum_of, database_errors
from imgsim_ops.errors import ImgsimError


def problems_of(reader: Reader) -> Iterator[str]:
    """A line for each thing in a collection that is not as it was written; goes through all there is."""
    database = reader.database
    try:
        with database_errors(database.folder):
            lines = database.connection.execute("PRAGMA integrity_check").fetchall()
        yield from (f"{DATABASE}: {line}" for (line,) in lines if line != "ok")
        with database.reading() as connection:
            (contents,) = connection.execute("SELECT count(*) FROM contents WHERE row < ?", (reader.rows,)).fetchone()
            (lost,) = connection.execute(
                "SELECT count(*) FROM files WHERE row IS NOT NULL AND row NOT IN (SELECT row FROM contents)"
            ).fetchone()
        if contents != reader.rows:
            yield f"{DATABASE}: every row must have a content (got {contents} contents and {reader.rows} rows)"
        if lost:
            yield f"{DATABASE}: every picture must have a content (got {lost} without)"
        raw, vectors = reader.raw(), reader.vectors()
        for first in range(0, reader.rows, BLOCK):
            yield from _problems_of_rows(reader, first, raw[first : first + BLOCK], vectors)
    except ImgsimError as error:
        yield str(error)


def _problems_of_rows(reader: Reader, first: int, raw: np.ndarray, vectors: np.ndarray) -> Iterator[str]:
    """Those of a block of rows."""
    stop = first + len(raw)
    bad = np.zeros(len(raw), bool)
    with reader.database.reading() as connection:
        query = "SELECT row, sha256, width, height, format, perceptual, checksum, frames FROM contents"
        found = connection.execute(f"{query} WHERE row >= ? AND row < ?", (first, stop)).fetchall()
    for row, *facts, checksum, frames in found:
        bad[row - first] = checksum_of(facts, frames, raw[row - first]) != checksum
    for row in np.flatnonzero(bad):
        name = reader.database.raw_file.name
        yield f"row {first + row}: {name}, and what {DATABASE} says of it, must be as they were written"
    expected = reader.recipe.vectors(raw, reader.whitening).astype(np.float32)
    searched = vectors[first * reader.crops : stop * reader.crops].astype(np.float32)
    # Other numbers of rows at a time may round the last bit of float16 another way: 1/1024 of at most 1.
    wrong = ~(np.abs(expected - searched) <= 2e-3).all(1)
    for row in np.unique(np.flatnonzero(wrong) // reader.crops):
        if not bad[row]:
            yield f"row {first + row}: {reader.database.vectors_file.name} must follow from the raw vector"
