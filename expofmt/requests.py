"""What a store is asked for, and what comes of that: changes, or the errors that a push is refused with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from .catalog import Catalog
from .codes import Code
from .committed import RefusedError, Task
from .diagnostics import ConsistencyError, Diagnostic, RejectedPushError
from .expiry import checked_lifetime
from .formats import Format
from .grouping import GroupingKey
from .groups import Change, ChangeKind, Group
from .model import Exposition, MetricFamily
from .names import Names
from .pushing import EXPIRY_FAMILY, MAX_FINDINGS, Limits, Push, PushPolicy, accumulated, limit_error, prepared

__all__ = ["Body", "Delete", "Post", "PushResult", "Put", "Requests", "Wipe", "rehearsed"]

Body = bytes | bytearray | memoryview | str | Exposition

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Push:
    kind: ClassVar[ChangeKind]

    key: GroupingKey
    body: Body
    format: Format = Format.TEXT
    lifetime_ns: int | None = None
    lenient: bool = False


class Put(_Push):
    """A request: the group is to have these families and no others. See :meth:`expofmt.GroupStore.put`.

    A ``lenient`` one warns of what Pushgateway refuses and Prometheus would scrape: a last line without its line feed,
    blanks at the ends of lines, unknown escapes.

    >>> Put(GroupingKey("batch"), b"a 1\\n").body
    b'a 1\\n'
    """

    __slots__ = ()
    kind = ChangeKind.PUT


class Post(_Push):
    """A request: these families take the place of the group's families of the same names. See
    :meth:`expofmt.GroupStore.post`. ``lenient`` is as in :class:`Put`.

    >>> Post(GroupingKey("batch"), b"a 1\\n").body
    b'a 1\\n'
    """

    __slots__ = ()
    kind = ChangeKind.POST


@dataclass(frozen=True, slots=True)
class Delete:
    """A request: the group is to be forgotten. See :meth:`expofmt.GroupStore.delete`.

    >>> Delete(GroupingKey("batch")).key.job
    'batch'
    """

    key: GroupingKey


@dataclass(frozen=True, slots=True)
class Wipe:
    """A request: all groups are to be forgotten. See :meth:`expofmt.GroupStore.wipe`.

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


class Requests:
    """What requests do to the groups of a catalog. To make tasks of them is safe for threads."""

    def __init__(
        self, catalog: Catalog, *, names: Names, policy: PushPolicy, lifetime_ns: int | None, limits: Limits
    ) -> None:
        self._catalog = catalog
        self._names: Names = names
        self._policy = policy
        self._lifetime_ns = checked_lifetime(lifetime_ns)
        self._limits = limits

    def task(self, request: Put | Post | Delete | Wipe, /) -> Task:
        """What a request does; raises what a push is refused with before it is compared to anything."""
        match request:
            case Put() | Post():
                return self._push(request)
            case Delete():
                key = _checked_key(request.key)
                return self._deletion(lambda: [key], bool)
            case Wipe():
                return self._wiping()
        raise TypeError(f"a store is asked for a Put, Post, Delete or Wipe, not for {request!r}")

    def deletion(self, fits: Callable[[GroupingKey], bool]) -> Task:
        """To forget the groups whose keys fit; the answer is which they were, in order."""
        return self._deletion(lambda: filter(fits, self._catalog.groups), list)

    def _push(self, request: Put | Post) -> Task:
        lifetime = self._lifetime_ns if request.lifetime_ns is None else checked_lifetime(request.lifetime_ns)
        push = prepared(
            request.kind,
            _checked_key(request.key),
            request.body,
            format=request.format,
            names=self._names,
            limits=self._limits,
            lifetime_ns=lifetime,
            lenient=request.lenient,
        )
        return Task(lambda now: self._pushed(push, now))

    def _pushed(self, push: Push, now: int) -> tuple[list[Change], PushResult]:
        catalog, key = self._catalog, push.key
        group = catalog.groups.get(key)
        groups_expire = catalog.mortal > 0 or push.lifetime_ns is not None or self._lifetime_ns is not None
        if groups_expire and EXPIRY_FAMILY in push.families:
            push.leave_out(EXPIRY_FAMILY)
        # With what is wrong with the push itself, no more are told than of a push that is only contradicted.
        contradictions, warnings = catalog.findings(push, max(0, MAX_FINDINGS - len(push.errors)))
        errors = [*push.errors, *contradictions]
        families: Iterable[MetricFamily] = push.families.values()
        if not errors and group is not None and self._policy.accumulates:
            old = {name: group.families[name].family for name in push.families.keys() & group.families.keys()}
            try:
                families = accumulated(push, old, self._policy)
            except ConsistencyError as error:
                errors += error.diagnostics
        if errors:
            # A failure must not make a group whose times would be another one's, nor one that there is no room for.
            remembered = group is not None or not (catalog.has_another(key) or self._is_full())
            failure = Change(ChangeKind.FAIL, now, key, lifetime_ns=push.lifetime_ns)
            raise RefusedError([failure] if remembered else [], RejectedPushError(errors))
        self._check_room(push, group, families)
        change = Change(push.kind, now, key, tuple(families), push.lifetime_ns)
        return [change], PushResult(key, now, (*push.warnings, *warnings))

    def _check_room(self, push: Push, group: Group | None, families: Iterable[MetricFamily]) -> None:
        limits, catalog = self._limits, self._catalog
        if limits.groups is not None and group is None and self._is_full():
            raise limit_error(Code.TOO_MANY_GROUPS, push.source.name, limits.groups, len(catalog.groups) + 1)
        if limits.series is None:
            return
        series = catalog.series_count + sum(len(family.samples) for family in families)
        held = group.families if group else {}
        replaced = held.keys() if push.kind is ChangeKind.PUT else held.keys() & push.families.keys()
        series -= sum(len(held[name].family.samples) for name in replaced)
        if series > limits.series:
            raise limit_error(Code.STORE_FULL, push.source.name, limits.series, series)

    def _is_full(self) -> bool:
        return self._limits.groups is not None and len(self._catalog.groups) >= self._limits.groups

    def _deletion(
        self, keys: Callable[[], Iterable[GroupingKey]], answer: Callable[[list[GroupingKey]], _Answer]
    ) -> Task:
        def changes(now: int) -> tuple[list[Change], _Answer]:
            found = sorted(key for key in keys() if key in self._catalog.groups)
            return [Change(ChangeKind.DELETE, now, key) for key in found], answer(found)

        return Task(changes)

    def _wiping(self) -> Task:
        def changes(now: int) -> tuple[list[Change], int]:
            count = len(self._catalog.groups)
            return [Change(ChangeKind.WIPE, now)] if count else [], count

        return Task(changes)


def rehearsed(push: Put | Post, /, *, names: Names) -> PushResult:
    """What a store without groups and limits would answer to a push: to find that out takes less than to store it.

    Raises what :meth:`expofmt.GroupStore.put` raises.

    >>> rehearsed(Put(GroupingKey("batch"), b"a 1\\n"), names="legacy").warnings
    ()
    """
    requests = Requests(Catalog(()), names=names, policy=PushPolicy(), lifetime_ns=None, limits=Limits())
    result: PushResult
    try:
        _, result = requests.task(push).changes(0)
    except RefusedError as refused:
        raise refused.error from None
    return result


def _checked_key(key: GroupingKey) -> GroupingKey:
    if not isinstance(key, GroupingKey):
        raise TypeError(
            f"a group is named by a GroupingKey, not by {key!r}: GroupingKey(job, ...) makes one, and "
            "GroupingKey.from_path(path) that of a URL's path"
        )
    return key
