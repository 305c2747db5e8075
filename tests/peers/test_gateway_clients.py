"""Client libraries and programs against ``expofmt serve`` and the original: the same becomes of what they send."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import (
    basic_auth_handler,
    delete_from_gateway,
    instance_ip_grouping_key,
    push_to_gateway,
    pushadd_to_gateway,
)

from tests.peers.test_cli_push import PASSWORD, USERS, groups, running
from tests.peers.test_pushgateway import free_port
from tests.serving import connection, serving

HERE = Path(__file__).parent
Push = Callable[..., None]
BODY = b"# TYPE done_total counter\ndone_total 3\n"


class Target(NamedTuple):
    """A gateway without groups, and whether it is ours, Debian's or the newest."""

    url: str
    kind: str


def scraped(url: str, *needles: str) -> list[str]:
    """The lines of a scrape that hold all of these."""
    command = ["curl", "-sSf", f"{url}/metrics"]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line for line in text.splitlines() if line[0] != "#" and all(needle in line for needle in needles)]


@pytest.fixture(scope="module", params=["ours", "debian", "newest"])
def target(request: pytest.FixtureRequest, peer: Callable[[str], str]) -> Iterator[Target]:
    peer("curl")
    if request.param == "ours":
        with serving() as server:
            yield Target(f"http://127.0.0.1:{server.port}", "ours")
        return
    is_newest = request.param == "newest"
    program = request.getfixturevalue("newest_program") if is_newest else peer("prometheus-pushgateway")
    with running(program) as url:
        yield Target(url, request.param)


def through_python(compression: str | None = None) -> Push:
    def push(method: str, url: str, job: str, *labels: str) -> None:
        registry = CollectorRegistry()
        Counter("done", "What was done.", registry=registry).inc(3)
        Histogram("took_seconds", "How long.", buckets=[1, 5], registry=registry).observe(2)
        grouping = dict(zip(labels[::2], labels[1::2], strict=True))
        if method == "DELETE":
            delete_from_gateway(url, job, grouping)
        else:
            done = push_to_gateway if method == "PUT" else pushadd_to_gateway
            done(url, job, registry, grouping, compression=compression)  # type: ignore[arg-type]

    return push


@pytest.fixture(scope="module")
def go_driver(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    driver = str(tmp_path_factory.mktemp("push") / "push")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = [peer("go"), "build", "-buildvcs=false", "-o", driver, "./push"]
    subprocess.run(command, cwd=HERE / "expfmt", env=environment, check=True)
    return driver


def through_go(request: pytest.FixtureRequest, format: str) -> Push:
    driver = request.getfixturevalue("go_driver")

    def push(method: str, url: str, job: str, *labels: str) -> None:
        subprocess.run([driver, method, url, job, format, *labels], check=True)

    return push


def through_node(request: pytest.FixtureRequest, format: str) -> Push:
    node = request.getfixturevalue("peer")("node")
    if subprocess.run([node, "-e", "require('prom-client')"], cwd=HERE / "prom-client", capture_output=True).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("peer prom-client is not installed")
    methods = {"PUT": "push", "POST": "pushAdd", "DELETE": "delete"}

    def push(method: str, url: str, job: str, *labels: str) -> None:
        subprocess.run([node, HERE / "prom-client/push.js", methods[method], url, job, format, *labels], check=True)

    return push


def through_ours(method: str, url: str, job: str, *labels: str) -> None:
    grouping = [f"--grouping={name}={value}" for name, value in zip(labels[::2], labels[1::2], strict=True)]
    name = {"PUT": "push", "POST": "pushadd", "DELETE": "delete"}[method]
    text = BODY + b"# TYPE took_seconds histogram\ntook_seconds_bucket{le='1'} 0\n".replace(b"'", b'"')
    text += (
        b'took_seconds_bucket{le="5"} 1\ntook_seconds_bucket{le="+Inf"} 1\ntook_seconds_sum 2\ntook_seconds_count 1\n'
    )
    command = [sys.executable, "-m", "expofmt", name, url, "--job", job, *grouping]
    subprocess.run(command, input=text, check=True)


CLIENTS = ["python", "python-gzip", "go-protobuf", "go-text", "node-text", "node-gzip", "expofmt"]


@pytest.fixture(params=CLIENTS)
def push(request: pytest.FixtureRequest) -> Push:
    client, _, format = request.param.partition("-")
    if client == "python":
        return through_python(format or None)
    if client == "expofmt":
        return through_ours
    return through_go(request, format) if client == "go" else through_node(request, format)


# prom-client sends a slash as %2F, which separates like any other; values that are empty are no path to it.
NOT_OF_NODE = {"a/b", "/", ""}


@pytest.mark.parametrize("value", ["db1", "a/b", "/", "", "x y", "Björn \u2603", 'q"\\', "a+b", "100%", "a=b&c?d#e"])
def test_grouping_keys(target: Target, push: Push, value: str, request: pytest.FixtureRequest) -> None:
    client = request.node.callspec.params["push"]
    if client.startswith("node") and value in NOT_OF_NODE:
        pytest.skip("the client library has no path for it")
    labels = ("zone", value, "instance", "i")
    push("PUT", target.url, "batch", *labels)
    # QueryEscape has a plus for a blank, which is a plus to a gateway; so has Python's, which avoids it by base64.
    stored = value.replace(" ", "+") if client.startswith("go") else value
    assert groups(target.url) == [{"instance": "i", "job": "batch", "zone": stored}]
    push("POST", target.url, "batch", *labels)
    assert len(groups(target.url)) == 1
    assert [line.rpartition(" ")[2] for line in scraped(target.url, "done_total{", 'job="batch"')] == ["3"]
    assert [line.rpartition(" ")[2] for line in scraped(target.url, "took_seconds_bucket{")] == ["0", "1", "1"]
    push("DELETE", target.url, "batch", *labels)
    assert groups(target.url) == []


def test_a_job_with_a_slash_and_the_ip_of_the_instance(target: Target) -> None:
    grouping = instance_ip_grouping_key()
    registry = CollectorRegistry()
    Counter("done", "What was done.", registry=registry).inc()
    push_to_gateway(target.url, "a/b c", registry, grouping)
    assert groups(target.url) == [{**grouping, "job": "a/b c"}]
    delete_from_gateway(target.url, "a/b c", grouping)
    assert groups(target.url) == []


CURL = {
    "from a pipe": ["--data-binary", "@-"],
    "in chunks": ["-X", "POST", "-T", "-"],
    "told to go on": ["-H", "Expect: 100-continue", "--data-binary", "@-"],
    "asking for HTTP 2": ["--http2", "--data-binary", "@-"],
    "by HTTP 1.0": ["--http1.0", "--data-binary", "@-"],
}


@pytest.mark.parametrize("how", CURL)
def test_curl(target: Target, how: str) -> None:
    url = f"{target.url}/metrics/job/curl"
    command = ["curl", "-sS", "-w", "%{http_code}", *CURL[how]]
    done = subprocess.run([*command, url], input=BODY, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"200"
    assert scraped(target.url, "done_total{") == ['done_total{instance="",job="curl"} 3']
    done = subprocess.run([*command, url], input=b"done_total\n", stdout=subprocess.PIPE, check=True)
    assert done.stdout.endswith(b"400")
    assert subprocess.run(["curl", "-sSf", "-X", "DELETE", url], check=False).returncode == 0
    assert groups(target.url) == []


@pytest.mark.parametrize("kind", ["ours", "debian"])
def test_basic_authentication(kind: str, peer: Callable[[str], str], tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text(USERS)
    registry = CollectorRegistry()
    Counter("done", "What was done.", registry=registry).inc()

    def as_user(password: str) -> Callable[..., Callable[[], None]]:
        def handler(url, method, timeout, headers, data):
            return basic_auth_handler(url, method, timeout, headers, data, "me", password)

        return handler

    def told(url: str) -> None:
        push_to_gateway(url, "j", registry, handler=as_user(PASSWORD))
        with pytest.raises(OSError, match="401"):
            pushadd_to_gateway(url, "j", registry, handler=as_user("wrong"))
        with pytest.raises(OSError, match="401"):
            push_to_gateway(url, "j", registry)
        delete_from_gateway(url, "j", handler=as_user(PASSWORD))

    if kind == "ours":
        with serving("--web.config.file", config) as server:
            told(f"http://127.0.0.1:{server.port}")
    else:
        with running(peer("prometheus-pushgateway"), f"--web.config.file={config}") as url:
            told(url)


def recorded(port: int) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """A port that leads to the gateway, and Content-Type and Content-Encoding of what went through it."""
    seen: list[tuple[str, str]] = []

    class Through(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with connection(port) as client:
                client.request("GET", self.path, headers=dict(self.headers.items()))
                answer = client.getresponse()
                body = answer.read()
            seen.append((answer.headers["Content-Type"], answer.headers.get("Content-Encoding", "identity")))
            self.send_response(answer.status)
            self.send_header("Content-Type", seen[-1][0])
            self.send_header("Content-Encoding", seen[-1][1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Through) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("flags", "media_type"),
    [
        ([], "text/plain"),
        # Prometheus asks for protobuf where it is to read native histograms.
        (["--enable-feature=native-histograms"], "application/vnd.google.protobuf"),
    ],
    ids=["text", "protobuf"],
)
def test_prometheus(flags: list[str], media_type: str, peer: Callable[[str], str], tmp_path: Path) -> None:
    prometheus, promtool, port = peer("prometheus"), peer("promtool"), free_port()
    with serving() as server, contextmanager(recorded)(server.port) as (through, seen):
        url = f"http://127.0.0.1:{server.port}"
        through_python()("PUT", url, "batch", "instance", "db1")
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n  - job_name: gateway\n    honor_labels: true\n    scrape_interval: 1s\n"
            f'    static_configs:\n      - targets: ["127.0.0.1:{through}"]\n'
        )
        command = [prometheus, "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}", *flags]
        # Debian's would keep, and answer from, what all of its kind have scraped.
        command.append("--storage.tsdb.path=scraped")
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                query = [promtool, "query", "instant", f"http://127.0.0.1:{port}"]
                query += ['{job="batch",__name__=~"done_total|took_seconds_(bucket|sum|count)"}']
                for _ in range(600):
                    told = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
                    if told.strip():
                        break
                    assert process.poll() is None, "Prometheus has ended"
                    time.sleep(0.1)
            finally:
                process.terminate()
        # What protobuf has as numbers, Prometheus spells like OpenMetrics.
        fraction = ".0" if "protobuf" in media_type else ""
        assert sorted(line.partition(" @")[0] for line in told.splitlines()) == [
            'done_total{instance="db1", job="batch"} => 3',
            'took_seconds_bucket{instance="db1", job="batch", le="+Inf"} => 1',
            f'took_seconds_bucket{{instance="db1", job="batch", le="1{fraction}"}} => 0',
            f'took_seconds_bucket{{instance="db1", job="batch", le="5{fraction}"}} => 1',
            'took_seconds_count{instance="db1", job="batch"} => 1',
            'took_seconds_sum{instance="db1", job="batch"} => 2',
        ]
        assert {(kind.partition(";")[0], encoding) for kind, encoding in seen} == {(media_type, "gzip")}
