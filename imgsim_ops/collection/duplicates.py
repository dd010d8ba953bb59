"""Groups of copies in a collection."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.candidates.cascade import (
    Pairs,
    Pictures,
    Progress,
    Thresholds,
    Verifier,
    confidence,
    hash_pairs,
    near_pairs,
    nearest_pairs,
    reversed_evidence,
    scores_of,
    settle,
    worth_verifying,
)
from imgsim_ops.collection.findings import Evidence, Group, Member, Picture
from imgsim_ops.matching import rules

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.turned import Turned
    from imgsim_ops.collection.store.store import Store

#: Formats that keep every pixel; WebP may be either.
_LOSSLESS = {"PNG", "TIFF", "BMP", "GIF"}

_Edges = dict[tuple[int, int], Evidence]
_Confirm = Callable[[int, Sequence[int]], Iterable[tuple[int, Evidence]]]


def best_copy(pictures: Sequence[Picture]) -> int:
    """The position of the copy worth keeping.

    The one with the most pixels; among those one in a format that keeps every pixel (PNG, TIFF, BMP, GIF); then the
    larger file, which was compressed less; then the older one, which is more likely the original; then by path.
    """
    return min(range(len(pictures)), key=lambda i: _worth(pictures[i]))


def _worth(picture: Picture) -> tuple:
    lossless = picture.format in _LOSSLESS
    return -picture.width * picture.height, not lossless, -picture.size, picture.modified, os.fsencode(picture.path)


def find_duplicates(
    store: Store,
    pictures: Pictures,
    thresholds: Thresholds,
    verifier: Verifier | None,
    turned: Iterable[Turned] = (),
    progress: Progress = lambda what, done, total: None,
) -> Generator[Group, None, None]:
    """The groups of copies, by the first row of each.

    Every member of a group is a copy of its representative, which is the one with the most copies. A picture is in one
    group only; one that is a copy of members but of no representative is in none.

    Args:
        store: The collection.
        pictures: What `store` has.
        thresholds: See `cascade.choose_thresholds`.
        verifier: Looks at what scores leave open; None accepts none of that.
        turned: Pictures of the collection turned, which are looked for too.
        progress: Called while this goes on.
    """
    edges = _edges(pictures, thresholds, verifier, turned, progress)

    def confirm(row: int, others: Sequence[int]) -> Iterable[tuple[int, Evidence]]:
        rows = np.array([other for other in others if not pictures.small[other]], np.int64)
        if verifier is None or pictures.small[row] or not len(rows):
            return
        cols = np.full(len(rows), row)
        asked = Pairs(rows, cols, scores_of(rows, cols, pictures, pictures))
        for other, _, evidence in verifier.evidence(asked):
            if evidence is not None:
                yield other, evidence

    files: dict[int, list[Picture]] = {}

    def worth(row: int) -> tuple:
        if row not in files:
            files[row] = store.pictures_of(row)
        return min((_worth(picture) for picture in files[row]), default=())

    shared = set(store.shared_rows())
    for rows, evidence in _stars(edges, shared, worth, confirm):
        group = _group([files.pop(row, None) or store.pictures_of(row) for row in rows], evidence)
        if group is not None:
            yield group


def _edges(
    pictures: Pictures,
    thresholds: Thresholds,
    verifier: Verifier | None,
    turned: Iterable[Turned],
    progress: Progress,
) -> _Edges:
    """Evidence for all pairs of contents that are copies, by rows i < j; a transform leads from i to j."""
    edges: _Edges = {}

    def add(row: int, col: int, evidence: Evidence) -> None:
        if row > col:
            row, col, evidence = col, row, reversed_evidence(evidence)
        before = edges.get((row, col))
        if before is None or confidence(evidence) > confidence(before):
            edges[row, col] = evidence

    def look(pairs: Pairs, hashes: np.ndarray, others: np.ndarray) -> None:
        found, left_open = settle(pairs, hashes, others, thresholds)
        for row, col, evidence in zip(pairs.rows.tolist(), pairs.cols.tolist(), found, strict=True):
            if evidence is not None:
                add(row, col, evidence)
        if verifier is None:
            return
        seen = np.array([(min(p), max(p)) in edges for p in zip(pairs.rows, pairs.cols, strict=True)], bool)
        asked = pairs[left_open & ~seen & ~(pictures.small[pairs.rows] | pictures.small[pairs.cols])]
        for row, col, evidence in verifier.evidence(asked[worth_verifying(asked)]):
            if evidence is not None:
                add(row, col, evidence)

    for find in (hash_pairs, lambda given: near_pairs(given, thresholds.candidate)):
        progress("Searching", 0, 0)
        pairs = find(pictures)
        look(pairs, pictures.hashes[pairs.rows], pictures.hashes[pairs.cols])
    for block in turned:
        pairs = nearest_pairs(block.vectors, block.rows, pictures, rules.CANDIDATES + 1, block.orientation)
        pairs = pairs[(pairs.rows != pairs.cols) & (pairs.scores >= thresholds.candidate)]
        places = np.searchsorted(block.rows, pairs.rows)
        look(pairs, block.hashes[places], pictures.hashes[pairs.cols])
    return edges


def _stars(
    edges: _Edges, alone: set[int], worth: Callable[[int], tuple], confirm: _Confirm
) -> Iterator[tuple[list[int], list[Evidence | None]]]:
    """Rows of each group, the representative first, with the evidence of each.

    Args:
        edges: See `_edges`.
        alone: Rows that are a group already, as several files have this content.
        worth: Orders rows of one group: the least is the best copy.
        confirm: Says which of the rows are copies of the first one, though they have no edge to it.
    """
    neighbours: dict[int, set[int]] = defaultdict(set)
    for row, col in edges:
        neighbours[row].add(col)
        neighbours[col].add(row)
    for row in alone:
        neighbours[row].add(row)
    seen: set[int] = set()
    for first in sorted(neighbours):
        if first in seen:
            continue
        component = _reachable(first, neighbours)
        seen |= component
        while component:
            center = min(component, key=lambda row: (-len(neighbours[row] & component - {row}), worth(row)))
            found = {row: _seen_from(center, row, edges) for row in sorted((neighbours[center] & component) - {center})}
            if not found and center not in alone:
                component.discard(center)
                continue
            if others := sorted(component - found.keys() - {center}):
                found.update(confirm(center, others))
            component -= found.keys() | {center}
            rows = sorted(found, key=lambda row: (-confidence(found[row]), -found[row].score, row))
            yield [center, *rows], [None, *(found[row] for row in rows)]


def _reachable(first: int, neighbours: dict[int, set[int]]) -> set[int]:
    found, left = {first}, [first]
    while left:
        new = neighbours[left.pop()] - found
        found |= new
        left.extend(new)
    return found


def _seen_from(center: int, row: int, edges: _Edges) -> Evidence:
    """Why `row` is a copy of `center`: the transform leads from the member to the representative."""
    return edges[row, center] if row < center else reversed_evidence(edges[center, row])


def _group(files: Sequence[Sequence[Picture]], evidence: Sequence[Evidence | None]) -> Group | None:
    """All files of contents; None where files have gone since, so that fewer than two are left."""
    members = []
    for pictures, why in zip(files, evidence, strict=True):
        for place, picture in enumerate(sorted(pictures, key=_worth)):
            first = why is None and place == 0
            members.append(Member(picture, None if first else why or Evidence("content", 1.0)))
    if len(members) < 2 or members[0].evidence is not None:
        return None
    return Group(members, best_copy([member.picture for member in members]))
