"""How long does a fresh process take until it is of use?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from statistics import median

from fresh import python, run
from measure import Work, arguments, contest, duration, introduce, table, verdict

OVER_BARE_GOAL = 60  # milliseconds

PARSE_WITH_PROMETHEUS_CLIENT = (
    "from prometheus_client.parser import text_string_to_metric_families as f; list(f('a 1\\n'))"
)


def main() -> None:
    chosen = arguments(__doc__)
    introduce(["each: a fresh process, from start to end; over bare: less the interpreter alone, round by round"])
    expofmt = shutil.which("expofmt", path=str(Path(sys.executable).parent)) or "expofmt"
    contenders = [
        Work("bare interpreter", lambda: python("pass")),
        Work("import expofmt", lambda: python("import expofmt")),
        Work("import expofmt, parse `a 1`", lambda: python("import expofmt; expofmt.parse('a 1\\n')")),
        Work("expofmt --help", lambda: run(expofmt, "--help")),
        Work("import prometheus_client", lambda: python("import prometheus_client")),
        Work("import its parser, parse `a 1`", lambda: python(PARSE_WITH_PROMETHEUS_CLIENT)),
    ]
    timings = contest(contenders, rounds=4 * chosen.rounds)
    bare = timings[0]
    over_bare = {
        each.name: median(one - other for one, other in zip(each.seconds, bare.seconds, strict=True)) * 1e3
        for each in timings
    }
    table(
        ("", "min", "median", "over bare, min", "median"),
        (
            (
                each.name,
                duration(each.least),
                duration(each.middle),
                f"{(each.least - bare.least) * 1e3:.1f} ms",
                f"{over_bare[each.name]:.1f} ms",
            )
            for each in timings
        ),
    )
    ours, theirs = over_bare["import expofmt, parse `a 1`"], over_bare["import prometheus_client"]
    aim = f"import expofmt, parse `a 1`, at most {OVER_BARE_GOAL} ms over bare"
    verdict(aim, f"{ours:.1f} ms", met=ours <= OVER_BARE_GOAL)
    verdict("the same, below import prometheus_client", f"{ours:.1f} of {theirs:.1f} ms", met=ours < theirs)


if __name__ == "__main__":
    main()
