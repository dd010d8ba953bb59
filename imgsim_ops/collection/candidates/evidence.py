"""From what was judged of two pictures to the evidence that people and other programs are shown."""

from __future__ import annotations

import numpy as np

from imgsim_ops.collection.candidates.judging import Judged
from imgsim_ops.collection.findings import Evidence, Picture
from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching import frames, rules
from imgsim_ops.matching.relations import Relation

#: Equal bytes need no looking at.
IDENTICAL = Evidence("content", 1.0, Relation.IDENTICAL.value)

# A homography that is further than this from an affine transform, in pixels at the corners, is handed on.
_PERSPECTIVE = 1.0


def evidence_of(judged: Judged, picture: Picture, score: float, distance: int | None) -> Evidence:
    """The evidence for what one picture is to another.

    Args:
        judged: What was judged of the two, seen from the one.
        picture: The one.
        score: Cosine of their vectors.
        distance: Bits in which their perceptual hashes differ, where these say something.
    """
    found = judged.judgement
    near = distance is not None and distance <= rules.PERCEPTUAL_BITS
    stage = "perceptual" if near else "vector" if judged.inliers is None else "local"
    affine = homography = None
    orientation = 1
    if found.transform is not None:
        matrix = np.reshape(found.transform, (3, 3))
        affine, bent = _affine(matrix, picture.width, picture.height)
        homography = found.transform if bent > _PERSPECTIVE else None
        orientation = _orientation(affine)
    return Evidence(
        stage,
        min(1.0, float(score)),
        found.relation.value,
        distance if near else None,
        judged.inliers,
        None if affine is None else tuple(float(value) for value in affine.ravel()),
        homography,
        orientation,
        tuple(round(share, 4) for share in found.overlap),  # type: ignore[arg-type]  # two of them
        found.differences,
        found.lacks[0],
    )


def _affine(matrix: np.ndarray, width: int, height: int) -> tuple[np.ndarray, float]:
    """The affine transform that a homography is in the middle of a picture, and how far off it is at the corners."""
    middle = np.array([width / 2, height / 2])
    linear = frames.jacobian(matrix, middle)
    affine = np.hstack([linear, (frames.mapped(matrix, middle[np.newaxis])[0] - linear @ middle)[:, np.newaxis]])
    corners = frames.corners(width, height)
    return affine, float(np.abs(corners @ linear.T + affine[:, 2] - frames.mapped(matrix, corners)).max())


def _orientation(affine: np.ndarray) -> int:
    """The orientation that is nearest to a transform."""
    return max(LINEAR, key=lambda number: float((np.array(LINEAR[number]) * affine[:, :2]).sum()))
