"""A journal in an SQLite file: the state that the changes lead to, a row for each family of each group.

A change replaces the rows that it is about, in one transaction with the others of its batch. So there is no log to be
compacted: the file holds what is alive, to read it is to start up, and it is about as large as what is alive.
The write-ahead log is on disk before an append returns (``synchronous=FULL``).

What a reader with any SQLite shell finds:

* ``groups``: ``key`` is a JSON object of the grouping labels, sorted by name. ``push_time_ns`` and ``failure_time_ns``
  are those of the last push and the last refused one, 0 for never; ``lifetime_ns`` is NULL for a group that does not
  expire.
* ``families``: ``body`` is the family in the text format, its samples in the order in which they were pushed;
  ``time_ns`` is that of the push that set it.
* ``checksum`` is the CRC-32 of the rest of the row, since SQLite tells a damaged page from a sound one by its
  structure only; that of a group takes in those of its families, so that none is missing.

``application_id`` in the header of the file says that it is a journal of expofmt, ``user_version`` of which schema.
Both are there from the first moment at which the file has its name.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import weakref
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from .. import engine
from ..diagnostics import ExpositionError
from ..grouping import GroupingKey
from ..groups import Change, ChangeKind, Group, JournalError, StoredFamily, retold
from ..model import TEXT_SUFFIXES, MetricFamily
from ..parse import parse
from ..quoting import visible
from ..values import INT64_MAX, INT64_MIN

if sys.platform != "win32":
    import fcntl

__all__ = ["DamagedJournalError", "SqliteJournal"]

APPLICATION_ID: Final = 0x65787066  # "expf"
SCHEMA_VERSION: Final = 1

_SCHEMA: Final = (
    """\
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    push_time_ns INTEGER NOT NULL,
    failure_time_ns INTEGER NOT NULL,
    lifetime_ns INTEGER,
    checksum INTEGER NOT NULL
)""",
    """\
CREATE TABLE families (
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (group_id, name)
) WITHOUT ROWID""",
)

# Where SQLite's header keeps what it is told by these pragmas.
_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_USER_VERSION: Final = slice(60, 64)
_APPLICATION_ID: Final = slice(68, 72)
# What the original writes begins with the name of a type of its program.
_GOB: Final = b"GroupingKeyToMetricGroup"

# How long a lock of somebody who has the file open in an SQLite shell is waited for.
_BUSY_SECONDS: Final = 2.0
# Deleted groups leave free pages. When these are most of the file, each append gives some of them back.
_PAGES_GIVEN_BACK: Final = 64
# How much a log that grew in one large batch may keep of its size.
_LOG_BYTES: Final = 16 << 20


class DamagedJournalError(JournalError):
    """The file is a journal, and holds what no journal has written there.

    >>> issubclass(DamagedJournalError, JournalError)
    True
    """


class _Group(NamedTuple):
    """A row of ``groups``."""

    id: int
    key: str
    push_time_ns: int
    failure_time_ns: int
    lifetime_ns: int | None

    def checksum(self, families: Sequence[int]) -> int:
        """That of the row, given those of its families in order of their names."""
        return zlib.crc32(repr((*self, *families)).encode())


class _Family(NamedTuple):
    """A row of ``families``."""

    name: str
    time_ns: int
    body: bytes

    def checksum(self, key: str) -> int:
        """That of the row, given the key of its group."""
        return zlib.crc32(self.body, zlib.crc32(repr((key, self.name, self.time_ns)).encode()))


class SqliteJournal:
    """A journal in the file at ``path``, which is made if there is none; only one at a time may have it open.

    With ``read_only`` the file must be there, is not written to, and may be open for writing elsewhere at the same
    time: what is replayed is the state at one moment.

    Raises JournalError if the file cannot be opened, is none of ours, is of a later version, or is in use; it is left
    as it is then, byte for byte. Appending raises it where the disk is full or the file cannot be written to: nothing
    of the batch has happened, and the journal can be used again. What is found damaged is a
    :class:`DamagedJournalError`.

    One thread at a time may call it, and it may be any thread. A process that is forked off does not have it open.
    Times are nanoseconds since the Unix epoch. Beside the file stand, while it is open, SQLite's own ``-wal`` and
    ``-shm``, and ``-lock``, which says by its lock (not by its existence) that the journal is in use.

    >>> import tempfile
    >>> from expofmt import MetricFamily
    >>> from expofmt.grouping import GroupingKey
    >>> from expofmt.groups import Change, ChangeKind
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SqliteJournal(Path(folder, "journal")) as journal:
    ...         key = GroupingKey("batch")
    ...         journal.append([Change(ChangeKind.PUT, 5, key, (MetricFamily.gauge("a", 1),))])
    ...     with SqliteJournal(Path(folder, "journal"), read_only=True) as journal:
    ...         [(change.kind.value, change.time_ns, change.families[0].name) for change in journal.replay()]
    [('put', 5, 'a')]
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path: Final = Path(path)
        self.read_only: Final = read_only
        self._process = os.getpid()
        self._lock: _Lock | None = None
        self._connection: sqlite3.Connection | None = None
        self._damaged = False
        self._reading = False
        self._stamp: tuple[int, ...] | None = None
        with self._speaking_of("cannot be opened"):
            # SQLite puts its other files beside the one that a link leads to.
            self._file = Path(os.path.realpath(self.path))
            if read_only:
                self._connection, self._stamp = _reader(self._file)
            else:
                self._lock = _Lock(self._file)
                try:
                    self._connection = _writer(self._file)
                except BaseException:
                    self._lock.release()
                    raise
            _open_here.add(self)
        try:
            with self._speaking_of("cannot be opened"):
                self._look_at_schema()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, changes: Sequence[Change], /) -> None:
        """Record changes in order, all or none. When this returns, they survive a loss of power.

        Raises JournalError if they cannot be recorded, be it that the disk is full, that a time takes more than 64
        bits, or that the text format cannot hold a family (such as exemplars, or HELP text that begins with a blank);
        and TypeError for a time or lifetime that is no ``int``. A batch shares one wait for the disk.
        """
        connection = self._usable()
        if self.read_only:
            raise JournalError(f"{visible(str(self.path))}: is open for reading only")
        if self._reading:
            raise JournalError(f"{visible(str(self.path))}: is being replayed; go through to the end first")
        changes = [self._timed(change) for change in changes]
        rows = [self._rows(change) for change in changes]
        _roll_back(connection)
        with self._speaking_of("cannot be written to; nothing was recorded"):
            try:
                connection.execute("BEGIN IMMEDIATE")
                for change, bodies in zip(changes, rows, strict=True):
                    _apply(connection, change, bodies)
                _give_back_pages(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def replay(self) -> Generator[Change, None, None]:
        """Changes that lead from an empty store to what was recorded, in order of their groups' making.

        Their families may share the text that they were read from. Raises :class:`DamagedJournalError` at what no
        journal has written; what came before is sound. Go through to the end, or close the generator, before appending.
        """
        connection = self._usable()
        if self._reading:
            raise JournalError(f"{visible(str(self.path))}: is being replayed already")
        with self._speaking_of("cannot be read"), self._one_moment(connection):
            for problem in _structure_problems(connection):
                raise DamagedJournalError(problem)
            for group, checksum, families in _stored(connection):
                yield from retold(_group(group, checksum, families))

    def problems(self) -> Iterator[str]:
        """All that is damaged, a line each; none for a journal that is whole.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, SqliteJournal(Path(folder, "journal")) as journal:
        ...     list(journal.problems())
        []
        """
        connection = self._usable()
        if self._reading:
            raise JournalError(f"{visible(str(self.path))}: is being replayed already")
        with self._speaking_of("cannot be read"), self._one_moment(connection):
            broken = False
            for problem in _structure_problems(connection):
                self._damaged = broken = True
                yield problem
            if broken:
                return
            for group, checksum, families in _stored(connection):
                try:
                    _group(group, checksum, families)
                except DamagedJournalError as error:
                    self._damaged = True
                    yield str(error)

    def close(self) -> None:
        """Let go of the file. Closing twice does no harm."""
        if self._process != os.getpid():
            return  # what belongs to the process that opened it
        _open_here.discard(self)
        if (connection := self._connection) is not None:
            self._connection = None
            _close(connection, self._file if self._damaged and not self.read_only else None)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _usable(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            raise JournalError(f"{visible(str(self.path))}: was opened by the process that forked this one")
        if self._connection is None:
            raise JournalError(f"{visible(str(self.path))}: is closed")
        return self._connection

    def _is_writing(self, file: Path) -> bool:
        """Whether this has the file open for writing, in this process."""
        return not self.read_only and self._process == os.getpid() and self._file == file

    def _timed(self, change: Change) -> Change:
        """The change with times as SQLite gives them back, since checksums are made of how they are written."""
        lifetime_ns = change.lifetime_ns
        return replace(
            change,
            time_ns=self._int64(change.time_ns),
            lifetime_ns=None if lifetime_ns is None else self._int64(lifetime_ns),
        )

    def _int64(self, time_ns: int) -> int:
        if not isinstance(time_ns, int):
            raise TypeError(f"times and lifetimes are an int of nanoseconds, not {time_ns!r}")
        if not INT64_MIN <= time_ns <= INT64_MAX:
            raise JournalError(
                f"{visible(str(self.path))}: cannot be written to; nothing was recorded: {time_ns} ns takes more than "
                "64 bits"
            )
        return int(time_ns)  # of a bool, too, which is written as a word

    def _rows(self, change: Change) -> list[_Family]:
        """The rows of a change's families. Raises JournalError for what would not come back as it is."""
        bodies = [engine.encode_exact([family]) for family in change.families]
        names = [family.name for family in change.families]
        try:
            together = _families(bodies, names)
        except (ExpositionError, KeyError):
            together = []
        if together != [*change.families]:
            for family, body in zip(change.families, bodies, strict=True):
                if not _reads_back(family, body):
                    what = f"metric family {family.name!r} of group {_shown(change.key)}"
                    raise JournalError(
                        f"{visible(str(self.path))}: {what} cannot be recorded: the text format does not hold all of it"
                    )
        # A name may be of a subclass of str, such as an enum, which is written in another way.
        return [_Family(str.__str__(name), change.time_ns, body) for name, body in zip(names, bodies, strict=True)]

    def _look_at_schema(self) -> None:
        connection = self._usable()
        version: int
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _check_version(version)
        tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        if tuple(sql for (sql,) in connection.execute(tables)) != _SCHEMA:
            raise DamagedJournalError("its tables are not those of a journal")

    @contextmanager
    def _one_moment(self, connection: sqlite3.Connection) -> Iterator[None]:
        """All that is read inside is of one state, whatever is written meanwhile."""
        _roll_back(connection)
        connection.execute("BEGIN")
        self._reading = True
        try:
            yield
            if self._stamp is not None and self._stamp != _stamp(self._file):
                raise JournalError("was written to while it was read: read it again")
        finally:
            self._reading = False
            _roll_back(connection)

    @contextmanager
    def _speaking_of(self, trouble: str) -> Iterator[None]:
        """What goes wrong inside becomes a JournalError that names the file."""
        name = visible(str(self.path))
        try:
            yield
        except DamagedJournalError as error:
            self._damaged = True
            raise DamagedJournalError(f"{name}: is damaged: {error}") from error.__cause__
        except JournalError as error:
            raise JournalError(f"{name}: {error}") from error.__cause__
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self._damaged = True
                raise DamagedJournalError(f"{name}: is damaged: {error}") from error
            raise JournalError(f"{name}: {trouble}: {error}") from error
        except UnicodeDecodeError as error:
            # Of a damaged schema SQLite's message repeats the bytes, and Python's sqlite3 cannot make it an error.
            self._damaged = True
            raise DamagedJournalError(f"{name}: is damaged: malformed database schema") from error
        except OSError as error:
            raise JournalError(f"{name}: {trouble}: {error.strerror or error}") from error


# Of this process. A lock that SQLite has on a file ends when any descriptor of that file is closed in the process.
_open_here: Final[weakref.WeakSet[SqliteJournal]] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    """In a process just forked off: let the parent's locks end with the parent."""
    for journal in _open_here:
        if journal._lock is not None:
            journal._lock.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)


def _apply(connection: sqlite3.Connection, change: Change, families: Sequence[_Family]) -> None:
    """Do to the rows what the change does to the groups."""
    if change.kind is ChangeKind.WIPE:
        connection.execute("DELETE FROM families")
        connection.execute("DELETE FROM groups")
        return
    if change.key is None:
        raise ValueError(f"a change of kind {change.kind} is of a group")
    key = _key_text(change.key)
    found = connection.execute(
        "SELECT id, key, push_time_ns, failure_time_ns, lifetime_ns FROM groups WHERE key = ?", (key,)
    ).fetchone()
    if change.kind in (ChangeKind.DELETE, ChangeKind.EXPIRE):
        if found:
            connection.execute("DELETE FROM families WHERE group_id = ?", found[:1])
            connection.execute("DELETE FROM groups WHERE id = ?", found[:1])
        return
    if found:
        group = _Group(*found)
    else:
        (last,) = connection.execute("SELECT max(id) FROM groups").fetchone()
        group = _Group((last or 0) + 1, key, 0, 0, change.lifetime_ns)
    if change.kind is ChangeKind.FAIL:
        group = group._replace(failure_time_ns=change.time_ns)
    else:
        group = group._replace(push_time_ns=change.time_ns, lifetime_ns=change.lifetime_ns)
    if change.kind is ChangeKind.PUT and found:
        connection.execute("DELETE FROM families WHERE group_id = ?", (group.id,))
    connection.executemany(
        "INSERT OR REPLACE INTO families (group_id, name, time_ns, body, checksum) VALUES (?, ?, ?, ?, ?)",
        [(group.id, *family, family.checksum(key)) for family in families],
    )
    checksums = connection.execute("SELECT checksum FROM families WHERE group_id = ? ORDER BY name", (group.id,))
    connection.execute(
        "INSERT OR REPLACE INTO groups (id, key, push_time_ns, failure_time_ns, lifetime_ns, checksum) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (*group, group.checksum([checksum for (checksum,) in checksums])),
    )


def _give_back_pages(connection: sqlite3.Connection) -> None:
    """Shrink the file by a few pages where most of it is free, so that no append takes long for it."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > _PAGES_GIVEN_BACK:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if free > pages // 2:
            for _ in range(_PAGES_GIVEN_BACK):
                connection.execute("PRAGMA incremental_vacuum(1)")  # Python's sqlite3 makes but one step of it


def _stored(connection: sqlite3.Connection) -> Iterator[tuple[_Group, int, list[tuple[_Family, int]]]]:
    """Each group with its families in order of their names, and the checksums that stand beside them."""
    groups = connection.execute(
        "SELECT id, key, push_time_ns, failure_time_ns, lifetime_ns, checksum FROM groups ORDER BY id"
    ).fetchall()
    rows = connection.execute("SELECT group_id, name, time_ns, body, checksum FROM families ORDER BY group_id, name")
    families = groupby(rows, key=itemgetter(0))
    owner, of_owner = next(families, (None, iter(())))
    for *group, checksum in groups:
        own: list[tuple[_Family, int]] = []
        if owner == group[0]:
            own = [(_Family(*row[1:4]), row[4]) for row in of_owner]
            owner, of_owner = next(families, (None, iter(())))
        yield _Group(*group), checksum, own
    if owner is not None:
        raise DamagedJournalError(f"families of a group {owner} that is not there")


def _group(row: _Group, checksum: int, rows: Sequence[tuple[_Family, int]]) -> Group:
    """The group that these rows tell of. Raises DamagedJournalError."""
    for family, stands in rows:
        body: object = family.body  # a damaged row may hold anything
        if not isinstance(body, bytes) or family.checksum(row.key) != stands:
            raise DamagedJournalError(
                f"the checksum of metric family {family.name!r} of group {row.key!r} is not that of its row"
            )
    if row.checksum([stands for _, stands in rows]) != checksum:
        raise DamagedJournalError(f"the checksum of group {row.key!r} is not that of its rows")
    key = _key(row.key)
    by_time: dict[int, list[_Family]] = {}
    for family, _ in rows:
        by_time.setdefault(family.time_ns, []).append(family)
    stored: dict[str, StoredFamily] = {}
    for time_ns, families in by_time.items():
        try:
            read = _families([family.body for family in families], [family.name for family in families])
        except (ExpositionError, KeyError) as error:
            raise DamagedJournalError(f"group {row.key!r}: {error}") from error
        stored.update((family.name, StoredFamily(family, time_ns)) for family in read)
    return Group(key, MappingProxyType(stored), row.push_time_ns, row.failure_time_ns, row.lifetime_ns)


def _families(bodies: Sequence[bytes], names: Sequence[str]) -> list[MetricFamily]:
    """The families of these names, each from its text. Raises ExpositionError."""
    with suppress(ExpositionError):
        # In one go, unless a family takes another's lines for its own.
        together = parse(b"".join(bodies))
        if [*together] == [*names] and not any(
            name + suffix in together
            for name, family in together.items()
            for suffix in TEXT_SUFFIXES.get(family.type, ())
        ):
            return [*together.values()]
    return [parse(body, filename=f"metric family {name!r}")[name] for body, name in zip(bodies, names, strict=True)]


def _reads_back(family: MetricFamily, body: bytes) -> bool:
    try:
        return _families([body], [family.name]) == [family]
    except (ExpositionError, KeyError):
        return False


def _key_text(key: GroupingKey) -> str:
    return json.dumps(dict(key.labels.pairs), ensure_ascii=False, separators=(",", ":"))


def _key(text: str) -> GroupingKey:
    try:
        labels = json.loads(text)
        return GroupingKey(labels.pop("job"), labels)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedJournalError(f"{text!r} is no grouping key") from error


def _shown(key: GroupingKey | None) -> str:
    return "" if key is None else str(key.labels)


# --- the file


class _Lock:
    """The right to write to a file, by a lock on another one beside it.

    It ends with the process, whichever way that ends. The file is removed on release, so one that is there, such as
    after a crash, does not mean that somebody has the lock.
    """

    def __init__(self, file: Path) -> None:
        self._path: Final = _beside(file, "-lock")
        self._descriptor = -1
        while sys.platform != "win32":
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had the lock may have removed the file after we opened it.
                held = _is_at(descriptor, self._path)
            except BlockingIOError:
                owner = os.pread(descriptor, 20, 0).decode("ascii", "replace")
                os.close(descriptor)
                raise JournalError(f"is in use{f' by process {owner}' if owner else ''}") from None
            except BaseException:
                os.close(descriptor)
                raise
            if held:
                self._descriptor = descriptor
                with suppress(OSError):  # on a full disk: it is for the message only
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return
            os.close(descriptor)

    def release(self) -> None:
        """Let others write."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self._path.unlink()
            self.leave()

    def leave(self) -> None:
        """Close the descriptor of it; a lock that a forked process shares stays with the other one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that has the name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _writer(file: Path) -> sqlite3.Connection:
    if not _size(file):
        _create(file)
    _look_at_header(file)
    connection = _connect(file, "rw")
    try:
        if sys.platform == "win32":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError("cannot be opened: its file system has no shared memory, which SQLite's log needs")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    except BaseException:
        _close(connection, file)
        raise
    return connection


def _reader(file: Path) -> tuple[sqlite3.Connection, tuple[int, ...] | None]:
    """A connection that leaves no trace; and, where SQLite must be told that nobody writes, what the file is then."""
    if not any(journal._is_writing(file) for journal in _open_here):
        _look_at_header(file)
    stamp = _stamp(file)
    if _beside(file, "-wal").exists():
        return _connect(file, "ro"), None
    # Without a log nobody has it open for writing. SQLite would make one, to read.
    return _connect(file, "ro&immutable=1"), stamp


def _stamp(file: Path) -> tuple[int, ...]:
    """What is another one when the file was written to."""
    about = file.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    # Text that is none has another checksum once it is replaced.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _create(file: Path) -> None:
    """Make the file as a whole: it has its name once it says whose it is."""
    log = _beside(file, "-wal")
    if log.exists():
        raise JournalError(
            f"is not there, but {visible(log.name)} is, which may hold pushes: bring the file back, or remove that one"
        )
    new = _beside(file, "-new")
    for leftover in (new, _beside(file, "-new-journal")):
        leftover.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for table in _SCHEMA:
            connection.execute(table)
        connection.execute("COMMIT")
    new.replace(file)
    if sys.platform != "win32":
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _look_at_header(file: Path) -> None:
    """Raise JournalError for a file that SQLite must not touch."""
    with file.open("rb") as opened:
        header = opened.read(_HEADER_BYTES)
    if _GOB in header:
        raise JournalError(
            "was written by the Go Pushgateway, whose format only that program reads: give ours another name, and take "
            "over the groups while that program runs, with `expofmt journal import URL --file NAME`"
        )
    if not header.startswith(_MAGIC):
        raise JournalError("is no journal of expofmt")
    if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
        raise JournalError("is an SQLite database, but no journal of expofmt")
    _check_version(int.from_bytes(header[_USER_VERSION], "big"))


def _check_version(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"was written by a later version of expofmt: it has schema {version}, this version knows {SCHEMA_VERSION}"
        )
    if version < SCHEMA_VERSION:
        raise DamagedJournalError(f"there is no schema {version}")


def _structure_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with the pages and the rows in them."""
    for (line,) in connection.execute("PRAGMA quick_check"):
        if line != "ok":
            yield line


def _roll_back(connection: sqlite3.Connection) -> None:
    # Some failures have rolled back already, and some keep even that from being done until the next attempt.
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _close(connection: sqlite3.Connection, untouched: Path | None) -> None:
    """Close, and, if a file is given, keep SQLite from putting the log into it.

    It does so on closing the last connection: so another one, which cannot write, is made to be the last.
    """
    with ExitStack() as stack:
        stack.enter_context(closing(connection))
        if untouched is not None and _size(_beside(untouched, "-wal")):
            last = stack.enter_context(closing(_connect(untouched, "ro")))
            with suppress(sqlite3.Error):
                last.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.close()


def _size(file: Path) -> int:
    """That of a file in bytes, 0 if there is none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
