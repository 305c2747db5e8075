"""merge: what is united, what is refused, and where it points."""

import pickle

import pytest

from expofmt import (
    Bucket,
    Code,
    ConsistencyError,
    Diagnostic,
    Exposition,
    HistogramMetric,
    MergePolicy,
    MetricFamily,
    MetricType,
    Sample,
    Severity,
    Span,
    merge,
    parse,
    render,
)
from expofmt.merge import MAX_DIAGNOSTICS
from expofmt.source import Source

pytestmark = pytest.mark.usefixtures("engine")


def read(text: str, filename: str = "<exposition>") -> Exposition:
    return parse(text, filename=filename)


def refused(*inputs: Exposition, policy: str = "refuse") -> tuple[Diagnostic, ...]:
    with pytest.raises(ConsistencyError) as raised:
        merge(*inputs, policy=MergePolicy.parse(policy))
    return raised.value.diagnostics


def lines(exposition: Exposition) -> list[str]:
    return [str(sample) for family in exposition.values() for sample in family.samples]


# ------------------------------------------------------------------------------------------------- what is united


def test_families_and_samples_come_in_order_of_mention() -> None:
    a, b = read("b 1\na 1\n"), read('c 1\na{x="1"} 1\nb{x="1"} 1\n')
    merged = merge(a, b)
    assert list(merged) == ["b", "a", "c"]
    assert lines(merged) == ["b 1", 'b{x="1"} 1', "a 1", 'a{x="1"} 1', "c 1"]


def test_inputs_stay_as_they_are() -> None:
    a, b = read("a 1\n"), read("a 2\n")
    merge(a, b, policy=MergePolicy("sum"))
    assert (lines(a), lines(b)) == (["a 1"], ["a 2"])


def test_one_input_alone() -> None:
    a = read("# HELP a x\n# TYPE a gauge\na 1\n", "a.prom")
    assert merge(a) == a
    assert merge(a).filename == "a.prom"


def test_the_result_has_the_first_inputs_format_and_a_name_of_its_own() -> None:
    merged = merge(read("a 1\n", "a.prom"), read("b 1\n", "b.prom"))
    assert (merged.format, merged.filename) == ("text", "<merged>")


def test_metadata_without_samples_is_kept() -> None:
    merged = merge(read("# TYPE a gauge\n"), read("# HELP b x\n"))
    assert render(merged) == b"# TYPE a gauge\n# HELP b x\n# TYPE b untyped\n"


def test_the_same_series_at_another_time_is_another_sample() -> None:
    assert lines(merge(read("a 1 1\na 1\n"), read("a 1 2\n"))) == ["a 1 1", "a 1", "a 1 2"]


def test_real_scrapes_merge_under_labels_of_their_own(data) -> None:
    scrapes = [parse(path.read_bytes(), filename=path.name) for path in sorted(data.glob("*.prom"))]
    assert len(scrapes) > 5
    labelled = [scrape.with_labels({"source": scrape.filename}) for scrape in scrapes]
    names = {name for scrape in scrapes for name in scrape}
    # A federated scrape declares no types, so it cannot stand beside the originals.
    typed = [scrape for scrape in labelled if "federate" not in scrape.filename and "victoria" not in scrape.filename]
    merged = merge(*typed)
    assert merged.sample_count == sum(scrape.sample_count for scrape in typed)
    assert parse(render(merged)).sample_count == merged.sample_count
    assert merged.keys() <= names


# ------------------------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("first", "3 5"),
        ("last", "5 3"),
        ("sum", "8 8"),
        ("min", "3 3"),
        ("max", "5 5"),
        ("refuse,gauge=max", "5 5"),
        ("sum,gauge=first", "3 5"),
    ],
)
def test_operations(policy: str, expected: str) -> None:
    a, b = read('# TYPE a gauge\na{x="1"} 3\na{x="2"} 5\n'), read('# TYPE a gauge\na{x="2"} 3\na{x="1"} 5\n')
    merged = merge(a, b, policy=MergePolicy.parse(policy))
    assert [sample.value for sample in merged["a"].samples] == [float(word) for word in expected.split()]


def test_a_policy_of_one_type_leaves_the_others_refused() -> None:
    a = read("# TYPE c counter\nc 1\n# TYPE g gauge\ng 1\n")
    [fault] = refused(a, a, policy="refuse,counter=sum")
    assert fault.message == "two inputs hold `g`"


@pytest.mark.parametrize(("policy", "expected"), [("min", 1), ("max", 1), ("first", 1), ("last", float("nan"))])
def test_a_number_is_preferred_to_nan(policy: str, expected: float) -> None:
    merged = merge(read("a 1\n"), read("a NaN\n"), policy=MergePolicy.parse(policy))
    assert merged == Exposition([MetricFamily.unknown("a", expected)])


def test_samples_of_one_input_are_combined_like_those_of_two() -> None:
    text = "a 1\na 2\nb 1\na 4\n"
    assert lines(merge(read(text), policy=MergePolicy("sum"))) == ["a 7", "b 1"]
    assert lines(merge(read(text), read("a 8\n"), policy=MergePolicy("sum"))) == ["a 15", "b 1"]
    assert lines(merge(read(text), read("a 8\n"), policy=MergePolicy("last"))) == ["a 8", "b 1"]


def histogram(buckets: dict[float, float], labels: dict[str, str] | None = None, sum: float = 0) -> MetricFamily:
    count = max(buckets.values())
    points = tuple(Bucket(bound, number) for bound, number in {**buckets, float("inf"): count}.items())
    return MetricFamily.histogram("h", [HistogramMetric(read_labels(labels), None, points, sum, count)])


def read_labels(labels: dict[str, str] | None):
    return Sample("x", labels or {}, 0).labels


def test_histograms_are_summed_bucket_by_bucket() -> None:
    a, b = Exposition([histogram({1: 2, 5: 3}, sum=4)]), Exposition([histogram({1: 1, 5: 4}, sum=8)])
    merged = merge(a, b, policy=MergePolicy("sum"))
    assert merged == Exposition([histogram({1: 3, 5: 7}, sum=12)])


def test_histograms_of_different_bounds_are_refused_not_mangled() -> None:
    mail = {"queue": "mail"}
    a = parse(render([histogram({1: 2}, mail)]), filename="a.prom")
    b = parse(render([histogram({2: 2}, mail)]), filename="b.prom")
    for policy in ("sum", "min", "max"):
        [fault] = refused(a, b, policy=policy)
        assert fault.code is Code.BUCKET_BOUNDS_CONFLICT
        assert fault.message == 'histograms `h{queue="mail"}` have different buckets'
        assert fault.related is not None
        assert (fault.filename, fault.related.filename) == ("b.prom", "a.prom")


@pytest.mark.parametrize(("policy", "winner"), [("first", 0), ("last", 1)])
def test_first_and_last_take_a_histogram_of_other_bounds_as_a_whole(policy: str, winner: int) -> None:
    inputs = [Exposition([histogram({1: 2, 3: 4})]), Exposition([histogram({2: 7})])]
    assert merge(*inputs, policy=MergePolicy.parse(policy)) == inputs[winner]


def test_histograms_of_different_bounds_are_told_up_to_the_limit() -> None:
    rows = ('h_bucket{{n="{n}",le="{le}"}} 1\nh_count{{n="{n}"}} 1\n'.format(n=n, le="{le}") for n in range(1002))
    text = "# TYPE h histogram\n" + "".join(rows)
    *faults, last = refused(*(read(text.replace("{le}", le), le) for le in "12"), policy="sum")
    assert len(faults) == 1000
    assert last.message.startswith("2 more")
    assert faults[7].message == 'histograms `h{n="7"}` have different buckets'
    places = [fault.place for fault in faults] + [fault.related for fault in faults]
    assert all(
        place and place.excerpt == f'h_bucket{{le="{place.filename}",n="{n % 1000}"}} 1'
        for n, place in enumerate(places)
    )


def test_bounds_are_compared_as_numbers() -> None:
    a = read('# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n')
    b = read('# TYPE h histogram\nh_bucket{le="1.0"} 2\nh_bucket{le="inf"} 2\nh_sum 2\nh_count 2\n')
    merged = merge(a, b, policy=MergePolicy("sum"))
    assert lines(merged) == ['h_bucket{le="1"} 3', 'h_bucket{le="+Inf"} 3', "h_sum 3", "h_count 3"]


def test_quantiles_cannot_be_added() -> None:
    text = '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 4\ns_count 2\n'
    [fault] = refused(read(text), read(text), policy="sum")
    assert (fault.code, fault.message) == (Code.DUPLICATE_SAMPLE, 'two inputs hold `s{quantile="0.5"}`')
    bare = read("# TYPE s summary\ns_sum 4\ns_count 2\n")
    assert lines(merge(bare, bare, policy=MergePolicy("sum"))) == ["s_sum 8", "s_count 4"]
    assert lines(merge(bare, read(text), policy=MergePolicy("max"))) == ["s_sum 4", "s_count 2", 's{quantile="0.5"} 1']


def test_statements_cannot_be_added() -> None:
    info = Exposition([MetricFamily("build", MetricType.INFO, samples=[Sample("build_info", {}, 1)])])
    assert [fault.code for fault in refused(info, info, policy="sum")] == [Code.DUPLICATE_SAMPLE]
    assert merge(info, info, policy=MergePolicy("first")) == info


# ------------------------------------------------------------------------------------------------------ conflicts


def test_a_duplicate_names_both_inputs_and_points_at_both_lines() -> None:
    texts = {"a.prom": b'b 1\na{x="1"} 1\n', "b.prom": b'\na{x="1"} 2\n'}
    [fault] = refused(*(parse(text, filename=name) for name, text in texts.items()))
    assert str(fault) == 'b.prom: error[duplicate-sample] two inputs hold `a{x="1"}`'
    assert fault.related is not None
    assert (fault.span, fault.related.span) == (Span(1, 11), Span(4, 14))
    assert (fault.place.excerpt, fault.related.excerpt) == ('a{x="1"} 2', 'a{x="1"} 1')
    assert (fault.place.label, fault.related.label) == ("in `b.prom`", "in `a.prom`")
    located = fault.located({name: Source(name, text) for name, text in texts.items()})
    assert (located.line, located.column) == (2, 1)
    assert located.related is not None
    assert (located.related.line, located.related.filename) == (2, "a.prom")


def test_inputs_without_names_are_numbered() -> None:
    [fault] = refused(read("a 1\n"), read("a 1\n"))
    assert fault.related is not None
    assert (fault.filename, fault.related.filename) == ("<exposition>", "<exposition>")
    assert fault.place.label == "in `<exposition> (input 2)`"
    assert fault.related.label == "in `<exposition> (input 1)`"


def test_a_duplicate_within_one_input() -> None:
    [fault] = refused(read("a 1\nb 1\na 2\n", "a.prom"), read("c 1\n", "b.prom"))
    assert str(fault) == "a.prom: error[duplicate-sample] sample of `a` is given twice"
    assert fault.related is not None
    assert (fault.span, fault.related.span) == (Span(8, 11), Span(0, 3))


def test_built_families_are_shown_as_canonical_lines() -> None:
    built = Exposition([MetricFamily.gauge("a", [({"z": "1", "b": "2"}, 7)])], filename="built")
    [fault] = refused(built, read('# TYPE a gauge\na{b="2",z="1"} 1\n', "a.prom"))
    assert fault.related is not None
    assert (fault.related.excerpt, fault.related.span) == ('a{b="2",z="1"} 7', None)


def test_every_conflict_is_reported() -> None:
    a = read("# TYPE x gauge\nx 1\ny 1\nz 1\n", "a.prom")
    b = read("# TYPE x counter\nx 1\ny 1\nz 1\n", "b.prom")
    c = read("# TYPE x summary\nx_sum 1\ny 1\n", "c.prom")
    faults = refused(a, b, c)
    assert [(fault.code, fault.filename) for fault in faults] == [
        (Code.TYPE_CONFLICT, "b.prom"),
        (Code.TYPE_CONFLICT, "c.prom"),
        (Code.DUPLICATE_SAMPLE, "b.prom"),
        (Code.DUPLICATE_SAMPLE, "c.prom"),
        (Code.DUPLICATE_SAMPLE, "b.prom"),
    ]


def test_a_flood_of_conflicts_is_counted() -> None:
    many = read("".join(f'a{{x="{number}"}} 1\n' for number in range(MAX_DIAGNOSTICS + 5)))
    *faults, last = refused(many, many)
    assert len(faults) == MAX_DIAGNOSTICS
    assert (last.code, last.severity) == (Code.TOO_MANY_DIAGNOSTICS, Severity.INFO)
    assert last.message.startswith("5 more")


def test_type_conflicts_name_both_types_and_inputs() -> None:
    [fault] = refused(read("# TYPE a gauge\na 1\n", "a.prom"), read("# TYPE a counter\n", "b.prom"))
    assert str(fault) == "b.prom: error[type-conflict] metric family `a` has two types"
    assert fault.related is not None
    assert (fault.place.excerpt, fault.place.label) == ("# TYPE a counter", "counter in `b.prom`")
    assert (fault.related.excerpt, fault.related.label) == ("# TYPE a gauge", "gauge in `a.prom`")


def test_samples_without_a_type_conflict_with_a_typed_family() -> None:
    [fault] = refused(read("# TYPE a gauge\na 1\n"), read('a{x="1"} 1\n'))
    assert (fault.code, fault.place.excerpt, fault.span) == (Code.TYPE_CONFLICT, 'a{x="1"} 1', Span(0, 10))


def test_a_help_text_alone_takes_the_type_that_another_declares() -> None:
    merged = merge(read("# HELP a Text.\n"), read("# TYPE a gauge\na 1\n"))
    assert render(merged) == b"# HELP a Text.\n# TYPE a gauge\na 1\n"


def test_help_conflicts_are_settled_for_the_first_input_and_reported() -> None:
    inputs = [read(f"# HELP a {text}\n", f"{number}.prom") for number, text in enumerate(["", "x", "y", "x", "y", "z"])]
    warnings: list[Diagnostic] = []
    merged = merge(*inputs, on_warning=warnings.append)
    assert merged["a"].help == "x"
    assert [(w.code, w.severity, w.filename) for w in warnings] == [
        (Code.HELP_CONFLICT, Severity.WARNING, "2.prom"),
        (Code.HELP_CONFLICT, Severity.WARNING, "5.prom"),
    ]
    assert warnings[0].related is not None
    assert (warnings[0].place.excerpt, warnings[0].related.excerpt) == ("# HELP a y", "# HELP a x")
    assert merge(*inputs) == merged


def test_an_error_carries_the_warnings_too() -> None:
    warnings: list[Diagnostic] = []
    with pytest.raises(ConsistencyError) as raised:
        merge(read("# HELP a x\na 1\n"), read("# HELP a y\na 1\n"), on_warning=warnings.append)
    assert [fault.code for fault in raised.value.diagnostics] == [Code.HELP_CONFLICT, Code.DUPLICATE_SAMPLE]
    assert warnings == []


def test_units() -> None:
    seconds, bytes_ = (MetricFamily("a", MetricType.GAUGE, unit=unit) for unit in ("seconds", "bytes"))
    assert merge(Exposition([seconds]), read("# TYPE a gauge\na 1\n"))["a"].unit == "seconds"
    [fault] = refused(Exposition([seconds]), Exposition([bytes_]))
    assert (fault.code, fault.severity) == (Code.UNIT_CONFLICT, Severity.ERROR)


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("# TYPE s summary\n", "s_count 1\n", "`s` and `s_count`"),
        ("s_count 1\n", "# TYPE s summary\n", "`s_count` and `s`"),
        ("# TYPE h histogram\n", "# TYPE h_bucket gauge\n", "`h` and `h_bucket`"),
        ('# TYPE "s.x" summary\n', '# TYPE "s.x_sum" gauge\n', "`s.x` and `s.x_sum`"),
    ],
)
def test_suffixes_that_collide_only_when_merged(first: str, second: str, names: str) -> None:
    [fault] = refused(read(first, "a.prom"), read(second, "b.prom"))
    assert str(fault) == f"b.prom: error[suffix-collision] metric families {names} collide"


def test_a_suffix_that_its_type_has_no_use_for_is_free() -> None:
    assert list(merge(read("# TYPE s summary\n"), read("s_bucket 1\n"))) == ["s", "s_bucket"]


# -------------------------------------------------------------------------------------------------- policy's text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("sum", "sum"),
        ("counter=sum", "refuse,counter=sum"),
        (" gauge = last , max,untyped=first", "max,gauge=last,unknown=first"),
    ],
)
def test_policies_from_text(text: str, canonical: str) -> None:
    policy = MergePolicy.parse(text)
    assert str(policy) == canonical
    assert MergePolicy.parse(str(policy)) == policy
    assert hash(MergePolicy.parse(canonical)) == hash(policy)
    assert pickle.loads(pickle.dumps(policy)) == policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown operation ``: expected one of refuse, first, last, sum, min, max"),
        ("sum,", "unknown operation ``: expected one of refuse, first, last, sum, min, max"),
        ("SUM", "unknown operation `SUM`: expected one of refuse, first, last, sum, min, max"),
        ("gauge=", "unknown operation ``: expected one of refuse, first, last, sum, min, max"),
        ("sum,last", "two operations for all types: `sum` and `last`"),
        ("gauge=sum,gauge=last", "two operations for the type gauge: `sum` and `last`"),
        ("unknown=sum,untyped=sum", "two operations for the type unknown: `sum` and `sum`"),
        ("guage=sum", f"unknown metric type `guage`: expected one of {', '.join(MetricType)}"),
    ],
)
def test_bad_policies_say_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        MergePolicy.parse(text)
    assert str(raised.value) == message


def test_a_policy_takes_plain_strings_but_no_other() -> None:
    assert MergePolicy("sum", {"gauge": "last"}).op_for(MetricType.GAUGE) == "last"  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="unknown operation"):
        MergePolicy("average")  # type: ignore[arg-type]
