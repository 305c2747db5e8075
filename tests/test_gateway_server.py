"""``expofmt serve`` as a process: where it listens, what it takes and refuses, how it ends, what it keeps."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.client
import io
import json
import os
import random
import re
import resource
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from threading import Thread

import bcrypt
import cramjam
import pytest
import trustme
import uvicorn
from click.testing import CliRunner
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from expofmt import GroupStore
from expofmt.cli import group
from expofmt.gateway.asgi import Receive, Send, make_asgi_app
from expofmt.gateway.connection import MAX_HEADER_BYTES, Connection, TimeLimits
from expofmt.gateway.logs import Log
from expofmt.gateway.server import Server
from expofmt.grouping import GroupingKey
from expofmt.journal import SqliteJournal

from .serving import PATIENCE, Serving, connection, received, serving

QUICK = ("--web.header-timeout", "1s", "--web.body-timeout", "2s", "--web.idle-timeout", "1s")
HEAD = b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    """A gateway that the tests share which leave it as it is."""
    with serving("--web.enable-admin-api") as running:
        yield running
        assert running.process.poll() is None
        assert running.stop() == 0


@pytest.fixture(scope="module")
def quick() -> Iterator[Serving]:
    """One whose time limits are short."""
    with serving(*QUICK) as running:
        yield running


def answers(server: Serving, *parts: bytes) -> bytes:
    """What the gateway answers to these bytes, after which the client sends no more."""
    with server.connect() as client:
        for part in parts:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
        return received(client)


def run(*flags: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A gateway that is not to start."""
    return subprocess.run(
        [sys.executable, "-m", "expofmt", "serve", *map(str, flags)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=PATIENCE,
        check=False,
    )


# ----------------------------------------------------------------------------------------------------------- starting


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--nope"], "No such option"),
        (["--web.enable-lifecycle=true"], "does not take a value"),
        (["--log.level", "info", "--log.level", "info"], "--log.level can be given once only"),
        (["--log.level", "loud"], "'loud' is not one of"),
        (["--persistence.interval", "5"], "`5` is no duration"),
        (["--web.listen-address", "9091"], "`9091` is no address"),
        (["--web.listen-address", "::1:80"], "`::1:80` is no address"),
        (["--web.listen-address", "vsock://a:b"], "`vsock://a:b` is no address"),
        (["--web.listen-address", "127.0.0.1:99999"], "--web.listen-address 127.0.0.1:99999: "),
        (["--web.systemd-socket"], "systemd hands over no sockets"),
        (["--web.telemetry-path", "x"], "`x` does not begin with /"),
        (["--web.telemetry-path", "x", "--web.external-url", "http://a/"], "`x` does not begin with /"),
        (["--web.external-url", "x"], "`x` is no URL"),
        (["--web.external-url", "host:80"], "`host:80` is no URL"),
        (["--policy", "avg"], "unknown operation `avg`"),
        (["--push.max-series", "-1"], "-1 is not in the range"),
        (["x"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(flags: list[str], message: str) -> None:
    done = CliRunner().invoke(group, ["serve", *flags])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("expofmt serve: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told(server: Serving) -> None:
    done = run("--web.listen-address", f"127.0.0.1:{server.port}")
    assert done.returncode == 2
    assert done.stderr == f"expofmt serve: --web.listen-address 127.0.0.1:{server.port}: Address already in use\n"


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: a}\n")
    done = run("--web.config.file", tmp_path / "web.yml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "web.yml:1: tls_server_config has neither key_file nor key" in done.stderr
    gob = b"\x7f\x04\x01\x01\x18GroupingKeyToMetricGroup\x01\xff\x80\x00"
    (tmp_path / "pg_file").write_bytes(gob)
    done = run("--persistence.file", tmp_path / "pg_file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "expofmt journal import" in done.stderr
    assert (tmp_path / "pg_file").read_bytes() == gob
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith("-lock")) == ["pg_file", "web.yml"]
    done = run("--persistence.file", tmp_path / "gone" / "file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_journal_that_another_gateway_has_open_is_refused(tmp_path: Path) -> None:
    with serving("--persistence.file", tmp_path / "j"):
        done = run("--persistence.file", tmp_path / "j", "--web.listen-address", "127.0.0.1:0")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "in use" in done.stderr


@pytest.mark.parametrize("module", ["uvicorn", "httptools", "prometheus_client", "yaml", "bcrypt"])
def test_what_is_not_installed_is_told(tmp_path: Path, module: str) -> None:
    (tmp_path / "web.yml").write_text("basic_auth_users: {}")
    flags = ["serve", "--web.listen-address=127.0.0.1:0", f"--web.config.file={tmp_path}/web.yml"]
    code = f"import sys\nsys.modules[{module!r}] = None\nfrom expofmt.cli import main\nmain({flags!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert 'pip install "expofmt[gateway]"' in done.stderr


def test_the_version_goes_to_stdout() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("expofmt ")


def test_flags_may_be_variables() -> None:
    environment = {**os.environ, "EXPOFMT_WEB_ENABLE_ADMIN_API": "true", "EXPOFMT_WEB_ROUTE_PREFIX": "/p"}
    with serving(env=environment) as running:
        assert running.request("PUT", "/p/api/v1/admin/wipe")[0] == 202
    with serving("--no-web.enable-admin-api", env=environment) as running:
        assert running.request("PUT", "/p/api/v1/admin/wipe")[0] == 404


def test_0_is_no_limit() -> None:
    pushes = ("body-bytes", "pending-bytes", "families", "series", "label-value-bytes")
    flags = [*(f"--push.max-{what}=0" for what in pushes), "--store.max-groups=0", "--store.max-series=0"]
    body = b"#" * 70 * 2**20 + b'\na{b="c"} 1\n'
    with serving(*flags) as running:
        for encoding, sent in (("identity", body), ("gzip", gzip.compress(body)), ("zstd", zstd(body))):
            headers = {"Content-Encoding": encoding}
            assert running.request("PUT", f"/metrics/job/{encoding}", sent, headers) == (200, b"")
        assert running.scrape("a").count("\n") == 3


def zstd(body: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(body))


def test_the_api_tells_times_of_the_local_zone() -> None:
    with serving(env={**os.environ, "TZ": "HERE-5:45"}) as running:
        assert running.request("PUT", "/metrics/job/j", b"a 1\n")[0] == 200
        for path in ("metrics", "status"):
            assert re.search(rb'T[0-9:.]+\+05:45"', running.request("GET", f"/api/v1/{path}")[1])


def test_several_addresses_serve_one_state() -> None:
    addresses = ["127.0.0.1:0", "localhost:0", *(["[::1]:0"] if socket.has_ipv6 else [])]
    flags = [f"--web.listen-address={address}" for address in addresses]
    with serving(*flags, listeners=len(addresses)) as running:
        assert running.request("PUT", "/metrics/job/j", b"a 1\n")[0] == 200
        for address in running.addresses:
            host, _, port = address.rpartition(":")
            with closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=PATIENCE)) as client:
                client.request("GET", "/metrics?name[]=a")
                assert b'a{instance="",job="j"} 1' in client.getresponse().read()


def test_without_a_host_all_addresses_are_served() -> None:
    with serving("--web.listen-address", ":0") as running:
        assert running.request("GET", "/-/healthy")[0] == 200
        if socket.has_dualstack_ipv6():
            with closing(http.client.HTTPConnection("::1", running.port, timeout=PATIENCE)) as client:
                client.request("GET", "/-/ready")
                assert client.getresponse().read() == b"OK"


def test_vsock_where_the_platform_has_it() -> None:
    family = getattr(socket, "AF_VSOCK", None)
    try:
        with socket.socket(family if family is not None else -1, socket.SOCK_STREAM) as probe:
            probe.bind((socket.VMADDR_CID_ANY, 0xFFFFFFFF))
    except (OSError, AttributeError) as error:
        pytest.skip(f"no vsock here: {error}")
    with serving("--web.listen-address", "vsock://:4294967295") as running:
        assert running.addresses[0].startswith("vsock://")


# The descriptor becomes the third, as systemd has it, and LISTEN_PID is what only the child knows.
SYSTEMD = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "expofmt", "serve", *sys.argv[2:]])
"""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def test_a_socket_that_systemd_hands_over(tmp_path: Path, family: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "s"))
        listener.listen()
        command = [sys.executable, "-c", SYSTEMD, str(listener.fileno()), "--web.systemd-socket"]
        popen = subprocess.Popen
        monkeypatch.setattr(
            subprocess, "Popen", lambda _, **options: popen(command, pass_fds=[listener.fileno()], **options)
        )
        with serving("--web.systemd-socket") as running, socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE)
            client.connect(listener.getsockname())
            client.sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
            assert received(client).endswith(b"\r\n\r\nOK")
            assert running.stop() == 0


# ------------------------------------------------------------------------------------------------------- on the wire


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (b"GET /metrics x HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, b"400 Bad Request: missing required Host header"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, b"400 Bad Request: too many Host headers"),
        (b"GET /\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, b"505 HTTP Version Not Supported: unsupported protocol version"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, b"505 HTTP Version Not Supported: unsupported protocol version"),
        (b"\x16\x03\x01\x02\x00\x01", 400, b"400 Bad Request"),
        (b"GET / HTTP/3.0\r\n", 505, b"505 HTTP Version Not Supported: unsupported protocol version"),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, b"400 Bad Request: malformed Host header"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501, b"Unsupported transfer encoding"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, b"Unsupported transfer encoding"),
        (HEAD + b"Content-Length: x\r\n\r\n", 400, b"400 Bad Request"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, b"400 Bad Request", id="many digits"),
        pytest.param(HEAD + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n", 400, b"400 Bad Request", id="many zeros"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, b"400 Bad Request"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, b"400 Bad Request"),
        (HEAD + b"Content-Length: 100\r\n\r\na 1\n", 400, b"unexpected EOF\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n", 400, b"unexpected EOF\n"),
    ],
)
def test_what_is_no_request_is_answered_as_go_does(server: Serving, sent: bytes, status: int, body: bytes) -> None:
    answer = answers(server, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.lower().count(b"\r\nconnection: close\r\n") == 1
    assert b"content-type: text/plain; charset=utf-8\r\n" in answer.lower()
    assert answer.partition(b"\r\n\r\n")[2] == body
    assert b"uvicorn" not in answer
    assert 'job="j"' not in server.scrape("push_time_seconds", "push_failure_time_seconds")


def test_headers_have_a_limit(server: Serving) -> None:
    for head in (HEAD + b"X: ", b"GET /"):
        with server.connect() as client:
            sender = Thread(target=client.sendall, args=(head + b"x" * (2 << 20),))
            sender.start()
            assert received(client).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
            sender.join()
    # To the byte, whether the first line is one that is taken as it is, or one that is not.
    for start in (b"GET /-/ready HTTP/1.1\r\n", b"GET /-/ready?%b HTTP/1.1\n" % ("ä".encode() * 1000)):
        start += b"Host: a\r\nConnection: close\r\nX: "
        fitting = start + b"x" * (MAX_HEADER_BYTES - len(start) - 4)
        assert answers(server, fitting + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert answers(server, fitting + b"x\r\n\r\n").startswith(b"HTTP/1.1 431 ")
    # A body is none of it, nor is a request before it.
    ready = b"GET /-/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    fitting = ready[:-100_004] + b"\r\nX: " + b"x" * (MAX_HEADER_BYTES - 75) + b"\r\n\r\n" + b"x" * 100_000
    assert answers(server, ready, ready + fitting).count(b"HTTP/1.1 200 OK") == 3


def test_targets_may_hold_any_byte_and_methods_any_name(server: Serving) -> None:
    close = b"Host: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nraw "
    for number, path in enumerate(('/metrics/job/r/a/ä"\\;:#'.encode(), b"/metrics/job/r/b/%C3%A4")):
        sent = b"PUT %b HTTP/1.1\r\n%b%d\n" % (path, close.replace(b": 4", b": 6"), number)
        # In one packet, and byte by byte.
        parts = [sent] if number else [bytes([byte]) for byte in sent]
        assert answers(server, *parts).startswith(b"HTTP/1.1 200 ")
    samples = server.scrape("raw").splitlines()
    assert sorted(samples) == ['raw{a="ä\\"\\\\;:#",instance="",job="r"} 0', 'raw{b="ä",instance="",job="r"} 1']
    assert answers(server, b"GET /-/ready HTTP/1.1\nHost: a\nConnection: close\n\n").endswith(b"\r\n\r\nOK")
    for method in (b"post", b"SPEAK", b"PATCH", b"HEAD", b"PROPFIND"):
        answer = answers(server, method + b" /metrics/job/r HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nallow: DELETE, OPTIONS, POST, PUT\r\n" in answer
    for key in ("a/%C3%A4%22%5C%3B%3A%23", "b/ä"):
        assert answers(server, f"DELETE /metrics/job/r/{key} HTTP/1.0\r\n\r\n".encode())[9:12] == b"202"
    assert server.scrape("raw") == ""


def test_requests_in_one_packet_are_answered_in_their_order(server: Serving) -> None:
    push = b"PUT /metrics/job/p%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\np %d\n"
    scrape = b"GET /metrics?name[]=p HTTP/1.1\r\nHost: a\r\n\r\n"
    sent = b"".join(push % (number, number) + scrape for number in range(5))
    answer = answers(server, sent + b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200"] * 11
    assert [part.count(b"\np{") for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    # Each may begin in a way of its own, and after empty lines.
    odd = [b"GET /-/ready?\xe4 HTTP/1.1\nHost: a\n\n", b"SPEAK / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\n", push % (7, 7)]
    odd.append(
        b"PUT /metrics/job/q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\nX: y\r\n\r\n"
    )
    answer = answers(server, b"".join(odd * 3) + b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"405", b"200", b"200"] * 3 + [b"200"]
    # What cannot be understood is said after what can.
    answer = answers(server, sent + b"\x00\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200"] * 10 + [b"400"]
    assert server.request("PUT", "/api/v1/admin/wipe")[0] == 202


def test_a_request_for_another_protocol_is_served_in_this_one(server: Serving) -> None:
    upgrade = b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAA\r\n\r\n"
    answer = answers(server, b"GET /-/ready HTTP/1.1\r\n" + upgrade + b"GET /-/healthy HTTP/1.1\r\n" + upgrade)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    # The body is not the other protocol's.
    sized = b"Content-Length: 7\r\n" + upgrade + b"left 1\n"
    chunked = b"Transfer-Encoding: chunked\r\n" + upgrade + b"3\r\nlef\r\n4\r\nt 2\n\r\n0\r\n\r\n"
    for number, body in enumerate((sized, chunked), 1):
        push = b"PUT /metrics/job/u HTTP/1.1\r\n" + body
        for parts in ([push * 2], [push, push], [bytes([byte]) for byte in push * 2]):
            assert answers(server, *parts).count(b"HTTP/1.1 200 OK") == 2
            assert server.scrape("left") == f'left{{instance="",job="u"}} {number}\n'
            assert server.request("DELETE", "/metrics/job/u")[0] == 202


def test_what_follows_a_chunked_body_is_none_of_the_request(server: Serving) -> None:
    push = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4;x=y\r\na 1\n\r\n0;x\r\n"
    trailer = b"Content-Encoding: gzip\r\nAccept: application/json\r\nX: y\r\n\r\n"
    assert re.findall(rb"HTTP/1.1 (\d+)", answers(server, (push + trailer) * 2)) == [b"200"] * 2
    assert server.scrape("a") == 'a{instance="",job="j"} 1\n'
    assert server.request("DELETE", "/metrics/job/j")[0] == 202


@pytest.mark.parametrize("repeated", [b"X: y\r\n", b"x" * 1000])
@pytest.mark.parametrize("start", [b"4\r\na 1\n\r\n0\r\nX:", b"4\r\na 1\n\r\n0;x", b"4;x"])
def test_what_is_beside_a_chunked_body_has_a_limit(server: Serving, start: bytes, repeated: bytes) -> None:
    """The client would send for ever."""
    refused = threading.Event()

    def send() -> None:
        with suppress(ConnectionError):
            while not refused.is_set():
                client.sendall(repeated * 100)

    with server.connect() as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + start)
        sender = Thread(target=send)
        sender.start()
        try:
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
        finally:
            refused.set()
            sender.join()
    assert 'job="j"' not in server.scrape("push_time_seconds")


class Taken(Connection):
    """A connection that tells how much it has read."""

    taken = 0

    def data_received(self, data: bytes) -> None:
        self.taken += len(data)
        super().data_received(data)


@pytest.mark.parametrize("body", [b"", b"x" * 100_000])
def test_no_more_is_read_than_there_are_answers_to(body: bytes) -> None:
    """But for what comes in one or two reads, the rest of the requests stay with the client."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\nContent-Length: %d\r\n\r\n%b" % (b"x" * 1000, len(body), body)
    count = max(100, 4_000_000 // len(request))
    waiting: list[int] = []

    async def pipelined() -> None:
        async def app(_: object, receive: Receive, send: Send) -> None:
            await receive()
            # As one that asks what comes after the body: whether the client is gone.
            asyncio.ensure_future(receive()).add_done_callback(lambda task: task.result())
            for _ in range(4):
                await asyncio.sleep(0)  # there is time to read
            waiting.append(served.taken - len(waiting) * len(request))
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
            await send({"type": "http.response.body", "body": b"+"})

        loop = asyncio.get_running_loop()
        config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, lifespan="off")
        served = Taken(config, ServerState(), limits=TimeLimits())
        client, ours = socket.socketpair()
        with client:
            client.setblocking(False)
            await loop.connect_accepted_socket(lambda: served, ours)
            sender = loop.create_task(loop.sock_sendall(client, request * count))
            answer = b""
            while answer.count(b"+") < count:
                answer += await loop.sock_recv(client, 65536)
            await sender

    asyncio.run(pipelined())
    assert len(waiting) == count
    assert max(waiting) <= len(request) + 2 * 256 * 1024


@pytest.mark.parametrize("callback", ["on_message_begin", "on_header", "on_headers_complete", "on_message_complete"])
def test_what_goes_wrong_here_is_not_said_to_be_the_clients_fault(
    callback: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    async def app(_: object, receive: Receive, send: Send) -> None:
        await receive()

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, lifespan="off")
        client, ours = socket.socketpair()
        with client:
            client.setblocking(False)
            await loop.connect_accepted_socket(lambda: Connection(config, ServerState(), limits=TimeLimits()), ours)
            await loop.sock_sendall(client, HEAD + b"Content-Length: 4\r\n\r\na 1\n")
            return await loop.sock_recv(client, 65536)

    monkeypatch.setattr(HttpToolsProtocol, callback, fail)
    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert answer.endswith(b"\r\nConnection: close\r\n\r\n500 Internal Server Error")
    [record] = [record for record in caplog.records if record.getMessage() == "a request cannot be taken"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_chunks_end_where_their_sizes_say() -> None:
    """Whatever they hold, and however they come."""
    found: list[bytes] = []

    async def app(_: object, receive: Receive, send: Send) -> None:
        message = await receive()
        found.append(message["body"])
        while message["more_body"]:
            message = await receive()
            found[-1] += message["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    parts = [b"0\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", b"x\n\n0\n\n" * 3, b"0", b"\r\n0\r\n\r\n"]
    sizes = [b"%x\r\n%b\r\n", b"%X;0\r\n%b\r\n", b'0%x;a="b"\r\n%b\r\n', b"%X\r\n%b\r\n"]
    chunks = b"".join(size % (len(part), part) for size, part in zip(sizes, parts, strict=True))
    ends = [b"0\r\n\r\n", b"000;x\r\nX: 0\r\nY:\r\n\r\n"]
    heads = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    sent = heads + chunks + ends[0] + heads + chunks + ends[1] + heads + ends[1]

    async def push(*pieces: bytes) -> None:
        found.clear()
        config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, lifespan="off")
        loop = asyncio.get_running_loop()
        client, ours = socket.socketpair()
        with client:
            client.setblocking(False)
            served = Connection(config, ServerState(), limits=TimeLimits())
            await loop.connect_accepted_socket(lambda: served, ours)
            for piece in pieces:
                served.data_received(piece)
            answer = b""
            while answer.count(b"HTTP/1.1 ") < 3 and (more := await loop.sock_recv(client, 65536)):
                answer += more
        assert answer.count(b"HTTP/1.1 200 ") == 3
        assert found == [b"".join(parts)] * 2 + [b""]

    asyncio.run(push(*(bytes([byte]) for byte in sent)))
    for size in range(len(sent)):
        asyncio.run(push(sent[:size], sent[size:]))


@pytest.mark.parametrize(
    ("start", "is_taken"),
    [
        (b"0" * 15 + b"4\r\na 1\n\r\n0\r\n\r\n", True),
        (b"0" * 16 + b"4\r\na 1\n\r\n0\r\n\r\n", False),
        (b"0" * 17, False),
        (b"4;" + b"x" * 4000 + b"\r\na 1\n\r\n0\r\n\r\n", True),
        (b"4;" + b"x" * 4100 + b"\r\na 1\n\r\n0\r\n\r\n", False),
        (b"4;" + b"x" * 4100, False),
        (b"4\r\na 1\n\r\n;", False),
        (b"4\r\na 1\n\r\n\r\n", False),
        (b"-4\r\n", False),
    ],
)
def test_a_size_of_a_chunk_is_one_that_go_takes(server: Serving, start: bytes, is_taken: bool) -> None:
    with server.connect() as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + start)
        assert client.recv(65536).startswith(b"HTTP/1.1 %d " % (200 if is_taken else 400))
    assert server.request("DELETE", "/metrics/job/j")[0] == 202


def test_a_body_is_passed_on_once_for_each_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many chunks and empty lines there are in it; the parser is given it, too, but for the end."""
    body = b"#\n\n" * 10_000
    chunks = b"7530\r\n%b\r\n" % body + b"1\r\n\n\r\n" * 10_000 + b"0\r\n\r\n"
    found: list[bytes] = []
    events: list[str] = []
    on_body = HttpToolsProtocol.on_body

    def passed_on(protocol: HttpToolsProtocol, data: bytes) -> None:
        events.append("passed on")
        on_body(protocol, data)

    class Reading(Connection):
        def data_received(self, data: bytes) -> None:
            events.append("read")
            super().data_received(data)

        def _feed(self, data: bytes) -> None:
            events.append("parsed")
            super()._feed(data)

    async def push() -> None:
        async def app(_: object, receive: Receive, send: Send) -> None:
            while True:
                message = await receive()
                found.append(message["body"])
                if not message["more_body"]:
                    break
            await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
            await send({"type": "http.response.body", "body": b""})

        loop = asyncio.get_running_loop()
        config = uvicorn.Config(app, interface="asgi3", ws="none", log_config=None, lifespan="off")
        client, ours = socket.socketpair()
        with client:
            client.setblocking(False)
            await loop.connect_accepted_socket(lambda: Reading(config, ServerState(), limits=TimeLimits()), ours)
            await loop.sock_sendall(client, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            assert (await loop.sock_recv(client, 65536)).startswith(b"HTTP/1.1 200 ")

    monkeypatch.setattr(HttpToolsProtocol, "on_body", passed_on)
    asyncio.run(push())
    assert b"".join(found) == body + b"\n" * 10_000
    assert 0 < events.count("passed on") <= events.count("read")
    # The head and the trailer are parsed by themselves.
    assert events.count("parsed") <= events.count("read") + 2


@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("upgrade", [b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"connection:UPGRADE\nupgrade:x\n"])
@pytest.mark.parametrize("method", [b"PUT", b"POST", b"DELETE", b"GET", b"OPTIONS", b"CONNECT", b"SPEAK"])
def test_no_request_hides_in_the_body_of_another(
    server: Serving, method: bytes, upgrade: bytes, framing: bytes
) -> None:
    body = b"PUT /metrics/job/hidden HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    head = method + b" /metrics/job/h HTTP/1.1\r\nHost: a\r\n" + upgrade
    if b"%d" in framing:
        sent = head + framing % len(body) + b"\r\n" + body
    else:
        sent = head + framing + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for parts in ([sent * 2], [sent, sent], [sent[: -len(body)], sent[-len(body) :]], [sent[:-1], sent[-1:]]):
        assert 1 <= answers(server, *parts).count(b"HTTP/1.1 ") <= sum(part.count(head) for part in parts)
    assert 'job="hidden"' not in server.scrape("push_time_seconds", "push_failure_time_seconds")
    assert server.request("DELETE", "/metrics/job/h")[0] == 202


def test_a_head_that_is_cut_short_is_told(server: Serving) -> None:
    ready = b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n"
    for cut in (b"G", b"GET / HT", ready[:-2]):
        assert re.findall(rb"HTTP/1.1 (\d+)", answers(server, cut)) == [b"400"]
        assert re.findall(rb"HTTP/1.1 (\d+)", answers(server, ready + cut)) == [b"200", b"400"]
    # Empty lines are no request.
    assert answers(server, ready, b"\r\n").count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("head", "body", "statuses"),
    [
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"\n", b"100 200"),
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect: x, 100-Continue\r\nContent-Length: 1\r\n", b"\n", b"100 200"),
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n", b"", b"200"),
        (b"PUT /metrics/job/e HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"\n", b"200"),
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect:\r\nContent-Length: 1\r\n", b"\n", b"200"),
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect: 200-ok\r\nContent-Length: 1\r\n", b"", b"417"),
    ],
)
def test_expectations(server: Serving, head: bytes, body: bytes, statuses: bytes) -> None:
    # A body that nobody waits for would meet a connection that is closed already.
    answer = answers(server, head + b"Host: a\r\nConnection: close\r\n\r\n", body)
    assert b" ".join(re.findall(rb"HTTP/1.1 (\d+)", answer)) == statuses
    assert server.request("DELETE", "/metrics/job/e")[0] == 202


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        (b"PUT /metrics/job/e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n", b"413"),
        (b"PUT /metrics/job/e HTTP/1.1\r\nContent-Length: 99999999\r\n", b"413"),
        (b"PUT /metrics/job/ HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"307"),
        (b"PUT /metrics/job/e/f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"400"),
        (b"PUT /nope HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"404"),
        (b"PUT /nope HTTP/1.1\r\nContent-Length: 300000\r\n", b"404"),
        (b"PATCH /metrics/job/e HTTP/1.1\r\nContent-Length: 99999999\r\n", b"413"),
        (b"PATCH /metrics/job/e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"405"),
        (b"GET /-/ready HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", b"200"),
    ],
)
def test_what_needs_no_body_is_answered_before_there_is_one(server: Serving, head: bytes, statuses: bytes) -> None:
    """The client asks for leave, or sends nothing; what it may send then is not taken for a request."""
    with server.connect() as client:
        client.sendall(head + b"Host: a\r\n\r\n")
        answer = received(client)
    assert b" ".join(re.findall(rb"HTTP/1.1 (\d+)", answer)) == statuses
    assert answer.lower().count(b"\r\nconnection: close\r\n") == 1


def test_what_is_no_path(server: Serving) -> None:
    for target, status in ((b"host:80", 404), (b"/metrics", 405), (b"*", 400)):
        answer = answers(server, b"CONNECT %b HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n" % target)
        assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_http_1_0_may_keep_the_connection(server: Serving) -> None:
    ready = b"GET /-/ready HTTP/1.0\r\n\r\n"
    assert answers(server, ready + ready).count(b" 200 OK") == 1
    kept = ready[:-2] + b"Connection: Keep-Alive\r\n\r\n"
    answer = answers(server, kept, kept, ready + ready)
    assert answer.count(b" 200 OK") == 3
    assert answer.count(b"\r\nconnection: keep-alive\r\n") == 2


def test_a_large_body_is_refused_before_it_is_sent_and_the_client_reads_why(tmp_path: Path) -> None:
    with serving("--push.max-body-bytes", "100000") as running:
        for body in (b"a 1\n" * 2_000_000, b"#" + b"x" * 100_000):
            try:
                status, text = running.request("PUT", "/metrics/job/j", body)
            except BrokenPipeError:
                pytest.fail("the client was cut off before it could read the response")
            assert (status, b"100000 bytes" in text) == (413, True)
        bomb = gzip.compress(b"#" * 10**7)
        status, _ = running.request("PUT", "/metrics/job/j", bomb, headers={"Content-Encoding": "gzip"})
        assert status == 413
        assert running.request("PUT", "/metrics/job/j", b"#" + b"x" * 99_998 + b"\n")[0] == 200


def test_the_log_tells_of_refused_pushes(tmp_path: Path) -> None:
    with serving() as running:
        assert running.request("PUT", "/metrics/job/j", b"a 1 5\n")[0] == 400
        assert running.request("PUT", "/metrics/job/j", b"a x\n")[0] == 400
        running.stop()
    [line] = [line for line in running.log if "level=ERROR" in line]
    assert re.fullmatch(
        r'time=\S+Z level=ERROR msg="pushed metrics are invalid or inconsistent with existing metrics" method=PUT '
        r"source=127\.0\.0\.1:\d+ err=.+\n",
        line,
    )
    with serving("--log.level", "debug") as running:
        assert running.request("PUT", "/metrics/job/j", b"a x\n")[0] == 400
        running.stop()
    assert any("level=DEBUG" in line and "failed to parse text" in line for line in running.log)


def test_the_log_may_be_json() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "expofmt", "serve", "--web.listen-address=127.0.0.1:0", "--log.format=json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first, second = (json.loads(process.stderr.readline()) for _ in range(2))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    process.stderr.close()
    assert (first["level"], first["msg"]) == ("INFO", "starting expofmt")
    assert second["msg"] == "Listening on"


# --------------------------------------------------------------------------------------------------------------- TLS


CA = trustme.CA()


def write_certificate(folder: Path, certificate: trustme.LeafCert) -> None:
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    CA.cert_pem.write_to_path(folder / "ca.crt")


def served_certificate(running: Serving, client: trustme.LeafCert | None = None) -> tuple[int, bytes]:
    """The status of a request, and the certificate that the server showed."""
    context = ssl.create_default_context()
    CA.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    with context.wrap_socket(running.connect(), server_hostname="localhost") as secured:
        secured.sendall(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = received(secured)
        return int(answer[9:12] or 0), secured.getpeercert(binary_form=True) or b""


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that is to happen, such as that a file that was changed is taken for whole."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def why_broken(running: Serving) -> str:
    """Why no TLS connection comes to be; empty if one does."""
    try:
        assert served_certificate(running)[0] == 200
    except ssl.SSLError as error:
        return str(error)
    return ""


def test_tls_with_certificates_that_change(tmp_path: Path) -> None:
    write_certificate(tmp_path, CA.issue_cert("localhost"))
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n")
    with serving("--web.config.file", tmp_path / "web.yml", "--web.header-timeout=2s") as running:
        first = served_certificate(running)
        assert first[0] == 200
        assert served_certificate(running) == first
        write_certificate(tmp_path, CA.issue_cert("localhost"))
        until(lambda: served_certificate(running)[1] != first[1])
        assert served_certificate(running)[0] == 200
        plain = answers(running, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert plain == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
        with running.connect() as client, suppress(ConnectionResetError):
            client.sendall(b"\x00\x01")
            assert received(client) == b""
        with running.connect() as client:
            client.sendall(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00")
            assert received(client)[:1] == b"\x15"
        (tmp_path / "tls.key").unlink()
        until(lambda: "alert internal error" in why_broken(running))
        write_certificate(tmp_path, CA.issue_cert("localhost"))
        until(lambda: not why_broken(running))
        assert running.stop() == 0


@pytest.mark.parametrize("wish", [b"keep-alive", b"close"])
def test_a_client_that_reads_nothing_does_not_hold_up_the_end(tmp_path: Path, wish: bytes) -> None:
    """Whether or not the server has ended the connection before."""
    write_certificate(tmp_path, CA.issue_cert("localhost"))
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n")
    context = ssl.create_default_context()
    CA.configure_trust(context)
    # Without a limit on what a client takes, so that none ends the connection instead.
    with (
        serving("--web.config.file", tmp_path / "web.yml", "--web.body-timeout=0") as running,
        context.wrap_socket(running.connect(), server_hostname="localhost") as client,
    ):
        client.sendall(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: %b\r\n\r\n" % wish)
        assert client.recv(12) == b"HTTP/1.1 200"
        if wish == b"close":
            assert received(client).endswith(b"\r\n\r\nOK")
        assert running.stop() == 0
        assert "level=ERROR" not in "".join(running.log)


def test_a_connection_that_cannot_be_watched_does_not_keep_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expofmt.gateway.server._WATCH_SECONDS", 0)
    told = io.StringIO()
    watched: list[Connection] = []

    async def run() -> None:
        enough = asyncio.Event()

        def watch(connection: Connection, _: float) -> None:
            watched.append(connection)
            if watched.count(made[2]) == 2:
                enough.set()
            if connection is not made[2]:
                raise ZeroDivisionError("oops")

        monkeypatch.setattr(Connection, "watch", watch)
        gateway = Server(make_asgi_app(GroupStore()), [], log=Log(stream=told))
        made = [Connection(gateway.config, gateway.server_state, limits=TimeLimits()) for _ in range(5)]
        gateway.server_state.connections.update(made)
        watcher = asyncio.create_task(gateway._watch())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([asyncio.create_task(enough.wait()), watcher], return_when=asyncio.FIRST_COMPLETED)
        watcher.cancel()

    asyncio.run(run())
    assert len(set(watched)) == 5
    assert ' level=ERROR msg="a connection cannot be watched" err="ZeroDivisionError: oops"' in told.getvalue()


def test_tls_that_is_switched_on_takes_a_restart_and_is_told(tmp_path: Path) -> None:
    write_certificate(tmp_path, CA.issue_cert("localhost"))
    path = tmp_path / "web.yml"
    path.write_text("")
    with serving("--web.config.file", path) as running:
        path.write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n")
        until(lambda: "asks for TLS now, which takes a restart" in "".join(running.log))
        assert running.request("GET", "/-/ready")[0] == 200


def test_clients_show_certificates(tmp_path: Path) -> None:
    write_certificate(tmp_path, CA.issue_cert("localhost"))
    hash = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [pusher.example]}\n"
        f"basic_auth_users: {{ann: {hash}}}\n"
    )
    with serving("--web.config.file", tmp_path / "web.yml") as running:
        assert served_certificate(running, CA.issue_cert("pusher.example"))[0] == 401
        assert served_certificate(running, CA.issue_cert("other.example"))[0] == 403
        with pytest.raises(ssl.SSLError, match="alert certificate required"):
            served_certificate(running)
        with pytest.raises(ssl.SSLError, match="alert unknown ca"):
            served_certificate(running, trustme.CA().issue_cert("pusher.example"))
        assert running.stop() == 0
    told = [line.partition(" level=")[2] for line in running.log]
    refused = r"WARN msg=\"no name of a client's certificate is in client_allowed_sans\" peer=127\.0\.0\.1:\d+ "
    assert any(re.fullmatch(refused + r"names=other\.example\n", line) for line in told)
    failed = r'WARN msg="a TLS handshake failed" peer=127\.0\.0\.1:\d+ err="peer did not return a certificate"\n'
    assert any(re.fullmatch(failed, line) for line in told)


def test_passwords_that_wait_to_be_computed_do_not_hold_up_the_end(tmp_path: Path) -> None:
    hash = bcrypt.hashpw(b"secret", bcrypt.gensalt(12)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: {hash}}}\n")
    with serving("--web.config.file", tmp_path / "web.yml") as running, ExitStack() as held:
        clients = [held.enter_context(running.connect()) for _ in range(40)]
        for guess, client in enumerate(clients):
            credentials = base64.b64encode(f"ann:{guess}".encode()).decode()
            client.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {credentials}\r\n\r\n".encode())
        assert clients[0].recv(13) == b"HTTP/1.1 401 "
        assert running.stop() == 0
        assert {received(client)[:13] for client in clients[1:]} == {b"HTTP/1.1 401 ", b"HTTP/1.1 503 "}


def test_what_becomes_of_a_client_without_a_certificate_is_told(tmp_path: Path) -> None:
    """Even while it is still sending."""
    write_certificate(tmp_path, CA.issue_cert("localhost"))
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt, "
        "client_auth_type: RequireAndVerifyClientCert}\n"
    )
    with serving("--web.config.file", tmp_path / "web.yml") as running:
        url = f"https://localhost:{running.port}"
        command = [sys.executable, "-m", "expofmt", "push", url, "--job=j", "--no-check", f"--cacert={tmp_path}/ca.crt"]
        for size in (1, 1_000_000):
            done = subprocess.run(command, input=b"m 1\n" * size, stderr=subprocess.PIPE, check=False)
            assert done.returncode == 3
            assert done.stderr.decode() == f"expofmt: {url}/metrics/job/j: TLS: alert certificate required\n"


def test_files_that_are_replaced_while_clients_push(tmp_path: Path) -> None:
    """Key and certificate are in one file, and files are replaced as a whole: so nobody who may come in is refused."""

    def replace(name: str, data: bytes) -> None:
        (tmp_path / "new").write_bytes(data)
        (tmp_path / "new").replace(tmp_path / name)

    def install(certificate: trustme.LeafCert, password: bytes) -> None:
        replace("both.pem", certificate.private_key_and_cert_chain_pem.bytes())
        ann, bob = (bcrypt.hashpw(word, bcrypt.gensalt(4)).decode() for word in (b"secret", password))
        tls = "tls_server_config: {cert_file: both.pem, key_file: both.pem}"
        replace("web.yml", f"{tls}\nbasic_auth_users: {{ann: {ann}, bob: {bob}}}\n".encode())

    certificates = [CA.issue_cert("localhost") for _ in range(2)]
    install(certificates[0], b"old")
    context = ssl.create_default_context()
    CA.configure_trust(context)
    statuses: dict[str, list[int]] = {"ann:secret": [], "bob:old": [], "bob:new": [], "eve:": []}
    done = threading.Event()

    def is_let_in(credentials: str) -> bool:
        return statuses[credentials][-1:] == [200]

    def keep_pushing(port: int, credentials: str) -> None:
        headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        while not done.is_set():
            # Two on a connection, so that some outlast a change.
            with closing(http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context)) as client:
                for _ in range(2):
                    client.request("PUT", f"/metrics/job/{credentials[:3]}", b"m 1\n", headers)
                    response = client.getresponse()
                    response.read()
                    statuses[credentials].append(response.status)

    with serving("--web.config.file", tmp_path / "web.yml") as running:
        threads = {each: Thread(target=keep_pushing, args=(running.port, each)) for each in statuses}
        for thread in threads.values():
            thread.start()
        for turn in range(4):
            password = ("old", "new")[turn % 2]
            install(certificates[turn % 2], password.encode())
            # A change counts once the files have been left alone for a while. Each has pushed on a new connection then.
            until(partial(is_let_in, f"bob:{password}"))
            enough = {each: len(found) + 3 for each, found in statuses.items()}
            while any(thread.is_alive() and len(statuses[each]) < enough[each] for each, thread in threads.items()):
                time.sleep(0.01)
        done.set()
        for thread in threads.values():
            thread.join()
        found = {each: set(of_each) for each, of_each in statuses.items()}
        assert found == {"ann:secret": {200}, "bob:old": {200, 401}, "bob:new": {200, 401}, "eve:": {401}}
        assert not [line for line in running.log if "level=ERROR" in line]


def test_a_broken_web_configuration_opens_no_door(tmp_path: Path) -> None:
    hash = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{ann: {hash}}}\n")
    right: dict[str, str] = {"Authorization": "Basic YW5uOnNlY3JldA=="}
    with serving("--web.config.file", path) as running:
        assert running.request("PUT", "/metrics/job/j", b"a 1\n", headers=right) == (200, b"")
        assert running.request("GET", "/-/healthy") == (401, b"Unauthorized\n")
        path.write_text("basic_auth_users: {ann: secret}\n")
        until(lambda: running.request("GET", "/metrics", headers=right) == (500, b"Internal Server Error\n"))
        path.unlink()
        until(lambda: running.request("GET", "/metrics")[0] != 500 or "No such file" in "".join(running.log))
        path.write_text("")
        until(lambda: running.request("GET", "/metrics")[0] != 500 or "has no basic_auth_users" in "".join(running.log))
        assert running.request("GET", "/metrics") == (500, b"Internal Server Error\n")
        path.write_text("basic_auth_users: {}\n")
        until(lambda: running.request("GET", "/metrics")[0] == 200)


def test_a_web_configuration_that_is_written_again_and_again_opens_no_door(tmp_path: Path) -> None:
    hash = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    path = tmp_path / "web.yml"
    text = f"basic_auth_users: {{ann: {hash}}}\n" + "# padding\n" * 20_000
    path.write_text(text)
    with serving("--web.config.file", path) as running:
        done = threading.Event()

        def write() -> None:
            while not done.wait(0.01):
                path.write_text(text)

        writer = Thread(target=write)
        writer.start()
        statuses = {running.request("DELETE", "/metrics/job/j")[0] for _ in range(200)}
        done.set()
        writer.join()
        # 500 where a file is cut off for so long, as on a slow disk, that it is taken for whole.
        assert statuses <= {401, 500}
        until(lambda: running.request("GET", "/metrics")[0] == 401)


# ------------------------------------------------------------------------------------------------------ slow senders


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"HTTP/1.1 408 "),
        (HEAD + b"Content-Length: 100\r\n\r\na 1\n", b"HTTP/1.1 408 "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n", b"HTTP/1.1 408 "),
    ],
)
def test_slow_senders_are_given_up(quick: Serving, sent: bytes, answer: bytes) -> None:
    with quick.connect() as client:
        client.sendall(sent)
        assert received(client).startswith(answer)
    assert quick.scrape("push_time_seconds") == ""


def test_to_send_a_little_now_and_then_does_not_help(quick: Serving) -> None:
    with quick.connect() as client:
        for byte in HEAD + b"Content-Length: 1000000\r\n\r\n":
            client.sendall(bytes([byte]))
        stopped = threading.Event()

        def trickle() -> None:
            while not stopped.wait(0.1):
                try:
                    client.sendall(b"#")
                except OSError:
                    return

        sender = Thread(target=trickle)
        sender.start()
        try:
            assert client.recv(65536).startswith(b"HTTP/1.1 408 ")
        finally:
            stopped.set()
            sender.join()


@pytest.mark.parametrize("before", [b"", b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_empty_lines_keep_no_connection(quick: Serving, before: bytes) -> None:
    """Sent now and then, in whole and in half; they do not make the time for the next request begin, either."""
    with quick.connect() as client:
        client.sendall(before)
        if before:
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        deadline = time.monotonic() + PATIENCE
        with suppress(ConnectionError):
            while True:
                assert time.monotonic() < deadline
                for part in (b"\r\n", b"\r", b"\n"):
                    client.sendall(part)
                    time.sleep(0.1)
    with quick.connect() as client:
        client.sendall(b"\r\n" + before)
        assert received(client).endswith(b"\r\n\r\nOK" if before else b"")


def test_idle_connections_are_closed_and_others_are_served_meanwhile(quick: Serving) -> None:
    idle = [quick.connect() for _ in range(100)]
    try:
        for client in idle[:50]:
            client.sendall(b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert quick.request("GET", "/-/ready") == (200, b"OK")
        for number, client in enumerate(idle):
            assert received(client).endswith(b"\r\n\r\nOK" if number < 50 else b"")
    finally:
        for client in idle:
            client.close()


@pytest.mark.parametrize("at_once", [0, 4096])
def test_a_response_that_is_not_read_or_slowly_is_given_up(at_once: int) -> None:
    with serving(*QUICK) as running:
        body = b"".join(b'a{i="%d",x="%s"} 1\n' % (number, b"x" * 200) for number in range(40_000))
        assert running.request("PUT", "/metrics/job/j", body)[0] == 200
        with running.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            # Before that, the gateway may not have accepted the connection.
            assert client.recv(1) == b"H"
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and connections(running):
                time.sleep(0.1)
                if at_once:
                    with suppress(ConnectionError):
                        client.recv(at_once)
            assert connections(running) == 0


def connections(running: Serving) -> int:
    """How many connections the process has, whatever their state."""
    folder = Path(f"/proc/{running.process.pid}/fd")
    if not folder.exists():
        pytest.skip("the platform does not tell the files of a process")
    sockets = 0
    for each in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets += str(each.readlink()).startswith("socket:")
    # One that listens, and the pair that wakes the event loop.
    return sockets - 3


# ------------------------------------------------------------------------------------------------------ how it ends


class Pushers:
    """Clients that push, each to a group of its own and each time one more, until the gateway is gone."""

    def __init__(self, running: Serving, count: int, start: list[int] | None = None) -> None:
        self.acknowledged = [0] * count
        self.begun = list(start) if start else [0] * count
        self.unexpected: list[int] = []
        self._running = running
        self._threads = [Thread(target=self._push, args=(index,)) for index in range(count)]
        for thread in self._threads:
            thread.start()

    def _push(self, index: int) -> None:
        with connection(self._running.port) as client, suppress(OSError, http.client.HTTPException):
            while True:
                self.begun[index] += 1
                number = self.begun[index]
                body = b"".join(b'pushed{i="%d"} %d\n' % (each, number) for each in range(number % 20 + 1))
                client.request("PUT", f"/metrics/job/p{index}", body)
                response = client.getresponse()
                response.read()
                if response.status != 200:
                    self.unexpected.append(response.status)
                    return
                self.acknowledged[index] = number

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.unexpected == []

    def wait_for(self, number: int) -> None:
        """Until each has been acknowledged so many."""
        deadline = time.monotonic() + PATIENCE
        while min(self.acknowledged) < number:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def check(self, path: Path) -> list[int]:
        """The number that each group has, which is the last acknowledged one, or one that was on its way."""
        with SqliteJournal(path) as journal:
            assert list(journal.problems()) == []
            groups = GroupStore(journal=journal).groups
            found = []
            for index, acknowledged in enumerate(self.acknowledged):
                group = groups.get(GroupingKey(f"p{index}"))
                samples = group.families["pushed"].family.samples if group else []
                numbers = {int(sample.value) for sample in samples} or {0}
                [number] = numbers
                assert number in (acknowledged, self.begun[index])
                assert len(samples) == (number % 20 + 1 if number else 0)
                found.append(number)
        return found


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_what_was_acknowledged_is_there_after_a_signal(tmp_path: Path, sig: int) -> None:
    path = tmp_path / "j"
    with serving("--persistence.file", path) as running:
        pushers = Pushers(running, 8)
        pushers.wait_for(5)
        assert running.stop(sig) == 0
        pushers.wait()
    # A request that has begun is finished: what is on disk is what was acknowledged, or was not read any more.
    pushers.check(path)
    assert not Path(f"{path}-wal").exists()
    assert "level=ERROR" not in "".join(running.log)
    with serving("--persistence.file", path) as running:
        assert running.scrape("pushed").count("\n") >= 8


def test_kill_9_loses_no_push_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "j"
    reached = [0] * 4
    chance = random.Random(5)
    for _ in range(4):
        with serving("--persistence.file", path) as running:
            pushers = Pushers(running, 4, reached)
            pushers.acknowledged = list(reached)
            pushers.wait_for(min(reached) + 1)
            time.sleep(chance.uniform(0, 0.2))
            assert running.stop(signal.SIGKILL) == -signal.SIGKILL
            pushers.wait()
        reached = pushers.check(path)
    assert min(reached) > 0


def test_running_requests_are_finished_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with serving("--persistence.file", path, "--web.enable-lifecycle") as running:
        with running.connect() as idle, running.connect() as slow:
            slow.sendall(HEAD + b"Content-Length: 4\r\n\r\na ")
            assert running.request("POST", "/-/quit") == (200, b"Requesting termination... Goodbye!")
            assert received(idle) == b""
            with pytest.raises(OSError, match=r".*"):
                running.connect()
            slow.sendall(b"1\n")
            assert received(slow).startswith(b"HTTP/1.1 200 ")
        assert running.process.wait(PATIENCE) == 0
    with SqliteJournal(path) as journal:
        assert "a" in GroupStore(journal=journal).groups[GroupingKey("j")].families


def test_a_journal_that_cannot_be_closed_is_told_in_one_line(tmp_path: Path) -> None:
    """What is left to tell a journal at the end is which groups have expired, which it finds out again."""
    path = tmp_path / "j"
    with serving("--persistence.file", path, "--lifetime", "100ms") as running:
        assert running.request("PUT", "/metrics/job/j", b"a 1\n")[0] == 200
        deadline = time.monotonic() + PATIENCE
        while running.scrape("a"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert running.stop() == 2
    last = running.log[-2:]
    assert ["level=ERROR" in line for line in last] == [True, False]
    assert "database is locked" in last[0]
    assert "msg=stopped" in last[1]
    assert "Traceback" not in "".join(running.log)
    with SqliteJournal(path) as journal:
        assert not GroupStore(journal=journal).groups


# -------------------------------------------------------------------------------------------------------- under load


def test_64_pushers_and_scrapes_in_between(tmp_path: Path) -> None:
    with serving("--persistence.file", tmp_path / "j") as running:
        pushers = Pushers(running, 64)
        scraped = 0
        while min(pushers.acknowledged) < 5:
            samples = running.scrape("pushed").splitlines()
            groups: dict[str, list[str]] = {}
            for sample in samples:
                job = re.search(r'job="(\w+)"', sample)
                assert job is not None
                groups.setdefault(job[1], []).append(sample.rpartition(" ")[2])
            for values in groups.values():
                # Each push is seen whole or not at all.
                assert values == [values[0]] * (int(values[0]) % 20 + 1)
            scraped += 1
        assert scraped > 0
        assert running.stop() == 0
        pushers.wait()
    pushers.check(tmp_path / "j")


def test_10_000_groups() -> None:
    push = b"PUT /metrics/job/g%d HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nmany 1\n"
    with serving() as running:
        with running.connect() as client:
            file = client.makefile("rb")
            for start in range(0, 10_000, 100):
                client.sendall(b"".join(push % number for number in range(start, start + 100)))
                for _ in range(100):
                    assert file.readline() == b"HTTP/1.1 200 OK\r\n"
                    while file.readline() != b"\r\n":
                        pass
            file.close()
        assert running.scrape("many").count("\n") == 10_000
        assert running.request("DELETE", "/metrics/job/g77")[0] == 202
        assert running.scrape("many").count("\n") == 9_999


FULL = """\
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
from expofmt.cli import main
main(["serve", *sys.argv[1:]])
"""


def test_a_full_disk_refuses_pushes_and_goes_on_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda command, **options: popen([sys.executable, "-c", FULL, "300000", *command[4:]], **options),
    )
    kept = []
    with serving("--persistence.file", path) as running:
        body = b"".join(b'full{i="%d"} 1\n' % number for number in range(500))
        statuses = []
        for number in range(200):
            status, text = running.request("PUT", f"/metrics/job/f{number}", body)
            statuses.append(status)
            if status == 200:
                kept.append(f"f{number}")
            else:
                assert b"nothing was recorded" in text
        assert set(statuses) == {200, 503}
        assert running.scrape("full").count("\n") == 500 * len(kept)
        assert running.request("GET", "/-/healthy")[0] == 200
        assert any("level=ERROR" in line and "could not be recorded" in line for line in running.log)
        running.stop()
    with SqliteJournal(path) as journal:
        assert {key.job for key in GroupStore(journal=journal).groups} == set(kept)


def test_more_connections_than_files_may_be_open() -> None:
    limit = 40

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    with serving(preexec_fn=limited) as running:
        clients = [running.connect() for _ in range(2 * limit)]
        for client in clients:
            client.close()
        assert running.request("GET", "/-/ready") == (200, b"OK")
        assert running.stop() == 0
    assert 0 < sum("Too many open files" in line for line in running.log) < 20


# ---------------------------------------------------------------------------------------------- large bodies at once


def test_large_bodies_at_once_are_bounded_and_small_ones_pass() -> None:
    """A body that would be too much gets 503 and a time to try again; once the others are done, it is taken."""
    body = b"# a comment\n" * 20_000 + b"a 1\n"
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    busy = b"HTTP/1.1 503 Service Unavailable\r\n"
    with serving("--push.max-pending-bytes", str(len(body) * 3 // 2)) as running:
        # Which of two bodies is too much depends on which is read first: until it is the second one.
        for attempt in range(1, 20):
            with running.connect() as slow:
                slow.sendall(head + body[:-1])
                time.sleep(0.1 * attempt)
                answer = answers(running, head, body)
                assert running.request("PUT", "/metrics/job/small", b"b 2\n")[0] == 200
                with suppress(ConnectionError):
                    slow.sendall(body[-1:])
                if answer.startswith(busy) and slow.recv(65536).startswith(b"HTTP/1.1 200 "):
                    break
        assert answer.startswith(busy)
        assert b"\r\nretry-after: 1\r\n" in answer
        assert answer.endswith(b"\r\n\r\ntoo many large request bodies at once: try again\n")
        assert running.request("PUT", "/metrics/job/k", body)[0] == 200
        assert running.scrape("a") == 'a{instance="",job="j"} 1\na{instance="",job="k"} 1\n'


def test_a_body_that_is_alone_is_taken_whatever_the_limit() -> None:
    body = b"# a comment\n" * 20_000 + b"a 1\n"
    with serving("--push.max-pending-bytes", "1") as running:
        assert running.request("PUT", "/metrics/job/j", body)[0] == 200
