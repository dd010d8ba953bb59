"""Pictures of a collection turned and mirrored, as queries for their copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.recipes.recipes import Recipe
from imgsim_ops.recipes.whitening import Whitening

if TYPE_CHECKING:
    from imgsim_ops.collection.store.store import Store
    from imgsim_ops.embedding.embedder import Embedder

# So many pictures are searched for at once.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Turned:
    """Some pictures of a collection, all turned in one way.

    Attributes:
        orientation: How, as EXIF's number.
        rows: int64 (N,), rising.
        hashes: Perceptual hashes, uint8 (N, 32).
        vectors: float16 (N * views, D).
    """

    orientation: int
    rows: np.ndarray
    hashes: np.ndarray
    vectors: np.ndarray


def turned_pictures(
    store: Store,
    embedder: Embedder,
    recipe: Recipe,
    whitening: Whitening | None,
    orientations: Sequence[int],
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Iterator[Turned]:
    """Reads all pictures of a collection once more, turns and embeds them; those that cannot be read are left out.

    Args:
        store: The collection.
        embedder: What made its vectors, and reads pictures as its options say.
        recipe: Of the collection that is searched.
        whitening: Likewise.
        orientations: Other than 1.
        progress: Called with what is done, the number of pictures done and of all.
    """
    if not orientations:
        return
    rows = np.flatnonzero(store.live()).tolist()
    paths = (store.pictures_of(row)[0].path for row in rows)
    done = 0
    described = zip(rows, embedder.describe_turned(paths, orientations), strict=True)
    while block := list(islice(described, _BLOCK)):
        done += len(block)
        progress("Turning", done, len(rows))
        read = [(row, answer) for row, (_, answer) in block if not isinstance(answer, SkippedFile)]
        for place, orientation in enumerate(orientations if read else ()):
            some = [answer[place] for _, answer in read]
            vectors = recipe.vectors(np.stack([description.raw for description in some]), whitening)
            hashes = np.stack([description.perceptual for description in some])
            yield Turned(orientation, np.array([row for row, _ in read]), hashes, vectors)
