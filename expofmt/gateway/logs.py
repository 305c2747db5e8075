"""The log of a server: a line for each event, as logfmt or JSON."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Literal, TextIO

__all__ = ["LEVELS", "Handler", "Log", "LogFormat", "Rarely"]

LogFormat = Literal["logfmt", "json"]

# From what is said only if it is asked for to what is always said.
LEVELS: Final = ("debug", "info", "warn", "error")
# What logfmt has without quotes.
_PLAIN: Final = re.compile(r'[^\s="\\\x00-\x1f\x7f]+')


class Log:
    """Writes events of at least ``level`` to a stream, which is that of errors if none is given. Safe for threads.

    >>> log = Log("info", "logfmt", sys.stdout, clock=lambda: 0)
    >>> log("error", "no space left", {"method": "PUT", "err": ""})
    time=1970-01-01T00:00:00.000Z level=ERROR msg="no space left" method=PUT err=""
    """

    def __init__(
        self,
        level: str = "info",
        format: LogFormat = "logfmt",
        stream: TextIO | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._least = LEVELS.index(level)
        self._format = format
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock

    def __call__(self, level: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        """Write an event."""
        if LEVELS.index(level) < self._least:
            return
        now = self._clock()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
        event = {
            "time": f"{moment}.{now // 10**6 % 1000:03}Z",
            "level": level.upper(),
            "msg": message,
            **(fields or {}),
        }
        if self._format == "json":
            line = _visible(json.dumps(event, ensure_ascii=False))
        else:
            line = " ".join(f"{name}={_quoted(value)}" for name, value in event.items())
        # That nobody reads the log is no reason to stop serving, and there is nowhere to say so.
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class Rarely:
    """Writes to a log what anybody could make happen any number of times: once a second of each message.

    The next event tells by ``unsaid`` how many were left out. For one thread.

    >>> now = 0.0
    >>> rarely = Rarely(Log("info", "logfmt", sys.stdout, clock=lambda: 0), clock=lambda: now)
    >>> for now in (5.0, 5.1, 5.2, 6.5):
    ...     rarely("warn", "who?", {"peer": str(now)})
    time=1970-01-01T00:00:00.000Z level=WARN msg=who? peer=5.0
    time=1970-01-01T00:00:00.000Z level=WARN msg=who? peer=6.5 unsaid=2
    """

    def __init__(self, log: Log, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        # When a message was written, and how often it was not since.
        self._said: dict[str, tuple[float, int]] = {}

    def __call__(self, level: str, message: str, fields: Mapping[str, str]) -> None:
        """Write an event, or count it."""
        now = self._clock()
        at, unsaid = self._said.get(message, (-math.inf, 0))
        if now < at + 1:
            self._said[message] = at, unsaid + 1
            return
        self._said[message] = now, 0
        self._log(level, message, {**fields, "unsaid": str(unsaid)} if unsaid else fields)


class Handler(logging.Handler):
    """Passes on what a library logs. What it tells of its usual course is worth knowing to those only who debug."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._last = ("", 0.0)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record."""
        message = " ".join(record.getMessage().split())
        said, at = self._last
        if message == said and record.created - at < 1:
            return  # asyncio says for each connection that waits that there are too many open files
        self._last = (message, record.created)
        level = "error" if record.levelno >= logging.ERROR else "warn" if record.levelno >= logging.WARNING else "debug"
        fields = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["err"] = repr(record.exc_info[1])
        self._log(level, message, fields)


def _quoted(value: str) -> str:
    is_plain = _PLAIN.fullmatch(value) and value.isprintable()
    return value if is_plain else _visible(json.dumps(value, ensure_ascii=False))


def _visible(line: str) -> str:
    """JSON with all characters escaped that a terminal would obey, or that nobody would see."""
    return line if line.isprintable() else "".join(map(_visible_character, line))


def _visible_character(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
