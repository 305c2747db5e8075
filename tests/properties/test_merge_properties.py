"""merge, against a model of dictionaries and the laws that one expects of it."""

import math
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import ConsistencyError, Exposition, LabelSet, MergePolicy, MetricFamily, MetricType, diff, merge, render
from expofmt.strategies import expositions

pytestmark = pytest.mark.usefixtures("engine")

# Few names and values, so that much coincides; whole numbers, so that the order of additions does not show.
NUMBERS = st.integers(-5, 5).map(float)
LABELS = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2).map(LabelSet)
TIMES = st.sampled_from([None, 0, 10**6])
ROWS = st.lists(st.tuples(st.sampled_from("abc"), LABELS, TIMES, NUMBERS), max_size=8)
TYPES = {"a": MetricType.COUNTER, "b": MetricType.GAUGE, "c": MetricType.UNKNOWN}

Series = tuple[str, LabelSet, int | None]


@st.composite
def overlapping(draw: st.DrawFn) -> Exposition:
    """Expositions that share series with one another, and with themselves."""
    from expofmt import Sample

    by_name: dict[str, list[Sample]] = {}
    for name, labels, time, value in draw(ROWS):
        by_name.setdefault(name, []).append(Sample(name, labels, value, time))
    return Exposition(MetricFamily(name, TYPES[name], samples=samples) for name, samples in by_name.items())


def dictionary(inputs: Iterable[Exposition], fold: Callable[[float, float], float]) -> dict[Series, float]:
    """The model: all samples in order, and what becomes of each series."""
    values: dict[Series, float] = {}
    for exposition in inputs:
        for family in exposition.values():
            for sample in family.samples:
                series = (sample.name, sample.labels, sample.timestamp_ns)
                values[series] = fold(values[series], sample.value) if series in values else sample.value
    return values


def contents(exposition: Exposition) -> dict[Series, float]:
    found = {
        (sample.name, sample.labels, sample.timestamp_ns): sample.value
        for family in exposition.values()
        for sample in family.samples
    }
    assert len(found) == exposition.sample_count
    return found


FOLDS: dict[str, Callable[[float, float], float]] = {
    "first": lambda first, second: first,
    "last": lambda first, second: second,
    "sum": lambda first, second: first + second,
    "min": min,
    "max": max,
}


@pytest.mark.parametrize("policy", FOLDS)
def test_a_policy_does_what_a_dictionary_does(policy: str) -> None:
    @settings(max_examples=40)
    @given(st.lists(overlapping(), min_size=1, max_size=5))
    def with_inputs(inputs: Sequence[Exposition]) -> None:
        merged = merge(*inputs, policy=MergePolicy.parse(policy))
        assert contents(merged) == dictionary(inputs, FOLDS[policy])
        assert list(merged) == list(dict.fromkeys(name for exposition in inputs for name in exposition))

    with_inputs()


@settings(max_examples=60)
@given(st.lists(overlapping(), min_size=1, max_size=4))
def test_what_is_not_settled_is_refused(inputs: Sequence[Exposition]) -> None:
    samples = sum(exposition.sample_count for exposition in inputs)
    repeated = samples - len(dictionary(inputs, max))
    if not repeated:
        assert merge(*inputs).sample_count == samples
        return
    with pytest.raises(ConsistencyError) as raised:
        merge(*inputs)
    assert len(raised.value.diagnostics) == repeated


@pytest.mark.parametrize("policy", FOLDS)
def test_merging_is_associative(policy: str) -> None:
    @settings(max_examples=30)
    @given(overlapping(), overlapping(), overlapping())
    def with_inputs(a: Exposition, b: Exposition, c: Exposition) -> None:
        settled = MergePolicy.parse(policy)
        at_once = merge(a, b, c, policy=settled)
        assert merge(merge(a, b, policy=settled), c, policy=settled) == at_once
        assert merge(a, merge(b, c, policy=settled), policy=settled) == at_once

    with_inputs()


def apart(exposition: Exposition, name: str) -> Exposition:
    """The exposition with a label that sets its samples apart, and without texts that others might contradict."""
    labelled = exposition.with_labels({"input": name})
    return Exposition(MetricFamily(f.name, f.type, None, None, f.samples) for f in labelled.values())


@settings(max_examples=60)
@given(expositions(), expositions())
def test_inputs_without_a_series_in_common_commute(first: Exposition, second: Exposition) -> None:
    a, b = apart(first, "a"), apart(second, "b")
    try:
        one = merge(a, b)
    except ConsistencyError as error:
        # Types or suffixes may collide; then they do from either side.
        codes = sorted(diagnostic.code for diagnostic in error.diagnostics)
        with pytest.raises(ConsistencyError) as raised:
            merge(b, a)
        assert sorted(diagnostic.code for diagnostic in raised.value.diagnostics) == codes
        return
    other = merge(b, a)
    assert not diff(one, other)
    assert render(one) == render(other)
    assert one.sample_count == a.sample_count + b.sample_count


@settings(max_examples=60)
@given(expositions())
def test_an_exposition_merged_with_itself(exposition: Exposition) -> None:
    for policy in ("first", "last", "min", "max"):
        assert merge(exposition, exposition, policy=MergePolicy.parse(policy)) == merge(exposition)
    twice = merge(
        Exposition(family for family in exposition.values() if family.type is not MetricType.SUMMARY),
        Exposition(family for family in exposition.values() if family.type is not MetricType.SUMMARY),
        policy=MergePolicy("sum"),
    )
    for family in twice.values():
        for sample, original in zip(family.samples, exposition[family.name].samples, strict=True):
            assert sample.value == 2 * original.value or math.isnan(original.value)


@settings(max_examples=60)
@given(expositions())
def test_the_empty_exposition_changes_nothing(exposition: Exposition) -> None:
    assert merge(exposition, Exposition()) == merge(Exposition(), exposition) == exposition
