"""Exposition text to metric families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final, NamedTuple, get_args

from . import engine
from .codes import Code, Kind, Profile, Severity, severity_of, verdict
from .consistency import with_consistency
from .diagnostics import ConsistencyError, Diagnostic, ExpositionError, ParseError, Place
from .engine import Fault, Scan, ScannedFamily
from .formats import Format
from .model import TEXT_SUFFIXES, Exposition, MetricFamily, MetricType
from .names import Names
from .source import Source, Span

__all__ = ["MAX_DIAGNOSTICS", "check", "iter_families", "parse", "read_push"]

# How many diagnostics are made of one input, unless it is said otherwise.
MAX_DIAGNOSTICS: Final = 1000

_NAMES: Final = get_args(Names)
OnWarning = Callable[[Diagnostic], None]

# How much of a file is read at a time, and how much more of it while one family is larger than that.
_CHUNK_BYTES: Final = 1 << 20

_ALL_SUFFIXES: Final = frozenset(suffix for suffixes in TEXT_SUFFIXES.values() for suffix in suffixes)


def parse(
    source: bytes | bytearray | memoryview | str,
    /,
    *,
    format: Format = Format.TEXT,
    strict: bool = False,
    profile: str = Profile.PROMETHEUS,
    names: Names = "utf-8",
    filename: str = Exposition.DEFAULT_FILENAME,
    max_diagnostics: int = MAX_DIAGNOSTICS,
    on_warning: OnWarning | None = None,
) -> Exposition:
    """Read an exposition.

    Families come in the order of their first mention, their samples in the order of the input; a sample that stands
    twice is kept twice. A sample belongs to the family of its own name, or to a histogram or summary that was
    declared before it and to whose name it adds ``_bucket``, ``_sum`` or ``_count``. Timestamps become nanoseconds.
    A ``str`` is read as its UTF-8.

    Raises :class:`ParseError` where the text breaks the grammar, else :class:`ConsistencyError` where metadata
    contradict each other; both carry all diagnostics, at most ``max_diagnostics``, in order of place. ``strict``
    refuses whatever :func:`check` calls an error in that profile. What :func:`check` would report but is no reason to
    refuse goes to ``on_warning``. With ``names="legacy"``, a name that needs quotes is refused.

    :attr:`Format.PROTOBUF` needs the extra ``protobuf``. Its families come in the order of their first message, and a
    second one of a name adds samples to it. A histogram gets the bucket +Inf that the format leaves out, with its
    count; numbers that are absent are 0. Native histograms are refused. There are no lines: diagnostics tell the offset
    of the message or metric, and show it as text. Such an exposition is rendered as protobuf if nothing else is asked
    for. Raises ImportError without the extra.

    Safe to call from many threads. Prometheus "Exposition formats", text format 0.0.4 and 1.0.0, protobuf.

    >>> exposition = parse('# TYPE jobs_total counter\\njobs_total{queue="mail"} 3\\n')
    >>> exposition["jobs_total"].samples[0].labels["queue"]
    'mail'
    >>> parse("jobs_total{queue=mail} 3\\n", filename="jobs.prom")
    Traceback (most recent call last):
        ...
    expofmt.diagnostics.ParseError: jobs.prom:1:18: error[unquoted-label-value] label value must be in double quotes
    """
    reading = _reading(_source(source, filename), profile, names, max_diagnostics)
    try:
        return reading.exposition(format, strict=strict, on_warning=on_warning)
    except ExpositionError as error:
        error._written()
        raise


def read_push(
    source: Source,
    /,
    *,
    names: Names,
    format: Format = Format.TEXT,
    strict: bool,
    on_warning: OnWarning | None = None,
) -> Exposition:
    """What is pushed, as :func:`parse` reads it for the profile ``pushgateway``.

    An error makes its diagnostics when they are asked for, since an answer may need no more than the first.

    >>> try:
    ...     exposition = read_push(Source("a.prom", b"a x\\nb y\\n"), names="legacy", strict=True)
    ... except ExpositionError as error:
    ...     print(next(error.errors()))
    a.prom:1:3: error[invalid-value] value is not a number
    """
    reading = _reading(source, Profile.PUSHGATEWAY, names, MAX_DIAGNOSTICS)
    return reading.exposition(format, strict=strict, on_warning=on_warning)


def check(
    source: bytes | bytearray | memoryview | str,
    /,
    *,
    format: Format = Format.TEXT,
    profile: str = Profile.PROMETHEUS,
    names: Names = "utf-8",
    filename: str = Exposition.DEFAULT_FILENAME,
    max_diagnostics: int = MAX_DIAGNOSTICS,
) -> list[Diagnostic]:
    """Everything that is wrong or doubtful about an exposition, in order of place; it never raises on content.

    One call reports every bad line: reading goes on at the next one. Beyond ``max_diagnostics``, the last diagnostic
    says how many more there were. Safe to call from many threads. Prometheus "Exposition formats".

    >>> for diagnostic in check("# TYPE a gauge\\na{b=1} 1\\na 0x1\\n", filename="a.prom"):
    ...     print(diagnostic)
    a.prom:2:5: error[unquoted-label-value] label value must be in double quotes
    a.prom:3:3: error[invalid-value] value is not a number
    """
    reading = _reading(_source(source, filename), profile, names, max_diagnostics)
    scan = with_consistency(reading.scan(format), max_diagnostics, reading.reports)
    return reading.diagnostics(scan.faults, scan.suppressed)


class _Reading(NamedTuple):
    """One input, and whose verdict counts for it."""

    source: Source
    profile: Profile
    names: Names
    max_diagnostics: int

    def scan(self, format: Format) -> Scan:
        if _checked_format(format) is Format.PROTOBUF:
            # Loaded when it is asked for: it needs a package that few installations have.
            from .engine import protobuf

            return protobuf.scan(self.source.data, max_faults=self.max_diagnostics)
        return engine.scan(self.source.data, Format.TEXT, max_faults=self.max_diagnostics)

    def exposition(self, format: Format, *, strict: bool, on_warning: OnWarning | None) -> Exposition:
        """What was read; an error that refuses it is not written yet."""
        scan = self.scan(format)
        if strict or on_warning is not None:
            scan = with_consistency(scan, self.max_diagnostics, self.reports)
        if scan.faults:
            refused = self.is_error if strict else self.is_fatal
            if any(refused(fault.code) for fault in scan.faults):
                raise self.error_type(scan.faults)._unwritten(self.findings(scan.faults, scan.suppressed))
            if on_warning is not None:
                for diagnostic in self.diagnostics(scan.faults, scan.suppressed):
                    on_warning(diagnostic)
        return Exposition._read(scan.families, engine.assemble, Format(format), self.source.name)

    def severity(self, code: str) -> Severity | None:
        if code == Code.NON_LEGACY_NAME and self.names != "legacy":
            return None
        return severity_of(Code(code), self.profile)

    def reports(self, code: str) -> bool:
        return self.severity(code) is not None

    def is_error(self, code: str) -> bool:
        return self.severity(code) is Severity.ERROR

    def is_fatal(self, code: str) -> bool:
        return verdict(Code(code)).fatal and self.is_error(code)

    def error_type(self, faults: Iterable[Fault]) -> type[ExpositionError]:
        """What refuses them: a matter of all faults, not only of those that are shown."""
        syntax = any(verdict(Code(fault.code)).kind is Kind.SYNTAX and self.is_error(fault.code) for fault in faults)
        return ParseError if syntax else ConsistencyError

    def diagnostics(self, faults: Iterable[Fault], suppressed: Mapping[str, int]) -> list[Diagnostic]:
        return list(self.findings(faults, suppressed))

    def findings(self, faults: Iterable[Fault], suppressed: Mapping[str, int]) -> _Findings:
        reported = [fault for fault in faults if self.severity(fault.code)]
        # Where not all can be shown, errors come before what is merely worth saying.
        reported.sort(key=lambda fault: (not self.is_error(fault.code), fault.start, fault.end))
        shown = sorted(reported[: self.max_diagnostics], key=lambda fault: (fault.start, fault.end))
        more = len(reported) - len(shown) + sum(number for code, number in suppressed.items() if self.severity(code))
        return _Findings(self, shown, more)

    def diagnostic(self, fault: Fault) -> Diagnostic:
        code = Code(fault.code)
        severity = self.severity(code) or Severity.INFO
        related = Span(fault.related_start, fault.related_end) if fault.related_start >= 0 else None
        if fault.excerpt is not None:
            place = Place.in_binary(self.source.name, fault.excerpt, Span(fault.start, fault.end))
            second = related and Place.in_binary(self.source.name, fault.related_excerpt or ("", "", ""), related)
            return Diagnostic.of_places(code, severity, place, second, dict(fault.details))
        return Diagnostic.at(self.source, code, severity, Span(fault.start, fault.end), related)


@dataclass(frozen=True, slots=True)
class _Findings:
    """The diagnostics of faults, each written once it is its turn, and that there are more."""

    reading: _Reading
    shown: Sequence[Fault]
    more: int
    written: dict[int, Diagnostic] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Diagnostic]:
        for number, fault in enumerate(self.shown):
            if number not in self.written:
                # Another thread may have been quicker.
                self.written.setdefault(number, self.reading.diagnostic(fault))
            yield self.written[number]
        if self.more:
            source, details = self.reading.source, {"count": str(self.more)}
            end = Span(len(source.data), len(source.data))
            yield Diagnostic.at(source, Code.TOO_MANY_DIAGNOSTICS, Severity.INFO, end, details=details)


def iter_families(
    file: BinaryIO,
    /,
    *,
    format: Format = Format.TEXT,
    strict: bool = False,
    profile: str = Profile.PROMETHEUS,
    names: Names = "utf-8",
    filename: str = Exposition.DEFAULT_FILENAME,
    max_diagnostics: int = MAX_DIAGNOSTICS,
    on_warning: OnWarning | None = None,
) -> Iterator[MetricFamily]:
    """The families of a file too large for memory, one after the other, as :func:`parse` would give them.

    Each is complete when it comes. Memory holds about as much of the file as its largest family, and the names of
    all. A family that goes on after it was given away is a :class:`ConsistencyError` here. Errors are raised when
    reading gets to them; families that came before stand. Spans and lines count from the start of the file; the
    limit ``max_diagnostics`` holds for each part of the file that is read at a time.

    >>> import io
    >>> [family.name for family in iter_families(io.BytesIO(b"a 1\\nb 2\\n"))]
    ['a', 'b']
    """
    # Wrong arguments are told at the call, and not when the first family is asked for.
    options = _reading(Source(filename, b""), profile, names, max_diagnostics)
    if _checked_format(format) is not Format.TEXT:
        raise ValueError(f"families are read one by one from the text format only, not from {format}: use `parse`")
    return _families_of(file, options, strict, on_warning)


def _families_of(
    file: BinaryIO, options: _Reading, strict: bool, on_warning: OnWarning | None
) -> Iterator[MetricFamily]:
    filename = options.source.name
    seen: dict[str, MetricType] = {}
    buffer, offset, lines, want = b"", 0, 0, _CHUNK_BYTES
    at_end = False
    while not at_end:
        chunk = _filled(file, want)
        at_end = len(chunk) < want
        buffer += chunk
        whole_lines = len(buffer) if at_end else buffer.rfind(b"\n") + 1
        reading = options._replace(source=Source(filename, buffer[:whole_lines]))
        scan = reading.scan(Format.TEXT)
        done = whole_lines if at_end else _finished_before(scan.families, whole_lines)
        if scan.suppressed and done < whole_lines:
            # How many of the faults that are not listed belong to finished families, only a second look can tell.
            reading = reading._replace(source=Source(filename, buffer[:done]))
            scan = reading.scan(Format.TEXT)
        families = [family for family in scan.families if family.start < done]
        faults = [fault for fault in scan.faults if fault.start < done or at_end]
        scattered = [_resumed(family) for family in families if _continues(family, seen)]
        if strict or on_warning is not None:
            scan = scan._replace(families=families, faults=faults)
            scan = with_consistency(scan, options.max_diagnostics, options.reports)
            faults = scan.faults
        refused = reading.is_error if strict else reading.is_fatal
        diagnostics = [
            _shifted(diagnostic, offset, lines)
            for diagnostic in reading.diagnostics([*faults, *scattered], scan.suppressed)
        ]
        if scattered or any(refused(fault.code) for fault in faults):
            raise reading.error_type(faults)(diagnostics)
        if on_warning is not None:
            for diagnostic in diagnostics:
                on_warning(diagnostic)
        for scanned in families:
            seen[scanned.name] = scanned.type
            yield _family(scanned)
        # A family that fills the buffer needs a larger one; doubling keeps the work in proportion to the file.
        want = _CHUNK_BYTES if done else 2 * want
        offset, lines, buffer = offset + done, lines + buffer.count(b"\n", 0, done), buffer[done:]


def _filled(file: BinaryIO, size: int) -> bytes:
    """So many bytes, or what is left: a pipe gives less at a time, and what is accepted must not depend on that."""
    parts: list[bytes] = []
    while size > 0:
        parts.append(file.read(size))
        if not isinstance(parts[-1], bytes):
            raise TypeError(f"families are read from a file opened in binary mode, which gives no {type(parts[-1])}")
        if len(parts[-1]) == 0:
            break
        size -= len(parts[-1])
    return b"".join(parts)


def _finished_before(families: Sequence[ScannedFamily], end: int) -> int:
    """The offset before which families are complete, as far as the lines up to ``end`` tell: the last one may go on."""
    if not families:
        return end
    start = families[-1].start
    for family in reversed(families):
        if family.end > start:
            start = family.start
    return start


def _continues(family: ScannedFamily, seen: dict[str, MetricType]) -> bool:
    """Whether samples of one family would stand in two, because a family that was given away goes on here."""
    if family.name in seen or any(family.name + suffix in seen for suffix in TEXT_SUFFIXES.get(family.type, ())):
        return True
    bases = ((family.name.removesuffix(suffix), suffix) for suffix in _ALL_SUFFIXES if family.name.endswith(suffix))
    return any(base in seen and suffix in TEXT_SUFFIXES.get(seen[base], ()) for base, suffix in bases)


def _resumed(family: ScannedFamily) -> Fault:
    return Fault(Code.INTERLEAVED_FAMILY, family.start, family.start + len(family.name.encode()))


def _shifted(diagnostic: Diagnostic, offset: int, lines: int) -> Diagnostic:
    """A diagnostic of a part of a file, placed in the whole; parts begin at the start of a line."""
    related = diagnostic.related and _shifted_place(diagnostic.related, offset, lines)
    return replace(diagnostic, place=_shifted_place(diagnostic.place, offset, lines), related=related)


def _shifted_place(place: Place, offset: int, lines: int) -> Place:
    if place.span is None or place.line is None or place.end_line is None:
        return place
    span = Span(place.span.start + offset, place.span.end + offset)
    return replace(place, span=span, line=place.line + lines, end_line=place.end_line + lines)


def _reading(source: Source, profile: str, names: Names, max_diagnostics: int) -> _Reading:
    if names not in _NAMES:
        raise ValueError(f"names must be one of {', '.join(_NAMES)}, not {names!r}")
    if max_diagnostics < 1:
        raise ValueError(f"max_diagnostics must be at least 1, not {max_diagnostics}")
    return _Reading(source, profile if type(profile) is Profile else Profile(profile), names, max_diagnostics)


def _checked_format(format: Format) -> Format:
    if format is Format.TEXT:
        return format
    if Format(format) not in (Format.TEXT, Format.PROTOBUF):
        raise ValueError(f"this version reads the text format and protobuf only, not {format}")
    return Format(format)


def _source(source: object, filename: str) -> Source:
    if isinstance(source, str):
        # A lone surrogate is no text; as bytes it is reported at its place.
        return Source(filename, source.encode("utf-8", "surrogatepass"))
    if isinstance(source, bytes):
        return Source(filename, source)
    if isinstance(source, (bytearray, memoryview)):
        return Source(filename, bytes(source))
    raise TypeError(f"an exposition is read from bytes or str, not from {type(source).__name__}")


def _family(scanned: ScannedFamily) -> MetricFamily:
    return MetricFamily._of(scanned.name, scanned.type, scanned.help, scanned.unit, scanned.samples)
