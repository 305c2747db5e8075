"""The store: what each group has pushed, kept consistent as a whole, and the text that it is scraped for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from .catalog import Catalog
from .committed import Committed
from .diagnostics import ExpositionError
from .expiry import checked_ns
from .formats import Format
from .grouping import GroupingKey
from .groups import Group, Journal
from .model import Exposition, MetricFamily
from .names import EscapingScheme, Names
from .page import Delta, Page
from .published import Published
from .pushing import EXPIRY_FAMILY, TIME_FAMILIES, Limits, PushPolicy
from .requests import Body, Delete, Post, PushResult, Put, Requests, Wipe
from .writer import Writer

__all__ = ["Delete", "GroupStore", "Post", "PushResult", "Put", "Wipe"]

_NO_LIMITS: Final = Limits()
_REPLACE: Final = PushPolicy()


class GroupStore:
    """What an embedding gateway remembers: the families that each group pushed last.

    A push is read, labelled, checked against all groups, and applied as a whole or not at all; it costs what was
    pushed, however much the store holds. A scrape merges in what changed since the last one and copies. Both are
    Pushgateway's in every respect that its documentation determines; where it has bugs, the README's table says what
    happens here.

    ``clock`` gives nanoseconds since the Unix epoch, as an ``int``. ``names`` is whether names of UTF-8 are taken. With
    a ``journal``, what was acknowledged is durable, and the store begins with what the journal replays. ``own`` gives
    the families that the process exposes of itself; it is called when the store is made, for their names, types and
    help texts, with which pushes must agree, and once for each scrape, for their samples.

    Off by default, since Pushgateway has none of it: ``policy`` accumulates instead of replacing; ``lifetime_ns`` is
    how long after their last push groups expire, 0 for never; ``limits`` refuses what is too much.

    When groups expire is shown as ``push_expiry_time_seconds``. While neither the store nor a push nor any group has a
    lifetime, that name is free, as it is to Pushgateway; else a pushed family of that name is left out, with a warning.
    Where a group has one from before, or from a journal, that is what is shown in the place of these times.

    Safe to call from many threads. Pushes are applied one after the other, those that come at the same time in one
    transaction of the journal; a scrape sees each push whole or not at all, holds none up, and waits for no journal.
    A KeyboardInterrupt while the main thread waits for a push leaves the push to be finished, whole or not at all, in
    the background. Not to be shared with a child process. As a context manager, it is closed at the end.

    Raises JournalError where the journal cannot be read, TypeError for a clock or lifetime that is not of whole
    nanoseconds, and ValueError for one that is negative or takes more than 64 bits, for a policy that does not exist,
    and for an ``own`` family with the name of one that shows times of groups (``push_time_seconds``). Pushgateway's
    README, "API".

    >>> store = GroupStore(clock=lambda: 1_500_000_000 * 10**9)
    >>> result = store.put(GroupingKey("backup", instance="db1"), b"backup_bytes 3e6\\n")
    >>> print(store.render(names=["backup_bytes", "push_time_seconds"]).decode(), end="")
    # TYPE backup_bytes untyped
    backup_bytes{instance="db1",job="backup"} 3e+06
    # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.
    # TYPE push_time_seconds gauge
    push_time_seconds{instance="db1",job="backup"} 1.5e+09
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int] = time.time_ns,
        journal: Journal | None = None,
        names: Names = "legacy",
        own: Callable[[], Iterable[MetricFamily]] = tuple,
        policy: PushPolicy | str = _REPLACE,
        lifetime_ns: int | None = None,
        limits: Limits = _NO_LIMITS,
    ) -> None:
        self._clock = clock
        self._now()
        self._names: Names = names
        self._own = own
        self._catalog = Catalog(_checked_own(own()))
        self._requests = Requests(
            self._catalog,
            names=names,
            policy=PushPolicy.parse(policy) if isinstance(policy, str) else policy,
            lifetime_ns=lifetime_ns,
            limits=limits,
        )
        self._published = Published(self._catalog)
        self._writer = Writer(
            Committed(self._catalog, journal, self._published, self._now), in_background=journal is not None
        )
        # Held by whoever scrapes; the page is his, and so is what it is about to be told. A KeyboardInterrupt may come
        # at any point of that, so that it is told again whatever it may not have heard.
        self._scraping = Lock()
        self._page = Page(legacy=names == "legacy")
        self._untold = Delta()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- writing

    def put(
        self, key: GroupingKey, body: Body, /, *, format: Format = Format.TEXT, lifetime_ns: int | None = None
    ) -> PushResult:
        """Let a group have these families and no others. The group's times stay; an empty body leaves but them.

        The samples get the labels of the key, and ``instance=""`` where they have no such label; histograms and
        summaries get what they lack. ``lifetime_ns`` is how long after this push the group expires, 0 for never, and
        ``None`` for what the store has been told. Returns when the push can be scraped and, with a journal, is durable.

        Raises :class:`ParseError` or :class:`ConsistencyError` for what cannot be read: nothing is remembered of that.
        Raises :class:`ConsistencyError` for a push with timestamps, and for one that contradicts itself or other
        groups (type, duplicate series, suffix); the diagnostics point into the body and name the other group, and
        ``push_failure_time_seconds`` of the group is set. Raises :class:`LimitError`, and :class:`JournalError` where
        the journal cannot take it; nothing has happened then. Raises :class:`GroupingKeyError` for a key with label
        names of UTF-8, where the store takes legacy names only. Raises TypeError for a key that is no GroupingKey, and
        for a lifetime that is not an ``int``; ValueError for a lifetime that is negative or takes more than 64 bits,
        for a format that is not read, and when the store is closed; ImportError for protobuf without its extra.

        A body in :attr:`Format.PROTOBUF` is stored as its text would be: exemplars, start timestamps, units and fields
        that are not known are left out, with warnings.

        >>> store = GroupStore()
        >>> store.put(GroupingKey("batch"), b"# TYPE jobs counter\\njobs 3\\n").warnings
        ()
        >>> from expofmt import ExpositionError
        >>> try:
        ...     store.put(GroupingKey("other"), b"# TYPE jobs gauge\\njobs 3\\n")
        ... except ExpositionError as error:
        ...     print(error)
        PUT /metrics/job/other:1:13: error[type-conflict] metric family `jobs` has two types
        """
        result: PushResult = self._do(Put(key, body, format, lifetime_ns))
        return result

    def post(
        self, key: GroupingKey, body: Body, /, *, format: Format = Format.TEXT, lifetime_ns: int | None = None
    ) -> PushResult:
        """Let these families take the place of the group's families of the same names; the others stay. As
        :meth:`put` in all else.

        >>> store = GroupStore()
        >>> key = GroupingKey("batch")
        >>> results = store.put(key, b"a 1\\nb 1\\n"), store.post(key, b"b 2\\n")
        >>> sorted(store.groups[key].families)
        ['a', 'b']
        """
        result: PushResult = self._do(Post(key, body, format, lifetime_ns))
        return result

    def delete(self, key: GroupingKey, /) -> bool:
        """Forget a group, exactly the one with this key; whether there was one.

        Raises JournalError, and TypeError for a key that is no GroupingKey.

        >>> GroupStore().delete(GroupingKey("batch"))
        False
        """
        deleted: bool = self._do(Delete(key))
        return deleted

    def delete_matching(self, /, **labels: str | re.Pattern[str]) -> list[GroupingKey]:
        """Forget the groups whose labels fit, all at once; which they were, in order.

        A label is asked for as text, to be equal, or as a compiled pattern, to match in full; one that the key lacks
        counts as ``""``.

        Raises JournalError, and TypeError for a label that is asked for as anything else, or without any label:
        :meth:`wipe` forgets all.

        >>> store = GroupStore()
        >>> for host in ("db1", "db2", "web1"):
        ...     _ = store.put(GroupingKey("backup", instance=host), b"a 1\\n")
        >>> print(*store.delete_matching(instance=re.compile("db.*")))
        {job="backup",instance="db1"} {job="backup",instance="db2"}
        """
        if not labels:
            raise TypeError("delete_matching takes at least one label")
        for name, wish in labels.items():
            if not isinstance(wish.pattern if isinstance(wish, re.Pattern) else wish, str):
                raise TypeError(f"a label is asked for as a str or a compiled pattern of one, not {name}={wish!r}")

        def fits(key: GroupingKey) -> bool:
            found = ((key.get(name, ""), wish) for name, wish in labels.items())
            return all(value == wish if isinstance(wish, str) else wish.fullmatch(value) for value, wish in found)

        keys: list[GroupingKey] = self._writer.do(self._requests.deletion(fits))
        return keys

    def wipe(self) -> int:
        """Forget all groups; how many there were. Raises JournalError.

        >>> GroupStore().wipe()
        0
        """
        count: int = self._do(Wipe())
        return count

    def submit(self, request: Put | Post | Delete | Wipe, /) -> Future[Any]:
        """Ask for a change without waiting for it. Requests are applied in the order in which they were submitted.

        The future gives what :meth:`put`, :meth:`post`, :meth:`delete` and :meth:`wipe` give, or raises what they
        raise. What is called when it is done may call the store, too, but must not wait for another future of it.

        >>> store = GroupStore()
        >>> store.submit(Put(GroupingKey("batch"), b"a 1\\n")).result().key.job
        'batch'
        """
        try:
            return self._writer.submit(self._requests.task(request))
        except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused

    def close(self) -> None:
        """Finish what was submitted, and let go of the journal. Closing twice does no harm.

        The store can be read afterwards; to ask it for a change is a ValueError. Raises JournalError where it cannot be
        recorded which groups have expired; they are gone from the journal once it is replayed.
        """
        self._writer.close()

    def _do(self, request: Put | Post | Delete | Wipe) -> Any:
        try:
            return self._writer.do(self._requests.task(request))
        except ExpositionError as error:
            error._written()
            raise

    # ------------------------------------------------------------------------------------------------------- reading

    @property
    def groups(self) -> Mapping[GroupingKey, Group]:
        """All groups as they are now, in order of their keys; what comes later does not change the mapping.

        >>> store = GroupStore()
        >>> _ = store.put(GroupingKey("batch"), b"a 1\\n")
        >>> [str(key) for key in store.groups]
        ['{job="batch"}']
        """
        groups = self._published.groups(self._now())
        return MappingProxyType({key: groups[key] for key in sorted(groups)})

    @property
    def series_count(self) -> int:
        """How many series the groups hold, the times of groups left out. Costs nothing, and waits for nobody.

        >>> GroupStore().series_count
        0
        """
        return self._catalog.series_count

    @property
    def broken(self) -> str | None:
        """Why the store takes no more changes, for good: an error that nobody expects; ``None`` while all is well.

        It can be read, and with a journal, what was acknowledged is durable: a new store begins with that.

        >>> GroupStore().broken is None
        True
        """
        error = self._writer.broken
        return None if error is None else str(error)

    def render(
        self,
        *,
        format: Format = Format.TEXT,
        names: Collection[str] | None = None,
        escaping: EscapingScheme = EscapingScheme.ALLOW_UTF8,
    ) -> bytes:
        """What a scraper is given: all families in order of name, each with its samples in canonical order.

        With ``names``, only the families of these names. Families without samples are left out. Where groups give a
        family different help texts, that of the first group in order of keys is shown. Names of UTF-8 are written as
        ``escaping`` says. Equal groups give equal bytes, however they came to be. Neither a journal that fails nor one
        that is slow keeps a store from being rendered.

        :attr:`Format.PROTOBUF` is written from families made for the occasion, which takes much longer than text.

        Raises ValueError for a format that is not written, ImportError for protobuf without the extra ``protobuf``, and
        TypeError for ``names`` that are one ``str``.

        >>> GroupStore().render()
        b''
        """
        return b"".join(self.render_pieces(format=format, names=names, escaping=escaping))

    def render_pieces(
        self,
        *,
        format: Format = Format.TEXT,
        names: Collection[str] | None = None,
        escaping: EscapingScheme = EscapingScheme.ALLOW_UTF8,
    ) -> list[bytes]:
        """What :meth:`render` gives, in pieces of any size that follow one another. As that in all else.

        Most of them are texts that the store keeps: to send them one by one takes no memory for the whole.

        >>> store = GroupStore()
        >>> _ = store.put(GroupingKey("batch"), b"a 1\\n")
        >>> store.render_pieces(names=["a"])
        [b'# TYPE a untyped\\n', b'a{instance="",job="batch"} 1\\n']
        """
        if Format(format) not in (Format.TEXT, Format.PROTOBUF):
            raise ValueError(f"a store renders the text format and protobuf only, not {format}")
        names = _checked_names(names)
        scheme = EscapingScheme(escaping)
        if self._names == "legacy":
            # Names that need no escaping are never changed.
            scheme = EscapingScheme.ALLOW_UTF8
        if format == Format.PROTOBUF:
            # Loaded when it is asked for: it needs a package that few installations have.
            from .engine import protobuf

            return [protobuf.encode(self.collect(names).values(), escaping=scheme)]
        with self._scraping:
            return self._current_page().text(names, scheme)

    def collect(self, names: Collection[str] | None = None) -> Exposition:
        """The same as an exposition.

        >>> list(GroupStore().collect())
        []
        """
        names = _checked_names(names)
        with self._scraping:
            return Exposition(self._current_page().families(names), filename="<store>")

    def _current_page(self) -> Page:
        self._published.tell(self._now(), self._untold)
        self._page.apply(self._untold)
        self._untold = Delta()
        self._page.show_own(self._own_families())
        return self._page

    def _own_families(self) -> list[MetricFamily]:
        families = list(self._own())
        for family in families:
            known = self._catalog.own.get(family.name)
            if known is None or known.type is not family.type:
                raise ValueError(f"`own` gives a family that it did not give at first: {family.name} ({family.type})")
        return families

    def _now(self) -> int:
        return checked_ns(self._clock(), "a clock's time")


def _checked_names(names: Collection[str] | None) -> Collection[str] | None:
    if isinstance(names, str | bytes):
        raise TypeError(f"names are a collection of names, such as [{names!r}], not {names!r}")
    return names


def _checked_own(families: Iterable[MetricFamily]) -> list[MetricFamily]:
    families = list(families)
    for family in families:
        if family.name in (*TIME_FAMILIES, EXPIRY_FAMILY):
            raise ValueError(f"`own` gives a family that the store has itself: {family.name}")
    return families
