"""The original and ours beside each other, as processes: the same bytes are sent to both, and their answers compared.

What Debian's release, which is older, answers in another way is in section 13 of the specification of Pushgateway that
the stories of ``tests/cases/gateway/exchanges`` name.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from typing import Any, NamedTuple

from tests.peers.test_gateway_side_by_side import original
from tests.peers.test_pushgateway import messages, shown
from tests.serving import PATIENCE, received, serving

NOT_COMPARED = {"date", "content-length", "transfer-encoding", "content-security-policy"}
# Each has a page of its own.
PAGES = re.compile(rb"^GET [^ ]*/(?:status)? ")
# A metric in an error's text, which is another one each time there.
DUMP = re.compile(rb"(?<=\" )\{ .*\}(?= (?:has|is not|must not|was collected) )")
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


class Answer(NamedTuple):
    """A response, as far as it is compared."""

    status: int
    headers: list[tuple[str, str]]
    body: Any


class Ports(NamedTuple):
    """Where the two listen."""

    theirs: int
    ours: int


@contextmanager
def both(program: str, *flags: str) -> Iterator[Ports]:
    """The original and ours, with the same flags."""
    with original(program, {}, *flags) as theirs, serving(*flags) as ours:
        yield Ports(theirs, ours.port)


@contextmanager
def connected(port: int, tls: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    with ExitStack() as held:
        client = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        yield held.enter_context(tls.wrap_socket(client, server_hostname="localhost")) if tls else client


def asked(port: int, *requests: bytes, tls: ssl.SSLContext | None = None) -> list[Answer]:
    """The answers to requests that are sent at once, on one connection."""
    with connected(port, tls) as client:
        client.sendall(b"".join(requests))
        with client.makefile("rb") as stream:
            return [_answer(stream, request) for request in requests]


def told(port: int, *parts: bytes) -> bytes:
    """All that is answered to bytes of any kind, one part after the other, until the connection is ended there."""
    with connected(port) as client:
        for part in parts:
            client.sendall(part)
        return received(client)


def _answer(stream: Any, request: bytes) -> Answer:
    class Reader:
        """What HTTPResponse reads from: it would read ahead on a socket, and close it."""

        def makefile(self, mode: str) -> Any:  # noqa: ARG002
            return stream

    response = HTTPResponse(Reader(), method=request.partition(b" ")[0].decode("latin-1"))  # type: ignore[arg-type]
    response._close_conn = lambda: None  # type: ignore[attr-defined]  # the next response comes from the same stream
    response.begin()
    headers = sorted((name.lower(), value) for name, value in response.getheaders() if name.lower() not in NOT_COMPARED)
    body: Any = response.read()
    if response.status == 200 and body:
        if response.getheader("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        content_type = response.getheader("Content-Type") or ""
        if content_type.startswith("text/plain; version"):
            body = [line for line in shown(body, times=False) if b"python_" not in line]
        elif content_type.startswith("application/vnd.google.protobuf"):
            body = {name: message for name, message in messages(body).items() if not name.startswith("python_")}
        elif content_type == "application/json":
            body = _without_times(json.loads(body))
        elif PAGES.match(request):
            body = b""
    elif response.status == 400:
        body = DUMP.sub(b"{...}", body)
    return Answer(response.status, headers, body)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "then" if name == "time_stamp" or name.endswith("time_seconds") else _without_times(member)
            for name, member in value.items()
        }
    return sorted(map(_without_times, value), key=repr) if isinstance(value, list) else value


def as_debian(sent: bytes, answer: Answer) -> Answer:
    """What the older release answers where the newest answers like this."""
    status, headers, body = answer
    headers = [
        (name, re.sub("; escaping=.*", "", value) if name == "content-type" else value) for name, value in headers
    ]
    if status == 307 and re.search(rb"^\w+ \S*(//|/\.{1,2}[/? ]|/api/v1[? ]|http://[^/ ]* )", sent):
        status = 301
        body = body.replace(b"Temporary Redirect", b"Moved Permanently")
    return Answer(status, headers, body)


def is_newer(sent: bytes) -> bool:
    """Whether the older release does something of its own.

    It knows ``gzip`` in this case only, it cleans paths once they are decoded, and has its page in files that may not
    be where it looks. A job that cannot be decoded, or is empty, ends all answers to jobs in base64.
    """
    target = sent.split(b" ")[1]
    encoding = re.search(rb"(?i)\r\nContent-Encoding: *([^\r]*?)[ \t]*\r\n", sent)
    odd = re.search(rb"%2F|%2e%2e|^(/push|/a|/p)?/(status)?$", target)
    job = re.search(rb"(?i)job@base64/([^/?]*)", target)
    return (
        odd is not None
        or (job is not None and not re.fullmatch(rb"(?:[\w-]{4})*[\w-]{2,4}=*", job[1]))
        or (encoding is not None and encoding[1] not in (b"gzip", b"br", b"identity", b"x-gzip"))
    )


def put(path: str, body: bytes, *headers: str, method: str = "PUT") -> bytes:
    return request(method, path, *headers, f"Content-Length: {len(body)}") + body


def request(method: str, path: str, *headers: str, version: str = "1.1") -> bytes:
    fields = "".join(f"{header}\r\n" for header in ("Host: gateway", *headers))
    return f"{method} {path} HTTP/{version}\r\n{fields}\r\n".encode()
