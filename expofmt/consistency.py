"""What the samples of a family must be together: the rules beyond a single line.

A rule is given a family and yields faults by row; it asks the engine about all samples at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from . import engine
from .codes import Code
from .engine import Excerpt, Fault, Scan, ScannedFamily
from .model import HISTOGRAM_TYPES, MetricType, Samples

__all__ = ["repeated_samples", "with_consistency"]

# A code, the row concerned, and a related row or -1.
RowFault = tuple[str, int, int]


def repeated_samples(name: str, type: MetricType, samples: Samples) -> list[RowFault]:
    """A series has one value at one time; the format leaves the meaning of a second one undefined.

    Buckets with the same bound in two spellings have a code of their own, because they do not look alike.

    >>> from expofmt import MetricFamily, MetricType, Sample
    >>> buckets = [Sample("h_bucket", {"le": bound}, 1) for bound in ("1", "1.0")]
    >>> [(code, *_)] = repeated_samples("h", MetricType.HISTOGRAM, MetricFamily("h", samples=buckets).samples)
    >>> str(code)
    'duplicate-bucket'
    """
    repeated = samples.duplicates(name=name, type=type)
    if not repeated or type not in HISTOGRAM_TYPES:
        return [(Code.DUPLICATE_SAMPLE, index, first) for index, first in repeated]
    # There may be millions of them, and labels would be objects.
    series = samples.fingerprints()
    codes = Code.DUPLICATE_BUCKET, Code.DUPLICATE_SAMPLE
    return [(codes[series[index] == series[first]], index, first) for index, first in repeated]


def duplicate_samples(family: ScannedFamily) -> Iterable[RowFault]:
    """See :func:`repeated_samples`."""
    return repeated_samples(family.name, family.type, family.samples)


def explicit_timestamp(family: ScannedFamily) -> Iterator[RowFault]:
    """Who scrapes a push or a text file sets the time itself; the first sample with one speaks for its family."""
    first = family.samples.first_timestamp()
    if first is not None:
        yield Code.EXPLICIT_TIMESTAMP, first, -1


def histogram_rules(family: ScannedFamily) -> Iterable[RowFault]:
    """Buckets are cumulative and end with +Inf, which equals the count; ``le`` and ``quantile`` are numbers."""
    return family.samples.histogram_faults(family.name, family.type) if family.complete else ()


_RULES: Final[tuple[Callable[[ScannedFamily], Iterable[RowFault]], ...]] = (duplicate_samples, histogram_rules)


def with_consistency(scan: Scan, max_faults: int, reported: Callable[[Code], bool]) -> Scan:
    """The scan with all breaches of the rules among its faults, for each code the first ones up to the limit.

    A rule whose only code nobody wants ``reported`` need not be looked at.

    >>> from expofmt import Format, engine
    >>> scan = engine.scan(b"a 1\\na 2\\na 3\\n", Format.TEXT)
    >>> scan = with_consistency(scan, 1, lambda code: True)
    >>> [str(fault.code) for fault in scan.faults], scan.suppressed[Code.DUPLICATE_SAMPLE]
    (['duplicate-sample'], 1)
    """
    found: list[Fault] = []
    counts: Counter[str] = Counter()

    def apply(rule: Callable[[ScannedFamily], Iterable[RowFault]], family: ScannedFamily) -> None:
        for code, index, related in rule(family):
            counts[code] += 1
            if counts[code] <= max_faults:
                found.append(_fault(family, code, index, related))

    timed = reported(Code.EXPLICIT_TIMESTAMP)
    rules = (*_RULES, explicit_timestamp) if timed else _RULES
    for number in engine.suspects(scan.families, timed=timed):
        family = scan.families[number]
        for rule in rules:
            apply(rule, family)
    if not found:
        return scan
    suppressed = Counter(scan.suppressed)
    suppressed.update({code: count - max_faults for code, count in counts.items() if count > max_faults})
    return scan._replace(faults=[*scan.faults, *found], suppressed=suppressed)


def _fault(family: ScannedFamily, code: str, index: int, related: int) -> Fault:
    samples = family.samples
    place = samples.span(index)
    if place is None:
        # Read from an input that has no lines.
        excerpt = Excerpt("", str(samples[index]), "")
        if related < 0:
            return Fault(code, family.start, family.end, excerpt=excerpt)
        first = Excerpt("", str(samples[related]), "")
        return Fault(code, family.start, family.end, family.start, family.end, excerpt, first)
    other = samples.span(related) if related >= 0 else None
    return Fault(code, *place, *(other or (-1, -1)))
