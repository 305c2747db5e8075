"""The examples in docstrings are true, on each engine."""

import doctest
import importlib
import pkgutil

import pytest

import expofmt

MODULES = ["expofmt", *(module.name for module in pkgutil.walk_packages(expofmt.__path__, "expofmt."))]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith(".__main__")])
def test_examples(name: str, engine: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS, raise_on_error=False, report=True)
    assert failed == 0
