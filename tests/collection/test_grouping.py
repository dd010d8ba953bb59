"""Groups of a made world, in which it is known what each picture comes of and how good it is."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.collection.candidates.judging import Judged
from imgsim_ops.collection.grouping import DELEGATES, Grouping
from imgsim_ops.matching.relations import Judgement, Relation
from tests.support.tries import tries


@dataclass
class World:
    """Pictures, and what a look at two of them would say.

    Attributes:
        sources: What each comes of: several for a collage.
        qualities: Of two copies the better one is the original; equal ones do not tell.
        versions: Pictures of one source and two versions are edited.
        unreadable: Rows that cannot be looked at.
        beats: Pairs of which the first is the original, whatever the qualities say.
        traces: Those of them of which only compression tells that.
        asked: All pairs that were asked for.
        looked_for: What was to be looked for first of each: pairs that lead from the one to the other.
    """

    sources: list[set[int]]
    qualities: list[int]
    versions: list[int]
    unreadable: frozenset[int] = frozenset()
    beats: frozenset[tuple[int, int]] = frozenset()
    traces: frozenset[tuple[int, int]] = frozenset()
    asked: list[tuple[int, int]] = field(default_factory=list)
    looked_for: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, sources, qualities=None, versions=None, **more):
        sets = [source if isinstance(source, set) else {source} for source in sources]
        return cls(sets, qualities or [0] * len(sets), versions or [0] * len(sets), **more)

    def matrix(self, row):
        """From a picture to its source."""
        a, b, x, y = np.random.default_rng(row).uniform((0.5, -0.3, -50, -50), (2, 0.3, 50, 50))
        return np.array([[a, b, x], [-b, a, y], [0, 0, 1]])

    def between(self, row, col):
        return np.linalg.inv(self.matrix(col)) @ self.matrix(row)

    def joined(self, row, col):
        return bool(self.sources[row] & self.sources[col])

    def original(self, row, col):
        if (row, col) in self.beats:
            return 1
        if (col, row) in self.beats:
            return -1
        return (self.qualities[row] > self.qualities[col]) - (self.qualities[row] < self.qualities[col])

    def judge(self, pairs):
        for pair in pairs:
            row, col = pair.row, pair.col
            assert row != col
            self.asked.append((row, col))
            self.looked_for.append((pair.first.row, pair.first.col))
            if {row, col} & self.unreadable:
                yield pair, None
                continue
            if not self.joined(row, col):
                yield pair, Judged(Judgement(Relation.LOOK_ALIKE))
                continue
            between = self.between(row, col)
            hints = [*pair.hints]
            if pair.through:
                hints.append(pair.through.after @ self.between(*self.looked_for[-1]) @ pair.through.before)
            for hint in hints:
                np.testing.assert_allclose(hint, between, atol=1e-6)
            same = self.versions[row] == self.versions[col]
            relation = Relation.COPY if same else Relation.EDITED
            transform = tuple(between.ravel())
            why = "compression" if {(row, col), (col, row)} & self.traces else "detail"
            yield (
                pair,
                Judged(
                    Judgement(relation, transform, (1, 1), 0.9, joined=True, original=self.original(row, col), why=why),
                    None,
                ),
            )

    def grouping(self, worth=lambda row: row, favour=lambda row: 0):
        return Grouping(self.judge, lambda rows: worth, lambda row: row, favour)

    def neighbours(self, rows, labels):
        """All pairs of the rows that lie in different groups."""
        assert rows.tolist() == sorted(set(rows.tolist()))
        for place, row in enumerate(rows.tolist()):
            for col in rows[:place].tolist():
                if labels[row] != labels[col]:
                    yield row, col, 1

    def grouped(self, links=None, **options):
        """By links, then by neighbours; without links by neighbours alone."""
        grouping = self.grouping(**options)
        if links is not None:
            grouping.link(np.array(links, np.int64).reshape(-1, 2))
        count = len(self.sources)
        grouping.search(np.arange(count), count, self.neighbours)
        self.check(grouping.clusters())
        return grouping.clusters()

    def check(self, clusters):
        """Nothing is chained, nobody is in two groups, and what each is to the one kept is what it is."""
        rows = [row for cluster in clusters for row in (cluster.keep, *cluster.members)]
        assert len(rows) == len(set(rows))
        for cluster in clusters:
            assert len(cluster) >= 2
            for row, judged in cluster.members.items():
                assert self.joined(row, cluster.keep)
                assert judged.judgement.joined
                assert judged.judgement.original == self.original(row, cluster.keep)
                expected = np.linalg.inv(self.matrix(cluster.keep)) @ self.matrix(row)
                np.testing.assert_allclose(np.reshape(judged.judgement.transform, (3, 3)), expected, atol=1e-6)


def sets_of(clusters):
    return sorted(sorted({cluster.keep, *cluster.members}) for cluster in clusters)


def chain(count):
    return [(row, row + 1) for row in range(count - 1)]


# --- copies of one picture -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 7, 17, 33])
@pytest.mark.parametrize("by_links", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_copies_ends_in_one_group_whose_best_is_kept(count, by_links, seed):
    random = np.random.default_rng(seed)
    world = World.of([0] * count, random.permutation(count).tolist())
    guess = random.permutation(count).tolist()  # what is tried first need not be the best
    clusters = world.grouped(chain(count) if by_links else None, worth=lambda row: guess[row])
    if count < 2:
        assert clusters == []
        return
    assert sets_of(clusters) == [list(range(count))]
    assert clusters[0].keep == int(np.argmax(world.qualities))


@pytest.mark.parametrize("count", [2, 7, 33])
@pytest.mark.parametrize("by_links", [False, True])
def test_of_equals_the_oldest_is_kept(count, by_links):
    world = World.of([0] * count)
    clusters = world.grouped(chain(count) if by_links else None, worth=lambda row: -row)
    assert sets_of(clusters) == [list(range(count))]
    assert clusters[0].keep == 0


def test_of_the_best_the_oldest_is_kept():
    world = World.of([0] * 9, [1, 2, 3, 3, 2, 3, 1, 0, 3])
    assert world.grouped(chain(9), worth=lambda row: (row * 5) % 9)[0].keep == 2


@settings(max_examples=tries(300), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=17),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_groups_are_the_sources_and_the_best_of_each_is_kept(pictures, by_links, random):
    world = World.of([source for source, _ in pictures], [quality for _, quality in pictures])
    count = len(pictures)
    links = [(row, col) for row in range(count) for col in range(row) if random.random() < 0.3] if by_links else None
    order = list(range(count))
    random.shuffle(order)
    clusters = world.grouped(links, worth=lambda row: order[row])
    by_source = [[row for row in range(count) if pictures[row][0] == source] for source in range(4)]
    assert sets_of(clusters) == sorted(rows for rows in by_source if len(rows) > 1)
    for cluster in clusters:
        everyone = [cluster.keep, *cluster.members]
        assert cluster.keep == min(everyone, key=lambda row: (-pictures[row][1], row))


def test_pictures_that_cannot_be_read_are_in_no_group():
    world = World.of([0] * 7, [3, 9, 1, 4, 2, 9, 0], unreadable=frozenset({1, 6}))
    clusters = world.grouped(chain(7))
    assert sets_of(clusters) == [[0, 2, 3, 4, 5]]
    assert clusters[0].keep == 5
    assert World.of([0] * 3, unreadable=frozenset(range(3))).grouped(chain(3)) == []


# --- favour ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_links", [False, True])
@pytest.mark.parametrize("favoured", range(6))
def test_who_is_in_favour_is_kept_whatever_pixels_say(by_links, favoured):
    world = World.of([0] * 6, [5, 1, 4, 0, 3, 2])
    links = chain(6) if by_links else None
    clusters = world.grouped(links, favour=lambda row: int(row == favoured))
    assert sets_of(clusters) == [list(range(6))]
    assert clusters[0].keep == favoured


def test_of_several_in_favour_the_best_is_kept():
    world = World.of([0] * 6, [5, 1, 4, 0, 3, 2])
    assert world.grouped(chain(6), favour=lambda row: int(row in (1, 3, 4)))[0].keep == 4
    assert world.grouped(chain(6), favour=lambda row: row % 3)[0].keep == 2


# --- edited ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_links", [False, True])
@pytest.mark.parametrize("worth", [lambda row: row, lambda row: -row, lambda row: (row * 3) % 7])
def test_a_collage_does_not_chain_what_it_was_made_of(by_links, worth):
    world = World.of([0, 0, 0, {0, 1}, 1, 1, 1], versions=[0, 0, 0, 9, 0, 0, 0])
    clusters = world.grouped(chain(7) if by_links else None, worth=worth)
    for cluster in clusters:
        sources = [world.sources[row] for row in (cluster.keep, *cluster.members) if row != 3]
        assert sources == [sources[0]] * len(sources)
    assert [sorted(set(rows) - {3}) for rows in sets_of(clusters)] == [[0, 1, 2], [4, 5, 6]]


@settings(max_examples=tries(300), deadline=None)
@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 3), min_size=1, max_size=2), st.integers(0, 4), st.integers(0, 2)), max_size=12
    ),
    st.booleans(),
)
def test_of_any_mixture_each_belongs_to_the_one_kept(pictures, by_links):
    world = World.of(*(list(values) for values in zip(*pictures, strict=True)) if pictures else ([],))
    world.grouped(chain(len(pictures)) if by_links else None)  # which checks


def test_what_most_are_copies_of_is_kept_and_not_an_edit_of_it():
    for edited in range(7):
        versions = [int(row == edited) for row in range(7)]
        qualities = [9 if row == edited else row for row in range(7)]
        world = World.of([0] * 7, qualities, versions)
        (cluster,) = world.grouped(chain(7), worth=lambda row, edited=edited: row != edited)
        assert cluster.keep == max(row for row in range(7) if row != edited)
        assert cluster.members[edited].judgement.relation is Relation.EDITED


# --- who beats whom --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 7, 33])
def test_circles_of_who_beats_whom_end(count):
    beats = frozenset((row, (row + step) % count) for row in range(count) for step in range(1, (count - 1) // 2 + 1))
    world = World.of([0] * count, beats=beats)
    assert sets_of(world.grouped(chain(count))) == [list(range(count))]
    assert len(world.asked) < 60 * count


def test_a_circle_among_others_does_not_hide_who_is_beaten_least():
    # 0 beats 1 beats 2 beats 0; 3 is beaten by 0 only, and beats the rest.
    beats = {(0, 1), (1, 2), (2, 0), (0, 3), (3, 1), (3, 2), *((3, row) for row in range(4, 9))}
    beats |= {(row, low) for row in range(4, 9) for low in (0, 1, 2)}
    world = World.of([0] * 9, beats=frozenset(beats))
    (cluster,) = world.grouped(chain(9))
    assert cluster.keep == 3


# --- how much is looked at -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hub", [0, 1999])
def test_many_that_are_alike_take_looks_that_grow_with_their_number(hub):
    asked = {}
    for count in (500, 2000):
        random = np.random.default_rng(0)
        world = World.of([0] * count, random.permutation(count).tolist())
        centre = min(hub, count - 1)
        grouping = world.grouping()
        grouping.link(np.array([(row, centre) for row in range(count) if row != centre], np.int64))
        (cluster,) = grouping.clusters()
        assert len(cluster) == count
        assert cluster.keep == int(np.argmax(world.qualities))
        asked[count] = len(world.asked)
        grouping.search(np.arange(count), count, world.neighbours)
        assert len(world.asked) == asked[count]  # nothing is left to be looked at
    assert asked[2000] < 12 * 2000
    assert asked[2000] < 5 * asked[500]


def test_many_that_are_equally_good_take_few_looks():
    world = World.of([0] * 2000)
    grouping = world.grouping()
    grouping.link(np.array(chain(2000), np.int64))
    assert len(grouping.clusters()[0]) == 2000
    assert len(world.asked) < 3 * 2000


def test_what_is_alike_by_hash_and_comes_of_nothing_in_common_is_given_up():
    world = World.of(range(500))
    grouping = world.grouping()
    grouping.link(np.array(chain(500), np.int64))
    assert grouping.clusters() == []
    assert len(world.asked) < 8 * 500


def test_few_of_a_group_look_for_others():
    world = World.of([0] * 50 + [1] * 50)
    grouping = world.grouping()
    grouping.link(np.array([(row, 50 * (row // 50)) for row in range(100) if row % 50], np.int64))
    searched = []

    def neighbours(rows, labels):
        searched.append(rows.tolist())
        assert len(set(labels.tolist())) == 2
        return []

    grouping.search(np.arange(100), 100, neighbours)
    assert len(searched) == 1
    assert len(searched[0]) == 2 * DELEGATES
    assert {cluster.keep for cluster in grouping.clusters()} <= set(searched[0])


def test_no_pair_of_neighbours_is_met_twice():
    world = World.of(range(9))
    rounds = []

    def neighbours(rows, labels):
        rounds.append(len(rows))
        return [(3, 5, 1), (5, 3, 1), (3, 5, 2)]

    grouping = world.grouping()
    for _ in range(3):
        grouping.search(np.arange(9), 9, neighbours)
    assert world.asked == [(3, 5), (3, 5)]  # as it is, and mirrored
    assert len(rounds) == 3


def test_pairs_of_one_picture_are_met_one_after_the_other():
    world = World.of(range(9))
    pairs = [(row, col, 1) for row in range(9) for col in range(row)]
    shuffled = [pairs[place] for place in np.random.default_rng(0).permutation(len(pairs))]
    world.grouping().search(np.arange(9), 9, lambda rows, labels: shuffled)
    assert sorted(world.asked) == [(row, col) for row, col, _ in pairs]
    world = World.of(range(9))
    around = [(row, 4, 1) for row in (8, 0, 3, 1)] + [(row, 7, 1) for row in (5, 2, 6)]
    world.grouping().search(np.arange(9), 9, lambda rows, labels: around)
    assert world.asked == [(0, 4), (1, 4), (3, 4), (8, 4), (2, 7), (5, 7), (6, 7)]


def test_who_is_near_one_of_a_group_is_compared_with_the_one_kept_alone():
    world = World.of([0, 0, 0, 0, 0])
    grouping = world.grouping()
    grouping.link(np.array([(1, 0), (2, 0), (3, 0)], np.int64))
    world.asked.clear()
    world.looked_for.clear()
    grouping.search(np.arange(5), 5, lambda rows, labels: [(4, col, 1) for col in (2, 3, 1, 0)])
    assert world.looked_for[0] == (4, 2)
    assert world.asked == [(4, 0)]


def test_who_does_not_belong_to_one_of_a_group_tries_the_next():
    world = World.of([{0}, {0}, {0, 1}, {1}])  # a collage
    grouping = world.grouping()
    grouping.link(np.array([(1, 0), (2, 0)], np.int64))
    world.looked_for.clear()
    grouping.search(np.arange(4), 4, lambda rows, labels: [(3, 1, 1), (3, 0, 1), (3, 2, 1)])
    assert world.looked_for[:3] == [(3, 1), (3, 0), (3, 2)]


def test_the_likeliest_of_those_that_hang_together_is_tried_first():
    world = World.of([0] * 5)
    grouping = Grouping(world.judge, lambda rows: lambda row: abs(row - max(rows) + 1), lambda row: row)
    grouping.link(np.array([(row, 0) for row in range(1, 5)], np.int64))
    assert world.asked[:4] == [(row, 3) for row in (2, 4, 1, 0)]


def test_traces_of_compression_count_less_than_what_is_shown():
    """Two have traces that speak against the one kept, one shows more than it; whoever shows most is kept."""
    traces = frozenset([(1, 0), (2, 0)])
    world = World.of([0] * 4, beats=traces | {(0, 3), (3, 1), (3, 2)}, traces=traces)
    (cluster,) = world.grouped([(1, 0), (2, 0), (3, 0)])
    assert cluster.keep == 0


def test_links_of_nothing():
    grouping = World.of([]).grouping()
    grouping.link(np.empty((0, 2), np.int64))
    grouping.search(np.empty(0, np.int64), 0, lambda rows, labels: [])
    assert grouping.clusters() == []


def test_who_is_soon_seen_to_be_worse_is_not_compared_with_all():
    """One beats the picture kept, and all others beat it."""
    world = World.of([0] * 40, beats=frozenset({(1, 0), *((row, 1) for row in range(2, 40))}))
    (cluster,) = world.grouped([(row, 0) for row in range(1, 40)])
    assert cluster.keep == 0
    assert len(world.asked) < 39 + 10
