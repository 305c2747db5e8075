"""What a help says to paste mends the fault: each edit is carried out as it reads, and the outcome checked again.

Three forms of help are edits; all others are advice, and not tried:

* "write `X`": in the place of the span, with the name before it if X begins with that name; a comment is a whole line.
  "write `X` for `Y`": in the place of that Y which touches the span.
* "insert `X` before `Y`": the first Y from the span on, or else the last one before it.
* "remove `X`": the one at the span, or else the last one within it; at the end of a line, with the blanks before it.

"add the line `X`" puts it above the line of the span.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from expofmt import Code, Diagnostic, check
from expofmt.codes import Profile
from expofmt.explanations import EXPLANATIONS
from expofmt.quoting import BARE, STRING

CASES = sorted((Path(__file__).parent / "cases" / "diagnostics").glob("*/*.prom"))


def edits(text: bytes, diagnostic: Diagnostic) -> Iterator[tuple[int, int, bytes]]:
    """The edits that a help asks for, one by one: from, to, what to put there."""
    help = diagnostic.help or ""
    assert diagnostic.span is not None
    start, end = diagnostic.span
    line = text.rfind(b"\n", 0, start) + 1
    line_end = (text + b"\n").index(b"\n", start)
    if match := re.fullmatch(r"insert `(.+)` before `(.+)`", help):
        new, before = (group.encode() for group in match.groups())
        at = text.find(before, start, line_end)
        at = at if at >= 0 else text.rindex(before, line, start)
        yield at, at, new
    elif match := re.fullmatch(r"remove `(.+)`", help):
        old = match[1].encode()
        at = start if text.startswith(old, start) else text.rindex(old, start, end)
        begin = len(text[:at].rstrip(b" \t")) if at + len(old) == line_end else at
        yield begin, at + len(old), b""
    elif match := re.fullmatch(r"write `(.+)` for `(.+)`", help):
        new, old = (group.encode() for group in match.groups())
        at = text.index(old, max(line, start - len(old)), end + len(old))
        yield at, at + len(old), new
    elif match := re.fullmatch(r"add the line `(.+)`", help):
        yield line, line, match[1].encode() + b"\n"
    elif re.search(r"\bwrite (in [a-z ]+)?`", help):
        for match in re.finditer(r"\b(?:write|or) (?:in ([a-z ]+) )?`([^`]+)`(?! before)", help):
            new = match[2].encode()
            if new.startswith(b"#"):
                yield line, line_end, new
            elif match[1] == "the braces":
                yield start, text.index(b"{", end) + 1, new
            else:
                yield beginning(text[line:start], match[2]) + line, end, new


def beginning(before: bytes, new: str) -> int:
    """Where the name begins that stands before the span and at the beginning of what is to be written."""
    name = re.match(rf"({BARE}|{STRING})\s*[={{]", new)
    match = name and re.search(re.escape(name[1].encode()) + rb"\s*=?\s*\Z", before)
    return match.start() if match else len(before)


# What concerns a line as a whole is found once it can be read.
REVEALED = {Code.EXPLICIT_TIMESTAMP, Code.MISSING_METRIC_NAME}


def assert_helps_mend(text: bytes, **options: Any) -> int:
    """Carry out every edit; how many there were."""
    found = check(text, **options)
    count = 0
    for diagnostic in found:
        for start, end, new in edits(text, diagnostic):
            count += 1
            mended = text[:start] + new + text[end:]
            line = mended.rfind(b"\n", 0, start) + 1
            others = {(other.code, other.span) for other in found} - {(diagnostic.code, diagnostic.span)}
            known = {code for code, _ in others} - {diagnostic.code}
            left = [
                other
                for other in check(mended, **options)
                if other.span is not None and line <= other.span.start < max(start + len(new), line + 1)
                if other.code not in known | REVEALED and (other.code, other.span) not in others
            ]
            assert not left, (text, diagnostic.code, diagnostic.help, mended, left)
    return count


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_the_cases_say_to_paste(case: Path) -> None:
    options = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))
    del options["codes"]
    assert_helps_mend(case.read_bytes(), **options)


@pytest.mark.parametrize("code", [code for code in Code if len(EXPLANATIONS[code].wrong) == 1])
@pytest.mark.parametrize("profile", Profile)
def test_what_the_explanations_say_to_paste(code: Code, profile: Profile) -> None:
    [wrong] = EXPLANATIONS[code].wrong
    assert_helps_mend(wrong.encode("utf-8", "surrogateescape"), profile=profile)


RIGHT = [
    'a{b="c",d="e"} 1 2',
    '{"a.b",c="d"} 12',
    'a {b = "c d",} -1.5',
    'a{b="x\\"y",le="+Inf"} NaN',
    "# TYPE a gauge",
    '# TYPE "a.b" counter',
    "# HELP a b c",
    "up 1000 5",
]
STRAY = [
    "=",
    ":",
    ",",
    '"',
    "'",
    "{",
    "}",
    "(",
    ")",
    "]",
    ";",
    "-",
    "_",
    ".",
    " ",
    "#",
    "\\",
    "1",
    "x",
    "é",
    "“",
    "%",
    "~",
]


def mutations(line: str) -> Iterator[str]:
    """The line with a character too few, too many or wrong, or with two neighbours swapped."""
    for at in range(len(line) + 1):
        yield line[:at] + line[at + 1 :]
        yield line[:at] + line[at + 1 : at + 2] + line[at : at + 1] + line[at + 2 :]
        for stray in STRAY:
            yield line[:at] + stray + line[at:]
            yield line[:at] + stray + line[at + 1 :]


@pytest.mark.parametrize("line", RIGHT)
def test_what_small_slips_are_told_to_paste(line: str) -> None:
    assert sum(assert_helps_mend(f"{slip}\n".encode()) for slip in mutations(line)) > 50


# What people write who know another notation, or guess; what helps, or None where there is nothing sure to say.
A_LINE = 'a line is a sample, `name{label="value"} 1`, or begins with `#`'
UNIT = "values have no unit: put it in the name"
BRACES = 'labels stand in braces: `name{label="value"} 1`'
NOTATIONS = [
    ("a = 1", "remove `=`"),
    ("a =1", "write `1`"),
    ("a=1", "write `a 1`"),
    ('a{b="x"y"} 1', 'a quote within the text is written `\\"`'),
    ('a{b="c"]} 1', "remove `]`"),
    ('a{b="c") 1', "write `}` for `)`"),
    ('a{b="c";d="e"} 1', "write `,` for `;`"),
    ('a{b="c" d} 1', None),
    ('{"json": 1}', A_LINE),
    ("{json: 1}", A_LINE),
    ('"json": 1', A_LINE),
    ("# TYPE gauge a", "write `# TYPE a gauge`"),
    ("# TYPE gauge", "write `# TYPE name gauge`, with the metric's name"),
    ("# TYPE a foo bar", None),
    ("# TYPE a int", None),
    ("# TYPE a guage", "write `gauge`"),
    ("TYPE a gauge", "insert `#` before `TYPE`"),
    ("HELP a b c", "insert `#` before `HELP`"),
    ("a{b==“c”} 1", 'write `b="c"`'),
    ('a{b=="c d"} 1', "remove `=`"),
    ("a{b='it''s'} 1", None),
    ("a{b='c d'} 1", "write `\"c d\"` for `'c d'`"),
    ("a{b=c d} 1", None),
    ("a{b=} 1", 'insert `""` before `}`'),
    ('a{a b="c"} 1', None),
    ('a{b,"c"} 1', None),
    ('a{b}="c"} 1', None),
    ('a{b=,"c"} 1', None),
    ('a{b:"c"} 1', "write `=` for `:`"),
    ('a{"b": "c"} 1', "write `=` for `:`"),
    ('a{b!="c"} 1', None),
    ("x 12kB", UNIT),
    ("x 3s", UNIT),
    ("x 5%", UNIT),
    ("x 1e", None),
    ("x --5", None),
    ("x ,5", None),
    ("x 5, 1", "write `5`"),
    ("x 1 000 5", "a sample holds one value, and at most one timestamp"),
    ("x 0xffffffffffffffff", None),
    ("a b 1", "names hold no blanks, and " + BRACES),
    ('a(b="c") 1', 'write `a{b="c"}`'),
    ("a[b=c] 1", BRACES),
    ('a{__name__="b",c="d"} 1', 'remove `__name__="b",`'),
    ('{__name__="b",c="d"} 1', 'write `b{` for `{__name__="b",`'),
    ('{c="d",__name__="b"} 1', "write the metric's name before the `{`"),
]


@pytest.mark.parametrize(("line", "help"), NOTATIONS, ids=[line for line, _ in NOTATIONS])
def test_other_notations(line: str, help: str | None) -> None:
    assert check(line + "\n")[0].help == help
    assert_helps_mend(f"{line}\n".encode())


@pytest.mark.parametrize(("bound", "help"), [("2", None), ("1.5", None), ("95", "0.95"), ("99.9", "0.999")])
def test_only_what_looks_like_a_percentile_is_one(bound: str, help: str | None) -> None:
    text = f'# TYPE s summary\ns{{quantile="{bound}"}} 1\ns_sum 1\ns_count 1\n'
    [diagnostic] = check(text)
    assert diagnostic.help == (help and f'write `quantile="{help}"` for `quantile="{bound}"`')
    assert_helps_mend(text.encode())
