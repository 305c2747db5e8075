"""The README's table of what ``expofmt serve`` does otherwise than Pushgateway: rows of it, seen on both."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cramjam
import pytest
import trustme

from tests.peers.beside import Ports, asked, both, connected, put, request, told
from tests.peers.test_gateway_side_by_side import original
from tests.peers.test_pushgateway import free_port
from tests.serving import PATIENCE, received, serving

CLOSE = "Connection: close"
SCRAPE = request("GET", "/metrics")
A = put("/metrics/job/a", b"# TYPE m counter\nm 1\n")
HISTOGRAM = b'# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 3\nh_count 4\n'


@pytest.fixture(scope="module")
def ports(program: str) -> Iterator[Ports]:
    with both(program) as ports:
        yield ports


@contextmanager
def theirs(program: str, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process of the original that keeps what the flags say, and its port."""
    port = free_port()
    command = [program, f"--web.listen-address=127.0.0.1:{port}", *flags]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    with connected(port):
                        break
                except ConnectionRefusedError:
                    assert process.poll() is None, "the gateway has ended"
                    time.sleep(0.02)
            yield process, port
        finally:
            process.kill()


def samples(port: int, target: str = "/metrics") -> list[bytes]:
    """The samples that were pushed, not the times of groups."""
    [answer] = asked(port, request("GET", target))
    assert answer.status == 200
    return [line for line in answer.body if not line.startswith((b"#", b"push_"))]


def group(port: int) -> Any:
    """The one group, as the JSON API shows it."""
    [shown] = asked(port, request("GET", "/api/v1/metrics"))[0].body["data"]
    return shown


# ---------------------------------------------------------------------------------------------------------------- HTTP


def test_http_2(newest_program: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    config = tmp_path / "web.yml"
    config.write_text(
        "tls_server_config: {cert_file: pair.pem, key_file: pair.pem}\nhttp_server_config: {http2: true}\n"
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    spoken = []
    with both(newest_program, f"--web.config.file={config}") as ports:
        for port in ports:
            with connected(port, context) as client:
                assert isinstance(client, ssl.SSLSocket)
                spoken.append(client.selected_alpn_protocol())
        assert spoken[0] == "h2"
        assert spoken[1] != "h2"
        assert asked(ports.ours, request("GET", "/-/ready"), tls=context)[0].body == b"OK"


def test_http_2_without_tls(ports: Ports) -> None:
    there, here = (told(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") for port in ports)
    assert there.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert here.startswith(b"HTTP/1.1 505 HTTP Version Not Supported")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("GET", "/-/ready", CLOSE, "X: y\r\n z"), 400),
        (request("PUT", "/metrics/job/a", CLOSE, "Content-Length: 4", "Content-Length: 4") + b"a 1\n", 400),
        (
            request("PUT", "/metrics/job/a", CLOSE, "Transfer-Encoding: chunked", "Content-Length: 4")
            + b"4\r\na 1\n\r\n0\r\n\r\n",
            400,
        ),
        (request("PUT", "/metrics/job/a", CLOSE, "Transfer-Encoding: chunked") + b"4 \r\na 1\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_taken_there(ports: Ports, sent: bytes, status: int) -> None:
    there, here = (told(port, sent) for port in ports)
    assert there.startswith(b"HTTP/1.1 200 ")
    assert here.startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("sent", [b"\r\n" + request("GET", "/-/ready", CLOSE), request("GET", "http://a:b/", CLOSE)])
def test_what_is_taken_here(ports: Ports, sent: bytes) -> None:
    there, here = (told(port, sent) for port in ports)
    assert there.startswith(b"HTTP/1.1 400 ")
    assert here.startswith(b"HTTP/1.1 200 ")


def test_targets_of_other_schemes(ports: Ports) -> None:
    there, here = (told(port, request("GET", "mailto:x", CLOSE)) for port in ports)
    assert re.match(rb"HTTP/1.1 30[17] (?s:.*)\r\nLocation: /\r\n", there)
    assert here.startswith(b"HTTP/1.1 400 ")


def test_transfer_codings(ports: Ports) -> None:
    for codings in (["Transfer-Encoding: chunked"] * 2, ["Transfer-Encoding:"]):
        there, here = (told(port, request("PUT", "/metrics/job/a", *codings) + b"0\r\n\r\n") for port in ports)
        assert there.startswith(b"HTTP/1.1 501 ")
        assert here.startswith(b"HTTP/1.1 400 ")


def test_http_1_0(ports: Ports) -> None:
    sent = request("PUT", "/metrics/job/old", "Transfer-Encoding: chunked", version="1.0")
    there, here = (told(port, sent + b"6\r\nold 1\n\r\n0\r\n\r\n") for port in ports)
    assert there.startswith(b"HTTP/1.0 200 OK\r\n")
    assert here.startswith(b"HTTP/1.1 200 OK\r\n")
    assert [b'old{instance="",job="old"} 1' in samples(port) for port in ports] == [False, True]


def test_bodies_that_are_not_needed(ports: Ports) -> None:
    ready = request("GET", "/-/ready", CLOSE)
    chunks = request("DELETE", "/metrics/job/none", "Transfer-Encoding: chunked")
    chunks += b"%x\r\n%b\r\n0\r\n\r\n" % (300_000, b"x" * 300_000)
    assert re.findall(rb"HTTP/1.1 (\d+)", told(ports.ours, chunks + ready)) == [b"202", b"200"]
    [answer] = asked(ports.theirs, chunks)
    assert ("connection", "close") in answer.headers
    # The newest release would wait.
    [answer] = asked(ports.ours, request("DELETE", "/metrics/job/none", "Expect: 100-continue", "Content-Length: 4"))
    assert answer.status == 202
    assert ("connection", "close") in answer.headers


@pytest.mark.parametrize(
    ("head", "body", "there"),
    [
        (request("PUT", "/metrics/job/cut", "Content-Length: 100"), b"m x\n", b"HTTP/1.1 400 "),
        (request("GET", "/-/ready", "Content-Length: 100"), b"m", b"HTTP/1.1 200 "),
    ],
)
def test_bodies_that_are_cut_short(ports: Ports, head: bytes, body: bytes, there: bytes) -> None:
    answers = []
    for port in ports:
        with connected(port) as client:
            client.sendall(head + body)
            client.shutdown(socket.SHUT_WR)
            answers.append(received(client))
    assert answers[0].startswith(there)
    assert b"unexpected EOF" not in answers[0]
    assert answers[1].startswith(b"HTTP/1.1 400 ")
    assert answers[1].endswith(b"\r\n\r\nunexpected EOF\n")


def test_large_bodies(program: str) -> None:
    """As large as is said, which is enough to refuse them; and as large as they become."""
    with original(program, {}) as port, serving() as server:
        head = request("PUT", "/metrics/job/a", "Expect: 100-continue", f"Content-Length: {64 * 2**20 + 1}")
        with connected(port) as client:
            client.sendall(head)
            assert client.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
        assert told(server.port, head).startswith(b"HTTP/1.1 413 ")
    with original(program, {}) as port, serving("--push.max-body-bytes=1000") as server:
        for size, status in ((1000, 200), (1001, 413)):
            sent = put("/metrics/job/a", b"#" * (size - 1) + b"\n")
            assert asked(port, sent)[0].status == 200
            assert asked(server.port, sent)[0].status == status


def test_many_families(program: str) -> None:
    with original(program, {}) as port, serving("--push.max-families=2") as server:
        for count, status in ((2, 200), (3, 422)):
            sent = put("/metrics/job/a", b"".join(b"m%d 1\n" % number for number in range(count)))
            assert asked(port, sent)[0].status == 200
            assert asked(server.port, sent)[0].status == status
        assert len(samples(server.port)) == 2


def test_slow_senders(program: str) -> None:
    sent = put("/metrics/job/slow", b"slow 1\n", CLOSE)
    limits = ("--web.header-timeout=1s", "--web.body-timeout=1s", "--web.idle-timeout=1s")
    for at in (10, len(sent) - 3):
        with original(program, {}) as port, serving(*limits) as server:
            with connected(port) as client, connected(server.port) as other:
                client.sendall(sent[:at])
                other.sendall(sent[:at])
                assert received(other).startswith(b"HTTP/1.1 408 ")
                # That takes longer than the other is waited for here.
                client.sendall(sent[at:])
                assert received(client).startswith(b"HTTP/1.1 200 ")
            assert samples(server.port) == []
            assert samples(port) == [b'slow{instance="",job="slow"} 1']


def test_pages_that_only_one_has(ports: Ports) -> None:
    there, here = (asked(port, request("GET", "/debug/pprof/cmdline"))[0].status for port in ports)
    assert (there, here) == (200, 404)


def test_lists_of_files(newest_program: str) -> None:
    with both(newest_program) as ports:
        there, here = (asked(port, request("GET", "/static/bootstrap-4.3.1-dist/"))[0] for port in ports)
    assert (there.status, here.status) == (200, 404)


def test_what_is_ignored_there(ports: Ports) -> None:
    body = bytes(cramjam.zstd.compress(b"z 1\n"))
    sent = put("/metrics/job/z", body, "Content-Encoding: zstd")
    assert [asked(port, sent)[0].status for port in ports] == [400, 200]
    sent = put("/metrics/job/a", b"a\n", "Accept: application/json")
    there, here = (dict(asked(port, sent)[0].headers)["content-type"] for port in ports)
    assert (there, here) == ("text/plain; charset=utf-8", "application/json")


@pytest.mark.parametrize("encoding", ["text", "compact-text"])
def test_protobuf_as_text(ports: Ports, encoding: str) -> None:
    accept = f"Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding={encoding}"
    there, here = (told(port, request("GET", "/metrics", accept, CLOSE)).partition(b"\r\n\r\n")[0] for port in ports)
    assert f"; encoding={encoding}".encode() in there
    assert b"content-type: text/plain; version=0.0.4" in here


def test_the_policy_of_the_page(program: str, tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("http_server_config: {headers: {Content-Security-Policy: default-src 'none'}}\n")
    policy = b"content-security-policy: default-src 'none'\r\n"
    seen = []
    with both(program, f"--web.config.file={config}") as ports:
        for path in ("/", "/metrics"):
            answers = [told(port, request("GET", path, CLOSE)) for port in ports]
            seen.append([re.search(policy, answer, re.IGNORECASE) is not None for answer in answers])
    assert seen == [[True, False], [True, True]]


def test_names_of_families(ports: Ports) -> None:
    """Without regard to what other tests have pushed."""
    for port in ports:
        asked(port, put("/metrics/job/names", b"first 1\nsecond 2\nthird 3\n"))
    wanted = [b'first{instance="",job="names"} 1', b'third{instance="",job="names"} 3']
    there, here = (samples(port, "/metrics?name[]=first&name[]=third") for port in ports)
    assert here == wanted
    assert there == samples(ports.theirs)
    assert {*wanted, b'second{instance="",job="names"} 2'} <= set(there)


# --------------------------------------------------------------------------------------------------- pushes and scrapes


@pytest.mark.parametrize(
    "body", [b"{m} 2\n", b'{m,a="b"} 2\n', b'{a="b",m} 2\n', b'"m" 1\n', b'm"x" 1\n', b"# c\r\nm 1\n"]
)
def test_texts_that_the_newest_release_takes(newest_program: str, body: bytes) -> None:
    with original(newest_program, {}) as port, serving() as server:
        assert asked(port, put("/metrics/job/a", body))[0].status == 200
        assert asked(server.port, put("/metrics/job/a", body))[0].status == 400


def test_quotes_in_help(newest_program: str) -> None:
    sent = put("/metrics/job/a", b'# HELP m say \\"hi\\"\nm 1\n')
    with original(newest_program, {}) as port, serving() as server:
        shown = []
        for each in (port, server.port):
            assert asked(each, sent)[0].status == 200
            [line] = [line for line in asked(each, SCRAPE)[0].body if line.startswith(b"# HELP m ")]
            shown.append(line)
    assert shown == [b'# HELP m say "hi"', b'# HELP m say \\\\"hi\\\\"']


def test_contradictions_that_are_not_checked(program: str) -> None:
    contradiction = put("/metrics/job/b", b"# TYPE m gauge\nm 2\n")
    with both(program, "--push.disable-consistency-check") as ports:
        for sent in (A, contradiction):
            assert [asked(port, sent)[0].status for port in ports] == [202, 202]
        # What is queued there is done before what comes after it is asked for.
        status = [200, 200]
        while status[0] == 200:
            status = [asked(port, SCRAPE)[0].status for port in ports]
        assert status == [500, 200]
        assert samples(ports.ours) == [b'm{instance="",job="a"} 1']
        [refused] = [
            each
            for each in asked(ports.ours, request("GET", "/api/v1/metrics"))[0].body["data"]
            if each["labels"]["job"] == "b"
        ]
        assert refused["last_push_successful"] is False
        for port in ports:
            asked(port, request("DELETE", "/metrics/job/b"))
        while asked(ports.theirs, SCRAPE)[0].status == 500:
            time.sleep(0.02)
        assert samples(ports.theirs) == samples(ports.ours) == [b'm{instance="",job="a"} 1']


def test_paths_that_are_not_utf_8(program: str) -> None:
    bad = "/metrics/job/a/x/%FF"
    with both(program) as ports:
        assert [asked(port, put(bad, b"a 1\n"))[0].status for port in ports] == [400, 400]
        assert [asked(port, SCRAPE)[0].status for port in ports] == [500, 200]
        assert [asked(port, request("DELETE", bad))[0].status for port in ports] == [202, 400]


def test_the_json_api(program: str) -> None:
    with both(program) as ports:
        for port in ports:
            asked(port, put("/metrics/job/a", HISTOGRAM + b"labels 1\nlast_push_successful 1\n"))
        there, here = map(group, ports)
    assert there["h"]["metrics"][0]["buckets"] == {"1": "2"}
    assert here["h"]["metrics"][0]["buckets"] == {"1": "2", "+Inf": "4"}
    assert (there["labels"]["type"], here["labels"]) == ("UNTYPED", {"job": "a"})
    assert (there["last_push_successful"]["type"], here["last_push_successful"]) == ("UNTYPED", True)


# --------------------------------------------------------------------------------------------------------- the process


def test_what_is_kept_when_it_is_killed(program: str, tmp_path: Path) -> None:
    flags = f"--persistence.file={tmp_path}/theirs"
    with theirs(program, flags) as (process, port):
        assert asked(port, A)[0].status == 200
        process.kill()
    with theirs(program, flags) as (_, port):
        assert samples(port) == []
    flags = f"--persistence.file={tmp_path}/ours"
    with serving(flags) as server:
        assert asked(server.port, A)[0].status == 200
        server.stop(signal.SIGKILL)
    with serving(flags) as server:
        assert samples(server.port) == [b'm{instance="",job="a"} 1']


def test_a_file_that_is_another(program: str, tmp_path: Path) -> None:
    """Each way: what the other has written, or what is broken, is overwritten there, and left alone here."""
    written = tmp_path / "file"
    with theirs(program, f"--persistence.file={written}") as (process, port):
        assert asked(port, A)[0].status == 200
        process.terminate()
        process.wait()
    for content in (written.read_bytes(), b"broken"):
        written.write_bytes(content)
        command = [sys.executable, "-m", "expofmt", "serve", "--web.listen-address=127.0.0.1:0"]
        command.append(f"--persistence.file={written}")
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert written.read_bytes() == content
        if content != b"broken":
            assert "expofmt journal import" in done.stderr
    with theirs(program, f"--persistence.file={written}") as (process, port):
        assert samples(port) == []
        process.terminate()
        process.wait()
    assert written.read_bytes() != b"broken"


@pytest.mark.parametrize(("flag", "code"), [("--nope", 1), ("--web.config.file={}/none.yml", 0)])
def test_errors_at_the_start(program: str, tmp_path: Path, flag: str, code: int) -> None:
    codes = []
    for command in ([program, "--persistence.file="], [sys.executable, "-m", "expofmt", "serve"]):
        command += [f"--web.listen-address=127.0.0.1:{free_port()}", flag.format(tmp_path)]
        done = subprocess.run(command, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        codes.append(done.returncode)
    assert codes == [code, 2]
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("suite", "taken"),
    [
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", [False, True]),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", [False, True]),
        ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", [False, False]),
        ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", [False, False]),
    ],
)
def test_cipher_suites(newest_program: str, tmp_path: Path, suite: str, taken: list[bool]) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    config = tmp_path / "web.yml"
    suites = f"[{suite}, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"  # without the second, there is no HTTP/2
    config.write_text(f"tls_server_config: {{cert_file: pair.pem, key_file: pair.pem, cipher_suites: {suites}}}\n")
    said = []
    for command in ([newest_program, "--persistence.file="], [sys.executable, "-m", "expofmt", "serve"]):
        command += ["--web.listen-address=127.0.0.1:0", f"--web.config.file={config}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, b"")
            said.append(
                next(
                    b"unknown" not in line
                    for line in lines
                    if re.search(b"unknown cipher|TLS is enabled|tls=true", line)
                )
            )
            process.terminate()
    assert said == taken


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("min_version", "TLS10"),
        ("client_auth_type", "RequestClientCert"),
        ("client_auth_type", "RequireAnyClientCert"),
        ("curve_preferences", "[CurveP256, X25519]"),
    ],
)
def test_tls_options_that_python_lacks(program: str, tmp_path: Path, option: str, value: str) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    config = tmp_path / "web.yml"
    config.write_text(f"tls_server_config: {{cert_file: pair.pem, key_file: pair.pem, {option}: {value}}}\n")
    with theirs(program, "--persistence.file=", f"--web.config.file={config}") as (process, _):
        assert process.poll() is None
    command = [sys.executable, "-m", "expofmt", "serve", "--web.listen-address=127.0.0.1:0"]
    command.append(f"--web.config.file={config}")
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert option in done.stderr
