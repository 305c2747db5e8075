"""Which inputs a command line names, and what becomes of those that cannot be read."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from expofmt.cli import group
from expofmt.cli.inputs import Complaints, Input, contents, expanded


def check(*arguments: str | Path, input: bytes | None = None) -> Result:
    runner = CliRunner()
    return runner.invoke(
        group, ["check", "--output-format", "concise", *map(str, arguments)], input=input, catch_exceptions=False
    )


def named(result: Result) -> list[str]:
    return [line.split(":")[0] for line in result.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files that all have a fault."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.prom", "a.prom", "sub/c.prom", "sub/deep/d.prom", "ignored.txt", "sub/e.prom.bak"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"up x\n")
    return tmp_path


def test_a_folder_stands_for_the_prom_files_in_it_and_below(folder: Path) -> None:
    assert named(check(".")) == ["a.prom", "b.prom", "sub/c.prom", "sub/deep/d.prom"]
    assert named(check("sub")) == ["sub/c.prom", "sub/deep/d.prom"]


def test_patterns_are_expanded(folder: Path) -> None:
    assert named(check("*.prom")) == ["a.prom", "b.prom"]
    assert named(check("**/*.prom")) == ["a.prom", "b.prom", "sub/c.prom", "sub/deep/d.prom"]
    assert named(check("[a-b].prom", "s*")) == ["a.prom", "b.prom", "sub/c.prom", "sub/deep/d.prom"]
    assert named(check(folder / "*.txt")) == [str(folder / "ignored.txt")]


def test_a_file_whose_name_is_a_pattern_is_that_file(folder: Path) -> None:
    Path("[a].prom").write_bytes(b"up y\n")
    assert named(check("[a].prom")) == ["[a].prom"]


def test_standard_input(folder: Path) -> None:
    result = check("a.prom", "-", "b.prom", input=b"up y\n")
    assert named(result) == ["a.prom", "<stdin>", "b.prom"]


def test_what_is_compressed_is_told(folder: Path) -> None:
    data = gzip.compress(b"up 1\n")
    Path("z.prom.gz").write_bytes(data)
    for arguments in (["z.prom.gz", "a.prom"], ["-", "a.prom"]):
        result = check(*arguments, input=data)
        assert result.exit_code == 2
        assert result.stderr.startswith("expofmt: ")
        assert result.stderr.endswith(": is compressed by gzip: decompress it first (gzip -dc)\n")
        assert named(result) == ["a.prom"]


def test_what_cannot_be_read_is_told_and_the_rest_is_done(folder: Path) -> None:
    result = check("gone.prom", "a.prom")
    assert result.exit_code == 2
    assert named(result) == ["a.prom"]
    assert result.stderr == "expofmt: gone.prom: No such file or directory\n"


def test_no_argument_stands_for_nothing(folder: Path) -> None:
    Path("empty").mkdir()
    result = check("empty", "*.metrics")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "expofmt: empty: no *.prom file in this folder",
        "expofmt: *.metrics: no file fits this pattern",
    ]
    assert check().exit_code == 2


def test_a_dangling_link_is_told(folder: Path) -> None:
    Path("link.prom").symlink_to("nowhere")
    assert check("link.prom").stderr == "expofmt: link.prom: No such file or directory\n"
    assert "link.prom" in check(".").stderr


def test_pipes_in_a_folder_are_left_alone(folder: Path) -> None:
    os.mkfifo("sub/pipe.prom")
    assert named(check("sub")) == ["sub/c.prom", "sub/deep/d.prom"]


def test_names_that_no_terminal_can_show(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n.prom")
    Path(name).write_bytes(b"up x\n")
    assert named(check(name)) == ["caf\\xe9\\n.prom"]
    assert check(name + "x").stderr == "expofmt: caf\\xe9\\n.promx: No such file or directory\n"


def test_an_unreadable_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions alone would not keep root, who runs many a container, from reading.
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    result = check("a.prom")
    assert (result.exit_code, result.output) == (2, "expofmt: a.prom: Permission denied\n")


def test_files_below_an_unsearchable_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any, *arguments: Any, **options: Any) -> Any:
            if str(path).startswith("sub/"):
                raise PermissionError(13, "Permission denied", str(path))
            return ask(path, *arguments, **options)

        return asked

    monkeypatch.setattr(os, "stat", refusing(os.stat))
    monkeypatch.setattr(os, "lstat", refusing(os.lstat))
    monkeypatch.setattr(Path, "read_bytes", refusing(Path.read_bytes))
    result = check("sub/c.prom", "a.prom", "sub/deep", "b.prom", "--output-format", "json")
    assert result.exit_code == 2
    assert [entry["filename"] for entry in json.loads(result.stdout)] == ["a.prom", "b.prom"]
    assert result.stderr.splitlines() == [
        "expofmt: sub/c.prom: Permission denied",
        "expofmt: sub/deep: Permission denied",
    ]


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    result = CliRunner().invoke(group, ["diff", "a.prom", "sub"])
    assert result.exit_code == 2
    assert "expofmt: sub: Is a directory\n" in result.stderr


def test_a_file_that_shrinks_after_it_was_listed_is_what_is_left_of_it(folder: Path) -> None:
    complaints = Complaints()
    inputs = expanded(["a.prom", "b.prom"], complaints)
    Path("b.prom").write_bytes(b"u")
    assert [data for _, data in contents(inputs, complaints)] == [b"up x\n", b"u"]
    assert not complaints.any


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(OSError, match="standard input is closed"):
        Input.of("-").read()
