"""Pictures of a test set that come of pictures of a training set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.candidates.evidence import IDENTICAL, evidence_of
from imgsim_ops.collection.candidates.judging import Asked, Judge, Judged
from imgsim_ops.collection.candidates.pairs import (
    Pictures,
    Progress,
    among_best,
    candidate_threshold,
    hash_pairs_between,
    nearest_pairs,
    scores_of,
)
from imgsim_ops.collection.findings import Evidence, Leak
from imgsim_ops.collection.store.rows import blocks_of
from imgsim_ops.errors import ImgsimError
from imgsim_ops.matching import rules
from imgsim_ops.matching.hashes import distance, distances
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.matching.relations import Relation

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.turned import Turned
    from imgsim_ops.collection.store.store import Store

# Of a picture the closest hashes are looked at, no more.
_MOST_BY_HASH = 5
_STRENGTH = {relation: place for place, relation in enumerate(Relation)}


def pictures_for(test: Store, train: Store) -> Pictures:
    """What is known of a test set, its vectors made by the recipe of the training set.

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
    return Pictures(test.hashes(), vectors, train.crops, test.live())


def find_leaks(
    test: Store,
    train: Store,
    queries: Pictures,
    gallery: Pictures,
    match: MatchOptions,
    judge: Judge,
    turned: Iterable[Turned] = (),
    *,
    progress: Progress = lambda what, done, total: None,
) -> Iterator[Leak]:
    """The leaks, by row of the test set, then path; each picture of the test set once, with its best match.

    Args:
        test: The test set.
        train: The training set.
        queries: See `pictures_for`.
        gallery: What `train` has.
        match: How candidates are chosen.
        judge: Tells what a picture of the test set is to one of the training set.
        turned: Pictures of the test set turned, which are looked for too.
        progress: Called while this goes on.
    """
    search = _Search(queries, gallery, judge, match.similar)
    identical = dict(test.rows_shared_with(train))
    progress("Searching", 0, 0)
    pairs = hash_pairs_between(queries, gallery)
    apart = distances(queries.hashes[pairs.rows], gallery.hashes[pairs.cols])
    order = np.lexsort((apart, pairs.rows))  # of what is as good in the end the closest is named
    pairs = pairs[order][among_best(pairs.rows[order], -apart[order], _MOST_BY_HASH)]
    search.look(zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True), identical, 1, alike=True)
    rows = np.array(
        [row for row in np.flatnonzero(queries.alive).tolist() if row not in identical and not search.is_sure(row)],
        np.int64,
    )
    pairs = nearest_pairs(queries.vectors_of(rows), rows, gallery, rules.CANDIDATES)
    if match.threshold is not None or match.false_positives is not None:
        pairs = pairs[pairs.scores >= candidate_threshold(gallery, match)]
    search.look(zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True), identical, 1)
    for block in turned:
        pairs = nearest_pairs(block.vectors, block.rows, gallery, rules.CANDIDATES, block.orientation)
        open_ = [
            (row, col)
            for row, col in zip(pairs.rows.tolist(), pairs.cols.tolist(), strict=True)
            if not search.is_sure(row)
        ]
        search.look(open_, identical, block.orientation)
    for row in sorted({*identical, *search.best}):
        col, evidence = (identical[row], IDENTICAL) if row in identical else search.evidence(row, test)
        sources = train.pictures_of(col)
        if sources:  # unless its files have gone since
            yield from (Leak(picture, sources[0], evidence) for picture in test.pictures_of(row))


class _Search:
    """The best match so far of each picture of the test set."""

    def __init__(self, queries: Pictures, gallery: Pictures, judge: Judge, similar: bool) -> None:
        self.best: dict[int, tuple[int, Judged]] = {}
        self._queries, self._gallery = queries, gallery
        self._judge = judge
        self._similar = similar

    def is_sure(self, row: int) -> bool:
        """Whether nothing better can be found."""
        found = self.best.get(row)
        return found is not None and found[1].judgement.relation is Relation.COPY

    def look(
        self, pairs: Iterable[tuple[int, int]], without: dict[int, int], orientation: int, *, alike: bool = False
    ) -> None:
        asked = [Asked(row, col, (), orientation, alike) for row, col in pairs if row not in without]
        for pair, judged in self._judge(asked):
            if judged is None:
                continue
            if not judged.judgement.joined and not (self._similar and judged.judgement.transform is not None):
                continue
            before = self.best.get(pair.row)
            if before is None or _rank(judged) < _rank(before[1]):
                self.best[pair.row] = pair.col, judged

    def evidence(self, row: int, test: Store) -> tuple[int, Evidence]:
        col, judged = self.best[row]
        pair = np.array([row]), np.array([col])
        score = scores_of(*pair, self._queries, self._gallery)[0]
        files = test.pictures_of(row)
        apart = distance(self._queries.hashes[row], self._gallery.hashes[col])
        return col, evidence_of(judged, files[0], float(score), apart) if files else IDENTICAL


def _rank(judged: Judged) -> tuple[bool, int, float]:
    found = judged.judgement
    return not found.joined, _STRENGTH[found.relation], -found.agreement
