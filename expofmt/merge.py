"""Several expositions into one: what agrees is united, what conflicts is refused or settled by a policy."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from typing import Final, Literal, NamedTuple, Self, get_args

from .codes import Code, Severity, severity_of
from .diagnostics import ConsistencyError, Diagnostic, Place
from .model import (
    HISTOGRAM_TYPES,
    TEXT_SUFFIXES,
    Exposition,
    LabelSet,
    MetricFamily,
    MetricType,
    Sample,
    Samples,
    text_word,
)
from .names import escape_help, written_name

# How samples of one series and time become one: not at all; the first or the last in order of the inputs; by value.
Op = Literal["refuse", "first", "last", "sum", "min", "max"]

MERGED_FILENAME: Final = "<merged>"

# As many as parse and check report by default.
MAX_DIAGNOSTICS: Final = 1000

# What is 1 wherever it is true cannot be added.
_STATEMENTS: Final = (MetricType.INFO, MetricType.STATESET)


def _operation(word: str) -> Op:
    for op in get_args(Op):
        if word == op:
            return op  # type: ignore[no-any-return]
    raise ValueError(f"unknown operation `{word}`: expected one of {', '.join(get_args(Op))}")


def _metric_type(word: str) -> MetricType:
    try:
        return MetricType("unknown" if word == "untyped" else word)
    except ValueError:
        known = ", ".join(MetricType)
        raise ValueError(f"unknown metric type `{word}`: expected one of {known}") from None


@dataclass(frozen=True, slots=True)
class MergePolicy:
    """What becomes of samples that share their series and timestamp: an operation for all types, or one for each.

    ``refuse`` makes them an error. ``first`` and ``last`` choose by the order of the inputs, ``min`` and ``max`` by
    value (a number rather than NaN), ``sum`` adds. Histograms are combined bucket by bucket. Where there is no honest
    result the samples are refused all the same: ``sum``, ``min`` and ``max`` of histograms with different bounds, and
    ``sum`` of quantiles, infos and state sets. Raises ValueError for an unknown operation or type.

    >>> policy = MergePolicy("refuse", types={MetricType.COUNTER: "sum"})
    >>> policy.op_for(MetricType.COUNTER), policy.op_for(MetricType.GAUGE)
    ('sum', 'refuse')
    """

    default: Op = "refuse"
    types: Mapping[MetricType, Op] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _operation(self.default)
        types = {_metric_type(name): _operation(op) for name, op in self.types.items()}
        object.__setattr__(self, "types", types)

    @classmethod
    def parse(cls, text: str, /) -> Self:
        """A policy as the command line spells it: an operation, or ``type=operation``, or several with commas.

        The operation without a type is the default, ``refuse`` if there is none. ``untyped`` is another word for
        ``unknown``; blanks around words don't matter. Raises ValueError with a message for the person who typed it.

        >>> MergePolicy.parse("sum").default
        'sum'
        >>> str(MergePolicy.parse("gauge=last, counter=sum"))
        'refuse,counter=sum,gauge=last'
        >>> MergePolicy.parse("avg")
        Traceback (most recent call last):
        ValueError: unknown operation `avg`: expected one of refuse, first, last, sum, min, max
        """
        default: Op | None = None
        types: dict[MetricType, Op] = {}
        for item in text.split(","):
            name, equals, word = item.partition("=")
            op = _operation((word if equals else name).strip())
            if not equals:
                if default is not None:
                    raise ValueError(f"two operations for all types: `{default}` and `{op}`")
                default = op
                continue
            type = _metric_type(name.strip())
            if type in types:
                raise ValueError(f"two operations for the type {type}: `{types[type]}` and `{op}`")
            types[type] = op
        return cls(default or "refuse", types)

    def op_for(self, type: MetricType, /) -> Op:
        """The operation for families of a type.

        >>> MergePolicy("max").op_for(MetricType.GAUGE)
        'max'
        """
        return self.types.get(type, self.default)

    def __str__(self) -> str:
        return ",".join([self.default, *(f"{type}={self.types[type]}" for type in MetricType if type in self.types)])


REFUSE: Final = MergePolicy()


def merge(
    first: Exposition,
    /,
    *others: Exposition,
    policy: MergePolicy = REFUSE,
    on_warning: Callable[[Diagnostic], None] | None = None,
) -> Exposition:
    """One exposition that holds the families and samples of all, in the order in which the inputs mention them.

    Inputs are not changed, and the result has the first one's format. Merging is associative up to the rounding of
    sums, so that it doesn't matter whether inputs are merged at once or one after the other.

    * *Samples* of the same name, labels and timestamp are settled by the policy: refused with ``duplicate-sample``
      unless it says otherwise. That holds for samples of one input just as for those of two: where a policy combines,
      it combines all samples of a series. The same series at two times is two samples. Of histograms with different
      bounds, ``first`` and ``last`` take one as a whole; to combine them is a ``bucket-bounds-conflict``.
    * *Types* must agree (``type-conflict``). A family without a type that has samples is of type unknown and conflicts
      with a typed one, since its samples would change their meaning; one that merely has a help text adopts the type
      that another input declares.
    * *Suffixes* must be free (``suffix-collision``): a summary ``s`` and a family ``s_count`` could not be told apart
      in the text.
    * *Units* must agree where two inputs state one (``unit-conflict``).
    * *Help texts* may differ: the first input's that is not empty is taken, and ``on_warning`` gets one
      ``help-conflict`` for every other text.

    Raises ConsistencyError with every conflict and warning, by family; each error names both inputs and shows both
    places. Beyond a thousand errors, and a thousand warnings, they are counted only.

    Text format 0.0.4, "Grouping and sorting": "Each line must have a unique combination of a metric name and labels."

    >>> from expofmt import parse
    >>> a, b = parse("jobs 2\\n", filename="a.prom"), parse("jobs 3\\n", filename="b.prom")
    >>> merge(a, b, policy=MergePolicy("sum"))["jobs"].samples[0].value
    5.0
    >>> merge(a, b)
    Traceback (most recent call last):
    expofmt.diagnostics.ConsistencyError: b.prom: error[duplicate-sample] two inputs hold `jobs`
    """
    inputs = (first, *others)
    names = _names(inputs)
    members: dict[str, list[_Member]] = {}
    for filename, exposition in zip(names, inputs, strict=True):
        for family in exposition.values():
            members.setdefault(family.name, []).append(_Member(filename, family))
    findings = _Findings(dict(zip(names, (exposition.filename for exposition in inputs), strict=True)))
    families = [_merge_family(group, policy, findings) for group in members.values()]
    _find_suffix_collisions(members, findings)
    findings.settle(on_warning)
    return Exposition(families, format=first.format, filename=MERGED_FILENAME if others else first.filename)


def _names(inputs: Sequence[Exposition]) -> list[str]:
    """What to call each input: its file name, with its number if others share it."""
    uses = Counter(exposition.filename for exposition in inputs)
    return [
        filename if uses[filename] == 1 else f"{filename} (input {number})"
        for number, filename in enumerate((exposition.filename for exposition in inputs), 1)
    ]


class _Member(NamedTuple):
    """A family as one input has it."""

    filename: str
    family: MetricFamily

    def metadata_place(self, keyword: str, text: str) -> Place:
        return Place.canonical(self.filename, f"# {keyword} {written_name(self.family.name)} {escape_help(text)}", "")

    def type_place(self) -> Place:
        """The TYPE line; or the first sample, if the family is likely to have no such line."""
        if self.family.type is MetricType.UNKNOWN and self.family.samples:
            return self.sample_place(0)
        return self.metadata_place("TYPE", text_word(self.family.type))

    def name_place(self) -> Place:
        """The name on that line."""
        place = self.type_place()
        name = written_name(self.family.name)
        start = max(place.excerpt.find(name), 0)
        return replace(place, caret=(start, min(start + len(name), len(place.excerpt))))

    def sample_place(self, index: int) -> Place:
        samples = self.family.samples
        return Place.canonical(self.filename, str(samples[index]), "", samples.span(index))


class _Findings:
    """The diagnostics of one merge; beyond the limit, errors and warnings are counted only.

    Members go by the names of their inputs, which the words tell; places have the file names, which programs open.
    """

    def __init__(self, filenames: Mapping[str, str]) -> None:
        self.filenames = filenames
        self.diagnostics: list[Diagnostic] = []
        self.kept: Counter[Severity] = Counter()
        self.suppressed = 0

    def add(
        self,
        code: Code,
        first: Callable[[], Place],
        second: Callable[[], Place],
        details: Mapping[str, str],
    ) -> None:
        if self.kept[_severity(code)] == MAX_DIAGNOSTICS:
            self.suppressed += 1
        else:
            self.keep(code, first(), second(), details)

    def keep(self, code: Code, related: Place, place: Place, details: Mapping[str, str]) -> None:
        """Add what there is room for."""
        severity = _severity(code)
        self.kept[severity] += 1
        if related.filename != place.filename:
            details = {**details, "first_input": related.filename, "second_input": place.filename}
        place, related = (replace(each, filename=self.filenames[each.filename]) for each in (place, related))
        self.diagnostics.append(Diagnostic.of_places(code, severity, place, related, details))

    def room_for(self, code: Code, conflicts: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Those of the conflicts that are to be kept; the others, which may be one a sample, are counted at once."""
        room = MAX_DIAGNOSTICS - self.kept[_severity(code)]
        self.suppressed += max(len(conflicts) - room, 0)
        return conflicts[:room]

    def settle(self, on_warning: Callable[[Diagnostic], None] | None) -> None:
        if self.suppressed:
            place = Place.canonical(self.diagnostics[-1].filename, "", "")
            code, details = Code.TOO_MANY_DIAGNOSTICS, {"count": str(self.suppressed)}
            self.diagnostics.append(Diagnostic.of_places(code, _severity(code), place, None, details))
        if self.kept[Severity.ERROR]:
            raise ConsistencyError(self.diagnostics)
        if on_warning is not None:
            for diagnostic in self.diagnostics:
                on_warning(diagnostic)


def _severity(code: Code) -> Severity:
    return severity_of(code) or Severity.ERROR


def _merge_family(group: Sequence[_Member], policy: MergePolicy, findings: _Findings) -> MetricFamily:
    name = group[0].family.name
    # A family that has neither a type nor samples says nothing about what its samples mean.
    typed = [m for m in group if m.family.type is not MetricType.UNKNOWN or m.family.samples] or group[:1]
    type = typed[0].family.type
    for member in typed:
        if member.family.type is not type:
            details = {"family": name, "first": text_word(type), "second": text_word(member.family.type)}
            findings.add(Code.TYPE_CONFLICT, typed[0].type_place, member.type_place, details)
    unit = _agreed("UNIT", [(m, m.family.unit) for m in group], Code.UNIT_CONFLICT, findings)
    help = _agreed("HELP", [(m, m.family.help) for m in group], Code.HELP_CONFLICT, findings)
    # Samples of another type are not compared: the type is the fault.
    alike = [m for m in group if m.family.type is type]
    return MetricFamily(name, type, help, unit, _merge_samples(alike, type, policy.op_for(type), findings))


def _agreed(keyword: str, texts: Iterable[tuple[_Member, str | None]], code: Code, findings: _Findings) -> str | None:
    """The first text that is not empty; each other one is reported once."""
    given = [(member, text) for member, text in texts if text is not None]
    stated: dict[str, _Member] = {}
    for member, text in given:
        if text:
            stated.setdefault(text, member)
    if not stated:
        return "" if given else None
    (chosen, first), *differing = stated.items()
    for text, member in differing:
        findings.add(
            code,
            partial(first.metadata_place, keyword, chosen),
            partial(member.metadata_place, keyword, text),
            {"family": first.family.name, "first": chosen, "second": text},
        )
    return chosen


def _merge_samples(group: Sequence[_Member], type: MetricType, op: Op, findings: _Findings) -> Samples:
    name = group[0].family.name
    whole = _Whole(group)
    united = whole.samples
    repeated = united.duplicates(name=name, type=type)
    if op == "refuse" or (op == "sum" and type in _STATEMENTS):
        for index, original in findings.room_for(Code.DUPLICATE_SAMPLE, repeated):
            details = {"series": united[index].series}
            findings.keep(Code.DUPLICATE_SAMPLE, whole.place(original), whole.place(index), details)
        return united
    # The buckets of one histogram may be spread over inputs that have no sample in common.
    if not repeated and type not in HISTOGRAM_TYPES:
        return united
    if op == "sum" and type is MetricType.SUMMARY:
        quantiles = _merge_samples(_selected(group, bool), type, "refuse", findings)
        return _combine(_selected(group, operator.not_), type, op, findings).concat(quantiles)
    return _combine(group, type, op, findings)


def _selected(group: Iterable[_Member], quantile: Callable[[str], bool]) -> list[_Member]:
    """The members' samples by their label ``quantile``."""
    return [
        _Member(filename, family.with_samples(family.samples.select({"quantile": quantile})))
        for filename, family in group
    ]


class _Whole:
    """The samples of some members, one after the other."""

    def __init__(self, members: Sequence[_Member]) -> None:
        first, *rest = (member.family.samples for member in members)
        self.samples = first.concat(*rest) if rest else first
        self.members = members
        self.starts = list(accumulate((len(member.family.samples) for member in members), initial=0))

    def place(self, index: int) -> Place:
        number = bisect_right(self.starts, index) - 1
        return self.members[number].sample_place(index - self.starts[number])


class _Part(NamedTuple):
    """Samples that some members hold together, no series twice."""

    samples: Samples
    members: Sequence[_Member]

    def places(self, indices: Sequence[int], name: str, type: MetricType) -> list[Place]:
        """Where the first of the members has the samples, each of another series."""
        whole = _Whole(self.members)
        _, found = whole.samples.combine(_rows(self.samples, indices), "refuse", name=name, type=type)
        firsts = {position: index for index, position in found}
        return [whole.place(firsts[position]) for position in range(len(indices))]


def _rows(samples: Samples, indices: Iterable[int]) -> Samples:
    return samples[:0].concat(*(samples[index : index + 1] for index in indices))


def _combine(group: Sequence[_Member], type: MetricType, op: Op, findings: _Findings) -> Samples:
    name = group[0].family.name
    parts = [
        _Part(samples, [member]) for member in group for samples in without_repeats(member.family.samples, name, type)
    ]
    # Neighbours first, so that merging many inputs takes no quadratic time, and sums round less.
    while len(parts) > 1:
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        odd = parts[len(pairs) * 2 :]
        parts = []
        for left, right in pairs:
            samples, differing = left.samples.combine(right.samples, op, name=name, type=type)
            if told := findings.room_for(Code.BUCKET_BOUNDS_CONFLICT, differing):
                mine, other = zip(*told, strict=True)
                places = zip(left.places(mine, name, type), right.places(other, name, type), strict=True)
                for index, both in zip(mine, places, strict=True):
                    details = {"series": _histogram(name, left.samples[index])}
                    findings.keep(Code.BUCKET_BOUNDS_CONFLICT, *both, details)
            parts.append(_Part(samples, [*left.members, *right.members]))
        parts += odd
    return parts[0].samples


def _histogram(name: str, sample: Sample) -> str:
    """The series of a histogram that has the sample."""
    labels = LabelSet({label: value for label, value in sample.labels.items() if label != "le"})
    return Sample(name, labels, 0).series


def without_repeats(samples: Samples, name: str, type: MetricType) -> list[Samples]:
    """The samples as sequences without duplicates: the first of each series, the second of each, and so on."""
    repeated = samples.duplicates(name=name, type=type)
    if not repeated:
        return [samples]
    uses: Counter[int] = Counter()
    turns: list[list[int]] = []
    for index, original in repeated:
        if uses[original] == len(turns):
            turns.append([])
        turns[uses[original]].append(index)
        uses[original] += 1
    ends = [index for index, _ in repeated] + [len(samples)]
    firsts = (samples[start:end] for start, end in zip([0, *(end + 1 for end in ends)], ends, strict=False))
    return [samples[:0].concat(*firsts), *(_rows(samples, turn) for turn in turns)]


def _find_suffix_collisions(members: Mapping[str, Sequence[_Member]], findings: _Findings) -> None:
    order = {name: number for number, name in enumerate(members)}
    for name, group in members.items():
        composite = next((m for m in group if m.family.type in TEXT_SUFFIXES), None)
        if composite is None:
            continue
        for suffix in TEXT_SUFFIXES[composite.family.type]:
            if other := members.get(name + suffix):
                earlier, later = composite, other[0]
                if order[name] > order[name + suffix]:
                    earlier, later = later, earlier
                findings.add(Code.SUFFIX_COLLISION, earlier.name_place, later.name_place, {})


__all__ = ["MergePolicy", "Op", "merge"]
