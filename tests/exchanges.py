r"""Requests and the responses that are expected, as files under tests/cases/gateway/exchanges hold them.

A file is a story for one gateway: after lines with ``option NAME [VALUE]``, exchanges with blank lines between them. A
comment begins with ``#``, outside of exchanges.

* ``>`` is the request: method and target, header fields, and, after an empty ``>``, lines of the body. ``>!`` has the
  body as Python writes bytes.
* ``<`` is the response: status, header fields that it must have, and, after an empty ``<``, the whole body; a last line
  that ends in a backslash has no line feed (so ``< \`` is an empty body). ``<~`` is a line that the body must have.
* ``ours:`` says why the original answers something else.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "cases" / "gateway" / "exchanges"
FILES = sorted(FOLDER.glob("*.http"))


@dataclass
class Exchange:
    """A request, and what is expected."""

    line: int
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    status: int = 0
    expected_headers: list[tuple[str, str]] = field(default_factory=list)
    expected_body: bytes | None = None
    expected_lines: list[bytes] = field(default_factory=list)
    ours: str = ""


class Story(NamedTuple):
    """The options of a gateway, and the exchanges with it, in order."""

    options: dict[str, str | bool]
    exchanges: list[Exchange]


def read(file: Path) -> Story:
    lines = list(enumerate(file.read_text(encoding="utf-8").split("\n"), 1))
    options: dict[str, str | bool] = {}
    exchanges = []
    for blank, group in groupby(lines, lambda line: not line[1] or line[1].startswith("#")):
        block = list(group)
        if blank:
            continue
        if block[0][1].startswith("option "):
            for _, line in block:
                _, name, *value = line.split(" ", 2)
                options[name] = value[0] if value else True
        else:
            exchanges.append(_exchange(block))
    return Story(options, exchanges)


def _exchange(block: list[tuple[int, str]]) -> Exchange:
    exchange = Exchange(block[0][0])
    request = [line[2:] for _, line in block if line == ">" or line.startswith("> ")]
    response = [line[1:].removeprefix(" ") for _, line in block if line[0] == "<" and not line.startswith("<~")]
    head, body = _split(request)
    exchange.method, _, exchange.target = head[0].partition(" ")
    exchange.headers = [(name, value) for name, _, value in (line.partition(": ") for line in head[1:])]
    exchange.body = b"".join(line.encode() + b"\n" for line in body or ())
    head, body = _split(response)
    exchange.status = int(head[0])
    exchange.expected_headers = [(name, value) for name, _, value in (line.partition(": ") for line in head[1:])]
    if body is not None:
        exchange.expected_body = ("\n".join(body) + "\n").encode().removesuffix(b"\\\n")
    for _, line in block:
        if line.startswith(">! "):
            exchange.body = ast.literal_eval(line[3:])
        elif line.startswith("<~ "):
            exchange.expected_lines.append(line[3:].encode())
        elif line.startswith("ours: "):
            exchange.ours = line[6:]
        else:
            assert line[0] in "<>", f"line {block[0][0]}: {line}"
    return exchange


def _split(lines: list[str]) -> tuple[list[str], list[str] | None]:
    """What stands before an empty line and what after it."""
    if "" not in lines:
        return lines, None
    at = lines.index("")
    return lines[:at], lines[at + 1 :]
