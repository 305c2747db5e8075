"""``expofmt explain``, and the command itself."""

import pytest
from click.testing import CliRunner, Result

from expofmt import ENGINE, Code, __version__
from expofmt.cli import SUMMARIES, group
from expofmt.explanations import explain


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, catch_exceptions=False)


@pytest.mark.parametrize("code", Code)
def test_every_code_is_explained(code: Code) -> None:
    result = run("explain", code)
    assert (result.exit_code, result.stdout) == (0, explain(code) + "\n")


def test_all_codes_are_listed() -> None:
    lines = run("explain").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [code.value for code in Code]
    assert lines[0].split() == ["invalid-utf8", "error"]


def test_a_code_that_is_none() -> None:
    result = run("explain", "duplicate-samples")
    assert result.exit_code == 2
    assert "There is no code `duplicate-samples`; did you mean duplicate-sample?" in result.stderr
    assert "`expofmt explain` lists all" in run("explain", "x").stderr


def test_version() -> None:
    assert run("--version").stdout.startswith(f"expofmt {__version__} ({ENGINE} engine, Python ")


@pytest.mark.parametrize("name", SUMMARIES)
def test_commands_say_of_themselves_what_the_list_says(name: str) -> None:
    command = group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert (command.help or "").split("\n")[0] == SUMMARIES[name]
    result = run(name, "--help")
    assert result.exit_code == 0
    assert SUMMARIES[name] in result.stdout
    assert result.stdout == run(name, "-h").stdout


def test_every_option_is_described() -> None:
    for name in SUMMARIES:
        command = group.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        for parameter in command.params:
            assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter


def test_a_command_that_is_none() -> None:
    assert run("chek").exit_code == 2
    assert "No such command 'chek'" in run("chek").stderr
