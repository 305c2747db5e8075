"""Does hostile input take time and memory in proportion to its size?"""

from __future__ import annotations

import sys
import time

import expofmt
from fresh import answer, memory_of
from hostile import HOSTILE
from measure import arguments, duration, introduce, table

SIZES = (1, 2, 4)


def measured(name: str, size: int) -> None:
    """In a fresh process: print bytes, seconds of `check`, and its peak memory."""
    expofmt.check(b"a 1\n")
    data = HOSTILE[name].make(size)
    start = time.perf_counter()
    memory = memory_of(lambda: expofmt.check(data))
    print(len(data), time.perf_counter() - start, memory.peak)


def main() -> None:
    chosen = arguments(
        __doc__, lambda parser: parser.add_argument("--size", type=int, help="bytes of the smallest input")
    )
    unit = chosen.size or (100_000 if chosen.quick else 5_000_000)
    sizes = SIZES[::2] if chosen.quick else SIZES
    introduce(
        [
            f"check: {', '.join(f'{unit * size / 1e6:g}' for size in sizes)} MB, each once in a fresh process",
            "growth: the time of the largest over that of the smallest, over the same of their sizes; 1 is linear",
            "memory: the peak over what the process had before, as a multiple of the input",
        ]
    )
    rows = []
    for name in HOSTILE:
        if name == "empty":
            continue
        found = [[float(word) for word in answer(__file__, ["--measured", name, str(unit * size)])] for size in sizes]
        growth = (found[-1][1] / found[0][1]) / (found[-1][0] / found[0][0])
        times = [duration(seconds) for _, seconds, _ in found]
        peaks = [f"{peak / size:.1f}" for size, _, peak in found]
        rows.append([name, *times, f"{growth:.2f}", *peaks])
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    labels = [f"{size}x" for size in sizes]
    table(["", *(f"time {label}" for label in labels), "growth", *(f"memory {label}" for label in labels)], rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        measured(sys.argv[2], int(sys.argv[3]))
    else:
        main()
