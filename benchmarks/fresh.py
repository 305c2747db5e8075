"""What a fresh process takes: its time from start to end, and the memory of a piece of work in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Linux only: there, a process knows the most memory that it ever had.
_STATUS = "/proc/{}/status"
_FORGET = Path("/proc/self/clear_refs")


class Memory(NamedTuple):
    """Bytes: the peak during the work over what was there before, and what its result still holds."""

    peak: int
    held: int


def python(*arguments: str, env: Mapping[str, str]) -> None:
    """Run Python to its end, its output dropped."""
    subprocess.run([sys.executable, *arguments], env=env, stdout=subprocess.DEVNULL, check=True)


def memory_of(work: Callable[[], object]) -> Memory:
    """The memory of some work, to be asked in a process that does nothing else."""
    _FORGET.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    result = work()
    memory = Memory(_status("VmHWM") - before, _status("VmRSS") - before)
    del result
    return memory


def peak_of(*command: str) -> int:
    """The most memory that a program ever had, to be asked in a process that is small: its own counts as well."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return usage.ru_maxrss * 1024


def resident(process: int | None = None) -> int:
    """The bytes that this process, or another one, has in memory now."""
    return _status("VmRSS", process)


def _status(key: str, process: int | None = None) -> int:
    status = Path(_STATUS.format("self" if process is None else process)).read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024


def answer(script: str, arguments: Sequence[str]) -> list[str]:
    """The words that a script of this folder prints when it runs in a fresh process."""
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
