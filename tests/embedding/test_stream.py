"""`Embedder.stream`: files to vectors in order, whatever else is among them, with an engine that is easy to predict."""

import gc
import os
import threading
from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.decode import decode
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels
from tests.support.pictures_made import slow_jpeg
from tests.support.processes import children, needs_proc
from tests.support.stub_engine import StubEngine, vector

pytestmark = [needs_proc, pytest.mark.usefixtures("nothing_left")]
SIZES = [(1, 1), (17, 33), (300, 5), (64, 64), (97, 31), (120, 200)]


@pytest.fixture
def engine(request):
    return StubEngine(many=getattr(request, "param", True))


one_or_many = pytest.mark.parametrize("engine", [True, False], indirect=True, ids=["many at once", "one at a time"])


@pytest.fixture
def embedder(engine):
    return Embedder(engine=engine)


def streamed(embedder, paths, *threads, **read):
    embedder.read = ReadOptions(*threads, **read)
    return embedder.stream(paths)


def picture(path, number, kind="PNG"):
    random = np.random.default_rng(number)
    height, width = SIZES[number % len(SIZES)]
    Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path, kind)
    return str(path)


@pytest.fixture
def pictures(tmp_path):
    kinds = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]
    return [picture(tmp_path / f"{number:02}", number, kinds[number % 5]) for number in range(45)]


@pytest.fixture
def bad(tmp_path):
    """Files that cannot be read, and the code of each."""
    codes = {"missing": "missing", "empty": "empty", "text": "not_a_picture", "cut": "truncated", "fifo": "special"}
    paths = {name: str(tmp_path / name) for name in codes}
    open(paths["empty"], "w").close()
    with open(paths["text"], "w") as file:
        file.write("words")
    picture(paths["cut"], 3)
    os.truncate(paths["cut"], 200)
    os.mkfifo(paths["fifo"])
    return {path: codes[name] for name, path in paths.items()}


def alone(paths):
    return [vector(load_pixels(path)) for path in paths]


def same(found, expected):
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


# Order and bits


@one_or_many
@pytest.mark.parametrize("threads", [0, 1, 2, 3, 5])
def test_vectors_come_in_order(embedder, pictures, threads):
    found = list(streamed(embedder, pictures, threads))
    assert [path for path, _ in found] == pictures
    assert same([vector for _, vector in found], alone(pictures))
    assert all(vector.dtype == np.float32 and vector.shape == (5,) for _, vector in found)


@one_or_many
@pytest.mark.parametrize("threads", [1, 3])
def test_bad_files_change_nothing_for_the_others(embedder, engine, pictures, bad, threads):
    mixed = []
    for number, path in enumerate(pictures):
        mixed += [path, *islice(bad, number % len(bad))]
    found = list(streamed(embedder, mixed, threads))
    assert [path for path, _ in found] == mixed
    skipped = [answer for _, answer in found if isinstance(answer, SkippedFile)]
    assert [file.code for file in skipped] == [bad[path] for path in mixed if path in bad]
    assert [file.path for file in skipped] == [path for path in mixed if path in bad]
    assert same([answer for _, answer in found if not isinstance(answer, SkippedFile)], alone(pictures))


@one_or_many
def test_batches_are_filled_across_files(embedder, engine, pictures, bad):
    mixed = [path for name in pictures[:40] for path in (name, *bad)][:-3]
    size = 4 if engine.many_at_once() else 16
    list(streamed(embedder, [path for path in mixed if path not in bad], 1))
    assert engine.batches == [size] * (40 // size) + [40 % size] * (40 % size > 0)
    engine.batches.clear()
    list(streamed(embedder, [path for name in pictures[:40] for path in (name, "missing")], 1))
    assert engine.batches == [size] * (40 // size) + [40 % size] * (40 % size > 0)
    # Of one picture in six, one of many at once waits for no more than 32 files.
    engine.batches.clear()
    list(streamed(embedder, mixed, 1))
    assert sum(engine.batches) == 40
    assert max(engine.batches) <= size


def test_no_files(embedder, engine):
    assert list(streamed(embedder, [])) == []
    assert list(streamed(embedder, iter([]), 3)) == []
    assert engine.batches == []


def test_paths_of_all_kinds(embedder, pictures, tmp_path):
    odd = tmp_path / os.fsdecode(b"-new\nline\xff")
    os.rename(pictures[0], odd)
    found = list(streamed(embedder, [odd, os.fspath(odd), *pictures[1:3]]))
    assert [path for path, _ in found] == [str(odd), str(odd), *pictures[1:3]]
    assert same([vector for _, vector in found], alone([odd, odd, *pictures[1:3]]))


def test_two_streams_at_once(embedder, pictures):
    both = list(zip(streamed(embedder, pictures, 2), streamed(embedder, reversed(pictures), 2), strict=True))
    assert [first for (first, _), _ in both] == pictures
    assert same([vector for _, (_, vector) in both], alone(reversed(pictures)))


def test_folder_of_bad_files_only(embedder, engine, tmp_path):
    paths = [str(tmp_path / f"{number}.jpg") for number in range(500)]
    for path in paths[::2]:
        open(path, "w").close()
    taken = 0

    def watched():
        nonlocal taken
        for taken, path in enumerate(paths, 1):  # noqa: B007
            yield path

    stream = streamed(embedder, watched(), 2)
    found = [next(stream)]
    assert taken < 300  # what is known is told before the end is reached, although no batch is ever full
    found += stream
    assert [(path, answer.path) for path, answer in found] == [(path, path) for path in paths]
    assert [answer.code for _, answer in found] == ["empty", "missing"] * 250
    assert engine.batches == []


# Laziness and ends


@one_or_many
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_paths_are_taken_as_they_are_needed(embedder, engine, pictures, threads):
    taken = 0

    def endless():
        nonlocal taken
        for taken in count(1):
            yield pictures[taken % 45]

    stream = streamed(embedder, endless(), threads)
    assert taken == 0
    size = 4 if engine.many_at_once() else 16
    for done, _ in enumerate(islice(stream, 60), 1):
        # What is begun ahead, what waits for its batch to be full, and the batches under way: bounded all the same.
        assert taken <= done + 4 * threads + (2 * threads + 4) * size
    stream.close()
    assert not streaming_threads()


def streaming_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("imgsim-")]


@pytest.mark.parametrize("threads", [1, 3])
def test_closing_early_ends_everything(embedder, pictures, threads):
    before = children()
    stream = streamed(embedder, pictures, threads)
    next(stream)
    assert children() > before
    stream.close()
    assert children() == before
    assert not streaming_threads()


def test_a_stream_that_is_forgotten_ends(embedder, pictures):
    before = children()
    stream = streamed(embedder, pictures, 2)
    next(stream)
    del stream
    assert children() == before


@one_or_many
def test_failing_engine(embedder, engine, pictures):
    engine.fails = True
    before = children()
    with pytest.raises(ZeroDivisionError, match="the engine's own"):
        list(streamed(embedder, pictures, 2))
    assert children() == before


@one_or_many
def test_engine_that_fails_later(embedder, engine, pictures):
    stream = streamed(embedder, pictures * 3, 2)
    assert same([next(stream)[1]], alone(pictures[:1]))
    engine.fails = True
    with pytest.raises(ZeroDivisionError):
        list(stream)
    assert list(stream) == []


def test_failing_list_of_paths(embedder, pictures):
    def broken():
        yield from pictures[:10]
        raise OSError("the list is on a disk that fails")

    with pytest.raises(OSError, match="the list is on a disk"):
        list(streamed(embedder, broken(), 2))


# Options


def test_limits_reach_the_readers(embedder, tmp_path):
    path = picture(tmp_path / "picture", 3)  # 64 x 64
    ((_, answer),) = streamed(embedder, [path], max_pixels=64 * 64 - 1)
    assert answer.code == "too_large"
    # PNG takes 4 bytes a pixel, of 3.2 that the limit grants.
    ((_, answer),) = streamed(embedder, [path], max_pixels=64 * 64 * 4 // 3)
    assert isinstance(answer, np.ndarray)


def test_time_limit_reaches_the_readers(embedder, tmp_path):
    path = tmp_path / "slow.jpg"
    path.write_bytes(slow_jpeg(4000))  # takes 2.6 s here
    small = picture(tmp_path / "small", 3)
    (_, first), (_, second) = streamed(embedder, [path, small], 1, time_limit=0.8)
    assert first.code == "timed_out"
    assert isinstance(second, np.ndarray)


def test_mistakes(embedder, tmp_path):
    with pytest.raises(ImgsimError, match=r"read: threads must be from 0 \(all\) to 1024 \(got -1\)"):
        list(streamed(embedder, [], -1))
    for single in ("a.jpg", tmp_path / "a.jpg"):
        with pytest.raises(ImgsimError, match="stream: paths must be a list of paths"):
            list(streamed(embedder, single))


def test_exact_has_a_fingerprint_of_its_own(embedder, engine, tmp_path):
    exact = Embedder(engine=engine, read=ReadOptions(2, exact=True))
    assert str(embedder.fingerprint) == "stub-000000000000-fp32-p2"
    assert str(exact.fingerprint) == "stub-000000000000-fp32-p1"
    assert exact.dimension == embedder.dimension == 5
    noise = np.random.default_rng(0).integers(0, 256, (900, 800, 3), dtype=np.uint8)
    paths = [tmp_path / name for name in ("large.jpg", "small.jpg", "large.png")]
    Image.fromarray(noise).save(paths[0], quality=90)
    Image.fromarray(noise[:767, :767]).save(paths[1], quality=90)
    Image.fromarray(noise).save(paths[2])
    scaled, whole = (np.stack([found for _, found in each.stream(paths)]) for each in (embedder, exact))
    # Only a JPEG whose shorter side keeps 384 pixels at half its size is decoded to less than the whole.
    assert (scaled == whole).all(1).tolist() == [False, True, True]
    assert same(scaled, [vector(load_pixels(path)) for path in paths])
    assert same(whole, [vector(load_pixels(path, ReadOptions(exact=True))) for path in paths])
    assert same(exact.embed(paths), whole)
    assert same(embedder.embed(paths), scaled)


# `embed`, which uses it for many files


@pytest.mark.parametrize("many", [31, 32, 33, 45])
@one_or_many
def test_embed_of_many_is_embed_of_each(embedder, pictures, many):
    vectors = embedder.embed(iter(pictures[:many]))
    assert vectors.shape == (many, 5)
    assert vectors.dtype == np.float32
    assert same(vectors, [embedder.embed([path])[0] for path in pictures[:many]])


def test_embed_of_many_files_and_arrays_together(embedder, pictures):
    arrays = [decode(path) for path in pictures]
    mixed = [path if number % 3 else array for number, (path, array) in enumerate(zip(pictures, arrays, strict=True))]
    assert same(embedder.embed(mixed), alone(pictures))


@pytest.mark.parametrize("many", [31, 40])
def test_embed_stops_at_a_bad_file(embedder, pictures, bad, many):
    cut = next(path for path, code in bad.items() if code == "truncated")
    with pytest.raises(ImageError, match="this one ends early") as caught:
        embedder.embed([*pictures[: many - 10], cut, *pictures[many - 9 : many]])
    assert caught.value.code == "truncated"
    left = streaming_threads()  # while somebody keeps the error, and with it the frames that it passed through
    del caught
    gc.collect()
    assert not left
