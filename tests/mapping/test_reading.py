"""Decoding only what is read changes nothing that an expression finds."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import values
from worker.core.decoding import decode
from worker.mapping.expressions import Expression, ExpressionFailed
from worker.mapping.reading import decoder, parts_read

EXPRESSIONS = [
    "a", "a.b", "a.b.c", "a[0]", "a[0].b", "a[-1].b.c", "a[].b", "a[][].b", "a[][]", "a[*].b", "a[*].b[].c", "a.*.b",
    "a[1:].b", "a[?b].c", "a[?b == `1`].{x: c, y: id}", "a[].{x: b, y: c.id}", "a | b", "a.b | c", "a[] | [0].b",
    "a && b.c", "a || b", "!(a)", "a.b || a.c", "(a || b).c", "[a, b.c]", "{x: a.b}.x", "@.a.b", "@", "length(a)",
    "keys(a)", "sort_by(a, &b)[].c", "a == b", "a.b == `{}`", "length(a.b[])", "a[].b[?c].id", "list[?a && b].c",
    "a.list[].b || a.list", "_kafka.key || a", "to_string(a.b)", "merge(a, b).c", "a[*]", "a[?@].b", "a[].[b, c][0]",
]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "id", "list"]), values, max_size=5))
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_finds_the_same_in_what_is_left(text: str, event: dict[str, Any]) -> None:
    expression = Expression.parse(text)
    loads = decoder(parts_read(expression.node)) or decode
    value = orjson.dumps(event)
    assert found(expression, loads(value)) == found(expression, decode(value))


def found(expression: Expression, event: dict[str, Any]) -> Any:
    try:
        return orjson.dumps(expression.search(event, {"key": None}))
    except ExpressionFailed:
        return None


def test_what_is_not_read_is_not_decoded() -> None:
    loads = decoder(parts_read(Expression.parse("a.b[].{x: c}").node))
    assert loads is not None
    assert loads(b'{"a":{"b":[{"c":1,"d":2},7],"e":3},"f":4}') == {"a": {"b": [{"c": 1}, 7]}}


def test_a_field_of_another_type_than_expected_is_decoded_all_the_same() -> None:
    loads = decoder(parts_read(Expression.parse("a.b[].c").node))
    assert loads is not None
    for value in (b'"x"', b"[1]", b"null", b"1.5", b"123456789012345678901234567890", b"true"):
        assert orjson.loads(b'{"a":' + value + b"}") == loads(b'{"a":' + value + b"}") or len(value) > 20
    assert loads(b'{"a":123456789012345678901234567890}') == {"a": 123456789012345678901234567890}
