"""What pyproject.toml says of the package is so."""

import importlib
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import expofmt

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_each_folder_of_the_package_is_listed() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "expofmt").rglob("__init__.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages | {"expofmt.grammar"}


def test_the_installed_version_is_this_one() -> None:
    assert metadata.version("expofmt") == expofmt.__version__


def test_the_native_engine_is_of_the_same_version() -> None:
    cargo = tomllib.loads((ROOT / "expofmt/engine/native/Cargo.toml").read_text(encoding="utf-8"))
    assert cargo["workspace"]["package"]["version"] == expofmt.__version__


def test_the_grammar_is_installed_whole() -> None:
    installed = {file.name: file.read_text() for file in resources.files("expofmt.grammar").iterdir() if file.is_file()}
    ours = {path.name: path.read_text() for path in (ROOT / "grammar").iterdir() if path.is_file()}
    assert installed == ours
    assert any(name.endswith(".lark") for name in ours)


def test_entry_points_can_be_loaded() -> None:
    targets = [*PROJECT["project"]["scripts"].values()]
    targets += [target for group in PROJECT["project"].get("entry-points", {}).values() for target in group.values()]
    for target in targets:
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_hypothesis_knows_the_types_whoever_is_imported_first() -> None:
    """Hypothesis loads its plugins while it is imported, also when it is imported by the strategies."""
    known = "from hypothesis import strategies as st; from expofmt import Sample; st.from_type(Sample).validate()"
    for first in ("expofmt.strategies", "hypothesis", "expofmt"):
        subprocess.run([sys.executable, "-c", f"import {first}; {known}"], check=True)


def test_the_grammar_package_is_a_docstring_only() -> None:
    code = compile((ROOT / "grammar/__init__.py").read_text(encoding="utf-8"), "grammar", "exec")
    assert code.co_names == ("__doc__",)
