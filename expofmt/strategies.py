r"""Hypothesis strategies for expositions, to test what writes, reads or forwards metrics.

An exporter's author fuzzes an encoder with::

    from hypothesis import given
    from expofmt import check, diff, parse
    from expofmt.strategies import expositions

    @given(expositions(names="legacy", timestamps=False))
    def test_the_encoder(exposition):
        text = my_exporter.encode(exposition)
        assert check(text) == []
        changes = diff(exposition, parse(text))
        assert not changes, str(changes)

Who writes a client of a Pushgateway takes :func:`grouping_keys` for the groups that it may push to.

The author of a reader takes :func:`exposition_text`, valid text in all its spellings, or :func:`spelled_expositions`,
which says besides what it means; and :func:`invalid_expositions` for what must be refused.

Every strategy builds its examples from parts and never throws one away, so that failures shrink well: to few families
and samples, plain names and the canonical spelling. Options are keyword-only, and the same everywhere:

* ``names``: ``"legacy"`` for names that may stand bare, ``"utf-8"`` for any.
* ``types``: the types that families may have, out of :data:`TEXT_TYPES`.
* ``timestamps``: whether samples may carry one.
* ``max_families``, ``max_metrics``: how many at most, of one exposition and of one family.

Needs Hypothesis: ``pip install expofmt[testing]``. Importing ``expofmt`` does not import this module. Hypothesis knows
by itself what to do for ``MetricFamily``, ``Exposition``, ``Sample``, ``LabelSet`` and ``GroupingKey`` in
``st.from_type``.

>>> from hypothesis import find
>>> from expofmt import render
>>> example = find(expositions(names="legacy"), lambda exposition: exposition.sample_count > 0)
>>> print(render(example).decode(), end="")
# TYPE a counter
a 0
"""

from __future__ import annotations

import math
import operator
import string
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from itertools import permutations
from string import Template
from typing import Any, Final, NamedTuple, TypeVar, get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .codes import Code
from .grouping import GroupingKey
from .model import (
    TEXT_SUFFIXES,
    Exposition,
    LabelSet,
    MetricFamily,
    MetricType,
    Sample,
)
from .names import Names, escape_help, is_legacy_label_name, is_legacy_metric_name, quote
from .values import INT64_MAX, INT64_MIN, format_float

T = TypeVar("T")

# The types that the text format can tell apart, the simplest first: examples shrink to it.
TEXT_TYPES: Final = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.UNKNOWN,
    MetricType.SUMMARY,
    MetricType.HISTOGRAM,
)

_SUFFIXES: Final = ("_total", "_sum", "_count", "_bucket", "_created", "_info")
_NS_PER_MS: Final = 10**6

_FLOATS: Final = st.floats()

_NOT_GROUPING: Final = ("job", "le", "quantile")
_PATH_VALUES: Final = ("", "/", ".", "..", "a/b", "a//b", "+", " ", "%2F", "a?b", "=", "job@base64", "é", "\x00", "\\")


# ------------------------------------------------------------------------------------------------------- objects


def metric_names(*, names: Names = "utf-8") -> SearchStrategy[str]:
    """Names of metrics, some with the suffixes that have a meaning.

    >>> from hypothesis import find
    >>> find(metric_names(), lambda name: True)
    'a'
    """
    bare = _words("_:")
    kinds = [bare, st.tuples(bare, st.sampled_from(_SUFFIXES)).map("".join)]
    return st.one_of(*kinds, *_any_names(names))


def _words(punctuation: str) -> SearchStrategy[str]:
    """Names that may stand bare."""
    # Text shrinks to zeros, names should to letters.
    spelling = str.maketrans(string.digits + string.ascii_letters, string.ascii_letters + string.digits)
    characters = string.ascii_letters + string.digits + punctuation
    words = st.text(characters, min_size=1, max_size=8).map(lambda word: word.translate(spelling))
    return words.map(lambda word: "a" + word if word[0].isdigit() else word)


def _any_names(names: Names) -> list[SearchStrategy[str]]:
    """Names that need quotes, if they are wanted."""
    if names not in get_args(Names):
        raise ValueError(f"names are {' or '.join(map(repr, get_args(Names)))}, not {names!r}")
    return [st.text(min_size=1, max_size=12)] if names == "utf-8" else []


def label_names(*, names: Names = "utf-8") -> SearchStrategy[str]:
    """Names of labels, without the reserved ones that begin with two underscores.

    >>> from hypothesis import find
    >>> find(label_names(names="legacy"), lambda name: name.startswith("_"))
    '_'
    """
    return st.one_of(_words("_"), *_any_names(names)).map(_unreserved)


def _unreserved(name: str) -> str:
    return "a" + name if name.startswith("__") else name


def label_sets(*, names: Names = "utf-8", max_size: int = 4) -> SearchStrategy[LabelSet]:
    """Label sets, with any text as values, the empty text too.

    >>> from hypothesis import find
    >>> find(label_sets(), bool)
    LabelSet({'a': ''})
    """
    return st.dictionaries(label_names(names=names), st.text(max_size=12), max_size=max_size).map(LabelSet)


def grouping_keys(*, names: Names = "utf-8", max_labels: int = 3) -> SearchStrategy[GroupingKey]:
    """Grouping keys, with any text as values, often what takes care in a path: ``..``, ``a/b``, the empty text.

    >>> from hypothesis import find
    >>> find(grouping_keys(), lambda key: "/" in key.job).to_path()
    '/metrics/job@base64/Lw'
    """
    values = st.one_of(_words("_.:-"), st.sampled_from(_PATH_VALUES), st.text(max_size=12))
    jobs = values.map(lambda value: value or "a")
    grouping_names = label_names(names=names).map(lambda name: "a" + name if name in _NOT_GROUPING else name)
    return st.builds(GroupingKey, jobs, st.dictionaries(grouping_names, values, max_size=max_labels))


def samples(*, names: Names = "utf-8", timestamps: bool = True) -> SearchStrategy[Sample]:
    """Samples on their own, with any float64 as value.

    >>> from hypothesis import find
    >>> find(samples(timestamps=False), lambda sample: sample.value > 1).series
    'a'
    """
    parts = st.tuples(metric_names(names=names), label_sets(names=names), _FLOATS, _times(timestamps))
    return parts.map(lambda fields: Sample(*fields))


def _times(timestamps: bool) -> SearchStrategy[int | None]:
    """Times in nanoseconds that int64 milliseconds can hold."""
    milliseconds = st.integers(INT64_MIN, INT64_MAX).map(lambda time: time * _NS_PER_MS)
    return st.none() | milliseconds if timestamps else st.none()


def metric_families(
    *,
    names: Names = "utf-8",
    types: Collection[MetricType] = TEXT_TYPES,
    timestamps: bool = True,
    max_metrics: int = 3,
) -> SearchStrategy[MetricFamily]:
    """Families that any reader takes without complaint.

    No series stands in them twice at the same time. Histograms are cumulative, with a +Inf bucket that equals their
    count; they and summaries have a sum and a count; bounds and quantiles are spelt canonically. The order of metrics
    is any.

    >>> from hypothesis import find
    >>> family = find(metric_families(types=[MetricType.HISTOGRAM], timestamps=False), lambda family: family.samples)
    >>> [str(sample) for sample in family.samples]
    ['a_bucket{le="+Inf"} 0', 'a_sum 0', 'a_count 0']
    """
    return _family_alone(_families(names, types, timestamps, max_metrics, spelt=False))


def expositions(
    *,
    names: Names = "utf-8",
    types: Collection[MetricType] = TEXT_TYPES,
    timestamps: bool = True,
    max_families: int = 3,
    max_metrics: int = 3,
) -> SearchStrategy[Exposition]:
    """Expositions of such families as :func:`metric_families` gives, none of which claims another's name.

    They render without loss, the text checks clean, and with legacy names every reader of text 0.0.4 takes it.

    >>> from hypothesis import find
    >>> list(find(expositions(max_families=1), lambda exposition: len(exposition) == 1))
    ['a']
    """
    families = _families(names, types, timestamps, max_metrics, spelt=False)
    return _exposition_alone(_lists_of(families, max_families))


Block = tuple[MetricFamily, list[str]]


# Composite, and not mapped: Hypothesis prints an example that was mapped as the call that made it, which tells nobody
# what is in it.
@st.composite
def _family_alone(draw: DrawFn, blocks: SearchStrategy[Block]) -> MetricFamily:
    return draw(blocks)[0]


@st.composite
def _exposition_alone(draw: DrawFn, blocks: SearchStrategy[list[Block]]) -> Exposition:
    return Exposition(family for family, _ in draw(blocks))


def _lists_of(families: SearchStrategy[Block], max_size: int) -> SearchStrategy[list[Block]]:
    blocks = st.lists(families, unique_by=lambda block: block[0].name, max_size=max_size)
    return blocks.map(_without_collisions)


def _without_collisions(blocks: list[Block]) -> list[Block]:
    """The families less those that claim a name of one before them."""
    kept: list[Block] = []
    names: set[str] = set()
    claimed: set[str] = set()
    for family, lines in blocks:
        claims = {family.name + suffix for suffix in TEXT_SUFFIXES.get(family.type, ())}
        if family.name not in claimed and not claims & names:
            names.add(family.name)
            claimed |= claims
            kept.append((family, lines))
    return kept


# Hypothesis makes an example smaller by leaving out up to five neighbouring choices at a time. So a family without
# samples is five of them, and so is a sample without labels: the choice to have one more, then those below.

# A HELP line cannot hold all texts: blanks before one are not its own, and a CR at its end would be that of a CRLF.
_HELP_TEXTS: Final = st.text(max_size=12).map(lambda text: text.lstrip(" \t").rstrip("\r"))
_FINITE: Final = st.floats(allow_nan=False, allow_infinity=False)
_COUNTS: Final = st.integers(0, 2**40)
# Points ascend, but sum and count may stand before them. Counts may be fractional; halves add up exactly.
_LAYOUTS: Final = st.sampled_from(
    [(unit, order) for unit in (1.0, 0.5) for order in permutations(("points", "sum", "count"))]
)
_DECISIONS: Final = st.binary(max_size=80)


class _Metric(NamedTuple):
    """A sample that is a metric of its own; or, with the rest, a summary or histogram and its sum.

    Its lines are spelt as the decisions say, each beginning with another of them.
    """

    labels: LabelSet
    time: int | None
    value: float
    decisions: bytes
    points: Sequence[tuple[float, float]] = ()
    total: int = 0
    layout: tuple[float, Sequence[str]] = (1.0, ())

    def spelling(self, line: int) -> _Spelling:
        return _Spelling(self.decisions[line:] + self.decisions[:line])

    def samples(self, name: str, type: MetricType) -> list[Sample]:
        if type is MetricType.HISTOGRAM:
            points, count = self._buckets(f"{name}_bucket")
        elif type is MetricType.SUMMARY:
            points, count = [self._point(name, "quantile", *point) for point in sorted(self.points)], self.total
        else:
            return [Sample(name, self.labels, self.value, self.time)]
        parts = {
            "points": points,
            "sum": [Sample(f"{name}_sum", self.labels, self.value, self.time)],
            "count": [Sample(f"{name}_count", self.labels, count, self.time)],
        }
        return [sample for part in self.layout[1] for sample in parts[part]]

    def _buckets(self, name: str) -> tuple[list[Sample], float]:
        buckets = []
        count = 0.0
        for bound, step in [*sorted(self.points), (math.inf, self.total)]:
            count += self.layout[0] * step
            buckets.append(self._point(name, "le", bound, count))
        return buckets, count

    def _point(self, name: str, label: str, at: float, value: float) -> Sample:
        return Sample(name, {**self.labels, label: self.spelling(1).number(at)}, value, self.time)


Metrics = SearchStrategy[list[_Metric]]


def _metrics(names: Names, type: MetricType, timestamps: bool, max_size: int, spelt: bool) -> Metrics:
    labels = label_sets(names=names, max_size=3).map(_without_points)
    decisions = _DECISIONS if spelt else st.just(b"")
    parts: list[SearchStrategy[Any]] = [labels, _times(timestamps), _FLOATS, decisions]
    points = {MetricType.HISTOGRAM: (_FINITE, _COUNTS), MetricType.SUMMARY: (st.floats(0, 1), _FLOATS)}
    if type in points:
        parts += [_unique(st.tuples(*points[type]), 1, 3), _COUNTS, _LAYOUTS]
    return _unique(st.tuples(*parts), 2, max_size).map(lambda found: [_Metric(*fields) for fields in found])


def _unique(items: SearchStrategy[tuple[Any, ...]], keys: int, max_size: int) -> SearchStrategy[list[tuple[Any, ...]]]:
    """Lists of tuples of which no two begin with the same items, so many of them."""
    return st.lists(items, unique_by=lambda item: item[:keys], max_size=max_size)


def _without_points(labels: LabelSet) -> LabelSet:
    return LabelSet({name: value for name, value in labels.items() if name not in ("le", "quantile")})


def _families(
    names: Names, types: Collection[MetricType], timestamps: bool, max_metrics: int, *, spelt: bool
) -> SearchStrategy[Block]:
    if foreign := [type for type in types if type not in TEXT_TYPES]:
        raise ValueError(f"the text format has no type {foreign[0]}")
    if not types:
        raise ValueError("no types are given")
    metrics = {type: _metrics(names, type, timestamps, max_metrics, spelt) for type in TEXT_TYPES if type in types}
    kinds = st.sampled_from([(type, has_help) for has_help in (False, True) for type in metrics])
    return _family(metric_names(names=names), kinds, metrics, spelt)


@st.composite
def _family(
    draw: DrawFn,
    names: SearchStrategy[str],
    kinds: SearchStrategy[tuple[MetricType, bool]],
    metrics: Mapping[MetricType, Metrics],
    spelt: bool,
) -> Block:
    name, (type, has_help) = draw(names), draw(kinds)
    metadata = _Spelling(draw(_DECISIONS) if spelt and has_help else b"")
    help = draw(_HELP_TEXTS) if has_help else None
    samples: list[Sample] = []
    lines: list[str] = []
    for metric in draw(metrics[type]):
        own = metric.samples(name, type)
        samples += own
        for number, sample in enumerate(own):
            lines += metric.spelling(number).sample_lines(sample)
    family = MetricFamily(name, type, help, samples=samples)
    return family, metadata.metadata(family) + lines


# ---------------------------------------------------------------------------------------------------------- text


def exposition_text(
    *,
    names: Names = "utf-8",
    types: Collection[MetricType] = TEXT_TYPES,
    timestamps: bool = True,
    interleaved: bool = False,
    max_families: int = 3,
    max_metrics: int = 3,
) -> SearchStrategy[bytes]:
    r"""Valid text in all its spellings; :func:`spelled_expositions` gives besides what it means.

    >>> from hypothesis import find
    >>> from expofmt import check
    >>> check(find(exposition_text(max_families=1), lambda text: b"# TYPE" in text))
    []
    """
    pairs = spelled_expositions(
        names=names,
        types=types,
        timestamps=timestamps,
        interleaved=interleaved,
        max_families=max_families,
        max_metrics=max_metrics,
    )
    return pairs.map(operator.itemgetter(1))


def spelled_expositions(
    *,
    names: Names = "utf-8",
    types: Collection[MetricType] = TEXT_TYPES,
    timestamps: bool = True,
    interleaved: bool = False,
    max_families: int = 3,
    max_metrics: int = 3,
) -> SearchStrategy[tuple[Exposition, bytes]]:
    r"""Pairs of an exposition and text that means just that, spelt in any way that a ``check`` has nothing against.

    Blanks and tabs wherever they may stand; comments, even ones that are not UTF-8, and empty lines; names bare or
    quoted, and a quoted metric name in any place between the braces; labels in any order, with and without a comma
    after the last; numbers such as ``+01.50E+00`` and ``iNF``; HELP before or after TYPE, or neither; carriage returns
    inside of values.

    With ``interleaved`` the families' lines are mixed. That is read the same way, but ``check`` objects.

    >>> from hypothesis import find
    >>> meaning, text = find(spelled_expositions(max_families=1), lambda pair: pair[0].sample_count > 0)
    >>> str(meaning["a"].samples[0]), text
    ('a 0', b'# TYPE a counter\na 0\n')
    """
    families = _families(names, types, timestamps, max_metrics, spelt=True)
    order = st.binary(max_size=40) if interleaved else st.none()
    parts = st.tuples(_lists_of(families, max_families), order, _DECISIONS)
    return parts.map(lambda drawn: _written(*drawn))


def _written(blocks: list[Block], order: bytes | None, decisions: bytes) -> tuple[Exposition, bytes]:
    """The families with their lines one after the other, or mixed in some order."""
    exposition = Exposition(family for family, _ in blocks)
    lines = []
    if order is not None:
        mixing = _Spelling(order)
        queues = [deque(lines) for _, lines in blocks if lines]
        while queues := [queue for queue in queues if queue]:
            lines.append(mixing.pick(queues).popleft())
    else:
        lines = [line for _, block in blocks for line in block]
    lines += _Spelling(decisions).ignored_lines()
    return exposition, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


_COMMENTS: Final = (
    *("", " ", "\t ", "#", "# EOF", "# HELP", "#HELPER a b", "# TYPED a", "# UNIT a seconds", "# help a b", "\t#\ta 1"),
    # Lone surrogates stand for bytes that are not UTF-8, which a comment may hold.
    *(f"# {text}" for text in ("\udcff", "\udcc3", "\udced\udca0\udc80", "\udcf5\udc80\udc80\udc80", "\udcc0\udcaf")),
)


class _Spelling:
    """How to write a line: one decision a byte, zero for what is canonical, as all are that the bytes leave open."""

    def __init__(self, decisions: bytes) -> None:
        self._decisions = iter(decisions)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[next(self._decisions, 0) % len(choices)]

    def blank(self) -> str:
        return self.pick(("", " ", "\t", " \t "))

    def gap(self) -> str:
        return self.pick((" ", "\t", "  "))

    def metadata(self, family: MetricFamily) -> list[str]:
        lines = []
        if family.help is not None:
            gap = self.gap() if family.help else self.blank()
            lines.append(f"{self._keyword('HELP', family.name)}{gap}{escape_help(family.help)}")
        untyped = family.type is MetricType.UNKNOWN
        # Without samples and help, it is the TYPE line that mentions the family.
        if not untyped or not (family.samples or lines) or self.pick((False, True)):
            word = "untyped" if untyped else family.type.value
            line = f"{self._keyword('TYPE', family.name)}{self.gap()}{word}{self.blank()}"
            lines.insert(self.pick((1, 0)), line)
        return [*self.ignored_lines(), *lines]

    def _keyword(self, keyword: str, name: str) -> str:
        written = self._name(name, is_legacy_metric_name(name))
        return f"{self.blank()}#{self.pick((' ', '', '  '))}{keyword}{self.gap()}{written}"

    def _name(self, name: str, is_legacy: bool) -> str:
        return name if is_legacy and self.pick((True, False)) else quote(name)

    def sample_lines(self, sample: Sample) -> list[str]:
        return [self._sample(sample), *self.ignored_lines()]

    def _sample(self, sample: Sample) -> str:
        items: list[str] = []
        for name, value in sample.labels.items():
            written = self._name(name, is_legacy_label_name(name))
            item = f"{written}{self.blank()}={self.blank()}{quote(value)}{self.blank()}"
            items.insert(self.pick(range(len(items), -1, -1)), item)
        name = self._name(sample.name, is_legacy_metric_name(sample.name))
        if name == sample.name:
            start = self.blank() + name
        else:
            start = self.blank()
            items.insert(self.pick(range(len(items) + 1)), name + self.blank())
        if items:
            comma = self.pick(("", "," + self.blank()))
            braces = f"{{{self.blank()}{f',{self.blank()}'.join(items)}{comma}}}"
            braces = self.blank() + braces if name == sample.name else braces
        else:
            braces = self.pick(("", "{}", " { }"))
        value = (self.blank() if braces else self.gap()) + self.number(sample.value)
        time = "" if sample.timestamp_ns is None else self.gap() + self._integer(sample.timestamp_ns // _NS_PER_MS)
        return start + braces + value + time + self.blank()

    def ignored_lines(self) -> list[str]:
        """Empty lines and comments, now and then."""
        return [self._ignored_line() for _ in range(self.pick((0, 0, 0, 1, 2)))]

    def _ignored_line(self) -> str:
        if self.pick((True, False)):
            return self.pick(_COMMENTS)
        any_bytes = bytes(self._decisions).replace(b"\n", b"")
        metadata = any_bytes.lstrip(b" \t").startswith((b"HELP", b"TYPE"))
        return f"#{'x' if metadata else ''}{any_bytes.decode('utf-8', 'surrogateescape')}".rstrip("\r")

    def number(self, value: float) -> str:
        """Text that reads back as the value, and is no integer that float64 could not hold."""
        if math.isnan(value):
            return self.pick(("NaN", "nan", "NAN", "nAn"))
        if math.isinf(value):
            word = self.pick(("Inf", "inf", "INF", "infinity", "Infinity", "iNfInItY"))
            return ("-" if value < 0 else self.pick(("+", ""))) + word
        sign = "-" if math.copysign(1, value) < 0 else self.pick(("", "+"))
        style = self.pick(("canonical", "plain", "exponent"))
        if style == "canonical":
            return ("+" if sign == "+" else "") + format_float(value)
        number = Decimal(repr(abs(value)))
        if style == "plain" and (number == 0 or Decimal("1e-9") < number < 2**53):
            mantissa, exponent = f"{number:f}", ""
        else:
            digits = "".join(map(str, number.as_tuple().digits))
            place = self.pick(range(len(digits) + 1))
            mantissa = f"{digits[:place]}.{digits[place:]}"
            power = int(number.as_tuple().exponent) + len(digits) - place
            exponent = self.pick("eE") + self._integer(power)
        mantissa += self.pick(("", "0", "000") if "." in mantissa else ("", ".", ".0"))
        return sign + self.pick(("", "0", "000")) + mantissa + exponent

    def _integer(self, value: int) -> str:
        sign = "-" if value < 0 else self.pick(("", "+"))
        return sign + self.pick(("", "0", "00")) + str(abs(value))


# --------------------------------------------------------------------------------------------- what is not valid


# Lines that break one rule each: $name is a metric name that nothing else has, $label a label name, $value the inside
# of a quoted string, $number a value. Lone surrogates stand for bytes that are not UTF-8.
_HISTOGRAM_PARTS: Final = (
    "# TYPE $name histogram",
    '${name}_bucket{le="1"} 1',
    '${name}_bucket{le="+Inf"} 2',
    "${name}_sum $number",
    "${name}_count 2",
)


def _histogram_lines(changes: Mapping[int, str]) -> str:
    """A sound histogram, but for the parts given; an empty one is left out."""
    parts = [*_HISTOGRAM_PARTS, ""]
    for place, line in changes.items():
        parts[place] = line
    return "\n".join(filter(None, parts))


_SUMMARY: Final = "# TYPE $name summary\n${name}_sum $number\n${name}_count 1"
_INF: Final = '${name}_bucket{le="+Inf"}'
_ONE: Final = '${name}_bucket{le="1"}'

_LINES: Final[Mapping[Code, Sequence[str]]] = {
    Code.INVALID_UTF8: (
        '$name{$label="$value\udcff"} $number',
        '{"$name\udcc3"} $number',
        '$name{"$label\udced\udca0\udc80"="$value"} $number',
        "# HELP $name \udcc0\udcaf",
        '# TYPE "$name\udcf5\udc80\udc80\udc80" gauge',
    ),
    Code.BYTE_ORDER_MARK: ("\ufeff$name $number", "\ufeff# TYPE $name gauge", "\ufeff"),
    Code.CARRIAGE_RETURN: (
        "$name $number\r",
        '$name{$label="$value"}$number 1\r',
        "# TYPE $name gauge\r",
        "# HELP $name text\r",
        "# comment\r",
        "\r",
        " \t\r",
    ),
    Code.INVALID_METRIC_NAME: (
        "0$name $number",
        "$name-b $number",
        "$name.b $number",
        "é$name $number",
        "@$name $number",
        'a.$name{$label="$value"} $number',
        "# TYPE $name-b gauge",
        "# HELP 0$name text",
    ),
    Code.QUOTED_NAME_OUTSIDE_BRACES: ('"$name" $number', '"$name"{$label="$value"} $number'),
    Code.UNQUOTED_NAME_IN_BRACES: ("{$name} $number", '{$name,$label="$value"} $number', "{ $name } $number"),
    Code.MISSING_METRIC_NAME: ("{} $number", '{$label="$value"} $number', '{$label="$value",} $number'),
    Code.SECOND_METRIC_NAME: (
        '{"$name","$name"} $number',
        '$name{"$name"} $number',
        '{"$name",$label="$value","b"} $number',
    ),
    Code.EMPTY_NAME: ('{""} $number', '$name{""="$value"} $number', '# TYPE "" gauge'),
    Code.INVALID_LABEL_NAME: (
        '$name{1$label="$value"} $number',
        '$name{$label:b="$value"} $number',
        '$name{$label.b="$value"} $number',
        '$name{="$value"} $number',
        "$name{,} $number",
        '$name{$label="$value",,${label}b="c"} $number',
    ),
    Code.MISSING_EQUALS: ("$name{$label} $number", '$name{$label"$value"} $number', "$name{$label 1} $number"),
    Code.UNQUOTED_LABEL_VALUE: ("$name{$label=c} $number", "$name{$label='c'} $number", "$name{$label=} $number"),
    Code.UNTERMINATED_STRING: (
        '$name{$label="$value} $number',
        '$name{$label="$value\\"} $number',
        '{"$name} $number',
        '# TYPE "$name gauge',
    ),
    Code.MISSING_COMMA: ('$name{$label="$value" ${label}b="c"} $number', '$name{$label="$value"${label}b="c"} $number'),
    Code.UNCLOSED_LABELS: (
        '$name{$label="$value" $number',
        '$name{$label="$value"',
        "$name{",
        '$name{$label="$value",',
    ),
    Code.MISSING_VALUE: ("$name", '$name{$label="$value"}', '{"$name"} \t', "$name "),
    Code.INVALID_VALUE: tuple(
        f"$name {word}"
        for word in (
            "x",
            "0x10",
            "1_000",
            "+NaN",
            "-nan",
            "1,5",
            "1#x",
            "--1",
            "1e",
            ".",
            "0b1",
            "１２",
            "٣",
            "\u22121",
        )
    ),
    Code.VALUE_OUT_OF_RANGE: ("$name 1e400", "$name -1e309", "$name 1.7976931348623159e308 1"),
    Code.INVALID_TIMESTAMP: ("$name $number 1.5", "$name $number z", "$name $number 1e3", "$name $number NaN"),
    Code.TIMESTAMP_OUT_OF_RANGE: ("$name $number 9223372036854775808", "$name $number -9223372036854775809"),
    Code.TRAILING_TEXT: ("$name $number 2 3", "$name $number # c", '$name $number 2 # {$label="$value"} 1'),
    Code.INCOMPLETE_TYPE: ("# TYPE", "# TYPE $name", "#TYPE\t$name  "),
    Code.UNKNOWN_TYPE: ("# TYPE $name foo", "# TYPE $name gauge x"),
    Code.DUPLICATE_LABEL: (
        '$name{$label="$value",$label="$value"} $number',
        '$name{$label="$value","$label"="b"} $number',
        '{"$label"="","$name",$label="$value",} $number',
    ),
    Code.METRIC_NAME_LABEL: ('$name{__name__="$value"} $number', '$name{"__name__"="$value"} $number'),
    Code.SECOND_TYPE: ("# TYPE $name gauge\n# TYPE $name gauge", '# TYPE $name gauge\n# TYPE "$name" counter'),
    Code.SECOND_HELP: ("# HELP $name a\n# HELP $name b", "# HELP $name a\n# HELP $name a"),
    Code.TYPE_AFTER_SAMPLES: (
        "$name $number\n# TYPE $name gauge",
        "${name}_count 1\n# TYPE $name summary",
        '${name}_bucket{le="1"} 1\n# TYPE $name histogram',
    ),
    Code.SUFFIX_COLLISION: (
        "# TYPE $name summary\n# TYPE ${name}_count gauge",
        "# TYPE ${name}_bucket counter\n# TYPE $name histogram",
        "# TYPE $name histogram\n# HELP ${name}_sum text",
    ),
    Code.INVALID_COUNT: (
        "# TYPE $name summary\n${name}_sum $number\n${name}_count -1",
        "# TYPE $name summary\n${name}_sum $number\n${name}_count 1.5",
        "# TYPE $name summary\n${name}_sum $number\n${name}_count NaN",
        _histogram_lines({1: "", 2: f"{_INF} -1", 4: "${name}_count -1"}),
    ),
    Code.MISSING_FINAL_NEWLINE: (
        "$name $number",
        "# TYPE $name gauge",
        "# comment",
        '$name{$label="$value"} $number 1',
    ),
    Code.UNKNOWN_ESCAPE: (
        '$name{$label="$value\\q"} $number',
        "# HELP $name a\\tb",
        "# HELP $name a\\",
        '{"$name\\z"} 1',
    ),
    Code.TYPE_CASE: ("# TYPE $name GAUGE", "# TYPE $name Counter"),
    Code.OPENMETRICS_TYPE: tuple(f"# TYPE $name {word}" for word in ("info", "stateset", "unknown", "gaugehistogram")),
    Code.INEXACT_INTEGER: ("$name 9007199254740993", "$name -123456789012345678901"),
    Code.HELP_AFTER_SAMPLES: ("$name $number\n# HELP $name text",),
    Code.INTERLEAVED_FAMILY: ('$name $number\n${name}b $number\n$name{$label="$value"} $number',),
    Code.RESERVED_LABEL_NAME: ('$name{__$label="$value"} $number', '$name{"__$label"="$value"} $number'),
    Code.DUPLICATE_SAMPLE: (
        "$name $number\n$name $number",
        "$name $number 5\n$name $number 05",
        '$name{$label="$value",${label}b="c"} 1\n$name{${label}b="c",$label="$value"} 2',
    ),
    Code.MISSING_LE: (_histogram_lines({5: "${name}_bucket 1"}),),
    Code.INVALID_LE: (
        _histogram_lines({5: '${name}_bucket{le="x"} 1'}),
        _histogram_lines({5: '${name}_bucket{le=""} 1'}),
        _histogram_lines({5: '${name}_bucket{le="0x1"} 1'}),
        _histogram_lines({5: '${name}_sum{le="x"} 1'}),
    ),
    Code.NAN_BOUND: (
        _histogram_lines({5: '${name}_bucket{le="NaN"} 1'}),
        f'{_SUMMARY}\n$name{{quantile="nan"}} $number',
    ),
    Code.MISSING_QUANTILE: (f"{_SUMMARY}\n$name $number", f'{_SUMMARY}\n$name{{$label="$value"}} $number'),
    Code.INVALID_QUANTILE: (
        f'{_SUMMARY}\n$name{{quantile="x"}} $number',
        f'{_SUMMARY}\n$name{{quantile="1e400"}} $number',
    ),
    Code.QUANTILE_OUT_OF_RANGE: (
        f'{_SUMMARY}\n$name{{quantile="1.5"}} $number',
        f'{_SUMMARY}\n$name{{quantile="-1"}} $number',
    ),
    Code.STRAY_SAMPLE: (_histogram_lines({5: "$name $number"}),),
    Code.MISSING_INF_BUCKET: (_histogram_lines({2: ""}), _histogram_lines({1: "", 2: ""})),
    Code.BUCKET_ORDER: (_histogram_lines({1: f"{_INF} 2", 2: f"{_ONE} 1"}),),
    Code.DUPLICATE_BUCKET: (_histogram_lines({1: f'{_ONE} 1\n${{name}}_bucket{{le="1.0"}} 1'}),),
    Code.BUCKET_NOT_CUMULATIVE: (_histogram_lines({1: f"{_ONE} 3"}),),
    Code.COUNT_MISMATCH: (_histogram_lines({4: "${name}_count 3"}),),
    Code.MISSING_SUM: (_histogram_lines({3: ""}),),
    Code.MISSING_COUNT: (_histogram_lines({4: ""}),),
}

# The codes of which :func:`invalid_expositions` knows examples.
INVALID_CODES: Final = tuple(_LINES)


def invalid_expositions(
    *, names: Names = "utf-8", codes: Collection[Code] = INVALID_CODES
) -> SearchStrategy[tuple[bytes, Code]]:
    r"""Pairs of a text with one thing wrong, among valid lines, and the code for it.

    :func:`expofmt.check` reports that code and no other. Whether :func:`expofmt.parse` raises it too is told by
    ``expofmt explain``: a few of the codes are warnings, or errors that only a strict reader minds.

    >>> from hypothesis import find
    >>> find(invalid_expositions(codes=[Code.SECOND_TYPE]), lambda pair: True)
    (b'# TYPE faulty gauge\n# TYPE faulty gauge\n', <Code.SECOND_TYPE: 'second-type'>)
    """
    if unknown := [code for code in codes if code not in _LINES]:
        raise ValueError(f"no text has the fault {unknown[0]}")
    if not codes:
        raise ValueError("no codes are given")
    ordered = sorted(codes, key=INVALID_CODES.index)
    faults = st.sampled_from([(code, line) for code in ordered for line in _LINES[code]])
    around = spelled_expositions(names=names, max_families=2, max_metrics=2)
    return _invalid_expositions(faults, around)


_FLAGS: Final = st.booleans()
_LABEL_NAMES: Final = label_names(names="legacy")
_STRINGS: Final = st.text(max_size=8).map(lambda text: quote(text)[1:-1])


@st.composite
def _invalid_expositions(
    draw: DrawFn, faults: SearchStrategy[tuple[Code, str]], around: SearchStrategy[tuple[Exposition, bytes]]
) -> tuple[bytes, Code]:
    code, template = draw(faults)
    exposition, text = draw(around)
    name = "faulty"
    while any(other.startswith(name) for other in exposition):
        name += "_"
    fields = {
        "name": name,
        "label": draw(_LABEL_NAMES),
        "value": draw(_STRINGS),
        "number": _Spelling(draw(_DECISIONS)).number(draw(_FLOATS)),
    }
    lines = Template(template).substitute(fields).encode("utf-8", "surrogateescape")
    if code is Code.MISSING_FINAL_NEWLINE:
        return text + lines, code
    first = code is Code.BYTE_ORDER_MARK or not draw(_FLAGS)
    return lines + b"\n" + text if first else text + lines + b"\n", code


__all__ = [
    "INVALID_CODES",
    "TEXT_TYPES",
    "Names",
    "exposition_text",
    "expositions",
    "grouping_keys",
    "invalid_expositions",
    "label_names",
    "label_sets",
    "metric_families",
    "metric_names",
    "samples",
    "spelled_expositions",
]
