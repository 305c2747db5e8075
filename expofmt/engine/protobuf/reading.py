"""Messages to families, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple, NoReturn

from ... import engine
from ...codes import Code, verdict
from ...diagnostics import EXCERPT_BYTES
from ...model import (
    TEXT_SUFFIXES,
    Exemplar,
    LabelSet,
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
from ...names import is_legacy_label_name, is_legacy_metric_name, quote, written_name
from ...values import INT64_MAX, INT64_MIN, format_float
from ..seam import Excerpt, Fault, Scan, ScannedFamily
from .wire import (
    FIELDS,
    INF,
    MOST_REPEATED,
    NS_PER_MS,
    NS_PER_S,
    PAIRS_KEPT,
    PAYLOAD_OF,
    PAYLOADS,
    TYPES,
    Broken,
    DecodeError,
    FamilyMessage,
    LabelPairMessage,
    Pair,
    WireField,
    known_or_not,
    message_spans,
    wire_fields,
)

__all__ = ["scan"]

# The fields of Histogram that make it a native one: schema, zero bucket, spans, deltas, counts, exemplars.
_NATIVE: Final = frozenset([*range(5, 15), 16])
_EXACT: Final = 1 << 53
# A message is read in parts of so many bytes, since what the runtime makes of tiny fields takes many times their size.
_PART_BYTES: Final = 1 << 16
# How many fields a metric may have that is larger than that, and how many such a message besides its metrics.
_MOST_FIELDS: Final = 1 << 16
# How many fields that are not known an input may have, and so many more for each of its bytes.
_UNKNOWN_FIELDS: Final = 100_000
_UNKNOWN_PER_BYTE: Final = 1 / 8
# The labels of a metric stand once, and are those of all its samples; so does the name of a family. As text, an input
# may have so many bytes, and so many more for each of its own.
_TEXT_BYTES: Final = 1 << 26
_TEXT_FACTOR: Final = 16
# How many bytes around a broken place are shown.
_SHOWN_BYTES: Final = 16


class _Refused(Exception):  # noqa: N818 - a metric is, not the program at fault
    """A metric that cannot be read, and what of it is to be shown."""

    def __init__(self, code: Code, before: str, found: str, after: str = "", **details: str) -> None:
        self.code, self.excerpt, self.details = code, Excerpt(before, found, after), tuple(details.items())

    def shown(self) -> Excerpt:
        return self.excerpt


class _EnoughError(Exception):
    """The input is refused, and there is no use in reading on."""


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
    excerpt, since there are no lines. Reading goes on at the next metric, or message, and ends where more than
    ``max_faults`` refuse the input: what follows is not looked at.

    What a few bytes can claim is limited. A metric of more than 64 KiB has at most 65,536 fields, and so has a message
    besides its metrics. At most 1,000 times, all together, a message has the name of an earlier one, a metric the
    labels and time of an earlier one of its family, a bucket or quantile the bound of another of its metric, or a
    message once more a field of which only the last counts. At most 100,000 fields are not known or of native
    histograms, and one for each 8 bytes of the input. The names and labels of all samples together have at most 64 MiB,
    and 16 bytes for each of the input. Beyond that, it is refused as ``input-too-large``.

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
        self.shown_name: str | None = None
        self.type = MetricType.UNKNOWN
        self.complete = True
        # The part of it that is being read.
        self.part_start = self.part_end = 0
        # Whether there is more on the wire than was read.
        self.odd = False
        self.metric_spans: list[tuple[int, int]] | None = None
        # The numbers of the fields that are not known, by their message.
        self.unknown: set[tuple[str, int]] = set()
        # What is counted, because it is limited.
        self.refusals = self.repeats = self.unknown_fields = self.text_bytes = 0
        # Hashes of the name, labels and time of each metric: they take less memory, and this limit need not be exact.
        self.given: set[int] = set()

    def scan(self) -> Scan:
        with suppress(_EnoughError):
            self.messages()
            self.collisions()
        self.faults.sort(key=lambda fault: (fault.start, fault.end))
        suppressed = {code: n - self.max_faults for code, n in self.counts.items() if n > self.max_faults}
        return Scan([read.whole() for read in self.families.values()], self.faults, [], suppressed)

    def messages(self) -> None:
        try:
            for number, span in enumerate(message_spans(self.data), 1):
                self.number = number
                self.start, self.body, self.end = span
                if self.end > len(self.data):
                    missing = self.end - len(self.data)
                    self.broken(
                        Code.TRUNCATED_MESSAGE,
                        self.start,
                        len(self.data),
                        missing=f"{missing:,} more byte{'s' * (missing > 1)}",
                    )
                else:
                    self.message()
        except Broken as broken:
            self.number += 1
            self.start = broken.at
            code = Code.TRUNCATED_MESSAGE if broken.cut_short else Code.MALFORMED_MESSAGE
            self.broken(code, broken.at, len(self.data))

    # Faults.

    def fault(
        self,
        code: Code,
        span: Callable[[], tuple[int, int]],
        excerpt: Callable[[], Excerpt],
        details: Iterable[tuple[str, str]] = (),
        other: ScannedFamily | None = None,
    ) -> None:
        """Take a fault. Beyond the limit it is only counted, so that no time is taken to place and show it."""
        self.counts[code] += 1
        if self.counts[code] <= self.max_faults:
            details = (("message", f"{self.number:,}"), *details)
            found = _cut(excerpt())
            if other is None:
                self.faults.append(Fault(code, *span(), excerpt=found, details=details))
            else:
                related = _type_line(other.name, other.type)
                self.faults.append(Fault(code, *span(), other.start, other.end, found, related, details))
        # Names that need quotes refuse nothing where they are allowed.
        if verdict(code).fatal and code is not Code.NON_LEGACY_NAME:
            self.refusals += 1
            if self.refusals > self.max_faults:
                raise _EnoughError

    def too_large(self, reason: str) -> NoReturn:
        details = {"reason": reason}
        self.fault(Code.INPUT_TOO_LARGE, self.whole, self.type_line, details.items())
        # What is wrong with samples that are refused for their number need not be told.
        self.families.clear()
        raise _EnoughError

    def broken(self, code: Code, at: int, end: int, **details: str) -> None:
        """A fault of the wire format, shown as bytes."""
        # What is missing is missed after the last byte.
        at = min(at, end - 1)
        first = max(self.start, at - _SHOWN_BYTES)
        last = min(at + _SHOWN_BYTES, len(self.data))
        before = self.data[first:at].hex(" ") + " " * (first < at)
        excerpt = Excerpt(before, self.data[at : at + 1].hex(), f" {self.data[at + 1 : last].hex(' ')}".rstrip())
        self.fault(code, lambda: (at, end), lambda: excerpt, details.items())

    def whole(self) -> tuple[int, int]:
        return self.start, self.end

    def of_metric(self, index: int) -> Callable[[], tuple[int, int]]:
        """Where a metric of this part stands; looked for when it is asked for."""

        def span() -> tuple[int, int]:
            if self.metric_spans is None:
                fields = wire_fields(self.data, self.part_start, self.part_end)
                self.metric_spans = [(each.start, each.end) for each in fields if (each.number, each.wire) == (4, 2)]
            return self.metric_spans[index]

        return span

    # Messages.

    def message(self) -> None:
        """Read one message, and take what it holds."""
        self.complete, self.name, self.shown_name, self.type = True, "", None, MetricType.UNKNOWN
        self.unknown.clear()
        try:
            if self.end - self.body <= _PART_BYTES:
                message = self.part(self.body, self.end)
                self.family(message, [message])
            else:
                self.part_start, self.part_end = self.body, self.body
                head, cuts = self.taken_apart()
                self.family(FamilyMessage.FromString(head), (self.part(*part) for part in pairwise(cuts)))
        except Broken as broken:
            self.broken(Code.MALFORMED_MESSAGE, broken.at, self.end)
        except (DecodeError, RecursionError):
            # The runtime's implementations do not refuse quite the same.
            self.find_broken()

    def taken_apart(self) -> tuple[bytes, list[int]]:
        """All fields of the message that are no metrics, and where it can be cut."""
        head, cuts = bytearray(), [self.body]
        others = 0
        for field in wire_fields(self.data, self.body, self.end):
            if (field.number, field.wire) != (4, 2):
                head += self.data[field.start : field.end]
                others += 1
                if others > _MOST_FIELDS:
                    self.too_large(f"a message has more than {_MOST_FIELDS:,} fields besides its metrics")
            elif field.end - field.start > _PART_BYTES:
                fields = known_or_not(self.data, field.value, field.end, "Metric")
                if next(islice(fields, _MOST_FIELDS, None), None):
                    self.too_large(f"a metric has more than {_MOST_FIELDS:,} fields")
            if field.end - cuts[-1] > _PART_BYTES and field.start > cuts[-1]:
                cuts.append(field.start)
        return bytes(head), [*cuts, self.end]

    def part(self, start: int, end: int) -> Any:
        """What stands between two places of the message, as a message."""
        self.part_start, self.part_end, self.metric_spans = start, end, None
        data = self.data[start:end]
        message = FamilyMessage.FromString(data)
        message.DiscardUnknownFields()
        self.odd = message.ByteSize() != len(data)
        return message

    def find_broken(self) -> None:
        try:
            for _ in known_or_not(self.data, self.part_start, self.part_end, "MetricFamily"):
                pass
        except Broken as broken:
            self.broken(Code.MALFORMED_MESSAGE, broken.at, self.end)
        else:
            self.broken(Code.MALFORMED_MESSAGE, self.body, self.end)

    def look_closer(self, message: Any) -> None:
        """Find what the descriptors have no field for, and what a second payload displaced."""
        seen: set[tuple[int, str]] = set()
        payloads: dict[int, str] = {}
        most_unknown = _UNKNOWN_FIELDS + int(_UNKNOWN_PER_BYTE * len(self.data))
        for name, metric, field, is_again in known_or_not(self.data, self.part_start, self.part_end, "MetricFamily"):
            known = FIELDS[name].get(field.number)
            if known and known.wire == field.wire:
                if is_again and not known.repeated:
                    self.repeat(1)
                if name == "Metric" and known.name in PAYLOADS:
                    first = payloads.setdefault(metric, known.name)
                    if first != known.name and (metric, "payload") not in seen:
                        seen.add((metric, "payload"))
                        self.odd_metric(
                            Code.PAYLOAD_MISMATCH, message, metric, payload=f"both `{first}` and `{known.name}`"
                        )
                continue
            self.unknown_fields += 1
            if self.unknown_fields > most_unknown:
                self.too_large(f"more than {most_unknown:,} fields are not known, or of native histograms")
            if name == "Histogram" and field.number in _NATIVE:
                if (metric, "native") not in seen:
                    seen.add((metric, "native"))
                    self.odd_metric(Code.NATIVE_HISTOGRAM, message, metric)
            elif (name, field.number) not in self.unknown and len(self.unknown) <= self.max_faults:
                self.unknown.add((name, field.number))
                self.unknown_field(message, name, metric, field)

    def unknown_field(self, message: Any, name: str, metric: int, field: WireField) -> None:
        def excerpt() -> Excerpt:
            return self.series(message.metric[metric]) if metric >= 0 else self.type_line()

        details = [("field", str(field.number)), ("of", name), ("wire", str(field.wire))]
        self.fault(Code.UNKNOWN_FIELD, lambda: (field.start, field.end), excerpt, details)

    def odd_metric(self, code: Code, message: Any, metric: int, **details: str) -> None:
        details = {"expected": PAYLOAD_OF[self.type], **details}
        self.fault(code, self.of_metric(metric), lambda: self.series(message.metric[metric]), details.items())

    def series(self, metric: Any) -> Excerpt:
        """A metric by its name and labels, as far as they are text."""
        pairs = map(LabelPairMessage.FromString, metric.label)
        labels = ",".join(f"{_shown(pair.name)}={quote(_shown(pair.value))}" for pair in pairs)
        return Excerpt("", f"{self.written}{{{labels}}}" if labels else self.written, "")

    def family(self, head: Any, parts: Iterable[Any]) -> None:
        """Take a family, whose metrics are in the parts."""
        try:
            help, unit = self.head(head)
        except _Refused as refused:
            self.fault(refused.code, self.whole, refused.shown, refused.details)
            return
        samples = engine.pack(self.samples(parts))
        found = ScannedFamily(self.name, self.type, help, unit, samples, self.start, self.end, self.complete)
        before = self.families.get(self.name)
        self.families[self.name] = (
            _Read(self.number, found, [samples]) if before is None else self.joined(before, found)
        )

    def head(self, message: Any) -> tuple[str | None, str | None]:
        """Take the name and the type; the help text and the unit."""
        self.name = _decoded(message.name, "# TYPE ")
        if not self.name:
            raise _Refused(Code.EMPTY_NAME, "# TYPE ", '""', "")
        if not 0 <= message.type < len(TYPES):
            raise _Refused(Code.UNKNOWN_TYPE, f"# TYPE {self.written} ", str(message.type))
        self.type = TYPES[message.type]
        help = _decoded(message.help, f"# HELP {self.written} ") if message.HasField("help") else None
        unit = _decoded(message.unit, f"# UNIT {self.written} ") if message.HasField("unit") else None
        if not is_legacy_metric_name(self.name):
            self.fault(Code.NON_LEGACY_NAME, self.whole, self.type_line)
        return help, unit

    @property
    def written(self) -> str:
        """The name as it is shown."""
        if self.shown_name is None:
            self.shown_name = _brief(written_name(self.name))
        return self.shown_name

    def type_line(self) -> Excerpt:
        return Excerpt("# TYPE ", self.written, f" {text_word(self.type)}")

    def joined(self, before: _Read, new: ScannedFamily) -> _Read:
        """A family with what a later message of its name adds."""
        old = before.family
        inputs = {"first_input": f"message {before.number:,}", "second_input": f"message {self.number:,}"}
        line = self.type_line
        self.repeat(1)
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
        if new.samples:
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
                    self.collision(second, first)

    def collision(self, second: ScannedFamily, first: ScannedFamily) -> None:
        self.fault(Code.SUFFIX_COLLISION, self.whole, lambda: _type_line(second.name, second.type), (), first)

    # Metrics.

    def samples(self, parts: Iterable[Any]) -> Iterator[Sample]:
        """The samples of all metrics that can be read."""
        for part in parts:
            self.spend(len(self.name), len(part.metric))
            yield from self.samples_of(part.metric)
            if self.odd:
                self.look_closer(part)

    def samples_of(self, metrics: Sequence[Any]) -> Iterator[Sample]:
        name, payload_name = self.name, PAYLOAD_OF[self.type]
        make = _SAMPLES_OF.get(self.type)
        known, noted, given = self.pairs, self.noted, self.given
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
                time = metric.timestamp_ms * NS_PER_MS if metric.HasField("timestamp_ms") else None
                key = hash((name, time, *pairs))
                if key in given:
                    self.repeat(1)
                given.add(key)
                payload = getattr(metric, payload_name)
                if make is None:
                    yield _sample(name, labels, payload.value, time)
                else:
                    yield from make(self, index, name, labels, time, payload)
            except _Refused as refused:
                self.complete = False
                self.refuse(refused, index)
            if noted:
                self.note(index, metric)

    def refuse(self, refused: _Refused, index: int) -> None:
        self.fault(refused.code, self.of_metric(index), refused.shown, refused.details)

    def spend(self, size: int, times: int) -> None:
        """Count what text repeats."""
        self.text_bytes += size * times
        most = _TEXT_BYTES + _TEXT_FACTOR * len(self.data)
        if self.text_bytes > most:
            self.too_large(f"names and labels are, as text, over {most:,} bytes")

    def repeat(self, times: int) -> None:
        """Count what is given already: the name of a message, the labels of a metric, the bound of a point, a field."""
        self.repeats += times
        if self.repeats > MOST_REPEATED:
            self.too_large(f"more than {MOST_REPEATED:,} samples, families or fields are given twice")

    def pair(self, raw: bytes) -> Pair:
        """A label pair, of which each is read once if it can be."""
        message = LabelPairMessage.FromString(raw)
        name, value = message.name, message.value
        # Nearly all take a byte for the tag and one for the length of each, and no more.
        if len(raw) != len(name) + len(value) + 4 or len(raw) > 0x7F:
            message.DiscardUnknownFields()
            if message.ByteSize() != len(raw):
                self.odd = True
                return self.checked(raw, name, value)
        if len(self.pairs) == PAIRS_KEPT:
            self.pairs.clear()
        pair = self.pairs[raw] = self.checked(raw, name, value)
        return pair

    def checked(self, raw: bytes, name: bytes, value: bytes) -> Pair:
        """A label pair as text; what is worth saying of it is remembered."""
        try:
            pair = name.decode(), value.decode()
        except UnicodeDecodeError:
            start = f"{self.written}{{"
            pair = _decoded(name, start), _decoded(value, f'{start}{_shown(name)}="', '"}')
        try:
            code = self.label_names[name]
        except KeyError:
            code = self.label_names[name] = _finding(pair[0])
        if code is not None:
            if code in (Code.EMPTY_NAME, Code.METRIC_NAME_LABEL):
                start, after = f"{self.written}{{", f"={quote(pair[1])}}}"
                raise _Refused(code, start, pair[0] or '""', after)
            self.noted[raw] = code
        return pair

    def note(self, index: int, metric: Any) -> None:
        """What is worth saying about labels that can be read."""
        for raw in metric.label:
            if code := self.noted.get(raw):
                name, value = self.pair(raw)
                written = name if is_legacy_label_name(name) else quote(name)
                self.fault(code, self.of_metric(index), self.label(written, value))

    def label(self, written: str, value: str) -> Callable[[], Excerpt]:
        return lambda: Excerpt(f"{self.written}{{", written, f"={quote(value)}}}")

    def repeated(self, pairs: list[Pair]) -> _Refused:
        names = [name for name, _ in pairs]
        number = next(number for number, name in enumerate(names) if names[number - 1] == name and number)
        parts = [f"{written_name(name)}={quote(value)}" for name, value in pairs]
        before = f"{self.written}{{" + "".join(f"{part}," for part in parts[:number])
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
        pairs = self.point_pairs(name, labels, "quantile", [each.quantile for each in payload.quantile])
        for quantile in payload.quantile:
            point = self.bound(quantile.quantile)
            yield _sample(name, LabelSet._of(sorted((*pairs, ("quantile", point)))), quantile.value, time, (), start)
        yield _sample(f"{name}_sum", labels, payload.sample_sum, time, (), start)
        yield self.count(
            index, _sample(f"{name}_count", labels, payload.sample_count, time, (), start), payload.sample_count
        )

    def histogram(self, index: int, name: str, labels: LabelSet, time: int | None, payload: Any) -> Iterator[Sample]:
        start = self.created(payload)
        pairs = self.point_pairs(name, labels, "le", [each.upper_bound for each in payload.bucket])
        samples = []
        bucket_name = f"{name}_bucket"
        # As all readers have it: the fraction, if there is one.
        total = payload.sample_count_float or payload.sample_count
        has_inf = False
        for bucket in payload.bucket:
            bound = bucket.upper_bound
            has_inf = has_inf or bound == INF
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

    def point_pairs(self, name: str, labels: LabelSet, point_label: str, points: Sequence[float]) -> tuple[Pair, ...]:
        """The labels to which each point adds its own, once it is clear that the points are not too many."""
        pairs = labels.pairs
        if point_label in labels:
            raise self.repeated(sorted([*pairs, (point_label, "+Inf" if point_label == "le" else "0")]))
        self.repeat(len(points) - len(set(points)))
        self.spend(len(name) + sum(len(label) + len(value) for label, value in pairs), len(points) + 2)
        return pairs

    def bound(self, value: float) -> str:
        text = self.bounds.get(value)
        if text is None:
            text = self.bounds[value] = format_float(value)
        return text

    def count(self, index: int, sample: Sample, number: float) -> Sample:
        if not sample.value >= 0:
            raise _Refused(Code.INVALID_COUNT, f"{sample.series} ", format_float(sample.value))
        if _EXACT <= sample.value < INF and int(sample.value) != number:
            self.fault(
                Code.INEXACT_INTEGER, self.of_metric(index), lambda: Excerpt(f"{sample.series} ", str(number), "")
            )
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
        time: int = stamp.seconds * NS_PER_S + stamp.nanos
        if not 0 <= stamp.nanos < NS_PER_S or not INT64_MIN <= time // NS_PER_MS <= INT64_MAX:
            shown, limits = f"{stamp.seconds} s, {stamp.nanos} ns", "int64 milliseconds, and 0 to 999999999 ns"
            raise _Refused(Code.TIMESTAMP_OUT_OF_RANGE, f"{self.written} {what} ", shown, limits=limits)
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


def _brief(text: str) -> str:
    """As much of both ends of a text as is ever shown."""
    return text if len(text) <= 3 * EXCERPT_BYTES else f"{text[: EXCERPT_BYTES + 1]}…{text[-EXCERPT_BYTES:]}"


def _cut(excerpt: Excerpt) -> Excerpt:
    """As much of it as is ever shown, and a sign of what there is besides."""
    before, found, after = excerpt
    return Excerpt(before[-EXCERPT_BYTES - 1 :], found[: EXCERPT_BYTES + 1], after[: EXCERPT_BYTES + 1])


def _type_line(name: str, type: MetricType) -> Excerpt:
    return _cut(Excerpt("# TYPE ", written_name(name), f" {text_word(type)}"))
