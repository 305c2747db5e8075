"""Metric families to exposition text, in canonical order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from . import engine
from .codes import Code, Severity
from .diagnostics import ConsistencyError, Diagnostic, Place
from .formats import Format
from .model import TEXT_SUFFIXES, Exposition, MetricFamily, MetricType, Sample
from .names import EscapingScheme, fitting_label_name, fitting_name

__all__ = ["losses_in_text", "render", "text_help"]

OnWarning = Callable[[Diagnostic], None]

# What the text format has no word for.
_NOT_IN_TEXT: Final = frozenset((MetricType.INFO, MetricType.STATESET, MetricType.GAUGEHISTOGRAM))


def render(
    exposition: Exposition | Iterable[MetricFamily],
    /,
    *,
    format: Format | None = None,
    escaping: EscapingScheme | None = None,
    lossy: bool = False,
    on_warning: OnWarning | None = None,
) -> bytes:
    """The canonical text: equal families give equal bytes, whatever their order, the machine or the engine.

    Families are sorted by name; in a family, samples with fewer labels come first, then label values decide, position
    by position. Labels are sorted by name, ``le`` and ``quantile`` last; buckets and quantiles ascend. Every sample
    given is written, duplicates too, and none is added. A family is written with its type (``untyped`` where it is
    unknown), and with its HELP where it has one. Numbers are spelt as Prometheus' own encoder does.

    ``format`` is that of the exposition where it is not given, and text otherwise. ``escaping`` is what happens to
    names that only UTF-8 readers take, and changes no order; they are written in quotes where it is not given.

    What the format cannot hold raises :class:`ConsistencyError`, or, with ``lossy``, is reported to ``on_warning`` and
    left out: exemplars, start timestamps, units, and what of a time is finer than a millisecond; a family of a type
    that it lacks becomes gauges, and HELP text that begins with blanks or ends with a carriage return loses those.
    Samples whose name does not belong to their family, families whose samples would be read as another's, and names
    that ``escaping`` makes one always raise it. Two families of one name in an iterable are a ``ValueError``.
    :attr:`Format.PROTOBUF` (length-delimited messages, for which the extra ``protobuf`` is needed) has metrics for
    samples, in the same order. It holds units, one exemplar of a counter or bucket, start timestamps of counters,
    histograms and summaries, and gauge histograms; but no histogram without a +Inf bucket, and none, nor a summary,
    without sum and count: a reader would add them.

    Safe to call from many threads.

    Prometheus "Exposition formats", text format 0.0.4 and 1.0.0.

    >>> render([MetricFamily.gauge("b", 2), MetricFamily.counter("a_total", 1, help="Help.")])
    b'# HELP a_total Help.\\n# TYPE a_total counter\\na_total 1\\n# TYPE b gauge\\nb 2\\n'
    """
    if isinstance(exposition, MetricFamily):
        raise TypeError("render takes an Exposition or families: write render([family])")
    if not isinstance(exposition, Exposition):
        exposition = Exposition(exposition)
    target = exposition.format if format is None else Format(format)
    scheme = EscapingScheme.ALLOW_UTF8 if escaping is None else EscapingScheme(escaping)
    if target not in (Format.TEXT, Format.PROTOBUF):
        raise ValueError(f"this version writes the text format and protobuf only, not {target}")
    if target is Format.PROTOBUF:
        return _protobuf(exposition, scheme, lossy, on_warning)
    if scheme is EscapingScheme.ALLOW_UTF8:
        # Nothing but the engine looks at a family that it has read and can write.
        text = engine.encode_plain(exposition.values() if exposition._scanned is None else exposition._scanned)
        if text is not None:
            return text
    families = sorted(exposition.values(), key=attrgetter("name"))
    faults = list(_foreign_samples(families, exposition.filename))
    losses = [loss for family in families for loss in losses_in_text(family, exposition.filename)]
    families = list(_fitted_to_text(families))
    families.sort(key=attrgetter("name"))
    faults += _collisions(families, scheme, exposition.filename)
    faults += _label_collisions(families, scheme, target, exposition.filename)
    _tell(faults, losses, lossy, on_warning)
    return engine.encode(families, format=target, escaping=scheme)


def _tell(
    faults: Sequence[Diagnostic], losses: Sequence[Diagnostic], lossy: bool, on_warning: OnWarning | None
) -> None:
    if faults or (losses and not lossy):
        raise ConsistencyError([*faults, *losses])
    if on_warning is not None:
        for loss in losses:
            on_warning(replace(loss, severity=Severity.WARNING))


def _protobuf(exposition: Exposition, scheme: EscapingScheme, lossy: bool, on_warning: OnWarning | None) -> bytes:
    # Loaded when it is asked for: it needs a package that few installations have.
    from .engine import protobuf

    filename = exposition.filename
    families = sorted(exposition.values(), key=lambda family: (fitting_name(family.name, scheme), family.name))
    faults = [*_foreign_samples(families, filename), *_collisions(families, scheme, filename)]
    faults += _label_collisions(families, scheme, Format.PROTOBUF, filename)
    losses: list[Diagnostic] = []

    def lost(family: MetricFamily, what: str, line: str) -> None:
        losses.append(_loss(family, what, line, Format.PROTOBUF, filename))

    data = protobuf.encode(families, escaping=scheme, on_loss=lost)
    _tell(faults, losses, lossy, on_warning)
    return data


def losses_in_text(family: MetricFamily, filename: str) -> Iterator[Diagnostic]:
    """What the text format drops of a family, each kind of it once.

    >>> [str(loss) for loss in losses_in_text(MetricFamily.gauge("a", 1, unit="s"), "a.prom")]
    ['a.prom: error[format-loss] the text format cannot hold units']
    """
    lost = []
    if family.type in _NOT_IN_TEXT:
        lost.append((f"type {family.type}", f"# TYPE {family.name} {family.type}"))
    if family.unit is not None:
        lost.append(("units", f"# UNIT {family.name} {family.unit}"))
    if family.help is not None and family.help != text_help(family.help):
        lost.append(("blanks before HELP text or a carriage return after it", f"# HELP {family.name}"))
    lost += [(what, str(family.samples[index])) for what, index in family.samples.losses_in_text()]
    yield from (_loss(family, what, line, Format.TEXT, filename) for what, line in lost)


def _loss(family: MetricFamily, what: str, line: str, format: Format, filename: str) -> Diagnostic:
    code = Code.TIMESTAMP_PRECISION if what == "timestamps" else Code.FORMAT_LOSS
    details = {"family": family.name, "what": what, "format": format.value, "series": line}
    return Diagnostic.of_places(code, Severity.ERROR, Place.canonical(filename, line, ""), None, details)


def _fitted_to_text(families: Iterable[MetricFamily]) -> Iterator[MetricFamily]:
    """The families in types that the text format has: one that it lacks becomes a gauge family for each name."""
    for family in families:
        help = None if family.help is None else text_help(family.help)
        if family.type not in _NOT_IN_TEXT:
            yield family if help == family.help else MetricFamily(family.name, family.type, help, None, family.samples)
            continue
        by_name: dict[str, list[Sample]] = {}
        for sample in family.samples:
            by_name.setdefault(sample.name, []).append(sample)
        for name, samples in (by_name or {family.name: []}).items():
            yield MetricFamily(name, MetricType.GAUGE, help, None, samples)


def text_help(help: str) -> str:
    """As much of a help text as a reader of the text format would get back.

    >>> text_help("  Jobs done.")
    'Jobs done.'
    """
    return help.lstrip(" \t").rstrip("\r")


def _foreign_samples(families: Iterable[MetricFamily], filename: str) -> Iterator[Diagnostic]:
    for family in families:
        own = {family.name, *(family.name + suffix for suffix in TEXT_SUFFIXES.get(family.type, ()))}
        for name in sorted(family.samples.names() - own):
            place = Place.canonical(filename, f"# TYPE {family.name} {family.type}", "")
            details = {"family": family.name, "sample": name}
            yield Diagnostic.of_places(Code.FOREIGN_SAMPLE, Severity.ERROR, place, None, details)


def _collisions(families: Iterable[MetricFamily], scheme: EscapingScheme, filename: str) -> Iterator[Diagnostic]:
    """Families that a reader would take for one, or whose samples for another's."""
    by_name: dict[str, MetricFamily] = {}
    for family in families:
        name = fitting_name(family.name, scheme)
        if name in by_name:
            yield _collision(by_name[name], family, filename)
        by_name[name] = family
    for name, family in by_name.items():
        for suffix in TEXT_SUFFIXES.get(family.type, ()):
            if name + suffix in by_name:
                yield _collision(family, by_name[name + suffix], filename)


def _label_collisions(
    families: Iterable[MetricFamily], scheme: EscapingScheme, format: Format, filename: str
) -> Iterator[Diagnostic]:
    """Label names that escaping makes one."""
    for family in families if scheme is not EscapingScheme.ALLOW_UTF8 else ():
        written: dict[str, str] = {}
        for name in sorted(family.samples.label_names()):
            other = written.setdefault(fitting_label_name(name, scheme), name)
            if other != name:
                what = f"labels `{other}` and `{name}` with escaping {scheme}"
                place = Place.canonical(filename, f"# TYPE {family.name} {family.type}", "")
                details = {"family": family.name, "what": what, "format": format.value}
                found = Diagnostic.of_places(Code.FORMAT_LOSS, Severity.ERROR, place, None, details)
                # No option allows for samples that cannot be told apart.
                yield replace(found, help=None)


def _collision(first: MetricFamily, second: MetricFamily, filename: str) -> Diagnostic:
    place, other = (
        replace(Place.canonical(filename, f"# TYPE {family.name} {family.type}", ""), caret=(7, 7 + len(family.name)))
        for family in (second, first)
    )
    return Diagnostic.of_places(Code.SUFFIX_COLLISION, Severity.ERROR, place, other, {})
