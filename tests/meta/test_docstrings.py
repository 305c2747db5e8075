"""The examples in docstrings are true, on each engine."""

import doctest
import importlib
import pkgutil

import pytest

import expofmt

MODULES = ["expofmt", *(module.name for module in pkgutil.walk_packages(expofmt.__path__, "expofmt."))]
# Their examples are searched for and shrunk, which takes its time; tests/test_strategies.py does it on each engine.
SEARCHED = ["expofmt.strategies", "expofmt.hypothesis_plugin"]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith(".__main__") and name not in SEARCHED])
def test_examples(name: str, engine: str) -> None:
    run_examples(name)


@pytest.mark.parametrize("name", SEARCHED)
def test_examples_that_are_searched_for(name: str) -> None:
    run_examples(name)


def run_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS, raise_on_error=False, report=True)
    assert failed == 0
