"""Decoding only what is read changes nothing that an expression finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import values
from worker.formats.json_values import decode
from worker.mapping.compiler.decoder import FieldsUsed, StructType, fields_used, plain, struct_type_of
from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression, ExpressionFailed

EXPRESSIONS = [
    "a", "a.b", "a.b.c", "a[0]", "a[0].b", "a[-1].b.c", "a[].b", "a[][].b", "a[][]", "a[*].b", "a[*].b[].c", "a.*.b",
    "a[1:].b", "a[?b].c", "a[?b == `1`].{x: c, y: id}", "a[].{x: b, y: c.id}", "a | b", "a.b | c", "a[] | [0].b",
    "a && b.c", "a || b", "!(a)", "a.b || a.c", "(a || b).c", "[a, b.c]", "{x: a.b}.x", "@.a.b", "@", "length(a)",
    "keys(a)", "sort_by(a, &b)[].c", "a == b", "a.b == `{}`", "length(a.b[])", "a[].b[?c].id", "list[?a && b].c",
    "a.list[].b || a.list", "_kafka.key || a", "to_string(a.b)", "merge(a, b).c", "a[*]", "a[?@].b",
    "a[].[@.b]", "a[] | [0].b", "a[].b | [0].c",
    "a[*] | [1].b", "a[].{x: 'y'}", "a[*].[@.b][0][0]", "sort_by(a[].b, &c)", "a[].b[]", "(a[] | [0]).b", "map(&b, a)",
    "@._kafka", "a | @.b", "a[0][1].b", "id.class.b", '"a b".c || "".c', "a[].b[].{x: c, y: id[0].b}", "a[].[b, c][0]",
]  # fmt: skip


# An event takes much longer to draw than to search, so each is searched with every expression.
@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "id", "list", "_kafka"]), values, max_size=5))
def test_an_expression_has_the_same_value_on_the_fields_used(event: dict[str, Any]) -> None:
    value = orjson.dumps(event)
    for text in EXPRESSIONS:
        check_on_the_fields_used(text, value)


def check_on_the_fields_used(text: str, value: bytes) -> None:
    expression, struct_type, compiled = prepared(text)
    left = decode(value)
    if struct_type is not None:
        left = msgspec.json.decode(value, type=struct_type.made)
        assert msgspec.convert(decode(value), struct_type.made) == left

    searched = found(lambda: expression.search(decode(value), {"key": None}))
    assert found(lambda: compiled(left, {"key": None})) == searched
    assert found(lambda: expression.search(plain(left), {"key": None})) == searched


@cache
def prepared(text: str) -> tuple[Expression, StructType | None, Callable[[Any, Any], Any]]:
    """The expression, what an event is decoded to for it, and the expression as Python that reads that."""
    expression = Expression.parse(text)
    struct_type = struct_type_of(fields_used(expression.value))
    code = Code()
    if struct_type is not None:
        code.structs["event"] = struct_type
    code.line(f"return {expression.emit(code)}")
    return expression, struct_type, code.build("found", "event, kafka")


def found(find: Callable[[], Any]) -> Any:
    try:
        return orjson.dumps(find())
    except ExpressionFailed:
        return None


def left_of(text: str, value: bytes) -> Any:
    struct_type = struct_type_of(fields_used(Expression.parse(text).value))
    assert struct_type is not None
    return plain(msgspec.json.decode(value, type=struct_type.made))


def test_unused_fields_are_not_decoded() -> None:
    value = b'{"a":{"b":[{"c":1,"d":2},7],"e":3},"f":4}'
    assert left_of("a.b[].{x: c}", value) == {"a": {"b": [{"c": 1}, 7]}}


def test_a_field_of_another_type_than_expected_is_decoded_all_the_same() -> None:
    for value in (b'"x"', b"[1]", b"null", b"1.5", b"true"):
        assert left_of("a.b[].c", b'{"a":' + value + b"}") == orjson.loads(b'{"a":' + value + b"}")
    wide = b'{"a":123456789012345678901234567890}'
    assert left_of("a.b[].c", wide) == {"a": 123456789012345678901234567890}


NUMBERS = [
    "-0",
    "-0.0",
    "1E5",
    "1e2",
    "1.0",
    "0.1e1",
    "18446744073709551616",
    "-9223372036854775809",
    "1" * 400,
]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_type_and_value(number: str) -> None:
    value = f'{{"a": {number}, "b": {{"c": {number}}}, "d": [{number}, {{"e": {number}}}]}}'.encode()
    struct_type = struct_type_of(fields_used(Expression.parse("[a.x, b.c, d[].e]").value))
    assert struct_type is not None
    for left in (
        msgspec.json.decode(value, type=struct_type.made),
        msgspec.convert(decode(value), struct_type.made),
    ):
        assert repr(plain(left)) == repr(decode(value))


@pytest.mark.parametrize("name", ["class", "a b", "", "é", "__init__", "_0", "0", "a'b", "self"])
def test_a_field_may_have_any_name(name: str) -> None:
    assert left_of(f'"{name}".a', orjson.dumps({name: {"a": 1}})) == {name: {"a": 1}}


@pytest.mark.parametrize("text", ["@", '"a\\\\b".c', "@._kafka", "keys(@)"])
def test_events_used_whole_or_with_unsupported_names_are_decoded_whole(text: str) -> None:
    assert struct_type_of(fields_used(Expression.parse(text).value)) is None


def test_an_object_with_unsupported_names_is_decoded_whole_inside_an_event_that_is_not() -> None:
    struct = struct_type_of(fields_used(Expression.parse('[b, a."\\n"]').value))
    assert struct is not None
    assert {name: inner for name, (_, inner) in struct.members.items()} == {"b": None, "a": None}
    event: Any = msgspec.json.decode(b'{"a": {"\\n": 1}, "c": 2}', type=struct.made)
    assert event.a == {"\n": 1}


def test_the_topics_of_a_file_share_their_struct_types() -> None:
    def made(*names: str, usual: bool = False) -> StructType | None:
        return struct_type_of(FieldsUsed(fields={name: FieldsUsed() for name in names}), usual=usual)

    assert made("a", "b") is made("a", "b")
    assert made("a", "b") is not made("a")
    assert made("a", "b") is not made("a", "b", usual=True)
