"""Bytes with a name, and where in them a byte offset lies for a human reader."""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from typing import NamedTuple

__all__ = ["Source", "Span"]

_BLOCK_BITS = 16
_BLOCK = 1 << _BLOCK_BITS


class Span(NamedTuple):
    """A half-open range of byte offsets, ``start`` included and ``end`` not.

    >>> Span(2, 5)
    Span(start=2, end=5)
    >>> b"a{b} 1"[slice(*Span(2, 3))]
    b'b'
    """

    start: int
    end: int


class Source:
    """The bytes of one input, and the name under which messages speak of it.

    Offsets count bytes from 0; lines and columns count from 1. Lines end at LF (0x0A) and nowhere else: CR, U+0085
    and U+2028 are characters like any other. Columns count code points, and a byte that is not part of well-formed
    UTF-8 is one column of its own, so every byte of any input has a place.

    The source refers to ``data`` and never changes it. It may be shared by threads: the line index is made on the first
    question about a line, and making it twice gives the same index.

    >>> source = Source("push.prom", "# TYPE a gauge\\na{b=\\"é\\",c=1} 2\\n".encode())
    >>> source.position(15)
    (2, 1)
    >>> source.position(24)
    (2, 9)
    """

    __slots__ = ("_characters_before", "_lines_before", "data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        # Number of LF before each block of 2**_BLOCK_BITS bytes. It grows with the bytes and not with the lines, so a
        # file of many short lines costs no more than one pass of bytes.count.
        self._lines_before: list[int] | None = None
        # Number of characters before each block, for lines longer than one.
        self._characters_before: list[int] | None = None

    def __repr__(self) -> str:
        return f"<Source {self.name!r}, {len(self.data)} bytes>"

    def position(self, offset: int) -> tuple[int, int]:
        """The line and the column of a byte, both counted from 1.

        Any offset from 0 to ``len(data)`` inclusive has a position. The LF belongs to the line it ends, one column past
        the line's last character; the end of the data is one column past the last character, or column 1 of the next
        line if the data ends with LF. An offset inside a multi-byte character is at that character's column.

        The first question may take a pass over the data, all others at most the time for two blocks of it, however long
        the line is. Raises ValueError if the offset is outside of the data.

        >>> Source("a.prom", b"a 1\\nb").position(5)
        (2, 2)
        >>> Source("a.prom", b'{b="\\xff"}').position(5)
        (1, 6)
        """
        start = self._line_start(offset)
        end = self.character_start(offset)
        if end - start <= _BLOCK:
            return self._line_number(offset), len(self.text(start, end)) + 1
        return self._line_number(offset), self._characters(end) - self._characters(start) + 1

    def offset(self, line: int, column: int) -> int:
        """The byte at a line and a column, of which :meth:`position` tells these; the line's end for columns beyond it.

        Takes what :meth:`position` takes. Raises ValueError if there is no such line.

        >>> Source("a.prom", b"a 1\\nb").offset(2, 1)
        4
        """
        start = 0
        if line > 1:
            before = self._lines()
            number = bisect_left(before, line - 1) - 1  # the block that has the LF before the line
            start = number << _BLOCK_BITS
            for _ in range(line - 1 - before[number]):
                start = self.data.index(b"\n", start) + 1
        end = self.data.find(b"\n", start)
        text = self.text(start, len(self.data) if end < 0 else end)
        return start + len(text[: column - 1].encode("utf-8", "surrogateescape"))

    def line_span(self, offset: int) -> Span:
        """The bytes of the line that holds the offset, without its LF (and with its CR, if there is one).

        The same offsets are allowed as for `position`, and the LF belongs to the line it ends. Raises ValueError if
        the offset is outside of the data.

        >>> Source("a.prom", b"a 1\\nb 2\\n").line_span(4)
        Span(start=4, end=7)
        """
        return Span(self._line_start(offset), self._line_end(offset))

    def text(self, start: int, end: int) -> str:
        """The characters of a range of bytes; a byte that is no UTF-8 becomes a lone surrogate, one character.

        The range is cut to the data, as a slice is. It should begin and end between characters: the bytes of one that
        it cuts through are no UTF-8 by themselves.

        >>> Source("a.prom", b'a{b="c"} 1').text(2, 7)
        'b="c"'
        """
        return self.data[start:end].decode("utf-8", "surrogateescape")

    def character_start(self, offset: int) -> int:
        """Where the well-formed character begins that the offset is inside of, else the offset itself.

        >>> source = Source("a.prom", "éa".encode())
        >>> [source.character_start(offset) for offset in range(4)]
        [0, 0, 2, 3]
        """
        if self.data[offset : offset + 1] < b"\x80":  # most are ASCII, and the end is no byte at all
            return offset
        for start in range(offset - 1, max(0, offset - 3) - 1, -1):
            character = self.text(start, start + 4)[0]
            if start + len(character.encode("utf-8", "surrogateescape")) > offset:
                return start
        return offset

    def _line_start(self, offset: int) -> int:
        if not 0 <= offset <= len(self.data):
            raise ValueError(f"offset {offset} is outside of the {len(self.data)} bytes of {self.name}")
        number = offset >> _BLOCK_BITS
        found = self.data.rfind(b"\n", number << _BLOCK_BITS, offset)
        if found < 0:
            before = self._lines()
            number = bisect_left(before, before[number]) - 1  # the last block before it that has an LF
            if number >= 0:
                found = self.data.rfind(b"\n", number << _BLOCK_BITS, (number + 1) << _BLOCK_BITS)
        return found + 1

    def _line_end(self, offset: int) -> int:
        number = offset >> _BLOCK_BITS
        found = self.data.find(b"\n", offset, (number + 1) << _BLOCK_BITS)
        before = self._lines()
        if found < 0 and number + 1 < len(before):
            number = bisect_right(before, before[number + 1]) - 1  # the first block after it that has an LF
            found = self.data.find(b"\n", number << _BLOCK_BITS)
        return len(self.data) if found < 0 else found

    def _line_number(self, offset: int) -> int:
        number = offset >> _BLOCK_BITS
        return self._lines()[number] + self.data.count(b"\n", number << _BLOCK_BITS, offset) + 1

    def _lines(self) -> list[int]:
        if self._lines_before is None:
            starts = range(0, len(self.data), _BLOCK)
            counts = (self.data.count(b"\n", start, start + _BLOCK) for start in starts)
            self._lines_before = list(accumulate(counts, initial=0))
        return self._lines_before

    def _characters(self, end: int) -> int:
        """How many characters stand before one."""
        if self._characters_before is None:
            starts = [self.character_start(start) for start in range(0, len(self.data) + 1, _BLOCK)]
            counts = (len(self.text(first, last)) for first, last in pairwise(starts))
            self._characters_before = list(accumulate(counts, initial=0))
        number = end >> _BLOCK_BITS
        return self._characters_before[number] + len(self.text(self.character_start(number << _BLOCK_BITS), end))
