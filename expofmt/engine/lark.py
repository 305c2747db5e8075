"""The Lark engine: the grammar, executed.

``grammar/text.lark`` describes a line at two levels, and this engine uses both. The coarse rules, compiled to one
pattern, cut a whole line into its parts; where a line fits none of them, the fine rules are run on it token by token,
to find the first place where it can no longer become a valid line, and what was expected there. This module is what
the grammar leaves to its reader: names, numbers, and which sample belongs to which family.

Input is decoded as latin-1, so that an index into the text is a byte offset; what leaves the engine is Unicode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import isinf
from typing import Final, NamedTuple

from ..codes import Code, verdict
from ..formats import Format
from ..model import TEXT_SUFFIXES, MetricFamily, MetricType
from ..names import is_legacy_label_name, is_legacy_metric_name
from ..source import Span
from ..values import INT64_MAX, INT64_MIN
from .columns import BACKSLASH, Columns, LarkSamples, pack, unescape
from .encoder import encode, encode_exact
from .gather import Gathered, SeriesIndex
from .grammar import Group, text_grammar
from .seam import Fault, Scan, ScannedFamily

__all__ = [
    "Gathered",
    "SeriesIndex",
    "assemble",
    "encode",
    "encode_exact",
    "encode_plain",
    "pack",
    "scan",
    "suspects",
]

_BOM: Final = "\xef\xbb\xbf"
_NS_PER_MS: Final = 1_000_000
# What the native engine can take, whose offsets are 32 bits wide.
_MOST_BYTES: Final = 2**32 - 1
# A float64 holds every integer up to here, and none of more digits than this.
_EXACT_INTEGERS: Final = 2.0**53
_MOST_DIGITS: Final = 309

# What a type word means: the type, and the suffixes of its samples. They are looked up by the word, because the hash of
# an enum's member is computed in Python.
_ALL_TYPES: Final = {
    word: (type, TEXT_SUFFIXES.get(type, ()))
    for word, type in [
        ("untyped", MetricType.UNKNOWN),
        ("gauge_histogram", MetricType.GAUGEHISTOGRAM),
        *((str(member), member) for member in MetricType),
    ]
}
_TEXT_TYPES: Final = {word: _ALL_TYPES[word] for word in ("counter", "gauge", "histogram", "summary", "untyped")}

_COUNTS: Final = ("_bucket", "_count", "_gcount")
_SUFFIXES: Final = tuple(dict.fromkeys(suffix for suffixes in TEXT_SUFFIXES.values() for suffix in suffixes))

# What is no unknown escape, and then one: a backslash and the character after it, which in latin-1 may take several.
_UNKNOWN_ESCAPE: Final = re.compile(r'(?:[^\\]++|\\[\\"n])*+(?:(\\(?:[\xc0-\xf7][\x80-\xbf]{1,3}|.|\Z))|\Z)')


def scan(
    data: bytes, dialect: Format, /, *, recover: bool = True, comments: bool = False, max_faults: int = 1000
) -> Scan:
    """Read an exposition into families.

    >>> scan(b"a 1\\n", Format.TEXT).families[0].name
    'a'
    """
    if dialect is not Format.TEXT:
        raise ValueError(f"the Lark engine has no grammar for {dialect}")
    if len(data) > _MOST_BYTES:
        return Scan([], [Fault(Code.INPUT_TOO_LARGE, 0, 0)], [], {})
    return _Scanner(data, recover=recover, comments=comments, max_faults=max_faults).run()


def suspects(
    families: Sequence[ScannedFamily],
    /,
    *,
    timed: bool = False,  # noqa: ARG001 - the signature is the seam's
) -> Iterable[int]:
    """Any of them: to look is as dear as to ask.

    >>> [*suspects(scan(b"b 1\\na 1\\n", Format.TEXT).families)]
    [0, 1]
    """
    return range(len(families))


def encode_plain(
    families: Collection[MetricFamily] | Collection[ScannedFamily],  # noqa: ARG001 - the signature is the seam's
    /,
) -> bytes | None:
    """Nothing: to look is as dear as to look closer.

    >>> encode_plain([])
    """
    return None


def assemble(families: Sequence[ScannedFamily], /) -> dict[str, MetricFamily]:
    """The families by name, in the order given.

    >>> list(assemble(scan(b"b 1\\na 1\\n", Format.TEXT).families))
    ['b', 'a']
    """
    return {
        scanned.name: MetricFamily._of(scanned.name, scanned.type, scanned.help, scanned.unit, scanned.samples)
        for scanned in families
    }


class _Family:
    """A family while it is being read; the spans are those of its name, on its metadata lines and in its samples."""

    type = MetricType.UNKNOWN
    suffixes: tuple[str, ...] = ()
    help: str | None = None
    complete = True
    help_name: tuple[int, int] | None = None
    type_name: tuple[int, int] | None = None
    first_name: tuple[int, int] | None = None
    last_name: tuple[int, int] | None = None

    def __init__(self, name: str, start: int, mention: tuple[int, int]) -> None:
        self.name = name
        self.columns = Columns()
        self.start = self.end = start
        # Where it is named first.
        self.mention = mention


# Where the samples of a name go: the family, the name (one string for all), and what their values must be: a count, or
# even a whole one.
_Target = tuple[_Family, str, bool, bool]


class _Item(NamedTuple):
    """A label as written, or, without a value, the quoted name of a sample."""

    name: str
    start: int
    value: str | None
    value_start: int


class _Stop(Exception):  # noqa: N818 - it is no error, but an early return
    """The first fatal fault, and nobody wants to hear of a second one."""


class _Scanner:
    """One pass over one input."""

    def __init__(self, data: bytes, *, recover: bool, comments: bool, max_faults: int) -> None:
        self.text = data.decode("latin-1")
        self.utf8 = data.isascii() or _malformed(self.text) is None
        self.grammar = text_grammar()
        self.recover = recover
        self.wants_comments = comments
        self.max_faults = max_faults
        self.families: dict[str, _Family] = {}
        self.targets: dict[str, _Target] = {}
        self.has_suffixes = False
        # Label sets without any fault, from what is written to what is meant.
        self.label_sets: dict[str, str] = {}
        self.current: _Family | None = None
        self.comments: list[Span] = []
        self.faults: list[Fault] = []
        self.fault_counts: dict[Code, int] = {}
        self.refused_lines = 0

    def run(self) -> Scan:
        start, end = 0, len(self.text)
        try:
            if self.text.startswith(_BOM):
                start = len(_BOM)
                self.fault(Code.BYTE_ORDER_MARK, 0, start)
            for match in self.grammar.line.finditer(self.text, start):
                kind = match.lastindex
                if kind is not None:
                    _READERS[kind](self, match, kind)
            if start < end and self.text[-1] != "\n":
                self.fault(Code.MISSING_FINAL_NEWLINE, end, end)
        except _Stop:
            pass
        return Scan(
            [self.finished(family) for family in self.families.values()],
            sorted(self.faults, key=lambda fault: (fault.start, fault.end)),
            self.comments,
            self.suppressed(),
        )

    def suppressed(self) -> dict[str, int]:
        found = {str(code): n - self.max_faults for code, n in self.fault_counts.items() if n > self.max_faults}
        if self.refused_lines > self.max_faults:
            found[Code.TOO_MANY_DIAGNOSTICS] = self.refused_lines - self.max_faults
        return found

    def finished(self, family: _Family) -> ScannedFamily:
        spans = family.columns.spans
        end = spans[-1] if spans and spans[-1] > family.end else family.end
        samples = LarkSamples(family.columns)
        return ScannedFamily(family.name, family.type, family.help, None, samples, family.start, end, family.complete)

    def fault(self, code: Code, start: int, end: int, related: tuple[int, int] | None = None) -> None:
        count = self.fault_counts[code] = self.fault_counts.get(code, 0) + 1
        if count <= self.max_faults:
            self.faults.append(Fault(code, start, end, *(related or (-1, -1))))
        if not self.recover and verdict(code).fatal:
            raise _Stop

    # --------------------------------------------------------------------------------------------------- lines

    def comment(self, match: re.Match[str], last: int) -> None:
        if not self.wants_comments:
            return
        start, end = match.span(last)
        if self.comments and not self.text[self.comments[-1].end : start].strip(" \t\r\n"):
            start = self.comments.pop().start
        self.comments.append(Span(start, end))

    def refuse(self, match: re.Match[str], last: int) -> None:
        start, end = match.span(last)
        if self.text.endswith("\r", start, end) and match.end() > end:
            self.fault(Code.CARRIAGE_RETURN, end - 1, end)
            without = self.grammar.line.fullmatch(self.text, start, end - 1)
            if without is not None and without.lastindex is not None:
                _READERS[without.lastindex](self, without, without.lastindex)
            return
        self.refused_lines += 1
        # Explaining costs far more than counting, and nobody reads a thousand explanations.
        if self.refused_lines <= self.max_faults:
            found = self.grammar.explain(self.text, start, end)
            related = (found.related_start, found.related_end) if found.related_start >= 0 else None
            self.fault(Code(found.code), found.start, found.end, related)
        name = self.grammar.metric_name.match(self.text, start, end)
        if name:
            self.mark_incomplete(name[1])

    # ------------------------------------------------------------------------------------------------- samples

    def sample(self, match: re.Match[str], last: int) -> None:
        name, labels = match.group(Group.NAME, Group.LABELS)
        start = match.start(Group.NAME)
        if labels is None:
            meant: str | None = ""
        else:
            meant = self.label_sets.get(labels) or self.label_set(labels, match.start(Group.LABELS))
        if meant is None:
            self.mark_incomplete(name)
        else:
            self.append(name, (start, start + len(name)), meant, start, match, Group.VALUE, last)

    def named_sample(self, match: re.Match[str], last: int) -> None:
        start = match.start(Group.NAMED_LABELS)
        items = list(self.items(match[Group.NAMED_LABELS], start))
        [quoted] = [item for item in items if item.value is None]
        labels = [item for item in items if item.value is not None]
        span = (quoted.start, quoted.start + len(quoted.name))
        name = self.read_name(quoted.name, quoted.start, is_legacy_metric_name)
        fine = self.labels_are_fine(labels)
        if name is None:
            return
        if not fine:
            self.mark_incomplete(name)
            return
        text = "{" + ",".join(f"{item.name}={item.value}" for item in labels) + "}" if labels else ""
        self.append(name, span, _decoded(text), start, match, Group.NAMED_VALUE, last)

    def append(
        self,
        name: str,
        name_span: tuple[int, int],
        labels: str,
        start: int,
        match: re.Match[str],
        value_group: int,
        last: int,
    ) -> None:
        family, name, is_count, is_whole = self.targets.get(name) or self.target(name, match.start(), name_span)
        columns = family.columns
        written = match[value_group]
        value = float(written)
        literal = None
        if value == 0:
            # Rendering would drop the sign, and tell another story than the input.
            literal = written if written[0] == "-" else None
        elif not -_EXACT_INTEGERS < value < _EXACT_INTEGERS:
            if isinf(value) and written[-1] not in "fFyY":
                self.refuse_value(family, name_span)
                self.fault(Code.VALUE_OUT_OF_RANGE, *match.span(value_group))
                return
            if _is_inexact(written, value):
                self.fault(Code.INEXACT_INTEGER, *match.span(value_group))
                literal = written
        if last > value_group:
            time = _milliseconds(match[last])
            if time is None:
                self.refuse_value(family, name_span)
                self.fault(Code.TIMESTAMP_OUT_OF_RANGE, *match.span(last))
                return
            columns.times[len(columns.names)] = time * _NS_PER_MS
        if is_count and not (value >= 0 and not (is_whole and value % 1)):
            family.complete = False
            self.fault(Code.INVALID_COUNT, *match.span(value_group))
        if family is not self.current:
            self.current = family
            family.first_name = family.first_name or name_span
            if family.last_name is not None:
                self.fault(Code.INTERLEAVED_FAMILY, *name_span, family.last_name)
        family.last_name = name_span
        if literal is not None:
            columns.literals[len(columns.names)] = literal
        end = match.end(last)
        columns.names.append(name)
        columns.labels.append(labels)
        columns.values.append(value)
        columns.spans.append(start)
        columns.spans.append(end)
        if match.end() != end + 1 or self.text[end] != "\n":
            self.trailing_blank(end, match.end())

    def refuse_value(self, family: _Family, name_span: tuple[int, int]) -> None:
        """A sample stands here, though it cannot be read."""
        family.complete = False
        family.first_name = family.first_name or name_span

    def trailing_blank(self, start: int, line_end: int) -> None:
        """Report what stands between the last token and the line feed, if there is one, and anything there."""
        end = line_end - self.text.endswith("\n", start, line_end)
        if end > start:
            self.fault(Code.TRAILING_BLANK, start, end)

    def target(self, name: str, line_start: int, span: tuple[int, int]) -> _Target:
        """Where samples of this name go, by the families declared so far."""
        family = self.families.get(name) or self.owner_by_suffix(name)
        if family is None:
            family = self.families[name] = _Family(name, line_start, span)
        is_count = name.removeprefix(family.name) in _COUNTS
        target = self.targets[name] = family, name, is_count, is_count and family.type is MetricType.SUMMARY
        return target

    def owner_by_suffix(self, name: str) -> _Family | None:
        """The declared family to which a sample of this name belongs by its ending."""
        if not (self.has_suffixes and name.endswith(_SUFFIXES)):
            return None
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                family = self.families.get(name.removesuffix(suffix))
                if family is not None and suffix in family.suffixes:
                    return family
        return None

    def mark_incomplete(self, name: str) -> None:
        """A line of this name was refused: what is missing of its family must not be reported as well."""
        family = self.families.get(name) or self.owner_by_suffix(name)
        if family is not None:
            family.complete = False

    # --------------------------------------------------------------------------------------- labels and names

    def label_set(self, written: str, start: int) -> str | None:
        """A label set as it is meant, or None where it has a fatal fault."""
        names = self.grammar.label_names.findall(written)
        plain = self.utf8 and "\\" not in written and "__" not in written and '"' not in "".join(names)
        if not (plain and len(set(names)) == len(names)):
            faults = sum(self.fault_counts.values())
            if not self.labels_are_fine(self.items(written, start)):
                return None
            if sum(self.fault_counts.values()) > faults:
                return _decoded(written)
        meant = self.label_sets[written] = _decoded(written)
        return meant

    def items(self, written: str, start: int) -> Iterator[_Item]:
        for match in self.grammar.item.finditer(written):
            yield _Item(match[1], start + match.start(1), match[2], start + match.start(2))

    def labels_are_fine(self, labels: Iterable[_Item]) -> bool:
        fine = True
        spans: dict[str, tuple[int, int]] = {}
        for item in labels:
            span = (item.start, item.start + len(item.name))
            name = self.read_name(item.name, item.start, is_legacy_label_name)
            value = item.value or ""
            if name is None or self.malformed(value, item.value_start):
                fine = False
                continue
            self.unknown_escapes(value, item.value_start)
            if name == "__name__":
                self.fault(Code.METRIC_NAME_LABEL, *span)
                fine = False
            elif name.startswith("__"):
                self.fault(Code.RESERVED_LABEL_NAME, *span)
            if name in spans:
                self.fault(Code.DUPLICATE_LABEL, *span, spans[name])
                fine = False
            spans.setdefault(name, span)
        return fine

    def read_name(self, written: str, start: int, is_legacy: Callable[[str], bool]) -> str | None:
        """The name that a bare word or a quoted string stands for, or None where it has a fatal fault."""
        if written[0] != '"':
            return written
        if written == '""':
            self.fault(Code.EMPTY_NAME, start, start + 2)
            return None
        if self.malformed(written, start):
            return None
        self.unknown_escapes(written, start)
        name = unescape(_decoded(written[1:-1]))
        if not is_legacy(name):
            self.fault(Code.NON_LEGACY_NAME, start, start + len(written))
        return name

    def malformed(self, written: str, start: int) -> bool:
        """Report bytes that are no UTF-8."""
        if self.utf8 or (span := _malformed(written)) is None:
            return False
        self.fault(Code.INVALID_UTF8, start + span.start, start + span.end)
        return True

    def unknown_escapes(self, written: str, start: int) -> None:
        if "\\" in written:
            for match in _UNKNOWN_ESCAPE.finditer(written):
                if match[1]:
                    self.fault(Code.UNKNOWN_ESCAPE, start + match.start(1), start + match.end(1))

    # ----------------------------------------------------------------------------------------------- metadata

    def help(self, match: re.Match[str], last: int) -> None:
        span = match.span(Group.HELP_NAME)
        family = self.declare(match[Group.HELP_NAME], span, match)
        docstring = match[last] if last == Group.DOCSTRING else ""
        if not self.utf8 or "\\" in docstring:
            start = match.start(Group.DOCSTRING)
            if self.malformed(docstring, start):
                return
            # An escaped quote has no meaning here, yet many write it: it stays two characters, unreported.
            self.unknown_escapes(docstring, start)
        if family is None:
            return
        if not docstring and family.help_name:
            # A HELP line without text says nothing, and does not count as a second one.
            return
        if family.help_name and family.help:
            self.fault(Code.SECOND_HELP, *span, family.help_name)
            return
        if family.first_name:
            self.fault(Code.HELP_AFTER_SAMPLES, *span, family.first_name)
        family.help_name = span
        family.help = _unescaped_help(_decoded(docstring)) if "\\" in docstring else _decoded(docstring)

    def type(self, match: re.Match[str], last: int) -> None:
        span = match.span(Group.TYPE_NAME)
        family = self.declare(match[Group.TYPE_NAME], span, match)
        kind, suffixes = _TEXT_TYPES.get(match[last]) or self.unusual_type(match, last)
        if match.end() != match.end(last) + 1 or self.text[match.end(last)] != "\n":
            self.trailing_blank(match.end(last), match.end())
        if family is None:
            return
        if family.type_name or family.first_name:
            code = Code.SECOND_TYPE if family.type_name else Code.TYPE_AFTER_SAMPLES
            self.fault(code, *span, family.type_name or family.first_name)
            return
        for suffix in suffixes:
            other = self.families.get(family.name + suffix)
            if other is not None:
                code = Code.TYPE_AFTER_SAMPLES if other.first_name else Code.SUFFIX_COLLISION
                self.fault(code, *span, other.first_name or other.mention)
                return
        family.type, family.suffixes, family.type_name = kind, suffixes, span
        if suffixes:
            # Names that were nobody's may belong to this family from here on.
            self.targets.clear()
            self.has_suffixes = True

    def unusual_type(self, match: re.Match[str], last: int) -> tuple[MetricType, tuple[str, ...]]:
        word = match[last].lower()
        if word != match[last]:
            self.fault(Code.TYPE_CASE, *match.span(last))
        if word not in _TEXT_TYPES:
            self.fault(Code.OPENMETRICS_TYPE, *match.span(last))
        return _ALL_TYPES[word]

    def declare(self, written: str, span: tuple[int, int], match: re.Match[str]) -> _Family | None:
        """The family that a metadata line speaks of, or None where its name is at fault or another one's suffix."""
        name = written if written[0] != '"' else self.read_name(written, span[0], is_legacy_metric_name)
        if name is None:
            return None
        family = self.families.get(name)
        if family is None:
            if self.has_suffixes and (owner := self.owner_by_suffix(name)):
                self.fault(Code.SUFFIX_COLLISION, *span, owner.mention)
                return None
            family = self.families[name] = _Family(name, match.start(), span)
        family.end = match.end()
        return family


def _decoded(latin1: str) -> str:
    return latin1 if latin1.isascii() else latin1.encode("latin-1").decode("utf-8")


def _unescaped_help(text: str) -> str:
    return text.replace("\\\\", BACKSLASH).replace("\\n", "\n").replace(BACKSLASH, "\\")


def _malformed(latin1: str) -> Span | None:
    """The first bytes that are no UTF-8."""
    try:
        latin1.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as error:
        return Span(error.start, error.end)
    return None


def _milliseconds(written: str) -> int | None:
    """An int64, or None; int() itself refuses texts of thousands of digits."""
    digits = written.lstrip("+-").lstrip("0")
    if len(digits) > len(str(INT64_MAX)):
        return None
    value = int(digits or "0") * (-1 if written[0] == "-" else 1)
    return value if INT64_MIN <= value <= INT64_MAX else None


def _is_inexact(written: str, value: float) -> bool:
    """Whether this is an integer that float64 rounds."""
    digits = written.lstrip("+-").lstrip("0")
    return digits.isdigit() and (len(digits) > _MOST_DIGITS or int(digits) != abs(int(value)))


# Who reads a line, by the last of its parts: see Group.
_READERS: Final[tuple[Callable[[_Scanner, re.Match[str], int], None], ...]] = (
    *[_Scanner.sample] * (Group.TIME + 1),
    *[_Scanner.named_sample] * (Group.NAMED_TIME - Group.TIME),
    *[_Scanner.help] * (Group.DOCSTRING - Group.NAMED_TIME),
    *[_Scanner.type] * (Group.TYPE_WORD - Group.DOCSTRING),
    _Scanner.comment,
    _Scanner.refuse,
)
