"""Work that is begun before its turn, so that nobody waits for it alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

_T = TypeVar("_T")


def in_order(begin: Callable[[_T], Future], items: Iterable[_T], most: int) -> Iterator[tuple[_T, Any]]:
    """Items with their results, with few of them begun before the one that is waited for.

    Args:
        begin: Begins with an item.
        items: They are consumed lazily.
        most: How many results may wait for their turn.

    Yields:
        Each item with its result, in their order.
    """
    pending: deque[tuple[_T, Future]] = deque()
    for item in items:
        pending.append((item, begin(item)))
        if len(pending) > most:
            item, future = pending.popleft()
            yield item, future.result()
    for item, future in pending:
        yield item, future.result()


def known(result: object) -> Future:
    """What need not be waited for."""
    future: Future = Future()
    future.set_result(result)
    return future
