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

The author of a reader takes :func:`exposition_text`, valid text in all its spellings, or :func:`spelled_expositions`,
which says besides what it means; and :func:`invalid_expositions` for what must be refused.

Every strategy builds its examples from parts and never throws one away, so that failures shrink well: to few families
and samples, plain names and the canonical spelling. Options are keyword-only, and the same everywhere:

* ``names``: ``"legacy"`` for names that may stand bare, ``"utf-8"`` for any.
* ``types``: the types that families may have, out of :data:`TEXT_TYPES`.
* ``timestamps``: whether samples may carry one.
* ``max_families``, ``max_metrics``: how many at most, of one exposition and of one family.

Needs Hypothesis: ``pip install expofmt[testing]``. Importing ``expofmt`` does not import this module. Hypothesis knows
by itself what to do for ``MetricFamily``, ``Exposition``, ``Sample`` and ``LabelSet`` in ``st.from_type``.

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
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from string import Template
from typing import Final, Literal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .codes import Code
from .model import (
    TEXT_SUFFIXES,
    Exposition,
    LabelSet,
    MetricFamily,
    MetricType,
    Sample,
)
from .names import escape_help, is_legacy_label_name, is_legacy_metric_name, quote
from .values import INT64_MAX, INT64_MIN, format_float

Names = Literal["legacy", "utf-8"]

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


# ------------------------------------------------------------------------------------------------------- objects


def metric_names(*, names: Names = "utf-8") -> SearchStrategy[str]:
    """Names of metrics, some with the suffixes that have a meaning.

    >>> from hypothesis import find
    >>> find(metric_names(), lambda name: True)
    'a'
    """
    bare = _words("_:")
    kinds = [bare, st.builds(operator.add, bare, st.sampled_from(_SUFFIXES))]
    return st.one_of(*kinds, st.text(min_size=1, max_size=12)) if names == "utf-8" else st.one_of(*kinds)


def _words(punctuation: str) -> SearchStrategy[str]:
    """Names that may stand bare."""
    characters = st.sampled_from(string.ascii_letters + punctuation + string.digits)
    return st.text(characters, min_size=1, max_size=8).map(lambda word: "a" + word if word[0].isdigit() else word)


def label_names(*, names: Names = "utf-8") -> SearchStrategy[str]:
    """Names of labels, without the reserved ones that begin with two underscores.

    >>> from hypothesis import find
    >>> find(label_names(names="legacy"), lambda name: name.startswith("_"))
    '_'
    """
    bare = _words("_")
    either = bare | st.text(min_size=1, max_size=12) if names == "utf-8" else bare
    return either.map(_unreserved)


def _unreserved(name: str) -> str:
    return "a" + name if name.startswith("__") else name


def label_sets(*, names: Names = "utf-8", max_size: int = 4) -> SearchStrategy[LabelSet]:
    """Label sets, with any text as values, the empty text too.

    >>> from hypothesis import find
    >>> find(label_sets(), bool)
    LabelSet({'a': ''})
    """
    return st.dictionaries(label_names(names=names), st.text(max_size=12), max_size=max_size).map(LabelSet)


def samples(*, names: Names = "utf-8", timestamps: bool = True) -> SearchStrategy[Sample]:
    """Samples on their own, with any float64 as value.

    >>> from hypothesis import find
    >>> find(samples(timestamps=False), lambda sample: sample.value > 1).series
    'a'
    """
    return st.builds(Sample, metric_names(names=names), label_sets(names=names), st.floats(), _times(timestamps))


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
    checked = _text_types(types)
    headers = st.tuples(metric_names(names=names), st.sampled_from(checked))
    return headers.flatmap(lambda header: _families(*header, names, timestamps, max_metrics, spelt=False))


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
    >>> list(find(expositions(), lambda exposition: len(exposition) == 2))
    ['a', 'b']
    """
    return _expositions(names, _text_types(types), timestamps, max_families, max_metrics, spelt=False)


def _text_types(types: Collection[MetricType]) -> list[MetricType]:
    if foreign := [type for type in types if type not in TEXT_TYPES]:
        raise ValueError(f"the text format has no type {foreign[0]}")
    if not types:
        raise ValueError("no types are given")
    return [type for type in TEXT_TYPES if type in types]


@st.composite
def _expositions(
    draw: DrawFn,
    names: Names,
    types: Sequence[MetricType],
    timestamps: bool,
    max_families: int,
    max_metrics: int,
    *,
    spelt: bool,
) -> Exposition:
    families: dict[str, MetricFamily] = {}
    claimed: set[str] = set()
    for name in draw(st.lists(metric_names(names=names), unique=True, max_size=max_families)):
        type = draw(st.sampled_from(types))
        claims = {name + suffix for suffix in TEXT_SUFFIXES.get(type, ())}
        if name not in claimed and not claims & families.keys():
            claimed |= claims
            families[name] = draw(_families(name, type, names, timestamps, max_metrics, spelt=spelt))
    return Exposition(families.values())


@st.composite
def _families(
    draw: DrawFn,
    name: str,
    type: MetricType,
    names: Names,
    timestamps: bool,
    max_metrics: int,
    *,
    spelt: bool,
) -> MetricFamily:
    help = draw(st.none() | _help_texts())
    series = st.tuples(label_sets(names=names, max_size=3).map(_without_points), _times(timestamps))
    rows: list[Sample] = []
    for labels, time in draw(st.lists(series, unique=True, max_size=max_metrics)):
        if type is MetricType.HISTOGRAM:
            rows += draw(_histograms(name, labels, time, spelt=spelt))
        elif type is MetricType.SUMMARY:
            rows += draw(_summaries(name, labels, time, spelt=spelt))
        else:
            rows.append(Sample(name, labels, draw(st.floats()), time))
    return MetricFamily(name, type, help, samples=rows)


def _without_points(labels: LabelSet) -> LabelSet:
    return LabelSet({name: value for name, value in labels.items() if name not in ("le", "quantile")})


def _help_texts() -> SearchStrategy[str]:
    """What a HELP line can hold: blanks before it are not its own, and a CR at its end would be that of a CRLF."""
    return st.text(max_size=16).map(lambda text: text.lstrip(" \t").rstrip("\r"))


@st.composite
def _histograms(draw: DrawFn, name: str, labels: LabelSet, time: int | None, *, spelt: bool) -> list[Sample]:
    finite = st.floats(allow_nan=False, allow_infinity=False)
    bounds = [*sorted(draw(st.lists(finite, unique=True, max_size=3))), math.inf]
    # Counts may be fractional; halves add up exactly.
    unit = draw(st.sampled_from((1.0, 0.5)))
    steps = draw(st.lists(st.integers(0, 2**40), min_size=len(bounds), max_size=len(bounds)))
    counts = [unit * count for count in accumulate(steps)]
    buckets = [
        Sample(f"{name}_bucket", {**labels, "le": _point(draw, bound, spelt)}, count, time)
        for bound, count in zip(bounds, counts, strict=True)
    ]
    return _in_any_order(draw, name, labels, time, buckets, counts[-1])


@st.composite
def _summaries(draw: DrawFn, name: str, labels: LabelSet, time: int | None, *, spelt: bool) -> list[Sample]:
    quantiles = sorted(draw(st.lists(st.floats(0, 1), unique=True, max_size=3)))
    points = [
        Sample(name, {**labels, "quantile": _point(draw, quantile, spelt)}, draw(st.floats()), time)
        for quantile in quantiles
    ]
    return _in_any_order(draw, name, labels, time, points, float(draw(st.integers(0, 2**53))))


def _point(draw: DrawFn, value: float, spelt: bool) -> str:
    return draw(_numbers(value)) if spelt else format_float(value)


def _in_any_order(
    draw: DrawFn, name: str, labels: LabelSet, time: int | None, points: list[Sample], count: float
) -> list[Sample]:
    """The parts of a histogram or summary: the points ascend, but sum and count may stand before them."""
    parts = [points, [Sample(f"{name}_sum", labels, draw(st.floats()), time)]]
    parts.insert(2 - draw(st.integers(0, 2)), [Sample(f"{name}_count", labels, count, time)])
    return [sample for part in parts for sample in part]


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
    """Valid text in all its spellings; :func:`spelled_expositions` gives besides what it means.

    >>> from hypothesis import find
    >>> find(exposition_text(), lambda text: b"NaN" in text)
    b'a NaN\\n'
    """
    options = _spelling_options(names, types, timestamps, interleaved, max_families, max_metrics)
    return options.map(lambda pair: pair[1])


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
    >>> meaning, text = find(spelled_expositions(), lambda pair: b"{" in pair[1])
    >>> str(meaning["a"].samples[0]), text
    ('a 0', b'a{} 0\n')
    """
    return _spelling_options(names, types, timestamps, interleaved, max_families, max_metrics)


def _spelling_options(
    names: Names,
    types: Collection[MetricType],
    timestamps: bool,
    interleaved: bool,
    max_families: int,
    max_metrics: int,
) -> SearchStrategy[tuple[Exposition, bytes]]:
    meant = _expositions(names, _text_types(types), timestamps, max_families, max_metrics, spelt=True)
    return meant.flatmap(lambda exposition: st.tuples(st.just(exposition), _spellings(exposition, interleaved)))


# The canonical choice stands first in each of these, so that examples shrink to it.
_BLANKS: Final = st.sampled_from(("", " ", "\t", " \t "))
_GAPS: Final = st.sampled_from((" ", "\t", "  "))
_COMMENTS: Final = ("# EOF", "#", "# HELP", "#HELPER a b", "# TYPED a", "# UNIT a seconds", "# help a b", "\t#\ta 1")
_NOT_UTF8: Final = ("\udcff", "\udcc3", "\udced\udca0\udc80", "\udcf5\udc80\udc80\udc80", "\udcc0\udcaf")


@st.composite
def _spellings(draw: DrawFn, exposition: Exposition, interleaved: bool) -> bytes:
    blocks = [draw(_family_lines(family)) for family in exposition.values()]
    if interleaved:
        lines = []
        while blocks := [block for block in blocks if block]:
            lines.append(draw(st.sampled_from(blocks)).pop(0))
    else:
        lines = [line for block in blocks for line in block]
    lines += draw(_ignored_lines())
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


@st.composite
def _family_lines(draw: DrawFn, family: MetricFamily) -> list[str]:
    metadata = []
    if family.help is not None:
        metadata.append(draw(_help_lines(family.name, family.help)))
    untyped = family.type is MetricType.UNKNOWN
    # Without samples and help, it is the TYPE line that mentions the family.
    if not untyped or not (family.samples or metadata) or draw(st.booleans()):
        word = "untyped" if untyped else family.type.value
        line = draw(_metadata_lines("TYPE", family.name)) + draw(_GAPS) + word + draw(_BLANKS)
        metadata.insert(draw(st.integers(0, len(metadata))), line)
    lines = []
    for line in [*metadata, *(draw(_sample_lines(sample)) for sample in family.samples)]:
        lines += draw(_ignored_lines())
        lines.append(line)
    return lines


@st.composite
def _metadata_lines(draw: DrawFn, keyword: str, name: str) -> str:
    written = name if is_legacy_metric_name(name) and not draw(st.booleans()) else quote(name)
    return f"{draw(_BLANKS)}#{draw(_BLANKS)}{keyword}{draw(_GAPS)}{written}"


@st.composite
def _help_lines(draw: DrawFn, name: str, help: str) -> str:
    gap = draw(_GAPS) if help else draw(_BLANKS)
    return draw(_metadata_lines("HELP", name)) + gap + escape_help(help)


@st.composite
def _sample_lines(draw: DrawFn, sample: Sample) -> str:
    items = [draw(_label_spellings(*pair)) for pair in sample.labels.items()]
    if len(items) > 1:
        items = draw(st.permutations(items))
    if is_legacy_metric_name(sample.name) and not draw(st.booleans()):
        start = sample.name + draw(_BLANKS)
    else:
        start = ""
        items.insert(draw(st.integers(0, len(items))), quote(sample.name) + draw(_BLANKS))
    if items:
        comma = draw(st.sampled_from(("", ",")))
        braces = "{" + draw(_BLANKS) + ("," + draw(_BLANKS)).join(items) + comma + draw(_BLANKS) + "}"
    else:
        braces = draw(st.sampled_from(("", "{}", "{ }")))
    value = draw(_BLANKS if braces else _GAPS) + draw(_numbers(sample.value))
    time = "" if sample.timestamp_ns is None else draw(_GAPS) + draw(_integers(sample.timestamp_ns // _NS_PER_MS))
    return draw(_BLANKS) + start + braces + value + time + draw(_BLANKS)


@st.composite
def _label_spellings(draw: DrawFn, name: str, value: str) -> str:
    written = name if is_legacy_label_name(name) and not draw(st.booleans()) else quote(name)
    return f"{written}{draw(_BLANKS)}={draw(_BLANKS)}{quote(value)}{draw(_BLANKS)}"


def _ignored_lines() -> SearchStrategy[list[str]]:
    """Empty lines and comments, now and then."""
    free = st.builds(_comment, st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8))
    odd = st.builds("# {}{}".format, st.sampled_from(_COMMENTS), st.sampled_from(_NOT_UTF8))
    line = _BLANKS | st.sampled_from(_COMMENTS) | free | odd
    return st.just([]) | st.lists(line, max_size=2)


def _comment(text: str) -> str:
    """The text as a comment that is no metadata and does not end like a line of DOS."""
    metadata = text.lstrip(" \t").startswith(("HELP", "TYPE"))
    return f"#{'x' if metadata else ''}{text}".rstrip("\r")


@st.composite
def _numbers(draw: DrawFn, value: float) -> str:
    """Text that reads back as the value, and is no integer that float64 could not hold."""
    if math.isnan(value):
        return draw(st.sampled_from(("NaN", "nan", "NAN", "nAn")))
    sign = "-" if math.copysign(1, value) < 0 else draw(st.sampled_from(("", "+")))
    if math.isinf(value):
        return sign + draw(st.sampled_from(("Inf", "inf", "INF", "infinity", "Infinity", "iNfInItY")))
    style = draw(st.sampled_from(("canonical", "plain", "exponent")))
    if style == "canonical":
        return sign + format_float(abs(value))
    number = Decimal(repr(abs(value)))
    if style == "plain" and (number == 0 or Decimal("1e-9") < number < 2**53):
        mantissa, exponent = f"{number:f}", ""
    else:
        digits = "".join(map(str, number.as_tuple().digits))
        power = int(number.as_tuple().exponent)
        place = draw(st.integers(0, len(digits)))
        mantissa = f"{digits[:place]}.{digits[place:]}"
        exponent = draw(st.sampled_from("eE")) + draw(_integers(power + len(digits) - place))
    zeros = draw(st.sampled_from(("", "0", "000")))
    if "." in mantissa:
        mantissa += zeros
    else:
        mantissa += draw(st.sampled_from(("", ".", ".0")))
    return sign + draw(st.sampled_from(("", "0", "000"))) + mantissa + exponent


@st.composite
def _integers(draw: DrawFn, value: int) -> str:
    sign = "-" if value < 0 else draw(st.sampled_from(("", "+")))
    return sign + draw(st.sampled_from(("", "0", "00"))) + str(abs(value))


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
    Code.MISSING_LE: (_histogram_lines({5: "${name}_bucket $number"}),),
    Code.INVALID_LE: (
        _histogram_lines({5: '${name}_bucket{le="x"} $number'}),
        _histogram_lines({5: '${name}_bucket{le="NaN"} $number'}),
    ),
    Code.MISSING_QUANTILE: (f"{_SUMMARY}\n$name $number", f'{_SUMMARY}\n$name{{$label="$value"}} $number'),
    Code.INVALID_QUANTILE: (f'{_SUMMARY}\n$name{{quantile="x"}} $number', f'{_SUMMARY}\n$name{{quantile="NaN"}} 1'),
    Code.QUANTILE_OUT_OF_RANGE: (
        f'{_SUMMARY}\n$name{{quantile="1.5"}} $number',
        f'{_SUMMARY}\n$name{{quantile="-1"}} $number',
    ),
    Code.STRAY_SAMPLE: (_histogram_lines({5: "$name $number"}),),
    Code.MISSING_INF_BUCKET: (_histogram_lines({2: ""}), _histogram_lines({1: "", 2: ""})),
    Code.BUCKET_ORDER: (_histogram_lines({1: f"{_INF} 2", 2: f"{_ONE} 1"}),),
    Code.DUPLICATE_BUCKET: (_histogram_lines({5: '${name}_bucket{le="1.0"} 1'}),),
    Code.BUCKET_NOT_CUMULATIVE: (_histogram_lines({1: f"{_ONE} 3"}),),
    Code.COUNT_MISMATCH: (_histogram_lines({4: "${name}_count 3"}),),
    Code.MISSING_SUM: (_histogram_lines({3: ""}), "# TYPE $name summary\n${name}_count 1"),
    Code.MISSING_COUNT: (_histogram_lines({4: ""}), "# TYPE $name summary\n${name}_sum 1"),
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
    return _invalid_expositions(names, sorted(codes, key=INVALID_CODES.index))


@st.composite
def _invalid_expositions(draw: DrawFn, names: Names, codes: Sequence[Code]) -> tuple[bytes, Code]:
    code = draw(st.sampled_from(codes))
    template = Template(draw(st.sampled_from(_LINES[code])))
    exposition, text = draw(spelled_expositions(names=names, max_families=2, max_metrics=2))
    name = "faulty"
    while any(other.startswith(name) for other in exposition):
        name += "_"
    fields = {
        "name": name,
        "label": draw(label_names(names="legacy")),
        "value": quote(draw(st.text(max_size=8)))[1:-1],
        "number": draw(st.floats().flatmap(_numbers)),
    }
    lines = template.substitute(fields).encode("utf-8", "surrogateescape")
    if code is Code.MISSING_FINAL_NEWLINE:
        return text + lines, code
    first = code is Code.BYTE_ORDER_MARK or not draw(st.booleans())
    return lines + b"\n" + text if first else text + lines + b"\n", code


__all__ = [
    "INVALID_CODES",
    "TEXT_TYPES",
    "Names",
    "exposition_text",
    "expositions",
    "invalid_expositions",
    "label_names",
    "label_sets",
    "metric_families",
    "metric_names",
    "samples",
    "spelled_expositions",
]
