"""The rules for whole families: each at the places of both samples, and not where another fault explains it."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import (
    Code,
    ConsistencyError,
    Diagnostic,
    Format,
    MetricFamily,
    MetricType,
    Severity,
    check,
    engine,
    parse,
    render,
)
from expofmt.consistency import with_consistency
from expofmt.strategies import metric_families

pytestmark = pytest.mark.usefixtures("engine")


def found(text: str, profile: str = "prometheus") -> list[tuple[str, int | None, int | None]]:
    """Each code, with the line it is at, and the line it is related to."""
    diagnostics = check(textwrap.dedent(text).lstrip("\n"), profile=profile)
    return [(str(d.code), d.line, None if d.related is None else d.related.line) for d in diagnostics]


def everything(code: Code) -> bool:
    """What is reported to someone who wants to know it all."""
    return True


def marked(diagnostic: Diagnostic) -> str:
    start, end = diagnostic.place.caret
    return diagnostic.place.excerpt[start:end]


def test_a_sample_is_marked_as_a_whole_line_without_blanks() -> None:
    first, second = "  a 1", "\ta{ }  2 \t"
    [diagnostic] = check(f"{first}\n{second}\n")
    assert diagnostic.related is not None
    assert marked(diagnostic) == second.strip()
    assert diagnostic.related.excerpt[slice(*diagnostic.related.caret)] == first.strip()


# ----------------------------------------------------------------------------------------------------------- duplicates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 1\na 1\n", [("duplicate-sample", 2, 1)]),
        ("a 1\na 2\na 3\n", [("duplicate-sample", 2, 1), ("duplicate-sample", 3, 1)]),
        ("a{} 1\na 1\n", [("duplicate-sample", 2, 1)]),
        ('a{b="1",c="2"} 1\na{c="2","b"="1",} 1\n', [("duplicate-sample", 2, 1)]),
        ('a{b="\\n"} 1\n{"a",b="\\n"} 1\n', [("duplicate-sample", 2, 1)]),
        ("a 1 5\na 1 +05\n", [("duplicate-sample", 2, 1)]),
        ("a NaN\na NaN\n", [("duplicate-sample", 2, 1)]),
        ("a 1 5\na 1\na 1 6\n", []),
        ("a 1 0\na 1\n", []),
        ('a{b=""} 1\na 1\n', []),
        ('a{b="1"} 1\na{c="1"} 1\n', []),
        ('a{b="1",c="2"} 1\na{b="2",c="1"} 1\n', []),
        ("# TYPE s summary\ns_sum 1\ns_count 1\n", []),
    ],
)
def test_duplicates(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert found(text) == expected
    assert [entry for entry in found(text, "pushgateway") if entry[0] != "explicit-timestamp"] == expected


@pytest.mark.parametrize("profile", ["pushgateway", "textfile"])
def test_one_timestamp_speaks_for_its_family(profile: str) -> None:
    text = 'a 1\na{b="1"} 1 5\na{b="2"} 1 5\nc 1 0\nd 1\n'
    assert found(text, profile) == [("explicit-timestamp", 2, None), ("explicit-timestamp", 4, None)]
    assert found(text) == []


# ----------------------------------------------------------------------------------------------------------- histograms

GOOD = """
# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="2"} 2
h_bucket{le="+Inf"} 3
h_sum 4
h_count 3
"""


def test_a_good_histogram() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('h_bucket{le="+Inf"} 3\n', "", [("missing-inf-bucket", 5, None)]),
        ("h_sum 4\n", "", [("missing-sum", 5, None)]),
        ("h_count 3\n", "", [("missing-count", 5, None)]),
        ("h_count 3", "h_count 4", [("count-mismatch", 6, 4)]),
        ("h_count 3", "h_count 3.0", []),
        ('{le="2"} 2', '{le="2"} 4', [("bucket-not-cumulative", 4, 3)]),
        ('{le="1"} 1', '{le="1"} 2.5', [("bucket-not-cumulative", 3, 2)]),
        ('{le="1"} 1', '{le="3"} 2', [("bucket-order", 3, 2)]),
        ('{le="1"} 1', '{le="2.0"} 2', [("duplicate-bucket", 3, 2)]),
        ('{le="1"} 1', '{le="2"} 2', [("duplicate-sample", 3, 2)]),
        ('{le="1"} 1', '{le="x"} 1', [("invalid-le", 2, None)]),
        ('{le="1"} 1', '{le="0x1"} 1', [("invalid-le", 2, None)]),
        ('{le="1"} 1', '{le=""} 1', [("invalid-le", 2, None)]),
        ("h_sum 4", 'h_sum{le="x"} 4', [("invalid-le", 5, None)]),
        ("h_sum 4", 'h_sum{le="7"} 4', []),
        ("h_count 3", 'h_count{le="x"} 4', [("invalid-le", 6, None), ("count-mismatch", 6, 4)]),
        ("h_sum 4", 'h{le="x"} 4\nh_sum 4', [("invalid-le", 5, None)]),
        ("h_sum 4", 'h{le="NaN"} 4\nh_sum 4', [("stray-sample", 5, None)]),
        ('{le="1"} 1', '{le="NaN"} 1', [("nan-bound", 2, None)]),
        ('{le="1"} 1', " 1", [("missing-le", 2, None)]),
        ('{le="+Inf"}', '{le="Infinity"}', []),
        ('{le="1"}', '{le="-1"}', []),
        ("h_sum 4", "h_sum NaN", []),
        ("h_sum 4", "h 4\nh_sum 4", [("stray-sample", 5, None)]),
        ('{le="1"} 1', '{le="1"} -1', [("invalid-count", 2, None)]),
    ],
)
def test_a_histogram_with_one_thing_changed(old: str, new: str, expected: list[tuple[str, int, int | None]]) -> None:
    assert old in GOOD
    assert found(GOOD.replace(old, new)) == expected


def test_a_bound_that_cannot_be_read_may_have_been_infinity() -> None:
    assert found(GOOD.replace("+Inf", "+-Inf")) == [("invalid-le", 4, None)]


def test_each_label_set_and_each_time_is_a_histogram_of_its_own() -> None:
    good = GOOD.replace("{le", '{a="1",le').replace("h_sum", 'h_sum{a="1"}').replace("h_count", 'h_count{a="1"}')
    assert found(GOOD + good.replace("# TYPE h histogram\n", "")) == []
    timed = "".join(line + " 5\n" for line in GOOD.splitlines()[2:])
    assert found(GOOD + timed) == []
    assert found(GOOD + 'h_sum{a="2"} 1\n') == [("missing-inf-bucket", 7, None), ("missing-count", 7, None)]


def test_label_sets_in_turns_are_compared_with_their_own() -> None:
    text = """
        # TYPE h histogram
        h_bucket{a="1",le="1"} 5
        h_bucket{a="2",le="1"} 1
        h_bucket{a="1",le="+Inf"} 5
        h_bucket{le="+Inf",a="2"} 1
        h_count{a="2"} 1
        h_count{a="1"} 5
        h_sum{a="1"} 1
        h_sum{a="2"} 1
    """
    assert found(text) == []


def test_pushgateway_looks_at_bounds_and_counts_alone() -> None:
    text = '# TYPE h histogram\nh 1\nh_bucket 1\nh_bucket{le="2"} 5\nh_bucket{le="1"} 9\nh_count 3\n'
    assert found(text, "pushgateway") == []
    assert found(text.replace('"1"', '"x"'), "pushgateway") == [("invalid-le", 5, None)]
    for part in ("h", "h_sum", "h_count"):
        faulty = f'{text}{part}{{a="b",le="x"}} 1\n'
        assert found(faulty, "pushgateway") == [("invalid-le", 7, None)]


@pytest.mark.parametrize("profile", ["prometheus", "pushgateway", "textfile"])
def test_quantiles_are_numbers_wherever_they_stand(profile: str) -> None:
    text = '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 1\ns_count 1\n'
    assert found(text, profile) == []
    for part in ('s{quantile="0.5"}', "s_sum", "s_count"):
        faulty = text.replace(part, f'{part.split("{")[0]}{{quantile="x"}}')
        assert [code for code, _, _ in found(faulty, profile)] == ["invalid-quantile"]
    # It is a label like others where the family has no quantiles, as `le` is here.
    assert found(text.replace("s_sum", 's_sum{le="x"}'), profile) == []


def test_a_gauge_histogram_follows_the_rules_too() -> None:
    text = '# TYPE h gaugehistogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_gsum 1\nh_gcount 1\n'
    assert found(text) == [("openmetrics-type", 1, None), ("bucket-not-cumulative", 3, 2)]


def test_nothing_is_said_of_names_that_nobody_declared() -> None:
    assert found('h_bucket{le="x"} 2\nh_bucket{le="1"} 1\nh_count 9\n') == []
    assert found('# TYPE h gauge\nh_bucket{le="x"} 2\n') == []


# ------------------------------------------------------------------------------------------------------------ summaries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('s{quantile="0.5"} 1\ns{quantile="1"} 2\ns_sum 1\ns_count 1\n', []),
        ("s_sum 1\ns_count 1\n", []),
        ('s{quantile="1"} 2\ns{quantile="0"} NaN\n', []),
        ('s{quantile="-0.1"} 1\ns{quantile="1.5"} 1\n', [("quantile-out-of-range", line, None) for line in (2, 3)]),
        ('s{quantile="x"} 1\n', [("invalid-quantile", 2, None)]),
        ('s{quantile="NaN"} 1\n', [("nan-bound", 2, None)]),
        ("s 1\n", [("missing-quantile", 2, None)]),
        ('s{quantile="0.5"} 1\ns{quantile="0.50"} 2\n', [("duplicate-sample", 3, 2)]),
        ('s{quantile="0.5"} 1\ns{quantile="0.5"} 2\n', [("duplicate-sample", 3, 2)]),
        ('s{quantile="0.5",a="1"} 1\ns{quantile="0.50",a="2"} 2\n', []),
        ('s_sum{quantile="x"} 1\n', [("invalid-quantile", 2, None)]),
    ],
)
def test_summaries(text: str, expected: list[tuple[str, int, int | None]]) -> None:
    assert found("# TYPE s summary\n" + text) == expected


# ----------------------------------------------------------------------------------------------------------- the pieces


def test_samples_without_lines_are_where_their_family_is() -> None:
    family = MetricFamily("a", samples=[*parse("a 1\n")["a"].samples] * 2)
    scanned = engine.ScannedFamily("a", MetricType.UNKNOWN, None, None, family.samples, 3, 9, True)
    [fault] = with_consistency(engine.Scan([scanned], [], [], {}), 10, everything).faults
    excerpt = engine.Excerpt("", "a 1", "")
    assert fault == engine.Fault(Code.DUPLICATE_SAMPLE, 3, 9, 3, 9, excerpt, excerpt)


def test_an_incomplete_family_is_not_blamed_for_what_is_missing() -> None:
    scan = engine.scan(b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum x\n', Format.TEXT)
    assert not scan.families[0].complete
    assert with_consistency(scan, 10, everything).faults == scan.faults


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_of_each_code_so_many_are_kept_and_the_rest_counted(limit: int) -> None:
    text = b'# TYPE h histogram\nh 1\nh{a="1"} 1\nh 2\nh 3\n'
    scan = with_consistency(engine.scan(text, Format.TEXT, max_faults=limit), limit, everything)
    for code, number in (("stray-sample", 4), ("duplicate-sample", 2)):
        kept = [fault for fault in scan.faults if fault.code == code]
        assert len(kept) == min(limit, number)
        assert scan.suppressed.get(code, 0) == number - len(kept)


@given(st.lists(metric_families(), max_size=3, unique_by=lambda family: family.name))
@settings(max_examples=100)
def test_generated_families_have_no_errors(families: list[MetricFamily]) -> None:
    try:
        text = render(families)
    except ConsistencyError:
        # Names that collide.
        return
    assert [d for d in check(text) if d.severity is Severity.ERROR] == []
