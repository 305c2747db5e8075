"""How fast is text written?"""

from __future__ import annotations

import expofmt
from inputs import Input, generated, real_scrapes, shuffled
from measure import Contender, arguments, contest, duel, introduce
from rivals import Registry, prometheus_client_parse, prometheus_client_render

WORK = (
    "canonical: families parsed from canonical text, written in canonical order; the sort finds nothing to do",
    "shuffled: the same samples in another order, sorted while they are written",
    "parse, render: both, from bytes to bytes",
    "prometheus_client: generate_latest on the families that its parser made of the same text; it sorts labels alone",
)


def compete(given: Input, *, rounds: int) -> None:
    canonical = expofmt.render(expofmt.parse(given.data))
    ours, mixed = expofmt.parse(canonical), expofmt.parse(shuffled(given).data)
    theirs = Registry(prometheus_client_parse(canonical.decode()))
    timings = contest(
        [
            Contender("canonical", lambda: expofmt.render(ours)),
            Contender("shuffled", lambda: expofmt.render(mixed)),
            Contender("parse, render", lambda: expofmt.render(expofmt.parse(canonical))),
            Contender("prometheus_client", lambda: prometheus_client_render(theirs)),
        ],
        rounds=rounds,
    )
    duel(given.name, timings, rival="prometheus_client", samples=given.samples, size=len(canonical))


def main() -> None:
    chosen = arguments(__doc__)
    introduce(WORK)
    for given in real_scrapes():
        compete(given, rounds=3 * chosen.rounds)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=min(chosen.rounds, 3))


if __name__ == "__main__":
    main()
