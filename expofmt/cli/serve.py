"""``expofmt serve``: a gateway in the place of Prometheus Pushgateway, with its flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from .. import ENGINE, __version__
from ..gateway.asgi import DEFAULT_MAX_PENDING_BYTES
from ..gateway.handler import DEFAULT_MAX_BODY_BYTES
from ..grouping import path_prefix
from ..groups import JournalError
from ..journal import SqliteJournal
from ..pushing import Limits, PushPolicy
from ..quoting import visible
from ..store import GroupStore
from .options import TROUBLE

if TYPE_CHECKING:
    from ..gateway.logs import Log

_ADDRESSES: Final = (":9091",)
# Each takes some 3 kB, and about 50 us of the one thread that all pushes wait for.
_MOST_FAMILIES: Final = 20_000
# What has a time limit, in the order of TimeLimits.
_TIMED: Final = ("header", "body", "idle")


class _Flag(click.Option):
    """A flag as Pushgateway writes it, and the variable that stands for it; ``section`` is where it is explained."""

    def __init__(self, names: Sequence[str], *, section: str, **options: Any) -> None:
        self.section = section
        super().__init__(names, **options)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self.secondary_opts:
            return record
        return self.opts[0].replace("--", "--[no-]", 1), record[1]


class _Serve(click.Command):
    """A command whose wrong usage is one line, whose flags are given once, and whose help has sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            for flag in order:
                if order.count(flag) > 1 and not flag.multiple:
                    raise click.UsageError(f"{flag.opts[0]} can be given once only")
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            _fail(f"{error.format_message().rstrip('.')}; try expofmt serve --help")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Help"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic in some versions only
    """A duration in Go's spelling, as nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from ..gateway.durations import duration_ns

        try:
            return duration_ns(value)
        except ValueError as error:
            self.fail(visible(str(error)), param, ctx)


def _flag(name: str, section: str, **options: Any) -> Callable[[Any], Any]:
    parameter = name.removeprefix("--").replace(".", "_").replace("-", "_")
    names = [name, f"--no-{name.removeprefix('--')}"] if options.get("is_flag") else [name]
    return click.option(
        "/".join(names), parameter, cls=_Flag, section=section, envvar=f"EXPOFMT_{parameter.upper()}", **options
    )


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"expofmt {__version__} ({ENGINE} engine, Python {'.'.join(map(str, sys.version_info[:3]))})")
        ctx.exit()


_web = partial(_flag, section="Web")
_times = partial(_flag, section="Time limits", type=_Duration(), show_default=True, metavar="DURATION")
_kept = partial(_flag, section="What is kept")
_push = partial(_flag, section="Pushes")
_limit = partial(_flag, section="Limits", type=click.IntRange(min=0), metavar="N")
_log = partial(_flag, section="Log")


@click.command("serve", cls=_Serve)
@_web(
    "--web.listen-address",
    multiple=True,
    default=_ADDRESSES,
    show_default=":9091",
    metavar="ADDRESS",
    help="Where to listen: host:port, :port, or vsock://CID:PORT. Repeatable.",
)
@_web("--web.systemd-socket", is_flag=True, help="Listen on the sockets that systemd hands over instead.")
@_web("--web.config.file", default="", metavar="FILE", help="TLS, users and headers, as Prometheus' exporters have it.")
@_web("--web.telemetry-path", default="/metrics", show_default=True, metavar="PATH", help="Where to scrape.")
@_web("--web.external-url", default="", metavar="URL", help="Where browsers find the gateway.")
@_web("--web.route-prefix", default="", metavar="PATH", help="What stands before all paths; that of the URL, if none.")
@_web("--web.enable-lifecycle", is_flag=True, help="Let PUT and POST of /-/quit end the gateway.")
@_web("--web.enable-admin-api", is_flag=True, help="Let PUT of /api/v1/admin/wipe delete all groups.")
@_times("--web.header-timeout", default="10s", help="For the headers of a request; 0 for no limit, here and below.")
@_times("--web.body-timeout", default="1m", help="For its body, and for a response, or each MiB of a large one.")
@_times("--web.idle-timeout", default="5m", help="For the pause until the next request.")
@_kept("--persistence.file", default="", metavar="FILE", help="Keep all groups in this file, each push at once.")
@_kept(
    "--persistence.interval",
    type=_Duration(),
    default="5m",
    metavar="DURATION",
    help="Has no effect: a push is on disk before it is answered.",
)
@_kept(
    "--lifetime",
    type=_Duration(),
    default="0",
    metavar="DURATION",
    help="Forget groups so long after a push; 0 for never.",
)
@_kept(
    "--policy",
    default="replace",
    show_default=True,
    metavar="POLICY",
    help="What becomes of a family that is pushed again, such as counter=sum,jobs_*=max.",
)
@_push("--push.disable-consistency-check", is_flag=True, help="Answer 202 to pushes that contradict others, too.")
@_push("--push.enable-utf8-names", is_flag=True, help="Take names that need quotes.")
@_push("--push.lenient", is_flag=True, help="Take what Prometheus would scrape, such as text without its last newline.")
@_limit(
    "--push.max-body-bytes",
    default=DEFAULT_MAX_BODY_BYTES,
    show_default=True,
    help="In one push, as it is sent and decompressed; 0 for no limit, here and below.",
)
@_limit(
    "--push.max-pending-bytes",
    default=DEFAULT_MAX_PENDING_BYTES,
    show_default=True,
    help="In all large bodies that are being received or worked at; those beyond are answered 503.",
)
@_limit("--push.max-families", default=_MOST_FAMILIES, show_default=True, help="In one push.")
@_limit("--push.max-series", default=0, help="In one push.")
@_limit("--push.max-label-value-bytes", default=0, help="In one label value.")
@_limit("--store.max-groups", default=0, help="In all.")
@_limit("--store.max-series", default=0, help="In all groups.")
@_log(
    "--log.level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    default="info",
    show_default=True,
    help="The least that is told.",
)
@_log(
    "--log.format", type=click.Choice(["logfmt", "json"]), default="logfmt", show_default=True, help="How it is told."
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def command(ctx: click.Context, /, **flags: Any) -> None:
    """Serve what jobs push, in the place of Prometheus Pushgateway.

    It takes the same flags and gives the same answers. Each flag can be given as a variable, too: --web.listen-address
    as EXPOFMT_WEB_LISTEN_ADDRESS. SIGINT and SIGTERM end the gateway once it has finished what has begun.
    """
    try:
        from ..gateway import Gateway, OwnMetrics, make_asgi_app
        from ..gateway.connection import TimeLimits
        from ..gateway.listeners import bound, inherited
        from ..gateway.logs import Log
        from ..gateway.server import Server
        from ..gateway.webconfig import WebConfigError, WebConfigFile
    except ModuleNotFoundError as error:
        _fail(f'{error.name} is not installed: pip install "expofmt[gateway]"')

    log = Log(flags["log_level"], flags["log_format"])
    with ExitStack() as held:
        file = flags["web_config_file"]
        try:
            web_config = WebConfigFile(file) if file else None
            policy = _checked("--policy", lambda: PushPolicy.parse(flags["policy"]))
            _check_paths(flags)
            listeners = inherited(os.environ) if flags["web_systemd_socket"] else []
            for address in () if listeners else flags["web_listen_address"]:
                listeners.append(_checked(f"--web.listen-address {address}", partial(bound, address)))
                held.callback(listeners[-1].close)
            own = OwnMetrics()
            store = GroupStore(
                journal=SqliteJournal(Path(flags["persistence_file"])) if flags["persistence_file"] else None,
                names="utf-8" if flags["push_enable_utf8_names"] else "legacy",
                own=own.families,
                policy=policy,
                lifetime_ns=flags["lifetime"],
                limits=Limits(
                    push_families=flags["push_max_families"] or None,
                    push_series=flags["push_max_series"] or None,
                    label_value_bytes=flags["push_max_label_value_bytes"] or None,
                    groups=flags["store_max_groups"] or None,
                    series=flags["store_max_series"] or None,
                ),
            )
        except (WebConfigError, JournalError, OSError, ModuleNotFoundError) as error:
            _fail(visible(str(error)))
        held.callback(_close, store, log)
        gateway = Gateway(
            store,
            own=own,
            names="utf-8" if flags["push_enable_utf8_names"] else "legacy",
            route_prefix=flags["web_route_prefix"],
            external_path=urlsplit(flags["web_external_url"]).path,
            telemetry_path=flags["web_telemetry_path"],
            enable_lifecycle=flags["web_enable_lifecycle"],
            enable_admin_api=flags["web_enable_admin_api"],
            unchecked=flags["push_disable_consistency_check"],
            lenient=flags["push_lenient"],
            max_body_bytes=flags["push_max_body_bytes"],
            zone=None,
            flags=_as_told(ctx.command, flags),
            build=_build(),
            on_quit=lambda: server.stop(),
            on_log=log,
        )
        server = Server(
            make_asgi_app(gateway, max_pending_bytes=flags["push_max_pending_bytes"]),
            listeners,
            web_config=web_config,
            limits=TimeLimits(*(flags[f"web_{name}_timeout"] / 1e9 or float("inf") for name in _TIMED)),
            log=log,
        )
        closed: list[bool] = []
        log("info", "starting expofmt", {"version": __version__, "engine": ENGINE})
        try:
            server.serve_until_stopped(lambda: closed.append(_close(store, log)))
        except OSError as error:
            _fail(f"--web.listen-address: {error.strerror or error}")
        log("info", "stopped")
        if not all(closed):
            ctx.exit(TROUBLE)


def _close(store: GroupStore, log: Log) -> bool:
    """Close the store; whether its journal could be told what was left to tell, which no answered push waits for."""
    try:
        store.close()
    except JournalError as error:
        log("error", "the journal could not be closed as it should be", {"err": str(error)})
        return False
    return True


def _check_paths(flags: Mapping[str, Any]) -> None:
    external = flags["web_external_url"]
    parts = _checked("--web.external-url", lambda: urlsplit(external))
    if external and not external.startswith("/") and not (parts.scheme and parts.netloc):
        expected = "expected one such as https://host/gateway, or a path such as /gateway"
        _fail(f"--web.external-url: `{visible(external)}` is no URL: {expected}")
    path = flags["web_telemetry_path"]
    if not path.startswith("/") and not path_prefix(flags["web_route_prefix"] or parts.path):
        _fail(f"--web.telemetry-path: `{visible(path)}` does not begin with /")


def _checked(what: str, make: Callable[[], Any]) -> Any:
    """What is made, unless it cannot be: the flag is to blame then."""
    try:
        return make()
    except OSError as error:
        _fail(f"{what}: {error.strerror or error}")
    except ValueError as error:
        _fail(f"{what}: {error}")


def _build() -> dict[str, str]:
    """What Pushgateway tells of its build, as far as there is such a thing."""
    python = ".".join(map(str, sys.version_info[:3]))
    told = {"goVersion": f"python{python}", "version": __version__}
    return dict.fromkeys(("branch", "buildDate", "buildUser", "revision"), "") | told


def _as_told(command: click.Command, flags: Mapping[str, Any]) -> dict[str, str]:
    """The flags with their values, as the status shows them."""
    return {
        parameter.opts[0].removeprefix("--"): _told(parameter, flags[parameter.name])
        for parameter in command.params
        if parameter.name in flags
    }


def _told(parameter: click.Parameter, value: Any) -> str:
    from ..gateway.durations import duration_text

    if isinstance(parameter.type, _Duration):
        return duration_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)


def _fail(message: str) -> NoReturn:
    click.echo(f"expofmt serve: {visible(message)}", err=True)
    click.get_current_context().exit(TROUBLE)


__all__ = ["command"]
