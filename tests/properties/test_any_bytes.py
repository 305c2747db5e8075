"""Any bytes give an exposition or an exposition error, and every fault has a sane place."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from expofmt import Diagnostic, Exposition, ExpositionError, Place, Severity, check, parse, render
from expofmt.source import Source
from expofmt.strategies import exposition_text

pytestmark = pytest.mark.usefixtures("engine")

DATA = Path(__file__).parent.parent / "data"
SCRAPES = [path.read_bytes() for path in sorted(DATA.glob("*"))]
# What lines are made of, and what spoils them.
PIECES = [
    *(b"a", b"a_count", b"h_bucket", b"__name__", b"le", b"quantile", b" ", b"\t", b"\n", b"\r\n", b"\r", b"\x00"),
    *(b"{", b"}", b'"', b"\\", b"\\n", b'\\"', b",", b"=", b"#", b"# HELP ", b"# TYPE ", b"# EOF", b"#TYPE"),
    *(b"1", b"-", b"+", b".", b"e", b"1e400", b"NaN", b"+Inf", b"0x1p3", b"1_0", b"9007199254740993"),
    *(b"counter", b"gauge", b"histogram", b"summary", b"untyped", b"info", b"GAUGE", b'{"a b"}', b'="c"'),
    *("é\u0301😱\u202e\u2028\x85".encode(), b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xed\xa0\x80", b"9223372036854775808"),
]
JUNK = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=40).map(b"".join)


def assert_place_is_sane(place: Place, source: Source) -> None:
    assert place.span is not None
    start, end = place.span
    assert 0 <= start <= end <= len(source.data)
    assert (place.line, place.column) == source.position(start)
    assert (place.end_line, place.end_column) == source.position(end)
    # A fault never reaches over a line feed; what is missing is missed after the last word of a line.
    line = source.line_span(start)
    assert end <= line.end
    assert start < end or source.text(end, line.end).strip(" \t\r") == ""
    # What is marked in the excerpt is what the span says, unless the excerpt is cut within it.
    first, last = place.caret
    assert 0 <= first <= last <= len(place.excerpt)
    shown = place.excerpt[first:last]
    assert source.text(start, end).startswith(shown)
    assert shown == source.text(start, end) or place.cut[1]
    assert place.excerpt in source.text(line.start, line.end)
    assert len(place.excerpt.encode("utf-8", "surrogateescape")) <= 400


def assert_sane(diagnostics: list[Diagnostic], data: bytes) -> None:
    source = Source("<exposition>", data)
    for diagnostic in diagnostics:
        assert_place_is_sane(diagnostic.place, source)
        if diagnostic.related is not None:
            assert_place_is_sane(diagnostic.related, source)
        assert diagnostic.message
        assert "\n" not in str(diagnostic)
    starts = [diagnostic.span.start for diagnostic in diagnostics if diagnostic.span]
    assert starts == sorted(starts)


def verdicts(data: bytes) -> None:
    """Holds for any bytes: parse and check agree, and nothing but an exposition error comes out."""
    found = check(data)
    assert_sane(found, data)
    read = result(data, strict=False)
    if isinstance(read, Exposition):
        assert all(str(sample) for family in read.values() for sample in family.samples)
        assert parse(render(read)).sample_count == read.sample_count
    else:
        assert {d.code for d in read.diagnostics} <= {d.code for d in found}
        assert any(d.severity is Severity.ERROR for d in read.diagnostics)
        assert_sane(list(read.diagnostics), data)
    refused = isinstance(result(data, strict=True), ExpositionError)
    assert refused == any(d.severity is Severity.ERROR for d in found)


def result(data: bytes, *, strict: bool) -> Exposition | ExpositionError:
    try:
        return parse(data, strict=strict)
    except ExpositionError as error:
        return error


@settings(max_examples=200)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x00")
@example(b"\xef\xbb\xbf")
@example(b"\r\n")
def test_any_bytes(data: bytes) -> None:
    verdicts(data)


@settings(max_examples=400)
@given(JUNK)
@example(b'{"a')
@example(b"a{")
@example(b"# TYPE")
@example(b'# TYPE "')
def test_bytes_that_look_like_an_exposition(data: bytes) -> None:
    verdicts(data)


@settings(max_examples=200)
@given(exposition_text(), st.data())
def test_spoilt_text(text: bytes, data: st.DataObject) -> None:
    verdicts(spoilt(text, data, changes=3))


@settings(max_examples=100)
@given(st.sampled_from(SCRAPES), st.data())
def test_spoilt_scrapes(scrape: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, max(0, len(scrape) - 1500)))
    verdicts(spoilt(scrape[start : start + 1500], data, changes=3))


def spoilt(text: bytes, data: st.DataObject, changes: int) -> bytes:
    """The text with pieces put in, left out, or put in place of others."""
    for _ in range(data.draw(st.integers(1, changes))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 4))
        text = text[:at] + data.draw(st.sampled_from([b"", *PIECES])) + text[at + length :]
    return text


def test_scrapes_with_many_faults() -> None:
    randomness = random.Random(20240229)
    for scrape in SCRAPES:
        lines = scrape.split(b"\n")
        for _ in range(200):
            number = randomness.randrange(len(lines))
            at = randomness.randint(0, len(lines[number]))
            lines[number] = lines[number][:at] + randomness.choice(PIECES) + lines[number][at + 1 :]
        data = b"\n".join(lines)
        found = check(data)
        assert_sane(found, data)
        with pytest.raises(ExpositionError):
            parse(data)


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    assert check(text) == check(text.encode())
