"""Each thing that can be wrong with a text is called by its name, by `check` and by whoever refuses it."""

import pytest
from hypothesis import given, settings

from expofmt import Code, ConsistencyError, ExpositionError, ParseError, Severity, check, parse
from expofmt.codes import Kind, verdict
from expofmt.strategies import INVALID_CODES, invalid_expositions

pytestmark = pytest.mark.usefixtures("engine")


def refusal(text: bytes, *, strict: bool) -> ExpositionError | None:
    try:
        parse(text, strict=strict)
    except ExpositionError as error:
        return error
    return None


@pytest.mark.parametrize("code", INVALID_CODES)
def test_the_code_and_no_other(code: Code) -> None:
    rule = verdict(code)
    error_class = ParseError if rule.kind is Kind.SYNTAX else ConsistencyError

    @settings(max_examples=15)
    @given(invalid_expositions(codes=[code]))
    def with_texts(pair: tuple[bytes, Code]) -> None:
        text, expected = pair
        assert expected is code
        found = check(text)
        assert {diagnostic.code for diagnostic in found} == {code}
        assert {diagnostic.severity for diagnostic in found} == {rule.severity}
        strict = refusal(text, strict=True)
        if rule.severity is Severity.ERROR:
            assert type(strict) is error_class
            assert list(strict.diagnostics) == found
        else:
            assert strict is None
        plain = refusal(text, strict=False)
        if rule.fatal:
            assert type(plain) is error_class
            assert list(plain.diagnostics) == found
        else:
            assert plain is None

    with_texts()


@settings(max_examples=60)
@given(invalid_expositions(), invalid_expositions())
def test_one_fault_hides_no_other(first: tuple[bytes, Code], second: tuple[bytes, Code]) -> None:
    codes = {code for _, code in (first, second)}
    # Both must stay what they are behind, or before, another text.
    if Code.BYTE_ORDER_MARK in codes or Code.MISSING_FINAL_NEWLINE in codes:
        return
    # Of a family with lines that cannot be read, no more is asked: so let them be two.
    text = first[0] + second[0].replace(b"faulty", b"broken")
    assert codes <= {diagnostic.code for diagnostic in check(text)}
