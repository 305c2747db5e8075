"""The public API as its users' type checkers see it: `mypy --strict` accepts this file, and nothing runs it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import assert_type

import expofmt
from expofmt import (
    ConsistencyError,
    Diagnostic,
    Exposition,
    ExpositionError,
    Format,
    GroupingKey,
    GroupingKeyError,
    HistogramMetric,
    LabelSet,
    MetricFamily,
    MetricType,
    ParseError,
    Sample,
    Samples,
    Severity,
)


def reading(data: bytes) -> Exposition:
    exposition = expofmt.parse(data, format=Format.TEXT, strict=True, profile="pushgateway", names="legacy")
    for name, family in exposition.items():
        assert_type(name, str)
        assert_type(family.type, MetricType)
        assert_type(family.help, str | None)
        assert_type(family.samples, Samples)
        for sample in family.samples:
            assert_type(sample, Sample)
            assert_type(sample.labels, LabelSet)
            assert_type(sample.labels["job"], str)
            assert_type(sample.value, float)
            assert_type(sample.timestamp_ns, int | None)
        for metric in family.metrics:
            if isinstance(metric, HistogramMetric):
                assert_type([bucket.upper_bound for bucket in metric.buckets], list[float])
    assert_type(exposition.get("up"), MetricFamily | None)
    return expofmt.parse("a 1\n", on_warning=print)


def failing(data: bytes) -> Sequence[Diagnostic]:
    try:
        expofmt.parse(data)
    except ParseError as error:
        return error.diagnostics
    except ConsistencyError as error:
        assert_type(error.status_hint, int)
        return error.diagnostics
    except ExpositionError:
        raise
    found = expofmt.check(data, filename="a.prom", profile="textfile")
    assert_type(found, list[Diagnostic])
    return [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]


def writing() -> bytes:
    gauge = MetricFamily.gauge(
        "queue_depth", {LabelSet(queue="mail"): 3, LabelSet({"queue": "sms"}): 0.5}, help="Waiting."
    )
    counter = MetricFamily.counter("jobs_total", 7)
    exposition = Exposition([gauge, counter])
    assert_type(expofmt.render([gauge, counter]), bytes)
    return expofmt.render(exposition.with_labels({"instance": "a"}), format=Format.TEXT, lossy=True, on_warning=print)


def combining(a: Exposition, b: Exposition) -> Exposition:
    change = expofmt.diff(a, b)
    assert_type(change, expofmt.Diff)
    return expofmt.merge(a, b.select("node_*", labels={"job": re.compile("n.*")}), on_warning=print)


def streaming(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for family in expofmt.iter_families(file):
            assert_type(family, MetricFamily)
            yield family.name


def grouping(path: bytes) -> dict[GroupingKey, str]:
    try:
        key = GroupingKey.from_path(path, names="utf-8", prefix="/push")
    except GroupingKeyError as error:
        assert_type(error.status_hint, int)
        key = GroupingKey("batch", {"zone": "eu"}, instance="a")
    assert_type(key.job, str)
    assert_type(key.labels, LabelSet)
    assert_type(sorted([key, GroupingKey("a")]), list[GroupingKey])
    return {key: key.to_path(names="utf-8")}


assert_type(expofmt.__version__, str)
assert_type(expofmt.ENGINE, str)
