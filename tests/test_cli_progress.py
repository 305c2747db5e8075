"""What is told to whoever waits in front of a terminal."""

import io
import threading
from types import SimpleNamespace

import pytest

from expofmt.cli.progress import BIG, working


class Terminal(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.used = threading.Event()

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.used.set()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    # pytest puts its own stderr in place between here and the test.
    monkeypatch.setattr("expofmt.cli.progress.sys", SimpleNamespace(stderr=stream))
    return stream


def test_it_says_what_is_being_done_and_leaves_nothing_behind(terminal: Terminal) -> None:
    with working("checking", "a\n.prom", 47_100_000, quiet=False):
        assert terminal.used.wait(60)
    _, said, *_, end = terminal.getvalue().split("\r\x1b[K")
    assert said.startswith("checking a\\n.prom, 47 MB: ")
    assert end == ""


def test_it_cleans_up_after_a_failure(terminal: Terminal) -> None:
    with pytest.raises(KeyboardInterrupt), working("checking", "a.prom", BIG, quiet=False):
        raise KeyboardInterrupt
    assert terminal.getvalue() == "\r\x1b[K"


def test_small_inputs_and_quiet_runs_are_not_worth_it(terminal: Terminal) -> None:
    with working("checking", "a.prom", BIG - 1, quiet=False), working("checking", "a.prom", BIG, quiet=True):
        pass
    assert terminal.getvalue() == ""


def test_without_a_terminal_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with working("checking", "a.prom", BIG, quiet=False):
        pass
    assert stream.getvalue() == ""
