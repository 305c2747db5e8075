"""The log of a server: one line for each event, whatever it tells of."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt.gateway.logs import Log, LogFormat

FORMATS: list[LogFormat] = ["logfmt", "json"]


def logged(format: LogFormat, *event: Any) -> str:
    stream = io.StringIO()
    Log("info", format, stream, clock=lambda: 0)("error", *event)
    return stream.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@given(text=st.text(st.characters(categories=["C", "Z", "L", "N", "P", "S"])))
def test_a_line_holds_nothing_that_a_terminal_obeys(format: LogFormat, text: str) -> None:
    line = logged(format, text, {"err": text})
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if format == "json":
        event = json.loads(line)
        assert (event["msg"], event["err"]) == (text, text)
    else:
        told = line[:-1].partition(" err=")[2]
        assert (json.loads(told) if told.startswith('"') else told) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é", "é"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ("\x1b[31m", r'"\u001b[31m"'),
        ("\x9b31m", r'"\u009b31m"'),
        ("\x7f", r'"\u007f"'),
        ("a\u2028b", r'"a\u2028b"'),
        ("\u202e", r'"\u202e"'),
        ("\U000e0041", r'"\udb40\udc41"'),
        ("\udcff", r'"\udcff"'),
    ],
)
def test_what_logfmt_quotes(text: str, shown: str) -> None:
    assert logged("logfmt", "x", {"err": text}) == f"time=1970-01-01T00:00:00.000Z level=ERROR msg=x err={shown}\n"
