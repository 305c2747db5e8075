"""Imports only point up: a file of the package imports what is listed above it, and nothing else of the package."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import expofmt

PACKAGE = Path(expofmt.__file__).parent

# The architecture, a layer a line: a new file takes its place here. `expofmt` itself re-exports what stands above it.
LAYERS = """
version.py source.py names.py values.py formats.py
codes.py quoting.py remedies.py words.py explanations.py model.py diagnostics.py grouping.py
engine/seam.py engine/columns.py engine/encoder.py engine/gather.py engine/grammar.py engine/lark.py engine/__init__.py
engine/protobuf/wire.py engine/protobuf/reading.py engine/protobuf/writing.py engine/protobuf/__init__.py
consistency.py parse.py render.py report.py
merge.py diff.py
groups.py expiry.py pushing.py catalog.py page.py published.py committed.py requests.py writer.py store.py
__init__.py
strategies.py hypothesis_plugin.py
journal/sqlite.py journal/__init__.py journal/pushgateway.py
gateway/complaints.py gateway/verdicts.py gateway/api.py
gateway/page/data.py gateway/page/document.py gateway/page/__init__.py
gateway/messages.py gateway/encodings.py gateway/own.py gateway/router.py gateway/handler.py
gateway/asgi.py gateway/wsgi.py gateway/__init__.py
gateway/durations.py gateway/handshakes.py gateway/presence.py
gateway/webconfig/errors.py gateway/webconfig/watched.py gateway/webconfig/tls_server.py gateway/webconfig/reading.py
gateway/webconfig/file.py gateway/webconfig/passwords.py gateway/webconfig/layer.py gateway/webconfig/__init__.py
gateway/logs.py gateway/listeners.py gateway/connection.py gateway/server.py
cli/inputs.py cli/progress.py cli/replace.py cli/options.py cli/client.py cli/outcome.py
cli/check.py cli/fmt.py cli/merge.py cli/diff.py cli/stats.py cli/push.py cli/journal.py cli/explain.py
cli/serve.py cli/__init__.py
__main__.py
"""


def sources() -> dict[str, str]:
    """File -> text, for each Python file of the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
        if "native" not in path.parts
    }


def imported(file: str, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Line, name in the package and, of `from name import part`, the part: wherever in the file the import stands."""
    folder = ["expofmt", *file.split("/")[:-1]]
    for node in ast.walk(ast.parse(text, file)):
        found: list[tuple[str, str | None]]
        if isinstance(node, ast.Import):
            found = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) + 1 - node.level] if node.level else []
            name = ".".join([*base, node.module] if node.module else base)
            found = [(name, alias.name) for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name, part) for name, part in found if name.split(".")[0] == "expofmt")


def target(name: str, part: str | None, files: Mapping[str, str]) -> str | None:
    """The file that an import loads: a part may be a module of its own."""
    for module in (f"{name}.{part}", name) if part else (name,):
        path = "/".join(module.split(".")[1:])
        for file in (f"{path}.py", f"{path}/__init__.py".lstrip("/")):
            if file in files:
                return file
    return None


def violations(files: Mapping[str, str], layers: str = LAYERS) -> list[str]:
    """What breaks the rule in these files, a line each."""
    order = layers.split()
    place = {file: index for index, file in enumerate(order)}
    found = [f"{file}: has no place in LAYERS" for file in sorted(files.keys() - place.keys())]
    found += [f"{file}: in LAYERS, but no such file" for file in order if file not in files]
    for file in sorted(files.keys() & place.keys(), key=place.__getitem__):
        for line, name, part in imported(file, files[file]):
            loaded = target(name, part, files)
            shown = f"{name}.{part}" if part else name
            if loaded is None:
                found.append(f"{file}:{line}: {shown} does not exist")
            elif loaded not in place or place[loaded] >= place[file]:
                found.append(f"{file}:{line}: imports {shown}, which is not listed above it")
    return found


def test_imports_only_point_up() -> None:
    assert violations(sources()) == []


def test_the_test_finds_each_kind_of_violation() -> None:
    files = {
        "source.py": "import os\nfrom . import model\n",
        "model.py": "from .source import Span\ndef f():\n  from expofmt import parse\n  import expofmt.engine.lark\n",
        "engine/lark.py": "from ..model import Sample\nfrom . import scan\nfrom .gone import x\n",
        "engine/__init__.py": "from .lark import scan\nfrom expofmt.source import Span\n",
        "parse.py": "from . import engine\nif TYPE_CHECKING:\n    from .parse import parse\n",
        "helpers.py": "",
    }
    assert violations(files, "source.py model.py engine/lark.py engine/__init__.py parse.py render.py") == [
        "helpers.py: has no place in LAYERS",
        "render.py: in LAYERS, but no such file",
        "source.py:2: imports expofmt.model, which is not listed above it",
        "model.py:3: imports expofmt.parse, which is not listed above it",
        "model.py:4: imports expofmt.engine.lark, which is not listed above it",
        "engine/lark.py:2: imports expofmt.engine.scan, which is not listed above it",
        "engine/lark.py:3: expofmt.engine.gone.x does not exist",
        "parse.py:3: imports expofmt.parse.parse, which is not listed above it",
    ]
