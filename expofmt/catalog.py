"""What all groups of a store declare and hold: the indexes by which a push is checked at the cost of the push."""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import MappingProxyType
from typing import Final, ParamSpec

from . import engine
from .codes import Code, Severity
from .diagnostics import Diagnostic, Place
from .grouping import GroupingKey
from .groups import ChangeKind, Group, StoredFamily
from .model import LabelSet, MetricFamily, MetricType, Samples, text_word
from .names import escape_help, written_name
from .pushing import TIME_FAMILIES, Push, more_findings

__all__ = ["OWN", "Catalog", "Declarers", "identity", "says_the_same"]

_About = ParamSpec("_About")

# Which families' names are those of a summary's or histogram's samples. Gauge histograms are not looked at, nor does
# Pushgateway.
_SUFFIXES: Final[Mapping[MetricType, tuple[str, ...]]] = {
    MetricType.SUMMARY: ("_count", "_sum"),
    MetricType.HISTOGRAM: ("_count", "_sum", "_bucket"),
}

# What messages call the families of the process itself.
OWN: Final = "this gateway's own metrics"


def identity(key: GroupingKey) -> LabelSet:
    """The labels of what the store says of a group: those of the key, and ``instance`` in any case.

    >>> str(identity(GroupingKey("batch")))
    '{instance="",job="batch"}'
    """
    return key.labels if "instance" in key.labels else LabelSet({"instance": "", **key.labels})


class Declarers:
    """Which groups declare a family, in order: those that give it a help text, and those that do not.

    >>> declarers = Declarers()
    >>> declarers.learn(GroupingKey("batch"), with_help=False)
    >>> declarers.is_alone(GroupingKey("batch")), declarers.first()
    (True, GroupingKey('batch'))
    """

    __slots__ = ("helped", "plain")

    def __init__(self) -> None:
        self.helped: list[GroupingKey] = []
        self.plain: list[GroupingKey] = []

    def __bool__(self) -> bool:
        return bool(self.helped or self.plain)

    def learn(self, key: GroupingKey, *, with_help: bool) -> None:
        """A group declares it, which it did not."""
        insort(self.helped if with_help else self.plain, key)

    def forget(self, key: GroupingKey) -> None:
        """A group declares it no more, if it did."""
        for keys in (self.helped, self.plain):
            index = bisect_left(keys, key)
            if keys[index : index + 1] == [key]:
                del keys[index]

    def is_alone(self, key: GroupingKey) -> bool:
        """Whether this group declares it, and no other one does."""
        return [*self.helped[:2], *self.plain[:2]] == [key]

    def first(self) -> GroupingKey:
        """The group whose help text is shown, or else the first."""
        return (self.helped or self.plain)[0]

    def first_but(self, key: GroupingKey) -> GroupingKey:
        """The first group in order of keys, but for this one."""
        return min(other for other in (*self.helped[:2], *self.plain[:2]) if other != key)


class _Declared(Declarers):
    """A family that groups declare, all with one type."""

    __slots__ = ("help", "helps", "name", "type")

    def __init__(self, name: str, type: MetricType) -> None:
        super().__init__()
        self.name = name
        self.type = type
        # The help text that was learned last. How many groups give each, unless all that give one give that.
        self.help: str | None = None
        self.helps: Counter[str] | None = None

    def learn_help(self, help: str) -> None:
        """A group gives this help text, which gave none."""
        if self.helps is None and self.help is not None and self.helped and help != self.help:
            self.helps = Counter({self.help: len(self.helped)})
        if self.helps is not None:
            self.helps[help] += 1
        self.help = help

    def forget_help(self, help: str) -> None:
        """A group that gives this help text gives none any more."""
        if self.helps is None:
            return
        self.helps[help] -= 1
        if not self.helps[help]:
            del self.helps[help]
        if len(self.helps) == 1:
            (self.help,) = self.helps
            self.helps = None


class _Told:
    """Diagnostics of one push, of which each takes a while to make: up to so many, and how many more there are."""

    def __init__(self, push: Push, most: int) -> None:
        self._push = push
        self._most = most
        self._found: list[Diagnostic] = []
        self._more = 0

    def tell(self, make: Callable[_About, Diagnostic], *about: _About.args, **named: _About.kwargs) -> None:
        """Make a diagnostic, if it is one of those that are told."""
        if self.room:
            self._found.append(make(*about, **named))
        else:
            self._more += 1

    @property
    def room(self) -> int:
        """How many more can be told."""
        return self._most - len(self._found)

    def pass_over(self, count: int) -> None:
        """Tell only that there are so many."""
        self._more += count

    def all(self) -> list[Diagnostic]:
        """What was told; the last says how many more there are."""
        return [*self._found, more_findings(self._push.source.name, self._more)] if self._more else self._found


class Catalog:
    """Indexes over groups, which the caller keeps. Not safe for threads: whoever writes calls.

    ``own`` are families that the store exposes besides what is pushed. Their types and help texts stand, and a push
    must agree with them. Their samples need no index: all that is pushed has the labels ``job`` and ``instance``, and a
    page refuses own samples that have both, so that none of these is a series of a group.
    """

    def __init__(self, own: Iterable[MetricFamily]) -> None:
        self.own: dict[str, MetricFamily] = {family.name: family for family in own}
        self.groups: dict[GroupingKey, Group] = {}
        self.series = engine.SeriesIndex()
        # How many the index holds: it must not be asked itself while it changes, and this may be read at any time.
        self.series_count = 0
        self._declared: dict[str, _Declared] = {}
        # Numbers of groups, from 1 on, and the other way round. A group keeps its number until it is retired.
        self._numbers: dict[GroupingKey, int] = {}
        self._keys: dict[int, GroupingKey] = {}
        # How many numbers were given.
        self.numbered = 0
        self._identities: dict[LabelSet, GroupingKey] = {}
        # How many groups have a lifetime.
        self.mortal = 0

    def number(self, key: GroupingKey) -> int:
        """The number of a group that is there, or was and is not retired."""
        return self._numbers[key]

    def retire(self, key: GroupingKey) -> None:
        """Forget the number of a group that is gone for good."""
        del self._keys[self._numbers.pop(key)]

    # ------------------------------------------------------------------------------------------------------ changes

    def replace(self, key: GroupingKey, new: Group | None, names: AbstractSet[str] | None = None) -> set[str]:
        """Let a group become another one, or nothing; gives the names of the families that it declares in another way.

        Only the families of the ``names`` given are looked at; the indexes keep what they have of the others.

        Whoever takes a push has asked for :meth:`findings` before; groups that were not pushed here are admitted.
        Groups that cannot be in one store are a ValueError, and the catalog is of no use then.
        """
        if new is not None and self.has_another(key):
            raise ValueError(f"{key} and {self._identities[identity(key)]} are one group to whoever scrapes them")
        old = self.groups.get(key)
        before = old.families if old else {}
        after = new.families if new else {}
        if key not in self._numbers:
            self.numbered += 1
            self._numbers[key] = self.numbered
            self._keys[self.numbered] = key
        stale: list[Samples] = []
        fresh: list[Samples] = []
        retold: dict[str, tuple[StoredFamily | None, StoredFamily | None]] = {}
        for name in before.keys() | after.keys() if names is None else names:
            was, becomes = before.get(name), after.get(name)
            if was is becomes:
                continue
            if was is not None:
                stale.append(was.family.samples)
            if becomes is not None:
                fresh.append(becomes.family.samples)
            if was is None or becomes is None or not says_the_same(was.family, becomes.family):
                retold[name] = was, becomes
        # All at once: a series may have moved from one family of the group to another one.
        self.series.replace(self._numbers[key], stale, fresh)
        self.series_count = len(self.series)
        for was, becomes in retold.values():
            if was is not None:
                self._forget(key, was.family)
            if becomes is not None:
                self._learn(key, becomes.family)
        self.mortal += int(_has_lifetime(new)) - int(_has_lifetime(old))
        if new is not None:
            self.groups[key] = new
            self._identities[identity(key)] = key
        elif old is not None:
            del self.groups[key]
            del self._identities[identity(key)]
        return set(retold)

    def shared(self, family: MetricFamily) -> MetricFamily:
        """The same family with the very texts that the catalog has of it: one of each is enough for all groups."""
        declared = self._declared.get(family.name)
        if declared is None or declared.name is family.name:
            return family
        help = declared.help if family.help == declared.help else family.help
        return MetricFamily._of(declared.name, family.type, help, family.unit, family.samples)

    def admit(self, group: Group) -> list[str]:
        """Take a group that was not pushed here, unless it cannot be in one store with those that are.

        Then why not, a line for each contradiction, which names the other group.
        """
        push = Push.of_group(group)
        who = push.source.name
        reserved = sorted(TIME_FAMILIES.keys() & group.families.keys())
        reasons = [f"{who} has `{name}`, which the store itself says of each group" for name in reserved]
        errors, _ = self.findings(push, sys.maxsize)
        for error in errors:
            other = error.related.filename if error.related else who
            reasons.append(f"{who}{f' contradicts {other}' if other != who else ''}: {error.message}")
        if not reasons:
            held = ((self.shared(family), time_ns) for family, time_ns in group.families.values())
            families = {family.name: StoredFamily(family, time_ns) for family, time_ns in held}
            self.replace(group.key, replace(group, families=MappingProxyType(families)))
        return reasons

    def _learn(self, key: GroupingKey, family: MetricFamily) -> None:
        declared = self._declared.get(family.name)
        if declared is None:
            declared = self._declared[family.name] = _Declared(family.name, family.type)
        elif declared.type is not family.type:
            other = self._name_of_other(key, declared)
            raise ValueError(f"group {key} has `{family.name}` as {family.type}, and {other} as {declared.type}")
        if family.help:
            declared.learn_help(family.help)
        declared.learn(key, with_help=bool(family.help))

    def _forget(self, key: GroupingKey, family: MetricFamily) -> None:
        declared = self._declared[family.name]
        declared.forget(key)
        if family.help:
            declared.forget_help(family.help)
        if not declared:
            del self._declared[family.name]

    # ----------------------------------------------------------------------------------------------------- questions

    def has_another(self, key: GroupingKey) -> bool:
        """Whether what the store says of this group, it says of another one already."""
        return self._identities.get(identity(key), key) != key

    def findings(self, push: Push, most: int) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """What contradicts what the store holds (errors), and what merely differs (warnings): so many of each at most,
        and how many more there are."""
        errors, warnings = _Told(push, most), _Told(push, most)
        if self.has_another(push.key):
            errors.tell(self._second_identity, push)
        group = self.groups.get(push.key)
        held = group.families if group else {}
        fresh = [family.samples for family in push.families.values()]
        stale = [held[name].family.samples for name in push.families if name in held]
        # A group that is not there has no number, and no series: nor has number 0.
        number = self._numbers.get(push.key, 0)
        may_repeat = not self.series.allows(number, stale, fresh)
        for name, family in push.families.items():
            declared = self._declared.get(name)
            stored = held.get(name)
            own = self.own.get(name)
            is_settled = own is None and declared is not None and declared.helps is None
            if is_settled and not may_repeat and stored is not None and says_the_same(stored.family, family):
                # So do most pushes: they say what their groups have said, and all groups say the same.
                continue
            if own is not None and own.type is not family.type:
                errors.tell(self._type_conflict, push, family, own.type, None)
                continue
            collisions: list[tuple[str, MetricType]] = []
            # Where the group has the family with that type already, all others agree with it.
            if stored is None or stored.family.type is not family.type:
                alone = declared is None or declared.is_alone(push.key)
                if declared is not None and not alone and declared.type is not family.type:
                    errors.tell(self._type_conflict, push, family, declared.type, declared)
                    continue
                collisions += self._suffix_collisions(push, family)
            for other, type in collisions:
                errors.tell(self._suffix_collision, push, family, other, type)
            # Families that collide may hold the same series.
            if may_repeat and not collisions:
                self._find_duplicates(push, family, number, errors)
            if (kept := self._kept_help(push, family, declared)) is not None:
                warnings.tell(self._help_conflict, push, family, *kept)
        return errors.all(), warnings.all()

    def _second_identity(self, push: Push) -> Diagnostic:
        labels = identity(push.key)
        line = f"push_time_seconds{labels}"
        places = [Place.canonical(file, line, "") for file in (push.source.name, _name(self._identities[labels]))]
        return _finding(Code.DUPLICATE_SAMPLE, places[0], places[1], {"series": line})

    def _type_conflict(
        self, push: Push, family: MetricFamily, type: MetricType, declared: _Declared | None
    ) -> Diagnostic:
        """With other groups, or with the process itself if none of them declares the family."""
        where = OWN if declared is None else self._name_of_other(push.key, declared)
        line, word = _type_line(family.name, type)
        related = Place.canonical(where, line, "")
        related = replace(related, caret=(len(related.excerpt) - len(word), len(related.excerpt)))
        details = {"family": family.name, "first": word, "second": text_word(family.type)}
        if declared is None:
            details["own"] = where
        return _finding(Code.TYPE_CONFLICT, push.type_place(family.name), related, details)

    def _name_of_other(self, key: GroupingKey, declared: _Declared) -> str:
        return _name(declared.first_but(key))

    def _type_after(self, push: Push, name: str) -> MetricType | None:
        """The type that a family will have once the push is applied; ``None`` if it won't be there."""
        if name in push.families:
            return push.families[name].type
        if name in self.own:
            return self.own[name].type
        declared = self._declared.get(name)
        if declared is None or (push.kind is ChangeKind.PUT and declared.is_alone(push.key)):
            return None
        return declared.type

    def _who_says(self, push: Push, name: str) -> str:
        """Who has a family that will be there."""
        if name in push.families:
            return push.source.name
        if name in self.own:
            return OWN
        declared = self._declared[name]
        return _name(push.key) if declared.is_alone(push.key) else self._name_of_other(push.key, declared)

    def _suffix_collisions(self, push: Push, family: MetricFamily) -> Iterator[tuple[str, MetricType]]:
        """The families with which it collides."""
        others = [family.name + suffix for suffix in _SUFFIXES.get(family.type, ())]
        for suffix in ("_count", "_sum", "_bucket"):
            base = family.name.removesuffix(suffix)
            if base and base != family.name:
                type = self._type_after(push, base)
                if type is not None and suffix in _SUFFIXES.get(type, ()):
                    others.append(base)
        for other in others:
            type = self._type_after(push, other)
            # Of two families of one push, the one that is looked at later has found both.
            if type is not None and not (other in push.families and other > family.name):
                yield other, type

    def _suffix_collision(self, push: Push, family: MetricFamily, other: str, type: MetricType) -> Diagnostic:
        line, _ = _type_line(other, type)
        related = Place.canonical(self._who_says(push, other), line, "")
        start = len("# TYPE ")
        related = replace(related, caret=(start, start + len(line.split()[2])))
        return _finding(Code.SUFFIX_COLLISION, push.name_place(family.name), related, {"name": family.name})

    def _find_duplicates(self, push: Push, family: MetricFamily, number: int, errors: _Told) -> None:
        conflicts = self.series.conflicts(family.samples, number)
        told = conflicts[: errors.room]
        errors.pass_over(len(conflicts) - len(told))
        if not told:
            return
        series = {index: family.samples[index].series for index, _ in told}
        # The lines of these series as the other groups have them.
        wanted = set(series.values())
        lines = {
            (other, sample.series): str(sample)
            for other in {other for _, other in told}
            if (held := self.groups[self._keys[other]].families.get(family.name)) is not None
            for sample in held.family.samples
            if sample.series in wanted
        }
        for index, other in told:
            # Series are known by fingerprints: one in very many might be another one's, and is refused all the same.
            line = lines.get((other, series[index]), series[index])
            related = Place.canonical(_name(self._keys[other]), line, "")
            place = push.sample_place(family.name, index)
            errors.tell(_finding, Code.DUPLICATE_SAMPLE, place, related, {"series": series[index]})

    def _kept_help(
        self, push: Push, family: MetricFamily, declared: _Declared | None
    ) -> tuple[GroupingKey | None, str, str] | None:
        """The help texts of the first other group, or of the process itself, and of the push, if they differ."""
        own = self.own.get(family.name)
        first = None
        if own is not None:
            kept = own.help
        else:
            others = (key for key in (declared.helped[:2] if declared else ()) if key != push.key)
            first = next(others, None)
            kept = None if first is None else self.groups[first].families[family.name].family.help
        return (first, kept, family.help) if family.help and kept and kept != family.help else None

    def _help_conflict(
        self, push: Push, family: MetricFamily, first: GroupingKey | None, kept: str, pushed: str
    ) -> Diagnostic:
        where = OWN if first is None else _name(first)
        is_kept = first is not None and push.key < first
        texts = [(where, kept), (push.source.name, pushed)]
        if is_kept:
            texts.reverse()
        (kept_in, kept), (dropped_in, dropped) = texts
        places = [
            Place.canonical(file, f"# HELP {written_name(family.name)} {escape_help(text)}", "")
            for file, text in ((dropped_in, dropped), (kept_in, kept))
        ]
        details = {"family": family.name, "first_input": kept_in, "second_input": dropped_in}
        return Diagnostic.of_places(Code.HELP_CONFLICT, Severity.WARNING, places[0], places[1], details)


def _has_lifetime(group: Group | None) -> bool:
    return group is not None and group.lifetime_ns is not None


def says_the_same(one: MetricFamily, other: MetricFamily) -> bool:
    """Whether two families of one name have the same metadata.

    >>> says_the_same(MetricFamily.gauge("a", 1), MetricFamily.gauge("a", 2))
    True
    """
    return one.type is other.type and one.help == other.help


def _finding(code: Code, place: Place, related: Place, details: Mapping[str, str]) -> Diagnostic:
    return Diagnostic.of_places(code, Severity.ERROR, place, related, {**details, "group": related.filename})


def _name(key: GroupingKey) -> str:
    return f"group {key}"


def _type_line(name: str, type: MetricType) -> tuple[str, str]:
    return f"# TYPE {written_name(name)} {text_word(type)}", text_word(type)
