"""What the journal has acknowledged is on disk: seen from outside of the process that writes it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from expofmt import GroupStore
from expofmt.grouping import GroupingKey
from expofmt.groups import Change, Group, changed
from expofmt.journal import SqliteJournal

KILLS = int(os.environ.get("EXPOFMT_KILLS", "20"))

# Batches of one number each: all groups have all families with that number, or a batch is torn. A number is printed
# once its batch is recorded. Each batch deletes a group and makes another, too, so that pages come and go.
PUSHER = """\
import os, sys
from expofmt import MetricFamily
from expofmt.grouping import GroupingKey
from expofmt.groups import Change, ChangeKind
from expofmt.journal import SqliteJournal

def put(job, kind, names, number):
    families = [MetricFamily.gauge(name, [({"i": str(i)}, number) for i in range(number % 40)]) for name in names]
    return Change(kind, number, GroupingKey(job), tuple(families))

journal = SqliteJournal(sys.argv[1])
number = int(sys.argv[2])
while True:
    number += 1
    os.write(1, b"begin %d\\n" % number)
    journal.append([
        put("a", ChangeKind.PUT, ["m", "n"], number),
        put("b", ChangeKind.PUT, ["m"], number),
        put("b", ChangeKind.POST, ["n"], number),
        Change(ChangeKind.DELETE, number, GroupingKey(f"c{number - 1}")),
        put(f"c{number}", ChangeKind.PUT, ["m", "n"], number),
    ])
    os.write(1, b"end %d\\n" % number)
"""


# Pushes through a store, from as many threads as are asked for, each to a group of its own. "begin" and "end" are said
# of a number and the thread that pushes it.
STORE_PUSHER = """\
import os, sys
from threading import Thread
from expofmt import GroupStore
from expofmt.grouping import GroupingKey
from expofmt.journal import SqliteJournal

store = GroupStore(journal=SqliteJournal(sys.argv[1]))

def push(thread, number):
    while True:
        number += 1
        os.write(1, b"begin %d %d\\n" % (number, thread))
        lines = [f'{name}{{t="{thread}",i="{i}"}} {number}\\n' for name in "mn" for i in range(number % 40 + 1)]
        store.put(GroupingKey(f"t{thread}"), "".join(lines))
        os.write(1, b"end %d %d\\n" % (number, thread))

threads = [Thread(target=push, args=(thread, int(number))) for thread, number in enumerate(sys.argv[2:])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def killed(program: str, *arguments: str | Path, after: float) -> list[str]:
    """What a process said until it was killed, so many seconds after its first line."""
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout
        first = process.stdout.readline()
        time.sleep(after)
        process.kill()
        return (first + process.stdout.read()).decode().splitlines()


def state(path: Path) -> int:
    """The number of the batch that the file holds; an error if it is part of one."""
    groups: dict[str, Group] = {}
    with SqliteJournal(path) as journal:
        assert list(journal.problems()) == []
        change: Change
        for change in journal.replay():
            assert change.key is not None
            group = changed(groups.get(change.key["job"]), change)
            assert group is not None
            groups[change.key["job"]] = group
    if not groups:
        return 0
    numbers = {group.push_time_ns for group in groups.values()}
    [number] = numbers
    assert groups.keys() == {"a", "b", f"c{number}"}
    for group in groups.values():
        assert group.families.keys() == {"m", "n"}
        for family, time_ns in group.families.values():
            assert time_ns == number
            assert [sample.value for sample in family.samples] == [number] * (number % 40)
    return number


def test_kill_9_tears_no_batch_and_loses_none_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "j"
    chance = random.Random(KILLS)
    reached = 0
    cut_short = 0
    for _ in range(KILLS):
        said = killed(PUSHER, path, str(reached), after=chance.uniform(0, 0.03))
        acknowledged = max([reached, *(int(line.split()[1]) for line in said if line.startswith("end "))])
        reached = state(path)
        assert reached in (acknowledged, acknowledged + 1)
        cut_short += said[-1].startswith("begin ")
    assert reached > 0
    print(f"{KILLS} kills, {cut_short} of them during an append; {reached} batches acknowledged, none lost, none torn")


def test_kill_9_loses_no_push_that_a_store_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "j"
    chance = random.Random(KILLS)
    reached = [0] * 4
    for _ in range(KILLS):
        said = killed(STORE_PUSHER, path, *map(str, reached), after=chance.uniform(0, 0.05))
        acknowledged = [*reached]
        for line in said:
            word, said_number, of_thread = line.split()
            if word == "end":
                acknowledged[int(of_thread)] = int(said_number)
        with closing(SqliteJournal(path)) as journal:
            assert list(journal.problems()) == []
            groups = GroupStore(journal=journal).groups
        for thread, number in enumerate(acknowledged):
            group = groups.get(GroupingKey(f"t{thread}"))
            if group is None:
                assert number == 0
                continue
            assert group.families.keys() == {"m", "n"}
            reached[thread] = int(group.families["m"].family.samples[0].value)
            assert reached[thread] in (number, number + 1)
            for family, _ in group.families.values():
                assert [sample.value for sample in family.samples] == [reached[thread]] * (reached[thread] % 40 + 1)
    assert sum(reached) > 0
    print(f"{KILLS} kills; {sum(reached)} pushes to a store acknowledged, none lost, none torn")


CALL = re.compile(r"(?:\d+ +)?(\w+)\((\d+)<([^>]*)>(.*)")


@pytest.mark.parametrize("program", [PUSHER, STORE_PUSHER], ids=["append", "put"])
def test_the_log_is_synchronised_before_the_acknowledgement(
    tmp_path: Path, peer: Callable[[str], str], program: str
) -> None:
    strace = peer("strace")
    program = program.replace("while True:", "for _ in range(3):")
    traced = tmp_path / "trace"
    calls = "write,pwrite64,writev,pwritev,fsync,fdatasync,sync_file_range,ftruncate"
    command = [strace, "-f", "-y", "-e", f"trace={calls}", "-o", str(traced), sys.executable, "-c", program]
    subprocess.run([*command, str(tmp_path / "j"), "0"], check=True, stdout=subprocess.PIPE)
    appends: list[list[tuple[str, str]]] = []
    before: list[tuple[str, str]] = []
    current = before
    for line in traced.read_text(errors="replace").splitlines():
        match = CALL.match(line)
        # A call that is not done when another thread makes one has not done what it is for.
        if not match or line.endswith("<unfinished ...>"):
            continue
        call, descriptor, file, rest = match.groups()
        if descriptor == "1" and '"begin ' in rest:
            current = []
        elif descriptor == "1" and '"end ' in rest:
            appends.append(current)
            current = []
        else:
            current.append((call, file))
    assert len(appends) == 3
    log = str(tmp_path / "j-wal")
    for append in appends:
        written = [index for index, (call, file) in enumerate(append) if "write" in call and file == log]
        synchronised = [index for index, (call, file) in enumerate(append) if "sync" in call and file == log]
        assert written, append
        assert synchronised, append
        assert synchronised[-1] > written[-1], append
    # The file is on disk before it has its name, and so is its name before anything is recorded.
    synchronised_files = [file for call, file in before if call in ("fsync", "fdatasync")]
    assert str(tmp_path / "j-new") in synchronised_files
    assert str(tmp_path) in synchronised_files[synchronised_files.index(str(tmp_path / "j-new")) :]
