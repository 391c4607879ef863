"""From the syntax tree of an expression to its intermediate representation; see `expressions.ir`.

A function that is given a wrong type makes the *whole* expression null. Where a null value has the same effect
(`soft`), the function can be null instead of raising `Mismatch`, and so can be written inline.
"""

from __future__ import annotations

from worker.mapping.compiler.templates import INLINE
from worker.mapping.expressions import ir
from worker.mapping.expressions.parser import Node as Syntax
from worker.mapping.expressions.parser import contains, fields_read, levels

NEVER_A_MISMATCH = frozenset({"not_null", "to_array", "to_number", "to_string", "type"})
"""The functions that accept any type, and so never raise `Mismatch`."""

_MOST_COMPILED_LEVELS = 16
"""CPython nests at most 20 blocks in a function, and the converter itself needs four. Deeper expressions are evaluated
by the library."""

_BOOLEAN = frozenset({"starts_with", "ends_with"})
_ORDER = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_NULL_OF_NULL = frozenset({"field", "index", "slice", "multi_select_dict", "multi_select_list"})


def lower(expression: Syntax, *, condition: bool = False) -> ir.Node:
    """Lower a whole expression: its value, or with `condition` whether that is true."""
    lowered = (_condition if condition else _value)(expression, soft=True)
    if levels(expression) <= _MOST_COMPILED_LEVELS:
        return lowered
    by_library = ir.Library(expression, (lowered,))
    return ir.Truth(by_library) if condition else by_library


def _value(node: Syntax, *, soft: bool = False) -> ir.Node:  # noqa: C901, PLR0911, PLR0912 - one line each
    children = node["children"]
    match node["type"]:
        case "current" | "identity":
            return ir.Current()
        case "kafka":
            return ir.Kafka()
        case "envelope":
            return ir.Envelope()
        case "field":
            return ir.Field(node["value"])
        case "literal":
            return ir.Literal(node["value"])
        case "index":
            return ir.Element(node["value"])
        case "slice":
            return ir.Slice(tuple(children))
        case "subexpression" | "index_expression" | "pipe":
            return _path(children, soft=soft)
        case "multi_select_dict":
            values = tuple(_value(pair["children"][0]) for pair in children)
            return ir.Select(tuple(pair["value"] for pair in children), values, bool(fields_read(node)))
        case "multi_select_list":
            return ir.Select(None, tuple(map(_value, children)), bool(fields_read(node)))
        case "comparator":
            return _comparison(node, soft=soft, condition=False)
        case "not_expression":
            return ir.Not(_condition(children[0]))
        case "and_expression" | "or_expression":
            return _logic(node, soft=soft, condition=False)
        case "function_expression":
            return _FORMS.get(node["value"], _call)(node, soft=soft)
        case "variable":
            return _variable(node)
        case "expref":
            return _value(children[0])
        case "flatten":
            return ir.Flatten(_value(children[0], soft=soft))
        case _:
            return _projection(node, soft=soft)


def _condition(node: Syntax, *, soft: bool = False) -> ir.Node:
    match node["type"]:
        case "comparator":
            return _comparison(node, soft=soft, condition=True)
        case "not_expression":
            return ir.Not(_condition(node["children"][0]))
        case "and_expression" | "or_expression":
            return _logic(node, soft=soft, condition=True)
        case "function_expression" if soft and node["value"] in _BOOLEAN:
            return _call(node, soft=True)
        case _:
            return ir.Truth(_value(node, soft=soft))


def _path(children: list[Syntax], *, soft: bool) -> ir.Path:
    first, *others, last = children
    soft_start = soft and all(child["type"] in _NULL_OF_NULL for child in [*others, last])
    return ir.Path((_value(first, soft=soft_start), *map(_value, others), _value(last, soft=soft)))


def _comparison(node: Syntax, *, soft: bool, condition: bool) -> ir.Node:
    left, right = node["children"]
    if node["value"] in _ORDER:
        soft = soft and not (_calls(left) and _calls(right))
        first, second = _value(left, soft=soft), _value(right, soft=soft)
        return ir.Order(_ORDER[node["value"]], first, second, condition)
    if left["type"] == "literal":
        left, right = right, left
    negated = node["value"] == "ne"
    # Only where null is never equal does null make the condition false, as a wrong type does.
    never_null = condition and not negated and right["type"] == "literal" and right["value"] is not None
    return ir.Equal(_value(left, soft=soft and never_null), _value(right), negated)


def _logic(node: Syntax, *, soft: bool, condition: bool) -> ir.Logic:
    conjunction = node["type"] == "and_expression"
    *others, last = node["children"]
    lowered = _condition if condition else _value
    soft_everywhere = soft and conjunction  # null && x is null; null || x is x
    operands = [lowered(child, soft=soft_everywhere) for child in others]
    return ir.Logic(conjunction, (*operands, lowered(last, soft=soft)), condition)


def _call(node: Syntax, *, soft: bool) -> ir.Node:
    name, children = node["value"], node["children"]
    if name == "map":
        return ir.Map(_value(children[0]), _value(children[1]))
    if contains(node, "expref"):
        return ir.Library(node, tuple(map(_value, children)))
    alone = sum(map(_calls, children)) <= 1 and name not in NEVER_A_MISMATCH
    arguments = tuple(_value(child, soft=soft and alone) for child in children)
    return ir.Call(name, arguments, soft and name in INLINE)


def _variable(node: Syntax) -> ir.Node:
    let = node["let"]  # an `Expression`
    return ir.Variable(node["value"]) if let is None else ir.Let(node["value"], let.number, let.value)


def _if(node: Syntax, *, soft: bool) -> ir.Node:
    condition, then, otherwise = node["children"]
    return ir.Choice(_condition(condition, soft=True), _value(then, soft=soft), _value(otherwise, soft=soft))


def _default(node: Syntax, *, soft: bool) -> ir.Node:
    value, otherwise = node["children"]
    return ir.Default(_value(value, soft=True), _value(otherwise, soft=soft), node["value"] == "try")


def _lookup(node: Syntax, *, soft: bool) -> ir.Node:
    table, key = node["children"]
    soft = soft and table["type"] == "literal"
    return ir.Lookup(node["tables"], _value(table), _value(key, soft=soft), soft)


_FORMS = {"if": _if, "default": _default, "try": _default, "lookup": _lookup}


def _projection(node: Syntax, *, soft: bool) -> ir.Projection:
    base, each, *condition = node["children"]
    kind = "values" if node["type"] == "value_projection" else "items"
    same: Syntax = {"type": "identity", "children": []}
    if node["type"] == "projection" and base["type"] == "flatten":
        kind, base, same = "flat", base["children"][0], {"type": "flatten", "children": [same]}
    again = {**node, "children": [same, each, *condition]}
    return ir.Projection(
        _value(base, soft=soft),
        _value(each),
        _condition(condition[0]) if condition else None,
        kind,
        any(map(fields_read, [each, *condition])),
        again,
        contains(again, "function_expression"),
    )


def _calls(node: Syntax) -> bool:
    """Whether evaluating the node can fail: functions can, and so can the expression of a `$name`."""
    return contains(node, "function_expression") or contains(node, "variable")
