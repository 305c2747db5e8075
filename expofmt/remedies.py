"""What to do about a fault: an edit to paste, where one can be worked out from the text around it.

Each function is one remedy, and gives the whole of a diagnostic's help, or ``None`` where it has nothing sure to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from .names import EscapingScheme, escape_label_name, escape_name, is_legacy_label_name, is_legacy_metric_name, quote
from .quoting import QUOTE_LIMIT, STRING, label_of, series_of, shortened, unquoted, value_of
from .values import parse_float


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


# What is to be pasted must be seen whole.
_EDIT_LIMIT: Final = 72

_LAST_LABEL: Final = rf"({STRING}|[^\s,{{}}=\"]+)\s*=?\s*\Z"


def _last_label_name(context: Context) -> str:
    """The label name that stands right before the span."""
    match = re.search(_LAST_LABEL, context.before[-400:])
    return match[1] if match else ""


def number_of(text: str) -> str | None:
    """The text if it is a number of this format."""
    try:
        parse_float(text)
    except (ValueError, OverflowError):
        return None
    return text


def _edit(text: str) -> str | None:
    """Advice to write this, unless it could not be pasted as it is shown."""
    return f"write `{text}`" if text.isprintable() and len(text) <= _EDIT_LIMIT else None


def utf8(context: Context) -> str | None:
    """A lone byte of Latin-1 has one meaning; others have none."""
    number = ord(context.found) - 0xDC00 if len(context.found) == 1 else 0
    latin = f"; if this was Latin-1, write `{chr(number)}`" if 0xA0 < number <= 0xFF else ""
    return f"save the file as UTF-8{latin}"


_A_LINE: Final = 'a line is a sample, `name{label="value"} 1`, or begins with `#`'


def metric_name(context: Context) -> str | None:
    """A name that may stand where this one does, or, if this is no name at all, what a line is."""
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


def quoted_name(context: Context) -> str | None:
    """Into the braces with it, or off with its quotes."""
    name = unquoted(context.found)
    if is_legacy_metric_name(name):
        return f"write `{shortened(name)}` without quotes"
    if re.match(r"\s*\{", context.after):
        return _edit(f"{{{context.found},")
    return _edit(f"{{{context.found}}}")


def unquoted_name(context: Context) -> str | None:
    """On with its quotes, or out of the braces with it."""
    name = context.found
    if not is_legacy_metric_name(name) or len(name) > QUOTE_LIMIT:
        return _edit(quote(name))
    if context.before.strip() == "{" and context.after.lstrip().startswith("}"):
        return f"write `{name}` without braces"
    return f"write `{quote(name)}`, or `{name}` before the braces"


def missing_metric_name(context: Context) -> str | None:
    """Where the name goes."""
    if len(context.found) > QUOTE_LIMIT or not context.found.isprintable():
        return "write the metric's name before the `{`"
    return f"write `name{context.found}`, with the metric's name"


def second_name(context: Context) -> str | None:
    """Of two names, the second may have been meant as a label."""
    return f'remove it, or give the label a value: `{shortened(context.found)}="value"`'


def label_name(context: Context) -> str | None:
    """A name that may stand where this one does, or the punctuation that is too much."""
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


def missing_equals(context: Context) -> str | None:
    """The label with a value, the one that follows if there is one."""
    name = _last_label_name(context)
    string = re.match(rf"\W?\s*({STRING})", context.found + context.after)
    return _edit(f"{name}={string[1] if string else quote('value')}") if name else None


_OTHER_QUOTES: Final = {"'": "'", "`": "`", "“": "”", "‘": "’", "«": "»"}


def unquoted_value(context: Context) -> str | None:
    """The value in double quotes, whatever quotes it has."""
    value, close = context.found.rstrip(",}"), _OTHER_QUOTES.get(context.found[:1])
    if close:
        end = (context.found + context.after).find(close, 1)
        value = (context.found + context.after)[1:end] if end > 0 else value[1:]
    name = _last_label_name(context)
    return _edit(f"{name}={quote(value)}") if name else None


def unterminated(context: Context) -> str | None:
    """Where the string was probably meant to end."""
    if '\\"' in context.found and not re.search(r"[^\\]\\\\\"", context.found):
        return '`\\"` is a quote within the text; a backslash before the end is `\\\\"`'
    end = context.found.find("}")
    return _edit(f'{context.found[:end]}"}}') if end > 0 else 'close it with `"`; a line feed within is `\\n`'


def _next_word(context: Context) -> str:
    words = re.match(r"\s*([^\s=,}]+)", context.found + context.after)
    return shortened(words[1]) if words else ""


def missing_comma(context: Context) -> str | None:
    """Where the comma goes."""
    word = _next_word(context)
    return f"insert `,` before `{word}`" if word else None


def unclosed(context: Context) -> str | None:
    """Where the brace goes."""
    word = _next_word(context)
    return f"insert `}}` before `{word}`" if word else "close the labels with `}`"


_WORDS_AS_NUMBERS: Final = {"true": "1", "false": "0", "null": "NaN", "none": "NaN", "nil": "NaN", "n/a": "NaN"}


def value(context: Context) -> str | None:
    """The number that this is in another notation."""
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
    number = next((candidate for candidate in candidates if candidate and number_of(candidate)), None)
    return _edit(number) if number else None


def out_of_range(context: Context) -> str | None:
    """Infinity, which other readers make of it."""
    return _edit("-Inf" if context.found.startswith("-") else "+Inf")


def timestamp(context: Context) -> str | None:
    """Milliseconds, if these are seconds."""
    number = number_of(context.found)
    if number is None or not abs(seconds := float(number)) < 1e12:
        return "write milliseconds since 1970-01-01 UTC, or nothing"
    return f"if these are seconds, write `{round(seconds * 1000)}`"


def trailing(context: Context) -> str | None:
    """What to do with it depends on what it is."""
    if re.match(r"#\s*\{", context.found):
        return "remove it: exemplars exist in OpenMetrics only"
    if context.found.startswith("#"):
        return "put the comment on a line of its own"
    return f"remove `{shortened(context.found)}`"


def incomplete_type(context: Context) -> str | None:
    """The line as it could be."""
    words = type_words(context)
    return _edit(f"# TYPE {words[1]} untyped") if len(words) > 1 else "remove the line, or write `# TYPE name untyped`"


def type_words(context: Context) -> list[str]:
    """The words of a TYPE line, its `#` apart."""
    return re.findall(rf"{STRING}|[^\s\"]+", context.found.lstrip("# \t"))


_TYPES: Final = ("counter", "gauge", "histogram", "summary", "untyped")


def unknown_type(context: Context) -> str | None:
    """The type whose name is nearest."""
    from difflib import get_close_matches

    words = context.found.lower().split() or [""]
    near = get_close_matches(words[0], _TYPES, 1, 0.5)
    return _edit(near[0]) if near else _edit("untyped")


def metric_name_label(context: Context) -> str | None:
    """Where the metric name goes, or off with a second one."""
    value = re.match(rf"\s*=\s*({STRING})", context.after)
    if not value:
        return None
    named = not context.before.lstrip().startswith("{") or re.search(rf"[{{,]\s*{STRING}\s*,", context.before)
    if named:
        return f"remove `{shortened(context.found)}={shortened(value[1])}`"
    name = unquoted(value[1])
    where = f"`{shortened(name)}{{`" if is_legacy_metric_name(name) else f"`{{{shortened(value[1])}`"
    return f"begin the line with {where}"


def move_up(context: Context) -> str | None:
    """Which line to move, and where."""
    line = (context.before + context.found + context.after).strip()
    return f"move `{shortened(line)}` above the first sample"


def is_label_name(context: Context) -> bool:
    """Whether the span is a label name, by what follows it."""
    return re.match(r"\s*=", context.after) is not None


def non_legacy(context: Context) -> str | None:
    """The name with underscores."""
    escape = escape_label_name if is_label_name(context) else escape_name
    return _edit(escape(unquoted(context.found), EscapingScheme.UNDERSCORES))


_TEXT_TYPES: Final = {
    "unknown": "untyped",
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "gauge_histogram": "histogram",
}


def unknown_escape(context: Context) -> str | None:
    """The backslash as it is escaped itself."""
    return _edit("\\" + context.found)


def openmetrics_type(context: Context) -> str | None:
    """The type that the text format has in its place."""
    return _edit(_TEXT_TYPES.get(context.found.lower(), "untyped"))


def reserved(context: Context) -> str | None:
    """The name without the underscores before it."""
    name = unquoted(context.found).strip("_")
    return _edit(name) if is_legacy_label_name(name) else None


def timestamped(context: Context) -> str | None:
    """Off with it."""
    words = context.found.split()
    return f"remove `{shortened(words[-1])}`" if len(words) > 1 else None


def across_inputs(context: Context) -> bool:
    """Whether the two places are in different inputs."""
    return "first_input" in context.details


def no_inf(context: Context) -> str | None:
    """The bucket that is missing, if the count tells its value."""
    name, labels = series_of(context.found)
    value = value_of(context.found)
    if not name.endswith("_count") or not is_legacy_metric_name(name) or not value:
        return 'add a bucket `le="+Inf"` that counts all observations'
    inner = labels.strip("{} \t,")
    return _edit(f'{name[:-6]}_bucket{{{inner}{"," if inner else ""}le="+Inf"}} {value}') or (
        'add a bucket `le="+Inf"` with the value of `_count`'
    )


def quantile_range(context: Context) -> str | None:
    """The quantile of a percentile."""
    number = number_of(label_of(context.found, "quantile"))
    if number and 1 < (value := float(number)) <= 100:
        return _edit(f'quantile="{value / 100:.12g}"')
    return None


def type_conflict(context: Context) -> str | None:
    """The first type for all."""
    family, type = context.details.get("family", ""), context.details.get("first", "")
    word = "untyped" if type == "unknown" else type
    line = f"# TYPE {family if is_legacy_metric_name(family) else quote(family)} {word}"
    return f"declare one type everywhere, such as `{line}`" if family and type and line.isprintable() else None


__all__ = [
    "Context",
    "across_inputs",
    "incomplete_type",
    "is_label_name",
    "label_name",
    "metric_name",
    "metric_name_label",
    "missing_comma",
    "missing_equals",
    "missing_metric_name",
    "move_up",
    "no_inf",
    "non_legacy",
    "number_of",
    "openmetrics_type",
    "out_of_range",
    "quantile_range",
    "quoted_name",
    "reserved",
    "second_name",
    "timestamp",
    "timestamped",
    "trailing",
    "type_conflict",
    "type_words",
    "unclosed",
    "unknown_escape",
    "unknown_type",
    "unquoted_name",
    "unquoted_value",
    "unterminated",
    "utf8",
    "value",
]
