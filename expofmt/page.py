"""The text that a store is scraped for: kept family by family, with what changed merged in when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from . import engine
from .formats import Format
from .model import MetricFamily, MetricType, Samples
from .names import EscapingScheme, is_legacy_label_name, is_legacy_metric_name

__all__ = ["EXPIRY", "Delta", "Page"]

# Stands in a delta for the family of the times when groups expire. Its own name may be that of a pushed family, which
# is shown then. No family's name is empty.
EXPIRY: Final = ""

# Number of the owner of what the store exposes of itself.
_STORE: Final = 0


class Delta:
    """What changed since a page was last brought up to date: later changes of the same family and group replace
    earlier ones.

    ``families`` are those whose metadata may have changed, without samples; ``None`` where no group has one any more.
    Groups with numbers above ``shown`` are not on the page: what comes and goes unseen leaves no trace.
    """

    def __init__(self, shown: float = math.inf) -> None:
        self.shown = shown
        self.families: dict[str, MetricFamily | None] = {}
        self.samples: dict[str, dict[int, Samples | None]] = {}

    def set(self, name: str, owner: int, samples: Samples | None) -> None:
        """The samples that a group has of a family from now on; ``None`` if it has none."""
        self.samples.setdefault(name, {})[owner] = samples

    def update(self, later: Delta) -> None:
        """Add changes that came later."""
        self.families |= later.families
        for name, owners in later.samples.items():
            mine = self.samples.setdefault(name, {})
            for owner, samples in owners.items():
                if samples is None and owner > self.shown:
                    mine.pop(owner, None)
                else:
                    mine[owner] = samples
            if not mine and self.families.get(name) is None:
                del self.samples[name]
                self.families.pop(name, None)


class _Entry:
    """A family: its metadata lines, and the samples of all groups."""

    __slots__ = ("family", "gathered", "head", "odd")

    def __init__(self, family: MetricFamily) -> None:
        # Owners with names in it that escaping may change, if there are any: a set takes more than all else here.
        self.odd: set[int] | None = None
        self.gathered = engine.Gathered(family.name, family.type)
        self.describe(family)

    def put(self, owner: int, samples: Samples, *, may_be_odd: bool) -> None:
        self.gathered.put(samples, owner)
        self._forget_odd(owner)
        if may_be_odd and not all(map(is_legacy_label_name, samples.label_names())):
            self.odd = self.odd or set()
            self.odd.add(owner)

    def remove(self, owner: int) -> None:
        self.gathered.remove(owner)
        self._forget_odd(owner)

    def _forget_odd(self, owner: int) -> None:
        if self.odd is not None:
            self.odd.discard(owner)

    def text(self, escaping: EscapingScheme) -> tuple[bytes, bytes]:
        """The metadata lines and the samples' lines. Those with names that escaping may change are written anew."""
        if escaping is EscapingScheme.ALLOW_UTF8 or (not self.odd and is_legacy_metric_name(self.family.name)):
            return self.head, self.gathered.text()
        return engine.encode([self.whole()], format=Format.TEXT, escaping=escaping), b""

    def whole(self) -> MetricFamily:
        return self.family.with_samples(self.gathered.samples())

    def describe(self, family: MetricFamily) -> None:
        self.head = engine.encode([family], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
        # Last: by this, a page knows what the lines say, whatever an interrupt has left out.
        self.family = family


class Page:
    """All families with the samples of all groups. Not safe for threads.

    Where all names are ``legacy``, no escaping changes any, and none is looked at.
    """

    def __init__(self, *, legacy: bool) -> None:
        self._may_be_odd = not legacy
        self._entries: dict[str, _Entry] = {}
        # In order; None when it is to be found out again.
        self._names: list[str] | None = []
        self._own: frozenset[str] = frozenset()

    def apply(self, delta: Delta) -> None:
        """Bring it up to date. To apply the same once more changes nothing, not even after an interruption."""
        for name, family in delta.families.items():
            self._describe(name, family)
        for name, owners in delta.samples.items():
            entry = self._entries.get(name)
            if entry is None:
                continue
            for owner, samples in owners.items():
                if samples is None:
                    entry.remove(owner)
                else:
                    entry.put(owner, samples, may_be_odd=self._may_be_odd)

    def _describe(self, name: str, family: MetricFamily | None) -> None:
        entry = self._entries.get(name)
        if family is None:
            if entry is not None and name not in self._own:
                self._names = None
                del self._entries[name]
            return
        family = _printed(family)
        if entry is None:
            self._names = None
        if entry is None or entry.family.type is not family.type:
            # Only a family that one group has alone can change its type, and then all its samples are new.
            self._entries[name] = _Entry(family)
        elif entry.family.help != family.help:
            entry.describe(family)

    def show_own(self, families: Iterable[MetricFamily]) -> None:
        """Let these be what the store exposes of itself, in the place of what it exposed before."""
        given = {family.name: family for family in families}
        for name in self._own - given.keys():
            entry = self._entries[name]
            entry.remove(_STORE)
            if not entry.gathered.owners():
                self._own -= {name}
                self._describe(name, None)
        self._own = frozenset(given)
        for name, family in given.items():
            if {"instance", "job"} <= family.samples.label_names():
                raise ValueError(f"`own` gives samples of {name} with `job` and `instance`, which tell groups apart")
            self._describe(name, family)
            self._entries[name].put(_STORE, family.samples, may_be_odd=self._may_be_odd)

    def text(self, names: Collection[str] | None, escaping: EscapingScheme) -> list[bytes]:
        """Canonical text, in the pieces in which it is kept; of some families, if names are given. Families without
        samples are left out.
        """
        return [part for entry in self._chosen(names) for part in entry.text(escaping)]

    def families(self, names: Collection[str] | None) -> list[MetricFamily]:
        """The same as families, by name."""
        families = (entry.whole() for entry in self._chosen(names))
        return [family.with_samples(family.samples.sorted(family.name, family.type)) for family in families]

    def _chosen(self, names: Collection[str] | None) -> Iterator[_Entry]:
        """Those that have samples, in order of their names."""
        entries, expiry = self._entries, self._entries.get(EXPIRY)
        if self._names is None:
            self._names = sorted({entry.family.name for entry in entries.values()})
        for name in self._names if names is None else sorted(set(names) - {EXPIRY}):
            entry = entries.get(name)
            if entry is None and expiry is not None and name == expiry.family.name:
                entry = expiry
            if entry is not None and len(entry.gathered) > 0:
                yield entry


def _printed(family: MetricFamily) -> MetricFamily:
    """What the metadata lines say, without samples."""
    # The text format has no other word for it, and its samples are those of a histogram.
    type = MetricType.HISTOGRAM if family.type is MetricType.GAUGEHISTOGRAM else family.type
    return MetricFamily(family.name, type, family.help)
