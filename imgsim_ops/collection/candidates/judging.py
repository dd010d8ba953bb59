"""Judging pairs of a collection's pictures: many at once, each once only."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np

from imgsim_ops.collection.candidates.looking import Looking
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.pair import transform_by_features
from imgsim_ops.matching.relations import VERSION, Judgement, Relation, judge, lie_over_each_other, whole_to_whole

_AHEAD = 4


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
    """

    row: int
    col: int
    hints: tuple[np.ndarray, ...] = ()
    orientation: int = 1
    alike: bool = False


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
        # Pairs are what is done side by side; OpenCV's own threads would only wait for each other.
        self._inner = opencv().getNumThreads()
        opencv().setNumThreads(1)
        return self

    def __exit__(self, *exception: object) -> None:
        opencv().setNumThreads(self._inner)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(self, asked: Iterable[Asked]) -> Iterator[tuple[Asked, Judged | None]]:
        """What pairs are to each other, in their order; None where one cannot be read."""
        pairs = list(asked)
        pending: deque[tuple[Asked, Future]] = deque()
        done = 0
        for pair in pairs:
            pending.append((pair, self._begun(pair)))
            if len(pending) > _AHEAD * self._threads:
                done += 1
                yield self._answer(*pending.popleft(), done, len(pairs))
        for pair, future in pending:
            done += 1
            yield self._answer(pair, future, done, len(pairs))
        self._b.commit()

    def _begun(self, pair: Asked) -> Future:
        # The store answers in this thread only; what is read soon is on its way then.
        if self._a.files(pair.row) and self._b.files(pair.col):
            before = self._before(pair)
            if before is not None:
                known: Future = Future()
                known.set_result(before)
                return known
            for looking, row in ((self._a, pair.row), (self._b, pair.col)):
                if self._needs_looks(pair) or not looking.is_described(row):
                    looking.expect(row)
        return self._pool.submit(self._one, pair)

    def _answer(self, pair: Asked, future: Future, done: int, total: int) -> tuple[Asked, Judged | None]:
        answer = future.result()
        if answer is None:
            self.unreadable += 1
        else:
            self.judged += 1
        self._progress("Comparing", done, total)
        return pair, answer

    def _one(self, pair: Asked) -> Judged | None:
        ones, others = self._a.files(pair.row), self._b.files(pair.col)
        if not ones or not others:
            return None
        before = self._before(pair)  # of the same contents, perhaps, a moment ago
        if before is not None:
            return before
        found = self._judge(pair)
        if found is None:
            return None
        found = replace(found, hinted=bool(pair.hints))
        self._b.keep_judged(ones[0].sha256, others[0].sha256, self._kind(pair), VERSION, _as_json(found))
        return found

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
        hinted = bool(pair.hints) and found is not None and not (found.judgement.joined or found.hinted)
        return None if hinted else found

    def _needs_looks(self, pair: Asked) -> bool:
        return bool(pair.hints) or pair.alike or not self._features

    def _judge(self, pair: Asked) -> Judged | None:
        found: Judged | None = None
        if self._needs_looks(pair):
            a, b = self._a.look(pair.row), self._b.look(pair.col)
            if a is None or b is None:
                return None
            hints = [*pair.hints, whole_to_whole(a, b, pair.orientation)]
            found = Judged(judge(a, b, hints, likely=bool(pair.hints) or pair.alike))
            if found.judgement.joined or not self._features:
                return found
        # Most pairs are of unlike pictures: local features and a few pixels are enough to see that.
        one, other = self._a.features(pair.row), self._b.features(pair.col)
        small = self._a.small(pair.row), self._b.small(pair.col)
        if one is None or other is None or small[0] is None or small[1] is None:
            return found
        transform, inliers = transform_by_features(one, other)
        whole = whole_to_whole(small[0], small[1], pair.orientation)
        if transform is None and (found is not None or not lie_over_each_other(small[0], small[1], whole)):
            return found or Judged(Judgement(Relation.LOOK_ALIKE), inliers)
        a, b = self._a.look(pair.row), self._b.look(pair.col)
        if a is None or b is None:
            return None
        transforms = [*pair.hints, whole] if transform is None else [transform, *pair.hints, whole]
        better = Judged(judge(a, b, transforms), inliers)
        return better if found is None or _rank(better) >= _rank(found) else found


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
