"""``expofmt push``, ``pushadd`` and ``delete``: the client side of a Pushgateway."""

from __future__ import annotations

import gzip
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any, Final, NoReturn

import click
from click.core import ParameterSource

from ..codes import Profile, Severity
from ..diagnostics import Diagnostic, ExpositionError
from ..formats import ContentType, Format
from ..grouping import GroupingKey
from ..names import EscapingScheme, Names, is_legacy_label_name
from ..parse import check
from ..quoting import shortened, visible
from ..requests import Put, rehearsed
from ..source import Source
from .client import USER_AGENT, Answer, Client, Credentials, NoAnswer, split_url, without_secrets
from .inputs import Complaints, Input, contents
from .options import FINDINGS, TROUBLE, Tally, finish, max_diagnostics_option, report_format_option, write_report
from .outcome import end, say, status_of
from .progress import working

_EXIT_CODES: Final = """
    The exit code is 0 if the gateway has done it; 1 if {refused}; 2 on wrong usage or a file that cannot be read, when
    nothing was sent; and 3 if the gateway cannot be reached, does not answer in time, or answers something else, such
    as 401, 404, 503, or 200 with a web page.
"""
_PUSH_CODES: Final = _EXIT_CODES.format(refused="what is pushed is refused, here or there, with the line that is wrong")
_DELETE_CODES: Final = _EXIT_CODES.format(refused="it refuses to")

_URL: Final = """
    URL is what the gateway's pages are below, such as http://localhost:9091. A redirect is followed if it keeps method
    and body (307, 308), and is an error else. Proxies are taken from the environment (https_proxy, no_proxy).

    The user is that of --user, else of URL, else of EXPOFMT_USER. The password is the one given with --user, else that
    of --password-file, else the one given in URL with the user, else the first of EXPOFMT_USER, EXPOFMT_PASSWORD_FILE
    and EXPOFMT_PASSWORD that has one. Other hosts that are redirected to are told neither these nor --header.
"""

_BODY: Final = """
    FILE is read as a whole, standard input if it is - or left out, and checked as Pushgateway would: what it would
    refuse is not sent.
"""

_PUSH: Final = f"""Replace the metrics of a group at a Pushgateway.

    The group has the metrics in FILE afterwards, and no others (PUT).
{_BODY}{_URL}{_PUSH_CODES}"""

_PUSHADD: Final = f"""Replace those of a group's metrics that have the same names.

    Metrics of the group whose names are not in FILE stay (POST).
{_BODY}{_URL}{_PUSH_CODES}"""

_DELETE: Final = f"""Delete a group of metrics at a Pushgateway.

    The group with exactly these labels is deleted; that there is none is no error.
{_URL}{_DELETE_CODES}"""

_HEADER: Final = r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)"


def _of_environment(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option that the environment may give as well."""
    long = next(name for name in names if name.startswith("--"))
    variable = f"EXPOFMT_{long.removeprefix('--').replace('-', '_').upper()}"
    return click.option(*names, envvar=variable, show_envvar=True, **attributes)


_file = click.Path(exists=True, dir_okay=False, path_type=Path)

_GROUP_OPTIONS: Final = (
    click.argument("url"),
    _of_environment("--job", required=True, help="The group's job."),
    click.option(
        "-g", "--grouping", multiple=True, metavar="NAME=VALUE", help="A further label of the group. May be repeated."
    ),
    click.option(
        "--names",
        type=click.Choice(["legacy", "utf-8"]),
        default="legacy",
        show_default=True,
        help="utf-8 is for gateways that run with --push.enable-utf8-names.",
    ),
)

_BODY_OPTIONS: Final = (
    click.argument("file", default="-"),
    click.option("--check/--no-check", "checks", default=True, help="Whether FILE is checked before it is sent."),
    click.option(
        "--format",
        type=click.Choice([Format.TEXT.value, Format.PROTOBUF.value]),
        default=Format.TEXT.value,
        show_default=True,
        help="What FILE is; protobuf means length-delimited messages.",
    ),
    click.option("--compress", is_flag=True, help="Send it compressed by gzip."),
    report_format_option,
    max_diagnostics_option,
)

_CLIENT_OPTIONS: Final = (
    _of_environment(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a try may take, from connecting to the end of the answer.",
    ),
    _of_environment(
        "--retries",
        type=click.IntRange(min=0),
        default=3,
        show_default=True,
        metavar="N",
        help="How often to try again, at growing intervals, where there is no connection or no answer, and after 429 "
        "and 5xx. A push whose answer got lost, or is late, is done twice.",
    ),
    _of_environment(
        "-u",
        "--user",
        metavar="NAME[:PASSWORD]",
        help="For basic authentication. Others may see a command's arguments: better have the password in "
        "EXPOFMT_PASSWORD or in a file.",
    ),
    _of_environment("--password-file", type=_file, help="A file with the password alone."),
    click.option(
        "-H",
        "--header",
        "header",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="A header to send, in the place of ours of that name. May be repeated.",
    ),
    _of_environment("--cacert", type=_file, help="Certificates (PEM) to trust instead of the system's."),
    _of_environment("-E", "--cert", type=_file, help="The client's certificate (PEM), perhaps with its key."),
    _of_environment("--key", type=_file, help="The key of the client's certificate (PEM)."),
    _of_environment(
        "--key-password-file",
        type=_file,
        help="A file with the pass phrase of a key that is encrypted, if it is not in EXPOFMT_KEY_PASSWORD.",
    ),
    click.option("-k", "--insecure", is_flag=True, help="Trust any certificate."),
    click.option("-v", "--verbose", is_flag=True, help="Tell of success, of warnings, and of each try."),
)


def _command(name: str, help: str, *options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], click.Command]:
    def decorate(function: Callable[..., None]) -> click.Command:
        decorated: Callable[..., Any] = function
        for option in reversed([option for group in options for option in group]):
            decorated = option(decorated)
        return click.command(name, help=help)(decorated)

    return decorate


@_command("push", _PUSH, _GROUP_OPTIONS, _BODY_OPTIONS, _CLIENT_OPTIONS)
def push(**options: Any) -> None:
    """Replace a group."""
    _push("PUT", **options)


@_command("pushadd", _PUSHADD, _GROUP_OPTIONS, _BODY_OPTIONS, _CLIENT_OPTIONS)
def pushadd(**options: Any) -> None:
    """Replace families of a group."""
    _push("POST", **options)


@_command("delete", _DELETE, _GROUP_OPTIONS, _CLIENT_OPTIONS)
def delete(url: str, job: str, grouping: tuple[str, ...], names: Names, **options: Any) -> None:
    """Delete a group."""
    key = _grouping_key(job, grouping, names)
    address, credentials = _group_url(url, key, names)
    client = _client(credentials, {}, **options)
    end(client.send("DELETE", address), address, None, "full", names=names, verbose=options["verbose"])


def _push(
    method: str,
    url: str,
    job: str,
    grouping: tuple[str, ...],
    names: Names,
    file: str,
    checks: bool,
    format: str,
    compress: bool,
    report_format: str,
    max_diagnostics: int,
    **options: Any,
) -> None:
    key = _grouping_key(job, grouping, names)
    address, credentials = _group_url(url, key, names)
    headers = {"content-type": _content_type(Format(format), names)}
    if compress:
        headers["content-encoding"] = "gzip"
    client = _client(credentials, headers, **options)
    if checks:
        try:
            check(b"", format=Format(format))
        except ModuleNotFoundError as error:
            raise click.UsageError(f"{error}, or give --no-check") from None
    complaints = Complaints()
    for each, data in contents([Input.of(file)], complaints, as_is=not checks):
        source = Source(each.name, data)
        if checks:
            with working("checking", source.name, len(data), quiet=False):
                found = _findings(source, key, names, Format(format), max_diagnostics)
            _tell_findings(found, report_format, verbose=options["verbose"])
        body = gzip.compress(data, mtime=0) if compress else data
        outcome = client.send(method, address, body)
        end(outcome, address, source, report_format, names=names, verbose=options["verbose"])
    finish(TROUBLE)


def _grouping_key(job: str, grouping: Iterable[str], names: Names) -> GroupingKey:
    labels: dict[str, str] = {}
    for label in grouping:
        name, equals, value = label.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"`{shortened(label)}` is not NAME=VALUE", param_hint="--grouping")
        if name == "job":
            raise click.BadParameter("the job is what --job says", param_hint="--grouping")
        if name in labels:
            raise click.BadParameter(f"`{shortened(name)}` is given twice", param_hint="--grouping")
        if names == "legacy" and not is_legacy_label_name(name):
            message = f"`{shortened(name)}` is no label name, but for gateways with --names utf-8"
            raise click.BadParameter(message, param_hint="--grouping")
        labels[name] = value
    try:
        return GroupingKey(job, labels)
    except ValueError as error:
        raise click.BadParameter(visible(str(error)), param_hint="--job, --grouping") from error


def _group_url(url: str, key: GroupingKey, names: Names) -> tuple[str, Credentials | None]:
    try:
        parts, credentials = split_url(url)
    except ValueError as error:
        raise click.BadParameter(f"`{shortened(without_secrets(url), 200)}`: {error}", param_hint="URL") from error
    if match := re.search("/metrics/job(@base64)?(/|$)", parts.path):
        before = parts.path[: match.start()]
        message = f"/metrics/job/... is added to it: write {parts._replace(path=before, query='').geturl()}"
        raise click.BadParameter(message, param_hint="URL")
    return parts._replace(path=parts.path.rstrip("/") + key.to_path(names=names)).geturl(), credentials


def _content_type(format: Format, names: Names) -> str:
    if format is Format.TEXT and names == "utf-8":
        return str(ContentType(format, "1.0.0", EscapingScheme.ALLOW_UTF8))
    return str(ContentType(format))


def _client(
    credentials: Credentials | None,
    headers: Mapping[str, str],
    *,
    timeout: float,
    retries: int,
    user: str | None,
    password_file: Path | None,
    header: tuple[str, ...],
    cacert: Path | None,
    cert: Path | None,
    key: Path | None,
    key_password_file: Path | None,
    insecure: bool,
    verbose: bool,
) -> Client:
    ours = {"accept": "application/json, text/plain;q=0.5", "user-agent": USER_AGENT, **headers}
    given = dict(map(_header, header))
    if "authorization" not in given and (found := _credentials(credentials, user, password_file)) is not None:
        given["authorization"] = found.header

    def tell(outcome: Answer | NoAnswer, pause: float) -> None:
        if verbose:
            told = status_of(outcome) if isinstance(outcome, Answer) else outcome.text
            say(f"{visible(told)}; trying again in {pause:.1f} s")

    return Client(
        timeout=timeout,
        headers={name: given.pop(name, value) for name, value in ours.items()},
        secrets=given,
        context=_context(cacert, cert, key, _secret(key_password_file, "EXPOFMT_KEY_PASSWORD"), insecure),
        retries=retries,
        on_retry=tell,
        sleep=sleep,
    )


def _header(text: str) -> tuple[str, str]:
    match = re.fullmatch(_HEADER, text)
    if match is None:
        # What was given may be a secret.
        raise click.BadParameter("a header is NAME: VALUE, and no control characters", param_hint="--header")
    name, value = match[1].lower(), match[2]
    if name in ("content-length", "transfer-encoding"):
        raise click.BadParameter(f"`{name}` is what the body makes it", param_hint="--header")
    # The bytes of the command line, as HTTP's client takes them.
    return name, value.encode("utf-8", "surrogateescape").decode("latin-1")


def _credentials(of_url: Credentials | None, user: str | None, file: Path | None) -> Credentials | None:
    """What the help says of them: options go before the URL, and the URL before variables."""
    if of_url is not None and not _is_option("user"):
        found = of_url
    elif user is not None:
        name, colon, given = user.partition(":")
        found = Credentials(name, given if colon else None)
    elif file is not None or os.environ.get("EXPOFMT_PASSWORD"):
        raise click.UsageError(f"{'EXPOFMT_PASSWORD' if file is None else '--password-file'} needs a --user")
    else:
        return None
    is_kept = found.password is not None and (_is_option("user") or not _is_option("password_file"))
    return found if is_kept else found._replace(password=_secret(file, "EXPOFMT_PASSWORD"))


def _is_option(name: str) -> bool:
    """Whether it stands on the command line, and not only in the environment."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _secret(file: Path | None, variable: str) -> str | None:
    """The line in the file, else what the environment has."""
    if file is None:
        return os.environ.get(variable)
    try:
        return file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        _complain(file, error)


def _context(
    cacert: Path | None, cert: Path | None, key: Path | None, key_password: str | None, insecure: bool
) -> ssl.SSLContext | None:
    """``None`` is that of the system."""
    if key is not None and cert is None:
        raise click.UsageError("--key needs a --cert")
    if cacert is None and cert is None and not insecure:
        return None
    try:
        context = ssl.create_default_context(cafile=cacert)
    except OSError as error:
        _complain(cacert, error)
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        try:
            context.load_cert_chain(cert, key, _no_password if key_password is None else key_password)
        except ssl.SSLError as error:
            # Of what is no PEM, or is encrypted by another pass phrase, OpenSSL does not say which file it is.
            text = (error.reason or str(error)).replace("_", " ").lower()
            if "pem lib" in text:
                text = "no certificate and key (PEM) that can be read"
                text += "" if key_password is None else ": is the pass phrase right?"
            say(f"{visible(f'{cert}, {key}' if key else str(cert))}: {text}")
            finish(TROUBLE)
        except (OSError, ValueError) as error:
            _complain(key or cert, error)
    return context


def _no_password() -> str:
    # Without this, OpenSSL would ask the terminal, which a job does not have.
    raise ValueError("the key is encrypted: its pass phrase is missing (EXPOFMT_KEY_PASSWORD, --key-password-file)")


def _complain(file: Path | None, error: Exception) -> NoReturn:
    text = error.reason if isinstance(error, ssl.SSLError) else error.strerror if isinstance(error, OSError) else None
    say(f"{visible(str(file))}: {visible(text or str(error))}")
    finish(TROUBLE)


# ------------------------------------------------------------------------------------------------------------- checks


def _findings(source: Source, key: GroupingKey, names: Names, format: Format, max_diagnostics: int) -> list[Diagnostic]:
    """What Pushgateway, and a scrape, would find in this push, in order of place."""
    found = check(
        source.data,
        format=format,
        profile=Profile.PUSHGATEWAY,
        names=names,
        filename=source.name,
        max_diagnostics=max_diagnostics,
    )
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        return found
    # Some is wrong only with the labels of the group: series that differ by a label which the group sets.
    try:
        diagnostics = rehearsed(Put(key, source.data, format), names=names).warnings
    except ExpositionError as error:
        diagnostics = error.diagnostics
    return [_of_file(diagnostic, source.name) for diagnostic in diagnostics[:max_diagnostics]]


def _of_file(diagnostic: Diagnostic, name: str) -> Diagnostic:
    """The store's diagnostic of a body, which has no name there."""
    place, related = diagnostic.place, diagnostic.related
    if related is not None and related.filename == place.filename:
        related = replace(related, filename=name)
    return replace(diagnostic, place=replace(place, filename=name), related=related)


def _tell_findings(found: Sequence[Diagnostic], report_format: str, *, verbose: bool) -> None:
    """Tell of errors, and of warnings if they are asked for. With an error, the command ends."""
    tally = Tally()
    for diagnostic in found:
        tally.add(diagnostic)
    if tally.errors or verbose:
        write_report(found, report_format, err=True)
    if tally.errors:
        if report_format == "full":
            say(f"nothing was sent: {tally}")
        finish(FINDINGS)


__all__ = ["delete", "push", "pushadd"]
