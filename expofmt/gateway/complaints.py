"""What Pushgateway's parser says of a line that it refuses.

That parser reads byte after byte and gives up at the first one that it cannot place. Its message depends on how far it
has got, and not on what is wrong, so that no fault of ours tells it: the line is read as the parser reads it. Only a
line that was found wanting already is read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from ..names import Names, is_legacy_label_name, is_legacy_metric_name, quote
from ..quoting import go_quoted
from ..values import parse_float, parse_timestamp_ms

__all__ = ["Declarations", "complaint"]

# Bare names. A quoted part may follow, and stand alone.
_METRIC: Final = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_LABEL: Final = rb"[a-zA-Z_][a-zA-Z0-9_]*+"

_STRING: Final = rb'(?:[^"\\\n]|\\[\\n"])*+'
_HELP: Final = rb'(?:[^\\\n]|\\[\\n"])*+'
_WORD: Final = rb"[^ \t\n]*+"
_BLANKS: Final = rb"[ \t]*+"
_REST: Final = rb"[^\n]*+"
_SPELT: Final = rb'("(?:[^"\\\n]|\\.)*+"|[^ \t\n{]++)'
_TYPE_LINE: Final = rb"^[ \t]*+#[ \t]*+TYPE[ \t]++" + _SPELT + rb"[ \t]++([^ \t\n]++)"
_SAMPLE_LINE: Final = rb"^[ \t]*+(?!#)" + _SPELT + rb"[ \t{]"

_TYPES: Final = frozenset("counter gauge summary untyped histogram gaugehistogram gauge_histogram".split())
_HISTOGRAMS: Final = frozenset(("histogram", "gaugehistogram", "gauge_histogram"))
_SUFFIXES: Final = {"_bucket": _HISTOGRAMS, "_sum": {*_HISTOGRAMS, "summary"}, "_count": {*_HISTOGRAMS, "summary"}}

_END: Final = "unexpected end of input stream"


class _ComplaintError(Exception):
    """The parser gives up; the message is what it says."""


def complaint(line: bytes, family: Callable[[str], tuple[str, str]], *, names: Names = "legacy") -> str | None:
    """The message of Pushgateway's parser for a line, less the prefix with its number; ``None`` if it takes the line.

    ``line`` has its line feed, unless the text ends without; ``family`` is asked as :meth:`Declarations.family`. What a
    line says of a family that was spoken of before (a second HELP) is not looked at. Not followed is the newest release
    where it takes labels without a metric name for those of the line before.

    Pushgateway 1.11.3.

    >>> family = Declarations(b"# TYPE h histogram\\n").family
    >>> complaint(b"a{b=1} 2\\n", family)
    'expected \\'"\\' at start of label value, found \\'1\\''
    >>> complaint(b'h_bucket{le="x"} 2\\n', family)
    'expected float as value for \\'le\\' label, got "x"'
    """
    try:
        _Line(line, family, names).read()
    except _ComplaintError as error:
        return str(error)
    return None


class Declarations:
    """The types that a text declares, and where it does: what lines mean depends on those before them.

    The text is gone through when a question is asked that needs it, and not again for each.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        # Where each was first given, by the name as it is spelt.
        self._types: dict[bytes, tuple[int, str]] | None = None
        self._samples: dict[bytes, int] | None = None

    def family(self, name: str, end: int | None = None) -> tuple[str, str]:
        """The family that a sample of that name belongs to, and the word that declared its type before an offset, or
        ``""``.

        >>> declarations = Declarations(b"# TYPE h histogram\\n")
        >>> declarations.family("h_sum"), declarations.family("h_sum", 0)
        (('h', 'histogram'), ('h_sum', ''))
        """
        if type := self._type(name, end):
            return name, type
        for suffix, types in _SUFFIXES.items():
            base = name.removesuffix(suffix)
            if base and base != name and (type := self._type(base, end)) in types:
                return base, type
        return name, ""

    def is_known(self, name: str, end: int) -> bool:
        """Whether, before an offset, a type is declared for the family, or a sample of that very name given.

        >>> Declarations(b"a 1\\n# TYPE a gauge\\n").is_known("a", 4)
        True
        """
        if self._type(name, end):
            return True
        if self._samples is None:
            self._samples = {}
            for line in re.finditer(_SAMPLE_LINE, self.text, re.MULTILINE):
                self._samples.setdefault(line[1], line.start())
        return any(self._samples.get(spelt, end) < end for spelt in _spelt(name))

    def _type(self, name: str, end: int | None) -> str:
        if self._types is None:
            self._types = {}
            for line in re.finditer(_TYPE_LINE, self.text, re.MULTILINE):
                self._types.setdefault(line[1], (line.start(), _text(line[2]).lower()))
        found = [self._types[spelt] for spelt in _spelt(name) if spelt in self._types]
        start, type = min(found, default=(0, ""))
        return type if end is None or start < end else ""


def _spelt(name: str) -> set[bytes]:
    return {each.encode("utf-8", "surrogateescape") for each in (name, quote(name))}


class _Line:
    """A line, and how far it has been read."""

    def __init__(self, data: bytes, declared: Callable[[str], tuple[str, str]], names: Names) -> None:
        self.data = data
        self.at = 0
        self.declared = declared
        self.names = names
        # The family that the line speaks of, once it is known, and its type.
        self.family = self.type = ""

    # -------------------------------------------------------------------------------------------------------- tokens

    def next(self) -> str:
        """The next byte, as the character with its number; it is not taken."""
        if self.at >= len(self.data):
            raise _ComplaintError(_END)
        return chr(self.data[self.at])

    def take(self, pattern: bytes) -> bytes:
        match = re.compile(pattern).match(self.data, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else b""

    def word(self) -> str:
        """What stands before the next blank or line feed, one of which there must be."""
        self.take(_BLANKS)
        word = self.take(_WORD)
        self.next()
        return _text(word)

    def rest(self) -> str:
        """What stands before the line feed, which there must be; backslashes are lost, whatever follows them."""
        rest = self.take(_REST)
        self.next()
        return _text(rest.replace(b"\\", b""))

    def quoted(self, what: str, bare: str = "") -> str:
        """What a string says, after its bare part; the quotation mark before it has been taken."""
        string = re.sub(rb"\\(.)", lambda match: b"\n" if match[1] == b"n" else match[1], self.take(_STRING))
        text = bare + _text(string)
        if self.next() == "\n":
            raise _ComplaintError(f"{what} {go_quoted(text)} contains unescaped new-line")
        self.no_escape()
        self.at += 1
        return text

    def no_escape(self) -> None:
        if self.next() == "\\":
            self.at += 1
            raise _ComplaintError(f"invalid escape sequence '\\{self.next()}'")

    def name(self, what: str, bare: bytes) -> str | None:
        """A name of any of its spellings; ``None`` where none can begin."""
        start = self.at
        name = _text(self.take(bare))
        if self.take(b'"'):
            name = self.quoted(what, name)
        return name if self.at > start else None

    # --------------------------------------------------------------------------------------------------------- lines

    def read(self) -> None:
        self.take(_BLANKS)
        if self.at == len(self.data) or self.next() == "\n":
            return
        if self.take(b"#"):
            self.comment()
        else:
            self.sample()

    def comment(self) -> None:
        keyword = self.word()
        self.take(_BLANKS)
        if keyword not in ("HELP", "TYPE") or self.next() == "\n":
            self.rest()
            return
        name = self.name("metric name", _METRIC)
        if name is None or self.next() not in " \t\n":
            raise _ComplaintError("invalid metric name in comment")
        if self.next() == "\n":
            return
        self.check_metric(name)
        self.take(_BLANKS)
        if self.next() == "\n":
            return
        if keyword == "HELP":
            self.take(_HELP)
            self.no_escape()
        else:
            type = self.rest()
            if type.lower() not in _TYPES:
                raise _ComplaintError(f"unknown metric type {go_quoted(type)}")

    def sample(self) -> None:
        name = self.name("metric name", _METRIC)
        first = self.next()
        if name == "" or (name is None and first != "{"):
            raise _ComplaintError("invalid metric name")
        if name:
            self.set_metric(name)
        self.take(_BLANKS)
        labels = self.labels(name) if self.take(rb"\{[ \t]*+") else {}
        self.value(name or labels.pop("", ""), labels)

    def labels(self, name: str | None) -> dict[str, str]:
        """The labels, and where the line begins with them, the name of the metric under ``""``."""
        labels: dict[str, str] = {}
        while not self.take(rb"\}"):
            label = self.name("label name", _LABEL) or ""
            self.take(_BLANKS)
            if self.next() and not label:
                raise _ComplaintError(f"invalid label name for metric {go_quoted(self.family)}")
            if self.next() == "=":
                self.at += 1
                labels[label] = self.label_value(label, labels)
            elif name:
                raise _ComplaintError(f"expected '=' after label name, found {self.found()}")
            elif "" in labels:
                raise _ComplaintError(f"multiple metric names for metric {go_quoted(self.family)}")
            elif self.next() in ",}":
                self.set_metric(label)
                labels[""] = label
            else:
                raise _ComplaintError(f"unexpected end of metric name {self.found()}")
            self.take(_BLANKS)
            if self.next() not in ",}":
                raise _ComplaintError(f"unexpected end of label value {go_quoted(labels[label])}")
            self.take(rb",[ \t]*+")
        if not name and "" not in labels:
            raise _ComplaintError("invalid metric name")
        return labels

    def label_value(self, label: str, labels: dict[str, str]) -> str:
        is_bound = label == ("le" if self.type in _HISTOGRAMS else "quantile" if self.type == "summary" else None)
        if label == "__name__":
            raise _ComplaintError('label name "__name__" is reserved')
        if not (is_legacy_label_name(label) if self.names == "legacy" else _is_utf8(label)):
            raise _ComplaintError(f"invalid label name {go_quoted(label)}")
        if label in labels and not is_bound:
            raise _ComplaintError(f"duplicate label names for metric {go_quoted(self.family)}")
        self.take(_BLANKS)
        if self.next() != '"':
            raise _ComplaintError(f"expected '\"' at start of label value, found {self.found()}")
        self.at += 1
        value = self.quoted("label value")
        if not _is_utf8(value):
            raise _ComplaintError(f"invalid label value {go_quoted(value)}")
        if is_bound and _number(value) is None:
            raise _ComplaintError(f"expected float as value for '{label}' label, got {go_quoted(value)}")
        return value

    def value(self, name: str, labels: dict[str, str]) -> None:
        text = self.word()
        value = _number(text)
        if value is None:
            raise _ComplaintError(f"expected float as value, got {go_quoted(text)}")
        if value < 0 and self.type in _HISTOGRAMS:
            if name == f"{self.family}_count":
                raise _ComplaintError(f"negative count for histogram {go_quoted(self.family)}")
            if name != f"{self.family}_sum" and not math.isnan(parse_float(labels.get("le", "NaN"))):
                raise _ComplaintError(f"negative bucket population for histogram {go_quoted(self.family)}")
        if self.next() == "\n":
            return
        text = self.word()
        try:
            parse_timestamp_ms(text)
        except (ValueError, OverflowError):
            raise _ComplaintError(f"expected integer as timestamp, got {go_quoted(text)}") from None
        if rest := self.rest():
            raise _ComplaintError(f"spurious string after timestamp: {go_quoted(rest)}")

    def set_metric(self, name: str) -> None:
        self.check_metric(name)
        self.family, self.type = self.declared(name)

    def check_metric(self, name: str) -> None:
        if not (is_legacy_metric_name(name) if self.names == "legacy" else name and _is_utf8(name)):
            raise _ComplaintError(f"invalid metric name {go_quoted(name)}")

    def found(self) -> str:
        """The next byte as Go quotes a character."""
        character = self.next()
        return {"'": r"'\''", '"': "'\"'"}.get(character) or f"'{go_quoted(character)[1:-1]}'"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


def _number(text: str) -> float | None:
    try:
        return parse_float(text)
    except (ValueError, OverflowError):
        return None
