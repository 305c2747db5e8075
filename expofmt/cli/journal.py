"""``expofmt journal``: the file in which a gateway keeps its groups."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

import click

from .. import engine
from ..catalog import Catalog
from ..formats import Format
from ..grouping import GroupingKey
from ..groups import Change, ChangeKind, Group, JournalError, apply, retold
from ..journal import DamagedJournalError, SqliteJournal
from ..names import EscapingScheme
from ..quoting import visible
from .client import USER_AGENT, split_url, without_secrets
from .options import CLEAN, FINDINGS, TROUBLE, counted, finish

_API: Final = "/api/v1/metrics"


@click.group("journal")
def command() -> None:
    """Read and check a gateway's journal, or fill it from a Pushgateway."""


@command.command("dump")
@click.argument("file", type=click.Path(path_type=Path))
def dump(file: Path) -> None:
    """Print the groups of the journal FILE as text that can be read and compared.

    Groups are in order of their keys, families in order of their names and in canonical spelling. Above a family that
    is older than its group's last push, its time is told. The gateway may run meanwhile. Of a damaged file, what is
    sound is printed, and the exit code is 1; it is 2 if FILE cannot be read.
    """
    groups: dict[GroupingKey, Group] = {}
    with _told_as_exit_code(), closing(SqliteJournal(file, read_only=True)) as journal:
        try:
            apply(journal.replay(), groups)
        finally:
            for group in sorted(groups.values(), key=lambda group: group.key.labels.pairs):
                click.echo("".join(_lines(group)))
    finish(CLEAN)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Tell whether the journal FILE is whole, and how much is in it.

    The gateway may run meanwhile. The exit code is 0 if all is well, 1 if something is damaged or groups contradict
    each other, so that no gateway can start with them, which is told, and 2 if FILE cannot be read.
    """
    with _told_as_exit_code(), closing(SqliteJournal(file, read_only=True)) as journal:
        problems = 0
        for problem in journal.problems():
            problems += 1
            click.echo(f"{visible(str(file))}: {visible(problem)}")
        if problems:
            finish(FINDINGS)
        groups: dict[GroupingKey, Group] = {}
        apply(journal.replay(), groups)
        contradictions = [line for lines in _contradictions(groups.values()).values() for line in lines]
        for line in contradictions:
            click.echo(f"{visible(str(file))}: {visible(line)}")
        if contradictions:
            finish(FINDINGS)
        click.echo(f"ok: {_amount(groups.values())}")
    finish(CLEAN)


@command.command("import")
@click.argument("url")
@click.option("--file", type=click.Path(path_type=Path), help="The journal to fill; without it, nothing is written.")
@click.option("--merge", is_flag=True, help="Fill a journal that has groups; of two with one key, the new one is kept.")
@click.option("--skip-unsupported", is_flag=True, help="Take the rest where something cannot be taken over.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, metavar="SECONDS"
)
def import_(url: str, file: Path | None, merge: bool, skip_unsupported: bool, timeout: float) -> None:
    """Take over the groups of the Pushgateway that runs at URL.

    URL is what that gateway's pages are below, such as http://localhost:9091; it is asked for its /api/v1/metrics.
    Groups come with the times of their pushes, and with values to the last digit. The API does not tell what is in
    native histograms and gauge histograms: where there are any, nothing is written, and the exit code is 1; so it is
    where groups contradict each other, or those that the journal keeps. What is left out then is whole groups.

    All groups are written at once or none is. The exit code is 2 if URL or the journal cannot be read or written.
    """
    from ..journal.pushgateway import read_answer

    try:
        groups, refused = read_answer(_fetched(url, timeout))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
        click.echo(f"expofmt: {visible(without_secrets(url))}: {visible(text)}", err=True)
        finish(TROUBLE)
    for line in refused:
        _tell_refused(line, skip_unsupported)
    if refused and not skip_unsupported:
        _finish_unwritten()
    if file is None:
        groups = _agreeing(groups, {}, skip_unsupported)
    else:
        with _told_as_exit_code(), closing(SqliteJournal(file)) as journal:
            held: dict[GroupingKey, Group] = {}
            apply(journal.replay(), held)
            if held and not merge:
                click.echo(f"expofmt: {visible(str(file))}: has groups already; --merge keeps them", err=True)
                finish(FINDINGS)
            groups = _agreeing(groups, held, skip_unsupported)
            forgotten = [Change(ChangeKind.DELETE, 0, group.key) for group in groups if group.key in held]
            journal.append([*forgotten, *(change for group in groups for change in retold(group))])
    for group in sorted(groups, key=lambda group: group.key.labels.pairs):
        click.echo(f"{group.key} {_content(group)}")
    verb = "would take" if file is None else "took"
    click.echo(f"{verb} {_amount(groups)}")
    finish(CLEAN)


def _agreeing(groups: list[Group], held: dict[GroupingKey, Group], skip: bool) -> list[Group]:
    """Those of the groups that can be in one store, with those held that they do not replace.

    The others are told. If they must not be skipped, or if what is held contradicts itself, the command ends here.
    """
    while True:
        new = {group.key for group in groups}
        kept = [group for key, group in held.items() if key not in new]
        found = _contradictions([*kept, *groups])
        if not found:
            return groups
        can_skip = skip and found.keys() <= new
        for lines in found.values():
            for line in lines:
                _tell_refused(line, can_skip)
        if not can_skip:
            _finish_unwritten()
        # Where one is left out, the one held with its key stays, and may contradict what was fine until now.
        groups = [group for group in groups if group.key not in found]


def _contradictions(groups: Iterable[Group]) -> dict[GroupingKey, list[str]]:
    """The groups that cannot be in one store with those before them, and why not, a line each."""
    catalog = Catalog(())
    contradictions: dict[GroupingKey, list[str]] = {}
    for group in groups:
        if lines := catalog.admit(group):
            contradictions[group.key] = lines
    return contradictions


def _tell_refused(line: str, skipped: bool) -> None:
    click.echo(f"expofmt: {'left out' if skipped else 'cannot be taken over'}: {visible(line)}", err=True)


def _finish_unwritten() -> NoReturn:
    click.echo("expofmt: nothing was written; --skip-unsupported takes the rest", err=True)
    finish(FINDINGS)


@contextmanager
def _told_as_exit_code() -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        click.echo(f"expofmt: {error}", err=True)
        finish(FINDINGS if isinstance(error, DamagedJournalError) else TROUBLE)


def _lines(group: Group) -> Iterator[str]:
    never = group.expires_ns is None
    yield f"# group {group.key} pushed {_time(group.push_time_ns)}, failed {_time(group.failure_time_ns)}, "
    yield f"expires {'never' if never else _time(group.expires_ns)}\n"
    for _, (family, time_ns) in sorted(group.families.items()):
        if time_ns != group.push_time_ns:
            yield f"# pushed {_time(time_ns)}\n"
        # The journal holds types that the text format has no word for; here they are to be seen.
        text = engine.encode([family], format=Format.TEXT, escaping=EscapingScheme.ALLOW_UTF8, literals=True)
        yield text.decode()


def _time(time_ns: int | None) -> str:
    if not time_ns:
        return "never"
    seconds, fraction = divmod(time_ns, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ns} ns after 1970"
    digits = f".{fraction:09}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{digits}Z"


def _amount(groups: Iterable[Group]) -> str:
    groups = [*groups]
    families = [family for group in groups for family, _ in group.families.values()]
    series = sum(len(family.samples) for family in families)
    return f"{counted(len(groups), 'group')}, {_families(len(families))}, {counted(series, 'series', 'series')}"


def _content(group: Group) -> str:
    series = sum(len(family.samples) for family, _ in group.families.values())
    return f"{_families(len(group.families))}, {counted(series, 'series', 'series')}"


def _families(number: int) -> str:
    return counted(number, "family", "families")


def _fetched(url: str, timeout: float) -> bytes:
    """What the gateway's API answers. Raises OSError, HTTPException or ValueError."""
    parts, credentials = split_url(url)
    path = parts.path if parts.path.endswith(_API) else parts.path.rstrip("/") + _API
    request = urllib.request.Request(
        parts._replace(path=path, query="").geturl(),
        headers={"Accept": "application/json", "User-Agent": USER_AGENT},
    )
    if credentials is not None:
        # Not for whoever the gateway redirects to.
        request.add_unredirected_header("Authorization", credentials.header)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(0, f"answered {error.code} {error.reason}") from error


__all__ = ["command"]
