"""An HTTP client for gateways: what it answers, to whom it tells secrets, and when it tries again."""

from __future__ import annotations

import random
import re
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from .. import __version__

# In seconds: the first pause before trying again, the longest that we choose, and the longest that a gateway may ask
# for.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LONGEST_WAIT: Final = 120.0

USER_AGENT: Final = f"expofmt/{__version__}"

_MOST_REDIRECTS: Final = 10
_ANSWER_BYTES: Final = 1 << 20  # more of an answer nobody is going to read
_IN_URL: Final = "!#$%&'()*+,/:;=?@[]~"


class Credentials(NamedTuple):
    """A user's name and password.

    >>> Credentials("me", "secret").header
    'Basic bWU6c2VjcmV0'
    """

    user: str
    password: str

    @property
    def header(self) -> str:
        """The value of ``Authorization``. RFC 7617, in UTF-8."""
        return f"Basic {b64encode(f'{self.user}:{self.password}'.encode('utf-8', 'surrogateescape')).decode()}"


def split_url(url: str) -> tuple[SplitResult, Credentials | None]:
    """A URL as a request can hold it, and the credentials that it begins with. Raises ValueError if it is none of HTTP.

    >>> parts, credentials = split_url("http://me:p%40ss@localhost:9091/a b")
    >>> parts.geturl(), credentials
    ('http://localhost:9091/a%20b', Credentials(user='me', password='p@ss'))
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a URL that starts with http:// or https:// and a host")
    if parts.port == 0:  # of what is no port, the question raises
        raise ValueError("there is no port 0")
    host = parts.netloc.rpartition("@")[2]
    if not host.isprintable() or " " in host:
        raise ValueError("its host holds what no host's name does")
    # So do names with labels that are empty or too long.
    ascii_host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    if not host.isascii():
        host = ascii_host if parts.port is None else f"{ascii_host}:{parts.port}"
    path, query = (quote(part, safe=_IN_URL) for part in (parts.path, parts.query))
    user = None if parts.username is None else unquote(parts.username)
    credentials = None if user is None else Credentials(user, unquote(parts.password or ""))
    return SplitResult(parts.scheme, host, path, query, ""), credentials


def without_secrets(url: str) -> str:
    """The URL as messages show it: without credentials and query.

    >>> without_secrets("http://me:secret@localhost/a?token=b"), without_secrets("http://me:secret@[")
    ('http://localhost/a', '[')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


class Answer(NamedTuple):
    """What a server answered, and to how many requests it was the last answer. At most 1 MiB of the body is kept."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    tries: int = 1

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later: 429 Too Many Requests, and errors of the server."""
        return self.status == 429 or self.status >= 500

    @property
    def target(self) -> str | None:
        """Where it redirects to; ``None`` if it does not, or to something that is not HTTP."""
        location = self.headers.get("Location")
        if location is None or not 300 <= self.status < 400:
            return None
        try:
            return split_url(urljoin(self.url, location))[0].geturl()
        except ValueError:
            return None

    def retry_after(self, now: float) -> float:
        """For how many seconds from now the server asks not to be asked again. RFC 9110, section 10.2.3."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except (ValueError, OverflowError):
            return 0.0


class NoAnswer(NamedTuple):
    """Why there was no answer, and whether there may be one later."""

    text: str
    may_pass: bool
    tries: int = 1

    def retry_after(self, _now: float) -> float:
        """Nobody has asked to wait."""
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Sends requests, and sends them again where that may help.

    ``timeout`` is how many seconds each step of a request may take: connecting, and each wait for the other side.
    ``secrets`` are headers that only the host of the URL is told, and none that it redirects to. ``on_retry`` is told
    why there will be another try, and after which pause, in seconds. The last three are for tests.
    """

    timeout: float
    headers: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    context: ssl.SSLContext | None = None
    retries: int = 0
    on_retry: Callable[[Answer | NoAnswer, float], None]
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    clock: Callable[[], float] = time.time

    def send(self, method: str, url: str, body: bytes | None = None) -> Answer | NoAnswer:
        """Send a request, and give what was answered last.

        It is sent again, ``retries`` times at most, if there is no answer for a reason that may pass, and after 429
        and all statuses from 500. Pauses double, with jitter, and are no shorter than the server asks for; one that
        asks for more than two minutes is not asked again. 307 and 308 are followed with method and body, but not from
        HTTPS to HTTP; other redirects are not, since a push would become a GET.
        """
        for turn in range(self.retries + 1):
            outcome = self._tried(method, url, body)._replace(tries=turn + 1)
            asked = outcome.retry_after(self.clock())
            if turn == self.retries or not outcome.may_pass or asked > LONGEST_WAIT:
                break
            pause = min(FIRST_PAUSE * 2 ** min(turn, 16), LONGEST_PAUSE)
            pause = max(asked, self.uniform(pause / 2, pause))
            self.on_retry(outcome, pause)
            self.sleep(pause)
        return outcome

    def _tried(self, method: str, url: str, body: bytes | None) -> Answer | NoAnswer:
        try:
            origin = urlsplit(url)[:2]
            for _ in range(_MOST_REDIRECTS):
                answer = self._asked(method, url, body, is_origin=urlsplit(url)[:2] == origin)
                target = answer.target
                if answer.status not in (307, 308) or target is None:
                    break
                if url.startswith("https:") and not target.startswith("https:"):
                    break
                url = target
        except (OSError, HTTPException) as error:
            return _no_answer(error)
        return answer

    def _asked(self, method: str, url: str, body: bytes | None, *, is_origin: bool) -> Answer:
        headers = {**self.headers, **self.secrets} if is_origin else dict(self.headers)
        request = urllib.request.Request(url, body, headers, method=method)
        # None of those that follow redirects or raise what is no success.
        opener = urllib.request.OpenerDirector()
        opener.addheaders = []
        opener.add_handler(urllib.request.ProxyHandler())
        opener.add_handler(_Handler(self.context))
        with opener.open(request, timeout=self.timeout) as response:
            try:
                text = response.read(_ANSWER_BYTES)
            except IncompleteRead as error:
                text = error.partial
            return Answer(url, response.status, response.reason, response.headers, text)


def _no_answer(error: OSError | HTTPException) -> NoAnswer:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return NoAnswer(f"its certificate is not trusted: {reason.verify_message}", may_pass=False)
    # Trying again changes nothing about certificates and protocols.
    may_pass = isinstance(reason, OSError) and not isinstance(reason, ssl.SSLError)
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
    if isinstance(reason, ssl.SSLEOFError):
        text = "TLS: the connection was closed"
    elif isinstance(reason, ssl.SSLError) and reason.reason:
        # An alert bears the version of TLS that first had it, which is not the one that is spoken.
        name = re.sub("^(SSL|TLS)V[0-9]+_", "", reason.reason)
        text = f"TLS: {name.replace('_', ' ').lower()}"
    return NoAnswer(text, may_pass or isinstance(reason, ssl.SSLEOFError))


class _PlainConnection(HTTPConnection):
    """A server may refuse a body before it has read all of it, and close: then its answer is there to be read."""

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        # If there is no answer, reading it raises: with TLS, what the server has to say of the client's certificate.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            super().send(data)


class _TLSConnection(_PlainConnection, HTTPSConnection):
    """The same, encrypted."""


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https with these connections."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._context = context

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_PlainConnection, request)

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_TLSConnection, request, context=self._context)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


__all__ = ["USER_AGENT", "Answer", "Client", "Credentials", "NoAnswer", "split_url", "without_secrets"]
