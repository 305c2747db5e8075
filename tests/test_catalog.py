"""What a store's indexes and its page do not do: look at more than a push is about."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest

from expofmt import (
    EscapingScheme,
    GroupingKey,
    GroupStore,
    JournalError,
    LabelSet,
    MetricFamily,
    MetricType,
    Sample,
    parse,
    render,
)
from expofmt.groups import Change, ChangeKind
from tests.journals import MemoryJournal

PAIRS = {
    "two types": (
        ("# TYPE a gauge\na 1\n", "# TYPE a counter\na 1\n"),
        'group {job="y"} contradicts group {job="x"}: metric family `a` has two types',
    ),
    "one series": (
        ('a{instance="i"} 1\nb{l="1"} 1\n', 'b{l="2"} 1\nb{l="1",job="x"} 1\n'),
        'group {job="y"} contradicts group {job="x"}: another group holds `b{instance="",job="x",l="1"}`',
    ),
    "a suffix": (
        ("# TYPE s summary\ns_sum 1\n", "s_count 1\n"),
        'group {job="y"} contradicts group {job="x"}: ',
    ),
    "a suffix of its own": (("", "# TYPE s summary\ns_sum 1\n\ns_count 1\n"), 'group {job="y"}: '),
    "a family of the gateway": (
        ("", "# TYPE o gauge\no 1\n"),
        'group {job="y"} contradicts this gateway\'s own metrics: ',
    ),
    "a family of the store": (("", "push_time_seconds 1\n"), 'group {job="y"} has `push_time_seconds`'),
}


@pytest.mark.parametrize(("bodies", "told"), PAIRS.values(), ids=PAIRS)
def test_what_contradicts_itself_in_a_journal_is_named(engine: str, bodies: tuple[str, str], told: str) -> None:
    """As no store has written such a journal, its groups have whatever labels they are given here."""
    journal = MemoryJournal()
    own = [MetricFamily.counter("o", 1)]
    for job, body in zip("xy", bodies, strict=True):
        labels = LabelSet(instance="", job=job)
        # Texts with an empty line between them are families that no text could hold together.
        read = [family for text in body.split("\n\n") for family in parse(text).values()]
        families = [family.with_samples(family.samples.with_labels(LabelSet(), labels)) for family in read]
        journal.append([Change(ChangeKind.PUT, 1, GroupingKey(job), tuple(families))])
    with pytest.raises(JournalError, match=re.escape(told)) as caught:
        GroupStore(journal=journal, own=lambda: own)
    assert "`expofmt journal check` lists" in str(caught.value)
    assert " more;" not in str(caught.value)


def test_of_many_contradictions_in_a_journal_one_is_named(engine: str) -> None:
    journal = MemoryJournal()
    keys = GroupingKey("a"), GroupingKey("a", instance="")
    journal.append(
        [
            Change(ChangeKind.PUT, 1, key, (MetricFamily.gauge("a", {LabelSet(job="a", instance=""): 1}),))
            for key in keys
        ]
    )
    with pytest.raises(JournalError) as caught:
        GroupStore(journal=journal)
    assert f"group {keys[1]} contradicts group {keys[0]}: another group holds `push_time_seconds" in str(caught.value)
    assert ", and 1 more;" in str(caught.value)


def test_all_contradictions_in_a_journal_are_counted(engine: str) -> None:
    journal = MemoryJournal()
    for job, type in (("x", MetricType.GAUGE), ("y", MetricType.COUNTER)):
        labels = LabelSet(instance="", job=job)
        families = tuple(MetricFamily(f"a{n}", type, samples=[Sample(f"a{n}", labels, 1)]) for n in range(1200))
        journal.append([Change(ChangeKind.PUT, 1, GroupingKey(job), families)])
    with pytest.raises(JournalError, match="and 1,199 more;"):
        GroupStore(journal=journal)


def test_what_a_journal_has_left_behind_contradicts_nothing(engine: str) -> None:
    """Only the groups that a journal leads to have to agree."""
    journal = MemoryJournal()
    one, other = GroupingKey("x"), GroupingKey("y")
    gauge, counter = (MetricFamily(name, type) for name, type in (("a", MetricType.GAUGE), ("a", MetricType.COUNTER)))
    journal.append([Change(ChangeKind.PUT, 1, one, (gauge,)), Change(ChangeKind.PUT, 2, other, (counter,))])
    journal.append([Change(ChangeKind.DELETE, 3, one)])
    assert list(GroupStore(journal=journal).groups) == [other]
    journal.append(
        [Change(ChangeKind.PUT, 4, one, (gauge,)), Change(ChangeKind.WIPE, 5), Change(ChangeKind.PUT, 6, one, (gauge,))]
    )
    assert list(GroupStore(journal=journal).groups) == [one]


def test_groups_of_one_family_are_not_looked_at_for_another_one(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = GroupStore()
    for number in range(50):
        store.put(GroupingKey("a", instance=str(number)), "jobs 1\n")
    compared = 0
    less = GroupingKey.__lt__

    def count(one: GroupingKey, other: object) -> bool:
        nonlocal compared
        compared += 1
        return less(one, other)

    monkeypatch.setattr(GroupingKey, "__lt__", count)
    store.put(GroupingKey("b"), "jobs_count 1\n")
    assert compared < 5


class Name(str):
    """Counts how often one like it is looked up."""

    __slots__ = ()
    looked_up = 0

    def __hash__(self) -> int:
        Name.looked_up += 1
        return super().__hash__()


@pytest.mark.parametrize("failing", [None, JournalError("disk full")])
def test_a_post_costs_what_was_pushed_however_much_its_group_has(engine: str, failing: JournalError | None) -> None:
    journal = MemoryJournal()
    families = [MetricFamily.gauge(f"family_{number}", {LabelSet(instance="", job="a"): 1}) for number in range(500)]
    named = tuple(MetricFamily(Name(family.name), family.type, None, samples=family.samples) for family in families)
    journal.append([Change(ChangeKind.PUT, 1, GroupingKey("a"), named)])
    store = GroupStore(journal=journal)
    before = store.render()
    Name.looked_up = 0
    journal.failing = failing
    with suppress(JournalError):
        store.post(GroupingKey("a"), "# TYPE family_7 gauge\nfamily_7 2\n# TYPE new gauge\nnew 3\n")
    assert Name.looked_up < 100
    assert (store.render() == before) is (failing is not None)
    journal.failing = None
    store.wipe()
    assert Name.looked_up > 500


def test_names_that_are_escaped_do_not_cost_the_others(engine: str) -> None:
    store = GroupStore(names="utf-8")
    store.put(GroupingKey("a"), 'plain 1\n{"odd.name"} 2\nother{"odd.label"="x"} 3\n')
    names = ["plain", "odd.name", "other"]
    assert store.render(names=names, escaping=EscapingScheme.UNDERSCORES).decode() == (
        '# TYPE odd_name untyped\nodd_name{instance="",job="a"} 2\n'
        '# TYPE other untyped\nother{instance="",job="a",odd_label="x"} 3\n'
        '# TYPE plain untyped\nplain{instance="",job="a"} 1\n'
    )
    store.put(GroupingKey("a"), "other 4\n")
    assert store.render(names=names, escaping=EscapingScheme.UNDERSCORES).decode() == (
        '# TYPE other untyped\nother{instance="",job="a"} 4\n'
    )


def test_escaping_changes_no_order_of_samples_and_labels(engine: str) -> None:
    # As Pushgateway does, which sorts the names as they are. A dot sorts before a capital, an underscore after it.
    store = GroupStore(names="utf-8")
    store.put(GroupingKey("a"), 'm{"l.a"="2",lB="1"} 1\nm{"l.a"="1",lB="2"} 2\nm{"i.x"="",lB="9"} 3\n')
    assert store.render(names=["m"], escaping=EscapingScheme.UNDERSCORES).decode() == (
        "# TYPE m untyped\n"
        'm{i_x="",instance="",job="a",lB="9"} 3\n'
        'm{instance="",job="a",l_a="1",lB="2"} 2\n'
        'm{instance="",job="a",l_a="2",lB="1"} 1\n'
    )


def test_own_samples_that_might_be_a_groups_are_refused(engine: str) -> None:
    store = GroupStore(own=lambda: [MetricFamily.gauge("x", {LabelSet(job="a", instance=""): 1})])
    with pytest.raises(ValueError, match="tell groups apart"):
        store.render()


def test_what_is_pushed_is_no_own_sample(engine: str) -> None:
    """Own samples are in no index: a pushed one has both labels that they must not have together."""
    own = [MetricFamily.gauge("x", {LabelSet(): 1, LabelSet(job="a"): 2})]
    store = GroupStore(own=lambda: own, policy="sum")
    bodies = ("# TYPE x gauge\nx 3\n", '# TYPE h histogram\nh_count{l="m"} 1\n# TYPE s summary\ns 1\n')
    for body in bodies:
        for _ in range(2):
            store.post(GroupingKey("a"), body)
    [group] = store.groups.values()
    samples = [sample for stored in group.families.values() for sample in stored.family.samples]
    assert len(samples) == 6
    assert all({"instance", "job"} <= sample.labels.keys() for sample in samples)
    assert store.render(names=["x"]).decode() == ('# TYPE x gauge\nx 1\nx{job="a"} 2\nx{instance="",job="a"} 6\n')


def test_a_body_is_bytes_or_text(engine: str) -> None:
    bodies: list[Any] = [5, [97, 32, 49, 10], None]
    for body in bodies:
        with pytest.raises(TypeError, match="the body of a push is bytes"):
            GroupStore().put(GroupingKey("a"), body)


@pytest.mark.parametrize("scheme", EscapingScheme)
def test_a_name_that_is_escaped_changes_no_other(engine: str, scheme: EscapingScheme) -> None:
    store = GroupStore(names="utf-8")
    store.put(GroupingKey("a"), "a_b 1\n")
    before = store.render(names=["a_b"], escaping=scheme)
    store.put(GroupingKey("b"), 'a_b{"x.y_z"="1"} 2\n')
    assert set(before.splitlines()) < set(store.render(names=["a_b"], escaping=scheme).splitlines())
    assert store.render(escaping=scheme) == render(store.collect(), escaping=scheme)
