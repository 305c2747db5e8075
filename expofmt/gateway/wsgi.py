"""The gateway as a WSGI application, to be run by a server or mounted in another application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from ..store import GroupStore
from .handler import Gateway, gateway_of
from .messages import Headers, Request, Response
from .router import UNESCAPED, origin_form

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["make_wsgi_app"]

_CHUNK: Final = 1 << 16
# The fields whose names in the environment do not begin with HTTP_.
_NOT_HTTP: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")
_NO_LENGTH: Final = Response.error(411, "Length Required: this server takes no bodies without Content-Length")


def make_wsgi_app(store: GroupStore | Gateway, /, **options: Any) -> WSGIApplication:
    """A WSGI application that serves a gateway; the options are those of :class:`Gateway`, for a store.

    A body is read up to the gateway's limit, and one that ends before its declared length is refused; so is one in
    chunks (411), unless the server says that it takes them apart (``wsgi.input_terminated``). Mounted below a path, it
    answers below that. The store is not closed with the application: whoever made it closes it. PEP 3333.

    A server that does not tell the path as it was sent (``RAW_URI`` or ``REQUEST_URI``) has decoded it, and one with
    ``%2F%2F`` in it is then one with ``//``, and redirected.

    >>> app = make_wsgi_app(GroupStore(), enable_admin_api=True)
    """
    gateway = gateway_of(store, options)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = Headers(list(_headers(environ)))
        body = _body(environ, headers, gateway.max_body_bytes)
        if isinstance(body, Response):
            response = body
        else:
            request = Request(
                environ["REQUEST_METHOD"],
                _target(environ),
                headers,
                body,
                environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                environ.get("REMOTE_ADDR", ""),
                environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "surrogateescape"),
            )
            response = gateway.handle(request)
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
        # `Connection` is the server's.
        shown = [(name, value) for name, value in response.headers if name != "Connection"]
        start_response(status, [*shown, ("Content-Length", str(response.content_length))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else response.content

    return app


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for name in _NOT_HTTP:
        if environ.get(name):
            yield name.replace("_", "-").title(), environ[name]
    for name, value in environ.items():
        # A field `Content_Length` is another one, and is not to be taken for it.
        if name.startswith("HTTP_") and name[5:] not in _NOT_HTTP:
            yield name[5:].replace("_", "-").title(), value


def _body(environ: WSGIEnvironment, headers: Headers, limit: int) -> bytes | Response:
    """The body, or somewhat more of it than the limit; or the response, where it cannot be known."""
    declared = headers.get("content-length")
    if not declared and not environ.get("wsgi.input_terminated"):
        # To read until the end would be to wait for ever. That there is a body is seen by its coding only.
        return _NO_LENGTH if "HTTP_TRANSFER_ENCODING" in environ else b""
    length = headers.content_length()
    if declared and length is None:
        return Response.error(400, "bad Content-Length")
    if length is not None and length > limit:
        # Refused for what it declares.
        return b""
    body = b"".join(_chunks(environ["wsgi.input"].read, limit + 1 if length is None else length))
    return Response.error(400, "unexpected EOF") if length is not None and len(body) < length else body


def _chunks(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        chunk = read(min(size, _CHUNK))
        if not chunk:
            return
        yield chunk
        size -= len(chunk)


def _target(environ: WSGIEnvironment) -> str:
    """The target as it was sent, where the server tells and nobody has moved it since; else quoted again."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    sent = origin_form(raw).partition("?")[0]
    if unquote_to_bytes(sent.encode("latin-1", "replace")) != path.encode("latin-1", "replace"):
        sent = quote(path.encode("latin-1", "replace"), UNESCAPED)
    query = environ.get("QUERY_STRING", "")
    return f"{sent}?{query}" if query else sent
