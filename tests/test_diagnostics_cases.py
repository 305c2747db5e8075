"""Every case under tests/cases/diagnostics: each code at its place, and drawn as a user sees it.

``CODE/NAME.prom`` is an input that raises CODE; ``NAME.json`` says what check() finds in it, as code, line, column,
end line and end column (from 1, columns in characters, the end one after the last), with the ``profile`` and the
``names`` to check with where they are not the defaults. ``NAME.txt`` is the full report on a terminal of 80 columns;
--update-cases rewrites it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from expofmt import Code, Diagnostic, check
from expofmt.report import report

FOLDER = Path(__file__).parent / "cases" / "diagnostics"
INPUTS = sorted(FOLDER.glob("*/*.prom"))
EXPECTATIONS = sorted(FOLDER.glob("*/*.json"))
REPORTS = sorted(FOLDER.glob("*/*.txt"))

# The terminal of the reports; some inputs have longer lines.
WIDTH = 80

# Codes that no case here can raise, and why. Their own tests are those of the module that raises them.
NOT_FOUND_IN_A_TEXT = {
    Code.INPUT_TOO_LARGE: "needs more bytes than a repository should hold",
    Code.TYPE_CONFLICT: "merge: two inputs disagree",
    Code.HELP_CONFLICT: "merge: two inputs disagree",
    Code.UNIT_CONFLICT: "merge: two inputs disagree",
    Code.BUCKET_BOUNDS_CONFLICT: "merge: histograms that cannot be added",
    Code.FORMAT_LOSS: "render: the target format cannot hold a family",
    Code.FOREIGN_SAMPLE: "render: a family holds a sample that would be read into another",
    Code.TIMESTAMP_PRECISION: "render: a timestamp finer than the target format's",
    Code.TOO_MANY_DIAGNOSTICS: "tells how many diagnostics were left out, and stands at no byte of the input",
}

each_case = pytest.mark.parametrize(
    "case", INPUTS, ids=[path.relative_to(FOLDER).with_suffix("").as_posix() for path in INPUTS]
)


def found_in(case: Path) -> tuple[list[Diagnostic], list[list[Any]]]:
    """What check() finds in a case, and what it has to find."""
    options = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))
    expected = options.pop("codes")
    return check(case.read_bytes(), filename=case.name, **options), expected


def test_each_case_has_its_expectation() -> None:
    assert INPUTS
    names = [path.with_suffix("") for path in INPUTS]
    assert names == [path.with_suffix("") for path in EXPECTATIONS]
    assert {path.with_suffix("") for path in REPORTS} <= set(names)


def test_each_code_that_a_text_can_raise_has_a_case() -> None:
    assert set(Code) - {Code(path.parent.name) for path in INPUTS} == set(NOT_FOUND_IN_A_TEXT)


@each_case
def test_codes_and_places(case: Path, engine: str) -> None:
    found, expected = found_in(case)
    assert case.parent.name in {d.code for d in found}
    assert sorted([str(d.code), d.line, d.column, d.end_line, d.end_column] for d in found) == sorted(expected)


@each_case
def test_report(case: Path, engine: str, update_cases: bool) -> None:
    text = "".join(report(found_in(case)[0], width=WIDTH)).encode()
    snapshot = case.with_suffix(".txt")
    if update_cases:
        snapshot.write_bytes(text)
    assert text.decode() == snapshot.read_bytes().decode()
