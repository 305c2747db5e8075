"""The JSON API against that of Prometheus Pushgateway: after the same pushes, the same bytes.

Left out of the comparison are the times of pushes, the order of groups, and the bucket `+Inf` of histograms that were
pushed without one, which the original does not tell of.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expofmt import Code, Exposition, ExpositionError, GroupingKey, GroupStore, render
from expofmt.gateway.api import metrics_json, status_json
from expofmt.strategies import exposition_text, expositions
from tests.peers.test_pushgateway import REQUESTS, Pushgateway, Request, is_for, refusal

pytestmark = pytest.mark.usefixtures("engine")

CASES = sorted((Path(__file__).parents[1] / "cases" / "gateway" / "api").glob("*.prom"))
KEY = GroupingKey("j", zone="")

few = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

STAMP = re.compile(rb'"time_stamp":"[-0-9T:.Z+]+"')
MOMENT = re.compile(rb'("push_(?:failure_)?time_seconds":\{[^\[]*\[\{"labels":\{[^}]*\},"value":)"[^0"][^"]*"')
BUCKETS = re.compile(rb'"buckets":\{(?!"\+Inf")([^}]*)\},"count":"([^"]*)"')


def comparable(answer: bytes) -> bytes:
    answer = MOMENT.sub(rb'\1"then"', STAMP.sub(b'"time_stamp":"then"', answer))
    # What Go has written for these two until a few releases ago.
    answer = answer.replace(rb"\u0008", rb"\b").replace(rb"\u000c", rb"\f")
    # It is the first in the order of names: no digit, nor a minus sign, comes before a plus sign.
    return BUCKETS.sub(
        lambda found: (
            b'"buckets":{"+Inf":"%s"%s%s},"count":"%s"' % (found[2], b"," if found[1] else b"", found[1], found[2])
        ),
        answer,
    )


def theirs(pushgateway: Pushgateway) -> bytes:
    # What was only queued is applied before a push of nothing is.
    assert pushgateway.ask("PUT", "/metrics/job/last", b"")[0] == 200
    assert pushgateway.ask("DELETE", "/metrics/job/last")[0] == 202
    assert pushgateway.ask("PUT", "/metrics/job/last/a/b", b"")[0] == 200
    status, answer = pushgateway.ask("GET", "/api/v1/metrics")
    assert status == 200
    return answer


def told(answer: bytes) -> list[Any]:
    groups = json.loads(comparable(answer))["data"]
    return sorted(
        (group for group in groups if group["labels"]["job"] != "last"), key=lambda group: str(group["labels"])
    )


def compare_body(pushgateway: Pushgateway, body: bytes) -> None:
    store = GroupStore()
    try:
        store.put(KEY, body)
    except ExpositionError:
        return
    pushgateway.wipe()
    status, answer = pushgateway.ask("PUT", KEY.to_path(), body)
    assert status == 200, answer
    status, answer = pushgateway.ask("GET", "/api/v1/metrics")
    assert status == 200
    assert comparable(b"".join(metrics_json(store.groups))) == comparable(answer)


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_cases(pushgateway: Pushgateway, case: Path) -> None:
    if is_for(pushgateway, case.read_bytes()):
        compare_body(pushgateway, case.read_bytes())


@few
@given(body=exposition_text(names="legacy", timestamps=False))
def test_bodies_in_all_spellings(pushgateway: Pushgateway, body: bytes) -> None:
    if is_for(pushgateway, body):
        compare_body(pushgateway, body)


@few
@given(exposition=expositions(names="legacy", timestamps=False))
def test_expositions(pushgateway: Pushgateway, exposition: Exposition) -> None:
    body = render(exposition)
    if is_for(pushgateway, body):
        compare_body(pushgateway, body)


@settings(few, max_examples=40)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=6))
def test_sequences(pushgateway: Pushgateway, requests: list[Request]) -> None:
    pushgateway.wipe()
    store = GroupStore()
    for request in requests:
        codes = refusal(store, request)
        if Code.INVALID_COUNT in codes:
            continue  # which the original takes, or remembers for something else
        assert pushgateway.do(request) is (not codes)
    assert told(b"".join(metrics_json(store.groups))) == told(theirs(pushgateway))


def test_status(pushgateway: Pushgateway) -> None:
    status, answer = pushgateway.ask("GET", "/api/v1/status")
    assert status == 200
    data = json.loads(answer)["data"]
    build, flags = (dict(reversed(data[name].items())) for name in ("build_information", "flags"))
    start = re.fullmatch(r"(.{19})(?:\.([0-9]+))?(Z|[+-].*)", data["start_time"])
    assert start is not None
    moment = datetime.fromisoformat(start[1] + start[3])
    assert moment.tzinfo is not None
    time_ns = int(moment.timestamp()) * 10**9 + int((start[2] or "").ljust(9, "0"))
    assert status_json(build=build, flags=flags, start_time_ns=time_ns, zone=moment.tzinfo) == answer
