"""The gateway itself: what each request does to the store, and what it is answered."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, tzinfo
from functools import lru_cache
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qs

from ..diagnostics import ExpositionError, RejectedPushError
from ..formats import ContentType, Format
from ..grouping import GroupingKey, GroupingKeyError, path_prefix
from ..groups import JournalError
from ..names import EscapingScheme, Names
from ..report import report
from ..store import Delete, GroupStore, Post, PushResult, Put, Wipe
from . import page
from .api import metrics_json, status_json
from .encodings import EncodingError, TooLargeError, accepts_gzip, decoded, gzip_header_error, gzipped
from .messages import Request, Response, weights
from .own import OwnMetrics
from .router import Endpoint, Route, Router, origin_form
from .verdicts import refusal

__all__ = ["DEFAULT_MAX_BODY_BYTES", "Gateway", "OnLog", "gateway_of"]

# What a push may have at most, as it is sent and decompressed: some half a million series.
DEFAULT_MAX_BODY_BYTES: Final = 64 * 2**20

# Level (debug, info, warn, error), message, fields.
OnLog = Callable[[str, str, Mapping[str, str]], None]

_CORS: Final = (
    ("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"),
    ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Date"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
)
_JSON: Final = ("Content-Type", "application/json")
_HTML: Final = ("Content-Type", "text/html; charset=utf-8")
_NOT_FOUND: Final = Response.error(404, "404 page not found")
_INCONSISTENT: Final = "pushed metrics are invalid or inconsistent with existing metrics"
# Paths of pushes that are remembered, so that the next push need not take them apart; longer ones are not.
_PATHS: Final = 4096
_PATH_BYTES: Final = 256
# Likewise Accept headers of scrapes. Those of Prometheus have some 500 bytes.
_ACCEPTS: Final = 64
_ACCEPT_BYTES: Final = 1024
# How much of a text is logged: a push may contradict others a thousand times.
_LOGGED: Final = 1000
# How much of a push may be read, and how many series written, where others wait meanwhile.
_SMALL_BYTES: Final = 64 * 1024
# Protobuf takes some ten times as long to read.
_SMALL_PROTOBUF_BYTES: Final = 4 * 1024
_FEW_SERIES: Final = 2000
_NOT_COUNTED: Final = frozenset((Endpoint.METRICS, Endpoint.QUIT, Endpoint.NO_QUIT))
# What takes as long as the store is large.
_SLOW: Final = frozenset((Endpoint.METRICS, Endpoint.API_METRICS, Endpoint.API_GROUPS, Endpoint.API_GROUP))


class Gateway:
    """Answers requests as Prometheus Pushgateway does, from a :class:`GroupStore`. Opens no socket.

    ``own`` counts requests; give it to the store, too: ``GroupStore(own=own.families)``. ``names`` is what the store
    was made with. ``route_prefix``, or else ``external_path``, is what stands before all paths; ``external_path`` is
    where browsers find the page. ``enable_lifecycle`` lets ``/-/quit`` call ``on_quit``, ``enable_admin_api`` lets
    groups be wiped. With ``lenient``, pushes are taken that Prometheus itself would scrape: without a line feed at
    their end, with blanks at the ends of lines, and with escapes that there are not. With ``unchecked``, pushes that
    contradict what others have pushed are answered 202 as those that do not, and are refused all the same. Bodies of
    more than ``max_body_bytes``, as they are sent or decompressed, are refused with 413 (0: none is). ``clock`` gives
    nanoseconds since the Unix epoch; the JSON API tells times of the ``zone``, ``None`` for the local one. ``flags``
    and ``build`` are what ``/api/v1/status`` shows. ``on_log`` is given a level, a message and its fields, of which
    long ones are cut; by default, that goes to the logger ``expofmt.gateway``. Pushes whose ``Accept`` prefers
    ``application/json`` to text are answered with diagnostics.

    Once the store is broken (:attr:`GroupStore.broken`), ``/-/healthy`` and ``/-/ready`` answer 503 and why.

    Safe to call from many threads. Pushgateway's README, "API".

    >>> gateway = Gateway(GroupStore())
    >>> gateway.handle(Request("PUT", "/metrics/job/backup", body=b"backup_bytes 3e6\\n")).status
    200
    >>> print(gateway.handle(Request("GET", "/metrics?name[]=backup_bytes")).body.decode(), end="")
    # TYPE backup_bytes untyped
    backup_bytes{instance="",job="backup"} 3e+06
    """

    def __init__(
        self,
        store: GroupStore,
        *,
        own: OwnMetrics | None = None,
        names: Names = "legacy",
        route_prefix: str = "",
        external_path: str = "",
        telemetry_path: str = "/metrics",
        enable_lifecycle: bool = False,
        enable_admin_api: bool = False,
        unchecked: bool = False,
        lenient: bool = False,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        clock: Callable[[], int] = time.time_ns,
        zone: tzinfo | None = UTC,
        flags: Mapping[str, str] | None = None,
        build: Mapping[str, str] | None = None,
        on_quit: Callable[[], None] | None = None,
        on_log: OnLog | None = None,
    ) -> None:
        self.store = store
        self.max_body_bytes = max_body_bytes or sys.maxsize
        self._external_path = external_path
        self._telemetry_path = telemetry_path
        self._admin_api = enable_admin_api
        self._clock = clock
        self._zone = zone
        self._own = own
        self._names: Names = names
        self._router = Router(
            prefix=route_prefix or external_path, telemetry_path=telemetry_path, admin_api=enable_admin_api
        )
        self._lifecycle = enable_lifecycle
        self._unchecked = unchecked
        self._lenient = lenient
        self._start_time_ns = clock()
        self._flags = dict(flags or {})
        self._build = dict(build or {})
        self._on_quit = on_quit
        self._told_broken = False
        self._log = on_log or _logged
        self._remembered_key = lru_cache(_PATHS)(self._read_key)

    def handle(self, request: Request) -> Response:
        """The response to a request, once it can be given.

        >>> Gateway(GroupStore()).handle(Request("GET", "/-/healthy")).body
        b'OK'
        """
        return self.submit(request).result()

    def submit(self, request: Request) -> Future[Response]:
        """The response to a request, which for pushes comes when they are durable: many then share a transaction.

        Takes the time to read what was pushed, or to write what is scraped; :meth:`is_quick` tells whether that is
        little. The future cannot be cancelled, and raises nothing.

        >>> Gateway(GroupStore()).submit(Request("DELETE", "/metrics/job/backup")).result().status
        202
        """
        future: Future[Response] = Future()
        future.set_running_or_notify_cancel()
        try:
            self._dispatch(request, future)
        except Exception as error:  # noqa: BLE001 - one request must not bring down who serves the others
            future.set_result(self._unexpected(request, error))
        return future

    def is_quick(self, request: Request) -> bool:
        """Whether :meth:`submit` takes so little time that who serves others need not do it elsewhere.

        >>> Gateway(GroupStore()).is_quick(Request("PUT", "/metrics/job/backup", body=b"a 1\\n" * 10**5))
        False
        """
        format = _format_of(request.headers.get("content-type"))
        small = _SMALL_BYTES if format is Format.TEXT else _SMALL_PROTOBUF_BYTES
        if len(request.body) > small or request.headers.get("content-encoding"):
            return False
        if request.method != "GET":
            return True
        endpoint = self._router.route("GET", request.target, request.root).endpoint
        return endpoint not in _SLOW or self.store.series_count < _FEW_SERIES

    def reads_body(self, request: Request) -> bool:
        """Whether the response depends on the body, which ``request`` need not have yet.

        It does not where the path is refused, or the length that the headers tell.

        >>> Gateway(GroupStore()).reads_body(Request("PUT", "/metrics/job/"))
        False
        """
        if (request.headers.content_length() or 0) > self.max_body_bytes:
            return False
        route = self._router.route(request.method, request.target, request.root)
        if route.endpoint is not Endpoint.PUSH:
            # Whether it is what it is said to be, is looked at first.
            return route.decodes and request.headers.get("content-encoding") is not None
        try:
            self._key(request)
        except GroupingKeyError:
            return False
        return True

    # ------------------------------------------------------------------------------------------------------ requests

    def _dispatch(self, request: Request, future: Future[Response]) -> None:
        started = self._own.now() if self._own else 0
        route = self._router.route(request.method, request.target, request.root)
        refused = self._refused_body(request, route)
        endpoint = route.endpoint
        if endpoint is None or (refused is not None and endpoint is not Endpoint.PUSH):
            future.set_result(refused or route.response or Response(404))
            return

        def answer(response: Response) -> None:
            if self._own is not None and endpoint not in _NOT_COUNTED:
                self._own.count(endpoint, request.method, response.status)
                if endpoint is Endpoint.PUSH:
                    self._own.count_push(request, len(request.body), started)
            future.set_result(response)

        def later(stored: Future[Any], answered: Callable[[Future[Any]], Response]) -> None:
            def done(stored: Future[Any]) -> None:
                try:
                    response = answered(stored)
                except Exception as error:  # noqa: BLE001 - as in `submit`; whoever waits must hear of it
                    response = self._unexpected(request, error)
                answer(response)

            stored.add_done_callback(done)

        match endpoint:
            case Endpoint.PUSH:
                if refused is not None:
                    # What is no gzip is not counted, as with Pushgateway.
                    (answer if refused.status == 413 else future.set_result)(refused)
                else:
                    self._push(request, answer, later)
            case Endpoint.DELETE:
                self._delete(request, answer, later)
            case Endpoint.WIPE:
                later(self.store.submit(Wipe()), lambda stored: self._changed(request, stored))
            case _:
                answer(self._shown(endpoint, request, route))

    def _refused_body(self, request: Request, route: Route) -> Response | None:
        """What a request is refused with for its body, whatever it asks for."""
        if max(len(request.body), request.headers.content_length() or 0) > self.max_body_bytes:
            return self._too_large("request body")
        encoding = request.headers.get("content-encoding") if route.decodes else None
        if encoding and encoding.lower() == "gzip" and (text := gzip_header_error(request.body)):
            return Response.error(400, text)
        return None

    def _too_large(self, what: str) -> Response:
        # Of a body that was not read to its end, the rest would be taken for the next request.
        text = f"{what} too large: this gateway takes at most {self.max_body_bytes} bytes"
        return Response.error(413, text, headers=(("Connection", "close"),))

    def _push(
        self,
        request: Request,
        answer: Callable[[Response], None],
        later: Callable[[Future[Any], Callable[[Future[Any]], Response]], None],
    ) -> None:
        body = request.body
        try:
            key = self._key(request)
            if encoding := request.headers.get("content-encoding"):
                body = decoded(body, encoding, self.max_body_bytes)
        except GroupingKeyError as error:
            self._log("debug", "failed to parse URL", self._fields(request, str(error)))
            answer(self._refusal(request, error.status_hint, str(error)))
        except EncodingError as error:
            self._log("debug", "failed to decompress body", self._fields(request, str(error)))
            answer(self._refusal(request, 400, str(error)))
        except TooLargeError:
            answer(self._too_large("decompressed body"))
        else:
            format = _format_of(request.headers.get("content-type"))
            change = (Put if request.method == "PUT" else Post)(key, body, format, lenient=self._lenient)
            text = body if format is Format.TEXT else b""
            later(self.store.submit(change), lambda stored: self._stored(request, text, stored))

    def _stored(self, request: Request, body: bytes, stored: Future[PushResult]) -> Response:
        """The answer to a push of which the store has said what became of it."""
        error = stored.exception()
        if isinstance(error, ExpositionError):
            return self._refused_push(request, body, error)
        if error is not None:
            return self._unstored(request, error)
        status = 202 if self._unchecked else 200
        if not _asks_for_json(request):
            return Response(status)
        return Response(status, (_JSON,), ("".join(report(stored.result().warnings, "json")).encode(),))

    def _refused_push(self, request: Request, body: bytes, error: ExpositionError) -> Response:
        status, text = refusal(error, body, names=self._names)
        fields = self._fields(request, text.removeprefix(_INCONSISTENT + ": "))
        if isinstance(error, RejectedPushError):
            self._log("error", _INCONSISTENT, fields)
            if self._unchecked:
                status = 202
        else:
            self._log("debug", "failed to parse text", fields)
        if status == 202 and not _asks_for_json(request):
            return Response(202)
        return self._refusal(request, status, text, error)

    def _delete(
        self,
        request: Request,
        answer: Callable[[Response], None],
        later: Callable[[Future[Any], Callable[[Future[Any]], Response]], None],
    ) -> None:
        try:
            key = self._key(request)
        except GroupingKeyError as error:
            self._log("debug", "failed to parse URL", self._fields(request, str(error)))
            answer(self._refusal(request, error.status_hint, str(error)))
        else:
            later(self.store.submit(Delete(key)), lambda stored: self._changed(request, stored))

    def _changed(self, request: Request, stored: Future[Any]) -> Response:
        error = stored.exception()
        return Response(202) if error is None else self._unstored(request, error)

    def _unstored(self, request: Request, error: BaseException) -> Response:
        """The answer where the store cannot do what it is asked for, whatever that is."""
        if isinstance(error, JournalError):
            self._log("error", "the change could not be recorded", self._fields(request, str(error)))
            return self._refusal(request, error.status_hint, str(error))
        if (broken := self._broken()) is not None:
            return self._refusal(request, 503, broken)
        if isinstance(error, ImportError):
            return self._refusal(request, 415, str(error))
        if isinstance(error, ValueError):
            # The store is closed.
            return self._refusal(request, 503, str(error))
        return self._unexpected(request, error)

    def _broken(self) -> str | None:
        """Why the store takes no more changes, if that is so. It is logged once: it stays so until a restart."""
        broken = self.store.broken
        if broken is not None and not self._told_broken:
            self._told_broken = True
            self._log("error", "the store is broken", {"err": broken})
        return broken

    def _unexpected(self, request: Request, error: BaseException) -> Response:
        self._log("error", "unexpected error", self._fields(request, repr(error)))
        return self._refusal(request, 500, f"unexpected error: {error}")

    def _refusal(self, request: Request, status: int, text: str, error: ExpositionError | None = None) -> Response:
        if request.method not in ("PUT", "POST") or not _asks_for_json(request):
            return Response.error(status, text)
        shown = "".join(report(error.diagnostics, "json")) if error and error.diagnostics else _report_of(text)
        return Response(status, (_JSON,), (shown.encode(),))

    def _key(self, request: Request) -> GroupingKey:
        path, root = request.target, request.root
        return (self._remembered_key if len(path) <= _PATH_BYTES else self._read_key)(path, root)

    def _read_key(self, target: str, root: str) -> GroupingKey:
        path = origin_form(target).encode("latin-1", "replace")
        return GroupingKey.from_path(path, names=self._names, prefix=path_prefix(root) + self._router.prefix)

    def _fields(self, request: Request, error: str) -> dict[str, str]:
        if len(error) > _LOGGED:
            error = f"{error[:_LOGGED]}... ({len(error)} characters)"
        return {"method": request.method, "source": request.source, "err": error}

    # ----------------------------------------------------------------------------------------------------- responses

    def _shown(self, endpoint: Endpoint, request: Request, route: Route) -> Response:
        match endpoint:
            case Endpoint.METRICS:
                return self._scraped(request, route.query)
            case Endpoint.HEALTHY | Endpoint.READY:
                broken = self._broken()
                return Response.text(200, "OK") if broken is None else Response.error(503, broken)
            case Endpoint.QUIT:
                return self._quit()
            case Endpoint.NO_QUIT:
                return Response.text(405, "Only POST or PUT requests allowed.")
            case Endpoint.API_OPTIONS:
                return Response(200, _CORS)
            case Endpoint.PAGE:
                return self._page()
            case Endpoint.STATIC:
                return self._static(route.rest)
            case Endpoint.API_METRICS | Endpoint.API_STATUS:
                return self._api(endpoint)
            case Endpoint.API_GROUPS | Endpoint.API_GROUP:
                return self._groups(endpoint, route.rest)
        raise ValueError(f"nothing is shown at {endpoint}")

    def _api(self, endpoint: Endpoint) -> Response:
        if endpoint is Endpoint.API_METRICS:
            content = tuple(metrics_json(self.store.groups, zone=self._zone))
        else:
            told = {"build": self._build, "flags": self._flags}
            content = (status_json(**told, start_time_ns=self._start_time_ns, zone=self._zone),)
        return Response(200, (_JSON, *_CORS), content)

    def _groups(self, endpoint: Endpoint, path: str) -> Response:
        """What our page asks for: all groups, or one."""
        if endpoint is Endpoint.API_GROUPS:
            body = page.overview_json(self.store.groups, self._clock(), names=self._names)
            return Response(200, (_JSON, *_CORS), (body,))
        try:
            key = GroupingKey.from_path(f"/metrics/{path}".encode("latin-1"), names=self._names, decoded=True)
        except GroupingKeyError as error:
            return Response.error(error.status_hint, str(error))
        group = self.store.groups.get(key)
        if group is None:
            return Response.error(404, f"there is no group {key}")
        return Response(200, (_JSON, *_CORS), (page.group_json(group, self._clock()),))

    def _scraped(self, request: Request, query: str) -> Response:
        names = parse_qs(query, keep_blank_values=True).get("name[]") if "name" in query else None
        accept = request.headers.get("accept") or ""
        content_type = (_remembered if len(accept) <= _ACCEPT_BYTES else _negotiated)(accept)
        escaping = content_type.escaping or EscapingScheme.UNDERSCORES
        content = self.store.render_pieces(format=content_type.format, names=names, escaping=escaping)
        headers: tuple[tuple[str, str], ...] = (("Content-Type", str(content_type)),)
        if accepts_gzip(request.headers.joined("accept-encoding")):
            content = [gzipped(content)]
            headers = (("Content-Encoding", "gzip"), *headers)
        return Response(200, headers, tuple(content))

    def _quit(self) -> Response:
        if not self._lifecycle:
            return Response.text(403, "Lifecycle API is not enabled.")
        if self._on_quit is not None:
            self._on_quit()
        return Response.text(200, "Requesting termination... Goodbye!")

    def _page(self) -> Response:
        body = page.index(self._external_path, admin_api=self._admin_api, telemetry_path=self._telemetry_path)
        return Response(200, (_HTML, ("Content-Security-Policy", page.CONTENT_SECURITY_POLICY)), (body,))

    def _static(self, name: str) -> Response:
        found = page.files.get(name)
        if found is None:
            return _NOT_FOUND
        content_type, body = found
        # Asked for again each time, so that files of two versions never mix.
        return Response(200, (("Content-Type", content_type), ("Cache-Control", "no-cache")), (body,))


def gateway_of(store: GroupStore | Gateway, options: Mapping[str, Any]) -> Gateway:
    """The gateway itself, or one for the store with the options.

    >>> gateway_of(GroupStore(), {"unchecked": True}).handle(Request("PUT", "/metrics/job/a")).status
    202
    """
    if not isinstance(store, Gateway):
        return Gateway(store, **options)
    if options:
        raise TypeError("a gateway has its options already: give them to it, or give a store")
    return store


def _format_of(content_type: str | None) -> Format:
    """What a body is: text, unless it says that it is protobuf in the one encoding that is pushed."""
    if not content_type or "protobuf" not in content_type.lower():
        return Format.TEXT
    try:
        parsed = ContentType.parse(content_type)
    except ValueError:
        return Format.TEXT
    is_protobuf = parsed.format is Format.PROTOBUF and parsed.encoding == "delimited"
    return Format.PROTOBUF if is_protobuf else Format.TEXT


def _negotiated(accept: str) -> ContentType:
    offered = [ContentType(Format.TEXT)]
    if "protobuf" in accept.lower() and _writes_protobuf():
        offered.append(ContentType(Format.PROTOBUF))
    return ContentType.negotiate(accept, offered=offered, wildcards=False)


_remembered: Final = lru_cache(_ACCEPTS)(_negotiated)


def _writes_protobuf() -> bool:
    try:
        import_module("expofmt.engine.protobuf")
    except ImportError:
        # Its extra is not installed; whoever asks for protobuf takes text, too.
        return False
    return True


def _asks_for_json(request: Request) -> bool:
    """Whether JSON is preferred to text. Browsers and HTTP libraries that list it beside ``*/*`` do not say so."""
    accept = request.headers.joined("accept")
    if "json" not in accept.lower():
        return False
    wanted = weights(accept)
    text = next((wanted[name] for name in ("text/plain", "text/*", "*/*") if name in wanted), 0)
    return wanted.get("application/json", 0) > text


def _report_of(text: str) -> str:
    """A refusal that has no diagnostics, in the form of those that have."""
    return json.dumps([{"severity": "error", "message": text}], indent=2) + "\n"


_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def _logged(level: str, message: str, fields: Mapping[str, str]) -> None:
    shown = " ".join(f"{name}={value!r}" for name, value in fields.items())
    logging.getLogger("expofmt.gateway").log(_LEVELS[level], "%s: %s", message, shown)
