"""How long does a fresh process take until it is of use?"""

from __future__ import annotations

import os
import sysconfig
from importlib import resources
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import expofmt
from fresh import python
from measure import Work, arguments, contest, duration, introduce, table, verdict

OVER_BARE_GOAL = 60  # milliseconds

PARSE = "import expofmt; expofmt.parse('a 1\\n')"
PARSE_WITH_PROMETHEUS_CLIENT = (
    "from prometheus_client.parser import text_string_to_metric_families as f; list(f('a 1\\n'))"
)


def installed(folder: Path) -> Path:
    """A folder to import from, where the package lies as it does when it is installed, the grammar inside."""
    package = folder / "expofmt"
    package.mkdir()
    for path in Path(expofmt.__file__).parent.iterdir():
        package.joinpath(path.name).symlink_to(path)
    if not package.joinpath("grammar").exists():
        with resources.as_file(resources.files("expofmt.grammar")) as grammar:
            package.joinpath("grammar").symlink_to(grammar)
    return folder


# What an editable install loads in `site` would count as part of the bare interpreter.
NO_SITE = "-S"


def environment(folder: Path) -> dict[str, str]:
    """That of a plain installation: compiled modules at hand, from the second run on."""
    paths = [str(installed(folder)), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return given | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def main() -> None:
    chosen = arguments(__doc__)
    introduce(
        [
            "each: a fresh process, from start to end, its modules compiled before, without Python's `site`",
            "over bare: less the bare interpreter, round by round",
        ]
    )
    with TemporaryDirectory() as folder:
        plain = environment(Path(folder))
        contenders = [
            Work("bare interpreter", lambda: python(NO_SITE, "-c", "pass", env=plain)),
            Work("import expofmt", lambda: python(NO_SITE, "-c", "import expofmt", env=plain)),
            Work("import expofmt, parse `a 1`", lambda: python(NO_SITE, "-c", PARSE, env=plain)),
            Work("expofmt --help", lambda: python(NO_SITE, "-m", "expofmt", "--help", env=plain)),
            Work("import prometheus_client", lambda: python(NO_SITE, "-c", "import prometheus_client", env=plain)),
            Work(
                "import its parser, parse `a 1`", lambda: python(NO_SITE, "-c", PARSE_WITH_PROMETHEUS_CLIENT, env=plain)
            ),
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
