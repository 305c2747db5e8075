"""What is made of files, and made again when they change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from ...quoting import visible
from .errors import WebConfigError

__all__ = ["Watched"]

T = TypeVar("T")
# How long files must have been left alone to be taken for whole. Most programs that write a file empty it first.
_SETTLED_NS: Final = 500 * 10**6
# A file that was written so shortly before it was read may be written again at what its file system takes for the same
# time.
_FRESH_NS: Final = 2 * 10**9

# When a file was changed, and which it is; None if there is none.
_Stamp = tuple[int, ...] | None
# What is in a file, or why it cannot be read.
_Content = bytes | str


class Watched(Generic[T]):
    """What ``make`` makes of what is in some files, made again once they have changed and are left alone.

    Until then it is what it was: a file that is being written is none to go by.
    """

    def __init__(self, files: Sequence[str], make: Callable[[Sequence[bytes]], T]) -> None:
        self._files = files
        self._make = make
        self._value: T | None = None
        self._error = ""
        # What the value, or the error, was made of.
        self._contents: list[_Content] | None = None
        # What was seen last, since when, and whether to look again even if the stamps are the same.
        self._seen: tuple[list[_Stamp], list[_Content]] = [], []
        self._seen_ns = 0
        self._look_again = True

    def get(self) -> T:
        """What is made of them. Raises WebConfigError."""
        stamps = self._stamps()
        if self._look_again or stamps != self._seen[0]:
            self._look(stamps)
        if self._value is None:
            raise WebConfigError(self._error)
        return self._value

    def _look(self, stamps: list[_Stamp]) -> None:
        contents = [_content(file) for file in self._files]
        now_ns, time_ns = time.monotonic_ns(), time.time_ns()
        if (stamps, contents) != self._seen:
            self._seen, self._seen_ns = (stamps, contents), now_ns
        youngest_ns = max((max(stamp[:2]) if stamp else time_ns for stamp in stamps), default=0)
        if self._contents is None:
            self._take(contents)
        elif contents != self._contents and max(now_ns - self._seen_ns, time_ns - youngest_ns) >= _SETTLED_NS:
            before = self._value, self._error
            self._take(contents)
            if self._stamps() != stamps:
                self._value, self._error = before
                self._contents = []
        self._look_again = contents != self._contents or youngest_ns > time_ns - _FRESH_NS

    def _take(self, contents: list[_Content]) -> None:
        self._contents = contents
        try:
            unreadable = next((content for content in contents if isinstance(content, str)), "")
            if unreadable:
                raise WebConfigError(unreadable)
            self._value, self._error = self._make([content for content in contents if isinstance(content, bytes)]), ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to let anybody in
            told = isinstance(error, (WebConfigError, ModuleNotFoundError))
            self._value, self._error = None, str(error) if told else repr(error)

    def _stamps(self) -> list[_Stamp]:
        return [_stamp(file) for file in self._files]


def _stamp(file: str) -> _Stamp:
    try:
        found = os.stat(file)  # noqa: PTH116 - once for each request
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _content(file: str) -> _Content:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        return f"{visible(file)}: {getattr(error, 'strerror', None) or error}"
