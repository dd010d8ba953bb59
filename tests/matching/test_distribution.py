import numpy as np
import pytest

from imgsim_ops.matching.distribution import LEAST_CONTENTS, unlike_threshold

WIDTH = 64


def directions(rows, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((rows, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def share_above(score, crops=1):
    """Of pairs of random directions: (1 + cosine) / 2 has a beta distribution with both parameters (D - 1) / 2."""
    x = np.linspace(-1, 1, 200_001)
    density = (1 - x**2) ** ((WIDTH - 3) / 2)
    below = np.interp(score, x, np.cumsum(density) / density.sum())
    return 1 - below ** (crops * crops)


@pytest.mark.parametrize("crops", [1, 2])
@pytest.mark.parametrize("rate", [0.5, 0.1, 0.02])
def test_rates_within_the_sample(rate, crops):
    threshold = unlike_threshold(directions(1500 * crops), crops, rate)
    # A tenth: the expected number of pairs is 20,000 at least, and the same vectors are in many of them.
    assert share_above(threshold, crops) == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("rate", [1e-3, 1e-5, 1e-7])
def test_rates_beyond_it(rate):
    threshold = unlike_threshold(directions(1500), 1, rate)
    # The tail of random directions falls faster than the power that continues it: it errs on the side of few.
    assert rate / 100 < share_above(threshold) < 1.3 * rate


def test_it_falls_with_the_rate():
    vectors = directions(700)
    rates = np.logspace(-9, 0, 40)
    thresholds = [unlike_threshold(vectors, 1, rate) for rate in rates]
    assert (np.diff(thresholds) <= 1e-3).all()  # where measured and continued meet
    assert -1 <= thresholds[-1] < thresholds[0] <= 1


def test_true_copies_hardly_count():
    vectors = directions(1000)
    planted = vectors.copy()
    planted[500:750] = planted[:250]
    for rate in (1e-2, 1e-4, 1e-6):
        assert unlike_threshold(planted, 1, rate) == pytest.approx(unlike_threshold(vectors, 1, rate), abs=0.05)


def test_all_alike():
    assert unlike_threshold(np.repeat(directions(1), 100, 0), 1, 1e-6) > 0.999


def test_views_of_one_content_are_no_pair():
    vectors = np.repeat(directions(200), 2, 0)
    assert unlike_threshold(vectors, 2, 1e-3) < 0.7
    assert unlike_threshold(vectors, 2, 0.1) == unlike_threshold(vectors[::2], 1, 0.1)


def test_few_contents_say_nothing():
    assert unlike_threshold(directions(2 * (LEAST_CONTENTS - 1)), 2, 1e-6) == -1
    assert unlike_threshold(directions(0), 1, 0.5) == -1
    assert -1 < unlike_threshold(directions(LEAST_CONTENTS), 1, 1e-6) < 1


def test_zeros_are_like_nothing():
    vectors = np.zeros((60, WIDTH), np.float16)
    assert unlike_threshold(vectors, 1, 0.01) == 0


def test_a_sample_of_many_mapped_rows_gives_the_same_bits(tmp_path):
    np.save(tmp_path / "vectors.npy", directions(10_000))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    threshold = unlike_threshold(mapped, 1, 1e-5)
    assert threshold == unlike_threshold(mapped, 1, 1e-5)
    other = unlike_threshold(mapped, 1, 1e-5, seed=1)
    assert other != threshold
    assert other == pytest.approx(threshold, abs=0.02)


@pytest.mark.parametrize("rate", [0, -1e-6, 1.1, float("nan")])
def test_other_rates_are_refused(rate):
    with pytest.raises(ValueError, match="unlike_threshold: rate must be above 0 and at most 1"):
        unlike_threshold(directions(60), 1, rate)


@pytest.mark.parametrize("crops", [0, 2, 7])
def test_rows_must_fit_the_views(crops):
    with pytest.raises(ValueError, match="unlike_threshold: rows must be a multiple of crops"):
        unlike_threshold(directions(61), crops, 0.1)
