"""Which files a user means."""

import os
from pathlib import Path

import pytest
from PIL import Image

from imgsim_ops.errors import ImageError
from imgsim_ops.images.scan import scan, survey

PICTURE = b"\xff\xd8\xff\xe0 the beginning of a JPEG, and that is all that scan looks at"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names, content=PICTURE):
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(*paths, exclude=()):
    return [str(path) for path in scan(paths, exclude)]


def test_folders_are_searched_in_a_fixed_order(folder):
    write("p/b.jpg", "p/a.jpg", "p/B.jpg", "p/z/c.jpg", "p/m/x/c.jpg", "p/m/d.jpg")
    expected = ["p/B.jpg", "p/a.jpg", "p/b.jpg", "p/m/d.jpg", "p/m/x/c.jpg", "p/z/c.jpg"]
    assert found("p") == expected
    assert found(Path("./p/")) == expected


def test_files_are_yielded_as_given_and_once(folder):
    write("p/a.jpg", "p/b.txt", "p/.hidden.jpg")
    assert found("p/b.txt", "p/.hidden.jpg", "p", "p/a.jpg", "./p", "p/b.txt") == [
        "p/b.txt",
        "p/.hidden.jpg",
        "p/a.jpg",
    ]


def test_hidden_names_are_passed_over(folder):
    write("p/.a.jpg", "p/.thumbnails/a.jpg", "p/a.jpg")
    assert found("p") == ["p/a.jpg"]


def test_in_a_folder_a_picture_is_told_by_name_or_content(folder):
    write("p/picture", "p/picture.dat")
    write("p/notes.txt", "p/text.JPG", content=b"words")
    write("p/empty.png", "p/empty", content=b"")
    Path("p/nowhere").symlink_to("missing")
    Path("p/circle").symlink_to("circle")
    os.mkfifo("p/fifo")
    os.mkfifo("p/fifo.jpg")
    assert found("p") == [
        f"p/{name}" for name in ("circle", "empty.png", "fifo.jpg", "nowhere", "picture", "picture.dat", "text.JPG")
    ]


def test_folder_named_like_a_picture_is_searched(folder):
    write("p/x.jpg/a.jpg")
    assert found("p") == ["p/x.jpg/a.jpg"]


def test_links_to_folders_are_followed_once(folder):
    write("p/real/a.jpg", "outside/b.jpg")
    Path("p/real/up").symlink_to(folder / "p")
    Path("p/twin").symlink_to("real")
    Path("p/zone").symlink_to(folder / "outside")
    assert found("p") == ["p/real/a.jpg", "p/zone/b.jpg"]
    assert found("p/zone", "outside") == ["p/zone/b.jpg"]


def test_very_deep_folders(folder):
    depth = 1200  # more than Python's limit on recursion, which stops shutil.rmtree and so pytest's own cleaning
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")
    try:
        Path("a.jpg").write_bytes(PICTURE)
        os.chdir(folder)
        assert found("d") == ["d/" * depth + "a.jpg"]
    finally:
        os.chdir(folder)
        for _ in range(depth):
            os.chdir("d")
        os.remove("a.jpg")
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("d")


def test_globs(folder):
    write("p/a.jpg", "p/b.png", "p/q/c.jpg", "p/[x].jpg")
    assert found("p/*.jpg") == ["p/[x].jpg", "p/a.jpg"]
    assert found("p/**/*.jpg") == ["p/[x].jpg", "p/a.jpg", "p/q/c.jpg"]
    assert found("p/[x].jpg") == ["p/[x].jpg"]  # there is a file of that very name
    assert found("*") == ["p/[x].jpg", "p/a.jpg", "p/b.png", "p/q/c.jpg"]


def test_names_that_are_hard_to_write(folder):
    names = ["-dash.jpg", "new\nline.jpg", os.fsdecode(b"\xff.jpg")]
    write(*(f"p/{name}" for name in names))
    assert found("p") == [f"p/{name}" for name in names]
    os.chdir("p")
    assert found("-dash.jpg") == ["-dash.jpg"]


@pytest.mark.parametrize("path", ["missing.jpg", "missing/*.jpg", "", "a\0b", "a.jpg/inside"])
def test_what_means_nothing_is_an_error_before_anything_is_yielded(folder, path):
    write("a.jpg")
    with pytest.raises(ImageError, match=r"scan: .* must .*\(got ") as caught:
        next(scan(["a.jpg", path]))
    assert caught.value.code == "missing"
    assert str(caught.value).isprintable()


def test_unreadable_folders(folder):
    write("p/a.jpg", "p/closed/b.jpg")
    for path in (folder.parent, folder):
        path.chmod(0o755)
    Path("p/closed").chmod(0)
    superuser = os.geteuid() == 0  # who may read everything
    if superuser:
        os.seteuid(65534)
    try:
        assert found("p") == ["p/a.jpg", "p/closed"]
        with pytest.raises(ImageError, match="folder must be readable") as caught:
            found("p/closed")
        assert caught.value.code == "unreadable"
    finally:
        if superuser:
            os.seteuid(0)
        Path("p/closed").chmod(0o700)


def test_nothing_to_find(folder):
    Path("p").mkdir()
    assert found("p") == []
    assert found() == []


# What is left out


@pytest.fixture
def album(folder):
    write(
        "p/a.jpg", "p/b.png", "p/B.PNG", "p/thumbs/a.jpg", "p/q/a.jpg", "p/q/thumbs/c.jpg", "p/q/thumbs.jpg", "r/a.jpg"
    )
    write("p/[x].jpg", "p/q/picture")


EVERYTHING = [
    *("p/B.PNG", "p/[x].jpg", "p/a.jpg", "p/b.png", "p/q/a.jpg", "p/q/picture", "p/q/thumbs.jpg"),
    *("p/q/thumbs/c.jpg", "p/thumbs/a.jpg", "r/a.jpg"),
]


@pytest.mark.parametrize(
    ("exclude", "left_out"),
    [
        ([], []),
        (["a.jpg"], ["p/a.jpg", "p/q/a.jpg", "p/thumbs/a.jpg", "r/a.jpg"]),
        (["*.png"], ["p/b.png"]),  # capital letters are other letters
        (["*.[pP][nN][gG]"], ["p/b.png", "p/B.PNG"]),
        (["?.png"], ["p/b.png"]),
        (["thumbs"], ["p/q/thumbs/c.jpg", "p/thumbs/a.jpg"]),
        (["thumbs/"], ["p/q/thumbs/c.jpg", "p/thumbs/a.jpg"]),
        (["thumbs*"], ["p/q/thumbs/c.jpg", "p/q/thumbs.jpg", "p/thumbs/a.jpg"]),
        (["thumb"], []),  # the whole name, not a part of it
        (["p/thumbs"], ["p/thumbs/a.jpg"]),
        (["p/thumbs/"], ["p/thumbs/a.jpg"]),
        (["*/thumbs"], ["p/q/thumbs/c.jpg", "p/thumbs/a.jpg"]),  # * stands for slashes too
        (["*/q/*"], ["p/q/a.jpg", "p/q/picture", "p/q/thumbs.jpg", "p/q/thumbs/c.jpg"]),
        (["p/*/a.jpg"], ["p/q/a.jpg", "p/thumbs/a.jpg"]),
        (["q/thumbs"], []),  # the whole path, from where the user stands
        (["p/a.jpg", "r"], ["p/a.jpg", "r/a.jpg"]),
        (["[[]x].jpg"], ["p/[x].jpg"]),
        (["[x].jpg"], []),
        (["picture"], ["p/q/picture"]),
        (["p"], EVERYTHING[:-1]),
        (["*"], EVERYTHING),
        (["", "/"], []),
    ],
)
def test_exclude(album, exclude, left_out):
    assert found("p", "r", exclude=exclude) == [path for path in EVERYTHING if path not in left_out]


def test_exclude_counts_for_files_that_are_named_too(album):
    assert found("p/a.jpg", "p/b.png", exclude=["*.png"]) == ["p/a.jpg"]
    assert found("p/*.jpg", "p/b.png", exclude=["p/a.jpg"]) == ["p/[x].jpg", "p/b.png"]
    assert found("p/thumbs", "r", exclude=["thumbs"]) == ["r/a.jpg"]


def test_excluded_folders_are_not_entered(album, folder):
    Path("p/thumbs").chmod(0)
    assert "p/thumbs" not in found("p", exclude=["thumbs"])
    Path("p/thumbs").chmod(0o755)
    Path("p/aaa").symlink_to("thumbs")  # in place of the folder itself, which is then entered by this name
    assert "p/aaa/a.jpg" in found("p", exclude=["thumbs"])


def test_exclude_is_for_names_of_any_bytes(folder):
    write(b"p/\xff.jpg".decode(errors="surrogateescape"), "p/new\nline.jpg", "p/a.jpg")
    assert found("p", exclude=[os.fsdecode(b"\xff*")]) == ["p/a.jpg", "p/new\nline.jpg"]
    assert found("p", exclude=["new*.jpg"]) == ["p/a.jpg", os.fsdecode(b"p/\xff.jpg")]


def test_what_is_missing_is_an_error_also_when_it_is_excluded(album):
    with pytest.raises(ImageError):
        found("nothing.png", exclude=["*.png"])


@pytest.mark.parametrize("pattern", ["./p/thumbs", "p//thumbs", "./p/./thumbs/"])
def test_patterns_may_be_written_as_paths_may(album, pattern):
    assert "p/thumbs/a.jpg" not in found("./p", exclude=[pattern])


@pytest.mark.parametrize("root", [".", ".."])
def test_the_current_folder_has_no_name(album, root):
    os.chdir("p")
    assert found(root, exclude=[".*"])


# Counting


def test_survey(folder):
    Image.new("RGB", (8, 8)).save("a.png")
    Image.new("RGB", (8, 8)).save("b.gif")
    Image.new("RGB", (8, 8)).save("c.gif")
    write("d", "e.jpg")
    write("words.jpg", content=b"words")
    write("empty.jpg", content=b"")
    os.mkfifo("fifo.jpg")
    Path("nowhere.jpg").symlink_to("missing")
    os.mkdir("folder.jpg")
    names = [name for name in os.listdir() if name != "folder.jpg"]
    kinds, size = survey([*names, "folder.jpg", "missing.jpg"])
    assert kinds == {
        **{"PNG": 1, "GIF": 2, "JPEG": 2},
        **{"not_a_picture": 1, "empty": 1, "special": 1, "broken_link": 1, "folder": 1, "missing": 1},
    }
    assert size == sum(os.path.getsize(name) for name in names if os.path.isfile(name))


def test_survey_of_nothing():
    assert survey([]) == ({}, 0)


def test_survey_only_looks_at_the_beginning(folder):
    write("a.jpg")
    os.truncate("a.jpg", 1 << 40)  # a hole, which takes no room on the disk
    assert survey(["a.jpg"]) == ({"JPEG": 1}, 1 << 40)
