"""Durations as Go writes them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["duration_ns", "duration_text"]

# Enough for each duration; Python itself reads some thousands of digits, and no more.
_CHARACTERS: Final = 64
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_UNITS_NS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration in Go's spelling. Raises ValueError.

    >>> duration_ns("1m30s"), duration_ns("1.5ms"), duration_ns("0")
    (90000000000, 1500000, 0)
    """
    if text == "0":
        return 0
    if len(text) > _CHARACTERS:
        raise ValueError(f"`{text[:_CHARACTERS]}...` is no duration: write it with fewer digits, such as 5m or 1h30m")
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"`{text}` is no duration: write a number and a unit, such as 5m, 1h30m or 100ms")
    total = sum((int if number.isdecimal() else float)(number) * _UNITS_NS[unit] for number, unit in parts)
    if total >= 2**63:
        raise ValueError(f"`{text}` is too long: a duration is less than 292 years")
    return int(total)


def duration_text(duration_ns: int) -> str:
    """A duration, which is not negative, as Go writes it: with all units from its largest to seconds.

    >>> [duration_text(each) for each in (5 * 60 * 10**9, 1_500_000, 3_600_500_000_000, 0)]
    ['5m0s', '1.5ms', '1h0m0.5s', '0s']
    """
    if 0 < duration_ns < 10**9:
        unit, size = next(
            (unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if duration_ns >= size
        )
        return f"{_decimal(duration_ns, size)}{unit}"
    minutes, rest = divmod(duration_ns, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{_decimal(rest, 10**9)}s"


def _decimal(number: int, size: int) -> str:
    whole, fraction = divmod(number, size)
    digits = str(fraction).zfill(len(str(size)) - 1).rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
