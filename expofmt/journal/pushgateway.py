"""What a running Prometheus Pushgateway says of its groups, by its API (``GET /api/v1/metrics``).

Its persistence file can be read by that program only; the API says nearly all that is in it. What it does not say is
told, and not guessed: native histograms and gauge histograms.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from ..grouping import GroupingKey
from ..groups import Group, StoredFamily
from ..model import (
    Bucket,
    HistogramMetric,
    LabelSet,
    MetricFamily,
    MetricType,
    Quantile,
    Sample,
    SummaryMetric,
)
from ..pushing import EXPIRY_FAMILY, EXPIRY_HELP
from ..values import INT64_MAX, INT64_MIN, parse_float

__all__ = ["Answer", "read_answer"]

_PUSH_TIME: Final = "push_time_seconds"
_FAILURE_TIME: Final = "push_failure_time_seconds"

_TYPES: Final[Mapping[str, MetricType]] = {
    "COUNTER": MetricType.COUNTER,
    "GAUGE": MetricType.GAUGE,
    "UNTYPED": MetricType.UNKNOWN,
    "HISTOGRAM": MetricType.HISTOGRAM,
    "SUMMARY": MetricType.SUMMARY,
}

_match_time = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
).fullmatch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Point = TypeVar("Point", Bucket, Quantile)


class Answer(NamedTuple):
    """The groups, and what of them cannot be taken over, a line each.

    >>> Answer([], []).groups
    []
    """

    groups: list[Group]
    refused: list[str]


class _RefusedError(Exception):
    """Why a family, or a group, cannot be taken over."""


def read_answer(body: bytes, /) -> Answer:
    """The groups that a Pushgateway's answer tells of, each family with the time of the push that set it.

    Values are those that the answer spells, to the last digit; histograms have the ``+Inf`` bucket that every scrape
    shows. A gateway of ours tells besides when its groups expire. What is refused is not in the groups: a family of
    histograms that text cannot hold, or a group without its labels (where a family called ``labels`` hides them).
    Families without metrics are left out, as scrapes do. Raises ValueError if that is no such answer.

    >>> answer = read_answer(b'{"status":"success","data":[{"labels":{"job":"a"},"last_push_successful":true}]}')
    >>> answer.groups[0].key["job"]
    'a'
    >>> read_answer(b"<html>")
    Traceback (most recent call last):
    ValueError: not the answer of a Pushgateway's API
    """
    try:
        answer = json.loads(body)
        if answer["status"] != "success":
            raise ValueError(answer["status"])
        found: list[Group] = []
        refused: list[str] = []
        for told in answer["data"]:
            try:
                found.append(_group(told, refused))
            except _RefusedError as reason:
                refused.append(str(reason))
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError("not the answer of a Pushgateway's API") from error
    return Answer(found, refused)


def _group(told: dict[str, Any], refused: list[str]) -> Group:
    labels = told["labels"]
    if "time_stamp" in labels and not isinstance(labels.get("metrics", ""), str):
        raise _RefusedError("a group has a metric family `labels`, which hides its grouping labels")
    try:
        key = GroupingKey(labels["job"], {name: value for name, value in labels.items() if name != "job"})
    except ValueError as error:
        raise _RefusedError(f"group {labels}: {error}") from error
    families: dict[str, StoredFamily] = {}
    lifetime_ns = _lifetime(told)
    facts = {"labels", _PUSH_TIME, _FAILURE_TIME, *([] if lifetime_ns is None else [EXPIRY_FAMILY])}
    shown = {name: family for name, family in told.items() if name not in facts}
    # A gateway of ours keeps families apart that have the names of such facts.
    if "time_stamp" not in shown.get("", {"time_stamp": ""}):
        shown |= shown.pop("")
    for name, family in shown.items():
        # Where this is no family, it is the group's own fact of that name.
        if isinstance(family, bool):
            continue
        try:
            stored = StoredFamily(_family(name, family), _time(family["time_stamp"]))
        except _RefusedError as reason:
            refused.append(f"metric family `{name}` of group {key.labels}: {reason}")
        else:
            if stored.family.samples:
                families[name] = stored
    pushed, failed = (_moment(told.get(name)) for name in (_PUSH_TIME, _FAILURE_TIME))
    return Group(key, MappingProxyType(families), pushed, failed, lifetime_ns)


def _lifetime(told: dict[str, Any]) -> int | None:
    """How long after its last push a group expires that a gateway of ours tells of; ``None`` if it does not.

    The time at which it does has lost some digits: of lifetimes that it may be of, the one of whole milliseconds is
    taken.
    """
    family = told.get(EXPIRY_FAMILY)
    if family is None or family.get("help") != EXPIRY_HELP:
        return None
    value = family["metrics"][0]["value"]
    lifetime_ns = int(Decimal(value) * 10**9) - (begun := _time(family["time_stamp"]))
    whole = round(lifetime_ns, -6)
    return whole if (begun + whole) / 1e9 == parse_float(value) else lifetime_ns


def _moment(family: dict[str, Any] | None) -> int:
    """When something happened, 0 for never. The value has lost some digits that the time of the family has."""
    if family is None or not family["metrics"]:
        return 0
    value = family["metrics"][0]["value"]
    if not (seconds := parse_float(value)):
        return 0
    time_ns = _time(family["time_stamp"])
    return time_ns if float(time_ns) / 1e9 == seconds else int(Decimal(value) * 10**9)


def _family(name: str, told: dict[str, Any]) -> MetricFamily:
    if told["type"] == "GAUGE_HISTOGRAM":
        raise _RefusedError("the API does not tell what is in a gauge histogram")
    type = _TYPES[told["type"]]
    help: str | None = told.get("help")
    if type is MetricType.HISTOGRAM:
        return MetricFamily.histogram(name, [_histogram(metric) for metric in told["metrics"]], help=help)
    if type is MetricType.SUMMARY:
        return MetricFamily.summary(name, [_summary(metric) for metric in told["metrics"]], help=help)
    samples = [Sample(name, LabelSet(metric["labels"]), parse_float(metric["value"])) for metric in told["metrics"]]
    return MetricFamily(name, type, help, None, samples)


def _histogram(told: dict[str, Any]) -> HistogramMetric:
    if isinstance(told["buckets"], list):
        raise _RefusedError("a native histogram, which text cannot hold")
    count = parse_float(told["count"])
    buckets = sorted(_points(told["buckets"], Bucket))
    if not buckets or buckets[-1].upper_bound != math.inf:
        buckets.append(Bucket(math.inf, count))
    return HistogramMetric(_labels(told, "le"), None, tuple(buckets), parse_float(told["sum"]), count)


def _summary(told: dict[str, Any]) -> SummaryMetric:
    quantiles = sorted(_points(told["quantiles"], Quantile))
    return SummaryMetric(
        _labels(told, "quantile"), None, tuple(quantiles), parse_float(told["sum"]), parse_float(told["count"])
    )


def _points(told: dict[str, str], point: Callable[[float, float], Point]) -> Iterator[Point]:
    return (point(parse_float(at), parse_float(value)) for at, value in told.items())


def _labels(told: dict[str, Any], bound: str) -> LabelSet:
    labels = LabelSet(told["labels"])
    if bound in labels:
        raise _RefusedError(f"a label `{bound}` beside the one that tells its samples apart")
    return labels


def _time(text: str) -> int:
    """Nanoseconds since the epoch of a time as Go writes it."""
    match = _match_time(text)
    if not match:
        raise ValueError(text)
    seconds, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{seconds}+00:00")
    if sign:
        east = timedelta(hours=int(hours), minutes=int(minutes))
        moment += east if sign == "-" else -east
    if moment.year == 1:
        return 0  # what Go shows where no time was set
    time_ns = (moment - _EPOCH) // timedelta(seconds=1) * 10**9 + int((fraction or "").ljust(9, "0"))
    if not INT64_MIN <= time_ns <= INT64_MAX:
        raise ValueError(text)
    return time_ns
