"""The groups as they are committed: checked in a catalog, recorded in a journal, published; or all taken back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from .catalog import Catalog
from .diagnostics import ConsistencyError
from .grouping import GroupingKey
from .groups import Change, ChangeKind, Group, Journal, JournalError, apply, changed
from .page import Delta
from .published import Published, compare

__all__ = ["Committed", "RefusedError", "Task"]


class Task:
    """A request and what becomes of it: an answer or an error.

    ``changes`` is called when it is the task's turn, with the time. What it raises is the answer; a RefusedError has
    changes, too.
    """

    def __init__(self, changes: Callable[[int], tuple[list[Change], Any]]) -> None:
        self.changes = changes
        self.answer: Any = None
        self.error: BaseException | None = None


class RefusedError(Exception):
    """A push is refused, and that is remembered."""

    def __init__(self, changes: list[Change], error: ConsistencyError) -> None:
        self.changes = changes
        self.error = error


class _Batch:
    """What groups were before some changes, so that nothing of these stays if they cannot be recorded."""

    def __init__(self) -> None:
        self.before: dict[GroupingKey, Group | None] = {}
        # The names of all families of each group that may be others since, so that the rest need not be looked at; and
        # of those whose metadata may be.
        self.names: dict[GroupingKey, set[str]] = {}
        self.retold: dict[GroupingKey, set[str]] = {}

    def add(self, key: GroupingKey, old: Group | None, names: AbstractSet[str]) -> None:
        self.before.setdefault(key, old)
        self.names.setdefault(key, set()).update(names)

    def retell(self, key: GroupingKey, names: AbstractSet[str]) -> None:
        self.retold.setdefault(key, set()).update(names)


class Committed:
    """All groups of a store, in its catalog and its journal. Not safe for threads: whoever writes calls."""

    def __init__(
        self, catalog: Catalog, journal: Journal | None, published: Published, clock: Callable[[], int]
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._published = published
        self._clock = clock
        # Groups that have expired, which the journal is told with the next change, or on closing. Should neither come,
        # it replays them, and they expire again.
        self._owed: list[Change] = []
        if journal is not None:
            self._replay(journal)

    def close(self) -> None:
        """Record what has expired, and let go of the journal, even if that cannot be recorded."""
        if self._journal is None:
            return
        try:
            self._settle(self._clock())
            if self._owed:
                self._journal.append(self._owed)
        finally:
            self._journal.close()
            self._journal = None

    def commit(self, tasks: list[Task]) -> None:
        """Check the tasks in order, each against what those before it leave; record all; let them be seen.

        What is raised is no task's error: the groups may be others than those that were committed.
        """
        try:
            now = self._clock()
        except Exception as error:  # noqa: BLE001 - whoever waits for the tasks is told
            _fail(tasks, error)
            return
        self._settle(now)
        batch = _Batch()
        try:
            recorded = self._changes(tasks, now, batch)
            delta = self._compared(batch)
            if self._journal is not None and recorded:
                self._journal.append([*self._owed, *recorded])
        except BaseException as error:  # noqa: BLE001 - whoever waits for the tasks is told
            self._take_back(batch)
            _fail(tasks, error)
            return
        if recorded:
            self._owed.clear()
        self._publish(batch, delta)

    def _settle(self, now: int) -> None:
        """Forget the groups whose time has come.

        The journal need not be asked: by the clock, a group that it replays has expired, too.
        """
        for key in self._published.settle(now):
            self._catalog.replace(key, None)
            self._catalog.retire(key)
            if self._journal is not None:
                self._owed.append(Change(ChangeKind.EXPIRE, now, key))

    def _changes(self, tasks: list[Task], now: int, batch: _Batch) -> list[Change]:
        """Apply what the tasks change; gives that, for the journal."""
        recorded: list[Change] = []
        for task in tasks:
            try:
                changes, task.answer = task.changes(now)
            except RefusedError as refused:
                changes, task.error = refused.changes, refused.error
            except Exception as error:  # noqa: BLE001 - whoever waits for the task is told
                changes, task.error = [], error
            for change in changes:
                self._apply(change, batch)
            recorded += changes
        return recorded

    def _apply(self, change: Change, batch: _Batch) -> None:
        change = replace(change, families=tuple(map(self._catalog.shared, change.families)))
        for key in list(self._catalog.groups) if change.key is None else [change.key]:
            old = self._catalog.groups.get(key)
            names = {family.name for family in change.families}
            if old is not None and change.kind not in (ChangeKind.POST, ChangeKind.FAIL):
                names.update(old.families)
            new = changed(old, change)
            if new is not None and (packed := new.packed()) is not new:
                new = packed
                names.update(new.families)
            batch.add(key, old, names)
            batch.retell(key, self._catalog.replace(key, new, names))

    def _take_back(self, batch: _Batch) -> None:
        # First all that is new, since what was there before may contradict it.
        for key in batch.before:
            self._catalog.replace(key, None, batch.names[key])
        for key, group in batch.before.items():
            if group is None:
                self._catalog.retire(key)
            else:
                self._catalog.replace(key, group, batch.names[key])

    def _compared(self, batch: _Batch) -> Delta:
        """How the groups differ from what they were before the batch."""
        catalog = self._catalog
        delta = Delta()
        for key, old in batch.before.items():
            compare(delta, catalog.number(key), key, old, catalog.groups.get(key), batch.names[key])
        return delta

    def _publish(self, batch: _Batch, delta: Delta) -> None:
        self._published.publish(batch.retold, delta)
        for key in batch.before:
            if key not in self._catalog.groups:
                self._catalog.retire(key)

    def _replay(self, journal: Journal) -> None:
        groups: dict[GroupingKey, Group] = {}
        apply(journal.replay(), groups)
        batch = _Batch()
        reasons: list[str] = []
        for key in list(groups):
            # Which need not be there twice.
            group = groups.pop(key)
            batch.add(key, None, group.families.keys())
            batch.retell(key, group.families.keys())
            reasons += self._catalog.admit(group)
        if reasons:
            more = f", and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
            raise JournalError(
                f"the journal holds what cannot be in one store: {reasons[0]}{more}; `expofmt journal check` lists all "
                "contradictions between groups"
            )
        self._publish(batch, self._compared(batch))


def _fail(tasks: Iterable[Task], error: BaseException) -> None:
    """Each task gets an error of its own: those who wait raise it in different threads, and each adds its traceback."""
    for task in tasks:
        try:
            task.error = copy.copy(error).with_traceback(error.__traceback__)
        except Exception:  # noqa: BLE001 - not every exception can be copied
            task.error = error
        else:
            task.error.__cause__ = error.__cause__
