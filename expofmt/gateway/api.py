"""The answers of the JSON API, byte for byte as Pushgateway writes them: the groups, and the state of the process."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from json import JSONEncoder
from typing import Final

from ..catalog import identity
from ..grouping import GroupingKey
from ..groups import Group, StoredFamily
from ..model import HistogramMetric, LabelSet, MetricFamily, MetricType, SummaryMetric, text_word
from ..published import TIMES, times_of
from ..values import format_float

__all__ = ["HIDDEN", "metrics_json", "status_json"]

# What holds the families of a group that have the names of its facts. No family is called so.
HIDDEN: Final = ""

_FACTS: Final = ("labels", "last_push_successful")
_CHUNK: Final = 1 << 16
_LONGEST_KNOWN: Final = 1 << 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# What Go escapes and Python does not.
_ESCAPED: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_quoted: Final = JSONEncoder(ensure_ascii=False).encode
_has_escaped: Final = re.compile("[<>&\u2028\u2029]").search


def metrics_json(groups: Mapping[GroupingKey, Group], /, *, zone: tzinfo | None = UTC) -> Iterator[bytes]:
    """What ``GET /api/v1/metrics`` answers, in chunks: the groups in the order of the mapping, each with its families.

    Times are of the ``zone``, ``None`` for the local one. Metrics come in the order in which they were pushed. The
    answer is made as it is read, and no more of it is held than one chunk; of histograms and summaries, what one family
    consists of.

    Pushgateway's README, "Query API"; that of 1.11.3 in every byte, but for this:

    * A group that has a family called ``labels`` or ``last_push_successful`` keeps these facts: the family stands in an
      object with the key ``""``, where Pushgateway has it in the place of the fact.
    * Histograms have the bucket ``+Inf`` that every scrape shows, whether it was pushed or not.
    * Where there was no failure yet, its time is stamped with the last push; and that of the push, where there was
      none yet, with the last failure. It is the first one there.
    * Groups that expire have the family ``push_expiry_time_seconds``.

    >>> from expofmt import GroupStore
    >>> store = GroupStore(clock=lambda: 1_500_000_000_500_000_000)
    >>> _ = store.put(GroupingKey("batch"), b"jobs 3\\n")
    >>> b"".join(metrics_json(store.groups))[:110]
    b'{"status":"success","data":[{"jobs":{"time_stamp":"2017-07-14T02:40:00.5Z","type":"UNTYPED","metrics":[{"label'
    """
    return _chunks(_answer(groups.values(), zone))


def status_json(
    *, build: Mapping[str, str], flags: Mapping[str, str], start_time_ns: int, zone: tzinfo | None = UTC
) -> bytes:
    """What ``GET /api/v1/status`` answers: of what build the gateway is, its flags, and when it was started.

    The time is of the ``zone``, ``None`` for the local one.

    Pushgateway's README, "Query API".

    >>> status_json(build={"version": "1"}, flags={"web.route-prefix": ""}, start_time_ns=0)[:71]
    b'{"status":"success","data":{"build_information":{"version":"1"},"flags"'
    """
    return (
        f'{{"status":"success","data":{{"build_information":{_object(build)},"flags":{_object(flags)},'
        f'"start_time":"{_time(start_time_ns, zone)}"}}}}'
    ).encode()


def _chunks(pieces: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield "".join(held).encode()
            held.clear()
            size = 0
    yield "".join(held).encode()


def _answer(groups: Iterable[Group], zone: tzinfo | None) -> Iterator[str]:
    yield '{"status":"success","data":['
    between = ""
    for group in groups:
        yield between
        yield from _group(group, zone)
        between = ","
    yield "]}"


def _group(group: Group, zone: tzinfo | None) -> Iterator[str]:
    families = {**group.families, **dict(_times(group))}
    hidden: dict[str, StoredFamily] = {name: families.pop(name) for name in _FACTS if name in families}
    facts = {
        "labels": _object(group.key.labels),
        "last_push_successful": "false" if group.failure_time_ns > group.push_time_ns else "true",
    }
    between = "{"
    for name in sorted({*families, *facts, *([HIDDEN] if hidden else [])}):
        yield f"{between}{_string(name)}:"
        if name in facts:
            yield facts[name]
        elif name == HIDDEN:
            yield from _members(hidden, zone)
        else:
            yield from _family(*families[name], zone)
        between = ","
    yield "}"


def _members(families: Mapping[str, StoredFamily], zone: tzinfo | None) -> Iterator[str]:
    between = "{"
    for name in sorted(families):
        yield f"{between}{_string(name)}:"
        yield from _family(*families[name], zone)
        between = ","
    yield "}"


def _times(group: Group) -> Iterator[tuple[str, StoredFamily]]:
    pushed, failed = group.push_time_ns, group.failure_time_ns
    stamps = (pushed or failed, failed or pushed, pushed or failed)
    for family, time_ns, stamp in zip(TIMES.values(), times_of(group), stamps, strict=True):
        if time_ns is not None and family.name not in group.families:
            shown = MetricFamily.gauge(family.name, {identity(group.key): time_ns / 1e9}, help=family.help)
            yield family.name, StoredFamily(shown, stamp)


def _family(family: MetricFamily, time_ns: int, zone: tzinfo | None) -> Iterator[str]:
    type = "GAUGE_HISTOGRAM" if family.type is MetricType.GAUGEHISTOGRAM else text_word(family.type).upper()
    help = f'"help":{_string(family.help)},' if family.help else ""
    yield f'{{"time_stamp":"{_time(time_ns, zone)}","type":"{type}",{help}"metrics":['
    between = ""
    for metric in _metrics(family):
        yield f"{between}{metric}"
        between = ","
    yield "]}"


def _metrics(family: MetricFamily) -> Iterator[str]:
    if family.type in (MetricType.HISTOGRAM, MetricType.SUMMARY):
        for metric in family.metrics:
            if isinstance(metric, HistogramMetric):
                yield _histogram(metric)
            elif isinstance(metric, SummaryMetric):
                yield _summary(metric)
    else:
        for sample in family.samples:
            yield f'{{"labels":{_labels(sample.labels)},"value":"{_number(sample.value)}"}}'


def _histogram(metric: HistogramMetric) -> str:
    count = metric.count or 0.0
    # One count that is no whole number of 64 bits makes the others floats, too.
    is_whole = all(map(_is_whole, (count, *(bucket.cumulative_count for bucket in metric.buckets))))
    counted = _whole if is_whole else _number
    buckets = {_number(bucket.upper_bound): counted(bucket.cumulative_count) for bucket in metric.buckets}
    return (
        f'{{"buckets":{_object(buckets)},"count":"{counted(count)}","labels":{_labels(metric.labels)},'
        f'"sum":"{_number(0.0 if metric.sum is None else metric.sum)}"}}'
    )


def _summary(metric: SummaryMetric) -> str:
    count = metric.count or 0.0
    quantiles = {_number(quantile.quantile): _number(quantile.value) for quantile in metric.quantiles}
    return (
        f'{{"count":"{_whole(count) if _is_whole(count) else _number(count)}","labels":{_labels(metric.labels)},'
        f'"quantiles":{_object(quantiles)},"sum":"{_number(0.0 if metric.sum is None else metric.sum)}"}}'
    )


def _is_whole(count: float) -> bool:
    return 0 <= count < 2**64 and count.is_integer()


def _whole(count: float) -> str:
    return str(int(count))


def _number(value: float) -> str:
    """The value as scrapes have it, but for the sign of zero."""
    return "-0" if value == 0 and math.copysign(1, value) < 0 else format_float(value)


def _labels(labels: LabelSet) -> str:
    members = [_known(pair) if len(pair[1]) <= _LONGEST_KNOWN else _member(pair) for pair in labels.pairs]
    return "{" + ",".join(members) + "}"


def _member(pair: tuple[str, str]) -> str:
    name, value = pair
    return f"{_string(name)}:{_string(value)}"


# Most labels are those of the group, or have few values.
_known = lru_cache(1 << 12)(_member)


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{_string(name)}:{_string(members[name])}" for name in sorted(members)) + "}"


def _string(text: str) -> str:
    quoted = _quoted(text)
    return quoted.translate(_ESCAPED) if _has_escaped(quoted) else quoted


def _time(time_ns: int, zone: tzinfo | None) -> str:
    """A time of RFC 3339 with as many digits as it takes."""
    seconds, fraction = divmod(time_ns, 10**9)
    moment = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone)
    digits = f".{fraction:09}".rstrip("0") if fraction else ""
    # Go does not show the seconds of an offset either.
    minutes = int((moment.utcoffset() or timedelta()) / timedelta(minutes=1))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"
    return f"{moment.replace(tzinfo=None).isoformat()}{digits}{offset}"
