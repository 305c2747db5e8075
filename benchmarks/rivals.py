"""The programs of others that ours is measured against, each as a function of the text it reads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from lark import Lark

GRAMMAR = Path(__file__).parent.parent / "grammar" / "text.lark"

PROMETHEUS_CLIENT = (
    "prometheus_client: its text parser; an object for each family and sample, labels decoded; stops at the first bad "
    "line, checks neither metadata nor duplicates"
)
PROMTOOL = (
    "promtool: `promtool check metrics`, a fresh process that reads a file; Prometheus' own parser in Go, then its "
    "lint rules; stops at the first bad line"
)
BARE_LARK = "bare Lark: an LALR parse by the fine rules of our grammar, to a tree and no further; real scrapes only"


def prometheus_client_parse(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def prometheus_client_read(text: str) -> int:
    """Parse it, and read all labels of all samples."""
    size = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for name, value in sample.labels.items():
                size += len(name) + len(value)
    return size


class Registry:
    """What prometheus_client renders: a collector of families that exist."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self.families


def prometheus_client_render(registry: Registry) -> bytes:
    return generate_latest(registry)


@cache
def lalr() -> Lark:
    from lark import Lark

    return Lark.open(str(GRAMMAR), parser="lalr")


@cache
def promtool() -> str | None:
    return shutil.which("promtool")


def promtool_check(path: Path) -> None:
    with path.open("rb") as file:
        command = [promtool() or "promtool", "check", "metrics"]
        done = subprocess.run(command, stdin=file, capture_output=True, check=False)
    if done.returncode not in (0, 3):  # 3: what its lint rules found
        raise RuntimeError(done.stderr.decode(errors="replace")[:500])


@contextmanager
def file_of(data: bytes) -> Iterator[Path]:
    """A file with these bytes, for a program that reads files."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "input.prom")
        path.write_bytes(data)
        yield path
