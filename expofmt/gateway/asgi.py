"""The gateway as an ASGI application, to be run by a server or mounted in another application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from ..store import GroupStore
from .handler import Gateway, gateway_of
from .messages import Headers, Request, Response
from .router import UNESCAPED

__all__ = ["ASGIApp", "make_asgi_app"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def make_asgi_app(store: GroupStore | Gateway, /, **options: Any) -> ASGIApp:
    """An ASGI application that serves a gateway; the options are those of :class:`Gateway`, for a store.

    Scrapes and large bodies are worked at in a thread, so that the event loop stays free. A body is read up to the
    gateway's limit, and a client that goes away in the middle of one leaves nothing behind. Mounted below a path, it
    answers below that. The store is not closed with the application: whoever made it closes it. ASGI 3.0.

    >>> app = make_asgi_app(GroupStore(), enable_admin_api=True)
    """
    gateway = gateway_of(store, options)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await _serve(gateway, scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case other:
                raise ValueError(f"a gateway speaks http only, not {other}")

    return app


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _serve(gateway: Gateway, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
    body = await _body(receive, 0 if _declares_more(headers, gateway.max_body_bytes) else gateway.max_body_bytes)
    if body is None:
        # Nobody is there to be answered.
        return
    client = scope.get("client")
    request = Request(
        scope["method"],
        _target(scope),
        headers,
        body,
        f"HTTP/{scope['http_version']}",
        f"{client[0]}:{client[1]}" if client else "",
        scope.get("root_path", ""),
    )
    if gateway.is_quick(request):
        future = gateway.submit(request)
    else:
        future = await asyncio.to_thread(gateway.submit, request)
    response = future.result() if future.done() else await asyncio.wrap_future(future)
    await _answer(response, request.method, send)


def _declares_more(headers: Headers, limit: int) -> bool:
    length = headers.get("content-length")
    return length is not None and length.isdecimal() and int(length[:20]) > limit


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The body, or somewhat more of it than the limit; ``None`` if the client goes away before its end."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False) or size > limit:
            return chunk if len(chunks) == 1 else b"".join(chunks)


def _target(scope: MutableMapping[str, Any]) -> str:
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"], UNESCAPED)
    query = scope.get("query_string", b"").decode("latin-1")
    # Some servers have the query in the raw path.
    return f"{path.partition('?')[0]}?{query}" if query else path


async def _answer(response: Response, method: str, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else response.body})
