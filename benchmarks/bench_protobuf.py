"""How fast is the protobuf format read, written, pushed and scraped, beside text?"""

from __future__ import annotations

import expofmt
from bench_store import PER_GROUP, template
from expofmt import Format
from expofmt.grouping import GroupingKey
from expofmt.store import GroupStore
from go_rivals import describe, go_rivals
from inputs import Input, generated
from measure import Work, arguments, contest, duel, introduce

RIVALS = ("expfmt protobuf", "expfmt protobuf write")
WORK = (
    "text: the same samples as text, by the engine; protobuf: by Google's runtime, and Python for each metric",
    "push: a PUT to a store that holds nothing else; scrape: of a store after one push, nothing changed since",
)


def compete(given: Input, *, rounds: int) -> None:
    exposition = expofmt.parse(given.data)
    text, data = expofmt.render(exposition), expofmt.render(exposition, format=Format.PROTOBUF)
    store, key = GroupStore(), GroupingKey("batch", instance="host")
    store.put(key, text)
    contenders = [
        Work("text, parse", lambda: expofmt.parse(text)),
        Work("text, render", lambda: expofmt.render(exposition)),
        Work("text, push", lambda: store.put(key, text)),
        Work("text, scrape", lambda: store.render()),
        Work("protobuf, parse", lambda: expofmt.parse(data, format=Format.PROTOBUF)),
        Work("protobuf, render", lambda: expofmt.render(exposition, format=Format.PROTOBUF)),
        Work("protobuf, push", lambda: store.put(key, data, format=Format.PROTOBUF)),
        Work("protobuf, scrape", lambda: store.render(format=Format.PROTOBUF)),
    ]
    with go_rivals(RIVALS, Input(given.name, text, given.samples)) as rivals:
        timings = contest([*contenders, *rivals], rounds=rounds)
    duel(given.name, timings, rivals=RIVALS, samples=given.samples, size=len(data))


def main() -> None:
    chosen = arguments(__doc__)
    introduce([*WORK, *describe(RIVALS)], packages=("expofmt", "protobuf"))
    push = Input.of(f"a push of {PER_GROUP} series", template("batch").replace("@TURN@", "1").encode())
    compete(push, rounds=5 * chosen.rounds)
    for given in generated(quick=chosen.quick):
        compete(given, rounds=chosen.rounds)


if __name__ == "__main__":
    main()
