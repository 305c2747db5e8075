"""``expofmt fmt``: the canonical spelling of a file that a person may have written."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import click

from .. import engine
from ..codes import Code, verdict
from ..diagnostics import Diagnostic, ExpositionError
from ..engine import Scan, ScannedFamily
from ..formats import Format
from ..model import TEXT_SUFFIXES, Exposition, MetricFamily, MetricType
from ..names import EscapingScheme, Names
from ..parse import parse
from ..quoting import visible
from ..source import Span
from .inputs import Complaints, Input, contents, expanded
from .options import (
    CLEAN,
    FINDINGS,
    TROUBLE,
    Tally,
    finish,
    inputs_argument,
    max_diagnostics_option,
    names_option,
    quiet_option,
    report_format_option,
    write_report,
)
from .progress import working
from .replace import replace_file


def format_text(
    data: bytes,
    /,
    *,
    names: Names = "utf-8",
    filename: str = Exposition.DEFAULT_FILENAME,
    max_diagnostics: int = 1000,
) -> bytes:
    """The text in canonical order and spelling, its comments kept.

    It says what it said before: the same families, with the same samples and values. A number whose canonical spelling
    would denote another one (an integer beyond float64, a negative zero) keeps its own. A comment keeps its place
    before the family whose line follows it; one at the top that a blank line follows stays at the top, and one after
    the last family at the end. CR LF becomes LF. Formatting twice is formatting once.

    Raises ExpositionError where a plain parse would, carriage returns at ends of lines excepted.

    >>> print(format_text(b"b 2.50\\r\\n# about a\\r\\na -0\\r\\n# TYPE c GAUGE").decode(), end="")
    # about a
    # TYPE a untyped
    a -0
    # TYPE b untyped
    b 2.5
    # TYPE c gauge
    """
    data = _without_carriage_returns(data)
    scan = engine.scan(data, Format.TEXT, comments=True)
    if names == "legacy" or any(verdict(Code(fault.code)).fatal for fault in scan.faults):
        parse(data, names=names, filename=filename, max_diagnostics=max_diagnostics)  # raises what there is to say
    return b"".join(_pieces(data, scan))


# A run of them is looked at from its first one only, so that the time is linear in its length.
_CARRIAGE_RETURNS: Final = re.compile(rb"(?<!\r)\r++(?=\n|\Z)")
_BLANK_LINES: Final = re.compile(rb"(?:\n[ \t]*+(?=\n|\Z))*+")
_SAMPLE_NAME: Final = re.compile(rb"[ \t]*+([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t{]")
_BLANK_LINE: Final = re.compile(rb"\n[ \t]*+$", re.MULTILINE)
# A file may be comments for the most part, and a line of its own for each would take many times its memory.
_AT_ONCE: Final = 8_192


def _without_carriage_returns(data: bytes) -> bytes:
    """The lines without those at their ends."""
    data = data.replace(b"\r\n", b"\n")
    # What is left are doubled ones, and one at the end of a file that was cut off: too rare to be a memory's concern.
    return _CARRIAGE_RETURNS.sub(b"", data) if b"\r\n" in data or data.endswith(b"\r") else data


class _Comments(NamedTuple):
    """Spans of comment lines, blank lines among them: at the top, before lines of families, and at the end."""

    header: Span
    attached: Mapping[str, Sequence[Span]]
    last: Sequence[Span]


def _comments(data: bytes, runs: Sequence[Span], families: Sequence[ScannedFamily]) -> _Comments:
    if not runs:
        return _Comments(Span(0, 0), {}, [])
    types = {family.name: family.type for family in families}
    header = Span(0, 0)
    attached: dict[str, list[Span]] = {}
    last: list[Span] = []
    for start, last_end in runs:
        blanks = _BLANK_LINES.match(data, last_end)
        end = blanks.end() if blanks else last_end
        if families and start < families[0].start:
            for blank in _BLANK_LINE.finditer(data, start, end):
                header = Span(start, blank.end())
            start = max(start, header.end)
        owner = _family_at(data, end + 1, types)
        (last if owner is None else attached.setdefault(owner, [])).append(Span(start, end))
    return _Comments(header, attached, last)


def _tidied(data: bytes, spans: Iterable[Span], *, parted: bool = False) -> Iterator[bytes]:
    """The comment lines without blanks around them; with a blank line wherever there were some, if that is wanted."""
    for start, end in spans:
        position, gap = start, False
        while position < end:
            stop = data.find(b"\n", position + _AT_ONCE, end)
            stop = end if stop < 0 else stop
            lines = []
            for line in data[position:stop].split(b"\n"):
                text = line.strip(b" \t\r")
                if text:
                    lines.append(b"\n" + text if gap else text)
                    gap = False
                else:
                    gap = parted
            yield b"".join(line + b"\n" for line in lines)
            position = stop + 1


def _pieces(data: bytes, scan: Scan) -> Iterator[bytes]:
    comments = _comments(data, scan.comments, scan.families)
    if comments.header.end:
        yield from _tidied(data, [comments.header], parted=True)
        yield b"\n"
    run: list[MetricFamily] = []
    for family in sorted(scan.families, key=lambda family: family.name):
        if family.name in comments.attached:
            yield _encoded(run)
            run = []
            yield from _tidied(data, comments.attached[family.name])
        run.append(MetricFamily(family.name, family.type, family.help, family.unit, family.samples))
    yield _encoded(run)
    yield from _tidied(data, comments.last)


def _encoded(families: Sequence[MetricFamily]) -> bytes:
    return engine.encode(families, format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8, literals=True)


def _family_at(data: bytes, offset: int, types: Mapping[str, MetricType]) -> str | None:
    """The family to which the line at the offset belongs, if there is a line."""
    if sample := _SAMPLE_NAME.match(data, offset):
        name = sample[1].decode()
    else:
        end = data.find(b"\n", offset)
        line = data[offset : len(data) if end < 0 else end]
        if not line:
            return None
        [alone] = engine.scan(line + b"\n", Format.TEXT).families
        name = alone.name
    if name in types:
        return name
    owners = (
        name.removesuffix(suffix)
        for type, suffixes in TEXT_SUFFIXES.items()
        for suffix in suffixes
        if types.get(name.removesuffix(suffix)) is type
    )
    return next(owners)


@click.command("fmt")
@inputs_argument
@click.option("--check", "checking", is_flag=True, help="List the files that are not formatted; the exit code is 1.")
@click.option("--diff", "diffing", is_flag=True, help="Print what would change; the exit code is 1 if anything would.")
@click.option("--write", "writing", is_flag=True, help="Replace the files.")
@names_option
@report_format_option
@max_diagnostics_option
@quiet_option
def command(
    inputs: tuple[str, ...],
    checking: bool,
    diffing: bool,
    writing: bool,
    names: Names,
    report_format: str,
    max_diagnostics: int,
    quiet: bool,
) -> None:
    """Rewrite in canonical order and spelling.

    INPUT is a file, a folder (all *.prom files in it and below), a glob pattern, or - for standard input.

    Without an option, one input is read and its formatting goes to stdout, which is also what --write does with
    standard input. A file is replaced as a whole or not at all.

    Families are sorted by name, samples within them, and labels within these; numbers are spelt as Prometheus spells
    them, those in le and quantile included. Scattered families, CR LF, a missing last line feed, types in upper case
    and HELP after samples are repaired. Values never change. Comments stay with the family that they stand before; one
    at the top stays there if a blank line follows it.

    What a parser refuses is left as it is: diagnostics go to stderr, and the exit code is 1.
    """
    if writing and (checking or diffing):
        raise click.UsageError("--write goes with neither --check nor --diff")
    complaints, tally = Complaints(), Tally()
    chosen = expanded(inputs, complaints)
    if len(chosen) > 1 and not (writing or checking or diffing):
        raise click.UsageError(
            f"{len(chosen)} inputs: add --write, --check or --diff (`expofmt merge` makes one text of several)"
        )
    refused: list[Diagnostic] = []
    changes = 0
    for each, data in contents(chosen, complaints):
        try:
            with working("formatting", each.name, len(data), quiet=quiet):
                formatted = format_text(data, names=names, filename=each.name, max_diagnostics=max_diagnostics)
        except ExpositionError as error:
            refused += [diagnostic for diagnostic in error.diagnostics if not _is_repaired(diagnostic)]
            continue
        changes += formatted != data
        if not (checking or diffing or (writing and each.path)):
            sys.stdout.buffer.write(formatted)
        if formatted == data:
            continue
        if writing and each.path:
            _write(each, data, formatted, complaints, quiet=quiet)
        if checking and not quiet:
            click.echo(f"would reformat {visible(each.name)}")
        if diffing:
            sys.stdout.buffer.writelines(_difference(each.name, data, formatted))
    for diagnostic in refused:
        tally.add(diagnostic)
    if not quiet and (refused or report_format == "json"):
        write_report(refused, report_format, err=True)
    differs = changes > 0 and (checking or diffing)
    finish(TROUBLE if complaints.any else FINDINGS if refused or differs else CLEAN)


def _is_repaired(diagnostic: Diagnostic) -> bool:
    """Whether it would not have kept the text from being formatted."""
    return not verdict(diagnostic.code).fatal and diagnostic.code is not Code.TOO_MANY_DIAGNOSTICS


def _write(each: Input, data: bytes, formatted: bytes, complaints: Complaints, *, quiet: bool) -> None:
    if each.path is None:
        return
    try:
        if each.read() != data:
            complaints.add(each.name, "changed while it was being formatted; left alone")
            return
        replace_file(each.path, formatted)
    except OSError as error:
        complaints.add(each.name, error)
        return
    if not quiet:
        click.echo(f"reformatted {visible(each.name)}", err=True)


def _difference(name: str, before: bytes, after: bytes) -> Iterator[bytes]:
    """A unified diff, as ``patch`` reads it."""
    old, new = ([line + b"\n" for line in text.split(b"\n")] for text in (before, after))
    for lines in (old, new):
        # What follows the last line feed is a line of its own if it is anything.
        lines[-1] = lines[-1][:-1]
        if not lines[-1]:
            del lines[-1]
    shown = visible(name).encode()
    for line in difflib.diff_bytes(difflib.unified_diff, old, new, shown, shown, lineterm=b"\n"):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


__all__ = ["command", "format_text"]
