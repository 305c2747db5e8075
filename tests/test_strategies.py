"""The strategies: what they promise, that their options hold, and that what they find shrinks well."""

import re
import subprocess
import sys

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from expofmt import Code, Exposition, GroupingKey, LabelSet, MetricFamily, MetricType, Sample, check, parse, strategies
from expofmt.names import is_legacy_label_name, is_legacy_metric_name
from expofmt.strategies import (
    INVALID_CODES,
    TEXT_TYPES,
    exposition_text,
    expositions,
    grouping_keys,
    invalid_expositions,
    label_names,
    label_sets,
    metric_families,
    metric_names,
    samples,
    spelled_expositions,
)

pytestmark = pytest.mark.usefixtures("engine")

few = settings(max_examples=30)
some = settings(max_examples=60)
# What is looked for is looked for in the same examples each time.
SEARCH = settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate])
SHRINK = settings(SEARCH, phases=[Phase.generate, Phase.shrink])


# ------------------------------------------------------------------------------------------------------- options


@few
@given(metric_names(names="legacy"), label_names(names="legacy"), label_names())
def test_names(metric: str, label: str, any_label: str) -> None:
    assert is_legacy_metric_name(metric)
    assert is_legacy_label_name(label)
    assert any_label
    assert not label.startswith("__")
    assert not any_label.startswith("__")


@few
@given(label_sets(names="legacy", max_size=2))
def test_label_sets(labels: LabelSet) -> None:
    assert len(labels) <= 2
    assert all(map(is_legacy_label_name, labels))


@few
@given(grouping_keys(names="legacy", max_labels=2))
def test_grouping_keys(key: GroupingKey) -> None:
    assert key.job
    assert len(key) <= 3
    assert all(map(is_legacy_label_name, key))


@few
@given(samples(names="legacy", timestamps=False))
def test_samples(sample: Sample) -> None:
    assert is_legacy_metric_name(sample.name)
    assert sample.timestamp_ns is None


@few
@given(expositions(names="legacy", types=[MetricType.SUMMARY], timestamps=False, max_families=2, max_metrics=1))
def test_options_of_expositions(exposition: Exposition) -> None:
    assert len(exposition) <= 2
    for family in exposition.values():
        assert is_legacy_metric_name(family.name)
        assert family.type is MetricType.SUMMARY
        assert len(family.metrics) <= 1
        assert not family.samples.has_timestamps


@few
@given(exposition_text(names="legacy", types=[MetricType.GAUGE], timestamps=False, max_families=1))
def test_options_of_text(text: bytes) -> None:
    exposition = parse(text, names="legacy")
    assert len(exposition) <= 1
    assert all(family.type is MetricType.GAUGE for family in exposition.values())
    assert not any(family.samples.has_timestamps for family in exposition.values())


def test_options_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="the text format has no type info"):
        expositions(types=[MetricType.INFO])
    with pytest.raises(ValueError, match="names are 'utf-8' or 'legacy', not 'utf8'"):
        expositions(names="utf8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no types"):
        metric_families(types=[])
    with pytest.raises(ValueError, match="no codes"):
        invalid_expositions(codes=[])
    with pytest.raises(ValueError, match="no text has the fault type-conflict"):
        invalid_expositions(codes=[Code.TYPE_CONFLICT])


@some
@given(spelled_expositions(interleaved=True))
def test_interleaved_text_means_the_same(pair: tuple[Exposition, bytes]) -> None:
    meaning, text = pair
    assert parse(text) == meaning
    assert {diagnostic.code for diagnostic in check(text)} <= {Code.INTERLEAVED_FAMILY}


# ------------------------------------------------------------------------------------------ reach, and shrinking


def sample_with(**wanted: object):
    return lambda sample: all(getattr(sample, name) == value for name, value in wanted.items())


REACHED = {
    "negative infinity": (samples(), sample_with(value=float("-inf"))),
    "NaN": (samples(), lambda sample: sample.value != sample.value),
    "a time before 1970": (samples(), lambda sample: (sample.timestamp_ns or 0) < 0),
    "an empty label value": (label_sets(), lambda labels: "" in labels.values()),
    "an empty value in a grouping key": (grouping_keys(), lambda key: "" in key.values()),
    "a parent folder in a grouping key": (grouping_keys(), lambda key: ".." in key.values()),
    "a line feed in a label value": (label_sets(), lambda labels: any("\n" in value for value in labels.values())),
    "a quote in a metric name": (metric_names(), lambda name: '"' in name),
    "a character beyond the basic plane": (metric_names(), lambda name: max(name) > "\uffff"),
    "an empty help text": (metric_families(), lambda family: family.help == ""),
    "no samples": (metric_families(), lambda family: not family.samples),
    "fractional counts": (
        metric_families(types=[MetricType.HISTOGRAM]),
        lambda family: any(metric.count % 1 for metric in family.metrics),
    ),
    "negative bounds": (
        metric_families(types=[MetricType.HISTOGRAM]),
        lambda family: any(b.upper_bound < 0 for metric in family.metrics for b in metric.buckets),
    ),
    "a name with a suffix": (metric_names(names="legacy"), lambda name: name.endswith("_bucket")),
    "one series at two times": (
        metric_families(types=[MetricType.GAUGE]),
        lambda family: len({sample.labels for sample in family.samples}) < len(family.samples),
    ),
    "a trailing comma": (exposition_text(), lambda text: b",}" in text),
    "a name after a label": (
        exposition_text(names="legacy"),
        lambda text: b'"' in text.split(b',"')[-1].split(b"=")[0],
    ),
    "a tab": (exposition_text(), lambda text: b"\t" in text),
    "a comment that is not UTF-8": (exposition_text(), lambda text: b"# \xff" in text),
    "a file that begins with blanks": (exposition_text(), lambda text: text.startswith(b" ")),
}


@pytest.mark.parametrize("what", REACHED)
def test_reaches(what: str) -> None:
    strategy, wanted = REACHED[what]
    find(strategy, wanted, settings=SEARCH)


@pytest.mark.parametrize("type", TEXT_TYPES)
def test_every_type_is_reached_in_text(type: MetricType) -> None:
    _, text = find(
        spelled_expositions(max_families=1),
        lambda pair: any(family.type is type and family.samples for family in pair[0].values()),
        settings=SEARCH,
    )
    assert [family.type for family in parse(text).values()] == [type]


@pytest.mark.parametrize(
    ("strategy", "wanted", "expected"),
    [
        (metric_names(), lambda name: len(name) > 2, "aaa"),
        (label_sets(), lambda labels: len(labels) > 1, LabelSet({"a": "", "aa": ""})),
        (grouping_keys(names="legacy"), lambda key: len(key) > 2, GroupingKey("a", a="a", aa="a")),
        (samples(), lambda sample: sample.value > 9, Sample("a", {}, 10)),
        (metric_families(), lambda family: len(family.samples) > 0, MetricFamily.counter("a", 0)),
        (exposition_text(max_families=1), lambda text: b"gauge\n" in text, b"# TYPE a gauge\n"),
        (expositions(), len, Exposition([MetricFamily.counter("a", [])])),
    ],
)
def test_shrinks_to_what_is_simple(strategy, wanted, expected) -> None:
    assert find(strategy, wanted, settings=SHRINK) == expected


# -------------------------------------------------------------------------------------------------- registration


@few
@given(st.data())
def test_hypothesis_makes_the_types_by_itself(data: st.DataObject) -> None:
    for type in (LabelSet, Sample, MetricFamily, Exposition, GroupingKey):
        assert isinstance(data.draw(st.from_type(type)), type)


@given(...)
@few
def test_annotations_are_enough(exposition: Exposition) -> None:
    assert check(b"") == []
    assert isinstance(exposition.sample_count, int)


def test_expofmt_does_not_load_hypothesis() -> None:
    program = "import sys, expofmt; sys.exit('hypothesis' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nearly_every_code_has_texts() -> None:
    # Who is left over: what only other options or profiles report, or what merge and render say.
    left_over = set(Code) - set(INVALID_CODES)
    assert left_over == {
        Code.INPUT_TOO_LARGE,
        Code.TRUNCATED_MESSAGE,
        Code.MALFORMED_MESSAGE,
        Code.PAYLOAD_MISMATCH,
        Code.NATIVE_HISTOGRAM,
        Code.UNKNOWN_FIELD,
        Code.NON_LEGACY_NAME,
        Code.TRAILING_BLANK,
        Code.EXPLICIT_TIMESTAMP,
        Code.TYPE_CONFLICT,
        Code.HELP_CONFLICT,
        Code.UNIT_CONFLICT,
        Code.BUCKET_BOUNDS_CONFLICT,
        Code.FORMAT_LOSS,
        Code.FOREIGN_SAMPLE,
        Code.TIMESTAMP_PRECISION,
        Code.RESERVED_FAMILY,
        Code.BODY_TOO_LARGE,
        Code.TOO_MANY_FAMILIES,
        Code.TOO_MANY_SERIES,
        Code.LABEL_VALUE_TOO_LONG,
        Code.TOO_MANY_GROUPS,
        Code.STORE_FULL,
        Code.TOO_MANY_DIAGNOSTICS,
    }


def test_all_is_what_the_docstring_speaks_of() -> None:
    assert all(name in (strategies.__doc__ or "") for name in ("expositions", "exposition_text", "invalid_expositions"))


@pytest.mark.parametrize("strategy", [expositions(names="legacy"), metric_families(names="legacy")])
def test_a_falsifying_example_shows_the_samples(strategy: st.SearchStrategy[Exposition | MetricFamily]) -> None:
    @SEARCH
    @given(strategy)
    def no_large_values(example: Exposition | MetricFamily) -> None:
        families = example.values() if isinstance(example, Exposition) else [example]
        assert not any(sample.value > 3 for family in families for sample in family.samples)

    with pytest.raises(AssertionError) as caught:
        no_large_values()
    # How far it shrinks is not the point here.
    assert re.search(r"MetricFamily .*:\n    .* [0-9.e+]+", "\n".join(caught.value.__notes__))
