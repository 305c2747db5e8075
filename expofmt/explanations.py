"""The long answers of ``expofmt explain``: what a code means, why it matters, a wrong example and the same mended.

Kept apart from ``words.py``, which every import of the package loads. A test checks that each wrong example gives its
code, and that each right one gives nothing at all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from .codes import Code, Profile, Severity, severity_of, verdict
from .quoting import visible


class Explanation(NamedTuple):
    """What there is to know about a code. An example of several inputs is several texts, or none where none fits.

    >>> EXPLANATIONS[Code.MISSING_VALUE].wrong
    ('up{job="api"}\\n',)
    """

    meaning: str
    clause: str
    wrong: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


def explain(code: Code) -> str:
    """A text of some lines for a terminal, without a line feed at its end.

    >>> print(explain(Code.VALUE_OUT_OF_RANGE))
    value-out-of-range: error, and a plain parse refuses it too
    <BLANKLINE>
    A value is a float64, and numbers beyond 1.8e+308 do not fit in one. Readers disagree about such
    text: some refuse it, others make it infinite. Very small numbers become 0 and are fine.
    <BLANKLINE>
    Rule: text format, "Line format": "value is a float represented as required by Go's ParseFloat()
    function".
    <BLANKLINE>
    Wrong:
        ratio 1e400
    <BLANKLINE>
    Right:
        ratio +Inf
    """
    explanation = EXPLANATIONS[code]
    parts = [f"{code}: {_gravity(code)}", _wrapped(explanation.meaning), _wrapped(f"Rule: {explanation.clause}")]
    if explanation.wrong:
        parts += ["Wrong:\n" + _shown(explanation.wrong), "Right:\n" + _shown(explanation.right)]
    return "\n\n".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _gravity(code: Code) -> str:
    usual = severity_of(code)
    text = f"{usual}" if usual else "not reported"
    if verdict(code).fatal:
        text += ", and a plain parse refuses it too"
    others: dict[Severity | None, list[str]] = {}
    for profile in Profile:
        if (severity := severity_of(code, profile)) != usual:
            others.setdefault(severity, []).append(profile)
    for severity, profiles in others.items():
        text += f"; {severity or 'not reported'} with the profile {' and '.join(profiles)}"
    return text


def _shown(inputs: tuple[str, ...]) -> str:
    names = [f"  {name}.prom\n" for name in "abc"] if len(inputs) > 1 else [""]
    return "\n".join(name + "\n".join(_shown_lines(text)) for name, text in zip(names, inputs, strict=False))


def _shown_lines(text: str) -> Iterator[str]:
    """The lines, indented, with what the eye would miss made visible."""
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += "<end of file>"
    else:
        del lines[-1]
    for line in lines:
        bare = line.rstrip(" ")
        yield "    " + visible(bare) + "·" * (len(line) - len(bare))


_DELIMITED: Final = "protobuf format: each message is preceded by its length, as a varint."
_METRICS_PROTO: Final = "protobuf format: io/prometheus/client/metrics.proto."
_LINE_FORMAT: Final = 'text format, "Line format": '
_METADATA: Final = 'text format, "Comments, help text, and type information": '
_GROUPING: Final = 'text format, "Grouping and sorting": '
_HISTOGRAMS: Final = 'text format, "Histograms and summaries": '
_UTF8_NAMES: Final = "text format 1.0.0, quoted names: "

_GO_FLOAT: Final = _LINE_FORMAT + '"value is a float represented as required by Go\'s ParseFloat() function".'
_GO_INT: Final = _LINE_FORMAT + '"an int64 (milliseconds since epoch [...])".'

EXPLANATIONS: Final[Mapping[Code, Explanation]] = {
    Code.INVALID_UTF8: Explanation(
        "Label values, quoted names and HELP texts are UTF-8, and these bytes are not. Most often a program "
        "wrote text in its system's 8-bit encoding. In comments such bytes are no offence.",
        _LINE_FORMAT + '"label_value can be any sequence of UTF-8 characters".',
        ('jobs{city="K\udcf6ln"} 1\n',),
        ('jobs{city="Köln"} 1\n',),
    ),
    Code.BYTE_ORDER_MARK: Explanation(
        "The file begins with the bytes EF BB BF, which some editors put in front of UTF-8 text. To readers of "
        "the format they are part of the first metric's name.",
        "UTF-8 without a byte order mark is the only encoding of the format.",
        ("\ufeffup 1\n",),
        ("up 1\n",),
    ),
    Code.CARRIAGE_RETURN: Explanation(
        "The line ends with CR LF, as text files on Windows do. Readers take the carriage return for part of "
        "the value or type. `expofmt fmt` repairs it.",
        _LINE_FORMAT + "\"Lines are separated by a line feed character ('\\n')\".",
        ("up 1\r\n",),
        ("up 1\n",),
    ),
    Code.INVALID_METRIC_NAME: Explanation(
        "A line that is no comment begins with a metric name, as HELP and TYPE do after that word. A bare name "
        "is made of ASCII letters, digits, `_` and `:`, and does not begin with a digit. Any other name has to "
        "be quoted, in braces: not every reader takes these yet.",
        _LINE_FORMAT + '"metric_name and label_name carry the usual Prometheus expression language restrictions".',
        ("http.requests 1\n",),
        ("http_requests 1\n",),
    ),
    Code.QUOTED_NAME_OUTSIDE_BRACES: Explanation(
        "A quoted metric name stands within the braces, as the first thing there.",
        _UTF8_NAMES + "the quoted name is an item of the braces, without `=`.",
        ('"http.requests"{code="200"} 1\n',),
        ('{"http.requests",code="200"} 1\n',),
    ),
    Code.UNQUOTED_NAME_IN_BRACES: Explanation(
        "Only a quoted metric name may stand within the braces. If the word was meant to be a label, it lacks "
        "its value.",
        _UTF8_NAMES + "the name in braces is a string.",
        ('{up,job="api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.MISSING_METRIC_NAME: Explanation(
        "Labels alone make no series: each sample has one metric name, before the braces or quoted within them.",
        _LINE_FORMAT + "a sample begins with its metric_name.",
        ('{job="api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.SECOND_METRIC_NAME: Explanation(
        "A quoted string without `=` in braces is a metric name, and this sample has one already.",
        _UTF8_NAMES + "one name, before the braces or within.",
        ('up{"api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.EMPTY_NAME: Explanation(
        "A quoted name has at least one character.",
        _UTF8_NAMES + "a name is not empty.",
        ('up{""="api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.INVALID_LABEL_NAME: Explanation(
        "A bare label name is made of ASCII letters, digits and `_`, and does not begin with a digit; unlike in "
        "a metric name, there is no colon. Any other name has to be quoted: not every reader takes these yet.",
        _LINE_FORMAT + '"metric_name and label_name carry the usual Prometheus expression language restrictions".',
        ('up{host-name="a"} 1\n',),
        ('up{host_name="a"} 1\n',),
    ),
    Code.MISSING_EQUALS: Explanation(
        "A label is a name, `=`, and a value in double quotes.",
        _LINE_FORMAT + 'label_name "=" `"` label_value `"`.',
        ('up{job "api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.UNQUOTED_LABEL_VALUE: Explanation(
        "Label values stand in double quotes, numbers included. Single quotes are none.",
        _LINE_FORMAT + 'label_name "=" `"` label_value `"`.',
        ("requests{code=200} 1\n",),
        ('requests{code="200"} 1\n',),
    ),
    Code.UNTERMINATED_STRING: Explanation(
        "A string ends on the line on which it begins. A line feed within it is written `\\n`, a double quote "
        '`\\"`, and a backslash `\\\\`: a string that seems to end with `\\"` goes on.',
        _LINE_FORMAT + '"backslash (\\), double-quote ("), and line feed (\\n) characters have to be escaped".',
        ('disk{path="C:\\"} 1\n',),
        ('disk{path="C:\\\\"} 1\n',),
    ),
    Code.MISSING_COMMA: Explanation(
        "Labels are separated by commas. One after the last label is allowed.",
        _LINE_FORMAT + '{ "," label_name "=" `"` label_value `"` } [ "," ].',
        ('up{job="api" zone="a"} 1\n',),
        ('up{job="api",zone="a"} 1\n',),
    ),
    Code.UNCLOSED_LABELS: Explanation(
        "The labels begin with `{`, and `}` has to follow them on the same line.",
        _LINE_FORMAT + '"{" labels "}".',
        ('up{job="api" 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.MISSING_VALUE: Explanation(
        "Each sample has a value. What is not known is left out of the exposition, or is `NaN`.",
        _LINE_FORMAT + "the value is not optional.",
        ('up{job="api"}\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.INVALID_VALUE: Explanation(
        "A value is a decimal number in ASCII, with optional sign, point and exponent; or `+Inf`, `-Inf` or "
        "`NaN` in any letter case, the last without a sign. There are no thousands separators, decimal commas, "
        "hexadecimal numbers and units.",
        _GO_FLOAT,
        ("duration_seconds 1,5\n",),
        ("duration_seconds 1.5\n",),
    ),
    Code.VALUE_OUT_OF_RANGE: Explanation(
        "A value is a float64, and numbers beyond 1.8e+308 do not fit in one. Readers disagree about such text: "
        "some refuse it, others make it infinite. Very small numbers become 0 and are fine.",
        _GO_FLOAT,
        ("ratio 1e400\n",),
        ("ratio +Inf\n",),
    ),
    Code.INVALID_TIMESTAMP: Explanation(
        "After the value may stand a timestamp: a whole number of milliseconds since 1970-01-01 UTC. Seconds "
        "with a fraction are OpenMetrics'.",
        _GO_INT,
        ("up 1 1700000000.5\n",),
        ("up 1 1700000000500\n",),
    ),
    Code.TIMESTAMP_OUT_OF_RANGE: Explanation(
        "A timestamp is an int64 of milliseconds, and this number does not fit in one.",
        _GO_INT,
        ("up 1 17000000000000000000\n",),
        ("up 1 1700000000000\n",),
    ),
    Code.TRAILING_TEXT: Explanation(
        "Nothing but blanks follows the value and the optional timestamp. A comment has a line of its own, and "
        "exemplars (`# {...} 1`) exist in OpenMetrics only.",
        _LINE_FORMAT + "value [ timestamp ] ends the line.",
        ("up 1 # all is well\n",),
        ("# all is well\nup 1\n",),
    ),
    Code.INCOMPLETE_TYPE: Explanation(
        "A line `# TYPE` names a metric and its type. A comment that begins with this word needs another wording.",
        _METADATA + '"exactly two more tokens are expected".',
        ("# TYPE up\nup 1\n",),
        ("# TYPE up gauge\nup 1\n",),
    ),
    Code.UNKNOWN_TYPE: Explanation(
        "The types of the text format are counter, gauge, histogram, summary and untyped.",
        _METADATA + '"the second is either counter, gauge, histogram, summary, or untyped".',
        ("# TYPE up guage\nup 1\n",),
        ("# TYPE up gauge\nup 1\n",),
    ),
    Code.DUPLICATE_LABEL: Explanation(
        'The names of a sample\'s labels differ from each other. Quotes are no part of a name: `a` and `"a"` are '
        "the same.",
        "data model: a label set maps each name to one value.",
        ('up{job="api",job="web"} 1\n',),
        ('up{job="api",other_job="web"} 1\n',),
    ),
    Code.METRIC_NAME_LABEL: Explanation(
        "`__name__` is how Prometheus keeps the metric name internally; in the text the name has its own place.",
        "data model: labels beginning with `__` are reserved for internal use.",
        ('{__name__="up",job="api"} 1\n',),
        ('up{job="api"} 1\n',),
    ),
    Code.INPUT_TOO_LARGE: Explanation(
        "The engine counts bytes in a number of limited size, and the input has more. Larger ones can be read "
        "in pieces with `expofmt.iter_families`. In the protobuf format, few bytes can claim very much: there, "
        "families, samples and fields that are given twice, fields of a metric, fields that are not known, and what "
        "names and labels are as text are limited, too.",
        "a limit of expofmt.",
    ),
    Code.TRUNCATED_MESSAGE: Explanation(
        "In the protobuf format each message comes after its length, and the input ends before the last one does. "
        "Something was cut off: a request body, a file that was still being written. Nothing of the input is taken.",
        _DELIMITED,
    ),
    Code.MALFORMED_MESSAGE: Explanation(
        "These bytes are no field of a protobuf message. Often the input is of another format, or without the lengths "
        "between the messages; or a byte was lost, and with it the place of all that follows in the message.",
        _DELIMITED,
    ),
    Code.SECOND_TYPE: Explanation(
        "A metric has one TYPE line, even if a second says the same.",
        _METADATA + '"Only one TYPE line may exist for a given metric name".',
        ("# TYPE up gauge\n# TYPE up counter\nup 1\n",),
        ("# TYPE up gauge\nup 1\n",),
    ),
    Code.SECOND_HELP: Explanation(
        "A metric has one HELP line, even if a second says the same. An empty one does not count.",
        _METADATA + '"Only one HELP line may exist for any given metric name".',
        ("# HELP up Is it up?\n# HELP up Whether it is up.\nup 1\n",),
        ("# HELP up Whether it is up.\nup 1\n",),
    ),
    Code.TYPE_AFTER_SAMPLES: Explanation(
        "The TYPE line decides what the samples mean, so it precedes the first one. For a histogram or summary "
        "`x`, the samples `x_sum`, `x_count` and `x_bucket` count too.",
        _METADATA + '"must appear before the first sample is reported for that metric name".',
        ("up 1\n# TYPE up gauge\n",),
        ("# TYPE up gauge\nup 1\n",),
    ),
    Code.SUFFIX_COLLISION: Explanation(
        "Both a summary or histogram `x` and a family named `x_count`, `x_sum` or `x_bucket` are declared. A "
        "sample of that name could belong to either, and readers disagree which.",
        _HISTOGRAMS + "`x_sum` and `x_count` are samples of `x`.",
        ("# TYPE x summary\nx_sum 3\n# TYPE x_count gauge\nx_count 2\n",),
        ("# TYPE x summary\nx_sum 3\nx_count 2\n",),
    ),
    Code.INVALID_COUNT: Explanation(
        "Buckets and counts tell how many observations there were: not less than none, and a number. The count "
        "of a summary is a whole one; those of histograms may have fractions.",
        _HISTOGRAMS + "bucket counts and `_count` are counts of observations.",
        ("# TYPE x summary\nx_sum 3\nx_count -1\n",),
        ("# TYPE x summary\nx_sum 3\nx_count 2\n",),
    ),
    Code.NON_LEGACY_NAME: Explanation(
        'With `--names legacy` (or `names="legacy"`) only names are accepted that need no quotes, as readers '
        "older than Prometheus 3 demand.",
        "data model before Prometheus 3: `[a-zA-Z_:][a-zA-Z0-9_:]*`, in label names without the colon.",
        ('{"http.requests"} 1\n',),
        ("http_requests 1\n",),
    ),
    Code.PAYLOAD_MISMATCH: Explanation(
        "A metric has one payload, and it is that of its family's type: `counter`, `gauge`, `summary`, `untyped` or "
        "`histogram`. This one has none, another, or two. A family without a type is one of counters.",
        _METRICS_PROTO,
    ),
    Code.NATIVE_HISTOGRAM: Explanation(
        "The metric has fields of a native histogram: a schema, a zero bucket, spans, deltas. Metric families hold "
        "classic histograms, with explicit buckets, and to leave the native ones out would lose data.",
        _METRICS_PROTO,
    ),
    Code.MISSING_FINAL_NEWLINE: Explanation(
        "The last line lacks its line feed, be it a comment. Strict readers, Pushgateway's among them, take the "
        "input for cut off. `expofmt fmt` repairs it.",
        _LINE_FORMAT + '"The last line must end with a line feed character".',
        ("up 1",),
        ("up 1\n",),
    ),
    Code.TRAILING_BLANK: Explanation(
        "The format ignores blanks at the end of a line, but Pushgateway's parser refuses them. `expofmt fmt` "
        "repairs it.",
        _LINE_FORMAT + '"leading and trailing whitespace is ignored", which that parser does not obey.',
        ("up 1 \n",),
        ("up 1\n",),
    ),
    Code.UNKNOWN_ESCAPE: Explanation(
        'The escape sequences are `\\\\`, `\\n`, and, except in HELP, `\\"`. Any other backslash is kept as it is '
        "by most readers and refused by some. A backslash itself is written `\\\\`.",
        _LINE_FORMAT + '"backslash (\\), double-quote ("), and line feed (\\n) characters have to be escaped".',
        ('disk{path="C:\\data"} 1\n',),
        ('disk{path="C:\\\\data"} 1\n',),
    ),
    Code.TYPE_CASE: Explanation(
        "Types are written in lower case; most readers do not know others. `expofmt fmt` repairs it.",
        _METADATA + '"either counter, gauge, histogram, summary, or untyped".',
        ("# TYPE up GAUGE\nup 1\n",),
        ("# TYPE up gauge\nup 1\n",),
    ),
    Code.OPENMETRICS_TYPE: Explanation(
        "The type exists in OpenMetrics, not in this format. expofmt understands it; most readers of the text "
        "format take it for untyped, and some refuse the whole exposition.",
        _METADATA + '"either counter, gauge, histogram, summary, or untyped".',
        ('# TYPE build_info info\nbuild_info{version="1.2"} 1\n',),
        ('# TYPE build_info gauge\nbuild_info{version="1.2"} 1\n',),
    ),
    Code.INEXACT_INTEGER: Explanation(
        "Values are float64, which holds each integer up to 2^53 (about 9.0e+15) and beyond that only some. "
        "Every reader will get a neighbouring number instead. `expofmt fmt` keeps what is written.",
        _GO_FLOAT,
        ("bytes_total 9007199254740993\n",),
        ("bytes_total 9007199254740992\n",),
    ),
    Code.HELP_AFTER_SAMPLES: Explanation(
        "The HELP line of a metric precedes its samples. `expofmt fmt` moves it there.",
        _GROUPING + '"with the optional HELP and TYPE lines first".',
        ("up 1\n# HELP up Whether it is up.\n",),
        ("# HELP up Whether it is up.\nup 1\n",),
    ),
    Code.INTERLEAVED_FAMILY: Explanation(
        "Samples of another metric stand between those of this one. `expofmt fmt` brings them together.",
        _GROUPING + '"All lines for a given metric must be provided as one single group".',
        ('up{job="a"} 1\nload 0.5\nup{job="b"} 1\n',),
        ('load 0.5\nup{job="a"} 1\nup{job="b"} 1\n',),
    ),
    Code.RESERVED_LABEL_NAME: Explanation(
        "Label names that begin with `__` are reserved: Prometheus drops such labels after relabelling.",
        "data model: labels beginning with `__` are reserved for internal use.",
        ('up{__zone="a"} 1\n',),
        ('up{zone="a"} 1\n',),
    ),
    Code.UNKNOWN_FIELD: Explanation(
        "A protobuf message has a field that is not known here, as messages of newer producers may. It is left out. "
        "Each such field is reported once for each message.",
        _METRICS_PROTO,
    ),
    Code.EXPLICIT_TIMESTAMP: Explanation(
        "Pushgateway and node_exporter's textfile collector refuse samples with a timestamp: what they expose "
        "is scraped later, and an old timestamp would make it stale. It is reported at the first such sample of "
        "each family.",
        "a rule of these two readers.",
        ("up 1 1700000000000\n",),
        ("up 1\n",),
    ),
    Code.DUPLICATE_SAMPLE: Explanation(
        "Two samples have the same name, the same labels in whatever order, and the same timestamp or none. "
        "Readers keep either of them, or refuse both. Across several inputs, a label that tells them apart "
        "resolves it (`expofmt merge --label`), or a policy that chooses or combines the values (`--policy`).",
        _GROUPING + '"Each line must have a unique combination of a metric name and labels".',
        ('up{job="api"} 1\nup{job="api"} 0\n',),
        ('up{job="api",zone="a"} 1\nup{job="api",zone="b"} 0\n',),
    ),
    Code.MISSING_LE: Explanation(
        "Each sample `x_bucket` of a histogram `x` says in its label `le` up to which value it counts.",
        _HISTOGRAMS + '"a separate sample line with the name x_bucket and a label {le="y"}".',
        ('# TYPE x histogram\nx_bucket 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.INVALID_LE: Explanation(
        "The label `le` of a bucket holds the upper bound, a number; `+Inf` for the last one. Prometheus' Go library "
        "reads it as a number wherever a sample of a histogram has it, `_sum` and `_count` included.",
        _HISTOGRAMS + '"where y is the upper bound of the bucket".',
        ('# TYPE x histogram\nx_bucket{le="fast"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="0.1"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.MISSING_QUANTILE: Explanation(
        "A sample of a summary `x` is a quantile, with the label `quantile`, or `x_sum` or `x_count`. Readers "
        "that build summaries drop others without a word.",
        _HISTOGRAMS + '"a separate sample line with the same name x and a label {quantile="y"}".',
        ("# TYPE x summary\nx 1.2\nx_sum 3\nx_count 2\n",),
        ('# TYPE x summary\nx{quantile="0.5"} 1.2\nx_sum 3\nx_count 2\n',),
    ),
    Code.INVALID_QUANTILE: Explanation(
        "The label `quantile` of a summary holds a number between 0 and 1. Prometheus' Go library reads it as a number "
        "wherever a sample of a summary has it, `_sum` and `_count` included.",
        _HISTOGRAMS + '"a label {quantile="y"}".',
        ('# TYPE x summary\nx{quantile="median"} 1.2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x summary\nx{quantile="0.5"} 1.2\nx_sum 3\nx_count 2\n',),
    ),
    Code.NAN_BOUND: Explanation(
        "The label `le` of a bucket and the label `quantile` of a summary's sample are NaN, which nothing is at most "
        "and nothing is a share of. Readers that build histograms and summaries drop such a sample without a word.",
        _HISTOGRAMS + '"where y is the upper bound of the bucket".',
        ('# TYPE x histogram\nx_bucket{le="NaN"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.QUANTILE_OUT_OF_RANGE: Explanation(
        "A quantile is a share: 0 is the minimum, 0.5 the median, 1 the maximum. Percentiles have to be divided "
        "by 100.",
        "OpenMetrics 1.0, summary: quantiles are between 0 and 1 inclusive; the text format takes it for granted.",
        ('# TYPE x summary\nx{quantile="99"} 1.2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x summary\nx{quantile="0.99"} 1.2\nx_sum 3\nx_count 2\n',),
    ),
    Code.STRAY_SAMPLE: Explanation(
        "A histogram `x` consists of samples `x_bucket`, `x_sum` and `x_count`. Readers that build histograms "
        "drop a bare `x` without a word.",
        _HISTOGRAMS + "the samples of a histogram all have suffixes.",
        ('# TYPE x histogram\nx 1\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.MISSING_INF_BUCKET: Explanation(
        'Each series of a histogram has a bucket with `le="+Inf"`, which counts all observations. Without it '
        "`histogram_quantile()` gives NaN.",
        _HISTOGRAMS + '"A histogram must have a bucket with {le="+Inf"}".',
        ('# TYPE x histogram\nx_bucket{le="1"} 1\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.BUCKET_ORDER: Explanation(
        "The buckets of a series stand in the order of their bounds as numbers, not as text: 10 after 5. "
        "`expofmt fmt` brings them in order.",
        _HISTOGRAMS + '"must appear in increasing numerical order of their label values".',
        ('# TYPE x histogram\nx_bucket{le="10"} 2\nx_bucket{le="5"} 1\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="5"} 1\nx_bucket{le="10"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.DUPLICATE_BUCKET: Explanation(
        "Two buckets of one series have the same bound in two spellings, such as `1` and `1.0`. They are "
        "different series to a storage, and one bucket to whoever computes with them.",
        _HISTOGRAMS + "a bucket for each bound.",
        ('# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="1.0"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.BUCKET_NOT_CUMULATIVE: Explanation(
        "A bucket counts every observation up to its bound, so that it includes all smaller buckets. Most "
        "often, counts per interval were exposed without adding them up.",
        _HISTOGRAMS + "bucket counts are cumulative.",
        ('# TYPE x histogram\nx_bucket{le="1"} 5\nx_bucket{le="2"} 3\nx_bucket{le="+Inf"} 9\nx_sum 3\nx_count 9\n',),
        ('# TYPE x histogram\nx_bucket{le="1"} 5\nx_bucket{le="2"} 8\nx_bucket{le="+Inf"} 9\nx_sum 3\nx_count 9\n',),
    ),
    Code.COUNT_MISMATCH: Explanation(
        '`x_count` and the bucket `le="+Inf"` both count all observations of a series. Most often the histogram '
        "was read while it was being updated.",
        _HISTOGRAMS + '"Its value must be identical to the value of x_count".',
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 1\n',),
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.MISSING_SUM: Explanation(
        "A series of a histogram or summary has no `_sum`. Averages cannot be computed without it.",
        _HISTOGRAMS + '"The sample sum [...] is given as a separate sample named x_sum".',
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_count 2\n',),
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.MISSING_COUNT: Explanation(
        "A series of a histogram or summary has no `_count`. Rates and averages cannot be computed without it.",
        _HISTOGRAMS + '"The sample count [...] is given as a separate sample named x_count".',
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\n',),
        ('# TYPE x histogram\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',),
    ),
    Code.TYPE_CONFLICT: Explanation(
        "Inputs to be merged, or groups of a store, declare one metric with different types. No value could be right "
        "in both senses, so that the merge or the push is refused.",
        _METADATA + "a metric has one type.",
        ("# TYPE jobs counter\njobs 3\n", '# TYPE jobs gauge\njobs{zone="b"} 4\n'),
        ("# TYPE jobs counter\njobs 3\n", '# TYPE jobs counter\njobs{zone="b"} 4\n'),
    ),
    Code.HELP_CONFLICT: Explanation(
        "Inputs to be merged, or groups of a store, describe one metric in different words. The first input that has "
        "a text wins, and of groups the first in the order of their keys.",
        _METADATA + "a metric has one HELP text.",
        ("# HELP jobs Jobs done.\njobs 3\n", '# HELP jobs Jobs.\njobs{zone="b"} 4\n'),
        ("# HELP jobs Jobs done.\njobs 3\n", '# HELP jobs Jobs done.\njobs{zone="b"} 4\n'),
    ),
    Code.UNIT_CONFLICT: Explanation(
        "Inputs to be merged declare one metric with different units. No value could be right in both senses, "
        "so that the merge is refused. The text format has no units; OpenMetrics has.",
        "OpenMetrics 1.0, UNIT: a metric family has one unit.",
    ),
    Code.BUCKET_BOUNDS_CONFLICT: Explanation(
        "A histogram is to be combined with another of the same labels, bucket by bucket, and their bounds "
        "differ. What fell between would have to be guessed, so that the merge is refused.",
        "a rule of expofmt: a merge makes up no observations.",
        (
            '# TYPE x histogram\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',
            '# TYPE x histogram\nx_bucket{le="5"} 2\nx_bucket{le="+Inf"} 2\nx_sum 4\nx_count 2\n',
        ),
        (
            '# TYPE x histogram\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 2\nx_sum 3\nx_count 2\n',
            '# TYPE x histogram\nx_bucket{le="1"} 0\nx_bucket{le="+Inf"} 2\nx_sum 4\nx_count 2\n',
        ),
    ),
    Code.RESERVED_FAMILY: Explanation(
        "A push holds a family that the store itself exposes of each group, such as the time of its last push. It is "
        "left out; the rest of the push is taken.",
        "Pushgateway's README: push_time_seconds and push_failure_time_seconds are added to each group.",
    ),
    Code.BODY_TOO_LARGE: Explanation(
        "The body of a push is larger than the store was told to take. Nothing of it was read or stored.",
        "a limit of the store (`Limits(body_bytes=...)`), off by default; HTTP status 413.",
    ),
    Code.TOO_MANY_FAMILIES: Explanation(
        "One push holds more metric families than the store was told to take at once. Often a name holds what belongs "
        "into a label: the name of a file, a queue or a user. Nothing was stored.",
        "a limit of the store (`Limits(push_families=...)`), off by default, and 20,000 in `expofmt serve` "
        "(`--push.max-families`); HTTP status 422.",
    ),
    Code.TOO_MANY_SERIES: Explanation(
        "One push holds more series than the store was told to take at once. Often a label has a value of its own for "
        "each request, user or run. Nothing was stored.",
        "a limit of the store (`Limits(push_series=...)`), off by default; HTTP status 422.",
    ),
    Code.LABEL_VALUE_TOO_LONG: Explanation(
        "A label value, of a sample or of the group, is longer than the store was told to take. Often it is a message "
        "or a query, which belongs into a log. Nothing was stored.",
        "a limit of the store (`Limits(label_value_bytes=...)`), off by default; HTTP status 422.",
    ),
    Code.TOO_MANY_GROUPS: Explanation(
        "The push would make a new group, and the store has as many as it was told to hold. Groups stay until they are "
        "deleted, or expire: often a label of the group has a value of its own for each run. Nothing was stored.",
        "a limit of the store (`Limits(groups=...)`), off by default; HTTP status 429.",
    ),
    Code.STORE_FULL: Explanation(
        "With this push, the store would hold more series than it was told to. Nothing was stored.",
        "a limit of the store (`Limits(series=...)`), off by default; HTTP status 429.",
    ),
    Code.FORMAT_LOSS: Explanation(
        "The format to be written has no place for something that the families hold, such as exemplars in the "
        "text format. It is refused unless the loss is allowed (`lossy=True`), and then it is a warning.",
        "a rule of expofmt: nothing is lost in silence.",
    ),
    Code.FOREIGN_SAMPLE: Explanation(
        "A metric family built by a program holds a sample whose name is neither the family's nor that with a "
        "suffix of its type. Written as text, it would be read back as another family.",
        _GROUPING + "a metric's lines bear its name.",
    ),
    Code.TIMESTAMP_PRECISION: Explanation(
        "The text format counts timestamps in whole milliseconds, and this one has finer digits, as OpenMetrics "
        "allows. It is refused unless the loss is allowed (`lossy=True`), and then it is a warning.",
        _GO_INT,
    ),
    Code.TOO_MANY_DIAGNOSTICS: Explanation(
        "There were more findings than asked for: the number here were counted and not kept. The limit protects "
        "memory and readers (`--max-diagnostics`, or `max_diagnostics=`). The protobuf format is not read beyond it, "
        "so that there may be others.",
        "a limit of expofmt.",
    ),
}


__all__ = ["EXPLANATIONS", "Explanation", "explain"]
