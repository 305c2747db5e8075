"""The groups as they are seen: what was committed, less what has expired since, and what is new of it to a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from threading import Lock
from typing import Final

from . import engine
from .catalog import Catalog, Declarers, identity, says_the_same
from .expiry import Schedule
from .grouping import GroupingKey
from .groups import Group
from .model import MetricFamily, MetricType, Sample
from .page import EXPIRY, Delta
from .pushing import EXPIRY_FAMILY, EXPIRY_HELP, TIME_FAMILIES

__all__ = ["TIMES", "Published", "compare", "times_of"]

# What is shown of the times of each group, without samples.
TIMES: Final[Mapping[str, MetricFamily]] = {
    **{name: MetricFamily(name, MetricType.GAUGE, help) for name, help in TIME_FAMILIES.items()},
    EXPIRY: MetricFamily(EXPIRY_FAMILY, MetricType.GAUGE, EXPIRY_HELP),
}


class Published:
    """What is seen of the groups of a catalog. Whoever writes publishes; anybody may look, and waits but for moments.

    Who looks hides what has expired himself, and waits neither for who writes nor for the journal.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # Held for the moments in which what was committed becomes what is seen, and what has expired is seen no more.
        self._publishing = Lock()
        self._groups: dict[GroupingKey, Group] = {}
        # Who of them declares a family, by its name.
        self._declared: dict[str, Declarers] = {}
        self._schedule = Schedule()
        # Groups that have expired and are not seen any more, while the catalog has them yet.
        self._gone: dict[GroupingKey, Group] = {}
        self._delta = Delta(0)

    # ------------------------------------------------------------------------------------------------- for who looks

    def groups(self, now: int) -> dict[GroupingKey, Group]:
        """The groups that are seen, in no particular order; the caller owns the dict."""
        with self._publishing:
            self._hide_expired(now)
            return dict(self._groups)

    def tell(self, now: int, untold: Delta) -> None:
        """Add what has changed since this was asked last, by a page that shows it from now on."""
        with self._publishing:
            self._hide_expired(now)
            untold.update(self._delta)
            self._delta = Delta(self._catalog.numbered)

    # ------------------------------------------------------------------------------------------------ for who writes

    def publish(self, retold: Mapping[GroupingKey, AbstractSet[str]], delta: Delta) -> None:
        """Let groups be seen as the catalog has them. What they say of their families is what was seen before, but for
        those of the names given. ``delta`` is how the samples differ from what was published before.
        """
        catalog = self._catalog
        with self._publishing:
            # What an interrupt has left half hidden.
            self._hide_expired(-1)
            touched: set[str] = set()
            learned: list[tuple[GroupingKey, MetricFamily]] = []
            for key, changed in retold.items():
                new = catalog.groups.get(key)
                if key in self._gone:
                    # It has expired since the batch was begun, and is not seen any more, so that the difference is not
                    # all that there is to see of it.
                    changed = new.families.keys() if new else frozenset()
                    compare(delta, catalog.number(key), key, None, new, changed)
                    del self._gone[key]
                old = self._groups.get(key)
                seen, committed = (group.families if group else {} for group in (old, new))
                for name in changed:
                    before, after = seen.get(name), committed.get(name)
                    if before is after or (before and after and says_the_same(before.family, after.family)):
                        continue
                    touched.add(name)
                    if before is not None:
                        self._forget(name, key)
                    if after is not None:
                        learned.append((key, after.family))
                if new is None:
                    self._groups.pop(key, None)
                else:
                    self._groups[key] = new
                self._schedule.set(key, new.expires_ns if new else None)
            for key, family in learned:
                self._declared.setdefault(family.name, Declarers()).learn(key, with_help=bool(family.help))
            delta.families |= self._metadata(touched)
            self._delta.update(delta)

    def settle(self, now: int) -> Iterable[GroupingKey]:
        """The groups whose time has come, which the catalog is to forget."""
        with self._publishing:
            self._hide_expired(now)
            gone, self._gone = self._gone, {}
        return gone

    def _hide_expired(self, now: int) -> None:
        """Let groups whose time has come be seen no more.

        An interrupt may come at any point of that. Done again, it is made up for.
        """
        due = self._schedule.due(now)
        if not due:
            return
        gone = {key: self._groups[key] for key in due if key in self._groups}
        delta = Delta()
        for key, group in gone.items():
            compare(delta, self._catalog.number(key), key, group, None, group.families)
            for name in group.families:
                self._forget(name, key)
        delta.families |= self._metadata(name for group in gone.values() for name in group.families)
        self._delta.update(delta)
        for key, group in gone.items():
            self._gone[key] = group
            del self._groups[key]
        for key in due:
            self._schedule.set(key, None)

    def _forget(self, name: str, key: GroupingKey) -> None:
        """A group declares a family no more, if it did."""
        declared = self._declared.get(name)
        if declared is not None:
            declared.forget(key)
            if not declared:
                del self._declared[name]

    def _metadata(self, names: Iterable[str]) -> dict[str, MetricFamily | None]:
        """Families without samples, with the types and the help texts that are shown; ``None`` if no group has them."""
        return {name: self._metadata_of(name) for name in names}

    def _metadata_of(self, name: str) -> MetricFamily | None:
        declared = self._declared.get(name)
        if declared is None:
            return None
        family = self._groups[declared.first()].families[name].family
        own = self._catalog.own.get(name)
        return MetricFamily(name, family.type, own.help if own else family.help or None)


def compare(
    delta: Delta, number: int, key: GroupingKey, old: Group | None, new: Group | None, names: Iterable[str]
) -> None:
    """Add how a group differs from what it was, in families of these names and in its times.

    Left out is the metadata of what was pushed: it depends on the other groups, too.
    """
    before = old.families if old else {}
    after = new.families if new else {}
    for name in names:
        stored = after.get(name)
        if before.get(name) is not stored:
            delta.set(name, number, None if stored is None else stored.family.samples)
    times = zip(TIMES, times_of(old), times_of(new), strict=True)
    fresh = {name: later for name, earlier, later in times if earlier != later}
    # Samples of one call share the columns that they are kept in.
    packed = engine.pack(
        Sample(TIMES[name].name, identity(key), ns / 1e9) for name, ns in fresh.items() if ns is not None
    )
    samples = (packed[index : index + 1] for index in range(len(packed)))
    for name, ns in fresh.items():
        delta.set(name, number, None if ns is None else next(samples))
        delta.families[name] = TIMES[name]


def times_of(group: Group | None) -> tuple[int | None, ...]:
    """In order of their families; ``None`` for what is not shown."""
    return (None,) * len(TIMES) if group is None else (group.push_time_ns, group.failure_time_ns, group.expires_ns)
