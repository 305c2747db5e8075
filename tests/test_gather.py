"""What an engine remembers of many owners: who holds which series, and a family that many have a part in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expofmt import EscapingScheme, Exemplar, Format, LabelSet, MetricFamily, MetricType, Sample, Samples
from expofmt import engine as seam
from expofmt.engine.seam import Engine, Gathered, SeriesIndex
from expofmt.strategies import label_sets

pytestmark = pytest.mark.usefixtures("engine")


def read(text: str) -> Samples:
    """The samples of a text's only family."""
    [family] = seam.scan(text.encode(), Format.TEXT).families
    return family.samples


def numbered(*numbers: int) -> Samples:
    return read("".join(f'a{{n="{number}"}} {number}\n' for number in numbers))


def encoded(name: str, type: MetricType, samples: Samples) -> bytes:
    """The sample lines of a family."""
    family = MetricFamily(name, type, samples=samples)
    text = seam.encode([family], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
    return text.partition(b"\n")[2]


def other_engine(name: str) -> Engine:
    """The one that is not in use, as far as it is installed."""
    try:
        return cast(Engine, import_module("expofmt.engine." + {"native": "lark", "lark": "_native"}[name]))
    except ModuleNotFoundError:
        pytest.skip("there is no other engine")


# --------------------------------------------------------------------------------------------------------- series index


@pytest.fixture
def index(engine: str) -> SeriesIndex:
    return seam.SeriesIndex()


def add(index: SeriesIndex, samples: Samples, owner: int) -> None:
    index.replace(owner, [], [samples])


def remove(index: SeriesIndex, samples: Samples, owner: int) -> None:
    index.replace(owner, [samples], [])


def test_a_series_is_a_conflict_to_all_but_its_owner(index: SeriesIndex) -> None:
    add(index, numbered(1, 2), 0)
    add(index, numbered(3), 4_294_967_295)
    assert len(index) == 3
    assert index.conflicts(numbered(0, 3, 2, 1), 0) == [(1, 4_294_967_295)]
    assert index.conflicts(numbered(0, 3, 2, 1), 1) == [(1, 4_294_967_295), (2, 0), (3, 0)]
    assert index.conflicts(seam.pack([]), 1) == []


def test_times_and_values_and_spelling_make_no_other_series(index: SeriesIndex) -> None:
    add(index, read('a{b="1",c="2"} 1 5\na{b="1",c="2"} 2\n'), 1)
    assert len(index) == 1
    assert index.conflicts(read('a{c="2" , b="1",} 3 7\n'), 2) == [(0, 1)]
    for line in ('a{b="1"} 1\n', 'a{b="1",c="2",d=""} 1\n', 'b{b="1",c="2"} 1\n'):
        assert index.conflicts(read(line), 2) == []


def test_what_another_owner_holds_cannot_be_added(index: SeriesIndex) -> None:
    add(index, numbered(1, 2), 1)
    with pytest.raises(ValueError, match=r"^sample 1 is of a series that owner 1 holds$"):
        add(index, numbered(3, 2, 1, 4), 2)
    assert len(index) == 2
    assert index.conflicts(numbered(3, 4), 5) == []


def test_an_owner_adds_and_removes_what_it_holds_as_often_as_it_likes(index: SeriesIndex) -> None:
    add(index, numbered(1, 1, 2), 1)
    add(index, numbered(2, 3), 1)
    assert len(index) == 3
    remove(index, numbered(1, 2, 3, 4), 2)
    assert len(index) == 3
    remove(index, numbered(1, 1, 4), 1)
    remove(index, numbered(1), 1)
    assert len(index) == 2
    add(index, numbered(1), 2)
    assert index.conflicts(numbered(1, 2, 3), 3) == [(0, 2), (1, 1), (2, 1)]


def test_it_grows_and_shrinks(index: SeriesIndex) -> None:
    for owner in range(100):
        add(index, numbered(*range(100 * owner, 100 * owner + 100)), owner)
    assert len(index) == 10_000
    everything = numbered(*range(10_000))
    assert index.conflicts(everything, 7) == [(n, n // 100) for n in range(10_000) if n // 100 != 7]
    for owner in range(1, 100):
        remove(index, everything, owner)
    assert len(index) == 100
    assert index.conflicts(everything, 7) == [(n, 0) for n in range(100)]
    remove(index, everything, 0)
    assert len(index) == 0


@pytest.mark.parametrize("owner", [-1, 2**32, 2**64, -(2**64)])
def test_an_owner_is_a_number_of_32_bits(index: SeriesIndex, owner: int) -> None:
    family = seam.Gathered("a", MetricType.GAUGE)
    for call in (index.conflicts, partial(add, index), partial(remove, index), family.put):
        with pytest.raises(ValueError, match=f"^an owner is a number from 0 to 4294967295, not {owner}$"):
            call(numbered(1), owner)
    with pytest.raises(ValueError, match=f"not {owner}$"):
        family.remove(owner)
    assert len(index) == len(family) == 0


@pytest.mark.parametrize("owner", ["1", 1.0, None])
def test_what_is_no_number_is_no_owner(index: SeriesIndex, owner: object) -> None:
    family = seam.Gathered("a", MetricType.GAUGE)
    for call in (index.conflicts, partial(add, index), partial(remove, index), family.put):
        with pytest.raises(TypeError):
            call(numbered(1), owner)  # type: ignore[arg-type]


def test_the_other_engines_samples_are_as_good(engine: str, index: SeriesIndex) -> None:
    other = other_engine(engine)
    theirs = other.pack(numbered(1, 2))
    add(index, theirs, 1)
    assert index.conflicts(numbered(2), 2) == [(0, 1)]
    assert index.conflicts(theirs, 2) == [(0, 1), (1, 1)]
    remove(index, theirs, 1)
    assert len(index) == 0
    family = seam.Gathered("a", MetricType.GAUGE)
    family.put(theirs, 1)
    assert family.text() == b'a{n="1"} 1\na{n="2"} 2\n'
    assert list(family.samples()) == list(theirs)


def test_series_are_replaced_all_at_once(index: SeriesIndex) -> None:
    index.replace(1, [], [numbered(1, 2), read("b 1\n")])
    index.replace(2, [], [numbered(7)])
    assert len(index) == 4
    # One of them moves from a family to another one.
    assert index.allows(1, [numbered(1, 2), read("b 1\n")], [read("b 2\n"), numbered(2, 3)])
    index.replace(1, [numbered(1, 2), read("b 1\n")], [read("b 2\n"), numbered(2, 3)])
    assert index.conflicts(numbered(1, 2, 3, 7), 1) == [(3, 2)]
    assert index.conflicts(read("b 1\n"), 2) == [(0, 1)]
    index.replace(1, (numbered(2, 3),), (numbered(3, 2),))
    index.replace(1, [read("b 1\n")], [])
    assert index.conflicts(numbered(1, 2, 3, 7), 3) == [(1, 1), (2, 1), (3, 2)]
    assert len(index) == 3


def test_what_another_owner_holds_replaces_nothing(index: SeriesIndex) -> None:
    add(index, numbered(1, 2), 1)
    add(index, numbered(3), 2)
    assert not index.allows(2, [numbered(3)], [numbered(4), read("b 1\n"), numbered(2)])
    with pytest.raises(ValueError, match=r"^sample 2 is of a series that owner 1 holds$"):
        index.replace(2, [numbered(3)], [numbered(4), read("b 1\n"), numbered(2)])
    assert len(index) == 3
    assert index.conflicts(numbered(1, 2, 3), 3) == [(0, 1), (1, 1), (2, 2)]


def test_other_values_and_times_and_spellings_replace_no_series(index: SeriesIndex) -> None:
    add(index, numbered(1, 2), 1)
    index.replace(1, [numbered(1, 2)], [read('a{n="1"} 5 7\na{n="2"} 6\n')])
    index.replace(1, [numbered(1, 2)], [read('a{ n="1", } 5\n'), read('a{n="2"} 6\n')])
    assert index.conflicts(numbered(1, 2), 2) == [(0, 1), (1, 1)]
    assert len(index) == 2


class Model:
    """A series index in the plainest way."""

    def __init__(self) -> None:
        self.owners: dict[tuple[str, LabelSet], int] = {}

    def conflicts(self, samples: Sequence[Sample], owner: int) -> list[tuple[int, int]]:
        held = [self.owners.get((sample.name, sample.labels), owner) for sample in samples]
        return [(number, holder) for number, holder in enumerate(held) if holder != owner]

    def add(self, samples: Sequence[Sample], owner: int) -> None:
        self.owners |= {(sample.name, sample.labels): owner for sample in samples}

    def remove(self, samples: Sequence[Sample], owner: int) -> None:
        for sample in samples:
            if self.owners.get((sample.name, sample.labels)) == owner:
                del self.owners[sample.name, sample.labels]


FEW_SAMPLES: Final = st.lists(
    st.builds(Sample, st.sampled_from(("a", "b")), label_sets(max_size=1) | st.just(LabelSet(x="1")), st.just(1.0)),
    max_size=6,
)
OWNERS: Final = st.sampled_from((0, 1, 2, 3_000_000_000))


@given(st.lists(st.tuples(st.sampled_from(("add", "remove", "replace")), FEW_SAMPLES, OWNERS), max_size=12))
def test_it_does_what_a_dictionary_would(steps: list[tuple[str, list[Sample], int]]) -> None:
    index, model = seam.SeriesIndex(), Model()
    for how, objects, owner in steps:
        samples = seam.pack(objects)
        conflicts = model.conflicts(objects, owner)
        assert index.conflicts(samples, owner) == conflicts
        assert index.allows(owner, [], [samples]) == (not conflicts)
        mine = [Sample(name, labels, 1) for (name, labels), holder in model.owners.items() if holder == owner]
        if how == "remove":
            remove(index, samples, owner)
            model.remove(objects, owner)
        elif how == "replace" and conflicts:
            with pytest.raises(ValueError):
                index.replace(owner, [seam.pack(mine)], [samples])
        elif how == "replace":
            # Of what it keeps it need not be told.
            gone = mine[len(mine) // 2 :]
            index.replace(owner, [seam.pack(gone)], [samples[:2], samples[2:]])
            model.remove(gone, owner)
            model.add(objects, owner)
        elif conflicts:
            with pytest.raises(ValueError):
                add(index, samples, owner)
        else:
            add(index, samples, owner)
            model.add(objects, owner)
        assert len(index) == len(model.owners)


# ------------------------------------------------------------------------------------------------------------- gathered


@pytest.fixture
def family(engine: str) -> Gathered:
    return seam.Gathered("a", MetricType.GAUGE)


def test_nothing_is_gathered_at_first(family: Gathered) -> None:
    assert (len(family), family.owners(), family.text(), len(family.samples())) == (0, [], b"", 0)
    assert family.text() is family.text()
    family.remove(1)
    assert family.text() == b""


def test_the_lines_of_all_owners_are_in_canonical_order(family: Gathered) -> None:
    family.put(numbered(3, 1), 7)
    family.put(numbered(2, 4), 2)
    assert family.text() == b'a{n="1"} 1\na{n="2"} 2\na{n="3"} 3\na{n="4"} 4\n'
    assert family.owners() == [2, 7]
    assert family.samples() == numbered(2, 4, 3, 1)
    assert len(family) == 4


def test_samples_take_the_place_of_what_the_owner_had(family: Gathered) -> None:
    family.put(numbered(1, 2, 3), 1)
    family.put(numbered(4), 2)
    family.text()
    family.put(numbered(5, 2), 1)
    family.put(numbered(0), 1)
    assert family.samples() == numbered(0, 4)
    assert family.text() == b'a{n="0"} 0\na{n="4"} 4\n'
    family.put(seam.pack([]), 2)
    assert family.owners() == [1]
    assert family.text() == b'a{n="0"} 0\n'
    family.remove(1)
    assert (len(family), family.owners(), family.text(), len(family.samples())) == (0, [], b"", 0)


def test_the_text_stays_the_same_object_as_long_as_nothing_changes(family: Gathered) -> None:
    family.put(numbered(2, 1), 1)
    text = family.text()
    family.remove(2)
    assert family.samples() == numbered(2, 1)
    assert family.text() is text
    family.put(numbered(3), 2)
    assert family.text() is not text
    assert text == b'a{n="1"} 1\na{n="2"} 2\n'


def test_ties_are_broken_by_owner_and_then_by_order(family: Gathered) -> None:
    family.put(read("a 1\na 2\na 3 5\n"), 9)
    family.put(read("a 6\n"), 10)
    family.text()
    family.put(read("a 4\na 5\na 6 5\n"), 4)
    assert family.text() == b"a 6 5\na 3 5\na 4\na 5\na 1\na 2\na 6\n"
    family.put(read("a 7\na 8 5\n"), 9)
    assert family.text() == b"a 6 5\na 8 5\na 4\na 5\na 7\na 6\n"
    family.remove(4)
    assert family.text() == b"a 8 5\na 7\na 6\n"


def test_samples_do_not_keep_their_places(family: Gathered) -> None:
    parsed = numbered(1, 2)
    family.put(parsed.with_labels({"x": "y"}, {}), 1)
    assert [family.samples().span(number) for number in range(2)] == [None, None]
    family.put(parsed, 2)
    assert [family.samples().span(number) for number in range(4)] == [None] * 4


def test_literals_are_not_kept_and_times_are(family: Gathered) -> None:
    family.put(read('a{b="-0"} -0 5\na{b="big"} 9007199254740993\na{b="\\"\\\\\\n"} +inf\n'), 1)
    assert family.text() == b'a{b="\\"\\\\\\n"} +Inf\na{b="-0"} 0 5\na{b="big"} 9.007199254740992e+15\n'


def test_histograms_are_gathered_with_their_bounds_in_order() -> None:
    family = seam.Gathered("h", MetricType.HISTOGRAM)
    text = 'h_sum{i="X"} 1\nh_bucket{i="X",le="+Inf"} 2\nh_bucket{le="5e-1",i="X"} 1\nh_count{i="X"} 2\n'
    for owner, instance in enumerate("cab"):
        family.put(read("# TYPE h histogram\n" + text.replace("X", instance)), owner)
        family.text()
    lines = 'h_bucket{i="X",le="0.5"} 1\nh_bucket{i="X",le="+Inf"} 2\nh_sum{i="X"} 1\nh_count{i="X"} 2\n'
    assert family.text().decode() == "".join(lines.replace("X", instance) for instance in "abc")


def test_names_that_need_quotes_have_them() -> None:
    family = seam.Gathered("a.b", MetricType.GAUGE)
    family.put(read('{"a.b","c.d"="2"} 1\n{"a.b"} 2\n'), 1)
    family.text()
    family.put(read('{"a.b","c.d"="1"} 3\n{"a.b",c="1"} 4\n{"a.b"} 5\n'), 0)
    lines = ['{"a.b"} 5', '{"a.b"} 2', '{"a.b",c="1"} 4', '{"a.b","c.d"="1"} 3', '{"a.b","c.d"="2"} 1']
    assert family.text().decode() == "".join(f"{line}\n" for line in lines)


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        seam.Gathered("a", "number")  # type: ignore[arg-type]
    assert seam.Gathered("a", "gauge").text() == b""  # type: ignore[arg-type]


def test_many_owners_come_and_go(family: Gathered) -> None:
    held: dict[int, Samples] = {}
    for turn in range(400):
        owner = turn * 7919 % 101
        if turn * 31 % 10 < 3:
            family.remove(owner)
            held.pop(owner, None)
        else:
            held[owner] = numbered(*(turn * 37 % 1000 + step * 13 for step in range(turn % 9 + 1)))
            family.put(held[owner], owner)
        if turn % 5 == 0:
            expected = seam.pack([]).concat(*(held[owner] for owner in sorted(held)))
            assert family.samples() == expected
            assert family.text() == encoded("a", MetricType.GAUGE, expected)
    for owner in held:
        family.remove(owner)
    assert family.text() == b""


VALUES: Final = st.sampled_from(("", "1", "2", "a\\b", 'q"', "é", "0.5", "5e-1", "+Inf"))
LABELS: Final = st.dictionaries(st.sampled_from(("a", "b.c", "le", "quantile", "z")), VALUES, max_size=3)
TIMES: Final = st.none() | st.sampled_from((0, 5_000_000, 5_000_001, -1))
SUFFIXES: Final = ("", "_bucket", "_bucket", "_sum", "_count", "_other")
# An ending of the sample's name, and what follows the name.
Ended = tuple[str, dict[str, str], float, int | None, list[Exemplar]]
SAMPLES: Final[st.SearchStrategy[Ended]] = st.tuples(
    st.sampled_from(SUFFIXES),
    LABELS,
    st.sampled_from((0.0, 1.5, float("nan"))),
    TIMES,
    st.sampled_from(([], [Exemplar({}, 1)])),
)
# An owner, what it puts, if it does not remove what it has, and whether the text is looked at.
Step = tuple[int, list[Ended] | None, bool]
STEPS: Final = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.lists(SAMPLES, max_size=5), st.booleans()), min_size=1, max_size=10
)


# Engines may treat families of many lines otherwise than small ones.
MANY: Final[list[Ended]] = [("", {"a": str(number * 7919 % 1009)}, float(number), None, []) for number in range(200)]


@pytest.mark.parametrize("name", ["m", "m.n"])
@given(type=st.sampled_from(MetricType), steps=STEPS, many=st.booleans())
@settings(max_examples=150)
def test_the_text_is_that_of_all_samples_encoded(
    engine: str, name: str, type: MetricType, steps: list[Step], many: bool
) -> None:
    family = seam.Gathered(name, type)
    held: dict[int, Samples] = {}
    for owner, put, looks in [*([(3, MANY, True)] if many else []), *steps]:
        if put is None:
            family.remove(owner)
            held.pop(owner, None)
        else:
            held[owner] = given_samples(name, put)
            family.put(held[owner], owner)
        if looks:
            expected = seam.pack([]).concat(*(held[owner] for owner in sorted(held)))
            assert family.text() == encoded(name, type, expected)
            assert family.samples() == expected
            assert len(family) == len(expected)
            assert family.owners() == sorted(owner for owner, samples in held.items() if len(samples))


def given_samples(name: str, put: list[Ended]) -> Samples:
    """Samples as an engine packs them, or reads them: their label sets are of different kinds."""
    packed = seam.pack(
        Sample(name + suffix, labels, value, time, exemplars) for suffix, labels, value, time, exemplars in put
    )
    if len(put) % 2 == 0:
        return packed
    families = seam.scan(encoded(name, MetricType.UNKNOWN, packed), Format.TEXT).families
    return seam.pack([]).concat(*(family.samples for family in families))


@given(type=st.sampled_from(MetricType), steps=STEPS)
@settings(max_examples=50)
def test_both_engines_write_the_same(engine: str, type: MetricType, steps: list[Step]) -> None:
    mine, theirs = seam.Gathered("m", type), other_engine(engine).Gathered("m", type)
    for owner, put, looks in steps:
        for family in (mine, theirs):
            if put is None:
                family.remove(owner)
            else:
                family.put(given_samples("m", put), owner)
        if looks:
            assert mine.text() == theirs.text()
            assert mine.samples() == theirs.samples()
