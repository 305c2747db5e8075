"""What do pushes and scrapes cost over HTTP? How much memory does a gateway take, and how soon is it up again?"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.error import URLError

from bench_store import PER_GROUP, RIVAL, WORKLOADS
from expofmt import engine
from fresh import resident
from go_rivals import Load, go_load, pushgateway
from measure import arguments, duration, introduce, table, verdict

CONNECTIONS = (1, 16)
COUNTS = (10, 1_000, 2_000)
QUICK_COUNTS = (10, 100)

# Goals: how many times as many pushes and scrapes as the rival, by the number of groups; how much of its memory.
PUSH_GOALS = {10: 1, 2_000: 100}
SCRAPE_GOALS = {10: 1, 2_000: 20}
MEMORY_GOAL = 2

WORK = (
    f"a group: {PER_GROUP} series in 20 families; all groups share the families",
    "push: PUT of a group that is there, on connections that are kept open, each with one request at a time",
    "scrape: GET /metrics as text, not compressed, after a push that is not timed",
    "expofmt: `expofmt serve` with --persistence.file, so that what is acknowledged is on disk",
    f"{RIVAL}: with --persistence.file, which it writes every five minutes, and does not fsync",
    "the client is a Go program on one of the processors; both gateways may use all",
)


class Program(NamedTuple):
    """A gateway as it is started; what is persisted is in the folder."""

    name: str
    command: Sequence[str]
    folder: Path

    @contextmanager
    def running(self, *flags: str) -> Iterator[Running]:
        """It runs until it is told to end, which it is with SIGTERM."""
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        persisted = self.folder / self.name
        command = [*self.command, f"--web.listen-address={address}", f"--persistence.file={persisted}", *flags]
        start = time.perf_counter()
        log = self.folder / f"{self.name}.log"
        with log.open("ab") as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as process:
            try:
                running = Running(self.name, process, f"http://{address}")
                running.wait()
                yield running._replace(ready=time.perf_counter() - start)
            except BaseException:
                print(log.read_text()[-2000:], file=sys.stderr)
                raise
            finally:
                process.send_signal(signal.SIGTERM)


class Running(NamedTuple):
    """A gateway that runs."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    # How long it took until it was ready.
    ready: float = 0.0

    def wait(self) -> None:
        until = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready"):
                    return
            except URLError:
                time.sleep(0.002)
        raise RuntimeError(f"{self.name} does not get ready")


class Pushed(NamedTuple):
    """Pushes over so many connections: the median rate of all rounds, and latencies of all pushes."""

    rate: float
    half: float
    most: float


class Measured(NamedTuple):
    """What one gateway did with so many groups."""

    pushed: dict[int, Pushed]
    scrape: float
    scrape_bytes: int
    memory: float
    start: float


def measured(program: Program, text: str, groups: int, *, rounds: int, seconds: float) -> Measured:
    # Pushgateway would check each push against all groups before it, which takes minutes.
    unchecked = ("--push.disable-consistency-check",) if program.name == RIVAL else ()
    with program.running(*unchecked) as filling, go_load(text, groups, filling.url) as load:
        load.ask("fill 8")
    with program.running() as gateway, go_load(text, groups, gateway.url) as load:
        load.ask("scrape 1")
        pushed = {connections: _pushed(load, connections, rounds, seconds) for connections in CONNECTIONS}
        scraped = [load.ask("scrape 3") for _ in range(rounds)]
        memory = resident(gateway.process.pid)
    scrape = median(each for found in scraped for each in found["each"])
    return Measured(pushed, scrape, scraped[-1]["bytes"], memory, gateway.ready)


def _pushed(load: Load, connections: int, rounds: int, seconds: float) -> Pushed:
    found = [load.ask(f"push {connections} {seconds}") for _ in range(rounds)]
    each = sorted(latency for round in found for latency in round["each"])
    return Pushed(
        median(len(round["each"]) / round["seconds"] for round in found),
        each[len(each) // 2],
        each[min(len(each) - 1, len(each) * 99 // 100)],
    )


def compare(text: str, groups: int, programs: Sequence[Program], *, rounds: int, seconds: float) -> None:
    found = {program.name: measured(program, text, groups, rounds=rounds, seconds=seconds) for program in programs}
    print(f"{groups:,} groups, {groups * PER_GROUP:,} series", flush=True)
    header = [""]
    for connections in CONNECTIONS:
        header += [f"pushes/s, {connections}", "p50", "p99"]
    table(
        (*header, "scrape", "MB/s", "memory", "started in"),
        (
            (
                name,
                *(
                    cell
                    for pushed in each.pushed.values()
                    for cell in (f"{pushed.rate:,.4g}", duration(pushed.half), duration(pushed.most))
                ),
                duration(each.scrape),
                f"{each.scrape_bytes / each.scrape / 1e6:,.4g}",
                f"{each.memory / 1e6:,.0f} MB",
                duration(each.start),
            )
            for name, each in found.items()
        ),
    )
    if RIVAL not in found:
        return
    ours, theirs = found["expofmt"], found[RIVAL]
    is_native = engine.ENGINE == "native"
    for connections in CONNECTIONS:
        ratio = ours.pushed[connections].rate / theirs.pushed[connections].rate
        goal = PUSH_GOALS.get(groups)
        aim = f"pushes, {connections} connections, {goal or 'no goal'} x {RIVAL}"
        verdict(aim, f"{ratio:.2f}", met=ratio >= goal if goal and is_native else None)
    ratio, goal = theirs.scrape / ours.scrape, SCRAPE_GOALS.get(groups)
    verdict(
        f"scrapes, {goal or 'no goal'} x {RIVAL}", f"{ratio:.2f}", met=ratio >= goal if goal and is_native else None
    )
    part = theirs.memory / ours.memory
    verdict(
        f"memory, at most 1/{MEMORY_GOAL} of {RIVAL}'s",
        f"1/{part:.2f}",
        met=part >= MEMORY_GOAL if groups == max(COUNTS) and is_native else None,
    )
    print(flush=True)


def main() -> None:
    chosen = arguments(__doc__)
    introduce(WORK)
    ours = shutil.which("expofmt", path=str(Path(sys.executable).parent)) or "expofmt"
    text = next(iter(WORKLOADS.values()))
    for groups in QUICK_COUNTS if chosen.quick else COUNTS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            programs = [Program("expofmt", [ours, "serve"], folder)]
            rival = pushgateway()
            if rival is None:
                print(f"{RIVAL} does not run: `go` is not installed", flush=True)
            else:
                programs.append(Program(RIVAL, [str(rival), "--log.level=error"], folder))
            compare(text, groups, programs, rounds=min(chosen.rounds, 3), seconds=0.5 if chosen.quick else 4)


if __name__ == "__main__":
    main()
