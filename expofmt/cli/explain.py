"""``expofmt explain``: what a code means."""

from __future__ import annotations

import difflib

import click

from ..codes import Code, severity_of
from ..explanations import EXPLANATIONS, explain
from ..quoting import shortened
from .options import CLEAN, finish


@click.command("explain")
@click.argument("code", required=False, shell_complete=lambda _, __, begun: [c for c in Code if c.startswith(begun)])
def command(code: str | None) -> None:
    """Tell what a code means.

    CODE is what diagnostics show in brackets, such as duplicate-sample. Without one, all codes are listed, each with
    its usual severity.
    """
    if code is not None:
        if code not in EXPLANATIONS:
            near = difflib.get_close_matches(code, Code, 1)
            hint = f"did you mean {near[0]}?" if near else "`expofmt explain` lists all."
            raise click.UsageError(f"There is no code `{shortened(code)}`; {hint}")
        click.echo(explain(Code(code)))
        finish(CLEAN)
    width = max(map(len, Code))
    for each in EXPLANATIONS:
        click.echo(f"{each:<{width}}  {severity_of(each) or '-'}")
    finish(CLEAN)


__all__ = ["command"]
