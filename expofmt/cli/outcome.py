"""What became of a request to a gateway: told on stderr, with the lines of what was sent, and as an exit code."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

import click

from ..codes import Code, Severity
from ..diagnostics import Diagnostic, Place
from ..names import Names
from ..quoting import shortened, visible
from ..report import excerpt
from ..source import Source, Span
from .client import LONGEST_WAIT, Answer, NoAnswer, without_secrets
from .options import CLEAN, FINDINGS, finish, shows_color, terminal_width, write_report

# The exit code where nothing was done, and not because of what was pushed.
NOT_DONE: Final = 3

_DONE: Final = (200, 202)
# What a gateway answers where it does not like what is pushed: Pushgateway knows 400 only.
_REFUSED: Final = (400, 413, 415, 422)
# What is answered to whom it does not know.
_STRANGER: Final = (401, 403)

_TAKE_NAMES: Final = "start the gateway with --push.enable-utf8-names"

# Of an answer, no more is shown than these many lines of these many characters.
_LINES: Final = 20
_LINE: Final = 1000
# How many bytes of a message are shown.
_BYTES: Final = 16


def end(
    outcome: Answer | NoAnswer, address: str, source: Source | None, report_format: str, *, names: Names, verbose: bool
) -> NoReturn:
    """Tell what became of it, and end the command. The source is what was sent, with these names."""
    where = without_secrets(address)
    if outcome.url != address:
        where += f", which led to {without_secrets(outcome.url)}"
    tries = f" ({outcome.tries} tries)" if outcome.tries > 1 else ""
    if isinstance(outcome, NoAnswer):
        say(f"{where}: {visible(outcome.text)}{tries}")
        finish(NOT_DONE)
    records = _records(outcome)
    if _is_foreign(outcome, records):
        say(f"{where}: answered {visible(status_of(outcome))}{tries}, but not as a Pushgateway does: check the URL")
        finish(NOT_DONE)
    records = records or []
    found = [_remedied(each, names) for each in _diagnostics(records, source)]
    done = outcome.status in _DONE and not any(each.severity is Severity.ERROR for each in found)
    if done and not verbose:
        finish(CLEAN)
    messages = (shortened(str(record["message"]), _LINE) for record in records if "message" in record)
    lines = [] if found else [*messages][:_LINES] or _lines(outcome)
    first = f": {lines[0]}" if lines else ""
    say(f"{where}: answered {visible(status_of(outcome))}{tries}{_too_long(outcome)}{first}")
    for line in lines[1:]:
        click.echo(line, err=True)
    if found:
        write_report(found, report_format, err=True)
    elif source is not None and (place := _line_place(lines, source)) is not None:
        click.echo(excerpt(place, width=terminal_width(), color=shows_color(err=True)), err=True)
    if names == "utf-8" and lines and re.search("invalid (metric|label) name", lines[0]):
        say(f"if it is no other fault of the name, {_TAKE_NAMES}")
    if outcome.status in _STRANGER and not outcome.knows_secrets:
        say("credentials and headers are told to no other host than the URL's: give the URL it led to, if you trust it")
    if _speaks_tls(outcome):
        say("nothing was done: the gateway's URL begins with https://")
        finish(NOT_DONE)
    finish(CLEAN if done else FINDINGS if outcome.status in (*_DONE, *_REFUSED) else NOT_DONE)


def say(text: str) -> None:
    """Tell it on stderr."""
    click.echo(f"expofmt: {text}", err=True)


def status_of(answer: Answer) -> str:
    """The status as a message shows it, and where it redirects to.

    >>> status_of(Answer("http://a/b", 301, "Moved Permanently", {"Location": "/c"}, b""))
    '301 Moved Permanently, which leads to http://a/c: nothing was done'
    """
    text = f"{answer.status} {answer.reason}".rstrip()
    if answer.target is not None:
        text += f", which leads to {without_secrets(answer.target)}: nothing was done"
    return text


def _is_foreign(answer: Answer, records: Iterable[Mapping[str, Any]] | None) -> bool:
    """Whether it is a success that no gateway would tell so: theirs are empty, or a list of diagnostics."""
    is_told = records is not None and all(_is_of_diagnostic(record) for record in records)
    has_text = not is_told and answer.body.strip() != b""
    return 200 <= answer.status < 300 and (answer.status not in _DONE or has_text)


def _is_of_diagnostic(record: Mapping[str, Any]) -> bool:
    """Whether it is a diagnostic, if only of a later version, whose codes and places may be others."""
    return all(isinstance(record.get(name), str) for name in ("code", "severity", "message"))


def _too_long(answer: Answer) -> str:
    """Why it is not tried again, if that is because the server asks to wait."""
    if not answer.may_pass or answer.retry_after(time.time()) <= LONGEST_WAIT:
        return ""
    return f", Retry-After: {shortened(answer.headers['Retry-After'])}, which is too long to wait"


def _remedied(diagnostic: Diagnostic, names: Names) -> Diagnostic:
    """With what to do where the gateway is not ready for such names; it says how to do without."""
    if names == "legacy" or diagnostic.code is not Code.NON_LEGACY_NAME:
        return diagnostic
    return replace(diagnostic, help=_TAKE_NAMES)


def _lines(answer: Answer) -> list[str]:
    """What it says to people; pages of HTML are for browsers, and no diagnostics at all are nothing to say."""
    if "html" in answer.headers.get("Content-Type", "") or answer.body.strip() == b"[]":
        return []
    lines = answer.body.decode("utf-8", "surrogateescape").strip().split("\n")
    return [shortened(line, _LINE) for line in lines[:_LINES] if line]


def _speaks_tls(answer: Answer) -> bool:
    """Whether it is the answer to HTTP where HTTPS is spoken, as Go and nginx give it."""
    is_plain = answer.status == 400 and answer.url.startswith("http:")
    return is_plain and re.search(rb"HTTP request.*HTTPS", answer.body) is not None


def _line_place(lines: Iterable[str], source: Source) -> Place | None:
    """The line of the body that Pushgateway's parser complains of."""
    match = re.match(r"text format parsing error in line ([0-9]{1,9}):", next(iter(lines), ""))
    if match is None:
        return None
    try:
        span = source.line_span(source.offset(int(match[1]), 1))
    except ValueError:
        return None
    return Place.of(source, span, "")


def _records(answer: Answer) -> list[dict[str, Any]] | None:
    """The objects in an answer of JSON, which is how a gateway of ours answers; None if it is no list of them."""
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        return None
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else None


def _diagnostics(records: Iterable[Mapping[str, Any]], source: Source | None) -> list[Diagnostic]:
    """The diagnostics that the records are, with lines of the source; none where they are something else."""
    try:
        return [_diagnostic(record, source) for record in records]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _diagnostic(record: Mapping[str, Any], source: Source | None) -> Diagnostic:
    related = record.get("related")
    return Diagnostic(
        code=Code(record["code"]),
        severity=Severity(record["severity"]),
        message=visible(record["message"]),
        place=_place(record, "", record["filename"], source),
        related=None if related is None else _place(related, visible(related["label"]), record["filename"], source),
        help=None if record["help"] is None else visible(record["help"]),
    )


def _place(record: Mapping[str, Any], label: str, body: str, source: Source | None) -> Place:
    """Where it is in the source, if that is its file, which the gateway calls ``body``."""
    if source is None or record["filename"] != body:
        return Place.canonical(visible(record["filename"]), "", label)
    if record["line"] is None:
        return _byte_place(record, source) if "byte" in record else Place.canonical(source.name, "", label)
    start, end = (source.offset(record[f"{end}line"], record[f"{end}column"]) for end in ("", "end_"))
    return Place.of(source, Span(start, max(start, end)), label)


def _byte_place(record: Mapping[str, Any], source: Source) -> Place:
    """Where it is in a source that has no lines, shown by its first bytes."""
    start, end = record["byte"], record["end_byte"]
    return Place.in_binary(
        source.name, ("", source.data[start : min(end, start + _BYTES)].hex(" "), ""), Span(start, max(start, end))
    )


__all__ = ["NOT_DONE", "end", "say", "status_of"]
