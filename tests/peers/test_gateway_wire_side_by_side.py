"""``expofmt serve`` beside Prometheus Pushgateway, on the wire: HTTP as it should and as it should not be, encodings,
protobuf, TLS. Both releases of the original are asked, of what both know.
"""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import bcrypt
import cramjam
import pytest
import trustme

from expofmt import Format, parse, render
from expofmt.gateway.connection import MAX_HEADER_BYTES
from tests.peers.beside import PROTOBUF, Ports, as_debian, asked, both, connected, put, request, told
from tests.serving import PATIENCE, received

READY = request("GET", "/-/ready")
CLOSE = "Connection: close"


@pytest.fixture(scope="module")
def ports(program: str) -> Iterator[Ports]:
    with both(program) as ports:
        yield ports


def scraped(port: int) -> object:
    """What was pushed. What is only queued there is done once a push is answered."""
    return asked(port, put("/metrics/job/last", b""), request("GET", "/metrics"))[1].body


def alike(ports: Ports, release: str, sent: bytes) -> None:
    """A request is answered alike, and what is scraped after it is the same."""
    [theirs], [ours] = asked(ports.theirs, sent), asked(ports.ours, sent)
    assert (ours if release == "newest" else as_debian(sent, ours)) == theirs
    assert scraped(ports.ours) == scraped(ports.theirs)


# ------------------------------------------------------------------------------------------------------------ messages

MALFORMED = [
    b"GET\r\n\r\n",
    b"garbage\r\n\r\n",
    b"GET /-/re ady HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET  /-/ready HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET\t/-/ready HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/1.1 \r\nHost: a\r\n\r\n",
    b"GET /-/ready http/1.1\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/11\r\nHost: a\r\n\r\n",
    b"G(T /-/ready HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET nope HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\n\r\n",
    b"GET http://a/-/ready HTTP/1.1\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a b\r\n\r\n",
    b'GET /-/ready HTTP/1.1\r\nHost: a"\r\n\r\n',
    b"GET /-/ready HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/0.9\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\na 1\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\na 1\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nExpect: 100-continuing\r\nContent-Length: 4\r\n\r\na 1\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nExpect: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\na 1\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n\x00\r\n\r\n",
]


def outline(answer: bytes) -> list[tuple[bytes, list[bytes], bytes]]:
    """First lines, fields and bodies of responses, as both have them."""
    found = []
    for part in re.split(rb"(?=HTTP/1\.\d \d\d\d )", answer)[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        shown = sorted(re.sub(rb"^[^:]+", lambda name: name[0].lower(), field) for field in fields)
        found.append((line, [field for field in shown if not re.match(rb"date:|content-length:", field)], body))
    return found


@pytest.mark.parametrize("sent", MALFORMED)
def test_what_is_no_http(ports: Ports, sent: bytes) -> None:
    """Status line, fields and body are the same, and the connection ends."""
    theirs, ours = (outline(told(port, sent)) for port in ports)
    assert ours == theirs
    assert b"connection: close" in ours[-1][1]


IN_OTHER_WORDS = [
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked") + b"zz\r\n",
    request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked") + b"4\r\na 1\nxx0\r\n\r\n",
    request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n",
    request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked") + b"4\r\na 1\n\r\n0\r\nX y\r\n\r\n",
]


@pytest.mark.parametrize("sent", IN_OTHER_WORDS)
def test_what_is_no_http_in_other_words(ports: Ports, release: str, sent: bytes) -> None:
    """The status is the same, and the connection ends; the reason may be given in other words."""
    if release == "debian" and (b"chunked" in sent or b"\r\n:" in sent):
        pytest.skip("the release takes it, or what comes before it")
    for port in ports:
        [(line, fields, _)] = outline(told(port, sent))
        assert line.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"connection: close" in fields


@pytest.mark.parametrize("received_of_it", [b"", b"a 1", b"a 1\n"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_is_cut_short(
    ports: Ports, release: str, framing: str, encoding: str, received_of_it: bytes
) -> None:
    if release == "debian" and encoding == "identity" and received_of_it != b"a 1":
        pytest.skip("the release takes whole lines")
    sent = request("PUT", "/metrics/job/j", framing, f"Content-Encoding: {encoding}")
    sent += b"64\r\n" * ("chunked" in framing) + received_of_it
    answers = []
    for port in ports:
        with connected(port) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            [(line, fields, body)] = outline(received(client))
        # Theirs ends the connection, but does not always say so.
        answers.append((line, [field for field in fields if field != b"connection: close"], body))
    theirs, ours = answers
    assert ours == theirs
    assert ours[2] == b"unexpected EOF\n"


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_headers_have_one_limit(ports: Ports, more: int, status: int) -> None:
    head = request("GET", "/-/ready", CLOSE, "X: ")
    sent = head[:-4] + b"x" * (MAX_HEADER_BYTES - len(head) + more) + b"\r\n\r\n"
    for port in ports:
        assert told(port, sent).startswith(b"HTTP/1.1 %d " % status)


EXPECTING = [
    put("/metrics/job/j", b"a 1\n", CLOSE, "Expect: 100-continue"),
    put("/metrics/job/j", b"a 1\n", CLOSE, "Expect: 100-CONTINUE"),
    put("/metrics/job/j", b"a 1\n", CLOSE, "Expect: x, 100-continue"),
    put("/metrics/job/j", b"a 1\n", CLOSE, "Expect:"),
    put("/metrics/job/j", b"", CLOSE, "Expect: 100-continue"),
    request("GET", "/-/ready", CLOSE, "Expect: 100-continue"),
]


@pytest.mark.parametrize("sent", EXPECTING)
def test_expectations(ports: Ports, sent: bytes) -> None:
    """The head is followed by 100 if it is from both, and the body then is pushed."""
    head, blank, body = sent.partition(b"\r\n\r\n")
    theirs, ours = (outline(told(port, head + blank, body)) for port in ports)
    assert ours == theirs
    assert scraped(ports.ours) == scraped(ports.theirs)


def chunked(*chunks: bytes, headers: tuple[str, ...] = (), end: bytes = b"\r\n") -> bytes:
    head = request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked", *headers)
    return head + b"".join(chunks) + b"0\r\n" + end


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
ONE_AFTER_THE_OTHER = {
    "pushes, refused and not": [
        put("/metrics/job/j", b"a 1\n"),
        put("/metrics/job/j", b"a"),
        request("DELETE", "/metrics/job/k"),
        put("/metrics/job/j", b"a 1 5\n"),
        put("/metrics/job/k", b"b 1\n", method="POST"),
        READY,
    ],
    "chunks": [
        chunked(b"4\r\na 7\n\r\n"),
        chunked(b"1\r\na\r\n", b"002;x=y;z\r\n 8\r\n", b"1\r\n\n\r\n"),
        chunked(b"A\r\na 1\nb 123\n\r\n", end=b"X: trailer\r\nY: z\r\n\r\n"),
        chunked(b"4\r\na 9\n\r\n").replace(b"chunked", b"CHUNKED"),
        chunked(),
        READY,
    ],
    "bodies where there is none to read": [
        put("/-/ready", b"junk", method="GET"),
        put("/metrics/job/none", b"junk", method="DELETE"),
        put("/nope", b"junk"),
        put("//metrics/job/j", b"junk"),
        READY,
    ],
    "HEAD": [request("HEAD", path) for path in ("/nope", "/metrics", "/-/ready", "/metrics/job/j", "/-/quit")],
    "targets with a host": [
        request("GET", "http://other/-/ready"),
        put("http://other:9091/metrics/job/j", b"a 10\n"),
        request("GET", "https://u:p@[::1]:1/metrics/"),
        request("GET", "http://other//-/ready"),
        request("GET", "http://other/api/v1"),
        request("GET", "HTTP://other/nope?q"),
        READY,
    ],
    "a target without a path": [request("GET", "http://other"), READY],
    "for another protocol": [
        request("GET", "/-/ready", *UPGRADE),
        put("/metrics/job/j", b"a 11\n", *UPGRADE),
        put("/metrics/job/j", b"a 12\n", *UPGRADE, method="POST"),
        chunked(b"5\r\na 13\n\r\n", headers=UPGRADE),
        put("/metrics/job/j", b"", *UPGRADE, method="POST"),
        READY,
    ],
    "with blanks and odd cases": [
        request("PUT", "/metrics/job/j", "content-LENGTH:\t5 \t") + b"a 14\n",
        request("GET", "/-/ready", "X:", "Y: ä", "Cookie: a=b"),
        READY,
    ],
    "what few use": [request("SPEAK", "/-/ready"), request("GET", "/-/ready?ä"), READY],
    "what needs no body, of which much comes": [put("/metrics/job/none", b"x" * 300_000, method="DELETE")],
    "what needs no body that is announced": [
        request("DELETE", "/metrics/job/none", "Expect: 100-continue", "Content-Length: 4") + b"junk"
    ],
    "the last": [request("GET", "/-/ready", "Connection: keep-alive, Close")],
}


@pytest.mark.parametrize("requests", ONE_AFTER_THE_OTHER.values(), ids=ONE_AFTER_THE_OTHER)
def test_one_after_the_other(ports: Ports, release: str, requests: list[bytes]) -> None:
    """Sent in one packet, in order: what is pipelined."""
    theirs, ours = (asked(port, *requests) for port in ports)
    if release == "debian":
        ours = list(map(as_debian, requests, ours))
    assert ours == theirs
    assert scraped(ports.ours) == scraped(ports.theirs)


METHODS = ["CONNECT", "SPEAK", "put", "TRACE", "PROPFIND"]
TARGETS = ["/metrics", "/metrics/job/j", "/nope", "*"]


@pytest.mark.parametrize(("method", "target"), [("CONNECT", "host:80"), *product(METHODS, TARGETS)])
def test_methods(ports: Ports, method: str, target: str) -> None:
    sent = request(method, target, CLOSE)
    theirs, ours = (outline(told(port, sent)) for port in ports)
    assert ours == theirs


@pytest.mark.parametrize("kept", ["", "Connection: keep-alive"])
def test_http_1_0(ports: Ports, kept: str) -> None:
    """But for the version in the status line; without a word about the connection, it is closed."""
    first = put("/metrics/job/j", b"a 1.0\n", *([kept] if kept else [])).replace(b"HTTP/1.1", b"HTTP/1.0")
    last = b"GET /-/ready HTTP/1.0\r\n\r\n"
    theirs, ours = (outline(told(port, first + last)) for port in ports)
    assert len(theirs) == (2 if kept else 1)
    assert [(line[9:], body) for line, _, body in ours] == [(line[9:], body) for line, _, body in theirs]
    assert scraped(ports.ours) == scraped(ports.theirs)


# ------------------------------------------------------------------------------------------------------------- bodies

TEXT = b"# TYPE a counter\n" + b"".join(b'a{n="%d"} %d\n' % (n, n) for n in range(500))
GZIPPED = gzip.compress(TEXT, mtime=0)
SNAPPED = bytes(cramjam.snappy.compress(TEXT))
OF_BOTH = {
    "gzip": ("gzip", GZIPPED),
    "two members": ("gzip", gzip.compress(TEXT, mtime=0) + gzip.compress(b"b 1\n", mtime=0)),
    "no gzip": ("gzip", TEXT),
    "nothing": ("gzip", b""),
    "the start of a header": ("gzip", GZIPPED[:9]),
    "an unknown encoding": ("br", TEXT),
}
OF_THE_NEWEST = {
    "gzip in capitals": ("GZIP", GZIPPED),
    "a wrong checksum": ("gzip", GZIPPED[:-8] + b"\0" * 8),
    "cut short": ("gzip", GZIPPED[:200]),
    "cut short in the trailer": ("gzip", GZIPPED[:-1]),
    "junk after the end": ("gzip", GZIPPED + b"junk"),
    "a long junk after the end": ("gzip", GZIPPED + b"junk" * 5),
    "snappy": ("snappy", SNAPPED),
    "Snappy": ("Snappy", SNAPPED),
    "two streams of snappy": ("snappy", SNAPPED + bytes(cramjam.snappy.compress(b"b 1\n"))),
    "nothing of snappy": ("snappy", b""),
    "the start of snappy": ("snappy", SNAPPED[:10]),
    "no stream but a block": ("snappy", bytes(cramjam.snappy.compress_raw(TEXT))),
    "no snappy": ("snappy", TEXT),
    "snappy cut short": ("snappy", SNAPPED[:-1]),
    "snappy cut short in a chunk's head": ("snappy", SNAPPED[:12]),
    "snappy with a wrong checksum": ("snappy", SNAPPED[:14] + b"\0\0\0\0" + SNAPPED[18:]),
    "a chunk to skip": ("snappy", SNAPPED + b"\x80\x01\0\0x\xfe\x02\0\0yz"),
    "a chunk not to skip": ("snappy", SNAPPED + b"\x02\x01\0\0x"),
}


@pytest.mark.parametrize(("encoding", "body"), OF_BOTH.values(), ids=OF_BOTH)
def test_encoded_bodies(ports: Ports, release: str, encoding: str, body: bytes) -> None:
    alike(ports, release, put("/metrics/job/j", body, f"Content-Encoding: {encoding}"))


@pytest.mark.parametrize(("encoding", "body"), OF_THE_NEWEST.values(), ids=OF_THE_NEWEST)
def test_newer_encodings(ports: Ports, release: str, encoding: str, body: bytes) -> None:
    if release == "debian":
        pytest.skip("the release knows no snappy, and does not look at the end of gzip")
    alike(ports, release, put("/metrics/job/j", body, f"Content-Encoding: {encoding}"))


def test_gzip_that_is_broken(ports: Ports, release: str) -> None:
    """The newest release says where, too."""
    sent = put("/metrics/job/broken", GZIPPED[:30] + b"\xff" * 30 + GZIPPED[60:], "Content-Encoding: gzip")
    [theirs], [ours] = asked(ports.theirs, sent), asked(ports.ours, sent)
    assert (ours.status, ours.body) == (400, b"flate: corrupt input\n")
    if release == "newest":
        assert theirs == ours._replace(body=b"flate: corrupt input before offset 57\n")
    # The older release has read the beginning as a push.
    asked(ports.theirs, request("DELETE", "/metrics/job/broken"))
    assert scraped(ports.ours) == scraped(ports.theirs)


FAMILIES = parse(
    b"""# HELP done_total What was done.
# TYPE done_total counter
done_total{queue="mail"} 3
# TYPE bytes gauge
bytes 3e6
# TYPE took_seconds summary
took_seconds{quantile="0.5"} 1
took_seconds_sum 3
took_seconds_count 2
# TYPE size histogram
size_bucket{a="b",le="1"} 1
size_bucket{a="b",le="+Inf"} 2
size_sum{a="b"} 3
size_count{a="b"} 2
"""
)
PUSHED = render(FAMILIES, format=Format.PROTOBUF)
SCRAPES = [
    (PROTOBUF,),
    (f"application/openmetrics-text;version=1.0.0;q=0.9,{PROTOBUF};q=0.8,text/plain;q=0.7",),
    (f"text/plain;q=0.4,{PROTOBUF};q=0.3",),
    (PROTOBUF.replace("delimited", "other"),),
    ("application/vnd.google.protobuf",),
    (PROTOBUF, "Accept-Encoding: gzip"),
]


def test_protobuf(ports: Ports, release: str) -> None:
    for more in ((), ("Content-Encoding: gzip",)):
        body = gzip.compress(PUSHED) if more else PUSHED
        alike(ports, release, put("/metrics/job/proto", body, f"Content-Type: {PROTOBUF}", *more))
        for accepted, *headers in SCRAPES:
            sent = request("GET", "/metrics", f"Accept: {accepted}", *headers)
            [theirs], [ours] = asked(ports.theirs, sent), asked(ports.ours, sent)
            assert theirs.status == 200
            assert (ours if release == "newest" else as_debian(sent, ours)) == theirs, sent
        alike(ports, release, request("DELETE", "/metrics/job/proto"))


@pytest.mark.parametrize("size", [1, 5, len(PUSHED) // 2, len(PUSHED) - 1])
def test_protobuf_cut_short(ports: Ports, release: str, size: int) -> None:
    sent = put("/metrics/job/cut", PUSHED[:size], f"Content-Type: {PROTOBUF}")
    [theirs], [ours] = asked(ports.theirs, sent), asked(ports.ours, sent)
    if release == "debian" and size == 1:
        # To the older release, a length without a message is the end.
        assert (theirs.status, ours.status) == (200, 400)
        asked(ports.theirs, request("DELETE", "/metrics/job/cut"))
    else:
        # Ours says where, too.
        assert (ours.status, ours.headers) == (theirs.status, theirs.headers) == (400, ours.headers)
        assert theirs.body == b"unexpected EOF\n"
        assert b"byte " in ours.body
    assert scraped(ports.ours) == scraped(ports.theirs)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.google.protobuf",
        PROTOBUF.replace("delimited", "text"),
        PROTOBUF.replace("MetricFamily", "Other"),
        "text/plain; version=1.0.0",
        "application/openmetrics-text",
        "application/json",
        "nothing",
        "",
    ],
)
def test_what_is_no_protobuf_is_text(ports: Ports, release: str, content_type: str) -> None:
    alike(ports, release, put("/metrics/job/j", b"a 1\n", f"Content-Type: {content_type}"))
    alike(ports, release, put("/metrics/job/j", PUSHED, f"Content-Type: {content_type}"))


# ----------------------------------------------------------------------------------------------------- who may come in


def test_passwords(program: str, release: str, tmp_path: Path) -> None:
    word = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    users = f"basic_auth_users: {{anna: '{word}'}}\n"
    headers = "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    config = tmp_path / "web.yml"
    config.write_text(users + headers if release == "newest" else users)
    credentials = [
        "X: y",
        "Authorization: Basic eDp5",
        "Authorization: Basic YW5uYTp3cm9uZw==",
        "Authorization: Basic YW5uYTpzZWNyZXQ=",
        "Authorization: basic YW5uYTpzZWNyZXQ=",
        "Authorization: Bearer YW5uYTpzZWNyZXQ=",
        "Authorization: ?",
    ]
    with both(program, f"--web.config.file={config}") as ports:
        for header in credentials:
            for path in ("/-/ready", "/nope", "/metrics"):
                alike_there(ports, release, request("GET", path, header))
            alike_there(ports, release, put("/metrics/job/j", b"a 1\n", header))
            alike_there(ports, release, request("DELETE", "/metrics/job/k", header))
        # Who may no longer come in is told so, and a broken file lets nobody in.
        for text in ("basic_auth_users: {}\n", users, "no: such: thing\n", users):
            config.write_text(text + headers if release == "newest" and text[0] != "n" else text)
            # Ours waits until the file has been left alone for a while.
            [theirs] = asked(ports.theirs, READY)
            give_up = time.monotonic() + PATIENCE
            while asked(ports.ours, READY)[0].status != theirs.status:
                assert time.monotonic() < give_up
                time.sleep(0.05)
            for header in credentials[:4]:
                alike_there(ports, release, request("GET", "/-/ready", header))


def alike_there(ports: Ports, release: str, sent: bytes, tls: ssl.SSLContext | None = None) -> None:
    [theirs], [ours] = (asked(port, sent, tls=tls) for port in ports)
    assert (ours if release == "newest" else as_debian(sent, ours)) == theirs, sent


def test_tls(program: str, release: str, tmp_path: Path) -> None:
    """By one file for both; clients that have no certificate do not come in, nor do those that speak no TLS."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost"), authority.issue_cert("client@localhost")
    server.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    config = tmp_path / "web.yml"
    certified = "tls_server_config: {cert_file: server.pem, key_file: server.pem, client_ca_file: ca.pem, "
    config.write_text(certified + "client_auth_type: RequireAndVerifyClientCert}\n")
    known = ssl.create_default_context()
    authority.configure_trust(known)
    unknown = ssl.create_default_context()
    authority.configure_trust(unknown)
    client.configure_cert(known)
    with both(program, f"--web.config.file={config}") as ports:
        for sent in (READY, put("/metrics/job/j", b"a 1\n"), request("GET", "/metrics"), request("HEAD", "/nope")):
            alike_there(ports, release, sent, known)
        for port in ports:
            with pytest.raises(OSError):
                asked(port, READY, tls=unknown)
            assert told(port, READY) == (
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
            )
