"""``expofmt journal``."""

from __future__ import annotations

import base64
import json
import math
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from expofmt import GroupStore, MetricFamily, MetricType, Sample, parse
from expofmt.cli import group
from expofmt.grouping import GroupingKey
from expofmt.groups import Change, ChangeKind, Group, JournalError, changed, retold
from expofmt.journal import SqliteJournal
from expofmt.journal.pushgateway import read_answer

SECOND = 10**9
NOON = 1_795_694_400 * SECOND


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(group, ["journal", *map(str, arguments)], catch_exceptions=False)


def recorded(path: Path) -> dict[GroupingKey, Group]:
    groups: dict[GroupingKey, Group] = {}
    with SqliteJournal(path, read_only=True) as journal:
        for change in journal.replay():
            assert change.key is not None
            made = changed(groups.get(change.key), change)
            assert made is not None
            groups[change.key] = made
    return groups


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "j"
    a, b = GroupingKey("a", instance="x"), GroupingKey("b")
    counter = MetricFamily.counter("jobs_total", [({"q": "b"}, 2), ({"q": "a"}, 1)], help="Jobs.")
    with SqliteJournal(path) as journal:
        journal.append(
            [
                Change(ChangeKind.FAIL, NOON, b, (), 60 * SECOND),
                Change(ChangeKind.PUT, NOON, a, (counter, MetricFamily.gauge("depth", 3)), 3600 * SECOND),
                Change(ChangeKind.POST, NOON + 500_000_000, a, (MetricFamily.gauge("depth", -0.0),), 3600 * SECOND),
                Change(ChangeKind.PUT, NOON, GroupingKey("a"), tuple(parse("# TYPE i info\ni_info 1\n").values())),
            ]
        )
    return path


DUMP = """\
# group {job="a",instance="x"} pushed 2026-11-26T12:00:00.5Z, failed never, expires 2026-11-26T13:00:00.5Z
# TYPE depth gauge
depth -0
# pushed 2026-11-26T12:00:00Z
# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{q="a"} 1
jobs_total{q="b"} 2

# group {job="a"} pushed 2026-11-26T12:00:00Z, failed never, expires never
# TYPE i info
i_info 1

# group {job="b"} pushed never, failed 2026-11-26T12:00:00Z, expires 2026-11-26T12:01:00Z

"""


def test_dump(file: Path, engine: str) -> None:
    result = run("dump", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, DUMP, "")
    with SqliteJournal(file):
        assert run("dump", file).stdout == DUMP


def test_times_beyond_the_calendar(tmp_path: Path) -> None:
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([Change(ChangeKind.PUT, -1, GroupingKey("a"), (), 2**63 - 1)])
        journal.append([Change(ChangeKind.FAIL, -(2**63), GroupingKey("a"))])
    assert run("dump", tmp_path / "j").stdout == (
        '# group {job="a"} pushed 1969-12-31T23:59:59.999999999Z, failed 1677-09-21T00:12:43.145224192Z, '
        "expires 2262-04-11T23:47:16.854775806Z\n\n"
    )


def test_check(file: Path, tmp_path: Path) -> None:
    result = run("check", file)
    assert (result.exit_code, result.output) == (0, "ok: 3 groups, 3 families, 4 series\n")
    SqliteJournal(tmp_path / "new").close()
    assert run("check", tmp_path / "new").output == "ok: 0 groups, 0 families, 0 series\n"


def test_all_damage_is_told_and_the_rest_is_dumped(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE pushes SET body = 'x' WHERE CAST(body AS TEXT) GLOB '*depth*'")
        connection.execute("UPDATE groups SET push_time_ns = 1 WHERE key = ?", ('{"job":"b"}',))
        connection.commit()
    before = file.read_bytes()
    result = run("check", file)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == f'{file}: the checksum of group \'{{"job":"b"}}\' is not that of its row'
    assert second.startswith(f'{file}: the checksum of a push of group \'{{"instance":')
    assert run("dump", file).exit_code == 1
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM groups WHERE push_time_ns = 1")
        connection.commit()
    result = run("dump", file)
    assert result.exit_code == 1
    assert "is damaged: the checksum of a push of group" in result.stderr
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM groups WHERE id = 1")
        connection.execute("UPDATE groups SET id = 0 WHERE key = ?", ('{"job":"a"}',))
        connection.commit()
    assert run("check", file).exit_code == 1
    file.write_bytes(before[: len(before) // 2])
    assert run("check", file).exit_code == 1


@pytest.mark.parametrize("command", ["dump", "check"])
def test_what_cannot_be_read(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path / "gone")
    assert result.exit_code == 2
    assert result.stderr == f"expofmt: {tmp_path / 'gone'}: cannot be opened: No such file or directory\n"
    (tmp_path / "text").write_text("up 1\n" * 50)
    result = run(command, tmp_path / "text")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"expofmt: {tmp_path / 'text'}: is no journal of expofmt\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text"]


# --------------------------------------------------------------------------------------------------------------- import


def family(type: str, *metrics: dict[str, Any], time: str = "2026-11-26T12:00:00Z", help: str = "") -> dict[str, Any]:
    return {"time_stamp": time, "type": type, **({"help": help} if help else {}), "metrics": [*metrics]}


def value(number: str, **labels: str) -> dict[str, Any]:
    return {"labels": {"instance": "", "job": "j", **labels}, "value": number}


LABELS = {"instance": "", "job": "j"}
TIMES = {
    "push_time_seconds": family("GAUGE", value("1.7956944e+09")),
    "push_failure_time_seconds": family("GAUGE", value("0")),
}
LABELLESS: dict[str, Any] = {"last_push_successful": True, **TIMES}
ODD: dict[str, Any] = {
    "g": family("GAUGE", value("1e+06", b="2"), value("-0", b="1"), value("NaN", b="<&>\u2028"), help="hi\n\\"),
    "c": family("COUNTER", value("9007199254740993"), time="2026-11-26T17:30:00.000000001+05:30"),
    "u": family("UNTYPED", value("-Inf"), time="2026-11-26T04:00:00.1-08:00"),
    "h": family(
        "HISTOGRAM",
        {"buckets": {"+Inf": "3", "1": "1", "0.5": "1"}, "count": "3", "labels": LABELS, "sum": "4.5"},
        {"buckets": {"10": "2.5", "9": "2"}, "count": "2.5", "labels": {**LABELS, "x": "y"}, "sum": "-0.1"},
        {"buckets": {}, "count": "7", "labels": {**LABELS, "x": "z"}, "sum": "0"},
    ),
    "s": family("SUMMARY", {"count": "4", "labels": LABELS, "quantiles": {"0.9": "2", "0.5": "1"}, "sum": "3"}),
    "e": family("SUMMARY", {"count": "0", "labels": LABELS, "quantiles": {}, "sum": "NaN"}),
    "none": family("GAUGE"),
    "last_push_successful": family("GAUGE", value("1")),
    "labels": {"job": "j"},
    **TIMES,
}
NATIVE = family("HISTOGRAM", {"buckets": [[3, "-0.001", "0.001", "1"]], "count": "1", "labels": LABELS, "sum": "0"})
TEXT = """\
# TYPE c counter
c{instance="",job="j"} 9007199254740993
# TYPE e summary
e_sum{instance="",job="j"} NaN
e_count{instance="",job="j"} 0
# HELP g hi\\n\\\\
# TYPE g gauge
g{b="2",instance="",job="j"} 1e+06
g{b="1",instance="",job="j"} -0
g{b="<&>\u2028",instance="",job="j"} NaN
# TYPE h histogram
h_bucket{instance="",job="j",le="0.5"} 1
h_bucket{instance="",job="j",le="1"} 1
h_bucket{instance="",job="j",le="+Inf"} 3
h_sum{instance="",job="j"} 4.5
h_count{instance="",job="j"} 3
h_bucket{instance="",job="j",le="9",x="y"} 2
h_bucket{instance="",job="j",le="10",x="y"} 2.5
h_bucket{instance="",job="j",le="+Inf",x="y"} 2.5
h_sum{instance="",job="j",x="y"} -0.1
h_count{instance="",job="j",x="y"} 2.5
h_bucket{instance="",job="j",le="+Inf",x="z"} 7
h_sum{instance="",job="j",x="z"} 0
h_count{instance="",job="j",x="z"} 7
# TYPE last_push_successful gauge
last_push_successful{instance="",job="j"} 1
# TYPE s summary
s{instance="",job="j",quantile="0.5"} 1
s{instance="",job="j",quantile="0.9"} 2
s_sum{instance="",job="j"} 3
s_count{instance="",job="j"} 4
# TYPE u untyped
u{instance="",job="j"} -Inf
"""


def answer(*groups: dict[str, Any]) -> bytes:
    return json.dumps({"status": "success", "data": groups}).encode()


def test_every_oddity_of_the_api(engine: str) -> None:
    [made], refused = read_answer(answer(ODD))
    assert refused == []
    assert made.key == GroupingKey("j")
    assert (made.push_time_ns, made.failure_time_ns, made.lifetime_ns) == (NOON, 0, None)
    assert {name: stored.family for name, stored in made.families.items()} == dict(parse(TEXT))
    assert [math.copysign(1, sample.value) for sample in made.families["g"].family.samples][:2] == [1, -1]
    times = {name: stored.time_ns - NOON for name, stored in made.families.items() if stored.time_ns != NOON}
    assert times == {"c": 1, "u": 100_000_000}


def test_times_of_groups() -> None:
    told = {"labels": {"job": "j", "zone": ""}, "last_push_successful": False, **TIMES}
    stamp = "2026-11-22T13:25:38.334474818Z"
    told["push_failure_time_seconds"] = family("GAUGE", value("1.7953539383344748e+09"), time=stamp)
    told["push_time_seconds"] = family("GAUGE", value("0"), time=stamp)
    [failed], _ = read_answer(answer(told))
    assert (failed.push_time_ns, failed.failure_time_ns) == (0, 1_795_353_938_334_474_818)
    assert failed.key == GroupingKey("j", zone="")
    # A pushed family of that name has a time of its own, which is not the one that it tells.
    told["push_failure_time_seconds"] = family("GAUGE", value("1.5"), time=stamp)
    assert read_answer(answer(told)).groups[0].failure_time_ns == 1_500_000_000
    bare = {"labels": {"job": "j"}, "last_push_successful": True, "a": family("GAUGE", value("1"))}
    bare["push_time_seconds"] = family("GAUGE", time="0001-01-01T00:00:00Z")
    [group], _ = read_answer(answer(bare))
    assert (group.push_time_ns, group.failure_time_ns) == (0, 0)


@pytest.mark.parametrize(
    ("name", "told", "reason"),
    [
        ("n", NATIVE, 'metric family `n` of group {job="j"}: a native histogram'),
        ("n", family("GAUGE_HISTOGRAM", value("0")), "does not tell what is in a gauge histogram"),
        ("labels", family("GAUGE", value("0")), "`labels`, which hides its grouping labels"),
        (
            "h",
            family("HISTOGRAM", {"buckets": {}, "count": "0", "sum": "0", "labels": {**LABELS, "le": "1"}}),
            "a label `le` beside",
        ),
    ],
)
def test_what_cannot_be_taken_over(name: str, told: dict[str, Any], reason: str) -> None:
    groups, [line] = read_answer(answer({**ODD, name: told}))
    assert reason in line
    if name != "labels":
        assert set(groups[0].families) == {"g", "c", "u", "h", "s", "e", "last_push_successful"} - {name}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"status":"error","data":[]}',
        b'{"status":"success","data":[{}]}',
        b'{"status":"success","data":[[]]}',
        answer({**ODD, "g": family("TEMPERATURE", value("1"))}),
        answer({**ODD, "g": family("GAUGE", value("1,5"))}),
        answer({**ODD, "g": family("GAUGE", value("1"), time="yesterday")}),
        answer({**ODD, "g": family("GAUGE", value("1"), time="9999-11-26T12:00:00Z")}),
        answer({**ODD, "g": family("GAUGE", {"labels": {"a": 1}, "value": "1"})}),
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not the answer of a Pushgateway's API$"):
        read_answer(body)


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that answers all requests so; its URL, and the path and credentials of each request."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_import(tmp_path: Path) -> None:
    file = tmp_path / "j"
    other = {"labels": {"job": "j", "a": "b"}, "last_push_successful": True, **TIMES}
    with serving(answer(ODD, other)) as (url, asked):
        result = run("import", f"{url}/prefix/")
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "would take 2 groups, 7 families, 25 series")
        result = run("import", f"{url}/api/v1/metrics", "--file", file)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        '{job="j",a="b"} 0 families, 0 series',
        '{job="j"} 7 families, 25 series',
        "took 2 groups, 7 families, 25 series",
    ]
    assert asked == [("/prefix/api/v1/metrics", None), ("/api/v1/metrics", None)]
    groups = recorded(file)
    assert groups == {group.key: group for group in read_answer(answer(ODD, other)).groups}


def test_import_into_a_journal_that_has_groups(file: Path) -> None:
    before = recorded(file)
    told = {"labels": {"job": "a"}, "last_push_successful": True, "g": family("GAUGE", value("1")), **TIMES}
    with serving(answer(told)) as (url, _):
        result = run("import", url, "--file", file)
        assert (result.exit_code, result.stderr) == (1, f"expofmt: {file}: has groups already; --merge keeps them\n")
        assert recorded(file) == before
        assert run("import", url, "--file", file, "--merge").exit_code == 0
    [taken], _ = read_answer(answer(told))
    assert recorded(file) == {**before, taken.key: taken}


def test_import_of_what_is_not_supported(tmp_path: Path) -> None:
    file = tmp_path / "j"
    with serving(answer({**ODD, "n": NATIVE})) as (url, _):
        result = run("import", url, "--file", file)
        assert result.exit_code == 1
        assert result.stderr == (
            'expofmt: cannot be taken over: metric family `n` of group {job="j"}: a native histogram, which text '
            "cannot hold\nexpofmt: nothing was written; --skip-unsupported takes the rest\n"
        )
        assert not file.exists()
        result = run("import", url, "--file", file, "--skip-unsupported")
    assert result.exit_code == 0
    assert result.stderr.startswith("expofmt: left out: metric family `n`")
    assert len(recorded(file)[GroupingKey("j")].families) == 7


def told(type: str, name: str, **labels: str) -> dict[str, Any]:
    return {
        "labels": labels,
        "last_push_successful": True,
        name: family(type, {"labels": labels, "value": "1"}),
        **TIMES,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (told("GAUGE", "x", job="a"), told("COUNTER", "x", job="b")),
        (told("GAUGE", "x", job="a"), told("GAUGE", "y", job="a", instance="")),
        (told("GAUGE", "h_sum", job="a"), {**LABELLESS, "labels": {"job": "b"}, "h": ODD["h"]}),
        (
            {**LABELLESS, "labels": {"job": "a"}, "x": family("GAUGE", value("1"))},
            {**LABELLESS, "labels": {"job": "b"}, "x": family("GAUGE", value("2"))},
        ),
    ],
)
def test_import_of_groups_that_contradict_each_other(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    file = tmp_path / "j"
    with serving(answer(one, other)) as (url, _):
        assert run("import", url).exit_code == 1
        result = run("import", url, "--file", file)
        assert result.exit_code == 1
        keys = [str(group.key) for group in read_answer(answer(one, other)).groups]
        assert f"cannot be taken over: group {keys[1]} contradicts group {keys[0]}: " in result.stderr
        assert recorded(file) == {}
        result = run("import", url, "--file", file, "--skip-unsupported")
        assert result.exit_code == 0
        assert f"left out: group {keys[1]} contradicts group {keys[0]}: " in result.stderr
    groups = read_answer(answer(one, other)).groups
    assert recorded(file) == {groups[0].key: groups[0]}
    GroupStore(journal=SqliteJournal(file)).close()
    with SqliteJournal(file) as journal:
        journal.append([*retold(groups[1])])
    result = run("check", file)
    assert result.exit_code == 1
    assert f"{file}: group {keys[1]} contradicts group {keys[0]}: " in result.stdout


def test_import_with_a_password() -> None:
    with serving(answer()) as (url, asked):
        assert run("import", url.replace("//", "//me:p%40ss@")).stdout == "would take 0 groups, 0 families, 0 series\n"
    assert asked == [("/api/v1/metrics", f"Basic {base64.b64encode(b'me:p@ss').decode()}")]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:9091", "not a URL that starts with http:// or https:// and a host"),
        ("file:///etc/passwd", "not a URL that starts with http:// or https:// and a host"),
        ("http://", "not a URL that starts with http:// or https:// and a host"),
        ("http://me:secret@127.0.0.1:1/", "Connection refused"),
        ("http://[", ""),
    ],
)
def test_import_from_nowhere(tmp_path: Path, url: str, reason: str) -> None:
    result = run("import", url, "--file", tmp_path / "j")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "secret" not in result.stderr
    assert [*tmp_path.iterdir()] == []


def test_import_from_something_else(tmp_path: Path) -> None:
    with serving(b"<html>") as (url, _):
        assert run("import", url).stderr == f"expofmt: {url}: not the answer of a Pushgateway's API\n"
    with serving(b"", status=401) as (url, _):
        result = run("import", url)
    assert (result.exit_code, result.stderr) == (2, f"expofmt: {url}: answered 401 Unauthorized\n")
    with serving(answer(ODD)) as (url, _):
        assert run("import", url, "--file", tmp_path / "gone" / "j").exit_code == 2


@pytest.fixture
def pushgateway(peer: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """The URL of a running one, which keeps nothing."""
    program = peer("prometheus-pushgateway")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--web.listen-address={address}", "--persistence.file="]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://{address}/-/ready").close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://{address}"
        finally:
            process.kill()


def push(url: str, path: str, text: str, method: str = "POST") -> int:
    request = urllib.request.Request(f"{url}/metrics/job/{path}", text.encode(), method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


PUSHED = """\
# HELP g A gauge.
# TYPE g gauge
g{b="2"} 1.2345678901234567
g{b="1"} -0
# TYPE h histogram
h_bucket{le="0.1"} 1
h_bucket{le="5"} 9007199254740992
h_bucket{le="+Inf"} 9007199254740992
h_sum 1e-320
h_count 9007199254740992
# TYPE s summary
s{quantile="0.5"} NaN
s_sum 3
s_count 4
u +Inf
"""


def test_import_from_a_real_pushgateway(pushgateway: str, tmp_path: Path) -> None:
    assert push(pushgateway, "j/instance/i", PUSHED, "PUT") == 200
    assert push(pushgateway, "j/instance/i", "late 1\n") == 200
    assert push(pushgateway, "k", "up 1\n") == 200
    assert push(pushgateway, "k", "up 1 1000\n") == 400
    assert push(pushgateway, "l", "up 1 1000\n") == 400
    with urllib.request.urlopen(f"{pushgateway}/metrics") as reply:
        scrape = parse(reply.read())
    file = tmp_path / "j"
    result = run("import", pushgateway, "--file", file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "took 3 groups, 6 families, 13 series"
    groups = recorded(file)
    j, k, late = (groups[key] for key in (GroupingKey("j", instance="i"), GroupingKey("k"), GroupingKey("l")))
    pushed = {name: stored.family for name, stored in j.families.items()}
    expected = parse(PUSHED + "late 1\n").with_labels({"job": "j", "instance": "i"})
    assert {name: sorted(map(str, each.samples)) for name, each in pushed.items()} == {
        name: sorted(map(str, each.samples)) for name, each in expected.items()
    }
    assert (pushed["g"].help, pushed["g"].type, pushed["u"].type) == ("A gauge.", MetricType.GAUGE, MetricType.UNKNOWN)
    assert j.families["late"].time_ns == j.push_time_ns > j.families["g"].time_ns
    assert (j.failure_time_ns, late.push_time_ns, [*late.families]) == (0, 0, [])
    assert k.failure_time_ns > k.push_time_ns > 0
    # As floats of seconds, the times are those that the other one shows.
    for name, attribute in (("push_time_seconds", "push_time_ns"), ("push_failure_time_seconds", "failure_time_ns")):
        shown: dict[str, float] = {}
        sample: Sample
        for sample in scrape[name].samples:
            shown[sample.labels["job"]] = sample.value
        assert shown == {key["job"]: getattr(each, attribute) / 1e9 for key, each in groups.items()}
    assert run("check", file).output == "ok: 3 groups, 6 families, 13 series\n"


def test_the_file_of_a_real_pushgateway_is_left_alone(peer: Callable[[str], str], tmp_path: Path) -> None:
    """It is known by its first bytes, which are asked of a real one here."""
    program, file = peer("prometheus-pushgateway"), tmp_path / "theirs" / "gob"
    file.parent.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--web.listen-address={address}", f"--persistence.file={file}", "--persistence.interval=1ms"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if file.exists():
                    break
                try:
                    push(f"http://{address}", "j", "up 1\n")
                except OSError:
                    time.sleep(0.05)
        finally:
            process.terminate()
    # That program may have ended while it wrote the next one, which stands beside this one then.
    before = file.read_bytes()
    copy = tmp_path / "ours" / "gob"
    copy.parent.mkdir()
    copy.write_bytes(before)
    with pytest.raises(JournalError, match="was written by the Go Pushgateway"):
        SqliteJournal(copy)
    assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == {"gob": before}
