"""How an encoder is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.training.changes import Changes

#: Pictures of each class in a batch.
PER_CLASS = 16


@dataclass(frozen=True)
class TrainingOptions:
    """How an encoder is trained. All but `epochs` and `patience` must be the same when it is gone on with.

    Attributes:
        network: As of ``encoders.Encoder``, likewise the next two.
        size: As there.
        dimension: As there.
        batch: Pictures in a step, at most; at least 32.
        rate: The learning rate of AdamW.
        seed: What everything random depends on.
        changes: How far pictures are changed.
        epochs: How often all pictures are seen, at most.
        patience: After so many epochs that were no better by the validation pictures it ends.
    """

    network: str = "small"
    size: int = 32
    dimension: int = 128
    batch: int = 128
    rate: float = 1e-3
    seed: int = 0
    changes: Changes = field(default_factory=Changes)
    epochs: int = 40
    patience: int = 12

    def check(self) -> None:
        """Checks what a user may have got wrong; the network checks the rest.

        Raises:
            ImgsimError: A number is out of its range.
        """
        if self.batch < 2 * PER_CLASS:
            raise ImgsimError(f"training: a batch must have {2 * PER_CLASS} pictures or more (got {self.batch})")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ImgsimError(f"training: the learning rate must be above 0 (got {self.rate})")
        for name in ("epochs", "patience"):
            if getattr(self, name) < 1:
                raise ImgsimError(f"training: {name} must be 1 or more (got {getattr(self, name)})")
