"""The gateway as an ASGI and a WSGI application, alone and inside of others."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Iterable
from threading import Event, get_ident
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from expofmt import GroupingKey, GroupStore
from expofmt.gateway import Gateway, make_asgi_app, make_wsgi_app
from expofmt.gateway.asgi import ASGIApp

pytestmark = pytest.mark.usefixtures("engine")

BODY = b"a 1\n"


async def elsewhere(_: Any) -> PlainTextResponse:
    return PlainTextResponse("elsewhere")


def starlette(store: GroupStore) -> Starlette:
    return Starlette(routes=[Route("/", elsewhere), Mount("/monitoring/push", make_asgi_app(store))])


def asked(app: Any, *requests: tuple[str, str, bytes | Iterable[bytes]]) -> list[httpx.Response]:
    """The responses of an ASGI application to requests, one after the other."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return [await client.request(method, path, content=body) for method, path, body in requests]

    return asyncio.run(ask())


def test_inside_starlette() -> None:
    store = GroupStore()
    at = "/monitoring/push"
    pushed, scraped, redirected, healthy, other = asked(
        starlette(store),
        ("PUT", f"{at}/metrics/job/a%2Fb/c", BODY),
        ("GET", f"{at}/metrics?name[]=a", b""),
        ("GET", f"{at}/metrics/", b""),
        ("GET", f"{at}/-/healthy", b""),
        ("GET", "/", b""),
    )
    assert (pushed.status_code, pushed.content, pushed.headers["content-length"]) == (200, b"", "0")
    assert scraped.text == '# TYPE a untyped\na{b="c",instance="",job="a"} 1\n'
    assert (redirected.status_code, redirected.headers["location"]) == (301, f"{at}/metrics")
    assert healthy.text == "OK"
    assert other.text == "elsewhere"


def test_inside_flask() -> None:
    store = GroupStore()
    flask = Flask(__name__)
    flask.add_url_rule("/", view_func=lambda: "elsewhere")
    client = Client(DispatcherMiddleware(flask.wsgi_app, {"/monitoring/push": make_wsgi_app(store)}))
    at = "/monitoring/push"
    assert client.put(f"{at}/metrics/job/a%2Fb/c", data=BODY).status_code == 200
    assert client.get(f"{at}/metrics?name[]=a").text == '# TYPE a untyped\na{b="c",instance="",job="a"} 1\n'
    redirected = client.get(f"{at}/metrics/")
    assert (redirected.status_code, redirected.headers["Location"]) == (301, f"{at}/metrics")
    assert client.get("/").text == "elsewhere"


def test_below_a_path_of_utf8() -> None:
    store = GroupStore()
    asgi = Starlette(routes=[Mount("/é", make_asgi_app(store))])
    assert [each.status_code for each in asked(asgi, ("PUT", "/é/metrics/job/a", BODY), ("GET", "/é/", b""))] == [
        200
    ] * 2
    wsgi = Client(
        DispatcherMiddleware(Flask(__name__).wsgi_app, {"/é".encode().decode("latin-1"): make_wsgi_app(store)})
    )
    assert wsgi.put("/é/metrics/job/b", data=BODY).status_code == 200
    assert list(store.groups) == [GroupingKey("a"), GroupingKey("b")]


def test_both_serve_one_gateway() -> None:
    gateway = Gateway(GroupStore(), enable_admin_api=True)
    assert Client(make_wsgi_app(gateway)).put("/metrics/job/a", data=BODY).status_code == 200
    [wiped] = asked(make_asgi_app(gateway), ("PUT", "/api/v1/admin/wipe", b""))
    assert wiped.status_code == 202
    assert not gateway.store.groups
    for make in (make_asgi_app, make_wsgi_app):
        with pytest.raises(TypeError):
            make(gateway, lenient=True)


# ----------------------------------------------------------------------------------------------------------- ASGI


async def called(app: ASGIApp, scope: dict[str, Any], messages: list[dict[str, Any]]) -> list[Any]:
    sent: list[Any] = []
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def scope(method: str, path: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        **more,
    }


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_chunks() -> None:
    store = GroupStore()
    messages = [part(b"a ", more=True), part(b"", more=True), part(b"1\n", more=False)]
    start, *_ = asyncio.run(called(make_asgi_app(store), scope("PUT", "/metrics/job/j"), messages))
    assert start["status"] == 200
    assert "a" in store.groups[GroupingKey("j")].families


def test_a_client_that_goes_away_stores_nothing() -> None:
    store = GroupStore()
    messages = [part(b"a 1\n", more=True), {"type": "http.disconnect"}]
    assert asyncio.run(called(make_asgi_app(store), scope("PUT", "/metrics/job/j"), messages)) == []
    assert not store.groups


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5000")]])
def test_a_body_beyond_the_limit_is_not_read_on(headers: list[tuple[bytes, bytes]]) -> None:
    """`receive` would fail if it were asked for a third part."""
    app = make_asgi_app(GroupStore(), max_body_bytes=1500)
    messages = [part(bytes(1000), more=True), part(bytes(1000), more=True)]
    start, *_ = asyncio.run(called(app, scope("PUT", "/metrics/job/j", headers=headers), messages))
    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        ("/metrics/job/j", 413, [(b"content-length", b"999999999")]),
        pytest.param("/metrics/job/j", 413, [(b"content-length", b"9" * 5000)], id="many digits"),
        ("/nope", 404, [(b"content-length", b"4"), (b"expect", b"100-continue")]),
        ("/metrics/job/j/a", 400, [(b"transfer-encoding", b"chunked"), (b"expect", b"100-continue")]),
        ("/-/quit", 403, [(b"content-length", b"300000")]),
    ],
)
def test_a_body_that_nothing_depends_on_is_not_asked_for(
    path: str, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    """`receive` would fail."""
    start, *_ = asyncio.run(called(make_asgi_app(GroupStore()), scope("PUT", path, headers=headers), []))
    assert start["status"] == status
    assert start["headers"].count((b"connection", b"close")) == 1


def test_a_path_that_is_not_told_as_it_was_sent() -> None:
    store = GroupStore()
    told = scope("PUT", "/metrics/job/a b/c%/é", raw_path=None)
    start, *_ = asyncio.run(called(make_asgi_app(store), told, [part(BODY, more=False)]))
    assert start["status"] == 400
    told = scope("PUT", "/metrics/job/a b/c/100%é", raw_path=None)
    start, *_ = asyncio.run(called(make_asgi_app(store), told, [part(BODY, more=False)]))
    assert start["status"] == 200
    assert list(store.groups) == [GroupingKey("a b", c="100%é")]


def test_head_has_no_body() -> None:
    start, body = asyncio.run(called(make_asgi_app(GroupStore()), scope("HEAD", "/metrics"), [part(b"", more=False)]))
    assert start["status"] == 405
    assert (b"content-length", b"19") in start["headers"]
    assert body["body"] == b""


def test_lifespan() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = asyncio.run(called(make_asgi_app(GroupStore()), {"type": "lifespan"}, messages))
    assert [each["type"] for each in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_refused() -> None:
    messages = [{"type": "websocket.connect"}]
    sent = asyncio.run(called(make_asgi_app(GroupStore()), {"type": "websocket"}, messages))
    assert sent == [{"type": "websocket.close"}]


def test_no_other_protocol() -> None:
    with pytest.raises(ValueError):
        asyncio.run(called(make_asgi_app(GroupStore()), {"type": "carrier-pigeon"}, []))


def test_a_scrape_does_not_hold_the_loop() -> None:
    """While a scrape waits, here for what the process says of itself, a push is answered."""
    pushed = Event()
    threads: list[int] = []

    def own() -> list[Any]:
        threads.append(get_ident())
        if len(threads) > 1:
            assert pushed.wait(60)
        return []

    store = GroupStore(own=own)
    # So many that writing them takes time.
    store.put(GroupingKey("large"), "".join(f'large{{n="{n}"}} 1\n' for n in range(5000)))
    app = make_asgi_app(store)

    async def both() -> None:
        scrape = asyncio.create_task(called(app, scope("GET", "/metrics"), [part(b"", more=False)]))
        while len(threads) < 2:  # noqa: ASYNC110 - what it waits for happens in a thread
            await asyncio.sleep(0.001)
        start, *_ = await called(app, scope("PUT", "/metrics/job/j"), [part(BODY, more=False)])
        assert start["status"] == 200
        assert not scrape.done()
        pushed.set()
        start, *_ = await scrape
        assert start["status"] == 200

    asyncio.run(both())
    assert threads[1] != get_ident()


def test_a_large_response_is_sent_in_pieces() -> None:
    store = GroupStore()
    store.put(GroupingKey("large"), "".join(f'large{{n="{n}"}} 1\n' for n in range(20_000)))
    messages = [part(b"", more=False)]
    start, *pieces, end = asyncio.run(called(make_asgi_app(store), scope("GET", "/metrics"), messages))
    assert b"".join(piece["body"] for piece in pieces) == store.render()
    assert (b"content-length", str(len(store.render())).encode()) in start["headers"]
    assert len(pieces) > 1
    assert all(piece["more_body"] for piece in pieces)
    assert end == {"type": "http.response.body", "body": b""}


def test_pushes_at_the_same_time() -> None:
    app = make_asgi_app(GroupStore())

    async def push(number: int) -> int:
        packed = gzip.compress(BODY)
        told = scope("PUT", f"/metrics/job/{number}", headers=[(b"content-encoding", b"gzip")])
        start, *_ = await called(app, told, [part(packed, more=False)])
        status: int = start["status"]
        return status

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(push, range(64)))

    assert asyncio.run(all_of_them()) == [200] * 64


# ----------------------------------------------------------------------------------------------------------- WSGI


def served(store: GroupStore, body: bytes, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    told: dict[str, Any] = {"wsgi.input": io.BytesIO(body), **environ}
    setup_testing_defaults(told)
    answers: list[Any] = []
    chunks = make_wsgi_app(store, max_body_bytes=1000)(told, lambda *answer: answers.append(answer))  # type: ignore[arg-type]
    [(status, headers)] = answers
    return status, dict(headers), b"".join(chunks)


PUT = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/metrics/job/j"}


def test_a_body_that_is_cut_short_is_refused() -> None:
    store = GroupStore()
    status, _, body = served(store, BODY, CONTENT_LENGTH="5", **PUT)
    assert (status, body) == ("400 Bad Request", b"unexpected EOF\n")
    assert not store.groups
    status, headers, body = served(store, BODY, CONTENT_LENGTH="4", **PUT)
    assert (status, headers["Content-Length"], body) == ("200 OK", "0", b"")


def test_a_body_without_a_length() -> None:
    store = GroupStore()
    assert served(store, BODY, **{"wsgi.input_terminated": True}, **PUT)[0] == "200 OK"
    assert "a" in store.groups[GroupingKey("j")].families
    status, _, _ = served(store, bytes(2000), **{"wsgi.input_terminated": True}, **PUT)
    assert status.startswith("413 ")
    # What does not end is not read.
    assert served(store, BODY, REQUEST_METHOD="PUT", PATH_INFO="/metrics/job/other")[0] == "200 OK"
    assert not store.groups[GroupingKey("other")].families


@pytest.mark.parametrize(
    "length", ["1001", "9" * 19, "1" + "0" * 19, "1" + "0" * 24, pytest.param("9" * 5000, id="many digits")]
)
@pytest.mark.parametrize("more", [{}, {"HTTP_CONTENT_LENGTH": "4"}])
def test_a_body_that_is_said_to_be_too_large_changes_nothing(length: str, more: dict[str, str]) -> None:
    store = GroupStore()
    assert served(store, BODY, CONTENT_LENGTH="0" * 30 + "4", **PUT)[0] == "200 OK"
    assert served(store, BODY, **more, CONTENT_LENGTH=length, **PUT)[0].startswith("413 ")
    assert list(store.groups[GroupingKey("j")].families) == ["a"]


def test_a_body_whose_end_is_unknown_is_refused() -> None:
    store = GroupStore()
    assert served(store, BODY, CONTENT_LENGTH="4", **PUT)[0] == "200 OK"
    before = store.groups
    status, _, body = served(store, b"4\r\na 2\n\r\n0\r\n\r\n", HTTP_TRANSFER_ENCODING="chunked", **PUT)
    assert (status, body[:16]) == ("411 Length Required", b"Length Required:")
    for length in ("x", "+4", "-4", "4, 4"):
        assert served(store, BODY, CONTENT_LENGTH=length, **PUT)[0] == "400 Bad Request"
    assert store.groups == before
    told = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert served(store, b"b 2\n", **told, **PUT)[0] == "200 OK"
    assert list(store.groups[GroupingKey("j")].families) == ["b"]


def test_the_path_as_it_was_sent() -> None:
    store = GroupStore()
    told = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/metrics/job//a/b"}
    assert served(store, b"", **told)[0] == "307 Temporary Redirect"
    for name in ("RAW_URI", "REQUEST_URI"):
        status, _, body = served(store, b"", **told, **{name: "/metrics/job/%2Fa/b?x=y"})
        assert (status, body) == ("400 Bad Request", b"job name is required\n")
        # Somebody has changed the path on the way.
        assert served(store, b"", **told, **{name: "/other"})[0] == "307 Temporary Redirect"


def test_a_path_of_utf8() -> None:
    store = GroupStore()
    path = "/metrics/job/é".encode().decode("latin-1")
    assert served(store, b"", REQUEST_METHOD="PUT", PATH_INFO=path)[0] == "200 OK"
    assert list(store.groups) == [GroupingKey("é")]
