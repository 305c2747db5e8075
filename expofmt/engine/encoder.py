"""The Lark engine's encoder: families to canonical text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..formats import Format
from ..model import MetricFamily, MetricType, Samples
from ..names import (
    EscapingScheme,
    escape_help,
    escape_label_name,
    escape_name,
    is_legacy_label_name,
    is_legacy_metric_name,
    quote,
)
from ..values import format_float, format_timestamp_ms
from .columns import NUMBER, LarkSamples, Pairs, bound_of, pack, pairs_of, split_point

__all__ = ["encode"]

_TYPE_WORDS: Final = {MetricType.UNKNOWN: "untyped"}

_POINT_LABELS: Final = {
    MetricType.HISTOGRAM: ("_bucket", "le"),
    MetricType.GAUGEHISTOGRAM: ("_bucket", "le"),
    MetricType.SUMMARY: ("", "quantile"),
}


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
    return "".join(part for family in families for part in _family(family, escaping, literals)).encode()


def _family(family: MetricFamily, escaping: EscapingScheme, literals: bool) -> Iterator[str]:
    name = _metadata_name(escape_name(family.name, escaping))
    if family.help is not None:
        yield f"# HELP {name} {escape_help(family.help)}\n"
    yield f"# TYPE {name} {_TYPE_WORDS.get(family.type, family.type)}\n"
    columns = _lark_samples(family.samples).sorted(family.name, family.type).columns
    suffix, point_label = _POINT_LABELS.get(family.type, ("", None))
    point_name = family.name + suffix if point_label else None
    series: dict[tuple[str, str], str] = {}
    kept = columns.literals if literals else {}
    for index, (sample_name, labels, value) in enumerate(
        zip(columns.names, columns.labels, columns.values, strict=True)
    ):
        key = (sample_name, labels)
        text = series.get(key)
        if text is None:
            label = point_label if sample_name == point_name else None
            text = series[key] = _series(sample_name, pairs_of(labels), label, escaping)
        number = kept.get(index) or format_float(value)
        time = columns.times.get(index)
        yield f"{text} {number}\n" if time is None else f"{text} {number} {format_timestamp_ms(time)}\n"


def _series(name: str, pairs: Pairs, point_label: str | None, escaping: EscapingScheme) -> str:
    """Name and labels, ``le`` or ``quantile`` last and in canonical spelling."""
    point = None
    if point_label is not None:
        pairs, point = split_point(pairs, point_label)
    parts = [_label(escape_label_name(label, escaping), value) for label, value in _escaped_order(pairs, escaping)]
    if point_label is not None and point is not None:
        rank, bound = bound_of(point)
        parts.append(_label(point_label, format_float(bound) if rank == NUMBER else point))
    name = escape_name(name, escaping)
    if not is_legacy_metric_name(name):
        return "{" + ",".join([quote(name), *parts]) + "}"
    return f"{name}{{{','.join(parts)}}}" if parts else name


def _escaped_order(pairs: Pairs, escaping: EscapingScheme) -> Pairs:
    """Labels in the order of the names that are written."""
    if escaping is EscapingScheme.ALLOW_UTF8:
        return pairs
    return tuple(sorted(pairs, key=lambda pair: escape_label_name(pair[0], escaping)))


def _label(name: str, value: str) -> str:
    return f"{name if is_legacy_label_name(name) else quote(name)}={quote(value)}"


def _metadata_name(name: str) -> str:
    return name if is_legacy_metric_name(name) else quote(name)


def _lark_samples(samples: Samples) -> LarkSamples:
    return samples if isinstance(samples, LarkSamples) else pack(samples)
