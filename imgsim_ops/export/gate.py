"""Whether a quantised model finds copies as well as the model that it was made from, measured on photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.images.decode import decode
from imgsim_ops.images.preprocess import CROP, RESIZE
from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.precision import precision_of_copies

Embed = Callable[[np.ndarray], np.ndarray]

#: What ``Gate.holds`` asks for.
LEAST_MEAN_COSINE = 0.985
MOST_PRECISION_LOST = 0.005


@dataclass(frozen=True)
class Gate:
    """How a quantised model's vectors compare with those of the float32 model.

    Attributes:
        pictures: How many pictures were embedded, photographs and copies made of them. None of the photographs was used
            for the quantisation.
        mean_cosine: Mean cosine of the two vectors of a picture.
        least_cosine: The smallest one.
        fp32_micro_ap: Micro average precision of finding each copy's photograph with the float32 model.
        int8_micro_ap: The same with the quantised model.
    """

    pictures: int
    mean_cosine: float
    least_cosine: float
    fp32_micro_ap: float
    int8_micro_ap: float

    @property
    def holds(self) -> bool:
        """Whether the quantised model may stand in for the other."""
        lost = self.fp32_micro_ap - self.int8_micro_ap
        return self.mean_cosine >= LEAST_MEAN_COSINE and lost <= MOST_PRECISION_LOST


def measure_gate(fp32: Embed, int8: Embed, photographs: Sequence[Path], others: np.ndarray) -> Gate:
    """Embeds photographs and the copies made of them with both models.

    Args:
        fp32: The float32 model, from pixels (N, 224, 224, 3) to vectors.
        int8: The quantised model.
        photographs: Files; at least one.
        others: Pixels of pictures that are none of these: a copy may be mistaken for one of them too.
    """
    originals, copies = [], []
    for path in photographs:  # one after the other: fifteen pictures of full size for each would fill the memory
        original = Image.fromarray(decode(path))
        originals.append(_pixels(original))
        copies += [_pixels(change(original)) for change in COPIES.values()]
    pixels = np.concatenate([np.stack([*originals, *copies]), others])
    ends = len(originals), len(originals) + len(copies)
    vectors = [model(pixels) for model in (fp32, int8)]
    cosines = kernels.cosine_similarity(vectors[0][: ends[1]], vectors[1][: ends[1]])
    return Gate(
        cosines.size,
        round(float(cosines.mean()), 5),
        round(float(cosines.min()), 5),
        *(round(precision_of_copies(*np.split(v, ends)), 5) for v in vectors),
    )


def _pixels(image: Image.Image) -> np.ndarray:
    return kernels.resize_crop(np.asarray(image), RESIZE, CROP)
