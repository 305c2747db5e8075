"""The file of ``--web.config.file``: TLS, users and their passwords, response headers, a limit on the rate of requests.

It is that of Prometheus' exporters, read strictly: an option that is unknown, or that Python's ``ssl`` cannot express,
is an error with its line. Whoever asks gets the file as it is on disk, once it has been left alone for a moment; one
that makes no sense lets nobody in.
"""

from __future__ import annotations

from .errors import WebConfigError
from .file import WebConfigFile
from .layer import Authenticated
from .reading import RateLimit, WebConfig
from .tls_server import TLSConfig

__all__ = ["Authenticated", "RateLimit", "TLSConfig", "WebConfig", "WebConfigError", "WebConfigFile"]
