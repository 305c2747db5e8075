"""How diagnostics are drawn: every caret under what it speaks of."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt import Code, ConsistencyError, Diagnostic, Place, Severity, Span, check, merge, parse
from expofmt.report import ReportFormat, report
from expofmt.source import Source


def full(text: str | bytes, width: int | None = None, color: bool = False) -> str:
    return "".join(report(check(text, filename="a.prom"), width=width, color=color))


def drawn(text: str | bytes, width: int | None = None) -> list[str]:
    """The line of input and the carets of the first diagnostic."""
    lines = full(text, width).splitlines()
    return lines[3:5]


def test_one_place() -> None:
    assert full('http_requests_total{code=200,method="get"} 1027\n') == (
        "error[unquoted-label-value]: label value must be in double quotes\n"
        " --> a.prom:1:26\n"
        "  |\n"
        '1 | http_requests_total{code=200,method="get"} 1027\n'
        '  |                          ^^^ expected `"`, found `2`\n'
        "  |\n"
        '  = help: write `code="200"`\n'
        "\n"
    )


def test_two_places_in_one_file_stand_in_its_order() -> None:
    assert full("# TYPE up gauge\n" + "\n" * 8 + "up 1\nup 2\n") == (
        "error[duplicate-sample]: sample of `up` is given twice\n"
        "  --> a.prom:11:1\n"
        "   |\n"
        "10 | up 1\n"
        "   | ^^^^ first given here\n"
        "   |\n"
        "11 | up 2\n"
        "   | ^^^^ same name, labels and timestamp\n"
        "   |\n"
        "   = help: remove one of the two lines\n"
        "\n"
    )


def test_the_gutter_is_as_wide_as_the_largest_number() -> None:
    lines = full('# TYPE h histogram\nh_count 2\nh_sum 1\n\n\n\n\n\n\nh_bucket{le="+Inf"} 1\n').splitlines()
    assert lines[1] == "  --> a.prom:2:1"
    assert [line[:5] for line in lines if line[3:4] == "|"] == [
        "   |",
        " 2 | ",
        "   | ",
        "   |",
        "10 | ",
        "   | ",
        "   |",
    ]


def test_two_places_on_one_line_share_it() -> None:
    assert full('up{job="a",job="b"} 1\n') == (
        "error[duplicate-label]: label `job` is given twice\n"
        " --> a.prom:1:12\n"
        "  |\n"
        '1 | up{job="a",job="b"} 1\n'
        "  |            ^^^ expected another label name, found `job` again\n"
        "  |    ^^^ first given here\n"
        "  |\n"
        "  = help: keep one of the two\n"
        "\n"
    )


def test_two_inputs() -> None:
    first = parse("# TYPE jobs counter\njobs 1\n", filename="a.prom")
    second = parse("# TYPE jobs gauge\njobs 1\n", filename="b.prom")
    with pytest.raises(ConsistencyError) as caught:
        merge(first, second)
    assert "".join(report(caught.value.diagnostics)) == (
        "error[type-conflict]: metric family `jobs` has two types\n"
        " --> b.prom\n"
        "  |\n"
        "  | # TYPE jobs gauge\n"
        "  | ^^^^^^^^^^^^^^^^^ gauge in `b.prom`\n"
        " ::: a.prom\n"
        "  |\n"
        "  | # TYPE jobs counter\n"
        "  | ^^^^^^^^^^^^^^^^^^^ counter in `a.prom`\n"
        "  |\n"
        "  = help: declare one type everywhere, such as `# TYPE jobs counter`\n"
        "\n"
    )


def test_a_stored_line_beside_a_pushed_one() -> None:
    pushed = Place.of(Source("PUT /metrics/job/batch", b"\n# TYPE jobs gauge\n"), Span(13, 18), "pushed as gauge")
    stored = Place.canonical('group {job="batch"}', "# TYPE jobs counter", "stored as counter")
    diagnostic = Diagnostic(Code.TYPE_CONFLICT, Severity.ERROR, "metric family `jobs` has two types", pushed, stored)
    assert "".join(report([diagnostic])) == (
        "error[type-conflict]: metric family `jobs` has two types\n"
        " --> PUT /metrics/job/batch:2:13\n"
        "  |\n"
        "2 | # TYPE jobs gauge\n"
        "  |             ^^^^^ pushed as gauge\n"
        ' ::: group {job="batch"}\n'
        "  |\n"
        "  | # TYPE jobs counter\n"
        "  | ^^^^^^^^^^^^^^^^^^^ stored as counter\n"
        "\n"
    )


CARETS = [
    # text, the line as shown, the carets below
    ("up\t1\tx\n", "1 | up  1   x", "  |         ^"),
    ('up{a="\t\t",b=1} 1\n', '1 | up{a="      ",b=1} 1', "  |                 ^"),
    ('up{a="漢字",b=x} 1\n', '1 | up{a="漢字",b=x} 1', "  |               ^"),
    ("up{a=漢字} 1\n", "1 | up{a=漢字} 1", "  |      ^^^^"),
    ('up{a="e\u0301e\u0301",b=x} 1\n', '1 | up{a="e\u0301e\u0301",b=x} 1', "  |             ^"),
    ("up{a=e\u0301} 1\n", "1 | up{a=e\u0301} 1", "  |      ^"),
    ('up{a="👍🏽",b=x} 1\n', '1 | up{a="👍🏽",b=x} 1', "  |               ^"),
    (b"up 1\r\n", "1 | up 1␍", "  |     ^"),
    (b"up x\r\n", "1 | up x␍", "  |    ^"),
    (b'up{a="\xff"} 1\n', '1 | up{a="\ufffd"} 1', "  |       ^"),
    (b'up{a="\xe6\xbc"} 1\n', '1 | up{a="\ufffd\ufffd"} 1', "  |       ^^"),
    ('up{a="\x00\x1b[31m\x7f",b=x} 1\n', '1 | up{a="␀␛[31m␡",b=x} 1', "  |                  ^"),
    ('up{a="\u200b\u202e",b=x} 1\n', '1 | up{a="\\u200b\\u202e",b=x} 1', "  |                       ^"),
    ("up{a=b\u200b} 1\n", "1 | up{a=b\\u200b} 1", "  |      ^^^^^^^"),
    ("up{\n", "1 | up{", "  |    ^"),
    ("up{", "1 | up{", "  |    ^"),
    ("up", "1 | up", "  |   ^"),
    ("\n\n  \tup", "3 |     up", "  |       ^"),
]


@pytest.mark.parametrize(("text", "line", "carets"), CARETS, ids=[repr(text) for text, _, _ in CARETS])
def test_carets(text: str | bytes, line: str, carets: str) -> None:
    shown, below = drawn(text)
    assert shown == line
    assert below.startswith(carets + " ")


def test_an_empty_input_has_nothing_to_report() -> None:
    assert full("") == ""


def test_the_place_of_an_empty_input() -> None:
    diagnostic = Diagnostic.at(Source("a.prom", b""), Code.MISSING_VALUE, Severity.ERROR, Span(0, 0))
    assert "".join(report([diagnostic])).splitlines()[1:] == [
        " --> a.prom:1:1",
        "  |",
        "1 |",
        "  | ^ expected a number, found end of input",
        "",
    ]


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


@pytest.mark.parametrize("offset", [0, 1, 10, 50, 100, 250, 500])
@pytest.mark.parametrize("filling", ["x", "漢", "e\u0301"])
def test_a_line_longer_than_the_terminal_is_cut_around_the_caret(offset: int, filling: str) -> None:
    text = f'up{{a="{filling * offset}",b=here,c="{filling * 500}"}} 1\n'
    shown, carets = drawn(text, width=80)
    assert columns(shown) <= 80
    assert shown.endswith("…")
    assert shown.startswith("1 | …" if offset > 10 else "1 | ") or offset == 50
    start, length = carets.index("^"), carets.count("^")
    assert length == len("here")
    assert shown_at(shown, start, length) == "here"


def shown_at(line: str, start: int, length: int) -> str:
    """What stands in these columns."""
    column, found = 0, ""
    for character in line:
        if start <= column < start + length:
            found += character
        column += columns(character)
    return found


def test_a_line_that_just_fits_is_shown_whole() -> None:
    text = f'up{{a="{"x" * 60}"}} x\n'
    assert drawn(text, width=74)[0] == f"1 | {text.rstrip()}"
    assert "…" in drawn(text, width=73)[0]


def test_a_label_that_does_not_fit_beside_the_carets_goes_below_them() -> None:
    lines = full(f'up{{a="{"x" * 40}"}} 1\nup{{a="{"x" * 40}"}} 2\n', width=60).splitlines()
    assert lines[8:10] == ["  | " + "^" * 50, "  | same name, labels and timestamp"]


def test_carets_end_where_the_excerpt_does() -> None:
    shown, carets = drawn(f'up{{a="{"x" * 1000}\n')
    assert shown.endswith("…")
    assert carets.index("^") + carets.count("^") == len(shown) - 1


def test_what_the_excerpt_of_a_long_line_lacks_is_marked() -> None:
    [shown, carets] = drawn(f'up{{a="{"x" * 1000}",b=1,c="{"x" * 1000}"}} 1\n')
    assert shown.startswith("1 | …x")
    assert shown.endswith("x…")
    assert shown[carets.index("^")] == "1"


def test_file_names_cannot_break_out_of_their_line() -> None:
    text = "".join(report(check("up x\n", filename="a\n\x1b[31m.prom"), "concise"))
    assert text == "a\\n\\x1b[31m.prom:1:4: error[invalid-value] value is not a number\n"


def test_color_changes_nothing_but_the_colors() -> None:
    text = 'up{job="a",job="b"} 1\nup x\nup 1\nup 2'
    plain, painted = full(text), full(text, color=True)
    assert "\x1b[31m" in painted
    assert "\x1b" not in plain
    import click

    assert click.unstyle(painted) == plain


def test_concise() -> None:
    found = check("up{job=a} 1\n# TYPE up GAUGE", filename="a.prom")
    assert "".join(report(found, ReportFormat.CONCISE)).splitlines() == list(map(str, found))


def test_json() -> None:
    found = check('up{job="漢",job="b"} 1\nup{zone=a} 1\n', filename="ü.prom")
    assert json.loads("".join(report(found, "json"))) == [
        {
            "code": "duplicate-label",
            "severity": "error",
            "message": "label `job` is given twice",
            "filename": "ü.prom",
            "line": 1,
            "column": 12,
            "end_line": 1,
            "end_column": 15,
            "help": "keep one of the two",
            "related": {
                "filename": "ü.prom",
                "line": 1,
                "column": 4,
                "end_line": 1,
                "end_column": 7,
                "label": "first given here",
            },
        },
        {
            "code": "unquoted-label-value",
            "severity": "error",
            "message": "label value must be in double quotes",
            "filename": "ü.prom",
            "line": 2,
            "column": 9,
            "end_line": 2,
            "end_column": 10,
            "help": 'write `zone="a"`',
        },
    ]


def test_json_of_nothing_is_an_empty_list() -> None:
    assert json.loads("".join(report([], "json"))) == []


@pytest.mark.parametrize("format", ["full", "concise", "github"])
def test_the_other_formats_of_nothing_are_empty(format: str) -> None:
    assert list(report([], format)) == []


def test_github() -> None:
    found = check('up{job="a",job="b"} 1\n# HELP up \\q\n', filename="a:b,c%.prom")
    assert "".join(report(found, "github")).splitlines() == [
        (
            "::error file=a%3Ab%2Cc%25.prom,line=1,col=12,endLine=1,endColumn=15,title=duplicate-label"
            "::label `job` is given twice: expected another label name, found `job` again"
            "%0Aa:b,c%25.prom:1:4: first given here%0Ahelp: keep one of the two"
        ),
        (
            "::warning file=a%3Ab%2Cc%25.prom,line=2,col=11,endLine=2,endColumn=13,title=unknown-escape"
            "::unknown escape sequence `\\q`: expected `\\\\` or `\\n`%0Ahelp: write `\\\\q`"
        ),
    ]


def test_github_has_no_lines_for_what_stands_in_no_file() -> None:
    place = Place.canonical("merged", "up 1", "here")
    [command] = report([Diagnostic(Code.TYPE_CONFLICT, Severity.INFO, "message", place)], "github")
    assert command == "::notice file=merged,title=type-conflict::message: here\n"


def test_pieces_come_as_the_diagnostics_do() -> None:
    def endless():
        found = check("up x\n")
        while True:
            yield from found

    for format in ReportFormat:
        pieces = report(endless(), format)
        assert next(pieces)
        assert next(pieces)


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="sarif"):
        report([], "sarif")


@given(
    data=st.lists(
        st.sampled_from(
            [b"up", b"{", b"}", b'"', b"=", b" ", b"1", b"\t", "漢".encode(), b"\xcc\x81", b"\xff", b"\n", b"\r"]
        )
    ),
    width=st.none() | st.integers(20, 100),
)
def test_any_input_can_be_drawn(data: list[bytes], width: int | None) -> None:
    found = check(b"".join(data))
    text = "".join(report(found, width=width))
    text.encode()
    assert "\r" not in text
    assert "\t" not in text
    rows = [line.partition("| ")[2] for line in text.split("\n") if set(line.partition("| ")[2][:1]) == {"^"}]
    assert all(rows)
    for format in ("concise", "json", "github"):
        list(report(found, format))
