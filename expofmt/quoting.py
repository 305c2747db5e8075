"""Input as messages quote it: made visible, cut, and taken apart.

Taking apart is for lines that a parser has found wanting: what is not recognised is left alone. Patterns are compiled
when a fault asks for them, not when the package is imported.
"""

from __future__ import annotations

import re
from typing import Final

QUOTE_LIMIT: Final = 40


def visible(text: str) -> str:
    """The text with everything escaped that is not seen as itself, such as control characters and undecodable bytes.

    >>> print(visible("a\\tb\\x00\\u202e\\udcff"))
    a\\tb\\x00\\u202e\\xff
    """
    return text if text.isprintable() else "".join(map(_visible_character, text))


def shortened(text: str, limit: int = QUOTE_LIMIT) -> str:
    """The text made visible, and cut with an ellipsis if it takes more characters than the limit.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    # Escaping only makes longer, so that no more of a text than the limit needs be looked at.
    shown = visible(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


_BRIEF_ESCAPES: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _visible_character(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape decodes it
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return _BRIEF_ESCAPES.get(character) or f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def go_quoted(text: str) -> str:
    """The text in double quotes as Go's ``strconv.Quote`` writes it, which is how Pushgateway quotes in its messages.

    A lone surrogate that ``surrogateescape`` has made of a byte is written as that byte.

    >>> print(go_quoted('a"b\\x00é\\u2028\\udcff'))
    "a\\"b\\x00é\\u2028\\xff"
    """
    return '"' + "".join(map(_go_character, text)) + '"'


_GO_ESCAPES: Final = dict(zip('"\\\a\b\f\n\r\t\v', r"\" \\ \a \b \f \n \r \t \v".split(), strict=True))


def _go_character(character: str) -> str:
    return _GO_ESCAPES.get(character) or _visible_character(character)


STRING: Final = r'"(?:[^"\\]|\\.)*+"'
BARE: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_LABEL: Final = rf"(?:[a-zA-Z_][a-zA-Z0-9_]*+|{STRING})\s*+=\s*+{STRING}"
LABELS: Final = rf"\s*+{_LABEL}(?:\s*+,\s*+{_LABEL})*+"
_SERIES: Final = rf"\s*+({BARE}|{STRING})?+\s*+(\{{(?:[^\"}}]|{STRING})*+\}})?+"


def series_of(line: str) -> tuple[str, str]:
    """The metric name and the labels (with their braces, or empty) at the beginning of a sample line."""
    match = re.match(_SERIES, line)
    name, labels = (match[1] or "", match[2] or "") if match else ("", "")
    if not name and labels:
        quoted = re.search(rf"[{{,]\s*+({STRING})\s*+[,}}]", labels)
        name = quoted[1] if quoted else ""
    if not name and not labels:
        name = line
    return unquoted(name), labels


def value_of(line: str) -> str:
    """The value of a sample line."""
    match = re.match(_SERIES, line)
    words = line[match.end() if match else 0 :].split()
    return words[0] if words else ""


def label_of(line: str, name: str) -> str:
    """The value of a label of a sample line."""
    match = re.search(rf'[{{,]\s*+"?{name}"?\s*+=\s*+({STRING})', line)
    return unquoted(match[1]) if match else ""


def unquoted(text: str) -> str:
    """What a quoted string means; anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r'\\([\\"n])', lambda match: "\n" if match[1] == "n" else match[1], text[1:-1])


__all__ = [
    "BARE",
    "LABELS",
    "QUOTE_LIMIT",
    "STRING",
    "go_quoted",
    "label_of",
    "series_of",
    "shortened",
    "unquoted",
    "value_of",
    "visible",
]
