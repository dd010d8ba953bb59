"""Which pictures of a collection are most like a query: exact, by a scan of all vectors where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.collection.findings import Hit, Picture
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.orientation import orientations_asked

#: Query vectors that are looked for in one scan: more are no quicker for each, and the first answers come later.
BLOCK = 64
# Scores and rows held at once, 12 bytes each.
_MOST_HELD = 1 << 22

#: Of query vectors (Q, width) and a number k the scores and rows of the k vectors nearest to each, best first, ties by
#: the lower row; as ``kernels.cosine_topk``.
Nearest = Callable[[np.ndarray, int], tuple[Iterable[np.ndarray], Iterable[np.ndarray]]]


@dataclass(frozen=True)
class SearchOptions:
    """How pictures are searched for.

    Attributes:
        threshold: The least score of a hit.
        exclude_self: Leave out the query itself: pictures with the same bytes, or of the same path.
        flips: Look for the mirrored query too.
        rotations: Look for the query turned by quarters of a circle too; with `flips`, in all eight orientations.
        approximate: Look into the index that ``Collection.build_approximate`` made, which is quicker in a large
            collection and may miss some.

    Raises:
        ImgsimError: `threshold` is out of range.
    """

    threshold: float | None = None
    exclude_self: bool = False
    flips: bool = False
    rotations: bool = False
    approximate: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise ImgsimError(f"search: threshold must be a number from -1 to 1 (got {self.threshold})")

    @property
    def orientations(self) -> tuple[int, ...]:
        """EXIF's numbers of how queries are turned."""
        return orientations_asked(self.flips, self.rotations)


@dataclass(frozen=True, eq=False)
class Query:
    """A picture that others are looked for.

    Attributes:
        raw: float16 (orientations, raw_width): its raw vector in each of the orientations asked for.
        row: Of its content in the collection, which is no hit; None to take all.
        path: A picture of this absolute path is no hit; None to take all.
    """

    raw: np.ndarray
    row: int | None = None
    path: str | None = None


def queries_at_once(store: Store, orientations: Sequence[int]) -> int:
    """How many queries `search` likes to be asked in one call."""
    return max(1, BLOCK // (len(orientations) * store.crops))


def search(
    store: Store,
    queries: Sequence[Query],
    k: int,
    options: SearchOptions = SearchOptions(),
    nearest: Nearest | None = None,
) -> list[list[Hit]]:
    """The pictures most like each query.

    The score of two pictures is the best over the crops of both and the orientations. Memory grows with k, not with the
    collection.

    Args:
        store: The collection.
        queries: What to look for.
        k: How many pictures to find for each at the most. Files with equal bytes are a picture each.
        options: How. The raw vectors of queries are in the order of its orientations.
        nearest: Finds rows of ``store.vectors()``. Default: a scan of all, which is exact.

    Returns:
        For each query its hits, the best first, ties by the lower row, then by path. A vector that is not a number is
        no hit.
    """
    vectors = store.vectors()  # before the recipe is looked at, which may be another one then
    if nearest is None:
        nearest = _scan_of(vectors)
    if not len(vectors) or not queries:
        return [[] for _ in queries]
    asked = store.recipe.vectors(np.concatenate([query.raw for query in queries]), store.whitening)
    orientations, threshold = options.orientations, options.threshold
    each = len(orientations) * store.crops
    hits: list[list[Hit]] = [[] for _ in queries]
    # With one more for each thing that is left out on purpose one scan is enough, unless many files have gone.
    wanted = k + any(query.row is not None or query.path is not None for query in queries)
    pending = list(range(len(queries)))
    while pending:
        wanted = min(wanted, store.rows)
        rows = np.concatenate([np.arange(each * place, each * (place + 1)) for place in pending])
        ranked = _ranked(nearest, asked[rows], wanted, store, orientations)
        pictures = store.pictures_of_rows({content for found in ranked for content in found.contents.tolist()})
        unfinished = []
        for place, found in zip(pending, ranked, strict=True):
            hits[place] = list(islice(_hits(found, pictures, queries[place], threshold), k))
            below = threshold is not None and len(found.scores) and found.scores[-1] < threshold
            if len(hits[place]) < k and wanted < store.rows and not below:
                unfinished.append(place)
        pending, wanted = unfinished, 4 * wanted
    return hits


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Contents by falling score, ties by the lower row; none that is left out belongs before the last one."""

    scores: np.ndarray
    contents: np.ndarray
    turns: np.ndarray  # the orientation that scored best, the first of several

    @classmethod
    def best(cls, scores: np.ndarray, contents: np.ndarray, turns: np.ndarray, most: int) -> _Ranked:
        numbers = np.flatnonzero(~np.isnan(scores))
        order = numbers[np.lexsort((turns[numbers], contents[numbers], -scores[numbers]))]
        _, first = np.unique(contents[order], return_index=True)
        kept = order[np.sort(first)[:most]]
        return cls(scores[kept], contents[kept], turns[kept])


def _scan_of(vectors: np.ndarray) -> Nearest:
    return lambda queries, k: kernels.cosine_topk(queries, vectors, k)


def _ranked(
    nearest: Nearest, asked: np.ndarray, wanted: int, store: Store, orientations: Sequence[int]
) -> list[_Ranked]:
    """For each query its best contents, so many that none of the first `wanted` can be missing.

    A content among them has fewer than `wanted` contents before it in the order of the very crop and orientation in
    which it scores best, and so fewer than `wanted` times the number of crops rows.
    """
    crops = store.crops
    each = len(orientations) * crops
    depth = min(wanted * crops, store.rows * crops)
    step = max(1, min(BLOCK, _MOST_HELD // depth))
    none = np.empty(0, np.int64)
    ranked = [_Ranked(np.empty(0, np.float32), none, none) for _ in range(len(asked) // each)]
    for first in range(0, len(asked), step):
        for row, (scores, found) in enumerate(zip(*nearest(asked[first : first + step], depth), strict=True), first):
            before = ranked[row // each]
            turns = np.full(len(found), orientations[row % each // crops])
            ranked[row // each] = _Ranked.best(
                np.concatenate([before.scores, scores]),
                np.concatenate([before.contents, found // crops]),
                np.concatenate([before.turns, turns]),
                wanted,
            )
    return ranked


def _hits(found: _Ranked, pictures: dict[int, list[Picture]], query: Query, threshold: float | None) -> Iterator[Hit]:
    for score, content, turn in zip(found.scores.tolist(), found.contents.tolist(), found.turns.tolist(), strict=True):
        if threshold is not None and score < threshold:
            return
        if content != query.row:
            yield from (Hit(picture, score, turn) for picture in pictures[content] if picture.path != query.path)
