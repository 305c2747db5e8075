"""The groups as they are seen: what was committed, less what has expired since, and what is new of it to a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from threading import Lock
from typing import Final

from . import engine
from .catalog import Catalog, identity
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

    def publish(self, keys: Iterable[GroupingKey], delta: Delta) -> None:
        """Let groups be seen as the catalog has them; ``delta`` is how they differ from what was published before."""
        catalog = self._catalog
        keys = set(keys)
        with self._publishing:
            # What has expired since the batch was begun is not seen any more, so that the difference is not all that
            # there is to see of it; and the catalog, which has it yet, does not know what else is seen.
            names = {name for group in self._gone.values() for name in group.families}
            for key in self._gone.keys() & keys:
                new = catalog.groups.get(key)
                names.update(new.families if new else ())
                compare(delta, catalog.number(key), key, None, new, new.families if new else ())
                del self._gone[key]
            for key in keys:
                group = catalog.groups.get(key)
                if group is None:
                    self._groups.pop(key, None)
                else:
                    self._groups[key] = group
                self._schedule.set(key, group.expires_ns if group else None)
            delta.families |= self._seen_metadata(names)
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
        delta.families |= self._seen_metadata(delta.samples.keys() - TIMES.keys(), gone.keys())
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
