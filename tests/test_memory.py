"""Memory comes back: what is read and dropped leaves nothing, whether it was in order or not.

`poe soak` takes a million turns.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import expofmt
from expofmt import ExpositionError, check, merge, parse, render

TURNS = int(os.environ.get("EXPOFMT_TURNS", "20000"))
# What an allocator may take meanwhile: much less than one small object a turn.
SLACK = 500_000

STATM = Path("/proc/self/statm")

GOOD = (
    b"a 1\n",
    (
        b"# HELP h x\\n\n# TYPE h histogram\n"
        b'h_bucket{le="1",a="b"} 1\nh_bucket{a="b",le="+Inf"} 1 5\nh_sum{a="b"} -0\nh_count{a="b"} 1\n'
        b'# a comment\n{"a b","c d"="\\q\\n"} 9007199254740993 7\n'
    ),
    b"".join(b'm%d{a="%d"} %d\n' % (number // 3, number, number) for number in range(30)),
)
BAD = (
    b'a{b="1"} 1\na{b=2} 2\na{b="3" 3\n# TYPE a gauge\n# HELP a \xff\nc{d="e",d="f"} 1\nc 1e999 x\n{"a b"} 1',
    b'# TYPE h histogram\nh_bucket{le="2"} 3\nh_bucket{le="1"} 2\nh 1\nh_count -1\na 1\na 1\n',
)


@pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc")
def test_what_is_dropped_leaves_nothing(engine: str) -> None:
    # The slower engine has no memory of its own to forget.
    turns = TURNS if engine == "native" else TURNS // 10
    # In a process where nothing else takes memory.
    found = subprocess.run([sys.executable, __file__, engine, str(turns)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) <= SLACK


def growth(turns: int) -> int:
    """How many bytes more are in use after so many turns, once all that is kept on purpose has been made."""
    for number in range(turns // 10 + 100):
        turn(number)
    before = resident()
    for number in range(turns):
        turn(number)
    return resident() - before


def turn(number: int) -> None:
    good = parse(GOOD[number % len(GOOD)])
    for family in good.values():
        samples = family.samples
        assert samples[0].labels.get("a") != ""
        samples[:1].concat(samples).sorted(family.name, family.type)
        samples.with_labels({"x": "y"}, {}).fingerprints()
    if number % 4 == 0:
        render(merge(good, good.with_labels({"job": "x"})))
        pickle.loads(pickle.dumps(good))
        bad = BAD[number // 4 % len(BAD)]
        assert check(bad)
        with pytest.raises(ExpositionError):
            parse(bad, strict=True)


def resident() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    expofmt.engine.use(sys.argv[1])
    print(growth(int(sys.argv[2])))
