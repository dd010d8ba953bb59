"""Which pictures may be copies of each other, by perceptual hashes and by vectors. What they are, pixels tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.collection.store.store import Store
from imgsim_ops.matching import rules
from imgsim_ops.matching.distribution import unlike_threshold
from imgsim_ops.matching.hashes import links_within, pairs_within
from imgsim_ops.matching.options import MatchOptions

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

# Pairs whose vectors are gathered at once, at some kilobytes each.
_BLOCK = 4096
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the stages know of the contents of a collection, by row.

    Attributes:
        hashes: Perceptual hashes, uint8 (N, 32).
        vectors: float16 (N * crops, D), those of a content beside each other.
        crops: Vectors for each content.
        alive: Whether a file has the content, bool (N,).
    """

    hashes: np.ndarray
    vectors: np.ndarray
    crops: int
    alive: np.ndarray

    @classmethod
    def of(cls, store: Store) -> Pictures:
        """Those of a collection by its own recipe."""
        vectors = store.vectors()  # before the number of crops is asked for, which may be another one then
        return cls(store.hashes(), vectors, store.crops, store.live())

    def __len__(self) -> int:
        return len(self.hashes)

    def vectors_of(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of some contents, float16 (R * crops, D)."""
        return self.vectors[(rows[:, np.newaxis] * self.crops + np.arange(self.crops)).ravel()]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of pictures of two collections, or of one.

    Attributes:
        rows: int64 (P,), of the one.
        cols: int64 (P,), of the other.
        scores: float32 (P,), cosine, the best over the crops of both.
        orientation: How the one is turned.
    """

    rows: np.ndarray
    cols: np.ndarray
    scores: np.ndarray
    orientation: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: np.ndarray) -> Pairs:
        return Pairs(self.rows[chosen], self.cols[chosen], self.scores[chosen], self.orientation)


def candidate_threshold(pictures: Pictures, match: MatchOptions, rows: np.ndarray | None = None) -> float:
    """The score from which on pairs are looked at.

    Args:
        pictures: The collection. The scores of its unlike pictures say what a score means: by default each picture has
            ``rules.CANDIDATES`` others by chance above it.
        match: A score, or a share of pairs of unlike pictures, in place of that.
        rows: One picture each of what is different: copies would raise it. None: all.
    """
    if match.threshold is not None:
        return match.threshold
    vectors = pictures.vectors if rows is None else pictures.vectors_of(rows)
    contents = len(vectors) // pictures.crops
    share = match.false_positives or min(0.5, rules.CANDIDATES / max(1, contents - 1))
    return unlike_threshold(vectors, pictures.crops, share)


def nearest_pairs(vectors: np.ndarray, rows: np.ndarray, gallery: Pictures, k: int, orientation: int = 1) -> Pairs:
    """The contents of a collection that are nearest to queries.

    Args:
        vectors: float16 (Q * crops, D), of the queries.
        rows: int64 (Q,), what the answer calls them.
        gallery: The collection.
        k: How many for each query; fewer where contents whose files are gone are nearer than that.
        orientation: How the queries are turned.

    Returns:
        Pairs of a query and a content, by query, then content.
    """
    crops = gallery.crops
    # Each content may come once for each of its crops and of the query's; orphans fill places too.
    wanted = min(len(gallery.vectors), crops * (k + min(int((~gallery.alive).sum()), k)))
    if not wanted or not len(vectors):
        none = np.empty(0, np.int64)
        return Pairs(none, none, np.empty(0, np.float32), orientation)
    scores, found = kernels.cosine_topk(vectors, gallery.vectors, wanted)
    queries = np.repeat(np.arange(len(rows)), crops * wanted)
    found, scores = found.ravel() // crops, scores.ravel()
    kept = gallery.alive[found]
    best = _best(queries[kept], found[kept], scores[kept], len(gallery))
    best = best[among_best(best.rows, best.scores, k)]
    return Pairs(rows[best.rows], best.cols, best.scores, orientation)


def hash_links(pictures: Pictures) -> np.ndarray:
    """Pairs of contents of one collection whose perceptual hashes are close, int64 (P, 2), the closest first.

    Where very many are alike, each is linked to one of them only, see ``hashes.links_within``.
    """
    alive = np.flatnonzero(pictures.alive)
    found = [np.stack(triple, 1) for triple in links_within(pictures.hashes[alive], rules.PERCEPTUAL_BITS)]
    links = np.concatenate([np.empty((0, 3), np.int64), *found])
    links = links[np.lexsort((links[:, 1], links[:, 0], links[:, 2]))]
    return alive[links[:, :2]]


def hash_pairs_between(queries: Pictures, gallery: Pictures) -> Pairs:
    """The same of contents of two collections whose vectors follow one recipe."""
    here, there = np.flatnonzero(queries.alive), np.flatnonzero(gallery.alive)
    rows, cols = _within(np.concatenate([queries.hashes[here], gallery.hashes[there]]))
    between = (rows < len(here)) & (cols >= len(here))
    rows, cols = here[rows[between]], there[cols[between] - len(here)]
    return Pairs(rows, cols, scores_of(rows, cols, queries, gallery))


def _within(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [(rows, cols) for rows, cols, _ in pairs_within(hashes, rules.PERCEPTUAL_BITS)]
    none = np.empty(0, np.int64)
    rows, cols = (np.concatenate([none, *(pair[side] for pair in found)]) for side in range(2))
    order = np.lexsort((cols, rows))
    return rows[order], cols[order]


def scores_of(rows: np.ndarray, cols: np.ndarray, a: Pictures, b: Pictures) -> np.ndarray:
    """The scores of pairs of contents of two collections, float32 (P,)."""
    scores = np.empty(len(rows), np.float32)
    for first in range(0, len(rows), _BLOCK):
        part = slice(first, first + _BLOCK)
        x, y = (p.vectors_of(some[part]).astype(np.float32) for p, some in ((a, rows), (b, cols)))
        x, y = x.reshape(-1, a.crops, 1, x.shape[1]), y.reshape(-1, 1, b.crops, y.shape[1])
        scores[part] = kernels.cosine_similarity(x, y).max((1, 2))
    return scores


def likeness(rows: np.ndarray, pictures: Pictures) -> np.ndarray:
    """How much each of some contents is like all of them together, float32 (R,): the most is nearest to the middle."""

    def blocks() -> Iterator[tuple[slice, np.ndarray]]:
        for first in range(0, len(rows), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            some = rows[part]
            each = pictures.vectors_of(some).astype(np.float32).reshape(len(some), -1)
            yield part, each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-6)

    # In blocks, as there may be ten thousand copies of one picture.
    together = sum(each.sum(0) for _, each in blocks())
    found = np.empty(len(rows), np.float32)
    for part, each in blocks():
        found[part] = each @ together
    return found


def _best(rows: np.ndarray, cols: np.ndarray, scores: np.ndarray, count: int) -> Pairs:
    """Each pair once, with the best of its scores, ordered; `cols` are below `count`."""
    keys = rows * count + cols
    order = np.lexsort((-scores, keys))
    order = order[np.diff(keys[order], prepend=-1) != 0]
    return Pairs(rows[order], cols[order], scores[order].astype(np.float32))


def among_best(owners: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Which scores are among the k best of their owner, bool."""
    order = np.lexsort((-scores, owners))
    ordered = owners[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    place = np.arange(len(owners)) - np.repeat(starts, np.diff(starts, append=len(owners)))
    chosen = np.zeros(len(owners), bool)
    chosen[order[place < k]] = True
    return chosen
