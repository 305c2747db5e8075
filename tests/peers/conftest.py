"""The original, for the tests that compare what it answers, and clients that push to it and to ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.clients import Push, through_curl, through_driver, through_node, through_ours, through_python
from tests.peers.test_pushgateway import Pushgateway, free_port, go_built, newest


@pytest.fixture(scope="session")
def newest_program(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The newest release, built once."""
    return newest(peer, tmp_path_factory)


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


HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def go_driver(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that pushes with Go's client, built once."""
    return [go_built(peer, tmp_path_factory, HERE / "expfmt", "./push")]


@pytest.fixture(scope="session")
def node_driver(peer: Callable[[str], str]) -> list[str]:
    """The command that pushes with that of Node.js."""
    node = peer("node")
    if subprocess.run([node, "-e", "require('prom-client')"], cwd=HERE / "prom-client", capture_output=True).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("peer prom-client is not installed")
    return [node, str(HERE / "prom-client" / "push.js")]


@pytest.fixture(scope="session")
def node_client(node_driver: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process of it that pushes what it is told to."""
    pipe = subprocess.PIPE
    with subprocess.Popen(node_driver, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        yield process


@pytest.fixture
def push(client: str, peer: Callable[[str], str], request: pytest.FixtureRequest) -> Push:
    """What pushes by the client that the test is about: one of CLIENTS."""
    name, _, option = client.partition("-")
    options = [f"--{option}"] if option else []
    if name == "go":
        return through_driver(*request.getfixturevalue("go_driver"), *options)
    if name == "node":
        return through_node(request.getfixturevalue("node_client"), *options)
    if name == "python":
        return through_python(option or None)
    if name == "curl":
        peer("curl")
        return through_curl
    return through_ours
