"""The closed list of codes, and that each has a verdict in every profile."""

from __future__ import annotations

import re

import pytest

from expofmt.codes import Code, Kind, Profile, Severity, severity_of, verdict
from expofmt.words import ROWS

# What well-formed text is refused for all the same.
FATAL_IN_CONSISTENCY = {
    *(Code.SECOND_TYPE, Code.SECOND_HELP, Code.TYPE_AFTER_SAMPLES, Code.SUFFIX_COLLISION, Code.INVALID_COUNT),
    *(Code.PAYLOAD_MISMATCH, Code.NATIVE_HISTOGRAM),
    *(Code.NON_LEGACY_NAME, Code.TYPE_CONFLICT, Code.UNIT_CONFLICT, Code.BUCKET_BOUNDS_CONFLICT),
    *(Code.FORMAT_LOSS, Code.FOREIGN_SAMPLE, Code.TIMESTAMP_PRECISION),
    *(Code.BODY_TOO_LARGE, Code.TOO_MANY_FAMILIES, Code.TOO_MANY_SERIES),
    *(Code.LABEL_VALUE_TOO_LONG, Code.TOO_MANY_GROUPS, Code.STORE_FULL),
}


@pytest.mark.parametrize("code", Code)
def test_a_code_is_named_in_kebab_case_and_by_itself(code: Code) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code)
    assert code.name == code.value.replace("-", "_").upper()
    assert Code(str(code)) is code
    assert code in ROWS


@pytest.mark.parametrize("code", Code)
def test_what_is_fatal_is_an_error_to_all_who_do_not_ignore_it(code: Code) -> None:
    rule = verdict(code)
    assert rule.fatal == (rule.kind is Kind.SYNTAX or code in FATAL_IN_CONSISTENCY)
    if rule.fatal:
        # Pushgateway alone takes a TYPE line without a type for a comment.
        ignored = {Profile.PUSHGATEWAY} if code is Code.INCOMPLETE_TYPE else set()
        assert all(severity_of(code, profile) == Severity.ERROR for profile in set(Profile) - ignored)
        assert all(severity_of(code, profile) is None for profile in ignored)


@pytest.mark.parametrize("code", Code)
def test_each_code_is_reported_to_somebody(code: Code) -> None:
    assert {severity_of(code, profile) for profile in Profile} != {None}


def test_the_default_profile_is_prometheus() -> None:
    assert [severity_of(code) for code in Code] == [severity_of(code, Profile.PROMETHEUS) for code in Code]


@pytest.mark.parametrize(
    ("code", "prometheus", "pushgateway", "textfile"),
    [
        (Code.TRAILING_BLANK, None, "error", None),
        (Code.UNKNOWN_ESCAPE, "warning", "error", "warning"),
        (Code.TYPE_CASE, "error", None, "error"),
        (Code.HELP_AFTER_SAMPLES, "warning", None, "warning"),
        (Code.INTERLEAVED_FAMILY, "error", None, "error"),
        (Code.RESERVED_LABEL_NAME, "warning", "error", "warning"),
        (Code.EXPLICIT_TIMESTAMP, None, "error", "error"),
        (Code.DUPLICATE_SAMPLE, "error", "error", "error"),
        (Code.MISSING_FINAL_NEWLINE, "error", "error", "error"),
        (Code.MISSING_LE, "error", None, "error"),
        (Code.INVALID_LE, "error", "error", "error"),
        (Code.NAN_BOUND, "error", None, "error"),
        (Code.MISSING_INF_BUCKET, "error", None, "error"),
        (Code.BUCKET_ORDER, "warning", None, "warning"),
        (Code.BUCKET_NOT_CUMULATIVE, "error", None, "error"),
        (Code.MISSING_SUM, "warning", None, "warning"),
        (Code.INEXACT_INTEGER, "warning", "warning", "warning"),
    ],
)
def test_severities(code: Code, prometheus: str | None, pushgateway: str | None, textfile: str | None) -> None:
    assert severity_of(code, Profile.PROMETHEUS) == prometheus
    assert severity_of(code, Profile.PUSHGATEWAY) == pushgateway
    assert severity_of(code, Profile.TEXTFILE) == textfile
