"""How fast is text read: parsed, parsed strictly, checked, and looked at sample by sample?"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

import expofmt
from go_rivals import describe, go_rivals
from inputs import Input, generated, other_scrapes, scrapes_of_goals
from measure import Contender, Goal, Work, arguments, contest, duel, introduce
from rivals import (
    BARE_LARK,
    PROMETHEUS_CLIENT,
    PROMTOOL,
    file_of,
    lalr,
    prometheus_client_read,
    promtool,
    promtool_check,
)

OURS = (
    "parse: grammar, UTF-8, numbers, names, duplicate labels, metadata and their order; columns, label sets not split",
    "strict: parse, then duplicate samples and the histogram rules, which split all label sets",
    "check: the same, going on at bad lines, and giving no families",
    "objects: parse, then one sample after the other as an object, the name and value of each label read",
    "objects, from run to run: strings and small label sets are found again, as in scrapes that are repeated",
    "objects, all held: the same, when the objects of all families have been made",
)
IN_GO = ("VictoriaMetrics", "VictoriaMetrics, fresh", "textparse", "expfmt")
GOALS = (
    Goal("parse", 1.5, "VictoriaMetrics"),
    Goal("parse", 5, "textparse"),
    Goal("parse", 20, "expfmt"),
    Goal("objects", 30, "prometheus_client"),
)


def objects(data: bytes) -> int:
    return _labels_read(sample for family in expofmt.parse(data).values() for sample in family.samples)


def held_objects(data: bytes) -> int:
    families = [list(family.samples) for family in expofmt.parse(data).values()]
    return _labels_read(sample for samples in families for sample in samples)


def _labels_read(samples: Iterable[expofmt.Sample]) -> int:
    size = 0
    for sample in samples:
        for name, value in sample.labels.items():
            size += len(name) + len(value)
    return size


def strict(data: bytes) -> object:
    try:
        return expofmt.parse(data, strict=True)
    except expofmt.ExpositionError as error:  # real scrapes have real faults
        return error


def compete(given: Input, *, rounds: int, reference: bool = False, goals: Iterable[Goal] = ()) -> None:
    data, text = given.data, given.data.decode()
    contenders: list[Contender] = [
        Work("parse", lambda: expofmt.parse(data)),
        Work("strict", lambda: strict(data)),
        Work("check", lambda: expofmt.check(data)),
        Work("objects", lambda: objects(data)),
        Work("objects, all held", lambda: held_objects(data)),
        Work("prometheus_client", lambda: prometheus_client_read(text)),
    ]
    if reference:
        contenders.append(Work("bare Lark", lambda: lalr().parse(text)))
    with ExitStack() as stack:
        if promtool():
            path = stack.enter_context(file_of(data))
            contenders.append(Work("promtool", lambda: promtool_check(path)))
        contenders += stack.enter_context(go_rivals(IN_GO, given))
        timings = contest(contenders, rounds=rounds)
    rivals = ["VictoriaMetrics", "textparse", "expfmt", "prometheus_client"]
    duel(given.name, timings, rivals=rivals, samples=given.samples, size=len(data), goals=goals)


def main() -> None:
    chosen = arguments(__doc__)
    introduce([*OURS, f"{PROMETHEUS_CLIENT}; the labels of each sample read", BARE_LARK, PROMTOOL, *describe(IN_GO)])
    of_scrapes = (1 if chosen.quick else 5) * chosen.rounds
    for given in scrapes_of_goals():
        compete(given, rounds=of_scrapes, reference=True, goals=GOALS)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=chosen.rounds, goals=GOALS)
    for given in other_scrapes():
        compete(given, rounds=of_scrapes, reference=True)


if __name__ == "__main__":
    main()
