"""``expofmt push``, ``pushadd`` and ``delete`` against the real Pushgateway."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from expofmt import parse
from expofmt.cli import group
from tests.peers.test_pushgateway import Pushgateway, free_port

# Of the password `pa:ss wörd`, by bcrypt.
USERS = "basic_auth_users:\n  me: $2b$04$u5alL.8/2IcaYI8tx2K7QOsIelPaZc1BBNCSU.TTZ0Pgr1PlHflHO\n"
PASSWORD = "pa:ss wörd"


@contextmanager
def running(program: str, *options: str, scheme: str = "http") -> Iterator[str]:
    """The URL of a Pushgateway with these options, which keeps nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file=", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, "the gateway has ended"
                time.sleep(0.05)
            yield f"{scheme}://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(program: str) -> Iterator[str]:
    with running(program) as url:
        yield url


@pytest.fixture
def gateway(server: str) -> Iterator[str]:
    """The URL of one that has no groups."""
    yield server
    for labels in groups(server):
        others = [text for name, value in labels.items() if name != "job" for text in ("-g", f"{name}={value}")]
        assert run("delete", server, "--job", labels["job"], *others).exit_code == 0
    assert groups(server) == []


def run(*arguments: str | Path, input: bytes = b"m 1\n", environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(
        group, [*map(str, arguments)], input=input, catch_exceptions=False, env={**(environment or {})}
    )


def groups(url: str) -> list[dict[str, str]]:
    """The labels of each group."""
    # A push waits for what was only queued before it.
    with urllib.request.urlopen(urllib.request.Request(f"{url}/metrics/job/last", b"", method="POST")):
        pass
    with urllib.request.urlopen(f"{url}/api/v1/metrics") as reply:
        found = [told["labels"] for told in json.load(reply)["data"]]
    with urllib.request.urlopen(urllib.request.Request(f"{url}/metrics/job/last", method="DELETE")):
        pass
    return [labels for labels in found if labels["job"] != "last"]


def samples(url: str) -> set[str]:
    """What is scraped of the metrics `m` and `n`."""
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        scraped = parse(reply.read())
    return {str(sample) for name in ("m", "n") if name in scraped for sample in scraped[name].samples}


def test_push_pushadd_delete(gateway: str) -> None:
    assert run("push", gateway, "--job", "j", input=b"m 1\nn 1\n").output == ""
    assert run("pushadd", gateway, "--job", "j", input=b"m 2\n").output == ""
    assert samples(gateway) == {'m{instance="",job="j"} 2', 'n{instance="",job="j"} 1'}
    assert run("push", gateway, "--job", "j", "--compress", input=b"m 3\n").output == ""
    assert samples(gateway) == {'m{instance="",job="j"} 3'}
    result = run("push", gateway, "--job", "j", "-v", input=b"")
    assert (result.exit_code, result.stderr) == (0, f"expofmt: {gateway}/metrics/job/j: answered 200 OK\n")
    assert samples(gateway) == set()
    assert groups(gateway) == [{"job": "j"}]
    assert run("delete", gateway, "--job", "j").output == ""
    assert groups(gateway) == []


def test_delete_of_an_unknown_group(gateway: str) -> None:
    assert run("push", gateway, "--job", "j").exit_code == 0
    result = run("delete", gateway, "--job", "j", "-g", "zone=eu", "-v")
    assert (result.exit_code, result.stderr) == (
        0,
        f"expofmt: {gateway}/metrics/job/j/zone/eu: answered 202 Accepted\n",
    )
    assert len(groups(gateway)) == 1


ODD = ["a/b", "", "é ü", " ", "a b", "..", ".", "+", "%2F", "/", "//", "=", "a=b", "?x#y", '"\\', "\n", "日本"]


@pytest.mark.parametrize("value", ODD)
def test_odd_values(gateway: str, value: str) -> None:
    job = value or "j"
    assert run("push", gateway, "--job", job, "-g", f"zone={value}", "-g", "instance=i").output == ""
    assert groups(gateway) == [{"instance": "i", "job": job, "zone": value}]


@pytest.mark.parametrize("option", ["--check", "--no-check"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"m 1\nn{a=b} 1\n", 2),
        (b"m 1\nn x\n", 2),
        (b"m 1\nn 1", 2),
        (b"m 1\r\n", 1),
        (b"# TYPE m gauge\n\n# TYPE m counter\n", 3),
        (b"m 1 1000\n", None),
        (b"m 1\nm 2\n", None),
        (b'm{instance="a"} 1\nm{instance="b"} 1\n', None),
    ],
)
def test_refused(gateway: str, text: bytes, line: int | None, option: str) -> None:
    """By the check if there is one, else by the gateway: what the one refuses the other does."""
    result = run("push", gateway, "--job", "j", "-g", "instance=i", option, input=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert ("answered 400 Bad Request" in result.stderr) is (option == "--no-check")
    assert ("nothing was sent" in result.stderr) is (option == "--check")
    if line is not None:
        assert f" --> <stdin>:{line}:" in result.stderr
        shown = text.split(b"\n")[line - 1].decode().replace("\r", "␍")
        assert f"{line} | {shown}\n" in result.stderr
    assert samples(gateway) == set()


def test_refused_beside_another_group(gateway: str) -> None:
    """What only the gateway can know."""
    assert run("push", gateway, "--job", "j", input=b"# TYPE m counter\nm 1\n").exit_code == 0
    result = run("push", gateway, "--job", "k", input=b"# TYPE m gauge\nm 1\n")
    assert result.exit_code == 1
    assert "pushed metrics are invalid or inconsistent with existing metrics: " in result.stderr


def test_a_wrong_url(gateway: str, release: str) -> None:
    assert run("push", f"{gateway}/pre", "--job", "j").exit_code == 3
    result = run("push", f"{gateway}//pre", "--job", "j")
    assert result.exit_code == 3
    # The older release would have the push become a GET.
    told = "404 page not found" if release == "newest" else f"leads to {gateway}/pre/metrics/job/j: nothing was done"
    assert told in result.stderr
    assert groups(gateway) == []


def test_a_gateway_that_hangs_and_one_that_is_gone(program: str) -> None:
    port = free_port()
    gateway = Pushgateway(program, False, port)
    address = f"http://127.0.0.1:{port}/metrics/job/j"
    push = ["push", f"http://127.0.0.1:{port}", "--job", "j", "--retries", "0"]
    try:
        gateway.wait()
        gateway.process.send_signal(signal.SIGSTOP)
        result = run(*push, "--timeout", "0.5")
        assert (result.exit_code, result.stderr) == (3, f"expofmt: {address}: timed out\n")
    finally:
        gateway.connection.close()
        gateway.process.kill()
        gateway.process.wait()
    result = run(*push)
    assert (result.exit_code, result.stderr) == (3, f"expofmt: {address}: Connection refused\n")


def test_a_prefix(program: str) -> None:
    with running(program, "--web.route-prefix=/pre/fix") as url:
        assert run("push", f"{url}/pre/fix/", "--job", "j").output == ""
        assert samples(f"{url}/pre/fix") == {'m{instance="",job="j"} 1'}


def test_basic_auth(program: str, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(USERS)
    (tmp_path / "password").write_text(f"{PASSWORD}\n", "utf-8")
    with running(program, f"--web.config.file={tmp_path / 'web.yml'}") as url:
        assert run("push", url, "--job", "j").exit_code == 3
        result = run("push", url, "--job", "j", "-u", "me:wrong")
        assert (result.exit_code, result.stderr) == (
            3,
            f"expofmt: {url}/metrics/job/j: answered 401 Unauthorized: Unauthorized\n",
        )
        assert run("push", url, "--job", "j", "-u", f"me:{PASSWORD}").output == ""
        assert run("push", url, "--job", "j", "-u", "me", "--password-file", tmp_path / "password").output == ""
        assert run("pushadd", url, "--job", "j", "-u", "me", environment={"EXPOFMT_PASSWORD": PASSWORD}).output == ""
        assert run("delete", url.replace("//", "//me:pa%3Ass%20w%C3%B6rd@"), "--job", "j").output == ""


@pytest.fixture(scope="module")
def certificates(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and the certificates of a server and a client that it has signed."""
    openssl = peer("openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def do(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    do("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("server", "client"):
        do("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        do("x509", *signed, "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    do("pkey", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "encrypted.key")
    (folder / "passphrase").write_text("secret\n")
    both = (folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes()
    (folder / "both.pem").write_bytes(both)
    return folder


def test_tls(program: str, certificates: Path) -> None:
    config = certificates / "server.yml"
    config.write_text("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n")
    with running(program, f"--web.config.file={config}", scheme="https") as url:
        push = ["push", url, "--job", "j"]
        assert run(*push, "--cacert", certificates / "ca.pem").output == ""
        assert run(*push, "--insecure").output == ""
        assert run(*push, environment={"EXPOFMT_CACERT": str(certificates / "ca.pem")}).output == ""
        result = run(*push)
        assert result.exit_code == 3
        assert result.stderr.startswith(f"expofmt: {url}/metrics/job/j: its certificate is not trusted: ")
        result = run("push", url.replace("127.0.0.1", "localhost"), *push[2:], "--cacert", certificates / "ca.pem")
        assert result.exit_code == 3
        assert "ostname mismatch" in result.stderr
        result = run("push", url.replace("https", "http"), *push[2:])
        assert result.exit_code == 3
        assert "the gateway's URL begins with https://" in result.stderr


def test_a_client_certificate(program: str, certificates: Path) -> None:
    config = certificates / "mutual.yml"
    config.write_text(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    )
    at = certificates
    with running(program, f"--web.config.file={config}", scheme="https") as url:
        push = ["push", url, "--job", "j", "--cacert", str(at / "ca.pem")]
        assert run(*push, "--cert", at / "client.pem", "--key", at / "client.key").output == ""
        assert run(*push, "--cert", at / "both.pem").output == ""
        environment = {"EXPOFMT_CERT": str(at / "client.pem"), "EXPOFMT_KEY": str(at / "client.key")}
        assert run("delete", *push[1:], environment=environment).output == ""
        result = run(*push, "--retries", "0")
        assert result.exit_code == 3
        assert result.stderr.startswith(f"expofmt: {url}/metrics/job/j: ")
        encrypted = [*push, "--cert", str(at / "client.pem"), "--key", str(at / "encrypted.key")]
        assert run(*encrypted, environment={"EXPOFMT_KEY_PASSWORD": "secret"}).output == ""
        assert run(*encrypted, "--key-password-file", at / "passphrase").output == ""
        result = run(*push, "--cert", at / "client.pem", "--key", at / "server.key")
        assert result.exit_code == 2
        assert "mismatch" in result.stderr.lower()
