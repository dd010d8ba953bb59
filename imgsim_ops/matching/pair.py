"""Two pictures alone: what they are to each other, whatever lies between them."""

from __future__ import annotations

import numpy as np

from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching.alignment import verify
from imgsim_ops.matching.closer import Pieces
from imgsim_ops.matching.features import Features, described
from imgsim_ops.matching.frames import whole_to_whole
from imgsim_ops.matching.looks import Look
from imgsim_ops.matching.relations import Judgement, judge

# Matched local features that make a transform worth trying; and so many that no mirror image has more by chance.
_LEAST_INLIERS = 5
_SURE_INLIERS = 20


def transform_by_features(a: Features, b: Features) -> tuple[np.ndarray | None, int]:
    """The transform that the local features of two pictures agree on, mirrored or not.

    Returns:
        From pixels of the first to those of the second, float64 (3, 3), or None where too few agree; and how many do.
    """
    match, mirrored = verify(a, b), False
    if match.inliers < _SURE_INLIERS:
        other = verify(a.mirrored(), b)
        if other.inliers > match.inliers:
            match, mirrored = other, True
    if match.transform is None or match.inliers < _LEAST_INLIERS:
        return None, match.inliers
    transform = np.vstack([np.reshape(match.transform, (2, 3)), (0, 0, 1)])
    if mirrored:  # from the picture as it is, not from its mirror image
        transform = transform @ np.array([[-1, 0, a.width], [0, 1, 0], [0, 0, 1.0]])
    return transform, match.inliers


def judged(a: Look, b: Look, pieces: tuple[Pieces, Pieces] | None = None) -> Judgement:
    """What one picture is to another: as it is, turned by quarters, mirrored, cut, lying anywhere in the other."""
    found = judge(a, b, [whole_to_whole(a, b)], likely=True, pieces=pieces)
    if found.joined and not found.differences and not any("more" in side for side in found.lacks):
        return found
    one, other = (described(look.pixels, look.width, look.height) for look in (a, b))
    transform, _ = transform_by_features(one, other)
    if transform is None:
        again = judge(a, b, [whole_to_whole(a, b, orientation) for orientation in LINEAR], pieces=pieces)
    else:
        again = judge(a, b, [transform], pieces=pieces)
    return max(found, again, key=lambda judgement: (judgement.joined, judgement.agreement))
