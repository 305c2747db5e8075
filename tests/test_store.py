"""The store: what its functions promise beside what the stories tell, and what happens when things go wrong at once."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import expofmt.page
import expofmt.pushing
from expofmt import (
    Bucket,
    Change,
    ChangeKind,
    Code,
    ConsistencyError,
    Delete,
    Diagnostic,
    EscapingScheme,
    Exemplar,
    Exposition,
    ExpositionError,
    Format,
    GroupingKey,
    GroupStore,
    HistogramMetric,
    JournalError,
    LabelSet,
    LimitError,
    Limits,
    MetricFamily,
    MetricType,
    ParseError,
    Post,
    PushPolicy,
    Put,
    Sample,
    Severity,
    Wipe,
    parse,
)
from expofmt.committed import Committed
from expofmt.requests import PushResult, rehearsed
from tests.journals import MemoryJournal

pytestmark = pytest.mark.usefixtures("engine")

KEY = GroupingKey("batch")
OTHER = GroupingKey("other")
SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 1_500_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def refused(push: Callable[[], object], error: type[ExpositionError] = ConsistencyError) -> list[Code]:
    with pytest.raises(error) as caught:
        push()
    return [diagnostic.code for diagnostic in caught.value.diagnostics if diagnostic.severity is Severity.ERROR]


def pushed(store: GroupStore) -> str:
    """What is scraped, without the times of the groups."""
    names = [name for name in store.collect() if not name.startswith("push_")]
    return store.render(names=names).decode()


# ------------------------------------------------------------------------------------------------------------- pushes


@pytest.mark.parametrize("body", [b"a 1\n", bytearray(b"a 1\n"), memoryview(b"a 1\n"), "a 1\n", parse("a 1\n")])
def test_a_body_may_be_bytes_or_text_or_an_exposition(body: bytes | str | Exposition) -> None:
    store = GroupStore()
    store.put(KEY, body)
    assert pushed(store) == '# TYPE a untyped\na{instance="",job="batch"} 1\n'


def test_a_body_that_changes_later_does_not_change_the_store() -> None:
    store = GroupStore()
    body = bytearray(b"a 1\n")
    store.put(KEY, body)
    body[2:3] = b"2"
    assert "} 1\n" in pushed(store)


def test_the_result_says_when(clock: Clock) -> None:
    store = GroupStore(clock=clock)
    result = store.put(KEY, "a 1\n")
    assert (result.key, result.time_ns, result.warnings) == (KEY, clock.now, ())
    assert store.groups[KEY].push_time_ns == clock.now


def test_a_format_that_is_not_read_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="text format"):
        GroupStore().put(KEY, "a 1\n", format=Format.OPENMETRICS_1_0)
    with pytest.raises(ValueError, match="text format"):
        GroupStore().render(format=Format.OPENMETRICS_1_0)


def test_errors_say_whose_fault_it_is() -> None:
    store = GroupStore()
    assert refused(lambda: store.put(KEY, "a{b=c} 1\n"), ParseError) == [Code.UNQUOTED_LABEL_VALUE]
    assert not store.groups
    assert refused(lambda: store.put(KEY, "a 1 1\na 1 1\n")) == [Code.EXPLICIT_TIMESTAMP, Code.DUPLICATE_SAMPLE]
    assert store.groups[KEY].failure_time_ns


def test_all_that_is_wrong_is_told_at_once() -> None:
    store = GroupStore()
    store.put(OTHER, '# TYPE a counter\na 1\n# TYPE s summary\ns_sum 1\nd{instance="x"} 1\n')
    body = '# TYPE a gauge\na 1\nb{job="x"} 1\nb 2\ns_sum 1\n'
    assert refused(lambda: store.put(KEY, body)) == [Code.DUPLICATE_SAMPLE, Code.TYPE_CONFLICT, Code.SUFFIX_COLLISION]


def test_a_diagnostic_points_into_the_body_and_names_the_other_group() -> None:
    store = GroupStore()
    store.put(GroupingKey("batch", instance="i"), '# HELP h X.\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\n')
    body = '# TYPE h histogram\nh_bucket{instance="j",le="1"} 1\nh_bucket{instance="i",le="1"} 1\nh 1\n'
    with pytest.raises(ConsistencyError) as caught:
        store.put(KEY, body)
    first, *rest = caught.value.diagnostics
    assert str(first).startswith("PUT /metrics/job/batch:3:1: error[duplicate-sample]")
    assert first.related is not None
    assert first.related.filename == 'group {job="batch",instance="i"}'
    assert first.related.excerpt == 'h_bucket{instance="i",job="batch",le="1"} 1'
    # What was not pushed, such as the sum, is where the first sample of its histogram is.
    assert {diagnostic.place.line for diagnostic in rest} == {3}


def test_thousands_of_conflicts_are_counted_not_told() -> None:
    body = "".join(f'a{{instance="i",n="{n}"}} 1\n' for n in range(1200))
    store = GroupStore()
    store.put(KEY, body)
    with pytest.raises(ConsistencyError) as caught:
        store.put(GroupingKey("batch", instance="i"), body)
    assert len(caught.value.diagnostics) == 1001
    assert caught.value.diagnostics[-1].message == "200 more diagnostics are not shown"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("# TYPE a{} gauge\na{} 1\n", "# TYPE a{} counter\na{} 1\n"),
        ("# TYPE a{} summary\na{}_count 1\n", "# TYPE a{}_count counter\na{}_count 1\n"),
        ("# HELP a{} x\na{} 1\n", "# HELP a{} y\na{} 1\n"),
    ],
    ids=["types", "suffixes", "help texts"],
)
def test_findings_of_any_kind_are_capped(first: str, second: str) -> None:
    store = GroupStore()
    store.put(KEY, "".join(first.replace("{}", f"_{n}_") for n in range(1200)))
    try:
        found = store.put(OTHER, "".join(second.replace("{}", f"_{n}_") for n in range(1200))).warnings
    except ConsistencyError as error:
        found = error.diagnostics
    assert len(found) == 1001
    assert found[-1].message == "200 more diagnostics are not shown"


def test_findings_of_several_kinds_are_counted_together() -> None:
    store = GroupStore()
    store.put(KEY, "".join(f"# TYPE a_{n} gauge\na_{n} 1\n" for n in range(1200)))
    with pytest.raises(ConsistencyError) as caught:
        store.put(OTHER, "".join(f"# TYPE a_{n} counter\na_{n} 1 1000\n" for n in range(1200)))
    assert [error.code for error in caught.value.diagnostics].count(Code.EXPLICIT_TIMESTAMP) == 1000
    assert caught.value.diagnostics[-1].message == "1200 more diagnostics are not shown"
    assert len(caught.value.diagnostics) == 1001


def test_a_push_like_the_one_before_may_contradict_another_group_all_the_same() -> None:
    store = GroupStore()
    store.put(GroupingKey("a"), 'x{instance="p"} 1\n')
    store.put(GroupingKey("a", instance="q"), "x 1\n")
    assert refused(lambda: store.put(GroupingKey("a"), 'x{instance="q"} 1\n')) == [Code.DUPLICATE_SAMPLE]


def test_a_help_text_that_is_not_the_gateways_own_is_told_each_time() -> None:
    store = GroupStore(own=lambda: [MetricFamily.gauge("x", 1, help="Mine.")])
    for _ in range(2):
        told = store.put(KEY, "# HELP x Theirs.\n# TYPE x gauge\nx 1\n").warnings
        assert [warning.code for warning in told] == [Code.HELP_CONFLICT]


def test_conflicts_of_a_completed_family_take_one_pass_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "# TYPE h histogram\n" + "".join(f'h_bucket{{instance="i",n="{n}",le="1"}} 1\n' for n in range(30))
    store = GroupStore()
    store.put(GroupingKey("batch", instance="i"), body)
    taken: list[LabelSet] = []
    without_label = expofmt.pushing._without

    def without(labels: LabelSet, name: str) -> LabelSet:
        taken.append(labels)
        return without_label(labels, name)

    monkeypatch.setattr(expofmt.pushing, "_without", without)
    with pytest.raises(ConsistencyError) as caught:
        store.put(KEY, body)
    # A bucket that was pushed and one that was not, a sum and a count, of each metric.
    assert len(caught.value.diagnostics) == 120
    assert [diagnostic.place.line for diagnostic in caught.value.diagnostics[::4]] == [*range(2, 32)]
    # Each sample when the family is completed, once more as it was pushed, and those that were not pushed.
    assert len(taken) == 30 + 30 + 90


def test_series_of_one_fingerprint_are_refused_whatever_the_other_group_has() -> None:
    store = GroupStore()
    store.put(OTHER, "b 1\n")
    planted = MetricFamily.gauge("a", 1).samples.with_labels(KEY.labels, {"instance": ""})
    store._catalog.series.replace(store._catalog.number(OTHER), [], [planted])
    assert refused(lambda: store.put(KEY, "a 1\n")) == [Code.DUPLICATE_SAMPLE]


# ------------------------------------------------------------------------------------------------------- expositions


def test_an_exposition_says_no_more_than_a_text() -> None:
    store = GroupStore()
    info = MetricFamily("build", MetricType.INFO, samples=[Sample("build_info", {"version": "1"}, 1)])
    exemplar = Sample("a_total", {}, 1, exemplars=[Exemplar({"id": "x"}, 1)])
    for family in (info, MetricFamily("a_total", MetricType.COUNTER, samples=[exemplar])):
        assert refused(partial(store.put, KEY, Exposition([family]))) == [Code.FORMAT_LOSS]
    foreign = MetricFamily("a", MetricType.GAUGE, samples=[Sample("b", {}, 1)])
    assert refused(lambda: store.put(KEY, Exposition([foreign]))) == [Code.FOREIGN_SAMPLE]
    stamped = MetricFamily("a", MetricType.GAUGE, samples=[Sample("a", {}, 1, SECOND)])
    assert refused(lambda: store.put(KEY, Exposition([stamped]))) == [Code.EXPLICIT_TIMESTAMP]
    assert set(refused(lambda: store.put(KEY, Exposition([MetricFamily.gauge("a.b", 1)])))) == {Code.NON_LEGACY_NAME}
    assert pushed(store) == ""


def test_places_in_an_exposition_have_its_name_and_no_line() -> None:
    store = GroupStore()
    store.put(OTHER, "# TYPE a counter\na 1\n")
    exposition = Exposition([MetricFamily.gauge("z", 1), MetricFamily.gauge("a", 1)], filename="mine")
    with pytest.raises(ConsistencyError) as caught:
        store.put(KEY, exposition)
    [diagnostic] = caught.value.diagnostics
    assert str(diagnostic) == "mine: error[type-conflict] metric family `a` has two types"
    assert (diagnostic.place.excerpt, diagnostic.place.span) == ("# TYPE a gauge", None)
    with pytest.raises(ConsistencyError, match=r"PUT /metrics/job/batch: error\[non-legacy-name\]"):
        store.put(KEY, Exposition([MetricFamily.gauge("a.b", 1)]))


def test_a_histogram_of_objects() -> None:
    store = GroupStore()
    metric = HistogramMetric(LabelSet(path="/"), buckets=(Bucket(1, 2),), sum=None, count=3)
    store.put(KEY, Exposition([MetricFamily.histogram("h", [metric])]))
    [found] = store.collect(["h"])["h"].metrics
    assert isinstance(found, HistogramMetric)
    assert (found.buckets, found.sum, found.count) == ((Bucket(1, 2), Bucket(float("inf"), 3)), 0, 3)


# -------------------------------------------------------------------------------------------------------------- names


def test_labels_of_a_group_may_need_quotes_only_where_names_may() -> None:
    key = GroupingKey("batch", {"host.name": "a"})
    with pytest.raises(ValueError, match=re.escape("host.name")):
        GroupStore().put(key, "a 1\n")
    store = GroupStore(names="utf-8")
    store.put(key, "a 1\n")
    assert pushed(store) == '# TYPE a untyped\na{"host.name"="a",instance="",job="batch"} 1\n'


def test_names_are_escaped_as_asked() -> None:
    store = GroupStore(names="utf-8")
    store.put(KEY, '{"a.b"} 1\n')
    text = store.render(names=["a.b"], escaping=EscapingScheme.UNDERSCORES)
    assert text == b'# TYPE a_b untyped\na_b{instance="",job="batch"} 1\n'


# ------------------------------------------------------------------------------------------------------------ reading


def test_a_collected_store_is_what_is_rendered() -> None:
    store = GroupStore()
    store.put(KEY, '# HELP b B.\n# TYPE b histogram\nb_bucket{le="1"} 1\nb_count 1\n# TYPE a gauge\na 1\n')
    collected = store.collect()
    assert list(collected) == ["a", "b", "push_failure_time_seconds", "push_time_seconds"]
    assert expofmt.render(collected) == store.render()
    assert list(store.collect(["b", "nothing"])) == ["b"]


def test_groups_are_a_picture_in_order() -> None:
    store = GroupStore()
    for job in ("c", "a", "b"):
        store.put(GroupingKey(job), "a 1\n")
    before = store.groups
    store.wipe()
    assert [key.job for key in before] == ["a", "b", "c"]
    assert not store.groups
    with pytest.raises(TypeError):
        before[KEY] = before[GroupingKey("a")]  # type: ignore[index]


def test_equal_groups_give_equal_bytes_however_they_came_to_be(clock: Clock) -> None:
    one, other = GroupStore(clock=clock), GroupStore(clock=clock)
    one.put(KEY, "a 1\nb 2\n")
    one.put(OTHER, "# HELP a Text.\na 1\n")
    other.put(OTHER, "# TYPE a gauge\na 1\n")
    other.render()
    other.put(GroupingKey("gone"), "z 1\n")
    other.put(OTHER, "# HELP a Text.\na 1\n")
    other.put(KEY, "b 2\n")
    other.render()
    other.post(KEY, "a 1\n")
    other.delete(GroupingKey("gone"))
    assert one.render() == other.render()


def test_own_families_are_asked_for_with_each_scrape() -> None:
    values = iter(range(10))
    store = GroupStore(own=lambda: [MetricFamily.gauge("own", next(values), help="Mine.")])
    assert store.render() == b"# HELP own Mine.\n# TYPE own gauge\nown 1\n"
    assert store.render(names=["own"]).endswith(b"own 2\n")


def test_an_own_family_that_was_not_announced_is_an_error() -> None:
    given = [MetricFamily.gauge("own", 1)]
    store = GroupStore(own=lambda: given)
    given[:] = [MetricFamily.counter("own", 1)]
    with pytest.raises(ValueError, match="own"):
        store.render()
    given[:] = []
    assert store.render() == b""


def test_an_own_family_is_none_that_the_store_has_itself() -> None:
    for name in ("push_time_seconds", "push_failure_time_seconds", "push_expiry_time_seconds"):
        with pytest.raises(ValueError, match=name):
            GroupStore(own=partial(list, [MetricFamily.gauge(name, 1)]))


def test_names_are_not_one_name() -> None:
    store = GroupStore()
    for read in (store.render, store.collect):
        with pytest.raises(TypeError, match=r"\['abc'\]"):
            read(names="abc")


# ----------------------------------------------------------------------------------------------- policies, lifetimes


@pytest.mark.parametrize("text", ["avg", "", "gauge=", "counter=sum,x", "=sum", "last,  =sum"])
def test_policies_that_do_not_exist(text: str) -> None:
    with pytest.raises(ValueError, match="operation"):
        PushPolicy.parse(text)


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("countr=sum", "counter"),
        ("max, Gauges = sum", "gauge"),
        ("HISTOGRAM=sum", "histogram"),
        ("typed=max", "untyped"),
    ],
)
def test_a_misspelled_type_is_no_name(text: str, type: str) -> None:
    with pytest.raises(ValueError, match=f"unknown metric type `.*`: did you mean `{type}`"):
        PushPolicy.parse(text)


def test_a_family_may_be_called_like_a_type() -> None:
    policy = PushPolicy.parse("[c]ountr=sum, gauge*=min, jobs=max, [c]ounter=last")
    ops = [policy.op_for(name, MetricType.GAUGE) for name in ("countr", "gauges", "jobs", "counter", "counte")]
    assert ops == ["sum", "min", "max", "last", "replace"]


def test_the_first_pattern_that_fits_counts_and_names_go_before_types() -> None:
    policy = PushPolicy.parse("max, untyped=min, a_*=sum, *=last")
    assert policy.op_for("a_b", MetricType.UNKNOWN) == "sum"
    assert policy.op_for("b", MetricType.UNKNOWN) == "last"
    assert PushPolicy.parse("max,untyped=min").op_for("b", MetricType.UNKNOWN) == "min"
    assert PushPolicy.parse("max,untyped=min").op_for("b", MetricType.GAUGE) == "max"


def test_quantiles_cannot_be_summed() -> None:
    store = GroupStore(policy="sum")
    body = '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 1\ns_count 1\n'
    store.put(KEY, body)
    with pytest.raises(ConsistencyError) as caught:
        store.put(KEY, body)
    assert str(caught.value).startswith("PUT /metrics/job/batch:2:1: error[duplicate-sample]")


@pytest.mark.parametrize("seconds", [-1, -1e9])
def test_lifetimes_are_not_negative(seconds: float) -> None:
    lifetime_ns = int(seconds * SECOND)
    with pytest.raises(ValueError, match="negative"):
        GroupStore(lifetime_ns=lifetime_ns)
    with pytest.raises(ValueError, match="negative"):
        GroupStore().put(KEY, "a 1\n", lifetime_ns=lifetime_ns)


@pytest.mark.parametrize("lifetime_ns", [1.5e9, float("nan"), True, "5"])
def test_lifetimes_are_whole_nanoseconds(lifetime_ns: Any) -> None:
    with pytest.raises(TypeError, match="lifetime"):
        GroupStore(lifetime_ns=lifetime_ns)
    store = GroupStore()
    with pytest.raises(TypeError, match="lifetime"):
        store.put(KEY, "a 1\n", lifetime_ns=lifetime_ns)
    assert isinstance(store.submit(Put(KEY, "a 1\n", lifetime_ns=lifetime_ns)).exception(), TypeError)
    assert not store.groups


def test_lifetimes_are_what_a_journal_can_keep(clock: Clock) -> None:
    store = GroupStore(clock=clock)
    for lifetime_ns in (2**63, 10**400, 10**5000):
        with pytest.raises(ValueError, match="2\\*\\*63"):
            store.put(KEY, "a 1\n", lifetime_ns=lifetime_ns)
        with pytest.raises(ValueError, match="2\\*\\*63"):
            GroupStore(lifetime_ns=lifetime_ns)
    store.put(KEY, "a 1\n", lifetime_ns=2**63 - 1)
    assert b"push_expiry_time_seconds{" in store.render()


@pytest.mark.parametrize(
    ("time", "error"),
    [(1.5e9, TypeError), (None, TypeError), (True, TypeError), (-1, ValueError), (2**63, ValueError)],
)
def test_a_clock_gives_whole_nanoseconds(time: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="clock's time"):
        GroupStore(clock=lambda: time)
    times = iter([5, time])
    store = GroupStore(clock=lambda: next(times, 5))
    with pytest.raises(error, match="clock's time"):
        store.put(KEY, "a 1\n")
    assert not store.groups
    store.put(KEY, "a 1\n")


def test_many_pushes_of_a_group_are_one_expiry(clock: Clock) -> None:
    store = GroupStore(clock=clock, lifetime_ns=SECOND)
    for _ in range(1000):
        store.put(KEY, "a 1\n")
        clock.now += 1
    assert len(store._published._schedule._times) == 1
    assert len(store._published._schedule._heap) <= 66
    clock.now += SECOND - 2
    assert KEY in store.groups
    clock.now += 1
    assert KEY not in store.groups


def test_groups_that_come_and_go_leave_no_expiry(clock: Clock) -> None:
    store = GroupStore(clock=clock, lifetime_ns=SECOND)
    for n in range(600):
        key = GroupingKey("batch", instance=f"i{n}")
        store.put(key, "a 1\n")
        if n % 3 == 0:
            store.delete(key)
        elif n % 3 == 1:
            store.put(key, "", lifetime_ns=0)
        else:
            store.wipe()
    assert not store._published._schedule._times
    assert len(store._published._schedule._heap) <= 64
    store.put(KEY, "a 1\n")
    clock.now += SECOND
    assert KEY not in store.groups
    assert not store._published._schedule._times


def test_a_shorter_lifetime_counts_at_once(clock: Clock) -> None:
    store = GroupStore(clock=clock, lifetime_ns=60 * SECOND)
    store.put(KEY, "a 1\n")
    store.put(KEY, "a 1\n", lifetime_ns=SECOND)
    clock.now += SECOND
    assert not store.groups


# ------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limits", "body", "status"),
    [
        (Limits(body_bytes=3), "a 1\n", 413),
        (Limits(push_families=1), "a 1\nb 1\n", 422),
        (Limits(push_series=0), "a 1\n", 422),
        (Limits(label_value_bytes=5), 'a{b="ééé"} 1\n', 422),
        (Limits(groups=0), "a 1\n", 429),
        (Limits(series=0), "a 1\n", 429),
    ],
)
def test_limits(limits: Limits, body: str, status: int) -> None:
    store = GroupStore(limits=limits)
    with pytest.raises(LimitError) as caught:
        store.put(KEY, body)
    assert caught.value.status_hint == status
    assert not store.groups


def test_the_limit_of_series_counts_what_a_push_replaces() -> None:
    store = GroupStore(limits=Limits(series=2))
    store.put(KEY, "a 1\nb 1\n")
    store.put(KEY, "c 1\nd 1\n")
    store.post(KEY, "c 1\n")
    with pytest.raises(LimitError):
        store.post(KEY, "e 1\n")
    store.delete(KEY)
    store.put(OTHER, "a 1\nb 1\n")


@pytest.mark.parametrize("limit", ["series", "push_series"])
def test_series_that_a_store_adds_count_like_others(limit: str) -> None:
    body = "# TYPE h histogram\nh_count 1\n"
    with pytest.raises(LimitError, match="3 series"):
        GroupStore(limits=Limits(**{limit: 2})).put(KEY, body)
    GroupStore(limits=Limits(**{limit: 3})).put(KEY, body)


def test_series_that_a_store_drops_do_not_count() -> None:
    GroupStore(limits=Limits(series=2, push_series=2)).put(KEY, "# TYPE s summary\ns 1\ns_sum 1\ns_count 1\n")
    GroupStore(limits=Limits(series=1, push_series=1)).put(KEY, "push_time_seconds 1\na 1\n")


def test_delete_matching_wants_a_label() -> None:
    store = GroupStore()
    store.put(KEY, "a 1\n")
    with pytest.raises(TypeError):
        store.delete_matching()
    for wish in (5, None, b"batch", re.compile(b"batch")):
        with pytest.raises(TypeError, match="job="):
            store.delete_matching(job=wish)  # type: ignore[arg-type]
    assert store.delete_matching(job=re.compile("batc|b.*")) == [KEY]


@pytest.mark.parametrize("key", ["a", "/metrics/job/a", {"job": "a"}, None])
def test_a_group_is_named_by_a_key(key: Any) -> None:
    store = GroupStore()
    for attempt in (store.put, store.post):
        with pytest.raises(TypeError, match=r"GroupingKey.*GroupingKey\.from_path"):
            attempt(key, "a 1\n")
    with pytest.raises(TypeError, match=r"GroupingKey\.from_path"):
        store.delete(key)
    for request in (Put(key, "a 1\n"), Delete(key)):
        assert isinstance(store.submit(request).exception(), TypeError)


# ------------------------------------------------------------------------------------------------- journals that fail


def test_what_cannot_be_recorded_has_not_happened(clock: Clock, journal: MemoryJournal) -> None:
    store = GroupStore(clock=clock, journal=journal)
    store.put(KEY, "# HELP a One.\n# TYPE a gauge\na 1\n")
    before = store.render(), store.groups
    journal.failing = JournalError("disk full")
    clock.now += SECOND
    for attempt in (
        lambda: store.put(KEY, "# TYPE a counter\na 2\n"),
        lambda: store.post(OTHER, "a 1 1\n"),
        lambda: store.delete(KEY),
        store.wipe,
        lambda: store.delete_matching(job="batch"),
    ):
        with pytest.raises(JournalError, match="disk full"):
            attempt()
        assert (store.render(), store.groups) == before
    journal.failing = None
    # Nothing stands in the way of what contradicts the attempts.
    store.post(OTHER, "# TYPE a gauge\na 1\n")
    assert pushed(store).count("\n") == 4


def test_a_batch_that_cannot_be_recorded_is_taken_back_in_whatever_order(journal: MemoryJournal) -> None:
    """A group takes over a series of one that is deleted in the same batch; all of that is undone."""
    store = GroupStore(journal=journal)
    one = GroupingKey("batch", instance="i")
    store.put(one, "# TYPE a gauge\na 1\n")
    before = store.render()
    journal.failing = JournalError("disk full")
    with store._writer._writing:
        futures = [
            store.submit(Delete(one)),
            store.submit(Put(KEY, '# TYPE a counter\na{instance="i"} 1\n')),
            store.submit(Put(OTHER, "b 1\n")),
        ]
    for future in futures:
        with pytest.raises(JournalError):
            future.result()
    journal.failing = None
    assert store.render() == before
    store.put(one, "# TYPE a gauge\na 2\n")
    assert refused(lambda: store.put(KEY, '# TYPE a gauge\na{instance="i"} 1\n')) == [Code.DUPLICATE_SAMPLE]


def test_a_failing_journal_does_not_keep_groups_alive(clock: Clock, journal: MemoryJournal) -> None:
    store = GroupStore(clock=clock, journal=journal, lifetime_ns=SECOND)
    store.put(KEY, "a 1\n")
    clock.now += SECOND
    journal.failing = JournalError("disk full")
    assert store.render() == b""
    with pytest.raises(JournalError):
        store.post(KEY, "b 1\n")
    assert store.render() == b""
    journal.failing = None
    store.post(KEY, "b 1\n")
    # The journal has to know that it was gone before, or else `a` would come back.
    assert [change.kind for change in journal.changes] == [ChangeKind.PUT, ChangeKind.EXPIRE, ChangeKind.POST]
    again = GroupStore(clock=clock, journal=journal, lifetime_ns=SECOND)
    assert again.render() == store.render()
    assert "a{" not in pushed(again)


class Gated(MemoryJournal):
    """Once it is ``slow``, what is appended waits for the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.reached, self.gate = threading.Event(), threading.Event()

    def append(self, changes: Sequence[Change], /) -> None:
        if self.slow:
            self.reached.set()
            assert self.gate.wait(60)
        super().append(changes)


@pytest.mark.parametrize("failing", [None, JournalError("disk full")])
@pytest.mark.parametrize(
    "request_",
    [
        Put(KEY, "# TYPE a gauge\na 1\nb 2\n"),
        Post(KEY, "c 2\n"),
        Post(OTHER, '# TYPE a gauge\n# HELP a Other.\na{x="y"} 1\n'),
        Put(OTHER, "# TYPE d counter\nd 1\n"),
        Delete(KEY),
        Wipe(),
    ],
    ids=lambda request: f"{type(request).__name__}-{getattr(getattr(request, 'key', None), 'job', '')}",
)
def test_groups_expire_while_a_journal_is_slow(request_: Any, failing: JournalError | None) -> None:
    """Nobody waits to see it; and whatever becomes of the commit, all is as if there had never been such a group."""
    clock, journal = Clock(), Gated()
    store = GroupStore(clock=clock, journal=journal)
    store.put(KEY, "# HELP a Mine.\n# TYPE a gauge\na 1\nb 1\n", lifetime_ns=SECOND)
    store.put(OTHER, '# HELP a Other.\n# TYPE a gauge\na{x="y"} 1\n')
    store.render()
    journal.slow = True
    future = store.submit(request_)
    assert journal.reached.wait(60)
    clock.now += SECOND
    assert list(store.groups) == [OTHER]
    assert pushed(store) == '# HELP a Other.\n# TYPE a gauge\na{instance="",job="other",x="y"} 1\n'
    journal.failing = failing
    journal.gate.set()
    if failing is None:
        future.result()
    else:
        assert isinstance(future.exception(), JournalError)
    journal.failing = None
    # By the clock, a push that takes its time may come too late, or outlive what it was added to.
    again = GroupStore(clock=clock, journal=journal)
    assert store.groups == again.groups
    assert store.render() == again.render()
    store.post(OTHER, "e 1\n")
    again = GroupStore(clock=clock, journal=journal)
    assert store.groups == again.groups
    assert store.render() == again.render()
    assert store._catalog.groups == store.groups


def test_help_of_what_has_expired_is_not_shown(clock: Clock) -> None:
    own = [MetricFamily.gauge("o", 1, help="Own.")]
    store = GroupStore(clock=clock, own=lambda: own)
    store.put(GroupingKey("c"), "# HELP h Third.\n# TYPE h gauge\nh 1\n# TYPE o gauge\no 1\n")
    store.put(GroupingKey("b"), "# HELP h Second.\n# TYPE h gauge\nh 1\n")
    store.put(GroupingKey("a"), "# HELP h First.\n# TYPE h gauge\nh 1\n# TYPE o gauge\no 1\n", lifetime_ns=SECOND)
    assert "# HELP h First." in pushed(store)
    clock.now += SECOND
    assert "# HELP h Second." in pushed(store)
    assert "# HELP o Own." in pushed(store)
    # As nobody has it any more, its type may be another.
    store.wipe()
    store.put(KEY, "# TYPE h counter\nh 1\n")
    assert "# TYPE h counter\nh{" in pushed(store)


def test_to_look_at_a_store_writes_nothing(clock: Clock, journal: MemoryJournal) -> None:
    store = GroupStore(clock=clock, journal=journal, lifetime_ns=SECOND)
    store.put(KEY, "a 1\n")
    clock.now += SECOND
    assert not store.groups
    assert journal.batches == [1]


def test_any_error_of_a_journal_or_clock_reaches_the_caller_and_nothing_stays(journal: MemoryJournal) -> None:
    broken = False

    def clock() -> int:
        if broken:
            raise OverflowError("no more time")
        return 5

    store = GroupStore(clock=clock, journal=journal)
    journal.failing = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        store.put(KEY, "a 1\n")
    journal.failing = None
    broken = True
    with pytest.raises(OverflowError):
        store.put(KEY, "a 1\n")
    broken = False
    assert not store.groups
    store.put(KEY, "a 1\n")
    assert KEY in store.groups


def test_who_waits_for_a_batch_that_fails_gets_an_error_of_his_own(journal: MemoryJournal) -> None:
    class PickyError(Exception):
        def __init__(self, *, reason: str) -> None:
            super().__init__(reason)

    store = GroupStore(journal=journal)
    # Not every exception can be copied.
    for failing, count in ((JournalError("disk full"), 3), (PickyError(reason="disk full"), 1)):
        failing.__cause__ = OSError("no space")
        journal.failing = failing
        with store._writer._writing:
            futures = [store.submit(Put(GroupingKey(job), "a 1\n")) for job in "abc"]
        errors = [future.exception() for future in futures]
        assert {(type(error), str(error), str(error.__cause__)) for error in errors if error} == {
            (type(failing), "disk full", "no space")
        }
        assert len(set(map(id, errors))) == count


@pytest.mark.parametrize("method", ["_publish", "_settle", "_take_back"])
def test_a_store_that_is_broken_says_so(method: str, monkeypatch: pytest.MonkeyPatch, journal: MemoryJournal) -> None:
    """What is committed is seen; where a bug is in the way of that, nobody waits in vain, and nothing is made worse."""
    store = GroupStore(journal=journal)
    store.put(KEY, "a 1\n")
    before = store.render()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    journal.failing = JournalError("disk full") if method == "_take_back" else None
    with monkeypatch.context() as patch:
        patch.setattr(Committed, method, broken)
        with pytest.raises(RuntimeError, match=r"broken.*a bug") as caught:
            store.put(KEY, "a 2\n")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    journal.failing = None
    with pytest.raises(RuntimeError, match=r"broken.*a bug"):
        store.put(KEY, "a 3\n")
    assert isinstance(store.submit(Wipe()).exception(), RuntimeError)
    assert store.broken == str(caught.value)
    assert store.render() == before
    store.close()
    assert ("} 2\n" in pushed(GroupStore(journal=journal))) is (method == "_publish")


def test_a_journal_that_contradicts_itself_is_refused(journal: MemoryJournal) -> None:
    for body in ("# TYPE a gauge\na 1\n", "# TYPE a counter\na 1\n"):
        part = MemoryJournal()
        GroupStore(journal=part).put(GroupingKey(body[9:13]), body)
        journal.changes += part.changes
    with pytest.raises(JournalError, match="contradict"):
        GroupStore(journal=journal)


def test_a_push_that_is_refused_is_recorded_as_that(journal: MemoryJournal) -> None:
    store = GroupStore(journal=journal)
    refused(lambda: store.put(KEY, "a 1 1\n"))
    refused(lambda: store.put(KEY, "a{b} 1\n"), ParseError)
    assert [change.kind for change in journal.changes] == [ChangeKind.FAIL]


# ------------------------------------------------------------------------------------------------- submit, close


def test_what_is_submitted_is_done_in_order() -> None:
    store = GroupStore()
    futures = [store.submit(Put(KEY, f"a {n}\n")) for n in range(50)]
    futures += [store.submit(Post(KEY, "b 1\n")), store.submit(Delete(OTHER)), store.submit(Delete(KEY))]
    futures += [store.submit(Put(OTHER, "c 1\n")), store.submit(Wipe()), store.submit(Put(KEY, "d 1\n"))]
    assert [future.result() for future in futures[51:53]] == [False, True]
    assert futures[54].result() == 1
    futures[-1].result()
    assert pushed(store) == '# TYPE d untyped\nd{instance="",job="batch"} 1\n'


def test_a_future_raises_what_the_method_would() -> None:
    store = GroupStore()
    assert isinstance(store.submit(Put(KEY, "a{b} 1\n")).exception(), ParseError)
    assert isinstance(store.submit(Put(KEY, "a 1 1\n")).exception(), ConsistencyError)
    assert isinstance(store.submit("a 1\n").exception(), TypeError)  # type: ignore[arg-type]


def test_what_is_cancelled_in_time_is_not_done() -> None:
    store = GroupStore()
    with store._writer._writing:
        first = store.submit(Put(KEY, "a 1\n"))
        second = store.submit(Put(OTHER, "b 1\n"))
        assert second.cancel()
    first.result()
    store.put(GroupingKey("third"), "c 1\n")
    assert OTHER not in store.groups


def test_what_waits_together_is_one_batch_of_the_journal(journal: MemoryJournal) -> None:
    store = GroupStore(journal=journal)
    with store._writer._writing:
        futures = [store.submit(Put(GroupingKey(f"j{n}"), "a 1\n")) for n in range(5)]
        conflict = store.submit(Put(KEY, "# TYPE a gauge\na 1\n"))
    for future in futures:
        future.result()
    # Later ones of a batch are checked against earlier ones.
    assert isinstance(conflict.exception(), ConsistencyError)
    assert journal.batches == [6]


def test_a_batch_has_an_end(journal: MemoryJournal) -> None:
    store = GroupStore(journal=journal)
    with store._writer._writing:
        futures = [store.submit(Put(KEY, f"a {n}\n")) for n in range(600)]
    for future in futures:
        future.result()
    assert journal.batches == [256, 256, 88]
    assert "} 599\n" in pushed(store)


@pytest.mark.parametrize("durable", [False, True])
def test_what_is_called_when_a_push_is_done_may_call_the_store(journal: MemoryJournal, durable: bool) -> None:
    store = GroupStore(journal=journal if durable else None)
    done = threading.Event()

    def called(_: object) -> None:
        store.put(OTHER, "b 1\n")
        store.submit(Put(GroupingKey("third"), "c 1\n")).add_done_callback(finish)

    def finish(_: object) -> None:
        store.close()
        done.set()

    with store._writer._writing:
        future = store.submit(Put(KEY, "a 1\n"))
        future.add_done_callback(called)
    assert done.wait(60)
    assert len(store.groups) == 3
    assert journal.closed == durable


def test_all_are_told_whatever_one_of_them_does() -> None:
    def exits(_: object) -> None:
        raise SystemExit

    store = GroupStore()
    with store._writer._writing:
        futures = [store.submit(Put(GroupingKey(job), "a 1\n")) for job in "abc"]
        futures[0].add_done_callback(exits)
    assert [future.result(60).key.job for future in futures] == ["a", "b", "c"]


def test_a_store_is_closed_at_the_end_of_a_with_statement(journal: MemoryJournal) -> None:
    with GroupStore(journal=journal) as store:
        store.put(KEY, "a 1\n")
    assert journal.closed
    with pytest.raises(ValueError, match="closed"):
        store.put(KEY, "a 1\n")


def test_a_closed_store_is_read_not_written(clock: Clock, journal: MemoryJournal) -> None:
    store = GroupStore(clock=clock, journal=journal, lifetime_ns=SECOND)
    store.put(KEY, "a 1\n")
    future = store.submit(Put(OTHER, "b 1\n"))
    store.close()
    store.close()
    assert future.done()
    for attempt in (lambda: store.put(KEY, "a 2\n"), lambda: store.delete(KEY), store.wipe):
        with pytest.raises(ValueError, match="closed"):
            attempt()
    assert isinstance(store.submit(Wipe()).exception(), ValueError)
    assert set(store.groups) == {KEY, OTHER}
    clock.now += SECOND
    assert store.render() == b""
    assert [change.kind for change in journal.changes] == [ChangeKind.PUT, ChangeKind.PUT]


# ------------------------------------------------------------------------------------------------------------ threads


def test_every_scrape_sees_each_push_whole() -> None:
    """Each push gives two families of its group the same number; pushers and scrapers work at once."""
    store = GroupStore()
    keys = [GroupingKey("batch", instance=f"i{n}") for n in range(4)]
    done = threading.Event()

    def push(key: GroupingKey) -> None:
        for n in range(60):
            if n % 10 == 9:
                store.delete(key)
            (store.put if n % 2 else store.post)(key, f'first {n}\nsecond {n}\nthird{{n="{n}"}} {n}\n')

    def scrape() -> int:
        seen = 0
        while not done.is_set():
            families = parse(store.render())
            first, second = (
                {s.labels["instance"]: s.value for s in families[name].samples} if name in families else {}
                for name in ("first", "second")
            )
            assert first == second
            third = {s.labels["instance"]: s.value for s in store.collect(["third"]).get("third", EMPTY).samples}
            assert len(third) <= len(keys)
            seen += 1
        return seen

    with ThreadPoolExecutor(6) as pool:
        scrapers = [pool.submit(scrape) for _ in range(2)]
        pushers = [pool.submit(push, key) for key in keys]
        try:
            for pusher in pushers:
                pusher.result()
        finally:
            done.set()
        assert all(scraper.result() for scraper in scrapers)
    assert [s.value for s in store.collect()["first"].samples] == [59] * 4


EMPTY = MetricFamily("third", MetricType.UNKNOWN)


def test_series_are_counted_while_a_push_changes_them() -> None:
    store = GroupStore()
    body = b"".join(b'a{n="%d"} 1\n' % n for n in range(2000))
    counts = set()
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(lambda: [store.put(GroupingKey("batch"), body) for _ in range(20)])
        while not pushed.done():
            counts.add(store.series_count)
        pushed.result()
    assert counts <= {0, 2000}
    assert store.series_count == 2000
    store.wipe()
    assert store.series_count == 0


def test_of_pushers_that_claim_the_same_series_one_gets_it() -> None:
    store = GroupStore()

    def claim(n: int) -> bool:
        try:
            store.put(
                GroupingKey("batch", zone=f"{n}"), f'a{{n="{n}"}} 1\n# TYPE b {["gauge", "counter"][n % 2]}\nb 1\n'
            )
        except ConsistencyError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(claim, range(40)))
    assert accepted in ([n % 2 == 0 for n in range(40)], [n % 2 == 1 for n in range(40)])
    assert len(store.collect()["b"].samples) == 20


def test_a_slow_journal_holds_up_no_scrape(journal: MemoryJournal) -> None:
    gate, reached = threading.Event(), threading.Event()

    class Slow(MemoryJournal):
        def append(self, changes, /):
            reached.set()
            assert gate.wait(60)
            super().append(changes)

    store = GroupStore(journal=Slow())
    future = store.submit(Put(KEY, "a 1\n"))
    assert reached.wait(60)
    assert store.render() == b""
    assert not store.groups
    gate.set()
    future.result()
    assert "a{" in pushed(store)


# --------------------------------------------------------------------------------------------------------- interrupts


@pytest.fixture
def interrupt_main() -> Iterator[Callable[[], None]]:
    """Raises one KeyboardInterrupt in the main thread, from another one, and returns when that is done.

    A signal that comes right before a thread begins to wait is not seen until another one comes, so that it is sent
    again and again.
    """
    main, is_due = threading.get_ident(), threading.Event()

    def interrupted(*_: object) -> None:
        if is_due.is_set():
            is_due.clear()
            raise KeyboardInterrupt

    def send() -> None:
        is_due.set()
        while is_due.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.01)

    before = signal.signal(signal.SIGINT, interrupted)
    yield send
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_push_is_done_or_not_and_nothing_hangs(interrupt_main: Callable[[], None]) -> None:
    """The interrupt comes while the journal is being written, which is when the most is at stake."""
    gate = threading.Event()

    class Interrupts(MemoryJournal):
        def append(self, changes, /):
            interrupt_main()
            assert gate.wait(60)
            super().append(changes)

    journal = Interrupts()
    store = GroupStore(journal=journal)
    with pytest.raises(KeyboardInterrupt):
        store.put(KEY, "a 1\n")
    gate.set()
    with pytest.raises(KeyboardInterrupt):
        store.post(KEY, "b 1\n")
    store.close()
    assert pushed(store).count("{") == 2
    assert pushed(GroupStore(journal=journal)) == pushed(store)


def test_an_interrupted_push_does_not_wait_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt comes after the push was put in line, and before anybody was told to write it."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    store = GroupStore()
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.put(KEY, "a 1\n")
        with pytest.raises(KeyboardInterrupt):
            store.submit(Put(KEY, "a 1\n"))
    store.put(OTHER, "b 1\n")
    assert list(store.groups) == [OTHER]


def interrupt(call: Callable[[], object], line: int) -> bool:
    """Whether a call got to so many lines of the package, and was interrupted by a KeyboardInterrupt there.

    Not on a line that begins with `with`: what is raised there in such a way leaves the lock held.
    """
    package = str(Path(expofmt.__file__).parent)
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line" and not getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupted_scrape_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a scrape is interrupted, groups expiring or the page half up to date, the next one is whole."""

    def changed_store(clock: Clock) -> GroupStore:
        store = GroupStore(clock=clock)
        store.put(KEY, "# HELP a One.\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n")
        store.put(OTHER, "c 1\n")
        for job in "xy":
            store.put(GroupingKey(job), "# HELP a Two.\n# TYPE a gauge\na 1\nd 1\n", lifetime_ns=SECOND)
        store.render()
        store.put(KEY, "# HELP a Text.\n# TYPE a gauge\na 2\n# TYPE b counter\nb 1\n")
        store.delete(OTHER)
        clock.now += SECOND
        return store

    whole = changed_store(Clock()).render()
    lines = 0
    interrupted = True
    while interrupted:
        lines += 1
        store = changed_store(Clock())
        with monkeypatch.context() as patch:
            # What is written is of no interest here, and takes most of the lines.
            patch.setattr(expofmt.page.Page, "text", lambda *_: b"")
            interrupted = interrupt(store.render, lines)
        assert list(store.groups) == [KEY]
        assert store.render() == whole
        assert not store.delete(GroupingKey("x"))
        assert not store._published._gone
    assert lines > 100


def test_unseen_groups_leave_no_trace() -> None:
    """Groups that come and go between two scrapes, of a store that may never be scraped."""
    store = GroupStore()
    store.put(KEY, "a 1\n")
    store.render()
    for n in range(20):
        store.put(GroupingKey(f"j{n}"), f"a 1\nname_{n} 1\n")
        store.delete(GroupingKey(f"j{n}"))
    assert sum(map(len, store._published._delta.samples.values())) == 0
    assert not any(name.startswith("name_") for name in store._published._delta.families)
    assert pushed(store) == '# TYPE a untyped\na{instance="",job="batch"} 1\n'


def test_what_has_expired_is_gone_from_the_journal_once_the_store_is_closed(clock: Clock) -> None:
    journal = MemoryJournal()
    with GroupStore(clock=clock, journal=journal) as store:
        store.put(KEY, "a 1\n", lifetime_ns=10)
        clock.now += 10
        assert not store.groups
    # A clock may be set back.
    clock.now -= 5
    assert not GroupStore(clock=clock, journal=journal).groups


def test_closing_where_nothing_can_be_recorded(clock: Clock) -> None:
    journal = MemoryJournal()
    store = GroupStore(clock=clock, journal=journal)
    store.put(KEY, "a 1\n", lifetime_ns=10)
    clock.now += 10
    journal.failing = JournalError("disk full")
    with pytest.raises(JournalError, match="disk full"):
        store.close()
    store.close()
    assert not store.groups


def test_posts_that_replace_most_of_a_group_leave_it_whole(engine: str) -> None:
    store = GroupStore()
    lines = "".join(f'big{{n="{n}"}} 1\n' for n in range(600))
    for turn in range(9):
        store.post(KEY, f"{lines}f{turn} {turn}\n")
    assert pushed(store).count("big{") == 600
    assert [f'f{turn}{{instance="",job="batch"}} {turn}' in pushed(store) for turn in range(9)] == [True] * 9


@pytest.mark.parametrize(
    "body",
    [
        b"a 1\n",
        b"a 1",
        b"a 1 1000\n",
        b"push_time_seconds 1\n",
        b"# TYPE h histogram\nh 1\n",
        b"# TYPE h histogram\n# TYPE h_count gauge\nh_count 1\n",
        b'a{job="x"} 1\na{job="y"} 2\n' * 600,
        b"# TYPE s summary\ns_sum 1\n# TYPE s_sum_count gauge\ns_sum_count 1\n# TYPE s_sum summary\ns_sum 1\n",
    ],
)
def test_a_rehearsed_push_is_answered_as_one_that_is_stored(body: bytes, engine: str) -> None:
    def answer(push: Callable[[], PushResult]) -> tuple[type, tuple[Diagnostic, ...]]:
        try:
            return PushResult, push().warnings
        except ExpositionError as error:
            return type(error), error.diagnostics

    stored = answer(lambda: GroupStore().put(KEY, body))
    assert answer(lambda: rehearsed(Put(KEY, body), names="legacy")) == stored
