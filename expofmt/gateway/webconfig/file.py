"""A file as it is on disk, whenever one asks."""

from __future__ import annotations

import os
import ssl
from threading import Lock

from ...quoting import visible
from .errors import WebConfigError
from .reading import WebConfig
from .tls_server import TLSConfig
from .watched import Watched, read

__all__ = ["WebConfigFile"]


class WebConfigFile:
    """A file of that form, as it is whenever one asks. Safe to call from many threads.

    Whoever makes one reads the file, so that what is wrong with it is told at once: WebConfigError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = name = str(path)
        self._lock = Lock()
        self._config = Watched((name,), lambda: WebConfig.parse(read(name), filename=name))
        self._context: tuple[TLSConfig, Watched[ssl.SSLContext]] | None = None
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
                self._context = tls, Watched(tls.files, tls.context)
            try:
                return self._context[1].get()
            except WebConfigError as error:
                raise WebConfigError(f"{visible(self.path)}: {error}") from None
