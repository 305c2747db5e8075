"""The protobuf format: ``io.prometheus.client.MetricFamily`` messages, each after its length as a varint.

Google's ``protobuf`` package (extra ``protobuf``) reads and writes the wire format. The descriptors are made here, in a
pool of their own, so that they clash with no other package's, and as this module needs them:

* Names, help texts and types are plain bytes and numbers, so that what is wrong with them is found here.
* A label pair is the bytes of its message: the same pair stands in very many metrics, and is read and written once.
* The payload of a metric is a ``oneof``: a second one shows in the size of the message, as an unknown field does.
* Native histograms are no fields: to a message that has them they are unknown ones.

So nothing is asked of every field in Python, and what is rare (a fault, a field that is not known) is found by a walk
over the bytes, which knows the offset of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

try:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "google":
        raise
    raise ModuleNotFoundError(
        'the protobuf format needs the protobuf package: pip install "expofmt[protobuf]"', name=error.name
    ) from error

from .. import engine
from ..codes import Code
from ..model import (
    TEXT_SUFFIXES,
    Exemplar,
    LabelSet,
    MetricFamily,
    MetricType,
    Sample,
    Samples,
    set_exemplars,
    set_labels,
    set_name,
    set_start_timestamp,
    set_timestamp,
    set_value,
    text_word,
)
from ..names import (
    EscapingScheme,
    fitting_label_name,
    fitting_name,
    is_legacy_label_name,
    is_legacy_metric_name,
    quote,
    written_name,
)
from ..values import INT64_MAX, INT64_MIN, format_float, parse_float
from .seam import Excerpt, Fault, Scan, ScannedFamily

__all__ = ["encode", "scan"]

_PACKAGE: Final = "io.prometheus.client"

# The messages of client_model's metrics.proto: number, name and type of each field. `*` is a repeated field, `bytes of`
# a message that is kept as it is; the payloads of a metric are its `oneof`.
_MESSAGES: Final[Mapping[str, str]] = {
    "MetricFamily": "1 name bytes, 2 help bytes, 3 type int32, 4 metric Metric*, 5 unit bytes",
    "Metric": (
        "1 label bytes of LabelPair*, 2 gauge Gauge, 3 counter Counter, 4 summary Summary, 5 untyped Untyped, "
        "6 timestamp_ms int64, 7 histogram Histogram"
    ),
    "LabelPair": "1 name bytes, 2 value bytes",
    "Gauge": "1 value double",
    "Untyped": "1 value double",
    "Counter": "1 value double, 2 exemplar Exemplar, 3 created_timestamp Timestamp",
    "Summary": "1 sample_count uint64, 2 sample_sum double, 3 quantile Quantile*, 4 created_timestamp Timestamp",
    "Quantile": "1 quantile double, 2 value double",
    "Histogram": (
        "1 sample_count uint64, 2 sample_sum double, 3 bucket Bucket*, 4 sample_count_float double, "
        "15 created_timestamp Timestamp"
    ),
    "Bucket": ("1 cumulative_count uint64, 2 upper_bound double, 3 exemplar Exemplar, 4 cumulative_count_float double"),
    "Exemplar": "1 label bytes of LabelPair*, 2 value double, 3 timestamp Timestamp",
    "Timestamp": "1 seconds int64, 2 nanos int32",
}
_PAYLOADS: Final = ("gauge", "counter", "summary", "untyped", "histogram")

# The fields of Histogram that make it a native one: schema, zero bucket, spans, deltas, counts, exemplars.
_NATIVE: Final = frozenset([*range(5, 15), 16])

_TYPES: Final = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.SUMMARY,
    MetricType.UNKNOWN,
    MetricType.HISTOGRAM,
    MetricType.GAUGEHISTOGRAM,
)
_NUMBERS: Final = {type: number for number, type in enumerate(_TYPES)}
_PAYLOAD_OF: Final[Mapping[MetricType, str]] = {
    MetricType.COUNTER: "counter",
    MetricType.GAUGE: "gauge",
    MetricType.SUMMARY: "summary",
    MetricType.UNKNOWN: "untyped",
    MetricType.HISTOGRAM: "histogram",
    MetricType.GAUGEHISTOGRAM: "histogram",
}

_ONE_BYTE: Final = [bytes([number]) for number in range(0x80)]
_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_EXACT: Final = 1 << 53
_INF: Final = float("inf")
# How many label pairs are kept at a time, so that values of which each stands once take no memory.
_PAIRS_KEPT: Final = 1 << 16
# How many bytes around a broken place are shown.
_SHOWN_BYTES: Final = 16

Pair = tuple[str, str]


class _Field(NamedTuple):
    """A field as the descriptors have it; ``message`` is what its bytes are."""

    name: str
    wire: int
    message: str | None


_WIRES: Final = {"double": 1, "int32": 0, "int64": 0, "uint64": 0}
_FIELDS: Final[dict[str, dict[int, _Field]]] = {}


def _classes() -> dict[str, Any]:
    """The message classes by name."""
    file = FileDescriptorProto(name="metrics.proto", package=_PACKAGE, syntax="proto2")
    scalars = {
        "bytes": FieldDescriptorProto.TYPE_BYTES,
        "double": FieldDescriptorProto.TYPE_DOUBLE,
        "int32": FieldDescriptorProto.TYPE_INT32,
        "int64": FieldDescriptorProto.TYPE_INT64,
        "uint64": FieldDescriptorProto.TYPE_UINT64,
    }
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        known = _FIELDS[message] = {}
        for text in fields.split(", "):
            number, name, *kinds = text.rstrip("*").split()
            field = made.field.add(name=name, number=int(number))
            repeated = text.endswith("*")
            field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            if kinds[0] in scalars:
                field.type = scalars[kinds[0]]
            else:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kinds[0]}"
            if message == "Metric" and name in _PAYLOADS:
                field.oneof_index = 0
            known[int(number)] = _Field(name, _WIRES.get(kinds[0], 2), None if kinds[-1] in scalars else kinds[-1])
        if message == "Metric":
            made.oneof_decl.add(name="payload")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


_CLASSES: Final = _classes()
_MetricFamily, _LabelPair, _Exemplar = _CLASSES["MetricFamily"], _CLASSES["LabelPair"], _CLASSES["Exemplar"]


# The wire format, where offsets matter.


class _Broken(Exception):  # noqa: N818 - the input is, not the program
    """The bytes are no message, from here on; ``cut_short`` if more of them could be one."""

    def __init__(self, at: int, *, cut_short: bool = False) -> None:
        self.at = at
        self.cut_short = cut_short


class _WireField(NamedTuple):
    number: int
    wire: int
    start: int
    value: int
    end: int


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for count, byte in enumerate(data[at : min(at + 10, end)]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise _Broken(at, cut_short=end - at < 10)


def _wire_fields(data: bytes, at: int, end: int) -> Iterator[_WireField]:
    """The fields of a message, whatever they mean."""
    while at < end:
        tag, value = _varint(data, at, end)
        stop, value = _after(data, at, tag, value, end)
        yield _WireField(tag >> 3, tag & 7, at, value, stop)
        at = stop


def _after(data: bytes, at: int, tag: int, value: int, end: int) -> tuple[int, int]:
    """Where a field ends, and where the content of it begins."""
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise _Broken(at)
    if wire == 0:
        stop = _varint(data, value, end)[1]
    elif wire in (1, 5):
        stop = value + (8 if wire == 1 else 4)
    elif wire == 2:
        length, value = _varint(data, value, end)
        stop = value + length
    elif wire == 3:
        # A group, which protobuf gave up: it may hold others.
        opened, stop = [number], value
        while opened:
            inner_at = stop
            tag, stop = _varint(data, inner_at, end)
            if tag & 7 == 3:
                opened.append(tag >> 3)
            elif tag & 7 == 4:
                if opened.pop() != tag >> 3:
                    raise _Broken(inner_at)
            else:
                stop, _ = _after(data, inner_at, tag, stop, end)
    else:
        raise _Broken(at)
    if stop > end:
        raise _Broken(at, cut_short=True)
    return stop, value


def _known_or_not(
    data: bytes, at: int, end: int, message: str, metric: int = -1
) -> Iterator[tuple[str, int, _WireField]]:
    """All fields in a message and those within it, with the message's name and the number of the metric."""
    for field in _wire_fields(data, at, end):
        known = _FIELDS[message].get(field.number)
        if message == "MetricFamily" and (field.number, field.wire) == (4, 2):
            metric += 1
        yield message, -1 if message == "MetricFamily" else metric, field
        if known and known.message and field.wire == 2:
            yield from _known_or_not(data, field.value, field.end, known.message, metric)


# Reading.


class _Refused(Exception):  # noqa: N818 - a metric is, not the program at fault
    """A metric that cannot be read, and what of it is to be shown."""

    def __init__(self, code: Code, before: str, found: str, after: str = "", **details: str) -> None:
        self.code, self.excerpt, self.details = code, Excerpt(before, found, after), tuple(details.items())


class _Read(NamedTuple):
    """A family as its first messages have it, the number of the first, and the samples of all."""

    number: int
    family: ScannedFamily
    samples: list[Samples]

    def whole(self) -> ScannedFamily:
        first, *others = self.samples
        return self.family._replace(samples=first.concat(*others)) if others else self.family


def scan(data: bytes, /, *, max_faults: int = 1000) -> Scan:
    """Read an exposition in the protobuf format.

    The families come in order of first mention; samples have no spans. A histogram has a bucket +Inf, and it and a
    summary have ``_sum`` and ``_count``, as all readers take them: absent numbers are 0. A later message of a name and
    type adds samples to the family. Faults are as those of :meth:`~expofmt.engine.seam.Engine.scan`, each with an
    excerpt, since there are no lines. Reading goes on at the next metric, or message.

    >>> from expofmt import Format, MetricFamily, render
    >>> data = render([MetricFamily.gauge("a", 1)], format=Format.PROTOBUF)
    >>> [family.name for family in scan(data).families], scan(data[:-1]).faults[0].code
    (['a'], <Code.TRUNCATED_MESSAGE: 'truncated-message'>)
    """
    return _Scanner(data, max_faults).scan()


class _Scanner:
    def __init__(self, data: bytes, max_faults: int) -> None:
        self.data = data
        self.max_faults = max_faults
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.families: dict[str, _Read] = {}
        # Label pairs by the bytes of their message, and what is worth a word about some of them.
        self.pairs: dict[bytes, Pair] = {}
        self.noted: dict[bytes, Code] = {}
        self.label_names: dict[bytes, Code | None] = {}
        self.bounds: dict[float, str] = {}
        # The message that is being read.
        self.number = self.start = self.body = self.end = 0
        self.name = ""
        self.type = MetricType.UNKNOWN
        self.complete = True
        # Whether there is more on the wire than was read.
        self.odd = False
        self.metric_spans: list[tuple[int, int]] | None = None

    def scan(self) -> Scan:
        at = 0
        while at < len(self.data):
            self.number += 1
            self.start = at
            try:
                length, self.body = _varint(self.data, at, len(self.data))
            except _Broken as broken:
                code = Code.TRUNCATED_MESSAGE if broken.cut_short else Code.MALFORMED_MESSAGE
                self.broken(code, at, len(self.data))
                break
            at = self.end = self.body + length
            if self.end > len(self.data):
                missing = self.end - len(self.data)
                self.broken(
                    Code.TRUNCATED_MESSAGE,
                    self.start,
                    len(self.data),
                    missing=f"{missing:,} more byte{'s' * (missing > 1)}",
                )
                break
            self.message()
        self.collisions()
        self.faults.sort(key=lambda fault: (fault.start, fault.end))
        suppressed = {code: n - self.max_faults for code, n in self.counts.items() if n > self.max_faults}
        return Scan([read.whole() for read in self.families.values()], self.faults, [], suppressed)

    # Faults.

    def fault(
        self,
        code: Code,
        span: Callable[[], tuple[int, int]],
        excerpt: Excerpt,
        details: Iterable[tuple[str, str]] = (),
        other: ScannedFamily | None = None,
    ) -> None:
        self.counts[code] += 1
        if self.counts[code] > self.max_faults:
            return
        details = (("message", f"{self.number:,}"), *details)
        if other is None:
            self.faults.append(Fault(code, *span(), excerpt=excerpt, details=details))
        else:
            related = _type_line(other.name, other.type)
            self.faults.append(Fault(code, *span(), other.start, other.end, excerpt, related, details))

    def broken(self, code: Code, at: int, end: int, **details: str) -> None:
        """A fault of the wire format, shown as bytes."""
        # What is missing is missed after the last byte.
        at = min(at, end - 1)
        first = max(self.start, at - _SHOWN_BYTES)
        last = min(at + _SHOWN_BYTES, len(self.data))
        before = self.data[first:at].hex(" ") + " " * (first < at)
        excerpt = Excerpt(before, self.data[at : at + 1].hex(), f" {self.data[at + 1 : last].hex(' ')}".rstrip())
        self.fault(code, lambda: (at, end), excerpt, details.items())

    def whole(self) -> tuple[int, int]:
        return self.start, self.end

    def of_metric(self, index: int) -> Callable[[], tuple[int, int]]:
        """Where a metric of this message stands; looked for when it is asked for."""

        def span() -> tuple[int, int]:
            if self.metric_spans is None:
                fields = _wire_fields(self.data, self.body, self.end)
                self.metric_spans = [(each.start, each.end) for each in fields if (each.number, each.wire) == (4, 2)]
            return self.metric_spans[index]

        return span

    # Messages.

    def message(self) -> None:
        """Read one message, and take what it holds."""
        self.metric_spans, self.complete, self.odd, self.name = None, True, False, ""
        body = self.data[self.body : self.end]
        try:
            message = _MetricFamily.FromString(body)
            message.DiscardUnknownFields()
            self.odd = message.ByteSize() != len(body)
            self.family(message)
            if self.odd:
                self.look_closer(message)
        except (DecodeError, RecursionError, _Broken):
            # The runtime's implementations do not refuse quite the same.
            self.find_broken()

    def find_broken(self) -> None:
        try:
            for _ in _known_or_not(self.data, self.body, self.end, "MetricFamily"):
                pass
        except _Broken as broken:
            self.broken(Code.MALFORMED_MESSAGE, broken.at, self.end)
        else:
            self.broken(Code.MALFORMED_MESSAGE, self.body, self.end)

    def look_closer(self, message: Any) -> None:
        """Find what the descriptors have no field for, and what a second payload displaced."""
        seen: set[tuple[str, int] | tuple[int, str]] = set()
        payloads: dict[int, str] = {}
        for name, metric, field in _known_or_not(self.data, self.body, self.end, "MetricFamily"):
            known = _FIELDS[name].get(field.number)
            if known and known.wire == field.wire:
                if name == "Metric" and known.name in _PAYLOADS:
                    first = payloads.setdefault(metric, known.name)
                    if first != known.name and (metric, "payload") not in seen:
                        seen.add((metric, "payload"))
                        self.odd_metric(
                            Code.PAYLOAD_MISMATCH, message, metric, payload=f"both `{first}` and `{known.name}`"
                        )
            elif name == "Histogram" and field.number in _NATIVE:
                if (metric, "native") not in seen:
                    seen.add((metric, "native"))
                    self.odd_metric(Code.NATIVE_HISTOGRAM, message, metric)
            elif (name, field.number) not in seen:
                seen.add((name, field.number))
                span = (field.start, field.end)
                excerpt = self.series(message.metric[metric]) if metric >= 0 else _type_line(self.name, self.type)
                details = [("field", str(field.number)), ("of", name), ("wire", str(field.wire))]
                self.fault(Code.UNKNOWN_FIELD, lambda span=span: span, excerpt, details)  # type: ignore[misc]

    def odd_metric(self, code: Code, message: Any, metric: int, **details: str) -> None:
        details = {"expected": _PAYLOAD_OF[self.type], **details}
        self.fault(code, self.of_metric(metric), self.series(message.metric[metric]), details.items())

    def series(self, metric: Any) -> Excerpt:
        """A metric by its name and labels, as far as they are text."""
        pairs = map(_LabelPair.FromString, metric.label)
        labels = ",".join(f"{_shown(pair.name)}={quote(_shown(pair.value))}" for pair in pairs)
        return Excerpt("", f"{written_name(self.name)}{{{labels}}}" if labels else written_name(self.name), "")

    def family(self, message: Any) -> None:
        try:
            self.head(message)
        except _Refused as refused:
            self.fault(refused.code, self.whole, refused.excerpt, refused.details)
            return
        help = _decoded(message.help, f"# HELP {written_name(self.name)} ") if message.HasField("help") else None
        unit = _decoded(message.unit, f"# UNIT {written_name(self.name)} ") if message.HasField("unit") else None
        samples = engine.pack(self.samples(message.metric))
        found = ScannedFamily(self.name, self.type, help, unit, samples, self.start, self.end, self.complete)
        before = self.families.get(self.name)
        self.families[self.name] = (
            _Read(self.number, found, [samples]) if before is None else self.joined(before, found)
        )

    def head(self, message: Any) -> None:
        """The name and the type, and that the texts are text."""
        self.name, self.type = _shown(message.name), MetricType.UNKNOWN
        self.name = _decoded(message.name, "# TYPE ")
        if not self.name:
            raise _Refused(Code.EMPTY_NAME, "# TYPE ", '""', "")
        if not 0 <= message.type < len(_TYPES):
            raise _Refused(Code.UNKNOWN_TYPE, f"# TYPE {written_name(self.name)} ", str(message.type))
        self.type = _TYPES[message.type]
        for keyword in ("help", "unit"):
            _decoded(getattr(message, keyword), f"# {keyword.upper()} {written_name(self.name)} ")
        if not is_legacy_metric_name(self.name):
            self.fault(Code.NON_LEGACY_NAME, self.whole, _type_line(self.name, self.type))

    def joined(self, before: _Read, new: ScannedFamily) -> _Read:
        """A family with what a later message of its name adds."""
        old = before.family
        inputs = {"first_input": f"message {before.number:,}", "second_input": f"message {self.number:,}"}
        line = _type_line(new.name, new.type)
        if old.type is not new.type:
            details = {"family": new.name, "first": str(old.type), "second": str(new.type), **inputs}
            self.fault(Code.TYPE_CONFLICT, self.whole, line, details.items(), old)
            return before
        if None not in (old.help, new.help) and old.help != new.help:
            self.fault(Code.HELP_CONFLICT, self.whole, line, {"family": new.name, **inputs}.items(), old)
        if None not in (old.unit, new.unit) and old.unit != new.unit:
            details = {"family": new.name, "first": str(old.unit), "second": str(new.unit), **inputs}
            self.fault(Code.UNIT_CONFLICT, self.whole, line, details.items(), old)
        self.fault(Code.INTERLEAVED_FAMILY, self.whole, line, (), old)
        before.samples.append(new.samples)
        return before._replace(
            family=old._replace(
                help=new.help if old.help is None else old.help,
                unit=new.unit if old.unit is None else old.unit,
                complete=old.complete and new.complete,
            )
        )

    def collisions(self) -> None:
        """Families whose samples would be another's."""
        for name, (_, family, _) in self.families.items():
            for suffix in TEXT_SUFFIXES.get(family.type, ()):
                if name + suffix in self.families:
                    first, (number, second, _) = family, self.families[name + suffix]
                    if second.start < first.start:
                        first, (number, second, _) = second, self.families[name]
                    self.number, self.start, self.end = number, second.start, second.end
                    self.fault(Code.SUFFIX_COLLISION, self.whole, _type_line(second.name, second.type), (), first)

    # Metrics.

    def samples(self, metrics: Sequence[Any]) -> Iterator[Sample]:
        """The samples of all metrics that can be read."""
        name, payload_name = self.name, _PAYLOAD_OF[self.type]
        make = _SAMPLES_OF.get(self.type)
        known, noted = self.pairs, self.noted
        for index, metric in enumerate(metrics):
            try:
                if metric.WhichOneof("payload") != payload_name:
                    raise self.mismatch(metric, payload_name)
                pairs = []
                for raw in metric.label:
                    pair = known.get(raw)
                    pairs.append(self.pair(raw) if pair is None else pair)
                pairs.sort()
                labels = LabelSet._of(pairs)
                if len(labels) != len(pairs):
                    raise self.repeated(pairs)
                time = metric.timestamp_ms * _NS_PER_MS if metric.HasField("timestamp_ms") else None
                payload = getattr(metric, payload_name)
                if make is None:
                    yield _sample(name, labels, payload.value, time)
                else:
                    yield from make(self, index, name, labels, time, payload)
            except _Refused as refused:
                self.complete = False
                self.fault(refused.code, self.of_metric(index), refused.excerpt, refused.details)
            if noted:
                self.note(index, metric)

    def pair(self, raw: bytes) -> Pair:
        """A label pair, of which each is read once if it can be."""
        message = _LabelPair.FromString(raw)
        name, value = message.name, message.value
        # Nearly all take a byte for the tag and one for the length of each, and no more.
        if len(raw) != len(name) + len(value) + 4 or len(raw) > 0x7F:
            message.DiscardUnknownFields()
            if message.ByteSize() != len(raw):
                self.odd = True
                return self.checked(raw, name, value)
        if len(self.pairs) == _PAIRS_KEPT:
            self.pairs.clear()
        pair = self.pairs[raw] = self.checked(raw, name, value)
        return pair

    def checked(self, raw: bytes, name: bytes, value: bytes) -> Pair:
        """A label pair as text; what is worth saying of it is remembered."""
        try:
            pair = name.decode(), value.decode()
        except UnicodeDecodeError:
            start = f"{written_name(self.name)}{{"
            pair = _decoded(name, start), _decoded(value, f'{start}{_shown(name)}="', '"}')
        try:
            code = self.label_names[name]
        except KeyError:
            code = self.label_names[name] = _finding(pair[0])
        if code is not None:
            if code in (Code.EMPTY_NAME, Code.METRIC_NAME_LABEL):
                start, after = f"{written_name(self.name)}{{", f"={quote(pair[1])}}}"
                raise _Refused(code, start, pair[0] or '""', after)
            self.noted[raw] = code
        return pair

    def note(self, index: int, metric: Any) -> None:
        """What is worth saying about labels that can be read."""
        for raw in metric.label:
            if code := self.noted.get(raw):
                name, value = self.pair(raw)
                written = name if is_legacy_label_name(name) else quote(name)
                excerpt = Excerpt(f"{written_name(self.name)}{{", written, f"={quote(value)}}}")
                self.fault(code, self.of_metric(index), excerpt)

    def repeated(self, pairs: list[Pair]) -> _Refused:
        names = [name for name, _ in pairs]
        number = next(number for number, name in enumerate(names) if names[number - 1] == name and number)
        parts = [f"{written_name(name)}={quote(value)}" for name, value in pairs]
        before = f"{written_name(self.name)}{{" + "".join(f"{part}," for part in parts[:number])
        after = "".join(f",{part}" for part in parts[number + 1 :])
        written = written_name(names[number])
        return _Refused(Code.DUPLICATE_LABEL, before, written, f"={quote(pairs[number][1])}{after}}}")

    def mismatch(self, metric: Any, expected: str) -> _Refused:
        payload = metric.WhichOneof("payload")
        found = "nothing" if payload is None else f"`{payload}`"
        return _Refused(Code.PAYLOAD_MISMATCH, *self.series(metric), expected=expected, payload=found)

    def counter(self, _index: int, name: str, labels: LabelSet, time: int | None, payload: Any) -> Iterator[Sample]:
        exemplars = (self.exemplar(payload.exemplar),) if payload.HasField("exemplar") else ()
        yield _sample(name, labels, payload.value, time, exemplars, self.created(payload))

    def summary(self, index: int, name: str, labels: LabelSet, time: int | None, payload: Any) -> Iterator[Sample]:
        start = self.created(payload)
        pairs = self.point_pairs(labels, "quantile")
        for quantile in payload.quantile:
            point = self.bound(quantile.quantile)
            yield _sample(name, LabelSet._of(sorted((*pairs, ("quantile", point)))), quantile.value, time, (), start)
        yield _sample(f"{name}_sum", labels, payload.sample_sum, time, (), start)
        yield self.count(
            index, _sample(f"{name}_count", labels, payload.sample_count, time, (), start), payload.sample_count
        )

    def histogram(self, index: int, name: str, labels: LabelSet, time: int | None, payload: Any) -> Iterator[Sample]:
        start = self.created(payload)
        pairs = self.point_pairs(labels, "le")
        samples = []
        bucket_name = f"{name}_bucket"
        # As all readers have it: the fraction, if there is one.
        total = payload.sample_count_float or payload.sample_count
        has_inf = False
        for bucket in payload.bucket:
            bound = bucket.upper_bound
            has_inf = has_inf or bound == _INF
            exemplars = (self.exemplar(bucket.exemplar),) if bucket.HasField("exemplar") else ()
            count = bucket.cumulative_count_float or bucket.cumulative_count
            at = LabelSet._of(sorted((*pairs, ("le", self.bound(bound)))))
            samples.append(self.count(index, _sample(bucket_name, at, count, time, exemplars, start), count))
        if not has_inf:
            at = LabelSet._of(sorted((*pairs, ("le", "+Inf"))))
            samples.append(_sample(bucket_name, at, total, time, (), start))
        samples.append(_sample(f"{name}_sum", labels, payload.sample_sum, time, (), start))
        samples.append(self.count(index, _sample(f"{name}_count", labels, total, time, (), start), total))
        yield from samples

    def point_pairs(self, labels: LabelSet, point_label: str) -> tuple[Pair, ...]:
        pairs = labels.pairs
        if point_label in labels:
            raise self.repeated(sorted([*pairs, (point_label, "+Inf" if point_label == "le" else "0")]))
        return pairs

    def bound(self, value: float) -> str:
        text = self.bounds.get(value)
        if text is None:
            text = self.bounds[value] = format_float(value)
        return text

    def count(self, index: int, sample: Sample, number: float) -> Sample:
        if not sample.value >= 0:
            raise _Refused(Code.INVALID_COUNT, f"{sample.series} ", format_float(sample.value))
        if _EXACT <= sample.value < _INF and int(sample.value) != number:
            self.fault(Code.INEXACT_INTEGER, self.of_metric(index), Excerpt(f"{sample.series} ", str(number), ""))
        return sample

    def created(self, payload: Any) -> int | None:
        return self.time(payload.created_timestamp, "created") if payload.HasField("created_timestamp") else None

    def exemplar(self, message: Any) -> Exemplar:
        pairs = sorted(self.pairs.get(raw) or self.pair(raw) for raw in message.label)
        labels = LabelSet._of(pairs)
        if len(labels) != len(pairs):
            raise self.repeated(pairs)
        time = self.time(message.timestamp, "exemplar") if message.HasField("timestamp") else None
        return Exemplar(labels, message.value, time)

    def time(self, stamp: Any, what: str) -> int:
        time: int = stamp.seconds * _NS_PER_S + stamp.nanos
        if not 0 <= stamp.nanos < _NS_PER_S or not INT64_MIN <= time // _NS_PER_MS <= INT64_MAX:
            shown, limits = f"{stamp.seconds} s, {stamp.nanos} ns", "int64 milliseconds, and 0 to 999999999 ns"
            raise _Refused(Code.TIMESTAMP_OUT_OF_RANGE, f"{written_name(self.name)} {what} ", shown, limits=limits)
        return time


# Gauges and metrics of unknown type are their value.
_MakeSamples = Callable[[_Scanner, int, str, LabelSet, int | None, Any], Iterator[Sample]]
_SAMPLES_OF: Final[Mapping[MetricType, _MakeSamples]] = {
    MetricType.COUNTER: _Scanner.counter,
    MetricType.SUMMARY: _Scanner.summary,
    MetricType.HISTOGRAM: _Scanner.histogram,
    MetricType.GAUGEHISTOGRAM: _Scanner.histogram,
}


def _decoded(text: bytes, before: str, after: str = "") -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        shown = text[error.start : error.end]
        rest = _shown(text[error.end :]) + after
        raise _Refused(
            Code.INVALID_UTF8, before + text[: error.start].decode(), shown.decode("utf-8", "surrogateescape"), rest
        ) from None


def _finding(label_name: str) -> Code | None:
    if not label_name:
        return Code.EMPTY_NAME
    if label_name == "__name__":
        return Code.METRIC_NAME_LABEL
    if label_name.startswith("__"):
        return Code.RESERVED_LABEL_NAME
    return None if is_legacy_label_name(label_name) else Code.NON_LEGACY_NAME


def _sample(
    name: str,
    labels: LabelSet,
    value: float,
    time: int | None,
    exemplars: tuple[Exemplar, ...] = (),
    start: int | None = None,
) -> Sample:
    """A sample of what has been checked."""
    sample = Sample.__new__(Sample)
    set_name(sample, name)
    set_labels(sample, labels)
    set_value(sample, float(value))
    set_timestamp(sample, time)
    set_exemplars(sample, exemplars)
    set_start_timestamp(sample, start)
    return sample


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _type_line(name: str, type: MetricType) -> Excerpt:
    return Excerpt("# TYPE ", written_name(name), f" {text_word(type)}")


# Writing.

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
        message = _MetricFamily(name=fitting_name(family.name, self.escaping).encode())
        if family.help is not None:
            message.help = family.help.encode()
        if family.unit is not None:
            message.unit = family.unit.encode()
        if family.type not in _NUMBERS:
            self.loss(f"type {family.type}", f"# TYPE {family.name} {family.type}")
        type = family.type if family.type in _NUMBERS else MetricType.GAUGE
        message.type = _NUMBERS[type]
        # Only where it has any of these is each sample asked for them.
        self.has_extras = bool(family.samples.losses_in_text())
        samples = family.samples.sorted(family.name, family.type)
        if type is MetricType.SUMMARY:
            self.composites(message, samples, "quantile", family.name, self.summary)
        elif type in (MetricType.HISTOGRAM, MetricType.GAUGEHISTOGRAM):
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
                if len(known) == _PAIRS_KEPT:
                    known.clear()
                raw = known[pair] = _pair(fitting_label_name(pair[0], self.escaping), pair[1])
            found.append(raw)
        return found

    def values(self, message: Any, samples: Samples, type: MetricType) -> None:
        add, payload_name = message.metric.add, _PAYLOAD_OF[type]
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
        metric.timestamp_ms, finer = divmod(sample.timestamp_ns or 0, _NS_PER_MS)
        if finer:
            self.loss("timestamps", str(sample))

    def created(self, payload: Any, start: int | None) -> None:
        if start is not None:
            seconds, nanos = divmod(start, _NS_PER_S)
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
            made.timestamp.seconds, made.timestamp.nanos = divmod(exemplar.timestamp_ns, _NS_PER_S)

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
        if not any(bound == _INF for bound, _ in parts.points):
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
