"""An ASGI application around another one, which lets through what a file admits."""

from __future__ import annotations

import base64
import binascii
import time
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from ..asgi import ASGIApp, Message, Receive, Send, announces_body, answer, headers_of
from ..messages import Response
from .errors import WebConfigError
from .file import WebConfigFile
from .passwords import BusyError, Passwords
from .reading import RateLimit

__all__ = ["Authenticated"]


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


class Authenticated:
    """An ASGI application that lets those requests through to ``app`` that the file admits, and adds its headers.

    Each request is measured by the file as it is then: 500 if it makes no sense, which ``on_error`` is told, 429 beyond
    its rate, 401 without the name and password of one of its users, whatever is asked for, 503 where too many passwords
    wait to be computed. A server may tell by ``scope["expofmt.presence"]``, a function, whether the client is still
    there. For one event loop.
    """

    def __init__(
        self, app: ASGIApp, file: WebConfigFile, /, *, on_error: Callable[[str], None] = warnings.warn
    ) -> None:
        self._app = app
        self._file = file
        self._on_error = on_error
        self._passwords = Passwords()
        self._bucket: _Bucket | None = None

    def close(self) -> None:
        """Answer those who wait for their passwords to be computed, and compute no more."""
        self._passwords.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            config = self._file.config()
        except WebConfigError as error:
            self._on_error(str(error))
            await _refuse(scope, send, 500, "Internal Server Error")
            return
        if config.headers:
            send = _with_headers(send, config.headers)
        if config.rate_limit is not None:
            if self._bucket is None or self._bucket.limit != config.rate_limit:
                self._bucket = _Bucket(config.rate_limit)
            if not self._bucket.admits(time.monotonic_ns()):
                await _refuse(scope, send, 429, "Too Many Requests")
                return
        if config.users:
            try:
                fits = await self._fits(config.users, scope)
            except BusyError:
                text = "too many passwords to check at once: try again"
                await _refuse(scope, send, 503, text, ("Retry-After", "1"))
                return
            if not fits:
                await _refuse(scope, send, 401, "Unauthorized", ("WWW-Authenticate", "Basic"))
                return
        await self._app(scope, receive, send)

    async def _fits(self, users: Mapping[bytes, bytes], scope: MutableMapping[str, Any]) -> bool:
        given = _credentials(scope["headers"])
        if given is None:
            return False
        known = {"presence": presence} if (presence := scope.get("expofmt.presence")) else {}
        return await self._passwords.fit(users, *given, address=(scope.get("client") or ("",))[0], **known)


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


async def _refuse(
    scope: MutableMapping[str, Any], send: Send, status: int, text: str, *headers: tuple[str, str]
) -> None:
    if announces_body(headers_of(scope)):
        headers = (*headers, ("Connection", "close"))
    await answer(Response.error(status, text, headers=headers), scope["method"], send)
