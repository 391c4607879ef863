"""What our expressions add to JMESPath: faults, `_kafka`, positions; and what they compile to."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.expressions import FAILED, by_library, compiled, compiled_condition
from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression, ExpressionError, ExpressionFailed
from worker.mapping.expressions.foreign_names import _FUNCTION_OF, function_hint
from worker.mapping.expressions.functions import NAMES

KAFKA = {"topic": "orders", "headers": {"x-id": "7"}, "tombstone": False}


def outcome(text: str, event: dict[str, Any]) -> Any:
    expression = Expression.parse(text)
    value = by_library(expression, event, KAFKA)
    assert compiled(expression, event, KAFKA) == value
    return value


@pytest.mark.parametrize("text", ["lower(a)", "[lower(a), b]", "{x: lower(a)}", "not_null(lower(a), b)"])
@pytest.mark.parametrize("event", [{"b": "x"}, {"a": 1, "b": "x"}, {"a": None, "b": "x"}])
def test_a_wrong_type_makes_the_whole_expression_null(text: str, event: dict[str, Any]) -> None:
    assert outcome(text, event) is None


@pytest.mark.parametrize(
    "text",
    [
        "starts_with(type, 'a')",
        "!starts_with(type, 'a')",
        "starts_with(type, 'a') || b",
        "lower(type) != 'x'",
        "lower(type) == lower(type)",
        "total > `5`",
        "total < 'x'",
        "b < `5`",
    ],
)
def test_a_condition_on_a_value_that_is_not_there_does_not_hold(text: str) -> None:
    assert compiled_condition(Expression.parse(text), {"b": "x"}, KAFKA) is False


def test_an_expression_behind_a_false_condition_is_not_evaluated() -> None:
    assert outcome("a && divide(`1`, `0`) || 'fine'", {}) == "fine"
    assert outcome("missing.{x: lower(a)} || 'fine'", {}) == "fine"
    assert outcome("divide(`1`, a)", {"a": 0}) == FAILED


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("_kafka.topic", "orders"),
        ('_kafka.headers."x-id"', "7"),
        ("[_kafka.topic, a]", ["orders", 1]),
        ("_kafka | topic", "orders"),
        ("@", {"a": 1, "n": {"_kafka": 2}}),
        ("keys(@)", ["a", "n"]),
        ("*", [1, {"_kafka": 2}]),
        ("@._kafka", None),
        ("n._kafka", 2),
        ("n | _kafka", 2),
        ("[n][?_kafka == `2`] | [0]._kafka", 2),
        ("map(&_kafka, [n])", [2]),
    ],
)
def test_kafka_is_the_records_at_the_root_only(text: str, value: Any) -> None:
    assert outcome(text, {"a": 1, "_kafka": "the event's own", "n": {"_kafka": 2}}) == value


@pytest.mark.parametrize(
    ("text", "fields", "uses_kafka"),
    [
        ("a.b.c", {"a"}, False),
        ("items[?price > limit].{x: sku} | [0].y", {"items"}, False),
        ("{x: a.b, y: [c, _kafka.topic]}", {"a", "c"}, True),
        ("lower(a) == 'x' && b", {"a", "b"}, False),
        ("@", None, False),
        ("length(@) > a", None, False),
        ("*.a", None, False),
        ("'text'", set(), False),
    ],
)
def test_the_fields_that_an_expression_reads(text: str, fields: set[str] | None, *, uses_kafka: bool) -> None:
    expression = Expression.parse(text)
    assert (expression.fields, expression.uses_kafka) == (fields, uses_kafka)
    assert expression.is_literal == (text == "'text'")


@pytest.mark.parametrize(
    ("text", "uses_headers"),
    [
        ("a.headers", False),
        ("_kafka.key", False),
        ("_kafka.key.headers", False),
        ("lower(_kafka.key) == a", False),
        ("_kafka.headers", True),
        ('_kafka.headers."x-id"', True),
        ("a == 'b' && _kafka.headers.x", True),
        ("{x: [_kafka.topic, _kafka.headers.x]}", True),
        ("_kafka", True),
        ("_kafka.*", True),
        ("_kafka | headers", True),
        ("_kafka.[key, headers]", True),
        ("keys(_kafka)", True),
    ],
)
def test_whether_an_expression_reads_the_headers(text: str, *, uses_headers: bool) -> None:
    assert Expression.parse(text).uses_headers is uses_headers


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "empty"),
        ("a.", 2, "ends too early"),
        ("a b", 2, "'b'"),
        ("a[?b == 'c'", 11, "ends too early"),
        ("a = 'b'", 2, "=="),
        ("a == 'b", 5, "never closed"),
        ('a == `"b`', 5, "JSON"),
        ('a."b\\q"', 2, "quoted"),
        ("a # b", 2, "'#'"),
        ("a.2", 2, "'2'"),
        ("x || lowr(a)", 5, "no function lowr(): did you mean 'lower'?"),
        ("x || lower(a, b)", 5, "lower() takes 1 argument, not 2"),
        ("split(a)", 0, "split() takes 2 arguments, not 1"),
        ("not_null()", 0, "at least 1 argument"),
        ("sort_by(a, b)", 11, "an expression after &"),
        ("length(&a)", 7, "a value"),
        ("lower(a b)", 8, "'b'"),
        ("[a, &b]", 4, "&"),
        ("&b", 0, "&"),
        ("a[::0]", 2, "step"),
        ("`NaN`", 0, "JSON"),
        ("[`1e999`]", 1, "JSON"),
        ('"lower"(a)', 0, "not be quoted"),
        ("a[0](b)", 3, "called"),
        (f"a[{'9' * 5000}]", 0, "too large"),
        ("(" * 5000, 0, "deep"),
        ("!" * 150 + "a", 0, "deep"),
    ],
)
def test_a_fault_in_the_text_has_a_place_and_plain_words(text: str, position: int, words: str) -> None:
    with pytest.raises(ExpressionError) as fault:
        Expression.parse(text)
    assert (fault.value.position, words in fault.value.message) == (position, True), fault.value


@given(text=st.text("ab_kf.[]{}()*&|!<>=?@:,'\"`-01\\ ü\n", max_size=20))
@example("a[-")
@example("`\\")
@example("'\\")
def test_any_text_is_an_expression_or_an_error_with_a_place(text: str) -> None:
    try:
        expression = Expression.parse(text)
    except ExpressionError as fault:
        assert 0 <= fault.position <= len(text)  # noqa: PT017 - either outcome is right
    else:
        assert compiled(expression, {"a": [{"b": 1}]}, KAFKA) == by_library(
            expression, {"a": [{"b": 1}]}, KAFKA
        )


@pytest.mark.parametrize(
    "text",
    [
        "a" + "[*].a" * 60,
        "[" * 40 + "a" + "]" * 40,
        " || ".join(f"a == '{n}'" for n in range(500)) + " || a",
        " | ".join(["@"] * 500),
        "a" + ".a" * 500,
    ],
)
def test_long_and_deep_expressions_agree_too(text: str) -> None:
    expression = Expression.parse(text)
    events: list[dict[str, Any]] = [{}, {"a": "499"}, {"a": {"a": {}}}, {"a": [{"a": []}]}]
    for event in events:
        assert compiled(expression, event, KAFKA) == by_library(expression, event, KAFKA)


def test_a_value_that_two_expressions_share_is_read_once() -> None:
    code = Code()
    parts = [
        Expression.parse(text).emit(code)
        for text in ("customer.id", "customer.email", "lower(customer.email)")
    ]
    code.line(f"return [{', '.join(parts)}]")

    assert code.source("convert", "event").count("'customer'") == 1
    event = {"customer": {"id": 1, "email": "A"}}
    assert code.build("convert", "event")(event) == [1, "A", "a"]


def test_a_value_read_under_a_condition_is_not_reused_outside() -> None:
    code = Code()
    with code.block("if flag:"):
        code.line(f"return {Expression.parse('a.b').emit(code)}")
    code.line(f"return {Expression.parse('a.c').emit(code)}")
    convert = code.build("convert", "event, flag")

    event = {"a": {"b": 1, "c": 2}}
    assert (convert(event, True), convert(event, False)) == (1, 2)


def test_a_rule_compiles_to_plain_python() -> None:
    code = Code()
    condition = Expression.parse("type == 'order.completed'").emit_condition(code)
    with code.block(f"if {condition}:"):
        code.line(f"return {Expression.parse('order.lines[].{sku: sku, n: qty}').emit(code)}")
    source = code.source("convert", "event")

    assert "search" not in source
    lines = [{"sku": "s", "qty": 1}, None, [{"sku": "t"}], "odd"]
    found = code.build("convert", "event")({"type": "order.completed", "order": {"lines": lines}})
    assert found == [{"sku": "s", "n": 1}, {"sku": "t", "n": None}, {"sku": None, "n": None}]


def test_a_traceback_shows_the_generated_line() -> None:
    code = Code()
    code.line(f"return {Expression.parse('divide(a, b)').emit(code)}")
    with pytest.raises(ExpressionFailed) as failure:
        code.build("convert", "event")({"a": 1, "b": 0})
    assert "divide" in "".join(traceback.format_tb(failure.tb)[1:2])


def test_an_empty_body_and_an_empty_block_are_valid() -> None:
    code = Code()
    assert code.build("nothing", "")() is None
    with code.block("if True:"):
        pass
    assert code.build("nothing", "")() is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("len", "did you mean 'length'?"),
        ("strftime", "did you mean 'format_time'?"),
        ("strptime", "did you mean 'parse_time'?"),
        ("regex", "did you mean 'matches'?"),
        ("regexp_replace", "did you mean 'replace_regex'?"),
        ("format", "did you mean 'concat'?"),
        ("coalesce", "did you mean 'default', or 'not_null' for more than two?"),
        ("lpad", "did you mean 'pad_left'?"),
        ("fromJson", "did you mean 'parse_json'?"),
        ("substr", "did you mean 'substring'?"),
        ("HMAC", "did you mean 'hmac_sha256'?"),
        ("dateAdd", "did you mean 'add_time'?"),
        ("replace_regexp", "did you mean 'replace_regex'?"),
    ],
)
def test_functions_of_other_languages_point_to_ours(name: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=f"there is no function {name}"):
        Expression.parse(f"{name}(a)")
    assert function_hint(name) == hint


def test_a_name_of_another_language_is_no_function_and_means_one_that_exists() -> None:
    assert not set(_FUNCTION_OF) & NAMES
    assert set(_FUNCTION_OF.values()) <= NAMES
