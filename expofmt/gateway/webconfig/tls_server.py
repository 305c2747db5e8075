"""The section ``tls_server_config``, and what a server wraps its connections with for it."""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NoReturn

from ...quoting import visible
from ..handshakes import ServerContext
from .errors import WebConfigError

__all__ = ["CLIENT_AUTH", "CURVES", "NO_CLIENT", "VERSIONS", "TLSConfig", "is_suite", "plain_name"]

NO_CLIENT: Final = "NoClientCert"
CLIENT_AUTH: Final[Mapping[str, ssl.VerifyMode]] = {
    NO_CLIENT: ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# Those of TLS 1.3, which are on whatever is asked for, as in Go.
_TLS13_SUITES: Final = frozenset(("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"))
_SUITE: Final = re.compile(
    r"TLS_(RSA|ECDHE_RSA|ECDHE_ECDSA)_WITH_"
    r"(?:AES_(128|256)_(?:CBC_(SHA(?:256)?)|GCM_(SHA256|SHA384))|(CHACHA20)_POLY1305_SHA256)"
)


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """The section ``tls_server_config``. Of a certificate, a key and the clients' CAs, each is a file or PEM text.

    >>> TLSConfig(cert="-----BEGIN CERTIFICATE-----", key_file="tls.key").client_auth_type
    ''
    """

    cert: str = ""
    cert_file: str = ""
    key: str = ""
    key_file: str = ""
    client_ca: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @property
    def asks_for_certificates(self) -> bool:
        """Whether clients are to show certificates.

        >>> TLSConfig(client_auth_type="VerifyClientCertIfGiven").asks_for_certificates
        True
        """
        return self.client_auth_type not in ("", NO_CLIENT)

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
        context.minimum_version = VERSIONS[self.min_version]
        context.maximum_version = VERSIONS[self.max_version]
        if not self.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.options |= ssl.OP_NO_RENEGOTIATION
        if suites := [suite for suite in self.cipher_suites if suite not in _TLS13_SUITES]:
            with _named("cipher_suites"):
                context.set_ciphers(":".join(map(_openssl_name, suites)))
        if self.curve_preferences:
            with _named("curve_preferences"):
                context.set_ecdh_curve(CURVES[self.curve_preferences[0]])
        with ExitStack() as files:
            cert = self.cert_file or files.enter_context(_as_file(self.cert))
            key = self.key_file or files.enter_context(_as_file(self.key))
            with _named(f"{self.cert_file or 'cert'}, {self.key_file or 'key'}"):
                context.load_cert_chain(cert, key, password=_no_password)
            if self.client_ca or self.client_ca_file:
                with _named(self.client_ca_file or "client_ca"):
                    context.load_verify_locations(self.client_ca_file or None, cadata=self.client_ca or None)
        context.verify_mode = CLIENT_AUTH[self.client_auth_type or NO_CLIENT]
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
        return any(plain_name(str(name)) in self.client_allowed_sans for _, name in names)


def is_suite(name: str) -> bool:
    """Whether that is the name of a cipher suite, as Go writes it.

    >>> is_suite("TLS_AES_128_GCM_SHA256"), is_suite("TLS_RSA_WITH_RC4_128_SHA")
    (True, False)
    """
    return name in _TLS13_SUITES or _SUITE.fullmatch(name) is not None


def plain_name(name: str) -> str:
    """A name that may be in a certificate; IP addresses, which one can write in several ways, in the usual one.

    >>> plain_name("2001:DB8:0:0:0:0:0:1"), plain_name("db1")
    ('2001:db8::1', 'db1')
    """
    try:
        return str(ip_address(name))
    except ValueError:
        return name


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
