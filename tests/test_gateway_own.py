"""What a gateway says of itself."""

from __future__ import annotations

import math
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from expofmt import GroupStore, MetricFamily, MetricType
from expofmt.gateway import Gateway, Headers, OwnMetrics, Request
from expofmt.gateway.own import WindowedQuantiles

SECOND = 10**9
MINUTE = 60 * SECOND

pytestmark = pytest.mark.usefixtures("engine")


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def samples(family: MetricFamily) -> dict[str, float]:
    return {sample.series: sample.value for sample in family.samples}


@given(
    st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=300),
    st.lists(st.floats(0, 1), min_size=1, max_size=3),
)
def test_a_quantile_is_within_two_percent_of_a_value_at_its_rank(values: list[float], quantiles: list[float]) -> None:
    observed = WindowedQuantiles()
    for value in values:
        observed.observe(value, 0)
    ordered = sorted(values)
    for quantile, found in zip(quantiles, observed.get(quantiles, 0), strict=True):
        exact = ordered[max(math.ceil(quantile * len(values)), 1) - 1]
        assert exact / 1.0201 <= found <= exact * 1.0201


def test_equal_values_are_told_exactly() -> None:
    observed = WindowedQuantiles()
    for _ in range(1000):
        observed.observe(1234.5, 0)
    assert observed.get([0, 0.1, 0.5, 0.9, 1], 0) == [1234.5] * 5


def test_quantiles_forget_what_is_older_than_ten_minutes() -> None:
    observed = WindowedQuantiles()
    observed.observe(1, 0)
    observed.observe(5, 7 * MINUTE)
    assert observed.get([0.1], 7 * MINUTE) == [1]
    assert observed.get([0.1], 10 * MINUTE) == [5]
    assert math.isnan(observed.get([0.1], 20 * MINUTE)[0])


def test_quantiles_take_bounded_memory() -> None:
    observed = WindowedQuantiles()
    for number in range(100_000):
        observed.observe(number % 9973 + 1, number * SECOND)
    assert sum(map(len, observed._slices.values())) < 5 * 500


def test_the_size_of_a_push_is_that_of_the_original() -> None:
    """spec/pushgateway.md 7.1: "60 for a 4-byte push with Connection: close to /metrics/job/j, Host of one letter"."""
    own = OwnMetrics()
    gateway = Gateway(GroupStore(own=own.families), own=own)
    headers = Headers([("Host", "x"), ("Connection", "close"), ("Content-Length", "4")])
    gateway.handle(Request("PUT", "/metrics/job/j", headers, b"a 1\n"))
    [family] = [family for family in own.families() if family.name == "pushgateway_http_push_size_bytes"]
    assert samples(family) == {
        'pushgateway_http_push_size_bytes{method="put",quantile="0.1"}': 60,
        'pushgateway_http_push_size_bytes{method="put",quantile="0.5"}': 60,
        'pushgateway_http_push_size_bytes{method="put",quantile="0.9"}': 60,
        'pushgateway_http_push_size_bytes_sum{method="put"}': 60,
        'pushgateway_http_push_size_bytes_count{method="put"}': 1,
    }


def test_durations_are_seconds_and_become_nan_when_nothing_comes() -> None:
    clock = Clock()
    own = OwnMetrics(clock=clock)
    started = own.now()
    clock.now += 250_000_000
    own.count_push(Request("POST", "/metrics/job/j"), 0, started)

    def median() -> float:
        [family] = [family for family in own.families() if family.name == "pushgateway_http_push_duration_seconds"]
        return samples(family)['pushgateway_http_push_duration_seconds{method="post",quantile="0.5"}']

    assert median() == 0.25
    clock.now += 11 * MINUTE
    assert math.isnan(median())


def test_all_families_are_known_from_the_start() -> None:
    families = {family.name: family for family in OwnMetrics().families()}
    assert families["pushgateway_http_requests_total"].type is MetricType.COUNTER
    assert families["pushgateway_http_push_size_bytes"].type is MetricType.SUMMARY
    assert not families["pushgateway_http_push_size_bytes"].samples
    [build] = families["pushgateway_build_info"].samples
    assert set(build.labels) == {"branch", "goarch", "goos", "goversion", "revision", "tags", "version"}


def test_what_is_not_counted_yet_is_not_shown() -> None:
    own = OwnMetrics()
    assert b"http_requests" not in GroupStore(own=own.families).render()


def test_a_registry_of_ones_own() -> None:
    registry = CollectorRegistry()
    Counter("jobs", "Jobs done.", registry=registry).inc(3)
    own = OwnMetrics(registry=registry)
    text = GroupStore(own=own.families).render(names=["jobs_total", "jobs_created"])
    assert text == b"# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 3\n"


def test_requests_of_many_threads_are_all_counted() -> None:
    own = OwnMetrics()
    gateway = Gateway(GroupStore(own=own.families), own=own)

    def push(number: int) -> None:
        for _ in range(50):
            gateway.handle(Request("PUT", f"/metrics/job/{number}", body=b"a 1\n"))
            gateway.handle(Request("GET", "/metrics"))

    threads = [Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        b'pushgateway_http_requests_total{code="200",handler="push",method="put"} 400\n'
        in gateway.handle(Request("GET", "/metrics")).body
    )
