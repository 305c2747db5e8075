"""How much memory does a parsed exposition hold, and how much do parsing it and checking a large file take?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import expofmt
from fresh import answer, memory_of, peak_of
from inputs import Input, generated, real_scrapes, write_large
from measure import arguments, introduce, table, verdict
from rivals import PROMETHEUS_CLIENT, prometheus_client_parse

HELD_GOAL = 64
COMMAND_GOAL = 3
# A process has its memory by the page, and more at once than it needs: few samples tell little.
ENOUGH = 10_000


def parsed(given: Input) -> object:
    return expofmt.parse(given.data)


def objects(given: Input) -> object:
    return [list(family.samples) for family in expofmt.parse(given.data).values()]


def prometheus_client(given: Input) -> object:
    return prometheus_client_parse(given.data.decode())


WORK: Mapping[str, Callable[[Input], object]] = {
    "parse": parsed,
    "parse, then all sample objects": objects,
    "prometheus_client": prometheus_client,
}


def inputs(*, quick: bool) -> dict[str, Input]:
    largest = max(real_scrapes(), key=lambda given: given.samples)
    return {given.name: given for given in [largest, *generated(quick=quick)]}


def measured(work: str, name: str, quick: str) -> None:
    """In a fresh process: print the bytes of peak and result."""
    given = inputs(quick=quick == "quick")[name]
    expofmt.parse(b"a 1\n")
    prometheus_client_parse("a 1\n")
    print(*memory_of(lambda: WORK[work](given)))


def of_functions(*, quick: bool, rounds: int) -> None:
    for name, given in inputs(quick=quick).items():
        print(f"{name}: {given.samples:,} samples, {len(given.data) / 1e6:.3g} MB")
        rows = []
        held_by: dict[str, float] = {}
        for work in WORK:
            asked = ["--measured", work, name, "quick" if quick else "full"]
            found = [[int(word) for word in answer(__file__, asked)] for _ in range(rounds)]
            peak, held = (min(numbers) for numbers in zip(*found, strict=True))
            size = len(given.data)
            held_by[work] = held / given.samples
            rows.append((work, f"{held_by[work]:.0f}", f"{held / size:.1f}", f"{peak / size:.1f}"))
        table(("", "held, bytes a sample", "held, x the input", "peak, x the input"), rows)
        if given.samples >= ENOUGH:
            aim = f"parse holds at most {HELD_GOAL} bytes a sample"
            verdict(aim, f"{held_by['parse']:.0f}", met=held_by["parse"] <= HELD_GOAL)
            print()


def of_command(*, quick: bool) -> None:
    print("expofmt check FILE: the most memory of its process")
    rows = []
    times: dict[str, float] = {}
    for name in ("kubernetes", "short"):
        with TemporaryDirectory() as folder:
            path = Path(folder, "large.prom")
            write_large(path, name, quick=quick)
            size = path.stat().st_size
            (peak,) = answer(__file__, ["--command", str(path)])
        times[name] = int(peak) / size
        rows.append((name, f"{size / 1e6:.3g} MB", f"{int(peak) / 1e6:.4g} MB", f"{times[name]:.1f}"))
    table(("", "file", "peak", "x the file"), rows)
    for name, found in times.items():
        verdict(f"at most {COMMAND_GOAL} x the file, {name}", f"{found:.1f}", met=found <= COMMAND_GOAL)


def main() -> None:
    chosen = arguments(__doc__)
    introduce(
        [
            "held: what parsing returned, the input aside; peak: the most while parsing; the least of fresh processes",
            PROMETHEUS_CLIENT,
        ]
    )
    of_functions(quick=chosen.quick, rounds=min(chosen.rounds, 2))
    of_command(quick=chosen.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        measured(*sys.argv[2:5])
    elif sys.argv[1:2] == ["--command"]:
        print(peak_of(sys.executable, "-m", "expofmt", "check", "--output-format", "concise", sys.argv[2]))
    else:
        main()
