"""What is read: the real scrapes of the tests, and larger expositions that are generated, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent.parent / "tests" / "data"
_OF_GOALS = ("node_exporter.prom", "prometheus_federate.prom")


class Input(NamedTuple):
    """An exposition with a name, and how many samples it has."""

    name: str
    data: bytes
    samples: int

    @classmethod
    def of(cls, name: str, data: bytes) -> Input:
        lines = data.split(b"\n")
        return cls(name, data, sum(1 for line in lines if line.strip() and not line.lstrip().startswith(b"#")))


def real_scrapes() -> list[Input]:
    return [Input.of(path.name, path.read_bytes()) for path in sorted(DATA.glob("*.prom"))]


def scrapes_of_goals() -> list[Input]:
    """Those that the goals are about."""
    return [given for given in real_scrapes() if given.name in _OF_GOALS]


def other_scrapes() -> list[Input]:
    return [given for given in real_scrapes() if given.name not in _OF_GOALS]


@cache
def kubernetes(series: int) -> Input:
    """Like kube-state-metrics: eight families, seven long labels, no label set twice."""
    return Input.of(f"kubernetes, {series:,} series", "".join(_kubernetes_lines(series)).encode())


def _kubernetes_lines(series: int) -> Iterator[str]:
    dice = random.Random(series)
    families = 8
    for family in range(families):
        name = f"kube_pod_container_resource_{('requests', 'limits')[family % 2]}_{family}"
        yield f"# HELP {name} The number of resources that a container asked for, by resource and unit.\n"
        yield f"# TYPE {name} gauge\n"
        for pod in range(series // families):
            uid = f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4{dice.getrandbits(12):03x}"
            yield (
                f'{name}{{namespace="team-{pod % 40:02}-prod",pod="checkout-{pod:06x}-{family}xk2p",'
                f'uid="{uid}-{dice.getrandbits(48):012x}",container="checkout-{pod % 3}",'
                f'node="ip-10-{pod % 7}-{pod % 256}-17.eu-west-1.compute.internal",'
                f'resource="memory",unit="byte"}} {dice.randrange(1, 512) * 1048576}\n'
            )


@cache
def short(series: int) -> Input:
    """One family without metadata, one short label, small integers."""
    return Input.of(f"short, {series:,} series", "".join(_short_lines(series)).encode())


def _short_lines(series: int) -> Iterator[str]:
    return (f's{{i="{i}"}} {i % 9973}\n' for i in range(series))


def write_large(path: Path, name: str, *, quick: bool) -> None:
    """A file of 200 MB, or of 5 MB for a quick run, by the name of its like."""
    lines, series = {"kubernetes": (_kubernetes_lines, 828_000), "short": (_short_lines, 10_300_000)}[name]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(lines(series // (40 if quick else 1)))


def generated(*, quick: bool) -> list[Input]:
    """The large inputs; a twentieth of them for a quick run."""
    divisor = 20 if quick else 1
    return [kubernetes(200_000 // divisor), short(500_000 // divisor)]


def shuffled(given: Input) -> Input:
    """The same families with their samples in another order, and their labels as they were."""
    dice = random.Random(0)
    blocks: list[list[bytes]] = [[]]
    for line in given.data.splitlines(keepends=True):
        if line.startswith(b"#") and blocks[-1] and not blocks[-1][-1].startswith(b"#"):
            blocks.append([])
        blocks[-1].append(line)
    lines: list[bytes] = []
    for block in blocks:
        metadata = [line for line in block if line.startswith(b"#")]
        samples = block[len(metadata) :]
        dice.shuffle(samples)
        lines += metadata + samples
    return Input(f"{given.name}, shuffled", b"".join(lines), given.samples)
