"""How fast is text written?"""

from __future__ import annotations

from collections.abc import Iterable

import expofmt
from go_rivals import describe, go_rivals
from inputs import Input, generated, other_scrapes, scrapes_of_goals, shuffled
from measure import Contender, Goal, Work, arguments, contest, duel, introduce
from rivals import Registry, prometheus_client_parse, prometheus_client_render

WORK = (
    "canonical: families parsed from canonical text, written in canonical order; the sort finds nothing to do",
    "shuffled: the same samples in another order, sorted while they are written",
    "parse, render: both, from bytes to bytes",
    "prometheus_client: generate_latest on the families that its parser made of the same text; it sorts labels alone",
)
GOALS = (Goal("canonical", 3, "expfmt write"), Goal("shuffled", 1, "expfmt write, shuffled"))


def compete(given: Input, *, rounds: int, goals: Iterable[Goal] = ()) -> None:
    canonical = Input(given.name, expofmt.render(expofmt.parse(given.data)), given.samples)
    mixed = shuffled(canonical)
    in_order, out_of_order = expofmt.parse(canonical.data), expofmt.parse(mixed.data)
    theirs = Registry(prometheus_client_parse(canonical.data.decode()))
    contenders: list[Contender] = [
        Work("canonical", lambda: expofmt.render(in_order)),
        Work("shuffled", lambda: expofmt.render(out_of_order)),
        Work("parse, render", lambda: expofmt.render(expofmt.parse(canonical.data))),
        Work("prometheus_client", lambda: prometheus_client_render(theirs)),
    ]
    with (
        go_rivals(["expfmt write"], canonical) as of_canonical,
        go_rivals(["expfmt write"], mixed, suffix=", shuffled") as of_mixed,
    ):
        timings = contest([*contenders, *of_canonical, *of_mixed], rounds=rounds)
    rivals = ["expfmt write", "expfmt write, shuffled", "prometheus_client"]
    size = len(canonical.data)
    duel(given.name, timings, rivals=rivals, samples=given.samples, size=size, goals=goals)


def main() -> None:
    chosen = arguments(__doc__)
    introduce([*WORK, *describe(["expfmt write"])])
    of_scrapes = (1 if chosen.quick else 5) * chosen.rounds
    for given in scrapes_of_goals():
        compete(given, rounds=of_scrapes, goals=GOALS)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=chosen.rounds, goals=GOALS)
    for given in other_scrapes():
        compete(given, rounds=of_scrapes)


if __name__ == "__main__":
    main()
