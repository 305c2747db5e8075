"""The SQLite journal: what is appended comes back, what is not ours stays as it is, and nothing is lost in silence."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from itertools import permutations
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from expofmt import Exemplar, LabelSet, MetricFamily, MetricType, Sample, parse, render
from expofmt.grouping import GroupingKey
from expofmt.groups import Change, ChangeKind, Group, JournalError, changed
from expofmt.journal import DamagedJournalError, SqliteJournal
from expofmt.journal.sqlite import APPLICATION_ID
from expofmt.strategies import metric_families

Groups = dict[GroupingKey, Group]
GAUGE = MetricFamily.gauge("a", 1)


def folded(changes: Iterable[Change], groups: Groups | None = None) -> Groups:
    """The groups that changes lead to."""
    groups = {} if groups is None else groups
    for change in changes:
        if change.key is None:
            groups.clear()
            continue
        group = changed(groups.get(change.key), change)
        if group is None:
            groups.pop(change.key, None)
        else:
            groups[change.key] = group
    return groups


def recorded(path: Path) -> Groups:
    with SqliteJournal(path, read_only=True) as journal:
        return folded(journal.replay())


KEYS = st.sampled_from(
    [
        GroupingKey("a"),
        GroupingKey("a", instance=""),
        GroupingKey('q"\\\n', {"ü.x": "\0\x7f\u2028"}),
        GroupingKey("b", a="b", b="a"),
    ]
)
TIMES = st.integers(-1, 5) | st.integers(-(2**63), 2**63 - 1)
FAMILIES = metric_families(max_metrics=3)
LISTS = st.lists(FAMILIES, max_size=3, unique_by=lambda family: family.name).map(tuple)
LIFETIMES = st.none() | st.integers(0, 2**63 - 1)
CHANGES = st.one_of(
    st.builds(Change, st.sampled_from([ChangeKind.PUT, ChangeKind.POST]), TIMES, KEYS, LISTS, LIFETIMES),
    st.builds(Change, st.just(ChangeKind.FAIL), TIMES, KEYS, st.just(()), LIFETIMES),
    st.builds(Change, st.sampled_from([ChangeKind.DELETE, ChangeKind.EXPIRE]), TIMES, KEYS),
    st.builds(Change, st.just(ChangeKind.WIPE), TIMES),
)


@settings(max_examples=100)
@example([[Change(ChangeKind.PUT, 1, GroupingKey("a"), (GAUGE,))], [Change(ChangeKind.PUT, 2, GroupingKey("a"))]])
@given(st.lists(st.lists(CHANGES, max_size=4), max_size=4))
def test_any_changes_come_back(engine: str, batches: Sequence[Sequence[Change]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal")
        groups: Groups = {}
        with SqliteJournal(path) as journal:
            for batch in batches:
                journal.append(batch)
                folded(batch, groups)
                assert folded(journal.replay()) == groups
            assert recorded(path) == groups
            assert list(journal.problems()) == []
        assert recorded(path) == groups
        with SqliteJournal(path) as journal:
            assert folded(journal.replay()) == groups


def put(time_ns: int, value: float, *, job: str = "a", families: int = 2, series: int = 3) -> Change:
    labels = [{"i": str(i), "job": job} for i in range(series)]
    made = (MetricFamily.gauge(f"m{n}", [(each, value) for each in labels], help="Help.") for n in range(families))
    return Change(ChangeKind.PUT, time_ns, GroupingKey(job), tuple(made))


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --------------------------------------------------------------------------------------------------- what is recorded

ODD = [
    '# TYPE h gaugehistogram\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_gsum 3\nh_gcount 2\n',
    '# TYPE b info\nb_info{v="1"} 1\n',
    '# TYPE s stateset\ns{s="on"} 1\n',
    "# HELP a \nz 1\n",
    '# HELP "ü.x" a\\\\b\\nc "d"\n{"ü.x","l.l"="\\\\\\"\\n"} NaN\n',
    'u 9007199254740993\nu{a="1"} -0\nu{a="0"} 1e-320 1395066363000\n',
    '# TYPE h histogram\nh_bucket{le="1e0"} 1\nh_sum 1\nh_bucket{le="0.50"} 1\nh_count 1\nh_bucket{le="+Inf"} 1\n',
    "a 1\na 1\n",
    "# TYPE h histogram\n",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_families_come_back(tmp_path: Path, engine: str, text: str) -> None:
    families = tuple(parse(text).values())
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([Change(ChangeKind.PUT, 1, GroupingKey("a"), families)])
        [change] = journal.replay()
    assert {family.name: family for family in change.families} == {family.name: family for family in families}


def test_a_negative_zero_keeps_its_sign(tmp_path: Path, engine: str) -> None:
    family = MetricFamily.gauge("a", [({"b": "2"}, -0.0), ({"b": "1"}, 0.0)])
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([Change(ChangeKind.PUT, 1, GroupingKey("a"), (family,))])
        [change] = journal.replay()
    assert [math.copysign(1, sample.value) for sample in change.families[0].samples] == [-1, 1]


def test_families_that_claim_each_others_names_come_back(tmp_path: Path, engine: str) -> None:
    histogram = MetricFamily("h", MetricType.HISTOGRAM)
    families = (histogram, MetricFamily.gauge("h_sum", 1), MetricFamily.gauge("h_count", {LabelSet(a="b"): 1}))
    with SqliteJournal(tmp_path / "j") as journal:
        for order in permutations(families):
            journal.append([Change(ChangeKind.PUT, 1, GroupingKey("a"), order)])
            [change] = journal.replay()
            assert sorted(change.families, key=attrgetter("name")) == sorted(families, key=attrgetter("name"))


@pytest.mark.parametrize(
    "family",
    [
        MetricFamily.gauge("a", 1, help=" b"),
        MetricFamily.gauge("a", 1, help="b\r"),
        MetricFamily.gauge("a", 1, unit="seconds"),
        MetricFamily("a", samples=[Sample("a", {}, 1, timestamp_ns=1)]),
        MetricFamily("a", samples=[Sample("a", {}, 1, exemplars=[Exemplar({}, 1)])]),
        MetricFamily("a", samples=[Sample("b", {}, 1)]),
    ],
)
def test_what_text_cannot_hold_is_refused_and_named(tmp_path: Path, engine: str, family: MetricFamily) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1)])
        with pytest.raises(JournalError, match=r"metric family 'a' of group \{job=\"b\"\} cannot be recorded"):
            journal.append([put(2, 2), Change(ChangeKind.PUT, 2, GroupingKey("b"), (family,))])
        assert folded(journal.replay()) == folded([put(1, 1)])


@pytest.mark.parametrize("change", [put(2**63, 1), replace(put(1, 1), lifetime_ns=2**63)])
def test_times_beyond_64_bits_are_refused(tmp_path: Path, change: Change) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        with pytest.raises(JournalError, match="64 bits"):
            journal.append([put(1, 1, job="b"), change])
        assert list(journal.replay()) == []
        journal.append([put(1, 1)])


@pytest.mark.parametrize("number", [60e9, 1.5, math.nan, "5"])
@pytest.mark.parametrize("field", ["time_ns", "lifetime_ns"])
def test_times_that_are_no_int_are_a_programming_error(tmp_path: Path, field: str, number: Any) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        with pytest.raises(TypeError, match="int of nanoseconds"):
            journal.append([put(1, 1, job="b"), replace(put(1, 1), **{field: number})])
        assert list(journal.replay()) == []


class Name(StrEnum):
    A = "a"


def test_what_is_written_otherwise_than_it_is_bound_comes_back(tmp_path: Path, engine: str) -> None:
    change = Change(ChangeKind.PUT, True, GroupingKey("a"), (MetricFamily.gauge(Name.A, 1),), True)
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([change])
        assert list(journal.problems()) == []
        assert folded(journal.replay()) == folded([change])


def test_a_change_of_no_group_is_a_programming_error(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        with pytest.raises(ValueError, match="only a wipe is a change of no group"):
            journal.append([put(1, 1), Change(ChangeKind.FAIL, 1)])
        assert list(journal.replay()) == []


def test_the_file_can_be_read_by_any_sqlite(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([replace(put(5, 1, families=1, series=1), lifetime_ns=7)])
    with closing(sqlite3.connect(tmp_path / "j")) as connection:
        groups = connection.execute("SELECT key, push_time_ns, failure_time_ns, lifetime_ns FROM groups").fetchall()
        pushes = connection.execute("SELECT time_ns, body FROM pushes").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert groups == [('{"job":"a"}', 5, 0, 7)]
    assert pushes == [(5, b'# HELP m0 Help.\n# TYPE m0 gauge\nm0{i="0",job="a"} 1\n')]


def test_what_posts_have_replaced_is_dropped(tmp_path: Path, engine: str) -> None:
    large = put(1, 1, families=200)
    first, second = (replace(put(0, 0, families=n), kind=ChangeKind.POST) for n in (1, 2))
    groups = folded([large])
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([large])
        for time_ns in range(2, 2000, 2):
            posts = [replace(first, time_ns=time_ns), replace(second, time_ns=time_ns + 1)]
            journal.append(posts)
            folded(posts, groups)
        assert folded(journal.replay()) == groups
        assert list(journal.problems()) == []
    with closing(sqlite3.connect(tmp_path / "j")) as connection:
        (total,) = connection.execute("SELECT sum(length(body)) FROM pushes").fetchone()
    assert total <= 3 * len(render(large.families))


def test_what_is_replayed_holds_on_to_no_text(tmp_path: Path, engine: str) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1, families=3, series=2)])
        [change] = journal.replay()
    spans = [family.samples.span(index) for family in change.families for index in range(len(family.samples))]
    assert spans == [None] * 6


def test_the_first_post_of_a_group_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expofmt.journal.sqlite._rewrite", lambda *_: pytest.fail("written again"))
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([replace(put(1, 1, series=1000), kind=ChangeKind.POST)])
        journal.append([replace(put(2, 1, series=1000), kind=ChangeKind.POST)])


def test_a_database_with_other_tables_is_left_as_it_is(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j").close()
    with closing(sqlite3.connect(tmp_path / "j")) as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "copy")])
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        connection.execute("CREATE TABLE more (a)")
    before = listing(tmp_path)
    for read_only in (True, False):
        with pytest.raises(DamagedJournalError, match="tables are not those"):
            SqliteJournal(tmp_path / "copy", read_only=read_only)
    assert listing(tmp_path) == before


def test_the_file_stays_small_and_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1, job=str(n), series=50) for n in range(100)])
    full = path.stat().st_size
    with SqliteJournal(path) as journal:
        for turn in range(20):
            journal.append([put(turn, turn, job=str(n), series=50) for n in range(100)])
    assert path.stat().st_size < 1.2 * full
    with SqliteJournal(path) as journal:
        journal.append([Change(ChangeKind.DELETE, 2, GroupingKey(str(n))) for n in range(1, 100)])
        for _ in range(20):
            journal.append([put(3, 3, job="0")])
        assert folded(journal.replay()) == folded([put(3, 3, job="0")])
    assert path.stat().st_size < 0.6 * full


def test_a_replay_and_an_append_do_not_mix(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1), put(1, 1, job="b")])
        replay = journal.replay()
        next(replay)
        with pytest.raises(JournalError, match="being replayed"):
            journal.append([put(2, 2)])
        with pytest.raises(JournalError, match="being replayed"):
            list(journal.replay())
        replay.close()
        journal.append([put(2, 2)])
        replay = journal.replay()
        next(replay)
    replay.close()
    for use in (lambda: journal.append([]), lambda: list(journal.replay()), lambda: list(journal.problems())):
        with pytest.raises(JournalError, match="is closed"):
            use()
    journal.close()


# ---------------------------------------------------------------------------------------------- files that are not ours


def foreign() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for name, pragma in (
            ("sqlite", "PRAGMA user_version = 1"),
            ("newer", f"PRAGMA application_id={APPLICATION_ID}"),
        ):
            with closing(sqlite3.connect(Path(folder, name))) as connection:
                connection.execute("CREATE TABLE a (b)")
                connection.execute(pragma)
                connection.execute("PRAGMA user_version = 2")
                connection.commit()
        found = listing(Path(folder))
    gob = bytes.fromhex("29ff8d040101184772") + b"oupingKeyToMetricGroup\x01\xff\x8e\x00\x01\x0c"
    return found | {"gob": gob * 9, "text": b"up 1\n" * 100, "short": b"SQLite format 3\0", "zeros": bytes(4096)}


FOREIGN = foreign()
SAYS = {
    "gob": "Go Pushgateway.*journal import URL",
    "sqlite": "an SQLite database, but no journal",
    "newer": "later version of expofmt",
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
def test_files_that_are_not_ours_are_left_alone(tmp_path: Path, kind: str, read_only: bool) -> None:
    path = tmp_path / "j"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(JournalError, match=SAYS.get(kind, "no journal")) as caught:
        SqliteJournal(path, read_only=read_only)
    assert str(path) in str(caught.value)
    assert not isinstance(caught.value, DamagedJournalError)
    assert listing(tmp_path) == {"j": FOREIGN[kind]}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("name", ["gone/j", "file/j", ".", "x" * 300])
def test_a_place_where_no_file_can_be(tmp_path: Path, name: str, read_only: bool) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError):
        SqliteJournal(tmp_path / name, read_only=read_only)
    assert listing(tmp_path) == {"file": b""}


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "j").touch()
    (tmp_path / "j-new").write_bytes(b"what a crash left")
    with pytest.raises(JournalError, match="no journal"):
        SqliteJournal(tmp_path / "j", read_only=True)
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1)])
    assert [*listing(tmp_path)] == ["j"]


def test_a_log_without_its_file_is_no_new_journal(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1)])
        log = (tmp_path / "j-wal").read_bytes()
    (tmp_path / "j").unlink()
    (tmp_path / "j-wal").write_bytes(log)
    with pytest.raises(JournalError, match="bring the file back"):
        SqliteJournal(tmp_path / "j")
    assert listing(tmp_path) == {"j-wal": log}


@pytest.mark.parametrize("name", ["a b", "a?mode=memory", "a#b", "a%20b", "ü", "-"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with SqliteJournal(tmp_path / name) as journal:
        journal.append([put(1, 1)])
    assert [*listing(tmp_path)] == [name]
    assert recorded(tmp_path / name) == folded([put(1, 1)])


def test_a_link_leads_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder / "j")
    with SqliteJournal(tmp_path / "link") as journal:
        journal.append([put(1, 1)])
        assert {*listing(folder)} == {"j", "j-wal", "j-shm", "j-lock"}
        with pytest.raises(JournalError, match="in use"):
            SqliteJournal(folder / "j")
    assert [*listing(folder)] == ["j"]


# ------------------------------------------------------------------------------------------------- one writer at a time


def test_one_writes_and_others_read(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        for turn in range(3):
            journal.append([put(turn, turn)])
            with pytest.raises(JournalError, match=f"in use by process {os.getpid()}$"):
                SqliteJournal(path)
            assert recorded(path) == folded([put(turn, turn)])
        with SqliteJournal(path, read_only=True) as reader, pytest.raises(JournalError, match="reading only"):
            reader.append([put(9, 9)])
        # A reader sees one state, whatever is written meanwhile.
        with SqliteJournal(path, read_only=True) as reader:
            journal.append([put(5, 5), put(5, 5, job="b")])
            replay = reader.replay()
            first = next(replay)
            journal.append([Change(ChangeKind.WIPE, 6)])
            assert folded([first, *replay]) == folded([put(5, 5), put(5, 5, job="b")])
            assert list(reader.replay()) == []
    with SqliteJournal(path) as journal:
        assert list(journal.replay()) == []


def test_reading_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1)])
        before = listing(tmp_path)
        assert recorded(path) == folded([put(1, 1)])
        assert {**listing(tmp_path), "j-shm": b""} == {**before, "j-shm": b""}
        left = {name: before[name] for name in ("j", "j-wal")}
    alone = listing(tmp_path)
    assert recorded(path) == folded([put(1, 1)])
    assert listing(tmp_path) == alone
    # What a process that was killed leaves behind.
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, data in left.items():
        (copy / name).write_bytes(data)
    assert recorded(copy / "j") == folded([put(1, 1)])
    assert {name: listing(copy)[name] for name in left} == left


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1)])
    with SqliteJournal(path, read_only=True) as reader:
        replay = reader.replay()
        next(replay)
        with SqliteJournal(path) as journal:
            journal.append([put(2, 2)])
        with pytest.raises(JournalError, match="read it again"):
            next(replay)
    assert recorded(path) == folded([put(2, 2)])


HOLDER = (
    "import sys; from expofmt.journal import SqliteJournal; j = SqliteJournal(sys.argv[1]); print(); sys.stdin.read()"
)


def test_another_process_waits_for_no_stale_lock(tmp_path: Path) -> None:
    path = tmp_path / "j"
    holder = subprocess.Popen(
        [sys.executable, "-uc", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(JournalError, match=f"in use by process {holder.pid}$"):
            SqliteJournal(path)
        holder.kill()
        holder.wait()
        assert (tmp_path / "j-lock").exists()
        with SqliteJournal(path) as journal:
            journal.append([put(1, 1)])
    assert [*listing(tmp_path)] == ["j"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_has_neither_the_journal_nor_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = SqliteJournal(path)
    journal.append([put(1, 1)])
    here, there = os.pipe()
    child = os.fork()
    if not child:
        os.close(there)
        try:
            journal.append([put(2, 2)])
        except JournalError as error:
            refused = "forked" in str(error)
            journal.close()
            os.read(here, 1)
            os._exit(0 if refused else 1)
        os._exit(2)
    os.close(here)
    try:
        journal.append([put(3, 3)])
        journal.close()
        # The child lives, and holds nothing.
        with SqliteJournal(path) as again:
            assert folded(again.replay()) == folded([put(3, 3)])
    finally:
        os.close(there)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert recorded(path) == folded([put(3, 3)])


# --------------------------------------------------------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Groups]:
    """The bytes of a journal with pages of all kinds, and its groups."""
    path = tmp_path_factory.mktemp("sound") / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1, job=f"job-{n}", families=3, series=4) for n in range(12)])
        journal.append([put(2, 2, job="large", families=2, series=120), Change(ChangeKind.FAIL, 3, GroupingKey("b"))])
        journal.append([put(4, 4, job="job-3"), Change(ChangeKind.DELETE, 4, GroupingKey("job-5"))])
    return path.read_bytes(), recorded(path)


def outcome(folder: Path, data: bytes, read_only: bool) -> Groups | None:
    """The groups of a file with these bytes; None where it is refused, which leaves it as it is."""
    path = folder / "j"
    path.write_bytes(data)
    try:
        with SqliteJournal(path, read_only=read_only) as journal:
            return folded(journal.replay())
    except JournalError:
        assert listing(folder) == {"j": data}
        return None
    finally:
        for left in folder.iterdir():
            left.unlink()


STEP = int(os.environ.get("EXPOFMT_FLIPS", "97"))  # 1: each byte


def test_a_flipped_bit_is_found_or_does_no_harm(tmp_path: Path, sound: tuple[bytes, Groups]) -> None:
    data, groups = sound
    refused = 0
    for at in range(0, len(data), STEP):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        found = outcome(tmp_path, bytes(flipped), read_only=bool(at % 2))
        assert found in (None, groups), at
        refused += found is None
    assert refused > len(data) // STEP // 4


def test_a_page_of_something_else_is_found(tmp_path: Path, sound: tuple[bytes, Groups]) -> None:
    data, groups = sound
    pages = [data[at : at + 4096] for at in range(0, len(data), 4096)]
    for index in range(len(pages)):
        for other in (bytes(4096), b"\xff" * 4096, pages[(index + 1) % len(pages)], pages[index - 1]):
            damaged = b"".join([*pages[:index], other, *pages[index + 1 :]])
            assert outcome(tmp_path, damaged, read_only=False) in (None, groups), index


def test_a_truncated_file_is_found(tmp_path: Path, sound: tuple[bytes, Groups]) -> None:
    data, groups = sound
    for length in (1, 50, 99, 100, 101, 4095, *range(4096, len(data), 2048)):
        assert outcome(tmp_path, data[:length], read_only=bool(length % 3)) is None, length
    assert outcome(tmp_path, data[:-1], read_only=False) in (None, groups)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE pushes SET body = 'up'", "checksum of a push of group"),
        ("UPDATE pushes SET time_ns = 7", "checksum of a push of group"),
        ("DELETE FROM pushes", "the pushes of group .* are not those"),
        ("UPDATE groups SET push_time_ns = 7", "checksum of group"),
        ("DELETE FROM groups", "pushes of a group 1 that is not there"),
        ("UPDATE groups SET key = '[]'", "checksum"),
        ("CREATE TABLE more (a)", "tables are not those"),
        ("PRAGMA user_version = 0", "there is no schema 0"),
    ],
)
def test_rows_that_no_journal_wrote_are_found(tmp_path: Path, statement: str, says: str) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    before = listing(tmp_path)
    for read_only in (False, True):
        with (
            pytest.raises(DamagedJournalError, match=says) as caught,
            SqliteJournal(path, read_only=read_only) as again,
        ):
            list(again.replay())
        assert str(caught.value).startswith(f"{path}: is damaged: ")
    assert listing(tmp_path) == before


def test_a_damaged_file_keeps_its_log(tmp_path: Path) -> None:
    """What SQLite would do on closing: put the log into the file, where it is gone."""
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(1, 1, job=str(n), series=30) for n in range(40)])
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([put(2, 2, job="39")])
        file, log = (tmp_path / "j").read_bytes(), (tmp_path / "j-wal").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()
    for damaged in (
        file.replace(b'{i="17",job="0"}', b'{i="71",job="0"}'),
        file[:16] + b"\x10\x01" + file[18:],
        file[:100] + b"\xff" + file[101:],
        file[:4096] + bytes(len(file) - 4096),
    ):
        left = {"j": damaged, "j-wal": log}
        assert damaged != file
        for name, data in left.items():
            (copy / name).write_bytes(data)
        for read_only in (True, False, False):
            with pytest.raises(JournalError), SqliteJournal(copy / "j", read_only=read_only) as again:
                list(again.replay())
            assert {name: data for name, data in listing(copy).items() if name != "j-shm"} == left
        (copy / "j-shm").unlink(missing_ok=True)


@pytest.mark.parametrize("key", ["", "[]", "{}", '{"job":1}', '{"job":"a","b":2}', '{"job":"\\ud800"}', "{" * 99999])
def test_a_key_that_is_none(tmp_path: Path, key: str) -> None:
    """Even where all checksums are right."""
    path = tmp_path / "j"
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        checksum = zlib.crc32(repr((1, key, 1, 0, None, 0, 0, 0)).encode())
        connection.execute("INSERT INTO groups VALUES (1, ?, 1, 0, NULL, 0, 0, 0, ?)", (key, checksum))
        connection.commit()
    with SqliteJournal(path) as journal:
        with pytest.raises(DamagedJournalError, match="no grouping key"):
            list(journal.replay())
        [problem] = journal.problems()
        assert "no grouping key" in problem


# ------------------------------------------------------------------------------------------------ torn logs, full disks


def test_a_torn_log_is_some_batches_whole(tmp_path: Path) -> None:
    """Byte by byte copies of the file and the first bytes of its log, as a crash may leave them."""
    states: list[Groups] = [{}]
    with SqliteJournal(tmp_path / "j") as journal:
        for turn in range(1, 9):
            batch = [put(turn, turn, job=f"{turn % 3}"), put(turn, turn, job="b", series=turn * 5)]
            if turn == 6:
                batch.append(Change(ChangeKind.DELETE, 6, GroupingKey("1")))
            journal.append(batch)
            states.append(folded(batch, dict(states[-1])))
        file, log = (tmp_path / "j").read_bytes(), (tmp_path / "j-wal").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()

    def state(log: bytes) -> int:
        (copy / "j").write_bytes(file)
        (copy / "j-wal").write_bytes(log)
        (copy / "j-shm").unlink(missing_ok=True)
        read = recorded(copy / "j")
        (copy / "j-shm").unlink(missing_ok=True)
        with SqliteJournal(copy / "j") as journal:
            found = folded(journal.replay())
        assert read == found
        assert found in states
        return states.index(found)

    lengths = sorted({0, 31, 32, 33, len(log) - 1, len(log), *range(0, len(log), len(log) // 60)})
    found = [state(log[:length]) for length in lengths]
    assert found == sorted(found)
    assert (found[0], found[-2], found[-1]) == (0, 7, 8)
    assert set(found) == set(range(9))
    assert state(log + os.urandom(5000)) == 8
    for at in range(40, len(log), len(log) // 20):
        state(log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :])


def test_a_full_disk_refuses_and_goes_on_serving(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with SqliteJournal(path) as journal:
        journal.append([put(1, 1)])
        connection = journal._usable()
        connection.execute("PRAGMA max_page_count = 10")
        for _ in range(3):
            with pytest.raises(JournalError, match=r"nothing was recorded: .*full") as caught:
                journal.append([put(2, 2), *(put(2, 2, job=str(n), series=100) for n in range(20))])
            assert caught.value.status_hint == 503
            assert folded(journal.replay()) == folded([put(1, 1)])
        journal.append([put(3, 3)])
        assert recorded(path) == folded([put(3, 3)])
        connection.execute("PRAGMA max_page_count = 100000")
        journal.append([put(4, 4, job=str(n), series=100) for n in range(20)])
    assert len(recorded(path)) == 21


LIMITED = """\
import resource, signal, sys
from expofmt import Exemplar, LabelSet, MetricFamily, MetricType, Sample, parse
from expofmt.grouping import GroupingKey
from expofmt.groups import Change, ChangeKind, JournalError
from expofmt.journal import SqliteJournal

def put(n):
    family = MetricFamily.gauge("m", [({"i": str(i)}, n) for i in range(200)])
    return Change(ChangeKind.PUT, n, GroupingKey(str(n)), (family,))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = SqliteJournal(sys.argv[1])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
n = refused = 0
while refused < 3:
    n += 1
    try:
        journal.append([put(n)])
        print(n)
    except JournalError as error:
        refused += 1
        print(error, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
n += 1
journal.append([put(n)])
print(n)
if sys.argv[3] == "close":
    journal.close()
else:
    import os
    sys.stdout.flush()
    os._exit(0)
"""


@pytest.mark.parametrize("end", ["close", "crash"])
@pytest.mark.parametrize("limit", [50_000, 75_001, 100_002])
def test_a_file_that_may_not_grow(tmp_path: Path, limit: int, end: str) -> None:
    pytest.importorskip("resource")
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "j", str(limit), end], capture_output=True, text=True, check=True
    )
    acknowledged = {GroupingKey(line) for line in run.stdout.split()}
    assert run.stderr.count("cannot be written to; nothing was recorded") == 3
    assert recorded(tmp_path / "j").keys() == acknowledged
    with SqliteJournal(tmp_path / "j") as journal:
        assert folded(journal.replay()).keys() == acknowledged


def test_a_lock_of_somebody_else_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("expofmt.journal.sqlite._BUSY_SECONDS", 0.01)
    with SqliteJournal(tmp_path / "j") as journal:
        with closing(sqlite3.connect(tmp_path / "j", isolation_level=None)) as shell:
            shell.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match="database is locked"):
                journal.append([put(1, 1)])
            shell.execute("COMMIT")
            journal.append([put(2, 2)])
        assert folded(journal.replay()) == folded([put(2, 2)])
