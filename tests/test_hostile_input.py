"""Input that is meant to harm: the answer is sane, and takes no more memory than the input allows for."""

from __future__ import annotations

import runpy
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from expofmt import Code, ExpositionError, check, parse
from expofmt.cli.fmt import format_text
from expofmt.codes import verdict
from expofmt.diagnostics import EXCERPT_BYTES
from expofmt.source import Source, Span

HOSTILE: dict[str, Any] = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "hostile.py"))["HOSTILE"]
SIZE = 100_000
# What is needed for the diagnostics that are kept, and where a list grows.
CONSTANT = 500_000


@pytest.mark.parametrize("name", HOSTILE)
def test_the_first_diagnostic_says_what_is_wrong(name: str, engine: str) -> None:
    found = check(HOSTILE[name].make(20_000), max_diagnostics=20)
    assert (str(found[0].code) if found else None) == HOSTILE[name].code
    assert len(found) <= 21
    for diagnostic in found:
        assert len(diagnostic.place.excerpt.encode("utf-8", "surrogateescape")) <= EXCERPT_BYTES
        assert len(diagnostic.message) <= EXCERPT_BYTES
        assert len(diagnostic.place.label) <= EXCERPT_BYTES
        assert len(diagnostic.help or "") <= 4 * EXCERPT_BYTES


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded_by_the_input(name: str, engine: str) -> None:
    data = HOSTILE[name].make(SIZE)
    check(b"a 1\n")  # what is made once, such as the compiled grammar, does not count
    tracemalloc.start()
    try:
        check(data, max_diagnostics=20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= HOSTILE[name].memory * len(data) + CONSTANT


@pytest.mark.parametrize("name", ["line feeds", "long comment", "comments", "comments and blank lines"])
def test_memory_of_formatting_is_bounded_by_the_input(name: str, engine: str) -> None:
    data = HOSTILE[name].make(4 * SIZE)
    format_text(b"# about a\na 1\n")
    tracemalloc.start()
    try:
        formatted = format_text(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert formatted.count(b"#") == data.count(b"#")
    assert peak <= 4 * len(data) + CONSTANT


@pytest.mark.parametrize("name", HOSTILE)
def test_parse_refuses_what_is_fatal(name: str, engine: str) -> None:
    data, code = HOSTILE[name].make(20_000), HOSTILE[name].code
    if code is not None and verdict(Code(code)).fatal:
        with pytest.raises(ExpositionError):
            parse(data, max_diagnostics=20)
    else:
        assert parse(data, max_diagnostics=20) == parse(data)


def test_what_stands_after_a_long_value_is_found_at_its_column(engine: str) -> None:
    before = 'a{b="' + "é" * 100_000 + '",'
    found = check(before + "c=1} 2\n")
    assert [(each.code, each.column) for each in found] == [(Code.UNQUOTED_LABEL_VALUE, len(before) + 3)]


def test_each_fault_of_a_long_line_has_its_column(engine: str) -> None:
    labels = ['b="' + "花" * 50_000 + '"', 'b="\\x"', 'c="😱"'] * 3
    found = check("a{" + ",".join(labels) + "} 1\n")
    duplicates = [each.column for each in found if each.code is Code.DUPLICATE_LABEL]
    columns = [len("a{" + ",".join(labels[:number]) + ",") + 1 for number in range(1, len(labels))]
    assert duplicates == [columns[number - 1] for number in (1, 3, 4, 5, 6, 7, 8)]


@pytest.mark.parametrize("block", [1, 2, 8])
def test_places_in_lines_longer_than_a_block_of_the_index(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expofmt.source._BLOCK_BITS", block)
    monkeypatch.setattr("expofmt.source._BLOCK", 1 << block)
    lines = ["", "a", "é花😱\udcff" * 3, "", "x" * 9, "é" * 700, ""]
    data = "\n".join(lines).encode("utf-8", "surrogateescape")
    source, offset = Source("x", data), 0
    for number, line in enumerate(lines, 1):
        end = offset + len(line.encode("utf-8", "surrogateescape"))
        start = offset
        for column, character in enumerate(line + "\n", 1):
            assert source.position(offset) == (number, column)
            assert source.line_span(offset) == Span(start, end)
            offset += len(character.encode("utf-8", "surrogateescape"))
