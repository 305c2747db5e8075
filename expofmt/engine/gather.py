"""What the Lark engine remembers of many owners: who holds which series, and a family that many have a part in."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Final

from ..formats import Format
from ..model import MetricFamily, MetricType, Samples
from ..names import EscapingScheme
from .columns import LarkSamples, pack
from .encoder import encode

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
    >>> index.add(pack([Sample("a", {}, 1)]), 7)
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

    def add(self, samples: Samples, owner: int) -> None:
        conflicts = self.conflicts(samples, owner)
        if conflicts:
            index, holder = conflicts[0]
            raise ValueError(f"sample {index} is of a series that owner {holder} holds")
        self._owners.update(dict.fromkeys(_fingerprints(samples), _number(owner)))

    def remove(self, samples: Samples, owner: int) -> None:
        owner = _number(owner)
        for series in _fingerprints(samples):
            if self._owners.get(series) == owner:
                del self._owners[series]


class Gathered:
    """The samples of a family, by owner; see :class:`expofmt.engine.seam.Gathered`.

    >>> from ..model import Sample
    >>> family = Gathered("a", MetricType.GAUGE)
    >>> family.put(pack([Sample("a", {"b": "2"}, 1)]), 0)
    >>> family.put(pack([Sample("a", {"b": "1"}, 1)]), 1)
    >>> family.text()
    b'a{b="1"} 1\\na{b="2"} 1\\n'
    """

    __slots__ = ("_held", "_name", "_text", "_type")

    def __init__(self, name: str, type: MetricType) -> None:
        self._name = name
        self._type = MetricType(type)
        self._held: dict[int, LarkSamples] = {}
        self._text: bytes | None = b""

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def put(self, samples: Samples, owner: int) -> None:
        owner = _number(owner)
        if not len(samples):
            self.remove(owner)
            return
        self._held[owner] = _lark_samples(samples).compact()
        self._text = None

    def remove(self, owner: int) -> None:
        if self._held.pop(_number(owner), None) is not None:
            self._text = None

    def owners(self) -> list[int]:
        return sorted(self._held)

    def samples(self) -> Samples:
        return pack(()).concat(*(self._held[owner] for owner in self.owners()))

    def text(self) -> bytes:
        if self._text is None:
            family = MetricFamily(self._name, self._type, samples=self.samples())
            written = encode([family], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
            # The first line tells the type.
            self._text = written.partition(b"\n")[2]
        return self._text


def _fingerprints(samples: Samples) -> Sequence[int]:
    return _lark_samples(samples).fingerprints()


def _lark_samples(samples: Samples) -> LarkSamples:
    return samples if isinstance(samples, LarkSamples) else pack(samples)
