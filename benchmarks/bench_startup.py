"""How long does a fresh process take until it is of use?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from fresh import python, run
from measure import Contender, arguments, contest, duration, introduce, table


def main() -> None:
    chosen = arguments(__doc__)
    introduce(["each: a fresh process, from start to end; by min and by median, over the bare interpreter"])
    expofmt = shutil.which("expofmt", path=str(Path(sys.executable).parent)) or "expofmt"
    contenders = [
        Contender("bare interpreter", lambda: python("pass")),
        Contender("import expofmt", lambda: python("import expofmt")),
        Contender("import expofmt, parse `a 1`", lambda: python("import expofmt; expofmt.parse('a 1\\n')")),
        Contender("expofmt --help", lambda: run(expofmt, "--help")),
        Contender("import prometheus_client", lambda: python("import prometheus_client")),
        Contender("import its parser, parse `a 1`", lambda: python(PARSE_WITH_PROMETHEUS_CLIENT)),
    ]
    timings = contest(contenders, rounds=4 * chosen.rounds)
    bare = timings[0]
    table(
        ("", "min", "median", "over bare, min", "median"),
        (
            (
                each.name,
                duration(each.least),
                duration(each.middle),
                f"{(each.least - bare.least) * 1e3:.1f} ms",
                f"{(each.middle - bare.middle) * 1e3:.1f} ms",
            )
            for each in timings
        ),
    )


PARSE_WITH_PROMETHEUS_CLIENT = (
    "from prometheus_client.parser import text_string_to_metric_families as f; list(f('a 1\\n'))"
)

if __name__ == "__main__":
    main()
