"""Invariant: for any expression and any event, compiled source and the library give the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.expressions import FAILED, by_library, compiled, compiled_condition, is_true
from worker.mapping.compiler.source import Code
from worker.mapping.expressions.expression import Expression, ExpressionFailed
from worker.mapping.expressions.names import Names

NAMES = ["a", "b", "c", "_kafka"]
KAFKA = {"topic": "orders", "a": {"b": 1}, "headers": {"a": "x"}}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, -1, 0.0, 1.0, 2.5, 1e308, 10**20, 1700000000000]),
    st.sampled_from(["", "a", "b", "A b ", "a,b", "2026-11-21T10:00:00Z", "5"]),
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
objects = st.fixed_dictionaries({"a": scalars, "b": st.text("ab ,", max_size=4), "c": st.integers(-3, 3)})
likely = st.fixed_dictionaries({"a": st.lists(objects | values, max_size=4), "b": objects, "c": scalars})
events = st.dictionaries(st.sampled_from(NAMES), values, max_size=4) | likely

ONE = [
    "lower",
    "upper",
    "trim",
    "sha256",
    "epoch_seconds",
    "rfc3339",
    "length",
    "to_string",
    "to_number",
    "type",
]
ONE += ["to_array", "abs", "avg", "ceil", "floor", "max", "min", "sum", "sort", "keys", "values", "reverse"]
TWO = ["split", "add", "subtract", "multiply", "divide", "round", "starts_with", "ends_with", "contains"]
ONE += ["concat", "parse_json", "base64_encode", "base64_decode", "url_decode", "md5", "date"]
ONE += ["to_entries", "from_entries"]
TWO += ["concat", "format_number", "pick", "omit", "matches", "extract"]
TWO += ["join", "merge", "not_null"]
BY = ["sort_by", "max_by", "min_by"]


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions out of smaller ones."""
    name = st.sampled_from(NAMES)
    step = st.one_of(
        name,
        st.builds("{{x: {}, y: {}}}".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(ONE), inner),
    )
    end = st.just("") | st.builds(".{}".format, step) | st.sampled_from(["[0]", "[1:]", "[]", "[*]"])
    return st.one_of(
        st.builds("({}).{}".format, inner, step),
        st.builds("{}.{}".format, name, step),
        st.builds("({}){}".format, inner, st.sampled_from(["[0]", "[-1]", "[2]", "[-3]", "[::2]", "[1:2]"])),
        st.builds("({}){}{}".format, inner, st.sampled_from(["[*]", "[]", ".*", "[1:]"]), end),
        st.builds("({})[?{}]{}".format, inner, inner, end),
        st.builds("{{x: {}, y: {}}}".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds(
            "({}) {} ({})".format,
            inner,
            st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "|"]),
            inner,
        ),
        st.builds(
            "({0}) {1} ({2}) {1} ({3})".format, inner, st.sampled_from(["&&", "||", "|"]), inner, inner
        ),
        st.builds("!({})".format, inner),
        st.builds("{}({})".format, st.sampled_from(ONE), inner),
        st.builds("{}({}, {})".format, st.sampled_from(TWO), inner, inner),
        st.builds("{}({}, {})".format, st.sampled_from(["default", "try"]), inner, inner),
        st.builds("if({}, {}, {})".format, inner, inner, inner),
        st.builds("lookup({}, {})".format, st.sampled_from(["'codes'", "a", "'empty'"]), inner),
        st.builds("replace({}, {}, {})".format, inner, inner, inner),
        st.builds("map(&{}, {})".format, inner, inner),
        st.builds("{}({}, &{})".format, st.sampled_from(BY), inner, inner),
    )


leaves = st.sampled_from(NAMES) | st.just("@") | scalars.map(lambda value: f"`{json.dumps(value)}`")
texts = st.recursive(leaves, larger, max_leaves=7)
tables = {"codes": {"a": 1, "b": {"a": "x"}, "1": None, "2": [0]}, "empty": {}}


def names_of(lets: list[str]) -> Names:
    """`$x`, `$y`, ... for these expressions, each of which may use the ones before it."""
    found: dict[str, Expression] = {}
    for name, text in zip("xyz", lets, strict=False):
        found[name] = Expression.parse(text, Names(dict(found), tables))
    return Names(found, tables)


def with_names(*names: str) -> st.SearchStrategy[str]:
    """Expressions that also use `$names`."""
    return st.recursive(leaves | st.sampled_from([f"${name}" for name in names]), larger, max_leaves=7)


lets = st.tuples(texts, with_names("x"), with_names("x", "y")).map(list)
named = with_names("x", "y", "z")


def exactly(value: Any) -> str:
    """A form in which 1, 1.0 and true differ, as does the order of keys."""
    return json.dumps(value)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@example("a[].{x: b.c, y: lower(b)}", {"a": [{"b": "X"}, None, {"b": "Y"}]})
@example("a[?b > `1`].b | [0]", {"a": [{"b": 2}, {"b": "x"}, 3, [{"b": 4}]]})
@example("a[].b", {"a": [{"b": 2}, [{"b": 4}], 5]})
@example("@", {"a": 1, "_kafka": 2})
@example("[keys(@), @._kafka, _kafka.topic, a._kafka]", {"a": {"_kafka": 1}, "_kafka": 2})
@example("add(lower(a), divide(`1`, `0`))", {})
@example("lower(a) || 'x'", {})
@example("lower(a) == lower(b)", {})
@example('a.{x: a, y: not_null(`""`, @)}', {})
@given(text=texts, event=events)
def test_both_ways_agree(text: str, event: dict[str, Any]) -> None:
    agree(Expression.parse(text, Names({}, tables)), event)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@example(["divide(a, b)", "$x", "$y"], "[try($z, `1`), a && $x]", {"a": 1, "b": 0})
@example(["a", "`1`", "`1`"], "b[?a == $x.a].{a: $x.b, b: a}", {"a": {"a": 1, "b": 2}, "b": [{"a": 1}, 5]})
@example(["lower(a)", "$x || 'y'", "_kafka.topic"], "if($x, $y, sort_by(b, &join($z, [$y, a])))", {"a": "A"})
@given(lets=lets, text=named, event=events)
def test_both_ways_agree_on_names(lets: list[str], text: str, event: dict[str, Any]) -> None:
    agree(Expression.parse(text, names_of(lets)), event)


def agree(expression: Expression, event: dict[str, Any]) -> None:
    before = exactly(event)

    expected = by_library(expression, event, KAFKA)

    assert exactly(compiled(expression, event, KAFKA)) == exactly(expected)
    holds = compiled_condition(expression, event, KAFKA)
    assert holds == (FAILED if expected == FAILED else is_true(expected))
    assert exactly(event) == before


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(lets=lets, several=st.lists(named, min_size=2, max_size=4), event=events)
def test_expressions_in_one_function_do_not_disturb_each_other(
    lets: list[str], several: list[str], event: dict[str, Any]
) -> None:
    """Sub-expressions and the values of names are shared between them, also from under conditions."""
    code = Code()
    code.line("values = []")
    names = names_of(lets)
    expressions = [Expression.parse(text, names) for text in several]
    with code.record():
        for expression in expressions:
            with code.block(f"if {expression.emit_condition(code)}:"):
                code.line(f"values.append({expression.emit(code)})")
            code.line(f"values.append({expression.emit(code)})")
    code.line("return values")
    evaluate = code.build("evaluate", "event, kafka")

    expected: Any = []
    for expression in expressions:
        value = by_library(expression, event, KAFKA)
        expected += [value, value] if is_true(value) else [value]
    try:
        found = evaluate(event, KAFKA)
    except ExpressionFailed:
        assert FAILED in expected
    else:
        assert exactly(found) == exactly(expected)


@settings(max_examples=300, deadline=None)
@given(text=texts, event=events)
def test_an_expression_reads_only_the_fields_it_names(text: str, event: dict[str, Any]) -> None:
    expression = Expression.parse(text, Names({}, tables))
    if expression.fields is not None:
        seen = {name: value for name, value in event.items() if name in expression.fields}
        whole, part = (by_library(expression, given_event, KAFKA) for given_event in (event, seen))
        assert exactly(whole) == exactly(part)
