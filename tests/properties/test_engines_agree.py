"""Nobody can tell by what it returns which engine is at work.

`poe agree` tries many more examples than the suite does.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from expofmt import EscapingScheme, Exemplar, Format, LabelSet, MetricFamily, MetricType, Sample, Samples
from expofmt.engine import Engine, Scan, ScannedFamily
from expofmt.names import fitting_label_name, quote
from expofmt.strategies import TEXT_TYPES, exposition_text, label_sets

TESTS = Path(__file__).parent.parent
FILES = sorted(path for folder in ("data", "cases") for path in (TESTS / folder).rglob("*.prom"))
SCRAPES: Final = [path.read_bytes() for path in sorted((TESTS / "data").glob("*.prom"))]
OPS: Final = ("refuse", "first", "last", "sum", "min", "max")


class Pair(NamedTuple):
    """Both engines."""

    native: Engine
    lark: Engine


@pytest.fixture(scope="module")
def both(native_installed: None) -> Pair:
    return Pair(*(cast(Engine, import_module(f"expofmt.engine.{name}")) for name in ("_native", "lark")))


# ------------------------------------------------------------------------------------------------------ what they tell


def scan(engine: Engine, text: bytes, **options: Any) -> Scan:
    return engine.scan(text, Format.TEXT, **options)


def told_by_scan(found: Scan) -> dict[str, Any]:
    return {
        "families": [told_of_family(family) for family in found.families],
        "faults": [tuple(fault) for fault in found.faults],
        "comments": [tuple(span) for span in found.comments],
        "suppressed": dict(found.suppressed),
    }


def told_of_family(family: ScannedFamily) -> tuple[object, ...]:
    return *family._replace(samples=None), *told_by(family.samples).items()  # type: ignore[arg-type]


def told_by(samples: Samples, *, placed: bool = True) -> dict[str, Any]:
    """All that can be asked of samples without a question of one's own; where they are ``placed``, by one engine."""
    told = {
        "rows": [row(sample) for sample in samples],
        "has_timestamps": samples.has_timestamps,
        "first_timestamp": samples.first_timestamp(),
        "names": samples.names(),
        "label_names": samples.label_names(),
        "label_cardinality": [*samples.label_cardinality().items()],
        "fingerprints": [*samples.fingerprints()],
        "losses": samples.losses_in_text(),
        "hash": hash(samples),
        "repr": repr(samples),
    }
    if placed:
        told["spans"] = [samples.span(index) for index in range(len(samples))]
    return told


def row(sample: Sample) -> tuple[object, ...]:
    """A sample with its value bit for bit, which equality is not."""
    value = "NaN" if sample.value != sample.value else sample.value.hex()
    rest = sample.timestamp_ns, sample.exemplars, sample.start_timestamp_ns
    return type(sample), sample.name, type(sample.labels), sample.labels.pairs, type(sample.value), value, *rest


def as_family(family: ScannedFamily) -> MetricFamily:
    return MetricFamily(family.name, family.type, family.help, family.unit, family.samples)


def encodings(
    engine: Engine, families: Sequence[MetricFamily], literals: Iterable[bool] = (False, True)
) -> list[bytes]:
    return [
        engine.encode(families, format=Format.TEXT, escaping=escaping, literals=keep)
        for escaping, keep in product(EscapingScheme, literals)
        if all(keeps_labels_apart(escaping, family.samples) for family in families)
    ]


def keeps_labels_apart(escaping: EscapingScheme, samples: Samples) -> bool:
    """Whether the escaped label names are as many, and none is a name's: else there is nothing to write."""
    names = samples.label_names()
    escaped = {fitting_label_name(name, escaping) for name in names}
    return len(escaped) == len(names) and "__name__" not in escaped


def assert_they_read_and_write_the_same(both: Pair, text: bytes, **options: Any) -> None:
    native, lark = (scan(engine, text, **options) for engine in both)
    assert told_by_scan(native) == told_by_scan(lark)
    ours, theirs = ([as_family(family) for family in found.families] for found in (native, lark))
    assert encodings(both.native, ours) == encodings(both.lark, theirs)
    # What the other engine has read is written, too; but it has no literals for strangers.
    plain = encodings(both.lark, theirs, [False])
    assert encodings(both.native, theirs, [False]) == encodings(both.lark, ours, [False]) == plain
    for one, other in zip(native.families, lark.families, strict=True):
        assert one.samples == other.samples
        assert other.samples == one.samples


# --------------------------------------------------------------------------------------------------------------- texts

OPTIONS = st.fixed_dictionaries(
    {},
    optional={"recover": st.booleans(), "comments": st.just(True), "max_faults": st.sampled_from((1, 0, 2, 5))},
)
# What lines are made of, and what spoils them.
PIECES: Final = [
    *(b"a", b"a_count", b"h", b"h_bucket", b"__name__", b"__x", b"le", b"quantile", b" ", b"\t", b"\n", b"\r\n", b"\r"),
    *(b"{", b"}", b'"', b"\\", b"\\n", b'\\"', b",", b"=", b"#", b"# HELP ", b"# TYPE ", b"# EOF", b"#TYPE", b"\x00"),
    *(b"1", b"-", b"+", b".", b"e", b"1e400", b"-0", b"NaN", b"+Inf", b"0x1p3", b"1_0", b"9007199254740993", b":"),
    *(b"counter", b"gauge", b"histogram", b"summary", b"untyped", b"info", b"GAUGE", b'"a b"', b'="c"', b'a="b"'),
    *(
        "é\u0301😱\u202e\u2028\x85ſ１".encode(),
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"9223372036854775808",
    ),
]
PIECE = st.sampled_from(PIECES) | st.binary(max_size=2)
# Whole lines that a later one may contradict.
LINES: Final = [
    *(b"a 1", b"a 2 5", b'a{b="c"} 1', b'a{b="c",b="d"} 1', b'{"a",b="c"} 1 ', b'{"a.b"} 1', b'a{b="\\q"} 1', b"a x"),
    *(b"h 1", b"h_sum 1.5", b"h_count -1", b'h_bucket{le="1"} 1', b'h_bucket{le="x"} NaN', b'h{quantile="1"} 1'),
    *(b"# TYPE h histogram", b"# TYPE h summary", b"# TYPE h_sum counter", b"# TYPE a GAUGE", b'# TYPE "a.b" info'),
    *(b"# HELP a x\\n\\q", b"# HELP a", b"# HELP h_sum x", b'# HELP "a.b" \xff', b"# TYPE h", b"# TYPE a gauge x"),
    *(
        b"",
        b" ",
        b"# c",
        b"#\xff\r",
        b'{a="b"} 1',
        b'a{"x"} 1',
        b"a{",
        b'a{b="',
        b"a 1e999",
        b"a 1 99999999999999999999",
    ),
]


class Edit(NamedTuple):
    at: int
    length: int
    piece: bytes

    def of(self, text: bytes) -> bytes:
        at = self.at % (len(text) + 1)
        return text[:at] + self.piece + text[at + self.length :]


EDITS = st.lists(st.builds(Edit, st.integers(0, 1 << 16), st.integers(0, 4), PIECE), min_size=1, max_size=4)


def spoilt(texts: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """The texts with pieces put in, left out, or put in place of others."""

    def edited(text: bytes, edits: list[Edit]) -> bytes:
        for edit in edits:
            text = edit.of(text)
        return text

    return st.builds(edited, texts, EDITS)


def excerpts() -> SearchStrategy[bytes]:
    """The beginning of a piece of a scrape, and the end of another."""

    def excerpt(scrape: bytes, start: int, length: int) -> bytes:
        start %= len(scrape)
        return scrape[start : start + length]

    part = st.builds(excerpt, st.sampled_from(SCRAPES), st.integers(0, 1 << 18), st.integers(0, 1000))
    return st.builds(bytes.__add__, part, part)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files(both: Pair, path: Path) -> None:
    for recover in (True, False):
        assert_they_read_and_write_the_same(both, path.read_bytes(), recover=recover, comments=True)


@given(exposition_text(interleaved=True))
def test_valid_text(both: Pair, text: bytes) -> None:
    assert_they_read_and_write_the_same(both, text, comments=True)


@given(spoilt(exposition_text(interleaved=True)), OPTIONS)
def test_spoilt_text(both: Pair, text: bytes, options: Mapping[str, Any]) -> None:
    assert_they_read_and_write_the_same(both, text, **options)


@given(spoilt(excerpts()), OPTIONS)
def test_spoilt_scrapes(both: Pair, text: bytes, options: Mapping[str, Any]) -> None:
    assert_they_read_and_write_the_same(both, text, **options)


@given(st.lists(st.sampled_from(LINES), max_size=20).map(b"\n".join), OPTIONS)
def test_lines_that_contradict_each_other(both: Pair, text: bytes, options: Mapping[str, Any]) -> None:
    assert_they_read_and_write_the_same(both, text, **options)


@given(st.lists(PIECE, max_size=40).map(b"".join), OPTIONS)
@example(b"", {})
@example(b"\xef\xbb\xbf", {})
@example(b"a 1\r", {})
@example(b"# HELP a b\r", {})
@example(b"a 1\r\n", {"recover": False})
def test_bytes_that_look_like_an_exposition(both: Pair, text: bytes, options: Mapping[str, Any]) -> None:
    assert_they_read_and_write_the_same(both, text, **options)


# The alphabet of sample lines: so many of them are almost right.
@given(
    st.text('a{}",=\\ \t#1.e-\r', max_size=14), st.sampled_from(["", "a{", '{"a",', 'a{b="c"', "# TYPE ", "# HELP "])
)
def test_lines_of_few_letters(both: Pair, end: str, start: str) -> None:
    text = f"{start}{end}".encode()
    assert told_by_scan(scan(both.native, text)) == told_by_scan(scan(both.lark, text))


@given(st.binary(max_size=100), OPTIONS)
def test_any_bytes(both: Pair, text: bytes, options: Mapping[str, Any]) -> None:
    assert_they_read_and_write_the_same(both, text, **options)


# ------------------------------------------------------------------------------------------------------------- samples


class Spelling(NamedTuple):
    """Lines of one family, few enough names and values that many are the same series."""

    name: str
    type: MetricType
    own: bytes
    other: bytes


_LABELS: Final = {
    "a": ('a="1"', 'a = "2"', '"a"="1"', 'a=""', 'a="é\\n"'),
    "b.c": ('"b.c"="1"', '"b.c"="\\\\"', '"b.c" ="\\q"'),
    "z": ('z="1" ', 'z="}\\",{"'),
    "_y": ('_y="1"',),
}
_BOUNDS: Final = ("0.5", "5e-1", "+Inf", "inf", "1", "1.0", "-0", "0", "NaN", "nan", "x", "", "1e999", "0.25")
_VALUES: Final = ("1", "2", "0", "-0", "1.5", "3", "NaN", "+Inf", "-Inf", "9007199254740993", "1e-320", "+04.0e0")
_TIMES: Final = ("", "", "", "", "", " 5", " 0", " -1", " 1700000000000")
_SUFFIXES: Final = {
    MetricType.HISTOGRAM: ("_bucket", "_bucket", "_bucket", "_sum", "_count", ""),
    MetricType.GAUGEHISTOGRAM: ("_bucket", "_gsum", "_gcount", ""),
    MetricType.SUMMARY: ("", "", "_sum", "_count"),
}


@st.composite
def spellings(draw: st.DrawFn) -> Spelling:
    name = draw(st.sampled_from(("m", "m.x", "m_total")))
    type = draw(st.sampled_from((MetricType.GAUGE, *_SUFFIXES, *TEXT_TYPES)))
    label = "quantile" if type is MetricType.SUMMARY else "le"
    bounds = draw(st.lists(st.sampled_from(_BOUNDS), min_size=1, max_size=6)) if type in _SUFFIXES else []
    points = [f'{label}="{bound}"' for bound in bounds]
    lines = _sample_lines(
        name,
        st.sampled_from(_SUFFIXES.get(type, ("",))),
        st.sampled_from(draw(st.lists(_ITEMS, min_size=1, max_size=3))),
        st.sampled_from((*points, "")),
    )
    head = f"# TYPE {quote(name) if '.' in name else name} {type}\n"
    own, other = ((head + "".join(draw(lines))).encode() for _ in range(2))
    return Spelling(name, type, own, other)


_ITEMS: Final = st.tuples(*(st.sampled_from(("", *written)) for written in _LABELS.values()))


def _sample_lines(
    name: str, suffixes: SearchStrategy[str], label_sets: SearchStrategy[tuple[str, ...]], bounds: SearchStrategy[str]
) -> SearchStrategy[list[str]]:
    def line(suffix: str, items: tuple[str, ...], bound: str, turn: int, value: str, time: str) -> str:
        labels = [item for item in (*items[turn:], *items[:turn], bound) if item]
        start = name + suffix
        if "." in start:
            labels.insert(turn, quote(start))
            start = ""
        return f"{start}{{{','.join(labels)}}} {value}{time}\n"

    values = st.sampled_from(_VALUES), st.sampled_from(_TIMES)
    return st.lists(st.builds(line, suffixes, label_sets, bounds, st.integers(0, 3), *values), max_size=16)


class Family(NamedTuple):
    """The samples of a family, and other samples of the same, as one engine has them."""

    engine: Engine
    name: str
    type: MetricType
    samples: Samples
    other: Samples

    @property
    def named(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.type}


Answer = tuple[Samples, object]
Step = Callable[[Family], Answer]


def _slice(part: slice) -> Step:
    return lambda family: (family.samples[part], None)


def _combine(op: str, swap: bool) -> Step:
    def step(family: Family) -> Answer:
        first, second = (family.other, family.samples) if swap else (family.samples, family.other)
        return first.combine(second, op, **family.named)

    return step


def _difference(part: int) -> Step:
    def step(family: Family) -> Answer:
        found = family.samples.difference(family.other, **family.named)
        return found[part], [told_by(each, placed=False) for each in found]

    return step


def _relabel(override: dict[str, str], default: dict[str, str]) -> Step:
    return lambda family: (family.samples.with_labels(override, default), None)


def _select(accepted: Mapping[str, frozenset[str]]) -> Step:
    def step(family: Family) -> Answer:
        asked: list[tuple[str, str]] = []

        def accepts(name: str, value: str) -> bool:
            asked.append((name, value))
            return value in accepted[name]

        matchers = {name: lambda value, name=name: accepts(name, value) for name in accepted}
        return family.samples.select(matchers), sorted(asked)

    return step


def _concat(family: Family) -> Answer:
    return family.samples.concat(family.other, family.samples), family.samples.concat() == family.samples


def _sort(family: Family) -> Answer:
    return family.samples.sorted(family.name, family.type), None


def _compact(family: Family) -> Answer:
    return family.samples.compact(), None


def _pickle(family: Family) -> Answer:
    return pickle.loads(pickle.dumps(family.samples)), None


def _pack(family: Family) -> Answer:
    return family.engine.pack(list(family.samples)), family.engine.pack(family.other) == family.other


SLICES = st.builds(slice, *[st.none() | st.integers(-6, 6)] * 2, st.none() | st.sampled_from((1, 2, -1, -2)))
LABELS = st.dictionaries(
    st.sampled_from(("a", "b.c", "le", "new", "é")), st.sampled_from(("", "1", '"\n\\')), max_size=2
)
ACCEPTED = st.dictionaries(
    st.sampled_from(("a", "b.c", "z", "le", "none")), st.frozensets(st.sampled_from(("", "1", "2", "+Inf"))), max_size=3
)
STEPS: SearchStrategy[Step] = st.one_of(
    st.sampled_from((_sort, _compact, _pickle, _pack, _concat)),
    SLICES.map(_slice),
    st.builds(_combine, st.sampled_from(OPS), st.booleans()),
    st.integers(0, 3).map(_difference),
    st.builds(_relabel, LABELS, LABELS),
    ACCEPTED.map(_select),
)


def answers(family: Family, *, placed: bool = True) -> dict[str, Any]:
    """All that is told about a family without making another one."""
    samples, named = family.samples, family.named
    written = MetricFamily(family.name, family.type, "x", None, samples)
    return {
        **told_by(samples, placed=placed),
        "duplicates": samples.duplicates(**named),
        "faults": [tuple(fault) for fault in samples.histogram_faults(**named)],
        "complete": samples.is_complete(**named),
        "united": [samples.united_in(samples.with_labels({"a": "1"}, {}), label) for label in ("le", "quantile")],
        "equal": samples == family.other,
        # Only the engine that has read a text knows how its numbers were spelt.
        "text": encodings(family.engine, [written], (False, True) if placed else (False,)),
    }


def read(engine: Engine, spelling: Spelling) -> Family:
    mine, theirs = (scan(engine, text).families[0].samples for text in (spelling.own, spelling.other))
    return Family(engine, spelling.name, spelling.type, mine, theirs)


@settings(max_examples=2 * settings().max_examples)
@given(spellings(), st.lists(STEPS, max_size=5))
def test_samples_answer_the_same_whatever_was_done_to_them(both: Pair, spelling: Spelling, steps: list[Step]) -> None:
    native, lark = (read(engine, spelling) for engine in both)
    assert answers(native) == answers(lark)
    for step in steps:
        (samples, said), (expected, meant) = step(native), step(lark)
        native, lark = native._replace(samples=samples), lark._replace(samples=expected)
        assert said == meant
        assert answers(native) == answers(lark)


@given(spellings())
def test_two_inputs(both: Pair, spelling: Spelling) -> None:
    native, lark = (read(engine, spelling) for engine in both)
    for step in (*(_combine(op, swap) for op in OPS for swap in (False, True)), *map(_difference, range(4))):
        (samples, said), (expected, meant) = step(native), step(lark)
        assert said == meant
        assert told_by(samples) == told_by(expected)
        one, other = (MetricFamily("m", samples=found) for found in (samples, expected))
        assert encodings(both.native, [one], [True]) == encodings(both.lark, [other], [True])


@given(spellings(), STEPS)
def test_samples_of_both_engines_mix(both: Pair, spelling: Spelling, step: Step) -> None:
    native, lark = (read(engine, spelling) for engine in both)
    expected, meant = step(lark)
    told = answers(lark._replace(samples=expected), placed=False)
    for mine, theirs in ((native, lark), (lark, native)):
        mixed = mine._replace(other=theirs.other)
        assert answers(mixed, placed=False) == answers(lark, placed=False)
        samples, said = step(mixed)
        assert said == meant
        assert answers(mixed._replace(samples=samples), placed=False) == told
        assert samples == expected
        assert expected == samples


@given(spellings(), st.sampled_from(TEXT_TYPES), STEPS)
def test_a_family_may_be_taken_for_another_type(both: Pair, spelling: Spelling, type: MetricType, step: Step) -> None:
    native, lark = (read(engine, spelling)._replace(type=type) for engine in both)
    assert answers(native) == answers(lark)
    (samples, said), (expected, meant) = step(native), step(lark)
    assert said == meant
    assert answers(native._replace(samples=samples)) == answers(lark._replace(samples=expected))


TIMES = st.sampled_from((None, None, 0, 5_000_000)) | st.integers(-(2**63) * 10**6, (2**63 - 1) * 10**6)
EXEMPLARS = st.builds(Exemplar, label_sets(max_size=2), st.floats(), TIMES)
OBJECTS = st.builds(
    Sample,
    st.sampled_from(("m_bucket", "m_sum", "m_count", "m")),
    st.sampled_from((LabelSet(), LabelSet(le="1"), LabelSet(le="1.0"), LabelSet({"b": "", "a": "x"}))) | label_sets(),
    st.sampled_from((0.0, 1.0, math.nan)) | st.floats(),
    TIMES,
    st.lists(EXEMPLARS, max_size=2),
    TIMES,
)


@given(st.lists(OBJECTS, max_size=6), st.lists(OBJECTS, max_size=6), STEPS)
def test_samples_from_objects(both: Pair, own: list[Sample], other: list[Sample], step: Step) -> None:
    native, lark = (
        Family(engine, "m", MetricType.HISTOGRAM, engine.pack(own), engine.pack(iter(other))) for engine in both
    )
    assert answers(native) == answers(lark)
    (samples, said), (expected, meant) = step(native), step(lark)
    assert said == meant
    assert answers(native._replace(samples=samples)) == answers(lark._replace(samples=expected))


@given(spellings(), st.integers(-30, 30))
def test_what_is_asked_by_index(both: Pair, spelling: Spelling, index: int) -> None:
    def asked(engine: Engine) -> list[object]:
        samples = read(engine, spelling).samples
        return [outcome(lambda: row(samples[index])), outcome(lambda: samples.span(index))]

    assert asked(both.native) == asked(both.lark)


def outcome(question: Callable[[], object]) -> object:
    try:
        return question()
    except LookupError as error:
        return type(error), str(error)


@given(spellings())
def test_what_a_predicate_raises_comes_out(both: Pair, spelling: Spelling) -> None:
    def refuse(value: str) -> bool:
        raise LookupError("no")

    def asked(engine: Engine) -> object:
        return outcome(lambda: len(read(engine, spelling).samples.select({"a": refuse})))

    assert asked(both.native) == asked(both.lark)
