"""How files are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.memory import MAX_PIXELS, MOST_THREADS

#: Seconds that one picture may take. The largest ones take 4 here, of the slowest format.
TIME_LIMIT = 60.0


@dataclass(frozen=True)
class ReadOptions:
    """How files are read, by everything that reads them.

    Attributes:
        threads: How many pictures are decoded at once, and batches embedded or pairs compared; 0 means one for each
            processor that this process may use.
        max_pixels: The bomb limit: a picture whose header promises more is refused before it is decoded; see
            ``images.decode.decode``.
        time_limit: Seconds that the decoder may take over one picture.
        exact: Decode every pixel of large JPEGs, see ``images.preprocess.load_pixels``.

    Raises:
        ImgsimError: A number is out of range.
    """

    threads: int = 0
    max_pixels: int = MAX_PIXELS
    time_limit: float = TIME_LIMIT
    exact: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= MOST_THREADS:
            raise ImgsimError(f"read: threads must be from 0 (all) to {MOST_THREADS} (got {self.threads})")
        if not self.max_pixels >= 0:
            raise ImgsimError(f"read: max_pixels must be 0 or more (got {self.max_pixels})")
        if not (math.isfinite(self.time_limit) and self.time_limit > 0):
            raise ImgsimError(f"read: time_limit must be a number of seconds above 0 (got {self.time_limit})")

    @property
    def processes(self) -> int:
        """`threads`, counted: at least 1."""
        return self.threads or kernels.build_info()["threads"]
