"""Every story under tests/cases/store: requests to a store, one after the other, and the scrapes that come of them.

A story begins with comments that say what it is about and where it comes from. Then come ``option: value`` lines,
``policy``, ``lifetime`` (seconds), ``names``, ``limits`` (``groups=1 series=2``) and ``own`` (indented below it, what
the process exposes of itself); then steps:

* ``AT 1500000000``: the clock shows these seconds; it stands still until the next such line.
* ``PUT /metrics/job/batch`` or ``POST ...``, perhaps ``lifetime=60``, and indented below it the body. Accepted, unless
  ``-> refused CODE ...`` follows; ``-> warned CODE ...`` lists its warnings. ``CODE@2:14`` says where in the body.
* ``DELETE /metrics/job/batch``, ``WIPE``, ``DELETE MATCHING instance=db.*``; with ``-> 1``, how many groups that were.
* ``GET``, or ``GET name name``: what is scraped is what stands indented below it. The times of the groups are shown
  only where they are asked for by name.
* ``RESTART``: another store reads the journal.

A body and a scrape are indented by two blanks; a line that ends in ``\\`` (as the body of a push with no line feed at
its end does) has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from expofmt import Diagnostic, ExpositionError, GroupingKey, GroupStore, Limits, parse
from tests.journals import MemoryJournal

FOLDER = Path(__file__).parent / "cases" / "store"
STORIES = sorted(FOLDER.glob("*.story"))
TIMES = {"push_time_seconds", "push_failure_time_seconds", "push_expiry_time_seconds"}


class Step:
    """A line, what stands indented below it, and the ``->`` line after that."""

    def __init__(self, number: int, line: str) -> None:
        self.number = number
        self.words = line.split()
        self.text = ""
        self.outcome: list[str] = []


def steps_of(story: str) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(story.splitlines(), 1):
        if line.startswith("  "):
            assert step is not None, f"line {number} is indented below nothing"
            step.text += line[2:].removesuffix("\\") + ("" if line.endswith("\\") else "\n")
        elif line.startswith("-> "):
            assert step is not None, f"line {number} is the outcome of nothing"
            step.outcome = line.split()[1:]
        elif line and not line.startswith("#"):
            if step is not None:
                yield step
            step = Step(number, line)
    if step is not None:
        yield step


class Teller:
    """Does what a story says, and checks what comes of it."""

    def __init__(self) -> None:
        self.now = 1_500_000_000
        self.journal = MemoryJournal()
        self.options: dict[str, Any] = {}
        self.store: GroupStore | None = None

    def tell(self, step: Step) -> None:
        word, *rest = step.words
        if word.endswith(":"):
            assert self.store is None, "options come before the steps"
            self.set_option(word[:-1], " ".join(rest), step.text)
            return
        if self.store is None:
            self.restart()
        assert self.store is not None
        match word, rest:
            case "AT", [seconds]:
                self.now = int(seconds)
            case "PUT" | "POST", [path, *options]:
                assert outcome(self.push(word, path, options, step.text), step.outcome) == step.outcome
            case "DELETE", ["MATCHING", *labels]:
                wishes = dict(label.split("=", 1) for label in labels)
                found = self.store.delete_matching(**{name: re.compile(wish) for name, wish in wishes.items()})
                assert [str(len(found))] == step.outcome
            case "DELETE", [path]:
                assert [str(int(self.store.delete(key_of(path))))] == step.outcome
            case "WIPE", []:
                assert [str(self.store.wipe())] == step.outcome
            case "GET", names:
                shown = names or [name for name in self.store.collect() if name not in TIMES]
                assert self.store.render(names=shown).decode() == step.text
            case "RESTART", []:
                self.restart()
            case _:
                raise AssertionError(f"no such step: {' '.join(step.words)}")

    def set_option(self, name: str, value: str, text: str) -> None:
        match name:
            case "lifetime":
                self.options["lifetime_ns"] = int(value) * 10**9
            case "limits":
                self.options["limits"] = Limits(**{k: int(v) for k, v in (item.split("=") for item in value.split())})
            case "policy" | "names":
                self.options[name] = value
            case "own":
                own = list(parse(text).values())
                self.options["own"] = lambda: own
            case _:
                raise AssertionError(f"no such option: {name}")

    def restart(self) -> None:
        if self.store is not None:
            self.store.close()
        self.store = GroupStore(clock=lambda: self.now * 10**9, journal=self.journal, **self.options)

    def push(self, word: str, path: str, options: list[str], body: str) -> tuple[str, list[Diagnostic]]:
        assert self.store is not None
        push = self.store.put if word == "PUT" else self.store.post
        seconds = dict(option.split("=") for option in options).get("lifetime")
        lifetime_ns = None if seconds is None else int(seconds) * 10**9
        try:
            return "warned", list(push(key_of(path), body, lifetime_ns=lifetime_ns).warnings)
        except ExpositionError as error:
            return "refused", list(error.diagnostics)


def key_of(path: str) -> GroupingKey:
    _, metrics, job, *parts = path.split("/")
    assert (metrics, job) == ("metrics", "job")
    return GroupingKey(parts[0], dict(zip(parts[1::2], parts[2::2], strict=True)))


def outcome(result: tuple[str, list[Diagnostic]], expected: list[str]) -> list[str]:
    """As it is written in a story: with the places that are given there."""
    verdict, found = result
    if verdict == "warned" and not found:
        return []
    words = [verdict]
    for number, diagnostic in enumerate(found, 1):
        word = str(diagnostic.code)
        if "@" in "".join(expected[number : number + 1]):
            word += f"@{diagnostic.place.line}:{diagnostic.place.column}"
        words.append(word)
    return words


def test_there_are_stories_and_each_says_where_it_comes_from() -> None:
    assert len(STORIES) >= 25
    for path in STORIES:
        lines = path.read_text(encoding="utf-8").splitlines()
        heading = "\n".join(line for line in lines if line.startswith("#"))
        assert re.search(r"^# From: \S", heading, re.MULTILINE), path.name


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path, engine: str) -> None:
    teller = Teller()
    for step in steps_of(path.read_text(encoding="utf-8")):
        try:
            teller.tell(step)
        except AssertionError as error:
            error.add_note(f"{path.name}, line {step.number}: {' '.join(step.words)}")
            raise
    assert teller.store is not None
    teller.store.close()
