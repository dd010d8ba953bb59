"""The job in one call, as programs and notebooks use it."""

import os
import shutil
from html.parser import HTMLParser

import pytest

import imgsim_ops
from imgsim_ops import Collection, MatchOptions, ModelSpec, ReadOptions, find_duplicates, find_leaks
from imgsim_ops.collection.duplicates import Rules
from imgsim_ops.embedding.embedder import Embedder
from tests.support.encoder_made import write_encoder
from tests.support.photographs import write_copy, write_photographs

MATCH = MatchOptions()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Folders are kept as collections in a cache of this test's own."""
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "collections"


@pytest.fixture
def model(tmp_path):
    """One that takes no time."""
    return str(write_encoder(tmp_path / "encoder", shift=127))


@pytest.fixture
def album(tmp_path):
    """Five photographs; of two there are copies."""
    folder = write_photographs(tmp_path / "album")
    shutil.copy(folder / "coffee.png", folder / "z.png")
    write_copy(folder, "chelsea", "recompressed", ".jpg")
    return folder


def names(group):
    return [os.path.basename(member.picture.path) for member in group.members]


@pytest.mark.parametrize("kind", [str, os.fspath, lambda folder: folder, lambda folder: [folder / "."]])
def test_folders(album, kind, model):
    found = find_duplicates(kind(album), MATCH, model=model)
    assert [sorted(names(group)) for group in found] == [
        ["chelsea-recompressed.jpg", "chelsea.png"],
        ["coffee.png", "z.png"],
    ]
    assert len(found) == 2
    assert found[0] is found.groups[0]
    assert found[:1] == found.groups[:1]
    assert (found.copies, found.provenance.pictures) == (2, 7)
    assert [[member.relation for member in group.members] for group in found] == [[None, "copy"], [None, "identical"]]
    assert [[member.remove for member in group.members] for group in found] == [[False, True], [False, True]]
    assert found.bytes_of_copies == sum(group.members[1].picture.size for group in found)
    assert found.provenance.judged > 0
    assert found.provenance.unreadable == 0
    fewer = find_duplicates(kind(album), MATCH, Rules("identical"), model=model)
    assert list(map(names, fewer)) == list(map(names, found))
    assert (fewer.copies, fewer.bytes_of_copies) == (1, (album / "z.png").stat().st_size)
    assert repr(found) == "<2 groups: 2 of 7 pictures may go>"


def test_a_second_look_embeds_nothing(album, cache, monkeypatch, model):
    for path in album.iterdir():
        os.utime(path, (10**9, 10**9))  # long enough ago that the time tells of any change
    first = find_duplicates(album, MATCH, model=model)
    monkeypatch.setattr(Embedder, "describe", lambda *_: pytest.fail("a picture is embedded again"))
    again = find_duplicates(album, MATCH, model=model)
    assert list(map(names, again)) == list(map(names, first))
    assert again.provenance.judged == first.provenance.judged
    assert again.provenance.collection.parent == cache


def test_collections_open_and_not(album, tmp_path, model):
    path = tmp_path / "c.imgsim"
    with Collection.create(path, model) as collection:
        collection.add([album])
        found = find_duplicates(collection, MATCH)
        assert len(collection) == 7  # still open
    assert list(map(names, find_duplicates(path, MATCH))) == list(map(names, found))
    with pytest.raises(
        imgsim_ops.ImgsimError, match=r"options of folders do not go with a collection \(got --backbone"
    ):
        find_duplicates(path, MATCH, model="efficientnet_lite0")
    with pytest.raises(imgsim_ops.ImgsimError, match="a collection must stand alone"):
        find_duplicates([path, album], MATCH)


def test_files_that_are_no_pictures_are_skipped(album, model):
    (album / "notes.jpg").write_text("words")
    (file,) = find_duplicates(album, MATCH, model=model).skipped
    assert (os.path.basename(file.path), file.code) == ("notes.jpg", "not_a_picture")
    assert find_duplicates(album, MATCH, model=model, exclude=["*.jpg"]).skipped == ()


def test_no_pictures(tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(imgsim_ops.ImgsimError, match=r"dups: there must be a picture to read \(got none in "):
        find_duplicates(tmp_path / "empty", model=model)
    with pytest.raises(imgsim_ops.ImageError, match="a path must exist"):
        find_duplicates(tmp_path / "none", model=model)


def test_leaks(album, tmp_path, model):
    test = tmp_path / "test"
    test.mkdir()
    shutil.move(album / "z.png", test / "z.png")
    shutil.move(album / "rocket.png", test / "rocket.png")
    leaks = find_leaks(album, test, MATCH, model=model, read=ReadOptions(2))
    assert [(os.path.basename(leak.picture.path), os.path.basename(leak.source.path)) for leak in leaks] == [
        ("z.png", "coffee.png")
    ]
    assert [os.path.basename(picture.path) for picture in leaks.clean] == ["rocket.png"]
    assert leaks[0].relation == "identical"
    assert (len(leaks), leaks[0], leaks[:1]) == (1, leaks.leaks[0], leaks.leaks)
    assert repr(leaks) == "<1 of 2 test pictures come of training pictures>"
    with (
        Collection.create(tmp_path / "c.imgsim", model) as collection,
        pytest.raises(imgsim_ops.ImgsimError, match="both sets must be open collections, or neither"),
    ):
        find_leaks(collection, test)


class Pictures(HTMLParser):
    """What a notebook would show."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.text = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        assert tag in ("p", "div", "figure", "img", "figcaption", "br", "span", "em")
        if tag == "img":
            self.sources.append(dict(attributes)["src"])

    def handle_data(self, data):
        self.text.append(data)


def test_notebooks_see_pictures(album, tmp_path, model):
    odd = album / "<b>&.png"
    shutil.move(album / "z.png", odd)
    found = find_duplicates(album, MATCH, model=model)
    shown = Pictures(found._repr_html_())
    assert len(shown.sources) == 4
    assert all(source.startswith("data:image/webp;base64,UklGR") for source in shown.sources)
    assert "<b>&.png" in shown.text
    assert "2 groups: 2 of 7 pictures may go" in shown.text
    with Collection.open(found.provenance.collection) as collection:
        hits = collection.search(album / "chelsea.png", k=3)
    assert hits == list(hits)
    assert len(Pictures(hits._repr_html_()).sources) == len(hits)
    assert len(Pictures(hits[0]._repr_html_()).sources) == 1
    odd.unlink()
    group = next(group for group in found if "<b>&.png" in names(group))
    shown = Pictures(group._repr_html_())
    assert len(shown.sources) == 1
    assert "missing" in shown.text
    leaks = find_leaks(album, album, MATCH, model=model)
    assert len(Pictures(leaks[0]._repr_html_()).sources) == 2
    assert Pictures(leaks._repr_html_()).sources


def test_the_face_is_lazy_and_whole():
    assert set(imgsim_ops.__all__) <= set(dir(imgsim_ops))
    for name in imgsim_ops.__all__:
        assert getattr(imgsim_ops, name) is not None
    assert ModelSpec.of("efficientnet_lite0") == ModelSpec("efficientnet_lite0")
    assert ModelSpec.of(None) == ModelSpec()
