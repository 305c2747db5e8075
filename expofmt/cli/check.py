"""``expofmt check``: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ..codes import Profile, Severity
from ..diagnostics import Diagnostic
from ..formats import Format
from ..names import Names
from ..parse import check
from .inputs import Complaints, contents, expanded
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


@click.command("check")
@inputs_argument
@click.option(
    "--fail-on",
    type=click.Choice([Severity.ERROR.value, Severity.WARNING.value]),
    default=Severity.ERROR.value,
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.PROMETHEUS.value,
    show_default=True,
    help="Whose rules count.",
)
@click.option(
    "--format",
    "input_format",
    type=click.Choice([Format.TEXT.value, Format.PROTOBUF.value]),
    default=Format.TEXT.value,
    show_default=True,
    help="What the inputs are; protobuf is length-delimited MetricFamily messages.",
)
@names_option
@report_format_option
@max_diagnostics_option
@quiet_option
def command(
    inputs: tuple[str, ...],
    fail_on: str,
    profile: str,
    input_format: str,
    names: Names,
    report_format: str,
    max_diagnostics: int,
    quiet: bool,
) -> None:
    """Report what is wrong, with its place and a fix.

    INPUT is a file, a folder (all *.prom files in it and below), a glob pattern, or - for standard input.

    The report goes to stdout, in the order of the inputs; with json it is one list for all of them. The exit code is 0
    if there is nothing to report, 1 if there is, and 2 if an input cannot be read.
    """
    complaints, tally = Complaints(), Tally()
    try:
        check(b"", format=Format(input_format))
    except ModuleNotFoundError as error:
        raise click.UsageError(str(error)) from None

    def found() -> Iterator[Diagnostic]:
        for each, data in contents(expanded(inputs, complaints), complaints):
            with working("checking", each.name, len(data), quiet=quiet):
                diagnostics = check(
                    data,
                    format=Format(input_format),
                    filename=each.name,
                    profile=profile,
                    names=names,
                    max_diagnostics=max_diagnostics,
                )
            for diagnostic in diagnostics:
                tally.add(diagnostic)
                yield diagnostic

    if quiet:
        for _ in found():
            pass
    else:
        write_report(found(), report_format)
        if tally.inputs and report_format == "full":
            click.echo(str(tally), err=True)
    finish(TROUBLE if complaints.any else FINDINGS if tally.fails(fail_on) else CLEAN)


__all__ = ["command"]
