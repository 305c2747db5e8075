"""What the page shows of the groups, as JSON.

All times are whole milliseconds since the Unix epoch, since that is what a browser reckons with; values are the text of
the exposition, since JSON has neither NaN nor infinities. Labels are lists of pairs, since the order of an object's
members is a browser's affair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ...grouping import GroupingKey, GroupingKeyError
from ...groups import Group, StoredFamily
from ...model import HISTOGRAM_TYPES, HistogramMetric, MetricType, SummaryMetric, ValueMetric, text_word
from ...names import Names
from ...values import format_float

__all__ = ["DEFAULT_MAX_SAMPLES", "group_json", "overview_json"]

# As many as a browser shows at once without a pause.
DEFAULT_MAX_SAMPLES: Final = 5000

_NS_PER_MS: Final = 1_000_000
_COMPOSITE: Final = HISTOGRAM_TYPES | {MetricType.SUMMARY}


def overview_json(groups: Mapping[GroupingKey, Group], now_ns: int, *, names: Names = "legacy") -> bytes:
    """All groups in the order of the mapping, without their samples: the answer to ``GET /api/v1/groups``.

    Compact, so that thousands of groups are no load: ``families`` is a table of names, types and help texts, ``sets`` a
    table of lists of places in it, in order of the names, and a group names one of these by its place in ``set``.
    Its ``labels`` have the job first. ``path`` is that of the group below the gateway's own, in which ``names`` are
    spelt as the store takes them; it is ``null`` for a group that no path can name. ``failing`` is whether the last
    push was refused; times are 0 for "never". ``samples`` counts lines of exposition.

    >>> group = Group(GroupingKey("backup", instance="a"), push_time_ns=5_000_000)
    >>> print(overview_json({group.key: group}, 7_000_000).decode()[:65])
    {"now":7,"families":[],"sets":[[]],"groups":[{"labels":[["job","b
    """
    families: dict[tuple[str, MetricType, str | None], int] = {}
    sets: dict[tuple[int, ...], int] = {}
    shown = []
    for key, group in groups.items():
        places = []
        samples = 0
        for name, (family, _) in sorted(group.families.items()):
            places.append(families.setdefault((name, family.type, family.help), len(families)))
            samples += len(family.samples)
        shown.append(
            {
                "labels": _labels(key),
                "path": _path(key, names),
                "set": sets.setdefault(tuple(places), len(sets)),
                "samples": samples,
                **_times(group),
            }
        )
    table = [[name, text_word(type), help or ""] for name, type, help in families]
    return _encoded({"now": now_ns // _NS_PER_MS, "families": table, "sets": [*sets], "groups": shown})


def group_json(group: Group, now_ns: int, *, max_samples: int = DEFAULT_MAX_SAMPLES) -> bytes:
    """One group with its samples: the answer to ``GET /api/v1/groups/job/...``.

    Families are in order of their names, each with the time of the push that set it, and its ``metrics`` in canonical
    order: with a ``value``, or, for histograms and summaries, with the ``points`` (pairs of bound and cumulative count,
    or of quantile and value), ``sum`` and ``count``; what is not there is ``null``. Their labels are those that the
    group itself does not have. At most ``max_samples`` lines of exposition are shown: small families whole, and of
    large ones whole metrics, as many as there is room for. ``more`` is how many lines of the family are not.

    >>> from expofmt import MetricFamily
    >>> group = Group(GroupingKey("a"), {"b": StoredFamily(MetricFamily.gauge("b", 1), 5_000_000)})
    >>> json.loads(group_json(group, 7_000_000))["families"][0]["metrics"]
    [{'labels': [], 'value': '1'}]
    """
    rooms = _rooms({name: len(stored.family.samples) for name, stored in group.families.items()}, max_samples)
    families = [_family(group, stored, rooms[name]) for name, stored in sorted(group.families.items())]
    return _encoded({"now": now_ns // _NS_PER_MS, **_times(group), "families": families})


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _labels(key: GroupingKey) -> list[tuple[str, str]]:
    return [("job", key.job), *((name, value) for name, value in key.labels.pairs if name != "job")]


# A page that refreshes itself asks for the same paths again and again, and they are a third of the work.
@lru_cache(1 << 14)
def _path(key: GroupingKey, names: Names) -> str | None:
    try:
        return key.to_path(names=names).removeprefix("/")
    except GroupingKeyError:
        # A journal may hold names that the gateway has been told to take no more.
        return None


def _times(group: Group) -> dict[str, int | bool]:
    expires = group.expires_ns
    return {
        "pushed": group.push_time_ns // _NS_PER_MS,
        "failed": group.failure_time_ns // _NS_PER_MS,
        "failing": group.failure_time_ns > group.push_time_ns,
        "expires": 0 if expires is None else expires // _NS_PER_MS,
    }


def _rooms(sizes: Mapping[str, int], room: int) -> dict[str, int]:
    """How many samples of each family to show: what small ones leave of their equal share is for the larger ones."""
    rooms = {}
    left = len(sizes)
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        rooms[name] = min(size, room // left)
        room -= rooms[name]
        left -= 1
    return rooms


def _family(group: Group, stored: StoredFamily, room: int) -> dict[str, Any]:
    family = stored.family
    samples = family.samples.sorted(family.name, family.type)
    shown = family.with_samples(samples[:room])
    metrics = list(shown.metrics)
    if room < len(samples) and metrics and family.type in _COMPOSITE:
        # The last one may lack some of its samples.
        metrics.pop()
    return {
        "name": family.name,
        "type": text_word(family.type),
        "help": family.help or "",
        "pushed": stored.time_ns // _NS_PER_MS,
        "more": len(samples) - sum(map(_lines, metrics)),
        "metrics": [{"labels": _own_labels(group, metric), **_numbers(metric)} for metric in metrics],
    }


def _own_labels(group: Group, metric: ValueMetric | HistogramMetric | SummaryMetric) -> list[tuple[str, str]]:
    # Prometheus takes an empty label for one that is not there.
    return [(name, value) for name, value in metric.labels.pairs if value and name not in group.key]


def _lines(metric: ValueMetric | HistogramMetric | SummaryMetric) -> int:
    if isinstance(metric, ValueMetric):
        return 1
    points = metric.buckets if isinstance(metric, HistogramMetric) else metric.quantiles
    return len(points) + (metric.sum is not None) + (metric.count is not None)


def _numbers(metric: ValueMetric | HistogramMetric | SummaryMetric) -> dict[str, Any]:
    if isinstance(metric, ValueMetric):
        return {"value": format_float(metric.value)}
    pairs = [point[:2] for point in (metric.buckets if isinstance(metric, HistogramMetric) else metric.quantiles)]
    return {
        "points": [[format_float(place), format_float(value)] for place, value in pairs],
        "sum": None if metric.sum is None else format_float(metric.sum),
        "count": None if metric.count is None else format_float(metric.count),
    }
