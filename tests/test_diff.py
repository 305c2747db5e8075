"""diff: every kind of change, in an order that does not depend on the input's."""

import pytest

from expofmt import Diff, Exposition, MetricFamily, MetricType, diff, parse

pytestmark = pytest.mark.usefixtures("engine")


def changes(old: str, new: str) -> Diff:
    return diff(parse(old), parse(new))


def listing(old: str, new: str) -> list[str]:
    return str(changes(old, new)).splitlines()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "# only a comment\n"),
        ("a 1\n", "a 1.0\n"),
        ("a NaN\n", "a nan\n"),
        ("a 0\n", "a -0\n"),
        ("a 1\nb 1\n", "b 1\na 1\n"),
        ('a{b="1",c="2"} 1\na 1\n', 'a 1\na{c="2",b="1",} 1\n'),
        ("a 1\n", "# TYPE a untyped\na 1\n"),
        ("a 1\na 2\n", "a 1\na 2\n"),
        ('# TYPE h histogram\nh_bucket{le="1.0"} 1\n', '# TYPE h histogram\nh_bucket{le="1"} 1\n'),
    ],
)
def test_what_makes_no_difference(old: str, new: str) -> None:
    difference = changes(old, new)
    assert not difference
    assert difference.families == ()
    assert str(difference) == ""


def test_added_removed_and_changed_series() -> None:
    old = 'a{x="gone"} 1\na{x="same"} 1\na{x="changed"} 1\n'
    new = 'a{x="changed"} 2\na{x="same"} 1\na{x="new"} 1\n'
    [family] = changes(old, new).families
    assert (family.added, family.removed, family.type, family.help, family.unit) == (False, False, None, None, None)
    samples = family.samples
    assert [str(sample) for sample in samples.removed] == ['a{x="gone"} 1']
    assert [str(sample) for sample in samples.added] == ['a{x="new"} 1']
    assert [str(sample) for sample in samples.old] == ['a{x="changed"} 1']
    assert [str(sample) for sample in samples.new] == ['a{x="changed"} 2']
    assert [*family.lines()] == ["~ a", '  - a{x="gone"} 1', '  + a{x="new"} 1', '  ~ a{x="changed"} 1 -> 2']


def test_a_timestamp_is_part_of_what_a_sample_is() -> None:
    assert listing("a 1 1\n", "a 1 2\n") == ["~ a", "  - a 1 1", "  + a 1 2"]
    assert listing("a 1 1\n", "a 2 1\n") == ["~ a", "  ~ a 1 1 -> 2"]


def test_types_helps_and_units() -> None:
    old = Exposition([MetricFamily("a", MetricType.GAUGE, "One.", "seconds")])
    new = Exposition([MetricFamily("a", MetricType.COUNTER, None, "bytes")])
    [family] = diff(old, new).families
    assert family.type == (MetricType.GAUGE, MetricType.COUNTER)
    assert family.help == ("One.", None)
    assert family.unit == ("seconds", "bytes")
    assert str(diff(old, new)).splitlines() == [
        "~ a",
        "  type: gauge -> counter",
        '  help: "One." -> none',
        '  unit: "seconds" -> "bytes"',
    ]


def test_an_empty_help_text_is_not_an_absent_one() -> None:
    assert listing("a 1\n", "# HELP a\na 1\n") == ["~ a", '  help: none -> ""']


def test_families_that_come_and_go() -> None:
    difference = changes("# TYPE b gauge\nb 1\nc 1\n", '# TYPE a counter\na 1\na{x="1"} 2\nc 1\n# TYPE d gauge\n')
    assert [(family.name, family.added, family.removed) for family in difference.families] == [
        ("a", True, False),
        ("b", False, True),
        ("d", True, False),
    ]
    assert [family.type for family in difference.families] == [None, None, None]
    assert str(difference).splitlines() == [
        "+ a: counter, 2 samples",
        "  + a 1",
        '  + a{x="1"} 2',
        "- b: gauge, 1 sample",
        "  - b 1",
        "+ d: gauge, 0 samples",
    ]


def test_the_order_is_canonical_whatever_that_of_the_input() -> None:
    old = "b 1\na 1\n"
    new = 'c 2\na{x="2"} 1\na{y="1",z="1"} 1\nb 2\na 3\na{x="10"} 1\n'
    scattered = 'a{x="10"} 1\nb 2\na 3\na{y="1",z="1"} 1\nc 2\na{x="2"} 1\n'
    assert listing(old, new) == listing(old, scattered)
    assert listing(old, new) == [
        "~ a",
        '  + a{x="10"} 1',
        '  + a{x="2"} 1',
        '  + a{y="1",z="1"} 1',
        "  ~ a 1 -> 3",
        "~ b",
        "  ~ b 1 -> 2",
        "+ c: unknown, 1 sample",
        "  + c 2",
    ]


def test_buckets_are_in_order_of_their_bounds() -> None:
    old = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="5"} 1\nh_bucket{le="10"} 1\nh_bucket{le="+Inf"} 1\n'
    lines = listing(old + "h_sum 1\nh_count 1\n", old.replace("} 1", "} 2") + "h_sum 1\nh_count 2\n")
    assert [line.split('"')[1] for line in lines if "le=" in line] == ["1", "5", "10", "+Inf"]
    assert lines[-1] == "  ~ h_count 1 -> 2"


def test_repeated_samples_are_compared_one_by_one() -> None:
    assert listing("a 1\na 2\n", "a 1\n") == ["~ a", "  - a 2"]
    assert listing("a 1\n", "a 1\na 1\n") == ["~ a", "  + a 1"]
    assert listing("a 1\na 2\nb 1\n", "a 1\nb 1\na 3\n") == ["~ a", "  ~ a 2 -> 3"]


def test_the_listing_is_fit_for_a_terminal() -> None:
    assert listing("", '{"a\x1b[2J",b="\u202e\\n"} 1\n') == [
        "+ a\\x1b[2J: unknown, 1 sample",
        '  + {"a\\x1b[2J",b="\\u202e\\n"} 1',
    ]
