"""iter_families(): as parse(), a part of the file at a time, wherever the parts happen to end."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import (
    Code,
    ConsistencyError,
    Diagnostic,
    ExpositionError,
    Format,
    MetricFamily,
    check,
    iter_families,
    parse,
)
from expofmt.strategies import exposition_text

SCRAPES = sorted((Path(__file__).parent / "data").glob("*.prom"))

pytestmark = pytest.mark.usefixtures("engine")

# The package has the function of that name.
MODULE = importlib.import_module("expofmt.parse")
SIZES = (1, 2, 7, 40, 1000)


class Trickle(io.RawIOBase):
    """A file that gives a few bytes at a time, like a pipe, however many are asked for."""

    def __init__(self, data: bytes, step: int = 3) -> None:
        self.rest = data
        self.step = step

    def read(self, size: int = -1, /) -> bytes:
        step = self.step if size < 0 else min(self.step, size)
        part, self.rest = self.rest[:step], self.rest[step:]
        return part


def in_parts(data: bytes, size: int, **options: Any) -> list[MetricFamily]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "_CHUNK_BYTES", size)
        return list(iter_families(io.BytesIO(data), **options))


def refusal(data: bytes, size: int, **options: Any) -> ExpositionError:
    with pytest.raises(ExpositionError) as caught:
        in_parts(data, size, **options)
    return caught.value


def without_labels(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> list[tuple[object, ...]]:
    return [(d.code, d.severity, d.message, d.place, d.related, d.help) for d in diagnostics]


# ----------------------------------------------------------------------------------------------------------- as parse()


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [500, 1 << 14, 1 << 20])
def test_a_real_scrape(scrape: Path, size: int) -> None:
    data = scrape.read_bytes()
    assert in_parts(data, size) == list(parse(data).values())
    assert in_parts(data, size, strict=True) == list(parse(data).values())


@given(exposition_text(interleaved=False), st.sampled_from(SIZES))
@settings(max_examples=100)
def test_any_exposition(data: bytes, size: int) -> None:
    expected = list(parse(data).values())
    told: list[Diagnostic] = []
    assert in_parts(data, size, on_warning=told.append) == expected
    assert without_labels(told) == without_labels([d for d in check(data) if not _of_whole_families(d)])


def _of_whole_families(diagnostic: Diagnostic) -> bool:
    """Whether a plain parse() does not look for it."""
    return diagnostic.code not in {
        *(Code.MISSING_FINAL_NEWLINE, Code.UNKNOWN_ESCAPE, Code.INEXACT_INTEGER, Code.RESERVED_LABEL_NAME),
        *(Code.HELP_AFTER_SAMPLES, Code.TYPE_CASE, Code.OPENMETRICS_TYPE),
    }


@pytest.mark.parametrize("data", [b"", b"\n", b"# only\n# comments\n", b"a 1", b"\n\na 1\n\n"])
@pytest.mark.parametrize("size", SIZES)
def test_small_files(data: bytes, size: int) -> None:
    assert in_parts(data, size) == list(parse(data).values())


@pytest.mark.parametrize("size", SIZES)
def test_a_family_that_is_larger_than_what_is_read_at_a_time(size: int) -> None:
    data = b"# TYPE a gauge\n" + b"".join(b'a{b="%d"} %d\n' % (number, number) for number in range(100)) + b"z 1\n"
    families = in_parts(data, size)
    assert [len(family.samples) for family in families] == [100, 1]
    assert families == list(parse(data).values())


@pytest.mark.parametrize("size", SIZES)
def test_families_whose_lines_interlace_with_their_neighbours(size: int) -> None:
    # A histogram is complete only when its last part has come.
    data = b'# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n# HELP h_other x\nh_other 1\n'
    assert in_parts(data, size) == list(parse(data).values())


def test_each_family_comes_before_the_rest_is_read() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "_CHUNK_BYTES", 8)
        file = io.BytesIO(b"a 1\nb 2\nc 3\nd 4\ne 5\nf 6\n")
        found = iter_families(file)
        assert [next(found).name, next(found).name] == ["a", "b"]
        assert file.read() != b""


# --------------------------------------------------------------------------------------------------------------- faults


FAULTY = (
    b'# HELP a A.\na{b="1"} 1\na{b="2"} 2\n\n# TYPE c gauge\nc 1\n# more\nd{e="\xc3\xa9",f=g} 1\n',
    b"a 1\n# TYPE b gauge\nb 1\n# TYPE b gauge\nc 1\n",
    b'a 1\n# TYPE h histogram\nh_bucket{le="+Inf"} -1\nz 1\n',
    b"a 1\r\nb 2\r\n",
    b"a 1\nb 2\nc 1 2 3\n",
    b"a 1\n# TYPE\n",
    b'a 1\nb{c="\xff"} 1\n',
    b"a 1\nb\n",
)


@pytest.mark.parametrize("data", FAULTY)
@pytest.mark.parametrize("size", SIZES)
def test_places_count_from_the_start_of_the_file(data: bytes, size: int) -> None:
    with pytest.raises(ExpositionError) as caught:
        parse(data, filename="x.prom")
    expected = caught.value
    found = refusal(data, size, filename="x.prom")
    assert type(found) is type(expected)
    # What comes later in the file may not have been read.
    assert without_labels(found.diagnostics) == without_labels(expected.diagnostics[: len(found.diagnostics)])


@pytest.mark.parametrize("size", SIZES)
def test_warnings_count_from_the_start_of_the_file(size: int) -> None:
    data = b'a 1\n\nb{c="\\q"} 1\n# HELP b x\nc 9007199254740993\nd 1'
    told: list[Diagnostic] = []
    in_parts(data, size, on_warning=told.append)
    assert without_labels(told) == without_labels(check(data))
    assert [d.line for d in told] == [3, 4, 5, 6]


@pytest.mark.parametrize("size", SIZES)
def test_strict_looks_at_whole_families(size: int) -> None:
    data = b"a 1\nb 1\nb 2\nc 1\n"
    assert len(in_parts(data, size)) == 3
    error = refusal(data, size, strict=True)
    assert isinstance(error, ConsistencyError)
    [diagnostic] = error.diagnostics
    assert (diagnostic.code, diagnostic.line) == (Code.DUPLICATE_SAMPLE, 3)
    assert diagnostic.related is not None
    assert diagnostic.related.line == 2


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a 1\nb 1\nc 1\nd 1\na 2\n", 5),
        (b"a 1\nb 1\nc 1\nd 1\n# HELP a x\n", 5),
        (b"# TYPE s summary\ns_sum 1\nb 1\nc 1\nd 1\ns_count 2\n", 6),
        (b"s_count 1\nb 1\nc 1\nd 1\n# TYPE s summary\n", 5),
    ],
)
def test_a_scattered_family_is_refused(data: bytes, line: int) -> None:
    error = refusal(data, 1)
    assert isinstance(error, ConsistencyError)
    [diagnostic] = error.diagnostics
    assert (diagnostic.code, diagnostic.line) == (Code.INTERLEAVED_FAMILY, line)


@pytest.mark.parametrize("size", SIZES)
def test_a_name_that_only_looks_like_a_part_of_another_is_a_family(size: int) -> None:
    data = b"# TYPE s gauge\ns 1\nb 1\nc 1\ns_count 1\n# TYPE t summary\nt_sum 1\nd 1\nt_bucket 1\n"
    assert [family.name for family in in_parts(data, size)] == ["s", "b", "c", "s_count", "t", "d", "t_bucket"]


def test_what_is_not_shown_is_counted_once() -> None:
    data = b"".join(b'a%d{b="\\q"} 1\n' % number for number in range(40))
    told: list[Diagnostic] = []
    in_parts(data, 100, max_diagnostics=2, on_warning=told.append)
    shown = [d for d in told if d.code is Code.UNKNOWN_ESCAPE]
    more = [int(d.message.split()[0]) for d in told if d.code is Code.TOO_MANY_DIAGNOSTICS]
    assert len(shown) + sum(more) == 40


@pytest.mark.parametrize(
    "options",
    [{"profile": "nobody"}, {"names": "ascii"}, {"max_diagnostics": 0}, {"format": Format.OPENMETRICS_1_0}],
)
def test_an_unknown_option_is_a_value_error(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        list(iter_families(io.BytesIO(b"a 1\n"), **options))
    assert not isinstance(caught.value, ExpositionError)


@given(st.binary(max_size=40), st.sampled_from((1, 5)))
def test_any_bytes_are_families_or_an_exposition_error(data: bytes, size: int) -> None:
    try:
        found = in_parts(data, size)
    except ExpositionError:
        with pytest.raises(ExpositionError):
            parse(data)
    else:
        assert found == list(parse(data).values())


# ---------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("step", [1, 3, 64])
def test_short_reads_change_nothing(step: int) -> None:
    data = b"# TYPE a gauge\na 1\nb 2\na 3\n" * 1 + b"c 4\n"
    assert list(iter_families(Trickle(data, step))) == list(parse(data).values())  # type: ignore[arg-type]


def test_short_reads_are_put_together_before_they_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    from expofmt import engine

    scanned: list[int] = []
    scan = engine.scan

    def counted(data: bytes, dialect: Format, /, **options: Any) -> engine.Scan:
        scanned.append(len(data))
        return scan(data, dialect, **options)

    monkeypatch.setattr(engine, "scan", counted)
    data = b"".join(b'a{b="%d"} 1\n' % number for number in range(2000))
    [family] = iter_families(Trickle(data, 10))  # type: ignore[arg-type]
    assert len(family.samples) == 2000
    assert sum(scanned) <= 3 * len(data)


def test_a_read_error_passes_through() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    found = iter_families(Broken(b"a 1\nb 2\n"))
    with pytest.raises(OSError, match="Input/output error"):
        list(found)


def test_a_text_file_is_a_type_error() -> None:
    for text in ("a 1\n", ""):
        with pytest.raises(TypeError):
            list(iter_families(io.StringIO(text)))  # type: ignore[arg-type]


def test_a_file_that_has_nothing_for_now_is_not_at_its_end() -> None:
    class Waiting(io.RawIOBase):
        def read(self, _: int = -1, /) -> None:
            return None

    with pytest.raises(TypeError):
        list(iter_families(Waiting()))  # type: ignore[arg-type]


def test_the_file_stays_open() -> None:
    file = io.BytesIO(b"a 1\n")
    list(iter_families(file))
    assert not file.closed


def test_memory_does_not_grow_with_the_file(engine: str) -> None:
    # A process of its own, as peaks are measured since its start.
    program = """
        import importlib, io, sys, tracemalloc
        from expofmt import engine, iter_families

        engine.use(sys.argv[1])
        importlib.import_module("expofmt.parse")._CHUNK_BYTES = 1 << 15
        LINE = b'family_%06d{instance="host:9100",job="node",mode="idle"} %d\\n'

        class Generated(io.RawIOBase):
            def __init__(self, families):
                self.lines = (LINE % (number // 10, number) for number in range(10 * families))
                self.rest = b""
            def read(self, size=-1):
                while len(self.rest) < size and (line := next(self.lines, None)):
                    self.rest += line
                part, self.rest = self.rest[:size], self.rest[size:]
                return part

        def peak(families):
            tracemalloc.start()
            assert sum(len(family.samples) for family in iter_families(Generated(families))) == 10 * families
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        peak(100)
        print(peak(300), peak(1500))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), engine], capture_output=True, text=True, check=True
    )
    small, large = map(int, ran.stdout.split())
    # 1200 families more are 800 kB of text; their names alone are remembered.
    assert large - small < 400_000
