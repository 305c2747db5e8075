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
from rivals import PROMETHEUS_CLIENT, file_of, prometheus_client_parse

HELD_GOAL = 64
COMMAND_GOAL = 3
# A process has its memory by the page, and more at once than it needs: few samples tell little.
ENOUGH = 10_000


def parsed(data: bytes) -> object:
    return expofmt.parse(data)


def objects(data: bytes) -> object:
    return [list(family.samples) for family in expofmt.parse(data).values()]


def prometheus_client(data: bytes) -> object:
    return prometheus_client_parse(data.decode())


WORK: Mapping[str, Callable[[bytes], object]] = {
    "parse": parsed,
    "parse, then all sample objects": objects,
    "prometheus_client": prometheus_client,
}


def measured(work: str, path: str) -> None:
    """In a fresh process, with no freed memory to use again: print the bytes of peak and result."""
    data = Path(path).read_bytes()
    expofmt.parse(b"a 1\n")
    prometheus_client_parse("a 1\n")
    print(*memory_of(lambda: WORK[work](data)))


def of_functions(given: Input, *, rounds: int) -> None:
    print(f"{given.name}: {given.samples:,} samples, {len(given.data) / 1e6:.3g} MB")
    rows = []
    held_by: dict[str, float] = {}
    with file_of(given.data) as path:
        for work in WORK:
            found = [answer(__file__, ["--measured", work, str(path)]) for _ in range(rounds)]
            peak, held = (min(map(int, numbers)) for numbers in zip(*found, strict=True))
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
    largest = max(real_scrapes(), key=lambda given: given.samples)
    for given in [largest, *generated(quick=chosen.quick)]:
        of_functions(given, rounds=1 if chosen.quick else 2)
    of_command(quick=chosen.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        measured(*sys.argv[2:4])
    elif sys.argv[1:2] == ["--command"]:
        print(peak_of(sys.executable, "-m", "expofmt", "check", "--output-format", "concise", sys.argv[2]))
    else:
        main()
