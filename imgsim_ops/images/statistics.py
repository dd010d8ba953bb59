"""Mean and standard deviation of the colours of many pictures."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.memory import Admit
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders

_LARGEST = 255.0
_PACKED = struct.Struct("<q3d3d")  # count, means, sums of squared deviations


@dataclass(frozen=True)
class StatsReport:
    """What `channel_statistics` found.

    Attributes:
        pictures: How many pictures were read.
        pixels: How many pixels they have together.
        mean: Of red, green and blue over all pixels of all pictures, 0 to 1; None when no picture was read.
        std: The population standard deviation likewise.
        skipped: The files that were not read, in the order given.
        threads: How many pictures were read at once.
        seconds: Wall time.
    """

    pictures: int
    pixels: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    skipped: list[SkippedFile] = field(default_factory=list)
    threads: int = 1
    seconds: float = 0.0

    @property
    def pictures_per_second(self) -> float:
        """Pictures read per second of wall time."""
        return self.pictures / self.seconds if self.seconds > 0 else 0.0


def channel_statistics(
    paths: Iterable[str | os.PathLike[str]],
    read: ReadOptions = ReadOptions(),
    *,
    progress: Callable[[int], None] | None = None,
) -> StatsReport:
    """Mean and standard deviation of each colour channel over all pixels of pictures of any sizes.

    Every pixel counts the same, so a large picture weighs more than a small one. Pictures are decoded whole and stay
    uint8 up to the sums, which are exact; the (count, mean, M2) of pictures, and of the strips that some come in, are
    merged in order (Chan, Golub and LeVeque 1979), so that the answer is the same bits for any number of threads. At
    most one decoded picture a thread is in memory, however many paths there are; each is read in a process of its own
    (`images.readers`).

    Args:
        paths: Files; consumed lazily. A file that cannot be read is noted in the report and left out.
        read: How; every pixel is always decoded.
        progress: Called in this thread with the number of files done, after each.

    Returns:
        The report.
    """
    start = time.perf_counter()
    total = None
    pictures = 0
    skipped: list[SkippedFile] = []
    with IsolatedReaders("imgsim_ops.images.statistics:packed_moments", read) as readers:
        for done, (_, answer) in enumerate(readers.in_order(paths, ahead=4 * read.processes), 1):
            if isinstance(answer, SkippedFile):
                skipped.append(answer)
            else:
                pictures += 1
                moments = _unpacked(answer)
                total = moments if total is None else total.merge(moments)
            if progress is not None:
                progress(done)
    return StatsReport(
        pictures=pictures,
        pixels=int(total.count) if total is not None else 0,
        mean=tuple(float(value) / _LARGEST for value in total.mean) if total is not None else None,
        std=tuple(float(value) / _LARGEST for value in total.std) if total is not None else None,
        skipped=skipped,
        threads=read.processes,
        seconds=time.perf_counter() - start,
    )


def packed_moments(path: str, read: ReadOptions, *, admit: Admit) -> bytes:
    """The moments of a picture's channels as bytes: a task of `images.readers`.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with decoded(path, max_pixels=read.max_pixels, admit=admit) as picture:
        moments = reduce(kernels.ChannelMoments.merge, map(kernels.channel_moments, picture.strips))
    return _PACKED.pack(moments.count, *moments.mean, *moments.m2)


def _unpacked(content: bytes) -> kernels.ChannelMoments:
    count, *values = _PACKED.unpack(content)
    return kernels.ChannelMoments(count, np.array(values[:3]), np.array(values[3:]))
