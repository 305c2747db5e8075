"""The protobuf format: what is read, what is refused and where, what is written, and that text survives it."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from expofmt import (
    Bucket,
    Code,
    ConsistencyError,
    CounterMetric,
    Diagnostic,
    Exemplar,
    Exposition,
    ExpositionError,
    Format,
    GroupingKey,
    GroupStore,
    HistogramMetric,
    LabelSet,
    LimitError,
    Limits,
    MetricFamily,
    MetricType,
    ParseError,
    Quantile,
    Sample,
    Span,
    SummaryMetric,
    check,
    diff,
    iter_families,
    parse,
    render,
)
from expofmt.cli import group
from expofmt.engine import protobuf
from expofmt.names import EscapingScheme
from expofmt.strategies import expositions, label_sets

pytestmark = pytest.mark.usefixtures("engine")

PROTOBUF = Format.PROTOBUF
KEY = GroupingKey("batch")
INF = math.inf


# A builder of messages that shares nothing with the code under test.


def varint(number: int) -> bytes:
    """A number of 64 bits, negative ones in two's complement."""
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def whole(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def double(field: int, number: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", number)


def message(field: int, *parts: bytes | str) -> bytes:
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def label(name: str | bytes, value: str | bytes) -> bytes:
    return message(1, message(1, name), message(2, value))


def family(name: str | bytes, type: int | None, *metrics: bytes, more: bytes = b"") -> bytes:
    parts = [message(1, name), *([] if type is None else [whole(3, type)]), *(message(4, metric) for metric in metrics)]
    body = b"".join(parts) + more
    return varint(len(body)) + body


def gauge(value: float, *labels: bytes) -> bytes:
    return b"".join(labels) + message(2, double(1, value))


def read(data: bytes, **options: Any) -> list[str]:
    """The samples as lines."""
    exposition = parse(data, format=PROTOBUF, **options)
    return [str(sample) for family in exposition.values() for sample in family.samples]


def codes(data: bytes, **options: Any) -> list[str]:
    return [str(diagnostic.code) for diagnostic in check(data, format=PROTOBUF, **options)]


# -------------------------------------------------------------------------------------------------------------- reading


def test_all_types() -> None:
    data = (
        family("c", 0, message(3, double(1, 3)), more=message(2, "Help.\nMore."))
        + family("g", 1, gauge(-1.5, label("b", "2"), label("a", "1")))
        + family("u", 3, message(5, double(1, math.nan)) + whole(6, -5))
        + family("s", 2, message(4, whole(1, 7), double(2, 1.5), message(3, double(1, 0.5), double(2, 9))))
        + family(
            "h", 4, label("a", "x") + message(7, whole(1, 4), double(2, 2), message(3, whole(1, 3), double(2, 0.1)))
        )
        + family("q", 5, message(7, double(4, 2.5), double(2, 2), message(3, double(4, 2.5), double(2, INF))))
        + family("empty", 1)
    )
    exposition = parse(data, format=PROTOBUF, strict=True)
    assert [(name, str(each.type), each.help) for name, each in exposition.items()] == [
        ("c", "counter", "Help.\nMore."),
        ("g", "gauge", None),
        ("u", "unknown", None),
        ("s", "summary", None),
        ("h", "histogram", None),
        ("q", "gaugehistogram", None),
        ("empty", "gauge", None),
    ]
    assert exposition.format is PROTOBUF
    assert read(data) == [
        "c 3",
        'g{a="1",b="2"} -1.5',
        "u NaN -5",
        's{quantile="0.5"} 9',
        "s_sum 1.5",
        "s_count 7",
        'h_bucket{a="x",le="0.1"} 3',
        'h_bucket{a="x",le="+Inf"} 4',
        'h_sum{a="x"} 2',
        'h_count{a="x"} 4',
        'q_bucket{le="+Inf"} 2.5',
        "q_sum 2",
        "q_count 2.5",
    ]


def test_what_is_absent_is_zero_and_a_family_without_a_type_one_of_counters() -> None:
    data = family("c", None, message(3)) + family("s", 2, message(4)) + family("h", 4, message(7, message(3)))
    assert read(data, strict=True) == [
        *("c 0", "s_sum 0", "s_count 0", 'h_bucket{le="0"} 0', 'h_bucket{le="+Inf"} 0', "h_sum 0", "h_count 0"),
    ]
    assert parse(data, format=PROTOBUF)["c"].type is MetricType.COUNTER
    assert parse(b"", format=PROTOBUF) == Exposition()


def test_a_fraction_goes_before_a_whole_number_unless_it_is_zero() -> None:
    buckets = message(3, whole(1, 5), double(4, 2.5), double(2, 1)) + message(
        3, whole(1, 3), double(4, 0), double(2, 2)
    )
    data = family("h", 4, message(7, buckets, whole(1, 3)))
    assert read(data)[:2] == ['h_bucket{le="1"} 2.5', 'h_bucket{le="2"} 3']


def test_exemplars_times_and_units() -> None:
    exemplar = message(2, label("trace_id", "x"), double(2, 0.5), message(3, whole(1, 9), whole(2, 1)))
    created = message(3, whole(1, -1), whole(2, 5))
    counter = family("c", 0, message(3, double(1, 1), exemplar, created) + whole(6, 2), more=message(5, "s"))
    bucket = message(3, whole(1, 1), double(2, 1), message(3, double(2, 0.25)))
    histogram = family("h", 4, message(7, whole(1, 1), bucket, message(15, whole(1, 3))))
    summary = family("s", 2, message(4, whole(1, 1), message(4, whole(1, 4))))
    exposition = parse(counter + histogram + summary, format=PROTOBUF)
    assert exposition["c"].unit == "s"
    [sample] = exposition["c"].samples
    assert sample.exemplars == (Exemplar({"trace_id": "x"}, 0.5, 9 * 10**9 + 1),)
    assert (sample.timestamp_ns, sample.start_timestamp_ns) == (2 * 10**6, -(10**9) + 5)
    assert exposition["h"].samples[0].exemplars == (Exemplar({}, 0.25),)
    assert {sample.start_timestamp_ns for sample in exposition["h"].samples} == {3 * 10**9}
    assert {sample.start_timestamp_ns for sample in exposition["s"].samples} == {4 * 10**9}
    assert parse(render(exposition), format=PROTOBUF) == exposition


def test_a_second_message_of_a_name_adds_to_the_family() -> None:
    data = (
        family("a", 1, gauge(1))
        + family("b", 1, gauge(2))
        + family("a", 1, gauge(3, label("x", "y")), more=message(2, "A"))
    )
    exposition = parse(data, format=PROTOBUF)
    assert [*exposition] == ["a", "b"]
    assert [str(sample) for sample in exposition["a"].samples] == ["a 1", 'a{x="y"} 3']
    assert exposition["a"].help == "A"
    assert codes(data) == ["interleaved-family"]
    assert codes(data, profile="pushgateway") == []


@pytest.mark.parametrize(
    ("second", "code", "fatal"),
    [
        (family("a", 0, message(3)), "type-conflict", True),
        (family("a", 1, gauge(2, label("x", "y")), more=message(2, "Two.")), "help-conflict", False),
        (family("a", 1, gauge(2, label("x", "y")), more=message(5, "m")), "unit-conflict", True),
    ],
)
def test_messages_that_contradict_each_other(second: bytes, code: str, fatal: bool) -> None:
    data = family("a", 1, gauge(1), more=message(2, "One.") + message(5, "s")) + second
    assert code in codes(data)
    if fatal:
        with pytest.raises(ConsistencyError):
            parse(data, format=PROTOBUF)
    else:
        assert parse(data, format=PROTOBUF)["a"].help == "One."


def test_names() -> None:
    data = family("a.b", 1, gauge(1, label("c.d", "é"))) + family("b:c", 1, gauge(2, label("e:f", "")))
    assert read(data) == ['{"a.b","c.d"="é"} 1', 'b:c{"e:f"=""} 2']
    assert codes(data) == []
    assert codes(data, names="legacy") == ["non-legacy-name", "non-legacy-name", "non-legacy-name"]
    with pytest.raises(ConsistencyError, match=r"x, byte 0: error\[non-legacy-name\] name `a\.b` needs quotes"):
        parse(data, format=PROTOBUF, names="legacy", filename="x")


def test_a_label_that_is_worth_a_word_is_told_of_each_metric() -> None:
    data = family("a", 1, gauge(1, label("__x", "1")), gauge(2, label("__x", "1"), label("b", "c")), gauge(3))
    found = check(data, format=PROTOBUF)
    assert [str(diagnostic.code) for diagnostic in found] == ["reserved-label-name"] * 2
    assert found[0].span != found[1].span
    assert [str(each.code) for each in check(data, format=PROTOBUF, max_diagnostics=1)] == [
        *("reserved-label-name", "too-many-diagnostics"),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (family("", 1, gauge(1)), "empty-name"),
        (family("a", 1, gauge(1, label("", "x"))), "empty-name"),
        (family("a", 6, gauge(1)), "unknown-type"),
        (family("a", -1, gauge(1)), "unknown-type"),
        (family(b"\xff", 1, gauge(1)), "invalid-utf8"),
        (family("a", 1, gauge(1), more=message(2, b"\xff")), "invalid-utf8"),
        (family("a", 1, gauge(1), more=message(5, b"\xff")), "invalid-utf8"),
        (family("a", 1, gauge(1, label(b"\xc3", "x"))), "invalid-utf8"),
        (family("a", 1, gauge(1, label("x", b"\xed\xa0\x80"))), "invalid-utf8"),
        (family("a", 1, gauge(1, label("x", "1"), label("x", "1"))), "duplicate-label"),
        (family("a", 4, label("le", "1") + message(7, whole(1, 1))), "duplicate-label"),
        (family("a", 2, label("quantile", "1") + message(4, whole(1, 1))), "duplicate-label"),
        (family("a", 0, message(3, message(2, label("x", "1"), label("x", "2")))), "duplicate-label"),
        (family("a", 1, gauge(1, label("__name__", "b"))), "metric-name-label"),
        (family("a", 1), None),
        (family("a", 1, b""), "payload-mismatch"),
        (family("a", 1, message(3, double(1, 1))), "payload-mismatch"),
        (family("a", 4, message(4, double(2, 1))), "payload-mismatch"),
        (family("a", 1, message(3, double(1, 1)) + gauge(1)), "payload-mismatch"),
        (family("a", 4, message(7, double(4, -1))), "invalid-count"),
        (family("a", 4, message(7, double(4, math.nan))), "invalid-count"),
        (family("a", 4, message(7, message(3, double(4, -0.5)))), "invalid-count"),
        (family("a", 4, message(7, whole(5, 3))), "native-histogram"),
        (family("a", 4, message(7, double(6, 0.5))), "native-histogram"),
        (family("a", 4, message(7, whole(7, 1))), "native-histogram"),
        (family("a", 4, message(7, message(12, whole(2, 1)))), "native-histogram"),
        (family("a", 5, message(7, whole(5, 3))), "native-histogram"),
        (family("a", 0, message(3, message(3, whole(2, 10**9)))), "timestamp-out-of-range"),
        (family("a", 0, message(3, message(3, whole(2, -1)))), "timestamp-out-of-range"),
        (family("a", 0, message(3, message(3, whole(1, 1 << 62)))), "timestamp-out-of-range"),
        (family("a", 4, message(7)) + family("a_sum", 1, gauge(1)), "suffix-collision"),
        (family("a_count", 1, gauge(1)) + family("a", 2, message(4)), "suffix-collision"),
    ],
)
def test_what_is_refused(data: bytes, code: str | None) -> None:
    found = check(data, format=PROTOBUF)
    assert [str(diagnostic.code) for diagnostic in found] == ([] if code is None else [code])
    for diagnostic in found:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start < diagnostic.span.end <= len(data)
        with pytest.raises(ExpositionError) as caught:
            parse(data, format=PROTOBUF)
        assert caught.value.status_hint == 400


def test_what_is_bad_is_found_beside_what_is_good() -> None:
    good, bad = gauge(1), gauge(1, label("", "x"))
    data = family("a", 1, good, bad, good) + family("", 1) + b"\x01\x07" + family("b", 0, good) + family("c", 1, good)
    found = check(data, format=PROTOBUF)
    assert [str(each.code) for each in found] == [
        *("duplicate-sample", "empty-name", "empty-name", "malformed-message", "payload-mismatch"),
    ]
    assert data[slice(*(found[1].span or ()))] == message(4, bad)
    assert data[slice(*(found[3].span or ()))] == b"\x07"


def test_fields_that_are_not_known_are_told_and_left_out() -> None:
    metric = (
        message(1, message(1, "x"), message(2, "y"), whole(7, 1)) + message(2, double(1, 3), whole(5, 1)) + whole(9, 1)
    )
    group_of = b"\xa3\x06\x08\x01\x0b\x0c\xa4\x06"
    data = family("a", 1, metric, metric, more=whole(8, 1) + double(12, 1) + b"\x6d\0\0\0\0" + group_of)
    told: list[Diagnostic] = []
    assert [str(each) for each in parse(data, format=PROTOBUF, on_warning=told.append)["a"].samples] == [
        'a{x="y"} 3'
    ] * 2
    assert [each.place.label for each in told if each.code is Code.UNKNOWN_FIELD] == [
        "left out: field 7, of wire type 0",
        "left out: field 5, of wire type 0",
        "left out: field 9, of wire type 0",
        "left out: field 8, of wire type 0",
        "left out: field 12, of wire type 1",
        "left out: field 13, of wire type 5",
        "left out: field 100, of wire type 3",
    ]


def test_a_known_field_of_another_wire_type_is_not_known() -> None:
    data = family("a", 1, gauge(1), gauge(2, label("x", "y")) + whole(2, 1), more=whole(4, 1) + double(1, 1))
    assert read(data) == ["a 1", 'a{x="y"} 2']
    assert [(str(each.code), each.place.excerpt) for each in check(data, format=PROTOBUF)] == [
        ("unknown-field", 'a{x="y"}'),
        ("unknown-field", "# TYPE a gauge"),
        ("unknown-field", "# TYPE a gauge"),
    ]
    data = family("a", 1, gauge(1), more=whole(4, 1) + message(4, gauge(2) + whole(9, 1)))
    assert codes(data) == ["duplicate-sample", "unknown-field", "unknown-field"]


def test_a_known_field_may_be_given_twice_and_a_number_spelt_at_length() -> None:
    data = family("a", 1, gauge(1) + message(2, double(1, 2)), more=message(1, "b") + b"\x18\x81\x80\x00")
    assert read(data, strict=True) == ["b 2"]


def test_every_truncation_is_a_parse_error_at_a_byte() -> None:
    first = family("a", 1, gauge(1))
    data = first + family("h", 4, label("x", "y") + message(7, whole(1, 1), message(3, whole(1, 1), double(2, 0.5))))
    for end in range(1, len(data)):
        if end == len(first):
            continue
        with pytest.raises(ParseError) as caught:
            parse(data[:end], format=PROTOBUF, filename="push")
        [diagnostic] = caught.value.diagnostics
        start = 0 if end < len(first) else len(first)
        assert diagnostic.code is Code.TRUNCATED_MESSAGE
        assert diagnostic.span == (start, end)
        assert str(diagnostic).startswith(f"push, byte {start}: error[truncated-message] input ends within message ")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b"\x07", 0),  # a wire type that there is not
        (b"\x0c", 0),  # the end of a group that did not begin
        (b"\x0b\x14", 1),  # the end of another group
        (b"\x0b", 0),  # a group without an end
        (b"\x00\x01", 0),  # field 0
        (b"\x0a\x05ab", 0),  # longer than the message
        (b"\x18\x80", 1),  # a number without an end
        (b"\x18" + b"\x80" * 10 + b"\x01", 1),  # and one that is too long
        (message(1, "a") + b"\x22\x04\x12\x02\x09\x00", 7),  # a value that is cut short
        (message(1, "a") + b"\x22\x04\x0a\x02\x0a\x07", 7),  # a label
    ],
)
def test_bad_wire_data_is_a_parse_error_at_its_byte(body: bytes, at: int) -> None:
    before = family("x", 1, gauge(1))
    data = before + varint(len(body)) + body + before
    with pytest.raises(ParseError) as caught:
        parse(data, format=PROTOBUF)
    found = [each for each in caught.value.diagnostics if each.code is Code.MALFORMED_MESSAGE]
    assert [each.span and each.span.start for each in found] == [len(before) + 1 + at]


def test_groups_within_groups_do_not_exhaust_the_stack() -> None:
    body = b"\x0b" * 50_000 + b"\x0c" * 50_000
    assert codes(varint(len(body)) + body)[0] in ("malformed-message", "empty-name")


def test_text_is_no_protobuf(data: Path) -> None:
    for path in sorted(data.glob("*.prom")):
        with pytest.raises(ParseError):
            parse(path.read_bytes(), format=PROTOBUF)


def test_the_files_of_it_are_not_read_piece_by_piece() -> None:
    with pytest.raises(ValueError, match="one by one from the text format only, not from protobuf"):
        iter_families(BytesIO(b""), format=PROTOBUF)


@given(st.binary(max_size=60) | st.lists(st.sampled_from([*b"\x0a\x12\x18\x22\x3a\x01\x02\x09\x00a", 255])).map(bytes))
def test_any_bytes_give_an_exposition_or_an_error(data: bytes) -> None:
    assert_sane(data)


@given(st.data(), expositions(max_families=3, max_metrics=3))
def test_any_change_to_a_message_gives_an_exposition_or_an_error(draw: st.DataObject, exposition: Exposition) -> None:
    data = bytearray(render(exposition, format=PROTOBUF))
    assume(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert_sane(bytes(data))


def assert_sane(data: bytes) -> None:
    found = check(data, format=PROTOBUF)
    for diagnostic in found:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start < diagnostic.span.end <= len(data)
        assert diagnostic.place.binary
        assert diagnostic.line is None
        assert len(diagnostic.place.excerpt.encode("utf-8", "surrogateescape")) <= 400
    fatal = {"error"} & {str(each.severity) for each in found}
    try:
        parse(data, format=PROTOBUF, strict=True)
    except ExpositionError:
        assert fatal
    else:
        assert not fatal


# -------------------------------------------------------------------------------------------------------------- writing


def test_bytes() -> None:
    samples = [("2", 1), ("1", 2)]
    one = MetricFamily.gauge("g", [({"b": x, "a": "é"}, v) for x, v in samples] + [({}, 0)], help="")
    metrics = [gauge(0), gauge(2, label("a", "é"), label("b", "1")), gauge(1, label("a", "é"), label("b", "2"))]
    body = message(1, "g") + message(2, "") + whole(3, 1) + b"".join(message(4, metric) for metric in metrics)
    assert render([one], format=PROTOBUF) == varint(len(body)) + body
    assert render([], format=PROTOBUF) == b""


def test_histograms_and_summaries_become_one_message_each() -> None:
    buckets = (Bucket(INF, 3), Bucket(0.5, 1.5), Bucket(0.1, 1))
    one = HistogramMetric(LabelSet(a="x"), 5 * 10**6, buckets, 2.5, 3)
    two = SummaryMetric(LabelSet(), None, (Quantile(0.9, 2), Quantile(0.5, 1)), 2.5, 3)
    data = render([MetricFamily.summary("s", [two]), MetricFamily.histogram("h", [one])], format=PROTOBUF)
    histogram = message(
        7,
        double(2, 2.5),
        message(3, double(2, 0.1), double(4, 1)),
        message(3, double(2, 0.5), double(4, 1.5)),
        message(3, double(2, INF), double(4, 3)),
        double(4, 3),
    )
    quantiles = message(3, double(1, 0.5), double(2, 1)) + message(3, double(1, 0.9), double(2, 2))
    expected = family("h", 4, label("a", "x") + whole(6, 5) + histogram)
    expected += family("s", 2, message(4, whole(1, 3), double(2, 2.5), quantiles))
    assert parse(data, format=PROTOBUF) == parse(expected, format=PROTOBUF)
    assert len(data) == len(expected)


def test_names_are_escaped_as_in_text() -> None:
    one = MetricFamily.gauge("a.b", [({"c.d": "e.f", "c": "x"}, 1)])
    data = render([one], format=PROTOBUF, escaping=EscapingScheme.UNDERSCORES)
    assert read(data) == ['a_b{c="x",c_d="e.f"} 1']
    assert render(parse(data, format=PROTOBUF), format=Format.TEXT) == render(
        [one], escaping=EscapingScheme.UNDERSCORES
    )
    with pytest.raises(ConsistencyError, match="suffix-collision"):
        render([one, MetricFamily.gauge("a_b", 1)], format=PROTOBUF, escaping=EscapingScheme.UNDERSCORES)
    clash = MetricFamily.gauge("g", [({"c.d": "1", "c_d": "2"}, 1)])
    with pytest.raises(ConsistencyError, match="format-loss"):
        render([clash], format=PROTOBUF, escaping=EscapingScheme.UNDERSCORES)


EXEMPLAR = Exemplar({"a": "b"}, 1)
BUCKET = Sample("h_bucket", {"le": "+Inf"}, 1)
SUM, COUNT = Sample("h_sum", {}, 1), Sample("h_count", {}, 1)


@pytest.mark.parametrize(
    ("lost", "what"),
    [
        (MetricFamily("a", MetricType.INFO), "type info"),
        (MetricFamily("a", MetricType.STATESET), "type stateset"),
        (MetricFamily("a", MetricType.GAUGE, samples=[Sample("a", {}, 1, None, [EXEMPLAR])]), "exemplars"),
        (
            MetricFamily("a", MetricType.COUNTER, samples=[Sample("a", {}, 1, None, [EXEMPLAR] * 2)]),
            "several exemplars",
        ),
        (MetricFamily("a", MetricType.GAUGE, samples=[Sample("a", {}, 1, None, (), 5)]), "start timestamps"),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[SUM, COUNT]), "without +Inf bucket"),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, COUNT]), "without sum or count"),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM]), "without sum or count"),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, SUM, COUNT]), "a second sum"),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, COUNT, COUNT]), "a second count"),
        (
            MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, COUNT, Sample("h_bucket", {}, 1)]),
            "samples without a place",
        ),
        (
            MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, COUNT, Sample("h_bucket", {"le": "x"}, 1)]),
            "samples without a place",
        ),
        (MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, COUNT, Sample("h", {}, 1)]), "without a place"),
        (
            MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, Sample("h_sum", {}, 1, None, [EXEMPLAR]), COUNT]),
            "exemplars",
        ),
        (
            MetricFamily("h", MetricType.HISTOGRAM, samples=[BUCKET, SUM, Sample("h_count", {}, 1, None, (), 5)]),
            "different start timestamps",
        ),
        (MetricFamily.summary("s", [SummaryMetric(sum=1, count=1.5)]), "counts of a summary"),
        (MetricFamily.summary("s", [SummaryMetric(sum=1)]), "without sum or count"),
    ],
)
def test_what_it_cannot_hold_is_refused_or_told(lost: MetricFamily, what: str) -> None:
    with pytest.raises(ConsistencyError) as caught:
        render([lost], format=PROTOBUF)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code is Code.FORMAT_LOSS
    assert f"the protobuf format cannot hold {what}"[:60] in diagnostic.message or what in diagnostic.message
    told: list[Diagnostic] = []
    data = render([lost], format=PROTOBUF, lossy=True, on_warning=told.append)
    assert [each.code for each in told] == [Code.FORMAT_LOSS]
    assert [*parse(data, format=PROTOBUF)] == [lost.name]


def test_times_finer_than_a_millisecond() -> None:
    with pytest.raises(ConsistencyError, match="timestamp-precision"):
        render([MetricFamily("a", samples=[Sample("a", {}, 1, 10**6 + 1)])], format=PROTOBUF)
    with pytest.raises(ConsistencyError, match="foreign-sample"):
        render([MetricFamily("a", samples=[Sample("b", {}, 1)])], format=PROTOBUF)


# ----------------------------------------------------------------------------------------------------------- both ways


def test_real_scrapes_survive(data: Path) -> None:
    for path in sorted(data.glob("*.prom")):
        exposition = parse(path.read_bytes())
        encoded = render(exposition, format=PROTOBUF)
        again = parse(encoded, format=PROTOBUF)
        assert not diff(again, exposition)
        assert render(again) == encoded
        assert render(again, format=Format.TEXT) == render(exposition)
        told = [str(each.code) for each in check(encoded, format=PROTOBUF)]
        assert told == [str(each.code) for each in check(render(exposition))], path


def canonical(exposition: Exposition) -> Exposition:
    return Exposition(each.with_samples(each.samples.sorted(each.name, each.type)) for each in exposition.values())


@given(expositions())
def test_what_is_written_reads_back(exposition: Exposition) -> None:
    data = render(exposition, format=PROTOBUF)
    assert parse(data, format=PROTOBUF, strict=True) == canonical(exposition)
    assert [*parse(data, format=PROTOBUF)] == sorted(exposition)


times = st.none() | st.integers(-(10**18), 10**18)
exemplars = st.builds(Exemplar, label_sets(), st.floats(), times)
counters = st.lists(
    st.builds(
        CounterMetric,
        labels=label_sets(),
        value=st.floats(),
        exemplars=st.lists(exemplars, max_size=1).map(tuple),
        start_timestamp_ns=times,
    ),
    unique_by=lambda metric: metric.labels,
    max_size=3,
)


@st.composite
def histogram_metrics(draw: st.DrawFn) -> HistogramMetric:
    bounds = sorted({*draw(st.lists(st.floats(allow_nan=False), max_size=3)), INF})
    counts = sorted(draw(st.lists(st.floats(0), min_size=len(bounds), max_size=len(bounds))))
    buckets = tuple(
        Bucket(b, c, tuple(draw(st.lists(exemplars, max_size=1)))) for b, c in zip(bounds, counts, strict=True)
    )
    labels = LabelSet({name: value for name, value in draw(label_sets()).items() if name != "le"})
    return HistogramMetric(labels, None, buckets, draw(st.floats()), counts[-1], draw(times))


@given(
    counters, st.lists(histogram_metrics(), unique_by=lambda metric: metric.labels, max_size=3), st.none() | st.text()
)
def test_exemplars_starts_and_units_read_back(
    counters: list[CounterMetric], histograms: list[HistogramMetric], unit: str | None
) -> None:
    assume(unit is None or not any("\ud800" <= character <= "\udfff" for character in unit))
    families = [MetricFamily.counter("c", counters, unit=unit), MetricFamily.histogram("h", histograms)]
    assert parse(render(families, format=PROTOBUF), format=PROTOBUF) == canonical(Exposition(families))


# ------------------------------------------------------------------------------------------------------------- a store


def test_a_push_is_stored_as_its_text_is(data: Path) -> None:
    for path in sorted(data.glob("*.prom")):
        exposition = Exposition(
            each.with_samples(Sample(s.name, s.labels, s.value) for s in each.samples)
            for each in parse(path.read_bytes()).values()
        )
        stores = [GroupStore(clock=lambda: 0) for _ in range(2)]
        stores[0].put(KEY, render(exposition))
        stores[1].put(KEY, render(exposition, format=PROTOBUF), format=PROTOBUF)
        text = stores[0].render()
        assert stores[1].render() == text
        stores[1].post(KEY, render(exposition, format=PROTOBUF), format=PROTOBUF)
        assert stores[1].render() == text
        scraped = parse(stores[1].render(format=PROTOBUF), format=PROTOBUF)
        assert render(scraped, format=Format.TEXT) == text
        assert stores[1].collect() == scraped


def test_a_scrape_of_some_families_with_names_escaped() -> None:
    store = GroupStore(names="utf-8", clock=lambda: 0)
    store.put(KEY, family("a.b", 1, gauge(1)) + family("c", 1, gauge(2)), format=PROTOBUF)
    scraped = store.render(format=PROTOBUF, names=["a.b"], escaping=EscapingScheme.UNDERSCORES)
    assert read(scraped) == ['a_b{instance="",job="batch"} 1']


def test_what_a_store_has_no_place_for_is_told() -> None:
    exemplar = message(2, label("trace_id", "x"), double(2, 0.5))
    pushed = family("c", 0, message(3, double(1, 1), exemplar, message(3, whole(1, 1))), more=message(5, "s"))
    store = GroupStore(clock=lambda: 0)
    warnings = store.put(KEY, pushed, format=PROTOBUF).warnings
    assert [each.message for each in warnings] == [
        f"the text format cannot hold {what}" for what in ("units", "exemplars", "start timestamps")
    ]
    assert b'c{instance="",job="batch"} 1\n' in store.render()
    assert store.collect(["c"])["c"].samples[0].exemplars == ()


@pytest.mark.parametrize(
    ("pushed", "code"),
    [
        (family("a", 1, gauge(1))[:-1], Code.TRUNCATED_MESSAGE),
        (b"\x01\x07", Code.MALFORMED_MESSAGE),
        (family("", 1, gauge(1)), Code.EMPTY_NAME),
        (family("a.b", 1, gauge(1)), Code.NON_LEGACY_NAME),
        (family("a", 1, gauge(1, label("x.y", ""))), Code.NON_LEGACY_NAME),
        (family("a", 9, gauge(1)), Code.UNKNOWN_TYPE),
        (family("a", 1, message(3)), Code.PAYLOAD_MISMATCH),
        (family("a", 4, message(7, whole(5, 1))), Code.NATIVE_HISTOGRAM),
        (family("a", 5, message(7, whole(1, 1))), Code.FORMAT_LOSS),
    ],
)
def test_a_push_that_is_refused_leaves_nothing(pushed: bytes, code: Code) -> None:
    store = GroupStore()
    with pytest.raises(ExpositionError) as caught:
        store.put(KEY, family("good", 1, gauge(1)) + pushed, format=PROTOBUF)
    assert [each.code for each in caught.value.diagnostics] == [code]
    assert caught.value.status_hint == 400
    assert not store.groups


@pytest.mark.parametrize(
    ("pushed", "code"),
    [
        (family("a", 1, gauge(1) + whole(6, 5)), Code.EXPLICIT_TIMESTAMP),
        (family("a", 1, gauge(1), gauge(2)), Code.DUPLICATE_SAMPLE),
        (family("a", 1, gauge(1, label("job", "x")), gauge(2)), Code.DUPLICATE_SAMPLE),
        (family("a", 1, gauge(1, label("__x", "x"))), Code.RESERVED_LABEL_NAME),
        (family("stored", 0, message(3)), Code.TYPE_CONFLICT),
        (family("stored_sum", 1, gauge(1)) + family("h_sum", 1, gauge(1)), Code.SUFFIX_COLLISION),
    ],
)
def test_a_push_that_contradicts_is_remembered(pushed: bytes, code: Code) -> None:
    store = GroupStore(clock=lambda: 10**9)
    store.put(GroupingKey("other"), family("stored", 1, gauge(1)) + family("h", 4, message(7)), format=PROTOBUF)
    with pytest.raises(ConsistencyError) as caught:
        store.put(KEY, pushed, format=PROTOBUF)
    assert code in {each.code for each in caught.value.diagnostics}
    assert b'push_failure_time_seconds{instance="",job="batch"} 1\n' in store.render()


def test_limits_hold() -> None:
    store = GroupStore(limits=Limits(push_series=1))
    with pytest.raises(LimitError):
        store.put(KEY, family("a", 1, gauge(1), gauge(2, label("a", "b"))), format=PROTOBUF)


def test_an_exposition_that_was_read_is_pushed_as_any_other() -> None:
    store = GroupStore(clock=lambda: 0)
    store.put(KEY, parse(family("a", 1, gauge(1)), format=PROTOBUF), format=PROTOBUF)
    assert [*store.collect(["a"])] == ["a"]


def test_a_gauge_histogram_is_refused_at_its_message() -> None:
    pushed = family("good", 1, gauge(1)) + family("q", 5, message(7, whole(1, 1)))
    with pytest.raises(ConsistencyError) as caught:
        GroupStore().put(KEY, pushed, format=PROTOBUF)
    [found] = caught.value.diagnostics
    start = len(family("good", 1, gauge(1)))
    assert str(found) == f"PUT /metrics/job/batch, byte {start}: error[format-loss] gauge histograms are not stored"
    assert (found.span, found.help) == (Span(start, len(pushed)), "push it as a histogram, or as gauges")


# ---------------------------------------------------------------------------------------------------------------- abuse


def bucket(bound: float) -> bytes:
    return message(3, double(2, bound))


def buckets(*parts: bytes) -> bytes:
    return message(7, *parts)


def large(*metrics: bytes, name: str = "a", type: int = 1, more: bytes = b"") -> bytes:
    """A message that is read in several parts."""
    data = family(name, type, *metrics, more=more)
    assert len(data) > 3 * 65536
    return data


# Many tiny fields, which are very few bytes once they are compressed: what is repeated in which message.
ABUSE = {
    "buckets": (lambda n: family("a", 4, buckets(b"\x1a\0" * n)), Code.INPUT_TOO_LARGE),
    "quantiles": (lambda n: family("a", 2, message(4, b"\x1a\0" * n)), Code.INPUT_TOO_LARGE),
    "labels": (lambda n: family("a", 1, b"\x0a\0" * n), Code.PAYLOAD_MISMATCH),
    "metrics that hold nothing": (lambda n: family("a", 1, more=b"\x22\0" * n), Code.PAYLOAD_MISMATCH),
    "gauges": (lambda n: family("a", 1, more=b"\x22\2\x12\0" * n), Code.INPUT_TOO_LARGE),
    "histograms": (lambda n: family("a", 4, more=b"\x22\2\x3a\0" * n), Code.INPUT_TOO_LARGE),
    "two payloads": (lambda n: family("a", 1, more=b"\x22\4\x12\0\x1a\0" * n), Code.PAYLOAD_MISMATCH),
    "messages": (lambda n: b"\0" * n, Code.EMPTY_NAME),
    "broken messages": (lambda n: b"\1\x22" * n, Code.MALFORMED_MESSAGE),
    "messages of no metric": (lambda n: family("a", 1) * n, Code.INPUT_TOO_LARGE),
    "messages of one metric": (lambda n: family("a", 1, gauge(1)) * n, Code.INPUT_TOO_LARGE),
    "labelled messages": (lambda n: family("a", 1, gauge(1, label("b", "c"))) * n, Code.INPUT_TOO_LARGE),
    "equal labelled metrics": (
        lambda n: family("a", 1, more=message(4, gauge(1, label("b", "c"))) * n),
        Code.INPUT_TOO_LARGE,
    ),
    "labelled metrics of equal messages": (
        lambda n: family("a", 1, *(gauge(1, label("b", str(i))) for i in range(100))) * (n // 100 or 1),
        Code.INPUT_TOO_LARGE,
    ),
    "distinct families": (
        lambda n: b"".join(family(f"a{number}", 1, gauge(1)) for number in range(2 * n)),
        Code.TOO_MANY_FAMILIES,
    ),
    "unknown fields": (lambda n: family("a", 1, gauge(1), more=b"\x50\0" * 2 * n), Code.INPUT_TOO_LARGE),
    "unknown fields of metrics": (
        lambda n: family("a", 1, *[gauge(1) + b"\x50\0" * 5000] * (n // 1000)),
        Code.INPUT_TOO_LARGE,
    ),
    "fields of native histograms": (
        lambda n: family("a", 4, *[message(7, b"\x28\0" * 5000)] * (n // 1000)),
        Code.INPUT_TOO_LARGE,
    ),
    "metrics of a long name": (lambda n: family("a" * n, 1, more=b"\x22\0" * 1100), Code.PAYLOAD_MISMATCH),
}


@pytest.mark.parametrize("name", ABUSE)
def test_what_few_bytes_claim_is_refused_in_little_memory(name: str) -> None:
    make, code = ABUSE[name]
    assert codes(make(5)) is not None
    data = make(50_000)
    store = GroupStore(limits=Limits(push_families=90_000))
    tracemalloc.start()
    try:
        with pytest.raises(ExpositionError) as caught:
            store.put(KEY, data, format=PROTOBUF)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code in {each.code for each in caught.value.diagnostics}
    assert len(caught.value.diagnostics) <= 1001
    assert not store.groups
    assert peak <= 4 * len(data) + 4_000_000


PUSH = """
import gzip, resource, sys
from expofmt import GroupStore, engine
from expofmt.gateway import Gateway, Headers, Request
engine.use(sys.argv[1])
gateway = Gateway(GroupStore())
kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
headers = Headers([("Content-Type", kind), ("Content-Encoding", "gzip")])
def push(data):
    return gateway.handle(Request("PUT", "/metrics/job/j", headers, gzip.compress(data))).status
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = sys.stdin.buffer.read()
assert push(data[:100]) == 400
before = most()
print(push(data), most() - before)
"""


@pytest.mark.parametrize("name", ["buckets", "metrics that hold nothing", "histograms"])
def test_the_memory_of_the_process_is_bounded_too(name: str, engine: str) -> None:
    # What the runtime takes is no memory of Python's.
    data = ABUSE[name][0](1 << 19)
    found = subprocess.run([sys.executable, "-c", PUSH, engine], input=data, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()
    status, growth = map(int, found.stdout.split())
    assert status == 400
    assert growth * 1024 <= 4 * len(data) + 32_000_000


def test_so_many_samples_may_be_given_twice() -> None:
    same = gauge(1)
    assert len(read(family("a", 1, *[same] * 1001))) == 1001
    assert codes(family("a", 1, *[same] * 1002)) == ["input-too-large"]
    assert len(read(family("a", 4, buckets(bucket(1) * 1001)))) == 1001 + 3
    with pytest.raises(ParseError, match="more than 1,000 samples, families or fields are given twice"):
        parse(family("a", 4, buckets(bucket(1) * 1002)), format=PROTOBUF)
    times = [same + whole(6, number) for number in range(1500)]
    assert len(read(family("a", 1, *times))) == 1500
    labelled = gauge(1, label("b", "c"), label("d", "e"))
    other = gauge(2, label("d", "e"), label("b", "c"))
    assert len(read(family("a", 1, labelled, *[other] * 1000))) == 1001
    assert codes(family("a", 1, labelled, *[other] * 1001)) == ["input-too-large"]


@pytest.mark.parametrize(
    "make",
    [
        lambda n: family("a", 1, gauge(1), more=whole(3, 1) * n),
        lambda n: family("a", 1, gauge(1), more=message(5, "seconds") * (n + 1)),
        lambda n: family("a", 1, gauge(1) + whole(6, 1) * (n + 1)),
        lambda n: family("a", 1, gauge(1) + message(2) * n),
        lambda n: family("a", 1, message(2, double(1, 1) * (n + 1))),
        lambda n: family("a", 1, message(1, message(1, "b") * (n + 1), message(2, "c")) + gauge(1)),
        lambda n: family("a", 1, *(gauge(1, label("b", str(i))) + whole(6, 1) * 2 for i in range(n))),
        lambda n: b"".join(family(f"a{i}", 1, gauge(1), more=whole(3, 1)) for i in range(n)),
    ],
)
def test_so_many_fields_may_be_given_again(make: Callable[[int], bytes]) -> None:
    assert codes(make(1000)) == []
    with pytest.raises(ParseError, match="more than 1,000 samples, families or fields are given twice"):
        parse(make(1001), format=PROTOBUF)


def test_what_may_stand_often_is_not_given_again() -> None:
    points = buckets(*map(bucket, range(2000)), whole(50, 1))
    labels = b"".join(label(f"b{number}", "c") for number in range(2000))
    assert codes(family("a", 4, labels + points, points)) == ["unknown-field"]


def test_so_many_messages_may_have_a_name_that_was_given() -> None:
    messages = [family("a", 1, gauge(1, label("b", str(number)))) for number in range(1002)]
    assert len(read(b"".join(messages[:1001]))) == 1001
    assert "input-too-large" in codes(b"".join(messages), max_diagnostics=1002)


def test_so_many_fields_may_be_unknown() -> None:
    metrics = [gauge(number, label("b", str(number))) + whole(9, 1) * 5000 for number in range(20)]
    data = family("a", 1, *metrics)
    assert codes(data) == ["unknown-field"]
    metrics += [gauge(number, label("b", str(number))) + whole(9, 1) * 5000 for number in range(20, 30)]
    with pytest.raises(ParseError, match="fields are not known"):
        parse(family("a", 1, *metrics), format=PROTOBUF)
    unknown = whole(9, 1) * ((1 << 16) - 2)
    assert codes(family("a", 1, gauge(1), more=unknown)) == ["unknown-field"]
    with pytest.raises(ParseError, match="more than 65,536 fields besides its metrics"):
        parse(family("a", 1, gauge(1), more=unknown + whole(9, 1)), format=PROTOBUF)


def test_too_many_families_are_refused_before_they_are_read() -> None:
    store = GroupStore(limits=Limits(push_families=2))
    # A family of several messages is one.
    store.put(KEY, b"".join(family("a", 1, gauge(1, label("b", str(i)))) for i in range(1001)), format=PROTOBUF)
    with pytest.raises(LimitError, match="has 3 metric families, the limit is 2"):
        store.put(KEY, b"".join(family(name, 1, gauge(1)) for name in "abc"), format=PROTOBUF)
    many = b"".join(family(f"a{number}", 1, gauge(1)) for number in range(1003))
    for data in (many, many + b"\x80", many + b"\5"):
        with pytest.raises(LimitError, match="has over 1,002 metric families, the limit is 2"):
            store.put(KEY, data, format=PROTOBUF)
    with pytest.raises(ParseError, match="ends within message 2"):
        store.put(KEY, family("a", 1, gauge(1)) + b"\5", format=PROTOBUF)
    assert list(store.groups) == [KEY]


@pytest.mark.parametrize(
    "data",
    [
        family("a", 4, label("b", "x" * 10**6) + buckets(*map(bucket, range(100)))),
        family("a" * 10**6, 4, buckets(*map(bucket, range(100)))),
        family("a" * 10**6, 1, *(gauge(1, label("b", str(number))) for number in range(100))),
    ],
)
def test_what_stands_once_is_not_repeated_without_end(data: bytes) -> None:
    assert codes(data) == ["input-too-large"]


def test_reading_ends_where_enough_refuses() -> None:
    bad, good = message(3), gauge(1, label("b", "c"))
    scanned = protobuf.scan(family("a", 1, *[bad] * 5, good), max_faults=3)
    assert [str(fault.code) for fault in scanned.faults] == ["payload-mismatch"] * 3
    assert scanned.suppressed == {"payload-mismatch": 1}
    assert not scanned.families
    # What refuses nothing ends nothing.
    scanned = protobuf.scan(family("a.b", 1) * 5, max_faults=3)
    assert scanned.suppressed == {"non-legacy-name": 2, "interleaved-family": 1}
    assert len(scanned.families) == 1


def test_a_large_message_is_read_as_a_small_one_is() -> None:
    metrics = [gauge(number, label("b", f"{number:0100}")) for number in range(2000)]
    unit = message(5, "seconds")
    lines = read(large(*metrics, more=unit))
    assert lines == [f'a{{b="{number:0100}"}} {number}' for number in range(2000)]
    assert [each.unit for each in parse(large(*metrics, more=unit), format=PROTOBUF).values()] == ["seconds"]
    # Name and type are those that stand last, wherever that is.
    assert read(large(*metrics, more=message(1, "c")))[0] == f'c{{b="{0:0100}"}} 0'
    bad = [*metrics[:1500], message(3), *metrics[1500:]]
    start = len(family("a", 1, *metrics)) - len(b"".join(message(4, metric) for metric in metrics[1500:]))
    [found] = check(large(*bad), format=PROTOBUF)
    assert (found.code, found.span) == (Code.PAYLOAD_MISMATCH, Span(start, start + len(message(4, message(3)))))
    [found] = check(large(*metrics, whole(9, 1) + gauge(5)), format=PROTOBUF)
    assert (found.code, found.span) == (Code.UNKNOWN_FIELD, Span(len(large(*metrics)) + 2, len(large(*metrics)) + 4))
    assert found.place.excerpt == "a"


def test_a_large_message_that_is_broken_is_refused_at_its_byte() -> None:
    metrics = [gauge(number, label("b", f"{number:0100}")) for number in range(2000)]
    before = len(large(*metrics))
    for broken, within in ((message(4, b"\x0a\x05"), 2), (b"\x07\0", 0)):
        [found] = check(large(*metrics, more=broken), format=PROTOBUF)
        assert (found.code, found.span) == (Code.MALFORMED_MESSAGE, Span(before + within, before + len(broken)))


def test_one_large_metric_is_read() -> None:
    lines = read(family("a", 4, buckets(*map(bucket, range(20_000)))))
    assert len(lines) == 20_003
    value = "x" * 300_000
    assert read(family("a", 1, gauge(1, label("b", value)))) == [f'a{{b="{value}"}} 1']


def test_of_long_texts_both_ends_are_shown() -> None:
    name = "a" + "x" * 5000 + "z"
    [found] = check(family(name, 1, message(3)), format=PROTOBUF)
    assert found.place.excerpt.startswith("axx")
    assert found.place.cut == (False, True)
    [found] = check(family(name, 1, gauge(1, label("", "v"))), format=PROTOBUF)
    assert found.place.excerpt.endswith('xz{""="v"}')
    assert found.place.cut == (True, False)


# ---------------------------------------------------------------------------------------------------- the command line


def test_check_reads_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pb", tmp_path / "bad.pb"
    good.write_bytes(family("a", 1, gauge(1)))
    bad.write_bytes(family("a", 1, gauge(1))[:-1])
    runner = CliRunner()
    assert runner.invoke(group, ["check", "--format", "protobuf", str(good)]).exit_code == 0
    result = runner.invoke(group, ["check", "--format=protobuf", "--output-format=concise", str(bad)])
    assert result.exit_code == 1
    assert result.stdout == f"{bad}, byte 0: error[truncated-message] input ends within message 1\n"
    result = runner.invoke(group, ["check", "--format=protobuf", "--output-format=json", str(bad)])
    assert '"byte": 0, "end_byte": 18' in result.stdout


def test_without_the_package_the_extra_is_named() -> None:
    program = """
import sys
import tracemalloc
sys.modules["google"] = None
import expofmt
from click.testing import CliRunner
from expofmt.cli import group
assert expofmt.parse("a 1\\n")
for use in (
    lambda: expofmt.parse(b"", format=expofmt.Format.PROTOBUF),
    lambda: expofmt.render([], format=expofmt.Format.PROTOBUF),
    lambda: expofmt.GroupStore().render(format=expofmt.Format.PROTOBUF),
    lambda: expofmt.GroupStore().put(expofmt.GroupingKey("j"), b"", format=expofmt.Format.PROTOBUF),
):
    try:
        use()
    except ImportError as error:
        assert str(error) == 'the protobuf format needs the protobuf package: pip install "expofmt[protobuf]"', error
    else:
        raise AssertionError("no error")
result = CliRunner().invoke(group, ["check", "--format=protobuf", "-"])
assert result.exit_code == 2, result
assert 'pip install "expofmt[protobuf]"' in result.stderr
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_installed_client_model_is_not_disturbed() -> None:
    """Another package may have registered messages of the same names."""
    program = """
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="io.prometheus.client")
file.message_type.add(name="MetricFamily")
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
import expofmt
assert expofmt.render([expofmt.MetricFamily.gauge("a", 1)], format=expofmt.Format.PROTOBUF)
assert not descriptor_pool.Default().FindMessageTypeByName("io.prometheus.client.MetricFamily").fields
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_it_is_loaded_when_it_is_used() -> None:
    program = "import sys, expofmt; expofmt.parse('a 1'); assert not any('protobuf' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert protobuf.__doc__
