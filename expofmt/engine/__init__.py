"""The seam: one engine is chosen here, and nothing outside this package knows which.

``scan``, ``suspects``, ``assemble``, ``pack``, ``encode``, ``encode_exact``, ``encode_plain``, ``SeriesIndex`` and
``Gathered`` are the chosen engine's; call them as attributes of this module. That is the native engine where it is
installed, else the Lark engine. The environment variable ``EXPOFMT_ENGINE`` forces one.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final, cast

from ..model import pack_with
from ..version import __version__
from .seam import Engine, Excerpt, Fault, Scan, ScannedFamily

__all__ = [
    "ENGINE",
    "Engine",
    "Excerpt",
    "Fault",
    "Gathered",
    "Scan",
    "ScannedFamily",
    "SeriesIndex",
    "assemble",
    "encode",
    "encode_exact",
    "encode_plain",
    "pack",
    "scan",
    "suspects",
    "use",
]

_MODULES: Final = {"native": "._native", "lark": ".lark"}
_NATIVE: Final = f"{__name__}._native"


def _module(name: str) -> Engine:
    # Loaded when it is chosen, and not before: that takes time.
    if name not in _MODULES:
        raise ValueError(f"no engine is called {name!r}: choose one of {', '.join(_MODULES)}")
    try:
        module = import_module(_MODULES[name], __name__)
    except ModuleNotFoundError as error:
        if error.name != _NATIVE:
            raise
        raise ModuleNotFoundError(
            "the native engine is not installed: wheels hold it, and an installation from source makes it where Rust's "
            "cargo is found",
            name=error.name,
        ) from error
    if name == "native" and module.__version__ != __version__:
        raise ImportError(
            f"the native engine is that of expofmt {module.__version__}, and this is {__version__}: install it again, "
            "or do without it (EXPOFMT_ENGINE=lark)",
            name=module.__name__,
        )
    return cast(Engine, module)


def _first_choice() -> tuple[str, Engine]:
    # Only builds of Python that can do without the lock have the question.
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise ImportError(
            "expofmt has not been tested without Python's global interpreter lock: start with PYTHON_GIL=1"
        )
    forced = os.environ.get("EXPOFMT_ENGINE")
    if forced:
        return forced, _module(forced)
    try:
        return "native", _module("native")
    except ModuleNotFoundError as error:
        # An engine that is there and does not load is no reason to be slow in silence.
        if error.name != _NATIVE:
            raise
        return "lark", _module("lark")


def use(name: str) -> None:
    """Make an engine the one that is used from here on; what the others have made stays usable.

    Raises ValueError for a name that is no engine's, ImportError where the engine is not installed.

    >>> use("fastest")
    Traceback (most recent call last):
    ValueError: no engine is called 'fastest': choose one of native, lark
    """
    global ENGINE, scan, suspects, assemble, pack, encode, encode_exact, encode_plain, SeriesIndex, Gathered
    module = _module(name)
    ENGINE, scan, suspects = name, module.scan, module.suspects
    assemble, pack = module.assemble, module.pack
    encode, encode_exact, encode_plain = module.encode, module.encode_exact, module.encode_plain
    SeriesIndex, Gathered = module.SeriesIndex, module.Gathered
    pack_with(pack)


ENGINE, _chosen = _first_choice()
scan = _chosen.scan
suspects = _chosen.suspects
assemble = _chosen.assemble
pack = _chosen.pack
encode = _chosen.encode
encode_exact = _chosen.encode_exact
encode_plain = _chosen.encode_plain
SeriesIndex = _chosen.SeriesIndex
Gathered = _chosen.Gathered
pack_with(pack)
