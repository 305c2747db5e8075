"""The messages of the protobuf format, and their bytes where offsets matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
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

from ...model import MetricType

__all__ = [
    "FIELDS",
    "INF",
    "MOST_REPEATED",
    "NS_PER_MS",
    "NS_PER_S",
    "NUMBERS",
    "PAIRS_KEPT",
    "PAYLOADS",
    "PAYLOAD_OF",
    "TYPES",
    "Broken",
    "DecodeError",
    "FamilyMessage",
    "LabelPairMessage",
    "Pair",
    "WireField",
    "has_more_messages",
    "known_or_not",
    "message_spans",
    "span_of_family",
    "wire_fields",
]

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
PAYLOADS: Final = ("gauge", "counter", "summary", "untyped", "histogram")

TYPES: Final = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.SUMMARY,
    MetricType.UNKNOWN,
    MetricType.HISTOGRAM,
    MetricType.GAUGEHISTOGRAM,
)
NUMBERS: Final = {type: number for number, type in enumerate(TYPES)}
PAYLOAD_OF: Final[Mapping[MetricType, str]] = {
    MetricType.COUNTER: "counter",
    MetricType.GAUGE: "gauge",
    MetricType.SUMMARY: "summary",
    MetricType.UNKNOWN: "untyped",
    MetricType.HISTOGRAM: "histogram",
    MetricType.GAUGEHISTOGRAM: "histogram",
}

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
INF: Final = float("inf")
# How many label pairs are kept at a time, so that values of which each stands once take no memory.
PAIRS_KEPT: Final = 1 << 16
# How often, all together, a message has the name of an earlier one, a metric its labels, a point its bound, or a field
# that stands once in a message stands there again.
MOST_REPEATED: Final = 1000

Pair = tuple[str, str]


class _Field(NamedTuple):
    """A field as the descriptors have it; ``message`` is what its bytes are."""

    name: str
    wire: int
    message: str | None
    repeated: bool


_WIRES: Final = {"double": 1, "int32": 0, "int64": 0, "uint64": 0}
FIELDS: Final[dict[str, dict[int, _Field]]] = {}


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
        known = FIELDS[message] = {}
        for text in fields.split(", "):
            number, name, *kinds = text.rstrip("*").split()
            field = made.field.add(name=name, number=int(number))
            repeated = text.endswith("*")
            field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            if kinds[0] in scalars:
                field.type = scalars[kinds[0]]
            else:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kinds[0]}"
            if message == "Metric" and name in PAYLOADS:
                field.oneof_index = 0
            content = None if kinds[-1] in scalars else kinds[-1]
            known[int(number)] = _Field(name, _WIRES.get(kinds[0], 2), content, repeated)
        if message == "Metric":
            made.oneof_decl.add(name="payload")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


_CLASSES: Final = _classes()
FamilyMessage, LabelPairMessage, _Exemplar = _CLASSES["MetricFamily"], _CLASSES["LabelPair"], _CLASSES["Exemplar"]


# The wire format, where offsets matter.


class Broken(Exception):  # noqa: N818 - the input is, not the program
    """The bytes are no message, from here on; ``cut_short`` if more of them could be one."""

    def __init__(self, at: int, *, cut_short: bool = False) -> None:
        self.at = at
        self.cut_short = cut_short


class WireField(NamedTuple):
    """A field by its number and wire type: where it starts, where its content does, and where it ends."""

    number: int
    wire: int
    start: int
    value: int
    end: int


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number, and where it ends."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    value = 0
    for count, byte in enumerate(data[at : min(at + 10, end)]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise Broken(at, cut_short=end - at < 10)


def wire_fields(data: bytes, at: int, end: int) -> Iterator[WireField]:
    """The fields of a message, whatever they mean."""
    while at < end:
        tag, value = data[at], at + 1
        if tag >= 0x80:
            tag, value = varint(data, at, end)
        # Most are as short as this.
        if tag & 7 == 2 and tag >= 8 and value < end and data[value] < 0x80 and value + 1 + data[value] <= end:
            value, stop = value + 1, value + 1 + data[value]
        elif tag & 7 == 0 and tag >= 8 and value < end and data[value] < 0x80:
            stop = value + 1
        else:
            stop, value = _after(data, at, tag, value, end)
        yield WireField(tag >> 3, tag & 7, at, value, stop)
        at = stop


def message_spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each message starts, where its content does, and where it ends, which may be after the data."""
    at = 0
    while at < len(data):
        length, body = varint(data, at, len(data))
        end = body + length
        yield at, body, end
        at = end


def has_more_messages(data: bytes, count: int) -> bool:
    """Whether there are more than so many; none is read, and none is counted from where the bytes are no messages.

    >>> has_more_messages(bytes(3), 2), has_more_messages(bytes(3), 3)
    (True, False)
    """
    try:
        return next(islice(message_spans(data), count, None), None) is not None
    except Broken:
        return False


def span_of_family(data: bytes, name: str) -> tuple[int, int]:
    """Where the first message of a family is, in an input that has been read and has one."""
    wanted = name.encode()
    return next((start, end) for start, body, end in message_spans(data) if _name(data, body, end) == wanted)


def _name(data: bytes, body: int, end: int) -> bytes:
    """The name in a MetricFamily: of several, the last."""
    name = b""
    for field in wire_fields(data, body, end):
        if (field.number, field.wire) == (1, 2):
            name = data[field.value : field.end]
    return name


def _after(data: bytes, at: int, tag: int, value: int, end: int) -> tuple[int, int]:
    """Where a field ends, and where the content of it begins."""
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise Broken(at)
    if wire == 0:
        stop = varint(data, value, end)[1]
    elif wire in (1, 5):
        stop = value + (8 if wire == 1 else 4)
    elif wire == 2:
        length, value = varint(data, value, end)
        stop = value + length
    elif wire == 3:
        # A group, which protobuf gave up: it may hold others.
        opened, stop = [number], value
        while opened:
            inner_at = stop
            tag, stop = varint(data, inner_at, end)
            if tag & 7 == 3:
                opened.append(tag >> 3)
            elif tag & 7 == 4:
                if opened.pop() != tag >> 3:
                    raise Broken(inner_at)
            else:
                stop, _ = _after(data, inner_at, tag, stop, end)
    else:
        raise Broken(at)
    if stop > end:
        raise Broken(at, cut_short=True)
    return stop, value


def known_or_not(
    data: bytes, at: int, end: int, message: str, metric: int = -1
) -> Iterator[tuple[str, int, WireField, bool]]:
    """All fields in a message and those within it, with the message's name, the number of the metric, and whether that
    message has had such a field, by number and wire type, before.
    """
    given: set[tuple[int, int]] = set()
    for field in wire_fields(data, at, end):
        known = FIELDS[message].get(field.number)
        if message == "MetricFamily" and (field.number, field.wire) == (4, 2):
            metric += 1
        tag = field.number, field.wire
        yield message, -1 if message == "MetricFamily" else metric, field, tag in given
        given.add(tag)
        if known and known.message and field.wire == 2:
            yield from known_or_not(data, field.value, field.end, known.message, metric)
