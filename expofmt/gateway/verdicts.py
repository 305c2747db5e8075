"""What Pushgateway would answer a request that the store, or the grouping key in its path, refuses.

Its texts are kept: scripts look for them. What it would not have refused is told in our words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..catalog import OWN
from ..codes import Code
from ..diagnostics import Diagnostic, ExpositionError, Place
from ..grouping import GroupingKeyError
from ..groups import JournalError
from ..names import Names
from ..parse import read_push
from ..quoting import STRING, go_quoted, label_of, series_of, unquoted, visible
from ..source import Source
from .complaints import Declarations, complaint

__all__ = ["TEXTS", "Refusal", "Text", "refusal"]


class Refusal(NamedTuple):
    """What a request is refused with: the status, and the text, which has no line feed at its end.

    >>> Refusal(404, "404 page not found").status
    404
    """

    status: int
    text: str


def refusal(error: Exception, body: bytes = b"", *, names: Names = "legacy") -> Refusal:
    """The answer to a request for which the store, or :meth:`GroupingKey.from_path`, has raised this.

    ``body`` is what was pushed, decompressed, and ``names`` what the store takes; a push that was no text has none, and
    is told of in our words. The text is that of Pushgateway 1.11.3, which stops at the first error of a text and else
    tells all contradictions. What is in braces there, a dump of the metric, here is the line of the sample. What that
    release takes, or answers with a lost connection, is refused in our words: ``file:line:column: error[code] message``
    of the first error, and how many more there are.

    Raises TypeError for an exception that is none of these.

    >>> from expofmt import GroupingKey, GroupStore
    >>> body = b"jobs 1\\njobs{queue=mail} 2\\n"
    >>> try:
    ...     GroupStore().put(GroupingKey("batch"), body)
    ... except ExpositionError as error:
    ...     print(refusal(error, body).text)
    text format parsing error in line 2: expected '"' at start of label value, found 'm'
    """
    if isinstance(error, (GroupingKeyError, JournalError)):
        return Refusal(error.status_hint, str(error))
    if not isinstance(error, ExpositionError):
        raise TypeError(f"a {type(error).__name__} is no refusal")
    pushed = _Pushed(body, names, Declarations(body))
    text = (
        _first_of_the_parser(error, pushed)
        or _first_of_the_parser(_crowded_out(error, pushed), pushed)
        or _contradictions(error, pushed)
    )
    return Refusal(error.status_hint, text or str(error))


_BOUNDS: Final = frozenset((Code.INVALID_LE, Code.INVALID_QUANTILE))


class _Pushed(NamedTuple):
    text: bytes
    names: Names
    declarations: Declarations


def _first_of_the_parser(error: ExpositionError | None, pushed: _Pushed) -> str | None:
    for each in error.errors() if error else ():
        offence = _Offence(each, pushed)
        read = TEXTS[each.code].reading
        if read is not None and offence.line and (message := read(offence)):
            # Bounds are not looked at in families that lack lines: what stands before lacks none.
            before = pushed.text[: offence.line_start]
            earlier = None if each.code in _BOUNDS else _raised(before, pushed.names, strict=True)
            if earlier is not None and (bound := next((one for one in earlier.errors() if one.code in _BOUNDS), None)):
                return _first_of_the_parser(ExpositionError([bound]), pushed)
            return f"text format parsing error in line {each.line}: {message}"
    return None


def _crowded_out(error: ExpositionError, pushed: _Pushed) -> ExpositionError | None:
    """What is wrong with single lines, where so much else is that not all of it is told."""
    if all(each.code is not Code.TOO_MANY_DIAGNOSTICS for each in error.diagnostics):
        return None
    return _raised(pushed.text, pushed.names, strict=False)


def _raised(text: bytes, names: Names, *, strict: bool) -> ExpositionError | None:
    try:
        read_push(Source("<push>", text), names=names, strict=strict)
    except ExpositionError as error:
        return error
    return None


def _contradictions(error: ExpositionError, pushed: _Pushed) -> str | None:
    errors = list(error.errors())
    # One sample with a timestamp is enough: nothing is compared then.
    stamped = [each for each in errors if each.code is Code.EXPLICIT_TIMESTAMP]
    texts: list[str] = []
    for each in stamped[:1] or errors:
        compare = TEXTS[each.code].comparing
        if compare is not None and (text := compare(_Offence(each, pushed))):
            texts.append(text)
    if not texts:
        return None
    listed = texts[0] if len(texts) == 1 else "\n* ".join((f"{len(texts)} error(s) occurred:", *texts))
    return f"pushed metrics are invalid or inconsistent with existing metrics: {listed}"


@dataclass(frozen=True, slots=True)
class _Offence:
    """A diagnostic and the text that it is of."""

    diagnostic: Diagnostic
    pushed: _Pushed

    @property
    def line_start(self) -> int:
        span = self.diagnostic.span
        return 0 if span is None else self.pushed.text.rfind(b"\n", 0, span.start) + 1

    @property
    def line(self) -> bytes:
        """The line with its line feed; empty if the text is not at hand."""
        if self.diagnostic.span is None:
            return b""
        end = self.pushed.text.find(b"\n", self.line_start)
        return self.pushed.text[self.line_start : end + 1 or None]

    @property
    def commented(self) -> str:
        """The family that a comment speaks of: that of a name with a suffix may be another one."""
        return self.family(self.metadata(self.diagnostic.place)[0])[0]

    @property
    def comments_on_another(self) -> bool:
        """Whether this is a comment on another family than the one that it names."""
        return self.line.lstrip().startswith(b"#") and self.commented != self.metadata(self.diagnostic.place)[0]

    @property
    def dump(self) -> str:
        """The metric, as the texts have it."""
        place = self.diagnostic.place
        return f"collected metric {go_quoted(self.metadata(place)[0])} {{ {visible(place.excerpt.strip())}}}"

    def family(self, name: str) -> tuple[str, str]:
        """What samples of that name belong to in this line, and the word for its type."""
        return self.pushed.declarations.family(name, self.line_start)

    def metadata(self, place: Place) -> tuple[str, str]:
        """The name and the type of the family that a place speaks of."""
        line = re.match(rf"\s*#\s*(?:HELP|TYPE)\s+({STRING}|\S+)\s*(\S*)", place.excerpt)
        if line:
            return unquoted(line[1]), line[2].lower()
        family, type = self.family(series_of(place.excerpt)[0])
        return family, type or "untyped"


class Text(NamedTuple):
    """How the text for a code is made: of what the parser stops at, and of what contradicts something.

    Where both are ``None``, or what they give, Pushgateway would not have refused it.

    >>> TEXTS[Code.BODY_TOO_LARGE]
    Text(reading=None, comparing=None)
    """

    reading: Callable[[_Offence], str | None] | None = None
    comparing: Callable[[_Offence], str | None] | None = None


def _complaint(offence: _Offence) -> str | None:
    return complaint(offence.line, offence.family, names=offence.pushed.names)


def _bound(label: str) -> Callable[[_Offence], str | None]:
    def text(offence: _Offence) -> str | None:
        value = label_of(offence.line.decode("utf-8", "surrogateescape"), label)
        # A line that has the metric's name after its labels would be taken for one of the metric before.
        return _complaint(offence) or f"expected float as value for '{label}' label, got {go_quoted(value)}"

    return text


def _second_help(offence: _Offence) -> str:
    return f"second HELP line for metric name {go_quoted(offence.commented)}"


def _second_type(offence: _Offence) -> str | None:
    """What was there before, however, may be only what is a sample's name from now on."""
    before = offence.diagnostic.related
    if before is not None and offence.metadata(before)[0] != offence.commented:
        return None
    return f"second TYPE line for metric name {go_quoted(offence.commented)}, or TYPE reported after samples"


def _type_of_a_sample(offence: _Offence) -> str | None:
    """A comment may name the samples of a histogram: Pushgateway takes it for one on the histogram."""
    return _second_type(offence) if offence.comments_on_another and b"TYPE" in offence.line else None


def _unknown_type(offence: _Offence) -> str | None:
    is_second = offence.pushed.declarations.is_known(offence.commented, offence.line_start)
    return (is_second and _second_type(offence)) or _complaint(offence)


def _reserved_label(offence: _Offence) -> str:
    place = offence.diagnostic.place
    return f"{offence.dump} has a label with an invalid name: {unquoted(place.excerpt[slice(*place.caret)])}"


def _duplicate(offence: _Offence) -> str:
    return f"{offence.dump} was collected before with the same name and label values"


def _type_conflict(offence: _Offence) -> str | None:
    diagnostic = offence.diagnostic
    if diagnostic.related is None:
        return None
    type = offence.metadata(diagnostic.related)[1].upper()
    if diagnostic.related.filename != OWN:
        return f"{offence.dump} is not a {type}"
    name, pushed = offence.metadata(diagnostic.place)
    return f"gathered metric family {name} has type {pushed.upper()} but should have {type}"


def _suffix_collision(offence: _Offence) -> str | None:
    """Of two families of one push, that with the longer name is the newcomer here; there, it is any of them."""
    diagnostic = offence.diagnostic
    if diagnostic.related is None or offence.comments_on_another:
        return None
    new, old = offence.metadata(diagnostic.place), offence.metadata(diagnostic.related)
    if diagnostic.related.filename == diagnostic.place.filename and len(new[0]) < len(old[0]):
        new, old = old, new
    if new[0].startswith(old[0]):
        return (
            f"collected metric named {go_quoted(new[0])} collides with previously collected {old[1]} "
            f"named {go_quoted(old[0])}"
        )
    kind = "histogram" if old[0].endswith("_bucket") else "histogram or summary"
    return (
        f"collected {kind} named {go_quoted(new[0])} collides with previously collected metric "
        f"named {go_quoted(old[0])}"
    )


_READ: Final = Text(reading=_complaint)
_OURS: Final = Text()

# A text for each code that a push can be refused with.
TEXTS: Final[Mapping[Code, Text]] = {
    Code.INVALID_UTF8: _READ,
    Code.BYTE_ORDER_MARK: _READ,
    Code.CARRIAGE_RETURN: _READ,
    Code.INVALID_METRIC_NAME: _READ,
    Code.QUOTED_NAME_OUTSIDE_BRACES: _READ,
    Code.UNQUOTED_NAME_IN_BRACES: _READ,
    Code.MISSING_METRIC_NAME: _READ,
    Code.SECOND_METRIC_NAME: _READ,
    Code.EMPTY_NAME: _READ,
    Code.INVALID_LABEL_NAME: _READ,
    Code.MISSING_EQUALS: _READ,
    Code.UNQUOTED_LABEL_VALUE: _READ,
    Code.UNTERMINATED_STRING: _READ,
    Code.MISSING_COMMA: _READ,
    Code.UNCLOSED_LABELS: _READ,
    Code.MISSING_VALUE: _READ,
    Code.INVALID_VALUE: _READ,
    Code.VALUE_OUT_OF_RANGE: _READ,
    Code.INVALID_TIMESTAMP: _READ,
    Code.TIMESTAMP_OUT_OF_RANGE: _READ,
    Code.TRAILING_TEXT: _READ,
    Code.UNKNOWN_TYPE: Text(reading=_unknown_type),
    Code.DUPLICATE_LABEL: _READ,
    Code.METRIC_NAME_LABEL: _READ,
    Code.NON_LEGACY_NAME: _READ,
    Code.MISSING_FINAL_NEWLINE: _READ,
    Code.TRAILING_BLANK: _READ,
    Code.UNKNOWN_ESCAPE: _READ,
    Code.OPENMETRICS_TYPE: _READ,
    Code.INVALID_COUNT: _READ,
    Code.INVALID_LE: Text(reading=_bound("le")),
    Code.INVALID_QUANTILE: Text(reading=_bound("quantile")),
    Code.SECOND_HELP: Text(reading=_second_help),
    Code.SECOND_TYPE: Text(reading=_second_type),
    Code.TYPE_AFTER_SAMPLES: Text(reading=_second_type, comparing=_suffix_collision),
    Code.EXPLICIT_TIMESTAMP: Text(comparing=lambda offence: "pushed metrics must not have timestamps"),
    Code.RESERVED_LABEL_NAME: Text(comparing=_reserved_label),
    Code.DUPLICATE_SAMPLE: Text(comparing=_duplicate),
    Code.TYPE_CONFLICT: Text(comparing=_type_conflict),
    Code.SUFFIX_COLLISION: Text(reading=_type_of_a_sample, comparing=_suffix_collision),
    Code.INPUT_TOO_LARGE: _OURS,
    Code.DUPLICATE_BUCKET: _OURS,
    Code.UNIT_CONFLICT: _OURS,
    Code.BUCKET_BOUNDS_CONFLICT: _OURS,
    Code.BODY_TOO_LARGE: _OURS,
    Code.TOO_MANY_FAMILIES: _OURS,
    Code.TOO_MANY_SERIES: _OURS,
    Code.LABEL_VALUE_TOO_LONG: _OURS,
    Code.TOO_MANY_GROUPS: _OURS,
    Code.STORE_FULL: _OURS,
    Code.FORMAT_LOSS: _OURS,
    Code.FOREIGN_SAMPLE: _OURS,
    Code.TIMESTAMP_PRECISION: _OURS,
    Code.TRUNCATED_MESSAGE: _OURS,
    Code.MALFORMED_MESSAGE: _OURS,
    Code.PAYLOAD_MISMATCH: _OURS,
    Code.NATIVE_HISTOGRAM: _OURS,
}
