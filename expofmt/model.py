"""The values that parsing yields and rendering takes: label sets, samples, metric families, expositions.

Everything here is immutable and compares by content. A float equals another if both are the same number or both are
NaN, so that an exposition read twice equals itself; all NaN hash alike. Values are float64; times are integers of
nanoseconds since the Unix epoch.
"""

from __future__ import annotations

import fnmatch
import math
import re
from abc import abstractmethod
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial
from itertools import pairwise
from operator import index
from typing import Any, ClassVar, Final, NamedTuple, NoReturn, Self, TypeGuard, overload

from .formats import Format
from .names import is_legacy_metric_name, quote
from .source import Span
from .values import INT64_MAX, INT64_MIN, format_float, format_timestamp_ms, parse_float

_NS_PER_MS: Final = 1_000_000


class MetricType(StrEnum):
    """What a metric family measures; ``str()`` of a member is the word that OpenMetrics uses for it.

    The text format calls ``unknown`` *untyped* and lacks ``gaugehistogram``, ``info`` and ``stateset``.

    >>> MetricType("counter") is MetricType.COUNTER
    True
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    GAUGEHISTOGRAM = "gaugehistogram"
    INFO = "info"
    STATESET = "stateset"
    UNKNOWN = "unknown"


def text_word(type: MetricType) -> str:
    """The word of the text format for a type, which has another one for ``unknown``.

    >>> text_word(MetricType.UNKNOWN), text_word(MetricType.GAUGE)
    ('untyped', 'gauge')
    """
    return "untyped" if type is MetricType.UNKNOWN else type.value


# Whose samples are buckets, a sum and a count.
HISTOGRAM_TYPES: Final = frozenset((MetricType.HISTOGRAM, MetricType.GAUGEHISTOGRAM))

# Which endings of a sample name belong to a family of a type in the text format. A gauge histogram has two
# generations of them: Go's encoder writes _count and _sum, the Python client _gcount and _gsum.
TEXT_SUFFIXES: Final[Mapping[MetricType, tuple[str, ...]]] = {
    MetricType.HISTOGRAM: ("_bucket", "_sum", "_count"),
    MetricType.GAUGEHISTOGRAM: ("_bucket", "_sum", "_count", "_gsum", "_gcount"),
    MetricType.SUMMARY: ("_sum", "_count"),
    MetricType.INFO: ("_info",),
}


# The label that tells the samples of one histogram or summary apart.
_BOUND_LABELS: Final[Mapping[MetricType, str]] = {
    MetricType.HISTOGRAM: "le",
    MetricType.GAUGEHISTOGRAM: "le",
    MetricType.SUMMARY: "quantile",
}


class LabelMapping(Mapping[str, str]):
    """What is a mapping by the labels that it keeps, and in their order.

    >>> isinstance(LabelSet(), LabelMapping)
    True
    """

    __slots__ = ()

    _labels: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self._labels[name]

    def __contains__(self, name: object) -> bool:
        return name in self._labels

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    # The views that a mapping has of its own ask it for each value; those of a dict are much quicker.
    def keys(self) -> KeysView[str]:
        return self._labels.keys()

    def items(self) -> ItemsView[str, str]:
        return self._labels.items()

    def values(self) -> ValuesView[str]:
        return self._labels.values()


class LabelSet(LabelMapping):
    """The labels of a sample: an immutable, hashable mapping, sorted by name (code points).

    Built from a mapping or from pairs, and keyword arguments. A name given twice is a ``ValueError``, as are an empty
    name, ``__name__`` (which is the metric's name, and no label) and text that UTF-8 cannot hold; a name or value that
    is no ``str`` is a ``TypeError``. A label with an empty value is kept, though Prometheus' data model equates it with
    an absent one. Safe to share between threads.

    >>> labels = LabelSet({"method": "get"}, code="200")
    >>> str(labels), labels["code"], labels == {"code": "200", "method": "get"}
    ('{code="200",method="get"}', '200', True)
    """

    __slots__ = ("_items", "_labels")

    _labels: dict[str, str]
    # For an engine that puts quicker methods in place of `items` and `values`: what `items` returns there, if it is
    # not to make a view for each call.
    _items: ItemsView[str, str]

    def __init__(self, source: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **labels: str) -> None:
        if isinstance(source, LabelSet):
            given: Iterable[tuple[str, str]] = source.pairs
        else:
            given = source.items() if isinstance(source, Mapping) else source
        pairs = [*given, *labels.items()]
        for name, value in pairs:
            _check_text("a label name", name)
            _check_text(f"the value of label {name!r}", value)
            if not name:
                raise ValueError("a label name is empty")
            if name == "__name__":
                raise ValueError("`__name__` is the name of the metric and no label")
        pairs.sort()
        for (name, _), (next_name, _) in pairwise(pairs):
            if name == next_name:
                raise ValueError(f"label {name!r} is given twice")
        if hasattr(self, "_labels"):
            raise TypeError("a label set is made once")
        _set_labels(self, dict(pairs))

    @classmethod
    def _of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Wrap pairs that are known to be valid and sorted."""
        self = cls.__new__(cls)
        _set_labels(self, dict(pairs))
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The names with their values, sorted by name.

        >>> LabelSet(code="200", method="get").pairs
        (('code', '200'), ('method', 'get'))
        """
        return tuple(self._labels.items())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a label set does not change: make another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a label set does not change: make another one")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LabelSet):
            return self._labels == other._labels
        return self._labels == other if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __str__(self) -> str:
        return "{" + ",".join(f"{_bare_or_quoted(name)}={quote(value)}" for name, value in self.items()) + "}"

    def __repr__(self) -> str:
        return f"LabelSet({self._labels!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelSet, (self.pairs,)


_set_labels = vars(LabelSet)["_labels"].__set__

NO_LABELS: Final = LabelSet()


@dataclass(frozen=True, slots=True, eq=False)
class Exemplar:
    """One observation kept beside a sample: its labels, its value, and when it was made (nanoseconds, or ``None``).

    >>> Exemplar({"trace_id": "abc"}, 0.67).labels["trace_id"]
    'abc'
    """

    labels: LabelSet
    value: float
    timestamp_ns: int | None = None

    def __init__(self, labels: Mapping[str, str], value: float, timestamp_ns: int | None = None) -> None:
        object.__setattr__(self, "labels", labels if isinstance(labels, LabelSet) else LabelSet(labels))
        object.__setattr__(self, "value", _number(value))
        object.__setattr__(self, "timestamp_ns", _time(timestamp_ns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exemplar):
            return NotImplemented
        return (self.labels, self.timestamp_ns) == (other.labels, other.timestamp_ns) and same_float(
            self.value, other.value
        )

    def __hash__(self) -> int:
        return hash((self.labels, hash_float(self.value), self.timestamp_ns))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One line of an exposition: a value of a series, which its name and labels identify.

    ``timestamp_ns`` is an integer of nanoseconds since the Unix epoch, within what int64 milliseconds hold, or ``None``
    where the producer gave no time; seconds as a float are a ``TypeError``. ``exemplars`` and ``start_timestamp_ns``
    are OpenMetrics'. ``str()`` is the canonical line of the text format, without the line feed.

    >>> sample = Sample("http_requests_total", {"code": "200"}, 1027, timestamp_ns=1395066363000 * 10**6)
    >>> str(sample)
    'http_requests_total{code="200"} 1027 1395066363000'
    >>> Sample("a", {}, float("nan")) == Sample("a", {}, float("nan"))
    True
    """

    name: str
    labels: LabelSet
    value: float
    timestamp_ns: int | None = None
    exemplars: tuple[Exemplar, ...] = ()
    start_timestamp_ns: int | None = None

    def __init__(
        self,
        name: str,
        labels: Mapping[str, str],
        value: float,
        timestamp_ns: int | None = None,
        exemplars: Iterable[Exemplar] = (),
        start_timestamp_ns: int | None = None,
    ) -> None:
        _check_name(name)
        set_name(self, name)
        set_labels(self, labels if isinstance(labels, LabelSet) else LabelSet(labels))
        set_value(self, _number(value))
        set_timestamp(self, _time(timestamp_ns))
        set_exemplars(self, tuple(exemplars))
        set_start_timestamp(self, _time(start_timestamp_ns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sample):
            return NotImplemented
        return (
            self.name == other.name
            and self.labels == other.labels
            and same_float(self.value, other.value)
            and self.timestamp_ns == other.timestamp_ns
            and self.exemplars == other.exemplars
            and self.start_timestamp_ns == other.start_timestamp_ns
        )

    def __hash__(self) -> int:
        return hash((self.name, self.labels, hash_float(self.value), self.timestamp_ns))

    @property
    def series(self) -> str:
        """The name and the labels as the text format writes them.

        >>> Sample("http.requests", {"code": "200"}, 1027).series
        '{"http.requests",code="200"}'
        """
        if is_legacy_metric_name(self.name):
            return f"{self.name}{self.labels}" if self.labels else self.name
        return "{" + ",".join([quote(self.name), *([str(self.labels)[1:-1]] if self.labels else [])]) + "}"

    def __str__(self) -> str:
        time = "" if self.timestamp_ns is None else " " + format_timestamp_ms(self.timestamp_ns)
        return f"{self.series} {format_float(self.value)}{time}"


# An engine makes a Sample for each row that somebody looks at, and fills its slots without the cost of __init__.
set_name, set_labels, set_value, set_timestamp, set_exemplars, set_start_timestamp = (
    vars(Sample)[slot].__set__ for slot in Sample.__slots__
)


class Difference(NamedTuple):
    """What :meth:`Samples.difference` found; ``old[i]`` and ``new[i]`` are one series and time with two values.

    >>> Difference._fields
    ('removed', 'added', 'old', 'new')
    """

    removed: Samples
    added: Samples
    old: Samples
    new: Samples


class Samples(Sequence[Sample]):
    """The samples of a family: an immutable, picklable sequence with columns inside, made by the engine.

    Indexing and iteration make :class:`Sample` objects; whatever concerns many samples at once is a method, so that
    no Python loop runs over them. Order and duplicates are those of the input. Two are equal if they hold equal
    samples in the same order. Safe to share between threads. A parsed sequence may keep its input alive until
    :meth:`compact`; pickling compacts.

    >>> from expofmt import parse
    >>> samples = parse("a 1\\n")["a"].samples
    >>> len(samples), samples[0].value
    (1, 1.0)
    """

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    @abstractmethod
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        """A sample, or the samples of a slice."""

    @property
    @abstractmethod
    def has_timestamps(self) -> bool:
        """Whether any sample carries a timestamp."""

    @abstractmethod
    def first_timestamp(self) -> int | None:
        """The index of the first sample that carries a timestamp, ``None`` if none does."""

    @abstractmethod
    def names(self) -> frozenset[str]:
        """All sample names that occur."""

    @abstractmethod
    def losses_in_text(self) -> list[tuple[str, int]]:
        """What the text format cannot hold, with the first sample that has it: ``exemplars``, ``start timestamps``,
        or ``timestamps`` finer than a millisecond.
        """

    @abstractmethod
    def span(self, index: int, /) -> Span | None:
        """The bytes of the input line that gave the sample, ``None`` if it was not parsed from one input."""

    @abstractmethod
    def with_labels(self, override: Mapping[str, str], default: Mapping[str, str], *, compact: bool = False) -> Samples:
        """The samples with labels set: ``override`` replaces, ``default`` fills in absent or empty ones.

        If they are to be ``compact``, that costs less than to make them so, as :meth:`compact` does, afterwards.
        """

    @abstractmethod
    def select(self, matchers: Mapping[str, Callable[[str], bool]]) -> Samples:
        """The samples all of whose labels are accepted; an absent label is asked about as ``""``.

        Each predicate is called once per distinct value.
        """

    @abstractmethod
    def concat(self, *others: Samples) -> Samples:
        """These samples, then those of the others in turn."""

    @abstractmethod
    def combine(self, other: Samples, op: str, *, name: str, type: MetricType) -> tuple[Samples, list[tuple[int, int]]]:
        """Unite two inputs' samples of the family ``name``: own order first, then the other's new series.

        A series (with its timestamp) that both hold is settled by ``op``: ``first``, ``last``, ``sum``, ``min``,
        ``max``, or ``refuse``; exemplars and start time are those of the sample that was chosen, or, for a sum, of the
        own one. Of histograms whose bucket bounds differ, ``first`` and ``last`` take one as a whole. The pairs
        returned (an index here, an index there) cannot be combined: every shared series under ``refuse``; under
        ``sum``, ``min`` and ``max``, once per series, histograms whose bucket bounds differ.
        """

    @abstractmethod
    def difference(self, other: Samples, *, name: str, type: MetricType) -> Difference:
        """What became of these samples, of the family ``name``, in ``other``, by series and timestamp.

        Buckets and quantiles are the same series if their bounds are the same number, however it is spelt; so they
        are to :meth:`combine` and :meth:`duplicates`.
        """

    @abstractmethod
    def label_names(self) -> frozenset[str]:
        """All label names that occur."""

    @abstractmethod
    def label_cardinality(self) -> dict[str, int]:
        """How many distinct values each label name has."""

    @abstractmethod
    def duplicates(self, *, name: str, type: MetricType) -> list[tuple[int, int]]:
        """Samples that repeat an earlier one's name, labels and timestamp: (index, index of the first)."""

    @abstractmethod
    def histogram_faults(self, name: str, type: MetricType) -> list[tuple[str, int, int]]:
        """Breaches of the rules for histograms and summaries: (code, index, related index or -1), by index."""

    @abstractmethod
    def is_complete(self, name: str, type: MetricType) -> bool:
        """Whether a histogram or summary consists of whole metrics, as Pushgateway prints them.

        Each has a sum and a count, and a histogram a bucket for ``+Inf``; buckets and quantiles have bounds that are
        numbers, other samples have none, and no sample of a histogram has just its name. Other types are complete.
        """

    @abstractmethod
    def united_in(self, other: Samples, label: str) -> tuple[int, int] | None:
        """The first sample that is of another metric than an earlier one, while in the other samples both are of one
        metric; and that earlier one.

        The others are as many, or it is a ValueError. A metric is told by all labels but one, and the time.
        """

    @abstractmethod
    def fingerprints(self) -> Sequence[int]:
        """A 64-bit number for each sample's series (name and labels): equal for equal series, on every machine.

        It is the big-endian BLAKE2b, 8 bytes long, of the name and then each label's name and value, sorted by name,
        in UTF-8 with a byte 0xFF between any two of them.
        """

    @abstractmethod
    def sorted(self, name: str, type: MetricType) -> Samples:
        """The samples in canonical order for a family of that name and type."""

    @abstractmethod
    def compact(self) -> Samples:
        """The same samples without a hold on the input they were read from."""


# The engine sits a layer above and hands its pack function down when it is chosen: families that are built from
# objects then take the same road as parsed ones.
_pack: Callable[[Iterable[Sample]], Samples]


def pack_with(pack: Callable[[Iterable[Sample]], Samples]) -> None:
    """Let families that are built from objects use this engine's columns."""
    global _pack
    _pack = pack


class Bucket(NamedTuple):
    """A histogram bucket: how many observations were at most ``upper_bound``, all smaller buckets included.

    >>> Bucket(0.1, 3).cumulative_count
    3
    """

    upper_bound: float
    cumulative_count: float
    exemplars: tuple[Exemplar, ...] = ()


class Quantile(NamedTuple):
    """A summary's value at a quantile between 0 and 1.

    >>> Quantile(0.99, 0.25).quantile
    0.99
    """

    quantile: float
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """What the typed metrics share: the label set (without ``le`` and ``quantile``) and the timestamp.

    Metrics are equal if they are of one class and hold the same, NaN being equal to
    NaN.

    >>> Metric(LabelSet(job="x")) == Metric(LabelSet(job="x"))
    True
    """

    labels: LabelSet = NO_LABELS
    timestamp_ns: int | None = None

    def __post_init__(self) -> None:
        # Whoever does not ask a type checker may give any mapping.
        labels: Mapping[str, str] = self.labels
        object.__setattr__(self, "labels", labels if isinstance(labels, LabelSet) else LabelSet(labels))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Metric) or type(other) is not type(self):
            return NotImplemented
        return all(_alike(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    def __hash__(self) -> int:
        return hash((type(self), self.labels, self.timestamp_ns))


def _alike(first: object, second: object) -> bool:
    if isinstance(first, float) and isinstance(second, (int, float)):
        return same_float(first, second)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_alike, first, second))
    return first == second


@dataclass(frozen=True, slots=True, eq=False)
class ValueMetric(Metric):
    """A metric that is one number.

    >>> ValueMetric(value=3.0).value
    3.0
    """

    value: float = math.nan
    exemplars: tuple[Exemplar, ...] = ()
    start_timestamp_ns: int | None = None


class CounterMetric(ValueMetric):
    """A counter's value.

    >>> CounterMetric(LabelSet(code="200"), value=7.0).labels["code"]
    '200'
    """

    __slots__ = ()


class GaugeMetric(ValueMetric):
    """A gauge's value.

    >>> GaugeMetric(value=-1.5).value
    -1.5
    """

    __slots__ = ()


class UnknownMetric(ValueMetric):
    """The value of a metric of unknown type.

    >>> UnknownMetric(value=0.0).value
    0.0
    """

    __slots__ = ()


class InfoMetric(ValueMetric):
    """An info metric: its labels say everything, its value is 1.

    >>> InfoMetric(LabelSet(version="1.2"), value=1.0).labels["version"]
    '1.2'
    """

    __slots__ = ()


class StateSetMetric(ValueMetric):
    """One state of a state set: the label named like the family names the state, the value 1 means on.

    >>> StateSetMetric(LabelSet(mode="idle"), value=1.0).value
    1.0
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class HistogramMetric(Metric):
    """A histogram: its buckets by ascending bound, and sum and count, ``None`` where the input has none.

    >>> h = HistogramMetric(buckets=(Bucket(0.5, 2), Bucket(float("inf"), 3)), sum=1.7, count=3)
    >>> [b.upper_bound for b in h.buckets], h.count
    ([0.5, inf], 3)
    """

    buckets: tuple[Bucket, ...] = ()
    sum: float | None = None
    count: float | None = None
    start_timestamp_ns: int | None = None

    def __post_init__(self) -> None:
        Metric.__post_init__(self)
        object.__setattr__(self, "buckets", tuple(Bucket(*bucket) for bucket in self.buckets))


class GaugeHistogramMetric(HistogramMetric):
    """A histogram whose counts may fall.

    >>> GaugeHistogramMetric(count=2).count
    2
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class SummaryMetric(Metric):
    """A summary: its quantiles in ascending order, and sum and count, ``None`` where the input has none.

    >>> SummaryMetric(quantiles=(Quantile(0.5, 1.2),), sum=3.0, count=2).quantiles[0].value
    1.2
    """

    quantiles: tuple[Quantile, ...] = ()
    sum: float | None = None
    count: float | None = None
    start_timestamp_ns: int | None = None

    def __post_init__(self) -> None:
        Metric.__post_init__(self)
        object.__setattr__(self, "quantiles", tuple(Quantile(*quantile) for quantile in self.quantiles))


Values = float | Mapping[LabelSet, float] | Iterable[tuple[Mapping[str, str], float]] | Iterable[ValueMetric]


# How many samples of a family, and families, an interactive session is shown.
_MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, init=False)
class MetricFamily:
    """All samples of one metric, with what its metadata lines say.

    ``help`` and ``unit`` are ``None`` where the input has no such line, ``""`` where it is empty. ``samples`` takes
    any iterable of :class:`Sample` and holds :class:`Samples`, in the order given, duplicates included. A family may
    have metadata and no samples. Rendering checks that the sample names belong to the family.

    >>> family = MetricFamily.gauge("queue_depth", {LabelSet(queue="mail"): 3, LabelSet(queue="sms"): 0})
    >>> family.type, [sample.value for sample in family.samples]
    (<MetricType.GAUGE: 'gauge'>, [3.0, 0.0])
    >>> MetricFamily.counter("jobs_total", 7).metrics[0].value
    7.0
    """

    name: str
    type: MetricType
    help: str | None
    unit: str | None
    samples: Samples

    def __init__(
        self,
        name: str,
        type: MetricType = MetricType.UNKNOWN,
        help: str | None = None,
        unit: str | None = None,
        samples: Iterable[Sample] = (),
    ) -> None:
        _check_name(name)
        for what, text in (("the help text", help), ("the unit", unit)):
            if text is not None:
                _check_text(what, text)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "type", MetricType(type))
        object.__setattr__(self, "help", help)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "samples", samples if isinstance(samples, Samples) else _pack(samples))

    @classmethod
    def _of(cls, name: str, type: MetricType, help: str | None, unit: str | None, samples: Samples) -> Self:
        """Put together what an engine has read and found valid."""
        self = cls.__new__(cls)
        _set_family_name(self, name)
        _set_family_type(self, type)
        _set_family_help(self, help)
        _set_family_unit(self, unit)
        _set_family_samples(self, samples)
        return self

    @classmethod
    def gauge(cls, name: str, values: Values, /, *, help: str | None = None, unit: str | None = None) -> Self:
        """A gauge family from one number (no labels), a mapping ``{label set: value}``, such pairs, or typed metrics.

        >>> str(MetricFamily.gauge("temperature_celsius", [({"room": "lab"}, 21.5)]).samples[0])
        'temperature_celsius{room="lab"} 21.5'
        """
        return cls(name, MetricType.GAUGE, help, unit, _value_samples(name, values))

    @classmethod
    def counter(cls, name: str, values: Values, /, *, help: str | None = None, unit: str | None = None) -> Self:
        """A counter family; the name is used as it is, so give it its ``_total``.

        >>> str(MetricFamily.counter("jobs_total", 3).samples[0])
        'jobs_total 3'
        """
        return cls(name, MetricType.COUNTER, help, unit, _value_samples(name, values))

    @classmethod
    def unknown(cls, name: str, values: Values, /, *, help: str | None = None, unit: str | None = None) -> Self:
        """A family of unknown type (*untyped* in the text format).

        >>> MetricFamily.unknown("x", 1).type
        <MetricType.UNKNOWN: 'unknown'>
        """
        return cls(name, MetricType.UNKNOWN, help, unit, _value_samples(name, values))

    @classmethod
    def histogram(
        cls,
        name: str,
        metrics: Iterable[HistogramMetric],
        /,
        *,
        help: str | None = None,
        unit: str | None = None,
    ) -> Self:
        """A histogram family. Nothing is invented: the buckets, sums and counts given are the samples.

        >>> metric = HistogramMetric(buckets=(Bucket(1, 2), Bucket(float("inf"), 2)), sum=0.5, count=2)
        >>> [str(sample) for sample in MetricFamily.histogram("h", [metric]).samples]
        ['h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 2', 'h_sum 0.5', 'h_count 2']
        """
        samples = []
        for metric in metrics:
            for bucket in metric.buckets:
                bound, count, exemplars = bucket
                labels = {**metric.labels, "le": format_float(bound)}
                start = metric.start_timestamp_ns
                samples.append(Sample(f"{name}_bucket", labels, count, metric.timestamp_ns, exemplars, start))
            samples += _sum_and_count(name, metric)
        return cls(name, MetricType.HISTOGRAM, help, unit, samples)

    @classmethod
    def summary(
        cls, name: str, metrics: Iterable[SummaryMetric], /, *, help: str | None = None, unit: str | None = None
    ) -> Self:
        """A summary family from its metrics.

        >>> metric = SummaryMetric(quantiles=(Quantile(0.5, 1.25),), sum=9, count=4)
        >>> [str(sample) for sample in MetricFamily.summary("s", [metric]).samples]
        ['s{quantile="0.5"} 1.25', 's_sum 9', 's_count 4']
        """
        samples = []
        for metric in metrics:
            for quantile, value in metric.quantiles:
                labels = {**metric.labels, "quantile": format_float(quantile)}
                samples.append(Sample(name, labels, value, metric.timestamp_ns, (), metric.start_timestamp_ns))
            samples += _sum_and_count(name, metric)
        return cls(name, MetricType.SUMMARY, help, unit, samples)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - the signature is IPython's
        """What Hypothesis and IPython show: the metadata, and the samples as text."""
        printer.text("\n".join(self._shown()))

    def _shown(self) -> Iterator[str]:
        help = "" if self.help is None else f", help={self.help!r}"
        yield f"MetricFamily {self.name!r} ({self.type}{help}):"
        yield from (f"    {sample}" for sample in self.samples[:_MOST_SHOWN])
        if len(self.samples) > _MOST_SHOWN:
            yield f"    ... {len(self.samples) - _MOST_SHOWN} more"

    @property
    def metrics(self) -> Sequence[ValueMetric | HistogramMetric | SummaryMetric]:
        """The samples as typed metrics, in order of first appearance.

        Samples of a histogram or summary belong together by their labels (without ``le`` or ``quantile``) and
        timestamp; buckets and quantiles are in ascending order. A sample without a place in its type, such as a
        bucket without ``le``, is in ``samples`` alone. Each call builds the list anew.

        >>> from expofmt import parse
        >>> text = '# TYPE h histogram\\nh_bucket{le="+Inf"} 2\\nh_sum 3\\nh_count 2\\n'
        >>> parse(text)["h"].metrics[0].buckets
        (Bucket(upper_bound=inf, cumulative_count=2.0, exemplars=()),)
        """
        if self.type is MetricType.SUMMARY or self.type in HISTOGRAM_TYPES:
            return _composite_metrics(self.name, self.type, self.samples)
        kind = _VALUE_METRICS[self.type]
        return [kind(s.labels, s.timestamp_ns, s.value, s.exemplars, s.start_timestamp_ns) for s in self.samples]

    def with_samples(self, samples: Iterable[Sample]) -> MetricFamily:
        """The same family with other samples.

        >>> len(MetricFamily.gauge("a", 1).with_samples([]).samples)
        0
        """
        held = samples if _is_like(samples, self.samples) else _pack(samples)
        return MetricFamily._of(self.name, self.type, self.help, self.unit, held)


def _is_like(samples: Iterable[Sample], held: Samples) -> TypeGuard[Samples]:
    """Whether these are Samples. Most are of the type of others, and an abstract class takes long to answer."""
    return type(samples) is type(held) or isinstance(samples, Samples)


_set_family_name, _set_family_type, _set_family_help, _set_family_unit, _set_family_samples = (
    vars(MetricFamily)[slot].__set__ for slot in MetricFamily.__slots__
)

_VALUE_METRICS: Final[Mapping[MetricType, type[ValueMetric]]] = {
    MetricType.COUNTER: CounterMetric,
    MetricType.GAUGE: GaugeMetric,
    MetricType.INFO: InfoMetric,
    MetricType.STATESET: StateSetMetric,
    MetricType.UNKNOWN: UnknownMetric,
}


class Exposition(Mapping[str, MetricFamily]):
    """What one source exposes: an immutable mapping from family name to family, in the order of first mention.

    Two families of one name are a ``ValueError``: :func:`expofmt.merge` unites expositions. ``format`` and
    ``filename`` say where it came from and take no part in equality, nor does the order of families.

    >>> exposition = Exposition([MetricFamily.gauge("b", 1), MetricFamily.gauge("a", 2)])
    >>> list(exposition), exposition["a"].samples[0].value
    (['b', 'a'], 2.0)
    """

    __slots__ = ("_content", "_scanned", "filename", "format")

    DEFAULT_FILENAME: ClassVar = "<exposition>"

    # The families by name, or what will make them: of hundreds in a scrape, most callers look at a few.
    _content: dict[str, MetricFamily] | Callable[[], dict[str, MetricFamily]]
    # The same families as an engine has read them, if it has: that writes text from them without an object for each.
    _scanned: Sequence[Any] | None
    format: Format
    filename: str

    def __init__(
        self,
        families: Iterable[MetricFamily] = (),
        /,
        *,
        format: Format = Format.TEXT,
        filename: str = DEFAULT_FILENAME,
    ) -> None:
        by_name: dict[str, MetricFamily] = {}
        for family in families:
            if not isinstance(family, MetricFamily):
                raise TypeError(f"an exposition is made of metric families, not of {type(family).__name__}: {family!r}")
            if family.name in by_name:
                raise ValueError(f"metric family {family.name!r} is given twice")
            by_name[family.name] = family
        _set_content(self, by_name)
        _set_scanned(self, None)
        _set_format(self, format)
        _set_filename(self, filename)

    @classmethod
    def _read(
        cls,
        scanned: Sequence[Any],
        assemble: Callable[[Sequence[Any]], dict[str, MetricFamily]],
        format: Format,
        filename: str,
    ) -> Self:
        """What an engine has read and found valid; the function is called when a family is asked for."""
        self = cls.__new__(cls)
        _set_content(self, partial(assemble, scanned))
        _set_scanned(self, scanned)
        _set_format(self, format)
        _set_filename(self, filename)
        return self

    @property
    def _families(self) -> dict[str, MetricFamily]:
        content = self._content
        if not isinstance(content, dict):
            # Where two threads come here at once, both make the same families, and those of one are kept.
            content = content()
            _set_content(self, content)
        return content

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("an exposition does not change: make another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("an exposition does not change: make another one")

    def __getitem__(self, name: str) -> MetricFamily:
        return self._families[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        # Whoever only asks how many there are need not wait until each is an object.
        return len(self._families if self._scanned is None else self._scanned)

    def __contains__(self, name: object) -> bool:
        return name in self._families

    # The views that a mapping has of its own ask it for each family; those of a dict are quicker.
    def keys(self) -> KeysView[str]:
        return self._families.keys()

    def values(self) -> ValuesView[MetricFamily]:
        return self._families.values()

    def items(self) -> ItemsView[str, MetricFamily]:
        return self._families.items()

    def __eq__(self, other: object) -> bool:
        return self._families == other._families if isinstance(other, Exposition) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._families.items()))

    def __repr__(self) -> str:
        families = "1 family" if len(self) == 1 else f"{len(self)} families"
        samples = "1 sample" if self.sample_count == 1 else f"{self.sample_count} samples"
        return f"<Exposition {self.filename!r}: {families}, {samples}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - the signature is IPython's
        """What Hypothesis and IPython show: the first families, and their samples as text."""
        shown = [line for family in [*self._families.values()][:_MOST_SHOWN] for line in family._shown()]
        printer.text("\n".join([repr(self), *shown]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_exposition, (tuple(self._families.values()), self.format, self.filename)

    @property
    def sample_count(self) -> int:
        """How many samples all families hold together.

        >>> Exposition([MetricFamily.gauge("a", 1)]).sample_count
        1
        """
        return sum(len(family.samples) for family in self._families.values())

    def with_labels(self, override: Mapping[str, str], /, *, default: Mapping[str, str] | None = None) -> Exposition:
        """The exposition with labels set on every sample.

        ``override`` replaces a label of that name; ``default`` applies where it is absent or empty. To set ``le`` where
        there are histograms, or ``quantile`` where there are summaries, is a ``ValueError``: they tell samples apart.

        >>> exposition = Exposition([MetricFamily.gauge("a", 1)]).with_labels({"job": "x"}, default={"instance": ""})
        >>> str(exposition["a"].samples[0])
        'a{instance="",job="x"} 1'
        """
        override = LabelSet(override)
        rest = LabelSet(default or {})
        for family in self._families.values():
            bound = _BOUND_LABELS.get(family.type)
            if bound is not None and (bound in override or bound in rest):
                raise ValueError(f"label `{bound}` tells the samples of {family.type} {family.name!r} apart")
        return self._of(
            family.with_samples(family.samples.with_labels(override, rest)) for family in self._families.values()
        )

    def select(self, *names: str, labels: Mapping[str, str | re.Pattern[str]] | None = None) -> Exposition:
        """The families whose name fits one of the glob patterns (all, if none is given), and of them the samples
        whose labels fit.

        A label is asked for as text, to be equal, or as a compiled pattern, to match in full; an absent label counts
        as ``""``. With ``labels``, families that keep no sample are left out.

        >>> exposition = Exposition([MetricFamily.gauge("go_threads", 8), MetricFamily.gauge("up", 1)])
        >>> list(exposition.select("go_*"))
        ['go_threads']
        """
        wanted = [
            family
            for family in self._families.values()
            if not names or any(fnmatch.fnmatchcase(family.name, pattern) for pattern in names)
        ]
        if not labels:
            return self._of(wanted)
        matchers = {name: _predicate(wish) for name, wish in labels.items()}
        chosen = (family.with_samples(family.samples.select(matchers)) for family in wanted)
        return self._of(family for family in chosen if family.samples)

    def _of(self, families: Iterable[MetricFamily]) -> Exposition:
        return Exposition(families, format=self.format, filename=self.filename)


_set_content, _set_scanned, _set_filename, _set_format = (
    vars(Exposition)[slot].__set__ for slot in Exposition.__slots__
)


def _rebuild_exposition(families: tuple[MetricFamily, ...], format: Format, filename: str) -> Exposition:
    return Exposition(families, format=format, filename=filename)


def same_float(a: float, b: float) -> bool:
    """Equal, or both NaN.

    >>> same_float(float("nan"), float("nan")), same_float(0.0, -0.0), same_float(1.0, 2.0)
    (True, True, False)
    """
    return a == b or (a != a and b != b)


def hash_float(value: float) -> int:
    """A hash that agrees with :func:`same_float`.

    >>> hash_float(float("nan")) == hash_float(-float("nan"))
    True
    """
    return hash(value) if value == value else 0


def _predicate(wish: str | re.Pattern[str]) -> Callable[[str], bool]:
    if isinstance(wish, str):
        return wish.__eq__
    if not isinstance(wish, re.Pattern):
        raise TypeError(f"a label is asked for as a str or a compiled pattern, not {type(wish).__name__}: {wish!r}")
    return lambda value: wish.fullmatch(value) is not None


def _value_samples(name: str, values: Any) -> Iterator[Sample]:
    if hasattr(values, "__float__"):
        values = [(NO_LABELS, values)]
    for item in values.items() if isinstance(values, Mapping) else values:
        if isinstance(item, ValueMetric):
            yield Sample(name, item.labels, item.value, item.timestamp_ns, item.exemplars, item.start_timestamp_ns)
            continue
        labels, value = item
        if not isinstance(labels, Mapping):
            raise TypeError(f"the key of a value is a LabelSet, such as LabelSet(queue='mail'), not {labels!r}")
        yield Sample(name, labels, value)


def _sum_and_count(name: str, metric: HistogramMetric | SummaryMetric) -> list[Sample]:
    return [
        Sample(f"{name}{suffix}", metric.labels, value, metric.timestamp_ns, (), metric.start_timestamp_ns)
        for suffix, value in (("_sum", metric.sum), ("_count", metric.count))
        if value is not None
    ]


class _Parts:
    """What has been seen of one histogram or summary."""

    __slots__ = ("count", "points", "start", "sum")

    def __init__(self) -> None:
        self.points: list[tuple[float, float, tuple[Exemplar, ...]]] = []
        self.sum: float | None = None
        self.count: float | None = None
        self.start: int | None = None


def _composite_metrics(
    name: str, type: MetricType, samples: Samples
) -> list[ValueMetric | HistogramMetric | SummaryMetric]:
    summary = type is MetricType.SUMMARY
    point_name, point_label = (name, "quantile") if summary else (f"{name}_bucket", "le")
    found: dict[tuple[LabelSet, int | None], _Parts] = {}
    for sample in samples:
        labels = LabelSet._of(tuple(pair for pair in sample.labels.pairs if pair[0] != point_label))
        point: float | None = None
        if sample.name == point_name:
            try:
                point = parse_float(sample.labels[point_label])
            except (KeyError, ValueError, OverflowError):
                continue
        elif sample.name not in (f"{name}_sum", f"{name}_count", f"{name}_gsum", f"{name}_gcount"):
            continue
        parts = found.setdefault((labels, sample.timestamp_ns), _Parts())
        parts.start = parts.start if sample.start_timestamp_ns is None else sample.start_timestamp_ns
        if point is not None:
            parts.points.append((point, sample.value, sample.exemplars))
        elif sample.name.endswith("sum"):
            parts.sum = sample.value
        else:
            parts.count = sample.value
    for parts in found.values():
        parts.points.sort(key=lambda item: (math.isnan(item[0]), item[0]))
    if summary:
        return [
            SummaryMetric(labels, time, tuple(Quantile(q, v) for q, v, _ in p.points), p.sum, p.count, p.start)
            for (labels, time), p in found.items()
        ]
    kind = HistogramMetric if type is MetricType.HISTOGRAM else GaugeHistogramMetric
    return [
        kind(labels, time, tuple(Bucket(*point) for point in p.points), p.sum, p.count, p.start)
        for (labels, time), p in found.items()
    ]


def _bare_or_quoted(name: str) -> str:
    return name if is_legacy_metric_name(name) and ":" not in name else quote(name)


def _check_name(name: str) -> None:
    _check_text("a metric name", name)
    if not name:
        raise ValueError("a metric name is empty")


def _check_text(what: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {type(text).__name__}: {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what}, {text!r}, holds a lone surrogate, which UTF-8 cannot express") from error


def _number(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError(f"a value is a number, not a str: {value!r}")
    return float(value)


def _time(timestamp_ns: Any) -> int | None:
    if timestamp_ns is None:
        return None
    if isinstance(timestamp_ns, bool) or not hasattr(timestamp_ns, "__index__"):
        raise TypeError(f"a timestamp is an integer of nanoseconds, not {timestamp_ns!r}: write int(seconds * 10**9)")
    time = index(timestamp_ns)
    if not INT64_MIN <= time // _NS_PER_MS <= INT64_MAX:
        raise ValueError(f"a timestamp fits in int64 milliseconds, and {time} ns does not")
    return time


__all__ = [
    "Bucket",
    "CounterMetric",
    "Difference",
    "Exemplar",
    "Exposition",
    "GaugeHistogramMetric",
    "GaugeMetric",
    "HistogramMetric",
    "InfoMetric",
    "LabelSet",
    "Metric",
    "MetricFamily",
    "MetricType",
    "Quantile",
    "Sample",
    "Samples",
    "StateSetMetric",
    "SummaryMetric",
    "UnknownMetric",
    "ValueMetric",
]
