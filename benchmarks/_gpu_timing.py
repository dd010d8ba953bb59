"""Time of what runs on a GPU."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

_ROUNDS = 7
_ROUND_MS = 20.0


def milliseconds(call: Callable[[], object]) -> float:
    """The median of several rounds of calls in a row, per call, by the device's own clock.

    A round takes some 20 ms, so that for small calls it is the rate at which they can be queued.
    """
    call()
    call()
    torch.cuda.synchronize()
    calls = max(1, round(_ROUND_MS / max(_round(call, 1), 1e-3)))
    return statistics.median(_round(call, calls) for _ in range(_ROUNDS)) / calls


def _round(call: Callable[[], object], calls: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
