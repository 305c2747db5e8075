"""The closed list of diagnostic codes, and how grave each is to whom.

A code names the offence and is stable within a major version. *Fatal* codes are refused even by a plain
:func:`expofmt.parse`; the others are reported by :func:`expofmt.check` and refused by ``strict`` where the profile
calls them errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Severity(StrEnum):
    """How grave a diagnostic is; an *error* fails a check.

    >>> Severity.WARNING
    <Severity.WARNING: 'warning'>
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Profile(StrEnum):
    """Whose verdict counts: who is going to read the text.

    ``prometheus``: the text format as its documentation defines it; ``pushgateway``: what Pushgateway accepts as a
    push; ``textfile``: node_exporter's textfile collector.

    >>> Profile("textfile")
    <Profile.TEXTFILE: 'textfile'>
    """

    PROMETHEUS = "prometheus"
    PUSHGATEWAY = "pushgateway"
    TEXTFILE = "textfile"


class Code(StrEnum):
    """The stable name of an offence.

    >>> Code("duplicate-sample").name
    'DUPLICATE_SAMPLE'
    """

    # What the grammar refuses.
    INVALID_UTF8 = "invalid-utf8"
    BYTE_ORDER_MARK = "byte-order-mark"
    CARRIAGE_RETURN = "carriage-return"
    INVALID_METRIC_NAME = "invalid-metric-name"
    QUOTED_NAME_OUTSIDE_BRACES = "quoted-name-outside-braces"
    UNQUOTED_NAME_IN_BRACES = "unquoted-name-in-braces"
    MISSING_METRIC_NAME = "missing-metric-name"
    SECOND_METRIC_NAME = "second-metric-name"
    EMPTY_NAME = "empty-name"
    INVALID_LABEL_NAME = "invalid-label-name"
    MISSING_EQUALS = "missing-equals"
    UNQUOTED_LABEL_VALUE = "unquoted-label-value"
    UNTERMINATED_STRING = "unterminated-string"
    MISSING_COMMA = "missing-comma"
    UNCLOSED_LABELS = "unclosed-labels"
    MISSING_VALUE = "missing-value"
    INVALID_VALUE = "invalid-value"
    VALUE_OUT_OF_RANGE = "value-out-of-range"
    INVALID_TIMESTAMP = "invalid-timestamp"
    TIMESTAMP_OUT_OF_RANGE = "timestamp-out-of-range"
    TRAILING_TEXT = "trailing-text"
    INCOMPLETE_TYPE = "incomplete-type"
    UNKNOWN_TYPE = "unknown-type"
    DUPLICATE_LABEL = "duplicate-label"
    METRIC_NAME_LABEL = "metric-name-label"
    INPUT_TOO_LARGE = "input-too-large"
    # What protobuf's wire format refuses.
    TRUNCATED_MESSAGE = "truncated-message"
    MALFORMED_MESSAGE = "malformed-message"
    # What one pass by name decides.
    SECOND_TYPE = "second-type"
    SECOND_HELP = "second-help"
    TYPE_AFTER_SAMPLES = "type-after-samples"
    SUFFIX_COLLISION = "suffix-collision"
    INVALID_COUNT = "invalid-count"
    NON_LEGACY_NAME = "non-legacy-name"
    PAYLOAD_MISMATCH = "payload-mismatch"
    NATIVE_HISTOGRAM = "native-histogram"
    # What a reader may forgive.
    MISSING_FINAL_NEWLINE = "missing-final-newline"
    TRAILING_BLANK = "trailing-blank"
    UNKNOWN_ESCAPE = "unknown-escape"
    TYPE_CASE = "type-case"
    OPENMETRICS_TYPE = "openmetrics-type"
    INEXACT_INTEGER = "inexact-integer"
    HELP_AFTER_SAMPLES = "help-after-samples"
    INTERLEAVED_FAMILY = "interleaved-family"
    RESERVED_LABEL_NAME = "reserved-label-name"
    UNKNOWN_FIELD = "unknown-field"
    # What the samples of a family say together.
    EXPLICIT_TIMESTAMP = "explicit-timestamp"
    DUPLICATE_SAMPLE = "duplicate-sample"
    MISSING_LE = "missing-le"
    INVALID_LE = "invalid-le"
    MISSING_QUANTILE = "missing-quantile"
    INVALID_QUANTILE = "invalid-quantile"
    NAN_BOUND = "nan-bound"
    QUANTILE_OUT_OF_RANGE = "quantile-out-of-range"
    STRAY_SAMPLE = "stray-sample"
    MISSING_INF_BUCKET = "missing-inf-bucket"
    BUCKET_ORDER = "bucket-order"
    DUPLICATE_BUCKET = "duplicate-bucket"
    BUCKET_NOT_CUMULATIVE = "bucket-not-cumulative"
    COUNT_MISMATCH = "count-mismatch"
    MISSING_SUM = "missing-sum"
    MISSING_COUNT = "missing-count"
    # What several inputs say together, and what an output cannot hold.
    TYPE_CONFLICT = "type-conflict"
    HELP_CONFLICT = "help-conflict"
    UNIT_CONFLICT = "unit-conflict"
    BUCKET_BOUNDS_CONFLICT = "bucket-bounds-conflict"
    RESERVED_FAMILY = "reserved-family"
    # What a store has no room for.
    BODY_TOO_LARGE = "body-too-large"
    TOO_MANY_FAMILIES = "too-many-families"
    TOO_MANY_SERIES = "too-many-series"
    LABEL_VALUE_TOO_LONG = "label-value-too-long"
    TOO_MANY_GROUPS = "too-many-groups"
    STORE_FULL = "store-full"
    FORMAT_LOSS = "format-loss"
    FOREIGN_SAMPLE = "foreign-sample"
    TIMESTAMP_PRECISION = "timestamp-precision"
    TOO_MANY_DIAGNOSTICS = "too-many-diagnostics"


class Kind(StrEnum):
    """Which exception a fatal code raises.

    >>> Kind.SYNTAX
    <Kind.SYNTAX: 'syntax'>
    """

    SYNTAX = "syntax"
    CONSISTENCY = "consistency"


class Verdict(NamedTuple):
    """How a code is treated; a severity of ``None`` means that it is not reported, nor fatal to that profile.

    >>> verdict(Code.MISSING_VALUE).fatal
    True
    """

    kind: Kind
    fatal: bool
    severity: Severity | None
    exceptions: Mapping[Profile, Severity | None]


_SYNTAX: Final = Verdict(Kind.SYNTAX, fatal=True, severity=Severity.ERROR, exceptions={})
_FATAL: Final = Verdict(Kind.CONSISTENCY, fatal=True, severity=Severity.ERROR, exceptions={})


def _reported(severity: Severity | None, **exceptions: Severity | None) -> Verdict:
    by_profile = {Profile(name): other for name, other in exceptions.items()}
    return Verdict(Kind.CONSISTENCY, fatal=False, severity=severity, exceptions=by_profile)


_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

# Pushgateway reads with a strict line parser but looks at no histogram as a whole, so that its profile is harder on
# blanks and escapes, and silent about buckets.
_VERDICTS: Final[Mapping[Code, Verdict]] = {
    Code.INCOMPLETE_TYPE: _SYNTAX._replace(exceptions={Profile.PUSHGATEWAY: None}),
    Code.SECOND_TYPE: _FATAL,
    Code.SECOND_HELP: _FATAL,
    Code.TYPE_AFTER_SAMPLES: _FATAL,
    Code.SUFFIX_COLLISION: _FATAL,
    Code.INVALID_COUNT: _FATAL,
    Code.NON_LEGACY_NAME: _FATAL,
    Code.PAYLOAD_MISMATCH: _FATAL,
    Code.NATIVE_HISTOGRAM: _FATAL,
    Code.MISSING_FINAL_NEWLINE: _reported(_ERROR),
    Code.TRAILING_BLANK: _reported(None, pushgateway=_ERROR),
    Code.UNKNOWN_ESCAPE: _reported(_WARNING, pushgateway=_ERROR),
    Code.TYPE_CASE: _reported(_ERROR, pushgateway=None),
    Code.OPENMETRICS_TYPE: _reported(_ERROR),
    Code.INEXACT_INTEGER: _reported(_WARNING),
    Code.HELP_AFTER_SAMPLES: _reported(_WARNING, pushgateway=None),
    Code.INTERLEAVED_FAMILY: _reported(_ERROR, pushgateway=None),
    Code.RESERVED_LABEL_NAME: _reported(_WARNING, pushgateway=_ERROR),
    Code.UNKNOWN_FIELD: _reported(_WARNING),
    Code.EXPLICIT_TIMESTAMP: _reported(None, pushgateway=_ERROR, textfile=_ERROR),
    Code.DUPLICATE_SAMPLE: _reported(_ERROR),
    Code.MISSING_LE: _reported(_ERROR, pushgateway=None),
    Code.INVALID_LE: _reported(_ERROR),
    Code.MISSING_QUANTILE: _reported(_ERROR, pushgateway=None),
    Code.INVALID_QUANTILE: _reported(_ERROR),
    Code.NAN_BOUND: _reported(_ERROR, pushgateway=None),
    Code.QUANTILE_OUT_OF_RANGE: _reported(_WARNING, pushgateway=None),
    Code.STRAY_SAMPLE: _reported(_ERROR, pushgateway=None),
    Code.MISSING_INF_BUCKET: _reported(_ERROR, pushgateway=None),
    Code.BUCKET_ORDER: _reported(_WARNING, pushgateway=None),
    Code.DUPLICATE_BUCKET: _reported(_ERROR, pushgateway=None),
    Code.BUCKET_NOT_CUMULATIVE: _reported(_ERROR, pushgateway=None),
    Code.COUNT_MISMATCH: _reported(_ERROR, pushgateway=None),
    Code.MISSING_SUM: _reported(_WARNING, pushgateway=None),
    Code.MISSING_COUNT: _reported(_WARNING, pushgateway=None),
    Code.TYPE_CONFLICT: _FATAL,
    Code.HELP_CONFLICT: _reported(_WARNING),
    Code.UNIT_CONFLICT: _FATAL,
    Code.BUCKET_BOUNDS_CONFLICT: _FATAL,
    Code.RESERVED_FAMILY: _reported(_WARNING),
    Code.BODY_TOO_LARGE: _FATAL,
    Code.TOO_MANY_FAMILIES: _FATAL,
    Code.TOO_MANY_SERIES: _FATAL,
    Code.LABEL_VALUE_TOO_LONG: _FATAL,
    Code.TOO_MANY_GROUPS: _FATAL,
    Code.STORE_FULL: _FATAL,
    Code.FORMAT_LOSS: _FATAL,
    Code.FOREIGN_SAMPLE: _FATAL,
    Code.TIMESTAMP_PRECISION: _FATAL,
    Code.TOO_MANY_DIAGNOSTICS: _reported(_INFO),
}


def verdict(code: Code) -> Verdict:
    """How a code is treated; the codes of the grammar are all alike.

    >>> verdict(Code.HELP_AFTER_SAMPLES).severity
    <Severity.WARNING: 'warning'>
    """
    return _VERDICTS.get(code, _SYNTAX)


def severity_of(code: Code, profile: Profile = Profile.PROMETHEUS) -> Severity | None:
    """A code's severity in a profile, ``None`` where the profile does not report it.

    >>> severity_of(Code.TRAILING_BLANK), severity_of(Code.TRAILING_BLANK, Profile.PUSHGATEWAY)
    (None, <Severity.ERROR: 'error'>)
    """
    rule = verdict(code)
    return rule.exceptions.get(profile, rule.severity)


__all__ = ["Code", "Kind", "Profile", "Severity", "Verdict", "severity_of", "verdict"]
