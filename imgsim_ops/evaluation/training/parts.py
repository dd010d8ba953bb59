"""Which pictures a training learns from, and which it is checked by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.labelled import LabelledPictures

# Of the k nearest validation pictures all must show the class.
_NEIGHBOURS = 5
# Of each class's pictures so many are kept for validation: two at the least, or there would be no neighbour.
_VALIDATION_SHARE = 0.15
_LEAST_PICTURES = 4
# What numbers are drawn for here; the trainer draws others from the same seed.
_FOR_SPLIT = 0


@dataclass(frozen=True)
class Parts:
    """Which pictures of a data set are for what.

    Attributes:
        training: The rows that are learnt from.
        validation: The others, some of each class.
        neighbours: How many of the nearest validation pictures count: 5, or as many as the smallest class has others.
    """

    training: np.ndarray
    validation: np.ndarray
    neighbours: int


def split_pictures(data: LabelledPictures, seed: int) -> Parts:
    """Keeps a part of each class for validation.

    Raises:
        ImgsimError: There are too few classes, or pictures of one.
    """
    labels, counts = np.unique(data.labels, return_counts=True)
    if len(labels) < 2:
        raise ImgsimError(f"training: there must be two classes or more (got {len(labels)} in {data.name})")
    for label, count in zip(labels, counts, strict=True):
        if count < _LEAST_PICTURES:
            rule = f"a class must have {_LEAST_PICTURES} pictures or more"
            raise ImgsimError(f"training: {rule} (got {count} of {data.classes[label]!r})")
    draw = np.random.default_rng((seed, _FOR_SPLIT))
    training, validation = [], []
    for label, count in zip(labels, counts, strict=True):
        rows = draw.permutation(np.flatnonzero(data.labels == label))
        kept = max(2, round(_VALIDATION_SHARE * count))
        validation.append(rows[:kept])
        training.append(rows[kept:])
    neighbours = min(_NEIGHBOURS, min(map(len, validation)) - 1)
    return Parts(np.sort(np.concatenate(training)), np.sort(np.concatenate(validation)), neighbours)
