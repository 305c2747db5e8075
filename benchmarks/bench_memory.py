"""How much memory does a parsed exposition hold, and how much does it take to parse it?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import expofmt
from fresh import answer, memory_of
from inputs import Input, generated, real_scrapes
from measure import arguments, introduce, table
from rivals import PROMETHEUS_CLIENT, prometheus_client_parse


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


def main() -> None:
    chosen = arguments(__doc__)
    introduce(
        [
            "held: what parsing returned, the input aside; peak: the most while parsing; the least of fresh processes",
            PROMETHEUS_CLIENT,
        ]
    )
    for name, given in inputs(quick=chosen.quick).items():
        print(f"{name}: {given.samples:,} samples, {len(given.data) / 1e6:.3g} MB")
        rows = []
        for work in WORK:
            asked = ["--measured", work, name, "quick" if chosen.quick else "full"]
            found = [[int(word) for word in answer(__file__, asked)] for _ in range(min(chosen.rounds, 2))]
            peak, held = (min(numbers) for numbers in zip(*found, strict=True))
            size = len(given.data)
            rows.append((work, f"{held / given.samples:.0f}", f"{held / size:.1f}", f"{peak / size:.1f}"))
        table(("", "held, bytes a sample", "held, x the input", "peak, x the input"), rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        measured(*sys.argv[2:5])
    else:
        main()
