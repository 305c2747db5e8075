"""``expofmt merge``: several inputs in one text, each with labels of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import click

from ..codes import Code, Severity
from ..diagnostics import Diagnostic, ExpositionError, Place
from ..merge import MergePolicy, merge
from ..model import Exposition, LabelSet
from ..names import Names, is_legacy_label_name
from ..quoting import shortened, visible
from ..render import render
from ..source import Source, Span
from .inputs import STDIO, Complaints, expanded
from .options import (
    CLEAN,
    FINDINGS,
    TROUBLE,
    Tally,
    counted,
    finish,
    inputs_argument,
    max_diagnostics_option,
    names_option,
    parsed,
    quiet_option,
    report_format_option,
    write_report,
)
from .progress import working
from .replace import write_output

_LABELS_BY_INPUT: Final = "expofmt.labels_by_input"
_LABEL_OPTIONS: Final = ("-l", "--label")

_SHOWN_METADATA: Final = re.compile(rb"# (TYPE|HELP) ([a-zA-Z0-9_:]+) ")
_METADATA: Final = re.compile(
    rb"^[ \t]*+(#[ \t]*+(TYPE|HELP)[ \t]++([a-zA-Z0-9_:]++)(?:[ \t][^\r\n]*+)?)\r?$", re.MULTILINE
)


class _Labelled(NamedTuple):
    """The arguments without the labels, the labels before each input, and those after the last one."""

    arguments: list[str]
    by_input: list[list[str]]
    rest: list[str]


class _Merge(click.Command):
    """A command whose ``--label`` belongs to the input that follows it, which click's own parser cannot tell."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        labelled = _labelled(args, self._options_with_value(ctx))
        ctx.meta[_LABELS_BY_INPUT] = labelled
        return super().parse_args(ctx, labelled.arguments)

    def _options_with_value(self, ctx: click.Context) -> set[str]:
        options = (option for option in self.get_params(ctx) if isinstance(option, click.Option))
        return {name for option in options if not (option.is_flag or option.count) for name in option.opts}


def _labelled(arguments: Sequence[str], with_value: set[str]) -> _Labelled:
    """Take the labels out of the arguments.

    >>> _labelled(["--label", "a=1", "x.prom", "-la=2", "-q", "y.prom"], {"--label", "-l"})
    _Labelled(arguments=['x.prom', '-q', 'y.prom'], by_input=[['a=1'], ['a=2']], rest=[])
    """
    found = _Labelled([], [], [])
    remaining = list(reversed(arguments))

    def add_input(argument: str) -> None:
        found.arguments.append(argument)
        found.by_input.append(found.rest.copy())
        found.rest.clear()

    while remaining:
        argument = remaining.pop()
        if argument == "--":
            found.arguments.append(argument)
            while remaining:
                add_input(remaining.pop())
        elif argument == "-" or not argument.startswith("-"):
            add_input(argument)
        elif argument in _LABEL_OPTIONS and remaining:
            found.rest.append(remaining.pop())
        elif argument.startswith("--label="):
            found.rest.append(argument.removeprefix("--label="))
        elif argument.startswith("-l") and len(argument) > 2:
            found.rest.append(argument[2:])
        else:
            found.arguments.append(argument)
            last = argument if argument.startswith("--") else "-" + argument[-1]
            if last in with_value and remaining:
                found.arguments.append(remaining.pop())
    return found


def _label_set(labels: Sequence[str], names: Names) -> LabelSet:
    pairs = []
    for label in labels:
        name, equals, value = label.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"`{shortened(label)}` is not NAME=VALUE", param_hint="--label")
        if name == "__name__" or (names == "legacy" and not is_legacy_label_name(name)):
            raise click.BadParameter(f"`{shortened(name)}` is no label name", param_hint="--label")
        pairs.append((name, value))
    try:
        return LabelSet(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--label") from error


def _relabelled(exposition: Exposition, labels: LabelSet) -> Exposition:
    try:
        return exposition.with_labels(labels) if labels else exposition
    except ValueError as error:
        shown = ", ".join(f"{shortened(name)}={shortened(value)}" for name, value in labels.items())
        where = f"{shown} for {visible(exposition.filename)}"
        raise click.BadParameter(f"{where}: {error}", param_hint="--label") from error


def _policy(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> MergePolicy:
    try:
        return MergePolicy.parse(",".join(texts)) if texts else MergePolicy()
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _no_stray_label(_: click.Context, __: click.Parameter, labels: Sequence[str]) -> None:
    if labels:  # as in `-ql a=b`, which only click's parser takes apart
        raise click.BadParameter("write it as an option of its own")


@click.command("merge", cls=_Merge)
@inputs_argument
@click.option(
    *_LABEL_OPTIONS,
    "labels",
    multiple=True,
    expose_value=False,
    callback=_no_stray_label,
    metavar="NAME=VALUE",
    help="Set a label on all samples of the next INPUT. May be repeated.",
)
@click.option(
    "--policy",
    multiple=True,
    callback=_policy,
    metavar="[TYPE=]OPERATION",
    help="What becomes of samples that several inputs hold: refuse (the default), first, last, sum, min or max; for "
    "all types, or for one such as counter. May be repeated, or given with commas.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file, as a whole or not at all; - is standard output.",
)
@click.option("--lossy", is_flag=True, help="Turn types that the text format lacks into gauges, with a warning.")
@click.option(
    "--fail-on",
    type=click.Choice([Severity.ERROR.value, Severity.WARNING.value]),
    default=Severity.ERROR.value,
    show_default=True,
    help="The least severity that makes the exit code 1; with warning, nothing is written then.",
)
@names_option
@report_format_option
@max_diagnostics_option
@quiet_option
def command(
    inputs: tuple[str, ...],
    policy: MergePolicy,
    output: Path | None,
    lossy: bool,
    fail_on: str,
    names: Names,
    report_format: str,
    max_diagnostics: int,
    quiet: bool,
) -> None:
    """Unite several expositions in one.

    INPUT is a file, a folder (all *.prom files in it and below), a glob pattern, or - for standard input.

    Labels apply to the one INPUT that follows them, and replace labels of the same name there:

    \b
      expofmt merge --label instance=db1 db1.prom --label instance=db2 db2.prom

    The result goes to stdout in canonical order, diagnostics go to stderr. If types contradict each other, or two
    inputs hold the same series and the policy does not say what to do, nothing is written and the exit code is 1.
    """
    labelled: _Labelled = click.get_current_context().meta[_LABELS_BY_INPUT]
    if labelled.rest:
        raise click.UsageError(f"--label {shortened(labelled.rest[0])} stands after the last INPUT: put it before one")
    label_sets = [_label_set(labels, names) for labels in labelled.by_input]
    complaints = Complaints()
    found: list[Diagnostic] = []
    files: dict[str, _File | None] = {}
    size = 0
    expositions: list[Exposition] = []
    for argument, labels in zip(inputs, label_sets, strict=True):
        reading = parsed(expanded([argument], complaints), complaints, found, names, max_diagnostics, quiet=quiet)
        for each, data, exposition in reading:
            file = files.setdefault(each.name, _File(each.name, data))
            # Standard input that is given twice is empty the second time: which of the two is meant is not known.
            files[each.name] = file if file and file.data == data else None
            size += len(data)
            expositions.append(_relabelled(exposition, labels))
    if complaints.any:
        finish(TROUBLE)
    text, shown = b"", found
    if not found:
        try:
            with working("merging", counted(len(expositions), "input"), size, quiet=quiet):
                united = merge(*expositions, policy=policy, on_warning=found.append)
                text = render(united, lossy=lossy, on_warning=found.append)
        except ExpositionError as error:
            found += error.diagnostics
        shown = _limited(found, max_diagnostics)
    tally = Tally()
    for diagnostic in found:
        tally.add(diagnostic)
    failed = tally.fails(fail_on)
    if (found and (failed or not quiet)) or report_format == "json":
        write_report([_with_lines(each, files) for each in shown], report_format, err=True)
    if failed:
        finish(FINDINGS)
    if output is None or str(output) == STDIO:
        sys.stdout.buffer.write(text)
        finish(CLEAN)
    try:
        write_output(output, text)
    except OSError as error:
        complaints.add(str(output), error)
        finish(TROUBLE)
    finish(CLEAN)


def _limited(found: list[Diagnostic], limit: int) -> list[Diagnostic]:
    """As many as are to be shown, errors rather than warnings, in their order; then the number of the others."""
    findings = [each for each in found if each.code is not Code.TOO_MANY_DIAGNOSTICS]
    if len(findings) <= limit:
        return found
    order = sorted(range(len(findings)), key=lambda index: findings[index].severity is not Severity.ERROR)
    shown = [findings[index] for index in sorted(order[:limit])]
    # The merge has a limit of its own, and its message begins with the number.
    before = sum(int(each.message.split()[0]) for each in found if each.code is Code.TOO_MANY_DIAGNOSTICS)
    details = {"count": str(len(findings) - limit + before)}
    place = Place.canonical(shown[-1].filename, "", "")
    return [*shown, Diagnostic.of_places(Code.TOO_MANY_DIAGNOSTICS, Severity.INFO, place, None, details)]


class _File(Source):
    """An input, where a merge, which knows of offsets at most, gets its line numbers from."""

    __slots__ = ("_metadata",)

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, data)
        self._metadata: dict[tuple[bytes, bytes], Span] | None = None

    def metadata_line(self, shown: str) -> Span | None:
        """Where the TYPE or HELP line stands that is shown in canonical spelling."""
        asked = _SHOWN_METADATA.match(shown.encode())
        if asked is None:
            return None
        if self._metadata is None:
            # All at once: a pass over the data for each line that is asked for takes minutes.
            found = [*_METADATA.finditer(self.data)]
            self._metadata = {(line[2], line[3]): Span(*line.span(1)) for line in reversed(found)}
        return self._metadata.get((asked[1], asked[2]))


def _with_lines(diagnostic: Diagnostic, files: Mapping[str, _File | None]) -> Diagnostic:
    """The diagnostic with line numbers, where it shows a line of an input."""
    related = diagnostic.related and _with_line(diagnostic.related, files)
    return replace(diagnostic, place=_with_line(diagnostic.place, files), related=related)


def _with_line(place: Place, files: Mapping[str, _File | None]) -> Place:
    file = files.get(place.filename)
    if place.line is not None or file is None:
        return place
    if place.span is not None:
        return place.located({file.name: file})
    span = file.metadata_line(place.excerpt)
    return Place.of(file, span, place.label) if span else place


__all__ = ["command"]
