"""The gateway as an ASGI application, to be run by a server or mounted in another application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from ..store import GroupStore
from .handler import Gateway, gateway_of
from .messages import Headers, Request, Response, regrouped
from .router import UNESCAPED

__all__ = ["DEFAULT_MAX_PENDING_BYTES", "ASGIApp", "Message", "Receive", "Send", "make_asgi_app"]

# What large request bodies may have together, by default: those of four pushes of the largest size.
DEFAULT_MAX_PENDING_BYTES: Final = 256 * 2**20
# Bodies that are not counted.
_SMALL_BYTES: Final = 64 * 1024
# What Go does not read of a body that nobody asks for.
_LARGE_BYTES: Final = 256 * 1024
# How much of a response a server is given at once. What it cannot send yet, it keeps, and a client may be slow.
_PIECE_BYTES: Final = 256 * 1024

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def make_asgi_app(
    store: GroupStore | Gateway, /, *, max_pending_bytes: int = DEFAULT_MAX_PENDING_BYTES, **options: Any
) -> ASGIApp:
    """An ASGI application that serves a gateway; the options are those of :class:`Gateway`, for a store.

    Scrapes and large bodies are worked at in a thread, so that the event loop stays free. A body is read up to the
    gateway's limit, and a client that goes away in the middle of one leaves nothing behind. Bodies that together hold
    more than ``max_pending_bytes`` until they are answered get 503, with ``Retry-After``; those of 64 KiB and less, and
    one that is alone, never do (0: none does). Mounted below a path, it answers below that. The store is not closed
    with the application: whoever made it closes it. ASGI 3.0.

    >>> app = make_asgi_app(GroupStore(), enable_admin_api=True)
    """
    gateway = gateway_of(store, options)
    pending = _Pending(max_pending_bytes)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await _serve(gateway, pending, scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close"})
            case other:
                raise ValueError(f"a gateway speaks http only, not {other}")

    return app


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Pending:
    """How many bytes there are of large bodies whose requests are not answered. For one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0

    def admits(self, size: int, before: int) -> bool:
        """Whether a body that has ``before`` bytes may grow to ``size``, which then count."""
        if self._limit and self._bytes > before and self._bytes - before + size > self._limit:
            return False
        self._bytes += size - before
        return True

    def release(self, size: int) -> None:
        self._bytes -= size


class _Body:
    """A body, as far as it has been received; what it is beyond a small one counts until it is let go."""

    def __init__(self, pending: _Pending) -> None:
        self._pending = pending
        self._counted = 0

    async def read(self, receive: Receive, limit: int) -> bytes | None:
        """The body, or somewhat more of it than the limit; ``None`` if the client goes away before its end.

        Raises :class:`_BusyError`.
        """
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if size > _SMALL_BYTES:
                if not self._pending.admits(size, self._counted):
                    raise _BusyError
                self._counted = size
            if not message.get("more_body", False) or size > limit:
                return chunk if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        """Let the bytes be those of others."""
        self._pending.release(self._counted)
        self._counted = 0


class _BusyError(Exception):
    """There are too many large bodies at once."""


async def _serve(
    gateway: Gateway, pending: _Pending, scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    body = _Body(pending)
    try:
        response = await _response(gateway, body, scope, receive)
    except _BusyError:
        # The rest of the body would be taken for the next request.
        headers = (("Retry-After", "1"), ("Connection", "close"))
        response = Response.error(503, "too many large request bodies at once: try again", headers=headers)
    finally:
        body.release()
    if response is not None:
        await answer(response, scope["method"], send)


async def _response(
    gateway: Gateway, pushed: _Body, scope: MutableMapping[str, Any], receive: Receive
) -> Response | None:
    """What to answer; ``None`` if nobody is there to be answered."""
    headers = headers_of(scope)
    client = scope.get("client")

    def request_with(body: bytes) -> Request:
        return Request(
            scope["method"],
            _target(scope),
            headers,
            body,
            f"HTTP/{scope['http_version']}",
            f"{client[0]}:{client[1]}" if client else "",
            scope.get("root_path", ""),
        )

    is_unread = announces_body(headers) and not gateway.reads_body(request_with(b""))
    body = b"" if is_unread else await pushed.read(receive, gateway.max_body_bytes)
    if body is None:
        return None
    request = request_with(body)
    if gateway.is_quick(request):
        future = gateway.submit(request)
    else:
        future = await asyncio.to_thread(gateway.submit, request)
    if not future.done():
        await asyncio.wrap_future(future)
    response = future.result()
    if is_unread and response.header("connection") is None:
        response = replace(response, headers=(*response.headers, ("Connection", "close")))
    return response


def headers_of(scope: MutableMapping[str, Any]) -> Headers:
    """The header fields of a request."""
    return Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])


def announces_body(headers: Headers) -> bool:
    """Whether there is a body that a client sends only when it is asked to, or is better told not to.

    Who answers without having read it ends the connection: it would be taken for the next request.
    """
    size = headers.content_length() or 0
    has_body = size > 0 or headers.get("transfer-encoding") is not None
    return size > _LARGE_BYTES or (has_body and headers.get("expect") is not None)


def _target(scope: MutableMapping[str, Any]) -> str:
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"], UNESCAPED)
    query = scope.get("query_string", b"").decode("latin-1")
    # Some servers have the query in the raw path.
    return f"{path.partition('?')[0]}?{query}" if query else path


async def answer(response: Response, method: str, send: Send) -> None:
    """Send a response to a request of this method."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", str(response.content_length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if method != "HEAD":
        for piece in regrouped(response.content, _PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
