"""The folders of `mapper_path` on Python's import path: behind everything else, so that they hide no other module."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from worker.documents.problems import Problem

_ADDED: list[str] = []
"""What this module has put on `sys.path`, newest first; always its end."""


def add_to_path(folders: Sequence[Path]) -> None:
    """Import from these folders what is neither in the standard library nor installed."""
    new = [str(folder) for folder in folders if str(folder) not in sys.path]
    at = next((index for index, entry in enumerate(sys.path) if entry in _ADDED), len(sys.path))
    sys.path[at:at] = new
    _ADDED[:0] = new
    importlib.invalidate_caches()


def name_clashes(folders: Sequence[Path]) -> dict[str, Problem]:
    """The modules in these folders that share their name with the standard library's or an installed one.

    Python would import the other one; or, were the folders searched first, other code would get the user's module.
    """
    found: dict[str, Problem] = {}
    for folder in folders:
        for module in pkgutil.iter_modules([str(folder)]):
            if what := _other(module.name, folders):
                file = folder / module.name / "__init__.py" if module.ispkg else folder / f"{module.name}.py"
                message = f"'{module.name}' is also the name of {what}, which is imported instead"
                hint = "rename it: a module in mapper_path needs a name of its own"
                found[module.name] = Problem(message, _relative(file), 1, hint=hint)
    return found


def is_standard(module: str) -> bool:
    """Whether a module is in Python's standard library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def is_standard_function(function: Any) -> bool:
    """Whether a function was defined in the standard library; one that only wraps another counts as that one."""
    return inspect.isroutine(function) and is_standard(getattr(function, "__module__", None) or "")


def _other(name: str, folders: Sequence[Path]) -> str | None:
    """What else has this name, in words; None if nothing has."""
    if is_standard(name):
        return "a module of the standard library"
    own = [*map(str, folders), *_ADDED]
    outside = [entry for entry in sys.path if entry not in own]
    for origin in _origins(name, outside):
        if not any(Path(origin).resolve().is_relative_to(folder) for folder in own):
            return "an installed package"
    return None


def _origins(name: str, path: Sequence[str]) -> Iterator[str]:
    """The files that each of Python's finders has for a module; a folder without `__init__.py` hides nothing."""
    for finder in sys.meta_path:
        if not hasattr(finder, "find_spec"):  # an old one, which Python skips too
            continue
        spec = finder.find_spec(name, path)
        if spec and spec.origin and spec.has_location:
            yield spec.origin


def _relative(file: Path) -> str:
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
