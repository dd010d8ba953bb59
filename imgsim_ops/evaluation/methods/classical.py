"""Local features, histograms and structure of two pictures, compared without any model: OpenCV and scikit-image.

Each pair of pictures is compared anew, all of them at 224 x 224 pixels as every picture comes to an extractor:

- features: keypoints by ORB (Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF"); of those of the
  query, the share whose nearest keypoint in the other picture is clearly nearer than the next one (Lowe 2004, section
  7.1), of as many as the poorer of the two pictures has;
- histogram: the correlation of the two histograms of 8 x 8 x 8 colours;
- structure: SSIM (Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity") in grey
  at 32 x 32 pixels.

Their weighted mean by `WEIGHTS` is the similarity. The weights are equal: nothing is fitted to any data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.judging import Progress
from imgsim_ops.evaluation.labelled import INSTALL, PictureSequence, averaged, network_pixels

#: What each of the three says counts so much.
WEIGHTS = {"features": 1 / 3, "histogram": 1 / 3, "structure": 1 / 3}

_KEYPOINTS = 200
# OpenCV's 20 finds hardly a corner in pictures that were enlarged from a few pixels.
_FAST_THRESHOLD = 5
_RATIO = 0.75
_BINS = 8
_SIDE = 32  # of what SSIM compares: at 224 it takes 12 ms a pair


@dataclass(frozen=True, eq=False)
class Described:
    """What is compared of a picture.

    Attributes:
        descriptors: ORB's, uint8 (K, 32).
        histogram: float32 (512,).
        grey: uint8 (32, 32).
    """

    descriptors: np.ndarray
    histogram: np.ndarray
    grey: np.ndarray


class Classical:
    """See the module; a ``judging.Method``."""

    made_by = "ORB, histogram, SSIM"
    distance = "1 - mean of three similarities"
    dimension: int | None = None
    by_pairs = True
    meaningless = ""

    def __init__(self) -> None:
        """Raises ImgsimError where OpenCV or scikit-image is not installed."""
        try:
            import cv2
            from skimage.metrics import structural_similarity
        except ImportError as error:
            rule = "OpenCV and scikit-image must be installed"
            raise ImgsimError(f"classical: {rule} (got {error}); {INSTALL}") from error
        self._cv2 = cv2
        self._ssim = structural_similarity
        self._orb = cv2.ORB_create(_KEYPOINTS, fastThreshold=_FAST_THRESHOLD)
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING)

    def describe(self, pictures: PictureSequence, progress: Progress) -> list[Described]:
        """See ``judging.Method.describe``."""
        described = []
        for number in range(len(pictures)):
            (pixels,) = network_pixels([pictures[number]], 224)
            described.append(self._described(pixels))
            progress(number + 1, len(pictures))
        return described

    def nearest(self, described: Sequence[Described], rows: np.ndarray, k: int, progress: Progress) -> np.ndarray:
        """See ``judging.Method.nearest``; holds the similarities of one query at a time."""
        found = np.empty((len(rows), k), np.int64)
        for place, row in enumerate(rows):
            scores = np.asarray([self.similarity(described[row], other) for other in described])
            scores[row] = -np.inf
            found[place] = np.argsort(-scores, kind="stable")[:k]
            progress(place + 1, len(rows))
        return found

    def similarity(self, one: Described, other: Described) -> float:
        """How alike two pictures are, at most 1."""
        return sum(WEIGHTS[name] * value for name, value in self.similarities(one, other).items())

    def similarities(self, one: Described, other: Described) -> dict[str, float]:
        """The three values behind `similarity`: features from 0 to 1, the others from -1 to 1."""
        return {
            "features": self._matched(one.descriptors, other.descriptors),
            "histogram": self._cv2.compareHist(one.histogram, other.histogram, self._cv2.HISTCMP_CORREL),
            "structure": float(self._ssim(one.grey, other.grey)),
        }

    def _described(self, pixels: np.ndarray) -> Described:
        cv2 = self._cv2
        _, descriptors = self._orb.detectAndCompute(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), None)
        if descriptors is None:
            descriptors = np.empty((0, 32), np.uint8)
        histogram = cv2.calcHist([pixels], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3)
        grey = cv2.cvtColor(averaged(pixels, _SIDE), cv2.COLOR_RGB2GRAY)
        return Described(descriptors, histogram.ravel(), grey)

    def _matched(self, one: np.ndarray, other: np.ndarray) -> float:
        if len(one) < 2 or len(other) < 2:  # where there is no next one, none is clearly nearer
            return 0.0
        pairs = self._matcher.knnMatch(one, other, k=2)
        good = sum(best.distance < _RATIO * second.distance for best, second in pairs)
        return min(1.0, good / min(len(one), len(other)))
