"""Statistics over pictures of different sizes: exact, and the same bits for any number of threads."""

import os
import threading

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.statistics import channel_statistics
from tests.support.processes import children

SIZES = [(1, 1), (17, 33), (300, 5), (64, 64), (97, 31), (120, 200), (1, 999)]


@pytest.fixture
def pictures(tmp_path):
    random = np.random.default_rng(7)
    paths, pixels = [], []
    for number, size in enumerate(SIZES * 3):
        pixels.append(random.integers(0, random.integers(2, 257), (*size, 3), dtype=np.uint8))
        paths.append(tmp_path / f"{number:02}.png")
        Image.fromarray(pixels[-1]).save(paths[-1])
    return paths, pixels


def test_equals_the_statistics_of_all_pixels_at_once(pictures):
    paths, pixels = pictures
    together = np.concatenate([p.reshape(-1, 3) for p in pixels]).astype(np.float64) / 255
    report = channel_statistics(paths)
    assert report.pictures == len(paths)
    assert report.pixels == len(together)
    assert report.skipped == []
    # Both sides round in float64, over 75,000 values: 1e-12 leaves three digits for their accumulated errors.
    np.testing.assert_allclose(report.mean, together.mean(0), rtol=1e-12)
    np.testing.assert_allclose(report.std, together.std(0), rtol=1e-12)


def test_same_bits_for_any_number_of_threads(pictures):
    paths, _ = pictures
    reports = [channel_statistics(paths, ReadOptions(threads)) for threads in (1, 2, 3, 8)]
    assert len({(report.mean, report.std) for report in reports}) == 1
    assert [report.threads for report in reports] == [1, 2, 3, 8]


def test_bad_files_are_skipped_and_change_nothing(pictures, tmp_path):
    paths, _ = pictures
    alone = channel_statistics(paths)
    (tmp_path / "text.jpg").write_text("words")
    os.mkfifo(tmp_path / "fifo.jpg")
    cut = tmp_path / "cut.png"
    cut.write_bytes(paths[5].read_bytes()[:-200])
    mixed = [
        tmp_path / "text.jpg",
        *paths[:4],
        cut,
        *paths[4:],
        tmp_path / "fifo.jpg",
        str(tmp_path / "missing"),
    ]
    report = channel_statistics(mixed, ReadOptions(3))
    assert [(os.path.basename(file.path), file.code) for file in report.skipped] == [
        ("text.jpg", "not_a_picture"),
        ("cut.png", "truncated"),
        ("fifo.jpg", "special"),
        ("missing", "missing"),
    ]
    assert (report.mean, report.std, report.pixels) == (alone.mean, alone.std, alone.pixels)


def test_nothing_readable(tmp_path):
    report = channel_statistics([tmp_path / "missing"])
    assert (report.pictures, report.pixels, report.mean, report.std) == (0, 0, None, None)
    assert channel_statistics([]).skipped == []


def test_negative_threads(tmp_path):
    with pytest.raises(ImgsimError, match=r"threads must be from 0 \(all\) to 1024 \(got -1\)"):
        channel_statistics([], ReadOptions(-1))


def test_progress_counts_every_file(pictures):
    paths, _ = pictures
    seen = []
    channel_statistics([*paths, "missing"], ReadOptions(2), progress=seen.append)
    assert seen == list(range(1, len(paths) + 2))


def test_paths_are_read_as_they_are_needed(pictures):
    paths, _ = pictures
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield paths[taken % len(paths)]

    class Enough(Exception):
        pass

    def progress(done):
        if done == 50:
            raise Enough

    before = threading.active_count()
    with pytest.raises(Enough):
        channel_statistics(endless(), ReadOptions(2), progress=progress)
    assert taken <= 50 + 4 * 2  # the bounded row of pictures ahead of the one waited for
    assert threading.active_count() == before


def test_ctrl_c_drops_what_has_not_begun(pictures):
    paths, _ = pictures
    taken = 0

    def watched():
        nonlocal taken
        for path in paths * 20:
            taken += 1
            yield path

    def progress(done):
        raise KeyboardInterrupt

    before, threads = children(), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        channel_statistics(watched(), ReadOptions(1), progress=progress)
    assert threading.active_count() == threads
    assert children() == before
    assert taken <= 1 + 4 * 1  # the bounded row of pictures ahead of the one waited for, out of 420


def test_pictures_of_several_strips(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 200, (1500, 700, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    report = channel_statistics([path])
    assert report.pixels == 1500 * 700
    together = pixels.reshape(-1, 3) / 255
    np.testing.assert_allclose(report.mean, together.mean(0), rtol=1e-12)  # float64's rounding, as above
    np.testing.assert_allclose(report.std, together.std(0), rtol=1e-12)
