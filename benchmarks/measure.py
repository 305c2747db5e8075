"""Contests: the contenders take turns, so that what else the machine does hits all alike; and the table of results."""

from __future__ import annotations

import gc
import os
import platform
import shutil
import subprocess
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

from expofmt import engine


class Contender(Protocol):
    """Something to be timed: what it is called, and how long it takes."""

    @property
    def name(self) -> str: ...

    def seconds(self, runs: int) -> float:
        """How long so many runs in a row take."""


class Work(NamedTuple):
    """A function of this process as a contender."""

    name: str
    run: Callable[[], object]

    def seconds(self, runs: int) -> float:
        gc.collect()
        start = time.perf_counter()
        for _ in range(runs):
            self.run()
        return time.perf_counter() - start


class Timing(NamedTuple):
    """Seconds of all rounds."""

    name: str
    seconds: list[float]

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def middle(self) -> float:
        return median(self.seconds)

    def ratio(self, other: Timing) -> float:
        """How many times as fast as another of the same contest: the median of all rounds, each taken by itself.

        What slows the machine down for a while slows both contenders of a round.
        """
        return median(theirs / mine for mine, theirs in zip(self.seconds, other.seconds, strict=True))


def contest(contenders: Sequence[Contender], *, rounds: int, at_least: float = 0.005) -> list[Timing]:
    """Time the contenders in turn, round by round; what is quicker than ``at_least`` seconds runs several times."""
    repeats = [_repeats(contender, at_least) for contender in contenders]
    timings = [Timing(contender.name, []) for contender in contenders]
    for _ in range(rounds):
        for contender, timing, runs in zip(contenders, timings, repeats, strict=True):
            timing.seconds.append(contender.seconds(runs) / runs)
    return timings


def _repeats(contender: Contender, at_least: float) -> int:
    """How many runs take that long, once the first ones have warmed up what there is to warm up."""
    runs = 1
    # Twice in a row, since a single time may be that of a moment at which something else ran.
    while contender.seconds(runs) < at_least or contender.seconds(runs) < at_least:
        runs *= 2
    return runs


def arguments(description: str | None, options: Callable[[ArgumentParser], object] = lambda parser: None) -> Namespace:
    """The command line of a benchmark: ``--quick``, ``--rounds`` and ``--engine``, and what else it takes.

    The engine is the one of the processes that the benchmark starts, too.
    """
    parser = ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller inputs and fewer rounds")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--engine", choices=("native", "lark"), help="which engine of ours runs")
    options(parser)
    chosen = parser.parse_args()
    if chosen.rounds is None:
        chosen.rounds = 2 if chosen.quick else 5
    if chosen.engine:
        try:
            engine.use(chosen.engine)
        except ImportError as error:
            parser.error(f"the {chosen.engine} engine is not installed: {error}")
        os.environ["EXPOFMT_ENGINE"] = chosen.engine
    return chosen


def introduce(what: Iterable[str], packages: Sequence[str] = ("expofmt", "lark", "prometheus_client")) -> None:
    """Say what ran where, and what the work of each contender is."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    print(f"{_processor()}, {os.cpu_count()} processors, {platform.system()}; Python {platform.python_version()}")
    print(f"{versions}; engine {engine.ENGINE}; commit {_commit()}")
    if promtool := shutil.which("promtool"):
        shown = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True)
        print((shown.stdout or shown.stderr).splitlines()[0])
    print()
    for line in what:
        print(f"- {line}")
    print()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", "../expofmt", "../grammar")
    return git("rev-parse", "--short", "HEAD") + (", changed" if changed else "")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns, the first to the left and the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells]).rstrip(), flush=True)
    print(flush=True)


def duration(seconds: float) -> str:
    """Seconds in a unit that fits.

    >>> duration(0.0123)
    '12.3 ms'
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


class Goal(NamedTuple):
    """How many times as fast as a rival a contender is meant to be, in one contest."""

    name: str
    factor: float
    rival: str


def duel(
    title: str,
    timings: Sequence[Timing],
    *,
    rivals: Sequence[str],
    samples: int,
    size: int,
    goals: Iterable[Goal] = (),
) -> None:
    """The table of one contest: times, speed, how many times as fast as each rival; then which goals are met."""
    by_name = {timing.name: timing for timing in timings}
    shown = [by_name[rival] for rival in rivals if rival in by_name]
    print(f"{title}: {samples:,} samples, {size / 1e6:.3g} MB", flush=True)
    table(
        ("", "min", "median", "µs/sample", "MB/s", *(f"x {rival.name}" for rival in shown)),
        (
            (
                timing.name,
                duration(timing.least),
                duration(timing.middle),
                f"{timing.middle * 1e6 / max(samples, 1):.3g}",
                f"{size / 1e6 / timing.middle:.3g}",
                *(f"{timing.ratio(rival):.2f}" for rival in shown),
            )
            for timing in timings
        ),
    )
    goals = list(goals)
    for goal in goals:
        aim = f"{goal.name}, {goal.factor:g} x {goal.rival}"
        if goal.rival in by_name:
            ratio = by_name[goal.name].ratio(by_name[goal.rival])
            verdict(aim, f"{ratio:.2f}", met=ratio >= goal.factor)
        else:
            verdict(aim, f"{goal.rival} did not run", met=None)
    if goals:
        print(flush=True)


def verdict(aim: str, found: str, *, met: bool | None) -> None:
    """Say what a goal is, what was found, and whether it is met, unless nothing could be measured."""
    ending = {True: ": met", False: ": missed", None: ""}[met]
    print(f"  goal: {aim}; found: {found}{ending}", flush=True)
