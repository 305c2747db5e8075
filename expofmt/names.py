"""Names of metrics and labels: which may stand bare, how others are quoted and escaped for older readers."""

import re
from enum import StrEnum
from typing import Literal

__all__ = [
    "EscapingScheme",
    "Names",
    "escape_help",
    "escape_label_name",
    "escape_name",
    "fitting_label_name",
    "fitting_name",
    "is_legacy_label_name",
    "is_legacy_metric_name",
    "quote",
    "unescape_name",
    "written_name",
]

# Which names are valid: those that may stand bare in every format, or any text that UTF-8 can hold.
Names = Literal["utf-8", "legacy"]

_is_metric_name = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").fullmatch
_is_label_name = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch

# A character that may not stand where it does in a bare name.
_not_bare_in_metric_name = re.compile(r"\A[0-9]|[^a-zA-Z0-9_:]")
_not_bare_in_label_name = re.compile(r"\A[0-9]|[^a-zA-Z0-9_]")

_VALUES_PREFIX = "U__"
# Go reads at most five digits, so it cannot read back what it writes for U+100000 and up. Six are read here for those
# code points only; a shorter one padded to six is as malformed as it is there.
_VALUES_ESCAPE = r"_(?:_|([0-9a-fA-F]{1,5}|10[0-9a-fA-F]{4})_)"
_VALUES_BODY = rf"(?:[^_]|{_VALUES_ESCAPE})*+"


class EscapingScheme(StrEnum):
    """What a producer does to names that a reader of the older formats could not read.

    The values are those of the ``escaping`` parameter of Content-Type and Accept headers.

    >>> EscapingScheme("allow-utf-8")
    <EscapingScheme.ALLOW_UTF8: 'allow-utf-8'>
    """

    ALLOW_UTF8 = "allow-utf-8"
    UNDERSCORES = "underscores"
    DOTS = "dots"
    VALUES = "values"


def is_legacy_metric_name(name: str) -> bool:
    """Whether a metric name may stand bare in every format: an ASCII letter, ``_`` or ``:``, then also digits.

    >>> is_legacy_metric_name("job:up:sum"), is_legacy_metric_name("http.status"), is_legacy_metric_name("")
    (True, False, False)
    """
    return _is_metric_name(name) is not None


def is_legacy_label_name(name: str) -> bool:
    """Whether a label name may stand bare in every format: an ASCII letter or ``_``, then also digits; no colon.

    >>> is_legacy_label_name("le"), is_legacy_label_name("a:b"), is_legacy_label_name("1a")
    (True, False, False)
    """
    return _is_label_name(name) is not None


def escape_name(name: str, scheme: EscapingScheme) -> str:
    """The metric name as the scheme writes it. Every scheme but ``ALLOW_UTF8`` gives a name that may stand bare.

    * ``ALLOW_UTF8``: unchanged. The text needs quotes around it if `is_legacy_metric_name` says no.
    * ``UNDERSCORES``: each character that may not stand where it does becomes ``_``.
    * ``DOTS``: ``_`` becomes ``__``, ``.`` becomes ``_dot_``, and any other such character ``__``. This scheme
      changes names with underscores even where nothing forces it to, which :func:`render` does not.
    * ``VALUES``: a legacy name is unchanged; any other gets the prefix ``U__``, ``_`` is doubled, and each such
      character becomes its code point in hexadecimal between underscores. A lone surrogate becomes ``_FFFD_``.

    `unescape_name` gives the name back under ``VALUES``, unless the name is itself a legacy name that reads like an
    escaped one. Different names may become the same under ``UNDERSCORES`` and ``DOTS``. The empty name stays empty.

    Prometheus, "Escaping Schemes". That page has the scheme dots write one underscore for other characters;
    the producers in use write two, and so does this.

    >>> escape_name("http.status code", EscapingScheme.UNDERSCORES)
    'http_status_code'
    >>> escape_name("http.status code", EscapingScheme.DOTS)
    'http_dot_status__code'
    >>> escape_name("http.status code", EscapingScheme.VALUES)
    'U__http_2e_status_20_code'
    """
    return _escape(name, scheme, _not_bare_in_metric_name)


def escape_label_name(name: str, scheme: EscapingScheme) -> str:
    """The label name as the scheme writes it: as `escape_name`, but a colon may not stand in a bare label name.

    >>> escape_label_name("a:b", EscapingScheme.UNDERSCORES), escape_name("a:b", EscapingScheme.UNDERSCORES)
    ('a_b', 'a:b')
    """
    return _escape(name, scheme, _not_bare_in_label_name)


def fitting_name(name: str, scheme: EscapingScheme) -> str:
    """The metric name as Prometheus' encoder writes it: one that may stand bare is unchanged, under ``DOTS`` as well.

    >>> fitting_name("a_b", EscapingScheme.DOTS), fitting_name("a_b.c", EscapingScheme.DOTS)
    ('a_b', 'a__b_dot_c')
    """
    return name if is_legacy_metric_name(name) else escape_name(name, scheme)


def fitting_label_name(name: str, scheme: EscapingScheme) -> str:
    """The label name likewise.

    >>> fitting_label_name("a_b", EscapingScheme.DOTS), fitting_label_name("a:b", EscapingScheme.UNDERSCORES)
    ('a_b', 'a_b')
    """
    return name if is_legacy_label_name(name) else escape_label_name(name, scheme)


def unescape_name(name: str, scheme: EscapingScheme) -> str:
    """The name that was escaped to this one, as far as the scheme allows to tell.

    * ``ALLOW_UTF8`` and ``UNDERSCORES``: unchanged.
    * ``DOTS``: ``_dot_`` becomes ``.``, then ``__`` becomes ``_``. What else was escaped is lost.
    * ``VALUES``: exact. A name without the prefix, or with any sequence that is malformed, is returned unchanged.
      Hexadecimal digits may be of either case, and padded with zeros to five of them; a code point takes six
      only from U+100000 on.

    >>> unescape_name("U__http_2e_status", EscapingScheme.VALUES)
    'http.status'
    >>> unescape_name("U__http_2e", EscapingScheme.VALUES)
    'U__http_2e'
    >>> unescape_name("http_dot_status__code", EscapingScheme.DOTS)
    'http.status_code'
    """
    if scheme is EscapingScheme.DOTS:
        return name.replace("_dot_", ".").replace("__", "_")
    if scheme is not EscapingScheme.VALUES or not name.startswith(_VALUES_PREFIX):
        return name
    body = name.removeprefix(_VALUES_PREFIX)
    if not re.fullmatch(_VALUES_BODY, body):
        return name
    if any(_is_surrogate(int(code, 16)) for code in re.findall(_VALUES_ESCAPE, body) if code):
        return name
    return re.sub(_VALUES_ESCAPE, lambda match: chr(int(match[1], 16)) if match[1] else "_", body)


def written_name(name: str) -> str:
    """A metric name as lines of the text format have it: bare, or in quotes where it must be.

    >>> written_name("http_requests"), written_name("http.requests")
    ('http_requests', '"http.requests"')
    """
    return name if is_legacy_metric_name(name) else quote(name)


def quote(text: str) -> str:
    """The text in double quotes, as label values and quoted names are written: ``\\``, ``"`` and LF are escaped.

    >>> print(quote('C:\\\\dir "x"'))
    "C:\\\\dir \\"x\\""
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def escape_help(text: str) -> str:
    """The text as a HELP line of the text format holds it: ``\\`` and LF are escaped, and double quotes are not.

    >>> print(escape_help('Size of "x"\\nin bytes'))
    Size of "x"\\nin bytes
    """
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape(name: str, scheme: EscapingScheme, not_bare: re.Pattern[str]) -> str:
    if scheme is EscapingScheme.ALLOW_UTF8:
        return name
    if scheme is EscapingScheme.UNDERSCORES:
        return not_bare.sub("_", name)
    if scheme is EscapingScheme.DOTS:
        # No underscore that the second step writes is doubled, since the first has already passed.
        return not_bare.sub(lambda match: "_dot_" if match[0] == "." else "__", name.replace("_", "__"))
    if not not_bare.search(name):
        return name
    return _VALUES_PREFIX + not_bare.sub(_values_sequence, name.replace("_", "__"))


def _values_sequence(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "_FFFD_" if _is_surrogate(code) else f"_{code:x}_"


def _is_surrogate(code: int) -> bool:
    return 0xD800 <= code <= 0xDFFF
