"""``expofmt diff``: what changed between two expositions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from ..diagnostics import Diagnostic
from ..diff import Diff, FamilyDiff, diff
from ..model import Sample
from ..names import Names
from ..values import format_float
from .inputs import Complaints, Input
from .options import (
    CLEAN,
    FINDINGS,
    TROUBLE,
    finish,
    max_diagnostics_option,
    names_option,
    parsed,
    quiet_option,
    shows_color,
    write_report,
)

_KINDS = ("added", "removed", "changed", "type", "help", "unit")
_COLORS = {"+": "green", "-": "red", "~": "yellow"}


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--fail-on",
    type=click.Choice([*_KINDS, "any", "none"]),
    multiple=True,
    default=["any"],
    show_default=True,
    help="Which changes make the exit code 1: series added, removed or with a changed value; changes of a family's "
    "type, help or unit. May be repeated.",
)
@click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to list changes.",
)
@names_option
@max_diagnostics_option
@quiet_option
def command(
    old: str,
    new: str,
    fail_on: tuple[str, ...],
    output_format: str,
    names: Names,
    max_diagnostics: int,
    quiet: bool,
) -> None:
    """Tell what changed between two expositions.

    OLD and NEW are files, or - for standard input.

    Series are compared by name, labels and timestamp; order makes no difference. The exit code is 1 if there is a
    change of the kinds to fail on, or if an exposition does not parse.
    """
    if old == new == "-":
        raise click.UsageError("only one of OLD and NEW can be standard input")
    complaints = Complaints()
    refused: list[Diagnostic] = []
    reading = parsed([Input.of(old), Input.of(new)], complaints, refused, names, max_diagnostics, quiet=quiet)
    expositions = [exposition for _, _, exposition in reading]
    if refused:
        write_report(refused, "json" if output_format == "json" else "full", err=True)
    if complaints.any or refused:
        finish(TROUBLE if complaints.any else FINDINGS)
    changes = diff(*expositions)
    if not quiet:
        for line in _json(changes) if output_format == "json" else changes.lines():
            color = _COLORS.get(line.lstrip()[:1]) if output_format == "text" else None
            click.echo(click.style(line, fg=color) if color and shows_color() else line, color=shows_color())
    kinds = {kind for family in changes.families for kind in _kinds(family)}
    fails = kinds if "any" in fail_on else kinds.intersection(fail_on)
    finish(FINDINGS if fails else CLEAN)


def _kinds(family: FamilyDiff) -> Iterator[str]:
    samples = family.samples
    facts = (
        family.added or len(samples.added) > 0,
        family.removed or len(samples.removed) > 0,
        len(samples.new) > 0,
        family.type is not None,
        family.help is not None,
        family.unit is not None,
    )
    return (kind for kind, holds in zip(_KINDS, facts, strict=True) if holds)


def _json(changes: Diff) -> Iterator[str]:
    """One list of objects, an object a line. Values are text, since JSON has neither NaN nor infinity."""
    if not changes:
        yield "[]"
        return
    last = len(changes.families) - 1
    yield "["
    for index, family in enumerate(changes.families):
        yield f"  {json.dumps(_json_family(family))}{',' if index < last else ''}"
    yield "]"


def _json_family(family: FamilyDiff) -> dict[str, object]:
    samples = family.samples
    return {
        "family": family.name,
        "change": "added" if family.added else "removed" if family.removed else "changed",
        "type": family.type,
        "help": family.help,
        "unit": family.unit,
        "added": [{**_json_series(sample), "value": format_float(sample.value)} for sample in samples.added],
        "removed": [{**_json_series(sample), "value": format_float(sample.value)} for sample in samples.removed],
        "changed": [
            {**_json_series(before), "old": format_float(before.value), "new": format_float(after.value)}
            for before, after in zip(samples.old, samples.new, strict=True)
        ],
    }


def _json_series(sample: Sample) -> dict[str, object]:
    return {"name": sample.name, "labels": dict(sample.labels), "timestamp_ns": sample.timestamp_ns}


__all__ = ["command"]
