"""The file of ``--web.config.file``: TLS, users and their passwords, response headers, a limit on the rate of requests.

It is that of Prometheus' exporters, read strictly: an option that is unknown, or that Python's ``ssl`` cannot express,
is an error with its line. Whoever asks gets the file as it is on disk, so that a change takes effect at once; one that
makes no sense lets nobody in.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import re
import secrets
import ssl
import tempfile
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, NoReturn, TypeVar

from ..quoting import visible
from .asgi import ASGIApp, Message, Receive, Send
from .tls import ServerContext

__all__ = [
    "RateLimit",
    "TLSConfig",
    "WebConfig",
    "WebConfigError",
    "WebConfigFile",
    "authenticated",
    "duration_ns",
    "duration_text",
]

T = TypeVar("T")

_NO_CLIENT: Final = "NoClientCert"
_CLIENT_AUTH: Final[Mapping[str, ssl.VerifyMode]] = {
    _NO_CLIENT: ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# To ask for certificates and not look at who signed them.
_UNVERIFIED: Final = frozenset(("RequestClientCert", "RequireClientCert", "RequireAnyClientCert"))
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS: Final = frozenset(("TLS10", "TLS11"))
_CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# Those of TLS 1.3, which are on whatever is asked for, as in Go.
_TLS13_SUITES: Final = frozenset(("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"))
_SUITE: Final = re.compile(
    r"TLS_(RSA|ECDHE_RSA|ECDHE_ECDSA)_WITH_"
    r"(?:AES_(128|256)_(?:CBC_(SHA(?:256)?)|GCM_(SHA256|SHA384))|(CHACHA20)_POLY1305_SHA256)"
)
# A header that may be set, and the values that it may have; None for any.
_HEADERS: Final[Mapping[str, frozenset[str] | None]] = {
    "Content-Security-Policy": None,
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": frozenset(("nosniff",)),
    "X-Frame-Options": frozenset(("deny", "sameorigin")),
    "X-XSS-Protection": None,
}
_HASH: Final = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_UNITS_NS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"

# A file that was written so shortly before it was read may be written again at what its file system takes for the same
# time.
_FRESH_NS: Final = 2 * 10**9
# Passwords that are remembered to be right, and as many that are remembered to be wrong.
_REMEMBERED: Final = 1024
# More does not count.
_PASSWORD_BYTES: Final = 72


class WebConfigError(ValueError):
    """The file cannot be read, or says what makes no sense; the message is one line that names the file and the line.

    >>> issubclass(WebConfigError, ValueError)
    True
    """


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration in Go's spelling. Raises ValueError.

    >>> duration_ns("1m30s"), duration_ns("1.5ms"), duration_ns("0")
    (90000000000, 1500000, 0)
    """
    if text == "0":
        return 0
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"`{text}` is no duration: write a number and a unit, such as 5m, 1h30m or 100ms")
    total = sum((int if number.isdecimal() else float)(number) * _UNITS_NS[unit] for number, unit in parts)
    if total >= 2**63:
        raise ValueError(f"`{text}` is too long: a duration is less than 292 years")
    return int(total)


def duration_text(duration_ns: int) -> str:
    """A duration, which is not negative, as Go writes it: with all units from its largest to seconds.

    >>> [duration_text(each) for each in (5 * 60 * 10**9, 1_500_000, 3_600_500_000_000, 0)]
    ['5m0s', '1.5ms', '1h0m0.5s', '0s']
    """
    if 0 < duration_ns < 10**9:
        unit, size = next(
            (unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if duration_ns >= size
        )
        return f"{_decimal(duration_ns, size)}{unit}"
    minutes, rest = divmod(duration_ns, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    return f"{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{_decimal(rest, 10**9)}s"


def _decimal(number: int, size: int) -> str:
    whole, fraction = divmod(number, size)
    digits = str(fraction).zfill(len(str(size)) - 1).rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request each ``interval_ns`` nanoseconds, and at first, or after a rest, ``burst`` of them at once.

    >>> RateLimit(10**9, 5).burst
    5
    """

    interval_ns: int
    burst: int


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """The section ``tls_server_config``. Of a certificate, a key and the clients' CAs, each is a file or PEM text.

    >>> TLSConfig(cert="-----BEGIN CERTIFICATE-----", key_file="tls.key").client_auth_type
    'NoClientCert'
    """

    cert: str = ""
    cert_file: str = ""
    key: str = ""
    key_file: str = ""
    client_ca: str = ""
    client_ca_file: str = ""
    client_auth_type: str = _NO_CLIENT
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that certificates and keys are read from.

        >>> TLSConfig(cert_file="tls.crt", key_file="tls.key").files
        ('tls.crt', 'tls.key')
        """
        return tuple(filter(None, (self.cert_file, self.key_file, self.client_ca_file)))

    def context(self) -> ssl.SSLContext:
        """What a server is to wrap its connections with. Raises WebConfigError."""
        context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self.min_version]
        context.maximum_version = _VERSIONS[self.max_version]
        if not self.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.options |= ssl.OP_NO_RENEGOTIATION
        if suites := [suite for suite in self.cipher_suites if suite not in _TLS13_SUITES]:
            with _named("cipher_suites"):
                context.set_ciphers(":".join(map(_openssl_name, suites)))
        if self.curve_preferences:
            with _named("curve_preferences"):
                context.set_ecdh_curve(_CURVES[self.curve_preferences[0]])
        with ExitStack() as files:
            cert = self.cert_file or files.enter_context(_as_file(self.cert))
            key = self.key_file or files.enter_context(_as_file(self.key))
            for name in self.files:
                _read(name)  # of a file that cannot be read, OpenSSL does not say which it is
            with _named(f"{self.cert_file or 'cert'}, {self.key_file or 'key'}"):
                context.load_cert_chain(cert, key, password=_no_password)
            if self.client_ca or self.client_ca_file:
                with _named(self.client_ca_file or "client_ca"):
                    context.load_verify_locations(self.client_ca_file or None, cadata=self.client_ca or None)
        context.verify_mode = _CLIENT_AUTH[self.client_auth_type]
        context.set_alpn_protocols(["http/1.1"])
        return context

    def admits(self, certificate: Mapping[str, Any] | None) -> bool:
        """Whether a client with this certificate, as ``SSLSocket.getpeercert`` tells it, may come in.

        >>> TLSConfig(client_allowed_sans=frozenset(["db1"])).admits({"subjectAltName": (("DNS", "db1"),)})
        True
        """
        if not self.client_allowed_sans:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        return any(_san_text(kind, name) in self.client_allowed_sans for kind, name in names)


def _san_text(kind: str, name: Any) -> Any:
    """A name of a certificate as Go writes it: Python spells all of an IPv6 address out."""
    return str(ip_address(name)) if kind == "IP Address" and ":" in name else name


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What a file says. ``users`` are names and bcrypt hashes; ``headers`` are added to each response.

    >>> WebConfig().users
    {}
    """

    tls: TLSConfig | None = None
    users: Mapping[bytes, bytes] = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rate_limit: RateLimit | None = None

    @classmethod
    def parse(cls, data: bytes, /, *, filename: str = "<web config>") -> WebConfig:
        """Read the text of such a file. Names of files in it are relative to the folder of ``filename``.

        Raises WebConfigError, and ModuleNotFoundError where PyYAML or bcrypt is not installed.

        >>> WebConfig.parse(b"rate_limit: {interval: 1s, burst: 5}").rate_limit
        RateLimit(interval_ns=1000000000, burst=5)
        >>> WebConfig.parse(b"http_server_config:\\n  http3: true\\n", filename="web.yml")
        Traceback (most recent call last):
        expofmt.gateway.webconfig.WebConfigError: web.yml:2: unknown option `http3` in http_server_config: expected \
one of http2, headers
        """
        return _Reader(filename).read(data)


class _Reader:
    """Reads one file: YAML nodes, which know their lines, to options."""

    def __init__(self, filename: str) -> None:
        self.filename = visible(filename)
        self.folder = Path(filename).parent

    def read(self, data: bytes) -> WebConfig:
        yaml = _module("yaml", "PyYAML")
        try:
            root = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise WebConfigError(f"{self.filename}:{line}: is not UTF-8") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{self.filename}:{mark.line + 1}" if mark else self.filename
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
            raise WebConfigError(f"{place}: is not YAML: {visible(str(problem))}") from None
        if root is None:
            return WebConfig()
        sections = self._options(
            root, "", ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
        )
        return WebConfig(
            self._tls(sections["tls_server_config"]) if "tls_server_config" in sections else None,
            self._users(sections["basic_auth_users"]) if "basic_auth_users" in sections else {},
            self._headers(sections["http_server_config"]) if "http_server_config" in sections else (),
            self._rate_limit(sections["rate_limit"]) if "rate_limit" in sections else None,
        )

    def _tls(self, node: Any) -> TLSConfig | None:
        options = self._options(node, "tls_server_config", tuple(TLSConfig.__dataclass_fields__))
        if not options:
            return None
        found: dict[str, Any] = {}
        for name, value in options.items():
            match name:
                case "cert_file" | "key_file" | "client_ca_file":
                    text = self._text(value, name)
                    found[name] = str(self.folder / text) if text else ""
                case "client_allowed_sans":
                    found[name] = frozenset(self._texts(value, name))
                    if not found[name]:
                        self._fail(value, "client_allowed_sans lets nobody in without a name")
                case "cipher_suites":
                    found[name] = self._texts(value, name)
                    for suite in found[name]:
                        if suite not in _TLS13_SUITES and not _SUITE.fullmatch(suite):
                            self._fail(value, f"unknown cipher suite `{suite}` in cipher_suites")
                case "curve_preferences":
                    found[name] = self._texts(value, name)
                    self._check_curves(value, found[name])
                case "prefer_server_cipher_suites":
                    found[name] = self._bool(value, name)
                case _:
                    found[name] = self._text(value, name)
        for name in ("min_version", "max_version"):
            if (version := found.get(name)) is not None and version not in _VERSIONS:
                reason = "is not offered by this server" if version in _OLD_VERSIONS else "is no version of TLS"
                self._fail(options[name], f"{name}: {version} {reason}: expected TLS12 or TLS13")
        if found.get("min_version") == "TLS13" and found.get("max_version") == "TLS12":
            self._fail(options["min_version"], "min_version is above max_version")
        for name in ("cert", "key"):
            self._check_one_of(node, found, name, f"{name}_file")
            if not found.get(name) and not found.get(f"{name}_file"):
                self._fail(node, f"tls_server_config has neither {name}_file nor {name}")
        self._check_client_auth(node, options, found)
        return TLSConfig(**found)

    def _check_curves(self, node: Any, curves: Sequence[str]) -> None:
        for curve in curves:
            if curve not in _CURVES:
                known = ", ".join(_CURVES)
                self._fail(node, f"curve_preferences: Python's ssl has no `{curve}`: expected one of {known}")
        if len(curves) > 1:
            self._fail(node, "curve_preferences: Python's ssl takes one curve only; without the option, it offers all")

    def _check_client_auth(self, node: Any, options: Mapping[str, Any], found: dict[str, Any]) -> None:
        self._check_one_of(node, found, "client_ca", "client_ca_file")
        policy = found["client_auth_type"] = found.get("client_auth_type") or _NO_CLIENT
        where = options.get("client_auth_type", node)
        known = ", ".join(_CLIENT_AUTH)
        if policy in _UNVERIFIED:
            self._fail(
                where,
                f"client_auth_type: Python's ssl cannot take certificates without verifying them, as {policy} asks: "
                f"expected one of {known}",
            )
        if policy not in _CLIENT_AUTH:
            self._fail(where, f"unknown client_auth_type `{policy}`: expected one of {known}")
        has_ca = found.get("client_ca") or found.get("client_ca_file")
        if policy != _NO_CLIENT and not has_ca:
            self._fail(where, f"client_auth_type {policy} takes a client_ca_file or client_ca")
        if policy == _NO_CLIENT and has_ca:
            self._fail(where, "a client_ca_file or client_ca has no effect without a client_auth_type")
        if found.get("client_allowed_sans") and policy != "RequireAndVerifyClientCert":
            self._fail(where, "client_allowed_sans takes the client_auth_type RequireAndVerifyClientCert")

    def _check_one_of(self, node: Any, found: Mapping[str, Any], *names: str) -> None:
        if all(found.get(name) for name in names):
            self._fail(node, f"tls_server_config has both {' and '.join(names)}: give one of them")

    def _users(self, node: Any) -> dict[bytes, bytes]:
        _module("bcrypt", "bcrypt")
        users = {}
        for name, value in self._options(node, "basic_auth_users", None).items():
            hash = self._text(value, name).encode()
            if not _HASH.fullmatch(hash):
                self._fail(value, f"the password of user `{name}` is no bcrypt hash: make one with htpasswd -nBC 10")
            users[name.encode()] = hash
        return users

    def _headers(self, node: Any) -> tuple[tuple[bytes, bytes], ...]:
        options = self._options(node, "http_server_config", ("http2", "headers"))
        if "http2" in options:
            # That clients may ask for HTTP/2 does not mean that they are granted it.
            self._bool(options["http2"], "http2")
        headers = []
        if "headers" in options:
            for name, value in self._options(options["headers"], "headers", tuple(_HEADERS)).items():
                text = self._text(value, name)
                allowed = _HEADERS[name]
                if text and allowed is not None and text.lower() not in allowed:
                    self._fail(value, f"{name}: expected {' or '.join(sorted(allowed))}, not `{text}`")
                if not text.isprintable() or not text.isascii():
                    self._fail(value, f"{name}: has a character that no header may have")
                if text:
                    headers.append((name.lower().encode(), text.encode()))
        return tuple(headers)

    def _rate_limit(self, node: Any) -> RateLimit | None:
        options = self._options(node, "rate_limit", ("interval", "burst"))
        try:
            interval = duration_ns(self._text(options["interval"], "interval")) if "interval" in options else 0
        except ValueError as error:
            self._fail(options["interval"], f"interval: {error}")
        text = self._text(options["burst"], "burst") if "burst" in options else "0"
        if not text.isdecimal() or not text.isascii():
            self._fail(options["burst"], f"burst: `{text}` is no count")
        if not interval:
            return None
        if int(text) < 1:
            self._fail(node, "rate_limit lets nobody in without a burst of at least 1")
        return RateLimit(interval, int(text))

    def _options(self, node: Any, section: str, known: Sequence[str] | None) -> dict[str, Any]:
        if node.id == "scalar" and node.tag == _NULL:
            return {}
        if node.id != "mapping":
            self._fail(node, f"expected {section or 'the file'} to be options, each with its name")
        options: dict[str, Any] = {}
        for key, value in node.value:
            name = self._text(key, "a name")
            if known is not None and name not in known:
                within = f" in {section}" if section else ""
                self._fail(key, f"unknown option `{name}`{within}: expected one of {', '.join(known)}")
            if name in options:
                self._fail(key, f"option `{name}` is given twice")
            options[name] = value
        return options

    def _texts(self, node: Any, name: str) -> tuple[str, ...]:
        if node.id != "sequence":
            self._fail(node, f"{name}: expected a list")
        return tuple(self._text(item, name) for item in node.value)

    def _text(self, node: Any, name: str) -> str:
        if node.id != "scalar":
            self._fail(node, f"{name}: expected a text")
        return "" if node.tag == _NULL else str(node.value)

    def _bool(self, node: Any, name: str) -> bool:
        text = self._text(node, name)
        if node.tag != _BOOL:
            self._fail(node, f"{name}: expected true or false, not `{text}`")
        return text.lower() in ("true", "yes", "on")

    def _fail(self, node: Any, message: str) -> NoReturn:
        raise WebConfigError(f"{self.filename}:{node.start_mark.line + 1}: {visible(message)}") from None


class WebConfigFile:
    """A file of that form, as it is whenever one asks. Safe to call from many threads.

    Whoever makes one reads the file, so that what is wrong with it is told at once: WebConfigError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = name = str(path)
        self._lock = Lock()
        self._config = _Watched((name,), lambda: WebConfig.parse(_read(name), filename=name))
        self._context: tuple[TLSConfig, _Watched[ssl.SSLContext]] | None = None
        self.tls_context()

    def config(self) -> WebConfig:
        """What the file says. Raises WebConfigError."""
        with self._lock:
            return self._config.get()

    def tls_context(self) -> ssl.SSLContext | None:
        """What connections are wrapped with, its certificates as they are on disk; ``None`` without TLS.

        Raises WebConfigError.
        """
        with self._lock:
            tls = self._config.get().tls
            if tls is None:
                return None
            if self._context is None or self._context[0] != tls:
                self._context = tls, _Watched(tls.files, tls.context)
            try:
                return self._context[1].get()
            except WebConfigError as error:
                raise WebConfigError(f"{visible(self.path)}: {error}") from None


class _Watched(Generic[T]):
    """What is made of some files, made again when one of them has changed."""

    def __init__(self, files: tuple[str, ...], make: Callable[[], T]) -> None:
        self._files = files
        self._make = make
        self._stamps: list[tuple[int, ...] | None] | None = None
        self._contents: list[bytes | None] = []
        self._fresh = False
        self._value: T | None = None
        self._error = ""

    def get(self) -> T:
        """What is made of them as they are. Raises WebConfigError."""
        stamps = [_stamp(file) for file in self._files]
        if self._fresh or stamps != self._stamps:
            self._look(stamps)
        if self._value is None:
            raise WebConfigError(self._error)
        return self._value

    def _look(self, stamps: list[tuple[int, ...] | None]) -> None:
        now = time.time_ns()
        contents = [_content(file) for file in self._files]
        if self._stamps is None or contents != self._contents:
            try:
                self._value, self._error = self._make(), ""
            except WebConfigError as error:
                self._value, self._error = None, str(error)
        self._stamps, self._contents = stamps, contents
        self._fresh = any(stamp is not None and max(stamp[:2]) > now - _FRESH_NS for stamp in stamps)


def _stamp(file: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - once for each request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _content(file: str) -> bytes | None:
    try:
        return Path(file).read_bytes()
    except OSError:
        return None


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise WebConfigError(f"{visible(file)}: {error.strerror or error}") from None


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A file that only its owner can read, for as long as OpenSSL reads it: it takes nothing else."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield file.name


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Lets an error of OpenSSL say what it is about."""
    try:
        yield
    except ssl.SSLError as error:
        unreadable = "PEM lib" in str(error)
        reason = "no certificate and key (PEM) that can be read" if unreadable else error.reason or error
        raise WebConfigError(f"{visible(what)}: {reason}") from None
    except ValueError as error:
        raise WebConfigError(f"{visible(what)}: {error}") from None


def _no_password() -> NoReturn:
    # OpenSSL would ask whoever is at the terminal.
    raise ValueError("the key is encrypted: write it without a password, to a file that only its owner can read")


def _openssl_name(suite: str) -> str:
    """OpenSSL's name of a cipher suite of TLS 1.2.

    >>> _openssl_name("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), _openssl_name("TLS_RSA_WITH_AES_256_CBC_SHA")
    ('ECDHE-RSA-AES128-GCM-SHA256', 'AES256-SHA')
    """
    match = _SUITE.fullmatch(suite)
    if match is None:
        raise ValueError(f"unknown cipher suite `{suite}`")
    exchange, bits, cbc, gcm, chacha = match.groups()
    parts = [] if exchange == "RSA" else [exchange.replace("_", "-")]
    if chacha:
        return "-".join([*parts, "CHACHA20", "POLY1305"])
    return "-".join([*parts, f"AES{bits}", *(["GCM", gcm] if gcm else [cbc])])


def _module(name: str, shown: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        text = f'--web.config.file takes {shown}: pip install "expofmt[gateway]"'
        raise ModuleNotFoundError(text, name=name) from None


class _Passwords:
    """Tells right passwords from wrong ones, and remembers which were which, never the passwords themselves.

    For one event loop. To compute a bcrypt hash takes as long as thousands of pushes: it is done in threads, of which
    there are so few that somebody who guesses leaves the processor to the others.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="expofmt-bcrypt")
        self._key = secrets.token_bytes(32)
        # Kept apart, so that no number of guesses makes a right password be forgotten.
        self._known: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._running: dict[bytes, Future[bool]] = {}

    async def fit(self, users: Mapping[bytes, bytes], user: bytes, password: bytes) -> bool:
        """Whether there is such a user with such a password. An unknown user takes as long as a known one."""
        hash = users.get(user)
        known = hash is not None
        if hash is None:
            hash = next(iter(users.values()))
        digest = hashlib.blake2b(key=self._key)
        for part in (b"known" if known else b"unknown", user, password, hash):
            digest.update(len(part).to_bytes(8, "big") + part)
        key = digest.digest()
        for verdict, remembered in self._known.items():
            if key in remembered:
                remembered.move_to_end(key)
                return verdict
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = self._threads.submit(_fits, password, hash)
        try:
            # Whoever goes away leaves the others waiting for it.
            verdict = await asyncio.shield(asyncio.wrap_future(running)) and known
        finally:
            if running.done():
                self._running.pop(key, None)
        remembered = self._known[verdict]
        remembered[key] = None
        if len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
        return verdict


def _fits(password: bytes, hash: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_PASSWORD_BYTES], hash)
    except ValueError:  # for a password with a zero byte
        return False


class _Bucket:
    """Lets requests pass at a rate. For one event loop."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._spent_until = 0

    def admits(self, now_ns: int) -> bool:
        """Whether one more may pass at this time, of a clock that does not go back."""
        interval, burst = self.limit.interval_ns, self.limit.burst
        spent_until = max(self._spent_until, now_ns)
        if spent_until - now_ns > (burst - 1) * interval:
            return False
        self._spent_until = spent_until + interval
        return True


def authenticated(app: ASGIApp, file: WebConfigFile, /, *, on_error: Callable[[str], None] = warnings.warn) -> ASGIApp:
    """An ASGI application that lets those requests through to ``app`` that the file admits, and adds its headers.

    Each request is measured by the file as it is then: 500 if it makes no sense, which ``on_error`` is told, 429 beyond
    its rate, 401 without the name and password of one of its users, whatever is asked for. For one event loop.
    """
    passwords = _Passwords()
    bucket: _Bucket | None = None

    async def layer(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        nonlocal bucket
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        try:
            config = file.config()
        except WebConfigError as error:
            on_error(str(error))
            await _refuse(send, 500, "Internal Server Error")
            return
        if config.headers:
            send = _with_headers(send, config.headers)
        if config.rate_limit is not None:
            if bucket is None or bucket.limit != config.rate_limit:
                bucket = _Bucket(config.rate_limit)
            if not bucket.admits(time.monotonic_ns()):
                await _refuse(send, 429, "Too Many Requests")
                return
        if config.users:
            given = _credentials(scope["headers"])
            if given is None or not await passwords.fit(config.users, *given):
                await _refuse(send, 401, "Unauthorized", (b"www-authenticate", b"Basic"))
                return
        await app(scope, receive, send)

    return layer


def _credentials(headers: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """User and password of a request, as RFC 7617 has them."""
    value = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, encoded = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None


def _with_headers(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name for name, _ in given}
            message = {**message, "headers": [*given, *(pair for pair in headers if pair[0] not in names)]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = text.encode() + b"\n"
    told = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
