"""Requests and responses as the handler sees them: plain data, however they came in and wherever they go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self, overload

__all__ = ["Headers", "Request", "Response", "encoded", "regrouped", "weights"]

_TEXT: Final = ("Content-Type", "text/plain; charset=utf-8")
_NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")
# Of a Content-Length, as many as 64 bits take.
_DIGITS: Final = 20


class Headers(Sequence[tuple[str, str]]):
    """Header fields in the order in which they came, their names in any letter case. Immutable.

    Names and values are bytes as Latin-1. RFC 9110, 5.

    >>> headers = Headers([("Host", "a"), ("accept", "text/plain")])
    >>> headers.get("Accept"), headers.get("Cookie"), len(headers)
    ('text/plain', None, 2)
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        # The value of the first field of each name, which is asked for several times for each request.
        self._first = {name.lower(): value for name, value in reversed(self._pairs)}

    def get(self, name: str) -> str | None:
        """The value of the first field of that name.

        >>> Headers([("A", "1"), ("a", "2")]).get("a")
        '1'
        """
        return self._first.get(name.lower())

    def joined(self, name: str) -> str:
        """The values of all fields of that name as one list, as RFC 9110, 5.3 joins them; empty if there is none.

        >>> Headers([("A", "1"), ("a", "2")]).joined("a")
        '1, 2'
        """
        name = name.lower()
        return ", ".join(value for given, value in self._pairs if given.lower() == name)

    def content_length(self) -> int | None:
        """How many bytes the body is said to have; ``None`` if that is not told, or is no number.

        A length of more than 20 digits is told as one of 20, which is more than anything has. RFC 9110, 8.6.

        >>> Headers([("Content-Length", "42")]).content_length(), Headers([("Content-Length", "-1")]).content_length()
        (42, None)
        """
        length = self.get("content-length") or ""
        if not length.isdecimal() or not length.isascii():
            return None
        # Python takes no number of thousands of digits.
        return int(length.lstrip("0")[:_DIGITS] or "0")

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[str, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | Sequence[tuple[str, str]]:
        return self._pairs[index]

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self._pairs)!r})"


_NO_HEADERS: Final = Headers()


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``target`` is what the request line has: path and query, still percent-encoded, bytes as Latin-1.

    ``source`` is who sent it, for the log. ``root`` is the path that the application is mounted at, decoded; it is part
    of the target.

    >>> Request("GET", "/metrics?name[]=up").headers.get("accept") is None
    True
    """

    method: str
    target: str
    headers: Headers = _NO_HEADERS
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    source: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A response, without ``Content-Length``, which is that of the body. ``content`` is the body in pieces of any size.

    >>> Response(200, content=(b"a 1\\n", b"b 2\\n")).body
    b'a 1\\nb 2\\n'
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    content: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """The content as one."""
        return b"".join(self.content)

    @property
    def content_length(self) -> int:
        """How many bytes the content has."""
        return sum(map(len, self.content))

    @classmethod
    def text(cls, status: int, text: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Self:
        """A plain text.

        >>> Response.text(200, "OK").headers
        (('Content-Type', 'text/plain; charset=utf-8'),)
        """
        return cls(status, (_TEXT, *headers), (encoded(text),))

    @classmethod
    def error(cls, status: int, text: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Self:
        """An error as Pushgateway answers it: the text and a line feed, which no browser is to take for a page.

        >>> Response.error(404, "404 page not found").body
        b'404 page not found\\n'
        """
        return cls(status, (_TEXT, _NO_SNIFFING, *headers), (encoded(text) + b"\n",))

    @classmethod
    def redirect(cls, method: str, status: int, location: str) -> Self:
        """A redirect to a path. Who asks with GET is shown a link, too: RFC 9110, 15.4.

        >>> Response.redirect("GET", 301, "/metrics").body
        b'<a href="/metrics">Moved Permanently</a>.\\n\\n'
        """
        headers = (("Location", location),)
        if method not in ("GET", "HEAD"):
            return cls(status, headers)
        shown = location
        for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
            shown = shown.replace(character, entity)
        body = f'<a href="{shown}">{HTTPStatus(status).phrase}</a>.\n\n'
        return cls(status, (("Content-Type", "text/html; charset=utf-8"), *headers), (encoded(body),))

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, in any letter case.

        >>> Response.text(200, "OK").header("content-type")
        'text/plain; charset=utf-8'
        """
        return Headers(self.headers).get(name)


def regrouped(content: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of at most ``size``: small ones joined, large ones cut, and none is empty.

    >>> list(regrouped([b"a", b"", b"bc", b"defgh"], 3))
    [b'abc', b'def', b'gh']
    """
    parts: list[bytes] = []
    length = 0
    for piece in content:
        for start in range(0, len(piece), size):
            part = piece[start : start + size]
            if length + len(part) > size:
                yield b"".join(parts)
                parts, length = [], 0
            parts.append(part)
            length += len(part)
    if parts:
        yield b"".join(parts)


# RFC 9110, 12.4.2, of any length.
_WEIGHT: Final = re.compile(r"[01](?:\.[0-9]*)?")


def weights(header: str) -> dict[str, float]:
    """How much each of what an Accept header lists is wanted: 1 where it does not say, 0 for not at all.

    Names are in lower case and without their parameters; the first of a name counts. RFC 9110, 12.4.2.

    >>> weights("application/json, text/plain;version=0.0.4;q=0.5")
    {'application/json': 1.0, 'text/plain': 0.5}
    """
    found: dict[str, float] = {}
    for clause in header.split(","):
        name, *parameters = (part.strip().lower() for part in clause.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        weight = next((value.strip() for key, _, value in pairs if key.strip() == "q"), "1")
        found.setdefault(name, float(weight) if _WEIGHT.fullmatch(weight) else 1.0)
    return found


def encoded(text: str) -> bytes:
    """A text for a body; a byte that is no UTF-8, which is a lone surrogate in texts that quote it, is itself again.

    >>> encoded("a\\udcff")
    b'a\\xff'
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
