"""How fast is text read: parsed, parsed strictly, checked?"""

from __future__ import annotations

import expofmt
from inputs import Input, generated, real_scrapes
from measure import Contender, arguments, contest, duel, introduce
from rivals import (
    BARE_LARK,
    PROMETHEUS_CLIENT,
    PROMTOOL,
    file_of,
    lalr,
    prometheus_client_parse,
    promtool,
    promtool_check,
)

OURS = (
    "parse: grammar, UTF-8, numbers, names, duplicate labels, metadata and their order; columns, label sets not split",
    "objects: parse, then each sample as an object, its labels read",
    "strict: parse, then duplicate samples and the histogram rules, which split all label sets",
    "check: the same, going on at bad lines, and giving no families",
)


def objects(data: bytes) -> int:
    """What prometheus_client does: each sample an object, each label in a mapping."""
    return sum(len(sample.labels) for family in expofmt.parse(data).values() for sample in family.samples)


def strict(data: bytes) -> object:
    try:
        return expofmt.parse(data, strict=True)
    except expofmt.ExpositionError as error:  # real scrapes have real faults
        return error


def compete(given: Input, *, rounds: int, reference: bool) -> None:
    data, text = given.data, given.data.decode()
    contenders = [
        Contender("parse", lambda: expofmt.parse(data)),
        Contender("objects", lambda: objects(data)),
        Contender("strict", lambda: strict(data)),
        Contender("check", lambda: expofmt.check(data)),
        Contender("prometheus_client", lambda: prometheus_client_parse(text)),
    ]
    if reference:
        contenders.append(Contender("bare Lark", lambda: lalr().parse(text)))
    with file_of(data) as path:
        if promtool():
            contenders.append(Contender("promtool", lambda: promtool_check(path)))
        timings = contest(contenders, rounds=rounds)
    duel(given.name, timings, rival="prometheus_client", samples=given.samples, size=len(data))


def main() -> None:
    chosen = arguments(__doc__)
    introduce([*OURS, PROMETHEUS_CLIENT, BARE_LARK, PROMTOOL])
    for given in real_scrapes():
        compete(given, rounds=5 * chosen.rounds, reference=True)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=min(chosen.rounds, 3), reference=False)


if __name__ == "__main__":
    main()
