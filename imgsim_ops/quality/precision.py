"""Micro average precision, the measure of copy detection."""

from __future__ import annotations

import numpy as np


def micro_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """The mean, over the relevant pairs, of the precision among all pairs that score at least as high.

    All pairs of all queries are ranked together, so a threshold that suits one query must suit all (Douze et al.
    2021, "The 2021 Image Similarity Dataset and Challenge", arXiv:2106.09672). Pairs of one score count as ranked
    the worst way.

    Args:
        scores: The score of each pair, any shape.
        relevant: bool of the same shape; at least one is True.
    """
    scores, relevant = scores.ravel(), relevant.ravel()
    order = np.lexsort((relevant, -scores))
    hits = relevant[order]
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float(precision[hits].mean())
