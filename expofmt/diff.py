"""What changed from one exposition to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from . import engine
from .merge import without_repeats
from .model import Difference, Exposition, MetricFamily, MetricType
from .names import quote
from .quoting import visible
from .values import format_float


@dataclass(frozen=True, slots=True)
class FamilyDiff:
    """What changed in one metric family, or that it came or went.

    ``old`` or ``new`` is ``None`` for a family that was added or removed. ``samples`` are in canonical order:
    ``removed`` and ``added``, and those whose value changed in ``old`` and ``new``, at the same places.

    >>> from expofmt import parse
    >>> [change] = diff(parse("a 1\\n"), parse("# TYPE a gauge\\na 2\\n")).families
    >>> change.name, change.type, len(change.samples.new)
    ('a', (<MetricType.UNKNOWN: 'unknown'>, <MetricType.GAUGE: 'gauge'>), 1)
    """

    name: str
    old: MetricFamily | None
    new: MetricFamily | None
    samples: Difference

    @property
    def added(self) -> bool:
        """Whether the old exposition lacks the family."""
        return self.old is None

    @property
    def removed(self) -> bool:
        """Whether the new exposition lacks the family."""
        return self.new is None

    @property
    def type(self) -> tuple[MetricType, MetricType] | None:
        """The old and the new type, if both have the family and they differ."""
        if self.old is None or self.new is None or self.old.type is self.new.type:
            return None
        return self.old.type, self.new.type

    @property
    def help(self) -> tuple[str | None, str | None] | None:
        """The old and the new help text, if both have the family and they differ."""
        if self.old is None or self.new is None or self.old.help == self.new.help:
            return None
        return self.old.help, self.new.help

    @property
    def unit(self) -> tuple[str | None, str | None] | None:
        """The old and the new unit, if both have the family and they differ."""
        if self.old is None or self.new is None or self.old.unit == self.new.unit:
            return None
        return self.old.unit, self.new.unit

    def __bool__(self) -> bool:
        return self.added or self.removed or bool(self.type or self.help or self.unit) or any(map(len, self.samples))

    def lines(self) -> Iterator[str]:
        """The listing of this family, a line at a time; what a terminal could not show is escaped.

        >>> from expofmt import parse
        >>> [change] = diff(parse("a 1\\nb 1\\n"), parse("a 2\\nb 1\\n")).families
        >>> print(*change.lines(), sep="\\n")
        ~ a
          ~ a 1 -> 2
        """
        return map(visible, self._lines())

    def _lines(self) -> Iterator[str]:
        if self.old is None and self.new is not None:
            yield f"+ {_summary(self.new)}"
        elif self.new is None and self.old is not None:
            yield f"- {_summary(self.old)}"
        else:
            yield f"~ {self.name}"
        if self.type:
            yield f"  type: {self.type[0]} -> {self.type[1]}"
        for word, change in (("help", self.help), ("unit", self.unit)):
            if change:
                yield f"  {word}: {_text(change[0])} -> {_text(change[1])}"
        for sample in self.samples.removed:
            yield f"  - {sample}"
        for sample in self.samples.added:
            yield f"  + {sample}"
        for old, new in zip(self.samples.old, self.samples.new, strict=True):
            yield f"  ~ {old} -> {format_float(new.value)}"


@dataclass(frozen=True, slots=True)
class Diff:
    """All that changed, by family in order of name; falsy if nothing did. ``str()`` is a listing for people.

    >>> from expofmt import parse
    >>> changes = diff(parse("up 1\\n"), parse("up 0\\njobs 2\\n"))
    >>> print(changes)
    + jobs: unknown, 1 sample
      + jobs 2
    ~ up
      ~ up 1 -> 0
    >>> bool(diff(parse("a 1\\n"), parse("a 1.0\\n")))
    False
    """

    families: tuple[FamilyDiff, ...]

    def __bool__(self) -> bool:
        return bool(self.families)

    def lines(self) -> Iterator[str]:
        """The listing, a line at a time."""
        for family in self.families:
            yield from family.lines()

    def __str__(self) -> str:
        return "\n".join(self.lines())


def diff(old: Exposition, new: Exposition, /) -> Diff:
    """What one must change in ``old`` to get ``new``.

    Samples are compared by name, labels and timestamp: one with another value has changed, any other difference makes
    it another sample. Of samples that repeat a series, the first is compared with the first, the second with the
    second. Values are equal if they are the same number or both are NaN, and so are ``le`` and ``quantile`` in families
    typed so. The order of families, samples and labels, the format, the file names, exemplars and start timestamps
    make no difference. The result is in order of names,
    whatever the order of the input. An absent and an empty help text differ, as the two texts do.

    >>> from expofmt import parse
    >>> changes = diff(parse('a{b="1"} 1\\na{b="2"} 1\\n'), parse('a{b="2"} 1\\n'))
    >>> [str(sample) for sample in changes.families[0].samples.removed]
    ['a{b="1"} 1']
    """
    changes = (_compare(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()))
    return Diff(tuple(change for change in changes if change))


def _compare(name: str, old: MetricFamily | None, new: MetricFamily | None) -> FamilyDiff:
    nothing = engine.pack(())
    before, after = (family.samples if family else nothing for family in (old, new))
    type = (new or old or MetricFamily(name)).type
    turns = zip_longest(without_repeats(before, name, type), without_repeats(after, name, type), fillvalue=nothing)
    parts = [mine.difference(other, name=name, type=type) for mine, other in turns]
    columns = (first.concat(*rest).sorted(name, type) for first, *rest in zip(*parts, strict=True))
    return FamilyDiff(name, old, new, Difference(*columns))


def _summary(family: MetricFamily) -> str:
    count = len(family.samples)
    return f"{family.name}: {family.type}, {count} {'sample' if count == 1 else 'samples'}"


def _text(text: str | None) -> str:
    return "none" if text is None else quote(text)


__all__ = ["Diff", "FamilyDiff", "diff"]
