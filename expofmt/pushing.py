"""A push, from the body of a request to families that a store can hold: read, labelled, completed, within limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Final, Literal, NamedTuple, Self, get_args

from . import engine
from .codes import Code, Severity
from .consistency import repeated_samples
from .diagnostics import ConsistencyError, Diagnostic, ExpositionError, LimitError, Place
from .formats import Format
from .grouping import GroupingKey
from .groups import ChangeKind, Group, together
from .merge import MergePolicy, merge
from .model import Exposition, LabelSet, MetricFamily, MetricType, Sample, Samples, text_word
from .names import Names, quote, written_name
from .parse import MAX_DIAGNOSTICS, read_push
from .render import losses_in_text, render, text_help
from .source import Source, Span
from .values import parse_float

__all__ = [
    "EXPIRY_FAMILY",
    "EXPIRY_HELP",
    "MAX_FINDINGS",
    "TIME_FAMILIES",
    "Limits",
    "Push",
    "PushPolicy",
    "accumulated",
    "more_findings",
    "prepared",
]

# What the store itself says of each group; a push cannot say it.
TIME_FAMILIES: Final[Mapping[str, str]] = {
    "push_time_seconds": "Last Unix time when changing this group in the Pushgateway succeeded.",
    "push_failure_time_seconds": "Last Unix time when changing this group in the Pushgateway failed.",
}

# What it says besides where groups expire. Elsewhere it is a name like others, as it is to Pushgateway.
EXPIRY_FAMILY: Final = "push_expiry_time_seconds"
EXPIRY_HELP: Final = "Unix time when this group will expire unless it is pushed again."

# What Pushgateway finds after it has read a push, when it compares: such a push is remembered as a failure of its
# group.
_REMEMBERED: Final = frozenset((Code.DUPLICATE_SAMPLE, Code.EXPLICIT_TIMESTAMP, Code.RESERVED_LABEL_NAME))

# What it refuses, and Prometheus reads as if it were in order.
_FORGIVEN: Final = frozenset((Code.MISSING_FINAL_NEWLINE, Code.TRAILING_BLANK, Code.UNKNOWN_ESCAPE))

# Samples that Pushgateway drops, all but their label set.
_DROPPED: Final = frozenset((Code.MISSING_LE, Code.NAN_BOUND, Code.STRAY_SAMPLE, Code.MISSING_QUANTILE))

# The label that tells the samples of a metric apart.
_POINT_LABELS: Final[Mapping[MetricType, str]] = {MetricType.HISTOGRAM: "le", MetricType.SUMMARY: "quantile"}

_TYPE_LINE: Final = re.compile(
    rb'^[ \t]*#[ \t]*TYPE[ \t]+(?P<name>"(?:[^"\\\n]|\\.)*"|\S+)[ \t]+(?P<type>\S+)', re.MULTILINE
)

_INSTANCE: Final = LabelSet(instance="")

# How many diagnostics of one kind a push is refused with.
MAX_FINDINGS: Final = MAX_DIAGNOSTICS

PushOp = Literal["replace", "last", "sum", "min", "max"]


class _Rule(NamedTuple):
    pattern: str
    type: MetricType | None
    op: PushOp


@dataclass(frozen=True, slots=True)
class PushPolicy:
    """What becomes of a family that is pushed again to the same group: replaced, as Pushgateway does, or accumulated.

    ``replace`` takes the pushed family in the place of the old one; the others keep the series of both, and settle
    those that both have: ``last`` by the push, ``sum``, ``min`` and ``max`` by value. Histograms must agree on their
    bounds, and quantiles cannot be summed: such a push is refused. To accumulate costs what the group has
    of the family, however little of it is pushed. Immutable.

    >>> policy = PushPolicy.parse("counter=sum,jobs_*=max")
    >>> policy.op_for("jobs_total", MetricType.COUNTER), policy.op_for("up", MetricType.GAUGE)
    ('max', 'replace')
    """

    rules: tuple[_Rule, ...] = ()
    default: PushOp = "replace"

    @property
    def accumulates(self) -> bool:
        """Whether there is a family that is not simply replaced.

        >>> PushPolicy().accumulates, PushPolicy.parse("counter=sum").accumulates
        (False, True)
        """
        return self.default != "replace" or any(rule.op != "replace" for rule in self.rules)

    @classmethod
    def parse(cls, text: str, /) -> Self:
        """A policy as it is spelled on a command line: ``replace``, or ``what=operation`` with commas between.

        ``what`` is a metric type or a glob pattern of family names; names go before types, and of several patterns the
        first that fits counts. An operation alone is for all other families. Raises ValueError, also for a name that
        looks like a misspelled type; a family that is called so is written as a pattern, such as ``[c]ounters``.

        >>> PushPolicy.parse("avg")
        Traceback (most recent call last):
        ValueError: unknown operation `avg`: expected one of replace, last, sum, min, max
        """
        rules: list[_Rule] = []
        default: PushOp = "replace"
        for item in text.split(","):
            what, equals, word = (part.strip() for part in item.rpartition("="))
            op = _push_op(word)
            if not equals:
                default = op
                continue
            if what in _TYPE_WORDS:
                rules.append(_Rule("*", MetricType("unknown" if what == "untyped" else what), op))
            else:
                rules.append(_Rule(_name_pattern(what), None, op))
        return cls(tuple(sorted(rules, key=lambda rule: rule.type is not None)), default)

    def op_for(self, name: str, type: MetricType) -> PushOp:
        """The operation for a family.

        >>> PushPolicy().op_for("up", MetricType.GAUGE)
        'replace'
        """
        for rule in self.rules:
            if rule.type is type or (rule.type is None and fnmatchcase(name, rule.pattern)):
                return rule.op
        return self.default


# As they are spelled in a policy.
_TYPE_WORDS: Final = (*map(str, MetricType), "untyped")


def _name_pattern(what: str) -> str:
    """A pattern of names; ValueError for one that may be a misspelled type, and would silently fit nothing."""
    from difflib import get_close_matches

    if not what:
        raise ValueError("an operation lacks the metric type or the name before its `=`")
    near = [] if re.search(r"[*?[]", what) else get_close_matches(what.lower(), _TYPE_WORDS, 1, 0.8)
    if near:
        family = f"`[{what[0]}]{what[1:]}`"
        raise ValueError(f"unknown metric type `{what}`: did you mean `{near[0]}`? A family called so is {family}")
    return what


def _push_op(word: str) -> PushOp:
    for op in get_args(PushOp):
        if word == op:
            return op  # type: ignore[no-any-return]
    raise ValueError(f"unknown operation `{word}`: expected one of {', '.join(get_args(PushOp))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a store takes; ``None`` is no limit. A push beyond one is a LimitError, and nothing of it is stored.

    ``body_bytes``: of one push; ``push_families`` and ``push_series``: in one push; ``label_value_bytes``: of one label
    value in UTF-8, grouping labels included; ``groups`` and ``series``: in the store. What histograms and summaries get
    because they lack it counts, too. A limit below 0 is a ValueError.

    >>> Limits(groups=10_000).groups
    10000
    """

    body_bytes: int | None = None
    push_families: int | None = None
    push_series: int | None = None
    label_value_bytes: int | None = None
    groups: int | None = None
    series: int | None = None

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if value is not None and value < 0:
                raise ValueError(f"a limit is not negative: {limit.name}={value}")


@dataclass(frozen=True, slots=True)
class Push:
    """A push that was read and labelled; ``pushed`` holds its families as they were given, for places to point at."""

    kind: ChangeKind
    key: GroupingKey
    families: dict[str, MetricFamily]
    pushed: Exposition
    source: Source
    # Whether the source holds the text that was given; if not, it was made for the occasion, or is no text.
    is_text: bool
    lifetime_ns: int | None = None
    warnings: list[Diagnostic] = field(default_factory=list)
    # What is wrong with it and is to be remembered as a failure of its group.
    errors: list[Diagnostic] = field(default_factory=list)
    # The families whose samples are not those that were pushed, one by one.
    completed: set[str] = field(default_factory=set)
    # What places were looked for in, made when one is asked for: a push may have thousands of them.
    _indices: dict[str, dict[str | LabelSet, int]] = field(default_factory=dict)
    _type_lines: dict[bytes, dict[str, Span]] = field(default_factory=dict)

    @classmethod
    def of_group(cls, group: Group) -> Self:
        """A group as if it were pushed, of whose text nothing is at hand."""
        families = {name: family for name, (family, _) in group.families.items()}
        source = Source(f"group {group.key}", b"")
        pushed = Exposition(families.values(), filename=source.name)
        return cls(ChangeKind.PUT, group.key, families, pushed, source, is_text=False, lifetime_ns=group.lifetime_ns)

    def leave_out(self, name: str) -> None:
        """Drop a family that the store has itself, with a warning."""
        self.warnings.append(_finding(Code.RESERVED_FAMILY, Severity.WARNING, self.type_place(name), family=name))
        del self.families[name]

    def type_place(self, name: str) -> Place:
        """The type on the TYPE line of a family; where there is none, its first sample."""
        return self._metadata_place(name, "type")

    def name_place(self, name: str) -> Place:
        """The name of a family on its TYPE line; where there is none, its first sample."""
        return self._metadata_place(name, "name")

    def _metadata_place(self, name: str, part: str) -> Place:
        if not self._type_lines:
            # No name is empty: where there is no such line either, that has been found out.
            self._type_lines[b""] = {}
            for line in _TYPE_LINE.finditer(self.source.data):
                spans = {part: Span(*line.span(part)) for part in ("name", "type")}
                self._type_lines.setdefault(line["name"], spans)
        found = self._type_lines.get(name.encode()) or self._type_lines.get(quote(name).encode())
        return self._place(found[part]) if found else self.pushed_place(name, 0)

    def pushed_place(self, name: str, index: int) -> Place:
        """A sample, by its number in its family as it was pushed."""
        samples = self.pushed[name].samples
        # The samples of a group may have places, but not in this text.
        span = samples.span(index) if self.source.data else None
        if span is None:
            return Place.canonical(self.source.name, str(samples[index]), "")
        return self._place(span)

    def sample_place(self, name: str, index: int) -> Place:
        """A sample, by its number in its family as the group gets it; the first of its metric, if it was not pushed."""
        if name not in self.completed:
            return self.pushed_place(name, index)
        family = self.families[name]
        sample = family.samples[index]
        indices = self._pushed_indices(name)
        number = indices.get(sample.series)
        if number is None:
            number = indices[_without(sample.labels, _POINT_LABELS[family.type])]
        return self.pushed_place(name, number)

    def _pushed_indices(self, name: str) -> dict[str | LabelSet, int]:
        """Where the first sample of each series and of each metric was pushed; it takes a pass over the family."""
        indices = self._indices.get(name)
        if indices is None:
            indices = self._indices[name] = {}
            label = _POINT_LABELS[self.families[name].type]
            for number, sample in enumerate(self.pushed[name].samples.with_labels(self.key.labels, _INSTANCE)):
                indices.setdefault(sample.series, number)
                indices.setdefault(_without(sample.labels, label), number)
        return indices

    def _place(self, span: Span) -> Place:
        place = Place.of(self.source, span, "")
        return place if self.is_text else _placeless(place)


def prepared(
    kind: ChangeKind,
    key: GroupingKey,
    body: bytes | bytearray | memoryview | str | Exposition,
    *,
    format: Format,
    names: Names,
    limits: Limits,
    lifetime_ns: int | None,
    lenient: bool = False,
) -> Push:
    """Read a push as Pushgateway does, give its samples the labels of their group, and complete what is incomplete.

    An exposition is read as the text that it is rendered to, so that it can hold no more than a text. What a protobuf
    body holds besides is left out, with a warning. A lenient reader warns of what Prometheus would scrape all the same.

    Raises ParseError for what Pushgateway's parser refuses, ConsistencyError for what no text can say, and LimitError.
    What is refused when pushes are compared is in ``errors`` of the result, since it is to be remembered.
    """
    filename = f"{kind.upper()} {key.to_path(names=names)}"
    if limits.label_value_bytes is not None:
        for label, value in key.items():
            _check_value(
                limits.label_value_bytes, label, value, Place.canonical(filename, f"{label}={quote(value)}", "")
            )
    format = Format(format)
    # Not made for the occasion, so that places in it mean something to whoever pushed it.
    is_given = not isinstance(body, Exposition)
    if isinstance(body, Exposition):
        format = Format.TEXT
        if body.filename != Exposition.DEFAULT_FILENAME:
            filename = body.filename
        data = _rendered(Exposition(body.values(), filename=filename))
    elif isinstance(body, str):
        data = body.encode("utf-8", "surrogatepass")
    elif isinstance(body, (bytes, bytearray, memoryview)):
        data = bytes(body)
    else:
        raise TypeError(f"the body of a push is bytes, str or an Exposition, not {type(body).__name__}")
    _check_limit(limits.body_bytes, len(data), Code.BODY_TOO_LARGE, filename)
    if format is Format.PROTOBUF:
        _check_messages(limits.push_families, data, filename)
    source = Source(filename, data)
    try:
        pushed, found = _read(source, format, names, lenient)
    except ExpositionError as error:
        raise error if is_given else type(error)(map(_unplaced, error.diagnostics)) from None
    # Before each is an object.
    _check_limit(limits.push_families, len(pushed), Code.TOO_MANY_FAMILIES, filename)
    if not is_given:
        found = list(map(_unplaced, found))
    is_text = is_given and format is Format.TEXT
    if format is Format.PROTOBUF:
        pushed = _as_text_has_it(pushed, source, found)
        # Places in it are told by what stands there.
        lines = (f"# TYPE {written_name(name)} {text_word(family.type)}\n" for name, family in pushed.items())
        source = Source(filename, "".join(lines).encode())
    families = {name: family for name, family in pushed.items() if family.samples}
    push = Push(kind, key, families, pushed, source, is_text, lifetime_ns)
    for diagnostic in found:
        (push.errors if diagnostic.severity is Severity.ERROR else push.warnings).append(diagnostic)
    for name in sorted(TIME_FAMILIES.keys() & families.keys()):
        push.leave_out(name)
    if not push.errors:
        families |= {family.name: family for family in _labelled(push, limits)}
    if limits.push_series is not None:
        series = sum(len(family.samples) for family in families.values())
        _check_limit(limits.push_series, series, Code.TOO_MANY_SERIES, filename)
    return push


def _rendered(exposition: Exposition) -> bytes:
    try:
        return render(exposition)
    except ConsistencyError as error:
        raise ConsistencyError(
            replace(each, help="push what `render(exposition, lossy=True)` gives") if each.help else each
            for each in error.diagnostics
        ) from None


def _read(source: Source, format: Format, names: Names, lenient: bool) -> tuple[Exposition, list[Diagnostic]]:
    found: list[Diagnostic] = []
    try:
        pushed = read_push(source, names=names, format=format, strict=True, on_warning=found.append)
    except ConsistencyError as error:
        if lenient:
            error = ConsistencyError(map(_forgiven, error.diagnostics))
        if any(each.code not in _REMEMBERED for each in error.errors()):
            raise error from None
        pushed = read_push(source, names="utf-8", format=format, strict=False)
        return pushed, list(error.diagnostics)
    return pushed, found


def _as_text_has_it(exposition: Exposition, source: Source, found: list[Diagnostic]) -> Exposition:
    """The families without what no text can say, and that among what was found: a store keeps and writes text."""
    families = []
    for family in exposition.values():
        if family.type is MetricType.GAUGEHISTOGRAM:
            # It would be scraped as a histogram, so that this one is no warning.
            raise ConsistencyError([_gauge_histogram(family.name, source)])
        losses = [loss for loss in losses_in_text(family, exposition.filename) if loss.code is Code.FORMAT_LOSS]
        if losses:
            found += (replace(loss, severity=Severity.WARNING, help=None) for loss in losses)
            help = None if family.help is None else text_help(family.help)
            samples = family.samples
            if samples.losses_in_text():
                samples = engine.pack(Sample(s.name, s.labels, s.value, s.timestamp_ns) for s in samples)
            family = MetricFamily(family.name, family.type, help, None, samples)
        families.append(family)
    return Exposition(families, filename=exposition.filename)


def _gauge_histogram(name: str, source: Source) -> Diagnostic:
    from .engine import protobuf

    # What has been read does not know its bytes.
    span = Span(*protobuf.span_of_family(source.data, name))
    excerpt = ("# TYPE ", written_name(name), f" {MetricType.GAUGEHISTOGRAM}")
    place = Place.in_binary(source.name, excerpt, span)
    diagnostic = _finding(Code.FORMAT_LOSS, Severity.ERROR, place, family=name)
    return replace(diagnostic, message="gauge histograms are not stored", help="push it as a histogram, or as gauges")


def _forgiven(diagnostic: Diagnostic) -> Diagnostic:
    return replace(diagnostic, severity=Severity.WARNING) if diagnostic.code in _FORGIVEN else diagnostic


def _labelled(push: Push, limits: Limits) -> Iterator[MetricFamily]:
    """The families as the group has them; what is wrong with single samples goes to the push."""
    if not push.families:
        return
    first, *others = pushed = [family.samples for family in push.families.values()]
    # Samples that look alike as they were pushed have been told: more do only where a label gets another value.
    may_repeat = not first.concat(*others).label_names().isdisjoint({*push.key.labels, *_INSTANCE})
    # The group outlives the text of the push.
    labelled = together(pushed, push.key.labels, _INSTANCE)
    untold = 0
    for family, samples in zip(push.families.values(), labelled, strict=True):
        name = family.name
        if limits.label_value_bytes is not None:
            _check_values(push, name, samples, limits.label_value_bytes)
        if may_repeat or family.type in _POINT_LABELS:
            untold += _find_duplicates(push, name, family.type, samples)
        if family.type not in _POINT_LABELS:
            yield family.with_samples(samples)
            continue
        if not push.errors:
            _find_united(push, family, samples)
        faults = samples.histogram_faults(name, family.type)
        dropped = [(code, index) for code, index, _ in faults if code in _DROPPED]
        for code, index in dropped[:MAX_FINDINGS]:
            push.warnings.append(_finding(Code(code), Severity.WARNING, push.pushed_place(name, index)))
        if len(dropped) > MAX_FINDINGS:
            push.warnings.append(more_findings(push.source.name, len(dropped) - MAX_FINDINGS))
        if not push.errors and not samples.is_complete(name, family.type):
            completed = _completed(family, samples)
            if completed is not None:
                push.completed.add(name)
                samples = completed
                if samples.duplicates(name=name, type=family.type):
                    # A sample without a suffix, whose bucket is there already.
                    place = push.pushed_place(name, dropped[0][1])
                    push.errors.append(_finding(Code.DUPLICATE_BUCKET, Severity.ERROR, place))
        yield family.with_samples(samples)
    if untold:
        push.errors.append(more_findings(push.source.name, untold))


def _find_duplicates(push: Push, name: str, type: MetricType, samples: Samples) -> int:
    """How many there are besides those that are told."""
    repeated = repeated_samples(name, type, samples)
    # Places take long to find.
    told = repeated[: max(0, MAX_FINDINGS - len(push.errors))]
    for word, index, first in told:
        code = Code(word)
        place, related = push.pushed_place(name, index), push.pushed_place(name, first)
        pushed = push.pushed[name].samples
        # Perhaps they are one only in the group.
        differ = code is Code.DUPLICATE_SAMPLE and pushed[index].labels != pushed[first].labels
        details = {"labelled": samples[index].series} if differ else {}
        push.errors.append(Diagnostic.of_places(code, Severity.ERROR, place, related, details))
    return len(repeated) - len(told)


def _find_united(push: Push, family: MetricFamily, samples: Samples) -> None:
    """Find metrics of several samples that only the labels of the group make one."""
    if family.samples.label_names().isdisjoint({"instance", *push.key}):
        return
    label = _POINT_LABELS[family.type]
    found = family.samples.united_in(samples, label)
    if found is not None:
        place, first = (push.pushed_place(family.name, index) for index in found)
        details = {"labelled": f"{family.name}{_without(samples[found[0]].labels, label)}"}
        push.errors.append(Diagnostic.of_places(Code.DUPLICATE_SAMPLE, Severity.ERROR, place, first, details))


def _check_values(push: Push, family: str, samples: Samples, limit: int) -> None:
    for label in samples.label_names():
        # A predicate is called once for each distinct value.
        for sample in samples.select({label: lambda value: len(value.encode()) > limit})[:1]:
            index = next(index for index, each in enumerate(samples) if each.labels == sample.labels)
            _check_value(limit, label, sample.labels[label], push.pushed_place(family, index))


def _check_value(limit: int, label: str, value: str, place: Place) -> None:
    if (found := len(value.encode())) > limit:
        details = {"label": label, "limit": f"{limit:,}", "found_number": f"{found:,}"}
        raise LimitError([_finding(Code.LABEL_VALUE_TOO_LONG, Severity.ERROR, place, **details)])


class _Parts:
    """What a histogram or summary consists of."""

    __slots__ = ("count", "points", "sum")

    def __init__(self) -> None:
        self.points: list[tuple[str, float]] = []
        self.sum: float | None = None
        self.count: float | None = None


def _completed(family: MetricFamily, samples: Samples) -> Samples | None:
    """All samples that Pushgateway prints of a histogram or summary; ``None`` if it is these.

    What it drops leaves its label set, and so a metric that may have nothing but zeros. A sample with the name of a
    histogram and ``le`` is a bucket to it. This looks at each sample.
    """
    name, label = family.name, _POINT_LABELS[family.type]
    is_histogram = family.type is MetricType.HISTOGRAM
    point_name = f"{name}_bucket" if is_histogram else name
    metrics: dict[LabelSet, _Parts] = {}
    kept = 0
    for sample in samples:
        text = sample.labels.get(label)
        labels = sample.labels if text is None else _without(sample.labels, label)
        parts = metrics.setdefault(labels, _Parts())
        if sample.name in (name, point_name):
            if text is not None and not math.isnan(parse_float(text)):
                parts.points.append((text, sample.value))
                kept += sample.name == point_name
        elif sample.name == f"{name}_sum":
            parts.sum = sample.value
            kept += text is None
        else:
            parts.count = sample.value
            kept += text is None
    completed: list[Sample] = []
    for labels, parts in metrics.items():
        if is_histogram and not any(parse_float(text) == math.inf for text, _ in parts.points):
            parts.points.append(("+Inf", parts.count or 0.0))
        completed += (Sample(point_name, {**labels, label: text}, value) for text, value in parts.points)
        completed.append(Sample(f"{name}_sum", labels, 0.0 if parts.sum is None else parts.sum))
        completed.append(Sample(f"{name}_count", labels, parts.count or 0.0))
    return None if len(completed) == kept == len(samples) else engine.pack(completed)


def _without(labels: LabelSet, name: str) -> LabelSet:
    return LabelSet({label: value for label, value in labels.items() if label != name})


def accumulated(push: Push, old: Mapping[str, MetricFamily], policy: PushPolicy) -> Sequence[MetricFamily]:
    """The pushed families, each as the policy makes it of the one that the group has.

    Raises ConsistencyError where it cannot.
    """
    return [
        _accumulated(push, family, old[name], policy.op_for(name, family.type)) if name in old else family
        for name, family in push.families.items()
    ]


def _accumulated(push: Push, new: MetricFamily, old: MetricFamily, op: PushOp) -> MetricFamily:
    if op == "replace":
        return new
    before = Exposition([old], filename=f"group {push.key}")
    after = Exposition([new], filename=push.source.name)
    try:
        merged = merge(before, after, policy=MergePolicy(op))[new.name]
    except ConsistencyError as error:
        raise ConsistencyError(_in_the_push(push, new, each) for each in error.diagnostics) from None
    # The help text is that of the push: it is the newer one. The samples are in columns of their own, so that those of
    # earlier pushes are let go of.
    return replace(merged, help=new.help, samples=merged.samples.with_labels({}, {}))


def _in_the_push(push: Push, family: MetricFamily, diagnostic: Diagnostic) -> Diagnostic:
    """What is wrong between a push and its group, where it was pushed."""
    line = diagnostic.place.excerpt
    found = (index for index, sample in enumerate(family.samples) if str(sample).startswith(line))
    index = next(found, None)
    place = push.type_place(family.name) if index is None else push.sample_place(family.name, index)
    help = "delete the group first, or choose another policy for this family, such as `replace`"
    return replace(diagnostic, place=replace(place, label=diagnostic.place.label), help=help)


def _check_messages(limit: int | None, data: bytes, filename: str) -> None:
    """Refuse a body of more messages than there may be families and repeated names, before any of them is read."""
    from .engine import protobuf

    if limit is None:
        return
    most = limit + protobuf.MOST_REPEATED
    if protobuf.has_more_messages(data, most):
        raise limit_error(Code.TOO_MANY_FAMILIES, filename, limit, f"over {most:,}")


def _check_limit(limit: int | None, found: int, code: Code, filename: str) -> None:
    if limit is not None and found > limit:
        raise limit_error(code, filename, limit, found)


def limit_error(code: Code, filename: str, limit: int, found: int | str) -> LimitError:
    """What a push is refused with that goes beyond a limit."""
    place = Place.canonical(filename, "", "")
    found = found if isinstance(found, str) else f"{found:,}"
    return LimitError([_finding(code, Severity.ERROR, place, limit=f"{limit:,}", found_number=found)])


def more_findings(filename: str, count: int) -> Diagnostic:
    """What stands for findings of one kind beyond those that are told."""
    return _finding(Code.TOO_MANY_DIAGNOSTICS, Severity.INFO, Place.canonical(filename, "", ""), count=str(count))


def _finding(code: Code, severity: Severity, place: Place, **details: str) -> Diagnostic:
    return Diagnostic.of_places(code, severity, place, None, details)


def _unplaced(diagnostic: Diagnostic) -> Diagnostic:
    """The same without lines and columns, for a text that nobody has seen."""
    related = None if diagnostic.related is None else _placeless(diagnostic.related)
    return replace(diagnostic, place=_placeless(diagnostic.place), related=related)


def _placeless(place: Place) -> Place:
    return replace(place, span=None, line=None, column=None, end_line=None, end_column=None)
