"""The command line. Each command is a module of its own, and loaded when it is called."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final, NoReturn

import click

from .. import __version__

# Said here so that `expofmt --help` need not load the commands.
SUMMARIES: Final[Mapping[str, str]] = {
    "check": "Report what is wrong, with its place and a fix.",
    "fmt": "Rewrite in canonical order and spelling.",
    "merge": "Unite several expositions in one.",
    "diff": "Tell what changed between two expositions.",
    "stats": "Count series by family and by label.",
    "serve": "Serve what jobs push, in the place of Prometheus Pushgateway.",
    "push": "Replace the metrics of a group at a Pushgateway.",
    "pushadd": "Replace those of a group's metrics that have the same names.",
    "delete": "Delete a group of metrics at a Pushgateway.",
    "journal": "Read and check a gateway's journal, or fill it from a Pushgateway.",
    "explain": "Tell what a code means.",
}

# Commands that have no module to themselves, and the one that they are in.
_TOGETHER: Final[Mapping[str, str]] = {"push": "push", "pushadd": "push", "delete": "push"}

# As a shell reports a process that a signal ended.
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

_NAME: Final = "expofmt"
_COMPLETE: Final = "_EXPOFMT_COMPLETE"  # where click's completion scripts put their question


class _Commands(click.Group):
    """A group that knows its commands by name and loads the one that is asked for."""

    # ruff: noqa: ARG002 - the signatures are click's
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUMMARIES:
            return None
        module = import_module(f".{_TOGETHER.get(cmd_name, cmd_name)}", __name__)
        command: click.Command = getattr(module, cmd_name if cmd_name in _TOGETHER else "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from .. import ENGINE

    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"expofmt {__version__} ({ENGINE} engine, Python {python})")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show version and engine.",
)
def group() -> None:
    """Read, check, merge and write Prometheus exposition text.

    The exit code is 0 if all is well, 1 on findings, and 2 on wrong usage or input that cannot be read; that of push,
    pushadd and delete is 3 if nothing was done since the gateway did not answer, or not as one that would do it.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit. A pipe that nobody reads any more, and Ctrl-C, end it without a word."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape sequence.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_output()
        status = BROKEN_PIPE
    except OSError as error:
        # Inputs are dealt with where they are read: this is the output, or the system.
        _abandon_output()
        click.echo(f"expofmt: {error.strerror or error}", err=True)
        status = 2
    sys.exit(status)


def _run(arguments: Sequence[str] | None) -> int:
    """As click's own ``main``, which would report a broken pipe as 1, and that means findings here."""
    try:
        if instruction := os.environ.get(_COMPLETE):
            from click.shell_completion import shell_complete

            return shell_complete(group, {}, _NAME, _COMPLETE, instruction)
        with group.make_context(_NAME, list(sys.argv[1:] if arguments is None else arguments)) as context:
            group.invoke(context)
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _abandon_output()
        return INTERRUPTED


def _abandon_output() -> None:
    """Keep the interpreter from flushing, at its end, what nobody will read."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


__all__ = ["SUMMARIES", "group", "main"]
