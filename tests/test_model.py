"""The model: what compares equal, what is refused, what builders make of it, and the typed view back."""

import copy
import math
import pickle
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import (
    Bucket,
    CounterMetric,
    Exemplar,
    Exposition,
    Format,
    GaugeHistogramMetric,
    GaugeMetric,
    HistogramMetric,
    InfoMetric,
    LabelSet,
    MetricFamily,
    MetricType,
    Quantile,
    Sample,
    Samples,
    StateSetMetric,
    SummaryMetric,
    UnknownMetric,
    parse,
    render,
)
from expofmt.strategies import expositions, label_sets, metric_families, samples

pytestmark = pytest.mark.usefixtures("engine")

NAN = float("nan")
INF = float("inf")


def lines(holder: Exposition | MetricFamily | Samples) -> list[str]:
    if isinstance(holder, Exposition):
        return [line for family in holder.values() for line in lines(family)]
    return [str(sample) for sample in (holder.samples if isinstance(holder, MetricFamily) else holder)]


# -------------------------------------------------------------------------------------------------- label sets


def test_a_label_set_is_a_mapping_in_order_of_names() -> None:
    labels = LabelSet({"b": "1", "a": "2"}, c="3")
    assert list(labels) == ["a", "b", "c"]
    assert labels == {"a": "2", "c": "3", "b": "1"}
    assert labels != {"a": "2"}
    assert (labels["b"], labels.get("d"), "c" in labels, len(labels)) == ("1", None, True, 3)
    with pytest.raises(KeyError):
        labels["d"]
    assert repr(labels) == "LabelSet({'a': '2', 'b': '1', 'c': '3'})"


def test_a_label_set_is_written_with_quotes_where_needed() -> None:
    labels = LabelSet({"a:b": 'x"y', "c": "\\\n", "_1": ""})
    assert str(labels) == '{_1="","a:b"="x\\"y",c="\\\\\\n"}'


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ([("", "x")], ValueError),
        ([("a", "1"), ("a", "2")], ValueError),
        ([("__name__", "x")], ValueError),
        ([("a", "\udc80")], ValueError),
        ([("\ud800", "x")], ValueError),
        ([("a", 1)], TypeError),
        ([(1, "a")], TypeError),
    ],
)
def test_what_no_label_set_holds(pairs: list[tuple[str, str]], error: type[Exception]) -> None:
    with pytest.raises(error):
        LabelSet(pairs)


def test_label_sets_do_not_change() -> None:
    labels = LabelSet(a="1")
    for name in ("pairs", "other"):
        with pytest.raises(AttributeError):
            setattr(labels, name, ())
    with pytest.raises(AttributeError):
        del labels.pairs
    with pytest.raises(TypeError):
        labels["a"] = "2"  # type: ignore[index]


@given(label_sets())
def test_equal_label_sets_hash_alike(labels: LabelSet) -> None:
    again = LabelSet(reversed(labels.pairs))
    assert again == labels == dict(labels)
    assert hash(again) == hash(labels)
    assert pickle.loads(pickle.dumps(labels)) == labels
    assert copy.deepcopy(labels) == labels
    assert parse(f"a{labels} 1\n")["a"].samples[0].labels == labels


# ----------------------------------------------------------------------------------------------------- samples


def test_nan_equals_nan_and_all_hash_alike() -> None:
    one, other = Sample("a", {}, NAN), Sample("a", {}, -NAN)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Sample("a", {}, 0)
    assert Exemplar({}, NAN) == Exemplar({}, NAN)
    assert hash(Exemplar({}, NAN)) == hash(Exemplar({}, -NAN))
    assert MetricFamily.gauge("a", NAN) == MetricFamily.gauge("a", NAN)
    assert len({MetricFamily.gauge("a", NAN), MetricFamily.gauge("a", -NAN)}) == 1
    assert GaugeMetric(value=NAN) == GaugeMetric(value=NAN)


def test_zeros_are_equal() -> None:
    assert Sample("a", {}, -0.0) == Sample("a", {}, 0)
    assert hash(Sample("a", {}, -0.0)) == hash(Sample("a", {}, 0))


@pytest.mark.parametrize(
    "other",
    [
        Sample("b", {"x": "1"}, 1, 5),
        Sample("a", {"x": "2"}, 1, 5),
        Sample("a", {"x": "1"}, 2, 5),
        Sample("a", {"x": "1"}, 1, 6),
        Sample("a", {"x": "1"}, 1),
        Sample("a", {"x": "1"}, 1, 5, [Exemplar({}, 1)]),
        Sample("a", {"x": "1"}, 1, 5, (), 4),
        "a",
    ],
)
def test_what_makes_samples_differ(other: object) -> None:
    assert Sample("a", {"x": "1"}, 1, 5) != other


def test_samples_are_written_as_canonical_lines() -> None:
    assert str(Sample("a", {"b": "c", "a": ""}, 1e6, 1_500_000)) == 'a{a="",b="c"} 1e+06 1'
    assert str(Sample("a.b", {}, INF)) == '{"a.b"} +Inf'
    assert str(Sample('q"', {"x y": "\n"}, -INF)) == '{"q\\"","x y"="\\n"} -Inf'
    assert Sample("a", {"b": "c"}, 1, 5).series == 'a{b="c"}'


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", {}, 1), ValueError),
        (("\ud800", {}, 1), ValueError),
        ((1, {}, 1), TypeError),
        (("a", {}, "1"), TypeError),
        (("a", {}, None), TypeError),
        (("a", {}, 1, 1.5), TypeError),
        (("a", {}, 1, True), TypeError),
        (("a", {}, 1, 2**63 * 10**6), ValueError),
    ],
)
def test_what_no_sample_holds(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        Sample(*arguments)  # type: ignore[arg-type]


@given(samples())
def test_a_sample_survives_pickling_and_its_own_line(sample: Sample) -> None:
    assert pickle.loads(pickle.dumps(sample)) == sample
    assert copy.deepcopy(sample) == sample
    assert list(parse(f"{sample}\n")[sample.name].samples) == [sample]
    assert hash(sample) == hash(Sample(sample.name, dict(sample.labels), sample.value, sample.timestamp_ns))


# --------------------------------------------------------------------------------- samples of a family, as columns


def test_samples_are_a_sequence() -> None:
    column = parse("a 1\na 2\na 3\n")["a"].samples
    assert isinstance(column, Sequence)
    assert (len(column), column[0].value, column[-1].value) == (3, 1, 3)
    assert [sample.value for sample in column[1:]] == [2, 3]
    assert [sample.value for sample in column[::-1]] == [3, 2, 1]
    assert isinstance(column[:1], Samples)
    assert Sample("a", {}, 2) in column
    assert column.index(Sample("a", {}, 3)) == 2
    assert not parse("# TYPE a gauge\n")["a"].samples
    with pytest.raises(IndexError):
        column[3]


@given(metric_families())
def test_samples_survive_packing_pickling_and_compacting(family: MetricFamily) -> None:
    column = family.samples
    again = MetricFamily(family.name, family.type, family.help, samples=list(column))
    assert again == family
    assert hash(again) == hash(family)
    assert pickle.loads(pickle.dumps(family)) == family
    assert column.compact() == column
    assert column[:].concat() == column
    assert column != family.with_samples([*column, Sample("other", {}, 0)]).samples


def test_parsed_and_built_samples_are_equal() -> None:
    parsed = parse('# TYPE a gauge\na{y="2", x="1",} 1e0 5\n')["a"]
    built = MetricFamily("a", MetricType.GAUGE, samples=[Sample("a", {"x": "1", "y": "2"}, 1, 5 * 10**6)])
    assert parsed == built
    assert hash(parsed) == hash(built)
    assert parsed.samples.span(0) is not None
    assert built.samples.span(0) is None


def test_pickling_lets_go_of_the_input() -> None:
    text = "# " + "x" * 10**6 + "\na 1\n"
    assert len(pickle.dumps(parse(text)["a"])) < 5000


# ---------------------------------------------------------------------------------------------------- families


def test_builders_take_numbers_mappings_pairs_and_metrics() -> None:
    labels = LabelSet(room="lab")
    assert lines(MetricFamily.gauge("a", 1)) == ["a 1"]
    assert lines(MetricFamily.counter("a", {labels: 2, LabelSet(): 3})) == ['a{room="lab"} 2', "a 3"]
    assert lines(MetricFamily.unknown("a", [({"room": "lab"}, 2), ({}, 3)])) == ['a{room="lab"} 2', "a 3"]
    metrics = [CounterMetric(labels, 5 * 10**6, 4.0)]
    assert lines(MetricFamily.counter("a", metrics)) == ['a{room="lab"} 4 5']
    assert MetricFamily.counter("a", metrics).metrics == metrics


def test_builders_keep_metadata() -> None:
    family = MetricFamily.gauge("a_seconds", 1, help="Help.", unit="seconds")
    assert (family.name, family.type, family.help, family.unit) == ("a_seconds", "gauge", "Help.", "seconds")
    assert MetricFamily("a").type is MetricType.UNKNOWN
    assert MetricFamily("a", "gauge").type is MetricType.GAUGE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("",), ValueError),
        (("a", "guage"), ValueError),
        (("a", MetricType.GAUGE, "\udcff"), ValueError),
        (("a", MetricType.GAUGE, 5), TypeError),
        (("a", MetricType.GAUGE, None, b"seconds"), TypeError),
    ],
)
def test_what_no_family_holds(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        MetricFamily(*arguments)  # type: ignore[arg-type]


def test_families_do_not_change() -> None:
    family = MetricFamily.gauge("a", 1)
    with pytest.raises(AttributeError):
        family.name = "b"  # type: ignore[misc]
    assert family.with_samples([]) == MetricFamily("a", MetricType.GAUGE)
    assert lines(family) == ["a 1"]


def test_histograms_there_and_back() -> None:
    metric = HistogramMetric(LabelSet(a="1"), 7 * 10**6, (Bucket(0.5, 1), Bucket(INF, 2)), 1.5, 2)
    family = MetricFamily.histogram("h", [metric, HistogramMetric(sum=NAN)], help="Help.")
    assert lines(family) == [
        'h_bucket{a="1",le="0.5"} 1 7',
        'h_bucket{a="1",le="+Inf"} 2 7',
        'h_sum{a="1"} 1.5 7',
        'h_count{a="1"} 2 7',
        "h_sum NaN",
    ]
    assert family.metrics == [metric, HistogramMetric(sum=NAN)]
    assert parse(render(family.with_samples(family.samples[:4]) for family in [family]))["h"].metrics == [metric]


def test_buckets_may_be_plain_pairs_and_labels_any_mapping() -> None:
    plain = HistogramMetric({"a": "1"}, None, [(1, 2), (INF, 3)])  # type: ignore[arg-type]
    assert plain == HistogramMetric(LabelSet(a="1"), None, (Bucket(1, 2), Bucket(INF, 3)))


def test_summaries_there_and_back() -> None:
    metric = SummaryMetric(LabelSet(a="1"), None, (Quantile(0.5, NAN), Quantile(0.99, 2)), 9, 4)
    family = MetricFamily.summary("s", [metric])
    assert lines(family) == [
        's{a="1",quantile="0.5"} NaN',
        's{a="1",quantile="0.99"} 2',
        's_sum{a="1"} 9',
        's_count{a="1"} 4',
    ]
    assert family.metrics == [metric]


def test_metrics_gather_what_is_scattered_and_leave_out_what_has_no_place() -> None:
    text = (
        "# TYPE h histogram\n"
        'h_bucket{le="+Inf"} 3\nh_count{a="1"} 1\nh_bucket{le="2"} 2\nh_count 3\nh_bucket{le="10"} 3\n'
        'h_bucket{le="x"} 9\nh_bucket 9\nh 9\nh_sum 4 5\n'
    )
    family = parse(text)["h"]
    assert len(family.samples) == 9
    assert family.metrics == [
        HistogramMetric(buckets=(Bucket(2, 2), Bucket(10, 3), Bucket(INF, 3)), count=3),
        HistogramMetric(LabelSet(a="1"), count=1),
        HistogramMetric(timestamp_ns=5 * 10**6, sum=4),
    ]


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        (MetricType.COUNTER, CounterMetric),
        (MetricType.GAUGE, GaugeMetric),
        (MetricType.UNKNOWN, UnknownMetric),
        (MetricType.INFO, InfoMetric),
        (MetricType.STATESET, StateSetMetric),
    ],
)
def test_single_values_as_metrics(type: MetricType, kind: type[CounterMetric]) -> None:
    exemplar = Exemplar({"trace": "x"}, 0.5)
    family = MetricFamily("a", type, samples=[Sample("a", {"b": "1"}, 2, 3, [exemplar], 1)])
    [metric] = family.metrics
    assert metric == kind(LabelSet(b="1"), 3, 2.0, (exemplar,), 1)
    assert metric.__class__ is kind


def test_gauge_histograms_as_metrics() -> None:
    rows = [("g_bucket", {"le": "1"}, 2), ("g_gsum", {}, 3), ("g_gcount", {}, 2)]
    family = MetricFamily("g", MetricType.GAUGEHISTOGRAM, samples=[Sample(*row) for row in rows])
    assert family.metrics == [GaugeHistogramMetric(buckets=(Bucket(1, 2),), sum=3, count=2)]
    assert family.metrics != [HistogramMetric(buckets=(Bucket(1, 2),), sum=3, count=2)]


@given(metric_families(types=[MetricType.HISTOGRAM, MetricType.SUMMARY]))
def test_typed_metrics_hold_all_that_the_samples_do(family: MetricFamily) -> None:
    build = MetricFamily.histogram if family.type is MetricType.HISTOGRAM else MetricFamily.summary
    again = build(family.name, family.metrics, help=family.help)  # type: ignore[arg-type]
    assert render([again]) == render([family])


# ------------------------------------------------------------------------------------------------- expositions


def test_an_exposition_is_a_mapping_in_file_order() -> None:
    exposition = parse("b 1\na 2\nb 3\n", filename="x.prom")
    assert list(exposition) == ["b", "a"]
    assert (len(exposition), exposition.sample_count, "a" in exposition, exposition.get("c")) == (2, 3, True, None)
    assert (exposition.format, exposition.filename) == (Format.TEXT, "x.prom")
    assert repr(exposition) == "<Exposition 'x.prom': 2 families, 3 samples>"
    with pytest.raises(KeyError):
        exposition["c"]


def test_equality_is_that_of_a_mapping() -> None:
    a, b = MetricFamily.gauge("a", 1), MetricFamily.gauge("b", NAN)
    one = Exposition([a, b], filename="x")
    other = Exposition([b, a], filename="y", format=Format.OPENMETRICS_1_0)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Exposition([a])
    assert one != {"a": a, "b": b}


def test_what_no_exposition_holds() -> None:
    with pytest.raises(ValueError, match="'a' is given twice"):
        Exposition([MetricFamily("a"), MetricFamily("a")])
    with pytest.raises(TypeError):
        Exposition(["a"])  # type: ignore[list-item]
    with pytest.raises(AttributeError):
        Exposition().filename = "x"


@settings(max_examples=50)
@given(expositions())
def test_expositions_survive_pickling(exposition: Exposition) -> None:
    again = pickle.loads(pickle.dumps(exposition))
    assert again == exposition
    assert hash(again) == hash(exposition)
    assert list(again) == list(exposition)
    assert copy.deepcopy(exposition) == exposition


def test_with_labels_overrides_and_fills_in() -> None:
    exposition = parse('a{job="own",instance=""} 1\na 2\nb{instance="x"} 3\n', filename="x.prom")
    labelled = exposition.with_labels({"job": "new"}, default={"instance": "i", "job": "unused"})
    assert lines(labelled) == [
        'a{instance="i",job="new"} 1',
        'a{instance="i",job="new"} 2',
        'b{instance="x",job="new"} 3',
    ]
    assert lines(exposition)[1] == "a 2"
    assert labelled.filename == "x.prom"
    assert exposition.with_labels({}) == exposition


def test_with_labels_gives_compact_samples_if_asked_to(engine: str) -> None:
    samples = parse("up 1\n")["up"].samples
    placed, compact = (samples.with_labels({"job": "x"}, {}, compact=compact) for compact in (False, True))
    assert placed == compact
    assert placed.span(0) == samples.span(0)
    assert compact.span(0) is None


def test_with_labels_does_not_touch_what_tells_samples_apart() -> None:
    histogram = parse('# TYPE h histogram\nh_bucket{le="1"} 1\n')
    with pytest.raises(ValueError, match="`le` tells the samples of histogram 'h' apart"):
        histogram.with_labels({"le": "5"})
    with pytest.raises(ValueError):
        histogram.with_labels({}, default={"le": "5"})
    assert lines(parse("a 1\n").with_labels({"le": "5"})) == ['a{le="5"} 1']
    with pytest.raises(ValueError):
        histogram.with_labels({"": "x"})


@settings(max_examples=50)
@given(expositions(), label_sets(names="legacy", max_size=2), label_sets(max_size=2))
def test_with_labels_is_what_a_dictionary_does(exposition: Exposition, override: LabelSet, default: LabelSet) -> None:
    override, default = (
        LabelSet({name: value for name, value in labels.items() if name not in ("le", "quantile")})
        for labels in (override, default)
    )
    labelled = exposition.with_labels(override, default=default)
    for name, family in exposition.items():
        for before, after in zip(family.samples, labelled[name].samples, strict=True):
            kept = {label: value for label, value in before.labels.items() if value or label not in default}
            assert after.labels == {**default, **kept, **override}
            assert (after.name, after.timestamp_ns) == (before.name, before.timestamp_ns)


def test_select_by_name() -> None:
    exposition = parse("go_threads 1\ngo_info 1\nup 1\n# TYPE none gauge\n", filename="x.prom")
    assert list(exposition.select("go_*", "up")) == ["go_threads", "go_info", "up"]
    assert list(exposition.select("*n*")) == ["go_info", "none"]
    assert list(exposition.select("UP")) == []
    assert exposition.select() == exposition
    assert exposition.select("up").filename == "x.prom"


def test_select_by_labels() -> None:
    exposition = parse('a{code="200"} 1\na{code="404"} 2\na 3\nb{code=""} 4\n# TYPE c gauge\n')
    assert lines(exposition.select(labels={"code": "200"})) == ['a{code="200"} 1']
    assert lines(exposition.select(labels={"code": ""})) == ["a 3", 'b{code=""} 4']
    assert lines(exposition.select(labels={"code": re.compile("[24]..")})) == ['a{code="200"} 1', 'a{code="404"} 2']
    assert lines(exposition.select(labels={"code": re.compile("2")})) == []
    assert list(exposition.select(labels={"code": "", "other": ""})) == ["a", "b"]
    assert list(exposition.select("b", labels={"code": "200"})) == []
    with pytest.raises(TypeError):
        exposition.select(labels={"code": 200})  # type: ignore[dict-item]


@settings(max_examples=50)
@given(expositions(names="legacy"), st.sampled_from(["a", "b", "aa"]), st.text(max_size=1))
def test_select_is_what_a_filter_does(exposition: Exposition, label: str, value: str) -> None:
    selected = exposition.select(labels={label: value})
    for name, family in exposition.items():
        expected = [sample for sample in family.samples if sample.labels.get(label, "") == value]
        assert list(selected[name].samples if name in selected else []) == expected
    assert math.isfinite(selected.sample_count)


def test_a_label_set_is_made_once() -> None:
    labels = LabelSet(a="1")
    with pytest.raises(TypeError, match="made once"):
        LabelSet.__init__(labels, b="2")
    assert labels == {"a": "1"}
