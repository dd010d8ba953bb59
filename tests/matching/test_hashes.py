import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.matching.hashes import BYTES, distances, is_flat, links_within, pairs_within, perceptual_hash
from tests.support.tries import tries


def oracle(pixels):
    """The definition, value by value: DCT-II, orthonormal but for the factors that all values share."""
    grey = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    positions = np.arange(64) + 0.5
    waves = [np.cos(np.pi * k * positions / 64) * (0.5**0.5 if k == 0 else 1) / 32**0.5 for k in range(16)]
    return np.array([[(grey * np.outer(down, across)).sum() for across in waves] for down in waves])


@pytest.mark.parametrize("seed", range(3))
def test_the_hash_is_its_definition(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    values = oracle(pixels)
    bits = np.unpackbits(perceptual_hash(pixels)).astype(bool).reshape(16, 16)
    clear = np.abs(values - np.median(values)) > 1e-2  # float32 sums of 4096 values up to 255 round by less
    assert clear.sum() > 250
    np.testing.assert_array_equal(bits[clear], (values > np.median(values))[clear])


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_flat_pictures_hash_to_zeros(level):
    flat = np.full((64, 64, 3), level, np.uint8)
    assert not perceptual_hash(flat).any()
    flat[0, 0] ^= 1  # what saving as JPEG does
    assert not perceptual_hash(flat).any()


def test_a_gradient_is_not_flat():
    gradient = np.repeat(np.arange(64, dtype=np.uint8)[:, np.newaxis], 64, 1)[..., np.newaxis].repeat(3, 2)
    value = perceptual_hash(gradient)
    assert value.shape == (BYTES,)
    assert value.dtype == np.uint8
    assert not is_flat(value)


def test_distances_broadcast():
    a, b = np.zeros((3, 1, 32), np.uint8), np.full((1, 2, 32), 255, np.uint8)
    assert distances(a, b).tolist() == [[256, 256]] * 3
    assert distances(a[0, 0], b[0, 0]) == 256


def found_by_brute_force(hashes, most):
    alive = ~is_flat(hashes)
    between = distances(hashes[:, np.newaxis], hashes[np.newaxis])
    rows, columns = np.nonzero(np.triu(between <= most, 1) & alive[:, np.newaxis] & alive)
    return set(zip(rows.tolist(), columns.tolist(), between[rows, columns].tolist(), strict=True))


def found_by(hashes, most):
    blocks = list(pairs_within(hashes, most))
    assert all(part.dtype == np.int64 for block in blocks for part in block)
    pairs = [pair for block in blocks for pair in zip(*(part.tolist() for part in block), strict=True)]
    assert len(pairs) == len(set(pairs))  # each once
    return set(pairs)


@settings(deadline=None, max_examples=40)
@given(
    count=st.sampled_from([0, 1, 2, 7, 17, 33]),
    most=st.sampled_from([0, 1, 15, 16, 17, 31]),
    changes=st.integers(0, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_pairs_are_those_of_brute_force(count, most, changes, seed):
    generator = np.random.default_rng(seed)
    # A few hashes, each several times with bits changed, so that distances lie on both sides of the limit.
    bits = np.unpackbits(generator.integers(0, 256, (3, 32), np.uint8), axis=1)[generator.integers(0, 3, count)]
    for row in bits:
        row[generator.choice(256, generator.integers(0, changes + 1), replace=False)] ^= 1
    hashes = np.packbits(bits, axis=1).reshape(count, 32)
    hashes[generator.random(count) < 0.1] = 0
    assert found_by(hashes, most) == found_by_brute_force(hashes, most)


@pytest.mark.parametrize("most", [0, 15, 16, 31])
def test_bits_spread_as_badly_as_can_be(most):
    """The changed bits lie evenly over all pieces, so that none of them is spared."""
    first = np.random.default_rng(0).integers(0, 256, 32, np.uint8)
    hashes = [first]
    for changed in (most, most + 1):
        bits = np.unpackbits(first)
        bits[np.arange(changed) % 16 * 16 + np.arange(changed) // 16] ^= 1
        hashes.append(np.packbits(bits))
    hashes = np.stack(hashes)
    assert found_by(hashes, most) == found_by_brute_force(hashes, most) >= {(0, 1, most)}
    assert (0, 2, most + 1) not in found_by(hashes, most)


@pytest.mark.parametrize("most", [-1, 32])
def test_other_limits_are_refused(most):
    with pytest.raises(ValueError, match=rf"pairs_within: most must be in \[0, 31\] \(got {most}\)"):
        next(pairs_within(np.zeros((2, 32), np.uint8), most))


# --- links -----------------------------------------------------------------------------------------------------------


def links_of(hashes, most):
    found = {}
    for rows, columns, between in links_within(hashes, most):
        assert rows.dtype == columns.dtype == between.dtype == np.int64
        for row, column, bits in zip(rows.tolist(), columns.tolist(), between.tolist(), strict=True):
            assert row < column
            assert (row, column) not in found
            found[row, column] = bits
    return found


def crowded(count, crowds, changes, seed):
    """Hashes in a few crowds, each with some bits changed; a few are flat."""
    generator = np.random.default_rng(seed)
    bits = np.unpackbits(generator.integers(0, 256, (crowds, 32), np.uint8), axis=1)
    bits = bits[generator.integers(0, crowds, count)]
    for row in bits:
        row[generator.choice(256, generator.integers(0, changes + 1), replace=False)] ^= 1
    hashes = np.packbits(bits, axis=1).reshape(count, 32)
    hashes[generator.random(count) < 0.05] = 0
    return hashes


@settings(deadline=None, max_examples=tries(150))
@given(
    count=st.sampled_from([0, 1, 7, 17, 33, 100, 200]),
    crowds=st.integers(1, 4),
    most=st.sampled_from([0, 1, 11, 12, 24, 31]),
    changes=st.integers(0, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_near_pair_is_linked_or_one_of_it_hangs_on_a_hub(count, crowds, most, changes, seed):
    hashes = crowded(count, crowds, changes, seed)
    links, near = links_of(hashes, most), found_by_brute_force(hashes, most)
    assert {(row, column, bits) for (row, column), bits in links.items()} <= near
    linked = {row for link in links for row in link}
    for row, column, _ in near:
        assert (row, column) in links or row in linked or column in linked
    if count < 32:  # no crowd
        assert len(links) == len(near)


@pytest.mark.xfail(strict=True, reason="what hangs on a hub is not compared with what is too far from the hub")
def test_both_of_a_near_pair_are_linked_to_something():
    """The second last is near the hub, the last is near the second last only."""
    bits = np.repeat(np.unpackbits(np.random.default_rng(0).integers(1, 256, (1, 32), np.uint8), axis=1), 40, axis=0)
    bits[38, -20:] ^= 1
    bits[39, -30:] ^= 1
    hashes = np.packbits(bits, axis=1)
    assert distances(hashes[38], hashes[39]) == 10
    linked = {row for link in links_of(hashes, 24) for row in link}
    assert linked == set(range(40))


@pytest.mark.parametrize("count", [0, 1, 7, 17, 33])
def test_flat_hashes_are_linked_to_nothing(count):
    assert links_of(np.zeros((count, 32), np.uint8), 31) == {}
    hashes = crowded(count, 1, 4, count)
    hashes[::2] = 0
    assert all(row % 2 and column % 2 for row, column in links_of(hashes, 31))


@pytest.mark.parametrize("changes", [0, 3, 10])
def test_links_of_a_crowd_grow_with_its_size_and_not_with_its_square(changes):
    counts = {}
    for count in (750, 3000):
        generator = np.random.default_rng(changes)
        bits = np.repeat(np.unpackbits(generator.integers(1, 256, (1, 32), np.uint8), axis=1), count, axis=0)
        for row in bits:
            row[generator.choice(256, changes, replace=False)] ^= 1
        links = links_of(np.packbits(bits, axis=1), 24)
        assert {row for link in links for row in link} == set(range(count))
        counts[count] = len(links)
    # A hash that is near a hub is linked once; only what is near none is compared with all others.
    assert all(number <= 2 * count for count, number in counts.items())


@pytest.mark.parametrize("most", [-1, 32])
def test_other_limits_are_refused_for_links(most):
    with pytest.raises(ValueError, match=rf"must be in \[0, 31\] \(got {most}\)"):
        list(links_within(np.zeros((2, 32), np.uint8), most))
