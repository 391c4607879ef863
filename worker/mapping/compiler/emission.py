"""Expressions as Python source.

What is emitted are statements, and a Python expression for the value. The rules that keep this correct:

- Values are exact JSON types (`dict`, `list`, `str`, `int`, `float`, `bool`, None), so types are compared
  by `is`.
- A Python expression that is returned has no side effects and cannot raise. Whatever may raise (a call that
  could meet a fault) is a statement, so that faults are met in the order in which the library meets them.
- What the library evaluates only under a condition is written aside and pasted under that condition.
- A fault makes the *whole* expression null. Where null in one place already has that effect (`soft`), a
  function that is given a wrong type is simply null there, and nothing needs to be raised.
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from worker.mapping.compiler import templates as snippets
from worker.mapping.compiler.objects import Objects
from worker.mapping.expressions import functions
from worker.mapping.expressions.failures import Mismatch
from worker.mapping.expressions.interpreter import interpret, without_kafka
from worker.mapping.expressions.parser import Node, contains, fields_read

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code, Fragment

_ORDER = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_PLAIN = (type(None), bool, int, float, str)
_NULL_OF_NULL = frozenset({"field", "index", "slice", "multi_select_dict", "multi_select_list"})

_INLINE: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    "lower": ((("str",),), "{0}.lower()"),
    "upper": ((("str",),), "{0}.upper()"),
    "trim": ((("str",),), "{0}.strip()"),
    "length": ((("list", "str", "dict"),), "len({0})"),
    "starts_with": ((("str",), ("str",)), "{0}.startswith({1})"),
    "ends_with": ((("str",), ("str",)), "{0}.endswith({1})"),
}
"""The types that each argument may have, and the Python for it. None of these can fail on the right types."""

_BOOLEAN = frozenset({"starts_with", "ends_with"})
_NEVER_A_MISMATCH = frozenset({"not_null", "to_array", "to_number", "to_string", "type"})


class Emission:
    """One expression on its way into one `Code`.

    Attributes:
        raises: whether a statement was emitted that can raise `Mismatch`.
    """

    def __init__(self, code: Code, event: str, kafka: str) -> None:
        self.raises = False
        self._code = code
        self._event = event
        self._kafka = kafka
        self._objects = Objects(code)
        self._objects.known(event)
        if kafka != "None":
            self._objects.known(kafka)

    def value(self, node: Node, at: str, *, soft: bool = False) -> str:
        """Emit a node that is evaluated on the value that `at` names.

        Args:
            node: what to emit.
            at: a name; the event's own at the root.
            soft: whether null here makes the whole expression null.

        Returns:
            A Python expression, to be evaluated at most once and before the block ends.
        """
        meaning = f"{node} at {at}, {soft}"
        text = self._code.recall(meaning) or self._emit(node, at, soft=soft)
        if _is_name(text):
            self._code.remember(meaning, text)
        return text

    def _emit(self, node: Node, at: str, *, soft: bool) -> str:  # noqa: C901, PLR0911, PLR0912 - one line each
        match node["type"]:
            case "current" | "identity":
                return self._current(at)
            case "kafka":
                return self._kafka
            case "field":
                return self._objects.field(node["value"], at)
            case "literal":
                return self._literal(node["value"])
            case "subexpression" | "index_expression" | "pipe":
                return self._path(node["children"], at, soft=soft)
            case "index":
                text = snippets.element(node["value"], at)
                self._objects.item_of(text, at)
                return text
            case "slice":
                return snippets.part(node["children"], at)
            case "multi_select_dict" | "multi_select_list":
                return self._select(node, at)
            case "key_val_pair":
                return f"{node['value']!r}: {self.value(node['children'][0], at)}"
            case "comparator":
                return self._comparison(node, at, soft=soft, otherwise="None")
            case "not_expression":
                return self.condition(node, at)
            case "and_expression" | "or_expression":
                return self._choice(node, at, soft=soft)
            case "function_expression":
                return self._call(node, at, soft=soft)
            case "flatten":
                return f"{self._global(snippets.flattened)}({self.value(node['children'][0], at, soft=soft)})"
            case _:
                return self._projection(node, at, soft=soft)

    def condition(self, node: Node, at: str, *, soft: bool = False) -> str:
        """Emit a node as a Python expression that is true exactly if JMESPath calls the value true."""
        match node["type"]:
            case "comparator":
                return self._comparison(node, at, soft=soft, otherwise="False")
            case "not_expression":
                return f"(not {self.condition(node['children'][0], at)})"
            case "and_expression" | "or_expression":
                return self._all_or_any(node, at, soft=soft)
            case "function_expression" if soft and node["value"] in _BOOLEAN:
                return self._call(node, at, soft=True)
            case _:
                return snippets.truth(self._local(node, at, soft=soft))

    # Names

    def _local(self, node: Node, at: str, *, soft: bool = False) -> str:
        """A name that holds the node's value."""
        return self._named(self.value(node, at, soft=soft), _hint(node))

    def _atom(self, node: Node, at: str, *, soft: bool = False) -> str:
        """A name or literal text: Python that may be repeated."""
        if node["type"] == "literal" and type(node["value"]) is str:
            return self._literal(node["value"])
        return self._local(node, at, soft=soft)

    def _named(self, text: str, hint: str) -> str:
        if _is_name(text):
            return text
        name = self._code.share(text, hint)
        self._objects.same_form(name, text)
        return name

    def _global(self, value: object) -> str:
        return self._code.constant(value, getattr(value, "__name__", "constant"))

    # Paths

    def _current(self, at: str) -> str:
        if at != self._event or at in self._code.forms:
            return at
        visible = self._code.share(
            f'{at} if "_kafka" not in {at} else {self._global(without_kafka)}({at})', "whole"
        )
        self._objects.known(visible)
        return visible

    def _literal(self, value: Any) -> str:
        return repr(value) if isinstance(value, _PLAIN) else self._code.constant(value, "literal")

    def _path(self, children: list[Node], at: str, *, soft: bool) -> str:
        soft_start = soft and all(child["type"] in _NULL_OF_NULL for child in children[1:])
        at = self._local(children[0], at, soft=soft_start)
        for child in children[1:-1]:
            at = self._local(child, at)
        return self.value(children[-1], at, soft=soft)

    def _select(self, node: Node, at: str) -> str:
        """`{a: x, b: y}` and `[x, y]`: null on null, else a new object or list."""
        if fields_read(node):
            self._objects.name(at)
        with self._code.aside() as fragment:
            parts = ", ".join([self.value(child, at) for child in node["children"]])
        display = f"{{{parts}}}" if node["type"] == "multi_select_dict" else f"[{parts}]"
        if self._objects.is_known(at):
            self._code.paste(fragment)
            return display
        if not fragment:
            return f"({display} if {at} is not None else None)"
        result = self._result("None")
        with self._code.block(f"if {at} is not None:"):
            self._code.paste(fragment)
            self._code.line(f"{result} = {display}")
        return result

    def _result(self, text: str, hint: str = "result") -> str:
        """A name of its own, for a value that is decided by the statements that follow."""
        name = self._code.name(hint)
        self._code.line(f"{name} = {text}")
        return name

    # Logic

    def _comparison(self, node: Node, at: str, *, soft: bool, otherwise: str) -> str:
        left, right = node["children"]
        if node["value"] in _ORDER:
            return self._order(node, at, soft=soft, otherwise=otherwise)
        if left["type"] == "literal":
            left, right = right, left
        negated = node["value"] == "ne"
        if right["type"] == "literal":
            never_null = right["value"] is not None and not negated and otherwise == "False"
            name = self._local(left, at, soft=soft and never_null)
            return snippets.equals_literal(
                name, right["value"], self._literal(right["value"]), negated=negated
            )
        first, second = self._local(left, at), self._local(right, at)
        same = f"({first} == {second} and (type({first}) is bool) is (type({second}) is bool))"
        return f"(not {same})" if negated else same

    def _order(self, node: Node, at: str, *, soft: bool, otherwise: str) -> str:
        """Numbers with numbers, text with text; else null."""
        left, right = node["children"]
        alone = not (_calls(left) and _calls(right))
        first = self._atom(left, at, soft=soft and alone)
        second = self._atom(right, at, soft=soft and alone)
        checks = snippets.both_ordered(left, first, right, second, self._global(snippets.ordered))
        return snippets.guarded(checks, f"{first} {_ORDER[node['value']]} {second}", otherwise)

    def _operands(self, node: Node, at: str, *, soft: bool, truth: bool) -> list[tuple[Fragment, str]]:
        """The operands of `||` or `&&`, each aside: all but the first are evaluated under a condition."""
        emit = self.condition if truth else self.value
        last = len(node["children"]) - 1
        any_place = node["type"] == "and_expression"  # null && x is null; null || x is x
        operands = []
        for index, child in enumerate(node["children"]):
            with self._code.aside() as fragment:
                text = emit(child, at, soft=soft and (any_place or index == last))
            if index == 0:
                self._code.paste(fragment)
            operands.append((fragment, text))
        return operands

    def _all_or_any(self, node: Node, at: str, *, soft: bool) -> str:
        conjunction = node["type"] == "and_expression"
        operands = self._operands(node, at, soft=soft, truth=True)
        if not any(fragment for fragment, _ in operands[1:]):
            return f"({(' and ' if conjunction else ' or ').join(text for _, text in operands)})"
        result = self._result(operands[0][1], "holds")
        for fragment, text in operands[1:]:
            with self._code.block(f"if {result}:" if conjunction else f"if not {result}:"):
                self._code.paste(fragment)
                self._code.line(f"{result} = {text}")
        return result

    def _choice(self, node: Node, at: str, *, soft: bool) -> str:
        """`a || b` and `a && b` as values: the last operand that was looked at."""
        conjunction = node["type"] == "and_expression"
        operands = self._operands(node, at, soft=soft, truth=False)
        result = self._result(operands[0][1])
        for fragment, text in operands[1:]:
            with self._code.block(
                f"if {snippets.truth(result)}:" if conjunction else f"if not {snippets.truth(result)}:"
            ):
                self._code.paste(fragment)
                self._code.line(f"{result} = {text}")
        return result

    # Functions

    def _call(self, node: Node, at: str, *, soft: bool) -> str:
        name, children = node["value"], node["children"]
        if name == "map":
            return self._map(node, at)
        if contains(node, "expref"):
            return self._interpreted(node, self._current(at))
        alone = sum(map(_calls, children)) <= 1 and name not in _NEVER_A_MISMATCH
        if name == "not_null":
            return snippets.first_found([self._local(child, at) for child in children])
        arguments = [self._atom(child, at, soft=soft and alone) for child in children]
        if soft and name in _INLINE:
            types, template = _INLINE[name]
            checks = [snippets.typed(*each) for each in zip(children, arguments, types, strict=True)]
            text = template.format(*arguments)
            return snippets.guarded([check for check in checks if check], text, "None")
        self.raises |= name not in _NEVER_A_MISMATCH
        return self._code.share(f"{self._global(functions.caller(name))}({', '.join(arguments)})", name)

    def _map(self, node: Node, at: str) -> str:
        expression, items = node["children"]
        source = self._local(items, at)
        self.raises = True
        with self._code.block(f"if type({source}) is not list:"):
            self._code.line(f"raise {self._global(Mismatch)}")
        result = self._result("[]", "mapped")
        element = self._code.name("element")
        with self._code.block(f"for {element} in {source}:"):
            self._code.line(f"{result}.append({self.value(expression['children'][0], element)})")
        return result

    def _interpreted(self, node: Node, at: str) -> str:
        """Leave a node to the library."""
        self.raises = True
        arguments = f"{self._code.constant(node, 'node')}, {self._objects.plain(at)}, {self._kafka}"
        return self._code.share(f"{self._global(interpret)}({arguments})", "interpreted")

    # Projections

    def _projection(self, node: Node, at: str, *, soft: bool) -> str:
        base = node["children"][0]
        flat = node["type"] == "projection" and base["type"] == "flatten"
        source = self._local(base["children"][0] if flat else base, at, soft=soft)
        result = self._result("None", "items")
        kind, items = (
            ("dict", f"{source}.values()") if node["type"] == "value_projection" else ("list", source)
        )
        with self._code.block(f"if type({source}) is {kind}:"):
            self._code.line(f"{result} = []")
            self._loop(node, result, source, items, flat=flat)
        return result

    def _loop(self, node: Node, result: str, source: str, items: str, *, flat: bool) -> None:
        """Visit every element.

        Elements whose fields are read are objects, as good as always: the body is written for objects, and
        a list with anything else in it is left to the library as a whole.
        """
        _, each, *condition = node["children"]
        of_objects = bool(set().union(*map(fields_read, node["children"][1:])))
        element = self._code.name("element")
        self._objects.item_of(element, source)
        if flat and not of_objects:
            items = f"{self._global(snippets.flattened)}({items})"
        with self._code.block(f"for {element} in {items}:"):
            if of_objects:
                again = {**node, "children": [_same(flat=flat), *node["children"][1:]]}
                with self._code.block(f"if type({element}) is not {self._objects.type(element)}:"):
                    self._code.line(f"{result} = {self._interpreted_once(again, source)}")
                    self._code.line("break")
                self._objects.known(element)
            if condition:
                with self._code.block(f"if {self.condition(condition[0], element)}:"):
                    self._append(each, result, element)
            else:
                self._append(each, result, element)

    def _interpreted_once(self, node: Node, at: str) -> str:
        self.raises |= _calls(node)
        return (
            f"{self._global(interpret)}({self._code.constant(node, 'node')}, {self._objects.plain(at)}, None)"
        )

    def _append(self, each: Node, result: str, element: str) -> None:
        text = self.value(each, element)
        if self._objects.is_known(element) and each["type"] in (
            "multi_select_dict",
            "multi_select_list",
            "identity",
        ):
            self._code.line(f"{result}.append({text})")
            return
        found = self._named(text, "found")
        with self._code.block(f"if {found} is not None:"):
            self._code.line(f"{result}.append({found})")


def _same(*, flat: bool) -> Node:
    """The left side of a projection over the current value."""
    same: Node = {"type": "identity", "children": []}
    return {"type": "flatten", "children": [same]} if flat else same


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _hint(node: Node) -> str:
    """What to call a node's value."""
    kind = node["type"]
    if kind in ("field", "function_expression"):
        return str(node["value"])
    return _hint(node["children"][-1]) if kind == "subexpression" else "value"


def _calls(node: Node) -> bool:
    return contains(node, "function_expression")
