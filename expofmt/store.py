"""The store: what each group has pushed, kept consistent as a whole, and the text that it is scraped for."""

from __future__ import annotations

import copy
import heapq
import operator
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock, Thread, current_thread, main_thread
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from . import engine
from .catalog import Catalog, identity
from .codes import Code, Severity
from .diagnostics import ConsistencyError, Diagnostic, RejectedPushError
from .formats import Format
from .grouping import GroupingKey
from .groups import Change, ChangeKind, Group, Journal, JournalError, changed
from .model import Exposition, MetricFamily, MetricType, Sample
from .names import EscapingScheme, Names
from .page import Delta, Page
from .pushing import TIME_FAMILIES, Limits, Push, PushPolicy, accumulated, limit_error, prepared

__all__ = ["Delete", "GroupStore", "Post", "PushResult", "Put", "Wipe"]

Body = bytes | bytearray | memoryview | str | Exposition

_NO_LIMITS: Final = Limits()
_REPLACE: Final = PushPolicy()
# How many requests are recorded in one transaction at most, so that none waits for all that come after it.
_BATCH: Final = 256
# Times and lifetimes are what 64 bits hold, as journals keep them.
_MAX_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Put:
    """A request: the group is to have these families and no others. See :meth:`GroupStore.put`.

    A ``lenient`` one warns of what Pushgateway refuses and Prometheus would scrape: a last line without its line feed,
    blanks at the ends of lines, unknown escapes.

    >>> Put(GroupingKey("batch"), b"a 1\\n").body
    b'a 1\\n'
    """

    key: GroupingKey
    body: Body
    format: Format = Format.TEXT
    lifetime_ns: int | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """A request: these families take the place of the group's families of the same names. See :meth:`GroupStore.post`.

    ``lenient`` is as in :class:`Put`.

    >>> Post(GroupingKey("batch"), b"a 1\\n").body
    b'a 1\\n'
    """

    key: GroupingKey
    body: Body
    format: Format = Format.TEXT
    lifetime_ns: int | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """A request: the group is to be forgotten. See :meth:`GroupStore.delete`.

    >>> Delete(GroupingKey("batch")).key.job
    'batch'
    """

    key: GroupingKey


@dataclass(frozen=True, slots=True)
class Wipe:
    """A request: all groups are to be forgotten. See :meth:`GroupStore.wipe`.

    >>> Wipe()
    Wipe()
    """


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of a push that was accepted: when, and what is worth saying about it.

    >>> PushResult(GroupingKey("batch"), 5).warnings
    ()
    """

    key: GroupingKey
    time_ns: int
    warnings: tuple[Diagnostic, ...] = ()


class _Task:
    """A request on its way: what it does to the groups, and who waits for it."""

    def __init__(self, changes: Callable[[int], tuple[list[Change], Any]]) -> None:
        # Called when it is the task's turn, with the time. What it raises is the answer; an _RefusedError has changes,
        # too.
        self.changes = changes
        self.future: Future[Any] = Future()
        self.answer: Any = None
        self.error: BaseException | None = None

    def tell(self) -> None:
        """Let whoever waits for the task know what became of it."""
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class _RefusedError(Exception):
    """A push is refused, and that is remembered."""

    def __init__(self, changes: list[Change], error: ConsistencyError) -> None:
        self.changes = changes
        self.error = error


class _Schedule:
    """When groups expire. Its size is that of the groups that do, however often they are pushed."""

    def __init__(self) -> None:
        self._times: dict[GroupingKey, int] = {}
        # A heap with each of these times, and some that no longer hold.
        self._heap: list[tuple[int, GroupingKey]] = []

    def set(self, key: GroupingKey, time: int | None) -> None:
        """The group expires at that time and at no other; ``None`` for never."""
        if time is None:
            self._times.pop(key, None)
        elif self._times.get(key) != time:
            heapq.heappush(self._heap, (time, key))
            self._times[key] = time
        if len(self._heap) > 2 * len(self._times) + 64:
            # What is sorted is a heap.
            self._heap = sorted((time, key) for key, time in self._times.items())

    def due(self, now: int) -> AbstractSet[GroupingKey]:
        """The groups whose time has come."""
        heap, times = self._heap, self._times
        while heap and heap[0][0] <= now and times.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        if not heap or heap[0][0] > now:
            return frozenset()
        return {key for key, time in times.items() if time <= now}


class GroupStore:
    """What an embedding gateway remembers: the families that each group pushed last.

    A push is read, labelled, checked against all groups, and applied as a whole or not at all; it costs what was
    pushed, however much the store holds. A scrape merges in what changed since the last one and copies. Both are
    Pushgateway's in every respect that its documentation determines; where it has bugs, the README's table says what
    happens here.

    ``clock`` gives nanoseconds since the Unix epoch, as an ``int``. ``names`` is whether names of UTF-8 are taken. With
    a ``journal``, what was acknowledged is durable, and the store begins with what the journal replays. ``own`` gives
    the families that the process exposes of itself; it is called now, for their names, types and help texts, with
    which pushes must agree, and once for each scrape, for their samples.

    Off by default, since Pushgateway has none of it: ``policy`` accumulates instead of replacing; ``lifetime_ns`` is
    how long after their last push groups expire, 0 for never; ``limits`` refuses what is too much.

    Safe to call from many threads. Pushes are applied one after the other, those that come at the same time in one
    transaction of the journal; a scrape sees each push whole or not at all, holds none up, and waits for no journal.
    A KeyboardInterrupt while the main thread waits for a push leaves the push to be finished, whole or not at all, in
    the background. Not to be shared with a child process. As a context manager, it is closed at the end.

    Raises JournalError where the journal cannot be read, TypeError for a clock or lifetime that is not of whole
    nanoseconds, and ValueError for one that is negative or takes more than 64 bits, for a policy that does not exist,
    and for an ``own`` family with the name of one that shows times of groups (``push_time_seconds``). Pushgateway's
    README, "API".

    >>> store = GroupStore(clock=lambda: 1_500_000_000 * 10**9)
    >>> result = store.put(GroupingKey("backup", instance="db1"), b"backup_bytes 3e6\\n")
    >>> print(store.render(names=["backup_bytes", "push_time_seconds"]).decode(), end="")
    # TYPE backup_bytes untyped
    backup_bytes{instance="db1",job="backup"} 3e+06
    # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
    # TYPE push_time_seconds gauge
    push_time_seconds{instance="db1",job="backup"} 1.5e+09
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int] = time.time_ns,
        journal: Journal | None = None,
        names: Names = "legacy",
        own: Callable[[], Iterable[MetricFamily]] = tuple,
        policy: PushPolicy | str = _REPLACE,
        lifetime_ns: int | None = None,
        limits: Limits = _NO_LIMITS,
    ) -> None:
        self._clock = clock
        self._now()
        self._journal = journal
        self._names: Names = names
        self._own = own
        self._policy = PushPolicy.parse(policy) if isinstance(policy, str) else policy
        self._lifetime_ns = _checked_lifetime(lifetime_ns)
        self._limits = limits
        # Held by whoever writes; the catalog is his.
        self._writing = Lock()
        self._catalog = Catalog(_checked_own(own()))
        self._waiting: deque[_Task] = deque()
        # Groups that have expired, which the journal is told with the next change: it would not have to know, but for
        # changes of groups of the same key that come later.
        self._owed: list[Change] = []
        self._closed = False
        # What went wrong where nothing may: what is seen may be something else than what was committed.
        self._broken: BaseException | None = None
        # Held for the moments in which what was committed becomes what is seen, and what has expired is seen no more.
        # Who scrapes does the latter himself, and waits neither for who writes nor for the journal.
        self._publishing = Lock()
        self._groups: dict[GroupingKey, Group] = {}
        self._schedule = _Schedule()
        # Groups that have expired and are not seen any more, while the catalog has them yet.
        self._gone: dict[GroupingKey, Group] = {}
        self._delta = Delta(0)
        # Held by whoever scrapes; the page is his, and so is what it is about to be told. A KeyboardInterrupt may come
        # at any point of that, so that it is told again whatever it may not have heard.
        self._scraping = Lock()
        self._page = Page()
        self._untold = Delta()
        self._background: ThreadPoolExecutor | None = None
        # Its thread, once it has worked.
        self._worker: Thread | None = None
        if journal is not None:
            self._replay(journal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- writing

    def put(
        self, key: GroupingKey, body: Body, /, *, format: Format = Format.TEXT, lifetime_ns: int | None = None
    ) -> PushResult:
        """Let a group have these families and no others. The group's times stay; an empty body leaves but them.

        The samples get the labels of the key, and ``instance=""`` where they have no such label; histograms and
        summaries get what they lack. ``lifetime_ns`` is how long after this push the group expires, 0 for never, and
        ``None`` for what the store has been told. Returns when the push can be scraped and, with a journal, is durable.

        Raises :class:`ParseError` or :class:`ConsistencyError` for what cannot be read: nothing is remembered of that.
        Raises :class:`ConsistencyError` for a push with timestamps, and for one that contradicts itself or other
        groups (type, duplicate series, suffix); the diagnostics point into the body and name the other group, and
        ``push_failure_time_seconds`` of the group is set. Raises :class:`LimitError`, and :class:`JournalError` where
        the journal cannot take it; nothing has happened then. Raises TypeError for a key that is no GroupingKey, and
        for a lifetime that is not an ``int``; ValueError for a lifetime that is negative or takes more than 64 bits,
        for a format that is not read, and when the store is closed.

        >>> store = GroupStore()
        >>> store.put(GroupingKey("batch"), b"# TYPE jobs counter\\njobs 3\\n").warnings
        ()
        >>> from expofmt import ExpositionError
        >>> try:
        ...     store.put(GroupingKey("other"), b"# TYPE jobs gauge\\njobs 3\\n")
        ... except ExpositionError as error:
        ...     print(error)
        PUT /metrics/job/other:1:13: error[type-conflict] metric family `jobs` has two types
        """
        result: PushResult = self._done(self._push(ChangeKind.PUT, Put(key, body, format, lifetime_ns)))
        return result

    def post(
        self, key: GroupingKey, body: Body, /, *, format: Format = Format.TEXT, lifetime_ns: int | None = None
    ) -> PushResult:
        """Let these families take the place of the group's families of the same names; the others stay. As
        :meth:`put` in all else.

        >>> store = GroupStore()
        >>> key = GroupingKey("batch")
        >>> results = store.put(key, b"a 1\\nb 1\\n"), store.post(key, b"b 2\\n")
        >>> sorted(store.groups[key].families)
        ['a', 'b']
        """
        result: PushResult = self._done(self._push(ChangeKind.POST, Post(key, body, format, lifetime_ns)))
        return result

    def delete(self, key: GroupingKey, /) -> bool:
        """Forget a group, exactly the one with this key; whether there was one.

        Raises JournalError, and TypeError for a key that is no GroupingKey.

        >>> GroupStore().delete(GroupingKey("batch"))
        False
        """
        deleted: bool = self._done(self._task(Delete(key)))
        return deleted

    def delete_matching(self, /, **labels: str | re.Pattern[str]) -> list[GroupingKey]:
        """Forget the groups whose labels fit, all at once; which they were, in order.

        A label is asked for as text, to be equal, or as a compiled pattern, to match in full; one that the key lacks
        counts as ``""``.

        Raises JournalError, and TypeError for a label that is asked for as anything else, or without any label:
        :meth:`wipe` forgets all.

        >>> store = GroupStore()
        >>> for host in ("db1", "db2", "web1"):
        ...     _ = store.put(GroupingKey("backup", instance=host), b"a 1\\n")
        >>> print(*store.delete_matching(instance=re.compile("db.*")))
        {job="backup",instance="db1"} {job="backup",instance="db2"}
        """
        if not labels:
            raise TypeError("delete_matching takes at least one label")
        for name, wish in labels.items():
            if not isinstance(wish.pattern if isinstance(wish, re.Pattern) else wish, str):
                raise TypeError(f"a label is asked for as a str or a compiled pattern of one, not {name}={wish!r}")

        def fits(key: GroupingKey) -> bool:
            found = ((key.get(name, ""), wish) for name, wish in labels.items())
            return all(value == wish if isinstance(wish, str) else wish.fullmatch(value) for value, wish in found)

        keys: list[GroupingKey] = self._done(self._deletion(lambda: filter(fits, self._catalog.groups), list))
        return keys

    def wipe(self) -> int:
        """Forget all groups; how many there were. Raises JournalError.

        >>> GroupStore().wipe()
        0
        """
        count: int = self._done(self._wiping())
        return count

    def submit(self, request: Put | Post | Delete | Wipe, /) -> Future[Any]:
        """Ask for a change without waiting for it. Requests are applied in the order in which they were submitted.

        The future gives what :meth:`put`, :meth:`post`, :meth:`delete` and :meth:`wipe` give, or raises what they
        raise. What is called when it is done may call the store, too, but must not wait for another future of it.

        >>> store = GroupStore()
        >>> store.submit(Put(GroupingKey("batch"), b"a 1\\n")).result().key.job
        'batch'
        """
        try:
            task = self._task(request)
            self._write_later(task)
        except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused
        return task.future

    def close(self) -> None:
        """Finish what was submitted, and let go of the journal. Closing twice does no harm.

        The store can be read afterwards; to ask it for a change is a ValueError.
        """
        with self._publishing:
            self._closed = True
            background = self._background
        if background is not None:
            # It may be the background that closes the store, in what is called when a future is done.
            background.shutdown(wait=current_thread() is not self._worker)
        self._write()
        with self._writing:
            if self._journal is not None:
                self._journal.close()

    def _task(self, request: Put | Post | Delete | Wipe) -> _Task:
        match request:
            case Put():
                return self._push(ChangeKind.PUT, request)
            case Post():
                return self._push(ChangeKind.POST, request)
            case Delete():
                key = _checked_key(request.key)
                return self._deletion(lambda: [key], bool)
            case Wipe():
                return self._wiping()
        raise TypeError(f"a store is asked for a Put, Post, Delete or Wipe, not for {request!r}")

    def _push(self, kind: ChangeKind, request: Put | Post) -> _Task:
        lifetime = self._lifetime_ns if request.lifetime_ns is None else _checked_lifetime(request.lifetime_ns)
        push = prepared(
            kind,
            _checked_key(request.key),
            request.body,
            format=request.format,
            names=self._names,
            limits=self._limits,
            lifetime_ns=lifetime,
            lenient=request.lenient,
        )
        return _Task(lambda now: self._pushed(push, now))

    def _pushed(self, push: Push, now: int) -> tuple[list[Change], PushResult]:
        catalog, key = self._catalog, push.key
        group = catalog.groups.get(key)
        found = list(catalog.findings(push))
        warnings = [finding for finding in found if finding.severity is Severity.WARNING]
        errors = [*push.errors, *(finding for finding in found if finding.severity is not Severity.WARNING)]
        families: Iterable[MetricFamily] = push.families.values()
        if not errors and group is not None and self._policy is not _REPLACE:
            old = {name: stored.family for name, stored in group.families.items()}
            try:
                families = accumulated(push, old, self._policy)
            except ConsistencyError as error:
                errors += error.diagnostics
        if errors:
            # A failure must not make a group whose times would be another one's, nor one that there is no room for.
            remembered = group is not None or not (catalog.has_another(key) or self._is_full())
            failure = Change(ChangeKind.FAIL, now, key, lifetime_ns=push.lifetime_ns)
            raise _RefusedError([failure] if remembered else [], RejectedPushError(errors))
        self._check_room(push, group, families)
        change = Change(push.kind, now, key, tuple(families), push.lifetime_ns)
        return [change], PushResult(key, now, (*push.warnings, *warnings))

    def _check_room(self, push: Push, group: Group | None, families: Iterable[MetricFamily]) -> None:
        limits, catalog = self._limits, self._catalog
        if limits.groups is not None and group is None and self._is_full():
            raise limit_error(Code.TOO_MANY_GROUPS, push.source.name, limits.groups, len(catalog.groups) + 1)
        if limits.series is None:
            return
        series = len(catalog.series) + sum(len(family.samples) for family in families)
        for name, stored in group.families.items() if group else ():
            if push.kind is ChangeKind.PUT or name in push.families:
                series -= len(stored.family.samples)
        if series > limits.series:
            raise limit_error(Code.STORE_FULL, push.source.name, limits.series, series)

    def _is_full(self) -> bool:
        return self._limits.groups is not None and len(self._catalog.groups) >= self._limits.groups

    def _deletion(
        self, keys: Callable[[], Iterable[GroupingKey]], answer: Callable[[list[GroupingKey]], bool | list[GroupingKey]]
    ) -> _Task:
        def changes(now: int) -> tuple[list[Change], bool | list[GroupingKey]]:
            found = sorted(key for key in keys() if key in self._catalog.groups)
            return [Change(ChangeKind.DELETE, now, key) for key in found], answer(found)

        return _Task(changes)

    def _wiping(self) -> _Task:
        def changes(now: int) -> tuple[list[Change], int]:
            count = len(self._catalog.groups)
            return [Change(ChangeKind.WIPE, now)] if count else [], count

        return _Task(changes)

    def _done(self, task: _Task) -> Any:
        # Where a KeyboardInterrupt can come, nothing is done but waiting: a change must not stop half-way, nor be taken
        # back when it may be in the journal already. And those who wait for a commit must not queue for the lock behind
        # it: whoever gets it first would commit alone again, while others still queue. The background itself, in what
        # it calls when a future is done, has nobody to wait for.
        thread = current_thread()
        if thread is not self._worker and (self._journal is not None or thread is main_thread()):
            self._write_later(task)
        else:
            self._enqueue(task)
            self._write()
        return task.future.result()

    def _enqueue(self, task: _Task) -> None:
        with self._publishing:
            if self._closed:
                raise ValueError("the store is closed")
            if self._broken is not None:
                raise _broken_error(self._broken)
            self._waiting.append(task)

    def _write_later(self, task: _Task) -> None:
        with self._publishing:
            if self._background is None:
                self._background = ThreadPoolExecutor(1, "expofmt-store")
            background = self._background
        try:
            self._enqueue(task)
            try:
                background.submit(self._write_in_background)
            except RuntimeError:
                # The process is about to end, or the store was closed since, in which case the task is done by now.
                self._write()
        except BaseException:
            # An interrupt: where nobody was told of the task, it must not wait to be done with some later one.
            task.future.cancel()
            raise

    def _write_in_background(self) -> None:
        self._worker = current_thread()
        self._write()

    def _write(self) -> None:
        """Do what is waiting, unless somebody else does it meanwhile."""
        tasks = None
        while tasks is None or tasks:
            # All are told, whatever one of those who are told raises; and with the lock released, since they may want
            # to write, too.
            with ExitStack() as telling, self._writing:
                tasks = self._next_tasks()
                for task in reversed(tasks):
                    telling.callback(task.tell)
                if tasks:
                    self._write_batch(tasks)

    def _next_tasks(self) -> list[_Task]:
        tasks: list[_Task] = []
        while self._waiting and len(tasks) < _BATCH:
            task = self._waiting.popleft()
            if task.future.set_running_or_notify_cancel():
                tasks.append(task)
        return tasks

    def _write_batch(self, tasks: list[_Task]) -> None:
        """Find out what becomes of the tasks; nothing is raised."""
        try:
            if self._broken is None:
                self._commit(tasks)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the tasks is told
            self._broken = error
        if self._broken is not None:
            for task in tasks:
                task.error = _broken_error(self._broken)

    def _commit(self, tasks: list[_Task]) -> None:
        """Check the tasks in order, each against what those before it leave; record all; let them be seen.

        Whatever is raised leaves the store broken.
        """
        try:
            now = self._now()
        except Exception as error:  # noqa: BLE001 - whoever waits for the tasks is told
            _fail(tasks, error)
            return
        self._settle(now)
        # What groups were before this batch, so that nothing of it stays if it cannot be recorded.
        before: dict[GroupingKey, Group | None] = {}
        try:
            recorded = self._changes(tasks, now, before)
            delta = self._compared(before)
            if self._journal is not None and recorded:
                self._journal.append([*self._owed, *recorded])
        except BaseException as error:  # noqa: BLE001 - whoever waits for the tasks is told
            self._take_back(before)
            _fail(tasks, error)
            return
        if recorded:
            self._owed.clear()
        self._publish(before, delta)

    def _changes(self, tasks: list[_Task], now: int, before: dict[GroupingKey, Group | None]) -> list[Change]:
        """Apply what the tasks change; gives that, for the journal."""
        recorded: list[Change] = []
        for task in tasks:
            try:
                changes, task.answer = task.changes(now)
            except _RefusedError as refused:
                changes, task.error = refused.changes, refused.error
            except Exception as error:  # noqa: BLE001 - whoever waits for the task is told
                changes, task.error = [], error
            for change in changes:
                self._apply(change, before)
            recorded += changes
        return recorded

    def _apply(self, change: Change, before: dict[GroupingKey, Group | None]) -> None:
        for key in list(self._catalog.groups) if change.key is None else [change.key]:
            old = self._catalog.groups.get(key)
            before.setdefault(key, old)
            self._catalog.replace(key, changed(old, change))

    def _take_back(self, before: Mapping[GroupingKey, Group | None]) -> None:
        # First all that is new, since what was there before may contradict it.
        for key in before:
            self._catalog.replace(key, None)
        for key, group in before.items():
            if group is None:
                self._catalog.retire(key)
            else:
                self._catalog.replace(key, group)

    def _compared(self, before: Mapping[GroupingKey, Group | None]) -> Delta:
        """How the groups differ from what they were ``before``."""
        catalog = self._catalog
        delta = Delta()
        for key, old in before.items():
            _compare(delta, catalog.number(key), key, old, catalog.groups.get(key))
        delta.families |= {name: catalog.metadata(name) for name in catalog.touched()}
        return delta

    def _publish(self, before: Mapping[GroupingKey, Group | None], delta: Delta) -> None:
        """Let the groups be seen as they are now; ``before`` is what they were, and ``delta`` the difference."""
        catalog = self._catalog
        with self._publishing:
            # What has expired since the batch was begun is not seen any more, so that the difference is not all that
            # there is to see of it; and the catalog, which has it yet, does not know what else is seen.
            names = {name for group in self._gone.values() for name in group.families}
            for key in self._gone.keys() & before.keys():
                new = catalog.groups.get(key)
                names.update(new.families if new else ())
                _compare(delta, catalog.number(key), key, None, new)
                del self._gone[key]
            for key in before:
                group = catalog.groups.get(key)
                if group is None:
                    self._groups.pop(key, None)
                else:
                    self._groups[key] = group
                self._schedule.set(key, group.expires_ns if group else None)
            delta.families |= self._seen_metadata(names)
            self._delta.update(delta)
        for key in before:
            if key not in catalog.groups:
                catalog.retire(key)

    def _hide_expired(self, now: int) -> None:
        """Let groups whose time has come be seen no more; with `_publishing` held.

        An interrupt may come at any point of that. Done again, it is made up for.
        """
        due = self._schedule.due(now)
        if not due:
            return
        gone = {key: self._groups[key] for key in due if key in self._groups}
        delta = Delta()
        for key, group in gone.items():
            _compare(delta, self._catalog.number(key), key, group, None)
        delta.families |= self._seen_metadata(delta.samples.keys() - _TIMES.keys(), gone.keys())
        self._delta.update(delta)
        for key, group in gone.items():
            self._gone[key] = group
            del self._groups[key]
        for key in due:
            self._schedule.set(key, None)

    def _seen_metadata(
        self, names: AbstractSet[str], gone: AbstractSet[GroupingKey] = frozenset()
    ) -> dict[str, MetricFamily | None]:
        """What the catalog would say of families if it had the groups that are seen, but for those that are gone."""
        types: dict[str, MetricType] = {}
        helped: dict[str, GroupingKey] = {}
        for key, group in self._groups.items() if names else ():
            if key in gone:
                continue
            for name in group.families.keys() & names:
                family = group.families[name].family
                types[name] = family.type
                if family.help and (name not in helped or key < helped[name]):
                    helped[name] = key
        helps = {name: self._groups[key].families[name].family.help for name, key in helped.items()}
        helps |= {name: family.help for name, family in self._catalog.own.items()}
        return {name: MetricFamily(name, types[name], helps.get(name)) if name in types else None for name in names}

    def _settle(self, now: int) -> None:
        """Forget the groups whose time has come.

        The journal need not be asked: by the clock, a group that it replays has expired, too.
        """
        with self._publishing:
            self._hide_expired(now)
            gone, self._gone = self._gone, {}
        for key in gone:
            self._catalog.replace(key, None)
            self._catalog.retire(key)
            if self._journal is not None:
                self._owed.append(Change(ChangeKind.EXPIRE, now, key))

    def _replay(self, journal: Journal) -> None:
        before: dict[GroupingKey, Group | None] = {}
        try:
            for change in journal.replay():
                self._apply(change, before)
        except ValueError as error:
            raise JournalError(
                f"the journal holds groups that contradict each other: {error}; `expofmt journal check` lists them all"
            ) from error
        self._publish(before, self._compared(before))

    # ------------------------------------------------------------------------------------------------------- reading

    @property
    def groups(self) -> Mapping[GroupingKey, Group]:
        """All groups as they are now, in order of their keys; what comes later does not change the mapping.

        >>> store = GroupStore()
        >>> _ = store.put(GroupingKey("batch"), b"a 1\\n")
        >>> [str(key) for key in store.groups]
        ['{job="batch"}']
        """
        now = self._now()
        with self._publishing:
            self._hide_expired(now)
            groups = dict(self._groups)
        return MappingProxyType({key: groups[key] for key in sorted(groups)})

    def render(
        self,
        *,
        format: Format = Format.TEXT,
        names: Collection[str] | None = None,
        escaping: EscapingScheme = EscapingScheme.ALLOW_UTF8,
    ) -> bytes:
        """What a scraper is given: all families in order of name, each with its samples in canonical order.

        With ``names``, only the families of these names. Families without samples are left out. Where groups give a
        family different help texts, that of the first group in order of keys is shown. Names of UTF-8 are written as
        ``escaping`` says. Equal groups give equal bytes, however they came to be. Neither a journal that fails nor one
        that is slow keeps a store from being rendered.

        Raises ValueError for a format that is not written, and TypeError for ``names`` that are one ``str``.

        >>> GroupStore().render()
        b''
        """
        if Format(format) is not Format.TEXT:
            raise ValueError(f"a store renders the text format only, not {format}")
        names = _checked_names(names)
        scheme = EscapingScheme(escaping)
        if self._names == "legacy":
            # Names that need no escaping are never changed.
            scheme = EscapingScheme.ALLOW_UTF8
        with self._scraping:
            return self._current_page().text(names, scheme)

    def collect(self, names: Collection[str] | None = None) -> Exposition:
        """The same as an exposition.

        >>> list(GroupStore().collect())
        []
        """
        names = _checked_names(names)
        with self._scraping:
            return Exposition(self._current_page().families(names), filename="<store>")

    def _current_page(self) -> Page:
        now = self._now()
        with self._publishing:
            self._hide_expired(now)
            self._untold.update(self._delta)
            self._delta = Delta(self._catalog.numbered)
        self._page.apply(self._untold)
        self._untold = Delta()
        self._page.show_own(self._own_families())
        return self._page

    def _own_families(self) -> list[MetricFamily]:
        families = list(self._own())
        for family in families:
            known = self._catalog.own.get(family.name)
            if known is None or known.type is not family.type:
                raise ValueError(f"`own` gives a family that it did not give at first: {family.name} ({family.type})")
        return families

    def _now(self) -> int:
        return _checked_ns(self._clock(), "a clock's time")


def _checked_ns(value: int, what: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{what} is a whole number of nanoseconds, an int: {value!r}")
    if not 0 <= number <= _MAX_NS:
        raise ValueError(f"{what} is not negative, and at most 2**63 - 1 nanoseconds")
    return number


def _checked_lifetime(lifetime_ns: int | None) -> int | None:
    """A lifetime that was asked for, ``None`` for an endless one."""
    return None if lifetime_ns is None else _checked_ns(lifetime_ns, "a lifetime") or None


def _checked_key(key: GroupingKey) -> GroupingKey:
    if not isinstance(key, GroupingKey):
        raise TypeError(
            f"a group is named by a GroupingKey, not by {key!r}: GroupingKey(job, ...) makes one, and "
            "GroupingKey.from_path(path) that of a URL's path"
        )
    return key


def _checked_names(names: Collection[str] | None) -> Collection[str] | None:
    if isinstance(names, str | bytes):
        raise TypeError(f"names are a collection of names, such as [{names!r}], not {names!r}")
    return names


def _checked_own(families: Iterable[MetricFamily]) -> list[MetricFamily]:
    families = list(families)
    for family in families:
        if family.name in TIME_FAMILIES:
            raise ValueError(f"`own` gives a family that the store has itself: {family.name}")
    return families


def _broken_error(cause: BaseException) -> RuntimeError:
    error = RuntimeError(
        f"the store is broken by an unexpected error, and takes no more changes: {cause!r}; what its journal has "
        "recorded is in another store made with it"
    )
    error.__cause__ = cause
    return error


def _fail(tasks: Iterable[_Task], error: BaseException) -> None:
    """Each task gets an error of its own: those who wait raise it in different threads, and each adds its traceback."""
    for task in tasks:
        try:
            task.error = copy.copy(error).with_traceback(error.__traceback__)
        except Exception:  # noqa: BLE001 - not every exception can be copied
            task.error = error
        else:
            task.error.__cause__ = error.__cause__


# What is shown of the times of each group.
_TIMES: Final[Mapping[str, MetricFamily]] = {
    name: MetricFamily(name, MetricType.GAUGE, help) for name, help in TIME_FAMILIES.items()
}


def _times(group: Group | None) -> tuple[int | None, ...]:
    """In order of their families; ``None`` for what is not shown."""
    return (None,) * len(_TIMES) if group is None else (group.push_time_ns, group.failure_time_ns, group.expires_ns)


def _compare(delta: Delta, number: int, key: GroupingKey, old: Group | None, new: Group | None) -> None:
    """Add how a group differs from what it was, but for the metadata of what was pushed."""
    _compare_families(delta, number, old, new)
    _compare_times(delta, number, key, old, new)


def _compare_times(delta: Delta, number: int, key: GroupingKey, old: Group | None, new: Group | None) -> None:
    for name, before, after in zip(_TIMES, _times(old), _times(new), strict=True):
        if before == after:
            continue
        samples = None
        if after is not None:
            samples = engine.pack([Sample(name, identity(key), after / 1e9)])
        delta.set(name, number, samples)
        delta.families[name] = _TIMES[name]


def _compare_families(delta: Delta, number: int, old: Group | None, new: Group | None) -> None:
    before = old.families if old else {}
    after = new.families if new else {}
    for name in before.keys() - after.keys():
        delta.set(name, number, None)
    for name, stored in after.items():
        if before.get(name) is not stored:
            delta.set(name, number, stored.family.samples)
