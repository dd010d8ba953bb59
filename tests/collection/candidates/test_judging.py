"""Judging many pairs, with looks that are made up, so that it is known what is looked at."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imgsim_ops.collection.candidates import judging
from imgsim_ops.collection.candidates.judging import Asked, Judge, Judged
from imgsim_ops.collection.findings import Picture
from imgsim_ops.matching.features import described
from imgsim_ops.matching.frames import corners, mapped
from imgsim_ops.matching.looks import Look
from imgsim_ops.matching.relations import Judgement, Relation
from imgsim_ops.quality.photographs import find_photographs
from tests.support.tries import tries


class FakeLooking:
    """Looks by row, in place of a `Looking`; rows of one content have one look.

    Attributes:
        looked: How often each row was looked at.
        described: How often each row was described, and whether as a mirror image.
        kept: What was judged.
    """

    def __init__(self, looks, contents=None):
        self.looks = looks
        self.contents = contents or [bytes([row]) * 32 for row in range(len(looks))]
        self.looked, self.described, self.expected = Counter(), Counter(), []
        self.kept = {}
        self.commits = 0

    def files(self, row):
        if self.contents[row] is None:
            return []
        return [Picture(f"/{row}", 1, 1, self.contents[row], 10, 10, "PNG")]

    def expect(self, row):
        self.expected.append(row)

    def look(self, row):
        self.looked[row] += 1
        return self.looks[row]

    def features(self, row, mirrored=False):
        self.described[row, mirrored] += 1
        look = self.looks[row]
        return described(look.pixels[:, ::-1] if mirrored else look.pixels, look.width, look.height)

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
    monkeypatch.setattr(judging, "judge", lambda a, b, hints: made_judgement(a.width, b.width))


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
    assert told == [("Comparing", number + 1, count) for number in range(count)]
    assert looking.commits == 1
    assert looking.expected == [row for pair in asked for row in (pair.row, pair.col)]


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


def test_threads_of_opencv_are_as_before(no_pixels):
    before = cv2.getNumThreads()
    looking = FakeLooking(made_looks(2))
    with Judge(looking, looking, 1, False, quiet):
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def test_errors_are_those_of_who_asks(no_pixels, monkeypatch):
    def full(*values):
        raise OSError(28, "the disk is full")

    looking = FakeLooking(made_looks(2))
    monkeypatch.setattr(looking, "keep_judged", full)
    with pytest.raises(OSError, match="the disk is full"):
        run(looking, [Asked(0, 1)])


def test_what_cannot_be_read_is_told_and_not_kept(no_pixels):
    looking = FakeLooking(made_looks(3))
    looking.looks[1] = None
    looking.contents[2] = None  # no file has it any more
    assert [found is None for found in run(looking, [Asked(0, 1), Asked(1, 0), Asked(2, 0), Asked(0, 2)])] == [True] * 4
    assert looking.kept == {}
    looking.looks[1] = made_looks(2)[1]
    assert run(looking, [Asked(0, 1)])[0].judgement == made_judgement(1, 2)


# --- once only -------------------------------------------------------------------------------------------------------


def test_a_pair_is_judged_once(no_pixels):
    looking = FakeLooking(made_looks(3))
    first = run(looking, [Asked(0, 1), Asked(1, 2)])
    looked = looking.looked.copy()
    assert run(looking, [Asked(0, 1), Asked(1, 2)]) == first
    assert looking.looked == looked


def test_the_other_way_round_it_is_reversed(no_pixels):
    looking = FakeLooking(made_looks(2))
    (first,) = run(looking, [Asked(0, 1)])
    looked = looking.looked.copy()
    (back,) = run(looking, [Asked(1, 0)])
    assert back == first.reversed()
    assert back.judgement.original == -first.judgement.original
    assert looking.looked == looked


def test_equal_contents_are_judged_once(no_pixels):
    looking = FakeLooking(made_looks(4), [b"a", b"b", b"a", b"b"])
    first = run(looking, [Asked(0, 1)])
    assert run(looking, [Asked(2, 3)]) == first
    assert looking.looked[2] == looking.looked[3] == 0


def test_rules_of_another_version_judge_anew(no_pixels, monkeypatch):
    looking = FakeLooking(made_looks(2))
    run(looking, [Asked(0, 1)])
    monkeypatch.setattr(judging, "VERSION", judging.VERSION + 1)
    run(looking, [Asked(0, 1)])
    assert looking.looked == {0: 2, 1: 2}


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
    assert looking.described[1, False] == 0
    assert looking.described[2, False] == int(features)


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
    assert not looking.described
    (found,) = run(FakeLooking(looking.looks), [Asked(0, 1, (hint @ hint,))], features=True)  # a wrong one
    assert found.judgement.relation is Relation.PART
    assert found.inliers > 20


@pytest.mark.xfail(strict=True, reason="what was judged without a hint is the answer with one")
def test_a_hint_is_tried_where_nothing_was_found_without_it(coffee):
    looking = FakeLooking([look(coffee), look(coffee.crop((60, 40, 270, 200)))])
    hint = np.array([[1, 0, -60], [0, 1, -40], [0, 0, 1.0]])
    (before,) = run(looking, [Asked(0, 1)])
    assert before.judgement.relation is Relation.LOOK_ALIKE
    (after,) = run(looking, [Asked(0, 1, (hint,))])
    assert after.judgement.relation is Relation.PART


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
        assert looking.described[0, orientation in (2, 4)] == 1


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
@given(st.builds(Judged, JUDGEMENTS, st.none() | st.integers(0, 500)))
def test_what_is_kept_is_what_was_judged(judged):
    content = judging._as_json(judged)
    assert judging._from_json(content) == judged
    assert json.loads(content)["relation"] == judged.judgement.relation.value


def test_what_is_judged_by_pixels_is_kept_bit_by_bit(looks):
    looking = FakeLooking(looks)
    asked = [Asked(0, 1), Asked(1, 2), Asked(0, 2)]
    assert run(looking, asked, features=True) == run(looking, asked, features=True)
