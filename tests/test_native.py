"""What is particular to the native engine; what it has in common with the other one is in test_engine.py."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import expofmt
from expofmt import EscapingScheme, Exemplar, Format, LabelSet, MetricFamily, MetricType, Sample, Samples
from expofmt.engine import ScannedFamily, lark
from tests.conftest import engines


@pytest.fixture(scope="module")
def native(pytestconfig: pytest.Config) -> ModuleType:
    if "native" not in engines(pytestconfig):
        pytest.skip("runs on the native engine alone")
    from expofmt.engine import _native

    return _native


SAMPLES = [
    Sample("a", {"b": "1", "c": "x y"}, 1.5, 3_000_001, [Exemplar({"t": "é"}, 2, 7)], -1),
    Sample("a.b", {"é": '"\\\n'}, float("-inf"), -(10**24)),
    Sample("a", {}, float("nan")),
]


def test_it_is_of_this_version(native: ModuleType) -> None:
    assert native.__version__ == expofmt.__version__


def test_the_other_engine_is_not_loaded(native: ModuleType) -> None:
    program = "import sys, expofmt; expofmt.parse('a 1\\n'); sys.exit('lark' in sys.modules)"
    environment = {**os.environ, "EXPOFMT_ENGINE": "native"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_a_panic_is_a_runtime_error(native: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match=r"^a bug in expofmt's native engine: boom$"):
        native._panic("boom")
    # Where it happened is told as well.
    assert "panicked at" in capfd.readouterr().err


def test_both_engines_samples_stand_for_each_other(native: ModuleType) -> None:
    mine, theirs = native.pack(SAMPLES), lark.pack(SAMPLES)
    assert isinstance(mine, Samples)
    assert mine == theirs
    assert theirs == mine
    assert hash(mine) == hash(theirs)
    assert repr(mine) == repr(theirs)
    assert mine != lark.pack(SAMPLES[1:])
    assert lark.pack([]) != mine
    for one, other in ((mine, theirs), (theirs, mine)):
        assert list(one.concat(other, one)) == SAMPLES * 3
        assert one.combine(other, "first", name="a", type=MetricType.GAUGE) == (one, [])
        assert one.difference(other, name="a", type=MetricType.GAUGE) == (one[:0],) * 4
        family = MetricFamily("a", samples=one)
        assert native.assemble([scanned(family)]) == {"a": family}
        assert lark.assemble([scanned(family)]) == {"a": family}


def scanned(family: MetricFamily) -> ScannedFamily:
    return ScannedFamily(family.name, family.type, family.help, family.unit, family.samples, 0, 1, True)


def test_objects_are_those_that_python_would_make(native: ModuleType) -> None:
    made = list(native.pack(SAMPLES))
    for sample, wanted in zip(made, SAMPLES, strict=True):
        assert sample == wanted
        assert hash(sample) == hash(wanted)
        assert repr(sample) == repr(wanted)
        assert pickle.loads(pickle.dumps(sample)) == wanted
        assert type(sample.labels) is LabelSet
        assert type(sample.value) is float
        assert sample.labels.pairs == wanted.labels.pairs
    with pytest.raises(AttributeError):
        made[0].name = "b"


def test_a_family_that_lacks_a_value_is_an_attribute_error(native: ModuleType) -> None:
    with pytest.raises(AttributeError, match="name"):
        native.encode_plain([MetricFamily.__new__(MetricFamily)])


def test_equal_text_is_one_string(native: ModuleType) -> None:
    family = native.scan(b'# HELP some x\nsome{job="web",id="1"} 1\nsome{job="web",id="2"} 1\n', Format.TEXT).families[
        0
    ]
    first, second = family.samples
    assert first.name is second.name is family.name
    assert first.labels["job"] is second.labels["job"]
    assert all(map(lambda mine, theirs: mine is theirs, first.labels, second.labels))


def test_an_iterator_gives_objects_that_stay_as_they_are(native: ModuleType) -> None:
    samples = native.pack([Sample("a", {"i": str(number)}, number) for number in range(100)])
    iterator = iter(samples)
    kept = [next(iterator) for _ in range(10)]
    labels = [next(iterator).labels for _ in range(10)]
    names = {sample: sample.value for sample in iterator}
    assert kept == [Sample("a", {"i": str(number)}, number) for number in range(10)]
    assert labels == [LabelSet(i=str(number)) for number in range(10, 20)]
    assert [float(sample.labels["i"]) for sample in names] == list(names.values()) == list(range(20, 100))


@pytest.mark.parametrize(
    "part",
    [
        lambda sample: sample,
        lambda sample: sample.labels,
        lambda sample: sample.labels.items(),
        lambda sample: sample.labels.values(),
        lambda sample: iter(sample.labels),
        lambda sample: iter(sample.labels.items()),
        lambda sample: sample.labels["i"],
    ],
    ids=["sample", "labels", "items", "values", "iterator", "iterator of items", "value"],
)
def test_what_is_kept_of_a_sample_stays_as_it_is(native: ModuleType, part: Callable[[Sample], Any]) -> None:
    # More than it takes for objects to be used again, each of them kept while others come and go.
    expected = [Sample("a", {"i": str(number), "j": str(-number)}, number) for number in range(200)]
    iterator = iter(native.pack(expected))
    kept = {}
    for number in range(200):
        found = part(next(iterator))
        if number % 7 == 0:
            kept[number] = found
    del found
    for number, found in kept.items():
        wanted = part(expected[number])
        if isinstance(found, (Sample, LabelSet, str)):
            assert found == wanted
        else:
            assert [*found] == [*wanted]


def test_samples_of_several_texts_keep_the_labels_of_their_own(native: ModuleType) -> None:
    # Each text is long enough for objects to be used again, and has names of its own in the same places.
    expected = [Sample("m", dict.fromkeys(names, f"{number}"), 1) for names in ("ab", "xy") for number in range(99)]
    first, second = (
        expofmt.parse("".join(f"{sample}\n" for sample in part))["m"] for part in (expected[:99], expected[99:])
    )
    for turn, sample in enumerate(first.samples.concat(second.samples)):
        assert sample == expected[turn]


# Nobody is meant to do this; it must not end the process, nor change what is somebody else's.
set_inside = vars(LabelSet)["_labels"].__set__


def test_a_sample_that_was_changed_by_force_changes_no_other(native: ModuleType) -> None:
    # The label sets are nobody else's: those that are known are shared by all texts.
    samples = expofmt.parse("".join(f'm{{forced="{number}"}} {number}\n' for number in range(200)))["m"].samples
    for number, sample in enumerate(samples):
        assert sample == Sample("m", {"forced": f"{number}"}, number)
        if number == 100:
            object.__setattr__(sample, "name", "n")
            object.__setattr__(sample, "timestamp_ns", 5)
            object.__setattr__(sample, "exemplars", (5,))
            object.__setattr__(sample, "start_timestamp_ns", 5)
        if number == 150:
            set_inside(sample.labels, {"other": "x"})


def test_an_iterator_at_its_end_stays_there(native: ModuleType) -> None:
    first, second = (expofmt.parse("".join(f"{name}{i} 1\n" for i in range(3))) for name in "ab")
    ended = iter(first["a0"].samples)
    assert [sample.name for sample in ended] == ["a0"]
    others = [iter(family.samples) for family in second.values()]
    assert next(ended, None) is None
    assert [next(other).name for other in others] == ["b0", "b1", "b2"]
    assert [next(other, None) for other in [ended, *others, ended]] == [None] * 5


def test_loops_within_loops_do_not_disturb_each_other(native: ModuleType) -> None:
    text = "".join(f'a{family}{{i="{number}"}} {number}\n' for family in range(3) for number in range(80))
    families = [*expofmt.parse(text).values()]
    for seen, outer in enumerate(families[0].samples):
        inner = [(sample.name, sample.labels["i"], sample.value) for family in families for sample in family.samples]
        assert inner == [(f"a{family}", str(number), number) for family in range(3) for number in range(80)]
        assert (outer.labels["i"], outer.value) == (str(seen), seen)
    for one, other in zip(families[1].samples, families[2].samples, strict=True):
        assert (one.name, other.name, one.labels) == ("a1", "a2", other.labels)


def test_what_the_garbage_collector_shows_stays_as_it_is(native: ModuleType) -> None:
    iterator = iter(native.pack([Sample("a", {"i": str(number)}, number) for number in range(200)]))
    for _ in range(100):
        next(iterator)
    found: list[Any] = [thing for thing in gc.get_objects() if isinstance(thing, type({}.items())) and len(thing) < 2]
    before = [[*thing] for thing in found]
    for _ in iterator:
        pass
    assert [[*thing] for thing in found] == before


def test_what_is_kept_for_the_next_loop_is_little(native: ModuleType) -> None:
    line = f'a{{b="{"x" * 5_000_000}"}} 1\n'.encode()
    references = sys.getrefcount(line)
    tracemalloc.start()
    try:
        # Lines that differ, so that the last samples hold what no other does.
        for text in (line, line + b"a 2\n", b"a 0\n" + line, line.replace(b"x", b"y")):
            for _ in expofmt.parse(text)["a"].samples:
                pass
            del _
        del text
        gc.collect()
        assert sys.getrefcount(line) == references
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["items", "values"])
def test_a_view_is_made_whatever_the_garbage_collector_runs_meanwhile(native: ModuleType, method: str) -> None:
    labels = LabelSet(a="b" * 50)

    def change(phase: str, info: dict[str, int]) -> None:
        set_inside(labels, {"a": "b" * 50})

    threshold = gc.get_threshold()
    gc.callbacks.append(change)
    gc.set_threshold(1)
    try:
        views = [getattr(labels, method)() for _ in range(2000)]
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(change)
    assert [[*view] for view in views] == [[*getattr(labels, method)()]] * 2000


@pytest.mark.parametrize("method", ["items", "values"])
def test_the_views_of_a_label_set_are_those_that_python_would_give(native: ModuleType, method: str) -> None:
    class Derived(LabelSet):
        pass

    (parsed,) = expofmt.parse('a{x="1",y="2"} 1\n')["a"].samples
    for labels in (parsed.labels, LabelSet(x="1", y="2"), Derived(x="1", y="2"), LabelSet()):
        wanted = getattr(dict(labels), method)()
        found = getattr(labels, method)()
        assert type(found) is type(wanted)
        assert [*found] == [*wanted]
        assert [*getattr(labels, method)()] == [*wanted]
    assert parsed.labels.items() & {("x", "1"), ("y", "1")} == {("x", "1")}
    with pytest.raises(AttributeError):
        getattr(LabelSet.__new__(LabelSet), method)()
    with pytest.raises(TypeError):
        getattr(LabelSet, method)({})


def test_an_input_that_knows_what_was_made_of_it_is_freed(native: ModuleType) -> None:
    class Input(bytes):
        made: object
        companion: object

    class Companion:
        pass

    data = Input(b"a 1\n")
    data.made, data.companion = native.scan(data, Format.TEXT), Companion()
    companion = weakref.ref(data.companion)
    del data
    gc.collect()
    assert companion() is None


def test_objects_that_are_dropped_are_freed(native: ModuleType) -> None:
    samples = native.pack([Sample("a", {"i": f"value {number}", "j": "x"}, number) for number in range(1000)])

    def read() -> int:
        kept = [(sample.labels, sample.value) for sample in samples]
        kept += [(sample.labels, sample.value) for sample in list(samples)]
        return len(kept)

    # What is kept for the next time is a matter of some thousand objects in all, and no leak.
    for _ in range(40):
        read()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(40):
        read()
    gc.collect()
    assert sys.getallocatedblocks() < before + 100


def test_bytes_that_are_no_pickled_samples_are_a_value_error(native: ModuleType) -> None:
    for data in (b"", b"\xff", pickle.dumps(1)):
        with pytest.raises(ValueError, match="no samples pickled"):
            native._rebuild(data)


def test_families_are_a_sequence_that_makes_them_when_asked(native: ModuleType, data: Path) -> None:
    text = (data / "node_exporter.prom").read_bytes()
    mine, theirs = native.scan(text, Format.TEXT).families, lark.scan(text, Format.TEXT).families
    assert isinstance(mine, Sequence)
    assert mine == theirs
    assert theirs == mine
    assert mine != theirs[1:]
    assert mine != object()
    assert [*mine] == theirs
    assert mine[-1] == theirs[-1]
    assert mine[2:9:3] == theirs[2:9:3]
    assert [*reversed(mine)] == theirs[::-1]
    assert repr(mine) == repr(theirs)
    with pytest.raises(IndexError):
        mine[len(theirs)]


def test_many_threads_may_read_one_exposition(native: ModuleType, data: Path) -> None:
    text = (data / "node_exporter.prom").read_bytes()
    wanted = lark.assemble(lark.scan(text, Format.TEXT).families)
    shared = native.scan(text, Format.TEXT).families

    def read(_: int) -> bool:
        own = native.assemble(native.scan(text, Format.TEXT).families)
        return bool(own == wanted == native.assemble(shared)) and all(
            list(family.samples) == list(wanted[family.name].samples) for family in shared
        )

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(16)))


def test_calls_at_the_same_time_are_refused_or_done(native: ModuleType) -> None:
    family, index = native.Gathered("a", MetricType.GAUGE), native.SeriesIndex()
    given = [native.pack([Sample("a", {"n": str(n), "o": str(owner)}, 1) for n in range(100)]) for owner in range(8)]

    def work(owner: int) -> int:
        refused = 0
        for turn in range(200):
            try:
                index.replace(owner, [], [given[owner]])
                family.put(given[owner][turn % 50 :], owner)
                family.text()
            except RuntimeError:
                refused += 1
        return refused

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(work, range(8))) < 1600
    everything = MetricFamily("a", MetricType.GAUGE, samples=family.samples())
    text = native.encode([everything], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8)
    assert family.text() == text.partition(b"\n")[2]
    assert len(index) % 100 == 0


def test_what_is_being_changed_is_not_to_be_seen(native: ModuleType) -> None:
    family, index = native.Gathered("a", MetricType.GAUGE), native.SeriesIndex()
    for change, look in (
        (family.put, family.text),
        (lambda given, owner: index.replace(owner, [], [given]), index.__len__),
    ):

        def samples(look: Callable[[], object] = look) -> Iterator[Sample]:
            yield SAMPLES[0]
            with pytest.raises(RuntimeError, match="borrowed"):
                look()

        change(samples(), 1)
    assert len(family) == len(index) == 1
