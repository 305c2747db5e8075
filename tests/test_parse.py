"""parse() and check(): what they take, in which order they report, and what they raise. The language itself is under
tests/cases, the rules for whole families in test_consistency.py."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import (
    Code,
    ConsistencyError,
    Diagnostic,
    Exposition,
    ExpositionError,
    Format,
    GroupingKey,
    GroupStore,
    LabelSet,
    MetricType,
    ParseError,
    Sample,
    Severity,
    check,
    parse,
    render,
)
from expofmt.parse import read_push
from expofmt.source import Source, Span
from expofmt.strategies import exposition_text

SCRAPES = sorted((Path(__file__).parent / "data").glob("*.prom"))

pytestmark = pytest.mark.usefixtures("engine")

TEN_MISTAKES = """\
up{job=api} 1
# TYPE http_requests_total requests
http_requests_total{code="200" method="get"} 1027
http_requests_total{code="4é4"} 1,027
http-requests 1
\trpc_seconds{quantile="0.5" 4773
rpc_seconds{9th="x"} 1
rpc_seconds{path="C:\\DIR"} 1 1395066363.5
rpc_seconds{path="x} 1
rpc_seconds 1e999
"""
TEN_FAULTS = [
    ("unquoted-label-value", 1, 8),
    ("unknown-type", 2, 28),
    ("missing-comma", 3, 32),
    ("invalid-value", 4, 33),
    ("invalid-metric-name", 5, 1),
    ("unclosed-labels", 6, 29),
    ("invalid-label-name", 7, 13),
    ("invalid-timestamp", 8, 30),
    ("unterminated-string", 9, 18),
    ("value-out-of-range", 10, 13),
]


def places(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> list[tuple[str, int | None, int | None]]:
    return [(str(d.code), d.line, d.column) for d in diagnostics]


# ------------------------------------------------------------------------------------------------------- what it takes


def test_text_and_bytes_are_the_same() -> None:
    text = '# HELP a é\na{b="日本"} 1\n'
    data = text.encode()
    expected = parse(text)
    assert expected["a"].help == "é"
    assert expected == parse(data)
    # What may change is copied; the annotation leaves it out, as the copy may surprise.
    assert expected == parse(bytearray(data)) == parse(memoryview(data))


def test_a_mutable_input_is_not_looked_at_again() -> None:
    data = bytearray(b"a 1\n")
    exposition = parse(data)
    data[:] = b"b 2\n"
    assert str(exposition["a"].samples[0]) == "a 1"


@pytest.mark.parametrize("source", [None, 5, [97, 32, 49, 10], Path("a.prom"), {}], ids=repr)
def test_other_inputs_are_a_type_error(source: object) -> None:
    kind = type(source).__name__
    with pytest.raises(TypeError, match=f"from bytes or str, not from {kind}"):
        parse(source)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"from bytes or str, not from {kind}"):
        check(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "\n", "\n\n", " \t\n", "# comment\n"])
def test_nothing_is_an_empty_exposition(text: str) -> None:
    assert parse(text) == Exposition()
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ('a{b="x\ud800y"} 1\n', "invalid-utf8", 7),
        ("# HELP a \udcff\n", "invalid-utf8", 10),
        ('{"a\udfff"} 1\n', "invalid-utf8", 4),
        ("a\ud800 1\n", "invalid-metric-name", 1),
    ],
)
def test_a_lone_surrogate_is_reported_at_its_place(text: str, code: str, column: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert places(caught.value.diagnostics) == [(code, 1, column)]
    assert "\ud800" not in str(caught.value).encode("utf-8", "backslashreplace").decode()


def test_a_lone_surrogate_in_a_comment_is_fine() -> None:
    assert parse("# \ud800\na 1\n").sample_count == 1


def test_a_byte_order_mark_of_a_text_is_one_too() -> None:
    with pytest.raises(ParseError) as caught:
        parse("\ufeffa 1\n")
    assert places(caught.value.diagnostics) == [("byte-order-mark", 1, 1)]


# ------------------------------------------------------------------------------------------------------ what it returns


def test_families_are_in_order_of_first_mention_and_samples_in_that_of_the_input() -> None:
    exposition = parse(
        "# HELP z Z.\nb 1\n# TYPE h histogram\nz 2\n"
        'h_bucket{le="+Inf"} 3\nb{x="2"} 4\nb{x="1"} 5 6\nh_count 3\nh_sum 1.5\nb{x="2"} 7\n'
    )
    assert list(exposition) == ["z", "b", "h"]
    assert [str(sample) for sample in exposition["b"].samples] == ["b 1", 'b{x="2"} 4', 'b{x="1"} 5 6', 'b{x="2"} 7']
    assert [sample.name for sample in exposition["h"].samples] == ["h_bucket", "h_count", "h_sum"]
    assert exposition["h"].type is MetricType.HISTOGRAM
    assert exposition["z"].type is MetricType.UNKNOWN
    assert (exposition["z"].help, exposition["b"].help) == ("Z.", None)
    assert exposition["b"].samples[2] == Sample("b", LabelSet(x="1"), 5, timestamp_ns=6_000_000)


def test_the_exposition_remembers_where_it_is_from() -> None:
    exposition = parse("a 1\n", filename="x.prom")
    assert (exposition.filename, exposition.format) == ("x.prom", Format.TEXT)
    assert exposition == parse("a 1\n")


# -------------------------------------------------------------------------------------------------------------- options


def test_strict_refuses_what_check_calls_an_error_and_nothing_else() -> None:
    errors, warnings = "a 1\na 1\n", 'a{b="\\q"} 1\n'
    assert [d.severity for d in check(errors)] == [Severity.ERROR]
    assert [d.severity for d in check(warnings)] == [Severity.WARNING]
    assert parse(errors).sample_count == 2
    assert parse(warnings, strict=True).sample_count == 1
    with pytest.raises(ConsistencyError) as caught:
        parse(errors, strict=True)
    assert caught.value.diagnostics == tuple(check(errors))


@pytest.mark.parametrize(
    ("text", "profile", "severity"),
    [
        ("a 1 \n", "prometheus", None),
        ("a 1 \n", "pushgateway", Severity.ERROR),
        ("a 1 5\n", "prometheus", None),
        ("a 1 5\n", "textfile", Severity.ERROR),
        ("a 1 5\n", "pushgateway", Severity.ERROR),
        ("# TYPE a info\n", "prometheus", Severity.ERROR),
        ("# TYPE a GAUGE\n", "prometheus", Severity.ERROR),
        ("# TYPE a GAUGE\n", "pushgateway", None),
        ('a{b="\\q"} 1\n', "prometheus", Severity.WARNING),
        ('a{b="\\q"} 1\n', "pushgateway", Severity.ERROR),
    ],
)
def test_the_profile_sets_the_severity(text: str, profile: str, severity: Severity | None) -> None:
    assert [d.severity for d in check(text, profile=profile)] == ([] if severity is None else [severity])
    parse(text, profile=profile)
    if severity is Severity.ERROR:
        with pytest.raises(ConsistencyError):
            parse(text, profile=profile, strict=True)
    else:
        parse(text, profile=profile, strict=True)


@pytest.mark.parametrize("text", ['{"a.b"} 1\n', 'a{"b.c"="d"} 1\n', '# TYPE "a.b" gauge\n', '# HELP "a.b" x\n'])
def test_legacy_names_refuse_what_needs_quotes(text: str) -> None:
    assert check(text) == []
    parse(text, strict=True)
    found = check(text, names="legacy")
    assert [d.code for d in found] == [Code.NON_LEGACY_NAME]
    with pytest.raises(ConsistencyError) as caught:
        parse(text, names="legacy")
    assert caught.value.diagnostics == tuple(found)


@pytest.mark.parametrize("text", ['{"a"} 1\n', 'a{"b"="d"} 1\n', '# TYPE "a" gauge\n'])
def test_a_legacy_name_may_stand_in_quotes(text: str) -> None:
    assert check(text, names="legacy") == []


def test_the_filename_is_in_each_message() -> None:
    [diagnostic] = check("a x\n", filename="dir/x.prom")
    assert diagnostic.filename == "dir/x.prom"
    assert str(diagnostic).startswith("dir/x.prom:1:3: error[invalid-value] ")
    with pytest.raises(ParseError, match=r"^dir/x\.prom:1:3: "):
        parse("a x\n", filename="dir/x.prom")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "nobody"}, "nobody"),
        ({"format": "xml"}, "xml"),
        ({"names": "ascii"}, "names must be one of utf-8, legacy, not 'ascii'"),
        ({"max_diagnostics": 0}, "max_diagnostics must be at least 1"),
        ({"max_diagnostics": -1}, "max_diagnostics must be at least 1"),
    ],
)
def test_an_unknown_option_is_a_value_error_and_no_fault_of_the_input(options: dict[str, Any], message: str) -> None:
    functions: tuple[Callable[..., object], ...] = (parse, check)
    for function in functions:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            function("a 1\n", **options)
        assert not isinstance(caught.value, ExpositionError)


@pytest.mark.parametrize("format", [Format.OPENMETRICS_1_0, Format.OPENMETRICS_2_0])
def test_a_format_without_a_grammar_is_a_value_error_that_names_it(format: Format) -> None:
    functions: tuple[Callable[..., object], ...] = (parse, check)
    for function in functions:
        with pytest.raises(ValueError, match=str(format)) as caught:
            function("a 1\n# EOF\n", format=format)
        assert not isinstance(caught.value, ExpositionError)


def test_on_warning_gets_what_check_reports_of_an_input_that_is_accepted() -> None:
    text = 'a{__b="\\q"} 9007199254740993\n# HELP a x\nb 1 \nc 2'
    told: list[Diagnostic] = []
    parse(text, on_warning=told.append)
    assert told == check(text)
    assert [str(d.code) for d in told] == [
        *("reserved-label-name", "unknown-escape", "inexact-integer", "help-after-samples", "missing-final-newline"),
    ]


def test_on_warning_is_not_called_for_an_input_that_is_refused() -> None:
    told: list[Diagnostic] = []
    with pytest.raises(ParseError) as caught:
        parse('a{b="\\q"} 1\na x\n', on_warning=told.append)
    assert told == []
    assert [str(d.code) for d in caught.value.diagnostics] == ["unknown-escape", "invalid-value"]


def test_an_exception_in_on_warning_passes_through() -> None:
    def refuse(diagnostic: Diagnostic) -> None:
        raise LookupError(str(diagnostic.code))

    with pytest.raises(LookupError, match="missing-final-newline"):
        parse("a 1", on_warning=refuse)


# ---------------------------------------------------------------------------------------------------------- diagnostics


def test_ten_mistakes_on_ten_lines_are_ten_diagnostics() -> None:
    found = check(TEN_MISTAKES)
    assert places(found) == TEN_FAULTS
    with pytest.raises(ParseError) as caught:
        parse(TEN_MISTAKES)
    assert caught.value.diagnostics == tuple(found)
    assert str(caught.value).endswith("(and 9 more errors)")


def test_diagnostics_are_in_order_of_place_whatever_finds_them() -> None:
    found = check('a 1\na 1\n# TYPE h histogram\nh_bucket{le="x"} 1\nb x\nh 1\n# TYPE a gauge\n')
    assert {str(d.code) for d in found} == {
        *("duplicate-sample", "invalid-le", "missing-sum", "missing-count", "invalid-value", "stray-sample"),
        "type-after-samples",
    }
    spans = [d.span for d in found if d.span]
    assert spans == sorted(spans)


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11])
def test_at_most_so_many_are_shown_and_the_last_says_how_many_more(limit: int) -> None:
    everything = check(TEN_MISTAKES)
    errors = [d for d in everything if d.severity is Severity.ERROR]
    found = check(TEN_MISTAKES, max_diagnostics=limit)
    if limit < len(everything):
        assert found[:-1] == errors[:limit]
        assert found[-1].code is Code.TOO_MANY_DIAGNOSTICS
        assert found[-1].severity is Severity.INFO
        assert found[-1].message.startswith(f"{len(everything) - limit} more")
    else:
        assert found == everything


def test_an_error_is_shown_rather_than_the_warnings_before_it() -> None:
    text = "".join(f'a{{b="\\q{number}"}} 1\n' for number in range(5)) + "a x\n"
    assert [str(d.code) for d in check(text, max_diagnostics=3)] == [
        *("unknown-escape", "unknown-escape", "invalid-value", "too-many-diagnostics"),
    ]


@pytest.mark.parametrize("limit", [1, 2])
def test_the_kind_of_error_does_not_depend_on_how_much_is_shown(limit: int) -> None:
    text = "# TYPE a gauge\n# TYPE a gauge\na x\n"
    with pytest.raises(ParseError) as caught:
        parse(text, max_diagnostics=limit)
    assert caught.value.diagnostics[0].code is Code.SECOND_TYPE


def test_many_bad_lines_are_counted_and_not_kept() -> None:
    found = check(b"!\n" * 100_000, max_diagnostics=5)
    assert len(found) == 6
    assert found[-1].message.startswith("99995 more")


def test_the_error_is_a_value_error_with_structured_fields() -> None:
    with pytest.raises(ValueError) as caught:
        parse("a 1\nb{c=d} 2\n", filename="x.prom")
    error = caught.value
    assert isinstance(error, ParseError)
    assert error.status_hint == 400
    [diagnostic] = error.diagnostics
    assert diagnostic.code is Code.UNQUOTED_LABEL_VALUE
    assert diagnostic.span == Span(8, 9)
    assert (diagnostic.line, diagnostic.column, diagnostic.end_line, diagnostic.end_column) == (2, 5, 2, 6)
    assert diagnostic.related is None
    assert str(error) == str(diagnostic)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is ParseError
    assert copy.diagnostics == error.diagnostics


def test_a_conflict_names_both_places() -> None:
    with pytest.raises(ConsistencyError) as caught:
        parse("# TYPE a gauge\na 1\n# TYPE a counter\n")
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.span == Span(26, 27)
    assert diagnostic.related is not None
    assert (diagnostic.related.span, diagnostic.related.line) == (Span(7, 8), 1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a{b="\tx" c="y"} 1\n', (1, 10)),
        ('a{b="日本語" c="y"} 1\n', (1, 11)),
        ('a{b="e\u0301" c="y"} 1\n', (1, 10)),
        ('\n\na{b="x\u2028y" c="y"} 1\n', (3, 11)),
    ],
)
def test_columns_count_code_points_and_lines_count_line_feeds(text: str, place: tuple[int, int]) -> None:
    [diagnostic] = check(text)
    assert (str(diagnostic.code), diagnostic.line, diagnostic.column) == ("missing-comma", *place)


def test_what_is_missing_of_a_family_with_a_refused_line_is_no_fault_of_its_own() -> None:
    text = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} x\nh_sum 1\nh_count 1\n'
    assert [str(d.code) for d in check(text)] == ["invalid-value"]


# --------------------------------------------------------------------------------------------------------- real scrapes


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda path: path.stem)
def test_a_real_scrape(scrape: Path) -> None:
    data = scrape.read_bytes()
    assert [d for d in check(data) if d.severity is Severity.ERROR] == []
    exposition = parse(data, strict=True)
    lines = [line for line in data.split(b"\n") if line and not line.startswith(b"#")]
    assert exposition.sample_count == len(lines)

    text = render(exposition)
    again = parse(text, strict=True)
    assert render(again) == text
    assert again.keys() == exposition.keys()
    for name, family in exposition.items():
        other = again[name]
        assert (other.type, other.help) == (family.type, family.help)
        assert sorted(map(str, other.samples)) == sorted(map(str, family.samples))


# ------------------------------------------------------------------------------------------------------------ any bytes


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(
                [*(bytes((byte,)) for byte in b' \t\r\n\\"{},=#_:.+-01aeN'), b"# TYPE ", b"# HELP ", b"a 1\n", b"\xff"]
            ),
            max_size=25,
        ).map(b"".join),
    )
)
@settings(max_examples=300)
def test_any_bytes_are_an_exposition_or_an_exposition_error(data: bytes) -> None:
    found = check(data)
    errors = [d for d in found if d.severity is Severity.ERROR]
    refusal = refusal_of(data)
    if refusal is not None:
        assert set(refusal.diagnostics) <= set(found)
        assert set(refusal.diagnostics) & set(errors)
    strict = refusal_of(data, strict=True)
    assert (strict is not None) == bool(errors)
    assert refusal is None or strict is not None
    if strict is not None:
        assert strict.diagnostics == tuple(found)
        assert isinstance(strict, ParseError) == isinstance(refusal, ParseError)


def refusal_of(data: bytes, *, strict: bool = False) -> ExpositionError | None:
    try:
        parse(data, strict=strict)
    except ExpositionError as error:
        return error
    return None


@given(exposition_text())
@settings(max_examples=50)
def test_valid_text_is_accepted(data: bytes) -> None:
    parse(data)
    assert {str(d.code) for d in check(data) if d.severity is Severity.ERROR} <= {"missing-final-newline"}


def test_the_diagnostics_of_an_error_are_written_when_they_are_asked_for(
    engine: str, written: list[Diagnostic]
) -> None:
    with pytest.raises(ParseError) as refused:
        read_push(Source("a.prom", b"a x\n" * 1002), names="legacy", strict=True)
    error = refused.value
    assert not written
    first = next(error.errors())
    assert (first.line, len(written)) == (1, 1)
    assert [each.code for each in error.diagnostics] == ["invalid-value"] * 1000 + ["too-many-diagnostics"]
    assert error.diagnostics[0] is first
    assert [*error.errors()] == [*error.diagnostics[:1000]]
    assert list(error.diagnostics) == written
    assert error.args == (error.diagnostics,)
    assert repr(error) == f"ParseError({error.diagnostics!r})"


@pytest.mark.parametrize("refusing", [parse, lambda text: GroupStore().put(GroupingKey("a"), text)])
def test_an_error_that_may_be_kept_is_written(engine: str, refusing: Callable[[bytes], object]) -> None:
    with pytest.raises(ParseError) as refused:
        refusing(b"a x\n")
    assert [each.code for each in refused.value.args[0]] == ["invalid-value"]
