"""What all tests share: the choice of engines, of Hypothesis' profile, and of rewriting snapshots."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from expofmt import Diagnostic

IN_CI = bool(os.environ.get("CI"))
ENGINES = {"native": "expofmt.engine._native", "lark": "expofmt.engine.lark"}

# No test asserts a time, and a machine may be busy: so there are no deadlines.
settings.register_profile("dev", deadline=None)
# In CI the examples are the same each time, so that a red run belongs to the change that it ran on: to try more of them
# is for those who run the tests at home, where they are others each time.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, database=None, max_examples=50)
# For a machine that has an hour to spare: `poe agree`.
settings.register_profile("agree", deadline=None, max_examples=20_000, print_blob=True)
settings.load_profile("ci" if IN_CI else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=ENGINES, help="run on this engine only; an error where it is not installed")
    parser.addoption("--update-cases", action="store_true", help="rewrite the expected files of the snapshot tests")


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def engines(config: pytest.Config) -> list[str]:
    """The engines to run on: the one that was asked for, or each that is installed."""
    asked = config.getoption("--engine")
    return [asked] if asked else [name for name, module in ENGINES.items() if installed(module)]


def pytest_configure(config: pytest.Config) -> None:
    for name in engines(config):
        if not installed(ENGINES[name]):
            raise pytest.UsageError(f"--engine {name}: {ENGINES[name]} is not installed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each worker a run of tests of its own: so a module's gateways, and what else it starts, start once."""
    from xdist.scheduler import WorkStealingScheduling  # type: ignore[import-untyped]

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Diagnostic]:
    """The diagnostics that were made of places in a text, in that order."""
    written: list[Diagnostic] = []
    at = Diagnostic.at

    def counted(*arguments: Any, **options: Any) -> Diagnostic:
        written.append(at(*arguments, **options))
        return written[-1]

    monkeypatch.setattr(Diagnostic, "at", counted)
    return written


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines(metafunc.config), indirect=True)


@pytest.fixture(scope="module")  # not "function": Hypothesis would refuse it in its tests
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the engine in use; a test that asks for it runs once on each."""
    from expofmt import engine as seam

    before = seam.ENGINE
    seam.use(request.param)
    yield request.param
    seam.use(before)


@pytest.fixture(scope="session")
def native_installed() -> None:
    """For tests that compare the engines: without the native one they are skipped, and in CI, which builds it, fail."""
    if not installed(ENGINES["native"]):
        (pytest.fail if IN_CI else pytest.skip)("the native engine is not installed")


@pytest.fixture(scope="session")
def update_cases(pytestconfig: pytest.Config) -> bool:
    """Whether a snapshot test writes what it got instead of comparing it."""
    return bool(pytestconfig.getoption("--update-cases"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real scrapes."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def peer() -> Callable[[str], str]:
    """Finds the program of another project that ours is compared with: `peer("promtool")` is its path.

    Where it is not installed the test is skipped; in CI, where all peers are, it fails.
    """

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            (pytest.fail if IN_CI else pytest.skip)(f"peer {program} is not installed")
        return path

    return find
