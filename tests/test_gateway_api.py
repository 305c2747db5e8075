"""The JSON API, and that `expofmt journal import` reads it.

Each ``NAME.prom`` under tests/cases/gateway/api is pushed to a group with the labels ``job="j"`` and ``zone=""``;
``NAME.json`` is what the API tells of it, byte for byte, written from the specification.
"""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expofmt import ExpositionError, Group, GroupingKey, GroupStore
from expofmt.gateway.api import HIDDEN, metrics_json, status_json
from expofmt.journal.pushgateway import read_answer
from expofmt.strategies import exposition_text

pytestmark = pytest.mark.usefixtures("engine")

CASES = sorted((Path(__file__).parent / "cases" / "gateway" / "api").glob("*.prom"))

# Of these nanoseconds, a float of seconds holds not all.
NOW = 1_795_353_938_334_474_818
KEY = GroupingKey("j")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def answer(store: GroupStore, **options: Any) -> str:
    return b"".join(metrics_json(store.groups, **options)).decode()


def times(labels: str, pushed: str = "1.7953539383344748e+09", failed: str = "0") -> str:
    stamp = '{"time_stamp":"2026-11-22T13:25:38.334474818Z","type":"GAUGE","help":"Last Unix time when changing'
    return (
        f'"push_failure_time_seconds":{stamp} this group in the Pushgateway failed.",'
        f'"metrics":[{{"labels":{labels},"value":"{failed}"}}]}},'
        f'"push_time_seconds":{stamp} this group in the Pushgateway succeeded.",'
        f'"metrics":[{{"labels":{labels},"value":"{pushed}"}}]}}'
    )


def test_an_empty_store() -> None:
    assert answer(GroupStore()) == '{"status":"success","data":[]}'


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_bytes(case: Path) -> None:
    store = GroupStore(clock=Clock())
    store.put(GroupingKey("j", zone=""), case.read_bytes())
    assert answer(store) == case.with_suffix(".json").read_bytes().decode().removesuffix("\n")


def test_groups_whose_last_push_failed() -> None:
    store = GroupStore(clock=Clock())
    with pytest.raises(ExpositionError):
        store.put(KEY, b"m 1 1\n")
    labels = '{"instance":"","job":"j"}'
    assert answer(store) == (
        '{"status":"success","data":[{"labels":{"job":"j"},"last_push_successful":false,'
        f"{times(labels, '0', '1.7953539383344748e+09')}}}]}}"
    )


def test_what_was_pushed_earlier_keeps_its_time() -> None:
    clock = Clock()
    store = GroupStore(clock=clock)
    store.put(KEY, b"a 1\nb 1\n")
    clock.now = (NOW // 10**9 + 1) * 10**9 + 250_000_000
    store.post(KEY, b"b 2\n")
    [group] = json.loads(answer(store))["data"]
    stamps = [group[name]["time_stamp"] for name in ("a", "b", "push_time_seconds")]
    assert stamps == ["2026-11-22T13:25:38.334474818Z", *["2026-11-22T13:25:39.25Z"] * 2]


@pytest.mark.parametrize(
    ("time_ns", "minutes", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (100_000_000, 330, "1970-01-01T05:30:00.1+05:30"),
        (10, -210, "1969-12-31T20:30:00.00000001-03:30"),
        (2**63 - 1, 0, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_times(time_ns: int, minutes: int, text: str) -> None:
    zone = timezone(timedelta(minutes=minutes))
    told = status_json(build={}, flags={}, start_time_ns=time_ns, zone=zone)
    assert json.loads(told)["data"]["start_time"] == text
    store = GroupStore(clock=lambda: time_ns)
    store.put(KEY, b"")
    assert json.loads(answer(store, zone=zone))["data"][0]["push_time_seconds"]["time_stamp"] == text


def test_status() -> None:
    flags = {"web.telemetry-path": "/metrics", "log.level": "info", "web.external-url": "http://a/?b&c"}
    build = {"version": "1.0", "branch": "", "buildDate": "", "goVersion": "é"}
    assert status_json(build=build, flags=flags, start_time_ns=NOW).decode() == (
        '{"status":"success","data":{"build_information":{"branch":"","buildDate":"","goVersion":"é","version":"1.0"},'
        '"flags":{"log.level":"info","web.external-url":"http://a/?b\\u0026c","web.telemetry-path":"/metrics"},'
        '"start_time":"2026-11-22T13:25:38.334474818Z"}}'
    )


def test_families_with_the_names_of_facts_hide_none() -> None:
    store = GroupStore(clock=Clock())
    store.put(KEY, b"labels 1\nlast_push_successful 0\nm 1\n")
    [group] = json.loads(answer(store))["data"]
    assert group["labels"] == {"job": "j"}
    assert group["last_push_successful"] is True
    assert list(group[HIDDEN]) == ["labels", "last_push_successful"]
    assert group[HIDDEN]["labels"]["metrics"] == [{"labels": {"instance": "", "job": "j"}, "value": "1"}]
    assert read_answer(answer(store).encode()).groups == list(store.groups.values())


def test_what_a_histogram_lacked_is_there() -> None:
    store = GroupStore(clock=Clock())
    store.put(KEY, b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\n')
    [metric] = json.loads(answer(store))["data"][0]["h"]["metrics"]
    assert (metric["buckets"], metric["count"], metric["sum"]) == ({"1": "1", "+Inf": "2"}, "2", "0")


@pytest.mark.parametrize("lifetime_ns", [1, 3600 * 10**9, 86_400_001_000_000, 12_345_678_901_234])
def test_when_a_group_expires_is_told_and_read(lifetime_ns: int) -> None:
    store = GroupStore(clock=Clock())
    store.put(KEY, b"m 1\n", lifetime_ns=lifetime_ns)
    [group], _ = read_answer(answer(store).encode())
    assert group.expires_ns is not None
    assert group.expires_ns / 1e9 == (NOW + lifetime_ns) / 1e9
    if lifetime_ns % 1_000_000 == 0:
        assert group == store.groups[KEY]


def alike(group: Group) -> Any:
    """All of a group but how bounds were spelled, and in which order the samples of a metric came."""
    families = {
        name: (stored.time_ns, stored.family.type, stored.family.help or None, list(stored.family.metrics))
        for name, stored in group.families.items()
    }
    return group.key, group.push_time_ns, group.failure_time_ns, group.lifetime_ns, families


@given(bodies=st.lists(exposition_text(names="legacy", timestamps=False), max_size=3))
def test_what_is_told_can_be_read_back(bodies: list[bytes]) -> None:
    clock = Clock()
    store = GroupStore(clock=clock)
    for number, body in enumerate(bodies):
        clock.now += 1_000_000_007
        try:
            store.post(GroupingKey("j", instance=str(number // 2)), body)
        except ExpositionError:
            continue
    for zone in (UTC, timezone(timedelta(hours=-7))):
        found, refused = read_answer(answer(store, zone=zone).encode())
        assert refused == []
        assert [alike(group) for group in found] == [alike(group) for group in store.groups.values()]


def test_an_answer_of_any_size_takes_the_memory_of_a_chunk(engine: str) -> None:
    store = GroupStore(clock=Clock())
    store.put(KEY, b"".join(b'm{n="%d"} 1\n' % number for number in range(60_000)))
    size = sum(map(len, metrics_json(store.groups)))
    tracemalloc.start()
    try:
        longest = max(map(len, metrics_json(store.groups)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert longest < 2**16 + 2**10
    # Labels are remembered as they are written, and by the Lark engine as sets: so many of them.
    assert peak < (2**21 if engine == "native" else 2**23)
    assert size > 3 * 2**20
