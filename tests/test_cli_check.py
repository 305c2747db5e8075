"""``expofmt check``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expofmt.cli import group

TEN = """\
up{job=api} 1
up{job="api} 1
up{job="api" zone="a"} 1
up{job="api"
a-b 1
up 1,5
up 1 1.5
up 1 2 3
# TYPE up speed
up{job="a",job="b"} 1
"""


def run(*arguments: str | Path, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["check", *map(str, arguments)], input=input, catch_exceptions=False)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.prom"
    path.write_bytes(b"# TYPE up gauge\nup 1\n")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.prom"
    path.write_bytes(b"up{job=a} 1\n")
    return path


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    path = tmp_path / "doubtful.prom"
    path.write_bytes(b"# HELP up \\q\nup 1\n")
    return path


def test_a_good_file_is_worth_no_word(good: Path) -> None:
    result = run(good)
    assert (result.exit_code, result.output) == (0, "")


def test_real_scrapes_have_no_errors(data: Path) -> None:
    result = run(data)
    assert result.exit_code == 0
    assert "error[" not in result.output


def test_a_bad_file(bad: Path) -> None:
    result = run(bad)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "error[unquoted-label-value]: label value must be in double quotes",
        f" --> {bad}:1:8",
    ]
    assert result.stderr == "1 error in 1 input\n"


def test_ten_mistakes_on_ten_lines() -> None:
    result = run("-", "--output-format=json", input=TEN)
    assert result.exit_code == 1
    assert [(d["line"], d["column"], d["code"]) for d in json.loads(result.stdout)] == [
        (1, 8, "unquoted-label-value"),
        (2, 8, "unterminated-string"),
        (3, 14, "missing-comma"),
        (4, 13, "unclosed-labels"),
        (5, 1, "invalid-metric-name"),
        (6, 4, "invalid-value"),
        (7, 6, "invalid-timestamp"),
        (8, 8, "trailing-text"),
        (9, 11, "unknown-type"),
        (10, 12, "duplicate-label"),
    ]


def test_warnings_fail_on_demand(doubtful: Path) -> None:
    result = run(doubtful)
    assert result.exit_code == 0
    assert "warning[unknown-escape]" in result.stdout
    assert result.stderr == "1 warning in 1 input\n"
    assert run(doubtful, "--fail-on", "warning").exit_code == 1


def test_quiet_leaves_the_exit_code(good: Path, bad: Path) -> None:
    assert (run("-q", good).exit_code, run("--quiet", good, bad).exit_code) == (0, 1)
    assert run("--quiet", good, bad).output == ""


def test_json_is_one_list_for_all_inputs(good: Path, bad: Path, doubtful: Path) -> None:
    result = run(bad, good, doubtful, "--output-format", "json")
    found = json.loads(result.stdout)
    assert [entry["filename"] for entry in found] == [str(bad), str(doubtful)]
    assert set(found[0]) == {
        *("code", "severity", "message", "filename", "line", "column", "end_line", "end_column", "help"),
    }
    assert json.loads(run(good, "--output-format", "json").stdout) == []
    assert run(good, "--output-format", "json").stderr == ""


def test_concise_and_github(bad: Path) -> None:
    result = run(bad, "--output-format", "concise")
    assert result.stdout == f"{bad}:1:8: error[unquoted-label-value] label value must be in double quotes\n"
    assert result.stderr == ""
    assert run(bad, "--output-format", "github").stdout.startswith(f"::error file={bad},line=1,col=8,")


def test_diagnostics_come_in_the_order_of_the_inputs(bad: Path, doubtful: Path) -> None:
    result = run(doubtful, bad, doubtful, "--output-format", "concise")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [str(doubtful), str(bad), str(doubtful)]


def test_profiles(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    path.write_bytes(b"up 1 1000\n")
    assert run(path).exit_code == 0
    assert run(path, "--profile", "pushgateway").exit_code == 1
    assert run(path, "--profile", "telegraf").exit_code == 2


def test_names() -> None:
    assert run("-", input='{"a.b"} 1\n').exit_code == 0
    assert run("-", "--names", "legacy", input='{"a.b"} 1\n').exit_code == 1


def test_the_number_of_diagnostics_is_limited() -> None:
    result = run("-", "--max-diagnostics", "2", "--output-format", "concise", input="up x\n" * 5)
    assert result.stdout.splitlines()[1:] == [
        "<stdin>:2:4: error[invalid-value] value is not a number",
        "<stdin>:6:1: info[too-many-diagnostics] 3 more diagnostics are not shown",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (b"up 1", 1),
        (b"\xef\xbb\xbfup 1\n", 1),
        (b"up 1\r\n", 1),
        (b"\x00" * 1000, 1),
        (bytes(range(256)) * 100, 1),
        (b'up{a="\xff"} 1\n', 1),
        (b"# \xff\n", 0),
        (b'up{a="\x00"} 1\n', 0),
        (b'up{a="' + b"\\\\" * 100_000 + b'"} 1\n', 0),
        (b"x" * 1_000_000, 1),
    ],
    ids=[
        "empty",
        "blank",
        "no-newline",
        "bom",
        "crlf",
        "nul",
        "junk",
        "latin-1",
        "comment",
        "nul-value",
        "escapes",
        "long",
    ],
)
def test_any_bytes_are_checked(tmp_path: Path, content: bytes, code: int) -> None:
    path = tmp_path / "any.prom"
    path.write_bytes(content)
    result = run(path)
    assert result.exit_code == code
    assert len(result.output) < 500_000
