"""Which inputs a command line names, and their bytes."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click

from ..quoting import visible

STDIO: Final = "-"

_PATTERN: Final = re.compile(r"[*?[]")
_GZIP: Final = b"\x1f\x8b\x08"  # with which no exposition begins, in any format


class Input(NamedTuple):
    """Something to read: a file, or standard input, which has no path.

    >>> Input.of("a.prom").name
    'a.prom'
    """

    name: str
    path: Path | None

    @classmethod
    def of(cls, argument: str) -> Input:
        """The input that an argument names, ``-`` being standard input."""
        return cls("<stdin>", None) if argument == STDIO else cls(argument, Path(argument))

    def read(self) -> bytes:
        """All bytes that are there now; a file that shrinks meanwhile gives what was read. Raises OSError."""
        if self.path is not None:
            return self.path.read_bytes()
        if sys.stdin is None:
            raise FileNotFoundError(0, "standard input is closed")
        return sys.stdin.buffer.read()


class Complaints:
    """What could not be read or written: told on stderr at once, a line each, and remembered for the exit code."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @property
    def any(self) -> bool:
        """Whether there was one."""
        return bool(self.names)

    def add(self, name: str, problem: str | OSError) -> None:
        """Tell that there is a problem with a file."""
        self.names.append(name)
        text = problem if isinstance(problem, str) else problem.strerror or str(problem)
        click.echo(f"expofmt: {visible(name)}: {text}", err=True)


def expanded(arguments: Iterable[str], complaints: Complaints) -> list[Input]:
    """The inputs that the arguments name, in their order.

    A folder stands for all ``*.prom`` files in it and below, by name; a pattern that the shell left alone, for the
    files that fit it. An argument that stands for nothing is a complaint, so that no check passes by checking nothing.
    """
    return [each for argument in arguments for each in _expanded(argument, complaints)]


def _expanded(argument: str, complaints: Complaints) -> Iterator[Input]:
    # os.path asks without raising: what cannot be looked at is told when it is read.
    if argument == STDIO:
        yield Input.of(argument)
    elif os.path.isdir(argument):  # noqa: PTH112
        yield from _below(argument, complaints)
    elif _PATTERN.search(argument) and not os.path.lexists(argument):
        found = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found:
            complaints.add(argument, "no file fits this pattern")
        for name in found:
            yield from _below(name, complaints) if os.path.isdir(name) else [Input.of(name)]  # noqa: PTH112
    else:
        yield Input.of(argument)


def _below(folder: str, complaints: Complaints) -> Iterator[Input]:
    told = len(complaints.names)

    def unreadable(error: OSError) -> None:
        complaints.add(error.filename, error)

    found = False
    for here, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for file in sorted(files):
            path = Path(here, file)
            if file.endswith(".prom") and not _is_special(path):
                found = True
                yield Input(str(path), path)
    if not found and len(complaints.names) == told:
        complaints.add(folder, "no *.prom file in this folder")


def _is_special(path: Path) -> bool:
    """Whether it is a pipe or device, from which nobody wants to read by chance."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # reading it will say why


def contents(inputs: Iterable[Input], complaints: Complaints, *, as_is: bool = False) -> Iterator[tuple[Input, bytes]]:
    """Each input with its bytes; one that cannot be read is a complaint, and the others go on.

    So is one that is compressed, unless it is wanted ``as_is``.
    """
    for each in inputs:
        try:
            data = each.read()
        except OSError as error:
            complaints.add(each.name, error)
            continue
        if data.startswith(_GZIP) and not as_is:
            complaints.add(each.name, "is compressed by gzip: decompress it first (gzip -dc)")
        else:
            yield each, data


__all__ = ["STDIO", "Complaints", "Input", "contents", "expanded"]
