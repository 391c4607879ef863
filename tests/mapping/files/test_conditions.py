"""What is said of a condition for every event holds for events that are drawn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.expressions import FAILED, by_library, is_true
from worker.documents.document import parse
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.lint import findings

PATHS = [
    *("a", "b", "a.c", "b[0]", "@", "_kafka.tombstone", "_kafka.topic", "_kafka.key", "_kafka.offset"),
    *("lower(a)", "upper(a)", "trim(a)", "length(b)", "type(a)", "to_string(b)", "to_number(a)"),
    *("not_null(a, b)", "abs(a)", "keys(b)", "join('', b)", "contains(b, 'x')", "starts_with(a, 'x')"),
]
LITERALS = [
    *("'x'", "'X'", "' x'", "''", "'t'", "'string'"),
    *("`0`", "`1`", "`1.5`", "`2`", "`true`", "`false`", "`null`", "`[]`"),
]
paths, literals = st.sampled_from(PATHS), st.sampled_from(LITERALS)
comparisons = st.tuples(paths, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literals | paths)
atoms = paths | literals | comparisons.map(" ".join)
conditions = st.recursive(
    atoms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda parts: "({}) {} ({})".format(*parts)
        )
        | inner.map(lambda text: f"!({text})")
    ),
    max_leaves=4,
)
values = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        2,
        1.5,
        -1,
        "",
        "x",
        "X",
        " x",
        "xx",
        "string",
        "3",
        [],
        ["x"],
        [0],
        {},
        {"c": "x"},
    ]
)
events = st.fixed_dictionaries({}, optional={"a": values, "b": values})


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(conditions, st.lists(events, min_size=1, max_size=20), st.sampled_from([None, "", "x"]))
def test_a_condition_that_is_found_to_be_the_same_for_every_event_is(
    text: str, drawn: list[dict[str, Any]], key: str | None
) -> None:
    quoted = text.replace("'", "''")
    document = parse(f"topics: [t, u]\nrules:\n  - {{when: '{quoted}', call: identify, userId: id}}\n", "f")
    found = [
        problem.message for problem in findings([document], []) if problem.message.startswith("`when` is")
    ]
    for event in drawn if found else []:
        kafka = {
            "topic": "t",
            "partition": 0,
            "offset": 1,
            "timestamp": "2026",
            "key": key,
            "tombstone": False,
        }
        value = by_library(Expression.parse(text), event, kafka)
        assert value == FAILED or is_true(value) is ("is true" in found[0])
