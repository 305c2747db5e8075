"""What crosses the seam between an engine and the layers above it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..formats import Format
from ..model import MetricFamily, MetricType, Sample, Samples
from ..names import EscapingScheme
from ..source import Span


class Fault(NamedTuple):
    """A fault or finding of one pass: a diagnostic code and byte offsets; -1 where nothing is related.

    >>> Fault("missing-value", 1, 1).related_start
    -1
    """

    code: str
    start: int
    end: int
    related_start: int = -1
    related_end: int = -1


class ScannedFamily(NamedTuple):
    """A family as read; ``start`` and ``end`` enclose all its lines, metadata included.

    It is not ``complete`` if a line of it was refused, so that what is missing is no fault of its own.

    >>> ScannedFamily._fields
    ('name', 'type', 'help', 'unit', 'samples', 'start', 'end', 'complete')
    """

    name: str
    type: MetricType
    help: str | None
    unit: str | None
    samples: Samples
    start: int
    end: int
    complete: bool


class Scan(NamedTuple):
    """All that one pass over an input found.

    ``families`` are in order of first mention, and may be made when they are looked at; ``faults`` in order of offset,
    for each code the first ones up to the limit asked for. ``suppressed`` counts those beyond it, by code; refused
    lines beyond it are not told apart, and count under ``too-many-diagnostics``. ``comments`` are runs of comment lines
    with nothing but blank lines between them, from the first ``#`` to the end of the last line.

    >>> Scan([], [], [], {}).families
    []
    """

    families: Sequence[ScannedFamily]
    faults: list[Fault]
    comments: list[Span]
    suppressed: Mapping[str, int]


class Engine(Protocol):
    """The functions that an engine module has."""

    def scan(
        self, data: bytes, dialect: Format, /, *, recover: bool = True, comments: bool = False, max_faults: int = 1000
    ) -> Scan:
        """Read an exposition. Without ``recover`` it ends at the first line that a plain parse refuses."""

    def suspects(self, families: Sequence[ScannedFamily], /) -> Iterable[int]:
        """The indices, in order, of families that may break a rule: whose samples may have ``duplicates`` or
        ``histogram_faults``. To ask no others spares a question to each of hundreds.
        """

    def encode_plain(self, families: Collection[MetricFamily] | Collection[ScannedFamily], /) -> bytes | None:
        """Canonical text of families, which it sorts by name, if the text format holds all that they say and reads back
        as the same. No two are of one name. None says nothing: somebody has to look closer.
        """

    def assemble(self, families: Sequence[ScannedFamily], /) -> dict[str, MetricFamily]:
        """The families by name, in the order given."""

    def pack(self, samples: Iterable[Sample], /) -> Samples:
        """Columns from objects."""

    def encode(
        self,
        families: Sequence[MetricFamily],
        /,
        *,
        format: Format,
        escaping: EscapingScheme,
        literals: bool = False,
    ) -> bytes:
        """Canonical text; families in the order given, the samples of each in canonical order.

        With ``literals``, a value whose canonical spelling would denote another number (an integer beyond float64,
        a negative zero) keeps the spelling of its input.
        """


__all__ = ["Engine", "Fault", "Scan", "ScannedFamily"]
