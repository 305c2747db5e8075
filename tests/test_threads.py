"""Many threads at once: each gets what it would get alone, and what is shared may be read by all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from expofmt import Diagnostic, Exposition, check, diff, merge, parse, render

pytestmark = pytest.mark.usefixtures("engine")

THREADS = 8
SCRAPES = [path.read_bytes() for path in sorted((Path(__file__).parent / "data").glob("*.prom"))]
# All that is small enough to be read again and again on the slower engine, and something with faults of every kind.
TEXTS = [
    *(scrape[: scrape.index(b"\n", 8_000) + 1] for scrape in SCRAPES if len(scrape) > 10_000),
    b'a{b="1"} 1\na{b=2} 2\na{b="3" 3\n# TYPE a gauge\n# HELP a \xff\nc{d="e",d="f"} 1e999 x\n{"a b"} 1',
]


def told(text: bytes) -> tuple[list[Diagnostic], Exposition | None, bytes]:
    """Whatever is read from a text, and that written again."""
    found = check(text)
    try:
        exposition = parse(text)
    except ValueError:
        return found, None, b""
    return found, exposition, render(exposition)


def at_once(work: Callable[[int], object]) -> None:
    """Run the work in every thread, from the same moment on, with the thread's number."""
    ready = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        ready.wait(timeout=60)
        work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(begin, range(THREADS)))


def test_each_thread_reads_its_own_text() -> None:
    expected = [told(text) for text in TEXTS]

    def work(number: int) -> None:
        for turn in range(2 * len(TEXTS)):
            index = (number + turn) % len(TEXTS)
            assert told(TEXTS[index]) == expected[index]

    at_once(work)


def test_all_threads_read_the_same_bytes() -> None:
    text = TEXTS[0]
    expected = told(text)

    def work(number: int) -> None:
        for _ in range(5):
            assert told(text) == expected

    at_once(work)


def test_a_shared_exposition_answers_all_threads() -> None:
    text = TEXTS[0]

    def answers(shared: Exposition) -> list[object]:
        family = max(shared.values(), key=lambda family: len(family.samples))
        name, type, samples = family.name, family.type, family.samples
        return [
            [str(sample) for sample in samples],
            samples.with_labels({"job": "x"}, {}),
            samples.combine(samples, "sum", name=name, type=type)[0],
            list(samples.fingerprints()),
            samples.label_cardinality(),
            samples.duplicates(name=name, type=type),
            render(merge(shared, parse(b"zzz 1\n"))),
            str(diff(shared, shared)),
        ]

    expected = answers(parse(text))
    # Nothing that is made when it is asked for has been made.
    shared = parse(text)

    def work(number: int) -> None:
        for _ in range(3):
            assert answers(shared) == expected

    at_once(work)
