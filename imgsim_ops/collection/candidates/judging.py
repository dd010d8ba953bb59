"""Judging pairs of a collection's pictures: many at once, each once only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from imgsim_ops.ahead import in_order, known
from imgsim_ops.collection.candidates.looking import Looking
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import whole_to_whole
from imgsim_ops.matching.pair import transform_by_features
from imgsim_ops.matching.relations import VERSION, Judgement, Relation, judge, lie_over_each_other

_AHEAD = 4


@dataclass(frozen=True, eq=False)
class Through:
    """Two other pictures that lead from the one of a pair to the other.

    Attributes:
        row: To which the one leads.
        col: From which it goes on to the other.
        before: From pixels of the one to those of `row`, float64 (3, 3).
        after: From pixels of `col` to those of the other, likewise.
        orientation: EXIF's number of how `row` is turned to lie like `col`.
    """

    row: int
    col: int
    before: np.ndarray
    after: np.ndarray
    orientation: int = 1


@dataclass(frozen=True, eq=False)
class Asked:
    """A pair to judge.

    Attributes:
        row: The one, a row of its collection.
        col: The other.
        hints: Transforms to try, from pixels of the one to those of the other, float64 (3, 3) each.
        orientation: EXIF's number of how the one is turned to lie like the other.
        alike: Their hashes say that all of the one may lie over all of the other, which is tried first, and costs less
            than local features.
        through: Two pictures of which nothing is known yet, in place of these two: what lies between them is looked for
            first, then these are judged.
    """

    row: int
    col: int
    hints: tuple[np.ndarray, ...] = ()
    orientation: int = 1
    alike: bool = False
    through: Through | None = None

    @property
    def first(self) -> Asked:
        """What is looked for first."""
        through = self.through
        return self if through is None else Asked(through.row, through.col, orientation=through.orientation)

    @property
    def is_hinted(self) -> bool:
        """Whether something is known of how they lie over each other."""
        return bool(self.hints) or self.through is not None


@dataclass(frozen=True)
class Judged:
    """A pair that was judged.

    Attributes:
        judgement: What they are to each other.
        inliers: Local features that agreed on a transform; None where none were looked at.
        hinted: A transform was known beforehand.
    """

    judgement: Judgement
    inliers: int | None = None
    hinted: bool = False

    def reversed(self) -> Judged:
        """Seen from the other picture."""
        return Judged(self.judgement.reversed(), self.inliers, self.hinted)


class Judge:
    """Judges pairs of pictures of two collections, or of one; used as a context.

    Attributes:
        judged: How many pairs were looked at, now or before.
        unreadable: How many could not be, as one of the pictures cannot be read any more or has changed.
    """

    def __init__(
        self, a: Looking, b: Looking, threads: int, features: bool, progress: Callable[[str, int, int], None]
    ) -> None:
        """Starts threads.

        Args:
            a: Of the ones.
            b: Of the others, perhaps the same. It keeps what is judged.
            threads: How many pairs at once.
            features: Whether to look for transforms by local features.
            progress: Called while pairs are compared.
        """
        self.judged = self.unreadable = 0
        self._a, self._b = a, b
        self._features = features
        self._progress = progress
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="imgsim-judge")

    def __enter__(self) -> Judge:
        # Pairs are what is done side by side; the threads of OpenCV and of NumPy would only wait for each other, those
        # of the latter by turning round, which takes as much time as all else.
        self._inner = opencv().getNumThreads()
        opencv().setNumThreads(1)
        self._limits = threadpool_limits(1, "blas")
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._limits.restore_original_limits()
        opencv().setNumThreads(self._inner)

    def __call__(self, asked: Iterable[Asked]) -> Iterator[tuple[Asked, Judged | None]]:
        """What pairs are to each other, in their order; None where one cannot be read."""
        pairs = list(asked)
        # Most pairs are sorted out by local features and few pixels, all before any are looked at: so each picture's
        # pixels are read once more at most, for pairs that lie side by side.
        ahead = _AHEAD * self._threads
        sorted_out = []
        for begun in in_order(self._begun, pairs, ahead):
            sorted_out.append(begun)
            self._progress("Comparing", len(sorted_out), 2 * len(pairs))
        for done, ((pair, _), found) in enumerate(in_order(self._looked_at, sorted_out, ahead), 1):
            if found is None:
                self.unreadable += 1
            else:
                self.judged += 1
            self._progress("Comparing", len(pairs) + done, 2 * len(pairs))
            yield pair, found
        self._b.commit()

    def _begun(self, pair: Asked) -> Future:
        """Sorts a pair out: what it was judged to be, None where it cannot be read, or how to look at it."""
        # The store answers in this thread only; what is read soon is on its way then.
        first = pair.first
        rows, cols = {pair.row, first.row}, {pair.col, first.col}
        if not all(map(self._a.files, rows)) or not all(map(self._b.files, cols)):
            return known(None)
        before = self._before(pair)
        if before is None and first is not pair:
            leads = self._before(first)
            before = leads if leads is not None and not leads.judgement.joined else None
        if before is not None:
            return known(before)
        likely = bool(pair.hints) or pair.alike
        if likely or not self._features:
            return known(_Open(likely=likely))
        self._a.expect_described(first.row)
        self._b.expect_described(first.col)
        return self._pool.submit(self._sorted_out, pair)

    def _looked_at(self, begun: tuple[Asked, Judged | _Open | None]) -> Future:
        pair, found = begun
        if not isinstance(found, _Open):
            return known(found)
        self._a.expect(pair.row)
        self._b.expect(pair.col)
        return self._pool.submit(self._judged, pair, found)

    def _kind(self, pair: Asked) -> int:
        return 2 * pair.orientation + self._features

    def _before(self, pair: Asked) -> Judged | None:
        """What was judged before; where nothing was found, a transform that was not known then may find more."""
        content, other = self._a.files(pair.row)[0].sha256, self._b.files(pair.col)[0].sha256
        kept = self._b.judged(content, other, self._kind(pair), VERSION)
        found = None if kept is None else _from_json(kept)
        if found is None and pair.orientation == 1:
            kept = self._b.judged(other, content, self._kind(pair), VERSION)
            found = None if kept is None else _from_json(kept).reversed()
        hinted = pair.is_hinted and found is not None and not (found.judgement.joined or found.hinted)
        return None if hinted else found

    def _sorted_out(self, pair: Asked) -> Judged | _Open | None:
        """By local features and few pixels, which are enough to see that pictures are unlike: most pairs are."""
        first, through = pair.first, pair.through
        one, other = self._a.described(first.row), self._b.described(first.col)
        if one is None or other is None:
            return None
        transform, inliers = transform_by_features(one.features, other.features)
        if transform is None:
            small, there = one.small(), other.small()
            whole = whole_to_whole(small, there, first.orientation)
            if not lie_over_each_other(small, there, whole):
                return self._kept(first, Judged(Judgement(Relation.LOOK_ALIKE), inliers))
            transform = whole if through else None
        if through:
            transform = through.after @ transform @ through.before
        return _Open(transform, inliers)

    def _judged(self, pair: Asked, open_: _Open) -> Judged | None:
        """By the pixels."""
        before = self._before(pair)  # of the same contents, perhaps, a moment ago
        if before is not None:
            return before
        a, b = self._a.look(pair.row), self._b.look(pair.col)
        if a is None or b is None:
            return None
        transforms = [*pair.hints, whole_to_whole(a, b, pair.orientation)]
        if open_.transform is not None:
            transforms.insert(0, open_.transform)
        pieces = partial(self._a.piece, pair.row), partial(self._b.piece, pair.col)
        found = Judged(judge(a, b, transforms, likely=open_.likely, pieces=pieces), open_.inliers)
        if not found.judgement.joined and self._features and open_.inliers is None:
            better = self._sorted_out(pair)
            if isinstance(better, _Open) and better.transform is not None:
                judgement = judge(a, b, [better.transform, *transforms], pieces=pieces)
                better = Judged(judgement, better.inliers)
                found = better if _rank(better) >= _rank(found) else found
        return self._kept(pair, found)

    def _kept(self, pair: Asked, found: Judged) -> Judged:
        found = replace(found, hinted=pair.is_hinted)
        one, other = self._a.files(pair.row)[0].sha256, self._b.files(pair.col)[0].sha256
        self._b.keep_judged(one, other, self._kind(pair), VERSION, _as_json(found))
        return found


@dataclass(frozen=True, eq=False)
class _Open:
    """A pair that must be looked at.

    Attributes:
        transform: By local features, float64 (3, 3); None where they were not looked at, or agree on none.
        inliers: How many of them agree; None where they were not looked at.
        likely: What is tried first is likely right.
    """

    transform: np.ndarray | None = None
    inliers: int | None = None
    likely: bool = False


def _rank(found: Judged) -> tuple[bool, float]:
    return found.judgement.relation is not Relation.LOOK_ALIKE, found.judgement.agreement


def _as_json(found: Judged) -> str:
    return json.dumps(
        {
            **asdict(found.judgement),
            "relation": found.judgement.relation.value,
            "inliers": found.inliers,
            "hinted": found.hinted,
        }
    )


def _from_json(content: str) -> Judged:
    fields = json.loads(content)
    inliers, hinted = fields.pop("inliers"), fields.pop("hinted")
    transform = fields["transform"]
    return Judged(
        Judgement(
            Relation(fields["relation"]),
            None if transform is None else tuple(transform),
            tuple(fields["overlap"]),
            fields["agreement"],
            tuple((tuple(here), tuple(there)) for here, there in fields["differences"]),
            fields["joined"],
            (tuple(fields["lacks"][0]), tuple(fields["lacks"][1])),
            fields["original"],
            fields["why"],
            fields["equal"],
        ),
        inliers,
        hinted,
    )
