"""The gateway beside Prometheus Pushgateway: each story is told to both, and both answer alike.

So the stories under tests/cases/gateway/exchanges are true of the original, too, but for what is marked as ours, which
neither is asked. Compared are status, header fields and body; of what is scraped, what was pushed. Debian's release is
older: what it lacks, or has otherwise, is in section 13 of the specification of Pushgateway that the stories name.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from expofmt import GroupStore
from expofmt.gateway import Gateway, Headers, OwnMetrics, Request, Response
from expofmt.names import Names
from tests.exchanges import FILES, Exchange, read
from tests.peers.test_pushgateway import free_port, shown

FLAGS = {
    "enable_admin_api": "--web.enable-admin-api",
    "enable_lifecycle": "--web.enable-lifecycle",
    "external_path": "--web.external-url=http://gateway{}",
    "names": "--push.enable-utf8-names",
    "route_prefix": "--web.route-prefix={}",
    "telemetry_path": "--web.telemetry-path={}",
    "unchecked": "--push.disable-consistency-check",
}
# What belongs to the connection, or is another one each time.
NOT_COMPARED = {"connection", "content-length", "date", "last-modified", "transfer-encoding", "content-security-policy"}

# Debian's release knows no names of UTF-8.
NEWER_STORIES = {"utf8_names"}


@contextmanager
def original(program: str, options: dict[str, str | bool], *more: str) -> Iterator[int]:
    """The port of a new process of the original."""
    port = free_port()
    flags = [*(FLAGS[name].format(str(value).rstrip("/")) for name, value in options.items()), *more]
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file=", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        # It says so when it listens.
        assert process.stderr is not None
        for line in process.stderr:
            if "listen" in line.lower() and "TLS" not in line:
                break
        yield port
    finally:
        process.terminate()
        process.communicate()


def ask(port: int, exchange: Exchange) -> Response:
    """What the original answers. No client library sends such targets as they are."""
    headers = [("Host", "gateway"), ("Connection", "close"), *exchange.headers]
    if exchange.body or exchange.method in ("PUT", "POST"):
        headers.append(("Content-Length", str(len(exchange.body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"{exchange.method} {exchange.target} HTTP/1.1\r\n{head}\r\n".encode() + exchange.body)
        answer = HTTPResponse(connection, method=exchange.method)
        answer.begin()
        return Response(answer.status, tuple(answer.getheaders()), (answer.read(),))


def compared(response: Response, *, is_scrape: bool) -> tuple[int, dict[str, str], list[bytes]]:
    headers = {name.lower(): value for name, value in response.headers}
    body = [response.body]
    if is_scrape and response.status == 200:
        body = [line for line in shown(response.body, times=False) if not re.match(rb"# (HELP|TYPE) push_", line)]
    elif headers.get("content-type") == "text/html; charset=utf-8" and response.status == 200:
        # Each has a page of its own.
        body = []
    return response.status, {name: value for name, value in headers.items() if name not in NOT_COMPARED}, body


def as_debian(
    exchange: Exchange, ours: tuple[int, dict[str, str], list[bytes]]
) -> tuple[int, dict[str, str], list[bytes]]:
    """What the older release answers where the newest answers as ours does."""
    status, headers, body = ours
    if "content-type" in headers:
        headers["content-type"] = headers["content-type"].partition("; escaping=")[0]
    if status == 307 and re.search(r"//|/\.|^/(?:Pre/)?api/v1$", exchange.target):
        status = 301
        body = [line.replace(b"Temporary Redirect", b"Moved Permanently") for line in body]
    return status, headers, body


def is_newer(exchange: Exchange) -> bool:
    """Whether the older release does something of its own.

    It knows ``gzip`` only, and takes streams that are cut short; it cleans paths once they are decoded, never answers a
    push without a job, and has its page in files that may not be where it looks.
    """
    encoding = dict(exchange.headers).get("Content-Encoding", "")
    odd = re.search(r"%2F|%2e%2e|job@base64/=$|^/(status)?$", exchange.target)
    return encoding not in ("", "gzip", "br") or exchange.body.startswith(b"\x1f\x8b") or odd is not None


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_both_answer_alike(program: str, file: Path, request: pytest.FixtureRequest) -> None:
    story = read(file)
    is_debian = "debian" in request.node.callspec.params.values()
    if "lenient" in story.options or (is_debian and file.stem in NEWER_STORIES):
        pytest.skip("the original has nothing of the kind")
    names: Names = "utf-8" if "names" in story.options else "legacy"
    options = {name: value for name, value in story.options.items() if name != "names"}
    own = OwnMetrics(registry=CollectorRegistry())
    gateway = Gateway(GroupStore(own=own.families, names=names), own=own, names=names, **options)  # type: ignore[arg-type]
    with original(program, story.options) as port:
        for exchange in story.exchanges:
            if exchange.ours or (is_debian and is_newer(exchange)):
                continue
            target = exchange.target.encode().decode("latin-1")
            headers = Headers([("Host", "gateway"), *exchange.headers])
            is_scrape = exchange.method == "GET" and re.search("metrics|scrape", exchange.target) is not None
            mine = gateway.handle(Request(exchange.method, target, headers, exchange.body))
            ours = compared(mine, is_scrape=is_scrape)
            theirs = compared(ask(port, exchange), is_scrape=is_scrape)
            if is_debian:
                ours = as_debian(exchange, ours)
            if exchange.method == "HEAD" or b" error[" in mine.body:
                ours, theirs = (*ours[:2], []), (*theirs[:2], [])
            assert ours == theirs, f"line {exchange.line}"
