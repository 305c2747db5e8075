"""``expofmt explain``: what a code means."""

from __future__ import annotations

import click

from ..codes import Code, severity_of
from ..explanations import EXPLANATIONS, explain
from .options import CLEAN, finish


@click.command("explain")
@click.argument("code", required=False, type=click.Choice([code.value for code in Code]), metavar="[CODE]")
def command(code: str | None) -> None:
    """Tell what a code means.

    CODE is what diagnostics show in brackets, such as duplicate-sample. Without one, all codes are listed, each with
    its usual severity.
    """
    if code is not None:
        click.echo(explain(Code(code)))
        finish(CLEAN)
    width = max(map(len, Code))
    for each in EXPLANATIONS:
        click.echo(f"{each:<{width}}  {severity_of(each) or '-'}")
    finish(CLEAN)


__all__ = ["command"]
