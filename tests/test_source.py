import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt.source import Source, Span

PIECES = [
    b"a",
    b" ",
    b"\n",
    b"\r\n",
    b"\t",
    b"\0",
    b"\xff",
    b"\x80",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
]
CHARACTERS = ["é", "花", "😱", "e\u0301", "\u0085", "\u2028"]
pieces = st.sampled_from([*PIECES, *(text.encode() for text in CHARACTERS)])
inputs = st.lists(pieces, max_size=30).map(b"".join) | st.binary(max_size=30)


def positions(data: bytes) -> list[tuple[int, int]]:
    """The position of each offset, and of the end, by walking through the characters one by one."""
    found = []
    line = column = 1
    for character in data.decode("utf-8", "surrogateescape"):
        found += [(line, column)] * len(character.encode("utf-8", "surrogateescape"))
        line, column = (line + 1, 1) if character == "\n" else (line, column + 1)
    return [*found, (line, column)]


@given(inputs)
def test_each_offset_has_the_position_of_its_character(data: bytes) -> None:
    source = Source("x", data)
    assert [source.position(offset) for offset in range(len(data) + 1)] == positions(data)


@given(inputs)
def test_each_position_has_the_offset_of_its_character(data: bytes) -> None:
    source = Source("x", data)
    for offset in range(len(data) + 1):
        assert source.offset(*source.position(offset)) == source.character_start(offset)
    line, column = source.position(len(data))
    assert source.offset(line, column + 1) == len(data)
    with pytest.raises(ValueError):
        source.offset(line + 1, 1)


@given(inputs)
def test_characters_are_cut_where_they_start(data: bytes) -> None:
    source = Source("x", data)
    starts = [source.character_start(offset) for offset in range(len(data) + 1)]
    whole = data.decode("utf-8", "surrogateescape")
    assert len(set(starts)) == len(whole) + 1
    assert all(source.text(0, start) + source.text(start, len(data)) == whole for start in starts)


@given(inputs)
def test_the_line_span_holds_the_offset_and_no_line_feed(data: bytes) -> None:
    source = Source("x", data)
    for offset in range(len(data) + 1):
        start, end = source.line_span(offset)
        assert start <= offset <= end
        assert b"\n" not in data[start:end]
        assert start == 0 or data[start - 1 : start] == b"\n"
        assert end == len(data) or data[end : end + 1] == b"\n"


@pytest.mark.parametrize(
    ("data", "offset", "position", "line"),
    [
        (b"", 0, (1, 1), b""),
        (b"a 1", 3, (1, 4), b"a 1"),
        (b"a 1\n", 3, (1, 4), b"a 1"),
        (b"a 1\n", 4, (2, 1), b""),
        (b"a 1\r\nb 2\r\n", 3, (1, 4), b"a 1\r"),
        (b"a 1\r\nb 2\r\n", 5, (2, 1), b"b 2\r"),
        (b"a\rb\x0bc\x0cd\xc2\x85e\xe2\x80\xa8f", 13, (1, 11), b"a\rb\x0bc\x0cd\xc2\x85e\xe2\x80\xa8f"),
        (b'a{b="\xff"} 1', 5, (1, 6), b'a{b="\xff"} 1'),
        (b'a{b="\xff\xfe"} 1', 7, (1, 8), b'a{b="\xff\xfe"} 1'),
        ("é😱x".encode(), 1, (1, 1), "é😱x".encode()),
        ("é😱x".encode(), 5, (1, 2), "é😱x".encode()),
        ("é😱x".encode(), 6, (1, 3), "é😱x".encode()),
    ],
)
def test_places(data: bytes, offset: int, position: tuple[int, int], line: bytes) -> None:
    source = Source("x", data)
    assert source.position(offset) == position
    assert data[slice(*source.line_span(offset))] == line


@pytest.mark.parametrize("width", [1, 7, 64, 65535, 65536, 65537, 300_000])
def test_lines_are_counted_across_the_blocks_of_the_index(width: int) -> None:
    data = (b"x" * (width - 1) + b"\n") * (300_000 // width)
    source = Source("x", data)
    for border in range(0, len(data) + 1, 65536):
        for offset in {border - 1, border, border + 1, len(data)}:
            if 0 <= offset <= len(data):
                assert source.position(offset) == (offset // width + 1, offset % width + 1)
                assert source.offset(offset // width + 1, offset % width + 1) == offset


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_outside_of_the_data_is_refused(offset: int) -> None:
    source = Source("push.prom", b"a 1")
    with pytest.raises(ValueError, match=f"offset {offset} is outside of the 3 bytes of push.prom"):
        source.position(offset)
    with pytest.raises(ValueError, match=f"offset {offset} is outside of the 3 bytes of push.prom"):
        source.line_span(offset)


def test_a_source_can_be_pickled() -> None:
    source = pickle.loads(pickle.dumps(Source("x", b"a\nb")))
    assert (source.name, source.data, source.position(2)) == ("x", b"a\nb", (2, 1))


def test_repr_does_not_show_the_data() -> None:
    assert repr(Source("x", b"secret")) == "<Source 'x', 6 bytes>"


def test_a_span_is_a_pair() -> None:
    assert Span(1, 2) == (1, 2)
