"""What crosses the seam between an engine and the layers above it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..formats import Format
from ..model import MetricFamily, MetricType, Sample, Samples
from ..names import EscapingScheme
from ..source import Span


class Excerpt(NamedTuple):
    """What is shown of an input that has no lines, as text: what is found at the place, with what stands around it.

    >>> Excerpt("# TYPE ", "a", " gauge").found
    'a'
    """

    before: str
    found: str
    after: str


class Fault(NamedTuple):
    """A fault or finding of one pass: a diagnostic code and byte offsets; -1 where nothing is related.

    In text, what stands there is what is shown. Else there are excerpts, and what a message is to say besides.

    >>> Fault("missing-value", 1, 1).related_start
    -1
    """

    code: str
    start: int
    end: int
    related_start: int = -1
    related_end: int = -1
    excerpt: Excerpt | None = None
    related_excerpt: Excerpt | None = None
    details: tuple[tuple[str, str], ...] = ()


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


class SeriesIndex(Protocol):
    """Which owner holds which series (name and labels; timestamps take no part).

    Owners are numbers from 0 to 2**32 - 1, and any other number is a ValueError. Series are told apart by their
    :meth:`~expofmt.Samples.fingerprints`. Each method costs what the samples given cost, however many series there are.
    Whoever shares it between threads sees to it that there is one call at a time; another one may be a RuntimeError.
    """

    def conflicts(self, samples: Samples, owner: int) -> list[tuple[int, int]]:
        """The samples whose series another owner holds: (index, that owner), by index."""

    def allows(self, owner: int, old: Sequence[Samples], new: Sequence[Samples]) -> bool:
        """Whether :meth:`replace` would be done, and no ValueError."""

    def replace(self, owner: int, old: Sequence[Samples], new: Sequence[Samples]) -> None:
        """Let an owner hold the series of new samples instead of those of old ones; both may be of many families.

        Of the old ones, as many are forgotten as it holds; of the new ones, it may hold some already. What another
        owner holds is a ValueError, and nothing is changed. Where both are of the same series in the same order, as
        most pushes are, it holds them already, and no fingerprint is made.
        """

    def __len__(self) -> int:
        """The number of series."""


class Gathered(Protocol):
    """The samples of one family from several owners, and their canonical text.

    Owners are numbers, and threads take turns, as they do with a :class:`SeriesIndex`.
    """

    def put(self, samples: Samples, owner: int) -> None:
        """Let these samples take the place of what the owner had.

        They are kept without a hold on an input; compact ones as they are, a slice of them with what it is a slice of.
        An owner of no samples is none.
        """

    def remove(self, owner: int) -> None:
        """Forget what the owner had, if it had anything."""

    def owners(self) -> list[int]:
        """Those that have samples, in ascending order."""

    def samples(self) -> Samples:
        """The samples of all owners, in the order of these, each owner's in the order given."""

    def text(self) -> bytes:
        """The sample lines as :meth:`Engine.encode` writes them for :meth:`samples`, names unescaped.

        It is the same object as before if nothing was put, nor anything removed, since then. To make it costs a copy
        of the text, and what was changed.
        """

    def __len__(self) -> int:
        """The number of samples."""


MakeSeriesIndex = Callable[[], SeriesIndex]
MakeGathered = Callable[[str, MetricType], Gathered]


class Engine(Protocol):
    """The functions and classes that an engine module has."""

    SeriesIndex: MakeSeriesIndex
    Gathered: MakeGathered

    def scan(
        self, data: bytes, dialect: Format, /, *, recover: bool = True, comments: bool = False, max_faults: int = 1000
    ) -> Scan:
        """Read an exposition. Without ``recover`` it ends at the first line that a plain parse refuses."""

    def suspects(self, families: Sequence[ScannedFamily], /, *, timed: bool = False) -> Iterable[int]:
        """The indices, in order, of families that may break a rule: whose samples may have ``duplicates`` or
        ``histogram_faults``, or, if ``timed`` ones are asked for, times. To ask no others spares a question to each of
        hundreds.
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

        Samples and labels are in the order of the names as they are before these are escaped.

        With ``literals``, a value whose canonical spelling would denote another number (an integer beyond float64,
        a negative zero) keeps the spelling of its input.
        """

    def encode_exact(self, families: Sequence[MetricFamily], /) -> bytes:
        """Text that reads back as families equal to these, as far as the text format holds what they say; families and
        samples in the order given, bounds as they are spelt. A value whose canonical spelling would denote another
        number has one that denotes it.
        """


__all__ = [
    "Engine",
    "Excerpt",
    "Fault",
    "Gathered",
    "MakeGathered",
    "MakeSeriesIndex",
    "Scan",
    "ScannedFamily",
    "SeriesIndex",
]
