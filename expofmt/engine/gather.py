"""What the Lark engine remembers of many owners: who holds which series, and a family that many have a part in."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from operator import index
from typing import Any, Final, NamedTuple

from ..model import MetricType, Samples
from .columns import LarkSamples, order_of, pack, pairs_of
from .encoder import written_samples

__all__ = ["Gathered", "SeriesIndex"]

# What the native engine numbers owners by is 32 bits wide.
_OWNERS: Final = 2**32


def _number(owner: int) -> int:
    if not 0 <= (number := index(owner)) < _OWNERS:
        raise ValueError(f"an owner is a number from 0 to {_OWNERS - 1}, not {number}")
    return number


class SeriesIndex:
    """Which owner holds which series; see :class:`expofmt.engine.seam.SeriesIndex`.

    >>> from ..model import Sample
    >>> index = SeriesIndex()
    >>> index.replace(7, [], [pack([Sample("a", {}, 1)])])
    >>> index.conflicts(pack([Sample("b", {}, 1), Sample("a", {}, 2)]), 8)
    [(1, 7)]
    """

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def conflicts(self, samples: Samples, owner: int) -> list[tuple[int, int]]:
        owner = _number(owner)
        holders = [self._owners.get(series, owner) for series in _fingerprints(samples)]
        return [(index, holder) for index, holder in enumerate(holders) if holder != owner]

    def allows(self, owner: int, old: Sequence[Samples], new: Sequence[Samples]) -> bool:
        before, after = _together(old), _together(new)
        return _are_of_same_series(before, after) or not self.conflicts(after, owner)

    def replace(self, owner: int, old: Sequence[Samples], new: Sequence[Samples]) -> None:
        owner = _number(owner)
        before, after = _together(old), _together(new)
        if _are_of_same_series(before, after):
            return
        conflicts = self.conflicts(after, owner)
        if conflicts:
            raise _refused(*conflicts[0])
        for series in _fingerprints(before):
            if self._owners.get(series) == owner:
                del self._owners[series]
        self._owners.update(dict.fromkeys(_fingerprints(after), owner))


class _Line(NamedTuple):
    """A line of a text, and which of an owner's samples it tells."""

    owner: int
    row: int
    text: str


class Gathered:
    """The samples of a family, by owner; see :class:`expofmt.engine.seam.Gathered`.

    >>> from ..model import Sample
    >>> family = Gathered("a", MetricType.GAUGE)
    >>> family.put(pack([Sample("a", {"b": "2"}, 1)]), 0)
    >>> family.put(pack([Sample("a", {"b": "1"}, 1)]), 1)
    >>> family.text()
    b'a{b="1"} 1\\na{b="2"} 1\\n'
    """

    __slots__ = ("_changed", "_held", "_lines", "_name", "_order", "_text", "_type")

    def __init__(self, name: str, type: MetricType) -> None:
        self._name = name
        self._type = MetricType(type)
        self._held: dict[int, LarkSamples] = {}
        # The owners whose samples are not those of the lines.
        self._changed: set[int] = set()
        self._lines: list[_Line] = []
        self._text = b""
        self._order = order_of(name, self._type)

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def put(self, samples: Samples, owner: int) -> None:
        owner = _number(owner)
        if not len(samples):
            self.remove(owner)
            return
        # First, so that an interrupt leaves no lines of what is not held.
        self._changed.add(owner)
        self._held[owner] = _lark_samples(samples).compact()

    def remove(self, owner: int) -> None:
        owner = _number(owner)
        if owner in self._held:
            self._changed.add(owner)
            del self._held[owner]

    def owners(self) -> list[int]:
        return sorted(self._held)

    def samples(self) -> Samples:
        return pack(()).concat(*(self._held[owner] for owner in self.owners()))

    def text(self) -> bytes:
        if self._changed:
            self._lines = self._merged()
            self._text = "".join([line.text for line in self._lines]).encode()
            self._changed.clear()
        return self._text

    def _merged(self) -> list[_Line]:
        lines = [line for line in self._lines if line.owner not in self._changed]
        fresh = [line for owner in self._changed & self._held.keys() for line in self._written(owner)]
        # A few find their places by binary search; sort keys take too much to keep all, or to make all for those.
        if len(fresh) * len(lines).bit_length() < len(lines):
            for line in fresh:
                insort(lines, line, key=self._key)
            return lines
        return sorted(lines + fresh, key=self._key)

    def _written(self, owner: int) -> Iterator[_Line]:
        for row, text in enumerate(written_samples(self._name, self._type, self._held[owner])):
            yield _Line(owner, row, text)

    def _key(self, line: _Line) -> tuple[Any, ...]:
        columns = self._held[line.owner].columns
        name, labels = columns.names[line.row], pairs_of(columns.labels[line.row])
        return *self._order(name, labels, columns.times.get(line.row)), line.owner, line.row


def _together(samples: Sequence[Samples]) -> LarkSamples:
    return pack(()).concat(*samples)


def _are_of_same_series(some: LarkSamples, others: LarkSamples) -> bool:
    """As far as their texts show."""
    return some.columns.names == others.columns.names and some.columns.labels == others.columns.labels


def _refused(index: int, holder: int) -> ValueError:
    return ValueError(f"sample {index} is of a series that owner {holder} holds")


def _fingerprints(samples: Samples) -> Sequence[int]:
    return _lark_samples(samples).fingerprints()


def _lark_samples(samples: Samples) -> LarkSamples:
    return samples if isinstance(samples, LarkSamples) else pack(samples)
