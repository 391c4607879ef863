"""Writes docs/api.md from the docstrings of what mapper authors import: `make docs`."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import worker
from worker.mapping.calls import builders

TARGET = Path(__file__).with_name("api.md")

_SECTION = re.compile(r"^(Args|Attributes|Raises):\n", re.MULTILINE)
_TITLES = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises"}

_HEAD = """\
# Python API for mappers

<!-- Written by `make docs` from the docstrings. Change those, not this file. -->

Import everything here from `worker`, for example `from worker import Event, track`. [mapping.md](mapping.md) describes
how a rule names a mapper and what a mapper may return.

"""


def reference() -> str:
    """The whole document."""
    names = {
        kind: [name for name in worker.__all__ if is_kind(getattr(worker, name))] for kind, is_kind in _KINDS
    }
    parts = [_HEAD]
    for kind, members in names.items():
        parts += [f"## {kind}\n\n", *(_entry(name, getattr(worker, name)) for name in members)]
    return "".join([*parts, _values()]).rstrip() + "\n"


_KINDS: list[tuple[str, Callable[[Any], bool]]] = [
    ("Classes", inspect.isclass),
    ("Functions", inspect.isfunction),
]


def _entry(name: str, member: Any) -> str:
    return f"### `{name}`\n\n```text\n{_signature(name, member)}\n```\n\n{_prose(inspect.getdoc(member) or '')}\n"


def _signature(name: str, member: Any) -> str:
    """One parameter a line, because builders have many."""
    shown: list[str] = []
    keyword_only = False
    for each in inspect.signature(member).parameters.values():
        if each.name == "untouched":  # the assembler's own note
            continue
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            shown.append("*")
        shown.append(_parameter(each))
    result = "" if inspect.isclass(member) else f" -> {inspect.get_annotations(member)['return']}"
    return "\n".join([f"{name}(", *(f"    {each}," for each in shown), f"){result}"])


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{parameter.name}: {parameter.annotation.removeprefix('Unpack[').removesuffix(']')}"
    default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
    return f"{parameter.name}: {parameter.annotation}{default}"


def _default(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | None) else "{}"


def _prose(docstring: str) -> str:
    """A docstring in Google's style as Markdown: its sections become lists."""
    text, *sections = _SECTION.split(docstring)
    parts = [text.strip() + "\n"]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        listed, _, after = inspect.cleandoc("\n" + body).partition("\n\n")
        parts.append(f"\n{_TITLES[title]}:\n\n{_list(listed)}")
        if after:
            parts.append(f"\n{after}\n")
    return "".join(parts)


def _list(body: str) -> str:
    entries = re.split(r"\n(?=\S)", body.strip("\n"))
    items = (re.fullmatch(r"([\w*]+): (.*)", " ".join(entry.split())) for entry in entries)
    return "".join(f"- `{item[1]}`: {item[2]}\n" for item in items if item and item[1] != "untouched")


def _values() -> str:
    """The types that signatures name."""
    common = _prose(inspect.getdoc(builders.Common) or "")
    types = "".join(f"### `{name}`\n\n{_documented(name)}\n\n" for name in ("Id", "Object"))
    return f"## Types in the signatures\n\n### `Common`\n\n{common}\n{types}"


def _documented(name: str) -> str:
    """The string below an assignment: Python keeps no docstring of a type alias."""
    body = ast.parse(inspect.getsource(builders)).body
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            assert isinstance(following, ast.Expr)
            assert isinstance(following.value, ast.Constant)
            return str(following.value.value)
    raise LookupError(name)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
