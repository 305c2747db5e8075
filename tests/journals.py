"""Journals for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from expofmt import Change, JournalError


class MemoryJournal:
    """Keeps changes in memory; out of order as long as ``failing`` says with what."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.batches: list[int] = []
        self.failing: BaseException | None = None
        self.closed = 0

    def append(self, changes: Sequence[Change], /) -> None:
        if self.failing is not None:
            raise self.failing
        if self.closed:
            raise JournalError("closed")
        self.changes += changes
        self.batches.append(len(changes))

    def replay(self) -> Iterator[Change]:
        self.closed = 0
        return iter(list(self.changes))

    def close(self) -> None:
        self.closed += 1
