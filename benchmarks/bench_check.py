"""How fast is a file checked, by a function and by a program?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import expofmt
from inputs import Input, generated, real_scrapes
from measure import Contender, arguments, contest, duel, introduce
from rivals import PROMTOOL, file_of, promtool, promtool_check

WORK = (
    "check: the function, on bytes: every bad line, duplicate samples, histogram rules, with places and remedies",
    "expofmt check: the program, in a fresh process, on a file",
    PROMTOOL,
)


def program(path: Path) -> None:
    command = [sys.executable, "-m", "expofmt", "check", "--output-format", "concise", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1):  # 1: what it found
        raise RuntimeError(done.stderr.decode(errors="replace")[:500])


def compete(given: Input, *, rounds: int) -> None:
    with file_of(given.data) as path:
        contenders = [
            Contender("check", lambda: expofmt.check(given.data)),
            Contender("expofmt check", lambda: program(path)),
        ]
        if promtool():
            contenders.append(Contender("promtool", lambda: promtool_check(path)))
        timings = contest(contenders, rounds=rounds)
    duel(given.name, timings, rival="promtool", samples=given.samples, size=len(given.data))


def main() -> None:
    chosen = arguments(__doc__)
    introduce(WORK)
    for given in real_scrapes():
        compete(given, rounds=chosen.rounds)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=min(chosen.rounds, 3))


if __name__ == "__main__":
    main()
