"""Every case under tests/cases/diagnostics: each code at its place, and drawn as a user sees it.

``CODE/NAME.prom`` is an input that raises CODE; ``NAME.json`` says what check() finds in it, as code, line, column,
end line and end column (from 1, columns in characters, the end one after the last), with the ``profile`` and the
``names`` to check with where they are not the defaults. ``NAME.txt`` is the full report on a terminal of 80 columns;
--update-cases rewrites it.

``CODE/NAME.pb`` is an input in the protobuf format, and has no lines: ``NAME.json`` gives each code with the first byte
and the one after the last, from 0.

``NAME.python`` is for what no single text raises: it is run, and what it raises, or puts into ``found``, is reported.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from expofmt import Code, Diagnostic, ExpositionError, Format, check
from expofmt.report import report

FOLDER = Path(__file__).parent / "cases" / "diagnostics"
INPUTS = sorted([*FOLDER.glob("*/*.prom"), *FOLDER.glob("*/*.pb")])
SCRIPTS = sorted(FOLDER.glob("*/*.python"))
EXPECTATIONS = sorted(FOLDER.glob("*/*.json"))
REPORTS = sorted(FOLDER.glob("*/*.txt"))

# The terminal of the reports; some inputs have longer lines.
WIDTH = 80


def parametrized(paths: list[Path]) -> pytest.MarkDecorator:
    ids = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in paths]
    return pytest.mark.parametrize("case", paths, ids=ids)


each_case = parametrized(INPUTS)


def found_in(case: Path) -> tuple[list[Diagnostic], list[list[Any]]]:
    """What check() finds in a case, and what it has to find."""
    options = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))
    expected = options.pop("codes")
    format = Format.PROTOBUF if case.suffix == ".pb" else Format.TEXT
    return check(case.read_bytes(), format=format, filename=case.name, **options), expected


def place_of(diagnostic: Diagnostic) -> list[int | None]:
    if diagnostic.place.binary:
        assert diagnostic.span is not None
        assert diagnostic.line is None
        return list(diagnostic.span)
    return [diagnostic.line, diagnostic.column, diagnostic.end_line, diagnostic.end_column]


def test_each_case_has_its_expectation() -> None:
    assert INPUTS
    names = [path.with_suffix("") for path in INPUTS]
    assert names == [path.with_suffix("") for path in EXPECTATIONS]
    scripts = [path.with_suffix("") for path in SCRIPTS]
    assert {path.with_suffix("") for path in REPORTS} <= {*names, *scripts}


def test_each_code_has_a_case() -> None:
    assert {Code(path.parent.name) for path in [*INPUTS, *SCRIPTS]} == set(Code)


@each_case
def test_codes_and_places(case: Path, engine: str) -> None:
    found, expected = found_in(case)
    assert case.parent.name in {d.code for d in found}
    assert sorted([str(d.code), *place_of(d)] for d in found) == sorted(expected)


@each_case
def test_report(case: Path, engine: str, update_cases: bool) -> None:
    compare_report(case, found_in(case)[0], update_cases)


@parametrized(SCRIPTS)
def test_script(case: Path, engine: str, update_cases: bool) -> None:
    found: list[Diagnostic] = []
    try:
        exec(compile(case.read_text(encoding="utf-8"), case.name, "exec"), {"found": found})
    except ExpositionError as error:
        found += error.diagnostics
    assert case.parent.name in {d.code for d in found}
    compare_report(case, found, update_cases)


def compare_report(case: Path, found: list[Diagnostic], update_cases: bool) -> None:
    text = "".join(report(found, width=WIDTH)).encode()
    snapshot = case.with_suffix(".txt")
    if update_cases:
        snapshot.write_bytes(text)
    assert text.decode() == snapshot.read_bytes().decode()
