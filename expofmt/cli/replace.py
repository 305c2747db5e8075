"""Files replaced as a whole: a reader sees the old bytes or the new ones, also after a crash."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def write_output(path: Path, data: bytes) -> None:
    """Put these bytes where an option says: replace a file, or write to a device, a pipe or an open file.

    ``/dev/stdout`` may be redirected to a file. What the shell opened is written to then, not put in its place.
    Raises OSError.
    """
    if not _leads_elsewhere(path):
        replace_file(path, data)
        return
    # Appending, since it was opened already: what stands there is to stay.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
        file.write(data)


def _leads_elsewhere(path: Path) -> bool:
    """Whether it is no regular file of its own, but a device or pipe, or stands for one of a process' open files."""
    here = path
    for _ in range(40):  # as many links as Linux follows
        here = Path(os.path.realpath(here.parent), here.name)
        if here.is_relative_to("/proc") or here.is_relative_to("/dev/fd"):
            return True
        if not os.path.islink(here):  # noqa: PTH114 - Path would raise what replacing is going to raise
            break
        here = here.parent / here.readlink()
    return os.path.exists(here) and not os.path.isfile(here) and not os.path.isdir(here)  # noqa: PTH110, PTH112, PTH113


def replace_file(path: Path, data: bytes) -> None:
    """Put these bytes in the place of a file, or make it.

    They are written to a new file in the same folder, which takes the place of the old one once it is on disk. Of a
    symbolic link the file that it leads to is replaced. Permissions are kept, and the owner where the system allows
    it; other hard links to the old file keep the old bytes. Raises OSError, and then the file is as it was; a file that
    may not be written to is not replaced either.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.prom")
    ...     replace_file(path, b"a 1\\n")
    ...     path.read_bytes()
    b'a 1\\n'
    """
    target = Path(os.path.realpath(path))  # of links in a circle, Path.resolve would raise RuntimeError
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    if before and not stat.S_ISREG(before.st_mode):
        raise OSError(0, "not a regular file")
    if before and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "not writable; left alone")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _take_over(file.fileno(), before)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _take_over(descriptor: int, before: os.stat_result | None) -> None:
    """Owner and permissions of the file before; of a new file, those that it would have got without our detour."""
    if not hasattr(os, "fchmod"):
        return
    if before is None:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return
    with suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make the new name outlast a crash; the file is in place already, so that a system without this is no failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


__all__ = ["replace_file", "write_output"]
