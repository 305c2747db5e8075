"""``expofmt diff``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expofmt.cli import group

OLD = b'# HELP a A.\n# TYPE a gauge\na{x="1"} 1\na{x="2"} 2\ngone 1\nsame NaN\n'
NEW = b'same NaN\n# TYPE a counter\na{x="3"} 1\na{x="2"} +Inf\nnew 1 5\n'


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["diff", *map(str, arguments)], input=input, catch_exceptions=False)


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.prom").write_bytes(OLD)
    Path("new.prom").write_bytes(NEW)


def test_the_listing() -> None:
    result = run("old.prom", "new.prom")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "~ a",
        "  type: gauge -> counter",
        '  help: "A." -> none',
        '  - a{x="1"} 1',
        '  + a{x="3"} 1',
        '  ~ a{x="2"} 2 -> +Inf',
        "- gone: unknown, 1 sample",
        "  - gone 1",
        "+ new: unknown, 1 sample",
        "  + new 1 5",
    ]


def test_json() -> None:
    result = run("old.prom", "new.prom", "--output-format", "json")
    a, gone, new = json.loads(result.stdout)
    assert a == {
        "family": "a",
        "change": "changed",
        "type": ["gauge", "counter"],
        "help": ["A.", None],
        "unit": None,
        "added": [{"name": "a", "labels": {"x": "3"}, "timestamp_ns": None, "value": "1"}],
        "removed": [{"name": "a", "labels": {"x": "1"}, "timestamp_ns": None, "value": "1"}],
        "changed": [{"name": "a", "labels": {"x": "2"}, "timestamp_ns": None, "old": "2", "new": "+Inf"}],
    }
    assert (gone["change"], new["change"], new["added"][0]["timestamp_ns"]) == ("removed", "added", 5_000_000)


def test_no_change() -> None:
    assert (run("old.prom", "-", input=OLD[::1]).exit_code, run("old.prom", "-", input=OLD).output) == (0, "")
    assert json.loads(run("old.prom", "old.prom", "--output-format=json").stdout) == []


@pytest.mark.parametrize(
    ("new", "kind"),
    [
        (OLD + b"more 1\n", "added"),
        (OLD + b"# TYPE more gauge\n", "added"),
        (OLD.replace(b'a{x="1"} 1\n', b""), "removed"),
        (OLD.replace(b"gone 1\n", b""), "removed"),
        (OLD.replace(b"gone 1\n", b"gone 2\n"), "changed"),
        (OLD.replace(b"gauge", b"counter"), "type"),
        (OLD.replace(b"A.", b"B."), "help"),
    ],
)
def test_what_to_fail_on(new: bytes, kind: str) -> None:
    others = {"added", "removed", "changed", "type", "help", "unit"} - {kind}
    assert run("old.prom", "-", input=new).exit_code == 1
    assert run("old.prom", "-", "--fail-on", "any", input=new).exit_code == 1
    assert run("old.prom", "-", "--fail-on", kind, input=new).exit_code == 1
    assert run("old.prom", "-", "--fail-on", "unit", "--fail-on", kind, input=new).exit_code == 1
    assert run("old.prom", "-", *(f"--fail-on={other}" for other in others), input=new).exit_code == 0
    assert run("old.prom", "-", "--fail-on", "none", input=new).exit_code == 0
    assert run("old.prom", "-", "--fail-on", "none", input=new).stdout


def test_quiet() -> None:
    result = run("-q", "old.prom", "new.prom")
    assert (result.exit_code, result.output) == (1, "")


def test_what_does_not_parse() -> None:
    result = run("old.prom", "-", input=b"a{b=c} 1\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[unquoted-label-value]" in result.stderr


def test_diagnostics_of_both_are_one_list_as_json() -> None:
    Path("bad.prom").write_bytes(b"up x\n")
    result = run("bad.prom", "-", "--output-format", "json", input=b"a{b=c} 1\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert [entry["code"] for entry in json.loads(result.stderr)] == ["invalid-value", "unquoted-label-value"]


def test_what_cannot_be_read() -> None:
    result = run("gone.prom", "new.prom")
    assert (result.exit_code, result.stderr) == (2, "expofmt: gone.prom: No such file or directory\n")


def test_standard_input_is_there_once() -> None:
    assert run("-", "-", input=b"").exit_code == 2
    assert run("old.prom").exit_code == 2
