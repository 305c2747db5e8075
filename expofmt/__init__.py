"""Prometheus exposition text: read it, check it, merge it, write it.

>>> import expofmt
>>> exposition = expofmt.parse('# TYPE up gauge\\nup{job="node"} 1\\n')
>>> expofmt.render(exposition)
b'# TYPE up gauge\\nup{job="node"} 1\\n'
"""

from typing import TYPE_CHECKING, Any

from . import engine
from .codes import Code, Severity
from .diagnostics import ConsistencyError, Diagnostic, ExpositionError, LimitError, ParseError, Place
from .diff import Diff, FamilyDiff, diff
from .formats import ContentType, Format
from .grouping import GroupingKey, GroupingKeyError
from .groups import Change, ChangeKind, Group, Journal, JournalError, StoredFamily
from .merge import MergePolicy, merge
from .model import (
    Bucket,
    CounterMetric,
    Difference,
    Exemplar,
    Exposition,
    GaugeHistogramMetric,
    GaugeMetric,
    HistogramMetric,
    InfoMetric,
    LabelSet,
    Metric,
    MetricFamily,
    MetricType,
    Quantile,
    Sample,
    Samples,
    StateSetMetric,
    SummaryMetric,
    UnknownMetric,
    ValueMetric,
)
from .names import EscapingScheme
from .parse import check, iter_families, parse
from .pushing import Limits, PushPolicy
from .render import render
from .source import Span
from .version import __version__

if TYPE_CHECKING:
    from .store import Delete, GroupStore, Post, PushResult, Put, Wipe

    ENGINE: str

# What has threads is loaded when it is asked for: who reads and writes text has no use for it.
_OF_THE_STORE = frozenset(("Delete", "GroupStore", "Post", "PushResult", "Put", "Wipe"))


def __getattr__(name: str) -> Any:
    # Asked for each time, because another engine may have been chosen since.
    if name == "ENGINE":
        return engine.ENGINE
    if name in _OF_THE_STORE:
        from . import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "ENGINE",
    "Bucket",
    "Change",
    "ChangeKind",
    "Code",
    "ConsistencyError",
    "ContentType",
    "CounterMetric",
    "Delete",
    "Diagnostic",
    "Diff",
    "Difference",
    "EscapingScheme",
    "Exemplar",
    "Exposition",
    "ExpositionError",
    "FamilyDiff",
    "Format",
    "GaugeHistogramMetric",
    "GaugeMetric",
    "Group",
    "GroupStore",
    "GroupingKey",
    "GroupingKeyError",
    "HistogramMetric",
    "InfoMetric",
    "Journal",
    "JournalError",
    "LabelSet",
    "LimitError",
    "Limits",
    "MergePolicy",
    "Metric",
    "MetricFamily",
    "MetricType",
    "ParseError",
    "Place",
    "Post",
    "PushPolicy",
    "PushResult",
    "Put",
    "Quantile",
    "Sample",
    "Samples",
    "Severity",
    "Span",
    "StateSetMetric",
    "StoredFamily",
    "SummaryMetric",
    "UnknownMetric",
    "ValueMetric",
    "Wipe",
    "__version__",
    "check",
    "diff",
    "iter_families",
    "merge",
    "parse",
    "render",
]
