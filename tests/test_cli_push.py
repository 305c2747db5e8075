"""``expofmt push``, ``pushadd`` and ``delete``, against a server that records what it is asked."""

import gzip
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest
import trustme
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization as formats

from expofmt import ExpositionError, Format, GroupingKey, GroupStore, MetricFamily, ParseError, render
from expofmt.cli import group
from expofmt.cli.client import Answer, Client, NoAnswer, may_know, without_secrets
from expofmt.report import report

GOOD = b"# TYPE m gauge\nm 1\n"
JSON = (("Content-Type", "application/json"),)
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Request(NamedTuple):
    """What was asked, header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """What to answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Gateway:
    """A server that gives these replies one after the other, the last one for ever; and what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.asked: list[Request] = []
        gateway, left = self, list(replies)

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                gateway.asked.append(Request(self.command, self.path, headers, body))
                reply = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_POST = do_DELETE = do_PUT  # noqa: N815 - the server's names

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def only(self) -> Request:
        """The one request that it was asked."""
        [request] = self.asked
        return request


@contextmanager
def serving(*replies: Reply) -> Iterator[Gateway]:
    gateway = Gateway(*replies or (Reply(200),))
    with gateway.server:
        thread = Thread(target=gateway.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield gateway
        finally:
            gateway.server.shutdown()
            thread.join()


def run(*arguments: str | Path, input: bytes = GOOD, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, [*map(str, arguments)], input=input, catch_exceptions=False, env=environment)


@pytest.fixture(autouse=True)
def pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command would have slept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    slept: list[float] = []
    monkeypatch.setattr("expofmt.cli.push.sleep", slept.append)
    return slept


# --------------------------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize(("command", "method"), [("push", "PUT"), ("pushadd", "POST")])
def test_pushing(command: str, method: str) -> None:
    Path("a.prom").write_bytes(GOOD)
    with serving() as gateway:
        assert run(command, gateway.url, "--job", "j", "a.prom").output == ""
        assert run(command, gateway.url, "--job", "j", "-").exit_code == 0
        assert run(command, gateway.url, "--job", "j").exit_code == 0
    assert gateway.asked == [gateway.asked[0]] * 3
    request = gateway.asked[0]
    assert (request.method, request.path, request.body) == (method, "/metrics/job/j", GOOD)
    assert request.headers["content-type"] == TEXT
    assert request.headers["content-length"] == str(len(GOOD))
    assert request.headers["accept"].startswith("application/json")
    assert request.headers["user-agent"].startswith("expofmt/")
    assert request.headers.keys().isdisjoint({"authorization", "content-encoding"})


def test_delete() -> None:
    with serving(Reply(202)) as gateway:
        result = run("delete", gateway.url, "--job", "j", "-g", "zone=eu")
    assert (result.exit_code, result.output) == (0, "")
    assert (gateway.only.method, gateway.only.path, gateway.only.body) == ("DELETE", "/metrics/job/j/zone/eu", b"")
    assert "content-length" not in gateway.only.headers


def test_an_empty_push() -> None:
    with serving() as gateway:
        assert run("pushadd", gateway.url, "--job", "j", input=b"").exit_code == 0
    assert gateway.only.headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        (["instance=a=b"], GroupingKey("j", instance="a=b")),
        (["zone=", "path=/a b"], GroupingKey("j", zone="", path="/a b")),
        (["x=é", "y=.."], GroupingKey("j", x="é", y="..")),
    ],
)
def test_the_group(labels: list[str], key: GroupingKey) -> None:
    options = [text for label in labels for text in ("--grouping", label)]
    with serving() as gateway:
        for url in (gateway.url, f"{gateway.url}/", f"{gateway.url}/pre/metrics/", f"{gateway.url}/é b?token=x#y"):
            assert run("push", url, "--job", "j", *options).exit_code == 0
    path = key.to_path()
    expected = [path, path, f"/pre/metrics{path}", f"/%C3%A9%20b{path}?token=x"]
    assert [request.path for request in gateway.asked] == expected


def test_names_of_utf_8() -> None:
    text = b'{"m.x"} 1\n'
    with serving() as gateway:
        assert "non-legacy-name" in run("push", gateway.url, "--job", "j", input=text).stderr
        assert run("push", gateway.url, "--job", "j", "-g", "a.b=c").exit_code == 2
        assert gateway.asked == []
        assert run("push", gateway.url, "--job", "j", "--names", "utf-8", "-g", "a.b=c", input=text).exit_code == 0
    assert gateway.only.path == "/metrics/job/j/U__a_2e_b/c"
    assert gateway.only.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"


def test_compress() -> None:
    with serving() as gateway:
        assert run("push", gateway.url, "--job", "j", "--compress").exit_code == 0
    assert gateway.only.headers["content-encoding"] == "gzip"
    assert gzip.decompress(gateway.only.body) == GOOD


def test_protobuf_is_checked_and_sent_as_it_is() -> None:
    body = render([MetricFamily.gauge("m", 1)], format=Format.PROTOBUF)
    options = ("--job", "j", "--format", "protobuf")
    with serving() as gateway:
        assert run("push", gateway.url, *options, input=body).exit_code == 0
    assert gateway.only.body == body
    assert gateway.only.headers["content-type"].endswith("proto=io.prometheus.client.MetricFamily; encoding=delimited")
    result = run("push", "http://localhost:9", *options, input=body[:-1])
    assert result.exit_code == 1
    assert "truncated-message" in result.stderr


def test_headers() -> None:
    options = ["-H", "X-Scope: a: b", "--header", "user-agent:me", "-H", "X-Y: é"]
    with serving() as gateway:
        assert run("push", gateway.url, "--job", "j", *options).exit_code == 0
    headers = gateway.only.headers
    assert (headers["x-scope"], headers["user-agent"]) == ("a: b", "me")
    assert headers["x-y"].encode("latin-1") == "é".encode()


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode('utf-8', 'surrogateescape')).decode()}"


@pytest.mark.parametrize(
    ("userinfo", "options", "environment", "expected"),
    [
        ("", ["-u", "me:pa:ss"], {"EXPOFMT_PASSWORD": "no"}, "me:pa:ss"),
        ("", ["-u", "me"], {"EXPOFMT_PASSWORD": "wörd"}, "me:wörd"),
        ("", ["-u", "me"], {}, "me:"),
        ("", ["-u", "me:"], {"EXPOFMT_PASSWORD": "no"}, "me:"),
        ("", ["-u", "me:\udcff"], {}, "me:\udcff"),
        ("", [], {"EXPOFMT_USER": "me", "EXPOFMT_PASSWORD": "p"}, "me:p"),
        ("", ["-u", "me", "--password-file", "secret"], {"EXPOFMT_PASSWORD": "no"}, "me:of file"),
        ("", [], {}, None),
        ("you:p%40ss@", [], {}, "you:p@ss"),
        ("you@", [], {"EXPOFMT_PASSWORD": "p"}, "you:p"),
        # Options go before the URL.
        ("you:no@", ["-u", "me:p"], {}, "me:p"),
        ("you:no@", ["-u", "me"], {}, "me:"),
        ("you:no@", ["-u", "me"], {"EXPOFMT_PASSWORD": "p"}, "me:p"),
        ("you:no@", ["--password-file", "secret"], {}, "you:of file"),
        ("you:no@", ["-u", "me:p", "--password-file", "secret"], {}, "me:p"),
        # The URL goes before variables.
        ("you:p@", [], {"EXPOFMT_USER": "me:no"}, "you:p"),
        ("you:p@", [], {"EXPOFMT_PASSWORD": "no"}, "you:p"),
        ("you:p@", [], {"EXPOFMT_PASSWORD_FILE": "secret"}, "you:p"),
        ("you:@", [], {"EXPOFMT_PASSWORD": "no"}, "you:"),
        ("you@", [], {"EXPOFMT_USER": "me:no", "EXPOFMT_PASSWORD": "p"}, "you:p"),
        # Options go before variables, and those are in order.
        ("", ["-u", "me:p"], {"EXPOFMT_USER": "no", "EXPOFMT_PASSWORD_FILE": "secret"}, "me:p"),
        ("", ["--password-file", "secret"], {"EXPOFMT_USER": "me:no"}, "me:of file"),
        ("", [], {"EXPOFMT_USER": "me:p", "EXPOFMT_PASSWORD_FILE": "secret", "EXPOFMT_PASSWORD": "no"}, "me:p"),
        ("", [], {"EXPOFMT_USER": "me", "EXPOFMT_PASSWORD_FILE": "secret", "EXPOFMT_PASSWORD": "no"}, "me:of file"),
    ],
)
def test_basic_auth(userinfo: str, options: list[str], environment: dict[str, str], expected: str | None) -> None:
    Path("secret").write_text("of file\n")
    with serving(Reply(401)) as gateway:
        url = gateway.url.replace("//", f"//{userinfo}")
        result = run("push", url, "--job", "j", *options, environment=environment)
    assert gateway.only.headers.get("authorization") == (None if expected is None else basic(expected))
    # What is said of it names no secret.
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"expofmt: {gateway.url}/metrics/job/j: answered 401 Unauthorized\n"


def test_a_header_goes_before_credentials() -> None:
    with serving() as gateway:
        assert run("push", gateway.url, "--job", "j", "-u", "a:b", "-H", "Authorization: Bearer c").exit_code == 0
    assert gateway.only.headers["authorization"] == "Bearer c"


def test_a_proxy() -> None:
    with serving() as proxy:
        environment = {"http_proxy": proxy.url, "no_proxy": ""}
        assert run("push", "http://gateway.invalid/x", "--job", "j", environment=environment).exit_code == 0
    assert (proxy.only.method, proxy.only.path) == ("PUT", "http://gateway.invalid/x/metrics/job/j")


def test_the_environment() -> None:
    with serving(Reply(503)) as gateway:
        result = run("push", gateway.url, environment={"EXPOFMT_JOB": "j", "EXPOFMT_RETRIES": "1"})
    assert result.exit_code == 3
    assert [request.path for request in gateway.asked] == ["/metrics/job/j"] * 2


# ---------------------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{url}"], "Missing option '--job'"),
        (["{url}", "--job", ""], "job name is required"),
        (["{url}", "--job", "j", "-g", "zone"], "`zone` is not NAME=VALUE"),
        (["{url}", "--job", "j", "-g", "job=k"], "the job is what --job says"),
        (["{url}", "--job", "j", "-g", "a=b", "-g", "a=c"], "`a` is given twice"),
        (["{url}", "--job", "j", "-g", "__a=b"], "improper label name"),
        (["{url}", "--job", "j", "-g", "le=1"], "improper grouping label"),
        (["{url}", "--job", "j", "-g", "a=\udcff"], "is not UTF-8"),
        (["localhost:9091", "--job", "j"], "not a URL that starts with http:// or https:// and a host"),
        (["ftp://a", "--job", "j"], "not a URL that starts with"),
        (["http://me:secret@[", "--job", "j"], "Invalid value for URL"),
        (["http://localhost:99999", "--job", "j"], "Port out of range"),
        (["http://localhost:0", "--job", "j"], "no port 0"),
        (["http://a b", "--job", "j"], "holds what no host's name does"),
        (["http://a..b", "--job", "j"], "label empty"),
        (["http://me:secret@" + "ü" * 64, "--job", "j"], "label"),
        (["{url}/a/metrics/job/j?secret", "--job", "j"], "write {url}/a\n"),
        (["{url}/metrics/job", "--job", "j"], "write {url}\n"),
        (["{url}", "--job", "j", "-H", "Token secret"], "a header is NAME: VALUE"),
        (["{url}", "--job", "j", "-H", "Token: a\nsecret"], "a header is NAME: VALUE"),
        (["{url}", "--job", "j", "-H", "Content-Length: 1"], "`content-length` is what the body makes it"),
        (["{url}", "--job", "j", "--password-file", "here"], "--password-file needs a --user"),
        (["{url}", "--job", "j", "-u", "me", "--password-file", "gone"], "'gone' does not exist"),
        (["{url}", "--job", "j", "-u", "me", "--password-file", "latin"], "expofmt: latin: 'utf-8' codec can't decode"),
        (["{url}", "--job", "j", "--key", "here"], "--key needs a --cert"),
        (["{url}", "--job", "j", "--cacert", "here"], "expofmt: here: "),
        (["{url}", "--job", "j", "--cert", "here"], "expofmt: here: "),
        (["{url}", "--job", "j", "--timeout", "0"], "'--timeout'"),
        (["{url}", "--job", "j", "--retries", "-1"], "'--retries'"),
        (["{url}", "--job", "j", "gone.prom"], "expofmt: gone.prom: No such file or directory"),
        (["{url}", "--job", "j", "."], "expofmt: .: Is a directory"),
        (["{url}", "--job", "j", "a.prom.gz"], "expofmt: a.prom.gz: is compressed by gzip: decompress it first"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    Path("here").write_text("me:secret")
    Path("latin").write_bytes(b"\xff")
    Path("a.prom.gz").write_bytes(gzip.compress(GOOD))
    with serving() as gateway:
        result = run("push", *(argument.replace("{url}", gateway.url) for argument in arguments))
    assert (result.exit_code, result.stdout, gateway.asked) == (2, "", [])
    assert message.replace("{url}", gateway.url) in result.stderr
    assert "secret" not in result.stderr


def test_a_password_without_a_user() -> None:
    with serving() as gateway:
        result = run("push", gateway.url, "--job", "j", environment={"EXPOFMT_PASSWORD": "secret"})
        assert (result.exit_code, gateway.asked) == (2, [])
        assert "EXPOFMT_PASSWORD needs a --user" in result.stderr
        assert "secret" not in result.stderr


def test_what_is_compressed_already_is_sent_without_a_check() -> None:
    body = gzip.compress(GOOD)
    with serving() as gateway:
        options = ("--no-check", "-H", "Content-Encoding: gzip")
        assert run("push", gateway.url, "--job", "j", *options, input=body).exit_code == 0
    assert (gateway.only.body, gateway.only.headers["content-encoding"]) == (body, "gzip")


def test_secrets_of_a_url_are_not_shown() -> None:
    assert without_secrets("https://a:b@host:1/c?d=e#f") == "https://host:1/c"


# --------------------------------------------------------------------------------------------------------- refused here

REFUSED = """\
error[unquoted-label-value]: label value must be in double quotes
 --> a.prom:2:5
  |
2 | m{a=b} 1
  |     ^ expected `"`, found `b`
  |
  = help: write `a="b"`

expofmt: nothing was sent: 1 error in 1 input
"""


def test_what_would_be_refused_is_not_sent(engine: str) -> None:
    Path("a.prom").write_bytes(b"# TYPE m gauge\nm{a=b} 1\n")
    with serving() as gateway:
        result = run("push", gateway.url, "--job", "j", "a.prom")
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", REFUSED)
        result = run("pushadd", gateway.url, "--job", "j", "a.prom", "--output-format", "json")
        assert [(each["code"], each["line"]) for each in json.loads(result.stderr)] == [("unquoted-label-value", 2)]
        assert gateway.asked == []
        assert run("push", gateway.url, "--job", "j", "a.prom", "--no-check").exit_code == 0
    assert gateway.only.body == Path("a.prom").read_bytes()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"m 1", "missing-final-newline"),
        (b"m 1 \n", "trailing-blank"),
        (b"m 1 1000\n", "explicit-timestamp"),
        (b"m 1\nm 2\n", "duplicate-sample"),
        (b'm{instance="a"} 1\nm{instance="b"} 2\n', "duplicate-sample"),
    ],
)
def test_the_check_is_that_of_pushgateway(text: bytes, code: str, engine: str) -> None:
    with serving() as gateway:
        result = run("push", gateway.url, "--job", "j", "-g", "instance=i", "--output-format", "concise", input=text)
    assert (result.exit_code, gateway.asked) == (1, [])
    assert result.stderr.startswith("<stdin>:")
    assert f"error[{code}]" in result.stderr


def test_a_limit_on_diagnostics() -> None:
    options = ["--output-format", "concise", "--max-diagnostics", "2"]
    result = run("push", "http://127.0.0.1:1", "--job", "j", *options, input=b"m x\n" * 9)
    assert [line.partition(" ")[0] for line in result.stderr.splitlines()] == [
        "<stdin>:1:3:",
        "<stdin>:2:3:",
        "<stdin>:10:1:",
    ]


def test_warnings_are_told_if_asked_for() -> None:
    text = b"push_time_seconds 1\n"
    with serving(Reply(200, b"[]\n", JSON)) as gateway:
        assert run("push", gateway.url, "--job", "j", input=text).output == ""
        result = run("push", gateway.url, "--job", "j", "-v", "--output-format", "concise", input=text)
    first, second = result.stderr.splitlines()
    assert first.startswith("<stdin>:1:1: warning[reserved-family]")
    assert (result.exit_code, second) == (0, f"expofmt: {gateway.url}/metrics/job/j: answered 200 OK")


# -------------------------------------------------------------------------------------------------------- refused there


def test_the_line_that_pushgateway_complains_of() -> None:
    answer = b'text format parsing error in line 2: expected float as value, got "x"\n'
    with serving(Reply(400, answer, (("Content-Type", "text/plain; charset=utf-8"),))) as gateway:
        result = run("push", gateway.url, "--job", "j", "--no-check", input=b"m 1\n\tn x\no 2\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"expofmt: {gateway.url}/metrics/job/j: answered 400 Bad Request: {answer.decode()}"
        " --> <stdin>:2:1\n  |\n2 |     n x\n  | ^^^^^^^\n\n"
    )


@pytest.mark.parametrize("line", [b"0", b"9", b"99999999999999999999"])
def test_a_line_that_is_none_of_ours(line: bytes) -> None:
    with serving(Reply(400, b"text format parsing error in line %s: x\n" % line)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--compress")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1 + 5 * (line == b"0")


def refusal(body: bytes, key: GroupingKey, **others: bytes) -> bytes:
    """What a gateway of ours answers, in JSON."""
    store = GroupStore()
    for job, other in others.items():
        store.put(GroupingKey(job), other)
    with pytest.raises(ValueError) as refused:
        store.put(key, body)
    assert isinstance(refused.value, ExpositionError)
    return "".join(report(refused.value.diagnostics, "json")).encode()


def test_the_diagnostics_of_our_gateway() -> None:
    body = 'm{x="é",b=1} 1\n'.encode()
    with serving(Reply(400, refusal(body, GroupingKey("j")), JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--no-check", input=body)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"expofmt: {gateway.url}/metrics/job/j: answered 400 Bad Request",
        "error[unquoted-label-value]: label value must be in double quotes",
        " --> <stdin>:1:11",
        "  |",
        '1 | m{x="é",b=1} 1',
        "  |           ^",
        "  |",
        '  = help: write `b="1"`',
        "",
    ]


def test_a_message_that_our_gateway_refuses_is_shown_by_its_bytes() -> None:
    good = render([MetricFamily.gauge("good", 1)], format=Format.PROTOBUF)
    body = good + render([MetricFamily.counter("m.x", 1)], format=Format.PROTOBUF)
    with pytest.raises(ParseError) as refused:
        GroupStore().put(GroupingKey("j"), body[:-1], format=Format.PROTOBUF)
    answer = "".join(report(refused.value.diagnostics, "json")).encode()
    with serving(Reply(400, answer, JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--no-check", "--format", "protobuf", input=body[:-1])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[2] == f" --> <stdin>, byte {len(good)}"
    shown = body[len(good) : -1][:16].hex(" ")
    assert [line for line in lines if shown in line] == [f"  | {shown}"]


@pytest.mark.parametrize("place", ['"byte": "x", "end_byte": 1', '"byte": 0', '"byte": [], "end_byte": null'])
def test_a_byte_that_is_none(place: str) -> None:
    answer = f"""[{{"code": "empty-name", "severity": "error", "message": "no", "help": null, "filename": "f",
        "line": null, "column": null, "end_line": null, "end_column": null, {place}}}]"""
    with serving(Reply(400, answer.encode(), JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--no-check")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"expofmt: {gateway.url}/metrics/job/j: answered 400 Bad Request: no\n")


def test_the_warnings_of_our_gateway() -> None:
    body = b"push_time_seconds 1\n"
    answer = "".join(report(GroupStore().put(GroupingKey("j"), body).warnings, "json")).encode()
    with serving(Reply(200, answer, JSON)) as gateway:
        assert run("push", gateway.url, "--job", "j", "--no-check", input=body).output == ""
        result = run("push", gateway.url, "--job", "j", "--no-check", "-v", input=body)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:3] == [
        f"expofmt: {gateway.url}/metrics/job/j: answered 200 OK",
        "warning[reserved-family]: `push_time_seconds` is the store's own family",
        " --> <stdin>:1:1",
    ]


@pytest.mark.parametrize(
    ("names", "remedy"), [("utf-8", "start the gateway with --push.enable-utf8-names"), ("legacy", 'write `"m_x"`')]
)
def test_a_gateway_that_takes_no_names_of_utf_8(names: str, remedy: str) -> None:
    body = b'{"m.x"} 1\n'
    with serving(Reply(400, refusal(body, GroupingKey("j")), JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--names", names, "--no-check", input=body)
    assert result.exit_code == 1
    assert "error[non-legacy-name]" in result.stderr
    assert f"  = help: {remedy}" in result.stderr.splitlines()


def test_a_pushgateway_that_takes_no_names_of_utf_8() -> None:
    answer = b'text format parsing error in line 1: invalid metric name "m.x"\n'
    with serving(Reply(400, answer)) as gateway:
        result = run("push", gateway.url, "--job", "j", "--names", "utf-8", input=b'{"m.x"} 1\n')
    assert result.exit_code == 1
    assert ' --> <stdin>:1:1\n  |\n1 | {"m.x"} 1\n' in result.stderr
    told = "expofmt: if it is no other fault of the name, start the gateway with --push.enable-utf8-names\n"
    assert result.stderr.endswith(told)


def test_a_diagnostic_that_names_another_group() -> None:
    body = b"# TYPE m gauge\nm 1\n"
    answer = refusal(body, GroupingKey("j"), other=b"# TYPE m counter\nm 1\n")
    # With --push.disable-consistency-check, the gateway answers 202, and has not taken it.
    for status in (400, 202):
        with serving(Reply(status, answer, JSON)) as gateway:
            result = run("push", gateway.url, "--job", "j", input=body)
        assert result.exit_code == 1
        for line in (" --> <stdin>:1:10", "1 | # TYPE m gauge", "  |          ^^^^^", ' ::: group {job="other"}'):
            assert line in result.stderr.splitlines()


TOLD = {
    "code": "missing-value",
    "severity": "error",
    "message": "odd\nthings",
    "filename": "x",
    "line": 1,
    "column": 1,
    "end_line": 1,
    "end_column": 2,
    "help": None,
}


@pytest.mark.parametrize(
    "answer",
    [
        [{"severity": "error", "message": "odd\nthings"}],
        [{"code": "of-tomorrow", "severity": "error", "message": "odd\nthings", "filename": "x", "line": 1}],
        [{"code": "missing-value", "severity": "error", "message": "odd\nthings", "filename": "x", "line": "1"}],
        [{"code": "missing-value", "message": "odd\nthings"}],
        [{**TOLD, "related": {**TOLD, "filename": 5, "label": ""}}],
        [{**TOLD, "help": 5}],
        [{**TOLD, "line": 9}],
        [{**TOLD, "line": 1.5}],
        [{**TOLD, "column": "1"}],
        [{**TOLD, "related": "x"}],
        [{}, {**TOLD, "severity": "grave"}],
    ],
)
def test_json_of_another_version(answer: object) -> None:
    with serving(Reply(400, json.dumps(answer).encode(), JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert result.exit_code == 1
    assert result.stderr == f"expofmt: {gateway.url}/metrics/job/j: answered 400 Bad Request: odd\\nthings\n"


@pytest.mark.parametrize("answer", [b"", b"{", b"{}", b"[1]", b"[" * 100_000, b"null", b"\xff"])
def test_what_is_no_json(answer: bytes) -> None:
    with serving(Reply(400, answer, JSON)) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"expofmt: {gateway.url}/metrics/job/j: answered 400 Bad Request")


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_the_body_is_to_blame(status: int) -> None:
    with serving(Reply(status, b"no\nand\x1bno\n")) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert (result.exit_code, len(gateway.asked)) == (1, 1)
    assert f"answered {status} " in result.stderr
    assert result.stderr.endswith(": no\nand\\x1bno\n")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 418])
def test_the_body_is_not_to_blame(status: int) -> None:
    with serving(Reply(status, b"<h1>no</h1>", (("Content-Type", "text/html"),))) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert (result.exit_code, len(gateway.asked)) == (3, 1)
    assert f"answered {status} " in result.stderr
    assert "<h1>" not in result.stderr


@pytest.mark.parametrize("command", ["push", "delete"])
@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<html>Log in</html>", (("Content-Type", "text/html"),)),
        (b"Hello!", ()),
        (b'{"status":"success"}', JSON),
        (b"[1]", JSON),
        (b'[{"a":1}]', JSON),
        (b'[{"code":1,"severity":"warning","message":"m"}]', JSON),
        (b"[]", (("Content-Type", "text/plain"),)),
        (b"[", JSON),
    ],
)
def test_what_succeeds_and_is_no_gateway(
    command: str, status: int, body: bytes, headers: tuple[tuple[str, str], ...]
) -> None:
    with serving(Reply(status, body, headers)) as gateway:
        result = run(command, gateway.url, "--job", "j")
    assert (result.exit_code, result.stdout, len(gateway.asked)) == (3, "", 1)
    assert result.stderr.startswith(f"expofmt: {gateway.url}/metrics/job/j: answered {status} ")
    assert result.stderr.endswith(", but not as a Pushgateway does: check the URL\n")


@pytest.mark.parametrize("status", [201, 204])
def test_a_success_that_no_gateway_has(status: int) -> None:
    with serving(Reply(status)) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert result.exit_code == 3
    assert result.stderr.endswith(", but not as a Pushgateway does: check the URL\n")


def test_http_where_https_is_spoken() -> None:
    with serving(Reply(400, b"Client sent an HTTP request to an HTTPS server.\n")) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert result.exit_code == 3
    assert result.stderr.endswith("expofmt: nothing was done: the gateway's URL begins with https://\n")


def test_https_where_http_is_spoken(pauses: list[float]) -> None:
    with serving() as gateway:
        result = run("push", gateway.url.replace("http", "https"), "--job", "j")
    assert (result.exit_code, pauses, gateway.asked) == (3, [], [])
    assert ": TLS: " in result.stderr


# --------------------------------------------------------------------------------------------------------- certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its key, as it is and encrypted, and the key of another."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    certificate = authority.issue_cert("client")
    certificate.cert_chain_pems[0].write_to_path(folder / "client.pem")
    certificate.private_key_pem.write_to_path(folder / "client.key")
    authority.issue_cert("other").private_key_pem.write_to_path(folder / "other.key")
    key = formats.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        formats.Encoding.PEM, formats.PrivateFormat.PKCS8, formats.BestAvailableEncryption(b"pass phr\xc3\xa4se")
    )
    (folder / "encrypted.key").write_bytes(encrypted)
    (folder / "passphrase").write_text("pass phräse\n", "utf-8")
    (folder / "nonsense").write_bytes(b"no\xff PEM")
    return folder


WITH_KEY = ["--cert", "client.pem", "--key", "encrypted.key"]
UNREADABLE = "client.pem, {}: no certificate and key (PEM) that can be read"


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (WITH_KEY, {}, "encrypted.key: the key is encrypted: its pass phrase is missing (EXPOFMT_KEY_PASSWORD, "),
        (WITH_KEY, {"EXPOFMT_KEY_PASSWORD": "no"}, UNREADABLE.format("encrypted.key") + ": is the pass phrase right?"),
        (WITH_KEY, {"EXPOFMT_KEY_PASSWORD": ""}, UNREADABLE.format("encrypted.key") + ": is the pass phrase right?"),
        (WITH_KEY, {"EXPOFMT_KEY_PASSWORD": "x" * 2000}, "encrypted.key: password cannot be longer than 1024 bytes"),
        ([*WITH_KEY, "--key-password-file", "nonsense"], {}, "nonsense: 'utf-8' codec can't decode byte"),
        ([*WITH_KEY, "--key-password-file", "."], {}, "Invalid value for '--key-password-file'"),
        (["--cert", "client.pem", "--key", "nonsense"], {}, UNREADABLE.format("nonsense") + "\n"),
        (["--cert", "client.pem"], {}, "expofmt: client.pem: no certificate and key (PEM) that can be read\n"),
        (["--cert", "client.pem", "--key", "other.key"], {}, "client.pem, other.key: key values mismatch\n"),
    ],
)
def test_a_key_that_is_of_no_use(
    options: list[str], environment: dict[str, str], message: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)
    result = run("push", "https://localhost:1", "--job", "j", *options, environment=environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--key-password-file", "passphrase"], {}),
        ([], {"EXPOFMT_KEY_PASSWORD": "pass phräse"}),
        ([], {"EXPOFMT_KEY_PASSWORD_FILE": "passphrase", "EXPOFMT_KEY_PASSWORD": "of no account"}),
    ],
)
def test_the_pass_phrase_of_a_key(
    options: list[str], environment: dict[str, str], certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key can be used: what is missing is a gateway."""
    monkeypatch.chdir(certificates)
    result = run(
        "push", "https://127.0.0.1:1", "--job", "j", "--retries=0", *WITH_KEY, *options, environment=environment
    )
    assert (result.exit_code, result.stderr) == (3, "expofmt: https://127.0.0.1:1/metrics/job/j: Connection refused\n")


# ------------------------------------------------------------------------------------------------------------ redirects


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_body(status: int) -> None:
    with serving(Reply(status, b"", (("Location", "../x?y"),)), Reply(200)) as gateway:
        assert run("push", gateway.url, "--job", "j", "-u", "a:b").exit_code == 0
    assert [(each.method, each.path, each.body) for each in gateway.asked] == [
        ("PUT", "/metrics/job/j", GOOD),
        ("PUT", "/metrics/x?y", GOOD),
    ]
    assert [each.headers["authorization"] for each in gateway.asked] == [basic("a:b")] * 2


def test_secrets_are_not_told_to_another_host() -> None:
    with serving() as other, serving(Reply(307, b"", (("Location", f"{other.url}/x"),))) as gateway:
        assert run("push", gateway.url, "--job", "j", "-u", "a:b", "-H", "Token: c", "-H", "Accept: d").exit_code == 0
    assert (gateway.only.headers["token"], gateway.only.headers["authorization"]) == ("c", basic("a:b"))
    assert other.only.headers.keys().isdisjoint({"token", "authorization"})
    assert (other.only.body, other.only.headers["content-type"], other.only.headers["accept"]) == (GOOD, TEXT, "d")


@pytest.mark.parametrize(
    ("status", "options", "is_told"),
    [(401, ["-u", "a:b"], True), (403, ["-H", "Token: c"], True), (401, [], False), (404, ["-u", "a:b"], False)],
)
def test_a_refusal_by_another_host(status: int, options: list[str], is_told: bool) -> None:
    with serving(Reply(status)) as other, serving(Reply(308, b"", (("Location", f"{other.url}/x?y"),))) as gateway:
        result = run("push", gateway.url, "--job", "j", *options)
    first, *others = result.stderr.splitlines()
    assert result.exit_code == 3
    assert first.startswith(f"expofmt: {gateway.url}/metrics/job/j, which led to {other.url}/x: answered {status} ")
    told = "expofmt: credentials and headers are told to no other host than the URL's: "
    assert [line.startswith(told) for line in others] == [True] * is_told


def test_a_redirect_to_where_nobody_is() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        with serving(Reply(307, b"", (("Location", target),))) as gateway:
            result = run("push", gateway.url, "--job", "j", "--retries", "0")
    assert result.exit_code == 3
    assert result.stderr == f"expofmt: {gateway.url}/metrics/job/j, which led to {target}: Connection refused\n"


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ("http://a/x", "http://a/y?z", True),
        ("http://a:80/x", "https://a/x", True),
        ("http://a/x", "https://a:443/x", True),
        ("http://a/x", "https://b/x", False),
        ("http://a/x", "https://a:8443/x", False),
        ("http://a:8080/x", "https://a/x", False),
        ("http://a:1/x", "http://a:2/x", False),
        ("https://a/x", "http://a/x", False),
    ],
)
def test_who_may_know_secrets(first: str, then: str, expected: bool) -> None:
    assert may_know(first, then) is expected


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_make_it_a_get(status: int) -> None:
    with serving(Reply(status, b"", (("Location", "//me:secret@other/metrics/job/j"),))) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert (result.exit_code, len(gateway.asked)) == (3, 1)
    assert result.stderr.endswith(", which leads to http://other/metrics/job/j: nothing was done\n")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[", "http://h:x/"])
def test_a_redirect_to_nowhere(location: str) -> None:
    with serving(Reply(307, b"", (("Location", location),))) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert (result.exit_code, len(gateway.asked)) == (3, 1)
    assert "answered 307 Temporary Redirect" in result.stderr


def test_redirects_without_end() -> None:
    with serving(Reply(308, b"", (("Location", "/metrics/job/j"),))) as gateway:
        assert run("push", gateway.url, "--job", "j").exit_code == 3
    assert len(gateway.asked) == 10


# -------------------------------------------------------------------------------------------------------------- retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_is_tried_again(status: int, pauses: list[float]) -> None:
    with serving(Reply(status), Reply(status, b"busy\n"), Reply(200)) as gateway:
        result = run("push", gateway.url, "--job", "j", "-v")
    assert (result.exit_code, len(gateway.asked)) == (0, 3)
    assert {request.body for request in gateway.asked} == {GOOD}
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1
    told = result.stderr.splitlines()
    assert told[0].startswith(f"expofmt: {status} ")
    assert told[0].endswith(f"; trying again in {pauses[0]:.1f} s")
    assert told[2] == f"expofmt: {gateway.url}/metrics/job/j: answered 200 OK (3 tries)"


def test_giving_up(pauses: list[float]) -> None:
    with serving(Reply(503, b"busy\n")) as gateway:
        result = run("delete", gateway.url, "--job", "j", "--retries", "2")
    assert (result.exit_code, len(gateway.asked), len(pauses)) == (3, 3, 2)
    message = "answered 503 Service Unavailable (3 tries): busy"
    assert result.stderr == f"expofmt: {gateway.url}/metrics/job/j: {message}\n"


def test_no_retries(pauses: list[float]) -> None:
    with serving(Reply(503)) as gateway:
        assert run("push", gateway.url, "--job", "j", "--retries", "0").exit_code == 3
    assert (len(gateway.asked), pauses) == (1, [])


def test_nobody_there(pauses: list[float]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = run("push", url.replace("//", "//me:secret@"), "--job", "j")
    assert (result.exit_code, len(pauses)) == (3, 3)
    assert result.stderr == f"expofmt: {url}/metrics/job/j: Connection refused (4 tries)\n"


def test_no_answer_in_time(pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run("push", url, "--job", "j", "--timeout", "0.5", "--retries", "1")
    assert (result.exit_code, len(pauses)) == (3, 1)
    message = "no answer, though all was sent, within 0.5 s (--timeout) (2 tries)"
    assert result.stderr == f"expofmt: {url}/metrics/job/j: {message}\n"


@contextmanager
def saying(*answers: bytes) -> Iterator[str]:
    """A server that reads a request, or the beginning of a large one, says this, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection, connection.makefile("rb") as request:
                    request.readline()
                    length = int(parse_headers(request).get("Content-Length", "0"))
                    # To close a connection of which not all was read makes it a reset.
                    request.read(min(length, 65536))
                    connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    ],
)
def test_a_connection_that_is_closed_is_tried_again(answer: bytes, pauses: list[float]) -> None:
    with saying(answer, b"HTTP/1.1 200 OK\r\n\r\n") as url:
        assert run("push", url, "--job", "j").exit_code == 0
    assert len(pauses) == 1


def test_a_refusal_that_is_cut_off() -> None:
    with saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nno ") as url:
        result = run("push", url, "--job", "j")
    assert result.exit_code == 1
    assert result.stderr == f"expofmt: {url}/metrics/job/j: answered 400 Bad Request: no\n"


def trickling(connection: socket.socket, over: Event) -> None:
    """Answer, a byte at a time, without end."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"x")
        time.sleep(0.01)


def swallowing(connection: socket.socket, over: Event) -> None:
    """Read the request, a little at a time, without end."""
    while not over.is_set() and connection.recv(1000):
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("behaviour", "size", "message"),
    [
        (trickling, 1, "no answer, though all was sent, within 1 s (--timeout)"),
        (swallowing, 20_000_000, "not all was sent within 1 s (--timeout)"),
    ],
)
def test_each_step_is_soon_enough_and_the_whole_is_not(
    behaviour: Callable[[socket.socket, Event], None], size: int, message: str
) -> None:
    """Only the deadline of the whole can end these: the steps never stop."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(ConnectionError):
                behaviour(connection, over)

        thread = Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        options = ("--timeout", "1", "--retries", "0", "--no-check")
        result = run("push", url, "--job", "j", *options, input=b"x" * size)
        over.set()
        thread.join()
    assert result.exit_code == 3
    assert result.stderr == f"expofmt: {url}/metrics/job/j: {message}\n"


def test_what_is_no_http(pauses: list[float]) -> None:
    with saying(b"SSH-2.0-OpenSSH\r\n") as url:
        result = run("push", url, "--job", "j")
    assert (result.exit_code, pauses) == (3, [])
    assert result.stderr == f"expofmt: {url}/metrics/job/j: does not speak HTTP: it said `SSH-2.0-OpenSSH`\n"


def test_what_is_no_valid_http(pauses: list[float]) -> None:
    with saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n") as url:
        result = run("push", url, "--job", "j")
    assert (result.exit_code, pauses) == (3, [])
    assert result.stderr == f"expofmt: {url}/metrics/job/j: no valid HTTP: got more than 100 headers\n"


def test_an_answer_before_all_of_the_body_was_sent(pauses: list[float]) -> None:
    """As servers do that refuse a large body."""
    with saying(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n") as url:
        result = run("push", url, "--job", "j", "--no-check", input=b"m 1\n" * 5_000_000)
    assert (result.exit_code, pauses) == (1, [])
    assert "answered 413 Too Large" in result.stderr


NOW = 1_790_000_000.0


def outcome(*replies: Reply, **options: Any) -> tuple[Answer | NoAnswer, list[float]]:
    """What a client makes of these replies, and how long it sleeps; chance has it wait as long as it ever would."""
    slept: list[float] = []
    client = Client(
        timeout=5,
        headers={},
        retries=options.pop("retries", 3),
        on_retry=lambda outcome, pause: None,
        sleep=slept.append,
        uniform=lambda low, high: high,
        clock=lambda: NOW,
        **options,
    )
    with serving(*replies) as gateway:
        return client.send("PUT", gateway.url, b""), slept


def test_pauses_double() -> None:
    answer, slept = outcome(Reply(503), retries=9)
    assert slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert answer.tries == 10


DATE = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [("7", 7), (" 120 ", 120), (DATE, 90), ("0", 0.5), ("-1", 0.5), ("soon", 0.5), ("², ", 0.5)],
)
def test_a_server_that_asks_to_wait(asked: str, pause: float) -> None:
    answer, slept = outcome(Reply(503, b"", (("Retry-After", asked),)), Reply(200))
    assert (answer.tries, slept) == (2, [pause])


@pytest.mark.parametrize("asked", ["121", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_asks_to_wait_for_too_long(asked: str) -> None:
    answer, slept = outcome(Reply(503, b"", (("Retry-After", asked),)), Reply(200))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.tries, slept) == (503, 1, [])


def test_why_it_is_not_tried_again(pauses: list[float]) -> None:
    with serving(Reply(503, b"busy\n", (("Retry-After", "500"),))) as gateway:
        result = run("push", gateway.url, "--job", "j")
    assert (result.exit_code, len(gateway.asked), pauses) == (3, 1, [])
    message = "answered 503 Service Unavailable, Retry-After: 500, which is too long to wait: busy"
    assert result.stderr == f"expofmt: {gateway.url}/metrics/job/j: {message}\n"
