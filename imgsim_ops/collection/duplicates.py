"""Groups of pictures in a collection that come of one picture, and which of them may go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.collection.beside import Beside
from imgsim_ops.collection.candidates.evidence import IDENTICAL, evidence_of
from imgsim_ops.collection.candidates.judging import Judge
from imgsim_ops.collection.candidates.pairs import (
    Pairs,
    Pictures,
    Progress,
    among_best,
    candidate_threshold,
    hash_links,
    likeness,
    nearest_pairs,
    scores_of,
)
from imgsim_ops.collection.candidates.pixels import Equals, same_pixels
from imgsim_ops.collection.findings import Evidence, Group, Member, Picture, Similar
from imgsim_ops.collection.grouping import DELEGATES, Cluster, Grouping
from imgsim_ops.collection.one_file import with_names
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.matching import rules
from imgsim_ops.matching.detail import sharpness_of
from imgsim_ops.matching.hashes import distance
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.matching.relations import Relation

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.looking import Looking
    from imgsim_ops.collection.candidates.turned import Turned

#: Formats that keep every pixel of any picture; WebP may be either.
_LOSSLESS = {"PNG", "TIFF", "BMP"}
_STRENGTH = {relation.value: place for place, relation in enumerate(Relation)}
_COPIES = (Relation.IDENTICAL.value, Relation.SAME_PIXELS.value, Relation.COPY.value)
#: By what is asked for, the relations of which pictures are proposed to go.
REMOVED = {"identical": _COPIES[:2], "copies": _COPIES, "parts": (*_COPIES, Relation.PART.value)}


@dataclass(frozen=True)
class Rules:
    """What is kept, and what may go.

    Attributes:
        remove: A key of `REMOVED`.
        prefer: Pictures in these folders are kept in place of others; the promise holds against them too.
        reference: Likewise, and nothing in them goes.
        equal_only: Look for equal bytes and pixels alone, which needs no model.
    """

    remove: str = "copies"
    prefer: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    equal_only: bool = False

    @classmethod
    def of(cls, remove: str, prefer: Sequence[str], reference: Sequence[str], *, equal_only: bool = False) -> Rules:
        """Those with absolute folders.

        Raises:
            ImgsimError: There is no such choice, or a folder is none.
        """
        if remove not in REMOVED:
            raise ImgsimError(f"dups: what is removed must be one of {', '.join(REMOVED)} (got {remove})")
        for folder in (*prefer, *reference):
            if not os.path.isdir(folder):
                raise ImgsimError(f"dups: what is preferred must be a folder (got {printable(folder)})")
        return cls(remove, tuple(map(os.path.abspath, prefer)), tuple(map(os.path.abspath, reference)), equal_only)

    def favour(self, picture: Picture) -> int:
        """How much its place speaks for keeping it."""
        return 2 if _is_in(picture.path, self.reference) else int(_is_in(picture.path, self.prefer))

    def may_go(self, picture: Picture, evidence: Evidence) -> bool:
        """Whether a member is proposed to go, for the picture kept; no file loses a page."""
        if picture.page is not None:
            return False
        if _is_in(picture.path, self.reference) or evidence.relation not in REMOVED[self.remove]:
            return False
        return evidence.relation == Relation.IDENTICAL.value or not evidence.lacks


def _is_in(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(os.path.join(folder, "")) for folder in folders)


def worth(picture: Picture) -> tuple:
    """Orders pictures before anything was looked at: the least is the likeliest original."""
    lossless = picture.format in _LOSSLESS
    return not lossless, -picture.width * picture.height, -picture.size, picture.modified, os.fsencode(picture.path)


def age(picture: Picture) -> tuple:
    """Orders pictures where nothing else tells: the oldest first."""
    return picture.modified, os.fsencode(picture.path)


def find_duplicates(
    pictures: Pictures,
    match: MatchOptions,
    looking: Looking,
    judge: Judge,
    rules_: Rules = Rules(),
    turned: Iterable[Turned] = (),
    *,
    similar: list[Similar] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Iterator[Group]:
    """The groups, by the first row of each.

    Args:
        pictures: What the collection has.
        match: How candidates are chosen.
        looking: How pictures are looked at.
        judge: Tells what two of them are to each other.
        rules_: What is kept, and what may go.
        turned: Pictures of the collection turned, which are looked for too.
        similar: Takes groups of what only looks alike, before the first group comes.
        progress: Called while this goes on.
    """

    def best(row: int, key) -> tuple:
        return min((key(picture) for picture in looking.files(row)), default=())

    def size(row: int) -> tuple[int, ...]:
        return next((tuple(sorted((picture.width, picture.height))) for picture in looking.files(row)), ())

    def likeliest(rows: Iterable[int]) -> Callable[[int], tuple]:
        """Most copies have the original's size, and are more like it than like each other."""
        rows = list(rows)
        often = Counter(map(size, rows))
        alike = dict(zip(rows, likeness(np.array(rows, np.int64), pictures).tolist(), strict=True))

        def order(row: int) -> tuple:
            lossy, *rest = best(row, worth) or (True,)
            return -often[size(row)], lossy, -alike[row], rest

        return order

    grouping = Grouping(
        judge,
        likeliest,
        lambda row: best(row, age),
        lambda row: max((rules_.favour(picture) for picture in looking.files(row)), default=0),
    )
    progress("Searching", 0, 0)
    grouping.link(hash_links(pictures))
    rows = np.flatnonzero(pictures.alive)

    def neighbours(some: np.ndarray, labels: np.ndarray) -> list[tuple[int, int, int]]:
        progress("Searching", 0, 0)
        return _neighbours(pictures, match, some, labels)

    grouping.search(rows, len(pictures), neighbours)
    blocks = list(turned)
    if blocks:
        grouping.search(
            rows, len(pictures), lambda some, labels: _turned_neighbours(pictures, match, blocks, some, labels)
        )
    if match.similar and similar is not None:
        similar.extend(_similar(grouping.similar(), looking))
    clusters = grouping.clusters()
    grouped = {row for cluster in clusters for row in cluster.rows}
    clusters += [Cluster(row) for row in looking.shared_rows() if row not in grouped]
    equal = same_pixels(looking, clusters, progress)
    beside = Beside()
    for cluster in sorted(clusters, key=lambda cluster: min(cluster.rows)):
        group = _group(cluster, pictures, looking, equal, rules_, beside)
        if group is not None:
            yield group


def _similar(groups: Iterable[Sequence[int]], looking: Looking) -> Iterator[Similar]:
    for rows in groups:
        sharpness = [(-1.0 if (look := looking.look(row)) is None else sharpness_of(look), row) for row in rows]
        pictures = [picture for row in rows for picture in looking.files(row)[:1]]
        best = max(sharpness)[1]
        yield Similar(pictures, rows.index(best))


def _neighbours(
    pictures: Pictures, match: MatchOptions, rows: np.ndarray, labels: np.ndarray
) -> list[tuple[int, int, int]]:
    """The nearest of each of some pictures outside of its own group, by vector."""
    if len(rows) < 2:
        return []
    # One of each group: copies of each other say nothing of unlike pictures.
    _, firsts = np.unique(labels[rows], return_index=True)
    least = candidate_threshold(pictures, match, rows[firsts])
    small = Pictures(pictures.hashes[rows], pictures.vectors_of(rows), pictures.crops, np.ones(len(rows), bool))
    found = nearest_pairs(small.vectors, np.arange(len(rows)), small, rules.CANDIDATES + DELEGATES)
    one, other, scores = rows[found.rows], rows[found.cols], found.scores
    outside = (labels[one] != labels[other]) & (scores >= least)
    if match.threshold is None:
        outside[outside] = among_best(one[outside], scores[outside], rules.CANDIDATES)
    return _nearest_first([Pairs(one[outside], other[outside], scores[outside])])


def _turned_neighbours(
    pictures: Pictures, match: MatchOptions, blocks: Sequence[Turned], rows: np.ndarray, labels: np.ndarray
) -> list[tuple[int, int, int]]:
    """The same of pictures turned."""
    _, firsts = np.unique(labels[rows], return_index=True)
    least = candidate_threshold(pictures, match, rows[firsts])
    found_pairs = []
    for block in blocks:
        there = np.isin(block.rows, rows)
        queries = block.vectors.reshape(len(block.rows), -1, block.vectors.shape[1])[there]
        found = nearest_pairs(
            queries.reshape(-1, block.vectors.shape[1]), block.rows[there], pictures,
            rules.CANDIDATES + DELEGATES, block.orientation,
        )  # fmt: skip
        outside = (labels[found.rows] != labels[found.cols]) & (found.scores >= least)
        found = found[outside]
        found_pairs.append(found[among_best(found.rows, found.scores, rules.CANDIDATES)])
    return _nearest_first(found_pairs)


def _nearest_first(found: Iterable[Pairs]) -> list[tuple[int, int, int]]:
    pairs = [
        (-score, row, col, some.orientation)
        for some in found
        for row, col, score in zip(some.rows.tolist(), some.cols.tolist(), some.scores.tolist(), strict=True)
    ]
    return [pair[1:] for pair in sorted(pairs)]


class MemberList:
    """The members of a group, each with whether it may go, and for whom."""

    def __init__(self, kept: Picture, rules_: Rules, beside: Beside) -> None:
        """Of the picture kept alone."""
        self.members = [Member(kept, None)]
        self._rules = rules_
        self._beside = beside
        self._staying: dict[bytes, list[int]] = {}

    def add(self, picture: Picture, evidence: Evidence) -> None:
        """Adds one, by what it is to the picture kept; it may go for one of equal bytes that stays, too."""
        staying = self._staying.setdefault(picture.sha256, [])
        lacking: tuple[str, ...] = ()
        for why, place in [(evidence, 0), *((IDENTICAL, place) for place in staying)]:
            # Nobody looks for what was removed in a file of many pages.
            if self._rules.may_go(picture, why) and self.members[place].picture.page is None:
                missing = self._beside.lacking(picture.path, self.members[place].picture.path)
                if not missing:
                    self.members.append(Member(picture, why, True, place))
                    return
                lacking = lacking or missing
        self.members.append(Member(picture, IDENTICAL if staying else evidence, stays_for=lacking))
        staying.append(len(self.members) - 1)


def _group(
    cluster: Cluster, pictures: Pictures, looking: Looking, equal: Equals, rules_: Rules, beside: Beside
) -> Group | None:
    """All files of contents; None where files have gone since, so that fewer than two are left."""
    rows = sorted(cluster.members)
    keeps = np.full(len(rows), cluster.keep)
    scores = scores_of(np.array(rows, np.int64), keeps, pictures, pictures)

    def ordered(row: int) -> list[Picture]:
        def order(picture: Picture) -> tuple:
            link = os.path.islink(picture.path)  # which stays in nobody's place
            return link, -rules_.favour(picture), -beside.wealth(picture.path), worth(picture)

        return sorted(looking.files(row), key=order)

    kept = ordered(cluster.keep)
    if not kept:
        return None
    others: list[tuple[tuple, Evidence, list[Picture]]] = []
    for row, score in zip(rows, scores.tolist(), strict=True):
        files = ordered(row)
        if files:
            apart = distance(pictures.hashes[row], pictures.hashes[cluster.keep])
            evidence = evidence_of(cluster.members[row], files[0], score, apart)
            if (row, cluster.keep) in equal.same:
                evidence = replace(evidence, relation=Relation.SAME_PIXELS.value, lacks=())
            elif (row, cluster.keep) in equal.shown:
                evidence = replace(evidence, lacks=())
            others.append(((_STRENGTH[evidence.relation], -evidence.score, row), evidence, files))
    found = MemberList(kept[0], rules_, beside)
    for picture in kept[1:]:
        found.add(picture, IDENTICAL)
    for _, evidence, files in sorted(others, key=lambda other: other[0]):
        for picture in files:
            found.add(picture, evidence)
    return Group(with_names(found.members)) if len(found.members) > 1 else None
