"""Mean and standard deviation of the colours of many pictures."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from imgsim_ops import kernels
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.images.decode import MAX_PIXELS, decode
from imgsim_ops.images.pillow import reused_memory

_LARGEST = 255.0


@dataclass(frozen=True)
class SkippedFile:
    """A file that could not be read.

    Attributes:
        path: The file, as it was given.
        code: One of the codes of ``imgsim_ops.images.reasons.Reason``.
        message: One line that says more.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class StatsReport:
    """What `channel_statistics` found.

    Attributes:
        pictures: How many pictures were read.
        pixels: How many pixels they have together.
        mean: Of red, green and blue over all pixels of all pictures, 0 to 1; None when no picture was read.
        std: The population standard deviation likewise.
        skipped: The files that were not read, in the order given.
        threads: How many threads read the pictures.
        seconds: Wall time.
    """

    pictures: int
    pixels: int
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    skipped: list[SkippedFile] = field(default_factory=list)
    threads: int = 1
    seconds: float = 0.0

    @property
    def pictures_per_second(self) -> float:
        """Pictures read per second of wall time."""
        return self.pictures / self.seconds if self.seconds > 0 else 0.0


def channel_statistics(
    paths: Iterable[str | os.PathLike[str]],
    threads: int = 0,
    *,
    progress: Callable[[int], None] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> StatsReport:
    """Mean and standard deviation of each colour channel over all pixels of pictures of any sizes.

    Every pixel counts the same, so a large picture weighs more than a small one. Per picture the sums are
    exact; the pictures' (count, mean, M2) are merged in the order of `paths` (Chan, Golub and LeVeque 1979),
    so that the answer is the same bits for any number of threads. At most one decoded picture a thread is in
    memory, and 64 MiB a thread are kept for the next, however many paths there are.

    Args:
        paths: Files; consumed lazily. A file that cannot be read is noted in the report and left out.
        threads: How many threads decode; 0 means one for each processor that this process may use.
        progress: Called in this thread with the number of files done, after each.
        max_pixels: The bomb limit, see ``images.decode.decode``.

    Returns:
        The report.

    Raises:
        ImgsimError: `threads` is negative.
    """
    if threads < 0:
        raise ImgsimError(f"channel_statistics: threads must be 0 (all) or more (got {threads})")
    threads = threads or kernels.build_info()["threads"]
    start = time.perf_counter()
    total = None
    pictures = 0
    skipped: list[SkippedFile] = []
    in_order = _in_order(lambda path: _moments(path, max_pixels), paths, threads)
    with reused_memory(threads), closing(in_order) as outcomes:
        for done, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, SkippedFile):
                skipped.append(outcome)
            else:
                pictures += 1
                total = outcome if total is None else total.merge(outcome)
            if progress is not None:
                progress(done)
    return StatsReport(
        pictures=pictures,
        pixels=int(total.count) if total is not None else 0,
        mean=tuple(float(value) / _LARGEST for value in total.mean) if total is not None else None,
        std=tuple(float(value) / _LARGEST for value in total.std) if total is not None else None,
        skipped=skipped,
        threads=threads,
        seconds=time.perf_counter() - start,
    )


def _moments(path: str | os.PathLike[str], max_pixels: int) -> kernels.ChannelMoments | SkippedFile:
    try:
        return kernels.channel_moments(decode(path, max_pixels=max_pixels))
    except ImageError as error:
        return SkippedFile(os.fspath(path), error.code, str(error))


def _in_order(work: Callable, items: Iterable, threads: int) -> Iterator:
    """Yields ``work(item)`` for each item, in order, with few items ahead of the one that is waited for.

    When it is left early, by an error or Ctrl-C, what has not begun is dropped and what has begun is
    finished.
    """
    pending: deque[Future] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="imgsim")
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            # Four a thread, so that the others stay busy while one large picture holds up the front of
            # the row.
            if len(pending) >= 4 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
