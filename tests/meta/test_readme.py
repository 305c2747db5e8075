"""The README is true: its Python runs, and its commands print what it shows."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import expofmt
from expofmt.gateway.webconfig import WebConfig

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[tuple[int, str, str]]:
    """Line, language and text of each fenced block."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for match in BLOCK.finditer(readme):
        yield readme.count("\n", 0, match.start(2)) + 1, match[1], match[2]


def test_the_first_two_blocks_are_one_command_each() -> None:
    (_, language, run), (_, other, test) = list(blocks())[:2]
    assert (language, other) == ("bash", "bash")
    assert run.count("\n") == test.count("\n") == 1
    assert "expofmt" in run
    assert "pytest" in test


def test_each_public_name_is_told_of() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in expofmt.__all__ if f"`{name}`" not in readme] == []


def test_each_block_says_its_language() -> None:
    assert [line for line, language, _ in blocks() if not language] == []


def test_the_web_configuration_is_one() -> None:
    [text] = [text for _, language, text in blocks() if language == "yaml"]
    config = WebConfig.parse(text.encode())
    assert config.tls is not None
    assert list(config.users or ()) == [b"alice"]
    assert len(config.headers) == 1


def test_python(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """One after the other, as a reader would type them; what a block defines as a test is run as one."""
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"__name__": "readme"}
    checked = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for line, language, text in blocks():
        if language != "python":
            continue
        if text.startswith(">>>"):
            example = doctest.DocTestParser().get_doctest(text, names, "README.md", "README.md", line - 1)
            checked.run(example, clear_globs=False)
            names = example.globs
            continue
        before = set(names)
        exec(compile("\n" * (line - 1) + text, "README.md", "exec"), names)
        for name in names.keys() - before:
            if name.startswith("test_"):
                names[name]()
    assert checked.summarize().failed == 0


@pytest.mark.parametrize(("line", "text"), [(line, text) for line, language, text in blocks() if language == "console"])
def test_console(line: int, text: str) -> None:
    """`$ command`, and below it all that the command prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shown, printed = "", ""
    for part in re.split(r"^(?=\$ )", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.removeprefix("$ ").partition("\n")
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        shown += f"$ {command}\n{expected}"
        printed += f"$ {command}\n{run.stdout}"
    assert printed == shown
