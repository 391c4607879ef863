"""1 and true, 0 and false are never equal, at any depth; by the library and compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.expressions import by_library, compiled, compiled_condition
from worker.mapping.expressions.equality import same
from worker.mapping.expressions.expression import Expression

confusable = st.sampled_from([0, 1, 0.0, 1.0, True, False, 2, "", "1", None])
values = st.recursive(
    confusable,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)


def tagged(value: Any) -> Any:
    """A form in which Python's equality is JSON's."""
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        return {name: tagged(item) for name, item in value.items()}
    return (isinstance(value, bool), value)


def outcome(text: str, **event: Any) -> Any:
    """The value, which is the same both ways, also where only its truth is wanted."""
    expression = Expression.parse(text)
    value = by_library(expression, event, {})
    assert compiled(expression, event, {}) is value
    assert compiled_condition(expression, event, {}) is value
    return value


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@example(one=[[1]], other=[[True]])
@example(one={"x": [0]}, other={"x": [False]})
@example(one=[1], other=[1.0])
@given(one=values, other=values)
def test_equality_is_that_of_json(one: Any, other: Any) -> None:
    equal = tagged(one) == tagged(other)

    assert same(one, other) is equal
    for pair in ("a == b", f"a == `{json.dumps(other)}`", f"`{json.dumps(one)}` == b"):
        assert outcome(pair, a=one, b=other) is equal
        assert outcome(pair.replace("==", "!="), a=one, b=other) is not equal


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(items=st.lists(values, max_size=3), one=values)
def test_a_list_contains_what_equals_one_of_its_items(items: list[Any], one: Any) -> None:
    there = any(tagged(item) == tagged(one) for item in items)

    assert outcome("contains(a, b)", a=items, b=one) is there
    assert outcome(f"contains(`{json.dumps(items)}`, b)", b=one) is there
    assert outcome(f"contains(a, `{json.dumps(one)}`)", a=items) is there


@pytest.mark.parametrize(
    ("text", "event", "value"),
    [
        ("contains([`0`], flag)", {"flag": False}, False),
        ("contains([`true`], flag)", {"flag": 1}, False),
        ("contains(a, `1`)", {"a": [True, 1.0]}, True),
        ("a == `[1, [true]]`", {"a": [True, [True]]}, False),
        ("a == `[1, [true]]`", {"a": [1, [True]]}, True),
        ("contains(a, 'bc')", {"a": "abcd"}, True),
    ],
)
def test_examples(text: str, event: dict[str, Any], value: bool) -> None:  # noqa: FBT001 - an expected value
    assert outcome(text, **event) is value
