"""The original, for the tests that compare what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.peers.test_pushgateway import Pushgateway, free_port, newest


@pytest.fixture(scope="session")
def newest_program(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The newest release, built once."""
    return newest(peer, tmp_path_factory.mktemp("pushgateway"))


@pytest.fixture(scope="module", params=["debian", "newest"])
def release(request: pytest.FixtureRequest) -> str:
    """Which Pushgateway it is: Debian's package, or the newest release."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def program(release: str, request: pytest.FixtureRequest, peer: Callable[[str], str]) -> str:
    """The program of a release."""
    path: str = request.getfixturevalue("newest_program") if release == "newest" else peer("prometheus-pushgateway")
    return path


@pytest.fixture(scope="module")
def pushgateway(release: str, program: str) -> Iterator[Pushgateway]:
    """A running Pushgateway."""
    gateway = Pushgateway(program, release == "newest", free_port())
    try:
        gateway.wait()
        yield gateway
    finally:
        gateway.connection.close()
        gateway.process.terminate()
        gateway.process.wait()
