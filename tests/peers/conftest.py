"""The original, for the tests that compare what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.peers.test_pushgateway import Pushgateway, free_port, newest


@pytest.fixture(scope="module", params=["debian", "newest"])
def pushgateway(
    request: pytest.FixtureRequest, peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pushgateway]:
    """A running Pushgateway: Debian's package, and the newest release."""
    is_newest = request.param == "newest"
    program = newest(peer, tmp_path_factory.mktemp("pushgateway")) if is_newest else peer("prometheus-pushgateway")
    gateway = Pushgateway(program, is_newest, free_port())
    try:
        gateway.wait()
        yield gateway
    finally:
        gateway.connection.close()
        gateway.process.terminate()
        gateway.process.wait()
