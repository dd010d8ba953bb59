"""How alike pictures of different contents look to a recipe: the threshold that few of them reach."""

from __future__ import annotations

import numpy as np

#: With fewer contents there are too few pairs to say anything, least of all which of them are copies.
LEAST_CONTENTS = 50

# So many contents at most are compared, each with each: 1e7 pairs.
_MOST_CONTENTS = 4500
_BLOCK = 256
# The share of pairs at the top from which the tail is judged. Some of them are copies, which must stay a small part:
# with one copy for each content they are 2 / N of all pairs, a tenth of these.
_TOP = 1e-4
_CONTENTS_TIMES_TOP = 20
_MOST_TOP = 0.1


def unlike_threshold(vectors: np.ndarray, crops: int, rate: float, seed: int = 0) -> float:
    """The score that a share `rate` of the pairs of different contents reaches.

    Of large collections a sample is compared. Beyond the highest scores, where copies and not chance decide, the tail
    is continued: the share of pairs nearer than a distance 1 - score shrinks with a power of the distance (as do the
    extremes of every bounded distribution, Gnedenko 1943), whose exponent is taken from the median of the highest
    scores, so that copies among them hardly count. Memory is bounded: 60 MB for two crops of 512 values.

    Args:
        vectors: (N * crops, D) floating array, may be mapped; rows of unit length, or zeros. The crops of a content lie
            beside each other, and the best score over all of two contents counts.
        crops: Rows for each content.
        rate: Share of pairs, above 0, at most 1.
        seed: Chooses the sample.

    Returns:
        From -1 to 1; -1 for fewer than `LEAST_CONTENTS` contents. The same bits for the same arguments on one machine.

    Raises:
        ValueError: `rate` is out of range, or the rows are no multiple of `crops`.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"unlike_threshold: rate must be above 0 and at most 1 (got {rate})")
    if crops < 1 or len(vectors) % crops:
        raise ValueError(f"unlike_threshold: rows must be a multiple of crops (got {len(vectors)} and {crops})")
    contents = len(vectors) // crops
    if contents < LEAST_CONTENTS:
        return -1.0
    top = min(_MOST_TOP, max(_TOP, _CONTENTS_TIMES_TOP / contents))
    scores = _scores(_sample(vectors, crops, seed))
    if rate >= top:
        return float(np.clip(np.quantile(scores, 1 - rate), -1, 1))
    first = len(scores) - max(2, round(top * len(scores)))
    highest = np.partition(scores, first)[first:]
    # Minus the logarithm of the distance grows by 1 / exponent for each factor e of the share.
    heights = -np.log(np.maximum(1 - highest.astype(np.float64), 1e-7))
    start = heights.min()
    slope = np.median(heights - start) / np.log(2)
    return float(np.clip(1 - np.exp(-(start + slope * np.log(top / rate))), -1, 1))


def _sample(vectors: np.ndarray, crops: int, seed: int) -> np.ndarray:
    """Contents, float32 (M, crops, D)."""
    contents = len(vectors) // crops
    rows = np.arange(contents)
    if contents > _MOST_CONTENTS:
        rows = np.sort(np.random.default_rng(seed).choice(contents, _MOST_CONTENTS, replace=False))
    return vectors.reshape(contents, crops, -1)[rows].astype(np.float32)


def _scores(sample: np.ndarray) -> np.ndarray:
    """The best score of each pair, float32."""
    count = len(sample)
    by_view = np.ascontiguousarray(sample.transpose(1, 0, 2))
    found = []
    for first in range(0, count, _BLOCK):
        best = np.full((min(_BLOCK, count - first), count - first), -1, np.float32)
        for one in by_view[:, first : first + _BLOCK]:
            for other in by_view[:, first:]:
                np.maximum(best, one @ other.T, out=best)
        found.append(best[np.triu_indices(len(best), 1, count - first)])
    return np.concatenate(found)
