"""Every case under tests/cases/text: a small exposition, and what parse() and check() have to make of it.

``NAME.prom`` holds the bytes. ``NAME.json`` was written from the rules of the format, not from an output:

* ``source``: the rule, as a decision (``D16``) or a clause that grammar/README.md lists;
* ``parse``: the families a plain parse yields, in order, or the fatal faults for which it is ``refused``;
* ``check``: all diagnostics of the profile ``prometheus``, as code, severity, and the bytes from ``start`` to ``end``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from expofmt import ConsistencyError, Diagnostic, Exposition, ExpositionError, ParseError, check, parse

FOLDER = Path(__file__).parent / "cases" / "text"
INPUTS = sorted(FOLDER.rglob("*.prom"))
EXPECTATIONS = sorted(FOLDER.rglob("*.json"))

# What well-formed lines can still be refused for; every other fault of a refused case breaks the grammar.
CONSISTENCY = {"second-type", "second-help", "type-after-samples", "suffix-collision", "invalid-count"}

each_case = pytest.mark.parametrize(
    "case", INPUTS, ids=[path.relative_to(FOLDER).with_suffix("").as_posix() for path in INPUTS]
)


def expectation(case: Path) -> Any:
    return json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))


def families(exposition: Exposition) -> list[dict[str, Any]]:
    return [
        {
            "name": family.name,
            "type": str(family.type),
            "help": family.help,
            "unit": family.unit,
            "samples": [
                {
                    "name": sample.name,
                    "labels": dict(sample.labels),
                    "value": exact(sample.value),
                    "timestamp_ns": sample.timestamp_ns,
                }
                for sample in family.samples
            ],
        }
        for family in exposition.values()
    ]


def exact(value: float | str) -> str:
    """A float64's identity, sign of zero included; a spelling in a case is as good as the number."""
    return repr(float(value))


def faults(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, int, int]]:
    return sorted((str(d.code), *place(d)) for d in diagnostics)


def place(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.span is not None, diagnostic
    return diagnostic.span.start, diagnostic.span.end


def test_there_are_cases_and_each_has_its_expectation() -> None:
    assert INPUTS
    assert [path.with_suffix("") for path in INPUTS] == [path.with_suffix("") for path in EXPECTATIONS]


@each_case
def test_parse(case: Path, engine: str) -> None:
    expected = expectation(case)["parse"]
    if "refused" in expected:
        with pytest.raises(ExpositionError) as caught:
            parse(case.read_bytes())
        refused = {tuple(fault) for fault in expected["refused"]}
        raised = set(faults(caught.value.diagnostics))
        reported = {(code, start, end) for code, _, start, end in expectation(case)["check"]}
        assert refused <= raised <= reported
        syntax = any(code not in CONSISTENCY for code, _, _ in refused)
        assert type(caught.value) is (ParseError if syntax else ConsistencyError)
    else:
        for family in expected["families"]:
            for sample in family["samples"]:
                sample["value"] = exact(sample["value"])
        assert families(parse(case.read_bytes())) == expected["families"]


@each_case
def test_check(case: Path, engine: str) -> None:
    found = check(case.read_bytes())
    assert sorted([str(d.code), str(d.severity), *place(d)] for d in found) == sorted(expectation(case)["check"])
    starts = [place(d)[0] for d in found]
    assert starts == sorted(starts), "not in order of place"


@each_case
def test_strict_refuses_what_check_calls_an_error(case: Path, engine: str) -> None:
    errors = [entry for entry in expectation(case)["check"] if entry[1] == "error"]
    if errors:
        with pytest.raises(ExpositionError) as caught:
            parse(case.read_bytes(), strict=True)
        assert {(code, start, end) for code, _, start, end in errors} <= set(faults(caught.value.diagnostics))
    else:
        assert parse(case.read_bytes(), strict=True) == parse(case.read_bytes())
