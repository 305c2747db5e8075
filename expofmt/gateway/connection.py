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
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .presence import Presence

__all__ = ["MAX_HEADER_BYTES", "Connection", "TimeLimits", "refusal"]

# What Go takes by default: 1 MiB, and what its reader may hold of what comes after it.
MAX_HEADER_BYTES: Final = (1 << 20) + 4096
# How long a client that was refused has to read why.
_LINGER_SECONDS: Final = 2.0
# How much of a response has to be taken in the time for a body, unless there is less.
_PROGRESS_BYTES: Final = 1 << 20
# How long a server that stops waits for a client to say good-bye, as TLS has it.
_GOODBYE_SECONDS: Final = 1.0
# A head is sent with a body that is no larger.
_SMALL: Final = 64 * 1024
# What may come together of all that a chunked body has beside its bytes: sizes, their extensions, trailer fields.
_MAX_EXTRA_BYTES: Final = 64 * 1024
# Of the length of a body. No number that llhttp takes has more, but for zeros that stand before it.
_MAX_LENGTH_DIGITS: Final = 20

# What llhttp is given as it is; it takes no others but those of protocols that this is not.
_METHODS: Final = frozenset((b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH"))
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE: Final = re.compile(rb"(%b) ([^ ]+) HTTP/([0-9])\.([0-9])\r?" % _TOKEN.pattern)
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_HOST: Final = re.compile(rb"[!$%&'()*+,.:;=_~\[\]0-9A-Za-z-]*")
_CONTINUE: Final = re.compile(rb"(?:^|[ ,\t])100-continue(?:[ ,\t]|$)", re.IGNORECASE)
_UPGRADE: Final = re.compile(rb"\nupgrade:", re.IGNORECASE)
_LINE_ENDS: Final = re.compile(rb"[\r\n]+")
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_EMPTY_LINES: Final = re.compile(rb"\n[\r\n]+")
# The end of a chunk, and the line before the next one, with its size; or the beginning of these. Go takes no more
# digits, and no longer lines.
_CHUNK_LINE: Final = re.compile(rb"\r?+\n?+(?:([0-9A-Fa-f]{1,16}+)(?![0-9A-Fa-f])[^\n]{0,4096}+(\n)?+)?+")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How many seconds the headers of a request may take, its body, and the pause until the next one.

    A response of which less than 1 MiB is taken in ``body_seconds``, though there is more, is given up, too.

    >>> TimeLimits(header_seconds=5).body_seconds
    60.0
    """

    header_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 300.0


def refusal(status: int, reason: str = "", *, body: str | None = None, fields: str = "") -> bytes:
    """A response to what is no request, as Go words it; the connection ends with it.

    >>> refusal(400, "malformed Host header").partition(b"\\r\\n\\r\\n")[2]
    b'400 Bad Request: malformed Host header'
    """
    line = f"{status} {HTTPStatus(status).phrase}{': ' if reason else ''}{reason}"
    text = line if body is None else body
    content_type = "Content-Type: text/plain; charset=utf-8\r\n" if text else ""
    fields += f"{content_type}Content-Length: {len(text)}\r\nConnection: close\r\n"
    return f"HTTP/1.1 {line}\r\n{fields}\r\n{text}".encode()


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
        # What is not parsed, of which so many bytes are known to be no whole head.
        self._received = bytearray()
        self._seen = 0
        # Of the head that is being received: its first line, once that is there; a method and a target that llhttp is
        # not given. Whether llhttp has been given a head and has not come to its end.
        self._line = b""
        self._method = ""
        self._target = b""
        self._is_new = False
        # Whether a body is being received, and how much of it there is to come; of chunks, that is not known, but how
        # much has come since there last were bytes of the body.
        self._open = False
        self._left: int | None = 0
        self._extra = 0
        # How much of a chunk there is to come, and whether all chunks have come.
        self._chunk_left = 0
        self._is_trailer = False
        # What the parser has found of the body in what was received at once: chunks may be of some bytes each.
        self._pieces: list[bytes] = []
        # Nothing more is read.
        self._ended = False
        self._lingering = False
        self._eof = False
        self._deadline = math.inf
        # How much the client has taken when it was last seen to be quick enough, and when that was.
        self._taken = 0
        self._taken_at = 0.0
        # Whether the server stops, and when there last was something to be sent.
        self._stopping = False
        self._busy_at = 0.0

    # ---------------------------------------------------------------------------------------------------- connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
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
        if self._lingering or self.scheme == "https":
            return None
        if self._open and self._is_answering():
            # Pushgateway's words, since it is what reads the body there.
            self._refuse(400, body="unexpected EOF\n", fields="X-Content-Type-Options: nosniff\r\n")
        elif self._received:
            self._refuse(400)
        elif self._is_answering():
            self._ended = True
            self.cycle.keep_alive = False
        else:
            return None
        return True

    def shutdown(self) -> None:
        """End the connection once it has answered what it has been asked."""
        self._writer.flush()
        self._stopping = True
        self._busy_at = self.loop.time()
        if not self.transport.is_closing():
            super().shutdown()

    def presence(self) -> Presence:
        """Whether there is a client to be answered."""
        if self.transport.is_closing():
            return Presence.GONE
        return Presence.SILENT if self._eof else Presence.THERE

    def watch(self, now: float) -> None:
        """End the connection if it is beyond a limit; ``now`` is by the event loop's clock."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._writer.written - unsent
        if not unsent or taken >= self._taken + _PROGRESS_BYTES:
            self._taken, self._taken_at = taken, now
        elif now > self._taken_at + self._limits.body_seconds:
            self.transport.abort()
        if unsent or not self._stopping or not self.transport.is_closing():
            self._busy_at = now
        elif now > self._busy_at + _GOODBYE_SECONDS:
            # Many clients read nothing while they wait, and do not see that they are to say good-bye.
            self.transport.abort()
        if now > self._deadline:
            self._deadline = math.inf
            if self._lingering and not unsent and not self.transport.is_closing():
                # Unlike an abrupt end, TLS has a word for that. Asked twice, its transport in asyncio works no more.
                self.transport.close()
            elif self._lingering or not (self._open or self._received) or self._is_discarding():
                self.transport.abort()
            else:
                self._refuse(408)

    def finish(self) -> None:
        """End the connection after what was written. A client that is still sending is let to read it: to close a
        socket that has unread data would make it a reset."""
        if self.transport.is_closing() or self._lingering:
            return
        if self._eof or not (self._open or self._received or self._ended):
            self._busy_at = self.loop.time()
            self.transport.close()
            return
        self._ended = self._lingering = True
        self._received.clear()
        self._deadline = self.loop.time() + _LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._flow.release()

    def _is_answering(self) -> bool:
        """Whether a response is not complete."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _is_discarding(self) -> bool:
        """Whether what is received is the rest of a request that has been answered."""
        return self._open and not self._is_answering()

    def _refuse(self, status: int, reason: str = "", *, body: str | None = None, fields: str = "") -> None:
        """Let what cannot be understood, or takes too long, be the last that is read."""
        self._ended = True
        self._deadline = math.inf
        if self._is_discarding():
            self.transport.abort()
            return
        if self._is_answering():
            # The request whose body it is.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        self._writer.write(refusal(status, reason, body=body, fields=fields))
        self._writer.close()

    # ----------------------------------------------------------------------------------------------------- receiving

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._received += data
        self._parse()

    def _parse(self) -> None:
        """Let the parser have what has been received: never more than what is left of one request. The next one waits
        until there is a response."""
        while self._received and not self._ended:
            if self._open:
                if not (body := self._body()):
                    break
                self._feed(body)
            elif self._is_answering():
                self._flow.hold()
                return
            elif head := self._head():
                self._is_new = True
                self._feed(head)
            else:
                return
        self._pass_on()

    def _pass_on(self) -> None:
        """Let whoever answers have what there is of the body."""
        if self._pieces:
            super().on_body(b"".join(self._pieces))
            self._pieces.clear()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not self._ended:
                self.logger.error("a request cannot be taken", exc_info=error.__context__ or error)
                self._refuse(500)
            is_understood = False
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            is_understood = False
        else:
            # It sees an end where there is one.
            is_understood = not self._is_new and not (self._open and self._left == 0)
            is_understood = is_understood and self._extra <= _MAX_EXTRA_BYTES
        if not is_understood and not self._ended:
            self._refuse(400)

    def _head(self) -> bytes:
        """The first line and the header fields of the next request, as llhttp takes them; empty until all are there.

        They may hold no field that asks for another protocol: llhttp would leave the body to that.
        """
        received = self._received
        if not self._seen:
            if blank := _LINE_ENDS.match(received):
                del received[: blank.end()]
            if not received:
                return b""
            self._unset_keepalive_if_required()
            self._deadline = self.loop.time() + self._limits.header_seconds
        if not self._line:
            self._line = self._first_line()
        end = _EMPTY_LINE.search(received, max(0, self._seen - 2))
        self._seen = len(received)
        if self._ended:
            return b""
        size = end.end() if end else self._seen + 1
        if size > MAX_HEADER_BYTES:
            self._refuse(431)
        if end is None or self._ended:
            return b""
        first = received.index(b"\n")
        head = self._line + _UPGRADE.sub(b"\nIgnored:", received[first:size])
        del received[:size]
        self._line, self._seen = b"", 0
        return head

    def _first_line(self) -> bytes:
        """The first line as llhttp takes it, without the line feed at its end; empty until it is there.

        llhttp takes neither methods that nobody has registered, nor bytes above ASCII, nor all versions that Go does,
        nor a first line without a carriage return at its end: it is given another line then. It takes blanks where Go
        does not.
        """
        end = self._received.find(b"\n", self._seen)
        if end < 0:
            if not _TOKEN.match(self._received[:1]):
                self._refuse(400)
            return b""
        data = bytes(self._received[:end])
        method, _, rest = data.partition(b" ")
        if method in _METHODS and rest.startswith(b"/") and rest.isascii() and rest.endswith(b" HTTP/1.1\r"):
            return data
        line = _REQUEST_LINE.fullmatch(data)
        if line is None:
            self._refuse(400)
            return b""
        if line[3] != b"1":
            self._refuse(505, "unsupported protocol version")
            return b""
        self._method = line[1].decode()
        self._target = _NOT_ASCII.sub(lambda match: b"%%%02X" % match[0][0], line[2])
        return b"PATCH / HTTP/1.%b\r" % (b"0" if line[4] == b"0" else b"1")

    def _body(self) -> bytes:
        """What has been received of the body, and nothing beyond it: up to its length, or to its last chunk, or to the
        empty line after that one."""
        size = self._left
        if size is None and not self._is_trailer:
            size = self._chunks()
        elif size is None and (end := _LINE_ENDS.match(self._received) or _EMPTY_LINES.search(self._received)):
            size = end.end()
        data = bytes(self._received[:size])
        del self._received[:size]
        if self._left is None:
            self._extra += len(data)
        else:
            self._left -= len(data)
        return data

    def _chunks(self) -> int:
        """Up to where chunks have been received, but for a line with a size that is not whole; nowhere, if what comes
        is no such line, which is refused."""
        received, at = self._received, self._chunk_left
        while at < len(received) and not self._is_trailer:
            line = _CHUNK_LINE.match(received, at)
            if line is None or (not line[2] and line.end() < len(received)):
                self._refuse(400)
                return 0
            if not line[2]:
                break
            size = int(line[1], 16)
            self._is_trailer = size == 0
            at = line.end() + size
        self._chunk_left = max(0, at - len(received))
        return at

    def on_message_begin(self) -> None:
        if not self._is_new:
            self._refuse(400)
            raise _RefusedError
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body, says nothing of the request. Blanks at the end are none of the value: RFC 9110, 5.5.
        if not self._open:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        self._check_head(version)
        target, self.url = self._target or self.url, b"/"  # uvicorn takes apart what it can, and decodes as ASCII
        super().on_headers_complete()
        self.cycle.transport = self._writer  # type: ignore[assignment]
        if version == "1.0" and self.parser.should_keep_alive():
            self.cycle.keep_alive = True
            self.cycle.default_headers = [*self.cycle.default_headers, (b"connection", b"keep-alive")]
        scope: Any = self.scope
        scope["expofmt.presence"] = self.presence
        scope["raw_path"], _, scope["query_string"] = target.partition(b"?")
        if self._method:
            scope["method"] = self._method
        self._method, self._target = "", b""
        self._is_new = False
        self._open = True
        self._extra = self._chunk_left = 0
        self._is_trailer = False
        self._deadline = self.loop.time() + self._limits.body_seconds

    def _check_head(self, version: str) -> None:
        """Refuse what Go refuses, and see what is to become of the body."""
        first = dict(reversed(self.headers))
        hosts = sum(name == b"host" for name, _ in self.headers)
        expected = first.get(b"expect")
        coding = first.get(b"transfer-encoding")
        length = first.get(b"content-length", b"0")
        if len(length) > _MAX_LENGTH_DIGITS:
            self._refuse(400)
            raise _RefusedError
        self._left = int(length) if coding is None else None
        if version not in ("1.0", "1.1"):
            self._refuse(505, "unsupported protocol version")
        elif coding is not None and version == "1.1" and coding.lower() != b"chunked":
            self._refuse(501, body="Unsupported transfer encoding")
        elif hosts > 1:
            self._refuse(400, "too many Host headers")
        elif not hosts and version == "1.1" and self._method != "CONNECT":
            self._refuse(400, "missing required Host header")
        elif hosts and not _HOST.fullmatch(first[b"host"]):
            self._refuse(400, "malformed Host header")
        elif expected and not _CONTINUE.search(expected):
            self._refuse(417, body="")
        elif self._is_stranger:
            self._refuse(403, "no name of the client's certificate is in client_allowed_sans")
        if self._ended:
            raise _RefusedError
        self.expect_100_continue = bool(expected) and self._left != 0 and version == "1.1"

    def on_body(self, body: bytes) -> None:
        self._extra = 0
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._pass_on()
        super().on_message_complete()
        self._open = False
        self._deadline = math.inf

    def on_response_complete(self) -> None:
        # Nothing more will be joined to it, so that it need not wait for the next turn of the event loop.
        self._writer.flush()
        super().on_response_complete()
        if not self.transport.is_closing():
            self._flow.release()
            self._parse()


class _Flow(FlowControl):
    """Reads on for whoever waits for a body, but not while a request is held back."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = False

    def hold(self) -> None:
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self._is_held:
            super().resume_reading()


class _Writer:
    """What uvicorn writes a response to: sends its head and its body at once, and knows how to end.

    ``written`` is how many bytes the transport has been given.
    """

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._held = b""
        self.written = 0

    def write(self, data: bytes) -> None:
        if not self._held and len(data) < _SMALL:
            self._held = data
            self._connection.loop.call_soon(self.flush)
        elif len(data) < _SMALL:
            self._held += data
        else:
            self.flush()
            self._send(data)

    def flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._send(data)

    def _send(self, data: bytes) -> None:
        self.written += len(data)
        self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._connection.finish()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
