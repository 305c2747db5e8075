"""The store against Prometheus Pushgateway: the same requests are accepted, and the same bytes scraped.

Compared are Debian's package and the newest release, which is built where Go is found. Left out of the comparison are
the gateway's own families, and of the times of each group all but whether there is one. Where the store does something
else on purpose, DELIBERATE says why; the README has the same in a table.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from expofmt import (
    Code,
    ContentType,
    Exposition,
    ExpositionError,
    Format,
    GroupingKey,
    GroupStore,
    MetricFamily,
    parse,
    render,
)
from expofmt.strategies import exposition_text, expositions, invalid_expositions

pytestmark = pytest.mark.usefixtures("engine")

# What the store refuses and one or the other release takes.
DELIBERATE = {
    Code.DUPLICATE_BUCKET: "both buckets of one bound would be scraped",
    Code.DUPLICATE_SAMPLE: "of a second `_sum`, `_count` or quantile, one would be scraped, or both",
    Code.INVALID_COUNT: "counts that are no number, negative, or with a fraction become others, or stay",
    Code.OPENMETRICS_TYPE: "gauge histograms would be scraped as histograms",
    Code.QUOTED_NAME_OUTSIDE_BRACES: "the format has quoted names in braces only",
    Code.UNQUOTED_NAME_IN_BRACES: "the format has quoted names in braces only",
    Code.MISSING_METRIC_NAME: "the newest release adds such a sample to the metric before, or loses the connection",
    Code.SUFFIX_COLLISION: "a HELP line of a histogram's `_sum` would be that of the histogram",
    Code.TYPE_AFTER_SAMPLES: "a TYPE line after samples of that name says nothing of them",
    Code.CARRIAGE_RETURN: "a carriage return at the end of a HELP text would be scraped",
    Code.INVALID_UTF8: "a HELP text that is not UTF-8 would be scraped",
    Code.VALUE_OUT_OF_RANGE: "a count beyond float64 is no count",
    Code.NON_LEGACY_NAME: "a name that needs quotes is refused in comments, too",
    Code.UNKNOWN_ESCAPE: "the newest release takes an escaped quotation mark in HELP",
}

# What Debian's release does not know: quoted names, and errors for what it makes other numbers of.
NEWER_SYNTAX = re.compile(
    rb"^[^#\n]*[{,]\s*\"|^[^#\n]*\"\s*[,}]\s*[-+0-9.a-zA-Z]|^\s*#\s*(HELP|TYPE)\s+\"", re.MULTILINE
)

# Counts that are not whole, or beyond 64 bits.
FRACTION = re.compile(
    rb"_(?:bucket|count)(?:\{.*\})?\s*(?!(?:[+]?0*\d{1,18}|[+]?\d(?:\.\d+)?[eE][+]?0?\d)\s*$)\S+\s*$", re.MULTILINE
)

# Each example is several requests.
few = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Request(NamedTuple):
    """A request of a client; a body of ``None`` is a DELETE."""

    method: str
    key: GroupingKey
    body: bytes = b""


class Pushgateway:
    """A process of the original."""

    def __init__(self, program: str, is_newest: bool, port: int) -> None:
        self.is_newest = is_newest
        command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file=", "--web.enable-admin-api"]
        self.process = subprocess.Popen([*command, "--log.level=error"], stderr=subprocess.DEVNULL)
        self.connection = HTTPConnection("127.0.0.1", port)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, dict(headers))
            response = self.connection.getresponse()
            return response.status, response.read()
        except OSError:
            self.connection.close()
            raise

    def wait(self) -> None:
        for _ in range(600):
            try:
                if self.ask("GET", "/-/ready")[0] == 200:
                    return
            except OSError:
                assert self.process.poll() is None, "the gateway has ended"
                time.sleep(0.05)
        raise AssertionError("the gateway does not answer")

    def wipe(self) -> None:
        """Returns when it is done: a push waits for what was queued before it."""
        assert self.ask("PUT", "/api/v1/admin/wipe")[0] == 202
        assert self.ask("PUT", "/metrics/job/last", b"")[0] == 200
        assert self.ask("DELETE", "/metrics/job/last")[0] == 202

    def do(self, request: Request) -> bool:
        """Whether it accepts the request."""
        status, answer = self.ask(request.method, request.key.to_path(), request.body)
        assert status in (200, 202, 400), answer
        return status != 400

    def scrape(self) -> bytes:
        # What was only queued is applied before a push of nothing is.
        assert self.ask("PUT", "/metrics/job/last", b"")[0] == 200
        status, text = self.ask("GET", "/metrics")
        assert status == 200, text
        assert self.ask("DELETE", "/metrics/job/last")[0] == 202
        return text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def go_built(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, module: Path, package: str) -> str:
    """The path of a Go program, which is built by whichever worker of pytest-xdist asks for it first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    program = shared / Path(package).name
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = [peer("go"), "build", "-buildvcs=false", "-o", str(program), package]
    with (shared / f"{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run(command, cwd=module, env=environment, check=True)
    return str(program)


def newest(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Builds the release that tests/peers/pushgateway/go.mod names."""
    module = Path(__file__).parent / "pushgateway"
    return go_built(peer, tmp_path_factory, module, "github.com/prometheus/pushgateway")


@pytest.fixture(scope="module")
def gateway(pushgateway: Pushgateway) -> Pushgateway:
    return pushgateway


OWN = re.compile(rb"# (?:HELP|TYPE) (?:go|process|pushgateway)_|(?:go|process|pushgateway)_")
LAST = re.compile(rb'[a-z_]+\{instance="",job="last"\} ')
TIME = re.compile(rb"^((?:push_time|push_failure_time)_seconds\{.*\}) (?!0$).*$")


def shown(text: bytes, times: bool = True) -> list[bytes]:
    """The lines of what was pushed, and of the times whether there was one."""
    lines = [TIME.sub(rb"\1 then", line) for line in text.split(b"\n") if not OWN.match(line) and not LAST.match(line)]
    lines = (
        lines if times else [line for line in lines if not re.match(rb"(# .... )?push_(failure_)?time_seconds", line)]
    )
    # Without a group, the original shows no family of times; nor does the store.
    return [line for line in lines if line != b""]


def refusal(store: GroupStore, request: Request) -> list[Code]:
    """The codes of the errors with which the store refuses a request; none if it does not."""
    try:
        match request.method:
            case "PUT":
                store.put(request.key, request.body)
            case "POST":
                store.post(request.key, request.body)
            case "DELETE":
                store.delete(request.key)
    except ExpositionError as error:
        return [diagnostic.code for diagnostic in error.diagnostics if diagnostic.severity == "error"]
    return []


def compare(gateway: Pushgateway, requests: list[Request]) -> None:
    """Each request has the same outcome, and what is scraped after it is the same."""
    gateway.wipe()
    store = GroupStore()
    for request in requests:
        codes = refusal(store, request)
        accepted = gateway.do(request)
        if accepted and Code.DUPLICATE_SAMPLE in codes:
            # From here on, they hold other groups. See DELIBERATE.
            return
        assert accepted is (not codes), codes
        theirs = shown(gateway.scrape())
        if not any(line.startswith(b"push_time_seconds{") for line in theirs):
            theirs = [line for line in theirs if b"# " not in line]
        assert shown(store.render()) == theirs


# Label values tell their labels, because Pushgateway does not order series that differ in the names of labels only.
LABELS = st.dictionaries(st.sampled_from(["a", "b", "instance", "job", "zone"]), st.sampled_from("123")).map(
    lambda labels: {name: name[0] + value for name, value in labels.items()}
)
KEYS = st.builds(
    lambda job, labels: GroupingKey(job, {name: name[0] + value for name, value in labels.items()}),
    st.sampled_from(["j1", "j2"]),
    st.dictionaries(st.sampled_from(["instance", "zone"]), st.sampled_from("12"), max_size=1),
)
VALUES = st.sampled_from(["0", "1", "2.5", "1e6", "NaN", "+Inf", "-3", "1234567", "0.00001"])
COUNTS = st.integers(0, 10**7).map(str)


def braces(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@st.composite
def family_texts(draw: st.DrawFn) -> tuple[str, str]:
    """A family by its name, perhaps one that others collide with."""
    name = draw(st.sampled_from(["m", "n", "m_sum", "m_count", "m_bucket", "m_total", "push_time_seconds"]))
    type = draw(st.sampled_from(["counter", "gauge", "untyped", "", "histogram", "summary"]))
    text = f"# HELP {name} Of {name}.\n" if name in ("m", "n_total", "m_count") else ""
    text += f"# TYPE {name} {type}\n" if type else ""
    for labels in draw(st.lists(LABELS, min_size=1, max_size=3, unique_by=lambda each: tuple(sorted(each.items())))):
        if type == "histogram":
            for bound in sorted(draw(st.sets(st.sampled_from([0.5, 1.0, 5.0, float("inf")])))):
                bucket = {**labels, "le": "+Inf" if bound == float("inf") else f"{bound}"}
                text += f"{name}_bucket{braces(bucket)} {draw(COUNTS)}\n"
        if type == "summary":
            for quantile in sorted(draw(st.sets(st.sampled_from([0.5, 0.9, 0.99])))):
                text += f"{name}{braces({**labels, 'quantile': str(quantile)})} {draw(VALUES)}\n"
        if type in ("histogram", "summary"):
            text += f"{name}_sum{braces(labels)} {draw(VALUES)}\n" if draw(st.booleans()) else ""
            text += f"{name}_count{braces(labels)} {draw(COUNTS)}\n" if draw(st.booleans()) else ""
            # As it is dropped, it need not be one of a kind.
            text += f"{name}{braces(labels)} 1\n" if draw(st.integers(0, 9)) == 0 else ""
        else:
            text += f"{name}{braces(labels)} {draw(VALUES)}\n"
    return name, text


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    texts = draw(st.lists(family_texts(), max_size=3, unique_by=lambda item: item[0]))
    # The original reads what comes before a histogram's TYPE line as other families.
    texts.sort(key=lambda item: item[0])
    text = "".join(text for _, text in texts)
    stamped = draw(st.integers(0, 19)) == 0
    return (re.sub(r"\n\Z", " 1\n", text) if stamped else text).encode()


REQUESTS = st.builds(Request, st.sampled_from(["PUT", "POST", "PUT", "POST", "DELETE"]), KEYS, bodies())


@settings(few, max_examples=40)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=6))
@example(requests=[Request("PUT", GroupingKey("j"), b"# TYPE m histogram\nm_sum 0\nm_sum 0\n")])
def test_sequences(gateway: Pushgateway, requests: list[Request]) -> None:
    compare(gateway, requests)


PICKED = {
    "wrong labels are replaced, and instance added": [
        Request("PUT", GroupingKey("j", instance="i"), b'm{job="x",instance="y",a="b"} 1\n'),
        Request("PUT", GroupingKey("j"), b'm{a="b"} 1\nn{instance="z"} 1\n'),
    ],
    "a group of the job alone is not that with an instance": [
        Request("PUT", GroupingKey("j", instance="i"), b"m 1\n"),
        Request("DELETE", GroupingKey("j")),
        Request("DELETE", GroupingKey("j", instance="i")),
    ],
    "an empty replacement leaves the times": [
        Request("PUT", GroupingKey("j"), b"m 1\n"),
        Request("PUT", GroupingKey("j"), b""),
    ],
    "a failure is remembered until the group is deleted": [
        Request("PUT", GroupingKey("j"), b"m 1 1\n"),
        Request("PUT", GroupingKey("j"), b"m 1\n"),
        Request("POST", GroupingKey("j"), b"m 1\nm 2\n"),
        Request("PUT", GroupingKey("k"), b"# TYPE m gauge\nm 1\n"),
        Request("DELETE", GroupingKey("j")),
        Request("PUT", GroupingKey("k"), b"# TYPE m gauge\nm 1\n"),
    ],
    "a series of another group": [
        Request("PUT", GroupingKey("j", instance="i"), b"m 1\n"),
        Request("PUT", GroupingKey("j"), b'm{instance="i"} 1\n'),
        Request("POST", GroupingKey("j"), b'm{instance="o"} 1\n'),
    ],
    "types may change within a group": [
        Request("PUT", GroupingKey("j"), b"# TYPE m histogram\nm_sum 1\n"),
        Request("POST", GroupingKey("j"), b"m_count 1\n"),
        Request("PUT", GroupingKey("j"), b"m_count 1\n"),
        Request("POST", GroupingKey("j"), b"# TYPE m summary\nm_sum 1\n"),
        Request("PUT", GroupingKey("j"), b"# TYPE m summary\nm_sum 1\n"),
    ],
    "a family of the gateway": [
        Request("PUT", GroupingKey("j"), b"m 1\n"),
        Request("PUT", GroupingKey("j"), b"# TYPE push_time_seconds histogram\npush_time_seconds_sum 1\n"),
        Request("PUT", GroupingKey("k"), b"push_time_seconds_count 1\n"),
        Request("PUT", GroupingKey("j"), b"# TYPE push_time summary\npush_time_sum 1\npush_time_seconds 3\n"),
    ],
    "labels that are empty, and values that have to be escaped": [
        Request("PUT", GroupingKey("a/b c", instance=""), 'm{x=""} 1\nm 2\nm{x="é\\"\\\\\\n\t"} 3\n'.encode()),
        Request("PUT", GroupingKey("j", zone="ü"), b"# HELP n \\\\ \\n x  \nn 1\n"),
    ],
    "samples that are dropped": [
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh 3\nh_bucket{x="1"} 1\nh_bucket{x="2",le="NaN"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh{le="2"} 3\nh_sum{le="2"} 1\nh_count{le="7"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE s summary\ns 3\ns{x="1",quantile="NaN"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE s summary\ns_sum{quantile="1"} 3\ns_count{le="1"} 1\n'),
    ],
    "bounds that are no numbers, of what is no bucket": [
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh_sum{le="x"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh_count{le=""} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh{le="x"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE h histogram\nh_sum{le="nan"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE s summary\ns_sum{quantile="x"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE s summary\ns_count{quantile="0x1"} 1\n'),
        Request("PUT", GroupingKey("j"), b'# TYPE s summary\ns_count{quantile="7"} 1\n'),
        Request("POST", GroupingKey("j"), b'# TYPE g gauge\ng{quantile="x",le="y"} 1\n'),
    ],
    "families without samples": [
        Request("PUT", GroupingKey("j"), b"# TYPE m gauge\n# HELP n Text.\no 1\n"),
        Request("PUT", GroupingKey("k"), b"# TYPE m counter\nm 1\n"),
    ],
    "label names that are reserved": [Request("PUT", GroupingKey("j"), b'm{__x="y"} 1\n')],
}


@pytest.mark.parametrize("requests", PICKED.values(), ids=PICKED)
def test_picked_sequences(gateway: Pushgateway, requests: list[Request]) -> None:
    compare(gateway, requests)


def is_for(gateway: Pushgateway, body: bytes) -> bool:
    """Whether the release makes of it what it says: Debian's has no quoted names, and cuts counts to whole numbers."""
    return gateway.is_newest or not (NEWER_SYNTAX.search(body) or FRACTION.search(body))


def compare_body(gateway: Pushgateway, body: bytes) -> None:
    """One push to an empty gateway, of a body of any kind; buckets and quantiles are compared in order."""
    request = Request("PUT", GroupingKey("j"), body)
    gateway.wipe()
    store = GroupStore()
    codes = refusal(store, request)
    try:
        accepted = gateway.do(request)
    except ConnectionError:
        # What it gives up on is no example to follow.
        assert codes
        return
    if not accepted:
        assert codes
    elif codes:
        assert DELIBERATE.keys() & set(codes), codes
    else:
        theirs = b"\n".join([*shown(gateway.scrape(), times=False), b""])
        assert shown(store.render(), times=False) == render(parse(theirs)).split(b"\n")[:-1]


@few
@given(body=exposition_text(names="legacy", timestamps=False))
@example(body=b'# TYPE h histogram\nh_bucket{le="5"} 2\nh_bucket{le="1"} 1\n')
def test_bodies_in_all_spellings(gateway: Pushgateway, body: bytes) -> None:
    if is_for(gateway, body):
        compare_body(gateway, body)


@few
@given(pair=invalid_expositions(names="legacy"))
def test_invalid_bodies(gateway: Pushgateway, pair: tuple[bytes, Code]) -> None:
    if is_for(gateway, pair[0]):
        compare_body(gateway, pair[0])


@few
@given(exposition=expositions(names="legacy", timestamps=False))
@example(exposition=Exposition([MetricFamily.gauge("a", float("nan"), help='\\\n"')]))
def test_expositions(gateway: Pushgateway, exposition: Exposition) -> None:
    """Pushed as objects here, as their text there."""
    key = GroupingKey("j")
    if not is_for(gateway, render(exposition)):
        return
    gateway.wipe()
    store = GroupStore()
    try:
        store.put(key, exposition)
    except ExpositionError:
        assert refusal(store, Request("PUT", key, render(exposition)))
        return
    assert gateway.do(Request("PUT", key, render(exposition)))
    assert shown(store.render(), times=False) == shown(gateway.scrape(), times=False)


PROTOBUF = str(ContentType(Format.PROTOBUF))


def messages(data: bytes) -> dict[str, bytes]:
    """Each message without its length, by the name of its family; not those of the gateway and its times."""
    found, at = {}, 0
    while at < len(data):
        length = shift = 0
        while True:
            length |= (data[at] & 0x7F) << shift
            at, shift, is_last = at + 1, shift + 7, data[at] < 0x80
            if is_last:
                break
        message, at = data[at : at + length], at + length
        assert message[0] == 0x0A
        found[message[2 : 2 + message[1]].decode()] = message
    return {name: message for name, message in found.items() if not re.match(r"(go|process|pushgateway|push)_", name)}


def compare_messages(gateway: Pushgateway, exposition: Exposition) -> None:
    """The same messages are pushed to both, and scraped from both; but for empty help texts, which text cannot have."""
    exposition = Exposition(
        MetricFamily(family.name, family.type, family.help or None, None, family.samples)
        for family in exposition.values()
    )
    pushed = render(exposition, format=Format.PROTOBUF)
    gateway.wipe()
    store = GroupStore()
    try:
        store.put(GroupingKey("j"), pushed, format=Format.PROTOBUF)
    except ExpositionError:
        # What no text could say either.
        assert refusal(store, Request("PUT", GroupingKey("j"), render(exposition)))
        return
    assert gateway.ask("PUT", "/metrics/job/j", pushed, {"Content-Type": PROTOBUF})[0] == 200
    status, theirs = gateway.ask("GET", "/metrics", headers={"Accept": PROTOBUF})
    assert status == 200
    assert messages(store.render(format=Format.PROTOBUF)) == messages(theirs)
    assert shown(store.render(), times=False) == shown(gateway.scrape(), times=False)


@few
@given(exposition=expositions(names="legacy", timestamps=False))
def test_protobuf(gateway: Pushgateway, exposition: Exposition) -> None:
    if is_for(gateway, render(exposition)):
        compare_messages(gateway, exposition)


def test_protobuf_of_real_scrapes(gateway: Pushgateway, data: Path) -> None:
    for path in sorted(data.glob("*.prom")):
        # The families of the gateway itself are in the way of those that are pushed.
        theirs = re.compile(rb"^(# .... )?(go|process|promhttp|pushgateway|push)_.*\n", re.MULTILINE)
        text = re.sub(rb" \d{13}$", b"", theirs.sub(b"", path.read_bytes()), flags=re.MULTILINE)
        compare_messages(gateway, parse(text))


def test_broken_protobuf(gateway: Pushgateway) -> None:
    whole = render([MetricFamily.gauge("m", 1)], format=Format.PROTOBUF)
    store = GroupStore()
    for body in (whole[:-1], whole[:1], b"\x01\x07", b"\x02\x0a\x05"):
        with pytest.raises(ExpositionError):
            store.put(GroupingKey("j"), body, format=Format.PROTOBUF)
        # To Debian's release, a length without a message is the end.
        expected = 400 if gateway.is_newest or len(body) > 1 else 200
        assert gateway.ask("PUT", "/metrics/job/broken", body, {"Content-Type": PROTOBUF})[0] == expected
