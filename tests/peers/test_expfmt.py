"""The protobuf format as prometheus/common reads and writes it, and as client_golang's metrics fill it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from expofmt import (
    Code,
    ConsistencyError,
    Exposition,
    Format,
    GroupingKey,
    GroupStore,
    MetricFamily,
    MetricType,
    parse,
    render,
)
from expofmt.strategies import expositions

pytestmark = pytest.mark.usefixtures("engine")

PROTOBUF = Format.PROTOBUF
Ask = Callable[[str, bytes], bytes]
# Each example is a process.
few = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def ask(peer: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Runs a mode of expfmt/main.go on bytes."""
    driver = tmp_path_factory.mktemp("expfmt") / "expfmt_peer"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = [peer("go"), "build", "-buildvcs=false", "-o", str(driver), "."]
    subprocess.run(command, cwd=Path(__file__).parent / "expfmt", env=environment, check=True)

    def answer(mode: str, data: bytes) -> bytes:
        return subprocess.run([driver, mode], input=data, stdout=subprocess.PIPE, check=True).stdout

    return answer


def without_empty(exposition: Exposition) -> Exposition:
    """The other side does not write families that have no metrics, and reads no HELP without a text."""
    return Exposition(
        MetricFamily(family.name, family.type, family.help or None, None, family.samples)
        for family in exposition.values()
        if family.samples
    )


def assert_same(ask: Ask, exposition: Exposition) -> None:
    exposition = without_empty(exposition)
    text = render(exposition)
    ours, theirs = render(exposition, format=PROTOBUF), ask("protobuf", text)
    # They read what we write, and we what they write.
    assert parse(ask("text", ours)) == parse(text)
    assert render(parse(theirs, format=PROTOBUF, strict=True), format=Format.TEXT) == text
    assert len(ours) == len(theirs)


@few
@given(expositions(max_families=4, max_metrics=3, timestamps=False))
def test_any_exposition(ask: Ask, exposition: Exposition) -> None:
    # A label name with a colon is written without the quotes that it needs.
    assume(not any(":" in name for family in exposition.values() for name in family.samples.label_names()))
    assert_same(ask, exposition)


def test_real_scrapes(ask: Ask, data: Path) -> None:
    for path in sorted(data.glob("*.prom")):
        assert_same(ask, parse(path.read_bytes()))


def test_what_client_golang_sends(ask: Ask) -> None:
    data = ask("client", b"")
    exposition = parse(data, format=PROTOBUF, strict=True)
    assert {name: family.type for name, family in exposition.items()} == {
        "c_total": MetricType.COUNTER,
        "g": MetricType.GAUGE,
        "h_seconds": MetricType.HISTOGRAM,
        "s": MetricType.SUMMARY,
    }
    [first, second] = exposition["c_total"].samples
    assert (dict(first.exemplars[0].labels), first.exemplars[0].value) == ({"trace_id": "abc"}, 3)
    assert not second.exemplars
    assert first.exemplars[0].timestamp_ns is not None
    assert first.start_timestamp_ns is not None
    bounds = [
        (sample.labels["le"], sample.value, len(sample.exemplars)) for sample in exposition["h_seconds"].samples[:3]
    ]
    assert bounds == [("0.5", 1, 0), ("1", 1, 0), ("+Inf", 2, 1)]
    assert parse(ask("text", data)) == parse(render(exposition, format=Format.TEXT, lossy=True))
    assert parse(render(exposition), format=PROTOBUF) == exposition


def test_a_push_of_client_golang(ask: Ask) -> None:
    store = GroupStore()
    warnings = store.put(GroupingKey("j"), ask("client", b""), format=PROTOBUF).warnings
    assert {warning.code for warning in warnings} == {Code.FORMAT_LOSS}
    assert b'h_seconds_bucket{instance="",job="j",le="+Inf"} 2\n' in store.render()
    assert b'c_total{code="200",instance="",job="j"} 3\n' in store.render()


def test_native_histograms_of_client_golang_are_refused(ask: Ask) -> None:
    with pytest.raises(ConsistencyError) as caught:
        parse(ask("native", b""), format=PROTOBUF)
    [diagnostic] = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == (
        Code.NATIVE_HISTOGRAM,
        "metric of `h_seconds` is a native histogram",
    )
