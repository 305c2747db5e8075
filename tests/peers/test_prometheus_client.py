"""prometheus_client reads what we write, and we read what it writes: the same samples, value for value."""

import math
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import Exposition, LabelSet, MetricType, check, parse, render
from expofmt.strategies import expositions

prometheus_client = pytest.importorskip("prometheus_client", reason="peer prometheus_client is not installed")
parser = pytest.importorskip("prometheus_client.parser", reason="peer prometheus_client is not installed")

pytestmark = pytest.mark.usefixtures("engine")

Row = tuple[str, LabelSet, float, float | None]


def row(name: str, labels: Mapping[str, str], value: float, seconds: float | None) -> Row:
    # A NaN differs from any other; this one is at least itself.
    return name, LabelSet(labels), math.nan if math.isnan(value) else value, seconds


def ours(exposition: Exposition) -> Tally[Row]:
    """Our samples, with counters called as prometheus_client calls them."""
    rows: Tally[Row] = Tally()
    for family in exposition.values():
        total = "_total" if family.type is MetricType.COUNTER and not family.name.endswith("_total") else ""
        for sample in family.samples:
            seconds = None if sample.timestamp_ns is None else sample.timestamp_ns // 10**6 / 1000
            rows[row(sample.name + total, sample.labels, sample.value, seconds)] += 1
    return rows


def theirs(families: Iterable[Any]) -> Tally[Row]:
    return Tally(
        row(sample.name, sample.labels, sample.value, None if sample.timestamp is None else float(sample.timestamp))
        for family in families
        for sample in family.samples
    )


def read_by_them(text: bytes) -> list[Any]:
    return list(parser.text_string_to_metric_families(text.decode()))


@settings(max_examples=200)
@given(expositions())
def test_they_read_what_we_write(exposition: Exposition) -> None:
    assert theirs(read_by_them(render(exposition))) == ours(exposition)


def test_they_read_the_same_of_real_scrapes_before_and_after(data: Path) -> None:
    paths = sorted(data.glob("*.prom"))
    assert paths
    for path in paths:
        text = path.read_bytes()
        exposition = parse(text)
        assert theirs(read_by_them(text)) == ours(exposition)
        assert theirs(read_by_them(render(exposition))) == ours(exposition)


def test_they_see_the_same_types_and_help_texts(data: Path) -> None:
    exposition = parse((data / "node_exporter.prom").read_bytes())
    for family in read_by_them(render(exposition)):
        # They call a counter by its name without the suffix, which may be another family's.
        total = f"{family.name}_total"
        mine = exposition[total if family.type == "counter" and total in exposition else family.name]
        assert (family.type, family.documentation) == (mine.type.value, mine.help)


LABELS = st.tuples(st.text(max_size=8), st.text(max_size=8))
VALUES = st.floats(0, 1e9)


@settings(max_examples=60)
@given(
    counts=st.dictionaries(LABELS, VALUES, max_size=3),
    levels=st.dictionaries(LABELS, st.floats(), max_size=3),
    durations=st.dictionaries(LABELS, st.lists(VALUES, max_size=3), max_size=3),
    help=st.text(max_size=12).map(lambda text: text.strip()),
)
def test_we_read_what_they_write(
    counts: dict[Any, float], levels: dict[Any, float], durations: dict[Any, list[float]], help: str
) -> None:
    registry = prometheus_client.CollectorRegistry()
    settings_of_all = {"documentation": help, "labelnames": ("x", "y"), "registry": registry}
    counter = prometheus_client.Counter("jobs", **settings_of_all)
    gauge = prometheus_client.Gauge("level", **settings_of_all)
    summary = prometheus_client.Summary("size", **settings_of_all)
    histogram = prometheus_client.Histogram("duration_seconds", **settings_of_all)
    for labels, value in counts.items():
        counter.labels(*labels).inc(value)
    for labels, value in levels.items():
        gauge.labels(*labels).set(value)
    for labels, values in durations.items():
        for value in values:
            summary.labels(*labels).observe(value)
            histogram.labels(*labels).observe(value)
    text = prometheus_client.generate_latest(registry)

    exposition = parse(text)
    assert check(text) == []
    assert ours(exposition) == theirs(registry.collect())
    assert exposition["jobs_total"].type is MetricType.COUNTER
    assert exposition["duration_seconds"].type is MetricType.HISTOGRAM
    assert exposition["size"].help == help


def test_their_own_process_metrics_check_clean() -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Info("build", "Build.", registry=registry).info({"v": "1"})
    prometheus_client.Enum("state", "State.", states=["on", "off"], registry=registry)
    for text in (prometheus_client.generate_latest(), prometheus_client.generate_latest(registry)):
        assert check(text) == []
        assert parse(text).sample_count > 0
