"""Envelopes in generated code: schemas and layouts of headers that are known from the last records."""

from __future__ import annotations

import pytest

from tests.support.enveloped import BINARY, calls, read
from tests.support.records import record
from worker.core.message_id import MessageIds
from worker.mapping.compiler.envelopes.headers import MOST_LAYOUTS
from worker.mapping.trying.preview import map_event

# A schema that does not describe its payload

SCHEMA = {"type": "struct", "fields": [{"type": "string", "field": "id"}, {"type": "int32", "field": "n"}]}
IDENTIFY = "rules:\n  - {call: identify, userId: id, traits: {n: n}}\n"


@pytest.mark.parametrize("traits", ["{n: n}", "'@'"])
def test_a_field_of_another_type_than_the_schema_says_is_rejected_also_once_the_schema_is_known(
    traits: str,
) -> None:
    mappings, _ = read(f"envelope: connect\nrules:\n  - {{call: identify, userId: id, traits: {traits}}}\n")
    right, wrong = ({"schema": SCHEMA, "payload": {"id": "u-1", "n": n}} for n in (1, "1"))
    for _ in range(2):
        assert map_event(mappings, record(right))["calls"]
        verdict = map_event(mappings, record(wrong))["rejected"]
        assert verdict["reason"] == "INVALID_ENVELOPE"
        assert "a field is text, and it says a number" in verdict["detail"]


def test_a_field_that_no_rule_reads_is_not_compared() -> None:
    value = {"schema": SCHEMA, "payload": {"id": "u-1", "n": "1"}}
    assert calls("envelope: connect\nrules:\n  - {call: identify, userId: id}\n", value)


def test_a_new_schema_replaces_the_one_that_was_known() -> None:
    mappings, _ = read("envelope: connect\n" + IDENTIFY)
    texts = {"type": "struct", "fields": [{"type": "string", "field": "n"}]}
    for schema, n in ((SCHEMA, 1), (texts, "1"), (SCHEMA, 2), (None, [])):
        (call,) = map_event(mappings, record({"schema": schema, "payload": {"id": "u-1", "n": n}}))["calls"]
        assert call["traits"] == {"n": n}


# Layouts of headers


def test_headers_in_any_order_are_read_and_so_are_layouts_that_alternate() -> None:
    mappings, _ = read("envelope: cloudevents\nrules:\n  - {call: track, event: E, userId: _ce.subject}\n")
    first = [*BINARY, ("ce_subject", b"u-1")]
    second = [("ce_subject", b"u-2"), *reversed(BINARY)]
    for _ in range(3):
        for headers, user in ((first, "u-1"), (second, "u-2")):
            (call,) = map_event(mappings, record({}, of_headers=headers))["calls"]
            assert call["userId"] == user
            assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)


def test_more_layouts_than_are_kept_are_read_too() -> None:
    mappings, _ = read("envelope: cloudevents\nrules:\n  - {call: track, event: E, userId: _ce.type}\n")
    for number in range(2 * MOST_LAYOUTS):
        headers = [*BINARY, (f"x-{number}", b"")]
        (call,) = map_event(mappings, record({}, of_headers=headers))["calls"]
        assert call["userId"] == "x"


@pytest.mark.parametrize(
    "headers",
    [
        [*BINARY[:5], ("content-type", b"application/vnd.shop+json")],
        [("ce_specversion", b"0.3"), *BINARY[1:]],
        [*BINARY, ("ce_subject", None)],
        [*BINARY, ("ce_id", b"e-1")],
    ],
)
def test_unusual_headers_are_treated_with_care(headers: list[tuple[str, bytes | None]]) -> None:
    rule = "  - {call: track, event: E, userId: _ce.type, properties: {subject: _ce.subject}}\n"
    (call,) = calls(f"envelope: cloudevents\nrules:\n{rule}", {}, of_headers=headers)
    assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)
