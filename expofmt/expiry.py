"""When groups expire: times and lifetimes in whole nanoseconds, and the schedule of what expires next."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Final

from .grouping import GroupingKey

__all__ = ["Schedule", "checked_lifetime", "checked_ns"]

# Times and lifetimes are what 64 bits hold, as journals keep them.
_MAX_NS: Final = 2**63 - 1


class Schedule:
    """When groups expire. Its size is that of the groups that do, however often they are pushed. Not safe for threads.

    >>> schedule = Schedule()
    >>> schedule.set(GroupingKey("batch"), 5)
    >>> len(schedule.due(4)), len(schedule.due(5))
    (0, 1)
    """

    def __init__(self) -> None:
        self._times: dict[GroupingKey, int] = {}
        # A heap with each of these times, and some that no longer hold. Numbers keep it from comparing keys: an
        # interrupt in their code would leave it in disorder.
        self._heap: list[tuple[int, int, GroupingKey]] = []
        self._numbers = count()
        # Those whose time has come, until they are set to another one or to none.
        self._due: set[GroupingKey] = set()

    def set(self, key: GroupingKey, time: int | None) -> None:
        """The group expires at that time and at no other; ``None`` for never."""
        if time is None:
            self._times.pop(key, None)
        elif self._times.get(key) != time or key in self._due:
            heapq.heappush(self._heap, (time, next(self._numbers), key))
            self._times[key] = time
        self._due.discard(key)
        if len(self._heap) > 2 * len(self._times) + 64:
            # What is sorted is a heap.
            self._heap = sorted((time, next(self._numbers), key) for key, time in self._times.items())

    def due(self, now: int) -> AbstractSet[GroupingKey]:
        """The groups whose time has come, and those of which that was said before, until they are set to another time.

        Costs what is due. An interrupt loses nothing: it is due the next time.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            time, _, key = heap[0]
            if self._times.get(key) == time:
                self._due.add(key)
            heapq.heappop(heap)
        return frozenset(self._due)


def checked_ns(value: int, what: str) -> int:
    """A time or a duration as an ``int``, or the TypeError or ValueError that says ``what`` is none.

    >>> checked_ns(-1, "a lifetime")
    Traceback (most recent call last):
    ValueError: a lifetime is not negative, and at most 2**63 - 1 nanoseconds
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{what} is a whole number of nanoseconds, an int: {value!r}")
    if not 0 <= number <= _MAX_NS:
        raise ValueError(f"{what} is not negative, and at most 2**63 - 1 nanoseconds")
    return number


def checked_lifetime(lifetime_ns: int | None) -> int | None:
    """A lifetime that was asked for, ``None`` for an endless one.

    >>> checked_lifetime(0)
    """
    return None if lifetime_ns is None else checked_ns(lifetime_ns, "a lifetime") or None
