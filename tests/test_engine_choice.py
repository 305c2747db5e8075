"""Which engine runs, and what is said where one cannot. Each case starts an interpreter: the choice is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

# In place of the native engine: nothing, and one of another version.
ABSENT: Final = "import sys; sys.modules['expofmt.engine._native'] = None\n"
OUTDATED: Final = (
    "import sys, types\n"
    "module = types.ModuleType('expofmt.engine._native'); module.__version__ = '0.0.0'\n"
    "sys.modules[module.__name__] = module\n"
)
ENGINE: Final = "import expofmt; print(expofmt.ENGINE)\n"


def started(program: str, engine: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "EXPOFMT_ENGINE": engine}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_without_a_native_engine_lark_runs() -> None:
    assert started(ABSENT + ENGINE).stdout == "lark\n"
    assert started(ABSENT + ENGINE, "lark").stdout == "lark\n"


@pytest.mark.parametrize("asked", ["", "native"])
def test_an_engine_of_another_version_is_an_error(asked: str) -> None:
    last = started(OUTDATED + ENGINE, asked).stderr.splitlines()[-1]
    assert last.startswith("ImportError: the native engine is that of expofmt 0.0.0, and this is ")
    assert last.endswith("install it again, or do without it (EXPOFMT_ENGINE=lark)")
    assert started(OUTDATED + ENGINE, "lark").stdout == "lark\n"


def test_a_missing_engine_that_was_asked_for_is_an_import_error_that_says_how_to_get_it() -> None:
    wanted = (
        "ModuleNotFoundError: the native engine is not installed: wheels hold it, and an installation from source "
        "makes it where Rust's cargo is found"
    )
    assert started(ABSENT + ENGINE, "native").stderr.splitlines()[-1] == wanted
    assert started(ABSENT + "from expofmt import engine; engine.use('native')").stderr.splitlines()[-1] == wanted


@pytest.mark.parametrize("asked", ["", "lark"])
def test_an_interpreter_without_its_lock_is_an_import_error_that_says_what_to_do(asked: str) -> None:
    last = started("import sys; sys._is_gil_enabled = lambda: False\n" + ENGINE, asked).stderr.splitlines()[-1]
    assert last.startswith("ImportError: expofmt has not been tested without ")
    assert last.endswith("PYTHON_GIL=1")
