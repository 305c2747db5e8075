"""The files of the page, and the document that loads them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from types import MappingProxyType
from typing import Final

__all__ = ["CONTENT_SECURITY_POLICY", "files", "index"]

# Those that Pushgateway sends.
_CONTENT_TYPES: Final = {"css": "text/css", "js": "application/javascript", "svg": "image/svg+xml"}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The header of that name for :func:`index`: all that the page needs, so that no pushed text can ever become code."""


def _read() -> Mapping[str, tuple[str, bytes]]:
    found = {file.name: file.read_bytes() for file in resources.files(__package__).joinpath("static").iterdir()}
    return MappingProxyType({name: (_CONTENT_TYPES[name.rpartition(".")[2]], found[name]) for name in sorted(found)})


files: Final = _read()
"""What is served below ``/static/``: the path there, to the content type and the content."""

_DOCUMENT: Final = Template(resources.files(__package__).joinpath("index.html").read_text(encoding="utf-8"))


def index(external_path: str = "", *, admin_api: bool = False, telemetry_path: str = "/metrics") -> bytes:
    """The document for ``/`` and ``/status``, as HTML in UTF-8.

    ``external_path`` is the path of ``--web.external-url``, under which browsers find the gateway, with or without its
    slashes. It stands before all links; if it is empty, they are relative. ``admin_api`` says whether groups may be
    wiped, ``telemetry_path`` where, below the external path, the metrics are.

    Pushgateway's README, "--web.external-url".

    >>> b'src="./static/main.js"' in index(), b'src="/push/static/main.js"' in index("/push/")
    (True, True)
    """
    path = external_path.strip("/")
    values = {
        "base": f"/{path}" if path else ".",
        "admin_api": "on" if admin_api else "off",
        "telemetry_path": telemetry_path.lstrip("/"),
    }
    return _DOCUMENT.substitute({name: escape(value) for name, value in values.items()}).encode()
