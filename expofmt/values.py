"""Numbers and their text: Go's number syntax in, Go's shortest spelling out.

The text formats define a value as whatever Go's ``strconv.ParseFloat`` reads, and every Go reader of them refuses the
hexadecimal floats and the digit separators that it would allow besides. What is written is what
``strconv.FormatFloat(f, 'g', -1, 64)`` writes. Both directions are exact: text is rounded to the nearest float64, and a
float64 is written with the fewest digits that read back as the same one.
"""

import re
from math import isinf, isnan
from typing import Final

__all__ = [
    "FLOAT_PATTERN",
    "INT64_MAX",
    "INT64_MIN",
    "format_float",
    "format_timestamp_ms",
    "parse_float",
    "parse_timestamp_ms",
]

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

# Letter cases are spelt out: with re.IGNORECASE an `i` would also match U+0130 and U+0131.
FLOAT_PATTERN: Final = (
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
    r"|[nN][aA][nN]"
)

_is_float = re.compile(FLOAT_PATTERN).fullmatch
_match_integer = re.compile(r"([+-]?)0*([0-9]+)").fullmatch

_NS_PER_MS = 1_000_000


def parse_float(text: str) -> float:
    """The float64 nearest to the number that the text spells.

    The whole text must be a number in ASCII: decimal digits with an optional sign, point and exponent; ``inf`` or
    ``infinity`` in any letter case with an optional sign; ``nan`` in any letter case without one. Blanks, ``_``,
    hexadecimal floats and digits of other scripts are no part of it. What is too small becomes 0.

    Raises ValueError if the text is no number, and OverflowError if it is a number beyond the range of float64.

    Text format 0.0.4, "Line format": "value is a float represented as required by Go's ParseFloat() function".

    >>> parse_float("1.5e3"), parse_float(".5"), parse_float("-INF")
    (1500.0, 0.5, -inf)
    >>> parse_float("0x10")
    Traceback (most recent call last):
    ValueError: not a number: `0x10`
    >>> parse_float("1e400")
    Traceback (most recent call last):
    OverflowError: beyond the range of float64: `1e400`
    """
    if not _is_float(text):
        raise ValueError(f"not a number: `{_excerpt(text)}`")
    value = float(text)
    if isinf(value) and text.lstrip("+-")[0] not in "iI":
        raise OverflowError(f"beyond the range of float64: `{_excerpt(text)}`")
    return value


def format_float(value: float) -> str:
    """The value as Prometheus' encoder of the text format writes it.

    The fewest digits that read back as the same float64, and of those the nearest to it. The exponent form is used
    when the decimal exponent is below -4 or above 5, with at least two digits of exponent. Integers have no ``.0``.
    The special values are ``NaN``, ``+Inf`` and ``-Inf``. Negative zero is written ``0``, as that encoder does.

    Raises OverflowError for an int beyond the range of float64.

    >>> format_float(999999.0), format_float(1000000.0), format_float(1234567.5)
    ('999999', '1e+06', '1.2345675e+06')
    >>> format_float(0.0001), format_float(0.00001), format_float(-0.0)
    ('0.0001', '1e-05', '0')
    >>> format_float(float("nan")), format_float(float("inf"))
    ('NaN', '+Inf')
    """
    if -1e6 < value < 1e6:
        integer = int(value)
        return str(integer) if integer == value else float.__repr__(value)
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    # repr has the right digits; it turns to the exponent form only from 1e16 on.
    text = float.__repr__(float(value))
    if "e" in text:
        return text
    sign = "-" if value < 0 else ""
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = (whole + fraction).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e+{len(whole) - 1:02}"


def parse_timestamp_ms(text: str) -> int:
    """The nanoseconds since 1970-01-01T00:00:00Z of a timestamp of the text format, which counts milliseconds.

    The whole text must be an integer in ASCII digits with an optional sign. Raises ValueError if it is not, and
    OverflowError if the milliseconds do not fit in an int64.

    Text format 0.0.4, "Line format": "timestamp is an int64 [...] represented as required by Go's ParseInt() function".

    >>> parse_timestamp_ms("1395066363000")
    1395066363000000000
    >>> parse_timestamp_ms("1.5")
    Traceback (most recent call last):
    ValueError: not an integer: `1.5`
    """
    match = _match_integer(text)
    if not match:
        raise ValueError(f"not an integer: `{_excerpt(text)}`")
    sign, digits = match.groups()
    # Only a text of at most 19 digits can fit, and int() refuses texts of thousands of digits with a ValueError.
    if len(digits) > 19 or not INT64_MIN <= (milliseconds := int(sign + digits)) <= INT64_MAX:
        raise OverflowError(f"beyond int64 milliseconds: `{_excerpt(text)}`")
    return milliseconds * _NS_PER_MS


def format_timestamp_ms(ns: int) -> str:
    """The text format's spelling of a timestamp given in nanoseconds since 1970-01-01T00:00:00Z: whole milliseconds.

    Finer digits are rounded down, towards the past, so the order of timestamps is kept; a caller who must not lose
    them compares ``ns % 1_000_000`` with 0. Raises OverflowError if the milliseconds do not fit in an int64.

    >>> format_timestamp_ms(1395066363000000000)
    '1395066363000'
    >>> format_timestamp_ms(-1)
    '-1'
    """
    milliseconds = ns // _NS_PER_MS
    if not INT64_MIN <= milliseconds <= INT64_MAX:
        raise OverflowError(f"beyond int64 milliseconds: {milliseconds}")
    return str(milliseconds)


def _excerpt(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
