"""A push is told where its help text is not the one that is shown, or takes the place of another one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from expofmt import Code, GroupingKey, GroupStore

KEYS = tuple(map(GroupingKey, "abc"))
HELPS = ("", "one", "two", "three")


# Two groups agree, and a third does not: it is found once one of the two gives no help text any more.
@example([(KEYS[0], "one"), (KEYS[2], "two"), (KEYS[1], "one"), (KEYS[0], ""), (KEYS[1], "one")])
@given(
    changes=st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.sampled_from(HELPS)), max_size=20),
)
def test_a_help_text_is_compared_with_the_first_of_another_group(
    engine: str, changes: list[tuple[GroupingKey, str | None]]
) -> None:
    store = GroupStore()
    helps: dict[GroupingKey, str] = {}
    for key, help in changes:
        if help is None:
            store.delete(key)
            helps.pop(key, None)
            continue
        told = store.put(key, f"# HELP up {help}\nup 1\n" if help else "up 1\n").warnings
        others = [helps[other] for other in KEYS if other != key and helps.get(other)]
        differs = bool(help and others and others[0] != help)
        assert [warning.code for warning in told] == [Code.HELP_CONFLICT] * differs
        helps[key] = help
