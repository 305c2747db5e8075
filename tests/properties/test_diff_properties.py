"""diff tells all that must change, and nothing else."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import Diff, Exposition, MetricFamily, Sample, diff, parse, render
from expofmt.strategies import expositions

pytestmark = pytest.mark.usefixtures("engine")

LABELS = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
VALUES = st.sampled_from([0.0, 1.0, float("nan")])
SAMPLES = st.builds(lambda labels, value: Sample("a", labels, value), LABELS, VALUES)
# One family with few series, some of them given twice.
SMALL = st.lists(SAMPLES, max_size=6).map(lambda samples: Exposition([MetricFamily("a", samples=samples)]))
PAIRS = st.tuples(expositions(), expositions()) | st.tuples(SMALL, SMALL)


def counted(exposition: Exposition) -> Counter[Sample]:
    return Counter(sample for family in exposition.values() for sample in family.samples)


def changed(old: Exposition, changes: Diff) -> Counter[Sample]:
    """The old samples with the changes made."""
    samples = counted(old)
    for family in changes.families:
        samples.subtract([*family.samples.removed, *family.samples.old])
        assert min(samples.values(), default=0) >= 0
        samples.update([*family.samples.added, *family.samples.new])
    return +samples


@given(PAIRS)
def test_the_changes_lead_from_the_old_to_the_new(pair: tuple[Exposition, Exposition]) -> None:
    old, new = pair
    assert changed(old, diff(old, new)) == counted(new)


@given(PAIRS)
def test_the_way_back_is_the_same_way(pair: tuple[Exposition, Exposition]) -> None:
    old, new = pair
    there, back = diff(old, new), diff(new, old)
    assert [family.name for family in there.families] == [family.name for family in back.families]
    for one, other in zip(there.families, back.families, strict=True):
        assert counts(one.samples.removed) == counts(other.samples.added)
        assert counts(one.samples.added) == counts(other.samples.removed)
        assert counts(one.samples.old) == counts(other.samples.new)
        assert (one.added, one.removed) == (other.removed, other.added)
        assert one.type == (other.type and other.type[::-1])
        assert one.help == (other.help and other.help[::-1])


def counts(samples: object) -> Counter[Sample]:
    return Counter(samples)  # type: ignore[call-overload,no-any-return]


@given(PAIRS)
def test_no_difference_means_equal_but_for_order(pair: tuple[Exposition, Exposition]) -> None:
    old, new = pair
    assert bool(diff(old, new)) == (render(old) != render(new))


@given(expositions(), st.randoms(use_true_random=False))
def test_order_and_spelling_make_no_difference(exposition: Exposition, randomness: random.Random) -> None:
    families = [
        family.with_samples(randomness.sample(list(family.samples), len(family.samples)))
        for family in exposition.values()
    ]
    randomness.shuffle(families)
    assert not diff(exposition, Exposition(families))
    assert not diff(parse(render(exposition)), exposition)


@settings(max_examples=60)
@given(PAIRS)
def test_changed_samples_stand_side_by_side(pair: tuple[Exposition, Exposition]) -> None:
    for family in diff(*pair).families:
        for old, new in zip(family.samples.old, family.samples.new, strict=True):
            assert (old.series, old.timestamp_ns) == (new.series, new.timestamp_ns)
            assert old != new


@settings(max_examples=60)
@given(PAIRS)
def test_the_listing_has_a_line_for_each_change(pair: tuple[Exposition, Exposition]) -> None:
    changes = diff(*pair)
    expected = sum(
        1
        + len([what for what in (family.type, family.help, family.unit) if what])
        + len(family.samples.removed)
        + len(family.samples.added)
        + len(family.samples.old)
        for family in changes.families
    )
    assert len(list(changes.lines())) == expected
    assert str(changes).isprintable() or "\n" in str(changes)
