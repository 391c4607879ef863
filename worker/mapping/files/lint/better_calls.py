"""What to write instead of a function's call that no fixture's values fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jmespath.exceptions import JMESPathTypeError

from worker.mapping.expressions import functions
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.interpreter import Interpreter
from worker.mapping.expressions.parser import Node
from worker.mapping.expressions.text import name_of, text_of

_SUMS = frozenset({"sum", "avg", "max", "min"})
_OF_NUMBERS = frozenset(
    {"add", "subtract", "multiply", "divide", "round", "abs", "ceil", "floor", "rfc3339", "format_number"}
)
_OF_TEXT = frozenset(
    {"lower", "upper", "trim", "split", "replace", "sha256", "starts_with", "ends_with", "substring", "md5"}
    | {"pad_left", "matches", "extract", "replace_regex", "url_decode"}
)


def better_call(node: Node, given: Sequence[Any]) -> str | None:
    """What was probably meant; None if that is not known.

    Args:
        node: the call.
        given: its arguments in a fixture, none of them null.
    """
    name, arguments = node["value"], node["children"]
    if len(given) == 2 and _takes(name, given[::-1]):
        return f"write {name}({', '.join(map(text_of, arguments[::-1]))})"
    if name in _SUMS and _are_objects(given[0]):
        return _of_a_field(name, arguments[0], given[0])
    if name == "sort" and _are_objects(given[0]):
        key = _first(given[0], lambda value: isinstance(value, (str, int, float)))
        return f"write sort_by({text_of(arguments[0])}, &{key})" if key else None
    for position, value in enumerate(given):
        better = _converted(name, arguments[position], value)
        if better is not None and _takes(name, [*given[:position], better[1], *given[position + 1 :]]):
            texts = [*map(text_of, arguments[:position]), better[0], *map(text_of, arguments[position + 1 :])]
            return f"write {name}({', '.join(texts)})"
    return None


def _takes(name: str, arguments: Sequence[Any]) -> bool:
    """Whether the function has a result for these values."""
    literals = [{"type": "literal", "value": value, "children": []} for value in arguments]
    try:
        Interpreter({}).visit({"type": "function_expression", "value": name, "children": literals}, {})
    except (Mismatch, ExpressionFailed, JMESPathTypeError):
        return False
    return True


def _converted(name: str, argument: Node, value: Any) -> tuple[str, Any] | None:
    """An argument of another type, as text and as a value."""
    if (
        name in _OF_NUMBERS
        and isinstance(value, str)
        and (number := functions.caller("to_number")(value)) is not None
    ):
        return (f"`{value}`" if argument["type"] == "literal" else f"to_number({text_of(argument)})"), number
    if name in _OF_TEXT and type(value) in (int, float):
        literal = argument["type"] == "literal"
        return (f"'{value}'" if literal else f"to_string({text_of(argument)})"), str(value)
    return None


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _of_a_field(name: str, argument: Node, items: Sequence[dict[str, Any]]) -> str | None:
    key = _first(items, lambda value: type(value) in (int, float))
    return f"write {name}({text_of(argument)}[].{key})" if key else None


def _first(items: Sequence[dict[str, Any]], fits: Callable[[Any], bool]) -> str | None:
    """The first field, as expressions write it, whose value fits in every item."""
    names = [key for key in items[0] if all(key in item and fits(item[key]) for item in items)]
    return name_of(names[0]) if names else None
