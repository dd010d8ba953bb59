"""Small labelled pictures that can be told apart: a bright bar, whose place is the class, in noise."""

import numpy as np

from imgsim_ops.evaluation.labelled import LabelledPictures


def bars(classes=3, each=8, side=14, seed=0, contrast=120):
    """`each` pictures of every class, uint8 (side, side, 3)."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    pictures = draw.integers(0, 90, (len(labels), side, side, 3), np.uint8)
    width = side // classes
    for picture, label in zip(pictures, labels, strict=True):
        picture[:, label * width : (label + 1) * width] += contrast
    order = draw.permutation(len(labels))
    names = tuple(f"bar {number}" for number in range(classes))
    return LabelledPictures("bars", pictures[order], labels[order], names)
