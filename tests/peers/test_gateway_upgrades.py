"""Requests that offer another protocol, as Java's client does on each: they are requests of this one, body and all."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.peers.beside import Ports, asked, both, put, request
from tests.serving import PATIENCE, received, serving

PUSH = Path(__file__).parent / "java" / "Push.java"
OFFER = b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAA\r\n"
SIZED = b"Content-Length: 4\r\n\r\na 1\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3\r\n 1\n\r\n0\r\n\r\n"


def scraped(port: int, *names: str) -> list[str]:
    """The samples of these names."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("GET", "/metrics")
        lines = client.getresponse().read().decode().splitlines()
    return sorted(line for line in lines if line.startswith(names))


def test_the_client_of_java(peer: Callable[[str], str]) -> None:
    peer("javac")
    with serving() as running:
        url = f"http://127.0.0.1:{running.port}/metrics/job/java"
        done = subprocess.run([peer("java"), str(PUSH), url], capture_output=True, text=True, timeout=300, check=True)
        assert done.stdout.split() == ["200", "200", "200", "200", "202"]
        assert scraped(running.port, "replaced", "sized", "chunked", "large") == [
            'chunked{instance="",job="java"} 3',
            'large{instance="",job="java"} 4',
            'replaced{instance="",job="java"} 3',
            'sized{instance="",job="java"} 2',
        ]


@pytest.fixture(scope="module")
def ports(program: str) -> Iterator[Ports]:
    with both(program, "--web.enable-admin-api") as ports:
        yield ports


@pytest.mark.parametrize("body", [SIZED, CHUNKED])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "GET", "PATCH", "SPEAK", "OPTIONS"])
def test_as_the_original(ports: Ports, method: str, body: bytes) -> None:
    """All at once, and in parts that begin and end anywhere."""
    head = method.encode() + b" /metrics/job/j HTTP/1.1\r\n" + OFFER
    sent = head + body + head + body + b"GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    cuts = [len(head), len(head) + len(body) - 3, len(sent) // 2]
    answers = []
    for port in ports:
        # What is only queued there is done once a push is answered.
        asked(port, request("PUT", "/api/v1/admin/wipe"), put("/metrics/job/first", b""))
        for parts in ([sent], [sent[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                for part in parts:
                    client.sendall(part)
                statuses = re.findall(rb"HTTP/1.1 (\d+)", received(client))
            answers.append((statuses, scraped(port, "a")))
    assert answers == [answers[0]] * 4
    assert len(answers[0][0]) == 3
