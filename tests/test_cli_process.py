"""The command line as a process: pipes, signals, exit codes, and what it loads."""

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "expofmt"]
# As installed, output is buffered, which is where broken pipes like to hide.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "NO_COLOR", "TERM")
}


def run(*arguments: str | Path, input: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=input,
        capture_output=True,
        env={**ENVIRONMENT, **environment},
        check=False,
    )


def on_terminal(*arguments: str | Path, **environment: str) -> tuple[int, bytes]:
    """Exit code and output of a command that has a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "80", **environment},
    )
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 65536):
            shown += part
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(leader)
    return process.wait(), shown


def test_exit_codes() -> None:
    assert run("check", "-", input=b"up 1\n").returncode == 0
    assert run("check", "-", input=b"up x\n").returncode == 1
    assert run("check", "gone.prom").returncode == 2
    assert run("check", "--wrong").returncode == 2
    assert run("chek").returncode == 2
    assert run().returncode in (0, 2)  # as click has it
    assert run("--help").returncode == 0


def test_the_installed_command_is_the_module() -> None:
    command = Path(sys.executable).with_name("expofmt")
    if not command.exists():
        pytest.skip("the package is not installed in this environment")
    assert subprocess.run([command, "--version"], capture_output=True, check=True).stdout == run("--version").stdout


def test_help_loads_neither_lark_nor_the_commands() -> None:
    code = (
        "import sys, json\n"
        "from expofmt.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    json.dump(sorted(sys.modules), sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.startswith(b"Usage: expofmt")
    loaded = set(json.loads(done.stderr))
    assert "click" in loaded
    assert loaded.isdisjoint({"lark", "hypothesis", "difflib", "expofmt.report", "expofmt.explanations"})
    assert not [name for name in loaded if name.startswith("expofmt.cli.")]


def test_bytes_go_through_as_they_are() -> None:
    text = b'# \xe9t\xe9\n# TYPE up gauge\nup{a="\r",b="\xc3\xa9"} 1\n'
    done = run("fmt", "-", input=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, b"")


@pytest.mark.parametrize("arguments", [["explain"], ["fmt"], ["merge"], ["check"], ["diff"], ["stats"], ["--help"]])
def test_a_broken_pipe_is_silent(arguments: list[str], data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.prom"
    bad.write_bytes(b"up x\n" * 5000)
    files = {
        "fmt": [data / "prometheus.prom"],
        "merge": [data / "prometheus.prom"],
        "check": [bad],
        "diff": [data / "prometheus.prom", data / "node_exporter.prom"],
        "stats": [data / "prometheus.prom"],
    }
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *arguments, *files.get(arguments[0], [])],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["fmt", "check"])
def test_a_full_disk_is_told(command: str, tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    path.write_bytes(b"up x\n" if command == "check" else b"up 1\n")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, command, path], stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"expofmt: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs a name for standard output")
@pytest.mark.parametrize("linked", [False, True])
def test_output_to_what_stdout_is_redirected_to(linked: bool, tmp_path: Path) -> None:
    path, output = tmp_path / "out.prom", Path("/dev/stdout")
    path.write_bytes(b"# before\n")
    inode = path.stat().st_ino
    if linked:
        output = tmp_path / "link"
        output.symlink_to("/dev/stdout")
    with path.open("ab") as file:
        done = subprocess.run(
            [*COMMAND, "merge", "-", "-o", output], input=b"up 1\n", stdout=file, env=ENVIRONMENT, check=False
        )
    assert (done.returncode, path.read_bytes()) == (0, b"# before\n# TYPE up untyped\nup 1\n")
    assert path.stat().st_ino == inode
    assert run("merge", "-", "-o", output, input=b"up 1\n").stdout == b"# TYPE up untyped\nup 1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_to_a_device() -> None:
    assert run("merge", "-", "-o", "/dev/null", input=b"up 1\n").returncode == 0
    assert Path("/dev/null").is_char_device()
    done = run("merge", "-", "-o", "/dev/full", input=b"up 1\n")
    assert (done.returncode, done.stderr) == (2, b"expofmt: /dev/full: No space left on device\n")


def test_a_closed_standard_input_is_told() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "check", "-"], capture_output=True, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"expofmt: <stdin>: standard input is closed\n")


def test_ctrl_c_ends_it_without_a_word() -> None:
    process = subprocess.Popen(
        [*COMMAND, "check", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        # Where the tests run in the background of a shell, programs ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    # Two megabytes are more than a pipe holds: when they are written, the command is reading.
    process.stdin.write(b"up 1\n" * 400_000)
    process.stdin.flush()
    # It goes on reading, so that nothing else ends it. A signal that comes right before it begins to wait is not seen
    # until another one comes.
    for _ in range(12):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            break
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (130, b"", b"")


def test_a_terminal_gets_colors_and_may_decline_them(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    path.write_bytes(b"up x\n")
    code, shown = on_terminal("check", path)
    assert code == 1
    assert b"\x1b[31m" in shown
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        code, shown = on_terminal("check", path, **environment)
        assert code == 1
        assert b"\x1b" not in shown
    assert b"\x1b[31m" in on_terminal("check", path, NO_COLOR="")[1]
    assert b"\x1b" not in run("check", path).stdout


def test_a_terminal_that_lacks_a_character_gets_its_escape() -> None:
    done = run("check", "-", input="up{a=漢} 1\n".encode(), PYTHONIOENCODING="latin-1")
    assert (done.returncode, b"1 | up{a=\\u6f22} 1" in done.stdout) == (1, True)


def test_completion() -> None:
    done = run(_EXPOFMT_COMPLETE="bash_complete", COMP_WORDS="expofmt explain bucket-n", COMP_CWORD="2")
    assert done.stdout.split() == [b"plain,bucket-not-cumulative"]
