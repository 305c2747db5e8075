"""Contests: the contenders take turns, so that what else the machine does hits all alike; and the table of results."""

from __future__ import annotations

import gc
import os
import platform
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Contender(NamedTuple):
    """Something to be timed: what it is called, and what it does once."""

    name: str
    run: Callable[[], object]


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


def contest(contenders: Sequence[Contender], *, rounds: int, at_least: float = 0.005) -> list[Timing]:
    """Time the contenders in turn, round by round; what is quicker than ``at_least`` seconds runs several times."""
    repeats = []
    for contender in contenders:
        seconds = _seconds(contender.run, 1)
        repeats.append(max(1, int(at_least / max(seconds, 1e-9))))
    timings = [Timing(contender.name, []) for contender in contenders]
    for _ in range(rounds):
        for contender, timing, count in zip(contenders, timings, repeats, strict=True):
            timing.seconds.append(_seconds(contender.run, count))
    return timings


def _seconds(run: Callable[[], object], count: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def arguments(description: str | None, options: Callable[[ArgumentParser], object] = lambda parser: None) -> Namespace:
    """The command line of a benchmark: ``--quick`` and ``--rounds``, and what else it takes."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="smaller inputs and fewer rounds")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    options(parser)
    chosen = parser.parse_args()
    if chosen.rounds is None:
        chosen.rounds = 3 if chosen.quick else 5
    return chosen


def introduce(what: Iterable[str], packages: Sequence[str] = ("expofmt", "lark", "prometheus_client")) -> None:
    """Say what ran where, and what the work of each contender is."""
    import expofmt

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    print(f"{_processor()}, {os.cpu_count()} processors, {platform.system()}; Python {platform.python_version()}")
    print(f"{versions}; engine {expofmt.ENGINE}; commit {_commit()}")
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


def duel(title: str, timings: Sequence[Timing], *, rival: str, samples: int, size: int) -> None:
    """The table of one contest: times, speed, and how many times faster each is than the rival."""
    base = next((timing for timing in timings if timing.name == rival), None)
    print(f"{title}: {samples:,} samples, {size / 1e6:.3g} MB", flush=True)
    table(
        ("", "min", "median", "µs/sample", "MB/s", f"x {rival} by min", "by median"),
        (
            (
                timing.name,
                duration(timing.least),
                duration(timing.middle),
                f"{timing.middle * 1e6 / max(samples, 1):.2f}",
                f"{size / 1e6 / timing.middle:.1f}",
                f"{base.least / timing.least:.2f}" if base else "",
                f"{base.middle / timing.middle:.2f}" if base else "",
            )
            for timing in timings
        ),
    )


def standard_error(text: str) -> None:
    """Say something that is no result."""
    print(text, file=sys.stderr, flush=True)
