"""What Hypothesis calls, by its entry point, when it is imported.

It stands apart from the strategies because they import Hypothesis: whoever imported them first would have Hypothesis
look for this function in a module that is half loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from .grouping import GroupingKey
from .model import Exposition, LabelSet, MetricFamily, Sample

_STRATEGIES: Final[dict[type[Any], str]] = {
    LabelSet: "label_sets",
    Sample: "samples",
    MetricFamily: "metric_families",
    Exposition: "expositions",
    GroupingKey: "grouping_keys",
}


def register() -> None:
    """Tell Hypothesis how to make the types of this package: ``st.from_type(MetricFamily)`` then works.

    The strategies are loaded when one of them is needed.

    >>> register()
    >>> from hypothesis import find, strategies as st
    >>> find(st.from_type(LabelSet), lambda labels: True)
    LabelSet({})
    """
    from hypothesis import strategies as st

    def register_one(of: type[Any], name: str) -> None:
        st.register_type_strategy(of, lambda _: getattr(import_module(".strategies", __package__), name)())

    for of, name in _STRATEGIES.items():
        register_one(of, name)


__all__ = ["register"]
