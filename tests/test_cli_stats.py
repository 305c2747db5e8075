"""``expofmt stats``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expofmt import parse
from expofmt.cli import group
from expofmt.cli.stats import FamilyCount, LabelCount, statistics

A = b'# TYPE up gauge\nup{job="a",zone="x"} 1\nup{job="b",zone="x"} 1\nup{job="c"} 1\nload 1\n'
B = b'# TYPE up gauge\nup{job="c"} 1\nup{job="d"} 1\nqueue{job="e"} 2\n'


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["stats", *map(str, arguments)], input=input, catch_exceptions=False)


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.prom").write_bytes(A)
    Path("b.prom").write_bytes(B)


def test_counting() -> None:
    found = statistics([parse(A), parse(B)])
    assert (found.inputs, found.series) == (2, 7)
    assert found.families == [
        FamilyCount("up", "gauge", 5, {"job": 4, "zone": 1}),
        FamilyCount("load", "unknown", 1, {}),
        FamilyCount("queue", "unknown", 1, {"job": 1}),
    ]
    assert found.labels == [LabelCount("job", 5, 2), LabelCount("zone", 1, 1)]


def test_a_series_is_counted_once_at_however_many_times() -> None:
    found = statistics([parse('a{x="1"} 1 1\na{x="1"} 1 2\na{x="2"} 1 2\n')])
    assert found.series == 2


def test_nothing_at_all() -> None:
    result = run("-", input=b"")
    assert (result.exit_code, result.stdout) == (0, "0 series in 0 families, 1 input\n")
    assert run("-", input=b"# TYPE a gauge\n").exit_code == 0


def test_text() -> None:
    assert run("a.prom", "b.prom").stdout.splitlines() == [
        "7 series in 3 families, 2 inputs",
        "",
        "    series   share  family",
        "         5   71.4%  up (gauge; job 4, zone 1)",
        "         1   14.3%  load (unknown)",
        "         1   14.3%  queue (unknown; job 1)",
        "",
        "    values          label",
        "         5          job (in 2 families)",
        "         1          zone (in 1 family)",
    ]


def test_one_of_each() -> None:
    assert run("-", input=b"up 1\n").stdout.splitlines()[0] == "1 series in 1 family, 1 input"


def test_top() -> None:
    assert run("a.prom", "b.prom", "--top", "1").stdout.splitlines()[3:] == [
        "         5   71.4%  up (gauge; job 4, zone 1)",
        "         2   28.6%  2 more",
        "",
        "    values          label",
        "         5          job (in 2 families)",
        "                    1 more",
    ]


def test_json() -> None:
    assert json.loads(run("a.prom", "--output-format", "json").stdout) == {
        "inputs": 1,
        "series": 4,
        "families": 2,
        "labels": 2,
        "by_family": [
            {"name": "up", "type": "gauge", "series": 3, "labels": {"job": 3, "zone": 1}},
            {"name": "load", "type": "unknown", "series": 1, "labels": {}},
        ],
        "by_label": [
            {"name": "job", "values": 3, "families": 1},
            {"name": "zone", "values": 1, "families": 1},
        ],
    }
    assert len(json.loads(run("a.prom", "--output-format", "json", "--top", "1").stdout)["by_family"]) == 1


def test_the_budget() -> None:
    assert run("a.prom", "b.prom", "--max-series", "7").exit_code == 0
    result = run("a.prom", "b.prom", "--max-series", "6")
    assert (result.exit_code, result.stderr) == (1, "expofmt: 7 series are over the budget of 6\n")
    one = run("-", "--max-series", "0", input=b"up 1\n")
    assert (one.exit_code, one.stderr) == (1, "expofmt: 1 series is over the budget of 0\n")
    quiet = run("a.prom", "b.prom", "--max-series", "6", "--quiet")
    assert (quiet.exit_code, quiet.output) == (1, "")


def test_real_scrapes(data: Path) -> None:
    result = run(data, "--output-format", "json")
    assert json.loads(result.stdout)["series"] == sum(
        len({(s.name, s.labels) for f in parse(path.read_bytes()).values() for s in f.samples})
        for path in data.glob("*.prom")
    )


def test_what_does_not_parse_or_cannot_be_read() -> None:
    result = run("a.prom", "-", input=b"a{b=c} 1\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[unquoted-label-value]" in result.stderr
    result = run("-", "gone.prom", "a.prom", input=b"a{b=c} 1\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error[unquoted-label-value]" in result.stderr
    assert "no counts are printed" in run("--help").stdout
