"""Describes unexpected exceptions by their type and place, without data of a record.

The message of an exception may quote a record, so it is never logged. Even the name of its type, and the file and
function of a frame, may come from a record (`type(event["kind"], (Exception,), {})`, `exec`). So a type is named only
if a loaded module contains it under that name, a frame only if its code is the worker's or in a loaded module's file.
"""

from __future__ import annotations

import re
import sys
import traceback
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType

from worker.core.reasons import Rejected, Stage

MAX_PLACES = 20
"""How many places of a traceback are logged, the innermost ones: an endless recursion has a thousand."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)

_TYPES_CACHED = 256
"""Finding a type searches all modules, so results are cached; a program raises far fewer types than this."""


def type_name(error: BaseException) -> str:
    """The name of an exception's type, or of its nearest base class that a module contains.

    Examples: `KeyError`; `Exception` for a type that was created at run time.
    """
    return dotted_type_name(error).rpartition(".")[2]


def dotted_type_name(error: BaseException) -> str:
    """As `type_name`, with the module: `builtins.KeyError`, `aiohttp.client_exceptions.ClientError`."""
    return next(name for kind in type(error).__mro__ if (name := _defined_as(kind)))


def places(error: BaseException) -> list[str]:
    """The traceback as `file:line in function`, the innermost place last; see `MAX_PLACES`."""
    frames = traceback.walk_tb(error.__traceback__)
    found = [place for frame, line in frames if (place := _place(frame, line))]
    return found[-MAX_PLACES:]


def unexpected(fault: Exception) -> Rejected:
    """The rejection of a record on which the worker itself failed, with the type and place of the exception."""
    at = "".join(f" at {place}" for place in places(fault)[-1:])
    return Rejected(
        Stage.MAP, "UNEXPECTED_FAULT", f"the worker failed on this record: {type_name(fault)}{at}"
    )


@lru_cache(_TYPES_CACHED)
def _defined_as(kind: type) -> str | None:
    """The dotted name under which a module contains this type; None if none does.

    All modules are searched, because `__module__` of types in C modules is often wrong.
    """
    name = kind.__name__
    if not _NAME.fullmatch(name):
        return None
    own = str(kind.__module__)
    for module, loaded in [(own, sys.modules.get(own)), *sys.modules.items()]:
        if getattr(loaded, "__dict__", {}).get(name) is kind:
            return f"{module}.{name}"
    return None


def _place(frame: FrameType, line: int) -> str | None:
    module, code = frame.f_globals.get("__name__"), frame.f_code
    if not isinstance(module, str):
        return None
    if module.startswith("worker."):
        return f"{_short(code, module)}:{line} in {code.co_name}"
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{_short(code, module)}:{line} in {code.co_name}" if file == code.co_filename else None


def _short(code: CodeType, module: str) -> str:
    """The file, relative to its package's parent: `worker/mapping/mappings.py`; for generated code its full name."""
    if code.co_filename.startswith("<"):
        return code.co_filename
    parts = Path(code.co_filename).parts
    levels = module.count(".") + 1 + (parts[-1] == "__init__.py")
    return "/".join(parts[-levels:])
