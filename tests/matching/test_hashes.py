import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.matching.hashes import BYTES, distances, is_flat, pairs_within, perceptual_hash


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
