"""What the samples of a family must be together: the rules beyond a single line.

A rule is given a family and yields faults by row; it asks the engine about all samples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from .codes import Code
from .engine import Fault, ScannedFamily

__all__ = ["faults_of"]

# A code, the row concerned, and a related row or -1.
RowFault = tuple[str, int, int]


def duplicate_samples(family: ScannedFamily) -> Iterable[RowFault]:
    """A series has one value at one time; the format leaves the meaning of a second one undefined."""
    return ((Code.DUPLICATE_SAMPLE, index, first) for index, first in family.samples.duplicates())


def explicit_timestamps(family: ScannedFamily) -> Iterator[RowFault]:
    """Who scrapes a push or a text file sets the time itself; the first sample with one speaks for its family."""
    if family.samples.has_timestamps:
        stamped = (index for index, sample in enumerate(family.samples) if sample.timestamp_ns is not None)
        yield Code.EXPLICIT_TIMESTAMP, next(stamped), -1


def histogram_rules(family: ScannedFamily) -> Iterable[RowFault]:
    """Buckets are cumulative and end with +Inf, which equals the count; ``le`` and ``quantile`` are numbers."""
    return family.samples.histogram_faults(family.name, family.type) if family.complete else ()


_RULES: Final[tuple[Callable[[ScannedFamily], Iterable[RowFault]], ...]] = (
    duplicate_samples,
    explicit_timestamps,
    histogram_rules,
)


def faults_of(families: Iterable[ScannedFamily]) -> Iterator[Fault]:
    """All breaches of the rules, family by family, with the places of both samples.

    >>> from expofmt import Format, engine
    >>> [fault.code for fault in faults_of(engine.scan(b"a 1\\na 2\\n", Format.TEXT).families)]
    [<Code.DUPLICATE_SAMPLE: 'duplicate-sample'>]
    """
    for family in families:
        for rule in _RULES:
            for code, index, related in rule(family):
                place = family.samples.span(index)
                if place is None:
                    raise ValueError("the family was not read from an input")
                other = family.samples.span(related) if related >= 0 else None
                yield Fault(code, *place, *(other or (-1, -1)))
