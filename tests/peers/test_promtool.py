"""`promtool check metrics` reads what we write: it may object to taste (exit 3), never to the syntax (exit 1)."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from expofmt import Exposition, MetricFamily, Sample, merge, parse, render
from expofmt.strategies import exposition_text, expositions

pytestmark = pytest.mark.usefixtures("engine")

Promtool = Callable[[bytes], "subprocess.CompletedProcess[bytes]"]

# Each example is a process; and promtool of before UTF-8 names is as good a reader as any.
few = settings(max_examples=30)


@pytest.fixture(scope="module")
def promtool(peer: Callable[[str], str]) -> Promtool:
    command = [peer("promtool"), "check", "metrics"]
    return lambda text: subprocess.run(command, input=text, capture_output=True, check=False)


def assert_read(promtool: Promtool, text: bytes) -> None:
    result = promtool(text)
    assert result.returncode in (0, 3), result.stderr.decode()


@few
@given(exposition=expositions(names="legacy"))
@example(exposition=Exposition())
@example(exposition=Exposition([MetricFamily.gauge("a", [({"b": "\x00\r\u2028\\"}, float("nan"))], help='\\\n"')]))
@example(exposition=Exposition([MetricFamily("a", samples=[Sample("a", {}, -0.0, -(2**63) * 10**6)])]))
def test_what_is_rendered_is_read(promtool: Promtool, exposition: Exposition) -> None:
    assert_read(promtool, render(exposition))


@few
@given(text=exposition_text(names="legacy"))
def test_what_is_formatted_is_read(promtool: Promtool, text: bytes) -> None:
    assert_read(promtool, render(parse(text)))


@settings(max_examples=15)
@given(exposition=expositions(names="legacy"))
def test_what_is_merged_is_read(promtool: Promtool, exposition: Exposition) -> None:
    labelled = [exposition.with_labels({"input": name}) for name in ("x", "y")]
    assert_read(promtool, render(merge(*labelled)))


def test_real_scrapes_are_read_before_and_after(promtool: Promtool, data: Path) -> None:
    paths = sorted(data.glob("*.prom"))
    assert paths
    for path in paths:
        before = promtool(path.read_bytes())
        after = promtool(render(parse(path.read_bytes())))
        assert before.returncode in (0, 3)
        assert after.returncode == before.returncode
        # It says the same of both, in whatever order.
        assert sorted(after.stderr.splitlines()) == sorted(before.stderr.splitlines())


@pytest.mark.parametrize("text", [b"a{b=c} 1\n", b"a 1 x\n", b"# TYPE a foo\n", b"# TYPE a gauge\n# TYPE a gauge\n"])
def test_promtool_refuses_what_we_refuse(promtool: Promtool, text: bytes) -> None:
    assert promtool(text).returncode == 1
    with pytest.raises(ValueError):
        parse(text)
