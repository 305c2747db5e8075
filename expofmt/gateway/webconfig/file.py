"""A file as it is on disk, whenever one asks."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from threading import Lock

from ...quoting import visible
from .errors import WebConfigError
from .reading import WebConfig
from .tls_server import TLSConfig
from .watched import Watched

__all__ = ["WebConfigFile"]


class WebConfigFile:
    """A file of that form, as it is whenever one asks. Safe to call from many threads.

    Whoever makes one reads the file, so that what is wrong with it is told at once: WebConfigError. A change counts
    once the file has been left alone for half a second; until then, what it said before does. That it asks for no
    passwords or certificates any more, nor limits the rate, counts only if it says so: a file may be cut off, or empty,
    because whoever writes it is not done, or had no space left. That certificates may have any names is no change that
    counts: it takes another WebConfigFile. ``is_secure`` is whether it asked for TLS at the start, which stays so.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = str(path)
        self._lock = Lock()
        self._config = Watched((self.path,), self._read)
        # What it has said last that made sense.
        self._last: WebConfig | None = None
        self._context: tuple[TLSConfig, Watched[ssl.SSLContext]] | None = None
        self.is_secure = self.config().tls is not None
        self.tls_context()

    def config(self) -> WebConfig:
        """What the file says. Raises WebConfigError."""
        with self._lock:
            return self._current()

    def tls_context(self) -> ssl.SSLContext | None:
        """What connections are wrapped with, its certificates as they are on disk; ``None`` without TLS.

        Raises WebConfigError.
        """
        with self._lock:
            tls = self._current().tls
            if tls is None:
                return None
            if self._context is None or self._context[0] != tls:
                self._context = tls, Watched(tls.files, lambda _: tls.context())
            try:
                return self._context[1].get()
            except WebConfigError as error:
                raise WebConfigError(f"{visible(self.path)}: {error}") from None

    def _current(self) -> WebConfig:
        self._last = self._config.get()
        return self._last

    def _read(self, contents: Sequence[bytes]) -> WebConfig:
        config = WebConfig.parse(contents[0], filename=self.path)
        if self._last is not None and (lost := self._lost(config, self._last)):
            raise WebConfigError(f"{visible(self.path)}: {lost}")
        return config

    def _lost(self, config: WebConfig, last: WebConfig) -> str:
        """What a file asks for no more, and does not say so."""
        if last.users and config.users is None:
            return "has no basic_auth_users any more: to let everybody in, write `basic_auth_users: {}`"
        rate = config.rate_limit
        if last.rate_limit and last.rate_limit.interval_ns and (rate is None or (rate.burst and not rate.interval_ns)):
            return "has no rate_limit any more: to let requests in at any rate, write `rate_limit: {}`"
        if not self.is_secure:
            return ""
        if config.tls is None:
            return "has no tls_server_config any more: TLS is switched off by a restart only"
        if last.tls and last.tls.asks_for_certificates and not config.tls.client_auth_type:
            return "has no client_auth_type any more: to let everybody in, write `client_auth_type: NoClientCert`"
        # Other client_auth_types take no names, so whoever writes one says so.
        is_asked = config.tls.client_auth_type == "RequireAndVerifyClientCert"
        if last.tls and last.tls.client_allowed_sans and is_asked and not config.tls.client_allowed_sans:
            return "has no client_allowed_sans any more: certificates of all names are let in by a restart only"
        return ""
