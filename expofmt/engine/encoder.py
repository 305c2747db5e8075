"""The Lark engine's encoder: families to canonical text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..formats import Format
from ..model import MetricFamily, MetricType, Samples
from ..names import (
    EscapingScheme,
    escape_help,
    fitting_label_name,
    fitting_name,
    is_legacy_label_name,
    is_legacy_metric_name,
    quote,
    written_name,
)
from ..values import format_float, format_timestamp_ms
from .columns import NUMBER, Columns, LarkSamples, Pairs, bound_of, pack, pairs_of, point_of, split_point

__all__ = ["encode", "encode_exact", "written_samples"]

_TYPE_WORDS: Final = {MetricType.UNKNOWN: "untyped"}


def encode(
    families: Sequence[MetricFamily], /, *, format: Format, escaping: EscapingScheme, literals: bool = False
) -> bytes:
    """Canonical text; see :class:`~expofmt.engine.seam.Engine`.

    >>> family = MetricFamily.gauge("a", 1, help="Help.")
    >>> encode([family], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
    b'# HELP a Help.\\n# TYPE a gauge\\na 1\\n'
    """
    if format is not Format.TEXT:
        raise ValueError(f"the Lark engine cannot write {format}")
    label_names = _LabelNames(escaping)
    return "".join(part for family in families for part in _family(family, escaping, literals, label_names)).encode()


def encode_exact(families: Sequence[MetricFamily], /) -> bytes:
    """Text that reads back as the same; see :class:`~expofmt.engine.seam.Engine`.

    >>> encode_exact([MetricFamily.gauge("a", [({"b": "2"}, -0.0), ({"b": "1"}, 1)])])
    b'# TYPE a gauge\\na{b="2"} -0\\na{b="1"} 1\\n'
    """
    label_names = _LabelNames(EscapingScheme.ALLOW_UTF8)
    return "".join(part for family in families for part in _family_as_it_is(family, label_names)).encode()


class _LabelNames(dict[str, str]):
    """Label names as they are written: escaped, and in quotes where they need them. What was asked for is kept."""

    def __init__(self, escaping: EscapingScheme) -> None:
        self._escaping = escaping

    def __missing__(self, name: str) -> str:
        escaped = fitting_label_name(name, self._escaping)
        written = self[name] = escaped if is_legacy_label_name(escaped) else quote(escaped)
        return written


def _family(family: MetricFamily, escaping: EscapingScheme, literals: bool, label_names: _LabelNames) -> Iterator[str]:
    """The samples are in the order of names and labels that are not escaped, as Prometheus' own encoder leaves them."""
    name = fitting_name(family.name, escaping)
    yield from _metadata(family, name)
    samples = _lark_samples(family.samples)
    rows = samples.in_order(family.name, family.type)
    yield from _samples(family.name, family.type, samples.columns, rows, name, literals, label_names)


def written_samples(name: str, type: MetricType, samples: LarkSamples) -> list[str]:
    """The line of each sample of a family, in the order given.

    >>> from ..model import Sample
    >>> written_samples("a", MetricType.GAUGE, pack([Sample("a", {"b": "c"}, 1)]))
    ['a{b="c"} 1\\n']
    """
    columns = samples.columns
    rows = zip(range(len(samples)), columns.names, map(pairs_of, columns.labels), strict=True)
    label_names = _LabelNames(EscapingScheme.ALLOW_UTF8)
    return list(_samples(name, type, columns, rows, name, literals=False, label_names=label_names))


def _samples(
    name: str,
    type: MetricType,
    columns: Columns,
    rows: Iterable[tuple[int, str, Pairs]],
    written: str,
    literals: bool,
    label_names: _LabelNames,
) -> Iterator[str]:
    """The lines of rows. The family's name is ``written`` so; a suffix is not part of the name that is escaped."""
    point = point_of(name, type)
    kept = columns.literals if literals else {}
    for index, sample_name, pairs in rows:
        label = point.label if point and sample_name == point.sample_name else None
        shown = sample_name if written == name else written + sample_name.removeprefix(name)
        text = _series(shown, pairs, label, label_names)
        number = kept.get(index) or format_float(columns.values[index])
        yield _line(text, number, columns.times.get(index))


def _family_as_it_is(family: MetricFamily, label_names: _LabelNames) -> Iterator[str]:
    yield from _metadata(family, family.name)
    columns = _lark_samples(family.samples).columns
    for index, (name, labels, value) in enumerate(zip(columns.names, columns.labels, columns.values, strict=True)):
        number = columns.literals.get(index) or ("-0" if str(value) == "-0.0" else format_float(value))
        yield _line(_series(name, pairs_of(labels), None, label_names), number, columns.times.get(index))


def _metadata(family: MetricFamily, name: str) -> Iterator[str]:
    name = written_name(name)
    if family.help is not None:
        yield f"# HELP {name} {escape_help(family.help)}\n"
    yield f"# TYPE {name} {_TYPE_WORDS.get(family.type, family.type)}\n"


def _line(series: str, number: str, time: int | None) -> str:
    return f"{series} {number}\n" if time is None else f"{series} {number} {format_timestamp_ms(time)}\n"


def _series(name: str, pairs: Pairs, point_label: str | None, label_names: _LabelNames) -> str:
    """Name and labels, ``le`` or ``quantile`` last and in canonical spelling."""
    point = None
    if point_label is not None:
        pairs, point = split_point(pairs, point_label)
    parts = [f"{label_names[label]}={quote(value)}" for label, value in pairs]
    if point is not None:
        rank, bound = bound_of(point)
        parts.append(f"{point_label}={quote(format_float(bound) if rank == NUMBER else point)}")
    if not is_legacy_metric_name(name):
        return "{" + ",".join([quote(name), *parts]) + "}"
    return f"{name}{{{','.join(parts)}}}" if parts else name


def _lark_samples(samples: Samples) -> LarkSamples:
    return samples if isinstance(samples, LarkSamples) else pack(samples)
