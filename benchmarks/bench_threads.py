"""Do threads parse side by side?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import expofmt
from inputs import Input, generated
from measure import Work, arguments, contest, duration, introduce, table

THREADS = (1, 2, 8)
# As many as the most threads, so that in each contest each thread has the same number to parse.
PARSES = max(THREADS)


def samples_of(data: bytes) -> int:
    return sum(len(family.samples) for family in expofmt.parse(data).values())


def parse_all(threads: ThreadPoolExecutor, given: Input) -> None:
    found = list(threads.map(samples_of, [given.data] * PARSES))
    if found != [given.samples] * PARSES:
        raise RuntimeError(f"{found} samples of {given.samples} in {given.name}")


def compete(given: Input, *, rounds: int) -> None:
    def with_threads(threads: ThreadPoolExecutor) -> Callable[[], None]:
        return lambda: parse_all(threads, given)

    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(count)) for count in THREADS]
        names = ["1 thread" if count == 1 else f"{count} threads" for count in THREADS]
        works = [Work(name, with_threads(pool)) for name, pool in zip(names, pools, strict=True)]
        timings = contest(works, rounds=rounds)
    alone = timings[0]
    size = PARSES * len(given.data) / 1e6
    print(f"{given.name}, {PARSES} times: {size:.3g} MB")
    table(
        ("", "min", "median", "MB/s", f"x {alone.name}"),
        (
            (
                each.name,
                duration(each.least),
                duration(each.middle),
                f"{size / each.middle:.3g}",
                f"{each.ratio(alone):.2f}",
            )
            for each in timings
        ),
    )


def main() -> None:
    chosen = arguments(__doc__)
    introduce([f"each: {PARSES} parses of the same text, shared out among threads, each result dropped when counted"])
    long_labels, _ = generated(quick=chosen.quick)
    compete(long_labels, rounds=chosen.rounds)


if __name__ == "__main__":
    main()
