"""The exposition formats and their content types: what a header names, and which format an Accept header asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .names import EscapingScheme
from .values import parse_float

__all__ = ["ContentType", "Format"]

_TEXT = "text/plain"
_OPENMETRICS = "application/openmetrics-text"
_PROTOBUF = "application/vnd.google.protobuf"
_PROTO = "io.prometheus.client.MetricFamily"
_ENCODINGS = ("delimited", "text", "compact-text")
_SCHEMES = {scheme.value: scheme for scheme in EscapingScheme}

# RFC 9110, 5.6.2 to 5.6.6 and 8.3.1. As in Go's reader, blanks may also stand around the `=` of a parameter. The
# patterns are compiled when a header is read, not when the package is imported.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_BLANKS = r"[ \t]*+"
_STRING = r'"(?:[^"\\]|\\.)*+"'
_MEDIA_TYPE = rf"{_BLANKS}({_TOKEN}/{_TOKEN}){_BLANKS}"
_PARAMETER = rf"(?s);{_BLANKS}(?:({_TOKEN}){_BLANKS}={_BLANKS}({_TOKEN}|{_STRING}){_BLANKS})?"
# A string that is never closed reaches to the end of the header, so its clause is malformed.
_CLAUSE = r'(?s)(?:[^,"]|"(?:[^"\\]|\\.?)*+(?:"|\Z))++'


class Format(StrEnum):
    """An exposition format, as readers and writers tell them apart.

    ``TEXT`` is the Prometheus text format in its versions 0.0.4 and 1.0.0, which differ only in quoted names.

    >>> Format("openmetrics-1.0")
    <Format.OPENMETRICS_1_0: 'openmetrics-1.0'>
    """

    TEXT = "text"
    OPENMETRICS_1_0 = "openmetrics-1.0"
    OPENMETRICS_2_0 = "openmetrics-2.0"
    PROTOBUF = "protobuf"


_MEDIA_TYPES = {
    Format.TEXT: _TEXT,
    Format.OPENMETRICS_1_0: _OPENMETRICS,
    Format.OPENMETRICS_2_0: _OPENMETRICS,
    Format.PROTOBUF: _PROTOBUF,
}
_VERSIONS = {
    Format.TEXT: "0.0.4",
    Format.OPENMETRICS_1_0: "1.0.0",
    Format.OPENMETRICS_2_0: "2.0.0",
    Format.PROTOBUF: "",
}
# What a media type without a version means, in Content-Type and Accept headers alike.
_UNSTATED_VERSIONS = {_TEXT: "0.0.4", _OPENMETRICS: "0.0.1", _PROTOBUF: ""}


@dataclass(frozen=True, slots=True)
class ContentType:
    """A format as an HTTP header names it; ``str()`` gives the header.

    ``version`` is that of the format; left out, it is 0.0.4, 1.0.0 or 2.0.0, and protobuf has none. ``escaping`` is
    what was done to the names, None where the header does not say. ``encoding`` is how protobuf messages are written,
    ``delimited``, ``text`` or ``compact-text``, and means nothing for other formats.

    Raises ValueError if the format has no such version, or protobuf no such encoding.

    >>> str(ContentType(Format.TEXT))
    'text/plain; version=0.0.4; charset=utf-8'
    >>> str(ContentType(Format.TEXT, "1.0.0", EscapingScheme.ALLOW_UTF8))
    'text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8'
    >>> str(ContentType(Format.PROTOBUF))
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
    """

    format: Format
    version: str = ""
    escaping: EscapingScheme | None = None
    encoding: str = "delimited"

    def __post_init__(self) -> None:
        if not self.version:
            object.__setattr__(self, "version", _VERSIONS[self.format])
        elif (
            not re.fullmatch(_TOKEN, self.version)
            or _format(_MEDIA_TYPES[self.format], self.version) is not self.format
        ):
            raise ValueError(f"{self.format} has no version `{self.version:.40}`")
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"protobuf has no encoding `{self.encoding:.40}`")

    def __str__(self) -> str:
        parameters = self._parameters()
        if self.format is not Format.PROTOBUF:
            parameters["charset"] = "utf-8"
        if self.escaping is not None:
            parameters["escaping"] = self.escaping
        return "; ".join([_MEDIA_TYPES[self.format], *(f"{name}={value}" for name, value in parameters.items())])

    @classmethod
    def parse(cls, header: str) -> ContentType:
        """The format that a Content-Type header names.

        The media type decides, and between OpenMetrics 1.0 and 2.0 whether the version begins with 2. A missing version
        means 0.0.4 for text and 0.0.1 for OpenMetrics. Protobuf must name its message and its encoding. Types and names
        of parameters are read in any letter case. The charset is not looked at, since all these formats are UTF-8; an
        unknown escaping scheme is taken as not stated, and other parameters are ignored.

        Raises ValueError if the header is no media type with parameters (RFC 9110, 8.3.1), names a parameter twice, or
        names no exposition format.

        >>> ContentType.parse('application/openmetrics-text; version="1.0.0"; escaping=dots').escaping
        <EscapingScheme.DOTS: 'dots'>
        >>> ContentType.parse("Text/Plain").version
        '0.0.4'
        >>> ContentType.parse("text/html")
        Traceback (most recent call last):
        ValueError: not the content type of an exposition format: `text/html`
        """
        media_type, parameters = _split(header)
        escaping = _SCHEMES.get(parameters.get("escaping", ""))
        if media_type == _PROTOBUF:
            if parameters.get("proto") != _PROTO or parameters.get("encoding") not in _ENCODINGS:
                expected = f"proto={_PROTO} and an encoding ({', '.join(_ENCODINGS)})"
                raise ValueError(f"protobuf without {expected}: `{header:.200}`")
            return cls(Format.PROTOBUF, escaping=escaping, encoding=parameters["encoding"])
        if media_type not in _UNSTATED_VERSIONS:
            raise ValueError(f"not the content type of an exposition format: `{media_type:.40}`")
        version = parameters.get("version") or _UNSTATED_VERSIONS[media_type]
        return cls(_format(media_type, version), version, escaping)

    @classmethod
    def negotiate(
        cls, accept: str, *, offered: Sequence[ContentType] | None = None, wildcards: bool = True
    ) -> ContentType:
        """The content type to answer with, for the value of an Accept header ("" where there is none).

        ``offered`` is what the caller can write, the preferred first. By default it is text 0.0.4, then 1.0.0: so a
        reader gets 1.0.0 only if it asks for it.

        Clauses are tried by falling weight (``q``); at equal weight those with a ``*`` last, else in their order. The
        first clause that fits something offered wins, and of what it fits the one offered first. A clause fits if its
        media type is the same and its version (for protobuf: message and encoding) too, where a missing version means
        0.0.4 of text and 0.0.1 of OpenMetrics. A clause with a ``*`` fits any version unless it names one; without
        ``wildcards`` it fits nothing. If no clause fits, the answer is the first text format offered, else the first
        offered, for a scrape is better answered than refused. So no header is an error: what is not a media range, or
        has no weight above 0, is passed over.

        The answer's ``escaping`` is the last known one named in the clauses tried, up to the winner and whether or not
        they fit; else that of the type offered, else ``UNDERSCORES``. So a reader that asks for text 1.0.0 with UTF-8
        names gets such names even where only 0.0.4 is offered.

        Pushgateway's answers are those of::

            encodings = ("delimited", "text", "compact-text")
            offered = [ContentType(Format.TEXT), *(ContentType(Format.PROTOBUF, encoding=e) for e in encodings)]
            ContentType.negotiate(accept, offered=offered, wildcards=False)

        Raises ValueError if ``offered`` is empty.

        Prometheus, "Exposition content negotiation".

        >>> str(ContentType.negotiate("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;q=0.3,*/*;q=0.2"))
        'text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8'
        >>> str(ContentType.negotiate("*/*"))
        'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'
        """
        if offered is None:
            offered = (cls(Format.TEXT, "0.0.4"), cls(Format.TEXT, "1.0.0"))
        if not offered:
            raise ValueError("nothing is offered")
        escaping = None
        for media_range, parameters in _clauses(accept):
            escaping = _SCHEMES.get(parameters.get("escaping", ""), escaping)
            if "*" in media_range and not wildcards:
                continue
            for content_type in offered:
                if content_type._fits(media_range, parameters):
                    return content_type._escaped(escaping)
        fallback = next((content_type for content_type in offered if content_type.format is Format.TEXT), offered[0])
        return fallback._escaped(escaping)

    def _parameters(self) -> dict[str, str]:
        """The parameters that tell this type from others of its media type."""
        if self.format is Format.PROTOBUF:
            return {"proto": _PROTO, "encoding": self.encoding}
        return {"version": self.version}

    def _fits(self, media_range: str, parameters: Mapping[str, str]) -> bool:
        media_type = _MEDIA_TYPES[self.format]
        if media_range == media_type:
            asked = {"version": _UNSTATED_VERSIONS[media_type], **parameters}
            return all(asked.get(name) == value for name, value in self._parameters().items())
        if media_range in ("*/*", media_type.partition("/")[0] + "/*"):
            return all(parameters.get(name, value) == value for name, value in self._parameters().items())
        return False

    def _escaped(self, escaping: EscapingScheme | None) -> ContentType:
        return replace(self, escaping=escaping or self.escaping or EscapingScheme.UNDERSCORES)


def _format(media_type: str, version: str) -> Format:
    if media_type == _OPENMETRICS:
        return Format.OPENMETRICS_2_0 if version.startswith("2") else Format.OPENMETRICS_1_0
    return Format.TEXT if media_type == _TEXT else Format.PROTOBUF


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """The media ranges of an Accept header and their parameters, in the order in which they are to be tried."""
    clauses = []
    for clause in re.findall(_CLAUSE, accept):
        try:
            media_range, parameters = _split(clause)
            weight = parse_float(parameters.pop("q", "1"))
        except (ValueError, OverflowError):
            continue  # The reader can still be answered, by its other clauses or by none.
        if weight > 0:
            clauses.append((-weight, media_range.count("*"), media_range, parameters))
    clauses.sort(key=lambda clause: clause[:2])
    return [clause[2:] for clause in clauses]


def _split(header: str) -> tuple[str, dict[str, str]]:
    """The media type or range in lower case, and its parameters by their names in lower case."""
    match = re.match(_MEDIA_TYPE, header)
    if not match:
        raise ValueError(f"not a media type: `{header:.200}`")
    media_type = match[1].lower()
    parameters: dict[str, str] = {}
    while match.end() < len(header):
        match = re.compile(_PARAMETER).match(header, match.end())
        if not match:
            raise ValueError(f"malformed parameters of a media type: `{header:.200}`")
        name, value = match.groups()
        if name is None:
            continue
        name = name.lower()
        if name in parameters:
            raise ValueError(f"parameter `{name:.40}` given twice: `{header:.200}`")
        parameters[name] = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if value[0] == '"' else value
    return media_type, parameters
