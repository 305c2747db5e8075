"""The grammar as a stranger takes it: found, loaded by Lark alone, and the same language at both of its levels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from expofmt import Code
from expofmt.engine.grammar import Group, text_grammar
from expofmt.strategies import exposition_text, invalid_expositions

GRAMMAR = Path(__file__).parents[1] / "grammar"
CASES = Path(__file__).parent / "cases" / "text"
SCRAPES = sorted((Path(__file__).parent / "data").glob("*.prom"))

COARSE_RULES = ("sample_line", "named_sample_line", "help_line", "type_line", "comment_line")

GOOD_LINES = (
    'a{b="c",d="\\n"} 1.5e3 -2',
    '{"a.b",c="d",} +Inf',
    '{c="d","a.b" } NaN 5',
    '\ta {"b" = "c" , } .5',
    "# HELP a b c",
    '#HELP "a" x\\n',
    "# TYPE a gauge ",
    "# free text",
)
# What means something in one place or another of a line, and characters that only look as if.
TELLING = ' \t\r"\\{},=#_:.+-019aeEnNT\x00\x0bé\u00a0ſ１'


@cache
def stranger(*start: str) -> Lark:
    return Lark.open(str(GRAMMAR / "text.lark"), parser="lalr", start=list(start) or "start")


def accepts(grammar: Lark, text: str, start: str) -> bool:
    try:
        grammar.parse(text, start=start)
    except UnexpectedInput:
        return False
    return True


def fine(line: str) -> bool:
    return accepts(stranger("start", "line"), line, "start")


def coarse(line: str) -> bool:
    match = text_grammar().line.fullmatch(line)
    return match is not None and match.lastindex != Group.REFUSED


def lines_of(data: bytes) -> list[str]:
    return data.decode("latin-1").split("\n")


def leaves(tree: object) -> Iterator[tuple[str, str]]:
    """Rules and tokens from left to right; a token with its text as bytes, as latin-1."""
    if isinstance(tree, Tree):
        yield str(tree.data), ""
        for child in tree.children:
            yield from leaves(child)
    elif isinstance(tree, Token):
        yield str(tree.type), str(tree)


# -------------------------------------------------------------------------------------------------------- a stranger


def test_there_are_scrapes() -> None:
    assert SCRAPES


@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda path: path.stem)
def test_lark_alone_parses_a_scrape_from_text_and_from_bytes(scrape: Path) -> None:
    data = scrape.read_bytes()
    from_bytes = list(leaves(stranger().parse(data.decode("latin-1"))))
    from_text = [(kind, text.encode().decode("latin-1")) for kind, text in leaves(stranger().parse(data.decode()))]
    assert from_bytes == from_text
    # Every sample line, and no other, is a sample.
    count = sum(line[:1] not in ("", "#") for line in lines_of(data))
    assert sum(kind == "sample" for kind, _ in from_bytes) == count


def test_the_example_of_the_readme() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (GRAMMAR / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Tree[Token]] = {}
    exec(code.replace('"grammar/text.lark"', repr(str(GRAMMAR / "text.lark"))), {}, names)
    assert [child.data for child in names["tree"].children if isinstance(child, Tree)] == ["type", "sample"]


@pytest.mark.parametrize("name", ["text.lark", "names.lark", "README.md"])
def test_the_package_holds_the_same_files(name: str) -> None:
    installed = resources.files("expofmt.grammar").joinpath(name)
    assert installed.read_bytes() == (GRAMMAR / name).read_bytes()


@given(st.text(st.sampled_from('# TYPHELPaguecountrſKİıµ１٣é\u00a0\u2028\x85\x0b\x00"{}=, \t\r\n'), max_size=30))
@example("# TYPE a ſummary")
@example("# TYPE a hıstogram")
@example("# HELP a \rx")
@example("a １")
@example("a\u00a01")
@example('a{b="\u2028"} 1')
def test_text_and_latin_1_are_the_same_language(text: str) -> None:
    assert fine(text) == fine(text.encode().decode("latin-1"))


# -------------------------------------------------------------------------------------------------------- two levels


@pytest.mark.parametrize("path", [*SCRAPES, CASES], ids=lambda path: path.stem)
def test_both_levels_accept_the_same_lines_of_files(path: Path) -> None:
    files = [path] if path.is_file() else sorted(path.rglob("*.prom"))
    assert files
    for line in sorted({line for file in files for line in lines_of(file.read_bytes())}):
        assert fine(line) == coarse(line), line


@pytest.mark.parametrize("good", GOOD_LINES)
def test_both_levels_accept_the_same_lines_a_character_off(good: str) -> None:
    assert fine(good)
    assert coarse(good)
    shortened = {good[:at] + good[at + 1 :] for at in range(len(good))}
    grown = {good[:at] + character + good[at:] for at in range(len(good) + 1) for character in TELLING}
    replaced = {good[:at] + character + good[at + 1 :] for at in range(len(good)) for character in TELLING}
    for line in sorted(shortened | grown | replaced):
        text = line.encode().decode("latin-1")
        assert fine(text) == coarse(text), line


FRAGMENTS = """
a b:c _ le 1 -0.5e-3 nan +inf 1e 123 -1 { } , = " "" "x" "\\"" b="c" "b.c"="d" {"a.b" =" \\ \\n # #TYPE HELP TYPE
gauge HISTOGRAM gauge_histogram untyped untypedx é \x00
"""
fragments = st.sampled_from([*FRAGMENTS.split(), " ", "\t", "\r", "\x85", "# HELP ", " TYPE "])


@given(st.lists(fragments, max_size=12).map("".join))
@settings(max_examples=300)
def test_both_levels_accept_the_same_lines_made_of_fragments(line: str) -> None:
    text = line.encode().decode("latin-1")
    assert fine(text) == coarse(text)


@given(from_lark(Lark.open(str(GRAMMAR / "text.lark"), parser="lalr", start="line"), start="line"))
@settings(max_examples=50)
def test_both_levels_accept_the_same_lines_that_the_grammar_generates(line: str) -> None:
    # Most are in the language; some are not, as tokens that touch may be read as one.
    text = line.encode().decode("latin-1")
    assert fine(text) == coarse(text)


@given(exposition_text())
@settings(max_examples=50)
def test_both_levels_accept_valid_text(data: bytes) -> None:
    assert all(fine(line) and coarse(line) for line in lines_of(data))


@given(invalid_expositions())
@settings(max_examples=100)
def test_both_levels_agree_on_invalid_text(made: tuple[bytes, object]) -> None:
    data, _ = made
    assert [fine(line) for line in lines_of(data)] == [coarse(line) for line in lines_of(data)]


@given(st.lists(fragments, max_size=8).map("".join))
@example("a{} 1")
@example('{"a"} 1')
@example("# TYPE a gauge")
@example("#")
def test_the_coarse_rules_are_rules_of_the_grammar(line: str) -> None:
    # What the engine compiles them to is what Lark makes of them.
    text = line.encode().decode("latin-1")
    rules = [rule for rule in COARSE_RULES if accepts(stranger(*COARSE_RULES), text, rule)]
    assert bool(rules) == (coarse(text) and text.strip(" \t") != "")
    assert len(rules) < 2


# --------------------------------------------------------------------------------------------------------- the tables


def table(heading: str) -> list[list[str]]:
    """The rows below a heading of the README, without the table's own heading."""
    text = (GRAMMAR / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def sources() -> set[str]:
    """What the cases cite."""
    return {json.loads(path.read_text(encoding="utf-8"))["source"] for path in CASES.rglob("*.json")}


def test_each_rule_and_terminal_is_in_the_table_once() -> None:
    defined = [
        name
        for path in GRAMMAR.glob("*.lark")
        for name in re.findall(r"^\??(\w+)(?:\.[0-9]+)?:", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(row[0].strip("`") for row in table("Rules and terminals")) == sorted(defined)


def test_each_case_in_the_table_exists() -> None:
    for rule, _, cases in table("Rules and terminals"):
        named = re.findall(r"`([^`]+)`", cases)
        assert named, rule
        for name in named:
            assert (CASES / f"{name}.prom").is_file(), name


def test_each_clause_is_listed_and_each_listed_clause_is_cited() -> None:
    listed = {row[0] for row in table("Clauses")}
    assert {row[1] for row in table("Rules and terminals")} <= listed
    assert {source for source in sources() if not re.fullmatch(r"D[0-9]+", source)} == listed


def test_each_decision_that_a_case_cites_is_listed() -> None:
    numbers = [row[0] for row in table("Where readers disagree, and what expofmt does")]
    assert numbers == sorted(set(numbers), key=lambda number: int(number[1:]))
    assert {source for source in sources() if re.fullmatch(r"D[0-9]+", source)} <= set(numbers)


def test_each_code_that_a_decision_names_is_what_its_cases_report() -> None:
    reported: dict[str, set[str]] = {}
    for path in CASES.rglob("*.json"):
        case = json.loads(path.read_text(encoding="utf-8"))
        reported.setdefault(case["source"], set()).update(code for code, *_ in case["check"])
    for number, _, _, check in table("Where readers disagree, and what expofmt does"):
        codes = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", check)) - {"trailing-blank"}
        assert codes <= set(Code), number
        if codes and number in reported:
            assert codes & reported[number], number
