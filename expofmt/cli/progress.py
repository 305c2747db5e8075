"""A word to whoever waits in front of a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..quoting import visible

# Less than this is done before anybody wonders.
BIG: Final = 4_000_000


@contextmanager
def working(verb: str, name: str, size: int, *, quiet: bool) -> Iterator[None]:
    """While the body runs, show what is being done and for how long; nothing remains of it afterwards.

    It is shown on stderr, if that is a terminal, and for inputs of some megabytes only.
    """
    if quiet or size < BIG or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    begun = time.monotonic()

    def tick() -> None:
        while not done.wait(0.5):
            seconds = time.monotonic() - begun
            sys.stderr.write(f"\r\x1b[K{verb} {visible(name)}, {size / 1e6:.0f} MB: {seconds:.0f} s")
            sys.stderr.flush()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


__all__ = ["BIG", "working"]
