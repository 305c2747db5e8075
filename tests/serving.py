"""A gateway in a process of its own, for tests."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

LISTENING = re.compile(r'msg="Listening on" address=(\S+)')
# Generous: no test asserts that something is fast.
PATIENCE = 60


class Serving:
    """A process of ``expofmt serve`` that listens; ``log`` is what it has said so far."""

    def __init__(self, *flags: str | Path, listeners: int = 1, **options: Any) -> None:
        given = [str(flag) for flag in flags]
        if not any(flag.startswith("--web.listen-address") or flag == "--web.systemd-socket" for flag in given):
            given += ["--web.listen-address", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "expofmt", "serve", *given], stderr=subprocess.PIPE, text=True, **options
        )
        self.log: list[str] = []
        self.addresses: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if match := LISTENING.search(line):
                self.addresses.append(match[1])
            if len(self.addresses) == listeners:
                break
        else:
            self.process.wait()
            raise AssertionError(f"it does not listen: {self.log}")
        self.port = int(self.addresses[0].rpartition(":")[2]) if ":" in self.addresses[0] else 0
        self._reader = Thread(target=lambda: self.log.extend(self.process.stderr or ()), daemon=True)
        self._reader.start()

    def connect(self) -> socket.socket:
        """A connection to the first address."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the response to a request on a connection of its own."""
        with connection(self.port) as client:
            client.request(method, target, body, dict(headers or {}))
            response = client.getresponse()
            return response.status, response.read()

    def scrape(self, *names: str) -> str:
        """The samples of some families."""
        query = "&".join(f"name[]={name}" for name in names)
        status, body = self.request("GET", f"/metrics?{query}")
        assert status == 200, (status, body, self.log)
        return "".join(line for line in body.decode().splitlines(True) if not line.startswith("#"))

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """End it, and its exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, sig)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    """A connection that is closed at the end."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def serving(*flags: str | Path, **options: Any) -> Iterator[Serving]:
    """A gateway that is ended at the end, if it has not been before."""
    server = Serving(*flags, **options)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)


def received(client: socket.socket) -> bytes:
    """All that comes until the other side closes the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)
