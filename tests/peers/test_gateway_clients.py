"""Client libraries and programs against ``expofmt serve`` and the original: the same becomes of what they send."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Histogram, Info, Summary
from prometheus_client.exposition import (
    CONTENT_TYPE_PLAIN_0_0_4,
    delete_from_gateway,
    generate_latest,
    instance_ip_grouping_key,
    push_to_gateway,
)

from tests.peers.beside import asked, both, put
from tests.peers.beside import request as get
from tests.peers.clients import CLIENTS, ClientError, Push, through_driver, through_python
from tests.peers.test_cli_push import groups, running
from tests.peers.test_pushgateway import free_port
from tests.serving import connection, serving

BODY = b"# TYPE done_total counter\ndone_total 3\n"


class Target(NamedTuple):
    """A gateway without groups, and whether it is ours, Debian's or the newest."""

    url: str
    kind: str


def scraped(url: str, *needles: str) -> list[str]:
    """The lines of a scrape that hold all of these."""
    with urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    return [line for line in text.splitlines() if line[0] != "#" and all(needle in line for needle in needles)]


@pytest.fixture(scope="module", params=["ours", "debian", "newest"])
def target(request: pytest.FixtureRequest, peer: Callable[[str], str]) -> Iterator[Target]:
    if request.param == "ours":
        with serving() as server:
            yield Target(f"http://127.0.0.1:{server.port}", "ours")
        return
    is_newest = request.param == "newest"
    program = request.getfixturevalue("newest_program") if is_newest else peer("prometheus-pushgateway")
    with running(program) as url:
        yield Target(url, request.param)


# prom-client sends a slash as %2F, which separates like any other; values that are empty are no path to it.
NOT_OF_NODE = {"a/b", "/", ""}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("value", ["db1", "a/b", "/", "", "x y", "Björn \u2603", 'q"\\', "a+b", "100%", "a=b&c?d#e"])
def test_grouping_keys(target: Target, client: str, push: Push, value: str) -> None:
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
def test_curl(target: Target, how: str, peer: Callable[[str], str]) -> None:
    url = f"{target.url}/metrics/job/curl"
    command = [peer("curl"), "-sS", "-w", "%{http_code}", *CURL[how]]
    done = subprocess.run([*command, url], input=BODY, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"200"
    assert scraped(target.url, "done_total{") == ['done_total{instance="",job="curl"} 3']
    done = subprocess.run([*command, url], input=b"done_total\n", stdout=subprocess.PIPE, check=True)
    assert done.stdout.endswith(b"400")
    assert subprocess.run(["curl", "-sSf", "-X", "DELETE", url], check=False).returncode == 0
    assert groups(target.url) == []


# Names that need quotes, in each spelling that a path may have, and what is no name. Each has a value of its own: of
# series whose values are equal, the original may show either first.
KEYS_OF_UTF8 = [
    ("zo.ne", "db1"),
    ("zo.ne", ""),
    ("zöne", "x y"),
    ("zo ne", "é/ü"),
    ('q"\\', "Björn \u2603"),
    ("a?b", "question"),
    ("a/b", "slash"),
    ("x@y", "at"),
    ("U__zo_2e_ne", "db2"),
    ("U__z_f6", "a/b"),
    ("U__not_xyz_hex", "as it is"),
    ("U____x", "underscore"),
    ("U__", "nothing"),
    ("__x", "reserved"),
]
SCRAPES = ["", ";escaping=values", ";escaping=dots", ";version=1.0.0;escaping=allow-utf-8"]
UTF8 = "--push.enable-utf8-names"


@pytest.fixture(scope="module", params=[[], [UTF8]], ids=["legacy", "utf-8"])
def pair(request: pytest.FixtureRequest, newest_program: str) -> Iterator[tuple[int, int]]:
    with both(newest_program, "--web.enable-admin-api", *request.param) as ports:
        yield ports


def said(push: Push, port: int, *arguments: str) -> str:
    """What a client says of a push, but for whom it was sent to."""
    try:
        push("PUT", f"http://127.0.0.1:{port}", *arguments)
    except ClientError as error:
        return str(error).replace(f":{port}", "")
    return "done"


def assert_scraped_alike(pair: tuple[int, int]) -> list[bytes]:
    """What is scraped of both gateways is the same; it is what is given, with names as they are, and wiped."""
    for how in SCRAPES:
        [expected], [found] = (asked(port, get("GET", "/metrics", f"Accept: text/plain{how}")) for port in pair)
        assert found == expected
    for port in pair:
        asked(port, get("PUT", "/api/v1/admin/wipe"))
    lines: list[bytes] = found.body
    return lines


@pytest.mark.parametrize("client", CLIENTS)
def test_grouping_keys_of_utf_8(pair: tuple[int, int], client: str, push: Push) -> None:
    theirs, ours = pair
    for key in KEYS_OF_UTF8:
        assert said(push, ours, "batch", *key) == said(push, theirs, "batch", *key), key
    assert len(assert_scraped_alike(pair)) > 10


def body_of_python(escaping: str) -> bytes:
    registry = CollectorRegistry()
    Counter("döne.jobs-of", "What was done.", ["zo.ne"], registry=registry).labels("é").inc(3)
    Histogram("took seconds", "How long.", ['a"\\b'], buckets=[1, 5], registry=registry).labels("c").observe(2)
    Summary("sum.mary", "Sums.", registry=registry).observe(2)
    Info("in.fo", "Facts.", registry=registry).info({"version": "1"})
    Enum("sta.te", "State.", states=["on", "off"], registry=registry).state("on")
    return generate_latest(registry, escaping=escaping)


@pytest.mark.parametrize("content_type", ["text/plain; version=1.0.0; escaping=allow-utf-8", CONTENT_TYPE_PLAIN_0_0_4])
@pytest.mark.parametrize("escaping", ["allow-utf-8", "values", "dots", "underscores"])
def test_names_as_python_writes_them(pair: tuple[int, int], content_type: str, escaping: str) -> None:
    sent = put("/metrics/job/j", body_of_python(escaping), f"Content-Type: {content_type}")
    [expected], [found] = (asked(port, sent) for port in pair)
    assert found == expected
    lines = assert_scraped_alike(pair)
    assert any(b"d\xc3\xb6ne" in line for line in lines) is (expected.status == 200 and escaping == "allow-utf-8")


@pytest.mark.parametrize("escaping", ["", "allow-utf-8", "values", "dots"])
@pytest.mark.parametrize("format", ["protobuf", "text"])
def test_names_as_go_sends_them(
    pair: tuple[int, int], format: str, escaping: str, go_driver: list[str], request: pytest.FixtureRequest
) -> None:
    options = ["--utf8", f"--escaping={escaping}", *(["--text"] if format == "text" else [])]
    expected, found = (said(through_driver(*go_driver, *options), port, "j") for port in pair)
    if (format, escaping) == ("protobuf", "allow-utf-8") and "legacy" in request.node.callspec.id:
        # The original takes any names of protobuf.
        assert (expected, "error[non-legacy-name]" in found) == ("done", True)
        for port in pair:
            asked(port, get("PUT", "/api/v1/admin/wipe"))
    else:
        assert found == expected
        assert_scraped_alike(pair)


def test_names_as_ours_sends_them(pair: tuple[int, int], request: pytest.FixtureRequest) -> None:
    """To a gateway that knows no such names, too: then the line that it refuses is shown."""
    body = body_of_python("allow-utf-8")
    is_legacy = "legacy" in request.node.callspec.id
    for port in pair:
        command = [sys.executable, "-m", "expofmt", "push", f"http://127.0.0.1:{port}", "--job=j", "--names=utf-8"]
        done = subprocess.run(command, input=body, capture_output=True, check=False)
        assert done.returncode == (1 if is_legacy else 0)
        assert (b'1 | # HELP "d\xc3\xb6ne.jobs-of_total" What was done.\n' in done.stderr) is is_legacy
    assert (assert_scraped_alike(pair) == []) is is_legacy


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
