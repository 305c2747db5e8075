"""The seam: what every engine has to return. Nothing here looks into one, so that all are held to the same."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import EscapingScheme, Exemplar, Format, LabelSet, MetricFamily, MetricType, Sample, Samples, engine
from expofmt.codes import Code, verdict
from expofmt.source import Span
from expofmt.strategies import exposition_text, samples

pytestmark = pytest.mark.usefixtures("engine")

# Engines report it always; who allows such names does not hear of it.
# A family whose samples have no bounds.
PLAIN: Final[Any] = {"name": "a", "type": MetricType.GAUGE}
LEGACY = Code.NON_LEGACY_NAME


def scan(text: str | bytes, **options: bool | int) -> engine.Scan:
    data = text if isinstance(text, bytes) else text.encode()
    return engine.scan(data, Format.TEXT, **options)  # type: ignore[arg-type]


def read(text: str) -> Samples:
    """The samples of a text's only family."""
    found = scan(text)
    assert [fault.code for fault in found.faults if verdict(Code(fault.code)).fatal and fault.code != LEGACY] == []
    [family] = found.families
    return family.samples


def packed(*given: Sample) -> Samples:
    return engine.pack(given)


def cut(given: Samples, part: slice) -> Samples:
    found = given[part]
    assert isinstance(found, Samples)
    return found


def shown(given: Sequence[Sample]) -> list[str]:
    return [str(sample) for sample in given]


# ----------------------------------------------------------------------------------------------------------------- scan


def test_families_are_in_order_of_first_mention() -> None:
    text = "# HELP z x\nb 1\n# TYPE h histogram\n# comment\nz 1\nh_sum 1\nb 2\n# TYPE e gauge\n"
    families = scan(text).families
    assert [(family.name, family.type, family.help) for family in families] == [
        ("z", MetricType.UNKNOWN, "x"),
        ("b", MetricType.UNKNOWN, None),
        ("h", MetricType.HISTOGRAM, None),
        ("e", MetricType.GAUGE, None),
    ]
    assert [len(family.samples) for family in families] == [1, 2, 1, 0]
    assert {family.unit for family in families} == {None}


def test_start_and_end_enclose_all_lines_of_a_family() -> None:
    lines = ["# free\n", "# HELP b x\n", " a 1\n", "b{} 2 \n", "a 3\n", "# TYPE c gauge\n"]
    text = "".join(lines)
    where = {family.name: (family.start, family.end) for family in scan(text).families}
    starts = [text.index(line) for line in lines]
    assert where["b"][0] == starts[1]
    assert where["a"][0] == starts[2]
    assert where["c"][0] == starts[5]
    # With or without what follows the last token of the line.
    assert starts[3] + len("b{} 2") <= where["b"][1] <= starts[4]
    assert starts[4] + len("a 3") <= where["a"][1] <= starts[5]
    assert starts[5] + len("# TYPE c gauge") <= where["c"][1] <= len(text)


def test_a_refused_line_makes_its_family_incomplete() -> None:
    text = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum x\na 1\nb 1e999\nb 1\n'
    assert {family.name: family.complete for family in scan(text).families} == {"h": False, "a": True, "b": False}
    assert shown(scan(text).families[0].samples) == ['h_bucket{le="1"} 1']


def test_faults_are_in_order_of_offset_with_related_places() -> None:
    found = scan("# TYPE a gauge\na{b=1} 1\n# TYPE a gauge\nb 1").faults
    assert [(fault.code, fault.start, fault.end, fault.related_start, fault.related_end) for fault in found] == [
        ("unquoted-label-value", 19, 20, -1, -1),
        ("second-type", 31, 32, 7, 8),
        ("missing-final-newline", 42, 42, -1, -1),
    ]


def test_a_blank_at_the_end_is_told_with_and_without_a_line_feed() -> None:
    for line in ("a 1", '{"a"} 1 2', "# TYPE a gauge"):
        for end in (" ", "\t\t"):
            for line_feed in ("", "\n", "\r\n"):
                found = [fault for fault in scan(line + end + line_feed).faults if fault.code == "trailing-blank"]
                assert [fault[1:3] for fault in found] == [(len(line), len(line + end))]


def test_without_recovery_it_ends_at_the_first_fatal_fault() -> None:
    text = 'a{b="\\q"} 1\nb x\nc y\nd 1\n'
    stopped = scan(text, recover=False)
    assert [fault.code for fault in stopped.faults] == ["unknown-escape", "invalid-value"]
    assert [family.name for family in stopped.families] == ["a"]
    assert [fault.code for fault in scan(text, recover=True).faults] == [
        *("unknown-escape", "invalid-value", "invalid-value"),
    ]
    assert [family.name for family in scan(text).families] == ["a", "d"]
    assert scan("a 1\n", recover=False).families == scan("a 1\n").families


def test_comments_are_told_when_asked_for() -> None:
    text = "# one \na 1\n\t#two\n# HELP a x\n# HELP\n \n\n#\n  # last"
    found = scan(text, comments=True).comments
    assert [text[start:end].rstrip() for start, end in found] == ["# one", "#two", "# HELP\n \n\n#\n  # last"]
    assert all(isinstance(span, Span) for span in found)
    assert scan(text).comments == []


def test_a_comment_may_hold_any_bytes() -> None:
    found = scan(b"# \xff\x00\ra\n", comments=True)
    assert found.faults == []
    assert found.comments == [Span(0, 6)]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_of_each_code_so_many_faults_are_kept_and_the_rest_counted(limit: int) -> None:
    text = "a x\n" * 5 + "".join(f'a{{b="\\q{number}"}} 1\n' for number in range(5)) + "a{c 1\n"
    found = scan(text, max_faults=limit)
    everything = scan(text).faults
    kept = [fault for fault in found.faults if fault.code == "unknown-escape"]
    assert kept == [fault for fault in everything if fault.code == "unknown-escape"][:limit]
    assert found.suppressed.get("unknown-escape", 0) == 5 - len(kept)
    # Lines that the grammar refuses are not told apart beyond the limit.
    assert len(found.faults) + sum(found.suppressed.values()) == len(everything)
    assert set(found.faults) <= set(everything)
    assert len([fault for fault in found.faults if fault.code == "invalid-value"]) == min(limit, 5)


def test_a_format_without_a_grammar_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="protobuf"):
        engine.scan(b"", Format.PROTOBUF)


def test_more_bytes_than_an_engine_can_take_are_one_fault() -> None:
    # Of so many zeros, the operating system makes none as long as nobody looks at them.
    found = engine.scan(bytes(2**32), Format.TEXT, comments=True)
    assert found == engine.Scan([], [engine.Fault("input-too-large", 0, 0)], [], {})


@pytest.mark.parametrize("data", [b"", b"\n", b" \t\n\n"])
def test_an_empty_input_has_nothing(data: bytes) -> None:
    assert engine.scan(data, Format.TEXT, comments=True) == engine.Scan([], [], [], {})


def test_plain_families_are_encoded_as_others_are() -> None:
    scanned = scan(TEXT + "# TYPE b gauge\nb 1\n" + '# HELP B \\\\ \\n\n{"é",c="d"} 2 5\n').families
    families = sorted(engine.assemble(scanned).values(), key=attrgetter("name"))
    wanted = engine.encode(families, format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
    # As they were read, as objects of the same attributes, and in any order.
    for read in (scanned, scanned[::-1], families, families[::-1], dict.fromkeys(families)):
        assert engine.encode_plain(read) in (wanted, None)


@pytest.mark.parametrize(
    "family",
    [
        MetricFamily("a", MetricType.INFO),
        MetricFamily("a", MetricType.GAUGE, unit="seconds"),
        MetricFamily("a", MetricType.GAUGE, " trimmed"),
        MetricFamily("a", samples=[Sample("b", {}, 1)]),
        MetricFamily("a", samples=[Sample("a", {}, 1, 1)]),
        MetricFamily("a", samples=[Sample("a", {}, 1, exemplars=[Exemplar({}, 1)])]),
        MetricFamily("a", samples=[Sample("a", {}, 1, start_timestamp_ns=1)]),
        MetricFamily("a", MetricType.SUMMARY),
    ],
    ids=["type", "unit", "help", "sample", "time", "exemplar", "start", "collision"],
)
def test_what_text_does_not_hold_is_not_plain(family: MetricFamily) -> None:
    assert engine.encode_plain([family, MetricFamily("a_count")]) is None


def test_whoever_breaks_a_rule_is_suspect() -> None:
    text = '# TYPE h histogram\nh_sum 1\na 1\na 2\n# TYPE s summary\ns{quantile="x"} 1\nb 1\nb 2 5\n'
    families = scan(text).families
    suspects = {families[number].name for number in engine.suspects(families)}
    assert {"h", "a", "s"} <= suspects
    assert [*engine.suspects(families)] == sorted(engine.suspects(families))
    assert {families[number].name for number in engine.suspects([*families])} >= suspects
    assert {families[number].name for number in engine.suspects(families, timed=True)} >= suspects | {"b"}


# -------------------------------------------------------------------------------------------------------------- samples

TEXT = 'a{b="1"} 1\na{b="2",c="x"} NaN 5\n  a  2 \n{"a","d.e"="\\n"} +Inf -3\n'
OBJECTS: tuple[Sample, ...] = (
    Sample("a", {"b": "1"}, 1),
    Sample("a", {"b": "2", "c": "x"}, math.nan, 5_000_000),
    Sample("a", {}, 2),
    Sample("a", {"d.e": "\n"}, math.inf, -3_000_000),
)


def test_samples_are_a_sequence_of_samples() -> None:
    found = read(TEXT)
    assert len(found) == 4
    assert list(found) == list(OBJECTS) == [found[index] for index in range(4)] == [found[i - 4] for i in range(4)]
    assert tuple(reversed(found)) == OBJECTS[::-1]
    assert OBJECTS[1] in found
    assert found.index(OBJECTS[2]) == 2
    assert found.count(OBJECTS[0]) == 1
    for index in (4, -5):
        with pytest.raises(IndexError):
            found[index]


@pytest.mark.parametrize(
    "part", [slice(None), slice(1, 3), slice(None, None, -1), slice(-1, None), slice(3, 1), slice(0, 9, 2)]
)
def test_slices_are_samples(part: slice) -> None:
    for found in (read(TEXT), packed(*OBJECTS)):
        assert tuple(cut(found, part)) == OBJECTS[part]
        assert cut(found, part).has_timestamps == any(sample.timestamp_ns is not None for sample in OBJECTS[part])


def test_a_slice_keeps_the_places_of_its_samples() -> None:
    found = read(TEXT)
    turned = cut(found, slice(None, None, -1))
    assert [turned.span(index) for index in range(4)] == [found.span(index) for index in (3, 2, 1, 0)]


def test_parsed_and_packed_samples_are_equal() -> None:
    parsed, built = read(TEXT), packed(*OBJECTS)
    assert parsed == built
    assert built == parsed
    assert hash(parsed) == hash(built)
    assert parsed != packed(*OBJECTS[:-1])
    assert parsed != packed(*OBJECTS[::-1])
    assert parsed != object()
    assert read('a{b="1",c="2"} 1\n') == read('a{ c="2" ,"b"="1",} 1.0\n')
    assert packed() == packed()


@pytest.mark.parametrize(
    "other",
    [
        Sample("b", {"x": "1"}, 1, 5),
        Sample("a", {"x": "2"}, 1, 5),
        Sample("a", {"x": "1"}, 2, 5),
        Sample("a", {"x": "1"}, math.nan, 5),
        Sample("a", {"x": "1"}, 1, 6),
        Sample("a", {"x": "1"}, 1),
        Sample("a", {"x": "1"}, 1, 5, exemplars=[Exemplar({}, 1)]),
        Sample("a", {"x": "1"}, 1, 5, start_timestamp_ns=1),
    ],
)
def test_each_part_of_a_sample_counts_in_equality(other: Sample) -> None:
    sample = Sample("a", {"x": "1"}, 1, 5)
    assert packed(sample) == packed(sample)
    assert packed(sample) != packed(other)
    assert packed(other) == packed(other)
    assert list(packed(other)) == [other]


@given(st.lists(samples(), max_size=6))
@settings(max_examples=50)
def test_what_is_packed_is_what_comes_out(given: list[Sample]) -> None:
    found = engine.pack(given)
    assert list(found) == given
    assert found.has_timestamps == any(sample.timestamp_ns is not None for sample in given)
    assert found.names() == {sample.name for sample in given}
    assert found.label_names() == {name for sample in given for name in sample.labels}
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert hash(copy) == hash(found)
    assert found.compact() == found


def test_pack_takes_any_iterable() -> None:
    assert engine.pack(iter(OBJECTS)) == engine.pack(OBJECTS) == engine.pack(engine.pack(OBJECTS))


def test_nan_and_zeros() -> None:
    assert read("a NaN\n") == packed(Sample("a", {}, -math.nan))
    assert hash(read("a NaN\n")) == hash(packed(Sample("a", {}, -math.nan)))
    assert read("a -0\n") == packed(Sample("a", {}, 0))
    assert hash(read("a -0\n")) == hash(packed(Sample("a", {}, 0)))
    assert math.copysign(1, read("a -0\n")[0].value) == -1


def test_a_span_is_the_sample_s_line_without_blanks_around_it() -> None:
    text = "\n" + TEXT
    [family] = scan(text).families
    spans = [family.samples.span(index) for index in range(4)]
    assert [text.encode()[span.start : span.end].decode() for span in spans if span] == [
        line.strip() for line in TEXT.splitlines()
    ]
    assert family.samples.span(-1) == spans[3]
    with pytest.raises(IndexError):
        family.samples.span(4)


def test_what_was_not_read_from_one_input_has_no_span() -> None:
    found = read(TEXT)
    assert packed(*OBJECTS).span(0) is None
    assert found.compact().span(0) is None
    assert found.concat(found).span(0) is None
    assert pickle.loads(pickle.dumps(found)).span(0) is None
    for gone, index in ((packed(*OBJECTS), 4), (found.compact(), -5), (packed(), 0)):
        with pytest.raises(IndexError):
            gone.span(index)


def test_compact_and_pickle_leave_the_input_behind() -> None:
    text = "# " + "x" * 100_000 + "\na 1\n"
    found = read(text)
    assert len(pickle.dumps(found)) < 10_000
    assert found.compact() == found
    assert list(pickle.loads(pickle.dumps(read(TEXT)))) == list(OBJECTS)


def test_losses_in_text_are_the_first_of_each_kind() -> None:
    assert read(TEXT).losses_in_text() == []
    found = packed(
        Sample("a", {}, 1, 1_000_000),
        Sample("a", {}, 1, 1_000_001),
        Sample("a", {}, 1, exemplars=[Exemplar({}, 1)], start_timestamp_ns=1),
        Sample("a", {}, 1, 1, exemplars=[Exemplar({}, 1)]),
    )
    assert sorted(found.losses_in_text()) == [("exemplars", 2), ("start timestamps", 2), ("timestamps", 1)]


# ---------------------------------------------------------------------------------------------------------- new samples


def test_with_labels() -> None:
    found = read('a{b="1",job=""} 1 5\na{job="x"} 2\na 3\n')
    labelled = found.with_labels({"b": "9"}, {"job": "d", "b": "no", "é": 'q"'})
    assert shown(labelled) == [
        'a{b="9",job="d","é"="q\\""} 1 5',
        'a{b="9",job="x","é"="q\\""} 2',
        'a{b="9",job="d","é"="q\\""} 3',
    ]
    assert shown(found) == ['a{b="1",job=""} 1 5', 'a{job="x"} 2', "a 3"]
    assert found.with_labels({}, {}) == found
    assert shown(found.with_labels({"job": ""}, {"job": "x"}))[1] == 'a{job=""} 2'


def test_select_asks_once_for_each_value() -> None:
    found = read('a{b="1"} 1\na{b="2",c="x"} 2 7\na 3\na{b="1",c="y"} 4\n')
    asked: list[str] = []

    def one(value: str) -> bool:
        asked.append(value)
        return value == "1"

    assert shown(found.select({"b": one})) == ['a{b="1"} 1', 'a{b="1",c="y"} 4']
    assert sorted(asked) == ["", "1", "2"]
    assert shown(found.select({"b": lambda value: value == "", "c": lambda value: value == ""})) == ["a 3"]
    assert shown(found.select({"c": lambda value: value == "x"})) == ['a{b="2",c="x"} 2 7']
    assert found.select({}) == found
    assert found.select({"b": one}).span(1) == found.span(3)
    assert len(found.select({"b": lambda value: False})) == 0


def test_concat() -> None:
    first, second = read("a 1 5\na 2\n"), read("a 3 6\n")
    assert shown(first.concat(second, packed(), first)) == ["a 1 5", "a 2", "a 3 6", "a 1 5", "a 2"]
    assert first.concat() == first
    assert packed().concat(second) == second
    assert shown(first) == ["a 1 5", "a 2"]


MINE = 'a{b="1"} 1\na{b="2"} 2\na{b="1"} 3 5\na{b="3"} NaN\n'
THEIRS = 'a{b="2"} 10\na{b="4"} 20\na{b="1"} 30 5\na{b="1"} 40 6\na{b="3"} 50\n'


@pytest.mark.parametrize(
    ("op", "second", "third", "fourth"),
    [
        ("first", 2, 3, math.nan),
        ("last", 10, 30, 50),
        ("sum", 12, 33, math.nan),
        ("min", 2, 3, 50),
        ("max", 10, 30, 50),
    ],
)
def test_combine(op: str, second: float, third: float, fourth: float) -> None:
    mine, theirs = read(MINE), read(THEIRS)
    united, conflicts = mine.combine(theirs, op, name="a", type=MetricType.GAUGE)
    assert conflicts == []
    assert united == packed(
        Sample("a", {"b": "1"}, 1),
        Sample("a", {"b": "2"}, second),
        Sample("a", {"b": "1"}, third, 5_000_000),
        Sample("a", {"b": "3"}, fourth),
        Sample("a", {"b": "4"}, 20),
        Sample("a", {"b": "1"}, 40, 6_000_000),
    )
    assert mine == read(MINE)
    assert theirs == read(THEIRS)


def test_combine_refuses_every_shared_series() -> None:
    _, conflicts = read(MINE).combine(read(THEIRS), "refuse", name="a", type=MetricType.GAUGE)
    assert conflicts == [(1, 0), (2, 2), (3, 4)]
    mine, theirs = read('a{b="1"} 1\n'), read("a 2\n")
    united, conflicts = mine.combine(theirs, "refuse", name="a", type=MetricType.GAUGE)
    assert (shown(united), conflicts) == (['a{b="1"} 1', "a 2"], [])


@pytest.mark.parametrize("op", ["first", "last", "sum", "min", "max", "refuse"])
def test_combine_with_nothing_changes_nothing(op: str) -> None:
    found = read(MINE)
    for united, conflicts in (
        found.combine(packed(), op, name="a", type=MetricType.GAUGE),
        packed().combine(found, op, name="a", type=MetricType.GAUGE),
    ):
        assert (united, conflicts) == (found, [])


HISTOGRAMS = (
    '# TYPE h histogram\nh_bucket{{z="1",le="{}"}} 1\nh_bucket{{z="1",le="+Inf"}} 2\nh_bucket{{z="2",le="1"}} 1\n'
)


def test_histograms_of_other_bounds_cannot_be_combined() -> None:
    mine, theirs = read(HISTOGRAMS.format("1")), read(HISTOGRAMS.format("2"))
    _, conflicts = mine.combine(theirs, "sum", name="h", type=MetricType.HISTOGRAM)
    assert conflicts == [(0, 0)]


@pytest.mark.parametrize("op", ["first", "last"])
def test_one_of_two_histograms_of_other_bounds_is_taken_as_a_whole(op: str) -> None:
    text = HISTOGRAMS + 'h_count{{z="1"}} 2\nh_bucket{{z="1",le="{}"}} 3 5\n'
    mine, theirs = read(text.format("1", "1")), read(text.format("2", "3"))
    united, conflicts = mine.combine(theirs, op, name="h", type=MetricType.HISTOGRAM)
    assert conflicts == []
    alike = mine[2:3]
    rest = [sample for sample in theirs if sample != alike[0]]
    assert united == (mine if op == "first" else alike.concat(packed(*rest)))


def test_bounds_are_combined_as_numbers() -> None:
    mine, theirs = read(HISTOGRAMS.format("1")), read(HISTOGRAMS.format("1.0").replace("+Inf", "inf"))
    united, conflicts = mine.combine(theirs, "sum", name="h", type=MetricType.HISTOGRAM)
    assert conflicts == []
    assert [sample.value for sample in united] == [2, 4, 2]


def test_difference() -> None:
    old, new = (
        read('a{b="1"} 1\na{b="2"} NaN\na{b="3"} 3\na{b="4"} 4 1\n'),
        read('a{b="4"} 4 2\na{b="3"} 30\na{b="2"} NaN\na{b="5"} 5\n'),
    )
    found = old.difference(new, **PLAIN)
    assert shown(found.removed) == ['a{b="1"} 1', 'a{b="4"} 4 1']
    assert shown(found.added) == ['a{b="4"} 4 2', 'a{b="5"} 5']
    assert shown(found.old) == ['a{b="3"} 3']
    assert shown(found.new) == ['a{b="3"} 30']
    assert [len(part) for part in old.difference(old, **PLAIN)] == [0, 0, 0, 0]


def test_sorted_is_canonical_and_stable() -> None:
    found = read('a{b="2"} 1\na{c="1"} 2\na{b="1"} 3\na 4\na 5 9\na{b="1"} 6\n')
    expected = ["a 5 9", "a 4", 'a{b="1"} 3', 'a{b="1"} 6', 'a{c="1"} 2', 'a{b="2"} 1']
    assert shown(found.sorted("a", MetricType.GAUGE)) == expected
    assert found.sorted("a", MetricType.GAUGE).sorted("a", MetricType.GAUGE) == found.sorted("a", MetricType.GAUGE)


# ------------------------------------------------------------------------------------------------------------ questions


def test_names_and_labels() -> None:
    found = read(
        '# TYPE h histogram\nh_bucket{le="1",a="x"} 1\nh_bucket{le="+Inf",a="x"} 1\nh_sum{a="y"} 1\nh_count 1\n'
    )
    assert found.names() == {"h_bucket", "h_sum", "h_count"}
    assert found.label_names() == {"le", "a"}
    assert found.label_cardinality() == {"a": 2, "le": 2}
    assert read('a{b="\\n","c d"=""} 1\na{b="n"} 1\n').label_cardinality() == {"b": 2, "c d": 1}
    assert packed().label_names() == frozenset()
    assert packed().label_cardinality() == {}


def test_first_timestamp() -> None:
    assert read("a 1\n").first_timestamp() is None
    assert read("a 1\na 1 0\na 2 5\n").first_timestamp() == 1
    assert cut(read("a 1\na 1 0\n"), slice(1, 2)).first_timestamp() == 0


def test_has_timestamps() -> None:
    assert not read("a 1\n").has_timestamps
    assert read("a 1\na 1 0\n").has_timestamps
    assert not cut(read("a 1\na 1 0\n"), slice(1)).has_timestamps


def test_duplicates_point_to_the_first() -> None:
    found = read('a 1\na{b="1",c="2"} 1\na 2\na 1 5\na{c="2",b="1"} 1\na 3\na 2 5\n')
    assert found.duplicates(**PLAIN) == [(2, 0), (4, 1), (5, 0), (6, 3)]
    assert packed().duplicates(**PLAIN) == []


def only(text: str) -> Samples:
    """The samples of a text's only family."""
    [family] = engine.scan(text.encode(), Format.TEXT).families
    return family.samples


def test_whole_metrics_are_complete() -> None:
    whole = 'h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'
    head = "# TYPE h histogram\n"
    assert only(head + whole).is_complete("h", MetricType.HISTOGRAM)
    assert only(head + whole + 'h_bucket{le="1e0"} 1\n').is_complete("h", MetricType.HISTOGRAM)
    for line in ("h 1", "h_bucket 1", 'h_bucket{le="NaN"} 1', 'h_sum{le="1"} 1', 'h_count{a=""} 1', "h_sum 1 5"):
        assert not only(f"{head}{whole}{line}\n").is_complete("h", MetricType.HISTOGRAM)
    for line in whole.splitlines(keepends=True):
        assert not only(head + whole.replace(line, "")).is_complete("h", MetricType.HISTOGRAM)
    summary = '# TYPE h summary\nh{a="b",quantile="1"} 1\nh_sum{a="b"} 1\nh_count{a="b"} 1\nh_sum 1\nh_count 1\n'
    assert only(summary).is_complete("h", MetricType.SUMMARY)
    for line in ("h 1", 'h{quantile="nan"} 1', 'h_count{quantile=""} 1', 'h{quantile="1",c="d"} 1'):
        assert not only(f"{summary}{line}\n").is_complete("h", MetricType.SUMMARY)
    assert only("h 1\n").is_complete("h", MetricType.GAUGE)
    assert engine.pack([]).is_complete("h", MetricType.HISTOGRAM)


def test_metrics_are_united_by_labels_that_become_alike() -> None:
    text = '# TYPE h histogram\nh_sum{i="1"} 1\nh_count{i="1"} 1\nh_sum{i="2"} 1\nh_bucket{i="2",le="1"} 1\n'
    given = only(text)
    alike = given.with_labels({"i": "3"}, {})
    assert given.united_in(alike, "le") == (2, 0)
    assert alike.united_in(given, "le") is None
    assert given.united_in(given, "le") is None
    assert given.united_in(alike, "i") is None
    with pytest.raises(ValueError, match="not as many"):
        given.united_in(alike[:2], "le")


def test_histogram_faults_are_in_order_and_of_histograms_and_summaries_alone() -> None:
    text = 'h 1\nh_bucket{le="x"} 1\nh_bucket{le="2"} 2\nh_bucket{le="1"} 3\n'
    found = read("# TYPE h histogram\n" + text)
    faults = found.histogram_faults("h", MetricType.HISTOGRAM)
    assert [fault[1] for fault in faults] == sorted(fault[1] for fault in faults)
    assert {(str(code), index, related) for code, index, related in faults} == {
        *(("stray-sample", 0, -1), ("invalid-le", 1, -1), ("bucket-order", 3, 2), ("bucket-not-cumulative", 2, 3)),
        *(("missing-sum", 3, -1), ("missing-count", 3, -1)),
    }
    assert found.histogram_faults("h", MetricType.GAUGE) == []


# --------------------------------------------------------------------------------------------------------- fingerprints

EQUAL = ('a{b="1",c="2"} 1\n', 'a{c="2",b="1",} 5 7\n', '{"a", "b"="1",c="2"} NaN\n')
DIFFERENT = (
    *(
        "a 1\n",
        "b 1\n",
        'a{b=""} 1\n',
        'a{b="c"} 1\n',
        'a{c="b"} 1\n',
        'ab{c="d"} 1\n',
        'a{bc="d"} 1\n',
        'a{b="cd"} 1\n',
    ),
    *('a{b="c",d="e"} 1\n', 'a{b="e",d="c"} 1\n', 'a{b="c,d=e"} 1\n', 'a{b="\\n"} 1\n', 'a{b="n"} 1\n', 'a{b="é"} 1\n'),
)


def test_fingerprints_are_equal_for_equal_series() -> None:
    prints = [read(text).fingerprints()[0] for text in EQUAL]
    assert len(set(prints)) == 1
    assert list(packed(Sample("a", {"c": "2", "b": "1"}, 0)).fingerprints()) == prints[:1]
    assert all(0 <= fingerprint < 2**64 for fingerprint in prints)
    assert len(packed().fingerprints()) == 0


def test_fingerprints_differ_for_different_series() -> None:
    prints = [read(text).fingerprints()[0] for text in DIFFERENT]
    assert len(set(prints)) == len(DIFFERENT)


@pytest.mark.parametrize(
    "character",
    [
        *("\xff", "\x00", ",", '"', "\xfe", "\ufffe", "\n"),
    ],
)
def test_no_text_in_a_label_imitates_the_border_between_two(character: str) -> None:
    one = packed(Sample("a", {"b": character.join(("c", "d", "e"))}, 1)).fingerprints()
    two = packed(Sample("a", {"b": "c", "d": "e"}, 1)).fingerprints()
    name = packed(Sample(character.join(("a", "b", "c", "d", "e")), {}, 1)).fingerprints()
    assert len({*one, *two, *name}) == 3


def test_fingerprints_are_the_same_in_every_process(engine: str) -> None:
    program = (
        "import sys; from expofmt import Sample, engine; engine.use(sys.argv[1])\n"
        "print(list(engine.pack([Sample('a', {'b': 'é', 'c.d': '2'}, 1), Sample('a', {}, 1)]).fingerprints()))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program, engine],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(found) == 1


# --------------------------------------------------------------------------------------------------------------- encode


def encoded(
    *families: MetricFamily, escaping: EscapingScheme = EscapingScheme.ALLOW_UTF8, literals: bool = False
) -> str:
    return engine.encode(families, format=Format.TEXT, escaping=escaping, literals=literals).decode()


def test_encode_keeps_the_order_of_families_and_sorts_their_samples() -> None:
    families = [MetricFamily("b", samples=read('b{x="2"} 1\nb{x="1"} 2 3\n')), MetricFamily.gauge("a", 1, help="x\ny")]
    assert encoded(*families) == ('# TYPE b untyped\nb{x="1"} 2 3\nb{x="2"} 1\n# HELP a x\\ny\n# TYPE a gauge\na 1\n')
    assert encoded() == ""


@pytest.mark.parametrize(
    ("written", "canonical", "literal"),
    [
        ("9007199254740993", "9.007199254740992e+15", "9007199254740993"),
        ("-18446744073709551617", "-1.8446744073709552e+19", "-18446744073709551617"),
        ("-0", "0", "-0"),
        ("-0.0", "0", "-0.0"),
        ("-1e-400", "0", "-1e-400"),
        ("1000000", "1e+06", "1e+06"),
        ("9007199254740992", "9.007199254740992e+15", "9.007199254740992e+15"),
        ("+1.50", "1.5", "1.5"),
        ("inf", "+Inf", "+Inf"),
    ],
)
def test_literals_keep_a_spelling_that_denotes_another_number(written: str, canonical: str, literal: str) -> None:
    family = MetricFamily("a", samples=scan(f'z 1\na{{b="2"}} {written}\na 7\n').families[1].samples)
    assert encoded(family) == f'# TYPE a untyped\na 7\na{{b="2"}} {canonical}\n'
    assert encoded(family, literals=True) == f'# TYPE a untyped\na 7\na{{b="2"}} {literal}\n'
    again = pickle.loads(pickle.dumps(family))
    assert encoded(again, literals=True) == encoded(family, literals=True)


@pytest.mark.parametrize(
    ("escaping", "line"),
    [
        (EscapingScheme.ALLOW_UTF8, '{"a.b","c.d"="e.f"} 1'),
        (EscapingScheme.UNDERSCORES, 'a_b{c_d="e.f"} 1'),
        (EscapingScheme.DOTS, 'a_dot_b{c_dot_d="e.f"} 1'),
        (EscapingScheme.VALUES, 'U__a_2e_b{U__c_2e_d="e.f"} 1'),
    ],
)
def test_encode_escapes_names_and_not_values(escaping: EscapingScheme, line: str) -> None:
    family = MetricFamily.gauge("a.b", [({"c.d": "e.f"}, 1)])
    assert encoded(family, escaping=escaping).splitlines()[1] == line


@pytest.mark.parametrize(
    ("escaping", "a", "b"),
    [
        (EscapingScheme.UNDERSCORES, "l_a", "lB"),
        (EscapingScheme.DOTS, "l_dot_a", "lB"),
        (EscapingScheme.VALUES, "U__l_2e_a", "lB"),
    ],
)
def test_escaping_changes_no_order(escaping: EscapingScheme, a: str, b: str) -> None:
    # As Prometheus' own encoder, which is given samples in order. A dot sorts before a capital, an underscore after it.
    labels = [{"l.a": "2", "lB": "1"}, {"l.a": "1", "lB": "2"}, {"lB": "1"}, {"l.a": "1"}, {}]
    family = MetricFamily.gauge("m", [(each, number) for number, each in enumerate(labels)])
    assert encoded(family, escaping=escaping).splitlines()[1:] == [
        "m 4",
        f'm{{{a}="1"}} 3',
        f'm{{{b}="1"}} 2',
        f'm{{{a}="1",{b}="2"}} 1',
        f'm{{{a}="2",{b}="1"}} 0',
    ]
    histogram = MetricFamily(
        "h.x",
        MetricType.HISTOGRAM,
        'a\\"b\n',
        samples=[
            Sample("h.x_sum", {"l.a": "x\n"}, 1, 5_000_000),
            Sample("h.x_bucket", {"le": "1e1", "l.a": "x\n", "z.z": ""}, 1),
            Sample("h.x_bucket", {"le": "5e-1", "l.a": "x\n", "z.z": ""}, 1),
            Sample("h.x_bucket", {"le": "x"}, math.inf),
            Sample("h.x_bucket", {}, 1),
            Sample("h.x_count", {"le": "1.0"}, -0.0),
        ],
    )
    name = {"underscores": "h_x", "dots": "h_dot_x", "values": "U__h_2e_x"}[escaping]
    z = {"underscores": "z_z", "dots": "z_dot_z", "values": "U__z_2e_z"}[escaping]
    assert encoded(histogram, escaping=escaping).splitlines() == [
        f'# HELP {name} a\\\\"b\\n',
        f"# TYPE {name} histogram",
        f'{name}_bucket{{le="x"}} +Inf',
        f"{name}_bucket 1",
        f'{name}_count{{le="1.0"}} 0',
        f'{name}_sum{{{a}="x\\n"}} 1 5',
        f'{name}_bucket{{{a}="x\\n",{z}="",le="0.5"}} 1',
        f'{name}_bucket{{{a}="x\\n",{z}="",le="10"}} 1',
    ]


def test_a_format_that_is_not_written_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="protobuf"):
        engine.encode([], format=Format.PROTOBUF, escaping=EscapingScheme.ALLOW_UTF8)


@given(exposition_text())
@settings(max_examples=50)
def test_what_is_encoded_is_scanned_again(data: bytes) -> None:
    families = [
        MetricFamily(f.name, f.type, f.help, f.unit, f.samples) for f in engine.scan(data, Format.TEXT).families
    ]
    again = scan(encoded(*families, literals=True))
    assert [fault for fault in again.faults if fault.code == "unquoted-label-value"] == []
    assert [(f.name, f.type, f.help, f.samples) for f in again.families] == [
        (f.name, f.type, f.help, _normalised(f)) for f in families
    ]


def _normalised(family: MetricFamily) -> Samples:
    """The samples in canonical order, with bounds as they are written."""
    [found] = scan(encoded(family, literals=True)).families
    assert len(found.samples) == len(family.samples)
    return found.samples


@pytest.mark.parametrize(
    "text",
    [
        '# HELP a x\\\\y\\n\n# TYPE a counter\na{c="2"} -0 5\na{b="1"} 9007199254740993\na{b="1"} NaN\na 1e+06\n',
        '# TYPE h histogram\nh_sum{z="1"} 2\nh_bucket{le="1e0",z="1"} 1\nh_bucket{le="0.50",z="1"} 1\nh_count 3\n',
        '# TYPE s summary\ns{quantile="x"} 1\ns{quantile="0.90"} 1\ns_sum 1\n',
        '# TYPE "a.b" gaugehistogram\n{"a.b_bucket","c.d"="e\\"f",le="1.0"} 1\n{"a.b_gsum"} 2\n',
        "# TYPE e unknown\n",
    ],
)
def test_encode_exact_keeps_the_order_and_the_spelling_of_bounds(text: str) -> None:
    found = scan(text).families
    families = [MetricFamily(f.name, f.type, f.help, f.unit, f.samples) for f in found]
    assert engine.encode_exact(families).decode() == text.replace("# TYPE e unknown", "# TYPE e untyped")
    objects = [MetricFamily(f.name, f.type, f.help, f.unit, packed(*f.samples)) for f in found]
    assert scan(engine.encode_exact(objects)).families == [
        f._replace(start=again.start, end=again.end)
        for f, again in zip(found, scan(engine.encode_exact(objects)).families, strict=True)
    ]


def test_encode_exact_writes_the_sign_of_zero() -> None:
    family = MetricFamily.gauge("a", [({"b": "2"}, -0.0), ({"b": "1"}, 0.0)])
    assert engine.encode_exact([family]) == b'# TYPE a gauge\na{b="2"} -0\na{b="1"} 0\n'
    assert engine.encode_exact([]) == b""


@given(exposition_text())
@settings(max_examples=50)
def test_what_is_encoded_exactly_is_scanned_as_the_same(data: bytes) -> None:
    found = engine.scan(data, Format.TEXT).families
    families = [MetricFamily(f.name, f.type, f.help, f.unit, f.samples) for f in found]
    text = engine.encode_exact(families)
    again = [MetricFamily(f.name, f.type, f.help, f.unit, f.samples) for f in scan(text).families]
    assert again == families
    assert engine.encode_exact(again) == text


# ----------------------------------------------------------------------------------------------------------- the choice


def test_use_changes_the_functions_of_the_seam(engine: str) -> None:
    from expofmt import engine as seam

    assert engine == seam.ENGINE
    seam.use(engine)
    assert engine == seam.ENGINE
    assert MetricFamily.gauge("a", 1).samples == seam.pack([Sample("a", LabelSet(), 1)])


def test_an_unknown_engine_is_a_value_error_and_changes_nothing(engine: str) -> None:
    from expofmt import engine as seam

    with pytest.raises(ValueError, match="no engine is called 'steam'"):
        seam.use("steam")
    assert engine == seam.ENGINE


def started(**environment: str) -> subprocess.CompletedProcess[str]:
    program = "from expofmt import engine, parse; print(engine.ENGINE, parse('a 1\\n')['a'].samples[0])"
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_the_environment_chooses(engine: str) -> None:
    assert started(EXPOFMT_ENGINE=engine).stdout == f"{engine} a 1\n"
    assert started(EXPOFMT_ENGINE="").stdout.endswith(" a 1\n")


def test_an_unknown_engine_in_the_environment_is_an_error() -> None:
    ran = started(EXPOFMT_ENGINE="steam")
    assert ran.returncode != 0
    assert ran.stderr.splitlines()[-1].startswith("ValueError: no engine is called 'steam'")
