"""The gateway as an object: what no story tells."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt import Diagnostic, GroupingKey, GroupStore, JournalError, check
from expofmt.committed import Committed
from expofmt.gateway import Gateway, Headers, OwnMetrics, Request, handler
from expofmt.gateway.handler import gateway_of
from tests.journals import MemoryJournal

pytestmark = pytest.mark.usefixtures("engine")

BODY = b"a 1\n"
PUSH = Request("PUT", "/metrics/job/j", body=BODY, source="10.0.0.1:5")


def scraped(gateway: Gateway, name: str = "a") -> bytes:
    response = gateway.handle(Request("GET", f"/metrics?name[]={name}"))
    assert response.status == 200
    return response.body


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, str]]] = []

    def __call__(self, level: str, message: str, fields: Mapping[str, str]) -> None:
        self.lines.append((level, message, fields))


def test_a_journal_that_fails_is_a_503_and_all_else_is_served() -> None:
    journal, log = MemoryJournal(), Log()
    with GroupStore(journal=journal) as store:
        gateway = Gateway(store, on_log=log, enable_admin_api=True)
        assert gateway.handle(PUSH).status == 200
        journal.failing = JournalError("disk full")
        for request in (PUSH, Request("DELETE", "/metrics/job/j"), Request("PUT", "/api/v1/admin/wipe")):
            response = gateway.handle(request)
            assert (response.status, response.body) == (503, b"disk full\n")
        assert log.lines[0] == (
            "error",
            "the change could not be recorded",
            {"method": "PUT", "source": "10.0.0.1:5", "err": "disk full"},
        )
        assert scraped(gateway) == b'# TYPE a untyped\na{instance="",job="j"} 1\n'
        journal.failing = None
        assert gateway.handle(Request("DELETE", "/metrics/job/j")).status == 202


def test_a_closed_store_is_a_503_and_can_be_scraped() -> None:
    store = GroupStore()
    gateway = Gateway(store)
    gateway.handle(PUSH)
    store.close()
    response = gateway.handle(PUSH)
    assert (response.status, response.body) == (503, b"the store is closed\n")
    assert scraped(gateway)


def test_a_broken_store_is_a_503_and_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    log = Log()
    gateway = Gateway(GroupStore(), on_log=log, enable_admin_api=True)
    assert gateway.handle(PUSH).status == 200
    assert gateway.handle(Request("GET", "/-/healthy")).body == b"OK"
    with monkeypatch.context() as patch:
        patch.setattr(Committed, "_publish", broken)
        asked = [gateway.handle(PUSH)]
    requests = [Request("DELETE", "/metrics/job/j"), Request("PUT", "/api/v1/admin/wipe"), PUSH]
    asked += map(gateway.handle, [*requests, Request("GET", "/-/healthy"), Request("GET", "/-/ready")])
    for response in asked:
        assert response.status == 503
        assert response.body.startswith(b"the store is broken by an unexpected error")
        assert b"a bug" in response.body
    assert scraped(gateway)
    [(level, message, fields)] = log.lines
    assert (level, message, fields["err"]) == ("error", "the store is broken", gateway.store.broken)


def test_what_nobody_expects_is_a_500_and_logged() -> None:
    log = Log()

    def broken() -> Any:
        raise OSError("no /proc here")

    store = GroupStore()
    store._own = broken
    response = Gateway(store, on_log=log).handle(Request("GET", "/metrics"))
    assert (response.status, response.body) == (500, b"unexpected error: no /proc here\n")
    assert log.lines[0][0] == "error"


def test_what_is_refused_is_logged_and_remembered() -> None:
    log = Log()
    gateway = Gateway(GroupStore(clock=lambda: 5 * 10**9), on_log=log)
    assert gateway.handle(Request("PUT", "/metrics/job/j", body=b"a 1 1\n", source="x")).status == 400
    assert gateway.handle(Request("PUT", "/metrics/job/j", body=b"a\n")).status == 400
    assert gateway.handle(Request("PUT", "/metrics/job/j/a")).status == 400
    assert [line[:2] for line in log.lines] == [
        ("error", "pushed metrics are invalid or inconsistent with existing metrics"),
        ("debug", "failed to parse text"),
        ("debug", "failed to parse URL"),
    ]
    assert log.lines[0][2]["source"] == "x"
    assert b'push_failure_time_seconds{instance="",job="j"} 5\n' in scraped(gateway, "push_failure_time_seconds")


def test_without_another_log_there_is_that_of_python(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(GroupStore())
    gateway.handle(Request("PUT", "/metrics/job/j", body=b"a 1 1\n"))
    [record] = caplog.records
    assert (record.name, record.levelname) == ("expofmt.gateway", "ERROR")


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_bodies_beyond_the_limit_are_a_413(encoding: str | None) -> None:
    own = OwnMetrics()
    gateway = Gateway(GroupStore(own=own.families), own=own, max_body_bytes=1000)
    body = b"# " + b"x" * 1000 + b"\n"
    headers = Headers([("Content-Encoding", encoding)]) if encoding else Headers()
    response = gateway.handle(Request("PUT", "/metrics/job/j", headers, gzip.compress(body) if encoding else body))
    assert response.status == 413
    assert b"at most 1000 bytes" in response.body
    assert response.header("Connection") == "close"
    assert not gateway.store.groups
    counted = scraped(gateway, "pushgateway_http_requests_total")
    assert b'{code="413",handler="push",method="put"} 1\n' in counted


def test_a_declared_length_beyond_the_limit_is_a_413_before_anything_is_read() -> None:
    gateway = Gateway(GroupStore(), max_body_bytes=1000)
    for length in ("1001", "9" * 19):
        headers = Headers([("Content-Length", length)])
        assert gateway.handle(Request("PUT", "/metrics/job/j", headers)).status == 413


def test_quitting_is_up_to_whoever_serves() -> None:
    asked: list[int] = []
    gateway = Gateway(GroupStore(), enable_lifecycle=True, on_quit=lambda: asked.append(1))
    assert gateway.handle(Request("PUT", "/-/quit")).status == 200
    assert asked == [1]


def test_replies_are_compressed_for_those_who_ask() -> None:
    gateway = Gateway(GroupStore())
    gateway.handle(PUSH)
    plain = gateway.handle(Request("GET", "/metrics"))
    packed = gateway.handle(Request("GET", "/metrics", Headers([("Accept-Encoding", "deflate, gzip")])))
    assert packed.header("Content-Encoding") == "gzip"
    assert plain.header("Content-Encoding") is None
    assert gzip.decompress(packed.body) == plain.body


def test_a_lenient_gateway_keeps_the_places() -> None:
    gateway = Gateway(GroupStore(), lenient=True)
    headers = Headers([("Accept", "application/json")])
    response = gateway.handle(Request("PUT", "/metrics/job/j", headers, b"a 1 \nb 2 \nb 3"))
    assert response.status == 400
    errors = [each for each in json.loads(response.body) if each["severity"] == "error"]
    assert [(each["code"], each["line"]) for each in errors] == [("duplicate-sample", 3)]


# The defaults of curl and browsers, of axios and Angular, of jQuery, and what somebody asks for.
@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json, text/plain, */*", False),
        ("application/json, text/javascript, */*; q=0.01", True),
        ("application/json", True),
        ("Application/JSON;charset=utf-8", True),
        ("text/plain;q=0.9, application/json", True),
        ("text/plain, application/json;q=0.9", False),
        ("text/*, application/json;q=0.9, */*;q=0.1", False),
        ("application/json;q=0", False),
        ("application/json;q=0.1, text/plain;q=0", True),
        ("application/*", False),
        ("application/problem+json", False),
    ],
)
def test_diagnostics_are_for_those_who_prefer_json(accept: str, wanted: bool) -> None:
    gateway = Gateway(GroupStore())
    for body in (b"a 1\n", b"a x\n"):
        response = gateway.handle(Request("PUT", "/metrics/job/j", Headers([("Accept", accept)]), body))
        assert (response.header("Content-Type") == "application/json") is wanted


@pytest.mark.parametrize("body", [b"a x\n", b"# TYPE a x\n", b"# HELP a b\n# HELP a c\n"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_refusal_in_text_has_one_diagnostic_written(
    body: bytes, accept: str, engine: str, written: list[Diagnostic]
) -> None:
    all = len(check(body * 5, profile="pushgateway"))
    written.clear()
    request = Request("PUT", "/metrics/job/j", Headers([("Accept", accept)]), body * 5)
    assert Gateway(GroupStore()).handle(request).status == 400
    assert len(written) == (1 if accept == "*/*" else all)
    assert all > 1


def test_accept_in_several_fields_is_one_list() -> None:
    headers = Headers([("Accept", "text/plain;q=0.5"), ("Accept", "application/json")])
    response = Gateway(GroupStore()).handle(Request("PUT", "/metrics/job/j", headers, b""))
    assert response.header("Content-Type") == "application/json"


def test_long_accept_headers_are_not_remembered() -> None:
    gateway = Gateway(GroupStore())
    handler._remembered.cache_clear()
    for accept in ("text/plain", "text/plain;q=0.5", "text/plain;a=" + "x" * 2000):
        assert gateway.handle(Request("GET", "/metrics", Headers([("Accept", accept)]))).status == 200
    assert handler._remembered.cache_info().currsize == 2


def test_what_is_logged_of_a_refusal_is_cut() -> None:
    log = Log()
    gateway = Gateway(GroupStore(), on_log=log)
    body = b"".join(b"a%d 1\na%d 1\n" % (number, number) for number in range(1000))
    response = gateway.handle(Request("PUT", "/metrics/job/j", body=body))
    assert len(response.body) > 10_000
    [(_, _, fields)] = log.lines
    assert 1000 < len(fields["err"]) < 1100
    assert fields["err"].endswith(" characters)")


@pytest.mark.parametrize("root", ["/é", "/a b", "/é/", "/a%"])
def test_a_root_and_a_prefix_of_any_characters(root: str) -> None:
    at = quote(root.removesuffix("/"))
    store = GroupStore()
    mounted = Gateway(store)
    prefixed = Gateway(store, route_prefix=root, telemetry_path="/mé")
    for number, (gateway, base, scrape) in enumerate([(mounted, root, "/metrics"), (prefixed, "", "/m%C3%A9")]):
        push = Request("PUT", f"{at}/metrics/job/{number}", root=base, body=BODY)
        assert gateway.handle(push).status == 200
        assert gateway.handle(Request("GET", at + scrape, root=base)).status == 200
        assert gateway.handle(Request("GET", f"{at}{scrape}/", root=base)).header("Location") == at + scrape
    assert list(store.groups) == [GroupingKey("0"), GroupingKey("1")]


def test_times_are_told_in_a_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    gateway = Gateway(GroupStore(clock=lambda: 0), clock=lambda: 0, zone=zone)
    gateway.handle(PUSH)
    for path in ("metrics", "status"):
        assert b'"1970-01-01T05:30:00+05:30"' in gateway.handle(Request("GET", f"/api/v1/{path}")).body


def test_options_belong_to_one_of_both() -> None:
    with pytest.raises(TypeError):
        gateway_of(Gateway(GroupStore()), {"unchecked": True})


def test_what_is_quick() -> None:
    gateway = Gateway(GroupStore())
    assert gateway.is_quick(PUSH)
    assert gateway.is_quick(Request("GET", "/-/healthy"))
    assert gateway.is_quick(Request("GET", "/metrics"))
    gateway.handle(Request("PUT", "/metrics/job/j", body="".join(f'a{{b="{n}"}} 1\n' for n in range(5000)).encode()))
    assert not gateway.is_quick(Request("GET", "/metrics"))
    assert not gateway.is_quick(Request("GET", "/api/v1/metrics"))
    assert not gateway.is_quick(Request("PUT", "/metrics/job/j", body=bytes(10**6)))
    assert not gateway.is_quick(Request("PUT", "/metrics/job/j", Headers([("Content-Encoding", "gzip")]), b"x"))
    # Protobuf takes longer to read than text.
    kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    headers = Headers([("Content-Type", kind)])
    assert gateway.is_quick(Request("PUT", "/metrics/job/j", headers, bytes(1000)))
    assert not gateway.is_quick(Request("PUT", "/metrics/job/j", headers, bytes(10**4)))
    assert gateway.is_quick(Request("PUT", "/metrics/job/j", body=bytes(10**4)))


TEXT = st.text(st.characters(max_codepoint=255), max_size=20)
PATHS = st.one_of(
    TEXT,
    st.lists(
        st.sampled_from(
            [
                *"/.%?&=#",
                "//",
                "..",
                "%2F",
                "%FF",
                "%zz",
                "metrics",
                "job",
                "@base64",
                "api/v1",
                "static",
                "-",
                "quit",
                "a",
            ]
        ),
        max_size=12,
    ).map(lambda parts: "/" + "".join(parts)),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Accept", "accept-encoding", "Content-Encoding", "Content-Type", "Content-Length", "Host"]),
        st.one_of(
            TEXT,
            st.sampled_from(["gzip", "snappy", "zstd", "application/json", "5", "text/plain;q=1;q=1", "gzip;q=x"]),
        ),
    ),
    max_size=4,
).map(Headers)


@pytest.fixture(scope="module")
def any_gateway() -> Gateway:
    own = OwnMetrics()
    return Gateway(
        GroupStore(own=own.families), own=own, enable_admin_api=True, enable_lifecycle=True, on_log=lambda *_: None
    )


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "CONNECT", "put", ""]),
    target=PATHS,
    headers=HEADERS,
    body=st.one_of(st.binary(max_size=50), st.just(b"a 1\n"), st.just(gzip.compress(b"a 1\n"))),
)
def test_anything_has_a_response(any_gateway: Gateway, method: str, target: str, headers: Headers, body: bytes) -> None:
    response = any_gateway.handle(Request(method, target, headers, body))
    assert 200 <= response.status < 500 or response.status == 501
    for name, value in response.headers:
        assert (name + value).isprintable(), "a header could end here, and another begin"
        assert value.isascii()
    assert any_gateway.handle(Request("GET", "/metrics")).status == 200


@given(path=PATHS.filter(lambda path: path.startswith("/")), method=st.sampled_from(["GET", "PUT", "DELETE"]))
def test_redirects_come_to_an_end(any_gateway: Gateway, method: str, path: str) -> None:
    for _ in range(4):
        response = any_gateway.handle(Request(method, path))
        location = response.header("Location")
        if location is None:
            break
        path = location
    assert location is None
