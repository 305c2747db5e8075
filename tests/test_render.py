"""render(): the canonical order and bytes, and what it refuses to write."""

from __future__ import annotations

import itertools
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import (
    Bucket,
    Code,
    ConsistencyError,
    Diagnostic,
    EscapingScheme,
    Exemplar,
    Exposition,
    Format,
    HistogramMetric,
    LabelSet,
    MetricFamily,
    MetricType,
    Quantile,
    Sample,
    Severity,
    SummaryMetric,
    parse,
    render,
)
from expofmt.names import escape_name
from expofmt.strategies import exposition_text, expositions

SCRAPES = sorted((Path(__file__).parent / "data").glob("*.prom"))

pytestmark = pytest.mark.usefixtures("engine")


def lines(*families: MetricFamily, escaping: EscapingScheme | None = None) -> list[str]:
    """What is written of families, without the metadata."""
    return [line for line in render(families, escaping=escaping).decode().splitlines() if not line.startswith("#")]


def gauge(*samples: tuple[dict[str, str], float]) -> MetricFamily:
    return MetricFamily.gauge("a", samples)


def raised(*families: MetricFamily, lossy: bool = False, escaping: EscapingScheme | None = None) -> list[Diagnostic]:
    with pytest.raises(ConsistencyError) as caught:
        render(families, lossy=lossy, escaping=escaping)
    return list(caught.value.diagnostics)


# ----------------------------------------------------------------------------------------------------- canonical order


def test_families_are_sorted_by_name_and_samples_are_not_moved_between_them() -> None:
    families = [MetricFamily.gauge(name, 1) for name in ("b", "a_b", "a", "aa", "B", "é", "a:b")]
    assert lines(*families) == ["B 1", "a 1", "a:b 1", "a_b 1", "aa 1", "b 1", '{"é"} 1']


@pytest.mark.parametrize(
    "ordered",
    [
        # Fewer labels first.
        [({}, 1), ({"z": "9"}, 1), ({"a": "1", "b": "1"}, 1)],
        # Then the values, position by position, in the order of the names.
        [({"a": "1", "b": "2"}, 1), ({"a": "1", "b": "3"}, 1), ({"a": "2", "b": "1"}, 1)],
        [({"b": "1"}, 1), ({"a": "2"}, 1)],
        [({"a": "", "b": "z"}, 1), ({"a": "a", "b": ""}, 1)],
        # Then the names.
        [({"a": "1"}, 1), ({"b": "1"}, 1)],
        # By code points, which is by bytes of UTF-8.
        [({"a": "Z"}, 1), ({"a": "a"}, 1), ({"a": "é"}, 1), ({"a": "\uffff"}, 1), ({"a": "\U00010000"}, 1)],
    ],
)
def test_samples_by_labels(ordered: list[tuple[dict[str, str], float]]) -> None:
    expected = [str(sample) for sample in gauge(*ordered).samples]
    for order in itertools.permutations(ordered):
        assert lines(gauge(*order)) == expected


def test_then_by_time_the_one_without_last_then_as_given() -> None:
    samples = [Sample("a", {}, 1), Sample("a", {}, 5, 2_000_000), Sample("a", {}, 3, -1_000_000), Sample("a", {}, 2)]
    assert lines(MetricFamily("a", samples=samples)) == ["a 3 -1", "a 5 2", "a 1", "a 2"]


def test_labels_are_sorted_by_name_and_every_sample_is_written() -> None:
    assert lines(gauge(({"b": "1", "B": "2", "a": "3", "é": ""}, 1))) == ['a{B="2",a="3",b="1","é"=""} 1']
    assert lines(gauge(({"a": "1"}, 1), ({"a": "1"}, 1))) == ['a{a="1"} 1', 'a{a="1"} 1']


HISTOGRAM = """\
# TYPE h histogram
h_bucket{z="1",le="0.5"} 1
h_bucket{z="1",le="2"} 2
h_bucket{z="1",le="10"} 3
h_bucket{z="1",le="+Inf"} 4
h_sum{z="1"} 9
h_count{z="1"} 4
h_bucket{z="2",le="-Inf"} 0
h_bucket{z="2",le="-1"} 0
h_bucket{z="2",le="+Inf"} 1
h_sum{z="2"} 1
h_count{z="2"} 1
"""
SUMMARY = """\
# TYPE s summary
s{quantile="0"} 1
s{quantile="0.5"} 2
s{quantile="0.99"} 3
s_sum 9
s_count 4
s{z="1",quantile="1"} 2
s_sum{z="1"} 1
s_count{z="1"} 1
"""


@pytest.mark.parametrize("canonical", [HISTOGRAM, SUMMARY], ids=["histogram", "summary"])
def test_points_ascend_by_number_then_sum_then_count(canonical: str) -> None:
    head, *rest = canonical.splitlines(keepends=True)
    for seed in range(20):
        random.Random(seed).shuffle(rest)
        assert render(parse(head + "".join(rest))).decode() == canonical


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        *[(infinity, "+Inf") for infinity in ("Inf", "inf", "+INF", "infinity", "+Infinity")],
        *(("-infinity", "-Inf"), ("1.0", "1"), ("1e1", "10"), ("1e6", "1e+06"), ("+.50", "0.5"), ("0.00001", "1e-05")),
        *(("-0", "0"), ("foo", "foo"), ("0x1", "0x1"), ("", "")),
    ],
)
def test_bounds_are_written_canonically_where_they_are_numbers(written: str, canonical: str) -> None:
    bucket = MetricFamily("h", MetricType.HISTOGRAM, samples=[Sample("h_bucket", {"le": written, "z": ""}, 1)])
    assert lines(bucket) == [f'h_bucket{{z="",le="{canonical}"}} 1']
    quantile = MetricFamily("s", MetricType.SUMMARY, samples=[Sample("s", {"quantile": written, "z": ""}, 1)])
    assert lines(quantile) == [f's{{z="",quantile="{canonical}"}} 1']


def test_le_and_quantile_are_labels_like_others_elsewhere() -> None:
    assert lines(gauge(({"le": "1.0", "quantile": "inf", "z": ""}, 1))) == ['a{le="1.0",quantile="inf",z=""} 1']
    histogram = MetricFamily("h", MetricType.HISTOGRAM, samples=[Sample("h_count", {"le": "1.0", "z": ""}, 1)])
    assert lines(histogram) == ['h_count{le="1.0",z=""} 1']
    summary = MetricFamily("s", MetricType.SUMMARY, samples=[Sample("s", {"le": "1.0", "quantile": "1.0"}, 1)])
    assert lines(summary) == ['s{le="1.0",quantile="1"} 1']


def test_a_point_without_its_label_comes_last_of_the_points() -> None:
    histogram = '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_bucket{le="x"} 1\nh_bucket 1\nh_sum 1\nh_count 1\nh 1\n'
    assert render(parse(histogram)).decode() == histogram


def test_built_families() -> None:
    histogram = HistogramMetric(LabelSet(z="1"), buckets=(Bucket(math.inf, 2), Bucket(1, 1)), sum=3, count=2)
    summary = SummaryMetric(quantiles=(Quantile(0.5, math.nan),), sum=0, count=0)
    assert lines(MetricFamily.histogram("h", [histogram]), MetricFamily.summary("s", [summary])) == [
        *('h_bucket{z="1",le="1"} 1', 'h_bucket{z="1",le="+Inf"} 2', 'h_sum{z="1"} 3', 'h_count{z="1"} 2'),
        *('s{quantile="0.5"} NaN', "s_sum 0", "s_count 0"),
    ]


# --------------------------------------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (-0.0, "0"), (1, "1"), (999999, "999999"), (1e6, "1e+06"), (1234567, "1.234567e+06")),
        *((0.0001, "0.0001"), (0.00001, "1e-05"), (1e100, "1e+100"), (5e-324, "5e-324"), (1e21, "1e+21")),
        *((math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (2**53 + 1, "9.007199254740992e+15")),
    ],
)
def test_numbers_are_spelt_as_prometheus_does(value: float, text: str) -> None:
    assert lines(MetricFamily.gauge("a", value)) == [f"a {text}"]


@pytest.mark.parametrize(
    ("help", "line"),
    [
        ("", "# HELP a \n"),
        ("x", "# HELP a x\n"),
        ('C:\\n "q"\n\tx  ', '# HELP a C:\\\\n "q"\\n\tx  \n'),
        ("é\x00\u2028", "# HELP a é\x00\u2028\n"),
        (None, ""),
    ],
)
def test_help(help: str | None, line: str) -> None:
    text = render([MetricFamily("a", MetricType.COUNTER, help)])
    assert text.decode() == f"{line}# TYPE a counter\n"
    assert parse(text)["a"].help == help


@pytest.mark.parametrize(
    ("type", "word"),
    [
        (MetricType.UNKNOWN, "untyped"),
        (MetricType.COUNTER, "counter"),
        (MetricType.GAUGE, "gauge"),
        (MetricType.HISTOGRAM, "histogram"),
        (MetricType.SUMMARY, "summary"),
    ],
)
def test_every_family_has_its_type_even_without_samples(type: MetricType, word: str) -> None:
    assert render([MetricFamily("a", type)]).decode() == f"# TYPE a {word}\n"


def test_an_empty_exposition_is_no_byte() -> None:
    assert render([]) == render(Exposition()) == b""


@pytest.mark.parametrize(
    ("name", "labels", "line"),
    [
        ("a", {"b": 'x\\y"z\n'}, 'a{b="x\\\\y\\"z\\n"} 1'),
        ("a.b", {}, '{"a.b"} 1'),
        ("a.b", {"c": "d"}, '{"a.b",c="d"} 1'),
        ("a", {"b.c": "d", "b:c": "e"}, 'a{"b.c"="d","b:c"="e"} 1'),
        ('a"\\\n', {'"': ""}, '{"a\\"\\\\\\n","\\""=""} 1'),
        ("1a", {"1b": ""}, '{"1a","1b"=""} 1'),
        ("日本", {}, '{"日本"} 1'),
    ],
)
def test_quotes_and_escapes(name: str, labels: dict[str, str], line: str) -> None:
    family = MetricFamily.gauge(name, [(labels, 1)], help="x")
    text = render([family]).decode()
    assert text.split("\n")[2] == line
    assert parse(text) == Exposition([family])


def test_bytes_of_prometheus_encoder() -> None:
    # What expfmt of prometheus/common writes for these families.
    families = [
        MetricFamily.counter(
            "name",
            [
                (LabelSet(labelname="val1", basename="basevalue"), math.nan),
                (LabelSet(labelname="val2", basename='base"v\\al\nue'), 0.23),
            ],
            help="two-line\n doc  str\\ing",
        ),
        MetricFamily(
            "request_duration_microseconds",
            MetricType.HISTOGRAM,
            "The response latency.",
            samples=[
                *(
                    Sample("request_duration_microseconds_bucket", {"le": le}, count)
                    for le, count in (("100", 123), ("120", 412), ("144", 592), ("172.8", 1524), ("+Inf", 2693))
                ),
                Sample("request_duration_microseconds_sum", {}, 1756047.3),
                Sample("request_duration_microseconds_count", {}, 2693),
            ],
        ),
    ]
    assert render(families).decode() == (
        "# HELP name two-line\\n doc  str\\\\ing\n"
        "# TYPE name counter\n"
        'name{basename="base\\"v\\\\al\\nue",labelname="val2"} 0.23\n'
        'name{basename="basevalue",labelname="val1"} NaN\n'
        "# HELP request_duration_microseconds The response latency.\n"
        "# TYPE request_duration_microseconds histogram\n"
        'request_duration_microseconds_bucket{le="100"} 123\n'
        'request_duration_microseconds_bucket{le="120"} 412\n'
        'request_duration_microseconds_bucket{le="144"} 592\n'
        'request_duration_microseconds_bucket{le="172.8"} 1524\n'
        'request_duration_microseconds_bucket{le="+Inf"} 2693\n'
        "request_duration_microseconds_sum 1.7560473e+06\n"
        "request_duration_microseconds_count 2693\n"
    )


def test_equal_bytes_with_every_hash_seed(engine: str) -> None:
    program = (
        "import sys; from expofmt import EscapingScheme, engine, parse, render; engine.use(sys.argv[1])\n"
        "exposition = parse(sys.stdin.buffer.read())\n"
        "sys.stdout.buffer.write(render(exposition) + render(exposition, escaping=EscapingScheme.VALUES))"
    )
    text = b'b 2\n{"a.b",z="1","y.x"="2"} 1\n{"a.b",z="1"} 1\n{"a.b",w="1"} 1\n# TYPE c gauge\nc{b="",a=""} 3\n'
    found = {
        subprocess.run(
            [sys.executable, "-c", program, engine],
            input=text,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


# ------------------------------------------------------------------------------------------------------------ escaping


@pytest.mark.parametrize(
    ("scheme", "family", "sample"),
    [
        (EscapingScheme.ALLOW_UTF8, '"a.b_c"', '{"a.b_c","x.y"="1",z_z="2"} 1'),
        (EscapingScheme.UNDERSCORES, "a_b_c", 'a_b_c{x_y="1",z_z="2"} 1'),
        (EscapingScheme.DOTS, "a_dot_b__c", 'a_dot_b__c{x_dot_y="1",z_z="2"} 1'),
        (EscapingScheme.VALUES, "U__a_2e_b__c", 'U__a_2e_b__c{U__x_2e_y="1",z_z="2"} 1'),
    ],
)
def test_names_are_escaped_in_metadata_samples_and_labels(scheme: EscapingScheme, family: str, sample: str) -> None:
    given = MetricFamily.gauge("a.b_c", [({"x.y": "1", "z_z": "2"}, 1)], help="x.y")
    expected = f"# HELP {family} x.y\n# TYPE {family} gauge\n{sample}\n"
    assert render([given], escaping=scheme).decode() == expected


UNDERSCORES, DOTS, VALUES = EscapingScheme.UNDERSCORES, EscapingScheme.DOTS, EscapingScheme.VALUES


@pytest.mark.parametrize("scheme", [UNDERSCORES, DOTS, VALUES])
def test_parts_stay_with_their_family_under_escaping(scheme: EscapingScheme) -> None:
    # As Prometheus' encoder does: the family's name is escaped, then the ending is added.
    histogram = HistogramMetric(LabelSet(z="1"), buckets=(Bucket(math.inf, 2),), sum=3, count=2)
    summary = SummaryMetric(quantiles=(Quantile(0.5, 1),), sum=0, count=0)
    families = [MetricFamily.histogram("h.x", [histogram]), MetricFamily.summary("s_x", [summary])]
    again = parse(render(families, escaping=scheme), strict=True)
    assert [len(family.samples) for family in again.values()] == [3, 3]
    assert [family.type for family in again.values()] == [MetricType.HISTOGRAM, MetricType.SUMMARY]


@pytest.mark.parametrize("scheme", [UNDERSCORES, DOTS, VALUES])
def test_what_is_escaped_is_in_order_of_what_was_given(scheme: EscapingScheme) -> None:
    # As Prometheus' own encoder leaves it. A dot sorts before a capital, an underscore after it.
    families = [
        MetricFamily.gauge("a.b", [({"l.a": "1", "lB": "2"}, 1), ({"l.a": "2", "lB": "1"}, 2)]),
        MetricFamily.gauge("aB", 1),
    ]
    text = render(families, escaping=scheme)
    assert [family.name for family in parse(text).values()] == [escape_name("a.b", scheme), "aB"]
    first, second = parse(text)[escape_name("a.b", scheme)].samples
    assert (first.value, second.value) == (1, 2)


@pytest.mark.parametrize(
    ("scheme", "first", "second"),
    [
        (EscapingScheme.UNDERSCORES, "a.b", "a_b"),
        (EscapingScheme.UNDERSCORES, "a.b", "a-b"),
        (EscapingScheme.DOTS, "a-b", "a__b"),
        (EscapingScheme.VALUES, "a.b", "U__a_2e_b"),
    ],
)
def test_names_that_escaping_makes_one_are_refused(scheme: EscapingScheme, first: str, second: str) -> None:
    families = [MetricFamily.gauge(first, 1), MetricFamily.gauge(second, 2)]
    assert render(families)
    assert [d.code for d in raised(*families, escaping=scheme)] == [Code.SUFFIX_COLLISION]
    labelled = gauge(({first: "1"}, 1), ({second: "1"}, 2))
    assert render([labelled])
    [diagnostic] = raised(labelled, escaping=scheme, lossy=True)
    assert diagnostic.code is Code.FORMAT_LOSS
    assert first in diagnostic.message
    assert second in diagnostic.message


def test_a_suffix_that_escaping_makes_is_refused() -> None:
    families = [MetricFamily("s", MetricType.SUMMARY), MetricFamily.gauge("s.count", 1)]
    assert render(families)
    assert [d.code for d in raised(*families, escaping=EscapingScheme.UNDERSCORES)] == [Code.SUFFIX_COLLISION]


# ------------------------------------------------------------------------------------------------- what it cannot write


@pytest.mark.parametrize(
    ("type", "name"),
    [
        (MetricType.GAUGE, "b"),
        (MetricType.COUNTER, "a_total"),
        (MetricType.GAUGE, "a_sum"),
        (MetricType.SUMMARY, "a_bucket"),
        (MetricType.HISTOGRAM, "a_created"),
    ],
)
def test_a_foreign_sample_is_refused(type: MetricType, name: str) -> None:
    family = MetricFamily("a", type, samples=[Sample("a", {"quantile": "0"}, 1), Sample(name, {}, 1)])
    [diagnostic] = raised(family, lossy=True)
    assert diagnostic.code is Code.FOREIGN_SAMPLE
    assert diagnostic.message == f"sample `{name}` does not belong to metric family `a`"


@pytest.mark.parametrize(
    ("type", "suffix"),
    [
        *((MetricType.HISTOGRAM, suffix) for suffix in ("_bucket", "_sum", "_count")),
        *((MetricType.SUMMARY, suffix) for suffix in ("_sum", "_count")),
    ],
)
def test_a_family_whose_samples_would_be_read_as_another_s_is_refused(type: MetricType, suffix: str) -> None:
    families = [MetricFamily.gauge("a" + suffix, 1), MetricFamily("a", type)]
    [diagnostic] = raised(*families, lossy=True)
    assert diagnostic.code is Code.SUFFIX_COLLISION
    assert diagnostic.related is not None
    assert render([families[0], MetricFamily("a", MetricType.GAUGE)])


def test_two_families_of_a_name_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="'a' is given twice"):
        render([MetricFamily.gauge("a", 1), MetricFamily.gauge("a", 2)])


EXEMPLAR = Exemplar({"trace": "1"}, 1)
LOSSES = {
    "exemplars": (MetricFamily("a", samples=[Sample("a", {}, 1, exemplars=[EXEMPLAR])]), "# TYPE a untyped\na 1\n"),
    "start timestamps": (
        MetricFamily("a", samples=[Sample("a", {}, 1, start_timestamp_ns=1)]),
        "# TYPE a untyped\na 1\n",
    ),
    "units": (MetricFamily.gauge("a_seconds", 1, unit="seconds"), "# TYPE a_seconds gauge\na_seconds 1\n"),
    "type info": (
        MetricFamily("a", MetricType.INFO, "x", samples=[Sample("a_info", {"b": "c"}, 1)]),
        '# HELP a_info x\n# TYPE a_info gauge\na_info{b="c"} 1\n',
    ),
    "type stateset": (
        MetricFamily("a", MetricType.STATESET, samples=[Sample("a", {"a": "on"}, 1)]),
        '# TYPE a gauge\na{a="on"} 1\n',
    ),
    "type gaugehistogram": (
        MetricFamily("a", MetricType.GAUGEHISTOGRAM, samples=[Sample("a_gsum", {}, 1), Sample("a_gcount", {}, 2)]),
        "# TYPE a_gcount gauge\na_gcount 2\n# TYPE a_gsum gauge\na_gsum 1\n",
    ),
    "HELP": (MetricFamily("a", help=" \tx y\r"), "# HELP a x y\n# TYPE a untyped\n"),
}


@pytest.mark.parametrize("what", LOSSES)
def test_what_the_format_cannot_hold(what: str) -> None:
    family, text = LOSSES[what]
    [diagnostic] = raised(family)
    assert (diagnostic.code, diagnostic.severity) == (Code.FORMAT_LOSS, Severity.ERROR)
    assert what in diagnostic.message
    told: list[Diagnostic] = []
    assert render([family], lossy=True, on_warning=told.append).decode() == text
    assert [(d.code, d.severity, d.message) for d in told] == [
        (Code.FORMAT_LOSS, Severity.WARNING, diagnostic.message),
    ]
    assert render([family], lossy=True).decode() == text


@pytest.mark.parametrize(("time", "text"), [(1_500_000, "1"), (-1, "-1"), (1, "0"), (-1_000_001, "-2")])
def test_what_of_a_time_is_finer_than_a_millisecond(time: int, text: str) -> None:
    family = MetricFamily("a", samples=[Sample("a", {}, 1, time)])
    [diagnostic] = raised(family)
    assert diagnostic.code is Code.TIMESTAMP_PRECISION
    told: list[Diagnostic] = []
    assert render([family], lossy=True, on_warning=told.append).decode().endswith(f"a 1 {text}\n")
    assert [(d.code, d.severity) for d in told] == [(Code.TIMESTAMP_PRECISION, Severity.WARNING)]


def test_nothing_is_said_where_nothing_is_lost() -> None:
    told: list[Diagnostic] = []
    exposition = parse("# TYPE a unknown\na 1 5\n")
    assert render(exposition, on_warning=told.append) == b"# TYPE a untyped\na 1 5\n"
    assert told == []


def test_each_kind_of_loss_is_told_once_a_family_and_all_families_are() -> None:
    samples = [Sample("a", {"b": str(number)}, 1, exemplars=[EXEMPLAR]) for number in range(9)]
    families = [MetricFamily("a", unit="x", samples=samples), MetricFamily("b", MetricType.INFO)]
    assert len(raised(*families)) == 3


@pytest.mark.parametrize("format", [Format.OPENMETRICS_1_0, Format.OPENMETRICS_2_0])
def test_a_format_that_is_not_written_is_a_value_error_that_names_it(format: Format) -> None:
    with pytest.raises(ValueError, match=str(format)):
        render([MetricFamily.gauge("a", 1)], format=format)


def test_the_format_is_that_of_the_exposition() -> None:
    exposition = Exposition([MetricFamily.gauge("a", 1)], format=Format.OPENMETRICS_1_0)
    with pytest.raises(ValueError, match=r"openmetrics-1\.0"):
        render(exposition)
    assert render(exposition, format=Format.TEXT) == b"# TYPE a gauge\na 1\n"


# ---------------------------------------------------------------------------------------------------------- properties


def test_it_matters_not_whether_anybody_has_looked_at_what_was_read() -> None:
    for scrape in SCRAPES:
        exposition = parse(scrape.read_bytes())
        text = render(exposition)
        families = [*exposition.values()]
        assert render(exposition) == render(families) == render(reversed(families)) == text
        assert render(exposition.select("go_*")) == render(family for family in families if family.name[:3] == "go_")


def test_a_long_text_is_that_of_its_families() -> None:
    def family(number: int, count: int) -> MetricFamily:
        return MetricFamily.gauge(f"f{number}", [({"a": f"{i:05}", "b": "x" * 1000}, i) for i in range(count)])

    families = [family(number, count) for number, count in enumerate([1, 1200, 0, 1200, 700, 700, 1])]
    text = b"".join(render([family]) for family in families)
    assert len(text) > 3_000_000
    assert render(families) == render(parse(text)) == text


def test_a_family_of_a_derived_class_is_written_like_others() -> None:
    class Derived(MetricFamily):
        pass

    assert render([Derived.gauge("b", 1), MetricFamily.gauge("a", 2)]) == b"# TYPE a gauge\na 2\n# TYPE b gauge\nb 1\n"


@given(expositions())
@settings(max_examples=100)
def test_what_is_written_is_read_back(exposition: Exposition) -> None:
    text = render(exposition)
    again = parse(text)
    assert again.sample_count == exposition.sample_count
    assert {name: (f.type, f.help) for name, f in again.items()} == {
        name: (f.type, f.help) for name, f in exposition.items()
    }
    assert render(again) == text


@given(exposition_text(), st.randoms())
@settings(max_examples=50)
def test_the_order_of_lines_does_not_matter(data: bytes, shuffler: random.Random) -> None:
    exposition = parse(data)
    families = []
    for family in exposition.values():
        # Samples of one series and time keep their order: they are the only ones that it can tell apart.
        if family.samples.duplicates(name=family.name, type=family.type):
            families.append(family)
        else:
            samples = list(family.samples)
            shuffler.shuffle(samples)
            families.append(family.with_samples(samples))
    shuffler.shuffle(families)
    assert render(families) == render(exposition)


@pytest.mark.parametrize("scheme", [EscapingScheme.ALLOW_UTF8, UNDERSCORES, DOTS, VALUES])
def test_real_scrapes_in_each_scheme(scheme: EscapingScheme) -> None:
    assert SCRAPES
    for scrape in SCRAPES:
        exposition = parse(scrape.read_bytes())
        text = render(exposition, escaping=scheme)
        assert render(parse(text)) == text
        assert parse(text).sample_count == exposition.sample_count
