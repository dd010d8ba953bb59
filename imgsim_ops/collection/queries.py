"""From files to queries: those that the collection knows cost no look at their pixels."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.indexing.hashing import sha256_of
from imgsim_ops.collection.search import Query, SearchOptions
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImageError
from imgsim_ops.files.reasons import SkippedFile

if TYPE_CHECKING:
    from imgsim_ops.embedding.embedder import Embedder


def queries_of(
    store: Store,
    load_embedder: Callable[[], Embedder],
    paths: Iterable[str | os.PathLike[str]],
    options: SearchOptions,
) -> Iterator[tuple[str, Query | SkippedFile]]:
    """What to ask the collection about each of some files, in their order.

    Args:
        store: The collection.
        load_embedder: Called when there is something to embed, which may be never. Its fingerprint must be the store's.
        paths: Files; consumed lazily.
        options: How they are searched for.

    Yields:
        Each path with its query, or with the reason why there is none. To stop early, close the iterator.

    Raises:
        ImgsimError: The same vectors cannot be made here.
    """
    known_as_it_is = options.orientations == (1,)

    def asked(known: _Known, raw: np.ndarray) -> tuple[str, Query]:
        if not options.exclude_self:
            return known.path, Query(raw)
        return known.path, Query(raw, known.row, os.path.abspath(known.path))

    def of_row(known: _Known) -> tuple[str, Query]:
        return asked(known, np.array(store.raw()[known.row : known.row + 1]))

    hashed = known_as_it_is or options.exclude_self
    files = (_known(store, os.fspath(path)) if hashed else _Known(os.fspath(path)) for path in paths)
    first = None
    for known in files:
        if not known_as_it_is or known.row is None:
            first = known
            break
        yield of_row(known)
    if first is None:
        return
    waiting: deque[_Known] = deque()

    def unknown() -> Iterator[str]:
        for known in chain((first,), files):
            waiting.append(known)
            if not known_as_it_is or known.row is None:
                yield known.path

    # A query that nobody's decoder survives ends this process, and nothing else is lost.
    stream = load_embedder().describe_turned(unknown(), options.orientations, few_here=True)
    with closing(stream):
        for path, answer in stream:
            while known_as_it_is and waiting[0].row is not None:
                yield of_row(waiting.popleft())
            known = waiting.popleft()
            if isinstance(answer, SkippedFile):
                yield path, answer
            else:
                yield asked(known, np.stack([description.raw for description in answer]))
        yield from map(of_row, waiting)


@dataclass(frozen=True)
class _Known:
    """A file, and the row of its content where the collection has it."""

    path: str
    row: int | None = None


def _known(store: Store, path: str) -> _Known:
    try:
        row = store.row_of(sha256_of(path))
    except ImageError:  # which whoever decodes it will say better
        row = None
    return _Known(path, row if row is not None and row < store.rows else None)
