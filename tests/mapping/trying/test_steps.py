"""A record treated step by step agrees with what the mapping's compiled function makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import as_yaml, events, mapping_files
from tests.support.records import record
from worker.core.records import Record
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.expressions.interpreter import Variables
from worker.mapping.expressions.parser import parse as parse_expression
from worker.mapping.expressions.text import text_of
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappings import Mappings
from worker.mapping.trying.missing import missing_part
from worker.mapping.trying.preview import PREVIEW_IDS, PreviewRecord
from worker.mapping.trying.steps import FieldValue, Steps, steps_of


def mappings_of(text: str) -> Mappings | None:
    problems: list[Problem] = []
    file = read_mapping(parse(text, "drawn.yaml"), problems)
    return None if file is None or problems else Mappings([file], {}, [])


def explained(mappings: Mappings, record: Record) -> Steps:
    return steps_of(mappings, record, mappings.explain(record, PREVIEW_IDS))


def steps(rules: str, event: Any, **more: Any) -> Steps:
    mappings = mappings_of("topics: [orders]\nrules:\n" + rules)
    assert mappings is not None
    return explained(mappings, record(event, **more))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(mapping_files, st.lists(events | st.none(), min_size=1, max_size=6))
def test_steps_agree_with_the_compiled_function(data: Any, drawn: list[Any]) -> None:
    mappings = mappings_of(as_yaml(data))
    if mappings is None:
        return  # a call that lacks what it needs: an error before anything runs
    for event in drawn:
        agree(explained(mappings, record(event)))


def agree(found: Steps) -> None:
    explanation, last = found.explanation, found.rules[-1] if found.rules else None
    if explanation.rejected is not None:
        if explanation.rejected.reason == "UNMATCHED":
            assert not any(each.matches or each.failed for each in found.rules)
        elif last is not None:
            assert explanation.rule == last.at
        return
    assert not any(each.failed for each in found.rules)
    if explanation.ignored is not None:
        assert [each.at for each in found.rules if each.matches] == [explanation.rule] * bool(
            explanation.rule
        )
        return
    assert last is not None
    assert (explanation.rule, last.matches) == (last.at, True)
    made = [fields for name, fields in found.calls if not name.endswith("for each")]
    for call, fields in zip(explanation.calls, made, strict=True):
        for each in fields:
            if each.name.startswith(("properties.", "traits.")):
                same_value(call, each)


def same_value(call: Any, each: FieldValue) -> None:
    """What was found is sent; what was not found is left out, or null."""
    inner = call
    for step in each.name.split("."):
        inner = inner[int(step)] if isinstance(inner, list) else (inner or {}).get(step)
    assert inner == orjson.loads(orjson.dumps(each.found.value))


def test_names_and_items_are_shown_with_their_values() -> None:
    found = steps(
        "  - when: $kind == 'gift'\n"
        "    let: {kind: order.kind, other: order.unused}\n"
        "    calls: [{call: track, event: E, for_each: 'list[?id]', userId: $item.id, properties: {n: $item.nam}}]\n",
        {"order": {"kind": "gift"}, "list": [{"id": "a", "name": "A"}, {}, {"id": "b"}]},
    )
    assert [(each.name, each.at, each.found.value) for each in found.lets] == [
        ("$kind", "drawn.yaml:4:17", "gift")
    ]
    assert [name for name, _ in found.calls] == ["track for each", "track for $index 0", "track for $index 1"]
    shown = [{each.name: each.found for each in fields} for _, fields in found.calls]
    assert shown[0]["for_each"].value == [{"id": "a", "name": "A"}, {"id": "b"}]
    assert (shown[2]["userId"].value, shown[1]["userId"].value) == ("b", "a")
    assert shown[1]["properties.n"].missing == "$item has no 'nam' (did you mean 'name'?)"


def test_both_sides_of_each_comparison_are_evaluated() -> None:
    rule = "  - {when: \"type == 'a' && lower(kind) != id || n > `3`\", call: identify, userId: id}\n"
    (tried,) = steps(rule, {"type": "b", "kind": "X", "id": "x", "n": "5"}).rules
    assert not tried.matches
    shown = [[(part.text, part.value) for part in (each.whole, *each.sides)] for each in tried.conditions]
    assert shown == [
        [("type == 'a'", False), ("type", "b")],
        [("lower(kind) != id", False), ("lower(kind)", "x"), ("id", "x")],
        [("n > `3`", None), ("n", "5")],
    ]
    assert tried.conditions[2].note == "text and a number have no order"


def test_fields_have_the_value_found_and_their_line() -> None:
    rule = "  - call: track\n    event: Thing\n    userId: id\n    properties: {a: b.c, list: [d, 1]}\n"
    found = steps(rule, {"id": 7, "b": {"C": 1}, "d": [2]})
    ((name, fields),) = found.calls
    assert name == "track"
    assert [(each.name, each.at, each.found.value) for each in fields] == [
        ("event", "drawn.yaml:4:12", "Thing"),
        ("userId", "drawn.yaml:5:13", 7),
        ("properties.a", "drawn.yaml:6:21", None),
        ("properties.list.0", "drawn.yaml:6:33", [2]),
        ("properties.list.1", "drawn.yaml:6:36", 1),
    ]
    assert fields[2].found.missing == "b has no 'c' (did you mean 'C'?)"


@pytest.mark.parametrize(
    ("fields", "event", "field", "at"),
    [
        ("userId: id", {}, "userId", "drawn.yaml:3:42"),
        ("userId: id", {"id": "undefined"}, "userId", "drawn.yaml:3:42"),
        ("userId: id", {"id": 1.5}, "userId", "drawn.yaml:3:42"),
        ("userId: id, anonymousId: who", {}, "anonymousId", "drawn.yaml:3:59"),
        ("userId: id, timestamp: at", {"id": "a", "at": "now"}, "timestamp", "drawn.yaml:3:57"),
        (
            'userId: id, properties: {a: "divide(a, b)"}',
            {"id": "a", "a": 1, "b": 0},
            "properties.a",
            "drawn.yaml:3:62",
        ),
        ("userId: id, context: {ip: n}", {"id": "a", "n": 1}, "context.ip", "drawn.yaml:3:60"),
        ("userId: id, properties: {n: n}", {"id": "a", "n": 2**64}, "properties", "drawn.yaml:3:58"),
        ("userId: id, properties: all", {"id": "a", "all": [1]}, "properties", "drawn.yaml:3:58"),
    ],
)
def test_a_refusal_names_the_rule_the_call_the_field_and_its_place(
    fields: str, event: dict[str, Any], field: str, at: str
) -> None:
    text = f"topics: [orders]\nrules:\n  - {{call: track, event: Thing,  {fields}}}\n"
    mappings = mappings_of(text)
    assert mappings is not None
    found = explained(mappings, record(as_json(event)))
    rejected = found.explanation.rejected
    assert rejected is not None
    assert (rejected.rule, rejected.field, rejected.at) == ("drawn.yaml:3", field, at)
    assert rejected.detail.endswith(f" (rule drawn.yaml:3, track, {field} at {at}).")
    if field != "properties" or "all" in event:
        assert found.refused is not None
        assert found.refused.name == field


def as_json(event: dict[str, Any]) -> bytes:
    """As JSON, also with an integer that orjson does not write."""
    return json.dumps(event).encode()


def test_a_condition_that_fails_names_its_rule() -> None:
    rules = '  - {when: "divide(a, b)", call: identify, userId: id}\n'
    found = steps(rules, {"a": 1, "b": 0})
    rejected = found.explanation.rejected
    assert rejected is not None
    assert (rejected.reason, rejected.field, rejected.at) == ("EXPRESSION_FAILED", "when", "drawn.yaml:3:12")
    assert found.rules[0].failed == "divide(): by zero"


def test_unreadable_headers_end_the_trying() -> None:
    class Unreadable(PreviewRecord):
        def headers(self) -> Any:
            raise SystemError  # what the client does

        def set_headers(self, headers: Any) -> None:
            pass

    rule = "  - {when: _kafka.headers.a, call: identify, userId: id}\n"
    mappings = mappings_of(f"topics: [orders]\nrules:\n{rule}")
    assert mappings is not None
    found = explained(mappings, Unreadable("orders", b"{}"))
    assert found.explanation.rejected is not None
    assert found.explanation.rejected.reason == "UNREADABLE_HEADERS"
    assert found.rules[0].failed == "the record's headers cannot be read"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Type", "the event has no 'Type' (did you mean 'type'?)"),
        ("customer.name", "customer has no 'name'"),
        ("customer.id.x", "customer.id is text, which has no fields"),
        ("none.x", "none is null"),
        ("none", "none is null"),
        ("lower(custmer)", "the event has no 'custmer' (did you mean 'customer'?)"),
        ("_kafka.headers.source", "_kafka.headers has no 'source'"),
        ("customer.id", None),
        ("`null`", None),
    ],
)
def test_fields_that_an_event_does_not_have_are_named(expression: str, said: str | None) -> None:
    event = {"type": "a", "customer": {"id": "c"}, "none": None}
    assert missing_part(parse_expression(expression), Variables(event, {"headers": {}})) == said


EXPRESSIONS = (
    "a.b == 'x' && !c", "!(a && b)", "a[*].b", "a[].b.c", "a[1:3].x", "a[?x == `1`].y", "a.*.b", "*", "a[0].b[-1]",
    '_kafka.headers."x-id"', "a | b | c", "sort_by(a, &b)[0]", "a[].{sku: sku, q: qty}", "a[*][0]", "a[?b] | [0]",
    "!a.b", "(a | b).c", "[0]", "[?a].b", "a.[b,c]", "a[*].b[]", "a[*].[x]", "a[::2]", "{x: a}.x", "a.b[0].c[*].d.e",
    "a.*[0]", "[*].a", "[]", "a[][0]", "'it\\'s'", "@", "join(', ', @.list)",
)  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_tree_as_text_is_the_same_tree(expression: str) -> None:
    node = parse_expression(expression)
    assert parse_expression(text_of(node)) == node


def test_a_mapper_s_exception_has_its_message_and_traceback(tmp_path: Path) -> None:
    (tmp_path / "failing_steps_mapper.py").write_text(
        "def fail(event):\n    raise KeyError(event.value['id'])\n"
    )
    (tmp_path / "m.yaml").write_text("topics: [orders]\nrules:\n  - mapper: failing_steps_mapper:fail\n")
    mappings = Mappings.load(["m.yaml"], mapper_path=[str(tmp_path)], base=tmp_path, dead_letter_topic="dead")
    found = mappings.explain(record({"id": "person-7"}), PREVIEW_IDS)
    assert found.rejected is not None
    assert "person-7" not in found.rejected.detail
    assert "KeyError: 'person-7'" in (found.traceback or "")
    assert "line 2, in fail" in (found.traceback or "")
    assert "loading.py" not in (found.traceback or "")
    assert mappings.explain(record(b"{"), PREVIEW_IDS).traceback is None


def test_a_function_that_does_not_take_a_value_is_named() -> None:
    found = steps(
        "  - call: identify\n    userId: id\n"
        "    traits: {a: lower(n), b: 'lower(lower(n))', c: 'split(t, n)', d: lower(x)}\n",
        {"id": "a", "n": 7, "t": "x"},
    )
    missing = {field.name: field.found.missing for _, fields in found.calls for field in fields}
    assert missing["traits.a"] == missing["traits.b"] == "lower() does not take a whole number"
    assert missing["traits.c"] == "split() does not take text, a whole number"
    assert missing["traits.d"] == "the event has no 'x'"
