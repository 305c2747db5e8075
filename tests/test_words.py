"""What is said about each code."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt import ConsistencyError, Diagnostic, MergePolicy, check, merge, parse
from expofmt.codes import Code, Profile, severity_of
from expofmt.explanations import EXPLANATIONS, explain
from expofmt.names import Names
from expofmt.quoting import shortened, visible
from expofmt.report import report
from expofmt.words import ROWS, Context, describe

REPORTS = Path(__file__).parent / "cases/report"

# These need a store, or an input, or families, that a text of the text format cannot give.
WITHOUT_EXAMPLE = {
    Code.RESERVED_FAMILY,
    Code.BODY_TOO_LARGE,
    Code.TOO_MANY_FAMILIES,
    Code.TOO_MANY_SERIES,
    Code.LABEL_VALUE_TOO_LONG,
    Code.TOO_MANY_GROUPS,
    Code.STORE_FULL,
    Code.INPUT_TOO_LARGE,
    Code.TRUNCATED_MESSAGE,
    Code.MALFORMED_MESSAGE,
    Code.PAYLOAD_MISMATCH,
    Code.NATIVE_HISTOGRAM,
    Code.UNKNOWN_FIELD,
    Code.UNIT_CONFLICT,
    Code.FORMAT_LOSS,
    Code.FOREIGN_SAMPLE,
    Code.TIMESTAMP_PRECISION,
    Code.TOO_MANY_DIAGNOSTICS,
}
WITH_EXAMPLE = [code for code in Code if code not in WITHOUT_EXAMPLE]


def test_every_code_has_words_and_an_explanation() -> None:
    assert list(ROWS) == list(Code)
    assert list(EXPLANATIONS) == list(Code)
    assert {code for code in Code if not EXPLANATIONS[code].wrong} == WITHOUT_EXAMPLE


def found_in(code: Code, inputs: tuple[str, ...]) -> list[Diagnostic]:
    """What the check of one input, or the merge of several, finds."""
    texts = [text.encode("utf-8", "surrogateescape") for text in inputs]
    if len(texts) == 1:
        profile = next(profile for profile in Profile if severity_of(code, profile))
        names: Names = "legacy" if code is Code.NON_LEGACY_NAME else "utf-8"
        return check(texts[0], profile=profile, names=names, filename="a.prom")
    first, *others = (parse(text, filename=f"{name}.prom") for name, text in zip("ab", texts, strict=True))
    found: list[Diagnostic] = []
    try:
        merge(first, *others, policy=policy_of(code), on_warning=found.append)
    except ConsistencyError as error:
        found += error.diagnostics
    return found


def policy_of(code: Code) -> MergePolicy:
    return MergePolicy("sum" if code is Code.BUCKET_BOUNDS_CONFLICT else "refuse")


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_the_wrong_example_of_an_explanation_is_wrong(code: Code, engine: str) -> None:
    assert {diagnostic.code for diagnostic in found_in(code, EXPLANATIONS[code].wrong)} == {code}


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_the_right_example_of_an_explanation_is_right(code: Code, engine: str) -> None:
    assert found_in(code, EXPLANATIONS[code].right) == []


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_reports(code: Code, update_cases: bool) -> None:
    """What a person sees of each code: read it when it changes."""
    path = REPORTS / f"{code}.txt"
    shown = "".join(report(found_in(code, EXPLANATIONS[code].wrong), width=100))
    if update_cases:
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_there_is_no_report_of_a_code_that_is_gone() -> None:
    assert {path.stem for path in REPORTS.iterdir()} == set(WITH_EXAMPLE)


@pytest.mark.parametrize("code", Code)
def test_explanations_fit_a_terminal(code: Code) -> None:
    lines = explain(code).splitlines()
    assert lines[0].startswith(f"{code}: ")
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)


LINE_TEXT = st.text(st.characters(codec="utf-8", categories=None) | st.sampled_from('{}",=\\ #$_ab1\udcff\x00'))
CONTEXTS = st.builds(
    Context,
    before=LINE_TEXT,
    found=LINE_TEXT | st.sampled_from(["x" * 500, '"' * 500, "\\" * 500, "1" * 500, '{a="b"} 1', "$found"]),
    after=LINE_TEXT,
    related=st.none() | LINE_TEXT,
    at_end_of_input=st.booleans(),
    details=st.dictionaries(
        st.sampled_from(
            ["family", "first", "second", "first_input", "second_input", "series", "what", "count", "format"]
        ),
        LINE_TEXT | st.just("x" * 500),
    ),
)


@given(code=st.sampled_from(Code), context=CONTEXTS)
def test_any_context_gives_words_by_the_house_rules(code: Code, context: Context) -> None:
    words = describe(code, context)
    assert 0 < len(words.message) <= 72
    assert not words.message.endswith(".")
    assert re.match(r"(TYPE|HELP)\b|[^A-Z]", words.message)
    for text in words:
        assert text is None or text.isprintable()
    for text in (words.label, words.related_label, words.help or ""):
        assert all(len(quoted) <= 72 for quoted in re.findall(r"`([^`]*)`", text))
    assert words.help != ""


def test_what_a_terminal_could_not_show_or_would_obey_is_escaped() -> None:
    assert visible("a\tb\n\x1b[31m\x7f") == "a\\tb\\n\\x1b[31m\\x7f"
    assert visible("\u202e\u200b\xa0\u2028\x85") == "\\u202e\\u200b\\u00a0\\u2028\\u0085"
    assert visible("\udcff\U000e0001") == "\\xff\\U000e0001"
    assert visible("é漢e\u0301") == "é漢e\u0301"


def test_quotations_are_cut_after_escaping() -> None:
    assert shortened("\x00" * 100) == "\\x00" * 9 + "\\x0…"
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"


# A line, what is said about its first fault, and the remedy.
HELPS = [
    ("jobs{code=200} 1", 'expected `"`, found `2`', 'write `code="200"`'),
    ("jobs{code='2 0',a=\"b\"} 1", "expected `\"`, found `'`", "write `\"2 0\"` for `'2 0'`"),
    ("jobs{code=“ok”} 1", 'expected `"`, found `“`', 'write `code="ok"`'),
    ('jobs{a="b",code=} 1', 'expected `"`, found `}`', 'insert `""` before `}`'),
    ('jobs{a="b",code=', 'expected `"`, found end of line', None),
    ("jobs{code=C:\\x} 1", 'expected `"`, found `C`', 'write `code="C:\\\\x"`'),
    (f"jobs{{code={'x' * 80}}} 1", 'expected `"`, found `x`', None),
    (
        "http.requests 1",
        "expected a blank or `{`, found `.`",
        'write `http_requests`, or in braces `{"http.requests"}`',
    ),
    ('a.b{c="d"} 1', "expected a blank or `{`, found `.`", 'write `a_b`, or in the braces `{"a.b",`'),
    ("# TYPE a.b gauge", "expected a blank or `{`, found `.`", 'write `a_b`, or in quotes `"a.b"`'),
    ("負荷 1", "expected a metric name, found `負`", 'write in braces `{"負荷"}`'),
    ("<html>", "expected a metric name, found `<`", 'a line is a sample, `name{label="value"} 1`, or begins with `#`'),
    (
        "\x00\x01 1",
        "expected a metric name, found `\\x00`",
        'a line is a sample, `name{label="value"} 1`, or begins with `#`',
    ),
    ('"up" 1', 'expected `{`, found `"`', "write `up`"),
    ('"a.b"{c="d"} 1', 'expected `{`, found `"`', 'write `{"a.b",` for `"a.b"{`'),
    ("{up} 1", 'expected `"`, found `u`', "write `up` for `{up}`"),
    ('{up,a="b"} 1', 'expected `"`, found `u`', 'write `"up"`, or `up` before the braces'),
    ('{a="b"} 1', "expected a metric name before or within the braces", 'write `name{a="b"}`, with the metric\'s name'),
    ('up{job:"a"} 1', "expected `=`, found `:`", "write `=` for `:`"),
    ("up{'job'=\"a\"} 1", "expected a label name, found `'`", "write `job`"),
    ('up{1="a"} 1', "expected a label name, found `1`", 'write in quotes `"1"`'),
    ("up{,} 1", "expected a label name, found `,`", "remove `,`"),
    ("up{job} 1", "expected `=`, found `}`", 'insert `="value"` before `}`'),
    ('up{job "a"} 1', 'expected `=`, found `"`', 'insert `=` before `"a"`'),
    ('up{job="a} 1', 'expected `"` at its end, found end of line', 'insert `"` before `}`'),
    ('up{job="a', 'expected `"` at its end, found end of line', 'close it with `"`; a line feed within is `\\n`'),
    ('up{a="b" c="d"} 1', "expected `,` or `}`, found `c`", "insert `,` before `c`"),
    ('up{a="b" 1', "expected `,` or `}`, found `1`", "insert `}` before `1`"),
    ("up{", "expected a label or `}`, found end of line", "close the labels with `}`"),
    ("up 1,5", "expected a number, found `1,5`", "write `1.5`"),
    ("up 1,234", "expected a number, found `1,234`", "write `1.234` or `1234`"),
    ("up 1,234,567", "expected a number, found `1,234,567`", "write `1234567`"),
    ("up 0x1f", "expected a number, found `0x1f`", "write `31`"),
    ("up 1_000", "expected a number, found `1_000`", "write `1000`"),
    ("up -NaN", "expected a number, found `-NaN`", "write `NaN`"),
    ("up １２", "expected a number, found `１２`", "write `12`"),
    ("up −1", "expected a number, found `−1`", "write `-1`"),
    ("up true", "expected a number, found `true`", "write `1`"),
    ("up 5ms", "expected a number, found `5ms`", "values have no unit: put it in the name"),
    ("up 1#x", "expected a number, found `1#x`", "put the comment on a line of its own"),
    ('up a="b" 1', 'expected a number, found `a="b"`', 'write `up{a="b"}`'),
    ("up yes", "expected a number, found `yes`", None),
    ("up -1e999", "expected a number below 1.8e+308, found `-1e999`", "write `-Inf`"),
    (
        "up 1 1700000000.25",
        "expected whole milliseconds, found `1700000000.25`",
        "if these are seconds, write `1700000000250`",
    ),
    ('up 1 # {a="b"} 1', "expected end of line, found `#`", "remove it: exemplars exist in OpenMetrics only"),
    ("# TYPE up", "expected a type, found end of line", "write `# TYPE up untyped`"),
    ("# TYPE", "expected a metric name, found end of line", "remove the line, or write `# TYPE name untyped`"),
    ("# TYPE up count", "expected counter, gauge, histogram, summary or untyped", "write `counter`"),
    ('{__name__="up"} 1', "expected another label name, found `__name__`", 'write `up{` for `{__name__="up"`'),
    ('x{__name__="up"} 1', "expected another label name, found `__name__`", 'remove `__name__="up"`'),
    ('{__name__="a.b"} 1', "expected another label name, found `__name__`", 'write `{"a.b"` for `{__name__="a.b"`'),
    ('{"a.b","__name__"="x"} 1', 'expected another label name, found `"__name__"`', 'remove `"__name__"="x"`'),
    ("cafe\u0301 1", "expected a blank or `{`, found `◌\u0301`", 'write `cafe_`, or in braces `{"cafe\u0301"}`'),
    ("up 12345678901234567890", "readers get 1.2345678901234567e+19", None),
    ('up{a="\\q"} 1', 'expected `\\\\`, `\\"` or `\\n`', "write `\\\\q`"),
    ("# HELP up \\q", "expected `\\\\` or `\\n`", "write `\\\\q`"),
    ("# HELP up x\\", "expected `\\\\` or `\\n`, found end of line", "write `\\\\`"),
    ('up{__a="b"} 1', "expected no `__` at the beginning", "write `a`"),
]


@pytest.mark.parametrize(("line", "label", "help"), HELPS, ids=[line for line, _, _ in HELPS])
def test_labels_and_remedies(line: str, label: str, help: str | None) -> None:
    first = check(line + "\n")[0]
    assert (first.place.label, first.help) == (label, help)


def test_a_missing_inf_bucket_can_be_pasted() -> None:
    text = '# TYPE h histogram\nh_bucket{a="b",le="1"} 1\nh_sum{a="b"} 1\nh_count{a="b"} 2\n'
    [diagnostic] = check(text)
    assert diagnostic.help == 'add the line `h_bucket{a="b",le="+Inf"} 2`'


def test_percentiles_become_quantiles() -> None:
    [diagnostic] = check('# TYPE s summary\ns{quantile="99.9"} 1\ns_sum 1\ns_count 1\n')
    assert diagnostic.help == 'write `quantile="0.999"` for `quantile="99.9"`'


def test_bytes_that_may_have_been_latin_1() -> None:
    helps = [check(b'up{a="' + bad + b'"} 1\n')[0].help for bad in (b"\xe9", b"\x80", b"\xe2\x82")]
    assert helps == [
        "save the file as UTF-8; if this was Latin-1, write `é`",
        "save the file as UTF-8",
        "save the file as UTF-8",
    ]


def test_end_of_input_is_told_from_end_of_line() -> None:
    assert check("up")[0].place.label == "expected a number, found end of input"
    assert check("up\n")[0].place.label == "expected a number, found end of line"
