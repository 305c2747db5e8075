"""What do a push and a scrape cost, whatever a store holds? How much memory does it take, how fast is it durable?"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from expofmt import engine
from expofmt.grouping import GroupingKey
from expofmt.store import GroupStore
from fresh import answer, resident
from go_rivals import Gateway, describe, go_gateway
from measure import Timing, arguments, contest, duration, introduce, table, verdict

RIVAL = "Pushgateway"
FAMILIES = 20
SERIES = 5
PER_GROUP = FAMILIES * SERIES
# What a store says of each group itself: when it was pushed, and when that failed.
TIMES = ("push_time_seconds", "push_failure_time_seconds")

BASE = 10
COUNTS = (BASE, 100, 1_000, 2_000, 10_000)
QUICK_COUNTS = (BASE, 100, 500)
GOAL_GROUPS = 2_000
# From here on, the rival is asked as seldom as can be: it takes seconds for a push.
SLOW_GROUPS = 2_000
TOO_SLOW_GROUPS = 10_000

FLAT_GOAL = 2
PUSH_GOAL = 200
SCRAPE_GOAL = 20
MEMORY_GOAL = 3
THREADS = (1, 16)

WORK = (
    f"a group: {PER_GROUP} series in {FAMILIES} families, half of them counters, two labels besides the group's",
    "push: PUT of a group that is there, each of its values another one than before; read, labelled, checked, applied",
    "scrape: the text of all groups, after a push to one of them that is not timed",
    f"x {BASE}: how many times as long a push takes as into {BASE} groups, by turns with it, the least of many rounds",
)


def template(prefix: str) -> str:
    """What each group pushes; what @SET@ and @TURN@ stand for: `peers/pushgateway.go`."""
    return "".join(_lines(prefix))


def _lines(prefix: str) -> Iterator[str]:
    for family in range(FAMILIES):
        type, suffix = ("counter", "_total") if family % 2 else ("gauge", "_seconds")
        name = f"{prefix}_step_{family:02}{suffix}"
        yield f"# HELP {name} What step {family} of the batch has done, by queue and shard.\n"
        yield f"# TYPE {name} {type}\n"
        for series in range(SERIES):
            value = f"{family * 7919 + series}@TURN@" if family % 2 else f"{series}.{family + 1}@TURN@"
            yield f'{name}{{queue="orders-{series}",shard="eu-west-{family % 3}"}} {value}\n'


WORKLOADS: Mapping[str, str] = {
    "all groups share the families": template("batch"),
    "each ten groups have their own families": template("batch_@SET@"),
}


class Ours:
    """A store of ours with so many groups, which are pushed to in turn: as the rival does in `peers/pushgateway.go`."""

    def __init__(self, template: str, groups: int, **options: Any) -> None:
        self.template = template
        self.groups = groups
        self.pushes = 0
        self.store = GroupStore(**options)

    def fill(self) -> float:
        start = time.perf_counter()
        for group in range(self.groups):
            self.store.put(self.key(group), self.body(group, 0))
        return time.perf_counter() - start

    def next(self) -> tuple[GroupingKey, bytes]:
        self.pushes += 1
        group = self.pushes * 7919 % self.groups
        return self.key(group), self.body(group, self.pushes)

    def key(self, group: int) -> GroupingKey:
        return GroupingKey("batch", instance=f"host-{group}")

    def body(self, group: int, turn: int) -> bytes:
        return self.template.replace("@SET@", str(group // 10)).replace("@TURN@", str(turn % 10)).encode()

    # Garbage is collected when Python does so, within the time. To collect it before each round would be to look at all
    # that a large store holds, and to empty the caches.
    def push(self, runs: int) -> float:
        given = [self.next() for _ in range(runs)]
        start = time.perf_counter()
        for key, body in given:
            self.store.put(key, body)
        return time.perf_counter() - start

    def scrape(self, runs: int) -> float:
        seconds = 0.0
        for _ in range(runs):
            self.store.put(*self.next())
            start = time.perf_counter()
            self.store.render()
            seconds += time.perf_counter() - start
        return seconds

    def digest(self) -> dict[str, Any]:
        """What a scrape holds, but for the times."""
        text = self.store.render(names=self.store.collect().keys() - set(TIMES))
        samples = sum(not line.startswith(b"#") for line in text.splitlines())
        return {"samples": samples, "size": len(text), "digest": hashlib.sha256(text).hexdigest()}


class Does(NamedTuple):
    """One of the things that a store does, as a contender."""

    name: str
    measure: Callable[[int], float]

    def seconds(self, runs: int) -> float:
        return self.measure(runs)


def asked(gateway: Gateway, command: str) -> Callable[[int], float]:
    return lambda runs: gateway.seconds(f"{command} {runs}")


def compare(ours: Ours, theirs: Gateway) -> None:
    """Both hold the same, to the byte."""
    found, expected = ours.digest(), theirs.ask("digest")
    if found != expected or found["samples"] != PER_GROUP * ours.groups:
        raise RuntimeError(f"{ours.groups:,} groups: {found}, and {expected} by {RIVAL}")


class Compared(NamedTuple):
    """What pushes and scrapes took; the rival did not run where there is none of it."""

    groups: int
    # How many times as long a push takes as one into the smallest store.
    growth: float
    push: Timing
    scrape: Timing
    rival_push: Timing | None
    rival_scrape: Timing | None

    @property
    def push_ratio(self) -> float | None:
        return self.push.ratio(self.rival_push) if self.rival_push else None

    @property
    def scrape_ratio(self) -> float | None:
        return self.scrape.ratio(self.rival_scrape) if self.rival_scrape else None


def measured(template: str, base: Ours, groups: int, *, rounds: int) -> Compared:
    ours = base if groups == BASE else Ours(template, groups)
    if ours is not base:
        ours.fill()
    with ExitStack() as stack:
        theirs = None
        if groups < TOO_SLOW_GROUPS:
            theirs = stack.enter_context(go_gateway(template, groups))
        pushes = [Does("ours", ours.push)]
        scrapes = [Does("ours", ours.scrape)]
        if theirs is not None:
            theirs.seconds("fill")
            pushes.append(Does(RIVAL, asked(theirs, "push")))
            scrapes.append(Does(RIVAL, asked(theirs, "scrape")))
        growth = growth_of(ours, base, rounds=10 * rounds) if ours is not base else 1.0
        rounds = min(rounds, 3) if theirs is not None and groups >= SLOW_GROUPS else rounds
        pushed = contest(pushes, rounds=rounds, at_least=0.02)
        scraped = contest(scrapes, rounds=rounds)
        if theirs is not None:
            compare_afresh(template, groups, theirs)
    rival_push, rival_scrape = (pushed[1], scraped[1]) if theirs else (None, None)
    return Compared(groups, growth, pushed[0], scraped[0], rival_push, rival_scrape)


def growth_of(ours: Ours, base: Ours, *, rounds: int) -> float:
    """By the least of many short rounds: that is when the machine did nothing else."""
    large, small = contest([Does("large", ours.push), Does("small", base.push)], rounds=rounds, at_least=0.01)
    return large.least / small.least


def compare_afresh(template: str, groups: int, theirs: Gateway) -> None:
    """Both filled anew hold the same: until now they have been pushed to more or less often."""
    theirs.seconds("fill")
    ours = Ours(template, groups)
    ours.fill()
    compare(ours, theirs)


def of_speed(name: str, template: str, counts: tuple[int, ...], *, rounds: int) -> None:
    print(f"{name}: {engine.ENGINE} engine, and {RIVAL}", flush=True)
    base = Ours(template, BASE)
    base.fill()
    found = [measured(template, base, groups, rounds=rounds) for groups in counts]
    table(
        ("groups", "push", f"x {BASE}", f"{RIVAL}'s", "ratio", "scrape", f"{RIVAL}'s", "ratio"),
        (
            (
                f"{each.groups:,}",
                duration(each.push.middle),
                f"{each.growth:.2f}",
                shown(each.rival_push),
                ratio(each.push_ratio),
                duration(each.scrape.middle),
                shown(each.rival_scrape),
                ratio(each.scrape_ratio),
            )
            for each in found
        ),
    )
    if max(counts) >= TOO_SLOW_GROUPS:
        print(f"  {RIVAL} is not asked at {TOO_SLOW_GROUPS:,} groups: each push takes seconds there", flush=True)
    worst = max(found[1:], key=lambda each: each.growth)
    at = f"{worst.growth:.2f} at {worst.groups:,} groups"
    verdict(f"push, within {FLAT_GOAL} x that into {BASE} groups", at, met=worst.growth <= FLAT_GOAL)
    goal = next((each for each in found if each.groups == GOAL_GROUPS), None)
    for what, factor, reached in (
        ("push", PUSH_GOAL, goal and goal.push_ratio),
        ("scrape", SCRAPE_GOAL, goal and goal.scrape_ratio),
    ):
        aim = f"{what} at {GOAL_GROUPS:,} groups, {factor} x {RIVAL}, native engine"
        met = reached >= factor if reached is not None and engine.ENGINE == "native" else None
        verdict(aim, "not measured" if reached is None else f"{reached:.1f}", met=met)
    print(flush=True)


def shown(timing: Timing | None) -> str:
    return duration(timing.middle) if timing else "-"


def ratio(of: float | None) -> str:
    return "-" if of is None else f"{of:.1f}"


class Held(NamedTuple):
    """What a fresh process takes that fills a store and lets it be scraped: seconds, and bytes over the empty one.

    Memory is what is resident: when the store has been filled, and when it has been scraped, too, after a few pushes.
    """

    name: str
    fill: float
    filled: float
    first_scrape: float
    scrape: float
    scraped: float
    samples: float


def hold(template: str, groups: int) -> None:
    """In a fresh process: print how that went."""
    small = Ours(template, 1)
    small.fill()
    small.store.render()
    ours = Ours(template, groups)
    empty = resident()
    fill = ours.fill()
    filled = resident() - empty
    start = time.perf_counter()
    samples = sum(not line.startswith(b"#") for line in ours.store.render().splitlines())
    first = time.perf_counter() - start
    scrape = min(ours.scrape(1) for _ in range(3))
    print(fill, filled, first, scrape, resident() - empty, samples)


def held_by_ours(name: str, groups: int) -> Held:
    return Held("expofmt", *map(float, answer(__file__, ["--hold", name, str(groups)])))


def held_by_rival(name: str, groups: int) -> list[Held]:
    """As it is, and with all garbage given back, as it never is by itself."""
    with go_gateway(WORKLOADS[name], groups) as gateway:
        if gateway is None:
            return []
        process = gateway.process.pid
        gateway.seconds("free")
        empty = resident(process)
        fill = gateway.seconds("fill")
        filled = resident(process) - empty
        gateway.seconds("free")
        filled_alone = resident(process) - empty
        first = gateway.seconds("scrape 1")
        scrape = min(gateway.seconds("scrape 1") for _ in range(2))
        scraped = resident(process) - empty
        gateway.seconds("free")
        scraped_alone = resident(process) - empty
        samples = gateway.ask("digest")["samples"] + len(TIMES) * groups
    return [
        Held(RIVAL, fill, filled, first, scrape, scraped, samples),
        Held(f"{RIVAL}, garbage given back", fill, filled_alone, first, scrape, scraped_alone, samples),
    ]


def of_memory(name: str, groups: int) -> None:
    series = groups * PER_GROUP
    print(f"{series:,} series, {name}: a fresh process each, bytes of memory for each series", flush=True)
    ours = held_by_ours(name, groups)
    theirs = held_by_rival(name, groups)
    table(
        ("", "filled", "scraped, too", "filling", "first scrape", "after one push"),
        (
            (
                each.name,
                f"{each.filled / series:.0f}",
                f"{each.scraped / series:.0f}",
                duration(each.fill),
                duration(each.first_scrape),
                duration(each.scrape),
            )
            for each in (ours, *theirs)
        ),
    )
    expected = series + len(TIMES) * groups
    if any(each.samples != expected for each in (ours, *theirs)):
        raise RuntimeError(f"{expected:,} samples pushed; scraped: {ours}, {theirs}")
    verdict(f"{series:,} series held and scraped", f"{expected:,} samples, with the times of groups", met=True)
    for what in ("filled", "scraped"):
        aim = f"memory per series, {what}, at most 1/{MEMORY_GOAL} of {RIVAL}'s, native engine"
        if not theirs:
            verdict(aim, f"{RIVAL} did not run", met=None)
            continue
        parts = [getattr(each, what) / getattr(ours, what) for each in theirs]
        found = f"1/{parts[0]:.1f}, and 1/{parts[1]:.1f} of it without garbage"
        verdict(aim, found, met=parts[0] >= MEMORY_GOAL if engine.ENGINE == "native" else None)
    print(flush=True)


def of_journal(template: str, *, groups: int, rounds: int, seconds: float) -> None:
    try:
        sqlite_journal: Callable[[Path], Any] = import_module("expofmt.journal.sqlite").SqliteJournal
    except ImportError:
        print("durable pushes: not measured, since this version has no journal\n", flush=True)
        return
    print(f"pushes into {groups:,} groups from one thread and from many, in one process", flush=True)
    rows = []
    with TemporaryDirectory() as folder:
        durable = Ours(template, groups, journal=sqlite_journal(Path(folder, "journal")))
        volatile = Ours(template, groups)
        for ours, name in ((volatile, "no journal"), (durable, "SqliteJournal")):
            ours.fill()
            for threads in THREADS:
                rate = max(rate_of(ours, threads, seconds) for _ in range(rounds))
                rows.append((f"{name}, {threads} pushing", f"{rate:,.0f}"))
        durable.store.close()
        body = durable.body(0, 0)
        rows.append(("a file that a push is added to, one fsync for each", f"{rate_of_file(Path(folder), body):,.0f}"))
    table(("", "a second"), rows)
    print(
        f"  {RIVAL} has nothing of the kind: it writes all groups to a new file now and then, and does not fsync it\n"
    )


def rate_of(ours: Ours, threads: int, seconds: float) -> float:
    """Pushes a second. Each thread has groups that no other one pushes to."""
    given = [[ours.next() for _ in range(10)] for _ in range(threads)]
    until = time.perf_counter() + seconds

    def push(mine: list[tuple[GroupingKey, bytes]]) -> int:
        count = 0
        while time.perf_counter() < until:
            ours.store.put(*mine[count % len(mine)])
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        count = sum(pool.map(push, given))
        return count / (time.perf_counter() - start)


def rate_of_file(folder: Path, body: bytes, runs: int = 200) -> float:
    with Path(folder, "plain").open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(runs):
            file.write(body)
            os.fsync(file.fileno())
        return runs / (time.perf_counter() - start)


def main() -> None:
    chosen = arguments(__doc__)
    introduce([*WORK, *describe([RIVAL])])
    for name, text in WORKLOADS.items():
        of_speed(name, text, QUICK_COUNTS if chosen.quick else COUNTS, rounds=chosen.rounds)
    for name in WORKLOADS:
        for groups in (100,) if chosen.quick else (GOAL_GROUPS, 10_000):
            of_memory(name, groups)
    text = next(iter(WORKLOADS.values()))
    of_journal(text, groups=200, rounds=1 if chosen.quick else 3, seconds=0.5 if chosen.quick else 2)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold(WORKLOADS[sys.argv[2]], int(sys.argv[3]))
    else:
        main()
