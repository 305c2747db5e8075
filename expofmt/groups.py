"""What a store remembers of each group, the changes that it goes through, and the journal that keeps them.

A change carries its result, so that to apply it takes no policy, no flag and no clock: whoever applies the same
changes in the same order remembers the same groups. The store does so when it accepts a change, and again when it
reads a journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from .grouping import GroupingKey
from .model import MetricFamily, Samples

__all__ = [
    "Change",
    "ChangeKind",
    "Group",
    "Journal",
    "JournalError",
    "StoredFamily",
    "apply",
    "changed",
    "packed_families",
    "retold",
    "together",
]

# A group is packed again when its pushes had so many times as many samples as it has, and some more.
_SCATTERED: Final = 3
_FEW_SAMPLES: Final = 1000
_NOTHING: Final[Mapping[str, StoredFamily]] = MappingProxyType({})


class StoredFamily(NamedTuple):
    """A family of a group, labelled and complete, and the time of the push that set it (nanoseconds since the epoch).

    >>> StoredFamily(MetricFamily.gauge("a", 1), 5).time_ns
    5
    """

    family: MetricFamily
    time_ns: int


@dataclass(frozen=True, slots=True)
class Group:
    """What is remembered of one group. Times are nanoseconds since the Unix epoch, 0 for "never".

    ``families`` are those that were pushed, by name, in no particular order; the times of the last push and of the last
    refused one are families only when the group is shown. ``lifetime_ns`` is how long after its last push the group
    expires, ``None`` if it does not. Immutable.

    >>> Group(GroupingKey("batch")).push_time_ns
    0
    """

    key: GroupingKey
    families: Mapping[str, StoredFamily] = field(default_factory=lambda: _NOTHING)
    push_time_ns: int = 0
    failure_time_ns: int = 0
    lifetime_ns: int | None = None
    # Samples of one push share the columns that they are kept in: how many samples such pushes had since the group was
    # last packed, and how many the group has.
    _pushed_samples: int = field(default=0, repr=False, compare=False)
    _samples: int = field(default=0, repr=False, compare=False)

    @property
    def expires_ns(self) -> int | None:
        """When the group expires unless it is pushed again; ``None`` if it does not.

        >>> Group(GroupingKey("batch"), push_time_ns=5, lifetime_ns=10).expires_ns
        15
        """
        if self.lifetime_ns is None:
            return None
        return (self.push_time_ns or self.failure_time_ns) + self.lifetime_ns

    def packed(self) -> Group:
        """The same group, by itself if nothing is to be gained: of families that posts have replaced, the columns of
        their pushes hold the samples as long as anything of the push is left. Costs, in the long run, what was pushed.

        >>> group = Group(GroupingKey("batch"))
        >>> group.packed() is group
        True
        """
        if self._pushed_samples <= _SCATTERED * self._samples + _FEW_SAMPLES:
            return self
        packed = packed_families(self.families)
        return replace(self, families=packed, _pushed_samples=self._samples)


def packed_families(families: Mapping[str, StoredFamily]) -> Mapping[str, StoredFamily]:
    """The same families, whose samples share columns of their own, which hold nothing else.

    >>> packed_families({"a": StoredFamily(MetricFamily.gauge("a", 1), 5)})["a"].family.samples
    <1 samples: a 1>
    """
    samples = together([family.samples for family, _ in families.values()], {}, {})
    return MappingProxyType(
        {
            name: StoredFamily(family.with_samples(packed), time_ns)
            for (name, (family, time_ns)), packed in zip(families.items(), samples, strict=True)
        }
    )


def together(samples: Sequence[Samples], replace: Mapping[str, str], default: Mapping[str, str]) -> list[Samples]:
    """Samples of several families with labels as :meth:`Samples.with_labels` gives them, in columns that they share.

    That takes less time, and less than half of the memory that columns of a few samples each would take. They are
    compact: they hold on to no text that they were read from.

    >>> [len(samples) for samples in together([MetricFamily.gauge("a", 1).samples] * 2, {"job": "batch"}, {})]
    [1, 1]
    """
    if not samples:
        return []
    first, *others = samples
    labelled = first.concat(*others).with_labels(replace, default, compact=True)
    ends = [*accumulate(map(len, samples))]
    return [labelled[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class ChangeKind(StrEnum):
    """What a change does.

    ``put``: the group has these families and no others; ``post``: these take the place of its families of the same
    names; ``fail``: a push was refused; ``delete`` and ``expire``: the group is forgotten; ``wipe``: all groups are.

    >>> ChangeKind("put") is ChangeKind.PUT
    True
    """

    PUT = "put"
    POST = "post"
    FAIL = "fail"
    DELETE = "delete"
    EXPIRE = "expire"
    WIPE = "wipe"


@dataclass(frozen=True, slots=True)
class Change:
    """One change, with its result: ``families`` are those that the group then has, labelled, complete and merged.

    ``key`` is ``None`` for a wipe alone, ``families`` empty but for puts and posts. ``lifetime_ns`` is that of the
    group from then on, or, for a failure, of a group that it makes.

    >>> Change(ChangeKind.WIPE, 5).key is None
    True
    """

    kind: ChangeKind
    time_ns: int
    key: GroupingKey | None = None
    families: tuple[MetricFamily, ...] = ()
    lifetime_ns: int | None = None


def changed(group: Group | None, change: Change) -> Group | None:
    """The group that a change makes of one; ``None`` stands for a group that is not there.

    A put or a post sets the time of the last push and leaves that of the last failure; a failure makes a group where
    there is none, and leaves all else.

    >>> key = GroupingKey("batch")
    >>> group = changed(None, Change(ChangeKind.PUT, 5, key, (MetricFamily.gauge("a", 1),)))
    >>> group.push_time_ns, list(group.families)
    (5, ['a'])
    >>> changed(group, Change(ChangeKind.FAIL, 7, key)).failure_time_ns
    7
    """
    if change.kind in (ChangeKind.DELETE, ChangeKind.EXPIRE, ChangeKind.WIPE):
        return None
    if group is None:
        if change.key is None:
            raise ValueError(f"a change of kind {change.kind} is of a group")
        group = Group(change.key, lifetime_ns=change.lifetime_ns)
    if change.kind is ChangeKind.FAIL:
        return replace(group, failure_time_ns=change.time_ns)
    pushed = {family.name: StoredFamily(family, change.time_ns) for family in change.families}
    samples = count = sum(len(family.samples) for family in change.families)
    if change.kind is ChangeKind.POST:
        replaced = (group.families[name].family.samples for name in pushed if name in group.families)
        samples += group._samples - sum(map(len, replaced))
        count += group._pushed_samples
        # A union of dicts is a copy that looks at no item, however many the group has.
        pushed = MappingProxyType(group.families) | pushed
    return replace(
        group,
        families=MappingProxyType(pushed),
        push_time_ns=change.time_ns,
        lifetime_ns=change.lifetime_ns,
        _pushed_samples=count,
        _samples=samples,
    )


def apply(changes: Iterable[Change], groups: dict[GroupingKey, Group]) -> None:
    """Let groups go through changes, one after the other; where that fails, those before are applied.

    >>> groups: dict[GroupingKey, Group] = {}
    >>> apply([Change(ChangeKind.PUT, time, GroupingKey("batch")) for time in (5, 7)], groups)
    >>> [group.push_time_ns for group in groups.values()]
    [7]
    """
    for change in changes:
        for key in list(groups) if change.key is None else [change.key]:
            group = changed(groups.get(key), change)
            if group is None:
                groups.pop(key, None)
            else:
                groups[key] = group


def retold(group: Group) -> Iterator[Change]:
    """Changes that make the group where there was none: one for each time at which something of it was pushed.

    >>> key = GroupingKey("batch")
    >>> group = Group(key, {"a": StoredFamily(MetricFamily.gauge("a", 1), 5)}, push_time_ns=7, failure_time_ns=6)
    >>> [(change.kind.value, change.time_ns) for change in retold(group)]
    [('put', 5), ('post', 7), ('fail', 6)]
    """
    by_time: dict[int, list[MetricFamily]] = {}
    for family, time_ns in group.families.values():
        by_time.setdefault(time_ns, []).append(family)
    # The last push comes last, even where a clock went back, or where all that it brought is gone.
    last = by_time.pop(group.push_time_ns, [])
    pushes = sorted(by_time.items())
    if last or pushes or group.push_time_ns:
        pushes.append((group.push_time_ns, last))
    kind = ChangeKind.PUT
    for time_ns, families in pushes:
        yield Change(kind, time_ns, group.key, tuple(families), group.lifetime_ns)
        kind = ChangeKind.POST
    # A group that was never pushed is there because a push was refused.
    if group.failure_time_ns or not pushes:
        yield Change(ChangeKind.FAIL, group.failure_time_ns, group.key, (), group.lifetime_ns)


class JournalError(Exception):
    """A journal cannot be read, or a change cannot be made durable: nothing of it has happened.

    The message is for the person who runs the gateway: which file, what is wrong, what to do. ``status_hint`` is the
    HTTP status that a server would answer a push with.

    >>> JournalError("disk full").status_hint
    503
    """

    status_hint = 503


class Journal(Protocol):
    """What makes a store durable: an ordered record of its changes. Called by one thread at a time.

    A journal may forget what later changes have made void: what it replays leads to the same groups, not necessarily
    over the same way. Nothing but these three methods is asked of it.

    >>> class Memory:
    ...     def __init__(self):
    ...         self.changes = []
    ...     def append(self, changes):
    ...         self.changes += changes
    ...     def replay(self):
    ...         return iter(self.changes)
    ...     def close(self):
    ...         pass
    >>> journal: Journal = Memory()
    >>> journal.append([Change(ChangeKind.PUT, 5, GroupingKey("batch"))])
    >>> [str(change.key) for change in journal.replay()]
    ['{job="batch"}']
    """

    def append(self, changes: Sequence[Change], /) -> None:
        """Record changes in order, all or none. When this returns, they survive a loss of power.

        Raises JournalError if they cannot be recorded; the journal can be used afterwards.
        """

    def replay(self) -> Iterator[Change]:
        """Changes that lead from an empty store to what was recorded. Raises JournalError where it cannot be read."""

    def close(self) -> None:
        """Let go of the file, or whatever it is. Closing twice does no harm."""
