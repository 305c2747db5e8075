"""One connection: uvicorn's protocol, and what it lacks to stand for Go's server in front of whoever may connect.

Time limits on what is received and on what is sent, a limit on headers, requests that Go takes and llhttp does not,
refusals in Go's words, and an end of the connection that lets the client read why.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .webconfig import Presence

__all__ = ["MAX_HEADER_BYTES", "Connection", "TimeLimits", "refusal"]

# Go's default, about which clients know.
MAX_HEADER_BYTES: Final = 1 << 20
# How long a client that was refused has to read why.
_LINGER_SECONDS: Final = 2.0
# How long a server that stops waits for a client to say good-bye, as TLS has it.
_GOODBYE_SECONDS: Final = 1.0
# A head is sent with a body that is no larger.
_SMALL: Final = 64 * 1024

# What llhttp is given as it is; it takes no others but those of protocols that this is not.
_METHODS: Final = frozenset((b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH"))
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How many seconds the headers of a request may take, its body, and the pause until the next one.

    A response of which nothing more is taken for ``body_seconds`` is given up, too.

    >>> TimeLimits(header_seconds=5).body_seconds
    60.0
    """

    header_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 300.0


def refusal(status: int, reason: str = "") -> bytes:
    """A response to what is no request, as Go words it; the connection ends with it.

    >>> refusal(400).partition(b"\\r\\n\\r\\n")[2]
    b'400 Bad Request'
    """
    phrase = HTTPStatus(status).phrase
    body = f"{status} {phrase}{': ' if reason else ''}{reason}".encode()
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


class _RefusedError(Exception):
    """Stops the parser, once the connection has said why."""


class Connection(HttpToolsProtocol):
    """Serves the requests of one connection, one after the other.

    ``admits`` is asked about the client, by its transport; who is not admitted is answered 403, whatever is asked for.
    Who makes connections calls :meth:`watch` on each about once a second.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        *,
        limits: TimeLimits,
        admits: Callable[[asyncio.Transport], bool] | None = None,
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self.parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        self.timeout_keep_alive = limits.idle_seconds  # type: ignore[assignment]
        self._limits = limits
        self._admits = admits
        self._is_stranger = False
        # Of the message that is being received: whether there is one, whether it is still at its headers, and their
        # size; a first line that is not all there yet; a method that llhttp does not know.
        self._open = False
        self._in_head = False
        self._head_bytes = 0
        self._line = b""
        self._method = ""
        # Nothing more is read: what there is to say to that, after the responses that are due before it.
        self._ended = False
        self._last_word = b""
        self._lingering = False
        self._eof = False
        self._deadline = math.inf
        # What is to be sent, and since when it is no less.
        self._unsent = 0
        self._unsent_since = 0.0
        self._stopping = False

    # ---------------------------------------------------------------------------------------------------- connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._writer = _Writer(self, transport)
        self._deadline = self.loop.time() + self._limits.header_seconds
        self._is_stranger = self._admits is not None and not self._admits(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that sends nothing more may still wait for its responses; TLS knows no such state."""
        self._eof = True
        self._writer.flush()
        cycle: RequestResponseCycle | None = self.cycle
        if self._lingering or self.scheme == "https" or cycle is None or cycle.response_complete:
            return None
        if self._last_word:
            return True
        if self._open and self._in_head:
            return None
        if self._open:
            self._refuse(400, "the body was cut short")
        self._ended = True
        cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        """End the connection once it has answered what it has been asked."""
        self._writer.flush()
        self._stopping = True
        self._unsent_since = self.loop.time()
        super().shutdown()

    def presence(self) -> Presence:
        """Whether there is a client to be answered."""
        if self.transport.is_closing():
            return Presence.GONE
        return Presence.SILENT if self._eof else Presence.THERE

    def watch(self, now: float) -> None:
        """End the connection if it is beyond a limit; ``now`` is by the event loop's clock."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif unsent and now > self._unsent_since + self._limits.body_seconds:
            self.transport.abort()
        is_done = self._stopping and not unsent and self.transport.is_closing()
        if is_done and now > self._unsent_since + _GOODBYE_SECONDS:
            # Many clients read nothing while they wait, and do not see that they are to say good-bye.
            self.transport.abort()
        if now > self._deadline:
            self._deadline = math.inf
            if self._lingering and not unsent:
                self.transport.close()  # unlike an abrupt end, TLS has a word for that
            elif self._lingering or not (self._open or self._line) or self._is_discarding():
                self.transport.abort()
            else:
                self._refuse(408)

    def finish(self) -> None:
        """End the connection after what was written. A client that is still sending is let to read it: to close a
        socket that has unread data would make it a reset."""
        if self.transport.is_closing() or self._lingering:
            return
        if self._eof or (not self._open and not self._last_word):
            self._unsent_since = self.loop.time()
            self.transport.close()
            return
        self._ended = self._lingering = True
        self._deadline = self.loop.time() + _LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _is_discarding(self) -> bool:
        """Whether what is received is the rest of a request that has been answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._open and not self._in_head and cycle is not None and cycle.response_complete

    def _refuse(self, status: int, reason: str = "") -> None:
        """Let what cannot be understood, or takes too long, be the last that is read."""
        self._ended = True
        self._deadline = math.inf
        self._last_word = refusal(status, reason)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                return  # to be said after the response
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self._say_last_word()

    def _say_last_word(self) -> None:
        self._writer.write(self._last_word)
        self._writer.close()

    # ----------------------------------------------------------------------------------------------------- receiving

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        rest = data
        while rest and not self._ended:
            if not self._open:
                rest = self._message_start(rest)
            rest = self._feed(rest)

    def _feed(self, data: bytes) -> bytes:
        """Let the parser have it. What it leaves comes after a request for another protocol, which is not granted."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest: bytes = data[upgrade.args[0] :]
            return rest
        except httptools.HttpParserError:
            if not self._ended:
                self._refuse(400)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEADER_BYTES and not self._ended:
                self._refuse(431)
        return b""

    def _message_start(self, data: bytes) -> bytes:
        """The beginning of a request as llhttp takes it, once its first line is there.

        It takes neither methods that nobody has registered, nor bytes above ASCII, nor a first line without a carriage
        return at its end, which Go does. Where several requests come in one packet, that holds for the first one only.
        """
        if not self._line:
            self._deadline = self.loop.time() + self._limits.header_seconds
        data = (self._line + data).lstrip(b"\r\n")
        end = data.find(b"\n")
        if end < 0:
            self._line = data
            if not data:
                return b""
            if len(data) > MAX_HEADER_BYTES:
                self._refuse(431)
            elif not _TOKEN.match(data[:1]):
                self._refuse(400)
            return b""
        self._line, self._method = b"", ""
        method, _, rest = data[:end].partition(b" ")
        if method in _METHODS and rest.isascii() and rest.endswith(b"\r"):
            return data
        if method not in _METHODS and _TOKEN.fullmatch(method):
            self._method, method = method.decode(), b"PATCH"
        target = _NOT_ASCII.sub(lambda match: b"%%%02X" % match[0][0], rest.removesuffix(b"\r"))
        return b"%b %b\r%b" % (method, target, data[end:])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._open = self._in_head = True
        self._head_bytes = 0
        self._deadline = self.loop.time() + self._limits.header_seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        # Blanks at the end are none of the value: RFC 9110, 5.5.
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        self._check_version()
        if self._is_stranger:
            self._refuse(403, "no name of the client's certificate is in client_allowed_sans")
            raise _RefusedError
        target, self.url = self.url, b"/"  # uvicorn takes apart what it can, and decodes as ASCII
        super().on_headers_complete()
        self.cycle.transport = self._writer  # type: ignore[assignment]
        scope: Any = self.scope
        scope["expofmt.presence"] = self.presence
        scope["raw_path"], _, scope["query_string"] = target.partition(b"?")
        if self._method:
            scope["method"], self._method = self._method, ""
        self._in_head = False
        self._deadline = self.loop.time() + self._limits.body_seconds

    def _check_version(self) -> None:
        version = self.parser.get_http_version()
        if version == "1.1":
            hosts = sum(name == b"host" for name, _ in self.headers)
            if hosts == 1:
                return
            self._refuse(400, "missing required Host header" if not hosts else "too many Host headers")
        elif version == "1.0":
            return
        elif version == "0.9":
            self._refuse(400)
        else:
            self._refuse(505, "unsupported protocol version")
        raise _RefusedError

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._open = False
        self._deadline = math.inf

    def on_response_complete(self) -> None:
        if self._last_word and not self.pipeline:
            self._say_last_word()
        else:
            super().on_response_complete()


class _Writer:
    """What uvicorn writes a response to: sends its head and its body at once, and knows how to end."""

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        if not self._held and len(data) < _SMALL:
            self._held = data
            self._connection.loop.call_soon(self.flush)
        elif len(data) < _SMALL:
            self._held += data
        else:
            self.flush()
            self._transport.write(data)

    def flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._connection.finish()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
