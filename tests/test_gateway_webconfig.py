"""The file of --web.config.file: what is read and what is refused, and the layer that asks for passwords."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from expofmt.gateway.durations import duration_ns
from expofmt.gateway.presence import Presence
from expofmt.gateway.webconfig import (
    Authenticated,
    RateLimit,
    WebConfig,
    WebConfigError,
    WebConfigFile,
    passwords,
    watched,
)
from expofmt.gateway.webconfig.passwords import BusyError, Passwords

TLS = "tls_server_config: {cert_file: a, key_file: b, "
CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed files count at once, but where a test is about that."""
    monkeypatch.setattr(watched, "_SETTLED_NS", 0)


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with a certificate and its key."""
    write_pair(tmp_path, CERTIFICATE)
    return tmp_path


def write_pair(folder: Path, certificate: trustme.LeafCert) -> None:
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    CA.cert_pem.write_to_path(folder / "ca.crt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nfoo: 1", "web.yml:2: unknown option `foo`: expected one of tls_server_config, http_server_config, "),
        (
            "tls_server_config:\n  cert_file: a\n  keyfile: b",
            "web.yml:3: unknown option `keyfile` in tls_",
        ),
        ("rate_limit: {}\nrate_limit: {}", "web.yml:2: option `rate_limit` is given twice"),
        ("- a", "web.yml:1: expected the file to be options"),
        ("tls_server_config: 5", "web.yml:1: expected tls_server_config to be options"),
        ("a: [", "web.yml:1: is not YAML: "),
        ("tls_server_config: {cert_file: a}", "web.yml:1: tls_server_config has neither key_file nor key"),
        (TLS + "cert: c}", "web.yml:1: tls_server_config has both cert and cert_file"),
        (TLS + "min_version: TLS11}", "web.yml:1: min_version: TLS11 is not offered by this server"),
        (TLS + "max_version: SSL3}", "web.yml:1: max_version: SSL3 is no version of TLS"),
        (TLS + "min_version: TLS13, max_version: TLS12}", "web.yml:1: min_version is above max_version"),
        (TLS + "client_auth_type: RequestClientCert}", "web.yml:1: client_auth_type: Python's ssl cannot take"),
        (TLS + "client_auth_type: Sometimes}", "web.yml:1: unknown client_auth_type `Sometimes`"),
        (TLS + "client_auth_type: VerifyClientCertIfGiven}", "takes a client_ca_file or client_ca"),
        (TLS + "client_ca_file: c}", "has no effect without a client_auth_type"),
        (TLS + "client_allowed_sans: [a]}", "client_allowed_sans takes the client_auth_type"),
        (TLS + "client_allowed_sans: []}", "web.yml:1: client_allowed_sans lets nobody in without a name"),
        (TLS + "cipher_suites: [RC4]}", "web.yml:1: unknown cipher suite `RC4` in cipher_suites"),
        (TLS + "cipher_suites: RC4}", "web.yml:1: cipher_suites: expected a list"),
        (TLS + "curve_preferences: [X25519, CurveP256]}", "curve_preferences: Python's ssl takes one curve only"),
        (TLS + "curve_preferences: [X25519MLKEM768]}", "curve_preferences: Python's ssl has no `X25519MLKEM768`"),
        (TLS + "prefer_server_cipher_suites: 1}", "prefer_server_cipher_suites: expected true or false, not `1`"),
        ("basic_auth_users: {a: secret}", "web.yml:1: the password of user `a` is no bcrypt hash"),
        ("basic_auth_users: {a: [b]}", "web.yml:1: a: expected a text"),
        ("http_server_config: {headers: {X-Frame-Options: maybe}}", "expected deny or sameorigin, not `maybe`"),
        ("http_server_config: {headers: {Server: a}}", "web.yml:1: unknown option `Server` in headers"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb: c"}}', "has a character that no header may have"),
        ("http_server_config: {http2: 2}", "http2: expected true or false"),
        ("rate_limit: {interval: 5}", "interval: `5` is no duration"),
        ("rate_limit: {interval: 1s}", "rate_limit lets nobody in without a burst of at least 1"),
        ("rate_limit: {interval: 1s, burst: -1}", "burst: `-1` is no count"),
        pytest.param("rate_limit: {burst: " + "9" * 5000 + "}", "burst: `9999999999999999999` is no", id="many digits"),
        pytest.param("rate_limit: {interval: " + "9" * 5000 + "h}", "9...` is no duration", id="a long time"),
        pytest.param("[" * 700, "web.yml: is nested too deeply", id="nested"),
        ('tls_server_config: {cert_file: "a\\0b"}', "web.yml:1: cert_file: has a character that no text here may have"),
        ('tls_server_config: {cert: "\\ud800"}', "web.yml:1: cert: has a character that no text here may have"),
        ('basic_auth_users: {"\\ud800": a}', "web.yml:1: a name: has a character that no text here may have"),
        ("tls_server_config: {client_ca: ü}", "web.yml:1: client_ca: is no PEM, which has ASCII characters only"),
        ("basic_auth_users: {'a:b': $2b$04$" + "a" * 53 + "}", "web.yml:1: user `a:b` can never come in"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(WebConfigError) as caught:
        WebConfig.parse(text.encode(), filename="web.yml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("web.yml:")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(WebConfigError, match=r"web\.yml:2: is not UTF-8"):
        WebConfig.parse(b"a:\n \xff", filename="web.yml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\n", "tls_server_config: {}", "rate_limit:\n"])
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    assert WebConfig.parse(text.encode()) == WebConfig()


def test_all_options_are_read(pair: Path) -> None:
    hash = hashed("secret")
    text = f"""
tls_server_config:
  cert_file: tls.crt
  key_file: tls.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {pair}/ca.crt
  client_allowed_sans: [db1, 10.0.0.1, "2001:db8::1"]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP384]
http_server_config:
  http2: true
  headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=60}}
basic_auth_users:
  ann: {hash}
  "5": {hash}
rate_limit: {{interval: 1m30s, burst: 5}}
"""
    config = WebConfig.parse(text.encode(), filename=str(pair / "web.yml"))
    assert config.users == {b"ann": hash.encode(), b"5": hash.encode()}
    assert config.headers == ((b"x-frame-options", b"deny"), (b"strict-transport-security", b"max-age=60"))
    assert config.rate_limit == RateLimit(90 * 10**9, 5)
    assert config.tls is not None
    context = config.tls.context()
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert {each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"} == {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "AES128-SHA",
    }
    assert config.tls.admits({"subjectAltName": (("DNS", "other"), ("IP Address", "10.0.0.1"))})
    assert config.tls.admits({"subjectAltName": (("IP Address", "2001:DB8:0:0:0:0:0:1"),)})
    assert not config.tls.admits({"subjectAltName": (("DNS", "db2"),)})
    assert not config.tls.admits(None)


def test_certificates_may_be_part_of_the_file(tmp_path: Path) -> None:
    def block(blobs: Iterable[trustme.Blob]) -> str:
        return "|\n" + "".join(f"    {line}\n" for blob in blobs for line in blob.bytes().decode().splitlines())

    text = (
        f"tls_server_config:\n  cert: {block(CERTIFICATE.cert_chain_pems)}  key: {block([CERTIFICATE.private_key_pem])}"
    )
    (tmp_path / "web.yml").write_text(text)
    assert WebConfigFile(tmp_path / "web.yml").tls_context() is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "tls.key").unlink(), "tls.key: No such file or directory"),
        (lambda folder: (folder / "tls.crt").write_text("x"), "tls.key: no certificate and key (PEM) that can be read"),
        (lambda folder: write_key(folder, CA.issue_cert("b")), "KEY_VALUES_MISMATCH"),
        (lambda folder: (folder / "ca.crt").write_text(""), "ca.crt: "),
        (lambda folder: encrypt_key(folder), "the key is encrypted: write it without a password"),
    ],
)
def test_certificates_that_cannot_be_used_are_told(pair: Path, change: Any, message: str) -> None:
    (pair / "web.yml").write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_auth_type: VerifyClientCertIfGiven, "
        "client_ca_file: ca.crt}"
    )
    WebConfigFile(pair / "web.yml")
    change(pair)
    with pytest.raises(WebConfigError) as caught:
        WebConfigFile(pair / "web.yml")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(pair / "web.yml"))


def write_key(folder: Path, certificate: trustme.LeafCert) -> None:
    certificate.private_key_pem.write_to_path(folder / "tls.key")


def encrypt_key(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization as formats

    key = formats.load_pem_private_key((folder / "tls.key").read_bytes(), None)
    (folder / "tls.key").write_bytes(
        key.private_bytes(formats.Encoding.PEM, formats.PrivateFormat.PKCS8, formats.BestAvailableEncryption(b"secret"))
    )


def test_files_are_read_again_when_they_change(pair: Path) -> None:
    path = pair / "web.yml"
    path.write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}")
    file = WebConfigFile(path)
    before = file.tls_context()
    assert file.tls_context() is before
    write_pair(pair, CA.issue_cert("localhost"))
    after = file.tls_context()
    assert after is not before
    (pair / "tls.key").write_text("")
    with pytest.raises(WebConfigError):
        file.tls_context()
    path.write_text("rate_limit: {interval: 1s, burst: 1}")
    file = WebConfigFile(path)
    assert file.tls_context() is None
    # Of the same length, and at the same time.
    stamps = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_text("rate_limit: {interval: 2s, burst: 1}")
    os.utime(path, ns=stamps)
    assert file.config().rate_limit == RateLimit(2 * 10**9, 1)
    path.unlink()
    with pytest.raises(WebConfigError, match=r"web\.yml: No such file or directory"):
        file.config()


def test_a_file_that_is_being_written_is_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10**9
    monkeypatch.setattr(watched, "_SETTLED_NS", 5 * 10**8)
    monkeypatch.setattr("time.monotonic_ns", lambda: now)
    monkeypatch.setattr("time.time_ns", lambda: 0)  # by which no file is old
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 1s, burst: 1}")
    file = WebConfigFile(path)
    before = file.config()
    for half in ("", "rate_limit: {interval: 1s", "rate_limit: {interval: 1s, burst: 2}"):
        path.write_text(half)
        now += 10**9
        assert file.config() == before
    now += 10**8
    assert file.config() == before
    now += 4 * 10**8
    assert file.config().rate_limit == RateLimit(10**9, 2)
    path.unlink()
    assert file.config().rate_limit == RateLimit(10**9, 2)
    now += 5 * 10**8
    with pytest.raises(WebConfigError, match="No such file"):
        file.config()


def test_a_file_that_was_left_alone_before_anybody_asked_counts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "_SETTLED_NS", 5 * 10**8)
    monkeypatch.setattr("time.monotonic_ns", lambda: 0)
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 1s, burst: 1}")
    file = WebConfigFile(path)
    path.write_text("rate_limit: {interval: 1s, burst: 2}")
    later = path.stat().st_ctime_ns + 10**9
    monkeypatch.setattr("time.time_ns", lambda: later)
    assert file.config().rate_limit == RateLimit(10**9, 2)


TLS_FILES = "tls_server_config: {cert_file: tls.crt, key_file: tls.key"
ASKING = f"{TLS_FILES}, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}}\n"
NAMED = f"{ASKING[:-2]}, client_allowed_sans: [db1]}}\n"


@pytest.mark.parametrize(
    ("before", "cut_off", "message", "said"),
    [
        ("USERS", "", "has no basic_auth_users any more", "basic_auth_users: {}"),
        ("rate_limit: {interval: 1s, burst: 1}", "", "has no rate_limit any more", "rate_limit: {}"),
        (
            "rate_limit: {interval: 1s, burst: 1}",
            "rate_limit:\n",
            "has no rate_limit any more",
            "rate_limit: {}",
        ),
        (
            "rate_limit: {interval: 1s, burst: 1}",
            "rate_limit: {burst: 1}",
            "has no rate_limit any more",
            "rate_limit: {interval: 2s, burst: 1}",
        ),
        ("USERS", "# a comment\n", "has no basic_auth_users any more", "basic_auth_users: {}"),
        ("USERS", "basic_auth_users:\n", "has no basic_auth_users any more", "basic_auth_users: {}"),
        (f"{TLS_FILES}}}\nUSERS", f"{TLS_FILES}}}\n", "has no basic_auth", f"{TLS_FILES}}}\nbasic_auth_users: {{}}"),
        (
            ASKING,
            f"{TLS_FILES}}}\n",
            "has no client_auth_type any more",
            f"{TLS_FILES}, client_auth_type: NoClientCert}}",
        ),
        (ASKING, "", "has no tls_server_config any more", ASKING),
        (NAMED, ASKING, "has no client_allowed_sans any more", NAMED.replace("db1", "db2")),
        (
            NAMED,
            ASKING,
            "has no client_allowed_sans any more",
            ASKING.replace("RequireAnd", "").replace("Cert}", "CertIfGiven}"),
        ),
        (NAMED, ASKING, "has no client_allowed_sans any more", f"{TLS_FILES}, client_auth_type: NoClientCert}}"),
    ],
)
def test_a_file_that_was_cut_off_lets_nobody_in(pair: Path, before: str, cut_off: str, message: str, said: str) -> None:
    path = pair / "web.yml"
    path.write_text(before.replace("USERS", f"basic_auth_users: {{ann: {hashed('a')}}}\n"))
    file = WebConfigFile(path)
    # The second time after a file that makes no sense at all.
    for text in (cut_off, "a: [", cut_off):
        path.write_text(text)
        with pytest.raises(WebConfigError, match=message if text == cut_off else "is not YAML"):
            file.config()
    path.write_text(said)
    file.config()


def test_whatever_goes_wrong_with_a_file_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "web.yml"
    path.write_text("")
    file = WebConfigFile(path)
    calls = []

    def parse(data: bytes, *, filename: str) -> WebConfig:
        calls.append((data, filename))
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(WebConfig, "parse", parse)
    path.write_text("# changed")
    for _ in range(2):
        with pytest.raises(WebConfigError, match="ZeroDivisionError"):
            file.config()
    assert calls == [(b"# changed", str(path))]


def test_names_of_certificates_may_be_written_in_any_way(pair: Path) -> None:
    text = f'{ASKING[:-2]}, client_allowed_sans: ["::1", "2001:DB8:0::1"]}}'
    config = WebConfig.parse(text.encode(), filename=str(pair / "web.yml"))
    assert config.tls is not None
    for name in ("0:0:0:0:0:0:0:1", "2001:DB8:0:0:0:0:0:1"):
        assert config.tls.admits({"subjectAltName": (("IP Address", name),)})
    others = ("IP Address", "2001:DB8:0:0:0:0:0:2"), ("IP Address", "<invalid>"), ("DirName", ((("commonName", "x"),),))
    assert not config.tls.admits({"subjectAltName": others})


# --------------------------------------------------------------------------------------------------------- the layer


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"sameorigin")]})
    await send({"type": "http.response.body", "body": b"in"})


def asked(
    layer: Any, *authorizations: bytes, fields: dict[bytes, bytes] | None = None
) -> list[tuple[int, dict[bytes, bytes], bytes]]:
    """What the layer answers requests with these Authorization headers, and other fields, all at once."""

    async def ask(authorization: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"authorization", authorization)] if authorization else []
        headers += (fields or {}).items()
        await layer({"type": "http", "method": "GET", "headers": headers}, None, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    async def ask_all() -> list[tuple[int, dict[bytes, bytes], bytes]]:
        return await asyncio.gather(*map(ask, authorizations))

    return asyncio.run(ask_all())


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that are computed from then on."""
    computed: list[bytes] = []
    fits = passwords._fits

    def counting(password: bytes, hash: bytes) -> bool:
        computed.append(password)
        return fits(password, hash)

    monkeypatch.setattr(passwords, "_fits", counting)
    return computed


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


@pytest.fixture
def file(tmp_path: Path) -> WebConfigFile:
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: {hashed('a:b')}, bob: {hashed('x' * 72)}}}")
    return WebConfigFile(tmp_path / "web.yml")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic("ann", "a:b"), 200),
        (basic("ann", "a:b").replace(b"Basic", b"bASIC"), 200),
        (basic("bob", "x" * 72), 200),
        (basic("bob", "x" * 80), 200),  # as in Go, what comes after 72 bytes does not count
        (basic("ann", "a"), 401),
        (basic("ann", ""), 401),
        (basic("bob", "a:b"), 401),
        (basic("eve", "a:b"), 401),
        (basic("ann", "a\0b"), 401),
        (b"", 401),
        (b"Basic", 401),
        (b"Basic ann", 401),
        (b"Basic " + base64.b64encode(b"ann"), 401),
        (b"Bearer " + base64.b64encode(b"ann:a:b"), 401),
    ],
)
def test_users_come_in_with_their_passwords_only(file: WebConfigFile, authorization: bytes, status: int) -> None:
    # Twice, since what was found out is remembered.
    for found, headers, body in (
        *asked(layer := Authenticated(app, file), authorization),
        *asked(layer, authorization),
    ):
        assert found == status
        if status == 401:
            assert body == b"Unauthorized\n"
            assert headers[b"www-authenticate"] == b"Basic"
            assert headers[b"content-type"] == b"text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("basic_auth_users: {ann: HASH}", 401),
        ("rate_limit: {interval: 1h, burst: 1}", 429),
        ("basic_auth_users: {ann: HASH}", 503),
        ("a: [", 500),
    ],
)
@pytest.mark.parametrize(
    ("fields", "ends"),
    [
        ({b"expect": b"100-continue", b"content-length": b"60"}, True),
        ({b"expect": b"100-continue", b"transfer-encoding": b"chunked"}, True),
        ({b"content-length": b"300000"}, True),
        ({b"content-length": b"60"}, False),
        ({b"expect": b"100-continue"}, False),
    ],
)
def test_a_body_that_is_not_read_ends_the_connection(
    tmp_path: Path, text: str, status: int, fields: dict[bytes, bytes], ends: bool
) -> None:
    (tmp_path / "web.yml").write_text("")
    errors: list[str] = []
    layer = Authenticated(app, WebConfigFile(tmp_path / "web.yml"), on_error=errors.append)
    (tmp_path / "web.yml").write_text(text.replace("HASH", hashed("a:b")))
    if status == 429:
        assert asked(layer, b"")[0][0] == 200
    if status == 503:
        layer.close()
    [(found, headers, _)] = asked(layer, basic("ann", "no") if status == 503 else b"", fields=fields)
    assert (found, headers.get(b"connection")) == (status, b"close" if ends else None)
    assert len(errors) == (1 if status == 500 else 0)


def test_a_password_is_computed_once_however_many_ask(file: WebConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = counted(monkeypatch)
    layer = Authenticated(app, file)
    right, wrong, unknown = basic("ann", "a:b"), basic("ann", "no"), basic("eve", "a:b")
    for _ in range(3):
        answers = asked(layer, *[right, wrong, unknown] * 20)
        assert [status for status, _, _ in answers] == [200, 401, 401] * 20
    assert sorted(computed) == [b"a:b", b"a:b", b"no"]


def test_guesses_make_no_right_password_be_forgotten(file: WebConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_REMEMBERED", 4)
    computed = counted(monkeypatch)
    layer = Authenticated(app, file)
    asked(layer, basic("ann", "a:b"))
    asked(layer, *(basic("ann", str(guess)) for guess in range(20)))
    asked(layer, basic("ann", "a:b"))
    assert computed.count(b"a:b") == 1
    assert len(computed) == 21


def test_a_password_that_was_changed_counts_no_more(tmp_path: Path, file: WebConfigFile) -> None:
    layer = Authenticated(app, file)
    assert asked(layer, basic("ann", "a:b"))[0][0] == 200
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ann: {hashed('new')}}}")
    assert [status for status, _, _ in asked(layer, basic("ann", "a:b"), basic("ann", "new"))] == [401, 200]
    (tmp_path / "web.yml").write_text("basic_auth_users: {}")
    assert asked(layer, b"")[0][0] == 200


class Slow:
    """Computes passwords one after the other, as soon as it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.computed: list[bytes] = []
        self.hashes: list[bytes] = []
        self.may = threading.Event()
        monkeypatch.setattr(passwords, "_fits", self.fits)
        monkeypatch.setattr(passwords, "_THREADS", 1)

    def fits(self, password: bytes, hash: bytes) -> bool:
        self.may.wait()
        self.computed.append(password)
        self.hashes.append(hash)
        return password == b"right"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


USERS = {b"user%d" % each: b"hash%d" % each for each in range(20)}


class Queue:
    """Those who ask for their passwords to be computed, all before the first one is."""

    def __init__(self) -> None:
        self.passwords = Passwords()
        self.asked: list[asyncio.Task[bool]] = []

    async def ask(
        self, password: bytes, *, user: bytes = b"user0", address: str = "10.0.0.1", presence: Presence = Presence.THERE
    ) -> asyncio.Task[bool]:
        fit = self.passwords.fit(USERS, user, password, address=address, presence=lambda: presence)
        self.asked.append(asyncio.create_task(fit))
        await asyncio.sleep(0)
        return self.asked[-1]

    async def answers(self) -> list[bool | BaseException]:
        return await asyncio.gather(*self.asked, return_exceptions=True)

    def user_of_another_lane(self) -> bytes:
        lanes = {self.passwords._digest(user)[0] % passwords._LANES: user for user in USERS}
        mine = self.passwords._digest(b"user0")[0] % passwords._LANES
        return next(user for lane, user in lanes.items() if lane != mine)


@pytest.mark.parametrize("same_address", [False, True])
def test_guesses_stand_in_their_own_way_only(slow: Slow, same_address: bool) -> None:
    async def asking() -> None:
        queue = Queue()
        for guess in range(200):
            await queue.ask(b"%d" % guess)
        if same_address:
            await queue.ask(b"right", user=queue.user_of_another_lane())
        else:
            await queue.ask(b"right", address="10.0.0.2")
        slow.may.set()
        answers = await queue.answers()
        assert answers.pop() is True
        # One is computed already, and the last of those that wait makes room for the right one.
        assert answers[:64] == [False] * 64
        assert all(isinstance(answer, BusyError) for answer in answers[64:])
        assert slow.computed.index(b"right") <= 2

    asyncio.run(asking())


def test_many_addresses_of_one_network_are_one(slow: Slow) -> None:
    async def asking() -> None:
        queue = Queue()
        for guess in range(20):
            await queue.ask(b"%d" % guess, address=f"2001:db8::{guess:x}")
        await queue.ask(b"right", address="2001:db8:1::1")
        slow.may.set()
        assert (await queue.answers())[-1] is True
        assert slow.computed.index(b"right") <= 2

    asyncio.run(asking())


def test_clients_that_may_be_gone_come_last_and_those_that_are_not_at_all(slow: Slow) -> None:
    async def asking() -> None:
        queue = Queue()
        await queue.ask(b"first")
        await queue.ask(b"silent", presence=Presence.SILENT)
        await queue.ask(b"gone", presence=Presence.GONE)
        await queue.ask(b"right")
        slow.may.set()
        first, silent, gone, right = await queue.answers()
        assert (first, silent, right) == (False, False, True)
        assert isinstance(gone, BusyError)
        assert slow.computed == [b"first", b"right", b"silent"]

    asyncio.run(asking())


def test_those_who_wait_are_let_go_at_the_end(slow: Slow) -> None:
    async def asking() -> None:
        queue = Queue()
        await queue.ask(b"right")
        await queue.ask(b"other")
        queue.passwords.close()
        await queue.ask(b"late")
        slow.may.set()
        right, *others = await queue.answers()
        assert right is True
        assert all(isinstance(answer, BusyError) for answer in others)
        assert await (await queue.ask(b"right"))
        assert slow.computed == [b"right"]

    asyncio.run(asking())


def test_whoever_goes_away_leaves_the_others_waiting(slow: Slow) -> None:
    async def asking() -> None:
        queue = Queue()
        (await queue.ask(b"right")).cancel()
        await queue.ask(b"right")
        slow.may.set()
        gone, right = await queue.answers()
        assert isinstance(gone, asyncio.CancelledError)
        assert right is True

    asyncio.run(asking())


def test_unknown_users_are_measured_by_any_hash_each_by_one(slow: Slow) -> None:
    async def asking() -> None:
        queue = Queue()
        slow.may.set()
        for _ in range(2):
            for each in range(200):
                await (await queue.ask(b"%d" % len(slow.computed), user=b"unknown%d" % each))

    asyncio.run(asking())
    assert slow.hashes[:200] == slow.hashes[200:]
    assert set(slow.hashes) == set(USERS.values())


def test_too_many_passwords_are_refused(file: WebConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_THREADS", 1)
    monkeypatch.setattr(passwords, "_WAITING", 0)
    answers = asked(Authenticated(app, file), basic("ann", "a:b"), basic("ann", "no"))
    assert [status for status, _, _ in answers] == [200, 503]
    assert answers[1][1][b"retry-after"] == b"1"
    assert answers[1][2] == b"too many passwords to check at once: try again\n"


def test_a_broken_file_lets_nobody_in(tmp_path: Path, file: WebConfigFile) -> None:
    told: list[str] = []
    layer = Authenticated(app, file, on_error=told.append)
    assert asked(layer, basic("ann", "a:b"))[0][0] == 200
    (tmp_path / "web.yml").write_text("basic_auth_user: {}")
    for _ in range(2):
        status, _, body = asked(layer, basic("ann", "a:b"))[0]
        assert (status, body) == (500, b"Internal Server Error\n")
    assert len(told) == 2
    assert "unknown option `basic_auth_user`" in told[0]
    (tmp_path / "web.yml").unlink()
    assert asked(layer, b"")[0][0] == 500


def test_headers_are_added_to_each_response(tmp_path: Path) -> None:
    users = f"basic_auth_users: {{ann: {hashed('a')}}}\n"
    (tmp_path / "web.yml").write_text(
        users + "http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: '1'}}"
    )
    layer = Authenticated(app, WebConfigFile(tmp_path / "web.yml"))
    inside, outside = asked(layer, basic("ann", "a"), b"")
    assert inside[1] == {b"x-frame-options": b"sameorigin", b"x-xss-protection": b"1"}
    assert outside[1].items() >= {b"x-frame-options": b"deny", b"x-xss-protection": b"1"}.items()


def test_beyond_the_rate_requests_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10**9
    monkeypatch.setattr("time.monotonic_ns", lambda: now)
    (tmp_path / "web.yml").write_text("rate_limit: {interval: 1s, burst: 3}")
    layer = Authenticated(app, WebConfigFile(tmp_path / "web.yml"))
    assert [status for status, _, _ in asked(layer, *[b""] * 5)] == [200, 200, 200, 429, 429]
    now += 10**9
    answers = asked(layer, *[b""] * 2)
    assert [status for status, _, _ in answers] == [200, 429]
    assert answers[1][2] == b"Too Many Requests\n"
    now += 100 * 10**9
    assert [status for status, _, _ in asked(layer, *[b""] * 4)] == [200, 200, 200, 429]
    (tmp_path / "web.yml").write_text("rate_limit: {}")
    assert [status for status, _, _ in asked(layer, *[b""] * 5)] == [200] * 5


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5m ", "1d", "3000000h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration_ns(text)
