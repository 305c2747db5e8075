"""Hostile expositions, each as a function of its size in bytes; the tests read them too, at smaller sizes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, NamedTuple


class Hostile(NamedTuple):
    """An input, the code of its first diagnostic (none if it is valid), and what memory it may take.

    ``memory`` is a multiple of its size: what is mostly objects of a few bytes of text each may take more.
    """

    make: Callable[[int], bytes]
    code: str | None
    memory: int = 12


def _filled(unit: bytes, size: int) -> bytes:
    return unit * max(1, size // len(unit))


def _numbered(template: bytes, size: int, separator: bytes = b"") -> bytes:
    one = len(template % 0) + len(separator)
    return separator.join(template % number for number in range(max(1, size // one)))


def _labels(size: int) -> bytes:
    return _numbered(b'l%07d="x"', size, b",")


HOSTILE: Final = {
    # Not text at all.
    "empty": Hostile(lambda size: b"", None),
    "junk": Hostile(lambda size: random.Random(1).randbytes(size), "invalid-metric-name"),
    "NUL bytes": Hostile(bytes, "invalid-metric-name"),
    "line feeds": Hostile(lambda size: b"\n" * size, None),
    "blanks": Hostile(lambda size: b" " * size, "missing-final-newline"),
    # One line, of one long part.
    "long comment": Hostile(lambda size: b"# " + b"x" * size + b"\n", None),
    "long HELP": Hostile(lambda size: b"# HELP a " + b"x" * size + b"\n", None),
    "long type": Hostile(lambda size: b"# TYPE a " + b"x" * size + b"\n", "unknown-type"),
    "long name": Hostile(lambda size: b"a" * size + b" 1\n", None),
    "long bad name": Hostile(lambda size: _filled(b"a-", size) + b" 1\n", "invalid-metric-name"),
    "long label value": Hostile(lambda size: b'a{b="' + b"x" * size + b'"} 1\n', None),
    "long UTF-8 label value": Hostile(lambda size: b'a{b="' + _filled("é花😱".encode(), size) + b'"} 1\n', None),
    "long bad UTF-8": Hostile(lambda size: b'a{b="' + b"\xff" * size + b'"} 1\n', "invalid-utf8"),
    "long unclosed string": Hostile(lambda size: b'a{b="' + b"x" * size + b"\n", "unterminated-string"),
    "long number": Hostile(lambda size: b"a " + b"1" * size + b"\n", "value-out-of-range"),
    "long fraction": Hostile(lambda size: b"a 1." + b"1" * size + b"\n", None),
    "long exponent": Hostile(lambda size: b"a 1e-" + b"1" * size + b"\n", None),
    "long timestamp": Hostile(lambda size: b"a 1 " + b"1" * size + b"\n", "timestamp-out-of-range"),
    "long bad value": Hostile(lambda size: b"a " + b"x" * size + b"\n", "invalid-value"),
    "long trailing text": Hostile(lambda size: b"a 1 2 " + _filled(b"x ", size) + b"\n", "trailing-text"),
    "CR alone": Hostile(lambda size: _filled(b"a 1\r", size) + b"\n", "invalid-value"),
    "braces": Hostile(lambda size: b"a" + b"{" * size + b"\n", "invalid-label-name"),
    "quotes": Hostile(lambda size: b"a{" + b'"' * size + b"\n", "missing-equals"),
    "commas": Hostile(lambda size: b"a{" + b"," * size + b"\n", "invalid-label-name"),
    # One line, of many labels.
    "labels": Hostile(lambda size: b"a{" + _labels(size) + b"} 1\n", None, 40),
    "labels, a bad one last": Hostile(lambda size: b"a{" + _labels(size) + b",%} 1\n", "invalid-label-name"),
    "labels, not closed": Hostile(lambda size: b"a{" + _labels(size) + b" 1\n", "unclosed-labels"),
    "labels, no name": Hostile(lambda size: b"{" + _labels(size) + b"} 1\n", "missing-metric-name"),
    "labels, two names": Hostile(lambda size: b'{"a",' + _labels(size) + b',"b"} 1\n', "second-metric-name"),
    "labels, name last": Hostile(lambda size: b"{" + _labels(size) + b',"b"} 1\n', None, 50),
    "labels, all the same": Hostile(lambda size: b"a{" + _filled(b'l="x",', size) + b"} 1\n", "duplicate-label"),
    "labels, bad UTF-8": Hostile(lambda size: b"a{" + _filled(b'b="\xff",', size) + b"} 1\n", "invalid-utf8"),
    "labels, reserved": Hostile(
        lambda size: b"a{" + _numbered(b'__%06d="",', size) + b"} 1\n", "reserved-label-name", 50
    ),
    "a long value, then faults": Hostile(
        lambda size: b'a{b="' + b"x" * size + b'",' + _filled(b'b="",', size // 100) + b"} 1\n", "duplicate-label"
    ),
    # Escapes.
    "escapes": Hostile(lambda size: b'a{b="' + _filled(rb"\n\"\\", size) + b'"} 1\n', None),
    "unknown escapes": Hostile(lambda size: b'a{b="' + _filled(rb"\q", size) + b'"} 1\n', "unknown-escape"),
    "unclosed escapes": Hostile(lambda size: b'a{b="' + _filled(rb"\"", size) + b"\n", "unterminated-string"),
    "escapes in HELP": Hostile(lambda size: b"# HELP a " + _filled(rb"\n\\", size) + b"\n", None),
    "unknown escapes in HELP": Hostile(lambda size: b"# HELP a " + _filled(rb"\q", size) + b"\n", "unknown-escape"),
    # Many short lines.
    "comments": Hostile(lambda size: _filled(b"#\n", size), None),
    "comments and blank lines": Hostile(lambda size: _filled(b"# \n\n", size), None),
    "bad lines": Hostile(lambda size: _filled(b"%\n", size), "invalid-metric-name"),
    "CRLF lines": Hostile(lambda size: _filled(b"a 1\r\n", size), "carriage-return", 60),
    "duplicate labels": Hostile(lambda size: _filled(b'a{b="",b=""} 1\n', size), "duplicate-label"),
    "duplicate samples": Hostile(lambda size: _filled(b"a 1\n", size), "duplicate-sample", 60),
    "taking turns": Hostile(lambda size: _filled(b"a 1\nb 1\n", size), "interleaved-family", 60),
    "TYPE after samples": Hostile(lambda size: _filled(b"a 1\n# TYPE a gauge\n", size), "type-after-samples", 20),
    "families": Hostile(lambda size: _numbered(b"a%07d 1\n", size), None, 160),
    "histograms": Hostile(lambda size: _numbered(b"# TYPE a%07d histogram\n", size), None, 60),
}
