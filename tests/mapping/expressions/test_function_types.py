"""Invariant: any function with any arguments gives, on both ways, the same value, null or a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.expressions import FAILED, by_library, compiled, compiled_condition, is_true
from tests.support.values import json_values
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.functions import TABLE, Function
from worker.mapping.expressions.functions.hashes import set_secrets

pytestmark = pytest.mark.no_cover  # runs through the same lines a hundred times

NAMES = ["a", "b", "c"]
FIXED = {("hmac_sha256", 1): "'pepper'"}
"""Arguments that must be literal."""

TELLING = r"""
a|ab,c|12.50|-0|1e999|NaN|2026-11-21T10:00:00Z|21.11.2026 10:00|%d.%m.%Y %H:%M|%Y|UTC|Europe/Berlin|Mars|3d|-1.5h|(|\1
R3LDvMOfZQ|%C3%BC|ß|{"a": [1]}|[[1]]|nope|  x |\ud800|(a)
"""
telling = st.sampled_from(["", "\ud800", *TELLING.replace("\n", "|").split("|")])
numbers = st.sampled_from([0, 1, -1, 2, 15, 0.5, 2.0, -0.0, 1e308, 10**20, 10**400, 1795255200, -(2**63)])
entries = st.lists(st.fixed_dictionaries({"key": telling | numbers, "value": json_values}), max_size=3)
plain = st.none() | st.booleans() | telling | numbers
arguments = plain | st.lists(telling, max_size=3) | st.lists(numbers, max_size=3) | entries | json_values


def call(row: Function, index: int) -> str:
    return (
        f"&{NAMES[index]}"
        if row.signature.partition("(")[2].split(", ")[index].startswith("&")
        else NAMES[index]
    )


@pytest.fixture(autouse=True, scope="module")
def pepper() -> Any:
    set_secrets({"pepper": "pepper"})
    yield
    set_secrets({})


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
@settings(max_examples=40, deadline=None)
@example([None, None, None])
@example([{}, {}, {}])
@example([[], [], []])
@given(values=st.lists(arguments, min_size=3, max_size=3))
def test_a_function_of_anything_is_the_same_on_both_ways(row: Function, values: list[Any]) -> None:
    for count in range(row.least, min(row.most or 3, 3) + 1):
        written = [FIXED.get((row.name, index)) or call(row, index) for index in range(count)]
        expression = Expression.parse(f"{row.name}({', '.join(written)})")
        event = dict(zip(NAMES, values, strict=True))

        expected = by_library(expression, event, {})

        assert json.dumps(compiled(expression, event, {})) == json.dumps(expected)
        holds = compiled_condition(expression, event, {})
        assert holds == (FAILED if expected == FAILED else is_true(expected))
        assert event == dict(zip(NAMES, values, strict=True)), "no function changes its arguments"
