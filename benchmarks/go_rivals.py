"""The rivals in Go: `peers/`, built when a benchmark asks for it, and a process of it for each contender."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NamedTuple

from inputs import Input
from rivals import file_of

SOURCES = Path(__file__).parent / "peers"

WORK: Mapping[str, str] = {
    "VictoriaMetrics": (
        "lib/protoparser/prometheus, samples into rows that it uses again each time; numbers read, names and labels "
        "kept as parts of the input; skips HELP and TYPE; checks neither names nor UTF-8"
    ),
    "VictoriaMetrics, fresh": "the same, and HELP and TYPE, into new rows each time",
    "textparse": (
        "Prometheus' model/textparse, all entries in turn; for each sample a sorted label set with a copy of its text, "
        "UTF-8 checked; gathers no families, does not check the order of metadata, keeps nothing"
    ),
    "expfmt": (
        "prometheus/common, TextToMetricFamilies; a protobuf message for each family, sample and label; checks UTF-8, "
        "names, duplicate labels, metadata"
    ),
    "expfmt write": "prometheus/common, MetricFamilyToText into a buffer that it uses again each time; sorts nothing",
    "expfmt protobuf": "prometheus/common's decoder: a message for each family, sample and label; checks names",
    "expfmt protobuf write": "prometheus/common's encoder, of such messages, into a buffer that it uses again",
    "Pushgateway": (
        "the package `storage` of it, without a persistence file, driven as its handlers drive it, but without HTTP: "
        "the text parser of prometheus/common, then a checked write request; for a scrape, all that is stored and Go's "
        "own metrics gathered, checked, sorted, and written as text into a buffer that is used again each time"
    ),
}


class GoRival(NamedTuple):
    """A process that does one work again and again, as often as it is told."""

    name: str
    process: subprocess.Popen[str]

    def seconds(self, runs: int) -> float:
        return float(_answer(self.process, f"{runs}\n")["seconds"])


class Gateway(NamedTuple):
    """A process that holds groups in Pushgateway's store, which does what it is told."""

    process: subprocess.Popen[str]

    def ask(self, command: str) -> dict[str, Any]:
        return _answer(self.process, f"{command}\n")

    def seconds(self, command: str) -> float:
        return float(self.ask(command)["seconds"])


class Load(NamedTuple):
    """A process that is a client of some gateway, and does what it is told."""

    process: subprocess.Popen[str]

    def ask(self, command: str) -> dict[str, Any]:
        return _answer(self.process, f"{command}\n")


def describe(names: Iterable[str]) -> list[str]:
    """What each of them does, and in which version; or why none of them runs."""
    program = _program()
    if program is None:
        return ["no rivals in Go: `go` is not installed"]
    shown = subprocess.run(["go", "version", "-m", program], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in shown.splitlines()]
    versions = [f"{line[1].rpartition('/')[2]} {line[2]}" for line in words if line[0] == "dep" and line[1] in _MODULES]
    lines = [f"{name}: {WORK[name]}" for name in names]
    return [*lines, f"in Go: {', '.join(versions)}; {words[0][1]}, one processor, its garbage collected as usual"]


_MODULES = (
    "github.com/VictoriaMetrics/VictoriaMetrics",
    "github.com/prometheus/common",
    "github.com/prometheus/prometheus",
    "github.com/prometheus/client_golang",
    "github.com/prometheus/pushgateway",
)


@contextmanager
def go_rivals(names: Iterable[str], given: Input, *, suffix: str = "") -> Iterator[list[GoRival]]:
    """A contender for each work on an input, none if there is no Go; each must find all samples.

    The suffix is for the names in the table, where the same work is done on several inputs.
    """
    program = _program()
    if program is None:
        yield []
        return
    with ExitStack() as stack:
        path = stack.enter_context(file_of(given.data))
        yield [stack.enter_context(_rival(program, name, suffix, path, given)) for name in names]


@contextmanager
def _rival(program: Path, name: str, suffix: str, path: Path, given: Input) -> Iterator[GoRival]:
    # It ends when its input does.
    with subprocess.Popen([program, name, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        samples = _answer(process)["samples"]
        if samples != given.samples:
            raise RuntimeError(f"{name} found {samples:,} samples of {given.samples:,} in {given.name}")
        yield GoRival(name + suffix, process)


@contextmanager
def go_gateway(template: str, groups: int) -> Iterator[Gateway | None]:
    """Pushgateway's store, empty so far; ``None`` if there is no Go. What the template is: ``peers/pushgateway.go``."""
    program = _program()
    if program is None:
        yield None
        return
    with (
        file_of(template.encode()) as path,
        subprocess.Popen(
            [program, "gateway", path, str(groups)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        yield Gateway(process)


@contextmanager
def go_load(template: str, groups: int, url: str) -> Iterator[Load]:
    """A client of the gateway at a URL; it takes Go. What the template is: ``peers/pushgateway.go``."""
    program = _program()
    if program is None:
        raise RuntimeError("the client of the gateways is a Go program, and `go` is not installed")
    with (
        file_of(template.encode()) as path,
        subprocess.Popen(
            [program, "load", path, str(groups), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        yield Load(process)


@cache
def pushgateway() -> Path | None:
    """The program itself, in the release that its tests name; ``None`` if there is no Go."""
    if not shutil.which("go"):
        return None
    program = Path(_folder().name, "pushgateway")
    sources = SOURCES.parent.parent / "tests" / "peers" / "pushgateway"
    command = ["go", "build", "-buildvcs=false", "-o", str(program), "github.com/prometheus/pushgateway"]
    subprocess.run(command, cwd=sources, check=True)
    return program


def _answer(process: subprocess.Popen[str], question: str = "") -> dict[str, Any]:
    _open(process.stdin).write(question)
    _open(process.stdin).flush()
    line = _open(process.stdout).readline()
    if not line:
        raise RuntimeError("a rival in Go has ended, and said why")
    found: dict[str, Any] = json.loads(line)
    return found


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@cache
def _folder() -> TemporaryDirectory[str]:
    # Held until the benchmark ends.
    return TemporaryDirectory()


@cache
def _program() -> Path | None:
    """The program, linked anew in each run of a benchmark: Go keeps what it has compiled."""
    if not shutil.which("go"):
        return None
    program = Path(_folder().name, "peers")
    # Not stamped with a revision, for which it would ask Git.
    subprocess.run(["go", "build", "-buildvcs=false", "-o", program, "."], cwd=SOURCES, check=True)
    return program
