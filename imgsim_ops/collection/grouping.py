"""Groups of pictures that come of one picture, each compared with the one that is kept.

Nothing is chained: a member is what it is to the picture kept. Whom to compare is found until nothing new is found: the
nearest of each picture outside of its own group, then outside of what that has become. Pairs are asked for in great
numbers at once, as judging them takes time and can be done side by side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from imgsim_ops.collection.candidates.judging import Asked, Judged, Through
from imgsim_ops.matching.relations import Judgement, Relation

#: Judges pairs, in order; None where one cannot be read.
Judges = Callable[[Iterable[Asked]], Iterable[tuple[Asked, Judged | None]]]
#: Of rows, and what group each row is in, int64 (N,): pairs of rows of different groups that are near each other, with
#: the orientation of the first, the nearest first.
Neighbours = Callable[[np.ndarray, np.ndarray], Iterable[tuple[int, int, int]]]

# Pictures that were alike by their hashes, and were none, are tried with so many others.
_TRIES = 6
# Pictures of a group that look for others, and are found by them.
DELEGATES = 8
_MOST_ROUNDS = 8
# Agreement, and overlap, of pictures for which one of them looks; and how far its pixels may be turned or squashed.
_MUCH = 0.9
_TURNED = 0.2
# Agreement, and matching local features, that pictures of unlike things do not have.
_ALIKE = 0.3
_MANY_INLIERS = 12
# Groups that are worked on at once.
_SIDE_BY_SIDE = 4
# Members that are compared with another picture to keep before it is seen whether that goes well.
_AT_ONCE = 8
# What tells an original less surely than what is shown does.
_TRACES = ("compression", "noise", "contrast")
# Times that the picture kept changes before the last one stays.
_MOST_CROWNS = 6

_T = TypeVar("_T")
_Work = Generator[list[Asked], list[Judged | None], _T]


@dataclass(eq=False)
class Cluster:
    """Contents that come of one picture.

    Attributes:
        keep: The row that is kept.
        members: All others, and what each is to it.
        grown: It is not known yet whether another of them is worth keeping.
    """

    keep: int
    members: dict[int, Judged] = field(default_factory=dict)
    grown: bool = False

    def __len__(self) -> int:
        return 1 + len(self.members)

    @property
    def rows(self) -> set[int]:
        """All of them."""
        return {self.keep, *self.members}

    def transform(self, row: int) -> np.ndarray:
        """From a picture of it to the one kept, float64 (3, 3)."""
        return np.eye(3) if row == self.keep else _matrix(self.members[row])


def _matrix(judged: Judged) -> np.ndarray:
    assert judged.judgement.transform is not None
    return np.reshape(judged.judgement.transform, (3, 3))


class Grouping:
    """Finds the groups."""

    def __init__(
        self,
        judge: Judges,
        likeliest: Callable[[Iterable[int]], Callable[[int], Any]],
        age: Callable[[int], Any],
        favour: Callable[[int], int] = lambda row: 0,
    ) -> None:
        """Of no pictures yet.

        Args:
            judge: Judges pairs.
            likeliest: Of rows that may come of one picture, what orders them before anything was looked at: the least
                is tried first as the one to keep.
            age: Orders rows where pixels do not tell: the least is kept.
            favour: Rows of more favour are kept, whatever pixels tell.
        """
        self._judge = judge
        self._order = likeliest
        self._age = age
        self._favour = favour
        self._cluster_of: dict[int, Cluster] = {}
        self._tried: set[tuple[int, int, int]] = set()
        self._alike: list[tuple[int, int]] = []

    def clusters(self) -> list[Cluster]:
        """Those found so far, of two pictures and more."""
        return sorted({id(c): c for c in self._cluster_of.values() if c.members}.values(), key=lambda c: c.keep)

    def similar(self) -> list[list[int]]:
        """Rows that look alike and come of no one picture: of each cluster the one kept, by the first."""
        keeps = ((self._cluster(one).keep, self._cluster(other).keep) for one, other in self._alike)
        return [sorted(rows) for rows in _components(pair for pair in keeps if pair[0] != pair[1])]

    def link(self, links: np.ndarray) -> None:
        """Looks at pictures that are alike by their hashes.

        Args:
            links: int64 (P, 2).
        """
        self._all_of(map(self._split, _components(links.tolist())))

    def search(self, rows: np.ndarray, count: int, neighbours: Neighbours) -> None:
        """Looks at pictures that are near each other, until nothing new is found.

        Args:
            rows: int64 (R,), those that may be in groups.
            count: Rows of the collection.
            neighbours: Finds pairs.
        """
        for _ in range(_MOST_ROUNDS):
            labels = np.arange(count)
            delegates = []
            for cluster in self.clusters():
                labels[list(cluster.rows)] = cluster.keep
                delegates.extend(_delegates(cluster))
            alone = [row for row in rows.tolist() if row not in self._cluster_of]
            near = list(neighbours(np.array(sorted([*delegates, *alone]), np.int64), labels))
            changed = False
            while near:
                turn, near = self._turn(near)
                changed |= self._meet(turn)
            # Not before all have come together, as each other picture to keep is compared with all.
            self._all_of([self._crowned(c) for c in self.clusters() if c.grown])
            if not changed:
                return

    def _turn(self, pairs: Iterable[tuple[int, int, int]]) -> tuple[list[tuple[int, int, int]], list]:
        """Of pairs that were never tried: those to try now, one of a row, and of two clusters, and those for later.

        Most of the others are of one cluster by then.
        """
        turn, later = [], []
        busy: set[object] = set()
        for row, col, orientation in pairs:
            tried = (min(row, col), max(row, col), orientation)
            keeps = {self._cluster(row).keep, self._cluster(col).keep}
            if tried in self._tried or len(keeps) == 1:
                continue
            both = frozenset(keeps)
            if row in busy or both in busy:
                later.append((row, col, orientation))
                continue
            busy |= {row, both}
            self._tried.add(tried)
            turn.append((row, col, orientation))
        return turn, later

    def _meet(self, pairs: Sequence[tuple[int, int, int]]) -> bool:
        """Judges pairs, and joins what belongs together; whether anything did."""
        # Pairs of one picture one after the other, as it is at hand then.
        often = Counter(row for pair in pairs for row in pair[:2])
        by_hub = sorted(pairs, key=lambda pair: (*sorted(pair[:2], key=lambda row: (-often[row], row)), pair))
        joined = []
        for pair, judged in self._judge([self._asked(*pair) for pair in by_hub]):
            if judged is not None and judged.judgement.joined:
                joined.append((pair.row, pair.col, judged))
            elif judged is not None and _look_alike(judged):
                self._alike.append((pair.row, pair.col))
        joined.sort(key=lambda found: -found[2].judgement.agreement)
        changed = False
        while joined:
            busy: set[int] = set()
            works, later = [], []
            for row, col, judged in joined:
                one, other = self._cluster(row), self._cluster(col)
                if one is other:
                    continue
                if one.keep in busy or other.keep in busy:
                    later.append((row, col, judged))
                    continue
                busy |= {one.keep, other.keep}
                works.append(self._merged(one, other, row, col, judged))
            changed |= any(self._all_of(works))
            joined = later
        return changed

    def _asked(self, row: int, col: int, orientation: int) -> Asked:
        """What is to be judged of two pictures that are near each other: the pictures kept of their clusters."""
        one, other = self._cluster(row), self._cluster(col)
        if (row, col) == (one.keep, other.keep):
            return Asked(row, col, orientation=orientation)
        through = Through(row, col, np.linalg.inv(one.transform(row)), other.transform(col), orientation)
        return Asked(one.keep, other.keep, through=through)

    def _cluster(self, row: int) -> Cluster:
        return self._cluster_of.get(row) or Cluster(row)

    def _all_of(self, works: Iterable[_Work[_T]]) -> list[_T]:
        """Does the work, some of it side by side; what each returns."""
        results: list[_T] = []
        waiting: list[tuple[_Work[_T], list[Asked]]] = []

        def advance(work: _Work[_T], answers: list[Judged | None] | None) -> None:
            try:
                waiting.append((work, next(work) if answers is None else work.send(answers)))
            except StopIteration as stopped:
                results.append(stopped.value)

        left = iter(works)
        while True:
            # Not all at once, so that the pictures of one are at hand until it is done.
            while len(waiting) < _SIDE_BY_SIDE and (work := next(left, None)) is not None:
                advance(work, None)
            if not waiting:
                return results
            turn, waiting = waiting, []
            found = iter(self._judge([pair for _, asked in turn for pair in asked]))
            answers = [[next(found)[1] for _ in asked] for _, asked in turn]
            for (work, _), answer in zip(turn, answers, strict=True):
                advance(work, answer)

    def _split(self, rows: set[int]) -> _Work[None]:
        """Makes clusters of pictures of which any two may belong together."""
        likeliest = self._likeliest(rows)
        left = sorted(rows, key=likeliest)
        for _ in range(_TRIES):
            if len(left) < 2:
                return
            keep, others = left[0], left[1:]
            answers = yield [Asked(row, keep, alike=True) for row in others]
            members = _joined(others, answers)
            left = [row for row in others if row not in members]
            for row, judged in zip(others, answers, strict=True):
                if row not in members and judged is not None and _look_alike(judged):
                    self._alike.append((row, keep))
            if members:
                left = sorted([*left, *(yield from self._crowned(Cluster(keep, members)))], key=likeliest)

    def _likeliest(self, rows: Iterable[int]) -> Callable[[int], Any]:
        order = self._order(rows)
        return lambda row: (-self._favour(row), order(row))

    def _by_age(self, row: int) -> tuple[int, Any]:
        return -self._favour(row), self._age(row)

    def _merged(self, one: Cluster, other: Cluster, row: int, col: int, judged: Judged) -> _Work[bool]:
        """Joins two clusters of which two pictures belong together, if the pictures kept do."""
        if (row, col) != (one.keep, other.keep):
            hint = other.transform(col) @ _matrix(judged) @ np.linalg.inv(one.transform(row))
            (answer,) = yield [Asked(one.keep, other.keep, (hint,))]
            if answer is None or not answer.judgement.joined:
                return False
            judged = answer
        # Fewer are compared anew; who is kept in the end is seen once all are together.
        ranks = [(self._favour(cluster.keep), len(cluster)) for cluster in (one, other)]
        if ranks[0] > ranks[1] or (ranks[0] == ranks[1] and self._beats(one.keep, other.keep, judged)):
            one, other, judged = other, one, judged.reversed()
        moved = [*one.members]
        answers = yield [Asked(row, other.keep, (_matrix(judged) @ one.transform(row),)) for row in moved]
        cluster = Cluster(other.keep, {**other.members, one.keep: judged, **_joined(moved, answers)}, grown=True)
        self._take_in(cluster, moved)
        return True

    def _take_in(self, cluster: Cluster, rows: Iterable[int]) -> None:
        """Takes a cluster in, made of these rows: those that it has not are in none."""
        for row in rows:
            self._cluster_of.pop(row, None)
        for row in cluster.rows:
            self._cluster_of[row] = cluster

    def _crowned(self, cluster: Cluster) -> _Work[list[int]]:
        """Finds the one worth keeping, and takes the cluster in; returns rows that do not belong to it."""
        everyone = cluster.rows
        crowned = {cluster.keep}
        for _ in range(_MOST_CROWNS):
            # Who surely beats the one kept; else who is as good and older; else who has more copies in the cluster.
            contests = (
                (self._better(cluster), _losses),
                (self._older(cluster), _losses),
                (self._outnumbering(cluster), _edited),
            )
            contenders, gain = next(
                ((left, gain) for rows, gain in contests if (left := [row for row in rows if row not in crowned])),
                ([], _losses),
            )
            if not contenders:
                break
            champion = yield from self._champion(cluster, contenders)
            crowned.add(champion)
            before = gain(cluster)
            after = yield from self._kept(cluster, champion, gain)
            # Who beats whom may go round in circles: then the one stays that the fewest beat.
            as_good = gain is _losses and after is not None and len(after) >= len(cluster)
            if after is not None and (gain(after) < before or as_good):
                cluster = after
        cluster.grown = False
        self._take_in(cluster, everyone)
        return sorted(everyone - cluster.rows)

    def _champion(self, cluster: Cluster, contenders: list[int]) -> _Work[int]:
        """Of some members the one that no other of them beats, as far as there is one."""
        champion = self._first(cluster, contenders)
        left = [row for row in contenders if row != champion]
        while left:
            answers = yield [Asked(row, champion, (self._between(cluster, row, champion),)) for row in left]
            left = [row for row, found in _joined(left, answers).items() if self._beats(row, champion, found)]
            if left:
                champion = self._first(cluster, left)
                left.remove(champion)
        return champion

    def _first(self, cluster: Cluster, rows: list[int]) -> int:
        sure = [row for row in rows if cluster.members[row].judgement.original > 0]
        return min(sure, key=self._likeliest(cluster.rows)) if sure else min(rows, key=self._by_age)

    @staticmethod
    def _between(cluster: Cluster, row: int, col: int) -> np.ndarray:
        return np.linalg.inv(cluster.transform(col)) @ cluster.transform(row)

    def _kept(self, cluster: Cluster, keep: int, gain: Callable[[Cluster], tuple[int, int]]) -> _Work[Cluster | None]:
        """The cluster with another picture kept; None as soon as some of it is worse than all of it was."""
        others = [row for row in cluster.members if row != keep]
        after = Cluster(keep, {cluster.keep: cluster.members[keep].reversed()})
        for first in range(0, len(others), _AT_ONCE):
            some = others[first : first + _AT_ONCE]
            answers = yield [Asked(row, keep, (self._between(cluster, row, keep),)) for row in some]
            after.members.update(_joined(some, answers))
            if gain(after) > gain(cluster):
                return None
        return after

    def _better(self, cluster: Cluster) -> list[int]:
        """Who should be kept in place of the one that is, by favour or by what the pixels say."""
        return [row for row, judged in cluster.members.items() if self._surely_beats(row, cluster.keep, judged)]

    def _older(self, cluster: Cluster) -> list[int]:
        """Who is as good as the one kept, and older."""
        return [
            row
            for row, judged in cluster.members.items()
            if judged.judgement.relation is not Relation.EDITED
            and not judged.judgement.original
            and self._favour(row) == self._favour(cluster.keep)
            and self._age(row) < self._age(cluster.keep)
        ]

    def _outnumbering(self, cluster: Cluster) -> list[int]:
        """Those that differ from the one kept, where they are more than its copies."""
        edited = [row for row, judged in cluster.members.items() if judged.judgement.relation is Relation.EDITED]
        if 2 * len(edited) <= len(cluster.members):
            return []
        if len(cluster.members) == 1 and not self._beats(edited[0], cluster.keep, cluster.members[edited[0]]):
            return []
        return edited

    def _surely_beats(self, row: int, keep: int, judged: Judged) -> bool:
        favours = self._favour(row) - self._favour(keep)
        return favours > 0 if favours else _is_original(judged)

    def _beats(self, row: int, keep: int, judged: Judged) -> bool:
        favours = self._favour(row) - self._favour(keep)
        if favours:
            return favours > 0
        if judged.judgement.original:
            return judged.judgement.original > 0
        return self._age(row) < self._age(keep)


def _is_original(judged: Judged) -> bool:
    """Whether pixels say that the first is the original; of what is edited, only a frame around it tells that."""
    told = judged.judgement.relation is not Relation.EDITED or judged.judgement.why == "shown"
    return told and judged.judgement.original > 0


def _losses(cluster: Cluster) -> tuple[int, int]:
    """How many members are better than the one kept by what they show, and by the traces of how they were saved."""
    better = [judged.judgement.why in _TRACES for judged in cluster.members.values() if _is_original(judged)]
    return len(better) - sum(better), sum(better)


def _look_alike(judged: Judged) -> bool:
    """Whether there is more in common than two pictures have by chance."""
    return judged.judgement.agreement >= _ALIKE or (judged.inliers or 0) >= _MANY_INLIERS


def _edited(cluster: Cluster) -> tuple[int, int]:
    """How many members differ from the one kept, in the form of `_losses`."""
    return sum(judged.judgement.relation is Relation.EDITED for judged in cluster.members.values()), 0


def _delegates(cluster: Cluster) -> list[int]:
    """Those that look for others: the picture kept, and those least like it."""
    others = [row for row, judged in cluster.members.items() if not _is_much_like(judged.judgement)]
    others.sort(key=lambda row: cluster.members[row].judgement.agreement)
    parts = sorted(others, key=lambda row: cluster.members[row].judgement.overlap[1])
    chosen = dict.fromkeys((cluster.keep, *others[: DELEGATES // 2], *parts))
    return list(chosen)[:DELEGATES]


def _is_much_like(judgement: Judgement) -> bool:
    """Whether whatever is near the one picture is near the other too, for an extractor of vectors."""
    assert judgement.transform is not None
    linear = np.reshape(judgement.transform, (3, 3))[:2, :2]
    turned = np.abs(linear / np.sqrt(abs(np.linalg.det(linear))) - np.eye(2)).max() > _TURNED
    coloured = any("colour" in missing for missing in judgement.lacks)
    return not (turned or coloured) and judgement.agreement > _MUCH and min(judgement.overlap) > _MUCH


def _joined(rows: Iterable[int], answers: Iterable[Judged | None]) -> dict[int, Judged]:
    """Those rows that belong to what they were judged against."""
    answered = zip(rows, answers, strict=True)
    return {row: judged for row, judged in answered if judged is not None and judged.judgement.joined}


def _components(pairs: Iterable[Sequence[int]]) -> Iterator[set[int]]:
    """What hangs together by pairs, by its least."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    seen: set[int] = set()
    for first in sorted(neighbours):
        if first not in seen:
            found, left = {first}, [first]
            while left:
                new = neighbours[left.pop()] - found
                found |= new
                left.extend(new)
            seen |= found
            yield found
