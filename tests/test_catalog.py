"""What a store's indexes and its page do not do: look at more than a push is about."""

from __future__ import annotations

from typing import Any

import pytest

from expofmt import EscapingScheme, GroupingKey, GroupStore, JournalError, LabelSet, MetricFamily
from expofmt.groups import Change, ChangeKind
from tests.journals import MemoryJournal


def test_keys_of_one_identity_in_a_journal_are_refused(engine: str) -> None:
    journal = MemoryJournal()
    keys = GroupingKey("a"), GroupingKey("a", instance="")
    journal.append([Change(ChangeKind.PUT, 1, key) for key in keys])
    with pytest.raises(JournalError, match="one group to whoever scrapes them"):
        GroupStore(journal=journal)


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


def test_a_body_is_bytes_or_text(engine: str) -> None:
    bodies: list[Any] = [5, [97, 32, 49, 10], None]
    for body in bodies:
        with pytest.raises(TypeError, match="the body of a push is bytes"):
            GroupStore().put(GroupingKey("a"), body)
