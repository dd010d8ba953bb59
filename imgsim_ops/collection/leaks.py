"""Pictures of a test set that are copies of pictures of a training set."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.candidates.cascade import (
    Pairs,
    Pictures,
    Progress,
    Thresholds,
    Verifier,
    confidence,
    hash_pairs_between,
    nearest_pairs,
    settle,
)
from imgsim_ops.collection.findings import Evidence, Leak
from imgsim_ops.collection.store.rows import blocks_of
from imgsim_ops.embedding.crops import SMALL
from imgsim_ops.errors import ImgsimError
from imgsim_ops.matching import rules

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.turned import Turned
    from imgsim_ops.collection.store.store import Store

_Best = dict[int, tuple[int, Evidence]]


def pictures_for(test: Store, train: Store) -> Pictures:
    """What the stages know of a test set, its vectors made by the recipe of the training set.

    Raises:
        ImgsimError: Vectors of the two cannot be compared.
    """
    if test.fingerprint != train.fingerprint:
        raise ImgsimError(
            f"leak: vectors of both must have one fingerprint (got {test.fingerprint} for the test set, "
            f"{train.fingerprint} for the training set)"
        )
    blocks = [train.recipe.vectors(block, train.whitening) for block in blocks_of(test.raw())]
    vectors = np.concatenate(blocks) if blocks else np.empty((0, train.width), np.float16)
    recipe, whitened = train.recipe.name, train.whitening is not None
    small = test.longer_sides() <= SMALL
    return Pictures(test.hashes(), vectors, train.crops, test.live(), small, recipe, whitened)


def find_leaks(
    test: Store,
    train: Store,
    queries: Pictures,
    gallery: Pictures,
    thresholds: Thresholds,
    verifier: Verifier | None,
    turned: Iterable[Turned] = (),
    progress: Progress = lambda what, done, total: None,
) -> Generator[Leak, None, None]:
    """The leaks, by row of the test set, then path; each picture of the test set once, with its best match.

    Args:
        test: The test set.
        train: The training set.
        queries: See `pictures_for`.
        gallery: What `train` has.
        thresholds: See `cascade.choose_thresholds`, of `gallery`.
        verifier: Looks at what scores leave open; None accepts none of that.
        turned: Pictures of the test set turned, which are looked for too.
        progress: Called while this goes on.
    """
    best: _Best = {row: (col, Evidence("content", 1.0)) for row, col in test.rows_shared_with(train)}

    def add(row: int, col: int, evidence: Evidence) -> None:
        if row not in best or confidence(evidence) > confidence(best[row][1]):
            best[row] = col, evidence

    def look(pairs: Pairs, hashes: np.ndarray) -> None:
        pairs, hashes = _open(pairs, hashes, best)
        found, left_open = settle(pairs, hashes, gallery.hashes[pairs.cols], thresholds)
        for row, col, evidence in zip(pairs.rows.tolist(), pairs.cols.tolist(), found, strict=True):
            if evidence is not None:
                add(row, col, evidence)
        if verifier is not None:
            left_open &= ~(queries.small[pairs.rows] | gallery.small[pairs.cols])
            pairs, _ = _open(pairs[left_open], hashes[left_open], best)
            for row, col, evidence in verifier.evidence(pairs):
                if evidence is not None:
                    add(row, col, evidence)

    progress("Searching", 0, 0)
    pairs = hash_pairs_between(queries, gallery)
    look(pairs, queries.hashes[pairs.rows])
    rows = np.flatnonzero(queries.alive)
    rows = rows[~np.isin(rows, list(best))]
    pairs = nearest_pairs(queries.vectors_of(rows), rows, gallery, rules.CANDIDATES)
    look(pairs, queries.hashes[pairs.rows])
    for block in turned:
        pairs = nearest_pairs(block.vectors, block.rows, gallery, rules.CANDIDATES, block.orientation)
        look(pairs, block.hashes[np.searchsorted(block.rows, pairs.rows)])
    for row in sorted(best):
        col, evidence = best[row]
        sources = train.pictures_of(col)
        if sources:  # unless its files have gone since
            yield from (Leak(picture, sources[0], evidence) for picture in test.pictures_of(row))


def _open(pairs: Pairs, hashes: np.ndarray, best: _Best) -> tuple[Pairs, np.ndarray]:
    """The pairs of pictures for which nothing has been found yet, and their hashes."""
    kept = ~np.isin(pairs.rows, list(best))
    return pairs[kept], hashes[kept]
