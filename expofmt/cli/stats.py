"""``expofmt stats``: how many series there are, and which families and labels they come from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import click

from ..diagnostics import Diagnostic
from ..model import Exposition, MetricFamily, Samples
from ..names import Names
from ..quoting import visible
from .inputs import Complaints, expanded
from .options import (
    CLEAN,
    FINDINGS,
    TROUBLE,
    counted,
    finish,
    inputs_argument,
    max_diagnostics_option,
    names_option,
    parsed,
    quiet_option,
    write_report,
)

_DEFAULT_TOP = 10


class FamilyCount(NamedTuple):
    """A family's series, and how many values each of its labels has."""

    name: str
    type: str
    series: int
    labels: dict[str, int]


class LabelCount(NamedTuple):
    """A label's distinct values, and in how many families it occurs."""

    name: str
    values: int
    families: int


class Statistics(NamedTuple):
    """The counts of one or more expositions together, the largest first."""

    inputs: int
    series: int
    families: list[FamilyCount]
    labels: list[LabelCount]


def statistics(expositions: Sequence[Exposition]) -> Statistics:
    """Count the series of several expositions, those of the same name as one family.

    A series is counted once in each exposition, at however many times it has samples.

    >>> from expofmt import parse
    >>> found = statistics([parse('a{x="1"} 1\\na{x="2"} 1\\nb 1\\n')])
    >>> found.series, found.families[0], found.labels
    (3, FamilyCount(name='a', type='unknown', series=2, labels={'x': 2}), [LabelCount(name='x', values=2, families=1)])
    """
    members: dict[str, list[MetricFamily]] = {}
    for exposition in expositions:
        for family in exposition.values():
            members.setdefault(family.name, []).append(family)
    families = [_family_count(group) for group in members.values()]
    families.sort(key=lambda family: (-family.series, family.name))
    uses = Counter(label for family in families for label in family.labels)
    everything = _concatenated(family.samples for group in members.values() for family in group)
    values = everything.label_cardinality() if everything is not None else {}
    labels = [LabelCount(name, number, uses[name]) for name, number in values.items()]
    labels.sort(key=lambda label: (-label.values, label.name))
    return Statistics(len(expositions), sum(family.series for family in families), families, labels)


def _family_count(group: Sequence[MetricFamily]) -> FamilyCount:
    first = group[0]
    samples = first.samples.concat(*(family.samples for family in group[1:]))
    series = sum(_series(family.samples) for family in group)
    cardinality = sorted(samples.label_cardinality().items(), key=lambda item: (-item[1], item[0]))
    return FamilyCount(first.name, first.type.value, series, dict(cardinality))


def _series(samples: Samples) -> int:
    return len(set(samples.fingerprints())) if samples.has_timestamps else len(samples)


def _concatenated(parts: Iterable[Samples]) -> Samples | None:
    found = list(parts)
    return found[0].concat(*found[1:]) if found else None


@click.command("stats")
@inputs_argument
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"How many families and labels are listed, the largest first.  [default: {_DEFAULT_TOP}; with json all]",
)
@click.option(
    "--max-series",
    type=click.IntRange(min=0),
    metavar="N",
    help="A budget: with more series than this, the exit code is 1.",
)
@click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to list counts.",
)
@names_option
@max_diagnostics_option
@quiet_option
def command(
    inputs: tuple[str, ...],
    top: int | None,
    max_series: int | None,
    output_format: str,
    names: Names,
    max_diagnostics: int,
    quiet: bool,
) -> None:
    """Count series by family and by label.

    INPUT is a file, a folder (all *.prom files in it and below), a glob pattern, or - for standard input. Several
    inputs are counted together.

    If one of them does not parse or cannot be read, no counts are printed, since they would be those of a part only.
    The diagnostics of all go to stderr, and the exit code is 1, or 2 if one cannot be read.
    """
    complaints = Complaints()
    refused: list[Diagnostic] = []
    reading = parsed(expanded(inputs, complaints), complaints, refused, names, max_diagnostics, quiet=quiet)
    expositions = [exposition for _, _, exposition in reading]
    if refused:
        write_report(refused, "json" if output_format == "json" else "full", err=True)
    if refused or complaints.any:
        finish(TROUBLE if complaints.any else FINDINGS)
    found = statistics(expositions)
    if not quiet:
        for line in _json(found, top) if output_format == "json" else _text(found, top or _DEFAULT_TOP):
            click.echo(line)
    if max_series is not None and found.series > max_series:
        if not quiet:
            number = counted(found.series, "series is", "series are")
            click.echo(f"expofmt: {number} over the budget of {max_series:,}", err=True)
        finish(FINDINGS)
    finish(CLEAN)


def _text(found: Statistics, top: int) -> Iterator[str]:
    families = counted(len(found.families), "family", "families")
    yield f"{found.series:,} series in {families}, {counted(found.inputs, 'input')}"
    if found.families:
        yield ""
        yield f"{'series':>10}  {'share':>6}  family"
    for family in found.families[:top]:
        share = family.series / found.series if found.series else 0
        labels = ", ".join(f"{visible(name)} {values:,}" for name, values in family.labels.items())
        described = f"{visible(family.name)} ({family.type}{'; ' if labels else ''}{labels})"
        yield f"{family.series:>10,}  {share:>6.1%}  {described}"
    if len(found.families) > top:
        rest = sum(family.series for family in found.families[top:])
        yield f"{rest:>10,}  {rest / found.series if found.series else 0:>6.1%}  {len(found.families) - top:,} more"
    if found.labels:
        yield ""
        yield f"{'values':>10}  {'':>6}  label"
    for label in found.labels[:top]:
        families = counted(label.families, "family", "families")
        yield f"{label.values:>10,}  {'':>6}  {visible(label.name)} (in {families})"
    if len(found.labels) > top:
        yield f"{'':>10}  {'':>6}  {len(found.labels) - top:,} more"


def _json(found: Statistics, top: int | None) -> Iterator[str]:
    record = {
        "inputs": found.inputs,
        "series": found.series,
        "families": len(found.families),
        "labels": len(found.labels),
        "by_family": [family._asdict() for family in found.families[:top]],
        "by_label": [label._asdict() for label in found.labels[:top]],
    }
    yield json.dumps(record, indent=2)


__all__ = ["FamilyCount", "LabelCount", "Statistics", "command", "statistics"]
