"""From a request's target to what answers it: Pushgateway's routes, with its redirects and refusals.

Three things look at a path, one after the other: a cleaner, which redirects paths with ``//``, ``/./`` and ``/../`` and
sees them still percent-encoded; the routes, which see the path decoded; and, where none fits, a second look for one
that would but for a slash at the end or for letter case.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from ..grouping import path_prefix
from .messages import Response

__all__ = ["UNESCAPED", "Endpoint", "Route", "Router", "origin_form"]


class Endpoint(StrEnum):
    """What answers a request; the value is how Pushgateway's metrics call it.

    >>> Endpoint("push")
    <Endpoint.PUSH: 'push'>
    """

    PUSH = "push"
    DELETE = "delete"
    METRICS = "metrics"
    HEALTHY = "healthy"
    READY = "ready"
    QUIT = "quit"
    NO_QUIT = "no quit"
    PAGE = "status"
    STATIC = "static"
    WIPE = "wipe"
    API_METRICS = "api/v1/metrics"
    API_STATUS = "api/v1/status"
    API_GROUPS = "api/v1/groups"
    API_GROUP = "api/v1/group"
    API_OPTIONS = "api/v1/options"


class Route(NamedTuple):
    """Where a request goes: to an endpoint, or nowhere, with the ``response`` that says so.

    ``rest`` is what follows the name of the endpoint in the decoded path, bytes as Latin-1; ``query`` is the query as
    it was sent. ``decodes`` is whether the Content-Encoding of the request is looked at on that way.

    >>> Route(Endpoint.PAGE).decodes
    True
    """

    endpoint: Endpoint | None = None
    response: Response | None = None
    rest: str = ""
    query: str = ""
    decodes: bool = True


# What no HTTP request line holds, and a percent sign that escapes nothing.
_NOT_IN_A_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NO_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_UNCLEAN: Final = re.compile(r"//|/\.{1,2}(?:/|$)")
# What Go leaves as it is when it writes a path.
UNESCAPED: Final = "/$&+,:;=@~"
_API: Final = "/api/v1"
_CLOSE: Final = (("Connection", "close"),)
_BAD_REQUEST: Final = Response.text(400, "400 Bad Request", headers=_CLOSE)
_NOT_FOUND: Final = Response.error(404, "404 page not found")


def joined(prefix: str, path: str) -> str:
    """A path below a prefix, with one slash between them, cleaned as the paths of requests are.

    >>> joined("/push", "metrics")
    '/push/metrics'
    """
    return posixpath.normpath(f"{prefix}/{path.lstrip('/')}")


class _Head(NamedTuple):
    """The beginning of paths that go to one endpoint, and whether something has to follow it."""

    path: str
    endpoint: Endpoint
    more: bool

    def begins(self, path: str) -> bool:
        return path.startswith(self.path) and (not self.more or len(path) > len(self.path))


class _Tree:
    """The routes of one method: some that are the path, and some that begin it."""

    def __init__(self, exact: Mapping[str, Endpoint], heads: Sequence[_Head] = (), node: str | None = None) -> None:
        self.exact = exact
        self.heads = heads
        # Where Pushgateway takes the slash at the end, to which a job belongs, for one too many.
        self.node = node
        self.folded = {path.lower(): path for path in exact}

    def get(self, path: str) -> tuple[Endpoint, str] | None:
        for head in self.heads:
            if head.begins(path):
                return head.endpoint, path[len(head.path) :]
        endpoint = self.exact.get(path)
        return None if endpoint is None else (endpoint, "")

    def corrected(self, path: str) -> str | None:
        """The path of a route that fits but for a slash at the end, for letter case, or for what can be cleaned."""
        if path == "/":
            return None
        if path == self.node or self.get(_other_end(path)):
            return _other_end(path)
        path = _cleaned(path)
        for spelt in (path, _other_end(path)):
            folded = spelt.lower()
            if (found := self.folded.get(folded)) is not None:
                return found
            for head in self.heads:
                if head._replace(path=head.path.lower()).begins(folded):
                    return head.path + spelt[len(head.path) :]
        return None


class Router:
    """Pushgateway's routes. Pure, and safe for threads.

    ``prefix`` is what stands before all of them (--web.route-prefix), ``telemetry_path`` where the metrics are
    scraped, and ``admin_api`` whether there is a route for wiping.

    >>> Router(prefix="/push").route("PUT", "/push/metrics/job/a").endpoint
    <Endpoint.PUSH: 'push'>
    """

    def __init__(self, *, prefix: str = "", telemetry_path: str = "/metrics", admin_api: bool = False) -> None:
        self.prefix = path_prefix(prefix)
        self._prefix = prefix = _as_in_paths(self.prefix)
        telemetry_path = _as_in_paths(telemetry_path)
        shown = {
            f"{prefix}/": Endpoint.PAGE,
            f"{prefix}/status": Endpoint.PAGE,
            f"{prefix}/-/healthy": Endpoint.HEALTHY,
            f"{prefix}/-/ready": Endpoint.READY,
            joined(prefix, telemetry_path): Endpoint.METRICS,
            # This one stays at the root.
            "/-/quit": Endpoint.NO_QUIT,
        }
        quit = {f"{prefix}/-/quit": Endpoint.QUIT}
        # A job is anything but nothing: labels that follow an empty one are for whoever makes a key of the path.
        jobs = [f"{prefix}/metrics/job/", f"{prefix}/metrics/job@base64/"]
        pushes = [_Head(job, Endpoint.PUSH, more=True) for job in jobs]
        self._trees = {
            "GET": _Tree(shown, [_Head(f"{prefix}/static/", Endpoint.STATIC, more=False)]),
            "PUT": _Tree(quit, pushes, jobs[0]),
            "POST": _Tree(quit, pushes, jobs[0]),
            "DELETE": _Tree({}, [_Head(job, Endpoint.DELETE, more=True) for job in jobs], jobs[0]),
        }
        # The groups are for our page.
        queries = {
            "/metrics": Endpoint.API_METRICS,
            "/status": Endpoint.API_STATUS,
            "/groups": Endpoint.API_GROUPS,
        }
        self._api = {"GET": _Tree(queries, [_Head("/groups/", Endpoint.API_GROUP, more=True)])}
        if admin_api:
            self._api["PUT"] = _Tree({"/admin/wipe": Endpoint.WIPE})

    def route(self, method: str, target: str, root: str = "") -> Route:
        """Where a request goes. The target is as it was sent, bytes as Latin-1; ``root`` as in :class:`Request`.

        >>> Router().route("GET", "/metrics/").response.header("Location")
        '/metrics'
        """
        if target == "*":
            return Route(response=Response(200) if method == "OPTIONS" else Response(400, _CLOSE), decodes=False)
        if method == "CONNECT" and not target.startswith("/"):
            # The name of a host, which has no path.
            return Route(response=_NOT_FOUND, decodes=False)
        origin = origin_form(target)
        site = target.removesuffix(origin) if origin != target else ""
        raw, _, query = origin.partition("?")
        if _NOT_IN_A_TARGET.search(target) or _NO_ESCAPE.search(raw) or not (raw.startswith("/") or (site and not raw)):
            return Route(response=_BAD_REQUEST, decodes=False)
        suffix = f"?{query}" if query else ""
        if not raw or (_UNCLEAN.search(raw) and method != "CONNECT"):
            return Route(response=Response.redirect(method, 307, _cleaned(raw) + suffix), decodes=False)
        path = unquote_to_bytes(raw.encode("latin-1", "replace")).decode("latin-1") if "%" in raw else raw
        base = _as_in_paths(path_prefix(root))
        if base and path.startswith(base):
            path = path[len(base) :] or "/"
        api = self._prefix + _API
        if path == api:
            return Route(response=Response.redirect(method, 307, f"{_quoted(base + api)}/{suffix}"), decodes=False)
        if not path.startswith(api + "/"):
            return _routed(self._trees, method, path, site + _quoted(base), suffix)._replace(query=query)
        if method == "OPTIONS":
            return Route(Endpoint.API_OPTIONS, decodes=False)
        return _routed(self._api, method, path[len(api) :], site + _quoted(base + api), suffix)._replace(decodes=False)


def _routed(trees: Mapping[str, _Tree], method: str, path: str, before: str, suffix: str) -> Route:
    """Where a decoded path goes; ``before`` and ``suffix`` are what a redirect has around it, escaped."""
    tree = trees.get(method)
    if tree is not None:
        if (found := tree.get(path)) is not None:
            return Route(found[0], rest=found[1])
        if (corrected := tree.corrected(path)) is not None:
            status = 301 if method == "GET" else 307
            return Route(response=Response.redirect(method, status, before + _quoted(corrected) + suffix))
    allowed = [other for other, tree in trees.items() if other != method and tree.get(path)]
    if not allowed:
        return Route(response=_NOT_FOUND)
    headers = (("Allow", ", ".join(sorted({*allowed, "OPTIONS"}))),)
    if method == "OPTIONS":
        return Route(response=Response(200, headers))
    return Route(response=Response.error(405, "Method Not Allowed", headers=headers))


def origin_form(target: str) -> str:
    """The path and query of a target that may begin with a scheme and a host. RFC 9112, 3.2.

    >>> origin_form("http://gateway:9091/metrics?a=b")
    '/metrics?a=b'
    """
    if target.startswith("/"):
        return target
    match = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*", target)
    return target if match is None else target[match.end() :]


def _as_in_paths(text: str) -> str:
    """A text as paths have it: the bytes of its UTF-8 as Latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _cleaned(path: str) -> str:
    """Without empty components, ``.`` and ``..``; a slash at the end stays."""
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned


def _other_end(path: str) -> str:
    return path.removesuffix("/") if path.endswith("/") else path + "/"


def _quoted(path: str) -> str:
    """A decoded path, bytes as Latin-1, as a header may hold it."""
    return quote(path.encode("latin-1", "replace"), UNESCAPED)
