"""The Lark engine's encoder: families to canonical text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..formats import Format
from ..model import LabelSet, MetricFamily, MetricType, Samples
from ..names import (
    EscapingScheme,
    escape_help,
    escape_label_name,
    escape_name,
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
    if escaping is not EscapingScheme.ALLOW_UTF8:
        families = [_escaped(family, escaping) for family in families]
    label_names = _LabelNames()
    return "".join(part for family in families for part in _family(family, literals, label_names)).encode()


def encode_exact(families: Sequence[MetricFamily], /) -> bytes:
    """Text that reads back as the same; see :class:`~expofmt.engine.seam.Engine`.

    >>> encode_exact([MetricFamily.gauge("a", [({"b": "2"}, -0.0), ({"b": "1"}, 1)])])
    b'# TYPE a gauge\\na{b="2"} -0\\na{b="1"} 1\\n'
    """
    label_names = _LabelNames()
    return "".join(part for family in families for part in _family_as_it_is(family, label_names)).encode()


class _LabelNames(dict[str, str]):
    """Label names as they are written: in quotes where they need them. What was asked for is kept."""

    def __missing__(self, name: str) -> str:
        written = self[name] = name if is_legacy_label_name(name) else quote(name)
        return written


def _escaped(family: MetricFamily, escaping: EscapingScheme) -> MetricFamily:
    """The family under names that the scheme allows; a suffix is not part of the name that is escaped."""
    name = escape_name(family.name, escaping)
    columns = _lark_samples(family.samples).columns
    labels = {text: _escaped_labels(pairs_of(text), escaping) for text in set(columns.labels)}
    renamed = columns.replaced(
        names=[name + sample_name.removeprefix(family.name) for sample_name in columns.names],
        labels=[labels[text] for text in columns.labels],
    )
    return MetricFamily(name, family.type, family.help, family.unit, LarkSamples(renamed))


def _escaped_labels(pairs: Pairs, escaping: EscapingScheme) -> str:
    return str(LabelSet((escape_label_name(name, escaping), value) for name, value in pairs))


def _family(family: MetricFamily, literals: bool, label_names: _LabelNames) -> Iterator[str]:
    yield from _metadata(family)
    samples = _lark_samples(family.samples)
    rows = samples.in_order(family.name, family.type)
    yield from _samples(family.name, family.type, samples.columns, rows, literals, label_names)


def written_samples(name: str, type: MetricType, samples: LarkSamples) -> list[str]:
    """The line of each sample of a family, in the order given.

    >>> from ..model import Sample
    >>> written_samples("a", MetricType.GAUGE, pack([Sample("a", {"b": "c"}, 1)]))
    ['a{b="c"} 1\\n']
    """
    columns = samples.columns
    rows = zip(range(len(samples)), columns.names, map(pairs_of, columns.labels), strict=True)
    return list(_samples(name, type, columns, rows, literals=False, label_names=_LabelNames()))


def _samples(
    name: str,
    type: MetricType,
    columns: Columns,
    rows: Iterable[tuple[int, str, Pairs]],
    literals: bool,
    label_names: _LabelNames,
) -> Iterator[str]:
    point = point_of(name, type)
    kept = columns.literals if literals else {}
    for index, sample_name, pairs in rows:
        label = point.label if point and sample_name == point.sample_name else None
        text = _series(sample_name, pairs, label, label_names)
        number = kept.get(index) or format_float(columns.values[index])
        yield _line(text, number, columns.times.get(index))


def _family_as_it_is(family: MetricFamily, label_names: _LabelNames) -> Iterator[str]:
    yield from _metadata(family)
    columns = _lark_samples(family.samples).columns
    for index, (name, labels, value) in enumerate(zip(columns.names, columns.labels, columns.values, strict=True)):
        number = columns.literals.get(index) or ("-0" if str(value) == "-0.0" else format_float(value))
        yield _line(_series(name, pairs_of(labels), None, label_names), number, columns.times.get(index))


def _metadata(family: MetricFamily) -> Iterator[str]:
    name = written_name(family.name)
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
