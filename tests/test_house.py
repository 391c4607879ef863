"""The maps of the code name every package that exists, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import worker

ROOT = Path(__file__).parents[1]
ROOMS = {path.parent.name for path in (ROOT / "worker").glob("*/__init__.py")}
MAPS = {
    "worker/__init__.py": set(re.findall(r"\b([a-z_]+)/", str(worker.__doc__))),
    "docs/architecture.md": set(
        re.findall(r"`worker/(\w+)/", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_names_every_package_and_no_other(name: str) -> None:
    assert MAPS[name] == ROOMS


def test_one_place_makes_kafka_clients() -> None:
    """Each client must log through the worker's logger, or it writes lines of its own between the worker's."""
    makers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "worker").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"AdminClient", "Consumer", "Producer"}
    }
    # The demo's cluster is a feature of a client, which has a logger of its own.
    assert makers == {"worker/adapters/kafka/clients.py", "worker/demo/cluster.py"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for type checking count too: what a module's signatures say is part of understanding it."""
    modules = {_module_name(path): path for path in (ROOT / "worker").rglob("*.py")}
    try:
        TopologicalSorter(
            {name: _imported(path, modules) - {name} for name, path in modules.items()}
        ).prepare()
    except CycleError as found:
        pytest.fail(" -> ".join(found.args[1]))


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules of the worker that a module imports. `from package import module` imports the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                name if (name := f"{node.module}.{each.name}") in modules else node.module
                for each in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return found & set(modules)
