"""The grammar file, compiled twice: to one pattern for whole lines, and to a parser that explains a bad one."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..codes import Code
from .seam import Fault

if TYPE_CHECKING:
    from lark import Lark

__all__ = ["Grammar", "Group", "text_grammar"]

_BLANK: Final = "[ \t]*+"
_COARSE_RULES: Final = ("sample_line", "named_sample_line", "help_line", "type_line", "comment_line")
# The groups of the rule begun_sample that hold labels.
_BEGUN_LABELS: Final = (3, 5)


class Group:
    """The numbers of the line pattern's groups: the parts of the coarse rules in turn, then a line that fits none.

    >>> Group.NAME, Group.REFUSED
    (1, 15)
    """

    NAME, LABELS, VALUE, TIME = 1, 2, 3, 4
    NAMED_LABELS, NAMED_VALUE, NAMED_TIME = 5, 6, 7
    HELP, HELP_NAME, DOCSTRING = 8, 9, 10
    TYPE, TYPE_NAME, TYPE_WORD = 11, 12, 13
    COMMENT = 14
    REFUSED = 15


class _Token(NamedTuple):
    kind: str
    start: int
    end: int


class Grammar(NamedTuple):
    """What the engine needs of a grammar file.

    ``line`` matches any line with its line feed, in the groups of :class:`Group`. ``label_names`` finds the names in a
    label set; ``item`` finds each label of a sample, or its quoted name.

    >>> text_grammar().line.match("a 1\\n").lastindex == Group.VALUE
    True
    """

    lark: Lark
    line: re.Pattern[str]
    label_names: re.Pattern[str]
    item: re.Pattern[str]
    string: re.Pattern[str]
    metric_name: re.Pattern[str]
    begun_sample: re.Pattern[str]

    def explain(self, text: str, start: int, end: int) -> Fault:
        """The fault of a line that ``line`` refuses: the first token that has no place in it.

        >>> fault = text_grammar().explain("a{b=1} 2", 0, 8)
        >>> str(fault.code), fault.start, fault.end
        ('unquoted-label-value', 4, 5)
        """
        tokens, stop, expected = self._run(text, start, end)
        at = _run_end(_BLANKS, text, stop, end)
        found = text[at] if at < end else ""

        if "METRIC_NAME" in expected:
            if found == '"' and (string := self.string.match(text, at, end)):
                return Fault(Code.QUOTED_NAME_OUTSIDE_BRACES, *string.span())
            return self._string_or(Code.INVALID_METRIC_NAME, _NAME_RUN, text, at, end)
        if "METADATA_NAME" in expected:
            if not found:
                return Fault(Code.INCOMPLETE_TYPE, tokens[0].start, stop)
            return self._string_or(Code.INVALID_METRIC_NAME, _WORD, text, at, end)
        if "TYPE_WORD" in expected:
            if not found:
                return Fault(Code.INCOMPLETE_TYPE, tokens[0].start, stop)
            return Fault(Code.UNKNOWN_TYPE, at, _trimmed(text, at, end))
        if "VALUE" in expected:
            if not found:
                return Fault(Code.MISSING_VALUE, stop, stop)
            return Fault(Code.INVALID_VALUE, at, _run_end(_WORD, text, at, end))
        if "TIMESTAMP" in expected and found != "#":
            return Fault(Code.INVALID_TIMESTAMP, at, _run_end(_WORD, text, at, end))
        if "$END" in expected:
            return Fault(Code.TRAILING_TEXT, at, _trimmed(text, at, end))
        return self._explain_labels(text, tokens, expected, at if found else stop, end, found)

    def _explain_labels(
        self,
        text: str,
        tokens: list[_Token],
        expected: frozenset[str],
        at: int,
        end: int,
        found: str,
    ) -> Fault:
        """The fault of a line that goes wrong inside the braces."""
        if found == "}" and expected in (_LABEL_OR_NAME, _MORE_WITHOUT_NAME):
            [brace] = [token.start for token in tokens if token.kind == "LBRACE"]
            for item in self.item.finditer(text, brace, at):
                if item[1] == "__name__":
                    return Fault(Code.METRIC_NAME_LABEL, *item.span(1))
            return Fault(Code.MISSING_METRIC_NAME, brace, at + 1)
        if "LABEL_NAME" in expected:
            if not found:
                return Fault(Code.UNCLOSED_LABELS, at, at)
            return self._string_or(Code.INVALID_LABEL_NAME, _LABEL_NAME_RUN, text, at, end)
        if "EQUAL" in expected and found and found in ",}":
            name, last = _metric_name(tokens), tokens[-1]
            if last.kind == "STRING":
                return Fault(Code.SECOND_METRIC_NAME, last.start, last.end, *(name or ()))
            if name is None:
                return Fault(Code.UNQUOTED_NAME_IN_BRACES, last.start, last.end)
        if expected == {"EQUAL"}:
            return Fault(Code.MISSING_EQUALS, at, _character_end(text, at, end))
        if expected == {"STRING"}:
            if not found:
                return Fault(Code.UNQUOTED_LABEL_VALUE, at, at)
            return self._string_or(Code.UNQUOTED_LABEL_VALUE, _LABEL_VALUE_RUN, text, at, end)
        code = Code.MISSING_COMMA if _LABEL_BEGIN.match(text, at, end) else Code.UNCLOSED_LABELS
        return Fault(code, at, _character_end(text, at, end))

    def _string_or(self, code: Code, run: re.Pattern[str], text: str, at: int, end: int) -> Fault:
        """The fault of a token that might have been a quoted string, had it an end."""
        if text[at] == '"' and not self.string.match(text, at, end):
            return Fault(Code.UNTERMINATED_STRING, at, end)
        return Fault(code, at, max(_run_end(run, text, at, end), _character_end(text, at, end)))

    def _run(self, text: str, start: int, end: int) -> tuple[list[_Token], int, frozenset[str]]:
        """The tokens up to the fault, where the last of them ends, and the terminals that could follow."""
        from lark.exceptions import UnexpectedInput

        # Labels in good order leave the parser where it was before them. So it is given the line without them, and one
        # with a million of them need not be parsed label by label.
        head = self.begun_sample.match(text, start, end)
        cuts = [head.span(group) for group in _BEGUN_LABELS if head[group]] if head else []
        borders = [start, *chain(*cuts), end]
        pieces = zip(borders[::2], borders[1::2], strict=True)
        parser = self.lark.parse_interactive("".join(text[first:last] for first, last in pieces), start="line")
        tokens = []
        try:
            for token in parser.iter_parse():
                first, last = cast(int, token.start_pos), cast(int, token.end_pos)
                # No token spans a cut: what stands before it ends with a brace or a comma.
                at = start + first
                for cut, resume in cuts:
                    at += resume - cut if at >= cut else 0
                tokens.append(_Token(token.type, at, at + last - first))
        except UnexpectedInput:
            # The fault is where the parser stands, and needs no words of Lark's.
            pass
        stop = tokens[-1].end if tokens else start
        for cut, resume in cuts:
            if _run_end(_BLANKS, text, stop, end) == cut:
                stop = _trimmed(text, cut, resume)
        return tokens, stop, frozenset(parser.accepts())  # type: ignore[no-untyped-call]


# What may follow the brace, or a comma, and what a label, while the sample has no name.
_LABEL_OR_NAME: Final = frozenset(("LABEL_NAME", "STRING"))
_MORE_WITHOUT_NAME: Final = frozenset(("COMMA",))

_BLANKS: Final = re.compile(_BLANK)
_WORD: Final = re.compile(r"[^ \t]*+")
_NAME_RUN: Final = re.compile(r"[^ \t{]*+")
_LABEL_NAME_RUN: Final = re.compile(r'[^ \t=,}"]*+')
_LABEL_BEGIN: Final = re.compile(r'"|[a-zA-Z_][a-zA-Z0-9_]*+[ \t]*+=')
_LABEL_VALUE_RUN: Final = re.compile(r"[^ \t,}]*+")
_CHARACTER: Final = re.compile(r"[\xc0-\xf7][\x80-\xbf]{1,3}|[^\n]?", re.DOTALL)


def _run_end(pattern: re.Pattern[str], text: str, at: int, end: int) -> int:
    match = pattern.match(text, at, end)
    return match.end() if match else at


def _character_end(text: str, at: int, end: int) -> int:
    return _run_end(_CHARACTER, text, at, end)


def _trimmed(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip(" \t"))


def _metric_name(tokens: list[_Token]) -> tuple[int, int] | None:
    """Where the sample's name stands: before the braces, or in quotes within them and without a value."""
    if tokens[0].kind == "METRIC_NAME":
        return tokens[0].start, tokens[0].end
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.kind in ("LBRACE", "COMMA") and token.kind == "STRING" and after.kind == "COMMA":
            return token.start, token.end
    return None


@cache
def text_grammar() -> Grammar:
    """The text format's grammar, loaded on first use: importing expofmt stays cheap for those who only render.

    >>> text_grammar() is text_grammar()
    True
    """
    from lark import Lark

    if find_spec("expofmt.grammar") is None:
        raise ImportError(
            "expofmt.grammar is not there: the folder expofmt of a checkout hides the installed package. "
            "Leave the checkout, or install it with `pip install -e .`"
        )
    lark = Lark.open_from_package(
        "expofmt.grammar",
        "text.lark",
        parser="lalr",
        start=["line", "begun_sample", *_COARSE_RULES],
        maybe_placeholders=False,
    )
    lines = "|".join(_rule_pattern(lark, rule) for rule in _COARSE_RULES)
    label_name, string, metric_name = (_terminal(lark, name) for name in ("LABEL_NAME", "STRING", "METRIC_NAME"))
    name = f"({label_name}|{string})"
    return Grammar(
        lark,
        line=re.compile(rf"{_BLANK}(?:{lines}|){_BLANK}(?:\n|\Z)|([^\n]++)(?:\n|\Z)"),
        label_names=re.compile(rf"{name}{_BLANK}={_BLANK}{string}"),
        item=re.compile(rf"{name}{_BLANK}(?:={_BLANK}({string}))?"),
        string=re.compile(string),
        metric_name=re.compile(rf"{_BLANK}({metric_name})"),
        begun_sample=re.compile(_rule_pattern(lark, "begun_sample")),
    )


def _terminal(lark: Lark, name: str) -> str:
    return f"(?:{lark.get_terminal(name).pattern.to_regexp()})"


def _rule_pattern(lark: Lark, rule: str) -> str:
    """A rule that is a sequence of terminals, some of them optional, as a pattern with a group for each."""
    expansions = [[symbol.name for symbol in r.expansion] for r in lark.rules if r.origin.name == rule]
    pattern = ""
    for name in max(expansions, key=len):
        part = f"{_BLANK}({_terminal(lark, name)})"
        pattern += part if all(name in expansion for expansion in expansions) else f"(?:{part})?"
    return pattern
