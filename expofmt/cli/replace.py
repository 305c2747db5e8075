"""Files replaced as a whole: a reader sees the old bytes or the new ones, also after a crash."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put these bytes in the place of a file, or make it.

    They are written to a new file in the same folder, which takes the place of the old one once it is on disk. Of a
    symbolic link the file that it leads to is replaced. Permissions are kept, and the owner where the system allows
    it; other hard links to the old file keep the old bytes. Raises OSError, and then the file is as it was.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.prom")
    ...     replace_file(path, b"a 1\\n")
    ...     path.read_bytes()
    b'a 1\\n'
    """
    target = path.resolve()
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    if before and not stat.S_ISREG(before.st_mode):
        raise OSError(0, "not a regular file")
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


__all__ = ["replace_file"]
