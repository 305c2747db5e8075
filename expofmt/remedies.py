"""What to do about a fault: an edit to paste, where one can be worked out from the text around it.

Each function is one remedy, and gives the whole of a diagnostic's help, or ``None`` where it has nothing sure to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from .names import EscapingScheme, escape_label_name, escape_name, is_legacy_label_name, is_legacy_metric_name, quote
from .quoting import BARE, LABELS, QUOTE_LIMIT, STRING, label_of, shortened, unquoted
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

_A_LINE: Final = 'a line is a sample, `name{label="value"} 1`, or begins with `#`'
_BRACES: Final = 'labels stand in braces: `name{label="value"} 1`'
_INNER_QUOTE: Final = 'a quote within the text is written `\\"`'

_NUMBERS: Final = r"[+-]?[0-9.][^\s,{}]*(\s+-?[0-9]+)?\s*\Z"


def _last_label_name(context: Context) -> str:
    """The label name that stands right before the span."""
    match = re.search(rf"({STRING}|[^\s,{{}}=\"]+)\s*=?\s*\Z", context.before[-400:])
    return match[1] if match else ""


def number_of(text: str) -> str | None:
    """The text if it is a number of this format."""
    try:
        parse_float(text)
    except (ValueError, OverflowError):
        return None
    return text


# Three forms of advice are edits: anyone, or a test, can carry them out without thinking.


def _shown_whole(*texts: str) -> bool:
    return all(text.isprintable() and len(text) <= _EDIT_LIMIT and "`" not in text for text in texts)


def _write(text: str, instead_of: str = "") -> str | None:
    """Put the text in the place of the span (and of what stands before it, if the text begins so), or of another."""
    for_this = f" for `{instead_of}`" if instead_of else ""
    return f"write `{text}`{for_this}" if _shown_whole(text, instead_of) else None


def _insert(text: str, before: str) -> str | None:
    return f"insert `{text}` before `{before}`" if before and _shown_whole(text, before) else None


def _remove(text: str) -> str | None:
    return f"remove `{text}`" if _shown_whole(text) else None


def utf8(context: Context) -> str | None:
    """A lone byte of Latin-1 has one meaning; others have none."""
    number = ord(context.found) - 0xDC00 if len(context.found) == 1 else 0
    latin = f"; if this was Latin-1, write `{chr(number)}`" if 0xA0 < number <= 0xFF else ""
    return f"save the file as UTF-8{latin}"


def metric_name(context: Context) -> str | None:
    """A name that may stand where this one does, or, if this is no name at all, what a line is."""
    name, comment = context.found, context.before.lstrip().startswith("#")
    if assigned := re.fullmatch(rf"({BARE})=({_NUMBERS})", name):
        return _write(f"{assigned[1]} {assigned[2]}")
    if bracketed := re.match(rf"({BARE})[(\[](.*=.*)", name):
        return _write(f"{bracketed[1]}{{{bracketed[2][:-1]}}}") if re.fullmatch(LABELS, bracketed[2][:-1]) else _BRACES
    if (
        not any(map(str.isalnum, name))
        or re.search(r"[<>{}=\"'`/;,|\[\]()]", name)
        or not name.isprintable()
        or len(name) > QUOTE_LIMIT
    ):
        return None if comment else _A_LINE
    legacy = escape_name(name, EscapingScheme.UNDERSCORES)
    if comment:
        if "TYPE" in context.before and not context.after.strip():  # the name may be what two words have become
            return None
        return _either(legacy, quote(name), "in quotes")
    if context.after.lstrip().startswith("{"):
        return _either(legacy, f"{{{quote(name)},", "in the braces")
    return _either(legacy, f"{{{quote(name)}}}", "in braces")


def _either(legacy: str, quoted: str, where: str) -> str:
    """Advice to write a legacy name, unless nothing is left of it, or a quoted one."""
    return f"write `{legacy}`, or {where} `{quoted}`" if legacy.strip("_") else f"write {where} `{quoted}`"


def quoted_name(context: Context) -> str | None:
    """Into the braces with it, or off with its quotes."""
    name, brace = unquoted(context.found), re.match(r"\s*\{", context.after)
    if not name or not re.match(r"\s|\{|\Z", context.after):
        return _A_LINE
    if is_legacy_metric_name(name):
        return _write(name)
    return _write(f"{{{context.found},", context.found + brace[0]) if brace else _write(f"{{{context.found}}}")


def unquoted_name(context: Context) -> str | None:
    """On with its quotes, or out of the braces with it."""
    name = context.found
    if not is_legacy_metric_name(name) or len(name) > QUOTE_LIMIT:
        return _write(quote(name))
    if context.before.strip() == "{" and (close := re.match(r"\s*\}", context.after)):
        return _write(name, context.before.lstrip() + name + close[0]) or "leave out the braces"
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
    """A name that may stand where this one does, or the punctuation that is wrong."""
    name = context.found.strip("'`‘’")
    if context.found == "," and not re.match(r"\s*,", context.after):
        return _remove(",")
    if name.endswith(":") and context.before.strip() == "{":  # JSON, or the like
        return _A_LINE
    if name.endswith(":") and is_legacy_label_name(name[:-1]) and context.after.lstrip().startswith('"'):
        return _write("=", ":")
    if not is_label_name(context) or not re.fullmatch(r"[\w.:/-]+", name) or len(name) > QUOTE_LIMIT:
        return None
    if name != context.found and is_legacy_label_name(name):
        return _write(name)
    return _either(escape_label_name(name, EscapingScheme.UNDERSCORES), quote(name), "in quotes")


_VALUE_ENDS: Final = r"\s*([,}]|\Z)"
_NOTHING_BEFORE: Final = r"[,}](?!\s*[=\"])"  # before a value, it may stand for something else
_NO_NAME_YET: Final = r"\s*\{[^,]*\Z"  # the label may have been meant for the metric's name


def missing_equals(context: Context) -> str | None:
    """The equals sign, and a value if none follows."""
    rest = context.found + context.after
    if re.match(_NO_NAME_YET, context.before):
        return None
    if re.match(rf":\s*{STRING}", rest):
        return _write("=", ":")
    if string := re.match(rf"({STRING}){_VALUE_ENDS}", rest):
        return _insert("=", string[1])
    return _insert('="value"', rest[0]) if re.match(_NOTHING_BEFORE, rest) else None


_OTHER_QUOTES: Final = {"'": "'", "`": "`", "“": "”", "‘": "’", "«": "»"}


def unquoted_value(context: Context) -> str | None:
    """The value in double quotes, whatever quotes it has."""
    name, rest = _last_label_name(context), context.found + context.after
    if re.match(_NOTHING_BEFORE, rest):
        return None if re.match(_NO_NAME_YET, context.before) else _insert('""', rest[0])
    equals = len(rest) - len(rest.lstrip("="))
    if equals and rest[equals:].startswith('"'):
        return _remove(rest[:equals])
    close = _OTHER_QUOTES.get(rest[equals : equals + 1])
    end = rest.find(close, equals + 1) + 1 if close else len(context.found)
    value = rest[equals + 1 : end - 1] if close else rest[equals:end]
    if not name or not value or not re.match(_VALUE_ENDS, rest[end:]) or (not close and re.search(r"[\"'`“”=]", value)):
        return None
    # A span ends at the first blank or comma; a value in other quotes may not.
    return _write(f"{name}={quote(value)}") if rest[:end] == context.found else _write(quote(value), rest[:end])


def unterminated(context: Context) -> str | None:
    """Where the string was probably meant to end."""
    if '\\"' in context.found and not re.search(r"[^\\]\\\\\"", context.found):
        return '`\\"` is a quote within the text; a backslash before the end is `\\\\"`'
    begun = re.search(r"=\s*\Z|\A\s*\{\s*\Z", context.before)
    if begun and re.fullmatch(rf"\"[^\\}}]+\}}\s*{_NUMBERS}", context.found):
        return _insert('"', "}")
    return 'close it with `"`; a line feed within is `\\n`'


def missing_comma(context: Context) -> str | None:
    """Where the comma goes."""
    label = re.match(rf"({BARE}|{STRING})\s*=", context.found + context.after)
    return _insert(",", label[1]) if label else None


def unclosed(context: Context) -> str | None:
    """Where the brace goes, or what stands there in its place."""
    rest = context.found + context.after
    if not rest.strip():
        return "close the labels with `}`"
    if re.match(_NUMBERS, rest):
        return _insert("}", rest.split()[0])
    if re.match(r"\s*\{[^=]*\Z", context.before) and rest.startswith(":"):  # JSON, or the like
        return _A_LINE
    if rest.count('"') % 2:
        return _INNER_QUOTE
    if re.match(rf";\s*({BARE}|{STRING})\s*=", rest):
        return _write(",", ";")
    if re.match(rf"[)\]]\s*{_NUMBERS}", rest):
        return _write("}", rest[0])
    stray = re.match(r"([^\w\s\",}=]+)\s*[,}]", rest)
    return _remove(stray[1]) if stray else None


_WORDS_AS_NUMBERS: Final = {"true": "1", "false": "0", "null": "NaN", "none": "NaN", "nil": "NaN", "n/a": "NaN"}


def value(context: Context) -> str | None:
    """What was probably meant: a number in another notation, labels, or a comment."""
    text, before = context.found, context.before.strip()
    if before in ("TYPE", "HELP"):
        return _insert("#", before)
    if text == "=" and re.match(rf"\s*{_NUMBERS}", context.after):
        return _remove("=")
    if re.fullmatch(BARE, before) and "=" in text[1:]:
        return _write(f"{before}{{{text}}}") if re.fullmatch(LABELS, text) else _BRACES
    if "#" in text[1:]:
        return "put the comment on a line of its own"
    if re.fullmatch(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+", text):
        point = f"`{text.replace(',', '.')}` or " if text.count(",") == 1 else ""
        return f"write {point}`{text.replace(',', '')}`"
    if number := _number_meant_by(text):
        return _write(number)
    if re.match(r"[+-]?(?!0[xX])[0-9]+(?:\.[0-9]+)?(?![eE][+-]?\Z)[a-zA-Z%µ°]", text):
        return "values have no unit: put it in the name"
    if re.fullmatch(BARE, before) and re.fullmatch(BARE, text) and re.match(rf"\s+{_NUMBERS}", context.after):
        return "names hold no blanks, and " + _BRACES
    return None


def _number_meant_by(text: str) -> str | None:
    """The same number as this format has it."""
    ascii_text = "".join(str(int(c)) if c.isdecimal() else c for c in text).replace("−", "-").lstrip("=")
    candidates = [
        _WORDS_AS_NUMBERS.get(text.lower()),
        ascii_text,
        ascii_text.strip("\"'`"),
        ascii_text.rstrip(","),
        re.sub("(?<=[0-9]),(?=[0-9])", ".", ascii_text),
        text.replace("_", "") if re.search(r"[0-9]_[0-9]", text) else None,
        text[1:] if re.fullmatch(r"[+-](?i:nan)", text) else None,
    ]
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]{1,13}", text):  # no more than float64 holds exactly
        candidates.append(str(int(text, 16)))
    return next((candidate for candidate in candidates if candidate and number_of(candidate)), None)


def out_of_range(context: Context) -> str | None:
    """Infinity, which other readers make of it."""
    return _write("-Inf" if context.found.startswith("-") else "+Inf")


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
    if number_of(context.found.split()[0] if context.found.strip() else ""):  # which of the numbers is too many?
        return "a sample holds one value, and at most one timestamp"
    return _remove(context.found) or "remove it"


def incomplete_type(context: Context) -> str | None:
    """The line as it could be."""
    words = type_words(context)
    if words[1:] and words[1] in _TYPES:
        return f"write `# TYPE name {words[1]}`, with the metric's name"
    return _write(f"# TYPE {words[1]} untyped") if len(words) > 1 else "remove the line, or write `# TYPE name untyped`"


def type_words(context: Context) -> list[str]:
    """The words of a TYPE line, its `#` apart."""
    return re.findall(rf"{STRING}|[^\s\"]+", context.found.lstrip("# \t"))


_TYPES: Final = ("counter", "gauge", "histogram", "summary", "untyped")


def unknown_type(context: Context) -> str | None:
    """The type whose name is near, or the words in their order."""
    from difflib import get_close_matches

    words, name = context.found.split(), context.before.split()[-1:]
    if name and name[0] in _TYPES and len(words) == 1 and is_legacy_metric_name(words[0]) and words[0] not in _TYPES:
        return _write(f"# TYPE {words[0]} {name[0]}")
    near = get_close_matches(words[0].lower(), _TYPES, 1, 0.75) if words else []
    return _write(near[0]) if near else None


def metric_name_label(context: Context) -> str | None:
    """Where the metric name goes, or off with a second one."""
    value = re.match(rf"\s*=\s*({STRING})", context.after)
    if not value:
        return None
    label = context.found + value[0]
    named = not context.before.lstrip().startswith("{") or re.search(rf"[{{,]\s*{STRING}\s*,", context.before)
    if named:
        comma = re.match(r"\s*,", context.after[value.end() :])
        return _remove(label + (comma[0] if comma else "")) or "remove this label"
    if context.before.strip() != "{":
        return "write the metric's name before the `{`"
    name, begin = unquoted(value[1]), context.before.lstrip() + label
    if not is_legacy_metric_name(name):
        return _write(f"{{{value[1]}", begin)
    comma = re.match(r"\s*,", context.after[value.end() :])
    return _write(f"{name}{{", begin + (comma[0] if comma else ""))


def move_up(context: Context) -> str | None:
    """Which line to move, and where."""
    line = (context.before + context.found + context.after).strip()
    return f"move `{shortened(line)}` above the first sample"


def is_label_name(context: Context) -> bool:
    """Whether the span is a label name, by what follows it."""
    return re.match(r"\s*=", context.after) is not None


def non_legacy(context: Context) -> str | None:
    """The name with underscores."""
    name = unquoted(context.found)
    label = is_label_name(context)
    legacy = (escape_label_name if label else escape_name)(name, EscapingScheme.UNDERSCORES)
    if not legacy.strip("_"):
        return None
    return _write(quote(legacy) if "{" in context.before and not label else legacy)


_TEXT_TYPES: Final = {
    "unknown": "untyped",
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "gauge_histogram": "histogram",
}


def unknown_escape(context: Context) -> str | None:
    """The backslash as it is escaped itself."""
    return _write("\\" + context.found)


def openmetrics_type(context: Context) -> str | None:
    """The type that the text format has in its place."""
    return _write(_TEXT_TYPES.get(context.found.lower(), "untyped"))


def reserved(context: Context) -> str | None:
    """The name without the underscores before it."""
    name = unquoted(context.found).strip("_")
    return _write(name) if is_legacy_label_name(name) else None


def timestamped(context: Context) -> str | None:
    """Off with it."""
    words = context.found.split()
    return _remove(words[-1]) if len(words) > 1 else None


def across_inputs(context: Context) -> bool:
    """Whether the two places are in different inputs."""
    return "first_input" in context.details


def across_groups(context: Context) -> bool:
    """Whether the first place is what a store holds of another group, or exposes of itself."""
    return "group" in context.details


def no_inf(context: Context) -> str | None:
    """The bucket that is missing, if the count tells its value."""
    count = re.fullmatch(
        rf"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)_count\s*(?:\{{({LABELS})?\s*,?\s*\}}|\s)\s*(\S.*)", context.found
    )
    if not count or not _shown_whole(context.found):
        return 'add a bucket `le="+Inf"` that counts all observations'
    labels = f"{count[2]}," if count[2] else ""
    line = f'{count[1]}_bucket{{{labels}le="+Inf"}} {count[3]}'
    return f"add the line `{line}`" if _shown_whole(line) else 'add a bucket `le="+Inf"` with the value of `_count`'


def quantile_range(context: Context) -> str | None:
    """The quantile of a percentile: of one digit, it would be a guess."""
    text = label_of(context.found, "quantile")
    if not re.fullmatch(r"([1-9][0-9](\.[0-9]+)?|100)", text):
        return None
    return _write(f'quantile="{float(text) / 100:.12g}"', f'quantile="{text}"')


def type_conflict(context: Context) -> str | None:
    """The first type for all."""
    family, type = context.details.get("family", ""), context.details.get("first", "")
    word = "untyped" if type == "unknown" else type
    line = f"# TYPE {family if is_legacy_metric_name(family) else quote(family)} {word}"
    if across_groups(context):
        other = "rename the family" if "own" in context.details else "delete the other group"
        return f"{other}, or push `{line}`" if _shown_whole(line) else other
    return f"declare one type everywhere, such as `{line}`" if family and type and _shown_whole(line) else None


__all__ = [
    "Context",
    "across_groups",
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
