"""``expofmt fmt``."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from expofmt import Code, ExpositionError, check, diff, parse, render
from expofmt import strategies as ours
from expofmt.cli import fmt as formatting
from expofmt.cli import group
from expofmt.cli import replace as replacing
from expofmt.cli.fmt import format_text
from expofmt.codes import verdict


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["fmt", *map(str, arguments)], input=input, catch_exceptions=False)


UNTIDY = b'b{z="1",a="2"} 2.50 \r\n# TYPE a GAUGE\na -0'
TIDY = b'# TYPE a gauge\na -0\n# TYPE b untyped\nb{a="2",z="1"} 2.5\n'


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    path = tmp_path / "untidy.prom"
    path.write_bytes(UNTIDY)
    return path


# The formatting itself


CASES = Path(__file__).parent / "cases/fmt"  # NAME.prom, and what becomes of it in NAME.out


def test_there_are_cases() -> None:
    assert {path.stem for path in CASES.glob("*.prom")} == {path.stem for path in CASES.glob("*.out")} != set()


@pytest.mark.parametrize("path", sorted(CASES.glob("*.prom")), ids=lambda path: path.stem)
def test_formatting(path: Path, engine: str) -> None:
    after = path.with_suffix(".out").read_bytes()
    assert format_text(path.read_bytes()) == after
    assert format_text(after) == after


@pytest.mark.parametrize("path", sorted(CASES.glob("*.prom")), ids=lambda path: path.stem)
def test_comments_in_many_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_AT_ONCE", 1)
    assert format_text(path.read_bytes()) == path.with_suffix(".out").read_bytes()


@pytest.mark.parametrize("name", ["alertmanager", "node_exporter", "prometheus", "redis_exporter", "victoriametrics"])
def test_real_scrapes(data: Path, name: str, engine: str) -> None:
    text = (data / f"{name}.prom").read_bytes()
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert not diff(parse(text), parse(formatted))
    assert formatted == render(parse(text))


COMMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\n")).map(lambda text: f"#! {text}".encode())


@given(text=ours.exposition_text(), data=st.data())
def test_formatting_loses_nothing_and_is_stable(text: bytes, data: st.DataObject) -> None:
    comments = data.draw(st.lists(COMMENTS, max_size=4))
    lines = text.split(b"\n")
    for comment in comments:
        end = data.draw(st.sampled_from([b"", b" ", b"\r"]))
        lines.insert(data.draw(st.integers(0, len(lines) - 1)), comment + end)
    before = b"\n".join(lines)
    after = format_text(before)
    assert format_text(after) == after
    assert render(parse(after)) == render(parse(text))
    # The text has comments of its own.
    comments += (line for line in text.split(b"\n") if line.startswith(b"#!"))
    kept = [line for line in after.split(b"\n") if line.startswith(b"#!")]
    assert sorted(kept) == sorted(comment.rstrip(b" \t\r") for comment in comments)
    repaired = {"carriage-return", "missing-final-newline", "type-case", "trailing-blank", "unknown-escape"}
    repaired |= {"help-after-samples", "interleaved-family", "bucket-order"}
    assert not repaired.intersection(diagnostic.code for diagnostic in check(after, profile="pushgateway"))


REFUSED = sorted(
    {code for code in ours.INVALID_CODES if verdict(code).fatal} - {Code.CARRIAGE_RETURN, Code.NON_LEGACY_NAME}
)


@given(ours.invalid_expositions(codes=REFUSED))
def test_what_does_not_parse_is_not_formatted(case: tuple[bytes, str]) -> None:
    with pytest.raises(ExpositionError):
        format_text(case[0])


# The command


def test_one_input_goes_to_stdout(untidy: Path) -> None:
    result = run(untidy)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, TIDY, "")
    assert untidy.read_bytes() == UNTIDY


@pytest.mark.parametrize("option", [[], ["--write"]])
def test_standard_input_goes_to_stdout(option: list[str]) -> None:
    result = run("-", *option, input=UNTIDY)
    assert (result.exit_code, result.stdout_bytes) == (0, TIDY)


def test_several_inputs_want_a_word_more(untidy: Path) -> None:
    result = run(untidy, untidy)
    assert result.exit_code == 2
    assert "--write" in result.stderr
    assert result.stdout == ""


def test_check(untidy: Path, tmp_path: Path) -> None:
    tidy = tmp_path / "tidy.prom"
    tidy.write_bytes(TIDY)
    result = run("--check", tidy, untidy)
    assert (result.exit_code, result.stdout) == (1, f"would reformat {untidy}\n")
    assert untidy.read_bytes() == UNTIDY
    assert run("--check", tidy).exit_code == 0
    quiet = run("--check", "--quiet", untidy)
    assert (quiet.exit_code, quiet.output) == (1, "")


def test_diff(untidy: Path) -> None:
    result = run("--diff", untidy)
    assert result.exit_code == 1
    assert result.stdout_bytes.splitlines(keepends=True)[2:] == [
        b"@@ -1,3 +1,4 @@\n",
        b'-b{z="1",a="2"} 2.50 \r\n',
        b"-# TYPE a GAUGE\n",
        b"-a -0\n",
        b"\\ No newline at end of file\n",
        b"+# TYPE a gauge\n",
        b"+a -0\n",
        b"+# TYPE b untyped\n",
        b'+b{a="2",z="1"} 2.5\n',
    ]
    assert run("--diff", "-", input=TIDY).output == ""


def test_git_understands_the_diff(untidy: Path, peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(untidy.parent)
    shown = run("--diff", untidy.name).stdout_bytes
    subprocess.run([peer("git"), "apply", "-p0", "-"], input=shown, check=True, capture_output=True)
    assert untidy.read_bytes() == TIDY


def test_write(untidy: Path) -> None:
    untidy.chmod(0o640)
    result = run("--write", untidy)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"reformatted {untidy}\n")
    assert untidy.read_bytes() == TIDY
    assert stat.S_IMODE(untidy.stat().st_mode) == 0o640
    assert [path.name for path in untidy.parent.iterdir()] == [untidy.name]


def test_write_leaves_a_tidy_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "tidy.prom"
    path.write_bytes(TIDY)
    before = path.stat()
    assert run("--write", path).output == ""
    assert path.stat().st_ino == before.st_ino


def test_write_follows_links(untidy: Path) -> None:
    link = untidy.with_name("link.prom")
    link.symlink_to(untidy.name)
    run("--write", link)
    assert link.is_symlink()
    assert untidy.read_bytes() == TIDY


def test_write_goes_with_no_other_mode(untidy: Path) -> None:
    assert run("--write", "--check", untidy).exit_code == 2
    assert run("--write", "--diff", untidy).exit_code == 2


def test_write_is_all_or_nothing(untidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run("--write", untidy)
    assert (result.exit_code, result.output) == (2, f"expofmt: {untidy}: No space left on device\n")
    assert untidy.read_bytes() == UNTIDY
    assert [path.name for path in untidy.parent.iterdir()] == [untidy.name]


def test_a_read_only_file_is_left_alone(untidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untidy.chmod(0o444)
    if os.access(untidy, os.W_OK):  # root may write to all files
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    result = run("--write", untidy)
    assert (result.exit_code, result.output) == (2, f"expofmt: {untidy}: not writable; left alone\n")
    assert untidy.read_bytes() == UNTIDY


def test_a_file_that_somebody_else_changes_is_left_to_them(untidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def read_and_change(path: Path) -> bytes:
        data = read(path)
        path.write_bytes(b"theirs 1\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_and_change)
    result = run("--write", untidy)
    assert result.exit_code == 2
    assert "changed while it was being formatted" in result.stderr
    assert read(untidy) == b"theirs 1\n"


def test_special_files_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        replacing.replace_file(path, b"")


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    usual, ours = tmp_path / "usual", tmp_path / "ours"
    usual.touch()
    replacing.replace_file(ours, b"a 1\n")
    assert ours.stat().st_mode == usual.stat().st_mode


def test_what_a_parser_refuses_is_left_as_it_is(tmp_path: Path, untidy: Path) -> None:
    bad = tmp_path / "bad.prom"
    bad.write_bytes(b"up{a=b} 1\r\nup 1")
    result = run("--write", bad, untidy, "--output-format", "concise")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"reformatted {untidy}",
        f"{bad}:1:6: error[unquoted-label-value] label value must be in double quotes",
    ]
    assert bad.read_bytes() == b"up{a=b} 1\r\nup 1"
    assert untidy.read_bytes() == TIDY


def test_diagnostics_as_json_are_on_stderr(tmp_path: Path) -> None:
    bad = tmp_path / "bad.prom"
    bad.write_bytes(b"up{a=b} 1\n")
    result = run(bad, "--output-format", "json")
    assert result.stdout == ""
    assert [entry["code"] for entry in json.loads(result.stderr)] == ["unquoted-label-value"]


def test_legacy_names() -> None:
    assert run("-", input=b'{"a.b"} 1\n').exit_code == 0
    assert run("-", "--names=legacy", input=b'{"a.b"} 1\n').exit_code == 1
