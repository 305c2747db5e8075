"""An ASGI application around another one, which lets through what a file admits."""

from __future__ import annotations

import base64
import binascii
import time
import warnings
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from ..asgi import ASGIApp, Message, Receive, Send
from .errors import WebConfigError
from .file import WebConfigFile
from .passwords import Passwords
from .reading import RateLimit

__all__ = ["authenticated"]


class _Bucket:
    """Lets requests pass at a rate. For one event loop."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._spent_until = 0

    def admits(self, now_ns: int) -> bool:
        """Whether one more may pass at this time, of a clock that does not go back."""
        interval, burst = self.limit.interval_ns, self.limit.burst
        spent_until = max(self._spent_until, now_ns)
        if spent_until - now_ns > (burst - 1) * interval:
            return False
        self._spent_until = spent_until + interval
        return True


def authenticated(app: ASGIApp, file: WebConfigFile, /, *, on_error: Callable[[str], None] = warnings.warn) -> ASGIApp:
    """An ASGI application that lets those requests through to ``app`` that the file admits, and adds its headers.

    Each request is measured by the file as it is then: 500 if it makes no sense, which ``on_error`` is told, 429 beyond
    its rate, 401 without the name and password of one of its users, whatever is asked for. For one event loop.
    """
    passwords = Passwords()
    bucket: _Bucket | None = None

    async def layer(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        nonlocal bucket
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        try:
            config = file.config()
        except WebConfigError as error:
            on_error(str(error))
            await _refuse(send, 500, "Internal Server Error")
            return
        if config.headers:
            send = _with_headers(send, config.headers)
        if config.rate_limit is not None:
            if bucket is None or bucket.limit != config.rate_limit:
                bucket = _Bucket(config.rate_limit)
            if not bucket.admits(time.monotonic_ns()):
                await _refuse(send, 429, "Too Many Requests")
                return
        if config.users:
            given = _credentials(scope["headers"])
            if given is None or not await passwords.fit(config.users, *given):
                await _refuse(send, 401, "Unauthorized", (b"www-authenticate", b"Basic"))
                return
        await app(scope, receive, send)

    return layer


def _credentials(headers: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """User and password of a request, as RFC 7617 has them."""
    value = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, encoded = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None


def _with_headers(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name for name, _ in given}
            message = {**message, "headers": [*given, *(pair for pair in headers if pair[0] not in names)]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = text.encode() + b"\n"
    told = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
