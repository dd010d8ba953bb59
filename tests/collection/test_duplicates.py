"""Groups of real photographs and of copies made of them: what each is to the picture kept, and what may go."""

import itertools
import os
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imgsim_ops.collection.candidates import looking
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.duplicates import REMOVED, Rules
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.matching.options import MatchOptions
from tests.support.photographs import mirrored, names, piece, write_copy, write_photographs
from tests.support.stub_engine import Blocks

RULES = Rules()


def quarter(image):
    return image.transpose(Image.Transpose.ROTATE_90)


def unchanged(image):
    return image


def covered(image):
    """Something else is shown in one place."""
    image = image.copy()
    ImageDraw.Draw(image).rectangle((30, 30, 120, 70), fill="white")
    return image


def left(image):
    return image.crop((0, 0, image.width * 5 // 8, image.height))


def right(image):
    return image.crop((image.width * 3 // 8, 0, image.width, image.height))


@pytest.fixture
def embedder():
    return Embedder(engine=Blocks(), read=ReadOptions(2))


@pytest.fixture
def photos(tmp_path):
    return write_photographs(tmp_path / "photos")


@pytest.fixture
def collection(tmp_path, embedder):
    with Collection.create(tmp_path / "c.imgsim", recipe="gem", embedder=embedder) as collection:
        yield collection


def groups_of(collection, rules=RULES, **match):
    with collection.duplicates(MatchOptions(**match), rules) as answers:
        groups = list(answers)
    paths = [member.picture.path for group in groups for member in group.members]
    assert len(paths) == len(set(paths))
    for group in groups:
        _check(group, rules)
    return groups


def _check(group, rules):
    """What holds of every group."""
    assert len(group.members) > 1
    first, *others = group.members
    assert (group.best, first.evidence, first.relation, first.remove) == (0, None, None, False)
    for member in others:
        assert member.evidence is not None
        assert 0 <= member.evidence.score <= 1
        kept = group.members[member.kept]
        if member.relation == "identical" and member.remove:
            assert member.picture.sha256 == kept.picture.sha256
        if member.remove:
            assert not kept.remove
            assert member.relation in REMOVED[rules.remove]
            assert not member.evidence.lacks
    assert group.bytes_of_copies == sum(member.picture.size for member in others if member.remove)


def related(groups):
    """By the picture kept, what the others are to it."""
    return {
        os.path.basename(group.members[0].picture.path): {
            os.path.basename(member.picture.path): member.relation for member in group.members[1:]
        }
        for group in groups
    }


def found(collection, **match):
    return related(groups_of(collection, **match))


def going(groups):
    return {os.path.basename(member.picture.path) for group in groups for member in group.members if member.remove}


# --- what pictures are to each other ---------------------------------------------------------------------------------


def test_unlike_photographs_have_no_copies(collection, photos):
    collection.add([photos])
    assert found(collection, flips=True, rotations=True) == {}
    assert found(collection, threshold=-1) == {}  # all pairs are looked at


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_pictures(collection, photos, count):
    for path in sorted(photos.iterdir())[count:]:
        path.unlink()
    collection.add([photos])
    assert found(collection) == {}


@pytest.fixture
def copied(photos):
    """A copy of each relation, of a picture each, but for coffee's, which has two."""
    shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    write_copy(photos, "coffee", unchanged, ".bmp")
    write_copy(photos, "chelsea", "recompressed", ".jpg")
    write_copy(photos, "rocket", "shrunk")
    write_copy(photos, "motorcycle_left", piece)
    write_copy(photos, "coins", covered)
    return photos


def test_each_relation(collection, copied):
    collection.add([copied])
    groups = groups_of(collection)
    assert related(groups) == {
        "coffee.png": {"z-coffee.png": "identical", "coffee-unchanged.bmp": "same_pixels"},
        "chelsea.png": {"chelsea-recompressed.jpg": "copy"},
        "rocket.png": {"rocket-shrunk.png": "copy"},
        "motorcycle_left.png": {"motorcycle_left-piece.png": "part"},
        "coins.png": {"coins-covered.png": "edited"},
    }
    evidence = {
        os.path.basename(member.picture.path): member.evidence for group in groups for member in group.members[1:]
    }
    assert {name: why.stage for name, why in evidence.items()} == {
        "z-coffee.png": "content",
        "coffee-unchanged.bmp": "perceptual",
        "chelsea-recompressed.jpg": "perceptual",
        "rocket-shrunk.png": "perceptual",
        "motorcycle_left-piece.png": "local",
        "coins-covered.png": "perceptual",
    }
    assert evidence["rocket-shrunk.png"].overlap == (1, 1)
    assert evidence["z-coffee.png"].transform is None  # equal bytes are not looked at
    assert {name for name, why in evidence.items() if why.differences} == {"coins-covered.png"}


def test_a_score_bounds_what_is_looked_at(collection, copied):
    collection.add([copied])
    everything = found(collection)
    # Scores of the engine that stands in are high even for unlike pictures; a piece has less than this. Hashes are
    # followed all the same.
    assert everything.keys() - found(collection, threshold=0.99).keys() == {"motorcycle_left.png"}
    assert found(collection, threshold=-1) == everything


def test_what_differs_is_where_it_is(collection, copied):
    collection.add([copied])
    (group,) = [group for group in groups_of(collection) if group.members[1].relation == "edited"]
    # Of 400 x 303 pixels; blocks of some pixels are compared, so that a box may be larger than what it is around.
    for here, there in group.members[1].evidence.differences:
        for x, y, width, height in (here, there):
            assert x >= 10
            assert y >= 10
            assert x + width <= 140
            assert y + height <= 90


def test_where_a_piece_lies(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    (group,) = groups_of(collection)
    whole, member = group.members
    assert (member.picture.width, whole.picture.width) == (350, 400)
    assert member.evidence.inliers > 20
    # Within a pixel: the piece was cut out at a whole one.
    np.testing.assert_allclose(
        member.evidence.transform, (1, 0, 50, 0, 1, whole.picture.height // 8), atol=0.02, rtol=0.02
    )
    assert member.evidence.orientation == 1
    assert member.evidence.overlap == pytest.approx((1, (7 / 8) ** 2), abs=0.02)


def test_pieces_are_not_chained(collection, photos):
    """Two pieces that overlap are one group with the whole, and say each what they are to that one."""
    halves = {write_copy(photos, "motorcycle_left", half).name: "part" for half in (left, right)}
    collection.add([photos])
    assert found(collection) == {"motorcycle_left.png": halves}


def test_mirrored_and_turned_copies_are_found_when_asked_for(collection, photos):
    write_copy(photos, "chelsea", mirrored, ".jpg")
    write_copy(photos, "coffee", quarter, ".jpg")
    collection.add([photos])
    # Without being asked for they are found where they are among the nearest by vector.
    flipped, turned = {"chelsea-mirrored.jpg": "copy"}, {"coffee-quarter.jpg": "copy"}
    assert found(collection, flips=True)["chelsea.png"] == flipped
    assert found(collection, rotations=True)["coffee.png"] == turned
    groups = groups_of(collection, flips=True, rotations=True)
    assert related(groups) == {"chelsea.png": flipped, "coffee.png": turned}
    turns = {os.path.basename(group.members[1].picture.path): group.members[1].evidence for group in groups}
    assert turns["chelsea-mirrored.jpg"].orientation == 2
    assert turns["coffee-quarter.jpg"].orientation == 6  # clockwise, as the copy was turned the other way


def test_small_pictures_are_told_apart(collection, photos):
    for path in photos.iterdir():
        with Image.open(path) as image:
            small = image.resize((64, 48))
        small.save(path)
    write_copy(photos, "coffee", "recompressed", ".jpg")
    collection.add([photos])
    assert [sorted([kept, *others]) for kept, others in found(collection).items()] == [
        ["coffee-recompressed.jpg", "coffee.png"]
    ]


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_that_are_gone_are_in_no_group(collection, photos):
    copy = write_copy(photos, "chelsea", "recompressed", ".jpg")
    twin = shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    collection.add([photos])
    assert len(found(collection)) == 2
    copy.unlink()
    twin.unlink()
    collection.add([photos])
    assert found(collection) == {}


def test_all_files_of_equal_bytes_are_members(collection, photos):
    write_copy(photos, "chelsea", "recompressed", ".jpg")
    for name in "xy":
        shutil.copy(photos / "chelsea.png", photos / f"{name}.png")
        shutil.copy(photos / "chelsea-recompressed.jpg", photos / f"{name}.jpg")
    collection.add([photos])
    (group,) = groups_of(collection)
    assert names(member.picture for member in group.members)[0] == "chelsea.png"
    assert [member.relation for member in group.members[1:]] == ["identical"] * 2 + ["copy"] * 3
    assert [member.remove for member in group.members] == [False] + [True] * 5


def test_the_twin_of_what_stays_may_go(collection, photos):
    """Of two files with the bytes of an edited picture one goes, for the other, which is no copy of the one kept."""
    edited = write_copy(photos, "coins", covered)
    shutil.copy(edited, photos / "twin.png")
    collection.add([photos])
    (group,) = groups_of(collection)
    assert [member.relation for member in group.members] == [None, "edited", "identical"]
    assert [(member.remove, member.kept) for member in group.members] == [(False, 0), (False, 0), (True, 1)]


def test_what_has_more_beside_it_stays(collection, photos):
    copies = [write_copy(photos, name, "recompressed", ".jpg") for name in ("chelsea", "coffee", "rocket")]
    for copy, ending in zip(copies, (".mov", ".NEF", ".txt"), strict=True):
        copy.with_suffix(ending).write_bytes(b"beside")
    for name in "xyz":
        shutil.copy(photos / "coins.png", photos / f"{name}.png")
    (photos / "y.AAE").write_bytes(b"edits")
    collection.add([photos])
    members = [member for group in groups_of(collection) for member in group.members]
    assert {os.path.basename(m.picture.path): m.stays_for for m in members if m.stays_for} == {
        "chelsea-recompressed.jpg": ("film",),
        "coffee-recompressed.jpg": ("raw",),
    }
    gone = {os.path.basename(m.picture.path) for m in members if m.remove}
    assert gone == {"rocket-recompressed.jpg", "coins.png", "x.png", "z.png"}  # of equal ones that with its edits stays


def test_a_picture_that_has_changed_since_is_not_looked_at(collection, photos):
    copy = write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    write_copy(photos, "coffee", piece).replace(copy)
    with collection.duplicates(MatchOptions()) as answers:
        assert list(answers) == []
    assert answers.judge.unreadable > 0


# --- what is kept, and what may go -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remove", "gone"),
    [
        ("identical", {"z-coffee.png", "coffee-unchanged.bmp"}),
        ("copies", {"z-coffee.png", "coffee-unchanged.bmp", "chelsea-recompressed.jpg", "rocket-shrunk.png"}),
        (
            "parts",
            {
                "z-coffee.png",
                "coffee-unchanged.bmp",
                "chelsea-recompressed.jpg",
                "rocket-shrunk.png",
                "motorcycle_left-piece.png",
            },
        ),
    ],
)
def test_what_is_asked_for_goes(collection, copied, remove, gone):
    collection.add([copied])
    assert going(groups_of(collection, Rules(remove))) == gone


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize(
    ("name", "kind", "suffix", "quality"),
    [
        ("rocket", "shrunk", ".png", None),
        ("motorcycle_left", piece, ".png", None),
        ("rocket", "recompressed", ".jpg", 75),
        ("coffee", unchanged, ".jpg", 50),
        ("chelsea", unchanged, ".jpg", 50),
    ],
)
def test_the_original_is_kept_however_old_its_copy_says_it_is(collection, photos, name, kind, suffix, quality, older):
    copy = write_copy(photos, name, kind, ".png")
    if quality is not None:
        with Image.open(copy) as image:
            image.save(copy.with_suffix(suffix), quality=quality)
        copy.unlink()
        copy = copy.with_suffix(suffix)
    os.utime(copy, (10**9, 10**9))
    os.utime(photos / f"{name}.png", (10**9 + older, 10**9 + older))
    collection.add([photos])
    (group,) = groups_of(collection)
    assert names(member.picture for member in group.members) == [f"{name}.png", copy.name]


def test_of_pictures_that_are_as_good_the_older_is_kept(collection, photos):
    copy = write_copy(photos, "coffee", unchanged, ".bmp")
    for first, second in ((copy, photos / "coffee.png"), (photos / "coffee.png", copy)):
        os.utime(first, (10**9, 10**9))
        os.utime(second, (10**9 + 1, 10**9 + 1))
        collection.add([photos])
        (group,) = groups_of(collection)
        assert names(member.picture for member in group.members) == [first.name, second.name]


@pytest.fixture
def two_folders(photos, tmp_path):
    """Copies in a folder of their own: one of equal bytes, one that is as good, one that is worse."""
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    shutil.copy(photos / "coffee.png", chosen / "coffee.png")
    for name, kind, suffix in (("chelsea", unchanged, ".bmp"), ("rocket", "shrunk", ".png")):
        shutil.move(write_copy(photos, name, kind, suffix), chosen / f"{name}{suffix}")
    return photos, chosen


def kept_and_gone(groups):
    return {
        os.path.basename(group.members[0].picture.path).split(".")[0]: (
            os.path.basename(os.path.dirname(group.members[0].picture.path)),
            [os.path.basename(os.path.dirname(m.picture.path)) for m in group.members if m.remove],
        )
        for group in groups
    }


def test_pictures_of_a_folder_are_kept_in_place_of_others(collection, two_folders):
    photos, chosen = two_folders
    collection.add([photos, chosen])
    assert kept_and_gone(groups_of(collection)) == {
        name: ("photos", ["chosen"]) for name in ("chelsea", "coffee", "rocket")
    }
    assert kept_and_gone(groups_of(collection, Rules(prefer=(str(chosen),)))) == {
        "chelsea": ("chosen", ["photos"]),
        "coffee": ("chosen", ["photos"]),
        "rocket": ("chosen", []),  # the other has detail that this one lacks: the promise holds
    }


def test_nothing_of_a_reference_goes(collection, two_folders):
    photos, chosen = two_folders
    collection.add([photos, chosen])
    for reference in (chosen, photos):
        groups = groups_of(collection, Rules(reference=(str(reference),)))
        assert len(groups) == 3
        gone = {member.picture.path for group in groups for member in group.members if member.remove}
        assert gone
        assert not any(path.startswith(f"{reference}{os.sep}") for path in gone)
    # A folder whose name only begins like it is another one.
    assert kept_and_gone(groups_of(collection, Rules(reference=(str(chosen)[:-1],))))["coffee"] == (
        "photos",
        ["chosen"],
    )


# --- what is kept of pictures that were looked at --------------------------------------------------------------------


def rows_of(collection, table):
    with sqlite3.connect(collection.path / looking.DATABASE) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_what_was_seen_is_kept(collection, photos, monkeypatch):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    found(collection, verify=False)
    assert rows_of(collection, "described") == 0
    first = found(collection)
    assert 2 <= rows_of(collection, "described") <= 6
    judged = rows_of(collection, "judgements")

    class NoReaders:
        def __init__(self, *arguments):
            raise AssertionError("a picture is read again")

    monkeypatch.setattr(looking, "IsolatedReaders", NoReaders)
    assert found(collection) == first
    assert rows_of(collection, "judgements") == judged


def test_only_candidates_are_looked_at(collection, photos):
    write_copy(photos, "coffee", "shrunk")
    collection.add([photos])
    assert list(found(collection, threshold=0.999)) == ["coffee.png"]
    assert rows_of(collection, "described") == 0  # the two lie over each other as wholes
    assert rows_of(collection, "judgements") == 1


def test_damaged_descriptions_are_made_anew(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    (collection.path / looking.DATABASE).write_bytes(b"SQLite format 3\0 but damaged" * 100)
    assert list(found(collection)) == ["motorcycle_left.png"]
    assert rows_of(collection, "judgements") > 0


def test_compacting_forgets_what_was_seen_of_what_is_gone(collection, photos):
    copy = write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    expected = found(collection)
    copy.unlink()
    collection.add([photos])
    features, judgements = (rows_of(collection, table) for table in ("described", "judgements"))
    assert collection.compact() == 1
    assert rows_of(collection, "described") == features - 1
    assert 0 < rows_of(collection, "judgements") < judgements
    assert collection.compact() == 0
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    assert found(collection) == expected


# --- while it goes on ------------------------------------------------------------------------------------------------


def test_stopping_early_leaves_nothing_running(collection, photos, nothing_left):
    shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    with collection.duplicates(MatchOptions()) as answers:
        assert next(answers)


def test_progress(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    write_copy(photos, "coffee", unchanged, ".bmp")
    collection.add([photos])
    seen = []
    with collection.duplicates(MatchOptions(), progress=lambda *what: seen.append(what)) as answers:
        list(answers)
    stages = [what for what, _ in itertools.groupby(what for what, _, _ in seen)]
    assert stages[-2:] == ["Comparing", "Comparing pixels"]
    assert seen[0][0] == "Searching"
    assert all(done <= total for _, done, total in seen)
    # All are sorted out first, and then looked at.
    assert 2 * answers.judge.judged == sum(what == "Comparing" for what, _, _ in seen)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(MatchOptions, {"threshold": 2}), (MatchOptions, {"false_positives": 0}), (ReadOptions, {"threads": -1})],
)
def test_errors(kind, options):
    with pytest.raises(ImgsimError):
        kind(**options)
