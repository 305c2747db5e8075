"""How fast is a file checked, by a function and by a program?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import expofmt
from inputs import Input, generated, real_scrapes
from measure import Goal, Work, arguments, contest, duel, introduce
from rivals import PROMTOOL, file_of, promtool, promtool_check

WORK = (
    "check: the function, on bytes: every bad line, duplicate samples, histogram rules, with places and remedies",
    "expofmt check: the program, in a fresh process, on a file",
    PROMTOOL,
)


GOALS = (Goal("check", 10, "promtool"), Goal("expofmt check", 10, "promtool"))


def program(path: Path) -> None:
    command = [sys.executable, "-m", "expofmt", "check", "--output-format", "concise", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1):  # 1: what it found
        raise RuntimeError(done.stderr.decode(errors="replace")[:500])


def compete(given: Input, *, rounds: int, goals: Iterable[Goal] = ()) -> None:
    with file_of(given.data) as path:
        contenders = [
            Work("check", lambda: expofmt.check(given.data)),
            Work("expofmt check", lambda: program(path)),
        ]
        if promtool():
            contenders.append(Work("promtool", lambda: promtool_check(path)))
        timings = contest(contenders, rounds=rounds)
    duel(given.name, timings, rivals=["promtool"], samples=given.samples, size=len(given.data), goals=goals)


def main() -> None:
    chosen = arguments(__doc__)
    introduce(WORK)
    for given in real_scrapes():
        compete(given, rounds=chosen.rounds)
    long_labels, short_labels = generated(quick=chosen.quick)
    compete(long_labels, rounds=chosen.rounds, goals=GOALS)
    compete(short_labels, rounds=chosen.rounds)


if __name__ == "__main__":
    main()
