"""The store against a dictionary: whatever is pushed, refused, deleted, expired and restarted, both hold the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from expofmt import (
    ConsistencyError,
    Delete,
    ExpositionError,
    GroupingKey,
    GroupStore,
    Journal,
    JournalError,
    ParseError,
    Post,
    Put,
    parse,
)
from expofmt.journal import SqliteJournal
from tests.journals import MemoryJournal

SECOND = 10**9
SUFFIXES = {"summary": ("_sum", "_count"), "histogram": ("_sum", "_count", "_bucket")}
OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "sum": lambda a, b: a + b,
    "min": min,
    "max": max,
    "last": lambda a, b: b,
}

# A family: its type, its help, and its values by the labels of each series.
Series = dict[tuple[tuple[str, str], ...], float]
Family = tuple[str, str, Series]


class Model:
    """What the store has to be: groups by key, searched through from end to end for each question."""

    def __init__(self) -> None:
        self.groups: dict[GroupingKey, dict[str, Any]] = {}

    def fits(self, key: GroupingKey, families: dict[str, Family], stays: bool) -> bool:
        """Whether the groups agree once this one has these families (and, if it ``stays``, what it had besides)."""
        kept = self.groups.get(key, {}).get("families", {}) if stays else {}
        after = {other: group["families"] for other, group in self.groups.items()} | {key: {**kept, **families}}
        types = {(name, family[0]) for group in after.values() for name, family in group.items()}
        names = {name for name, _ in types}
        series = [(n, labels) for group in after.values() for n, family in group.items() for labels in family[2]]
        collisions = {name + suffix for name, type in types for suffix in SUFFIXES.get(type, ())}
        return len(types) == len(names) and len(series) == len(set(series)) and not names & collisions

    def push(self, key: GroupingKey, families: dict[str, Family], now: int, stays: bool, policy: str) -> bool:
        group = self.groups.get(key, {"families": {}, "failure": 0, "push": 0})
        if not self.fits(key, families, stays):
            return False
        merged = dict(families)
        for name, (type, help, values) in families.items():
            old = group["families"].get(name)
            if old and policy != "replace":
                if old[0] != type:
                    return False
                both = {
                    labels: OPERATIONS[policy](old[2][labels], values[labels]) for labels in old[2] if labels in values
                }
                merged[name] = (type, help, {**old[2], **values, **both})
        kept = group["families"] if stays else {}
        self.groups[key] = {**group, "families": {**kept, **merged}, "push": now}
        return True

    def fail(self, key: GroupingKey, now: int, lifetime: int | None) -> None:
        group = self.groups.setdefault(key, {"families": {}, "push": 0, "lifetime": lifetime})
        group["failure"] = now

    def expire(self, now: int) -> None:
        for key, group in list(self.groups.items()):
            if group["lifetime"] is not None and (group["push"] or group["failure"]) + group["lifetime"] <= now:
                del self.groups[key]

    def scrape(self) -> dict[str, tuple[str, str | None, dict[str, float]]]:
        """Each family, with the help of the first group that has one, and its values by series."""
        found: dict[str, tuple[str, str | None, dict[str, float]]] = {}
        for key in sorted(self.groups):
            group = self.groups[key]
            for name, (type, help, series) in group["families"].items():
                _, shown, values = found.setdefault(name, (type, None, {}))
                found[name] = (type, shown or help or None, values)
                for labels, value in series.items():
                    values |= lines(name, type, dict(labels), value)
            for name, time in (("push_time_seconds", group["push"]), ("push_failure_time_seconds", group["failure"])):
                found.setdefault(name, ("gauge", None, {}))[2].update(lines(name, "gauge", identity(key), time / 1e9))
            if group["lifetime"] is not None:
                name, time = "push_expiry_time_seconds", (group["push"] or group["failure"]) + group["lifetime"]
                found.setdefault(name, ("gauge", None, {}))[2].update(lines(name, "gauge", identity(key), time / 1e9))
        return {name: family for name, family in found.items() if family[2]}


def identity(key: GroupingKey) -> dict[str, str]:
    return {"instance": "", **key}


def lines(name: str, type: str, labels: dict[str, str], value: float) -> dict[str, float]:
    """The series of a metric, and their values; a summary or histogram has the value as its sum, and nothing else."""
    if type not in SUFFIXES:
        return {series(name, labels): value}
    found = {series(f"{name}_sum", labels): value, series(f"{name}_count", labels): 0.0}
    if type == "histogram":
        found[series(f"{name}_bucket", {**labels, "le": "+Inf"})] = 0.0
    return found


def series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name} {sorted(labels.items())}"


KEYS = st.sampled_from(
    [
        GroupingKey("a"),
        GroupingKey("b"),
        GroupingKey("a", instance="i"),
        GroupingKey("a", zone="z"),
        GroupingKey("b", instance="i", zone="z"),
    ]
)
LABELS = st.sampled_from([{}, {"x": "1"}, {"x": "2"}, {"instance": "i"}, {"zone": "z"}, {"instance": "i", "x": "1"}])
FAMILIES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["m", "m", "m", "n", "m_sum", "m_count", "m_bucket"]),
    st.tuples(
        st.sampled_from(["gauge", "gauge", "gauge", "gauge", "counter", "untyped", "summary", "histogram"]),
        st.sampled_from(["", "", "Help.", "Other help."]),
        st.lists(st.tuples(LABELS, st.integers(0, 9)), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=2,
) | st.builds(dict)
LIFETIMES = st.sampled_from([None, None, 0, 10])


# Mostly without the last lines, for which a push is refused.
EXTRAS = st.sampled_from([""] * 12 + ["t 1 1\n", 't{__x="y"} 1\n', "t\n", "t 1"])
PUSHES = st.tuples(KEYS, FAMILIES, st.booleans(), LIFETIMES, EXTRAS, st.booleans())


def written(families: dict[str, Any], extra: str) -> str:
    text = ""
    # The TYPE line of a summary or histogram comes after no sample that it would take.
    for name, (type, help, metrics) in sorted(families.items(), reverse=True):
        text += f"# HELP {name} {help}\n" if help else ""
        text += f"# TYPE {name} {type}\n"
        for labels, value in metrics:
            shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
            text += f"{name}{'_sum' if type in SUFFIXES else ''}{{{shown}}} {value}\n"
    return text + extra


class StoreMachine(RuleBasedStateMachine):
    """Rules to try; ``opened`` opens the journal, anew after a restart."""

    journal: Journal
    opened: Callable[[], Journal]

    @initialize(
        lifetime=st.sampled_from([None, None, 30]), policy=st.sampled_from(["replace", "sum", "min", "max", "last"])
    )
    def begin(self, lifetime: int | None, policy: str) -> None:
        self.now = 1_500_000_000 * SECOND
        self.lifetime = lifetime
        self.policy = policy
        self.model = Model()
        self.journal = self.opened()
        self.start()

    def start(self) -> None:
        lifetime_ns = None if self.lifetime is None else self.lifetime * SECOND
        self.store = GroupStore(
            clock=lambda: self.now, journal=self.journal, policy=self.policy, lifetime_ns=lifetime_ns
        )

    # Several at a time, since they are what matters, and Hypothesis takes few steps.
    @rule(pushes=st.lists(PUSHES, min_size=2, max_size=8))
    def push(self, pushes: list[tuple[Any, ...]]) -> None:
        for push in pushes:
            self.push_one(*push)
            self.holds_the_same()

    def push_one(
        self, key: GroupingKey, families: dict[str, Any], stays: bool, lifetime: int | None, extra: str, later: bool
    ) -> None:
        lifetime_ns = None if lifetime is None else lifetime * SECOND
        request = (Post if stays else Put)(key, written(families, extra), lifetime_ns=lifetime_ns)
        error: Exception | None = None
        try:
            if later:
                self.store.submit(request).result()
            else:
                (self.store.post if stays else self.store.put)(key, request.body, lifetime_ns=lifetime_ns)
        except ExpositionError as caught:
            error = caught
        lives = (self.lifetime if lifetime is None else lifetime) or None
        lives_ns = None if lives is None else lives * SECOND
        if extra in ("t\n", "t 1") or unreadable(families):
            assert isinstance(error, ParseError | ConsistencyError)
            return
        self.model.expire(self.now)
        labelled = {
            name: (
                type,
                help,
                {tuple(sorted({"instance": "", **labels, **key}.items())): float(value) for labels, value in metrics},
            )
            for name, (type, help, metrics) in families.items()
        }
        whole = all(len(labelled[name][2]) == len(metrics) for name, (_, _, metrics) in families.items())
        if not extra and whole and self.model.push(key, labelled, self.now, stays, self.policy):
            assert error is None
            self.model.groups[key]["lifetime"] = lives_ns
        else:
            assert isinstance(error, ConsistencyError)
            self.model.fail(key, self.now, lives_ns)

    @rule(key=KEYS, later=st.booleans())
    def delete(self, key: GroupingKey, later: bool) -> None:
        self.model.expire(self.now)
        deleted = self.store.submit(Delete(key)).result() if later else self.store.delete(key)
        assert deleted is (self.model.groups.pop(key, None) is not None)

    @rule(job=st.sampled_from(["a", "b", "c"]))
    def delete_matching(self, job: str) -> None:
        self.model.expire(self.now)
        found = sorted(key for key in self.model.groups if key.job == job)
        assert self.store.delete_matching(job=job) == found
        for key in found:
            del self.model.groups[key]

    @rule()
    def wipe(self) -> None:
        self.model.expire(self.now)
        assert self.store.wipe() == len(self.model.groups)
        self.model.groups.clear()

    @rule(seconds=st.sampled_from([1, 9, 10, 31]))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.journal = self.opened()
        self.start()

    @rule()
    def scrape(self) -> None:
        """What is scraped between pushes is brought up to date, not made anew."""
        self.store.render()

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        self.model.expire(self.now)
        groups = self.store.groups
        assert list(groups) == sorted(self.model.groups)
        for key, group in groups.items():
            assert group.push_time_ns == self.model.groups[key]["push"]
            assert group.failure_time_ns == self.model.groups[key]["failure"]
            assert group.families.keys() == self.model.groups[key]["families"].keys()

    @rule()
    def shows_the_same(self) -> None:
        self.model.expire(self.now)
        found = {
            name: (
                "untyped" if family.type.value == "unknown" else family.type.value,
                None if name.startswith("push_") else family.help,
                {series(sample.name, sample.labels): sample.value for sample in family.samples},
            )
            for name, family in parse(self.store.render()).items()
        }
        assert found == self.model.scrape()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.shows_the_same()
            # Another way to the same groups ends in the same bytes.
            text = self.store.render()
            self.restart()
            assert self.store.render() == text
            self.store.close()


def unreadable(families: dict[str, Any]) -> bool:
    """Whether a reader refuses the body: two samples alike or families whose names collide in it."""
    names = {name: type for name, (type, _, _) in families.items()}
    return any(name + suffix in names for name, type in names.items() for suffix in SUFFIXES.get(type, ()))


class WithMemory(StoreMachine):
    memory: MemoryJournal

    def opened(self) -> Journal:
        if not hasattr(self, "memory"):
            self.memory = MemoryJournal()
        return self.memory

    @rule(key=KEYS)
    def fail_to_record(self, key: GroupingKey) -> None:
        """Nothing of what could not be recorded stays."""
        self.memory.failing = JournalError("disk full")
        for attempt in (
            lambda: self.store.put(key, "m 1\n"),
            lambda: self.store.post(key, "m 1 1\n"),
            lambda: self.store.delete(key) or self.store.put(key, ""),
        ):
            with pytest.raises(JournalError):
                attempt()
        self.memory.failing = None


class WithSqlite(StoreMachine):
    folder: TemporaryDirectory[str]

    def opened(self) -> Journal:
        if not hasattr(self, "folder"):
            self.folder = TemporaryDirectory()
        return SqliteJournal(Path(self.folder.name) / "journal.db")

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


def test_the_store_is_a_dictionary(engine: str) -> None:
    run_state_machine_as_test(WithMemory, settings=settings(stateful_step_count=30, max_examples=100))


def test_the_store_is_a_dictionary_on_disk(engine: str) -> None:
    """Each change is on disk before it is acknowledged, which takes its time."""
    run_state_machine_as_test(WithSqlite, settings=settings(stateful_step_count=20, max_examples=25))
