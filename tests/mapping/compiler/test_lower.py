"""What the compiler makes of an expression before it writes Python."""

from __future__ import annotations

from typing import get_args

import pytest

from worker.mapping.compiler.write import _Writer
from worker.mapping.expressions import ir
from worker.mapping.expressions.expression import Expression


def lowered(text: str) -> ir.Node:
    return Expression.parse(text).value


def test_a_literal_stands_on_the_right_of_an_equality() -> None:
    assert (
        lowered("'x' == a") == lowered("a == 'x'") == ir.Equal(ir.Field("a"), ir.Literal("x"), negated=False)
    )


@pytest.mark.parametrize(
    ("text", "inline"),
    [
        ("lower(a)", True),  # null here is null as a whole
        ("lower(a.b) | c", True),
        ("lower(a) || b", False),  # a wrong type ends the whole expression; null would go on with b
        ("[lower(a)]", False),
    ],
)
def test_a_function_is_written_inline_only_where_null_means_the_same_as_a_wrong_type(
    text: str,
    inline: bool,  # noqa: FBT001 - a column of the table
) -> None:
    calls = [node for node in all_of(lowered(text)) if isinstance(node, ir.Call)]
    assert [call.inline for call in calls] == [inline]


def test_conditions_and_values_differ() -> None:
    expression = Expression.parse("a > b")
    assert expression.value == ir.Order(">", ir.Field("a"), ir.Field("b"), is_condition=False)
    assert expression.condition == ir.Order(">", ir.Field("a"), ir.Field("b"), is_condition=True)


def test_expressions_too_deep_for_python_are_left_to_the_library() -> None:
    deep = lowered("!" * 20 + "a")
    assert isinstance(deep, ir.Library)
    assert ir.Field("a") in all_of(deep)


def all_of(node: ir.Node) -> list[ir.Node]:
    return [node, *(inner for operand in ir.operands(node) for inner in all_of(operand))]


def test_every_node_can_be_written() -> None:
    for node in get_args(ir.Node):
        assert hasattr(_Writer, f"_{node.__name__.lower()}")
