"""Clients of a Pushgateway: programs and libraries, which all push the same counter and histogram."""

from __future__ import annotations

import base64
import json
import subprocess
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import (
    basic_auth_handler,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
    tls_auth_handler,
)
from prometheus_client.exposition import default_handler as default

from expofmt.cli import group
from expofmt.names import is_legacy_label_name

BODY = b"""\
# HELP done_total What was done.
# TYPE done_total counter
done_total 3
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 0
took_seconds_bucket{le="5"} 1
took_seconds_bucket{le="+Inf"} 1
took_seconds_sum 2
took_seconds_count 1
"""

CLIENTS = ["python", "python-gzip", "go", "go-text", "node", "node-gzip", "curl", "expofmt"]


class Access(NamedTuple):
    """How a client comes in: NAME:PASSWORD, whom it trusts to sign the gateway's certificate, and its own."""

    user: str = ""
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def options(self) -> list[str]:
        """As all programs take them."""
        return [text for name, value in self._asdict().items() if value for text in (f"--{name}", str(value))]


ANYBODY = Access()


class Push(Protocol):
    """Pushes by PUT or POST to a group, or deletes it. Raises ClientError if the client says that it is not done."""

    def __call__(self, method: str, url: str, job: str, *labels: str, access: Access = ...) -> None: ...


class ClientError(Exception):
    """What a client says then."""


def ran(command: list[str], input: bytes = b"") -> None:
    """Runs a program that pushes."""
    done = subprocess.run(command, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise ClientError(done.stdout.decode())


def through_python(compression: str | None = None) -> Push:
    """With prometheus_client, in this process."""
    registry = CollectorRegistry()
    Counter("done", "What was done.", registry=registry).inc(3)
    Histogram("took_seconds", "How long.", buckets=[1, 5], registry=registry).observe(2)

    def push(method: str, url: str, job: str, *labels: str, access: Access = ANYBODY) -> None:
        grouping = dict(zip(labels[::2], labels[1::2], strict=True))

        def handler(url, method, timeout, headers, data):
            request = (url, method, timeout, headers, data)
            if access.cert is None:
                return basic_auth_handler(*request, *access.user.split(":", 1)) if access.user else default(*request)
            if access.user:
                # There is a handler for each, and none for both.
                headers.append(("Authorization", b"Basic " + base64.b64encode(access.user.encode())))
            return tls_auth_handler(*request, str(access.cert), str(access.key), cafile=str(access.cacert))

        with pytest.MonkeyPatch.context() as patch:
            if access.cacert is not None:
                patch.setenv("SSL_CERT_FILE", str(access.cacert))
            try:
                if method == "DELETE":
                    delete_from_gateway(url, job, grouping, handler=handler)
                else:
                    done = push_to_gateway if method == "PUT" else pushadd_to_gateway
                    done(url, job, registry, grouping, handler=handler, compression=compression)  # type: ignore[arg-type]
            except (OSError, HTTPException, UnicodeError) as error:  # the latter two for a URL that it cannot send
                raise ClientError(str(error)) from error

    return push


def through_driver(*command: str) -> Push:
    """With a program of ours that calls a client library: it takes options, method, URL, job, names and values."""

    def push(method: str, url: str, job: str, *labels: str, access: Access = ANYBODY) -> None:
        ran([*command, *access.options(), method, url, job, *labels])

    return push


def through_node(process: subprocess.Popen[str], *options: str) -> Push:
    """With ``push.js``, a process of which does what it is told one after the other."""

    def push(method: str, url: str, job: str, *labels: str, access: Access = ANYBODY) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([*options, *access.options(), method, url, job, *labels]) + "\n")
        process.stdin.flush()
        told = process.stdout.readline()
        assert told, "push.js has ended"
        if (error := json.loads(told)) is not None:
            raise ClientError(error)

    return push


def through_curl(method: str, url: str, job: str, *labels: str, access: Access = ANYBODY) -> None:
    """With curl, and values in base64."""
    parts = [("job", job), *zip(labels[::2], labels[1::2], strict=True)]
    path = "".join(
        f"/{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode() or '='}" for name, value in parts
    )
    body = [] if method == "DELETE" else ["--data-binary", "@-"]
    ran(["curl", "-sS", "--fail-with-body", "-X", method, *body, *access.options(), f"{url}/metrics{path}"], BODY)


def through_ours(method: str, url: str, job: str, *labels: str, access: Access = ANYBODY) -> None:
    """With the commands of this project, in this process."""
    command = [{"PUT": "push", "POST": "pushadd", "DELETE": "delete"}[method]]
    command += ["--retries=0", *access.options(), url, f"--job={job}"]
    command += [f"--grouping={name}={value}" for name, value in zip(labels[::2], labels[1::2], strict=True)]
    if not all(map(is_legacy_label_name, labels[::2])):
        command.append("--names=utf-8")
    result = CliRunner().invoke(group, command, input=BODY, catch_exceptions=False)
    if result.exit_code:
        raise ClientError(result.output)
