"""Which pairs of pictures are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.orientation import orientations_asked


@dataclass(frozen=True)
class MatchOptions:
    """Which pairs of pictures are looked at.

    Attributes:
        threshold: The score from which on pairs are looked at. None: by `false_positives`.
        false_positives: The share of pairs of unlike pictures that may reach that score, in place of `threshold`; see
            ``collection.candidates.pairs.candidate_threshold`` for what holds without either.
        verify: Look for how pictures lie over each other by their local features too, not only as they are.
        flips: Look for mirrored copies too, which embeds every picture once more.
        rotations: Look for copies turned by 90, 180 and 270 degrees too; with `flips` for all eight orientations.
        similar: List what only looks alike too.

    Raises:
        ImgsimError: A number is out of range, or both are given.
    """

    threshold: float | None = None
    false_positives: float | None = None
    verify: bool = True
    flips: bool = False
    rotations: bool = False
    similar: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and self.false_positives is not None:
            raise ImgsimError("dups: one of a threshold and a rate of false positives must be given (got both)")
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise ImgsimError(f"dups: the threshold must be between -1 and 1 (got {self.threshold})")
        if self.false_positives is not None and not 0 < self.false_positives < 1:
            raise ImgsimError(f"dups: the rate of false positives must be between 0 and 1 (got {self.false_positives})")

    @property
    def orientations(self) -> tuple[int, ...]:
        """EXIF's numbers of how pictures are turned to look for their copies."""
        return orientations_asked(self.flips, self.rotations)
