"""What is made of files, and made again when they change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from ...quoting import visible
from .errors import WebConfigError

__all__ = ["Watched", "read"]

T = TypeVar("T")
# A file that was written so shortly before it was read may be written again at what its file system takes for the same
# time.
_FRESH_NS: Final = 2 * 10**9


class Watched(Generic[T]):
    """What is made of some files, made again when one of them has changed."""

    def __init__(self, files: tuple[str, ...], make: Callable[[], T]) -> None:
        self._files = files
        self._make = make
        self._stamps: list[tuple[int, ...] | None] | None = None
        self._contents: list[bytes | None] = []
        self._fresh = False
        self._value: T | None = None
        self._error = ""

    def get(self) -> T:
        """What is made of them as they are. Raises WebConfigError."""
        stamps = [_stamp(file) for file in self._files]
        if self._fresh or stamps != self._stamps:
            self._look(stamps)
        if self._value is None:
            raise WebConfigError(self._error)
        return self._value

    def _look(self, stamps: list[tuple[int, ...] | None]) -> None:
        now = time.time_ns()
        contents = [_content(file) for file in self._files]
        if self._stamps is None or contents != self._contents:
            try:
                self._value, self._error = self._make(), ""
            except WebConfigError as error:
                self._value, self._error = None, str(error)
        self._stamps, self._contents = stamps, contents
        self._fresh = any(stamp is not None and max(stamp[:2]) > now - _FRESH_NS for stamp in stamps)


def _stamp(file: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - once for each request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _content(file: str) -> bytes | None:
    try:
        return Path(file).read_bytes()
    except OSError:
        return None


def read(file: str) -> bytes:
    """What is in a file. Raises WebConfigError."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise WebConfigError(f"{visible(file)}: {error.strerror or error}") from None
