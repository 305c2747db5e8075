"""A journal in an SQLite file: the state that the changes lead to, as groups and the pushes that they are made of.

A change replaces the rows that it makes void, in one transaction with the others of its batch; what posts have replaced
in part is dropped when it is most of a group. So there is no log to be compacted: the file holds little more than what
is alive, and to read it is to start up. The write-ahead log is on disk before an append returns (``synchronous=FULL``).

What a reader with any SQLite shell finds:

* ``groups``: ``key`` is a JSON object of the grouping labels, sorted by name. ``push_time_ns`` and ``failure_time_ns``
  are those of the last push and the last refused one, 0 for never; ``lifetime_ns`` is NULL for a group that does not
  expire.
* ``pushes``: ``body`` is families in the text format, their samples in the order in which they were pushed, at
  ``time_ns``. In order of their ids, a family takes the place of an earlier one of its name.
* ``checksum`` is the CRC-32 of the rest of the row, since SQLite tells a damaged page from a sound one by its
  structure only. ``pushes`` of a group is the sum of the checksums of its pushes, so that none is missing; ``bytes``
  is how long they are together, ``whole_bytes`` how long they were when none of them was replaced in part.

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
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from .. import engine
from ..diagnostics import ExpositionError
from ..grouping import GroupingKey
from ..groups import Change, ChangeKind, Group, JournalError, StoredFamily, packed_families, retold
from ..model import MetricFamily
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
    bytes INTEGER NOT NULL,
    whole_bytes INTEGER NOT NULL,
    pushes INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)""",
    """\
CREATE TABLE pushes (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
)""",
    "CREATE INDEX pushes_by_group ON pushes (group_id)",
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
# How many pages a log has, of 4 kB, before it is put into the file.
_LOG_PAGES: Final = 4096
# A group is written anew when its pushes are so many times as long as they were when none of them was replaced in part,
# at least so many bytes.
_OVERGROWN: Final = 3
_SMALL: Final = 4096
# How many rows a statement is given at most. The interpreter's lock is let go and waited for again with each statement.
_ROWS: Final = 64


class DamagedJournalError(JournalError):
    """The file is a journal, and holds what no journal has written there.

    >>> issubclass(DamagedJournalError, JournalError)
    True
    """


class _Group(NamedTuple):
    """A row of ``groups``, but for its checksum."""

    id: int
    key: str
    push_time_ns: int
    failure_time_ns: int
    lifetime_ns: int | None
    bytes: int = 0
    whole_bytes: int = 0
    pushes: int = 0

    def checksum(self) -> int:
        """That of the row."""
        return zlib.crc32(repr(tuple(self)).encode())


_GROUP_COLUMNS: Final = ", ".join(_Group._fields)
_GROUP_ROW: Final = (*_Group._fields, "checksum")
_PUSH_ROW: Final = ("id", "group_id", "time_ns", "body", "checksum")
_KEY_TEXT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# What of a row never changes.
_INDEXED: Final = frozenset(("id", "key", "group_id"))
_FIRST_AND_LAST: Final = ", ".join(
    f"(SELECT {which}(id) FROM pushes WHERE group_id = groups.id)" for which in ("min", "max")
)


class _Push(NamedTuple):
    """A row of ``pushes``, but for its number and the group's."""

    time_ns: int
    body: bytes
    checksum: int

    @classmethod
    def of(cls, key: str, time_ns: int, body: bytes) -> Self:
        """The row for a group of this key."""
        return cls(time_ns, body, zlib.crc32(body, zlib.crc32(f"{time_ns} {key}".encode())))

    def is_sound(self, key: str) -> bool:
        """Whether the checksum is that of the rest of the row; a damaged one may hold anything."""
        body: object = self.body
        return isinstance(body, bytes) and self == self.of(key, self.time_ns, body)


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
            raise JournalError(f"{self._name}: is open for reading only")
        if self._reading:
            raise JournalError(f"{self._name}: is being replayed; go through to the end first")
        changes = [self._timed(change) for change in changes]
        with self._speaking_of("cannot be written to; nothing was recorded"):
            rows = [_Recorded.of(change) for change in changes]
            _roll_back(connection)
            try:
                connection.execute("BEGIN IMMEDIATE")
                _record(connection, rows)
                _give_back_pages(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def replay(self) -> Generator[Change, None, None]:
        """Changes that lead from an empty store to what was recorded, in order of their groups' making.

        The samples of a group share the columns that they are kept in. Raises :class:`DamagedJournalError` at what no
        journal has written; what came before is sound. Go through to the end, or close the generator, before appending.
        """
        connection = self._usable()
        if self._reading:
            raise JournalError(f"{self._name}: is being replayed already")
        with self._speaking_of("cannot be read"), self._one_moment(connection):
            for problem in _structure_problems(connection):
                raise DamagedJournalError(problem)
            for rows in _stored(connection):
                yield from retold(_sound_group(*rows))

    def problems(self) -> Iterator[str]:
        """All that is damaged, a line each; none for a journal that is whole.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, SqliteJournal(Path(folder, "journal")) as journal:
        ...     list(journal.problems())
        []
        """
        connection = self._usable()
        if self._reading:
            raise JournalError(f"{self._name}: is being replayed already")
        with self._speaking_of("cannot be read"), self._one_moment(connection):
            broken = False
            for problem in _structure_problems(connection):
                self._damaged = broken = True
                yield problem
            if broken:
                return
            for rows in _stored(connection):
                try:
                    _sound_group(*rows)
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

    @property
    def _name(self) -> str:
        """What messages call the file."""
        return visible(str(self.path))

    def _usable(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            raise JournalError(f"{self._name}: was opened by the process that forked this one")
        if self._connection is None:
            raise JournalError(f"{self._name}: is closed")
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
                f"{self._name}: cannot be written to; nothing was recorded: {time_ns} ns takes more than 64 bits"
            )
        return int(time_ns)  # of a bool, too, which is written as a word

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
        try:
            yield
        except DamagedJournalError as error:
            self._damaged = True
            raise DamagedJournalError(f"{self._name}: is damaged: {error}") from error.__cause__
        except JournalError as error:
            raise JournalError(f"{self._name}: {error}") from error.__cause__
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self._damaged = True
                raise DamagedJournalError(f"{self._name}: is damaged: {error}") from error
            raise JournalError(f"{self._name}: {trouble}: {error}") from error
        except UnicodeDecodeError as error:
            # Of a damaged schema SQLite's message repeats the bytes, and Python's sqlite3 cannot make it an error.
            self._damaged = True
            raise DamagedJournalError(f"{self._name}: is damaged: malformed database schema") from error
        except OSError as error:
            raise JournalError(f"{self._name}: {trouble}: {error.strerror or error}") from error


# Of this process. A lock that SQLite has on a file ends when any descriptor of that file is closed in the process.
_open_here: Final[weakref.WeakSet[SqliteJournal]] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    """In a process just forked off: let the parent's locks end with the parent."""
    for journal in _open_here:
        if journal._lock is not None:
            journal._lock.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)


class _Recorded(NamedTuple):
    """A change as it is recorded, with the text of its key, which is empty for a wipe."""

    change: Change
    key: str
    pushes: Sequence[_Push]

    @classmethod
    def of(cls, change: Change) -> Self:
        if change.kind is ChangeKind.WIPE:
            return cls(change, "", ())
        key = _key_text(change.key)
        return cls(change, key, _pushes(key, change.time_ns, change.families) if change.families else ())


class _Changed:
    """A group as a batch leaves it."""

    def __init__(self, row: _Group, first: int | None = None, last: int | None = None) -> None:
        self.row = row
        # Of its pushes that are in the file, which ids are the first and the last.
        self._filed = first, last
        # Whether these are all void.
        self.is_cleared = False
        self.pushes: list[_Push] = []

    @property
    def replaced(self) -> int | None:
        """The id of the only push that is in the file, if it is void and another one can have its row."""
        first, last = self._filed
        return first if self.is_cleared and self.pushes and first == last else None

    def put(self, change: Change, pushes: Sequence[_Push]) -> None:
        """Take up a put or a post."""
        row = self.row
        if change.kind is ChangeKind.PUT:
            self.is_cleared = True
            self.pushes.clear()
            row = row._replace(bytes=0, pushes=0)
        self.pushes += pushes
        added = sum(len(push.body) for push in pushes)
        self.row = row._replace(
            push_time_ns=change.time_ns,
            lifetime_ns=change.lifetime_ns,
            bytes=row.bytes + added,
            whole_bytes=row.whole_bytes if row.bytes else added,
            pushes=row.pushes + sum(push.checksum for push in pushes),
        )


def _record(connection: sqlite3.Connection, changes: Sequence[_Recorded]) -> None:
    """Do to the rows what the changes do to the groups: all of them in a few statements."""
    wipes = [index for index, (change, *_) in enumerate(changes) if change.kind is ChangeKind.WIPE]
    if wipes:
        connection.execute("DELETE FROM pushes")
        connection.execute("DELETE FROM groups")
        changes = changes[wipes[-1] + 1 :]
    keys = dict.fromkeys((key,) for _, key, _ in changes)
    found = _run(connection, f"SELECT {_GROUP_COLUMNS}, {_FIRST_AND_LAST} FROM groups WHERE key IN", keys)
    groups = {row.key: _Changed(row, *ids) for row, ids in ((_Group._make(each[:-2]), each[-2:]) for each in found)}
    last = 0
    deleted: set[int] = set()
    for change, key, pushes in changes:
        if change.kind in (ChangeKind.DELETE, ChangeKind.EXPIRE):
            if key in groups:
                deleted.add(groups.pop(key).row.id)
            continue
        if key not in groups:
            last = 1 + (last or _last_id(connection))
            groups[key] = _Changed(_Group(last, key, 0, 0, change.lifetime_ns))
        group = groups[key]
        if change.kind is ChangeKind.FAIL:
            group.row = group.row._replace(failure_time_ns=change.time_ns)
        else:
            group.put(change, pushes)
    cleared = {group.row.id for group in groups.values() if group.is_cleared and group.replaced is None}
    _run(connection, "DELETE FROM pushes WHERE group_id IN", [(id,) for id in cleared | deleted])
    _run(connection, "DELETE FROM groups WHERE id IN", [(id,) for id in deleted])
    _add_pushes(connection, groups.values())
    large = [group for group in groups.values() if group.row.bytes > _OVERGROWN * max(group.row.whole_bytes, _SMALL)]
    for group in large:
        _rewrite(connection, group)
    rows = [group.row for group in groups.values()]
    _write(connection, "groups", _GROUP_ROW, [(*row, row.checksum()) for row in rows])


def _last_id(connection: sqlite3.Connection) -> int:
    last: int
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM groups").fetchone()
    return last


def _add_pushes(connection: sqlite3.Connection, groups: Iterable[_Changed]) -> None:
    rows = [
        (None if number else group.replaced, group.row.id, *push)
        for group in groups
        for number, push in enumerate(group.pushes)
    ]
    _write(connection, "pushes", _PUSH_ROW, rows)


def _rewrite(connection: sqlite3.Connection, group: _Changed) -> None:
    """Leave of a group's pushes what later ones have not replaced."""
    id, key = group.row[:2]
    stored = connection.execute("SELECT time_ns, body, checksum FROM pushes WHERE group_id = ? ORDER BY id", (id,))
    by_time: dict[int, list[MetricFamily]] = {}
    for family, time_ns in _group(group.row, list(map(_Push._make, stored))).families.values():
        by_time.setdefault(time_ns, []).append(family)
    group.pushes = [push for time_ns, families in by_time.items() for push in _pushes(key, time_ns, families)]
    total = sum(len(push.body) for push in group.pushes)
    group.row = group.row._replace(bytes=total, whole_bytes=total, pushes=sum(push.checksum for push in group.pushes))
    connection.execute("DELETE FROM pushes WHERE group_id = ?", (id,))
    _add_pushes(connection, [group])


def _pushes(key: str, time_ns: int, families: Sequence[MetricFamily]) -> list[_Push]:
    """Rows that families are read back from. Raises JournalError for a family that would not come back as it is."""
    together = engine.encode_exact(families)
    if _reads_back(together, families):
        return [_Push.of(key, time_ns, together)]
    # Perhaps a family takes another's lines for its own.
    bodies = [engine.encode_exact([family]) for family in families]
    for family, body in zip(families, bodies, strict=True):
        if not _reads_back(body, [family]):
            what = f"metric family {family.name!r} of group {_key(key)}"
            raise JournalError(f"{what} cannot be recorded: the text format does not hold all of it")
    return [_Push.of(key, time_ns, body) for body in bodies]


def _reads_back(body: bytes, families: Sequence[MetricFamily]) -> bool:
    try:
        return [*parse(body).values()] == [*families]
    except ExpositionError:
        return False


def _write(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Collection[tuple[Any, ...]]
) -> None:
    """Add rows, of which the first column is the id: ``None`` for a new one. What indexes hold of a row that is there
    stays as it is, so that fewer pages have to be written than for a row that is deleted and made again.
    """
    names = ", ".join(columns)
    changing = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in _INDEXED)
    _run(connection, f"INSERT INTO {table} ({names})", rows, f" ON CONFLICT (id) DO UPDATE SET {changing}")


def _run(
    connection: sqlite3.Connection, statement: str, rows: Collection[tuple[Any, ...]], end: str = ""
) -> list[tuple[Any, ...]]:
    """What a statement gives with a table of these rows in it: many at a time, and in few different lengths, since each
    length is a statement of its own to SQLite.
    """
    found: list[tuple[Any, ...]] = []
    left = [*rows]
    while left:
        count = min(_ROWS, 1 << len(left).bit_length() - 1)
        values = ", ".join([f"({', '.join('?' * len(left[0]))})"] * count)
        table = f"(VALUES {values})" if statement.endswith(" IN") else f"VALUES {values}"
        found += connection.execute(f"{statement} {table}{end}", [*chain.from_iterable(left[:count])]).fetchall()
        del left[:count]
    return found


def _give_back_pages(connection: sqlite3.Connection) -> None:
    """Shrink the file by a few pages where most of it is free, so that no append takes long for it."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > _PAGES_GIVEN_BACK:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if free > pages // 2:
            for _ in range(_PAGES_GIVEN_BACK):
                connection.execute("PRAGMA incremental_vacuum(1)")  # Python's sqlite3 makes but one step of it


def _stored(connection: sqlite3.Connection) -> Iterator[tuple[_Group, int, list[_Push]]]:
    """Each group, the checksum that stands beside it, and its pushes in order."""
    groups = connection.execute(f"SELECT {_GROUP_COLUMNS}, checksum FROM groups ORDER BY id").fetchall()
    rows = connection.execute("SELECT group_id, time_ns, body, checksum FROM pushes ORDER BY group_id, id")
    pushes = groupby(rows, key=itemgetter(0))
    owner, of_owner = next(pushes, (None, iter(())))
    for *group, checksum in groups:
        own: list[_Push] = []
        if owner == group[0]:
            own = [_Push._make(row[1:]) for row in of_owner]
            owner, of_owner = next(pushes, (None, iter(())))
        yield _Group._make(group), checksum, own
    if owner is not None:
        raise DamagedJournalError(f"pushes of a group {owner} that is not there")


def _sound_group(row: _Group, checksum: int, pushes: Sequence[_Push]) -> Group:
    """The group that these rows tell of. Raises DamagedJournalError."""
    if row.checksum() != checksum:
        raise DamagedJournalError(f"the checksum of group {row.key!r} is not that of its row")
    return _group(row, pushes)


def _group(row: _Group, pushes: Sequence[_Push]) -> Group:
    for push in pushes:
        if not push.is_sound(row.key):
            raise DamagedJournalError(f"the checksum of a push of group {row.key!r} is not that of its row")
    if row.pushes != sum(push.checksum for push in pushes):
        raise DamagedJournalError(f"the pushes of group {row.key!r} are not those that it had")
    stored: dict[str, StoredFamily] = {}
    for push in pushes:
        try:
            read = parse(push.body)
        except ExpositionError as error:
            raise DamagedJournalError(f"group {row.key!r}: {error}") from error
        stored.update((name, StoredFamily(family, push.time_ns)) for name, family in read.items())
    return Group(_key(row.key), packed_families(stored), row.push_time_ns, row.failure_time_ns, row.lifetime_ns)


def _key_text(key: GroupingKey | None) -> str:
    if key is None:
        raise ValueError("only a wipe is a change of no group")
    return _KEY_TEXT.encode(dict(key.labels.pairs))


def _key(text: str) -> GroupingKey:
    try:
        labels = json.loads(text)
        return GroupingKey(labels.pop("job"), labels)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedJournalError(f"{text!r} is no grouping key") from error


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
        # Before anything is written to it.
        _look_at_schema(connection)
        if sys.platform == "win32":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError("cannot be opened: its file system has no shared memory, which SQLite's log needs")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        # Groups are pushed again and again: a longer log holds more pages that need not be put into the file.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    except BaseException:
        _close(connection, file)
        raise
    return connection


def _reader(file: Path) -> tuple[sqlite3.Connection, tuple[int, ...] | None]:
    """A connection that leaves no trace; and, where SQLite must be told that nobody writes, what the file is then."""
    if not any(journal._is_writing(file) for journal in _open_here):
        _look_at_header(file)
    stamp = None
    # Without a log nobody has it open for writing. SQLite would make one, to read.
    if not _beside(file, "-wal").exists():
        stamp = _stamp(file)
    connection = _connect(file, "ro" if stamp is None else "ro&immutable=1")
    try:
        _look_at_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection, stamp


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


def _look_at_schema(connection: sqlite3.Connection) -> None:
    version: int
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(version)
    tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    if tuple(sql for (sql,) in connection.execute(tables)) != _SCHEMA:
        raise DamagedJournalError("its tables are not those of a journal")


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
