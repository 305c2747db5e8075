"""What is said about each code: the headline, the label under the caret, the remedy. One table, a row per code.

The headline states the offence: lower case, no full stop, no place, at most 72 characters. The label says what was
expected and what was found at that byte. The help is an edit to paste, where one can be worked out. Input is quoted in
backticks, cut at 40 characters; what a terminal could not show, or would obey, is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Template
from typing import Final, NamedTuple
from unicodedata import combining

from . import remedies
from .codes import Code
from .quoting import BARE, STRING, label_of, series_of, shortened, value_of, visible
from .remedies import Context, across_groups, across_inputs, is_label_name, number_of, type_words
from .values import format_float

HEADLINE_LIMIT: Final = 72


class Words(NamedTuple):
    """What a diagnostic says, in pieces; the renderers of ``report.py`` put them together.

    >>> Words("value is not a number", "expected a number, found `x`", "", None).help is None
    True
    """

    message: str
    label: str
    related_label: str
    help: str | None


def describe(code: Code, context: Context) -> Words:
    """The words for an offence in its context. Any context gives words; what it lacks is left vague.

    >>> words = describe(Code.UNQUOTED_LABEL_VALUE, Context("a{code=", "200", '} 1'))
    >>> words.message, words.label
    ('label value must be in double quotes', 'expected `"`, found `2`')
    >>> words.help
    'write `code="200"`'
    """
    row = ROWS[code]
    fields = _Fields(context)
    return Words(
        message=_filled(row.message, fields, HEADLINE_LIMIT),
        label=_filled(row.label, fields),
        related_label=_filled(row.related_label, fields),
        help=row.help(context) if callable(row.help) else _filled(row.help, fields) or None,
    )


# Fields of the templates below: `$found` and so on. They give text that is fit to show, without backticks around it
# unless it may be something else than a quotation.


def _next(context: Context) -> str:
    """What stands at the caret: a character in backticks, or the name of what ends there."""
    if context.at_end_of_input:
        return "end of input"
    rest = context.found or context.after
    return _quoted_character(rest[0]) if rest.strip("\r") else "end of line"


def _first_bad(context: Context) -> str:
    """The first character of the span that no bare metric name holds."""
    return _first_of(r"[^a-zA-Z0-9_:]", context)


def _first_bad_in_label(context: Context) -> str:
    """The first character of the span that no bare label name holds."""
    return _first_of(r"[^a-zA-Z0-9_]", context)


def _first_of(characters: str, context: Context) -> str:
    bad = re.search(characters, context.found)
    return _quoted_character(bad[0]) if bad and bad.start() else _next(context)


def _quoted_character(character: str) -> str:
    # A combining mark needs something to stand on, other than the backtick.
    return f"`◌{character}`" if combining(character) else f"`{visible(character)}`"


def _name(context: Context) -> str:
    """The name in the span, without quotes: of a word, of a quoted string or of a sample line."""
    return shortened(series_of(context.found)[0])


def _related_name(context: Context) -> str:
    return shortened(series_of(context.related or "")[0])


def _last_word(context: Context) -> str:
    return shortened((context.found.split() or [""])[-1])


def _base(context: Context) -> str:
    """The family's name, of a line with one of its suffixes."""
    return shortened(re.sub(r"_(bucket|sum|count|gsum|gcount)\Z", "", series_of(context.found)[0]))


_FIELDS: Final[Mapping[str, Callable[[Context], str]]] = {
    "found": lambda context: shortened(context.found),
    "next": _next,
    "first_bad": _first_bad,
    "first_bad_in_label": _first_bad_in_label,
    "name": _name,
    "related_name": _related_name,
    "last_word": _last_word,
    "base": _base,
    "lower": lambda context: shortened(context.found.lower()),
    "le": lambda context: shortened(label_of(context.found, "le")),
    "related_le": lambda context: shortened(label_of(context.related or "", "le")),
    "quantile": lambda context: shortened(label_of(context.found, "quantile")),
    "value": lambda context: shortened(value_of(context.found)),
    "related_value": lambda context: shortened(value_of(context.related or "")),
}


class _Fields(dict[str, str]):
    """The fields of one context, each worked out when a template asks for it; then its details."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def __missing__(self, key: str) -> str:
        if key in _FIELDS:
            return _FIELDS[key](self.context)
        return shortened(self.context.details.get(key, _VAGUE.get(key, "?")))


# What stands in for a detail that was not given.
_VAGUE: Final[Mapping[str, str]] = {
    "count": "more",
    "expected": "another payload",
    "field": "?",
    "family": "the family",
    "first": "one",
    "first_input": "the first input",
    "format": "target",
    "label": "one",
    "message": "?",
    "missing": "the rest of its length",
    "of": "MetricFamily",
    "payload": "another",
    "sample": "the sample",
    "second": "another",
    "second_input": "the second input",
    "series": "the series",
    "what": "all of it",
    "wire": "?",
}


def _filled(text: Text, fields: _Fields, limit: int | None = None) -> str:
    """The template with its fields; if that is over the limit, every field is cut to its share of it."""
    written = text(fields.context) if callable(text) else text
    if "$" not in written:
        return written
    template = Template(written)
    full = template.substitute(fields)
    if limit is None or len(full) <= limit:
        return full
    names = template.get_identifiers()
    bare = len(template.substitute(dict.fromkeys(names, "")))
    share = (limit - bare) // len(names)
    return template.substitute({name: _cut(fields[name], share) for name in names})


def _cut(shown: str, limit: int) -> str:
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _message_empty_name(context: Context) -> str:
    return "label name is empty" if re.match(r"\s*=", context.after) else "metric name is empty"


def _message_label_name(context: Context) -> str:
    return "label name is missing" if context.found[:1] in ("", ",", "}", "=") else "invalid label name `$found`"


def _label_label_name(context: Context) -> str:
    if re.match(r"[a-zA-Z_]", context.found):
        return "expected `=`, found $first_bad_in_label"
    return "expected a label name, found $next"


def _label_unclosed(context: Context) -> str:
    begun = context.before.rstrip().endswith(("{", ","))
    return "expected a label or `}`, found $next" if begun else "expected `,` or `}`, found $next"


def _label_incomplete_type(context: Context) -> str:
    return f"expected a {'type' if len(type_words(context)) > 1 else 'metric name'}, found end of line"


def _count_kind(context: Context) -> str:
    number = number_of(context.found)
    if number is None or (value := float(number)) != value:
        return "count is not a number"
    return "count is negative" if value < 0 else "count is not a whole number"


def _label_count(context: Context) -> str:
    whole = "a whole number" if _count_kind(context).endswith("whole number") else "a number from 0 up"
    return f"expected {whole}, found `$found`"


def _label_non_legacy(context: Context) -> str:
    return "expected letters, digits and `_`" if is_label_name(context) else "expected letters, digits, `_` and `:`"


_HELP_TEXT: Final = rf"\s*+#\s*+HELP\s++({STRING}|[^\s\"]++)\s"


def _label_escape(context: Context) -> str:
    end = ", found end of line" if len(context.found) < 2 else ""
    return (
        "expected `\\\\` or `\\n`" if re.match(_HELP_TEXT, context.before) else 'expected `\\\\`, `\\"` or `\\n`'
    ) + end


def _label_inexact(context: Context) -> str:
    number = number_of(context.found)
    return f"readers get {format_float(float(number))}" if number else "readers get another number"


Text = str | Callable[[Context], str]


class Row(NamedTuple):
    """How to speak of one code: templates with ``$fields``, or functions that give them (help: the whole of it).

    >>> Row("value is not a number", "expected a number").help
    ''
    """

    message: Text
    label: Text
    related_label: Text = ""
    help: str | Callable[[Context], str | None] = ""


_FMT: Final = "`expofmt fmt --write FILE` does it"

ROWS: Final[Mapping[Code, Row]] = {
    Code.INVALID_UTF8: Row(
        "bytes are not valid UTF-8",
        "expected UTF-8, found `$found`",
        help=remedies.utf8,
    ),
    Code.BYTE_ORDER_MARK: Row(
        "file begins with a byte order mark",
        "expected the first line, found EF BB BF",
        help="save the file as UTF-8 without a byte order mark",
    ),
    Code.CARRIAGE_RETURN: Row(
        "line ends with a carriage return",
        "expected end of line, found `\\r`",
        help=f"end lines with a line feed alone: {_FMT}",
    ),
    Code.INVALID_METRIC_NAME: Row(
        "invalid metric name `$found`",
        lambda context: (
            "expected a blank or `{`, found $first_bad"
            if re.match(BARE, context.found)
            else "expected a metric name, found $next"
        ),
        help=remedies.metric_name,
    ),
    Code.QUOTED_NAME_OUTSIDE_BRACES: Row(
        "quoted metric name stands outside of braces",
        'expected `{`, found `"`',
        help=remedies.quoted_name,
    ),
    Code.UNQUOTED_NAME_IN_BRACES: Row(
        "metric name in braces is not in double quotes",
        'expected `"`, found $next',
        help=remedies.unquoted_name,
    ),
    Code.MISSING_METRIC_NAME: Row(
        "sample has no metric name",
        "expected a metric name before or within the braces",
        help=remedies.missing_metric_name,
    ),
    Code.SECOND_METRIC_NAME: Row(
        "sample has a second metric name",
        "expected a label, found a metric name",
        "the first metric name",
        help=remedies.second_name,
    ),
    Code.EMPTY_NAME: Row(
        _message_empty_name,
        'expected a name, found `""`',
        help="write a name of at least one character between the quotes",
    ),
    Code.INVALID_LABEL_NAME: Row(
        _message_label_name,
        _label_label_name,
        help=remedies.label_name,
    ),
    Code.MISSING_EQUALS: Row(
        "label has no value",
        "expected `=`, found $next",
        help=remedies.missing_equals,
    ),
    Code.UNQUOTED_LABEL_VALUE: Row(
        "label value must be in double quotes",
        'expected `"`, found $next',
        help=remedies.unquoted_value,
    ),
    Code.UNTERMINATED_STRING: Row(
        "string is not closed",
        'expected `"` at its end, found end of line',
        help=remedies.unterminated,
    ),
    Code.MISSING_COMMA: Row(
        "labels are not separated by a comma",
        "expected `,` or `}`, found $next",
        help=remedies.missing_comma,
    ),
    Code.UNCLOSED_LABELS: Row(
        "braces around the labels are not closed",
        _label_unclosed,
        help=remedies.unclosed,
    ),
    Code.MISSING_VALUE: Row(
        "sample has no value",
        lambda context: f"expected a number, found end of {'input' if context.at_end_of_input else 'line'}",
    ),
    Code.INVALID_VALUE: Row(
        "value is not a number",
        "expected a number, found `$found`",
        help=remedies.value,
    ),
    Code.VALUE_OUT_OF_RANGE: Row(
        "value is beyond the range of float64",
        "expected a number below 1.8e+308, found `$found`",
        help=remedies.out_of_range,
    ),
    Code.INVALID_TIMESTAMP: Row(
        "timestamp is not an integer",
        "expected whole milliseconds, found `$found`",
        help=remedies.timestamp,
    ),
    Code.TIMESTAMP_OUT_OF_RANGE: Row(
        "timestamp is beyond int64 milliseconds",
        lambda context: (
            "expected $limits, found `$found`"
            if "limits" in context.details
            else "expected at most 9223372036854775807, found `$found`"
        ),
        help=lambda context: (
            None if "limits" in context.details else "write milliseconds since 1970-01-01 UTC, or nothing"
        ),
    ),
    Code.TRAILING_TEXT: Row(
        "text stands after the sample",
        "expected end of line, found $next",
        help=remedies.trailing,
    ),
    Code.INCOMPLETE_TYPE: Row(
        "TYPE line is incomplete",
        _label_incomplete_type,
        help=remedies.incomplete_type,
    ),
    Code.UNKNOWN_TYPE: Row(
        "unknown metric type `$found`",
        "expected counter, gauge, histogram, summary or untyped",
        help=remedies.unknown_type,
    ),
    Code.DUPLICATE_LABEL: Row(
        "label `$name` is given twice",
        "expected another label name, found `$found` again",
        "first given here",
        help="keep one of the two",
    ),
    Code.METRIC_NAME_LABEL: Row(
        "`__name__` is given as a label",
        "expected another label name, found `$found`",
        help=remedies.metric_name_label,
    ),
    Code.INPUT_TOO_LARGE: Row(
        lambda context: context.details.get("reason", "input is larger than the engine can hold"),
        "read up to here only",
        help=lambda context: (
            "split the input" if "reason" in context.details else "split the input, or read it with `iter_families`"
        ),
    ),
    Code.TRUNCATED_MESSAGE: Row(
        "input ends within message $message",
        "expected $missing, found end of input",
        help="send it again, whole; if this is text, read it as text",
    ),
    Code.MALFORMED_MESSAGE: Row(
        "message $message is no protobuf",
        "expected a field of MetricFamily, found `$found`",
        help="if this is text, read it as text",
    ),
    Code.SECOND_TYPE: Row(
        "metric family `$name` has a second TYPE line",
        "expected one TYPE line, found another",
        "the first TYPE line",
        help="remove one of the two lines",
    ),
    Code.SECOND_HELP: Row(
        "metric family `$name` has a second HELP line",
        "expected one HELP line, found another",
        "the first HELP line",
        help="remove one of the two lines",
    ),
    Code.TYPE_AFTER_SAMPLES: Row(
        "TYPE line of `$name` stands after its samples",
        "expected before the first sample",
        "the first sample",
        help=remedies.move_up,
    ),
    Code.SUFFIX_COLLISION: Row(
        "metric families `$related_name` and `$name` collide",
        "expected another name, found one that both use",
        "the other family",
        help=lambda context: (
            "rename the family, or delete the other group"
            if across_groups(context)
            else "rename one of the two families"
        ),
    ),
    Code.INVALID_COUNT: Row(
        _count_kind,
        _label_count,
    ),
    Code.NON_LEGACY_NAME: Row(
        "name `$name` needs quotes",
        _label_non_legacy,
        help=remedies.non_legacy,
    ),
    Code.PAYLOAD_MISMATCH: Row(
        "metric of `$name` does not hold what its type calls for",
        "expected `$expected`, found $payload",
        help="give the family the type of its metrics",
    ),
    Code.NATIVE_HISTOGRAM: Row(
        "metric of `$name` is a native histogram",
        "expected classic buckets only",
        help="let the producer expose classic buckets, and no native ones",
    ),
    Code.MISSING_FINAL_NEWLINE: Row(
        "last line does not end with a line feed",
        "expected a line feed, found end of input",
        help=f"add a line feed: {_FMT}",
    ),
    Code.TRAILING_BLANK: Row(
        "line ends with blanks",
        "expected end of line, found $next",
        help=f"remove them: {_FMT}",
    ),
    Code.UNKNOWN_ESCAPE: Row(
        "unknown escape sequence `$found`",
        _label_escape,
        help=remedies.unknown_escape,
    ),
    Code.TYPE_CASE: Row(
        "metric type `$found` is not in lower case",
        "expected `$lower`, found `$found`",
        help="write `$lower`",
    ),
    Code.OPENMETRICS_TYPE: Row(
        "`$found` is a type of OpenMetrics, not of the text format",
        "expected counter, gauge, histogram, summary or untyped",
        help=remedies.openmetrics_type,
    ),
    Code.INEXACT_INTEGER: Row(
        "float64 cannot hold this integer exactly",
        _label_inexact,
    ),
    Code.HELP_AFTER_SAMPLES: Row(
        "HELP line of `$name` stands after its samples",
        "expected before the first sample",
        "the first sample",
        help=f"move it above the first sample: {_FMT}",
    ),
    Code.INTERLEAVED_FAMILY: Row(
        "samples of `$base` do not stand together",
        "expected next to the family's other samples",
        "the family's sample before",
        help=lambda context: (
            "let one message hold all metrics of a family"
            if "message" in context.details
            else f"keep the lines of a family together: {_FMT}"
        ),
    ),
    Code.RESERVED_LABEL_NAME: Row(
        "label name `$name` is reserved",
        "expected no `__` at the beginning",
        help=remedies.reserved,
    ),
    Code.UNKNOWN_FIELD: Row(
        "field $field of a $of message is unknown",
        "left out: field $field, of wire type $wire",
    ),
    Code.EXPLICIT_TIMESTAMP: Row(
        "sample has an explicit timestamp",
        "expected no timestamp, found `$last_word`",
        help=remedies.timestamped,
    ),
    Code.DUPLICATE_SAMPLE: Row(
        lambda context: (
            "another group holds `$series`"
            if across_groups(context)
            else "two inputs hold `$series`"
            if across_inputs(context)
            else "sample of `$name` is given twice"
        ),
        lambda context: (
            "pushed here"
            if across_groups(context)
            else "in `$second_input`"
            if across_inputs(context)
            else "with the labels of the group, again `$labelled`"
            if "labelled" in context.details
            else "same name, labels and timestamp"
        ),
        lambda context: (
            "stored here"
            if across_groups(context)
            else "in `$first_input`"
            if across_inputs(context)
            else "first given here"
        ),
        help=lambda context: (
            "delete the other group, or push with labels that differ"
            if across_groups(context)
            else "give each input a label of its own, or merge with another policy"
            if across_inputs(context)
            else "tell them apart by a label that the group does not have"
            if "labelled" in context.details
            else "remove one of the two lines"
        ),
    ),
    Code.MISSING_LE: Row(
        "bucket has no label `le`",
        "expected a label `le`, found none",
        help='add the upper bound, such as `le="+Inf"`',
    ),
    Code.INVALID_LE: Row(
        "label `le` of a histogram is not a number",
        "expected a number in `le`, found `$le`",
    ),
    Code.MISSING_QUANTILE: Row(
        "sample of a summary has no label `quantile`",
        "expected a label `quantile`, found none",
        help='add the quantile, such as `quantile="0.5"`, or `_sum` or `_count`',
    ),
    Code.INVALID_QUANTILE: Row(
        "label `quantile` of a summary is not a number",
        "expected a number in `quantile`, found `$quantile`",
    ),
    Code.NAN_BOUND: Row(
        "bound of a bucket or quantile is NaN",
        "expected a number in `le` or `quantile`, found NaN",
        help="remove the line: nothing is at most NaN",
    ),
    Code.QUANTILE_OUT_OF_RANGE: Row(
        "quantile is not between 0 and 1",
        "expected 0 to 1, found `$quantile`",
        help=remedies.quantile_range,
    ),
    Code.STRAY_SAMPLE: Row(
        "sample of histogram `$name` has no suffix",
        "expected `_bucket`, `_sum` or `_count` after the name, found none",
    ),
    Code.MISSING_INF_BUCKET: Row(
        "histogram `$base` has no +Inf bucket",
        'expected a bucket `le="+Inf"` for this series, found none',
        help=remedies.no_inf,
    ),
    Code.BUCKET_ORDER: Row(
        "buckets of `$base` do not ascend",
        "expected a bound above `$related_le`, found `$le`",
        "the bucket before",
        help=f"order the buckets by `le`: {_FMT}",
    ),
    Code.DUPLICATE_BUCKET: Row(
        "histogram `$base` has the same bucket twice",
        "expected another bound, found `$le` again",
        "the same bound, spelt `$related_le`",
        help="remove one of the two lines",
    ),
    Code.BUCKET_NOT_CUMULATIVE: Row(
        "bucket of `$base` counts less than a smaller one",
        "expected at least `$related_value`, found `$value`",
        "the smaller bucket",
        help="let each bucket count all observations up to its bound",
    ),
    Code.COUNT_MISMATCH: Row(
        "count of `$base` differs from its +Inf bucket",
        "expected `$related_value`, found `$value`",
        "the +Inf bucket",
        help="give `_count` and the +Inf bucket the same value",
    ),
    Code.MISSING_SUM: Row(
        "`$base` has no `_sum`",
        "expected a sample `${base}_sum` for this series, found none",
    ),
    Code.MISSING_COUNT: Row(
        "`$base` has no `_count`",
        "expected a sample `${base}_count` for this series, found none",
    ),
    Code.TYPE_CONFLICT: Row(
        "metric family `$family` has two types",
        lambda context: "pushed as $second" if across_groups(context) else "$second in `$second_input`",
        lambda context: "stored as $first" if across_groups(context) else "$first in `$first_input`",
        help=remedies.type_conflict,
    ),
    Code.HELP_CONFLICT: Row(
        "metric family `$family` has two help texts",
        "dropped: help in `$second_input`",
        "kept: help in `$first_input`",
        help="give the family one HELP text everywhere",
    ),
    Code.UNIT_CONFLICT: Row(
        "metric family `$family` has two units",
        "$second in `$second_input`",
        "$first in `$first_input`",
        help="give the family one unit everywhere",
    ),
    Code.BUCKET_BOUNDS_CONFLICT: Row(
        "histograms `$series` have different buckets",
        "in `$second_input`",
        "in `$first_input`",
        help="use the same bounds everywhere, or merge with `first` or `last`",
    ),
    Code.RESERVED_FAMILY: Row(
        "`$family` is the store's own family",
        "left out: the store itself says this of each group",
        help="rename the family",
    ),
    Code.BODY_TOO_LARGE: Row(
        "the body of the push has $found_number bytes, the limit is $limit",
        "",
        help="push less at a time, in several groups",
    ),
    Code.TOO_MANY_FAMILIES: Row(
        "the push has $found_number metric families, the limit is $limit",
        "",
        help="tell apart by a label what differs in the name only, or push less at a time, in several groups",
    ),
    Code.TOO_MANY_SERIES: Row(
        "the push has $found_number series, the limit is $limit",
        "",
        help="push less at a time, in several groups, or with fewer label values",
    ),
    Code.LABEL_VALUE_TOO_LONG: Row(
        "value of label `$label` has $found_number bytes, the limit is $limit",
        "the value is here",
        help="shorten the value, or leave the label out",
    ),
    Code.TOO_MANY_GROUPS: Row(
        "the store would have $found_number groups, the limit is $limit",
        "",
        help="delete groups that are not needed any more, or let groups expire",
    ),
    Code.STORE_FULL: Row(
        "the store would have $found_number series, the limit is $limit",
        "",
        help="delete groups that are not needed any more, or let groups expire",
    ),
    Code.FORMAT_LOSS: Row(
        "the $format format cannot hold $what",
        "in metric family `$family`",
        help="allow the loss with `lossy=True` or `--lossy`",
    ),
    Code.FOREIGN_SAMPLE: Row(
        "sample `$sample` does not belong to metric family `$family`",
        "expected the family's name with a suffix of its type, found `$sample`",
        help="rename the sample, or put it into a family of its own",
    ),
    Code.TIMESTAMP_PRECISION: Row(
        "timestamp has digits finer than a millisecond",
        "expected whole milliseconds in `$series`",
        help="round the timestamp, or render with `lossy=True`",
    ),
    Code.TOO_MANY_DIAGNOSTICS: Row(
        lambda context: (
            "1 more diagnostic is not shown"
            if context.details.get("count") == "1"
            else "$count more diagnostics are not shown"
        ),
        "",
        help="ask for more with `--max-diagnostics` or `max_diagnostics=`",
    ),
}


__all__ = ["ROWS", "Context", "Row", "Words", "describe"]
