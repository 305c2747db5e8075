"""Diagnostics as text: for people (full, concise), for programs (json) and for GitHub's annotations (github)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple

from .codes import Severity
from .diagnostics import Diagnostic, Place
from .quoting import visible


class ReportFormat(StrEnum):
    """How a report is written.

    >>> ReportFormat("concise")
    <ReportFormat.CONCISE: 'concise'>
    """

    FULL = "full"
    CONCISE = "concise"
    JSON = "json"
    GITHUB = "github"


class Style(NamedTuple):
    """What a report may assume of its reader: columns, if they are limited, and whether colours are shown.

    >>> Style(width=80).color
    False
    """

    width: int | None = None
    color: bool = False


def report(
    diagnostics: Iterable[Diagnostic],
    /,
    format: ReportFormat | str = ReportFormat.FULL,
    *,
    width: int | None = None,
    color: bool = False,
) -> Iterator[str]:
    """The report in pieces, each of whole lines, in the order of the diagnostics.

    Pieces come as the diagnostics do, so that a long run can be watched. ``width`` is the number of columns that the
    reader's terminal has: only ``full`` looks at it, cutting long lines of input around the caret; ``None`` cuts
    nothing. ``color`` adds ANSI sequences to ``full`` and ``concise``.

    Of no diagnostics, ``json`` makes an empty list and the others nothing at all.

    >>> from expofmt import check
    >>> print(*report(check('jobs{code=200,zone="a"} 1027\\n', filename="push.prom")), sep="", end="")
    error[unquoted-label-value]: label value must be in double quotes
     --> push.prom:1:11
      |
    1 | jobs{code=200,zone="a"} 1027
      |           ^^^ expected `"`, found `2`
      |
      = help: write `code="200"`
    <BLANKLINE>
    """
    return _RENDERERS[ReportFormat(format)](diagnostics, Style(width, color))


def excerpt(place: Place, /, *, width: int | None = None, color: bool = False) -> str:
    """Where a place is, and its line with carets below, as ``full`` shows them, for what others have found there.

    >>> from expofmt import Place, Span
    >>> from expofmt.source import Source
    >>> print(excerpt(Place.of(Source("a.prom", b"a 1\\nb x\\n"), Span(6, 7), "no number")), end="")
     --> a.prom:2:3
      |
    2 | b x
      |   ^ no number
    """
    style = Style(width, color)
    gutter = len(str(place.line or "")) or 1
    lines = _excerpt(place, [(place, Severity.ERROR)], gutter, style)
    return "\n".join([f"{' ' * gutter}{_edge('-->', style)} {_where(place)}", *lines, ""])


# The formats, one function each.


def _full(diagnostics: Iterable[Diagnostic], style: Style) -> Iterator[str]:
    for diagnostic in diagnostics:
        yield "\n".join(_full_lines(diagnostic, style)) + "\n\n"


def _concise(diagnostics: Iterable[Diagnostic], style: Style) -> Iterator[str]:
    for diagnostic in diagnostics:
        severity = _painted(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity, style)
        yield f"{_where(diagnostic.place)}: {severity} {diagnostic.message}\n"


def _json(diagnostics: Iterable[Diagnostic], _style: Style) -> Iterator[str]:
    before = "[\n  "
    for diagnostic in diagnostics:
        yield before + json.dumps(_json_object(diagnostic))
        before = ",\n  "
    yield "[]\n" if before == "[\n  " else "\n]\n"


def _json_object(diagnostic: Diagnostic) -> dict[str, object]:
    record: dict[str, object] = {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_json_place(diagnostic.place),
        "help": diagnostic.help,
    }
    if diagnostic.related:
        record["related"] = {**_json_place(diagnostic.related), "label": diagnostic.related.label}
    return record


def _json_place(place: Place) -> dict[str, object]:
    record = {name: getattr(place, name) for name in ("filename", "line", "column", "end_line", "end_column")}
    if place.binary and place.span is not None:
        record |= {"byte": place.span.start, "end_byte": place.span.end}
    return record


def _github(diagnostics: Iterable[Diagnostic], _style: Style) -> Iterator[str]:
    for diagnostic in diagnostics:
        place = diagnostic.place
        properties: dict[str, object] = {"file": place.filename}
        if place.line is not None:
            properties |= {
                "line": place.line,
                "col": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            }
        properties["title"] = diagnostic.code
        text = [f"{diagnostic.message}: {place.label}" if place.label else diagnostic.message]
        if diagnostic.related:
            text.append(f"{_where(diagnostic.related)}: {diagnostic.related.label}")
        if diagnostic.help:
            text.append(f"help: {diagnostic.help}")
        shown = ",".join(f"{name}={_github_property(str(value))}" for name, value in properties.items())
        yield f"::{_GITHUB_COMMANDS[diagnostic.severity]} {shown}::{_github_data(chr(10).join(text))}\n"


_GITHUB_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


_RENDERERS: Final[Mapping[ReportFormat, Callable[[Iterable[Diagnostic], Style], Iterator[str]]]] = {
    ReportFormat.FULL: _full,
    ReportFormat.CONCISE: _concise,
    ReportFormat.JSON: _json,
    ReportFormat.GITHUB: _github,
}


# Excerpts and carets.


def _full_lines(diagnostic: Diagnostic, style: Style) -> Iterator[str]:
    place, related = diagnostic.place, diagnostic.related
    head = _painted(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity, style)
    yield head + _painted(f": {diagnostic.message}", None, style)
    gutter = max(len(str(p.line or "")) for p in (place, related or place)) or 1
    yield f"{' ' * gutter}{_edge('-->', style)} {_where(place)}"
    if related and related.filename == place.filename and related.line is not None:
        # In one file, places stand in its order, and the arrow above names the one that is wrong.
        if _same_line(place, related):
            yield from _excerpt(related, [(place, diagnostic.severity), (related, None)], gutter, style)
        else:
            marked = [(place, diagnostic.severity), (related, None)]
            for each, severity in sorted(marked, key=lambda pair: (pair[0].line or 0, pair[0].column or 0)):
                yield from _excerpt(each, [(each, severity)], gutter, style)
    else:
        yield from _excerpt(place, [(place, diagnostic.severity)], gutter, style)
        if related:
            yield f"{' ' * gutter}{_edge(':::', style)} {_where(related)}"
            yield from _excerpt(related, [(related, None)], gutter, style)
    if diagnostic.help:
        yield f"{' ' * gutter} {_edge('|', style)}"
        yield f"{' ' * gutter} {_edge('=', style)} help: {diagnostic.help}"


def _where(place: Place) -> str:
    return replace(place, filename=visible(place.filename)).where


def _same_line(place: Place, related: Place) -> bool:
    return place.line == related.line and (place.excerpt, place.cut) == (related.excerpt, related.cut)


def _excerpt(shown: Place, marked: list[tuple[Place, Severity | None]], gutter: int, style: Style) -> Iterator[str]:
    """The line of input, and a row of carets for each place marked in it; nothing where there is nothing to show."""
    if not shown.excerpt and (shown.line is None or not shown.label):
        return
    columns = None if style.width is None else max(style.width - gutter - 3, 20)
    drawing = _Drawing(shown, [place.caret for place, _ in marked], columns)
    edge = _edge("|", style)
    yield f"{' ' * gutter} {edge}"
    number = _edge(f"{'' if shown.line is None else shown.line:>{gutter}}", style)
    yield f"{number} {edge} {drawing.text}".rstrip()
    for place, severity in marked:
        start, end = drawing.columns(place.caret)
        paint = _RELATED if severity is None else severity
        carets, label = _painted("^" * (end - start), paint, style), _painted(place.label, paint, style)
        if not place.label or columns is None or end + 1 + len(place.label) <= columns:
            yield f"{' ' * gutter} {edge} {' ' * start}{carets} {label}".rstrip()
        else:
            indent = max(0, min(start, columns - len(place.label)))
            yield f"{' ' * gutter} {edge} {' ' * start}{carets}"
            yield f"{' ' * gutter} {edge} {' ' * indent}{label}"


class _Drawing:
    """A line of input as a terminal shows it, and which columns its characters take there.

    ``cells`` are the characters as they are shown, ``edges[i]`` the column where the i-th begins; ``first`` to
    ``last`` are those that fit. Columns are those of the text with its ellipses.
    """

    def __init__(self, place: Place, carets: list[tuple[int, int]], columns: int | None) -> None:
        self.cells: list[str] = []
        self.edges = [0]
        for character in place.excerpt:
            cell, width = _cell(character, self.edges[-1])
            self.cells.append(cell)
            self.edges.append(self.edges[-1] + width)
        self.first, self.last = 0, len(self.cells)
        if columns is not None and self.edges[-1] + sum(place.cut) > columns:
            self._fit(min(start for start, _ in carets), columns)
        self.cut_left = self.first > 0 or place.cut[0]
        cut_right = self.last < len(self.cells) or place.cut[1]
        self.text = "…" * self.cut_left + "".join(self.cells[self.first : self.last]) + "…" * cut_right

    def _fit(self, caret: int, columns: int) -> None:
        """Choose what fits around the caret: it stands at a third of the width, unless an end of the line is near."""
        room = columns - 2  # for an ellipsis at each end
        begin = max(0, min(self.edges[caret] - room // 3, self.edges[-1] - room))
        # Characters of no width go with the one before them.
        self.first = next(i for i, edge in enumerate(self.edges) if edge >= begin)
        while self.first < len(self.cells) and self.edges[self.first] == self.edges[self.first + 1]:
            self.first += 1
        end = self.edges[self.first] + room
        self.last = max(i for i, edge in enumerate(self.edges) if edge <= end)

    def columns(self, caret: tuple[int, int]) -> tuple[int, int]:
        """From which column to which the carets run: at least one."""
        start, end = (min(max(i, self.first), self.last) for i in caret)
        if caret[0] < caret[1] and self.edges[start] == self.edges[end] and start > self.first:
            # Nothing but marks on the character before: point at that one.
            start = max(i for i in range(self.first, start) if self.edges[i] < self.edges[start])
        shift = self.cut_left - self.edges[self.first]
        return self.edges[start] + shift, max(self.edges[end], self.edges[start] + 1) + shift


_TAB: Final = 4


def _cell(character: str, column: int) -> tuple[str, int]:
    """How a character is shown in a certain column, and how many columns it takes."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        width = _TAB - column % _TAB
        return " " * width, width
    if character < " " or character == "\x7f":
        return chr(0x2400 + min(ord(character), 0x21)), 1  # its picture: U+2400 for NUL, U+2421 for DEL
    if "\udc80" <= character <= "\udcff":
        return "\ufffd", 1
    if not character.isprintable():
        shown = visible(character)
        return shown, len(shown)
    if unicodedata.category(character) in ("Mn", "Me"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


_RELATED: Final = Severity.INFO
_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}


def _painted(text: str, severity: Severity | None, style: Style) -> str:
    """The text in bold, in the colour of the severity."""
    if not style.color:
        return text
    from click import style as paint

    return paint(text, fg=severity and _COLORS[severity], bold=True)


def _edge(text: str, style: Style) -> str:
    return _painted(text, _RELATED, style)


__all__ = ["ReportFormat", "Style", "excerpt", "report"]
