"""Every case under tests/cases/gateway/texts: a push that is refused, and the text that Pushgateway sends then.

``NAME.prom`` is the body, ``NAME.txt`` the text, written from the messages of the specification. ``NAME.other`` is what
another group has pushed before. tests/peers/test_gateway_texts.py asks the original.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from expofmt import Code, Diagnostic, ExpositionError, GroupingKey, GroupStore, Limits, MetricFamily
from expofmt.codes import Profile, Severity, severity_of
from expofmt.diagnostics import Place
from expofmt.gateway.verdicts import TEXTS, Refusal, refusal
from expofmt.grouping import GroupingKeyError
from expofmt.groups import JournalError

FOLDER = Path(__file__).parent / "cases" / "gateway" / "texts"
INPUTS = sorted(FOLDER.glob("*.prom"))

# All messages of the parser and of the comparison: section 8 and section 3.2 of the specification.
MESSAGES = r"""
unexpected end of input stream
invalid metric name
invalid metric name "X"
invalid metric name in comment
metric name "X" contains unescaped new-line
label name "X" contains unescaped new-line
multiple metric names for metric "X"
unexpected end of metric name 'X'
invalid label name for metric "X"
invalid label name "X"
label name "__name__" is reserved
duplicate label names for metric "X"
expected '=' after label name, found 'X'
expected '"' at start of label value, found 'X'
label value "X" contains unescaped new-line
invalid label value "X"
invalid escape sequence '\\X'
unexpected end of label value "X"
expected float as value, got "X"
expected float as value for 'le' label, got "X"
expected float as value for 'quantile' label, got "X"
negative bucket population for histogram "X"
negative count for histogram "X"
expected integer as timestamp, got "X"
spurious string after timestamp: "X"
second HELP line for metric name "X"
second TYPE line for metric name "X", or TYPE reported after samples
unknown metric type "X"
pushed metrics must not have timestamps
collected metric named "X" collides with previously collected summary named "X"
collected metric named "X" collides with previously collected histogram named "X"
collected histogram or summary named "X" collides with previously collected metric named "X"
collected histogram named "X" collides with previously collected metric named "X"
collected metric "X" { X} is not a GAUGE
collected metric "X" { X} has a label with an invalid name: __x
collected metric "X" { X} was collected before with the same name and label values
2 error\(s\) occurred:\n\* X\n\* X
"""


def refused(store: GroupStore, body: bytes, **options: str) -> ExpositionError:
    with pytest.raises(ExpositionError) as caught:
        store.put(GroupingKey("batch", **options), body)
    return caught.value


@pytest.mark.parametrize("case", INPUTS, ids=[case.stem for case in INPUTS])
def test_texts(case: Path, engine: str) -> None:
    store = GroupStore()
    other = case.with_suffix(".other")
    if other.exists():
        store.put(GroupingKey("batch", instance="i"), other.read_bytes())
    body = case.read_bytes()
    answer = refusal(refused(store, body), body)
    assert answer == Refusal(400, case.with_suffix(".txt").read_bytes().decode().removesuffix("\n"))


def test_each_message_has_a_case() -> None:
    texts = [case.with_suffix(".txt").read_text(encoding="utf-8").removesuffix("\n") for case in INPUTS]
    found = [re.split(r"line \d+: |existing metrics: ", text, maxsplit=1)[1] for text in texts]
    for message in MESSAGES.split("\n")[1:-1]:
        pattern = message if "\\(" in message else re.sub(r"[{}.]", r"\\\g<0>", message)
        assert any(re.fullmatch(pattern.replace("X", "(?s:.*)"), text) for text in found), message


def test_each_code_that_refuses_a_push_has_a_text() -> None:
    errors = {code for code in Code if severity_of(code, Profile.PUSHGATEWAY) is Severity.ERROR}
    # Of buckets in two spellings the profile says nothing, and the store does.
    assert TEXTS.keys() == errors | {Code.DUPLICATE_BUCKET}


def test_names_of_utf_8(engine: str) -> None:
    store = GroupStore(names="utf-8")
    body = b'{"m.x","a.b"="c"} x\n'
    assert refusal(refused(store, body), body, names="utf-8").text == (
        'text format parsing error in line 1: expected float as value, got "x"'
    )


def test_what_pushgateway_takes_is_refused_in_our_words(engine: str) -> None:
    body = b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_count 1\n'
    error = refused(GroupStore(), body)
    assert refusal(error, body) == (400, str(error))
    assert "[duplicate-bucket]" in str(error)


def test_what_pushgateway_refuses_comes_before_what_is_ours(engine: str) -> None:
    body = b'# TYPE h histogram\nh_bucket{le="1"} 1.5\nm x\n'
    assert refusal(refused(GroupStore(), body), body).text == (
        'text format parsing error in line 3: expected float as value, got "x"'
    )


def test_families_of_the_gateway_itself(engine: str) -> None:
    store = GroupStore(own=lambda: [MetricFamily.gauge("go_goroutines", 5)])
    body = b"# TYPE go_goroutines counter\ngo_goroutines 5\n"
    assert refusal(refused(store, body), body).text == (
        "pushed metrics are invalid or inconsistent with existing metrics: "
        "gathered metric family go_goroutines has type COUNTER but should have GAUGE"
    )


def test_two_groups_that_are_one_when_they_are_scraped(engine: str) -> None:
    store = GroupStore()
    store.put(GroupingKey("batch"), b"")
    assert refusal(refused(store, b"", instance="")).text == (
        "pushed metrics are invalid or inconsistent with existing metrics: "
        'collected metric "push_time_seconds" { push_time_seconds{instance="",job="batch"}} '
        "was collected before with the same name and label values"
    )


def test_a_body_that_is_no_text_is_told_of_in_our_words() -> None:
    place = Place.canonical("PUT /metrics/job/batch", 'm{a="b"', "")
    error = ExpositionError([Diagnostic(Code.INVALID_LE, Severity.ERROR, "upper bound is not a number", place)])
    assert refusal(error) == (400, "PUT /metrics/job/batch: error[invalid-le] upper bound is not a number")


def test_limits_have_their_own_statuses(engine: str) -> None:
    store = GroupStore(limits=Limits(body_bytes=3, groups=1))
    assert refusal(refused(store, b"m 10\n"))[0] == 413
    store.put(GroupingKey("other"), b"")
    status, text = refusal(refused(store, b""))
    assert (status, "the limit is 1" in text) == (429, True)


def test_paths_and_journals() -> None:
    with pytest.raises(GroupingKeyError) as caught:
        GroupingKey.from_path("/metrics/job@base64/YWJj!x")
    assert refusal(caught.value) == (
        400,
        'invalid base64 encoding in job name "abc": illegal base64 data at input byte 4',
    )
    with pytest.raises(GroupingKeyError) as caught:
        GroupingKey.from_path("/metrics")
    assert refusal(caught.value) == (404, "404 page not found")
    assert refusal(JournalError("disk full")) == (503, "disk full")


def test_anything_else_is_no_refusal() -> None:
    with pytest.raises(TypeError, match="a ValueError is no refusal"):
        refusal(ValueError("x"))


def test_a_line_among_more_contradictions_than_are_told(engine: str) -> None:
    body = b'm{a="b"} 1\n' * 3_000 + b"m{a=} 1\n"
    assert refusal(refused(GroupStore(), body), body).text == (
        "text format parsing error in line 3001: expected '\"' at start of label value, found '}'"
    )


def test_many_contradictions_do_not_take_a_pass_over_the_text_each(engine: str) -> None:
    """Of as many as are told, each with names that might be those of a histogram."""
    body = b"m_sum 1\n" * 30_000
    text = refusal(refused(GroupStore(), body), body).text
    assert text.count("\n* ") == 1000
