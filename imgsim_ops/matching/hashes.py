"""A perceptual hash: 256 bits that hardly change when a picture is resized or saved anew.

The classic pHash: the cosine transform of the picture in 64 x 64 levels of grey, of which the lowest 16 x 16
frequencies are each compared with their median.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

#: Pixels of a side that are hashed, and bytes of a hash.
SIDE = 64
BYTES = 32

_LOWEST = 16
# Rec. 601, as Pillow's conversion to grey has them.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_WORD: type[np.unsignedinteger]
_WORD_OF_PIECE: type[np.unsignedinteger]
_bits: Callable[[np.ndarray], np.ndarray]
if hasattr(np, "bitwise_count"):  # NumPy 2
    _WORD, _WORD_OF_PIECE, _bits = np.uint64, np.uint32, np.bitwise_count
else:
    _WORD = _WORD_OF_PIECE = np.uint8
    _bits = np.array([bin(value).count("1") for value in range(256)], np.uint8).__getitem__
# A picture whose frequencies all lie below this has nothing in it but rounding: its bits mean nothing.
_FLAT = 8.0
_BLOCK = 1 << 22
# Up to here whole pieces in common are looked for.
_FEW_BITS = 12
# So many hashes with a piece in common are a crowd, in which so many hubs are tried.
_CROWD = 32
_MOST_HUBS = 64


def _transform() -> np.ndarray:
    """The first rows of the orthonormal cosine transform (DCT-II) of 64 values."""
    positions = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    rows = np.cos(np.arange(_LOWEST)[:, np.newaxis] * positions) * np.sqrt(2 / SIDE)
    rows[0] = np.sqrt(1 / SIDE)
    return rows.astype(np.float32)


_ROWS = _transform()


def perceptual_hash(pixels: np.ndarray) -> np.ndarray:
    """The hash of a picture.

    Args:
        pixels: uint8 RGB (64, 64, 3), the whole picture squashed.

    Returns:
        uint8 (32,). Zeros for a picture without any structure, which is a copy of nothing by its hash (`is_flat`).
    """
    frequencies = _ROWS @ (pixels.astype(np.float32) @ _LUMA) @ _ROWS.T
    values = frequencies.ravel()
    if np.abs(values[1:]).max() < _FLAT:
        return np.zeros(BYTES, np.uint8)
    return np.packbits(values > np.median(values))


def is_flat(hashes: np.ndarray) -> np.ndarray:
    """Which hashes, uint8 (N, 32), are of pictures without any structure; bool (N,)."""
    return np.logical_not(hashes.any(-1))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """In how many bits hashes differ: int64 of the broadcast shape of `a` and `b`, uint8 (..., 32), but its last."""
    return _bits(np.bitwise_xor(a, b)).sum(-1, dtype=np.int64)


def distance(a: np.ndarray, b: np.ndarray) -> int | None:
    """In how many bits two hashes differ, uint8 (32,) each; None where one is of a picture without structure."""
    return None if is_flat(a) or is_flat(b) else int(distances(a, b))


def pairs_within(hashes: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All pairs of hashes that differ in at most so many bits; exact.

    Cut into enough pieces, two such hashes have one piece in common, or one that differs in a single bit: only those
    are compared. Time grows with how many there are, in the worst case (all alike) with N².

    Args:
        hashes: uint8 (N, 32). Flat ones are in no pair.
        most: Bits, at most 31.

    Yields:
        Rows i, columns j (i < j) and distances, int64 (P,) each; every pair once.

    Raises:
        ValueError: `most` is out of range.
    """
    if not 0 <= most <= 31:
        raise ValueError(f"pairs_within: most must be in [0, 31] (got {most})")
    # Long pieces have few twins by chance, and a bit of slack makes them twice as long.
    slack = 0 if most < _FEW_BITS else 1
    pieces = _pieces(hashes, max(8, most // (slack + 1) + 1))
    words = np.ascontiguousarray(hashes).view(_WORD)
    alive = np.flatnonzero(~is_flat(hashes))
    for piece in range(pieces.shape[1]):
        values = pieces[alive, piece]
        order = np.argsort(values, kind="stable")
        rows, values = alive[order], values[order]
        for flip in (0, *(1 << bit for bit in range(-(-8 * BYTES // pieces.shape[1])))) if slack else (0,):
            wanted = values ^ np.uint32(flip)
            first, last = np.searchsorted(values, wanted, "left"), np.searchsorted(values, wanted, "right")
            for left, right in _spread(rows, first, last):
                found = distances(words[left], words[right])
                near = found <= most
                if not near.any():
                    continue
                left, right, found = left[near], right[near], found[near]
                # A pair that has several pieces in common was there at the first of them.
                different = (pieces[left] ^ pieces[right]).view(_WORD_OF_PIECE)
                by_piece = _bits(different).reshape(len(left), pieces.shape[1], -1).sum(2)
                new = (by_piece <= slack).argmax(1) == piece
                if new.any():
                    yield left[new], right[new], found[new]


def links_within(hashes: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Links between hashes that differ in at most so many bits: all such pairs, unless very many are alike.

    Of a crowd of which each hash has a piece in common with many others, each is linked to one of them only, so that
    neither time nor memory grows with the pairs in it.

    Args:
        hashes: uint8 (N, 32). Flat ones are in no pair.
        most: Bits, at most 31.

    Yields:
        As `pairs_within`.

    Raises:
        ValueError: `most` is out of range.
    """
    words = np.ascontiguousarray(hashes).view(_WORD)
    pieces = _pieces(hashes, max(8, most + 1))
    alone = ~is_flat(hashes)
    for piece in range(pieces.shape[1]):
        rows = np.flatnonzero(alone)
        values = pieces[rows, piece]
        order = np.argsort(values, kind="stable")
        rows, values = rows[order], values[order]
        starts = np.flatnonzero(np.diff(values, prepend=np.uint32(0)) != 0) if len(values) else np.empty(0, np.int64)
        ends = [*starts.tolist(), len(rows)]
        for first, last in pairwise(sorted({0, *ends})):
            crowd = rows[first:last]
            for _ in range(_MOST_HUBS):
                if len(crowd) < _CROWD:
                    break
                hub, crowd = crowd[0], crowd[1:]
                found = distances(words[hub], words[crowd])
                near = found <= most
                if near.any():
                    linked = crowd[near]
                    yield np.minimum(hub, linked), np.maximum(hub, linked), found[near]
                    alone[linked] = False
                    crowd = crowd[~near]
    left = np.flatnonzero(alone)
    for rows, columns, found in pairs_within(hashes[left], most):
        yield left[rows], left[columns], found


def _pieces(hashes: np.ndarray, count: int) -> np.ndarray:
    """The bits of each hash in so many pieces of nearly one length, 32 bits at most: uint32 (N, count)."""
    ends = np.linspace(0, 8 * BYTES, count + 1).astype(int)
    found = np.zeros((len(hashes), count), np.uint32)
    for piece, (first, end) in enumerate(pairwise(ends)):
        bits = np.unpackbits(hashes[:, first // 8 : -(-end // 8)], axis=1)[:, first % 8 :]
        for bit in range(end - first):
            found[:, piece] = found[:, piece] << 1 | bits[:, bit]
    return found


def _spread(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each of `rows` beside each of ``rows[first:last]`` of its own that is larger, some millions at a time."""
    lengths = last - first
    ends = np.cumsum(lengths)
    start = 0
    while start < len(rows):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, "right")))
        many = lengths[start:stop]
        left = np.repeat(rows[start:stop], many)
        offsets = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        right = rows[np.repeat(first[start:stop], many) + offsets]
        kept = left < right
        yield left[kept], right[kept]
        start = stop
