"""Paths are read as Prometheus Pushgateway reads them, which is asked with the bytes as they are.

What is refused is sent with PUT, which stores nothing then; what is taken with DELETE, of groups that are not there.
This way no row can disturb the next, which a push with a value that is not UTF-8 would.
"""

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from expofmt import GroupingKey, GroupingKeyError

Serve = Callable[[], contextlib.AbstractContextManager["Gateway"]]


class Connection(http.client.HTTPConnection):
    """Sends any bytes as a request's target; ``http.client`` has these two methods for those who must."""

    def _validate_path(self, url: str) -> None:
        pass

    def _encode_request(self, request: str) -> bytes:
        return request.encode("latin-1")


class Gateway:
    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: bytes) -> tuple[int, str]:
        """The status, and the body less its last line feed."""
        connection = Connection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(method, path.decode("latin-1"))
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read().decode().removesuffix("\n")

    def groups(self) -> list[dict[str, str]]:
        _, body = self.ask("GET", b"/api/v1/metrics")
        return [group["labels"] for group in json.loads(body)["data"]]


def wait_until_ready(gateway: Gateway, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            if gateway.ask("GET", b"/-/ready")[0] == 200:
                return
        assert process.poll() is None, "the peer has ended"
        time.sleep(0.05)
    raise AssertionError("the peer does not get ready")


@pytest.fixture(scope="module")
def serve(peer: Callable[[str], str]) -> Serve:
    program = peer("prometheus-pushgateway")

    @contextlib.contextmanager
    def run() -> Iterator[Gateway]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file="]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                gateway = Gateway(port)
                wait_until_ready(gateway, process)
                yield gateway
            finally:
                process.kill()

    return run


@pytest.fixture(scope="module")
def gateway(serve: Serve) -> Iterator[Gateway]:
    with serve() as running:
        yield running


def ours(path: bytes) -> GroupingKey | tuple[int, str]:
    try:
        return GroupingKey.from_path(path)
    except GroupingKeyError as error:
        return error.status_hint, str(error)


TAKEN = [
    b"/metrics/job/j",
    b"/metrics/job/j/",
    b"/metrics/job/j/zone/",
    b"/metrics/job/j/a/b%2Fc/d",
    b"/metrics/job/j/a/b+c%20d%2B",
    b"/metrics/job/j/a/b?c=%zz",
    b"/metrics/job/j/a/b?c/d",
    b"/metrics/job/j/a/b%3Fc%25",
    b'/metrics/job/j/a/"\\;:#|{}^`<>',
    b"/metrics/job/j/a/%C3%A9%00%0A%E2%80%A8",
    "/metrics/job/j/a/é".encode(),
    b"/metrics/job%40base64/YQ/x%40base64/Yg",
    b"/metrics/job@base64/YS9i/x@base64/=/y@base64/====",
    b"/metrics/job/j/x@base64/YQ=====/y@base64/YR/z@base64/YWJ",
    b"/metrics/job/j/x@base64/Y%0AQ%0D%0A/y@base64/%0A",
    b"/metrics/job/j/x@base64/",
    b"/metrics/job/j/b/c/b/d",
    b"/metrics/job/a/job/b/job@base64/Yw",
    b"/metrics/job/j/U__foo_2e_bar/1/U__/2/U______x/3",
    b"/%6Detrics/j%6Fb/j",
]

REFUSED = [
    b"/metrics/job",
    b"/metrics/job@base64/",
    b"/metrics/jobs/a",
    b"/metrics/job@base6/a",
    b"/push/metrics/job/a",
    b"/metrics/job/j/a/b%",
    b"/metrics/job/j/a/b%zz",
    b"/metrics/job/j/a b/c",
    b"/metrics/job/j/a/b?c d",
    b"/metrics/job/j/a/b\x01",
    b"/metrics/job/j/a/b\x7f",
    b"/metrics/job/j/a/b?\x01",
    b"/metrics/job/j/x",
    b"/metrics/job/j/x/y/z",
    b"/metrics/job/j/x/y/",
    b'/metrics/job/j/"/%C3%A9/%FF%00%0A\\%07%7F%C2%80%C2%A0%E2%80%A8%EF%BB%BF%F3%A0%80%81/a/b',
    b"/metrics/job/j/a=b/c",
    b"/metrics/job/j/1a/c",
    b"/metrics/job/j/a:b/c",
    b"/metrics/job/j/__x/1",
    b"/metrics/job/j/__x@base64/!",
    b"/metrics/job/j/foo.bar@base64/YQ",
    b"/metrics/job/j/%C3%A9/1",
    b"/metrics/job/j/\xff%FE/1",
    b"/metrics/job/j/@base64/YQ",
    b"/metrics/job/j/x@base64@base64/YQ",
    b"/metrics/job/j/x@Base64/YQ",
    b"/metrics/job/j/x@base64/Y",
    b"/metrics/job/j/x@base64/Y%0A",
    b"/metrics/job/j/x@base64/%0AY%0A%0D",
    b"/metrics/job/j/x@base64/YW%0AJjY",
    b"/metrics/job/j/x@base64/a+b",
    b"/metrics/job/j/x@base64/YWJ%C3%A9",
    b"/metrics/job/j/x@base64/YQ==%0A",
    b"/metrics/job/j/x@base64/YWJjYWJjYWJjYW=I",
    b"/metrics/job/j/x@base64/YWJjYWJjYWJjYWJjYWJj!",
    b'/metrics/job/j/x@base64/!\xff"=',
    b"/metrics/job/j/x@base64/!/__y/1",
    b"/metrics/job/j/U__x_2e_y@base64/!",
    b"/metrics/job@base64/=",
    b"/metrics/job@base64/=/a",
    b"/metrics/job@base64/=/__a/b",
    b"/metrics/job@base64/=/a/b",
    b"/metrics/job@base64/=/le/1",
]

UNDECODABLE_JOBS = [
    b"/metrics/job@base64/YWJj!x",
    b"/metrics/job@base64/a!/odd",
    b"/metrics/job@base64/YWJjYWJjYWJjYWJjY",
    b"/metrics/job@base64/YWJjYWJjYW%0AJjYWJj!",
    b"/metrics/job@base64/YW%0A%0AJjYWJjYWJjYWJjYWJj!",
    b"/metrics/job@base64/_____!",
]

# Redirected: the newest looks for what to clean up before it decodes, and so has an answer for the encoded ones. An old
# one cleans what it has decoded; what is not encoded both of them clean.
CLEANED: list[tuple[bytes, GroupingKey | tuple[int, str]]] = [
    (b"/metrics/job/%2F", (400, "job name is required")),
    (b"/metrics/job/%2Fa/b", (400, "job name is required")),
    (b"/metrics/job/j/%2Fa/b", (400, 'odd number of components in label string "//a/b"')),
    (b"/metrics/job/j/a/%2Fb/c", GroupingKey("j", a="", b="c")),
    (b"/metrics/job/j/a/%2e%2e", GroupingKey("j", a="..")),
    (b"/metrics/job/j/a/%2E", GroupingKey("j", a=".")),
    (b"/metrics/job/j//a/b", (400, 'odd number of components in label string "//a/b"')),
    (b"/metrics/job/j/./b", (400, 'improper label name "."')),
    (b"/metrics/job/j/a/../c", (400, 'odd number of components in label string "/a/../c"')),
    (b"//metrics/job/j", (404, "404 page not found")),
    (b"/x/../metrics/job/j", (404, "404 page not found")),
    # Not cleaned, but led to where a known route seems to be.
    (b"/metrics/job/", (404, "404 page not found")),
    (b"/Metrics/job/j", (404, "404 page not found")),
]

# What it takes, and comes to grief over: `le` then stands twice in the lines of a histogram, and bytes that are not
# UTF-8 fail all scrapes and pushes.
OURS_ALONE = [
    b"/metrics/job/j/le/1",
    b"/metrics/job/j/quantile/1",
    b"/metrics/job/%FF",
    b"/metrics/job@base64/_w",
    b"/metrics/job/j/x/\xff",
    b"/metrics/job/j/x@base64/7aCA",
]


@pytest.mark.parametrize("path", TAKEN)
def test_taken_by_both(gateway: Gateway, path: bytes) -> None:
    key = ours(path)
    assert isinstance(key, GroupingKey), key
    assert gateway.ask("DELETE", path) == (202, "")


@pytest.mark.parametrize("path", REFUSED)
def test_refused_by_both_in_the_same_words(gateway: Gateway, path: bytes) -> None:
    assert gateway.ask("PUT", path) == ours(path)


@pytest.mark.parametrize("path", UNDECODABLE_JOBS)
def test_jobs_that_cannot_be_decoded(serve: Serve, path: bytes) -> None:
    """To each its own: an old one answers the first such request, and any later one with a base64 job never again."""
    with serve() as gateway:
        assert gateway.ask("PUT", path) == ours(path)


@pytest.mark.parametrize(("path", "expected"), CLEANED)
def test_redirected_there(gateway: Gateway, path: bytes, expected: Any) -> None:
    assert ours(path) == expected
    assert gateway.ask("DELETE", path) in [(301, ""), (307, "")]


@pytest.mark.parametrize("path", OURS_ALONE)
def test_refused_by_us_alone(gateway: Gateway, path: bytes) -> None:
    refused = ours(path)
    assert isinstance(refused, tuple), refused
    assert refused[0] == 400
    assert gateway.ask("DELETE", path) == (202, "")


def test_groups_are_the_same(gateway: Gateway) -> None:
    values = [
        "a",
        "..",
        ".",
        "",
        "a/b",
        "/",
        "+",
        " ",
        "%2F",
        "?",
        "#",
        "é",
        "\n",
        "\0",
        "\\",
        '"',
        "a;b",
        "db:9100",
        "=",
        "@",
    ]
    keys = {GroupingKey(value or "empty", x=value, U__x_2e_="") for value in values}
    sent = {key.to_path().encode(): key for key in keys} | {
        path: key for path in TAKEN if isinstance(key := ours(path), GroupingKey)
    }
    for path, key in sent.items():
        assert gateway.ask("PUT", path) == (200, "")
        assert key in gateway.groups()
        for other in (key.to_path().encode(), path):
            assert gateway.ask("DELETE", other) == (202, "")
    assert not any(key in gateway.groups() for key in sent.values())
