"""The README's walk-through of the gateway: its commands, as they stand there, in the shell, with a real Prometheus."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers.test_pushgateway import free_port

ROOT = Path(__file__).parents[2]
SECTION = re.search(
    r"^## A gateway in place of Pushgateway$(.*?)^## ",
    (ROOT / "README.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)
BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


class Walk:
    """The blocks of the walk-through in a folder, with ports that are free."""

    def __init__(self, folder: Path) -> None:
        assert SECTION is not None
        self.folder = folder
        self.gateway, self.prometheus = free_port(), free_port()
        ports = {"9091": str(self.gateway), "9090": str(self.prometheus)}
        self.blocks = [
            (re.sub(r"\b909[01]\b", lambda port: ports[port[0]], command), printed)
            for command, printed in BLOCK.findall(SECTION[1])
        ]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path}

    def command(self, start: str) -> str:
        """The block that starts a program."""
        (found,) = [command for command, _ in self.blocks if command.startswith(start)]
        return found

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    @contextmanager
    def running(self, start: str, ready: str) -> Iterator[None]:
        """A program that a block starts, until it is interrupted as by Ctrl-C."""
        command = ["bash", "-c", f"exec {self.command(start)}"]
        with (self.folder / "log").open("a+") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
            try:
                while subprocess.run(["curl", "-sf", ready], capture_output=True, check=False).returncode:
                    assert process.poll() is None, (self.folder / "log").read_text()
                    time.sleep(0.05)
                yield
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait() == 0


def page(url: str) -> str:
    """What a browser shows, or, where there is none, the page's own data."""
    if CHROMIUM is None:
        return subprocess.run(["curl", "-sSf", f"{url}/api/v1/metrics"], stdout=subprocess.PIPE, text=True).stdout
    playwright = pytest.importorskip("playwright.sync_api", reason="peer playwright is not installed")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            shown = browser.new_page()
            shown.goto(url, wait_until="networkidle")
            text: str = shown.inner_text("body")
            return text
        finally:
            browser.close()


def test_the_walk_through(tmp_path: Path, peer: Callable[[str], str]) -> None:
    for program in ("curl", "prometheus", "promtool"):
        peer(program)
    walk = Walk(tmp_path)
    url = f"http://127.0.0.1:{walk.gateway}"
    look, push, refused, other, delete, configure = [
        block for block in walk.blocks if not block[0].startswith(("expofmt serve", "prometheus ", "promtool "))
    ]
    with walk.running("expofmt serve", f"{url}/-/ready"):
        own = walk.run(look[0])
        assert "\npushgateway_build_info{" in own
        assert "job=" not in own
        assert "some_instance" not in page(url)
        assert walk.run(push[0]) == push[1]
        assert walk.run(refused[0]).count("archive_bytes") >= 2
        assert walk.run(other[0]) == other[1]
        shown = page(url)
        assert "some_instance" in shown
        assert "other_job" in shown
        assert walk.run(delete[0]) == delete[1]
        shown = page(url)
        assert "some_instance" in shown
        assert "other_job" not in shown
    with walk.running("expofmt serve", f"{url}/-/ready"):
        ask = push[0].partition("EOF\ncurl")
        assert walk.run(f"curl{ask[2]}") == push[1]
        assert walk.run(configure[0]) == ""
        with walk.running("prometheus ", f"http://localhost:{walk.prometheus}/-/ready"):
            answer = ""
            for _ in range(600):
                if (answer := walk.run(walk.command("promtool "))).strip():
                    break
                time.sleep(0.1)
            labels = r'files_saved_total\{instance="some_instance", job="some_job", volume="home"\}'
            assert re.fullmatch(rf"{labels} => 42 @\[[0-9.]+\]\n", answer), answer
