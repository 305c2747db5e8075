"""The Lark engine's samples: columns of plain Python, and every question about many samples at once.

A row's label column holds the label set as it was written, braces included, and ``""`` where there are none: it is
decoded when somebody asks, and what was decoded is remembered by its text.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, pairwise, repeat
from typing import Any, Final, NamedTuple, TypeVar, overload

from ..codes import Code
from ..model import (
    HISTOGRAM_TYPES,
    NO_LABELS,
    Difference,
    Exemplar,
    LabelSet,
    MetricType,
    Sample,
    Samples,
    same_float,
    set_exemplars,
    set_labels,
    set_name,
    set_start_timestamp,
    set_timestamp,
    set_value,
)
from ..source import Span
from ..values import parse_float

__all__ = ["BACKSLASH", "Columns", "LarkSamples", "bound_of", "order_of", "pack", "pairs_of", "point_of", "unescape"]

T = TypeVar("T")

Pairs = tuple[tuple[str, str], ...]
Key = tuple[str, Pairs, int | None]
Series = tuple[str, Pairs, int | None, float | str | None]

_LABEL: Final = re.compile(
    r'([a-zA-Z_][a-zA-Z0-9_]*+|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+")[ \t]*+=[ \t]*+"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"'
)
# Stands for a backslash while escapes are replaced: no text that is UTF-8 has a lone surrogate.
BACKSLASH: Final = "\ud800"
# How many label sets are remembered, and how long one may be, so that no huge input stays in memory after its use.
_REMEMBERED: Final = 1 << 14
_LONGEST_REMEMBERED: Final = 1 << 10
_NS_PER_MS: Final = 1_000_000


def unescape(text: str) -> str:
    r"""The text that a quoted string stands for; an unknown escape stays as it is.

    >>> unescape(r"C:\\dir\q")
    'C:\\dir\\q'
    """
    if "\\" not in text:
        return text
    escaped = text.replace("\\\\", BACKSLASH).replace("\\n", "\n").replace('\\"', '"')
    return escaped.replace(BACKSLASH, "\\")


def pairs_of(labels: str) -> Pairs:
    """The label pairs, sorted by name, of a label set as it is written.

    >>> pairs_of('{b="1", "a.c"="2",}')
    (('a.c', '2'), ('b', '1'))
    """
    return _remembered_pairs(labels) if len(labels) <= _LONGEST_REMEMBERED else _read_pairs(labels)


def _read_pairs(labels: str) -> Pairs:
    found = [
        (unescape(name[1:-1]) if name[0] == '"' else name, unescape(value)) for name, value in _LABEL.findall(labels)
    ]
    found.sort()
    return tuple(found)


_remembered_pairs = lru_cache(_REMEMBERED)(_read_pairs)


def _label_set(labels: str) -> LabelSet:
    return _remembered_label_set(labels) if len(labels) <= _LONGEST_REMEMBERED else LabelSet._of(_read_pairs(labels))


@lru_cache(_REMEMBERED)
def _remembered_label_set(labels: str) -> LabelSet:
    return LabelSet._of(pairs_of(labels))


# What a bound may be, in the order in which bounds are sorted.
NUMBER, NAN, NO_NUMBER, ABSENT = range(4)
_BOUND_FAULTS: Final = {NAN: Code.NAN_BOUND, NO_NUMBER: Code.INVALID_LE, ABSENT: Code.MISSING_LE}


@lru_cache(_REMEMBERED)
def bound_of(text: str | None) -> tuple[int, float]:
    """A sort key for ``le`` and ``quantile``: numbers first, then NaN, what is no number, and what is absent.

    >>> sorted(["x", "+Inf", "0.5", "NaN", "10"], key=bound_of)
    ['0.5', '10', '+Inf', 'NaN', 'x']
    """
    if text is None:
        return (ABSENT, 0.0)
    try:
        number = parse_float(text)
    except (ValueError, OverflowError):
        return (NO_NUMBER, 0.0)
    return (NUMBER, number) if number == number else (NAN, 0.0)


class _Extra(NamedTuple):
    """What only OpenMetrics samples have."""

    exemplars: tuple[Exemplar, ...]
    start_timestamp_ns: int | None


class Columns:
    """One column a property; ``times``, ``literals`` and ``extras`` hold only the rows that have one."""

    __slots__ = ("extras", "labels", "literals", "names", "spans", "times", "values")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.labels: list[str] = []
        self.values: array[float] = array("d")
        # Two offsets a row; empty where the rows do not come from one input.
        self.spans: array[int] = array("q")
        self.times: dict[int, int] = {}
        self.literals: dict[int, str] = {}
        self.extras: dict[int, _Extra] = {}

    @classmethod
    def of(cls, **columns: Any) -> Columns:
        """Columns that exist; those not given are empty."""
        self = cls()
        for name, column in columns.items():
            setattr(self, name, column)
        return self

    def rows(self, indices: Sequence[int]) -> Columns:
        """The rows asked for, in that order."""
        spans = array("q")
        if self.spans:
            for index in indices:
                spans.extend(self.spans[2 * index : 2 * index + 2])
        return Columns.of(
            names=[self.names[index] for index in indices],
            labels=[self.labels[index] for index in indices],
            values=array("d", (self.values[index] for index in indices)),
            spans=spans,
            times=_pick(self.times, indices),
            literals=_pick(self.literals, indices),
            extras=_pick(self.extras, indices),
        )

    def extend(self, other: Columns) -> None:
        """Append another input's rows, after which the spans mean nothing."""
        offset = len(self.names)
        self.names += other.names
        self.labels += other.labels
        self.values += other.values
        self.times.update((offset + index, time) for index, time in other.times.items())
        self.literals.update((offset + index, text) for index, text in other.literals.items())
        self.extras.update((offset + index, extra) for index, extra in other.extras.items())
        self.spans = array("q")

    def settle(self, index: int, other: Columns, row: int, op: str) -> None:
        """Let a row of another input that has the same series and time change this row, as the operation says."""
        mine, theirs = self.values[index], other.values[row]
        if op == "sum":
            self.values[index] = mine + theirs
            self.literals.pop(index, None)
        elif _PREFERS_OTHER[op](mine, theirs):
            self.values[index] = theirs
            _replace(self.literals, index, other.literals.get(row))
            _replace(self.extras, index, other.extras.get(row))

    def replaced(self, **columns: Any) -> Columns:
        """The same rows with other columns."""
        return Columns.of(**{name: getattr(self, name) for name in self.__slots__} | columns)


def _replace(column: dict[int, T], index: int, value: T | None) -> None:
    if value is None:
        column.pop(index, None)
    else:
        column[index] = value


def _pick(column: dict[int, T], indices: Sequence[int]) -> dict[int, T]:
    if not column:
        return {}
    return {position: column[index] for position, index in enumerate(indices) if index in column}


class LarkSamples(Samples):
    """Samples in columns; see :class:`expofmt.Samples`.

    >>> [str(sample) for sample in pack([Sample("a", {"b": "c"}, 1)])]
    ['a{b="c"} 1']
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    # ------------------------------------------------------------------------------------------- as a sequence

    def __len__(self) -> int:
        return len(self.columns.names)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> LarkSamples: ...
    def __getitem__(self, index: int | slice) -> Sample | LarkSamples:
        if isinstance(index, slice):
            return self._rows(range(*index.indices(len(self))))
        return self._sample(range(len(self))[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(self._sample, range(len(self)))

    def _sample(self, index: int) -> Sample:
        columns = self.columns
        sample = object.__new__(Sample)
        set_name(sample, columns.names[index])
        labels = columns.labels[index]
        set_labels(sample, _label_set(labels) if labels else NO_LABELS)
        set_value(sample, columns.values[index])
        set_timestamp(sample, columns.times.get(index))
        extra = columns.extras.get(index)
        set_exemplars(sample, extra.exemplars if extra else ())
        set_start_timestamp(sample, extra.start_timestamp_ns if extra else None)
        return sample

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Samples):
            return NotImplemented
        if len(self) != len(other):
            return False
        if not isinstance(other, LarkSamples):
            return all(map(Sample.__eq__, self, other))
        mine, theirs = self.columns, other.columns
        return (
            mine.names == theirs.names
            and mine.times == theirs.times
            and (mine.labels == theirs.labels or [*map(pairs_of, mine.labels)] == [*map(pairs_of, theirs.labels)])
            and (mine.values == theirs.values or all(map(same_float, mine.values, theirs.values)))
            and mine.extras == theirs.extras
        )

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self[:3]))
        return f"<{len(self)} samples: {shown}{', ...' if len(self) > 3 else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        columns = self.compact().columns
        return _rebuild, ({name: getattr(columns, name) for name in Columns.__slots__},)

    # ---------------------------------------------------------------------------------------- simple questions

    def span(self, index: int, /) -> Span | None:
        row = range(len(self))[index]
        spans = self.columns.spans
        return Span(spans[2 * row], spans[2 * row + 1]) if spans else None

    @property
    def has_timestamps(self) -> bool:
        return bool(self.columns.times)

    def first_timestamp(self) -> int | None:
        return min(self.columns.times, default=None)

    def names(self) -> frozenset[str]:
        return frozenset(self.columns.names)

    def losses_in_text(self) -> list[tuple[str, int]]:
        columns = self.columns
        if not (columns.extras or columns.times):
            return []
        firsts = (
            ("exemplars", (index for index, extra in columns.extras.items() if extra.exemplars)),
            ("start timestamps", (i for i, extra in columns.extras.items() if extra.start_timestamp_ns is not None)),
            ("timestamps", (index for index, time in columns.times.items() if time % _NS_PER_MS)),
        )
        return [(what, index) for what, rows in firsts if (index := min(rows, default=None)) is not None]

    # -------------------------------------------------------------------------------------------- new samples

    def with_labels(
        self, override: Mapping[str, str], default: Mapping[str, str], *, compact: bool = False
    ) -> LarkSamples:
        changed: dict[str, str] = {}
        for text in set(self.columns.labels):
            labels = {name: value for name, value in default.items() if name not in override}
            labels.update(pair for pair in pairs_of(text) if pair[1] or pair[0] not in labels)
            changed[text] = str(LabelSet(labels | dict(override)))
        labelled = LarkSamples(self.columns.replaced(labels=[changed[text] for text in self.columns.labels]))
        return labelled.compact() if compact else labelled

    def select(self, matchers: Mapping[str, Callable[[str], bool]]) -> LarkSamples:
        verdicts: dict[tuple[str, str], bool] = {}
        fits: dict[str, bool] = {}
        for text in set(self.columns.labels):
            labels = dict(pairs_of(text))
            for name, accepts in matchers.items():
                question = (name, labels.get(name, ""))
                if question not in verdicts:
                    verdicts[question] = accepts(question[1])
                if not verdicts[question]:
                    fits[text] = False
                    break
            else:
                fits[text] = True
        return self._rows([index for index, text in enumerate(self.columns.labels) if fits[text]])

    def concat(self, *others: Samples) -> LarkSamples:
        columns = self.columns.rows(range(len(self)))
        for other in others:
            columns.extend(_columns_of(other))
        return LarkSamples(columns)

    def combine(
        self, other: Samples, op: str, *, name: str, type: MetricType
    ) -> tuple[LarkSamples, list[tuple[int, int]]]:
        theirs = LarkSamples(_columns_of(other))
        differing = self._differing_bounds(theirs, name) if type in HISTOGRAM_TYPES and op != "refuse" else []
        if differing and op == "first":
            return self.combine(theirs._without_histograms(index for _, index in differing), op, name=name, type=type)
        if differing and op == "last":
            kept = self._without_histograms(index for index, _ in differing)
            return kept.combine(theirs, op, name=name, type=type)
        rows = self._index(name, type)
        if op == "refuse":
            shared = [(rows[key], index) for index, key in enumerate(theirs._series(name, type)) if key in rows]
            return self.concat(theirs), sorted(shared)
        united = self.columns.rows(range(len(self)))
        fresh: list[int] = []
        for index, key in enumerate(theirs._series(name, type)):
            mine = rows.get(key)
            if mine is None:
                fresh.append(index)
            else:
                united.settle(mine, theirs.columns, index, op)
        united.extend(theirs.columns.rows(fresh))
        return LarkSamples(united), differing

    def _without_histograms(self, indices: Iterable[int]) -> LarkSamples:
        """Without those that the rows belong to."""
        histograms = [(split_point(pairs, "le")[0], time) for _, pairs, time in self._keys()]
        dropped = {histograms[index] for index in indices}
        return self._rows([index for index, histogram in enumerate(histograms) if histogram not in dropped])

    def _differing_bounds(self, other: LarkSamples, name: str) -> list[tuple[int, int]]:
        mine, theirs = self._bounds(name), other._bounds(name)
        return [
            (first, theirs[series][0])
            for series, (first, bounds) in mine.items()
            if series in theirs and theirs[series][1] != bounds
        ]

    def _bounds(self, name: str) -> dict[tuple[Pairs, int | None], tuple[int, set[tuple[int, float]]]]:
        """For each histogram of the family its first row and its bounds, which may be none."""
        found: dict[tuple[Pairs, int | None], tuple[int, set[tuple[int, float]]]] = {}
        for index, (sample_name, pairs, time) in enumerate(self._keys()):
            base, le = split_point(pairs, "le")
            _, bounds = found.setdefault((base, time), (index, set()))
            if sample_name == f"{name}_bucket":
                bounds.add(bound_of(le))
        return found

    def difference(self, other: Samples, *, name: str, type: MetricType) -> Difference:
        theirs = LarkSamples(_columns_of(other))
        old, new = self._index(name, type), theirs._index(name, type)
        shared = [(mine, new[key]) for key, mine in old.items() if key in new]
        changed = [
            (mine, index)
            for mine, index in shared
            if not same_float(self.columns.values[mine], theirs.columns.values[index])
        ]
        return Difference(
            removed=self._rows([index for key, index in old.items() if key not in new]),
            added=theirs._rows([index for key, index in new.items() if key not in old]),
            old=self._rows([mine for mine, _ in changed]),
            new=theirs._rows([index for _, index in changed]),
        )

    def sorted(self, name: str, type: MetricType) -> LarkSamples:
        order = [index for index, _, _ in self.in_order(name, type)]
        return self if order == [*range(len(order))] else self._rows(order)

    def in_order(self, name: str, type: MetricType) -> list[tuple[int, str, Pairs]]:
        """The rows in canonical order: index, sample name and labels."""
        rows = list(self._keys())
        if len(rows) == 1:
            return [(0, *rows[0][:2])]
        key = order_of(name, type)
        keys = [key(*row) for row in rows]
        return [(index, *rows[index][:2]) for index in sorted(range(len(rows)), key=keys.__getitem__)]

    def compact(self) -> LarkSamples:
        columns = self.columns.rows(range(len(self)))
        columns.spans = array("q")
        return LarkSamples(columns)

    def _rows(self, indices: Sequence[int]) -> LarkSamples:
        return LarkSamples(self.columns.rows(indices))

    # --------------------------------------------------------------------------------- questions about all rows

    def _keys(self) -> Iterator[Key]:
        """What identifies each row: name, labels, timestamp."""
        columns = self.columns
        times = map(columns.times.get, range(len(self))) if columns.times else repeat(None)
        return zip(columns.names, map(pairs_of, columns.labels), times, strict=False)

    def _series(self, name: str, type: MetricType) -> Iterator[Series]:
        """The same, with the bound of a bucket and the quantile as numbers: their spelling makes no other series."""
        point = point_of(name, type)
        for sample_name, pairs, time in self._keys():
            if point is not None and sample_name == point.sample_name:
                base, text = split_point(pairs, point.label)
                rank, number = bound_of(text)
                yield sample_name, base, time, number if rank == NUMBER else text
            else:
                yield sample_name, pairs, time, None

    def _index(self, name: str, type: MetricType) -> dict[Series, int]:
        """The first row of each series and time."""
        rows: dict[Series, int] = {}
        for index, series in enumerate(self._series(name, type)):
            rows.setdefault(series, index)
        return rows

    def label_names(self) -> frozenset[str]:
        return frozenset(name for text in set(self.columns.labels) for name, _ in pairs_of(text))

    def label_cardinality(self) -> dict[str, int]:
        values: dict[str, set[str]] = {}
        for text in set(self.columns.labels):
            for name, value in pairs_of(text):
                values.setdefault(name, set()).add(value)
        return {name: len(values[name]) for name in sorted(values)}

    def duplicates(self, *, name: str, type: MetricType) -> list[tuple[int, int]]:
        rows: dict[Series, int] = {}
        firsts = ((index, rows.setdefault(key, index)) for index, key in enumerate(self._series(name, type)))
        return [pair for pair in firsts if pair[0] != pair[1]]

    def fingerprints(self) -> Sequence[int]:
        return array(
            "Q",
            (
                int.from_bytes(blake2b(_identity(name, pairs), digest_size=8).digest())
                for name, pairs, _ in self._keys()
            ),
        )

    def histogram_faults(self, name: str, type: MetricType) -> list[tuple[str, int, int]]:
        if type is MetricType.SUMMARY:
            return sorted(self._summary_faults(name), key=lambda fault: fault[1])
        if type in HISTOGRAM_TYPES:
            return sorted(self._histogram_faults(name), key=lambda fault: fault[1])
        return []

    def is_complete(self, name: str, type: MetricType) -> bool:
        point = point_of(name, type)
        if point is None:
            return True
        metrics: dict[tuple[Pairs, int | None], set[str]] = {}
        for sample_name, pairs, time in self._keys():
            base, text = split_point(pairs, point.label)
            parts = metrics.setdefault((base, time), set())
            if sample_name == point.sample_name:
                rank, bound = bound_of(text)
                if rank != NUMBER:
                    return False
                parts.add("all" if bound == float("inf") else "some")
            elif text is not None or sample_name == name:
                return False
            else:
                parts.add("sum" if sample_name.endswith("sum") else "count")
        whole = {"sum", "count", "all"} if type in HISTOGRAM_TYPES else {"sum", "count"}
        return all(parts >= whole for parts in metrics.values())

    def united_in(self, other: Samples, label: str) -> tuple[int, int] | None:
        theirs = LarkSamples(_columns_of(other))
        if len(theirs) != len(self):
            raise ValueError("the other samples are not as many as these")
        firsts: dict[tuple[Pairs, int | None], tuple[int, tuple[Pairs, int | None]]] = {}
        for index, (mine, metric) in enumerate(zip(self._metrics(label), theirs._metrics(label), strict=True)):
            first, known = firsts.setdefault(metric, (index, mine))
            if known != mine:
                return index, first
        return None

    def _metrics(self, label: str) -> Iterator[tuple[Pairs, int | None]]:
        """What tells the metric of each row: its labels but for one, and its time."""
        return ((split_point(pairs, label)[0], time) for _, pairs, time in self._keys())

    def _summary_faults(self, name: str) -> Iterator[tuple[str, int, int]]:
        for index, (sample_name, pairs, _) in enumerate(self._keys()):
            rank, quantile = bound_of(split_point(pairs, "quantile")[1])
            if rank == NO_NUMBER:
                yield Code.INVALID_QUANTILE, index, -1
            elif sample_name == name and rank:
                yield Code.NAN_BOUND if rank == NAN else Code.MISSING_QUANTILE, index, -1
            elif sample_name == name and not 0 <= quantile <= 1:
                yield Code.QUANTILE_OUT_OF_RANGE, index, -1

    def _histogram_faults(self, name: str) -> Iterator[tuple[str, int, int]]:
        series: dict[tuple[Pairs, int | None], _Series] = {}
        for index, (sample_name, pairs, time) in enumerate(self._keys()):
            base, text = split_point(pairs, "le")
            rank, bound = bound_of(text)
            if sample_name == name:
                yield Code.INVALID_LE if rank == NO_NUMBER else Code.STRAY_SAMPLE, index, -1
                continue
            found = series.setdefault((base, time), _Series())
            found.last = index
            if sample_name != f"{name}_bucket":
                if rank == NO_NUMBER:
                    yield Code.INVALID_LE, index, -1
                if sample_name.endswith("sum"):
                    found.sum = index
                else:
                    found.count = index
                continue
            if rank:
                yield _BOUND_FAULTS[rank], index, -1
                found.complete = False
                continue
            if found.buckets and bound < found.buckets[-1][0]:
                yield Code.BUCKET_ORDER, index, found.buckets[-1][1]
            found.buckets.append((bound, index))
        for found in series.values():
            yield from self._series_faults(found)

    def _series_faults(self, series: _Series) -> Iterator[tuple[str, int, int]]:
        values = self.columns.values
        buckets = sorted(series.buckets)
        for (bound, index), (next_bound, next_index) in pairwise(buckets):
            if next_bound != bound and values[next_index] < values[index]:
                yield Code.BUCKET_NOT_CUMULATIVE, next_index, index
        if not buckets or buckets[-1][0] != float("inf"):
            # A bucket whose bound cannot be read may have been meant.
            if series.complete:
                yield Code.MISSING_INF_BUCKET, series.last, -1
        elif series.count is not None and values[series.count] != values[buckets[-1][1]]:
            yield Code.COUNT_MISMATCH, series.count, buckets[-1][1]
        if series.sum is None:
            yield Code.MISSING_SUM, series.last, -1
        if series.count is None:
            yield Code.MISSING_COUNT, series.last, -1


class _Series:
    """The rows of one histogram: its bounds with their rows, and the rows of sum, count and the last of all."""

    __slots__ = ("buckets", "complete", "count", "last", "sum")

    def __init__(self) -> None:
        self.buckets: list[tuple[float, int]] = []
        self.sum: int | None = None
        self.count: int | None = None
        self.last = -1
        self.complete = True


class Point(NamedTuple):
    """Which samples of a family are buckets or quantiles, and which label holds the bound."""

    sample_name: str
    label: str


def point_of(name: str, type: MetricType) -> Point | None:
    """The buckets of a histogram, the quantiles of a summary; other types have no such samples.

    >>> point_of("h", MetricType.HISTOGRAM)
    Point(sample_name='h_bucket', label='le')
    """
    if type is MetricType.SUMMARY:
        return Point(name, "quantile")
    return Point(f"{name}_bucket", "le") if type in HISTOGRAM_TYPES else None


def split_point(pairs: Pairs, label: str) -> tuple[Pairs, str | None]:
    """The labels without ``le`` or ``quantile``, and the value of that.

    >>> split_point((("a", "1"), ("le", "5")), "le")
    ((('a', '1'),), '5')
    """
    for position, (name, value) in enumerate(pairs):
        if name == label:
            return pairs[:position] + pairs[position + 1 :], value
    return pairs, None


# Where the parts of a histogram or summary stand among their like.
_RANKS: Final = {"_sum": 1, "_gsum": 1, "_count": 2, "_gcount": 2}
_STRAY: Final = 3


def order_of(name: str, type: MetricType) -> Callable[[str, Pairs, int | None], tuple[Any, ...]]:
    """What makes the sort key of a row in canonical order, which is that of Prometheus' own encoder.

    >>> key = order_of("a", MetricType.GAUGE)
    >>> key("a", (), None) < key("a", (("b", "1"),), None)
    True
    """
    point = point_of(name, type)
    if point is None:
        return _plain_order

    def order(sample_name: str, pairs: Pairs, time: int | None) -> tuple[Any, ...]:
        rank, bound = 0, (0, 0.0)
        base = pairs
        if sample_name == point.sample_name:
            base, text = split_point(pairs, point.label)
            bound = bound_of(text)
        else:
            rank = _RANKS.get(sample_name[len(name) :], _STRAY)
        return *_plain_order("", base, time), rank, bound, sample_name

    return order


def _plain_order(name: str, pairs: Pairs, time: int | None) -> tuple[Any, ...]:
    values = [value for _, value in pairs]
    names = [key for key, _ in pairs]
    # A sample without a time comes after those that have one.
    return len(pairs), values, names, time is None, time or 0, name


def _identity(name: str, pairs: Pairs) -> bytes:
    # A byte that UTF-8 has no use for parts the texts, so that no two series read alike.
    return b"\xff".join(text.encode() for text in (name, *chain.from_iterable(pairs)))


# NaN is no smaller and no greater than a number, and gives way to one.
_PREFERS_OTHER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "first": lambda mine, theirs: False,
    "last": lambda mine, theirs: True,
    "min": lambda mine, theirs: mine != mine or theirs < mine,
    "max": lambda mine, theirs: mine != mine or theirs > mine,
}


def _rebuild(columns: dict[str, Any]) -> LarkSamples:
    return LarkSamples(Columns.of(**columns))


def _columns_of(samples: Samples) -> Columns:
    return samples.columns if isinstance(samples, LarkSamples) else pack(samples).columns


def pack(samples: Iterable[Sample], /) -> LarkSamples:
    """Columns from objects.

    >>> len(pack([Sample("a", {}, 1), Sample("a", {}, 2)]))
    2
    """
    columns = Columns()
    for index, sample in enumerate(samples):
        if not isinstance(sample, Sample):
            raise TypeError(f"a family holds samples of class Sample, not {type(sample).__name__}")
        columns.names.append(sample.name)
        columns.labels.append(str(sample.labels) if sample.labels else "")
        columns.values.append(sample.value)
        if sample.timestamp_ns is not None:
            columns.times[index] = sample.timestamp_ns
        if sample.exemplars or sample.start_timestamp_ns is not None:
            columns.extras[index] = _Extra(sample.exemplars, sample.start_timestamp_ns)
    return LarkSamples(columns)
