"""Clients with passwords and certificates, right and wrong ones: the newest Pushgateway and ours tell them the same.

Both run with the same file of ``--web.config.file``, also while it changes and clients hold their connections.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import bcrypt
import pytest
import trustme

from tests.peers.clients import ANYBODY, Access, ClientError, Push
from tests.peers.test_cli_push import PASSWORD, USERS, running
from tests.serving import serving

# Those that are compressed come in like the others.
CLIENTS = ["python", "go", "node", "curl", "expofmt"]

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
MUTUAL = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
CONFIGS = {
    "users": USERS,
    "tls": TLS,
    "mutual": MUTUAL,
    "mutual, TLS 1.2": MUTUAL + "  max_version: TLS12\n",
    "mutual, if given": MUTUAL.replace("RequireAndVerify", "Verify").replace("Cert\n", "CertIfGiven\n"),
    "mutual, some names": MUTUAL + "  client_allowed_sans: [somebody.else]\n",
    "mutual and users": MUTUAL + USERS,
}
ME = f"me:{PASSWORD}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of a server and a client, those of a stranger, and who signed them."""
    folder = tmp_path_factory.mktemp("access")
    ours, others = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    others.cert_pem.write_to_path(folder / "others.pem")
    write(folder, "server", ours.issue_cert("127.0.0.1"))
    write(folder, "client", ours.issue_cert("client.example"))
    write(folder, "stranger", others.issue_cert("client.example"))
    return folder


def write(folder: Path, name: str, certificate: trustme.LeafCert) -> None:
    (folder / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(folder / f"{name}.key")


class Pair(NamedTuple):
    """The URLs of the original and of ours."""

    theirs: str
    ours: str


@pytest.fixture(scope="module")
def pair(folder: Path, newest_program: str) -> Iterator[Callable[[str], Pair]]:
    """Starts both with one of CONFIGS, once."""
    with ExitStack() as held:
        known: dict[str, Pair] = {}

        def started(config: str) -> Pair:
            if config not in known:
                file = folder / f"{len(known)}.yml"
                file.write_text(CONFIGS[config])
                scheme = "https" if "tls" in CONFIGS[config] else "http"
                theirs = held.enter_context(running(newest_program, f"--web.config.file={file}", scheme=scheme))
                server = held.enter_context(serving("--web.config.file", file))
                known[config] = Pair(theirs, f"{scheme}://127.0.0.1:{server.port}")
            return known[config]

        yield started


# What differs each time: the port that a client has, a thread of node, a line of Python's own source.
VARIES = re.compile(r"(?<=127\.0\.0\.1):\d+|\b[0-9A-F]{16}:error:|_ssl\.c:\d+")


def said(push: Push, url: str, access: Access) -> str:
    try:
        push("PUT", url, "batch", access=access)
        push("DELETE", url, "batch", access=access)
    except ClientError as error:
        return VARIES.sub("", str(error))
    return "done"


def access(folder: Path, user: str, *files: str) -> Access:
    return Access(user, *(folder / file for file in files))


@pytest.fixture
def told(
    pair: Callable[[str], Pair], push: Push, folder: Path, config: str, user: str, files: list[str]
) -> tuple[str, str]:
    """What the client says of a push to the original, and to ours, of this configuration."""
    theirs, ours = (said(push, url, access(folder, user, *files)) for url in pair(config))
    return theirs, ours


CLIENT = ("ca.pem", "client.pem", "client.key")
STRANGER = ("ca.pem", "stranger.pem", "stranger.key")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("config", "user", "files", "expected"),
    [
        ("users", ME, [], "done"),
        ("users", "me:wrong", [], "401"),
        ("users", "me:", [], "401"),
        ("users", "nobody:wrong", [], "401"),
        ("users", "", [], "401"),
        ("tls", "", ["ca.pem"], "done"),
        ("tls", "", ["others.pem"], "certificate"),
        ("mutual", "", CLIENT, "done"),
        ("mutual, TLS 1.2", "", CLIENT, "done"),
        ("mutual, if given", "", CLIENT, "done"),
        ("mutual, if given", "", ["ca.pem"], "done"),
        ("mutual and users", ME, CLIENT, "done"),
        ("mutual and users", "me:wrong", CLIENT, "401"),
        ("mutual and users", "", CLIENT, "401"),
    ],
)
def test_who_comes_in(told: tuple[str, str], expected: str) -> None:
    theirs, ours = told
    assert ours == theirs
    assert expected in ours


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("config", "user", "files", "expected"),
    [
        ("mutual", "", ["ca.pem"], "certificate required"),
        ("mutual", "", STRANGER, "unknown ca|unknown certificate authority"),
        ("mutual, TLS 1.2", "", ["ca.pem"], "handshake failure"),
        ("mutual, TLS 1.2", "", STRANGER, "unknown ca|unknown certificate authority"),
        ("mutual, if given", "", STRANGER, "unknown ca|unknown certificate authority"),
        ("mutual and users", ME, ["ca.pem"], "certificate required"),
        ("mutual, some names", "", CLIENT, "403|bad certificate"),
    ],
)
def test_a_certificate_that_does_not_do(told: tuple[str, str], config: str, client: str, expected: str) -> None:
    """Ours says so until it is heard. The original may close the connection before, so that a client tells of that.

    It tells clients whom it trusts, too: Go's then sends none of a stranger's, which Python's ssl has no setting for.
    """
    theirs, ours = told
    assert re.search(expected, ours.replace("_", " ").lower()), ours
    assert theirs != "done" or (client == "go" and config == "mutual, if given")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("config", "scheme", "expected"),
    [("tls", "http", "400"), ("users", "https", "wrong version number|http response to https client")],
)
def test_the_wrong_scheme(
    pair: Callable[[str], Pair], config: str, scheme: str, expected: str, folder: Path, client: str, push: Push
) -> None:
    """Here, too, the original may close the connection before it is heard."""
    swapped = (re.sub("^https?", scheme, url) for url in pair(config))
    theirs, ours = (said(push, url, access(folder, "", "ca.pem")) for url in swapped)
    assert re.search(expected, ours.replace("_", " ").lower()), ours
    assert theirs != "done"


# ------------------------------------------------------------------------------------------ files that change meanwhile


class Holder:
    """A client that pushes whenever it is told to, and holds its connection."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def push(self) -> str:
        """What it says of one more push."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def holder(command: list[str], url: str, access: Access) -> Iterator[Holder]:
    held = Holder([*command, "--lines", *access.options(), "PUT", url, "batch"])
    with held.process:
        try:
            yield held
        finally:
            held.process.kill()


@pytest.fixture
def drivers(go_driver: list[str], node_driver: list[str]) -> list[list[str]]:
    """The clients that can hold a connection."""
    return [go_driver, node_driver]


@contextmanager
def gateway(kind: str, config: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    scheme = "https" if "tls" in config.read_text() else "http"
    if kind == "ours":
        with serving("--web.config.file", config) as server:
            yield f"{scheme}://127.0.0.1:{server.port}"
    else:
        program = request.getfixturevalue("newest_program")
        with running(program, f"--web.config.file={config}", scheme=scheme) as url:
            yield url


KINDS = ["ours", "newest"]


def leave_alone() -> None:
    """Until our gateway takes files that were changed for whole, which the original does at once."""
    time.sleep(1)


def pushed(*holders: Holder) -> list[str]:
    """What each of them says of one more push."""
    return [holder.push() for holder in holders]


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_that_are_replaced(
    kind: str, drivers: list[list[str]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Who is connected stays so, and who connects gets those that are there then."""
    ours, others = trustme.CA(), trustme.CA()
    for name, authority in (("ca", ours), ("others", others)):
        authority.cert_pem.write_to_path(tmp_path / f"{name}.pem")
    (tmp_path / "both.pem").write_bytes(ours.cert_pem.bytes() + others.cert_pem.bytes())
    write(tmp_path, "client", ours.issue_cert("client.example"))
    write(tmp_path, "server", ours.issue_cert("127.0.0.1"))
    config = tmp_path / "web.yml"
    config.write_text(MUTUAL)
    known, trusting = access(tmp_path, "", *CLIENT), access(tmp_path, "", "both.pem", *CLIENT[1:])
    with gateway(kind, config, request) as url, ExitStack() as held:

        def connecting(access: Access) -> list[Holder]:
            """One of each client."""
            return [held.enter_context(holder(driver, url, access)) for driver in drivers]

        first = connecting(known)
        assert pushed(*first) == ["done"] * 2
        write(tmp_path, "server", others.issue_cert("127.0.0.1"))
        leave_alone()
        assert pushed(*first) == ["done"] * 2
        second, third = connecting(known), connecting(trusting)
        for told in pushed(*second):
            assert "certificate" in told
        assert pushed(*third) == ["done"] * 2
        # Now the client's is of no authority that is known.
        others.cert_pem.write_to_path(tmp_path / "ca.pem")
        leave_alone()
        assert pushed(*first, *third) == ["done"] * 4
        assert "done" not in pushed(*connecting(trusting))
        config.write_text("tls_server_config:\n")
        leave_alone()
        # For ours, that is a file that was cut off.
        for told in pushed(*third):
            assert ("500" if kind == "ours" else "done") in told


@pytest.mark.parametrize("kind", KINDS)
def test_users_that_are_changed(
    kind: str, drivers: list[list[str]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each request is measured by the file as it is then, whatever was said before on its connection."""
    config = tmp_path / "web.yml"
    config.write_text(USERS)
    with gateway(kind, config, request) as url, ExitStack() as held:
        me, you = (
            [held.enter_context(holder(driver, url, who)) for driver in drivers] for who in (Access(ME), ANYBODY)
        )

        def changed(text: str) -> None:
            config.write_text(text)
            leave_alone()

        assert pushed(*me) == ["done"] * 2
        for told in pushed(*you):
            assert "401" in told
        changed(f"basic_auth_users:\n  me: {bcrypt.hashpw(b'new', bcrypt.gensalt(4)).decode()}\n")
        for told in pushed(*me):
            assert "401" in told
        changed("basic_auth_users: {me: broken\n")
        for told in pushed(*me, *you):
            assert "500" in told
        changed(USERS)
        assert pushed(*me) == ["done"] * 2
        changed("")
        for told in pushed(*you):
            assert ("500" if kind == "ours" else "done") in told
        changed("basic_auth_users: {}\n")
        assert pushed(*you) == ["done"] * 2
