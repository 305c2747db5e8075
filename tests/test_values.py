import math
import random
import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from expofmt.values import (
    INT64_MAX,
    INT64_MIN,
    format_float,
    format_timestamp_ms,
    parse_float,
    parse_timestamp_ms,
)

RANGE = "range"  # a number, but beyond what the type can hold
ERROR = None

# Text -> as a value, as a timestamp: what Go's ParseFloat (without p, P and _) and ParseInt(s, 10, 64) were seen to do.
MEASURED: list[tuple[str, float | str | None, int | str | None]] = [
    ("1", 1, 1),
    ("+1", 1, 1),
    ("-1", -1, -1),
    ("01", 1, 1),
    ("1.", 1, ERROR),
    ("1.0", 1, ERROR),
    (".5", 0.5, ERROR),
    ("-.5", -0.5, ERROR),
    ("+.5", 0.5, ERROR),
    (".", ERROR, ERROR),
    ("1e3", 1000, ERROR),
    ("1E3", 1000, ERROR),
    ("1e+3", 1000, ERROR),
    ("1e-3", 0.001, ERROR),
    ("1e", ERROR, ERROR),
    ("1e+", ERROR, ERROR),
    ("e3", ERROR, ERROR),
    ("1.e3", 1000, ERROR),
    (".e3", ERROR, ERROR),
    ("1e3.0", ERROR, ERROR),
    ("1e400", RANGE, ERROR),
    ("-1e400", RANGE, ERROR),
    ("1e-400", 0, ERROR),
    ("4.9e-324", 5e-324, ERROR),
    ("1.7976931348623159e308", RANGE, ERROR),
    ("nan", math.nan, ERROR),
    ("NaN", math.nan, ERROR),
    ("NAN", math.nan, ERROR),
    ("+nan", ERROR, ERROR),
    ("-nan", ERROR, ERROR),
    ("nan(1)", ERROR, ERROR),
    ("inf", math.inf, ERROR),
    ("Inf", math.inf, ERROR),
    ("+Inf", math.inf, ERROR),
    ("-inf", -math.inf, ERROR),
    ("INF", math.inf, ERROR),
    ("infinity", math.inf, ERROR),
    ("+Infinity", math.inf, ERROR),
    ("-INFINITY", -math.inf, ERROR),
    ("infin", ERROR, ERROR),
    ("in", ERROR, ERROR),
    ("0x1", ERROR, ERROR),
    ("0x1p4", ERROR, ERROR),
    ("0x1P4", ERROR, ERROR),
    ("0x1.8p1", ERROR, ERROR),
    ("-0x1p-2", ERROR, ERROR),
    ("0x1p", ERROR, ERROR),
    ("1p4", ERROR, ERROR),
    ("0x_1p4", ERROR, ERROR),
    ("1_000", ERROR, ERROR),
    ("1_0.0", ERROR, ERROR),
    ("0b1", ERROR, ERROR),
    ("0o7", ERROR, ERROR),
    ("1 ", ERROR, ERROR),
    ("\t1", ERROR, ERROR),
    ("", ERROR, ERROR),
    ("-", ERROR, ERROR),
    ("--1", ERROR, ERROR),
    ("+-1", ERROR, ERROR),
    ("1,5", ERROR, ERROR),
    ("1f", ERROR, ERROR),
    ("1d", ERROR, ERROR),
    ("1L", ERROR, ERROR),
    ("１２", ERROR, ERROR),
    ("٣", ERROR, ERROR),
    ("1\xa0", ERROR, ERROR),
    ("−1", ERROR, ERROR),
    ("9223372036854775807", 9.223372036854776e18, INT64_MAX),
    ("9223372036854775808", 9.223372036854776e18, RANGE),
    ("18446744073709551616", 1.8446744073709552e19, RANGE),
    ("9007199254740993", 9.007199254740992e15, 9007199254740993),
    ("0.1", 0.1, ERROR),
    ("123456789012345678901234567890", 1.2345678901234568e29, RANGE),
    ("1e23", 1e23, ERROR),
    ("00000000000000000000001", 1, 1),
    ("0.0000000000000000000000000000001", 1e-31, ERROR),
    ("true", ERROR, ERROR),
    # D31, D33, D36, and what Python's own float() and int() are known to let through.
    ("+5", 5, 5),
    ("-3982045", -3982045, -3982045),
    ("-9223372036854775808", -9.223372036854776e18, INT64_MIN),
    ("-9223372036854775809", -9.223372036854776e18, RANGE),
    ("-0", 0, 0),
    ("1\n", ERROR, ERROR),
    ("1\r", ERROR, ERROR),
    ("1\0", ERROR, ERROR),
    ("ınf", ERROR, ERROR),
    ("İnf", ERROR, ERROR),
    ("1e٣", ERROR, ERROR),
    ("\ud800", ERROR, ERROR),
    ("1" * 5000, RANGE, RANGE),
    ("0" * 5000 + "7", 7, 7),
    ("-" + "0" * 5000, 0, 0),
]


def excerpt(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


@pytest.mark.parametrize(("text", "value"), [(text, value) for text, value, _ in MEASURED])
def test_a_value_is_read_as_go_reads_it(text: str, value: float | str | None) -> None:
    if value is ERROR:
        with pytest.raises(ValueError) as refused:
            parse_float(text)
        assert str(refused.value) == f"not a number: `{excerpt(text)}`"
    elif value == RANGE:
        with pytest.raises(OverflowError) as exceeded:
            parse_float(text)
        assert str(exceeded.value) == f"beyond the range of float64: `{excerpt(text)}`"
    else:
        assert parse_float(text) == pytest.approx(value, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(("text", "milliseconds"), [(text, milliseconds) for text, _, milliseconds in MEASURED])
def test_a_timestamp_is_read_as_go_reads_it(text: str, milliseconds: int | str | None) -> None:
    if milliseconds is ERROR:
        with pytest.raises(ValueError) as refused:
            parse_timestamp_ms(text)
        assert str(refused.value) == f"not an integer: `{excerpt(text)}`"
    elif isinstance(milliseconds, str):
        with pytest.raises(OverflowError) as exceeded:
            parse_timestamp_ms(text)
        assert str(exceeded.value) == f"beyond int64 milliseconds: `{excerpt(text)}`"
    else:
        assert parse_timestamp_ms(text) == milliseconds * 1_000_000


def test_the_sign_of_zero_is_read() -> None:
    assert math.copysign(1, parse_float("-0")) == -1
    assert math.copysign(1, parse_float("-1e-400")) == -1
    assert math.copysign(1, parse_float("0")) == 1


# D54: what a float parser that rounds more than once reads one unit off.
@pytest.mark.parametrize(
    "text", ["4.9351e-05", "3.2157849717e+10", "2.2250738585072011e-308", "9007199254740993.0000000001"]
)
def test_the_nearest_float64_is_read(text: str) -> None:
    value = parse_float(text)
    exact = Decimal(text)
    error = abs(Decimal(value) - exact)
    assert error <= abs(Decimal(math.nextafter(value, math.inf)) - exact)
    assert error <= abs(Decimal(math.nextafter(value, -math.inf)) - exact)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.0, "-1"),
        (0.5, "0.5"),
        (2398.283, "2398.283"),
        (100000.0, "100000"),
        (999999.0, "999999"),
        (-999999.0, "-999999"),
        (999999.5, "999999.5"),
        (999999.9999999999, "999999.9999999999"),
        (1000000.0, "1e+06"),
        (-1000000.0, "-1e+06"),
        (1000000.5, "1.0000005e+06"),
        (1234567.0, "1.234567e+06"),
        (12345678.0, "1.2345678e+07"),
        (-10000000.0, "-1e+07"),
        (1027000000.25, "1.02700000025e+09"),
        (9007199254740992.0, "9.007199254740992e+15"),
        (9999999999999998.0, "9.999999999999998e+15"),
        (1e16, "1e+16"),
        (1e20, "1e+20"),
        (1e21, "1e+21"),
        (1e23, "1e+23"),
        (1234567890123456789.0, "1.2345678901234568e+18"),
        (1e100, "1e+100"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.0001, "0.0001"),
        (0.00012345, "0.00012345"),
        (0.00009999, "9.999e-05"),
        (0.00001, "1e-05"),
        (-0.00001, "-1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e-100, "1e-100"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (math.copysign(math.nan, -1), "NaN"),
    ],
)
def test_a_value_is_written_as_prometheus_writes_it(value: float, text: str) -> None:
    assert format_float(value) == text


def test_an_int_is_written_as_the_float_it_equals() -> None:
    assert [format_float(value) for value in (0, -3, 10**6, 2**53 + 1, True)] == [
        "0",
        "-3",
        "1e+06",
        "9.007199254740992e+15",
        "1",
    ]
    with pytest.raises(OverflowError):
        format_float(10**400)


def test_a_subclass_of_float_is_written_as_a_float() -> None:
    class Seconds(float):
        def __repr__(self) -> str:
            return "Seconds(...)"

    assert format_float(Seconds(0.25)) == "0.25"
    assert format_float(Seconds(1234567.5)) == "1.2345675e+06"


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


any_bits = st.binary(min_size=8, max_size=8).map(lambda data: float(struct.unpack(">d", data)[0]))
floats = st.floats() | any_bits | st.integers(-(10**18), 10**18).map(float)


@given(floats)
@example(-0.0)
def test_what_is_written_reads_back_as_the_same_float(value: float) -> None:
    text = format_float(value)
    read = parse_float(text)
    if math.isnan(value):
        assert math.isnan(read)
    elif value == 0:
        assert bits(read) == bits(0.0)
    else:
        assert bits(read) == bits(value)


@given(floats.filter(math.isfinite))
@example(5e-324)
@example(2.0**-1022)
@example(2.0**89)
@example(9007199254740992.0)
def test_no_text_of_fewer_digits_reads_back_as_the_same_float(value: float) -> None:
    digits = len(Decimal(format_float(value)).normalize().as_tuple().digits)
    if digits > 1:
        # Of the numbers of one digit less, only the two around the value can be near enough.
        for rounding in (ROUND_FLOOR, ROUND_CEILING):
            shorter = Context(prec=digits - 1, rounding=rounding).create_decimal(Decimal(value))
            assert float(shorter) != value


@given(floats.filter(math.isfinite))
def test_the_exponent_decides_the_form(value: float) -> None:
    text = format_float(value)
    exponent = Decimal(text).adjusted() if value else 0
    if -4 <= exponent <= 5:
        assert "e" not in text
    else:
        mantissa, written = text.split("e")
        assert int(written) == exponent
        assert written[0] in "+-"
        assert len(written) >= 3
        assert len(mantissa.lstrip("-").partition(".")[0]) == 1
    assert not text.endswith(".0")


@given(st.text(alphabet="0123456789+-.eEiInNfFaAtTyYxXpP_ ", max_size=12))
def test_a_text_is_a_number_a_number_out_of_range_or_none(text: str) -> None:
    try:
        value = parse_float(text)
    except (ValueError, OverflowError):
        return
    assert text.isascii()
    assert value == float(text) or math.isnan(value)


@given(st.integers(INT64_MIN, INT64_MAX))
@example(INT64_MIN)
@example(INT64_MAX)
def test_a_timestamp_is_written_as_it_is_read(milliseconds: int) -> None:
    ns = parse_timestamp_ms(str(milliseconds))
    assert ns == milliseconds * 1_000_000
    assert format_timestamp_ms(ns) == str(milliseconds)


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0"), (999_999, "0"), (1_000_000, "1"), (-1, "-1"), (-1_000_000, "-1"), (-1_000_001, "-2")],
)
def test_what_is_finer_than_a_millisecond_is_rounded_down(ns: int, text: str) -> None:
    assert format_timestamp_ms(ns) == text


@pytest.mark.parametrize("ns", [(INT64_MAX + 1) * 1_000_000, INT64_MIN * 1_000_000 - 1])
def test_a_timestamp_beyond_int64_milliseconds_is_not_written(ns: int) -> None:
    with pytest.raises(OverflowError, match="beyond int64 milliseconds"):
        format_timestamp_ms(ns)


def test_many_integers() -> None:
    generator = random.Random(6)
    for value in [generator.randint(-2_000_000, 2_000_000) for _ in range(20_000)]:
        assert format_float(float(value)) == (str(value) if abs(value) < 10**6 else format_float(value))
        assert parse_float(format_float(float(value))) == value
