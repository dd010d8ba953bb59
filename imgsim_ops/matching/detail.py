"""Which of two pictures that lie over each other has the finer detail, and which the more noise.

An upscaled picture has no more detail than it was made from, however many pixels; noise and blocks are not detail. So
what is fine in each is measured where both show edges, less what is as fine where both show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame
from imgsim_ops.matching.looks import Look

# Bands between blurs of these deviations, in pixels of the finer grid.
_BLURS = (0.0, 0.7, 1.4, 2.8, 5.6)
_EDGES, _FLAT = 0.85, 0.4
_SHARPNESS_SIDE = 1024
_LEAST_PIXELS = 256
_LEAST = 0.35  # levels; a band with less says nothing
#: So many times more noise is more; and levels below which there is none to speak of.
NOISIER = 1.5
_NOISE = 0.3


@dataclass(frozen=True)
class Detail:
    """Fine structure of two pictures, on one grid.

    Attributes:
        finer: By how many times the one has more, as log2; negative where the other has.
        bands: The same by band, the finest first.
        noise: Of the one, and of the other: mean difference of neighbours over flat places, in levels, contrast evened
            out.
    """

    finer: float
    bands: tuple[float, ...]
    noise: tuple[float, float]

    @property
    def noisier(self) -> int:
        """1 where the one has clearly more noise, -1 where the other has, 0 where neither does."""
        here, there = (noise + _NOISE for noise in self.noise)
        return int(here > NOISIER * there) - int(there > NOISIER * here)

    def reversed(self) -> Detail:
        """The same seen from the other picture."""
        return Detail(-self.finer, tuple(-band for band in self.bands), self.noise[::-1])


def detail(found: Frame, axis: int | None = None) -> Detail:
    """Measures both.

    Args:
        found: On the grid of the finer picture.
        axis: Only along columns, 0, or rows, 1, of the grid: where one picture was squashed.
    """
    cv2 = opencv()

    def blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
        length = 2 * round(3 * sigma) + 1
        size = (length, 1) if axis == 1 else (1, length) if axis == 0 else (0, 0)
        return cv2.GaussianBlur(plane, size, sigma)

    planes = [grey.astype(np.float32) for grey in (found.a, found.b)]
    valid = found.valid > 0
    if valid.sum() < _LEAST_PIXELS:
        return Detail(0.0, (), (0.0, 0.0))
    levels = [[plane, *(blurred(plane, sigma) for sigma in _BLURS[1:])] for plane in planes]
    steep = [
        _steepness(level[-2] if axis is None else cv2.GaussianBlur(level[0], (0, 0), _BLURS[-2]))
        / (_spread(level[0], valid) + 1)
        for level in levels
    ]
    edges = steep[0] + steep[1]
    inside = edges[valid]
    low, high = np.quantile(inside[:: max(1, inside.size // 20000)], (_FLAT, _EDGES))
    # As weights: means under masks take ten times as long.
    weights = [(valid & where).ravel().astype(np.float32) for where in (edges >= high, edges <= low)]
    there, flat = (weight / max(1.0, float(weight.sum())) for weight in weights)
    found_bands = []
    for level in levels:
        rows = []
        for sharp, soft in pairwise(level):
            band = cv2.absdiff(sharp, soft).ravel()
            rows.append((float(band @ there), float(band @ flat)))
        found_bands.append(np.array(rows))
    gains = [max(rows[-1, 0], 1e-3) for rows in found_bands]
    energies = [
        np.sqrt(np.maximum(rows[:, 0] ** 2 - rows[:, 1] ** 2, 0)) / gain
        for rows, gain in zip(found_bands, gains, strict=True)
    ]
    floor = [_LEAST / gain for gain in gains]
    bands = tuple(
        float(np.log2(max(energies[0][i], floor[0]) / max(energies[1][i], floor[1]))) for i in range(len(_BLURS) - 2)
    )
    noise = tuple(float(rows[0, 1] / gain * max(gains)) for rows, gain in zip(found_bands, gains, strict=True))
    return Detail(max(bands, key=abs), bands, (noise[0], noise[1]))


def _steepness(plane: np.ndarray) -> np.ndarray:
    cv2 = opencv()
    return cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))


def _spread(plane: np.ndarray, valid: np.ndarray) -> float:
    return float(plane[valid].std())


def sharpness_of(look: Look) -> float:
    """How sharp a picture is, to tell the sharpest of a burst: variance of the Laplacian, in levels squared."""
    return float(opencv().Laplacian(look.reduced(_SHARPNESS_SIDE), opencv().CV_64F).var())
