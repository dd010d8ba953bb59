"""Which pictures are copies of each other: the cheapest look that settles it, for every pair that may be one.

Equal bytes come first, which the store knows. Then perceptual hashes a few bits apart: a picture saved anew, resized or
written upon. Then vectors so alike that few unlike pictures are. What is near but not so near is looked at again: local
features of both pictures, and one transform that explains them. Each stage sees only what the one before left open.
Pictures of at most ``embedding.crops.SMALL`` pixels have too few features, so that the last stage is not for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.collection.candidates.features import FeatureSource
from imgsim_ops.collection.findings import Evidence
from imgsim_ops.collection.store.store import Store
from imgsim_ops.embedding.crops import SMALL
from imgsim_ops.images.orientation import INVERSE, LINEAR, MIRRORED
from imgsim_ops.matching import rules
from imgsim_ops.matching.alignment import Match, verify
from imgsim_ops.matching.distribution import unlike_threshold
from imgsim_ops.matching.hashes import distances, is_flat, pairs_within
from imgsim_ops.matching.options import MatchOptions

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]

Transform = tuple[float, float, float, float, float, float]

# Pairs whose vectors are gathered at once, at some kilobytes each.
_BLOCK = 4096


@dataclass(frozen=True)
class Thresholds:
    """From which scores on what happens.

    Attributes:
        alone: Pairs of at least this score are copies by their vectors alone.
        candidate: Pairs of at least this score are looked at again.
    """

    alone: float
    candidate: float


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the stages know of the contents of a collection, by row.

    Attributes:
        hashes: Perceptual hashes, uint8 (N, 32).
        vectors: float16 (N * crops, D), those of a content beside each other.
        crops: Vectors for each content.
        alive: Whether a file has the content, bool (N,).
        small: Whether it has too few pixels for local features, bool (N,).
        recipe: The name of what made the vectors.
        whitened: Whether they are whitened.
    """

    hashes: np.ndarray
    vectors: np.ndarray
    crops: int
    alive: np.ndarray
    small: np.ndarray
    recipe: str
    whitened: bool

    @classmethod
    def of(cls, store: Store) -> Pictures:
        """Those of a collection by its own recipe."""
        vectors = store.vectors()  # before the recipe is looked at, which may be another one then
        small = store.longer_sides() <= SMALL
        return cls(
            store.hashes(), vectors, store.crops, store.live(), small, store.recipe.name, store.whitening is not None
        )

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


def choose_thresholds(pictures: Pictures, match: MatchOptions) -> Thresholds:
    """The thresholds for a collection.

    Args:
        pictures: The collection. The scores of its unlike pictures say what a score means.
        match: The share of false positives is one in a million by default, and in collections of over 1,400 pictures so
            small that one pair is expected among all. Never does the threshold that follows from it fall below what was
            measured for the recipe, see ``rules.vector_threshold``.
    """
    pairs = max(1, len(pictures) * (len(pictures) - 1) // 2)

    def reached_by(share: float) -> float:
        return unlike_threshold(pictures.vectors, pictures.crops, share)

    alone = match.threshold
    if alone is None:
        unlike = reached_by(match.false_positives or min(1e-6, 1 / pairs))
        alone = rules.vector_threshold(pictures.recipe, pictures.whitened, unlike)
    # Each picture has so many others by chance above it, besides its copies.
    candidate = reached_by(min(0.5, rules.CANDIDATES / max(1, len(pictures) - 1)))
    return Thresholds(alone, min(alone, candidate))


# --- candidates ------------------------------------------------------------------------------------------------------


def near_pairs(pictures: Pictures, least: float) -> Pairs:
    """All pairs of contents of one collection whose vectors score at least so much, by row, then column."""
    rows, cols, scores = kernels.cosine_pairs(pictures.vectors, least)
    rows, cols = rows // pictures.crops, cols // pictures.crops
    kept = (rows != cols) & pictures.alive[rows] & pictures.alive[cols]
    return _best(rows[kept], cols[kept], scores[kept], len(pictures))


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
    best = best[_among_best(best.rows, best.scores, k)]
    return Pairs(rows[best.rows], best.cols, best.scores, orientation)


def hash_pairs(pictures: Pictures) -> Pairs:
    """All pairs of contents of one collection whose perceptual hashes are at most ``rules.PERCEPTUAL_BITS`` apart."""
    alive = np.flatnonzero(pictures.alive)
    rows, cols = (alive[side] for side in _within(pictures.hashes[alive]))
    return Pairs(rows, cols, scores_of(rows, cols, pictures, pictures))


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


def _best(rows: np.ndarray, cols: np.ndarray, scores: np.ndarray, count: int) -> Pairs:
    """Each pair once, with the best of its scores, ordered; `cols` are below `count`."""
    keys = rows * count + cols
    order = np.lexsort((-scores, keys))
    order = order[np.diff(keys[order], prepend=-1) != 0]
    return Pairs(rows[order], cols[order], scores[order].astype(np.float32))


def _among_best(owners: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Which scores are among the k best of their owner, bool."""
    order = np.lexsort((-scores, owners))
    ordered = owners[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    place = np.arange(len(owners)) - np.repeat(starts, np.diff(starts, append=len(owners)))
    chosen = np.zeros(len(owners), bool)
    chosen[order[place < k]] = True
    return chosen


def worth_verifying(pairs: Pairs) -> np.ndarray:
    """Which pairs of one collection are among the ``rules.CANDIDATES`` best of either picture, bool (P,)."""
    owners = np.concatenate([pairs.rows, pairs.cols])
    best = _among_best(owners, np.concatenate([pairs.scores, pairs.scores]), rules.CANDIDATES)
    return best[: len(pairs)] | best[len(pairs) :]


# --- deciding --------------------------------------------------------------------------------------------------------


def settle(
    pairs: Pairs, hashes: np.ndarray, others: np.ndarray, thresholds: Thresholds
) -> tuple[list[Evidence | None], np.ndarray]:
    """What hashes and vectors alone say of pairs.

    A vector says nothing of a picture without any structure, all black or all white: networks were trained on none. It
    is a copy only of equal bytes, unless local features find something in it.

    Args:
        pairs: The pairs.
        hashes: Perceptual hashes of the one of each pair, turned as it is, uint8 (P, 32).
        others: Those of the other.
        thresholds: As of `choose_thresholds`.

    Returns:
        For each pair the evidence, or None; and bool (P,), which of those without are to be verified.
    """
    apart = distances(hashes, others)
    hashed = ~is_flat(hashes) & ~is_flat(others)
    perceptual = apart <= rules.PERCEPTUAL_BITS
    sure = hashed & (perceptual | (pairs.scores >= thresholds.alone))
    found: list[Evidence | None] = [None] * len(pairs)
    for i in np.flatnonzero(sure):
        found[i] = Evidence(
            "perceptual" if perceptual[i] else "vector",
            _score(pairs.scores[i]),
            int(apart[i]),
            orientation=pairs.orientation,
        )
    return found, ~sure & (pairs.scores >= thresholds.candidate)


class Verifier:
    """Looks at pairs of pictures again, by their local features.

    Attributes:
        verified: How many pairs were looked at.
        unverified: How many were not, as one of the pictures cannot be read any more or has changed.
    """

    def __init__(self, a: FeatureSource, b: FeatureSource, threads: int, progress: Progress) -> None:
        """Used as a context.

        Args:
            a: Features of the ones.
            b: Features of the others, perhaps the same.
            threads: How many pairs at once; 0 means as many as there are processors.
            progress: Called while pictures are described and compared.
        """
        self.verified = self.unverified = 0
        self._a, self._b = a, b
        self._progress = progress
        self._pool = ThreadPoolExecutor(threads or kernels.build_info()["threads"], thread_name_prefix="imgsim-verify")

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def evidence(self, pairs: Pairs) -> Iterator[tuple[int, int, Evidence | None]]:
        """Rows, columns, and what the local features say: None where the one is no copy of the other."""
        mirrored = pairs.orientation in MIRRORED
        ones, others = [(int(row), mirrored) for row in pairs.rows], [(int(col), False) for col in pairs.cols]

        def describing(done: int, total: int) -> None:
            self._progress("Describing", done, total)

        if self._a is self._b:
            self._a.describe([*ones, *others], describing)
        else:
            self._a.describe(ones, describing)
            self._b.describe(others, describing)
        for first in range(0, len(pairs), _BLOCK // 16):
            part = range(first, min(first + _BLOCK // 16, len(pairs)))
            matches = []
            for i in part:
                a, b = self._a.get(*ones[i]), self._b.get(*others[i])
                matches.append(None if a is None or b is None else (a, self._pool.submit(verify, a, b)))
            for i, match in zip(part, matches, strict=True):
                answer = None
                if match is None:
                    self.unverified += 1
                else:
                    features, future = match
                    answer = _local(pairs.scores[i], future.result(), features.width if mirrored else None)
                    self.verified += 1
                self._progress("Comparing", i + 1, len(pairs))
                yield ones[i][0], others[i][0], answer


def _local(score: float, match: Match, mirrored_width: int | None) -> Evidence | None:
    if match.transform is None or not rules.is_copy(match):
        return None
    a, b, c, d, e, f = match.transform
    if mirrored_width is not None:  # from the picture as it is, not from its mirror image
        a, c, d, f = -a, c + a * mirrored_width, -d, f + d * mirrored_width
    transform = (a, b, c, d, e, f)
    return Evidence(
        "local", _score(score), inliers=match.inliers, transform=transform, orientation=_orientation(transform)
    )


def _orientation(transform: Transform) -> int:
    """The orientation that is nearest to a transform."""
    a, b, _, d, e, _ = transform
    return max(LINEAR, key=lambda number: float((np.array(LINEAR[number]) * ((a, b), (d, e))).sum()))


def _score(score: float) -> float:
    return min(1.0, float(score))


def confidence(evidence: Evidence) -> float:
    """How sure evidence is, from 0 to 1, over all stages."""
    if evidence.stage == "content":
        return 1.0
    distance = evidence.distance if evidence.stage == "perceptual" else None
    return float(rules.confidence(evidence.score, distance=distance, inliers=evidence.inliers or 0))


def reversed_evidence(evidence: Evidence) -> Evidence:
    """The evidence seen from the other picture."""
    transform = evidence.transform
    if transform is not None:
        a, b, c, d, e, f = transform
        inverse = np.linalg.inv([[a, b, c], [d, e, f], [0.0, 0.0, 1.0]])[:2]
        transform = tuple(float(value) for value in inverse.ravel())
    return Evidence(
        evidence.stage,
        evidence.score,
        evidence.distance,
        evidence.inliers,
        transform,
        INVERSE[evidence.orientation],
    )


Finding = TypeVar("Finding")


class Findings(Iterator[Finding]):
    """Groups or leaks, found while they are asked for.

    Attributes:
        thresholds: What they were found with.
        verifier: What it did so far; None where scores alone decide.
    """

    def __init__(
        self, thresholds: Thresholds, verifier: Verifier | None, findings: Iterator[Finding], resources: ExitStack
    ) -> None:
        """Closes `resources` after the last of `findings`, or with `close`."""
        self.thresholds, self.verifier = thresholds, verifier
        self._findings = findings
        self._resources = resources

    def __next__(self) -> Finding:
        try:
            return next(self._findings)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stops."""
        self._resources.close()

    def __enter__(self) -> Findings[Finding]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
