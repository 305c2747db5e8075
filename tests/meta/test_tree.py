"""The top level holds what the architecture names, and nothing else."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = {"pyproject.toml", "README.md", "LICENSE", "grammar", "expofmt", "tests", "benchmarks"}
HIDDEN = {".ci", ".gitignore", ".pre-commit-hooks.yaml"}
OF_AN_SDIST = {"PKG-INFO", "setup.cfg", "expofmt.egg-info"}


def test_top_level() -> None:
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert {line.split("/")[0] for line in listed.splitlines()} == TOP | HIDDEN
    else:
        assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} <= TOP | OF_AN_SDIST


def test_no_file_is_called_by_what_it_does_not_say() -> None:
    vague = {"utils", "util", "helpers", "helper", "core", "common", "misc", "types", "base"}
    found = [path for folder in ("expofmt", "tests", "benchmarks", "grammar") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in found if path.stem in vague] == []
