"""What is said about each code: the headline, the label under the caret, the remedy. One table, a row per code.

The headline states the offence: lower case, no full stop, no place, at most 72 characters. The label says what was
expected and what was found at that byte. The help is an edit to paste, where one can be worked out. Input is quoted in
backticks, cut at 40 characters; what a terminal could not show, or would obey, is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Template
from typing import Final, NamedTuple
from unicodedata import combining

from .codes import Code
from .names import EscapingScheme, escape_label_name, escape_name, is_legacy_label_name, is_legacy_metric_name, quote
from .values import format_float, parse_float

HEADLINE_LIMIT: Final = 72
QUOTE_LIMIT: Final = 40


class Context(NamedTuple):
    """What a description may look at: the text around the span, undecodable bytes as lone surrogates.

    ``before`` is the line up to the span and ``after`` the rest of the line, both perhaps cut at their far ends;
    ``related`` is the text of the second place. ``details`` holds facts that stand in no line, by key; any of them may
    be missing.

    >>> Context("a{b=", "2", "} 1").found
    '2'
    """

    before: str
    found: str
    after: str
    related: str | None = None
    at_end_of_input: bool = False
    details: Mapping[str, str] = {}


class Words(NamedTuple):
    """What a diagnostic says, in pieces; the renderers of ``report.py`` put them together.

    >>> Words("value is not a number", "expected a number, found `x`", "", None).help is None
    True
    """

    message: str
    label: str
    related_label: str
    help: str | None


def describe(code: Code, context: Context) -> Words:
    """The words for an offence in its context. Any context gives words; what it lacks is left vague.

    >>> words = describe(Code.UNQUOTED_LABEL_VALUE, Context("a{code=", "200", '} 1'))
    >>> words.message, words.label
    ('label value must be in double quotes', 'expected `"`, found `2`')
    >>> words.help
    'write `code="200"`'
    """
    row = ROWS[code]
    fields = _Fields(context)
    return Words(
        message=_filled(row.message, fields, HEADLINE_LIMIT),
        label=_filled(row.label, fields),
        related_label=_filled(row.related_label, fields),
        help=row.help(context) if callable(row.help) else _filled(row.help, fields) or None,
    )


def visible(text: str) -> str:
    """The text with everything escaped that is not seen as itself, such as control characters and undecodable bytes.

    >>> print(visible("a\\tb\\x00\\u202e\\udcff"))
    a\\tb\\x00\\u202e\\xff
    """
    return text if text.isprintable() else "".join(map(_visible_character, text))


def shortened(text: str, limit: int = QUOTE_LIMIT) -> str:
    """The text made visible, and cut with an ellipsis if it takes more characters than the limit.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    # Escaping only makes longer, so that no more of a text than the limit needs be looked at.
    shown = visible(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


_BRIEF_ESCAPES: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _visible_character(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape decodes it
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return _BRIEF_ESCAPES.get(character) or f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# Fields of the templates below: `$found` and so on. They give text that is fit to show, without backticks around it
# unless it may be something else than a quotation.


def _next(context: Context) -> str:
    """What stands at the caret: a character in backticks, or the name of what ends there."""
    if context.at_end_of_input:
        return "end of input"
    rest = context.found or context.after
    return _quoted_character(rest[0]) if rest.strip("\r") else "end of line"


def _first_bad(context: Context) -> str:
    """The first character of the span that no bare metric name holds."""
    return _first_of(r"[^a-zA-Z0-9_:]", context)


def _first_bad_in_label(context: Context) -> str:
    """The first character of the span that no bare label name holds."""
    return _first_of(r"[^a-zA-Z0-9_]", context)


def _first_of(characters: str, context: Context) -> str:
    bad = re.search(characters, context.found)
    return _quoted_character(bad[0]) if bad and bad.start() else _next(context)


def _quoted_character(character: str) -> str:
    # A combining mark needs something to stand on, other than the backtick.
    return f"`◌{character}`" if combining(character) else f"`{visible(character)}`"


def _name(context: Context) -> str:
    """The name in the span, without quotes: of a word, of a quoted string or of a sample line."""
    return shortened(_series(context.found)[0])


def _related_name(context: Context) -> str:
    return shortened(_series(context.related or "")[0])


def _last_word(context: Context) -> str:
    return shortened((context.found.split() or [""])[-1])


def _base(context: Context) -> str:
    """The family's name, of a line with one of its suffixes."""
    return shortened(re.sub(r"_(bucket|sum|count|gsum|gcount)\Z", "", _series(context.found)[0]))


_FIELDS: Final[Mapping[str, Callable[[Context], str]]] = {
    "found": lambda context: shortened(context.found),
    "next": _next,
    "first_bad": _first_bad,
    "first_bad_in_label": _first_bad_in_label,
    "name": _name,
    "related_name": _related_name,
    "last_word": _last_word,
    "base": _base,
    "lower": lambda context: shortened(context.found.lower()),
    "le": lambda context: shortened(_label(context.found, "le")),
    "related_le": lambda context: shortened(_label(context.related or "", "le")),
    "quantile": lambda context: shortened(_label(context.found, "quantile")),
    "value": lambda context: shortened(_value(context.found)),
    "related_value": lambda context: shortened(_value(context.related or "")),
}


class _Fields(dict[str, str]):
    """The fields of one context, each worked out when a template asks for it; then its details."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def __missing__(self, key: str) -> str:
        if key in _FIELDS:
            return _FIELDS[key](self.context)
        return shortened(self.context.details.get(key, _VAGUE.get(key, "?")))


# What stands in for a detail that was not given.
_VAGUE: Final[Mapping[str, str]] = {
    "count": "more",
    "family": "the family",
    "first": "one",
    "first_input": "the first input",
    "format": "target",
    "sample": "the sample",
    "second": "another",
    "second_input": "the second input",
    "series": "the series",
    "what": "all of it",
}


def _filled(text: Text, fields: _Fields, limit: int | None = None) -> str:
    """The template with its fields; if that is over the limit, every field is cut to its share of it."""
    template = Template(text(fields.context) if callable(text) else text)
    full = template.substitute(fields)
    if limit is None or len(full) <= limit:
        return full
    names = template.get_identifiers()
    bare = len(template.substitute(dict.fromkeys(names, "")))
    share = (limit - bare) // len(names)
    return template.substitute({name: _cut(fields[name], share) for name in names})


def _cut(shown: str, limit: int) -> str:
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


# Pieces of lines. These look at short texts that a parser has already found wanting: what they do not recognise, they
# leave alone. Patterns are compiled when a fault asks for them, not when the package is imported.

_STRING: Final = r'"(?:[^"\\]|\\.)*+"'
_BARE: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_SERIES: Final = rf"\s*+({_BARE}|{_STRING})?+\s*+(\{{(?:[^\"}}]|{_STRING})*+\}})?+"
_LAST_LABEL: Final = rf"({_STRING}|[^\s,{{}}=\"]+)\s*=?\s*\Z"


def _series(line: str) -> tuple[str, str]:
    """The metric name and the labels (with their braces, or empty) at the beginning of a sample line."""
    match = re.match(_SERIES, line)
    name, labels = (match[1] or "", match[2] or "") if match else ("", "")
    if not name and labels:
        quoted = re.search(rf"[{{,]\s*+({_STRING})\s*+[,}}]", labels)
        name = quoted[1] if quoted else ""
    if not name and not labels:
        name = line
    return _unquoted(name), labels


def _value(line: str) -> str:
    """The value of a sample line."""
    match = re.match(_SERIES, line)
    words = line[match.end() if match else 0 :].split()
    return words[0] if words else ""


def _label(line: str, name: str) -> str:
    """The value of a label of a sample line."""
    match = re.search(rf'[{{,]\s*+"?{name}"?\s*+=\s*+({_STRING})', line)
    return _unquoted(match[1]) if match else ""


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r'\\([\\"n])', lambda match: "\n" if match[1] == "n" else match[1], text[1:-1])


def _last_label_name(context: Context) -> str:
    """The label name that stands right before the span."""
    match = re.search(_LAST_LABEL, context.before[-400:])
    return match[1] if match else ""


def _number(text: str) -> str | None:
    """The text if it is a number of this format."""
    try:
        parse_float(text)
    except (ValueError, OverflowError):
        return None
    return text


def _edit(text: str) -> str | None:
    """Advice to write this, unless it could not be pasted as it is shown."""
    return f"write `{text}`" if text.isprintable() and len(text) <= HEADLINE_LIMIT else None


# Remedies that look at the input. Each gives the whole help, or None where it has nothing sure to say.


def _help_utf8(context: Context) -> str | None:
    number = ord(context.found) - 0xDC00 if len(context.found) == 1 else 0
    latin = f"; if this was Latin-1, write `{chr(number)}`" if 0xA0 < number <= 0xFF else ""
    return f"save the file as UTF-8{latin}"


_A_LINE: Final = 'a line is a sample, `name{label="value"} 1`, or begins with `#`'


def _help_metric_name(context: Context) -> str | None:
    name = context.found
    if not name or re.search(r"[<>{}=\"'/;,|\[\]()]", name) or not name.isprintable() or len(name) > QUOTE_LIMIT:
        return _A_LINE
    legacy = escape_name(name, EscapingScheme.UNDERSCORES)
    if context.before.lstrip().startswith("#"):
        return _either(legacy, quote(name), "in quotes")
    if context.after.startswith("{"):
        return _either(legacy, f"{{{quote(name)},", "in the braces")
    return _either(legacy, f"{{{quote(name)}}}", "in braces")


def _either(legacy: str, quoted: str, where: str) -> str:
    """Advice to write a legacy name, unless nothing is left of it, or a quoted one."""
    return f"write `{legacy}`, or {where} `{quoted}`" if legacy.strip("_") else f"write {where} `{quoted}`"


def _help_quoted_name(context: Context) -> str | None:
    name = _unquoted(context.found)
    if is_legacy_metric_name(name):
        return f"write `{shortened(name)}` without quotes"
    if re.match(r"\s*\{", context.after):
        return _edit(f"{{{context.found},")
    return _edit(f"{{{context.found}}}")


def _help_unquoted_name(context: Context) -> str | None:
    name = context.found
    if not is_legacy_metric_name(name) or len(name) > QUOTE_LIMIT:
        return _edit(quote(name))
    if context.before.strip() == "{" and context.after.lstrip().startswith("}"):
        return f"write `{name}` without braces"
    return f"write `{quote(name)}`, or `{name}` before the braces"


def _help_missing_metric_name(context: Context) -> str | None:
    if len(context.found) > QUOTE_LIMIT or not context.found.isprintable():
        return "write the metric's name before the `{`"
    return f"write `name{context.found}`, with the metric's name"


def _help_second_name(context: Context) -> str | None:
    return f'remove it, or give the label a value: `{shortened(context.found)}="value"`'


def _message_empty_name(context: Context) -> str:
    return "label name is empty" if re.match(r"\s*=", context.after) else "metric name is empty"


def _message_label_name(context: Context) -> str:
    return "label name is missing" if context.found[:1] in ("", ",", "}", "=") else "invalid label name `$found`"


def _label_label_name(context: Context) -> str:
    if re.match(r"[a-zA-Z_]", context.found):
        return "expected `=`, found $first_bad_in_label"
    return "expected a label name, found $next"


def _help_label_name(context: Context) -> str | None:
    name = context.found.strip("'`‘’")
    if context.found.startswith(","):
        return "remove the comma"
    if not name or name[0] in "}=":
        return None
    if name != context.found and is_legacy_label_name(name):
        return _edit(name)
    if name.endswith(":") and is_legacy_label_name(name[:-1]):  # `name:"value"`, as other formats write it
        return _edit(name[:-1] + "=")
    if not name.isprintable() or len(name) > QUOTE_LIMIT:
        return None
    return _either(escape_label_name(name, EscapingScheme.UNDERSCORES), quote(name), "in quotes")


def _help_missing_equals(context: Context) -> str | None:
    name = _last_label_name(context)
    string = re.match(rf"\W?\s*({_STRING})", context.found + context.after)
    return _edit(f"{name}={string[1] if string else quote('value')}") if name else None


_OTHER_QUOTES: Final = {"'": "'", "`": "`", "“": "”", "‘": "’", "«": "»"}


def _help_unquoted_value(context: Context) -> str | None:
    value, close = context.found.rstrip(",}"), _OTHER_QUOTES.get(context.found[:1])
    if close:
        end = (context.found + context.after).find(close, 1)
        value = (context.found + context.after)[1:end] if end > 0 else value[1:]
    name = _last_label_name(context)
    return _edit(f"{name}={quote(value)}") if name else None


def _help_unterminated(context: Context) -> str | None:
    if '\\"' in context.found and not re.search(r"[^\\]\\\\\"", context.found):
        return '`\\"` is a quote within the text; a backslash before the end is `\\\\"`'
    end = context.found.find("}")
    return _edit(f'{context.found[:end]}"}}') if end > 0 else 'close it with `"`; a line feed within is `\\n`'


def _next_word(context: Context) -> str:
    words = re.match(r"\s*([^\s=,}]+)", context.found + context.after)
    return shortened(words[1]) if words else ""


def _help_missing_comma(context: Context) -> str | None:
    word = _next_word(context)
    return f"insert `,` before `{word}`" if word else None


def _label_unclosed(context: Context) -> str:
    begun = context.before.rstrip().endswith(("{", ","))
    return "expected a label or `}`, found $next" if begun else "expected `,` or `}`, found $next"


def _help_unclosed(context: Context) -> str | None:
    word = _next_word(context)
    return f"insert `}}` before `{word}`" if word else "close the labels with `}`"


_WORDS_AS_NUMBERS: Final = {"true": "1", "false": "0", "null": "NaN", "none": "NaN", "nil": "NaN", "n/a": "NaN"}


def _help_value(context: Context) -> str | None:
    text = context.found
    if "=" in text and not context.before.rstrip().endswith("}"):
        return _edit(f"{context.before.strip()}{{{text}}}")
    if "#" in text[1:]:
        return "put the comment on a line of its own"
    if re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+", text):
        point = f"`{text.replace(',', '.')}` or " if text.count(",") == 1 else ""
        return f"write {point}`{text.replace(',', '')}`"
    ascii_text = "".join(str(int(c)) if c.isdecimal() else c for c in text).replace("−", "-")
    candidates = [
        _WORDS_AS_NUMBERS.get(text.lower()),
        ascii_text,
        ascii_text.strip("\"'`"),
        ascii_text.replace(",", "."),
    ]
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]{1,16}", text):
        candidates.append(str(int(text, 16)))
    candidates += [text.replace("_", ""), text.lstrip("+-")]
    with_unit = re.match(r"([+-]?[0-9]+(?:\.[0-9]+)?)[a-zA-Z%µ]", text)
    candidates.append(with_unit and with_unit[1])
    number = next((candidate for candidate in candidates if candidate and _number(candidate)), None)
    return _edit(number) if number else None


def _help_out_of_range(context: Context) -> str | None:
    return _edit("-Inf" if context.found.startswith("-") else "+Inf")


def _help_timestamp(context: Context) -> str | None:
    number = _number(context.found)
    if number is None or not abs(seconds := float(number)) < 1e12:
        return "write milliseconds since 1970-01-01 UTC, or nothing"
    return f"if these are seconds, write `{round(seconds * 1000)}`"


def _help_trailing(context: Context) -> str | None:
    if re.match(r"#\s*\{", context.found):
        return "remove it: exemplars exist in OpenMetrics only"
    if context.found.startswith("#"):
        return "put the comment on a line of its own"
    return f"remove `{shortened(context.found)}`"


def _label_incomplete_type(context: Context) -> str:
    return f"expected a {'type' if len(_type_words(context)) > 1 else 'metric name'}, found end of line"


def _help_incomplete_type(context: Context) -> str | None:
    words = _type_words(context)
    return _edit(f"# TYPE {words[1]} untyped") if len(words) > 1 else "remove the line, or write `# TYPE name untyped`"


def _type_words(context: Context) -> list[str]:
    """The words of a TYPE line, its `#` apart."""
    return re.findall(rf"{_STRING}|[^\s\"]+", context.found.lstrip("# \t"))


_TYPES: Final = ("counter", "gauge", "histogram", "summary", "untyped")


def _help_unknown_type(context: Context) -> str | None:
    from difflib import get_close_matches

    words = context.found.lower().split() or [""]
    near = get_close_matches(words[0], _TYPES, 1, 0.5)
    return _edit(near[0]) if near else _edit("untyped")


def _help_metric_name_label(context: Context) -> str | None:
    value = re.match(rf"\s*=\s*({_STRING})", context.after)
    if not value:
        return None
    named = not context.before.lstrip().startswith("{") or re.search(rf"[{{,]\s*{_STRING}\s*,", context.before)
    if named:
        return f"remove `{shortened(context.found)}={shortened(value[1])}`"
    name = _unquoted(value[1])
    where = f"`{shortened(name)}{{`" if is_legacy_metric_name(name) else f"`{{{shortened(value[1])}`"
    return f"begin the line with {where}"


def _help_move_up(context: Context) -> str | None:
    line = (context.before + context.found + context.after).strip()
    return f"move `{shortened(line)}` above the first sample"


def _count_kind(context: Context) -> str:
    number = _number(context.found)
    if number is None or (value := float(number)) != value:
        return "count is not a number"
    return "count is negative" if value < 0 else "count is not a whole number"


def _label_count(context: Context) -> str:
    whole = "a whole number" if _count_kind(context).endswith("whole number") else "a number from 0 up"
    return f"expected {whole}, found `$found`"


def _is_label_name(context: Context) -> bool:
    return re.match(r"\s*=", context.after) is not None


def _label_non_legacy(context: Context) -> str:
    return "expected letters, digits and `_`" if _is_label_name(context) else "expected letters, digits, `_` and `:`"


def _help_non_legacy(context: Context) -> str | None:
    escape = escape_label_name if _is_label_name(context) else escape_name
    return _edit(escape(_unquoted(context.found), EscapingScheme.UNDERSCORES))


_HELP_TEXT: Final = rf"\s*+#\s*+HELP\s++({_STRING}|[^\s\"]++)\s"


def _label_escape(context: Context) -> str:
    end = ", found end of line" if len(context.found) < 2 else ""
    return (
        "expected `\\\\` or `\\n`" if re.match(_HELP_TEXT, context.before) else 'expected `\\\\`, `\\"` or `\\n`'
    ) + end


_TEXT_TYPES: Final = {
    "unknown": "untyped",
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "gauge_histogram": "histogram",
}


def _help_openmetrics_type(context: Context) -> str | None:
    return _edit(_TEXT_TYPES.get(context.found.lower(), "untyped"))


def _label_inexact(context: Context) -> str:
    number = _number(context.found)
    return f"readers get {format_float(float(number))}" if number else "readers get another number"


def _help_reserved(context: Context) -> str | None:
    name = _unquoted(context.found).strip("_")
    return _edit(name) if is_legacy_label_name(name) else None


def _help_timestamped(context: Context) -> str | None:
    words = context.found.split()
    return f"remove `{shortened(words[-1])}`" if len(words) > 1 else None


def _across_inputs(context: Context) -> bool:
    return "first_input" in context.details


def _help_no_inf(context: Context) -> str | None:
    name, labels = _series(context.found)
    value = _value(context.found)
    if not name.endswith("_count") or not is_legacy_metric_name(name) or not value:
        return 'add a bucket `le="+Inf"` that counts all observations'
    inner = labels.strip("{} \t,")
    return _edit(f'{name[:-6]}_bucket{{{inner}{"," if inner else ""}le="+Inf"}} {value}') or (
        'add a bucket `le="+Inf"` with the value of `_count`'
    )


def _help_quantile_range(context: Context) -> str | None:
    number = _number(_label(context.found, "quantile"))
    if number and 1 < (value := float(number)) <= 100:
        return _edit(f'quantile="{value / 100:.12g}"')
    return None


def _help_type_conflict(context: Context) -> str | None:
    family, type = context.details.get("family", ""), context.details.get("first", "")
    word = "untyped" if type == "unknown" else type
    line = f"# TYPE {family if is_legacy_metric_name(family) else quote(family)} {word}"
    return f"declare one type everywhere, such as `{line}`" if family and type and line.isprintable() else None


Text = str | Callable[[Context], str]


class Row(NamedTuple):
    """How to speak of one code: templates with ``$fields``, or functions that give them (help: the whole of it).

    >>> Row("value is not a number", "expected a number").help
    ''
    """

    message: Text
    label: Text
    related_label: Text = ""
    help: str | Callable[[Context], str | None] = ""


_FMT: Final = "`expofmt fmt --write FILE` does it"

ROWS: Final[Mapping[Code, Row]] = {
    Code.INVALID_UTF8: Row(
        "bytes are not valid UTF-8",
        "expected UTF-8, found `$found`",
        help=_help_utf8,
    ),
    Code.BYTE_ORDER_MARK: Row(
        "file begins with a byte order mark",
        "expected the first line, found EF BB BF",
        help="save the file as UTF-8 without a byte order mark",
    ),
    Code.CARRIAGE_RETURN: Row(
        "line ends with a carriage return",
        "expected end of line, found `\\r`",
        help=f"end lines with a line feed alone: {_FMT}",
    ),
    Code.INVALID_METRIC_NAME: Row(
        "invalid metric name `$found`",
        lambda context: (
            "expected a blank or `{`, found $first_bad"
            if re.match(_BARE, context.found)
            else "expected a metric name, found $next"
        ),
        help=_help_metric_name,
    ),
    Code.QUOTED_NAME_OUTSIDE_BRACES: Row(
        "quoted metric name stands outside of braces",
        'expected `{`, found `"`',
        help=_help_quoted_name,
    ),
    Code.UNQUOTED_NAME_IN_BRACES: Row(
        "metric name in braces is not in double quotes",
        'expected `"`, found $next',
        help=_help_unquoted_name,
    ),
    Code.MISSING_METRIC_NAME: Row(
        "sample has no metric name",
        "expected a metric name before or within the braces",
        help=_help_missing_metric_name,
    ),
    Code.SECOND_METRIC_NAME: Row(
        "sample has a second metric name",
        "expected a label, found a metric name",
        "the first metric name",
        help=_help_second_name,
    ),
    Code.EMPTY_NAME: Row(
        _message_empty_name,
        'expected a name, found `""`',
        help="write a name of at least one character between the quotes",
    ),
    Code.INVALID_LABEL_NAME: Row(
        _message_label_name,
        _label_label_name,
        help=_help_label_name,
    ),
    Code.MISSING_EQUALS: Row(
        "label has no value",
        "expected `=`, found $next",
        help=_help_missing_equals,
    ),
    Code.UNQUOTED_LABEL_VALUE: Row(
        "label value must be in double quotes",
        'expected `"`, found $next',
        help=_help_unquoted_value,
    ),
    Code.UNTERMINATED_STRING: Row(
        "string is not closed",
        'expected `"` at its end, found end of line',
        help=_help_unterminated,
    ),
    Code.MISSING_COMMA: Row(
        "labels are not separated by a comma",
        "expected `,` or `}`, found $next",
        help=_help_missing_comma,
    ),
    Code.UNCLOSED_LABELS: Row(
        "braces around the labels are not closed",
        _label_unclosed,
        help=_help_unclosed,
    ),
    Code.MISSING_VALUE: Row(
        "sample has no value",
        lambda context: f"expected a number, found end of {'input' if context.at_end_of_input else 'line'}",
    ),
    Code.INVALID_VALUE: Row(
        "value is not a number",
        "expected a number, found `$found`",
        help=_help_value,
    ),
    Code.VALUE_OUT_OF_RANGE: Row(
        "value is beyond the range of float64",
        "expected a number below 1.8e+308, found `$found`",
        help=_help_out_of_range,
    ),
    Code.INVALID_TIMESTAMP: Row(
        "timestamp is not an integer",
        "expected whole milliseconds, found `$found`",
        help=_help_timestamp,
    ),
    Code.TIMESTAMP_OUT_OF_RANGE: Row(
        "timestamp is beyond int64 milliseconds",
        "expected at most 9223372036854775807, found `$found`",
        help="write milliseconds since 1970-01-01 UTC, or nothing",
    ),
    Code.TRAILING_TEXT: Row(
        "text stands after the sample",
        "expected end of line, found $next",
        help=_help_trailing,
    ),
    Code.INCOMPLETE_TYPE: Row(
        "TYPE line is incomplete",
        _label_incomplete_type,
        help=_help_incomplete_type,
    ),
    Code.UNKNOWN_TYPE: Row(
        "unknown metric type `$found`",
        "expected counter, gauge, histogram, summary or untyped",
        help=_help_unknown_type,
    ),
    Code.DUPLICATE_LABEL: Row(
        "label `$name` is given twice",
        "expected another label name, found `$found` again",
        "first given here",
        help="keep one of the two",
    ),
    Code.METRIC_NAME_LABEL: Row(
        "`__name__` is given as a label",
        "expected another label name, found `$found`",
        help=_help_metric_name_label,
    ),
    Code.INPUT_TOO_LARGE: Row(
        "input is larger than the engine can hold",
        "read up to here only",
        help="split the input, or read it with `iter_families`",
    ),
    Code.SECOND_TYPE: Row(
        "metric family `$name` has a second TYPE line",
        "expected one TYPE line, found another",
        "the first TYPE line",
        help="remove one of the two lines",
    ),
    Code.SECOND_HELP: Row(
        "metric family `$name` has a second HELP line",
        "expected one HELP line, found another",
        "the first HELP line",
        help="remove one of the two lines",
    ),
    Code.TYPE_AFTER_SAMPLES: Row(
        "TYPE line of `$name` stands after its samples",
        "expected before the first sample",
        "the first sample",
        help=_help_move_up,
    ),
    Code.SUFFIX_COLLISION: Row(
        "metric families `$related_name` and `$name` collide",
        "expected another name, found one that both use",
        "the other family",
        help="rename one of the two families",
    ),
    Code.INVALID_COUNT: Row(
        _count_kind,
        _label_count,
    ),
    Code.NON_LEGACY_NAME: Row(
        "name `$name` needs quotes",
        _label_non_legacy,
        help=_help_non_legacy,
    ),
    Code.MISSING_FINAL_NEWLINE: Row(
        "last line does not end with a line feed",
        "expected a line feed, found end of input",
        help=f"add a line feed: {_FMT}",
    ),
    Code.TRAILING_BLANK: Row(
        "line ends with blanks",
        "expected end of line, found $next",
        help=f"remove them: {_FMT}",
    ),
    Code.UNKNOWN_ESCAPE: Row(
        "unknown escape sequence `$found`",
        _label_escape,
        help=lambda context: _edit("\\" + context.found),
    ),
    Code.TYPE_CASE: Row(
        "metric type `$found` is not in lower case",
        "expected `$lower`, found `$found`",
        help="write `$lower`",
    ),
    Code.OPENMETRICS_TYPE: Row(
        "`$found` is a type of OpenMetrics, not of the text format",
        "expected counter, gauge, histogram, summary or untyped",
        help=_help_openmetrics_type,
    ),
    Code.INEXACT_INTEGER: Row(
        "float64 cannot hold this integer exactly",
        _label_inexact,
    ),
    Code.HELP_AFTER_SAMPLES: Row(
        "HELP line of `$name` stands after its samples",
        "expected before the first sample",
        "the first sample",
        help=f"move it above the first sample: {_FMT}",
    ),
    Code.INTERLEAVED_FAMILY: Row(
        "samples of `$base` do not stand together",
        "expected next to the family's other samples",
        "the family's sample before",
        help=f"keep the lines of a family together: {_FMT}",
    ),
    Code.RESERVED_LABEL_NAME: Row(
        "label name `$name` is reserved",
        "expected no `__` at the beginning",
        help=_help_reserved,
    ),
    Code.EXPLICIT_TIMESTAMP: Row(
        "sample has an explicit timestamp",
        "expected no timestamp, found `$last_word`",
        help=_help_timestamped,
    ),
    Code.DUPLICATE_SAMPLE: Row(
        lambda context: "two inputs hold `$series`" if _across_inputs(context) else "sample of `$name` is given twice",
        lambda context: "also in `$second_input`" if _across_inputs(context) else "same name, labels and timestamp",
        lambda context: "in `$first_input`" if _across_inputs(context) else "first given here",
        help=lambda context: (
            "give each input a label of its own, or merge with another policy"
            if _across_inputs(context)
            else "remove one of the two lines"
        ),
    ),
    Code.MISSING_LE: Row(
        "bucket has no label `le`",
        "expected a label `le`, found none",
        help='add the upper bound, such as `le="+Inf"`',
    ),
    Code.INVALID_LE: Row(
        "upper bound of the bucket is not a number",
        "expected a number in `le`, found `$le`",
    ),
    Code.MISSING_QUANTILE: Row(
        "sample of a summary has no label `quantile`",
        "expected a label `quantile`, found none",
        help='add the quantile, such as `quantile="0.5"`, or `_sum` or `_count`',
    ),
    Code.INVALID_QUANTILE: Row(
        "quantile is not a number",
        "expected a number in `quantile`, found `$quantile`",
    ),
    Code.NAN_BOUND: Row(
        "bound of a bucket or quantile is NaN",
        "expected a number in `le` or `quantile`, found NaN",
        help="remove the line: nothing is at most NaN",
    ),
    Code.QUANTILE_OUT_OF_RANGE: Row(
        "quantile is not between 0 and 1",
        "expected 0 to 1, found `$quantile`",
        help=_help_quantile_range,
    ),
    Code.STRAY_SAMPLE: Row(
        "sample of histogram `$name` has no suffix",
        "expected `_bucket`, `_sum` or `_count` after the name, found none",
    ),
    Code.MISSING_INF_BUCKET: Row(
        "histogram `$base` has no +Inf bucket",
        'expected a bucket `le="+Inf"` for this series, found none',
        help=_help_no_inf,
    ),
    Code.BUCKET_ORDER: Row(
        "buckets of `$base` do not ascend",
        "expected a bound above `$related_le`, found `$le`",
        "the bucket before",
        help=f"order the buckets by `le`: {_FMT}",
    ),
    Code.DUPLICATE_BUCKET: Row(
        "histogram `$base` has the same bucket twice",
        "expected another bound, found `$le` again",
        "the same bound, spelt `$related_le`",
        help="remove one of the two lines",
    ),
    Code.BUCKET_NOT_CUMULATIVE: Row(
        "bucket of `$base` counts less than a smaller one",
        "expected at least `$related_value`, found `$value`",
        "the smaller bucket",
        help="let each bucket count all observations up to its bound",
    ),
    Code.COUNT_MISMATCH: Row(
        "count of `$base` differs from its +Inf bucket",
        "expected `$related_value`, found `$value`",
        "the +Inf bucket",
        help="give `_count` and the +Inf bucket the same value",
    ),
    Code.MISSING_SUM: Row(
        "`$base` has no `_sum`",
        "expected a sample `${base}_sum` for this series, found none",
    ),
    Code.MISSING_COUNT: Row(
        "`$base` has no `_count`",
        "expected a sample `${base}_count` for this series, found none",
    ),
    Code.TYPE_CONFLICT: Row(
        "metric family `$family` has two types",
        "$second in `$second_input`",
        "$first in `$first_input`",
        help=_help_type_conflict,
    ),
    Code.HELP_CONFLICT: Row(
        "metric family `$family` has two help texts",
        "dropped: help in `$second_input`",
        "kept: help in `$first_input`",
        help="give the family one HELP text everywhere",
    ),
    Code.UNIT_CONFLICT: Row(
        "metric family `$family` has two units",
        "$second in `$second_input`",
        "$first in `$first_input`",
        help="give the family one unit everywhere",
    ),
    Code.BUCKET_BOUNDS_CONFLICT: Row(
        "histograms `$series` have different buckets",
        "in `$second_input`",
        "in `$first_input`",
        help="use the same bounds everywhere, or merge with `first` or `last`",
    ),
    Code.FORMAT_LOSS: Row(
        "the $format format cannot hold $what",
        "in metric family `$family`",
        help="allow the loss with `lossy=True` or `--lossy`",
    ),
    Code.FOREIGN_SAMPLE: Row(
        "sample `$sample` does not belong to metric family `$family`",
        "expected the family's name with a suffix of its type, found `$sample`",
        help="rename the sample, or put it into a family of its own",
    ),
    Code.TIMESTAMP_PRECISION: Row(
        "timestamp has digits finer than a millisecond",
        "expected whole milliseconds in `$series`",
        help="round the timestamp, or render with `lossy=True`",
    ),
    Code.TOO_MANY_DIAGNOSTICS: Row(
        "$count more diagnostics are not shown",
        "",
        help="ask for more with `--max-diagnostics` or `max_diagnostics=`",
    ),
}


__all__ = ["ROWS", "Context", "Row", "Words", "describe", "shortened", "visible"]
