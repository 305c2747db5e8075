"""Every story under tests/cases/gateway/exchanges: a gateway's answers, as Pushgateway's specification has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from expofmt import GroupStore
from expofmt.gateway import Gateway, Headers, OwnMetrics, Request, Response
from expofmt.names import Names
from tests.exchanges import FILES, Exchange, read

pytestmark = pytest.mark.usefixtures("engine")


def check(exchange: Exchange, response: Response) -> None:
    where = f"line {exchange.line}: {response}"
    assert response.status == exchange.status, where
    for name, value in exchange.expected_headers:
        assert response.header(name) == value, where
    if exchange.expected_body is not None:
        assert response.body == exchange.expected_body, where
    for line in exchange.expected_lines:
        assert line in response.body.split(b"\n"), where


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_story(file: Path) -> None:
    story = read(file)
    options = {name: value for name, value in story.options.items() if name != "names"}
    names: Names = "utf-8" if story.options.get("names") == "utf-8" else "legacy"
    own = OwnMetrics()
    with GroupStore(own=own.families, names=names) as store:
        gateway = Gateway(store, own=own, names=names, **options)  # type: ignore[arg-type]
        for exchange in story.exchanges:
            target = exchange.target.encode().decode("latin-1")
            headers = Headers([("Host", "gateway"), *exchange.headers])
            check(exchange, gateway.handle(Request(exchange.method, target, headers, exchange.body)))
