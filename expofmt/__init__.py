"""Prometheus exposition text: read it, check it, merge it, write it.

>>> import expofmt
>>> exposition = expofmt.parse('# TYPE up gauge\\nup{job="node"} 1\\n')
>>> expofmt.render(exposition)
b'# TYPE up gauge\\nup{job="node"} 1\\n'
"""

from . import engine
from .codes import Code, Severity
from .diagnostics import ConsistencyError, Diagnostic, ExpositionError, ParseError, Place
from .diff import Diff, FamilyDiff, diff
from .formats import ContentType, Format
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
from .render import render
from .source import Span
from .version import __version__


def __getattr__(name: str) -> str:
    # Asked for each time, because another engine may have been chosen since.
    if name == "ENGINE":
        return engine.ENGINE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ENGINE",
    "Bucket",
    "Code",
    "ConsistencyError",
    "ContentType",
    "CounterMetric",
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
    "HistogramMetric",
    "InfoMetric",
    "LabelSet",
    "MergePolicy",
    "Metric",
    "MetricFamily",
    "MetricType",
    "ParseError",
    "Place",
    "Quantile",
    "Sample",
    "Samples",
    "Severity",
    "Span",
    "StateSetMetric",
    "SummaryMetric",
    "UnknownMetric",
    "ValueMetric",
    "__version__",
    "check",
    "diff",
    "iter_families",
    "merge",
    "parse",
    "render",
]
