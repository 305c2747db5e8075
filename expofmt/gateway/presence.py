"""Whether there is a client to be answered."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Presence"]


class Presence(IntEnum):
    """How much a client is there to be answered: one that has ended its side of a connection may have gone away."""

    GONE = 0
    SILENT = 1
    THERE = 2
