"""Micro average precision, the measure of copy detection, and the area under the ROC curve."""

from __future__ import annotations

import numpy as np

from imgsim_ops import kernels


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


def precision_of_copies(originals: np.ndarray, copies: np.ndarray, others: np.ndarray) -> float:
    """Micro average precision of finding each copy's original.

    Args:
        originals: Vectors (N, D).
        copies: Vectors (N * K, D): K copies of the first original, then K of the second, and so on.
        others: Vectors (M, D) of pictures that are none of these: a copy may be mistaken for one of them too.
    """
    gallery = np.concatenate([originals, others])
    scores = kernels.cosine_similarity(copies[:, np.newaxis], gallery[np.newaxis])
    is_copy_of = np.repeat(np.arange(len(originals)), len(copies) // len(originals))
    return micro_average_precision(scores, is_copy_of[:, np.newaxis] == np.arange(len(gallery)))


def area_under_curve(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The area under the ROC curve: how often a positive scores above a negative, of all pairs of the two.

    Equal scores count a half. Mann and Whitney 1947; Hanley and McNeil 1982, "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve".

    Args:
        positives: Scores that should be high, (P,), at least one.
        negatives: Scores that should be low, (N,), at least one.
    """
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, "left")
    not_above = np.searchsorted(ranked, positives, "right")
    return float((below + not_above).mean() / (2 * ranked.size))
