"""The texts of refusals against those of Prometheus Pushgateway: Debian's package, and the newest release.

Not compared are the dumps of metrics, which the original writes with blanks at random; in which order contradictions
are listed; and which of two families that collide, or differ in type, is told as the one that came later. What else
differs, and why, is in `differs`.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expofmt import Code, ExpositionError, GroupingKey, GroupStore
from expofmt.gateway.verdicts import refusal
from expofmt.strategies import invalid_expositions
from tests.peers.test_pushgateway import DELIBERATE, Pushgateway

pytestmark = pytest.mark.usefixtures("engine")

CASES = Path(__file__).parents[1] / "cases"
TEXTS = sorted((CASES / "gateway" / "texts").glob("*.prom"))
BODIES = [body for path in sorted(CASES.rglob("*.prom")) if len(body := path.read_bytes()) < 2000]

PUSH, OTHER = GroupingKey("batch"), GroupingKey("batch", instance="i")

many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def theirs(pushgateway: Pushgateway, body: bytes, other: bytes | None) -> str | None:
    """The text of the refusal; empty for none, ``None`` where the connection is lost."""
    pushgateway.wipe()
    if other is not None:
        assert pushgateway.ask("PUT", OTHER.to_path(), other)[0] == 200
    try:
        status, answer = pushgateway.ask("PUT", PUSH.to_path(), body)
    except ConnectionError:
        return None
    assert status in (200, 400), answer
    return answer.decode().removesuffix("\n")


def ours(body: bytes, other: bytes | None) -> tuple[str, set[Code]]:
    store = GroupStore()
    if other is not None:
        store.put(OTHER, other)
    try:
        store.put(PUSH, body)
    except ExpositionError as error:
        return refusal(error, body).text, {each.code for each in error.diagnostics if each.severity == "error"}
    return "", set()


STRING = r'"(?:[^"\\]|\\.)*"'


def comparable(text: str) -> frozenset[str]:
    """The contradictions that a text lists; the text itself, if the parser wrote it."""
    text, _, contradictions = text.partition("existing metrics: ")
    if not contradictions:
        return frozenset([text])
    contradictions = re.sub(rf"(collected metric {STRING} )\{{.*?\}} (?=is not|has a|was)", r"\1", contradictions)
    # The type of the group that comes first there, in no order, is the one that the other should have had.
    contradictions = re.sub(r"is not a [A-Z]+", "is of another type", contradictions)
    listed = re.sub(r"\A\d+ error\(s\) occurred:\n\* ", "", contradictions).split("\n* ")
    return frozenset(
        "collision of " + " ".join(sorted(re.findall(STRING, each))) if "collides with" in each else each
        for each in listed
    )


# A sample without a name is one of the metric before to the newest release.
NAMELESS = re.compile(rb"^[ \t]*\{", re.MULTILINE)
# A string, where Debian's release knows none, once the values of labels are taken away.
VALUE = re.compile(rb'=[ \t]*"(?:[^"\\\n]|\\.)*"')


def differs(pushgateway: Pushgateway, body: bytes, text: str, codes: set[Code]) -> str | None:
    """Why the texts need not be the same, if so."""
    if NAMELESS.search(body):
        return "a line that begins with its labels is of the metric before, or says so"
    if not pushgateway.is_newest:
        if b'"' in VALUE.sub(b"", body):
            return "it has no quoted names"
        if "negative" in text or Code.OPENMETRICS_TYPE in codes or b"__name__" in body:
            return "counts may be negative, gauge histograms are unknown, and __name__ is refused sooner"
    if text.startswith("PUT ") and codes & DELIBERATE.keys():
        return "what it takes comes first"
    if Code.UNKNOWN_TYPE in codes and b"\\" in body:
        return "backslashes in a type are lost there"
    if Code.TYPE_AFTER_SAMPLES in codes:
        return "the bounds of a family whose type comes late are not looked at"
    return None


def compare(pushgateway: Pushgateway, body: bytes, other: bytes | None = None) -> None:
    expected = theirs(pushgateway, body, other)
    text, codes = ours(body, other)
    if expected and text and comparable(text) != comparable(expected):
        assert differs(pushgateway, body, text, codes), (text, expected)


@pytest.mark.parametrize("case", TEXTS, ids=[case.stem for case in TEXTS])
def test_cases(pushgateway: Pushgateway, case: Path) -> None:
    """The newest release says the same of all but these, which it takes or loses the connection for."""
    other = case.with_suffix(".other")
    given = other.read_bytes() if other.exists() else None
    body = case.read_bytes()
    expected = theirs(pushgateway, body, given)
    text, _ = ours(body, given)
    if pushgateway.is_newest and not case.stem.startswith(("metric-name-missing-after", "metric-name-empty-braces")):
        assert expected is not None
        assert comparable(text) == comparable(expected)
    else:
        compare(pushgateway, body, given)


@pytest.mark.parametrize("body", BODIES)
def test_bodies(pushgateway: Pushgateway, body: bytes) -> None:
    compare(pushgateway, body)


@many
@given(pair=invalid_expositions(names="legacy"))
def test_invalid_bodies(pushgateway: Pushgateway, pair: tuple[bytes, Code]) -> None:
    compare(pushgateway, pair[0])


PIECES = rb'" { } , = \ # x 1 - _ : le le=" _bucket _sum _count __name__ histogram {" e TYPE HELP'.split()
PIECES += [b" ", b"\t", b"\n", b"\xff", "é".encode(), b"\r", b" 5", b"# HELP ", b"# TYPE "]


def mutated(body: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.choice([1, 1, 2, 3])):
        at = dice.randrange(len(body) + 1)
        match dice.randrange(5):
            case 0:
                body = body[:at] + body[at + dice.choice([1, 1, 3]) :]
            case 1 | 2:
                body = body[:at] + dice.choice(PIECES) + body[at:]
            case 3:
                body = body[:at] + dice.choice(PIECES) + body[at + 1 :]
            case _:
                body = body[:at]
    return body


@many
@given(body=st.sampled_from(BODIES), dice=st.randoms(use_true_random=False))
def test_mutated_bodies(pushgateway: Pushgateway, body: bytes, dice: random.Random) -> None:
    compare(pushgateway, mutated(body, dice))
