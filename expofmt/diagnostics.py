"""Faults and findings as data: where, what, how grave, and how to mend it.

Engines report offsets. This module turns them into places that a person can find; ``words.py`` says what is wrong,
and ``report.py`` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from .codes import Code, Severity
from .source import Source, Span

if TYPE_CHECKING:
    from .words import Words

# What a diagnostic keeps of each line it shows, so that it outlives an input of any size.
EXCERPT_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of an input, with the line around it; or, without a span, a canonical line of something stored.

    ``line`` and ``column`` count from 1, columns in characters (a byte that is no UTF-8 is one); ``end_column`` is
    the column after the last character. ``excerpt`` holds at most 400 bytes of the (first) line; ``caret`` is the
    part of it to mark, in characters; ``cut`` says whether the line goes on to the left and to the right of it.
    A ``binary`` input has no lines: the span says where it is, and the excerpt is what stands there as text.

    >>> place = Place.of(Source("a.prom", b"a 1\\nb x\\n"), Span(6, 7), "expected a number")
    >>> place.line, place.column, place.excerpt, place.caret
    (2, 3, 'b x', (2, 3))
    """

    filename: str
    label: str
    excerpt: str
    caret: tuple[int, int]
    cut: tuple[bool, bool] = (False, False)
    span: Span | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    binary: bool = False

    @classmethod
    def of(cls, source: Source, span: Span, label: str) -> Self:
        """The place of a span of an input."""
        line = source.line_span(span.start)
        stop = min(span.end, line.end)
        # The excerpt begins at most a third of its length before the span, so that both sides are seen.
        first = max(line.start, min(span.start - EXCERPT_BYTES // 3, line.end - EXCERPT_BYTES))
        first = source.character_start(first)
        last = source.character_start(min(first + EXCERPT_BYTES, line.end))
        before = source.text(first, min(span.start, last))
        marked = source.text(min(span.start, last), min(stop, last))
        start_line, start_column = source.position(span.start)
        end_line, end_column = source.position(span.end)
        return cls(
            filename=source.name,
            label=label,
            excerpt=before + marked + source.text(min(stop, last), last),
            caret=(len(before), len(before) + len(marked)),
            cut=(first > line.start, last < line.end),
            span=span,
            line=start_line,
            column=start_column,
            end_line=end_line,
            end_column=end_column,
        )

    @classmethod
    def canonical(cls, filename: str, text: str, label: str, span: Span | None = None) -> Self:
        """A canonical line, of something that stands in no file at hand, all of it marked.

        A span may say where it stands in a file that is not at hand: :meth:`Diagnostic.located` finds the line.
        """
        shown = text.encode()[:EXCERPT_BYTES].decode(errors="ignore")
        return cls(filename, label, shown, (0, len(shown)), (False, len(shown) < len(text)), span)

    @classmethod
    def in_binary(cls, filename: str, excerpt: tuple[str, str, str], span: Span) -> Self:
        """A place in an input that has no lines, shown as text in three parts, of which the second is marked.

        >>> Place.in_binary("a.pb", ("# TYPE ", "a", " gauge"), Span(0, 12)).where
        'a.pb, byte 0'
        """
        before, found, after = excerpt
        skipped = max(0, len(before) - EXCERPT_BYTES // 3)
        text = before[skipped:] + found + after
        shown = text[:EXCERPT_BYTES]
        while len(shown.encode("utf-8", "surrogateescape")) > EXCERPT_BYTES:
            shown = shown[:-1]
        start = min(len(before) - skipped, len(shown))
        caret = start, min(start + len(found), len(shown))
        return cls(filename, "", shown, caret, (skipped > 0, len(shown) < len(text)), span, binary=True)

    @property
    def where(self) -> str:
        """The name of the input, and the line and the column in it, or the byte, as far as they are known.

        >>> Place.of(Source("a.prom", b"a x"), Span(2, 3), "").where
        'a.prom:1:3'
        """
        if self.line is not None:
            return f"{self.filename}:{self.line}:{self.column}"
        return f"{self.filename}, byte {self.span.start}" if self.binary and self.span else self.filename

    def located(self, sources: Mapping[str, Source]) -> Self:
        """The place with lines and columns, if the span is known and the file is among the sources (by name).

        The line stays as it is shown: a sample may have got labels since it was read.

        >>> place = Place.canonical("a.prom", "x 1", "", Span(4, 9))
        >>> place.located({"a.prom": Source("a.prom", b"y 2\\n x  1\\n")}).line
        2
        """
        source = sources.get(self.filename)
        if self.span is None or source is None or self.binary:
            return self
        line, column = source.position(self.span.start)
        end_line, end_column = source.position(self.span.end)
        return replace(self, line=line, column=column, end_line=end_line, end_column=end_column)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault or finding.

    ``message`` states the offence in one line; ``help`` is a remedy to paste, or ``None``. ``place`` is where, with
    what was expected and found there in its label; ``related`` the second place of a conflict. ``str()`` is one
    line: ``file:line:column: severity[code] message``.

    >>> from expofmt import check
    >>> [diagnostic] = check("a{b=1} 2\\n", filename="x.prom")
    >>> str(diagnostic)
    'x.prom:1:5: error[unquoted-label-value] label value must be in double quotes'
    """

    code: Code
    severity: Severity
    message: str
    place: Place
    related: Place | None = None
    help: str | None = None

    @classmethod
    def at(
        cls,
        source: Source,
        code: Code,
        severity: Severity,
        span: Span,
        related: Span | None = None,
        details: Mapping[str, str] | None = None,
    ) -> Self:
        """The diagnostic for a fault in an input, in the words of its code."""
        line = source.line_span(span.start)
        low = max(line.start, span.start - 4 * EXCERPT_BYTES)
        words = _words(
            code,
            before=source.text(low, span.start),
            found=source.text(span.start, min(span.end, span.start + EXCERPT_BYTES)),
            after=source.text(min(span.end, line.end), min(line.end, span.end + EXCERPT_BYTES)),
            related=None if related is None else source.text(related.start, min(related.end, related.start + 400)),
            at_end_of_input=span.start >= len(source.data),
            details=details or {},
        )
        return cls(
            code=code,
            severity=severity,
            message=words.message,
            place=Place.of(source, span, words.label),
            related=None if related is None else Place.of(source, related, words.related_label),
            help=words.help,
        )

    @classmethod
    def of_places(
        cls, code: Code, severity: Severity, place: Place, related: Place | None, details: Mapping[str, str]
    ) -> Self:
        """The diagnostic for places that are known already, perhaps of two inputs; their labels are filled in.

        >>> places = Place.canonical("a.prom", "# TYPE a gauge", ""), Place.canonical("b.prom", "# TYPE a counter", "")
        >>> details = {"family": "a", "first": "gauge", "second": "counter", "first_input": "a.prom"}
        >>> diagnostic = Diagnostic.of_places(Code.TYPE_CONFLICT, Severity.ERROR, places[1], places[0], details)
        >>> str(diagnostic), diagnostic.related.label
        ('b.prom: error[type-conflict] metric family `a` has two types', 'gauge in `a.prom`')
        """
        start, end = place.caret
        words = _words(
            code,
            before=place.excerpt[:start],
            found=place.excerpt[start:end],
            after=place.excerpt[end:],
            related=None if related is None else related.excerpt[slice(*related.caret)],
            details=details,
        )
        return cls(
            code=code,
            severity=severity,
            message=words.message,
            place=replace(place, label=words.label),
            related=None if related is None else replace(related, label=words.related_label),
            help=words.help,
        )

    def located(self, sources: Mapping[str, Source]) -> Self:
        """The same with lines and columns, for what was found in expositions whose text is not at hand.

        :func:`expofmt.merge` sees samples, with the span of each, but no files; whoever has them gives them here, by
        name.

        >>> from expofmt import ConsistencyError, merge, parse
        >>> files = {name: Source(name, b"a 1\\n") for name in ("x.prom", "y.prom")}
        >>> try:
        ...     merge(*(parse(file.data, filename=name) for name, file in files.items()))
        ... except ConsistencyError as error:
        ...     print(error.diagnostics[0].located(files))
        y.prom:1:1: error[duplicate-sample] two inputs hold `a`
        """
        return replace(
            self,
            place=self.place.located(sources),
            related=None if self.related is None else self.related.located(sources),
        )

    @property
    def filename(self) -> str:
        """The input's name."""
        return self.place.filename

    @property
    def span(self) -> Span | None:
        """The bytes concerned; ``None`` for what stands in no input."""
        return self.place.span

    @property
    def line(self) -> int | None:
        """The line, from 1."""
        return self.place.line

    @property
    def column(self) -> int | None:
        """The column, from 1, in characters."""
        return self.place.column

    @property
    def end_line(self) -> int | None:
        """The line in which the span ends."""
        return self.place.end_line

    @property
    def end_column(self) -> int | None:
        """The column after the span's last character."""
        return self.place.end_column

    def __str__(self) -> str:
        return f"{self.place.where}: {self.severity}[{self.code}] {self.message}"


def _words(code: Code, **context: Any) -> Words:
    # Loaded when there is something to say: most inputs are in order.
    from .words import Context, describe

    return describe(code, Context(**context))


class ExpositionError(ValueError):
    """Input or families that expofmt refuses, with every diagnostic, errors and warnings, in order of place.

    ``status_hint`` is the HTTP status a server would answer with. Nothing else is raised for bad content.

    >>> from expofmt import parse
    >>> try:
    ...     parse("a 1 2 3\\n")
    ... except ExpositionError as error:
    ...     print(error.diagnostics[0].code, error.status_hint)
    trailing-text 400
    """

    status_hint = 400

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._diagnostics: Iterable[Diagnostic] = tuple(diagnostics)
        super().__init__(self._diagnostics)

    @classmethod
    def _unwritten(cls, diagnostics: Iterable[Diagnostic]) -> Self:
        """An error whose diagnostics are written when somebody asks for them: a thousand take long.

        They are iterated over again and again, and are the same each time. They may hold their input, and so does the
        error, until all are written: what is raised to who may keep it, is :meth:`_written` first.
        """
        error = cls(())
        error._diagnostics = diagnostics
        return error

    def _written(self) -> tuple[Diagnostic, ...]:
        """All diagnostics, which are written then."""
        if not isinstance(self._diagnostics, tuple):
            self._diagnostics = tuple(self._diagnostics)
            self.args = (self._diagnostics,)
        return self._diagnostics

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics, errors and warnings, in order of place. Safe to ask for from many threads.

        >>> ExpositionError(()).diagnostics
        ()
        """
        return self._written()

    def errors(self) -> Iterator[Diagnostic]:
        """The diagnostics that are errors, in order of place. Those of :meth:`expofmt.GroupStore.submit` are made each
        when it is its turn: whoever needs but the first does not wait for all.

        >>> from expofmt import parse
        >>> try:
        ...     exposition = parse("a x\\nb y\\n")
        ... except ExpositionError as error:
        ...     print(next(error.errors()))
        <exposition>:1:3: error[invalid-value] value is not a number
        """
        return (each for each in self._diagnostics if each.severity is Severity.ERROR)

    def __str__(self) -> str:
        errors = [*self.errors()]
        first = next(map(str, errors or self.diagnostics), "no diagnostics")
        more = len(errors) - 1
        return first if more < 1 else f"{first} (and {more} more error{'' if more == 1 else 's'})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.diagnostics!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class ParseError(ExpositionError):
    """The text breaks the grammar.

    >>> issubclass(ParseError, ValueError)
    True
    """


class ConsistencyError(ExpositionError):
    """The text is well-formed, but its lines, or several inputs, contradict each other.

    >>> issubclass(ConsistencyError, ExpositionError)
    True
    """


class RejectedPushError(ConsistencyError):
    """A push could be read, and contradicts itself or what a store holds; its group remembers the failure.

    >>> issubclass(RejectedPushError, ConsistencyError)
    True
    """


# The HTTP status for each limit; the store itself being full is nothing that the push could change.
_LIMIT_STATUSES: Final = {Code.BODY_TOO_LARGE: 413, Code.TOO_MANY_GROUPS: 429, Code.STORE_FULL: 429}


class LimitError(ExpositionError):
    """A push is too large, or the store has no room for it; nothing of it is stored.

    ``status_hint`` is 413 for a body that is too large, 429 where the store is full, and 422 for what is in the body.

    >>> issubclass(LimitError, ExpositionError)
    True
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.status_hint = _LIMIT_STATUSES.get(self.diagnostics[0].code, 422)


__all__ = [
    "Code",
    "ConsistencyError",
    "Diagnostic",
    "ExpositionError",
    "LimitError",
    "ParseError",
    "Place",
    "RejectedPushError",
    "Severity",
]
