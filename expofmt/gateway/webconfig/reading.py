"""The text of a file, read strictly: what it says, or which line makes no sense."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from ...quoting import visible
from ..durations import duration_ns
from .errors import WebConfigError
from .tls_server import CLIENT_AUTH, CURVES, NO_CLIENT, VERSIONS, TLSConfig, is_suite, plain_name

__all__ = ["RateLimit", "WebConfig"]

# To ask for certificates and not look at who signed them.
_UNVERIFIED: Final = frozenset(("RequestClientCert", "RequireClientCert", "RequireAnyClientCert"))
_OLD_VERSIONS: Final = frozenset(("TLS10", "TLS11"))
# A header that may be set, and the values that it may have; None for any.
_HEADERS: Final[Mapping[str, frozenset[str] | None]] = {
    "Content-Security-Policy": None,
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": frozenset(("nosniff",)),
    "X-Frame-Options": frozenset(("deny", "sameorigin")),
    "X-XSS-Protection": None,
}
_HASH: Final = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
# What no text here has: characters that are none, and those that files and headers cannot be named by.
_CONTROL: Final = re.compile(r"[^\t\n\r\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]")
# Enough for all counts, and few enough to be shown.
_DIGITS: Final = 18
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request each ``interval_ns`` nanoseconds, and at first, or after a rest, ``burst`` of them at once.

    An interval of 0 is no limit.

    >>> RateLimit(10**9, 5).burst
    5
    """

    interval_ns: int
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What a file says. ``users`` are names and bcrypt hashes; ``headers`` are added to each response.

    A file that says nothing of users, for which that is ``None``, admits everybody, as does one that says there are
    none. Of rates the same is true.

    >>> WebConfig.parse(b"").users, WebConfig.parse(b"basic_auth_users: {}").users
    (None, {})
    >>> WebConfig.parse(b"").rate_limit, WebConfig.parse(b"rate_limit: {}").rate_limit
    (None, RateLimit(interval_ns=0, burst=0))
    """

    tls: TLSConfig | None = None
    users: Mapping[bytes, bytes] | None = None
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
        expofmt.gateway.webconfig.errors.WebConfigError: web.yml:2: unknown option `http3` in http_server_config: \
expected one of http2, headers
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
        except RecursionError:
            raise WebConfigError(f"{self.filename}: is nested too deeply") from None
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
            self._users(sections["basic_auth_users"]) if "basic_auth_users" in sections else None,
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
                case "cert" | "key" | "client_ca":
                    found[name] = self._text(value, name)
                    if not found[name].isascii():
                        self._fail(value, f"{name}: is no PEM, which has ASCII characters only")
                case "client_allowed_sans":
                    found[name] = frozenset(map(plain_name, self._texts(value, name)))
                    if not found[name]:
                        self._fail(value, "client_allowed_sans lets nobody in without a name")
                case "cipher_suites":
                    found[name] = self._texts(value, name)
                    for suite in found[name]:
                        if not is_suite(suite):
                            self._fail(value, f"unknown cipher suite `{suite}` in cipher_suites")
                case "curve_preferences":
                    found[name] = self._texts(value, name)
                    self._check_curves(value, found[name])
                case "prefer_server_cipher_suites":
                    found[name] = self._bool(value, name)
                case _:
                    found[name] = self._text(value, name)
        for name in ("min_version", "max_version"):
            if (version := found.get(name)) is not None and version not in VERSIONS:
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
            if curve not in CURVES:
                known = ", ".join(CURVES)
                self._fail(node, f"curve_preferences: Python's ssl has no `{curve}`: expected one of {known}")
        if len(curves) > 1:
            self._fail(node, "curve_preferences: Python's ssl takes one curve only; without the option, it offers all")

    def _check_client_auth(self, node: Any, options: Mapping[str, Any], found: dict[str, Any]) -> None:
        self._check_one_of(node, found, "client_ca", "client_ca_file")
        policy = found.get("client_auth_type") or NO_CLIENT
        where = options.get("client_auth_type", node)
        known = ", ".join(CLIENT_AUTH)
        if policy in _UNVERIFIED:
            self._fail(
                where,
                f"client_auth_type: Python's ssl cannot take certificates without verifying them, as {policy} asks: "
                f"expected one of {known}",
            )
        if policy not in CLIENT_AUTH:
            self._fail(where, f"unknown client_auth_type `{policy}`: expected one of {known}")
        has_ca = found.get("client_ca") or found.get("client_ca_file")
        if policy != NO_CLIENT and not has_ca:
            self._fail(where, f"client_auth_type {policy} takes a client_ca_file or client_ca")
        if policy == NO_CLIENT and has_ca:
            self._fail(where, "a client_ca_file or client_ca has no effect without a client_auth_type")
        if found.get("client_allowed_sans") and policy != "RequireAndVerifyClientCert":
            self._fail(where, "client_allowed_sans takes the client_auth_type RequireAndVerifyClientCert")

    def _check_one_of(self, node: Any, found: Mapping[str, Any], *names: str) -> None:
        if all(found.get(name) for name in names):
            self._fail(node, f"tls_server_config has both {' and '.join(names)}: give one of them")

    def _users(self, node: Any) -> dict[bytes, bytes] | None:
        if node.tag == _NULL:
            return None
        _module("bcrypt", "bcrypt")
        users = {}
        for name, value in self._options(node, "basic_auth_users", None).items():
            hash = self._text(value, name).encode()
            if not _HASH.fullmatch(hash):
                self._fail(value, f"the password of user `{name}` is no bcrypt hash: make one with htpasswd -nBC 10")
            if ":" in name:
                self._fail(value, f"user `{name}` can never come in: HTTP ends a user's name at the first colon")
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
        if node.tag == _NULL:
            return None
        options = self._options(node, "rate_limit", ("interval", "burst"))
        try:
            interval = duration_ns(self._text(options["interval"], "interval")) if "interval" in options else 0
        except ValueError as error:
            self._fail(options["interval"], f"interval: {error}")
        text = self._text(options["burst"], "burst") if "burst" in options else "0"
        if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS:
            self._fail(options["burst"], f"burst: `{text[: _DIGITS + 1]}` is no count of up to {_DIGITS} digits")
        if interval and int(text) < 1:
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
        if _CONTROL.search(node.value):
            self._fail(node, f"{name}: has a character that no text here may have")
        return "" if node.tag == _NULL else str(node.value)

    def _bool(self, node: Any, name: str) -> bool:
        text = self._text(node, name)
        if node.tag != _BOOL:
            self._fail(node, f"{name}: expected true or false, not `{text}`")
        return text.lower() in ("true", "yes", "on")

    def _fail(self, node: Any, message: str) -> NoReturn:
        raise WebConfigError(f"{self.filename}:{node.start_mark.line + 1}: {visible(message)}") from None


def _module(name: str, shown: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        text = f'--web.config.file takes {shown}: pip install "expofmt[gateway]"'
        raise ModuleNotFoundError(text, name=name) from None
