"""Judging many pairs, with looks that are made up, so that it is known what is looked at."""

import json
import threading
from collections import Counter
from contextlib import nullcontext

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from threadpoolctl import threadpool_info, threadpool_limits

from imgsim_ops.collection.candidates import judging
from imgsim_ops.collection.candidates.judging import Asked, Judge, Judged, Through
from imgsim_ops.collection.findings import Picture
from imgsim_ops.matching.closer import pieces_of
from imgsim_ops.matching.described import SMALL_SIDE, Described
from imgsim_ops.matching.frames import corners, mapped
from imgsim_ops.matching.looks import Look
from imgsim_ops.matching.relations import Judgement, Relation
from imgsim_ops.quality.photographs import find_photographs
from tests.support.tries import tries


class FakeLooking:
    """Looks by row, in place of a `Looking`; rows of one content have one look.

    Attributes:
        looks: By row, None where it cannot be read.
        contents: By row, None where no file has it any more.
        looked: How often each row was looked at.
        descriptions: How often each row was described.
        full: By row, pixels in full size where a look has fewer.
        pieces: Rows of which a piece was asked for.
        expected: Rows that were to be looked at soon.
        expected_described: Rows that were to be described soon.
        kept: What was judged.
        commits: How often it was.
    """

    def __init__(self, looks, contents=None):
        self.looks = looks
        self.contents = contents or [bytes([row]) * 32 for row in range(len(looks))]
        self.looked, self.descriptions = Counter(), Counter()
        self.expected, self.expected_described = [], []
        self.full, self.pieces = {}, []
        self.kept = {}
        self.commits = 0
        self._described = {}
        self._lock = threading.RLock()

    def files(self, row):
        if self.contents[row] is None:
            return []
        return [Picture(f"/{row}", 1, 1, self.contents[row], 10, 10, "PNG")]

    def expect(self, row):
        self.expected.append(row)

    def look(self, row):
        with self._lock:
            self.looked[row] += 1
            return self.looks[row]

    def piece(self, row, box):
        with self._lock:
            self.pieces.append(row)
            full = self.full[row]
            return None if full is None else pieces_of(full)(box)

    def expect_described(self, row):
        self.expected_described.append(row)

    def described(self, row):
        with self._lock:
            look = self.looks[row]
            if row not in self._described and look is not None:
                self.descriptions[row] += 1
                self._described[row] = Described.of(look.pixels, look.width, look.height)
            return self._described.get(row)

    def judged(self, *key):
        return self.kept.get(key)

    def keep_judged(self, *values):
        self.kept[values[:4]] = values[4]

    def commit(self):
        self.commits += 1


def quiet(what, done, total):
    pass


def run(looking, asked, *, other=None, threads=2, features=False, progress=quiet):
    with Judge(looking, other or looking, threads, features, progress) as judge:
        answers = list(judge(asked))
    assert [pair for pair, _ in answers] == list(asked)
    assert judge.judged + judge.unreadable == len(answers)
    assert judge.unreadable == sum(judged is None for _, judged in answers)
    return [judged for _, judged in answers]


def loaded(name, size=None):
    with Image.open(find_photographs([name])[0]) as image:
        found = image.convert("RGB")
    return found.resize(size or (300, 220), Image.Resampling.LANCZOS)


def look(image):
    return Look.of(np.asarray(image))


@pytest.fixture(scope="module")
def coffee():
    return loaded("coffee.png")


@pytest.fixture(scope="module")
def looks(coffee):
    """A picture, a smaller copy, another picture."""
    return [look(coffee), look(coffee.resize((150, 110), Image.Resampling.LANCZOS)), look(loaded("rocket.jpg"))]


# --- many at once ----------------------------------------------------------------------------------------------------


def made_judgement(row, col):
    return Judgement(Relation.EDITED, (1, 0, row, 0, 1, col, 0, 0, 1), agreement=row / 1000, original=1)


@pytest.fixture
def no_pixels(monkeypatch):
    """Pairs are judged by their sizes."""

    def made(a, b, transforms, *, likely=False, pieces=None):
        return made_judgement(a.width, b.width)

    monkeypatch.setattr(judging, "judge", made)


def made_looks(count):
    return [Look(row + 1, 1, np.zeros((1, 1, 3), np.uint8)) for row in range(count)]


@pytest.mark.parametrize("count", [0, 1, 7, 17, 33, 200])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_answers_come_in_order(no_pixels, count, threads):
    random = np.random.default_rng(count)
    looking = FakeLooking(made_looks(20))
    asked = [Asked(*(int(row) for row in random.choice(20, 2, replace=False))) for _ in range(count)]
    told = []
    found = run(looking, asked, threads=threads, progress=lambda *what: told.append(what))
    for pair, judged in zip(asked, found, strict=True):
        one, other = made_judgement(pair.row + 1, pair.col + 1), made_judgement(pair.col + 1, pair.row + 1).reversed()
        assert judged.judgement in (one, other)
    assert told == [("Comparing", number + 1, 2 * count) for number in range(2 * count)]
    assert looking.commits == 1
    assert looking.expected == in_order(asked)
    assert looking.expected_described == []


def in_order(asked):
    return [row for pair in asked for row in (pair.row, pair.col)]


def test_pairs_are_taken_from_what_is_consumed_once(no_pixels):
    looking = FakeLooking(made_looks(4))
    with Judge(looking, looking, 1, False, quiet) as judge:
        answers = list(judge(Asked(row, 3) for row in range(3)))
    assert [pair.row for pair, _ in answers] == [0, 1, 2]


def test_who_stops_early_leaves_nothing_waiting(no_pixels):
    looking = FakeLooking(made_looks(40))
    with Judge(looking, looking, 1, False, quiet) as judge:
        next(judge([Asked(row, 39) for row in range(39)]))
    assert sum(looking.looked.values()) < 78


def test_all_pairs_are_sorted_out_before_any_is_looked_at(looks):
    def progress(what, done, total):
        looked.append((done, looking.looked.total()))

    looked = []
    looking = FakeLooking(looks * 4)  # of contents of their own
    asked = [Asked(row, col, alike=row % 2 == 0) for row in range(12) for col in range(row)]
    run(looking, asked, features=True, progress=progress)
    assert looked[: len(asked)] == [(done, 0) for done in range(1, len(asked) + 1)]
    assert looked[-1][1] > 0


@pytest.fixture
def two_threads():
    """Each library has more threads than one, on any machine."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    with threadpool_limits(2, "blas"):
        yield
    cv2.setNumThreads(before)


def threads_of_libraries():
    blas = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    return cv2.getNumThreads(), blas


@pytest.mark.parametrize("error", [None, OSError])
def test_threads_of_opencv_and_of_blas_are_as_before(two_threads, error):
    looking = FakeLooking(made_looks(2))
    assert threads_of_libraries() == (2, {2})
    with pytest.raises(OSError, match="full") if error else nullcontext(), Judge(looking, looking, 1, False, quiet):
        assert threads_of_libraries() == (1, {1})
        if error:
            raise error("full")
    assert threads_of_libraries() == (2, {2})


@pytest.mark.parametrize("features", [False, True])
def test_errors_are_those_of_who_asks(no_pixels, monkeypatch, features):
    def full(*values):
        raise OSError(28, "the disk is full")

    looking = FakeLooking(made_looks(2))
    monkeypatch.setattr(looking, "keep_judged", full)
    monkeypatch.setattr(judging, "lie_over_each_other", lambda *values: False)
    with pytest.raises(OSError, match="the disk is full"):
        run(looking, [Asked(0, 1)], features=features)
    assert looking.looked.total() == (0 if features else 2)  # where the error arose


def test_what_cannot_be_read_is_told_and_not_kept(no_pixels):
    looking = FakeLooking(made_looks(3))
    looking.looks[1] = None
    looking.contents[2] = None  # no file has it any more
    assert [found is None for found in run(looking, [Asked(0, 1), Asked(1, 0), Asked(2, 0), Asked(0, 2)])] == [True] * 4
    assert looking.kept == {}
    looking.looks[1] = made_looks(2)[1]
    assert run(looking, [Asked(0, 1)])[0].judgement == made_judgement(1, 2)


# --- once only -------------------------------------------------------------------------------------------------------


def test_a_pair_that_is_asked_several_times_at_once_is_looked_at_once(no_pixels):
    looking = FakeLooking(made_looks(2))
    first, back, again = run(looking, [Asked(0, 1), Asked(1, 0), Asked(0, 1)], threads=1)
    assert first == again == back.reversed()
    assert looking.looked == {0: 1, 1: 1}
    assert len(looking.kept) == 1


def test_a_pair_is_judged_once(no_pixels):
    looking = FakeLooking(made_looks(3))
    first = run(looking, [Asked(0, 1), Asked(1, 2)])
    looked, expected = looking.looked.copy(), looking.expected.copy()
    assert expected == [0, 1, 1, 2]
    assert run(looking, [Asked(0, 1), Asked(1, 2)]) == first
    assert (looking.looked, looking.expected) == (looked, expected)


def test_the_other_way_round_it_is_reversed(no_pixels):
    looking = FakeLooking(made_looks(2))
    (first,) = run(looking, [Asked(0, 1)])
    looked = looking.looked.copy()
    (back,) = run(looking, [Asked(1, 0)])
    assert back == first.reversed()
    assert back.judgement.original == -first.judgement.original
    assert (looking.looked, looking.expected) == (looked, [0, 1])


def test_equal_contents_are_judged_once(no_pixels):
    looking = FakeLooking(made_looks(4), [b"a", b"b", b"a", b"b"])
    first = run(looking, [Asked(0, 1)])
    assert run(looking, [Asked(2, 3)]) == first
    assert looking.looked[2] == looking.looked[3] == 0
    assert looking.expected == [0, 1]


def test_rules_of_another_version_judge_anew(no_pixels, monkeypatch):
    looking = FakeLooking(made_looks(2))
    run(looking, [Asked(0, 1)])
    monkeypatch.setattr(judging, "VERSION", judging.VERSION + 1)
    run(looking, [Asked(0, 1)])
    assert looking.looked == {0: 2, 1: 2}
    assert looking.expected == [0, 1, 0, 1]


def test_other_questions_are_judged_anew(no_pixels):
    looking = FakeLooking(made_looks(2))
    run(looking, [Asked(0, 1)])
    run(looking, [Asked(0, 1, orientation=2)])
    run(looking, [Asked(1, 0, orientation=2)])  # which is another question: the other one is turned
    assert looking.looked == {0: 3, 1: 3}
    assert len(looking.kept) == 3


def test_two_collections(no_pixels):
    ones, others = FakeLooking(made_looks(2)), FakeLooking(made_looks(5), [bytes([9 + row]) for row in range(5)])
    (found,) = run(ones, [Asked(1, 4)], other=others)
    assert found.judgement == made_judgement(2, 5)
    assert (ones.kept, len(others.kept)) == ({}, 1)
    assert (ones.looked, others.looked) == ({1: 1}, {4: 1})


# --- by pixels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [False, True])
def test_what_is_alike_by_hash_is_looked_at_without_local_features(looks, features):
    looking = FakeLooking(looks)
    copy, other = run(looking, [Asked(0, 1, alike=True), Asked(0, 2, alike=True)], features=features)
    assert (copy.judgement.relation, copy.inliers) == (Relation.COPY, None)
    assert other.judgement.relation is Relation.LOOK_ALIKE
    assert looking.descriptions == ({0: 1, 2: 1} if features else {})
    assert looking.expected == [0, 1, 0, 2]
    assert looking.expected_described == []


def test_local_features_find_a_part(coffee):
    looking = FakeLooking([look(coffee), look(coffee.crop((60, 40, 270, 200)).resize((420, 320)))])
    (found,) = run(looking, [Asked(0, 1)], features=True)
    assert found.judgement.relation is Relation.PART
    assert found.inliers > 20
    there = mapped(np.reshape(found.judgement.transform, (3, 3)), np.array([(60, 40), (270, 200)]))
    np.testing.assert_allclose(there, [(0, 0), (420, 320)], atol=2)  # a pixel of the smaller one
    (without,) = run(FakeLooking(looking.looks), [Asked(0, 1)], features=False)
    assert (without.judgement.relation, without.inliers) == (Relation.LOOK_ALIKE, None)


def test_a_hint_is_tried_first(coffee):
    looking = FakeLooking([look(coffee), look(coffee.crop((60, 40, 270, 200)))])
    hint = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    (found,) = run(looking, [Asked(0, 1, (hint,))], features=True)
    assert (found.judgement.relation, found.inliers) == (Relation.PART, None)
    assert not looking.descriptions
    assert (looking.expected, looking.expected_described) == ([0, 1], [])
    (found,) = run(FakeLooking(looking.looks), [Asked(0, 1, (hint @ hint,))], features=True)  # a wrong one
    assert found.judgement.relation is Relation.PART
    assert found.inliers > 20


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_a_hint_is_tried_where_nothing_was_found_without_it(coffee, monkeypatch, features, back):
    monkeypatch.setattr(judging, "transform_by_features", lambda one, other: (None, 3))
    looking = FakeLooking([look(coffee), look(coffee.crop((60, 40, 270, 200)))])
    hint = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    (first,) = run(looking, [Asked(1, 0) if back else Asked(0, 1)], features=features)
    assert (first.judgement.relation, first.hinted) == (Relation.LOOK_ALIKE, False)
    (after,) = run(looking, [Asked(0, 1, (hint,))], features=features)
    assert (after.judgement.relation, after.hinted) == (Relation.PART, True)
    before = looking.looked.copy(), looking.expected.copy(), looking.expected_described.copy()
    assert run(looking, [Asked(0, 1, (hint,))], features=features) == [after]
    assert (looking.looked, looking.expected, looking.expected_described) == before


def test_what_a_hint_did_not_find_is_not_looked_for_again(looks):
    looking = FakeLooking(looks)
    hint = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    (first,) = run(looking, [Asked(0, 2, (hint,))])
    assert (first.judgement.relation, first.hinted) == (Relation.LOOK_ALIKE, True)
    looked = looking.looked.copy()
    assert run(looking, [Asked(0, 2, (hint,)), Asked(0, 2)]) == [first, first]
    assert run(looking, [Asked(2, 0, (np.linalg.inv(hint),))]) == [first.reversed()]
    assert (looking.looked, looking.expected) == (looked, [0, 2])


def test_what_was_found_without_a_hint_is_the_answer_with_one(looks):
    looking = FakeLooking(looks)
    (first,) = run(looking, [Asked(0, 1)])
    assert (first.judgement.relation, first.hinted) == (Relation.COPY, False)
    looked = looking.looked.copy()
    assert run(looking, [Asked(0, 1, (np.eye(3),))]) == [first]
    assert (looking.looked, looking.expected) == (looked, [0, 1])


def test_unlike_pictures_are_described_once_for_all_pairs_and_not_looked_at(monkeypatch):
    def no_judge(*values, **options):
        raise AssertionError("unlike pictures are judged")

    sides = []

    def lie_over_each_other(a, b, transform):
        sides.extend(max(look.pixels.shape) for look in (a, b))
        np.testing.assert_allclose(mapped(transform, corners(a.width, a.height)), corners(b.width, b.height))
        return real(a, b, transform)

    real = judging.lie_over_each_other
    monkeypatch.setattr(judging, "lie_over_each_other", lie_over_each_other)
    monkeypatch.setattr(judging, "judge", no_judge)
    names = ["coffee.png", "rocket.jpg", "chelsea.png", "astronaut.png"]
    looking = FakeLooking([look(loaded(name)) for name in names])
    asked = [Asked(row, col) for row in range(4) for col in range(row)]
    for judged in run(looking, asked, threads=1, features=True):
        assert judged.judgement == Judgement(Relation.LOOK_ALIKE)
        assert judged.inliers is not None
    assert sides == [SMALL_SIDE] * 2 * len(asked)
    assert looking.descriptions == dict.fromkeys(range(4), 1)
    assert looking.expected_described == in_order(asked)
    assert run(looking, asked, features=True) == run(looking, asked[::-1], features=True)[::-1]
    assert looking.expected_described == in_order(asked)  # what was judged need not be described
    looking.kept.clear()
    run(looking, asked, features=True)
    assert looking.descriptions == dict.fromkeys(range(4), 1)
    assert looking.expected_described == in_order(asked) * 2
    assert (looking.looked, looking.expected) == ({}, [])


def test_what_is_described_is_to_be_read_where_pixels_are_asked_for(looks):
    looking = FakeLooking(looks)
    hint = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    run(looking, [Asked(0, 2)], features=True)
    assert (looking.expected, looking.expected_described) == ([], [0, 2])
    run(looking, [Asked(1, 2, alike=True)], features=True)
    assert looking.expected == [1, 2]
    run(looking, [Asked(0, 2, (hint,))], features=True)
    assert looking.expected == [1, 2, 0, 2]
    run(looking, [Asked(0, 2)], features=False)
    assert looking.expected == [1, 2, 0, 2, 0, 2]
    assert looking.expected_described == [0, 2]
    run(looking, [Asked(0, 1)], features=True)  # which is not sorted out
    assert looking.expected == [1, 2, 0, 2, 0, 2, 0, 1]
    assert looking.expected_described == [0, 2, 0, 1]


def test_pictures_that_lie_over_each_other_are_judged_without_matching_features(looks, monkeypatch):
    monkeypatch.setattr(judging, "transform_by_features", lambda one, other: (None, 3))
    looking = FakeLooking(looks)
    copy, other = run(looking, [Asked(0, 1), Asked(0, 2)], features=True)
    assert (copy.judgement.relation, copy.inliers) == (Relation.COPY, 3)
    assert (other.judgement.relation, other.inliers) == (Relation.LOOK_ALIKE, 3)
    assert looking.descriptions == {0: 1, 1: 1, 2: 1}
    assert looking.looked == {0: 1, 1: 1}  # of what may be a copy
    assert looking.expected == [0, 1]


# --- through others --------------------------------------------------------------------------------------------------


@pytest.fixture
def turned_looks(coffee):
    """A picture, it upside down, a part of it, another one upside down."""
    part = coffee.crop((60, 40, 270, 200))
    upside_down = coffee.rotate(180), loaded("rocket.jpg").rotate(180)
    return [look(coffee), look(upside_down[0]), look(part), look(upside_down[1])]


UPSIDE_DOWN = np.array([[-1, 0, 300], [0, -1, 220], [0, 0, 1.0]])


@pytest.mark.parametrize("matching", [True, False])
def test_two_others_lead_from_one_to_the_other(turned_looks, monkeypatch, matching):
    """Part and picture are matched, the picture's turned copy is what the part is compared with."""
    if not matching:
        monkeypatch.setattr(judging, "transform_by_features", lambda one, other: (None, 0))
        turned_looks[2] = turned_looks[0]
    looking = FakeLooking(turned_looks)
    pair = Asked(2, 1, through=Through(2, 0, np.eye(3), UPSIDE_DOWN))
    (found,) = run(looking, [pair], features=True)
    assert found.judgement.relation is (Relation.PART if matching else Relation.COPY)
    assert found.judgement.joined
    corner = mapped(np.reshape(found.judgement.transform, (3, 3)), np.array([(0.0, 0.0)]))
    np.testing.assert_allclose(corner, [(240, 180) if matching else (300, 220)], atol=1.5)
    assert looking.expected_described == [2, 0]
    assert looking.looked == {2: 1, 1: 1}
    # What was judged so is known when it is asked for again, either way round.
    assert run(looking, [Asked(2, 1), pair], features=True) == [found, found]
    assert looking.looked == {2: 1, 1: 1}


def test_those_that_lead_nowhere_are_remembered(turned_looks):
    looking = FakeLooking(turned_looks)
    pair = Asked(2, 3, through=Through(2, 3, np.eye(3), np.eye(3)))
    unlike = Asked(0, 1, through=Through(0, 3, np.eye(3), np.eye(3)))
    first, second = run(looking, [pair, unlike], features=True)
    assert {first.judgement.relation, second.judgement.relation} == {Relation.LOOK_ALIKE}
    assert looking.looked == {}
    again = FakeLooking(turned_looks)
    again.kept = looking.kept
    assert run(again, [unlike, Asked(0, 3)], features=True) == [second, second]
    assert again.descriptions == {}
    # Of the pair itself nothing was said.
    (found,) = run(again, [Asked(0, 1, orientation=3)], features=True)
    assert found.judgement.relation is Relation.COPY


@pytest.mark.parametrize("gone", range(4))
def test_one_that_is_gone_is_none_whichever_it_is(turned_looks, gone):
    looking = FakeLooking(turned_looks, [None if row == gone else bytes([row]) * 32 for row in range(4)])
    assert run(looking, [Asked(2, 1, through=Through(0, 3, np.eye(3), np.eye(3)))], features=True) == [None]


@pytest.mark.parametrize("pair", [Asked(0, 1), Asked(0, 1, alike=True), Asked(0, 1, (np.eye(3),))])
@pytest.mark.parametrize("gone", [0, 1])
def test_what_cannot_be_read_has_no_features_either(looks, pair, gone):
    looking = FakeLooking(list(looks))
    looking.looks[gone] = None
    assert run(looking, [pair], features=True) == [None]
    assert looking.kept == {}


@pytest.mark.parametrize("gone", [0, 1])
def test_what_was_described_and_cannot_be_read_any_more(looks, gone):
    looking = FakeLooking([*looks])
    for row in range(3):
        looking.described(row)
    looking.looks[gone] = None
    copy, other = run(looking, [Asked(0, 1), Asked(gone, 2)], features=True)
    assert copy is None  # for which pixels are needed
    assert other.judgement.relation is Relation.LOOK_ALIKE
    assert len(looking.kept) == 1


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize(
    ("orientation", "turn"), [(2, ImageOps.mirror), (3, lambda image: image.rotate(180)), (4, ImageOps.flip)]
)
def test_turned_copies(coffee, features, orientation, turn):
    looking = FakeLooking([look(coffee), look(turn(coffee).resize((200, 150), Image.Resampling.LANCZOS))])
    (found,) = run(looking, [Asked(0, 1, orientation=orientation)], features=features)
    assert found.judgement.relation is Relation.COPY
    expected = np.array(turn(Image.fromarray(np.array([[1, 2], [4, 3]], np.uint8))))
    there = mapped(np.reshape(found.judgement.transform, (3, 3)), corners(300, 220))
    for number, (x, y) in enumerate(there, 1):  # the corners are where the turn takes them
        assert expected[int(y > 75), int(x > 100)] == number
    if features:
        assert looking.descriptions == {0: 1, 1: 1}  # of the mirror image too
        assert found.inliers > 20


# --- what is kept ----------------------------------------------------------------------------------------------------

BOXES = st.tuples(*[st.integers(0, 500)] * 4)
WORDS = st.lists(st.sampled_from(["more", "frames", "detail"]), unique=True).map(tuple)
JUDGEMENTS = st.builds(
    Judgement,
    st.sampled_from(Relation),
    st.none() | st.tuples(*[st.floats(-1e3, 1e3)] * 9),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.floats(0, 1),
    st.lists(st.tuples(BOXES, BOXES), max_size=3).map(tuple),
    st.booleans(),
    st.tuples(WORDS, WORDS),
    st.integers(-1, 1),
    st.sampled_from(["", "detail"]),
    st.booleans(),
)


@settings(max_examples=tries(300))
@given(st.builds(Judged, JUDGEMENTS, st.none() | st.integers(0, 500), st.booleans()))
def test_what_is_kept_is_what_was_judged(judged):
    content = judging._as_json(judged)
    assert judging._from_json(content) == judged
    assert json.loads(content)["relation"] == judged.judgement.relation.value


def test_what_is_judged_by_pixels_is_kept_bit_by_bit(looks):
    looking = FakeLooking(looks)
    asked = [Asked(0, 1), Asked(1, 2), Asked(0, 2)]
    assert run(looking, asked, features=True) == run(looking, asked, features=True)
