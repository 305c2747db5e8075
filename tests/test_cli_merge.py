"""``expofmt merge``."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expofmt import parse, render
from expofmt.cli import group
from expofmt.cli.merge import _File


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["merge", *map(str, arguments)], input=input, catch_exceptions=False)


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.prom").write_bytes(b"# HELP jobs Jobs done.\n# TYPE jobs counter\njobs 2\n")
    Path("b.prom").write_bytes(b"# HELP jobs Jobs.\n# TYPE jobs counter\n\njobs 3\n")
    Path("c.prom").write_bytes(b'# TYPE jobs gauge\njobs{zone="c"} 1\n')


def test_labels_belong_to_the_input_that_follows() -> None:
    result = run("--label", "instance=a", "-l", "zone=x", "a.prom", "--label=instance=b", "b.prom", "-q")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        'jobs{instance="b"} 3',
        'jobs{instance="a",zone="x"} 2',
    ]


def test_an_input_without_labels_stays_as_it_is() -> None:
    result = run("a.prom", "-linstance=b", "b.prom", "-q")
    assert result.stdout.splitlines()[2:] == ["jobs 2", 'jobs{instance="b"} 3']


def test_labels_replace_those_of_the_input() -> None:
    assert 'jobs{zone="new"} 1' in run("-l", "zone=new", "c.prom").stdout


def test_labels_go_to_all_files_of_a_folder_and_to_standard_input() -> None:
    Path("d").mkdir()
    Path("d/x.prom").write_bytes(b"x 1\n")
    Path("d/y.prom").write_bytes(b"y 1\n")
    result = run("-l", "from=d", "d", "-l", "from=stdin", "-", "z*.prom", "a.prom", input=b"z 1\n")
    assert result.exit_code == 2  # z*.prom
    result = run("-l", "from=d", "d", "-l", "from=stdin", "-", "a.prom", input=b"z 1\n")
    assert [line for line in result.stdout.splitlines() if "{" in line] == [
        'x{from="d"} 1',
        'y{from="d"} 1',
        'z{from="stdin"} 1',
    ]


def test_values_of_labels_may_hold_anything() -> None:
    assert 'jobs{a="b=c,d e",é="{}"} 2' not in run("a.prom").stdout
    assert 'jobs{"é"="{}",a="b=c,d e"} 2' not in run("a.prom").stdout
    assert 'jobs{a="b=c,d \\"e\\""} 2' in run("-l", 'a=b=c,d "e"', "a.prom").stdout
    assert 'jobs{a=""} 2' in run("-l", "a=", "a.prom").stdout
    assert 'jobs{"é"="1"} 2' in run("-l", "é=1", "a.prom").stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-l", "a", "a.prom"], "`a` is not NAME=VALUE"),
        (["-l", "=a", "a.prom"], "`=a` is not NAME=VALUE"),
        (["-l", "__name__=x", "a.prom"], "`__name__` is no label name"),
        (["-l", "a.b=x", "--names=legacy", "a.prom"], "`a.b` is no label name"),
        (["-l", "a=1", "-l", "a=2", "a.prom"], "given twice"),
        (["a.prom", "-l", "a=1"], "--label a=1 stands after the last INPUT"),
        (["a.prom", "-l"], "requires an argument"),
        (["-ql", "a=1", "a.prom"], "write it as an option of its own"),
        (["-l", "a=1"], "Missing argument"),
        (["--policy", "avg", "a.prom"], "unknown operation `avg`"),
        (["--policy", "blob=sum", "a.prom"], "unknown metric type `blob`"),
    ],
)
def test_wrong_usage(arguments: list[str], word: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert word in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("label", ["le", "quantile"])
def test_labels_that_tell_samples_apart_cannot_be_set(label: str, data: Path) -> None:
    result = run("a.prom", "-l", f"{label}=1", data / "prometheus.prom")
    assert (result.exit_code, result.stdout) == (2, "")
    message = result.stderr.splitlines()[-1]
    assert message.startswith(f"Error: Invalid value for --label: {label}=1 for {data / 'prometheus.prom'}: ")
    assert f"label `{label}` tells the samples of" in message


def test_options_with_values_are_no_inputs() -> None:
    Path("sum").write_bytes(b"not 1 an exposition\n")
    result = run("a.prom", "--policy", "sum", "-l", "x=y", "--output-format", "concise", "c.prom", "--names", "utf-8")
    assert result.exit_code == 1
    assert "type-conflict" in result.stderr
    result = run("-q", "--policy", "counter=sum", "--", "a.prom", "b.prom")
    assert result.stdout.splitlines()[2:] == ["jobs 5"]


def test_conflicts_name_both_places() -> None:
    result = run("a.prom", "b.prom", "--output-format", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    help_conflict, duplicate = json.loads(result.stderr)
    assert (duplicate["code"], duplicate["filename"], duplicate["line"]) == ("duplicate-sample", "b.prom", 4)
    assert (duplicate["related"]["filename"], duplicate["related"]["line"]) == ("a.prom", 3)
    assert (help_conflict["code"], help_conflict["line"], help_conflict["related"]["line"]) == ("help-conflict", 1, 1)


def test_type_conflicts_show_both_lines() -> None:
    assert run("a.prom", "c.prom").stderr.splitlines()[:9] == [
        "error[type-conflict]: metric family `jobs` has two types",
        " --> c.prom:1:1",
        "  |",
        "1 | # TYPE jobs gauge",
        "  | ^^^^^^^^^^^^^^^^^ gauge in `c.prom`",
        " ::: a.prom:2:1",
        "  |",
        "2 | # TYPE jobs counter",
        "  | ^^^^^^^^^^^^^^^^^^^ counter in `a.prom`",
    ]


def test_an_input_given_twice_is_told_apart_by_number() -> None:
    result = run("a.prom", "a.prom", "--output-format", "concise")
    assert result.stderr == "a.prom:3:1: error[duplicate-sample] two inputs hold `jobs`\n"
    [entry] = json.loads(run("a.prom", "a.prom", "--output-format", "json").stderr)
    assert (entry["filename"], entry["related"]["filename"]) == ("a.prom", "a.prom")
    assert run("a.prom", "a.prom", "--output-format", "github").stderr.startswith("::error file=a.prom,line=3,")
    shown = run("a.prom", "a.prom").stderr
    assert "^^^^^^ in `a.prom (input 2)`\n" in shown
    assert "^^^^^^ in `a.prom (input 1)`\n" in shown


def test_an_input_that_is_something_else_the_second_time_has_no_lines() -> None:
    result = run("a.prom", "a.prom", "-", "-", "--output-format", "concise", input=b"up 1\nup 1\n")
    assert "<stdin>: error[duplicate-sample] sample of `up` is given twice\n" in result.stderr


def test_findings_of_the_merge_are_limited() -> None:
    Path("many.prom").write_bytes(b"# HELP jobs Others.\n" + b"".join(b"m%d 1\n" % n for n in range(1500)))
    arguments = ("a.prom", "many.prom", "many.prom", "--output-format", "json", "--max-diagnostics")
    result = run(*arguments, "3")
    assert result.exit_code == 1
    found = json.loads(result.stderr)
    assert [entry["code"] for entry in found] == ["duplicate-sample"] * 3 + ["too-many-diagnostics"]
    # One is the warning about help texts.
    assert found[-1]["message"] == "1498 more diagnostics are not shown"
    assert len(json.loads(run("a.prom", "b.prom", *arguments[3:], "2").stderr)) == 2


@pytest.mark.parametrize("text", ["m{n} 1\n", "# HELP m{n} {help}\n# TYPE m{n} {type}\nm{n} 1\n"])
def test_many_findings_take_one_pass_over_each_input(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    types = {"x.prom": "gauge", "y.prom": "counter"}
    for name, type in types.items():
        written = "".join(text.format(n=n, help=name, type=type) for n in range(300))
        Path(name).write_bytes(written.encode())
    made: list[str] = []

    class Counted(_File):
        __slots__ = ()

        def __init__(self, name: str, data: bytes) -> None:
            made.append(name)
            super().__init__(name, data)

    monkeypatch.setattr("expofmt.cli.merge._File", Counted)
    found = json.loads(run("x.prom", "y.prom", "--output-format", "json").stderr)
    assert len(found) >= 300
    assert all(entry["line"] and entry["related"]["line"] for entry in found)
    assert made == ["x.prom", "y.prom"]


def test_policies() -> None:
    assert run("--policy", "sum", "a.prom", "b.prom").stdout.splitlines()[-1] == "jobs 5"
    assert run("--policy", "first", "a.prom", "b.prom").stdout.splitlines()[-1] == "jobs 2"
    assert run("--policy", "sum", "--policy", "counter=max", "a.prom", "b.prom").stdout.splitlines()[-1] == "jobs 3"
    assert run("--policy", "sum,counter=min", "a.prom", "b.prom").stdout.splitlines()[-1] == "jobs 2"


def test_warnings_are_told_and_may_fail() -> None:
    result = run("--policy", "sum", "a.prom", "b.prom")
    assert result.exit_code == 0
    assert "warning[help-conflict]" in result.stderr
    assert run("--policy", "sum", "a.prom", "b.prom", "--quiet").stderr == ""
    result = run("--policy", "sum", "a.prom", "b.prom", "--fail-on", "warning")
    assert (result.exit_code, result.stdout) == (1, "")


def test_all_inputs_that_do_not_parse_are_told() -> None:
    Path("x.prom").write_bytes(b"x y\n")
    Path("y.prom").write_bytes(b"\ny z\n")
    result = run("x.prom", "a.prom", "y.prom", "--output-format", "concise")
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.rpartition(": ")[0] for line in result.stderr.splitlines()] == ["x.prom:1:3", "y.prom:2:3"]


def test_what_cannot_be_read_ends_it() -> None:
    result = run("a.prom", "gone.prom")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "expofmt: gone.prom: No such file or directory\n"


def test_output_goes_to_a_file_as_a_whole() -> None:
    result = run("a.prom", "-o", "out.prom")
    assert (result.exit_code, result.output) == (0, "")
    assert Path("out.prom").read_bytes() == run("a.prom").stdout_bytes
    assert run("a.prom", "c.prom", "-o", "out.prom").exit_code == 1
    assert Path("out.prom").read_bytes() == run("a.prom").stdout_bytes
    result = run("a.prom", "--output", "nowhere/out.prom")
    assert (result.exit_code, result.stderr) == (2, "expofmt: nowhere/out.prom: No such file or directory\n")


def test_output_may_be_standard_output() -> None:
    assert run("a.prom", "-o", "-").stdout_bytes == run("a.prom").stdout_bytes
    assert not Path("-").exists()


def test_output_through_a_pipe() -> None:
    os.mkfifo("pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit(Path("pipe").read_bytes)
        assert run("a.prom", "-o", "pipe").output == ""
        assert read.result() == run("a.prom").stdout_bytes
    assert Path("pipe").is_fifo()


def test_output_to_a_folder_or_in_a_circle_is_refused() -> None:
    Path("d").mkdir()
    Path("circle").symlink_to("circle")
    for name, problem in (("d", "not a regular file"), ("circle", "Too many levels of symbolic links")):
        result = run("a.prom", "-o", name)
        assert (result.exit_code, result.stderr) == (2, f"expofmt: {name}: {problem}\n")


def test_types_that_text_lacks() -> None:
    Path("info.prom").write_bytes(b'# TYPE build info\nbuild{v="1"} 1\n')
    result = run("info.prom")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[format-loss]: the text format cannot hold type info\n --> info.prom:1:1\n" in result.stderr
    result = run("--lossy", "info.prom")
    assert (result.exit_code, result.stdout) == (0, '# TYPE build gauge\nbuild{v="1"} 1\n')
    assert "warning[format-loss]" in result.stderr


def test_real_scrapes(data: Path) -> None:
    redis, node = data / "redis_exporter.prom", data / "node_exporter.prom"
    result = run("-l", "instance=db1", redis, "-l", "instance=web1", node)
    assert result.exit_code == 0
    merged = parse(result.stdout_bytes)
    assert merged.sample_count == parse(redis.read_bytes()).sample_count + parse(node.read_bytes()).sample_count
    assert render(merged) == result.stdout_bytes
    assert {sample.labels["instance"] for sample in merged["go_threads"].samples} == {"db1", "web1"}
