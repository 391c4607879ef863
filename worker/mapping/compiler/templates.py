"""Pieces of Python text that compiled expressions are made of, and the two functions that they call.

Arguments called `name`, `at`, `first` and `second` are names in the generated function, or text literals.
"""

from __future__ import annotations

from typing import Any

from worker.mapping.expressions.ir import Call, Literal, Node

INLINE: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    "lower": ((("str",),), "{0}.lower()"),
    "upper": ((("str",),), "{0}.upper()"),
    "trim": ((("str",),), "{0}.strip()"),
    "length": ((("list", "str", "dict"),), "len({0})"),
    "starts_with": ((("str",), ("str",)), "{0}.startswith({1})"),
    "ends_with": ((("str",), ("str",)), "{0}.endswith({1})"),
}
"""The types that each argument may have, and the Python for it, which cannot fail on these types."""


def flattened(value: Any) -> list[Any] | None:
    """The result of `[]`: nested lists are spliced in, one level deep; null for anything but a list."""
    if type(value) is not list:
        return None
    if list not in map(type, value):
        return value
    flat: list[Any] = []
    for element in value:
        if type(element) is list:
            flat.extend(element)
        else:
            flat.append(element)
    return flat


def ordered(left: object, right: object) -> bool:
    """Whether two values have an order: two numbers, or two strings."""
    if type(left) is str:
        return type(right) is str
    return type(left) in (int, float) and type(right) in (int, float)


def truth(name: str) -> str:
    """JMESPath's truth of a name: as Python's, but 0 is true."""
    return f"({name} or {name} == 0 and {name} is not False)"


def element(index: int, at: str) -> str:
    """One element of a list, counted from its end if negative; null where there is none."""
    enough = at if index in (0, -1) else f"len({at}) > {index}" if index >= 0 else f"len({at}) >= {-index}"
    return f"({at}[{index}] if type({at}) is list and {enough} else None)"


def part(bounds: tuple[int | None, ...], at: str) -> str:
    """A slice of a list."""
    text = ":".join("" if bound is None else str(bound) for bound in bounds)
    return f"({at}[{text}] if type({at}) is list else None)"


def equals_literal(name: str, value: Any, literal: str, *, negated: bool) -> str:
    """Equality with a literal: 0 and 1 are not False and True."""
    if value is None or type(value) is bool:
        return f"({name} is {'not ' if negated else ''}{literal})"
    if type(value) in (int, float) and value in (0, 1):
        same = f"({name} == {literal} and {name} is not {bool(value)})"
        return f"(not {same})" if negated else same
    return f"({name} {'!=' if negated else '=='} {literal})"


def typed(node: Node, name: str, types: tuple[str, ...]) -> str:
    """A test that a value has one of these types; empty for a literal that has."""
    if isinstance(node, Literal) and type(node.value).__name__ in types:
        return ""
    either = " or ".join(f"type({name}) is {kind}" for kind in types)
    return f"({either})" if len(types) > 1 else either


def both_ordered(left: Node, first: str, right: Node, second: str, both: str) -> list[str]:
    """The tests that two values have an order; a literal leaves only one type to test."""
    for literal, other, name in ((left, right, second), (right, left, first)):
        if isinstance(literal, Literal) and not isinstance(other, Literal):
            if type(literal.value) is str:
                return [typed(other, name, ("str",))]
            if type(literal.value) in (int, float):
                return [typed(other, name, ("int", "float"))]
    return [f"{both}({first}, {second})"]


def guarded(checks: list[str], text: str, otherwise: str) -> str:
    """`text`, to be evaluated only where all checks hold."""
    if not checks:
        return f"({text})"
    if otherwise == "False":
        return f"({' and '.join(checks)} and {text})"
    return f"({text} if {' and '.join(checks)} else {otherwise})"


def first_found(arguments: list[str]) -> str:
    """The first of these names whose value is not null."""
    found = "".join(f"{argument} if {argument} is not None else " for argument in arguments[:-1])
    return f"({found}{arguments[-1]})"


def inline(call: Call, arguments: list[str]) -> str:
    """A function of `INLINE` written out; null where an argument has a wrong type."""
    types, template = INLINE[call.name]
    checks = [typed(*each) for each in zip(call.arguments, arguments, types, strict=True)]
    return guarded([check for check in checks if check], template.format(*arguments), "None")
