"""Two pictures alone: what they are to each other, whatever lies between them."""

from __future__ import annotations

import numpy as np

from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching.alignment import Match, verify
from imgsim_ops.matching.features import described
from imgsim_ops.matching.looks import Look
from imgsim_ops.matching.relations import Judgement, judge, whole_to_whole

#: Matched local features that make a transform worth trying.
LEAST_INLIERS = 5


def transform_of(match: Match, mirrored_width: int | None = None) -> np.ndarray | None:
    """The transform that local features agree on, float64 (3, 3); None where too few do.

    Args:
        match: Of two pictures.
        mirrored_width: Width of the first, in pixels, where it was its mirror image whose features were matched.
    """
    if match.transform is None or match.inliers < LEAST_INLIERS:
        return None
    transform = np.vstack([np.reshape(match.transform, (2, 3)), (0, 0, 1)])
    if mirrored_width is None:
        return transform
    return transform @ np.array([[-1, 0, mirrored_width], [0, 1, 0], [0, 0, 1.0]])


def judged(a: Look, b: Look) -> Judgement:
    """What one picture is to another: as it is, turned by quarters, mirrored, cut, lying anywhere in the other."""
    found = judge(a, b, [whole_to_whole(a, b)], likely=True)
    if found.joined and not found.differences and not any("more" in side for side in found.lacks):
        return found
    features = [described(look.pixels, look.width, look.height) for look in (a, b)]
    transform = transform_of(verify(*features))
    if transform is None:
        transform = transform_of(verify(features[0].mirrored(), features[1]), a.width)
    if transform is None:
        again = judge(a, b, [whole_to_whole(a, b, orientation) for orientation in LINEAR])
    else:
        again = judge(a, b, [transform])
    return max(found, again, key=lambda judgement: (judgement.joined, judgement.agreement))
