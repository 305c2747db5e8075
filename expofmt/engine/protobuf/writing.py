"""Families to messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ...model import HISTOGRAM_TYPES, TEXT_SUFFIXES, MetricFamily, MetricType, Sample, Samples
from ...names import EscapingScheme, fitting_label_name, fitting_name
from ...values import parse_float
from .wire import INF, NS_PER_MS, NS_PER_S, NUMBERS, PAIRS_KEPT, PAYLOAD_OF, FamilyMessage, Pair

__all__ = ["encode"]

_ONE_BYTE: Final = [bytes([number]) for number in range(0x80)]
OnLoss = Callable[[MetricFamily, str, str], object]


def encode(
    families: Iterable[MetricFamily],
    /,
    *,
    escaping: EscapingScheme = EscapingScheme.ALLOW_UTF8,
    on_loss: OnLoss | None = None,
) -> bytes:
    """Families as messages, in the order given; the metrics of each are in canonical order.

    What the format cannot hold is left out, and ``on_loss`` is told: the family, what is lost, and the first line that
    has it, each kind of loss once for a family. Types that it lacks become gauges.

    >>> encode([MetricFamily.gauge("a", 1)])
    b'\\x12\\n\\x01a\\x18\\x01"\\x0b\\x12\\t\\t\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?'
    """
    writer = _Writer(escaping, on_loss or (lambda family, what, line: None))
    return b"".join(writer.written(family) for family in families)


class _Parts:
    """The samples of one histogram or summary."""

    __slots__ = ("count", "points", "start", "sum")

    def __init__(self) -> None:
        self.points: list[tuple[float, Sample]] = []
        self.sum: Sample | None = None
        self.count: Sample | None = None
        self.start: int | None = None


class _Writer:
    def __init__(self, escaping: EscapingScheme, on_loss: OnLoss) -> None:
        self.escaping = escaping
        self.on_loss = on_loss
        self.pairs: dict[Pair, bytes] = {}

    def written(self, family: MetricFamily) -> bytes:
        self.family = family
        self.lost: set[str] = set()
        message = FamilyMessage(name=fitting_name(family.name, self.escaping).encode())
        if family.help is not None:
            message.help = family.help.encode()
        if family.unit is not None:
            message.unit = family.unit.encode()
        if family.type not in NUMBERS:
            self.loss(f"type {family.type}", f"# TYPE {family.name} {family.type}")
        type = family.type if family.type in NUMBERS else MetricType.GAUGE
        message.type = NUMBERS[type]
        # Only where it has any of these is each sample asked for them.
        self.has_extras = bool(family.samples.losses_in_text())
        samples = family.samples.sorted(family.name, family.type)
        if type is MetricType.SUMMARY:
            self.composites(message, samples, "quantile", family.name, self.summary)
        elif type in HISTOGRAM_TYPES:
            self.composites(message, samples, "le", f"{family.name}_bucket", self.histogram)
        else:
            self.values(message, samples, type)
        body: bytes = message.SerializeToString(deterministic=True)
        return _length(len(body)) + body

    def loss(self, what: str, line: str) -> None:
        if what not in self.lost:
            self.lost.add(what)
            self.on_loss(self.family, what, line)

    def labels(self, pairs: Iterable[Pair]) -> list[bytes]:
        known = self.pairs
        found = []
        for pair in pairs:
            raw = known.get(pair)
            if raw is None:
                if len(known) == PAIRS_KEPT:
                    known.clear()
                raw = known[pair] = _pair(fitting_label_name(pair[0], self.escaping), pair[1])
            found.append(raw)
        return found

    def values(self, message: Any, samples: Samples, type: MetricType) -> None:
        add, payload_name = message.metric.add, PAYLOAD_OF[type]
        for sample in samples:
            metric = add(label=self.labels(sample.labels.pairs))
            payload = getattr(metric, payload_name)
            payload.value = sample.value
            if sample.timestamp_ns is not None:
                self.timestamp(metric, sample)
            if self.has_extras:
                if type is MetricType.COUNTER:
                    self.created(payload, sample.start_timestamp_ns)
                    self.exemplar(payload, sample)
                else:
                    self.bare(sample)

    def bare(self, sample: Sample) -> None:
        """Say what is lost of a sample that can have neither exemplars nor a start."""
        if sample.exemplars:
            self.loss("exemplars here", str(sample))
        if sample.start_timestamp_ns is not None and self.family.type not in TEXT_SUFFIXES:
            self.loss("start timestamps here", str(sample))

    def timestamp(self, metric: Any, sample: Sample) -> None:
        metric.timestamp_ms, finer = divmod(sample.timestamp_ns or 0, NS_PER_MS)
        if finer:
            self.loss("timestamps", str(sample))

    def created(self, payload: Any, start: int | None) -> None:
        if start is not None:
            seconds, nanos = divmod(start, NS_PER_S)
            payload.created_timestamp.seconds, payload.created_timestamp.nanos = seconds, nanos

    def exemplar(self, payload: Any, sample: Sample) -> None:
        if not sample.exemplars:
            return
        if len(sample.exemplars) > 1:
            self.loss("several exemplars of a sample", str(sample))
        exemplar = sample.exemplars[0]
        made = payload.exemplar
        made.value = exemplar.value
        for name, value in exemplar.labels.pairs:
            made.label.append(_pair(name, value))
        if exemplar.timestamp_ns is not None:
            made.timestamp.seconds, made.timestamp.nanos = divmod(exemplar.timestamp_ns, NS_PER_S)

    def composites(
        self,
        message: Any,
        samples: Samples,
        label: str,
        point_name: str,
        fill: Callable[[Any, _Parts], None],
    ) -> None:
        """The metrics that several samples make together."""
        found: dict[tuple[tuple[Pair, ...], int | None], _Parts] = {}
        for sample in samples:
            pairs = sample.labels.pairs
            is_point = sample.name == point_name
            point = None
            if is_point:
                try:
                    point = parse_float(sample.labels[label])
                except (KeyError, ValueError, OverflowError):
                    self.loss("samples without a place in their metric", str(sample))
                    continue
                pairs = tuple(pair for pair in pairs if pair[0] != label)
            elif sample.name == self.family.name or label in sample.labels:
                self.loss("samples without a place in their metric", str(sample))
                continue
            key = pairs, sample.timestamp_ns
            parts = found.get(key)
            if parts is None:
                parts = found[key] = _Parts()
                parts.start = sample.start_timestamp_ns
            elif parts.start != sample.start_timestamp_ns:
                self.loss("different start timestamps in one metric", str(sample))
            if point is not None:
                parts.points.append((point, sample))
                continue
            if self.has_extras:
                self.bare(sample)
            which = "sum" if sample.name.endswith("sum") else "count"
            if getattr(parts, which) is not None:
                self.loss(f"a second {which} in one metric", str(sample))
            setattr(parts, which, sample)
        for (pairs, _), parts in found.items():
            metric = message.metric.add(label=self.labels(pairs))
            fill(metric, parts)

    def completed(self, metric: Any, payload: Any, parts: _Parts) -> None:
        """What summaries and histograms have in common."""
        samples = [sample for sample in (parts.sum, parts.count) if sample is not None]
        first = samples[0] if samples else parts.points[0][1]
        if len(samples) < 2:
            self.loss("a metric without sum or count", str(first))
        if first.timestamp_ns is not None:
            self.timestamp(metric, first)
        payload.sample_sum = 0.0 if parts.sum is None else parts.sum.value
        self.created(payload, parts.start)

    def summary(self, metric: Any, parts: _Parts) -> None:
        payload = metric.summary
        self.completed(metric, payload, parts)
        for quantile, sample in parts.points:
            payload.quantile.add(quantile=quantile, value=sample.value)
            if self.has_extras:
                self.bare(sample)
        payload.sample_count = 0
        if parts.count is not None:
            if _is_uint64(parts.count.value):
                payload.sample_count = int(parts.count.value)
            else:
                self.loss("counts of a summary that are no whole numbers", str(parts.count))

    def histogram(self, metric: Any, parts: _Parts) -> None:
        payload = metric.histogram
        self.completed(metric, payload, parts)
        if not any(bound == INF for bound, _ in parts.points):
            first = parts.points[0][1] if parts.points else parts.count or parts.sum
            self.loss("a histogram without +Inf bucket", str(first))
        total = 0.0 if parts.count is None else parts.count.value
        # One that is not whole makes all of them fractions, as in Go.
        is_whole = _is_uint64(total) and all(_is_uint64(sample.value) for _, sample in parts.points)
        for bound, sample in parts.points:
            bucket = payload.bucket.add(upper_bound=bound)
            if is_whole:
                bucket.cumulative_count = int(sample.value)
            else:
                bucket.cumulative_count_float = sample.value
            if self.has_extras:
                self.exemplar(bucket, sample)
        if is_whole:
            payload.sample_count = int(total)
        else:
            payload.sample_count_float = total


def _is_uint64(value: float) -> bool:
    return 0 <= value < 1 << 64 and value.is_integer()


def _pair(name: str, value: str) -> bytes:
    """A LabelPair: so small that to make an object of it would take most of the time."""
    name_bytes, value_bytes = name.encode(), value.encode()
    parts = b"\n", _length(len(name_bytes)), name_bytes, b"\x12", _length(len(value_bytes)), value_bytes
    return b"".join(parts)


def _length(size: int) -> bytes:
    """A number as a varint."""
    if size <= 0x7F:
        return _ONE_BYTE[size]
    parts = []
    while size > 0x7F:
        parts.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*parts, size])
