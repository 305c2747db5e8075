"""``expofmt serve`` beside Prometheus Pushgateway, as processes: the same bytes are sent to both, which answer alike.

Compared are status, header fields and body of each response on a connection; of what is scraped, what was pushed.
Left out is what the README's table of differences names. Debian's release differs in its own ways from the newest one:
the stories of ``test_gateway_side_by_side.py`` are told to it, too; here, it is asked what it knows.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse, RemoteDisconnected
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expofmt import Code
from tests.peers.test_gateway_side_by_side import original
from tests.peers.test_pushgateway import DELIBERATE, shown
from tests.serving import PATIENCE, serving

NOT_COMPARED = {"date", "content-length", "transfer-encoding", "content-security-policy"}
# Each has a page of its own.
PAGES = re.compile(rb"^GET [^ ]*/(?:status)? ")
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Answer(NamedTuple):
    """A response, as far as it is compared."""

    status: int
    headers: list[tuple[str, str]]
    body: Any


@contextmanager
def both(program: str, *flags: str) -> Iterator[tuple[int, int]]:
    """The ports of the original and of ours, which have the same flags."""
    with original(program, {}, *flags) as theirs, serving(*flags) as ours:
        yield theirs, ours.port


def asked(port: int, *requests: bytes) -> list[Answer]:
    """The answers to requests that are sent at once, on one connection."""
    with ExitStack() as held:
        client = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        client.sendall(b"".join(requests))
        stream = held.enter_context(client.makefile("rb"))
        return [_answer(stream, request) for request in requests]


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
        elif content_type == "application/json":
            body = _without_times(json.loads(body))
        elif PAGES.match(request):
            body = b""
    return Answer(response.status, headers, body)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "then" if name == "time_stamp" or name.endswith("time_seconds") else _without_times(member)
            for name, member in value.items()
        }
    return sorted(map(_without_times, value), key=repr) if isinstance(value, list) else value


def put(path: str, body: bytes, *headers: str, method: str = "PUT") -> bytes:
    return request(method, path, *headers, f"Content-Length: {len(body)}") + body


def request(method: str, path: str, *headers: str) -> bytes:
    return "".join([f"{method} {path} HTTP/1.1\r\nHost: gateway\r\n", *(f"{h}\r\n" for h in headers), "\r\n"]).encode()


CHUNKED = request("PUT", "/metrics/job/j", "Transfer-Encoding: chunked")
GZIPPED = gzip.compress(b"a 1\n", mtime=0)
REQUESTS = [
    put("/metrics/job/j", b"a 1\n"),
    put("/metrics/job/j/instance/i/", b'# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 3\nh_count 4\n', method="POST"),
    put("/metrics/job@base64/YS9i/x@base64/=", b'b{c="d"} -0\nb{c="e"} 1e6\n'),
    put("/metrics/job/j", b"a 1"),
    put("/metrics/job/j", b"a 1 5\n"),
    put("/metrics/job/k", b"# TYPE a counter\na 1\n# TYPE a counter\n"),
    put("/metrics/job/j/odd", b""),
    put("/metrics/job/j", GZIPPED, "Content-Encoding: gzip"),
    put("/metrics/job/j", GZIPPED, "Content-Encoding:  gzip \t"),
    put("/metrics/job/j", b"a 1\n", "Content-Encoding: gzip"),
    put("/metrics/job/j", b"a 1\n", "Content-Encoding: br"),
    CHUNKED + b"3\r\na 1\r\n5;x=y\r\n\nb 2\n\r\n0\r\n\r\n",
    CHUNKED + b"0\r\n\r\n",
    put("/metrics/job/j", b"a 1\n", "Content-Type: application/openmetrics-text"),
    put("/metrics/job/j", b"", "Content-Type: no type"),
    put("/metrics/job/j", b"", method="PATCH"),
    put("/metrics/job", b""),
    put("/metrics/job/", b""),
    put("/Metrics/job/j", b""),
    put("/api/v1/admin/wipe", b""),
    put("/-/quit", b""),
    *(request(method, "/metrics") for method in ("GET", "HEAD", "OPTIONS", "DELETE")),
    *(request(method, "/metrics/job/j") for method in ("GET", "HEAD", "OPTIONS", "DELETE")),
    *(request("GET", path) for path in ("/", "/status", "/-/healthy", "/-/ready", "/-/quit", "/nope", "/metrics/")),
    *(request("HEAD", path) for path in ("/", "/-/ready", "/api/v1/metrics")),
    *(request("OPTIONS", path) for path in ("/", "/nope", "/api/v1/nope", "/api/v1/metrics")),
    *(request("GET", path) for path in ("/api/", "/api/v1/", "/api/v1/metrics", "/API/v1/metrics", "/static/nope")),
    request("GET", "http://gateway/-/ready"),
    request("GET", "/metrics", "Accept-Encoding: gzip"),
    request("GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.1"),
    request("DELETE", "/metrics/job/j", "Content-Length: 4") + b"junk",
]


@pytest.mark.parametrize("route", ["", "/push"])
def test_requests_on_one_connection(newest_program: str, route: str) -> None:
    """All at once: what is pipelined is answered in order."""
    requests = [re.sub(rb"^(\w+) /", rb"\1 %b/" % route.encode(), each) for each in REQUESTS]
    with both(newest_program, f"--web.route-prefix={route}") as (theirs, ours):
        for sent, expected, found in zip(requests, asked(theirs, *requests), asked(ours, *requests), strict=True):
            assert found == expected, sent


def test_requests_to_debian(program: str) -> None:
    """The statuses and bodies of both releases, one connection each; those of the older release where it knows them."""
    with both(program) as (theirs, ours):
        for each in (put("/metrics/job/j", b"a 1\n"), put("/metrics/job/j", b"a"), request("DELETE", "/metrics/job/j")):
            assert asked(ours, each) == asked(theirs, each)


@pytest.mark.parametrize(
    "flags",
    [
        ("--web.enable-admin-api", "--push.disable-consistency-check"),
        ("--web.external-url=http://host/a/", "--web.telemetry-path=/b//c/"),
        ("--web.external-url=http://host/a", "--web.route-prefix=/p/"),
        ("--push.enable-utf8-names",),
    ],
)
def test_flags(newest_program: str, flags: Sequence[str]) -> None:
    paths = ("/metrics", "/a", "/a/metrics", "/a/b/c", "/a/b/c/", "/p", "/p/metrics", "/p/-/ready", "/p/-/quit")
    utf8 = "/metrics/job/j/U__a_2e_b/c"
    pushes = [put(path, b'{"x.y"} 1\n') for path in (utf8, f"/a{utf8}", f"/p{utf8}")]
    pushes += [put(path, b"a 1\n") for path in ("/metrics/job/j", "/a/metrics/job/j", "/p/metrics/job/j")]
    scrapes = [request("GET", path) for path in paths]
    scrapes += [request("GET", "/metrics", f"Accept: text/plain;escaping={how}") for how in ("values", "allow-utf-8")]
    wipes = [request(method, "/api/v1/admin/wipe") for method in ("GET", "OPTIONS", "PUT")]
    with both(newest_program, *flags) as (theirs, ours):
        for each in [*pushes, *wipes, *pushes, *scrapes]:
            # What is only queued there is done once the next is answered.
            assert asked(ours, each) == asked(theirs, each), each


def test_passwords(newest_program: str, tmp_path: Path) -> None:
    word = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    headers = "http_server_config: {headers: {X-Frame-Options: deny}}"
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{anna: '{word}'}}\n{headers}\n")
    with both(newest_program, f"--web.config.file={tmp_path}/web.yml") as (theirs, ours):
        for header in (
            "X: y",
            "Authorization: Basic eDp5",
            "Authorization: Basic YW5uYTpzZWNyZXQ=",
            "Authorization: ?",
        ):
            for path in ("/-/ready", "/metrics", "/nope"):
                assert asked(ours, request("GET", path, header)) == asked(theirs, request("GET", path, header))


def test_the_status(newest_program: str) -> None:
    with both(newest_program, "--persistence.interval=90m1.5s", "--web.external-url=http://host/") as ports:
        expected, found = (asked(port, request("GET", "/api/v1/status"))[0] for port in ports)
    assert found.headers == expected.headers
    found, expected = found.body["data"], expected.body["data"]
    assert found.keys() == expected.keys()
    assert found["build_information"].keys() == expected["build_information"].keys()
    assert expected["flags"].keys() <= found["flags"].keys()
    theirs_only = {name for name, value in expected["flags"].items() if found["flags"][name] != value}
    assert theirs_only == {"web.listen-address"}


MALFORMED = [
    b"GET\r\n\r\n",
    b"garbage\r\n\r\n",
    b"GET /-/re ady HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /-/ready HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    b"GET /-/ready HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"PUT /metrics/job/j HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n",
    CHUNKED + b"zz\r\n",
]


@pytest.mark.parametrize("sent", MALFORMED)
def test_what_is_no_http(newest_program: str, sent: bytes) -> None:
    """The status is the same, and the connection ends; the reason may be given in other words."""
    with both(newest_program) as (theirs, ours):
        for port in (theirs, ours):
            (answer,) = asked(port, sent)
            assert answer.status == (505 if b"HTTP/2.0" in sent else 400)
            assert ("connection", "close") in answer.headers


components = st.one_of(
    st.sampled_from(
        ["a", "j", "job", "instance", "x@base64", "_", "__x", "1a", "a+b", "%41", "%2F", "%20", "%C3%A4", "ä"]
    ),
    st.sampled_from(["YQ", "YQ==", "=", "!", ".a", "a.", "%40base64", ";", ":", '"', "U__a_2e_b"]),
)
paths = st.builds(
    lambda head, rest, slash: "/".join([head, *rest]) + slash,
    st.sampled_from(["/metrics/job", "/metrics/job@base64", "/metrics", "/Metrics/job", "/api/v1", ""]),
    st.lists(components, max_size=4),
    st.sampled_from(["", "", "", "/", "?a=b"]),
)
CASES = Path(__file__).parents[1] / "cases" / "gateway"
bodies = st.sampled_from([path.read_bytes() for path in sorted(CASES.rglob("*.prom"))])
encodings = st.sampled_from(["", "", "gzip", "GZip", "identity", "x-gzip"])


@st.composite
def sequences(draw: st.DrawFn) -> list[bytes]:
    """Requests of any method and path, with the bodies of the cases, in encodings that are told or not."""
    requests = []
    for _ in range(draw(st.integers(1, 6))):
        path = draw(paths) or "/"
        method = draw(st.sampled_from(["PUT", "PUT", "POST", "DELETE", "GET", "HEAD", "OPTIONS", "put"]))
        body = draw(bodies) if method.upper() in ("PUT", "POST") else b""
        encoding = draw(encodings) if body else ""
        body = gzip.compress(body, mtime=0) if body and draw(st.booleans()) and encoding else body
        told = [f"Content-Encoding: {encoding}"] if encoding else []
        chunked = bool(body) and draw(st.booleans())
        if chunked:
            told.append("Transfer-Encoding: chunked")
            requests.append(request(method, path, *told) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        else:
            requests.append(put(path, body, *told, method=method))
    return requests


def codes_of(port: int, sent: bytes) -> list[str]:
    """What ours, at this port, refuses a push for."""
    [told] = asked(port, sent.replace(b"\r\n", b"\r\nAccept: application/json\r\n", 1))
    return [each["code"] for each in json.loads(told.body) if "code" in each]


def is_deliberate(sent: bytes, theirs: Answer, ours: Answer, port: int) -> bool:
    """Whether the README's tables have the difference between two answers, of which ours is that of this port."""
    path = sent.split(b" ")[1]
    if theirs.status == ours.status in (301, 307):
        return b"%" in path or not path.isascii() or b'"' in path or path.lower().startswith(b"/api")
    if theirs.status == 307 and b"%2F" in path and (not path.isascii() or b'"' in path):
        # A target with bytes that need escapes is cleaned once it is decoded, and not before.
        return True
    if ours.status != 400:
        return False
    if b"not UTF-8" in ours.body:
        return True
    # What is refused here, and taken there. Such groups are not looked at.
    return not DELIBERATE.keys().isdisjoint(codes_of(port, sent))


@few
@given(requests=sequences())
def test_sequences(newest_both: tuple[int, int], requests: list[bytes]) -> None:
    theirs, ours = newest_both
    for port in newest_both:
        asked(port, request("PUT", "/api/v1/admin/wipe"), put("/metrics/job/first", b""))
    for sent in requests:
        found = asked(ours, sent)[0]
        try:
            [expected] = asked(theirs, sent)
        except RemoteDisconnected:
            # It has lost its way at a sample without a name; see DELIBERATE.
            assert Code.MISSING_METRIC_NAME in codes_of(ours, sent), sent
            return
        if found != expected:
            assert is_deliberate(sent, expected, found, ours), (sent, expected, found)
            return
    # Buckets that were pushed out of order are shown in order here.
    found, expected = (asked(port, request("GET", "/metrics"))[0] for port in (ours, theirs))
    assert sorted(found.body) == sorted(expected.body)


@pytest.fixture(scope="module")
def newest_both(newest_program: str) -> Iterator[tuple[int, int]]:
    with both(newest_program, "--web.enable-admin-api") as ports:
        yield ports
