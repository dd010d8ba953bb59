"""What the stages of finding copies go by. The numbers are not measured yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgsim_ops.matching.local import is_copy

if TYPE_CHECKING:
    from imgsim_ops.collection.answers import Evidence

__all__ = ["CANDIDATES", "PERCEPTUAL_BITS", "confidence", "is_copy"]

PERCEPTUAL_BITS = 10
CANDIDATES = 3
#: No pair below this is a copy by its vectors alone, where they are as the model gives them, and where whitened.
LEAST_ALONE = {False: 0.97, True: 0.7}


def confidence(evidence: Evidence) -> float:
    """Ranks evidence."""
    return {"content": 3, "perceptual": 2, "vector": 1, "local": 1}[evidence.stage] + evidence.score / 10
