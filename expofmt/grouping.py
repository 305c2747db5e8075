"""Grouping keys: the job and the labels that a group of pushed metrics is known by, and the path that names it.

The path is that of Prometheus Pushgateway: ``/metrics/job/JOB/NAME/VALUE/...``. ``@base64`` after ``job`` or a name
says that what follows it is encoded, since a component of a path holds no slash, and an empty one gets lost on the way.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import total_ordering
from typing import Any, Final, NoReturn, Self, get_args
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .model import LabelMapping, LabelSet
from .names import EscapingScheme, Names, escape_label_name, is_legacy_label_name, quote, unescape_name
from .quoting import go_quoted

__all__ = ["GroupingKey", "GroupingKeyError", "path_prefix"]

_NAMES: Final[tuple[str, ...]] = get_args(Names)

_BASE64: Final = "@base64"

# Patterns are compiled by the first path, and not when the package is imported, which many do who know no groups.
_ROUTE: Final = rf"(?s)/metrics/job({_BASE64})?/([^/]*)(.*)"

# What no HTTP request line holds, and a percent sign that escapes nothing.
_NOT_IN_A_TARGET: Final = rb"[\x00-\x20\x7f]"
_NO_ESCAPE: Final = rb"%(?![0-9a-fA-F]{2})"

# What no client, proxy or server changes on the way: the unreserved characters of RFC 3986, section 2.3, with two that
# addresses are full of; and percent-encoded UTF-8. Percent-encoded ASCII is no such thing: a server that decodes twice,
# or cleans the path after it has decoded it, makes something else of it.
_ARRIVES: Final = r"(?!\.{1,2}\Z)[a-zA-Z0-9._~:@\x80-\U0010ffff-]+"
_NOT_ENCODED: Final = "~:@"

# Labels that tell the samples of one metric apart: as labels of the whole group they would stand twice in a line, or
# make one of samples that are several.
_OF_THE_SAMPLES: Final = {
    "le": "it tells the buckets of a histogram apart",
    "quantile": "it tells the quantiles of a summary apart",
}


class GroupingKeyError(ValueError):
    """A path or labels that cannot be a grouping key.

    ``str()`` is what to answer; of paths that Pushgateway refuses, its very answer, less the line feed at the end.
    ``status_hint`` is the HTTP status to answer with: 404 where a server knows no such path, else 400.

    >>> try:
    ...     GroupingKey.from_path("/metrics/job/batch/instance")
    ... except GroupingKeyError as error:
    ...     print(error.status_hint, error)
    400 odd number of components in label string "/instance"
    """

    status_hint: int

    def __init__(self, message: str, status_hint: int = 400) -> None:
        super().__init__(message)
        self.status_hint = status_hint


@total_ordering
class GroupingKey(LabelMapping):
    """The job and further labels that name a group: an immutable, hashable mapping of all of them, sorted by name.

    Built from the job, a mapping or pairs, and keyword arguments, in any order: keys with the same labels are equal.
    Of a name that is given again the last value holds, but for ``job``, of which the first does. Keys are ordered by
    their sorted pairs. ``str()`` has the job first. Safe to share between threads.

    Refused with a :class:`GroupingKeyError`: an empty job (other values may be empty), names that are empty or begin
    with ``__``, text that UTF-8 cannot hold, and the labels ``le`` and ``quantile``, which belong to the samples of
    histograms and summaries. A name or value that is no ``str`` is a ``TypeError``.

    Pushgateway's README, "URL". Pushgateway takes ``le`` and ``quantile``, and writes them twice into one line.

    >>> key = GroupingKey("batch", {"zone": "eu"}, instance="a")
    >>> str(key), list(key), key == GroupingKey("batch", instance="a", zone="eu")
    ('{job="batch",instance="a",zone="eu"}', ['instance', 'job', 'zone'], True)
    >>> key.to_path()
    '/metrics/job/batch/instance/a/zone/eu'
    """

    __slots__ = ("_hash", "_labels", "_pairs")

    _labels: LabelSet
    # A store keeps keys in order and in mappings: neither should have to look at each label again.
    _pairs: tuple[tuple[str, str], ...]
    _hash: int

    def __init__(self, job: str, labels: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> None:
        _check_value("job", job)
        if not job:
            raise GroupingKeyError("job name is required")
        pairs = {**dict(labels), **more, "job": job}
        for name, value in pairs.items():
            _check_name(name)
            _check_value(name, value)
        _set_labels(self, LabelSet(pairs))
        _set_pairs(self, self._labels.pairs)
        # That of a label set, since the two are equal.
        _set_hash(self, hash(self._pairs))

    @property
    def job(self) -> str:
        """The job, which is never empty.

        >>> GroupingKey("batch").job
        'batch'
        """
        return self._labels["job"]

    @property
    def labels(self) -> LabelSet:
        """All labels of the key, ``job`` included, as every sample of the group has them.

        >>> GroupingKey("batch", instance="a").labels
        LabelSet({'instance': 'a', 'job': 'batch'})
        """
        return self._labels

    @classmethod
    def from_path(
        cls, path: str | bytes, /, *, names: Names = "legacy", prefix: str = "", decoded: bool = False
    ) -> Self:
        """The key that the path of a request names, read as Pushgateway reads it.

        ``path`` is what stands in the request, still percent-encoded; a query is ignored. With ``decoded``, it is what
        a server has decoded already, and has no query. A ``str`` stands for its UTF-8. (WSGI's ``PATH_INFO`` and the
        paths of ``http.server`` hold bytes as Latin-1: pass ``path.encode("latin-1")``.)

        The whole is decoded, then split at ``/``, so that ``%2F`` separates. ``+`` is itself. Nothing is cleaned up:
        two slashes have an empty component between them, and ``..`` is a component like any other. Base64 is URL-safe,
        padded or not. Of a repeated label the last value holds; the job is the one that the path begins with.

        With ``names="utf-8"``, label names may be any text, and those that begin with ``U__`` are unescaped as far as
        they are well-formed. ``prefix`` is what stands before ``/metrics``, with or without its slashes.

        Raises :class:`GroupingKeyError` for what Pushgateway refuses, in the same order and words; they are ``400 Bad
        Request`` for what is no request target, such as a percent sign that escapes nothing. Refused besides is
        what it takes and must not: values that are not UTF-8, names that begin with ``__`` once they are unescaped,
        ``le`` and ``quantile``. One such push corrupts what is scraped, or keeps it from being scraped at all.

        Pushgateway's README, "URL" and "UTF-8 support for metric and label names".

        >>> GroupingKey.from_path("/metrics/job@base64/YS9i/zone/?x=1")
        GroupingKey('a/b', {'zone': ''})
        >>> GroupingKey.from_path("/push/metrics/job/a/U__host_2e_name/b", prefix="/push", names="utf-8")
        GroupingKey('a', {'host.name': 'b'})
        """
        _check_names(names)
        given = path.encode("utf-8", "surrogatepass") if isinstance(path, str) else path
        # Bytes that are not UTF-8 are kept as lone surrogates: some messages quote them, and nothing else does.
        text = (given if decoded else _percent_decoded(given)).decode("utf-8", "surrogateescape")
        before = path_prefix(prefix)
        route = re.fullmatch(_ROUTE, text.removeprefix(before)) if text.startswith(before) else None
        if route is None or not route[2] + route[3]:
            raise GroupingKeyError("404 page not found", 404)
        encoded, job, rest = route.groups()
        if encoded:
            job = _decoded_job(job)
        labels = dict(_labels_of(rest, names))
        return cls(job, labels)

    def to_path(self, *, names: Names = "legacy", prefix: str = "") -> str:
        """The path of the group: :meth:`from_path` with the same options gives the same key, whatever it holds.

        The labels stand in order of their names. The path is ASCII, and percent-encoded where it must be. Values that
        would not arrive unchanged through every client and proxy are in URL-safe base64: empty ones (``=``), ``.`` and
        ``..``, and those with slashes, blanks and other characters that have a meaning in a URL.

        With ``names="utf-8"``, names that are not legacy names are written as ``U__...``, and so are legacy names that
        would be unescaped to others. With ``names="legacy"``, where nobody unescapes, a name that is not a legacy name
        is a :class:`GroupingKeyError`.

        >>> GroupingKey("backup /home", zone="", instance="db1:9100").to_path()
        '/metrics/job@base64/YmFja3VwIC9ob21l/instance/db1:9100/zone@base64/='
        >>> GroupingKey("a", {"host.name": "b"}).to_path(names="utf-8")
        '/metrics/job/a/U__host_2e_name/b'
        """
        _check_names(names)
        parts = [quote_from_bytes(path_prefix(prefix).encode()), "/metrics/", _in_path("job", self.job)]
        for name, value in self._others().items():
            parts += "/", _in_path(_name_in_path(name, names), value)
        return "".join(parts)

    def _others(self) -> dict[str, str]:
        """The labels less the job."""
        return {name: value for name, value in self._labels.items() if name != "job"}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a grouping key does not change: make another one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a grouping key does not change: make another one")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupingKey):
            return self._pairs == other._pairs
        return self._labels == other

    def __lt__(self, other: object) -> bool:
        return self._pairs < other._pairs if isinstance(other, GroupingKey) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        pairs = [("job", self.job), *self._others().items()]
        shown = (f"{name if is_legacy_label_name(name) else quote(name)}={quote(value)}" for name, value in pairs)
        return "{" + ",".join(shown) + "}"

    def __repr__(self) -> str:
        others = self._others()
        return f"GroupingKey({self.job!r}, {others!r})" if others else f"GroupingKey({self.job!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupingKey, (self.job, self._others())


_set_labels, _set_pairs, _set_hash = (vars(GroupingKey)[slot].__set__ for slot in ("_labels", "_pairs", "_hash"))


def _check_names(names: str) -> None:
    if names not in _NAMES:
        raise ValueError(f"names are {' or '.join(map(repr, _NAMES))}, not {names!r}")


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a label name is a str, not {type(name).__name__}: {name!r}")
    if not name or name.startswith("__") or not _is_utf8(name):
        raise GroupingKeyError(f"improper label name {go_quoted(name)}")
    if name in _OF_THE_SAMPLES:
        raise GroupingKeyError(f"improper grouping label {go_quoted(name)}: {_OF_THE_SAMPLES[name]}")


def _check_value(name: str, value: str) -> None:
    what = "job name" if name == "job" else f"value of label {go_quoted(name)}"
    if not isinstance(value, str):
        raise TypeError(f"the {what} is a str, not {type(value).__name__}: {value!r}")
    if not _is_utf8(value):
        raise GroupingKeyError(f"{what} is not UTF-8: {go_quoted(value)}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_prefix(prefix: str) -> str:
    """The prefix as routes have it: with the slash before it, without the one after it, and empty if there is none.

    >>> path_prefix("push/"), path_prefix("/")
    ('/push', '')
    """
    return "/" + prefix.removeprefix("/").removesuffix("/") if prefix.strip("/") else ""


# ------------------------------------------------------------------------------------------------- from a path


def _percent_decoded(target: bytes) -> bytes:
    path = target.partition(b"?")[0]
    # An HTTP server answers so before anybody has looked at the path.
    if re.search(_NOT_IN_A_TARGET, target) or re.search(_NO_ESCAPE, path):
        raise GroupingKeyError("400 Bad Request")
    return unquote_to_bytes(path)


def _decoded_job(text: str) -> str:
    job, offset = _base64_decoded(text)
    if offset is not None:
        # What is quoted is not what was given, but as much of it as could be decoded.
        raise GroupingKeyError(
            f"invalid base64 encoding in job name {go_quoted(job)}: illegal base64 data at input byte {offset}"
        )
    return job


def _labels_of(text: str, names: Names) -> Iterator[tuple[str, str]]:
    """The pairs in what follows the job, which is empty or begins with a slash."""
    if len(text) <= 1:
        return
    components = text[1:].split("/")
    if len(components) % 2:
        raise GroupingKeyError(f"odd number of components in label string {go_quoted(text)}")
    for spelt, value in zip(components[::2], components[1::2], strict=True):
        escaped = spelt.removesuffix(_BASE64)
        name = unescape_name(escaped, EscapingScheme.VALUES) if names == "utf-8" else escaped
        legal = is_legacy_label_name(name) if names == "legacy" else name and _is_utf8(name)
        if not legal or name.startswith("__") or escaped.startswith("__"):
            raise GroupingKeyError(f"improper label name {go_quoted(escaped)}")
        if spelt != escaped:
            decoded, offset = _base64_decoded(value)
            if offset is not None:
                raise GroupingKeyError(
                    f"invalid base64 encoding for label {escaped}={go_quoted(value)}: "
                    f"illegal base64 data at input byte {offset}"
                )
            value = decoded
        yield name, value


_NOT_BASE64: Final = r"[^a-zA-Z0-9_\r\n-]"


def _base64_decoded(text: str) -> tuple[str, int | None]:
    """What Go's decoder makes of URL-safe base64 without padding, any padding having been cut off before.

    With the byte at which it finds fault, if it does: then what it has decoded so far is whole groups of four. It skips
    line ends, and looks at no bits that are left over. An offset into the text is one into its bytes, since nothing
    before it is beyond ASCII.
    """
    text = text.rstrip("=")
    illegal = re.search(_NOT_BASE64, text)
    characters = re.sub("[\r\n]", "", text[: illegal.start()] if illegal else text)
    offset = illegal.start() if illegal else len(text) - 1 if len(characters) % 4 == 1 else None
    if offset is not None:
        characters = characters[: len(characters) // 4 * 4]
    data = urlsafe_b64decode(characters + "=" * (-len(characters) % 4))
    return data.decode("utf-8", "surrogateescape"), offset


# --------------------------------------------------------------------------------------------------- to a path


def _name_in_path(name: str, names: Names) -> str:
    if not is_legacy_label_name(name):
        if names == "legacy":
            raise GroupingKeyError(f'improper label name {go_quoted(name)}: it takes a path with names="utf-8"')
        return escape_label_name(name, EscapingScheme.VALUES)
    if names == "utf-8" and unescape_name(name, EscapingScheme.VALUES) != name:
        # It would be read as another name. The scheme leaves legacy names alone, but takes them escaped as well.
        return "U__" + name.replace("_", "__")
    return name


def _in_path(name: str, value: str) -> str:
    """A name and a value as two components."""
    if re.fullmatch(_ARRIVES, value):
        return f"{name}/{quote_from_bytes(value.encode(), _NOT_ENCODED)}"
    return f"{name}{_BASE64}/{urlsafe_b64encode(value.encode()).decode().rstrip('=') or '='}"
