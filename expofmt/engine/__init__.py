"""The seam: one engine is chosen here, and nothing outside this package knows which.

``scan``, ``pack`` and ``encode`` are the chosen engine's; call them as attributes of this module. The environment
variable ``EXPOFMT_ENGINE`` names an engine to use; without it, the fastest one that is installed is taken.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Final, cast

from ..model import pack_with
from .seam import Engine, Fault, Scan, ScannedFamily

__all__ = ["ENGINE", "Engine", "Fault", "Scan", "ScannedFamily", "encode", "pack", "scan", "use"]

_MODULES: Final = {"native": "._native", "lark": ".lark"}


def _module(name: str) -> Engine:
    # Loaded when it is chosen, and not before: that takes time.
    if name not in _MODULES:
        raise ValueError(f"no engine is called {name!r}: choose one of {', '.join(_MODULES)}")
    return cast(Engine, import_module(_MODULES[name], __name__))


def use(name: str) -> None:
    """Make an engine the one that is used from here on; what the others have made stays usable.

    Raises ValueError for a name that is no engine's, ImportError where the engine is not installed.

    >>> use("fastest")
    Traceback (most recent call last):
    ValueError: no engine is called 'fastest': choose one of native, lark
    """
    global ENGINE, scan, pack, encode
    module = _module(name)
    ENGINE, scan, pack, encode = name, module.scan, module.pack, module.encode
    pack_with(pack)


ENGINE = os.environ.get("EXPOFMT_ENGINE") or "lark"
_chosen = _module(ENGINE)
scan = _chosen.scan
pack = _chosen.pack
encode = _chosen.encode
pack_with(pack)
