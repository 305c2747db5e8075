"""What the commands share: their options, how they read expositions and report, and how they end."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn

import click

from ..codes import Severity
from ..diagnostics import Diagnostic, ExpositionError
from ..model import Exposition
from ..names import Names
from ..parse import parse
from ..report import ReportFormat, report
from .inputs import Complaints, Input, contents
from .progress import working

# Exit codes; wrong usage and unreadable input are one, as click has it for the former.
CLEAN, FINDINGS, TROUBLE = 0, 1, 2

inputs_argument = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")

names_option = click.option(
    "--names",
    type=click.Choice(["utf-8", "legacy"]),
    default="utf-8",
    show_default=True,
    help="Whether names that need quotes are accepted.",
)

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing that the exit code tells as well.")

report_format_option = click.option(
    "--output-format",
    "report_format",
    type=click.Choice([str(format) for format in ReportFormat]),
    default=ReportFormat.FULL.value,
    show_default=True,
    help="How diagnostics are written.",
)

max_diagnostics_option = click.option(
    "--max-diagnostics",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many diagnostics are shown of each input.",
)


def parsed(
    inputs: Iterable[Input],
    complaints: Complaints,
    refused: list[Diagnostic],
    names: Names,
    max_diagnostics: int,
    *,
    quiet: bool,
) -> Iterator[tuple[Input, bytes, Exposition]]:
    """Each input with its bytes and what they say; diagnostics of those that do not parse are added to ``refused``."""
    for each, data in contents(inputs, complaints):
        try:
            with working("reading", each.name, len(data), quiet=quiet):
                exposition = parse(data, names=names, filename=each.name, max_diagnostics=max_diagnostics)
        except ExpositionError as error:
            refused += error.diagnostics
        else:
            yield each, data, exposition


class Tally:
    """Counts diagnostics on their way to a report."""

    def __init__(self) -> None:
        self.errors = 0
        self.warnings = 0
        self.inputs: set[str] = set()

    def add(self, diagnostic: Diagnostic) -> None:
        """Count one."""
        self.errors += diagnostic.severity is Severity.ERROR
        self.warnings += diagnostic.severity is Severity.WARNING
        self.inputs.add(diagnostic.filename)

    def fails(self, threshold: str) -> bool:
        """Whether a run ends with findings that are as grave as the threshold, ``error`` or ``warning``."""
        return self.errors > 0 or (threshold == Severity.WARNING and self.warnings > 0)

    def __str__(self) -> str:
        parts = [counted(n, noun) for n, noun in ((self.errors, "error"), (self.warnings, "warning")) if n]
        return f"{' and '.join(parts)} in {counted(len(self.inputs), 'input')}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun; the plural is given unless it merely takes an s.

    >>> counted(1, "error"), counted(1200, "error"), counted(2, "family", "families")
    ('1 error', '1,200 errors', '2 families')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def write_report(diagnostics: Iterable[Diagnostic], format: str, *, err: bool = False) -> None:
    """Write a report to stdout, or to stderr where stdout holds the command's result."""
    color = shows_color(err=err)
    for piece in report(diagnostics, format, width=terminal_width(), color=color):
        click.echo(piece, nl=False, err=err, color=color)


def terminal_width() -> int:
    """How many columns the terminal has; 120 if there is none."""
    return shutil.get_terminal_size((120, 24)).columns


def shows_color(*, err: bool = False) -> bool:
    """Whether stdout (or stderr) is a terminal whose user has not declined colours."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def finish(status: int) -> NoReturn:
    """End the command with an exit code."""
    click.get_current_context().exit(status)


__all__ = [
    "CLEAN",
    "FINDINGS",
    "TROUBLE",
    "Tally",
    "counted",
    "finish",
    "inputs_argument",
    "max_diagnostics_option",
    "names_option",
    "parsed",
    "quiet_option",
    "report_format_option",
    "shows_color",
    "terminal_width",
    "write_report",
]
